"""Lab 11: plain edits of the worked answers, each a mistake in the spelling of a learner."""

from wrong_answers import Edit

CAT = "torch.cat([packed & 15, packed >> 4], dim=1)"
LOOP = "for token in generate(model, torch.tensor([ids]), n_new, temperature=0, stop={end}):"
HOLD = 'if not text.endswith("\\N{REPLACEMENT CHARACTER}"):'

EDITS = {
    "dequantize_q4_1": [
        Edit(
            ".to(float16) turns each byte into a number of its own",
            (".view(torch.float16).float()", ".to(torch.float16).float()[:, ::2]"),
            named=("cast_not_viewed",),
        ),
        Edit(
            "the bytes are read as bfloat16",
            (".view(torch.float16)", ".view(torch.bfloat16)"),
            named=("bfloat16",),
        ),
        Edit(
            "the bytes are read as int16",
            (".view(torch.float16)", ".view(torch.int16)"),
            named=("integers",),
        ),
        Edit(
            "low and high nibble of a byte are neighbours, by stack",
            (CAT, "torch.stack([packed & 15, packed >> 4], dim=2).flatten(1)"),
            named=("nibbles_interleaved",),
        ),
        Edit(
            "low and high nibble of a byte are neighbours, by stack on dim=-1 and reshape",
            (CAT, "torch.stack([packed & 15, packed >> 4], dim=-1).reshape(-1, 32)"),
            named=("nibbles_interleaved",),
        ),
        Edit(
            "low and high nibble of a byte are neighbours, filled in with strides",
            (CAT, "blocks.new_zeros(len(blocks), 32)"),
            (
                "    return scale",
                "    nibbles[:, 0::2], nibbles[:, 1::2] = packed & 15, packed >> 4\n    return scale",
            ),
            named=("nibbles_interleaved",),
        ),
        Edit(
            "the high nibbles come first, by stack on dim=1",
            (CAT, "torch.stack([packed >> 4, packed & 15], dim=1).flatten(1)"),
            named=("high_nibbles_first",),
        ),
        Edit(
            "the high nibbles come first",
            (CAT, "torch.cat([packed >> 4, packed & 15], dim=1)"),
            named=("high_nibbles_first",),
        ),
        Edit(
            "cat along dim=0",
            ("packed >> 4], dim=1)", "packed >> 4], dim=0)"),
            named=("joined_along_blocks",),
        ),
        Edit(
            "cat along dim=-2",
            ("packed >> 4], dim=1)", "packed >> 4], dim=-2)"),
            named=("joined_along_blocks",),
        ),
        Edit(
            "the high nibbles are masked and not shifted",
            ("packed >> 4]", "packed & 0xF0]"),
            named=("high_not_shifted",),
        ),
        Edit("shifted by eight bits", ("packed >> 4]", "packed >> 8]"), named=("shifted_away",)),
        Edit(
            "the remainder by 15 instead of the low nibble",
            ("packed & 15", "packed % 15"),
            named=("remainder_by_fifteen",),
        ),
        Edit(
            "divided by 15 instead of 16",
            ("packed >> 4]", "packed // 15]"),
            named=("high_divided_by_fifteen",),
        ),
        Edit(
            "/ for //: the high nibbles keep a fraction",
            ("packed >> 4]", "packed / 16]"),
            named=("high_with_a_fraction",),
        ),
        Edit("three bits only: & 7", ("packed & 15", "packed & 7"), named=("three_bits",)),
        Edit(
            "the low nibbles keep the whole byte",
            ("packed & 15", "packed"),
            named=("low_not_masked",),
        ),
        Edit(
            "the bytes are taken as signed: the high nibble can be negative",
            ("packed = blocks[:, 4:]", "packed = blocks[:, 4:].view(torch.int8)"),
            named=("two_s_complement",),
        ),
        Edit(
            "the minimum is subtracted",
            ("scale * nibbles + minimum", "scale * nibbles - minimum"),
            named=("minimum_subtracted",),
        ),
        Edit(
            "the minimum is forgotten",
            ("scale * nibbles + minimum", "scale * nibbles"),
            named=("minimum_left_out",),
        ),
        Edit(
            "8 is taken from the nibbles and the minimum is forgotten, as in Q4_0",
            ("scale * nibbles + minimum", "scale * (nibbles.float() - 8)"),
            named=("signed_nibbles", "minimum_left_out", "q4_0"),
        ),
        Edit(
            "8 is taken from the nibbles",
            ("scale * nibbles + minimum", "scale * (nibbles.float() - 8) + minimum"),
            named=("signed_nibbles",),
        ),
        Edit(
            "8 is taken from the nibbles while they are uint8: it wraps round",
            ("scale * nibbles + minimum", "scale * (nibbles - 8) + minimum"),
            named=("signed_nibbles",),
        ),
        Edit(
            "brackets: the minimum is scaled, too",
            ("scale * nibbles + minimum", "scale * (nibbles + minimum)"),
            named=("minimum_scaled",),
        ),
        Edit(
            "scale and minimum swapped",
            ("scale, minimum = head", "minimum, scale = head"),
            named=("scale_and_minimum_swapped",),
        ),
        Edit(
            "the roles swapped in the formula",
            ("scale * nibbles + minimum", "minimum * nibbles + scale"),
            named=("scale_and_minimum_swapped",),
        ),
        Edit(
            "the second number is taken for the maximum",
            ("scale * nibbles + minimum", "minimum - scale * (15.0 - nibbles)"),
            named=("minimum_as_maximum",),
        ),
        Edit(
            "float16 comes back",
            (".view(torch.float16).float()", ".view(torch.float16)"),
            named=("float16_result",),
        ),
        Edit("float64 comes back", (".float()", ".double()"), named=("float64_result",)),
        Edit(
            "computed in float16 and made float32 at the end",
            (".view(torch.float16).float()", ".view(torch.float16)"),
            ("scale * nibbles + minimum", "(scale * nibbles + minimum).float()"),
            named=("computed_in_float16",),
        ),
        Edit(
            "rounded to float16 on the way",
            ("scale * nibbles + minimum", "(scale * nibbles + minimum).half().float()"),
            named=("computed_in_float16",),
        ),
        Edit(
            "the nibbles begin after the scale: the minimum is read as nibbles",
            ("packed = blocks[:, 4:]", "packed = blocks[:, 2:18]"),
            named=("nibbles_two_bytes_early",),
        ),
        Edit(
            "the nibbles begin one byte too late",
            ("packed = blocks[:, 4:]", "packed = blocks[:, 5:]"),
            named=("a_byte_lost",),
        ),
        Edit(
            "the nibbles end one byte too early",
            ("packed = blocks[:, 4:]", "packed = blocks[:, 4:-1]"),
            named=("a_byte_lost",),
        ),
        Edit(
            "the head is taken from the end of the block",
            ("blocks[:, :4].view", "blocks[:, -4:].view"),
            ("packed = blocks[:, 4:]", "packed = blocks[:, :-4]"),
            named=("head_at_the_end",),
        ),
        Edit(
            "all blocks get the first one's scale and minimum",
            (
                "head = blocks[:, :4].view(torch.float16).float()",
                "head = blocks[:1, :4].view(torch.float16).float()",
            ),
            named=("first_block_s_scale",),
        ),
        Edit(
            "scale and minimum have no dimension left: (n,) against (n, 32)",
            ("scale, minimum = head.split(1, dim=1)", "scale, minimum = head[:, 0], head[:, 1]"),
            named=("column_lost",),
        ),
        Edit(
            "unbind drops the dimension: (n,) against (n, 32)",
            ("head.split(1, dim=1)", "head.unbind(1)"),
            named=("column_lost",),
        ),
        Edit(
            "writes into blocks: &= in place",
            (CAT, "torch.cat([packed, packed >> 4], dim=1)"),
            ("    nibbles", "    high = packed >> 4\n    packed &= 15\n    nibbles"),
            ("packed, packed >> 4", "packed, high"),
            named=("changes_the_blocks",),
        ),
        Edit(
            "writes into blocks: bitwise shift in place",
            ("packed >> 4]", "packed.bitwise_right_shift_(4)]"),
            named=("changes_the_blocks",),
        ),
        Edit(
            "the bytes are read high byte first",
            ("blocks[:, :4].view", "blocks[:, :4].flip(1).view"),
            ("scale, minimum = head", "minimum, scale = head"),
            named=("big_endian",),
        ),
        Edit(
            "one flat row comes back",
            ("scale * nibbles + minimum", "(scale * nibbles + minimum).flatten()"),
            named=("flattened",),
        ),
        Edit(
            "only one block: .squeeze loses the dimension",
            ("scale * nibbles + minimum", "(scale * nibbles + minimum).squeeze()"),
            named=("squeezed",),
        ),
    ],
    "rename_weight": [
        Edit(
            "an unknown name comes back as it is",
            ('raise ValueError(f"this Llama has no place for {gguf_name!r}")', "return gguf_name"),
            named=("unknown_names_pass",),
        ),
        Edit(
            "an unknown name gives None",
            ('    raise ValueError(f"this Llama has no place for {gguf_name!r}")\n', ""),
            named=("unknown_names_dropped",),
        ),
        Edit(
            "an unknown part gives a KeyError",
            ("raise ValueError(", "raise KeyError("),
            named=("key_error",),
        ),
        Edit(
            "looks the part up without asking whether it is there: KeyError",
            (" if part in PARTS", ""),
            named=("key_error",),
        ),
        Edit(
            "the error is returned, not raised",
            ("raise ValueError(", "return ValueError("),
            named=("error_returned",),
        ),
        Edit(
            "bias is renamed as if it were a weight",
            ('case ["blk", layer, part, "weight"]', 'case ["blk", layer, part, _]'),
            named=("biases_pass",),
        ),
        Edit(
            "the ending is kept, whatever it is",
            ('case ["blk", layer, part, "weight"]', 'case ["blk", layer, part, end]'),
            ('{PARTS[part]}.weight"', '{PARTS[part]}.{end}"'),
            named=("biases_pass",),
        ),
        Edit(
            "anything may follow the name",
            ('"weight"] if', '"weight", *_] if'),
            named=("tails_pass",),
        ),
        Edit(
            "a similar name is taken for a known one: startswith",
            (
                "    match gguf_name",
                '    for part in PARTS:\n        if gguf_name.startswith("blk.") and gguf_name.split(".")[2].startswith(part):\n'
                '            return f"layers.{gguf_name.split(chr(46))[1]}.{PARTS[part]}.weight"\n    match gguf_name',
            ),
            named=("part_inside_another",),
        ),
        Edit(
            "the names outside the blocks are forgotten",
            ("    if gguf_name in OUTSIDE:\n        return OUTSIDE[gguf_name]\n", ""),
            named=("outside_forgotten",),
        ),
        Edit(
            "layer for layers",
            ('f"layers.{layer}', 'f"layer.{layer}'),
            named=("layer_for_layers",),
        ),
        Edit("blk is kept", ('f"layers.{layer}', 'f"blk.{layer}'), named=("blk_kept",)),
        Edit(
            "layers are counted from 1",
            ('f"layers.{layer}', 'f"layers.{int(layer) + 1}'),
            named=("layers_from_one",),
        ),
        Edit(
            "the number of the layer is fixed",
            ('f"layers.{layer}', 'f"layers.0'),
            named=("all_in_layer_0",),
        ),
        Edit(
            "takes one digit only: layer 12 becomes layer 1",
            ('f"layers.{layer}', 'f"layers.{gguf_name[4]}'),
            named=("first_digit_only",),
        ),
        Edit(
            ".weight is missing",
            ('{PARTS[part]}.weight"', '{PARTS[part]}"'),
            named=("weight_dropped",),
        ),
        Edit("the part is not translated", ("{PARTS[part]}", "{part}"), named=("part_kept",)),
        Edit(
            "the f of the f-string is missing",
            ('return f"layers', 'return "layers'),
            named=("no_f_string",),
        ),
        Edit(
            "gate and up swapped",
            (
                "    match gguf_name",
                '    swap = {"ffn_gate": "ffn_up", "ffn_up": "ffn_gate"}\n    match gguf_name',
            ),
            ("{PARTS[part]}", "{PARTS[swap.get(part, part)]}"),
            named=("gate_and_up_swapped",),
        ),
        Edit(
            "up and down swapped",
            (
                "    match gguf_name",
                '    swap = {"ffn_down": "ffn_up", "ffn_up": "ffn_down"}\n    match gguf_name',
            ),
            ("{PARTS[part]}", "{PARTS[swap.get(part, part)]}"),
            named=("up_and_down_swapped",),
        ),
        Edit(
            "keys and values swapped",
            (
                "    match gguf_name",
                '    swap = {"attn_k": "attn_v", "attn_v": "attn_k"}\n    match gguf_name',
            ),
            ("{PARTS[part]}", "{PARTS[swap.get(part, part)]}"),
            named=("k_and_v_swapped",),
        ),
        Edit(
            "the two norms of a block swapped",
            (
                "    match gguf_name",
                '    swap = {"attn_norm": "ffn_norm", "ffn_norm": "attn_norm"}\n    match gguf_name',
            ),
            ("{PARTS[part]}", "{PARTS[swap.get(part, part)]}"),
            named=("norms_swapped",),
        ),
        Edit(
            "Meta's names of the feed-forward matrices, w1, w2, w3",
            (
                'return f"layers.{layer}.{PARTS[part]}.weight"',
                'return f"layers.{layer}.{PARTS[part]}.weight".replace("w_gate", "w1").replace("w_down", "w2").replace("w_up", "w3")',
            ),
            named=("meta_names",),
        ),
        Edit(
            "transformers' prefix, model.layers",
            ('f"layers.{layer}', 'f"model.layers.{layer}'),
            named=("model_prefix",),
        ),
        Edit(
            "wo forgotten: attn_output counts as unknown",
            ("if part in PARTS", 'if part in PARTS and part != "attn_output"'),
            named=("wo_unknown",),
        ),
        Edit(
            "output_norm keeps its name",
            (
                "return OUTSIDE[gguf_name]",
                'return OUTSIDE[gguf_name].replace("norm.weight", "output_norm.weight")',
            ),
            named=("last_norm_kept",),
        ),
        Edit(
            "output.weight is tied: it becomes the table's name",
            (
                "return OUTSIDE[gguf_name]",
                'return "tok_embeddings.weight" if gguf_name == "output.weight" else OUTSIDE[gguf_name]',
            ),
            named=("output_over_the_table",),
        ),
        Edit(
            "output.weight counts as unknown",
            (
                "if gguf_name in OUTSIDE:",
                'if gguf_name in OUTSIDE and gguf_name != "output.weight":',
            ),
            named=("output_unknown",),
        ),
        Edit(
            "rope_freqs.weight is let through",
            (
                "    raise ValueError",
                '    if gguf_name == "rope_freqs.weight":\n        return gguf_name\n    raise ValueError',
            ),
            named=("unknown_names_pass",),
        ),
        Edit(
            "any last part of a name that ends with the right one: blk. is not asked for",
            ('["blk", layer, part, "weight"]', '[_, layer, part, "weight"]'),
            named=("any_prefix_passes",),
        ),
    ],
    "chat_prompt": [
        Edit(
            "no default system prompt",
            (
                '    if messages[0]["role"] != "system":\n        messages = [{"role": "system", "content": DEFAULT}, *messages]\n',
                "",
            ),
            named=("no_default_system_prompt",),
        ),
        Edit(
            "the default system prompt always comes first, even before another",
            ('if messages[0]["role"] != "system":', "if True:"),
            named=("default_always",),
        ),
        Edit(
            "a system message anywhere counts, not only the first",
            (
                'if messages[0]["role"] != "system":',
                'if all(m["role"] != "system" for m in messages):',
            ),
            named=("any_system_prompt",),
        ),
        Edit(
            "looks at the last message instead of the first",
            ("messages[0]", "messages[-1]"),
            named=("last_role_asked",),
        ),
        Edit(
            "== for !=",
            ('["role"] != "system"', '["role"] == "system"'),
            named=("condition_turned_round",),
        ),
        Edit(
            "an empty system prompt is replaced by the default",
            (
                'if messages[0]["role"] != "system":',
                'if messages[0]["role"] != "system" or not messages[0]["content"]:',
            ),
            named=("empty_system_prompt_is_none",),
        ),
        Edit(
            "the default is inserted into the caller's list",
            (
                'messages = [{"role": "system", "content": DEFAULT}, *messages]',
                'messages.insert(0, {"role": "system", "content": DEFAULT})',
            ),
            named=("changes_the_messages",),
        ),
        Edit(
            "the default is appended at the end",
            (
                '[{"role": "system", "content": DEFAULT}, *messages]',
                '[*messages, {"role": "system", "content": DEFAULT}]',
            ),
            named=("default_only_at_the_end",),
        ),
        Edit(
            "the default has a full stop at its end",
            ('"content": DEFAULT', '"content": DEFAULT + "."'),
            named=("default_with_full_stop",),
        ),
        Edit(
            "the default is empty",
            ('"content": DEFAULT', '"content": ""'),
            named=("empty_default",),
        ),
        Edit(
            "no new line after <|im_end|>",
            ('<|im_end|>\\n" for', '<|im_end|>" for'),
            named=("no_newline_after_end",),
        ),
        Edit(
            "a new line before <|im_end|>",
            ("{m['content']}<|im_end|>", "{m['content']}\\n<|im_end|>"),
            named=("newline_before_end",),
        ),
        Edit(
            "no new line after the role",
            ("{m['role']}\\n{m", "{m['role']}{m"),
            named=("no_newline_after_role",),
        ),
        Edit(
            "a space after the role instead of a new line",
            ("{m['role']}\\n{m", "{m['role']} {m"),
            named=("space_after_role",),
        ),
        Edit(
            "a colon after the role",
            ("{m['role']}\\n{m", "{m['role']}:\\n{m"),
            named=("colon_after_role",),
        ),
        Edit(
            "an empty line after the role, as Llama 3 has it",
            ("{m['role']}\\n{m", "{m['role']}\\n\\n{m"),
            named=("two_newlines_after_role",),
        ),
        Edit(
            "a raw string: backslash and n instead of a new line",
            ('turns = [f"', 'turns = [rf"'),
            named=("backslash_and_n",),
        ),
        Edit(
            "no new line after the last assistant",
            ('"<|im_start|>assistant\\n"', '"<|im_start|>assistant"'),
            named=("no_newline_at_the_end",),
        ),
        Edit(
            "the assistant's turn is not opened",
            (' + "<|im_start|>assistant\\n"', ""),
            named=("no_generation_prompt",),
        ),
        Edit(
            "the assistant's turn is closed again",
            ('"<|im_start|>assistant\\n"', '"<|im_start|>assistant\\n<|im_end|>\\n"'),
            named=("assistant_closed",),
        ),
        Edit(
            "the assistant's turn is opened only after a user",
            (
                ' + "<|im_start|>assistant\\n"',
                ' + ("<|im_start|>assistant\\n" if messages[-1]["role"] == "user" else "")',
            ),
            named=("not_opened_after_an_answer",),
        ),
        Edit(
            "joined with new lines: an empty line between turns",
            ('"".join(turns)', '"\\n".join(turns)'),
            named=("empty_line_between",),
        ),
        Edit(
            "content is stripped",
            ("{m['content']}", "{m['content'].strip()}"),
            named=("contents_stripped",),
        ),
        Edit(
            "content is stripped at its end",
            ("{m['content']}", "{m['content'].rstrip()}"),
            named=("contents_stripped", "contents_stripped"),
        ),
        Edit(
            "content in quotes: !r",
            ("{m['content']}", "{m['content']!r}"),
            named=("contents_quoted",),
        ),
        Edit("every role is user", ("{m['role']}", "user"), named=("all_from_the_user",)),
        Edit(
            "only the last message is written",
            ("for m in messages]", "for m in messages[-1:]]"),
            named=("last_message_only",),
        ),
        Edit(
            "the first message is left out",
            ("for m in messages]", "for m in messages[1:]]"),
            named=("first_message_left_out",),
        ),
        Edit(
            "answers of the assistant are left out",
            ("for m in messages]", "for m in messages if m['role'] != 'assistant']"),
            named=("answers_left_out",),
        ),
        Edit(
            "<|im_start|> at both ends",
            ("{m['content']}<|im_end|>", "{m['content']}<|im_start|>"),
            named=("no_end_token", "start_for_end"),
        ),
        Edit(
            "the turns are in the reverse order",
            ("for m in messages]", "for m in reversed(messages)]"),
            named=("turns_reversed",),
        ),
        Edit(
            "a begin-of-text token in front",
            ('return "".join', 'return "<|endoftext|>" + "".join'),
            named=("endoftext_first",),
        ),
        Edit(
            "a list comes back",
            ('"".join(turns) + "<|im_start|>assistant\\n"', '[*turns, "<|im_start|>assistant\\n"]'),
            named=("as_a_list",),
        ),
        Edit(
            "strips the finished prompt",
            (
                'return "".join(turns) + "<|im_start|>assistant\\n"',
                'return ("".join(turns) + "<|im_start|>assistant\\n").strip()',
            ),
            named=("no_newline_at_the_end",),
        ),
        Edit(
            "special tokens of Llama 3",
            ("<|im_start|>{m['role']}\\n", "<|start_header_id|>{m['role']}<|end_header_id|>\\n\\n"),
            ("{m['content']}<|im_end|>\\n", "{m['content']}<|eot_id|>"),
            named=("llama_3_template",),
        ),
        Edit(
            "what users write is escaped",
            ("{m['content']}", "{m['content'].replace('<|', '< |')}"),
            named=("contents_escaped",),
        ),
    ],
    "load_llama": [
        Edit(
            "strict=False: tensors too few or too many are no error",
            ("assign=True", "assign=True, strict=False"),
            named=("not_strict",),
        ),
        Edit(
            "without assign=True the weights stay on meta, without numbers",
            (", assign=True", ""),
            named=("without_assign",),
        ),
        Edit(
            "names are not translated",
            ("{rename_weight(name): weight_of(stored)", "{name: weight_of(stored)"),
            named=("names_kept",),
        ),
        Edit(
            "names are not translated, and strict=False hides it",
            ("{rename_weight(name): weight_of(stored)", "{name: weight_of(stored)"),
            ("assign=True", "assign=True, strict=False"),
            named=("names_kept", "not_strict", "left_on_meta"),
        ),
        Edit(
            "plain() for everything: Q4_1 is refused",
            ("weight_of(stored) for", "stored.plain() for"),
            named=("plain_for_everything",),
        ),
        Edit(
            "dequantize_q4_1 for everything: norms and the table are no Q4_1",
            ("weight_of(stored) for", "dequantize_q4_1(stored.blocks).reshape(stored.shape) for"),
            named=("all_as_q4_1",),
        ),
        Edit(
            "float16 weights",
            ("weight_of(stored) for", "weight_of(stored).half() for"),
            named=("float16_weights",),
        ),
        Edit(
            "bfloat16 weights",
            ("    return model", "    return model.bfloat16()"),
            named=("bfloat16_weights",),
        ),
        Edit(
            "matrices are transposed",
            ("weight_of(stored) for", "weight_of(stored).T for"),
            named=("matrices_turned",),
        ),
        Edit(
            "reshaped to (in, out) and transposed: the rows are torn apart",
            ("weight_of(stored) for", "weight_of(stored).reshape(stored.shape[::-1]).T for"),
            named=("matrices_transposed",),
        ),
        Edit(
            "eps is the default, not the file's",
            (
                "LlamaConfig(**file.config())",
                'LlamaConfig(**{k: v for k, v in file.config().items() if k != "norm_eps"})',
            ),
            named=("default_eps",),
        ),
        Edit(
            "RoPE's base is the default, not the file's",
            (
                "LlamaConfig(**file.config())",
                'LlamaConfig(**{k: v for k, v in file.config().items() if k != "rope_base"})',
            ),
            named=("llama_3_base",),
        ),
        Edit(
            "RoPE's base is 10,000, written by hand",
            ("**file.config()", '**{**file.config(), "rope_base": 10_000.0}'),
            named=("classic_base",),
        ),
        Edit(
            "eps is 1e-6, written by hand",
            ("**file.config()", '**file.config() | {"norm_eps": 1e-6}'),
            named=("eps_1e_6",),
        ),
        Edit(
            "the embeddings are always tied",
            ("**file.config()", '**file.config() | {"tie_embeddings": True}'),
            named=("always_tied",),
        ),
        Edit(
            "the embeddings are never tied",
            ("**file.config()", '**file.config() | {"tie_embeddings": False}'),
            named=("never_tied",),
        ),
        Edit(
            "as many key/value heads as query heads",
            (
                "    with torch",
                '    facts = file.config()\n    facts["n_kv_heads"] = facts["n_heads"]\n    with torch',
            ),
            ("**file.config()", "**facts"),
            named=("kv_heads_as_heads",),
        ),
        Edit(
            "max_seq_len is the default, not the file's",
            (
                "LlamaConfig(**file.config())",
                'LlamaConfig(**{k: v for k, v in file.config().items() if k != "max_seq_len"})',
            ),
            named=("default_max_seq_len",),
        ),
        Edit(
            "the config is that of SmolLM2, whatever the file says",
            (
                "LlamaConfig(**file.config())",
                "LlamaConfig(576, 30, 9, 3, 49152, 1536, 2048, 1e-5, 100_000.0, True)",
            ),
            named=("config_by_hand",),
        ),
        Edit(
            "the file's config is not used: LlamaConfig()",
            ("LlamaConfig(**file.config())", "LlamaConfig()"),
            named=("config_by_hand",),
        ),
        Edit(
            "the dictionary is handed over without **",
            ("LlamaConfig(**file.config())", "LlamaConfig(file.config())"),
            named=("config_not_unpacked",),
        ),
        Edit(
            "the weights are not loaded: random ones stay",
            ("    model.load_state_dict(weights, assign=True)\n", ""),
            ('    with torch.device("meta"):\n        model = ', "    model = "),
            named=("never_loaded",),
        ),
        Edit(
            "the weights are not loaded: the model stays on meta",
            ("    model.load_state_dict(weights, assign=True)\n", ""),
            named=("left_on_meta",),
        ),
        Edit(
            "to_empty after loading throws the numbers away",
            ("    return model", '    return model.to_empty(device="cpu")'),
            named=("emptied",),
        ),
        Edit(
            "returns what load_state_dict says",
            (
                "    model.load_state_dict(weights, assign=True)\n    return model",
                "    return model.load_state_dict(weights, assign=True)",
            ),
            named=("returns_the_report",),
        ),
        Edit(
            "returns the weights, no model",
            ("    return model", "    return weights"),
            named=("weights_only",),
        ),
        Edit(
            "tensors without a place are left out",
            (
                "for name, stored in file.tensors.items()}",
                'for name, stored in file.tensors.items() if "rope" not in name and not name.endswith(".bias")}',
            ),
            named=("unknown_left_out",),
        ),
        Edit(
            "every tensor that does not fit by name is skipped",
            (
                "weights = {rename_weight(name): weight_of(stored) for name, stored in file.tensors.items()}",
                "weights = {}\n    for name, stored in file.tensors.items():\n        try:\n            weights[rename_weight(name)] = weight_of(stored)\n        except ValueError:\n            continue",
            ),
            named=("unknown_left_out",),
        ),
        Edit(
            "missing weights are filled in from the model's own",
            (
                "    model.load_state_dict(weights",
                "    weights = {**model.to_empty(device='cpu').state_dict(), **weights}\n    model.load_state_dict(weights",
            ),
            named=("missing_filled_in",),
        ),
        Edit(
            "rows of wq and wk are reordered as for transformers",
            (
                "    model.load_state_dict",
                '    for name in weights:\n        if name.endswith(("wq.weight", "wk.weight")):\n            d = model.config.dim // model.config.n_heads\n            weights[name] = weights[name].unflatten(0, (-1, d // 2, 2)).transpose(1, 2).flatten(0, 2)\n    model.load_state_dict',
            ),
            named=("permuted_to_half",),
        ),
        Edit(
            "the norms get 1 added",
            ("weight_of(stored) for", 'weight_of(stored) + ("norm" in name) for'),
            named=("norm_weights_plus_one",),
        ),
        Edit(
            "all layers get the weights of layer 0",
            (
                "    model.load_state_dict",
                '    for name in weights:\n        if name.startswith("layers."):\n            weights[name] = weights[f"layers.0.{name.split(chr(46), 2)[2]}"]\n    model.load_state_dict',
            ),
            named=("layer_0_for_all",),
        ),
        Edit(
            "a path as text is not taken",
            ("gguf.read(path)", "gguf.read(path.resolve())"),
            named=("path_as_path_only",),
        ),
    ],
    "chat": [
        Edit("does not stop at <|im_end|>", (", stop={end}", ""), named=("never_stops",)),
        Edit(
            "stops at <|endoftext|>, not at <|im_end|>",
            ('token_to_id("<|im_end|>")', 'token_to_id("<|endoftext|>")'),
            named=("stops_at_endoftext",),
        ),
        Edit(
            "stops at <|im_start|>",
            ('token_to_id("<|im_end|>")', 'token_to_id("<|im_start|>")'),
            named=("stops_at_start",),
        ),
        Edit(
            "stop is the id, not a set: TypeError",
            ("stop={end}", "stop=end"),
            named=("stop_is_no_set",),
        ),
        Edit(
            "stop has the token's text, not its id",
            ("stop={end}", 'stop={"<|im_end|>"}'),
            named=("never_stops",),
        ),
        Edit(
            "draws at random: the temperature is left at 1",
            ("n_new, temperature=0, stop", "n_new, stop"),
            named=("drawn_by_chance",),
        ),
        Edit("temperature 0.7", ("temperature=0,", "temperature=0.7,"), named=("drawn_by_chance",)),
        Edit(
            "decodes each token by itself",
            ("tokenizer.decode(answer)", "tokenizer.decode([token])"),
            ("text[shown:]", "text"),
            named=("broken_tokens_left_out",),
        ),
        Edit(
            "decodes each token by itself and shows the halves as �",
            ("tokenizer.decode(answer)", "tokenizer.decode([token])"),
            (HOLD, "if True:"),
            ("text[shown:]", "text"),
            named=("each_token_alone",),
        ),
        Edit(
            "does not hold back half characters",
            (HOLD, "if text:"),
            named=("half_characters_shown",),
        ),
        Edit(
            "yields the whole answer each time",
            ("yield text[shown:]", "yield text"),
            named=("whole_answer_each_time",),
        ),
        Edit(
            "never says what was shown: every piece begins at 0",
            ("            shown = len(text)\n", ""),
            named=("whole_answer_each_time",),
        ),
        Edit(
            "counts tokens instead of characters as shown",
            ("shown = len(text)", "shown = len(answer)"),
            named=("tokens_counted",),
        ),
        Edit(
            "counts what was held back as shown: characters of several tokens are lost",
            ("            shown = len(text)", "        shown = len(text)"),
            named=("broken_tokens_left_out",),
        ),
        Edit(
            "yields only the last character",
            ("text[shown:]", "text[-1:]"),
            named=("last_character_only",),
        ),
        Edit(
            "holds everything back while there is a � anywhere in the answer",
            (HOLD, 'if "\\N{REPLACEMENT CHARACTER}" not in text:'),
            named=("held_back_for_ever",),
        ),
        Edit(
            "throws � away instead of waiting",
            (HOLD, "text = text.rstrip(chr(0xFFFD))\n        if text:"),
            ("shown = len(text)", "shown = len(tokenizer.decode(answer))"),
            named=("broken_tokens_left_out",),
        ),
        Edit(
            "shows an incomplete character at the end",
            (
                "            shown = len(text)",
                "            shown = len(text)\n    yield tokenizer.decode(answer)[shown:]",
            ),
            named=("broken_character_at_the_end",),
        ),
        Edit(
            "n_new is ignored: always 256",
            ("n_new, temperature", "256, temperature"),
            named=("n_new_ignored",),
        ),
        Edit(
            "one token too few",
            ("n_new, temperature", "n_new - 1, temperature"),
            named=("one_token_too_few",),
        ),
        Edit(
            "one token too many",
            ("n_new, temperature", "n_new + 1, temperature"),
            named=("one_token_too_many",),
        ),
        Edit(
            "the bare question, without its form",
            (
                "tokenizer.encode(chat_prompt(messages))",
                'tokenizer.encode(messages[-1]["content"])',
            ),
            named=("no_template",),
        ),
        Edit(
            "only the last message: the conversation is forgotten",
            ("chat_prompt(messages)", "chat_prompt(messages[-1:])"),
            named=("last_message_only",),
        ),
        Edit(
            "ids have no batch dimension",
            ("torch.tensor([ids])", "torch.tensor(ids)"),
            named=("ids_without_batch",),
        ),
        Edit(
            "hands the list over, no tensor",
            ("torch.tensor([ids])", "[ids]"),
            named=("ids_as_a_list",),
        ),
        Edit(
            "the encoding, not its ids",
            ("chat_prompt(messages)).ids", "chat_prompt(messages))"),
            named=("encoding_for_ids",),
        ),
        Edit(
            "the prompt is decoded, too",
            ("answer, shown = [], 0", "answer, shown = list(ids), 0"),
            named=("prompt_is_shown",),
        ),
        Edit(
            "returns the text at the end instead of yielding pieces",
            (
                "            yield text[shown:]\n            shown = len(text)",
                "            shown = len(text)\n    return text[:shown]",
            ),
            named=("returned_at_the_end",),
        ),
        Edit(
            "yields everything at once at the end",
            ("        if not text", "    if answer and not text"),
            ("            yield text[shown:]", "        yield text[shown:]"),
            ("            shown = len(text)", "        shown = len(text)"),
            named=("all_at_the_end",),
        ),
        Edit("yields ids, not text", ("yield text[shown:]", "yield token"), named=("token_ids",)),
        Edit(
            "prints the pieces instead of yielding them",
            ("yield text[shown:]", 'print(text[shown:], end="")'),
            named=("printed",),
        ),
        Edit(
            "strips the pieces: words run together",
            ("yield text[shown:]", "yield text[shown:].strip()"),
            named=("spaces_lost",),
        ),
        Edit(
            "strips the whole answer's spaces and new lines",
            ("tokenizer.decode(answer)", "tokenizer.decode(answer).strip()"),
            named=("spaces_lost", "answer_stripped"),
        ),
        Edit(
            "appends the answer to the caller's messages",
            (
                "    answer, shown = [], 0",
                '    answer, shown = [], 0\n    messages.append({"role": "assistant", "content": ""})',
            ),
            named=("appends_its_answer",),
        ),
        Edit(
            "special tokens are shown, and it does not stop at the one that ends the answer",
            ("tokenizer.decode(answer)", "tokenizer.decode(answer, skip_special_tokens=False)"),
            (", stop={end}", ""),
            named=("special_tokens_shown", "end_is_shown", "never_stops"),
        ),
        Edit(
            "one piece behind: the last is never shown",
            (
                "yield text[shown:]\n            shown = len(text)",
                "yield text[shown : len(text) - 1]\n            shown = len(text) - 1",
            ),
            named=("one_character_behind",),
        ),
    ],
}
PAIRS = {  # two mistakes at once in one answer
    "dequantize_q4_1": [
        Edit(
            "nibbles are neighbours, and the minimum is subtracted",
            (CAT, "torch.stack([packed & 15, packed >> 4], dim=2).flatten(1)"),
            ("scale * nibbles + minimum", "scale * nibbles - minimum"),
            named=("nibbles_interleaved", "minimum_subtracted"),
        ),
        Edit(
            "scale and minimum swapped, and float16 comes back",
            ("scale, minimum = head", "minimum, scale = head"),
            (".view(torch.float16).float()", ".view(torch.float16)"),
            named=("scale_and_minimum_swapped", "float16_result"),
        ),
        Edit(
            "the high nibbles come first, and 8 is taken from them",
            (CAT, "torch.cat([packed >> 4, packed & 15], dim=1)"),
            ("scale * nibbles + minimum", "scale * (nibbles.float() - 8) + minimum"),
            named=("high_nibbles_first", "signed_nibbles"),
        ),
    ],
    "rename_weight": [
        Edit(
            "gate and up swapped, and bias is renamed as if it were a weight",
            (
                "    match gguf_name",
                '    swap = {"ffn_gate": "ffn_up", "ffn_up": "ffn_gate"}\n    match gguf_name',
            ),
            ("{PARTS[part]}", "{PARTS[swap.get(part, part)]}"),
            ('case ["blk", layer, part, "weight"]', 'case ["blk", layer, part, _]'),
            named=("gate_and_up_swapped", "biases_pass"),
        ),
        Edit(
            "layers are counted from 1, and an unknown name comes back as it is",
            ('f"layers.{layer}', 'f"layers.{int(layer) + 1}'),
            ('raise ValueError(f"this Llama has no place for {gguf_name!r}")', "return gguf_name"),
            named=("layers_from_one", "unknown_names_pass"),
        ),
    ],
    "chat_prompt": [
        Edit(
            "no default system prompt, and the assistant's turn is not opened",
            (
                '    if messages[0]["role"] != "system":\n        messages = [{"role": "system", "content": DEFAULT}, *messages]\n',
                "",
            ),
            (' + "<|im_start|>assistant\\n"', ""),
            named=("no_default_system_prompt", "no_generation_prompt"),
        ),
        Edit(
            "no new line after <|im_end|>, and the content is stripped",
            ('<|im_end|>\\n" for', '<|im_end|>" for'),
            ("{m['content']}", "{m['content'].strip()}"),
            named=("no_newline_after_end", "contents_stripped"),
        ),
        Edit(
            "the default is inserted into the caller's list, and no new line at the end",
            (
                'messages = [{"role": "system", "content": DEFAULT}, *messages]',
                'messages.insert(0, {"role": "system", "content": DEFAULT})',
            ),
            ('"<|im_start|>assistant\\n"', '"<|im_start|>assistant"'),
            named=("changes_the_messages", "no_newline_at_the_end"),
        ),
    ],
    "load_llama": [
        Edit(
            "strict=False, and the eps is the default",
            ("assign=True", "assign=True, strict=False"),
            (
                "LlamaConfig(**file.config())",
                'LlamaConfig(**{k: v for k, v in file.config().items() if k != "norm_eps"})',
            ),
            named=("not_strict", "default_eps"),
        ),
        Edit(
            "float16 weights, and RoPE's base is the default",
            ("weight_of(stored) for", "weight_of(stored).half() for"),
            (
                "LlamaConfig(**file.config())",
                'LlamaConfig(**{k: v for k, v in file.config().items() if k != "rope_base"})',
            ),
            named=("float16_weights", "llama_3_base"),
        ),
    ],
    "chat": [
        Edit(
            "does not stop at <|im_end|>, and decodes each token by itself",
            (", stop={end}", ""),
            ("tokenizer.decode(answer)", "tokenizer.decode([token])"),
            ("text[shown:]", "text"),
            named=("never_stops", "broken_tokens_left_out"),
        ),
        Edit(
            "draws at random, and yields the whole answer each time",
            ("n_new, temperature=0, stop", "n_new, stop"),
            ("yield text[shown:]", "yield text"),
            named=("drawn_by_chance", "whole_answer_each_time"),
        ),
        Edit(
            "only the last message, and half characters are shown",
            ("chat_prompt(messages)", "chat_prompt(messages[-1:])"),
            (HOLD, "if text:"),
            named=("last_message_only", "half_characters_shown"),
        ),
    ],
}
