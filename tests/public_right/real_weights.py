"""Lab 11: right answers with the habits of well-known code bases."""

import re
import struct

import numpy as np
import torch

from assets import gguf
from solutions.my_llama import (
    Llama,
    LlamaConfig,
    chat_prompt,
    dequantize_q4_1,
    generate,
    rename_weight,
)

DEFAULT = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


def gguf_py_dequantize(blocks):
    """gguf-py: numpy, hsplit, a shift by [0, 4] that is broadcast, one reshape."""
    a = blocks.numpy()
    n_blocks = a.shape[0]
    d, rest = np.hsplit(a, [2])
    m, qs = np.hsplit(rest, [2])
    d = np.ascontiguousarray(d).view(np.float16).astype(np.float32)
    m = np.ascontiguousarray(m).view(np.float16).astype(np.float32)
    qs = qs.reshape((n_blocks, -1, 1, 16)) >> np.array([0, 4], dtype=np.uint8).reshape((1, 1, 2, 1))
    qs = (qs & np.uint8(0x0F)).reshape((n_blocks, -1)).astype(np.float32)
    return torch.from_numpy((d * qs) + m)


def comfy_dequantize(blocks):
    """city96's ComfyUI-GGUF: torch, split_with_sizes, a shift by a tensor of [0, 4]."""
    n_blocks = blocks.shape[0]
    d, m, qs = torch.split(blocks, [2, 2, 16], dim=1)
    d = d.contiguous().view(torch.float16).to(torch.float32)
    m = m.contiguous().view(torch.float16).to(torch.float32)
    shift = torch.tensor([0, 4], device=d.device, dtype=torch.uint8).reshape(1, 1, 2, 1)
    qs = (qs.reshape(n_blocks, -1, 1, 16) >> shift).bitwise_and_(15).reshape(n_blocks, -1)
    return (d * qs) + m


def ggml_dequantize(blocks):
    """ggml's dequantize_row_q4_1: two loops, x0 and x1, half a block apart."""
    y = torch.zeros(len(blocks), 32)
    for i, block in enumerate(blocks.tolist()):
        d, m = struct.unpack("<ee", bytes(block[:4]))
        for j, byte in enumerate(block[4:]):
            x0, x1 = byte & 0x0F, byte >> 4
            y[i, j] = float(np.float32(x0) * np.float32(d) + np.float32(m))
            y[i, j + 16] = float(np.float32(x1) * np.float32(d) + np.float32(m))
    return y


def regex_rename(gguf_name):
    """torchtune's and torchchat's converters: patterns with {} for the layer, formatted again."""
    mapping = {
        "token_embd.weight": "tok_embeddings.weight",
        "output_norm.weight": "norm.weight",
        "output.weight": "output.weight",
        "blk.{}.attn_norm.weight": "layers.{}.attention_norm.weight",
        "blk.{}.attn_q.weight": "layers.{}.attention.wq.weight",
        "blk.{}.attn_k.weight": "layers.{}.attention.wk.weight",
        "blk.{}.attn_v.weight": "layers.{}.attention.wv.weight",
        "blk.{}.attn_output.weight": "layers.{}.attention.wo.weight",
        "blk.{}.ffn_norm.weight": "layers.{}.ffn_norm.weight",
        "blk.{}.ffn_gate.weight": "layers.{}.feed_forward.w_gate.weight",
        "blk.{}.ffn_up.weight": "layers.{}.feed_forward.w_up.weight",
        "blk.{}.ffn_down.weight": "layers.{}.feed_forward.w_down.weight",
    }
    if gguf_name.startswith("blk."):
        abstract = re.sub(r"^blk\.(\d+)\.", "blk.{}.", gguf_name)
        number = re.search(r"\d+", gguf_name)
        if abstract in mapping and number:
            return mapping[abstract].format(number.group(0))
    elif gguf_name in mapping:
        return mapping[gguf_name]
    raise ValueError(f"Error converting the state dict. Found unexpected key: {gguf_name!r}")


