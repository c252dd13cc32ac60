"""Lab 09, 9.6: save_checkpoint, and what people write in place of its lines."""

import io
import os
import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

from checks.engine import mistakes_of


def save_checkpoint(
    path: Path,
    model: nn.Module,
    moments: dict[str, tuple[Tensor, Tensor]],
    step: int,
    about: dict | None = None,
) -> None:
    weights = model.state_dict()
    #: `model.state_dict()`: the tensors by their names, buffers included.
    #! parameters_only: weights = dict(model.named_parameters())
    #! parameters_only: weights = {name: p.detach() for name, p in model.named_parameters()}
    #! parameters_only: weights = {name: p.data for name, p in model.named_parameters()}
    #  It saves the parameters, not the state_dict: buffers, such as a BatchNorm's running statistics, and the second name of a tied table are not in
    #  the file. [torch/nn#1165]
    #! trainable_only: weights = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    #! trainable_only: weights = {name: value for name, value in model.state_dict().items() if name in [n for n, p in model.named_parameters() if p.requires_grad]}
    #  It saves what is trained, and leaves out what is frozen.
    #! weights_in_a_list: weights = [p.detach() for p in model.parameters()]
    #! weights_in_a_list: weights = list(model.state_dict().values())
    #  The weights are a list, without their names: nobody can tell any more which is which.
    #! whole_model: weights = model
    #  It saves the model object itself. Such a file holds code by name, so that weights_only=True refuses it, and it breaks when a class is renamed.
    #  [dbolya/yolact#194]
    #! method_saved: weights = model.state_dict
    #  `model.state_dict` without brackets is the method, not what it returns.
    #! halves: weights = {name: value.half() for name, value in model.state_dict().items()}
    #! halves: weights = {name: value.to(torch.float16) for name, value in model.state_dict().items()}
    #  The weights are rounded to float16. To write with, that may do; a training goes on from something else than it stopped at.
    #! brain_halves: weights = {name: value.bfloat16() for name, value in model.state_dict().items()}
    #  The weights are rounded to bfloat16, to two or three digits.
    #! made_float: weights = {name: value.float() for name, value in model.state_dict().items()}
    #  The weights are saved as float32, whatever they are.
    #: The model stays as it is: `model.state_dict()`, and nothing else.
    #! model_halved: weights = model.half().state_dict()
    #  `model.half()` changes the model itself: the training goes on in float16.
    #! model_made_double: weights = model.double().state_dict()
    #  `model.double()` changes the model itself.
    #! left_in_eval: model.eval(); …
    #  It calls `model.eval()` and leaves it at that: the training goes on without dropout.
    #! left_in_train: model.train(); …
    #  It calls `model.train()`, also for a model that is done and in eval mode.
    #! frozen_afterwards: model.requires_grad_(False); …
    #  It freezes the model: the next step finds no gradients.
    state = {"weights": weights, "moments": moments, "step": step, "about": about or {}}
    #: `"moments": moments, "step": step`
    #! no_moments: state = {"weights": weights, "moments": {}, "step": step, "about": about or {}}
    #  m and v are not in the file: AdamW begins anew, and the first steps after it go too far. [EvolvingLMMs-Lab/OneVision-Encoder#65]
    #! only_m: state = {"weights": weights, "moments": {name: m for name, (m, v) in moments.items()}, "step": step, "about": about or {}}
    #! only_m: state = {"weights": weights, "moments": {name: (m,) for name, (m, v) in moments.items()}, "step": step, "about": about or {}}
    #  Only m is saved; v is lost.
    #! only_v: state = {"weights": weights, "moments": {name: v for name, (m, v) in moments.items()}, "step": step, "about": about or {}}
    #! only_v: state = {"weights": weights, "moments": {name: (v,) for name, (m, v) in moments.items()}, "step": step, "about": about or {}}
    #  Only v is saved; m is lost.
    #! m_and_v_swapped: state = {"weights": weights, "moments": {name: (v, m) for name, (m, v) in moments.items()}, "step": step, "about": about or {}}
    #  m and v are swapped.
    #! moments_by_number: state = {"weights": weights, "moments": dict(enumerate(moments.values())), "step": step, "about": about or {}}
    #! moments_by_number: state = {"weights": weights, "moments": {str(i): pair for i, pair in enumerate(moments.values())}, "step": step, "about": about or {}}
    #  m and v are saved by number, not by name: freeze one layer, and all the others get a neighbour's. [wochenlong/lora-scripts-next#320]
    #! moments_in_a_list: state = {"weights": weights, "moments": list(moments.values()), "step": step, "about": about or {}}
    #! moments_in_a_list: state = {"weights": weights, "moments": list(moments.items()), "step": step, "about": about or {}}
    #  m and v are a list; wanted is a dict by name.
    #! moments_halved: state = {"weights": weights, "moments": {name: (m.half(), v.half()) for name, (m, v) in moments.items()}, "step": step, "about": about or {}}
    #! moments_halved: state = {"weights": weights, "moments": {name: (m.bfloat16(), v.bfloat16()) for name, (m, v) in moments.items()}, "step": step, "about": about or {}}
    #  m and v are rounded to 16 bits. v is a square: what is below 6e-8 becomes 0 in float16.
    #! weights_as_moments: state = {"weights": weights, "moments": weights, "step": step, "about": about or {}}
    #  The weights stand where the moments should be.
    #! step_not_saved: state = {"weights": weights, "moments": moments, "step": 0, "about": about or {}}
    #  The step is 0 whatever it is: the warm-up begins again. [eladrich/pixel2style2pixel#192]
    #! step_one_ahead: state = {"weights": weights, "moments": moments, "step": step + 1, "about": about or {}}
    #  The step is one ahead: `step` is the number of steps done, and the next one, counted from 0, has that number.
    #! step_one_behind: state = {"weights": weights, "moments": moments, "step": step - 1, "about": about or {}}
    #! step_one_behind: state = {"weights": weights, "moments": moments, "step": max(0, step - 1), "about": about or {}}
    #  The step is one behind: the last step would be made twice. [facebookresearch/maskrcnn-benchmark#145]
    #! step_as_text: state = {"weights": weights, "moments": moments, "step": str(step), "about": about or {}}
    #  The step is saved as text; it is a number.
    #! step_as_tensor: state = {"weights": weights, "moments": moments, "step": torch.tensor(step), "about": about or {}}
    #  The step is saved as a tensor; it is a number.
    #! about_left_out: state = {"weights": weights, "moments": moments, "step": step, "about": {}}
    #  `about` is not saved: nobody knows of which sizes the model is.
    #! about_is_none: state = {"weights": weights, "moments": moments, "step": step, "about": about}
    #  Where nothing is said about the model, "about" is None; it should be {}.
    #! about_spread: state = {"weights": weights, "moments": moments, "step": step, **(about or {})}
    #  What is in `about` stands beside the other entries; it belongs under "about".
    #! about_as_text: state = {"weights": weights, "moments": moments, "step": step, "about": str(about or {})}
    #  `about` is saved as text; it is a dict.
    #: The names are "weights", "moments", "step" and "about".
    #! other_names: state = {"model": weights, "optimizer": moments, "iter_num": step, "config": about or {}}
    #! other_names: state = {"model_state_dict": weights, "optimizer_state_dict": moments, "step": step, "about": about or {}}
    #! other_names: state = {"state_dict": weights, "optimizer": moments, "step": step, "about": about or {}}
    #! other_names: state = {"model": weights, "moments": moments, "step": step, "about": about or {}}
    #  The entries have other names than asked for, so that nobody finds them.
    #! weights_alone: state = weights
    #  Only the state_dict is in the file: no moments, no step. A training cannot go on from it. [CSAILVision/places365#78]
    #! a_tuple: state = (weights, moments, step, about or {})
    #! a_tuple: state = [weights, moments, step, about or {}]
    #  The four stand in a tuple or a list; wanted is a dict, with names.
    #! weights_at_the_top: state = {**weights, "moments": moments, "step": step, "about": about or {}}
    #  The weights stand beside the other entries; they belong under "weights".
    part = path.with_suffix(".part")
    #: `torch.save(state, part)`, then `part.replace(path)`.
    #! always_the_same_file: path = path.parent / "checkpoint.pt"; …
    #! always_the_same_file: path = path.with_name("shakespeare.pt"); …
    #! always_the_same_file: path = path.with_name("model.pt"); …
    #  The file has a name of its own, whatever `path` is.
    #! suffix_changed: path = path.with_suffix(".pt"); …
    #! suffix_changed: path = Path(str(path) + ".pt"); …
    #! suffix_changed: path = path.with_suffix(".pth"); …
    #  It writes to `path` with another ending.
    #! only_once: …; state = torch.load(path, weights_only=True) if path.exists() else state
    #  A file that is there already is not written again.
    #! step_in_the_name: path = path.with_stem(f"{path.stem}_{step}"); …
    #! step_in_the_name: path = path.with_stem(f"step_{step}"); …
    #  It puts the step into the file's name; wanted is `path` as it is.
    torch.save(state, part)
    #: Write to another file in the same folder; `part.replace(path)` when it is complete.
    #! written_over: torch.save(state, path); part = path
    #! written_over: part = path; torch.save(state, part)
    #! written_over:
    #| part = path
    #| with open(path, "wb") as file:
    #|     torch.save(state, file)
    #! written_over:
    #| part = path
    #| with path.open("wb") as file:
    #|     torch.save(state, file)
    #  It writes straight over the earlier checkpoint, which is emptied before a byte of the new one is there: stopped half-way, both are lost.
    #  [Lightning-AI/pytorch-lightning#688]
    #! bytes_written_over: part = path; memory = io.BytesIO(); torch.save(state, memory); path.write_bytes(memory.getvalue())
    #  What was made in memory is written straight over the earlier checkpoint: stopped half-way, there is half of the new one and nothing of the old.
    #! deleted_first: path.unlink(missing_ok=True); …
    #! deleted_first: path.exists() and os.remove(path); …
    #! deleted_first: path.exists() and path.rename(path.with_suffix(".old")); …
    #  It deletes the earlier checkpoint, or moves it away, before the new one is written: stopped half-way, there is none at `path`.
    #! error_swallowed:
    #| try:
    #|     torch.save(state, part)
    #| except Exception:
    #|     return
    #! error_swallowed:
    #| try:
    #|     torch.save(state, part)
    #| except Exception as error:
    #|     print(error)
    #|     return
    #  An error while writing is swallowed: the training goes on for days and believes that it has a checkpoint.
    #: `torch.save(state, part)`
    #! pickled: part.write_bytes(pickle.dumps(state))
    #! pickled:
    #| with open(part, "wb") as file:
    #|     pickle.dump(state, file)
    #  It uses pickle itself; torch.load with weights_only=True reads what torch.save writes.
    #! bytes_of_the_memory: torch.save(io.BytesIO(), part)
    #  What it saves is a buffer object, not what stands in it.
    part.replace(path)
    #: `part.replace(path)`
    #! never_renamed: pass
    #  The file with the other name is never put in the place of `path`.


MISTAKES = mistakes_of(save_checkpoint)
