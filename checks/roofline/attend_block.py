"""Lab 12, 12.7: what is tried on attend_block."""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from checks.engine import (
    GRADIENTS_FLOW,
    HALF_PRECISION,
    INPUTS_STAY,
    Check,
    Inputs,
    Probe,
    gradients,
    keeps_device,
)
from checks.engine.attention_probes import causal, some_mask
from checks.roofline.attend_block_wrong import MISTAKES

State = tuple[Tensor, Tensor, Tensor]

BLOCK = "Take one more block of keys and values into attention"
STATE = "the largest score m (..., T, 1), the sum l (..., T, 1) of exp(score - m), and the sum o"
FIRST = "None: no block yet."
UNSEEN = "A query that has seen no key keeps m = -inf, l = 0 and o = 0."
WHOLE = "After the last block, o / l is attention(q, k, v) over all of them."
ORDER = "The blocks may come in any order, and be of any length"
MASK = "mask: bool, broadcasts to (..., T, S), True where a query may look"
ROOM = 0.05  # of the largest number: rounding in half precision, and nothing worse


def reference(
    q: Tensor, k: Tensor, v: Tensor, state: State | None = None, mask: Tensor | None = None
) -> State:
    """One query after the other, in float64."""
    lead, d = q.shape[:-1], q.shape[-1]
    if state is None:
        m = q.new_full((*lead, 1), -torch.inf)
        state = m, torch.zeros_like(m), q.new_zeros((*lead, v.shape[-1]))
    rows = []
    for t in range(q.shape[-2]):
        m, l, o = (part.double()[..., t, :] for part in state)
        scores = (k.double() * q.double()[..., t : t + 1, :]).sum(-1) / math.sqrt(d)  # (..., S)
        if mask is not None:
            allowed = mask[..., t if mask.shape[-2] > 1 else 0, :]
            scores = scores.masked_fill(~allowed, -torch.inf)
        new = torch.maximum(m, scores.amax(-1, keepdim=True))
        base = torch.where(new == -torch.inf, 0.0, new)
        shares = (scores - base).exp()
        kept = (m - base).exp()
        rows.append(
            (
                new,
                kept * l + shares.sum(-1, keepdim=True),
                kept * o + (shares[..., None] * v.double()).sum(-2),
            )
        )
    m, l, o = (torch.stack(parts, dim=-2).float() for parts in zip(*rows, strict=True))
    return m, l, o


def qkv(inputs: Inputs, *lead: int, t: int, s: int, d: int) -> State:
    """Queries (*lead, T, d), keys and values (*lead, S, d)."""
    return inputs.randn(*lead, t, d), inputs.randn(*lead, s, d), inputs.randn(*lead, s, d)


def told(result: Any) -> Any:
    """A state as a plain tuple, however it is packed."""
    return tuple(result) if isinstance(result, list | tuple) and len(result) == 3 else result


def seen_before(inputs: Inputs, q: Tensor, d: int, largest: float = 0.0) -> State:
    """A state of blocks that came before: m is low for some queries, high for others."""
    m = largest + 2 * inputs.randn(*q.shape[:-1], 1)
    return m, 1 + inputs.uniform(*m.shape) * 4, inputs.randn(*q.shape[:-1], d) * 3


def unseen(q: Tensor, d: int) -> State:
    """The state of queries that have seen nothing."""
    m = torch.full((*q.shape[:-1], 1), -torch.inf)
    return m, torch.zeros_like(m), torch.zeros(*q.shape[:-1], d)


def one_block(*draws: Any, title: str, promise: str, fails: str = "") -> Probe:
    """Compare the states after one block; each draw gives (q, k, v, state, mask)."""

    def run(answer: Any, inputs: Inputs) -> list:
        return [told(answer(*draw(inputs))) for draw in draws]

    return Probe(title, run, fails, promise=promise)


def chained(
    answer: Any, q: Tensor, k: Tensor, v: Tensor, cuts: Sequence[slice], mask: Tensor | None = None
) -> Any:
    """The attention that an answer gives when it is handed the keys block by block."""
    state = None
    for cut in cuts:
        part = None if mask is None else mask[..., cut]
        state = answer(q, k[..., cut, :], v[..., cut, :], state, part)
        if not isinstance(state, list | tuple) or len(state) != 3:
            return state
    _, l, o = state
    return o / l


def whole(*cases: Any, title: str, promise: str, fails: str = "") -> Probe:
    """Compare o / l after several blocks; each case gives (q, k, v), the cuts, and a mask."""

    def run(answer: Any, inputs: Inputs) -> list:
        return [chained(answer, *arguments) for arguments in (case(inputs) for case in cases)]

    return Probe(title, run, fails, promise=promise)


