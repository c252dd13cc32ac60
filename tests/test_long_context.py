"""Lab 13: its pictures and measurements, and any Llama under other frequencies."""

import doctest
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from accepted.llama import ACCEPTED as LLAMAS
from matplotlib.figure import Figure
from seen_pictures import assert_seen, of
from torch import Tensor, nn

from assets import shakespeare_llama
from checks import long_context as check
from plots import long_context as plot
from plots import long_context_ring
from plots.measures import long_context as measure
from plots.measures import long_context_window as window
from solutions.my_llama import (
    Llama,
    LlamaConfig,
    apply_rope,
    rope_angles,
    rope_frequencies,
)
from solutions.my_llama import long_context as worked

SIZES = {"dim": 24, "n_layers": 2, "n_heads": 3, "n_kv_heads": 1, "hidden_dim": 20}


def find(figure: Figure, gid: str) -> list[Any]:
    """The artists whose gid begins so."""
    return figure.findobj(lambda artist: (artist.get_gid() or "").startswith(gid))


@pytest.fixture(scope="module")
def model() -> nn.Module:
    """The small Shakespeare model, run by the worked Llama."""
    llama = Llama(LlamaConfig(**shakespeare_llama.CONFIG))
    llama.load_state_dict(shakespeare_llama.weights())
    return llama.eval()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few texts, and short ones."""
    monkeypatch.setattr(measure, "PIECES", 1)
    monkeypatch.setattr(window, "COMPARED", 40)
    monkeypatch.setattr(window, "FOR_EVER", 200)
    monkeypatch.setattr(window, "SMALL_PIECES", 1)
    monkeypatch.setattr(window, "SMALL_TEXT", 200)


def test_worked_examples() -> None:
    small = Llama(LlamaConfig(**SIZES | {"dim": 72}, vocab_size=60))
    names = {"rope_frequencies": rope_frequencies, "small": small}
    results = doctest.testmod(worked, extraglobs=names)
    assert results.attempted == 13
    assert results.failed == 0


# ---- other frequencies in a Llama that was finished before


def made(kind: type, max_seq_len: int = 512) -> nn.Module:
    """A Llama of this kind with the weights of seed 0."""
    torch.manual_seed(0)
    sizes = SIZES | {"max_seq_len": max_seq_len, "rope_base": 10_000.0}
    config = LlamaConfig(**sizes, vocab_size=40, tie_embeddings=True)
    return kind(config).eval()


def rebased(llama: nn.Module, base: float) -> nn.Module:
    """The worked Llama with the same weights, and another base in its config."""
    config = LlamaConfig(**SIZES, vocab_size=40, rope_base=base, tie_embeddings=True)
    other = Llama(config)
    state = {name: weight for name, weight in llama.state_dict().items() if "output" not in name}
    other.load_state_dict(state)
    return other.eval()


@pytest.mark.parametrize("kind", [Llama, *LLAMAS["Llama"]], ids=lambda kind: kind.__name__)
@torch.no_grad()
def test_any_llama_turns_by_other_frequencies(kind: type) -> None:
    """Whatever a learner wrote in lab 08: as if the base had been another one, and then as before."""
    llama, ids = made(kind), torch.randint(40, (2, 17), generator=torch.Generator().manual_seed(1))
    before, names = llama(ids), list(llama.state_dict())
    with worked.turned_by(llama, rope_frequencies(8, 77.0)):
        whole = llama(ids)
        caches = llama.new_caches(2, 17)
        pieces = torch.cat([llama(piece, caches) for piece in ids.split([9, 1, 7], 1)], 1)
    expected = rebased(llama, 77.0)(ids)
    assert torch.allclose(whole, expected, atol=1e-5)
    assert torch.allclose(pieces, expected, atol=1e-5)
    assert not torch.allclose(whole, before, atol=1e-3)
    assert torch.equal(llama(ids), before)
    assert list(llama.state_dict()) == names


@torch.no_grad()
def test_a_table_that_ends_is_no_obstacle() -> None:
    """Meta's way keeps angles for max_seq_len positions; under turned_by there is no end."""
    (kind,) = (kind for kind in LLAMAS["Llama"] if kind.__name__ == "LlamaMeta")
    llama, ids = made(kind, max_seq_len=8), torch.arange(20)[None]
    with worked.turned_by(llama, rope_frequencies(8)):
        assert torch.allclose(llama(ids), rebased(llama, 10_000.0)(ids), atol=1e-5)


