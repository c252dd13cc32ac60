"""Lab 07, 7.4: what is tried on ffn_hidden_dim."""

from typing import Any

from checks.engine import Check, Inputs, Probe, values
from checks.swiglu.ffn_hidden_dim_wrong import MISTAKES

STEPS = "int(2 · 4 · dim / 3); with a multiplier, int(multiplier · that); then up to a multiple"


def reference(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    """Count up from Llama's size to the next multiple."""
    hidden = int(2 * 4 * dim / 3)
    if multiplier is not None:
        hidden = int(multiplier * hidden)
    while hidden % multiple_of != 0:
        hidden += 1
    return hidden


def sizes(*cases: tuple, title: str) -> Probe:
    """Compare several sizes."""
    return values(*(lambda inputs, case=case: case for case in cases), title=title, promise=STEPS)


def drawn(answer: Any, inputs: Inputs) -> list[int]:
    """Sizes that nobody has seen before, without a multiplier and with one."""
    dims = inputs.integers(4, low=100, high=900).tolist()
    return [answer(dim, step) for dim, step in zip(dims, (1, 3, 7, 32), strict=True)] + [
        answer(dim, step, 1.7) for dim, step in zip(dims, (2, 5, 11, 48), strict=True)
    ]


def int_type(answer: Any, inputs: Inputs) -> list[str]:
    """Look at the type of what comes back, with and without a multiplier."""
    return [type(answer(*args)).__name__ for args in ((48, 16), (48, 16, 1.3), (50, 1))]


ffn_hidden_dim = Check(
    exercise="7.4",
    name="ffn_hidden_dim",
    weight=2,
    only_numbers=True,
    reference=reference,
    technique=[
        values(
            lambda inputs: (4, 4),
            lambda inputs: (4096, 1024, 1.3),
            title="worked example",
            promise="ffn_hidden_dim(4, multiple_of=4)",
        ),
        sizes(
            *((4096,), (5120,), (6656,), (8192,), (16384, 4096, 1.2)),
            *((8192, 4096, 1.3), (2048, 256, 1.5), (3072, 256, 1.0)),
            title="Llama 1, 2 and 3, from 1B to 405B",
        ),
        sizes(
            *((6, 4), (96, 128), (192,), (48, 1), (384,), (24, 8), (30, 5), (3, 2)),
            title="sizes that are a multiple already",
        ),
        Probe("other sizes, other multiples", drawn, promise=STEPS),
        sizes(
            *((8, 4), (5, 3), (23, 3), (7, 17), (11, 29), (13, 33), (17, 9), (29, 19)),
            *((50, 3), (101, 67), (70, 62), (62, 55)),
            title="one above a multiple, one below",
        ),
        sizes(
            *((5, 1, 1.3), (16, 1, 1.5), (100, 3, 0.5), (301, 5, 2.0), (700, 64, 1.1)),
            *((7, 1, 1.7), (25, 3, 0.9), (61, 1, 3.0), (14, 1, 2.5), (1000, 128, 0.75)),
            title="a multiplier, cut to whole numbers twice",
        ),
    ],
    ready=[
        Probe(
            "a whole number, of type int",
            int_type,
            "It is not an int, and nn.Linear wants one. Use `//` and int(), so that whole numbers "
            "stay whole.",
            promise="-> int:",
        )
    ],
    mistakes=MISTAKES,
    hints=(
        "Three matrices must cost what two of 4 · dim cost. How wide may they be?",
        "int(2 · 4 · dim / 3); if there is a multiplier, int(multiplier · that); then up to the "
        "next multiple, unless it is one.",
        "`return multiple_of * ((hidden + multiple_of - 1) // multiple_of)`",
    ),
)
