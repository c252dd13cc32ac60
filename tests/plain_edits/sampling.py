"""Lab 10: plain edits of the worked answers, each a mistake in the spelling of a learner."""

from wrong_answers import Edit

DIVIDE = "return logits / temperature"
ZERO_CASE = (
    "    if temperature == 0:\n"
    "        first = logits.argmax(dim=-1, keepdim=True)  # (..., 1)\n"
    "        places = torch.arange(logits.shape[-1], device=logits.device)  # (V,)\n"
    "        return torch.where(places == first, logits, -torch.inf)\n"
)
FIRST = "torch.where(places == first, logits, -torch.inf)"
KTH = "logits.topk(k).values[..., -1:]"
CUT = "torch.where(logits < kth, -torch.inf, logits)"
SORTED = "ascending, order = logits.float().softmax(dim=-1).sort(dim=-1)"
KEEP = "keep = ascending.cumsum(dim=-1) > 1 - p"
ALWAYS = "keep[..., -1] = True\n"
BACK = "torch.zeros_like(keep).scatter(-1, order, keep)"
CHOSEN = "torch.where(keep, logits, -torch.inf)"
AT_LEAST = "probabilities >= p * probabilities.amax(dim=-1, keepdim=True)"
DRAW = "torch.multinomial(probabilities, 1, generator=generator).squeeze(-1)"
CACHES = "caches = model.new_caches(1, ids.shape[1] + n_new)"
HEAT = "        logits = apply_temperature(logits, temperature)\n"
TOP_K = "        if k is not None:\n            logits = top_k(logits, k)\n"
TOP_P = "        if p is not None:\n            logits = top_p(logits, p)\n"
NEW = "new = sample(logits, generator)[:, None]"
STOP = "        if stop is not None and token in stop:\n            return\n"
YIELD = "        yield token\n"

