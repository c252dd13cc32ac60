"""One lab as a web page: its worked notebook, with the stub shown and the worked lines folded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters.templateexporter import TemplateExporter
from nbconvert.filters import Highlight2HTML
from traitlets.config import Config

from checks.catalogue import EVIDENCE
from tools.notebook import is_picture
from tools.site.prose import Heading, Prose
from tools.site.shelf import Shelf
from tools.source import BuildError, Cell, Lab

FOLDER = Path(__file__).parent
NOTEBOOK = re.compile(r"(?:.*/)?(\d\d_\w+)\.ipynb")


@dataclass
class LabPage:
    """What the page of a lab consists of."""

    stem: str
    title: str
    times: str
    minutes: str
    exercises: list[str]
    body: str
    headings: list[Heading]

    @property
    def href(self) -> str:
        """The page's file."""
        return f"{self.stem}.html"


def lab_page(lab: Lab, root: Path, stems: list[str], shelf: Shelf) -> LabPage:
    """Read a lab's worked notebook and make its page; its pictures go on the shelf."""
    path = root / "solutions" / f"{lab.stem}.ipynb"
    nb = nbformat.read(path, as_version=4) if path.is_file() else None
    if nb is None or [cell.cell_type for cell in nb.cells] != [cell.kind for cell in lab.cells]:
        raise BuildError(f"solutions/{lab.stem}.ipynb is not what {lab.path} gives: make labs")
    _mark(lab, nb)
    prose = Prose(link=lambda address: _leads(address, stems))
    body = _exporter(prose, shelf).from_notebook_node(nb)[0]
    return LabPage(
        lab.stem,
        lab.title,
        lab.times,
        lab.minutes,
        [cell.numbered[1] for cell in lab.exercises],
        body,
        prose.headings,
    )


def _mark(lab: Lab, nb: nbformat.NotebookNode) -> None:
    """Tell the template what each cell is."""
    paragraphs = "\n".join(lab.cells[0].lines[1:]).strip().split("\n\n")
    # The page has the title, the times and the links in places of their own.
    nb.cells[0].source = "\n\n".join(paragraphs[1:] if lab.times else paragraphs)
    for cell, source in zip(nb.cells, lab.cells, strict=True):
        kind = _kind(cell, source)
        cell.metadata.site = {"kind": kind}
        if kind == "exercise":
            cell.metadata.site |= {"stub": source.stub, "exercise": " · ".join(source.numbered)}
        if kind == "check":
            cell.metadata.site["summary"] = _first_line(cell)


def _kind(cell: nbformat.NotebookNode, source: Cell) -> str:
    if source.kind == "markdown":
        return "text"
    if cell.id == "setup":
        return "setup"
    if source.exercise:
        return "exercise"
    data = [output.get("data", {}) for output in cell.outputs]
    if any(EVIDENCE in found for found in data):
        return "check"
    drawn = any("llama-flipbook" in found.get("text/html", "") for found in data)
    return "picture" if drawn and is_picture(source) else "code"


def _first_line(cell: nbformat.NotebookNode) -> str:
    texts = [output.data["text/plain"] for output in cell.outputs if EVIDENCE in output.data]
    return texts[0].splitlines()[0]


def _leads(address: str, stems: list[str]) -> str | None:
    """Where a link of a notebook leads on the site."""
    path, _, anchor = address.partition("#")
    found = NOTEBOOK.fullmatch(path)
    if found and found[1] in stems:
        return f"{found[1]}.html" + (f"#{anchor}" if anchor else "")
    return "index.html" if path.endswith("README.md") else None


class _LabExporter(TemplateExporter):
    """nbconvert with the site's template, and with our own text cells."""

    prose: Prose
    shelf: Shelf
    output_mimetype = "text/html"

    def default_filters(self):  # type: ignore[no-untyped-def]
        """Return nbconvert's filters and the site's own."""
        yield from super().default_filters()
        yield "prose", lambda text: self.prose(text)
        yield "of_the_site", lambda markup: self.shelf(markup)
        yield "highlight_code", Highlight2HTML(pygments_lexer="python")


def _exporter(prose: Prose, shelf: Shelf) -> _LabExporter:
    shows = ["text/html", "image/png", "text/plain"]
    config: Mapping[str, Any] = {
        "NbConvertBase": {"display_data_priority": shows},
        "TemplateExporter": {
            "extra_template_basedirs": [str(FOLDER / "templates")],
            "template_name": "lab",
            "template_file": "index.html.j2",
        },
    }
    exporter = _LabExporter(config=Config(config))
    exporter.prose, exporter.shelf = prose, shelf
    return exporter
