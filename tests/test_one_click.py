"""What opens the course elsewhere with one click: badges, the bundle, containers, workflows."""

import json
import re
import subprocess
import zipfile
from pathlib import Path

import pytest
from course import ROOT

from tools.address import Address
from tools.notebook import badges

pytestmark = pytest.mark.ours  # of the files: no version of torch changes them

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z][\w-]*):", MAKEFILE, re.MULTILINE))


def test_each_badge_leads_to_the_notebook_at_its_tag():
    links = re.findall(r"\]\(([^)]+)\)(?: |$)", badges(Address("a/b", "v2"), "labs/03_rope.ipynb"))
    assert links == [
        "https://colab.research.google.com/github/a/b/blob/v2/labs/03_rope.ipynb",
        "https://kaggle.com/kernels/welcome?src=https://github.com/a/b/blob/v2/labs/03_rope.ipynb",
        "https://mybinder.org/v2/gh/a/b/v2?urlpath=lab%2Ftree%2Flabs%2F03_rope.ipynb",
    ]


def test_the_bundle_is_the_course_without_history_and_tests(tmp_path: Path):
    if not (ROOT / ".git").exists():
        pytest.skip("the bundle is made of what git has")
    file = tmp_path / "llama-lab.zip"
    recipe = re.search(r"^\tgit archive .*$", MAKEFILE, re.MULTILINE)[0].strip()
    command = recipe.replace("build/llama-lab.zip", str(file))
    subprocess.run(command, shell=True, check=True, cwd=ROOT)
    names = zipfile.ZipFile(file).namelist()
    kinds = {name.split("/")[1] for name in names}
    assert all(name.startswith("llama-lab/") for name in names)
    assert {"checks", "plots", "labs", "solutions", "assets", "requirements.txt"} <= kinds
    assert not {"tests", "tools", ".git", ".github"} & kinds
    assert file.stat().st_size < 15_000_000


def test_containers_and_workflows_run_the_project_s_own_commands():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    workflows = [path.read_text() for path in (ROOT / ".github" / "workflows").glob("*.yml")]
    assert len(workflows) == 3
    said = [container["postCreateCommand"], *re.findall(r"run: (.+)", "\n".join(workflows))]
    made = [words[1] for line in said if (words := line.split())[0] == "make"]
    assert {"learner", "site"} <= set(made) <= TARGETS
    assert any(line == ".ci/run" for line in said)


def test_binder_installs_what_a_learner_needs():
    folder = ROOT / ".binder"
    assert (folder / "requirements.txt").read_text().strip() == "-r ../requirements.txt"
    data = re.search(r"^DATA = (.+)$", MAKEFILE, re.MULTILINE)[1]
    assert data in (folder / "postBuild").read_text()
    assert (folder / "postBuild").stat().st_mode & 0o100