EDITS = {
    "apply_temperature": [
        Edit(
            "multiplies by the temperature",
            (DIVIDE, "return logits * temperature"),
            named=("multiplies",),
        ),
        Edit(
            "divides to whole numbers",
            (DIVIDE, "return logits // temperature"),
            named=("whole_numbers",),
        ),
        Edit(
            "returns probabilities, not logits",
            (DIVIDE, "return (logits / temperature).softmax(dim=-1)"),
            named=("probabilities",),
        ),
        Edit(
            "divides the probabilities, not the logits",
            (DIVIDE, "return logits.softmax(dim=-1) / temperature"),
            named=("after_softmax",),
        ),
        Edit(
            "takes the log-softmax first, so the logits are moved",
            (DIVIDE, "return logits.log_softmax(dim=-1) / temperature"),
            named=("log_softmax_divided",),
        ),
        Edit(
            "the logits are raised to a power",
            (DIVIDE, "return logits ** (1 / temperature)"),
            named=("power",),
        ),
        Edit("the sign is wrong", (DIVIDE, "return -logits / temperature"), named=("negated",)),
        Edit(
            "divides by the temperature's square",
            (DIVIDE, "return logits / temperature / temperature"),
            named=("squared",),
        ),
        Edit(
            "divides by the root of the temperature",
            (DIVIDE, "return logits / temperature**0.5"),
            named=("square_root",),
        ),
        Edit(
            "the result is float32, whatever the logits have",
            (DIVIDE, "return logits.float() / temperature"),
            named=("float32_result",),
        ),
        Edit(
            "the result is float64: the temperature became a tensor with an axis",
            (DIVIDE, "return logits / torch.tensor([temperature], dtype=torch.float64)"),
            named=("float64_result",),
        ),
        Edit(
            "0 is not a case of its own: divides by zero",
            (ZERO_CASE, ""),
            named=("divides_by_zero",),
        ),
        Edit(
            "a little is added to the temperature instead of a case for 0",
            (ZERO_CASE, ""),
            (DIVIDE, "return logits / (temperature + 1e-8)"),
            named=("nearly_zero",),
        ),
        Edit(
            "0 is replaced by a very small temperature",
            (ZERO_CASE, ""),
            (DIVIDE, "return logits / max(temperature, 1e-5)"),
            named=("nearly_zero",),
        ),
        Edit(
            "at 0 the logits come back as they are",
            ("return " + FIRST, "return logits"),
            named=("zero_is_one",),
        ),
        Edit(
            "at 0 all that equal the largest stay",
            ("places == first", "logits == logits.amax(dim=-1, keepdim=True)"),
            named=("keeps_all_equals",),
        ),
        Edit(
            "at 0 all that equal the largest stay: max",
            ("places == first", "logits >= logits.max(dim=-1, keepdim=True).values"),
            named=("keeps_all_equals",),
        ),
        Edit(
            "at 0 the last of equals stays",
            (
                "logits.argmax(dim=-1, keepdim=True)",
                "logits.shape[-1] - 1 - logits.flip(-1).argmax(dim=-1, keepdim=True)",
            ),
            named=("last_of_equals",),
        ),
        Edit(
            "at 0 one largest over all rows together",
            ("places == first", "logits == logits.max()"),
            named=("one_for_the_batch",),
        ),
        Edit(
            "at 0 the largest of each column, not of each row",
            ("logits.argmax(dim=-1", "logits.argmax(dim=0"),
            named=("zero_along_batch",),
        ),
        Edit(
            "at 0 an argmax over everything",
            ("logits.argmax(dim=-1, keepdim=True)", "logits.argmax()"),
            named=("flat_argmax",),
        ),
        Edit(
            "at 0 the axis of the argmax is lost, so rows do not fit",
            ("argmax(dim=-1, keepdim=True)", "argmax(dim=-1)"),
            named=("lost_axis",),
        ),
        Edit(
            "at 0 the argmax goes over dim 1, not over the last",
            ("argmax(dim=-1", "argmax(dim=1"),
            named=("zero_along_dim_one",),
        ),
        Edit(
            "at 0 the others become a large negative number, not -inf",
            (FIRST, "torch.where(places == first, logits, -1e9)"),
            named=("large_negative",),
        ),
        Edit(
            "at 0 the others become 0",
            (FIRST, "torch.where(places == first, logits, 0.0)"),
            named=("zero_times_mask",),
        ),
        Edit(
            "at 0 the result is float32: where is given two numbers",
            (FIRST, "torch.where(places == first, 0.0, -torch.inf)"),
            named=("float32_at_zero",),
        ),
        Edit(
            "at 0 returns a one-hot row of probabilities",
            (FIRST, "torch.where(places == first, 1.0, 0.0)"),
            named=("zero_is_one_hot",),
        ),
        Edit(
            "at 0 returns the place of the largest",
            ("return " + FIRST, "return first"),
            named=("zero_is_an_index",),
        ),
        Edit(
            "at 0 the wrong ones stay",
            (FIRST, "torch.where(places == first, -torch.inf, logits)"),
            named=("inverted_at_zero",),
        ),
        Edit(
            "every temperature below 1 counts as 0",
            ("if temperature == 0:", "if temperature < 1:"),
            named=("small_is_zero",),
        ),
        Edit(
            "every temperature of at most 0.5 counts as 0",
            ("if temperature == 0:", "if round(temperature) == 0:"),
            named=("small_is_zero",),
        ),
        Edit(
            "places are counted along the wrong axis",
            ("logits.shape[-1]", "logits.shape[0]"),
            named=("places_of_rows",),
        ),
        Edit(
            "at 0 the result is float32",
            (FIRST, FIRST.replace("logits,", "logits.float(),")),
            named=("float32_at_zero",),
        ),
    ],
    "top_k": [
        Edit(
            "k above V is an error",
            ("    k = min(k, logits.shape[-1])\n", ""),
            named=("k_above_v_crashes",),
        ),
        Edit(
            "k is limited by the number of rows",
            ("logits.shape[-1]", "logits.shape[0]"),
            named=("k_limited_by_rows",),
        ),
        Edit(
            "k = V already cuts one off",
            ("logits.shape[-1])", "logits.shape[-1] - 1)"),
            named=("k_below_v",),
        ),
        Edit(
            "the threshold is the largest logit, so one stays",
            ("values[..., -1:]", "values[..., :1]"),
            named=("only_the_largest",),
        ),
        Edit(
            "the axis of the threshold is lost, so rows do not fit",
            ("values[..., -1:]", "values[..., -1]"),
            named=("lost_axis",),
        ),
        Edit(
            "the first row's threshold for all rows",
            ("values[..., -1:]", "values[0, -1]"),
            named=("first_row_threshold",),
        ),
        Edit(
            "the last row's k logits for all rows",
            ("values[..., -1:]", "values[-1]"),
            named=("last_row_threshold",),
        ),
        Edit(
            "works with two axes only",
            ("values[..., -1:]", "values[:, -1:]"),
            named=("two_axes_only",),
        ),
        Edit("the k-th goes too: <=", ("logits < kth", "logits <= kth"), named=("one_too_few",)),
        Edit(
            "the largest go, the others stay", ("logits < kth", "logits > kth"), named=("inverted",)
        ),
        Edit(
            "the arguments of where are swapped",
            (CUT, "torch.where(logits < kth, logits, -torch.inf)"),
            named=("inverted",),
        ),
        Edit(
            "keeps the smallest",
            ("logits.topk(k).values[..., -1:]", "logits.topk(k, largest=False).values[..., -1:]"),
            ("logits < kth", "logits > kth"),
            named=("smallest",),
        ),
        Edit(
            "keeps all above the k-th smallest",
            (KTH, "logits.kthvalue(k, dim=-1, keepdim=True).values"),
            named=("kth_smallest",),
        ),
        Edit(
            "topk goes over dim 0",
            ("topk(k)", "topk(min(k, logits.shape[0]), dim=0)"),
            named=("wrong_dim",),
        ),
        Edit(
            "topk goes over dim 1, not over the last",
            ("topk(k)", "topk(k, dim=1)"),
            named=("dim_one",),
        ),
        Edit(
            "keeps one too many",
            ("topk(k)", "topk(min(k + 1, logits.shape[-1]))"),
            named=("one_too_many",),
        ),
        Edit("keeps one too few", ("topk(k)", "topk(max(k - 1, 1))"), named=("one_too_few",)),
        Edit(
            "keeps one too many: an index of a sort that is off by one",
            (
                KTH,
                "logits.sort(dim=-1, descending=True).values[..., k - logits.shape[-1] :][..., :1]",
            ),
            named=("one_too_many",),
        ),
        Edit(
            "the threshold over all rows together",
            (KTH, "logits.flatten().topk(k).values[-1]"),
            named=("rows_together",),
        ),
        Edit(
            "the others become a large negative number, not -inf",
            ("-torch.inf", "-1e9"),
            named=("large_negative",),
        ),
        Edit("the others become 0", ("-torch.inf", "0.0"), named=("zeros_for_removed",)),
        Edit(
            "returns the k largest only",
            ("return " + CUT, "return logits.topk(k).values"),
            named=("only_k_values",),
        ),
        Edit(
            "returns their places",
            ("return " + CUT, "return logits.topk(k).indices"),
            named=("indices",),
        ),
        Edit("returns probabilities", (CUT, CUT + ".softmax(dim=-1)"), named=("probabilities",)),
        Edit(
            "returns them sorted",
            (CUT, CUT + ".sort(dim=-1, descending=True).values"),
            named=("left_sorted",),
        ),
        Edit(
            "takes the largest by amount",
            (KTH, "logits.abs().topk(k).values[..., -1:]"),
            ("logits < kth", "logits.abs() < kth"),
            named=("largest_size",),
        ),
        Edit(
            "what stays becomes 0",
            (CUT, "torch.where(logits < kth, -torch.inf, 0.0)"),
            named=("kept_become_zero",),
        ),
    ],
    "top_p": [
        Edit(
            "compares with p, not with 1 - p", ("> 1 - p", "> p"), named=("threshold_one_minus_p",)
        ),
        Edit("the unlikely ones stay", ("> 1 - p", "<= 1 - p"), named=("inverted",)),
        Edit(
            "compares with p, and the unlikely ones stay",
            ("> 1 - p", "< p"),
            named=(
                "smallest_set_from_below",
                "least_likely_first",
            ),
        ),
        Edit(
            "sorted from the large end, but compared as from the small end",
            ("sort(dim=-1)", "sort(dim=-1, descending=True)"),
            named=("descending_compared_as_ascending",),
        ),
        Edit(
            "nothing is kept at small p: the last is not kept always",
            ("    " + ALWAYS, ""),
            named=("empty_at_tiny_p",),
        ),
        Edit(
            "the least likely is kept always, not the likeliest",
            ("keep[..., -1]", "keep[..., 0]"),
            named=("least_likely_kept",),
        ),
        Edit(
            "the whole last row is kept always",
            ("keep[..., -1]", "keep[-1]"),
            named=("last_row_kept",),
        ),
        Edit(
            "works with two axes only",
            ("keep[..., -1]", "keep[:, -1]"),
            named=("two_axes_only",),
        ),
        Edit(
            "decisions stay in sorted order",
            ("    keep = " + BACK + "  # back to the tokens' own places\n", ""),
            named=("mask_not_put_back",),
        ),
        Edit(
            "gather instead of scatter: the wrong way back",
            (BACK, "keep.gather(-1, order)"),
            named=("gather_for_scatter",),
        ),
        Edit(
            "the wrong way back: the order's own sort is left out",
            (BACK, "keep.gather(-1, order.sort(dim=-1).values)"),
            named=("mask_not_put_back",),
        ),
        Edit(
            "the way back goes along the wrong axis",
            ("scatter(-1,", "scatter(0, "),
            named=("scatter_wrong_axis",),
        ),
        Edit(
            "the order is taken as an index into the first axis",
            (BACK, "keep[order][..., 0]"),
            named=("order_indexes_rows",),
        ),
        Edit(
            "returns the sorted probabilities",
            (CHOSEN, "torch.where(keep, ascending, -torch.inf)"),
            named=("sorted_probabilities",),
        ),
        Edit(
            "returns logarithms of probabilities, not the logits",
            (CHOSEN, "torch.where(keep, logits.log_softmax(dim=-1), -torch.inf)"),
            named=("old_log_probabilities",),
        ),
        Edit(
            "returns probabilities", (CHOSEN, CHOSEN + ".softmax(dim=-1)"), named=("probabilities",)
        ),
        Edit(
            "adds up logits, not probabilities",
            (".float().softmax(dim=-1)", ".float()"),
            named=("sums_of_logits",),
        ),
        Edit(
            "softmax over the rows",
            ("softmax(dim=-1)", "softmax(dim=0)"),
            named=("softmax_over_the_batch",),
        ),
        Edit(
            "softmax over dim 1, not over the last",
            ("softmax(dim=-1)", "softmax(dim=1)"),
            named=("dim_one",),
        ),
        Edit(
            "sorted along the wrong axis",
            ("sort(dim=-1)", "sort(dim=0)"),
            named=("sorted_over_the_batch",),
        ),
        Edit(
            "adds up along the wrong axis",
            ("cumsum(dim=-1)", "cumsum(dim=0)"),
            named=("sum_over_the_batch",),
        ),
        Edit(
            "does not add up: compares each probability alone",
            ("ascending.cumsum(dim=-1)", "ascending"),
            named=("no_sum",),
        ),
        Edit(
            "adds up in the logits' dtype, which is too coarse",
            ("logits.float().softmax", "logits.softmax"),
            named=(
                "softmax_in_half_precision",
                "in_half_precision",
            ),
        ),
        Edit(
            "the others become 0",
            (CHOSEN, "torch.where(keep, logits, 0.0)"),
            named=("zeros_for_removed",),
        ),
        Edit(
            "the others become a large negative number, not -inf",
            (CHOSEN, "torch.where(keep, logits, -1e9)"),
            named=("large_negative",),
        ),
        Edit(
            "the token with which the sum reaches p is left out",
            (
                SORTED,
                SORTED.replace("ascending", "falling").replace(
                    "dim=-1).sort(dim=-1", "dim=-1).sort(dim=-1, descending=True"
                ),
            ),
            (KEEP, "keep = falling.cumsum(dim=-1) <= p"),
            ("keep[..., -1]", "keep[..., 0]"),
            named=("drops_the_crossing_token",),
        ),
        Edit(
            "the token with which the sum reaches p is left out, and nothing may be kept",
            (
                SORTED,
                SORTED.replace("ascending", "falling").replace(
                    "dim=-1).sort(dim=-1", "dim=-1).sort(dim=-1, descending=True"
                ),
            ),
            (KEEP, "keep = falling.cumsum(dim=-1) < p"),
            ("    " + ALWAYS, ""),
            named=("drops_it_and_may_be_empty",),
        ),
        Edit(
            "one token too many is kept behind the one that reaches p",
            (
                SORTED,
                SORTED.replace("ascending", "falling").replace(
                    "dim=-1).sort(dim=-1", "dim=-1).sort(dim=-1, descending=True"
                ),
            ),
            (KEEP, "keep = falling.cumsum(dim=-1) - falling - falling.roll(1, dims=-1) < p"),
            ("keep[..., -1]", "keep[..., :2]"),
            named=("one_too_many",),
        ),
        Edit(
            "adds up from the large end, so p = 1 loses the tail",
            (
                SORTED,
                SORTED.replace("ascending", "falling").replace(
                    "dim=-1).sort(dim=-1", "dim=-1).sort(dim=-1, descending=True"
                ),
            ),
            (KEEP, "keep = falling.cumsum(dim=-1) - falling < p"),
            ("keep[..., -1]", "keep[..., 0]"),
            named=("one_loses_the_tail",),
        ),
        Edit(
            "the result is float32, whatever the logits have",
            (CHOSEN, CHOSEN.replace("logits,", "logits.float(),")),
            named=("float32_result",),
        ),
        Edit(
            "p is a share of the number of tokens",
            (
                KEEP,
                "keep = torch.arange(ascending.shape[-1]).expand(ascending.shape) >= (1 - p) * ascending.shape[-1]",
            ),
            named=("share_of_the_vocabulary",),
        ),
        Edit(
            "the first row's decisions for all rows",
            (
                "keep = " + BACK,
                "keep = torch.zeros_like(keep).scatter(-1, order[:1].expand(order.shape), keep)",
            ),
            named=("first_row_order",),
        ),
    ],
    "min_p": [
        Edit(
            "compares with p itself, not with p times the largest",
            ("p * probabilities.amax(dim=-1, keepdim=True)", "p"),
            named=("relative_to_one",),
        ),
        Edit(
            "compares logits, not probabilities",
            (AT_LEAST, "logits >= p * logits.amax(dim=-1, keepdim=True)"),
            named=("share_of_the_logit",),
        ),
        Edit(
            "what is exactly at the threshold goes: >",
            ("probabilities >= p", "probabilities > p"),
            named=("strict",),
        ),
        Edit(
            "the unlikely ones stay",
            ("probabilities >= p", "probabilities < p"),
            named=("inverted",),
        ),
        Edit(
            "the largest over all rows together",
            ("amax(dim=-1, keepdim=True)", "amax()"),
            named=("largest_of_the_batch",),
        ),
        Edit(
            "the largest over all rows together: max",
            ("amax(dim=-1, keepdim=True)", "max()"),
            named=("largest_of_the_batch",),
        ),
        Edit(
            "the largest of each column, not of each row",
            ("amax(dim=-1", "amax(dim=0"),
            named=("largest_of_each_column",),
        ),
        Edit(
            "the axis of the largest is lost, so rows do not fit",
            ("amax(dim=-1, keepdim=True)", "amax(dim=-1)"),
            named=("lost_axis",),
        ),
        Edit(
            "the largest over dim 1, not over the last",
            ("amax(dim=-1", "amax(dim=1"),
            named=("dim_one",),
        ),
        Edit(
            "softmax over the rows",
            ("softmax(dim=-1)", "softmax(dim=0)"),
            named=("softmax_over_the_batch",),
        ),
        Edit(
            "softmax over dim 1, not over the last",
            ("softmax(dim=-1)", "softmax(dim=1)"),
            named=("dim_one",),
        ),
        Edit(
            "the threshold is the largest minus p",
            (
                "p * probabilities.amax(dim=-1, keepdim=True)",
                "probabilities.amax(dim=-1, keepdim=True) - p",
            ),
            named=("largest_minus_p",),
        ),
        Edit(
            "the threshold is 1 - p times the largest",
            ("p * probabilities", "(1 - p) * probabilities"),
            named=("complement",),
        ),
        Edit(
            "the threshold is p times the mean",
            ("amax(dim=-1", "mean(dim=-1"),
            named=("relative_to_the_mean",),
        ),
        Edit(
            "the threshold is p times the smallest",
            ("amax(dim=-1", "amin(dim=-1"),
            named=("unchanged",),
        ),
        Edit(
            "the threshold is the largest to the power p",
            (
                "p * probabilities.amax(dim=-1, keepdim=True)",
                "probabilities.amax(dim=-1, keepdim=True) ** p",
            ),
            named=("power",),
        ),
        Edit(
            "the threshold is p divided by the largest",
            ("p * probabilities", "p / probabilities"),
            named=("p_over_the_largest",),
        ),
        Edit(
            "the logits are compared with p below the largest logit",
            (AT_LEAST, "logits >= logits.amax(dim=-1, keepdim=True) - p"),
            named=("minus_p",),
        ),
        Edit(
            "p = 0 is an error: its logarithm",
            (AT_LEAST, "logits >= logits.amax(dim=-1, keepdim=True) + __import__('math').log(p)"),
            named=("log_of_zero",),
        ),
        Edit(
            "compares in the logits' dtype, which is too coarse",
            ("logits.float().softmax", "logits.softmax"),
            named=("in_half_precision",),
        ),
        Edit(
            "compares log-probabilities with p",
            ("logits.float().softmax(dim=-1)", "logits.float().log_softmax(dim=-1)"),
            named=("log_probabilities_compared",),
        ),
        Edit(
            "returns probabilities",
            (CHOSEN, "torch.where(keep, probabilities, 0.0)"),
            named=("probabilities",),
        ),
        Edit(
            "returns probabilities with -inf for the others",
            (CHOSEN, "torch.where(keep, probabilities, -torch.inf)"),
            named=("probabilities",),
        ),
        Edit(
            "the others become 0",
            (CHOSEN, "torch.where(keep, logits, 0.0)"),
            named=("zeros_for_removed",),
        ),
        Edit(
            "the others become a large negative number, not -inf",
            (CHOSEN, "torch.where(keep, logits, -1e9)"),
            named=("large_negative",),
        ),
        Edit(
            "the wrong ones stay: where's arguments are swapped",
            (CHOSEN, "torch.where(keep, -torch.inf, logits)"),
            named=("inverted",),
        ),
        Edit("returns what stays only", (CHOSEN, "logits[keep]"), named=("only_the_kept",)),
        Edit(
            "the result is float32, whatever the logits have",
            (CHOSEN, CHOSEN.replace("logits,", "logits.float(),")),
            named=("float32_result",),
        ),
    ],
    "sample": [
        Edit(
            "the generator is not used", (", generator=generator", ""), named=("generator_ignored",)
        ),
        Edit(
            "takes the likeliest always",
            (DRAW, "probabilities.argmax(dim=-1)"),
            named=("always_the_likeliest",),
        ),
        Edit("the result is (B, 1)", (".squeeze(-1)", ""), named=("dimension_left",)),
        Edit(
            "one row loses its axis: squeeze()",
            (".squeeze(-1)", ".squeeze()"),
            named=("dimension_lost",),
        ),
        Edit("squeezes the wrong axis", (".squeeze(-1)", ".squeeze(0)"), named=("dimension_left",)),
        Edit(
            "returns a number, and for one row only",
            (".squeeze(-1)", ".item()"),
            named=("a_number",),
        ),
        Edit("returns a list", (".squeeze(-1)", ".squeeze(-1).tolist()"), named=("list",)),
        Edit("int32, not int64", (".squeeze(-1)", ".squeeze(-1).int()"), named=("short_integers",)),
        Edit(
            "softmax over the rows",
            ("softmax(dim=-1)", "softmax(dim=0)"),
            named=("softmax_over_the_batch",),
        ),
        Edit(
            "takes the logits for probabilities",
            ("logits.float().softmax(dim=-1)", "logits.float()"),
            named=("logits_as_weights",),
        ),
        Edit(
            "takes log-probabilities for probabilities",
            ("softmax(dim=-1)", "log_softmax(dim=-1)"),
            named=("log_softmax_as_weights",),
        ),
        Edit(
            "exp without softmax overflows at large logits",
            ("logits.float().softmax(dim=-1)", "logits.float().exp()"),
            named=("exp_overflows",),
        ),
        Edit(
            "softmax twice: the distribution is much too flat",
            ("softmax(dim=-1)", "softmax(dim=-1).softmax(dim=-1)"),
            named=("softmax_twice",),
        ),
        Edit(
            "seeds torch anew in each call, so every draw is the same",
            ("    probabilities =", "    torch.manual_seed(0)\n    probabilities ="),
            named=("sets_the_global_seed",),
        ),
        Edit(
            "a new generator in each call, so every draw is the same",
            (
                "    probabilities =",
                "    generator = torch.Generator().manual_seed(0)\n    probabilities =",
            ),
            named=("always_seed_zero",),
        ),
        Edit(
            "without a generator, one with a fixed seed",
            ("generator=generator", "generator=generator or torch.Generator().manual_seed(0)"),
            named=("own_generator_without_one",),
        ),
        Edit(
            "without a generator, one with a fixed seed: if",
            (
                "    probabilities =",
                "    if generator is None:\n        generator = torch.Generator().manual_seed(42)\n    probabilities =",
            ),
            named=("own_generator_without_one",),
        ),
        Edit(
            "seeds the generator anew in each call",
            (
                "    probabilities =",
                "    generator = generator and generator.manual_seed(generator.initial_seed())\n    probabilities =",
            ),
            named=("generator_reset",),
        ),
        Edit(
            "the unlikely become likely",
            ("(probabilities, 1", "(1 - probabilities, 1"),
            named=("one_minus",),
        ),
        Edit(
            "draws all with the same chance",
            (DRAW, "torch.randint(logits.shape[-1], logits.shape[:1], generator=generator)"),
            named=("uniform_over_everything",),
        ),
        Edit(
            "draws from the first row for all rows",
            (
                DRAW,
                "torch.multinomial(probabilities[0], len(logits), replacement=True, generator=generator)",
            ),
            named=("first_row_s_logits",),
        ),
        Edit(
            "one number u for all rows",
            (
                DRAW,
                "(probabilities.cumsum(dim=-1) < torch.rand(1, generator=generator)).sum(dim=-1)",
            ),
            named=("one_height_for_all_rows",),
        ),
        Edit(
            "the token after the one that was drawn: off by one",
            (
                DRAW,
                "(probabilities.cumsum(dim=-1) < torch.rand(len(logits), 1, generator=generator)).sum(dim=-1) + 1",
            ),
            named=("one_further",),
        ),
        Edit(
            "the token before the one that was drawn: off by one",
            (
                DRAW,
                "(probabilities.cumsum(dim=-1) < torch.rand(len(logits), 1, generator=generator)).sum(dim=-1).sub(1).clamp(min=0)",
            ),
            named=("one_before",),
        ),
        Edit(
            "the cumulative sum without the generator",
            (DRAW, "(probabilities.cumsum(dim=-1) < torch.rand(len(logits), 1)).sum(dim=-1)"),
            named=("generator_ignored",),
        ),
        Edit(
            "Gumbel's noise is added to probabilities, not to logits",
            (
                DRAW,
                "(probabilities - (-torch.rand(logits.shape, generator=generator).log()).log()).argmax(dim=-1)",
            ),
            named=("gumbel_on_probabilities",),
        ),
        Edit(
            "noise from a bell curve, not Gumbel's",
            (DRAW, "(logits + torch.randn(logits.shape, generator=generator)).argmax(dim=-1)"),
            named=("normal_noise",),
        ),
        Edit(
            "Gumbel's noise with the wrong sign",
            (
                DRAW,
                "(logits + (-torch.rand(logits.shape, generator=generator).log()).log()).argmax(dim=-1)",
            ),
            named=("gumbel_wrong_sign",),
        ),
        Edit(
            "Gumbel's noise with one logarithm only",
            (DRAW, "(logits - torch.rand(logits.shape, generator=generator).log()).argmax(dim=-1)"),
            named=("one_logarithm",),
        ),
        Edit(
            "uniform noise on the logits",
            (DRAW, "(logits + torch.rand(logits.shape, generator=generator)).argmax(dim=-1)"),
            named=("uniform_noise",),
        ),
        Edit(
            "draws with Python's random, not with torch's",
            (
                DRAW,
                "torch.tensor([__import__('random').choices(range(len(row)), row.tolist())[0] for row in probabilities])",
            ),
            named=("generator_ignored",),
        ),
        Edit(
            "returns the probability of what was drawn",
            (
                DRAW,
                "probabilities.gather(-1, torch.multinomial(probabilities, 1, generator=generator)).squeeze(-1)",
            ),
            named=("probability_returned",),
        ),
        Edit(
            "draws with the rows of all together: one token per batch",
            (DRAW, "torch.multinomial(probabilities.mean(dim=0), 1, generator=generator)"),
            named=("one_big_row",),
        ),
    ],
    "generate": [
        Edit(
            "the caches have room for the prompt only",
            ("ids.shape[1] + n_new", "ids.shape[1]"),
            named=("room_for_the_prompt_only",),
        ),
        Edit(
            "the caches have room for the new tokens only",
            ("ids.shape[1] + n_new", "n_new"),
            named=("room_for_new_ones_only",),
        ),
        Edit(
            "the caches' room counts rows, not positions",
            ("ids.shape[1] + n_new", "ids.shape[0] + n_new"),
            named=("room_counts_rows",),
        ),
        Edit(
            "the arguments of new_caches are swapped",
            ("new_caches(1, ids.shape[1] + n_new)", "new_caches(ids.shape[1] + n_new, 1)"),
            named=("arguments_swapped",),
        ),
        Edit(
            "the whole text goes in at every step, on top of what the caches hold",
            (NEW, "new = torch.cat([new, sample(logits, generator)[:, None]], dim=1)"),
            ("int(new.item())", "int(new[0, -1])"),
            named=("whole_text_again",),
        ),
        Edit(
            "the prompt goes in at every step",
            ("model(new, caches)", "model(ids, caches)"),
            named=("prompt_every_step",),
        ),
        Edit(
            "new caches at every step: all that came before is forgotten",
            ("model(new, caches)", "model(new, model.new_caches(1, ids.shape[1] + n_new))"),
            named=("new_caches_each_step",),
        ),
        Edit("no caches at all", ("model(new, caches)", "model(new)"), named=("caches_not_used",)),
        Edit(
            "only the prompt's last token goes in",
            ("new = ids  #", "new = ids[:, -1:]  #"),
            named=("no_prefill",),
        ),
        Edit(
            "the prompt's last token is lost",
            ("new = ids  #", "new = ids[:, :-1]  #"),
            named=("prompt_without_last",),
        ),
        Edit(
            "the prompt goes in token by token",
            (
                "    new = ids  # (1, T), later (1, 1)\n",
                "    for t in range(ids.shape[1] - 1):\n        model(ids[:, t : t + 1], caches)\n    new = ids[:, -1:]\n",
            ),
            named=("prompt_token_by_token",),
        ),
        Edit(
            "takes the logits of the first position",
            ("[:, -1].float()", "[:, 0].float()"),
            named=("first_position",),
        ),
        Edit(
            "takes the last row, not the last position",
            ("[:, -1].float()", "[-1].float()"),
            named=("last_row",),
        ),
        Edit(
            "top_k before the temperature is fine, but top_p is before it, too",
            (HEAT + TOP_K + TOP_P, TOP_K + TOP_P + HEAT),
            named=("temperature_last",),
        ),
        Edit(
            "top_p before the temperature",
            (HEAT + TOP_K + TOP_P, TOP_P + HEAT + TOP_K),
            named=("top_p_before_temperature",),
        ),
        Edit("top_p before top_k", (TOP_K + TOP_P, TOP_P + TOP_K), named=("top_p_before_top_k",)),
        Edit("the temperature is not used", (HEAT, ""), named=("temperature_ignored_always",)),
        Edit("the temperature is used twice", (HEAT, HEAT + HEAT), named=("temperature_twice",)),
        Edit(
            "temperature 0 is passed over, so it draws as at 1",
            (
                HEAT,
                "        if temperature:\n            logits = apply_temperature(logits, temperature)\n",
            ),
            named=("zero_is_one",),
        ),
        Edit("k is not used", (TOP_K, ""), named=("k_ignored",)),
        Edit("p is not used", (TOP_P, ""), named=("p_ignored",)),
        Edit("p = 0 is passed over", ("if p is not None:", "if p:"), named=("p_zero_is_none",)),
        Edit(
            "p only where no k is given",
            (TOP_K + TOP_P, TOP_K + TOP_P.replace("if p", "elif p")),
            named=("k_or_p",),
        ),
        Edit("top_k gets p", ("top_k(logits, k)", "top_k(logits, p)"), named=("top_k_gets_p",)),
        Edit(
            "top_k's result is thrown away",
            ("logits = top_k(logits, k)", "top_k(logits, k)"),
            named=("k_ignored",),
        ),
        Edit(
            "min_p instead of top_p",
            ("top_p(logits, p)", "min_p(logits, p)"),
            named=("min_p_for_top_p",),
        ),
        Edit(
            "the generator is not passed on",
            ("sample(logits, generator)", "sample(logits)"),
            named=("generator_ignored",),
        ),
        Edit(
            "takes the likeliest always",
            ("sample(logits, generator)", "logits.argmax(dim=-1)"),
            named=("always_greedy",),
        ),
        Edit(
            "the stop token is yielded", (STOP + YIELD, YIELD + STOP), named=("stop_token_given",)
        ),
        Edit(
            "a stop token is left out, but the text goes on",
            (STOP, STOP.replace("return", "continue")),
            named=("stop_token_skipped",),
        ),
        Edit("never stops", (STOP, ""), named=("stop_ignored",)),
        Edit(
            "compares the token with the whole set",
            ("token in stop", "token == stop"),
            named=("stop_ignored",),
        ),
        Edit(
            "only the first stop token counts",
            ("token in stop", "token == list(stop)[0]"),
            named=("only_one_stop_token",),
        ),
        Edit(
            "looks for a tensor in the set, which never matches",
            ("token in stop", "new in stop"),
            named=(
                "tensor_in_a_set",
                "stop_ignored",
            ),
        ),
        Edit(
            "raises StopIteration, which becomes a RuntimeError",
            (STOP, STOP.replace("return", "raise StopIteration")),
            named=("stop_iteration",),
        ),
        Edit(
            "stops when the prompt ends with a stop token",
            (
                CACHES + "\n",
                CACHES + "\n    if stop is not None and int(ids[0, -1]) in stop:\n        return\n",
            ),
            named=("stops_at_the_prompt_s_end",),
        ),
        Edit(
            "without stop, an error",
            ("stop is not None and token in stop", "token in stop"),
            named=("stop_none",),
        ),
        Edit("yields tensors, not ints", ("yield token", "yield new"), named=("tensors",)),
        Edit(
            "yields tensors without axes, not ints",
            ("int(new.item())", "new[0, 0]"),
            named=("tensors",),
        ),
        Edit(
            "returns a list at the end: nothing streams",
            (CACHES + "\n", CACHES + "\n    tokens = []\n"),
            ("            return\n", "            break\n"),
            (YIELD, "        tokens.append(token)\n    return tokens\n"),
            named=("returns_a_list",),
        ),
        Edit(
            "collects all and yields them at the end",
            (CACHES + "\n", CACHES + "\n    tokens = []\n"),
            ("            return\n", "            break\n"),
            (YIELD, "        tokens.append(token)\n    yield from tokens\n"),
            named=("all_at_the_end",),
        ),
        Edit(
            "yields the list so far, not the token",
            (CACHES + "\n", CACHES + "\n    tokens = []\n"),
            (YIELD, "        tokens.append(token)\n        yield tokens\n"),
            named=("growing_list",),
        ),
        Edit(
            "yields the prompt, too",
            ("    new = ids  #", "    yield from ids[0].tolist()\n    new = ids  #"),
            named=("prompt_handed_out",),
        ),
        Edit(
            "one token too many",
            ("in range(n_new)", "in range(n_new + 1)"),
            named=("one_token_more",),
        ),
        Edit(
            "one token too few",
            ("in range(n_new)", "in range(n_new - 1)"),
            named=("one_token_less",),
        ),
        Edit(
            "n_new counts the prompt as well",
            ("in range(n_new)", "in range(n_new - ids.shape[1])"),
            named=("n_new_with_prompt",),
        ),
        Edit(
            "the new token has one axis only",
            (NEW, "new = sample(logits, generator)"),
            named=("no_batch_dimension",),
        ),
        Edit(
            "the new token is never given back to the model",
            (NEW, "drawn = sample(logits, generator)"),
            ("int(new.item())", "int(drawn.item())"),
            named=("prompt_every_step",),
        ),
        Edit(
            "each token is drawn twice, and one is shown, the other read",
            ("int(new.item())", "int(sample(logits, generator).item())"),
            named=("drawn_twice",),
        ),
        Edit(
            "yields one step late, after the next model call",
            (
                YIELD,
                "        if _:\n            yield last\n        last = token\n    yield last\n",
            ),
            named=("one_behind",),
        ),
    ],
}

