"""The flipbook in a real browser: in JupyterLab, in Notebook 7, and in exported pages without a kernel."""

import io
import re
from pathlib import Path

import nbformat
import pytest
from demo_pictures import demo, hatched
from exported_page import exported_page, flipbooks, html_page
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

from plots.cells import cells
from plots.flipbook import explore
from plots.style import is_narrow

expect = pytest.importorskip("playwright.sync_api").expect

ROOT = Path(__file__).resolve().parents[2]
PHONE = {"width": 400, "height": 800}


@pytest.fixture(scope="module")
def bundle():
    return demo()._repr_mimebundle_()


def notebook_with(*bundles):
    """A notebook that was run: one cell for each output."""
    cells = [
        new_code_cell(
            "plot.demo()",
            id=f"plot-{place}",
            execution_count=place,
            outputs=[new_output("execute_result", data=data, execution_count=place)],
        )
        for place, data in enumerate(bundles, 1)
    ]
    return notebook_of(cells)


def notebook_of(cells):
    """A notebook that says which kernel it wants, or Jupyter asks."""
    python = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": python})


def overflow(page):
    """By how many pixels the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


# ---- exported pages: no kernel, 0.5 s a test ----


def test_sliders_work_by_keyboard_and_mouse(browser, bundle):
    with exported_page(browser, notebook_with(bundle)) as page:
        (figure,) = flipbooks(page)
        assert figure.caption == "At position 3 the pair 0 has turned by 3.00."
        before = figure.paths
        figure.press("position", "ArrowRight", "ArrowRight", "ArrowLeft")
        assert figure.caption.startswith("At position 4 the pair 0")
        assert figure.value("position") == "4"
        assert figure.paths != before
        figure.press("position", "End")
        assert figure.caption.startswith("At position 11")
        figure.press("position", "PageDown")
        assert 0 < int(figure.value("position")) < 11
        figure.press("position", "Home")
        assert figure.caption.startswith("At position 0")
        figure.click_at("position", 0.99)
        assert figure.caption.startswith("At position 11")
        figure.press("pair", "ArrowUp")
        assert figure.caption == "At position 11 the pair 1 has turned by 1.10."
        figure.choose("sign", "minus")
        assert figure.caption == "At position -11 the pair 1 has turned by -1.10."
        figure.slider("sign").nth(1).focus()
        page.keyboard.press("ArrowLeft")
        assert figure.caption.startswith("At position 11")


def test_play_walks_to_the_end_pauses_and_begins_again(browser, bundle):
    with exported_page(browser, notebook_with(bundle)) as page:
        (figure,) = flipbooks(page)
        caption = figure.figure.locator(".llama-caption")
        assert figure.play.inner_text() == "▶ Play"
        figure.play.click()
        assert caption.get_attribute("aria-live") == "off"
        expect(caption).to_contain_text(re.compile("position [6-9]"))  # a busy browser skips pages
        figure.play.click()
        stands = figure.caption
        page.wait_for_timeout(1200)
        assert figure.caption == stands
        assert caption.get_attribute("aria-live") == "polite"
        figure.press("position", "End", "ArrowLeft", "ArrowLeft")
        figure.play.press("Space")
        expect(figure.play).to_have_text("▶ Play", timeout=5000)
        assert figure.caption.startswith("At position 11")
        figure.play.click()
        expect(caption).to_contain_text("position 0")
        figure.press("position", "End")  # a hand on the slider stops it
        assert figure.play.inner_text() == "▶ Play"


def test_who_asks_for_less_motion_turns_one_page_a_click(browser, bundle):
    with exported_page(browser, notebook_with(bundle), reduced_motion="reduce") as page:
        (figure,) = flipbooks(page)
        assert figure.play.inner_text() == "▶ Next"
        figure.play.click()
        page.wait_for_timeout(1200)
        assert figure.caption.startswith("At position 4")


def test_the_same_picture_twice_is_two_pictures(browser, bundle):
    with exported_page(browser, notebook_with(bundle, bundle)) as page:
        first, second = flipbooks(page)
        first.press("position", "End")
        first.choose("sign", "minus")
        assert first.caption.startswith("At position -11")
        assert second.caption.startswith("At position 3")
        ids = page.evaluate(
            "[...document.querySelectorAll('.llama-flipbook [id]')].map(e => e.outerHTML)"
        )
        names = {re.search('id="([^"]*)"', element)[1] for element in ids}
        assert len(set(ids)) == len(names)  # an id that both have stands on the same thing in both
        assert page.evaluate("Object.keys(window).filter(name => /llama|flip/i.test(name))") == []


def test_names_for_those_who_cannot_see_it(browser, bundle):
    with exported_page(browser, notebook_with(bundle)) as page:
        (figure,) = flipbooks(page)
        slider = page.get_by_role("slider", name="position")
        slider.press("ArrowRight")
        assert slider.get_attribute("aria-valuetext") == "4"
        expect(page.get_by_role("img", name="At position 4 the pair 0")).to_be_visible()
        expect(page.get_by_role("group", name="sign")).to_be_visible()
        expect(page.get_by_role("radio", name="minus")).to_be_attached()
        expect(page.get_by_role("button", name="Play: position")).to_be_visible()
        assert figure.figure.locator(".llama-caption").get_attribute("aria-live") == "polite"


def test_a_phone_shows_the_panels_one_under_the_other(browser, bundle):
    with exported_page(browser, notebook_with(bundle), viewport=PHONE) as page:
        (figure,) = flipbooks(page)
        assert overflow(page) <= 0
        panels = figure.picture.locator("svg")
        assert panels.count() == 2
        upper, lower = panels.nth(0).bounding_box(), panels.nth(1).bounding_box()
        assert upper["y"] + upper["height"] <= lower["y"] + 1
        assert upper["width"] > 200
        figure.press("position", "End")
        assert panels.count() == 2
        page.set_viewport_size({"width": 1000, "height": 800})
        expect(panels).to_have_count(1)


def test_without_scripts_a_frame_and_its_sentence_stand_there(browser, bundle):
    with exported_page(browser, notebook_with(bundle), java_script_enabled=False) as page:
        image = page.locator(".llama-picture img")
        expect(image).to_be_visible()
        assert image.bounding_box()["width"] > 500
        assert image.get_attribute("alt") == "At position 3 the pair 0 has turned by 3.00."
        expect(page.locator(".llama-caption")).to_have_text(image.get_attribute("alt"))
        assert page.locator(".llama-flipbook input").count() == 0


def test_a_browser_that_cannot_unpack_keeps_the_still_picture(browser, bundle):
    page_text = "<script>delete window.DecompressionStream</script>" + bundle["text/html"]
    with html_page(browser, page_text) as page:
        page.wait_for_timeout(300)
        expect(page.locator(".llama-picture img")).to_be_visible()
        expect(page.locator(".llama-caption")).to_contain_text("At position 3")


def test_colours_follow_a_dark_page(browser, bundle):
    colour = "(gid) => getComputedStyle(document.querySelector(`[data-gid=${gid}] path`)).stroke"
    dark = "<style>body { background: #1e1e1e; color: #ddd }</style>" + bundle["text/html"]
    with html_page(browser, dark) as page:
        flipbooks(page)
        on_dark = page.evaluate(colour, "q")
        assert page.evaluate(colour, "circle") == "rgb(221, 221, 221)"
    with html_page(browser, bundle["text/html"]) as page:
        flipbooks(page)
        assert page.evaluate(colour, "q") != on_dark  # blue, but brighter on the dark page


# ---- with a kernel: JupyterLab and Notebook 7 ----

SETUP = f"""import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests")!r}]
from demo_pictures import demo, unwritten, write
from plots.cells import cells
from plots.flipbook import explore
from plots.style import is_narrow
from plots.live import live"""


def test_a_hatch_is_painted_where_an_equal_picture_is_hidden(browser):
    """Two tabs of JupyterLab hold the same picture: what the second refers to is its own."""
    bundle = explore(hatched, n=[2, 3])._repr_mimebundle_()
    with exported_page(browser, notebook_with(bundle, bundle)) as page:
        first, second = flipbooks(page)
        painted = [pink(page_of(second, key)) for key in ("Home", "End")]
        assert min(painted) > 400
        first.figure.evaluate("figure => { figure.style.display = 'none'; }")
        for key in ("Home", "End"):
            second.press("n", key)
            strangers = second.picture.evaluate(
                'picture => [...picture.innerHTML.matchAll(/(?:href="#|url\\(#)([^")]+)/g)]'
                ".filter(([_, id]) => !picture.contains(document.getElementById(id))).length"
            )
            assert strangers == 0
        hidden = [pink(page_of(second, key)) for key in ("Home", "End")]
        assert hidden == pytest.approx(painted, rel=0.05)


def page_of(figure, key):
    """A screenshot of the first or the last page."""
    figure.press("n", key)
    return figure.picture.locator("svg").screenshot()


def pink(png):
    """How many pixels are of the hatch's colour, or of its outline's."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    colours = picture.getcolors(picture.width * picture.height)
    return sum(n for n, (r, g, b) in colours if r - g > 20 and b - g > 10)


