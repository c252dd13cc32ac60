"""Widgets in JupyterLab, which hands their messages to several threads: typed, stopped, begun anew."""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell
from test_flipbook_browser import SETUP, notebook_of

expect = pytest.importorskip("playwright.sync_api").expect

pytestmark = pytest.mark.jupyterlab

WORDS = """
import threading, time
inside, most, threads = [], [], []
def words(fig, text, seed):
    "As many panels as words, drawn slowly; it notes how many are drawn at once, and where."
    inside.append(text)
    most.append(len(inside))
    threads.append(threading.current_thread().name)
    for place, word in enumerate(text.split()):
        axes = fig.add_axes((place / 10, 0.1, 0.08, 0.8), xticks=[], yticks=[])
        axes.text(0.5, 0.5, word, gid="word")
        time.sleep(0.03)
    inside.remove(text)
    return f"{text}, sample {seed}"
live(words, text="to be", again="Again")
"""

CHAT = """
import time
from plots.real_weights_chat import ChatBox
from plots.real_weights_voices import Piece
class Counting:
    def answer(self, messages, setting):
        for n in range(400):
            time.sleep(0.05)
            yield Piece(f"{messages[-1]['content']}-{n} ", 0.25, [(" else", 0.2)])
class Echo:
    def answer(self, messages, setting):
        yield Piece(f"heard at {setting.temperature:.1f} and {setting.p:.2f}", 1.0)
box = ChatBox({"counting": Counting, "echo": Echo}, title="my Llama")
box.show()
"""

WRITER = """
import time, torch
from plots.sampling_writer import writer
def generate(model, ids, n_new, temperature=1.0, k=None, p=None, generator=None):
    for n in range(n_new):
        time.sleep(0.1)
        yield 20 if k is None and p is None else 21
writer(generate, torch.nn.Identity())
"""


@pytest.fixture(scope="module")
def notebook(browser, jupyterlab):
    """A notebook with a live picture, a chat box whose answers take 20 seconds, and a desk."""
    from jupyter_page import NotebookPage

    cells = {"setup": SETUP, "words": WORDS, "chat": CHAT, "turns": "", "desk": WRITER}
    cells = [new_code_cell(source, id=name) for name, source in cells.items()]
    nbformat.write(notebook_of(cells), jupyterlab.root / "widgets.ipynb")
    with NotebookPage(browser, jupyterlab, "widgets.ipynb") as opened:
        opened.run_all()
        yield opened


def said(notebook, what):
    """The words that the kernel prints."""
    notebook.set_source("turns", f"print({what}, 'end')")
    notebook.run_cell("turns")
    output = notebook.cell("turns").locator(".jp-OutputArea-output")
    expect(output).to_contain_text("end")
    return output.inner_text().split()[:-1]


def roles(notebook):
    """Who spoke, as the kernel has it."""
    return said(notebook, "*[m['role'] for m in box.messages]")


@pytest.mark.parametrize("by", ["click", "Enter"])
def test_what_is_typed_is_drawn_twenty_times(notebook, by):
    cell = notebook.cell("words")
    box, shown = cell.locator("input[type=text]"), cell.locator(".llama-now")
    for n in range(20):
        words = [f"{by}{n}w{i}" for i in range(1 + n % 5)]
        box.fill(" ".join(words))
        if by == "Enter":
            box.press("Enter")
        else:
            cell.get_by_role("button", name="Draw").click()
        expect(shown.locator(".llama-caption")).to_have_text(f"{' '.join(words)}, sample 0")
        notebook.page.wait_for_timeout(60)  # nothing comes after it
        expect(shown.locator(".llama-caption")).to_have_text(f"{' '.join(words)}, sample 0")
        assert shown.locator("svg text").all_text_contents() == words
    assert said(notebook, "max(most)") == ["1"], said(notebook, "most, threads")


def test_leaving_the_box_draws_nothing(notebook):
    cell = notebook.cell("words")
    caption = cell.locator(".llama-now .llama-caption")
    box = cell.locator("input[type=text]")
    box.fill("first")
    box.press("Enter")
    expect(caption).to_have_text("first, sample 0")
    notebook.page.wait_for_timeout(2500)
    box.fill("second")
    box.blur()
    notebook.page.wait_for_timeout(700)
    expect(caption).to_have_text("first, sample 0")


