"""Every picture of every lab as a screen shows it: the executed labs, at 1400 and 420 pixels.

Text of 11 pixels and more, nothing clipped, no label over another, contrast, and a height that a
screen shows with the controls; axe finds nothing on a page of all of them, light and dark.
"""

import os
from collections.abc import Iterator

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from course import NAMES, ROOT
from playwright.sync_api import Browser, Page

from tools.measure_pictures import THEMES, WIDTHS, look, measuring_page, pictures, show

pytestmark = pytest.mark.ours  # the executed notebooks are the same in both environments

# Of a slider's places the first, the last and one between; `make ways` looks at seven.
PLACES = 7 if "LLAMA_LAB_ALL" in os.environ else 3
PICTURES = {
    f"{stem[:2]} {cell}": html
    for stem in NAMES.values()
    for cell, html in pictures(nbformat.read(ROOT / "solutions" / f"{stem}.ipynb", as_version=4))
}


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    with measuring_page(browser) as page:
        yield page


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_can_be_read(name: str, page: Page) -> None:
    """At both widths on a light page, and on a dark one, where only the colours are others."""
    complaints = [
        line
        for window, theme, places in (
            *((window, "light", PLACES) for window in WIDTHS),
            (1400, "dark", 1),
        )
        for line in look(page, name, PICTURES[name], window, theme, places=places).complaints
    ]
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("stem", NAMES.values())
def test_axe_finds_nothing(stem: str, theme: str, page: Page) -> None:
    notebook = nbformat.read(ROOT / "solutions" / f"{stem}.ipynb", as_version=4)
    show(page, "\n".join(html for _, html in pictures(notebook)), 1400, theme)
    found = Axe().run(page).response["violations"]
    assert not found, [(one["id"], one["help"], one["nodes"][0]["html"][:200]) for one in found]
