"""Lab 05: its pictures draw what the learner's code computes, and a cache that forgets is seen."""

import doctest
from typing import Any

import pytest
import torch
from accepted import kv_cache as accepted
from matplotlib.figure import Figure
from matplotlib.path import Path
from seen_pictures import assert_seen, of
from torch import Tensor

from checks import attention as check_attention
from checks import kv_cache as check
from plots import kv_cache as plot
from plots import kv_cache_costs as costs
from plots.measures import kv_cache as measures
from solutions.my_llama import MultiHeadAttention
from solutions.my_llama import kv_cache as worked

ACCEPTED = {layer.__name__: layer for layer in accepted.ACCEPTED["CachedAttention"]}
WRONG_CACHES = {mistake.key: mistake.answers[0] for mistake in check.KVCache.mistakes}
WRONG_LAYERS = {mistake.key: mistake.answers[0] for mistake in check.CachedAttention.mistakes}


def find(figure: Figure, gid: str) -> list[Any]:
    """The artists with this gid."""
    return figure.findobj(lambda artist: artist.get_gid() == gid)


def text(figure: Figure, gid: str) -> str:
    (found,) = find(figure, gid)
    return found.get_text()


def count(figure: Figure, gid: str) -> int:
    """How many cells stand in one state: paths of their own, or parts of one."""
    total = 0
    for artist in find(figure, gid):
        paths = artist.get_paths() if hasattr(artist, "get_paths") else [artist.get_path()]
        total += sum(int((path.codes == Path.MOVETO).sum()) for path in paths)
    return total


def test_worked_examples() -> None:
    results = doctest.testmod(worked)
    assert results.attempted == 18
    assert results.failed == 0


def test_worked_layer_is_the_layer_of_lab_04_in_chunks_of_any_size() -> None:
    torch.manual_seed(0)
    old, new = MultiHeadAttention(64, 4), worked.CachedAttention(64, 4)
    new.load_state_dict(old.state_dict())
    x, angles = torch.randn(2, 9, 64), torch.randn(9, 8)
    for chunks in ([9], [1] * 9, [4, 5], [1, 3, 2, 3]):
        cache = worked.KVCache.empty(2, 4, 9, 16)
        pieces = zip(x.split(chunks, dim=1), angles.split(chunks), strict=True)
        rows = [new(part, turn, cache) for part, turn in pieces]
        assert torch.allclose(torch.cat(rows, dim=1), old(x, angles), atol=1e-6)


def test_heatmaps_count_the_cells_of_both_ways() -> None:
    picture = plot.heatmaps(worked.CachedAttention, worked.KVCache)
    for step in (1, 3, 8):
        figure, before = picture.figure(step=step), step * (step - 1) // 2
        assert count(figure, "without-new") == step
        assert count(figure, "without-again") == before
        assert count(figure, "without-again-masked") == before  # computed, and then masked
        assert count(figure, "with-new") == step
        assert count(figure, "with-again") == 0
        assert count(figure, "with-ghost") == before
        for part in ("keys", "values"):
            assert count(figure, f"without-{part}-again") == step - 1
            assert count(figure, f"with-{part}-new") == 1
            assert count(figure, f"with-{part}-read") == step - 1
        assert count(figure, "with-queries-read") == 0  # which is why nothing keeps it
        assert count(figure, "with-queries-ghost") == step - 1
        assert count(figure, "with-outputs-ghost") == step - 1
        squares = sum(n * n for n in range(1, step + 1))
        assert text(figure, "without-scores") == f"scores: {step * step} now, {squares} so far"
        heaps = [count(figure, f"without-heap-{part}") for part in ("before", "now")]
        assert heaps == [squares - step * step, step * step]
        assert count(figure, "with-heap-now") == step
    assert "so far 204 against 36" in picture.caption(step=8)


