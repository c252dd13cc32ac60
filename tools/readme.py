"""The table of labs in README.md, written from the labs that are there."""

from __future__ import annotations

import re
from pathlib import Path

from tools.address import Address
from tools.notebook import badges
from tools.source import BuildError, parse, sources

BEGIN, END = "<!-- labs: this table is written by tools/build.py -->", "<!-- /labs -->"


def with_table(root: Path, readme: str, address: Address | None) -> str:
    """The README with its table of labs as it should be."""
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        raise BuildError(f"README.md:1: it needs the lines `{BEGIN}` and `{END}`, once each.")
    before, _, rest = readme.partition(BEGIN)
    return before + BEGIN + "\n" + table(root, address) + END + rest.partition(END)[2]


def table(root: Path, address: Address | None) -> str:
    """One row per lab: open it, how long it takes, what one writes in it."""
    rows = ["| lab | | you write | |", "|---|---|---|---|"]
    for path in sources(root):
        lab = parse(path, root)
        names = ", ".join(f"`{cell.numbered[1]}`" for cell in lab.exercises)
        notebook = f"labs/{path.stem}.ipynb"
        opens = f"{badges(address, notebook)} " if address else ""
        links = f"{opens}[worked](solutions/{path.stem}.ipynb)"
        title = re.sub(r"^#\s*", "", lab.title)
        rows.append(f"| [{title}]({notebook}) | {lab.minutes} | {names} | {links} |")
    return "\n".join(rows) + "\n"
