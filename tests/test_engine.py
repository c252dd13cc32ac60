"""The checks engine: odd answers get a sentence, the surroundings are put back, nothing of ours shows."""

import contextlib
import dataclasses
import gc
import io
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time
import types
from typing import Any

import numpy as np
import pytest
import torch
from course import ROOT
from torch import Tensor, nn

from checks import front_end
from checks.engine import (
    EVIDENCE,
    Check,
    CheckFailed,
    Mistake,
    NotAttempted,
    Probe,
    agrees,
    error_of,
    fingerprints,
    gradients,
    half_precision,
    keeps_device,
    load,
    values,
)
from checks.engine import check as check_module
from checks.engine.compare import difference
from checks.engine.report import show


def double(x: Tensor, by: float = 2.0) -> Tensor:
    return (x.double() * by).to(x.dtype)


def check_of(**changes: Any) -> Check:
    """A small check to be tried: double(x, by=2.0)."""
    parts: dict[str, Any] = {
        "exercise": "9.1",
        "name": "double",
        "reference": double,
        "technique": [
            values(lambda inputs: (torch.tensor([1.0, 3.0]),), title="worked example"),
            values(lambda inputs: (inputs.randn(2, 5),), lambda inputs: (inputs.randn(3, 4), 5.0)),
            gradients(lambda inputs: (inputs.randn(3),)),
        ],
        "mistakes": [
            Mistake("adds_two", lambda x, by=2.0: x + 2, "It adds 2.", "Multiply."),
            Mistake("ignores_by", lambda x, by=2.0: x * 2, "The argument `by` is not used."),
            Mistake("squares", lambda x, by=2.0: x * x, "It squares.", "Multiply by 2."),
        ],
        "hints": ("A question?", "An idea.", "A line."),
    }
    return Check(**parts | changes)


CHECK = check_of()


def spend_forever(x: Tensor, by: float = 2.0) -> Tensor:
    while True:
        pass


def swallows_everything(x: Tensor, by: float = 2.0) -> Tensor:
    with contextlib.suppress(BaseException):
        time.sleep(60)
    return x * by


def with_learner_s_line(x: Tensor, by: float = 2.0) -> Tensor:
    wrong_size = x.new_zeros(7, 7)
    return x @ wrong_size


def in_place(x: Tensor, by: float = 2.0) -> Tensor:
    x *= by
    return x


def unwritten(x: Tensor, by: float = 2.0) -> Tensor:
    raise NotImplementedError("Exercise 9.1: double")


def half_written(x: Tensor, by: float = 2.0) -> Tensor:
    if x.ndim > 1:
        raise NotImplementedError("only vectors")
    return x * by


ODD = {
    "None": (lambda x, by=2.0: None, "is there a `return`?", "none"),
    "a tuple": (lambda x, by=2.0: (x * by,), "a tuple of 1, expected a tensor: return one", "type"),
    "a list": (lambda x, by=2.0: [x], "a list, expected a tensor", "type"),
    "numpy": (lambda x, by=2.0: (x * by).detach().numpy(), "stay in torch", "type"),
    "a number": (lambda x, by=2.0: 3, "an int, expected a tensor", "type"),
    "a generator": (lambda x, by=2.0: (v for v in x), "a generator, expected a tensor", "type"),
    "a module": (lambda x, by=2.0: nn.Identity(), "an Identity, expected a tensor", "type"),
    "sparse": (lambda x, by=2.0: (x * by).detach().to_sparse(), "a sparse", "type"),
    "float64": (lambda x, by=2.0: x.double() * by, "float64 where float32", "dtype"),
    "a dimension gone": (lambda x, by=2.0: (x * by).sum(0), "dimension 0, of size", "shape"),
    "another order": (lambda x, by=2.0: (x * by).T, "in another order", "shape"),
    "too many": (lambda x, by=2.0: (x * by)[None], "a dimension too many", "shape"),
    "no gradient": (lambda x, by=2.0: (x * by).detach(), "right gradients", None),
    "in place": (in_place, "changes its input `x` in place", "changes_input"),
    "a crash": (with_learner_s_line, "return x @ wrong_size", "crashes"),
    "its shapes": (with_learner_s_line, "x (2,), wrong_size (7, 7)", "crashes"),
    "wrong arguments": (lambda: None, "It is called as `double(x, by=2.0)`", "crashes"),
    "exits": (lambda x, by=2.0: sys.exit(3), "SystemExit: 3", "crashes"),
    "its own exit": (lambda x, by=2.0: (_ for _ in ()).throw(GeneratorExit), "GeneratorExit", None),
    "recursion": (lambda x, by=2.0: CHECK and ODD["recursion"][0](x), "RecursionError", "crashes"),
    "half written": (half_written, "NotImplementedError: only vectors", "crashes"),
}


