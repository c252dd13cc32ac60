"""Lab 07: swish, glu, swiglu, ffn_hidden_dim and the module SwiGLU."""

import math

import torch

from checks.engine import Check, Probe, gradients, half_precision, values
from checks.swiglu import mistakes, reference
from checks.swiglu import probes as probes
from checks.swiglu.mistakes_layer import SWIGLU
from checks.swiglu.mistakes_module import MODULE
from checks.swiglu.mistakes_sizes import HIDDEN_DIM

NOT_SMOOTH = (
    "At zero, or far from it, the gradient is wrong. `x / (1 + torch.exp(-x))` gives NaN far out: "
    "exp overflows, and backwards that is inf · 0. Or something is clamped or detached on the way."
)
TAIL = (
    "float16 ends at 65,504, and e^11.4 is more than that, so that the tail becomes 0 or NaN. "
    "torch.sigmoid knows how to avoid that, or compute with `x.float()`."
)
LEAK = (
    "Another token was changed, and this one moved. The feed-forward layer sees tokens one by one."
)
SHUT = "All gates are zero, and something passes. swish(0) is 0, and so is 0 times anything."
LINEAR = (
    "w_up was multiplied by -3, and the output was not. The up branch goes straight through: only "
    "the gate branch is bent by swish."
)

swish = Check(
    exercise="7.1",
    name="swish",
    reference=reference.swish,
    technique=[
        values(
            lambda inputs: (torch.tensor([-1.0, 0.0, 1.0]), math.log(3)), title="worked example"
        ),
        values(
            lambda inputs: (inputs.randn(4),),
            lambda inputs: (inputs.randn(2, 3, 5) * 3,),
            lambda inputs: (inputs.randn(3, 4), 0.5),
            lambda inputs: (inputs.randn(1, 7) * 2, 2.0),
            lambda inputs: (inputs.randn(3, 2), -1.5),
        ),
        values(
            lambda inputs: (inputs.randn(4), 0.0),
            lambda inputs: (inputs.randn(2, 5), 50.0),
            title="β = 0 is x/2, β = 50 is nearly ReLU",
        ),
        values(lambda inputs: (probes.LARGE,), title="inputs up to ±10,000"),
        probes.keeps_dtype(lambda inputs: (inputs.randn(4),)),
    ],
    ready=[
        gradients(lambda inputs: (inputs.randn(5), 1.5)),
        Probe(
            "gradients at 0, ±95 and ±200",
            gradients(lambda inputs: (probes.FAR,)).run,
            NOT_SMOOTH,
        ),
        Probe(
            "float16 and bfloat16 around −11.4",
            half_precision(lambda inputs: (probes.tail(inputs, 6),)).run,
            TAIL,
            inexact=True,
        ),
        probes.same_device(lambda inputs: (inputs.randn(4),)),
    ],
    mistakes=mistakes.SWISH,
    hints=(
        "A gate between 0 and 1 decides how much of x passes. What opens it: x itself, times what?",
        "The gate is `torch.sigmoid` of beta times x; beta stands inside only.",
        "`return x * torch.sigmoid(beta * x)`",
    ),
)

glu = Check(
    exercise="7.2",
    name="glu",
    reference=reference.glu,
    technique=[
        values(
            lambda inputs: (torch.tensor([0.0, math.log(3)]), torch.tensor([4.0, 4.0])),
            title="worked example",
        ),
        values(
            lambda inputs: (inputs.randn(4), inputs.randn(4)),
            lambda inputs: (inputs.randn(2, 3, 5), inputs.randn(2, 3, 5) * 4),
            lambda inputs: (inputs.randn(3, 4) * 4, inputs.randn(3, 4)),
            lambda inputs: (inputs.randn(3, 3), inputs.randn(3, 3)),
        ),
        values(
            lambda inputs: (probes.LARGE, inputs.randn(6) * 500),
            lambda inputs: (inputs.uniform(6, low=-13.0, high=-9.0), inputs.randn(6) * 500),
            title="gates of up to ±10,000, gates that are nearly shut, large values",
        ),
        probes.keeps_dtype(lambda inputs: (inputs.randn(4), inputs.randn(4))),
    ],
    ready=[
        gradients(lambda inputs: (inputs.randn(5), inputs.randn(5))),
        Probe(
            "gradients at gates of 0, ±95 and ±200",
            gradients(lambda inputs: (probes.FAR, inputs.randn(5))).run,
            NOT_SMOOTH,
        ),
        Probe(
            "float16 and bfloat16 with gates around −11.4",
            half_precision(
                lambda inputs: (
                    probes.tail(inputs, 6),
                    inputs.uniform(6, low=100.0, high=900.0),
                )
            ).run,
            TAIL,
            inexact=True,
        ),
        probes.same_device(lambda inputs: (inputs.randn(4), inputs.randn(4))),
    ],
    mistakes=mistakes.GLU,
    hints=(
        "Two numbers meet: one says what, the other how much of it. Which one is squeezed?",
        "The sigmoid makes the gate a share between 0 and 1; the value stays as it is.",
        "`return torch.sigmoid(gate) * value`",
    ),
)