def cuts(*ends: int) -> list[slice]:
    """Blocks that end here."""
    return [slice(a, b) for a, b in zip((0, *ends), ends, strict=False)]


def with_chain(probe: Probe) -> Probe:
    """A probe of a function of q, k, v, tried on two blocks in a row."""

    def run(answer: Any, inputs: Inputs) -> Any:
        return probe.run(lambda q, k, v: chained(answer, q, k, v, cuts(2, k.shape[-2])), inputs)

    return dataclasses.replace(probe, run=run)


def half(answer: Any, inputs: Inputs) -> list:
    """Whether half precision gives a float32 state with float32's numbers."""
    seen: list = []
    small = [4 * x for x in qkv(inputs, 2, t=3, s=5, d=4)]
    q, k, v = qkv(inputs, 2, t=3, s=5, d=128)
    large = [30 + q, 30 + k, v]  # q·k is beyond 65504, where float16 ends; a score is not
    for dtype, drawn in itertools.product((torch.float16, torch.bfloat16), (small, large)):
        args = [x.to(dtype) for x in drawn]
        state = told(answer(*args))
        if not isinstance(state, tuple):
            return [state]
        exact = answer(*(x.float() for x in args))
        for got, right in zip(state, exact, strict=True):
            if not isinstance(got, Tensor):
                return [got]
            close = got.shape == right.shape and (got.float() - right).abs().max()
            seen += [str(got.dtype), bool(close <= ROOM * right.abs().max())]
    return seen


def mask_and_state_stay(answer: Any, inputs: Inputs) -> list[bool]:
    """Whether what was handed over is as it was."""
    q, k, v = qkv(inputs, 2, t=3, s=4, d=5)
    mask, state = causal(3, 4), seen_before(inputs, q, 5)
    before = [mask.clone(), *(part.clone() for part in state)]
    vars(answer)["_target"](q, k, v, state, mask)  # without the copies that the engine hands over
    return [torch.equal(a, b) for a, b in zip(before, (mask, *state), strict=True)]


def steep(inputs: Inputs, sign: int) -> State:
    """Queries and keys whose scores are about 10,000 times `sign`, and values.

    Every score is a number that float32 holds exactly: rounding at 10,000 would be seen in exp.
    """
    q, k = torch.zeros(3, 4), torch.zeros(6, 4)
    q[:, 0] = torch.tensor([128.0, 96.0, 64.0])
    k[:, 0] = sign * 156 + inputs.integers(6, high=5) / 64
    return q, k, inputs.randn(6, 4)


def quarters(inputs: Inputs, *shape: int) -> Tensor:
    """Drawn multiples of 1/4, whose products and sums float32 holds exactly."""
    return (4 * inputs.randn(*shape)).round() / 4