def test_a_list_of_plain_things_that_is_reordered_in_place_is_noticed() -> None:
    def backwards(ids: list[int]) -> int:
        ids.reverse()
        return ids[-1]

    first = Probe("first", lambda answer, inputs: answer([1, 2, 3]))
    check = check_of(reference=lambda ids: ids[0], technique=[first], mistakes=[])
    assert "changes its input `ids` in place" in check.run(backwards).text
    assert check.run(lambda ids: min(ids)).result == "passed"


@pytest.mark.parametrize("name", ODD)
@pytest.mark.filterwarnings("ignore")
def test_odd_answers_get_a_sentence(name: str) -> None:
    answer, says, kind = ODD[name]
    report = CHECK.run(answer)
    assert report.result == ("right" if kind == "changes_input" else "failed")
    assert says in report.text
    if kind:
        assert report.kind == kind
    for of_ours in ("Traceback", "checks/engine", "probe.run"):
        assert of_ours not in report.text + report.html


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (torch.ones(3), "a tensor instead of the function double"),
        (None, "a NoneType instead of the function double"),
        ("double", "a str instead of the function double"),
        (nn.RMSNorm, "the class RMSNorm instead of the function double"),
    ],
)
def test_something_else_than_the_function(answer: Any, says: str) -> None:
    report = CHECK.run(answer)
    assert (report.result, report.kind) == ("failed", "wrong_thing")
    assert says in report.summary
    assert "check.double(double)" in report.summary


class Scale(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


class NoModule:
    def __init__(self, dim: int) -> None:
        self.weight = torch.ones(dim)


def loaded(answer: Any, inputs: Any) -> Tensor:
    return load(answer(3), {"weight": inputs.randn(3)})(inputs.randn(2, 3))


SCALE = check_of(name="Scale", reference=Scale, technique=[Probe("loaded", loaded)], mistakes=[])


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Scale(3), "a Scale instead of the class Scale"),
        (NoModule, "Scale is no nn.Module"),
        (double, "a function instead of the class Scale"),
        (nn.LayerNorm, "its parameters are `bias` (3,), `weight` (3,); expected: `weight` (3,)"),
        (nn.Identity, "its parameters are none; expected: `weight` (3,)"),
    ],
)
def test_modules_that_are_none(answer: Any, says: str) -> None:
    report = SCALE.run(answer)
    assert report.result == "failed"
    assert says in report.text
    assert SCALE.run(Scale).result == "passed"


def test_mistakes_are_named_and_told_apart() -> None:
    assert CHECK.run(lambda x, by=2.0: 2 + x).mistake == "adds_two"
    assert CHECK.run(lambda x, by=2.0: x + x).mistake == "ignores_by"
    assert "This is what your answer does: It adds 2." in CHECK.run(lambda x, by=2.0: 2 + x).text
    assert CHECK.run(lambda x, by=2.0: x * by + 1e-2).mistake is None


def test_a_mistake_is_looked_at_once_for_each_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def adds(x: Tensor, by: float = 2.0) -> Tensor:
        nonlocal calls
        calls += 1
        return x + 2

    check = check_of(mistakes=[Mistake("adds_two", adds, "It adds 2.", "Multiply.")])
    counts = []
    for grader in ("a", "a", "b"):
        monkeypatch.setenv("CHECKS_SEED", grader)
        assert check.run(lambda x, by=2.0: 2 + x).mistake == "adds_two"
        counts.append(calls)
    first = counts[0]
    assert first > 0 and counts == [first, first, 2 * first]