def test_a_prompt_is_a_block_and_a_chunk_a_few_rows() -> None:
    picture = plot.heatmaps(worked.CachedAttention, worked.KVCache)
    figure = picture.figure(step=1, prompt=5)
    for side in ("without", "with"):
        assert count(figure, f"{side}-new") == 15
        assert count(figure, f"{side}-new-masked") == 10
    assert "174 against 46" in picture.caption(step=4, prompt=5)
    figure = picture.figure(step=2, prompt=5, chunk=2)
    assert count(figure, "with-new") == 13  # 6 + 7, and one masked
    assert count(figure, "with-new-masked") == 1
    assert "The last 2 rows are the same" in picture.caption(step=2, prompt=5, chunk=2)
    assert "Read to the end in 3 steps" in picture.caption(step=8, prompt=5, chunk=2)


def test_heatmaps_show_the_layer_s_own_weights() -> None:
    picture = plot.heatmaps(worked.CachedAttention, worked.KVCache)
    figure = picture.figure(step=6)
    row = [text(figure, f"with-5-{c}") for c in range(6)]
    assert row[1] == ".83"  # "it" looks at "cat": a trained head
    assert sum(map(float, row)) == pytest.approx(1, abs=0.03)
    assert row == [text(figure, f"without-5-{c}") for c in range(6)]
    later = picture.figure(step=8)
    assert row == [text(later, f"without-5-{c}") for c in range(6)]  # the same numbers again
    assert "the same" in text(figure, "verdict")
    assert "The last row is the same" in picture.caption(step=6)


