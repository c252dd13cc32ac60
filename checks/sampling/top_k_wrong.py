"""Lab 10, 10.2: top_k, and what people write in place of its lines."""

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of


def ranks(logits: Tensor) -> Tensor:
    """The place of each logit when the largest comes first: (..., V), from 0; equals in order."""
    return logits.argsort(dim=-1, descending=True, stable=True).argsort(-1)


def next_value(logits: Tensor, k: int) -> Tensor:
    """The (k + 1)-th largest of each row, or -inf where there is none: (..., 1)."""
    values = torch.nn.functional.pad(
        logits.sort(-1, descending=True).values, (0, 1), value=-torch.inf
    )
    return values[..., k, None]


def distinct(logits: Tensor, k: int) -> Tensor:
    """The k-th largest of the different values of each row: (..., 1)."""
    rows = [
        row.unique()
        for row in logits.flatten(0, -2 if logits.dim() > 1 else 0).reshape(-1, logits.shape[-1])
    ]
    return torch.stack([row[-min(k, len(row))] for row in rows]).reshape(*logits.shape[:-1], 1)


def top_k(logits: Tensor, k: int) -> Tensor:
    wanted, k = k, min(k, logits.shape[-1])
    #: `k = min(k, logits.shape[-1])`
    #! k_above_v_crashes: wanted = k
    #  With k above the size of the vocabulary it stops with an error. Then all tokens stay. [TransformerLensOrg/TransformerLens#1347]
    #! k_at_v_refused: wanted = k; if k >= logits.shape[-1]: raise ValueError(f"k has to be below {logits.shape[-1]}")
    #! k_at_v_refused: wanted = k; assert k < logits.shape[-1]
    #  It refuses a k that is as large as the vocabulary. Then all tokens stay. [ml-explore/mlx-lm#1377]
    #! k_above_v_refused: wanted = k; if k > logits.shape[-1]: raise ValueError(f"k has to be at most {logits.shape[-1]}")
    #! k_above_v_refused: wanted = k; assert k <= logits.shape[-1]
    #  It refuses a k above the size of the vocabulary. Then all tokens stay.
    #! k_above_v_removes_all: if k > logits.shape[-1]: return torch.full_like(logits, -torch.inf); …
    #  With k above the size of the vocabulary nothing stays. Everything should.
    #! k_limited_by_rows: wanted, k = k, min(k, logits.shape[0])
    #! k_limited_by_rows: wanted, k = k, min(k, logits.shape[-2])
    #! k_limited_by_rows: wanted, k = k, min(k, logits.shape[1])
    #  k is limited by another size than that of the vocabulary, the last one, logits.shape[-1].
    #! k_below_v: wanted, k = k, min(k, logits.shape[-1] - 1)
    #! k_below_v: wanted, k = k, max(1, min(k, logits.shape[-1] - 1))
    #  k is limited to V - 1: with k = V one token is removed, and all should stay. [vllm-project/vllm#14234]
    #! k_raised_to_v: wanted, k = k, max(k, logits.shape[-1])
    #  k is raised to V: it is `min`, not `max`.
    #: Use `k`.
    #! always_fifty: wanted, k = 50, min(50, logits.shape[-1])
    #  It keeps 50, the libraries' default, whatever k is.
    #! at_most_ten: wanted, k = min(k, 10), min(k, 10, logits.shape[-1])
    #  It never keeps more than 10.
    #: `kth = logits.topk(min(k, V)).values[..., -1:]`; what is smaller becomes -inf.
    #! share_of_the_vocabulary: k = max(round(logits.shape[-1] / k), 1); wanted = k
    #! share_of_the_vocabulary: k = max(logits.shape[-1] // k, 1); wanted = k
    #  It keeps a k-th part of the vocabulary. k is a number of tokens.
    #: Is it `<` or `<=`, and does the count begin at 0 or at 1?
    #! one_too_many: wanted, k = k + 1, min(k + 1, logits.shape[-1])
    #  One token too many stays.
    #! one_too_few: wanted, k = k - 1, max(min(k, logits.shape[-1]) - 1, 1)
    #! one_too_few: wanted, k = k - 1, min(max(k - 1, 1), logits.shape[-1])
    #! one_too_few: wanted, k = k - 1, min(k, logits.shape[-1]) - 1
    #  The last of those that should stay is removed too.
    largest = logits.topk(k).values
    #: `kth = logits.topk(min(k, V)).values[..., -1:]`; what is smaller becomes -inf.
    #! smallest: return torch.where(ranks(-logits) < wanted, logits, -torch.inf)
    #  It keeps the k smallest logits.
    #! kth_smallest: largest = logits.topk(k, largest=False).values
    #  The threshold is the k-th smallest, and all above it stays. It is the k-th largest.
    #! removes_k: return torch.where(ranks(-logits) >= wanted, logits, -torch.inf)
    #  It removes the k smallest. k tokens should stay.
    #! unsorted: largest = logits[..., :k]
    #  It takes the first k of the vocabulary, without sorting. topk finds the largest.
    #: `dim=-1`, and `keepdim=True` for a threshold of each row.
    #! wrong_dim: largest = logits.topk(min(k, logits.shape[0]), dim=0).values
    #! wrong_dim: largest = logits.topk(k, dim=0).values
    #! wrong_dim: largest = logits.topk(k, dim=-2).values
    #! wrong_dim: largest = logits.topk(min(wanted, logits.shape[0]), dim=0).values
    #  It filters along dim=0, the batch. The vocabulary is dim=-1.
    #! dim_one: largest = logits.topk(k, dim=1).values
    #  It uses dim=1. With two dimensions that is the last one; with three or one it is not.
    #! rows_together: largest = logits.flatten().topk(k).values[None]
    #! rows_together: largest = logits.flatten().topk(min(wanted, logits.numel())).values
    #  All rows of the batch are thrown together and filtered as one.
    #: `kth = logits.topk(min(k, V)).values[..., -1:]`; what is smaller becomes -inf.
    #! largest_size: return torch.where(ranks(logits.abs()) < k, logits, -torch.inf)
    #! largest_size: largest = logits.abs().topk(k).values
    #  It keeps those that are largest in size, whatever their sign.
    #! size_as_threshold: largest = logits.abs().topk(k).values
    #  The threshold is taken from the sizes, without their signs, and the logits have signs.
    #! places_as_threshold: largest = logits.topk(k).indices
    #  The logits are compared with a place: topk gives values and indices, and these are the indices.
    #! probabilities_as_threshold: largest = logits.softmax(-1).topk(k).values
    #  The logits are compared with a probability. Compare like with like.
    kth = largest[..., -1:]
    #!+ wrong_dim: kth = largest[-1:]
    #: `torch.where(keep, logits, -torch.inf)`: what stays is not touched.
    #! only_the_largest: kth = largest[..., :1]
    #  Only the likeliest token stays, whatever the number says.
    #! one_too_few: kth = largest[..., -2:-1] if k > 1 else largest
    #! one_too_few: kth = largest[..., -2:]
    #: `dim=-1`, and `keepdim=True` for a threshold of each row.
    #! first_row_threshold: kth = largest[0, -1]
    #  The k-th largest of the first row is the threshold of all rows. Each has its own.
    #! last_row_threshold: kth = largest[-1]
    #  `[-1]` is the last row, not the last place of each: `[..., -1:]`.
    #! two_axes_only: kth = largest[:, -1:]
    #  `[:, -1:]` asks for exactly two dimensions. `[..., -1:]` takes the last place of any number.
    #! lost_axis: kth = largest[..., -1]
    #! lost_axis: kth = largest[:, -1]
    #  `[..., -1]` drops its dimension: (...), and the rows no longer fit (..., V). With `-1:` it stays, of size 1. [huggingface/transformers#338]
    #! smallest_of_the_batch: kth = largest.min()
    #  One threshold for the batch, the smallest of all rows. Each row has its own.
    #! largest_of_the_batch: kth = largest[..., -1:].max()
    #  One threshold for the batch, the largest of all rows. Each row has its own.
    #! mean_as_threshold: kth = largest.mean(-1, keepdim=True)
    #  The threshold is the mean of the k largest. It is the smallest of them.
    keep = logits >= kth
    #!+ largest_size: keep = logits.abs() >= kth
    #: Is it `<` or `<=`, and does the count begin at 0 or at 1?
    #! one_too_few: keep = logits > kth
    #! one_too_many: keep = ranks(logits) <= k
    #: `torch.where(keep, logits, -torch.inf)`: what stays is not touched.
    #! inverted: keep = logits < kth
    #! inverted: keep = logits <= kth
    #: `kth = logits.topk(min(k, V)).values[..., -1:]`; what is smaller becomes -inf.
    #! first_k_places: keep = (torch.arange(logits.shape[-1], device=logits.device) < k).expand(logits.shape)
    #  It keeps the first k tokens of the vocabulary, however likely they are.
    #! smallest: keep = logits.argsort(-1).argsort(-1) < k
    #! places_for_ranks: keep = logits.argsort(-1, descending=True) < k
    #  argsort says which token stands at a place, not at which place a token stands: that takes a second argsort.
    #! compared_with_k: keep = logits >= k
    #  The logits are compared with k itself. k is a number of tokens.
    #! only_the_kth: keep = logits == kth
    #  Only the k-th stays. All that are at least as large should.
    #: Remove what is smaller than the k-th, instead of keeping what is larger than the next.
    #! drops_equals: keep = logits > next_value(logits, k)
    #  When the k-th and the next logit are equal, both go, and fewer than k tokens stay.
    #: `kth = logits.topk(min(k, V)).values[..., -1:]`; what is smaller becomes -inf.
    #! distinct_values: keep = logits >= distinct(logits, k)
    #  It counts different values, so that with equal logits more than k tokens stay.
    return torch.where(keep, logits, -torch.inf)
    #: A logit of -inf has probability e^-inf = 0.
    #! zeros_for_removed: return torch.where(keep, logits, 0.0)
    #! zeros_for_removed: return logits * keep
    #  What is removed becomes 0. These are logits: 0 is likelier than every negative one.
    #: `-torch.inf`, or `float('-inf')`.
    #! large_negative: return torch.where(keep, logits, -1e4)
    #! large_negative: return torch.where(keep, logits, -1e9)
    #! large_negative: return torch.where(keep, logits, -1e10)
    #! large_negative: return torch.where(keep, logits, -1e5)
    #! large_negative: return torch.where(keep, logits, -1e8)
    #! large_negative: return torch.where(keep, logits, -1e6)
    #! large_negative: return torch.where(keep, logits, -1000.0)
    #! large_negative: return torch.where(keep, logits, -100.0)
    #! large_negative: return logits.masked_fill(~keep, -1e9)
    #! large_negative: return logits - 1e9 * ~keep
    #  What is removed gets a large negative number. With logits that are themselves of that size the token comes back; -inf is safe.
    #! smallest_number: return torch.where(keep, logits, torch.finfo(logits.dtype).min)
    #! smallest_number: return torch.where(keep, logits, torch.finfo(torch.float32).min)
    #  What is removed gets the smallest number there is, and not -inf. A next filter, or a division by 0.5, sees a number where nothing should be.
    #! plus_infinity: return torch.where(keep, logits, torch.inf)
    #  What is removed becomes +inf, the likeliest of all. It is -inf that means never.
    #! nan_for_removed: return torch.where(keep, logits, torch.nan)
    #  What is removed becomes NaN, and so does every sum with it. It is -inf that means never.
    #: `torch.where(keep, logits, -torch.inf)`: what stays is not touched.
    #! probabilities: return torch.where(keep, logits, -torch.inf).softmax(-1)
    #! probabilities: return torch.where(keep, logits.softmax(-1), 0.0)
    #! probabilities: return torch.where(keep, logits.softmax(-1), -torch.inf)
    #  It returns probabilities. Logits go in and logits come out, so that the next filter can go on with them.
    #! log_probabilities: return torch.where(keep, logits, -torch.inf).log_softmax(-1)
    #  It returns logarithms of the new probabilities: every logit is shifted. The distribution is right; what stays should stay as it was.
    #! old_log_probabilities: return torch.where(keep, logits.log_softmax(-1), -torch.inf)
    #  It returns logarithms of the old probabilities: every logit is shifted. The distribution is right; what stays should stay as it was.
    #! mask_returned: return keep
    #! mask_returned: return keep.to(logits.dtype)
    #! mask_returned: return torch.where(keep, 1.0, -torch.inf)
    #  It returns which tokens stay, not their logits.
    #! kept_become_zero: return torch.where(keep, 0.0, -torch.inf)
    #! kept_become_zero: return torch.zeros_like(logits).masked_fill(~keep, -torch.inf)
    #  What stays becomes 0: all of them are equally likely then. What stays is not touched.
    #! only_the_kept: return logits[keep]
    #  It returns those that stay alone, in one row. All V places of every row are expected.
    #! inverted: return torch.where(keep, -torch.inf, logits)
    #  It removes what should stay and keeps what should go.
    #: `keep = torch.zeros_like(…).scatter(-1, order, keep_sorted)`, or compare with a threshold and never sort the result.
    #! left_sorted: return torch.where(keep, logits, -torch.inf).sort(-1, descending=True).values
    #! left_sorted: return torch.where(keep, logits, -torch.inf).sort(-1).values
    #  The result is in sorted order: place 0 is no longer token 0. The logits must go back to their tokens' places.
    #: `dim=-1`, and `keepdim=True` for a threshold of each row.
    #! first_row_decides: return torch.where(keep.flatten(0, -2)[:1].expand(keep.flatten(0, -2).shape).reshape(keep.shape), logits, -torch.inf)
    #  What the first row keeps is kept in all rows. Each has its own logits.
    #: `torch.where(keep, logits, -torch.inf)`: what stays is not touched.
    #! unchanged: return logits
    #  Nothing is removed.
    #! in_place: logits[~keep] = -torch.inf; return logits
    #  It writes into the logits that it was given, and the caller may still need them.
    #: Compute the rule in float32, and take the logits themselves: `torch.where(keep, logits, -torch.inf)`: what stays is not touched.
    #! float32_result: return torch.where(keep, logits.float(), -torch.inf)
    #  The result is float32 whatever the logits are.
    #: Take the logits themselves: `torch.where(keep, logits, -torch.inf)`.
    #! float64_result: return torch.where(keep, logits.double(), -torch.inf)
    #  The result is float64 whatever the logits are.
    #: No `.detach()`, `.data` or `torch.no_grad()` here.
    #! detached: return torch.where(keep, logits.detach(), -torch.inf)
    #  The result is cut off from the gradient.
    #: `torch.full_like(logits, -torch.inf)`, or torch.where with a number.
    #! made_on_the_cpu: return torch.where(keep, logits, torch.full(logits.shape, -torch.inf, dtype=logits.dtype))
    #  A tensor is made on the CPU whatever the device of the logits is.
    #: `return torch.where(keep, logits, -torch.inf)`
    #! no_return: torch.where(keep, logits, -torch.inf)
    #  The result is computed and then forgotten: there is no `return`.
    #: `kth = logits.topk(min(k, V)).values[..., -1:]`; what is smaller becomes -inf.
    #! only_k_values: return largest
    #  It returns the k values alone, (..., k). All V places are expected, -inf where removed.
    #! indices: return logits.topk(k).indices
    #  It returns the places of the k largest instead of logits.
    #! threshold_returned: return kth
    #! threshold_returned: return kth.squeeze(-1)
    #  It returns the k-th largest logit. All V places are expected, -inf where removed.


MISTAKES: list[Mistake] = mistakes_of(top_k)
