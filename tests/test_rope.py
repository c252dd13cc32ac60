"""Lab 03: its pictures draw what the learner's function computes, right or wrong."""

import doctest
import math
from typing import Any

import numpy as np
import pytest
import torch
from aliasing import assert_nothing_is_sampled
from matplotlib.figure import Figure
from seen_pictures import assert_seen, of
from torch import Tensor

from checks import rope as check
from plots import rope as plot
from plots.style import FILL
from solutions.my_llama import rope as worked

HALF_TURN = 180


def half_split(x: Tensor, angles: Tensor) -> Tensor:
    """RoPE in Hugging Face's layout, where neighbours are wanted."""
    return worked.apply_rope_half(x, angles)


def identity(x: Tensor, angles: Tensor) -> Tensor:
    return x.clone()


def clockwise(x: Tensor, angles: Tensor) -> Tensor:
    return worked.apply_rope(x, -angles)


def find(figure: Figure, gid: str) -> Any:
    """The artist with this gid."""
    found = figure.findobj(lambda artist: artist.get_gid() == gid)
    assert found, f"nothing in the picture has the gid {gid}"
    return found[0]


def tip(figure: Figure, gid: str) -> np.ndarray:
    """Where an arrow points."""
    return np.array(find(figure, gid).get_xydata()[-1])


def direction(v: np.ndarray) -> float:
    return math.degrees(math.atan2(v[1], v[0])) % 360


def test_worked_examples() -> None:
    results = doctest.testmod(worked)
    assert results.attempted == 11
    assert results.failed == 0


def test_rotation_shows_the_turn_of_each_position_and_pair() -> None:
    picture = plot.rotation(worked.apply_rope)
    for position in range(8):
        for pair in range(3):
            figure = picture.figure(position=position, pair=pair)
            asked = math.degrees(position * plot.TOY_BASE ** (-pair / 3)) % 360
            before, after, hand = (tip(figure, gid) for gid in ("before", "after", "hand"))
            turned = (direction(after) - direction(before)) % 360
            assert abs((turned - asked + HALF_TURN) % 360 - HALF_TURN) < 0.1
            assert abs((direction(hand) - asked + HALF_TURN) % 360 - HALF_TURN) < 0.1
            assert np.hypot(*after) == pytest.approx(np.hypot(*before), rel=1e-3)
            at = math.radians(asked)
            assert hand == pytest.approx([math.cos(at), math.sin(at)], abs=1e-3)
    assert "3 × 1 = 3 radians, 172°" in picture.caption(position=3, pair=0)
    assert "its length stays 0.92" in picture.caption(position=3, pair=0)
    assert "3 × 0.0625 = 0.1875 radians, 11°" in picture.caption(position=3, pair=2)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (
            half_split,
            "It turns by 102°, from (0.80, 0.45) to (−0.80, 0.91), and its length is 1.21",
        ),
        (identity, "172°. “the” should turn by that and keep its length 0.92. It turns by 0°"),
        (clockwise, "172°. “the” should turn by that and keep its length 0.92. It turns by 188°"),
        (lambda x, angles: 0.5 * worked.apply_rope(x, angles), "its length is 0.46"),
    ],
)
def test_rotation_shows_a_wrong_function(wrong: Any, says: str) -> None:
    right, picture = plot.rotation(worked.apply_rope), plot.rotation(wrong)
    at = {"position": 3, "pair": 0}
    moved = np.hypot(*(tip(right.figure(**at), "after") - tip(picture.figure(**at), "after")))
    assert moved > 0.05
    assert says in picture.caption(**at)


def test_half_split_hands_leave_the_circle() -> None:
    picture = plot.rotation(half_split)
    lengths = [np.hypot(*tip(picture.figure(position=m, pair=0), "hand")) for m in range(8)]
    assert min(lengths) < 0.6
    right = plot.rotation(worked.apply_rope)
    for m in range(8):
        assert np.hypot(*tip(right.figure(position=m, pair=0), "hand")) == pytest.approx(1)


def test_rotation_names_every_word_and_writes_no_two_names_on_one_another() -> None:
    picture = plot.rotation(worked.apply_rope)
    for pair in range(3):
        figure = picture.figure(position=0, pair=pair)
        renderer = figure.canvas.get_renderer()
        for axes, count in zip(figure.axes, (6, 8, 8), strict=True):
            names = [text for text in axes.texts if text.get_text()]
            assert len(names) == count or (axes is figure.axes[1] and pair == 2)
            boxes = [name.get_window_extent(renderer).padded(-2) for name in names]
            for place, box in enumerate(boxes):
                assert not any(box.overlaps(other) for other in boxes[:place]), names[place]


