"""From a lab's source to its notebooks: ids, metadata, links, setup cell; all but the outputs."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Mapping

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools.address import Address
from tools.setup_cell import setup_source
from tools.source import CHECK, Cell, Lab

ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
SLUG_WORDS, SLUG_LENGTH = 6, 40
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
KAGGLE = "https://kaggle.com/static/images/open-in-kaggle.svg"
BINDER = "https://mybinder.org/badge_logo.svg"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def notebook(
    lab: Lab, points: Mapping[str, int], address: Address | None, *, solved: bool
) -> nbformat.NotebookNode:
    """The lab as the learner gets it, or with its solutions written out; no outputs yet."""
    cells = []
    for cell, id in zip(lab.cells, cell_ids(lab), strict=True):
        metadata = {**{k: v for k, v in cell.metadata.items() if k != "id"}, "id": id}
        if cell.kind == "markdown":
            first = cell is lab.cells[0]
            text = with_links(lab, address, solved=solved) if first else cell.text
            cells.append(new_markdown_cell(text, id=id, metadata=metadata))
            continue
        source = cell.solved if solved else cell.stub
        if id == "setup":
            source = setup_source(address)
            metadata |= {"cellView": "form", "jupyter": {"source_hidden": True}}
        elif cell.exercise:
            metadata["nbgrader"] = nbgrader(id, solution=True)
        elif match := CHECK.fullmatch(cell.text):
            metadata["nbgrader"] = nbgrader(id, points=points[match[1]])
        cells.append(new_code_cell(source, id=id, metadata=metadata))
    return new_notebook(cells=cells, metadata={**METADATA, "llama_lab": {"lab": lab.stem}})


def text_of(nb: nbformat.NotebookNode) -> str:
    """The notebook as the text of its file, once it is valid."""
    nbformat.validate(nb)
    return nbformat.writes(nb, version=4).rstrip("\n") + "\n"


def nbgrader(id: str, *, points: int | None = None, solution: bool = False) -> dict:
    """nbgrader's metadata for an exercise cell, or for a check cell worth some points."""
    kind = {"grade": not solution, "locked": not solution, "solution": solution, "task": False}
    worth = {} if points is None else {"points": points}
    return {"grade_id": id, "schema_version": 3, **kind, **worth}


RESTARTED = (
    "(Does a cell say `name 'plot' is not defined`? The kernel was restarted and has forgotten "
    "everything. Run the first two code cells again, then your exercise cells.)"
)


def with_links(lab: Lab, address: Address | None, *, solved: bool) -> str:
    """The title cell with a line of links under the title."""
    here, there = f"labs/{lab.stem}.ipynb", f"solutions/{lab.stem}.ipynb"
    words = "worked solution"
    if solved:
        here, there, words = there, here, "the lab to write yourself"
    if address:
        links = [
            badges(address, here),
            f"[{words}]({address.page(there)})",
            f"[all labs](https://github.com/{address.repository}#readme)",
        ]
    else:
        links = [f"[{words}](../{there})", "[all labs](../README.md)"]
    title, *rest = lab.cells[0].lines
    return "\n".join([title, "", " · ".join(links), "", RESTARTED, *rest])


def badges(address: Address, path: str) -> str:
    """What opens a notebook elsewhere with one click, as pictures in Markdown."""
    places = [
        ("Open in Colab", BADGE, address.colab(path)),
        ("Open in Kaggle", KAGGLE, address.kaggle(path)),
        ("Open in Binder", BINDER, address.binder(path)),
    ]
    return " ".join(f"[![{words}]({picture})]({link})" for words, picture, link in places)


def cell_ids(lab: Lab) -> list[str]:
    """One readable id for each cell; an id in the source wins, else it comes from the content."""
    taken: set[str] = set()
    for cell in lab.cells:
        id = cell.metadata.get("id", "unnamed")
        if not isinstance(id, str) or not ID.fullmatch(id):
            raise cell.error(-1, f"`{id}` is no cell id: letters, digits, - and _, at most 64.")
        if "id" in cell.metadata:
            if id in taken:
                raise cell.error(-1, f"the id {id} is given to two cells.")
            taken.add(id)
    ids, current = [], None
    numbers = {cell.numbered[1]: cell.numbered[0] for cell in lab.exercises}
    for cell in lab.cells:
        current = cell.exercise or current
        id = cell.metadata.get("id") or unique(derived_id(cell, current, numbers), taken)
        taken.add(id)
        ids.append(id)
    return ids


def derived_id(cell: Cell, current: tuple[str, str] | None, numbers: Mapping[str, str]) -> str:
    """ex-3-5, check-3-5, plot-3-5, or the cell's first words."""
    if cell.kind == "markdown":
        return slug(next((line for line in cell.lines if line.strip(" #-*>")), ""))
    if cell.exercise:
        return "ex-" + cell.numbered[0].replace(".", "-")
    if match := CHECK.fullmatch(cell.text):
        return "check-" + numbers[match[1]].replace(".", "-")
    if current and is_picture(cell):
        return "plot-" + current[0].replace(".", "-")
    return slug(cell.text)


def is_picture(cell: Cell) -> bool:
    """True when the cell's last statement is one of the lab's pictures, `plot.rotation(…)`."""
    last = ast.parse(cell.solved).body[-1:]
    call = last[0].value if last and isinstance(last[0], ast.Expr) else None
    function = call.func if isinstance(call, ast.Call) else None
    return isinstance(function, ast.Attribute) and getattr(function.value, "id", "") == "plot"


def slug(text: str) -> str:
    """The first words, in lower case, joined by hyphens."""
    words = re.sub(r"\]\([^)]*\)|<[^>]+>", " ", text)  # a link's address or a tag is not a word
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode().lower()
    kept = re.findall(r"[a-z0-9]+", plain)[:SLUG_WORDS]
    while len("-".join(kept)) > SLUG_LENGTH and len(kept) > 1:
        kept.pop()
    return "-".join(kept)[:SLUG_LENGTH] or "cell"


def unique(id: str, taken: set[str]) -> str:
    """The id itself, or with -2, -3, … when it is taken."""
    candidates = (id if n == 1 else f"{id}-{n}" for n in range(1, len(taken) + 2))
    return next(candidate for candidate in candidates if candidate not in taken)
