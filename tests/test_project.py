"""The house rules that a machine can check, for every file that is tracked."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.source import sources

pytestmark = pytest.mark.ours  # of the files: no version of torch changes them

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 450  # lines of a module; lists of mistakes are as long as they need be
CATALOGUES = re.compile(r"_wrong\.py$")
LABS = {path.stem[3:] for path in sources(ROOT)}
MAY_IMPORT = {
    "checks": {"checks"},
    "plots": {"plots"},
    "tools": {"tools", "checks", "plots", "tests", "solutions"},
    "solutions": {"checks", "plots", "my_llama"},
}
HOUSE = {*MAY_IMPORT, "tests", "my_llama"}
THIS = "tests/test_project.py"  # contains what it looks for
MACHINE_PATHS = re.compile(r"/(root|work|home/\w+|tmp/\w+)/|[A-Z]:\\\\?Users")
BASE64 = re.compile(r"[A-Za-z0-9+/=]{400,}")  # a picture, in which any few letters occur by chance
REGISTRIES = re.compile(
    r"(?i)pypi\.|pythonhosted|npmjs\.|debian\.(org|net)|--(extra-)?index-url|--find-links"
)
UNFINISHED = re.compile(r"(#|//|/\*|<!--).*\b(TODO|FIXME|XXX)\b")


def tracked() -> list[Path]:
    """The files that git knows; of those it does not know yet, the ones it would add."""
    command = [
        "git",
        "-C",
        str(ROOT),
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        pytest.skip("this is no git repository")
    return [path for name in result.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def texts() -> dict[str, str]:
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in tracked()
        if path.suffix not in {".png", ".woff2", ".gz", ".npz", ".pt"}
    }


def modules(*folders: str) -> dict[str, ast.Module]:
    return {
        name: ast.parse(text)
        for name, text in texts().items()
        if name.endswith(".py") and name.split("/")[0] in folders
    }


def imports(tree: ast.Module) -> set[tuple[str, ...]]:
    """The modules that are imported anywhere in a file, each as its parts."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {tuple(alias.name.split(".")) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {(*node.module.split("."), alias.name) for alias in node.names}
    return found


def module_of(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Without the name of what is imported from a module: a function may be called like a lab."""
    return parts[:-1] if ROOT.joinpath(*parts[:-1]).with_suffix(".py").is_file() else parts


def lines_with(pattern: re.Pattern) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts().items()
        if name != THIS
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(BASE64.sub("", line))
    ]


def test_no_path_of_a_machine_is_in_a_file():
    assert lines_with(MACHINE_PATHS) == []


def test_no_address_of_a_registry_is_in_a_file():
    assert lines_with(REGISTRIES) == []


def test_nothing_is_left_to_do_in_the_code():
    assert lines_with(UNFINISHED) == []


def test_imports_go_one_way():
    wrong = []
    for name, tree in modules(*MAY_IMPORT).items():
        folder = name.split("/")[0]
        for parts in imports(tree):
            if parts[0] in HOUSE - MAY_IMPORT[folder] and name != "checks/learner/pieces.py":
                wrong.append(f"{name} imports {'.'.join(parts)}")
    assert wrong == []


def test_a_labs_modules_do_not_import_another_labs():
    wrong = []
    for name, tree in modules("checks", "plots").items():
        folder = Path(name).parts[1]
        own = folder if folder in LABS else Path(name).stem
        if own in LABS:
            others = [
                parts
                for parts in imports(tree)
                if parts[0] in HOUSE and LABS & set(module_of(parts)[1:]) - {own}
            ]
            wrong += [f"{name} imports {'.'.join(parts)}" for parts in others]
    assert wrong == []


def test_importing_the_checks_draws_nothing():
    names = ", ".join(f"checks.{name}" for name in sorted(LABS)) or "checks"
    code = f"import sys, {names}; print([m for m in ('matplotlib', 'IPython', 'ipywidgets', 'plots') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("[]\n", "")


def test_every_lab_has_one_file_in_each_column():
    columns = [(f"checks/{name}/__init__.py", f"tests/test_{name}.py") for name in sorted(LABS)]
    assert [file for files in columns for file in files if not (ROOT / file).is_file()] == []


def test_modules_have_one_subject():
    long = {
        name: text.count("\n")
        for name, text in texts().items()
        if re.fullmatch(r"(checks|plots|tools)/.*\.py", name)
    }
    assert {
        name: lines
        for name, lines in long.items()
        if lines > LONGEST and not CATALOGUES.search(name)
    } == {}


@pytest.mark.parametrize(
    "command", [["check", "-q"], ["format", "--check", "-q"]], ids=["lint", "format"]
)
def test_ruff_is_content(command: list[str]):
    result = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.skipif(
    importlib.util.find_spec("mypy") is None, reason="mypy is of our environment, not of Colab's"
)
def test_mypy_is_content():
    result = subprocess.run(
        [sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_learner_needs_nothing_that_changes_colab():
    """Names and lower bounds only, each at most what Colab has."""
    colab = dict(
        re.findall(
            r"^([\w-]+)==([\d.]+)", (ROOT / "tests/colab-constraints.txt").read_text(), re.MULTILINE
        )
    )
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        match = re.fullmatch(r"([\w-]+)(?:>=([\d.]+))?", line.partition("#")[0].strip())
        if line.strip() and not line.startswith("#"):
            assert match, line
            if match[2] and match[1] in colab:
                assert version(match[2]) <= version(colab[match[1]])


@pytest.mark.parametrize("folder", ["", "tests/"])
def test_everything_required_is_pinned(folder: str):
    pins = (ROOT / "constraints.txt").read_text().lower().replace("_", "-")
    required = re.findall(
        r"^[\w-]+", (ROOT / folder / "requirements.txt").read_text(), re.MULTILINE
    )
    assert [name for name in required if name != "-r" and f"\n{name.lower()}==" not in pins] == []


def version(text: str) -> list[int]:
    return [int(part) for part in text.split(".")]


def test_a_files_tests_go_to_one_worker(request: pytest.FixtureRequest, worker_id: str):
    """Under `make test`; pytest 9.2 took the groups from pytest-xdist 3.8 without a word, and each worker started everything."""
    if worker_id == "master":
        pytest.skip("the tests are not spread: there are no groups")
    assert request.node.nodeid.endswith("@test_project")