@pytest.mark.jupyterlab
def test_in_jupyter(browser, jupyter):
    from jupyter_page import NotebookPage

    cells = [
        new_code_cell(SETUP, id="setup"),
        new_code_cell("demo()", id="plot-1"),
        new_code_cell("explore(unwritten, position=range(3))", id="todo"),
        new_code_cell("explore(lambda fig, n: 1 / n, n=[1, 0])", id="wrong"),
    ]
    nbformat.write(notebook_of(cells), jupyter.root / "demo.ipynb")
    with NotebookPage(browser, jupyter, "demo.ipynb") as notebook:
        notebook.run_all()
        (figure,) = flipbooks(notebook.cell("plot-1"))
        assert figure.caption.startswith("At position 3")
        active = "() => jupyterapp.shell.currentWidget.content.activeCellIndex"
        figure.slider("position").click()
        at = notebook.page.evaluate(active)
        figure.press("position", "Home", "ArrowRight", "ArrowRight", "ArrowDown", "ArrowUp")
        assert figure.caption.startswith("At position 2")
        assert notebook.page.evaluate(active) == at  # the arrows did not move between cells
        figure.click_at("position", 0.99)
        assert figure.caption.startswith("At position 11")
        figure.play.click()
        expect(figure.figure.locator(".llama-caption")).to_contain_text("position 1 ")
        figure.play.click()

        notebook.set_theme("JupyterLab Dark")
        caption = figure.figure.locator(".llama-caption")
        bright = caption.evaluate("e => getComputedStyle(e).color.match(/[0-9.]+/g).map(Number)")
        assert sum(bright[:3]) > 500
        notebook.set_theme("JupyterLab Light")

        (todo,) = flipbooks(notebook.cell("todo"))
        assert todo.caption.startswith("Not written yet: Exercise 3.5: apply_rope.")
        assert todo.figure.locator("input").count() == 0
        expect(notebook.cell("wrong")).to_contain_text("ZeroDivisionError")
        expect(notebook.cell("wrong")).to_contain_text("while the picture was drawn at n=0")


