"""The table of labs in README.md, written from the labs that are there and the plan of the rest."""

from __future__ import annotations

import re
from pathlib import Path

from tools.address import Address
from tools.notebook import badges
from tools.source import BuildError, parse, sources

BEGIN, END = "<!-- labs: this table is written by tools/build.py -->", "<!-- /labs -->"
# Labs that the course will have; a row goes over to the lab's own words as soon as it is there.
PLAN = {
    "00_start_here": "00 · Start here: the loop, and the map of the model",
    "01_input_block": "01 · The input block: text, tokens, vectors",
    "02_rmsnorm": "02 · RMSNorm",
    "03_rope": "03 · Rotary position embedding",
    "04_attention": "04 · Attention",
    "05_kv_cache": "05 · The KV cache",
    "06_gqa": "06 · Grouped-query attention",
    "07_swiglu": "07 · SwiGLU",
    "08_llama": "08 · The whole Llama",
    "09_training": "09 · Training",
    "10_sampling": "10 · Sampling",
    "11_real_weights": "11 · A real model",
    "12_roofline": "12 · The roofline: why decoding is slow",
    "13_long_context": "13 · Long context",
    "14_speculative": "14 · Speculative decoding",
}


def with_table(root: Path, readme: str, address: Address | None) -> str:
    """The README with its table of labs as it should be."""
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        raise BuildError(f"README.md:1: it needs the lines `{BEGIN}` and `{END}`, once each.")
    before, _, rest = readme.partition(BEGIN)
    return before + BEGIN + "\n" + table(root, address) + END + rest.partition(END)[2]


def table(root: Path, address: Address | None) -> str:
    """One row per lab: open it, how long it takes, what one writes in it."""
    there = {path.stem: path for path in sources(root)}
    rows = ["| lab | | you write | |", "|---|---|---|---|"]
    for stem in sorted(PLAN.keys() | there.keys()):
        if stem not in there:
            rows.append(f"| {PLAN[stem]} | | *to come* | |")
            continue
        lab = parse(there[stem], root)
        names = ", ".join(f"`{cell.numbered[1]}`" for cell in lab.exercises)
        notebook = f"labs/{stem}.ipynb"
        opens = f"{badges(address, notebook)} " if address else ""
        links = f"{opens}[worked](solutions/{stem}.ipynb)"
        title = re.sub(r"^#\s*", "", lab.title)
        rows.append(f"| [{title}]({notebook}) | {lab.minutes} | {names} | {links} |")
    return "\n".join(rows) + "\n"