def test_only_mistakes_that_pass_the_same_are_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written down about a mistake rules it out, unless its probes are others now."""
    runs: list[str] = []

    def mistake(key: str) -> Mistake:
        return Mistake(key, lambda x, by=2.0: runs.append(key) or x + 2, "It adds 2.")

    probes = [values(lambda inputs: (inputs.randn(3),), title=title) for title in "23"]
    check = check_of(technique=probes, mistakes=[mistake(key) for key in "abcd"])
    signs = {"a": "--+", "b": "+-+", "c": "-?+"}

    def run_with(titles: list[str]) -> set[str]:
        rows = fingerprints.digest([*titles, check_module.UNTOUCHED.title])
        known = {check.exercise: {"probes": rows, "mistakes": signs}}
        monkeypatch.setattr(fingerprints, "_all", lambda: known)
        runs.clear()
        assert dataclasses.replace(check).run(lambda x, by=2.0: x + 2).mistake == "a"
        return set(runs)

    assert run_with(["2", "3"]) == {"a", "c", "d"}  # of d nothing is known
    assert run_with(["3", "2"]) == {"a", "b", "c", "d"}


def test_every_run_draws_alike() -> None:
    """An answer that draws its first weights shows the same at every run, as a mistake does."""
    draws = check_of(
        mistakes=[Mistake("noise", lambda x, by=2.0: x + torch.rand(x.shape), "It adds noise.")]
    )
    for start in (1, 2):
        torch.manual_seed(start)
        assert draws.run(lambda x, by=2.0: torch.rand(x.shape) + x).mistake == "noise"


def test_a_mistake_is_not_named_unless_it_reproduces_the_answer() -> None:
    report = CHECK.run(lambda x, by=2.0: x + 2.01)
    assert report.mistakes == []
    assert report.counterexample is not None
    assert "yours:    [3.0100, 5.0100]" in report.text
    assert "expected: [2., 6.]" in report.text


def test_two_mistakes_at_once_are_both_named() -> None:
    probe = half_precision(lambda inputs: (300 * inputs.randn(4, 5).sign(),))

    def cubed(x: Tensor) -> Tensor:
        return (x.double() ** 3 / 1e5).to(x.dtype)

    two = check_of(
        reference=cubed,
        technique=[values(lambda inputs: (inputs.randn(4, 5) * 9,)), probe],
        mistakes=[
            Mistake("squares", lambda x: (x.double() ** 2 / 1e5).to(x.dtype), "It squares."),
            Mistake("in_half", lambda x: x * x * x / 1e5, "float16 overflows."),
        ],
    )
    report = two.run(lambda x: x * x / 1e5)
    assert [mistake.key for mistake in report.mistakes] == ["squares", "in_half"]
    assert "This: It squares." in report.text and "And this: float16 overflows." in report.text


def test_indistinguishable_mistakes_are_both_named() -> None:
    again = Mistake("doubles", lambda x, by=2.0: x + x, "It adds x to itself.")
    report = check_of(mistakes=[*CHECK.mistakes, again]).run(lambda x, by=2.0: 2 * x)
    assert [mistake.key for mistake in report.mistakes] == ["ignores_by", "doubles"]
    assert report.text.count("Either this:") == 2


@pytest.mark.parametrize("answer", [spend_forever, swallows_everything])
def test_an_answer_that_hangs_costs_its_limit(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_module, "TIME_LIMIT", 0.5)
    start = time.perf_counter()
    report = CHECK.run(answer)
    assert time.perf_counter() - start < 3
    assert (report.result, report.kind) == ("failed", "hangs")
    assert "endless loop" in report.text
    assert [row.ok for row in report.rows] == [False, None, None, None]


def test_an_answer_that_waits_for_its_turn_is_not_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine with other work, a right answer gets a fraction of the time that passes."""

    def starved(x: Tensor, by: float = 2.0) -> Tensor:
        time.sleep(0.25)
        return x * by

    monkeypatch.setattr(check_module, "TIME_LIMIT", 0.3)
    assert CHECK.run(starved).result == "passed"


