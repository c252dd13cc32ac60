"""Lab 07: what people write for ffn_hidden_dim.

Sources are the public issues in which somebody really made the mistake.
"""

import math

from checks.engine import Mistake
from checks.swiglu import reference as right


def up_to(size: float, multiple: int) -> int:
    """Round up to a multiple."""
    return math.ceil(size / multiple) * multiple


def times(size: float, multiplier: float | None) -> float:
    """Multiply, unless there is no multiplier."""
    return size if multiplier is None else multiplier * size


STEPS = "8 · 4096 / 3 = 10922; times 1.3 is 14198; the next multiple of 1024 is 14336."
THIRDS = "`hidden = int(2 * 4 * dim / 3)`"
ROUND_UP = "`multiple_of * ((hidden + multiple_of - 1) // multiple_of)`"
CUT = "Cut twice: `int(2 * 4 * dim / 3)`, then `int(multiplier * hidden)`."
HIDDEN_DIM = [
    Mistake(
        "four_dim",
        lambda dim, multiple_of=256, multiplier=None: up_to(
            int(times(4 * dim, multiplier)), multiple_of
        ),
        "It starts from 4 · dim. With a third matrix that is half as many parameters again.",
        THIRDS,
        "meta-llama/llama3#283",
    ),
    Mistake(
        "not_rounded_up",
        lambda dim, multiple_of=256, multiplier=None: int(times(int(8 * dim / 3), multiplier)),
        "The size is not rounded to a multiple: real weights do not fit by a few rows.",
        ROUND_UP,
        "meta-llama/llama#1019",
    ),
    Mistake(
        "rounds_down",
        lambda dim, multiple_of=256, multiplier=None: (
            int(times(int(8 * dim / 3), multiplier)) // multiple_of * multiple_of
        ),
        "It rounds down to a multiple. Llama rounds up.",
        ROUND_UP,
    ),
    Mistake(
        "rounds_to_nearest",
        lambda dim, multiple_of=256, multiplier=None: (
            round(int(times(int(8 * dim / 3), multiplier)) / multiple_of) * multiple_of
        ),
        "It rounds to the nearest multiple. Llama rounds up.",
        ROUND_UP,
    ),
    Mistake(
        "always_one_more",
        lambda dim, multiple_of=256, multiplier=None: (
            (int(times(int(8 * dim / 3), multiplier)) // multiple_of + 1) * multiple_of
        ),
        "A size that is a multiple already gets one more on top.",
        ROUND_UP,
    ),
    Mistake(
        "multiplier_after_rounding",
        lambda dim, multiple_of=256, multiplier=None: int(
            times(up_to(int(8 * dim / 3), multiple_of), multiplier)
        ),
        "The multiplier comes after the rounding, so that the result is no multiple any more.",
        STEPS,
    ),
    Mistake(
        "rounds_twice",
        lambda dim, multiple_of=256, multiplier=None: up_to(
            int(times(up_to(int(8 * dim / 3), multiple_of), multiplier)), multiple_of
        ),
        "It rounds up before the multiplier and once more after it.",
        STEPS,
    ),
    Mistake(
        "ignores_multiplier",
        lambda dim, multiple_of=256, multiplier=None: up_to(int(8 * dim / 3), multiple_of),
        "The multiplier is not used.",
        STEPS,
    ),
    Mistake(
        "multiplier_always_1_3",
        lambda dim, multiple_of=256, multiplier=None: up_to(
            int(1.3 * int(8 * dim / 3)), multiple_of
        ),
        "The multiplier is 1.3 whatever the argument says: that is Llama 3 8B's.",
        "Without a multiplier nothing is multiplied.",
        "facebookresearch/fairseq2#971",
    ),
    Mistake(
        "multiplier_default_1_3",
        lambda dim, multiple_of=256, multiplier=None: up_to(
            int((multiplier or 1.3) * int(8 * dim / 3)), multiple_of
        ),
        "Without a multiplier it takes 1.3. None means that nothing is multiplied.",
        "`if multiplier is not None:`",
        "facebookresearch/fairseq2#971",
    ),
    Mistake(
        "multiplier_instead_of_two_thirds",
        lambda dim, multiple_of=256, multiplier=None: up_to(
            int(8 * dim / 3) if multiplier is None else int(multiplier * 4 * dim), multiple_of
        ),
        "With a multiplier it leaves out the two thirds. Both apply.",
        STEPS,
    ),
    Mistake(
        "multiplier_instead_of_four",
        lambda dim, multiple_of=256, multiplier=None: up_to(
            int(2 * (multiplier or 4) * dim / 3), multiple_of
        ),
        "The multiplier replaces the 4. It comes on top of 2 · 4 · dim / 3.",
        STEPS,
    ),
    Mistake(
        "cut_once",
        lambda dim, multiple_of=256, multiplier=None: up_to(
            int(times(8 * dim / 3, multiplier)), multiple_of
        ),
        "It cuts to a whole number once, at the end. Llama cuts before the multiplier as well.",
        CUT,
    ),
    Mistake(
        "never_cut",
        lambda dim, multiple_of=256, multiplier=None: up_to(
            times(8 * dim / 3, multiplier), multiple_of
        ),
        "Fractions are kept and rounded up at the end. Llama cuts them off with int(), twice.",
        CUT,
    ),
    Mistake(
        "cut_first_only",
        lambda dim, multiple_of=256, multiplier=None: up_to(
            times(int(8 * dim / 3), multiplier), multiple_of
        ),
        "After the multiplier the fraction is kept and rounded up. int() cuts it off.",
        CUT,
    ),
    Mistake(
        "rounds_fractions",
        lambda dim, multiple_of=256, multiplier=None: up_to(
            round(times(round(8 * dim / 3), multiplier)), multiple_of
        ),
        "Fractions are rounded. int() cuts them off.",
        CUT,
    ),
    Mistake(
        "ceil_fractions",
        lambda dim, multiple_of=256, multiplier=None: up_to(
            math.ceil(times(math.ceil(8 * dim / 3), multiplier)), multiple_of
        ),
        "Fractions are rounded up. int() cuts them off.",
        CUT,
    ),
    Mistake(
        "fixed_multiple",
        lambda dim, multiple_of=256, multiplier=None: right.ffn_hidden_dim(dim, 256, multiplier),
        "It rounds to multiples of 256 whatever the argument says.",
        "Use the name `multiple_of`.",
    ),
    Mistake(
        "next_power_of_two",
        lambda dim, multiple_of=256, multiplier=None: (
            1 << (int(times(int(8 * dim / 3), multiplier)) - 1).bit_length()
        ),
        "It goes up to a power of two. A multiple of multiple_of is enough.",
        ROUND_UP,
    ),
    Mistake(
        "three_and_a_half",
        lambda dim, multiple_of=256, multiplier=None: int(3.5 * dim),
        "It is 3.5 · dim: that is what comes out for Llama 3 8B, and only there and for 70B.",
        STEPS,
    ),
    Mistake(
        "three_halves",
        lambda dim, multiple_of=256, multiplier=None: up_to(
            int(times(int(3 * 4 * dim / 2), multiplier)), multiple_of
        ),
        "It takes three halves of 4 · dim. Three matrices in place of two: two thirds.",
        THIRDS,
    ),
    Mistake(
        "no_four",
        lambda dim, multiple_of=256, multiplier=None: up_to(
            int(times(int(2 * dim / 3), multiplier)), multiple_of
        ),
        "It takes two thirds of dim. The classic layer is 4 · dim wide: two thirds of that.",
        THIRDS,
    ),
    Mistake(
        "divides_too_early",
        lambda dim, multiple_of=256, multiplier=None: up_to(
            int(times(8 // 3 * dim, multiplier)), multiple_of
        ),
        "`8 // 3 * dim` is 2 · dim: the fraction is gone before dim comes.",
        THIRDS,
    ),
    Mistake(
        "dim_thirds_early",
        lambda dim, multiple_of=256, multiplier=None: up_to(
            int(times(8 * (dim // 3), multiplier)), multiple_of
        ),
        "dim is divided by 3 before it is multiplied, so that up to 5 units get lost.",
        THIRDS,
    ),
    Mistake(
        "both_branches",
        lambda dim, multiple_of=256, multiplier=None: (
            2 * right.ffn_hidden_dim(dim, multiple_of, multiplier)
        ),
        "It counts gate and up together. The hidden size is that of one of them.",
        STEPS,
    ),
    Mistake(
        "rounds_before_two_thirds",
        lambda dim, multiple_of=256, multiplier=None: int(
            times(int(2 * up_to(4 * dim, multiple_of) / 3), multiplier)
        ),
        "4 · dim is rounded up, and then two thirds of it are taken. Round at the very end.",
        STEPS,
    ),
    Mistake(
        "returns_float",
        lambda dim, multiple_of=256, multiplier=None: float(
            right.ffn_hidden_dim(dim, multiple_of, multiplier)
        ),
        "The number is right, but it is a float: nn.Linear wants an int.",
        "`//` and int() give whole numbers, `/` does not.",
    ),
]
