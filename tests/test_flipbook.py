"""The flipbook: what is in the bundle, what it weighs, and what it says when something is wrong."""

import base64
import gc
import html
import io
import json
import os
import re
import subprocess
import sys
import zlib
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from demo_pictures import hatched, turn, unwritten
from jupyter_client.manager import run_kernel
from matplotlib.patches import Rectangle
from PIL import Image

from plots import cells, style
from plots.flipbook import explore
from plots.page import _without_bare_groups, draw_page, says

ROOT = Path(__file__).resolve().parents[1]


def book_of(picture):
    """What the browser's script unpacks."""
    return book_in(picture._repr_mimebundle_()["text/html"])


def book_in(html):
    packed = re.search(r'data-book="([^"]*)"', html)[1]
    return json.loads(zlib.decompress(base64.b64decode(packed)))


def test_every_combination_of_values_is_a_page():
    picture = explore(turn, position=range(3), pair=[0, 1], start={"position": 2}, play="position")
    book = book_of(picture)
    assert [frame["position"] for frame in picture.frames] == [0, 0, 1, 1, 2, 2]
    assert book["captions"] == [picture.caption(**frame) for frame in picture.frames]
    assert len(book["pages"]) == 6
    assert all(page.startswith("<svg viewBox=") for page in book["pages"])
    assert book["play"] == "position"
    assert book["sliders"][0] == {
        "name": "position",
        "label": "position",
        "values": ["0", "1", "2"],
        "start": 2,
        "choice": False,
    }


def test_the_bundle_has_a_picture_and_a_sentence_for_pages_without_scripts():
    bundle = explore(turn, position=range(3), start={"position": 2})._repr_mimebundle_()
    sentence = "At position 2 the pair 0 has turned by 2.00."
    assert bundle["text/plain"] == sentence
    assert bundle["text/html"].count(sentence) == 3  # aria-label, alt, caption
    image = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert image.size == (792, 330)
    assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert f"base64,{bundle['image/png']}" in bundle["text/html"]


def test_a_small_swatch_keeps_its_colour_in_the_png():
    """A palette of 64 that counts areas would give it the colour of some large field."""

    def draw(fig, n):
        axes = fig.add_axes((0, 0, 1, 1))
        axes.imshow(np.random.default_rng(0).random((12, 24)), cmap="Greens", aspect="auto")
        axes.add_patch(Rectangle((11.3, 5.3), 0.4, 0.4, color=style.QUERY))
        return ""

    png = explore(draw, n=[1])._repr_mimebundle_()["image/png"]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")).astype(int)
    blue = [int(style.QUERY[i : i + 2], 16) for i in (1, 3, 5)]
    assert abs(pixels - blue).max(-1).min() < 16


def test_the_caption_is_escaped_where_it_is_an_attribute():
    picture = explore(lambda fig, n: 'a < b & "c" <script>', n=[1])
    page = picture._repr_mimebundle_()["text/html"]
    assert 'alt="a &lt; b &amp; &quot;c&quot; &lt;script&gt;"' in page
    assert page.count("<script>") == 1
    assert book_of(picture)["captions"] == ['a < b & "c" <script>']


def test_figure_and_caption_draw_one_page_only():
    drawn = []

    def draw(fig, position, pair):
        drawn.append((position, pair))
        return turn(fig, position, pair)

    picture = explore(draw, position=range(30), pair=[0, 1])
    (line,) = picture.figure(position=3).findobj(lambda artist: artist.get_gid() == "q")
    assert line.get_xydata()[1] == pytest.approx([np.cos(3), np.sin(3)])
    assert picture.caption(pair=1, position=4) == "At position 4 the pair 1 has turned by 0.40."
    assert drawn == [(3, 0), (4, 1)]


