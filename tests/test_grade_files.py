"""The class grader's files: what is handed over goes along, what a worker writes comes back."""

import base64
from pathlib import Path

import pytest

from checks.grade.files import LARGEST_FILE, MOST, Files
from checks.grade.wire import Broken, TooLarge

pytestmark = pytest.mark.ours


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Files, Files, Path, Path]:
    """The grader's files, the worker's, and their folders, the worker's not made yet."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    return Files([ours], whole=False), Files([theirs], whole=True), ours, theirs


def test_only_what_is_handed_over_goes_along(sides) -> None:
    grader, worker, ours, theirs = sides
    for number in range(3 * MOST):  # those of earlier learners
        (ours / f"{number}.gguf").write_bytes(b"old")
    assert grader.name(ours / "7.gguf") == "7.gguf"
    assert grader.name(f"{ours}/8.gguf") == "8.gguf"
    assert grader.name("/etc/passwd") is None
    assert grader.name(f"{ours}/../x") is None
    worker.take(grader.changes())
    assert sorted(path.name for path in theirs.iterdir()) == ["7.gguf", "8.gguf"]
    assert grader.changes() == []


def test_what_a_worker_writes_comes_back_with_changes_and_removals(sides) -> None:
    grader, worker, ours, _ = sides
    path = worker.path(grader.name(ours / "a/llama.ckpt"))
    assert path.parent.is_dir()
    for content in (b"one", b"two"):  # as long, and written in the same millisecond
        path.write_bytes(content)
        grader.take(worker.changes())
        assert (ours / "a/llama.ckpt").read_bytes() == content
    assert grader.is_theirs(ours / "a/llama.ckpt")
    (ours / "a/llama.ckpt").write_bytes(b"ours")
    worker.take(grader.changes())
    assert path.read_bytes() == b"ours"
    assert not grader.is_theirs(ours / "a/llama.ckpt")
    path.unlink()
    grader.take(worker.changes())
    assert not (ours / "a/llama.ckpt").exists()


def test_what_takes_a_file_s_place_does_so_on_the_other_side(sides) -> None:
    grader, worker, ours, _ = sides
    (ours / "llama.ckpt").write_bytes(b"one")
    path = worker.path(grader.name(ours / "llama.ckpt"))
    worker.take(grader.changes())
    before = (ours / "llama.ckpt").stat().st_ino
    path.write_bytes(b"written over")
    grader.take(worker.changes())
    assert (ours / "llama.ckpt").stat().st_ino == before
    other = path.with_suffix(".part")
    other.write_bytes(b"in its place")
    other.replace(path)
    grader.take(worker.changes())
    assert (ours / "llama.ckpt").read_bytes() == b"in its place"
    assert (ours / "llama.ckpt").stat().st_ino != before
    assert [file.name for file in ours.iterdir()] == ["llama.ckpt"]


def test_an_exercise_leaves_nothing_for_the_next_one(sides) -> None:
    grader, worker, ours, theirs = sides
    worker.path("left").write_bytes(b"x")
    grader.take(worker.changes())
    for side in (grader, worker):
        side.forget()
    assert worker.changes() == grader.changes() == []
    assert not theirs.exists()
    assert list(ours.iterdir()) == []


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "", ".", "..", "a" * 300, 3, None])
def test_no_name_leads_out_of_the_folder(sides, name) -> None:
    with pytest.raises(Broken):
        sides[0].take([[name, "", True]])


def test_there_is_an_end_to_files(sides) -> None:
    grader, worker, _, _ = sides
    worker.path("large").write_bytes(bytes(LARGEST_FILE + 1))
    with pytest.raises(TooLarge):
        worker.changes()
    with pytest.raises(Broken):
        grader.take([[f"{number}", "", True] for number in range(MOST + 1)])
    full = base64.b64encode(bytes(LARGEST_FILE)).decode()
    with pytest.raises(Broken):
        sides[0].take([[f"{number}.full", full, True] for number in range(5)])
