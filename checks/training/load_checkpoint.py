"""Lab 09, 9.7: what is tried on load_checkpoint."""

import functools
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from checks.engine import SAME_DEVICE, Check, Inputs, Probe, Wrong, error_of
from checks.engine.answer import Answer
from checks.training.checkpoint_files import (
    Code,
    Moments,
    Small,
    a_path,
    moments_of,
    plain_moments,
    plain_state,
    write,
    write_as_on_a_gpu,
)
from checks.training.load_checkpoint_wrong import MISTAKES

STAYS = "in place: its parameters stay the same tensors, and its mode stays"
FITS = "Weights that do not fit the model are an error"


def reference(path: Path, model: nn.Module) -> tuple[Moments, int]:
    """Copy every tensor of the file into the model's tensor of that name."""
    device = next(model.parameters()).device
    state = torch.load(path, map_location=device, weights_only=True)
    model.load_state_dict(state["weights"])
    return state["moments"], state["step"]


def call(answer: Any, path: Path, model: nn.Module) -> tuple[Any, Any]:
    """The moments and the step that come back. What is no name in the moments becomes one."""
    target = answer._target

    @functools.wraps(target)
    def with_names(path: Path, model: nn.Module) -> Any:
        returned = target(path, model)
        if isinstance(returned, tuple) and returned and isinstance(returned[0], dict):
            return _named(returned[0]), *returned[1:]
        return returned

    returned = Answer(with_names, answer._transcript)(path, model)
    if returned is None:
        raise Wrong("None came back: is there a `return`?")
    if not isinstance(returned, tuple | list):
        kind = type(returned).__name__
        raise Wrong(f"what came back is a {kind}; wanted are two things, the moments and the step.")
    if len(returned) != 2:
        raise Wrong(f"{len(returned)} things came back; wanted are the moments and the step.")
    if isinstance(returned[0], int) and isinstance(returned[1], dict):
        raise Wrong("step and moments came back in that order; wanted are moments, then step.")
    return returned[0], returned[1]


def _named(moments: dict) -> dict:
    """Two dicts with tensors as keys cannot be compared: a tensor is a key by what it is."""
    return {
        key if isinstance(key, str | int) else f"{type(key).__name__} {i}": pair
        for i, (key, pair) in enumerate(moments.items())
    }


def loaded(answer: Any, inputs: Inputs, step: int = 40) -> tuple[Small, Any, Any]:
    """A model with other weights, into which the answer has loaded a drawn checkpoint."""
    source, model = Small(inputs), Small(inputs)
    path = a_path()
    write(path, source, moments_of(inputs, source), step, {"loss": 1.75})
    moments, step = call(answer, path, model)
    return model, moments, step


def example(answer: Any, inputs: Inputs) -> list:
    """A linear layer after seven steps, without moments."""
    source, model = nn.Linear(2, 1, bias=False), nn.Linear(2, 1, bias=False)
    source.weight.data, model.weight.data = inputs.randn(1, 2), inputs.randn(1, 2)
    path = a_path()
    write(path, source, {}, 7)
    moments, step = call(answer, path, model)
    return [model.weight.detach().clone(), plain_moments(moments), step]


def weights(answer: Any, inputs: Inputs) -> dict[str, Tensor]:
    """What the model holds afterwards."""
    return plain_state(loaded(answer, inputs)[0])


def moments(answer: Any, inputs: Inputs) -> Any:
    """m and v, by name."""
    return plain_moments(loaded(answer, inputs)[1])


def steps(answer: Any, inputs: Inputs) -> list:
    """The step of three files."""
    return [loaded(answer, inputs, step)[2] for step in (0, 1, 1234)]


def stays(answer: Any, inputs: Inputs) -> list:
    """The same parameters, one table under two names, frozen or not, in train mode or not."""
    seen = []
    for training in (True, False):
        source, model = Small(inputs), Small(inputs).train(training)
        before = list(model.parameters())
        path = a_path()
        write(path, source, moments_of(inputs, source), 5)
        call(answer, path, model)
        now = list(model.parameters())
        same = len(before) == len(now) and all(a is b for a, b in zip(before, now, strict=True))
        tied = model.table is model.again
        seen.append([same, tied, model.training, [p.requires_grad for p in now]])
    return seen


def other_models(answer: Any, inputs: Inputs) -> list:
    """Another width; a weight too few; a weight too many: is there an error?"""
    errors = []
    for source, model in (
        (Small(inputs, 5), Small(inputs)),
        (nn.Linear(2, 2, bias=False), nn.Linear(2, 2)),
        (nn.Linear(2, 2), nn.Linear(2, 2, bias=False)),
    ):
        path = a_path()
        write(path, source, {}, 5)
        errors.append(error_of(lambda at=path, into=model: answer(at, into)) is not None)
    path = a_path()
    errors.append(error_of(lambda: answer(path, Small(inputs))) is not None)
    return errors


