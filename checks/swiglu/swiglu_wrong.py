"""Lab 07, 7.3: swiglu, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from checks.engine import Mistake, mistakes_of
from checks.swiglu.shared_wrong import by_hand, swish, wide


def normed(x: Tensor) -> Tensor:
    """Divide by the root mean square."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5)


def first(x: Tensor) -> Tensor:
    """The first token of a text, or the token itself."""
    return x[..., :1, :] if x.dim() > 1 else x


def mean(x: Tensor) -> Tensor:
    """The mean of all tokens of a text."""
    return x.mean(-2, keepdim=True) if x.dim() > 1 else x


def swiglu(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    scores = x @ w_gate.T
    #: `(swish(x @ w_gate.T) * (x @ w_up.T)) @ w_down.T`
    #! up_twice: scores = x @ w_up.T
    #  w_up stands where w_gate belongs.
    #! down_first: w_gate, w_down = w_down, w_gate; …
    #  w_down and w_gate have changed places.
    #! silu_on_weights: scores = x @ swish(w_gate).T
    #  Swish is taken of the weights. It bends what comes out of them, x @ w_gate.T.
    #! input_normalised: x = normed(x); …
    #  x is normalised inside. In Llama that is a layer of its own, before this one.
    #! gate_of_first_token: scores = first(x) @ w_gate.T
    #  The gate comes from the first token for all of them.
    #: `x @ w_gate.T`, or `F.linear(x, w_gate)`.
    #! elementwise: scores = x * w_gate.T
    #! gate_not_transposed: scores = x @ w_gate
    #  w_gate is not transposed. It is (out, in), as in nn.Linear.
    #! no_transposes: w_gate, w_up, w_down = w_gate.T, w_up.T, w_down.T; …
    #  The matrices are not transposed. Each is (out, in), as in nn.Linear.
    #: `(swish(x @ w_gate.T) * (x @ w_up.T)) @ w_down.T`
    #! branches_not_transposed: w_gate, w_up = w_gate.T, w_up.T; …
    #  w_gate and w_up are (F, D), out and in, as in nn.Linear. They must be transposed.
    #! weights_first: return w_down @ (swish(w_gate @ x) * (w_up @ x))
    #! weights_first: return (swish(w_gate @ x) * (w_up @ x)) @ w_down.T
    #  `w @ x` fits a single vector. In a batch the features are the last dimension: `x @ w.T`.
    #! flattened: x = x.reshape(-1, x.shape[-1]); …
    #  The leading dimensions are merged into one.
    #: No `.detach()`, `.data`, `.item()` or `torch.no_grad()` here.
    #! weights_detached: w_gate, w_up, w_down = w_gate.data, w_up.data, w_down.data; …
    #  The weights are used without their gradient (`.data` or `.detach()`).
    #! w_gate_detached: scores = x @ w_gate.detach().T
    #  w_gate is used without its gradient (`.data` or `.detach()`), so that it never learns.
    #! x_detached: x = x.detach(); …
    #  x is cut off from the gradient, so that nothing below this layer learns.
    value = x @ w_up.T
    #: `(swish(x @ w_gate.T) * (x @ w_up.T)) @ w_down.T`
    #! gate_twice: value = x @ w_gate.T
    #  w_gate stands where w_up belongs.
    #! silu_on_both: value = swish(x @ w_up.T)
    #  Both branches go through swish.
    #! silu_on_up: value, scores = scores, x @ w_up.T
    #  Swish is on the up branch. It belongs to the gate; up goes straight through. [ml-explore/mlx-lm#767]
    #! interleaved: both = x @ torch.cat([w_gate, w_up]).T; scores, value = both[..., ::2], both[..., 1::2]
    #  Gates and values are taken in turns from one product. In the stacked matrix they are two halves. [vllm-project/vllm#29273]
    #! split_across_tokens: scores, value = (x @ torch.cat([w_gate, w_up]).T).chunk(2)
    #  The product of the stacked matrix is split along the first dimension: `chunk(2, dim=-1)`.
    #! both_gated: value = torch.sigmoid(x @ w_up.T)
    #  The up branch goes through a sigmoid besides. It goes straight through.
    #! relu_on_up: value = F.relu(x @ w_up.T)
    #  The up branch goes through a ReLU besides. It goes straight through.
    #! up_plus_one: value = x @ w_up.T + 1
    #  1 is added to the up branch, as in gpt-oss. Llama adds nothing. [triton-lang/triton#8460]
    #! meta_order: w_up, w_down = w_down, w_up; …
    #  w_up and w_down have changed places. In Meta's code w2 is down and w3 is up.
    #! mean_over_tokens: value = mean(x) @ w_up.T
    #  The up branch sees the mean of all tokens. Each token goes through by itself.
    #: `x @ w_up.T`, or `F.linear(x, w_up)`.
    #! elementwise: value = x * w_up.T
    #! up_not_transposed: value = x @ w_up
    #  w_up is not transposed. It is (out, in), as in nn.Linear.
    #: No `.detach()`, `.data`, `.item()` or `torch.no_grad()` here.
    #! up_detached: value = (x @ w_up.T).detach()
    #  The up branch is cut off from the gradient, so that w_up never learns.
    #! w_up_detached: value = x @ w_up.detach().T
    #  w_up is used without its gradient (`.data` or `.detach()`), so that it never learns.
    gate = swish(scores)
    #!+ silu_on_weights: gate = scores
    #: `(swish(x @ w_gate.T) * (x @ w_up.T)) @ w_down.T`
    #! bilinear: gate = scores
    #  There is no swish: the hidden units are the plain product of the two branches.
    #! silu_before: gate = swish(x) @ w_gate.T
    #  Swish is taken of x, before the projection. It bends x @ w_gate.T.
    #! silu_before_both: gate = swish(x) @ w_gate.T; value = swish(x) @ w_up.T
    #  Swish is taken of x, before both projections. It bends x @ w_gate.T only.
    #! gelu_on_up: gate = scores; value = F.gelu(value)
    #  The up branch goes through GELU. It goes straight through; swish belongs to the gate.
    #! sigmoid_on_up: gate = scores; value = torch.sigmoid(value)
    #  The up branch goes through a sigmoid, and the gate through nothing: that is GLU with the branches swapped.
    #! glu: gate = torch.sigmoid(scores)
    #  The gate is the sigmoid alone. That is GLU; SwiGLU's gate is swish(gate).
    #! glu_on_top: gate = torch.sigmoid(swish(scores))
    #  There is a sigmoid on top of swish: glu has taken a gate that was bent already.
    #! reglu: gate = F.relu(scores)
    #  The gate is a ReLU. That is ReGLU.
    #! geglu: gate = F.gelu(scores)
    #! geglu: gate = F.gelu(scores, approximate="tanh")
    #  The gate is a GELU. That is GEGLU, as in Gemma.
    #! tanh_gate: gate = torch.tanh(scores)
    #  The gate is a tanh.
    #! softplus_gate: gate = F.softplus(scores)
    #  The gate is a softplus.
    #! softmax_gate: gate = torch.softmax(scores, -1)
    #  A softmax lets the gates compete. Each gate stands alone.
    #! switch: gate = scores > 0
    #  The gate is a switch, 0 or 1, with no gradient.
    #! beta_1702: gate = swish(scores, 1.702)
    #  The sigmoid has the 1.702 that imitates GELU. SwiGLU in Llama has β = 1. [triton-lang/triton#8460]
    #! squared_relu: gate = F.relu(scores).square()
    #  The gate is a squared ReLU, as in Primer.
    #! other_curve: gate = F.mish(scores)
    #! other_curve: gate = F.elu(scores)
    #! other_curve: gate = F.leaky_relu(scores)
    #  The gate is bent by another curve (mish, ELU, leaky ReLU). Llama's is swish.
    #! hard_swish: gate = F.hardswish(scores)
    #  The gate is hard swish, three straight pieces.
    #! negative: gate = -swish(scores)
    #  There is a minus too many: the output has the wrong sign.
    #! silu_twice: gate = swish(swish(scores))
    #  Swish is applied twice.
    #! branches_clipped: gate = swish(scores.clamp(max=7))
    #! branches_clipped: gate = swish(scores.clamp(max=7)); value = value.clamp(-7, 7)
    #  Gates or values are clipped at 7, as in gpt-oss. Llama clips nothing. [triton-lang/triton#8460]
    #! gpt_oss: gate = swish(scores.clamp(max=7), 1.702); value = value.clamp(-7, 7) + 1
    #  That is gpt-oss's layer: 1.702 in the sigmoid, 1 added to the value, and clipped. Llama has none of these.
    #: No `.detach()`, `.data`, `.item()` or `torch.no_grad()` here.
    #! gate_detached: gate = swish(scores).detach()
    #  The gate is cut off from the gradient, so that w_gate never learns.
    #: Nothing needs to be clamped: torch.sigmoid is safe for all numbers.
    #! clamped: gate = swish(scores.clamp(-20, 20))
    #  The gate is clamped, so that large gates come out too small and without a gradient.
    #: `torch.sigmoid(x)` has neither problem.
    #! nan_gradient: gate = (wide(scores) * by_hand(wide(scores))).to(x.dtype)
    #  `1 + torch.exp(-x)` overflows below −88. Forwards that is a harmless 0; backwards it is
    #  inf · 0, which is NaN, and one NaN spoils all the weights.
    #! overflows_in_float16: gate = scores * by_hand(scores)
    #  `1 + torch.exp(-x)` leaves float16 below −11.1, where e^11.1 exceeds 65,504: the tail of the
    #  curve collapses to 0, and its gradient to NaN. [skyzh/tiny-llm PR#288]
    #: `swish(z)`, `F.silu(z)`, or `nn.SiLU()(z)`.
    #! layer_not_made: gate = nn.SiLU(scores)
    #  `nn.SiLU` is a layer, which has to be made before it is called.
    hidden = gate * value
    #: `(swish(x @ w_gate.T) * (x @ w_up.T)) @ w_down.T`
    #! bracket: hidden = swish(scores * value)
    #  A bracket closes too late: swish is taken of the product, not of the gate alone. [Nijikadesu/breakdown-minimind#3]
    #! gelu_of_product: hidden = F.gelu(scores * value)
    #  GELU is taken of the product. Swish bends the gate alone.
    #! missing_bracket: hidden = gate * x @ w_up.T
    #  `*` and `@` go from left to right: around x @ w_up.T a bracket is missing.
    #! one_matrix_split: value, scores = (x @ w_gate.T).chunk(2, -1); hidden = swish(scores) * value; w_down = w_down[:, : hidden.shape[-1]]
    #! one_matrix_split: scores, value = (x @ w_gate.T).chunk(2, -1); hidden = swish(scores) * value; w_down = w_down[:, : hidden.shape[-1]]
    #  One matrix is split in two halves, and w_up is not used. [Rishit-dagli/GLU#2]
    #! sum: hidden = gate + value
    #! sum: hidden = scores + swish(value)
    #! sum: hidden = swish(scores + value)
    #  The branches are added. A gate multiplies.
    #! subtracts: hidden = gate - value
    #! subtracts: hidden = value - gate
    #  The branches are subtracted.
    #! divides: hidden = gate / value
    #! divides: hidden = value / gate
    #  One branch is divided by the other. A gate multiplies.
    #! no_up: hidden = gate
    #  w_up is not used: that is the classic feed-forward layer with swish, and no gate.
    #! classic_relu: hidden = F.relu(scores)
    #  That is the classic feed-forward layer with ReLU: w_up is not used.
    #! no_gate: hidden = value
    #  w_gate is not used: two matrices in a row are one matrix.
    #! gate_unused: hidden = swish(value)
    #  w_gate is not used: swish bends the up branch, and nothing is gated. [mistralai/mistral-inference#139]
    #! silu_at_the_end: hidden = swish(gate * value)
    #  A second swish is taken of the product.
    #! normalises: hidden = normed(gate * value)
    #  The hidden units are normalised. In Llama the norm stands before the layer, once.
    #! scaled: hidden = gate * value / math.sqrt(w_gate.shape[0])
    #! scaled: hidden = gate * value / math.sqrt(x.shape[-1])
    #  The hidden units are divided by a root, sqrt(F) or sqrt(D). That belongs to attention's scores.
    #! matrix_product: hidden = gate @ value.T
    #! matrix_product: hidden = gate @ value.mT
    #! matrix_product: hidden = gate @ value
    #  `@` between the branches sums over the units. They gate each other one by one: `*`.
    out = hidden @ w_down.T
    #: `(swish(x @ w_gate.T) * (x @ w_up.T)) @ w_down.T`
    #! no_down: out = hidden
    #  It returns the hidden units: w_down is missing.
    #! silu_after_down: out = swish((scores * value) @ w_down.T)
    #  Swish is taken of the output. It bends the gate only.
    #! swish_once_more: out = swish(hidden @ w_down.T)
    #  The output goes through swish as well. It bends the gate only.
    #! down_each: out = (gate @ w_down.T) * (value @ w_down.T)
    #  Each branch goes down by itself and then they are multiplied. Multiply first: the hidden units gate each other one by one.
    #! down_on_one_branch: out = gate * (value @ w_down.T)
    #! down_on_one_branch: out = (gate @ w_down.T) * value
    #  `@ w_down.T` reaches one branch only: a bracket is missing around the product.
    #! elementwise: out = hidden * w_down.T
    #  `*` stands where a matrix product belongs: `@`.
    #! units_summed: out = (gate * value).sum(-1)
    #  The hidden units are summed up, and w_down is not used.
    #! up_for_down: out = hidden @ w_up
    #! up_for_down: out = hidden @ w_gate
    #  Back to D it takes the matrix of a branch once more, and w_down is not used.
    #! residual: out = x + hidden @ w_down.T
    #  x is added to the result. That is the block's doing, one floor up.
    #! down_not_transposed: out = hidden @ w_down
    #  w_down is (D, F), out and in, as in nn.Linear. It must be transposed like the others.
    #: No `.detach()`, `.data`, `.item()` or `torch.no_grad()` here.
    #! hidden_detached: out = hidden.detach() @ w_down.T
    #  The hidden units are cut off from the gradient, so that only w_down learns.
    #! w_down_detached: out = hidden @ w_down.detach().T
    #  w_down is used without its gradient (`.data` or `.detach()`), so that it never learns.
    return out
    #: No `.detach()`, `.data`, `.item()` or `torch.no_grad()` here.
    #! detached: return out.detach()
    #  The result is cut off from the gradient. Was it computed by numpy or under no_grad?
    #: Go back at the end: `.to(x.dtype)`.
    #! float32: return out.float()
    #  The result is float32 whatever came in.
    #! float32_for_half: return wide(out)
    #  The result is float32 where half precision came in.
    #! float64: return out.double()
    #  The result is float64 whatever came in.
    #: `return`
    #! no_return: pass
    #  It computes and returns nothing.


MISTAKES: list[Mistake] = mistakes_of(swiglu)
