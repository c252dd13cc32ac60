"""Lab 02, 2.4: what is tried on the module RMSNorm."""

import torch
from torch import Tensor, nn

from checks.engine import GRADIENTS_FLOW, SAME_DEVICE, Check, Probe
from checks.rmsnorm import layer_probes, probes
from checks.rmsnorm import rms_norm as function
from checks.rmsnorm.rms_norm_layer_wrong import MISTAKES

CPU = (
    "A tensor of the module stays on the CPU when the module moves. Parameters move with it; for "
    "a tensor made in forward there is `device=x.device`."
)
OWN = "rms_norm with a weight of its own"


class RMSNorm(nn.Module):
    """rms_norm with a weight of its own."""

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., dim) → (..., dim)."""
        return function.reference(x, self.weight, self.eps)


layer = Check(
    exercise="2.4",
    name="RMSNorm",
    reference=RMSNorm,
    technique=[
        Probe(
            "a new module: one parameter, `weight`, all ones",
            layer_probes.new_module,
            promise="a weight of its own, which starts at ones",
        ),
        Probe("values with loaded weights: six shapes", layer_probes.loaded_shapes, promise=OWN),
        Probe(probes.SWEEP, layer_probes.several_eps, promise=probes.EPS_SIGNATURE),
        Probe(
            probes.DEFAULT,
            layer_probes.default_eps,
            probes.NOT_DEFAULT,
            inexact=True,
            promise=probes.EPS_SIGNATURE,
        ),
        Probe("two modules in turns; after eval()", layer_probes.two_modules, promise=OWN),
        Probe(
            "a token does not feel the others", layer_probes.rows_alone, probes.LEAK, promise=OWN
        ),
        Probe(
            "around ±1000 in float16; bfloat16 stays",
            layer_probes.in_half,
            "In float16 the squares of the inputs overflow. Compute in float32.",
            inexact=True,
            promise=OWN,
        ),
    ],
    ready=[
        Probe(
            "gradients reach the input and the weight",
            layer_probes.all_gradients,
            "No gradient, or a wrong one, arrives at the input or at `weight`.",
            promise=GRADIENTS_FLOW,
        ),
        Probe(
            "a float32 weight, and x in float16 and bfloat16",
            layer_probes.mixed,
            promise="in the dtype of x",
        ),
        Probe(
            "works on the device of its input", layer_probes.one_device, CPU, promise=SAME_DEVICE
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "What belongs to the layer for good, and what comes with each call?",
        "The weight is an nn.Parameter of ones, eps a plain number; forward calls rms_norm.",
        "`return rms_norm(x, self.weight, self.eps)`",
    ),
)
