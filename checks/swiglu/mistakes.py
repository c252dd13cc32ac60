"""Lab 07: what people write for swish and glu.

Sources are the public issues in which somebody really made the mistake.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from checks.engine import Mistake, in_float32

S = torch.sigmoid
OVERFLOW = (
    "`1 + torch.exp(-x)` leaves float16 below −11.1, where e^11.1 exceeds 65,504: the tail of the "
    "curve collapses to 0, and its gradient to NaN."
)
TINY = "skyzh/tiny-llm PR#288"
NAN_GRADIENT = (
    "`1 + torch.exp(-x)` overflows below −88. Forwards that is a harmless 0; backwards it is "
    "inf · 0, which is NaN, and one NaN spoils all the weights."
)
TORCH_S = "`torch.sigmoid(x)` has neither problem."
CONNECTED = "No `.detach()`, `.data`, `.item()` or `torch.no_grad()` here."


def wrong(key: str, formula, says: str, hint: str, source: str = "") -> Mistake:
    """A formula that is computed in float32 and returned in its first argument's dtype."""
    return Mistake(key, in_float32(formula), says, hint, source)


def swish_in_place(x: Tensor, beta: float = 1.0) -> Tensor:
    """Overwrite x."""
    x *= torch.sigmoid(beta * x)
    return x


def glu_in_place(overwritten: int):
    """Overwrite the gate (0) or the value (1)."""

    def computed(gate: Tensor, value: Tensor) -> Tensor:
        if overwritten == 0:
            return gate.sigmoid_().mul_(value)
        value *= torch.sigmoid(gate)
        return value

    return computed


