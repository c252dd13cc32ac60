"""Lab 04, 4.6: MultiHeadAttention, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from checks.attention.attention_weights_wrong import MISTAKES as OF_WEIGHTS
from checks.attention.attention_weights_wrong import attention_weights
from checks.attention.attention_wrong import attention
from checks.attention.causal_mask_wrong import causal_mask
from checks.attention.merge_heads_wrong import merge_heads
from checks.attention.shared import met, wrong_by_name
from checks.attention.split_heads_wrong import split_heads
from checks.engine import Mistake, mistakes_of

wrong = wrong_by_name(OF_WEIGHTS)


def apply_rope(x: Tensor, angles: Tensor) -> Tensor:
    """RoPE of lab 03, in float32: (..., T, d), (T, d/2) → (..., T, d)."""
    a, b = x[..., 0::2].float(), x[..., 1::2].float()
    cos, sin = angles.float().cos(), angles.float().sin()
    return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2).to(x.dtype)


def apply_rope_half(x: Tensor, angles: Tensor) -> Tensor:
    """RoPE on the pairs (i, i + d/2), as Hugging Face lays them out."""
    a, b = x.float().chunk(2, dim=-1)
    cos, sin = angles.float().cos(), angles.float().sin()
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1).to(x.dtype)


def own_angles(x: Tensor) -> Tensor:
    """The angles of positions 0 to T - 1 with base 10,000, whatever was handed over."""
    frequencies = 10_000.0 ** (-torch.arange(0, x.shape[-1], 2, device=x.device) / x.shape[-1])
    return torch.arange(x.shape[-2], device=x.device)[:, None] * frequencies


class MultiHeadAttention(nn.Module):
    def __init__(self, dim: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        #: `self.n_heads = n_heads` in `__init__`.
        #! heads_of_the_class: type(self).made_last = n_heads
        #! head_size_for_heads: self.n_heads = dim // n_heads
        #  n_heads is taken for the size of a head: there are d heads of H features.
        #! fixed_heads: self.n_heads = 4
        #! fixed_heads: self.n_heads = 8
        #! fixed_heads: self.n_heads = 32
        #! fixed_heads: self.n_heads = 2
        #  The number of heads is always the same; n_heads is not used.
        self.wq = nn.Linear(dim, dim, bias=False)
        #: `nn.Linear(dim, dim, bias=False)`, four times: wq, wk, wv, wo.
        #! one_map_for_three: self.wqkv = nn.Linear(dim, 3 * dim, bias=False)
        #! other_names: self.q_proj = nn.Linear(dim, dim, bias=False)
        #! own_names: self.query = nn.Linear(dim, dim, bias=False)
        #! with_bias: self.wq = nn.Linear(dim, dim)
        #  The linear maps have biases. Llama's have none.
        #! one_head_wide: self.wq = nn.Linear(dim, dim // n_heads, bias=False)
        #! splits_before_it_projects: self.wq = nn.Linear(dim // n_heads, dim // n_heads, bias=False)
        #! d_in_d_out: self.wq = nn.Linear(dim // n_heads, dim, bias=False)
        #: Assign each to self, or use nn.ModuleList.
        #! hidden_in_a_list: self.maps = [nn.Linear(dim, dim, bias=False) for _ in range(3)]
        #: `nn.Linear(dim, dim, bias=False)`, four times: wq, wk, wv, wo.
        #! matrices_not_linears: self.wq = nn.Parameter(torch.randn(dim, dim) / math.sqrt(dim))
        #! a_map_for_each_head: self.wq = nn.ModuleList(nn.Linear(dim, dim // n_heads, bias=False) for _ in range(n_heads))
        self.wk = nn.Linear(dim, dim, bias=False)
        #! with_bias: self.wk = nn.Linear(dim, dim)
        #: `nn.Linear(dim, dim, bias=False)`, four times: wq, wk, wv, wo.
        #! wq_shared_with_wk: self.wk = self.wq
        #  wq and wk are one and the same map: what a token looks for would be what it offers.
        #!+ one_map_for_three: pass
        #!+ other_names: self.k_proj = nn.Linear(dim, dim, bias=False)
        #!+ own_names: self.key = nn.Linear(dim, dim, bias=False)
        #!+ one_head_wide: self.wk = nn.Linear(dim, dim // n_heads, bias=False)
        #!+ splits_before_it_projects: self.wk = nn.Linear(dim // n_heads, dim // n_heads, bias=False)
        #!+ d_in_d_out: self.wk = nn.Linear(dim // n_heads, dim, bias=False)
        #!+ matrices_not_linears: self.wk = nn.Parameter(torch.randn(dim, dim) / math.sqrt(dim))
        #!+ a_map_for_each_head: self.wk = nn.ModuleList(nn.Linear(dim, dim // n_heads, bias=False) for _ in range(n_heads))
        self.wv = nn.Linear(dim, dim, bias=False)
        #! with_bias: self.wv = nn.Linear(dim, dim)
        #: `nn.Linear(dim, dim, bias=False)`, four times: wq, wk, wv, wo.
        #! wk_shared_with_wv: self.wv = self.wk
        #  wk and wv are one and the same map.
        #! wq_shared_with_wv: self.wv = self.wq
        #  wq and wv are one and the same map.
        #! without_wv: pass
        #  There is no wv: what a token says would be what it is compared by.
        #!+ one_map_for_three: pass
        #  One map makes queries, keys and values together. That is quick, but here Llama's names are wanted: wq, wk, wv.
        #!+ other_names: self.v_proj = nn.Linear(dim, dim, bias=False)
        #!+ own_names: self.value = nn.Linear(dim, dim, bias=False)
        #!+ one_head_wide: self.wv = nn.Linear(dim, dim // n_heads, bias=False)
        #  wq, wk and wv give d features, enough for one head. They give H·d = dim.
        #!+ splits_before_it_projects: self.wv = nn.Linear(dim // n_heads, dim // n_heads, bias=False)
        #  wq, wk and wv are d → d, the same for every head. Each is dim → dim: a head sees all of x and has rows of its own.
        #  [MarcoMeter/episodic-transformer-memory-ppo#22]
        #!+ d_in_d_out: self.wv = nn.Linear(dim // n_heads, dim, bias=False)
        #  wq, wk and wv take d features. They take all of x: dim → dim.
        #!+ matrices_not_linears: self.wv = nn.Parameter(torch.randn(dim, dim) / math.sqrt(dim))
        #!+ a_map_for_each_head: self.wv = nn.ModuleList(nn.Linear(dim, dim // n_heads, bias=False) for _ in range(n_heads))
        #  Each head has maps of its own, in a list. Here one map is dim → dim, and its rows are shared out by split_heads.
        self.wo = nn.Linear(dim, dim, bias=False)
        #! with_bias: …; self.wq, self.wk, self.wv, self.wo = (nn.Linear(dim, dim) for _ in range(4))
        #: `nn.Linear(dim, dim, bias=False)`, four times: wq, wk, wv, wo.
        #! bias_in_wo: self.wo = nn.Linear(dim, dim)
        #  wo has a bias. Llama's has none.
        #! without_wo: pass
        #  There is no wo: nothing mixes what the heads found.
        #! wo_of_one_head: self.wo = nn.Linear(dim // n_heads, dim, bias=False)
        #  wo takes d features, enough for one head. The merged heads have H·d = dim.
        #! wo_gives_one_head: self.wo = nn.Linear(dim, dim // n_heads, bias=False)
        #  wo gives d features, enough for one head. It gives dim, so that x can be added.
        #! wo_shared: self.wo = self.wv
        #  wv and wo are one and the same map.
        #!+ other_names: self.o_proj = nn.Linear(dim, dim, bias=False)
        #  The maps have Hugging Face's names (q_proj, …). Here they are Meta's.
        #!+ own_names: self.proj = nn.Linear(dim, dim, bias=False)
        #  The maps have other names. Llama's weights are loaded by their names: wq, wk, wv, wo.
        #!+ matrices_not_linears: self.wo = nn.Parameter(torch.randn(dim, dim) / math.sqrt(dim))
        #  The maps are bare parameters. As nn.Linear they are called wq.weight, as in Llama's checkpoints.
        #: Assign each to self, or use nn.ModuleList.
        #! hidden_in_a_list: self.maps = [self.wq, self.wk, self.wv]; del self.wq, self.wk, self.wv; …
        #! hidden_in_a_list: self.maps = [self.wq, self.wk, self.wv]; del self.wq, self.wk, self.wv
        #  The maps lie in a plain list: no optimizer finds them, and they are not saved.
        #: nn.Linear's weights require gradients by themselves.
        #! frozen: …; self.requires_grad_(False)
        #  The weights do not learn: requires_grad is False.
        #: nn.Linear initialises itself.
        #! starts_at_zero: …; _ = [nn.init.zeros_(weight) for weight in self.parameters()]
        #  All weights start at zero: the output is 0 and so is every gradient, for ever.

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        T = x.shape[1]
        #: No `.detach()`.
        #! input_detached: …; x = x.detach()
        #  x is cut off from the gradient.
        #: `q, k = apply_rope(q, angles), apply_rope(k, angles)`, after split_heads.
        #! rope_on_input: …; x, angles = apply_rope(x, angles.repeat(1, self.n_heads)), 0 * angles
        #! rope_on_input: …; x = apply_rope(x, angles.repeat(1, self.n_heads))
        #  x is rotated before wq and wk, and before wv with it.
        #: `self.n_heads = n_heads` in `__init__`.
        #!+ heads_of_the_class: …; self.n_heads = self.made_last
        #  The number of heads is kept outside of the module, so that the layer made last decides for all.
        #: Hand the angles to apply_rope as they came, in float32.
        #! angles_in_half: …; angles = angles.to(x.dtype)
        #  The angles are rounded to x's dtype. At position 1000 bfloat16 has steps of 4, so that neighbours get the same angle.
        #  [huggingface/transformers#29285, KellerJordan/modded-nanogpt#39]
        #: Make the maps in `__init__`: what is made in forward is new in every call.
        #! maps_made_in_forward: …; self.wv = nn.Linear(x.shape[-1], x.shape[-1], bias=False)
        #! maps_made_in_forward: …; self.wo = nn.Linear(x.shape[-1], x.shape[-1], bias=False)
        #! maps_made_in_forward: …; self.wq = nn.Linear(x.shape[-1], x.shape[-1], bias=False)
        #! maps_made_in_forward: …; self.wk = nn.Linear(x.shape[-1], x.shape[-1], bias=False)
        #  Maps are made anew in every forward: they cannot learn, and loaded weights are lost.
        q = self.wq(x)
        #: `self.wq(x)`
        #! wk_for_queries: q = self.wk(x)
        #  The queries are made by wk; wq is not used.
        #! wv_for_queries: q = self.wv(x)
        #  The queries are made by wv; wq is not used.
        #! queries_not_projected: q = x
        #  The queries are x itself; wq is not used.
        #: `q = …self.wq(x)…`, `k = …self.wk(x)…`
        #! queries_and_keys_swapped: q = self.wk(x)
        #: Keys are compared, values are averaged.
        #! queries_and_values_swapped: q = self.wv(x)
        #: Call the maps: `self.wq(x)`.
        #! weights_not_transposed: q = x @ self.wq.weight
        #! weights_detached: q = x @ self.wq.weight.data.T
        k = self.wk(x)
        #: `self.wk(x)`
        #! wq_for_keys: k = self.wq(x)
        #  The keys are made by wq; wk is not used.
        #! wv_for_keys: k = self.wv(x)
        #  The keys are made by wv; wk is not used.
        #! keys_not_projected: k = x
        #  The keys are x itself; wk is not used.
        #: Keys are compared, values are averaged.
        #! keys_and_values_swapped: k = self.wv(x)
        #!+ queries_and_keys_swapped: k = self.wq(x)
        #  wq makes the keys and wk the queries.
        #!+ weights_not_transposed: k = x @ self.wk.weight
        #!+ weights_detached: k = x @ self.wk.weight.data.T
        v = self.wv(x)
        #: `self.wv(x)`
        #! wk_for_values: v = self.wk(x)
        #  The values are made by wk; wv is not used.
        #! wq_for_values: v = self.wq(x)
        #  The values are made by wq; wv is not used.
        #! values_not_projected: v = x
        #  The values are x itself; wv is not used.
        #!+ keys_and_values_swapped: v = self.wk(x)
        #  wk makes the values and wv the keys.
        #!+ queries_and_values_swapped: v = self.wq(x)
        #  wq makes the values and wv the queries.
        #!+ weights_not_transposed: v = x @ self.wv.weight
        #  It computes x @ weight. nn.Linear stores its weight as (out, in): x @ weight.T.
        #!+ weights_detached: v = x @ self.wv.weight.data.T
        #  It uses `.weight.data`: wq, wk and wv get no gradient.
        #: `return self.wo(merge_heads(…))`
        #! wo_too_early: v = self.wo(self.wv(x))
        q, k, v = (split_heads(y, self.n_heads) for y in (q, k, v))  # (B, H, T, d)
        #: Use split_heads.
        #! view_without_transpose: q, k, v = (y.reshape(len(x), self.n_heads, T, -1) for y in (q, k, v))
        #  split reshapes straight to (B, H, T, d): the features of a head come from other positions, later ones too. [hyunwoongko/transformer#15,
        #  reczoo/FuxiCTR#30]
        #! every_hth_feature: q, k, v = (y.unflatten(-1, (-1, self.n_heads)).permute(0, 3, 1, 2) for y in (q, k, v))
        #  Head h gets the features h, h + H, … Weights of a real Llama would not fit.
        #: Use split_heads and merge_heads.
        #! neither_transposed:
        #| q, k, v = (y.reshape(len(x), self.n_heads, T, -1) for y in (q, k, v))
        #| q, k = apply_rope(q, angles), apply_rope(k, angles)
        #| return self.wo(attention(q, k, v, causal_mask(T, T).to(x.device)).reshape(x.shape))
        #! neither_transposed:
        #| q, k, v = (y.unflatten(-1, (self.n_heads, -1)) for y in (q, k, v))
        #| q, k = (apply_rope(y.transpose(1, 2), angles).transpose(1, 2) for y in (q, k))
        #| return self.wo(attention(q, k, v).flatten(2))
        #  Neither splitting nor merging transposes. One undoes the other, but in between a head compares the wrong things.
        #: split_heads for v as well: `split_heads(self.wv(x), self.n_heads)`.
        #! values_viewed: q, k, v = split_heads(q, self.n_heads), split_heads(k, self.n_heads), v.reshape(len(x), self.n_heads, T, -1)
        #  The values are reshaped straight to (B, H, T, d), without split_heads.
        #: `q, k = apply_rope(q, angles), apply_rope(k, angles)`, after split_heads.
        #! rope_before_split: q, k = (apply_rope(y, angles.repeat_interleave(self.n_heads, dim=-1)) for y in (q, k)); angles = 0 * angles; …
        #  It rotates before the heads are split, with the angles stretched over all features: a head gets angles that belong to others.
        q, k = apply_rope(q, angles), apply_rope(k, angles)
        #: `q, k = apply_rope(q, angles), apply_rope(k, angles)`, after split_heads. The positions are the last dimension but one.
        #! no_rope: pass
        #  Nothing is rotated, or all positions by the same angle (by the head's number, where the position belongs?): the layer does not know where a
        #  token stands. [mlfoundations/open_lm#4, facebookresearch/xformers#841]
        #: `q, k = apply_rope(q, angles), apply_rope(k, angles)`, after split_heads.
        #! rope_on_queries_only: q = apply_rope(q, angles)
        #  Only the queries are rotated: the scores depend on where the sentence starts.
        #! rope_on_keys_only: k = apply_rope(k, angles)
        #  Only the keys are rotated: the scores depend on where the sentence starts.
        #! rope_on_values: q, k, v = (apply_rope(y, angles) for y in (q, k, v))
        #  The values are rotated as well. What a token says does not depend on where it stands.
        #! rope_on_values_only: v = apply_rope(v, angles)
        #  The values are rotated, and queries and keys are not.
        #! rope_on_values_for_keys: q, v = apply_rope(q, angles), apply_rope(v, angles)
        #  Queries and values are rotated. It should be queries and keys.
        #! rope_on_values_for_queries: k, v = apply_rope(k, angles), apply_rope(v, angles)
        #  Keys and values are rotated. It should be queries and keys.
        #! rope_twice: q, k = apply_rope(q, 2 * angles), apply_rope(k, 2 * angles)
        #  Queries and keys are rotated twice.
        #! rope_twice_on_queries: q, k = apply_rope(q, 2 * angles), apply_rope(k, angles)
        #  The queries are rotated twice and the keys once.
        #! rope_backwards: q, k = apply_rope(q, -angles), apply_rope(k, -angles)
        #  It rotates by minus the angle.
        #! rope_in_opposite_directions: q, k = apply_rope(q, angles), apply_rope(k, -angles)
        #! rope_in_opposite_directions: q, k = apply_rope(q, -angles), apply_rope(k, angles)
        #  Queries and keys are rotated in opposite directions: angles add up instead of cancelling.
        #: apply_rope of lab 03, not apply_rope_half.
        #! rope_half_split: q, k = apply_rope_half(q, angles), apply_rope_half(k, angles)
        #  It rotates the pairs (i, i + d/2), as Hugging Face does. Here the pairs are (2i, 2i + 1). [rasbt/LLMs-from-scratch#747]
        #: `q, k = apply_rope(q, angles), apply_rope(k, angles)`, after split_heads.
        #! rope_on_first_head: q, k = (torch.cat([apply_rope(y[:, :1], angles), y[:, 1:]], dim=1) for y in (q, k))
        #  Only the first head is rotated. Every head needs positions.
        #! wq_for_keys: q = apply_rope(q, angles); k = q
        #! queries_and_keys_swapped: q, k = apply_rope(k, angles), apply_rope(q, angles)
        #! wk_for_queries: k = apply_rope(k, angles); q = k
        #! rope_adds_angles: q, k = (y + angles.repeat_interleave(2, -1) for y in (q, k))
        #  The angles are added to queries and keys. They are rotated by them.
        #: attention(q, k, v, mask): the values are averaged.
        #! keys_as_values: q, k = apply_rope(q, angles), apply_rope(k, angles); v = k
        #  The keys are averaged, rotated as they are. What is averaged are the values.
        #: Use `angles`.
        #! own_angles: q, k = apply_rope(q, own_angles(q)), apply_rope(k, own_angles(k))
        #  It makes angles of its own, for positions 0, 1, 2, … The ones it is given may be others.
        #: `angles.cos()`, without the underscore, makes a new tensor.
        #! angles_changed: …; angles.cos_()
        #  It changes the caller's angles in place.
        #: No `.detach()` and no `.data` here.
        #! keys_detached: …; k = k.detach()
        #  The keys are cut off from the gradient.
        #! queries_detached: …; q = q.detach()
        #  The queries are cut off from the gradient.
        #! values_detached: …; v = v.detach()
        #  The values are cut off from the gradient.
        #: attention divides already, once.
        #! scaled_twice: …; q = q / math.sqrt(q.shape[-1])
        #  The scores are divided by sqrt(d) twice: attention has done it already.
        #: `math.sqrt(q.shape[-1])` of the split queries.
        #! scaled_by_model: …; q = q / math.sqrt(self.n_heads)
        #  The scores are divided by sqrt(dim). A head's dot product has d = dim / H terms. [FareedKhan-dev/train-llm-from-scratch#3,
        #  omihub777/ViT-CIFAR#11, aladdinpersson/Machine-Learning-Collection#65]
        #! scaled_by_both: …; q = q / math.sqrt(x.shape[-1])
        #  The scores are divided by sqrt(dim) besides: attention has divided by sqrt(d) already.
        mask = causal_mask(T, T).to(x.device)
        #: `causal_mask(T, T)`, handed to attention.
        #! not_causal: mask = None
        #  There is no mask: every token sees the ones it has to predict. [huggingface/transformers#48745]
        #: True means: may look.
        #! inverted_mask: mask = ~causal_mask(T, T).to(x.device)
        #  The mask is inverted: a token sees only what comes after it.
        #: `causal_mask(T, T)`, handed to attention.
        #! sees_the_future: mask = torch.ones(T, T, dtype=torch.bool, device=x.device).triu()
        #  The mask is the upper triangle: a token sees itself and what comes after it.
        #! sees_one_ahead: mask = torch.ones(T, T, dtype=torch.bool, device=x.device).tril(1)
        #  A token sees the next one, which is the one that it has to predict. [RVC-Boss/GPT-SoVITS#965]
        #! does_not_see_itself: mask = torch.ones(T, T, dtype=torch.bool, device=x.device).tril(-1)
        #  A token does not see itself, and the first one sees nothing: NaN. [trymirai/lalamo#273]
        #! only_itself: mask = torch.eye(T, dtype=torch.bool, device=x.device)
        #  Each token sees itself and nothing else.
        #! sliding_window: …; mask = mask & torch.ones(T, T, dtype=torch.bool, device=x.device).triu(-15)
        #  A query sees the nearest 16 positions only. Here it sees all that came before.
        #: The mask is T × T: `causal_mask(x.shape[1], x.shape[1])`.
        #! mask_of_another_size: mask = causal_mask(x.shape[0], x.shape[1]).to(x.device)
        #! mask_of_another_size: mask = causal_mask(x.shape[0], x.shape[0]).to(x.device)
        #! mask_of_another_size: mask = causal_mask(q.shape[1], k.shape[1]).to(x.device)
        #! mask_of_another_size: mask = causal_mask(q.shape[1], k.shape[2]).to(x.device)
        #! mask_of_another_size: mask = causal_mask(x.shape[2], x.shape[2]).to(x.device)
        #! mask_of_another_size: mask = causal_mask(x.shape[1], x.shape[2]).to(x.device)
        #! mask_of_another_size: mask = causal_mask(q.shape[3], k.shape[3]).to(x.device)
        #  The mask is made for another size than the number of positions, T × T.
        #: `causal_mask(T, T)` is bool already: no `.int()`, `.float()` or `.long()`.
        #! mask_of_integers: …; mask = mask.int()
        #! mask_of_integers: …; mask = mask.long()
        #! mask_of_integers: …; mask = mask.float()
        #  The mask is made of numbers. attention wants a bool one.
        #: Make it in forward, for the T of this x.
        #! fixed_mask: mask = causal_mask(16, 16).to(x.device)[:T, :T]
        #! fixed_mask: mask = causal_mask(8, 8).to(x.device)[:T, :T]
        #! fixed_mask: mask = causal_mask(10, 10).to(x.device)[:T, :T]
        #  The mask has a fixed size, such as 16 positions, and the text is longer.
        #! keeps_mask: …; self.kept = getattr(self, "kept", mask); mask = self.kept
        #  The mask of the first call is used for all others, whatever their length.
        #: `causal_mask(T, T).to(x.device)`
        #! mask_on_cpu: mask = causal_mask(T, T)
        #  The mask lies on the CPU whatever the device of x is.
        out = attention(q, k, v, mask)  # (B, H, T, d)
        #: `causal_mask(T, T)`, handed to attention.
        #! not_causal: out = attention(q, k, v)
        #: True means: may look.
        #! inverted_mask: out = attention(q, k, v, ~mask).nan_to_num()
        #: split_heads, before attention.
        #! one_head: q, k, v = (merge_heads(y)[:, None] for y in (q, k, v)); out = split_heads(attention(q, k, v, mask)[:, 0], self.n_heads)
        #  All features are compared at once, as by a single head of size dim.
        #: attention works on (B, H, T, d) as it is.
        #! one_pattern_for_all: out = attention_weights(q, k, mask).mean(1, keepdim=True) @ v
        #  All heads use the same weights, their average. Each head has its own.
        #: The batch stays a dimension of its own.
        #! sentences_together: q, k, v = (y.transpose(0, 1).flatten(1, 2)[None] for y in (q, k, v)); out = attention(q, k, v, causal_mask(q.shape[2], q.shape[2]).to(x.device)); out = out[0].unflatten(1, (len(x), T)).transpose(0, 1)
        #  The sentences of a batch see each other.
        #: Nothing of a call may stay in the module.
        #! keeps_keys:
        #| if hasattr(self, "kept") and self.kept[0].shape[:2] == k.shape[:2]:
        #|     k, v = torch.cat([self.kept[0], k], 2), torch.cat([self.kept[1], v], 2)
        #| self.kept = k.detach(), v.detach()
        #| out = attention(q, k, v, causal_mask(T, k.shape[2]).to(x.device))
        #  It remembers keys and values from one call to the next. (That is lab 05, and with a cache that the caller hands over.)
        #  [Lightning-AI/litgpt#1596]
        #: attention(q, k, v, mask): queries, keys, values, in this order.
        #! queries_and_keys_swapped: out = attention(k, q, v, mask)
        #! keys_and_values_swapped_in_call: out = attention(q, v, k, mask)
        #  Keys and values are handed over in the wrong order: attention(q, k, v, mask).
        #! queries_and_values_swapped_in_call: out = attention(v, k, q, mask)
        #  Queries and values are handed over in the wrong order: attention(q, k, v, mask).
        #! queries_as_values: out = attention(q, k, q, mask)
        #  The queries are averaged. What is averaged are the values.
        out = merge_heads(out)  # (B, T, dim)
        #: Use merge_heads.
        #! merge_without_transpose: out = out.reshape(x.shape)
        #  The heads are merged without transposing: a position gets features of other positions, later ones too. [jsbaan/transformer-from-scratch#4,
        #  hackiey/QAnet-pytorch#2]
        #! heads_inside: out = out.permute(0, 2, 3, 1).flatten(2)
        #  The heads are merged with their features interleaved.
        #! heads_summed: out = out.sum(1).repeat(1, 1, self.n_heads)
        #  The heads are added up. They are put side by side.
        #! heads_reversed: out = merge_heads(out.flip(1))
        #  The heads are put side by side in reverse order.
        out = self.wo(out)
        #: `return self.wo(merge_heads(…))`
        #! forgets_wo: pass
        #  wo is not used: the heads stay side by side, unmixed.
        #!+ wo_too_early: pass
        #  wo is applied to the values, before attention: its weights mix heads, so it comes last.
        #! wv_for_output: out = self.wv(out)
        #  The result goes through wv; wo is not used.
        #! wq_for_output: out = self.wq(out)
        #  The result goes through wq; wo is not used.
        #! wk_for_output: out = self.wk(out)
        #  The result goes through wk; wo is not used.
        #! wo_twice: out = self.wo(self.wo(out))
        #  wo is applied twice.
        #! wo_not_transposed: out = out @ self.wo.weight
        #  It computes out @ wo.weight. nn.Linear stores its weight as (out, in): out @ weight.T.
        return out
        #: `return self.wo(merge_heads(…))`
        #! returns_both: return out, x
        #  It returns two things. One is wanted.
        #! last_position_only: return out[:, -1:]
        #! last_position_only: return out[:, -1]
        #  Only the last position comes back. All T are wanted.
        #! adds_residual: return x + out
        #  It adds x. The residual connection comes later, in the block.
        #: `return self.wo(merge_heads(…))`
        #! no_return: out
        #  The result is computed and then forgotten: there is no `return`.
        #! result_not_merged: return out.unflatten(-1, (self.n_heads, -1))
        #  The result is (B, T, H, d). wo gives (B, T, dim).
        #! softmax_at_the_end: return out.softmax(-1)
        #  There is a softmax over the result. It belongs to the scores, and attention does it.
        #! float32_result: return out.float()
        #  The result is float32 whatever x is.
        #: No `torch.no_grad()` here, and no `.detach()` at the end.
        #! no_gradient: return out.detach()
        #  Nothing gets a gradient: the layer cannot learn.
        #: Nothing here depends on `self.training`.
        #! training_only: return out if self.training else 0.9 * out
        #  In eval mode it does something else than in training.
        #: Llama 3 drops nothing.
        #! dropout: return F.dropout(out, 0.1)
        #! dropout: return F.dropout(out, 0.5)
        #! dropout: return F.dropout(out, 0.2)
        #  Numbers are dropped at random: every call gives something else.


IN_MODULE = {
    *("no_scale", "multiplied_by_root", "fixed_scale", "fixed_llama_scale", "scaled_by_dim_1"),
    *("scaled_by_keys", "scaled_by_numel", "scaled_after_softmax", "negative_scores", "cosine"),
    *("softmax_over_queries", "softmax_over_dim_1", "softmax_over_dim_0", "softmax_twice"),
    *("softmax_over_everything", "no_softmax", "log_softmax", "sigmoid", "only_the_best"),
    "unstable_softmax",
    *("mask_multiplied", "mask_after_softmax", "masked_and_normalised_again", "mask_added"),
    *("zero_times_infinity", "filled_with_plus", "fill_too_small", "fill_far_too_small"),
    *("not_normalised", "billion_in_half"),
}
OWN = mistakes_of(MultiHeadAttention)
HERE = [m for m in OF_WEIGHTS if m.key in IN_MODULE]
LINE = "out = attention(q, k, v, mask)  # (B, H, T, d)"
MISTAKES: list[Mistake] = OWN + met(HERE, OWN[0], LINE, "out = wrong({})(q, k, mask) @ v")
