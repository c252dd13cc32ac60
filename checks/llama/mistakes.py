"""Lab 08, 8.1 and 8.3: what people write for DecoderBlock and count_parameters.

Sources are the public issues in which somebody really made the mistake.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from checks.engine import Mistake
from checks.llama.reference import (
    DecoderBlock,
    GroupedQueryAttention,
    RMSNorm,
    SwiGLU,
    count_parameters,
)


def wrong_block(key: str, says: str, hint: str, source: str = "", **steps: Callable) -> Mistake:
    """A block that does one or more of its steps wrong: `step(block, ...)` replaces the method."""
    return Mistake(key, type("Wrong", (DecoderBlock,), steps), says, hint, source)


def flow(
    key: str, says: str, formula: Callable[..., Tensor], hint: str = "", source: str = ""
) -> Mistake:
    """formula(block, x, attend, feed) for the whole block; attend and feed are the bare parts."""

    def forward(self: Any, x: Tensor, angles: Tensor, cache: Any = None) -> Any:
        return formula(self, x, lambda y: self.attention(y, angles, cache), self.feed_forward)

    return wrong_block(key, says, hint or BLOCK, source, forward=forward)


def built(key: str, says: str, hint: str, change: Callable[[Any, Any], None]) -> Mistake:
    """A block whose constructor does something more at the end; or config is changed before."""

    class Wrong(DecoderBlock):
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            change(self, config)

    return Mistake(key, Wrong, says, hint)


def configured(key: str, says: str, hint: str, change: Callable[[Any], dict]) -> Mistake:
    """A block that takes other sizes than it is given."""

    class Wrong(DecoderBlock):
        def __init__(self, config: Any) -> None:
            super().__init__(replace(config, **change(config)))

    return Mistake(key, Wrong, says, hint)


BLOCK = "`x = x + self.attention(self.attention_norm(x), angles, cache)`, and so for feed_forward."
SECOND = "`x + self.feed_forward(self.ffn_norm(x))`, with the x that attention was added to."
NORM = "`RMSNorm(config.dim, config.norm_eps)`, one for each part."
ATTEND = "`GroupedQueryAttention(config.dim, config.n_heads, config.n_kv_heads)`"
FEED = "`SwiGLU(config.dim, config.hidden_dim)`"
CACHE = "`self.attention(self.attention_norm(x), angles, cache)`: all three."


def _renamed(block: Any, config: Any) -> None:
    for ours, theirs in (
        ("attention_norm", "input_layernorm"),
        ("attention", "self_attn"),
        ("ffn_norm", "post_attention_layernorm"),
        ("feed_forward", "mlp"),
    ):
        setattr(block, theirs, getattr(block, ours))
        delattr(block, ours)


def _one_norm(block: Any, config: Any) -> None:
    block.ffn_norm = block.attention_norm


def _norms_missing(block: Any, config: Any) -> None:
    del block.attention_norm, block.ffn_norm


class _LayerNorms(DecoderBlock):
    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.attention_norm = nn.LayerNorm(config.dim, config.norm_eps)
        self.ffn_norm = nn.LayerNorm(config.dim, config.norm_eps)


class _CenteredNorm(RMSNorm):
    """LayerNorm without a bias: same names, another norm."""

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x.float(), x.shape[-1:], self.weight.float(), eps=self.eps).to(x.dtype)


def _centered(block: Any, config: Any) -> None:
    block.attention_norm = _CenteredNorm(config.dim, config.norm_eps)
    block.ffn_norm = _CenteredNorm(config.dim, config.norm_eps)


def _first_eps(block: Any, config: Any) -> None:
    block.attention_norm.eps = 1e-5


def _second_eps(block: Any, config: Any) -> None:
    block.ffn_norm.eps = 1e-5


class _TwiceTheSame(DecoderBlock):
    """A second attention where SwiGLU should be: names are right, of other shapes."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.feed_forward = GroupedQueryAttention(config.dim, config.n_heads, config.n_kv_heads)


