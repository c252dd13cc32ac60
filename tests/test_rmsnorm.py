"""Lab 02: its pictures draw what the learner's function computes, right or wrong."""

import doctest
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from seen_pictures import assert_seen, of
from torch import Tensor

from checks import rmsnorm as check
from plots import rmsnorm as plot
from plots.measures import rmsnorm as measures
from solutions.my_llama import rmsnorm as worked


def layer_norm_of_columns(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    return worked.batch_norm(x.reshape(-1, x.shape[-1])).reshape(x.shape) * weight + bias


def find(figure: Figure, gid: str) -> Any:
    """The artist with this gid."""
    found = figure.findobj(lambda artist: artist.get_gid() == gid)
    assert found, f"nothing in the picture has the gid {gid}"
    return found[0]


def heights(figure: Figure, gid: str, count: int) -> list[float]:
    return [find(figure, f"{gid}-{i}").get_height() for i in range(count)]


def test_worked_examples() -> None:
    results = doctest.testmod(worked)
    assert results.attempted == 4
    assert results.failed == 0


def test_the_real_stream_grows_and_its_first_word_is_huge() -> None:
    picture = plot.stream()
    assert "size 29.88 on average, from 0.11" in picture.caption(sub_layers=60)
    assert "the first word has 943." in picture.caption(sub_layers=36)
    figure = picture.figure(sub_layers=40)
    assert [axes.get_yscale() for axes in figure.axes] == ["linear", "linear"]
    assert len(find(figure, "size-3").get_ydata()) == 41


def test_before_or_after_tells_the_two_places_apart() -> None:
    picture = plot.before_or_after(worked.rms_norm)
    caption = picture.caption(sub_layers=64)
    assert "7.94 and 13 % with pre-norm; 1.00 and less than 1 % with post-norm" in caption
    figure = picture.figure(sub_layers=64)
    before, after = (find(figure, f"size-{kind}").get_ydata() for kind in ("pre-norm", "post-norm"))
    assert before[-1] > 6
    assert max(after) == pytest.approx(1, rel=1e-3)
    heights_at = [find(figure, f"loss-{kind}-2").get_height() for kind in ("pre-norm", "post-norm")]
    assert heights_at[0] < 0.2 < 0.8 < heights_at[1]


def test_the_knee_stands_at_the_root_of_epsilon() -> None:
    picture = plot.knee(worked.rms_norm)
    assert "size 0.001 comes out with size 0.30, and with ε after the root with 0.99" in (
        picture.caption(epsilon="0.00001")
    )
    outside = plot.knee(
        lambda x, w, eps=1e-5: x.float() / (x.float().square().mean(-1, True).sqrt() + eps) * w
    )
    assert "comes out with size 0.99" in outside.caption()


def test_who_moves_shows_a_norm_that_mixes_samples() -> None:
    right = plot.who_moves(worked.batch_norm, worked.layer_norm)
    assert "by up to 0.95 in BatchNorm's result, by up to 0.00 in Layer" in right.caption(times=4)
    wrong = plot.who_moves(worked.batch_norm, layer_norm_of_columns)
    assert "by up to 0.95 in LayerNorm's" in wrong.caption(times=4)
    assert "by up to 0.00 in LayerNorm's" in wrong.caption(times=1)


def test_shift_and_scale_tells_the_norms_apart() -> None:
    picture = plot.shift_and_scale(worked.layer_norm, worked.rms_norm)
    assert "Only RMSNorm's result changes" in picture.caption(change="x + 2")
    assert "Neither result changes" in picture.caption(change="3 · x")
    expected = worked.rms_norm(plot.VECTOR + 1, torch.ones(6)).tolist()
    assert heights(picture.figure(change="x + 1"), "RMSNorm", 6) == pytest.approx(expected)
    no_root = plot.shift_and_scale(
        worked.layer_norm, lambda x, w, eps=1e-5: x / (x.square().mean(-1, keepdim=True) + eps) * w
    )
    assert "Only RMSNorm's result changes" in no_root.caption(change="3 · x")


def test_directions_show_the_circle_and_the_two_points() -> None:
    picture = plot.directions(worked.layer_norm, worked.rms_norm)
    for degrees in (0, 75, 210):
        x, y = find(picture.figure(degrees=degrees), "rms").get_data()
        assert (x[1] ** 2 + y[1] ** 2) == pytest.approx(2, rel=1e-3)
        x, y = find(picture.figure(degrees=degrees), "layer").get_data()
        assert (abs(x[1]), x[1] + y[1]) == pytest.approx((1, 0), abs=1e-3)
    assert "nothing is left" in picture.caption(degrees=225)
    wrong = plot.directions(worked.layer_norm, lambda x, w, eps=1e-5: x * w)
    assert "sets the length to 2.20" in wrong.caption(degrees=75)


def test_training_separates_re_scaling_from_re_centring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "STEPS", 60)
    worst = measures.WORST
    losses = {
        name: measures.train(norm, measures.RESIDUAL)[-1]
        .nan_to_num(worst)
        .clamp(max=worst)
        .median(-1)
        .values
        for name, norm in {
            "none": lambda x: x,
            "centred": lambda x: x - x.mean(-1, keepdim=True),
            "rms": lambda x: worked.rms_norm(x, torch.ones(32)),
            "layer": lambda x: worked.layer_norm(x, torch.ones(32), torch.zeros(32)),
        }.items()
    }
    assert losses["none"][-1] == losses["centred"][-1] == worst
    assert losses["rms"].max() < 0.5
    assert (losses["rms"] / losses["layer"]).log().abs().max() < 0.5


