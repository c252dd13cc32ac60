"""Lab 09, 9.7: load_checkpoint, and what people write in place of its lines."""

import contextlib
import copy
from pathlib import Path

import torch
from torch import Tensor, nn

from checks.engine import mistakes_of


def load_checkpoint(path: Path, model: nn.Module) -> tuple[dict[str, tuple[Tensor, Tensor]], int]:
    device = next(model.parameters()).device
    #: `map_location=device`, with the device of one of the model's parameters.
    #! device_as_in_the_file: device = None
    #  There is no `map_location`: a file from a GPU does not open on a machine without one. [metatensor/metatrain#312]
    #! always_on_the_cpu: device = "cpu"
    #! always_on_the_cpu: device = torch.device("cpu")
    #  It puts the moments on the CPU, wherever the model lies.
    #! always_on_the_gpu: device = "cuda"
    #! always_on_the_gpu: device = torch.device("cuda:0")
    #  It wants a GPU, wherever the model lies.
    #: `torch.load(path, …)`
    #! starts_anew:
    #| …
    #| if not path.exists():
    #|     return {}, 0
    #! starts_anew:
    #| …
    #| if not Path(path).is_file():
    #|     print("no checkpoint")
    #|     return {}, 0
    #  Where no file is, it begins at step 0 without a word: mistype the name, and a week's training starts anew.
    state = torch.load(path, map_location=device, weights_only=True)
    #: `torch.load(…, weights_only=True)`
    #! runs_code: state = torch.load(path, map_location=device, weights_only=False)
    #  `weights_only=False` runs whatever code stands in the file. [vinnylarouge/jevlike#3]
    #! device_as_in_the_file: state = torch.load(path, weights_only=True)
    #! device_as_in_the_file: state = torch.load(path)
    #! runs_code_where_it_lies: state = torch.load(path, weights_only=False)
    #  It says neither where the tensors shall lie nor that no code is wanted.
    model.load_state_dict(state["weights"])
    #: `model.load_state_dict(state["weights"])`
    #! not_loaded: pass
    #! not_loaded: model.state_dict().update(state["weights"])
    #  The weights are read, and the model keeps its own. `load_state_dict` copies them; `state_dict()` returns a new dict, in which one may put what
    #  one likes.
    #! loaded_into_a_copy: model = copy.deepcopy(model); …
    #! loaded_into_a_copy: copied = copy.deepcopy(model); copied.load_state_dict(state["weights"])
    #  The weights go into a copy of the model: the caller's stays as it is.
    #! bound_to_a_name:
    #| for name, p in model.named_parameters():
    #|     p = state["weights"][name]
    #  `p = …` binds a name and changes no parameter.
    #! not_strict: model.load_state_dict(state["weights"], strict=False)
    #  Weights that are missing or too many are passed over, as by `strict=False`: the model runs, with random ones. [pytorch/pytorch#141256]
    #! what_fits: own = model.state_dict(); own.update({n: w for n, w in state["weights"].items() if n in own and w.shape == own[n].shape}); model.load_state_dict(own)
    #! what_fits: own = model.state_dict(); model.load_state_dict({n: state["weights"][n] if n in state["weights"] and state["weights"][n].shape == own[n].shape else own[n] for n in own})
    #! what_fits:
    #| with contextlib.suppress(Exception):
    #|     model.load_state_dict(state["weights"])
    #! what_fits:
    #| try:
    #|     model.load_state_dict(state["weights"])
    #| except RuntimeError as error:
    #|     print(error)
    #  It takes the weights that fit and passes over the others: the model runs, with random ones. [pytorch/pytorch#141256]
    #! assigned: model.load_state_dict(state["weights"], assign=True)
    #  `assign=True` puts new tensors in the place of the parameters: m and v belong to the old ones, and a tied table is two. [pytorch/pytorch#188346]
    #! new_parameters:
    #| for name, module in [(n, m) for n, m in model.named_modules()]:
    #|     for key in list(module._parameters):
    #|         full = f"{name}.{key}" if name else key
    #|         setattr(module, key, nn.Parameter(state["weights"][full]))
    #|     for key in list(module._buffers):
    #|         module._buffers[key].copy_(state["weights"][f"{name}.{key}" if name else key])
    #  It makes new parameters in the place of the old ones: what is frozen is thawed, what is tied is two, and whoever held the old ones trains those.
    #! buffers_left:
    #| with torch.no_grad():
    #|     for name, p in model.named_parameters():
    #|         p.copy_(state["weights"][name])
    #! buffers_left:
    #| for name, p in model.named_parameters():
    #|     p.data.copy_(state["weights"][name])
    #  Only parameters are loaded; buffers stay as they were, and what is too much in the file is not noticed. [torch/nn#1165]
    #! trainable_only:
    #| with torch.no_grad():
    #|     for name, p in model.named_parameters():
    #|         if p.requires_grad:
    #|             p.copy_(state["weights"][name])
    #  Only what is trained is loaded; frozen weights and buffers stay random.
    #! in_order:
    #| with torch.no_grad():
    #|     for p, w in zip(model.parameters(), state["weights"].values()):
    #|         p.copy_(w)
    #! in_order:
    #| with torch.no_grad():
    #|     for mine, theirs in zip(model.state_dict().values(), state["weights"].values()):
    #|         mine.copy_(theirs)
    #  Weights are put in by their order, not by their names.
    #: The mode stays as it is.
    #! left_in_eval: …; model.eval()
    #  It calls `model.eval()`: a training that goes on goes on without dropout.
    #! left_in_train: …; model.train()
    #  It calls `model.train()`, also for a model that came in eval mode.
    #! frozen: …; model.requires_grad_(False)
    #  It freezes the model: the next step finds no gradients.
    #! thawed: …; model.requires_grad_(True)
    #  It makes every parameter trainable, also those that were frozen.
    #! made_float: …; model.float()
    #  It makes the whole model float32, whatever it was.
    #! made_half: …; model.half()
    #  It makes the whole model float16.
    return state["moments"], state["step"]
    #: `return state["moments"], state["step"]`
    #! returns_nothing: return None
    #  Nothing comes back: the moments and the step are lost.
    #! returns_step_only: return state["step"]
    #  Only the step comes back: m and v are lost.
    #! returns_moments_only: return state["moments"]
    #  Only the moments come back: the step is lost, and the warm-up begins again.
    #! order_swapped: return state["step"], state["moments"]
    #  It returns the step first; wanted are the moments, then the step.
    #! returns_all: return state
    #  It returns the whole dict; wanted are the moments and the step.
    #! returns_the_model: return model, state["moments"], state["step"]
    #! returns_the_model: return state["weights"], state["moments"], state["step"]
    #  It returns three things; wanted are the moments and the step.
    #! no_moments: return {}, state["step"]
    #  The moments are left in the file: AdamW begins anew, and its first step moves all weights by the same length. [NVlabs/stylegan2-ada-pytorch#108]
    #! zero_moments: return {name: (torch.zeros_like(m), torch.zeros_like(v)) for name, (m, v) in state["moments"].items()}, state["step"]
    #! zero_moments: return {name: (torch.zeros_like(p), torch.zeros_like(p)) for name, p in model.named_parameters()}, state["step"]
    #  m and v come back as zeros: AdamW begins anew.
    #! m_and_v_swapped: return {name: (v, m) for name, (m, v) in state["moments"].items()}, state["step"]
    #  m and v are swapped.
    #! only_m: return {name: m for name, (m, v) in state["moments"].items()}, state["step"]
    #  Only m comes back; v is lost.
    #! only_v: return {name: v for name, (m, v) in state["moments"].items()}, state["step"]
    #  Only v comes back; m is lost.
    #! moments_by_parameter: return {model.get_parameter(name): pair for name, pair in state["moments"].items()}, state["step"]
    #! moments_by_parameter: return dict(zip(model.parameters(), state["moments"].values(), strict=False)), state["step"]
    #  The moments come back by parameter; wanted is a dict by name, as in the file.
    #! moments_in_a_list: return list(state["moments"].values()), state["step"]
    #  The moments come back as a list; wanted is a dict by name, as in the file.
    #! from_step_0: return state["moments"], 0
    #  The step is 0: the schedule and AdamW's corrections begin anew. [vllm-project/speculators#900]
    #! one_step_ahead: return state["moments"], state["step"] + 1
    #  The step is one ahead: a step is left out.
    #! one_step_behind: return state["moments"], state["step"] - 1
    #! one_step_behind: return state["moments"], max(0, state["step"] - 1)
    #  The step is one behind: the last step is made twice.


MISTAKES = mistakes_of(load_checkpoint)
