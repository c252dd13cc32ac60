"""Lab 04: plain edits of the worked answers, each a mistake in the spelling of a learner."""

from wrong_answers import Edit

KEYS = "key <= query[:, None]"
QUERY = "query = torch.arange(n_keys - n_queries, n_keys)"
RAISE = 'raise ValueError(f"{n_queries} queries, but only {n_keys} positions: some see nothing")'
SCORES = "q.float() @ k.float().transpose(-2, -1) / math.sqrt(q.shape[-1])"
ROOT = "/ math.sqrt(q.shape[-1])"
FILL = "scores = scores.masked_fill(~mask, -torch.inf)"
SOFTMAX = "torch.softmax(scores, dim=-1).to(q.dtype)"
AVERAGE = "attention_weights(q, k, mask) @ v"
SPLIT = "x = x.reshape(B, T, n_heads, D // n_heads)"
SPLIT_TURN = "x.transpose(1, 2)"
MERGE_TURN = "x = x.transpose(1, 2)"
MERGE = "x.reshape(B, T, H * d)"
ROPE = "q, k = apply_rope(q, angles), apply_rope(k, angles)"
QKV = "q, k, v = (split_heads(w(x), self.n_heads) for w in (self.wq, self.wk, self.wv))"
MASK = "mask = causal_mask(x.shape[1], x.shape[1]).to(x.device)"
OUT = "self.wo(merge_heads(attention(q, k, v, mask)))"
WQ = "self.wq = nn.Linear(dim, dim, bias=False)"
WK = "self.wk = nn.Linear(dim, dim, bias=False)"
WV = "self.wv = nn.Linear(dim, dim, bias=False)"
WO = "self.wo = nn.Linear(dim, dim, bias=False)"

