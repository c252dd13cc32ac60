"""Lab 11, 11.2: rename_weight, and what people write in place of its lines."""

from checks.engine import Mistake, mistakes_of

PARTS = {
    "attn_norm": "attention_norm",
    "attn_q": "attention.wq",
    "attn_k": "attention.wk",
    "attn_v": "attention.wv",
    "attn_output": "attention.wo",
    "ffn_norm": "ffn_norm",
    "ffn_gate": "feed_forward.w_gate",
    "ffn_up": "feed_forward.w_up",
    "ffn_down": "feed_forward.w_down",
}
OUTSIDE = {
    "token_embd.weight": "tok_embeddings.weight",
    "output_norm.weight": "norm.weight",
    "output.weight": "output.weight",
}


def rename_weight(gguf_name: str) -> str:
    parts = gguf_name.split(".")
    ours = OUTSIDE.get(gguf_name)
    #: `OUTSIDE` has the three names that belong to no layer.
    #! outside_forgotten: ours = None
    #  The three names that belong to no layer are refused: `token_embd.weight`, `output_norm.weight`, `output.weight`.
    #! last_norm_unknown: ours = OUTSIDE.get(gguf_name) if gguf_name != "output_norm.weight" else None
    #  `output_norm.weight` is refused. It is the norm before the output projection.
    #! table_unknown: ours = OUTSIDE.get(gguf_name) if gguf_name != "token_embd.weight" else None
    #  `token_embd.weight` is refused. It is the embedding table.
    #: `output.weight` keeps its name.
    #! output_unknown: ours = OUTSIDE.get(gguf_name) if gguf_name != "output.weight" else None
    #  `output.weight` is refused. Models whose embeddings are not tied have it: Llama 3 8B. [tinygrad/tinygrad#13796]
    #! output_over_the_table: …; ours = "tok_embeddings.weight" if ours == "output.weight" else ours
    #  `output.weight` goes where the embedding table is. In a model that has both they differ.
    #! output_as_head: …; ours = "lm_head.weight" if ours == "output.weight" else ours
    #  `lm_head` is Hugging Face's name. The output projection is called `output` on both sides.
    #: Compare with the table above the exercise, part by part.
    #! last_norm_kept: …; ours = "output_norm.weight" if ours == "norm.weight" else ours
    #  `output_norm` kept the file's name. Yours is `norm`.
    #! last_norm_as_output: …; ours = "output.norm.weight" if ours == "norm.weight" else ours
    #  The last norm is `norm`, a part of the model and not of `output`.
    #! table_kept: …; ours = ours and ours.replace("tok_embeddings", "token_embd")
    #  The embedding table kept the file's name. Yours is `tok_embeddings`.
    #! outside_kept: ours = gguf_name if gguf_name in OUTSIDE else None
    #  The names that belong to no layer keep the file's names. Two of them are others in your Llama.
    #: Take the name apart at its dots, and look the whole part up.
    #! output_replaced_everywhere: …; ours = "attention.wo.weight" if ours == "output.weight" else ours
    #  `output` was replaced wherever it stands, in `attn_output` as well as alone. The output projection and the attention's wo are two things.
    #: End with `".weight"`.
    #! weight_dropped: …; ours = ours and ours.removesuffix(".weight")
    #  `.weight` is gone. A parameter's name ends with it.
    #: End with one `".weight"`.
    #! weight_twice: …; ours = ours and f"{ours}.weight"
    #  `.weight` stands there twice.
    #: End with `".weight"`.
    #! norms_without_weight: …; ours = "norm" if ours == "norm.weight" else ours
    #  The norms' names end with `.weight` too: RMSNorm has a parameter of that name.
    #: The last part must be `weight`.
    #! outside_biases_pass: ours = OUTSIDE.get(f"{parts[0]}.weight") if len(parts) == 2 else None
    #! outside_biases_pass: end = parts[-1]; ours = OUTSIDE.get(f"{parts[0]}.weight") if len(parts) == 2 else None; ours = ours and ours.replace("weight", end)
    #  Biases of the last norm and the output are translated. Nothing in this Llama has one.
    if ours is not None:
        return ours
        #: End with `".weight"`.
        #! outside_without_weight: return ours.removesuffix(".weight")
        #  `.weight` is gone from the names that belong to no layer.
    known = len(parts) == 4 and parts[2] in PARTS
    #: `if part not in PARTS: raise ValueError(…)`
    #! key_error: known = len(parts) == 4
    #  For a name without a place it raises a KeyError. A ValueError is asked for, with the name in it.
    #! index_error: known = parts[2] in PARTS and len(parts) == 4
    #  For a name with fewer dots it stops with an IndexError. A ValueError is asked for.
    #: Four parts between dots: `len(parts) == 4`, or a `case` without `*_`.
    #! tails_pass: known = len(parts) >= 4 and parts[2] in PARTS
    #  Whatever stands behind a known name is passed over: `blk.0.attn_q.weight.scale` is another tensor.
    #: Compare the whole part between two dots: `part in PARTS`.
    #! part_inside_another: parts[2:3] = [part for part in PARTS if part in "".join(parts[2:3])][:1]; …
    #  A part is recognised wherever its letters stand: `attn_q_norm` (Qwen 3) is taken for `attn_q`, `ffn_gate_exps` (Mixtral) for `ffn_gate`. Both
    #  are something else.
    #! part_inside_another: parts[2:3] = [part for part in PARTS if f"{part}_" in f"{parts[2:3]}" or part in parts[2:3]][:1]; …
    #: The dictionary has an entry for each row of the table.
    #! wo_unknown: known = len(parts) == 4 and parts[2] in PARTS and parts[2] != "attn_output"
    #  `attn_output` is refused. It is the attention's wo.
    #! norms_unknown: known = len(parts) == 4 and parts[2] in PARTS and "norm" not in parts[2]
    #  The norms of the layers are refused. A block has two of them.
    #! feed_forward_unknown: known = len(parts) == 4 and parts[2].startswith("attn") and parts[2] in PARTS
    #  The feed-forward layer's names are refused.
    known = known and parts[0] == "blk"
    #: Four parts between dots, and the first of them is `blk`.
    #! name_inside_another: parts = parts[1:] if parts[0] == "v" else parts; known = len(parts) == 4 and parts[0] == "blk" and parts[2] in PARTS
    #  `blk.0.attn_q.weight` is found in the middle of a longer name: `v.blk.0.attn_q.weight` belongs to the eyes of a model that sees.
    #! any_prefix_passes: pass
    #  What a name begins with is not looked at: `enc.0.attn_q.weight` is no layer of this Llama.
    #! first_digits_only: known = known and parts[0] == "blk" and int(parts[1]) < 10
    #  Layers from 10 on are refused.
    known = known and parts[3] == "weight"
    #: The last part must be `weight`.
    #! biases_pass: pass
    #! biases_pass: pass
    #  A name that ends with `.bias` is translated. No layer of this Llama has a bias.
    if not known:
        raise ValueError(f"this Llama has no place for {gguf_name!r}")
        #: `raise ValueError(…)` where the dictionary has no entry.
        #! unknown_names_pass: return gguf_name
        #  A name without a place comes back as it is. Then a tensor that the model needs is lost without a word.
        #! unknown_names_dropped: return None
        #  For a name without a place it returns None. Then a tensor that the model needs is lost without a word. [vllm-project/vllm#7268]
        #! unknown_names_pass:
        #| if gguf_name == "rope_freqs.weight":
        #|     return gguf_name
        #| raise ValueError(gguf_name)
        #! unknown_names_dropped:
        #| if gguf_name == "rope_freqs.weight":
        #|     return None
        #| raise ValueError(gguf_name)
        #! unknown_names_empty: return ""
        #  For a name without a place it returns an empty text. Then a tensor that the model needs is lost without a word.
        #! error_returned: return ValueError(gguf_name)
        #  The error is returned, like a result. `raise` stops the program.
        #: `if part not in PARTS: raise ValueError(…)`
        #! key_error: raise KeyError(gguf_name)
        #! another_error: raise NameError(gguf_name)
        #! another_error: raise TypeError(gguf_name)
        #! another_error: raise RuntimeError(gguf_name)
        #! another_error: raise AssertionError(gguf_name)
        #! another_error: raise Exception(gguf_name)
        #! another_error: raise LookupError(gguf_name)
        #! another_error: raise AttributeError(gguf_name)
        #  It raises another error. A ValueError is asked for: whoever calls it may wait for that one.
    layer, part = parts[1], PARTS[parts[2]]
    #: Leave the number as it is.
    #! layers_from_one: layer, part = int(parts[1]) + 1, PARTS[parts[2]]
    #  The layers are counted from 1. Both sides count from 0.
    #! one_layer_back: layer, part = max(int(parts[1]) - 1, 0), PARTS[parts[2]]
    #! one_layer_back: layer, part = int(parts[1]) - 1, PARTS[parts[2]]
    #  Each layer goes to the one before it. Both sides count from 0.
    #! number_padded: layer, part = f"0{parts[1]}", PARTS[parts[2]]
    #! number_padded: layer, part = parts[1].zfill(2), PARTS[parts[2]]
    #  The number got a leading zero.
    #: `gguf_name.split(".")[1]` is the whole number.
    #! first_digit_only: layer, part = parts[1][0], PARTS[parts[2]]
    #  Of layers from 10 on, only the first digit of the number is read.
    #! last_digit_only: layer, part = parts[1][-1], PARTS[parts[2]]
    #  Of layers from 10 on, only the last digit of the number is read.
    #! two_digits_at_most: layer, part = parts[1][:2], PARTS[parts[2]]
    #  Layer numbers are cut to two digits. Llama 3 405B has 126 layers.
    #! all_in_layer_0: layer, part = 0, PARTS[parts[2]]
    #  Every layer's weights go to layer 0.
    #: Compare with the table above the exercise, part by part.
    #! gate_and_up_swapped: …; part = swapped(part, "w_gate", "w_up")
    #  Gate and up are swapped. Both have the same shape, so nothing fails when they are loaded; the model only talks nonsense.
    #  [ml-explore/mlx-lm#767]
    #! up_and_down_swapped: …; part = swapped(part, "w_up", "w_down")
    #  Up and down are swapped.
    #! gate_and_down_swapped: …; part = swapped(part, "w_gate", "w_down")
    #  Gate and down are swapped.
    #! norms_swapped: …; part = swapped(part, "attention_norm", "ffn_norm")
    #  The two norms of a block are swapped. They have the same shape: nobody would notice.
    #! q_and_k_swapped: …; part = swapped(part, "wq", "wk")
    #  Queries and keys are swapped.
    #! k_and_v_swapped: …; part = swapped(part, "wk", "wv")
    #  Keys and values are swapped. They have the same shape, so loading them fails nowhere.
    #! q_and_o_swapped: …; part = swapped(part, "wq", "wo")
    #  wq and wo are swapped. They have the same shape, so loading them fails nowhere.
    #! q_and_v_swapped: …; part = swapped(part, "wq", "wv")
    #  wq and wv are swapped.
    #! meta_names: …; part = part.replace("w_gate", "w1").replace("w_down", "w2").replace("w_up", "w3")
    #  w1, w2 and w3 are Meta's names. Yours are w_gate, w_down and w_up.
    #! meta_names_of_the_loop: …; part = part.replace("w_gate", "w1").replace("w_up", "w2").replace("w_down", "w3")
    #  w1, w2 and w3 are Meta's names, and in Meta's w2 leads down. Yours are w_gate, w_up and w_down.
    #! hugging_face_parts: …; part = hugging_face(part)
    #  These are Hugging Face's names behind yours. The names of your Llama are those of lab 08.
    #! part_kept: …; part = parts[2]
    #  The part keeps the file's name: it is not translated.
    #! attention_part_doubled: …; part = part if part == "attention_norm" else part.replace("attention", "attention.attention")
    #  `attention` stands there twice.
    #! norms_of_the_ends: …; part = part.replace("attention_norm", "attn_norm")
    #  `attn_norm` kept the file's name. Yours is `attention_norm`.
    #! ffn_norm_as_feed_forward: …; part = part.replace("ffn_norm", "feed_forward_norm")
    #  `ffn_norm` keeps its name. It is no part of `feed_forward`.
    #! ffn_norm_as_feed_forward: …; part = part.replace("ffn_norm", "feed_forward.norm")
    #! norm_inside_attention: …; part = part.replace("attention_norm", "attention.norm")
    #  `attention_norm` stands beside `attention`, not in it: an underscore, no dot.
    #! ffn_for_feed_forward: …; part = part.replace("feed_forward", "ffn")
    #  The feed-forward layer is called `feed_forward`.
    #! attn_for_attention: …; part = part.replace("attention.", "attn.")
    #  The attention layer is called `attention`.
    #! attn_for_both: …; part = part.replace("attention", "attn")
    #  Your Llama says `attention`, not `attn`.
    #! underscores_for_dots: …; part = part.replace("attention.w", "attention_w")
    #! underscores_for_dots: …; part = part.replace("attention.w", "attention_w").replace("feed_forward.w", "feed_forward_w")
    #  wq, wk, wv and wo are parts of `attention`: a dot, not an underscore.
    #! letters_without_w: …; part = part.replace("attention.w", "attention.")
    #  wq, wk, wv and wo lost their w.
    #! without_w_: …; part = part.replace("w_", "")
    #  w_gate, w_up and w_down lost their `w_`.
    #!+ output_replaced_everywhere: …; part = replaced(parts[2])
    return f"layers.{layer}.{part}.weight"
    #: Compare with the table above the exercise, part by part.
    #! blk_kept: return f"blk.{layer}.{part}.weight"
    #  The layers are still called `blk`. Yours are `layers`.
    #! layer_for_layers: return f"layer.{layer}.{part}.weight"
    #  It says `layer`. Your Llama keeps its blocks in `layers`.
    #! blocks_for_layers: return f"blocks.{layer}.{part}.weight"
    #  It says `blocks`. Your Llama keeps its blocks in `layers`.
    #! model_prefix: return f"model.layers.{layer}.{part}.weight"
    #  `model.` in front is Hugging Face's way. Your names begin with `layers`.
    #: `f"layers.{layer}.…"`, with the f in front.
    #! no_f_string: return "layers.{layer}.{PARTS[part]}.weight"
    #! no_f_string: return "layers.{layer}.{part}.weight"
    #  The f of the f-string is missing: the braces come back as they are.
    #!+ weight_dropped: return f"layers.{layer}.{part}"
    #!+ weight_twice: return f"layers.{layer}.{part}.weight.weight"
    #!+ norms_without_weight: return f"layers.{layer}.{part}" + ".weight" * ("norm" not in part)
    #!+ biases_pass: return f"layers.{layer}.{part}.{parts[-1]}"
    #! weight_dropped: return f"layers.{layer}.{part}"
    #! weight_twice: return f"layers.{layer}.{part}.weight.weight"
    #! norms_without_weight: return f"layers.{layer}.{part}" + ".weight" * ("norm" not in part)
    #: End with `return`.
    #! no_return: f"layers.{layer}.{part}.weight"
    #  The name of a layer's weight is made and then forgotten: there is no `return`.
    #! as_a_list: return ["layers", layer, *part.split("."), "weight"]
    #  It returns the pieces. A text is asked for, joined with dots.


