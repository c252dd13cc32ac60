"""Lab 04: causal_mask, attention_weights, attention, the heads, MultiHeadAttention."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine import (
    Check,
    Inputs,
    Probe,
    Wrong,
    agrees,
    error_of,
    expect_parameters,
    gradients,
    load,
    values,
)
from checks.engine.answer import Crash
from checks.engine.devices import one_device, pretended_device
from checks.mistakes import attention as mistakes
from checks.mistakes import attention_heads as mistakes_of_heads
from checks.mistakes import attention_mask as mistakes_of_mask
from checks.mistakes import attention_module as mistakes_of_module
from checks.reference import attention as reference

Draw = Callable[[Inputs], tuple]

LEAK = (
    "A later token was changed, and an earlier one moved. A language model that sees the token "
    "it has to predict learns to copy, and nothing else."
)
HALF = (
    "In half precision the result is far off or has another dtype. Compute scores and softmax in "
    "float32 (`q.float()`) and go back to the input's dtype at the end."
)
ROOM = 0.05  # of the largest number: rounding in half precision on the way, and nothing worse


def causal(n_queries: int, n_keys: int) -> Tensor:
    """The mask of a chunk at the end of a text: (T, S) bool."""
    return torch.ones(n_queries, n_keys, dtype=torch.bool).tril(n_keys - n_queries)


def some_mask(inputs: Inputs, *shape: int) -> Tensor:
    """A mask without any order in which every query may look at one key at least."""
    mask = inputs.uniform(*shape) < 0.5
    return mask | (torch.arange(shape[-1]) == inputs.integers(*shape[:-1], 1, high=shape[-1]))


def qk(inputs: Inputs, *lead: int, t: int, s: int, d: int, scale: float = 1.0) -> tuple:
    """Queries and keys: (*lead, T, d), (*lead, S, d)."""
    return inputs.randn(*lead, t, d) * scale, inputs.randn(*lead, s, d) * scale


def qkv(inputs: Inputs, *lead: int, t: int, s: int, d: int, scale: float = 1.0) -> tuple:
    """Queries, keys and values."""
    return *qk(inputs, *lead, t=t, s=s, d=d, scale=scale), inputs.randn(*lead, s, d)


def huge(inputs: Inputs) -> tuple[Tensor, Tensor, Tensor]:
    """Scores from -30000 to 30000, nearly always the largest hidden: queries, keys, mask."""
    q = torch.tensor([[1.0], [0.9], [0.5], [-1.0], [0.8], [0.3]]) * torch.tensor([200.0, 0, 0, 0])
    k = torch.tensor([-1.0, -0.6, -0.59, 0.2, 0.201, 1.0])[:, None] * torch.tensor([300.0, 0, 0, 0])
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


def in_half(draw: Draw, title: str) -> Probe:
    """Compare float16 and bfloat16 with the same inputs in float32, with room for rounding."""

    def run(answer: Any, inputs: Inputs) -> list:
        seen: list = []
        for dtype in (torch.float16, torch.bfloat16):
            args = [v.to(dtype) if v.is_floating_point() else v for v in draw(inputs)]
            exact = answer(*(v.float() if v.is_floating_point() else v for v in args))
            got = believed(lambda args=args: answer(*args))
            if not isinstance(got, Tensor):
                return [got]
            seen += [got.flatten()[:0], near(got, exact)]
        return seen

    return Probe(title, run, fails=HALF)


def believed(call: Callable[[], Any]) -> Any:
    """Call, and say in our own words that a number does not fit into float16."""
    try:
        return call()
    except Crash as crash:
        if "overflow" in str(crash):
            raise Wrong(
                "a number on the way does not fit into float16, whose range ends at ±65504. Was "
                "a mask filled with something like -1e9?"
            ) from crash
        raise


def near(got: Tensor, exact: Tensor) -> bool:
    """Tell whether half precision gave the numbers of float32 up to its rounding."""
    far = (got.float() - exact).abs().max()
    return got.shape == exact.shape and bool(far <= ROOM * exact.abs().max())


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
    for batch, length, heads, d in ((2, 5, 3, 4), (1, 7, 1, 6), (3, 3, 2, 8), (1, 1, 5, 2)):
        module, x, angles = module_and_input(answer, inputs, batch, length, heads, d)
        seen.append(module(x, angles))
    return seen


def future_changed(answer: Any, inputs: Inputs) -> list[bool]:
    """Change one token after the other: those before it stay, it moves itself."""
    module, x, angles = module_and_input(answer, inputs, 1, 4, 2, 4)
    before, seen = module(x, angles), []
    for token in range(1, 4):
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
    """Call one module with 2, 4 and 4 tokens: no call may leave something behind."""
    module, x, angles = module_and_input(answer, inputs, 1, 4, 2, 4)
    return [module(x[:, :t], angles[:t]) for t in (2, 4, 4)]


def large_inputs(answer: Any, inputs: Inputs) -> Tensor:
    """Scores in the thousands."""
    module, x, angles = module_and_input(answer, inputs, 1, 5, 2, 4)
    return module(100 * x, angles)


def module_gradients(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Look at the gradients that arrive at the input and at the four weights."""
    module, x, angles = module_and_input(answer, inputs, 2, 3, 2, 4)
    x.requires_grad_()
    out = module(x, angles)
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


