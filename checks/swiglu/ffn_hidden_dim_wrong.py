"""Lab 07, 7.4: ffn_hidden_dim, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

import math

from checks.engine import Mistake, mistakes_of


def up_to(size: float, multiple: int) -> int:
    """Round up to a multiple."""
    return math.ceil(size / multiple) * multiple


def ffn_hidden_dim(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    #: `multiple_of: int = 256`
    #! other_default: def ffn_hidden_dim(dim, multiple_of=128, multiplier=None):
    #! other_default: def ffn_hidden_dim(dim, multiple_of=64, multiplier=None):
    #! other_default: def ffn_hidden_dim(dim, multiple_of=257, multiplier=None):
    #! other_default: def ffn_hidden_dim(dim, multiple_of=-256, multiplier=None):
    #  Without an argument multiple_of is another number than 256.
    #: `multiplier: float | None = None`, and `if multiplier is not None:`
    #! multiplier_default_1_3: def ffn_hidden_dim(dim, multiple_of=256, multiplier=1.3):
    #  Without a multiplier it takes 1.3. None means that nothing is multiplied. [facebookresearch/fairseq2#971]
    wide = 2 * 4 * dim
    #! multiplier_default_1_3: …; multiplier = multiplier or 1.3
    #: `hidden = int(2 * 4 * dim / 3)`
    #! three_halves: return up_to(int((multiplier or 1) * int(3 * 4 * dim / 2)), multiple_of)
    #  It takes three halves of 4 · dim. Three matrices in place of two: two thirds.
    #! no_four: wide = 2 * dim
    #  It takes two thirds of dim. The classic layer is 4 · dim wide: two thirds of that.
    #! two_forgotten: wide = 4 * dim
    #  It takes a third of 4 · dim. Three matrices in place of two: two thirds of it.
    #! eight_forgotten: wide = dim
    #  It takes a third of dim. It is two thirds of 4 · dim.
    #! other_factor: wide = 2 * 5 * dim
    #  It multiplies dim by another number than 2 · 4 before it divides by 3.
    #! added: wide = 2 + 4 * dim
    #! added: wide = 2 * (4 + dim)
    #! added: wide = 2 * 4 + dim
    #  It adds where it should multiply: it is 2 · 4 · dim.
    #! divided: wide = 2 / 4 * dim
    #! divided: wide = 2 * 4 / dim
    #  It divides where it should multiply: it is 2 · 4 · dim.
    #! negative: wide = -2 * 4 * dim
    #  There is a minus too many: the size is negative.
    #! squared: wide = 2 * 4 * dim * dim
    #  dim is multiplied twice. That counts parameters of a matrix; the width is 8/3 of dim.
    #! pi: wide = 3 * math.pi * dim
    #  It takes π in place of 8/3. [jingyaogong/minimind#742]
    #: 8 · 4096 / 3 = 10922; times 1.3 is 14198; the next multiple of 1024 is 14336.
    #! three_and_a_half: return int(3.5 * dim)
    #! three_and_a_half: return up_to(int(3.5 * dim), multiple_of)
    #  It is 3.5 · dim: that is what comes out for Llama 3 8B, and only there and for 70B.
    hidden = int(wide / 3)
    #: `hidden = int(2 * 4 * dim / 3)`
    #! four_dim: hidden = 4 * dim
    #  It starts from 4 · dim. With a third matrix that is half as many parameters again. [meta-llama/llama3#283]
    #! eight_dim: hidden = wide
    #  It does not divide by 3. Three matrices in place of two: two thirds of 4 · dim.
    #! divides_by_another: hidden = wide * 3
    #  It divides by another number than 3. Three matrices in place of two: two thirds of 4 · dim.
    #! divides_too_early: hidden = 8 // 3 * dim
    #! divides_too_early: hidden = 2 // 3 * 4 * dim
    #  It starts from 2 · dim. `8 // 3 * dim` is just that: the fraction is gone before dim comes.
    #! divides_too_early_up: hidden = round(8 / 3) * dim
    #  8 / 3 is rounded to 3 before dim comes.
    #! dim_thirds_early: hidden = 8 * (dim // 3)
    #  dim is divided by 3 before it is multiplied, so that up to 5 units get lost.
    #! thirds_early: hidden = 2 * (4 * dim // 3)
    #  4 · dim is divided by 3 and cut before it is doubled, so that a unit gets lost.
    #! decimal_fraction: hidden = int(2.67 * dim)
    #! decimal_fraction: hidden = int(2.7 * dim)
    #! decimal_fraction: hidden = int(2.66 * dim)
    #! decimal_fraction: hidden = int(2.667 * dim)
    #! decimal_fraction: hidden = int(0.66 * 4 * dim)
    #! decimal_fraction: hidden = int(0.67 * 4 * dim)
    #! decimal_fraction: hidden = int(0.667 * 4 * dim)
    #  8/3 is rounded to a few decimals, so that large sizes are off.
    #! two_thirds_twice: hidden = int(2 * int(wide / 3) / 3)
    #  Two thirds are taken twice. [EleutherAI/gpt-neox#1309]
    #: 8 · 4096 / 3 = 10922; times 1.3 is 14198; the next multiple of 1024 is 14336.
    #! rounds_twice: hidden = up_to(int(wide / 3), multiple_of)
    #  It rounds up before the multiplier and once more after it.
    #! rounds_before_two_thirds: return int((multiplier or 1) * int(2 * up_to(4 * dim, multiple_of) / 3))
    #! rounds_before_two_thirds: hidden = int(2 * up_to(4 * dim, multiple_of) / 3)
    #  4 · dim is rounded up, and then two thirds of it are taken. Round at the very end.
    #: Cut twice: `int(2 * 4 * dim / 3)`, then `int(multiplier * hidden)`.
    #! never_cut: hidden = wide / 3
    #  Fractions are kept and rounded up at the end. Llama cuts them off with int(), twice.
    #! rounds_fractions: hidden = round(wide / 3)
    #! rounds_fractions: hidden = round(wide / 3)
    #  Fractions are rounded. int() cuts them off.
    #! ceil_fractions: hidden = math.ceil(wide / 3)
    #! ceil_fractions: hidden = math.ceil(wide / 3)
    #  Fractions are rounded up. int() cuts them off. [huggingface/transformers#24891]
    if multiplier is not None:
        #: `if multiplier is not None:`
        #! multiplies_none: if multiplier is None:
        #  The multiplier is used where there is none, and not where there is one.
        #! always_multiplies: if True:
        #  It multiplies whether there is a multiplier or not. None cannot be multiplied.
        #! multiplier_above_one: if multiplier is not None and multiplier > 1:
        #  Multipliers below 1 are left out. None alone means that nothing is multiplied.
        #: 8 · 4096 / 3 = 10922; times 1.3 is 14198; the next multiple of 1024 is 14336.
        #! ignores_multiplier: if False:
        #  The multiplier is not used.
        hidden = int(multiplier * hidden)
        #!+ never_cut: hidden = multiplier * hidden
        #!+ rounds_fractions: hidden = round(multiplier * hidden)
        #!+ ceil_fractions: hidden = math.ceil(multiplier * hidden)
        #: 8 · 4096 / 3 = 10922; times 1.3 is 14198; the next multiple of 1024 is 14336.
        #! multiplier_after_rounding: return multiplier * up_to(hidden, multiple_of)
        #! multiplier_after_rounding: return int(multiplier * up_to(hidden, multiple_of))
        #  The multiplier comes after the rounding, so that the result is no multiple any more.
        #! multiplier_instead_of_two_thirds: hidden = int(multiplier * 4 * dim)
        #  With a multiplier it leaves out the two thirds. Both apply.
        #! multiplier_instead_of_four: hidden = int(2 * multiplier * dim / 3)
        #  The multiplier replaces the 4. It comes on top of 2 · 4 · dim / 3.
        #! multiplier_instead_of_eight_thirds: hidden = int(multiplier * dim)
        #  The multiplier replaces 8/3. It comes on top of 2 · 4 · dim / 3.
        #! multiplier_first: hidden = int(8 * int(multiplier * dim) / 3)
        #  dim is multiplied and cut before the two thirds come. The multiplier comes after them.
        #! multiplier_added: hidden = int(multiplier + hidden)
        #  The multiplier is added. It multiplies.
        #! multiplier_divides: hidden = int(hidden / multiplier)
        #! multiplier_divides: hidden = int(multiplier / hidden)
        #! multiplier_divides: hidden = int(hidden // multiplier)
        #  It divides by the multiplier, or the other way round. It multiplies.
        #! multiplier_on_top: hidden = hidden + int(multiplier * hidden)
        #  What the multiplier gives is added to the size. It takes its place.
        #! multiplier_twice: hidden = int(multiplier * multiplier * hidden)
        #  It multiplies by the multiplier twice.
        #! rounds_down_first: hidden = int(multiplier * (hidden // multiple_of * multiple_of))
        #  The size is rounded down to a multiple before the multiplier comes.
        #! multiplier_cut: hidden = int(multiplier) * hidden
        #  The multiplier is cut to a whole number: int(1.3) is 1. Cut the product.
        #! multiplier_rounded: hidden = round(multiplier) * hidden
        #  The multiplier is rounded to a whole number. Cut the product.
        #! four_dim_again: hidden = int(multiplier * hidden * 4)
        #  The 4 is multiplied once more with the multiplier. It is in 2 · 4 · dim / 3 already.
        #: Cut twice: `int(2 * 4 * dim / 3)`, then `int(multiplier * hidden)`.
        #! cut_once: hidden = int(multiplier * wide / 3)
        #  It cuts to a whole number once, at the end. Llama cuts before the multiplier as well.
        #! cut_first_only: hidden = math.ceil(multiplier * hidden)
        #! cut_first_only: hidden = multiplier * hidden
        #! cut_first_only: hidden = multiplier * hidden
        #  After the multiplier the fraction is kept and rounded up. int() cuts it off.
        #! rounds_fractions: hidden = round(multiplier * hidden)
        #: Without a multiplier nothing is multiplied.
        #! multiplier_always_1_3: hidden = int(1.3 * hidden)
        #  The multiplier is 1.3 whatever the argument says: that is Llama 3 8B's. [facebookresearch/fairseq2#971]
    blocks = (hidden + multiple_of - 1) // multiple_of
    #!+ never_cut: blocks = math.ceil(hidden / multiple_of)
    #!+ cut_first_only: blocks = math.ceil(hidden / multiple_of)
    #: `multiple_of * ((hidden + multiple_of - 1) // multiple_of)`
    #! rounds_down: blocks = hidden // multiple_of
    #  It rounds down to a multiple. Llama rounds up. [deepspeedai/Megatron-DeepSpeed#184]
    #! rounds_to_nearest: blocks = round(hidden / multiple_of)
    #! rounds_to_nearest: blocks = (hidden + multiple_of // 2) // multiple_of
    #  It rounds to the nearest multiple. Llama rounds up. [foundation-model-stack/fms-fsdp#52]
    #! nearest_but_not_down: blocks = max(1, round(hidden / multiple_of))
    #  It rounds to the nearest multiple, but never to 0. Llama rounds up.
    #! always_one_more: blocks = hidden // multiple_of + 1
    #  A size that is a multiple already gets one more on top.
    #! one_multiple_more: blocks = (hidden + multiple_of - 1) // multiple_of + 1
    #  There is one multiple too many.
    #! one_multiple_less: blocks = (hidden - multiple_of - 1) // multiple_of
    #! one_multiple_less: blocks = (hidden - 1) // multiple_of
    #! one_multiple_less: blocks = (hidden - multiple_of + 1) // multiple_of
    #  There are multiples too few: multiple_of − 1 is added before `//`, not subtracted.
    #! one_too_little: blocks = (hidden + multiple_of - 2) // multiple_of
    #  multiple_of − 2 is added: a size that is one above a multiple is rounded down.
    #! one_too_much: blocks = (hidden + multiple_of + 1) // multiple_of
    #  multiple_of + 1 is added before `//`: sizes from one below a multiple on get one too many.
    #! true_division: blocks = (hidden + multiple_of - 1) / multiple_of
    #! true_division: return int(multiple_of * ((hidden + multiple_of - 1) / multiple_of))
    #  `/` in place of `//`: what is divided is multiplied again, and nothing is rounded to a multiple.
    #! rest_for_quotient: blocks = (hidden + multiple_of - 1) % multiple_of
    #  `%` gives the rest of the division. How many multiples there are says `//`.
    #! no_brackets: blocks = hidden + multiple_of - 1 // multiple_of
    #  A bracket is missing: `//` divides the 1 only.
    #! multiplied: blocks = (hidden + multiple_of - 1) * multiple_of
    #  It multiplies by multiple_of twice. First divide by it with `//`, then multiply.
    #: Use the name `multiple_of`.
    #! fixed_multiple: multiple_of = 256; …
    #  It rounds to multiples of 256 whatever the argument says.
    #! fixed_128: multiple_of = 128; …
    #! fixed_128: multiple_of = 64; …
    #! fixed_128: multiple_of = 128; blocks = round(hidden / 128)
    #  It rounds to multiples of a fixed number (128, 64) whatever the argument says. [huggingface/transformers#27139]
    return multiple_of * blocks
    #: `multiple_of * ((hidden + multiple_of - 1) // multiple_of)`
    #! not_rounded_up: return hidden
    #  The size is not rounded to a multiple: real weights do not fit by a few rows. [meta-llama/llama#1019]
    #! count_of_multiples: return blocks
    #  It returns how many multiples there are, not the size: times multiple_of is missing.
    #! multiple_added: return hidden + multiple_of
    #  multiple_of is added, and nothing is rounded: `//` and `*` are missing.
    #! rest_added: return hidden + hidden % multiple_of
    #  It adds the rest of the division. What is missing up to the next multiple is multiple_of minus the rest.
    #! rest_only: return (-hidden) % multiple_of
    #! rest_only: return hidden % multiple_of
    #  It returns a rest. The size is hidden, filled up to a multiple.
    #! at_least_a_multiple: return max(hidden, multiple_of)
    #  It takes the larger of the two. The size is rounded up to a multiple.
    #! next_power_of_two: return 1 << (hidden - 1).bit_length()
    #  It goes up to a power of two. A multiple of multiple_of is enough.
    #! one_off: return multiple_of * blocks - 1
    #! one_off: return multiple_of * blocks + 1
    #  It is off by one: the result is no multiple.
    #: 8 · 4096 / 3 = 10922; times 1.3 is 14198; the next multiple of 1024 is 14336.
    #! both_branches: return 2 * multiple_of * blocks
    #  It counts gate and up together. The hidden size is that of one of them.
    #! halved: return multiple_of * blocks // 2
    #  The size is halved, as if it counted gate and up together. It is that of one of them. [EleutherAI/gpt-neox#1309]
    #! parameters: return 3 * dim * multiple_of * blocks
    #  It counts parameters. The width is wanted.
    #: `//` and int() give whole numbers, `/` does not.
    #! returns_float: return float(multiple_of * blocks)
    #  The number is right, but it is a float: nn.Linear wants an int.
    #! returns_text: return str(multiple_of * blocks)
    #! returns_text: return f"{multiple_of * blocks:,}"
    #  It returns a text. A number is wanted.
    #: `return`
    #! no_return: pass
    #  It computes and returns nothing.


MISTAKES: list[Mistake] = mistakes_of(ffn_hidden_dim)
