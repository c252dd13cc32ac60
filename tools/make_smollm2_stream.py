"""Write assets/smollm2_stream.npz: the size of a real model's residual stream at each sub-layer.

    python -m tools.make_smollm2_stream

Lab 02 opens with it. The size of a vector is its root mean square.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "assets" / "smollm2_stream.npz"
SENTENCE = "The cat sat down because it was tired"


def main() -> None:
    """Run the sentence through the worked Llama and measure what enters each of its norms."""
    import torch

    from assets import smollm2
    from solutions.my_llama import load_llama

    file = smollm2.read(smollm2.path())
    tokenizer = smollm2.tokenizer(file)
    ids = tokenizer.encode(SENTENCE).ids
    model, seen = load_llama(smollm2.path()), list[torch.Tensor]()
    blocks: Any = model.layers
    norms = [norm for layer in blocks for norm in (layer.attention_norm, layer.ffn_norm)]
    for norm in [*norms, model.norm]:
        norm.register_forward_pre_hook(lambda _, args: seen.append(args[0][0]))
    with torch.no_grad():
        model(torch.tensor([ids]))
    stream = torch.stack(seen)  # (sub-layers + 1, T, D): what enters each norm
    sizes = stream.square().mean(-1).sqrt()
    added = stream.diff(dim=0).square().mean(-1).sqrt()
    words = np.array([tokenizer.decode([i]).strip() for i in ids])
    np.savez_compressed(FILE, words=words, sizes=sizes.numpy(), added=added.numpy())
    print(f"{FILE.relative_to(ROOT)}: {FILE.stat().st_size:,} bytes, {tuple(sizes.shape)} sizes")


if __name__ == "__main__":
    main()
