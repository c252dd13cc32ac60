"""The ipywidgets frame: what is drawn, when, and where errors go. Without a kernel errors are raised."""

import pytest
from demo_pictures import write

from plots.live import FAILED, live


def test_the_first_picture_is_drawn_at_once():
    assert live(write, text="to be").caption == "'to be', sample 0"
    with pytest.raises(IndexError) as caught:
        live(write, text="")
    assert "text=''" in caught.value.__notes__[0]


def test_typing_and_pressing_draw_anew():
    picture = live(write, text="to be", again="Sample again")
    _ = picture.widget
    picture.controls["text"].value = "or not"
    assert picture.caption == "'or not', sample 0"
    picture.controls["again"].click()
    picture.controls["again"].click()
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
    assert picture.caption == "a RMS False"
    assert picture.controls["draw"].description == "Look"


def test_a_later_error_takes_the_place_of_the_picture():
    picture = live(write, text="to be")
    _ = picture.widget
    with pytest.raises(IndexError):  # in a kernel the output area shows it
        picture.controls["text"].value = ""
    assert FAILED in picture._picture.value
    assert "<svg" not in picture._picture.value
    picture.controls["text"].value = "again"
    assert "<svg" in picture._picture.value


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


@pytest.mark.parametrize("value", [3, [], None])
def test_an_input_without_a_control_gets_a_sentence(value):
    with pytest.raises(ValueError, match="The input 'n' needs a text, True or False, or a list"):
        live(write, n=value)


def test_seed_belongs_to_again():
    with pytest.raises(ValueError, match="makes the argument 'seed' itself"):
        live(write, text="a", seed="0", again="Again")