SLOW = """import time
def slow(fig, n):
    time.sleep(0.2)
    fig.text(0.5, 0.5, str(n))
    return f"Page {n}."
explore(slow, n=range(12), narrow=(3.5, 2.0))"""


@pytest.mark.jupyterlab
def test_sliders_keep_their_places_when_narrow_pages_come(browser, jupyter):
    from jupyter_page import NotebookPage

    cells = [new_code_cell(SETUP, id="setup"), new_code_cell(SLOW, id="slow")]
    nbformat.write(notebook_of(cells), jupyter.root / "slow.ipynb")
    with NotebookPage(browser, jupyter, "slow.ipynb") as notebook:
        notebook.run_cell("setup")
        run = "widget.content.activeCellIndex = index;"
        notebook._ask(f"{run} jupyterapp.commands.execute('notebook:run-cell')", "slow")
        figure = notebook.cell("slow").locator(".llama-flipbook[data-kept][data-page]")
        figure.locator("input").focus()
        for _ in range(3):
            notebook.page.keyboard.press("ArrowRight")
        caption = figure.locator(".llama-caption")
        expect(caption).to_have_text("Page 3.")
        size = figure.evaluate("(figure) => figure.dataset.book.length")
        notebook.wait_idle()
        expect(caption).to_have_text("Page 3.")
        assert figure.evaluate("(figure) => figure.dataset.book.length") > size


