"""Lab 13, 13.2: ntk_base, and what people write in place of its lines."""

from checks.engine import Mistake, mistakes_of


def ntk_base(base: float, factor: float, head_dim: int) -> float:
    d = head_dim
    #: d is head_dim, the whole head: the exponent is d / (d - 2).
    #! half_the_head: d = head_dim // 2
    #! half_the_head: d = head_dim / 2
    #  It counts pairs where the formula counts dimensions: the exponent is that of a head half as large.
    exponent = d / (d - 2)
    #! half_the_head: exponent = (d // 2) / (d // 2 - 2) if d > 4 else 1
    #: The slowest pair's exponent is (d - 2)/d, so the factor gets its inverse, d / (d - 2).
    #! exponent_lost: exponent = 1
    #  The base is multiplied by the factor alone. The slowest pair then gets a little less than `factor` times slower: the exponent d / (d - 2) is missing.
    #! exponent_inverted: exponent = (d - 2) / d
    #  The exponent is upside down: (d - 2) / d.
    #! exponent_minus_one: exponent = d / (d - 1)
    #  It divides by d - 1. The last pair is number d/2 - 1, so its exponent is (d - 2)/d.
    #! exponent_plus: exponent = d / (d + 2)
    #  It divides by d + 2. The last exponent is (d - 2)/d.
    #! exponent_minus_four: exponent = d / (d - 4) if d > 4 else 8.0
    #  It divides by d - 4, as if the last pair but one were the slowest.
    #! brackets_missing: exponent = d / d - 2
    #  The brackets are missing: d / d - 2 is 1 - 2.
    #! floor_division: exponent = d // (d - 2)
    #  `//` rounds the exponent down to a whole number.
    #! only_d: exponent = d
    #  The exponent is d. It is d / (d - 2).
    #! two_over: exponent = 2 / (d - 2)
    #  The exponent is that of a pair, 2 / (d - 2). The base needs d / (d - 2).
    scaled = factor**exponent
    #: factor to the power d / (d - 2), times the base.
    #! times_exponent: scaled = factor * exponent
    #  The factor is multiplied by the exponent. It is raised to that power.
    #! exponent_to_the_factor: scaled = exponent**factor
    #  Base and exponent of the power have changed places.
    #! power_before_division: scaled = factor**d / (d - 2)
    #  The brackets around the exponent are missing: `factor ** d / (d - 2)` takes the power first.
    #! divided: scaled = 1 / factor**exponent
    #! divided: scaled = factor**-exponent
    #  The base is divided. A larger base is what makes the pairs slower.
    new = base * scaled
    #: Return the new base, `base * factor ** (d / (d - 2))`.
    #! factor_in_the_power: new = (base * factor) ** exponent
    #  The base goes into the power as well. Only the factor is raised.
    #! base_in_the_power: new = base**exponent * factor
    #  The base is raised to the power, and not the factor.
    #! added: new = base + scaled
    #  It adds. The base is multiplied.
    #! without_the_base: new = scaled
    #  It returns the number by which the base is multiplied.
    #! base_unchanged: new = base
    #  It returns the base as it was.
    #! fixed_base: new = 10_000.0 * scaled
    #  The base is written in as 10000; the argument is not used.
    #! fixed_factor: new = base * 8.0**exponent
    #  The factor is written in as 8; the argument is not used.
    #! fixed_head: new = base * factor ** (128 / 126)
    #! fixed_head: new = base * factor ** (64 / 62)
    #  The head size is written in; the argument is not used.
    #! frequency: new = (base * scaled) ** -((d - 2) / d)
    #  It returns the slowest pair's frequency. The base is wanted.
    return new
    #: Return the number as it is.
    #! rounded: return round(new)
    #! rounded: return float(round(new))
    #! rounded: return int(new)
    #  It is rounded to a whole number. Bases need not be whole.
    #! minus_one: return new - base
    #  It returns by how much the base grows. The new base is wanted.
    #! no_return: pass
    #  The base is computed and then forgotten: there is no `return`.


MISTAKES: list[Mistake] = mistakes_of(ntk_base)
