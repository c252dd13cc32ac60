"""Lab 04: what its checks try."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine import Inputs, agrees, error_of, expect_parameters, load
from checks.engine.attention_probes import believed, causal, near, some_mask
from checks.engine.devices import pretended_device

Draw = Callable[[Inputs], tuple]

FAR = (
    "In half precision it goes wrong where angles are large: bfloat16 has steps of 4 at 1000, so "
    "that neighbours get the same angle. Hand the angles to apply_rope as they are, in float32."
)
TOGETHER = "The first sentence of a batch was changed, and the second one moved."


def qk(inputs: Inputs, *lead: int, t: int, s: int, d: int, scale: float = 1.0) -> tuple:
    """Queries and keys: (*lead, T, d), (*lead, S, d)."""
    return inputs.randn(*lead, t, d) * scale, inputs.randn(*lead, s, d) * scale


def qkv(inputs: Inputs, *lead: int, t: int, s: int, d: int, scale: float = 1.0) -> tuple:
    """Queries, keys and values."""
    return *qk(inputs, *lead, t=t, s=s, d=d, scale=scale), inputs.randn(*lead, s, d)


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


def hidden_is_zero(answer: Any, inputs: Inputs) -> list[bool]:
    """Look whether rows sum to 1, and whether what is hidden has weight exactly 0."""
    q, k = qk(inputs, 2, 3, t=5, s=7, d=4)
    mask = some_mask(inputs, 5, 7)
    weights = answer(q, k, mask)
    rows = agrees(weights.sum(-1), torch.ones(2, 3, 5))
    return [rows, bool((weights[..., ~mask] == 0).all())]


def values_of_hidden(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Put huge values where nothing may look, and give each position its number as value."""
    q, k, v = qkv(inputs, 2, t=4, s=6, d=6)
    mask = causal(4, 6) & (torch.arange(6) != 1)
    poisoned = v.clone()
    poisoned[:, 1] = 1e9
    positions = torch.arange(6.0)[:, None].expand(2, 6, 6)
    return [answer(q, k, poisoned, mask), answer(q, k, positions, mask), answer(q, k, 0 * v + 7)]


def too_many_queries(answer: Any, inputs: Inputs) -> list[str | None]:
    """Ask for rows that would see nothing."""
    return [error_of(lambda: answer(3, 2)), error_of(lambda: answer(6, 1))]


# The module


def weights_of(inputs: Inputs, dim: int) -> dict[str, Tensor]:
    """Weights for wq, wk, wv and wo: each (dim, dim), so large that attention is not flat."""
    return {
        f"{name}.weight": inputs.randn(dim, dim) * (1.5 if name in ("wq", "wk") else 1.0) / dim**0.5
        for name in ("wq", "wk", "wv", "wo")
    }


