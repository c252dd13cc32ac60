"""Lab 09, 9.5: a small model that remembers what it was fed, and texts for it."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from checks.engine import Inputs


class Bigram(nn.Module):
    """Logits by the last token alone: a table, and one number for each column, like a norm's.

    second: another table, which is added; tied: the table has two names; script: after so many
    training steps the last token is so much too likely, whenever it is measured.
    """

    def __init__(
        self,
        table: Tensor,
        gain: Tensor,
        second: Tensor | None = None,
        tied: bool = False,
        script: Mapping[int, float] | None = None,
    ) -> None:
        super().__init__()
        self.table, self.gain = nn.Parameter(table.clone()), nn.Parameter(gain.clone())
        self.second = None if second is None else nn.Parameter(second.clone())
        if tied:
            self.again = self.table
        self.fed: list[Tensor] = []  # what came in with gradients on: the training steps
        self.predicted: list[Tensor] = []  # the logits of those steps
        self.measured: list[
            int
        ] = []  # how many tokens the pieces had that came in without gradients
        self.modes: list[tuple[bool, bool]] = []  # train mode and gradients, at each call
        self.stop_at = 0  # the training step at which this is raised: somebody presses stop
        self.stop: BaseException = KeyboardInterrupt()
        self.script = script or {}

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) → (B, T, V)."""
        self.modes.append((self.training, torch.is_grad_enabled()))
        if torch.is_grad_enabled():
            self.fed.append(ids.clone())
            if len(self.fed) == self.stop_at:
                raise self.stop
        else:
            self.measured.append(ids.shape[-1])
        rows = self.table[ids] if self.second is None else self.table[ids] + self.second[ids]
        logits = rows * self.gain
        if not torch.is_grad_enabled() and (more := self.script.get(len(self.fed))):
            logits = torch.cat([logits[..., :-1], logits[..., -1:] + more], -1)
        if torch.is_grad_enabled():
            self.predicted.append(logits.detach().clone())
        return logits


def model_of(inputs: Inputs, vocab: int = 5, scale: float = 0.7, **how: object) -> Bigram:
    """A model with drawn weights."""
    return Bigram(inputs.randn(vocab, vocab) * scale, 1 + 0.2 * inputs.randn(vocab), **how)


def circle(inputs: Inputs, context: int = 6, vocab: int = 5) -> Tensor:
    """A text that repeats itself after `context` tokens.

    Wherever a piece starts, the same pairs follow each other in it, so that for a Bigram it does
    not matter how one draws.
    """
    return inputs.integers(context, high=vocab).repeat(3)


def held_out_of(inputs: Inputs, pieces: int = 2, context: int = 6, vocab: int = 5) -> Tensor:
    """A text to measure on."""
    return inputs.integers(pieces * context + 1, high=vocab)


def unlearned(inputs: Inputs) -> tuple[Bigram, Tensor, Tensor]:
    """Model, text and held-out text, whose loss falls at first and then rises."""
    data = torch.tensor([0, 1, 0, 2, 0, 1, 3])
    held_out = torch.tensor([0, 1, 0, 2, 0, 2, 1, 0, 2, 0, 1, 2, 0])
    return Bigram(torch.zeros(5, 5), torch.ones(5) + 0.05 * inputs.randn(5)), data, held_out


def weights(model: Bigram) -> list[Tensor]:
    """What it has learned so far."""
    return [p.detach().clone() for p in model.parameters()]
