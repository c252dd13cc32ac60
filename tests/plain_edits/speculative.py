"""Lab 14: plain edits of the worked answers, each a mistake in the spelling of a learner."""

from wrong_answers import Edit

LENGTHS = "range(min(longest, len(seen) - 1), 0, -1)"
PLACES = "range(len(seen) - n - 1, -1, -1)"
HIT = "seen[start : start + n] == seen[-n:]"
GUESS = "return ids[start + n : start + n + n_draft]"
SHARED = "torch.minimum(p.float(), q.float())"
REST = "(p.float() - q.float()).clamp(min=0)"
TOTAL = "rest.sum(dim=-1, keepdim=True)"
SCALED = "scaled = rest / total.where(total > 0, 1.0)"
RETURN = "return torch.where(total > 0, scaled, p.float()).to(p.dtype)"
ACCEPTED = "accepted = luck * q[places, drafts] < p[places, drafts]"
COUNT = "return int(accepted.long().cumprod(dim=0).sum())"
LUCK = "torch.rand(len(drafts), generator=generator, device=p.device)"
LAST = "last = p[n] if n == len(drafts) else residual_distribution(p[n], q[n])"
KEPT = "return torch.cat([drafts[:n], torch.multinomial(last, 1, generator=generator)])"
IF = "if not 0 <= length <= cache.length:"
RAISE = 'raise ValueError(f"cannot go back to {length}: {cache.length} positions are here")'
SET = "        cache.length = length\n"
SERIES = "float(sum(alpha**i for i in range(n_draft + 1)))"
SPEED = "return expected_tokens(alpha, n_draft) / (n_draft * draft_cost + verify_cost)"
ASK = "draft(text, min(n_draft, left - 1), generator)"
CALL = "model(torch.cat([new, drafts[None]], dim=1), caches)[0, -len(drafts) - 1 :].float()"
P = "apply_temperature(logits, temperature).softmax(dim=-1)"
REWIND = "rewind(caches, len(text) - 1)"
NEXT = "new, left = kept[None, -1:], left - len(kept)"
STOP = "            if stop is not None and token in stop:\n                return\n"
YIELD = "            yield token\n"

