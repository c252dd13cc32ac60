"""The Llama of lab 09: kept in my_llama, read by lab 10, and the course's where there is none."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from assets import shakespeare_llama
from checks import pieces, trained
from solutions.my_llama import Llama, LlamaConfig, save_checkpoint

SIZES = {"dim": 16, "n_layers": 1, "n_heads": 2, "n_kv_heads": 1, "hidden_dim": 16}
CONFIG = LlamaConfig(**SIZES, vocab_size=64, max_seq_len=32, rope_base=10_000.0)
ABOUT: dict[str, Any] = {"vocab": shakespeare_llama.VOCAB, "context": 32, "loss": 2.25}


@pytest.fixture
def labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A learner's folder, as the setup cell opens it."""
    monkeypatch.delenv("LLAMA_LAB_GRADING", raising=False)
    monkeypatch.setattr(pieces, "_folder", tmp_path)
    (tmp_path / "my_llama").mkdir()
    yield tmp_path


def save(**about: Any) -> Llama:
    torch.manual_seed(5)
    model = Llama(CONFIG)
    about = {"config": asdict(CONFIG), **ABOUT, **about}
    save_checkpoint(trained.checkpoint(), model, {}, step=30, about=about)
    return model


def test_the_learner_s_own_speaks(labs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = save()
    assert trained.checkpoint() == labs / "my_llama" / "shakespeare.pt"
    found = trained.shakespeare(Llama, LlamaConfig)
    assert found.own
    assert (found.context, found.loss, found.vocab) == (32, 2.25, shakespeare_llama.VOCAB)
    assert not found.model.training
    ids = torch.arange(10)[None]
    assert torch.equal(found.model(ids), model(ids))
    assert "Your own Llama, trained in lab 09: loss 2.25" in capsys.readouterr().out
    assert not trained.shakespeare(Llama, LlamaConfig, own=False).own


def test_without_a_checkpoint_the_course_s_stands_in(
    labs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = trained.shakespeare(Llama, LlamaConfig)
    assert not found.own
    assert found.loss == shakespeare_llama.HELD_OUT_LOSS
    assert "no checkpoint of lab 09 yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:2000]), "Error"),
        (lambda path: save(vocab=list("abc")), "another text"),
        (lambda path: save(config={**asdict(CONFIG), "n_layers": 2}), "layers.1.attention"),
        (lambda path: save(config={"width": 3}), "TypeError"),
        (lambda path: torch.save([1, 2], path), "TypeError"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_said(
    labs: Path, capsys: pytest.CaptureFixture[str], spoil: Any, says: str
) -> None:
    save()
    spoil(trained.checkpoint())
    assert not trained.shakespeare(Llama, LlamaConfig).own
    said = capsys.readouterr().out
    assert "my_llama/shakespeare.pt cannot be used" in said
    assert says in said


def test_where_worked_pieces_are_used_nothing_is_kept(
    labs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save()
    monkeypatch.setenv("LLAMA_LAB_GRADING", "1")
    assert labs not in trained.checkpoint().parents
    assert not trained.shakespeare(Llama, LlamaConfig).own