def module_and_input(
    answer: Any, inputs: Inputs, batch: int, length: int, heads: int, d: int
) -> tuple[Any, Tensor, Tensor]:
    """A loaded module, x (B, T, H·d) and angles (T, d/2)."""
    module = load(answer(heads * d, heads), weights_of(inputs, heads * d))
    angles = inputs.uniform(length, d // 2, low=-3.0, high=3.0)
    return module, inputs.randn(batch, length, heads * d), angles


def new_module(answer: Any, inputs: Inputs) -> list:
    """Look at the parameters of a new module, and whether it does anything."""
    module = answer(12, 3)
    expected = {f"{name}.weight": torch.zeros(12, 12) for name in ("wq", "wk", "wv", "wo")}
    expect_parameters(module, expected)
    out = module(inputs.randn(1, 2, 12), torch.zeros(2, 2))
    learns = [weight.requires_grad for weight in module.parameters()]
    return [learns, bool((out != 0).any())]


def worked_module(answer: Any, inputs: Inputs) -> Tensor:
    """Identity weights and a second token that is zero: it averages what it sees."""
    names = ("wq.weight", "wk.weight", "wv.weight", "wo.weight")
    module = load(answer(4, 2), {name: torch.eye(4) for name in names})
    return module(torch.tensor([[[4.0, 8, 0, 2], [0, 0, 0, 0]]]), torch.zeros(2, 1))


def small_module(answer: Any, inputs: Inputs) -> Tensor:
    """Two sentences of three tokens, two heads of size 4."""
    module, x, angles = module_and_input(answer, inputs, 2, 3, 2, 4)
    return module(x, angles)


def loaded_module(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Compare outputs for several sizes, each of them by a module of its own."""
    seen = []
    for batch, length, heads, d in ((2, 4, 3, 2), (1, 5, 1, 6), (3, 2, 2, 8), (1, 1, 5, 2)):
        module, x, angles = module_and_input(answer, inputs, batch, length, heads, d)
        seen.append(module(x, angles))
    return seen


def future_changed(answer: Any, inputs: Inputs) -> list[bool]:
    """Change one token after the other: those before it stay, it moves itself."""
    module, x, angles = module_and_input(answer, inputs, 1, 3, 2, 4)
    before, seen = module(x, angles), []
    for token in range(1, 3):
        other = x.clone()
        other[:, token] += 2
        after = module(other, angles)
        seen += [agrees(after[:, :token], before[:, :token]), agrees(after, before)]
    return seen


def sentences_apart(answer: Any, inputs: Inputs) -> bool:
    """Change the first sentence of a batch, and watch the second."""
    module, x, angles = module_and_input(answer, inputs, 2, 3, 2, 2)
    other = x.clone()
    other[0] += 2
    return agrees(module(other, angles)[1], module(x, angles)[1])


def shifted_positions(answer: Any, inputs: Inputs) -> list[bool]:
    """Move the sentence along: nothing changes. Pull its tokens apart: something does."""
    module, x, _ = module_and_input(answer, inputs, 1, 4, 2, 4)
    steps = torch.arange(4.0)[:, None] * torch.tensor([1.0, 0.3])
    here = module(x, steps)
    moved = agrees(module(x, steps + torch.tensor([0.7, 0.21])), here)
    return [moved, agrees(module(x, 2 * steps), here)]


def several_calls(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Call one module with 1, 2 and 2 tokens: no call may leave something behind."""
    module, x, angles = module_and_input(answer, inputs, 1, 2, 2, 4)
    return [module(x[:, :1], angles[:1]), module(x, angles), module(x.flip(1), angles)]


def two_layers(answer: Any, inputs: Inputs) -> Tensor:
    """Make another layer, with other heads; then call the first one, in eval mode."""
    module, x, angles = module_and_input(answer, inputs, 1, 2, 2, 2)
    answer(4, 1)
    return module.eval()(x, angles)


def long_text(answer: Any, inputs: Inputs) -> Tensor:
    """Run over twenty tokens: a mask of a fixed size may be too small, or a window."""
    module, x, angles = module_and_input(answer, inputs, 1, 20, 1, 2)
    return module(x, angles)


def large_inputs(answer: Any, inputs: Inputs) -> Tensor:
    """Scores of ±100000, in many rows all of them negative."""
    module, x, angles = module_and_input(answer, inputs, 6, 3, 2, 4)
    return module(300 * x, angles)


def module_gradients(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Look at the gradients that arrive at the input and at the four weights."""
    module, x, angles = module_and_input(answer, inputs, 2, 3, 2, 4)
    x.requires_grad_()
    out = module(x, angles)
    if not out.requires_grad:
        return [torch.zeros(0)]
    (out * torch.linspace(0.5, 1.5, out.numel()).view_as(out)).sum().backward()
    weights = [module.wq.weight, module.wk.weight, module.wv.weight, module.wo.weight]
    return [torch.zeros(0) if w.grad is None else w.grad for w in (x, *weights)]


def module_in_half(answer: Any, inputs: Inputs) -> list:
    """Compare a float16 and a bfloat16 module with the same in float32."""
    module, x, angles = module_and_input(answer, inputs, 1, 3, 2, 2)
    exact, seen = module(x, angles), []
    for dtype in (torch.float16, torch.bfloat16):
        half = module.to(dtype)
        got = believed(lambda half=half, dtype=dtype: half(x.to(dtype), angles))
        if not isinstance(got, Tensor):
            return [got]
        seen += [got.flatten()[:0], near(got, exact)]
    return seen


def far_in_half(answer: Any, inputs: Inputs) -> list:
    """Compare bfloat16 with float32 where the angles are those of position 1000."""
    module, x, angles = module_and_input(answer, inputs, 2, 5, 1, 4)
    angles = angles + 1000
    exact = module(x, angles)
    half = module.to(torch.bfloat16)
    got = believed(lambda: half(x.to(torch.bfloat16), angles))
    return [near(got, exact)] if isinstance(got, Tensor) else [got]


def module_elsewhere(answer: Any, inputs: Inputs) -> str:
    """Move a module and its input to another device."""
    x, angles = inputs.randn(1, 2, 4), inputs.randn(2, 1)
    with pretended_device() as device:
        module = answer(4, 2)
        device.take([*module.parameters(), *module.buffers()])
        out = module(x, angles)
    stays = isinstance(out, Tensor) and not device.holds(out)
    return "mixed devices" if device.mixed or stays else "one device"
