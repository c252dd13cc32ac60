"""Lab 11: right answers, written differently."""

import codecs
import re
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from assets import gguf
from solutions.my_llama import Llama, LlamaConfig, generate

END = "<|im_end|>"
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"

# 11.1


def dequantize_numpy(blocks: Tensor) -> Tensor:
    """The package gguf's way: numpy, views of the bytes, a shift by (0, 4)."""
    data = np.ascontiguousarray(blocks.numpy())
    d, rest = np.hsplit(data, [2])
    m, qs = np.hsplit(rest, [2])
    d = np.ascontiguousarray(d).view(np.float16).astype(np.float32)
    m = np.ascontiguousarray(m).view(np.float16).astype(np.float32)
    qs = qs.reshape(-1, 1, 16) >> np.array([0, 4], dtype=np.uint8).reshape(1, 2, 1)
    q = (qs & np.uint8(0x0F)).reshape(-1, 32).astype(np.float32)
    return torch.from_numpy(d * q + m)


def dequantize_c(blocks: Tensor) -> Tensor:
    """llama.cpp's way: a loop over blocks and bytes that writes y[j] and y[j + 16]."""
    y = torch.zeros(len(blocks), 32)
    for i, block in enumerate(blocks):
        d, m = struct.unpack("<2e", bytes(block[:4].tolist()))
        for j in range(16):
            y[i, j] = (int(block[4 + j]) & 0x0F) * d + m
            y[i, j + 16] = (int(block[4 + j]) >> 4) * d + m
    return y


def dequantize_arithmetic(blocks: Tensor) -> Tensor:
    """Remainder and quotient by 16, addcmul, strided columns of a float16 view of all."""
    halves = blocks.contiguous().view(torch.float16)  # (n, 10): the first two are of use
    q = torch.cat((blocks[:, 4:].remainder(16), blocks[:, 4:].floor_divide(16)), -1)
    return torch.addcmul(halves[:, 1:2].float(), halves[:, :1].float(), q.float())


def dequantize_table(blocks: Tensor) -> Tensor:
    """A table of the 16 rungs of each block, and gather."""
    head = blocks[:, :4].clone().view(torch.float16).to(torch.float32)
    rungs = head[:, :1] * torch.arange(16.0) + head[:, 1:]  # (n, 16)
    low, high = blocks[:, 4:].long() % 16, blocks[:, 4:].long() // 16
    return rungs.gather(1, torch.hstack([low, high]))


def dequantize_double(blocks: Tensor) -> Tensor:
    """In float64 by stack and flatten, float32 at the end."""
    d, m = (
        blocks[:, i : i + 2].contiguous().view(torch.float16).double().unsqueeze(1) for i in (0, 2)
    )
    packed = blocks[:, 4:].int()
    q = torch.stack([torch.bitwise_and(packed, 0xF), packed.bitwise_right_shift(4)], dim=1)
    return (d * q + m).flatten(1).float()


def dequantize_wrapping(blocks: Tensor) -> Tensor:
    """Low halves by shifts that wrap in uint8; the result is a transposed view."""
    d, m = blocks[:, :4].view(torch.float16).float().split(1, dim=1)
    q = torch.cat([(blocks[:, 4:].T << 4) >> 4, blocks[:, 4:].T >> 4])  # (32, n)
    return (d.T * q + m.T).T


def dequantize_record(blocks: Tensor) -> Tensor:
    """A numpy record of the format, read from the bytes."""
    form = [("d", "<f2"), ("m", "<f2"), ("q", "u1", 16)]
    rows = np.frombuffer(blocks.numpy().tobytes(), dtype=form)
    q = np.concatenate([rows["q"] & 15, rows["q"] >> 4], axis=1)
    return torch.tensor(rows["d"].astype("f4")[:, None] * q + rows["m"].astype("f4")[:, None])


# 11.2

