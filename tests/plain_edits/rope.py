"""Lab 03: plain edits of the worked answers, each a mistake in the spelling of a learner."""

from wrong_answers import Edit

POSITIONS = "positions = torch.arange(seq_len)[:, None]"
TABLE_FREQUENCIES = "base ** (-torch.arange(0, dim, 2) / dim)"
TABLE_ANGLES = "angles = positions * frequencies"
TABLE = "return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)"

PLANE_XY = "x, y = v.float().unbind(-1)"
PLANE_CS = "cos, sin = angle.float().cos(), angle.float().sin()"
PLANE = "torch.stack((x * cos - y * sin, x * sin + y * cos), dim=-1).to(v.dtype)"

FREQUENCIES = "return base ** (-torch.arange(0, head_dim, 2) / head_dim)"
ANGLES = "return positions[:, None] * frequencies"

WIDE = "wide, cos, sin = x.float(), angles.cos(), angles.sin()"
AB = "a, b = wide[..., 0::2], wide[..., 1::2]"
PAIRS_STACKED = "torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1)"
JOINED = "return pairs.flatten(-2).to(x.dtype)"

VIEWED = "torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))"
POLAR = "torch.polar(torch.ones_like(angles), angles)"
BACK = "return torch.view_as_real(turned).flatten(-2).to(x.dtype)"

MOVED = "torch.cat((x[..., 0::2], x[..., 1::2]), dim=-1)"

HALVES = "a, b = x.float().chunk(2, dim=-1)"
HALF_CS = "cos, sin = angles.cos(), angles.sin()"
HALF_OUT = "return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1).to(x.dtype)"

