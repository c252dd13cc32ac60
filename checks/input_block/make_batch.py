"""Lab 01, 1.5: what is tried on make_batch."""

from typing import Any

import torch
from torch import Tensor

from checks.engine import Check, Inputs, Probe, Wrong, keeps_device
from checks.input_block.make_batch_wrong import MISTAKES

WINDOWS = "Cut windows out of the data; the targets are the inputs one step later."


def reference(data: Tensor, starts: Tensor, context: int) -> tuple[Tensor, Tensor]:
    """Cut windows out of the data. data: (N,), starts: (B,) → two of (B, context)."""
    inputs = [data[s : s + context] for s in starts.tolist()]
    targets = [data[s + 1 : s + 1 + context] for s in starts.tolist()]
    return torch.stack(inputs), torch.stack(targets)


def windows(*draws: Any, title: str, promise: str = WINDOWS) -> Probe:
    """Compare inputs and targets of several batches; a list of the two does as well as a tuple."""

    def run(answer: Any, inputs: Inputs) -> list:
        seen = []
        for draw in draws:
            batch = answer(*draw(inputs))
            seen.append(tuple(batch) if isinstance(batch, list) else batch)
        return seen

    return Probe(title, run, promise=promise)


def one_step_later(answer: Any, inputs: Inputs) -> list[bool]:
    """Look at how inputs and targets overlap, and at the very last target."""
    data = torch.arange(40) ** 2
    result = answer(data, torch.tensor([30, 0, 17]), 9)
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Wrong("make_batch returns two things: `return inputs, targets`.")
    given, targets = result
    if not isinstance(given, Tensor) or not isinstance(targets, Tensor):
        raise Wrong("make_batch returns two tensors: `return inputs, targets`.")
    if given.shape != (3, 9) or targets.shape != (3, 9):
        shapes = f"{tuple(given.shape)} and {tuple(targets.shape)}"
        raise Wrong(f"inputs and targets have the shapes {shapes}; expected (3, 9) for both.")
    overlap = targets[:, :-1].equal(given[:, 1:])
    return [overlap, targets[0, -1].item() == 39**2, given[1, 0].item() == 0]


def kinds(answer: Any, inputs: Inputs) -> list[str]:
    """Look at shapes and dtypes alone.

    Which numbers come is no matter here, so that it is called without being recorded.
    """
    seen, answer = [], vars(answer)["_target"]
    for dtype in (torch.int64, torch.int32, torch.uint8):
        batch = answer(inputs.integers(60).to(dtype), torch.tensor([4, 3]), 5)
        for part in batch if isinstance(batch, tuple | list) else [batch]:
            shape = tuple(part.shape) if isinstance(part, Tensor) else type(part).__name__
            seen.append(f"{shape}, {getattr(part, 'dtype', 'no dtype')}")
    return seen


make_batch = Check(
    exercise="1.5",
    name="make_batch",
    reference=reference,
    technique=[
        windows(
            lambda inputs: (torch.tensor([10, 11, 12, 13, 14, 15]), torch.tensor([3, 0]), 2),
            title="worked example",
            promise=">>> make_batch(torch.tensor([10, 11, 12, 13, 14, 15])",
        ),
        # No window here ends with the data, so that one cut too far on shows what it reads.
        windows(
            lambda inputs: (inputs.integers(50), torch.tensor([7, 31, 0, 7]), 5),
            lambda inputs: (inputs.integers(40), inputs.integers(6, high=15), 7),
            lambda inputs: (inputs.integers(9), torch.tensor([4]), 1),
            lambda inputs: (inputs.integers(40), inputs.integers(9, high=30), 3),
            lambda inputs: (inputs.integers(5000), torch.tensor([4980, 300, 2049, 129]), 6),
            title="shape, dtype and values on 5 random inputs",
        ),
        Probe(
            "targets are one step later, up to the last number of the data",
            one_step_later,
            "Each target must be the data's number one step after its input: "
            "`targets[:, :-1]` equals `inputs[:, 1:]`, and the last one comes from the data, too.",
            promise="starts: (B,), each at most N - context - 1",
        ),
        Probe(
            "two tensors (B, context), of the data's dtype: int64, int32, uint8",
            kinds,
            "Inputs and targets are two tensors of the shape (B, context), in the data's dtype.",
            promise="inputs and targets, both (B, context), the data's dtype",
        ),
    ],
    ready=[
        keeps_device(lambda inputs: (inputs.integers(50), torch.tensor([7, 31, 0]), 5)),
    ],
    mistakes=MISTAKES,
    hints=(
        "Which positions of the data does the window from 7 on cover, and which do its targets?",
        "`starts[:, None] + torch.arange(context)` is (B, context): all positions of all windows.",
        "`positions = starts[:, None] + torch.arange(context, device=starts.device)`, then "
        "`return data[positions], data[positions + 1]`",
    ),
)
