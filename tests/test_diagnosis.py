"""Mistakes as lines of the right answer, and what is said of two at once."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from checks.engine import (
    Check,
    CheckFailed,
    Mistake,
    Probe,
    gradients,
    keeps_device,
    load,
    mistakes_of,
    module_keeps_device,
    values,
)
from checks.engine.report import READY, TECHNIQUE
from checks.roofline import quantize_int8
from checks.swiglu import glu


def scaled(x: Tensor, by: float = 2.0) -> Tensor:
    wide = x.float() if x.dtype == torch.float16 else x
    #: Take it as it is.
    #! takes_size: wide = x.abs()
    #  The sign is lost. [somebody/something#12]
    #! reversed:
    #| wide = x
    #| for _ in range(1):
    #|     wide = wide.flip(-1)
    #  The numbers stand in the opposite order.
    shifted = wide - 1
    #! not_shifted: shifted = wide
    #! not_shifted: shifted = 1 * wide
    #  Nothing is subtracted.
    #! shift_twice: …; shifted = shifted - 1
    #  One is subtracted twice.
    if by != 1:
        #! negative: if by != 1 and (by := -by):
        #  It multiplies by the negative.
        shifted = shifted * by
        #! adds: shifted = shifted + by
        #  It adds where it should multiply.
    result = shifted.to(x.dtype)
    #! two_places: result = 3 * shifted.to(x.dtype)
    return result
    #!+ two_places: return result + 1
    #  It multiplies by 3 and adds 1.
    #! on_the_cpu: return torch.zeros(result.shape, dtype=x.dtype).copy_(result)
    #  It lies on the CPU.
    #! float64: return result.double()
    #  It is float64.


MISTAKES = mistakes_of(scaled)
KEYS = [mistake.key for mistake in MISTAKES]


def check_of(**changes: Any) -> Check:
    parts: dict[str, Any] = {
        "exercise": "9.9",
        "name": "scaled",
        "reference": lambda x, by=2.0: ((x.double() - 1) * by).to(x.dtype),
        "technique": [
            values(lambda inputs: (torch.tensor([1.0, 3.0]),), title="worked example"),
            values(lambda inputs: (inputs.randn(3, 5),), lambda inputs: (inputs.randn(4, 3), 1.0)),
            Probe("negative", lambda f, inputs: bool((f(-inputs.uniform(2, 3)) < 0).all()), "No."),
        ],
        "ready": [
            gradients(lambda inputs: (inputs.randn(5),)),
            keeps_device(lambda inputs: (inputs.randn(2, 3),)),
        ],
        "mistakes": MISTAKES,
        "hints": ("A question?", "An idea.", "A line."),
    }
    return Check(**parts | changes)


CHECK = check_of()


def test_every_comment_becomes_a_mistake_with_its_sentence_hint_and_source() -> None:
    assert [
        *("takes_size", "reversed", "not_shifted", "shift_twice", "negative", "adds"),
        *("two_places", "on_the_cpu", "float64"),
    ] == KEYS
    size = MISTAKES[0]
    assert (size.says, size.hint) == ("The sign is lost.", "Take it as it is.")
    assert size.source == "somebody/something#12"
    assert MISTAKES[1].hint == size.hint and MISTAKES[2].hint == ""
    assert len(MISTAKES[KEYS.index("not_shifted")].answers) == 2


@pytest.mark.parametrize(
    ("key", "result"),
    [
        ("takes_size", [0.0, 4.0]),
        ("reversed", [4.0, -4.0]),
        ("not_shifted", [-2.0, 6.0]),
        ("shift_twice", [-6.0, 2.0]),
        ("negative", [4.0, -4.0]),
        ("adds", [0.0, 4.0]),
        ("two_places", [-11.0, 13.0]),
    ],
)
def test_what_a_rewritten_line_computes(key: str, result: list[float]) -> None:
    x = torch.tensor([-1.0, 3.0])
    mistake = MISTAKES[KEYS.index(key)]
    assert all(wrong(x).tolist() == result for wrong in mistake.answers)


@pytest.mark.parametrize(
    ("comment", "says"),
    [
        ("#! key_alone:", "what stands there instead"),
        ("#! nothing_said: x = 1", "No sentence says what nothing_said is"),
        ("#!no_space: x = 1", "not a mistake's comment"),
    ],
)
def test_a_comment_that_cannot_be_read_is_an_error(
    comment: str, says: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unread.py").write_text(f"def f(x):\n    x = 2\n    {comment}\n    return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "unread", raising=False)
    with pytest.raises(ValueError, match=says):
        mistakes_of(__import__("unread").f)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.key)
def test_each_is_rejected_and_named(mistake: Mistake) -> None:
    for wrong in mistake.answers:
        assert [found.key for found in CHECK.run(wrong).mistakes] == [mistake.key]


def test_two_in_one_answer_are_both_named() -> None:
    def both(x: Tensor, by: float = 2.0) -> Tensor:
        return (x.flip(-1) - 1) * -by if by != 1 else x.flip(-1) - 1

    report = CHECK.run(both)
    assert [mistake.key for mistake in report.mistakes] == ["reversed", "negative"]
    assert "This: The numbers stand" in report.text and "And this: It multiplies" in report.text


def rows_of_one_number(rows: int) -> list[Probe]:
    return [values(lambda inputs: (inputs.randn(1),), title=f"draw {i}") for i in range(rows)]


@pytest.mark.parametrize(("rows", "keys"), [(3, ["negative", "two_places"]), (2, [])])
def test_two_are_told_by_several_rows_of_one_number_each(rows: int, keys: list[str]) -> None:
    check = check_of(technique=rows_of_one_number(rows), ready=[])
    report = check.run(lambda x, by=2.0: 3 * ((x - 1) * -by) + 1)
    assert sorted(mistake.key for mistake in report.mistakes) == keys


def total(x: Tensor) -> Tensor:
    first = x + 1
    #! two_in_the_first: first = x + 2
    #  The first one adds 2.
    #! none_in_the_first: first = x
    #  The first one adds nothing.
    second = 2 * x + 1
    #! two_in_the_second: second = 2 * x + 2
    #  The second one adds 2.
    #! four_in_the_second: second = 2 * x + 4
    #  The second one adds 4.
    return first + second


@pytest.mark.parametrize(("rows", "named"), [(7, 0), (9, 2)])
def test_few_numbers_tell_two_only_where_no_other_two_do_the_same(rows: int, named: int) -> None:
    check = Check(
        exercise="9.99",
        name="total",
        reference=total,
        technique=rows_of_one_number(rows),
        mistakes=mistakes_of(total),
        hints=("One.", "Two.", "Three."),
    )
    assert len(check.run(lambda x: 3 * x + 4).mistakes) == named


def least(peak: float, slope: float, x: float) -> float:
    slanted = slope * x
    #! divided: slanted = slope / x
    #  The slope is divided.
    #! added: slanted = slope + x
    #  They are added.
    return min(peak, slanted)
    #! larger: return max(peak, slanted)
    #  The larger one is taken.
    #! turned_round: return peak if peak > slanted else slanted
    #  They are compared the wrong way round.
    #! peak_only: return peak
    #  The peak is all.


def draws_of(*rows: tuple[float, float, float]) -> list[Probe]:
    return [values(lambda inputs, row=row: row, title=f"{row}") for row in rows]


def test_one_that_all_pairs_have_is_named_and_the_others_are_alternatives() -> None:
    rows = draws_of((1.0, 2.0, 1.0), (9.0, 2.0, 4.0), (9.0, 3.0, 2.0), (7.0, 3.0, 4.0))
    check = Check("9.97", "least", least, rows, mistakes_of(least), ("1.", "2.", "3."))
    found = check.run(lambda peak, slope, x: max(peak, slope / x)).diagnosis
    assert [[m.key for m in part] for part in found.parts] == [
        ["divided"],
        ["larger", "turned_round"],
    ]


def area(width: float, height: float) -> float:
    return (width + 1) * (height + 1)
    #! width_as_it_is: return width * (height + 1)
    #  The width is taken as it is.
    #! height_as_it_is: return (width + 1) * height
    #  The height is taken as it is.
    #! height_twice: return (height + 1) * (height + 1)
    #  The height is taken for the width.
    #! height_lowered: return (width + 1) * (height - 1)
    #  The height is lowered.
    #! halved: return (width + 1) * (height + 1) / 2
    #  It is halved.


WAYS = {mistake.key: mistake.wrong for mistake in mistakes_of(area)}


@pytest.mark.parametrize(
    ("one", "other", "result"),
    [
        ("width_as_it_is", "height_as_it_is", 12.0),
        ("height_as_it_is", "halved", 8.0),
        ("width_as_it_is", "halved", 7.5),
        ("height_twice", "halved", 12.5),
    ],
)
def test_two_changes_of_one_line_are_made_together(one: str, other: str, result: float) -> None:
    for pair in ((one, other), (other, one)):
        way = WAYS[pair[0]].with_(WAYS[pair[1]])
        assert way.answer(3.0, 4.0) == result


def test_two_changes_of_the_same_words_do_not_go_together() -> None:
    assert WAYS["height_as_it_is"].with_(WAYS["height_lowered"]) is None


def counted(x: Tensor) -> Tensor:
    for _ in range(2):
        #! once: if x is not None:
        #  It is done once.
        x = x + 1
        #! stops: x = x + 1; break
        #  It stops after the first.
    return x


def test_two_that_are_no_python_together_are_left_out() -> None:
    mistakes = mistakes_of(counted)
    both = mistakes[0].wrong.with_(mistakes[1].wrong)
    with pytest.raises(SyntaxError):
        both.answer  # noqa: B018  (it is compiled when it is asked for)
    check = Check("9.98", "counted", counted, rows_of_one_number(9), mistakes, ("1.", "2.", "3."))
    assert check.run(lambda x: x + 7).mistakes == []


def test_two_that_fail_in_different_rows_are_named_side_by_side() -> None:
    def both(x: Tensor, by: float = 2.0) -> Tensor:
        result = torch.zeros(x.shape)
        return result.copy_(-(x - 1) * by if by != 1 else x - 1)

    report = CHECK.run(both)
    assert {mistake.key for mistake in report.mistakes} == {"negative", "on_the_cpu"}


def test_answers_without_numbers_are_combined_as_well() -> None:
    """Truth values and errors part the failing rows; no row is rich in numbers."""

    def even(n: int) -> bool:
        return n % 2 == 0

    two = Check(
        exercise="9.8",
        name="even",
        reference=even,
        technique=[
            Probe("small", lambda f, inputs: [f(2), f(3)], "No."),
            Probe("zero", lambda f, inputs: f(0), "Not 0."),
            Probe("negative", lambda f, inputs: [f(-2), f(-3)], "Not those."),
        ],
        mistakes=[
            Mistake("no_zero", lambda n: n != 0 and n % 2 == 0, "0 is even."),
            Mistake("no_negative", lambda n: n >= 0 and n % 2 == 0, "-2 is even."),
            Mistake("odd", lambda n: n % 2 == 1, "It tells odd ones."),
        ],
        hints=(),
        only_numbers=True,
    )
    report = two.run(lambda n: n > 0 and n % 2 == 0)
    assert [mistake.key for mistake in report.mistakes] == ["no_zero", "no_negative"]


def test_another_dtype_does_not_hide_the_typical_mistake() -> None:
    without = check_of(mistakes=[mistake for mistake in MISTAKES if mistake.key != "float64"])
    report = without.run(lambda x, by=2.0: (x.double() - 1) * -by if by != 1 else x.double() - 1)
    assert [mistake.key for mistake in report.mistakes] == ["negative", "dtype"]
    assert "And this: It returned float64 where float32 is expected." in report.text


def test_a_dtype_that_is_right_is_not_told_where_the_mistake_has_another() -> None:
    """The check of 12.5 knows half precision with scales in it; here they are float32, as asked."""

    def in_half_precision(weight: Tensor) -> tuple[Tensor, Tensor]:
        scale = weight.abs().amax(dim=1) / 127
        scale = torch.where(scale == 0, 1.0, scale)
        return (weight / scale[:, None]).round().to(torch.int8), scale.float()

    report = quantize_int8.run(in_half_precision)
    assert [mistake.key for mistake in report.mistakes] == ["in_half_precision"]
    assert "It returned" not in report.text


def test_calls_that_came_back_before_a_crash_are_used() -> None:
    def crashes_later(x: Tensor, by: float = 2.0) -> Tensor:
        return (x - 1) * -by if x.shape[0] == 3 else x @ x

    report = CHECK.run(crashes_later)
    assert [mistake.key for mistake in report.mistakes] == ["negative"]
    assert "something else besides" in report.text


def masked(x: Tensor, mask: Tensor | None = None) -> Tensor:
    wide = x.float()
    #! square: …; mask = None if mask is None else torch.ones(len(x), len(x), dtype=torch.bool)
    #  It is as wide as it is high.
    #! needs_a_mask: …; mask = mask.bool()
    #  It stops without a mask.
    #! refuses:
    #| …
    #| if mask is not None:
    #|     raise ValueError("no mask is wanted")
    #  It refuses a mask.
    #! one_dimension: …; mask = mask if mask is None else mask.reshape(-1)
    #  It lays the mask flat.
    if mask is not None:
        wide = wide.masked_fill(~mask, 0.0)
    return wide.to(x.dtype)
    #! float32: return wide
    #  It is float32.


MASKED = check_of(
    name="masked",
    reference=lambda x, mask=None: x if mask is None else x.where(mask, 0.0).to(x.dtype),
    technique=[
        values(lambda inputs: (inputs.randn(2, 5),), title="no mask"),
        values(lambda inputs: (inputs.randn(2, 5), inputs.randn(2, 5) > 0), title="a mask"),
        values(lambda inputs: (inputs.randn(3, 4), inputs.randn(3, 4) > 0), title="another"),
    ],
    ready=[values(lambda inputs: (inputs.randn(2, 5).half(),), title="half precision")],
    mistakes=mistakes_of(masked),
)


def square_in_other_words(x: Tensor, mask: Tensor | None = None) -> Tensor:
    if mask is None:
        return x * 1
    return x * torch.ones(len(x), len(x)).expand(x.shape)


def needs_a_mask_in_other_words(x: Tensor, mask: Tensor | None = None) -> Tensor:
    return x * mask.to(x.dtype)


def refuses_in_other_words(x: Tensor, mask: Tensor | None = None) -> Tensor:
    if mask is not None:
        raise ValueError(f"a mask {tuple(mask.shape)}, and none is wanted")
    return x * 1


def float32_rounded_on_the_way(x: Tensor, mask: Tensor | None = None) -> Tensor:
    third = (x.float() * 3).to(x.dtype).float() / 3
    return third if mask is None else third * mask


@pytest.mark.parametrize(
    ("answer", "key"),
    [
        (square_in_other_words, "square"),
        (needs_a_mask_in_other_words, "needs_a_mask"),
        (refuses_in_other_words, "refuses"),
        (float32_rounded_on_the_way, "float32"),
    ],
)
def test_the_same_in_other_words_is_named(answer: Any, key: str) -> None:
    """Operations complain each in their own words, and half precision rounds in its own places."""
    assert [mistake.key for mistake in MASKED.run(answer).mistakes] == [key]


def test_crashes_of_another_kind_are_not_combined() -> None:
    """Errors of one type are no evidence: two mistakes would be named that nobody made."""

    def in_pieces(x: Tensor, mask: Tensor | None = None) -> Tensor:
        return x * 1 if mask is None else x.reshape(7, -1)

    assert MASKED.run(in_pieces).mistakes == []


def test_what_is_right_but_not_ready_is_half_a_circle() -> None:
    report = CHECK.run(lambda x, by=2.0: torch.zeros(x.shape).copy_((x - 1) * by))
    assert report.result == "right" and report.mistake == "on_the_cpu"
    assert report.text.startswith("◐ Exercise 9.9 · scaled: right. Before a real model uses it")
    assert f"✓ {TECHNIQUE}: all 3 right" in report.text
    assert f"◐ {READY}: 2 of 3 right" in report.text
    assert report.summary == "right; before a real model uses it: It lies on the CPU."
    assert report.hints == ()  # they would tell what the learner has found already


def test_what_is_right_raises_nothing_and_earns_most(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def in_place(x: Tensor, by: float = 2.0) -> Tensor:
        x -= 1
        return x * by if by != 1 else x

    monkeypatch.delenv("LLAMA_LAB_STRICT", raising=False)
    assert CHECK.run(in_place).result == "right"
    assert (CHECK(in_place), CHECK.points) == (3, 4)
    monkeypatch.setenv("LLAMA_LAB_STRICT", "1")
    with pytest.raises(CheckFailed):
        CHECK(in_place)
    capsys.readouterr()


def test_only_what_failed_is_shown() -> None:
    def on_cpu_and_rounded(x: Tensor, by: float = 2.0) -> Tensor:
        return torch.zeros(x.shape).copy_((x - 1) * by + 1e-7)

    report = CHECK.run(on_cpu_and_rounded)
    assert report.result == "right" and report.counterexample is None
    assert "differs" not in report.html.partition("</style>")[2]


class Cache:
    pass


def test_an_object_is_shown_in_words_and_rounding_is_not_marked() -> None:
    def with_cache(x: Tensor, cache: Any) -> Tensor:
        return x * 1.0

    probe = Probe("with a cache", lambda f, inputs: f(torch.tensor([1.0, 2.0]), Cache()))
    check = check_of(reference=with_cache, technique=[probe], ready=[], mistakes=[])
    report = check.run(lambda x, cache: x * torch.tensor([1.00004, 3.0]))
    assert "cache = a Cache" in report.text and "0x" not in report.text
    assert report.html.count('class="differs"') == 1


def test_the_dtype_of_no_input_is_not_to_be_kept() -> None:
    ids = check_of(
        reference=lambda n: torch.arange(n),
        technique=[Probe("ids", lambda f, inputs: f(3))],
        ready=[],
        mistakes=[],
    )
    assert "keep the input's dtype" not in ids.run(lambda n: torch.arange(n).int()).text
    assert "keep the input's dtype" in CHECK.run(lambda x, by=2.0: (x.double() - 1) * by).text


class Shift(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.weight + torch.ones(3, device=x.device)


class ShiftOnCpu(Shift):
    def forward(self, x: Tensor) -> Tensor:
        return x + self.weight + torch.ones(3)


class ShiftByBuffer(Shift):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("one", torch.ones(3), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.weight + self.one


@pytest.mark.parametrize(("answer", "fine"), [(Shift, 1), (ShiftByBuffer, 1), (ShiftOnCpu, 0)])
def test_a_module_s_device(answer: type, fine: int) -> None:
    probe = module_keeps_device(
        lambda answer, inputs: load(answer(), {"weight": inputs.randn(3)}),
        lambda inputs: (inputs.randn(2, 3),),
    )
    check = check_of(reference=Shift, technique=[probe], ready=[], mistakes=[])
    assert (check.run(answer).result == "passed") == fine


def test_who_changes_one_input_is_not_told_that_it_is_the_other() -> None:
    def multiplied_in_place(gate: Tensor, value: Tensor) -> Tensor:
        value *= torch.sigmoid(gate)
        return value

    assert [found.key for found in glu.run(multiplied_in_place).mistakes] == ["value_in_place"]
