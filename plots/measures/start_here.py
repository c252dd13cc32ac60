"""Lab 00: Llama 3 8B in numbers, and what each lab adds to it: the words of the map."""

from __future__ import annotations

# Llama 3 8B (2407.21783, table 3).
BLOCKS, DIM, HEADS, KV_HEADS, HIDDEN, VOCABULARY = 32, 4096, 32, 8, 14336, 128_256
TOKENS = "about 15 trillion tokens"  # 2407.21783, section 1
HEAD_DIM = DIM // HEADS
CACHE = 2 * BLOCKS * KV_HEADS * HEAD_DIM * 2  # bytes a token, in 16-bit numbers
PARAMETERS = {
    "embedding": VOCABULARY * DIM,
    "queries": BLOCKS * 2 * DIM * DIM,  # wq and wo
    "keys and values": BLOCKS * 2 * DIM * KV_HEADS * HEAD_DIM,  # wk and wv
    "SwiGLU": BLOCKS * 3 * DIM * HIDDEN,
    "RMSNorm": (2 * BLOCKS + 1) * DIM,
    "output": DIM * VOCABULARY,
}
TOTAL = sum(PARAMETERS.values())
EVERYTHING = tuple(PARAMETERS)
IN_A_BLOCK = TOTAL - PARAMETERS["embedding"] - PARAMETERS["output"] - DIM  # in all 32 of them

# What lights up on the map; the boxes themselves stand in plots/start_here.py.
NORMS = ("first norm", "second norm", "last norm")
INSIDE = ("q", "k", "v", "scores", "gate", "value", "product", "down", "weight", "table")
LEARNED = ("embedding", "blocks", *NORMS, "output", "attention", "swiglu", *INSIDE)
SUMS = ("sum 1", "sum 2")
ALL = ("tokens", "sample", "rope", "cache", "loop", *LEARNED, *SUMS)

# lab → the panels that are shown, and the boxes into which one zooms
IN_BLOCK = ("model", "block")
ZOOMS = {
    0: ((*IN_BLOCK, "norm"), ("blocks", "first norm")),
    1: (("model", "table"), ("embedding",)),
    2: ((*IN_BLOCK, "norm"), ("blocks", "first norm")),
    **dict.fromkeys((3, 4, 5, 6), ((*IN_BLOCK, "attention"), ("blocks", "attention"))),
    7: ((*IN_BLOCK, "swiglu"), ("blocks", "swiglu")),
    8: (IN_BLOCK, ("blocks",)),
    9: ((*IN_BLOCK, "attention"), ("blocks", "attention")),
    10: (("model", "choose"), ("sample",)),
    11: ((*IN_BLOCK, "attention"), ("blocks", "attention")),
}

# lab → boxes that light up, parameters that count, what the caption says
STOPS = {
    0: (
        ("mean square",),
        (),
        f"Llama 3 8B, {TOTAL:,} numbers that were learned. Each block carries the number of the "
        "lab in which you write it. You begin with mean_square, which works inside of all "
        f"{2 * BLOCKS + 1} RMSNorms.",
    ),
    1: (
        ("tokens", "embedding", "table"),
        ("embedding",),
        f"Lab 01, input block: a text becomes tokens, out of {VOCABULARY:,} that there are, and "
        f"each token a vector of {DIM:,} numbers, looked up in a table.",
    ),
    2: (
        (*NORMS, "root", "weight"),
        ("RMSNorm",),
        f"Lab 02, RMSNorm: brings every vector back to one size, so that {BLOCKS} blocks in a row "
        f"let it neither explode nor die out. {2 * BLOCKS + 1} of them.",
    ),
    3: (
        ("rope",),
        (),
        "Lab 03, RoPE: turns queries and keys by an angle that depends on their position. Without "
        "it, 'dog bites man' and 'man bites dog' are the same.",
    ),
    4: (
        ("attention", "q", "k", "v", "scores"),
        ("queries", "keys and values"),
        f"Lab 04, attention: each token looks back at the earlier ones and takes over what it can "
        f"use, in {HEADS} heads of {HEAD_DIM} numbers.",
    ),
    5: (
        ("cache",),
        (),
        "Lab 05, KV cache: keeps the keys and values of all tokens so far, so that writing one "
        f"more does not compute them again. {CACHE:,} bytes a token.",
    ),
    6: (
        ("k", "v"),
        ("keys and values",),
        f"Lab 06, grouped queries: {HEADS} query heads share {KV_HEADS} heads of keys and values, "
        f"{HEADS // KV_HEADS} to 1. The cache is {HEADS // KV_HEADS} times smaller.",
    ),
    7: (
        ("swiglu", "gate", "value", "product", "down"),
        ("SwiGLU",),
        f"Lab 07, SwiGLU: works on each token by itself, up to {HIDDEN:,} numbers, through a gate, "
        f"and down to {DIM:,} again.",
    ),
    8: (
        ("blocks", "output", *SUMS),
        ("queries", "keys and values", "SwiGLU", "RMSNorm", "output"),
        f"Lab 08, the whole Llama: {BLOCKS} blocks of {IN_A_BLOCK // BLOCKS:,} parameters, each of "
        f"which adds to the vector (⊕); at the end a score for each of the {VOCABULARY:,} tokens.",
    ),
    9: (
        LEARNED,
        EVERYTHING,
        f"Lab 09, training: finds the numbers. Llama 3 read {TOKENS}; yours reads Shakespeare, for "
        "a few minutes, on your machine.",
    ),
    10: (
        ("sample", "loop", "chances", "draw"),
        (),
        f"Lab 10, sampling: of {VOCABULARY:,} scores comes one token, and it goes in again at the "
        "top. That loop is how a model writes.",
    ),
    11: (
        ALL,
        (),
        "Lab 11, a real model: your code loads SmolLM2-135M, which is built of these same blocks, "
        "and talks. Labs 12 to 14 make it fast and its context long.",
    ),
}


def percent(part: int) -> str:
    """A number of parameters as a share of all; three places where it is tiny.

    >>> percent(PARAMETERS["SwiGLU"]), percent(PARAMETERS["RMSNorm"]), percent(TOTAL)
    ('70.2 %', '0.003 %', '100 %')
    """
    share = 100 * part / TOTAL
    return f"{share:.3f} %" if share < 0.01 else f"{share:.1f}".removesuffix(".0") + " %"


def caption(lab: int) -> str:
    """What the map says when the slider stands at this lab."""
    _, counted, says = STOPS[lab]
    if lab in (0, 11):
        return says
    count = sum(PARAMETERS[part] for part in counted)
    return f"{says} Parameters: " + (f"{count:,}, {percent(count)} of all." if count else "none.")
