"""Lab 10: its pictures draw what the learner's functions compute, right or wrong."""

import doctest
import itertools
import types
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from seen_pictures import assert_seen, of
from torch import Tensor, nn

from assets import shakespeare_llama
from checks import sampling as check
from checks.engine import exercises_of
from checks.sampling.sample import bound, chi_square
from plots import sampling as plot
from plots import sampling_text, sampling_writer
from plots.measures import sampling as measure
from plots.sampling_bars import SHOWN
from solutions.my_llama import kv_cache as worked_cache
from solutions.my_llama import sampling as worked


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


def drops_crossing(logits: Tensor, p: float) -> Tensor:
    values, order = logits.softmax(-1).sort(-1, descending=True)
    keep = values.cumsum(-1) <= p
    return torch.where(torch.zeros_like(keep).scatter(-1, order, keep), logits, -torch.inf)


def upside_down(logits: Tensor, generator: Any = None) -> Tensor:
    return worked.sample(-logits.where(logits.isfinite(), torch.inf), generator)


def test_worked_examples() -> None:
    results = doctest.testmod(worked, extraglobs={"torch": torch})
    assert results.attempted == 12
    assert results.failed == 0
    assert doctest.testmod(measure).failed == 0


def test_entropy_rises_with_temperature(model: nn.Module) -> None:
    picture = plot.temperature(worked.apply_temperature, model)
    figure = picture.figure(read="O, th")
    curve = find(figure, "entropy")[0].get_ydata()
    assert curve[0] == 0
    assert all(a < b for a, b in itertools.pairwise(curve))
    assert len(find(figure, "other")) == 2  # the other beginnings have curves, too
    sure = picture.caption(temperature=0, read="The ")
    assert "probability 1.00, the entropy is 0.00 bits, so hardly any doubt" in sure
    cold = plot.temperature(lambda logits, t: logits * t, model)
    assert cold.caption(temperature=2) == picture.caption(temperature=0.5).replace("0.5", "2")
    broken = plot.temperature(lambda logits, t: logits / t, model)
    assert "not numbers" in broken.caption(temperature=0)
    wrong = of(check.apply_temperature.mistakes, "multiplies", "ignored", "turned_round", "squared")
    assert_seen(lambda f: plot.temperature(f, model), worked.apply_temperature, wrong)


def test_the_same_k_keeps_different_shares(model: nn.Module) -> None:
    picture = plot.filter_k(worked.top_k, model)
    assert "5 tokens stay of 64, with 100.0 %" in picture.caption(k=5, read="O, the q")
    assert "with 37." in picture.caption(k=5, read="The ")
    assert "64 tokens stay of 64" in picture.caption(k=100)
    figure = picture.figure(k=3, read="O, th")
    assert len(find(figure, "kept-")) == 3
    assert sum(bar.get_height() for bar in find(figure, "kept-")) == pytest.approx(1)
    assert find(figure, "removed-")[0].get_hatch()
    stairs = find(figure, "sum-")
    assert [bar.get_gid() for bar in stairs[:4]] == [
        *(f"sum-kept-{i}" for i in range(3)),
        "sum-removed-3",
    ]
    tops = [bar.get_y() + bar.get_height() for bar in stairs]
    assert all(
        bar.get_y() == pytest.approx(top) for bar, top in zip(stairs[1:], tops, strict=False)
    )
    assert find(figure, "limit")[0].get_xdata()[0] == 2.5
    wrong = of(check.top_k.mistakes, "one_too_many", "one_too_few", "smallest", "first_k_places")
    assert_seen(lambda f: plot.filter_k(f, model), worked.top_k, wrong)


def test_a_nucleus_without_its_last_token_is_seen(model: nn.Module) -> None:
    right, wrong = (plot.filter_p(rule, model) for rule in (worked.top_p, drops_crossing))
    assert "4 tokens stay" in right.caption(p=0.9, read="O, th")
    assert "3 tokens stay" in wrong.caption(p=0.9, read="O, th")
    assert "cannot be drawn from" in wrong.caption(p=0.9, read="O, the q")
    assert "64 tokens stay" in right.caption(p=1.0, read="O, the q")
    short = plot.filter_p(lambda logits, p: logits[:, :3], model)
    assert "shape (1, 3)" in short.caption(p=0.9)
    figure = right.figure(p=0.9, read="O, th")
    limit = find(figure, "limit")[0].get_ydata()[0]
    last = find(figure, "sum-kept")[-1]
    assert last.get_y() < limit < last.get_y() + last.get_height()  # the crossing step stays
    keys = ("drops_the_crossing_token", "crossing_and_next", "least_likely_first", "inverted")
    wrong_ones = of(check.top_p.mistakes, *keys)
    assert_seen(lambda f: plot.filter_p(f, model), worked.top_p, wrong_ones)