class _Relu(SwiGLU):
    def forward(self, x: Tensor) -> Tensor:
        return self.times("w_down", self.times("w_gate", x).relu() * self.times("w_up", x))


def _reglu(block: Any, config: Any) -> None:
    block.feed_forward = _Relu(config.dim, config.hidden_dim)


def _frozen(block: Any, config: Any) -> None:
    block.requires_grad_(False)


def _norms_at_zero(block: Any, config: Any) -> None:
    nn.init.zeros_(block.attention_norm.weight)
    nn.init.zeros_(block.ffn_norm.weight)


class _Dropout(DecoderBlock):
    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        x = x + F.dropout(self.attention(self.attention_norm(x), angles, cache), 0.1, self.training)
        return x + F.dropout(self.feed_forward(self.ffn_norm(x)), 0.1, self.training)


class _KeepsCache(DecoderBlock):
    """Uses the first cache it ever saw for texts of the same batch."""

    mine: Any = None

    def after_attention(self, x: Tensor, angles: Tensor, cache: Any) -> Tensor:
        if cache is not None and self.mine is None:
            self.mine = cache
        return super().after_attention(x, angles, cache and self.mine)


def _own_angles(self: Any, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
    positions = torch.arange(len(angles), device=x.device)[:, None]
    exponents = torch.arange(angles.shape[1], device=x.device) / angles.shape[1]
    own = positions * 10_000.0**-exponents
    return DecoderBlock.forward(self, x, own, cache)


def _last_only(self: Any, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
    return DecoderBlock.forward(self, x, angles, cache)[:, -1:]


def _in_place(self: Any, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
    x.data += self.attention(self.attention_norm(x), angles, cache).detach()
    return x + self.feed_forward(self.ffn_norm(x))


def _no_grad(self: Any, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
    with torch.no_grad():
        return DecoderBlock.forward(self, x, angles, cache)


BLOCK_MISTAKES = [
    flow(
        "post_norm",
        "The norms stand after the sums, as in the Transformer of 2017: norm(x + attention(x)). "
        "Llama norms before each part and leaves the stream itself alone.",
        lambda b, x, attend, feed: b.ffn_norm((h := b.attention_norm(x + attend(x))) + feed(h)),
    ),
    flow(
        "norm_of_output",
        "It norms what the parts give, x + norm(attention(x)). Llama norms what they are given.",
        lambda b, x, attend, feed: (h := x + b.attention_norm(attend(x))) + b.ffn_norm(feed(h)),
    ),
    flow(
        "norm_of_the_sum_too",
        "The stream is normed once more when it leaves the block. That is done once, after the "
        "last block.",
        lambda b, x, attend, feed: b.ffn_norm(
            (h := x + attend(b.attention_norm(x))) + feed(b.ffn_norm(h))
        ),
    ),
    flow(
        "no_norms",
        "Neither part's input is normed.",
        lambda b, x, attend, feed: (h := x + attend(x)) + feed(h),
    ),
    flow(
        "attention_not_normed",
        "attention_norm is not used: attention reads the stream as it is.",
        lambda b, x, attend, feed: (h := x + attend(x)) + feed(b.ffn_norm(h)),
    ),
    flow(
        "feed_forward_not_normed",
        "ffn_norm is not used: SwiGLU reads the stream as it is.",
        lambda b, x, attend, feed: (h := x + attend(b.attention_norm(x))) + feed(h),
        SECOND,
    ),
    flow(
        "norms_swapped",
        "ffn_norm stands before attention, and attention_norm before SwiGLU.",
        lambda b, x, attend, feed: (h := x + attend(b.ffn_norm(x))) + feed(b.attention_norm(h)),
    ),
    flow(
        "attention_norm_twice",
        "attention_norm is used before both parts; ffn_norm is not used.",
        lambda b, x, attend, feed: (
            (h := x + attend(b.attention_norm(x))) + feed(b.attention_norm(h))
        ),
        SECOND,
    ),
    flow(
        "normed_twice",
        "SwiGLU's input is normed twice: by attention_norm and then by ffn_norm.",
        lambda b, x, attend, feed: (
            (h := x + attend(b.attention_norm(x))) + feed(b.ffn_norm(b.attention_norm(h)))
        ),
        SECOND,
    ),
    flow(
        "residual_from_normed",
        "The sums start from the normed vector: `x = norm(x); x = x + attention(x)`. The stream "
        "itself has to go on as it was.",
        lambda b, x, attend, feed: (
            (h := (n := b.attention_norm(x)) + attend(n)),
            (m := b.ffn_norm(h)) + feed(m),
        )[1],
        "Do not give the normed vector the name x.",
        "Howuhh/faster-trajectory-transformer#3, allenai/OLMo#680",
    ),
    flow(
        "first_residual_from_normed",
        "The first sum starts from the normed vector instead of x.",
        lambda b, x, attend, feed: (
            (h := (n := b.attention_norm(x)) + attend(n)) + feed(b.ffn_norm(h))
        ),
        "Do not give the normed vector the name x.",
        "Howuhh/faster-trajectory-transformer#3",
    ),
    flow(
        "second_residual_from_normed",
        "The second sum starts from the normed vector instead of the stream.",
        lambda b, x, attend, feed: (m := b.ffn_norm(x + attend(b.attention_norm(x)))) + feed(m),
        SECOND,
        "allenai/OLMo#680",
    ),
    flow(
        "no_residuals",
        "Nothing is added: each part replaces the stream by what it found.",
        lambda b, x, attend, feed: feed(b.ffn_norm(attend(b.attention_norm(x)))),
    ),
    flow(
        "no_first_residual",
        "What attention found replaces x instead of being added to it.",
        lambda b, x, attend, feed: (h := attend(b.attention_norm(x))) + feed(b.ffn_norm(h)),
    ),
    flow(
        "no_second_residual",
        "What SwiGLU found replaces the stream instead of being added to it.",
        lambda b, x, attend, feed: feed(b.ffn_norm(x + attend(b.attention_norm(x)))),
        SECOND,
    ),
    flow(
        "second_residual_from_x",
        "The second sum starts from the block's own input again, so that attention's part is lost "
        "on the way.",
        lambda b, x, attend, feed: x + feed(b.ffn_norm(x + attend(b.attention_norm(x)))),
        SECOND,
    ),
    flow(
        "parallel",
        "Both parts read the block's input, side by side, as in GPT-J. In Llama SwiGLU reads what "
        "attention has already added to.",
        lambda b, x, attend, feed: x + attend(b.attention_norm(x)) + feed(b.ffn_norm(x)),
        SECOND,
    ),
    flow(
        "x_added_twice",
        "The second sum adds the block's input once more.",
        lambda b, x, attend, feed: x + (h := x + attend(b.attention_norm(x))) + feed(b.ffn_norm(h)),
        SECOND,
    ),
    flow(
        "swiglu_first",
        "SwiGLU comes before attention.",
        lambda b, x, attend, feed: (h := x + feed(b.ffn_norm(x))) + attend(b.attention_norm(h)),
    ),
    flow(
        "no_feed_forward",
        "SwiGLU is not used.",
        lambda b, x, attend, feed: x + attend(b.attention_norm(x)),
        SECOND,
    ),
    flow(
        "feed_forward_of_attention",
        "SwiGLU reads only what attention found. It reads the sum, in which x is.",
        lambda b, x, attend, feed: x + (a := attend(b.attention_norm(x))) + feed(b.ffn_norm(a)),
        SECOND,
    ),
    flow(
        "no_attention",
        "Attention is not used.",
        lambda b, x, attend, feed: x + feed(b.ffn_norm(x)),
    ),
    flow(
        "identity",
        "It gives back its input.",
        lambda b, x, attend, feed: x + 0,
    ),
    flow(
        "attention_twice",
        "The first sum is done twice: attention reads what it has just written.",
        lambda b, x, attend, feed: (
            (h := x + attend(b.attention_norm(x))),
            (h := h + attend(b.attention_norm(h))) + feed(b.ffn_norm(h)),
        )[1],
    ),
    flow(
        "scaled_residuals",
        "The sums are divided by the root of 2. Llama adds, no more.",
        lambda b, x, attend, feed: (
            ((h := (x + attend(b.attention_norm(x))) / math.sqrt(2)) + feed(b.ffn_norm(h)))
            / math.sqrt(2)
        ),
    ),
    flow(
        "halved_residuals",
        "The second sum is halved: a mean, not a sum.",
        lambda b, x, attend, feed: (
            ((h := x + attend(b.attention_norm(x))) + feed(b.ffn_norm(h))) / 2
        ),
        SECOND,
    ),
    flow(
        "subtracted",
        "What SwiGLU found is subtracted.",
        lambda b, x, attend, feed: (h := x + attend(b.attention_norm(x))) - feed(b.ffn_norm(h)),
        SECOND,
    ),
    flow(
        "gated_by_product",
        "What SwiGLU found is multiplied with the stream instead of added.",
        lambda b, x, attend, feed: (h := x + attend(b.attention_norm(x))) * feed(b.ffn_norm(h)),
        SECOND,
    ),
    flow(
        "relu_at_the_end",
        "The stream goes through a ReLU. It must be able to carry negative numbers.",
        lambda b, x, attend, feed: (
            (h := x + attend(b.attention_norm(x))) + feed(b.ffn_norm(h))
        ).relu(),
    ),
    flow(
        "first_sum_detached",
        "The stream is detached between the two parts: attention learns nothing.",
        lambda b, x, attend, feed: (
            (h := (x + attend(b.attention_norm(x))).detach()) + feed(b.ffn_norm(h))
        ),
        "No `.detach()`.",
    ),
    flow(
        "residual_detached",
        "x is detached where it is added, which cuts the stream that gradients flow back through.",
        lambda b, x, attend, feed: (
            (h := x.detach() + attend(b.attention_norm(x))) + feed(b.ffn_norm(h))
        ),
        "No `.detach()`.",
    ),
    flow(
        "float32_result",
        "The result is float32 whatever x is.",
        lambda b, x, attend, feed: (
            (h := x + attend(b.attention_norm(x))) + feed(b.ffn_norm(h))
        ).float(),
        BLOCK,
    ),
    flow(
        "returns_both",
        "It returns two things. The stream alone is wanted.",
        lambda b, x, attend, feed: (
            (h := x + attend(b.attention_norm(x))) + feed(b.ffn_norm(h)),
            None,
        ),
    ),
    wrong_block(
        "cache_ignored",
        "The cache is not handed on to attention.",
        CACHE,
        after_attention=lambda b, x, angles, cache: x + b.attention(b.attention_norm(x), angles),
    ),
    Mistake(
        "first_cache_for_good",
        _KeepsCache,
        "It keeps the first cache it was given and ignores later ones.",
        "Nothing is kept in self between two calls.",
        "casper-hansen/AutoAWQ#178",
    ),
    wrong_block(
        "angles_ignored",
        "Attention gets the same angles for all tokens, or none: no token knows where it is.",
        CACHE,
        after_attention=lambda b, x, angles, cache: (
            x + b.attention(b.attention_norm(x), 0 * angles, cache)
        ),
    ),
    wrong_block(
        "angles_in_half",
        "The angles are rounded to the dtype of x. In bfloat16 1,001 becomes 1,000, and neighbours "
        "stand on one place.",
        "Angles are float32. Hand them on as they are.",
        "huggingface/transformers#29285",
        after_attention=lambda b, x, angles, cache: (
            x + b.attention(b.attention_norm(x), angles.to(x.dtype).float(), cache)
        ),
    ),
    wrong_block(
        "own_angles",
        "It makes its own angles, from position 0 in every call. The angles given are those of "
        "the tokens in x.",
        CACHE,
        "RobertCsordas/moeut#6",
        forward=_own_angles,
    ),
    wrong_block(
        "last_position_only",
        "Only the last position comes back. The next block needs all T.",
        BLOCK,
        forward=_last_only,
    ),
    wrong_block(
        "input_changed",
        "It changes x in place.",
        "`x = x + …`, not `x += …`: x still belongs to whoever called.",
        forward=_in_place,
    ),
    wrong_block(
        "summed_in_place",
        "It adds in place, `h += …`: ffn_norm needs the old h for its gradient, and training stops "
        "with a RuntimeError.",
        SECOND,
        after_feed_forward=lambda b, x, middle: middle.add_(b.feed_forward(b.ffn_norm(middle))),
    ),
    wrong_block(
        "no_gradient", "It computes without gradients.", "No `torch.no_grad()`.", forward=_no_grad
    ),
    Mistake(
        "dropout",
        _Dropout,
        "There is dropout. Llama has none.",
        BLOCK,
    ),
    built(
        "one_norm_for_both",
        "ffn_norm is the same object as attention_norm. Each part has a norm of its own.",
        NORM,
        _one_norm,
    ),
    built("norms_missing", "There are no norms.", NORM, _norms_missing),
    Mistake(
        "layer_norms",
        _LayerNorms,
        "The norms are LayerNorms: they have biases, and they subtract the mean.",
        NORM,
    ),
    built(
        "mean_subtracted",
        "The norms subtract the mean, as LayerNorm does. RMSNorm does not.",
        NORM,
        _centered,
    ),
    configured(
        "eps_ignored",
        "config.norm_eps is not used: both norms have 1e-5.",
        NORM,
        lambda config: {"norm_eps": 1e-5},
    ),
    configured(
        "eps_1e_6",
        "config.norm_eps is not used: both norms have 1e-6.",
        NORM,
        lambda config: {"norm_eps": 1e-6},
    ),
    built(
        "first_eps_ignored",
        "attention_norm does not get config.norm_eps.",
        NORM,
        _first_eps,
    ),
    built("second_eps_ignored", "ffn_norm does not get config.norm_eps.", NORM, _second_eps),
    built("norms_start_at_zero", "The norms' weights start at 0, not at 1.", NORM, _norms_at_zero),
    built(
        "other_names",
        "The parts have Hugging Face's names (self_attn, …). Here they are Meta's.",
        "attention_norm, attention, ffn_norm, feed_forward.",
        _renamed,
    ),
    configured(
        "kv_heads_ignored",
        "Attention has as many kv heads as query heads. It gets config.n_heads and "
        "config.n_kv_heads, in this order.",
        ATTEND,
        lambda config: {"n_kv_heads": config.n_heads},
    ),
    configured(
        "hidden_four_times",
        "config.hidden_dim is not used: SwiGLU has 4 · dim hidden units.",
        FEED,
        lambda config: {"hidden_dim": 4 * config.dim},
    ),
    configured(
        "hidden_by_the_rule",
        "config.hidden_dim is not used: SwiGLU is made by the rule of lab 07. The config has the "
        "final number.",
        FEED,
        lambda config: {"hidden_dim": 256 * math.ceil(int(8 * config.dim / 3) / 256)},
    ),
    Mistake(
        "attention_for_feed_forward",
        _TwiceTheSame,
        "feed_forward is another attention. It is a SwiGLU.",
        FEED,
    ),
    built(
        "reglu",
        "feed_forward opens its gates by ReLU. Llama's are swish gates.",
        FEED,
        _reglu,
    ),
    built("frozen", "The weights do not learn: requires_grad is False.", NORM, _frozen),
]

# 8.3 count_parameters


def counted(key: str, says: str, formula: Callable[[Any], Any], hint: str = "") -> Mistake:
    """A formula of its own for a config."""
    return Mistake(key, lambda config: formula(config), says, hint or WHOLE)


WHOLE = "V·D once or twice, L blocks, and D for the last norm."
IN_ATTENTION = "wq and wo: D·D each. wk and wv: D · (K·d) each, with d = D / H."
IN_BLOCK = "A block: attention, 3·D·F of SwiGLU, and two norms of D each."
TABLES = "V·D for the embedding, and V·D once more for the output unless tie_embeddings."


def _parts(c: Any) -> tuple[int, int, int, int]:
    """The table, attention, SwiGLU and one norm."""
    d = c.dim // c.n_heads
    attention = 2 * c.dim * c.dim + 2 * c.dim * c.n_kv_heads * d
    return c.vocab_size * c.dim, attention, 3 * c.dim * c.hidden_dim, c.dim


def _with(**changes: Callable[[Any], Any]) -> Callable[[Any], int]:
    """Count as for other sizes."""
    return lambda c: count_parameters(replace(c, **{k: f(c) for k, f in changes.items()}))


def _plus(extra: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda c: count_parameters(c) + extra(c)


COUNT_MISTAKES = [
    counted(
        "always_two_tables",
        "The output is counted though it is tied: it is the embedding table itself.",
        _with(tie_embeddings=lambda c: False),
        TABLES,
    ),
    counted(
        "always_one_table",
        "The output is not counted, tied or not. Llama 3 8B has a matrix of its own for it.",
        _with(tie_embeddings=lambda c: True),
        TABLES,
    ),
    counted(
        "tie_upside_down",
        "A tied model gets two tables and an untied one a single one: it is the other way round.",
        _with(tie_embeddings=lambda c: not c.tie_embeddings),
        TABLES,
    ),
    counted(
        "no_tables",
        "Neither embedding nor output are counted.",
        _plus(lambda c: -(2 - c.tie_embeddings) * _parts(c)[0]),
        TABLES,
    ),
    counted(
        "mha",
        "wk and wv are counted with dim rows. They have n_kv_heads · d, and d is dim / n_heads.",
        _with(n_kv_heads=lambda c: c.n_heads),
        IN_ATTENTION,
    ),
    counted(
        "narrow_queries",
        "wq and wo are counted with n_kv_heads heads. Queries have all n_heads.",
        _plus(lambda c: -2 * c.n_layers * (c.dim**2 - c.dim**2 // c.n_heads * c.n_kv_heads)),
        IN_ATTENTION,
    ),
    counted(
        "mqa",
        "wk and wv are counted with one kv head.",
        _with(n_kv_heads=lambda c: 1),
        IN_ATTENTION,
    ),
    counted(
        "group_size_for_kv_heads",
        "wk and wv are counted with n_heads // n_kv_heads heads. They have n_kv_heads.",
        _with(n_kv_heads=lambda c: c.n_heads // c.n_kv_heads),
        IN_ATTENTION,
    ),
    counted(
        "without_wo",
        "wo is missing.",
        _plus(lambda c: -c.n_layers * c.dim**2),
        IN_ATTENTION,
    ),
    counted(
        "one_of_keys_and_values",
        "Keys and values are counted as one matrix. wk and wv are two.",
        _plus(lambda c: -c.n_layers * c.dim * c.n_kv_heads * (c.dim // c.n_heads)),
        IN_ATTENTION,
    ),
    counted(
        "no_attention",
        "Attention is missing.",
        _plus(lambda c: -c.n_layers * _parts(c)[1]),
        IN_BLOCK,
    ),
    counted(
        "two_in_swiglu",
        "SwiGLU is counted with two matrices. It has three: gate, up and down.",
        _plus(lambda c: -c.n_layers * c.dim * c.hidden_dim),
        IN_BLOCK,
    ),
    counted(
        "hidden_four_times",
        "SwiGLU is counted with 4 · dim hidden units instead of config.hidden_dim.",
        _with(hidden_dim=lambda c: 4 * c.dim),
        IN_BLOCK,
    ),
    counted(
        "no_feed_forward",
        "SwiGLU is missing.",
        _plus(lambda c: -c.n_layers * _parts(c)[2]),
        IN_BLOCK,
    ),
    counted(
        "one_norm_in_a_block",
        "A block is counted with one norm. It has two.",
        _plus(lambda c: -c.n_layers * c.dim),
        IN_BLOCK,
    ),
    counted(
        "no_last_norm",
        "The norm after the last block is missing.",
        _plus(lambda c: -c.dim),
    ),
    counted(
        "no_norms",
        "The norms are missing: two in each block, and the last.",
        _plus(lambda c: -(2 * c.n_layers + 1) * c.dim),
    ),
    counted(
        "norms_of_blocks_missing",
        "The norms in the blocks are missing.",
        _plus(lambda c: -2 * c.n_layers * c.dim),
        IN_BLOCK,
    ),
    counted(
        "last_norm_in_every_block",
        "A block is counted with three norms. The last norm stands once, after all blocks.",
        _plus(lambda c: (c.n_layers - 1) * c.dim),
    ),
    counted(
        "norms_with_bias",
        "The norms are counted with a bias. RMSNorm has a weight only.",
        _plus(lambda c: (2 * c.n_layers + 1) * c.dim),
    ),
    counted(
        "attention_biases",
        "The linear maps of attention are counted with biases. Llama's have none.",
        _plus(lambda c: c.n_layers * (2 * c.dim + 2 * c.n_kv_heads * (c.dim // c.n_heads))),
    ),
    counted(
        "all_biases",
        "The linear maps in the blocks are counted with biases. Llama's have none.",
        _plus(
            lambda c: (
                c.n_layers
                * (3 * c.dim + 2 * c.n_kv_heads * (c.dim // c.n_heads) + 2 * c.hidden_dim)
            )
        ),
    ),
    counted(
        "output_bias",
        "The output is counted with a bias.",
        _plus(lambda c: c.vocab_size * (not c.tie_embeddings)),
        TABLES,
    ),
    counted(
        "position_table",
        "A table of positions is counted, as in GPT-2. RoPE learns nothing.",
        _plus(lambda c: c.max_seq_len * c.dim),
    ),
    counted(
        "rope_counted",
        "RoPE's frequencies are counted. They are computed, not learned.",
        _plus(lambda c: c.dim // c.n_heads // 2),
    ),
    counted(
        "one_block",
        "One block is counted instead of n_layers.",
        _with(n_layers=lambda c: 1),
    ),
    counted(
        "one_block_too_few",
        "One block is missing.",
        _with(n_layers=lambda c: c.n_layers - 1),
    ),
    counted(
        "one_block_too_many",
        "One block is counted too many.",
        _with(n_layers=lambda c: c.n_layers + 1),
    ),
    counted(
        "per_block",
        "Everything is multiplied by n_layers, the tables and the last norm too.",
        lambda c: c.n_layers * count_parameters(replace(c, n_layers=1)),
    ),
    counted(
        "without_embedding",
        "The embedding table is missing (or it is the non-embedding count of the scaling papers).",
        _plus(lambda c: -_parts(c)[0]),
        TABLES,
    ),
    counted(
        "always_8b",
        "It gives Llama 3 8B's number whatever the config is.",
        lambda c: 8_030_261_248,
    ),
    counted(
        "billions",
        "It gives billions. The number itself is wanted.",
        lambda c: count_parameters(c) / 1e9,
    ),
    counted(
        "as_float",
        "It gives a float: somewhere stands `/` instead of `//`. Parameters are whole.",
        lambda c: float(count_parameters(c)),
        "head_dim = config.dim // config.n_heads",
    ),
    counted(
        "as_tensor",
        "It gives a tensor.",
        lambda c: torch.tensor(count_parameters(c)),
        "An int.",
    ),
    counted(
        "as_text",
        "It gives a text.",
        lambda c: f"{count_parameters(c):,}",
        "An int: print it with commas afterwards.",
    ),
    counted(
        "bytes",
        "It gives bytes, two for each parameter.",
        lambda c: 2 * count_parameters(c),
    ),
]
