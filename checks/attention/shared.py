"""Lab 04: what several of its exercises share: formulas, draws, and mistakes met further on."""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from checks.engine import HALF_PRECISION, INPUTS_STAY, Inputs, Mistake, Probe, gradients
from checks.engine.attention_probes import in_half
from checks.engine.wrong_lines import Edit, Rewrite

Draw = Callable[[Inputs], tuple]


def weights(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attention's weights, one query after the other, in float64.

    q: (..., T, d), k: (..., S, d), mask: broadcasts to (..., T, S) → (..., T, S).
    """
    keys, rows = k.double(), []
    for position, query in enumerate(q.double().unbind(-2)):  # (..., d)
        scores = (keys * query.unsqueeze(-2)).sum(-1) / math.sqrt(q.shape[-1])  # (..., S)
        if mask is not None:
            row = mask[..., position if mask.shape[-2] > 1 else 0, :]
            scores = scores.masked_fill(row.logical_not(), -torch.inf)
        parts = (scores - scores.amax(-1, keepdim=True)).exp()
        rows.append(parts / parts.sum(-1, keepdim=True))
    return torch.stack(rows, dim=-2).to(q.dtype)


def average(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """q: (..., T, d), k and v: (..., S, d) → (..., T, d): values averaged by the weights."""
    shares = weights(q.double(), k.double(), mask)  # (..., T, S)
    return (shares.unsqueeze(-1) * v.double().unsqueeze(-3)).sum(-2).to(q.dtype)


def qk(inputs: Inputs, *lead: int, t: int, s: int, d: int, scale: float = 1.0) -> tuple:
    """Queries and keys: (*lead, T, d), (*lead, S, d)."""
    return inputs.randn(*lead, t, d) * scale, inputs.randn(*lead, s, d) * scale


def qkv(inputs: Inputs, *lead: int, t: int, s: int, d: int) -> tuple:
    """Queries, keys and values."""
    return *qk(inputs, *lead, t=t, s=s, d=d), inputs.randn(*lead, s, d)


def huge(inputs: Inputs) -> tuple[Tensor, Tensor, Tensor]:
    """Scores from -30000 to 30000, nearly always the largest hidden: queries, keys, mask."""
    q = torch.tensor([[1.0], [0.9], [0.5], [-1.0], [0.8], [0.3]]) * torch.tensor([200.0, 0, 0, 0])
    k = torch.tensor([-1.0, -0.6, -0.4, 0.2, 0.5, 1.0])[:, None] * torch.tensor([300.0, 0, 0, 0])
    mask = torch.ones(6, 6, dtype=torch.bool)
    mask[:4, -1] = mask[0, 2:] = mask[3, :4] = mask[4:, 0] = False
    mask[3, 5] = True
    return q + inputs.randn(6, 4), k + inputs.randn(6, 4), mask


def steep(inputs: Inputs, *shape: int) -> tuple[Tensor, Tensor]:
    """Queries and keys whose scores reach about 13, of which e^ is too large for float16."""
    key = inputs.randn(*shape)
    unit = key / key.norm(dim=-1, keepdim=True)
    return unit * 6.0, unit * 13.0 * math.sqrt(shape[-1]) / 6.0


def beyond(inputs: Inputs) -> tuple[Tensor, Tensor]:
    """Queries and keys of about 300, whose products q·k are too large for float16."""
    return 300 + 4 * inputs.randn(2, 3, 4), 300 + 4 * inputs.randn(2, 5, 4)


def half(draw: Draw, title: str, inexact: bool = False) -> Probe:
    """Compare half precision with float32, and say where that was promised."""
    return replace(in_half(draw, title), promise=HALF_PRECISION, inexact=inexact)


def mask_stays(draw: Draw) -> Probe:
    """Look at the mask by itself after a call: the engine's row says the same of all the inputs."""

    def run(answer: Any, inputs: Inputs) -> bool:
        args = draw(inputs)
        before = args[-1].clone()
        vars(answer)["_target"](*args)  # without the copies that the engine hands over
        return torch.equal(args[-1], before)

    return Probe(
        "the caller's mask stays as it is",
        run,
        "It changes the caller's mask in place, and the next layer wants it, too.",
        promise=INPUTS_STAY,
    )


def swinging(*draws: Draw) -> Probe:
    """Compare gradients of a loss that counts every second weight against the others.

    A row of weights sums to 1: counted alike, their gradients cancel, and rounding is left.
    """
    probe = gradients(*draws)

    def swung(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return value * (1 - 2 * (torch.arange(value.numel()) % 2)).view(value.shape).to(value.dtype)

    return replace(
        probe, run=lambda answer, inputs: probe.run(lambda *args: swung(answer(*args)), inputs)
    )


def met(mistakes: Iterable[Mistake], place: Mistake, line: str, calls: str) -> list[Mistake]:
    """Mistakes of one exercise, met in the answer to another, which calls it in `line`.

    place: a mistake of that other answer; calls: the line with `{}` for a wrong one's name, which
    the module of that answer looks up in what `wrong_by_name` gives.
    """
    template = place.wrong.template
    at = next(i for i, text in enumerate(template.lines) if text.strip() == line)

    def rewritten(name: str) -> Rewrite:
        return Rewrite(template, (Edit(at, at, (calls.format(repr(name)),)),), name)

    found = []
    for mistake in mistakes:
        first, *also = (rewritten(name) for name in _names(mistake))
        found.append(replace(mistake, wrong=first, also=tuple(also)))
    return found


def wrong_by_name(mistakes: Iterable[Mistake]) -> Callable[[str], Callable[..., Tensor]]:
    """Find one spelling of a mistake by its name: "no_scale", "no_scale 2", …"""
    known = {name: (m, i) for m in mistakes for i, name in enumerate(_names(m))}

    def find(name: str) -> Callable[..., Tensor]:
        mistake, i = known[name]
        return mistake.answers[i]

    return find


def _names(mistake: Mistake) -> list[str]:
    return [mistake.key + (f" {i + 1}" if i else "") for i in range(1 + len(mistake.also))]