def test_a_megabyte_of_output_becomes_a_note(capsys: pytest.CaptureFixture) -> None:
    def talkative(x: Tensor, by: float = 2.0) -> Tensor:
        print("x" * 1_000_000)
        print("to stderr", file=sys.stderr)
        sys.stdout.buffer.write(b"bytes")
        return x * by

    report = CHECK.run(talkative)
    assert report.result == "passed"
    assert "it printed 4,0" in report.printed
    assert len(report.text) < 2500
    assert capsys.readouterr() == ("", "")


def test_what_an_answer_prints_is_shown() -> None:
    def curious(x: Tensor, by: float = 2.0) -> Tensor:
        print("shape", tuple(x.shape))
        return x + 2

    assert "| shape (2,)" in CHECK.run(curious).text


def test_interrupting_passes_through() -> None:
    def interrupted(x: Tensor, by: float = 2.0) -> Tensor:
        signal.raise_signal(signal.SIGINT)
        return x * by

    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # another test may have its own
    try:
        with pytest.raises(KeyboardInterrupt):
            CHECK.run(interrupted)
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_the_surroundings_are_put_back() -> None:
    def rude(x: Tensor, by: float = 2.0) -> Tensor:
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        torch.set_num_threads(2)
        torch.set_default_device("meta")
        torch.manual_seed(3)
        random.seed(3)
        np.random.seed(3)
        return x * by

    threads = torch.get_num_threads()
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    CHECK.run(rude)
    assert torch.get_default_dtype() == torch.float32
    assert torch.get_default_device() == torch.device("cpu")
    assert torch.is_grad_enabled()
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before[1:]
    assert not isinstance(sys.stdout, io.TextIOBase) or type(sys.stdout).__name__ != "Output"


def test_the_surroundings_of_the_caller_do_not_reach_in() -> None:
    with torch.no_grad():
        assert CHECK.run(double).result == "passed"
        assert CHECK.run(lambda x, by=2.0: (x * by).detach()).result == "failed"
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        assert CHECK.run(double).result == "passed"


def test_an_answer_cannot_choose_its_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[float]] = []

    def spy(x: Tensor, by: float = 2.0) -> Tensor:
        seen.append(x.flatten().tolist())
        return x * by

    for seed in ("1", "2", "2"):
        monkeypatch.setenv("CHECKS_SEED", seed)
        assert CHECK.run(spy).result == "passed"
    per_run = len(seen) // 3
    runs = [seen[i * per_run : (i + 1) * per_run] for i in range(3)]
    assert runs[0] != runs[1] and runs[1] == runs[2]


def test_an_answer_that_spoils_a_copy_spoils_nothing() -> None:
    def greedy(x: Tensor, by: float = 2.0) -> Tensor:
        result = x * by
        x.zero_()
        return result

    report = CHECK.run(greedy)
    assert [row.ok for row in report.rows] == [True, True, True, False]
    assert report.result == "right" and "in place" in report.rows[-1].says


@pytest.mark.parametrize(
    ("formula", "one"),
    [
        (lambda x: x * torch.arange(4, device=x.device), True),
        (lambda x: x * torch.arange(4).to(x.device), True),
        (lambda x: x * torch.arange(4).to(x), True),
        (lambda x: x * torch.tensor(2.0), True),
        (lambda x: x * torch.arange(4).to(device=x.device), True),
        (lambda x: x * torch.arange(4, device=x.device.type), True),
        (lambda x: x * torch.arange(4).to(str(x.device)), True),
        (lambda x: x * torch.arange(4).type(x.type()), True),
        (lambda x: x * torch.arange(4).cuda() if x.is_cuda else x * torch.arange(4), True),
        (lambda x: x * torch.arange(4).type(x.dtype), False),
        (lambda x: x * torch.arange(4, device="cpu"), False),
        (lambda x: x * torch.zeros(3, 4, device=torch.zeros(1).device), False),
        (lambda x: x * x.new_ones(4), True),
        (lambda x: torch.vmap(lambda row: row * 2)(x), True),
        (lambda x: x * torch.arange(4), False),
        (lambda x: torch.ones(3, 4), False),
        (lambda x: (x * 2).cpu(), False),
        (lambda x: (x * 2).to("cpu"), False),
    ],
)
def test_devices(formula: Any, one: bool) -> None:
    probe = keeps_device(lambda inputs: (inputs.randn(3, 4),))
    report = check_of(reference=lambda x: x * 2, technique=[probe], mistakes=[]).run(formula)
    assert (report.result == "passed") == one


