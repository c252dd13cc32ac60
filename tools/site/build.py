"""All pages of the site, what they share, the notebooks to download, and the search index."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from plots.flipbook import asset
from tools import address as addresses
from tools.site.lab_page import LabPage, lab_page
from tools.site.prose import code
from tools.site.shelf import Shelf
from tools.site.start_page import shown
from tools.source import parse, sources

FOLDER = Path(__file__).parent
PANEL_CSS = Path("checks/engine/panel.css")


def build_site(root: Path, to: Path) -> list[Path]:
    """Write the site into the folder `to`, which is made anew; the pages written."""
    if to.exists():
        if not (to / "index.html").is_file() and any(to.iterdir()):
            raise ValueError(f"{to} holds something that is no site; it is left as it is.")
        shutil.rmtree(to)
    shutil.copytree(FOLDER / "static", to)
    (to / "flipbook.js").write_text(asset("flipbook.js"), encoding="utf-8")
    styles = [asset("flipbook.css"), (root / PANEL_CSS).read_text(encoding="utf-8")]
    (to / "pictures.css").write_text("\n".join(styles), encoding="utf-8")
    paths = sources(root)
    stems = [path.stem for path in paths]
    shelf = Shelf()
    labs = [lab_page(parse(path, root), root, stems, shelf) for path in paths]
    _notebooks(root, to, stems)
    written = _pages(root, to, labs, shelf)
    shelf.write(to)
    _index(to)
    return written


def _pages(root: Path, to: Path, labs: list[LabPage], shelf: Shelf) -> list[Path]:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = lambda text: Markup(code(text))
    shared = {"labs": labs, "address": addresses.read(root)}
    written = []

    def put(name: str, template: str, **values: object) -> None:
        text = environment.get_template(template).render(**shared, **values)
        (to / name).write_text(text, encoding="utf-8")
        written.append(to / name)

    put("index.html", "start.html.j2", here="index.html", shown=shown(root, shelf))
    for place, lab in enumerate(labs):
        before = labs[place - 1] if place else None
        after = labs[place + 1] if place + 1 < len(labs) else None
        put(lab.href, "lab.html.j2", here=lab.href, lab=lab, before=before, after=after)
    return written


def _notebooks(root: Path, to: Path, stems: list[str]) -> None:
    """The notebooks that the buttons download."""
    for folder, name in (("labs", "notebooks"), ("solutions", "worked")):
        (to / name).mkdir()
        for stem in stems:
            shutil.copy(root / folder / f"{stem}.ipynb", to / name)


def _index(to: Path) -> None:
    """Index what pages mark with data-pagefind-body; its files go into `to`/pagefind."""
    command = [sys.executable, "-m", "pagefind", "--site", str(to), "--force-language", "en"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(
            f"pagefind could not index the site: {(done.stderr or done.stdout)[-500:]}"
        )
    for extra in (to / "pagefind").glob("pagefind-*ui.*"):
        extra.unlink()  # its own windows; the site's is in site.js
