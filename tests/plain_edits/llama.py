"""Lab 08: plain edits of the worked answers, each a mistake in the spelling of a learner."""

from wrong_answers import Edit

NORM_1 = "self.attention_norm = RMSNorm(config.dim, config.norm_eps)"
NORM_2 = "self.ffn_norm = RMSNorm(config.dim, config.norm_eps)"
ATTENTION = "self.attention = GroupedQueryAttention(config.dim, config.n_heads, config.n_kv_heads)"
FEED = "self.feed_forward = SwiGLU(config.dim, config.hidden_dim)"
FIRST = "x = x + self.attention(self.attention_norm(x), angles, cache)"
SECOND = "return x + self.feed_forward(self.ffn_norm(x))"

TABLE = "self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim)"
LAYERS = "self.layers = nn.ModuleList(DecoderBlock(config) for _ in range(config.n_layers))"
NORM = "self.norm = RMSNorm(config.dim, config.norm_eps)"
OUTPUT = "self.output = nn.Linear(config.dim, config.vocab_size, bias=False)"
START = "start = caches[0].length if caches else 0"
POSITIONS = "torch.arange(start, start + ids.shape[1], device=ids.device)"
FREQUENCIES = "rope_frequencies(config.dim // config.n_heads, config.rope_base)"
ANGLES = "angles = rope_angles(positions, frequencies.to(ids.device))"
LOOP = "for layer, cache in zip(self.layers, caches or [None] * config.n_layers, strict=True):"
STEP = "x = layer(x, angles, cache)"
WHICH = "table = self.tok_embeddings if config.tie_embeddings else self.output"
LOGITS = "return F.linear(self.norm(x), table.weight)"
SIZES = "sizes = (batch, config.n_kv_heads, max_len, config.dim // config.n_heads)"
CACHES = "return [KVCache.empty(*sizes, weight.dtype, weight.device) for _ in self.layers]"

HEAD = "head_dim = config.dim // config.n_heads"
COUNT_ATTENTION = "attention = 2 * config.dim * head_dim * (config.n_heads + config.n_kv_heads)"
COUNT_FEED = "feed_forward = 3 * config.dim * config.hidden_dim"
COUNT_BLOCK = "block = attention + feed_forward + 2 * config.dim"
COUNT_TABLES = "tables = 1 if config.tie_embeddings else 2"
TOTAL = "return config.n_layers * block + tables * config.vocab_size * config.dim + config.dim"

