"""From a lab's source to its notebooks: ids, metadata, title line, setup cell; everything but the outputs."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Mapping

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools.address import Address
from tools.setup_cell import setup_source
from tools.source import CHECK, BuildError, Cell, Lab

ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
SLUG_WORDS, SLUG_LENGTH = 6, 40
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"


def notebook(
    lab: Lab, points: Mapping[str, int], address: Address | None, *, solved: bool
) -> nbformat.NotebookNode:
    """The lab as the learner gets it, or with its solutions written out; no outputs yet."""
    cells = []
    for cell, id in zip(lab.cells, cell_ids(lab), strict=True):
        metadata = {**{k: v for k, v in cell.metadata.items() if k != "id"}, "id": id}
        if cell.kind == "markdown":
            text = (
                cell.text if cell is not lab.cells[0] else with_links(lab, address, solved=solved)
            )
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
    return new_notebook(
        cells=cells,
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "llama_lab": {"lab": lab.stem},
        },
    )


def text_of(nb: nbformat.NotebookNode) -> str:
    """The notebook as the text of its file, once it is valid."""
    nbformat.validate(nb)
    return nbformat.writes(nb, version=4).rstrip("\n") + "\n"


def nbgrader(id: str, *, points: int | None = None, solution: bool = False) -> dict:
    """nbgrader's metadata for an exercise cell, or for a check cell worth some points."""
    metadata = {"grade_id": id, "grade": not solution, "locked": not solution, "solution": solution}
    return (
        metadata
        | {"task": False, "schema_version": 3}
        | ({} if points is None else {"points": points})
    )


def with_links(lab: Lab, address: Address | None, *, solved: bool) -> str:
    """The title cell with a line of links under the title."""
    here, there = f"labs/{lab.stem}.ipynb", f"solutions/{lab.stem}.ipynb"
    words = ("the lab without solutions", here) if solved else ("worked solution", there)
    if address:
        badge = f"[![Open in Colab]({BADGE})]({address.colab(there if solved else here)})"
        links = [
            badge,
            f"[{words[0]}]({address.page(words[1])})",
            f"[all labs](https://github.com/{address.repository}#readme)",
        ]
    else:
        links = [f"[{words[0]}](../{words[1]})", "[all labs](../README.md)"]
    title, *rest = lab.cells[0].lines
    return "\n".join([title, "", " · ".join(links), *rest])


def cell_ids(lab: Lab) -> list[str]:
    """One readable id for each cell; an id in the source wins, the others come from what the cell is."""
    taken = set()
    for cell in lab.cells:
        id = cell.metadata.get("id")
        if id is not None and (not isinstance(id, str) or not ID.fullmatch(id)):
            raise cell.error(
                -1, f"`{id}` cannot be a cell's id: letters, digits, - and _, at most 64 of them."
            )
        if id in taken:
            raise cell.error(-1, f"the id {id} is given to two cells.")
        taken |= {id} - {None}
    ids, current = [], None
    numbers = {cell.exercise[1]: cell.exercise[0] for cell in lab.exercises}
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
        return "ex-" + cell.exercise[0].replace(".", "-")
    if match := CHECK.fullmatch(cell.text):
        return "check-" + numbers[match[1]].replace(".", "-")
    if current and is_picture(cell):
        return "plot-" + current[0].replace(".", "-")
    return slug(cell.text)


def is_picture(cell: Cell) -> bool:
    """True when the cell's last statement shows something from the lab's pictures: `plot.rotation(…)`."""
    last = ast.parse(cell.solved).body[-1:]
    call = last[0].value if last and isinstance(last[0], ast.Expr) else None
    target = call.func if isinstance(call, ast.Call) else None
    return (
        isinstance(target, ast.Attribute)
        and isinstance(target.value, ast.Name)
        and target.value.id == "plot"
    )


def slug(text: str) -> str:
    """The first words, in lower case, joined by hyphens."""
    plain = (
        unicodedata.normalize("NFKD", re.sub(r"\]\([^)]*\)", "", text))
        .encode("ascii", "ignore")
        .decode()
    )
    words = re.findall(r"[a-z0-9]+", plain.lower())[:SLUG_WORDS]
    while len("-".join(words)) > SLUG_LENGTH and len(words) > 1:
        words.pop()
    return "-".join(words)[:SLUG_LENGTH] or "cell"


def unique(id: str, taken: set[str]) -> str:
    """The id itself, or with -2, -3, … when it is taken."""
    candidates = (id if n == 1 else f"{id}-{n}" for n in range(1, len(taken) + 2))
    return next(candidate for candidate in candidates if candidate not in taken)


def verify_points(lab: Lab, exercises: Mapping[str, tuple[str, int]]) -> dict[str, int]:
    """name → points, once the lab's exercises and the checks of its module are the same ones."""
    module = f"checks/{lab.name}.py"
    for cell in lab.exercises:
        number, name = cell.exercise
        if name not in exercises:
            raise cell.error(
                0, f"exercise {number} has no check: {module} defines no Check called {name}."
            )
        if exercises[name][0] != number:
            raise cell.error(
                0, f"exercise {number} · {name} is exercise {exercises[name][0]} in {module}."
            )
    for name in exercises.keys() - {cell.exercise[1] for cell in lab.exercises}:
        raise BuildError(
            f"{lab.path}:1: {module} checks {name} (exercise {exercises[name][0]}), but the lab has no such exercise cell."
        )
    return {name: points for name, (_, points) in exercises.items()}
