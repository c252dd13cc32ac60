"""The ipywidgets frame: what is drawn, when, and where errors go. Without a kernel errors are raised."""

import threading
import time

import matplotlib as mpl
import pytest
from demo_pictures import write

from plots.live import FAILED, live
from plots.show import counted


def test_the_first_picture_is_drawn_at_once():
    assert live(write, text="to be").caption == "'to be', sample 0"
    with pytest.raises(IndexError) as caught:
        live(write, text="")
    assert "text=''" in caught.value.__notes__[0]


def test_a_narrow_screen_gets_a_drawing_of_its_own():
    seen = []

    def draw(fig, text):
        seen.append(fig.get_figwidth())
        fig.text(0.5, 0.5, f"{text} {fig.get_figwidth():g}")
        return text

    picture = live(draw, text="a", size=(7, 3), narrow=(3.3, 4))
    assert seen == [7, 3.3]
    html = picture._html()
    wide, small = html.index("a 7<"), html.index("a 3.3<")
    assert html.index('class="llama-wide"') < wide < html.index('class="llama-small"') < small
    assert "llama-small" not in live(draw, text="a", size=(7, 3))._html()


def test_who_waits_is_told_how_far_it_is(monkeypatch):
    shown = []
    handle = type("Handle", (), {"update": lambda self, text, raw: shown.append(text)})()
    monkeypatch.setattr("IPython.display.display", lambda text, **_: shown.append(text) or handle)
    assert list(counted("abc", "letter", seconds=0)) == ["a", "b", "c"]
    assert shown == []  # nobody is there
    monkeypatch.setattr("plots.note.person_is_present", lambda: True)
    for letter in counted("abc", "letter", seconds=0):
        if letter == "b":
            break
    assert shown[0] == {"text/plain": "letter 1 of 3 …"}
    assert shown[-1] == {"text/plain": "", "text/html": ""}  # it goes away, whoever breaks off


def test_typing_and_pressing_draw_anew():
    picture = live(write, text="to be", again="Sample again")
    _ = picture.widget
    picture.controls["text"].value = "or not"
    picture.turns.wait()
    assert picture.caption == "'to be', sample 0"  # the box was left, nothing was pressed
    picture.controls["draw"].click()
    picture.turns.wait()
    assert picture.caption == "'or not', sample 0"
    picture.controls["again"].click()
    picture.controls["again"].click()
    picture.turns.wait()
    assert picture.caption == "'or not', sample 2"
    assert "or not" in picture._picture.value


def test_each_kind_of_value_gets_its_control():
    picture = live(
        lambda fig, text, norm, mask: f"{text} {norm} {mask}",
        text="a",
        norm=["layer", "RMS"],
        mask=True,
        labels={"norm": "which norm"},
        button="Look",
    )
    _ = picture.widget
    assert [type(control).__name__ for control in picture.controls.values()] == [
        "Text",
        "Dropdown",
        "Checkbox",
        "Button",
    ]
    assert picture.controls["norm"].description == "which norm"
    picture.controls["norm"].value = "RMS"
    picture.controls["mask"].value = False
    picture.turns.wait()
    assert picture.caption == "a RMS False"
    assert picture.controls["draw"].description == "Look"


def test_a_later_error_takes_the_place_of_the_picture():
    picture = live(write, text="to be")
    _ = picture.widget
    picture.controls["text"].value = ""
    picture.press()
    picture.turns.wait()
    shown = picture._picture.value
    assert FAILED in shown
    assert "<svg" not in shown
    assert "IndexError: string index out of range" in shown
    assert "of its cell: fig.text(0.5, 0.5, text[0])" in shown
    assert "plots/page.py" not in shown
    picture.controls["text"].value = "again"
    picture.press()
    picture.turns.wait()
    assert "<svg" in picture._picture.value


