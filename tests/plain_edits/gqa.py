"""Lab 06: plain edits of the worked answers, each a mistake in the spelling of a learner."""

from wrong_answers import Edit

REPEAT = "x.repeat_interleave(n_rep, dim=1)"
QUERIES = "queries = q.reshape(B, K, H // K * T, d)"
MASK = "mask = mask.expand(B, H, T, S).reshape(B, K, H // K * T, S)"
GROUPED = "attention(queries, k, v, mask).reshape(B, H, T, d)"
BODY = (  # the parts of grouped_query_attention that a way with repeated heads takes away
    (QUERIES, "pass"),
    (MASK, "pass"),
)
EVENLY = "if n_heads % n_kv_heads != 0:"
WQ = "self.wq = nn.Linear(dim, n_heads * head_dim, bias=False)"
WK = "self.wk = nn.Linear(dim, n_kv_heads * head_dim, bias=False)"
WV = "self.wv = nn.Linear(dim, n_kv_heads * head_dim, bias=False)"
WO = "self.wo = nn.Linear(n_heads * head_dim, dim, bias=False)"
Q = "q = apply_rope(split_heads(self.wq(x), self.n_heads), angles)"
K = "k = apply_rope(split_heads(self.wk(x), self.n_kv_heads), angles)"
V = "v = split_heads(self.wv(x), self.n_kv_heads)"
UPDATE = "k, v = cache.update(k, v)"
CAUSAL = "mask = causal_mask(q.shape[2], k.shape[2]).to(x.device)"
OUT = "self.wo(merge_heads(grouped_query_attention(q, k, v, mask)))"
GROUPS = "groups = weight.reshape(n_kv_heads, n_heads // n_kv_heads, -1, D)"
MEAN = "groups.mean(dim=1).reshape(-1, D)"
FLOPS = "flops = 2 * 2 * n_heads * head_dim * seq_len"
BYTES = "bytes_read = 2 * 2 * n_kv_heads * head_dim * seq_len"
RATIO = "flops / bytes_read"


def repeated(k: str, v: str, mask: str = "mask") -> tuple[tuple[str, str], ...]:
    """The changes that make grouped_query_attention attend to these keys and values."""
    return (*BODY, (f"return {GROUPED}", f"return attention(q, {k}, {v}, {mask})"))