def hf_rename(gguf_name):
    """HF transformers' first GGUF loader: a match, a table, KeyErrors turned into ValueErrors."""
    parts = {
        "attn_q": "attention.wq", "attn_k": "attention.wk", "attn_v": "attention.wv",
        "attn_output": "attention.wo", "attn_norm": "attention_norm", "ffn_norm": "ffn_norm",
        "ffn_gate": "feed_forward.w_gate", "ffn_up": "feed_forward.w_up", "ffn_down": "feed_forward.w_down",
    }  # fmt: skip
    outside = {"token_embd": "tok_embeddings", "output_norm": "norm", "output": "output"}
    found = re.fullmatch(r"(?:blk\.(?P<bid>\d+)\.)?(?P<name>[a-z_]+)\.weight", gguf_name)
    try:
        if found["bid"] is None:
            return outside[found["name"]] + ".weight"
        return f"layers.{int(found['bid'])}.{parts[found['name']]}.weight"
    except (TypeError, KeyError):
        raise ValueError(f"Unexpected tensor name: {gguf_name}") from None


def jinja_prompt(messages):
    """The template of the file itself, a line for each of its branches."""
    out = ""
    for i, message in enumerate(messages):
        if i == 0 and messages[0]["role"] != "system":
            out += "<|im_start|>system\n" + DEFAULT + "<|im_end|>\n"
        out += "<|im_start|>" + message["role"] + "\n" + message["content"] + "<|im_end|>" + "\n"
    add_generation_prompt = True
    if add_generation_prompt:
        out += "<|im_start|>assistant\n"
    return out


def fastchat_prompt(messages):
    """FastChat's conversation templates: system apart, roles with their separators, a None message at the end."""
    system, rest = DEFAULT, messages
    if messages[0]["role"] == "system":
        system, rest = messages[0]["content"], messages[1:]
    sep = "<|im_end|>"
    ret = f"<|im_start|>system\n{system}" + sep + "\n"
    turns = [("<|im_start|>" + m["role"], m["content"]) for m in rest]
    for role, message in [*turns, ("<|im_start|>assistant", None)]:
        ret += role + "\n" if message is None else role + "\n" + message + sep + "\n"
    return ret


def llama_cpp_prompt(messages):
    """llama.cpp's built-in chatml: a stream that is written to, add_ass at the end; messages are not touched."""
    chat = list(messages)
    if not (chat and chat[0]["role"] == "system"):
        chat.insert(0, dict(role="system", content=DEFAULT))  # noqa: C408
    ss = []
    for message in chat:
        ss += ["<|im_start|>", message["role"], "\n", message["content"], "<|im_end|>\n"]
    ss.append("<|im_start|>assistant\n")
    return "".join(ss)


def _tensor(t):
    return dequantize_q4_1(t.blocks).reshape(t.shape) if t.kind == "Q4_1" else t.plain()


def hf_load(path):
    """HF transformers, low_cpu_mem_usage: meta, then one parameter after the other; missing and unexpected collected."""
    file = gguf.read(path)
    with torch.device("meta"):
        model = Llama(LlamaConfig(**file.config()))
    missing, unexpected = set(model.state_dict()), []
    for name, stored in file.tensors.items():
        key = rename_weight(name)
        if key not in missing:
            unexpected.append(key)
            continue
        missing.discard(key)
        *path_to, last = key.split(".")
        module = model.get_submodule(".".join(path_to))
        value = _tensor(stored)
        if value.shape != getattr(module, last).shape:
            raise ValueError(f"{key} has the shape {tuple(value.shape)}")
        setattr(module, last, torch.nn.Parameter(value, requires_grad=False))
    if missing or unexpected:
        raise RuntimeError(f"missing keys: {missing}, unexpected keys: {unexpected}")
    return model.eval()