def test_half_precision_is_about_rounding_only() -> None:
    wide = check_of(
        reference=lambda x: (x.double() ** 2 / 100).to(x.dtype),
        technique=[half_precision(lambda inputs: (300 + inputs.randn(4),))],
        mistakes=[],
    )
    assert wide.run(lambda x: (x.float() ** 2 / 100).to(x.dtype)).result == "passed"
    assert "In half precision" in wide.run(lambda x: x**2 / 100).text
    assert "float32 where float16" in wide.run(lambda x: x.float() ** 2 / 100).text


def test_errors_that_a_task_promises() -> None:
    def strict(n: int) -> int:
        if n < 0:
            raise ValueError(n)
        return n

    limits = check_of(
        reference=strict,
        technique=[Probe("negative", lambda f, inputs: error_of(lambda: f(-1)), "No ValueError.")],
        mistakes=[],
    )
    assert limits.run(strict).result == "passed"
    assert "No ValueError." in limits.run(lambda n: n).text
    assert limits.run(unwritten_number).result == "todo"


def unwritten_number(n: int) -> int:
    raise NotImplementedError("Exercise 9.1: strict")


def test_comparison_is_strict_where_it_counts_and_lenient_where_it_rounds() -> None:
    one = torch.tensor([1.0, 1000.0])
    assert difference(one * (1 + 3e-5), one) is None
    assert difference(one + torch.tensor([0.01, 0.0]), one) is not None
    assert difference(torch.tensor([1, 2]), torch.tensor([1, 3])).index == (1,)
    assert difference(6.0, 6) is None and difference(7, 6) is not None
    assert difference(True, 1) is not None
    assert difference(torch.tensor(6), 6) is not None
    assert difference({"a": 1}, {"a": 1, "b": 2}).kind == "keys"
    assert difference([1, 2], [1, 2, 3]).kind == "length"
    assert difference(torch.tensor([torch.nan]), torch.tensor([1.0])).kind == "nan"
    assert not agrees(torch.ones(2), torch.ones(3))


def test_values_are_written_so_that_they_can_be_read() -> None:
    assert show(torch.tensor([[1.0, 2.5]])) == "[[1.0000, 2.5000]]"
    large = show(torch.arange(200.0).reshape(20, 10), (7, 9))
    assert large.startswith("float32 (20, 10), of which [7, 6:12] is") and "79." in large
    assert len(show("x" * 5000)) < 400


def test_the_panel_is_html_with_a_plain_twin_and_evidence() -> None:
    bundle = CHECK.run(lambda x, by=2.0: x + 2).bundle
    assert set(bundle) == {"text/html", "text/plain", EVIDENCE}
    evidence = bundle[EVIDENCE]
    assert evidence["exercise"] == "9.1" and evidence["mistake"] == "adds_two"
    assert 'data-result="failed"' in bundle["text/html"]
    assert "<details><summary>Hint 1: a question</summary>A question?" in bundle["text/html"]
    escaped = CHECK.run(lambda x, by=2.0: "<script>alert(1)</script>").html
    assert "<script>" not in escaped and "&lt;script&gt;" in escaped


