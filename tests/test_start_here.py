"""Lab 00: the map tells the truth about Llama 3, and the bars show a wrong mean square."""

import doctest
import re
from typing import Any

import pytest
import torch
from course import NAMES, ROOT
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from seen_pictures import assert_seen, of
from torch import Tensor

from checks import start_here as check
from plots import start_here as plot
from plots.measures import start_here as llama
from solutions.my_llama import start_here as worked

LABS = range(12)


def find(figure: Figure, gid: str) -> Any:
    """The artist with this gid."""
    found = figure.findobj(lambda artist: artist.get_gid() == gid)
    assert found, f"nothing in the picture has the gid {gid}"
    return found[0]


def drawn(figure: Figure) -> dict[str, Any]:
    """The boxes of the panels that this page shows."""
    boxes = figure.findobj(lambda artist: str(artist.get_gid()).startswith("box-"))
    return {box.get_gid().removeprefix("box-"): box for box in boxes}


def lit(figure: Figure) -> set[str]:
    """The boxes that are filled."""
    return {name for name, box in drawn(figure).items() if box.get_facecolor()[3] > 0}


def test_worked_examples() -> None:
    for module in (worked, llama):
        results = doctest.testmod(module, extraglobs={"torch": torch})
        assert results.attempted
        assert results.failed == 0


def test_the_parameters_are_those_of_llama_3_8b() -> None:
    """Counted from the matrices of Meta's model.py, one by one."""
    matrices = {
        "tok_embeddings": (128_256, 4096),
        "output": (128_256, 4096),
        "norm": (4096,),
    }
    for layer in range(32):
        for name, shape in {
            **dict.fromkeys(("wq", "wo"), (4096, 4096)),
            **dict.fromkeys(("wk", "wv"), (1024, 4096)),
            **dict.fromkeys(("w1", "w2", "w3"), (14336, 4096)),
            **dict.fromkeys(("attention_norm", "ffn_norm"), (4096,)),
        }.items():
            matrices[f"{layer}.{name}"] = shape
    counted = sum(torch.Size(shape).numel() for shape in matrices.values())
    assert llama.TOTAL == counted == 8_030_261_248
    ffn = [shape for name, shape in matrices.items() if re.search(r"\.w[123]", name)]
    assert llama.PARAMETERS["SwiGLU"] == sum(torch.Size(shape).numel() for shape in ffn)
    of_block_7 = [shape for name, shape in matrices.items() if name.startswith("7.")]
    per_block = sum(torch.Size(shape).numel() for shape in of_block_7)
    assert f"{per_block:,} parameters" in llama.caption(8)


def test_the_shares_of_all_parts_are_one_whole() -> None:
    figure = plot.model_map().figure(lab=0)
    widths = [find(figure, f"share-{part}").get_width() for part in llama.PARAMETERS]
    total = sum(llama.PARAMETERS.values())
    expected = [count / total for count in llama.PARAMETERS.values()]
    assert [width / sum(widths) for width in widths] == pytest.approx(expected)


@pytest.mark.parametrize("lab", LABS)
def test_each_page_of_the_map_lights_up_what_its_lab_builds(lab: int) -> None:
    picture = plot.model_map()
    figure = picture.figure(lab=lab)
    shown = lit(figure)
    named = {name for name in drawn(figure) if plot.BOXES[name][6] == f"{lab:02d}"}
    assert named - {"logits"} <= shown, "a block that names this lab is dark"
    assert shown == set(llama.STOPS[lab][0]) & set(drawn(figure))
    assert shown
    if 0 < lab < 9:  # 0 is the map itself; 9 and 11 are about all of it
        assert picture.caption(lab=lab).startswith(f"Lab {lab:02d}, ")


