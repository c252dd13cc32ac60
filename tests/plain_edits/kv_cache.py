"""Lab 05: plain edits of the worked answers, each a mistake in the spelling of a learner."""

from wrong_answers import Edit

EDITS = {
    "KVCache": [
        Edit(
            "the buffers have positions before heads, (B, max_len, K, d)",
            ("(batch, n_kv_heads, max_len, head_dim)", "(batch, max_len, n_kv_heads, head_dim)"),
            named=("positions_first",),
        ),
        Edit(
            "keys and values are one buffer",
            ("values = torch.zeros(shape, dtype=dtype, device=device)", "values = keys"),
            named=("one_buffer_for_both",),
        ),
        Edit(
            "the buffer of the values ignores the dtype that was asked for",
            (
                "values = torch.zeros(shape, dtype=dtype, device=device)",
                "values = torch.zeros(shape, device=device)",
            ),
            named=("values_ignore_dtype",),
        ),
        Edit(
            "both buffers ignore the dtype that was asked for",
            ("dtype=dtype, device=device", "device=device", 0),
            ("dtype=dtype, device=device", "device=device", 0),
            named=("ignores_dtype",),
        ),
        Edit(
            "the buffers ignore the device that was asked for",
            ("dtype=dtype, device=device", "dtype=dtype", 0),
            ("dtype=dtype, device=device", "dtype=dtype", 0),
            named=("ignores_device",),
        ),
        Edit(
            "an empty cache says that it is full",
            ("length=0", "length=max_len"),
            named=("starts_full",),
        ),
        Edit(
            "the last slot may not be used",
            ("if end > room", "if end >= room"),
            named=("full_one_too_early",),
        ),
        Edit(
            "length grows by one, however many positions came",
            ("= end\n", "+= 1\n"),
            named=("length_plus_one",),
        ),
        Edit(
            "length is the number of new positions, not of all so far",
            ("self.length = end\n", "self.length = k.shape[2]\n"),
            named=("length_of_the_last_update",),
        ),
        Edit(
            "length is never moved on",
            ("        self.length = end\n", ""),
            named=("length_not_moved",),
        ),
        Edit(
            "returns the whole buffers, unwritten slots too",
            (
                "return self.keys[:, :, :end], self.values[:, :, :end]",
                "return self.keys, self.values",
            ),
            named=("returns_whole_buffer",),
        ),
        Edit(
            "returns only the new keys and values",
            ("return self.keys[:, :, :end], self.values[:, :, :end]", "return k, v"),
            named=("returns_new_only",),
        ),
        Edit(
            "returns only what this call wrote, cut out of the buffers",
            (
                "self.length = end\n        return self.keys[:, :, :end], self.values[:, :, :end]",
                "start, self.length = self.length, end\n"
                "        return self.keys[:, :, start:end], self.values[:, :, start:end]",
            ),
            named=("returns_new_only",),
        ),
        Edit(
            "returns what was there before, without the new positions",
            (
                "self.length = end\n        return self.keys[:, :, :end], self.values[:, :, :end]",
                "old, self.length = self.length, end\n"
                "        return self.keys[:, :, :old], self.values[:, :, :old]",
            ),
            named=("returns_old_only",),
        ),
        Edit(
            "the keys are stored as values, too",
            ("self.length : end] = v", "self.length : end] = k"),
            named=("keys_in_both",),
        ),
        Edit(
            "returns the keys twice",
            ("self.values[:, :, :end]", "self.keys[:, :, :end]"),
            named=("returns_keys_twice",),
        ),
        Edit(
            "returns values, keys: the wrong way round",
            (
                "return self.keys[:, :, :end], self.values[:, :, :end]",
                "return self.values[:, :, :end], self.keys[:, :, :end]",
            ),
            named=("returns_swapped",),
        ),
        Edit(
            "slices the heads instead of the positions when it writes",
            ("self.keys[:, :, self.length", "self.keys[:, self.length"),
            ("self.values[:, :, self.length", "self.values[:, self.length"),
            named=("along_heads",),
        ),
        Edit(
            "writes only the first of the new positions",
            ("self.keys[:, :, self.length : end] = k", "self.keys[:, :, self.length] = k[:, :, 0]"),
            (
                "self.values[:, :, self.length : end] = v",
                "self.values[:, :, self.length] = v[:, :, 0]",
            ),
            named=("one_slot_only",),
        ),
        Edit(
            "counts the heads of k where it should count its positions",
            ("k.shape[2]", "k.shape[1]"),
            named=("length_plus_heads",),
        ),
        Edit(
            "counts the batch of k where it should count its positions",
            ("k.shape[2]", "len(k)"),
            named=("length_plus_batch",),
        ),
        Edit(
            "takes the head size for the number of positions",
            ("k.shape[2]", "k.shape[-1]"),
            named=("length_plus_head_dim",),
        ),
        Edit(
            "takes the number of heads for the room",
            ("self.keys.shape[2]", "self.keys.shape[1]"),
            named=("compares_with_heads",),
        ),
        Edit(
            "a full cache raises IndexError",
            ("raise ValueError(", "raise IndexError("),
            named=("overflow_index_error",),
        ),
        Edit(
            "a full cache raises AssertionError: assert instead of raise",
            (
                'if end > room:\n            raise ValueError(f"{end} positions do not fit into a cache of {room}")',
                'assert end <= room, "cache is full"',
            ),
            named=("overflow_assertion",),
        ),
        Edit(
            "does not look whether they fit: torch complains, with a RuntimeError",
            (
                'if end > room:\n            raise ValueError(f"{end} positions do not fit into a cache of {room}")\n        ',
                "",
            ),
            named=("torch_s_error",),
        ),
        Edit(
            "builds the message with + of a string and an int: TypeError instead of ValueError",
            (
                'f"{end} positions do not fit into a cache of {room}"',
                '"no room for position " + end',
            ),
            named=("error_in_the_message",),
        ),
        Edit(
            "returns the ValueError instead of raising it",
            ("raise ValueError", "return ValueError"),
            named=("error_returned",),
        ),
        Edit(
            "moves length before it looks whether they fit: a refused update has changed the cache",
            (
                "        if end > room",
                "        start, self.length = self.length, end\n        if end > room",
            ),
            ("self.keys[:, :, self.length : end]", "self.keys[:, :, start:end]"),
            ("self.values[:, :, self.length : end]", "self.values[:, :, start:end]"),
            named=("overflow_moves_length",),
        ),
        Edit(
            "overflow: writes as many as fit, then raises",
            (
                "        if end > room",
                "        self.keys[:, :, self.length :] = k[:, :, : room - self.length] if end > room else 0\n"
                "        if end > room",
            ),
            named=("overflow_writes",),
        ),
        Edit(
            "a full cache starts again at slot 0 instead of refusing",
            (
                'raise ValueError(f"{end} positions do not fit into a cache of {room}")',
                "self.length, end = 0, k.shape[2]",
            ),
            named=("overflow_starts_again",),
        ),
        Edit(
            "a full cache forgets the oldest positions instead of refusing",
            (
                'raise ValueError(f"{end} positions do not fit into a cache of {room}")',
                "self.keys, self.values = self.keys.roll(room - end, 2), self.values.roll(room - end, 2)\n"
                "            self.length, end = self.length + room - end, room",
            ),
            named=("overflow_drops_oldest",),
        ),
        Edit(
            "returns the keys in the dtype of k, not in the cache's",
            (
                "return self.keys[:, :, :end], self.values[:, :, :end]",
                "return self.keys[:, :, :end].to(k.dtype), self.values[:, :, :end].to(v.dtype)",
            ),
            named=("returns_input_dtype",),
        ),
        Edit(
            "returns old slots and the new k by torch.cat: promoted to the wider dtype",
            (
                "return self.keys[:, :, :end], self.values[:, :, :end]",
                "n = end - k.shape[2]\n"
                "        return torch.cat([self.keys[:, :, :n], k], 2), torch.cat([self.values[:, :, :n], v], 2)",
            ),
            named=("new_positions_as_they_came",),
        ),
        Edit(
            "adds into the slots instead of setting them: what lay there stays in the sum",
            ("self.length : end] = k", "self.length : end] += k"),
            ("self.length : end] = v", "self.length : end] += v"),
            named=("adds_instead",),
        ),
        Edit(
            "appends behind the buffer with torch.cat instead of filling slots",
            (
                "self.keys[:, :, self.length : end] = k",
                "self.keys = torch.cat([self.keys, k], dim=2)",
            ),
            (
                "self.values[:, :, self.length : end] = v",
                "self.values = torch.cat([self.values, v], dim=2)",
            ),
            named=("cat_in_update",),
        ),
        Edit(
            "the slots begin one too late",
            (
                "end, room = self.length + k.shape[2], self",
                "end, room = self.length + k.shape[2] + 1, self",
            ),
            ("self.keys[:, :, self.length : end]", "self.keys[:, :, self.length + 1 : end]"),
            ("self.values[:, :, self.length : end]", "self.values[:, :, self.length + 1 : end]"),
            named=("one_slot_late",),
        ),
        Edit(
            "no @dataclass: the class takes no arguments",
            ("@dataclass\n", ""),
            named=("decorator_missing",),
        ),
        Edit(
            "no @classmethod on empty",
            ("    @classmethod\n", ""),
            named=("empty_needs_an_instance",),
        ),
    ],
    "CachedAttention": [
        Edit(
            "bias=False left out at wq",
            ("self.wq = nn.Linear(dim, dim, bias=False)", "self.wq = nn.Linear(dim, dim)"),
            named=("with_bias",),
        ),
        Edit(
            "bias=False left out at wo",
            ("self.wo = nn.Linear(dim, dim, bias=False)", "self.wo = nn.Linear(dim, dim)"),
            named=("with_bias",),
        ),
        Edit(
            "wk is the same layer as wq",
            ("self.wk = nn.Linear(dim, dim, bias=False)", "self.wk = self.wq"),
            named=("wk_is_wq", "wv_is_wk", "same_map_for_q_and_k"),
        ),
        Edit(
            "wv is the same layer as wk",
            ("self.wv = nn.Linear(dim, dim, bias=False)", "self.wv = self.wk"),
            named=("wk_is_wq", "wv_is_wk", "values_by_wk"),
        ),
        Edit(
            "the values are made by wk",
            ("(self.wq, self.wk, self.wv)", "(self.wq, self.wk, self.wk)"),
            named=("values_by_wk",),
        ),
        Edit(
            "wk and wv swapped",
            ("(self.wq, self.wk, self.wv)", "(self.wq, self.wv, self.wk)"),
            named=("k_and_v_swapped",),
        ),
        Edit(
            "wo is made and not used",
            (
                "return self.wo(merge_heads(attention(q, k, v, mask)))",
                "return merge_heads(attention(q, k, v, mask))",
            ),
            named=("no_output_map",),
        ),
        Edit(
            "RoPE forgotten for the keys",
            ("q, k = apply_rope(q, angles), apply_rope(k, angles)", "q = apply_rope(q, angles)"),
            named=("unrotated_keys_cached",),
        ),
        Edit(
            "RoPE forgotten for queries and keys",
            ("        q, k = apply_rope(q, angles), apply_rope(k, angles)  # (B, H, T, d)\n", ""),
            named=("no_rotation",),
        ),
        Edit(
            "RoPE turns the values, too",
            (
                "q, k = apply_rope(q, angles), apply_rope(k, angles)",
                "q, k, v = (apply_rope(y, angles) for y in (q, k, v))",
            ),
            named=("values_rotated",),
        ),
        Edit(
            "the cache is updated before RoPE: old keys are turned again, by the new angles",
            ("        q, k = apply_rope(q, angles), apply_rope(k, angles)  # (B, H, T, d)\n", ""),
            (
                "        mask = causal_mask",
                "        q, k = apply_rope(q, angles), apply_rope(k, angles)\n        mask = causal_mask",
            ),
            named=("rotates_what_it_reads",),
        ),
        Edit(
            "RoPE after the cache, with only the last T keys turned: the old ones were never turned",
            (
                "q, k = apply_rope(q, angles), apply_rope(k, angles)",
                "q, raw = apply_rope(q, angles), k",
            ),
            (
                "        mask = causal_mask",
                "        k = torch.cat([k[:, :, : -raw.shape[2]], apply_rope(raw, angles)], dim=2)\n        mask = causal_mask",
            ),
            named=("old_keys_never_rotated",),
        ),
        Edit(
            "what update returns is ignored: the new tokens see only themselves",
            ("k, v = cache.update(k, v)", "cache.update(k, v)"),
            named=("forgets",),
        ),
        Edit(
            "update gets values and keys the wrong way round",
            ("cache.update(k, v)", "cache.update(v, k)"),
            named=("swapped_in_update",),
        ),
        Edit(
            "takes update's answer as v, k",
            ("k, v = cache.update(k, v)", "v, k = cache.update(k, v)"),
            named=("swapped_on_return",),
        ),
        Edit(
            "takes the whole buffers out of the cache, unwritten slots too",
            (
                "k, v = cache.update(k, v)",
                "cache.update(k, v)\n            k, v = cache.keys, cache.values",
            ),
            named=("attends_to_unwritten",),
        ),
        Edit(
            "no mask as soon as there is a cache: a chunk sees its own future",
            (
                "mask = causal_mask(q.shape[2], k.shape[2]).to(x.device)",
                "mask = None if cache else causal_mask(q.shape[2], k.shape[2])",
            ),
            named=("mask_only_without_cache",),
        ),
        Edit(
            "the mask is made only without a cache, by if/else",
            (
                "        mask = causal_mask(q.shape[2], k.shape[2]).to(x.device)  # (T, S)\n",
                "        if cache is None:\n            mask = causal_mask(q.shape[2], q.shape[2])\n        else:\n            mask = None\n",
            ),
            named=("mask_only_without_cache",),
        ),
        Edit(
            "no mask at all", ("attention(q, k, v, mask)", "attention(q, k, v)"), named=("no_mask",)
        ),
        Edit(
            "the mask lines up top left: the queries count as the first T positions",
            (
                "causal_mask(q.shape[2], k.shape[2]).to(x.device)",
                "causal_mask(k.shape[2], k.shape[2])[: q.shape[2]].to(x.device)",
            ),
            named=("mask_top_left",),
        ),
        Edit(
            "scaled_dot_product_attention with is_causal: its mask lines up top left",
            (
                "attention(q, k, v, mask)",
                "nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)",
            ),
            named=("mask_top_left",),
        ),
        Edit(
            "torch.tril of a T × S rectangle: it lines up top left",
            (
                "causal_mask(q.shape[2], k.shape[2])",
                "torch.ones(q.shape[2], k.shape[2]).tril().bool()",
            ),
            named=("mask_top_left",),
        ),
        Edit(
            "the mask hides a token from itself: tril one diagonal too low",
            (
                "causal_mask(q.shape[2], k.shape[2])",
                "torch.ones(q.shape[2], k.shape[2]).tril(k.shape[2] - q.shape[2] - 1).bool()",
            ),
            named=("not_itself",),
        ),
        Edit(
            "the mask is T × T, of the new tokens only",
            ("causal_mask(q.shape[2], k.shape[2])", "causal_mask(q.shape[2], q.shape[2])"),
            named=("square_mask",),
        ),
        Edit(
            "the mask is S × S",
            ("causal_mask(q.shape[2], k.shape[2])", "causal_mask(k.shape[2], k.shape[2])"),
            named=("mask_s_by_s",),
        ),
        Edit(
            "the mask's arguments are swapped",
            ("causal_mask(q.shape[2], k.shape[2])", "causal_mask(k.shape[2], q.shape[2])"),
            named=("mask_arguments_swapped",),
        ),
        Edit(
            "the mask counts heads, not positions",
            ("causal_mask(q.shape[2], k.shape[2])", "causal_mask(q.shape[1], k.shape[1])"),
            named=("mask_counts_heads",),
        ),
        Edit(
            "the mask is upside down",
            ("attention(q, k, v, mask)", "attention(q, k, v, ~mask)"),
            named=("mask_upside_down",),
        ),
        Edit("the mask stays on the CPU", (".to(x.device)", ""), named=("mask_on_cpu",)),
        Edit(
            "the cache is used only for single tokens: a prompt is not stored",
            ("if cache is not None:", "if cache is not None and x.shape[1] == 1:"),
            named=("prompt_not_stored",),
        ),
        Edit(
            "the cache is used only if something is in it: the prompt is never stored",
            ("if cache is not None:", "if cache is not None and cache.length:"),
            named=("never_stored",),
        ),
        Edit(
            "keeps the last cache in the layer, and uses it when it gets none",
            (
                "        if cache is not None:",
                '        self.cache = cache = cache if cache is not None else getattr(self, "cache", None)\n        if cache is not None:',
            ),
            named=("last_cache_lingers",),
        ),
        Edit(
            "cuts the angles by the cache's length, although they are those of x",
            (
                "        q, k = apply_rope",
                "        if cache is not None:\n            angles = angles[cache.length :]\n        q, k = apply_rope",
            ),
            named=("angles_cut",),
        ),
        Edit(
            "heads glued with reshape, without the transpose back",
            ("merge_heads(attention(q, k, v, mask))", "attention(q, k, v, mask).reshape(x.shape)"),
            named=("merged_without_transpose",),
        ),
        Edit(
            "splits into heads with view, without the transpose",
            ("split_heads(w(x), self.n_heads)", "w(x).view(len(x), self.n_heads, x.shape[1], -1)"),
            named=("view_without_transpose",),
        ),
        Edit(
            "split_heads gets the head size instead of the number of heads",
            ("split_heads(w(x), self.n_heads)", "split_heads(w(x), x.shape[-1] // self.n_heads)"),
            named=("heads_and_size_swapped",),
        ),
        Edit(
            "one query row only: the chunk's last token is all that is answered",
            ("attention(q, k, v, mask)", "attention(q[:, :, -1:], k, v)"),
            named=("last_query_only",),
        ),
        Edit(
            "super().__init__() left out",
            ("        super().__init__()\n", ""),
            named=("no_super_init",),
        ),
        Edit(
            "updates the cache twice, once for the keys and once for the values",
            ("k, v = cache.update(k, v)", "k, v = cache.update(k, v)[0], cache.update(k, v)[1]"),
            named=("updated_twice",),
        ),
    ],
    "generate_greedy": [
        Edit(
            "argmax over the positions, dim=1",
            ("argmax(dim=-1)", "argmax(dim=1)"),
            named=("argmax_over_positions",),
        ),
        Edit(
            "argmax over the positions, dim=-2",
            ("argmax(dim=-1)", "argmax(dim=-2)"),
            named=("argmax_over_positions",),
        ),
        Edit(
            "takes the first row of logits",
            ("step(ids)[:, -1:]", "step(ids)[:, :1]"),
            named=("first_position",),
        ),
        Edit(
            "takes the last row but one",
            ("step(ids)[:, -1:]", "step(ids)[:, -2:-1]"),
            named=("last_but_one",),
        ),
        Edit(
            "[-1:] takes the last of the batch, not of the positions",
            ("step(ids)[:, -1:]", "step(ids)[-1:]"),
            named=("every_row_appended",),
        ),
        Edit(
            "appends the argmax of every row",
            ("step(ids)[:, -1:]", "step(ids)"),
            named=("every_row_appended",),
        ),
        Edit(
            "[:, -1] loses a dimension: the new token does not fit",
            ("step(ids)[:, -1:]", "step(ids)[:, -1]"),
            named=("token_without_its_dimension",),
        ),
        Edit(
            "argmax() over all rows at once",
            ("step(ids)[:, -1:].argmax(dim=-1)", "step(ids).argmax().reshape(1, 1)"),
            named=("argmax_of_all",),
        ),
        Edit(
            "cat along the batch",
            ("torch.cat([ids, new], dim=1)", "torch.cat([ids, new], dim=0)"),
            named=("cat_along_the_batch",),
        ),
        Edit(
            "cat without dim",
            ("torch.cat([ids, new], dim=1)", "torch.cat([ids, new])"),
            named=("cat_along_the_batch",),
        ),
        Edit(
            "the new token is put in front", ("[ids, new]", "[new, ids]"), named=("newest_first",)
        ),
        Edit("one token too few", ("range(n_new)", "range(n_new - 1)"), named=("one_token_less",)),
        Edit("one token too many", ("range(n_new)", "range(n_new + 1)"), named=("one_token_more",)),
        Edit(
            "generates up to a length of n_new, prompt included",
            ("range(n_new)", "range(n_new - ids.shape[1])"),
            named=("until_n_new_long",),
        ),
        Edit(
            "step sees only the last token",
            ("step(ids)", "step(ids[:, -1:])"),
            named=("last_token_only",),
        ),
        Edit(
            "the window slides: the oldest token is dropped",
            ("[ids, new]", "[ids[:, 1:], new]"),
            named=("window_of_the_prompt",),
        ),
        Edit(
            "writes over the last token of ids in place",
            ("ids = torch.cat([ids, new], dim=1)", "ids[:, -1:] = new"),
            named=("prompt_changed",),
        ),
        Edit(
            "returns the new tokens without the prompt",
            ("    for _ in range", "    start = ids.shape[1]\n    for _ in range"),
            ("return ids\n", "return ids[:, start:]\n"),
            named=("new_tokens_only",),
        ),
        Edit(
            "returns only the last token",
            ("return ids\n", "return new\n"),
            named=("last_token_returned",),
        ),
        Edit(
            "the result of cat is thrown away",
            ("ids = torch.cat", "torch.cat"),
            named=("prompt_only",),
        ),
        Edit("takes the unlikeliest", (".argmax(", ".argmin("), named=("smallest",)),
        Edit(
            "max instead of argmax: the logit, not its place",
            (".argmax(dim=-1)", ".max(dim=-1).values"),
            named=("float_tokens", "logit_instead_of_its_place"),
        ),
        Edit(
            "of equal logits it takes the last, by argsort",
            (".argmax(dim=-1)", ".argsort(dim=-1, stable=True)[..., -1]"),
            named=("last_of_equals",),
        ),
        Edit(
            "draws at random instead of taking the likeliest",
            (
                "step(ids)[:, -1:].argmax(dim=-1)",
                "torch.multinomial(step(ids)[:, -1].softmax(-1), 1)",
            ),
            named=("samples",),
        ),
        Edit(
            "calls step twice for each token",
            ("step(ids)[:, -1:]", "step(ids)[:, step(ids).shape[1] - 1 :]"),
            named=("two_calls_for_each_token",),
        ),
        Edit(
            "stops early at token 0",
            (
                "        ids = torch.cat",
                "        if new == 0:\n            break\n        ids = torch.cat",
            ),
            named=("stops_at_zero",),
        ),
        Edit(
            "asks step about the prompt each time, not about what has grown",
            ("    for _ in range", "    prompt = ids\n    for _ in range"),
            ("step(ids)", "step(prompt)"),
            named=("prompt_again",),
        ),
        Edit(
            "returns inside the loop, after one token",
            ("    return ids\n", "        return ids\n"),
            named=("returns_in_the_loop",),
        ),
    ],
    "generate_greedy_cached": [
        Edit(
            "hands step the whole sequence each time, which it remembers already",
            ("step(new)", "step(ids)"),
            named=("recomputes",),
        ),
        Edit(
            "hands step only the last token of the prompt",
            ("new = ids  #", "new = ids[:, -1:]  #"),
            named=("no_prefill",),
        ),
        Edit(
            "step never sees the last token of the prompt",
            ("new = ids  #", "new = ids[:, :-1]  #"),
            named=("last_prompt_token_lost",),
        ),
        Edit(
            "takes the first row of logits",
            ("step(new)[:, -1:]", "step(new)[:, :1]"),
            named=("first_position",),
        ),
        Edit(
            "takes row 0: right for one token, wrong for the prompt",
            ("step(new)[:, -1:]", "step(new)[:, [0]]"),
            named=("first_position",),
        ),
        Edit(
            "appends the argmax of every row of the prompt",
            ("step(new)[:, -1:]", "step(new)"),
            named=("every_row_appended",),
        ),
        Edit(
            "[:, -1] loses a dimension",
            ("step(new)[:, -1:]", "step(new)[:, -1]"),
            named=("token_without_its_dimension",),
        ),
        Edit(
            "argmax over the positions",
            ("argmax(dim=-1)", "argmax(dim=1)"),
            named=("argmax_over_positions",),
        ),
        Edit(
            "feeds the last new token back, one call too many",
            ("    return ids\n", "    step(new)\n    return ids\n"),
            named=("last_token_fed_back",),
        ),
        Edit(
            "prefill before the loop, then n_new - 1 times: with n_new = 0 a token comes all the same",
            (
                "    for _ in range(n_new):",
                "    new = step(new)[:, -1:].argmax(dim=-1)\n    ids = torch.cat([ids, new], dim=1)\n    for _ in range(n_new - 1):",
            ),
            named=("asks_for_nothing",),
        ),
        Edit(
            "prefill, then the last token of the prompt once more",
            ("    for _ in range", "    step(ids)\n    new = ids[:, -1:]\n    for _ in range"),
            named=("last_prompt_token_twice",),
        ),
        Edit(
            "the prompt goes in token by token instead of in one call",
            (
                "    for _ in range",
                "    for one in ids[:, :-1].split(1, dim=1):\n        step(one)\n    new = ids[:, -1:]\n    for _ in range",
            ),
            named=("prompt_token_by_token",),
        ),
        Edit(
            "the last prompt token is fed by itself after the others: one call more",
            (
                "    for _ in range",
                "    step(ids[:, :-1])\n    new = ids[:, -1:]\n    for _ in range",
            ),
            named=("prefill_all_but_last",),
        ),
        Edit("one token too few", ("range(n_new)", "range(n_new - 1)"), named=("one_token_less",)),
        Edit("one token too many", ("range(n_new)", "range(n_new + 1)"), named=("one_token_more",)),
        Edit("cat along the batch", ("dim=1)", "dim=0)"), named=("cat_along_the_batch",)),
        Edit(
            "the new token is put in front", ("[ids, new]", "[new, ids]"), named=("newest_first",)
        ),
        Edit(
            "decode is handed the same token for ever: new is not updated",
            ("        new = step(new)", "        token = step(new)"),
            ("[ids, new]", "[ids, token]"),
            named=("prompt_again",),
        ),
        Edit(
            "hands step the last two tokens",
            ("step(new)[", "step(new if new is ids else ids[:, -2:])["),
            named=("two_at_a_time",),
        ),
        Edit(
            "returns the new tokens without the prompt",
            ("    new = ids", "    start = ids.shape[1]\n    new = ids"),
            ("return ids\n", "return ids[:, start:]\n"),
            named=("new_tokens_only",),
        ),
        Edit(
            "returns only the last token",
            ("return ids\n", "return new\n"),
            named=("last_token_returned",),
        ),
        Edit(
            "hands step a token without the batch dimension",
            ("step(new)[", "step(new if new is ids else new[0])["),
            named=("no_batch_dimension",),
        ),
        Edit(
            "of equal logits it takes the last",
            (".argmax(dim=-1)", ".argsort(dim=-1, stable=True)[..., -1]"),
            named=("last_of_equals",),
        ),
    ],
    "count_scores": [
        Edit(
            "forgets that the cache makes it one query",
            ("1 if cached and call > 0 else n_keys", "n_keys"),
            named=("cached_ignored",),
        ),
        Edit(
            "with a cache the prompt counts as one query",
            ("1 if cached and call > 0 else n_keys", "1 if cached else n_keys"),
            named=("prefill_as_one_row",),
        ),
        Edit(
            "cached the wrong way round",
            ("1 if cached and", "1 if not cached and"),
            named=("turned_round",),
        ),
        Edit(
            "or where and is meant",
            ("cached and call > 0", "cached or call > 0"),
            named=("or_for_and",),
        ),
        Edit(
            "the first step counts one key too many: + 1",
            ("n_prompt + call", "n_prompt + call + 1"),
            named=("position_counted_late",),
        ),
        Edit(
            "the last new token is fed back: one call more",
            ("range(n_new)", "range(n_new + 1)"),
            named=("last_token_fed_back",),
        ),
        Edit("one call too few", ("range(n_new)", "range(n_new - 1)"), named=("one_call_short",)),
        Edit(
            "the call with the prompt is left out",
            ("range(n_new)", "range(1, n_new)"),
            named=("prefill_not_counted",),
        ),
        Edit(
            "the masked half is left out",
            (
                "total += n_queries * n_keys",
                "total += n_queries * n_keys if n_queries == 1 else n_keys * (n_keys + 1) // 2",
            ),
            named=("triangle",),
        ),
        Edit(
            "T · T instead of T · S",
            ("n_queries * n_keys\n", "n_queries * n_queries\n"),
            named=("one_per_step",),
        ),
        Edit(
            "S · S, queries ignored",
            ("n_queries * n_keys\n", "n_keys**2\n"),
            named=("cached_ignored",),
        ),
        Edit(
            "T + S instead of T · S",
            ("n_queries * n_keys\n", "n_queries + n_keys\n"),
            named=("added",),
        ),
        Edit(
            "= for +=: only the last call counts",
            ("total += n_queries", "total = n_queries"),
            named=("last_call_only",),
        ),
        Edit(
            "always the full length",
            ("n_prompt + call", "n_prompt + n_new"),
            named=("n_new_times_the_last",),
        ),
        Edit(
            "all keys of the final text in each call",
            ("n_prompt + call", "n_prompt + n_new - 1"),
            named=("n_new_times_the_last",),
        ),
        Edit(
            "returns inside the loop, after the first call",
            ("    return total", "        return total"),
            named=("first_call_only",),
        ),
        Edit(
            "the prompt is forgotten: keys are only the new tokens",
            ("n_prompt + call", "call + 1"),
            named=("without_prompt",),
        ),
        Edit(
            "counts keys that were computed, not scores: T instead of T · S",
            ("n_queries * n_keys\n", "n_queries\n"),
            named=("tokens_not_scores",),
        ),
        Edit(
            "only half of the queries of a full call are counted",
            ("else n_keys  #", "else (n_keys + 1) // 2  #"),
            named=("half_of_the_queries",),
        ),
        Edit(
            "the second call brings the prompt again",
            ("call > 0", "call > 1"),
            named=("prompt_again",),
        ),
    ],
    "kv_cache_bytes": [
        Edit(
            "keys only: the 2 is missing",
            ("numbers = 2 * n_layers", "numbers = n_layers"),
            named=("keys_only",),
        ),
        Edit("batch forgotten", ("seq_len * batch  #", "seq_len  #"), named=("batch_ignored",)),
        Edit(
            "n_layers forgotten",
            ("2 * n_layers * n_kv_heads", "2 * n_kv_heads"),
            named=("one_layer",),
        ),
        Edit(
            "head_dim forgotten",
            ("n_kv_heads * head_dim * seq_len", "n_kv_heads * seq_len"),
            named=("head_dim_missing",),
        ),
        Edit(
            "the number of values, not of bytes",
            ("return numbers * bytes_per_value", "return numbers"),
            named=("bytes_missing",),
        ),
        Edit(
            "bits instead of bytes",
            ("return numbers * bytes_per_value", "return numbers * bytes_per_value * 8"),
            named=("bits",),
        ),
        Edit(
            "two bytes whatever is asked",
            ("return numbers * bytes_per_value", "return numbers * 2"),
            named=("always_two_bytes",),
        ),
        Edit(
            "the default is float32, four bytes",
            ("bytes_per_value: int = 2", "bytes_per_value: int = 4"),
            named=("four_bytes_by_default",),
        ),
        Edit(
            "MiB instead of bytes",
            ("return numbers * bytes_per_value", "return numbers * bytes_per_value / 2**20"),
            named=("in_mib",),
        ),
        Edit(
            "KiB, rounded down",
            ("return numbers * bytes_per_value", "return numbers * bytes_per_value // 1024"),
            named=("in_kib",),
        ),
        Edit(
            "one position too many",
            ("head_dim * seq_len", "head_dim * (seq_len + 1)"),
            named=("one_position_more",),
        ),
        Edit(
            "seq_len squared, as for scores",
            ("seq_len * batch  #", "seq_len**2 * batch  #"),
            named=("square_of_positions",),
        ),
        Edit(
            "+ for *: the heads are added",
            ("2 * n_layers * n_kv_heads * head_dim", "2 * n_layers * (n_kv_heads + head_dim)"),
            named=("added",),
        ),
        Edit(
            "head_dim taken for the model's width and divided by the heads",
            ("n_kv_heads * head_dim * seq_len", "n_kv_heads * (head_dim // n_kv_heads) * seq_len"),
            named=("head_dim_divided",),
        ),
        Edit(
            "queries are kept, too: 3 for 2",
            ("numbers = 2 * n_layers", "numbers = 3 * n_layers"),
            named=("queries_too",),
        ),
        Edit(
            "2 squared: counts keys and values twice",
            ("numbers = 2 * n_layers", "numbers = 2**2 * n_layers"),
            named=("doubled_twice",),
        ),
        Edit(
            "divides by the bytes",
            ("numbers * bytes_per_value", "numbers // bytes_per_value"),
            named=("divided_by_the_bytes",),
        ),
        Edit("batch is added", ("seq_len * batch  #", "seq_len + batch  #"), named=("added",)),
        Edit(
            "n_kv_heads forgotten: one head's cache",
            ("2 * n_layers * n_kv_heads * head_dim", "2 * n_layers * head_dim"),
            named=("one_head",),
        ),
    ],
}
PAIRS = {  # two mistakes at once in one answer
    "KVCache": [
        Edit(
            "length grows by one for a chunk, and the last slot may not be used",
            ("= end\n", "+= 1\n"),
            ("if end > room", "if end >= room"),
            named=("length_plus_one", "full_one_too_early"),
        ),
        Edit(
            "the buffers ignore the dtype, and update returns all slots",
            ("dtype=dtype, device=device", "device=device", 0),
            ("dtype=dtype, device=device", "device=device", 0),
            (
                "return self.keys[:, :, :end], self.values[:, :, :end]",
                "return self.keys, self.values",
            ),
            named=("ignores_dtype", "returns_whole_buffer"),
        ),
        Edit(
            "keys are stored as values, and nothing looks whether they fit (RuntimeError)",
            ("self.length : end] = v", "self.length : end] = k"),
            (
                'if end > room:\n            raise ValueError(f"{end} positions do not fit into a cache of {room}")\n        ',
                "",
            ),
            named=("keys_in_both", "torch_s_error"),
        ),
        Edit(
            "returns only the new keys and values, and a full cache raises IndexError",
            ("return self.keys[:, :, :end], self.values[:, :, :end]", "return k, v"),
            ("raise ValueError(", "raise IndexError("),
            named=("returns_new_only", "overflow_index_error"),
        ),
    ],
    "CachedAttention": [
        Edit(
            "RoPE turns the values too, and there is no mask with a cache",
            (
                "q, k = apply_rope(q, angles), apply_rope(k, angles)",
                "q, k, v = (apply_rope(y, angles) for y in (q, k, v))",
            ),
            (
                "mask = causal_mask(q.shape[2], k.shape[2]).to(x.device)",
                "mask = None if cache else causal_mask(q.shape[2], k.shape[2])",
            ),
            named=("values_rotated", "mask_only_without_cache"),
        ),
        Edit(
            "wo is not used, and the cached keys and values are ignored",
            (
                "return self.wo(merge_heads(attention(q, k, v, mask)))",
                "return merge_heads(attention(q, k, v, mask))",
            ),
            ("k, v = cache.update(k, v)", "cache.update(k, v)"),
            named=("no_output_map", "forgets"),
        ),
        Edit(
            "keys are not turned by RoPE, and the mask lines up top left",
            ("q, k = apply_rope(q, angles), apply_rope(k, angles)", "q = apply_rope(q, angles)"),
            (
                "causal_mask(q.shape[2], k.shape[2])",
                "torch.ones(q.shape[2], k.shape[2]).tril().bool()",
            ),
            named=("unrotated_keys_cached", "mask_top_left"),
        ),
        Edit(
            "wq has a bias, and values and keys reach the cache the wrong way round",
            ("self.wq = nn.Linear(dim, dim, bias=False)", "self.wq = nn.Linear(dim, dim)"),
            ("cache.update(k, v)", "cache.update(v, k)"),
            named=("with_bias", "swapped_in_update"),
        ),
        Edit(
            "heads are glued by reshape without the transpose, and no mask at all",
            ("merge_heads(attention(q, k, v, mask))", "attention(q, k, v).reshape(x.shape)"),
            named=("merged_without_transpose", "no_mask"),
        ),
    ],
    "generate_greedy": [
        Edit(
            "first row of logits, and one token too many",
            ("step(ids)[:, -1:]", "step(ids)[:, :1]"),
            ("range(n_new)", "range(n_new + 1)"),
            named=("first_position", "one_token_more"),
        ),
        Edit(
            "step sees only the last token, and the prompt is not returned",
            ("    for _ in range", "    start = ids.shape[1]\n    for _ in range"),
            ("step(ids)", "step(ids[:, -1:])"),
            ("return ids\n", "return ids[:, start:]\n"),
            named=("last_token_only", "new_tokens_only"),
        ),
    ],
    "generate_greedy_cached": [
        Edit(
            "hands step the whole sequence each time, and feeds the last token back",
            ("step(new)", "step(ids)"),
            ("    return ids\n", "    step(new)\n    return ids\n"),
            named=("recomputes", "last_token_fed_back"),
        ),
        Edit(
            "takes the first row of logits, and one token too few",
            ("step(new)[:, -1:]", "step(new)[:, :1]"),
            ("range(n_new)", "range(n_new - 1)"),
            named=("first_position", "one_token_less"),
        ),
    ],
    "count_scores": [
        Edit(
            "with a cache the prompt counts as one query, and one call too many",
            ("1 if cached and call > 0 else n_keys", "1 if cached else n_keys"),
            ("range(n_new)", "range(n_new + 1)"),
            named=("prefill_as_one_row", "last_token_fed_back"),
        ),
        Edit(
            "masked half left out, and one key too many in each call",
            (
                "total += n_queries * n_keys",
                "total += n_queries * n_keys if n_queries == 1 else n_keys * (n_keys + 1) // 2",
            ),
            ("n_prompt + call", "n_prompt + call + 1"),
            named=("triangle", "position_counted_late"),
        ),
    ],
    "kv_cache_bytes": [
        Edit(
            "keys only, and batch forgotten",
            ("numbers = 2 * n_layers", "numbers = n_layers"),
            ("seq_len * batch  #", "seq_len  #"),
            named=("keys_only", "batch_ignored"),
        ),
    ],
}