def test_unwritten_raises_in_a_batch_and_not_for_a_person(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(NotAttempted, match="to do"):
        CHECK(unwritten)
    monkeypatch.setattr(front_end, "person_present", lambda: True)
    assert CHECK(unwritten) is None
    with pytest.raises(CheckFailed) as caught:
        CHECK(lambda x, by=2.0: x + 2)
    assert caught.value.mistake == "adds_two"
    assert isinstance(caught.value, AssertionError)
    capsys.readouterr()


def test_a_person_is_present_only_when_stdin_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def shell_with(**kernel: Any) -> types.ModuleType:
        module = types.ModuleType("IPython")
        module.get_ipython = lambda: types.SimpleNamespace(kernel=types.SimpleNamespace(**kernel))
        return module

    for kernel, present in (({"_allow_stdin": True}, True), ({"_allow_stdin": False}, False)):
        monkeypatch.setitem(sys.modules, "IPython", shell_with(**kernel))
        assert front_end.person_present() is present
    monkeypatch.setitem(sys.modules, "IPython", shell_with())
    assert front_end.person_present() is False


def test_in_a_terminal_there_is_one_clean_text() -> None:
    script = (
        "from checks import rmsnorm as check\n"
        "def rms_norm(x, weight, eps=1e-5):\n    return x * weight\n"
        "check.rms_norm(rms_norm)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert ran.stdout.startswith("✗ Exercise 2.3 · rms_norm: not right yet")
    assert ran.stderr == "stopped at exercise 2.3\n"


def test_in_ipython_nothing_of_ours_is_printed() -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    try:
        shell.run_cell("from checks import rmsnorm as check")
        result = shell.run_cell("check.rms_norm(lambda x, weight, eps=1e-5: x * weight)")
        assert isinstance(result.error_in_exec, CheckFailed)
        (only,) = result.error_in_exec._render_traceback_()
        assert only.startswith("✗ Exercise 2.3") and "Traceback" not in only
    finally:
        InteractiveShell.clear_instance()


def test_without_the_main_thread_there_is_no_limit_and_no_crash() -> None:
    reports = []
    worker = threading.Thread(target=lambda: reports.append(CHECK.run(double)))
    worker.start()
    worker.join()
    assert reports[0].result == "passed"


def test_a_broken_reference_is_our_error_and_says_so() -> None:
    with pytest.raises(RuntimeError, match=r"the reference of 9\.1 double fails its probe"):
        check_of(reference=lambda x: x).run(double)


def test_time_that_goes_into_importing_is_not_the_answer_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first optimizer of a process imports half of torch: that happens once."""

    def imports_first(x: Tensor, by: float = 2.0) -> Tensor:
        if "a_slow_module" not in sys.modules:
            sys.modules["a_slow_module"] = types.ModuleType("a_slow_module")
            time.sleep(5)
        return x * by

    monkeypatch.setattr(check_module, "TIME_LIMIT", 0.3)
    try:
        assert CHECK.run(imports_first).result == "passed"
    finally:
        sys.modules.pop("a_slow_module", None)


def test_a_module_is_not_left_half_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """Stopped within an import, an answer would meet the rest of it at its next try."""
    package = tmp_path / "loads_slowly"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from . import part\nimport time\ntime.sleep(1)\ntwo = 2.0\n"
    )
    (package / "part.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(check_module, "TIME_LIMIT", 0.3)

    def imports_first(x: Tensor, by: float = 2.0) -> Tensor:
        import loads_slowly

        return x * by * loads_slowly.two / 2

    try:
        assert CHECK.run(imports_first).result == "passed"
    finally:
        for name in ("loads_slowly", "loads_slowly.part"):
            sys.modules.pop(name, None)


def test_garbage_is_collected_again_after_a_check() -> None:
    assert gc.isenabled()
    CHECK.run(double)
    assert gc.isenabled()
    with pytest.raises(RuntimeError):
        check_of(reference=lambda x: x).run(double)
    assert gc.isenabled()


def test_the_line_of_a_crash_is_the_answer_s_own(tmp_path: Any) -> None:
    """A piece of another lab, called by the answer, is not what the learner writes now."""
    (tmp_path / "piece.py").write_text("def piece(x):\n    return x.nothing_there\n")
    names: dict[str, Any] = {}
    for file in ("piece.py",):
        exec(compile((tmp_path / file).read_text(), str(tmp_path / file), "exec"), names)
    piece = names["piece"]

    def answer(x: Tensor, by: float = 2.0) -> Tensor:
        return piece(x)

    assert "return piece(x)" in CHECK.run(answer).text


@pytest.mark.parametrize("size", [10**400, -(10**5000)], ids=["long", "very long"])
def test_a_whole_number_beyond_every_float_is_wrong_and_no_error(size: int) -> None:
    check = check_of(technique=[values(lambda inputs: (torch.tensor(2.0),), title="a number")])
    check = dataclasses.replace(check, reference=lambda x, by=2.0: 4.5)
    report = check.run(lambda x, by=2.0: size)
    assert report.result == "failed"
    assert f"a whole number of {size.bit_length()} bits, expected 4.5" in report.text