@pytest.mark.parametrize(
    "picture",
    [
        lambda f: plot.before_or_after(f),
        lambda f: plot.knee(f),
        lambda f: plot.who_moves(f, f),
        lambda f: plot.shift_and_scale(f, f),
        lambda f: plot.directions(f, f),
        lambda f: plot.training(f, f),
    ],
)
def test_unwritten_function_draws_a_placeholder(picture: Any) -> None:
    def unwritten(*_: Any) -> Tensor:
        raise NotImplementedError("Exercise 2.3: rms_norm")

    assert "Exercise 2.3: rms_norm" in picture(unwritten).first.caption


ROWS = ("columns_not_rows", "dim_one", "all_at_once", "no_root")
WRONG = {
    "shift_and_scale": (
        "rms_norm",
        lambda f: plot.shift_and_scale(worked.layer_norm, f),
        (*ROWS, "layer_norm"),
    ),
    "shift_and_scale, LayerNorm": (
        "layer_norm",
        lambda f: plot.shift_and_scale(f, worked.rms_norm),
        ("columns_not_rows", "only_centred", "not_centred", "divides_by_variance"),
    ),
    "directions": ("rms_norm", lambda f: plot.directions(worked.layer_norm, f), ROWS),
    "directions, LayerNorm": (
        "layer_norm",
        lambda f: plot.directions(f, worked.rms_norm),
        ("rms_norm", "only_centred", "columns_not_rows"),
    ),
    "who_moves": (
        "batch_norm",
        lambda f: plot.who_moves(f, worked.layer_norm),
        ("rows_not_columns", "all_at_once", "only_centred"),
    ),
    "who_moves, LayerNorm": (
        "layer_norm",
        lambda f: plot.who_moves(worked.batch_norm, f),
        ("columns_not_rows", "all_at_once", "only_centred"),
    ),
    "before_or_after": (
        "rms_norm",
        plot.before_or_after,
        ("no_root", "squared_not_rooted", "doubled"),
    ),
    "knee": (
        "rms_norm",
        plot.knee,
        ("eps_outside_root", "no_upcast", "ignores_eps", "eps_squared"),
    ),
    "training": (
        "rms_norm",
        lambda f: plot.training(worked.layer_norm, f),
        ("no_root", "sum_not_mean", "doubled"),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answers_are_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One vector alone would hide who mixes the rows of a batch."""
    monkeypatch.setattr(measures, "STEPS", 30)
    monkeypatch.setattr(measures, "RATE_STEPS", 3)
    exercise, draw, keys = WRONG[name]
    mistakes = getattr(check, exercise).mistakes
    assert_seen(draw, getattr(worked, exercise), of(mistakes, *keys))