PAIRS = {
    "apply_temperature": [
        Edit(
            "multiplies by the temperature, and at 0 all that equal the largest stay",
            ("places == first", "logits == logits.amax(dim=-1, keepdim=True)"),
            (DIVIDE, "return logits * temperature"),
            named=(
                "multiplies",
                "keeps_all_equals",
            ),
        ),
        Edit(
            "returns probabilities, and 0 divides by zero",
            (ZERO_CASE, ""),
            (DIVIDE, "return (logits / temperature).softmax(dim=-1)"),
            named=(
                "probabilities",
                "divides_by_zero",
            ),
        ),
    ],
    "top_k": [
        Edit(
            "k above V is an error, and the k-th goes too",
            ("    k = min(k, logits.shape[-1])\n", ""),
            ("logits < kth", "logits <= kth"),
            named=(
                "one_too_few",
                "k_above_v_crashes",
            ),
        ),
        Edit(
            "keeps one too many, and the others become 0",
            ("topk(k)", "topk(min(k + 1, logits.shape[-1]))"),
            ("-torch.inf", "0.0"),
            named=(
                "one_too_many",
                "zeros_for_removed",
            ),
        ),
    ],
    "top_p": [
        Edit(
            "the token that reaches p is left out, and decisions stay in sorted order",
            (
                SORTED,
                SORTED.replace("ascending", "falling").replace(
                    "dim=-1).sort(dim=-1", "dim=-1).sort(dim=-1, descending=True"
                ),
            ),
            (KEEP, "keep = falling.cumsum(dim=-1) <= p"),
            ("keep[..., -1]", "keep[..., 0]"),
            ("    keep = " + BACK + "  # back to the tokens' own places\n", ""),
            named=(
                "drops_the_crossing_token",
                "mask_not_put_back",
            ),
        ),
        Edit(
            "softmax over the rows, and nothing is kept at small p",
            ("softmax(dim=-1)", "softmax(dim=0)"),
            ("    " + ALWAYS, ""),
            named=(
                "softmax_over_the_batch",
                "empty_at_tiny_p",
            ),
        ),
    ],
    "min_p": [
        Edit(
            "the largest over all rows together, and what is exactly at the threshold goes",
            ("probabilities >= p", "probabilities > p"),
            ("amax(dim=-1, keepdim=True)", "max()"),
            named=(
                "largest_of_the_batch",
                "strict",
            ),
        ),
    ],
    "sample": [
        Edit(
            "the generator is not used, and the result is (B, 1)",
            (", generator=generator", ""),
            (".squeeze(-1)", ""),
            named=(
                "generator_ignored",
                "dimension_left",
            ),
        ),
        Edit(
            "softmax over the rows, and int32",
            ("softmax(dim=-1)", "softmax(dim=0)"),
            (".squeeze(-1)", ".squeeze(-1).int()"),
            named=(
                "softmax_over_the_batch",
                "short_integers",
            ),
        ),
    ],
    "generate": [
        Edit(
            "top_p before the temperature, and the stop token is yielded",
            (HEAT + TOP_K + TOP_P, TOP_P + HEAT + TOP_K),
            (STOP + YIELD, YIELD + STOP),
            named=(
                "top_p_before_temperature",
                "stop_token_given",
            ),
        ),
        Edit(
            "the generator is not passed on, and one token too few",
            ("sample(logits, generator)", "sample(logits)"),
            ("in range(n_new)", "in range(n_new - 1)"),
            named=(
                "generator_ignored",
                "one_token_less",
            ),
        ),
        Edit(
            "the whole text goes in at every step, and the stop token is yielded",
            (NEW, "new = torch.cat([new, sample(logits, generator)[:, None]], dim=1)"),
            ("int(new.item())", "int(new[0, -1])"),
            (STOP + YIELD, YIELD + STOP),
            named=(
                "whole_text_again",
                "stop_token_given",
            ),
        ),
        Edit(
            "yields tensors, and p = 0 is passed over",
            ("yield token", "yield new"),
            ("if p is not None:", "if p:"),
            named=(
                "tensors",
                "p_zero_is_none",
            ),
        ),
    ],
}
