"""Lab 09, 9.6: what is tried on save_checkpoint."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from checks.engine import Check, Inputs, Probe, error_of
from checks.training.checkpoint_files import (
    Breaks,
    Moments,
    Small,
    a_path,
    found_in,
    moments_of,
    plain_moments,
    plain_state,
    write,
)
from checks.training.save_checkpoint_wrong import MISTAKES

ABOUT = {"config": {"dim": 96, "n_layers": 3}, "vocab": ["\n", " ", "a"], "loss": 1.8125}
DICT = "a dict that weights_only=True can read"


def reference(
    path: Path, model: nn.Module, moments: Moments, step: int, about: dict | None = None
) -> None:
    """Write the four entries to another file, and put that in the place of the old one."""
    part = path.parent / f"{path.name}.part"
    write(part, model, moments, step, about)
    part.replace(path)


def saved(answer: Any, inputs: Inputs, step: int = 40, about: dict | None = None) -> dict:
    """What stands in the file that the answer writes of a drawn model."""
    model = Small(inputs)
    path = a_path()
    answer(path, model, moments_of(inputs, model), step, about)
    return found_in(path)


def example(answer: Any, inputs: Inputs) -> list:
    """A linear layer after seven steps, without moments."""
    model = nn.Linear(2, 1, bias=False)
    model.weight.data = inputs.randn(1, 2)
    path = a_path()
    answer(path, model, {}, step=7)
    found = found_in(path)
    return [dict(found["weights"]), found["moments"], found["step"], found["about"]]


def weights(answer: Any, inputs: Inputs) -> dict:
    """Every weight and buffer, by its name."""
    kept = saved(answer, inputs)["weights"]
    return dict(kept) if isinstance(kept, dict) else kept


def moments(answer: Any, inputs: Inputs) -> Any:
    """m and v, by name."""
    return plain_moments(saved(answer, inputs)["moments"])


def step_and_about(answer: Any, inputs: Inputs) -> list:
    """The step, and all that was said about the model; nothing said is an empty dict."""
    found = saved(answer, inputs, 1234, ABOUT)
    first, nothing = saved(answer, inputs, 0), saved(answer, inputs, 1)
    return [found["step"], found["about"], first["step"], nothing["step"], nothing["about"]]


def twice(answer: Any, inputs: Inputs) -> list:
    """Two trainings and two files; the first file is written a second time."""
    model, other = Small(inputs), Small(inputs)
    path = a_path()
    beside = path.with_name("other.pt")
    answer(path, model, moments_of(inputs, model), 10)
    answer(beside, other, moments_of(inputs, other), 20)
    with torch.no_grad():
        model.table.mul_(2)
    answer(path, model, moments_of(inputs, model), 30)
    files = [found_in(path), found_in(beside)]
    return [[found["step"], dict(found["weights"])] for found in files]


def goes_on(answer: Any, inputs: Inputs) -> list:
    """The model is still what it was: mode, weights, the very same parameters."""
    seen: list = []
    for training in (True, False):
        model = Small(inputs).train(training)
        before: list[Tensor] = list(model.parameters())
        path = a_path()
        answer(path, model, moments_of(inputs, model), 3)
        now = list(model.parameters())
        same = all(a is b for a, b in zip(before, now, strict=True))
        seen.append([model.training, same, [p.requires_grad for p in now], plain_state(model)])
    return seen


def broken_off(answer: Any, inputs: Inputs) -> list:
    """In the middle of the second file writing fails: is there an error, and the first file?"""
    model = Small(inputs)
    kept = moments_of(inputs, model)
    path = a_path()
    write(path, model, kept, 10)
    before = path.read_bytes()
    error = error_of(lambda: answer(path, model, kept, 20, {"notes": Breaks()}))
    whole = path.exists() and path.read_bytes() == before
    left = "whole" if whole else "broken" if path.exists() else "gone"
    return ["an error" if error else "no error", left]


def replaced(answer: Any, inputs: Inputs) -> bool:
    """Is the second file another one than the first, which it took the place of?"""
    model = Small(inputs)
    kept = moments_of(inputs, model)
    path = a_path()
    write(path, model, kept, 10)
    before = path.stat().st_ino
    answer(path, model, kept, 20)
    return path.exists() and path.stat().st_ino != before


save_checkpoint = Check(
    exercise="9.6",
    name="save_checkpoint",
    reference=reference,
    technique=[
        Probe(
            "worked example: what stands in the file",
            example,
            'The entries "weights", "moments", "step" and "about" are not those that were given.',
            promise="save_checkpoint(path, model, {}, step=7)",
        ),
        Probe(
            "weights, frozen ones, tied ones and buffers",
            weights,
            'What stands under "weights" is not the model\'s state_dict.',
            promise='"weights": the model\'s state_dict',
        ),
        Probe(
            "m and v of each parameter",
            moments,
            'What stands under "moments" is not the (m, v) of each parameter, by its name.',
            promise='"moments": (m, v) of each parameter, by its name',
        ),
        Probe(
            "the step, and what it is about",
            step_and_about,
            'What stands under "step" or "about" is not what was given.',
            promise='"step": the number of steps done',
        ),
        Probe(
            "two files, one of them written twice",
            twice,
            "The files do not hold what was last saved in each.",
            promise="Write to one file what a training needs to go on",
        ),
        Probe(
            "the training goes on: the model stays as it is",
            goes_on,
            "The model is not what it was: its mode, its weights or its parameters have changed.",
            promise="The model stays as it is",
        ),
    ],
    ready=[
        Probe(
            "writing fails half-way: the earlier file is still whole",
            broken_off,
            "Writing failed half-way, and either no error came out or the earlier checkpoint is "
            "gone. Write to another file first, and `replace` the old one when that is complete.",
            promise="a file that was there before is still whole",
        ),
        Probe(
            "a second file takes the place of the first when it is complete",
            replaced,
            "The new checkpoint was written into the earlier one's file: stopped in the middle of "
            "that, both are lost. Write to another file first, and `replace` the old one.",
            promise="a file that was there before is still whole",
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "What does the loop of 9.5 hold when a step is over that it could not compute anew?",
        "One dict with four entries. `model.state_dict()` has the weights and the buffers by name. "
        "Write it to a file of another name in the same folder, then rename that.",
        '`part = path.with_suffix(".part")`, `torch.save({"weights": model.state_dict(), '
        '"moments": moments, "step": step, "about": about or {}}, part)`, `part.replace(path)`.',
    ),
)
