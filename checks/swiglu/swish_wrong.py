"""Lab 07, 7.1: swish, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from checks.engine import Mistake, mistakes_of
from checks.swiglu.shared_wrong import by_hand, wide


def swish(x: Tensor, beta: float = 1.0) -> Tensor:
    #: `beta: float = 1.0`
    #! other_default: def swish(x, beta=1.702):
    #! other_default: def swish(x, beta=2.0):
    #! other_default: def swish(x, beta=-1.0):
    #  Without an argument beta has another value than 1.
    inside = beta * x
    #: `x * torch.sigmoid(beta * x)`
    #! ignores_beta: inside = x
    #  beta is not used: the curve is that of β = 1, whatever the argument says. [mlpack/mlpack#2914]
    #! beta_as_temperature: inside = x / beta
    #  It divides by beta in the sigmoid, as by a temperature. beta multiplies.
    #! beta_over_x: inside = beta / x
    #  It divides beta by x in the sigmoid. They are multiplied.
    #! beta_added: inside = x + beta
    #  beta is added in the sigmoid. It multiplies x there.
    #! beta_alone: inside = beta
    #! beta_alone: inside = torch.tensor(float(beta), dtype=x.dtype)
    #  The sigmoid sees beta and not x, so that the gate is the same everywhere.
    #! beta_1702: inside = 1.702 * x
    #  The sigmoid has the fixed 1.702 that imitates GELU. Use the argument beta.
    #! gate_of_absolute: inside = beta * x.abs()
    #  The gate is opened by |x|, so that negative numbers pass as well as positive ones.
    #! softmax: return x * torch.softmax(beta * x, 0)
    #! softmax: return x * torch.softmax(beta * x, -1)
    #  A softmax lets the numbers compete. Swish looks at each number alone.
    #: sigmoid(z) = 1 / (1 + exp(−z)): the minus is inside torch.sigmoid already.
    #! wrong_sign: inside = -beta * x
    #  The gate is turned round: it opens for negative x and shuts for positive. [pytorch/torcharrow#523]
    #: It decides how steep the gate is: it belongs into the sigmoid.
    #! beta_outside: inside = x
    #  beta stands outside the sigmoid, where it only stretches the result.
    gate = torch.sigmoid(inside)
    #: `x * torch.sigmoid(beta * x)`
    #! beta_as_power: gate = torch.sigmoid(x) ** beta
    #  beta is an exponent of the sigmoid. It multiplies x inside it.
    #! no_sigmoid: gate = inside
    #  There is no sigmoid: x is multiplied by itself.
    #! sigmoid_twice: gate = torch.sigmoid(torch.sigmoid(inside))
    #  The sigmoid is applied twice.
    #! one_forgotten: gate = torch.exp(inside)
    #  The gate is exp(β · x), which grows without end. The `1 +` of the sigmoid is missing.
    #! hard_sigmoid: gate = (0.5 + 0.25 * inside).clamp(0, 1)
    #! hard_sigmoid: gate = F.hardsigmoid(inside)
    #! hard_sigmoid: gate = (0.5 + 0.2 * inside).clamp(0, 1)
    #! hard_sigmoid: gate = (0.5 + 0.5 * inside).clamp(0, 1)
    #  The gate is a straight line, cut at 0 and 1, instead of a sigmoid.
    #! switch: gate = (inside > 0).to(x.dtype)
    #  The gate is a switch, 0 or 1. A sigmoid opens by and by.
    #! tanh_gate: gate = torch.tanh(inside)
    #! tanh_gate: gate = torch.tanh(x)
    #  The gate is a tanh, from −1 to 1. The sigmoid goes from 0 to 1.
    #! tanh_moved: gate = 0.5 * (1 + torch.tanh(inside))
    #  (1 + tanh(z)) / 2 is sigmoid(2z): the z must be halved for it.
    #! half_forgotten: gate = 1 + torch.tanh(inside / 2)
    #  1 + tanh(z / 2) is twice the sigmoid: it must be halved.
    #! log_sigmoid: gate = F.logsigmoid(inside)
    #  The gate is the logarithm of a sigmoid, which is never positive.
    #: `torch.sigmoid(x)` has neither problem.
    #! exp_overflows: gate = torch.exp(inside) / (1 + torch.exp(inside))
    #  e^x over 1 + e^x is inf / inf = NaN for large x.
    #! overflows_in_float16: gate = by_hand(inside)
    #  `1 + torch.exp(-x)` leaves float16 below −11.1, where e^11.1 exceeds 65,504: the tail of the
    #  curve collapses to 0, and its gradient to NaN. [skyzh/tiny-llm PR#288]
    #! nan_gradient: return (wide(x) * by_hand(beta * wide(x))).to(x.dtype)
    #  `1 + torch.exp(-x)` overflows below −88. Forwards that is a harmless 0; backwards it is
    #  inf · 0, which is NaN, and one NaN spoils all the weights. [trymirai/lalamo#328]
    #: `torch.sigmoid(x)` is exact on both sides.
    #! one_minus_sigmoid: gate = 1 - torch.sigmoid(-inside)
    #  `1 - sigmoid` loses the tail: in 16 bits the sigmoid is rounded to 1 there, and nothing is left. [skyzh/tiny-llm#164]
    #: `torch.sigmoid(z)`, or `nn.Sigmoid()(z)`.
    #! layer_not_made: gate = nn.Sigmoid(inside)
    #  `nn.Sigmoid` is a layer, which has to be made before it is called.
    #! item_taken: gate = torch.sigmoid(inside).item()
    #  `.item()` gives one plain number. There is a gate for each number of x.
    #! math_function: gate = 1 / (1 + math.exp(-inside))
    #  The functions of `math` take one number. Tensors need torch's.
    result = x * gate
    #: `x * torch.sigmoid(beta * x)`
    #! sigmoid_only: result = gate
    #  That is the sigmoid: a gate with nothing to let through. Swish is x times it. [joaopauloschuler/neural-api#21]
    #! missing_bracket: result = x / 1 + torch.exp(-inside)
    #  `x / 1 + exp(…)` is x plus the exponential: a bracket is missing.
    #! divides_by_beta: result = F.silu(inside) / beta
    #  `F.silu(beta * x) / beta` is right until beta is 0, where it divides 0 by 0. There swish is x/2.
    #! relu: result = F.relu(x)
    #! relu: result = F.relu(inside)
    #  That is ReLU, with its kink.
    #! relu_times_gate: result = F.relu(x) * gate
    #  Negative x are cut off first (relu, clamp). Swish lets a little of them through.
    #! leaky_relu: result = F.leaky_relu(x, 0.01)
    #! leaky_relu: result = F.leaky_relu(x, 0.1)
    #! leaky_relu: result = F.leaky_relu(x, 0.2)
    #  That is leaky ReLU: two straight lines. Swish has no kink.
    #! gelu: result = F.gelu(x)
    #  That is GELU, x · Φ(x), with the normal distribution as its gate.
    #! gelu_tanh: result = F.gelu(x, approximate="tanh")
    #  That is GELU in GPT-2's approximation by tanh.
    #! elu: result = F.elu(x)
    #  That is ELU: e^x − 1 below zero.
    #! softplus: result = F.softplus(x)
    #! softplus: result = F.softplus(inside)
    #  That is softplus, ln(1 + e^x).
    #! mish: result = F.mish(x)
    #  That is mish, x · tanh(softplus(x)).
    #! hard_swish: result = F.hardswish(x)
    #  That is hard swish: three straight pieces instead of a sigmoid.
    #! tanh: result = torch.tanh(x)
    #! tanh: result = torch.tanh(inside)
    #  That is tanh.
    #! adds_the_gate: result = x + gate
    #  It adds the gate to x. A gate multiplies.
    #! subtracts_the_gate: result = x - gate
    #  It subtracts the gate from x. A gate multiplies.
    #! divides_by_the_gate: result = x / gate
    #  It divides x by the gate: that is x · (1 + exp(−β · x)). A gate multiplies.
    #! squared: result = x * x * gate
    #  x is multiplied twice.
    #! gate_twice: result = x * gate * gate
    #  The gate is multiplied twice.
    #! sign_lost: result = x.abs() * gate
    #  The gate lets |x| through, so that the sign is lost.
    #! negative: result = -x * gate
    #  There is a minus before x: the curve is upside down.
    #! residual: result = x + x * gate
    #  x is added once more. A shut gate must let nothing through.
    #! identity: result = x * 1
    #  It returns x as it is: no gate at all.
    #! half: result = x / 2
    #  That is x/2, swish with β = 0.
    #! derivative: result = gate * (1 + inside * (1 - gate))
    #! derivative: result = gate * (1 - gate)
    #  That is a slope, of swish or of the sigmoid, not swish.
    #: `F.silu(beta * x)` is β times too much; beta belongs into the sigmoid only.
    #! beta_everywhere: result = beta * x * gate
    #  beta multiplies x outside the sigmoid as well: that is β · swish.
    #: Once is enough.
    #! twice: result = F.silu(x * gate)
    #  Swish is applied twice.
    #: No `.detach()`, `.data`, `.item()` or `torch.no_grad()` here.
    #! gate_detached: result = x * gate.detach()
    #  The gate is cut off from the gradient: backwards x opens nothing.
    #! x_detached: result = x.detach() * gate
    #  x is cut off from the gradient where the gate lets it through.
    #! detached: result = (x * gate).detach()
    #  The result is cut off from the gradient. Was it computed by numpy or under no_grad?
    #: Nothing needs to be clamped: torch.sigmoid is safe for all x.
    #! clamped: result = x.clamp(-20, 20) * gate
    #  x is clamped, so that large inputs come out too small and without a gradient.
    #: `x * torch.sigmoid(beta * x)`
    #! in_place: result = x.mul_(gate)
    #  x is overwritten (`*=`, `mul_`). The caller may still need it.
    #: `torch.sigmoid` and `*` keep the shape by themselves.
    #! flattened: result = (x * gate).flatten()
    #  The dimensions are gone: the result is one long row.
    #! summed: result = (x * gate).sum()
    #! summed: result = (x * gate).sum(-1)
    #! summed: result = (x * gate).mean()
    #  The numbers are summed up, or their mean is taken. Each one has a result of its own.
    #: Go back at the end: `.to(x.dtype)`.
    #! stays_float32: result = (x * gate).float()
    #  The result is float32 whatever came in.
    #! float32_for_half: result = x * torch.sigmoid(beta * x.float())
    #  The result is float32 where half precision came in.
    #! float64: result = x.double() * torch.sigmoid(beta * x.double())
    #  The result is float64 whatever came in.
    return result
    #!+ beta_outside: return beta * result
    #: `return`
    #! no_return: pass
    #  It computes and returns nothing.


MISTAKES: list[Mistake] = mistakes_of(swish)
