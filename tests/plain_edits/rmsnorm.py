"""Lab 02: plain edits of the worked answers, each a mistake in the spelling of a learner."""

from wrong_answers import Edit

B_CENTRED = "centred = wide - wide.mean(dim=0)"
B_VARIANCE = "variance = centred.square().mean(dim=0)"
B_RETURN = "return (centred * torch.rsqrt(variance + eps)).to(x.dtype)"

L_CENTRED = "centred = wide - wide.mean(dim=-1, keepdim=True)"
L_VARIANCE = "variance = centred.square().mean(dim=-1, keepdim=True)"
L_RETURN = "return (centred * torch.rsqrt(variance + eps) * weight + bias).to(x.dtype)"

R_MEAN = "mean_square = wide.square().mean(dim=-1, keepdim=True)"
R_RETURN = "return (wide * torch.rsqrt(mean_square + eps) * weight).to(x.dtype)"

WEIGHT = "self.weight = nn.Parameter(torch.ones(dim))"
FORWARD = "return rms_norm(x, self.weight, self.eps)"

WIDE = "wide = x.float()"

EDITS = {
    "batch_norm": [
        Edit(
            "rows are normalised, not columns",
            (B_CENTRED, "centred = wide - wide.mean(dim=1, keepdim=True)"),
            (B_VARIANCE, "variance = centred.square().mean(dim=1, keepdim=True)"),
            named=("rows_not_columns",),
        ),
        Edit(
            "rows are normalised, not columns, with dim=-1",
            (B_CENTRED, "centred = wide - wide.mean(-1, keepdim=True)"),
            (B_VARIANCE, "variance = centred.square().mean(-1, keepdim=True)"),
            named=("rows_not_columns",),
        ),
        Edit(
            "the means of rows, whose shape does not fit the columns",
            (B_CENTRED, "centred = wide - wide.mean(dim=1)"),
            (B_VARIANCE, "variance = centred.square().mean(dim=1)"),
            named=("row_means_on_columns",),
        ),
        Edit(
            "one mean and one variance for the whole batch",
            (B_CENTRED, "centred = wide - wide.mean()"),
            (B_VARIANCE, "variance = centred.square().mean()"),
            named=("all_at_once",),
        ),
        Edit(
            "one variance for the whole batch",
            (B_VARIANCE, "variance = centred.square().mean()"),
            named=("one_variance",),
        ),
        Edit(
            "one mean for the whole batch",
            (B_CENTRED, "centred = wide - wide.mean()"),
            named=("one_mean",),
        ),
        Edit(
            "the variance with N - 1",
            (B_VARIANCE, "variance = wide.var(dim=0)"),
            named=("sample_variance",),
        ),
        Edit(
            "the variance with N - 1, written out",
            (B_VARIANCE, "variance = centred.square().sum(dim=0) / (len(x) - 1)"),
            named=("sample_variance",),
        ),
        Edit(
            "the deviation with N - 1, with torch.std",
            (B_RETURN, "return (centred / torch.sqrt(wide.std(dim=0) ** 2 + eps)).to(x.dtype)"),
            named=("sample_variance",),
        ),
        Edit(
            "the sum of squares where the variance should be",
            (B_VARIANCE, "variance = centred.square().sum(dim=0)"),
            named=("sum_not_mean",),
        ),
        Edit(
            "the mean square where the variance should be: the mean is not subtracted there",
            (B_VARIANCE, "variance = wide.square().mean(dim=0)"),
            named=("second_moment",),
        ),
        Edit(
            "the mean of the sizes, not of the squares",
            (B_VARIANCE, "variance = centred.abs().mean(dim=0)"),
            named=("root_of_mean_absolute",),
        ),
        Edit(
            "the columns are not centred",
            (B_RETURN, "return (wide * torch.rsqrt(variance + eps)).to(x.dtype)"),
            named=("not_centred",),
        ),
        Edit(
            "only centred, not divided",
            (B_RETURN, "return centred.to(x.dtype)"),
            named=("only_centred",),
        ),
        Edit("eps is left out", ("variance + eps", "variance"), named=("ignores_eps",)),
        Edit(
            "eps stands after the root",
            (B_RETURN, "return (centred / (variance.sqrt() + eps)).to(x.dtype)"),
            named=("eps_outside_root",),
        ),
        Edit("eps is squared", ("variance + eps", "variance + eps**2"), named=("eps_squared",)),
        Edit("eps is subtracted", ("variance + eps", "variance - eps"), named=("eps_subtracted",)),
        Edit(
            "eps is a number of its own, not the argument",
            ("variance + eps", "variance + 1e-5"),
            named=("fixed_eps",),
        ),
        Edit(
            "multiplies by the deviation where it should divide",
            ("torch.rsqrt(variance", "torch.sqrt(variance"),
            named=("divides_by_rsqrt",),
        ),
        Edit(
            "divides by the variance, not by its root",
            (B_RETURN, "return (centred / (variance + eps)).to(x.dtype)"),
            named=("divides_by_variance",),
        ),
        Edit(
            "the root is taken twice",
            (B_VARIANCE, "variance = centred.square().mean(dim=0).sqrt()"),
            named=("root_twice",),
        ),
        Edit(
            "divides by one over the root",
            (B_RETURN, "return (centred / torch.rsqrt(variance + eps)).to(x.dtype)"),
            named=("divides_by_rsqrt",),
        ),
        Edit("computes in x's dtype, not in float32", (WIDE, "wide = x"), named=("no_upcast",)),
        Edit(
            "returns float32 whatever came in",
            (B_RETURN, "return centred * torch.rsqrt(variance + eps)"),
            named=("not_cast_back",),
        ),
        Edit(
            "subtracts in place, which changes a float32 input",
            (B_CENTRED, "wide -= wide.mean(dim=0)\n    centred = wide"),
            named=("in_place",),
        ),
        Edit(
            "the median where the mean should be",
            (B_CENTRED, "centred = wide - wide.median(dim=0).values"),
            named=("median",),
        ),
        Edit(
            "each sample loses the mean of the samples up to it",
            (
                B_CENTRED,
                "centred = wide - wide.cumsum(0) / torch.arange(1, len(x) + 1, device=x.device)[:, None]",
            ),
            named=("running_mean",),
        ),
    ],
    "layer_norm": [
        Edit(
            "mean and variance run over dimension 1, which is not the last for batches of sequences",
            (L_CENTRED, "centred = wide - wide.mean(dim=1, keepdim=True)"),
            (L_VARIANCE, "variance = centred.square().mean(dim=1, keepdim=True)"),
            named=("dim_one",),
        ),
        Edit(
            "mean and variance run over the tokens",
            (L_CENTRED, "centred = wide - wide.mean(dim=-2, keepdim=True)"),
            (L_VARIANCE, "variance = centred.square().mean(dim=-2, keepdim=True)"),
            named=("over_tokens",),
        ),
        Edit(
            "mean and variance run over the batch, as in BatchNorm",
            (L_CENTRED, "centred = wide - wide.mean(dim=0)"),
            (L_VARIANCE, "variance = centred.square().mean(dim=0)"),
            named=("columns_not_rows",),
        ),
        Edit(
            "mean and variance run over tokens and features",
            (L_CENTRED, "centred = wide - wide.mean(dim=(-2, -1), keepdim=True)"),
            (L_VARIANCE, "variance = centred.square().mean(dim=(-2, -1), keepdim=True)"),
            named=("tokens_together",),
        ),
        Edit(
            "one mean and one variance for the whole tensor",
            (L_CENTRED, "centred = wide - wide.mean()"),
            (L_VARIANCE, "variance = centred.square().mean()"),
            named=("tokens_together", "all_at_once"),
        ),
        Edit(
            "the variance of the whole tensor",
            (L_VARIANCE, "variance = centred.square().mean()"),
            named=("one_variance",),
        ),
        Edit(
            "keepdim is missing at the mean",
            (L_CENTRED, "centred = wide - wide.mean(dim=-1)"),
            named=("no_keepdim",),
        ),
        Edit(
            "keepdim is missing at the variance",
            (L_VARIANCE, "variance = centred.square().mean(dim=-1)"),
            named=("no_keepdim",),
        ),
        Edit(
            "the variance with D - 1",
            (L_VARIANCE, "variance = wide.var(dim=-1, keepdim=True)"),
            named=("sample_variance",),
        ),
        Edit(
            "std + eps, with D - 1 and eps after the root",
            (
                L_RETURN,
                "return (centred / (wide.std(-1, keepdim=True) + eps) * weight + bias).to(x.dtype)",
            ),
            named=("std_plus_eps",),
        ),
        Edit(
            "eps stands after the root",
            (L_RETURN, "return (centred / (variance.sqrt() + eps) * weight + bias).to(x.dtype)"),
            named=("eps_outside_root",),
        ),
        Edit("eps is left out", ("variance + eps", "variance"), named=("ignores_eps",)),
        Edit(
            "eps is a number of its own, not the argument",
            ("variance + eps", "variance + 1e-6"),
            named=("fixed_eps",),
        ),
        Edit(
            "the mean is not subtracted from x",
            (L_RETURN, "return (wide * torch.rsqrt(variance + eps) * weight + bias).to(x.dtype)"),
            named=("not_centred",),
        ),
        Edit(
            "nothing is centred: RMSNorm with a bias",
            (L_CENTRED, "centred = wide"),
            named=("rms_norm",),
        ),
        Edit(
            "the mean is added",
            (L_CENTRED, "centred = wide + wide.mean(dim=-1, keepdim=True)"),
            named=("mean_added",),
        ),
        Edit(
            "multiplies by the deviation where it should divide",
            ("torch.rsqrt(variance", "torch.sqrt(variance"),
            named=("divides_by_rsqrt",),
        ),
        Edit(
            "divides by the variance, not by its root",
            (L_RETURN, "return (centred / (variance + eps) * weight + bias).to(x.dtype)"),
            named=("divides_by_variance",),
        ),
        Edit("the weight is left out", (" * weight", ""), named=("no_weight",)),
        Edit("the bias is left out", (" + bias)", ")"), named=("no_bias",)),
        Edit(
            "weight and bias are left out", (" * weight + bias)", ")"), named=("no_weight_no_bias",)
        ),
        Edit(
            "weight and bias are swapped",
            ("* weight + bias)", "* bias + weight)"),
            named=("swapped_weight_bias",),
        ),
        Edit(
            "the bias is scaled by the weight too",
            (
                L_RETURN,
                "return ((centred * torch.rsqrt(variance + eps) + bias) * weight).to(x.dtype)",
            ),
            named=("bias_before_weight",),
        ),
        Edit(
            "the bias is subtracted",
            ("* weight + bias)", "* weight - bias)"),
            named=("bias_subtracted",),
        ),
        Edit(
            "the scale is 1 + weight",
            ("* weight + bias)", "* (1 + weight) + bias)"),
            named=("one_plus_weight",),
        ),
        Edit(
            "the weight is applied before the variance is taken, and once more at the end",
            (L_CENTRED, "centred = (wide - wide.mean(dim=-1, keepdim=True)) * weight"),
            named=("weight_twice",),
        ),
        Edit("computes in x's dtype, not in float32", (WIDE, "wide = x"), named=("no_upcast",)),
        Edit(
            "float32 ends before weight and bias, whose dtype then decides",
            (
                L_RETURN,
                "return (centred * torch.rsqrt(variance + eps)).to(x.dtype) * weight + bias",
            ),
            named=("weight_dtype_wins",),
        ),
        Edit(
            "returns float32 whatever came in",
            (L_RETURN, "return centred * torch.rsqrt(variance + eps) * weight + bias"),
            named=("not_cast_back",),
        ),
        Edit(
            "subtracts in place, which changes a float32 input",
            (L_CENTRED, "centred = wide.sub_(wide.mean(dim=-1, keepdim=True))"),
            named=("in_place",),
        ),
        Edit(
            "weight and bias get no gradient",
            ("* weight + bias)", "* weight.detach() + bias.detach())"),
            named=("learnt_detached",),
        ),
    ],
    "rms_norm": [
        Edit(
            "the mean of the squares runs over dimension 1",
            (R_MEAN, "mean_square = wide.square().mean(dim=1, keepdim=True)"),
            named=("dim_one",),
        ),
        Edit(
            "the mean of the squares runs over the tokens",
            (R_MEAN, "mean_square = wide.square().mean(dim=-2, keepdim=True)"),
            named=("over_tokens",),
        ),
        Edit(
            "the mean of the squares runs over the batch",
            (R_MEAN, "mean_square = wide.square().mean(dim=0, keepdim=True)"),
            named=("columns_not_rows",),
        ),
        Edit(
            "one mean square for the whole tensor",
            (R_MEAN, "mean_square = wide.square().mean()"),
            named=("tokens_together", "all_at_once"),
        ),
        Edit(
            "keepdim is missing",
            (R_MEAN, "mean_square = wide.square().mean(dim=-1)"),
            named=("no_keepdim",),
        ),
        Edit(
            "the sum of the squares: the vector gets length 1",
            (R_MEAN, "mean_square = wide.square().sum(dim=-1, keepdim=True)"),
            named=("sum_not_mean",),
        ),
        Edit(
            "divides by the length, not by the root mean square",
            (
                R_RETURN,
                "return (wide / (wide.norm(dim=-1, keepdim=True) + eps) * weight).to(x.dtype)",
            ),
            named=("sum_not_mean",),
        ),
        Edit(
            "the square of the mean",
            (R_MEAN, "mean_square = wide.mean(dim=-1, keepdim=True).square()"),
            named=("mean_then_square",),
        ),
        Edit(
            "the mean of the sizes",
            (R_MEAN, "mean_square = wide.abs().mean(dim=-1, keepdim=True)"),
            named=("root_of_mean_absolute",),
        ),
        Edit(
            "the variance where the mean square should be",
            (R_MEAN, "mean_square = wide.var(dim=-1, keepdim=True, correction=0)"),
            named=("standard_deviation",),
        ),
        Edit(
            "torch.var with D - 1 where the mean square should be",
            (R_MEAN, "mean_square = wide.var(-1, keepdim=True)"),
            named=("sample_deviation",),
        ),
        Edit(
            "the mean is subtracted first, as in LayerNorm",
            (WIDE, "wide = x.float() - x.float().mean(-1, keepdim=True)"),
            named=("layer_norm",),
        ),
        Edit("eps is left out", ("mean_square + eps", "mean_square"), named=("ignores_eps",)),
        Edit(
            "eps is a number of its own, not the argument",
            ("mean_square + eps", "mean_square + 1e-6"),
            named=("small_fixed_eps",),
        ),
        Edit(
            "eps is squared",
            ("mean_square + eps", "mean_square + eps * eps"),
            named=("eps_squared",),
        ),
        Edit(
            "eps stands after the root",
            (R_RETURN, "return (wide / (mean_square.sqrt() + eps) * weight).to(x.dtype)"),
            named=("eps_outside_root",),
        ),
        Edit(
            "eps is a floor of the root, not a summand",
            (R_RETURN, "return (wide / mean_square.sqrt().clamp(min=eps) * weight).to(x.dtype)"),
            named=("eps_as_floor",),
        ),
        Edit(
            "multiplies by the root where it should divide",
            ("torch.rsqrt(", "torch.sqrt("),
            named=("divides_by_rsqrt",),
        ),
        Edit(
            "divides by one over the root",
            ("wide * torch.rsqrt(", "wide / torch.rsqrt("),
            named=("divides_by_rsqrt",),
        ),
        Edit(
            "divides by the mean square, not by its root",
            (R_RETURN, "return (wide / (mean_square + eps) * weight).to(x.dtype)"),
            named=("no_root",),
        ),
        Edit(
            "the root is taken twice",
            (R_MEAN, "mean_square = wide.square().mean(dim=-1, keepdim=True).sqrt()"),
            named=("root_twice",),
        ),
        Edit("the weight is left out", (" * weight", ""), named=("no_weight",)),
        Edit(
            "the scale is 1 + weight",
            (" * weight)", " * (1 + weight))"),
            named=("one_plus_weight",),
        ),
        Edit("the weight is added", (" * weight)", " + weight)"), named=("weight_added",)),
        Edit("divides by the weight", (" * weight)", " / weight)"), named=("divides_by_weight",)),
        Edit(
            "the weight is applied before the mean square is taken, and once more at the end",
            (WIDE, "wide = x.float() * weight"),
            named=("weight_twice",),
        ),
        Edit(
            "squares in x's dtype",
            (R_MEAN, "mean_square = x.square().mean(dim=-1, keepdim=True)"),
            named=("no_upcast",),
        ),
        Edit("computes in x's dtype, not in float32", (WIDE, "wide = x"), named=("no_upcast",)),
        Edit(
            "returns float32 whatever came in",
            (R_RETURN, "return wide * torch.rsqrt(mean_square + eps) * weight"),
            named=("not_cast_back",),
        ),
        Edit(
            "float32 ends before the weight, whose dtype then decides",
            (R_RETURN, "return (wide * torch.rsqrt(mean_square + eps)).to(x.dtype) * weight"),
            named=("weight_dtype_wins",),
        ),
        Edit(
            "returns the weight's dtype",
            (".to(x.dtype)", ".to(weight.dtype)"),
            named=("weight_dtype_wins",),
        ),
        Edit(
            "multiplies in place, which changes a float32 input",
            (
                R_RETURN,
                "wide *= torch.rsqrt(mean_square + eps)\n    return (wide * weight).to(x.dtype)",
            ),
            named=("in_place",),
        ),
        Edit(
            "the mean square gets no gradient",
            (R_MEAN, "mean_square = wide.detach().square().mean(dim=-1, keepdim=True)"),
            named=("statistics_detached",),
        ),
        Edit(
            "the weight gets no gradient",
            (" * weight)", " * weight.data)"),
            named=("weight_detached",),
        ),
    ],
    "RMSNorm": [
        Edit(
            "the weight starts at zeros",
            (WEIGHT, "self.weight = nn.Parameter(torch.zeros(dim))"),
            named=("weight_zeros",),
        ),
        Edit(
            "the weight starts at random",
            (WEIGHT, "self.weight = nn.Parameter(torch.randn(dim))"),
            named=("weight_random",),
        ),
        Edit(
            "the weight is a plain tensor, not a parameter",
            (WEIGHT, "self.weight = torch.ones(dim)"),
            named=("weight_no_parameter",),
        ),
        Edit(
            "the weight is a plain tensor with a gradient, not a parameter",
            (WEIGHT, "self.weight = torch.ones(dim, requires_grad=True)"),
            named=("weight_no_parameter",),
        ),
        Edit(
            "the weight is a buffer, which does not learn",
            (WEIGHT, 'self.register_buffer("weight", torch.ones(dim))'),
            named=("weight_buffer",),
        ),
        Edit(
            "the weight is frozen",
            (WEIGHT, "self.weight = nn.Parameter(torch.ones(dim), requires_grad=False)"),
            named=("weight_frozen",),
        ),
        Edit(
            "one number for all features",
            (WEIGHT, "self.weight = nn.Parameter(torch.ones(1))"),
            named=("one_weight",),
        ),
        Edit(
            "the weight is a matrix",
            (WEIGHT, "self.weight = nn.Parameter(torch.ones(dim, dim))"),
            named=("weight_shape",),
        ),
        Edit(
            "the weight has a dimension too many, (1, D)",
            (WEIGHT, "self.weight = nn.Parameter(torch.ones(1, dim))"),
            named=("weight_shape",),
        ),
        Edit(
            "the weight is called gamma",
            (WEIGHT, "self.gamma = nn.Parameter(torch.ones(dim))"),
            (FORWARD, "return rms_norm(x, self.gamma, self.eps)"),
            named=("other_name",),
        ),
        Edit(
            "there is a bias as well",
            (WEIGHT, WEIGHT + "\n        self.bias = nn.Parameter(torch.zeros(dim))"),
            (FORWARD, FORWARD + " + self.bias"),
            named=("with_bias",),
        ),
        Edit(
            "a bias that is not even used is among the parameters",
            (WEIGHT, WEIGHT + "\n        self.bias = nn.Parameter(torch.zeros(dim))"),
            named=("with_bias",),
        ),
        Edit(
            "eps is not handed on",
            (FORWARD, "return rms_norm(x, self.weight)"),
            named=("eps_forgotten",),
        ),
        Edit(
            "eps is kept as another number",
            ("self.eps = eps", "self.eps = 1e-6"),
            named=("small_fixed_eps",),
        ),
        Edit(
            "the weight is not used",
            (FORWARD, "return rms_norm(x, torch.ones_like(self.weight), self.eps)"),
            named=("weight_forgotten",),
        ),
        Edit(
            "a new weight of ones at each call, on the CPU",
            (FORWARD, "return rms_norm(x, torch.ones(x.shape[-1]), self.eps)"),
            named=("weight_forgotten",),
        ),
        Edit(
            "the weight gets no gradient",
            (FORWARD, "return rms_norm(x, self.weight.data, self.eps)"),
            named=("weight_detached",),
        ),
        Edit(
            "the weight is applied twice",
            (FORWARD, "return rms_norm(x, self.weight, self.eps) * self.weight"),
            named=("weight_twice",),
        ),
        Edit(
            "the scale is 1 + weight",
            (FORWARD, "return rms_norm(x, 1 + self.weight, self.eps)"),
            named=("one_plus_weight",),
        ),
        Edit(
            "adds x: the residual is inside the norm",
            (FORWARD, "return x + rms_norm(x, self.weight, self.eps)"),
            named=("residual",),
        ),
        Edit(
            "LayerNorm where RMSNorm should be",
            (FORWARD, "return layer_norm(x, self.weight, torch.zeros_like(self.weight), self.eps)"),
            named=("layer_norm",),
        ),
        Edit(
            "eps and weight are swapped",
            (FORWARD, "return rms_norm(x, self.eps, self.weight)"),
            named=("eps_and_weight_swapped",),
        ),
        Edit("nothing happens in forward", (FORWARD, "return x"), named=("identity",)),
        Edit(
            "everything runs without gradients",
            (
                FORWARD,
                "with torch.no_grad():\n            return rms_norm(x, self.weight, self.eps)",
            ),
            named=("no_gradient",),
        ),
    ],
}

