"""Lab 04: its pictures draw what the learner's functions compute, and a leak is seen."""

import doctest
import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text
from seen_pictures import assert_seen, of
from torch import Tensor, nn

from checks import attention as check
from checks.engine.devices import pretended_device
from plots import attention as plot
from plots import attention_flow as flow
from plots import attention_sentence as sentences
from plots.measures import attention as measure
from solutions.my_llama import apply_rope

# Not `from … import`: the package has a function of the same name.
worked = importlib.import_module("solutions.my_llama.attention")


def find(figure: Figure, gid: str) -> Any:
    """The artist with this gid."""
    found = figure.findobj(lambda artist: artist.get_gid() == gid)
    assert found, f"nothing in the picture has the gid {gid}"
    return found[0]


def count(figure: Figure, gid: str) -> int:
    """How many cells of one state the picture has."""
    found = figure.findobj(lambda artist: artist.get_gid() == gid)
    return sum(len(artist.get_paths()) for artist in found)


def told(figure: Figure, gid: str) -> list[str]:
    """What the cells of one state say."""
    found = figure.findobj(lambda artist: artist.get_gid() == gid)
    return [text for artist in found for text in artist.llama_says]


def top_left(n_queries: int, n_keys: int) -> Tensor:
    return torch.ones(n_queries, n_keys, dtype=torch.bool).tril()


