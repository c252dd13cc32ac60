"""Lab 07: its pictures draw what the learner's function computes, right or wrong."""

import doctest
import importlib
from typing import Any

import pytest
import torch
from aliasing import assert_nothing_is_sampled
from course import ROOT
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from plots import swiglu as plot
from plots.measures import swiglu as measures

worked = importlib.import_module("solutions.my_llama.swiglu")


def swish_on_up(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    return F.linear(F.linear(x, w_gate) * F.silu(F.linear(x, w_up)), w_down)


def no_gate(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    return F.linear(F.linear(x, w_up), w_down)


def find(figure: Figure, gid: str) -> Any:
    """The artist with this gid."""
    found = figure.findobj(lambda artist: artist.get_gid() == gid)
    assert found, f"nothing in the picture has the gid {gid}"
    return found[0]


def test_worked_examples() -> None:
    results = doctest.testmod(worked)
    assert results.attempted == 11
    assert results.failed == 0


def test_curves_are_the_learner_s() -> None:
    picture = plot.curves(worked.swish)
    x, y = find(picture.figure(beta=2.5), "yours-True").get_data()
    assert y.tolist() == pytest.approx(worked.swish(torch.tensor(x), 2.5).tolist(), abs=1e-5)
    assert "lowest at x = −1.3: −0.28" in picture.caption(beta=1.0)
    assert "no dip" in picture.caption(beta=0.0)
    slope = find(picture.figure(beta=0.0), "yours-False").get_ydata()
    assert slope.tolist() == pytest.approx([0.5] * len(slope))


def test_a_wrong_curve_is_seen() -> None:
    detached = plot.curves(lambda x, beta=1.0: (x * torch.sigmoid(beta * x)).detach())
    assert "yours is −0.27 with slope 0.00" in detached.caption(beta=1.0)
    relu = plot.curves(lambda x, beta=1.0: F.relu(x))
    assert "no dip" in relu.caption(beta=1.0)
    no_beta = plot.curves(lambda x, beta=1.0: F.silu(x))
    captions = {no_beta.caption(beta=beta).partition(": ")[2] for beta in plot.BETAS}
    assert len(captions) == 1


def test_the_cut_is_a_straight_line_unless_swish_is_on_the_wrong_branch() -> None:
    picture = plot.gate(worked.glu, worked.swiglu)
    assert_nothing_is_sampled(picture.figure())
    for kind in ("GLU", "SwiGLU"):
        for at in (-4.0, -1.0, 0.0, 2.0):
            assert "a straight line" in picture.caption(kind=kind, at=at)
    assert "the value 3 becomes 5.28, −3 becomes −5.28" in picture.caption(kind="SwiGLU", at=2.0)
    value, out = find(picture.figure(kind="GLU", at=-1.0), "cut").get_data()
    assert out.tolist() == pytest.approx([0.26894 * v for v in value], abs=1e-4)
    wrong = plot.gate(lambda gate, value: torch.sigmoid(value) * gate, swish_on_up)
    assert "no straight line" in wrong.caption(kind="SwiGLU", at=2.0)
    assert "no straight line" in wrong.caption(kind="GLU", at=2.0)


def test_the_areas_are_the_learner_s_hidden_size() -> None:
    picture = plot.parameters(worked.ffn_hidden_dim)
    for model, (dim, _, _, published) in plot.MODELS.items():
        caption = picture.caption(model=model)
        assert "as in the published weights" in caption
        assert f"hidden size {published:,} =" in caption
        box = find(picture.figure(model=model), "3-gate")
        assert box.get_width() == pytest.approx(published / dim)
    wrong = plot.parameters(lambda dim, multiple_of=256, multiplier=None: 4 * dim)
    assert "but the published weights have 14,336: they do not fit" in wrong.caption(model="3 8B")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer steps, so that the tests take a second."""
    monkeypatch.setattr(measures, "DEAD_STEPS", 90)
    monkeypatch.setattr(measures, "DEAD_MARKS", [0, 90])
    monkeypatch.setattr(measures, "RACE_STEPS", 60)
    monkeypatch.setattr(measures, "RACE_MARKS", [0, 60])


def test_dead_units_are_those_without_a_gradient(short: None) -> None:
    picture = plot.dead_units(worked.swish, worked.swiglu)
    at_first = picture.caption(norm="without norm", steps=0)
    assert "ReLU 0 of 192 dead (" in at_first
    later = picture.caption(norm="without norm", steps=90)
    assert "ReLU 0 of" not in later
    assert "Swish 0 of 192 dead" in later
    assert "SwiGLU 0 of 128 dead" in later
    figure = picture.figure(norm="without norm", steps=90)
    dead = len(find(figure, f"ReLU-{measures.DEAD}").get_xdata())
    assert f"ReLU {dead} of 192 dead" in later
    assert "ReLU 0 of 192 dead" in picture.caption(norm="with RMSNorm", steps=90)


def test_a_layer_without_gradient_is_seen_dead(short: None) -> None:
    wrong = plot.dead_units(lambda x: F.silu(x).detach(), no_gate)
    caption = wrong.caption(norm="with RMSNorm", steps=90)
    assert "Swish 192 of 192 dead" in caption
    assert "SwiGLU 128 of 128 dead" in caption


def test_race_gives_every_layer_the_same_number_of_parameters() -> None:
    assert 2 * measures.CLASSIC * measures.WIDTH == 3 * measures.GATED * measures.WIDTH == 18_432


def test_race_runs_the_learner_s_layer(short: None) -> None:
    picture = plot.race(worked.swiglu)
    right = find(picture.figure(steps=60), "SwiGLU").get_ydata()
    wrong = find(plot.race(no_gate).figure(steps=60), "SwiGLU").get_ydata()
    assert len(right) == 3
    assert max(right) < min(wrong)  # without a gate and a bend the layer is one matrix
    nothing = plot.race(lambda x, *_: x * float("nan"))
    assert "SwiGLU 5.00 (5.00 to 5.00)" in nothing.caption(steps=60)


@pytest.mark.parametrize(
    ("spans", "said"),
    [
        (
            {"ReLU": (2.2, 2.3), "GELU": (2.1, 2.15), "SwiGLU": (2.0, 2.12)},
            "SwiGLU and GELU overlap",
        ),
        ({"ReLU": (2.2, 2.3), "GELU": (2.1, 2.2), "SwiGLU": (2.0, 2.05)}, "the worst of SwiGLU"),
        ({"ReLU": (1.8, 1.9), "GELU": (2.1, 2.2), "SwiGLU": (2.0, 2.05)}, "the worst of ReLU"),
    ],
)
def test_race_says_when_the_spread_hides_the_difference(spans: dict, said: str) -> None:
    assert said in measures._verdict(spans)


@pytest.mark.parametrize(
    "picture",
    [
        plot.curves,
        lambda f: plot.gate(f, f),
        plot.parameters,
        lambda f: plot.dead_units(f, f),
        plot.race,
    ],
)
def test_unwritten_function_draws_a_placeholder(picture: Any) -> None:
    def unwritten(*_: Any) -> Tensor:
        raise NotImplementedError("Exercise 7.3: swiglu")

    assert "Exercise 7.3: swiglu" in picture(unwritten).first.caption


def test_timing_prints_equal_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    plot.timing(worked.swiglu, dim=48, tokens=8)
    assert capsys.readouterr().out.count("18,432") == 2


def test_the_text_s_numbers_are_right() -> None:
    text = (ROOT / "solutions" / "07_swiglu.py").read_text(encoding="utf-8")
    layer = 3 * 4096 * 14336
    share = 32 * layer / 8_030_261_248
    for said in (f"{layer:,}", f"{32 * layer:,}", f"{share:.0%}".replace("%", " %")):
        assert said in text
