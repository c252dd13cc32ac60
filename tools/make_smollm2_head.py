"""Write assets/smollm2_head.npz: what one real head asks and offers for eight tokens.

    python -m tools.make_smollm2_head

Lab 05 draws with it, so that its attention weights are those of a trained model. Queries and keys
are kept as they are before RoPE turns them: turning is the learner's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "assets" / "smollm2_head.npz"
SENTENCE = "The cat sat down because it was tired"
LAYER, HEAD = 13, 8  # in which "it" and "tired" look at "cat"


def main() -> None:
    """Run the sentence through the worked Llama and keep what this head makes of it."""
    import torch

    from assets import smollm2
    from solutions.my_llama import load_llama

    file = smollm2.read(smollm2.path())
    tokenizer = smollm2.tokenizer(file)
    ids = tokenizer.encode(SENTENCE).ids
    model, seen = load_llama(smollm2.path()), dict[str, torch.Tensor]()

    def look(layer: Any, args: tuple, kwargs: dict) -> None:
        x, angles = [*args, *kwargs.values()][:2]
        d = 2 * angles.shape[-1]
        q, k = (part(x)[0].unflatten(-1, (-1, d)) for part in (layer.wq, layer.wk))
        group = q.shape[1] // k.shape[1]
        seen.update(q=q[:, HEAD], k=k[:, HEAD // group], frequencies=angles[1])

    attention: Any = model.layers[LAYER].attention
    attention.register_forward_pre_hook(look, with_kwargs=True)
    with torch.no_grad():
        model(torch.tensor([ids]))
    words = np.array([tokenizer.decode([i]).strip() for i in ids])
    kept: dict[str, Any] = {name: value.numpy().astype(np.float32) for name, value in seen.items()}
    kept |= {name: kept[name].astype(np.float16) for name in ("q", "k")}
    np.savez_compressed(FILE, words=words, **kept)
    print(f"{FILE.relative_to(ROOT)}: {FILE.stat().st_size:,} bytes, {' '.join(words)}")


if __name__ == "__main__":
    main()