EDITS = {
    "lookup_draft": [
        Edit(
            "places from the first on", (PLACES, "range(len(seen) - n)"), named=("earliest_place",)
        ),
        Edit(
            "short endings first",
            (LENGTHS, "range(1, min(longest, len(seen) - 1) + 1)"),
            named=("shortest_first",),
        ),
        Edit(
            "the end finds itself",
            (PLACES, "range(len(seen) - n, -1, -1)"),
            named=("finds_itself",),
        ),
        Edit(
            "the range of lengths ends at 2",
            ("len(seen) - 1), 0, -1)", "len(seen) - 1), 1, -1)"),
            named=("never_one_token",),
        ),
        Edit(
            "the range of places ends at 1",
            ("n - 1, -1, -1)", "n - 1, 0, -1)"),
            named=("first_place_left_out",),
        ),
        Edit(
            "returns what was found, too",
            (GUESS, "return ids[start : start + n + n_draft]"),
            named=("with_the_found_tokens",),
        ),
        Edit(
            "the guess has no end", (GUESS, "return ids[start + n :]"), named=("all_that_followed",)
        ),
        Edit(
            "the guess ends n too early",
            (GUESS, "return ids[start + n : start + n_draft]"),
            named=("ends_too_early",),
        ),
        Edit("returns None", ("return ids[:0]", "return None"), named=("none_for_nothing",)),
        Edit(
            "returns an empty float tensor",
            ("return ids[:0]", "return torch.tensor([])"),
            named=("floats_for_nothing",),
        ),
        Edit(
            "only one length is tried",
            (f"for n in {LENGTHS}:", "for n in [longest]:"),
            named=("only_the_longest",),
        ),
    ],
    "accept_probability": [
        Edit(
            "the ratio, times q",
            (SHARED, "(q.float() * (p.float() / q.float()).clamp(max=1))"),
            named=("zero_times_nan",),
        ),
        Edit("multiplies", (SHARED, "(p.float() * q.float())"), named=("product",)),
        Edit("maximum", ("torch.minimum", "torch.maximum"), named=("larger",)),
        Edit("one minus it", ("return torch", "return 1 - torch"), named=("rejected",)),
        Edit("mean for sum", (".sum(dim=-1)", ".mean(dim=-1)"), named=("mean",)),
        Edit("one sum for everything", (".sum(dim=-1)", ".sum()"), named=("over_everything",)),
        Edit("sums over the rows", ("dim=-1", "dim=0"), named=("over_the_batch",)),
        Edit("keeps the axis", ("dim=-1", "dim=-1, keepdim=True"), named=("axis_kept",)),
        Edit("gives float32", (".to(p.dtype)", ""), named=("float32_result",)),
        Edit(
            "the mean ratio",
            (SHARED, "(p.float() / q.float()).clamp(max=1)"),
            named=("ratio",),
        ),
    ],
    "residual_distribution": [
        Edit(
            "nearly equal is equal",
            ("torch.where(total > 0, scaled", "torch.where(total > 1e-4, scaled"),
            named=("nearly_equal_is_equal",),
        ),
        Edit("draws from p", (REST, "p.float()"), named=("the_target_itself",)),
        Edit("q minus p", (REST, "(q.float() - p.float()).clamp(min=0)"), named=("turned_round",)),
        Edit("the size of the difference", (".clamp(min=0)", ".abs()"), named=("absolute",)),
        Edit("negative ones stay", (".clamp(min=0)", ""), named=("negative_left",)),
        Edit("one sum for all rows", (TOTAL, "rest.sum()"), named=("one_sum",)),
        Edit(
            "sums over the rows", ("dim=-1, keepdim", "dim=0, keepdim"), named=("over_the_batch",)
        ),
        Edit(
            "no care for equal rows",
            (RETURN, "return (rest / total).to(p.dtype)"),
            named=("zero_over_zero",),
        ),
        Edit("zeros in equal rows", (RETURN, "return scaled.to(p.dtype)"), named=("all_zero",)),
        Edit("not scaled", (SCALED, "scaled = rest"), named=("sum_of_p",)),
        Edit(
            "softmax of the rest",
            (SCALED, "scaled = rest.softmax(-1)"),
            named=("softmax_of_the_rest",),
        ),
    ],
    "count_accepted": [
        Edit("counts all good ones", (".cumprod(dim=0)", ""), named=("all_that_are_good",)),
        Edit("compares p and q", ("luck * q[places", "q[places"), named=("without_luck",)),
        Edit("at most, not less", ("drafts] < p[", "drafts] <= p["), named=("zero_accepted",)),
        Edit(
            "larger luck is accepted",
            ("drafts] < p[", "drafts] > p["),
            named=("luck_turned_round",),
        ),
        Edit(
            "upside down",
            (ACCEPTED, "accepted = luck * p[places, drafts] < q[places, drafts]"),
            named=("upside_down",),
        ),
        Edit(
            "accepts by p alone",
            ("luck * q[places, drafts] <", "luck <"),
            named=("target_s_probability",),
        ),
        Edit("a tensor comes back", (COUNT, COUNT.replace("int(", "(")), named=("a_tensor",)),
        Edit(
            "the first rejected one by argmax",
            (COUNT, "return int((~accepted).long().argmax()) if len(drafts) else 0"),
            named=("none_rejected_is_zero",),
        ),
        Edit(
            "the likeliest token decides",
            (ACCEPTED, "accepted = p[: len(drafts)].argmax(-1) == drafts"),
            named=("greedy",),
        ),
    ],
    "verify": [
        Edit(
            "p after a rejection",
            (LAST, "last = p[n]"),
            named=("from_the_target_after_a_rejection",),
        ),
        Edit("the last row always", (LAST, "last = p[-1]"), named=("last_row_always",)),
        Edit(
            "q after a rejection",
            ("residual_distribution(p[n], q[n])", "q[n]"),
            named=("from_the_draft",),
        ),
        Edit(
            "the added token only",
            (KEPT, "return torch.multinomial(last, 1, generator=generator)"),
            named=("added_token_only",),
        ),
        Edit("all drafts stay", ("drafts[:n], ", "drafts, "), named=("all_drafts_kept",)),
        Edit(
            "the rejected one stays",
            ("drafts[:n], ", "drafts[: n + 1], "),
            named=("rejected_draft_too",),
        ),
        Edit(
            "luck without the generator",
            (LUCK, "torch.rand(len(drafts))"),
            named=("luck_without_the_generator",),
        ),
        Edit(
            "token without the generator",
            ("last, 1, generator=generator", "last, 1"),
            named=("draw_without_the_generator",),
        ),
        Edit("randn for rand", ("torch.rand(", "torch.randn("), named=("normal_luck",)),
        Edit(
            "p and q exchanged",
            ("count_accepted(p, q,", "count_accepted(q, p[: len(q)],"),
            named=("p_and_q_exchanged",),
        ),
        Edit(
            "no free token",
            (
                "    last = p[n]",
                "    if 0 < n == len(drafts):\n        return drafts\n    last = p[n]",
            ),
            named=("no_free_token",),
        ),
    ],
    "rewind": [
        Edit(
            "longer ones are cut down",
            ("not 0 <= length <= cache.length", "length < 0"),
            (SET, "        cache.length = min(length, cache.length)\n"),
            named=("quietly_less",),
        ),
        Edit("nothing is refused", (IF, "if False:"), named=("nothing_refused",)),
        Edit(
            "negative ones pass",
            ("not 0 <= length <= cache.length", "length > cache.length"),
            named=("negative_accepted",),
        ),
        Edit(
            "longer ones pass",
            ("not 0 <= length <= cache.length", "length < 0"),
            named=("more_accepted",),
        ),
        Edit(
            "the same length is refused",
            ("length <= cache.length:", "length < cache.length:"),
            named=("same_refused",),
        ),
        Edit("silence", (RAISE, "return"), named=("silently",)),
        Edit("an IndexError", ("raise ValueError(", "raise IndexError("), named=("another_error",)),
        Edit(
            "only the first layer",
            ("in caches:\n" + SET, "in caches[:1]:\n" + SET),
            named=("first_layer_only",),
        ),
        Edit("returns in the loop", (SET, SET + "        return\n"), named=("first_layer_only",)),
        Edit(
            "so many are forgotten",
            (SET, "        cache.length -= length\n"),
            named=("so_many_forgotten",),
        ),
        Edit(
            "buffers are cut",
            (
                SET,
                SET
                + "        cache.keys = cache.keys[:, :, :length]\n        cache.values = cache.values[:, :, :length]\n",
            ),
            named=("cut_short",),
        ),
    ],
    "expected_tokens": [
        Edit(
            "nearly one is one",
            ("    return", "    if alpha > 0.99:\n        return n_draft + 1.0\n    return"),
            named=("nearly_one_is_one",),
        ),
        Edit("one power less", ("n_draft + 1", "n_draft"), named=("last_power_missing",)),
        Edit(
            "without the 1", ("range(n_draft + 1)", "range(1, n_draft + 1)"), named=("one_missing",)
        ),
        Edit("one power more", ("n_draft + 1", "n_draft + 2"), named=("one_power_more",)),
        Edit(
            "the closed form",
            (SERIES, "(1 - alpha ** (n_draft + 1)) / (1 - alpha)"),
            named=("divided_by_zero",),
        ),
        Edit("alpha times i", ("alpha**i", "alpha * i"), named=("products",)),
        Edit("1 + n alpha", (SERIES, "1 + n_draft * alpha"), named=("each_by_itself",)),
        Edit("the last power", (SERIES, "float(alpha**n_draft)"), named=("last_only",)),
        Edit("rejections", ("alpha**i", "(1 - alpha) ** i"), named=("rejected_powers",)),
    ],
    "speedup": [
        Edit(
            "one draft's cost", ("n_draft * draft_cost", "draft_cost"), named=("one_draft_s_cost",)
        ),
        Edit(
            "drafts for nothing",
            ("n_draft * draft_cost + verify_cost", "verify_cost"),
            named=("draft_for_nothing",),
        ),
        Edit("1 for verify_cost", ("+ verify_cost)", "+ 1)"), named=("verify_cost_ignored",)),
        Edit(
            "verify_cost multiplies",
            ("draft_cost + verify_cost", "draft_cost * verify_cost + 1"),
            named=("verify_cost_multiplied",),
        ),
        Edit(
            "upside down",
            (
                SPEED,
                "return (n_draft * draft_cost + verify_cost) / expected_tokens(alpha, n_draft)",
            ),
            named=("upside_down",),
        ),
        Edit("minus the cost", ("n_draft) / (", "n_draft) - ("), named=("difference",)),
        Edit(
            "no brackets around the sum",
            ("(n_draft * draft_cost + verify_cost)", "(n_draft * draft_cost) + verify_cost"),
            named=("brackets_left_out",),
        ),
        Edit(
            "one draft more is paid",
            ("(n_draft * draft", "((n_draft + 1) * draft"),
            named=("one_draft_more_paid",),
        ),
        Edit(
            "all drafts are accepted",
            ("expected_tokens(alpha, n_draft)", "(n_draft + 1)"),
            named=("all_drafts",),
        ),
    ],
    "speculative_generate": [
        Edit("caches never cut", (f"        {REWIND}\n", ""), named=("never_rewound",)),
        Edit("cut to len(text)", ("len(text) - 1)", "len(text))"), named=("one_too_many",)),
        Edit("cut by one too many", ("len(text) - 1)", "len(text) - 2)"), named=("one_too_few",)),
        Edit(
            "asks for n_draft always",
            ("min(n_draft, left - 1)", "n_draft"),
            named=("too_many_tokens",),
        ),
        Edit(
            "the draft sees one token",
            ("draft(text,", "draft(text[-1:],"),
            named=("draft_reads_the_last_token",),
        ),
        Edit(
            "the draft gets no generator",
            ("left - 1), generator)", "left - 1), None)"),
            named=("draft_without_the_generator",),
        ),
        Edit(
            "verify gets no generator",
            ("drafts, generator)", "drafts)"),
            named=("without_the_generator",),
        ),
        Edit("no temperature", (P, "logits.softmax(dim=-1)"), named=("temperature_ignored",)),
        Edit(
            "divides by the temperature",
            (P, "(logits / temperature).softmax(dim=-1)"),
            named=("divides_by_zero",),
        ),
        Edit(
            "all kept ones are fed",
            ("kept[None, -1:]", "kept[None]"),
            named=("all_kept_fed_again",),
        ),
        Edit("counts rounds", ("left - len(kept)", "left - 1"), named=("counts_rounds",)),
        Edit(
            "the first rows",
            ("[0, -len(drafts) - 1 :]", "[0, : len(drafts) + 1]"),
            named=("first_rows",),
        ),
        Edit("stop is yielded", (STOP + YIELD, YIELD + STOP), named=("stop_token_given",)),
        Edit(
            "stop ends the round",
            ("                return\n", "                break\n"),
            named=("stop_ends_the_round_only",),
        ),
        Edit("no stop", (STOP, ""), named=("stop_ignored",)),
        Edit(
            "only the accepted", ("kept.tolist()", "kept.tolist()[:-1]"), named=("accepted_only",)
        ),
        Edit(
            "room without the prompt",
            ("ids.shape[1] + n_new", "n_new"),
            named=("room_for_new_ones_only",),
        ),
    ],
}

PAIRS = {
    "lookup_draft": [
        Edit(
            "places from the first on, and None for nothing",
            (PLACES, "range(len(seen) - n)"),
            ("return ids[:0]", "return None"),
            named=("earliest_place", "none_for_nothing"),
        ),
    ],
    "verify": [
        Edit(
            "p after a rejection, and luck without the generator",
            (LAST, "last = p[n]"),
            (LUCK, "torch.rand(len(drafts))"),
            named=("from_the_target_after_a_rejection", "luck_without_the_generator"),
        ),
    ],
    "speculative_generate": [
        Edit(
            "caches never cut, and stop is yielded",
            (f"        {REWIND}\n", ""),
            (STOP + YIELD, YIELD + STOP),
            named=("never_rewound", "stop_token_given"),
        ),
    ],
}