EDITS = {
    "DecoderBlock": [
        Edit(
            "attention is not added to the stream, it replaces it",
            (FIRST, "x = self.attention(self.attention_norm(x), angles, cache)"),
            named=("no_first_residual",),
        ),
        Edit(
            "SwiGLU is not added to the stream, it replaces it",
            (SECOND, "return self.feed_forward(self.ffn_norm(x))"),
            named=("no_second_residual",),
        ),
        Edit(
            "the normed vector becomes the stream of the first part",
            (FIRST, "x = self.attention_norm(x)\n        x = x + self.attention(x, angles, cache)"),
            named=("first_residual_from_normed",),
        ),
        Edit(
            "the normed vector becomes the stream of the second part",
            (SECOND, "x = self.ffn_norm(x)\n        return x + self.feed_forward(x)"),
            named=("second_residual_from_normed",),
        ),
        Edit(
            "post-norm: both norms after the sum",
            (FIRST, "x = self.attention_norm(x + self.attention(x, angles, cache))"),
            (SECOND, "return self.ffn_norm(x + self.feed_forward(x))"),
            named=("post_norm",),
        ),
        Edit(
            "norms on what the parts give, not on what they read",
            (FIRST, "x = x + self.attention_norm(self.attention(x, angles, cache))"),
            (SECOND, "return x + self.ffn_norm(self.feed_forward(x))"),
            named=("norm_of_output",),
        ),
        Edit(
            "SwiGLU reads without its norm",
            (SECOND, "return x + self.feed_forward(x)"),
            named=("feed_forward_not_normed",),
        ),
        Edit(
            "attention reads without its norm",
            (FIRST, "x = x + self.attention(x, angles, cache)"),
            named=("attention_not_normed",),
        ),
        Edit(
            "the first norm is used twice",
            (SECOND, "return x + self.feed_forward(self.attention_norm(x))"),
            named=("attention_norm_twice",),
        ),
        Edit(
            "the two norms are swapped",
            (FIRST, "x = x + self.attention(self.ffn_norm(x), angles, cache)"),
            (SECOND, "return x + self.feed_forward(self.attention_norm(x))"),
            named=("norms_swapped",),
        ),
        Edit(
            "one norm with two names",
            (NORM_2, "self.ffn_norm = self.attention_norm"),
            named=("one_norm_for_both",),
        ),
        Edit(
            "both parts read the input: parallel",
            (FIRST, "h = x + self.attention(self.attention_norm(x), angles, cache)"),
            (SECOND, "return h + self.feed_forward(self.ffn_norm(x))"),
            named=("parallel",),
        ),
        Edit(
            "SwiGLU is added to the input, so attention is lost on the way",
            (FIRST, "h = x + self.attention(self.attention_norm(x), angles, cache)"),
            (SECOND, "return x + self.feed_forward(self.ffn_norm(h))"),
            named=("second_residual_from_x",),
        ),
        Edit(
            "SwiGLU comes first",
            (FIRST, "x = x + self.feed_forward(self.ffn_norm(x))"),
            (SECOND, "return x + self.attention(self.attention_norm(x), angles, cache)"),
            named=("swiglu_first",),
        ),
        Edit(
            "the cache is not handed on",
            (FIRST, "x = x + self.attention(self.attention_norm(x), angles)"),
            named=("cache_ignored",),
        ),
        Edit(
            "norm_eps is not handed to the second norm",
            (NORM_2, "self.ffn_norm = RMSNorm(config.dim)"),
            named=("second_eps_ignored",),
        ),
        Edit(
            "norm_eps is not handed to either norm",
            (NORM_1, "self.attention_norm = RMSNorm(config.dim)"),
            (NORM_2, "self.ffn_norm = RMSNorm(config.dim)"),
            named=("eps_ignored",),
        ),
        Edit(
            "eps 1e-6 is written in",
            (NORM_1, "self.attention_norm = RMSNorm(config.dim, 1e-6)"),
            (NORM_2, "self.ffn_norm = RMSNorm(config.dim, 1e-6)"),
            named=("eps_1e_6",),
        ),
        Edit(
            "heads and kv heads are swapped",
            (
                ATTENTION,
                "self.attention = GroupedQueryAttention(config.dim, config.n_kv_heads, config.n_heads)",
            ),
            named=("heads_swapped",),
        ),
        Edit(
            "as many kv heads as heads",
            (
                ATTENTION,
                "self.attention = GroupedQueryAttention(config.dim, config.n_heads, config.n_heads)",
            ),
            named=("kv_heads_ignored",),
        ),
        Edit(
            "SwiGLU is 4 · dim wide, hidden_dim ignored",
            (FEED, "self.feed_forward = SwiGLU(config.dim, 4 * config.dim)"),
            named=("hidden_four_times",),
        ),
        Edit(
            "another name: ffn for feed_forward",
            (FEED, "self.ffn = SwiGLU(config.dim, config.hidden_dim)"),
            (SECOND, "return x + self.ffn(self.ffn_norm(x))"),
            named=("feed_forward_renamed",),
        ),
        Edit(
            "in place: the caller's x is changed",
            (FIRST, "x += self.attention(self.attention_norm(x), angles, cache)"),
            named=("input_changed",),
        ),
        Edit(
            "the second sum counts the stream twice",
            (SECOND, "return x + x + self.feed_forward(self.ffn_norm(x))"),
            named=("stream_added_twice",),
        ),
        Edit(
            "attention is called twice, so the cache is filled twice",
            (FIRST, "_ = self.attention(self.attention_norm(x), angles, cache)\n        " + FIRST),
            named=("attention_called_twice",),
        ),
        Edit(
            "one more norm at the end of the block",
            (SECOND, "return self.ffn_norm(x + self.feed_forward(self.ffn_norm(x)))"),
            named=("norm_of_the_sum_too",),
        ),
        Edit(
            "a dropout of 0.1 as in older models",
            (
                SECOND,
                "return x + nn.functional.dropout(self.feed_forward(self.ffn_norm(x)), 0.1, self.training)",
            ),
            named=("dropout",),
        ),
        Edit(
            "the output is forgotten: forward gives None",
            (SECOND, "x = x + self.feed_forward(self.ffn_norm(x))"),
            named=("returns_none",),
        ),
    ],
    "Llama": [
        Edit(
            "no last norm",
            (LOGITS, "return F.linear(x, table.weight)"),
            named=("last_norm_unused",),
        ),
        Edit(
            "the blocks all read the embedding, only the last one counts",
            (STEP, "h = layer(x, angles, cache)"),
            (LOGITS, "return F.linear(self.norm(h), table.weight)"),
            named=("only_the_last_counts",),
        ),
        Edit(
            "softmax at the end: probabilities, not logits",
            (LOGITS, "return F.linear(self.norm(x), table.weight).softmax(dim=-1)"),
            named=("softmax",),
        ),
        Edit(
            "log_softmax at the end",
            (LOGITS, "return F.log_softmax(F.linear(self.norm(x), table.weight), dim=-1)"),
            named=("log_softmax",),
        ),
        Edit(
            "only the last position's logits, (B, V)",
            (LOGITS, "return F.linear(self.norm(x), table.weight)[:, -1]"),
            named=("last_position",),
        ),
        Edit(
            "only the last position's logits, (B, 1, V)",
            (LOGITS, "return F.linear(self.norm(x[:, [-1]]), table.weight)"),
            named=("last_position_kept",),
        ),
        Edit(
            "positions start at 0 also with caches",
            (START, "start = 0"),
            named=("positions_from_zero",),
        ),
        Edit(
            "positions start at 0 also with caches: arange(T)",
            (POSITIONS, "torch.arange(ids.shape[1], device=ids.device)"),
            named=("positions_from_zero",),
        ),
        Edit(
            "the start is one too far",
            (START, "start = caches[0].length + 1 if caches else 0"),
            named=("positions_from_one", "position_ahead"),
        ),
        Edit(
            "the start is one too small",
            (START, "start = max(caches[0].length - 1, 0) if caches else 0"),
            named=("position_behind",),
        ),
        Edit(
            "positions are asked anew in every layer, when the first cache has moved on",
            (
                STEP,
                "start = caches[0].length if caches else 0\n            positions = torch.arange(start, start + ids.shape[1], device=ids.device)\n            x = layer(x, rope_angles(positions, frequencies.to(ids.device)), cache)",
            ),
            named=("asks_inside_the_loop",),
        ),
        Edit(
            "the positions are made on the CPU",
            (POSITIONS, "torch.arange(start, start + ids.shape[1])"),
            named=("positions_on_cpu",),
        ),
        Edit(
            "the frequencies stay on the CPU",
            (ANGLES, "angles = rope_angles(positions, frequencies)"),
            named=("positions_on_cpu",),
        ),
        Edit(
            "the angles in the dtype of the weights",
            (ANGLES, ANGLES + ".to(self.tok_embeddings.weight.dtype)"),
            named=("angles_in_half",),
        ),
        Edit(
            "the frequencies in the dtype of the weights",
            (ANGLES, "angles = rope_angles(positions, frequencies.to(self.tok_embeddings.weight))"),
            named=("angles_in_half",),
        ),
        Edit(
            "the positions in the dtype of the weights",
            (
                POSITIONS,
                "torch.arange(start, start + ids.shape[1], device=ids.device, dtype=self.norm.weight.dtype)",
            ),
            named=("angles_in_half",),
        ),
        Edit(
            "T is read from the batch axis",
            (POSITIONS, "torch.arange(start, start + ids.shape[0], device=ids.device)"),
            named=("first_position_for_all", "length_from_the_batch"),
        ),
        Edit(
            "rope_base is not handed on: 10,000",
            (FREQUENCIES, "rope_frequencies(config.dim // config.n_heads)"),
            named=("defaults_of_rope",),
        ),
        Edit(
            "500,000 is written in",
            (FREQUENCIES, "rope_frequencies(config.dim // config.n_heads, 500_000.0)"),
            named=("base_of_llama_3",),
        ),
        Edit(
            "frequencies for the whole width, not for a head",
            (
                FREQUENCIES,
                "rope_frequencies(config.dim, config.rope_base)[: config.dim // config.n_heads // 2]",
            ),
            named=("frequencies_by_dim",),
        ),
        Edit(
            "head size by the kv heads",
            (FREQUENCIES, "rope_frequencies(config.dim // config.n_kv_heads, config.rope_base)"),
            named=("head_size_by_kv_heads",),
        ),
        Edit(
            "blocks in a plain list",
            (LAYERS, "self.layers = [DecoderBlock(config) for _ in range(config.n_layers)]"),
            named=("layers_in_a_list",),
        ),
        Edit(
            "one block n_layers times",
            (LAYERS, "self.layers = nn.ModuleList([DecoderBlock(config)] * config.n_layers)"),
            named=("layers_shared",),
        ),
        Edit(
            "one block too few",
            (
                LAYERS,
                "self.layers = nn.ModuleList(DecoderBlock(config) for _ in range(config.n_layers - 1))",
            ),
            ("strict=True", "strict=False"),
            named=("one_block_too_few",),
        ),
        Edit(
            "the first block is skipped",
            (
                LOOP,
                "for layer, cache in list(zip(self.layers, caches or [None] * config.n_layers, strict=True))[1:]:",
            ),
            named=("first_layer_skipped",),
        ),
        Edit(
            "blocks in reverse order",
            (
                LOOP,
                "for layer, cache in zip(reversed(self.layers), caches or [None] * config.n_layers, strict=True):",
            ),
            named=("layers_reversed",),
        ),
        Edit(
            "all blocks share the first cache",
            (STEP, "x = layer(x, angles, caches[0] if caches else None)"),
            named=("first_cache_for_all",),
        ),
        Edit(
            "the caches are not handed on",
            (STEP, "x = layer(x, angles)"),
            named=("caches_ignored",),
        ),
        Edit(
            "one cache, n_layers times, from new_caches",
            (
                CACHES,
                "return [KVCache.empty(*sizes, weight.dtype, weight.device)] * config.n_layers",
            ),
            named=("one_cache_repeated",),
        ),
        Edit(
            "caches with as many heads as the queries",
            (SIZES, "sizes = (batch, config.n_heads, max_len, config.dim // config.n_heads)"),
            named=("caches_of_all_heads",),
        ),
        Edit(
            "caches in float32 whatever the weights are",
            (CACHES, "return [KVCache.empty(*sizes, device=weight.device) for _ in self.layers]"),
            named=("caches_in_float32",),
        ),
        Edit(
            "caches on the CPU",
            (CACHES, "return [KVCache.empty(*sizes, weight.dtype) for _ in self.layers]"),
            named=("caches_on_cpu",),
        ),
        Edit(
            "caches as long as max_seq_len",
            (
                SIZES,
                "sizes = (batch, config.n_kv_heads, config.max_seq_len, config.dim // config.n_heads)",
            ),
            named=("caches_of_max_seq_len",),
        ),
        Edit(
            "caches for one text only",
            (SIZES, "sizes = (1, config.n_kv_heads, max_len, config.dim // config.n_heads)"),
            named=("caches_for_one_text",),
        ),
        Edit(
            "max_len and kv heads are swapped",
            (SIZES, "sizes = (batch, max_len, config.n_kv_heads, config.dim // config.n_heads)"),
            named=("caches_axes_swapped",),
        ),
        Edit(
            "head size of the cache by the kv heads",
            (SIZES, "sizes = (batch, config.n_kv_heads, max_len, config.dim // config.n_kv_heads)"),
            named=("cache_head_size_by_kv_heads",),
        ),
        Edit(
            "one cache too many",
            (
                CACHES,
                "return [KVCache.empty(*sizes, weight.dtype, weight.device) for _ in range(config.n_layers + 1)]",
            ),
            named=("one_cache_too_many",),
        ),
        Edit(
            "only one cache, not a list",
            (CACHES, "return KVCache.empty(*sizes, weight.dtype, weight.device)"),
            named=("single_cache",),
        ),
        Edit(
            "the output has a bias",
            (OUTPUT, "self.output = nn.Linear(config.dim, config.vocab_size)"),
            (LOGITS, "return F.linear(self.norm(x), table.weight, getattr(table, 'bias', None))"),
            named=("output_bias",),
        ),
        Edit(
            "tied by a copy: a second matrix",
            (
                "        if not config.tie_embeddings:\n            " + OUTPUT,
                "        "
                + OUTPUT
                + "\n        if config.tie_embeddings:\n            self.output.weight.data.copy_(self.tok_embeddings.weight)",
            ),
            (WHICH, "table = self.output"),
            named=("tied_by_copy",),
        ),
        Edit(
            "tied by a clone: a second matrix",
            (
                "        if not config.tie_embeddings:\n            " + OUTPUT,
                "        "
                + OUTPUT
                + "\n        if config.tie_embeddings:\n            self.output.weight = nn.Parameter(self.tok_embeddings.weight.clone())",
            ),
            (WHICH, "table = self.output"),
            named=("tied_by_copy",),
        ),
        Edit(
            "tie_embeddings is ignored: always a matrix of its own",
            ("        if not config.tie_embeddings:\n            " + OUTPUT, "        " + OUTPUT),
            (WHICH, "table = self.output"),
            named=("not_tied",),
        ),
        Edit("always tied", (WHICH, "table = self.tok_embeddings"), named=("table_for_output",)),
        Edit(
            "tied the wrong way round",
            ("if not config.tie_embeddings", "if config.tie_embeddings"),
            (WHICH, "table = self.output if config.tie_embeddings else self.tok_embeddings"),
            named=("tie_upside_down",),
        ),
        Edit(
            "tied, but the gradient does not reach the table from the output",
            (
                LOGITS,
                "return F.linear(self.norm(x), table.weight.detach() if config.tie_embeddings else table.weight)",
            ),
            named=("tied_table_detached",),
        ),
        Edit(
            "the embedding is multiplied by the root of dim",
            ("x = self.tok_embeddings(ids)", "x = self.tok_embeddings(ids) * config.dim**0.5"),
            named=("embedding_scaled",),
        ),
        Edit(
            "the logits are divided by the root of dim",
            (LOGITS, "return F.linear(self.norm(x), table.weight) / config.dim**0.5"),
            named=("logits_scaled",),
        ),
        Edit(
            "a norm after every block",
            (STEP, "x = self.norm(layer(x, angles, cache))"),
            named=("norm_between_layers",),
        ),
        Edit(
            "norm_eps is not handed to the last norm",
            (NORM, "self.norm = RMSNorm(config.dim)"),
            named=("last_eps_ignored",),
        ),
        Edit(
            "LayerNorm at the end",
            (NORM, "self.norm = nn.LayerNorm(config.dim, config.norm_eps)"),
            named=("last_norm_subtracts_mean",),
        ),
        Edit(
            "float() before the matrix: an error in a bfloat16 model",
            (LOGITS, "return F.linear(self.norm(x).float(), table.weight)"),
            named=("float_before_output",),
        ),
        Edit(
            "the logits are (B, V, T)",
            (LOGITS, "return F.linear(self.norm(x), table.weight).transpose(1, 2)"),
            named=("logits_transposed",),
        ),
        Edit(
            "blocks are added once more from outside",
            (STEP, "x = x + layer(x, angles, cache)"),
            named=("layers_added",),
        ),
        Edit(
            "without caches, caches for one text are made: two texts are an error",
            (
                LOOP,
                "for layer, cache in zip(self.layers, caches or self.new_caches(1, ids.shape[1]), strict=True):",
            ),
            named=("own_cache_for_one_text",),
        ),
        Edit(
            "the size of the table is max_seq_len",
            (TABLE, "self.tok_embeddings = nn.Embedding(config.max_seq_len, config.dim)"),
            named=("table_of_max_seq_len",),
        ),
        Edit(
            "one row too many in the table",
            (TABLE, "self.tok_embeddings = nn.Embedding(config.vocab_size + 1, config.dim)"),
            named=("one_row_too_many",),
        ),
        Edit(
            "padding_idx=0: token 0 is a row of zeros that never learns",
            (
                TABLE,
                "self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim, padding_idx=0)",
            ),
            named=("padding_token",),
        ),
        Edit(
            "another name: embed for tok_embeddings",
            (TABLE, "self.embed = nn.Embedding(config.vocab_size, config.dim)"),
            ("x = self.tok_embeddings(ids)", "x = self.embed(ids)"),
            (WHICH, "table = self.embed if config.tie_embeddings else self.output"),
            ("self.config, self.tok_embeddings.weight", "self.config, self.embed.weight"),
            named=("table_renamed",),
        ),
    ],
    "count_parameters": [
        Edit(
            "kv heads are ignored: four square matrices",
            (COUNT_ATTENTION, "attention = 4 * config.dim * config.dim"),
            named=("mha",),
        ),
        Edit(
            "kv heads are ignored, with head_dim",
            (COUNT_ATTENTION, "attention = 4 * config.dim * head_dim * config.n_heads"),
            named=("mha",),
        ),
        Edit(
            "kv heads counted for one of wk and wv only",
            (
                COUNT_ATTENTION,
                "attention = config.dim * head_dim * (3 * config.n_heads + config.n_kv_heads)",
            ),
            named=("kv_heads_for_one_only",),
        ),
        Edit(
            "wo is missing",
            (
                COUNT_ATTENTION,
                "attention = config.dim * head_dim * (config.n_heads + 2 * config.n_kv_heads)",
            ),
            named=("without_wo",),
        ),
        Edit(
            "two matrices in SwiGLU",
            (COUNT_FEED, "feed_forward = 2 * config.dim * config.hidden_dim"),
            named=("two_in_swiglu",),
        ),
        Edit(
            "hidden_dim is replaced by 4 · dim",
            (COUNT_FEED, "feed_forward = 3 * config.dim * 4 * config.dim"),
            named=("hidden_four_times",),
        ),
        Edit(
            "one norm in each block",
            (COUNT_BLOCK, "block = attention + feed_forward + config.dim"),
            named=("one_norm_in_a_block",),
        ),
        Edit(
            "no norms in the blocks",
            (COUNT_BLOCK, "block = attention + feed_forward"),
            named=("norms_of_blocks_missing",),
        ),
        Edit(
            "norms with a bias",
            (COUNT_BLOCK, "block = attention + feed_forward + 4 * config.dim"),
            (
                "* config.vocab_size * config.dim + config.dim",
                "* config.vocab_size * config.dim + 2 * config.dim",
            ),
            named=("norms_with_bias",),
        ),
        Edit(
            "the last norm is missing",
            (" * config.vocab_size * config.dim + config.dim", " * config.vocab_size * config.dim"),
            named=("no_last_norm",),
        ),
        Edit(
            "the last norm is counted in every layer",
            (
                TOTAL,
                "return config.n_layers * (block + config.dim) + tables * config.vocab_size * config.dim",
            ),
            named=("last_norm_in_every_block",),
        ),
        Edit("always two tables", (COUNT_TABLES, "tables = 2"), named=("always_two_tables",)),
        Edit("always one table", (COUNT_TABLES, "tables = 1"), named=("always_one_table",)),
        Edit(
            "tied and untied are swapped",
            (COUNT_TABLES, "tables = 2 if config.tie_embeddings else 1"),
            named=("tie_upside_down",),
        ),
        Edit(
            "the output has a bias",
            (
                TOTAL,
                "return config.n_layers * block + tables * config.vocab_size * config.dim + config.dim + (0 if config.tie_embeddings else config.vocab_size)",
            ),
            named=("output_bias",),
        ),
        Edit(
            "one block only",
            (TOTAL, "return block + tables * config.vocab_size * config.dim + config.dim"),
            named=("one_block",),
        ),
        Edit(
            "the tables are counted in every layer",
            (
                TOTAL,
                "return config.n_layers * (block + tables * config.vocab_size * config.dim) + config.dim",
            ),
            named=("tables_in_every_block",),
        ),
        Edit(
            "RoPE's frequencies are counted",
            (TOTAL, TOTAL + " + head_dim // 2"),
            named=("rope_counted",),
        ),
        Edit(
            "/ for //: the result is a float",
            (HEAD, "head_dim = config.dim / config.n_heads"),
            named=("as_float",),
        ),
        Edit(
            "head size by the kv heads",
            (HEAD, "head_dim = config.dim // config.n_kv_heads"),
            named=("head_size_by_kv_heads",),
        ),
        Edit(
            "a table of positions is counted",
            (TOTAL, TOTAL + " + config.max_seq_len * config.dim"),
            named=("position_table",),
        ),
        Edit(
            "no tables",
            (TOTAL, "return config.n_layers * block + config.dim"),
            named=("no_tables",),
        ),
        Edit(
            "the linear maps have biases",
            (
                COUNT_ATTENTION,
                COUNT_ATTENTION + " + 2 * config.dim + 2 * head_dim * config.n_kv_heads",
            ),
            named=("attention_biases",),
        ),
        Edit(
            "in billions",
            (
                TOTAL,
                "return (config.n_layers * block + tables * config.vocab_size * config.dim + config.dim) / 1e9",
            ),
            named=("billions",),
        ),
        Edit(
            "a text, not a number",
            (
                TOTAL,
                "total = config.n_layers * block + tables * config.vocab_size * config.dim + config.dim\n    return f'{total:,}'",
            ),
            named=("as_text",),
        ),
    ],
}