EDITS = {
    "sinusoidal_positions": [
        Edit(
            "cosines in the even columns, sines in the odd ones",
            ("(angles.sin(), angles.cos())", "(angles.cos(), angles.sin())"),
            named=("sin_cos_exchanged",),
        ),
        Edit(
            "all sines first, then all cosines",
            (TABLE, "return torch.cat((angles.sin(), angles.cos()), dim=-1)"),
            named=("halves",),
        ),
        Edit(
            "all sines first, then all cosines, by stack over the wrong axis",
            ("dim=-1).flatten(1)", "dim=1).flatten(1)"),
            named=("halves",),
        ),
        Edit(
            "the exponents are i/d instead of 2i/d",
            (TABLE_FREQUENCIES, "base ** (-torch.arange(dim // 2) / dim)"),
            named=("half_exponent",),
        ),
        Edit(
            "the exponent is multiplied by 2 a second time",
            (TABLE_FREQUENCIES, "base ** (-2 * torch.arange(0, dim, 2) / dim)"),
            named=("double_exponent",),
        ),
        Edit(
            "the minus of the exponent is missing: the frequencies grow",
            (TABLE_FREQUENCIES, "base ** (torch.arange(0, dim, 2) / dim)"),
            named=("sign",),
        ),
        Edit(
            "divides by the growing frequency with the minus still there",
            (TABLE_ANGLES, "angles = positions / frequencies"),
            named=("sign",),
        ),
        Edit(
            "10000 is written in; base is ignored",
            (TABLE_FREQUENCIES, "10000 ** (-torch.arange(0, dim, 2) / dim)"),
            named=("ignores_base",),
        ),
        Edit(
            "positions are counted from 1",
            ("torch.arange(seq_len)[:, None]", "torch.arange(1, seq_len + 1)[:, None]"),
            named=("one_based_positions",),
        ),
        Edit(
            "positions start at 1, so there is one row too few",
            ("torch.arange(seq_len)[:, None]", "torch.arange(1, seq_len)[:, None]"),
            named=("one_based_positions", "first_row_missing"),
        ),
        Edit(
            "// for /: the exponents are rounded down to whole numbers",
            (TABLE_FREQUENCIES, "base ** (-torch.arange(0, dim, 2) // dim)"),
            named=("floor_division",),
        ),
        Edit(
            "the pairs are left as an axis of their own, (T, D/2, 2)",
            (".flatten(1)", ""),
            named=("not_joined",),
        ),
        Edit(
            "everything is flattened, so the table is one long vector",
            (".flatten(1)", ".flatten()"),
            named=("flattened",),
        ),
        Edit(
            "divides by D/2 instead of D",
            (TABLE_FREQUENCIES, "base ** (-torch.arange(0, dim, 2) / (dim // 2))"),
            named=("double_exponent",),
        ),
        Edit("the table is float64", (TABLE, TABLE + ".double()"), named=("float64",)),
        Edit("the table is bfloat16", (TABLE, TABLE + ".bfloat16()"), named=("returns_half",)),
        Edit(
            "sines in both columns of a pair",
            ("angles.cos()", "angles.sin()"),
            named=("no_cosine",),
        ),
    ],
    "rotate_2d": [
        Edit(
            "turns clockwise: both signs are swapped",
            ("x * cos - y * sin, x * sin + y * cos", "x * cos + y * sin, y * cos - x * sin"),
            named=("clockwise",),
        ),
        Edit(
            "a plus where the first line has a minus",
            ("x * cos - y * sin", "x * cos + y * sin"),
            named=("missing_minus",),
        ),
        Edit(
            "a minus where the second line has a plus",
            ("x * sin + y * cos", "x * sin - y * cos"),
            named=("minus_twice",),
        ),
        Edit(
            "sine and cosine are swapped",
            (PLANE_CS, "sin, cos = angle.float().cos(), angle.float().sin()"),
            named=("sin_cos_exchanged",),
        ),
        Edit(
            "the two results are swapped",
            ("(x * cos - y * sin, x * sin + y * cos)", "(x * sin + y * cos, x * cos - y * sin)"),
            named=("swapped_components",),
        ),
        Edit(
            "the new x is used to compute the new y",
            (PLANE_CS, PLANE_CS + "\n    x = x * cos - y * sin"),
            ("x * cos - y * sin, x * sin + y * cos", "x, x * sin + y * cos"),
            named=("overwritten",),
        ),
        Edit(
            "the second line uses x twice",
            ("x * sin + y * cos", "x * sin + x * cos"),
            named=("x_for_y_in_the_second_line",),
        ),
        Edit("the result is float32 whatever v is", (".to(v.dtype)", ""), named=("promotes",)),
        Edit(
            "sine and cosine are rounded to v's dtype",
            (PLANE_CS, "cos, sin = angle.cos().to(v.dtype), angle.sin().to(v.dtype)"),
            named=("computes_in_half",),
        ),
        Edit(
            "the angle is rounded to v's dtype",
            (
                PLANE_CS,
                "angle = angle.to(v.dtype)\n    cos, sin = angle.float().cos(), angle.float().sin()",
            ),
            named=("computes_in_half",),
        ),
        Edit(
            "computed in v's dtype, not in float32",
            (PLANE_XY, "x, y = v.unbind(-1)"),
            (PLANE_CS, "cos, sin = angle.cos().to(v), angle.sin().to(v)"),
            named=("computes_in_half",),
        ),
        Edit(
            "the angle is taken as degrees",
            (
                PLANE_CS,
                "angle = angle.float() * torch.pi / 180\n    cos, sin = angle.cos(), angle.sin()",
            ),
            named=("degrees",),
        ),
        Edit(
            "stacked in front: the two numbers of a vector are on axis 0",
            ("dim=-1", "dim=0"),
            named=("stacked_in_front",),
        ),
        Edit(
            "x and y are taken from the first axis",
            (PLANE_XY, "x, y = v.float()[0], v.float()[1]"),
            named=("first_axis",),
        ),
        Edit(
            "joined with cat: several vectors become one row of numbers",
            (PLANE, "torch.cat((x * cos - y * sin, x * sin + y * cos), dim=-1).to(v.dtype)"),
            named=("concatenated",),
        ),
        Edit(
            "the angle is made a number with .item(): several angles are an error",
            (PLANE_CS, "angle = torch.tensor(angle.item())\n    " + PLANE_CS),
            named=("item",),
        ),
        Edit(
            "rotates in place: the caller's v is changed",
            ("return " + PLANE, "v.copy_(" + PLANE + ")\n    return v"),
            named=("in_place",),
        ),
        Edit(
            "by a matrix product from the wrong side: clockwise",
            (
                "return " + PLANE,
                "turn = torch.stack((torch.stack((cos, -sin), -1), torch.stack((sin, cos), -1)), -2)\n    return (v.float()[..., None, :] @ turn)[..., 0, :].to(v.dtype)",
            ),
            named=("clockwise",),
        ),
    ],
    "rope_frequencies": [
        Edit(
            "the exponents are i/d instead of 2i/d",
            (FREQUENCIES, "return base ** (-torch.arange(head_dim // 2) / head_dim)"),
            named=("half_exponent",),
        ),
        Edit(
            "the exponents are 2i/(d/2)",
            (FREQUENCIES, "return base ** (-torch.arange(0, head_dim, 2) / (head_dim // 2))"),
            named=("double_exponent",),
        ),
        Edit(
            "the step of 2 and a factor 2: the exponent is doubled",
            (FREQUENCIES, "return base ** (-2 * torch.arange(0, head_dim, 2) / head_dim)"),
            named=("double_exponent",),
        ),
        Edit(
            "no minus: base ** (2i/d), growing",
            (FREQUENCIES, "return base ** (torch.arange(0, head_dim, 2) / head_dim)"),
            named=("sign",),
        ),
        Edit(
            "one frequency for each number, not for each pair",
            (FREQUENCIES, "return base ** (-torch.arange(head_dim) / head_dim)"),
            named=("one_per_dimension",),
        ),
        Edit(
            "each frequency twice, (d,)",
            (
                FREQUENCIES,
                FREQUENCIES.replace("return base", "return (base") + ").repeat_interleave(2)",
            ),
            named=("repeated_in_pairs",),
        ),
        Edit(
            "the list is doubled as in Hugging Face's emb, (d,)",
            (
                FREQUENCIES,
                "frequencies = base ** (-torch.arange(0, head_dim, 2) / head_dim)\n    return torch.cat((frequencies, frequencies))",
            ),
            named=("repeated_halves",),
        ),
        Edit(
            "10000 is written in; base is ignored",
            (FREQUENCIES, "return 10_000.0 ** (-torch.arange(0, head_dim, 2) / head_dim)"),
            named=("ignores_base",),
        ),
        Edit(
            "counts from 1: the first exponent is -2/d",
            (FREQUENCIES, "return base ** (-torch.arange(2, head_dim + 2, 2) / head_dim)"),
            named=("one_based_pairs",),
        ),
        Edit(
            "// for /: whole exponents",
            (FREQUENCIES, "return base ** (-torch.arange(0, head_dim, 2) // head_dim)"),
            named=("floor_division",),
        ),
        Edit(
            "exponents from 0 to -1 by linspace: divides by d/2 - 1",
            (FREQUENCIES, "return base ** -torch.linspace(0, 1, head_dim // 2)"),
            named=("last_is_one_over_base",),
        ),
        Edit(
            "base and exponent are swapped",
            (FREQUENCIES, "return (torch.arange(0, head_dim, 2) / head_dim) ** base"),
            named=("base_and_exponent_swapped",),
        ),
        Edit(
            "the result is float64",
            (FREQUENCIES, "return base ** (-torch.arange(0, head_dim, 2).double() / head_dim)"),
            named=("float64",),
        ),
        Edit(
            "the exponents are rounded to bfloat16",
            (
                FREQUENCIES,
                "return (base ** (-torch.arange(0, head_dim, 2).bfloat16() / head_dim)).float()",
            ),
            named=("exponents_in_half",),
        ),
        Edit(
            "times 2π",
            (
                FREQUENCIES,
                "return 2 * torch.pi * base ** (-torch.arange(0, head_dim, 2) / head_dim)",
            ),
            named=("times_two_pi",),
        ),
        Edit(
            "the result is a Python list, not a tensor",
            (FREQUENCIES, "return [base ** (-2 * i / head_dim) for i in range(head_dim // 2)]"),
            named=("list",),
        ),
        Edit(
            "the pairs are in the wrong order, slowest first",
            (FREQUENCIES, FREQUENCIES.replace("return base", "return (base") + ").flip(0)"),
            named=("reversed",),
        ),
        Edit(
            "the exponents are odd: 1/d, 3/d, ...",
            (FREQUENCIES, "return base ** (-torch.arange(1, head_dim, 2) / head_dim)"),
            named=("odd_exponents",),
        ),
    ],
    "rope_angles": [
        Edit(
            "positions are ignored and counted from 0",
            (ANGLES, "return torch.arange(len(positions))[:, None] * frequencies"),
            named=("positions_from_zero",),
        ),
        Edit(
            "the table is transposed, (d/2, T)",
            (ANGLES, "return positions * frequencies[:, None]"),
            named=("angles_transposed",),
        ),
        Edit(
            "outer product the wrong way round",
            (ANGLES, "return torch.outer(frequencies, positions)"),
            named=("angles_transposed",),
        ),
        Edit(
            "no new axis: multiplies position by position",
            (ANGLES, "return positions * frequencies"),
            named=("no_new_axis",),
        ),
        Edit(
            "positions are rounded to bfloat16",
            (ANGLES, "return (positions[:, None].bfloat16() * frequencies).float()"),
            named=("positions_in_bfloat16",),
        ),
        Edit(
            "angles are rounded to float16",
            (ANGLES, "return (positions[:, None] * frequencies).half()"),
            named=("returns_float16",),
        ),
        Edit(
            "angles are float64",
            (ANGLES, "return positions[:, None].double() * frequencies"),
            named=("float64",),
        ),
        Edit(
            "positions are counted from 1",
            (ANGLES, "return (positions[:, None] + 1) * frequencies"),
            named=("one_based",),
        ),
        Edit(
            "position divided by frequency",
            (ANGLES, "return positions[:, None] / frequencies"),
            named=("divides",),
        ),
        Edit(
            "angles are added, not multiplied",
            (ANGLES, "return positions[:, None] + frequencies"),
            named=("adds",),
        ),
        Edit(
            "frequency to the power of the position",
            (ANGLES, "return frequencies ** positions[:, None]"),
            named=("power",),
        ),
        Edit(
            "positions count from the first one given",
            (ANGLES, "return (positions - positions[0])[:, None] * frequencies"),
            named=("relative_to_the_first",),
        ),
        Edit(
            "all positions from 0 to the largest one",
            (ANGLES, "return torch.arange(int(positions.max()) + 1)[:, None] * frequencies"),
            named=("positions_from_zero", "all_up_to_the_largest"),
        ),
        Edit(
            "the angles are reduced modulo 360, as if they were degrees",
            (ANGLES, "return (positions[:, None] * frequencies) % 360"),
            named=("modulo_360",),
        ),
        Edit(
            "each angle twice, (T, d)",
            (ANGLES, "return (positions[:, None] * frequencies).repeat(1, 2)"),
            named=("repeated_halves",),
        ),
        Edit(
            "frequencies are made whole numbers like the positions",
            (ANGLES, "return positions[:, None] * frequencies.to(positions.dtype)"),
            named=("frequencies_cut",),
        ),
        Edit(
            "positions are sorted first",
            (ANGLES, "return positions.sort().values[:, None] * frequencies"),
            named=("sorted_positions",),
        ),
        Edit(
            "in place into (T, 1): the product does not fit",
            (ANGLES, "return positions[:, None].float().mul_(frequencies)"),
            named=("in_place_into_positions",),
        ),
    ],
    "apply_rope": [
        Edit(
            "a plus where the first line has a minus",
            ("a * cos - b * sin", "a * cos + b * sin"),
            named=("missing_minus",),
        ),
        Edit(
            "turns the other way: the angle's sign",
            (WIDE, "wide, cos, sin = x.float(), angles.cos(), -angles.sin()"),
            named=("clockwise",),
        ),
        Edit(
            "turns the other way: a transposed rotation",
            ("a * cos - b * sin, a * sin + b * cos", "a * cos + b * sin, b * cos - a * sin"),
            named=("clockwise",),
        ),
        Edit(
            "pairs i and i + d/2, and joined as halves",
            (AB, "a, b = wide.chunk(2, dim=-1)"),
            (PAIRS_STACKED, "torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)[..., None]"),
            named=("half_split",),
        ),
        Edit(
            "taken apart as halves, put together as neighbours",
            (AB, "a, b = wide.chunk(2, dim=-1)"),
            named=("read_as_halves",),
        ),
        Edit(
            "taken apart as neighbours, put together as halves",
            (PAIRS_STACKED, "torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)"),
            (JOINED, "return pairs.to(x.dtype)"),
            named=("written_as_halves",),
        ),
        Edit(
            "put together as halves by a stack over dim=-2",
            ("dim=-1)  # (..., T, d/2, 2)", "dim=-2)"),
            named=("written_as_halves",),
        ),
        Edit(
            "sine and cosine are swapped",
            (WIDE, "wide, sin, cos = x.float(), angles.cos(), angles.sin()"),
            named=("sin_cos_exchanged",),
        ),
        Edit(
            "the two numbers of every pair are swapped on the way in",
            (AB, "b, a = wide[..., 0::2], wide[..., 1::2]"),
            named=("swapped_on_the_way_in",),
        ),
        Edit(
            "the two numbers of every pair are swapped on the way out",
            ("(a * cos - b * sin, a * sin + b * cos)", "(a * sin + b * cos, a * cos - b * sin)"),
            named=("swapped_components",),
        ),
        Edit(
            "the result stays float32",
            (".flatten(-2).to(x.dtype)", ".flatten(-2)"),
            named=("float32",),
        ),
        Edit(
            "computed in x's dtype: no float()",
            (WIDE, "wide, cos, sin = x, angles.cos().to(x.dtype), angles.sin().to(x.dtype)"),
            named=("computes_in_half",),
        ),
        Edit(
            "sine and cosine are rounded to x's dtype",
            (
                WIDE,
                "wide, cos, sin = x.float(), angles.cos().to(x.dtype).float(), angles.sin().to(x.dtype).float()",
            ),
            named=("computes_in_half",),
        ),
        Edit(
            "the angles are rounded to x's dtype",
            (
                WIDE,
                "angles = angles.to(x.dtype)\n    wide, cos, sin = x.float(), angles.cos().float(), angles.sin().float()",
            ),
            named=("angles_in_half",),
        ),
        Edit(
            "the new a is used to compute the new b",
            (AB, AB + "\n    a = a * cos - b * sin"),
            ("a * cos - b * sin, a * sin", "a, a * sin"),
            named=("overwritten",),
        ),
        Edit(
            "only the first pair's angle is used for all pairs",
            (WIDE, "angles = angles[:, :1]\n    " + WIDE),
            named=("same_angle_for_all_pairs",),
        ),
        Edit(
            "only the first position's angles are used",
            (WIDE, "angles = angles[:1]\n    " + WIDE),
            named=("first_angle_for_all",),
        ),
        Edit(
            "the second line has a minus",
            ("a * sin + b * cos", "a * sin - b * cos"),
            named=("minus_twice",),
        ),
        Edit("pairs stay an axis of their own", (".flatten(-2).to", ".to"), named=("not_joined",)),
        Edit(
            "slices the sequence, not the features",
            (AB, "a, b = wide[0::2], wide[1::2]"),
            named=("slices_the_positions",),
        ),
        Edit(
            "positions on the first axis: angles get axes behind",
            (WIDE, "angles = angles[:, None, :]\n    " + WIDE),
            named=("axis_in_between",),
        ),
        Edit(
            "only cosines: b's part is forgotten",
            ("a * cos - b * sin, a * sin + b * cos", "a * cos, b * cos"),
            named=("cosine_only",),
        ),
        Edit(
            "gradients do not flow through",
            (WIDE, "wide, cos, sin = x.detach().float(), angles.cos(), angles.sin()"),
            named=("detached",),
        ),
        Edit(
            "the result is put into a tensor made on the CPU",
            (
                JOINED,
                "out = torch.zeros(x.shape, dtype=x.dtype)\n    out.copy_(pairs.flatten(-2))\n    return out",
            ),
            named=("on_cpu",),
        ),
        Edit(
            "changes x in place",
            (JOINED, "x.data.copy_(pairs.flatten(-2))\n    return x"),
            named=("in_place",),
        ),
    ],
    "apply_rope_complex": [
        Edit(
            "turns the other way: the angle's sign",
            (POLAR, "torch.polar(torch.ones_like(angles), -angles)"),
            named=("clockwise",),
        ),
        Edit(
            "turns the other way: the conjugate",
            (POLAR, "torch.polar(torch.ones_like(angles), angles).conj()"),
            named=("clockwise",),
        ),
        Edit(
            "polar's arguments are swapped",
            (POLAR, "torch.polar(angles, torch.ones_like(angles))"),
            named=("polar_arguments_exchanged",),
        ),
        Edit("e^α without the i", (POLAR, "torch.exp(angles)"), named=("real_exponent",)),
        Edit(
            "length 0 instead of 1",
            (POLAR, "torch.polar(torch.zeros_like(angles), angles)"),
            named=("length_zero",),
        ),
        Edit(
            "sine and cosine are swapped",
            (POLAR, "torch.complex(angles.sin(), angles.cos())"),
            named=("sin_cos_exchanged",),
        ),
        Edit(
            "real 1 and imaginary the angle",
            (POLAR, "torch.complex(torch.ones_like(angles), angles)"),
            named=("small_angles",),
        ),
        Edit(
            "added, not multiplied",
            ("pairs * torch.polar", "pairs + torch.polar"),
            named=("adds_sines",),
        ),
        Edit(
            "divided, so turned back",
            ("pairs * torch.polar", "pairs / torch.polar"),
            named=("clockwise",),
        ),
        Edit(
            "pairs i and i + d/2: reshape to (2, d/2), then transpose",
            (
                VIEWED,
                "torch.view_as_complex(x.float().reshape(*x.shape[:-1], 2, -1).transpose(-1, -2).contiguous())",
            ),
            named=("read_as_halves",),
        ),
        Edit(
            "pairs i and i + d/2, in and out",
            (VIEWED, "torch.complex(*x.float().chunk(2, dim=-1))"),
            (BACK, "return torch.cat((turned.real, turned.imag), dim=-1).to(x.dtype)"),
            named=("half_split",),
        ),
        Edit(
            "put together as halves",
            (BACK, "return torch.cat((turned.real, turned.imag), dim=-1).to(x.dtype)"),
            named=("written_as_halves",),
        ),
        Edit(
            "only the real part comes back",
            (BACK, "return turned.real.to(x.dtype)"),
            named=("real_part_only",),
        ),
        Edit(
            "the result stays float32",
            (".flatten(-2).to(x.dtype)", ".flatten(-2)"),
            named=("float32",),
        ),
        Edit("pairs stay an axis of their own", (".flatten(-2).to", ".to"), named=("not_joined",)),
        Edit(
            "flatten(3), right for four axes only",
            (".flatten(-2)", ".flatten(3)"),
            named=("four_axes_only",),
        ),
        Edit(
            "no float(): bfloat16 has no complex numbers",
            ("x.float().reshape", "x.reshape"),
            named=("no_complex_bfloat16",),
        ),
        Edit(
            "imaginary part is not the second number: swapped on the way in",
            (VIEWED, VIEWED.replace("-1, 2))", "-1, 2).flip(-1))")),
            named=("swapped_on_the_way_in",),
        ),
        Edit(
            "real and imaginary part swapped on the way out",
            ("torch.view_as_real(turned).flatten", "torch.view_as_real(turned).flip(-1).flatten"),
            named=("swapped_components",),
        ),
        Edit(
            "the angles are rounded to x's dtype",
            ("pairs = " + VIEWED, "angles = angles.to(x.dtype).float()\n    pairs = " + VIEWED),
            named=("angles_in_half",),
        ),
        Edit(
            "the ones are made on the CPU, in float32",
            (POLAR, "torch.polar(torch.ones(angles.shape), angles)"),
            named=("ones_on_cpu",),
        ),
        Edit(
            "half precision before complex",
            ("x.float()", "x.half().float()"),
            named=("rounds_to_float16",),
        ),
    ],
    "interleaved_to_half": [
        Edit(
            "the second numbers of all pairs in front",
            (MOVED, "torch.cat((x[..., 1::2], x[..., 0::2]), dim=-1)"),
            named=("odd_places_first",),
        ),
        Edit("x comes back as it is", (MOVED, "x"), named=("identity",)),
        Edit(
            "the inverse: from halves to neighbours",
            (MOVED, "torch.stack(x.chunk(2, dim=-1), dim=-1).flatten(-2)"),
            named=("inverse",),
        ),
        Edit(
            "the inverse, by reshape to (2, d/2)",
            (MOVED, "x.reshape(*x.shape[:-1], 2, -1).transpose(-1, -2).reshape(x.shape)"),
            named=("inverse",),
        ),
        Edit(
            "stacked instead of concatenated",
            (MOVED, "torch.stack((x[..., 0::2], x[..., 1::2]), dim=-1)"),
            named=("not_joined",),
        ),
        Edit(
            "stacked and flattened: as it was",
            (MOVED, "torch.stack((x[..., 0::2], x[..., 1::2]), dim=-1).flatten(-2)"),
            named=("identity",),
        ),
        Edit(
            "joined along the first axis",
            ("dim=-1)", "dim=0)"),
            named=("joined_along_the_first_axis",),
        ),
        Edit(
            "joined along the positions",
            ("dim=-1)", "dim=-2)"),
            named=("joined_along_the_positions",),
        ),
        Edit(
            "takes every second row, not every second number",
            (MOVED, "torch.cat((x[0::2], x[1::2]), dim=0)"),
            named=("first_dimension",),
        ),
        Edit("the even numbers only", (MOVED, "x[..., 0::2]"), named=("even_places_only",)),
        Edit(
            "the first half twice",
            (MOVED, "torch.cat((x[..., 0::2], x[..., 0::2]), dim=-1)"),
            named=("even_places_twice",),
        ),
        Edit(
            "the halves are swapped",
            (MOVED, "torch.cat(x.chunk(2, dim=-1)[::-1], dim=-1)"),
            named=("halves_exchanged",),
        ),
        Edit(
            "the result is float32",
            (MOVED, "torch.cat((x[..., 0::2], x[..., 1::2]), dim=-1).float()"),
            named=("float32",),
        ),
        Edit(
            "rotate_half: minus the second half in front",
            (MOVED, "torch.cat((-x[..., 1::2], x[..., 0::2]), dim=-1)"),
            named=("quarter_turn",),
        ),
        Edit(
            "reshape without the transpose",
            (MOVED, "x.reshape(*x.shape[:-1], -1, 2).reshape(x.shape)"),
            named=("identity",),
        ),
        Edit(
            "the transpose of the whole, not of the pairs",
            (MOVED, "x.reshape(*x.shape[:-1], -1, 2).transpose(0, -1).reshape(x.shape)"),
            named=("whole_transposed",),
        ),
        Edit(
            "written into x while it is read",
            (MOVED, "x.copy_(torch.cat((x[..., 0::2], x[..., 1::2]), dim=-1))"),
            named=("in_place",),
        ),
        Edit(
            "for four axes only",
            (MOVED, "torch.cat((x[:, :, :, 0::2], x[:, :, :, 1::2]), dim=-1)"),
            named=("four_axes_only",),
        ),
    ],
    "apply_rope_half": [
        Edit(
            "a plus where the first line has a minus",
            ("a * cos - b * sin", "a * cos + b * sin"),
            named=("missing_minus",),
        ),
        Edit(
            "turns the other way: the angle's sign",
            (HALF_CS, "cos, sin = angles.cos(), (-angles).sin()"),
            named=("clockwise",),
        ),
        Edit(
            "pairs of neighbours, put together as halves",
            (HALVES, "wide = x.float()\n    a, b = wide[..., 0::2], wide[..., 1::2]"),
            named=("read_as_neighbours",),
        ),
        Edit(
            "taken apart as halves, put together as neighbours",
            (
                HALF_OUT,
                "return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2).to(x.dtype)",
            ),
            named=("written_as_neighbours",),
        ),
        Edit(
            "pairs of neighbours, in and out",
            (HALVES, "a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)"),
            (
                HALF_OUT,
                "return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2).to(x.dtype)",
            ),
            named=("neighbours",),
        ),
        Edit(
            "the halves are swapped on the way in",
            (HALVES, "b, a = x.float().chunk(2, dim=-1)"),
            named=("swapped_on_the_way_in",),
        ),
        Edit(
            "the halves are swapped on the way out",
            ("(a * cos - b * sin, a * sin + b * cos)", "(a * sin + b * cos, a * cos - b * sin)"),
            named=("swapped_components",),
        ),
        Edit(
            "sine and cosine are swapped",
            (HALF_CS, "sin, cos = angles.cos(), angles.sin()"),
            named=("sin_cos_exchanged",),
        ),
        Edit(
            "the result stays float32", (", dim=-1).to(x.dtype)", ", dim=-1)"), named=("float32",)
        ),
        Edit(
            "computed in x's dtype: no float()",
            (HALVES, "a, b = x.chunk(2, dim=-1)"),
            (HALF_CS, "cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)"),
            named=("computes_in_half",),
        ),
        Edit(
            "split into pieces of 2 numbers, not into 2 pieces",
            (HALVES, "a, b = x.float().split(2, dim=-1)"),
            named=("pieces_of_two",),
        ),
        Edit(
            "split along the positions",
            (HALVES, "a, b = x.float().chunk(2, dim=-2)"),
            named=("split_along_the_positions",),
        ),
        Edit(
            "joined along the positions",
            (", dim=-1).to(x.dtype)", ", dim=-2).to(x.dtype)"),
            named=("joined_along_the_positions",),
        ),
        Edit(
            "the new a is used to compute the new b",
            (HALF_CS, HALF_CS + "\n    a = a * cos - b * sin"),
            ("a * cos - b * sin, a * sin", "a, a * sin"),
            named=("overwritten",),
        ),
        Edit(
            "rotate_half with the minus on the wrong half: turns the other way",
            (
                HALF_OUT,
                "cos, sin = cos.repeat(1, 2), sin.repeat(1, 2)\n    return (x.float() * cos + torch.cat((b, -a), dim=-1) * sin).to(x.dtype)",
            ),
            named=("clockwise",),
        ),
        Edit(
            "Hugging Face's rotate_half, with cos and sin doubled as neighbours",
            (
                HALF_OUT,
                "cos, sin = cos.repeat_interleave(2, -1), sin.repeat_interleave(2, -1)\n    return (x.float() * cos + torch.cat((-b, a), dim=-1) * sin).to(x.dtype)",
            ),
            named=("angles_in_pairs",),
        ),
        Edit(
            "rotate_half without the minus",
            (
                HALF_OUT,
                "cos, sin = cos.repeat(1, 2), sin.repeat(1, 2)\n    return (x.float() * cos + torch.cat((b, a), dim=-1) * sin).to(x.dtype)",
            ),
            named=("missing_minus",),
        ),
        Edit(
            "the angles are rounded to x's dtype",
            (HALF_CS, "angles = angles.to(x.dtype).float()\n    " + HALF_CS),
            named=("angles_in_half",),
        ),
        Edit(
            "the second line has a minus",
            ("a * sin + b * cos", "a * sin - b * cos"),
            named=("minus_twice",),
        ),
        Edit(
            "only the first half is rotated",
            (HALF_OUT, "return torch.cat((a * cos - b * sin, b), dim=-1).to(x.dtype)"),
            named=("second_half_left",),
        ),
        Edit(
            "only the first position's angles are used",
            (HALF_CS, "cos, sin = angles[:1].cos(), angles[:1].sin()"),
            named=("first_angle_for_all",),
        ),
    ],
}

