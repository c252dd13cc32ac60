"""Lab 01: plain edits of the worked answers, each a mistake in the spelling of a learner."""

from wrong_answers import Edit

VOCAB = "sorted(set(text))"
REFUSE = (
    "        if character not in places:\n"
    '            raise ValueError(f"{character!r} is not in the vocabulary")\n'
)
RAISE = 'raise ValueError(f"{character!r} is not in the vocabulary")'
JOIN = '"".join(vocab[i] for i in ids)'
ROWS = "return table[ids]  # (B, T, D)"
BATCH = "return data[positions], data[positions + 1]"
MERGED = "            merged.append(new_id)\n            i += 2\n"
OTHER = "            merged.append(ids[i])\n            i += 1\n"
MATCH = "if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:"
UTF8 = 'list(text.encode("utf-8"))'
STOPS = "        if not counts:\n            break\n"
TEXT = 'b"".join(tokens[i] for i in ids).decode("utf-8", errors="replace")'

EDITS = {
    "build_vocab": [
        Edit(
            "the characters come in the set's order, not sorted",
            (VOCAB, "list(set(text))"),
            named=("order_of_a_set",),
        ),
        Edit(
            "every character is listed as often as it occurs",
            (VOCAB, "sorted(text)"),
            named=("duplicates",),
        ),
        Edit(
            "the characters come in the order of their first occurrence, not sorted",
            (VOCAB, "list(dict.fromkeys(text))"),
            named=("not_sorted",),
        ),
        Edit(
            "capitals are lost: the text is made lower case first",
            (VOCAB, "sorted(set(text.lower()))"),
            named=("lower_case",),
        ),
        Edit(
            "returns one string, not a list of characters",
            (VOCAB, '"".join(sorted(set(text)))'),
            named=("string_not_list",),
        ),
        Edit("sorted backwards", (VOCAB, "sorted(set(text), reverse=True)"), named=("descending",)),
        Edit(
            "lists the words, not the characters",
            (VOCAB, "sorted(set(text.split()))"),
            named=("words",),
        ),
        Edit(
            "white space at the ends of the text is cut off before looking",
            (VOCAB, "sorted(set(text.strip()))"),
            named=("stripped",),
        ),
        Edit(
            "only letters are kept: blanks, digits and punctuation are missing",
            (VOCAB, "sorted({c for c in text if c.isalpha()})"),
            named=("letters_only",),
        ),
        Edit(
            "blanks and line breaks are missing",
            (VOCAB, 'sorted(set(text) - {" ", "\\n"})'),
            named=("no_white_space",),
        ),
        Edit("returns a set, not a list", (VOCAB, "set(text)"), named=("set_not_list",)),
        Edit(
            "returns the dictionary from characters to places",
            (VOCAB, "{c: i for i, c in enumerate(sorted(set(text)))}"),
            named=("dictionary",),
        ),
        Edit(
            "sorted by how often they occur",
            (VOCAB, "sorted(set(text), key=text.count)"),
            named=("by_frequency",),
        ),
        Edit(
            "returns None: list.sort() sorts in place",
            (VOCAB, "list(set(text)).sort()"),
            named=("returns_none",),
        ),
        Edit(
            "lists bytes (numbers), not characters",
            (VOCAB, "sorted(set(text.encode()))"),
            named=("bytes",),
        ),
        Edit(
            "lists code points (numbers), not characters",
            (VOCAB, "sorted(set(map(ord, text)))"),
            named=("code_points",),
        ),
    ],
    "encode": [
        Edit(
            "sorts the vocabulary first and takes those places",
            ("enumerate(vocab)", "enumerate(sorted(vocab))"),
            named=("sorts_vocabulary",),
        ),
        Edit(
            "places are counted from 1",
            ("enumerate(vocab)", "enumerate(vocab, 1)"),
            named=("from_one",),
        ),
        Edit("unknown characters are skipped in silence", (RAISE, "continue"), named=("skipped",)),
        Edit(
            "unknown characters become 0 in silence",
            (REFUSE, ""),
            ("places[character])", "places.get(character, 0))"),
            named=("zero",),
        ),
        Edit(
            "unknown characters become -1 in silence",
            (REFUSE, ""),
            ("places[character])", '"".join(vocab).find(character))'),
            named=("minus_one",),
        ),
        Edit(
            "unknown characters become None in silence",
            (REFUSE, ""),
            ("places[character])", "places.get(character))"),
            named=("none",),
        ),
        Edit(
            "unknown characters get an id beyond the vocabulary",
            (REFUSE, ""),
            ("places[character])", "places.get(character, len(vocab)))"),
            named=("one_more",),
        ),
        Edit(
            "an unknown character is a KeyError, not a ValueError",
            (REFUSE, ""),
            named=("key_error",),
        ),
        Edit(
            "raises a KeyError, not a ValueError",
            ("raise ValueError", "raise KeyError"),
            named=("key_error",),
        ),
        Edit(
            "the message does not name the character: the f is missing",
            ('ValueError(f"', 'ValueError("'),
            named=("nameless_error",),
        ),
        Edit("the error has no message", (RAISE, "raise ValueError"), named=("nameless_error",)),
        Edit(
            "prints instead of raising, then a KeyError",
            ("raise ValueError(", "print("),
            named=("key_error",),
        ),
        Edit(
            "an assert, so an AssertionError, not a ValueError",
            (RAISE, "assert character in places, character"),
            named=("assertion",),
        ),
        Edit(
            "returns after the first character: return stands in the loop",
            ("    return ids", "        return ids"),
            named=("return_in_the_loop",),
        ),
        Edit(
            "takes the code point, not the place in the vocabulary",
            ("places[character])", "ord(character))"),
            named=("code_points",),
        ),
        Edit(
            "each character is encoded once only",
            ("for character in text", "for character in set(text)"),
            named=("once_each",),
        ),
        Edit(
            "white space at the ends is cut off",
            ("for character in text", "for character in text.strip()"),
            named=("stripped",),
        ),
        Edit(
            "the text is made lower case",
            ("for character in text", "for character in text.lower()"),
            named=("lower_case",),
        ),
        Edit(
            "takes the place in the text, not in the vocabulary",
            ("places[character])", "text.index(character))"),
            named=("place_in_the_text",),
        ),
        Edit(
            "returns a tensor, not a list",
            ("return ids", "return torch.tensor(ids)"),
            named=("tensor",),
        ),
        Edit(
            "the dictionary goes from places to characters",
            ("{character: i for", "{i: character for"),
            named=("dictionary_turned_round",),
        ),
    ],
    "decode": [
        Edit(
            "puts blanks between the characters",
            (JOIN, '" ".join(vocab[i] for i in ids)'),
            named=("blanks",),
        ),
        Edit("returns a list, not a string", (JOIN, "[vocab[i] for i in ids]"), named=("list",)),
        Edit(
            "places are counted from 1", ("vocab[i] for", "vocab[i - 1] for"), named=("from_one",)
        ),
        Edit(
            "an id beyond the vocabulary begins again at 0",
            ("vocab[i] for", "vocab[i % len(vocab)] for"),
            named=("wraps",),
        ),
        Edit(
            "an id beyond the vocabulary is skipped in silence",
            ("for i in ids)", "for i in ids if i < len(vocab))"),
            named=("skips_unknown",),
        ),
        Edit(
            "an id beyond the vocabulary becomes nothing: a dictionary's get with a default",
            ("vocab[i] for", 'dict(enumerate(vocab)).get(i, "") for'),
            named=("skips_unknown",),
        ),
        Edit(
            "an id beyond the vocabulary becomes a question mark",
            ("vocab[i] for", 'dict(enumerate(vocab)).get(i, "?") for'),
            named=("question_mark",),
        ),
        Edit(
            "an id beyond the vocabulary becomes the last character",
            ("vocab[i] for", "vocab[min(i, len(vocab) - 1)] for"),
            named=("question_mark",),
        ),
        Edit(
            "an id beyond the vocabulary becomes nothing: a slice forgives it",
            ("vocab[i] for", '"".join(vocab[i : i + 1]) for'),
            named=("skips_unknown",),
        ),
        Edit(
            "sorts the vocabulary first and takes those places",
            ("vocab[i] for", "sorted(vocab)[i] for"),
            named=("sorts_vocabulary",),
        ),
        Edit(
            "takes the id for a code point", ("vocab[i] for", "chr(i) for"), named=("code_points",)
        ),
        Edit(
            "each id is decoded once only, in the set's order",
            ("for i in ids)", "for i in set(ids))"),
            named=("once_each",),
        ),
        Edit(
            "the text comes out backwards",
            ("for i in ids)", "for i in reversed(ids))"),
            named=("backwards",),
        ),
        Edit(
            "joins the numbers, not the characters",
            ("vocab[i] for", "str(i) for"),
            named=("numbers",),
        ),
        Edit(
            "takes the places of the ids, not the ids",
            ("for i in ids)", "for i in range(len(ids)))"),
            named=("ids_not_used",),
        ),
        Edit("white space at the ends is cut off", (JOIN, JOIN + ".strip()"), named=("stripped",)),
        Edit(
            "the last id is left out",
            ("for i in ids)", "for i in ids[:-1])"),
            named=("without_last",),
        ),
    ],
    "embed": [
        Edit("looks up columns, not rows", (ROWS, "return table[:, ids]"), named=("columns",)),
        Edit(
            "looks up in the transposed table",
            (ROWS, "return table.T[ids]"),
            named=("columns",),
        ),
        Edit(
            "flattens the ids, so the result's shape is (B·T, D)",
            (ROWS, "return table[ids.flatten()]"),
            named=("flat",),
        ),
        Edit("rows are counted from 1", (ROWS, "return table[ids - 1]"), named=("one_down",)),
        Edit(
            "the result is float32, whatever the table has",
            (ROWS, "return table[ids].float()"),
            named=("float32",),
        ),
        Edit(
            "no gradient reaches the table: detach",
            (ROWS, "return table[ids].detach()"),
            named=("detached",),
        ),
        Edit(
            "no gradient reaches the table: data",
            (ROWS, "return table.data[ids]"),
            named=("detached",),
        ),
        Edit(
            "no gradient reaches the table: a new tensor of numbers",
            (ROWS, "return torch.tensor(table.tolist())[ids]"),
            named=(
                "float32",
                "detached",
            ),
        ),
        Edit(
            "scales the rows by √D",
            (ROWS, "return table[ids] * table.shape[1] ** 0.5"),
            named=("scaled",),
        ),
        Edit(
            "one-hot times table with whole numbers, which do not multiply with the table's",
            (ROWS, "return torch.nn.functional.one_hot(ids, table.shape[0]) @ table"),
            named=("one_hot_whole_numbers",),
        ),
        Edit(
            "the one-hot rows are float32, so a table of another dtype does not work",
            (ROWS, "return torch.nn.functional.one_hot(ids, table.shape[0]).float() @ table"),
            named=("one_hot_float32",),
        ),
        Edit(
            "the one-hot rows are as long as the largest id demands, not as the table",
            (ROWS, "return torch.nn.functional.one_hot(ids).to(table.dtype) @ table"),
            named=("one_hot_too_short",),
        ),
        Edit(
            "an id beyond the table begins again at 0",
            (ROWS, "return table[ids % table.shape[0]]"),
            named=("wraps",),
        ),
        Edit(
            "an id beyond the table becomes the last row",
            (ROWS, "return table[ids.clamp(max=len(table) - 1)]"),
            named=("clamped",),
        ),
        Edit(
            "only the first row of the batch",
            (ROWS, "return table[ids[0]]"),
            named=("first_row_only",),
        ),
        Edit(
            "a new table of random numbers",
            (ROWS, "return torch.nn.Embedding(*table.shape)(ids)"),
            named=("other_table",),
        ),
        Edit(
            "row 0 gets no gradient: padding_idx=0",
            (ROWS, "return torch.nn.functional.embedding(ids, table, padding_idx=0)"),
            named=("padding_row",),
        ),
        Edit(
            "the gradient is divided by how often an id occurs",
            (ROWS, "return torch.nn.functional.embedding(ids, table, scale_grad_by_freq=True)"),
            named=("gradient_mean",),
        ),
        Edit(
            "works with ids of one axis only: index_select",
            (ROWS, "return torch.index_select(table, 0, ids)"),
            named=("one_axis_only",),
        ),
        Edit(
            "works with ids of two axes only: a loop over B and T",
            (ROWS, "return torch.stack([torch.stack([table[i] for i in row]) for row in ids])"),
            named=("two_axes_only",),
        ),
        Edit(
            "gather takes single numbers, not rows",
            (ROWS, "return torch.gather(table, 0, ids)"),
            named=("gather",),
        ),
        Edit(
            "axes of length 1 are squeezed away",
            (ROWS, "return table[ids].squeeze()"),
            named=("squeezed",),
        ),
        Edit(
            "the mean over the text, one vector per row",
            (ROWS, "return table[ids].mean(dim=-2)"),
            named=("mean_over_positions",),
        ),
    ],
    "make_batch": [
        Edit(
            "the targets are not shifted: they are the inputs",
            (BATCH, "return data[positions], data[positions]"),
            named=("not_shifted",),
        ),
        Edit(
            "the targets are two steps later",
            ("positions + 1]", "positions + 2]"),
            named=("shifted_twice",),
        ),
        Edit(
            "the targets are one step earlier",
            ("positions + 1]", "positions - 1]"),
            named=("shifted_back",),
        ),
        Edit(
            "inputs and targets are swapped",
            (BATCH, "return data[positions + 1], data[positions]"),
            named=("swapped",),
        ),
        Edit(
            "inputs and targets both begin one step late",
            ("torch.arange(context,", "torch.arange(1, context + 1,"),
            named=("one_late",),
        ),
        Edit(
            "windows are one too long",
            ("torch.arange(context,", "torch.arange(context + 1,"),
            named=("both_long",),
        ),
        Edit(
            "windows are one too short",
            ("torch.arange(context,", "torch.arange(context - 1,"),
            named=("both_short",),
        ),
        Edit(
            "cuts windows of context and shifts inside them, so one position is lost",
            (BATCH, "return data[positions][:, :-1], data[positions][:, 1:]"),
            named=("both_short",),
        ),
        Edit(
            "starts lie along the wrong axis",
            ("starts[:, None]", "starts[None, :]"),
            named=("starts_along_the_wrong_axis",),
        ),
        Edit(
            "the windows lie in columns, (context, B)",
            (BATCH, "return data[positions].T, data[positions + 1].T"),
            named=("transposed",),
        ),
        Edit(
            "starts are counted in windows, not in tokens",
            ("starts[:, None]", "starts[:, None] * context"),
            named=("whole_blocks",),
        ),
        Edit(
            "the last target is the first input: roll",
            (BATCH, "return data[positions], data[positions].roll(-1, dims=1)"),
            named=("rolled",),
        ),
        Edit(
            "the targets are the next window in the batch: roll along the wrong axis",
            (BATCH, "return data[positions], data[positions].roll(-1, dims=0)"),
            named=("rolled_over_the_batch",),
        ),
        Edit(
            "only one target for each window, the token after it",
            (BATCH, "return data[positions], data[positions[:, -1] + 1]"),
            named=("last_target_only",),
        ),
        Edit(
            "targets are the window after the inputs",
            ("positions + 1]", "positions + context]"),
            named=("next_window",),
        ),
        Edit(
            "the result is float32",
            (BATCH, "return data[positions].float(), data[positions + 1].float()"),
            named=("float",),
        ),
        Edit(
            "the result is int64, whatever the data has",
            (BATCH, "return data[positions].long(), data[positions + 1].long()"),
            named=("long",),
        ),
        Edit(
            "ignores starts and draws its own",
            ("starts[:, None]", "torch.randint(len(data) - context, starts.shape)[:, None]"),
            named=("own_starts",),
        ),
        Edit(
            "sorts the starts",
            ("starts[:, None]", "starts.sort().values[:, None]"),
            named=("sorted_starts",),
        ),
        Edit(
            "the targets' slices end one too early",
            (
                BATCH,
                "return data[positions], torch.stack([data[s + 1 : s + context] for s in starts])",
            ),
            named=("short_targets",),
        ),
        Edit(
            "the very last token of the data is never a target: it wraps to the first",
            ("data[positions + 1]", "data[(positions + 1) % (len(data) - 1)]"),
            named=("end_of_data",),
        ),
        Edit(
            "wrong variable: the batch's size is taken for the window",
            ("torch.arange(context,", "torch.arange(len(starts),"),
            named=("batch_for_context",),
        ),
        Edit(
            "returns the positions, not the data",
            (BATCH, "return positions, positions + 1"),
            named=("positions",),
        ),
    ],
    "count_pairs": [
        Edit(
            "only every second pair: cuts the ids into pairs",
            ("pairwise(ids)", "zip(ids[::2], ids[1::2])"),
            named=("blocks_of_two",),
        ),
        Edit(
            "pairs each id with itself",
            ("pairwise(ids)", "zip(ids[:-1], ids[:-1])"),
            named=("with_itself",),
        ),
        Edit(
            "pairs each id with the one after the next",
            ("pairwise(ids)", "zip(ids, ids[2:])"),
            named=("two_apart",),
        ),
        Edit(
            "each pair counts once only",
            ("pairwise(ids)", "set(pairwise(ids))"),
            named=("once_each",),
        ),
        Edit(
            "(a, b) and (b, a) are counted together",
            ("pairwise(ids):\n", "pairwise(ids):\n        pair = tuple(sorted(pair))\n"),
            named=("any_order",),
        ),
        Edit(
            "counts begin at 1, so all are one too many",
            ("counts.get(pair, 0)", "counts.get(pair, 1)"),
            named=("one_too_many",),
        ),
        Edit("every count is 1", ("counts.get(pair, 0) + 1", "1"), named=("once_each",)),
        Edit(
            "every count stays 0",
            ("counts.get(pair, 0) + 1", "counts.get(pair, 0)"),
            named=("never_counted",),
        ),
        Edit(
            "returns after the first pair: return stands in the loop",
            ("    return counts", "        return counts"),
            named=("return_in_the_loop",),
        ),
        Edit(
            "sorts the ids first",
            ("pairwise(ids)", "pairwise(sorted(ids))"),
            named=("sorted_first",),
        ),
        Edit(
            "the last pair is left out",
            ("pairwise(ids)", "pairwise(ids[:-1])"),
            named=("without_last",),
        ),
        Edit(
            "the first pair is left out",
            ("pairwise(ids)", "pairwise(ids[1:])"),
            named=("without_first",),
        ),
        Edit(
            "the last and the first id are counted as neighbours",
            ("pairwise(ids)", "pairwise(ids + ids[:1])"),
            named=("round_the_end",),
        ),
        Edit(
            "the keys are strings",
            ("pairwise(ids):\n", 'pairwise(ids):\n        pair = f"{pair[0]} {pair[1]}"\n'),
            named=("strings",),
        ),
        Edit(
            "the pairs are turned round",
            ("pairwise(ids):\n", "pairwise(ids):\n        pair = pair[::-1]\n"),
            named=("backwards",),
        ),
        Edit(
            "pairs of two equal ids are not counted",
            (
                "pairwise(ids):\n",
                "pairwise(ids):\n        if pair[0] == pair[1]:\n            continue\n",
            ),
            named=("no_twins",),
        ),
        Edit("counts ids, not pairs", ("pairwise(ids)", "ids"), named=("single_ids",)),
        Edit(
            "returns shares, not counts",
            ("return counts", "return {pair: n / (len(ids) - 1) for pair, n in counts.items()}"),
            named=("shares",),
        ),
        Edit(
            "returns a list of counts, sorted",
            ("return counts", "return sorted(counts.items(), key=lambda item: -item[1])"),
            named=("list_of_counts",),
        ),
        Edit(
            "pairs that occur once are left out",
            ("return counts", "return {pair: n for pair, n in counts.items() if n > 1}"),
            named=("frequent_only",),
        ),
        Edit(
            "counts every two ids, neighbours or not",
            ("pairwise(ids)", "[(a, b) for i, a in enumerate(ids) for b in ids[i + 1 :]]"),
            named=("all_pairs",),
        ),
        Edit(
            "an id that was counted in a pair is used up: no overlap between equal pairs",
            ("counts = {}\n", "counts, last, i = {}, -2, -1\n"),
            (
                "pairwise(ids):\n",
                "pairwise(ids):\n        i += 1\n        if pair[0] == pair[1] and last == i - 1:\n            continue\n        last = i if pair[0] == pair[1] else -2\n",
            ),
            named=("without_overlap",),
        ),
    ],
    "merge_pair": [
        Edit(
            "the last id is lost",
            ("while i < len(ids):", "while i < len(ids) - 1:"),
            named=("without_end",),
        ),
        Edit("reads beyond the end", ("i + 1 < len(ids) and ", ""), named=("beyond_the_end",)),
        Edit(
            "reads beyond the end: the bound is one too far",
            ("i + 1 < len(ids)", "i < len(ids)"),
            named=("beyond_the_end",),
        ),
        Edit(
            "a pair at the very end is missed",
            ("i + 1 < len(ids)", "i + 2 < len(ids)"),
            named=("pair_at_the_end",),
        ),
        Edit(
            "the pair's second id stays in the list", ("i += 2", "i += 1"), named=("keeps_second",)
        ),
        Edit(
            "after an id that stays, the next one is skipped",
            (OTHER, OTHER.replace("+= 1", "+= 2")),
            named=("skips_after_kept",),
        ),
        Edit(
            "the pair counts in either order",
            ("(ids[i], ids[i + 1]) == pair", "{ids[i], ids[i + 1]} == set(pair)"),
            named=("any_order",),
        ),
        Edit(
            "the pair is looked for the wrong way round",
            ("(ids[i], ids[i + 1])", "(ids[i + 1], ids[i])"),
            named=("pair_backwards",),
        ),
        Edit(
            "compares a list with a tuple, so nothing is ever merged",
            ("(ids[i], ids[i + 1])", "[ids[i], ids[i + 1]]"),
            named=("unchanged",),
        ),
        Edit(
            "compares a slice, a list, with the tuple",
            ("(ids[i], ids[i + 1]) == pair", "ids[i : i + 2] == pair"),
            named=("unchanged",),
        ),
        Edit(
            "looks at the first id of the pair only",
            ("(ids[i], ids[i + 1]) == pair", "ids[i] == pair[0]"),
            named=("first_id_only",),
        ),
        Edit(
            "one of the two ids is enough",
            ("(ids[i], ids[i + 1]) == pair", "(ids[i] == pair[0] or ids[i + 1] == pair[1])"),
            named=("either_id",),
        ),
        Edit(
            "merges the first place only",
            (MERGED, MERGED + "            return merged + ids[i:]\n"),
            named=("first_only",),
        ),
        Edit(
            "puts the pair itself in as one element",
            ("merged.append(new_id)", "merged.append(pair)"),
            named=("pair_itself",),
        ),
        Edit(
            "the pair is removed and nothing put in its place",
            ("            merged.append(new_id)\n", ""),
            named=("removed",),
        ),
        Edit(
            "new_id is added behind the pair, which stays",
            ("merged.append(new_id)", "merged.extend([*pair, new_id])"),
            named=("pair_kept",),
        ),
        Edit(
            "works in the list that it was given",
            ("merged, i = [], 0", "merged, i = ids, 0"),
            (MERGED, "            ids[i : i + 2] = [new_id]\n            i += 1\n"),
            (OTHER, "            i += 1\n"),
            named=("in_place",),
        ),
        Edit(
            "works in the list that it was given: pop",
            ("merged, i = [], 0", "merged, i = ids, 0"),
            (
                MERGED,
                "            ids[i] = new_id\n            ids.pop(i + 1)\n            i += 1\n",
            ),
            (OTHER, "            i += 1\n"),
            named=("in_place",),
        ),
        Edit(
            "returns after the first step: return stands in the loop",
            ("    return merged", "        return merged"),
            named=("return_in_the_loop",),
        ),
        Edit(
            "goes from right to left",
            ("merged, i = [], 0", "ids, pair = ids[::-1], pair[::-1]\n    merged, i = [], 0"),
            ("return merged", "return merged[::-1]"),
            named=("from_the_right",),
        ),
        Edit(
            "overlapping places are all replaced: aaa becomes two",
            (
                MERGED,
                "            merged.append(new_id)\n            i += 1\n            if ids[i : i + 2] != list(pair):\n                i += 1\n",
            ),
            named=("overlapping_merges",),
        ),
        Edit(
            "returns the number of merges",
            ("return merged", "return len(ids) - len(merged)"),
            named=("count_returned",),
        ),
    ],
    "train_bpe": [
        Edit(
            "begins with code points, not with UTF-8 bytes",
            (UTF8, "[ord(c) for c in text]"),
            named=("characters",),
        ),
        Edit("begins with UTF-16 bytes", ('"utf-8"', '"utf-16"'), named=("utf_16",)),
        Edit("latin-1 knows no other letters", ('"utf-8"', '"latin-1"'), named=("characters",)),
        Edit(
            "bytes outside ASCII are dropped",
            ('"utf-8"', '"ascii", "ignore"'),
            named=("ascii_only",),
        ),
        Edit(
            "takes the pair with the largest ids, not the most frequent",
            ("max(counts, key=counts.get)", "max(counts)"),
            named=("largest_pair",),
        ),
        Edit(
            "takes the rarest pair",
            ("max(counts, key=counts.get)", "min(counts, key=counts.get)"),
            named=("rarest",),
        ),
        Edit(
            "takes the count for the pair",
            ("max(counts, key=counts.get)", "max(counts.values())"),
            named=("count_for_the_pair",),
        ),
        Edit(
            "a tie goes to the pair that occurs last",
            ("max(counts, key=counts.get)", "sorted(counts, key=counts.get)[-1]"),
            named=("tie_last",),
        ),
        Edit(
            "a tie goes to the last: reversed",
            ("max(counts, key=counts.get)", "max(reversed(counts), key=counts.get)"),
            named=("tie_last",),
        ),
        Edit(
            "a tie goes to the pair with the larger ids",
            ("max(counts, key=counts.get)", "max(counts, key=lambda pair: (counts[pair], pair))"),
            named=("tie_largest",),
        ),
        Edit(
            "a tie goes to the pair with the smaller ids",
            ("max(counts, key=counts.get)", "min(counts, key=lambda pair: (-counts[pair], pair))"),
            named=("tie_smallest",),
        ),
        Edit(
            "the merged list is thrown away, so the same pair comes again and again",
            ("ids = merge_pair", "merge_pair"),
            named=("never_merged",),
        ),
        Edit(
            "counts once, before the loop",
            (
                "    for i in range(n_merges):\n        counts = count_pairs(ids)\n",
                "    counts = count_pairs(ids)\n    for i in range(n_merges):\n",
            ),
            ("merges.append(pair)", "merges.append(pair)\n        del counts[pair]"),
            named=("counted_once",),
        ),
        Edit("the new ids begin at 257", ("256 + i", "257 + i", 1), named=("one_too_high",)),
        Edit("the new ids begin at 255", ("256 + i", "255 + i", 1), named=("id_255",)),
        Edit("all merges make the same token", ("256 + i", "256", 1), named=("same_id",)),
        Edit(
            "the new id is one more than the largest in the text",
            ("256 + i", "max(ids) + 1", 1),
            named=("id_from_the_largest",),
        ),
        Edit(
            "the new id follows the number of different ids",
            ("256 + i", "len(set(ids)) + i", 1),
            named=("id_from_the_distinct",),
        ),
        Edit("does not stop when no pair is left", (STOPS, ""), named=("does_not_stop",)),
        Edit(
            "stops when the most frequent pair occurs only once",
            ("if not counts:", "if not counts or max(counts.values()) < 2:"),
            named=("frequent_only",),
        ),
        Edit(
            "takes n_merges for the vocabulary's size",
            ("range(n_merges)", "range(n_merges - 256)"),
            named=("vocabulary_size",),
        ),
        Edit(
            "one merge too many",
            ("range(n_merges)", "range(n_merges + 1)"),
            named=("one_merge_more",),
        ),
        Edit(
            "one merge too few, and ids from 257",
            ("range(n_merges)", "range(1, n_merges)"),
            named=(
                "one_merge_less",
                "one_too_high",
            ),
        ),
        Edit(
            "returns a dictionary from pairs to ids",
            ("return merges", "return {pair: 256 + i for i, pair in enumerate(merges)}"),
            named=("dictionary",),
        ),
        Edit(
            "each merge is listed with its new id",
            ("merges.append(pair)", "merges.append((pair, 256 + i))"),
            named=("with_ids",),
        ),
        Edit(
            "lists the new ids, not the pairs",
            ("merges.append(pair)", "merges.append(256 + i)"),
            named=("ids_only",),
        ),
        Edit(
            "the merges come out backwards",
            ("merges.append(pair)", "merges.insert(0, pair)"),
            named=("backwards",),
        ),
        Edit(
            "the merges come out sorted",
            ("return merges", "return sorted(merges)"),
            named=("sorted_merges",),
        ),
        Edit(
            "returns the encoded text, not the merges",
            ("return merges", "return ids"),
            named=("ids_returned",),
        ),
        Edit(
            "the text is made lower case",
            ("text.encode", "text.lower().encode"),
            named=("lower_case",),
        ),
        Edit(
            "blanks are taken out before counting",
            ("text.encode", 'text.replace(" ", "").encode'),
            named=("blanks_removed",),
        ),
        Edit(
            "returns after the first merge: return stands in the loop",
            ("    return merges", "        return merges"),
            named=("return_in_the_loop",),
        ),
    ],
    "encode_bpe": [
        Edit(
            "begins with code points, not with UTF-8 bytes",
            (UTF8, "[ord(c) for c in text]"),
            named=("characters",),
        ),
        Edit("latin-1 knows no other letters", ('"utf-8"', '"latin-1"'), named=("characters",)),
        Edit(
            "bytes outside ASCII become question marks",
            ('"utf-8"', '"ascii", errors="replace"'),
            named=("question_marks",),
        ),
        Edit(
            "the last merges come first",
            ("enumerate(merges)", "reversed(list(enumerate(merges)))"),
            named=("last_learned_first",),
        ),
        Edit(
            "the last merges come first, and the ids belong to others",
            ("enumerate(merges)", "enumerate(reversed(merges))"),
            named=("last_learned_first",),
        ),
        Edit(
            "merges are applied in the order of their ids' size",
            ("enumerate(merges)", "enumerate(sorted(merges))"),
            named=("sorted_merges",),
        ),
        Edit("the new ids begin at 257", ("256 + i", "257 + i"), named=("one_too_high",)),
        Edit(
            "the new ids begin at 256 twice: 512 + i",
            ("enumerate(merges)", "enumerate(merges, 256)"),
            named=("id_512",),
        ),
        Edit("the new ids begin at 255", ("256 + i", "255 + i"), named=("id_255",)),
        Edit("all merges make the same token", ("256 + i", "256"), named=("same_id",)),
        Edit(
            "the merged list is thrown away: only bytes come out",
            ("ids = merge_pair", "merge_pair"),
            named=("no_merges",),
        ),
        Edit(
            "only the first merge is applied: return stands in the loop",
            ("    return ids", "        return ids"),
            named=("return_in_the_loop",),
        ),
        Edit(
            "stops at the first merge that finds nothing",
            (
                "enumerate(merges):\n",
                "enumerate(merges):\n        if pair not in pairwise(ids):\n            break\n",
            ),
            named=("missing_merge_stops",),
        ),
        Edit(
            "the last merge is left out",
            ("enumerate(merges)", "enumerate(merges[:-1])"),
            named=("without_last_merge",),
        ),
        Edit(
            "the first merge is left out",
            ("enumerate(merges)", "enumerate(merges[1:])"),
            named=("without_first_merge",),
        ),
        Edit(
            "learns new merges from the text",
            ("enumerate(merges)", "enumerate(train_bpe(text, len(merges)))"),
            named=("learns_again",),
        ),
        Edit(
            "the text is made lower case",
            ("text.encode", "text.lower().encode"),
            named=("lower_case",),
        ),
        Edit(
            "each merge is applied at its first place only",
            (
                "        ids = merge_pair(ids, pair, 256 + i)\n",
                "        for j in range(len(ids) - 1):\n            if (ids[j], ids[j + 1]) == pair:\n                ids[j : j + 2] = [256 + i]\n                break\n",
            ),
            named=("first_place_only",),
        ),
        Edit(
            "returns the merged bytes, not ids",
            ("return ids", "return [bytes([i]) if i < 256 else i for i in ids]"),
            named=("bytes_returned",),
        ),
        Edit(
            "all merges again and again until nothing changes, last ones first",
            (
                "    for i, pair in enumerate(merges):\n        ids = merge_pair(ids, pair, 256 + i)\n",
                "    for _ in merges:\n        for i, pair in reversed(list(enumerate(merges))):\n            ids = merge_pair(ids, pair, 256 + i)\n",
            ),
            named=("last_learned_first",),
        ),
        Edit(
            "goes from left to right through the text and takes the first merge that fits there",
            (
                "    for i, pair in enumerate(merges):\n        ids = merge_pair(ids, pair, 256 + i)\n",
                "    j = 0\n    while j + 1 < len(ids):\n        pair = (ids[j], ids[j + 1])\n        if pair in merges:\n            ids[j : j + 2] = [256 + merges.index(pair)]\n        else:\n            j += 1\n",
            ),
            named=("one_pass",),
        ),
    ],
    "decode_bpe": [
        Edit(
            "broken bytes are dropped in silence",
            ('errors="replace"', 'errors="ignore"'),
            named=("invalid_ignored",),
        ),
        Edit("broken bytes are an error", (', errors="replace"', ""), named=("strict",)),
        Edit(
            "broken bytes are an error: strict",
            ('errors="replace"', 'errors="strict"'),
            named=("strict",),
        ),
        Edit(
            "broken bytes become \\x..",
            ('errors="replace"', 'errors="backslashreplace"'),
            named=("invalid_escaped",),
        ),
        Edit(
            "bytes are read as latin-1, so é becomes Ã©",
            ('"utf-8"', '"latin-1"'),
            named=("latin_1",),
        ),
        Edit(
            "each token is decoded by itself",
            (TEXT, '"".join(tokens[i].decode("utf-8", errors="replace") for i in ids)'),
            named=("token_by_token",),
        ),
        Edit(
            "tokens are strings of code points, so é becomes Ã©",
            ("bytes([i]) for i", "chr(i) for i"),
            (TEXT, '"".join(tokens[i] for i in ids)'),
            named=("latin_1",),
        ),
        Edit(
            "bytes(i) makes i zeros, not the byte i",
            ("bytes([i])", "bytes(i)"),
            named=("bytes_of_zeros",),
        ),
        Edit(
            "byte 255 is missing, so all merged tokens are off by one",
            ("range(256)", "range(255)"),
            named=("byte_255_missing",),
        ),
        Edit(
            "the halves are joined the wrong way round",
            ("tokens[first] + tokens[second]", "tokens[second] + tokens[first]"),
            named=("halves_exchanged",),
        ),
        Edit(
            "takes the halves' ids for bytes",
            ("tokens[first] + tokens[second]", "bytes([first, second])"),
            named=("halves_as_bytes",),
        ),
        Edit(
            "takes the first half twice",
            ("tokens[first] + tokens[second]", "tokens[first] + tokens[first]"),
            named=("first_half_twice",),
        ),
        Edit(
            "an id that no merge has made is skipped in silence",
            ("for i in ids)", "for i in ids if i < len(tokens))"),
            named=("unknown_skipped",),
        ),
        Edit(
            "an id that no merge has made begins again at 0",
            ("tokens[i] for i in ids", "tokens[i % len(tokens)] for i in ids"),
            named=("wraps",),
        ),
        Edit(
            "an id that no merge has made becomes nothing: a dictionary's get with a default",
            ("tokens[i] for i in ids", 'dict(enumerate(tokens)).get(i, b"") for i in ids'),
            named=("unknown_skipped",),
        ),
        Edit(
            "an id that no merge has made becomes U+FFFD",
            ("tokens[i] for i in ids", 'dict(enumerate(tokens)).get(i, b"\\xff") for i in ids'),
            named=("unknown_replaced",),
        ),
        Edit(
            "returns bytes, not a text",
            ('.decode("utf-8", errors="replace")', ""),
            named=("bytes_returned",),
        ),
        Edit(
            "returns the bytes' spelling, b'...'",
            (TEXT, 'str(b"".join(tokens[i] for i in ids))'),
            named=("bytes_spelling",),
        ),
        Edit("puts blanks between the tokens", ('b"".join', 'b" ".join'), named=("blanks",)),
        Edit(
            "the last merge is not learned",
            ("in merges:", "in merges[:-1]:"),
            named=("without_last_merge",),
        ),
        Edit(
            "the merges are taken backwards",
            ("in merges:", "in reversed(merges):"),
            named=("merges_backwards",),
        ),
        Edit(
            "white space at the ends is cut off",
            ('errors="replace")', 'errors="replace").strip()'),
            named=("stripped",),
        ),
        Edit(
            "the first token is lost",
            ("for i in ids)", "for i in ids[1:])"),
            named=("first_token_lost",),
        ),
        Edit(
            "U+FFFD is written as a question mark",
            ('errors="replace")', 'errors="replace").replace("\\ufffd", "?")'),
            named=("question_marks",),
        ),
    ],
}

