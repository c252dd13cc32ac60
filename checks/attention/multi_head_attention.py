"""Lab 04, 4.6: what is tried on MultiHeadAttention."""

from typing import Any

import torch
from torch import Tensor, nn

from checks.attention.merge_heads import reference as merge_heads
from checks.attention.multi_head_attention_wrong import MISTAKES
from checks.attention.shared import average
from checks.attention.split_heads import reference as split_heads
from checks.engine import (
    GRADIENTS_FLOW,
    HALF_PRECISION,
    SAME_DEVICE,
    Check,
    Inputs,
    Probe,
    Wrong,
    agrees,
)
from checks.engine.attention_probes import HALF, LEAK, believed, causal, near
from checks.engine.devices import pretended_device

NAMES = ("wq", "wk", "wv", "wo")
WEIGHTS, BIASES = ({f"{name}.{kind}" for name in NAMES} for kind in ("weight", "bias"))
CAUSAL = "Causal self-attention with H heads and rotary positions."
MAPS = "Four linear maps without bias, wq, wk, wv and wo, each dim → dim."
SHAPES = "x: (B, T, dim), angles: (T, d/2) → (B, T, dim)."
ROTATED = "Queries and keys are rotated by their positions in every head"
FAR = (
    "In half precision it goes wrong where angles are large: bfloat16 has steps of 4 at 1000, so "
    "that neighbours get the same angle. Hand the angles to apply_rope as they are, in float32."
)


