"""The checks engine: run an answer, compare it with a slow reference, name the mistake.

A lab's module says WHAT is compared (`Check`, `Probe`, `Mistake`); this package knows HOW.
"""

from types import ModuleType

from checks.engine.answer import Wrong, error_of
from checks.engine.check import Check, Mistake, Probe
from checks.engine.devices import keeps_device
from checks.engine.failures import CheckFailed, NotAttempted
from checks.engine.inputs import Inputs
from checks.engine.probes import (
    agrees,
    expect_parameters,
    gradients,
    half_precision,
    in_float32,
    load,
    values,
)
from checks.engine.report import EVIDENCE, Report

__all__ = [
    "EVIDENCE",
    "Check",
    "CheckFailed",
    "Inputs",
    "Mistake",
    "NotAttempted",
    "Probe",
    "Report",
    "Wrong",
    "agrees",
    "error_of",
    "exercises_of",
    "expect_parameters",
    "gradients",
    "half_precision",
    "in_float32",
    "keeps_device",
    "load",
    "values",
]


def exercises_of(module: ModuleType) -> list[Check]:
    """Return the checks of one lab's module in the order of their exercises: 3.2 before 3.10."""
    found = [value for value in vars(module).values() if isinstance(value, Check)]
    return sorted(found, key=lambda check: [int(part) for part in check.exercise.split(".")])