class Recomputes(worked.CachedAttention):
    """Keeps what it has read and computes all of it again: right, and it ignores its cache."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        if cache is None:
            return super().forward(x, angles)
        if cache.length == 0:
            self.read: list[tuple[Tensor, Tensor]] = []
        self.read.append((x, angles))
        cache.length += x.shape[1]
        everything = torch.cat([x for x, _ in self.read], 1), torch.cat([a for _, a in self.read])
        return super().forward(*everything)[:, -x.shape[1] :]


def test_a_layer_that_ignores_its_cache_is_seen_though_it_is_right() -> None:
    picture = plot.heatmaps(Recomputes, worked.KVCache)
    said, figure = picture.caption(step=5), picture.figure(step=5)
    assert "without a cache 25 scores, with it 25; so far 55 against 55" in said
    assert "The keys of 4 earlier words are computed again, in spite of the cache" in said
    assert "The last row is the same" in said
    assert count(figure, "with-keys-again") == 4
    assert count(figure, "with-keys-read") == 0
    assert count(figure, "with-again") + count(figure, "with-again-masked") == 20
    assert count(figure, "with-heap-now") == 25


def test_a_layer_that_drops_what_the_cache_returns_is_seen() -> None:
    figure = plot.heatmaps(WRONG_LAYERS["forgets"], worked.KVCache).figure(step=5)
    assert count(figure, "with-new") == 1
    assert count(figure, "with-keys-read") == count(figure, "with-values-read") == 0
    assert text(figure, "with-4-4") == "1"
    assert text(figure, "without-4-1") == ".53"
    assert text(figure, "with-scores") == "scores: 1 now, 5 so far"


@pytest.mark.parametrize("name", sorted(ACCEPTED))
def test_however_a_layer_is_written_its_scores_are_seen(name: str) -> None:
    picture = plot.heatmaps(ACCEPTED[name], worked.KVCache)
    said = picture.caption(step=5)
    if name == "TokenByToken":  # it never forms what a mask would hide
        assert "without a cache 15 scores, with it 5; so far 35 against 15" in said
    else:
        assert "without a cache 25 scores, with it 5; so far 55 against 15" in said
    assert "keys and values of 4 earlier words are read" in said
    assert "The last row is the same" in said


def test_a_layer_that_cannot_do_chunks_draws_the_rest() -> None:
    class OneByOne(worked.CachedAttention):
        def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
            if cache is not None and x.shape[1] > 1:
                raise ValueError("one at a time")
            return super().forward(x, angles, cache)

    picture = plot.heatmaps(OneByOne, worked.KVCache)
    assert "The last row is the same" in picture.caption(step=5)
    assert "the layer stops with an error" in picture.caption(step=5, prompt=5)


@pytest.mark.parametrize(
    "key",
    [
        "forgets",
        "never_stored",
        "swapped_on_return",
        "queries_cached",
        "rotates_again",
        "own_angles",
        "mask_top_left",
        "reads_before_storing",
    ],
)
def test_a_layer_that_forgets_is_seen(key: str) -> None:
    picture = plot.heatmaps(WRONG_LAYERS[key], worked.KVCache)
    assert "DIFFERENT" in picture.caption(step=5)
    assert "DIFFERENT" in text(picture.figure(step=5), "verdict")


@pytest.mark.parametrize(
    "key",
    [
        "length_not_moved",
        "overwrites_the_start",
        "returns_new_only",
        "clears_first",
        "keys_in_both",
    ],
)
def test_a_cache_that_forgets_is_seen(key: str) -> None:
    picture = plot.heatmaps(worked.CachedAttention, WRONG_CACHES[key])
    assert "DIFFERENT" in picture.caption(step=5)


def test_a_missing_mask_is_seen() -> None:
    picture = plot.heatmaps(WRONG_LAYERS["no_mask"], worked.KVCache)
    assert "looks at a LATER word" in picture.caption(step=5)
    assert count(picture.figure(step=5), "without-new") > 5


def test_readers_of_query_key_and_value() -> None:
    picture = plot.readers(MultiHeadAttention)
    for token in range(2, 9):
        figure = picture.figure(token=token)
        assert count(figure, "query-new") == 1
        assert count(figure, "key-new") == 9 - token
        assert count(figure, "value-new") == 9 - token
        assert "no output before it moves" in picture.caption(token=token)
    assert count(picture.figure(token=1), "query-new") == 0
    wrong = plot.readers(WRONG_LAYERS["no_mask"])
    assert "EARLIER tokens move too (If, music, be)" in wrong.caption(token=4)


def test_slots_show_what_is_stored_and_returned() -> None:
    picture = plot.slots(worked.KVCache)
    assert "none written" in picture.caption(update=0)
    assert "Returned: 1 2 3 4 5 (all so far). length 5" in picture.caption(update=3)
    assert "Refused: 9 positions do not fit into a cache of 8. length 7" in picture.caption(
        update=5
    )
    figure = picture.figure(update=3)
    assert [text(figure, f"keys-0-{slot}") for slot in range(5)] == ["1", "2", "3", "4", "5"]
    assert count(figure, "keys-new") == 1
    assert count(figure, "keys-reused") == 4
    for key, seen in {
        "length_not_moved": "Returned: 5 (expected 1 2 3 4 5)",
        "newest_first": "Returned: 5 4 1 2 3 (expected 1 2 3 4 5)",
        "returns_whole_buffer": "Returned: 1 2 3 4 5 0 0 0 (expected 1 2 3 4 5)",
    }.items():
        assert seen in plot.slots(WRONG_CACHES[key]).caption(update=3)
    rolling = plot.slots(WRONG_CACHES["overflow_drops_oldest"]).caption(update=5)
    assert "Returned: 2 3 4 5 6 7 8 9" in rolling


def test_cost_is_exact_about_two_thirds() -> None:
    picture = plot.cost(worked.count_scores)
    assert "14 scores without a cache, 6 with one, 2.3 times" in picture.caption(tokens=3)
    assert "9 against 3, a saving of 66.7 %" in picture.caption(tokens=3)
    assert "2,731 times fewer" in picture.caption(tokens=4096)
    assert "16,777,216 against 4,096, a saving of 99.976 %" in picture.caption(tokens=4096)
    triangle = plot.cost(lambda p, n, cached: n * (n + 1) // 2)
    assert "a saving of 0.0 %" in triangle.caption(tokens=3)


def test_cost_draws_the_last_step_to_scale_and_all_steps_on_a_linear_axis() -> None:
    picture = plot.cost(worked.count_scores)
    for tokens in (3, 8, 128):
        figure = picture.figure(tokens=tokens)
        (new,), (whole,) = find(figure, "new"), find(figure, "all")
        assert new.get_height() / whole.get_height() == pytest.approx(1 / tokens)
    assert "drawn thicker" in text(picture.figure(tokens=4096), "last")
    figure = picture.figure(tokens=512)
    assert [axes.get_yscale() for axes in figure.axes] == ["linear", "linear", "log"]
    for line in find(figure, "without-cache"):
        at = dict(zip(line.get_xdata(), line.get_ydata(), strict=True))
        assert at[512] == 512 * 513 * 1025 // 6


def test_memory_fills_a_card() -> None:
    picture = plot.memory(worked.kv_cache_bytes)
    said = picture.caption(context=8192, conversations=15)
    assert "Llama 2 7B 60 GiB (room for 16), Llama 3 8B 15 GiB (room for 65)" in said
    assert "Longer than Llama 2 7B was trained for" in said
    figure = picture.figure(context=8192, conversations=66)
    assert "Llama 3 8B 66 GiB (only 65 fit)" in picture.caption(context=8192, conversations=66)
    talks = find(figure, "talk-Llama 3 8B")
    assert len(talks) == 65
    assert {talk.get_width() for talk in talks} == {1.0}
    assert talks[-1].get_x() + 1.0 <= costs.CARD < talks[-1].get_x() + 2.0
    assert len(find(figure, "over-Llama 3 8B")) == 1
    assert "trained for" not in picture.caption(context=4096, conversations=1)
    keys_only = plot.memory(lambda *a, **k: worked.kv_cache_bytes(*a, **k) // 2)
    assert "Llama 3 8B 7.5 GiB (room for 130)" in keys_only.caption(conversations=15)


def test_numbers_of_the_notebook() -> None:
    assert worked.kv_cache_bytes(32, 8, 128, 1) == 131_072
    assert worked.kv_cache_bytes(32, 8, 128, 8192) == 2**30
    assert worked.kv_cache_bytes(32, 32, 128, 1) == 512 * 1024
    assert worked.kv_cache_bytes(80, 8, 128, 1) == 320 * 1024
    assert sum(range(1000)) == 499_500
    weights = costs.MODELS["Llama 3 8B"].gib
    assert round(weights, 2) == 14.96
    assert int((80 - weights) / 1.0) == 65  # texts of 8,192 tokens on a card of 80 GiB
    assert int((81_559 / 1024 - weights) / 1.0) == 64  # what nvidia-smi reports of an H100


class Clockwork:
    """A model that takes no time of its own, so that the picture's arithmetic can be seen."""

    def new_caches(self, max_len: int) -> list:
        return []

    def __call__(self, ids: Tensor, caches: Any = None) -> Tensor:
        return ids