def meta_load(path):
    """Meta's llama: the model in memory first, then load_state_dict, which copies."""
    checkpoint = gguf.read(str(path))
    model_args = LlamaConfig(**checkpoint.config())
    model = Llama(model_args)
    state = {}
    for name in checkpoint.tensors:
        state[rename_weight(name)] = _tensor(checkpoint.tensors[name])
    model.load_state_dict(state, strict=True)
    return model


def llama2c_load(path):
    """llama2.c's export.py: parameters by name, copied under no_grad, keys compared by hand."""
    file = gguf.read(path)
    model = Llama(LlamaConfig(**file.config()))
    params = dict(model.named_parameters())
    weights = {rename_weight(name): stored for name, stored in file.tensors.items()}
    if params.keys() != weights.keys():
        raise KeyError(params.keys() ^ weights.keys())
    with torch.no_grad():
        for key, stored in weights.items():
            if params[key].shape != torch.Size(stored.shape):
                raise ValueError(f"shape of {key}")
            params[key].copy_(_tensor(stored))
    model.eval()
    return model


@torch.inference_mode()
def _greedy(model, ids, n_new, end):
    caches = model.new_caches(batch=1, max_len=ids.shape[1] + n_new)
    token = ids
    for _ in range(n_new):
        token = torch.argmax(model(token, caches)[:, -1], dim=-1, keepdim=True)
        if token.item() == end:
            break
        yield token.item()


def gpt_fast_chat(model, tokenizer, messages, n_new=256):
    """gpt-fast and Meta: a greedy loop of its own in inference_mode, whole characters shown as they are ready."""
    ids = torch.tensor(tokenizer.encode(chat_prompt(messages)).ids)[None]
    end, tokens, printed = tokenizer.token_to_id("<|im_end|>"), [], ""
    for token in _greedy(model, ids, n_new, end):
        tokens.append(token)
        text = tokenizer.decode(tokens)
        if text.endswith("�"):
            continue
        piece, printed = text[len(printed) :], text
        if piece:
            yield piece


def vllm_chat(model, tokenizer, messages, n_new=256):
    """vLLM and TGI: a window of tokens is decoded, from prefix_offset and from read_offset, not the whole answer."""
    ids = tokenizer.encode(chat_prompt(messages)).ids
    eos, all_ids = tokenizer.token_to_id("<|im_end|>"), []
    prefix_offset = read_offset = 0
    for token in generate(model, torch.tensor([ids]), n_new, temperature=0, stop={eos}):
        all_ids.append(token)
        prefix_text = tokenizer.decode(all_ids[prefix_offset:read_offset])
        new_text = tokenizer.decode(all_ids[prefix_offset:])
        if len(new_text) > len(prefix_text) and not new_text.endswith("�"):
            prefix_offset, read_offset = read_offset, len(all_ids)
            yield new_text[len(prefix_text) :]


def held_tail_chat(model, tokenizer, messages, n_new=256):
    """llama.cpp: only the incomplete tail is held back, whole characters before it are shown at once."""
    ids = tokenizer.encode(chat_prompt(messages)).ids
    answer, shown = [], 0
    for token in generate(
        model, torch.tensor([ids]), n_new, temperature=0, stop={tokenizer.token_to_id("<|im_end|>")}
    ):
        answer.append(token)
        whole = tokenizer.decode(answer).rstrip("\N{REPLACEMENT CHARACTER}")
        if len(whole) > shown:
            yield whole[shown:]
            shown = len(whole)


RIGHT = {
    "dequantize_q4_1": [gguf_py_dequantize, comfy_dequantize, ggml_dequantize],
    "rename_weight": [regex_rename, hf_rename],
    "chat_prompt": [jinja_prompt, fastchat_prompt, llama_cpp_prompt],
    "load_llama": [hf_load, meta_load, llama2c_load],
    "chat": [gpt_fast_chat, vllm_chat, held_tail_chat],
}