PAIRS = {
    "DecoderBlock": [
        Edit(
            "attention reads without its norm, and SwiGLU is not added",
            (FIRST, "x = x + self.attention(x, angles, cache)"),
            (SECOND, "return self.feed_forward(self.ffn_norm(x))"),
            named=("attention_not_normed", "no_second_residual"),
        ),
        Edit(
            "as many kv heads as heads, and hidden_dim ignored",
            (
                ATTENTION,
                "self.attention = GroupedQueryAttention(config.dim, config.n_heads, config.n_heads)",
            ),
            (FEED, "self.feed_forward = SwiGLU(config.dim, 4 * config.dim)"),
            named=("kv_heads_ignored", "hidden_four_times"),
        ),
        Edit(
            "the cache is not handed on, and norm_eps is not handed to the norms",
            (FIRST, "x = x + self.attention(self.attention_norm(x), angles)"),
            (NORM_1, "self.attention_norm = RMSNorm(config.dim)"),
            (NORM_2, "self.ffn_norm = RMSNorm(config.dim)"),
            named=("cache_ignored", "eps_ignored"),
        ),
        Edit(
            "the normed vector becomes the stream, and norm_eps is not handed to the norms",
            (FIRST, "x = self.attention_norm(x)\n        x = x + self.attention(x, angles, cache)"),
            (NORM_1, "self.attention_norm = RMSNorm(config.dim)"),
            (NORM_2, "self.ffn_norm = RMSNorm(config.dim)"),
            named=("first_residual_from_normed", "eps_ignored"),
        ),
    ],
    "Llama": [
        Edit(
            "no last norm, and rope_base is not handed on",
            (LOGITS, "return F.linear(x, table.weight)"),
            (FREQUENCIES, "rope_frequencies(config.dim // config.n_heads)"),
            named=("last_norm_unused", "defaults_of_rope"),
        ),
        Edit(
            "positions start at 0 with caches, and caches with as many heads as the queries",
            (START, "start = 0"),
            (SIZES, "sizes = (batch, config.n_heads, max_len, config.dim // config.n_heads)"),
            named=("positions_from_zero", "caches_of_all_heads"),
        ),
        Edit(
            "one block n_layers times, and tie_embeddings ignored",
            (LAYERS, "self.layers = nn.ModuleList([DecoderBlock(config)] * config.n_layers)"),
            ("        if not config.tie_embeddings:\n            " + OUTPUT, "        " + OUTPUT),
            (WHICH, "table = self.output"),
            named=("layers_shared", "not_tied"),
        ),
        Edit(
            "the output has a bias, and the angles are in the weights' dtype",
            (OUTPUT, "self.output = nn.Linear(config.dim, config.vocab_size)"),
            (LOGITS, "return F.linear(self.norm(x), table.weight, getattr(table, 'bias', None))"),
            (ANGLES, ANGLES + ".to(self.tok_embeddings.weight.dtype)"),
            named=("output_bias", "angles_in_half"),
        ),
        Edit(
            "softmax at the end, and norm_eps is not handed to the last norm",
            (LOGITS, "return F.linear(self.norm(x), table.weight).softmax(dim=-1)"),
            (NORM, "self.norm = RMSNorm(config.dim)"),
            named=("softmax", "last_eps_ignored"),
        ),
        Edit(
            "caches in float32, and one cache for all layers",
            (CACHES, "return [KVCache.empty(*sizes, device=weight.device)] * config.n_layers"),
            named=("one_cache_repeated", "caches_in_float32"),
        ),
        Edit(
            "the embedding is multiplied by the root of dim, and positions start at 0 with caches",
            ("x = self.tok_embeddings(ids)", "x = self.tok_embeddings(ids) * config.dim**0.5"),
            (START, "start = 0"),
            named=("embedding_scaled", "positions_from_zero"),
        ),
    ],
    "count_parameters": [
        Edit(
            "kv heads are ignored, and always two tables",
            (COUNT_ATTENTION, "attention = 4 * config.dim * config.dim"),
            (COUNT_TABLES, "tables = 2"),
            named=("mha", "always_two_tables"),
        ),
        Edit(
            "two matrices in SwiGLU, and the last norm is missing",
            (COUNT_FEED, "feed_forward = 2 * config.dim * config.hidden_dim"),
            (" * config.vocab_size * config.dim + config.dim", " * config.vocab_size * config.dim"),
            named=("two_in_swiglu", "no_last_norm"),
        ),
        Edit(
            "kv heads are ignored, and no norms anywhere",
            (COUNT_ATTENTION, "attention = 4 * config.dim * config.dim"),
            (COUNT_BLOCK, "block = attention + feed_forward"),
            (" * config.vocab_size * config.dim + config.dim", " * config.vocab_size * config.dim"),
            named=("mha", "no_norms"),
        ),
        Edit(
            "one table always, and one norm in each block",
            (COUNT_TABLES, "tables = 1"),
            (COUNT_BLOCK, "block = attention + feed_forward + config.dim"),
            named=("always_one_table", "one_norm_in_a_block"),
        ),
    ],
}
