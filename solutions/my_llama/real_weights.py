"""11 · Real weights (made from solutions/11_real_weights.py by tools/build.py)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from assets import gguf
from torch import Tensor

from . import Llama, LlamaConfig, generate


def dequantize_q4_1(blocks: Tensor) -> Tensor:
    """Make the weights out of Q4_1 blocks: scale · nibble + minimum.

    blocks: (n, 20) uint8, left as they are → (n, 32) float32.

    >>> scale, minimum = [0x00, 0x38], [0x00, 0xC0]   # 0.5 and -2 in float16, low byte first
    >>> block = torch.tensor([scale + minimum + [0xF0, 0x81] + 14 * [0x84]], dtype=torch.uint8)
    >>> weights = dequantize_q4_1(block)   # the low nibbles are 0, 1, 4 …, the high ones 15, 8, 8 …
    >>> weights[0, :3].tolist(), weights[0, 16:19].tolist()
    ([-2.0, -1.5, 0.0], [5.5, 2.0, 2.0])
    """
    head = blocks[:, :4].view(torch.float16).float()  # (n, 2)
    scale, minimum = head.split(1, dim=1)  # (n, 1) each
    packed = blocks[:, 4:]  # (n, 16)
    nibbles = torch.cat([packed & 15, packed >> 4], dim=1)  # (n, 32), from 0 to 15
    return scale * nibbles + minimum


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
    """Translate a tensor's name in a GGUF file to its name in `Llama`. ValueError if it has none.

    >>> rename_weight("token_embd.weight")
    'tok_embeddings.weight'
    >>> rename_weight("blk.3.attn_q.weight")
    'layers.3.attention.wq.weight'
    """
    if gguf_name in OUTSIDE:
        return OUTSIDE[gguf_name]
    match gguf_name.split("."):
        case ["blk", layer, part, "weight"] if part in PARTS:
            return f"layers.{layer}.{PARTS[part]}.weight"
    raise ValueError(f"this Llama has no place for {gguf_name!r}")


DEFAULT = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


def chat_prompt(messages: list[dict[str, str]]) -> str:
    """Write a conversation in ChatML, up to where the assistant's next answer begins.

    messages: {"role": "system", "user" or "assistant", "content": text}, in order; not changed.

    >>> system = {"role": "system", "content": "Be brief."}
    >>> print(chat_prompt([system, {"role": "user", "content": "Hi"}]))
    <|im_start|>system
    Be brief.<|im_end|>
    <|im_start|>user
    Hi<|im_end|>
    <|im_start|>assistant
    <BLANKLINE>
    """
    if messages[0]["role"] != "system":
        messages = [{"role": "system", "content": DEFAULT}, *messages]
    turns = [f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages]
    return "".join(turns) + "<|im_start|>assistant\n"


def weight_of(stored: gguf.Stored) -> Tensor:
    """The weight that is stored, float32: Q4_1 by your dequantize_q4_1, other kinds by the reader."""
    if stored.kind == "Q4_1":
        return dequantize_q4_1(stored.blocks).reshape(stored.shape)
    return stored.plain()


def load_llama(path: Path | str) -> Llama:
    """Build the Llama that a GGUF file describes, and give it the file's weights, in float32.

    Sizes, eps and RoPE's base are the file's; a tied table is one parameter. A tensor too few or too
    many is an error, and torch's own settings stay as they are.

    >>> small = load_llama(path)   # the path of SmolLM2's file
    >>> small.config.n_layers, sum(weight.numel() for weight in small.parameters())
    (30, 134515008)
    """
    file = gguf.read(path)
    with torch.device("meta"):
        model = Llama(LlamaConfig(**file.config()))
    weights = {rename_weight(name): weight_of(stored) for name, stored in file.tensors.items()}
    model.load_state_dict(weights, assign=True)
    return model


def chat(
    model: Llama, tokenizer: Any, messages: list[dict[str, str]], n_new: int = 256
) -> Iterator[str]:
    """Answer a conversation, piece by piece: the likeliest token each time, with caches.

    It ends at `<|im_end|>`, which is not shown, or after n_new tokens. Other special tokens do not
    end it, and are not shown either. Pieces are whole characters, each given as soon as it is whole;
    one that is not complete at the end is left out. No gradients are computed (`generate`
    sees to that); between two pieces the caller's are on, so no `torch.no_grad()` stands around
    your yield; and `messages` stays as it is.

    >>> question = {"role": "user", "content": "What is the capital of France?"}
    >>> print("".join(chat(model, tokenizer, [question])))
    The capital of France is Paris.
    """
    ids = tokenizer.encode(chat_prompt(messages)).ids
    end = tokenizer.token_to_id("<|im_end|>")
    answer, shown = [], 0
    for token in generate(model, torch.tensor([ids]), n_new, temperature=0, stop={end}):
        answer.append(token)
        text = tokenizer.decode(answer)
        if not text.endswith("\N{REPLACEMENT CHARACTER}"):
            yield text[shown:]
            shown = len(text)