def module_elsewhere(answer: Any, inputs: Inputs) -> str:
    """Move a module and its input to another device."""
    x, angles = inputs.randn(1, 2, 4), inputs.randn(2, 1)
    with pretended_device() as device:
        module = answer(4, 2)
        device.take([*module.parameters(), *module.buffers()])
        out = module(x, angles)
    stays = isinstance(out, Tensor) and not device.holds(out)
    return "mixed devices" if device.mixed or stays else "one device"


causal_mask = Check(
    exercise="4.1",
    name="causal_mask",
    reference=reference.causal_mask,
    probes=[
        values(lambda inputs: (2, 3), title="worked example"),
        values(
            lambda inputs: (4, 4),
            lambda inputs: (3, 7),
            lambda inputs: (1, 1),
            lambda inputs: (1, 6),
            lambda inputs: (6, 8),
            title="as many queries as keys, fewer, a single one",
        ),
        Probe(
            "more queries than keys: ValueError",
            too_many_queries,
            "With more queries than keys the first rows would see nothing. The docstring promises "
            "a ValueError.",
        ),
    ],
    mistakes=mistakes_of_mask.CAUSAL_MASK,
    hints=(
        "At which position does the first of the T queries stand, when the last stands at S - 1?",
        "Row t stands at position S - T + t. It may look at every key that does not come later.",
        "`torch.arange(n_keys) <= torch.arange(n_keys - n_queries, n_keys)[:, None]`",
    ),
)

attention_weights = Check(
    exercise="4.2",
    name="attention_weights",
    points=2,
    reference=reference.attention_weights,
    probes=[
        values(
            lambda inputs: (
                torch.tensor([[2.0, 0, 0, 0]]),
                torch.tensor([[0.0, 0, 0, 0], [math.log(3), 0, 0, 0]]),
            ),
            title="worked example",
        ),
        values(lambda inputs: qk(inputs, 2, t=3, s=4, d=5), title="values on a random input"),
        values(
            lambda inputs: (*qk(inputs, 2, t=3, s=4, d=5), some_mask(inputs, 3, 4)),
            title="values with a random mask",
        ),
        values(
            lambda inputs: qk(inputs, 2, 3, t=4, s=5, d=4),
            lambda inputs: qk(inputs, t=4, s=3, d=9, scale=0.7),
            lambda inputs: qk(inputs, 2, t=6, s=6, d=5, scale=1.3),
            lambda inputs: qk(inputs, 3, 2, t=1, s=5, d=6),
            title="four more sizes, no mask",
        ),
        values(
            lambda inputs: (*qk(inputs, 2, 3, t=4, s=4, d=5), causal(4, 4)),
            lambda inputs: (*qk(inputs, 2, 3, t=3, s=7, d=4), causal(3, 7)),
            lambda inputs: (*qk(inputs, 2, 3, t=4, s=5, d=2), some_mask(inputs, 2, 1, 1, 5)),
            lambda inputs: (*qk(inputs, 2, 3, t=4, s=5, d=2), some_mask(inputs, 2, 1, 4, 5)),
            title="masks: causal, of a chunk, one for each sentence",
        ),
        Probe(
            "rows sum to 1, and hidden keys get exactly 0",
            hidden_is_zero,
            "A row of weights has to sum to 1, and the weight of a hidden key has to be exactly 0.",
        ),
        values(
            huge,
            lambda inputs: huge(inputs)[:2],
            title="scores of ±30000, the largest hidden",
        ),
        gradients(lambda inputs: (*qk(inputs, 2, t=3, s=4, d=5), some_mask(inputs, 3, 4))),
        in_half(lambda inputs: steep(inputs, 2, 4, 6), "float16 and bfloat16, scores up to 13"),
        in_half(
            lambda inputs: (*qk(inputs, 2, 3, t=3, s=5, d=4), causal(3, 5)),
            "float16 and bfloat16, with a mask",
        ),
        one_device(lambda inputs: (*qk(inputs, 2, t=3, s=4, d=5), causal(3, 4))),
    ],
    mistakes=mistakes.WEIGHTS,
    hints=(
        "A query is compared with every key: which matrix product gives all T × S dot products?",
        "Scores q @ kᵀ / sqrt(d); -inf where the mask is False; softmax over the last dimension.",
        "`scores = q.float() @ k.float().transpose(-2, -1) / math.sqrt(q.shape[-1])`, then "
        "`scores.masked_fill(~mask, -torch.inf)` unless mask is None, then "
        "`torch.softmax(scores, dim=-1).to(q.dtype)`.",
    ),
)

