"""Lab 06, 6.4: mean_pool_heads, and what people write in place of its lines.

Sources are the public threads in which somebody really made the mistake.
"""

import functools
import math

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of


def mean_pool_heads(weight: Tensor, n_heads: int, n_kv_heads: int) -> Tensor:
    H, K, D = n_heads, n_kv_heads, weight.shape[1]
    #: `weight.reshape(n_kv_heads, n_heads // n_kv_heads, d, D)`: groups, their heads, features.
    #! width_from_the_rows: H, K, D = n_heads, n_kv_heads, weight.shape[0]
    #  D is taken from the rows. It is the number of columns, `weight.shape[1]`.
    wide = weight.float() if weight.dtype.itemsize < 4 else weight
    #: No `.detach()`, `.data`, numpy or `torch.no_grad()` here.
    #! detached: wide = weight.detach().double()
    #  The result is cut off from the gradient. Every function of this course lets it through.
    n = H // K
    #: K groups of H // K heads.
    #! group_size_for_groups: n, K = K, H // K
    #  It makes H / K kv heads of K each. It is the other way round: K groups of H / K heads.
    #! quotient_upside_down: n = K // H
    #  It divides K by H: groups of 0 heads. A group has H / K.
    #! size_not_whole: n = H / K
    #  `/` gives a float, and a group's size is whole: `//`.
    groups = wide.reshape(K, n, -1, D)
    #: nn.Linear keeps its weight as (out, in): the heads are in the rows.
    #! read_as_in_out: return wide.reshape(D, K, n, -1).mean(2).reshape(-1, D).to(weight.dtype)
    #  The matrix is cut as (in, out), as other libraries keep it: rows and columns are mixed.
    #: `weight.reshape(n_kv_heads, n_heads // n_kv_heads, d, D)`: groups, their heads, features.
    #! every_kth_head: groups = wide.reshape(n, K, -1, D).transpose(0, 1)
    #  It averages heads 0, K, 2K, …. The heads of a group are neighbours: repeat_kv gives kv head 0 to query heads 0 to H / K - 1.
    #! groups_of_all_heads: groups = wide.reshape(K, H, -1, D)
    #  It cuts a group into H heads. K groups have H / K each.
    #! features_of_a_head: groups = wide.reshape(-1, n, 1, D)
    #  It averages H / K neighbouring rows. These are features of one head, and no two of them mean the same.
    #! heads_fastest: groups = wide.reshape(-1, K, n, D).permute(1, 2, 0, 3)
    #  It takes row r for head r % H. Head h has the rows h·d to (h + 1)·d - 1.
    mean = groups.mean(dim=1)  # (K, d, D)
    #: `.mean(dim=1)`
    #! sum_not_mean: mean = groups.sum(1)
    #  It adds the heads up. Keys H / K times as long make the softmax far too sharp.
    #! summed_in_half: mean = functools.reduce(torch.add, groups.to(weight.dtype).unbind(1)).to(wide.dtype) / n
    #  The heads are added up in half precision, and rounded after each.
    #! divided_by_root: mean = groups.sum(1) / math.sqrt(n)
    #  It divides the sum by the root of the group's size. A mean divides by the size.
    #! divided_by_all_heads: mean = groups.sum(1) / H
    #  It divides by H. A group has H / K heads.
    #! divided_by_kv_heads: mean = groups.sum(1) / K
    #  It divides by K. A group has H / K heads.
    #! divided_by_the_size_twice: mean = groups.mean(1) / n
    #  The mean is divided by the group's size once more.
    #! rounded_down: mean = groups.sum(1) // n
    #  `//` rounds down: a mean is no whole number.
    #! largest: mean = groups.amax(1)
    #  It takes the largest of each group: that is max pooling.
    #! median: mean = groups.median(1).values
    #  It takes the median.
    #! root_mean_square: mean = groups.square().mean(1).sqrt()
    #  It takes the root of the mean square: all signs are lost.
    #! mean_of_sizes: mean = groups.abs().mean(1)
    #  It takes the mean of the absolute values: all signs are lost.
    #: Only the heads of a group are averaged: `.mean(dim=1)` of (K, H // K, d, D).
    #! averages_over_groups: mean = groups.mean(0)
    #  It averages over the groups (dim=0): the first heads of all groups, then the second. Within a group they are dim=1.
    #! averages_rows_of_a_head: mean = groups.mean(2)
    #  It averages the rows of each head (dim=2). The heads of a group are dim=1.
    #! averages_columns: return groups.mean(3).reshape(-1, 1).to(weight.dtype)
    #! averages_columns: mean = groups.mean(-1)
    #! averages_columns: mean = groups.mean(-1).expand(-1, -1, D) if False else groups.mean(-1, keepdim=True).expand_as(groups)
    #  It averages over the columns (dim=-1). The heads of a group are dim=1.
    #! one_number: return groups.mean().reshape(1, 1).to(weight.dtype)
    #! one_number: mean = groups.mean()
    #  It is the mean of everything, one number.
    #! first_head: mean = groups[:, 0]
    #  It keeps the first head of each group and throws the others away. That was tried: it is worse than the mean (Ainslie et al. 2023, figure 4).
    #! last_head: mean = groups[:, -1]
    #  It keeps the last head of each group and throws the others away.
    #! first_rows: return weight[: weight.shape[0] // H * K] + 0
    #  It keeps the first K heads of the weight and throws the others away.
    #! two_heads_only: mean = groups[:, :2].mean(1)
    #  It averages the first two heads of each group, however many there are.
    #! first_and_last: mean = (groups[:, 0] + groups[:, -1]) / 2
    #  It averages the first and the last head of each group and leaves out those between.
    #! one_number_for_a_head: mean = groups.mean((1, 2), keepdim=True)[:, 0].expand(-1, groups.shape[2], -1)
    #  The features of a head are averaged as well: all d rows of a kv head are the same.
    #! unchanged: return weight + 0
    #  Nothing is pooled.
    #: `weight.reshape(n_kv_heads, n_heads // n_kv_heads, d, D)`: groups, their heads, features.
    #! one_mean_for_all: mean = groups.mean((0, 1)).expand(K, -1, -1)
    #  All kv heads become the same: the mean of all H heads. Each group has its own.
    #! groups_reversed: mean = groups.mean(1).flip(0)
    #  The groups come in the opposite order.
    #! columns_pooled: return torch.stack([part.float().mean(1) for part in weight.tensor_split(K, dim=1)], 1).to(weight.dtype)
    #! columns_pooled: return wide.reshape(len(weight), K, n, -1).mean(2).reshape(len(weight), -1).to(weight.dtype)
    #  It pools columns. nn.Linear keeps its weight as (out, in): the heads are in the rows.
    result = mean.reshape(-1, D)
    #: (K, d, D) → (K · d, D), without a transpose.
    #! features_outside: result = mean.transpose(0, 1).reshape(-1, D)
    #  After pooling, K and d have changed places: feature 0 of all heads comes first.
    #! transposed: result = mean.reshape(-1, D).T
    #  It is (D, K·d): transposed.
    #! reshaped_to_columns: result = mean.reshape(D, -1)
    #  It is cut into (D, K·d), in the shape only: rows and columns are mixed.
    #: `.reshape(-1, D)`, or `.flatten(0, 1)`.
    #! not_flattened: result = mean
    #  It is (K, d, D). A Linear's weight has two dimensions: (K · d, D).
    #: (K · d, D): each mean once.
    #! repeated_again: result = mean.repeat_interleave(n, 0).reshape(weight.shape)
    #  The means are written H / K times each, so that the weight is as large as before.
    #: Only the heads of a group are averaged: `.mean(dim=1)` of (K, H // K, d, D).
    #! new_random_heads: result = torch.randn(mean.reshape(-1, D).shape, generator=torch.Generator().manual_seed(0)) + 0 * mean.reshape(-1, D)
    #  The new heads are random: nothing of the checkpoint is left in them.
    return result.to(weight.dtype)
    #: `.to(weight.dtype)` at the end.
    #! float32_result: return result.float()
    #  The result is float32 whatever the weight is. A bfloat16 checkpoint would double.
    #: `reshape` and `mean` make a new tensor.
    #! changes_the_weight: weight.data[: len(result)] = result.detach(); return result.to(weight.dtype)
    #  It writes into the checkpoint's own weight.
    #: `weight.new_zeros(…)`, or reshape and mean.
    #! buffer_on_cpu: return torch.zeros(result.shape, dtype=weight.dtype).copy_(result)
    #  The result is written into a tensor on the CPU, whatever the weight's device is.


MISTAKES: list[Mistake] = mistakes_of(mean_pool_heads)