EDITS = {
    "causal_mask": [
        Edit(
            "a query does not see itself: < for <=",
            (KEYS, "key < query[:, None]"),
            named=("does_not_see_itself",),
        ),
        Edit(
            "a query sees one key of the future",
            (KEYS, "key <= query[:, None] + 1"),
            named=("sees_one_ahead",),
        ),
        Edit(
            "a query sees itself and what comes after it",
            (KEYS, "key >= query[:, None]"),
            named=("sees_the_future",),
        ),
        Edit(
            "True where a query must not look", (KEYS, "key > query[:, None]"), named=("inverted",)
        ),
        Edit(
            "True where a query must not look",
            (KEYS, "~(key <= query[:, None])"),
            named=("inverted",),
        ),
        Edit(
            "the matrix lies on its side: (S, T)",
            (KEYS, "key[:, None] <= query"),
            named=("transposed",),
        ),
        Edit(
            "the matrix lies on its side: (S, T)",
            (KEYS, "(key <= query[:, None]).T"),
            named=("transposed",),
        ),
        Edit(
            "the queries stand at the first positions",
            (QUERY, "query = torch.arange(n_queries)"),
            named=("top_left",),
        ),
        Edit(
            "the queries stand at the first positions",
            (f"return {KEYS}", "return torch.ones(n_queries, n_keys).tril().bool()"),
            named=("top_left",),
        ),
        Edit(
            "the queries stand at the first positions",
            (f"return {KEYS}", "return torch.ones(n_queries, n_keys, dtype=torch.bool).tril(0)"),
            named=("top_left",),
        ),
        Edit(
            "the diagonal is moved the wrong way, by T - S",
            (
                f"return {KEYS}",
                "return torch.ones(n_queries, n_keys).tril(n_queries - n_keys).bool()",
            ),
            named=("wrong_diagonal",),
        ),
        Edit(
            "the diagonal is one too far left, so that a query does not see itself",
            (
                f"return {KEYS}",
                "return torch.tril(torch.ones(n_queries, n_keys), diagonal=n_keys - n_queries - 1).bool()",
            ),
            named=("does_not_see_itself",),
        ),
        Edit(
            "the diagonal is one too far right, so that a query sees the next key",
            (
                f"return {KEYS}",
                "return torch.tril(torch.ones(n_queries, n_keys), diagonal=n_keys - n_queries + 1).bool()",
            ),
            named=("sees_one_ahead",),
        ),
        Edit(
            "True above the diagonal, where a query must not look",
            (
                f"return {KEYS}",
                "return torch.triu(torch.ones(n_queries, n_keys), diagonal=n_keys - n_queries + 1).bool()",
            ),
            named=("inverted",),
        ),
        Edit(
            "the query positions are one too small, so that a query does not see itself",
            (QUERY, "query = torch.arange(n_keys - n_queries - 1, n_keys - 1)"),
            named=("does_not_see_itself",),
        ),
        Edit(
            "the answer is numbers, not bool",
            (KEYS, f"({KEYS}).float()"),
            named=(
                "ones_and_zeros",
                "integers",
            ),
        ),
        Edit(
            "the answer is numbers, not bool",
            (KEYS, f"({KEYS}).int()"),
            named=(
                "ones_and_zeros",
                "integers",
            ),
        ),
        Edit(
            "the answer is 0 and -inf to be added, not bool",
            (
                f"return {KEYS}",
                f"return torch.zeros(n_queries, n_keys).masked_fill(~({KEYS}), -torch.inf)",
            ),
            named=("bias_not_bool",),
        ),
        Edit(
            "all S rows come back instead of the last T",
            (QUERY, "query = torch.arange(n_keys)"),
            named=("square_of_keys",),
        ),
        Edit(
            "the first T of the S rows come back",
            (QUERY, "query = torch.arange(n_keys)[:n_queries]"),
            named=("top_left",),
        ),
        Edit(
            "two dimensions too many: (1, 1, T, S)",
            (KEYS, "(key <= query[:, None])[None, None]"),
            named=("batch_dimensions",),
        ),
        Edit(
            "no error when there are more queries than keys",
            ("n_queries > n_keys:", "n_queries < 0:"),
            named=("no_error",),
        ),
        Edit(
            "the error comes for square masks as well",
            ("if n_queries > n_keys:", "if n_queries >= n_keys:"),
            named=("refuses_square",),
        ),
        Edit(
            "the error comes when there are fewer queries than keys, not more",
            ("if n_queries > n_keys:", "if n_queries < n_keys:"),
            named=("error_the_wrong_way_round",),
        ),
        Edit(
            "more queries than keys: IndexError, not ValueError",
            ("raise ValueError(", "raise IndexError("),
            named=("other_error",),
        ),
        Edit(
            "more queries than keys: an assert, not ValueError",
            (RAISE, "assert n_queries <= n_keys"),
            named=("assert_not_raise",),
        ),
        Edit(
            "the ValueError is returned, not raised",
            ("raise ValueError", "return ValueError"),
            named=("error_returned",),
        ),
        Edit(
            "more queries than keys: prints, and goes on",
            ("raise ValueError", "print"),
            named=("no_error",),
        ),
        Edit(
            "more queries than keys: cuts the queries silently, no ValueError",
            (RAISE, "n_queries = n_keys"),
            named=(
                "no_error",
                "queries_cut_silently",
            ),
        ),
        Edit("everything may be seen", (KEYS, "key >= 0 * query[:, None]"), named=("not_causal",)),
    ],
    "attention_weights": [
        Edit(
            "the softmax runs over the queries",
            ("dim=-1", "dim=-2"),
            named=("softmax_over_queries",),
        ),
        Edit(
            "the softmax runs over dimension 1, whatever that is",
            ("dim=-1", "dim=1"),
            named=("softmax_over_dim_1",),
        ),
        Edit(
            "the softmax runs over dimension 0", ("dim=-1", "dim=0"), named=("softmax_over_dim_0",)
        ),
        Edit("no division by the root of d", (f" {ROOT}", ""), named=("no_scale",)),
        Edit("divides by d, not by its root", (ROOT, "/ q.shape[-1]"), named=("scaled_by_d",)),
        Edit(
            "divides by the root of the number of queries",
            (ROOT, "/ math.sqrt(q.shape[-2])"),
            named=("scaled_by_queries",),
        ),
        Edit(
            "divides by the root of the number of keys",
            (ROOT, "/ math.sqrt(k.shape[-2])"),
            named=("scaled_by_keys",),
        ),
        Edit(
            "divides by the root of dimension 1, whatever that is",
            (ROOT, "/ math.sqrt(q.shape[1])"),
            named=("scaled_by_dim_1",),
        ),
        Edit(
            "divides by the root of dimension 0",
            (ROOT, "/ math.sqrt(q.shape[0])"),
            named=("scaled_by_dim_0",),
        ),
        Edit(
            "multiplies by the root of d",
            (ROOT, "* math.sqrt(q.shape[-1])"),
            named=("multiplied_by_root",),
        ),
        Edit(
            "multiplies by the root of d",
            (ROOT, "/ q.shape[-1] ** -0.5"),
            named=("multiplied_by_root",),
        ),
        Edit(
            "divides by the square of d",
            (ROOT, "/ q.shape[-1] ** 2"),
            named=("scaled_by_d_squared",),
        ),
        Edit(
            "rounds the quotient down",
            (ROOT, "// math.sqrt(q.shape[-1])"),
            named=("scores_rounded_down",),
        ),
        Edit(
            "rounds the root down to a whole number",
            (ROOT, "/ int(math.sqrt(q.shape[-1]))"),
            named=("root_rounded_down",),
        ),
        Edit("divides by a fixed 8, the root of 64", (ROOT, "/ 8"), named=("fixed_scale",)),
        Edit(
            "divides after the softmax",
            (f" {ROOT}", ""),
            (SOFTMAX, f"({SOFTMAX}) {ROOT}"),
            named=("scaled_after_softmax",),
        ),
        Edit(
            "divides q and k by the root of d each",
            (SCORES, f"(q.float() {ROOT}) @ (k.float() {ROOT}).transpose(-2, -1)"),
            named=("scaled_by_d",),
        ),
        Edit(
            "k is not transposed",
            ("k.float().transpose(-2, -1)", "k.float()"),
            named=("keys_not_transposed",),
        ),
        Edit(
            "turns dimensions 1 and 2, whatever they are",
            (".transpose(-2, -1)", ".transpose(1, 2)"),
            named=("transposes_fixed_dimensions",),
        ),
        Edit(
            "turns dimensions 2 and 3, which only four-dimensional input has",
            (".transpose(-2, -1)", ".transpose(2, 3)"),
            named=("transposes_fixed_dimensions",),
        ),
        Edit(
            "turns all dimensions of k around",
            ("k.float().transpose(-2, -1)", "k.float().permute(*range(k.dim() - 1, -1, -1))"),
            named=("transposes_all_dimensions",),
        ),
        Edit(
            "turns all dimensions of k around",
            ("k.float().transpose(-2, -1)", "k.float().T"),
            named=("transposes_all_dimensions",),
        ),
        Edit(
            "the scores are keys by queries",
            ("q.float() @ k.float().transpose(-2, -1)", "k.float() @ q.float().transpose(-2, -1)"),
            named=("queries_and_keys_swapped",),
        ),
        Edit(
            "the mask is read the wrong way round",
            ("masked_fill(~mask", "masked_fill(mask"),
            named=("inverted_mask",),
        ),
        Edit(
            "the mask is read the wrong way round",
            (FILL, "scores = torch.where(mask, -torch.inf, scores)"),
            named=("inverted_mask",),
        ),
        Edit(
            "the mask is read the wrong way round",
            (FILL, "scores = scores.masked_fill(mask == 1, float('-inf'))"),
            named=("inverted_mask",),
        ),
        Edit("masked scores become 0", ("-torch.inf", "0"), named=("mask_multiplied",)),
        Edit(
            "masked scores become 0", (FILL, "scores = scores * mask"), named=("mask_multiplied",)
        ),
        Edit(
            "masked scores become a tiny number, 1e-9, not -inf",
            ("-torch.inf", "1e-9"),
            named=("mask_multiplied",),
        ),
        Edit(
            "masked scores become a tiny number, -1e-9, not -inf",
            ("-torch.inf", "-1e-9"),
            named=("mask_multiplied",),
        ),
        Edit(
            "masked scores become -10, which leaves them some weight",
            ("-torch.inf", "-10.0"),
            named=("fill_far_too_small",),
        ),
        Edit("masked scores become +inf", ("-torch.inf", "torch.inf"), named=("filled_with_plus",)),
        Edit(
            "the bool mask is added to the scores",
            (FILL, "scores = scores + mask"),
            named=("mask_added",),
        ),
        Edit(
            "the masked scores are thrown away",
            (FILL, "scores.masked_fill(~mask, -torch.inf)"),
            named=("mask_ignored",),
        ),
        Edit(
            "the mask is never used",
            ("if mask is not None:", "if mask is not None and False:"),
            named=("mask_ignored",),
        ),
        Edit(
            "the mask is applied to the weights, and the rows no longer sum to 1",
            (f"{FILL}", "pass"),
            (
                f"return {SOFTMAX}",
                "weights = torch.softmax(scores, dim=-1)\n    return (weights if mask is None else weights * mask).to(q.dtype)",
            ),
            named=("mask_after_softmax",),
        ),
        Edit(
            "crashes without a mask",
            ("if mask is not None:", "if True:"),
            named=("needs_a_mask",),
        ),
        Edit(
            "asks for a mask's truth, which a matrix has not",
            ("if mask is not None:", "if mask:"),
            named=("mask_as_truth",),
        ),
        Edit(
            "the wrong way round: masks only when there is no mask",
            ("if mask is not None:", "if mask is None:"),
            named=("mask_ignored",),
        ),
        Edit(
            "stays in float32 when q is half precision",
            (SOFTMAX, "torch.softmax(scores, dim=-1)"),
            named=("float32_result",),
        ),
        Edit(
            "computes everything in half precision",
            ("q.float() @ k.float()", "q @ k"),
            named=("scores_in_half",),
        ),
        Edit(
            "computes the scores in half precision, and only the softmax in float32",
            (SCORES, f"(q @ k.transpose(-2, -1)).float() {ROOT}"),
            named=("scores_in_half",),
        ),
        Edit(
            "computes the softmax in half precision",
            (SCORES, f"({SCORES}).to(q.dtype)"),
            named=("scores_in_half",),
        ),
        Edit(
            "always returns bfloat16",
            (".to(q.dtype)", ".bfloat16()"),
            named=("half_result",),
        ),
        Edit(
            "sigmoid in place of the softmax",
            ("torch.softmax(scores, dim=-1)", "torch.sigmoid(scores)"),
            named=("sigmoid",),
        ),
        Edit(
            "the logarithm of the weights",
            ("torch.softmax(", "torch.log_softmax("),
            named=("log_softmax",),
        ),
        Edit(
            "no softmax: the scores come back",
            ("torch.softmax(scores, dim=-1)", "scores"),
            named=("no_softmax",),
        ),
        Edit(
            "overflows: exp without subtracting the largest score",
            (
                f"return {SOFTMAX}",
                "e = torch.exp(scores)\n    return (e / e.sum(-1, keepdim=True)).to(q.dtype)",
            ),
            named=("unstable_softmax",),
        ),
        Edit(
            "subtracts the largest score of all rows, so that a row far below it becomes 0/0",
            (
                f"return {SOFTMAX}",
                "e = torch.exp(scores - scores.max())\n    return (e / e.sum(-1, keepdim=True)).to(q.dtype)",
            ),
            named=("one_maximum_for_all",),
        ),
        Edit(
            "the exponentials are divided by the sum over the queries",
            (
                f"return {SOFTMAX}",
                "e = torch.exp(scores - scores.max())\n    return (e / e.sum(-2, keepdim=True)).to(q.dtype)",
            ),
            named=("softmax_over_queries",),
        ),
        Edit(
            "the sum has lost its dimension (no keepdim)",
            (
                f"return {SOFTMAX}",
                "e = torch.exp(scores - scores.max(-1, keepdim=True).values)\n    return (e / e.sum(-1)).to(q.dtype)",
            ),
            named=("sum_without_keepdim",),
        ),
        Edit(
            "the exponentials are divided by the sum of the whole matrix",
            (
                f"return {SOFTMAX}",
                "e = torch.exp(scores - scores.max(-1, keepdim=True).values)\n    return (e / e.sum()).to(q.dtype)",
            ),
            named=("softmax_over_everything",),
        ),
        Edit(
            "no gradient flows: the scores are detached",
            (SOFTMAX, "torch.softmax(scores.detach(), dim=-1).to(q.dtype)"),
            named=("detached",),
        ),
        Edit(
            "divides the learner's q in place",
            ("scores = q.float()", "q /= math.sqrt(q.shape[-1])\n    scores = q.float()"),
            (f" {ROOT}", ""),
            named=("query_changed",),
        ),
        Edit(
            "a causal mask is put on when none is given",
            (
                "if mask is not None:",
                "if mask is None:\n        mask = causal_mask(q.shape[-2], k.shape[-2])\n    if mask is not None:",
            ),
            named=("causal_without_mask",),
        ),
        Edit(
            "q is compared with itself",
            ("k.float().transpose", "q.float().transpose"),
            named=("queries_with_queries",),
        ),
        Edit(
            "the weights are rounded",
            (SOFTMAX, f"{SOFTMAX}.round(decimals=2)"),
            named=("weights_rounded",),
        ),
        Edit(
            "softmax twice",
            (
                "torch.softmax(scores, dim=-1)",
                "torch.softmax(torch.softmax(scores, dim=-1), dim=-1)",
            ),
            named=("softmax_twice",),
        ),
    ],
    "attention": [
        Edit("averages the keys, not the values", ("@ v", "@ k"), named=("keys_as_values",)),
        Edit("averages the queries", ("@ v", "@ q"), named=("queries_as_values",)),
        Edit(
            "the mask is not passed on",
            ("attention_weights(q, k, mask)", "attention_weights(q, k)"),
            named=("mask_ignored",),
        ),
        Edit(
            "the mask is passed upside down",
            (
                "attention_weights(q, k, mask)",
                "attention_weights(q, k, None if mask is None else ~mask)",
            ),
            named=("inverted_mask",),
        ),
        Edit(
            "compares queries with values",
            ("attention_weights(q, k, mask)", "attention_weights(q, v, mask)"),
            named=("values_as_keys",),
        ),
        Edit(
            "queries and keys swapped",
            ("attention_weights(q, k, mask)", "attention_weights(k, q, mask)"),
            named=("queries_and_keys_swapped",),
        ),
        Edit(
            "keys and values swapped",
            (AVERAGE, "attention_weights(q, v, mask) @ k"),
            named=("keys_and_values_swapped",),
        ),
        Edit(
            "the weights are transposed",
            (AVERAGE, "attention_weights(q, k, mask).transpose(-2, -1) @ v"),
            named=("weights_transposed",),
        ),
        Edit(
            "the weights multiply component by component",
            ("mask) @ v", "mask) * v"),
            named=("multiplied_elementwise",),
        ),
        Edit(
            "the factors of the product swapped",
            (AVERAGE, "v @ attention_weights(q, k, mask)"),
            named=("factors_swapped",),
        ),
        Edit(
            "values on their side",
            ("@ v", "@ v.transpose(-2, -1)"),
            named=("values_transposed",),
        ),
        Edit(
            "the weights are divided by sqrt(d) again",
            ("mask) @ v", "mask) / math.sqrt(q.shape[-1]) @ v"),
            named=("values_scaled",),
        ),
        Edit(
            "the queries are scaled a second time",
            ("attention_weights(q, k", "attention_weights(q / math.sqrt(q.shape[-1]), k"),
            named=("scaled_twice",),
        ),
        Edit(
            "the weights go through a second softmax",
            (AVERAGE, "attention_weights(q, k, mask).softmax(dim=-1) @ v"),
            named=("softmax_twice",),
        ),
        Edit(
            "works for four dimensions only",
            (AVERAGE, "torch.einsum('bhts,bhsd->bhtd', attention_weights(q, k, mask), v)"),
            named=("fixed_number_of_dimensions",),
        ),
        Edit(
            "works for three dimensions only",
            (AVERAGE, "torch.bmm(attention_weights(q, k, mask), v)"),
            named=("fixed_number_of_dimensions",),
        ),
        Edit(
            "the sum runs over the queries in einsum",
            (AVERAGE, "torch.einsum('...ts,...td->...sd', attention_weights(q, k, mask), v)"),
            named=("weights_transposed",),
        ),
        Edit(
            "always causal, even without a mask",
            (
                "return attention",
                "if mask is None:\n        mask = causal_mask(q.shape[-2], k.shape[-2])\n    return attention",
            ),
            named=("causal_without_mask",),
        ),
        Edit(
            "the answer is divided by the number of keys",
            ("mask) @ v", "mask) @ v / k.shape[-2]"),
            named=("divided_by_the_keys",),
        ),
        Edit(
            "no gradient reaches q and k: weights detached",
            ("mask) @ v", "mask).detach() @ v"),
            named=("detached",),
        ),
        Edit(
            "the value of the heaviest key alone (argmax)",
            (
                AVERAGE,
                "torch.nn.functional.one_hot(attention_weights(q, k, mask).argmax(-1), k.shape[-2]).to(v.dtype) @ v",
            ),
            named=("only_the_best",),
        ),
        Edit(
            "all weights come back beside the answer",
            (f"return {AVERAGE}", "w = attention_weights(q, k, mask)\n    return w @ v, w"),
            named=("returns_both",),
        ),
        Edit(
            "the input is added (a residual)", ("mask) @ v", "mask) @ v + q"), named=("adds_query",)
        ),
    ],
    "split_heads": [
        Edit(
            "cuts in the order of memory: view alone, no transpose",
            (SPLIT, "x = x.reshape(B, n_heads, T, D // n_heads)"),
            (f"return {SPLIT_TURN}", "return x"),
            named=("view_without_transpose",),
        ),
        Edit(
            "cuts in the order of memory: -1 for the positions, no transpose",
            (SPLIT, "x = x.reshape(B, n_heads, -1, D // n_heads)"),
            (f"return {SPLIT_TURN}", "return x"),
            named=("view_without_transpose",),
        ),
        Edit(
            "the heads stay behind the positions",
            (f"return {SPLIT_TURN}", "return x"),
            named=("heads_not_moved",),
        ),
        Edit(
            "turns positions and features",
            (SPLIT_TURN, "x.transpose(1, 3)"),
            named=("swaps_positions_and_features",),
        ),
        Edit("turns heads and features", (SPLIT_TURN, "x.transpose(2, 3)"), named=("heads_last",)),
        Edit(
            "(B, H, d, T): positions and features swapped",
            (SPLIT_TURN, "x.permute(0, 2, 3, 1)"),
            named=("positions_last",),
        ),
        Edit(
            "the heads come before the batch",
            (SPLIT_TURN, "x.permute(2, 0, 1, 3)"),
            named=("heads_first",),
        ),
        Edit(
            "a head gets every H-th feature",
            (SPLIT, "x = x.reshape(B, T, D // n_heads, n_heads)"),
            (SPLIT_TURN, "x.permute(0, 3, 1, 2)"),
            named=("every_hth_feature",),
        ),
        Edit(
            "a head gets every H-th feature",
            (SPLIT, "x = torch.stack([x[:, :, i::n_heads] for i in range(n_heads)], dim=2)"),
            named=("every_hth_feature",),
        ),
        Edit(
            "d heads of H features: the sizes swapped",
            (SPLIT, "x = x.reshape(B, T, D // n_heads, n_heads)"),
            named=("head_size_for_heads",),
        ),
        Edit(
            "d is n_heads: chunks of the wrong size",
            (SPLIT, "x = torch.stack(x.split(n_heads, dim=-1), dim=2)"),
            named=("head_size_for_heads",),
        ),
        Edit(
            "/ instead of //: a size that is not whole",
            ("D // n_heads", "D / n_heads"),
            named=("size_not_whole",),
        ),
        Edit(
            "cuts the positions, not the features",
            (SPLIT, "x = x.reshape(B, n_heads, T // n_heads, D)"),
            named=("cuts_positions",),
        ),
        Edit(
            "transposes before it cuts, and mixes features with positions",
            (SPLIT, "x = x.transpose(1, 2).reshape(B, n_heads, T, D // n_heads)"),
            (f"return {SPLIT_TURN}", "return x"),
            named=("transposed_too_early",),
        ),
        Edit(
            "only the first text of the batch survives",
            (SPLIT, "x = x[0].reshape(1, T, n_heads, D // n_heads)"),
            named=("first_sentence_only",),
        ),
        Edit(
            "batch and positions swapped in the unpacking",
            ("B, T, D = x.shape", "T, B, D = x.shape"),
            named=("batch_mixed",),
        ),
        Edit(
            "the heads are stacked into the batch: (B·H, T, d)",
            (SPLIT_TURN, "x.transpose(1, 2).reshape(B * n_heads, T, -1)"),
            named=("heads_in_batch",),
        ),
        Edit(
            "the heads are stacked into the batch, and lie in the wrong place",
            (f"{SPLIT}", "x = torch.cat(x.chunk(n_heads, dim=-1), dim=0)"),
            (f"return {SPLIT_TURN}", "return x.reshape(B, n_heads, T, D // n_heads)"),
            named=("heads_mixed_with_batch",),
        ),
        Edit(
            "the last head comes first",
            (SPLIT_TURN, "x.transpose(1, 2).flip(1)"),
            named=("heads_reversed",),
        ),
        Edit(
            "changes the dtype to float32",
            (SPLIT, "x = x.float().reshape(B, T, n_heads, D // n_heads)"),
            named=("made_float",),
        ),
        Edit(
            "a list of heads, not a tensor",
            (f"return {SPLIT_TURN}", "return [x[:, :, h] for h in range(n_heads)]"),
            named=("list_of_heads",),
        ),
        Edit(
            "the features are cut by the number of positions",
            ("n_heads, D // n_heads)", "T, D // T)"),
            named=("cut_by_positions",),
        ),
    ],
    "merge_heads": [
        Edit(
            "no transpose: reshape in the order of memory",
            (MERGE_TURN, "pass"),
            named=("reshape_without_transpose",),
        ),
        Edit(
            "no transpose: reshape in the order of memory",
            (f"{MERGE_TURN}", "x = x.contiguous()"),
            named=("reshape_without_transpose",),
        ),
        Edit(
            "no transpose, flatten of the first two",
            (f"{MERGE_TURN}", "x = x.flatten(1, 2)"),
            (f"return {MERGE}", "return x.reshape(B, T, H * d)"),
            named=("reshape_without_transpose",),
        ),
        Edit(
            "view after the transpose: not possible in this memory",
            (MERGE, "x.view(B, T, H * d)"),
            named=("view_after_transpose",),
        ),
        Edit(
            "contiguous before the transpose, and view fails",
            (MERGE_TURN, "x = x.contiguous().transpose(1, 2)"),
            (MERGE, "x.view(B, T, H * d)"),
            named=("view_after_transpose",),
        ),
        Edit(
            "turns positions and features, not heads and positions",
            ("x.transpose(1, 2)", "x.transpose(2, 3)"),
            named=("wrong_transpose",),
        ),
        Edit(
            "turns heads and features",
            ("x.transpose(1, 2)", "x.transpose(1, 3)"),
            named=("transposed_twice",),
        ),
        Edit(
            "heads interleaved: first features of all heads first",
            ("x.transpose(1, 2)", "x.permute(0, 2, 3, 1)"),
            named=("heads_inside",),
        ),
        Edit("the heads are added up", (MERGE, "x.sum(dim=2)"), named=("heads_summed",)),
        Edit("the heads are averaged", (MERGE, "x.mean(dim=2)"), named=("heads_averaged",)),
        Edit(
            "heads one below the other: (B, H·T, d)",
            (f"{MERGE_TURN}", "pass"),
            (MERGE, "x.reshape(B, H * T, d)"),
            named=("heads_along_positions",),
        ),
        Edit(
            "heads stay a dimension of their own: (B, T, H, d)",
            (f"return {MERGE}", "return x"),
            named=("not_merged",),
        ),
        Edit(
            "batch and positions become one dimension",
            (MERGE, "x.reshape(B * T, H * d)"),
            named=("batch_and_positions_in_one",),
        ),
        Edit(
            "features before positions: (B, H·d, T)",
            (f"{MERGE_TURN}", "x = x.transpose(2, 3)"),
            (MERGE, "x.reshape(B, H * d, T)"),
            named=("features_first",),
        ),
        Edit(
            "features before positions in the shape only: (B, H·d, T)",
            (MERGE, "x.reshape(B, H * d, T)"),
            named=("features_first_by_reshape",),
        ),
        Edit("only the first head comes back", (MERGE, "x[:, :, 0]"), named=("first_head_only",)),
        Edit(
            "the heads in reverse order",
            ("x.transpose(1, 2)", "x.transpose(1, 2).flip(2)"),
            named=("heads_reversed",),
        ),
        Edit(
            "the names of H and T swapped, with no other change",
            ("B, H, T, d = x.shape", "B, T, H, d = x.shape"),
            named=("heads_and_positions_swapped",),
        ),
        Edit(
            "the batch is taken to be 1",
            (MERGE, "x.reshape(1, T, H * d)"),
            named=("batch_of_one",),
        ),
        Edit(
            "concatenates the heads along the positions",
            (f"{MERGE_TURN}", "x = torch.cat([x[:, h] for h in range(H)], dim=1)"),
            named=("reshape_without_transpose",),
        ),
        Edit(
            "changes the dtype to float32",
            (MERGE, "x.reshape(B, T, H * d).float()"),
            named=("made_float",),
        ),
        Edit(
            "mixes batch and positions: transpose of 0 and 2",
            ("x.transpose(1, 2)", "x.transpose(0, 2)"),
            named=("batch_and_positions_swapped",),
        ),
    ],
    "MultiHeadAttention": [
        Edit("wq has a bias", (WQ, "self.wq = nn.Linear(dim, dim)"), named=("with_bias",)),
        Edit("wk has a bias", (WK, "self.wk = nn.Linear(dim, dim)"), named=("with_bias",)),
        Edit("wo has a bias", (WO, "self.wo = nn.Linear(dim, dim)"), named=("bias_in_wo",)),
        Edit(
            "all four maps have a bias",
            (WQ, "self.wq = nn.Linear(dim, dim)"),
            (WK, "self.wk = nn.Linear(dim, dim)"),
            (WV, "self.wv = nn.Linear(dim, dim)"),
            (WO, "self.wo = nn.Linear(dim, dim)"),
            named=("with_bias",),
        ),
        Edit(
            "keys and queries share one map",
            (WK, "self.wk = self.wq"),
            named=("wq_shared_with_wk",),
        ),
        Edit(
            "values and keys share one map", (WV, "self.wv = self.wk"), named=("wk_shared_with_wv",)
        ),
        Edit("wo does not exist", (WO, "self.wo = nn.Identity()"), named=("without_wo",)),
        Edit(
            "wo is never used",
            (OUT, "merge_heads(attention(q, k, v, mask))"),
            named=("forgets_wo",),
        ),
        Edit(
            "the output goes through wv, not wo",
            ("self.wo(merge", "self.wv(merge"),
            named=("wv_for_output",),
        ),
        Edit(
            "wo takes d features, enough for one head",
            (WO, "self.wo = nn.Linear(dim // n_heads, dim, bias=False)"),
            named=("wo_of_one_head",),
        ),
        Edit(
            "the values are made by wk",
            ("for w in (self.wq, self.wk, self.wv)", "for w in (self.wq, self.wk, self.wk)"),
            named=("wk_for_values",),
        ),
        Edit(
            "the keys are made by wq",
            ("for w in (self.wq, self.wk, self.wv)", "for w in (self.wq, self.wq, self.wv)"),
            named=("wq_for_keys",),
        ),
        Edit(
            "keys and values are exchanged",
            ("q, k, v = (split", "q, v, k = (split"),
            named=("keys_and_values_swapped",),
        ),
        Edit(
            "queries and keys are exchanged",
            ("q, k, v = (split", "k, q, v = (split"),
            named=("queries_and_keys_swapped",),
        ),
        Edit("no rotation at all", (ROPE, "q, k = q, k"), named=("no_rope",)),
        Edit(
            "only the queries are rotated",
            (ROPE, "q = apply_rope(q, angles)"),
            named=("rope_on_queries_only",),
        ),
        Edit(
            "only the keys are rotated",
            (ROPE, "k = apply_rope(k, angles)"),
            named=("rope_on_keys_only",),
        ),
        Edit(
            "the rotated queries are thrown away",
            (ROPE, "apply_rope(q, angles)\n        k = apply_rope(k, angles)"),
            named=("rope_on_keys_only",),
        ),
        Edit(
            "the values are rotated as well",
            (ROPE, f"{ROPE}\n        v = apply_rope(v, angles)"),
            named=("rope_on_values",),
        ),
        Edit(
            "rotates q and v instead of q and k",
            (ROPE, "q, v = apply_rope(q, angles), apply_rope(v, angles)"),
            named=("rope_on_values_for_keys",),
        ),
        Edit(
            "the keys are made from the rotated queries",
            (ROPE, "q, k = apply_rope(q, angles), apply_rope(q, angles)"),
            named=("wq_for_keys",),
        ),
        Edit(
            "queries and keys exchanged by the rotation",
            (ROPE, "q, k = apply_rope(k, angles), apply_rope(q, angles)"),
            named=("queries_and_keys_swapped",),
        ),
        Edit(
            "the keys are turned backwards",
            ("apply_rope(k, angles)", "apply_rope(k, -angles)"),
            named=("rope_in_opposite_directions",),
        ),
        Edit("rotated twice", (ROPE, f"{ROPE}\n        {ROPE}"), named=("rope_twice",)),
        Edit(
            "x is rotated before the maps, and so are the values",
            (QKV, "x = apply_rope(x, angles.repeat(1, self.n_heads))\n        " + QKV),
            (ROPE, "pass"),
            named=("rope_on_input",),
        ),
        Edit(
            "rotates before the split, over the width of all heads",
            (
                QKV,
                "q, k = (apply_rope(w(x), angles.repeat_interleave(self.n_heads, dim=-1)) for w in (self.wq, self.wk))\n        q, k, v = (split_heads(y, self.n_heads) for y in (q, k, self.wv(x)))",
            ),
            (ROPE, "pass"),
            named=("rope_before_split",),
        ),
        Edit(
            "rotates with the pairs of the other layout (i, i + d/2)",
            (
                ROPE,
                "from solutions.my_llama import apply_rope_half\n        q, k = apply_rope_half(q, angles), apply_rope_half(k, angles)",
            ),
            named=("rope_half_split",),
        ),
        Edit(
            "all positions are turned by the first position's angle",
            (ROPE, "q, k = apply_rope(q, angles[:1]), apply_rope(k, angles[:1])"),
            named=("no_rope",),
        ),
        Edit("no mask", ("attention(q, k, v, mask)", "attention(q, k, v)"), named=("not_causal",)),
        Edit("no mask", (MASK, "mask = None"), named=("not_causal",)),
        Edit(
            "the mask is upside down",
            (
                MASK,
                "mask = ~causal_mask(x.shape[1], x.shape[1]).to(x.device)\n        mask = mask | torch.eye(x.shape[1], dtype=torch.bool, device=x.device)",
            ),
            named=("sees_the_future",),
        ),
        Edit(
            "the mask shows one position of the future",
            (
                MASK,
                "mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).tril(1)",
            ),
            named=("sees_one_ahead",),
        ),
        Edit(
            "the mask is made for the batch size",
            (MASK, "mask = causal_mask(x.shape[0], x.shape[1]).to(x.device)"),
            named=("mask_of_another_size",),
        ),
        Edit(
            "the mask is made for the number of heads",
            (MASK, "mask = causal_mask(q.shape[1], k.shape[1]).to(x.device)"),
            named=("mask_of_another_size",),
        ),
        Edit(
            "the mask stays on the CPU",
            (MASK, "mask = causal_mask(x.shape[1], x.shape[1])"),
            named=("mask_on_cpu",),
        ),
        Edit("the mask is made of integers", (MASK, f"{MASK}.int()"), named=("mask_of_integers",)),
        Edit(
            "the heads are not merged in order: reshape without transpose",
            ("merge_heads(attention(q, k, v, mask))", "attention(q, k, v, mask).reshape(x.shape)"),
            named=("merge_without_transpose",),
        ),
        Edit(
            "split by reshape in the order of memory",
            (
                "split_heads(w(x), self.n_heads)",
                "w(x).view(x.shape[0], self.n_heads, x.shape[1], -1)",
            ),
            named=("view_without_transpose",),
        ),
        Edit(
            "nothing is transposed: the heads of a position look at each other",
            (
                QKV,
                "q, k, v = (w(x).reshape(*x.shape[:2], self.n_heads, -1) for w in (self.wq, self.wk, self.wv))",
            ),
            (
                ROPE,
                "q, k = (apply_rope(y.transpose(1, 2), angles).transpose(1, 2) for y in (q, k))",
            ),
            (MASK, "mask = None"),
            ("merge_heads(attention(q, k, v, mask))", "attention(q, k, v, mask).reshape(x.shape)"),
            named=("neither_transposed",),
        ),
        Edit(
            "n_heads is the size of a head: d heads",
            ("self.n_heads = n_heads", "self.n_heads = dim // n_heads"),
            named=("head_size_for_heads",),
        ),
        Edit(
            "always four heads",
            ("self.n_heads = n_heads", "self.n_heads = 4"),
            named=("fixed_heads",),
        ),
        Edit(
            "one head: nothing is split",
            (QKV, "q, k, v = (w(x)[:, None] for w in (self.wq, self.wk, self.wv))"),
            (ROPE, "q, k = (apply_rope(y, angles.repeat(1, self.n_heads)) for y in (q, k))"),
            named=("one_head",),
        ),
        Edit(
            "the input is added to the output",
            ("return self.wo(", "return x + self.wo("),
            named=("adds_residual",),
        ),
        Edit(
            "the weights are dropped at random",
            ("return self.wo(", "return torch.dropout(self.wo("),
            ("v, mask)))", "v, mask))), 0.1, True)"),
            named=("dropout",),
        ),
        Edit(
            "scores are divided by the root of d twice",
            (ROPE, f"{ROPE}\n        q = q / math.sqrt(q.shape[-1])"),
            named=("scaled_twice",),
        ),
        Edit(
            "scaled as if one head had all features",
            (ROPE, f"{ROPE}\n        q = q / math.sqrt(self.n_heads)"),
            named=("scaled_by_model",),
        ),
        Edit(
            "wo is applied to the values, before attention",
            (
                OUT,
                "merge_heads(attention(q, k, split_heads(self.wo(self.wv(x)), self.n_heads), mask))",
            ),
            named=("wo_too_early",),
        ),
        Edit(
            "only the last position comes back",
            (f"return {OUT}", f"return {OUT}[:, -1]"),
            named=("last_position_only",),
        ),
        Edit(
            "the maps are made anew in every forward",
            (QKV, "self.wv = nn.Linear(x.shape[-1], x.shape[-1], bias=False)\n        " + QKV),
            named=("maps_made_in_forward",),
        ),
        Edit(
            "the maps are hidden in a list, so the layer has no parameters",
            (WQ, "pass"),
            (WK, "pass"),
            (WV, "pass"),
            (WO, "self.maps = [nn.Linear(dim, dim, bias=False) for _ in range(4)]"),
            (QKV, "q, k, v = (split_heads(w(x), self.n_heads) for w in self.maps[:3])"),
            ("self.wo(merge", "self.maps[3](merge"),
            named=("hidden_in_a_list",),
        ),
        Edit(
            "nothing gets a gradient: the output is detached",
            (f"return {OUT}", f"return {OUT}.detach()"),
            named=("no_gradient",),
        ),
        Edit(
            "the keys are cut off from the gradient",
            (ROPE, f"{ROPE}\n        k = k.detach()"),
            named=("keys_detached",),
        ),
    ],
}