class Reference(nn.Module):
    """Causal self-attention, one step after the other."""

    def __init__(self, dim: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.wq = nn.Linear(dim, dim, bias=False)
        self.wk = nn.Linear(dim, dim, bias=False)
        self.wv = nn.Linear(dim, dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        """x: (B, T, dim), angles: (T, d/2) → (B, T, dim)."""
        q, k, v = (split_heads(w(x), self.n_heads) for w in (self.wq, self.wk, self.wv))
        q, k = (rotated(y.double(), angles.double()).to(y.dtype) for y in (q, k))
        mask = causal(x.shape[1], x.shape[1]).to(x.device)
        return self.wo(merge_heads(average(q, k, v, mask)))


def rotated(x: Tensor, angles: Tensor) -> Tensor:
    """RoPE. x: (..., T, d), angles: (T, d/2) → (..., T, d); pairs (2i, 2i+1)."""
    even, odd = x[..., 0::2], x[..., 1::2]
    cos, sin = angles.cos(), angles.sin()
    pairs = torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1)
    return pairs.reshape(x.shape)


def made(answer: Any, dim: int, heads: int) -> Any:
    """A new module whose parameters are those wanted; a bias has a row of its own."""
    module = answer(dim, heads)
    sizes = {dim // heads: "d", dim: "dim", 3 * dim: "3·dim"}
    found = {
        name: f"({', '.join(sizes.get(size, 'another size') for size in value.shape)})"
        for name, value in module.named_parameters()
        if name not in BIASES
    }
    by_map: dict[int, list[str]] = {}
    for name, value in module.named_parameters(remove_duplicate=False):
        by_map.setdefault(id(value), []).append(name.partition(".")[0])
    for names in by_map.values():
        if len(names) > 1:
            raise Wrong(f"{' and '.join(names)} are one and the same map. Four are wanted.")
    if found.keys() == WEIGHTS and set(found.values()) == {"(dim, dim)"}:
        return module
    kinds = {name.removesuffix(".weight").endswith("_proj") for name in found}
    others = {name.partition(".")[0] for name in found}.isdisjoint(NAMES)
    if list(found.values()) == ["(dim, dim)"] * 4 and others and len(kinds) == 1:
        other = "q_proj, k_proj, …" if kinds.pop() else "otherwise"
        raise Wrong(f"its four maps are called {other}; expected: wq, wk, wv and wo.")
    written = ", ".join(f"`{name}` {shape}" for name, shape in sorted(found.items())) or "none"
    raise Wrong(
        f"its parameters are {written}; expected: `wq.weight`, `wk.weight`, `wv.weight` and "
        "`wo.weight`, each (dim, dim)."
    )


def loaded(module: Any, weights: list[Tensor]) -> Any:
    """Give a module its weights. A bias is set to zero."""
    with torch.no_grad():
        for name, value in module.named_parameters():
            value.copy_(weights[NAMES.index(name[:2])] if name in WEIGHTS else 0 * value)
    return module


def module_and_input(
    answer: Any, inputs: Inputs, batch: int, length: int, heads: int, d: int
) -> tuple[Any, Tensor, Tensor]:
    """A loaded module, x (B, T, H·d) and angles (T, d/2); the weights make attention not flat."""
    dim = heads * d
    weights = [inputs.randn(dim, dim) * s / dim**0.5 for s in (1.5, 1.5, 1.0, 1.0)]
    module = loaded(made(answer, dim, heads), weights)
    angles = inputs.uniform(length, d // 2, low=-3.0, high=3.0)
    return module, inputs.randn(batch, length, dim), angles


def new_module(answer: Any, inputs: Inputs) -> None:
    """Look at the parameters of a new module."""
    module = made(answer, 12, 3)
    biased = [name for name, _ in module.named_parameters() if name in BIASES]
    if biased == ["wo.bias"]:
        raise Wrong("wo has a bias. It is `nn.Linear(dim, dim, bias=False)`.")
    if biased:
        raise Wrong("there are maps with a bias. All four are `nn.Linear(dim, dim, bias=False)`.")


def worked(answer: Any, inputs: Inputs) -> Tensor:
    """Identity weights and a second token that is zero: it averages what it sees."""
    module = loaded(made(answer, 4, 2), [torch.eye(4)] * 4)
    return module(torch.tensor([[[4.0, 8, 0, 2], [0, 0, 0, 0]]]), torch.zeros(2, 1))


def small(answer: Any, inputs: Inputs) -> Tensor:
    """Two sentences of five tokens, three heads of size 4: all sizes differ."""
    module, x, angles = module_and_input(answer, inputs, 2, 5, 3, 4)
    return module(x, angles)


def unrotated(answer: Any, inputs: Inputs) -> Tensor:
    """The same with angles of 0: what is wrong with the rotation does not show."""
    module, x, angles = module_and_input(answer, inputs, 2, 5, 3, 4)
    return module(x, 0 * angles)


def sizes(answer: Any, inputs: Inputs) -> list[Tensor]:
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


def learns(answer: Any, inputs: Inputs) -> list[bool]:
    """Look whether a new layer's weights want gradients, and whether any of them gets one."""
    module = made(answer, 12, 3)
    wanted = all(weight.requires_grad for weight in module.parameters())
    out = module(inputs.randn(1, 2, 12).requires_grad_(), torch.zeros(2, 2))
    if out.requires_grad:
        out.square().sum().backward()
    grads = [weight.grad for weight in module.parameters() if weight.grad is not None]
    return [wanted, any(bool((grad != 0).any()) for grad in grads)]


def gradients(answer: Any, inputs: Inputs) -> list[Tensor | None]:
    """Look at the gradients that arrive at the input and at the four weights."""
    module, x, angles = module_and_input(answer, inputs, 2, 3, 2, 4)
    x.requires_grad_()
    out = module(x, angles)
    if not out.requires_grad:
        return [None]
    (out * torch.linspace(0.5, 1.5, out.numel()).view_as(out)).sum().backward()
    return [x.grad, *(getattr(module, name).weight.grad for name in NAMES)]


def in_half(answer: Any, inputs: Inputs) -> list:
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


def elsewhere(answer: Any, inputs: Inputs) -> str:
    """Move a module and its input to another device; its plain tensors stay where they were."""
    x, angles = inputs.randn(1, 2, 4), inputs.randn(2, 1)
    with pretended_device() as device:
        module = loaded(made(answer, 4, 2), [torch.eye(4)] * 4)
        device.take([*module.parameters(), *module.buffers()])
        out = module(x, angles)
    stays = isinstance(out, Tensor) and not device.holds(out)
    return "mixed devices" if device.mixed or stays else "one device"


MultiHeadAttention = Check(
    exercise="4.6",
    name="MultiHeadAttention",
    weight=3,
    reference=Reference,
    technique=[
        Probe("a new module: wq, wk, wv, wo, without bias", new_module, promise=MAPS),
        Probe("worked example: identity weights", worked, promise="MultiHeadAttention(4, 2)"),
        Probe("values with loaded weights, all angles 0", unrotated, promise=SHAPES),
        Probe("values with loaded weights, rotated", small, promise=ROTATED),
        Probe("four more sizes", sizes, promise=SHAPES),
        Probe(
            "the future is hidden: change a token, the earlier ones stay",
            future_changed,
            LEAK,
            promise=CAUSAL,
        ),
        Probe(
            "the sentences of a batch stay apart",
            sentences_apart,
            "The first sentence of a batch was changed, and the second one moved.",
            promise=SHAPES,
        ),
        Probe(
            "only distances count: move the sentence, nothing changes",
            shifted_positions,
            "When all positions grow by the same number, the output must stay; when the distances "
            "change, it must not. Are both queries and keys rotated, and nothing else?",
            promise=ROTATED,
        ),
        Probe("several calls of different lengths", several_calls, promise=SHAPES),
        Probe("a second layer beside it, and eval mode", two_layers, promise=CAUSAL),
        Probe("twenty tokens", long_text, promise=SHAPES),
        Probe("inputs 300 times larger, scores of ±100000", large_inputs, promise=CAUSAL),
    ],
    ready=[
        Probe(
            "a new layer can learn",
            learns,
            "The weights of a new layer get no gradient, or all of them are zero. It would never "
            "learn.",
            promise=GRADIENTS_FLOW,
        ),
        Probe(
            "gradients reach the input and all four weights",
            gradients,
            "No gradient, or a wrong one, arrives at the input, wq, wk, wv or wo.",
            promise=GRADIENTS_FLOW,
        ),
        Probe("float16 and bfloat16", in_half, HALF, inexact=True, promise=HALF_PRECISION),
        Probe(
            "bfloat16, far into a text: angles of 1000",
            far_in_half,
            FAR,
            inexact=True,
            promise=HALF_PRECISION,
        ),
        Probe(
            "works on the device of its input",
            elsewhere,
            "A tensor made in the module stays on the CPU when x is on a GPU. The mask? "
            "`causal_mask(T, T).to(x.device)`",
            promise=SAME_DEVICE,
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "Which of the three, queries, keys and values, need heads? Which need positions?",
        "Project, split, rotate q and k, attend with the causal mask, merge, wo.",
        "`q = apply_rope(split_heads(self.wq(x), self.n_heads), angles)`, k likewise, v without "
        "apply_rope; `return self.wo(merge_heads(attention(q, k, v, mask)))`.",
    ),
)
