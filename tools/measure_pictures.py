"""What a reader's screen shows of each picture: text sizes, clipping, overlaps, contrast, heights.

    python -m tools.measure_pictures 03_rope --shots FOLDER

The pictures come from the executed notebooks in solutions/, as wide as JupyterLab shows them in a
window of 1400 pixels and of 420, on a light and on a dark page.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from checks.catalogue import ROOT, labs

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SCRIPT = (Path(__file__).parent / "measure_pictures.js").read_text(encoding="utf-8")
WIDTHS = {
    1400: 948,
    420: 300,
}  # of the window → of an output in JupyterLab, its side bar closed at 420
SCREEN = 900  # pixels: the height of the window
CHROME = 120  # of JupyterLab's own above and below the notebook
SMALLEST = 11  # pixels, of text
THEMES = {"light": ((255, 255, 255), "#212121"), "dark": ((17, 17, 17), "#ffffff")}
FAULTS = ("small", "clipped", "overlapping", "faint")


@dataclass
class Seen:
    """One picture at one width and in one theme, over all pages that were turned to."""

    name: str
    window: int
    theme: str
    smallest: float = float("inf")
    height: int = 0
    faults: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in FAULTS})

    def add(self, found: dict[str, Any]) -> None:
        """Take in what one page shows."""
        self.smallest = min(self.smallest, found["smallest"] or self.smallest)
        self.height = max(self.height, found["height"])
        for name in FAULTS:
            self.faults[name] |= set(found[name])
        if found["wide"]:
            self.faults["clipped"].add("wider than its place")

    @property
    def complaints(self) -> list[str]:
        """What breaks a rule, in words."""
        says = [
            f"{name}: {', '.join(sorted(these)[:6])}"
            for name, these in self.faults.items()
            if these
        ]
        if self.window == 1400 and self.height > SCREEN - CHROME:
            says.append(f"{self.height} px high with its controls: more than a screen shows")
        return [f"{self.name} at {self.window}, {self.theme}: {line}" for line in says]


def pictures(notebook: Path) -> Iterator[tuple[str, str]]:
    """The cell's id and the HTML of each picture with sliders that an executed notebook holds."""
    for cell in nbformat.read(notebook, as_version=4).cells:
        for output in cell.get("outputs", ()):
            html = output.get("data", {}).get("text/html", "")
            if "data-book=" in html:
                yield cell.id, html


@contextlib.contextmanager
def page_of(browser: Browser, html: str, window: int, theme: str) -> Iterator[Page]:
    """A page that holds one picture, as wide as it is in JupyterLab."""
    (red, green, blue), ink = THEMES[theme]
    style = (
        f"margin:0;background:rgb({red},{green},{blue});--jp-content-font-color1:{ink};color:{ink}"
    )
    body = f'<body style="{style}"><div style="width:{WIDTHS[window]}px">{html}</div></body>'
    page = browser.new_page(viewport={"width": max(window, 420), "height": SCREEN})
    try:
        page.set_content(f"<!doctype html><html lang=en><title>A picture</title>{body}</html>")
        page.wait_for_selector(".llama-flipbook[data-page]")
        page.evaluate(f"({SCRIPT})()")
        yield page
    finally:
        page.close()


TURN = """
(figure, places) => {
  const all = [...figure.querySelectorAll("[data-name]")];
  const names = [...new Set(all.map((input) => input.dataset.name))];
  names.forEach((name, k) => {
    const inputs = [...figure.querySelectorAll(`[data-name="${CSS.escape(name)}"]`)];
    const last = inputs[0].type === "range" ? Number(inputs[0].max) : inputs.length - 1;
    const place = Math.round(places[k % places.length] * last);
    if (inputs[0].type === "range") inputs[0].value = place; else inputs[place].checked = true;
  });
  figure.dispatchEvent(new Event("input", { bubbles: true }));
}
"""
# Shares of each slider's way: first, middle, last, and the corners between two sliders.
PLACES = [(0, 0), (0.5, 0.5), (1, 1), (0, 1), (1, 0), (0.25, 0.75), (0.75, 0.25)]


def look(
    browser: Browser, name: str, html: str, window: int, theme: str, shots: Path | None = None
) -> Seen:
    """Turn one picture to several pages and measure what stands there."""
    seen = Seen(name, window, theme)
    with page_of(browser, html, window, theme) as page:
        figure = page.locator(".llama-flipbook").first
        back = list(THEMES[theme][0])
        seen.add(figure.evaluate("(figure, back) => measurePicture(figure, back)", back))
        if shots:
            figure.screenshot(path=shots / f"{name}-{window}-{theme}-start.png")
        for k, places in enumerate(PLACES):
            figure.evaluate(TURN, list(places))
            seen.add(figure.evaluate("(figure, back) => measurePicture(figure, back)", back))
            if shots and k < 3:
                figure.screenshot(path=shots / f"{name}-{window}-{theme}-{k}.png")
    return seen


def main() -> int:
    """Print a table and what breaks a rule; ends with 1 where anything does."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("labs", nargs="*", help="such as 03_rope; else all")
    parser.add_argument("--shots", type=Path, help="a folder for screenshots")
    options = parser.parse_args()
    if options.shots:
        options.shots.mkdir(parents=True, exist_ok=True)
    program = shutil.which("chromium")
    if program is None:
        sys.exit("The measurement needs Chromium: apt install chromium")
    from playwright.sync_api import sync_playwright

    complaints: list[str] = []
    print(
        f"{'picture':34} {'1400: text px':>13} {'height':>6}   {'420: text px':>12} {'height':>6}"
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for lab in labs():
            if options.labs and lab.stem not in options.labs:
                continue
            for cell, html in pictures(ROOT / "solutions" / f"{lab.stem}.ipynb"):
                name = f"{lab.stem[:2]}-{cell}"
                line = f"{name:34} "
                for window in WIDTHS:
                    for theme in THEMES:
                        seen = look(browser, name, html, window, theme, options.shots)
                        complaints += seen.complaints
                    line += f"{seen.smallest:13.1f} {seen.height:6}  "
                print(line, flush=True)
        browser.close()
    print(*complaints, sep="\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