swiglu = Check(
    exercise="7.3",
    name="swiglu",
    weight=2,
    reference=reference.swiglu,
    technique=[
        values(
            lambda inputs: (
                torch.tensor([1.0, 2.0]),
                torch.tensor([[20.0, 0.0], [0.0, 0.0]]),
                torch.tensor([[0.0, 3.0], [5.0, 5.0]]),
                torch.tensor([[0.1, 1.0], [0.0, 1.0]]),
            ),
            title="worked example",
        ),
        values(
            lambda inputs: (inputs.randn(3), *probes.weights(inputs, 3, 2)),
            lambda inputs: (inputs.randn(2, 4), *probes.weights(inputs, 4, 7)),
            lambda inputs: (inputs.randn(2, 3, 5), *probes.weights(inputs, 5, 3)),
            lambda inputs: (inputs.randn(1, 2, 3, 4), *probes.weights(inputs, 4, 6)),
        ),
        values(
            lambda inputs: (inputs.randn(2, 4), *probes.weights(inputs, 4, 4)),
            title="D = F: no shape tells the matrices apart",
        ),
        Probe("a gate of zero lets nothing through", probes.gate_of_zero, SHUT),
        Probe("−3 times w_up is −3 times the output", probes.up_is_linear, LINEAR),
        Probe("a token does not feel the others", probes.rows_alone, LEAK),
        probes.keeps_dtype(lambda inputs: (inputs.randn(2, 4), *probes.weights(inputs, 4, 3))),
    ],
    ready=[
        gradients(lambda inputs: (inputs.randn(2, 4), *probes.weights(inputs, 4, 3))),
        Probe(
            "gradients at gates of 0, ±95 and ±200",
            gradients(
                lambda inputs: (
                    torch.ones(1, 1),
                    probes.FAR[:, None],
                    inputs.randn(5, 1),
                    inputs.randn(1, 5),
                )
            ).run,
            NOT_SMOOTH,
        ),
        half_precision(probes.positive, title="float16 and bfloat16"),
        Probe(
            "float16 and bfloat16 with gates around −11.4",
            half_precision(probes.shut_gates).run,
            TAIL,
            inexact=True,
        ),
        probes.same_device(lambda inputs: (inputs.randn(2, 4), *probes.weights(inputs, 4, 3))),
    ],
    mistakes=SWIGLU,
    hints=(
        "Three matrices, two branches: which of them run side by side, and which one comes last?",
        "hidden = swish(x @ w_gate.T) * (x @ w_up.T), of shape (..., F); then back to D.",
        "`return (swish(x @ w_gate.T) * (x @ w_up.T)) @ w_down.T`",
    ),
)

ffn_hidden_dim = Check(
    exercise="7.4",
    name="ffn_hidden_dim",
    weight=2,
    only_numbers=True,
    reference=reference.ffn_hidden_dim,
    technique=[
        values(lambda inputs: (4, 4), lambda inputs: (4096, 1024, 1.3), title="worked example"),
        values(
            lambda inputs: (4096,),
            lambda inputs: (5120,),
            lambda inputs: (8192, 4096, 1.3),
            lambda inputs: (2048, 256, 1.5),
            lambda inputs: (3072, 256, 1.0),
            lambda inputs: (16384, 4096, 1.2),
            title="Llama 2 7B and 13B, Llama 3 70B, 3.2 1B and 3B, 3.1 405B",
        ),
        values(
            lambda inputs: (6, 4),
            lambda inputs: (96, 256),
            lambda inputs: (192,),
            lambda inputs: (48, 1),
            title="sizes that are a multiple already",
        ),
        values(
            lambda inputs: (int(inputs.integers(1, low=100, high=200)), 1),
            lambda inputs: (int(inputs.integers(1, low=200, high=300)), 3),
            lambda inputs: (int(inputs.integers(1, low=300, high=400)), 7),
            lambda inputs: (int(inputs.integers(1, low=100, high=900)), 32),
            title="other sizes, other multiples",
        ),
        values(
            lambda inputs: (5, 1, 1.3),
            lambda inputs: (16, 1, 1.5),
            lambda inputs: (100, 2, 0.5),
            lambda inputs: (301, 5, 2.0),
            lambda inputs: (700, 64, 1.1),
            title="a multiplier, cut to whole numbers twice",
        ),
        Probe("a whole number, of type int", probes.int_type),
    ],
    mistakes=HIDDEN_DIM,
    hints=(
        "Three matrices must cost what two of 4 · dim cost. How wide may they be?",
        "int(2 · 4 · dim / 3); if there is a multiplier, int(multiplier · that); then up to the "
        "next multiple, unless it is one.",
        "`return multiple_of * ((hidden + multiple_of - 1) // multiple_of)`",
    ),
)

SwiGLU = Check(
    exercise="7.5",
    name="SwiGLU",
    weight=2,
    reference=reference.SwiGLU,
    technique=[
        Probe(
            "a new module: w_gate, w_up, w_down, without bias",
            probes.new_module,
            "A weight of the new module does not learn, or all its numbers are the same, or w_gate "
            "and w_up are one. nn.Linear draws each by itself.",
        ),
        Probe("values with loaded weights: three sizes", probes.loaded_module),
        Probe("D = F: no shape tells the matrices apart", probes.square_module),
        Probe(
            "the same input gives the same output, in training as well",
            probes.same_twice,
            "In training mode, too, the output depends on the input and the weights alone: no "
            "dropout, and nothing kept from one call to the next.",
        ),
    ],
    ready=[
        Probe(
            "gradients reach the input and all three weights",
            probes.module_gradients,
            "No gradient, or a wrong one, arrives at the input, w_gate, w_up or w_down.",
        ),
        Probe("gates of ±95 and ±200, and the gradient there", probes.module_far, NOT_SMOOTH),
        Probe("float64 and float16 come back as they are", probes.module_dtypes),
        Probe("float16 with gates around −11.4", probes.module_in_half, TAIL, inexact=True),
        Probe("works on the device of its input", probes.module_device, probes.DEVICE),
    ],
    mistakes=MODULE,
    hints=(
        "What belongs to the layer for good, and what comes with each call?",
        "Three `nn.Linear(..., bias=False)`: two from dim to hidden_dim, one back.",
        "`return swiglu(x, self.w_gate.weight, self.w_up.weight, self.w_down.weight)`",
    ),
)
