"""Lab 13: plain edits of the worked answers, each a mistake in the spelling of a learner."""

from wrong_answers import Edit

SPLITS = "zip(inputs.split(chunk, dim=1), targets.split(chunk), strict=True)"
CACHES = "    caches = model.new_caches(1, ids.shape[1])\n"

EDITS = {
    "token_losses": [
        Edit(
            "new caches in the call",
            ("    caches = model.new_caches(1, ids.shape[1])\n", ""),
            ("model(x, caches)", "model(x, model.new_caches(1, x.shape[1]))"),
            named=("new_caches_each_piece",),
        ),
        Edit(
            "the inputs are not shifted against the targets",
            ("ids[0, 1:]", "ids[0, :-1]"),
            named=("not_shifted",),
        ),
        Edit(
            "each piece has new caches",
            (CACHES, ""),
            ("    for x, y in", "    for x, y in", 0),
            (
                "        log_p = model(x, caches)",
                "        log_p = model(x, model.new_caches(1, x.shape[1]))",
            ),
            named=("new_caches_each_piece",),
        ),
        Edit(
            "the caches are made and not handed over",
            ("model(x, caches)", "model(x)"),
            named=("no_caches",),
        ),
        Edit(
            "cut first, then shifted: the seams are lost",
            (
                f"for x, y in {SPLITS}:",
                "for piece in ids.split(chunk, dim=1):\n        x, y = piece[:, :-1], piece[0, 1:]",
            ),
            named=("seams_missing",),
        ),
        Edit(
            "the sign of the logarithm is forgotten",
            ("-log_p.gather", "log_p.gather"),
            named=("sign",),
        ),
        Edit(
            "softmax, then a logarithm",
            ("log_softmax(dim=-1)", "softmax(dim=-1).log()"),
            named=("softmax_then_log",),
        ),
        Edit(
            "a small number before the logarithm",
            ("log_softmax(dim=-1)", "softmax(dim=-1).add(1e-9).log()"),
            named=("small_number_added",),
        ),
        Edit(
            "the probability, without a logarithm",
            ("log_softmax(dim=-1)", "softmax(dim=-1)"),
            named=("probabilities",),
        ),
        Edit(
            "the softmax runs over the places",
            ("log_softmax(dim=-1)", "log_softmax(dim=0)"),
            named=("softmax_over_places",),
        ),
        Edit(
            "the mean over the text",
            ("return torch.cat(losses)", "return torch.cat(losses).mean()"),
            named=("mean_returned",),
        ),
        Edit(
            "a list of pieces",
            ("return torch.cat(losses)", "return losses"),
            named=("list_of_pieces",),
        ),
        Edit(
            "the losses of the last piece only",
            ("return torch.cat(losses)", "return losses[-1]"),
            named=("last_piece_returned",),
        ),
        Edit(
            "the losses of a column each",
            ("gather(1, y[:, None])[:, 0]", "gather(1, y[:, None])"),
            named=("a_column",),
        ),
        Edit(
            "the gradients stay on",
            ("@torch.no_grad()\n", ""),
            named=("gradients_on",),
        ),
        Edit(
            "the whole text at once",
            (f"for x, y in {SPLITS}:", "for x, y in [(inputs, targets)]:"),
            named=("chunk_ignored",),
        ),
        Edit(
            "the pieces that are not full are left out",
            (
                f"for x, y in {SPLITS}:",
                f"for x, y in {SPLITS}:\n        if len(y) < chunk and losses:\n            break",
            ),
            named=("last_piece_dropped",),
        ),
        Edit(
            "half-precision logits stay what they are",
            ("[0].float().log_softmax(dim=-1)", "[0].log_softmax(dim=-1)"),
            named=("in_half",),
        ),
        Edit(
            "caches with room for one piece",
            ("new_caches(1, ids.shape[1])", "new_caches(1, chunk)"),
            named=("room_for_a_piece",),
        ),
        Edit(
            "the likeliest token's loss",
            ("-log_p.gather(1, y[:, None])[:, 0]", "-log_p.max(dim=-1).values"),
            named=("likeliest",),
        ),
        Edit(
            "a loss of 0 for the first token",
            ("return torch.cat(losses)", "return torch.cat([torch.zeros(1), *losses])"),
            named=("zero_in_front",),
        ),
    ],
    "ntk_base": [
        Edit(
            "brackets around the exponent are missing",
            ("factor ** (head_dim / (head_dim - 2))", "factor ** head_dim / (head_dim - 2)"),
            named=("power_before_division",),
        ),
        Edit(
            "the exponent is lost",
            ("factor ** (head_dim / (head_dim - 2))", "factor"),
            named=("exponent_lost",),
        ),
        Edit(
            "brackets missing in the exponent",
            ("(head_dim / (head_dim - 2))", "(head_dim / head_dim - 2)"),
            named=("brackets_missing",),
        ),
        Edit(
            "the exponent upside down",
            ("(head_dim / (head_dim - 2))", "((head_dim - 2) / head_dim)"),
            named=("exponent_inverted",),
        ),
        Edit(
            "base and factor in the power",
            (
                "base * factor ** (head_dim / (head_dim - 2))",
                "(base * factor) ** (head_dim / (head_dim - 2))",
            ),
            named=("factor_in_the_power",),
        ),
        Edit(
            "whole-number division",
            ("(head_dim / (head_dim - 2))", "(head_dim // (head_dim - 2))"),
            named=("floor_division",),
        ),
        Edit(
            "the base is divided",
            ("base * factor", "base / factor"),
            named=("divided",),
        ),
        Edit(
            "pairs in place of dimensions",
            ("(head_dim / (head_dim - 2))", "(head_dim / 2 / (head_dim / 2 - 2))"),
            named=("half_the_head", "exponent_minus_four"),
        ),
        Edit(
            "d - 1 below the line",
            ("(head_dim - 2)", "(head_dim - 1)"),
            named=("exponent_minus_one",),
        ),
        Edit(
            "the exponent of a pair",
            ("(head_dim / (head_dim - 2))", "(2 / (head_dim - 2))"),
            named=("two_over",),
        ),
        Edit(
            "a product in place of a power",
            ("factor ** (", "factor * ("),
            named=("times_exponent",),
        ),
        Edit(
            "the result is rounded",
            (
                "return base * factor ** (head_dim / (head_dim - 2))",
                "return round(base * factor ** (head_dim / (head_dim - 2)))",
            ),
            named=("rounded",),
        ),
        Edit("nothing is returned", ("return base", "base"), named=("no_return",)),
    ],
    "llama3_scale_frequencies": [
        Edit(
            "the 2π is forgotten",
            (" / (2 * math.pi)", ""),
            named=("no_two_pi",),
        ),
        Edit("π once", ("(2 * math.pi)", "math.pi"), named=("pi_once",)),
        Edit(
            "brackets missing around 2π",
            ("/ (2 * math.pi)", "/ 2 * math.pi"),
            named=("turns_times_pi",),
        ),
        Edit("s is not clamped", (".clamp(0, 1)", ""), named=("not_clamped",)),
        Edit(
            "s is clamped from below only",
            (".clamp(0, 1)", ".clamp(min=0)"),
            named=("clamped_below_only",),
        ),
        Edit(
            "both ends have changed places",
            ("(1 - s) * theta / factor + s * theta", "s * theta / factor + (1 - s) * theta"),
            named=("ends_swapped",),
        ),
        Edit(
            "all pairs are divided",
            ("((1 - s) * theta / factor + s * theta)", "(theta / factor)"),
            named=("all_divided",),
        ),
        Edit(
            "slow pairs become faster",
            ("theta / factor", "theta * factor"),
            named=("multiplied",),
        ),
        Edit(
            "the old frequencies are returned",
            (
                "return ((1 - s) * theta / factor + s * theta).to(frequencies.dtype)",
                "scaled = (1 - s) * theta / factor + s * theta\n    return frequencies",
            ),
            named=("not_returned",),
        ),
        Edit(
            "the wavelength is compared with low and high",
            ("original_context * theta / (2 * math.pi)", "2 * math.pi / theta"),
            named=("wavelength_itself",),
        ),
        Edit(
            "the ramp divides by high",
            ("((turns - low) / (high - low))", "((turns - low) / high)"),
            named=("ramp_over_high",),
        ),
        Edit(
            "low is not subtracted",
            ("((turns - low) / (high - low))", "(turns / (high - low))"),
            named=("ramp_without_low",),
        ),
        Edit(
            "the context is written in",
            ("original_context * theta", "8192 * theta"),
            named=("fixed_context",),
        ),
        Edit("the factor is written in", ("theta / factor", "theta / 8"), named=("fixed_factor",)),
        Edit(
            "the new context counts",
            ("original_context * theta", "factor * original_context * theta"),
            named=("new_context",),
        ),
        Edit(
            "no ramp: a threshold at low",
            ("((turns - low) / (high - low)).clamp(0, 1)", "(turns > low).float()"),
            named=("no_ramp_at_low",),
        ),
        Edit(
            "wavelengths are mixed",
            (
                "((1 - s) * theta / factor + s * theta)",
                "(2 * math.pi / ((1 - s) * factor * 2 * math.pi / theta + s * 2 * math.pi / theta))",
            ),
            named=("wavelengths_mixed",),
        ),
        Edit(
            "the result stays float32",
            (".to(frequencies.dtype)", ""),
            named=("float32_returned",),
        ),
        Edit(
            "the gradients are cut off",
            ("frequencies.float()", "frequencies.detach().float()"),
            named=("detached",),
        ),
    ],
    "sliding_window_mask": [
        Edit(
            "the window is one too long",
            ("key > query - window", "key >= query - window"),
            named=("window_one_too_long",),
        ),
        Edit(
            "the window is one too short",
            ("key > query - window", "key > query - window + 1"),
            named=("window_one_too_short",),
        ),
        Edit(
            "the future is seen",
            ("(key <= query) & (near | sink)", "near | sink"),
            named=("not_causal",),
        ),
        Edit(
            "sinks are seen by those before them",
            ("(key <= query) & (near | sink)", "(key <= query) & near | sink"),
            named=("sinks_in_the_future",),
        ),
        Edit(
            "near and sink with an and",
            ("near | sink)", "near & sink)"),
            named=("sinks_and",),
        ),
        Edit(
            "the queries are the first positions",
            ("torch.arange(n_keys - n_queries, n_keys)", "torch.arange(n_queries)"),
            named=("top_left",),
        ),
        Edit(
            "one sink too many",
            ("key < n_sinks", "key <= n_sinks"),
            named=("one_sink_too_many",),
        ),
        Edit("no sinks", ("near | sink", "near"), named=("no_sinks",)),
        Edit(
            "the sinks are the last positions",
            ("key < n_sinks", "key >= n_keys - n_sinks"),
            named=("sinks_at_the_end",),
        ),
        Edit(
            "no window at all",
            ("key > query - window", "key > -window"),
            named=("no_window",),
        ),
        Edit(
            "a query does not see itself",
            ("key <= query", "key < query"),
            named=("does_not_see_itself",),
        ),
        Edit(
            "what is hidden is True",
            ("return (key <= query) & (near | sink)", "return ~((key <= query) & (near | sink))"),
            named=("inverted",),
        ),
        Edit(
            "numbers, not bool",
            ("(key <= query) & (near | sink)", "((key <= query) & (near | sink)).float()"),
            named=("numbers",),
        ),
        Edit(
            "blocks in place of a window",
            ("key > query - window", "key // window == query // window"),
            named=("blocks",),
        ),
        Edit(
            "no error for an empty window",
            ("window < 1:", "window < 0:"),
            named=("negative_only",),
        ),
        Edit(
            "a window of 1 is refused",
            ("window < 1:", "window <= 1:"),
            named=("one_refused",),
        ),
        Edit(
            "an assertion in place of the error",
            ("raise ValueError(", "raise AssertionError("),
            named=("assertion",),
        ),
        Edit(
            "the window counts from the last query, for all",
            ("key > query - window", "key >= n_keys - window"),
            named=("window_from_the_end",),
        ),
        Edit(
            "the sinks are taken off the window",
            ("key > query - window", "key > query - window + n_sinks"),
            named=("sinks_taken_from_the_window",),
        ),
    ],
    "RollingKVCache": [
        Edit(
            "length is the rows that are kept",
            ("self.length = end", "self.length = min(end, room)"),
            named=("length_is_rows_kept",),
        ),
        Edit(
            "the ring goes over all the slots",
            (
                "at = self.length if end <= room else ring",
                "at = self.length % room",
            ),
            named=("ring_over_everything",),
        ),
        Edit(
            "the sinks are not subtracted before the remainder",
            ("(self.length - self.n_sinks) % window", "self.length % window"),
            named=("sinks_not_subtracted",),
        ),
        Edit(
            "the ring forgets that the sinks come first",
            ("self.n_sinks + (self.length - self.n_sinks) % window", "self.length % window"),
            named=("sinks_not_skipped",),
        ),
        Edit(
            "the room is the window's alone",
            ("n_sinks + window, head_dim", "window, head_dim"),
            named=("sinks_have_no_slots",),
        ),
        Edit(
            "several are taken when it is full",
            ("if T > 1 and end > room", "if T > room"),
            named=("looks_at_t_only",),
        ),
        Edit(
            "one is refused when it is full",
            ("if T > 1 and end > room", "if end > room"),
            named=("single_refused",),
        ),
        Edit(
            "several that fill it exactly are refused",
            ("if T > 1 and end > room", "if T > 1 and end >= room"),
            named=("full_one_too_early",),
        ),
        Edit(
            "another error",
            ("raise ValueError(", "raise RuntimeError("),
            named=("other_error",),
        ),
        Edit(
            "the sinks are turned by the whole length",
            ("torch.tensor([dropped]", "torch.tensor([self.length]"),
            named=("turned_by_length",),
        ),
        Edit(
            "the sinks are turned back",
            ("torch.tensor([dropped]", "torch.tensor([-dropped]"),
            named=("turned_back",),
        ),
        Edit(
            "all keys are turned",
            (
                "torch.cat([apply_rope(sinks, turn), others], dim=2)",
                "apply_rope(keys, turn)",
            ),
            named=("all_keys_turned",),
        ),
        Edit(
            "the window's keys are turned",
            (
                "[apply_rope(sinks, turn), others]",
                "[sinks, apply_rope(others, turn)]",
            ),
            named=("window_turned",),
        ),
        Edit(
            "the turned sinks are stored",
            (
                "            keys = torch.cat([apply_rope(sinks, turn), others], dim=2)",
                "            self.keys[:, :, : self.n_sinks] = apply_rope(sinks, turn)",
            ),
            named=("turned_in_place",),
        ),
        Edit(
            "the sinks are never turned",
            ("self.frequencies is not None and dropped", "False"),
            named=("never_turned",),
        ),
        Edit(
            "the whole buffers come back",
            (
                "self.keys[:, :, :kept], self.values[:, :, :kept]",
                "self.keys, self.values",
            ),
            named=("whole_buffers",),
        ),
        Edit(
            "the sinks are not returned",
            (
                "self.keys[:, :, :kept], self.values[:, :, :kept]",
                "self.keys[:, :, self.n_sinks : kept], self.values[:, :, self.n_sinks : kept]",
            ),
            named=("sinks_not_returned",),
        ),
        Edit(
            "the keys are written into both",
            ("self.values[:, :, at : at + T] = v", "self.values[:, :, at : at + T] = k"),
            named=("keys_in_both",),
        ),
        Edit(
            "length is not moved",
            ("        self.length = end\n", ""),
            named=("length_not_moved",),
        ),
        Edit(
            "length grows by one",
            ("self.length = end", "self.length += 1"),
            named=("length_plus_one",),
        ),
        Edit(
            "the dtype is ignored",
            ("dtype=dtype, device=device", "device=device", 0),
            ("dtype=dtype, device=device", "device=device", 0),
            named=("ignores_dtype",),
        ),
        Edit(
            "the number of dropped is made on the CPU",
            ("torch.tensor([dropped], device=keys.device)", "torch.tensor([dropped])"),
            named=("turned_on_the_cpu",),
        ),
        Edit(
            "values, keys",
            ("return keys, values", "return values, keys"),
            named=("returns_swapped",),
        ),
        Edit(
            "the sinks are not kept by empty",
            ("cls(keys, values, 0, n_sinks, frequencies)", "cls(keys, values, 0)"),
            named=("sinks_not_kept",),
        ),
    ],
}

# Two mistakes in one answer: both are meant.
PAIRS = {
    "token_losses": [
        Edit(
            "the sign, and targets that are not shifted",
            ("-log_p.gather", "log_p.gather"),
            ("ids[0, 1:]", "ids[0, :-1]"),
            named=("sign", "not_shifted"),
        ),
    ],
    "llama3_scale_frequencies": [
        Edit(
            "π once, and the context written in",
            ("(2 * math.pi)", "math.pi"),
            ("original_context * theta", "8192 * theta"),
            named=("pi_once", "fixed_context"),
        ),
    ],
    "RollingKVCache": [
        Edit(
            "length is the rows kept, and the sinks turned back",
            ("self.length = end", "self.length = min(end, room)"),
            ("torch.tensor([dropped]", "torch.tensor([-dropped]"),
            named=("length_is_rows_kept", "turned_back"),
        ),
    ],
}
