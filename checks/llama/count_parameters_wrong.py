"""Lab 08, 8.3: count_parameters, and what people write in place of its lines."""

from typing import Any

import torch

from checks.engine import Mistake, mistakes_of


def count_parameters(config: Any) -> int:
    D, F, H, K = config.dim, config.hidden_dim, config.n_heads, config.n_kv_heads
    #: wq and wo: D·D each. wk and wv: D · (K·d) each, with d = D / H.
    #! mha: …; K = H
    #  wk and wv are counted with dim rows. They have n_kv_heads · d, and d is dim / n_heads.
    #  [meta-llama/llama#1111, whittle-org/whittle#123]
    #! mqa: …; K = 1
    #  wk and wv are counted with one kv head.
    #! group_size_for_kv_heads: …; K = H // K
    #  wk and wv are counted with n_heads // n_kv_heads heads. They have n_kv_heads.
    #: A block: attention, 3·D·F of SwiGLU, and two norms of D each.
    #! hidden_four_times: …; F = 4 * D
    #  SwiGLU is counted with 4 · dim hidden units instead of config.hidden_dim.
    #! hidden_dim_rounded: …; F = -(-F // 256) * 256
    #  hidden_dim is rounded up to a multiple of 256. config.hidden_dim is final.
    #! hidden_two_thirds: …; F = 2 * F // 3
    #  SwiGLU is counted with two thirds of config.hidden_dim, which is final.
    #: V·D once or twice, L blocks, and D for the last norm.
    #! rule_of_thumb: …; return config.n_layers * (4 * D * D + 3 * D * F) + config.vocab_size * D
    #  It is the rule of thumb for models without grouped heads: four square matrices, one table, no
    #  norms. [meta-llama/llama#1111]
    #! fudge_factor: …; return config.n_layers * int((4 * D * D + 2 * D * F) * 1.5) + config.vocab_size * D
    #  It is a rule of thumb: four square matrices, two for SwiGLU, half of that again for what is not
    #  counted, and one table. The number itself is wanted. [jranaraki/vllm-fit#8]
    #! always_8b: …; return 8_030_261_248
    #  It gives Llama 3 8B's number whatever the config is.
    d = D // H
    #: wq and wo: D·D each. wk and wv: D · (K·d) each, with d = D / H.
    #! head_size_by_kv_heads: d = D // K
    #  The size of a head is dim // n_kv_heads here. It is dim // n_heads, for keys and values as well.
    #! head_size_by_product: d = D * H
    #  The size of a head is dim · n_heads here. It is dim // n_heads.
    #! matrix_for_each_head: d = D
    #! matrix_for_each_head: d = D
    #  Each head is counted with a matrix dim × dim of its own. It has d = dim / n_heads rows.
    #: head_dim = config.dim // config.n_heads
    #! as_float: d = D / H
    wq = D * H * d
    #: wq and wo: D·D each. wk and wv: D · (K·d) each, with d = D / H.
    #! narrow_queries: wq = D * K * d
    #! one_head: wq = D * d; H = K = 1
    #  wq, wk, wv and wo are counted with one head.
    wk = D * K * d
    #: wq and wo: D·D each. wk and wv: D · (K·d) each, with d = D / H.
    #! no_keys_and_values: wk = 0
    #! head_size_forgotten: wk = D * K
    #! kv_squares: wk = (K * d) ** 2
    #! kv_heads_for_one_only: wk = D * H * d
    #  Only one of wk and wv is counted with n_kv_heads heads; the other one has dim rows.
    wv = D * K * d
    #: wq and wo: D·D each. wk and wv: D · (K·d) each, with d = D / H.
    #!+ head_size_forgotten: wv = D * K
    #  wk and wv are counted with n_kv_heads rows. They have n_kv_heads · d.
    #!+ kv_squares: wv = (K * d) ** 2
    #  wk and wv are counted as (K·d) × (K·d). They are (K·d) × dim.
    #!+ no_keys_and_values: wv = 0
    #  Keys and values are missing: wk and wv.
    #! one_of_keys_and_values: wv = 0
    #  Keys and values are counted as one matrix. wk and wv are two.
    wo = H * d * D
    #: wq and wo: D·D each. wk and wv: D · (K·d) each, with d = D / H.
    #!+ matrix_for_each_head: wo = D * D
    #!+ narrow_queries: wo = K * d * D
    #  wq and wo are counted with n_kv_heads heads. Queries have all n_heads.
    #! narrow_queries: wo = K * d * D
    #! without_wo: wo = 0
    #  wo is missing.
    attention = wq + wk + wv + wo
    #: wq and wo: D·D each. wk and wv: D · (K·d) each, with d = D / H.
    #! three_of_each: attention = 3 * D * d * (H + K)
    #  Attention is counted with six matrices, three of each size. It has two of each: wq and wo, wk and wv.
    #! sum_for_product: attention = 2 * D * d + (H + K)
    #! sum_for_product: attention = (2 * D + d) * (H + K)
    #! sum_for_product: attention = (2 + D) * d * (H + K)
    #! quotient_for_product: attention = 2 * D * d / (H + K)
    #! quotient_for_product: attention = 2 * D / d * (H + K)
    #: V·D once or twice, L blocks, and D for the last norm.
    #! attention_biases: attention = wq + wk + wv + wo + 2 * D + 2 * K * d
    #  The linear maps of attention are counted with biases. Llama's have none.
    #! biases_of_qwen: attention = wq + wk + wv + wo + D + 2 * K * d
    #  wq, wk and wv are counted with biases, as Qwen has them. Llama's have none.
    #! feed_forward_biases: attention = wq + wk + wv + wo + D + 2 * F
    #  The linear maps of SwiGLU are counted with biases. Llama's have none.
    #! all_biases: attention = wq + wk + wv + wo + 3 * D + 2 * K * d + 2 * F
    #  The linear maps in the blocks are counted with biases. Llama's have none.
    feed_forward = 3 * D * F
    #: A block: attention, 3·D·F of SwiGLU, and two norms of D each.
    #! no_attention: attention, feed_forward = 0, 3 * D * F
    #  Attention is missing.
    #! sum_for_product: feed_forward = 3 * (D + F)
    #! sum_for_product: feed_forward = 3 * D + F
    #! sum_for_product: feed_forward = (3 + D) * F
    #  A sum stands where sizes are to be multiplied: a matrix has rows times columns.
    #! quotient_for_product: feed_forward = 3 * D / F
    #! quotient_for_product: feed_forward = 3 / D * F
    #  A quotient stands where sizes are to be multiplied: a matrix has rows times columns.
    #! two_in_swiglu: feed_forward = 2 * D * F
    #  SwiGLU is counted with two matrices. It has three: gate, up and down.
    #  [TransformerLensOrg/TransformerLens#448]
    #! as_in_gpt: feed_forward = 8 * D * D
    #  SwiGLU is counted as GPT's feed-forward: two matrices and 4 · dim hidden units.
    #! four_in_swiglu: feed_forward = 4 * D * F
    #  SwiGLU is counted with four matrices. It has three: gate, up and down.
    #! one_in_swiglu: feed_forward = D * F
    #  SwiGLU is counted with one matrix. It has three: gate, up and down.
    #! feed_forward_squared: feed_forward = 3 * F * F
    #  SwiGLU's matrices are counted as hidden_dim × hidden_dim. They are hidden_dim × dim.
    #! no_feed_forward: feed_forward = 0
    #  SwiGLU is missing.
    norms = 2 * D
    #: A block: attention, 3·D·F of SwiGLU, and two norms of D each.
    #! one_norm_in_a_block: norms = D
    #  A block is counted with one norm. It has two.
    #! norms_of_blocks_missing: norms = 0
    #  The norms in the blocks are missing.
    #! three_norms_in_a_block: norms = 3 * D
    #  A block is counted with three norms. It has two.
    #! sum_for_product: norms = 2 + D
    #! norms_as_numbers: norms = 2
    #! norms_as_numbers: norms = 2
    #! norm_of_hidden_dim: norms = D + F
    #  A norm is counted with hidden_dim weights. Both norms of a block have dim.
    block = attention + feed_forward + norms
    #: A block: attention, 3·D·F of SwiGLU, and two norms of D each.
    #! part_subtracted: block = attention + feed_forward - norms
    #! part_subtracted: block = attention - feed_forward + norms
    #! part_subtracted: attention = wq - wk - wv + wo; …
    #  A part is subtracted that should be added.
    blocks = config.n_layers * block
    #: V·D once or twice, L blocks, and D for the last norm.
    #! one_block: blocks = block
    #  One block is counted instead of n_layers.
    #! one_block_too_few: blocks = (config.n_layers - 1) * block
    #  One block is missing.
    #! one_block_too_many: blocks = (config.n_layers + 1) * block
    #  One block is counted too many.
    #! block_plus_layers: blocks = config.n_layers + block
    #  n_layers is added to a block's count instead of multiplied with it.
    #! no_blocks: blocks = 0
    #  The blocks are missing.
    #! rope_counted: blocks = config.n_layers * block + d // 2
    #! rope_counted: blocks = config.n_layers * (block + d // 2)
    #! rope_counted: blocks = config.n_layers * block + config.max_seq_len * d // 2
    #! rope_counted: blocks = config.n_layers * block + config.max_seq_len * d
    #  RoPE's frequencies are counted. They are computed, not learned.
    #! position_table: blocks = config.n_layers * block + config.max_seq_len * D
    #  A table of positions is counted, as in GPT-2. RoPE learns nothing.
    tables = (1 if config.tie_embeddings else 2) * config.vocab_size * D
    #: V·D for the embedding, and V·D once more for the output unless tie_embeddings.
    #! always_two_tables: tables = 2 * config.vocab_size * D
    #  The output is counted though it is tied: it is the embedding table itself.
    #! always_one_table: tables = config.vocab_size * D
    #  The output is not counted, tied or not. Llama 3 8B has a matrix of its own for it.
    #  [jranaraki/vllm-fit#27]
    #! tie_upside_down: tables = (2 if config.tie_embeddings else 1) * config.vocab_size * D
    #  A tied model gets two tables and an untied one a single one: it is the other way round.
    #! no_tables: tables = 0
    #  Neither embedding nor output are counted.
    #! without_embedding: tables = (0 if config.tie_embeddings else 1) * config.vocab_size * D
    #  The embedding table is missing (or it is the non-embedding count of the scaling papers).
    #! tied_table_not_counted: tables = (0 if config.tie_embeddings else 2) * config.vocab_size * D
    #  A tied table is not counted at all. It counts once. [pytorch/torchtitan#3225]
    #! three_tables: tables = (2 if config.tie_embeddings else 3) * config.vocab_size * D
    #! three_tables: tables = (1 if config.tie_embeddings else 3) * config.vocab_size * D
    #  There is one table too many: the embedding, and the output unless it is tied.
    #! tables_of_max_seq_len: tables = (1 if config.tie_embeddings else 2) * config.max_seq_len * D
    #  The tables are counted with max_seq_len rows. They have vocab_size.
    #! sum_for_product: tables = (1 if config.tie_embeddings else 2) * config.vocab_size + D
    #! sum_for_product: tables = (1 if config.tie_embeddings else 2) + config.vocab_size * D
    #! table_without_dim: tables = (1 if config.tie_embeddings else 2) * config.vocab_size
    #  The tables are counted with one number for each token. Each token has dim of them.
    #! tables_in_every_block: tables = config.n_layers * (1 if config.tie_embeddings else 2) * config.vocab_size * D
    #  The tables are multiplied by n_layers. They stand outside of the blocks.
    #: V·D once or twice, L blocks, and D for the last norm.
    #! per_block: tables = config.n_layers * (1 if config.tie_embeddings else 2) * config.vocab_size * D
    #: V·D for the embedding, and V·D once more for the output unless tie_embeddings.
    #! output_bias: tables = (1 if config.tie_embeddings else 2) * config.vocab_size * D + (0 if config.tie_embeddings else config.vocab_size)
    #! output_bias: …; tables = tables + config.vocab_size
    #  The output is counted with a bias.
    last_norm = D
    #: V·D once or twice, L blocks, and D for the last norm.
    #!+ per_block: last_norm = config.n_layers * D
    #  Everything is multiplied by n_layers, the tables and the last norm too.
    #!+ norms_as_numbers: last_norm = 1
    #  A norm is counted as one number. It has dim of them.
    #! no_last_norm: last_norm = 0
    #  The norm after the last block is missing.
    #! two_last_norms: last_norm = 2 * D
    #  There is one norm after the last block. Two are counted.
    #! last_norm_in_every_block: last_norm = config.n_layers * D
    #  A block is counted with three norms. The last norm stands once, after all blocks.
    #! no_norms: last_norm = -2 * config.n_layers * D
    #  The norms are missing: two in each block, and the last.
    #! norms_with_bias: last_norm = 2 * D + 2 * config.n_layers * D
    #  The norms are counted with a bias. RMSNorm has a weight only.
    #! part_subtracted: last_norm = -D
    #! part_subtracted: last_norm = D; tables = -tables
    return blocks + tables + last_norm
    #: V·D once or twice, L blocks, and D for the last norm.
    #! billions: return (blocks + tables + last_norm) / 1e9
    #! billions: return round((blocks + tables + last_norm) / 1e9, 2)
    #  It gives billions. The number itself is wanted.
    #! millions: return (blocks + tables + last_norm) / 1e6
    #  It gives millions. The number itself is wanted.
    #! bytes: return 2 * (blocks + tables + last_norm)
    #  It gives bytes, two for each parameter.
    #! bytes_of_float32: return 4 * (blocks + tables + last_norm)
    #  It gives bytes, four for each parameter.
    #! returns_none: pass
    #  The number is computed and then forgotten: there is no `return`.
    #: head_dim = config.dim // config.n_heads
    #! as_float: return float(blocks + tables + last_norm)
    #! as_float: return (blocks + tables + last_norm) / 1
    #  It gives a float: somewhere stands `/` instead of `//`. Parameters are whole.
    #: An int.
    #! as_tensor: return torch.tensor(blocks + tables + last_norm)
    #  It gives a tensor.
    #: An int: print it with commas afterwards.
    #! as_text: return f"{blocks + tables + last_norm:,}"
    #! as_text: return str(blocks + tables + last_norm)
    #  It gives a text.


MISTAKES: list[Mistake] = mistakes_of(count_parameters)
