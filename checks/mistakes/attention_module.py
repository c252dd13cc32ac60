"""Lab 04, 4.6: what people write for MultiHeadAttention.

Sources are the public issues in which somebody really made the mistake.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from checks.engine import Mistake
from checks.mistakes.attention import WEIGHTS
from checks.reference import attention as right

Layer = right.MultiHeadAttention


def module(key: str, says: str, hint: str, source: str = "", **steps: Callable) -> Mistake:
    """A module that does one or more of its steps wrong: `step(layer, ...)` replaces the method."""
    return Mistake(key, type("Wrong", (Layer,), steps), says, hint, source)


def built(key: str, says: str, hint: str, change: Callable[[Layer, int, int], None]) -> Mistake:
    """A module whose constructor does something more at the end, or takes something away."""

    class Wrong(Layer):
        def __init__(self, dim: int, n_heads: int) -> None:
            super().__init__(dim, n_heads)
            change(self, dim, n_heads)

    return Mistake(key, Wrong, says, hint)


def with_weights(mistake: Mistake) -> Mistake:
    """A module that makes a mistake of attention_weights."""

    def attend(layer: Layer, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        weights = mistake.wrong(q, k, layer.mask(q.shape[-2]).to(q.device))
        return weights @ v.to(weights.dtype)

    return module(mistake.key, mistake.says, mistake.hint, mistake.source, attend=attend)


def turned(x: Tensor, angles: Tensor) -> Tensor:
    """RoPE in x's dtype: (..., T, d), (T, d/2) → (..., T, d)."""
    return right.rotate(x.double(), angles).to(x.dtype)


def half_split(x: Tensor, angles: Tensor) -> Tensor:
    """RoPE on the pairs (i, i + d/2), as Hugging Face lays them out."""
    x, (a, b) = x, x.double().chunk(2, dim=-1)
    cos, sin = angles.double().cos(), angles.double().sin()
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1).to(x.dtype)


def _whole_width(layer: Layer, x: Tensor, angles: Tensor, repeat: Callable) -> Tensor:
    """Rotate (B, H, T, d) as one vector of H·d features with `repeat`ed angles."""
    return layer.split(turned(layer.merge(x), repeat(angles, layer.n_heads)))


def _interleaved(angles: Tensor, n: int) -> Tensor:
    return angles.repeat_interleave(n, dim=-1)


def _first_head(layer: Layer, x: Tensor, angles: Tensor) -> Tensor:
    return torch.cat([turned(x[:, :1], angles), x[:, 1:]], dim=1)


def _own_angles(layer: Layer, x: Tensor) -> Tensor:
    """The angles of positions 0 to T - 1 with base 10,000, whatever was handed over."""
    d = x.shape[-1]
    frequencies = 10_000.0 ** (-torch.arange(0, d, 2) / d)
    return torch.arange(x.shape[-2])[:, None] * frequencies


def _zeros(layer: Layer, dim: int, n_heads: int) -> None:
    for weight in layer.parameters():
        nn.init.zeros_(weight)


def _frozen(layer: Layer, dim: int, n_heads: int) -> None:
    layer.requires_grad_(False)


def _biases(layer: Layer, dim: int, n_heads: int) -> None:
    for name in ("wq", "wk", "wv", "wo"):
        setattr(layer, name, nn.Linear(dim, dim))


def _bias_at_the_end(layer: Layer, dim: int, n_heads: int) -> None:
    layer.wo = nn.Linear(dim, dim)


def _one_for_three(layer: Layer, dim: int, n_heads: int) -> None:
    del layer.wq, layer.wk, layer.wv
    layer.wqkv = nn.Linear(dim, 3 * dim, bias=False)
    layer.project = lambda x: layer.wqkv(x).chunk(3, dim=-1)


def _shared(layer: Layer, dim: int, n_heads: int) -> None:
    layer.wk = layer.wq


def _tied_values(layer: Layer, dim: int, n_heads: int) -> None:
    layer.wv = layer.wk


def _without_wo(layer: Layer, dim: int, n_heads: int) -> None:
    del layer.wo
    layer.out = lambda x: x


