"""Lab 00: plain edits of the worked answers, each a mistake in the spelling of a learner."""

from wrong_answers import Edit

LINE = "return x.float().square().mean(dim=-1).to(x.dtype)"

EDITS = {
    "mean_square": [
        Edit(
            "nothing is squared: the plain mean",
            (LINE, "return x.float().mean(dim=-1).to(x.dtype)"),
            named=("no_square",),
        ),
        Edit(
            "the square of the mean, not the mean of the squares",
            (LINE, "return x.float().mean(dim=-1).square().to(x.dtype)"),
            named=("mean_then_square",),
        ),
        Edit(
            "the square of the mean, with ** 2",
            (LINE, "return (x.float().mean(-1) ** 2).to(x.dtype)"),
            named=("mean_then_square",),
        ),
        Edit(
            "doubles where it should square",
            (LINE, "return (x.float() * 2).mean(dim=-1).to(x.dtype)"),
            named=("twice",),
        ),
        Edit(
            "the mean of the sizes |x|, without squares",
            (LINE, "return x.float().abs().mean(dim=-1).to(x.dtype)"),
            named=("mean_absolute",),
        ),
        Edit(
            "one mean over the whole tensor",
            (LINE, "return x.float().square().mean().to(x.dtype)"),
            named=("all_at_once",),
        ),
        Edit(
            "the mean runs over the first dimension",
            (LINE, "return x.float().square().mean(dim=0).to(x.dtype)"),
            named=("first_dimension",),
        ),
        Edit(
            "the mean runs over dimension 1, which is the last one for matrices only",
            (LINE, "return x.float().square().mean(dim=1).to(x.dtype)"),
            named=("dim_one",),
        ),
        Edit(
            "the mean runs over the dimension before the last",
            (LINE, "return x.float().square().mean(dim=-2).to(x.dtype)"),
            named=("over_tokens",),
        ),
        Edit(
            "keeps the last dimension, with size 1",
            (LINE, "return x.float().square().mean(dim=-1, keepdim=True).to(x.dtype)"),
            named=("dimension_kept",),
        ),
        Edit(
            "the sum of the squares, not their mean",
            (LINE, "return x.float().square().sum(dim=-1).to(x.dtype)"),
            named=("sum_not_mean",),
        ),
        Edit(
            "divides the sum by the number of rows, not by D",
            (LINE, "return (x.float().square().sum(dim=-1) / len(x)).to(x.dtype)"),
            named=("divided_by_rows",),
        ),
        Edit(
            "divides the sum by D - 1",
            (LINE, "return (x.float().square().sum(dim=-1) / (x.shape[-1] - 1)).to(x.dtype)"),
            named=("one_less",),
        ),
        Edit(
            "takes the root as well",
            (LINE, "return x.float().square().mean(dim=-1).sqrt().to(x.dtype)"),
            named=("root_mean_square",),
        ),
        Edit(
            "the length of the vector",
            (LINE, "return x.float().norm(dim=-1).to(x.dtype)"),
            named=("length",),
        ),
        Edit(
            "the variance: the mean is subtracted first",
            (LINE, "return x.float().var(dim=-1, correction=0).to(x.dtype)"),
            named=("variance",),
        ),
        Edit(
            "torch.var: the mean is subtracted, and the divisor is D - 1",
            (LINE, "return x.float().var(dim=-1).to(x.dtype)"),
            named=("sample_variance",),
        ),
        Edit(
            "squares in x's own dtype",
            (LINE, "return x.square().mean(dim=-1)"),
            named=("no_upcast",),
        ),
        Edit(
            "goes to float32 only after the squares",
            (LINE, "return x.square().float().mean(dim=-1).to(x.dtype)"),
            named=("no_upcast",),
        ),
        Edit(
            "goes back to x's dtype before the mean",
            (LINE, "return x.float().square().to(x.dtype).mean(dim=-1)"),
            named=("no_upcast",),
        ),
        Edit(
            "computes in float16 on the way",
            (LINE, "return x.half().square().mean(dim=-1).to(x.dtype)"),
            named=("narrow_on_the_way",),
        ),
        Edit(
            "computes in bfloat16 on the way",
            (LINE, "return x.bfloat16().square().mean(dim=-1).to(x.dtype)"),
            named=("narrow_on_the_way",),
        ),
        Edit(
            "returns float32 whatever came in",
            (LINE, "return x.float().square().mean(dim=-1)"),
            named=("always_float32",),
        ),
        Edit(
            "returns float16 whatever came in",
            (LINE, "return x.float().square().mean(dim=-1).half()"),
            named=("always_float16",),
        ),
        Edit(
            "squares in place, which changes a float32 input",
            (LINE, "return x.float().square_().mean(dim=-1).to(x.dtype)"),
            named=("float_in_place",),
        ),
        Edit(
            "takes one number out of the tensor",
            (LINE, "return x.float().square().mean(dim=-1).item()"),
            named=("item_taken",),
        ),
        Edit(
            "returns the squares, without a mean",
            (LINE, "return x.float().square().to(x.dtype)"),
            named=("no_mean",),
        ),
        Edit(
            "the median of the squares",
            (LINE, "return x.float().square().median(dim=-1).values.to(x.dtype)"),
            named=("median",),
        ),
        Edit(
            "forgets to return",
            (LINE, "x.float().square().mean(dim=-1).to(x.dtype)"),
            named=("no_return",),
        ),
    ],
}

PAIRS = {
    "mean_square": [
        Edit(
            "the sum of the squares; and keeps the last dimension",
            (LINE, "return x.float().square().sum(dim=-1, keepdim=True).to(x.dtype)"),
            named=("sum_not_mean", "dimension_kept"),
        ),
        Edit(
            "over the first dimension; and in x's own dtype",
            (LINE, "return x.square().mean(dim=0)"),
            named=("first_dimension",),  # whose shape hides the rest
        ),
        Edit(
            "takes the root as well; and returns float32 whatever came in",
            (LINE, "return x.float().square().mean(dim=-1).sqrt()"),
            named=("root_mean_square", "always_float32"),
        ),
        Edit(
            "one number for the whole tensor; and no squares, but |x|",
            (LINE, "return x.float().abs().mean().to(x.dtype)"),
            named=("all_at_once", "mean_absolute"),
        ),
        Edit(
            "squares in place, which changes a float32 input; and the sum, not the mean",
            (LINE, "return x.float().square_().sum(dim=-1).to(x.dtype)"),
            named=("float_in_place", "sum_not_mean"),
        ),
        Edit(
            "the square of the mean; and in x's own dtype",
            (LINE, "return x.mean(-1) ** 2"),
            named=("mean_then_square",),  # without squares nothing overflows
        ),
    ],
}