def test_min_p_is_strict_where_top_p_is_not(model: nn.Module) -> None:
    rules = (worked.top_p, worked.apply_temperature)
    picture = plot.filter_min_p(worked.min_p, *rules, model)
    said = picture.caption(temperature=3)
    assert "top-p at 0.9: 30 tokens stay" in said
    assert "min-p at 0.1: 7 tokens stay" in said
    assert "51 tokens stay" in picture.caption(temperature=3, read="The ")
    for page in (picture.figure(temperature=3), picture.narrow_page(temperature=3).figure):
        nucleus, share = (find(page, name)[0].get_ydata() for name in ("top-p", "min-p"))
        assert (list(nucleus), list(share)) == ([4, 5, 7, 30], [4, 6, 7, 7])
        left, right = (axes.get_ylim() for axes in page.axes[:2])
        assert left == right  # what is compared has one scale
    to_one = plot.filter_min_p(drops_crossing, *rules, model).caption(temperature=3)
    assert "cannot be drawn from" in to_one
    wrong = of(check.min_p.mistakes, "relative_to_one", "inverted", "nucleus", "largest_over_p")
    assert_seen(lambda f: plot.filter_min_p(f, *rules, model), worked.min_p, wrong)


def test_draws_fill_the_bars_and_no_others(model: nn.Module) -> None:
    rules = (worked.apply_temperature, worked.top_k, worked.top_p)
    picture = plot.draws(*rules, worked.sample, model)
    for draws in (50, 5000):
        figure = picture.figure(draws=draws)
        drawn = {bar.get_gid(): bar.get_height() for bar in find(figure, "drawn-")}
        assert sum(drawn.values()) == pytest.approx(1)
        for bar in find(figure, "kept-"):
            share = drawn[bar.get_gid().replace("kept", "drawn")]
            assert share == pytest.approx(bar.get_height(), abs=2 / draws**0.5)
    luck = [find(picture.figure(draws=n), "luck-0")[0].get_ydata() for n in (50, 5000)]
    wide, narrow = (high - low for low, high in luck)
    assert wide == pytest.approx(10 * narrow)  # a hundred times as many draws
    uniform = plot.draws(*rules, lambda logits, generator: logits.argmin(-1) * 0 + 63, model)
    assert "50 draws are of removed tokens" in uniform.caption()
    keys = ("uniform_over_everything", "upside_down", "always_the_likeliest", "one_further")
    wrong = of(check.sample.mistakes, *keys)
    assert_seen(lambda f: plot.draws(*rules, f, model), worked.sample, wrong)


def test_min_p_s_bars_can_be_compared_with_its_threshold(model: nn.Module) -> None:
    """They have the height from before the filter, as the threshold has."""
    picture = plot.filter_min_p(worked.min_p, worked.top_p, worked.apply_temperature, model)
    figure = picture.figure(temperature=3)
    limit = find(figure, "threshold")[0].get_ydata()[0]
    bars = [bar for bar in figure.axes[1].patches if bar.get_gid()]
    kept = [bar.get_height() for bar in bars if bar.get_gid().startswith("kept")]
    removed = [bar.get_height() for bar in bars if bar.get_gid().startswith("removed")]
    assert min(kept) > limit > max(removed)
    assert kept[0] * 0.1 == pytest.approx(limit)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts of a few letters, few of them."""
    monkeypatch.setattr(measure, "CONTEXT", 60)
    monkeypatch.setattr(measure, "HEATS", [0, 0.75, 2])
    monkeypatch.setattr(measure, "TEXTS", 4)


KINDS = ("repeated", "invented")
RULES = (worked.apply_temperature, worked.top_k, worked.top_p)


def test_texts_regrow_under_their_bars(model: nn.Module, short: None) -> None:
    picture = plot.regrow(worked.generate, *RULES, model)
    assert "0 of 48 letters (underlined)" in picture.caption(temperature=0)
    hot = picture.figure(temperature=2)
    assert find(hot, "marked-")
    assert len(find(hot, "kept-")) == SHOWN
    assert len(find(picture.figure(k=3), "kept-")) == 3
    assert "4 letters can come next" in picture.caption(p=0.9)
    lines = [text.get_text() for text in find(picture.figure(temperature=0), "line-")]
    assert lines[0] == "ROMEO:"
    assert lines[1].replace("\N{NO-BREAK SPACE}", " ").startswith("O, the")
    assert picture.caption(temperature=2) != picture.caption(temperature=1)
    keys = ("always_greedy", "first_position", "last_but_one", "mean_of_positions")
    wrong = of(check.generate.mistakes, *keys)
    assert_seen(lambda f: plot.regrow(f, *RULES, model), worked.generate, wrong)
    for key, at in (("temperature_ignored_always", {"temperature": 2}), ("p_ignored", {"p": 0.9})):
        (other,) = of(check.generate.mistakes, key).values()
        assert plot.regrow(other, *RULES, model).caption(**at) != picture.caption(**at)


def test_the_axis_keeps_the_model_s_order_at_temperature_0(model: nn.Module, short: None) -> None:
    """All but one letter are −∞ there: sorted by that, the axis would read W X Y Z a b."""
    picture = plot.regrow(worked.generate, *RULES, model)
    names = [
        [label.get_text() for label in picture.figure(temperature=heat).axes[0].get_xticklabels()]
        for heat in (0, 1)
    ]
    assert names[0] == names[1]
    assert len(find(picture.figure(temperature=0), "kept-")) == 1


def test_every_letter_finds_room_on_the_page(model: nn.Module) -> None:
    for heat, k, p in itertools.product([0, 1, 2], [3, 64], [0.5, 1.0]):
        start = sampling_text.PROMPT + sampling_text.READ
        tokens = measure.write(worked.generate, model, start, heat, sampling_text.SEED, k=k, p=p)
        text = start + "".join(shakespeare_llama.VOCAB[i] for i in tokens)
        for columns, room in (
            (sampling_text.COLUMNS, sampling_text.ROWS),
            (sampling_text.NARROW_COLUMNS, sampling_text.NARROW_ROWS),
        ):
            rows = sampling_text.rows_of(text, [False] * len(text), columns)
            assert len(rows) <= room
            assert max(map(len, rows)) <= columns


def test_the_marks_ask_the_model_itself(model: nn.Module) -> None:
    """Whatever the filters did: a letter's probability is that of temperature 1, unfiltered."""
    (share,) = sampling_text.given(model, "ROMEO:\nO, the q", [shakespeare_llama.VOCAB.index("u")])
    assert share == pytest.approx(0.999, abs=0.001)


