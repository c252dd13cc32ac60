"""Lab 07: what people write for swiglu.

Sources are the public issues in which somebody really made the mistake.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from checks.engine import Mistake, in_float32
from checks.swiglu import reference as right
from checks.swiglu.mistakes import CONNECTED, NAN_GRADIENT, OVERFLOW, TINY, TORCH_S

LINE = "`(swish(x @ w_gate.T) * (x @ w_up.T)) @ w_down.T`"


def wrong(key: str, formula: Callable, says: str, hint: str = LINE, source: str = "") -> Mistake:
    """A formula of (x, w_gate, w_up, w_down), computed in float32."""
    return Mistake(key, in_float32(formula), says, hint, source)


def hidden(key: str, units: Callable, says: str, hint: str = LINE, source: str = "") -> Mistake:
    """Other hidden units: a function of the two projections, each (..., F)."""
    return wrong(
        key,
        lambda x, w_gate, w_up, w_down: units(x @ w_gate.mT, x @ w_up.mT) @ w_down.mT,
        says,
        hint,
        source,
    )


def normed(x: Tensor) -> Tensor:
    """Divide by the root mean square."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5)


def unsqueezed(x: Tensor) -> Tensor:
    """Swish in x's own dtype, by its formula."""
    return x / (1 + torch.exp(-x))


