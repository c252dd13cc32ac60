"""Lab 08, 8.1: DecoderBlock, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from checks.engine import Mistake, mistakes_of
from checks.llama.parts import GroupedQueryAttention, KVCache, RMSNorm, SwiGLU

SHARED: dict[tuple[int, int], SwiGLU] = {}
THEIRS = {
    "attention_norm": "input_layernorm",
    "attention": "self_attn",
    "ffn_norm": "post_attention_layernorm",
    "feed_forward": "mlp",
}


class Centered(RMSNorm):
    """LayerNorm without a bias: same names, another norm."""

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., dim) → (..., dim)."""
        return F.layer_norm(x.float(), x.shape[-1:], self.weight.float(), eps=self.eps).to(x.dtype)


def rename(module: nn.Module, names: dict[str, str]) -> None:
    """Give parts of a module other names; it goes on finding them under the right ones."""
    for ours, theirs in names.items():
        part = module._modules.pop(ours)
        module._modules[theirs] = part
        module.__dict__[ours] = part


def from_zero(angles: Tensor) -> Tensor:
    """Angles from position 0 on, of the usual base: (T, d/2)."""
    exponents = torch.arange(angles.shape[1]) / angles.shape[1]
    return torch.outer(torch.arange(len(angles)), 10_000.0**-exponents)


