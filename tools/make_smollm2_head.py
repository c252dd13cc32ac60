"""Write assets/smollm2_head.npz and smollm2_heads.npz: what real heads ask and offer for tokens.

    python -m tools.make_smollm2_head

Labs 04 and 05 draw with them, so that their attention weights are those of a trained model. Queries
and keys are kept as they are before RoPE turns them: turning is the learner's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "assets" / "smollm2_head.npz"
FILE_OF_HEADS = ROOT / "assets" / "smollm2_heads.npz"
CAT = "The cat sat down because it was tired"
DOG = "the dog bit the man and then the dog"
LAYER, HEAD = 13, 8  # in which "it" and "tired" look at "cat"
HEADS = {  # chosen among the model's 270 by looking at their weights: sentence, layer, head
    "same word": (DOG, 5, 6),
    "word before": (DOG, 16, 0),
    "near words": (DOG, 11, 7),
    "what came next": (DOG, 17, 4),
    "who": (CAT, LAYER, HEAD),
    "why": (CAT, LAYER, 5),  # in which "it" and "tired" look at "because"
}

Seen = list[dict[str, Any]]  # for each layer: q (T, H, d), k (T, K, d), frequencies


def main() -> None:
    """Run the sentences through the worked Llama and keep what these heads make of them."""
    from assets import smollm2
    from solutions.my_llama import load_llama

    file = smollm2.read(smollm2.path())
    tokenizer, model = smollm2.tokenizer(file), load_llama(smollm2.path())
    read = {text: look(model, tokenizer.encode(text).ids) for text in (CAT, DOG)}
    words = {
        text: np.array([tokenizer.decode([i]).strip() for i in tokenizer.encode(text).ids])
        for text in (CAT, DOG)
    }
    frequencies = read[CAT][LAYER]["frequencies"].numpy().astype(np.float32)
    q, k = of_head(read[CAT], LAYER, HEAD)
    np.savez_compressed(FILE, words=words[CAT], q=q, k=k, frequencies=frequencies)
    kept: dict[str, Any] = {"names": np.array(list(HEADS)), "frequencies": frequencies}
    for name, (text, layer, head) in HEADS.items():
        q, k = of_head(read[text], layer, head)
        kept |= {f"{name} q": q, f"{name} k": k, f"{name} words": words[text]}
        kept[f"{name} place"] = np.array([layer, head])
    np.savez_compressed(FILE_OF_HEADS, **kept)
    for path in (FILE, FILE_OF_HEADS):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


def look(model: Any, ids: list[int]) -> Seen:
    """What every layer's attention makes of the tokens."""
    import torch

    seen: Seen = []

    def note(layer: Any, args: tuple, kwargs: dict) -> None:
        x, angles = [*args, *kwargs.values()][:2]
        d = 2 * angles.shape[-1]
        q, k = (part(x)[0].unflatten(-1, (-1, d)) for part in (layer.wq, layer.wk))
        seen.append({"q": q, "k": k, "frequencies": angles[1]})

    hooks = [
        layer.attention.register_forward_pre_hook(note, with_kwargs=True) for layer in model.layers
    ]
    with torch.no_grad():
        model(torch.tensor([ids]))
    for hook in hooks:
        hook.remove()
    return seen


def of_head(seen: Seen, layer: int, head: int) -> tuple[np.ndarray, np.ndarray]:
    """A head's queries and the keys that it reads, (T, d) each."""
    q, k = seen[layer]["q"], seen[layer]["k"]
    group = q.shape[1] // k.shape[1]
    return tuple(part.numpy().astype(np.float16) for part in (q[:, head], k[:, head // group]))


if __name__ == "__main__":
    main()
