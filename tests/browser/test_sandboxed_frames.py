"""Each picture alone in a sandboxed frame of another origin, which is how Colab shows an output."""

import os
import re
from collections.abc import Iterator

import nbformat
import pytest
from course import ROOT, STEMS
from exported_page import is_number

expect = pytest.importorskip("playwright.sync_api").expect

OUTSIDE, INSIDE = "http://colab.test/", "http://outputs.test/"


def pictures(stem: str) -> Iterator[str]:
    """The HTML of each picture in a lab's worked notebook."""
    notebook = nbformat.read(ROOT / "solutions" / f"{stem}.ipynb", as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            text = output.get("data", {}).get("text/html", "")
            if "llama-flipbook" in text:
                yield text


@pytest.mark.parametrize("stem", STEMS if "LLAMA_LAB_ALL" in os.environ else STEMS[::2])
def test_every_picture_works_in_a_frame_that_may_do_nothing_but_run_scripts(stem, browser):
    texts = list(pictures(stem))
    assert texts
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    asked = []

    def answer(route) -> None:
        url = route.request.url
        if url == OUTSIDE:
            frames = "".join(
                f'<iframe sandbox="allow-scripts" width="900" height="700" src="{INSIDE}{n}"></iframe>'
                for n in range(len(texts))
            )
            route.fulfill(body=frames, content_type="text/html; charset=utf-8")
        elif re.fullmatch(f"{re.escape(INSIDE)}\\d+", url):
            body = f"<!doctype html><body>{texts[int(url.removeprefix(INSIDE))]}"
            route.fulfill(body=body, content_type="text/html; charset=utf-8")
        else:
            asked.append(url)
            route.abort()

    page.route("**/*", answer)
    page.goto(OUTSIDE)
    for n, text in enumerate(texts):
        frame = page.frame(url=f"{INSIDE}{n}")
        assert frame.evaluate("window.origin") == "null"  # of no origin: it may read nothing
        figure = frame.locator(".llama-flipbook").first
        caption = figure.locator(".llama-caption")
        if "data-book=" in text:
            turn(figure, caption)
        else:  # a picture with free input: no kernel, so the still one and its sentence
            expect(figure.locator("img, svg").first).to_be_visible()
            expect(caption).to_contain_text(re.compile(r"\w{3}"))
    page.close()
    assert not asked, asked


def turn(figure, caption) -> None:
    """Open the picture; where it has a slider, move it and see another page."""
    expect(figure).to_have_attribute("data-page", is_number())
    expect(figure.locator(".llama-picture svg").first).to_be_visible()
    expect(caption).to_contain_text(re.compile(r"\w{3}"))
    sliders = figure.locator("input[type=range]")
    if sliders.count():
        sliders.first.press("Home")
        first = figure.get_attribute("data-page")
        sliders.first.press("End")
        assert figure.get_attribute("data-page") != first