SWIGLU = [
    hidden(
        "bracket",
        lambda g, u: F.silu(g * u),
        "A bracket closes too late: swish is taken of the product, not of the gate alone.",
        source="Nijikadesu/breakdown-minimind#3",
    ),
    hidden(
        "silu_on_up",
        lambda g, u: g * F.silu(u),
        "Swish is on the up branch. It belongs to the gate; up goes straight through.",
        source="ml-explore/mlx-lm#767",
    ),
    hidden("silu_on_both", lambda g, u: F.silu(g) * F.silu(u), "Both branches go through swish."),
    hidden(
        "glu",
        lambda g, u: torch.sigmoid(g) * u,
        "The gate is the sigmoid alone. That is GLU; SwiGLU's gate is swish(gate).",
    ),
    hidden("reglu", lambda g, u: F.relu(g) * u, "The gate is a ReLU. That is ReGLU."),
    hidden("geglu", lambda g, u: F.gelu(g) * u, "The gate is a GELU. That is GEGLU, as in Gemma."),
    hidden(
        "bilinear",
        lambda g, u: g * u,
        "There is no swish: the hidden units are the plain product of the two branches.",
    ),
    hidden("tanh_gate", lambda g, u: torch.tanh(g) * u, "The gate is a tanh."),
    hidden(
        "softmax_gate",
        lambda g, u: torch.softmax(g, -1) * u,
        "A softmax lets the gates compete. Each gate stands alone.",
    ),
    hidden("switch", lambda g, u: (g > 0) * u, "The gate is a switch, 0 or 1, with no gradient."),
    hidden(
        "beta_1702",
        lambda g, u: g * torch.sigmoid(1.702 * g) * u,
        "The sigmoid has the 1.702 that imitates GELU. SwiGLU in Llama has β = 1.",
    ),
    hidden(
        "squared_relu",
        lambda g, u: F.relu(g).square() * u,
        "The gate is a squared ReLU, as in Primer.",
    ),
    hidden("sum", lambda g, u: F.silu(g) + u, "The branches are added. A gate multiplies."),
    hidden("subtracts", lambda g, u: F.silu(g) - u, "The branches are subtracted."),
    hidden(
        "no_up",
        lambda g, u: F.silu(g),
        "w_up is not used: that is the classic feed-forward layer with swish, and no gate.",
    ),
    hidden("no_gate", lambda g, u: u, "w_gate is not used: two matrices in a row are one matrix."),
    hidden("gate_twice", lambda g, u: F.silu(g) * g, "w_gate stands where w_up belongs."),
    hidden("up_twice", lambda g, u: F.silu(u) * u, "w_up stands where w_gate belongs."),
    hidden("silu_twice", lambda g, u: F.silu(F.silu(g)) * u, "Swish is applied twice."),
    hidden(
        "silu_at_the_end",
        lambda g, u: F.silu(F.silu(g) * u),
        "A second swish is taken of the product.",
    ),
    hidden(
        "normalises",
        lambda g, u: normed(F.silu(g) * u),
        "The hidden units are normalised. In Llama the norm stands before the layer, once.",
    ),
    hidden(
        "scaled",
        lambda g, u: F.silu(g) * u / math.sqrt(g.shape[-1]),
        "The hidden units are divided by sqrt(F). That belongs to attention's scores.",
    ),
    wrong(
        "input_normalised",
        lambda x, g, u, d: (F.silu(normed(x) @ g.mT) * (normed(x) @ u.mT)) @ d.mT,
        "x is normalised inside. In Llama that is a layer of its own, before this one.",
    ),
    wrong(
        "silu_before",
        lambda x, g, u, d: ((F.silu(x) @ g.mT) * (x @ u.mT)) @ d.mT,
        "Swish is taken of x, before the projection. It bends x @ w_gate.T.",
    ),
    wrong(
        "silu_after_down",
        lambda x, g, u, d: F.silu(((x @ g.mT) * (x @ u.mT)) @ d.mT),
        "Swish is taken of the output. It bends the gate only.",
    ),
    wrong(
        "down_each",
        lambda x, g, u, d: (F.silu(x @ g.mT) @ d.mT) * (x @ u.mT @ d.mT),
        "Each branch goes down by itself and then they are multiplied. Multiply first: the hidden "
        "units gate each other one by one.",
    ),
    wrong(
        "residual",
        lambda x, g, u, d: x + (F.silu(x @ g.mT) * (x @ u.mT)) @ d.mT,
        "x is added to the result. That is the block's doing, one floor up.",
    ),
    wrong(
        "no_down",
        lambda x, g, u, d: F.silu(x @ g.mT) * (x @ u.mT),
        "It returns the hidden units: w_down is missing.",
    ),
    wrong(
        "no_transposes",
        lambda x, g, u, d: (F.silu(x @ g) * (x @ u)) @ d,
        "The matrices are not transposed. Each is (out, in), as in nn.Linear.",
        "`x @ w_gate.T`, or `F.linear(x, w_gate)`.",
    ),
    wrong(
        "down_not_transposed",
        lambda x, g, u, d: (F.silu(x @ g.mT) * (x @ u.mT)) @ d,
        "w_down is (D, F), out and in, as in nn.Linear. It must be transposed like the others.",
    ),
    wrong(
        "branches_not_transposed",
        lambda x, g, u, d: (F.silu(x @ g) * (x @ u)) @ d.mT,
        "w_gate and w_up are (F, D), out and in, as in nn.Linear. They must be transposed.",
    ),
    wrong(
        "meta_order",
        lambda x, g, u, d: (F.silu(x @ g.mT) * (x @ d.mT)) @ u.mT,
        "w_up and w_down have changed places. In Meta's code w2 is down and w3 is up.",
    ),
    wrong(
        "down_first",
        lambda x, g, u, d: (F.silu(x @ d.mT) * (x @ u.mT)) @ g.mT,
        "w_down and w_gate have changed places.",
    ),
    wrong(
        "flattened",
        lambda x, g, u, d: ((F.silu(x @ g.mT) * (x @ u.mT)) @ d.mT).reshape(-1, x.shape[-1]),
        "The leading dimensions are merged into one.",
        "`@` and `F.linear` keep them by themselves.",
    ),
    wrong(
        "mean_over_tokens",
        lambda x, g, u, d: (
            (F.silu(x @ g.mT) * (x.mean(-2, keepdim=True) if x.dim() > 1 else x) @ u.mT) @ d.mT
        ),
        "The up branch sees the mean of all tokens. Each token goes through by itself.",
    ),
    wrong(
        "gate_of_first_token",
        lambda x, g, u, d: (
            (F.silu((x[..., :1, :] if x.dim() > 1 else x) @ g.mT) * (x @ u.mT)) @ d.mT
        ),
        "The gate comes from the first token for all of them.",
    ),
    hidden(
        "gate_detached",
        lambda g, u: F.silu(g).detach() * u,
        "The gate is cut off from the gradient, so that w_gate never learns.",
        CONNECTED,
    ),
    hidden(
        "up_detached",
        lambda g, u: F.silu(g) * u.detach(),
        "The up branch is cut off from the gradient, so that w_up never learns.",
        CONNECTED,
    ),
    wrong(
        "weights_detached",
        lambda x, g, u, d: (F.silu(x @ g.mT.data) * (x @ u.mT.data)) @ d.mT.data,
        "The weights are used without their gradient (`.data` or `.detach()`).",
        CONNECTED,
    ),
    wrong(
        "detached",
        lambda x, g, u, d: ((F.silu(x @ g.mT) * (x @ u.mT)) @ d.mT).detach(),
        "The result is cut off from the gradient. Was it computed by numpy or under no_grad?",
        CONNECTED,
    ),
    hidden(
        "clamped",
        lambda g, u: F.silu(g.clamp(-20, 20)) * u,
        "The gate is clamped, so that large gates come out too small and without a gradient.",
        "Nothing needs to be clamped: torch.sigmoid is safe for all numbers.",
    ),
    hidden("nan_gradient", lambda g, u: unsqueezed(g) * u, NAN_GRADIENT, TORCH_S),
    Mistake(
        "overflows_in_float16",
        lambda x, w_gate, w_up, w_down: (unsqueezed(x @ w_gate.mT) * (x @ w_up.mT)) @ w_down.mT,
        OVERFLOW,
        TORCH_S,
        TINY,
    ),
    Mistake(
        "float32",
        lambda x, g, u, d: right.swiglu(x.float(), g.float(), u.float(), d.float()),
        "The result is float32 whatever came in.",
        "Go back at the end: `.to(x.dtype)`.",
    ),
    Mistake(
        "float64",
        lambda x, g, u, d: right.swiglu(x.double(), g.double(), u.double(), d.double()),
        "The result is float64 whatever came in.",
        "Go back at the end: `.to(x.dtype)`.",
    ),
]