def test_seconds_for_each_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "LENGTH", 64)
    taken = measures.Timings([16, 32, 48, 64], [0.01, 0.02, 0.03, 0.04], [0.005] * 4)
    monkeypatch.setattr(measures, "measure", lambda model: taken)
    picture = plot.seconds_per_token(Clockwork)
    said = picture.caption(position=64)
    assert (
        "Token 64: 40.0 ms without a cache, 4.0 times token 16; 5.0 ms with it, 1.0 times" in said
    )
    assert "about 1.6 s against 0.3 s" in said
    (line,) = find(picture.figure(position=64), "without cache")
    assert list(line.get_ydata()) == pytest.approx([10, 20, 30, 40])


def test_measurement_times_both_ways() -> None:
    taken = measures.measure(Clockwork(), length=32, every=16)
    assert taken.positions == [16, 32]
    assert all(seconds >= 0 for seconds in taken.without + taken.cached)


@pytest.mark.parametrize(
    "picture",
    [
        lambda f: plot.readers(f),
        lambda f: plot.heatmaps(f, worked.KVCache),
        lambda f: plot.cost(f),
        lambda f: plot.memory(f),
        lambda f: plot.seconds_per_token(f),
    ],
)
def test_unwritten_function_draws_a_placeholder(picture: Any) -> None:
    def unwritten(*_: Any, **__: Any) -> Tensor:
        raise NotImplementedError("Exercise 5.2: CachedAttention")

    assert "Exercise 5.2: CachedAttention" in picture(unwritten).first.caption


