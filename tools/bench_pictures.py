"""Every picture of the labs, as a reader meets it: how soon it stands there, how fast it turns.

    python -m tools.bench_pictures 03_rope 05_kv_cache

The worked lab runs in JupyterLab in headless Chromium. Of each picture's cell: seconds until the
first frame, until its sliders work, all their pages for this width being there, and until the pages
for narrow screens are drawn too; milliseconds from an arrow key on its longest slider
until the browser has painted the frame that shows the change, beside `ipywidgets.interact` around
the same drawing, moved in turn; and what tools.measure_pictures sees at both widths. Ends with 1
where a picture is less than 20 times as fast as interact, or stands there too late.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat

from checks.catalogue import ROOT
from tools.chosen import chosen
from tools.measure_pictures import WIDTHS, look, measuring_page, pictures

# The browser paints as soon as it can: for a screen both would wait, 8 ms on average.
ARGS = ["--no-sandbox", "--disable-gpu-vsync", "--disable-frame-rate-limit"]
MOVES = 20
WARM_UP = 4  # moves that are not counted: fonts and scripts are seen for the first time
FASTER = 20.0  # times as fast as interact
FIRST, COMPLETE = 0.5, 2.0  # seconds

# Measures in the page: the time from the next key to the end of the frame in which the picture has
# changed and stands complete.
WATCH = """
() => {
  const shown = {
    flipbook: (cell) => cell.querySelector('.llama-flipbook')?.dataset.page,
    interact: (cell) => {
      const images = [...cell.querySelectorAll('.jp-OutputArea img')];
      return images.length && images.every((image) => image.complete) ? images.at(-1).src : null;
    },
  };
  const painted = () => new Promise((done) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = done;
    requestAnimationFrame(() => channel.port2.postMessage(null));
  });
  window.watchPicture = (kind, cell) => {
    const before = shown[kind](cell);
    window.moved = new Promise((done) => {
      window.addEventListener('keydown', async (event) => {
        while (true) {
          await painted();
          const now = shown[kind](cell);
          const took = performance.now() - event.timeStamp;
          if (now && now !== before) return done(took);
          if (took > 5000) return done(null); // two places of a slider may look alike
        }
      }, { capture: true, once: true });
    });
  };
}
"""
# Runs a cell, and notes when its picture is first seen and when its sliders work.
FIRST_SEEN = """
async (index) => {
  const content = jupyterapp.shell.currentWidget.content;
  content.activeCellIndex = index;
  await content.scrollToItem(index);
  const node = content.widgets[index].outputArea.node;
  const start = performance.now();
  const seen = {};
  const shows = { first: '.llama-picture > *', complete: '.llama-flipbook[data-page]' };
  const note = () => {
    for (const [name, sign] of Object.entries(shows)) {
      if (!seen[name] && node.querySelector(sign)) seen[name] = performance.now() - start;
    }
  };
  content.widgets[index].model.clearExecution();
  const watch = new MutationObserver(note);
  watch.observe(node, { childList: true, subtree: true, attributes: true });
  await jupyterapp.commands.execute('notebook:run-cell');
  seen.all = performance.now() - start;
  while (!seen.complete && performance.now() - start < 60000) {
    await new Promise((done) => setTimeout(done, 20));
    note();
  }
  watch.disconnect();
  return seen;
}
"""


def interact(book: Any) -> None:
    """The same drawing as everybody writes it: `ipywidgets.interact` around matplotlib."""
    import ipywidgets
    import matplotlib.pyplot as plt

    def show(**values: Any) -> None:
        figure = plt.figure(figsize=book.size)
        caption = book.draw(figure, **values)
        plt.show()
        print(caption)

    sliders = {
        slider: ipywidgets.SelectionSlider(options=values, value=book.start[slider])
        for slider, values in book.sliders.items()
    }
    ipywidgets.interact(show, **sliders)


def with_rivals(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The lab, and after each picture's cell one that draws the same with interact."""
    from nbformat.v4 import new_code_cell

    names = {cell for cell, _ in pictures(notebook)}
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.id in names:
            rival = "from tools.bench_pictures import interact\n\ninteract(_)"
            cells.append(new_code_cell(rival, id=f"{cell.id}-rival"))
        if cell.cell_type == "code":
            cell.outputs = []
    notebook.cells = cells
    return notebook


