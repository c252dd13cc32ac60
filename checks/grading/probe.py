"""Asked inside the graded kernel, just before a check cell: is this still the course's own check?

This catches names that were given away by accident or in a hurry. It is no sandbox: code that runs
in the same process as the check can always lie to it. Where cheating matters, grade in a process of
the checks' own.
"""

import sys
from pathlib import Path
from typing import Any

CHECKS = Path(__file__).resolve().parents[1]


def tampering(module: str, name: str) -> str:
    """Say what replaced `check` or `check.<name>` in the notebook; "" when nothing did."""
    from IPython import get_ipython

    names = get_ipython().user_ns
    if "check" not in names:
        return ""  # the check cell will say so itself, and fail
    course = sys.modules.get(f"checks.{module}")
    if course is None or names["check"] is not course:
        return f"`check` is not the course's `checks.{module}`; the notebook gave that name away"
    if not _ours(getattr(course, "__file__", None)):
        return f"`checks.{module}` was loaded from another folder than the course's"
    if not _pristine(vars(course).get(name), name):
        return f"`check.{name}` was replaced by the notebook; remove that line"
    return ""


def _pristine(check: Any, name: str) -> bool:
    engine = sys.modules.get("checks.engine")
    kind = type(check)
    if engine is None or kind is not engine.Check or check.name != name:
        return False
    methods = {key: value for key, value in vars(kind).items() if hasattr(value, "__code__")}
    replaced = methods.keys() & vars(check).keys()
    return not replaced and all(
        _ours(method.__code__.co_filename)
        for key, method in methods.items()
        if key == "__call__" or not key.startswith("__")
    )


def _ours(file: str | None) -> bool:
    return file is not None and CHECKS in Path(file).resolve().parents