def test_shift_shades_the_angle_between_the_two() -> None:
    picture = plot.shift(worked.apply_rope, worked.sinusoidal_positions)
    spans = [[], []]
    for position in (0, 5, 11):
        axes = picture.figure(position=position, distance=2).axes
        for panel, found in zip(axes, spans, strict=False):
            sector = next(p for p in panel.patches if p.get_gid() == "between").get_xy()
            found.append((direction(sector[12]) - direction(sector[1])) % 360)
    assert np.ptp(spans[0]) < 0.1
    assert np.ptp(spans[1]) > 10


def test_shift_stands_still_for_a_rotation_only() -> None:
    picture = plot.shift(worked.apply_rope, worked.sinusoidal_positions)
    for distance in (2, 4):
        figure = picture.figure(position=9, distance=distance)
        rotated = find(figure, "score-rotated").get_ydata()
        added = find(figure, "score-added").get_ydata()
        assert np.ptp(rotated) < 1e-4
        assert np.ptp(added) > 1
        q, k = tip(figure, "q-rotated"), tip(figure, "k-rotated")
        assert q @ k == pytest.approx(rotated[9], abs=1e-4)
        table = worked.sinusoidal_positions(20, 4, 0.4**-2)[9, 2:]
        assert tip(figure, "q-added") == pytest.approx(
            (table + torch.tensor([1.0, 0.5])).numpy(), abs=1e-4
        )
    assert "Rotated, q·k is 0.79 and stands still; added, it is 3.07" in picture.caption()
    absolute = plot.shift(lambda x, a: x + a.repeat_interleave(2, -1), worked.sinusoidal_positions)
    assert "stands still" not in absolute.caption()


def test_shift_with_the_identity_ignores_the_distance() -> None:
    picture = plot.shift(identity, worked.sinusoidal_positions)
    scores = {d: find(picture.figure(distance=d), "score-rotated").get_ydata()[0] for d in (2, 4)}
    assert scores[2] == scores[4]
    right = plot.shift(worked.apply_rope, worked.sinusoidal_positions)
    assert find(right.figure(distance=4), "score-rotated").get_ydata()[0] != scores[4]


def test_clocks_count_turns() -> None:
    picture = plot.clocks(worked.rope_frequencies, worked.rope_angles)
    figure = picture.figure(position=128, base=10_000)
    assert find(figure, "turns-0").get_text() == "20.4 turns"
    assert find(figure, "turns-7").get_text() == "0.01 turns"
    assert "3 of 8 hands have come round" in picture.caption(position=128, base=10_000)
    x, y = find(figure, "hand-4").get_data()
    assert math.atan2(y[1] - y[0], x[1] - x[0]) == pytest.approx(1.28, abs=1e-3)
    wrong = plot.clocks(
        lambda d, base=1e4: 1 / worked.rope_frequencies(d, base), worked.rope_angles
    )
    assert "3 of 8" not in wrong.caption(position=128, base=10_000)


def test_clocks_show_a_base_that_is_ignored() -> None:
    def ignores(head_dim: int, base: float = 10_000.0) -> Tensor:
        return worked.rope_frequencies(head_dim)

    right = plot.clocks(worked.rope_frequencies, worked.rope_angles)
    wrong = plot.clocks(ignores, worked.rope_angles)
    assert "the slowest 609,226" in right.caption(base=500_000)
    assert "the slowest 19,869" in wrong.caption(base=500_000)


def test_heatmap_shows_the_table() -> None:
    picture = plot.heatmap(worked.sinusoidal_positions)
    figure = picture.figure(pair=8)
    table = worked.sinusoidal_positions(64, 32).numpy()
    assert find(figure, "column-0").get_xdata() == pytest.approx(table[:, 16], abs=1e-6)
    assert find(figure, "column-1").get_xdata() == pytest.approx(table[:, 17], abs=1e-6)
    colours = find(figure, "table").get_array()
    assert colours.shape == (64, 32, 4)
    strength = (colours[..., 3] - FILL[0]) / (FILL[1] - FILL[0])
    assert np.abs(strength - np.abs(table)).max() < 1 / 64 + 1e-6  # not rounded to quarters
    assert_nothing_is_sampled(figure)
    assert_nothing_is_sampled(picture.narrow_page(pair=8).figure)

    def halves(seq_len: int, dim: int, base: float = 1e4) -> Tensor:
        return worked.interleaved_to_half(worked.sinusoidal_positions(seq_len, dim, base))

    wrong = plot.heatmap(halves).figure(pair=8)
    assert abs(find(wrong, "column-1").get_xdata() - table[:, 17]).max() > 0.5
    different = find(wrong, "table").get_array() != colours
    assert different.any(-1).mean() > 0.3