def from_a_gpu(answer: Any, inputs: Inputs) -> list:
    """A file from a machine with a GPU, and a model on the CPU."""
    source, model = Small(inputs), Small(inputs)
    path = a_path()
    write_as_on_a_gpu(path, source, moments_of(inputs, source), 40)
    moments, step = call(answer, path, model)
    tensors = [value for pair in moments.values() for value in pair]
    there = all(value.device == model.scale.device for value in tensors)
    return [there, step, plain_moments(moments), plain_state(model)]


def on_another_device(answer: Any, inputs: Inputs) -> Any:
    """A file from the CPU, and a model on the device of tensors without numbers."""
    source, model = Small(inputs), Small(inputs).to("meta")
    path = a_path()
    write(path, source, moments_of(inputs, source), 40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # nothing can be copied into the model
        moments, step = call(answer, path, model)
    if {value.device.type for pair in moments.values() for value in pair} != {"meta"}:
        raise Wrong(
            "the moments do not lie where the model lies: `map_location=` with the device of one "
            "of its parameters."
        )
    return step


def in_another_order(answer: Any, inputs: Inputs) -> dict[str, Tensor]:
    """What the model holds, where the file has the same names the other way round."""
    source, model = Small(inputs), Small(inputs)
    path = a_path()
    turned = dict(reversed(source.state_dict().items()))
    torch.save({"weights": turned, "moments": {}, "step": 1, "about": {}}, path)
    call(answer, path, model)
    return plain_state(model)


def no_code(answer: Any, inputs: Inputs) -> list:
    """A file that brings a call along, to be made by whoever reads it."""
    model = Small(inputs)
    path = a_path()
    write(path, model, {}, 5, {"notes": Code()})
    return [error_of(lambda: answer(path, model)) is not None]


load_checkpoint = Check(
    exercise="9.7",
    name="load_checkpoint",
    reference=reference,
    technique=[
        Probe(
            "worked example: the weights, and what comes back",
            example,
            "The weight afterwards, the moments or the step are not those in the file.",
            promise="load_checkpoint(path, model)",
        ),
        Probe(
            "weights, frozen ones, tied ones and buffers",
            weights,
            "What the model holds afterwards is not what stands in the file.",
            promise="Put a checkpoint's weights into the model",
        ),
        Probe(
            "the same names in another order",
            in_another_order,
            "A weight went to another name's place. Go by the names, as `load_state_dict` does.",
            promise="Put a checkpoint's weights into the model",
        ),
        Probe(
            "m and v of each parameter",
            moments,
            "The moments that came back are not those in the file, by name.",
            promise="return its moments and its step",
        ),
        Probe(
            "the step of three files",
            steps,
            "The step that came back is not the one in the file.",
            promise="return its moments and its step",
        ),
        Probe(
            "the same parameters, tied as before, in the same mode",
            stays,
            "The model's parameters are other tensors than before, no longer tied, frozen where "
            "they were not, or its mode has changed.",
            promise=STAYS,
        ),
        Probe(
            "weights that do not fit; no file",
            other_models,
            "There was no error where the file belongs to a model of other sizes, has a weight too "
            "few or too many, or is not there.",
            promise=FITS,
        ),
    ],
    ready=[
        Probe(
            "a file that was written on a GPU",
            from_a_gpu,
            "What comes out of a GPU's checkpoint does not lie where the model lies: "
            "`map_location=` with the device of one of its parameters.",
            promise=SAME_DEVICE,
        ),
        Probe(
            "a model on another device",
            on_another_device,
            promise="The moments lie where the model lies, wherever the file was written",
        ),
        Probe(
            "a file that brings code along is refused",
            no_code,
            "It ran a call that stood in the file. `torch.load(…, weights_only=True)` refuses such "
            "files; older versions of torch do not by themselves.",
            promise="It reads data only, never code (weights_only=True)",
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "The file is a dict with four entries. Which of them goes into the model, and which two "
        "does the loop need?",
        "`torch.load` gives the dict back; `model.load_state_dict` copies weights into a model. "
        "Say where the tensors shall lie, and that no code is wanted.",
        "`state = torch.load(path, map_location=next(model.parameters()).device, "
        'weights_only=True)`, `model.load_state_dict(state["weights"])`, '
        '`return state["moments"], state["step"]`.',
    ),
)