FORMULA = "`x * torch.sigmoid(beta * x)`"
SWISH = [
    wrong(
        "sigmoid_only",
        lambda x, beta=1.0: S(beta * x),
        "That is the sigmoid: a gate with nothing to let through. Swish is x times it.",
        FORMULA,
    ),
    wrong(
        "ignores_beta",
        lambda x, beta=1.0: x * S(x),
        "beta is not used: the curve is that of β = 1, whatever the argument says.",
        FORMULA,
    ),
    wrong(
        "beta_outside",
        lambda x, beta=1.0: beta * x * S(x),
        "beta stands outside the sigmoid, where it only stretches the result.",
        "It decides how steep the gate is: it belongs into the sigmoid.",
    ),
    wrong(
        "beta_everywhere",
        lambda x, beta=1.0: F.silu(beta * x),
        "beta multiplies x outside the sigmoid as well: that is β · swish.",
        "`F.silu(beta * x)` is β times too much; beta belongs into the sigmoid only.",
    ),
    wrong(
        "divides_by_beta",
        lambda x, beta=1.0: F.silu(beta * x) / beta,
        "`F.silu(beta * x) / beta` is right until beta is 0, where it divides 0 by 0. There "
        "swish is x/2.",
        FORMULA,
    ),
    wrong(
        "beta_as_temperature",
        lambda x, beta=1.0: x * S(x / beta) if beta else x * S(x * torch.inf),
        "It divides by beta in the sigmoid, as by a temperature. beta multiplies.",
        FORMULA,
    ),
    wrong(
        "beta_added",
        lambda x, beta=1.0: x * S(x + beta),
        "beta is added in the sigmoid. It multiplies x there.",
        FORMULA,
    ),
    wrong(
        "beta_alone",
        lambda x, beta=1.0: x * torch.tensor(float(beta)).sigmoid().item(),
        "The sigmoid sees beta and not x, so that the gate is the same everywhere.",
        FORMULA,
    ),
    wrong(
        "beta_as_power",
        lambda x, beta=1.0: x * S(x) ** beta,
        "beta is an exponent of the sigmoid. It multiplies x inside it.",
        FORMULA,
    ),
    wrong(
        "beta_1702",
        lambda x, beta=1.0: x * S(1.702 * x),
        "The sigmoid has the fixed 1.702 that imitates GELU. Use the argument beta.",
        FORMULA,
    ),
    wrong(
        "wrong_sign",
        lambda x, beta=1.0: x * S(-beta * x),
        "The gate is turned round: it opens for negative x and shuts for positive.",
        "sigmoid(z) = 1 / (1 + exp(−z)): the minus is inside torch.sigmoid already.",
    ),
    wrong(
        "missing_bracket",
        lambda x, beta=1.0: x / 1 + torch.exp(-beta * x),
        "`x / 1 + exp(…)` is x plus the exponential: a bracket is missing.",
        FORMULA,
    ),
    wrong(
        "one_forgotten",
        lambda x, beta=1.0: x * torch.exp(beta * x),
        "The gate is exp(β · x), which grows without end. The `1 +` of the sigmoid is missing.",
        FORMULA,
    ),
    wrong(
        "exp_overflows",
        lambda x, beta=1.0: x * torch.exp(beta * x) / (1 + torch.exp(beta * x)),
        "e^x over 1 + e^x is inf / inf = NaN for large x.",
        TORCH_S,
    ),
    Mistake(
        "overflows_in_float16",
        lambda x, beta=1.0: x / (1 + torch.exp(-beta * x)),
        OVERFLOW,
        TORCH_S,
        TINY,
    ),
    wrong(
        "nan_gradient", lambda x, beta=1.0: x / (1 + torch.exp(-beta * x)), NAN_GRADIENT, TORCH_S
    ),
    wrong("relu", lambda x, beta=1.0: F.relu(x), "That is ReLU, with its kink.", FORMULA),
    wrong(
        "relu_times_gate",
        lambda x, beta=1.0: F.relu(x) * S(beta * x),
        "Negative x are cut off first (relu, clamp). Swish lets a little of them through.",
        FORMULA,
    ),
    wrong(
        "leaky_relu",
        lambda x, beta=1.0: F.leaky_relu(x, 0.01),
        "That is leaky ReLU: two straight lines. Swish has no kink.",
        FORMULA,
    ),
    wrong(
        "gelu",
        lambda x, beta=1.0: F.gelu(x),
        "That is GELU, x · Φ(x), with the normal distribution as its gate.",
        FORMULA,
    ),
    wrong(
        "gelu_tanh",
        lambda x, beta=1.0: F.gelu(x, approximate="tanh"),
        "That is GELU in GPT-2's approximation by tanh.",
        FORMULA,
    ),
    wrong("elu", lambda x, beta=1.0: F.elu(x), "That is ELU: e^x − 1 below zero.", FORMULA),
    wrong("softplus", lambda x, beta=1.0: F.softplus(x), "That is softplus, ln(1 + e^x).", FORMULA),
    wrong("mish", lambda x, beta=1.0: F.mish(x), "That is mish, x · tanh(softplus(x)).", FORMULA),
    wrong(
        "hard_swish",
        lambda x, beta=1.0: F.hardswish(x),
        "That is hard swish: three straight pieces instead of a sigmoid.",
        FORMULA,
    ),
    wrong(
        "hard_sigmoid",
        lambda x, beta=1.0: x * (0.5 + 0.25 * beta * x).clamp(0, 1),
        "The gate is a straight line, cut at 0 and 1, instead of a sigmoid.",
        FORMULA,
    ),
    wrong(
        "tanh_gate",
        lambda x, beta=1.0: x * torch.tanh(beta * x),
        "The gate is a tanh, from −1 to 1. The sigmoid goes from 0 to 1.",
        FORMULA,
    ),
    wrong("tanh", lambda x, beta=1.0: torch.tanh(x), "That is tanh.", FORMULA),
    wrong(
        "log_sigmoid",
        lambda x, beta=1.0: x * F.logsigmoid(beta * x),
        "The gate is the logarithm of a sigmoid, which is never positive.",
        FORMULA,
    ),
    wrong(
        "softmax",
        lambda x, beta=1.0: x * torch.softmax(beta * x, -1),
        "A softmax lets the numbers compete. Swish looks at each number alone.",
        FORMULA,
    ),
    wrong(
        "adds_the_gate",
        lambda x, beta=1.0: x + S(beta * x),
        "It adds the gate to x. A gate multiplies.",
        FORMULA,
    ),
    wrong(
        "squared",
        lambda x, beta=1.0: x * x * S(beta * x),
        "x is multiplied twice.",
        FORMULA,
    ),
    wrong(
        "twice",
        lambda x, beta=1.0: F.silu(x * S(beta * x)),
        "Swish is applied twice.",
        "Once is enough.",
    ),
    wrong("identity", lambda x, beta=1.0: x * 1, "It returns x as it is: no gate at all.", FORMULA),
    wrong("half", lambda x, beta=1.0: x / 2, "That is x/2, swish with β = 0.", FORMULA),
    wrong(
        "derivative",
        lambda x, beta=1.0: S(beta * x) * (1 + beta * x * (1 - S(beta * x))),
        "That is the slope of swish, not swish.",
        FORMULA,
    ),
    wrong(
        "gate_detached",
        lambda x, beta=1.0: x * S(beta * x).detach(),
        "The gate is cut off from the gradient: backwards x opens nothing.",
        CONNECTED,
    ),
    wrong(
        "detached",
        lambda x, beta=1.0: (x * S(beta * x)).detach(),
        "The result is cut off from the gradient. Was it computed by numpy or under no_grad?",
        CONNECTED,
    ),
    wrong(
        "clamped",
        lambda x, beta=1.0: x.clamp(-20, 20) * S(beta * x),
        "x is clamped, so that large inputs come out too small and without a gradient.",
        "Nothing needs to be clamped: torch.sigmoid is safe for all x.",
    ),
    Mistake(
        "in_place",
        swish_in_place,
        "x is overwritten (`*=`, `mul_`). The caller may still need it.",
        FORMULA,
    ),
    wrong(
        "flattened",
        lambda x, beta=1.0: (x * S(beta * x)).flatten(),
        "The dimensions are gone: the result is one long row.",
        "Elementwise operations keep the shape by themselves.",
    ),
    Mistake(
        "stays_float32",
        lambda x, beta=1.0: x.float() * S(beta * x.float()),
        "The result is float32 whatever came in.",
        "Go back at the end: `.to(x.dtype)`.",
    ),
    Mistake(
        "float64",
        lambda x, beta=1.0: x.double() * S(beta * x.double()),
        "The result is float64 whatever came in.",
        "Go back at the end: `.to(x.dtype)`.",
    ),
]

