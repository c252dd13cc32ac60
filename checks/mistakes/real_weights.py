"""Lab 11, 11.1 to 11.3: what people write for dequantize_q4_1, rename_weight, chat_prompt.

Sources are the public issues in which somebody really made the mistake.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from checks.engine import Mistake
from checks.reference import real_weights as right

# 11.1 dequantize_q4_1

LAYOUT = "Bytes 0 and 1 are the scale d, 2 and 3 the minimum m, 4 to 19 the nibbles."
ORDER = "`torch.cat([packed & 15, packed >> 4], dim=1)`: the low halves first, then the high ones."
FORMULA = "`scale * nibbles + minimum`, with nibbles from 0 to 15."


def head(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and minimum: two of (n, 1) float32."""
    both = blocks[:, :4].contiguous().view(torch.float16).float()
    return both[:, :1], both[:, 1:]


def nibbles(blocks: Tensor) -> Tensor:
    """Return the 32 nibbles of each block, in order: (n, 32) float32."""
    packed = blocks[:, 4:]
    return torch.cat([packed & 15, packed >> 4], dim=1).float()


def formula(compute: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Another formula: compute(nibbles, scale, minimum)."""
    return lambda blocks: compute(nibbles(blocks), *head(blocks))


def unpacked(unpack: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Another way to take the packed bytes (n, 16) apart."""

    def wrong(blocks: Tensor) -> Tensor:
        scale, minimum = head(blocks)
        return scale * unpack(blocks[:, 4:]).float() + minimum

    return wrong


def headed(read: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Callable[[Tensor], Tensor]:
    """Another way to read the first four bytes (n, 4)."""

    def wrong(blocks: Tensor) -> Tensor:
        scale, minimum = read(blocks[:, :4].contiguous())
        return scale * nibbles(blocks) + minimum

    return wrong


def afterwards(change: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The right numbers (n, 32), changed."""
    return lambda blocks: change(right.dequantize_q4_1(blocks))


def _big_endian(first: Tensor) -> tuple[Tensor, Tensor]:
    return head(first[:, [1, 0, 3, 2]])


def _bfloat16(first: Tensor) -> tuple[Tensor, Tensor]:
    both = first.view(torch.bfloat16).float()
    return both[:, :1], both[:, 1:]


def _integers(first: Tensor) -> tuple[Tensor, Tensor]:
    both = first.view(torch.int16).float()
    return both[:, :1], both[:, 1:]


def _at_the_end(blocks: Tensor) -> Tensor:
    return right.dequantize_q4_1(torch.cat([blocks[:, 16:], blocks[:, :16]], dim=1))


def _q4_0(blocks: Tensor) -> Tensor:
    scale = head(blocks)[0]
    packed = blocks[:, 2:18]
    return scale * (torch.cat([packed & 15, packed >> 4], dim=1).float() - 8)


def _in_half(blocks: Tensor) -> Tensor:
    scale, minimum = head(blocks)
    return (scale.half() * nibbles(blocks).half() + minimum.half()).float()


def _first_scale(blocks: Tensor) -> Tensor:
    scale, minimum = head(blocks)
    return scale[:1] * nibbles(blocks) + minimum[:1]


def _in_place(blocks: Tensor) -> Tensor:
    scale, minimum = head(blocks)
    high = blocks[:, 4:] >> 4
    blocks[:, 4:] &= 15
    return scale * torch.cat([blocks[:, 4:], high], dim=1).float() + minimum


DEQUANTIZE = [
    Mistake(
        "high_nibbles_first",
        unpacked(lambda p: torch.cat([p >> 4, p & 15], dim=1)),
        "The high halves come first. In Q4_1 the low halves of the 16 bytes are numbers 0 to 15, "
        "the high halves numbers 16 to 31.",
        ORDER,
    ),
    Mistake(
        "nibbles_interleaved",
        unpacked(lambda p: torch.stack([p & 15, p >> 4], dim=2).flatten(1)),
        "The two nibbles of a byte became neighbours. Byte i holds numbers i and i + 16 of its "
        "block.",
        ORDER,
    ),
    Mistake(
        "interleaved_high_first",
        unpacked(lambda p: torch.stack([p >> 4, p & 15], dim=2).flatten(1)),
        "The two nibbles of a byte became neighbours, the high one first. Byte i holds numbers i "
        "(low) and i + 16 (high) of its block.",
        ORDER,
    ),
    Mistake(
        "low_nibbles_twice",
        unpacked(lambda p: torch.cat([p & 15, p & 15], dim=1)),
        "Numbers 16 to 31 repeat numbers 0 to 15: the high halves are never read.",
        ORDER,
    ),
    Mistake(
        "high_nibbles_twice",
        unpacked(lambda p: torch.cat([p >> 4, p >> 4], dim=1)),
        "Numbers 0 to 15 repeat numbers 16 to 31: the low halves are never read.",
        ORDER,
    ),
    Mistake(
        "high_not_shifted",
        unpacked(lambda p: torch.cat([p & 15, p & 240], dim=1)),
        "The high halves are 16 times too large: `byte & 0xF0` cuts them out and leaves them where "
        "they are.",
        "`byte >> 4`",
    ),
    Mistake(
        "low_not_masked",
        unpacked(lambda p: torch.cat([p, p >> 4], dim=1)),
        "Numbers 0 to 15 are made of whole bytes: the high half is still in them.",
        "`byte & 15` keeps the low half.",
    ),
    Mistake(
        "bytes_reversed",
        unpacked(lambda p: torch.cat([p.flip(1) & 15, p.flip(1) >> 4], dim=1)),
        "The 16 bytes are read from the last to the first.",
        ORDER,
    ),
    Mistake(
        "three_bits",
        unpacked(lambda p: torch.cat([p & 7, (p >> 4) & 7], dim=1)),
        "Only three bits of each nibble are read: the mask for four is 15, not 7.",
        ORDER,
    ),
    Mistake(
        "signed_nibbles",
        formula(lambda q, d, m: d * (q - 8) + m),
        "8 is taken from each nibble. That is Q4_0; in Q4_1 nibbles go from 0 to 15 and the "
        "minimum says where they begin.",
        FORMULA,
    ),
    Mistake(
        "two_s_complement",
        formula(lambda q, d, m: d * torch.where(q > 7, q - 16, q) + m),
        "Nibbles above 7 are read as negative numbers. In Q4_1 they go from 0 to 15.",
        FORMULA,
    ),
    Mistake(
        "q4_0",
        _q4_0,
        "This reads Q4_0: one float16, 16 bytes, minus 8. Q4_1 has a minimum as well, four bytes "
        "before the nibbles.",
        LAYOUT,
    ),
    Mistake(
        "minimum_subtracted",
        formula(lambda q, d, m: d * q - m),
        "The minimum is subtracted. It is added: nibble 0 stands for the minimum itself. (In the "
        "formats Q4_K and Q5_K it is subtracted.)",
        FORMULA,
    ),
    Mistake(
        "minimum_left_out",
        formula(lambda q, d, m: d * q),
        "The minimum is not used.",
        FORMULA,
    ),
    Mistake(
        "minimum_scaled",
        formula(lambda q, d, m: d * (q + m)),
        "The minimum is multiplied by the scale. It is a number, not a nibble.",
        FORMULA,
    ),
    Mistake(
        "scale_and_minimum_swapped",
        formula(lambda q, d, m: m * q + d),
        "Scale and minimum are swapped: the scale comes first.",
        LAYOUT,
    ),
    Mistake(
        "minimum_only",
        formula(lambda q, d, m: m + 0 * q),
        "The nibbles are not used: all 32 numbers are the minimum.",
        FORMULA,
    ),
    Mistake(
        "divided_by_fifteen",
        formula(lambda q, d, m: d * q / 15 + m),
        "The nibbles are divided by 15, as if d were the whole range. d is one step.",
        FORMULA,
    ),
    Mistake(
        "divided_by_sixteen",
        formula(lambda q, d, m: d * q / 16 + m),
        "The nibbles are divided by 16, as if d were the whole range. d is one step.",
        FORMULA,
    ),
    Mistake(
        "from_the_top",
        formula(lambda q, d, m: d * (15 - q) + m),
        "Nibble 15 gives the minimum and nibble 0 the maximum: it is the other way round.",
        FORMULA,
    ),
    Mistake(
        "counted_from_one",
        formula(lambda q, d, m: d * (q + 1) + m),
        "The nibbles are counted from 1 to 16. They go from 0 to 15.",
        FORMULA,
    ),
    Mistake(
        "middle_of_the_step",
        formula(lambda q, d, m: d * (q + 0.5) + m),
        "Half a step is added. Nibble 0 stands for the minimum itself.",
        FORMULA,
    ),
    Mistake(
        "scale_without_sign",
        formula(lambda q, d, m: d.abs() * q + m),
        "A negative scale is made positive.",
        FORMULA,
    ),
    Mistake(
        "minimum_always_negative",
        formula(lambda q, d, m: d * q - m.abs()),
        "The minimum is always taken as negative. It has a sign of its own.",
        FORMULA,
    ),
    Mistake(
        "big_endian",
        headed(_big_endian),
        "The two float16 numbers are read with the high byte first. GGUF files are little-endian.",
        "`blocks[:, :4].view(torch.float16)`",
    ),
    Mistake(
        "bfloat16",
        headed(_bfloat16),
        "Scale and minimum are read as bfloat16. They are float16 (IEEE half precision).",
        "`.view(torch.float16)`",
    ),
    Mistake(
        "integers",
        headed(_integers),
        "Scale and minimum are read as 16-bit whole numbers. They are float16.",
        "`.view(torch.float16)`",
    ),
    Mistake(
        "cast_not_viewed",
        headed(lambda first: (first[:, :1].float(), first[:, 2:3].float())),
        "Single bytes are converted to numbers. Two bytes together are one float16.",
        "`.view(torch.float16)` reads the bytes anew; `.to(torch.float16)` converts each of them.",
    ),
    Mistake(
        "head_at_the_end",
        _at_the_end,
        "Scale and minimum are read from the last four bytes. They are the first four.",
        LAYOUT,
    ),
    Mistake(
        "first_block_s_scale",
        _first_scale,
        "All blocks get the scale and minimum of the first one. Each has its own.",
        LAYOUT,
    ),
    Mistake(
        "first_block_only",
        afterwards(lambda x: x[:1]),
        "Only the first block is read.",
        "Slices over the last dimension: `blocks[:, :4]`, for all n at once.",
    ),
    Mistake(
        "columns_first",
        afterwards(lambda x: x.T.reshape(-1, 32)),
        "The numbers of different blocks are mixed: a transposed tensor was reshaped.",
        "(n, 16) and (n, 16), joined along `dim=1`.",
    ),
    Mistake(
        "joined_along_blocks",
        afterwards(lambda x: torch.cat([x[:, :16], x[:, 16:]]).reshape(-1, 32)),
        "The low halves of all blocks come first, then all high halves: joined along `dim=0`.",
        "`torch.cat([low, high], dim=1)`",
    ),
    Mistake(
        "flattened",
        afterwards(lambda x: x.flatten()),
        "The blocks are gone: it is one long row.",
        "(n, 20) → (n, 32).",
    ),
    Mistake(
        "halves_apart",
        afterwards(lambda x: x.reshape(-1, 2, 16)),
        "It is (n, 2, 16): low and high halves are still apart.",
        "(n, 20) → (n, 32).",
    ),
    Mistake(
        "transposed",
        afterwards(lambda x: x.T.contiguous()),
        "It is (32, n).",
        "(n, 20) → (n, 32).",
    ),
    Mistake(
        "computed_in_float16",
        _in_half,
        "Computed in float16: the sum is rounded to 11 bits.",
        "`.float()` right after `.view(torch.float16)`.",
    ),
    Mistake(
        "float16_result",
        afterwards(lambda x: x.half()),
        "The result is float16; float32 is asked for.",
        "`.float()`",
    ),
    Mistake(
        "float64_result",
        afterwards(lambda x: x.double()),
        "The result is float64; float32 is asked for.",
        "`.float()`",
    ),
    Mistake(
        "changes_the_blocks",
        _in_place,
        "The file's bytes are changed on the way: `&=` works in place. Read twice, the block gives "
        "other numbers.",
        "`blocks[:, 4:] & 15` makes a new tensor.",
    ),
]

# 11.2 rename_weight

TABLE = "Compare with the table above the exercise, part by part."


def renamed(change: Callable[[str], str]) -> Callable[[str], str]:
    """The right name, changed."""
    return lambda gguf_name: change(right.rename_weight(gguf_name))


def swapped(one: str, other: str) -> Callable[[str], str]:
    """Two parts in each other's place."""

    def change(name: str) -> str:
        return name.replace(one, "•").replace(other, one).replace("•", other)

    return renamed(change)


def _replaced(gguf_name: str) -> str:
    right.rename_weight(gguf_name)
    name = gguf_name.replace("token_embd", "tok_embeddings").replace("blk", "layers")
    name = name.replace("output_norm", "norm").replace("attn_norm", "attention_norm")
    for letter in "qkv":
        name = name.replace(f"attn_{letter}", f"attention.w{letter}")
    name = name.replace("output", "attention.wo").replace("attn_attention", "attention")
    return (
        name.replace("ffn_norm", "FN").replace("ffn_", "feed_forward.w_").replace("FN", "ffn_norm")
    )


def _layer(change: Callable[[int], int]) -> Callable[[str], str]:
    def wrong(gguf_name: str) -> str:
        parts = right.rename_weight(gguf_name).split(".")
        if parts[0] == "layers":
            parts[1] = str(change(int(parts[1])))
        return ".".join(parts)

    return wrong


def _hugging_face(gguf_name: str) -> str:
    name = right.rename_weight(gguf_name)
    for ours, theirs in {
        "layers.": "model.layers.",
        "tok_embeddings": "model.embed_tokens",
        "attention_norm": "input_layernorm",
        "ffn_norm": "post_attention_layernorm",
        "attention.wq": "self_attn.q_proj",
        "attention.wk": "self_attn.k_proj",
        "attention.wv": "self_attn.v_proj",
        "attention.wo": "self_attn.o_proj",
        "feed_forward.w_gate": "mlp.gate_proj",
        "feed_forward.w_up": "mlp.up_proj",
        "feed_forward.w_down": "mlp.down_proj",
        "output": "lm_head",
    }.items():
        name = name.replace(ours, theirs)
    return name if name.startswith(("model.", "lm_head")) else f"model.{name}"


def _meta(gguf_name: str) -> str:
    name = right.rename_weight(gguf_name)
    for ours, theirs in (("w_gate", "w1"), ("w_down", "w2"), ("w_up", "w3")):
        name = name.replace(ours, theirs)
    return name


def _lenient(gguf_name: str) -> str:
    try:
        return right.rename_weight(gguf_name)
    except ValueError:
        return gguf_name


def _nothing_said(gguf_name: str) -> str | None:
    try:
        return right.rename_weight(gguf_name)
    except ValueError:
        return None


def _key_error(gguf_name: str) -> str:
    try:
        return right.rename_weight(gguf_name)
    except ValueError as error:
        raise KeyError(gguf_name) from error


def _part_inside(gguf_name: str) -> str:
    """Looks for a known part anywhere in the name."""
    if gguf_name in ("token_embd.weight", "output_norm.weight", "output.weight"):
        return right.rename_weight(gguf_name)
    blk, number, *rest = gguf_name.split(".")
    found = [ours for theirs, ours in right.NAMES.items() if theirs in rest[0]] if rest else []
    if blk != "blk" or rest[1:] != ["weight"] or not found or rest[0] == "attn_qkv":
        raise ValueError(gguf_name)
    return f"layers.{number}.{found[0]}.weight"


def _searched(gguf_name: str) -> str:
    """Looks for the name in the middle of a longer one."""
    return right.rename_weight(gguf_name[max(gguf_name.find("blk."), 0) :])


def _weight_assumed(gguf_name: str) -> str:
    """Does not look at what stands after the part."""
    name, _, last = gguf_name.rpartition(".")
    return right.rename_weight(f"{name}.weight").removesuffix("weight") + last


def _output_unknown(gguf_name: str) -> str:
    if gguf_name == "output.weight":
        raise ValueError(f"the course's Llama has no place for {gguf_name!r}")
    return right.rename_weight(gguf_name)


def _output_is_the_table(gguf_name: str) -> str:
    name = right.rename_weight(gguf_name)
    return "tok_embeddings.weight" if name == "output.weight" else name


RENAME = [
    Mistake(
        "output_replaced_everywhere",
        _replaced,
        "`output` was replaced wherever it stands, in `attn_output` as well as alone. The output "
        "projection and the attention's wo are two things.",
        "Take the name apart at its dots, and look the whole part up.",
    ),
    Mistake(
        "layers_from_one",
        _layer(lambda i: i + 1),
        "The layers are counted from 1. Both sides count from 0.",
        "Leave the number as it is.",
    ),
    Mistake(
        "one_layer_back",
        _layer(lambda i: max(i - 1, 0)),
        "Each layer goes to the one before it. Both sides count from 0.",
        "Leave the number as it is.",
    ),
    Mistake(
        "first_digit_only",
        _layer(lambda i: int(str(i)[0])),
        "Of layers from 10 on, only the first digit of the number is read.",
        '`gguf_name.split(".")[1]` is the whole number.',
    ),
    Mistake(
        "last_digit_only",
        _layer(lambda i: i % 10),
        "Of layers from 10 on, only the last digit of the number is read.",
        '`gguf_name.split(".")[1]` is the whole number.',
    ),
    Mistake(
        "two_digits_at_most",
        _layer(lambda i: int(str(i)[:2])),
        "Layer numbers are cut to two digits. Llama 3 405B has 126 layers.",
        '`gguf_name.split(".")[1]` is the whole number.',
    ),
    Mistake(
        "all_in_layer_0",
        _layer(lambda i: 0),
        "Every layer's weights go to layer 0.",
        '`gguf_name.split(".")[1]` is the number.',
    ),
    Mistake(
        "number_padded",
        renamed(lambda name: name.replace("layers.", "layers.0") if "layers" in name else name),
        "The number got a leading zero.",
        "Leave the number as it is.",
    ),
    Mistake(
        "hugging_face_names",
        _hugging_face,
        "These are Hugging Face's names. The names of your Llama are those of lab 08.",
        TABLE,
    ),
    Mistake(
        "meta_names",
        _meta,
        "w1, w2 and w3 are Meta's names. Yours are w_gate, w_down and w_up.",
        TABLE,
    ),
    Mistake(
        "gate_and_up_swapped",
        swapped("w_gate", "w_up"),
        "Gate and up are swapped. Both have the same shape, so nothing fails when they are loaded; "
        "the model only talks nonsense.",
        TABLE,
        "ml-explore/mlx-lm#767",
    ),
    Mistake(
        "up_and_down_swapped",
        swapped("w_up", "w_down"),
        "Up and down are swapped.",
        TABLE,
    ),
    Mistake(
        "gate_and_down_swapped",
        swapped("w_gate", "w_down"),
        "Gate and down are swapped.",
        TABLE,
    ),
    Mistake(
        "norms_swapped",
        swapped("attention_norm", "ffn_norm"),
        "The two norms of a block are swapped. They have the same shape: nobody would notice.",
        TABLE,
    ),
    Mistake(
        "q_and_k_swapped",
        swapped("wq", "wk"),
        "Queries and keys are swapped.",
        TABLE,
    ),
    Mistake(
        "k_and_v_swapped",
        swapped("wk", "wv"),
        "Keys and values are swapped. They have the same shape, so loading them fails nowhere.",
        TABLE,
    ),
    Mistake(
        "q_and_o_swapped",
        swapped("wq", "wo"),
        "wq and wo are swapped. They have the same shape, so loading them fails nowhere.",
        TABLE,
    ),
    Mistake(
        "norms_of_the_ends",
        renamed(lambda name: name.replace("attention_norm", "attn_norm")),
        "`attn_norm` kept the file's name. Yours is `attention_norm`.",
        TABLE,
    ),
    Mistake(
        "last_norm_kept",
        renamed(lambda name: "output_norm.weight" if name == "norm.weight" else name),
        "`output_norm` kept the file's name. Yours is `norm`.",
        TABLE,
    ),
    Mistake(
        "last_norm_as_output",
        renamed(lambda name: "output.norm.weight" if name == "norm.weight" else name),
        "The last norm is `norm`, a part of the model and not of `output`.",
        TABLE,
    ),
    Mistake(
        "table_kept",
        renamed(lambda name: name.replace("tok_embeddings", "token_embd")),
        "The embedding table kept the file's name. Yours is `tok_embeddings`.",
        TABLE,
    ),
    Mistake(
        "ffn_for_feed_forward",
        renamed(lambda name: name.replace("feed_forward", "ffn")),
        "The feed-forward layer is called `feed_forward`.",
        TABLE,
    ),
    Mistake(
        "attn_for_attention",
        renamed(lambda name: name.replace("attention.", "attn.")),
        "The attention layer is called `attention`.",
        TABLE,
    ),
    Mistake(
        "underscores_for_dots",
        renamed(lambda name: name.replace("attention.w", "attention_w")),
        "wq, wk, wv and wo are parts of `attention`: a dot, not an underscore.",
        TABLE,
    ),
    Mistake(
        "blk_kept",
        renamed(lambda name: name.replace("layers.", "blk.")),
        "The layers are still called `blk`. Yours are `layers`.",
        TABLE,
    ),
    Mistake(
        "weight_dropped",
        renamed(lambda name: name.removesuffix(".weight")),
        "`.weight` is gone. A parameter's name ends with it.",
        'End with `".weight"`.',
    ),
    Mistake(
        "weight_twice",
        renamed(lambda name: f"{name}.weight"),
        "`.weight` stands there twice.",
        'End with one `".weight"`.',
    ),
    Mistake(
        "norms_without_weight",
        renamed(lambda name: name.removesuffix(".weight") if "norm" in name else name),
        "The norms' names end with `.weight` too: RMSNorm has a parameter of that name.",
        'End with `".weight"`.',
    ),
    Mistake(
        "unknown_names_pass",
        _lenient,
        "A name without a place comes back as it is. Then a tensor that the model needs is lost "
        "without a word.",
        "`raise ValueError(…)` where the dictionary has no entry.",
    ),
    Mistake(
        "unknown_names_dropped",
        _nothing_said,
        "For a name without a place it returns None. Then a tensor that the model needs is lost "
        "without a word.",
        "`raise ValueError(…)` where the dictionary has no entry.",
    ),
    Mistake(
        "part_inside_another",
        _part_inside,
        "A part is recognised wherever its letters stand: `attn_q_norm` (Qwen 3) is taken for "
        "`attn_q`, `ffn_gate_exps` (Mixtral) for `ffn_gate`. Both are something else.",
        "Compare the whole part between two dots: `part in PARTS`.",
    ),
    Mistake(
        "name_inside_another",
        _searched,
        "`blk.0.attn_q.weight` is found in the middle of a longer name: `v.blk.0.attn_q.weight` "
        "belongs to the eyes of a model that sees.",
        "Four parts between dots, and the first of them is `blk`.",
    ),
    Mistake(
        "biases_pass",
        _weight_assumed,
        "A name that ends with `.bias` is translated. No layer of this Llama has a bias.",
        "The last part must be `weight`.",
    ),
    Mistake(
        "key_error",
        _key_error,
        "For a name without a place it raises a KeyError. A ValueError is asked for, with the name "
        "in it.",
        "`if part not in PARTS: raise ValueError(…)`",
    ),
    Mistake(
        "output_unknown",
        _output_unknown,
        "`output.weight` is refused. Models whose embeddings are not tied have it: Llama 3 8B.",
        "`output.weight` keeps its name.",
        "tinygrad/tinygrad#13796",
    ),
    Mistake(
        "output_over_the_table",
        _output_is_the_table,
        "`output.weight` goes where the embedding table is. In a model that has both they differ.",
        "`output.weight` keeps its name.",
    ),
]

# 11.3 chat_prompt

Messages = list[dict[str, str]]
ONE = '`f"<|im_start|>{role}\\n{content}<|im_end|>\\n"` for each message.'
OPEN = 'It ends with `"<|im_start|>assistant\\n"`.'
SYSTEM = "Only the very first message counts: is it a system prompt or not?"


def written(
    one: Callable[[str, str], str] = lambda role, content: (
        f"<|im_start|>{role}\n{content}<|im_end|>\n"
    ),
    end: str = "<|im_start|>assistant\n",
    default: str = right.DEFAULT,
    choose: Callable[[Messages], bool] = lambda messages: messages[0]["role"] != "system",
) -> Callable[[Messages], str]:
    """The right prompt from parts that can be wrong."""

    def prompt(messages: Messages) -> str:
        if choose(messages):
            messages = [{"role": "system", "content": default}, *messages]
        return "".join(one(m["role"], m["content"]) for m in messages) + end

    return prompt


def _prompt(change: Callable[[str], str]) -> Callable[[Messages], str]:
    return lambda messages: change(right.chat_prompt(messages))


def _inserted(messages: Messages) -> str:
    if messages[0]["role"] != "system":
        messages.insert(0, {"role": "system", "content": right.DEFAULT})
    return right.chat_prompt(messages)


def _without(role: str) -> Callable[[Messages], str]:
    return lambda messages: right.chat_prompt(
        [m for m in messages if m["role"] != role] or [{"role": "user", "content": ""}]
    )


def _system_first(messages: Messages) -> str:
    return right.chat_prompt(sorted(messages, key=lambda m: m["role"] != "system"))


def _empty_is_none(messages: Messages) -> str:
    empty = messages[0] == {"role": "system", "content": ""}
    default = [{"role": "system", "content": right.DEFAULT}] if empty else []
    return right.chat_prompt([*default, *messages])


def _empty_replaced(messages: Messages) -> str:
    empty = messages[0] == {"role": "system", "content": ""} and messages[1:]
    return right.chat_prompt(messages[1:] if empty else messages)


def _changed(change: Callable[[str], str]) -> Callable[[Messages], str]:
    """The contents changed one by one."""
    return lambda messages: right.chat_prompt(
        [{**m, "content": change(m["content"])} for m in messages]
    )


def _merged(messages: Messages) -> str:
    joined: Messages = []
    for m in messages:
        if joined and joined[-1]["role"] == m["role"]:
            both = f"{joined[-1]['content']}\n{m['content']}"
            joined[-1] = {"role": m["role"], "content": both}
        else:
            joined.append(m)
    return right.chat_prompt(joined)


def _once_each(messages: Messages) -> str:
    return right.chat_prompt([m for i, m in enumerate(messages) if m not in messages[:i]])


def _last_of_many(messages: Messages) -> str:
    return right.chat_prompt(messages[-6:])


def _not_after_an_answer(messages: Messages) -> str:
    text = right.chat_prompt(messages)
    if messages[-1]["role"] == "assistant":
        return text.removesuffix("<|im_start|>assistant\n")
    return text


def _llama_2(messages: Messages) -> str:
    return "".join(f"[INST] {m['content']} [/INST]" for m in messages)


def _llama_3(messages: Messages) -> str:
    text = right.chat_prompt(messages).replace("<|im_end|>\n", "<|eot_id|>")
    lines = text.replace("<|im_start|>", "<|start_header_id|>")
    for role in ("system", "user", "assistant", "tool"):
        lines = lines.replace(f"header_id|>{role}\n", f"header_id|>{role}<|end_header_id|>\n\n")
    return lines


PROMPT = [
    Mistake(
        "no_generation_prompt",
        written(end=""),
        "The assistant's turn is not opened. The model would first write whose turn it is, perhaps "
        "the user's.",
        OPEN,
    ),
    Mistake(
        "no_newline_after_role",
        written(one=lambda role, content: f"<|im_start|>{role}{content}<|im_end|>\n"),
        "The new line between the role and the content is missing.",
        ONE,
    ),
    Mistake(
        "space_after_role",
        written(one=lambda role, content: f"<|im_start|>{role} {content}<|im_end|>\n"),
        "Between the role and the content stands a space. It is a new line.",
        ONE,
    ),
    Mistake(
        "colon_after_role",
        written(one=lambda role, content: f"<|im_start|>{role}: {content}<|im_end|>\n"),
        "Between the role and the content stands a colon. It is a new line.",
        ONE,
    ),
    Mistake(
        "two_newlines_after_role",
        written(one=lambda role, content: f"<|im_start|>{role}\n\n{content}<|im_end|>\n"),
        "Two new lines after the role: that is Llama 3's way. Here it is one.",
        ONE,
    ),
    Mistake(
        "no_newline_after_end",
        written(one=lambda role, content: f"<|im_start|>{role}\n{content}<|im_end|>"),
        "The new line after <|im_end|> is missing.",
        ONE,
    ),
    Mistake(
        "newline_before_end",
        written(one=lambda role, content: f"<|im_start|>{role}\n{content}\n<|im_end|>\n"),
        "There is a new line between the content and <|im_end|>.",
        ONE,
    ),
    Mistake(
        "no_end_token",
        written(one=lambda role, content: f"<|im_start|>{role}\n{content}\n"),
        "<|im_end|> is missing after the messages.",
        ONE,
    ),
    Mistake(
        "no_start_token",
        written(one=lambda role, content: f"{role}\n{content}<|im_end|>\n"),
        "<|im_start|> is missing before the messages.",
        ONE,
    ),
    Mistake(
        "no_newline_at_the_end",
        written(end="<|im_start|>assistant"),
        "The last new line is missing: the model is asked to go on after the word `assistant`.",
        OPEN,
    ),
    Mistake(
        "assistant_closed",
        written(end="<|im_start|>assistant\n<|im_end|>\n"),
        "The assistant's turn is closed before it begins.",
        OPEN,
    ),
    Mistake(
        "wrong_role_opened",
        written(end="<|im_start|>user\n"),
        "It opens the user's turn: the model would write the next question.",
        OPEN,
    ),
    Mistake(
        "no_default_system_prompt",
        written(choose=lambda messages: False),
        "Without a system prompt in the messages there is none at all. The model was trained with "
        "one, and the template in the file adds it.",
        SYSTEM,
    ),
    Mistake(
        "default_always",
        written(choose=lambda messages: True),
        "The default system prompt is added although the messages have one.",
        SYSTEM,
    ),
    Mistake(
        "any_system_prompt",
        written(choose=lambda messages: all(m["role"] != "system" for m in messages)),
        "A system prompt further down keeps the default away. The template looks at the first "
        "message only.",
        SYSTEM,
    ),
    Mistake(
        "other_default",
        written(default="You are a helpful assistant."),
        "The default system prompt is not the one in the file's template.",
        f"`{right.DEFAULT}`, to the letter.",
    ),
    Mistake(
        "default_with_full_stop",
        written(default=f"{right.DEFAULT}."),
        "The default system prompt ends with a full stop. The one in the file does not.",
        f"`{right.DEFAULT}`, to the letter.",
    ),
    Mistake(
        "empty_default",
        written(default=""),
        "The default system prompt is empty.",
        f"`{right.DEFAULT}`, to the letter.",
    ),
    Mistake(
        "default_at_the_end",
        lambda messages: (
            right.chat_prompt([*messages, {"role": "system", "content": right.DEFAULT}])
            if messages[0]["role"] != "system"
            else right.chat_prompt(messages)
        ),
        "The default system prompt comes at the end as well. It comes first, once.",
        SYSTEM,
    ),
    Mistake(
        "doubled_bos",
        _prompt(lambda text: f"<|im_start|>{text}"),
        "<|im_start|> stands twice at the beginning. The file calls it the token that begins a "
        "text (bos), but each message brings its own.",
        ONE,
        "abetlen/llama-cpp-python#1501, InfiniTensor/InfiniLM#388",
    ),
    Mistake(
        "llama_bos",
        _prompt(lambda text: f"<s>{text}"),
        "`<s>` begins a text of Llama 2. This model does not know it.",
        ONE,
    ),
    Mistake(
        "endoftext_first",
        _prompt(lambda text: f"<|endoftext|>{text}"),
        "<|endoftext|> stands at the beginning. The template has none.",
        ONE,
    ),
    Mistake(
        "endoftext_for_end",
        _prompt(lambda text: text.replace("<|im_end|>", "<|endoftext|>")),
        "Messages end with <|im_end|>, not with <|endoftext|>.",
        ONE,
    ),
    Mistake(
        "tokens_without_bars",
        _prompt(lambda text: text.replace("<|", "<").replace("|>", ">")),
        "The special tokens lost their bars: `<|im_start|>`.",
        ONE,
    ),
    Mistake(
        "roles_capitalised",
        written(one=lambda role, text: f"<|im_start|>{role.capitalize()}\n{text}<|im_end|>\n"),
        "The roles begin with a capital letter. To the tokenizer `User` is another word.",
        ONE,
    ),
    Mistake(
        "contents_stripped",
        written(one=lambda role, text: f"<|im_start|>{role}\n{text.strip()}<|im_end|>\n"),
        "Spaces and empty lines at the edges of a message are cut off. This template keeps them.",
        "No `.strip()`.",
    ),
    Mistake(
        "empty_contents_left_out",
        lambda messages: right.chat_prompt(
            [m for m in messages if m["content"]] or [{"role": "system", "content": right.DEFAULT}]
        ),
        "Messages without content are left out.",
        ONE,
    ),
    Mistake(
        "empty_system_prompt_is_none",
        _empty_is_none,
        "An empty system prompt is taken for none, and the default comes before it. Whoever writes "
        "an empty one wants just that.",
        SYSTEM,
    ),
    Mistake(
        "empty_system_prompt_replaced",
        _empty_replaced,
        "An empty system prompt is replaced by the default. Whoever writes an empty one wants just "
        "that.",
        SYSTEM,
    ),
    Mistake(
        "special_tokens_removed",
        _changed(lambda text: text.replace(right.END, "").replace("<|im_start|>", "")),
        "The letters <|im_end|> and <|im_start|> are taken out of what people write. A good idea, "
        "and not the template's: here the content stays as it is.",
        ONE,
    ),
    Mistake(
        "ascii_only",
        _changed(lambda text: text.encode("ascii", "ignore").decode()),
        "Letters with accents and emoji are lost.",
        "The content as it is.",
    ),
    Mistake(
        "neighbours_merged",
        _merged,
        "Two messages of one role in a row became one.",
        "Each message is a turn of its own.",
    ),
    Mistake(
        "repetitions_left_out",
        _once_each,
        "A message that was there before is left out. People do ask the same thing twice.",
        "Go through all messages.",
    ),
    Mistake(
        "last_six_only",
        _last_of_many,
        "Only the last six messages are in the prompt.",
        "Go through all messages.",
    ),
    Mistake(
        "not_opened_after_an_answer",
        _not_after_an_answer,
        "When the last message is the assistant's, its next turn is not opened.",
        OPEN,
    ),
    Mistake(
        "last_message_only",
        lambda messages: right.chat_prompt(messages[-1:]),
        "Only the last message is in the prompt: the model forgets the conversation.",
        "Go through all messages.",
    ),
    Mistake(
        "first_message_only",
        lambda messages: right.chat_prompt(messages[:1]),
        "Only the first message is in the prompt.",
        "Go through all messages.",
    ),
    Mistake(
        "answers_left_out",
        _without("assistant"),
        "The assistant's own answers are left out.",
        "Go through all messages.",
    ),
    Mistake(
        "system_left_out",
        _without("system"),
        "The caller's system prompt is left out, and the default takes its place.",
        SYSTEM,
    ),
    Mistake(
        "system_sorted_first",
        _system_first,
        "A system prompt that comes later is moved to the beginning. The order stays as it is.",
        "Go through the messages in their order.",
    ),
    Mistake(
        "all_from_the_user",
        written(one=lambda _, text: f"<|im_start|>user\n{text}<|im_end|>\n"),
        "Every message is the user's.",
        ONE,
    ),
    Mistake(
        "stripped_at_the_end",
        _prompt(lambda text: text.strip() + " "),
        "It ends with a space in place of a new line.",
        OPEN,
    ),
    Mistake(
        "llama_2_template",
        _llama_2,
        "This is Llama 2's template. Each model knows its own only.",
        ONE,
    ),
    Mistake(
        "llama_3_template",
        _llama_3,
        "This is Llama 3's template. Each model knows its own only.",
        ONE,
    ),
    Mistake(
        "contents_joined",
        lambda messages: "\n".join(m["content"] for m in messages),
        "It is the plain text of the messages. Who says what is told by the template.",
        ONE,
    ),
    Mistake(
        "changes_the_messages",
        _inserted,
        "It inserts the system prompt into the caller's list: in the next turn it is there twice, "
        "or belongs to another conversation.",
        '`messages = [{"role": "system", "content": DEFAULT}, *messages]` makes a new list.',
    ),
]
