"""The README's table of labs, and the commands that it names."""

import re
from pathlib import Path

import pytest
from course import ROOT, STEMS

from tools.address import Address
from tools.chosen import chosen
from tools.readme import BEGIN, END, table, with_table
from tools.source import BuildError

pytestmark = pytest.mark.ours  # of the files: no version of torch changes them

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_lab_is_linked_and_no_sitting_is_longer_than_75_minutes() -> None:
    rows = table(ROOT, None).splitlines()[2:]
    assert len(rows) == len(STEMS) >= 15
    for stem, row in zip(STEMS, rows, strict=True):
        assert f"(labs/{stem}.ipynb)" in row
        found = re.search(r"\| (\d+)(?: \+ (\d+))? minutes \|", row)
        assert found and all(int(n) <= 75 for n in found.groups() if n), row


def test_badges_carry_the_address_and_nothing_does_without_one() -> None:
    stamped = table(ROOT, Address("someone/llama-lab", "v3"))
    for stem in STEMS:
        assert f"github/someone/llama-lab/blob/v3/labs/{stem}.ipynb" in stamped
    assert "colab" not in table(ROOT, None)


@pytest.mark.parametrize("text", ["no table", BEGIN, END, BEGIN + END + BEGIN + END])
def test_a_readme_without_its_two_lines_stops_the_build(text: str) -> None:
    with pytest.raises(BuildError, match=r"README\.md:1"):
        with_table(ROOT, text, None)


def test_what_surrounds_the_table_is_kept(tmp_path: Path) -> None:
    (tmp_path / "solutions").mkdir()
    written = with_table(tmp_path, f"above\n{BEGIN}\nold\n{END}\nbelow\n", None)
    assert written.startswith("above\n") and written.endswith("\nbelow\n")
    assert "old" not in written


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "TEACHING.md"])
def test_commands_files_and_pictures_of_a_page_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for command in re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE):
        assert command in targets, f"make {command}"
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / target).exists(), target
    for lab in re.findall(r'ARGS="?(?:[^"`\n]*\s)?(\d\d_\w+)', text):
        assert lab in STEMS, lab


def test_a_tool_says_which_labs_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert [lab.stem for lab in chosen([])] == STEMS
    assert [lab.stem for lab in chosen(["03_rope"])] == ["03_rope"]
    with pytest.raises(SystemExit, match=r"There is no lab rope; the labs are 00_start_here, "):
        chosen(["rope"])
