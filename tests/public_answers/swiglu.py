"""Lab 07: mistakes that people made in public, rewritten as answers to its exercises."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from wrong_answers import Public


# swish
def beta_is_one(x: Tensor, beta: float = 1.0) -> Tensor:
    return x * torch.sigmoid(x)


def minus_forgotten(x: Tensor, beta: float = 1.0) -> Tensor:
    return x * (1 / (1 + torch.exp(beta * x)))


def sigmoid_with_one_on_top(x: Tensor, beta: float = 1.0) -> Tensor:
    return 1 / (1 + torch.exp(-beta * x))


def naive_silu(x: Tensor, beta: float = 1.0) -> Tensor:
    return x / (1.0 + torch.exp(-beta * x))


def one_minus_for_negatives(x: Tensor, beta: float = 1.0) -> Tensor:
    y = torch.sigmoid((beta * x).abs())
    return x * torch.where(beta * x < 0, 1 - y, y)


def finite_value_nan_slope(x: Tensor, beta: float = 1.0) -> Tensor:
    wide = x.float()
    return (wide / (1.0 + torch.exp(-beta * wide))).to(x.dtype)


# glu
def plus_for_times(gate: Tensor, value: Tensor) -> Tensor:
    return value + torch.sigmoid(gate)


def other_half(gate: Tensor, value: Tensor) -> Tensor:
    return F.glu(torch.cat((gate, value), dim=-1))


def gate_passes_itself(gate: Tensor, value: Tensor) -> Tensor:
    return F.silu(gate) * value


def same_half_twice(gate: Tensor, value: Tensor) -> Tensor:
    return torch.sigmoid(value) * value


def sigmoid_without_minus(gate: Tensor, value: Tensor) -> Tensor:
    return value / (1 + torch.exp(gate))


# swiglu
def silu_around_the_product(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    return F.linear(F.silu(F.linear(x, w_gate) * F.linear(x, w_up)), w_down)


def silu_on_x(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    gate, up = F.linear(x, w_gate), F.linear(x, w_up)
    return F.linear(F.silu(up) * gate, w_down)


def linear_plus_one(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    gate = F.silu(F.linear(x, w_gate))
    return F.linear(gate * (F.linear(x, w_up) + 1), w_down)


def clipped(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    gate = F.linear(x, w_gate).clamp(max=7.0)
    up = F.linear(x, w_up).clamp(min=-7.0, max=7.0)
    return F.linear(gate * torch.sigmoid(gate) * up, w_down)


def scaled_sigmoid(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    gate = F.linear(x, w_gate)
    return F.linear(gate * torch.sigmoid(1.702 * gate) * F.linear(x, w_up), w_down)


def interleaved(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    both = F.linear(x, torch.cat([w_gate, w_up]))
    gate, up = both[..., ::2], both[..., 1::2]
    return F.linear(F.silu(gate) * up, w_down)


def up_before_gate(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    up, gate = F.linear(x, torch.cat([w_gate, w_up])).chunk(2, dim=-1)
    return F.linear(F.silu(gate) * up, w_down)


def splits_x(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    hidden = F.linear(x, w_gate)
    out, gate = hidden.chunk(2, dim=-1)
    return F.linear(out * F.silu(gate), w_down[:, : out.shape[-1]])


# ffn_hidden_dim
def nearest(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    grow = 8 / 3 if multiplier is None else multiplier * 8 / 3
    return multiple_of * round(int(dim * grow) / multiple_of)


def down_to_a_multiple(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    hidden = int(4 * dim * 2 / 3)
    if multiplier is not None:
        hidden = int(multiplier * hidden)
    return int(hidden / multiple_of) * multiple_of


def ceil_first(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    hidden = math.ceil(dim * 8 / 3)
    if multiplier is not None:
        hidden = math.ceil(multiplier * hidden)
    return (hidden + multiple_of - 1) // multiple_of * multiple_of


def four_times(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    hidden = 4 * dim
    if multiplier is not None:
        hidden = int(multiplier * hidden)
    return multiple_of * ((hidden + multiple_of - 1) // multiple_of)


def two_thirds_twice(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    hidden = int(2 * 4 * dim / 3)
    hidden = int(2 * hidden / 3)
    if multiplier is not None:
        hidden = int(multiplier * hidden)
    return multiple_of * ((hidden + multiple_of - 1) // multiple_of)


def width_of_both(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    hidden = int(2 * 4 * dim / 3)
    if multiplier is not None:
        hidden = int(multiplier * hidden)
    hidden = multiple_of * ((hidden + multiple_of - 1) // multiple_of)
    return hidden // 2


def multiplier_is_one(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    hidden = int(8 * dim / 3)
    return multiple_of * ((hidden + multiple_of - 1) // multiple_of)


def closest_to_128(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    hidden = 8 * dim / 3 if multiplier is None else multiplier * 8 * dim / 3
    return 128 * round(hidden / 128)


def pi(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    factor = 1.0 if multiplier is None else multiplier
    return math.ceil(factor * dim * math.pi / multiple_of) * multiple_of


# SwiGLU
class _Right(nn.Module):
    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.w_gate = nn.Linear(dim, hidden_dim, bias=False)
        self.w_up = nn.Linear(dim, hidden_dim, bias=False)
        self.w_down = nn.Linear(hidden_dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.w_down(F.silu(self.w_gate(x)) * self.w_up(x))


class LearntBeta(_Right):
    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__(dim, hidden_dim)
        self.beta = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        gate = self.w_gate(x)
        return self.w_down(gate * torch.sigmoid(self.beta * gate) * self.w_up(x))


class Biases(_Right):
    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__(dim, hidden_dim)
        self.w_gate = nn.Linear(dim, hidden_dim, bias=True)
        self.w_up = nn.Linear(dim, hidden_dim, bias=True)
        self.w_down = nn.Linear(hidden_dim, dim, bias=True)


class ZeroBiases(Biases):
    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__(dim, hidden_dim)
        for layer in (self.w_gate, self.w_up, self.w_down):
            nn.init.zeros_(layer.bias)


class UnusedLayer(_Right):
    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__(dim, hidden_dim)
        self.dense = nn.Linear(dim, 2, bias=False)


class WidthIsFixed(_Right):
    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__(dim, 4 * dim)


class TwoThirdsOnTop(_Right):
    def __init__(self, dim: int, hidden_dim: int) -> None:
        hidden_dim = int(2 * hidden_dim / 3)
        super().__init__(dim, 256 * ((hidden_dim + 255) // 256))


class Packed(nn.Module):
    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.w_gate_up = nn.Linear(dim, 2 * hidden_dim, bias=False)
        self.w_down = nn.Linear(hidden_dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.w_gate_up(x).chunk(2, dim=-1)
        return self.w_down(F.silu(gate) * up)


class OtherNames(nn.Module):
    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.c_fc = nn.Linear(dim, hidden_dim, bias=False)
        self.c_proj = nn.Linear(dim, hidden_dim, bias=False)
        self.out_proj = nn.Linear(hidden_dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.out_proj(F.silu(self.c_fc(x)) * self.c_proj(x))


class SiluAroundBoth(_Right):
    def forward(self, x: Tensor) -> Tensor:
        return self.w_down(F.silu(self.w_gate(x) * self.w_up(x)))


class SiluOnUp(_Right):
    def forward(self, x: Tensor) -> Tensor:
        return self.w_down(F.silu(self.w_up(x)) * self.w_gate(x))


class NeverGated(_Right):
    def forward(self, x: Tensor) -> Tensor:
        return self.w_down(F.silu(self.w_up(x)))


PUBLIC = {
    "swish": [
        Public(beta_is_one, "mlpack/mlpack#2914", "beta is left out", named=("ignores_beta",)),
        Public(
            minus_forgotten,
            "pytorch/torcharrow#523",
            "the minus of the sigmoid is forgotten: the gate is the wrong way round",
            named=("wrong_sign",),
        ),
        Public(
            sigmoid_with_one_on_top,
            "joaopauloschuler/neural-api#21",
            "only the gate: x does not pass",
            named=("sigmoid_only",),
        ),
        Public(
            naive_silu,
            "antirez/ds4#498",
            "the sigmoid written out, which overflows far on the left",
            named=("overflows_in_float16",),
        ),
        Public(
            one_minus_for_negatives,
            "skyzh/tiny-llm#164",
            "1 - sigmoid(-x) for negative x: the tail is rounded away in 16 bits",
            named=("one_minus_sigmoid",),
        ),
        Public(
            finite_value_nan_slope,
            "trymirai/lalamo#328",
            "the sigmoid written out in float32: finite, but the slope far left is NaN",
            named=("nan_gradient",),
        ),
    ],
    "glu": [
        Public(
            plus_for_times,
            "LeronQ/STGCN-Pytorch#1",
            "adds where it should multiply",
            named=("sum",),
        ),
        Public(
            other_half, "NVIDIA/Megatron-LM#458", "gate and value are swapped", named=("swapped",)
        ),
        Public(
            gate_passes_itself,
            "pytorch/pytorch#167240",
            "the gate is swish: SwiGLU's",
            named=("swish_gate",),
        ),
        Public(
            same_half_twice,
            "pytorch/pytorch#173617",
            "the value opens its own gate: the gate is not used",
            named=("value_gates_itself",),
        ),
        Public(
            sigmoid_without_minus,
            "pytorch/torcharrow#523",
            "the minus of the sigmoid is forgotten: the gate is the wrong way round",
            named=("inverted",),
        ),
    ],
    "swiglu": [
        Public(
            silu_around_the_product,
            "Nijikadesu/breakdown-minimind#3",
            "swish is around the product",
            named=("bracket",),
        ),
        Public(
            silu_on_x, "ml-explore/mlx-lm#767", "swish sits on the value", named=("silu_on_up",)
        ),
        Public(
            linear_plus_one,
            "triton-lang/triton#8460",
            "1 is added to the value",
            named=("up_plus_one",),
        ),
        Public(
            clipped,
            "triton-lang/triton#8460",
            "gates and values are clipped at 7",
            named=("clamped", "branches_clipped"),
        ),
        Public(
            scaled_sigmoid, "triton-lang/triton#8460", "another beta, 1.702", named=("beta_1702",)
        ),
        Public(
            interleaved,
            "vllm-project/vllm#29273",
            "gates and values are taken in turns from the stacked matrix: every second row of both",
            named=("interleaved",),
        ),
        Public(
            up_before_gate,
            "charlie12345/ROCmFPX#49",
            "the halves of the stacked matrix are swapped: swish sits on the value",
            named=("silu_on_up",),
        ),
        Public(
            splits_x,
            "Rishit-dagli/GLU#2",
            "one matrix is split in two halves, and w_up is not used",
            named=("one_matrix_split",),
        ),
    ],
    "ffn_hidden_dim": [
        Public(
            nearest,
            "foundation-model-stack/fms-fsdp#52",
            "rounds to the nearest multiple",
            named=("rounds_to_nearest",),
        ),
        Public(
            down_to_a_multiple,
            "deepspeedai/Megatron-DeepSpeed#184",
            "rounds down to a multiple",
            named=("rounds_down",),
        ),
        Public(
            ceil_first,
            "huggingface/transformers#24891",
            "rounds 8/3 dim up, where it should cut",
            named=("ceil_fractions",),
        ),
        Public(
            four_times,
            "cli99/llm-analysis#7",
            "two thirds are left out: four times dim",
            named=("four_dim",),
        ),
        Public(
            two_thirds_twice,
            "EleutherAI/gpt-neox#1309",
            "two thirds are taken twice",
            named=("two_thirds_twice",),
        ),
        Public(
            width_of_both,
            "EleutherAI/gpt-neox#1309",
            "the width is halved, as if it counted gates and values together",
            named=("halved",),
        ),
        Public(
            multiplier_is_one,
            "huggingface/transformers#24891",
            "the factor is left out",
            named=("ignores_multiplier",),
        ),
        Public(
            closest_to_128,
            "huggingface/transformers#27139",
            "rounds to the nearest multiple of 128, whatever was asked for",
            named=("rounds_to_nearest", "fixed_128"),
        ),
        Public(pi, "jingyaogong/minimind#742", "π in place of 8/3", named=("pi",)),
    ],
    "SwiGLU": [
        Public(
            LearntBeta,
            "bkitano/llama-from-scratch#7",
            "beta is learnt: a fourth parameter",
            named=("learnt_beta",),
        ),
        Public(Biases, "bclarkson-code/Tricycle#19", "all three have biases", named=("with_bias",)),
        Public(
            ZeroBiases,
            "facebookresearch/xformers#504",
            "all three have biases, which start at zero",
            named=("with_bias",),
        ),
        Public(
            UnusedLayer,
            "Rishit-dagli/GLU#2",
            "a layer that is never used",
            named=("unused_layer",),
        ),
        Public(
            WidthIsFixed,
            "Modalities/modalities#289",
            "4 · dim in place of hidden_dim",
            named=("four_dim",),
        ),
        Public(
            TwoThirdsOnTop,
            "EleutherAI/gpt-neox#1309",
            "the hidden size is computed again, though it is final",
            named=("two_thirds_again", "rule_again"),
        ),
        Public(
            Packed,
            "aws-neuron/neuronx-nemo-megatron#24",
            "w_gate and w_up are one matrix",
            named=("fused",),
        ),
        Public(
            OtherNames,
            "Modalities/modalities#170",
            "other names than w_gate, w_up and w_down",
            named=("other_names",),
        ),
        Public(
            SiluAroundBoth,
            "Nijikadesu/breakdown-minimind#3",
            "swish is around the product",
            named=("bracket",),
        ),
        Public(SiluOnUp, "ml-explore/mlx-lm#767", "swish sits on the value", named=("silu_on_up",)),
        Public(
            NeverGated,
            "mistralai/mistral-inference#139",
            "w_gate is not used",
            named=("gate_unused",),
        ),
    ],
}