EDITS = {
    "repeat_kv": [
        Edit(
            "the heads take turns: 0, 1, 0, 1",
            (REPEAT, "x.repeat(1, n_rep, 1, 1)"),
            named=("tiled",),
        ),
        Edit(
            "the heads take turns: 0, 1, 0, 1",
            (REPEAT, "x.tile((1, n_rep, 1, 1))"),
            named=("tiled",),
        ),
        Edit(
            "the heads take turns: 0, 1, 0, 1",
            (
                f"return {REPEAT}",
                "import torch\n    return torch.cat([x for _ in range(n_rep)], dim=1)",
            ),
            named=("tiled",),
        ),
        Edit(
            "the heads take turns: the new dimension stands before the heads",
            (
                f"return {REPEAT}",
                "import torch\n    return torch.stack([x] * n_rep, dim=1).flatten(1, 2)",
            ),
            named=("tiled",),
        ),
        Edit(
            "the heads take turns: the new dimension stands before the heads",
            (
                f"return {REPEAT}",
                "B, K, S, d = x.shape\n    return x[:, None].expand(B, n_rep, K, S, d).reshape(B, n_rep * K, S, d)",
            ),
            named=("tiled",),
        ),
        Edit(
            "the heads take turns: head h is h % K",
            (
                f"return {REPEAT}",
                "import torch\n    return x[:, torch.arange(x.shape[1] * n_rep, device=x.device) % x.shape[1]]",
            ),
            named=("tiled",),
        ),
        Edit(
            "head h is h // K, not h // n_rep",
            (
                f"return {REPEAT}",
                "import torch\n    return x[:, torch.arange(x.shape[1] * n_rep, device=x.device) // x.shape[1]]",
            ),
            named=("wrong_group_size",),
        ),
        Edit(
            "repeats the positions, not the heads",
            ("dim=1", "dim=2"),
            named=("positions_repeated",),
        ),
        Edit(
            "repeats the positions, not the heads",
            (REPEAT, "x.repeat(1, 1, n_rep, 1)"),
            named=("positions_repeated",),
        ),
        Edit("repeats the features", ("dim=1", "dim=-1"), named=("features_repeated",)),
        Edit("repeats the batch", ("dim=1", "dim=0"), named=("sentences_repeated",)),
        Edit(
            "repeats the batch", (REPEAT, "x.repeat(n_rep, 1, 1, 1)"), named=("sentences_repeated",)
        ),
        Edit("no dimension: everything in one row", (", dim=1", ""), named=("flattened",)),
        Edit(
            "repeats as often as there are heads",
            ("interleave(n_rep", "interleave(x.shape[1]"),
            named=("repeats_k_times",),
        ),
        Edit(
            "one copy too few",
            ("interleave(n_rep", "interleave(n_rep - 1"),
            named=("once_too_few",),
        ),
        Edit(
            "one copy too many",
            ("interleave(n_rep", "interleave(n_rep + 1"),
            named=("once_too_often",),
        ),
        Edit(
            "the n_rep copies stay a dimension of their own",
            (REPEAT, "x[:, :, None].expand(-1, -1, n_rep, -1, -1)"),
            named=("no_merge",),
        ),
        Edit(
            "the copies get mixed with the positions: expand after them",
            (
                f"return {REPEAT}",
                "B, K, S, d = x.shape\n    return x[:, :, :, None].expand(B, K, S, n_rep, d).reshape(B, K * n_rep, S, d)",
            ),
            named=("positions_cut_into_heads",),
        ),
        Edit(
            "expand cannot repeat more than one head",
            (REPEAT, "x.expand(-1, x.shape[1] * n_rep, -1, -1)"),
            named=("expands_a_real_dimension",),
        ),
        Edit(
            "multiplies the numbers by n_rep",
            (REPEAT, "x * n_rep"),
            named=(
                "not_repeated",
                "multiplied",
            ),
        ),
        Edit(
            "only the first head is repeated",
            (REPEAT, "x[:, :1].repeat(1, x.shape[1] * n_rep, 1, 1)"),
            named=("first_head_for_all",),
        ),
        Edit(
            "nothing comes back for n_rep = 1",
            (f"return {REPEAT}", f"if n_rep > 1:\n        return {REPEAT}"),
            named=("returns_nothing_for_one",),
        ),
        Edit(
            "always n_rep = 4, as in Llama 3 8B",
            ("interleave(n_rep", "interleave(4"),
            named=("always_four",),
        ),
        Edit(
            "the dtype becomes float32",
            (REPEAT, "x.float().repeat_interleave(n_rep, dim=1)"),
            named=("float32_result",),
        ),
        Edit(
            "heads and positions are swapped in the answer",
            (REPEAT, "x.repeat_interleave(n_rep, dim=1).transpose(1, 2)"),
            named=("heads_last",),
        ),
        Edit(
            "no gradient flows: detached",
            (REPEAT, "x.detach().repeat_interleave(n_rep, dim=1)"),
            named=("detached",),
        ),
    ],
    "grouped_query_attention": [
        Edit(
            "the kv heads take turns: repeat instead of repeat_interleave",
            *repeated("k.repeat(1, H // K, 1, 1)", "v.repeat(1, H // K, 1, 1)"),
            named=("tiled",),
        ),
        Edit(
            "the kv heads take turns: query head h reads h % K",
            (
                QUERIES,
                "queries = q.reshape(B, H // K, K, T, d).transpose(1, 2).reshape(B, K, H // K * T, d)",
            ),
            (MASK, "mask = mask.expand(B, H, T, S)[:, :K].repeat(1, 1, H // K, 1)"),
            (
                GROUPED,
                "attention(queries, k, v, mask).reshape(B, K, H // K, T, d).transpose(1, 2).reshape(B, H, T, d)",
            ),
            named=("tiled",),
        ),
        Edit(
            "only the keys are repeated the right way, the values take turns",
            *repeated("repeat_kv(k, H // K)", "v.repeat(1, H // K, 1, 1)"),
            named=("values_tiled",),
        ),
        Edit(
            "the values are the keys",
            *repeated("repeat_kv(k, H // K)", "repeat_kv(k, H // K)"),
            named=("keys_as_values",),
        ),
        Edit(
            "the values are the keys",
            ("attention(queries, k, v, mask)", "attention(queries, k, k, mask)"),
            named=("keys_as_values",),
        ),
        Edit(
            "keys and values are exchanged",
            ("attention(queries, k, v, mask)", "attention(queries, v, k, mask)"),
            named=("keys_and_values_swapped",),
        ),
        Edit(
            "nothing is repeated: only K = 1 and K = H work",
            *repeated("k", "v"),
            named=("not_repeated",),
        ),
        Edit(
            "repeats H times, not H // K times",
            *repeated("repeat_kv(k, H)", "repeat_kv(v, H)"),
            named=("repeats_h_times",),
        ),
        Edit(
            "repeats K times, not H // K times",
            *repeated("repeat_kv(k, K)", "repeat_kv(v, K)"),
            named=("repeats_k_times",),
        ),
        Edit(
            "K // H for H // K",
            *repeated("repeat_kv(k, K // H)", "repeat_kv(v, K // H)"),
            named=("quotient_upside_down",),
        ),
        Edit(
            "/ for //: a number of copies that is not whole",
            *repeated("repeat_kv(k, H / K)", "repeat_kv(v, H / K)"),
            named=("size_not_whole",),
        ),
        Edit(
            "all query heads read the first kv head",
            *repeated("k[:, :1].expand(B, H, S, d)", "v[:, :1].expand(B, H, S, d)"),
            named=("first_kv_head",),
        ),
        Edit(
            "all query heads read the mean of the kv heads",
            *repeated(
                "k.mean(1, keepdim=True).expand(B, H, S, d)",
                "v.mean(1, keepdim=True).expand(B, H, S, d)",
            ),
            named=("mean_kv_head",),
        ),
        Edit(
            "the keys are repeated along the positions",
            *repeated("k.repeat_interleave(H // K, dim=2)", "v.repeat_interleave(H // K, dim=2)"),
            named=("positions_repeated",),
        ),
        Edit(
            "no mask",
            *repeated("repeat_kv(k, H // K)", "repeat_kv(v, H // K)", "None"),
            named=("mask_ignored",),
        ),
        Edit(
            "no mask",
            ("attention(queries, k, v, mask)", "attention(queries, k, v)"),
            named=("mask_ignored",),
        ),
        Edit(
            "the mask upside down",
            ("mask = mask.expand", "mask = (~mask).expand"),
            named=("inverted_mask",),
        ),
        Edit(
            "the mask is not stretched for the stacked queries",
            (MASK, "pass"),
            named=("mask_not_stretched",),
        ),
        Edit(
            "each row of the mask repeated in place, where the whole mask must follow again",
            (MASK, "mask = mask.repeat_interleave(H // K, dim=-2)"),
            named=("mask_rows_repeated",),
        ),
        Edit(
            "the mask is cut for the first kv heads, and the other heads' masks are lost",
            (MASK, "mask = mask.expand(B, H, T, S)[:, :K].repeat(1, 1, H // K, 1)"),
            named=("masks_of_the_first_heads",),
        ),
        Edit(
            "a mask of two dimensions only: masks of a head or a text are not possible",
            (MASK, "mask = mask.repeat(H // K, 1)"),
            named=("mask_of_two_dimensions",),
        ),
        Edit(
            "the mask is expanded for K heads, and masks of their own for H heads crash",
            (MASK, "mask = mask.expand(B, K, T, S).repeat(1, 1, H // K, 1)"),
            named=("mask_of_kv_heads",),
        ),
        Edit(
            "only the first text's mask is used",
            (MASK, "mask = mask.expand(B, H, T, S)[:1].reshape(1, K, H // K * T, S)"),
            named=("one_mask_for_all_sentences",),
        ),
        Edit(
            "q is (B, T, H, d) when it is cut into groups, which mixes positions and heads",
            (QUERIES, "queries = q.transpose(1, 2).reshape(B, K, H // K * T, d)"),
            named=("positions_and_heads_mixed",),
        ),
        Edit(
            "the queries of a group are averaged into one",
            (QUERIES, "queries = q.reshape(B, K, H // K, T, d).mean(2)"),
            (MASK, "mask = mask.expand(B, H, T, S)[:, :: H // K]"),
            (GROUPED, "repeat_kv(attention(queries, k, v, mask), H // K)"),
            named=("mean_query",),
        ),
        Edit(
            "only the first query head of a group is used",
            (QUERIES, "queries = q[:, :: H // K]"),
            (MASK, "mask = mask.expand(B, H, T, S)[:, :: H // K]"),
            (GROUPED, "repeat_kv(attention(queries, k, v, mask), H // K)"),
            named=("first_query",),
        ),
        Edit(
            "the queries of a group are averaged, and K heads come back, not H",
            (QUERIES, "queries = q.reshape(B, K, H // K, T, d).mean(2)"),
            (MASK, "mask = mask.expand(B, H, T, S)[:, :: H // K]"),
            (GROUPED, "attention(queries, k, v, mask)"),
            named=("kv_heads_only",),
        ),
        Edit(
            "the answer is cut up in another order than the queries",
            (
                GROUPED,
                "attention(queries, k, v, mask).reshape(B, K, T, H // K, d).transpose(2, 3).reshape(B, H, T, d)",
            ),
            named=("cut_in_another_order",),
        ),
        Edit(
            "(B, T, H, d) comes back",
            (".reshape(B, H, T, d)", ".reshape(B, H, T, d).transpose(1, 2)"),
            named=("positions_before_heads",),
        ),
        Edit(
            "(B, T, H, d) in the shape only",
            (".reshape(B, H, T, d)", ".reshape(B, T, H, d)"),
            named=(
                "positions_before_heads",
                "reshaped_to_positions_first",
            ),
        ),
        Edit(
            "the kv heads come back as groups: (B, K, n_rep·T, d)",
            (".reshape(B, H, T, d)", ""),
            named=("groups_not_unstacked",),
        ),
        Edit(
            "positions and heads of the keys swapped",
            ("K, S = k.shape[1:3]", "S, K = k.shape[1:3]"),
            named=("heads_and_positions_swapped",),
        ),
        Edit(
            "the scores are divided by the root of H·d, as if one head had all features",
            ("attention(queries, k, v, mask)", "attention(queries / H**0.5, k, v, mask)"),
            named=("scaled_by_all_heads",),
        ),
        Edit(
            "the scores are divided by sqrt(d) twice",
            ("attention(queries, k, v, mask)", "attention(queries / d**0.5, k, v, mask)"),
            named=("scaled_by_d",),
        ),
        Edit(
            "always causal",
            (
                "K, S = k.shape[1:3]",
                "K, S = k.shape[1:3]\n    mask = causal_mask(T, S) if mask is None else mask",
            ),
            named=("causal_without_mask",),
        ),
        Edit(
            "float32 comes back for half precision",
            (f"return {GROUPED}", f"return {GROUPED}.float()"),
            named=("float32_result",),
        ),
        Edit(
            "no gradient reaches keys and values",
            ("attention(queries, k, v, mask)", "attention(queries, k.detach(), v.detach(), mask)"),
            named=("shared_heads_detached",),
        ),
        Edit(
            "the mask has to be there",
            ("if mask is not None:", "if True:"),
            named=("needs_a_mask",),
        ),
    ],
    "GroupedQueryAttention": [
        Edit(
            "wk and wv are as wide as wq: H heads",
            (WK, "self.wk = nn.Linear(dim, n_heads * head_dim, bias=False)"),
            (WV, "self.wv = nn.Linear(dim, n_heads * head_dim, bias=False)"),
            (K, "k = apply_rope(split_heads(self.wk(x), self.n_heads), angles)"),
            (V, "v = split_heads(self.wv(x), self.n_heads)"),
            named=("kv_full_size",),
        ),
        Edit(
            "wk and wv are dim → dim, and cut into K wide heads",
            (WK, "self.wk = nn.Linear(dim, dim, bias=False)"),
            (WV, "self.wv = nn.Linear(dim, dim, bias=False)"),
            named=("kv_full_size",),
        ),
        Edit(
            "wv is dim → dim",
            (WV, "self.wv = nn.Linear(dim, dim, bias=False)"),
            named=("wv_full_size",),
        ),
        Edit(
            "the size of a head is dim / K",
            ("head_dim = dim // n_heads", "head_dim = dim // n_kv_heads"),
            named=("head_size_of_kv_heads",),
        ),
        Edit(
            "/ for //: the size of a head is not a whole number",
            ("dim // n_heads", "dim / n_heads"),
            named=("size_not_whole",),
        ),
        Edit(
            "wk makes one head only",
            (WK, "self.wk = nn.Linear(dim, head_dim, bias=False)"),
            named=("wk_one_head",),
        ),
        Edit("wk and wv are one map", (WV, "self.wv = self.wk"), named=("wk_shared_with_wv",)),
        Edit(
            "wq has a bias",
            (WQ, "self.wq = nn.Linear(dim, n_heads * head_dim)"),
            named=("with_bias",),
        ),
        Edit(
            "wk and wv have a bias",
            (WK, "self.wk = nn.Linear(dim, n_kv_heads * head_dim)"),
            (WV, "self.wv = nn.Linear(dim, n_kv_heads * head_dim)"),
            named=("with_bias",),
        ),
        Edit(
            "wo has a bias",
            (WO, "self.wo = nn.Linear(n_heads * head_dim, dim)"),
            named=("with_bias",),
        ),
        Edit(
            "all maps have a bias",
            (WQ, "self.wq = nn.Linear(dim, n_heads * head_dim)"),
            (WK, "self.wk = nn.Linear(dim, n_kv_heads * head_dim)"),
            (WV, "self.wv = nn.Linear(dim, n_kv_heads * head_dim)"),
            (WO, "self.wo = nn.Linear(n_heads * head_dim, dim)"),
            named=("with_bias",),
        ),
        Edit(
            "no ValueError when the heads do not divide",
            (EVENLY, "if False:"),
            named=("no_value_error",),
        ),
        Edit(
            "no ValueError when the heads do not divide: an assert",
            (
                'raise ValueError(f"{n_heads} query heads cannot share {n_kv_heads} kv heads evenly")',
                "assert n_heads % n_kv_heads == 0",
            ),
            named=("assertion",),
        ),
        Edit(
            "the ValueError asks whether dim can be divided, not the heads",
            (EVENLY, "if dim % n_heads != 0:"),
            named=("no_value_error",),
        ),
        Edit(
            "the ValueError comes only when K > H",
            (EVENLY, "if n_kv_heads > n_heads:"),
            named=("only_too_many",),
        ),
        Edit(
            "the division is the wrong way round: ValueError for GQA",
            (EVENLY, "if n_kv_heads % n_heads != 0:"),
            named=("value_error_upside_down",),
        ),
        Edit(
            "K = 1 is refused",
            (EVENLY, "if n_kv_heads < 2 or n_heads % n_kv_heads != 0:"),
            named=("value_error_for_mqa",),
        ),
        Edit(
            "the keys are cut into H heads",
            (K, "k = apply_rope(split_heads(self.wk(x), self.n_heads), angles)"),
            named=("kv_cut_into_query_heads",),
        ),
        Edit(
            "the values are cut into H heads",
            (V, "v = split_heads(self.wv(x), self.n_heads)"),
            named=("kv_cut_into_query_heads",),
        ),
        Edit(
            "the queries are cut into K heads",
            (Q, "q = apply_rope(split_heads(self.wq(x), self.n_kv_heads), angles)"),
            named=("queries_cut_into_kv_heads",),
        ),
        Edit("the keys are made by wv", ("self.wk(x)", "self.wv(x)"), named=("wv_for_keys",)),
        Edit("the values are made by wk", ("self.wv(x)", "self.wk(x)"), named=("wk_for_values",)),
        Edit(
            "the queries are not rotated",
            (Q, "q = split_heads(self.wq(x), self.n_heads)"),
            named=("rope_on_keys_only",),
        ),
        Edit(
            "the keys are not rotated",
            (K, "k = split_heads(self.wk(x), self.n_kv_heads)"),
            named=("rope_on_queries_only",),
        ),
        Edit(
            "nothing is rotated",
            (Q, "q = split_heads(self.wq(x), self.n_heads)"),
            (K, "k = split_heads(self.wk(x), self.n_kv_heads)"),
            named=("no_rope",),
        ),
        Edit(
            "the values are rotated",
            (V, "v = apply_rope(split_heads(self.wv(x), self.n_kv_heads), angles)"),
            named=("rope_on_values",),
        ),
        Edit(
            "the keys go into the cache unrotated, and all of them are turned by the newest angles",
            (K, "k = split_heads(self.wk(x), self.n_kv_heads)"),
            ("mask = None", "k = apply_rope(k, angles)\n        mask = None"),
            named=("rotates_what_it_reads",),
        ),
        Edit(
            "keys are rotated again when they come out of the cache",
            ("mask = None", "k = apply_rope(k, angles)\n        mask = None"),
            named=("rotates_again",),
        ),
        Edit(
            "the cache is never used",
            ("if cache is not None:", "if False:"),
            named=("cache_ignored",),
        ),
        Edit(
            "the cache is filled, but only the new keys are read",
            (UPDATE, "cache.update(k, v)"),
            named=("forgets",),
        ),
        Edit(
            "values stored as keys and keys as values",
            (UPDATE, "v, k = cache.update(v, k)"),
            named=("swapped_in_update",),
        ),
        Edit(
            "what comes out of the cache is named the wrong way round",
            (UPDATE, "v, k = cache.update(k, v)"),
            named=("swapped_on_return",),
        ),
        Edit(
            "the keys are stored as values too",
            (UPDATE, "k, v = cache.update(k, k)"),
            named=("keys_stored_as_values",),
        ),
        Edit(
            "the heads are shared out before the cache, which then holds H heads",
            (
                V,
                f"{V}\n        k, v = repeat_kv(k, self.n_heads // self.n_kv_heads), repeat_kv(v, self.n_heads // self.n_kv_heads)",
            ),
            named=("caches_expanded",),
        ),
        Edit("no mask", ("if q.shape[2] > 1:", "if False:"), named=("not_causal",)),
        Edit(
            "no mask when there is a cache",
            ("if q.shape[2] > 1:", "if cache is None:"),
            named=("no_mask_with_cache",),
        ),
        Edit(
            "the mask is square, and does not know the cache",
            (CAUSAL, "mask = causal_mask(q.shape[2], q.shape[2]).to(x.device)"),
            named=("square_mask",),
        ),
        Edit(
            "the mask has as many rows as keys",
            (CAUSAL, "mask = causal_mask(k.shape[2], k.shape[2]).to(x.device)"),
            named=("mask_of_keys_by_keys",),
        ),
        Edit(
            "T and S swapped in the mask",
            (CAUSAL, "mask = causal_mask(k.shape[2], q.shape[2]).to(x.device)"),
            named=("mask_sides_swapped",),
        ),
        Edit(
            "the mask is made for heads, not positions",
            (CAUSAL, "mask = causal_mask(q.shape[1], k.shape[1]).to(x.device)"),
            named=("mask_for_the_heads",),
        ),
        Edit(
            "the queries are taken for the first positions",
            (CAUSAL, "mask = causal_mask(k.shape[2], k.shape[2])[: q.shape[2]].to(x.device)"),
            named=("mask_top_left",),
        ),
        Edit("the mask stays on the CPU", (".to(x.device)", ""), named=("mask_on_cpu",)),
        Edit(
            "wo is never used",
            (OUT, "merge_heads(grouped_query_attention(q, k, v, mask))"),
            named=("forgets_wo",),
        ),
        Edit(
            "the heads are put side by side in the wrong order: reshape without transpose",
            (
                "merge_heads(grouped_query_attention(q, k, v, mask))",
                "grouped_query_attention(q, k, v, mask).reshape(x.shape)",
            ),
            named=("merge_without_transpose",),
        ),
        Edit(
            "keys and values are exchanged in the call",
            ("grouped_query_attention(q, k, v, mask)", "grouped_query_attention(q, v, k, mask)"),
            named=("swapped_in_the_call",),
        ),
        Edit(
            "the mask is not passed on",
            ("grouped_query_attention(q, k, v, mask)", "grouped_query_attention(q, k, v)"),
            named=("not_causal",),
        ),
        Edit(
            "the heads take turns: repeat for repeat_interleave",
            (
                "grouped_query_attention(q, k, v, mask)",
                "attention(q, *(y.repeat(1, self.n_heads // self.n_kv_heads, 1, 1) for y in (k, v)), mask)",
            ),
            named=("tiled",),
        ),
        Edit(
            "the input is added", ("return self.wo", "return x + self.wo"), named=("adds_residual",)
        ),
        Edit(
            "n_kv_heads is taken for the number of query heads of a group",
            (
                "self.n_heads, self.n_kv_heads = n_heads, n_kv_heads",
                "n_kv_heads = n_heads // n_kv_heads\n        self.n_heads, self.n_kv_heads = n_heads, n_kv_heads",
            ),
            named=("group_size_for_kv_heads",),
        ),
        Edit(
            "the arguments in the wrong order: n_heads and n_kv_heads swapped",
            (
                "self.n_heads, self.n_kv_heads = n_heads, n_kv_heads",
                "self.n_heads, self.n_kv_heads = n_kv_heads, n_heads",
            ),
            named=("heads_swapped",),
        ),
        Edit(
            "the keys are cut off from the gradient",
            (UPDATE, f"{UPDATE}\n        k = k.detach()"),
            named=("keys_detached",),
        ),
        Edit(
            "only the last position comes back",
            (f"return {OUT}", f"return {OUT}[:, -1:]"),
            named=("last_position_only",),
        ),
    ],
    "mean_pool_heads": [
        Edit(
            "the heads of a group are not neighbours: every K-th",
            (
                GROUPS,
                "groups = weight.reshape(n_heads // n_kv_heads, n_kv_heads, -1, D).transpose(0, 1)",
            ),
            named=("every_kth_head",),
        ),
        Edit(
            "the heads of a group are not neighbours: every K-th",
            (GROUPS, "groups = weight.reshape(n_heads // n_kv_heads, n_kv_heads, -1, D)"),
            ("mean(dim=1)", "mean(dim=0)"),
            named=("every_kth_head",),
        ),
        Edit(
            "the sum instead of the mean", (".mean(dim=1)", ".sum(dim=1)"), named=("sum_not_mean",)
        ),
        Edit(
            "the median instead of the mean",
            (".mean(dim=1)", ".median(dim=1).values"),
            named=("median",),
        ),
        Edit("the largest of the group", (".mean(dim=1)", ".amax(dim=1)"), named=("largest",)),
        Edit(
            "the first head of each group, no mean",
            (".mean(dim=1)", "[:, 0]"),
            named=("first_head",),
        ),
        Edit(
            "the last head of each group, no mean",
            (".mean(dim=1)", "[:, -1]"),
            named=("last_head",),
        ),
        Edit(
            "the first K heads of the model",
            (MEAN, "weight[: weight.shape[0] // n_heads * n_kv_heads]"),
            named=("first_rows",),
        ),
        Edit(
            "averages over the groups, not within them",
            (".mean(dim=1)", ".mean(dim=0)"),
            named=("averages_over_groups",),
        ),
        Edit(
            "averages over the rows of a head",
            (".mean(dim=1)", ".mean(dim=2)"),
            named=("averages_rows_of_a_head",),
        ),
        Edit(
            "averages over the columns",
            (".mean(dim=1)", ".mean(dim=-1)"),
            named=("averages_columns",),
        ),
        Edit("the mean of everything", (".mean(dim=1)", ".mean()"), named=("one_number",)),
        Edit(
            "averages neighbouring rows, not heads",
            (GROUPS, "groups = weight.reshape(-1, n_heads // n_kv_heads, D)"),
            named=("features_of_a_head",),
        ),
        Edit(
            "averages neighbouring rows, not heads",
            (
                GROUPS,
                "groups = weight.reshape(n_kv_heads, -1, n_heads // n_kv_heads, D).transpose(1, 2)",
            ),
            named=("features_of_a_head",),
        ),
        Edit(
            "pools the columns: the heads sought in the second dimension",
            (
                GROUPS,
                "groups = weight.reshape(weight.shape[0], n_kv_heads, n_heads // n_kv_heads, -1)",
            ),
            (MEAN, "groups.mean(dim=2).reshape(weight.shape[0], -1)"),
            named=("columns_pooled",),
        ),
        Edit(
            "the mean is divided by the size of a group again",
            (MEAN, "(groups.mean(dim=1) / (n_heads // n_kv_heads)).reshape(-1, D)"),
            named=("divided_by_the_size_twice",),
        ),
        Edit(
            "the sum is divided by K",
            (MEAN, "(groups.sum(dim=1) / n_kv_heads).reshape(-1, D)"),
            named=("divided_by_kv_heads",),
        ),
        Edit(
            "the sum is divided by H",
            (MEAN, "(groups.sum(dim=1) / n_heads).reshape(-1, D)"),
            named=("divided_by_all_heads",),
        ),
        Edit(
            "K // H: a group of 0 heads",
            ("n_heads // n_kv_heads", "n_kv_heads // n_heads"),
            named=("quotient_upside_down",),
        ),
        Edit(
            "/ for //",
            ("n_heads // n_kv_heads", "n_heads / n_kv_heads"),
            named=("size_not_whole",),
        ),
        Edit(
            "the group size and K swapped in the reshape: H / K groups",
            (GROUPS, "groups = weight.reshape(n_heads // n_kv_heads, n_kv_heads, -1, D)"),
            named=("group_size_for_groups",),
        ),
        Edit(
            "the mean is repeated back: (H·d, D)",
            (MEAN, "groups.mean(dim=1, keepdim=True).expand_as(groups).reshape(-1, D)"),
            named=("repeated_again",),
        ),
        Edit(
            "the heads stay a dimension of their own",
            (".reshape(-1, D)", ""),
            named=("not_flattened",),
        ),
        Edit("(D, K·d): transposed", (MEAN, f"({MEAN}).T"), named=("transposed",)),
        Edit(
            "(D, K·d) in the shape only",
            (".reshape(-1, D)", ".reshape(D, -1)"),
            named=("reshaped_to_columns",),
        ),
        Edit(
            "float32 comes back for half precision",
            (".mean(dim=1)", ".float().mean(dim=1)"),
            named=("float32_result",),
        ),
        Edit(
            "D is taken from the rows",
            ("D = weight.shape[1]", "D = weight.shape[0]"),
            named=("width_from_the_rows",),
        ),
        Edit(
            "divided by n_kv_heads where the group size belongs",
            (GROUPS, "groups = weight.reshape(n_kv_heads, n_heads, -1, D)"),
            named=("groups_of_all_heads",),
        ),
        Edit(
            "whole division of the sum",
            (MEAN, "(groups.sum(dim=1) // (n_heads // n_kv_heads)).reshape(-1, D)"),
            named=("rounded_down",),
        ),
        Edit(
            "the heads are averaged in place: weight changes",
            ("D = weight.shape[1]", "weight /= n_heads // n_kv_heads\n    D = weight.shape[1]"),
            (".mean(dim=1)", ".sum(dim=1)"),
            named=("changes_the_weight",),
        ),
    ],
    "decode_intensity": [
        Edit(
            "multiplication and addition counted as one",
            (FLOPS, "flops = 2 * n_heads * head_dim * seq_len"),
            named=("half",),
        ),
        Edit(
            "only q·k is counted, not weights·v",
            (FLOPS, "flops = 2 * n_heads * seq_len * head_dim"),
            named=("half",),
        ),
        Edit(
            "only the keys are read, not the values",
            (BYTES, "bytes_read = 2 * n_kv_heads * head_dim * seq_len"),
            named=("double",),
        ),
        Edit(
            "numbers instead of bytes: the 2 bytes forgotten",
            (BYTES, "bytes_read = 2 * (n_kv_heads * head_dim * seq_len)"),
            named=("double",),
        ),
        Edit(
            "4-byte numbers",
            (BYTES, "bytes_read = 2 * 4 * n_kv_heads * head_dim * seq_len"),
            named=("half",),
        ),
        Edit(
            "the cache has H heads",
            (BYTES, "bytes_read = 2 * 2 * n_heads * head_dim * seq_len"),
            named=("always_one",),
        ),
        Edit(
            "the work is done by K heads",
            (FLOPS, "flops = 2 * 2 * n_kv_heads * head_dim * seq_len"),
            named=("always_one",),
        ),
        Edit("the ratio upside down", (RATIO, "bytes_read / flops"), named=("upside_down",)),
        Edit(
            "the length squared, as for a whole prompt",
            (FLOPS, "flops = 2 * 2 * n_heads * head_dim * seq_len**2"),
            named=("times_positions",),
        ),
        Edit(
            "the length forgotten in the bytes",
            (BYTES, "bytes_read = 2 * 2 * n_kv_heads * head_dim"),
            named=("times_positions",),
        ),
        Edit(
            "the length forgotten in the FLOPs",
            (FLOPS, "flops = 2 * 2 * n_heads * head_dim"),
            named=("flops_of_one_key",),
        ),
        Edit(
            "the size of a head forgotten in the bytes",
            (BYTES, "bytes_read = 2 * 2 * n_kv_heads * seq_len"),
            named=("head_dim_missing_in_bytes",),
        ),
        Edit(
            "precedence: divides by the first factor and multiplies by the rest",
            (RATIO, "flops / 2 * 2 * n_kv_heads * head_dim * seq_len"),
            named=("precedence",),
        ),
        Edit(
            "the queries are read as well",
            (
                BYTES,
                "bytes_read = 2 * 2 * n_kv_heads * head_dim * seq_len + 2 * n_heads * head_dim",
            ),
            named=("queries_read_too",),
        ),
        Edit(
            "the softmax is counted as well",
            (FLOPS, "flops = 2 * 2 * n_heads * head_dim * seq_len + 3 * n_heads * seq_len"),
            named=("softmax_counted",),
        ),
        Edit(
            "16 bits for a number, where 2 bytes belong",
            (BYTES, "bytes_read = 2 * 16 * n_kv_heads * head_dim * seq_len"),
            named=("bits",),
        ),
        Edit(
            "the size of a head forgotten in the FLOPs",
            (FLOPS, "flops = 2 * 2 * n_heads * seq_len"),
            named=("head_dim_missing_in_flops",),
        ),
        Edit(
            "H·K for H",
            (FLOPS, "flops = 2 * 2 * n_heads * n_kv_heads * head_dim * seq_len"),
            named=("kv_heads_ignored",),
        ),
        Edit("FLOPs only, no ratio", (RATIO, "float(flops)"), named=("flops_only",)),
    ],
}