class DecoderBlock(nn.Module):
    def __init__(self, config: Any) -> None:
        super().__init__()
        dim, hidden_dim, eps = config.dim, config.hidden_dim, config.norm_eps
        #: `RMSNorm(config.dim, config.norm_eps)`, one for each part.
        #! eps_ignored: …; eps = 1e-5
        #  config.norm_eps is not used: both norms have 1e-5.
        #! eps_1e_6: …; eps = 1e-6
        #  config.norm_eps is not used: both norms have 1e-6. [huggingface/candle#271]
        #! eps_zero: …; eps = 0.0
        #  config.norm_eps is not used: both norms have 0.
        #: `SwiGLU(config.dim, config.hidden_dim)`
        #! hidden_four_times: …; hidden_dim = 4 * dim
        #  config.hidden_dim is not used: SwiGLU has 4 · dim hidden units.
        #! hidden_by_the_rule: …; hidden_dim = 256 * math.ceil(int(8 * dim / 3) / 256)
        #! hidden_by_the_rule: …; hidden_dim = int(8 * dim / 3)
        #  config.hidden_dim is not used: SwiGLU is made by the rule of lab 07. The config has the
        #  final number.
        #! hidden_two_thirds: …; hidden_dim = int(2 * hidden_dim / 3)
        #  SwiGLU has two thirds of config.hidden_dim, as in Meta's FeedForward, which is given
        #  4 · dim. The config has the final number.
        #! hidden_dim_ignored: …; hidden_dim = 3 * dim
        #! hidden_dim_ignored: …; hidden_dim = dim
        #  SwiGLU has another number of hidden units than config.hidden_dim.
        self.attention_norm = RMSNorm(dim, eps)
        #: `RMSNorm(config.dim, config.norm_eps)`, one for each part.
        #! first_eps_ignored: self.attention_norm = RMSNorm(dim, 1e-5)
        #! first_eps_ignored: self.attention_norm = RMSNorm(dim, 1e-6)
        #  attention_norm does not get config.norm_eps.
        #! layer_norms: self.attention_norm = nn.LayerNorm(dim, eps)
        #! mean_subtracted: self.attention_norm = Centered(dim, eps)
        #! one_layer_norm: self.attention_norm = nn.LayerNorm(dim, eps)
        #! one_layer_norm: self.attention_norm = Centered(dim, eps)
        self.attention = GroupedQueryAttention(dim, config.n_heads, config.n_kv_heads)
        #: `GroupedQueryAttention(config.dim, config.n_heads, config.n_kv_heads)`
        #! kv_heads_ignored: self.attention = GroupedQueryAttention(dim, config.n_heads, config.n_heads)
        #  Attention has as many kv heads as query heads. It gets config.n_heads and
        #  config.n_kv_heads, in this order.
        #! heads_swapped: self.attention = GroupedQueryAttention(dim, config.n_kv_heads, config.n_heads)
        #  n_heads and n_kv_heads have changed places: there are more query heads than kv heads.
        #! one_kv_head: self.attention = GroupedQueryAttention(dim, config.n_heads, 1)
        #  Attention has one kv head whatever config.n_kv_heads is.
        #! group_size_for_kv_heads: self.attention = GroupedQueryAttention(dim, config.n_heads, config.n_heads // config.n_kv_heads)
        #  Attention is given the size of a group, n_heads // n_kv_heads, as the number of kv heads.
        self.ffn_norm = RMSNorm(dim, eps)
        #: `RMSNorm(config.dim, config.norm_eps)`, one for each part.
        #! second_eps_ignored: self.ffn_norm = RMSNorm(dim, 1e-5)
        #! second_eps_ignored: self.ffn_norm = RMSNorm(dim, 1e-6)
        #  ffn_norm does not get config.norm_eps.
        #!+ layer_norms: self.ffn_norm = nn.LayerNorm(dim, eps)
        #  The norms are LayerNorms: they have biases, and they subtract the mean.
        #!+ mean_subtracted: self.ffn_norm = Centered(dim, eps)
        #  The norms subtract the mean, as LayerNorm does. RMSNorm does not.
        #! one_layer_norm: self.ffn_norm = nn.LayerNorm(dim, eps)
        #! one_layer_norm: self.ffn_norm = Centered(dim, eps)
        #  One of the two norms is a LayerNorm: it subtracts the mean.
        #! one_norm_for_both: self.ffn_norm = self.attention_norm
        #  ffn_norm is the same object as attention_norm. Each part has a norm of its own.
        #! norms_missing: del self.attention_norm
        #  There are no norms.
        #! ffn_norm_missing: pass
        #  There is only one norm, attention_norm. SwiGLU reads through a norm of its own, ffn_norm.
        self.feed_forward = SwiGLU(dim, hidden_dim)
        #: `SwiGLU(config.dim, config.hidden_dim)`
        #! attention_for_feed_forward: self.feed_forward = GroupedQueryAttention(dim, config.n_heads, config.n_kv_heads)
        #  feed_forward is another attention. It is a SwiGLU.
        #! reglu: self.feed_forward = SwiGLU(dim, hidden_dim, torch.relu)
        #  feed_forward opens its gates by ReLU. Llama's are swish gates.
        #! sizes_of_swiglu_swapped: self.feed_forward = SwiGLU(hidden_dim, dim)
        #  dim and hidden_dim have changed places in SwiGLU.
        #! feed_forward_shared: self.feed_forward = SHARED.setdefault((dim, hidden_dim), SwiGLU(dim, hidden_dim))
        #  All blocks have one SwiGLU. Each block makes its own. [habla-liaa/encodecmae#3]
        #: attention_norm, attention, ffn_norm, feed_forward.
        #! other_names: …; rename(self, THEIRS)
        #  The parts have Hugging Face's names (self_attn, …). Here they are Meta's.
        #! feed_forward_renamed: …; rename(self, {"feed_forward": "ffn"})
        #  SwiGLU has another name than `feed_forward`.
        #! attention_renamed: …; rename(self, {"attention": "attn"})
        #  Attention has another name than `attention`.
        #! norms_renamed: …; rename(self, {"attention_norm": "norm1"})
        #! norms_renamed: …; rename(self, {"ffn_norm": "norm2"})
        #! norms_renamed: …; rename(self, {"attention_norm": "norm1", "ffn_norm": "norm2"})
        #  The norms have other names than `attention_norm` and `ffn_norm`.
        #: `RMSNorm(config.dim, config.norm_eps)` starts at ones; leave it so.
        #! norms_start_at_zero: …; nn.init.zeros_(self.attention_norm.weight), nn.init.zeros_(self.ffn_norm.weight)
        #  The norms' weights start at 0, not at 1.
        #: The parts' weights require gradients by themselves.
        #! frozen: …; self.requires_grad_(False)
        #  The weights do not learn: requires_grad is False.

    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        read = self.attention_norm(x)
        #: `x = x + self.attention(self.attention_norm(x), angles, cache)`, and so for feed_forward.
        #! post_norm: h = self.attention_norm(x + self.attention(x, angles, cache)); return self.ffn_norm(h + self.feed_forward(h))
        #  The norms stand after the sums, as in the Transformer of 2017: norm(x + attention(x)).
        #  Llama norms before each part and leaves the stream itself alone. [keras-team/keras-io#2144]
        #! norm_of_output: h = x + self.attention_norm(self.attention(x, angles, cache)); return h + self.ffn_norm(self.feed_forward(h))
        #  It norms what the parts give, x + norm(attention(x)). Llama norms what they are given.
        #! norms_one_place_late: h = x + self.attention(x, angles, cache); return self.ffn_norm(h + self.feed_forward(self.attention_norm(h)))
        #  Each norm stands one place too late: attention reads the bare stream, SwiGLU reads through
        #  attention_norm, and ffn_norm norms the sum. [facebookresearch/multimodal#317]
        #! attention_not_normed: read = x
        #  attention_norm is not used: attention reads the stream as it is.
        #! no_norms: read = x
        #! norms_swapped: read = self.ffn_norm(x)
        #! ffn_norm_twice: read = self.ffn_norm(x)
        #  ffn_norm is used before both parts; attention_norm is not used.
        #: Do not give the normed vector the name x.
        #! first_residual_from_normed: read = x = self.attention_norm(x)
        #  The first sum starts from the normed vector instead of x.
        #  [Howuhh/faster-trajectory-transformer#3]
        #! residual_from_normed: read = x = self.attention_norm(x)
        #: `x = x + self.attention(self.attention_norm(x), angles, cache)`, and so for feed_forward.
        #! identity: return x
        #  It gives back its input.
        #! swiglu_first: h = x + self.feed_forward(self.ffn_norm(x)); return h + self.attention(self.attention_norm(h), angles, cache)
        #! swiglu_first: h = x + self.feed_forward(self.attention_norm(x)); return h + self.attention(self.ffn_norm(h), angles, cache)
        #  SwiGLU comes before attention.
        found = self.attention(read, angles, cache)
        #: `x = x + self.attention(self.attention_norm(x), angles, cache)`, and so for feed_forward.
        #! no_attention: found = 0
        #  Attention is not used.
        #! attention_twice: x = x + self.attention(read, angles, cache); found = self.attention(self.attention_norm(x), angles, cache)
        #  The first sum is done twice: attention reads what it has just written.
        #! attention_called_twice: self.attention(read, angles, cache); …
        #  Attention is called twice, and each call writes into the cache: every token stands there
        #  twice.
        #! dropout: found = F.dropout(self.attention(read, angles, cache), 0.1, self.training)
        #  There is dropout. Llama has none.
        #: `self.attention(self.attention_norm(x), angles, cache)`: all three.
        #! cache_for_angles: found = self.attention(read, cache)
        #! cache_for_angles: found = self.attention(read, cache, angles)
        #  Attention gets the cache where it wants the angles.
        #! cache_ignored: found = self.attention(read, angles)
        #  The cache is not handed on to attention.
        #! angles_ignored: found = self.attention(read, 0 * angles, cache)
        #  Attention gets the same angles for all tokens, or none: no token knows where it is.
        #! own_angles: found = self.attention(read, from_zero(angles).to(x.device), cache)
        #  It makes its own angles, from position 0 in every call. The angles given are those of the
        #  tokens in x. [RobertCsordas/moeut#6]
        #: Angles are float32. Hand them on as they are.
        #! angles_in_half: found = self.attention(read, angles.to(x.dtype), cache)
        #  The angles are rounded to the dtype of x. In bfloat16 1,001 becomes 1,000, and neighbours
        #  stand on one place. [huggingface/transformers#29285]
        #: Nothing is kept in self between two calls.
        #! first_cache_for_good: cache = cache and self.__dict__.setdefault("first", cache); …
        #  It keeps the first cache it was given and ignores later ones. [casper-hansen/AutoAWQ#178]
        h = x + found
        #: `x = x + self.attention(self.attention_norm(x), angles, cache)`, and so for feed_forward.
        #! no_first_residual: h = found
        #  What attention found replaces x instead of being added to it.
        #! no_residuals: h = found
        #! attention_added_to_itself: h = found + found
        #  What attention found is added to itself, and x is lost. [kyegomez/BitNet#32]
        #! attention_added_twice: h = x + found + found
        #  What attention found is added twice.
        #! attention_subtracted: h = x - found
        #  What attention found is subtracted.
        #! attention_multiplied: h = x * found
        #  What attention found is multiplied with x instead of added.
        #! x_doubled: h = x + x + found
        #  The first sum adds x twice.
        #! first_sum_halved: h = (x + found) / 2
        #  The first sum is halved: a mean, not a sum.
        #! first_sum_normed: h = self.attention_norm(x + found)
        #! first_sum_normed: h = self.ffn_norm(x + found)
        #  The first sum is normed, and the norm goes on as the stream. The stream itself is never normed.
        #! attention_found_normed: h = x + self.attention_norm(found)
        #  What attention found is normed before it is added. Only what a part reads is normed.
        #! scaled_residuals: h = (x + found) / math.sqrt(2)
        #: No `.detach()`.
        #! first_sum_detached: h = (x + found).detach()
        #  The stream is detached between the two parts: attention learns nothing.
        #! attention_detached: h = x + found.detach()
        #  What attention found is detached: attention learns nothing.
        #! residual_detached: h = x.detach() + found
        #  x is detached where it is added, which cuts the stream that gradients flow back through.
        #: All in the dtype of x.
        #! stream_in_float32: h = x.float() + found
        #  The stream is made float32, and SwiGLU's weights are not: in a bfloat16 model two dtypes meet.
        #: `x = x + …`, not `x += …`: x still belongs to whoever called.
        #! input_changed: x += found; h = x
        #! input_changed: x.data += found.detach(); h = x
        #  It changes x in place.
        read = self.ffn_norm(h)
        #: `x + self.feed_forward(self.ffn_norm(x))`, with the x that attention was added to.
        #! feed_forward_not_normed: read = h
        #  ffn_norm is not used: SwiGLU reads the stream as it is.
        #!+ no_norms: read = h
        #  Neither part's input is normed.
        #!+ norms_swapped: read = self.attention_norm(h)
        #  ffn_norm stands before attention, and attention_norm before SwiGLU.
        #! attention_norm_twice: read = self.attention_norm(h)
        #  attention_norm is used before both parts; ffn_norm is not used. [allenai/OLMo#222]
        #! normed_twice: read = self.ffn_norm(self.attention_norm(h))
        #  SwiGLU's input is normed twice: by attention_norm and then by ffn_norm.
        #! second_residual_from_normed: read = h = self.ffn_norm(h)
        #  The second sum starts from the normed vector instead of the stream. [allenai/OLMo#680]
        #!+ residual_from_normed: read = h = self.ffn_norm(h)
        #  The sums start from the normed vector: `x = norm(x); x = x + attention(x)`. The stream
        #  itself has to go on as it was. [Howuhh/faster-trajectory-transformer#3, allenai/OLMo#680]
        #! parallel: read = self.ffn_norm(x)
        #  Both parts read the block's input, side by side, as in GPT-J. In Llama SwiGLU reads what
        #  attention has already added to. [deepspeedai/DeepSpeed#2446]
        #! parallel_one_norm: read = self.attention_norm(x)
        #  Both parts read attention_norm of the block's input, side by side, as in Falcon. In Llama
        #  SwiGLU reads what attention has already added to, through ffn_norm.
        #! feed_forward_of_attention: read = self.ffn_norm(found)
        #! feed_forward_of_attention: read = found
        #  SwiGLU reads only what attention found. It reads the sum, in which x is. [ml-explore/mlx#3382]
        more = self.feed_forward(read)
        #: `x + self.feed_forward(self.ffn_norm(x))`, with the x that attention was added to.
        #! no_feed_forward: more = 0
        #  SwiGLU is not used.
        #! feed_forward_twice: h = h + self.feed_forward(read); more = self.feed_forward(self.ffn_norm(h))
        #  The second sum is done twice: SwiGLU reads what it has just written.
        #! attention_again: more = self.attention(read, angles, cache)
        #  Attention is called a second time where SwiGLU should be.
        #! dropout: more = F.dropout(self.feed_forward(read), 0.1, self.training)
        #! dropout: more = F.dropout(self.feed_forward(read), 0.1)
        #: No `.detach()`.
        #! feed_forward_detached: more = self.feed_forward(read).detach()
        #  What SwiGLU found is detached: SwiGLU learns nothing.
        out = h + more
        #: `x + self.feed_forward(self.ffn_norm(x))`, with the x that attention was added to.
        #! no_second_residual: out = more
        #  What SwiGLU found replaces the stream instead of being added to it.
        #!+ no_residuals: out = more
        #  Nothing is added: each part replaces the stream by what it found.
        #! second_residual_from_x: out = x + more
        #  The second sum starts from the block's own input again, so that attention's part is lost on
        #  the way. [strutive07/transformer-tensorflow2.0#14]
        #! second_residual_from_attention: out = found + more
        #  The second sum starts from what attention found, so that x is lost on the way.
        #! x_added_twice: out = x + h + more
        #  The second sum adds the block's input once more.
        #! stream_added_twice: out = h + h + more
        #  The second sum adds the stream twice. [nlpyang/hiersumm#28]
        #! feed_forward_found_normed: out = h + self.ffn_norm(more)
        #  What SwiGLU found is normed before it is added. Only what a part reads is normed.
        #! feed_forward_added_twice: out = h + more + more
        #  What SwiGLU found is added twice.
        #!+ scaled_residuals: out = (h + more) / math.sqrt(2)
        #  The sums are divided by the root of 2. Llama adds, no more.
        #! halved_residuals: out = (h + more) / 2
        #  The second sum is halved: a mean, not a sum.
        #! subtracted: out = h - more
        #  What SwiGLU found is subtracted.
        #! gated_by_product: out = h * more
        #  What SwiGLU found is multiplied with the stream instead of added.
        #: `x = x + self.attention(self.attention_norm(x), angles, cache)`, and so for feed_forward.
        #! norm_of_the_sum_too: out = self.ffn_norm(h + more)
        #! norm_of_the_sum_too: out = self.attention_norm(h + more)
        #  The stream is normed once more when it leaves the block. That is done once, after the last
        #  block.
        #! relu_at_the_end: out = (h + more).relu()
        #  The stream goes through a ReLU. It must be able to carry negative numbers.
        #: `x + self.feed_forward(self.ffn_norm(x))`, with the x that attention was added to.
        #! summed_in_place: out = h.add_(more)
        #  It adds in place, `h += …`: ffn_norm needs the old h for its gradient, and training stops
        #  with a RuntimeError.
        return out
        #: `return x + self.feed_forward(self.ffn_norm(x))`
        #! returns_none: pass
        #  The sum is computed and then forgotten: there is no `return`.
        #! returns_both: return out, None
        #! returns_both: return out, cache
        #! returns_both: return out, h
        #  It returns two things. The stream alone is wanted.
        #! last_position_only: return out[:, -1:]
        #! last_position_only: return out[:, -1]
        #  Only the last position comes back. The next block needs all T.
        #! float32_result: return out.float()
        #  The result is float32 whatever x is.
        #: No `torch.no_grad()`.
        #! no_gradient: return out.detach()
        #  It computes without gradients.


MISTAKES: list[Mistake] = mistakes_of(DecoderBlock)