def test_the_same_picture_gives_the_same_bytes_in_another_process():
    program = (
        "import hashlib, sys\n"
        f"sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tests')!r}]\n"
        "from demo_pictures import explore, turn\n"
        "bundle = explore(turn, position=range(2))._repr_mimebundle_()\n"
        "print(hashlib.sha256(repr(bundle).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_a_picture_of_64_pages_is_small():
    bundle = explore(turn, position=range(32), pair=[0, 1])._repr_mimebundle_()
    assert sum(map(len, bundle.values())) < 150_000


def test_the_pages_follow_the_theme_and_leave_no_ids_behind():
    (page,) = book_of(explore(turn, position=[1]))["pages"]
    assert "currentColor" in page
    assert "var(--llama-blue" in page
    assert 'data-gid="q"' in page
    ids = set(re.findall(r' id="([^"]*)"', page))
    assert ids == set(re.findall(r'(?:href="#|url\(#)([^")]+)', page))
    assert "<style" not in page  # it would rule the whole notebook
    assert "<metadata" not in page


def test_no_two_pictures_share_an_id():
    """A hatch whose id stands in a hidden cell first is not painted."""
    pages = [draw_page(hatched, {"n": n}, (3, 3)) for n in (2, 3)]
    svgs = [page.svg() for page in pages] + [page.svg("live") for page in pages]
    ids = [set(re.findall(r' id="([^"]*)"', svg)) for svg in svgs]
    assert all(len(some) >= 3 for some in ids)
    assert len(set.union(*ids)) == sum(map(len, ids))
    for svg, some in zip(svgs, ids, strict=True):
        assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg)) == some


def test_numbers_in_labels_are_not_rounded_with_the_coordinates():
    (page,) = book_of(explore(lambda fig, n: fig.text(0.1, 0.1, "3.14159").get_text(), n=[1]))[
        "pages"
    ]
    assert ">3.14159<" in page


def test_groups_without_attributes_go_and_what_is_in_them_stays():
    inside = '<g data-gid="q"><path d="M 1"/></g>'
    assert _without_bare_groups(f"<g><g>{inside}</g><g/></g>") == inside
    assert _without_bare_groups(f'<g><g data-gid="empty"/>{inside}</g>') == inside


def test_whatever_is_opened_in_a_page_is_closed():
    def draw(fig, n):
        axes = fig.subplots()
        axes.set(xticks=[], yticks=[])
        axes.xaxis.set_gid("empty")  # matplotlib makes of it a group that closes itself
        return ""

    (page,) = book_of(explore(draw, n=[1]))["pages"]
    assert ElementTree.fromstring(page).tag == "svg"


def test_only_what_sticks_out_of_the_axes_is_clipped():
    def draw(fig, beyond):
        axes = fig.add_axes((0.1, 0.1, 0.8, 0.8))
        axes.set(xlim=(0, 1), ylim=(0, 1))
        for corner in (0.2, 0.5, 0.9 if beyond else 0.7):
            axes.add_patch(Rectangle((corner, corner), 0.2, 0.2))
        return ""

    within, beyond = book_of(explore(draw, beyond=[False, True]))["pages"]
    assert (within.count("clip-path="), beyond.count("clip-path=")) == (0, 1)


def test_what_sticks_out_side_by_side_is_clipped_together():
    def draw(fig, n):
        axes = fig.add_axes((0.1, 0.1, 0.8, 0.8))
        axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
        for height in (0.2, 0.4, 0.6):
            axes.plot([-1, 2], [height, height], alpha=0.5)
        axes.imshow(np.eye(2), extent=(-1, 2, 0.7, 0.9), aspect="auto")
        return ""

    (page,) = book_of(explore(draw, n=[1]))["pages"]
    figure = ElementTree.fromstring(page)
    (clipped,) = (part for part in figure.iter() if part.get("clip-path"))
    image, *lines = clipped
    assert image.tag == "image" and len(lines) == 3
    assert all("stroke-opacity: 0.5" in line.get("style") for line in lines)


