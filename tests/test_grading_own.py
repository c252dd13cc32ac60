"""An answer that is the course's own is void, however it is wrapped; a piece of an earlier exercise is not."""

import functools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from course import NAMES, module
from graded_notebooks import ROOT, run
from torch import nn

from checks.engine import exercises_of
from checks.grading import audit, own, place

sys.path.insert(0, str(ROOT / "solutions"))
import my_llama

THEIRS = my_llama.rms_norm
CLASS = my_llama.RMSNorm


@pytest.fixture(autouse=True)
def numbered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    found = {name: tuple(map(int, number.split("."))) for name, number in audit.numbers().items()}
    monkeypatch.setattr(own, "numbers", found)
    monkeypatch.setattr(own, "roots", [str(ROOT)])
    own.forget()
    yield
    own.forget()


def learner(source: str) -> Any:
    """What a cell of a notebook leaves under the name `answer`."""
    names: dict[str, Any] = {"torch": torch, "nn": nn, "my_llama": my_llama, "functools": functools}
    exec(compile(source, "/tmp/cell.py", "exec"), names)
    return names["answer"]


class Holder:
    rms_norm = staticmethod(THEIRS)

    def bound(self, x: Any) -> Any:
        return x


@pytest.mark.parametrize(
    "answer",
    [
        THEIRS,
        functools.partial(THEIRS, eps=1e-5),
        functools.partial(functools.partial(THEIRS), eps=1e-5),
        functools.lru_cache(THEIRS),
        torch.compiler.disable(THEIRS),
        torch.no_grad()(THEIRS),
        torch.vmap(THEIRS),
        Holder.rms_norm,
    ],
)
def test_a_wrapped_piece_of_the_course_is_the_course_s_own(answer: Any) -> None:
    assert own.theirs(answer, "rms_norm")


@pytest.mark.parametrize(
    "source",
    [
        "from checks import rmsnorm as check\nanswer = check.rms_norm.reference",
        "from checks.rmsnorm.rms_norm import reference\nanswer = lambda x, w: reference(x, w)",
        "def answer(x, w):\n    from checks.rmsnorm.rms_norm import reference\n    return reference(x, w)",
        "from checks import rmsnorm as check\ndef helper(x, w):\n    return check.rms_norm.reference(x, w)\n"
        "def answer(x, w):\n    return helper(x, w)",
        "def answer(x, w):\n    def inner():\n        import solutions.my_llama.rmsnorm as m\n"
        "        return m.rms_norm(x, w)\n    return inner()",
    ],
)
def test_an_answer_that_reaches_into_the_checks_is_the_course_s_own(source: str) -> None:
    assert own.theirs(learner(source), "rms_norm")


@pytest.mark.parametrize(
    "source",
    [
        "class answer(my_llama.RMSNorm): pass",
        "class answer(my_llama.RMSNorm):\n    extra = 1",
        "class A(my_llama.RMSNorm):\n    def helper(self): return 1\nclass answer(A): pass",
        "answer = type('RMSNorm', (my_llama.RMSNorm,), {})",
        "answer = my_llama.RMSNorm",
    ],
)
def test_a_subclass_of_the_exercise_s_own_piece_is_the_course_s_own(source: str) -> None:
    assert own.theirs(learner(source), "RMSNorm")


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("rms_norm", "def answer(x, w, eps=1e-5):\n    return x * w"),
        ("rms_norm", "answer = lambda x, w: x * w"),
        ("rms_norm", "@functools.lru_cache\ndef answer(x, w):\n    return x * w"),
        ("rms_norm", "@torch.no_grad()\ndef answer(x, w):\n    return x * w"),
        ("rms_norm", "class F:\n    def __call__(self, x):\n        return x\nanswer = F()"),
        ("rms_norm", "def answer(x, w):\n    checks = 3\n    return x.checks"),
        # Pieces of earlier exercises are there to be used, also as the class to begin with.
        (
            "RMSNorm",
            "class answer(nn.Module):\n    def forward(self, x):\n        return my_llama.rms_norm(x, 1)",
        ),
        (
            "CachedAttention",
            "class answer(my_llama.MultiHeadAttention):\n    def forward(self, x, cache=None):\n        return x",
        ),
    ],
)
def test_what_a_learner_wrote_is_theirs(name: str, source: str) -> None:
    assert not own.theirs(learner(source), name)