@pytest.mark.parametrize("how", ["interrupt", "stop"])
def test_every_answer_can_be_ended(notebook, how):
    cell = notebook.cell("chat")
    cell.get_by_role("button", name="New conversation").click()
    box = cell.locator("input[type=text]").first
    for n in range(3):
        box.fill(f"{how}{n}")
        if n % 2:
            box.press("Enter")
        else:
            cell.get_by_role("button", name="Send").click()
        expect(cell.locator(".llama-now .llama-chat")).to_contain_text(f"{how}{n}-2")
        if how == "interrupt":
            notebook.command("kernelmenu:interrupt")
        else:
            cell.get_by_role("button", name="Stop").click()
        stopped = re.compile(rf"{how}{n}-2[\s\S]*stopped")  # this answer, not the one before
        expect(cell.locator(".llama-now .llama-chat")).to_contain_text(stopped)
        kept = cell.locator(".llama-now .llama-chat").inner_text()
        notebook.page.wait_for_timeout(300)
        assert cell.locator(".llama-now .llama-chat").inner_text() == kept
    assert roles(notebook) == ["user", "assistant"] * 3


def test_a_new_conversation_during_an_answer(notebook):
    cell = notebook.cell("chat")
    box = cell.locator("input[type=text]").first
    new = cell.get_by_role("button", name="New conversation")
    new.click()
    box.fill("former")
    box.press("Enter")
    expect(cell.locator(".llama-now .llama-chat")).to_contain_text("former-1")
    new.click()
    notebook.page.wait_for_timeout(300)
    assert "former" not in cell.locator(".llama-now .llama-chat").inner_text()
    assert roles(notebook) == []
    box.fill("latter")
    box.press("Enter")
    expect(cell.locator(".llama-now .llama-chat")).to_contain_text("latter-1")
    cell.get_by_role("button", name="Stop").click()
    expect(cell.locator(".llama-now .llama-chat")).to_contain_text("stopped")
    assert roles(notebook) == ["user", "assistant"]
    assert "former" not in cell.locator(".llama-now .llama-chat").inner_text()


def test_the_sliders_and_the_menu_of_models(notebook):
    cell = notebook.cell("chat")
    cell.get_by_role("button", name="New conversation").click()
    cell.locator("select").select_option("echo")
    for keys, wanted in (("ArrowRight", "heard at 0.3"), ("ArrowLeft", "heard at 0.2")):
        handle = cell.locator(".noUi-handle, .ui-slider-handle").first
        handle.focus()
        handle.press(keys)
        notebook.page.wait_for_timeout(300)
        box = cell.locator("input[type=text]").first
        box.fill("Hi")
        box.press("Enter")
        expect(cell.locator(".llama-now .llama-chat")).to_contain_text(f"{wanted} and 0.90")
    cell.locator("select").select_option("counting")
    box.fill("count")
    cell.get_by_role("button", name="Send").click()
    chat = cell.locator(".llama-now .llama-chat")
    expect(chat).to_contain_text("— now counting —")
    expect(chat).to_contain_text("count-2")
    cell.locator("select").select_option("echo")  # ends the answer
    expect(chat).to_contain_text("stopped")
    expect(chat.locator(".piece").last).to_have_attribute("data-says", re.compile("0.25; else"))
    cell.locator("select").select_option("counting")


def test_what_was_said_stays_in_the_saved_notebook(notebook):
    cell = notebook.cell("chat")
    cell.get_by_role("button", name="New conversation").click()
    box = cell.locator("input[type=text]").first
    box.fill("kept")
    box.press("Enter")
    expect(cell.locator(".llama-now .llama-chat")).to_contain_text("kept-2")
    cell.get_by_role("button", name="Stop").click()
    still = cell.locator(".llama-still .llama-chat")
    expect(still).to_contain_text("kept-2")
    expect(cell.locator(".llama-still")).to_be_hidden()
    cell.get_by_role("button", name="New conversation").click()


def test_the_desk_has_off_in_its_menus_and_hears_enter(notebook):
    cell = notebook.cell("desk")
    menus = cell.locator("select")
    shown = menus.evaluate_all("all => all.map(m => m.selectedOptions[0]?.textContent)")
    assert shown == ["0.8", "off", "off"]
    box, page = cell.locator("input[type=text]"), cell.locator("pre")
    assert box.input_value() == r"JULIET:\nO, "
    cell.get_by_role("button", name="Stop").click()
    box.fill(r"A\nB")
    box.press("Enter")
    expect(page).to_contain_text("A\nB" + "I" * 3, use_inner_text=True)
    cell.get_by_role("button", name="Stop").click()
    expect(page).to_contain_text("…")
