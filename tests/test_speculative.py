"""Lab 14: its pictures draw what the learner's functions compute; the draws are what they should be."""

import doctest
import types
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from seen_pictures import assert_seen, of
from torch import Tensor, nn

from assets import shakespeare_llama
from checks import speculative as check
from checks.engine import exercises_of
from checks.speculative.chance import RIGHT, bound, chi_square, look
from plots import speculative as plot
from plots.measures import speculative as measure
from plots.measures.speculative_letters import Letters
from solutions.my_llama import kv_cache as worked_cache
from solutions.my_llama import sampling
from solutions.my_llama import speculative as worked


def find(figure: Figure, gid: str) -> list[Any]:
    """The artists whose gid begins so."""
    return figure.findobj(lambda artist: (artist.get_gid() or "").startswith(gid))


@pytest.fixture(scope="module")
def model() -> nn.Module:
    """The small Shakespeare model, run by the worked Llama."""
    from solutions.my_llama import Llama, LlamaConfig

    llama = Llama(LlamaConfig(**shakespeare_llama.CONFIG))
    llama.load_state_dict(shakespeare_llama.weights())
    return llama


@pytest.fixture(scope="module")
def counts() -> Letters:
    return plot.counted_letters()


def test_worked_examples() -> None:
    results = doctest.testmod(worked, extraglobs={"torch": torch})
    assert results.attempted == 24
    assert results.failed == 0


def test_all_nine_exercises_are_checked() -> None:
    assert isinstance(check, types.ModuleType)
    assert [c.exercise for c in exercises_of(check)] == [f"14.{i}" for i in range(1, 10)]


def test_right_draws_stay_far_from_the_bound() -> None:
    """No seed of a grader's may reject a right answer."""
    torch.manual_seed(0)
    worst = 0.0
    for size in (3, 4):
        for _ in range(100):
            expected = torch.randn(size, dtype=torch.float64).softmax(-1)
            drawn = torch.multinomial(expected, 400, replacement=True)
            seen = torch.bincount(drawn, minlength=size).double()
            worst = max(worst, chi_square(seen, expected * 400) / bound(size))
    assert 0.1 < worst < 0.7


def test_resampling_from_the_target_is_seen_and_named() -> None:
    """The classic mistake: its shares are min(p, q) + (1 - alpha) p, and the check says so."""
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.6, 0.2])
    rows, drafts = p.expand(2, -1), torch.multinomial(q, 4000, replacement=True)

    def from_the_target(p: Tensor, q: Tensor, drafts: Tensor, generator: Any = None) -> Tensor:
        n = worked.count_accepted(p, q, drafts, torch.rand(len(drafts), generator=generator))
        return torch.cat([drafts[:n], torch.multinomial(p[n], 1, generator=generator)])

    shares = {}
    for name, answer in (("right", worked.verify), ("wrong", from_the_target)):
        luck = torch.Generator().manual_seed(0)
        out = [int(answer(rows, q[None], one[None], luck)[0]) for one in drafts]
        shares[name] = torch.bincount(torch.tensor(out), minlength=3) / len(out)
        assert (look(out, p, q) == RIGHT) == (name == "right")
    assert shares["right"].tolist() == pytest.approx([0.5, 0.3, 0.2], abs=0.03)
    assert shares["wrong"].tolist() == pytest.approx([0.35, 0.39, 0.26], abs=0.03)
    report = check.verify.run(from_the_target)
    assert report.result == "failed"
    assert report.mistake == "from_the_target_after_a_rejection"
    assert "residual" in report.text


def test_accepting_only_what_the_target_draws_is_right_too() -> None:
    def own_draws(p: Tensor, q: Tensor, drafts: Tensor, generator: Any = None) -> Tensor:
        wanted = torch.multinomial(p, 1, generator=generator)[:, 0]
        n = int((wanted[:-1] == drafts).long().cumprod(0).sum())
        return wanted[: n + 1]

    assert check.verify.run(own_draws).result == "passed"


def test_speculative_text_is_the_models_own(model: nn.Module, counts: Letters) -> None:
    ids = torch.tensor([[shakespeare_llama.VOCAB.index(letter) for letter in "ROMEO:\n"]])
    plain = list(sampling.generate(model, ids, 60, temperature=0))
    for n_draft, order in ((1, 4), (4, 4), (7, 2)):
        draft = counts.with_(order, 0)
        got = worked.speculative_generate(model, draft, ids, 60, n_draft, temperature=0)
        assert list(got) == plain


def test_a_model_that_drafts_for_itself_is_always_right(model: nn.Module) -> None:
    model.config.vocab_size = len(shakespeare_llama.VOCAB)
    ids = torch.tensor([[shakespeare_llama.VOCAB.index(letter) for letter in "ROMEO:\n"]])
    watched = measure.Counted(model)
    draft = worked.ModelDraft(model, 80, 0)
    got = list(worked.speculative_generate(watched, draft, ids, 40, 4, temperature=0))
    assert got == list(sampling.generate(model, ids, 40, temperature=0))
    assert watched.calls == 8  # five tokens a call


def test_lookup_shows_where_the_end_stood_before() -> None:
    picture = plot.lookup(worked.lookup_draft)
    figure = picture.figure(read=22)
    assert len(find(figure, "found-")) == 6
    assert len(find(figure, "right-")) == 4
    wrong = of(
        check.lookup_draft.mistakes, "shortest_first", "with_the_found_tokens", "one_too_far"
    )
    assert_seen(plot.lookup, worked.lookup_draft, wrong)


