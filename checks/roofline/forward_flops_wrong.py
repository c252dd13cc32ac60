"""Lab 12, 12.1: forward_flops, and what people write in place of its lines."""

from typing import Any

from checks.engine import Mistake, mistakes_of
from checks.roofline.sizes import count_parameters


def forward_flops(config: Any, n_new: int, n_past: int = 0) -> int:
    D, F, V, L = config.dim, config.hidden_dim, config.vocab_size, config.n_layers
    H, K, d = config.n_heads, config.n_kv_heads, config.dim // config.n_heads
    #: wq and wo are D × D, wk and wv are D × (K · d).
    #! heads_swapped: …; H, K = K, H
    #  n_heads and n_kv_heads have changed places.
    #! head_dim_multiplied: …; d = D * H
    #  The head's size is dim · n_heads. It is dim / n_heads.
    attention = 2 * D * D + 2 * D * K * d
    #! full_width_keys: attention = 4 * D * D
    #  wk and wv are counted as wide as wq. They make K heads of d features, not H.
    #! three_projections: attention = D * D + 2 * D * K * d
    #  One of the four matrices of attention is missing: wq or wo, which are D × D.
    #! one_narrow_matrix: attention = 2 * D * D + D * K * d
    #  Only one of wk and wv is counted.
    #! no_attention_weights: attention = 0
    #  The four matrices of attention are missing.
    #! keys_of_one_head: attention = 2 * D * D + 2 * D * d
    #  wk and wv are counted for one head. There are K of them.
    #! keys_without_head_dim: attention = 2 * D * D + 2 * D * K
    #  wk and wv are D × (K · d). The head's size d is missing.
    #! attention_arithmetic: attention = 2 / D * d * (H + K)
    #! attention_arithmetic: attention = (2 + D) * d * (H + K)
    #! attention_arithmetic: attention = 2 * D / d * (H + K)
    #! attention_arithmetic: attention = (2 * D + d) * (H + K)
    #! attention_arithmetic: attention = 2 * D * d * (H - K)
    #! attention_arithmetic: attention = 2 * D * d / (H + K)
    #! attention_arithmetic: attention = 2 * D * d + (H + K)
    #! attention_arithmetic: attention = 3 * D * d * (H + K)
    #! attention_arithmetic: attention = -2 * D * d * (H + K)
    #! attention_arithmetic: attention = 2 * D * D * 2 * D * K * d
    #! attention_arithmetic: attention = 2 * D * D - 2 * D * K * d
    #! attention_arithmetic: attention = D * D + D * K * d
    #  Among the weights of attention one thing is added, subtracted, multiplied or divided that should not be: 2 · D · D for wq and wo, and 2 · D · K · d for wk and wv.
    feed_forward = 3 * D * F
    #: SwiGLU has three matrices, w_gate, w_up and w_down, D × F each.
    #! two_matrices: feed_forward = 2 * D * F
    #  SwiGLU is counted with two matrices, as the MLP of older models. [bigscience-workshop/Megatron-DeepSpeed#283]
    #! four_times_dim: feed_forward = 3 * D * 4 * D
    #! four_times_dim: feed_forward = 2 * D * 4 * D
    #  SwiGLU is counted with 4 · dim hidden units, not config.hidden_dim.
    #! no_feed_forward: feed_forward = 0
    #  The three matrices of SwiGLU are missing.
    #! one_matrix: feed_forward = D * F
    #  Of SwiGLU one matrix is counted. It has three.
    #! feed_forward_arithmetic: feed_forward = 3 / D * F
    #! feed_forward_arithmetic: feed_forward = (3 + D) * F
    #! feed_forward_arithmetic: feed_forward = 3 * D / F
    #! feed_forward_arithmetic: feed_forward = 3 * D + F
    #! feed_forward_arithmetic: feed_forward = 4 * D * F
    #! feed_forward_arithmetic: feed_forward = -3 * D * F
    #  Among the weights of SwiGLU one thing is added, subtracted or divided that should be multiplied: 3 · D · F.
    weights = L * (attention + feed_forward) + V * D
    #: `config.n_layers * (attention + feed_forward) + config.vocab_size * config.dim`
    #! all_parameters: weights = count_parameters(config)
    #  It counts every parameter: the norms, which are in no matrix product, and in a model that is not tied the embedding table, which is looked up. [tenstorrent/tt-metal#50114, ByteDance-Seed/VeOmni#703]
    #! table_twice: weights = L * (attention + feed_forward) + 2 * V * D
    #! table_twice: weights = L * (attention + feed_forward) + (1 if config.tie_embeddings else 2) * V * D
    #  The embedding table is counted too. It is looked up, not multiplied. [tenstorrent/tt-metal#50114, ByteDance-Seed/VeOmni#703]
    #! no_output: weights = L * (attention + feed_forward)
    #  The output projection is missing, V × D. [pytorch/torchtitan#452]
    #! tied_is_free: weights = L * (attention + feed_forward) + (0 if config.tie_embeddings else V * D)
    #! tied_is_free: weights = L * (attention + feed_forward) + V * D * (not config.tie_embeddings)
    #  The output projection of a tied model is left out. Its weights are shared with the embeddings; the product is computed all the same.
    #! tied_only: weights = L * (attention + feed_forward) + (V * D if config.tie_embeddings else 0)
    #  The output projection is counted in tied models only.
    #! output_in_each_layer: weights = L * (attention + feed_forward + V * D)
    #  The output projection is counted in each layer. It stands once, at the end.
    #! one_layer: weights = attention + feed_forward + V * D
    #  The matrices of one layer are counted. There are n_layers.
    #! norms_too: weights = L * (attention + feed_forward + 2 * D) + V * D + D
    #! norms_too: weights = L * (attention + feed_forward + 2 * D) + V * D
    #! norms_too: weights = L * (attention + feed_forward) + V * D + D
    #  The weights of the norms are counted. They are in no matrix product.
    #! without_embedding: weights = count_parameters(config) - V * D
    #  It takes all parameters but one table: the norms are among them, and in a tied model the only table is gone.
    #! sum_of_weights: weights = L * (attention + feed_forward) + V / D
    #! sum_of_weights: weights = L * (attention + feed_forward) + V + D
    #! sum_of_weights: weights = L / (attention + feed_forward) + V * D
    #! sum_of_weights: weights = L + (attention + feed_forward) + V * D
    #! sum_of_weights: weights = L * (attention - feed_forward) + V * D
    #! sum_of_weights: weights = L * (attention + feed_forward) - V * D
    #! sum_of_weights: weights = L * attention + feed_forward + V * D
    #! sum_of_weights: weights = L * attention * feed_forward + V * D
    #  Where the weights are put together, one thing is added, subtracted or divided that should not be: L · (attention + feed_forward) + V · D.
    products = 2 * n_new * weights
    #: `2 * n_new * weights`: a multiplication and an addition for each weight and each new token.
    #! one_flop: products = n_new * weights
    #  A multiplication and an addition count as one, for the weights. They are two FLOPs.
    #! training: products = 6 * n_new * weights
    #  It counts 6 FLOPs a weight: that is training, with the backward pass. A forward pass takes 2.
    #! one_token: products = 2 * weights
    #  The weights are multiplied for one token. There are n_new.
    #! past_again: products = 2 * (n_past + n_new) * weights
    #  The weights are multiplied for the past tokens, too. The caches spare that.
    #! output_for_the_last: products = 2 * n_new * (weights - V * D) + 2 * V * D
    #  The output projection is computed for the last token only. Here every new token counts.
    #! past_only: products = 2 * n_past * weights
    #  The weights are multiplied for the past tokens. It is the new ones that go through them.
    #! products_arithmetic: products = 2 / n_new * weights
    #! products_arithmetic: products = (2 + n_new) * weights
    #! products_arithmetic: products = 2 * n_new / weights
    #! products_arithmetic: products = 2 * n_new + weights
    #! products_arithmetic: products = 3 * n_new * weights
    #! products_arithmetic: products = -2 * n_new * weights
    #  Where weights and tokens meet, one thing is added, subtracted or divided that should be multiplied: 2 · n_new · weights.
    scores = n_new * (n_past + n_new)
    #: `n_new * (n_past + n_new)`: each new token looks at all before it and at the new ones.
    #! causal_half: scores = n_new * n_past + n_new * (n_new + 1) // 2
    #! causal_half: scores = n_new * n_past + n_new * n_new // 2
    #! causal_half: scores = n_new * (n_past + n_new) // 2
    #! causal_half: scores = n_new * (2 * n_past + n_new + 1) // 2
    #  The masked half of the scores is left out. Here the whole rectangle counts, as in lab 05's count_scores. (Sources disagree.) [verl-project/verl#4929, AI-Hypercomputer/maxtext#1972, pytorch/torchtitan#280]
    #! past_scores_only: scores = n_new * n_past
    #  Each new token looks at the past ones only. It sees itself and the other new ones, too.
    #! new_scores_only: scores = n_new * n_new
    #  The new tokens look at one another only. The past ones are in the caches, and are looked at.
    #! past_or_new: scores = n_new * (n_past or n_new)
    #  With a cache the new tokens look at the past ones only. They see themselves and one another, too.
    #! squared: scores = (n_past + n_new) ** 2
    #  All tokens look at all. The past ones have done so already.
    #! one_query: scores = n_past + n_new
    #  The scores are those of one new token. There are n_new.
    #! itself_forgotten: scores = n_new * (n_past + n_new - 1)
    #  The new token does not look at itself.
    #! precedence: scores = n_new * n_past + n_new
    #  The brackets are missing: n_new · (n_past + n_new).
    #! no_scores: scores = 0
    #  The scores and the averages of the values are missing.
    #! scores_arithmetic: scores = n_new / (n_past + n_new)
    #! scores_arithmetic: scores = n_new + (n_past + n_new)
    #! scores_arithmetic: scores = n_new * (n_past - n_new)
    #  Where the scores are counted, one thing is added, subtracted or divided that should not be: n_new · (n_past + n_new).
    return products + L * 4 * H * d * scores
    #: `n_layers * 4 * n_heads * d * scores`: two products, of two FLOPs each.
    #! kv_heads_for_scores: return products + L * 4 * K * d * scores
    #  q·k and weights·v are counted for the kv heads. Every query head computes them, though it shares its keys and values. [facebookresearch/xformers#1404]
    #! one_product: return products + L * 2 * H * d * scores
    #  Half of the FLOPs of the scores are missing: of q·k and weights·v one is counted, or the masked half is left out, or a multiplication and an addition are one. [pytorch/torchtitan#4366]
    #! scores_of_one_layer: return products + 4 * H * d * scores
    #  The scores are those of one layer. There are n_layers.
    #! scores_of_one_head: return products + L * 4 * d * scores
    #  The scores are those of one head. There are n_heads.
    #! scores_without_d: return products + L * 4 * H * scores
    #  A score takes d multiplications: the head's size is missing.
    #! scores_with_dim_for_d: return products + L * 4 * H * D * scores
    #  Each head is counted with the full width D. A head has d = D / H features.
    #! scores_for_training: return products + L * 12 * H * d * scores
    #  The scores are counted with a factor of 12: that is training, with the backward pass.
    #! softmax_too: return products + L * (4 * H * d + 3 * H) * scores
    #! softmax_too: return products + L * (4 * H * d + 5 * H) * scores
    #! softmax_too: return products + L * (4 * H * d + H) * scores
    #  The softmax is counted. Only matrix products are asked for.
    #! attention_flops_arithmetic: return products - L * 4 * H * d * scores
    #! attention_flops_arithmetic: return products + (L / 4) * H * d * scores
    #! attention_flops_arithmetic: return products + (L + 4) * H * d * scores
    #! attention_flops_arithmetic: return products + L * 4 / H * d * scores
    #! attention_flops_arithmetic: return products + (L * 4 + H) * d * scores
    #! attention_flops_arithmetic: return products + L * 4 * H / d * scores
    #! attention_flops_arithmetic: return products + (L * 4 * H + d) * scores
    #! attention_flops_arithmetic: return products + L * 4 * H * d / scores
    #! attention_flops_arithmetic: return products + L * 4 * H * d + scores
    #! attention_flops_arithmetic: return products + L * 5 * H * d * scores
    #! attention_flops_arithmetic: return products + L * -4 * H * d * scores
    #! attention_flops_arithmetic: return products + L * 8 * H * d * scores
    #! attention_flops_arithmetic: return products * L * 4 * H * d * scores
    #  Where the scores become FLOPs, one thing is added, subtracted or divided that should be multiplied: L · 4 · H · d · scores.
    #: `return products + …`
    #! a_float: return float(products + L * 4 * H * d * scores)
    #! a_float: return products + L * 4 * D / 1 * scores
    #  The number is right, but a float. Counts are whole: `//` where you divide.
    #! no_return: products + L * 4 * H * d * scores
    #  The result is computed and then forgotten: there is no `return`.
    #! per_token: return (products + L * 4 * H * d * scores) // n_new
    #  It gives the FLOPs of one token. Those of the whole pass are asked for.


MISTAKES: list[Mistake] = mistakes_of(forward_flops)
