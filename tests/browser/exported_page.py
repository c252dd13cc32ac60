"""A notebook as an HTML page without a kernel, and the pictures on a page: what each lab is tested with.

with exported_page(browser, notebook) as page:
    rotation, cache = flipbooks(page)
    rotation.press("position", "ArrowRight")
    assert "position 4" in rotation.caption
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page


class FlipbookOnPage:
    """One picture with sliders, found on a page."""

    def __init__(self, figure: Locator) -> None:
        self.figure = figure
        self.page: Page = figure.page
        self.picture = figure.locator(".llama-picture")
        self.play = figure.locator(".llama-controls button")

    def wait(self) -> FlipbookOnPage:
        """Wait until its script has opened it."""
        from playwright.sync_api import expect

        expect(self.figure).to_have_attribute("data-page", is_number())
        return self

    @property
    def caption(self) -> str:
        """The sentence under it."""
        return self.figure.locator(".llama-caption").inner_text()

    @property
    def number(self) -> int:
        """Which page is open."""
        return int(self.figure.get_attribute("data-page"))

    @property
    def paths(self) -> list[str]:
        """The shapes that are drawn: what the learner's function decides."""
        return self.picture.locator("path").evaluate_all("all => all.map(p => p.getAttribute('d'))")

    def slider(self, name: str) -> Locator:
        """The slider, or the buttons, of one name."""
        return self.figure.locator(f"input[data-name='{name}']")

    def sliders(self) -> list[str]:
        """The names of the sliders."""
        found = self.figure.locator("input[type=range]")
        return found.evaluate_all("all => all.map((slider) => slider.dataset.name)")

    def value(self, name: str) -> str:
        """What stands beside a slider."""
        return self.slider(name).locator("xpath=following-sibling::output").inner_text()

    def press(self, name: str, *keys: str) -> None:
        """Move a slider by keys: "ArrowRight", "Home", "End"."""
        self.slider(name).focus()
        for key in keys:
            self.page.keyboard.press(key)

    def click_at(self, name: str, share: float) -> None:
        """Click into a slider's track, as a share of its width."""
        box = self.slider(name).bounding_box()
        self.page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)

    def choose(self, name: str, text: str) -> None:
        """Press one of the buttons of a choice."""
        self.figure.locator(f"label:has(input[data-name='{name}'])", has_text=text).click()


def is_number():
    """A pattern for attributes that hold a page number."""
    import re

    return re.compile(r"\d+")


def flipbooks(page: Page | Locator) -> list[FlipbookOnPage]:
    """All pictures on a page or in a cell, opened."""
    from playwright.sync_api import expect

    figures = page.locator(".llama-flipbook[data-book]")
    expect(figures.first).to_be_attached()
    return [FlipbookOnPage(figure).wait() for figure in figures.all()]


@contextlib.contextmanager
def exported_page(
    browser: Browser, notebook: Path | nbformat.NotebookNode, **page_options: Any
) -> Iterator[Page]:
    """Open a notebook with its outputs as exported HTML, with no network and no kernel.

    page_options go to the browser: viewport={"width": 400, "height": 800}, java_script_enabled=False.
    An error in a script on the page fails the test.
    """
    from nbconvert import HTMLExporter

    if isinstance(notebook, Path):
        notebook = nbformat.read(notebook, as_version=4)
    text, _ = HTMLExporter().from_notebook_node(notebook)
    with html_page(browser, text, **page_options) as page:
        yield page


@contextlib.contextmanager
def html_page(browser: Browser, text: str, **page_options: Any) -> Iterator[Page]:
    """Open HTML text as a page of its own, cut off from the network."""
    page = browser.new_page(**{"viewport": {"width": 1000, "height": 900}, **page_options})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    address = "http://course.test/"

    def answer(route: Any) -> None:
        if route.request.url == address:
            route.fulfill(body=text, content_type="text/html; charset=utf-8")
        else:
            route.abort()  # MathJax and the like: an exported page asks for them, a test does not

    page.route("**/*", answer)
    try:
        page.goto(address, wait_until="domcontentloaded")
        yield page
        # nbconvert's page calls require.js and MathJax, which it could not load.
        ours = [error for error in errors if "require" not in error and "MathJax" not in error]
        assert not ours, ours
    finally:
        page.close()