PAIRS = {
    "sinusoidal_positions": [
        Edit(
            "cosines first, and base ignored",
            ("(angles.sin(), angles.cos())", "(angles.cos(), angles.sin())"),
            (TABLE_FREQUENCIES, "10_000 ** (-torch.arange(0, dim, 2) / dim)"),
            named=("sin_cos_exchanged", "ignores_base"),
        ),
        Edit(
            "positions counted from 1, and halves instead of alternating columns",
            ("torch.arange(seq_len)[:, None]", "torch.arange(1, seq_len + 1)[:, None]"),
            (TABLE, "return torch.cat((angles.sin(), angles.cos()), dim=-1)"),
            named=("one_based_positions", "halves"),
        ),
        Edit(
            "the exponent is doubled, and the result is float64",
            (TABLE_FREQUENCIES, "base ** (-2 * torch.arange(0, dim, 2) / dim)"),
            (TABLE, TABLE + ".double()"),
            named=("double_exponent", "float64"),
        ),
    ],
    "rotate_2d": [
        Edit(
            "turns clockwise, and the result stays float32",
            ("x * cos - y * sin, x * sin + y * cos", "x * cos + y * sin, y * cos - x * sin"),
            (".to(v.dtype)", ""),
            named=("clockwise", "promotes"),
        ),
    ],
    "rope_frequencies": [
        Edit(
            "no minus in the exponent, and base ignored",
            (FREQUENCIES, "return 10_000.0 ** (torch.arange(0, head_dim, 2) / head_dim)"),
            named=("sign", "ignores_base"),
        ),
        Edit(
            "exponents i/d, and slowest first",
            (FREQUENCIES, "return base ** (-torch.arange(head_dim // 2).flip(0) / head_dim)"),
            named=("half_exponent", "reversed"),
        ),
    ],
    "apply_rope": [
        Edit(
            "half-split pairs, and the angle's sign",
            (WIDE, "wide, cos, sin = x.float(), angles.cos(), -angles.sin()"),
            (AB, "a, b = wide.chunk(2, dim=-1)"),
            (PAIRS_STACKED, "torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)[..., None]"),
            named=("half_split", "clockwise"),
        ),
        Edit(
            "turns the other way, and the result stays float32",
            ("a * cos - b * sin, a * sin + b * cos", "a * cos + b * sin, b * cos - a * sin"),
            (".flatten(-2).to(x.dtype)", ".flatten(-2)"),
            named=("clockwise", "float32"),
        ),
        Edit(
            "sine and cosine swapped, and computed in x's dtype",
            (WIDE, "wide, sin, cos = x, angles.cos().to(x.dtype), angles.sin().to(x.dtype)"),
            named=("sin_cos_exchanged", "computes_in_half"),
        ),
    ],
    "apply_rope_complex": [
        Edit(
            "halves put together, and the conjugate",
            (POLAR, "torch.polar(torch.ones_like(angles), -angles)"),
            (BACK, "return torch.cat((turned.real, turned.imag), dim=-1).to(x.dtype)"),
            named=("written_as_halves", "clockwise"),
        ),
        Edit(
            "the result stays float32, and the angle's sign",
            (POLAR, "torch.polar(torch.ones_like(angles), -angles)"),
            (".flatten(-2).to(x.dtype)", ".flatten(-2)"),
            named=("float32", "clockwise"),
        ),
    ],
    "apply_rope_half": [
        Edit(
            "neighbours instead of halves, and the angle's sign",
            (HALVES, "a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)"),
            (HALF_CS, "cos, sin = angles.cos(), (-angles).sin()"),
            (
                HALF_OUT,
                "return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2).to(x.dtype)",
            ),
            named=("neighbours", "clockwise"),
        ),
        Edit(
            "a plus in the first line, and computed in x's dtype",
            (HALVES, "a, b = x.chunk(2, dim=-1)"),
            (HALF_CS, "cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)"),
            ("a * cos - b * sin", "a * cos + b * sin"),
            named=("missing_minus", "computes_in_half"),
        ),
    ],
}