def test_decay_falls_for_equal_vectors() -> None:
    picture = plot.decay(worked.apply_rope)
    scores = find(picture.figure(base=10_000), "scores-0").get_ydata()
    assert scores[0] == pytest.approx(1)
    assert scores[128:].mean() == pytest.approx(0.36, abs=0.01)
    flat = find(plot.decay(identity).figure(), "scores-0").get_ydata()
    assert np.ptp(flat) == 0
    assert abs(find(picture.figure(), "mean").get_ydata()).max() < 0.1


def test_clocks_are_played_step_by_step() -> None:
    picture = plot.clocks(worked.rope_frequencies, worked.rope_angles)
    assert picture.sliders["position"][:10] == [*range(9), 128]
    x, y = find(picture.figure(position=5), "trail-1").get_data()
    assert len(x) == 6
    assert np.hypot(x - 1, y) == pytest.approx(0.42)


def test_scores_are_constant_along_diagonals_for_a_rotation_only() -> None:
    picture = plot.scores(worked.apply_rope, worked.sinusoidal_positions)
    for distance in (-6, 0, 3):
        figure = picture.figure(distance=distance)
        rotated, added = (find(figure, f"along-{name}") for name in ("rotated", "added"))
        assert np.ptp(rotated.get_ydata()) < 1e-4 < 1 < np.ptp(added.get_ydata())
        assert len(rotated.get_xdata()) == 14 - abs(distance)
    assert (
        "the score is one number where both are rotated, and wanders by 6.04" in picture.caption()
    )
    assert_nothing_is_sampled(figure)
    absolute = plot.scores(lambda x, a: x + a.repeat_interleave(2, -1), worked.sinusoidal_positions)
    assert "is one number" not in absolute.caption()


def test_pairing_shows_which_coordinates_move_together() -> None:
    picture = plot.pairing(worked.apply_rope, worked.apply_rope_half)
    assert "Coordinate 2 moves 2 and 3 where neighbours are pairs, and 2 and 6" in picture.caption()
    swapped = plot.pairing(half_split, worked.apply_rope)
    assert "Coordinate 2 moves 2 and 6 where neighbours are pairs" in swapped.caption()
    assert "moves 2 where" in plot.pairing(identity, identity).caption()


def test_drift_is_a_number(capsys: pytest.CaptureFixture) -> None:
    plot.drift(worked.apply_rope, worked.sinusoidal_positions)
    rows = capsys.readouterr().out.splitlines()[2:]
    added, rotary, rounded = ([float(x) for x in row[28:].split()] for row in rows)
    assert min(added) > 0.5
    assert max(rotary) < 1e-3
    assert rounded[0] < 0.02 < 0.3 < rounded[2]


def test_timing_names_every_rotation(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_LAB_GRADING", "1")
    plot.timing({"neighbours": worked.apply_rope, "complex": worked.apply_rope_complex})
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("adding a table", "neighbours", "complex", "ratio"))


@pytest.mark.parametrize(
    "picture",
    [
        lambda f: plot.heatmap(f),
        lambda f: plot.rotation(f),
        lambda f: plot.shift(f, f),
        lambda f: plot.clocks(f, f),
        lambda f: plot.decay(f),
        lambda f: plot.pairing(f, f),
        lambda f: plot.scores(f, f),
    ],
)
def test_unwritten_function_draws_a_placeholder(picture: Any) -> None:
    def unwritten(*_: Any) -> Tensor:
        raise NotImplementedError("Exercise 3.5: apply_rope")

    assert "Exercise 3.5: apply_rope" in picture(unwritten).first.caption


def test_unwritten_function_is_no_error_in_a_measurement(capsys: pytest.CaptureFixture) -> None:
    def unwritten(*_: Any) -> Tensor:
        raise NotImplementedError("Exercise 3.5: apply_rope")

    plot.drift(unwritten, worked.sinusoidal_positions)
    plot.timing({"neighbours": unwritten})
    assert capsys.readouterr().out.count("Exercise 3.5: apply_rope is not written yet") == 2


# Wrong answers that no catalogue lists: they are rejected, and no mistake is pinned on them falsely.
def one_token_is_left_alone(x: Tensor, angles: Tensor) -> Tensor:
    return worked.apply_rope(x, angles) if x.shape[-2] > 1 else x.clone()


def absolute_angles(x: Tensor, angles: Tensor) -> Tensor:
    return worked.apply_rope(x, angles.abs())


def limited_context(x: Tensor, angles: Tensor) -> Tensor:
    return worked.apply_rope(x, angles.clamp(max=8192))


def slightly_longer(x: Tensor, angles: Tensor) -> Tensor:
    return 1.001 * worked.apply_rope(x, angles)


def eight_numbers_only(x: Tensor, angles: Tensor) -> Tensor:
    turned = worked.apply_rope(x, angles)
    return torch.cat((turned[..., :8], x[..., 8:]), dim=-1)


