"""Every worked notebook, graded as a class's are: in the sandbox each exercise has its points."""

import csv
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from course import ROOT
from test_grade_sandbox import define

from checks.grade.__main__ import main
from checks.grade.house import House, Lodger, NoSandbox
from checks.grade.sandbox import MOST_HELD
from checks.grade.wire import Broken

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="its sandbox is Linux's own"),
    pytest.mark.ours,
]

WRITE = """\
import os
def f(megabytes, times):
    for i in range(times):
        with open(f"{os.environ['TMPDIR']}/{i}", "wb") as file:
            file.write(bytes(megabytes * 2**20))
"""


@pytest.mark.parametrize(("kind", "labs"), [("namespaces", "*"), ("landlock", "09_*")])
def test_a_worked_notebook_has_every_point(
    kind: str, labs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("checks.grade.house.KINDS", (kind,))
    (tmp_path / "class" / "ann").mkdir(parents=True)
    for notebook in (ROOT / "solutions").glob(f"{labs}.ipynb"):
        shutil.copy(notebook, tmp_path / "class" / "ann")
    out = tmp_path / "out"
    code = main([str(tmp_path / "class"), "--out", str(out)])
    if "no sandbox works here" in (said := capsys.readouterr().out):
        pytest.skip(f"no {kind} here")
    assert code == 0, said
    (row,) = csv.DictReader((out / "grades.csv").open(encoding="utf-8-sig"))
    exercises = {name: said for name, said in row.items() if name[0].isdigit() and "." in name}
    assert len(exercises) > (80 if labs == "*" else 6)
    assert {name for name, said in exercises.items() if said != "✓"} == set()


@pytest.fixture
def lodger() -> Iterator[Lodger]:
    """A worker that has no small /tmp of its own, but a folder of the machine's."""
    try:
        with House("landlock") as house, house.worker() as found:
            yield found
    except NoSandbox as error:
        pytest.skip(str(error))


def test_a_folder_that_nothing_bounds_is_looked_after(lodger: Lodger) -> None:
    write = define(lodger, WRITE)
    write(1, 20)
    with pytest.raises(Broken):
        write(15, 1_000)
    held = sum(path.stat().st_size for path in Path(lodger._folder).iterdir())
    assert held < 8 * MOST_HELD
    lodger.close()
    assert not os.path.exists(lodger._folder)
