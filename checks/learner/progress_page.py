"""A page that a learner can show: `python -m checks.progress`.

What was solved, when, in how many tries; which mistakes were met on the way; and the pictures that
the learner's own functions drew, from the saved notebooks in labs/. One HTML file that needs
nothing else, to be opened, printed or sent.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from checks.learner import progress, progress_file, tables

FILE = "progress.html"
PICTURE = "llama-flipbook"
UNWRITTEN = "Not written yet"  # how the caption of a placeholder begins
WHOSE = (
    "Written on the learner's own machine, from their own record: it shows what their checks said. "
    "Nobody has verified it, and it is no certificate."
)
NO_PICTURES = (
    "No pictures: they are taken from notebooks that were run and saved in labs/. Colab keeps its "
    "notebooks elsewhere."
)
STYLE = """
body { max-width: 60em; margin: 2em auto; padding: 0 1em; font: 16px/1.5 system-ui, sans-serif;
  color-scheme: light dark; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.3em 1em 0.3em 0;
  border-bottom: 1px solid #8884; }
h2 { margin-top: 2em; break-after: avoid; }
figure { margin: 1em 0; break-inside: avoid; }
figure img { max-width: 100%; background: white; }
figcaption, .whose, .mistakes { font-size: 0.9em; }
.mistakes { margin: 0; padding-left: 1.2em; }
"""


@dataclass(frozen=True)
class Picture:
    """A picture as it was saved: base64 of its PNG, and its sentence."""

    png: str
    caption: str


def page(root: Path, package: Path, name: str = "") -> str:
    """The page as HTML; `package` is the learner's my_llama."""
    found, seen = progress.labs(root, package), progress_file.read(package)
    exercises = [exercise for lab in found for exercise in lab.exercises]
    done = sum(lab.done for lab in found)
    title = f"{name}: Llama Lab" if name else "Llama Lab"
    begun = [lab for lab in found if any(e.state != "todo" for e in lab.exercises)]
    sections = [_section(root, lab, seen) for lab in begun]
    if not any("<figure>" in section for section in sections):
        sections.append(f"<p>{NO_PICTURES}</p>")
    return "\n".join(
        [
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{STYLE}</style>",
            f"<main><h1>{escape(title)}</h1>",
            f"<p>{done} of {len(exercises)} exercises done: functions of Llama 3, written by hand. "
            f"{escape(progress.KEY)}</p>",
            *sections,
            f'<p class="whose">{escape(WHOSE)}</p></main></html>',
        ]
    )


def _section(root: Path, lab: progress.Lab, seen: dict[str, dict[str, Any]]) -> str:
    rows = "".join(_row(exercise, seen.get(exercise.number, {})) for exercise in lab.exercises)
    heads = "".join(f'<th scope="col">{word}</th>' for word in ("exercise", "when", "tries"))
    table = (
        f"<table><thead><tr>{heads}"
        f'<th scope="col">mistakes met on the way</th></tr></thead><tbody>{rows}</tbody></table>'
    )
    figures = "".join(
        f'<figure><img alt="{escape(p.caption, quote=True)}" src="data:image/png;base64,{p.png}">'
        f"<figcaption>{escape(p.caption)}</figcaption></figure>"
        for p in pictures(root / "labs" / f"{lab.stem}.ipynb")
    )
    return f"<h2>{escape(lab.title)}</h2>{table}{figures}"


def _row(exercise: progress.Exercise, entry: dict[str, Any]) -> str:
    if entry.get("name") != exercise.name:
        entry = {}
    met = entry.get("met")
    says = [str(one) for one in met.values()] if isinstance(met, dict) else []
    items = "".join(f"<li>{tables.code(one)}</li>" for one in says)
    mistakes = f'<ul class="mistakes">{items}</ul>' if items else ""
    mark = tables.MARKS[exercise.state]
    cells = [
        f"{mark} {exercise.number} <code>{escape(exercise.name)}</code>",
        _day(entry.get("passed") or entry.get("right")),
        str(exercise.tries or ""),
        mistakes,
    ]
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _day(stamp: Any) -> str:
    """The day of a time as the record has it, or nothing where it has none."""
    try:
        return f"{datetime.fromisoformat(stamp):%Y-%m-%d}"
    except (TypeError, ValueError):
        return ""


def pictures(path: Path) -> Iterator[Picture]:
    """The pictures in a saved notebook; none in one that cannot be read or was not run."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        datas = [o.get("data", {}) for cell in cells for o in cell.get("outputs", [])]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return
    for data in datas:
        drawn = PICTURE in _text(data.get("text/html")) and "image/png" in data
        caption = _text(data.get("text/plain"))
        if drawn and not caption.startswith(UNWRITTEN):
            yield Picture(_text(data["image/png"]).strip(), caption)


def _text(lines: Any) -> str:
    """A notebook's text, which is one string or a list of lines."""
    return "".join(lines) if isinstance(lines, list) else str(lines or "")


def main(arguments: list[str] | None = None) -> int:
    """Write the page and say where it is; 1 where there is nothing to show yet."""
    parser = argparse.ArgumentParser(prog="python -m checks.progress", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=Path(FILE), help=f"default: {FILE}")
    parser.add_argument("--name", default="", help="whose page it is")
    said = parser.parse_args(arguments)
    package = progress.ROOT / "labs" / "my_llama"
    if not progress_file.read(package):
        print("Nothing to show yet: run a check in one of the labs first.")
        return 1
    said.file.write_text(page(progress.ROOT, package, said.name), encoding="utf-8")
    print(f"Wrote {said.file.resolve()}. Open it in a browser; print it from there.")
    return 0
