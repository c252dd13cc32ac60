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


def test_columns_have_mean_zero_after_the_learner_s_batch_norm() -> None:
    picture = plot.columns(worked.batch_norm)
    after = heights(picture.figure(feature=1), "bars", 6)
    assert sum(after) == pytest.approx(0, abs=1e-4)
    assert sum(h * h for h in after) == pytest.approx(6, rel=1e-3)
    wrong = plot.columns(lambda x, eps=1e-5: x - x.mean(0))
    assert "0.00 and 1.94 after" in wrong.caption(feature=2)
    assert "0.00 and 1.00 after" in picture.caption(feature=2)


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
        lambda f: plot.columns(f),
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


@pytest.mark.parametrize("draw", [plot.shift_and_scale, plot.directions])
def test_wrong_answers_are_seen(draw: Any) -> None:
    """One vector alone would hide who mixes the rows of a batch."""
    keys = ("columns_not_rows", "dim_one")
    wrong = of(check.rms_norm.mistakes, *keys) | {"mean of all": all_rows, "no root": no_root}
    assert_seen(lambda f: draw(worked.layer_norm, f), worked.rms_norm, wrong)


def all_rows(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    return x / (x.square().mean() + eps).sqrt() * weight


def no_root(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    return x / (x.square().mean(-1, keepdim=True) + eps) * weight