def no_scale(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    return worked.attention_weights(q * math.sqrt(q.shape[-1]), k, mask)


def mask_ignored(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    return worked.attention_weights(q, k)


def over_queries(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    return (scores if mask is None else scores.masked_fill(~mask, -torch.inf)).softmax(-2)


def view_only(x: Tensor, n_heads: int) -> Tensor:
    return x.reshape(x.shape[0], n_heads, x.shape[1], -1)


class MergesWithoutTranspose(worked.MultiHeadAttention):
    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        q, k, v = (worked.split_heads(w(x), self.n_heads) for w in (self.wq, self.wk, self.wv))
        mask = worked.causal_mask(x.shape[1], x.shape[1])
        return self.wo(worked.attention(q, k, v, mask).reshape(x.shape))


def test_worked_examples() -> None:
    results = doctest.testmod(worked)
    assert results.attempted >= 12
    assert results.failed == 0


def test_masks_show_the_alignment() -> None:
    picture = plot.masks(worked.causal_mask)
    assert "yours: 5, 6; is_causal=True: 1, 2" in picture.caption(queries=2)
    figure = picture.figure(queries=2)
    assert count(figure, "yours-new") == 11
    assert count(figure, "yours-empty") == 24  # the rows that ask nothing
    assert told(figure, "yours-masked") == ["query 4, key 5 is hidden"]
    assert "query 5, key 0 is seen" in told(figure, "is_causal=True-new")
    wrong = plot.masks(top_left)
    assert "yours: 1, 2; is_causal=True: 1, 2" in wrong.caption(queries=2)
    assert count(wrong.figure(queries=2), "yours-new") == 3
    assert "yours: 1, 2, 3, 4, 5, 6" in picture.caption(queries=6)


def test_scale_shows_who_hardens() -> None:
    right, wrong = plot.scale(worked.attention_weights), plot.scale(no_scale)
    entropies = [find(p.figure(d=128), "entropy yours").get_ydata() for p in (right, wrong)]
    assert min(entropies[0]) > 2.8
    assert entropies[1][-1] < 0.5
    assert "0.30 in yours and 0.91 without" in right.caption(d=128)
    assert "0.91 in yours and 0.91 without" in wrong.caption(d=128)


def test_softmax_direction_shows_rows_that_move() -> None:
    right = plot.softmax_direction(worked.attention_weights, worked.causal_mask)
    assert "yours: rows sum to 1.00 … 1.00, and 0 of the 4" in right.caption()
    assert "over queries: rows sum to 0.08 … 3.06, and 4 of the 4" in right.caption()
    marks = [text.get_text() for text in right.figure().findobj(Text)].count("◀")
    assert marks == 4
    wrong = plot.softmax_direction(over_queries, worked.causal_mask)
    assert "yours: rows sum to 0.08 … 3.06, and 4 of the 4" in wrong.caption()
    leaking = plot.softmax_direction(mask_ignored, worked.causal_mask)
    assert count(leaking.figure(), "yours-masked") == 0


def test_lookup_answers_with_an_average() -> None:
    picture = plot.lookup(worked.attention)
    assert "All keys weigh the same, 0.20; the answer is 30.0" in picture.caption(length=0.0)
    assert "Key b gets most, 0.98; the answer is 19.8" in picture.caption(length=8.0)
    wrong = plot.lookup(lambda q, k, v, mask=None: v[: q.shape[0]])
    assert "the answer is 10.0" in wrong.caption(length=8.0)


def test_lookup_draws_the_query_as_long_as_it_is() -> None:
    picture = plot.lookup(worked.attention)
    for length in (1.0, 3.0, 8.0):
        figure = picture.figure(length=length)
        assert np.hypot(*find(figure, "query").get_xydata()[-1]) == pytest.approx(length)
        key = find(figure, "key-b").get_xydata()[-1]
        assert np.hypot(*key) == pytest.approx(plot.KEY_LENGTH)
    bars = list(figure.axes[1].patches)
    middle = sum(bar.get_height() * (bar.get_x() + bar.get_width() / 2) for bar in bars)
    assert find(figure, "answer").get_xdata()[0] == pytest.approx(middle, abs=1e-3)


def test_heads_show_what_view_alone_takes() -> None:
    right = plot.heads(worked.split_heads, worked.merge_heads)
    for head in range(3):
        assert f"features {2 * head}, {2 * head + 1} of tokens 0, 1, 2, 3" in right.caption(
            head=head
        )
    assert "24 of the 24" in right.caption(head=0)
    wrong = plot.heads(view_only, worked.merge_heads)
    assert "features 0, 1, 2, 3, 4, 5 of tokens 1, 2" in wrong.caption(head=1)
    assert "24 of the 24" not in wrong.caption(head=1)
    unmerged = plot.heads(worked.split_heads, lambda x: x.reshape(x.shape[0], x.shape[2], -1))
    assert "24 of the 24" not in unmerged.caption(head=0)


def test_heads_find_what_they_are_made_for() -> None:
    picture = plot.sentence(worked.attention_weights, worked.causal_mask, apply_rope)
    said = picture.caption(head=sentences.NEXT)
    assert "made: at word 3, “bit”, with weight 0.98" in said
    assert "trained: at word 3, “bit”, with weight 0.82" in said
    assert said.count("at word 3") == picture.caption(head="word before").count("at word 8") == 2
    near = [
        picture.caption(head="near words", scale=s).split("entropy ")[1][:4] for s in (True, False)
    ]
    assert float(near[0]) > 2 * float(near[1])
    wrong = plot.sentence(mask_ignored, worked.causal_mask, apply_rope)
    assert count(wrong.figure(), "made-masked") < count(picture.figure(), "made-masked") == 36


def test_a_trained_head_that_finds_nothing_looks_at_the_first_word() -> None:
    picture = plot.sentence(worked.attention_weights, worked.causal_mask, apply_rope)
    figure = picture.figure(head=sentences.NEXT)
    cells = dict(text.rsplit(": ", 1) for text in told(figure, "trained-new"))
    first = [float(cells[f"“{word}” ({i}) → “the” (1)"]) for i, word in ((5, "man"), (7, "then"))]
    assert min(first) > 0.97
    wavers = float(find(figure, "made-bits-6").get_text())
    assert wavers > 2 > 1 > float(find(figure, "trained-bits-6").get_text())


def test_a_sentence_of_the_reader_s_own() -> None:
    picture = plot.your_sentence(worked.attention_weights, worked.causal_mask, apply_rope)
    assert "“same word”: the last word, “rose”" in picture.caption
    for text in ("", "one", "word " * 30):
        caption = picture._draw(Figure((7, 4)), text, "same word", True, True)
        assert "Entropy" in caption


def test_long_words_have_room() -> None:
    parts = worked.attention_weights, worked.causal_mask, apply_rope
    for text in ("unquestionably WWWWWWWWWWWW", "antidisestablishmentarianism is a word", "a b"):
        picture = plot.your_sentence(*parts)
        figure = picture.page.figure
        figure.clear()
        picture._draw(figure, text, "same word", True, True)
        (left,) = figure.axes
        labels = [*left.get_xticklabels(), *left.get_yticklabels()]
        assert [label.get_text() for label in labels][: len(text.split())]
        for label in labels:
            box = label.get_window_extent(figure.canvas.get_renderer())
            assert box.x0 >= 0 and box.y1 <= figure.bbox.height, label.get_text()
    assert sentences._short("antidisestablishmentarianism") == "antidisesta…nism"


def test_leak_detector_sees_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "STEPS", 120)
    right = measure.leak_detector(worked.MultiHeadAttention)
    assert "sees 0 of the 36" in right.caption(module="yours")
    assert "Nothing leaks." in right.caption(module="yours")
    curve = find(right.figure(), "yours").get_ydata()
    assert np.ptp(curve[20:]) < 0.1
    for name, leaks in (("no mask", 36), ("one ahead", 8), ("merge", 14), ("queries", 36)):
        assert f"sees {leaks} of the 36" in right.caption(module=name)
    assert find(right.figure(module="one ahead"), "other").get_ydata()[-1] < 1.0
    wrong = measure.leak_detector(MergesWithoutTranspose)
    assert "sees 14 of the 36" in wrong.caption()
    assert find(wrong.figure(), "yours").get_ydata()[-1] < 0.95 * math.log(16)


WEIGHTS = ("no_scale", "softmax_over_queries", "mask_ignored", "only_the_best")
SEEN: dict[str, tuple[Any, Any, Any, tuple[str, ...]]] = {
    "masks": (
        plot.masks,
        worked.causal_mask,
        check.causal_mask,
        ("top_left", "sees_one_ahead", "does_not_see_itself", "inverted", "not_causal"),
    ),
    "scale": (
        plot.scale,
        worked.attention_weights,
        check.attention_weights,
        ("no_scale", "scaled_by_d", "multiplied_by_root", "only_the_best", "no_softmax"),
    ),
    "softmax_direction": (
        lambda f: plot.softmax_direction(f, worked.causal_mask),
        worked.attention_weights,
        check.attention_weights,
        WEIGHTS,
    ),
    "lookup": (
        plot.lookup,
        worked.attention,
        check.attention,
        ("no_scale", "plain_average", "only_the_best", "softmax_twice", "adds_values"),
    ),
    "flow": (
        lambda f: plot.flow(f, worked.causal_mask, worked.attention),
        worked.attention_weights,
        check.attention_weights,
        WEIGHTS,
    ),
    "flow's mask": (
        lambda f: plot.flow(worked.attention_weights, f, worked.attention),
        worked.causal_mask,
        check.causal_mask,
        ("not_causal", "sees_one_ahead", "does_not_see_itself", "inverted"),
    ),
    "flow's mixture": (
        lambda f: plot.flow(worked.attention_weights, worked.causal_mask, f),
        worked.attention,
        check.attention,
        ("plain_average", "keys_as_values", "mask_ignored", "adds_query"),
    ),
    "two_heads": (
        lambda f: plot.two_heads(f, worked.causal_mask, apply_rope),
        worked.attention_weights,
        check.attention_weights,
        ("softmax_over_queries", "no_scale", "only_the_best", "queries_with_queries"),
    ),
    "heads": (
        lambda f: plot.heads(f, worked.merge_heads),
        worked.split_heads,
        check.split_heads,
        ("view_without_transpose", "every_hth_feature", "heads_reversed"),
    ),
    "merged": (
        lambda f: plot.heads(worked.split_heads, f),
        worked.merge_heads,
        check.merge_heads,
        ("reshape_without_transpose", "heads_inside", "heads_reversed"),
    ),
    "sentence": (
        lambda f: plot.sentence(f, worked.causal_mask, apply_rope),
        worked.attention_weights,
        check.attention_weights,
        WEIGHTS,
    ),
    "your_sentence": (
        lambda f: plot.your_sentence(f, worked.causal_mask, apply_rope),
        worked.attention_weights,
        check.attention_weights,
        WEIGHTS,
    ),
}


@pytest.mark.parametrize("name", SEEN)
def test_wrong_answers_are_seen(name: str) -> None:
    draw, right, exercise, keys = SEEN[name]
    assert_seen(draw, right, of(exercise.mistakes, *keys))


def test_the_way_through_a_head_is_that_of_the_numbers() -> None:
    picture = plot.flow(worked.attention_weights, worked.causal_mask, worked.attention)
    said = [picture.caption(step=step, asks="left") for step in flow.STEPS]
    assert "the 1.44, river 2.99, left 0.41, its −1.93, bank 3.53" in said[2]
    assert "hides from “left” what comes after it: its, bank" in said[3]
    assert "0.16 the + 0.78 river + 0.06 left; together 1.00" in said[4]
    figure = picture.figure(step="mixture", asks="left")
    assert "“left” → “river”: 0.78" in told(figure, "weights-new")
    assert "“left” → “bank”: hidden" in told(figure, "mask-masked")
    drawn = [len(picture.figure(step=step).axes) - 1 for step in flow.STEPS]
    assert drawn == [1, 4, 5, 6, 7, 8]  # matrices that are made so far
    titles = {text.get_text() for text in picture.figure(step="x").axes[0].texts}
    assert {"x (T, D)", "q (T, d)", "mask (T, S)", "weights (T, S)", "out (T, d)"} <= titles


def test_two_heads_of_a_layer_mix_one_word_differently() -> None:
    picture = plot.two_heads(worked.attention_weights, worked.causal_mask, apply_rope)
    said = picture.caption(word="it")
    assert "head 8 takes 0.83 from “cat”, head 5 takes 0.63 from “because”" in said
    assert "head 5 takes 0.44 from “because”" in picture.caption(word="tired")


def test_a_leaking_layer_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "STEPS", 20)
    keys = ("not_causal", "sees_one_ahead", "merge_without_transpose", "softmax_over_queries")
    wrong = of(check.MultiHeadAttention.mistakes, *keys)
    assert_seen(measure.leak_detector, worked.MultiHeadAttention, wrong)


def test_a_row_of_nan_is_not_called_sound() -> None:
    class SeesNothing(worked.MultiHeadAttention):
        def forward(self, x: Tensor, angles: Tensor) -> Tensor:
            return super().forward(x, angles) * torch.nan

    assert "Nothing leaks" not in measure.leak_detector(SeesNothing).caption()


@pytest.mark.parametrize(
    "picture",
    [
        lambda f: plot.masks(f),
        lambda f: plot.scale(f),
        lambda f: plot.softmax_direction(f, worked.causal_mask),
        lambda f: plot.softmax_direction(worked.attention_weights, f),
        lambda f: plot.lookup(f),
        lambda f: plot.heads(f, worked.merge_heads),
        lambda f: plot.heads(worked.split_heads, f),
        lambda f: plot.sentence(f, worked.causal_mask, apply_rope),
        lambda f: plot.flow(worked.attention_weights, worked.causal_mask, f),
        lambda f: plot.two_heads(f, worked.causal_mask, apply_rope),
        lambda f: plot.leak_detector(f),
    ],
)
def test_unwritten_function_draws_a_placeholder(picture: Any) -> None:
    def unwritten(*_: Any) -> Tensor:
        raise NotImplementedError("Exercise 4.9: something")

    assert "Exercise 4.9: something" in picture(unwritten).first.caption


def test_unwritten_function_leaves_a_live_picture_and_the_timing_quiet(capsys: Any) -> None:
    def unwritten(*_: Any) -> Tensor:
        raise NotImplementedError("Exercise 4.2: attention_weights")

    picture = plot.your_sentence(unwritten, worked.causal_mask, apply_rope)
    assert "Exercise 4.2" in picture.caption
    plot.timing(unwritten, worked.causal_mask)
    assert "Exercise 4.2" in capsys.readouterr().out


def made(*size: int) -> Tensor:
    return torch.ones(*size, dtype=torch.bool).tril()


DEVICES: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], bool]] = {
    "a mask made on the CPU": (lambda x, m: x.masked_fill(~made(3, 3), -1.0), True),
    "the mask moved": (lambda x, m: x.masked_fill(~made(3, 3).to(x.device), -1.0), False),
    "moved with its number type": (lambda x, m: x + made(3, 3).type_as(x), False),
    "another number type only": (lambda x, m: x + made(3, 3).to(torch.float32), True),
    "made there": (lambda x, m: x + torch.zeros(3, 3, device=x.device), False),
    "made like x": (lambda x, m: x + torch.zeros_like(x) + x.new_ones(3), False),
    "a bias filled by a mask": (lambda x, m: x + torch.zeros(3, 3).masked_fill(m, -1.0), True),
    "a number": (lambda x, m: torch.where(m, x, torch.tensor(-1.0)), False),
    "an index": (lambda x, m: x[torch.arange(3)], False),
    "a result of its own": (lambda x, m: torch.ones(3), True),
    "a result filled by hand": (lambda x, m: torch.empty(3, 3).copy_(x), True),
    "views": (lambda x, m: x.T.mT.reshape(-1)[None].expand(2, -1), False),
    "numpy of a tensor moved there and back": (
        lambda x, m: torch.from_numpy(x.cpu().numpy() + 1).to(x.device),
        False,
    ),
    "numpy of a tensor on the device": (
        lambda x, m: torch.from_numpy(x.numpy()).to(x.device),
        True,
    ),
    "numpy that is not moved back": (lambda x, m: torch.from_numpy(x.cpu().numpy()), True),
    "einsum": (lambda x, m: torch.einsum("ij,kj->ik", x, torch.ones(3, 3)), True),
}