def measure(stem: str, browser: Any, moves: int) -> Iterator[dict[str, Any]]:
    """A row for each picture of one lab."""
    sys.path.append(str(ROOT / "tests" / "browser"))
    from jupyter_page import NotebookPage, running_jupyter

    source = ROOT / "solutions" / f"{stem}.ipynb"
    found = dict(pictures(nbformat.read(source, as_version=4)))
    notebook = with_rivals(nbformat.read(source, as_version=4))
    os.environ["LLAMA_LAB_SHORT"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder)
        for part in ("checks", "plots", "solutions", "assets", "tools"):
            shutil.copytree(ROOT / part, course / part)
        (course / "labs").mkdir()
        nbformat.write(notebook, course / "labs" / f"{stem}.ipynb")
        window = {"width": 1400, "height": 2000}
        with (
            running_jupyter(course, "lab") as server,
            NotebookPage(browser, server, f"labs/{stem}.ipynb", viewport=window) as page,
        ):
            page.page.evaluate(WATCH)
            for cell in notebook.cells:
                if cell.cell_type != "code":
                    continue
                if cell.id in found:
                    row = {"name": f"{stem[:2]}-{cell.id}", "kB": len(found[cell.id]) / 1000}
                    row |= _times_of_cell(page, cell.id)
                elif cell.id.removesuffix("-rival") in found:
                    page.run_cell(cell.id)
                    name = cell.id.removesuffix("-rival")
                    yield row | _moves(page, name, moves) | _looks(browser, row, found[name])
                else:
                    page.run_cell(cell.id)


def _times_of_cell(page: Any, cell: str) -> dict[str, float]:
    index = page._ask("return index", cell)
    seen = page.page.evaluate(FIRST_SEEN, index)
    page.wait_idle()
    return {name: taken / 1000 for name, taken in seen.items()}


def _looks(browser: Any, row: dict[str, Any], html: str) -> dict[str, Any]:
    with measuring_page(browser) as page:
        return {"seen": {at: look(page, row["name"], html, at, "light") for at in WIDTHS}}


def _moves(page: Any, name: str, moves: int) -> dict[str, list[float]]:
    """Times of both versions in turn, so that they share the machine's moods."""
    times: dict[str, list[float]] = {"flipbook": [], "interact": []}
    cells = {"flipbook": page.cell(name), "interact": page.cell(f"{name}-rival")}
    ranges = cells["flipbook"].locator(".llama-controls input[type=range]")
    widest = ranges.evaluate_all("all => all.map((input) => Number(input.max))")
    if not widest:
        return times  # nothing to move, or words to choose from
    last = max(widest)
    place = widest.index(last)
    named = cells["flipbook"].locator(".llama-controls [data-name]")
    every = named.evaluate_all("all => [...new Set(all.map((input) => input.dataset.name))]")
    longest = ranges.nth(place).get_attribute("data-name")
    at, step = int(ranges.nth(place).input_value()), 1
    for move in range(-WARM_UP, moves):
        step = -1 if at == last else 1 if at == 0 else step
        at += step
        for kind in times:
            cell = page.cell(name if kind == "flipbook" else f"{name}-rival")
            if kind == "flipbook":
                cell.locator(f"input[data-name='{longest}']").focus()
            else:
                cell.locator("[role=slider]").nth(every.index(longest)).focus()
            cell.evaluate(f"(cell) => window.watchPicture({kind!r}, cell)")
            page.wait_idle()
            page.page.wait_for_timeout(100)  # kernel and page are at rest before the key
            page.page.keyboard.press("ArrowRight" if step > 0 else "ArrowLeft")
            took = page.page.evaluate("() => window.moved")
            if move >= 0 and took is not None:
                times[kind].append(took)
    return times


def line(row: dict[str, Any]) -> str:
    """One picture as a line of the table."""
    text = f"{row['name']:30} {row['kB']:5.0f} {row['first']:6.2f} {row['complete']:6.2f} "
    text += f"{row['all']:6.2f} "
    if row["flipbook"] and row["interact"]:
        text += (
            f"{statistics.median(row['flipbook']):6.1f} {statistics.median(row['interact']):7.0f}"
        )
        text += f" {ratio(row):5.0f} "
    else:
        text += f"{'':21}"
    for seen in row["seen"].values():
        text += f" {seen.smallest:6.1f} {seen.height:5}"
    return text


def ratio(row: dict[str, Any]) -> float:
    """How many times as fast as interact; endless where nothing moves."""
    if not (row["flipbook"] and row["interact"]):
        return float("inf")
    return statistics.median(row["interact"]) / statistics.median(row["flipbook"])


def main() -> int:
    """Measure the pictures of the labs named on the command line, by default of all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("labs", nargs="*", help="such as 03_rope; else all")
    parser.add_argument("--moves", type=int, default=MOVES)
    options = parser.parse_args()
    asked_for = chosen(options.labs)
    program = shutil.which("chromium")
    if program is None:
        sys.exit("The measurement needs Chromium: apt install chromium")
    from playwright.sync_api import sync_playwright

    print(
        f"{'':30} {'kB':>5} {'first':>6} {'turns':>6} {'all s':>6} {'ms':>6} {'interact':>7} "
        f"{'ratio':>5}"
        f"   {'1400: text, high':>12}  {'420: text, high':>12}"
    )
    late = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGS)
        for lab in asked_for:
            for row in measure(lab.stem, browser, options.moves):
                print(line(row), flush=True)
                if ratio(row) < FASTER or row["first"] > FIRST or row["complete"] > COMPLETE:
                    late.append(row["name"])
        browser.close()
    print(f"{options.moves} moves each; {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    if late:
        print(f"Too slow: {', '.join(late)}", file=sys.stderr)
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