def test_panels_side_by_side_may_be_stacked():
    assert book_of(explore(turn, position=[1]))["cuts"] == [0.0, pytest.approx(0.5, abs=0.05), 1.0]

    def with_title(fig, position):
        fig.suptitle("a long title that stands over both of the panels of this picture")
        return turn(fig, position)

    assert book_of(explore(with_title, position=[1]))["cuts"] == [0.0, 1.0]


def test_an_unwritten_exercise_is_a_quiet_placeholder():
    picture = explore(unwritten, position=range(60), play="position")
    said = "Not written yet: Exercise 3.5: apply_rope. Write it, run its cell, then run this one again."
    assert picture._repr_mimebundle_()["text/plain"] == said
    book = book_of(picture)
    assert book["sliders"] == []
    assert book["play"] is None
    assert book["captions"] == [said]


def test_an_error_says_which_page_was_being_drawn():
    def draw(fig, position):
        return str(1 / (2 - position))

    picture = explore(draw, position=range(4))
    with pytest.raises(ZeroDivisionError) as caught:
        _ = picture.pages
    assert caught.value.__notes__ == ["This happened while the picture was drawn at position=2."]


def test_in_a_notebook_the_error_is_the_cells_own(monkeypatch):
    class Shell:
        kernel = object()

    monkeypatch.setattr("plots.flipbook.shell", Shell)
    with pytest.raises(ZeroDivisionError):
        explore(lambda fig, position: str(1 / (2 - position)), position=range(4))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"n": []}, "The slider 'n' has no values; give it some: n=range(8)."),
        ({"n": 3}, "The slider 'n' needs a list of values, such as n=range(8); got 3."),
        ({"n": "abc"}, "The slider 'n' needs a list of values, such as n=range(8); got 'abc'."),
        ({"n": [1, 2, 1]}, "The slider 'n' has a value twice: 1, 2, 1."),
        (
            {"n": range(20), "start": {"n": 20}},
            "start has n=20, but n goes through 0, 1, 2, 3, …, 18, 19.",
        ),
        ({"n": [1], "start": {"m": 1}}, "start names 'm', but the sliders are: n."),
        ({"n": [1], "play": "m"}, "play names 'm', but the sliders are: n."),
        ({"n": [1], "labels": {"m": "x"}}, "labels names 'm', but the sliders are: n."),
        ({"n": [1], "play": "n"}, "play='n' has nowhere to go: that slider has a single value."),
        ({"n": range(50), "m": range(3)}, "50 n × 3 m make 150 pages, and at most 100 are drawn"),
    ],
)
def test_sliders_that_do_not_fit_get_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        explore(lambda fig, **values: "", **arguments)


def test_an_unknown_page_gets_a_sentence():
    picture = explore(turn, position=range(3))
    with pytest.raises(ValueError, match="no page at position=7: position goes through 0, 1, 2"):
        picture.caption(position=7)
    with pytest.raises(ValueError, match="no page at step=7: the sliders are position"):
        picture.figure(step=7)


def test_values_may_be_tensors_words_and_bools():
    torch = pytest.importorskip("torch")
    picture = explore(
        lambda fig, angle, norm, mask: f"{angle:.1f} {norm} {mask}",
        angle=torch.tensor([-0.5, 0.25]),
        norm=["layer", "RMS"],
        mask=[False, True],
        start={"angle": 0.25},
        labels={"norm": "which norm"},
    )
    angle, norm, mask = book_of(picture)["sliders"]
    assert (angle["values"], angle["start"], angle["choice"]) == (["−0.5", "0.25"], 1, False)
    assert (norm["label"], norm["choice"]) == ("which norm", True)
    assert mask["values"] == ["no", "yes"]


def test_the_note_of_slow_drawing_is_for_a_person_only(monkeypatch):
    monkeypatch.setattr("plots.flipbook.PATIENCE", 0.0)
    monkeypatch.setattr("plots.flipbook.NOTE", 0.0)
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda *a, **k: shown.append(a))
    _ = explore(turn, position=range(2)).pages
    assert shown == []


