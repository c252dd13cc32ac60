"""Lab 14, 14.4: what is tried on count_accepted."""

import torch
from torch import Tensor

from checks.engine import Check, Inputs, keeps_device, values
from checks.speculative.count_accepted_wrong import MISTAKES
from checks.speculative.pairs import pair

RULE = "Draft i is accepted when luck[i] < p[i, draft] / q[i, draft]."
BEFORE = "all before the first one that is not"


def reference(p: Tensor, q: Tensor, drafts: Tensor, luck: Tensor) -> int:
    """Go through the drafts, and stop at the first that is not accepted."""
    for i, draft in enumerate(drafts.tolist()):
        if not float(luck[i]) < float(p[i, draft]) / float(q[i, draft]):
            return i
    return len(drafts)


def drawn(inputs: Inputs, n: int, size: int, rows: int, luck_from: float = 0.0) -> tuple:
    """p (rows, size), q (n, size), drafts (n,) and luck (n,) that is not near any ratio."""
    p, q = pair(inputs, rows, size)
    q = q[:n]
    drafts = inputs.integers(n, high=size)
    ratios = p[torch.arange(n), drafts] / q[torch.arange(n), drafts]
    luck = inputs.uniform(n) * 0.98 * (1 - luck_from) + luck_from
    near = (luck - ratios).abs() < 1e-3
    return p, q, drafts, torch.where(near, luck * 0.9, luck)


def planned(inputs: Inputs, ratios: list[float], lucks: list[float], extra: int = 1) -> tuple:
    """Drafts with these ratios p / q and lucks, in rows of seven tokens."""
    n, size = len(ratios), 7
    drafts = inputs.integers(n, high=size)
    _, q = pair(inputs, n, size)
    p, _ = pair(inputs, n + extra, size)
    for i, ratio in enumerate(ratios):
        p[i] *= 0.6 / (p[i].sum() - p[i, drafts[i]])
        q[i] *= 0.6 / (q[i].sum() - q[i, drafts[i]])
        q[i, drafts[i]] = 0.4  # p and q sum to 1 only nearly: nobody asks for that here
        p[i, drafts[i]] = 0.4 * ratio
    return p, q, drafts, torch.tensor(lucks)


count_accepted = Check(
    exercise="14.4",
    name="count_accepted",
    reference=reference,
    technique=[
        values(
            lambda inputs: _worked([0, 1], [0.9, 0.4]),
            lambda inputs: _worked([1, 0], [0.6, 0.0]),
            title="worked examples",
            promise="count_accepted(p, q, torch.tensor([0, 1])",
        ),
        values(
            *[
                lambda inputs, n=n, size=size: drawn(inputs, n, size, n + 1)
                for n, size in ((4, 5), (3, 8), (6, 4), (5, 9), (7, 6), (2, 11), (8, 3), (4, 7))
            ],
            title="8 random inputs",
            promise=RULE,
        ),
        values(
            lambda inputs: planned(inputs, [2.0, 1.5, 0.5, 3.0, 2.0], [0.9, 0.9, 0.7, 0.1, 0.1]),
            lambda inputs: planned(inputs, [1.2, 0.3, 1.8, 1.2, 0.2, 2.0], [0.5, 0.8] + [0.1] * 4),
            lambda inputs: planned(inputs, [0.2, 2.2, 1.9, 1.4], [0.4, 0.2, 0.3, 0.1]),
            title="good drafts behind a rejected one do not count",
            promise=BEFORE,
        ),
        values(
            lambda inputs: planned(inputs, [1.3, 2.0, 1.1], [0.97, 0.6, 0.98]),
            lambda inputs: planned(inputs, [0.5, 0.6, 0.7, 0.8], [0.2, 0.3, 0.1, 0.6]),
            lambda inputs: planned(inputs, [1.0, 1.0], [0.9, 0.98]),
            lambda inputs: planned(inputs, [0.5], [0.25]),
            title="all accepted",
            promise=RULE,
        ),
        values(
            lambda inputs: planned(inputs, [0.1, 2.0, 2.0], [0.5, 0.1, 0.1]),
            lambda inputs: planned(inputs, [0.4], [0.6]),
            title="the first is rejected: 0",
            promise=BEFORE,
        ),
        values(
            lambda inputs: planned(inputs, [0.0, 2.0], [0.0, 0.0]),
            lambda inputs: planned(inputs, [1.5, 0.0, 1.2], [0.0, 0.0, 0.0]),
            title="a token of probability 0, at luck 0",
            promise=RULE,
        ),
        values(
            lambda inputs: planned(inputs, [1.4, 0.5, 2.0], [0.3, 0.2, 0.9], extra=0),
            lambda inputs: planned(inputs, [0.7, 0.9], [0.3, 0.5], extra=3),
            title="p with as many rows as q, and with more",
            promise="p: (n, V) or more rows",
        ),
        values(
            lambda inputs: planned(inputs, [], []),
            title="no draft: 0",
            promise="n may be 0",
        ),
    ],
    ready=[
        keeps_device(lambda inputs: planned(inputs, [1.4, 0.5, 2.0], [0.3, 0.7, 0.9])),
    ],
    mistakes=MISTAKES,
    hints=(
        "Draft 0 is accepted, draft 1 is not, draft 2 would be. How many are kept?",
        "p and q at the drafts' tokens, one number for each place; compare with luck; then count "
        "up to the first that fails. `cumprod` of ones and zeros stays 0 from the first 0 on.",
        "`accepted = luck * q[places, drafts] < p[places, drafts]` with `places = "
        "torch.arange(len(drafts))`, then `int(accepted.long().cumprod(0).sum())`",
    ),
)


def _worked(drafts: list[int], luck: list[float]) -> tuple:
    p = torch.tensor([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    q = torch.tensor([[0.2, 0.6, 0.2], [0.2, 0.6, 0.2]])
    return p, q, torch.tensor(drafts), torch.tensor(luck)