@pytest.mark.parametrize("name", DEVICES)
def test_pretended_device_finds_what_stays_on_the_cpu(name: str) -> None:
    function, mixed = DEVICES[name]
    x, mask = torch.randn(3, 3), made(3, 3)
    with pretended_device() as device:
        result = function(x, mask)
    assert (device.mixed or not device.holds(result)) == mixed


def test_pretended_device_moves_a_module_but_not_its_plain_tensors() -> None:
    class Keeps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 2)
            self.register_buffer("inside", torch.ones(2))
            self.outside = torch.ones(2)

    for name, mixed in (("inside", False), ("outside", True)):
        x = torch.randn(1, 2)
        with pretended_device() as device:
            module = Keeps()
            device.take([*module.parameters(), *module.buffers()])
            module.linear(x) * getattr(module, name)
        assert device.mixed == mixed


def test_of_two_mistakes_the_one_that_shows_first_is_told_first():
    def scaled_by_d_and_far_below_zero(q, k, mask=None):
        scores = q @ k.transpose(-2, -1) / q.shape[-1]
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -1e9)
        return scores.softmax(-1)

    report = check.attention_weights.run(scaled_by_d_and_far_below_zero)
    assert [mistake.key for mistake in report.mistakes] == ["scaled_by_d", "billion_in_half"]