def test_cells_show_states_and_values():
    states = [["new", "masked"], ["wasted", "empty"]]

    def draw(fig, step):
        axes = fig.subplots()
        cells.cells(axes, [[1.0, 2.0], [-3.0, 4.0]], states, write=True)
        cells.cell_key(axes, "new", "reused", "wasted", "masked", "empty")
        return "Four cells."

    figure = explore(draw, step=[0]).figure()
    names = {artist.get_gid() for artist in figure.findobj() if artist.get_gid()}
    assert names == {"cells-new", "cells-masked", "cells-wasted", "cells-empty"} | {
        "cells-0-0",
        "cells-1-0",
    }
    with pytest.raises(ValueError, match="Unknown states \\['old'\\]; known are new, reused"):
        cells.cells(figure.axes[0], [[1.0]], [["old"]])


def test_shade_grows_with_size_and_changes_hue_below_zero():
    small, large, below = style.shade([0.5, 2.0, -2.0])
    assert small[3] < large[3] == below[3]
    assert tuple(small[:3]) == tuple(large[:3]) != tuple(below[:3])
    assert style.number(-0.001) == "0.00"
    assert style.number(-1.256) == "−1.26"


def test_a_graded_notebook_draws_the_first_page_only(monkeypatch: pytest.MonkeyPatch):
    drawn = []

    def draw(fig, n):
        drawn.append(n)
        return f"page {n}"

    monkeypatch.setenv("LLAMA_LAB_GRADING", "1")
    monkeypatch.setattr("plots.flipbook._in_notebook", lambda: True)
    picture = explore(draw, n=range(5), start={"n": 3})
    assert picture._repr_mimebundle_() == {"text/plain": "page 3"}
    assert drawn == [3]


def test_what_a_part_says_stands_in_the_page():
    def draw(fig, n):
        axes = fig.add_axes((0, 0, 1, 1), xlim=(0, 4), ylim=(0, 1))
        bar = axes.bar([1], [1])[0]
        bar.set_gid("bar")
        says(bar, 'is "5 < 7", 0.123456')
        says(axes.text(3, 0.5, "x"), "the x")
        return ""

    svg = explore(draw, n=[1]).page().svg()
    says_of = [json.loads(html.unescape(said)) for said in re.findall(r'data-says="([^"]*)"', svg)]
    assert says_of == ['is "5 < 7", 0.123456', "the x"]
    assert 'data-gid="bar"' in svg
    ElementTree.fromstring(svg)


def test_a_matrix_says_row_column_and_number():
    def draw(fig, n):
        states = [["new", "masked"], ["reused", "empty"]]
        values = [[0.5, 0], [-0.25, 0]]
        cells.cells(fig.subplots(), values, states, rows=["dog", "bites"], columns=["dog", "man"])
        return ""

    svg = explore(draw, n=[1]).page().svg()
    says_of = [json.loads(html.unescape(said)) for said in re.findall(r'data-says="([^"]*)"', svg)]
    assert says_of == [
        ["dog → dog: 0.50"],
        ["bites → dog: \N{MINUS SIGN}0.25, reused"],
        ["dog → man: masked"],
        ["bites → man: not computed"],
    ]


def test_pages_are_drawn_once_more_for_a_narrow_screen():
    widths = []

    def draw(fig, n):
        widths.append((n, fig.get_figwidth(), style.is_narrow(fig)))
        fig.text(0, 0, "narrow" if style.is_narrow(fig) else "wide")
        return "a sentence"

    book = book_of(explore(draw, n=[1, 2], size=(7, 2), narrow=(3, 4)))
    assert {(1, 7, False), (2, 7, False), (1, 3, True), (2, 3, True)} == set(widths)
    assert book["narrow"]["width"] == 288
    assert ["wide" in page for page in book["pages"]] == [True, True]
    assert [">narrow<" in page for page in book["narrow"]["pages"]] == [True, True]
    assert "narrow" not in book_of(explore(draw, n=[1]))
    with pytest.raises(ValueError, match="wider than 4 inches"):
        explore(draw, n=[1], narrow=(5, 2))


