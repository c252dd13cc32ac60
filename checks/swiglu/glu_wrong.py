"""Lab 07, 7.2: glu, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from checks.engine import Mistake, mistakes_of
from checks.swiglu.shared_wrong import by_hand, wide


def glu(gate: Tensor, value: Tensor) -> Tensor:
    opened = torch.sigmoid(gate)
    #: `torch.sigmoid(gate) * value`
    #! swish_gate: opened = F.silu(gate)
    #  The gate is swish(gate). That is SwiGLU; GLU's gate is the sigmoid alone. [pytorch/pytorch#167240]
    #! bilinear: opened = gate
    #  The gate has no sigmoid: it is the plain product of the two (“bilinear”).
    #! tanh_gate: opened = torch.tanh(gate)
    #  The gate is a tanh.
    #! relu_gate: opened = F.relu(gate)
    #  That is ReGLU.
    #! gelu_gate: opened = F.gelu(gate)
    #  That is GEGLU.
    #! softmax_gate: opened = torch.softmax(gate, -1)
    #! softmax_gate: opened = torch.softmax(gate, 0)
    #  A softmax lets the gates compete. Each gate stands alone.
    #! switch: opened = gate > 0
    #  The gate is a switch, 0 or 1, with no gradient.
    #! hard_sigmoid: opened = F.hardsigmoid(gate)
    #! hard_sigmoid: opened = (0.5 + 0.25 * gate).clamp(0, 1)
    #  The gate is three straight pieces instead of a sigmoid.
    #! log_sigmoid: opened = F.logsigmoid(gate)
    #  The gate is the logarithm of a sigmoid, which is never positive.
    #! halved: opened = torch.sigmoid(gate / 2)
    #  The gate is divided by 2 in the sigmoid. `0.5 * (1 + tanh(g))` needs tanh(g / 2).
    #! doubled: opened = torch.sigmoid(2 * gate)
    #  The gate is doubled in the sigmoid: (1 + tanh(g)) / 2 is sigmoid(2g).
    #! half_forgotten: opened = 1 + torch.tanh(gate / 2)
    #  1 + tanh(g / 2) is twice the sigmoid: it must be halved.
    #! twice: opened = torch.sigmoid(torch.sigmoid(gate))
    #  The sigmoid is applied twice.
    #! gate_of_absolute: opened = torch.sigmoid(gate.abs())
    #  |gate| opens the gate, so that a negative one cannot shut it.
    #! gate_squared: opened = torch.sigmoid(gate) ** 2
    #  The gate is multiplied twice.
    #! one_forgotten: opened = torch.exp(gate)
    #  The gate is exp(g), which grows without end. The `1 +` of the sigmoid is missing.
    #! value_gates_itself: opened = torch.sigmoid(value)
    #  The value opens its own gate, and `gate` is not used. [pytorch/pytorch#173617]
    #! shut_too_early: opened = torch.sigmoid(gate) * (gate > -8)
    #  Below some gate nothing passes at all. A sigmoid is never quite 0.
    #: sigmoid(z) = 1 / (1 + exp(−z)): the minus is inside torch.sigmoid already.
    #! inverted: opened = torch.sigmoid(-gate)
    #  The gate is turned round: it opens where the number is negative. [pytorch/torcharrow#523]
    #: `F.glu` gates the first half by the second; here the gate comes first.
    #! swapped: opened = torch.sigmoid(value); value = gate
    #  The sigmoid is on the value: gate and value have changed places. [NVIDIA/Megatron-LM#458]
    #: `torch.sigmoid(gate)`
    #! exp_overflows: opened = torch.exp(gate) / (1 + torch.exp(gate))
    #  e^g over 1 + e^g is inf / inf = NaN for large gates.
    #: `torch.sigmoid(gate)` has neither problem.
    #! overflows_in_float16: opened = by_hand(gate)
    #  `1 + torch.exp(-x)` leaves float16 below −11.1, where e^11.1 exceeds 65,504: the tail of the
    #  curve collapses to 0, and its gradient to NaN. [skyzh/tiny-llm PR#288]
    #! nan_gradient: return (by_hand(wide(gate)) * wide(value)).to(gate.dtype)
    #  `1 + torch.exp(-x)` overflows below −88. Forwards that is a harmless 0; backwards it is
    #  inf · 0, which is NaN, and one NaN spoils all the weights.
    #: `torch.sigmoid(gate)` is exact on both sides.
    #! one_minus_sigmoid: opened = 1 - torch.sigmoid(-gate)
    #  `1 - sigmoid` loses the tail: the sigmoid is rounded to 1 there, and nothing is left.
    #: Nothing needs to be clamped: torch.sigmoid is safe for all numbers.
    #! clamped: opened = torch.sigmoid(gate.clamp(-8, 8))
    #! clamped: opened = torch.sigmoid(gate.clamp(-10, 10))
    #  The gate is clamped, so that it never shuts or opens entirely.
    #: `torch.sigmoid(z)`, or `nn.Sigmoid()(z)`.
    #! layer_not_made: opened = nn.Sigmoid(gate)
    #  `nn.Sigmoid` is a layer, which has to be made before it is called.
    result = opened * value
    #: `torch.sigmoid(gate) * value`
    #! gate_only: result = opened
    #  The value is not used.
    #! value_only: result = value * 1
    #  The gate is not used.
    #! gate_passes_itself: result = opened * gate
    #  The value is not used: the gate lets itself through, which is swish.
    #! sum: result = opened + value
    #  Gate and value are added. A gate multiplies. [LeronQ/STGCN-Pytorch#1]
    #! difference: result = opened - value
    #! difference: result = value - opened
    #  One is subtracted from the other. A gate multiplies.
    #! divided: result = opened / value
    #! divided: result = value / opened
    #  One is divided by the other. A gate multiplies.
    #! both_squeezed: result = opened * torch.sigmoid(value)
    #  Both sides have a sigmoid. The value stays as it is.
    #! sigmoid_of_product: result = torch.sigmoid(gate * value)
    #  The bracket closes too late: it is the sigmoid of the product.
    #! sigmoid_of_sum: result = torch.sigmoid(gate + value)
    #  It is the sigmoid of the sum. The gate goes through it alone, and then the value is multiplied.
    #! glu_of_one: result = F.glu(gate)
    #! glu_of_one: result = F.glu(gate, value)
    #  `F.glu` cuts one tensor into two halves. Here gate and value are two already.
    #! sigmoid_at_the_end: result = torch.sigmoid(opened * value)
    #  A second sigmoid is taken of the product.
    #! tanh_value: result = opened * torch.tanh(value)
    #  The value goes through a tanh, as in LSTMs (Dauphin's GTU). GLU leaves it straight.
    #! relu_value: result = opened * F.relu(value)
    #  Negative values are cut off by a ReLU. The value goes through as it is.
    #! swish_value: result = opened * F.silu(value)
    #  The value goes through swish. It stays as it is.
    #! highway: result = opened * value + (1 - opened) * gate
    #  What the gate does not let through is filled up with the gate itself (a highway layer).
    #! residual: result = opened * value + value
    #  The value is added once more. A shut gate must let nothing through.
    #! matrix_product: result = opened @ value.mT if gate.dim() > 1 else opened @ value
    #! matrix_product: result = opened @ value.T
    #! matrix_product: result = opened @ value.transpose(-1, -2)
    #  `@` sums over the units. The gate works on each number alone: `*`.
    #! summed: result = (opened * value).sum(-1)
    #! summed: result = (opened * value).sum()
    #! summed: result = (opened * value).mean(-1)
    #  The units are summed up, or their mean is taken: the last dimension is gone.
    #! value_clamped: result = opened * value.clamp(-100, 100)
    #  The value is clamped. It goes through as it is, however large.
    #: No `.detach()`, `.data`, `.item()` or `torch.no_grad()` here.
    #! gate_detached: result = opened.detach() * value
    #  The gate is cut off from the gradient, so that it never learns when to open.
    #! value_detached: result = opened * value.detach()
    #  The value is cut off from the gradient.
    #! detached: result = (opened * value).detach()
    #  The result is cut off from the gradient. Was it computed by numpy or under no_grad?
    #: `torch.sigmoid(gate) * value`
    #! gate_in_place: result = gate.sigmoid_() * value
    #! gate_in_place: result = gate.sigmoid_().mul_(value)
    #  The gate is overwritten (`sigmoid_`). The caller may still need it.
    #! value_in_place: value *= opened; result = value
    #  The value is overwritten (`*=`). The caller may still need it.
    #: Go back at the end: `.to(gate.dtype)`.
    #! stays_float32: result = torch.sigmoid(gate.float()) * value.float()
    #  The result is float32 whatever came in.
    #! float32_for_half: result = torch.sigmoid(gate.float()) * value
    #  The result is float32 where half precision came in.
    #! float64: result = torch.sigmoid(gate.double()) * value.double()
    #  The result is float64 whatever came in.
    return result
    #: `return`
    #! no_return: pass
    #  It computes and returns nothing.


MISTAKES: list[Mistake] = mistakes_of(glu)