def mixes_heads(x: Tensor, angles: Tensor) -> Tensor:
    return worked.apply_rope(x.mean(1, keepdim=True).expand_as(x) if x.ndim > 3 else x, angles)


def remembers_angles() -> Any:
    kept: dict[torch.Size, Tensor] = {}
    return lambda x, angles: worked.apply_rope(x, kept.setdefault(angles.shape, angles))


@pytest.mark.parametrize(
    "wrong",
    [
        one_token_is_left_alone,
        absolute_angles,
        limited_context,
        slightly_longer,
        eight_numbers_only,
        mixes_heads,
        remembers_angles(),
        lambda x, angles: torch.from_numpy(worked.apply_rope(x, angles).detach().numpy()),
        lambda x, angles: worked.apply_rope(x, angles).data,
        lambda x, angles: (worked.apply_rope(x, angles),),
        lambda x, angles: worked.apply_rope(x, angles.mul_(2) / 2),
    ],
)
def test_other_wrong_answers_are_rejected(wrong: Any) -> None:
    report = check.apply_rope.run(wrong)
    assert report.result in ("failed", "right")
    assert not report.mistakes or report.mistake == "detached", report.text


def test_llama_and_hugging_face_agree_after_the_permutation() -> None:
    q, k = torch.randn(2, 3, 7, 128, generator=torch.Generator().manual_seed(0))
    angles = worked.rope_angles(torch.arange(7), worked.rope_frequencies(128, 500_000.0))
    neighbours = worked.apply_rope(q, angles) @ worked.apply_rope(k, angles).mT
    q, k = worked.interleaved_to_half(q), worked.interleaved_to_half(k)
    halves = worked.apply_rope_half(q, angles) @ worked.apply_rope_half(k, angles).mT
    assert torch.allclose(neighbours, halves, atol=1e-4)


def test_against_transformers() -> None:
    """The half-split rotation is that of the library itself."""
    llama = pytest.importorskip("transformers.models.llama.modeling_llama")
    q, k = torch.randn(2, 1, 3, 7, 16, generator=torch.Generator().manual_seed(0))
    angles = worked.rope_angles(torch.arange(7), worked.rope_frequencies(16))
    both = torch.cat((angles, angles), dim=-1)[None]
    right = llama.apply_rotary_pos_emb(q, k, both.cos(), both.sin())
    for mine, theirs in zip((q, k), right, strict=True):
        assert torch.allclose(worked.apply_rope_half(mine, angles), theirs, atol=1e-6)


MIXED = ("half_split", "first_with_last", "reversed_pairs", "off_by_one_pairs", "clockwise")
BATCH = ("first_of_batch_only", "along_heads")
WRONG = {
    "rotation": ("apply_rope", plot.rotation, MIXED + BATCH),
    "shift": ("apply_rope", lambda f: plot.shift(f, worked.sinusoidal_positions), MIXED + BATCH),
    "shift, sinusoids": (
        "sinusoidal_positions",
        lambda f: plot.shift(worked.apply_rope, f),
        ("halves", "half_exponent", "no_sine"),
    ),
    "scores": ("apply_rope", lambda f: plot.scores(f, worked.sinusoidal_positions), MIXED + BATCH),
    "scores, sinusoids": (
        "sinusoidal_positions",
        lambda f: plot.scores(worked.apply_rope, f),
        ("halves", "half_exponent", "ignores_base", "sin_cos_exchanged"),
    ),
    "decay": ("apply_rope", plot.decay, ("identity", "cosine_only", "twice", "degrees")),
    "pairing": (
        "apply_rope",
        lambda f: plot.pairing(f, worked.apply_rope_half),
        ("half_split", "first_with_last", "clockwise"),
    ),
    "pairing, halves": (
        "apply_rope_half",
        lambda f: plot.pairing(worked.apply_rope, f),
        ("neighbours", "first_with_last", "clockwise"),
    ),
    "heatmap": (
        "sinusoidal_positions",
        plot.heatmap,
        ("halves", "half_exponent", "one_based_positions", "reversed_pairs", "sin_cos_exchanged"),
    ),
    "clocks": (
        "rope_frequencies",
        lambda f: plot.clocks(f, worked.rope_angles),
        ("half_exponent", "reversed", "linear", "wavelengths"),
    ),
    "clocks, angles": (
        "rope_angles",
        lambda f: plot.clocks(worked.rope_frequencies, f),
        ("one_based", "negative", "adds", "reversed_frequencies"),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answers_are_seen(name: str) -> None:
    """A vector of one pair would hide who mixes pairs, one without a batch who mixes heads."""
    exercise, draw, keys = WRONG[name]
    mistakes = getattr(check, exercise).mistakes
    assert_seen(draw, getattr(worked, exercise), of(mistakes, *keys))
