"""What a check is made of: probes, which say what is tried, and mistakes, which people made."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from checks.engine.inputs import Inputs
from checks.engine.wrong_lines import Rewrite


@dataclass(frozen=True)
class Probe:
    """One thing to try. `run(implementation, inputs)` returns plain values, lists or tensors.

    title: stands in the panel. fails: is said when the result is not the reference's, for results
    that do not speak for themselves. inexact: the numbers depend on rounding, so that a mistake
    reproduces them by failing as well. promise: where a learner could have read that this is
    wanted: a piece of the stub's docstring or of the text above it, or one of the house rules.
    """

    title: str
    run: Callable[[Any, Inputs], Any]
    fails: str = ""
    inexact: bool = False
    promise: str = ""


@dataclass(frozen=True)
class Mistake:
    """A wrong implementation that somebody wrote, and what to tell who wrote it again.

    wrong and also: the ways to write it, as functions, classes or rewritten lines of the right
    answer; hint: what to do; source: the public thread where it was really made; flaky: what it
    passes may be another thing in the next run of Python.
    """

    key: str
    wrong: Any
    says: str
    hint: str = ""
    source: str = ""
    flaky: bool = False
    also: tuple = ()

    @cached_property
    def answers(self) -> tuple[Callable[..., Any], ...]:
        """The mistake in each of its spellings, ready to be called."""
        return tuple(
            way.answer if isinstance(way, Rewrite) else way for way in (self.wrong, *self.also)
        )