def as_a_person(monkeypatch) -> tuple[list, list]:
    """Let pictures be shown as to somebody who waits; return what is shown, and how it changes."""
    shown, updates = [], []

    class Handle:
        def update(self, bundle, raw):
            updates.append(bundle)

    def display(bundle, raw, display_id):
        shown.append(bundle)
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr("plots.flipbook.person_is_present", lambda: True)
    monkeypatch.setattr("plots.flipbook.PATIENCE", 0.0)
    return shown, updates


def test_a_person_sees_the_first_page_while_the_others_are_drawn(monkeypatch):
    """It takes the place of the first page; an error in a later page is the cell's own."""
    shown, updates = as_a_person(monkeypatch)
    picture = explore(turn, position=range(3), start={"position": 2})
    _ = picture.pages
    assert [bundle["text/plain"] for bundle in shown] == [picture.caption()]
    assert "data-book" not in shown[0]["text/html"]
    picture._ipython_display_()
    assert "data-book" in updates[-1]["text/html"]
    with pytest.raises(
        NotImplementedError
    ):  # shown once; asked again it is a picture like any other
        picture._ipython_display_()


def test_a_person_turns_wide_pages_while_narrow_ones_are_drawn(monkeypatch):
    """The second bundle has both, and the same name for where the sliders stand."""
    _, updates = as_a_person(monkeypatch)
    monkeypatch.setattr("plots.flipbook.FORK", 0.0)
    picture = explore(turn, position=range(3), narrow=(3, 2))
    _ = picture.pages
    (wide,) = [bundle["text/html"] for bundle in updates]
    picture._ipython_display_()
    whole = updates[-1]["text/html"]
    assert ["narrow" in book_in(html) for html in (wide, whole)] == [False, True]
    assert book_in(wide)["pages"] == book_in(whole)["pages"]
    kept = [re.search(r"data-kept='(\w+)'", html)[1] for html in (wide, whole)]
    assert kept[0] == kept[1]
    assert "data-kept" not in explore(turn, position=range(3))._html("")


def test_a_batch_run_sees_nothing_until_all_is_drawn(monkeypatch):
    monkeypatch.setattr("plots.flipbook.PATIENCE", 0.0)
    picture = explore(turn, position=range(3))
    _ = picture.pages
    with pytest.raises(NotImplementedError):
        picture._ipython_display_()


def test_garbage_is_collected_again_after_drawing():
    assert gc.isenabled()
    _ = explore(turn, position=range(2)).pages
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        _ = explore(lambda fig, n: 1 / n, n=[1, 0]).pages
    assert gc.isenabled()


def test_the_first_page_goes_when_a_later_one_fails(monkeypatch):
    """It says that the others are being drawn, and stood above the error for good."""
    _, updates = as_a_person(monkeypatch)
    with pytest.raises(ZeroDivisionError):
        _ = explore(lambda fig, n: f"{1 / n}", n=[1, 0]).pages
    assert updates == [{"text/plain": "", "text/html": ""}]


@pytest.mark.parametrize("present", [True, False])
def test_matplotlib_is_warm_before_a_person_s_first_picture(present):
    """A batch run draws nothing that nobody asked for."""
    code = (
        f"import sys, threading; sys.path.insert(0, {str(ROOT)!r}); import plots.flipbook\n"
        "for one in threading.enumerate(): one.join() if one.name == 'matplotlib' else None\n"
        "print('matplotlib.backends.backend_svg' in sys.modules)"
    )
    printed = []
    with run_kernel() as client:
        client.execute_interactive(
            code,
            allow_stdin=present,
            stdin_hook=lambda message: None,
            output_hook=lambda message: printed.append(message["content"].get("text", "")),
            timeout=60,
        )
    assert "".join(printed).strip() == str(present)