@pytest.mark.jupyterlab
def test_live_in_jupyterlab(browser, jupyterlab):
    from jupyter_page import NotebookPage

    source = 'live(write, text="to be", again="Sample again")'
    cells = [new_code_cell(SETUP, id="setup"), new_code_cell(source, id="live-1")]
    nbformat.write(notebook_of(cells), jupyterlab.root / "live.ipynb")
    with NotebookPage(browser, jupyterlab, "live.ipynb") as notebook:
        notebook.run_all()
        cell = notebook.cell("live-1")
        expect(cell.locator(".llama-now .llama-caption")).to_have_text("'to be', sample 0")
        expect(cell.locator(".llama-still")).to_be_hidden()
        cell.get_by_role("button", name="Sample again").click()
        expect(cell.locator(".llama-now .llama-caption")).to_have_text("'to be', sample 1")
        box = cell.locator("input[type=text]")
        box.fill("")
        box.press("Enter")
        expect(cell).to_contain_text("IndexError")
        box.fill("or not")
        box.press("Enter")
        expect(cell.locator(".llama-now .llama-caption")).to_have_text("'or not', sample 1")
        expect(cell).not_to_contain_text("IndexError")


def test_a_cell_says_what_it_is_to_pointer_and_keys(browser):
    def draw(fig, n):
        axes = fig.add_axes((0.1, 0.1, 0.8, 0.8))
        cells(axes, [[0.5, 0.1], [0.2, 0.3]], rows=["dog", "bites"], columns=["dog", "man"])
        return ""

    html = explore(draw, n=[1, 2], size=(3, 3))._repr_mimebundle_()["text/html"]
    with html_page(browser, html) as page:
        (figure,) = flipbooks(page)
        bubble = page.locator(".llama-says")
        expect(bubble).to_be_hidden()
        middle = figure.picture.bounding_box()
        x, y = (middle["x"] + middle["width"] * 0.7, middle["y"] + middle["height"] * 0.7)
        page.mouse.move(x, y)
        expect(bubble).to_have_text("bites → man: 0.30")
        page.mouse.move(1, 1)
        expect(bubble).to_be_hidden()
        figure.picture.focus()
        said = []
        for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"):
            page.keyboard.press(key)
            said.append(bubble.inner_text())
        assert [line.partition(":")[0] for line in said] == [
            "dog → dog", "dog → man", "bites → man", "bites → dog", "dog → dog",
        ]  # fmt: skip
        page.keyboard.press("Escape")
        expect(bubble).to_be_hidden()
        figure.press("n", "ArrowRight")  # a turned page says nothing of the last one
        expect(bubble).to_be_hidden()


def test_a_phone_gets_the_pages_that_were_drawn_for_it(browser):
    def draw(fig, n):
        fig.text(0.1, 0.5, f"narrow {n}" if is_narrow(fig) else f"wide {n}")
        return ""

    html = explore(draw, n=[1, 2], narrow=(3, 4))._repr_mimebundle_()["text/html"]
    with html_page(browser, html) as page:
        (figure,) = flipbooks(page)
        expect(figure.picture.locator("text")).to_have_text("wide 1")
        page.set_viewport_size(PHONE)
        expect(figure.picture.locator("text")).to_have_text("narrow 1")
        figure.press("n", "ArrowRight")
        expect(figure.picture.locator("text")).to_have_text("narrow 2")
        page.set_viewport_size({"width": 1000, "height": 900})
        expect(figure.picture.locator("text")).to_have_text("wide 2")