attention = Check(
    exercise="4.3",
    name="attention",
    reference=reference.attention,
    probes=[
        values(
            lambda inputs: (
                torch.tensor([[2.0, 0, 0, 0]]),
                torch.tensor([[0.0, 0, 0, 0], [math.log(3), 0, 0, 0]]),
                torch.tensor([[4.0, 0, 0, 0], [8.0, 4, 0, 0]]),
            ),
            title="worked example",
        ),
        values(lambda inputs: qkv(inputs, 2, t=3, s=4, d=5), title="values on a random input"),
        values(
            lambda inputs: (*qkv(inputs, 2, t=3, s=4, d=5), some_mask(inputs, 3, 4)),
            title="values with a random mask",
        ),
        values(
            lambda inputs: qkv(inputs, 2, 3, t=4, s=5, d=4),
            lambda inputs: qkv(inputs, t=4, s=3, d=9),
            lambda inputs: qkv(inputs, 2, t=6, s=6, d=5),
            lambda inputs: qkv(inputs, 3, 2, t=1, s=5, d=6),
            title="four more sizes, no mask",
        ),
        values(
            lambda inputs: (*qkv(inputs, 2, 3, t=4, s=4, d=5), causal(4, 4)),
            lambda inputs: (*qkv(inputs, 2, 3, t=3, s=7, d=4), causal(3, 7)),
            lambda inputs: (*qkv(inputs, 2, 3, t=4, s=5, d=2), some_mask(inputs, 2, 1, 4, 5)),
            title="masks: causal, of a chunk, one for each sentence",
        ),
        Probe(
            "huge values that are hidden, values that are positions, equal values",
            values_of_hidden,
            "The averages are wrong. Hidden values must not count at all, and when all values are "
            "equal their average is that value.",
        ),
        values(
            lambda inputs: (*huge(inputs)[:2], inputs.randn(6, 4), huge(inputs)[2]),
            title="scores of ±30000, the largest hidden",
        ),
        gradients(lambda inputs: (*qkv(inputs, 2, t=3, s=4, d=5), some_mask(inputs, 3, 4))),
        in_half(
            lambda inputs: (*steep(inputs, 2, 4, 6), inputs.randn(2, 4, 6)),
            "float16 and bfloat16, scores up to 13",
        ),
        in_half(
            lambda inputs: (*qkv(inputs, 2, 3, t=3, s=5, d=4), causal(3, 5)),
            "float16 and bfloat16, with a mask",
        ),
        one_device(lambda inputs: (*qkv(inputs, 2, t=3, s=4, d=5), causal(3, 4))),
    ],
    mistakes=mistakes.ATTENTION,
    hints=(
        "The weights of a row sum to 1. What does a row of weights make of the rows of v?",
        "A weighted average is a matrix product: (…, T, S) @ (…, S, d).",
        "`return attention_weights(q, k, mask) @ v`",
    ),
)