PAIRS = {
    "batch_norm": [
        Edit(
            "the variance with N - 1; and eps after the root",
            (B_RETURN, "return (centred / (wide.std(dim=0) + eps)).to(x.dtype)"),
            named=("std_plus_eps",),
        ),
        Edit(
            "computes in x's dtype; and the variance with N - 1",
            (WIDE, "wide = x"),
            (B_VARIANCE, "variance = wide.var(dim=0)"),
            named=("sample_variance", "no_upcast"),
        ),
        Edit(
            "rows are normalised; and float32 is returned whatever came in",
            (B_CENTRED, "centred = wide - wide.mean(dim=1, keepdim=True)"),
            (B_VARIANCE, "variance = centred.square().mean(dim=1, keepdim=True)"),
            (").to(x.dtype)", ")"),
            named=("rows_not_columns", "not_cast_back"),
        ),
    ],
    "layer_norm": [
        Edit(
            "the variance with D - 1; and the bias is left out",
            (L_VARIANCE, "variance = wide.var(dim=-1, keepdim=True)"),
            (" + bias)", ")"),
            named=("sample_variance", "no_bias"),
        ),
        Edit(
            "over the tokens; and eps is left out",
            (L_CENTRED, "centred = wide - wide.mean(dim=-2, keepdim=True)"),
            (L_VARIANCE, "variance = centred.square().mean(dim=-2, keepdim=True)"),
            ("variance + eps", "variance"),
            named=("over_tokens", "ignores_eps"),
        ),
        Edit(
            "weight and bias are swapped; and eps stands after the root",
            (L_RETURN, "return (centred / (variance.sqrt() + eps) * bias + weight).to(x.dtype)"),
            named=("swapped_weight_bias", "eps_outside_root"),
        ),
        Edit(
            "the mean is not subtracted; and x's dtype all the way",
            (WIDE, "wide = x"),
            (L_CENTRED, "centred = wide"),
            named=("rms_norm", "no_upcast"),
        ),
    ],
    "rms_norm": [
        Edit(
            "the sum of the squares; and the weight is left out",
            (R_MEAN, "mean_square = wide.square().sum(dim=-1, keepdim=True)"),
            (" * weight", ""),
            named=("sum_not_mean", "no_weight"),
        ),
        Edit(
            "the scale is 1 + weight; and eps is left out",
            ("mean_square + eps", "mean_square"),
            (" * weight)", " * (1 + weight))"),
            named=("one_plus_weight", "ignores_eps"),
        ),
        Edit(
            "the mean is subtracted first; and eps stands after the root",
            (WIDE, "wide = x.float() - x.float().mean(-1, keepdim=True)"),
            (R_RETURN, "return (wide / (mean_square.sqrt() + eps) * weight).to(x.dtype)"),
            named=("layer_norm", "eps_outside_root"),
        ),
        Edit(
            "computes in x's dtype; and the weight is left out",
            (WIDE, "wide = x"),
            (" * weight", ""),
            named=("no_weight", "no_upcast"),
        ),
        Edit(
            "one mean square for the whole tensor; and changes a float32 input in place",
            (R_MEAN, "mean_square = wide.square().mean()"),
            (R_RETURN, "return wide.mul_(torch.rsqrt(mean_square + eps)).mul(weight).to(x.dtype)"),
            named=("all_at_once", "in_place"),
        ),
    ],
    "RMSNorm": [
        Edit(
            "the weight starts at zeros; and eps is not handed on",
            (WEIGHT, "self.weight = nn.Parameter(torch.zeros(dim))"),
            (FORWARD, "return rms_norm(x, self.weight)"),
            named=("eps_forgotten", "weight_zeros"),
        ),
        Edit(
            "the weight is called scale; and it starts at random",
            (WEIGHT, "self.scale = nn.Parameter(torch.rand(dim))"),
            (FORWARD, "return rms_norm(x, self.scale, self.eps)"),
            named=("other_name",),  # whose complaint comes first
        ),
    ],
}
