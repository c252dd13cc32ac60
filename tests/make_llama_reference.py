"""Make assets/llama_reference.npz: random weights, and what Hugging Face's Llama does with them.

    python -m tests.make_llama_reference

Needs `transformers`, which nothing else of the course does. The weights have the names and the row
order of this course. Hugging Face pairs feature i of a head with feature i + d/2 where we pair
neighbours (2i, 2i + 1), so the rows of wq and wk are put into its order on the way in.
"""

import numpy as np
import torch
from torch import Tensor, nn

from assets import llama_reference as frozen

SEED = 8
BATCH, LENGTHS = 2, {"untied": 11, "tied": 9}


def draw(name: str) -> dict[str, Tensor]:
    """Random weights that float16 holds exactly, by the names of the learner's Llama."""
    config, generator = frozen.CONFIGS[name], torch.Generator().manual_seed(SEED)
    dim, hidden = config["dim"], config["hidden_dim"]
    narrow = dim // config["n_heads"] * config["n_kv_heads"]
    shapes = {"tok_embeddings.weight": (config["vocab_size"], dim)}
    for i in range(config["n_layers"]):
        block = {
            "attention_norm": (dim,),
            "attention.wq": (dim, dim),
            "attention.wk": (narrow, dim),
            "attention.wv": (narrow, dim),
            "attention.wo": (dim, dim),
            "ffn_norm": (dim,),
            "feed_forward.w_gate": (hidden, dim),
            "feed_forward.w_up": (hidden, dim),
            "feed_forward.w_down": (dim, hidden),
        }
        shapes |= {f"layers.{i}.{part}.weight": shape for part, shape in block.items()}
    shapes["norm.weight"] = (dim,)
    if not config["tie_embeddings"]:
        shapes["output.weight"] = (config["vocab_size"], dim)

    def weight(part: str, shape: tuple[int, ...]) -> Tensor:
        values = torch.randn(shape, generator=generator)
        if "norm" in part:
            return 1 + 0.3 * values
        return values if part.startswith("tok") else 1.4 * values / shape[-1] ** 0.5

    return {part: weight(part, shape).half().float() for part, shape in shapes.items()}


def half_split(weight: Tensor, n_heads: int) -> Tensor:
    """Rows a0 b0 a1 b1 … of each head → a0 a1 … b0 b1 …, the layout of Hugging Face."""
    pairs = weight.unflatten(0, (n_heads, -1, 2))  # (heads, d/2, 2, dim)
    return pairs.transpose(1, 2).reshape(weight.shape)


def hugging_face(name: str, weights: dict[str, Tensor]) -> nn.Module:
    """Hugging Face's LlamaForCausalLM with these weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = frozen.CONFIGS[name]
    model = LlamaForCausalLM(
        LlamaConfig(
            hidden_size=config["dim"],
            num_hidden_layers=config["n_layers"],
            num_attention_heads=config["n_heads"],
            num_key_value_heads=config["n_kv_heads"],
            vocab_size=config["vocab_size"],
            intermediate_size=config["hidden_dim"],
            max_position_embeddings=config["max_seq_len"],
            rms_norm_eps=config["norm_eps"],
            rope_parameters={"rope_type": "default", "rope_theta": config["rope_base"]},
            tie_word_embeddings=config["tie_embeddings"],
            attn_implementation="eager",
        )
    )
    heads = {"wq": config["n_heads"], "wk": config["n_kv_heads"]}
    state = {}
    for ours, weight in weights.items():
        part = ours.split(".")[-2]
        state[their_name(ours)] = half_split(weight, heads[part]) if part in heads else weight
    if config["tie_embeddings"]:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state)
    return model.eval()


NAMES = {
    "tok_embeddings": "model.embed_tokens",
    "output": "lm_head",
    "norm": "model.norm",
    "attention_norm": "input_layernorm",
    "attention": "self_attn",
    "ffn_norm": "post_attention_layernorm",
    "feed_forward": "mlp",
    "wq": "q_proj",
    "wk": "k_proj",
    "wv": "v_proj",
    "wo": "o_proj",
    "w_gate": "gate_proj",
    "w_up": "up_proj",
    "w_down": "down_proj",
}


def their_name(ours: str) -> str:
    """Translate a name: "layers.0.attention.wq" → "model.layers.0.self_attn.q_proj"."""
    parts = [NAMES.get(part, part) for part in ours.split(".")]
    return ".".join(["model", *parts] if parts[0] == "layers" else parts)


def watch(name: str, model: nn.Module, tokens: Tensor) -> dict[str, Tensor]:
    """Step → what Hugging Face's model has there."""
    seen: dict[str, Tensor] = {}

    def note(step: str, value: Tensor | tuple) -> None:
        seen[step] = (value[0] if isinstance(value, tuple) else value).detach().clone()

    for step in frozen.steps(name)[:-1]:
        if step.endswith("first sum"):
            norm = model.get_submodule(their_name(f"{step.split()[0]}.ffn_norm"))
            norm.register_forward_pre_hook(lambda m, x, step=step: note(step, x))
        else:
            module = model.get_submodule(their_name(step.split()[0]))
            module.register_forward_hook(lambda m, x, y, step=step: note(step, y))
    with torch.no_grad():
        seen["logits"] = model(tokens, use_cache=False).logits
    return seen


def make() -> dict[str, np.ndarray]:
    """Draw and run both models: what the file holds."""
    arrays = {}
    for name, length in LENGTHS.items():
        weights = draw(name)
        generator = torch.Generator().manual_seed(SEED + 1)
        size = frozen.CONFIGS[name]["vocab_size"]
        tokens = torch.randint(size, (BATCH, length), generator=generator)
        steps = watch(name, hugging_face(name, weights), tokens)
        arrays[f"{name}/ids"] = tokens.numpy().astype(np.int16)
        arrays |= {f"{name}/weights/{part}": w.half().numpy() for part, w in weights.items()}
        arrays |= {f"{name}/steps/{step}": value.numpy() for step, value in steps.items()}
    return arrays


if __name__ == "__main__":
    np.savez_compressed(frozen.FILE, **make())
    print(f"{frozen.FILE.name}: {frozen.FILE.stat().st_size:,} bytes")