PAIRS = {
    "causal_mask": [
        Edit(
            "queries at the first positions, and no error for T > S",
            (QUERY, "query = torch.arange(n_queries)"),
            ("n_queries > n_keys:", "n_queries < 0:"),
            named=(
                "top_left",
                "no_error",
            ),
        ),
        Edit(
            "True where a query must not look, and numbers instead of bool",
            (KEYS, "(key > query[:, None]).float()"),
            named=("hidden_as_ones",),  # which says both
        ),
        Edit(
            "a query does not see itself, and no error for T > S",
            (KEYS, "key < query[:, None]"),
            ("n_queries > n_keys:", "n_queries < 0:"),
            named=(
                "does_not_see_itself",
                "no_error",
            ),
        ),
    ],
    "attention_weights": [
        Edit(
            "softmax over the queries, and no division by sqrt(d)",
            ("dim=-1", "dim=-2"),
            (f" {ROOT}", ""),
            named=(
                "softmax_over_queries",
                "no_scale",
            ),
        ),
        Edit(
            "no division by sqrt(d), and the mask is read the wrong way round",
            (f" {ROOT}", ""),
            ("masked_fill(~mask", "masked_fill(mask"),
            named=(
                "no_scale",
                "inverted_mask",
            ),
        ),
        Edit(
            "divides by d instead of its root, and masked scores become 0",
            (ROOT, "/ q.shape[-1]"),
            ("-torch.inf", "0"),
            named=(
                "scaled_by_d",
                "mask_multiplied",
            ),
        ),
        Edit(
            "softmax over the queries, and masked scores become 0",
            ("dim=-1", "dim=-2"),
            ("-torch.inf", "0.0"),
            named=(
                "softmax_over_queries",
                "mask_multiplied",
            ),
        ),
        Edit(
            "no division by sqrt(d), and stays in float32 when q is half precision",
            (f" {ROOT}", ""),
            (".to(q.dtype)", ""),
            named=(
                "no_scale",
                "float32_result",
            ),
        ),
    ],
    "attention": [
        Edit(
            "the mask is not passed on, and the keys are averaged",
            (AVERAGE, "attention_weights(q, k) @ k"),
            named=(
                "mask_ignored",
                "keys_as_values",
            ),
        ),
        Edit(
            "the scores are divided by sqrt(d) twice, and the keys are averaged",
            (AVERAGE, "attention_weights(q / math.sqrt(q.shape[-1]), k, mask) @ k"),
            named=(
                "scaled_twice",
                "keys_as_values",
            ),
        ),
    ],
    "MultiHeadAttention": [
        Edit(
            "the values are rotated, and no mask",
            (ROPE, f"{ROPE}\n        v = apply_rope(v, angles)"),
            (MASK, "mask = None"),
            named=(
                "rope_on_values",
                "not_causal",
            ),
        ),
        Edit(
            "no rotation, and all maps have a bias",
            (ROPE, "pass"),
            (WQ, "self.wq = nn.Linear(dim, dim)"),
            (WK, "self.wk = nn.Linear(dim, dim)"),
            (WV, "self.wv = nn.Linear(dim, dim)"),
            (WO, "self.wo = nn.Linear(dim, dim)"),
            named=(
                "no_rope",
                "with_bias",
            ),
        ),
        Edit(
            "only the queries are rotated, and wo is never used",
            (ROPE, "q = apply_rope(q, angles)"),
            (
                "self.wo(merge_heads(attention(q, k, v, mask)))",
                "merge_heads(attention(q, k, v, mask))",
            ),
            named=(
                "rope_on_queries_only",
                "forgets_wo",
            ),
        ),
        Edit(
            "the values are made by wk, and the keys are not rotated",
            ("(self.wq, self.wk, self.wv)", "(self.wq, self.wk, self.wk)"),
            (ROPE, "q = apply_rope(q, angles)"),
            named=(
                "wk_for_values",
                "rope_on_queries_only",
            ),
        ),
        Edit(
            "heads merged without a transpose, and no mask",
            ("merge_heads(attention(q, k, v, mask))", "attention(q, k, v, mask).reshape(x.shape)"),
            (MASK, "mask = None"),
            named=(
                "merge_without_transpose",
                "not_causal",
            ),
        ),
        Edit(
            "the values are rotated, and wo has a bias",
            (ROPE, f"{ROPE}\n        v = apply_rope(v, angles)"),
            (WO, "self.wo = nn.Linear(dim, dim)"),
            named=(
                "rope_on_values",
                "bias_in_wo",
            ),
        ),
    ],
}