def swapped(name: str, one: str, other: str) -> str:
    """Two parts in each other's place."""
    return name.replace(one, "•").replace(other, one).replace("•", other)


def replaced(part: str) -> str:
    """Pieces of a part replaced one after the other, `output` among them."""
    for piece in ("norm", *"qkv"):
        part = part.replace(f"attn_{piece}", PARTS[f"attn_{piece}"])
    part = part.replace("output", "attention.wo").replace("attn_attention", "attention")
    return part if part == "ffn_norm" else part.replace("ffn_", "feed_forward.w_")


def hugging_face(part: str) -> str:
    """The part of a Llama that is transformers' own."""
    theirs = {"attention_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
    attention = {f"attention.w{letter}": f"self_attn.{letter}_proj" for letter in "qkvo"}
    mlp = {f"feed_forward.w_{way}": f"mlp.{way}_proj" for way in ("gate", "up", "down")}
    return (theirs | attention | mlp)[part]


def all_of_hugging_face(gguf_name: str) -> str:
    """transformers' names from the beginning to the end."""
    name = rename_weight(gguf_name)
    outside = {
        "tok_embeddings.weight": "model.embed_tokens.weight",
        "norm.weight": "model.norm.weight",
        "output.weight": "lm_head.weight",
    }
    if name in outside:
        return outside[name]
    _, layer, part = name.removesuffix(".weight").split(".", 2)
    return f"model.layers.{layer}.{hugging_face(part)}.weight"


def piece_by_piece(gguf_name: str) -> str:
    """Every known piece of a name replaced, wherever it stands."""
    name = gguf_name
    for theirs, ours in (("token_embd", "tok_embeddings"), ("blk.", "layers."), *PARTS.items()):
        name = name.replace(theirs, ours)
    name = name.replace("output_norm", "norm")
    if name == gguf_name != "output.weight":
        raise ValueError(gguf_name)
    return name


MISTAKES: list[Mistake] = [
    *mistakes_of(rename_weight),
    Mistake(
        "hugging_face_names",
        all_of_hugging_face,
        "These are Hugging Face's names. The names of your Llama are those of lab 08.",
        "Compare with the table above the exercise, part by part.",
    ),
    Mistake(
        "replaced_piece_by_piece",
        piece_by_piece,
        "Pieces of the name are replaced wherever they stand. So whatever contains a known piece "
        "gets through: biases, `attn_q_norm`, names with more in front or behind.",
        "Take the name apart at its dots, and look the whole part up.",
        "onnxruntime/mobius#334",
    ),
]