@torch.no_grad()
def test_a_gap_is_nothing_but_a_distance() -> None:
    """All positions moved: the same. Those of a second piece moved: as if the rest were far."""
    llama, ids = made(Llama), torch.arange(12)[None]
    frequencies = rope_frequencies(8)
    with worked.turned_by(llama, frequencies, gap=300):
        assert torch.allclose(llama(ids), rebased(llama, 10_000.0)(ids), atol=1e-4)
    caches = llama.new_caches(1, 12)
    with worked.turned_by(llama, frequencies):
        llama(ids[:, :6], caches)
    with worked.turned_by(llama, frequencies, gap=300):
        far = llama(ids[:, 6:], caches)
    assert not torch.allclose(far, llama(ids)[:, 6:], atol=1e-3)


def test_hooks_go_away_after_an_error() -> None:
    llama = made(Llama)
    with pytest.raises(RuntimeError), worked.turned_by(llama, rope_frequencies(8)):
        raise RuntimeError
    assert not any(block._forward_pre_hooks for block in llama.layers)


@torch.no_grad()
def test_blocks_called_by_name_are_turned_too() -> None:
    class ByName(Llama):
        def forward(self, ids: Tensor, caches: Any = None) -> Tensor:
            x, angles = self.tok_embeddings(ids), torch.zeros(ids.shape[1], 4)
            for i, layer in enumerate(self.layers):
                x = layer(x=x, angles=angles, cache=caches[i] if caches else None)
            return nn.functional.linear(self.norm(x), self.tok_embeddings.weight)

    llama, ids = made(ByName), torch.arange(9)[None]
    with worked.turned_by(llama, rope_frequencies(8, 50.0)):
        assert torch.allclose(llama(ids), rebased(llama, 50.0)(ids), atol=1e-5)


# ---- the ring