split_heads = Check(
    exercise="4.4",
    name="split_heads",
    reference=reference.split_heads,
    probes=[
        values(lambda inputs: (torch.arange(8).reshape(1, 2, 4), 2), title="worked example"),
        values(
            lambda inputs: (inputs.randn(2, 5, 12), 3),
            lambda inputs: (inputs.randn(3, 4, 8), 4),
            lambda inputs: (inputs.randn(1, 7, 6), 6),
            lambda inputs: (inputs.randn(2, 3, 10), 1),
            lambda inputs: (inputs.randn(4, 1, 6), 2),
            lambda inputs: (inputs.randn(3, 3, 9), 3),
            title="shape and values on six random inputs",
        ),
        values(
            lambda inputs: (inputs.randn(2, 3, 4).half(), 2),
            lambda inputs: (inputs.integers(2, 3, 6), 3),
            title="float16 and integers stay what they are",
        ),
        gradients(lambda inputs: (inputs.randn(2, 3, 6), 3)),
    ],
    mistakes=mistakes_of_heads.SPLIT,
    hints=(
        "In memory the D features of one position are neighbours. Which of them belong to head 0?",
        "Cut the last dimension into two, H and d; then let H and T change places.",
        "`x.reshape(B, T, n_heads, D // n_heads).transpose(1, 2)`",
    ),
)

merge_heads = Check(
    exercise="4.5",
    name="merge_heads",
    reference=reference.merge_heads,
    probes=[
        values(
            lambda inputs: (torch.tensor([[[[0, 1], [4, 5]], [[2, 3], [6, 7]]]]),),
            title="worked example",
        ),
        values(
            lambda inputs: (inputs.randn(2, 3, 5, 4),),
            lambda inputs: (inputs.randn(3, 4, 2, 6),),
            lambda inputs: (inputs.randn(1, 5, 7, 2),),
            lambda inputs: (inputs.randn(2, 1, 3, 4),),
            lambda inputs: (inputs.randn(4, 2, 1, 6),),
            lambda inputs: (inputs.randn(3, 3, 3, 3),),
            title="shape and values on six random inputs",
        ),
        values(
            lambda inputs: (inputs.randn(2, 5, 3, 4).transpose(1, 2),),
            lambda inputs: (inputs.randn(2, 3, 4, 5).transpose(2, 3),),
            title="what split_heads returns: transposed, not contiguous",
        ),
        values(
            lambda inputs: (inputs.randn(2, 3, 5, 4).half(),),
            lambda inputs: (inputs.integers(2, 3, 5, 4),),
            title="float16 and integers stay what they are",
        ),
        gradients(lambda inputs: (inputs.randn(2, 3, 4, 2),)),
    ],
    mistakes=mistakes_of_heads.MERGE,
    hints=(
        "Which two dimensions have to be neighbours before they can become one?",
        "Let H and T change places, (B, T, H, d); then the last two become one.",
        "`x.transpose(1, 2).reshape(B, T, H * d)`; `.view` would need `.contiguous()` first.",
    ),
)

MultiHeadAttention = Check(
    exercise="4.6",
    name="MultiHeadAttention",
    points=3,
    reference=reference.MultiHeadAttention,
    probes=[
        Probe("a new module: wq, wk, wv, wo, without bias", new_module),
        Probe("worked example: identity weights", worked_module),
        Probe("values with loaded weights", small_module),
        Probe("four more sizes", loaded_module),
        Probe("the future is hidden: change a token, the earlier ones stay", future_changed, LEAK),
        Probe(
            "the sentences of a batch do not see each other",
            sentences_apart,
            "The first sentence of a batch was changed, and the second one moved.",
        ),
        Probe(
            "only distances count: move the sentence, nothing changes",
            shifted_positions,
            "When all positions grow by the same number, the output must stay; when the distances "
            "change, it must not. Are both queries and keys rotated, and nothing else?",
        ),
        Probe("several calls of different lengths", several_calls),
        Probe("inputs a hundred times larger, scores in the thousands", large_inputs),
        Probe(
            "gradients reach the input and all four weights",
            module_gradients,
            "No gradient, or a wrong one, arrives at the input, wq, wk, wv or wo.",
        ),
        Probe("float16 and bfloat16", module_in_half, HALF),
        Probe(
            "works on the device of its input",
            module_elsewhere,
            "A tensor made in the module stays on the CPU when x is on a GPU. The mask? "
            "`causal_mask(T, T).to(x.device)`",
        ),
    ],
    mistakes=mistakes_of_module.MODULE,
    hints=(
        "Which of the three, queries, keys and values, need heads? Which need positions?",
        "Project, split, rotate q and k, attend with the causal mask, merge, wo.",
        "`q = apply_rope(split_heads(self.wq(x), self.n_heads), angles)`, k likewise, v without "
        "apply_rope; `return self.wo(merge_heads(attention(q, k, v, mask)))`.",
    ),
)
