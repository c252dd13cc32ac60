"""What the start page shows of the course: a picture that moves, a named mistake, your Llama."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from tools.site.shelf import Shelf

ROTATION = ("03_rope", "plot-3-5")  # the lab and the cell of the picture
CHAT = ("11_real_weights", "your-llama")
QUESTION = 1  # the second one: why the sky is blue
# A real mistake: Hugging Face's pairing where the weights want Meta's.
WRONG = """
def apply_rope(x, angles):
    cos, sin = angles.cos(), angles.sin()
    a, b = x.float().chunk(2, dim=-1)
    turned = a * cos - b * sin, a * sin + b * cos
    return torch.cat(turned, dim=-1).to(x.dtype)
""".strip()
TURN = re.compile(r'<p><span class="who">.*?</p>', re.DOTALL)
SHADE = re.compile(r' data-says="[^"]*"')


@dataclass(frozen=True)
class Shown:
    """The three pieces, as HTML; one whose lab is not there is empty."""

    picture: str
    wrong: str
    panel: str
    chat: str


def shown(root: Path, shelf: Shelf) -> Shown:
    """Picture and conversation from the executed notebooks; the panel is made now."""
    picture = shelf(_output(root, *ROTATION))
    return Shown(picture, WRONG, named_mistake(shelf), "".join(turns(_output(root, *CHAT))))


def named_mistake(shelf: Shelf) -> str:
    """The panel that the check of apply_rope makes of WRONG."""
    import torch

    from checks import rope

    scope: dict[str, Any] = {"torch": torch}
    exec(WRONG, scope)
    panel = shelf(rope.apply_rope.run(scope["apply_rope"]).html)
    if 'class="mistake"' not in panel:
        raise ValueError("the start page's wrong answer is not named any more.")
    return panel


def turns(chat: str) -> Iterator[str]:
    """One question of the conversation and its answer, with a shade for each token."""
    for turn in TURN.findall(chat)[2 * QUESTION : 2 * QUESTION + 2]:
        yield SHADE.sub("", turn)


def _output(root: Path, stem: str, cell: str) -> str:
    """The HTML of a cell's first output that has any."""
    path = root / "solutions" / f"{stem}.ipynb"
    if not path.is_file():
        return ""
    cells = {found.id: found for found in nbformat.read(path, as_version=4).cells}
    if cell not in cells:
        raise ValueError(f"the start page shows {cell} of {stem}, which has no such cell.")
    datas = (output.get("data", {}) for output in cells[cell].outputs)
    return next((data["text/html"] for data in datas if "text/html" in data), "")