NAMES = {
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


def rename_regex(gguf_name: str) -> str:
    """Regular expressions, one rule after the other."""
    rules = [
        (r"token_embd\.weight", r"tok_embeddings.weight"),
        (r"output_norm\.weight", r"norm.weight"),
        (r"output\.weight", r"output.weight"),
        (r"blk\.(\d+)\.(attn|ffn)_norm\.weight", r"layers.\1.\2_norm.weight"),
        (r"blk\.(\d+)\.attn_([qkv])\.weight", r"layers.\1.attention.w\2.weight"),
        (r"blk\.(\d+)\.attn_output\.weight", r"layers.\1.attention.wo.weight"),
        (r"blk\.(\d+)\.ffn_(gate|up|down)\.weight", r"layers.\1.feed_forward.w_\2.weight"),
    ]
    for pattern, ours in rules:
        if re.fullmatch(pattern, gguf_name):
            return re.sub(pattern, ours, gguf_name).replace("attn_norm", "attention_norm")
    raise ValueError(f"unknown tensor {gguf_name}")


def rename_table(gguf_name: str) -> str:
    """A table of all names, for 200 layers."""
    table = {
        "token_embd.weight": "tok_embeddings.weight",
        "output_norm.weight": "norm.weight",
        "output.weight": "output.weight",
    }
    for i in range(200):
        for theirs, ours in NAMES.items():
            table[f"blk.{i}.{theirs}.weight"] = f"layers.{i}.{ours}.weight"
    if gguf_name not in table:
        raise ValueError(gguf_name)
    return table[gguf_name]


def rename_index(gguf_name: str) -> str:
    """list.index, which raises the ValueError by itself."""
    theirs, ours = list(NAMES), list(NAMES.values())
    parts = gguf_name.removesuffix(".weight").split(".")
    if not gguf_name.endswith(".weight"):
        raise ValueError(gguf_name)
    if len(parts) == 1:
        at = ["token_embd", "output_norm", "output"].index(parts[0])
        return ["tok_embeddings", "norm", "output"][at] + ".weight"
    layers = ["layers"][["blk"].index(parts[0])]
    return ".".join([layers, parts[1], ours[theirs.index(parts[2])], "weight"])


class NoPlace(ValueError):
    """A name that this Llama does not know."""


def rename_partition(gguf_name: str) -> str:
    """Partitions, and an error of its own kind."""
    outside = {"token_embd": "tok_embeddings", "output_norm": "norm", "output": "output"}
    first, _, rest = gguf_name.partition(".")
    number, _, part = rest.partition(".")
    if first == "blk" and part.removesuffix(".weight") in NAMES and part.endswith(".weight"):
        return f"layers.{int(number)}.{NAMES[part[:-7]]}.weight"
    if first not in outside or rest != "weight":
        raise NoPlace(gguf_name)
    return f"{outside[first]}.weight"


# 11.3


def prompt_jinja(messages: list[dict[str, str]]) -> str:
    """The file's own template, line by line."""
    out = []
    for i, message in enumerate(messages):
        if i == 0 and messages[0]["role"] != "system":
            out.append(f"<|im_start|>system\n{SYSTEM}<|im_end|>\n")
        out.append("<|im_start|>" + message["role"] + "\n" + message["content"])
        out.append("<|im_end|>" + "\n")
    out.append("<|im_start|>assistant\n")
    return "".join(out)


def prompt_join(messages: list[dict[str, str]]) -> str:
    """Turns joined by what stands between them."""
    turns = [f"{m['role']}\n{m['content']}" for m in messages]
    if not turns[0].startswith("system\n"):
        turns.insert(0, f"system\n{SYSTEM}")
    return "<|im_start|>" + "<|im_end|>\n<|im_start|>".join([*turns, "assistant\n"])


def prompt_recursive(messages: list[dict[str, str]]) -> str:
    """A default message put before a copy, then str.format."""
    head, *_ = messages
    if head["role"] != "system":
        return prompt_recursive([{"role": "system", "content": SYSTEM}, *messages])
    form = "<|im_start|>{role}\n{content}<|im_end|>\n"
    return "".join(form.format(**m) for m in messages) + "<|im_start|>assistant\n"


def prompt_match(messages: list[dict[str, str]]) -> str:
    """A match statement, and the old formatting with %."""
    match messages:
        case [{"role": "system"}, *_]:
            turns = messages
        case _:
            turns = ({"role": "system", "content": SYSTEM}, *messages)
    form = "<|im_start|>%(role)s\n%(content)s<|im_end|>\n"
    return "".join(form % turn for turn in turns) + "<|im_start|>assistant\n"


# 11.4


def weight(stored: gguf.Stored) -> Tensor:
    if stored.kind == "Q4_1":
        return dequantize_numpy(stored.blocks).reshape(stored.shape)
    return stored.plain()


def load_copying(path: Any) -> nn.Module:
    """Built in full, then copied into: no meta device."""
    file = gguf.read(path)
    model = Llama(LlamaConfig(**file.config()))
    model.load_state_dict({rename_regex(n): weight(stored) for n, stored in file.tensors.items()})
    return model.eval()


def load_one_by_one(path: Any) -> nn.Module:
    """Each parameter by its name, its shape checked, none left over."""
    file = gguf.read(path)
    model = Llama(LlamaConfig(**file.config()))
    places = dict(model.named_parameters())
    with torch.no_grad():
        for name, stored in file.tensors.items():
            place = places.pop(rename_index(name))
            assert place.shape == stored.shape
            place.copy_(weight(stored))
    if places:
        raise ValueError(f"nothing for {list(places)}")
    return model.requires_grad_(False)


class TwoNames(Llama):
    """A Llama that keeps the tied table under a second name."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        if config.tie_embeddings:
            self.output = nn.Linear(config.dim, config.vocab_size, bias=False)
            self.output.weight = self.tok_embeddings.weight

    def forward(self, ids: Tensor, caches: Any = None) -> Tensor:
        tied, self.config.tie_embeddings = self.config.tie_embeddings, False
        try:
            return super().forward(ids, caches)
        finally:
            self.config.tie_embeddings = tied


def load_two_names(path: Any) -> nn.Module:
    """On the meta device, for a Llama whose state_dict has the table twice."""
    file = gguf.read(str(path))
    with torch.device("meta"):
        model = TwoNames(LlamaConfig(**file.config()))
    weights = {rename_table(name): weight(stored) for name, stored in file.tensors.items()}
    weights.setdefault("output.weight", weights["tok_embeddings.weight"])
    model.load_state_dict(weights, strict=True, assign=True)
    if model.config.tie_embeddings:
        model.output.weight = model.tok_embeddings.weight
    return model


def load_by_parts(path: Any) -> nn.Module:
    """set_parameter by hand on a meta model, the sizes read one by one."""
    file = gguf.read(path)
    said = file.metadata
    config = LlamaConfig(
        dim=said["llama.embedding_length"],
        n_layers=said["llama.block_count"],
        n_heads=said["llama.attention.head_count"],
        n_kv_heads=said["llama.attention.head_count_kv"],
        vocab_size=said["llama.vocab_size"],
        hidden_dim=said["llama.feed_forward_length"],
        max_seq_len=said["llama.context_length"],
        norm_eps=said["llama.attention.layer_norm_rms_epsilon"],
        rope_base=said["llama.rope.freq_base"],
        tie_embeddings="output.weight" not in file.tensors,
    )
    with torch.device("meta"):
        model = Llama(config)
    for name, stored in file.tensors.items():
        owner, _, last = rename_regex(name).rpartition(".")
        model.get_submodule(owner).register_parameter(last, nn.Parameter(weight(stored)))
    if any(w.is_meta for w in model.parameters()):
        raise ValueError("the file has not all of it")
    return model


@torch.no_grad()
def load_to_empty(path: Any) -> nn.Module:
    """From meta to memory that nobody has filled, then copied into; a decorator above it."""
    file = gguf.read(path)
    with torch.device("meta"):
        model = Llama(LlamaConfig(**file.config()))
    model = model.to_empty(device="cpu")
    weights = ((rename_index(name), weight(stored)) for name, stored in file.tensors.items())
    model.load_state_dict(dict(weights))
    return model


def load_untied(path: Any) -> nn.Module:
    """A table and an output projection in every model, made one parameter where the file has one."""
    file = gguf.read(path)
    with torch.device("meta"):
        model = Llama(LlamaConfig(**file.config() | {"tie_embeddings": False}))
    weights = {rename_regex(name): weight(stored) for name, stored in file.tensors.items()}
    weights.setdefault("output.weight", weights["tok_embeddings.weight"])
    model.load_state_dict(weights, assign=True)
    if "output.weight" not in file.tensors:
        model.output.weight = model.tok_embeddings.weight
    return model


# 11.5


def greedy(model: Any, ids: list[int], n_new: int, end: int) -> Iterator[int]:
    """Ids of the answer, as lab 10's generate might give them."""
    caches = model.new_caches(1, len(ids) + n_new)
    with torch.no_grad():
        logits = model(torch.tensor([ids]), caches)
    for i in range(n_new):
        token = logits[:, -1].argmax(dim=-1, keepdim=True)
        if token.item() == end:
            break
        yield token.item()
        if i < n_new - 1:
            with torch.no_grad():
                logits = model(token, caches)


def chat_decode_stream(
    model: Any, tokenizer: Any, messages: list[dict[str, str]], n_new: int = 256
) -> Iterator[str]:
    """The DecodeStream of tokenizers."""
    from tokenizers.decoders import DecodeStream

    stream = DecodeStream(skip_special_tokens=True)
    ids = tokenizer.encode(prompt_join(messages)).ids
    for token in greedy(model, ids, n_new, tokenizer.token_to_id(END)):
        if piece := stream.step(tokenizer, token):
            yield piece


def chat_words(
    model: Any, tokenizer: Any, messages: list[dict[str, str]], n_new: int = 256
) -> Iterator[str]:
    """TextIteratorStreamer's way: whole words, the rest at the end."""
    ids = tokenizer.encode(prompt_jinja(messages)).ids
    answer, printed = [], 0
    for token in greedy(model, ids, n_new, tokenizer.token_to_id(END)):
        answer.append(token)
        text = tokenizer.decode(answer)
        end = text.rfind(" ") + 1
        if end > printed and "\ufffd" not in text[printed:end]:
            yield text[printed:end]
            printed = end
    rest = tokenizer.decode(answer)[printed:].rstrip("\ufffd")
    if rest:
        yield rest


@torch.no_grad()
def chat_one_ahead(
    model: Any, tokenizer: Any, messages: list[dict[str, str]], n_new: int = 256
) -> Iterator[str]:
    """A decorated generator; all of the prompt but its last token first; empty pieces too."""
    *prompt, last = tokenizer.encode(prompt_recursive(messages), add_special_tokens=False).ids
    caches = model.new_caches(1, len(prompt) + 1 + n_new)
    model(torch.tensor([prompt]), caches)
    token, answer, shown = last, [], ""
    for _ in range(n_new):
        token = torch.argmax(model(torch.tensor([[token]]), caches)[:, -1, :]).item()
        if tokenizer.id_to_token(token) == END:
            break
        answer.append(token)
        text = tokenizer.decode(answer, skip_special_tokens=True).rstrip("\ufffd")
        yield text[len(shown) :]
        shown = text


class Pieces:
    """An iterator without yield, that waits for whole characters token by token."""

    def __init__(
        self, model: Any, tokenizer: Any, messages: list[dict[str, str]], n_new: int = 256
    ) -> None:
        ids = tokenizer.encode(prompt_join(messages)).ids
        self.stream = greedy(model, ids, n_new, tokenizer.token_to_id(END))
        self.tokenizer = tokenizer

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        waiting: list[int] = []
        while True:
            waiting.append(next(self.stream))
            text = self.tokenizer.decode(waiting)
            if not text.endswith("\ufffd"):
                return text


def chat_iterator(
    model: Any, tokenizer: Any, messages: list[dict[str, str]], n_new: int = 256
) -> Pieces:
    """An iterator without yield, that collects tokens until they are whole characters."""
    return Pieces(model, tokenizer, messages, n_new)


def chat_top_1(
    model: Any, tokenizer: Any, messages: list[dict[str, str]], n_new: int = 256
) -> Iterator[str]:
    """k=1 in place of temperature 0, the stop as a list, a generator expression without empties."""
    ids, stop = tokenizer.encode(prompt_match(messages)).ids, tokenizer.encode(END).ids
    answer: list[int] = []

    def grown(token: int) -> str:
        before = tokenizer.decode(answer).rstrip("\ufffd")
        answer.append(token)
        return tokenizer.decode(answer).rstrip("\ufffd")[len(before) :]

    tokens = generate(model, torch.tensor([ids]), n_new, temperature=1.0, k=1, stop=stop)
    return (piece for piece in map(grown, tokens) if piece)


def chat_bytes(
    model: Any, tokenizer: Any, messages: list[dict[str, str]], n_new: int = 256
) -> Iterator[str]:
    """The tokens' bytes, by the table of GPT-2, through Python's own incremental decoder."""
    itself = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = [byte for byte in range(256) if byte not in itself]
    table = {chr(byte): byte for byte in itself}
    table |= {chr(256 + place): byte for place, byte in enumerate(moved)}
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    special = set(tokenizer.get_added_tokens_decoder())
    ids = tokenizer.encode(prompt_join(messages)).ids
    for token in greedy(model, ids, n_new, tokenizer.token_to_id(END)):
        if token not in special:
            yield decoder.decode(bytes(table[letter] for letter in tokenizer.id_to_token(token)))


ACCEPTED = {
    "dequantize_q4_1": [
        dequantize_numpy,
        dequantize_c,
        dequantize_arithmetic,
        dequantize_table,
        dequantize_double,
        dequantize_wrapping,
        dequantize_record,
    ],
    "rename_weight": [rename_regex, rename_table, rename_index, rename_partition],
    "chat_prompt": [prompt_jinja, prompt_join, prompt_recursive, prompt_match],
    "load_llama": [
        load_copying,
        load_one_by_one,
        load_two_names,
        load_by_parts,
        load_to_empty,
        load_untied,
    ],
    "chat": [
        chat_decode_stream,
        chat_words,
        chat_one_ahead,
        chat_iterator,
        chat_top_1,
        chat_bytes,
    ],
}

# What the browser test types into an exercise cell: exercise, source, key of the mistake.
TYPED = (
    "11.1",
    """def dequantize_q4_1(blocks):
    scale, minimum = blocks[:, :4].contiguous().view(torch.float16).float().split(1, dim=1)
    nibbles = torch.cat([blocks[:, 4:] >> 4, blocks[:, 4:] & 15], dim=1)
    return scale * nibbles + minimum
""",
    "high_nibbles_first",
)
