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

from checks.catalogue import ROOT
from tools.chosen import chosen

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


def pictures(notebook: nbformat.NotebookNode) -> Iterator[tuple[str, str]]:
    """The cell's id and the HTML of each picture with sliders that an executed notebook holds."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            html = output.get("data", {}).get("text/html", "")
            if "data-book=" in html:
                yield cell.id, html


@contextlib.contextmanager
def measuring_page(browser: Browser) -> Iterator[Page]:
    """A page in which pictures can be shown and measured, one after the other."""
    page = browser.new_page()
    page.add_init_script(f"({SCRIPT})()")
    try:
        page.goto("about:blank")
        yield page
    finally:
        page.close()


def show(page: Page, html: str, window: int, theme: str) -> None:
    """Put pictures on the page, as wide as they are in JupyterLab."""
    (red, green, blue), ink = THEMES[theme]
    style = f"margin:0;background:rgb({red},{green},{blue});color:{ink}"
    body = (
        f'<body style="{style};--jp-content-font-color1:{ink}">'
        f'<main style="width:{WIDTHS[window]}px"><h1 style="font-size:1px;margin:0">Pictures</h1>'
        f"{html}</main></body>"
    )
    page.set_viewport_size({"width": window, "height": SCREEN})
    page.set_content(f"<!doctype html><html lang=en><title>A picture</title>{body}</html>")
    page.wait_for_selector(".llama-flipbook[data-page]")


# Shares of each slider's way: first, middle, last, and the corners between two sliders.
PLACES = [(0, 0), (0.5, 0.5), (1, 1), (0, 1), (1, 0), (0.25, 0.75), (0.75, 0.25)]


def look(
    page: Page,
    name: str,
    html: str,
    window: int,
    theme: str,
    shots: Path | None = None,
    places: int = len(PLACES),
) -> Seen:
    """Turn one picture to several pages and measure what stands there."""
    seen = Seen(name, window, theme)
    show(page, html, window, theme)
    figure = page.locator(".llama-flipbook").first
    arguments = [list(THEMES[theme][0]), PLACES[:places]]
    for found in figure.evaluate(
        "(figure, [back, places]) => measureAll(figure, back, places)", arguments
    ):
        seen.add(found)
    if shots:
        for k, shares in enumerate(PLACES[:3]):
            figure.evaluate("(figure, places) => turnTo(figure, places)", shares)
            figure.screenshot(path=shots / f"{name}-{window}-{theme}-{k}.png")
    return seen


def main() -> int:
    """Print a table and what breaks a rule; ends with 1 where anything does."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("labs", nargs="*", help="such as 03_rope; else all")
    parser.add_argument("--shots", type=Path, help="a folder for screenshots")
    options = parser.parse_args()
    asked_for = chosen(options.labs)
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
        with measuring_page(browser) as page:
            for lab in asked_for:
                notebook = nbformat.read(ROOT / "solutions" / f"{lab.stem}.ipynb", as_version=4)
                for cell, html in pictures(notebook):
                    name = f"{lab.stem[:2]}-{cell}"
                    line = f"{name:34} "
                    for window in WIDTHS:
                        for theme in THEMES:
                            seen = look(page, name, html, window, theme, options.shots)
                            complaints += seen.complaints
                        line += f"{seen.smallest:13.1f} {seen.height:6}  "
                    print(line, flush=True)
        browser.close()
    print(*complaints, sep="\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