def _renamed(layer: Layer, dim: int, n_heads: int) -> None:
    for name in "qkvo":
        setattr(layer, f"{name}_proj", getattr(layer, f"w{name}"))
        delattr(layer, f"w{name}")
    layer.project = lambda x: (layer.q_proj(x), layer.k_proj(x), layer.v_proj(x))
    layer.out = lambda x: layer.o_proj(x)


def _head_sized(layer: Layer, dim: int, n_heads: int) -> None:
    for name in ("wq", "wk", "wv"):
        setattr(layer, name, nn.Linear(dim, dim // n_heads, bias=False))
    layer.split = lambda x: x[:, None].expand(-1, n_heads, -1, -1)


def _hidden_list(layer: Layer, dim: int, n_heads: int) -> None:
    layer.hidden = [(layer.wq, layer.wk, layer.wv)]
    del layer.wq, layer.wk, layer.wv
    layer.project = lambda x: tuple(w(x) for w in layer.hidden[0])


def _plain_matrices(layer: Layer, dim: int, n_heads: int) -> None:
    for name in ("wq", "wk", "wv", "wo"):
        delattr(layer, name)
        setattr(layer, name, nn.Parameter(torch.randn(dim, dim) / math.sqrt(dim)))
    layer.project = lambda x: (x @ layer.wq.T, x @ layer.wk.T, x @ layer.wv.T)
    layer.out = lambda x: x @ layer.wo.T


def _not_transposed(layer: Layer, x: Tensor) -> tuple[Tensor, ...]:
    return x @ layer.wq.weight, x @ layer.wk.weight, x @ layer.wv.weight


def _across_batch(layer: Layer, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Every sentence also sees the earlier ones."""
    shape = q.shape
    q, k, v = (y.transpose(0, 1).flatten(1, 2)[None] for y in (q, k, v))  # (1, H, B·T, d)
    out = right.attention(q, k, v, right.causal_mask(q.shape[2], q.shape[2]))
    return out[0].unflatten(1, (shape[0], shape[2])).transpose(0, 1)


def _keeps_keys(layer: Layer, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Every call also sees the keys and values of the calls before."""
    if getattr(layer, "kept", None) is not None and layer.kept[0].shape[:2] == k.shape[:2]:
        k, v = torch.cat([layer.kept[0], k], 2), torch.cat([layer.kept[1], v], 2)
    layer.kept = (k.detach(), v.detach())
    return right.attention(q, k, v, right.causal_mask(q.shape[2], k.shape[2]))


def _keeps_mask(layer: Layer, n: int) -> Tensor:
    """The mask of the first call, cut to size or filled up with True."""
    if not hasattr(layer, "kept_mask"):
        layer.kept_mask = right.causal_mask(n, n)
    full = torch.ones(n, n, dtype=torch.bool)
    m = min(n, len(layer.kept_mask))
    full[:m, :m] = layer.kept_mask[:m, :m]
    return full


def _one_head(layer: Layer, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q, k, v = (right.merge_heads(y)[:, None] for y in (q, k, v))  # (B, 1, T, dim)
    mask = right.causal_mask(q.shape[2], q.shape[2])
    return right.split_heads(right.attention(q, k, v, mask)[:, 0], layer.n_heads)


def _one_pattern(layer: Layer, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    mask = right.causal_mask(q.shape[2], q.shape[2])
    return right.attention_weights(q, k, mask).mean(1, keepdim=True) @ v


def _scaled_by_model(layer: Layer, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    mask = right.causal_mask(q.shape[2], q.shape[2])
    return right.attention(q / math.sqrt(layer.n_heads), k, v, mask)


def _masked(mask: Callable[[int], Tensor]) -> dict[str, Callable]:
    return {"mask": lambda layer, n: mask(n)}


def _upper(n: int, diagonal: int = 0) -> Tensor:
    return torch.ones(n, n, dtype=torch.bool).triu(diagonal)


class _HeadsOfTheClass(Layer):
    made_last = 1

    def __init__(self, dim: int, n_heads: int) -> None:
        super().__init__(dim, n_heads)
        _HeadsOfTheClass.made_last = n_heads

    def split(self, x: Tensor) -> Tensor:
        return right.split_heads(x, self.made_last)


class _TrainingOnly(Layer):
    def out(self, x: Tensor) -> Tensor:
        return super().out(x) if self.training else 0.9 * super().out(x)


class _ReturnsBoth(Layer):
    def forward(self, x: Tensor, angles: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(x, angles), x


class _LastOnly(Layer):
    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        return super().forward(x, angles)[:, -1:]


class _Residual(Layer):
    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        return x + super().forward(x, angles)


class _RotatedInput(Layer):
    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        x = turned(x, angles.repeat(1, self.n_heads))
        return super().forward(x, torch.zeros_like(angles))


class _Float32(Layer):
    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        return super().forward(x, angles).float()


class _NoGradient(Layer):
    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        with torch.no_grad():
            return super().forward(x, angles)


class _InputDetached(Layer):
    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        return super().forward(x.detach(), angles)


class _WeightsDetached(Layer):
    def project(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(x @ w.weight.data.T for w in (self.wq, self.wk, self.wv))


class _TurnedInPlace(Layer):
    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        out = super().forward(x, angles)
        angles.cos_()
        return out


ROTATE = "`q, k = apply_rope(q, angles), apply_rope(k, angles)`, after split_heads."
MASK = "`causal_mask(T, T)`, handed to attention."
LINEAR = "`nn.Linear(dim, dim, bias=False)`, four times: wq, wk, wv, wo."
OUT = "`return self.wo(merge_heads(…))`"
IN_MODULE = {
    "no_scale",
    "fixed_scale",
    "softmax_over_queries",
    "softmax_over_dim_1",
    "no_softmax",
    "unstable_softmax",
    "mask_multiplied",
    "mask_after_softmax",
    "zero_times_infinity",
    "billion_in_half",
    "keys_detached",
    "fill_too_small",
}
MODULE = [
    module(
        "angles_in_half",
        "The angles are rounded to x's dtype. At position 1000 bfloat16 has steps of 4, so that "
        "neighbours get the same angle.",
        "Hand the angles to apply_rope as they came, in float32.",
        "huggingface/transformers#29285, KellerJordan/modded-nanogpt#39",
        turn=lambda layer, q, k, v, angles: (
            turned(q, angles.to(q.dtype)),
            turned(k, angles.to(k.dtype)),
            v,
        ),
    ),
    Mistake(
        "heads_of_the_class",
        _HeadsOfTheClass,
        "The number of heads is kept outside of the module, so that the layer made last decides "
        "for all.",
        "`self.n_heads = n_heads` in `__init__`.",
    ),
    module(
        "fixed_mask",
        "The mask has a fixed size of 16 positions, and the text is longer.",
        "Make it in forward, for the T of this x.",
        mask=lambda layer, n: right.causal_mask(16, 16)[:n, :n],
    ),
    module(
        "sliding_window",
        "A query sees the nearest 16 positions only. Here it sees all that came before.",
        MASK,
        mask=lambda layer, n: right.causal_mask(n, n) & _upper(n, -15),
    ),
    Mistake(
        "training_only",
        _TrainingOnly,
        "In eval mode it does something else than in training.",
        "Nothing here depends on `self.training`.",
    ),
    built("with_bias", "The linear maps have biases. Llama's have none.", LINEAR, _biases),
    built("bias_in_wo", "wo has a bias. Llama's has none.", LINEAR, _bias_at_the_end),
    built(
        "wq_shared_with_wk",
        "wq and wk are one and the same map: what a token looks for would be what it offers.",
        LINEAR,
        _shared,
    ),
    built("wk_shared_with_wv", "wk and wv are one and the same map.", LINEAR, _tied_values),
    built(
        "one_map_for_three",
        "One map makes queries, keys and values together. That is quick, but here Llama's names "
        "are wanted: wq, wk, wv.",
        LINEAR,
        _one_for_three,
    ),
    built(
        "without_wo",
        "There is no wo: nothing mixes what the heads found.",
        LINEAR,
        _without_wo,
    ),
    built(
        "other_names",
        "The maps have Hugging Face's names (q_proj, …). Here they are Meta's.",
        LINEAR,
        _renamed,
    ),
    built(
        "one_head_wide",
        "wq, wk and wv give d features, enough for one head. They give H·d = dim.",
        LINEAR,
        _head_sized,
    ),
    built(
        "hidden_in_a_list",
        "The maps lie in a plain list: no optimizer finds them, and they are not saved.",
        "Assign each to self, or use nn.ModuleList.",
        _hidden_list,
    ),
    built(
        "matrices_not_linears",
        "The maps are bare parameters. As nn.Linear they are called wq.weight, as in Llama's "
        "checkpoints.",
        LINEAR,
        _plain_matrices,
    ),
    built(
        "starts_at_zero",
        "All weights start at zero: the output is 0 and so is every gradient, for ever.",
        "nn.Linear initialises itself.",
        _zeros,
    ),
    built(
        "frozen",
        "The weights do not learn: requires_grad is False.",
        "nn.Linear's weights require gradients by themselves.",
        _frozen,
    ),
    module(
        "view_without_transpose",
        "split reshapes straight to (B, H, T, d): the features of a head come from other "
        "positions, later ones too.",
        "Use split_heads.",
        "hyunwoongko/transformer#15, reczoo/FuxiCTR#30",
        split=lambda layer, x: x.reshape(x.shape[0], layer.n_heads, x.shape[1], -1),
    ),
    module(
        "merge_without_transpose",
        "The heads are merged without transposing: a position gets features of other positions, "
        "later ones too.",
        "Use merge_heads.",
        "jsbaan/transformer-from-scratch#4, hackiey/QAnet-pytorch#2",
        merge=lambda layer, x: x.reshape(x.shape[0], x.shape[2], -1),
    ),
    module(
        "neither_transposed",
        "Neither splitting nor merging transposes. One undoes the other, but in between a head "
        "compares the wrong things.",
        "Use split_heads and merge_heads.",
        split=lambda layer, x: x.reshape(x.shape[0], layer.n_heads, x.shape[1], -1),
        merge=lambda layer, x: x.reshape(x.shape[0], x.shape[2], -1),
    ),
    module(
        "every_hth_feature",
        "Head h gets the features h, h + H, … Weights of a real Llama would not fit.",
        "Use split_heads.",
        split=lambda layer, x: x.reshape(*x.shape[:2], -1, layer.n_heads).permute(0, 3, 1, 2),
    ),
    module(
        "heads_inside",
        "The heads are merged with their features interleaved.",
        "Use merge_heads.",
        merge=lambda layer, x: x.permute(0, 2, 3, 1).flatten(2),
    ),
    module(
        "one_head",
        "All features are compared at once, as by a single head of size dim.",
        "split_heads, before attention.",
        attend=_one_head,
    ),
    module(
        "one_pattern_for_all",
        "All heads use the same weights, their average. Each head has its own.",
        "attention works on (B, H, T, d) as it is.",
        attend=_one_pattern,
    ),
    module(
        "scaled_by_model",
        "The scores are divided by sqrt(dim). A head's dot product has d = dim / H terms.",
        "`math.sqrt(q.shape[-1])` of the split queries.",
        "FareedKhan-dev/train-llm-from-scratch#3, omihub777/ViT-CIFAR#11, "
        "aladdinpersson/Machine-Learning-Collection#65",
        attend=_scaled_by_model,
    ),
    module(
        "not_causal",
        "There is no mask: every token sees the ones it has to predict.",
        MASK,
        "huggingface/transformers#48745",
        **_masked(lambda n: torch.ones(n, n, dtype=torch.bool)),
    ),
    module(
        "inverted_mask",
        "The mask is inverted: a token sees only what comes after it.",
        "True means: may look.",
        **_masked(lambda n: _upper(n, 1)),
    ),
    module(
        "sees_the_future",
        "The mask is the upper triangle: a token sees itself and what comes after it.",
        MASK,
        **_masked(_upper),
    ),
    module(
        "sees_one_ahead",
        "A token sees the next one, which is the one that it has to predict.",
        MASK,
        "RVC-Boss/GPT-SoVITS#965",
        **_masked(lambda n: ~_upper(n, 2)),
    ),
    module(
        "does_not_see_itself",
        "A token does not see itself, and the first one sees nothing: NaN.",
        MASK,
        "trymirai/lalamo#273",
        **_masked(lambda n: ~_upper(n, 0)),
    ),
    module(
        "only_itself",
        "Each token sees itself and nothing else.",
        MASK,
        **_masked(lambda n: torch.eye(n, dtype=torch.bool)),
    ),
    module(
        "rope_on_values",
        "The values are rotated as well. What a token says does not depend on where it stands.",
        ROTATE,
        turn=lambda layer, q, k, v, angles: tuple(turned(y, angles) for y in (q, k, v)),
    ),
    module(
        "rope_on_values_only",
        "The values are rotated, and queries and keys are not.",
        ROTATE,
        turn=lambda layer, q, k, v, angles: (q, k, turned(v, angles)),
    ),
    module(
        "no_rope",
        "Nothing is rotated, or all positions by the same angle (by the head's number, where the "
        "position belongs?): the layer does not know where a token stands.",
        ROTATE + " The positions are the last dimension but one.",
        "mlfoundations/open_lm#4, facebookresearch/xformers#841",
        turn=lambda layer, q, k, v, angles: (q, k, v),
    ),
    module(
        "rope_on_queries_only",
        "Only the queries are rotated: the scores depend on where the sentence starts.",
        ROTATE,
        turn=lambda layer, q, k, v, angles: (turned(q, angles), k, v),
    ),
    module(
        "rope_on_keys_only",
        "Only the keys are rotated: the scores depend on where the sentence starts.",
        ROTATE,
        turn=lambda layer, q, k, v, angles: (q, turned(k, angles), v),
    ),
    module(
        "rope_twice",
        "Queries and keys are rotated twice.",
        ROTATE,
        turn=lambda layer, q, k, v, angles: (turned(q, 2 * angles), turned(k, 2 * angles), v),
    ),
    module(
        "rope_backwards",
        "It rotates by minus the angle.",
        ROTATE,
        turn=lambda layer, q, k, v, angles: (turned(q, -angles), turned(k, -angles), v),
    ),
    module(
        "rope_in_opposite_directions",
        "Queries and keys are rotated in opposite directions: angles add up instead of cancelling.",
        ROTATE,
        turn=lambda layer, q, k, v, angles: (turned(q, angles), turned(k, -angles), v),
    ),
    module(
        "rope_half_split",
        "It rotates the pairs (i, i + d/2), as Hugging Face does. Here the pairs are (2i, 2i + 1).",
        "apply_rope of lab 03, not apply_rope_half.",
        "rasbt/LLMs-from-scratch#747",
        turn=lambda layer, q, k, v, angles: (half_split(q, angles), half_split(k, angles), v),
    ),
    module(
        "rope_before_split",
        "It rotates before the heads are split, with the angles stretched over all features: a "
        "head gets angles that belong to others.",
        ROTATE,
        turn=lambda layer, q, k, v, angles: (
            *(_whole_width(layer, y, angles, _interleaved) for y in (q, k)),
            v,
        ),
    ),
    module(
        "rope_on_first_head",
        "Only the first head is rotated. Every head needs positions.",
        ROTATE,
        turn=lambda layer, q, k, v, angles: (
            _first_head(layer, q, angles),
            _first_head(layer, k, angles),
            v,
        ),
    ),
    module(
        "own_angles",
        "It makes angles of its own, for positions 0, 1, 2, … The ones it is given may be others.",
        "Use `angles`.",
        turn=lambda layer, q, k, v, angles: (
            turned(q, _own_angles(layer, q)),
            turned(k, _own_angles(layer, k)),
            v,
        ),
    ),
    Mistake(
        "rope_on_input",
        _RotatedInput,
        "x is rotated before wq and wk, and before wv with it.",
        ROTATE,
    ),
    module(
        "forgets_wo",
        "wo is not used: the heads stay side by side, unmixed.",
        OUT,
        out=lambda layer, x: x,
    ),
    module(
        "wo_too_early",
        "wo is applied to the values, before attention: its weights mix heads, so it comes last.",
        OUT,
        project=lambda layer, x: (layer.wq(x), layer.wk(x), layer.wo(layer.wv(x))),
        out=lambda layer, x: x,
    ),
    module(
        "wq_for_keys",
        "The keys are made by wq; wk is not used.",
        "`self.wk(x)`",
        project=lambda layer, x: (layer.wq(x), layer.wq(x), layer.wv(x)),
    ),
    module(
        "wk_for_queries",
        "The queries are made by wk; wq is not used.",
        "`self.wq(x)`",
        project=lambda layer, x: (layer.wk(x), layer.wk(x), layer.wv(x)),
    ),
    module(
        "wk_for_values",
        "The values are made by wk; wv is not used.",
        "`self.wv(x)`",
        project=lambda layer, x: (layer.wq(x), layer.wk(x), layer.wk(x)),
    ),
    module(
        "wv_for_keys",
        "The keys are made by wv; wk is not used.",
        "`self.wk(x)`",
        project=lambda layer, x: (layer.wq(x), layer.wv(x), layer.wv(x)),
    ),
    module(
        "queries_and_keys_swapped",
        "wq makes the keys and wk the queries.",
        "`q = …self.wq(x)…`, `k = …self.wk(x)…`",
        project=lambda layer, x: (layer.wk(x), layer.wq(x), layer.wv(x)),
    ),
    module(
        "keys_and_values_swapped",
        "wk makes the values and wv the keys.",
        "Keys are compared, values are averaged.",
        project=lambda layer, x: (layer.wq(x), layer.wv(x), layer.wk(x)),
    ),
    module(
        "values_not_projected",
        "The values are x itself; wv is not used.",
        "`self.wv(x)`",
        project=lambda layer, x: (layer.wq(x), layer.wk(x), x),
    ),
    module(
        "weights_not_transposed",
        "It computes x @ weight. nn.Linear stores its weight as (out, in): x @ weight.T.",
        "Call the maps: `self.wq(x)`.",
        project=_not_transposed,
    ),
    module(
        "sentences_together",
        "The sentences of a batch see each other.",
        "The batch stays a dimension of its own.",
        attend=_across_batch,
    ),
    module(
        "keeps_keys",
        "It remembers keys and values from one call to the next. (That is lab 05, and with a "
        "cache that the caller hands over.)",
        "Nothing of a call may stay in the module.",
        "Lightning-AI/litgpt#1595",
        attend=_keeps_keys,
    ),
    module(
        "keeps_mask",
        "The mask of the first call is used for all others, whatever their length.",
        "Make it in forward, for the T of this x.",
        mask=_keeps_mask,
    ),
    module(
        "mask_on_cpu",
        "The mask lies on the CPU whatever the device of x is.",
        "`causal_mask(T, T).to(x.device)`",
        attend=lambda layer, q, k, v: right.attention(q, k, v, layer.mask(q.shape[-2])),
    ),
    Mistake("returns_both", _ReturnsBoth, "It returns two things. One is wanted.", OUT),
    Mistake(
        "last_position_only",
        _LastOnly,
        "Only the last position comes back. All T are wanted.",
        OUT,
    ),
    Mistake(
        "adds_residual",
        _Residual,
        "It adds x. The residual connection comes later, in the block.",
        OUT,
    ),
    Mistake("float32_result", _Float32, "The result is float32 whatever x is.", OUT),
    Mistake(
        "no_gradient",
        _NoGradient,
        "Nothing gets a gradient: the layer cannot learn.",
        "No `torch.no_grad()` here, and no `.detach()` at the end.",
    ),
    Mistake("input_detached", _InputDetached, "x is cut off from the gradient.", "No `.detach()`."),
    Mistake(
        "weights_detached",
        _WeightsDetached,
        "It uses `.weight.data`: wq, wk and wv get no gradient.",
        "Call the maps: `self.wq(x)`.",
    ),
    Mistake(
        "angles_changed",
        _TurnedInPlace,
        "It changes the caller's angles in place.",
        "`angles.cos()`, without the underscore, makes a new tensor.",
    ),
    *(with_weights(m) for m in WEIGHTS if m.key in IN_MODULE),
]
