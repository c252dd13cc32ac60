"""How long from a slider's move to the repainted picture: the flipbook beside plain `interact`.

    python -m tools.bench_pictures plots.rope.rotation plots.kv_cache.heatmaps

Both versions of a picture stand in one notebook in JupyterLab, in headless Chromium, and are moved
in turn by arrow keys: from the key's time stamp until the browser has painted the frame that shows
the change. Ends with 1 when a flipbook's 95th percentile is above the limit.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ["plots.rope.rotation", "plots.kv_cache.heatmaps"]
MOVES = 40
WARM_UP = 4  # moves that are not counted: fonts and scripts are seen for the first time
LIMIT = 25.0  # milliseconds, the 95th percentile of a flipbook

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
          if (now && now !== before) return done(performance.now() - event.timeStamp);
        }
      }, { capture: true, once: true });
    });
  };
}
"""


def demo() -> Any:
    """A picture to try the measurement with, when no lab is there yet."""
    import numpy as np

    from plots import style
    from plots.flipbook import explore

    def draw(fig: Any, position: int, pair: int) -> str:
        left, right = fig.subplots(1, 2)
        fig.subplots_adjust(0.03, 0.04, 0.97, 0.88)
        angle = position * 100.0 ** (-pair / 3)
        for axes, turn in ((left, 0.0), (right, angle)):
            style.plane(axes, 1.4, circle=1.0)
            style.arrow(axes, (np.cos(turn), np.sin(turn)), style.QUERY, "q")
        return f"At position {position} pair {pair} has turned by {angle:.2f}."

    return explore(draw, position=range(16), pair=[0, 1, 2])


def picture(name: str) -> Any:
    """The flipbook of that name; what its arguments are named after is taken from my_llama."""
    module, _, function = name.rpartition(".")
    make = getattr(importlib.import_module(module), function)
    if str(ROOT / "solutions") not in sys.path:
        sys.path.insert(0, str(ROOT / "solutions"))
    needed = [
        parameter.name
        for parameter in inspect.signature(make).parameters.values()
        if parameter.default is parameter.empty
    ]
    if not needed:
        return make()
    pieces = importlib.import_module("my_llama")
    return make(*(getattr(pieces, argument) for argument in needed))


def interact(name: str) -> None:
    """The same drawing as everybody writes it: `ipywidgets.interact` around matplotlib."""
    import ipywidgets
    import matplotlib.pyplot as plt

    book = picture(name)

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


def measure(names: list[str], moves: int) -> list[dict[str, Any]]:
    """Open one notebook with both versions of every picture and move them in turn."""
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook
    from playwright.sync_api import sync_playwright

    sys.path.append(str(ROOT / "tests" / "browser"))
    from jupyter_page import CHROMIUM_OPTIONS, NotebookPage, running_jupyter

    program = shutil.which("chromium")
    if program is None:
        sys.exit("The measurement needs Chromium: apt install chromium")
    setup = (
        f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from tools.bench_pictures import interact, picture"
    )
    cells = [new_code_cell(setup, id="setup")]
    for place, name in enumerate(names):
        cells.append(new_code_cell(f"picture({name!r})", id=f"flipbook-{place}"))
        cells.append(new_code_cell(f"interact({name!r})", id=f"interact-{place}"))
    python = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = new_notebook(cells=cells, metadata={"kernelspec": python})
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        nbformat.write(notebook, Path(folder) / "bench.ipynb")
        chromium = playwright.chromium.launch(
            executable_path=program, args=CHROMIUM_OPTIONS.split()
        )
        window = {"width": 1200, "height": 2000}
        with (
            running_jupyter(Path(folder), "lab") as server,
            NotebookPage(chromium, server, "bench.ipynb", viewport=window) as page,
        ):
            page.run_all()
            page.page.evaluate(WATCH)
            rows = [_measure_one(page, place, name, moves) for place, name in enumerate(names)]
        chromium.close()
    return rows


def _measure_one(page: Any, place: int, name: str, moves: int) -> dict[str, Any]:
    """The times of one picture, both versions in turn, so that they share the machine's moods."""
    start = time.perf_counter()
    book = picture(name)
    _ = book.pages
    built = time.perf_counter() - start
    longest = max(book.sliders, key=lambda slider: len(book.sliders[slider]))
    handles = {
        "flipbook": f"input[data-name='{longest}']",
        "interact": f"[role=slider] >> nth={list(book.sliders).index(longest)}",
    }
    times: dict[str, list[float]] = {"flipbook": [], "interact": []}
    last = len(book.sliders[longest]) - 1
    at, step = book.sliders[longest].index(book.start[longest]), 1
    for move in range(-WARM_UP, moves):
        step = -1 if at == last else 1 if at == 0 else step
        at += step
        for kind, handle in handles.items():
            cell = page.cell(f"{kind}-{place}")
            cell.locator(handle).focus()
            cell.evaluate(f"(cell) => window.watchPicture({kind!r}, cell)")
            page.wait_idle()
            page.page.wait_for_timeout(100)  # kernel and page are at rest before the key
            page.page.keyboard.press("ArrowRight" if step > 0 else "ArrowLeft")
            took = page.page.evaluate("() => window.moved")
            if move >= 0:
                times[kind].append(took)
    weight = sum(map(len, book._repr_mimebundle_().values()))
    return {"name": name, "pages": len(book.pages), "kB": weight / 1000, "built": built, **times}


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of them lie: the 38th of 40 for 0.95."""
    return sorted(values)[max(0, -(-len(values) * round(share * 100) // 100) - 1)]


def report(rows: list[dict[str, Any]]) -> str:
    """A table: milliseconds, median and 95th percentile, and the ratio of the medians."""
    lines = [
        f"{'picture':30} {'pages':>5} {'kB':>5} {'built s':>7}   "
        f"{'flipbook median/p95 ms':>22}   {'interact median/p95 ms':>22}   {'ratio':>5}"
    ]
    for row in rows:
        flipbook, plain = row["flipbook"], row["interact"]
        ratio = statistics.median(plain) / statistics.median(flipbook)
        times = [
            f"{statistics.median(values):12.1f} / {percentile(values, 0.95):7.1f}"
            for values in (flipbook, plain)
        ]
        lines.append(
            f"{row['name']:30} {row['pages']:5} {row['kB']:5.0f} {row['built']:7.1f}   "
            f"{times[0]}   {times[1]}   {ratio:4.0f}×"
        )
    return "\n".join(lines)


def main() -> int:
    """Measure the pictures named on the command line, by default those the course promises."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pictures", nargs="*", default=PICTURES, help="such as plots.rope.rotation")
    parser.add_argument("--moves", type=int, default=MOVES)
    parser.add_argument(
        "--limit", type=float, default=LIMIT, help="milliseconds, p95 of a flipbook"
    )
    options = parser.parse_args()
    rows = measure(options.pictures, options.moves)
    print(report(rows))
    print(
        f"{options.moves} moves each, in turn; {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}"
    )
    slow = [row["name"] for row in rows if percentile(row["flipbook"], 0.95) > options.limit]
    if slow:
        print(f"Above the limit of {options.limit:g} ms: {', '.join(slow)}", file=sys.stderr)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
