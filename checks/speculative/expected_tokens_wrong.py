"""Lab 14, 14.7: expected_tokens, and what people write in place of its lines."""

import math

from checks.engine import Mistake, mistakes_of


def closed(alpha: float, power: int) -> float:
    """(1 - alpha^power) / (1 - alpha), and its limit at 1."""
    return float(power) if alpha == 1 else (1 - alpha**power) / (1 - alpha)


def expected_tokens(alpha: float, n_draft: int) -> float:
    powers = [alpha**i for i in range(n_draft + 1)]
    #: `alpha**i for i in range(n_draft + 1)`: from 1 to alpha^n_draft.
    #! last_power_missing: powers = [alpha**i for i in range(n_draft)]
    #! last_power_missing: return closed(alpha, n_draft)
    #  The sum ends at alpha^(n_draft - 1). When all drafts are accepted, one token more is free.
    #! two_powers_missing: powers = [alpha**i for i in range(n_draft - 1)]
    #  The sum ends at alpha^(n_draft - 2): two powers are missing.
    #! one_missing: powers = [alpha**i for i in range(1, n_draft + 1)]
    #  The 1 is missing: it counts accepted drafts. Each call also gives a token of the target's own.
    #! one_power_more: powers = [alpha**i for i in range(n_draft + 2)]
    #! one_power_more: return closed(alpha, n_draft + 2)
    #  The sum goes up to alpha^(n_draft + 1): a token more than a call can give.
    #! each_by_itself: powers = [1.0] + [alpha] * n_draft
    #! each_by_itself: return 1 + n_draft * alpha
    #  Each draft counts alpha. The third token needs two accepted drafts: alpha².
    #! drafts_only: powers = [alpha] * n_draft
    #  It gives n_draft times alpha.
    #! all_accepted: return 1 + n_draft * alpha**n_draft
    #  It counts only the case that all drafts are accepted.
    #! times_index: powers = [i * alpha**i for i in range(n_draft + 1)]
    #  Each power is multiplied by its number.
    #! weighted_by_the_end: powers = [(i + 1) * alpha**i * (1 - alpha) for i in range(n_draft + 1)]
    #  The mean over where it ends leaves out that nothing is rejected behind the last draft.
    #! bases_exchanged: powers = [float(i) ** alpha for i in range(n_draft + 1)]
    #  Base and exponent are exchanged: i to the power alpha.
    #! products: powers = [alpha * i for i in range(n_draft + 1)]
    #  It multiplies alpha by i. Powers are meant.
    #! rejected_powers: powers = [(1 - alpha) ** i for i in range(n_draft + 1)]
    #  It takes 1 - alpha, how often a draft is rejected.
    #! divided_by_zero: return (1 - alpha ** (n_draft + 1)) / (1 - alpha)
    #  The formula (1 - alpha^(n+1)) / (1 - alpha) divides by zero at alpha = 1. The sum does not.
    #! at_one_it_is_one: return 1.0 if alpha == 1 else closed(alpha, n_draft + 1)
    #  At alpha = 1 it gives 1. All drafts are accepted then.
    #! at_one_without_the_free: return float(n_draft) if alpha == 1 else closed(alpha, n_draft + 1)
    #  At alpha = 1 it gives n_draft. One token is free.
    #! nearly_one: return (1 - min(alpha, 0.99) ** (n_draft + 1)) / (1 - min(alpha, 0.99))
    #  alpha = 1 is replaced by a smaller number.
    #! nearly_one_is_one: return n_draft + 1.0 if alpha > 0.99 else sum(alpha**i for i in range(n_draft + 1))
    #  An alpha near 1 counts as 1. With many drafts the difference is seen.
    #! without_end: return 1 / (1 - alpha) if alpha < 1 else float(n_draft + 1)
    #  1 / (1 - alpha) is what endlessly many drafts would give.
    #! at_zero_nothing: return 0.0 if alpha == 0 else sum(alpha**i for i in range(n_draft + 1))
    #  At alpha = 0 it gives 0. The target's own token is always there.
    total = sum(powers)
    #! product: total = math.prod(powers)
    #  It multiplies the powers. They are added up.
    #! last_only: total = powers[-1]
    #  It gives the last power only.
    #! mean: total = sum(powers) / len(powers)
    #  It takes the mean of the powers.
    #: Return the number as it is.
    #! rounded: total = round(sum(powers))
    #! rounded: total = int(sum(powers))
    #  It is rounded to a whole number. A mean need not be whole.
    #! rounded_a_little: total = round(sum(powers), 1)
    #! rounded_a_little: total = round(sum(powers), 2)
    #  It is rounded.
    return float(total)


MISTAKES: list[Mistake] = mistakes_of(expected_tokens)