def test_a_subclass_of_an_earlier_piece_needs_code_of_its_own() -> None:
    source = "class answer(my_llama.MultiHeadAttention):\n    more = 1"
    assert own.theirs(learner(source), "CachedAttention")


# While it runs


@pytest.fixture
def gated() -> ModuleType:
    """A worked piece and one that calls it, with gates, as the graded copy has them."""
    pieces = ModuleType("my_llama.rmsnorm")
    pieces.__file__ = str(ROOT / "solutions/my_llama/rmsnorm.py")
    code = "def layer_norm(x): return x + 1\ndef rms_norm(x): return layer_norm(x)"
    exec(compile(code, pieces.__file__, "exec"), vars(pieces))
    own.gate(vars(pieces))
    return pieces


def test_a_piece_of_this_or_a_later_exercise_may_not_be_called(gated: ModuleType) -> None:
    def answer() -> Any:
        try:
            return gated.rms_norm(1)
        except Exception:  # the answer may swallow it: it is known all the same
            return 0

    assert own.try_out((2, 3), "rms_norm", answer) == (0, True)
    assert own.try_out((2, 2), "layer_norm", answer) == (0, True)
    assert own.try_out((2, 4), "RMSNorm", answer) == (2, False)
    assert gated.rms_norm(1) == 2  # outside of a check everybody may


@pytest.fixture(scope="module")
def worked() -> dict[str, list[dict[str, Any]]]:
    """The graded copy of the course in one process: each lab's worked answers, run as a cell."""
    code = f"""
import json, sys
sys.path[:0] = [{str(ROOT)!r}]
from checks.grading.place import Place
here = Place()
here.bring()
sys.path[0] = str(here.course)
for key in [k for k in sys.modules if k.split(".")[0] == "checks"]:
    del sys.modules[key]
try:
    import IPython
    from checks.grading import inside
    class Shell: pass
    IPython.get_ipython = lambda: Shell
    for name in {list(NAMES)!r}:
        assert inside.prepare(name, {str(ROOT)!r}, json.dumps({audit.numbers()!r})) == "ready"
        source = open({str(ROOT / "solutions/my_llama")!r} + f"/{{name}}.py").read()
        source = source.replace("from . import", "from my_llama import").replace("from .", "from my_llama.")
        Shell.user_ns = {{"__name__": "__main__"}}
        exec(compile(source, "/tmp/cell.py", "exec"), Shell.user_ns)
        checks = [one.name for one in vars(sys.modules["checks." + name]).values() if isinstance(one, inside.Check)]
        print(json.dumps([name, [json.loads(inside.run(one, "0", "word")) for one in checks]]))
finally:
    here.remove()
"""
    done = run([sys.executable, "-c", code], ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))


@pytest.mark.parametrize("name", NAMES)
def test_every_worked_piece_calls_only_earlier_ones(name: str, worked: dict[str, Any]) -> None:
    assert len(worked[name]) == len(exercises_of(module("checks", name)))
    assert [one for one in worked[name] if one.get("result") != "passed"] == []


def test_the_copy_of_the_course_has_gates(tmp_path: Path) -> None:
    files = {file.path: file.content for file in place.course()}
    assert files["solutions/my_llama/rope.py"].endswith(place.GATE.encode())
    assert (ROOT / "solutions/my_llama/rope.py").read_bytes() == files[
        "solutions/my_llama/rope.py"
    ][: -len(place.GATE)]
