"""Train the small Llama that comes with the course, and store it in assets/.

    python -m tools.make_shakespeare_llama

A Llama of 3 layers and width 96, of the worked pieces, learns the characters of
assets/shakespeare.py. Labs that need a model which can write, but not the minutes of training it,
take the result from assets/shakespeare_llama.py. Takes about ten minutes in one thread.
"""

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assets import shakespeare
from solutions.my_llama import Llama, LlamaConfig, build_vocab, encode, make_batch

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = ROOT / "assets" / "shakespeare_llama.npz"
ABOUT = ROOT / "assets" / "shakespeare_llama.json"

SIZES = {
    "dim": 96,
    "n_layers": 3,
    "n_heads": 4,
    "n_kv_heads": 2,
    "hidden_dim": 256,
    "max_seq_len": 512,
    "rope_base": 10_000.0,
    "tie_embeddings": True,
}
CONTEXT, BATCH = 128, 8
STEPS, WARMUP = 6000, 100
PEAK, FLOOR = 3e-3, 1e-4
DECAY, NORM, SPREAD = 0.1, 1.0, 0.1  # weight decay, largest gradient norm, of new embeddings


def rate(step: int, steps: int) -> float:
    """Warm-up, then a cosine from PEAK to FLOOR."""
    if step < WARMUP:
        return PEAK * (step + 1) / WARMUP
    done = (step - WARMUP) / (steps - WARMUP)
    return FLOOR + (PEAK - FLOOR) * (1 + math.cos(math.pi * done)) / 2


@torch.no_grad()
def held_out_loss(model: nn.Module, data: Tensor, context: int = CONTEXT) -> float:
    """The mean loss over all of `data`, cut into pieces of `context` characters."""
    pieces = (len(data) - 1) // context
    x = data[: pieces * context].view(pieces, context)
    y = data[1 : pieces * context + 1].view(pieces, context)
    total = 0.0
    for some, wanted in zip(x.split(64), y.split(64), strict=True):
        logits = model(some).flatten(0, 1)
        total += F.cross_entropy(logits, wanted.flatten(), reduction="sum").item()
    return total / y.numel()


def train(model: nn.Module, data: Tensor, steps: int) -> None:
    """AdamW without decay on the norms' weights, at the rates above."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    norms = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": norms, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.95))
    generator = torch.Generator().manual_seed(0)
    start, average = time.perf_counter(), math.log(64)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, steps)
        starts = torch.randint(len(data) - CONTEXT, (BATCH,), generator=generator)
        x, y = make_batch(data, starts, CONTEXT)
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), NORM)
        optimizer.step()
        average += 0.01 * (loss.item() - average)
        if step % 250 == 0 or step == steps - 1:
            print(f"{step:6} {time.perf_counter() - start:6.0f} s  loss {average:.3f}", flush=True)


def main() -> None:
    """Train, round to float16, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    steps = parser.parse_args().steps
    if not shakespeare.is_complete():
        raise SystemExit(shakespeare.MISSING)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    text = shakespeare.text()
    vocab = build_vocab(text)
    data = torch.tensor(encode(text, vocab))
    cut = len(data) * 9 // 10
    sizes: dict[str, Any] = SIZES
    model = Llama(LlamaConfig(vocab_size=len(vocab), **sizes))
    nn.init.normal_(model.tok_embeddings.weight, std=SPREAD)
    train(model, data[:cut], steps)
    weights = {name: value.half().numpy() for name, value in model.state_dict().items()}
    model.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    loss = held_out_loss(model, data[cut:])
    np.savez_compressed(WEIGHTS, **weights)
    about = {
        "config": {"vocab_size": len(vocab), **SIZES},
        "vocab": "".join(vocab),
        "steps": steps,
        "context": CONTEXT,
        "held_out_loss": round(loss, 4),
    }
    ABOUT.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    print(f"held-out loss {loss:.4f}; {WEIGHTS.name} has {WEIGHTS.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