LAYERS = ("forgets", "cache_ignored", "never_stored", "own_angles", "no_mask", "not_scaled")
SEEN: dict[str, tuple[Any, Any, Any, tuple[str, ...]]] = {
    "readers": (
        plot.readers,
        MultiHeadAttention,
        check_attention.MultiHeadAttention,
        ("not_causal", "sees_one_ahead", "only_itself", "no_scale"),
    ),
    "slots": (
        plot.slots,
        worked.KVCache,
        check.KVCache,
        ("length_not_moved", "returns_new_only", "returns_whole_buffer", "newest_first"),
    ),
    "heatmaps": (
        lambda f: plot.heatmaps(f, worked.KVCache),
        worked.CachedAttention,
        check.CachedAttention,
        LAYERS,
    ),
    "heatmaps of a cache": (
        lambda f: plot.heatmaps(worked.CachedAttention, f),
        worked.KVCache,
        check.KVCache,
        ("length_not_moved", "returns_new_only", "keys_in_both", "returns_whole_buffer"),
    ),
    "cost": (
        plot.cost,
        worked.count_scores,
        check.count_scores,
        ("triangle", "cached_ignored", "always_cached", "last_token_fed_back"),
    ),
    "memory": (
        plot.memory,
        worked.kv_cache_bytes,
        check.kv_cache_bytes,
        ("keys_only", "one_layer", "one_head", "batch_ignored", "queries_too"),
    ),
}


@pytest.mark.parametrize("name", SEEN)
def test_wrong_answers_are_seen(name: str) -> None:
    draw, right, exercise, keys = SEEN[name]
    assert_seen(draw, right, of(exercise.mistakes, *keys))


def test_every_cell_of_the_heatmaps_says_what_it_is() -> None:
    figure = plot.heatmaps(worked.CachedAttention, worked.KVCache).figure(step=6)

    def says(gid: str) -> list[str]:
        return [line for artist in find(figure, gid) for line in artist.llama_says]

    assert "“it” → “cat”: weight 0.83, computed" in says("with-new")
    assert "“sat” → “cat”: weight 0.84, computed again" in says("without-again")
    assert "“sat” → “it”: computed again, and masked" in says("without-again-masked")
    assert "“sat” → “cat”: not needed" in says("with-ghost")
    assert "key of “cat”: read" in says("with-keys-read")
    assert "query of “cat”: not needed" in says("with-queries-ghost")


def test_a_narrow_screen_shows_both_ways_one_below_the_other() -> None:
    picture = plot.heatmaps(worked.CachedAttention, worked.KVCache)
    figure = picture.narrow_page(step=8).figure
    assert count(figure, "without-again") == 28
    assert count(figure, "with-new") == 8
    boxes = [axes.get_position() for axes in figure.axes]
    assert boxes[0].y0 > boxes[2].y1  # the matrix without a cache above the one with it
    assert "the same" in text(figure, "verdict")


def test_unwritten_cache_draws_a_placeholder() -> None:
    class Unwritten:
        @classmethod
        def empty(cls, *_: Any, **__: Any) -> Any:
            raise NotImplementedError("Exercise 5.1: KVCache")

    for picture in (plot.slots(Unwritten), plot.heatmaps(worked.CachedAttention, Unwritten)):
        assert "Exercise 5.1: KVCache" in picture.first.caption
