"""Lab 06: its pictures draw what the learner's functions compute, right or wrong."""

import doctest
from collections.abc import Callable
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from seen_pictures import assert_seen, of
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from checks import gqa as check
from checks import kv_cache as check_kv_cache
from plots import gqa as plot
from plots.measures import gqa as measure
from solutions.my_llama import gqa as worked
from solutions.my_llama import kv_cache


def tiled(x: Tensor, n_rep: int) -> Tensor:
    return x.repeat(1, n_rep, 1, 1)


def with_tiles(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    n_rep = q.shape[1] // k.shape[1]
    return worked.grouped_query_attention(q, tiled(k, n_rep), tiled(v, n_rep), mask)


def every_kth(weight: Tensor, n_heads: int, n_kv_heads: int) -> Tensor:
    heads = weight.reshape(n_heads // n_kv_heads, n_kv_heads, -1, weight.shape[1])
    return heads.mean(0).reshape(-1, weight.shape[1])


def find(figure: Figure, gid: str) -> Any:
    """The artist with this gid."""
    found = figure.findobj(lambda artist: artist.get_gid() == gid)
    assert found, f"nothing in the picture has the gid {gid}"
    return found[0]


def ends(figure: Figure, gid: str = "fan") -> list[tuple[float, float]]:
    """Where each line begins, above, and ends, below."""
    lines = find(figure, gid).get_segments()
    return [(float(line[0][0]), float(line[1][0])) for line in lines]


def test_worked_examples() -> None:
    results = doctest.testmod(worked, extraglobs={"torch": torch})
    assert results.attempted == 12
    assert results.failed == 0


def test_fan_shows_which_head_is_read() -> None:
    picture = plot.fan(worked.repeat_kv)
    below = [x for _, x in ends(picture.figure(kv_heads=2))]
    assert below == [1.5] * 4 + [5.5] * 4
    assert [x for x, _ in ends(picture.figure(kv_heads=8))] == list(range(8))
    assert "read by q0 to q3. No lines cross." in picture.caption(kv_heads=2)
    assert "multi-query attention" in picture.caption(kv_heads=1)


def test_fan_of_a_tile_is_crossed() -> None:
    picture = plot.fan(tiled)
    assert [x for _, x in ends(picture.figure(kv_heads=2))] == [1.5, 5.5] * 4
    assert "The lines cross 6 times" in picture.caption(kv_heads=4)
    longer = plot.fan(lambda x, n: x.repeat_interleave(n, 2))
    assert "gives 4 heads, where 8 queries wait" in longer.caption(kv_heads=4)
    first = plot.fan(lambda x, n: x[:, :1].expand(-1, x.shape[1] * n, -1, -1))
    assert "Only 1 of the kv heads" in first.caption(kv_heads=4)


def test_memory_at_llamas_sizes() -> None:
    picture = plot.memory(worked.repeat_kv, kv_cache.kv_cache_bytes)
    said = picture.caption(model="Llama 3 8B", kv_heads=8)
    assert "128 KiB for each token" in said
    assert "512 KiB" in said
    assert "This is how it was built" in said
    figure = picture.figure(model="Llama 3 70B", kv_heads=8)
    assert find(figure, "cache-64").get_width() == 20
    assert find(figure, "cache-8").get_width() == 2.5
    assert "2,560 KiB" in picture.caption(model="Llama 3 70B", kv_heads=8)
    assert "cross 168 times" in plot.memory(tiled, kv_cache.kv_cache_bytes).caption(kv_heads=8)


def test_moves_shows_who_shares() -> None:
    picture = plot.moves(worked.grouped_query_attention)
    assert "kv head 0 moves o0 to o3" in picture.caption(kv_heads=2)
    assert "its own output only" in picture.caption(kv_heads=2)
    assert ends(picture.figure(kv_heads=2), "q") == [(h, h) for h in range(8)]
    assert "o0 and o2 and o4 and o6" in plot.moves(with_tiles).caption(kv_heads=2)


def test_moves_shows_averaged_queries() -> None:
    def averaged(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        n_rep = q.shape[1] // k.shape[1]
        mean = q.unflatten(1, (-1, n_rep)).mean(2).repeat_interleave(n_rep, 1)
        return worked.grouped_query_attention(mean, k, v, mask)

    picture = plot.moves(averaged)
    assert "Queries move others' outputs" in picture.caption(kv_heads=2)
    assert len(ends(picture.figure(kv_heads=2), "q")) == 32


def test_pooling_loses_least_and_nothing_when_nothing_is_pooled() -> None:
    figure = plot.pooled(worked.mean_pool_heads).figure(alike=50)
    mean = find(figure, "their mean (yours)").get_ydata()
    first = find(figure, "the first of them").get_ydata()
    assert mean[0] == pytest.approx(0, abs=1e-5)
    assert all(a < b for a, b in zip(mean[1:], first[1:], strict=True))
    same = find(plot.pooled(worked.mean_pool_heads).figure(alike=100), "their mean (yours)")
    assert max(same.get_ydata()) == pytest.approx(0, abs=1e-4)
    wrong = find(plot.pooled(every_kth).figure(alike=50), "their mean (yours)").get_ydata()
    assert wrong[2] > mean[2] + 0.1


def test_intensity_is_a_share_of_the_time() -> None:
    picture = plot.intensity(worked.decode_intensity)
    assert "4.0 FLOPs" in picture.caption(kv_heads=8)
    assert "computes for 1.4 %" in picture.caption(kv_heads=8, context=131_072)
    bar = find(picture.figure(kv_heads=1), "busy-1")
    assert bar.get_width() == pytest.approx(32 * 3.35 / 989)
    wrong = plot.intensity(lambda H, K, d, S: H * S / K)
    assert "computes for 100.0 %" in wrong.caption(kv_heads=8, context=131_072)


def test_numbers_read_are_shazeer_s() -> None:
    full, weights = measure.HEADS, 4 * measure.DIM**2
    assert measure.numbers_read(1, 0, full) == weights
    assert measure.numbers_read(4, 0, full) == weights / 4
    assert measure.numbers_read(1, 2 * measure.DIM, full) == 2 * weights  # 1/b + n/2d
    assert measure.numbers_read(1, 0, 1) == (2 + 2 / full) * measure.DIM**2
    rise = [measure.numbers_read(b, 1000, full) - measure.numbers_read(b, 0, full) for b in (1, 4)]
    assert rise[0] == rise[1]  # a larger batch does not make the cache's part smaller


class Counted(TorchDispatchMode):
    """Counts the numbers that operations take and give; views touch none."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            tensors = [x for x in (*args, out) if isinstance(x, Tensor)]
            self.numbers += sum(x.numel() for x in tensors)
        return out


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small measurement by a clock that a busy machine does not disturb: a number, a step."""

    def counted(*runs: Callable[[], Any]) -> list[float]:
        taken = []
        for run in runs:
            with Counted() as count:
                run()
            taken.append(1e-9 * count.numbers)
        return taken

    monkeypatch.setattr(measure, "fastest", counted)
    monkeypatch.setattr(measure, "BATCHES", [1, 2])
    monkeypatch.setattr(measure, "CONTEXTS", [16, 2048])


def milliseconds(picture: Any, kv_heads: int, **values: int) -> list[float]:
    """The marks of one kind of layer."""
    return list(find(picture.figure(**values), f"time-{kv_heads}").get_ydata())


@pytest.mark.usefixtures("quick")
def test_bandwidth_is_in_milliseconds_and_keeps_the_lines_of_batch_1() -> None:
    picture = plot.bandwidth(worked.GroupedQueryAttention, kv_cache.KVCache)
    one, two = picture.figure(batch=1), picture.figure(batch=2)
    assert "milliseconds a token" in one.axes[0].get_ylabel()
    for kv_heads in measure.KINDS:
        x, y = find(one, f"time-{kv_heads}").get_data()
        assert list(x) == [16, 2048]
        assert min(y) > 0
        line, ghost = find(one, f"curve-{kv_heads}"), find(two, f"ghost-{kv_heads}")
        assert list(line.get_ydata()) == list(ghost.get_ydata())
        lower = find(two, f"curve-{kv_heads}").get_ydata()
        assert lower[0] == pytest.approx(line.get_ydata()[0] / 2)  # the weights
        assert lower[1] - lower[0] == pytest.approx(line.get_ydata()[1] - line.get_ydata()[0])
    assert one.axes[0].get_ylim() == two.axes[0].get_ylim()
    assert "Batch 2." in picture.caption(batch=2)


class ForgetsItsCache(worked.GroupedQueryAttention):
    """Reads none of the old keys."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        return super().forward(x, angles)


class Repeats(worked.GroupedQueryAttention):
    """Copies keys and values for every query head: right, and slow."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        out = super().forward(x, angles, cache)
        n_rep = self.n_heads // self.n_kv_heads
        for part in (cache.keys, cache.values):
            part.repeat_interleave(n_rep, dim=1).sum()
        return out


class FullCache(worked.GroupedQueryAttention):
    """Computes with as many kv heads as query heads, whatever it was told."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        if cache is not None:
            n_rep = self.n_heads // self.n_kv_heads
            wide = [part.repeat_interleave(n_rep, dim=1) for part in (cache.keys, cache.values)]
            (wide[0] @ x.reshape(len(x), self.n_heads, -1, 1)).softmax(2).mT @ wide[1]
        return super().forward(x, angles, cache)


@pytest.mark.usefixtures("quick")
def test_bandwidth_shows_who_reads_too_little_or_too_much() -> None:
    right = plot.bandwidth(worked.GroupedQueryAttention, kv_cache.KVCache)
    forgets = plot.bandwidth(ForgetsItsCache, kv_cache.KVCache)
    lines = find(right.figure(batch=1), "curve-16").get_ydata()
    assert milliseconds(right, 16)[1] == pytest.approx(lines[1], rel=0.1)
    assert milliseconds(forgets, 16)[1] < 0.7 * lines[1]
    for slow in (Repeats, FullCache):
        marks = milliseconds(plot.bandwidth(slow, kv_cache.KVCache), 1)
        assert marks[1] > 1.5 * milliseconds(right, 1)[1]


def test_bandwidth_measures_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "ROUNDS", 1)
    monkeypatch.setattr(measure, "BATCHES", [1, 2])
    monkeypatch.setattr(measure, "CONTEXTS", [16])
    picture = plot.bandwidth(worked.GroupedQueryAttention, kv_cache.KVCache)
    assert min(milliseconds(picture, 1)) > 0


SEEN: dict[str, tuple[Any, Any, Any, tuple[str, ...]]] = {
    "fan": (
        plot.fan,
        worked.repeat_kv,
        check.repeat_kv,
        ("tiled", "first_head_for_all", "heads_reversed", "one_head_on", "mean_of_heads"),
    ),
    "memory": (
        lambda f: plot.memory(f, kv_cache.kv_cache_bytes),
        worked.repeat_kv,
        check.repeat_kv,
        ("tiled", "first_head_for_all", "heads_reversed", "one_head_on"),
    ),
    "memory in bytes": (
        lambda f: plot.memory(worked.repeat_kv, f),
        kv_cache.kv_cache_bytes,
        check_kv_cache.kv_cache_bytes,
        ("keys_only", "one_layer", "one_head"),
    ),
    "moves": (
        plot.moves,
        worked.grouped_query_attention,
        check.grouped_query_attention,
        ("tiled", "mean_query", "first_kv_head", "group_outputs_averaged"),
    ),
    "pooled": (
        plot.pooled,
        worked.mean_pool_heads,
        check.mean_pool_heads,
        ("every_kth_head", "sum_not_mean", "first_head", "one_mean_for_all"),
    ),
    "intensity": (
        plot.intensity,
        worked.decode_intensity,
        check.decode_intensity,
        ("upside_down", "kv_heads_ignored", "query_heads_ignored", "times_positions"),
    ),
}


@pytest.mark.parametrize("name", SEEN)
def test_wrong_answers_are_seen(name: str) -> None:
    draw, right, exercise, keys = SEEN[name]
    assert_seen(draw, right, of(exercise.mistakes, *keys))


def test_heads_say_whom_they_read() -> None:
    said = [
        text.llama_says
        for text in plot.fan(worked.repeat_kv).figure(kv_heads=2).axes[0].texts
        if hasattr(text, "llama_says")
    ]
    assert "query head 5 reads kv head 1" in said
    assert "kv head 1 is read by q4 to q7" in said


def test_decode_step_prints_both_ways(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "ROUNDS", 1)
    plot.decode_step(worked.grouped_query_attention, worked.repeat_kv, heads=16, seq_len=64)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert [line.split()[0] for line in lines[2:]] == ["16", "4", "1", "1"]


def test_cache_with_too_many_heads_is_told_in_words() -> None:
    caches = next(m for m in check.GroupedQueryAttention.mistakes if m.key == "caches_expanded")
    report = check.GroupedQueryAttention.run(caches.answers[0])
    failed = [row for row in report.rows if row.ok is False]
    assert len(failed) == 1
    assert "keys of 6 heads" in failed[0].says


@pytest.mark.parametrize(
    "picture",
    [
        lambda f: plot.fan(f),
        lambda f: plot.memory(f, f),
        lambda f: plot.moves(f),
        lambda f: plot.pooled(f),
        lambda f: plot.intensity(f),
        lambda f: plot.bandwidth(f, f),
    ],
)
def test_unwritten_function_draws_a_placeholder(picture: Any) -> None:
    def unwritten(*_: Any) -> Tensor:
        raise NotImplementedError("Exercise 6.1: repeat_kv")

    assert "Exercise 6.1: repeat_kv" in picture(unwritten).first.caption


def test_unwritten_function_is_not_measured(capsys: pytest.CaptureFixture[str]) -> None:
    def unwritten(*_: Any) -> Tensor:
        raise NotImplementedError("Exercise 6.1: repeat_kv")

    plot.decode_step(unwritten, unwritten)
    assert "Exercise 6.1: repeat_kv" in capsys.readouterr().out
    assert torch.is_grad_enabled()