def test_cold_repeats_and_hot_babbles(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "HEATS", [0, 2])
    monkeypatch.setattr(measure, "TEXTS", 2)
    picture = plot.degeneration(worked.generate, model)
    figure = picture.figure()
    repeats, babble = (find(figure, f"{of}-no filter")[0].get_ydata() for of in KINDS)
    assert repeats[0] > 20 > repeats[1]
    assert babble[0] == 0
    assert babble[1] > 30
    assert find(figure, "invented-p = 0.9")[0].get_ydata()[1] < babble[1]
    assert find(figure, "repeated-meta")[0].get_ydata()[0] < repeats[0]
    assert "The star, Meta's 0.6 with p = 0.9" in picture.caption()
    across, up = find(figure, "no filter")[0].get_data()  # the plane: the two, one over the other
    assert (list(across), list(up)) == (list(repeats), list(babble))

    def ignores_temperature(*args: Any, **settings: Any) -> Iterator[int]:
        return worked.generate(*args, **settings | {"temperature": 0})

    flat = plot.degeneration(ignores_temperature, model).figure()
    assert len(set(find(flat, "repeated-no filter")[0].get_ydata())) == 1
    keys = ("temperature_ignored_always", "always_greedy", "p_ignored")
    wrong = of(check.generate.mistakes, *keys)
    assert_seen(lambda f: plot.degeneration(f, model), worked.generate, wrong)


def test_a_share_of_few_words_has_a_wide_error(model: nn.Module, short: None) -> None:
    """None of some words is not never: the error is that of a share a little above 0."""
    cold = measure.tally_of(worked.generate, model, 0, {})
    assert cold.invented == 0
    assert 1 < cold.invented_error < 20
    hot = measure.tally_of(worked.generate, model, 2, {})
    assert hot.invented > 3 * cold.invented_error


