"""The checks engine: run an answer, compare it with a slow reference, name the mistake.

A lab's module says WHAT is compared (`Check`, `Probe`, `Mistake`); this package knows HOW.
"""

from types import ModuleType

from checks.catalogue import EVIDENCE
from checks.engine.answer import Crash, Wrong, error_of
from checks.engine.check import Check
from checks.engine.devices import keeps_device, module_keeps_device
from checks.engine.inputs import Inputs
from checks.engine.probe import Mistake, Probe
from checks.engine.probes import (
    agrees,
    expect_parameters,
    gradients,
    half_precision,
    in_float32,
    load,
    values,
)
from checks.engine.promises import GRADIENTS_FLOW, HALF_PRECISION, INPUTS_STAY, SAME_DEVICE
from checks.engine.report import Report
from checks.engine.shown import CheckFailed, NotAttempted
from checks.engine.wrong_lines import mistakes_of

__all__ = [
    "EVIDENCE",
    "GRADIENTS_FLOW",
    "HALF_PRECISION",
    "INPUTS_STAY",
    "SAME_DEVICE",
    "Check",
    "CheckFailed",
    "Crash",
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
    "mistakes_of",
    "module_keeps_device",
    "values",
]


def exercises_of(module: ModuleType) -> list[Check]:
    """Return the checks of one lab's module in the order of their exercises: 3.2 before 3.10."""
    found = [value for value in vars(module).values() if isinstance(value, Check)]
    return sorted(found, key=lambda check: [int(part) for part in check.exercise.split(".")])