@pytest.mark.parametrize("lab", LABS)
def test_each_page_of_the_map_zooms_from_box_to_box(lab: int) -> None:
    picture = plot.model_map()
    panels, sources = llama.ZOOMS[lab]
    assert len(sources) == len(panels) - 1
    for page in (picture.page(lab=lab), picture.narrow_page(lab=lab)):
        assert {plot.BOXES[name][0] for name in drawn(page.figure)} == set(panels)
        for panel, source in zip(panels, sources, strict=False):
            assert plot.BOXES[source][0] == panel
            assert find(page.figure, f"zoom-{source}")
    deepest = [name for name in llama.STOPS[lab][0] if plot.BOXES.get(name, "?")[0] == panels[-1]]
    assert deepest, "what this lab builds is not in the panel into which the map zooms"


def test_every_box_is_shown_by_some_page_and_every_learned_one_lights_up() -> None:
    shown, ever = set(), set()
    for lab in LABS:
        figure = plot.model_map().figure(lab=lab)
        shown |= set(drawn(figure))
        ever |= lit(figure)
    assert shown == set(plot.BOXES)
    assert ever == set(plot.BOXES) - {"logits"}  # it is lab 08's, and drawn as lab 10's input


def test_every_lab_that_is_named_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for box in plot.BOXES.values():
        assert re.search(rf"^\| \[?{box[6]} · ", readme, re.MULTILINE), box


def test_the_map_says_what_the_other_labs_say() -> None:
    """The same numbers of Llama 3 8B stand in the labs that are there."""
    said = " ".join(llama.caption(lab) for lab in LABS)
    for name, number in {"rmsnorm": "266,240", "gqa": "131,072"}.items():
        if name in NAMES:
            assert number in (ROOT / "solutions" / f"{NAMES[name]}.py").read_text(encoding="utf-8")
            assert number in said


def test_bars_draw_the_learner_s_level() -> None:
    picture = plot.bars(worked.mean_square)
    for times, level in ((1.0, 9.0), (0.5, 2.25)):
        figure = picture.figure(times=times)
        for name in "abc":
            assert find(figure, f"{name}-level").get_ydata()[0] == pytest.approx(level)
    assert "by 27.00 in all, and below 27.00 are missing (hatched): a mean" in picture.caption()
    assert find(picture.figure(), "c-0").get_height() == 36


@pytest.mark.parametrize(
    ("wrong", "seen"),
    [
        (lambda x: x.mean(-1) ** 2, "b 0.00, c 2.25"),
        (lambda x: x.square().sum(-1), "a 36.00"),
        (lambda x: x.square().mean(-1).sqrt(), "a 3.00"),
        (lambda x: x.var(-1, correction=0), "a 0.00"),
        (lambda x: x.abs().mean(-1), "c 1.50"),
    ],
)
def test_bars_show_a_wrong_level(wrong: Any, seen: str) -> None:
    caption = plot.bars(wrong).caption()
    assert seen in caption
    assert "no mean of them lies there" in caption


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: x.square().mean(0),
        lambda x: x.square().mean(),
        lambda x: x.square().mean(-1, keepdim=True),
        lambda x: x.square(),
    ],
)
def test_bars_say_that_the_shape_is_wrong_and_draw_no_level(wrong: Any) -> None:
    picture = plot.bars(wrong)
    assert "something of shape" in picture.caption()
    figure = picture.figure()
    assert not figure.findobj(lambda artist: str(artist.get_gid()).endswith("-level"))


def test_unwritten_function_draws_a_placeholder() -> None:
    def unwritten(x: Tensor) -> Tensor:
        raise NotImplementedError("Exercise 0.1: mean_square")

    assert "Exercise 0.1: mean_square" in plot.bars(unwritten).first.caption


def test_the_lit_colour_is_no_colour_of_q_k_or_v() -> None:
    figure = plot.model_map().figure(lab=4)
    fill = find(figure, "box-q").get_facecolor()[:3]
    assert fill not in {to_rgba(plot.BOXES[name][7])[:3] for name in ("q", "k", "v")}


def test_wrong_answers_are_seen() -> None:
    keys = ("mean_then_square", "sum_not_mean", "root_mean_square", "mean_absolute", "variance")
    wrong = of(check.mean_square.mistakes, *keys, "all_at_once", "dimension_kept", "doubled")
    assert_seen(plot.bars, worked.mean_square, wrong)