attend_block = Check(
    exercise="12.7",
    name="attend_block",
    weight=2,
    reference=reference,
    technique=[
        Probe(
            "worked example",
            lambda answer, inputs: _worked(answer),
            promise="first = attend_block(q, math.log(3) * one, 8 * one)",
        ),
        one_block(
            lambda inputs: qkv(inputs, t=3, s=5, d=4),
            lambda inputs: qkv(inputs, 2, t=4, s=3, d=6),
            lambda inputs: qkv(inputs, 2, 3, t=1, s=7, d=5),
            title="the first block: m, l and o",
            promise=FIRST,
        ),
        one_block(
            lambda inputs: _after(inputs, (2,), 4, 3, 6),
            lambda inputs: _after(inputs, (2, 3), 3, 5, 4),
            title="one more block: some queries' largest score stays, some queries' grows",
            promise=STATE,
        ),
        one_block(
            lambda inputs: _after(inputs, (), 4, 3, 5, largest=9.0),
            lambda inputs: _after(inputs, (2,), 3, 5, 4, largest=9.0),
            title="one more block, and the largest score stays",
            promise=STATE,
        ),
        one_block(
            lambda inputs: _after(inputs, (), 4, 3, 5, largest=-9.0),
            lambda inputs: _after(inputs, (2,), 3, 5, 4, largest=-9.0),
            title="one more block, and the largest score grows",
            promise=STATE,
        ),
        one_block(
            lambda inputs: (*qkv(inputs, 2, t=4, s=6, d=5), None, some_mask(inputs, 4, 6)),
            lambda inputs: (*qkv(inputs, 2, t=3, s=4, d=2), None, some_mask(inputs, 2, 1, 4)),
            lambda inputs: (*_after(inputs, (2, 3), 4, 5, 3)[:4], some_mask(inputs, 4, 5)),
            title="with a mask, in the first block and in another",
            promise=MASK,
        ),
        whole(
            lambda inputs: (*qkv(inputs, 2, t=3, s=8, d=5), cuts(4, 8)),
            lambda inputs: (*qkv(inputs, 2, 3, t=4, s=9, d=6), cuts(2, 5, 6, 9)),
            lambda inputs: (*qkv(inputs, t=2, s=5, d=4), cuts(1, 2, 3, 4, 5)),
            title="o / l after all blocks, also of one key each",
            promise=WHOLE,
        ),
        whole(
            lambda inputs: (*qkv(inputs, 2, t=3, s=8, d=5), cuts(3, 5, 8)[::-1]),
            lambda inputs: (*qkv(inputs, t=4, s=7, d=3), [slice(2, 6), slice(6, 7), slice(0, 2)]),
            title="the blocks in another order",
            promise=ORDER,
        ),
        whole(
            lambda inputs: (*qkv(inputs, 2, t=6, s=6, d=4), cuts(2, 4, 6), causal(6, 6)),
            lambda inputs: (*qkv(inputs, 2, t=3, s=7, d=5), cuts(3, 6, 7), causal(3, 7)),
            title="a causal mask: blocks that some queries do not see at all",
            promise=UNSEEN,
        ),
        one_block(
            lambda inputs: (*qkv(inputs, 2, t=3, s=4, d=5), None, _hidden(3, 4, 1)),
            lambda inputs: _nothing_yet(inputs),
            title="a query that has seen nothing: m = -inf, l = 0, o = 0",
            promise=UNSEEN,
            fails="A query that has seen no key keeps m = -inf, l = 0 and o = 0.",
        ),
        one_block(
            lambda inputs: (*_after(inputs, (2,), 3, 4, 5)[:4], _hidden(3, 4, 0, 2)),
            title="a block of which a query sees nothing: its state stays",
            promise=UNSEEN,
        ),
        whole(
            lambda inputs: (*steep(inputs, 1), cuts(2, 4, 6)),
            lambda inputs: (*steep(inputs, -1), cuts(3, 6)),
            title="scores of 10,000 and of -10,000",
            promise=WHOLE,
        ),
        one_block(
            lambda inputs: (
                quarters(inputs, 3, 4) - 9,
                quarters(inputs, 5, 4) + 9,
                inputs.randn(5, 4),
            ),
            title="scores that are all far below 0",
            promise=STATE,
        ),
    ],
    ready=[
        Probe(
            "float16 and bfloat16: the state is float32, and so are its numbers",
            half,
            "In half precision the state is not float32, or its numbers are far off. Begin with "
            "`q.float()`, `k.float()` and `v.float()`.",
            inexact=True,
            promise=HALF_PRECISION,
        ),
        dataclasses.replace(
            with_chain(gradients(lambda inputs: qkv(inputs, 2, t=3, s=5, d=4))),
            promise=GRADIENTS_FLOW,
        ),
        with_chain(keeps_device(lambda inputs: qkv(inputs, 2, t=3, s=5, d=4))),
        Probe(
            "the caller's mask and state stay as they are",
            mask_and_state_stay,
            "It changes the mask or the state that it was given, in place.",
            promise=INPUTS_STAY,
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "m was the largest score so far, and l and o are sums of exp(score - m). What has to "
        "happen to them when a larger score comes?",
        "exp(score - new_m) = exp(score - m) · exp(m - new_m): multiply the old l and o by "
        "exp(m - new_m), then add what the new block brings. Where new_m is -inf, subtract 0.",
        "`return new_m, l * old + weights.sum(-1, keepdim=True), o * old + weights @ v.float()`",
    ),
)


def _worked(answer: Any) -> list:
    q, one = torch.tensor([[2.0, 0, 0, 0]]), torch.tensor([[1.0, 0, 0, 0]])
    first = told(answer(q, math.log(3) * one, 8 * one))
    return [first, told(answer(q, 0 * one, 4 * one, first))]


def _after(
    inputs: Inputs, lead: tuple[int, ...], t: int, s: int, d: int, largest: float = 0.0
) -> tuple:
    """A block, and a state that was there before; no mask."""
    q, k, v = qkv(inputs, *lead, t=t, s=s, d=d)
    return q, k, v, seen_before(inputs, q, d, largest), None


def _hidden(t: int, s: int, *rows: int) -> Tensor:
    """A mask of which some rows are all False: (T, S)."""
    mask = torch.ones(t, s, dtype=torch.bool)
    mask[list(rows)] = False
    return mask


def _nothing_yet(inputs: Inputs) -> tuple:
    """A second block, when two of three queries have seen nothing yet, and one never does."""
    q, k, v = qkv(inputs, 2, t=3, s=4, d=5)
    old, new = seen_before(inputs, q, 5), unseen(q, 5)
    one = torch.tensor([True, False, False])[:, None]
    m, l, o = (torch.where(one, a, b) for a, b in zip(old, new, strict=True))
    return q, k, v, (m, l, o), _hidden(3, 4, 2)