def test_graded_runs_draw_few_pages(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks at them, and a class has many; the first page is the same."""
    first = plot.filter_k(worked.top_k, model).caption()
    monkeypatch.setenv("LLAMA_LAB_GRADING", "1")
    pictures = [
        plot.temperature(worked.apply_temperature, model),
        plot.filter_k(worked.top_k, model),
        plot.filter_p(worked.top_p, model),
        plot.filter_min_p(worked.min_p, worked.top_p, worked.apply_temperature, model),
        plot.draws(*RULES, worked.sample, model),
        plot.regrow(worked.generate, *RULES, model),
    ]
    assert max(len(picture.frames) for picture in pictures) <= 8
    assert pictures[1].caption() == first


def test_waiting_prints_shares(
    model: nn.Module, short: None, capsys: pytest.CaptureFixture[str]
) -> None:
    plot.waiting(worked.generate, worked_cache.generate_greedy, model)
    said = capsys.readouterr().out
    assert "the first of 53 letters" in said
    assert "without a cache" in said
    assert said.count("%") == 1


def test_the_desk_writes(model: nn.Module) -> None:
    pytest.importorskip("ipywidgets")
    desk = sampling_writer.Writer(worked.generate, model, context=30)
    desk.widget()
    for name in ("k", "p"):  # an option whose value is None is shown blank
        assert desk.settings[name].label == "off"
        assert desk.settings[name].value is not None
    desk.settings["temperature"].value = 0.0
    desk.prompt.value = r"ROMEO:\nI will"
    desk.prompt._handle_custom_msg({"event": "submit"}, [])  # Enter
    desk.turns.wait()
    assert desk.page.value.startswith(sampling_writer.PAGE[:20])
    assert "<b>ROMEO:\nI will</b>" in desk.page.value
    written = desk.page.value
    desk.button.click()
    desk.turns.wait()
    assert desk.page.value == written  # temperature 0: no luck in it
    desk.prompt.value = "naïve"
    desk.button.click()
    desk.turns.wait()
    assert "does not know ï" in desk.page.value
    desk.prompt.value = "a" * 40
    desk.button.click()
    desk.turns.wait()
    assert "this beginning has 40" in desk.page.value
    desk.prompt.value = ""
    desk.button.click()
    desk.turns.wait()
    assert "needs a beginning" in desk.page.value


def test_the_desk_says_what_went_wrong(model: nn.Module) -> None:
    pytest.importorskip("ipywidgets")

    def breaks(*_: Any, **__: Any) -> Iterator[int]:
        yield 20
        raise ValueError("6 positions do not fit")

    desk = sampling_writer.Writer(breaks, model)
    desk.widget()
    desk.button.click()
    desk.turns.wait()
    assert "ValueError: 6 positions do not fit" in desk.page.value


def test_without_a_person_the_desk_prints(
    model: nn.Module, capsys: pytest.CaptureFixture[str]
) -> None:
    plot.writer(worked.generate, model, 24)
    assert capsys.readouterr().out.startswith("JULIET:\nO, ")


def test_right_samplers_stay_far_from_the_bound() -> None:
    """No seed of a grader's may reject a right answer: the bound is far beyond what luck does."""
    torch.manual_seed(0)
    worst = 0.0
    for size in (4, 6, 8, 12):
        for _ in range(100):
            expected = torch.randn(size, dtype=torch.float64).softmax(-1)
            drawn = torch.multinomial(expected, 2000, replacement=True)
            counts = torch.bincount(drawn, minlength=size).double()
            worst = max(worst, chi_square(counts, expected * 2000) / bound(size))
    assert 0.1 < worst < 0.7


def test_a_list_in_place_of_a_stream_is_told_in_words() -> None:
    report = check.generate.run(lambda model, ids, n_new, *a, **b: [4, 5, 6])
    assert report.result == "failed"
    assert "a list" in report.text
    assert "yield" in report.text


def test_an_unwritten_piece_of_generate_is_no_mistake() -> None:
    def generate(*_: Any, **__: Any) -> Iterator[int]:
        raise NotImplementedError("Exercise 10.2: top_k")
        yield

    assert check.generate.run(generate).result == "todo"


def test_no_draw_is_shown_as_a_counterexample() -> None:
    """What a right sampler draws differs from what the reference draws, and proves nothing."""

    def short(logits: Tensor, generator: Any = None) -> Tensor:
        return worked.sample(logits, generator).int()

    report = check.sample.run(short)
    assert report.mistake == "short_integers"
    assert report.counterexample is None or len(report.counterexample.got) < 10


@pytest.mark.parametrize(
    "picture",
    [
        lambda f, m: plot.temperature(f, m),
        lambda f, m: plot.filter_k(f, m),
        lambda f, m: plot.filter_p(f, m),
        lambda f, m: plot.filter_min_p(f, f, f, m),
        lambda f, m: plot.draws(f, f, f, f, m),
        lambda f, m: plot.regrow(f, f, f, f, m),
        lambda f, m: plot.degeneration(f, m),
    ],
)
def test_unwritten_function_draws_a_placeholder(picture: Any, model: nn.Module) -> None:
    def unwritten(*_: Any, **__: Any) -> Tensor:
        raise NotImplementedError("Exercise 10.1: apply_temperature")

    assert "Exercise 10.1: apply_temperature" in picture(unwritten, model).first.caption


def test_unwritten_generate_is_not_measured(
    model: nn.Module, capsys: pytest.CaptureFixture[str]
) -> None:
    def unwritten(*_: Any, **__: Any) -> Iterator[int]:
        raise NotImplementedError("Exercise 10.6: generate")

    plot.waiting(unwritten, unwritten, model)
    plot.writer(unwritten, model)
    assert capsys.readouterr().out.count("Exercise 10.6: generate") == 2


def test_all_six_exercises_are_checked() -> None:
    assert isinstance(check, types.ModuleType)
    assert [c.exercise for c in exercises_of(check)] == [f"10.{i}" for i in range(1, 7)]