@pytest.mark.parametrize("kind", [Llama, *LLAMAS["Llama"]], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(("size", "n_sinks"), [(5, 0), (6, 2), (1, 1), (40, 3)])
@torch.no_grad()
def test_the_ring_is_the_mask_on_any_llama(kind: type, size: int, n_sinks: int) -> None:
    """Within 1e-4 of the mask, for lengths around the window and twice round."""
    llama = made(kind)
    ids = torch.randint(40, (1, 2 * size + 3), generator=torch.Generator().manual_seed(2))
    frequencies, T = rope_frequencies(8), ids.shape[1]
    mask = worked.sliding_window_mask(T, T, size, n_sinks)
    by_mask = window.masked_logits(llama, ids, mask, frequencies)
    caches = window.rings(worked.RollingKVCache, llama, size, n_sinks, None)
    by_ring = window.rolled_logits(llama, ids, caches)
    assert (by_mask - by_ring).abs().max() < 1e-4
    assert caches[0].length == T


@torch.no_grad()
def test_masked_logits_are_the_models_own() -> None:
    llama, ids = made(Llama), torch.arange(15)[None]
    mask = worked.sliding_window_mask(15, 15, 15)
    found = window.masked_logits(llama, ids, mask, rope_frequencies(8))
    assert torch.allclose(found, llama(ids), atol=1e-5)


@torch.no_grad()
def test_sinks_turned_along_stay_at_their_distance() -> None:
    """However far the text has come, the score of a query with a sink is that of one distance."""
    frequencies = rope_frequencies(8)
    cache = worked.RollingKVCache.empty(1, 1, 6, 8, 2, frequencies)
    query, key = torch.randn(2, 1, 1, 1, 8, generator=torch.Generator().manual_seed(3))
    scores = []
    for i in range(200):
        turn = rope_angles(torch.tensor([i]), frequencies)
        keys, _ = cache.update(apply_rope(key, turn), torch.zeros(1, 1, 1, 8))
        if i >= 7:
            scores.append((apply_rope(query, turn) * keys[:, :, :1]).sum())
    at_seven = apply_rope(query, rope_angles(torch.tensor([7]), frequencies))
    assert torch.allclose(torch.stack(scores), (at_seven * key).sum(), atol=1e-4)


@torch.no_grad()
def test_memory_stays_over_ten_thousand_positions() -> None:
    cache = worked.RollingKVCache.empty(1, 2, 16, 8, 4)
    first = cache.keys.data_ptr(), cache.values.data_ptr(), cache.keys.nbytes
    for _ in range(10_000):
        keys, _ = cache.update(torch.ones(1, 2, 1, 8), torch.ones(1, 2, 1, 8))
    assert (cache.keys.data_ptr(), cache.values.data_ptr(), cache.keys.nbytes) == first
    assert keys.shape[2] == 20
    assert cache.length == 10_000


# ---- pictures


def test_dials_show_hands_that_have_never_been_there() -> None:
    rules = (rope_frequencies, worked.ntk_base, worked.llama3_scale_frequencies)
    picture = plot.dials(*rules)
    assert "24 of all 64 hands" in picture.caption()
    assert "0 of all 64 hands" in picture.caption(rule="llama3, ÷8")
    assert "29 pairs turn as in training" in picture.caption(rule="llama3, ÷8")
    assert "1 pairs turn" in picture.caption(rule="NTK, ×8")
    figure = picture.figure()
    assert len(find(figure, "lost")) == 7
    assert len(find(figure, "hand")) == 9
    assert {line.get_linestyle() for line in find(figure, "lost")} == {"--"}
    assert len(picture.narrow_page().figure.axes) == 16
    far = {"position": 65536, "rule": "llama3, ÷8"}

    def turned(rule: Any) -> Any:
        book = plot.dials(rope_frequencies, worked.ntk_base, rule)
        book.start = far
        return book

    keys = ("not_returned", "multiplied", "wavelength_itself", "no_two_pi")
    wrong = of(check.llama3_scale_frequencies.mistakes, *keys)
    assert_seen(turned, worked.llama3_scale_frequencies, wrong)

    def rebase(rule: Any) -> Any:
        book = plot.dials(rope_frequencies, rule, worked.llama3_scale_frequencies)
        book.start = far | {"rule": "NTK, ×8"}
        return book

    keys = ("brackets_missing", "divided", "base_unchanged", "exponent_inverted")
    assert_seen(rebase, worked.ntk_base, of(check.ntk_base.mistakes, *keys))


def test_windows_reach_farther_through_layers() -> None:
    picture = plot.windows(worked.sliding_window_mask)
    assert "sees 4 positions, and after 3 layers it has heard from 10" in picture.caption()
    assert "sees 1 position." in picture.caption(window=1, layers=1)
    assert "sees 6 positions." in picture.caption(sinks=2, layers=1)
    keys = ("window_one_too_long", "not_causal", "both_sides", "blocks", "window_inverted")
    wrong = of(check.sliding_window_mask.mistakes, *keys)
    assert_seen(plot.windows, worked.sliding_window_mask, wrong)


def test_the_ring_shows_what_is_kept_and_how_far_it_says_it_is() -> None:
    picture = plot.ring(worked.RollingKVCache)
    assert "keeps 10: 0, 1, 11 to 18; length is 19" in picture.caption()
    assert "farthest key says that it is 9 positions" in picture.caption()
    assert "farthest key says that it is 18 positions" in picture.caption(sinks="stay")
    figure = picture.figure()
    assert [text.get_text() for text in find(figure, "at-")] == [
        "18",
        "11",
        "12",
        "13",
        "14",
        "15",
        "16",
        "17",
    ]
    marks = [mark.get_xdata()[0] for mark in find(figure, "distance-")]
    assert sorted(round(x) for x in marks) == list(range(10))
    keys = ("ring_over_everything", "never_turned", "last_slot_always")
    wrong = of(check.RollingKVCache.mistakes, *keys)
    assert_seen(plot.ring, worked.RollingKVCache, wrong)
    bad = of(check.RollingKVCache.mistakes, "length_wraps")["length_wraps"]
    assert "length is 19" not in plot.ring(bad).caption()
    assert long_context_ring.after(worked.RollingKVCache, 1, False)[0] == [(0, 0.0)]


def test_the_loss_climbs_past_the_trained_length(model: nn.Module, short: None) -> None:
    picture = plot.by_position(worked.token_losses, model)
    losses = find(picture.figure(), "loss-as trained")[0].get_ydata()
    assert len(losses) == 8
    assert max(losses[:2]) < 2.2
    assert min(losses[4:]) > 2.8
    rules = {
        "as trained": lambda f, base: f,
        "llama3": lambda f, base: worked.llama3_scale_frequencies(f, 4.0, original_context=128),
    }
    args = (worked.turned_by, rope_frequencies, rules)
    both = plot.by_position(worked.token_losses, model, *args)
    curves = [line.get_ydata() for line in find(both.figure(), "loss-")]
    assert list(curves[0]) == pytest.approx(list(losses), abs=1e-3)
    assert max(curves[1]) < 2.5
    assert find(both.narrow_page().figure, "loss-llama3")
    keys = ("sign", "probabilities", "not_shifted", "mean_of_the_piece")
    wrong = of(check.token_losses.mistakes, *keys)
    assert_seen(lambda f: plot.by_position(f, model), worked.token_losses, wrong)


class Letters:
    """A tokenizer whose tokens are letters."""

    def encode(self, text: str) -> Any:
        known = [c for c in text if c in shakespeare_llama.VOCAB]
        return type("Encoded", (), {"ids": [shakespeare_llama.VOCAB.index(c) for c in known]})


def test_a_gap_is_a_cliff(
    model: nn.Module, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the small model, whose text of 2 · 48 letters fits, and with gaps of its own size."""
    monkeypatch.setattr(measure, "HALF", 48)
    monkeypatch.setattr(measure, "GAPS", [0, 40, 500])
    monkeypatch.setattr(measure, "FEW", [0, 500])
    args = (worked.turned_by, rope_frequencies, model, Letters())
    picture = plot.gap(worked.token_losses, *args)
    assert picture is not None
    near, middle, far = find(picture.figure(), "loss-as trained")[0].get_ydata()
    assert near < middle + 0.3
    assert far > near + 0.5
    ids = torch.tensor([Letters().encode(measure.passage()).ids[:96]])
    whole = worked.token_losses(model, ids)[48:].mean()
    assert near == pytest.approx(float(whole), abs=1e-4)  # a gap of 0 is no gap
    rules = {"as trained": lambda f, base: f, "÷8": lambda f, base: f / 8}
    several = plot.gap(worked.token_losses, *args, rules)
    assert several is not None
    assert len(find(several.figure(), "loss-")) == 2
    keys = ("sign", "probabilities", "not_shifted")
    wrong = of(check.token_losses.mistakes, *keys)
    assert_seen(lambda f: plot.gap(f, *args), worked.token_losses, wrong)
    assert plot.gap(worked.token_losses, worked.turned_by, rope_frequencies, None, None) is None
    assert "waits for the real model" in capsys.readouterr().out


def test_sinks_left_behind_hurt_the_small_model(
    model: nn.Module, short: None, capsys: pytest.CaptureFixture[str]
) -> None:
    def bars(mask: Any, ring: Any) -> Any:
        args = (rope_frequencies, model, worked.turned_by, None, None)
        return plot.sinks(mask, ring, *args)

    picture = bars(worked.sliding_window_mask, worked.RollingKVCache)
    widths = [bar.get_width() for bar in find(picture.figure(), "bar-")]
    everything, alone, left, along = widths
    assert alone == pytest.approx(along, abs=0.1)
    assert left > alone + 0.2
    assert everything > alone
    assert "waits for the real model" in capsys.readouterr().out
    keys = ("not_causal", "no_window", "inverted", "window_forgotten")
    wrong = of(check.sliding_window_mask.mistakes, *keys)
    assert_seen(lambda f: bars(f, worked.RollingKVCache), worked.sliding_window_mask, wrong)


def test_the_large_model_has_a_page_where_it_is_there(model: nn.Module, short: None) -> None:
    args = (rope_frequencies, model, worked.turned_by, model, Letters())
    picture = plot.sinks(worked.sliding_window_mask, worked.RollingKVCache, *args)
    assert len(find(picture.figure(model="SmolLM2"), "bar-")) == 3


def test_same_as_mask_and_for_ever_print(
    model: nn.Module, short: None, capsys: pytest.CaptureFixture[str]
) -> None:
    args = (model, worked.turned_by, rope_frequencies)
    plot.same_as_mask(worked.RollingKVCache, worked.sliding_window_mask, *args)
    said = capsys.readouterr().out
    assert said.count(": the same") == 3
    bad = of(check.RollingKVCache.mistakes, "ring_over_everything", "last_slot_always")
    for answer in bad.values():
        plot.same_as_mask(answer, worked.sliding_window_mask, *args)
        assert "NOT the same" in capsys.readouterr().out
    plot.for_ever(worked.RollingKVCache, *args)
    rows = capsys.readouterr().out.splitlines()[1:]
    assert [row.split()[0] for row in rows] == ["2", "20", "100", "200"]
    assert len({row.split()[2] for row in rows}) == 1


def unwritten(*args: Any, **kwargs: Any) -> Iterator[Any]:
    raise NotImplementedError("Exercise 13.5: RollingKVCache")


def test_what_is_not_written_is_said(model: nn.Module, capsys: pytest.CaptureFixture[str]) -> None:
    class Stub:
        empty = unwritten

    plot.for_ever(Stub, model, worked.turned_by, rope_frequencies)
    assert "13.5: RollingKVCache is not written yet" in capsys.readouterr().out