PAIRS = {
    "encode": [
        Edit(
            "places are counted from 1, and unknown characters are skipped in silence",
            ("enumerate(vocab)", "enumerate(vocab, 1)"),
            (RAISE, "continue"),
            named=(
                "from_one",
                "skipped",
            ),
        ),
    ],
    "embed": [
        Edit(
            "rows are counted from 1, and no gradient reaches the table",
            (ROWS, "return table.detach()[ids - 1]"),
            named=(
                "one_down",
                "detached",
            ),
        ),
    ],
    "make_batch": [
        Edit(
            "the targets are two steps later, and inputs and targets are swapped",
            (BATCH, "return data[positions + 2], data[positions]"),
            named=(
                "shifted_twice",
                "swapped",
            ),
        ),
        Edit(
            "the targets are not shifted, and the result is float32",
            (BATCH, "return data[positions].float(), data[positions].float()"),
            named=(
                "not_shifted",
                "float",
            ),
        ),
    ],
    "count_pairs": [
        Edit(
            "(a, b) and (b, a) are counted together, and the last pair is left out",
            ("pairwise(ids):\n", "pairwise(ids[:-1]):\n        pair = tuple(sorted(pair))\n"),
            named=(
                "any_order",
                "without_last",
            ),
        ),
    ],
    "merge_pair": [
        Edit(
            "the last id is lost, and the pair counts in either order",
            ("while i < len(ids):", "while i < len(ids) - 1:"),
            ("(ids[i], ids[i + 1]) == pair", "{ids[i], ids[i + 1]} == set(pair)"),
            named=(
                "without_end",
                "any_order",
            ),
        ),
    ],
    "train_bpe": [
        Edit(
            "a tie goes to the pair that occurs last, and the new ids begin at 257",
            ("max(counts, key=counts.get)", "sorted(counts, key=counts.get)[-1]"),
            ("256 + i", "257 + i", 1),
            named=(
                "tie_last",
                "one_too_high",
            ),
        ),
        Edit(
            "begins with code points, and does not stop when no pair is left",
            (UTF8, "[ord(c) for c in text]"),
            (STOPS, ""),
            named=(
                "characters",
                "does_not_stop",
            ),
        ),
    ],
    "encode_bpe": [
        Edit(
            "the last merges come first, and begins with code points",
            ("enumerate(merges)", "reversed(list(enumerate(merges)))"),
            (UTF8, "[ord(c) for c in text]"),
            named=(
                "last_learned_first",
                "characters",
            ),
        ),
        Edit(
            "the new ids begin at 257, and the last merge is left out",
            ("enumerate(merges)", "enumerate(merges[:-1])"),
            ("256 + i", "257 + i"),
            named=(
                "one_too_high",
                "without_last_merge",
            ),
        ),
    ],
    "decode_bpe": [
        Edit(
            "the halves are joined the wrong way round, and broken bytes are dropped in silence",
            ("tokens[first] + tokens[second]", "tokens[second] + tokens[first]"),
            ('errors="replace"', 'errors="ignore"'),
            named=(
                "halves_exchanged",
                "invalid_ignored",
            ),
        ),
        Edit(
            "each token is decoded by itself, and an unknown id is skipped in silence",
            (
                TEXT,
                '"".join(tokens[i].decode("utf-8", errors="replace") for i in ids if i < len(tokens))',
            ),
            named=(
                "token_by_token",
                "unknown_skipped",
            ),
        ),
    ],
}
