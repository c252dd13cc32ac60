"""Lab 13, 13.2: what is tried on ntk_base."""

from typing import Any

from checks.engine import Check, Inputs, Probe, values
from checks.long_context.ntk_base_wrong import MISTAKES

FORMULA = "base · factor^(d / (d - 2)), head_dim d at least 4"


def reference(base: float, factor: float, head_dim: int) -> float:
    """The base of which the last pair's frequency is `factor` times smaller."""
    last = (head_dim - 2) / head_dim  # base^-last is the slowest pair's frequency
    return (float(base) ** last * factor) ** (1 / last)


def number(inputs: Inputs, low: float, high: float) -> float:
    """A random number."""
    return float(inputs.uniform(1, low=low, high=high).item())


def slowest_and_fastest(answer: Any, inputs: Inputs) -> list[float]:
    """How many times slower the first, a middle and the last pair become."""
    found = []
    for base, factor, d in ((10_000.0, 8.0, 64), (500_000.0, 4.0, 16), (100_000.0, 2.5, 10)):
        ratio = answer(base, factor, d) / base
        found += [ratio ** (2 * i / d) for i in (1, d // 4, d // 2 - 1)]
    return found


ntk_base = Check(
    exercise="13.2",
    name="ntk_base",
    reference=reference,
    technique=[
        values(
            lambda inputs: (10_000.0, 8.0, 128),
            title="worked example",
            promise="ntk_base(10_000.0, 8.0, 128)",
        ),
        values(
            lambda inputs: (10_000.0, 2.0, 24),
            lambda inputs: (500_000.0, 8.0, 128),
            lambda inputs: (100_000.0, 4.0, 64),
            lambda inputs: (10_000.0, 3.0, 4),
            title="four models: head sizes 24, 128, 64 and 4",
            promise=FORMULA,
        ),
        values(
            lambda inputs: (number(inputs, 50, 5000), number(inputs, 1.1, 9), 6),
            lambda inputs: (number(inputs, 50, 5000), number(inputs, 10, 40), 18),
            lambda inputs: (number(inputs, 2, 20), number(inputs, 1.2, 3), 10),
            title="random bases and factors",
            promise=FORMULA,
        ),
        values(
            lambda inputs: (10_000.0, 1.0, 64),
            lambda inputs: (500_000.0, 1.0, 8),
            title="factor 1 changes nothing",
            promise=FORMULA,
        ),
        Probe(
            "how much slower the second, a middle and the last pair become",
            slowest_and_fastest,
            "With the new base the last pair should be `factor` times slower, and pair i "
            "factor^(2i / (d - 2)) times.",
            promise="makes the slowest pair `factor` times slower and leaves the fastest alone",
        ),
    ],
    mistakes=MISTAKES,
    only_numbers=True,
    hints=(
        "The slowest pair turns by base^(-(d - 2)/d). By what must the base be multiplied for "
        "that to become `factor` times smaller?",
        "Its power (d - 2)/d has to be the factor, so it is the factor to the power d/(d - 2).",
        "`base * factor ** (head_dim / (head_dim - 2))`",
    ),
)