PAIRS = {
    "grouped_query_attention": [
        Edit(
            "the kv heads take turns, and no mask",
            *repeated("k.repeat(1, H // K, 1, 1)", "v.repeat(1, H // K, 1, 1)", "None"),
            named=(
                "tiled",
                "mask_ignored",
            ),
        ),
        Edit(
            "the kv heads take turns, and keys stand for values",
            *repeated("k.repeat(1, H // K, 1, 1)", "k.repeat(1, H // K, 1, 1)"),
            named=(
                "tiled",
                "keys_as_values",
            ),
        ),
        Edit(
            "all query heads read the first kv head, and no mask",
            *repeated("k[:, :1].expand(B, H, S, d)", "v[:, :1].expand(B, H, S, d)", "None"),
            named=(
                "first_kv_head",
                "mask_ignored",
            ),
        ),
    ],
    "GroupedQueryAttention": [
        Edit(
            "no ValueError when the heads do not divide, and the values are rotated",
            (EVENLY, "if False:"),
            (V, "v = apply_rope(split_heads(self.wv(x), self.n_kv_heads), angles)"),
            named=(
                "no_value_error",
                "rope_on_values",
            ),
        ),
        Edit(
            "nothing is rotated, and no mask",
            (Q, "q = split_heads(self.wq(x), self.n_heads)"),
            (K, "k = split_heads(self.wk(x), self.n_kv_heads)"),
            ("if q.shape[2] > 1:", "if False:"),
            named=(
                "no_rope",
                "not_causal",
            ),
        ),
        Edit(
            "the heads take turns, and wo has a bias",
            (
                "grouped_query_attention(q, k, v, mask)",
                "attention(q, *(y.repeat(1, self.n_heads // self.n_kv_heads, 1, 1) for y in (k, v)), mask)",
            ),
            (WO, "self.wo = nn.Linear(n_heads * head_dim, dim)"),
            named=(
                "tiled",
                "with_bias",
            ),
        ),
        Edit(
            "the cache is never used, and the keys are not rotated",
            ("if cache is not None:", "if False:"),
            (K, "k = split_heads(self.wk(x), self.n_kv_heads)"),
            named=(
                "cache_ignored",
                "rope_on_queries_only",
            ),
        ),
        Edit(
            "the values are made by wk, and no mask when there is a cache",
            ("self.wv(x)", "self.wk(x)"),
            ("if q.shape[2] > 1:", "if cache is None:"),
            named=(
                "wk_for_values",
                "no_mask_with_cache",
            ),
        ),
    ],
    "mean_pool_heads": [
        Edit(
            "every K-th head instead of neighbours, and the sum instead of the mean",
            (GROUPS, "groups = weight.reshape(n_heads // n_kv_heads, n_kv_heads, -1, D)"),
            ("mean(dim=1)", "sum(dim=0)"),
            named=(
                "every_kth_head",
                "sum_not_mean",
            ),
        ),
        Edit(
            "the sum instead of the mean, and float32 for half precision",
            (".mean(dim=1)", ".float().sum(dim=1)"),
            named=(
                "sum_not_mean",
                "float32_result",
            ),
        ),
    ],
    "decode_intensity": [
        Edit(
            "the cache has H heads, and only the keys are read",
            (BYTES, "bytes_read = 2 * n_heads * head_dim * seq_len"),
            named=(
                "always_one",
                "double",
            ),
        ),
        Edit(
            "multiplication and addition counted as one, and 4-byte numbers",
            (FLOPS, "flops = 2 * n_heads * head_dim * seq_len"),
            (BYTES, "bytes_read = 2 * 4 * n_kv_heads * head_dim * seq_len"),
            named=("quarter",),
        ),
    ],
}
