"""For all tests: the modules that they share, and which of them go to one worker."""

import sys
from pathlib import Path

import pytest

TESTS = str(Path(__file__).resolve().parent)
if TESTS not in sys.path:
    sys.path.append(TESTS)
SPREAD = ("test_checks", "test_plain_edits")  # files that more than one worker takes from


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together what shares something that is slow to start: a file's tests, or an exercise's.

    The answers to the checks are most of all tests: both workers take their share of them.
    """
    for item in items:
        given = getattr(item, "callspec", None)
        shared = given and (given.params.get("check") or given.params.get("lab"))
        part = getattr(shared, "exercise", shared) if item.path.stem in SPREAD else None
        item.add_marker(pytest.mark.xdist_group(f"{item.path.stem} {part or ''}".strip()))
