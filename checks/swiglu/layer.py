"""Lab 07, 7.5: what is tried on the module SwiGLU."""

from torch import Tensor, nn

from checks.engine import GRADIENTS_FLOW, HALF_PRECISION, Check, Probe, module_keeps_device
from checks.swiglu import layer_probes
from checks.swiglu.layer_wrong import MISTAKES
from checks.swiglu.probes import NOT_SMOOTH, TAIL
from checks.swiglu.swiglu import reference as swiglu

OWN = "swiglu with weights of its own"


class SwiGLU(nn.Module):
    """swiglu with weights of its own."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.w_gate = nn.Linear(dim, hidden_dim, bias=False)
        self.w_up = nn.Linear(dim, hidden_dim, bias=False)
        self.w_down = nn.Linear(hidden_dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., dim) → (..., dim)."""
        return swiglu(x, self.w_gate.weight, self.w_up.weight, self.w_down.weight)


layer = Check(
    exercise="7.5",
    name="SwiGLU",
    weight=2,
    reference=SwiGLU,
    technique=[
        Probe(
            "a new module: w_gate, w_up, w_down, without bias",
            layer_probes.new_module,
            promise="each an nn.Linear without bias",
        ),
        Probe(
            "values with loaded weights: three sizes",
            layer_probes.three_sizes,
            promise=OWN,
        ),
        Probe(
            "D = F: no shape tells the matrices apart",
            layer_probes.square,
            promise="The weights are (F, D), (F, D) and (D, F)",
        ),
        Probe(
            "the same input gives the same output, in training as well",
            layer_probes.same_twice,
            "In training mode, too, the output depends on the input and the weights alone: no "
            "dropout, and nothing kept from one call to the next.",
            promise=OWN,
        ),
    ],
    ready=[
        Probe(
            "w_gate and w_up start at random, each by itself",
            layer_probes.start,
            "w_gate or w_up starts with the same number everywhere, or w_up as a copy of w_gate. "
            "nn.Linear draws each by itself.",
            promise="start at random, each by itself",
        ),
        Probe(
            "gradients reach the input and all three weights",
            layer_probes.gradients,
            "No gradient, or a wrong one, arrives at the input, w_gate, w_up or w_down.",
            promise=GRADIENTS_FLOW,
        ),
        Probe(
            "gates of ±95 and ±200, and the gradient there",
            layer_probes.far,
            NOT_SMOOTH,
            promise=GRADIENTS_FLOW,
        ),
        Probe(
            "float64, float16 and bfloat16 come back as they are",
            layer_probes.dtypes,
            promise="same dtype",
        ),
        Probe(
            "float16 with gates around −11.4",
            layer_probes.in_half,
            TAIL,
            inexact=True,
            promise=HALF_PRECISION,
        ),
        module_keeps_device(
            layer_probes.drawn, lambda inputs: (inputs.randn(2, layer_probes.DIM),)
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "What belongs to the layer for good, and what comes with each call?",
        "Three `nn.Linear(..., bias=False)`: two from dim to hidden_dim, one back.",
        "`return swiglu(x, self.w_gate.weight, self.w_up.weight, self.w_down.weight)`",
    ),
)