def test_what_is_shared_and_what_is_missing(model: nn.Module, counts: Letters) -> None:
    two = worked.accept_probability, worked.residual_distribution
    picture = plot.overlap(*two, model, counts)
    shares = [find(picture.figure(reads=n), "alpha")[0].get_width() for n in (1, 4)]
    assert shares[0] < shares[1]
    assert "(its sum: 1.00)" in picture.caption()
    wrong = of(check.accept_probability.mistakes, "product", "larger", "not_shared")
    assert_seen(lambda f: plot.overlap(f, two[1], model, counts), two[0], wrong)
    keys = ("the_target_itself", "turned_round", "shared_part", "ratio")
    wrong = of(check.residual_distribution.mistakes, *keys)
    assert_seen(lambda f: plot.overlap(two[0], f, model, counts), two[1], wrong)


def test_behind_the_first_rejected_draft_nobody_asks() -> None:
    picture = plot.luck(worked.count_accepted)
    figure = picture.figure(luck=0.75)
    assert [len(find(figure, state)) for state in ("accepted", "rejected", "not-asked")] == [
        2,
        1,
        3,
    ]
    keys = ("all_that_are_good", "without_luck", "luck_turned_round", "always")
    wrong = of(check.count_accepted.mistakes, *keys)
    assert_seen(plot.luck, worked.count_accepted, wrong)


def test_what_comes_out_is_what_the_target_wants(model: nn.Module, counts: Letters) -> None:
    picture = plot.draws(worked.verify, model, counts)
    figure = picture.figure()
    for place in range(4):
        low, high = find(figure, f"luck-{place}")[0].get_ydata()
        drawn = find(figure, f"drawn-{place}")[0].get_height()
        assert low - 0.05 < drawn < high + 0.05
    keys = ("from_the_target_after_a_rejection", "accepts_all", "from_the_draft", "last_row_always")
    wrong = of(check.verify.mistakes, *keys[:3])
    assert_seen(lambda f: plot.draws(f, model, counts), worked.verify, wrong)


def test_slots_that_are_forgotten() -> None:
    picture = plot.slots(worked.rewind, worked_cache.KVCache)
    assert len(find(picture.figure(length=3), "held-")) == 15
    assert "as it should be" in picture.caption(length=0)
    keys = ("first_layer_only", "one_more", "emptied", "so_many_forgotten")
    wrong = of(check.rewind.mistakes, *keys[:3])
    assert_seen(lambda f: plot.slots(f, worked_cache.KVCache), worked.rewind, wrong)


def test_the_best_number_of_drafts() -> None:
    picture = plot.speeds(worked.speedup)
    for alpha, best in ((0.5, 2), (0.8, 6), (0.9, 10)):
        assert find(picture.figure(alpha=alpha), "best")[0].get_xdata()[0] == best
    wrong = of(check.speedup.mistakes, "upside_down", "one_draft_s_cost", "each_by_itself")
    assert_seen(plot.speeds, worked.speedup, wrong)


def test_each_letter_shows_how_it_came(model: nn.Module, counts: Letters) -> None:
    picture = plot.rounds(worked.speculative_generate, model, counts)
    figure = picture.figure()
    assert len(find(figure, "accepted-")) + len(find(figure, "corrected-")) + len(
        find(figure, "free-")
    ) in (40, 96)
    assert "a call: " in picture.caption(drafts=1)
    keys = ("only_one", "drafts_not_read", "never_guesses", "only_accepted")
    wrong = of(check.speculative_generate.mistakes, *keys)
    assert_seen(lambda f: plot.rounds(f, model, counts), worked.speculative_generate, wrong)


def test_without_the_model_s_file_everything_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    def nothing(*_: Any) -> Any:
        raise AssertionError

    assert plot.loaded(nothing, None) == (None, None)
    assert plot.four_bit(None, nothing) is None
    assert "14.0" in plot.calls(None).caption()
    plot.exact(nothing, nothing, nothing, None, None, nothing, None)
    plot.looked_up(nothing, nothing, nothing, None, nothing, None)
    assert plot.your_llama(nothing, {}, None, None, nothing, None) is None
    assert capsys.readouterr().out.count("14.0") == 3


@pytest.mark.parametrize(
    "picture",
    [
        lambda f, m, c: plot.lookup(f),
        lambda f, m, c: plot.overlap(f, f, m, c),
        lambda f, m, c: plot.luck(f),
        lambda f, m, c: plot.draws(f, m, c),
        lambda f, m, c: plot.slots(f, worked_cache.KVCache),
        lambda f, m, c: plot.speeds(f),
        lambda f, m, c: plot.rounds(f, m, c),
    ],
)
def test_unwritten_function_draws_a_placeholder(
    picture: Any, model: nn.Module, counts: Letters
) -> None:
    def unwritten(*_: Any, **__: Any) -> Tensor:
        raise NotImplementedError("Exercise 14.1: lookup_draft")

    assert "Exercise 14.1: lookup_draft" in picture(unwritten, model, counts).first.caption


def test_a_list_in_place_of_a_stream_is_told_in_words() -> None:
    report = check.speculative_generate.run(lambda *a, **b: [4, 5, 6])
    assert report.result == "failed"
    assert "yield" in report.text


def test_an_unwritten_piece_is_no_mistake() -> None:
    def unwritten(*_: Any, **__: Any) -> Iterator[int]:
        raise NotImplementedError("Exercise 14.5: verify")
        yield

    assert check.speculative_generate.run(unwritten).result == "todo"