GATED = "`torch.sigmoid(gate) * value`"
GLU = [
    wrong(
        "swapped",
        lambda gate, value: S(value) * gate,
        "The sigmoid is on the value: gate and value have changed places.",
        "`F.glu` gates the first half by the second; here the gate comes first.",
    ),
    wrong(
        "swish_gate",
        lambda gate, value: F.silu(gate) * value,
        "The gate is swish(gate). That is SwiGLU; GLU's gate is the sigmoid alone.",
        GATED,
    ),
    wrong(
        "bilinear",
        lambda gate, value: gate * value,
        "The gate has no sigmoid: it is the plain product of the two (“bilinear”).",
        GATED,
    ),
    wrong(
        "sum",
        lambda gate, value: S(gate) + value,
        "Gate and value are added. A gate multiplies.",
        GATED,
    ),
    wrong(
        "both_squeezed",
        lambda gate, value: S(gate) * S(value),
        "Both sides have a sigmoid. The value stays as it is.",
        GATED,
    ),
    wrong(
        "sigmoid_of_product",
        lambda gate, value: S(gate * value),
        "The bracket closes too late: it is the sigmoid of the product.",
        GATED,
    ),
    wrong("gate_only", lambda gate, value: S(gate), "The value is not used.", GATED),
    wrong("value_only", lambda gate, value: value * 1, "The gate is not used.", GATED),
    wrong(
        "tanh_value",
        lambda gate, value: S(gate) * torch.tanh(value),
        "The value goes through a tanh, as in LSTMs (Dauphin's GTU). GLU leaves it straight.",
        GATED,
    ),
    wrong("tanh_gate", lambda gate, value: torch.tanh(gate) * value, "The gate is a tanh.", GATED),
    wrong("relu_gate", lambda gate, value: F.relu(gate) * value, "That is ReGLU.", GATED),
    wrong("gelu_gate", lambda gate, value: F.gelu(gate) * value, "That is GEGLU.", GATED),
    wrong(
        "softmax_gate",
        lambda gate, value: torch.softmax(gate, -1) * value,
        "A softmax lets the gates compete. Each gate stands alone.",
        GATED,
    ),
    wrong(
        "switch",
        lambda gate, value: (gate > 0) * value,
        "The gate is a switch, 0 or 1, with no gradient.",
        GATED,
    ),
    wrong(
        "hard_sigmoid",
        lambda gate, value: F.hardsigmoid(gate) * value,
        "The gate is three straight pieces instead of a sigmoid.",
        GATED,
    ),
    wrong(
        "inverted",
        lambda gate, value: S(-gate) * value,
        "The gate is turned round: it opens where the number is negative.",
        "sigmoid(z) = 1 / (1 + exp(−z)): the minus is inside torch.sigmoid already.",
    ),
    wrong(
        "log_sigmoid",
        lambda gate, value: F.logsigmoid(gate) * value,
        "The gate is the logarithm of a sigmoid, which is never positive.",
        GATED,
    ),
    wrong(
        "highway",
        lambda gate, value: S(gate) * value + (1 - S(gate)) * gate,
        "What the gate does not let through is filled up with the gate itself (a highway layer).",
        GATED,
    ),
    wrong(
        "residual",
        lambda gate, value: S(gate) * value + value,
        "The value is added once more. A shut gate must let nothing through.",
        GATED,
    ),
    wrong(
        "halved",
        lambda gate, value: S(gate / 2) * value,
        "The gate is divided by 2 in the sigmoid. `0.5 * (1 + tanh(g))` needs tanh(g / 2).",
        GATED,
    ),
    wrong(
        "doubled",
        lambda gate, value: S(2 * gate) * value,
        "The gate is doubled in the sigmoid: (1 + tanh(g)) / 2 is sigmoid(2g).",
        GATED,
    ),
    wrong("twice", lambda gate, value: S(S(gate)) * value, "The sigmoid is applied twice.", GATED),
    wrong(
        "matrix_product",
        lambda gate, value: (
            S(gate) @ value.transpose(-1, -2) if gate.dim() > 1 else S(gate) @ value
        ),
        "`@` sums over the units. The gate works on each number alone: `*`.",
        GATED,
    ),
    wrong(
        "summed",
        lambda gate, value: (S(gate) * value).sum(-1),
        "The units are summed up: the last dimension is gone.",
        GATED,
    ),
    wrong(
        "exp_overflows",
        lambda gate, value: torch.exp(gate) / (1 + torch.exp(gate)) * value,
        "e^g over 1 + e^g is inf / inf = NaN for large gates.",
        "`torch.sigmoid(gate)`",
    ),
    Mistake(
        "overflows_in_float16",
        lambda gate, value: value / (1 + torch.exp(-gate)),
        OVERFLOW,
        "`torch.sigmoid(gate)` has neither problem.",
        TINY,
    ),
    wrong(
        "nan_gradient",
        lambda gate, value: value / (1 + torch.exp(-gate)),
        NAN_GRADIENT,
        "`torch.sigmoid(gate)` has neither problem.",
    ),
    wrong(
        "clamped",
        lambda gate, value: S(gate.clamp(-8, 8)) * value,
        "The gate is clamped, so that it never shuts or opens entirely.",
        "Nothing needs to be clamped: torch.sigmoid is safe for all numbers.",
    ),
    wrong(
        "value_clamped",
        lambda gate, value: S(gate) * value.clamp(-100, 100),
        "The value is clamped. It goes through as it is, however large.",
        GATED,
    ),
    wrong(
        "shut_too_early",
        lambda gate, value: S(gate) * value * (gate > -8),
        "Below some gate nothing passes at all. A sigmoid is never quite 0.",
        GATED,
    ),
    wrong(
        "gate_detached",
        lambda gate, value: S(gate).detach() * value,
        "The gate is cut off from the gradient, so that it never learns when to open.",
        CONNECTED,
    ),
    wrong(
        "value_detached",
        lambda gate, value: S(gate) * value.detach(),
        "The value is cut off from the gradient.",
        CONNECTED,
    ),
    wrong(
        "detached",
        lambda gate, value: (S(gate) * value).detach(),
        "The result is cut off from the gradient. Was it computed by numpy or under no_grad?",
        CONNECTED,
    ),
    Mistake(
        "gate_in_place",
        glu_in_place(0),
        "The gate is overwritten (`sigmoid_`). The caller may still need it.",
        GATED,
    ),
    Mistake(
        "value_in_place",
        glu_in_place(1),
        "The value is overwritten (`*=`). The caller may still need it.",
        GATED,
    ),
    Mistake(
        "stays_float32",
        lambda gate, value: S(gate.float()) * value.float(),
        "The result is float32 whatever came in.",
        "Go back at the end: `.to(gate.dtype)`.",
    ),
    Mistake(
        "float64",
        lambda gate, value: S(gate.double()) * value.double(),
        "The result is float64 whatever came in.",
        "Go back at the end: `.to(gate.dtype)`.",
    ),
]
