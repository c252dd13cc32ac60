"""Pages drawn in two processes are those that one draws, and what fails there costs only time."""

import os
import sys
import time
from typing import Any

import pytest
import torch

from plots import beside, flipbook
from plots.beside import Beside

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only a Linux forks")


def test_a_fork_brings_what_it_did_and_what_it_printed(capsys: Any) -> None:
    torch.ones(300, 300) @ torch.ones(300, 300)  # with torch's threads awake

    def work() -> tuple[int, float]:
        print("seven pages")
        return os.getpid(), float((torch.ones(300, 300) @ torch.ones(300, 300)).sum())

    with Beside(work) as fork:
        process, total = fork.result(patience=60.0)
    assert (process != os.getpid(), total) == (True, 300.0**3)
    assert capsys.readouterr().out == "seven pages\n"


@pytest.mark.parametrize(
    "work", [lambda: 1 / 0, lambda: os._exit(3), lambda: sys.exit(), lambda: lambda: "no pickle"]
)
def test_what_fails_there_brings_nothing(work: Any) -> None:
    with Beside(work) as fork:
        assert fork.result(patience=60.0) is None


def test_who_hangs_there_is_given_up_and_ended() -> None:
    begun = time.monotonic()
    with Beside(lambda: time.sleep(600)) as fork:
        assert fork.result(patience=0.3) is None
    assert not fork._process.is_alive()
    assert time.monotonic() - begun < 60


def test_who_is_interrupted_leaves_no_fork_behind() -> None:
    with pytest.raises(KeyboardInterrupt), Beside(lambda: time.sleep(600)) as fork:
        raise KeyboardInterrupt
    assert not fork._process.is_alive()


def draw(fig: Any, step: int) -> str:
    axes = fig.add_axes((0.1, 0.1, 0.8, 0.8))
    axes.plot([0, step], [0, 1])
    return f"Step {step}."


def drawn_by_two(monkeypatch: pytest.MonkeyPatch, paint: Any, **options: Any) -> flipbook.Flipbook:
    """A book of nine pages, as a person gets it."""
    monkeypatch.setattr(flipbook, "person_is_present", lambda: True)
    monkeypatch.setattr(flipbook, "PATIENCE", float("inf"))  # no display in a test
    monkeypatch.setattr(flipbook, "FORK", 0.0)
    monkeypatch.setattr(beside, "is_worth_it", lambda: True)
    return flipbook.explore(paint, step=range(9), start={"step": 4}, **options)


@pytest.mark.parametrize("narrow", [None, (3.8, 3.0)])
def test_two_draw_the_same_pages_as_one(monkeypatch: pytest.MonkeyPatch, narrow: Any) -> None:
    alone = flipbook.explore(draw, step=range(9), start={"step": 4}, narrow=narrow)
    pages, narrow_pages = alone.pages, alone.narrow_pages
    both = drawn_by_two(monkeypatch, draw, narrow=narrow)
    assert both.pages == pages
    assert both.narrow_pages == narrow_pages and len(narrow_pages) == (9 if narrow else 0)


def test_two_draw_half_each(monkeypatch: pytest.MonkeyPatch) -> None:
    book = drawn_by_two(monkeypatch, lambda fig, step: f"{os.getpid()}")
    here = [caption == str(os.getpid()) for _, caption in book.pages]
    assert here == [True] * 5 + [False] * 4


def test_an_error_there_is_the_cell_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(fig: Any, step: int) -> str:
        return f"{1 / (8 - step)}"

    with pytest.raises(ZeroDivisionError) as error:
        _ = drawn_by_two(monkeypatch, breaks).pages
    assert error.value.__notes__ == ["This happened while the picture was drawn at step=8."]


def test_who_draws_only_in_the_notebook_s_process_gets_all_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = os.getpid()

    def particular(fig: Any, step: int) -> str:
        if os.getpid() != here:
            raise RuntimeError("not in a fork")
        return draw(fig, step)

    assert len(drawn_by_two(monkeypatch, particular).pages) == 9
