"""Lab 08, 8.2: Llama, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from checks.engine import Mistake, mistakes_of
from checks.llama.block_wrong import Centered, rename
from checks.llama.parts import (
    DecoderBlock,
    Embedding,
    KVCache,
    Linear,
    RMSNorm,
    rope_angles,
    rope_frequencies,
)

KEEP = "Nothing is kept in self between two calls."


class Llama(nn.Module):
    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        #: Hand the whole config to DecoderBlock.
        #! kv_heads_ignored: self.config = config = replace(config, n_kv_heads=config.n_heads)
        #  config.n_kv_heads is not used: there are as many kv heads as query heads.
        self.tok_embeddings = Embedding(config.vocab_size, config.dim)
        #: tok_embeddings, layers, norm, output.
        #! learned_positions: …; self.pos_embeddings = Embedding(config.max_seq_len, config.dim)
        #  It learns a vector for each position, as GPT-2 does. Llama's positions come in by RoPE.
        #: No padding_idx.
        #! padding_token: self.tok_embeddings = Embedding(config.vocab_size, config.dim, padding_idx=0)
        #  Token 0 is taken for padding: its vector gets no gradient.
        #: `nn.Embedding(config.vocab_size, config.dim)`
        #! table_of_max_seq_len: self.tok_embeddings = Embedding(config.max_seq_len, config.dim)
        #  The table has max_seq_len rows. It has one for each token of the vocabulary.
        #! one_row_too_many: self.tok_embeddings = Embedding(config.vocab_size + 1, config.dim)
        #  The table has one row too many: tokens are 0 to vocab_size - 1.
        #! table_sizes_swapped: self.tok_embeddings = Embedding(config.dim, config.vocab_size)
        #  vocab_size and dim have changed places in the table.
        if not config.tie_embeddings:
            #: `F.linear(self.norm(x), self.tok_embeddings.weight)` when config.tie_embeddings.
            #! not_tied: if True:
            #  With tie_embeddings there is an output with weights of its own. It has to be the table.
            #  [tinygrad/tinygrad#13796]
            #! tied_by_copy: if True:
            #! tie_upside_down: if config.tie_embeddings:
            #  tie_embeddings means the opposite: a tied model has an output with weights of its own, and
            #  an untied one has none. [huggingface/candle#2930]
            #: `self.output(self.norm(x))`, or the table's weight in place of output's if they are tied.
            #! always_tied: if False:
            #  The output is the embedding table even without tie_embeddings.
            self.output = Linear(config.dim, config.vocab_size)
            #: `self.output(self.norm(x))`, or the table's weight in place of output's if they are tied.
            #! output_bias: …; self.output.bias = nn.Parameter(torch.zeros(config.vocab_size))
            #  The output has a bias. Llama's has none.
            #! output_sizes_swapped: self.output = Linear(config.vocab_size, config.dim)
            #  dim and vocab_size have changed places in the output: nn.Linear(in, out).
            #! untied_shares: …; self.output.weight = self.tok_embeddings.weight
            #  Without tie_embeddings, the output is the embedding table all the same.
            #: `F.linear(self.norm(x), self.tok_embeddings.weight)` when config.tie_embeddings.
            #!+ tied_by_copy: …; self.output.weight.data.copy_(self.tok_embeddings.weight)
            #  With tie_embeddings the output is a copy of the table: equal at first, and two different
            #  matrices after the first training step. [rasbt/LLMs-from-scratch#822]
            #: tok_embeddings, layers, norm, output.
            #! output_renamed: …; rename(self, {"output": "lm_head"})
            #  The output has another name than `output`.
        self.layers = nn.ModuleList(DecoderBlock(config) for _ in range(config.n_layers))
        #: `nn.ModuleList(DecoderBlock(config) for _ in range(config.n_layers))`
        #! layers_in_a_list: self.layers = [DecoderBlock(config) for _ in range(config.n_layers)]
        #  The blocks stand in a plain list, where torch does not see their weights: nothing in them
        #  would learn, move to a GPU or be saved. [maruya24/pytorch_robotics_transformer#3]
        #! layers_shared: self.layers = nn.ModuleList([DecoderBlock(config)] * config.n_layers)
        #  All layers are the same block. `[DecoderBlock(config)] * n` makes one and repeats it.
        #  [zalandoresearch/pytorch-vq-vae#2]
        #! one_block_too_few: self.layers = nn.ModuleList(DecoderBlock(config) for _ in range(config.n_layers - 1))
        #! one_block_too_few: self.layers = nn.ModuleList(DecoderBlock(config) for _ in range(config.n_layers - 1))
        #  There are too few blocks: n_layers of them are wanted.
        #! one_block_too_many: self.layers = nn.ModuleList(DecoderBlock(config) for _ in range(config.n_layers + 1))
        #! one_block_too_many: self.layers = nn.ModuleList(DecoderBlock(config) for _ in range(config.n_layers + 1))
        #  There are too many blocks: n_layers of them are wanted.
        #! one_block_only: self.layers = nn.ModuleList([DecoderBlock(config)])
        #! one_block_only: self.layers = nn.ModuleList([DecoderBlock(config)])
        #  There is one block, whatever n_layers is.
        self.norm = RMSNorm(config.dim, config.norm_eps)
        #: `self.norm = RMSNorm(config.dim, config.norm_eps)`
        #! last_eps_ignored: self.norm = RMSNorm(config.dim)
        #! last_eps_ignored: self.norm = RMSNorm(config.dim, 1e-6)
        #  The last norm does not get config.norm_eps.
        #! last_norm_subtracts_mean: self.norm = Centered(config.dim, config.norm_eps)
        #! last_norm_subtracts_mean: self.norm = nn.LayerNorm(config.dim, config.norm_eps)
        #  The last norm subtracts the mean, as LayerNorm does.
        #! last_norm_missing: pass
        #  There is no norm after the last block. [NVIDIA-NeMo/Speech#2197]
        #: tok_embeddings, layers, norm, output.
        #! other_names: …; rename(self, {"tok_embeddings": "embed_tokens"}); if not config.tie_embeddings: rename(self, {"output": "lm_head"})
        #  The parts have Hugging Face's names (embed_tokens, lm_head). Here they are Meta's.
        #! table_renamed: …; rename(self, {"tok_embeddings": "embed"})
        #  The table has another name than `tok_embeddings`.
        #! layers_renamed: …; rename(self, {"layers": "blocks"})
        #  The blocks have another name than `layers`.
        #! norm_renamed: …; rename(self, {"norm": "final_norm"})
        #  The last norm has another name than `norm`.
        #! frozen: …; self.requires_grad_(False)
        #  The weights do not learn: requires_grad is False.
        #: `self.register_buffer(…, persistent=False)`, or compute them in forward.
        #! buffer_saved: …; self.register_buffer("frequencies", torch.zeros(1))
        #  Something computed is saved with the weights, as a buffer: a name that no file of Llama's
        #  weights has. [aws-neuron/neuronx-nemo-megatron#21]

    def forward(self, ids: Tensor, caches: list[KVCache] | None = None) -> Tensor:
        config, length = self.config, ids.shape[1]
        #: `torch.arange(start, start + ids.shape[1])`: T is the second size of ids, (B, T).
        #! length_from_the_batch: config, length = self.config, ids.shape[0]
        #  T is read from the batch, ids.shape[0].
        #: `for layer, cache in zip(self.layers, caches): x = layer(x, angles, cache)`
        #! caches_ignored: caches = None; …
        #  The caches are not handed on to the blocks.
        #: Without caches, each layer gets None.
        #! own_cache_for_one_text: caches = caches or self.new_caches(1, ids.shape[1]); …
        #  Called without caches, it makes some for one text, and two texts do not fit.
        #: Nothing is kept in self between two calls.
        #! first_caches_for_good: self.first = getattr(self, "first", None) or caches; caches = caches and self.first; …
        #  It keeps the first caches it was given and ignores later ones. [casper-hansen/AutoAWQ#178]
        start = caches[0].length if caches else 0
        #: `start = caches[0].length if caches else 0`, asked before the loop; from there T positions.
        #! positions_from_zero: start = 0
        #  The positions start at 0 in every call. With caches they go on where the caches end.
        #  [RobertCsordas/moeut#6, patrick-kidger/equinox#704]
        #! position_behind: start = max(caches[0].length - 1, 0) if caches else 0
        #! position_behind: start = caches[0].length - 1 if caches else 0
        #  With caches the positions start one too early.
        #! position_ahead: start = caches[0].length + (caches[0].length > 0) if caches else 0
        #  With caches the positions start one too late.
        #! positions_from_one: start = caches[0].length + 1 if caches else 1
        #  The first token stands at position 1. Only distances count, so the logits are the same; but
        #  the keys in the cache are not those of anybody else.
        #! start_at_length: start = length if caches else 0
        #  With caches the positions start at T. They start where the caches end.
        #! start_at_max_len: start = caches[0].keys.shape[2] if caches else 0
        #  With caches the positions start at the number of slots. What counts is how many of them are
        #  written: `length`.
        #! cache_without_asking: start = caches[0].length
        #! counts_itself: start = getattr(self, "seen", 0) if caches else 0; self.seen = start + length if caches else getattr(self, "seen", 0)
        #! counts_itself: start = getattr(self, "seen", 0); self.seen = start + length
        #  It counts the positions in self. A second text begins where the first one ended.
        #  [Lightning-AI/litgpt#1596]
        positions = torch.arange(start, start + length, device=ids.device)
        #: `start = caches[0].length if caches else 0`, asked before the loop; from there T positions.
        #! last_position_for_all: positions = torch.full((length,), start + length - 1, device=ids.device)
        #  All new tokens get the position of the last.
        #! first_position_for_all: positions = torch.full((length,), start, device=ids.device)
        #! first_position_for_all: positions = torch.full((length,), start, device=ids.device) if start else torch.arange(length, device=ids.device)
        #  All new tokens get the position of the first. [jundot/omlx#2363]
        #! angles_by_length: positions = self.__dict__.setdefault("kept", {}).setdefault(length, torch.arange(start, start + length, device=ids.device))
        #  It keeps the angles for each number of tokens. The next single token stands elsewhere.
        #! positions_end_at_length: positions = torch.arange(start, length, device=ids.device)
        #  The positions end at T. They end at start + T: there are T of them.
        #! all_positions: positions = torch.arange(0, start + length, device=ids.device)
        #  It takes the positions of all tokens so far. The angles are those of the T new ones.
        #! positions_backwards: positions = start - torch.arange(length, device=ids.device)
        #  The positions run backwards.
        #: `torch.arange(…, device=ids.device)`, `frequencies.to(ids.device)`
        #! positions_on_cpu: positions = torch.arange(start, start + length)
        #: rope_angles returns float32. Leave it so.
        #! angles_in_half: positions = torch.arange(start, start + length, device=ids.device, dtype=self.norm.weight.dtype)
        d, base = config.dim // config.n_heads, config.rope_base
        #: `rope_frequencies(config.dim // config.n_heads, config.rope_base)`
        #! defaults_of_rope: …; base = 10_000.0
        #  config.rope_base is not used: the base is 10,000. [huggingface/nanotron#173]
        #! base_of_llama_3: …; base = 500_000.0
        #  config.rope_base is not used: the base is 500,000.
        #! head_size_by_kv_heads: …; d = config.dim // config.n_kv_heads
        #  The size of a head is dim // n_kv_heads here. It is dim // n_heads, for keys and values as well.
        #! frequencies_of_whole_width: …; d = config.dim
        #  There are frequencies for all of dim. A head has d = dim // n_heads features, and each head
        #  turns by the same ones.
        frequencies = rope_frequencies(d, base).to(ids.device)
        #: `rope_frequencies(config.dim // config.n_heads, config.rope_base)`
        #! frequencies_by_dim: frequencies = rope_frequencies(config.dim, base)[: d // 2].to(ids.device)
        #  The exponents are 2i / dim. They are 2i / d: the size of one head.
        #: `torch.arange(…, device=ids.device)`, `frequencies.to(ids.device)`
        #! positions_on_cpu: frequencies = rope_frequencies(d, base)
        #  The positions or frequencies are made on the CPU whatever the device of ids is.
        #  [huggingface/transformers#43369]
        angles = rope_angles(positions, frequencies)  # (T, d/2)
        #: `rope_angles(positions, frequencies)`: (T, d/2).
        #! angles_turned: angles = rope_angles(frequencies, positions)
        #  Positions and frequencies have changed places: the angles are (d/2, T).
        #! no_positions: angles = torch.zeros_like(rope_angles(positions, frequencies))
        #  All angles are 0: no token knows where it is.
        #: rope_angles returns float32. Leave it so.
        #! angles_in_half: angles = rope_angles(positions, frequencies).to(self.norm.weight.dtype)
        #! angles_in_half: angles = rope_angles(positions, frequencies.to(self.norm.weight.dtype))
        #  Positions, frequencies or angles are rounded to the dtype of the weights. In bfloat16 1,001
        #  becomes 1,000, and neighbours stand on one place.
        #  [huggingface/transformers#29285, KellerJordan/modded-nanogpt#39]
        x = self.tok_embeddings(ids)  # (B, T, dim)
        #: `x = self.tok_embeddings(ids)`
        #! embedding_scaled: x = self.tok_embeddings(ids) * math.sqrt(config.dim)
        #  The embeddings are multiplied by the root of dim, as in the Transformer of 2017 and in
        #  Gemma. Llama takes them as they are.
        #! norm_before_the_blocks: x = self.norm(self.tok_embeddings(ids))
        #! embedding_normed: x = self.norm(self.tok_embeddings(ids))
        #  The embeddings are normed before the first block. Llama takes them as they are.
        #: tok_embeddings, layers, norm, output.
        #! dropout: x = F.dropout(self.tok_embeddings(ids), 0.1, self.training)
        #  There is dropout on the embeddings. Llama has none.
        #: `for layer, cache in zip(self.layers, caches): x = layer(x, angles, cache)`
        #! only_the_last_counts: …; embedded = x
        for layer, cache in zip(self.layers, caches or [None] * config.n_layers, strict=True):
            #: `for layer, cache in zip(self.layers, caches): x = layer(x, angles, cache)`
            #! first_layer_only: for layer, cache in zip(self.layers[:1], caches or [None]):
            #  Only the first block is used.
            #! cache_without_asking: for layer, cache in zip(self.layers, caches):
            #  It uses the caches without asking whether there are any: without them, caches is None.
            #! last_layer_unused: for layer, cache in zip(self.layers[:-1], caches or [None] * config.n_layers):
            #! last_layer_unused: for layer, cache in zip(self.layers[: max(2, config.n_layers - 1)], caches or [None] * config.n_layers):
            #  The last block is not used. [LukasHedegaard/continual-inference#70]
            #! first_layer_skipped: for layer, cache in list(zip(self.layers, caches or [None] * config.n_layers))[1:]:
            #  The first block is not used.
            #! blocks_unused: for layer, cache in []:
            #  No block is used: the embeddings go straight to the last norm.
            #! layers_reversed: for layer, cache in zip(reversed(self.layers), caches or [None] * config.n_layers):
            #! layers_reversed: for layer, cache in reversed(list(zip(self.layers, caches or [None] * config.n_layers))):
            #  The blocks run in the opposite order.
            x = layer(x, angles, cache)
            #: `for layer, cache in zip(self.layers, caches): x = layer(x, angles, cache)`
            #! caches_ignored: x = layer(x, angles)
            #!+ only_the_last_counts: x = layer(embedded, angles, cache)
            #  Every block gets the embeddings; each goes on where the last one stopped: `x = layer(x)`.
            #  [Atcold/NYU-DLSP20#270]
            #! blocks_forgotten: layer(x, angles, cache)
            #  What a block gives is thrown away: `x = layer(x, …)`.
            #! layers_added: x = x + layer(x, angles, cache)
            #  What a block returns is added to x once more. The sums are inside of the block.
            #! first_cache_for_all: x = layer(x, angles, caches[0] if caches else None)
            #  All layers write into the first cache, one behind the other.
            #! all_caches_to_each: x = layer(x, angles, caches)
            #  Every block is handed the whole list of caches. It gets its own.
            #: Once, after the loop.
            #! norm_inside_the_loop: x = self.norm(layer(x, angles, cache))
            #! norm_between_layers: x = self.norm(layer(x, angles, cache))
            #  The last norm is used after every block.
            #: No `.detach()`.
            #! layers_detached: x = layer(x.detach(), angles, cache)
            #  The stream is detached on its way, by `.detach()` or `.data`: nothing before that learns.
            #: `start = caches[0].length if caches else 0`, asked before the loop; from there T positions.
            #! asks_inside_the_loop: begin = caches[0].length if caches else 0; x = layer(x, rope_angles(torch.arange(begin, begin + length, device=ids.device), frequencies), cache)
            #  It asks caches[0] for its length inside the loop, when the first layer has already moved
            #  it: all later layers turn by angles that are T positions too far. [fla-org/flash-linear-attention#766]
        x = self.norm(x)
        #: `self.output(self.norm(x))`, or the table's weight in place of output's if they are tied.
        #!+ norm_before_the_blocks: pass
        #  The norm stands before the blocks. It stands after the last one.
        #!+ norm_inside_the_loop: pass
        #  The last norm stands inside the loop, after every block.
        #! last_norm_unused: pass
        #! last_norm_unused: self.norm(x)
        #  The last norm is not used. [vllm-project/speculators#313]
        #! last_norm_twice: x = self.norm(self.norm(x))
        #  The last norm is used twice. [Helsinki-NLP/mammoth#3]
        #! hidden_states: return self.norm(x)
        #  It returns the normed stream, (B, T, dim). Logits are (B, T, V).
        table = self.tok_embeddings.weight if config.tie_embeddings else self.output.weight
        #: `self.output(self.norm(x))`, or the table's weight in place of output's if they are tied.
        #! table_for_output: table = self.tok_embeddings.weight
        #  The logits come from the embedding table though tie_embeddings is False; `output` is not
        #  used.
        #: `F.linear(self.norm(x), self.tok_embeddings.weight)` when config.tie_embeddings.
        #! tied_table_detached: table = self.tok_embeddings.weight.detach() if config.tie_embeddings else self.output.weight
        #  The table learns as an embedding but not as an output: it is detached there.
        logits = F.linear(x, table)  # (B, T, V)
        #: `self.output(self.norm(x))`, or the table's weight in place of output's if they are tied.
        #! softmax: logits = F.linear(x, table).softmax(-1)
        #! softmax: logits = F.linear(x, table).softmax(1)
        #  It returns probabilities. Logits are wanted, without softmax: the loss and the sampling take
        #  it themselves. [bkitano/llama-from-scratch#5]
        #! log_softmax: logits = F.linear(x, table).log_softmax(-1)
        #  It returns log-probabilities. Logits are wanted: the loss takes the softmax itself.
        #! logits_scaled: logits = F.linear(x, table) / math.sqrt(config.dim)
        #  The logits are divided by the root of dim. They are taken as they are.
        #! float_before_output: logits = F.linear(x.float(), table)
        #  The stream is made float32 before the output, whose weights are not: in a bfloat16 model two
        #  dtypes meet.
        return logits
        #: `self.output(self.norm(x))`, or the table's weight in place of output's if they are tied.
        #! last_position: return logits[:, -1]
        #  Only the last position's logits come back, (B, V). Training needs all T.
        #! last_position_kept: return logits[:, -1:]
        #  Only the last position's logits come back, (B, 1, V). Training needs all T.
        #! last_position_in_eval: return logits if self.training else logits[:, -1:]
        #! last_position_in_eval: return logits if self.training else logits[:, -1]
        #  In evaluation, after `.eval()`, only the last position's logits come back. All T are needed
        #  there, too: for the loss on held-out text.
        #! last_position_with_caches: return logits[:, -1:] if caches else logits
        #! last_position_with_caches: return logits[:, -1] if caches else logits
        #  With caches only the last position's logits come back. All T are asked for.
        #! logits_transposed: return logits.transpose(1, 2)
        #  The logits are (B, V, T). They are (B, T, V).
        #! logits_flattened: return logits.flatten(0, 1)
        #  The logits are (B·T, V), as cross_entropy takes them. They are (B, T, V).
        #! returns_ids: return logits.argmax(-1)
        #  It returns the likeliest tokens. Logits are wanted: whoever calls chooses.
        #! returns_caches: return logits, caches
        #! returns_caches: return logits, None
        #  It returns two things. The logits alone are wanted.
        #! returns_none: pass
        #  The logits are computed and then forgotten: there is no `return`.
        #: No `torch.no_grad()`.
        #! no_gradient: return logits.detach()
        #  It computes without gradients.

    def new_caches(self, batch: int, max_len: int) -> list[KVCache]:
        config, weight = self.config, self.tok_embeddings.weight
        #: `self.tok_embeddings.weight` is always there.
        #! caches_by_output: config, weight = self.config, self.output.weight
        #  new_caches asks the output for dtype and device. A tied model has none.
        heads, d = config.n_kv_heads, config.dim // config.n_heads
        #: `KVCache.empty(batch, config.n_kv_heads, max_len, head_dim, weight.dtype, weight.device)`, a
        #  new one for each layer.
        #! caches_of_all_heads: …; heads = config.n_heads
        #  The caches have n_heads heads. Keys and values have n_kv_heads. [tinygrad/tinygrad#2267]
        #! cache_head_size_by_kv_heads: …; d = config.dim // config.n_kv_heads
        #  The size of a head in the caches is dim // n_kv_heads. It is dim // n_heads.
        #! caches_of_whole_width: …; d = config.dim
        #  Each head in the caches has dim features. It has d = dim // n_heads.
        dtype, device = weight.dtype, weight.device
        #: `KVCache.empty(batch, config.n_kv_heads, max_len, head_dim, weight.dtype, weight.device)`, a
        #  new one for each layer.
        #! caches_in_float32: …; dtype = torch.float32
        #  The caches are float32 whatever the weights are: twice the memory, and two dtypes meet.
        #  [meta-pytorch/torchtune#398]
        #! caches_on_cpu: …; device = None
        #  The caches lie on the CPU whatever the weights' device is.
        #! caches_for_one_text: batch = 1; …
        #  The caches have room for one text only. They have it for `batch` texts.
        #! caches_of_max_seq_len: max_len = config.max_seq_len; …
        #  The caches have room for max_seq_len positions. They have it for max_len.
        #! caches_of_other_length: …; max_len = max_len + 1
        #  The caches have room for another number of positions than max_len.
        #! caches_ends_swapped: …; max_len, d = d, max_len
        #  max_len and the size of a head have changed places in the caches: (batch, n_kv_heads, max_len, d).
        #! caches_axes_swapped: …; heads, max_len = max_len, heads
        #  max_len and the kv heads have changed places in the caches: (batch, n_kv_heads, max_len, d).
        return [KVCache(batch, heads, max_len, d, dtype, device) for _ in self.layers]
        #: `KVCache.empty(batch, config.n_kv_heads, max_len, head_dim, weight.dtype, weight.device)`, a
        #  new one for each layer.
        #! one_cache_repeated: return [KVCache(batch, heads, max_len, d, dtype, device)] * config.n_layers
        #  new_caches returns one cache n_layers times, `[cache] * n`. Each layer needs its own.
        #! single_cache: return KVCache(batch, heads, max_len, d, dtype, device)
        #  new_caches returns a single cache. A list is wanted, with one for each layer.
        #!+ one_block_too_few: return [KVCache(batch, heads, max_len, d, dtype, device) for _ in range(config.n_layers)]
        #!+ one_block_too_many: return [KVCache(batch, heads, max_len, d, dtype, device) for _ in range(config.n_layers)]
        #!+ one_block_only: return [KVCache(batch, heads, max_len, d, dtype, device) for _ in range(config.n_layers)]
        #! one_cache_too_many: return [KVCache(batch, heads, max_len, d, dtype, device) for _ in range(config.n_layers + 1)]
        #  new_caches makes one cache too many: there is one for each layer.
        #! one_cache_only: return [KVCache(batch, heads, max_len, d, dtype, device)]
        #  new_caches makes one cache, whatever n_layers is. Each layer needs its own.
        #! no_caches_returned: pass
        #  new_caches makes caches and forgets them: there is no `return`.


class KeepsCaches(Llama):
    """Makes caches of its own at the first call without any, and goes on with them."""

    mine: Any = None

    def forward(self, ids: Tensor, caches: list | None = None) -> Tensor:
        """ids: (B, T) → (B, T, V)."""
        if caches is not None:
            return super().forward(ids, caches)
        if self.mine is None or self.mine[0].keys.shape[0] != len(ids):
            self.mine = self.new_caches(len(ids), 64)
        with torch.no_grad():
            return super().forward(ids, self.mine)


class SameCaches(Llama):
    """new_caches hands out the same caches again."""

    made: Any = None

    def new_caches(self, batch: int, max_len: int) -> list:
        """The same for the same sizes."""
        if self.made is None or self.made[0].keys.shape[::2] != (batch, max_len):
            self.made = super().new_caches(batch, max_len)
        return self.made


MISTAKES: list[Mistake] = [
    *mistakes_of(Llama),
    Mistake(
        "keeps_caches",
        KeepsCaches,
        "Called without caches, it makes some and keeps them: the second text goes on with the "
        "first.",
        KEEP,
        "Lightning-AI/litgpt#1596, #1647",
    ),
    Mistake(
        "same_caches_again",
        SameCaches,
        "new_caches hands out the same caches a second time. Two texts would share them.",
        "`KVCache.empty(batch, config.n_kv_heads, max_len, head_dim, weight.dtype, weight.device)`, a "
        "new one for each layer.",
    ),
]
