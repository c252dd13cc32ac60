"""The README's table of labs, and the commands that it names."""

import re
from pathlib import Path

import pytest
from course import ROOT, STEMS

from tools.address import Address
from tools.readme import BEGIN, END, table, with_table
from tools.source import BuildError

pytestmark = pytest.mark.ours  # of the files: no version of torch changes them

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_lab_that_is_there_is_linked_and_the_others_are_marked() -> None:
    rows = table(ROOT, None).splitlines()[2:]
    assert len(rows) >= 15
    for row in rows:
        there = [stem for stem in STEMS if f"(labs/{stem}.ipynb)" in row]
        assert there or "*to come*" in row
        found = re.search(r"\| (\d+)(?: \+ (\d+))? minutes \|", row)
        assert not there or (found and all(int(n) <= 75 for n in found.groups() if n)), row
    assert sum("*to come*" not in row for row in rows) == len(STEMS)


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


def test_commands_files_and_pictures_of_the_readme_exist() -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for command in re.findall(r"\bmake ([a-z-]+)", README):
        assert command in targets, f"make {command}"
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
