"""Lab 07: its pictures draw what the learner's function computes, right or wrong."""

import doctest
import importlib
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from aliasing import assert_nothing_is_sampled
from course import ROOT
from matplotlib.figure import Figure
from seen_pictures import assert_seen, of
from torch import Tensor
from torch.nn import functional as F

from checks import swiglu as check
from plots import swiglu as plot
from plots.measures import swiglu as measures
from plots.measures import swiglu_dead as dead

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
    assert "lowest at x = −1.28: −0.28" in picture.caption(beta=1.0)
    assert "lowest at x = −0.04: −0.009" in picture.caption(beta=30.0)
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


def test_the_gate_is_the_learner_s() -> None:
    picture = plot.curves(worked.swish)
    x, gate = find(picture.figure(beta=1.0), "gate").get_data()
    assert gate.tolist() == pytest.approx(torch.sigmoid(torch.tensor(x)).tolist(), abs=1e-5)
    assert "the gate is 0.27 open" in picture.caption(beta=1.0)
    half = find(picture.figure(beta=0.0), "gate").get_ydata()
    assert half.tolist() == pytest.approx([0.5] * len(half), abs=1e-6)


def test_flow_walks_a_token_through_the_learner_s_layer() -> None:
    picture = plot.flow(worked.swish, worked.swiglu)
    figure = picture.figure(token="dog", step=6)
    written = {
        row: [text_in(figure, f"{row}-{i}") for i in range(8)] for row in ("gates", "product")
    }
    assert written["gates"][0] == "−1.8"
    assert written["product"][:3] == ["−0.8", "0.2", "3.3"]
    assert "In yours" not in picture.caption()
    early = picture.figure(token="dog", step=2)
    assert find(early, "gates-0").get_facecolor()[3] > 0
    assert find(early, "values-0").get_facecolor()[3] == 0
    assert "In yours 8 of 8 products" in plot.flow(worked.swish, swish_on_up).caption()


def text_in(figure: Figure, gid: str) -> str:
    """What is written in a cell."""
    cell = find(figure, gid)
    (text,) = (t for t in cell.axes.texts if cell.get_bbox().contains(*t.get_position()))
    return text.get_text()


def test_wrong_answers_are_seen() -> None:
    keys = (
        "ignores_beta",
        "wrong_sign",
        "sigmoid_only",
        "beta_outside",
        "relu",
        "gelu",
        "detached",
    )
    wrong = of(check.swish.mistakes, *keys)
    at_two = lambda swish: SimpleNamespace(page=lambda: plot.curves(swish).page(beta=2.5))  # noqa: E731
    assert_seen(at_two, worked.swish, wrong)

    keys = ("swapped", "bilinear", "tanh_gate", "inverted", "sum", "value_only")
    as_glu = lambda glu: SimpleNamespace(  # noqa: E731
        page=lambda: plot.gate(glu, worked.swiglu).page(kind="GLU")
    )
    assert_seen(as_glu, worked.glu, of(check.glu.mistakes, *keys))

    keys = ("silu_on_up", "glu", "bilinear", "silu_on_both", "sum", "gate_unused", "reglu")
    wrong = of(check.swiglu.mistakes, *keys)
    assert_seen(lambda swiglu: plot.gate(worked.glu, swiglu), worked.swiglu, wrong)
    keys = (*keys, "silu_after_down", "residual")
    wrong = of(check.swiglu.mistakes, *keys)
    assert_seen(lambda swiglu: plot.flow(worked.swish, swiglu), worked.swiglu, wrong)

    keys = ("four_dim", "two_forgotten", "ignores_multiplier", "rounds_down", "returns_float")
    wrong = of(check.ffn_hidden_dim.mistakes, *keys[:-1], "multiplier_twice", "eight_forgotten")
    assert_seen(plot.parameters, worked.ffn_hidden_dim, wrong)


def test_wrong_layers_are_seen_in_the_race(short: None) -> None:
    wrong = of(check.swiglu.mistakes, "bilinear", "no_gate", "hidden_detached", "normalises")
    assert_seen(plot.race, worked.swiglu, wrong)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer steps, so that the tests take a second."""
    monkeypatch.setattr(measures, "RACE_STEPS", 60)
    monkeypatch.setattr(measures, "RACE_MARKS", [0, 60])


# ---- the two units of 7.0


@pytest.fixture(scope="module")
def trained() -> dead.Units:
    """The training without a norm, as the lab runs it."""
    dead.units.cache_clear()
    return dead.units(False)


def test_some_units_die_and_some_come_back(trained: dead.Units) -> None:
    counts = trained.dead.sum(1).tolist()
    assert counts[0] == 0
    assert max(counts) > 100
    back, gone = trained.back, trained.gone
    assert trained.dead[-1, gone]
    assert not trained.dead[-1, back]
    assert trained.dead[trained.died, back]
    assert not dead.units(True).dead.any(), "with a norm no unit dies"


def test_a_dead_unit_is_one_without_a_gradient() -> None:
    generator = torch.Generator().manual_seed(1)
    below = torch.randn(50, 6, generator=generator)
    weights = (torch.randn(40, 6, generator=generator) - 1.0).requires_grad_()
    inputs = (below.abs() @ weights.T).detach()
    torch.relu(below.abs() @ weights.T).sum().backward()
    silent = inputs.amax(0) <= 0
    assert silent.any()
    assert torch.equal(silent, (weights.grad == 0).all(1))


def test_the_unit_comes_back_with_the_weights_it_died_with(trained: dead.Units) -> None:
    """The layer below brought it back: its own weights, held, give the same inputs."""
    alive = next(
        look
        for look in range(trained.died, len(trained.held))
        if not trained.dead[look, trained.back]
    )
    assert trained.held[alive] > 0
    apart = (trained.held - trained.largest[:, trained.back])[trained.died : alive + 1]
    assert apart.abs().max() < dead.CLOSE


def test_both_units_are_marked(trained: dead.Units) -> None:
    picture = plot.dead_units()
    for page in (picture.page(), picture.narrow_page()):
        for name, unit in (("A", trained.gone), ("B", trained.back)):
            ring = find(page.figure, f"ring-{name}")
            assert list(ring.get_xdata()) == [unit % 16]
            line = find(page.figure, f"line-{name}").get_ydata()
            assert list(line) == pytest.approx(trained.largest[:, unit].tolist())
        assert find(page.figure, "held")
    assert "A is dead" in picture.caption()
    assert "B is alive again" in picture.caption()
    assert "0 units are dead" in picture.caption(norm="with RMSNorm")
    assert "A has never been dead" in picture.caption(steps=0)


def test_spans_are_the_deaths() -> None:
    states = torch.tensor([[0, 1], [1, 1], [1, 0], [0, 1]], dtype=torch.bool)
    assert sorted(dead._spans(states)) == [(1, 1, 3, 4), (2, 0, 1, 3), (2, 1, 0, 2)]


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
        lambda f: plot.flow(f, f),
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