def test_enter_draws_and_a_text_that_comes_after_it_is_drawn():
    picture = live(write, text="to be")
    _ = picture.widget
    enter(picture.controls["text"])
    picture.controls["text"].value = "or not"  # the browser sends it after the Enter
    picture.turns.wait()
    assert picture.caption == "'or not', sample 0"
    picture.controls["text"].value = "very late"  # from a busy machine
    picture.turns.wait()
    assert picture.caption == "'very late', sample 0"


def enter(box):
    """What the browser sends when Enter is pressed."""
    box._handle_custom_msg({"event": "submit"}, [])


def test_clicks_from_many_threads_draw_one_after_the_other():
    """JupyterLab hands clicks and texts to two threads at once; a picture drawn by both is none."""
    inside, most = [], []

    def draw(fig, text, seed):
        inside.append(text)
        most.append(len(inside))
        time.sleep(0.01)
        fig.text(0.5, 0.5, text)
        inside.pop()
        return f"{text}, sample {seed}"

    picture = live(draw, text="start", again="Again")
    _ = picture.widget

    def person(name):
        for n in range(8):
            picture.controls["text"].value = f"{name} {n}"
            picture.controls["again"].click()
            time.sleep(0.005)

    people = [threading.Thread(target=person, args=(name,)) for name in "abc"]
    for thread in people:
        thread.start()
    for thread in people:
        thread.join()
    picture.turns.wait()
    assert max(most) == 1
    assert picture.caption == f"{picture.controls['text'].value}, sample 24"


def test_two_pictures_in_two_threads_keep_the_course_s_look():
    """matplotlib's settings belong to the process: the one would put back what the other needs."""

    def draw(fig, text):
        time.sleep(0.002)
        return mpl.rcParams["svg.fonttype"]

    pictures = [live(draw, text="a") for _ in range(3)]
    seen = []

    def person(picture):
        for _ in range(15):
            picture._redraw()
            seen.append((picture.caption, "currentColor" in picture.page.svg()))

    for picture in pictures:
        _ = picture.widget
    before = mpl.rcParams["svg.fonttype"]
    people = [threading.Thread(target=person, args=(picture,)) for picture in pictures]
    for thread in people:
        thread.start()
    for thread in people:
        thread.join()
    assert {caption for caption, _ in seen} == {"none"}
    assert mpl.rcParams["svg.fonttype"] == before


def test_an_unwritten_exercise_is_a_quiet_placeholder():
    def draw(fig, text):
        raise NotImplementedError("Exercise 4.3: attention")

    assert live(draw, text="a").caption.startswith("Not written yet: Exercise 4.3: attention.")


def test_a_batch_run_gets_the_still_picture_only(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda *a, **k: shown.append(a))
    live(write, text="<b>")._ipython_display_()
    ((bundle,),) = shown
    assert set(bundle) == {"text/html", "image/png", "text/plain"}
    assert bundle["text/plain"] == "'<b>', sample 0"
    assert "<b>" not in bundle["text/html"]


def test_a_person_gets_the_widgets_which_hide_the_still_picture(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda *a, **k: shown.append(a[0]))
    monkeypatch.setattr("plots.live.person_is_present", lambda: True)
    picture = live(write, text="to be")
    picture._ipython_display_()
    still, view = shown
    model = view["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert model == picture.widget.model_id
    (mark,) = (name for name in picture.widget._dom_classes if name != "llama-now")
    assert f"body:has(.{mark}.llama-now) .{mark}.llama-still{{display:none}}" in still["text/html"]


@pytest.mark.parametrize("value", [3, [], None, [None, 1]])
def test_an_input_without_a_control_gets_a_sentence(value):
    with pytest.raises(ValueError, match="The input 'n' needs a text, True or False, or a list"):
        live(write, n=value)


def test_seed_belongs_to_again():
    with pytest.raises(ValueError, match="makes the argument 'seed' itself"):
        live(write, text="a", seed="0", again="Again")
