"""Lab 06, 6.1, 6.4 and 6.5: what people write for repeat_kv, mean_pool_heads, decode_intensity.

Sources are the public issues in which somebody really made the mistake.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine import Mistake
from checks.gqa import reference as right

# 6.1 repeat_kv


def picked(order: Callable[[int, int], list[int]]) -> Callable[[Tensor, int], Tensor]:
    """Heads in the order of the given indices: order(K, n_rep)."""
    return lambda x, n_rep: x[:, order(x.shape[1], n_rep)]


def _filled(x: Tensor, n_rep: int) -> Tensor:
    out = torch.zeros_like(x).repeat_interleave(n_rep, 1)
    out[:, ::n_rep] = x
    return out


def _doubled(x: Tensor, n_rep: int) -> Tensor:
    times = 1
    while times < n_rep:
        x, times = x.repeat_interleave(2, dim=1), times * 2
    return x


def _noisy(x: Tensor, n_rep: int) -> Tensor:
    sizes = torch.arange(1, n_rep + 1, device=x.device).repeat(x.shape[1])
    return right.repeat_kv(x, n_rep) * sizes[:, None, None].to(x.dtype)


def _on_cpu(x: Tensor, n_rep: int) -> Tensor:
    out = torch.zeros(x.shape[0], x.shape[1] * n_rep, *x.shape[2:], dtype=x.dtype)
    for head in range(out.shape[1]):
        out[:, head] = x[:, head // n_rep]
    return out


def _as_float(x: Tensor, n_rep: int) -> Tensor:
    out = torch.zeros(x.shape[0], x.shape[1] * n_rep, *x.shape[2:], device=x.device)
    for head in range(out.shape[1]):
        out[:, head] = x[:, head // n_rep]
    return out


IN_A_ROW = "`x.repeat_interleave(n_rep, dim=1)`: 0, 0, 1, 1. With `repeat` it is 0, 1, 0, 1."
SHAPE = "(B, K, S, d) → (B, K · n_rep, S, d): the heads are dimension 1."
REPEAT = [
    Mistake(
        "tiled",
        lambda x, n_rep: x.repeat(1, n_rep, 1, 1),
        "All kv heads are repeated one after the other: 0, 1, 0, 1. Neighbouring query heads share "
        "one: 0, 0, 1, 1. Trained from scratch nobody notices; Llama's weights come out as noise.",
        IN_A_ROW,
        "ekzhang/jax-js#180, onnx/onnx#7274, apple/axlearn#842, apple/ml-hypercloning#1, jxiw/M1#4",
    ),
    Mistake(
        "positions_repeated",
        lambda x, n_rep: x.repeat_interleave(n_rep, dim=2),
        "It repeats the positions: `dim=2` is S here. (In (B, S, K, d), Meta's layout, it would be "
        "the heads.)",
        SHAPE,
        "PrimeIntellect-ai/prime-rl#2681",
    ),
    Mistake(
        "features_repeated",
        lambda x, n_rep: x.repeat_interleave(n_rep, dim=-1),
        "It repeats the features of each key.",
        SHAPE,
    ),
    Mistake(
        "sentences_repeated",
        lambda x, n_rep: x.repeat_interleave(n_rep, dim=0),
        "It repeats the sentences of the batch.",
        SHAPE,
    ),
    Mistake(
        "flattened",
        lambda x, n_rep: x.repeat_interleave(n_rep),
        "Without `dim`, repeat_interleave flattens everything first.",
        IN_A_ROW,
    ),
    Mistake(
        "not_repeated",
        lambda x, n_rep: x + 0,
        "Nothing is repeated.",
        IN_A_ROW,
    ),
    Mistake(
        "no_merge",
        lambda x, n_rep: x[:, :, None].expand(-1, -1, n_rep, -1, -1) + 0,
        "It is (B, K, n_rep, S, d): the last step is missing, which makes one dimension of K and "
        "n_rep.",
        "`.reshape(B, K * n_rep, S, d)`, or `.flatten(1, 2)`.",
    ),
    Mistake(
        "positions_cut_into_heads",
        lambda x, n_rep: x.repeat_interleave(n_rep, dim=2).reshape(
            x.shape[0], -1, x.shape[2], x.shape[3]
        ),
        "It repeats the positions (or the rows of features) and reshapes afterwards. The shape is "
        "right; a head now holds some positions n_rep times and others not at all.",
        IN_A_ROW,
    ),
    Mistake(
        "features_cut_into_heads",
        lambda x, n_rep: x.repeat_interleave(n_rep, dim=3).reshape(
            x.shape[0], -1, x.shape[2], x.shape[3]
        ),
        "It repeats the features and reshapes afterwards: the shape is right, the numbers are not.",
        IN_A_ROW,
    ),
    Mistake(
        "sentences_cut_into_heads",
        lambda x, n_rep: x.repeat(n_rep, 1, 1, 1).reshape(x.shape[0], -1, x.shape[2], x.shape[3]),
        "It repeats the batch and reshapes afterwards: a sentence gets the heads of others.",
        IN_A_ROW,
    ),
    Mistake(
        "first_head_for_all",
        picked(lambda K, n: [0] * (K * n)),
        "All query heads get kv head 0. That is multi-query attention, whatever K is.",
        IN_A_ROW,
    ),
    Mistake(
        "last_head_for_the_rest",
        picked(lambda K, n: [min(h, K - 1) for h in range(K * n)]),
        "Heads 0 to K - 1 come once, and the last one fills up the rest.",
        IN_A_ROW,
    ),
    Mistake(
        "heads_reversed",
        picked(lambda K, n: [K - 1 - h // n for h in range(K * n)]),
        "The kv heads come in the opposite order.",
        IN_A_ROW,
    ),
    Mistake(
        "one_head_on",
        picked(lambda K, n: [(h + 1) // n % K for h in range(K * n)]),
        "The groups are shifted by one: the first of them ends one head too early.",
        "Query head h reads kv head h // n_rep.",
    ),
    Mistake(
        "wrong_group_size",
        picked(lambda K, n: [min(h // K, K - 1) for h in range(K * n)]),
        "It divides by K where n_rep belongs: query head h reads kv head h // n_rep.",
        "There are K groups of n_rep.",
    ),
    Mistake(
        "once_too_often",
        lambda x, n_rep: x.repeat_interleave(n_rep + 1, dim=1),
        "Each head comes n_rep + 1 times. The original counts as one of the n_rep.",
        IN_A_ROW,
    ),
    Mistake(
        "n_rep_as_total",
        lambda x, n_rep: x.repeat_interleave(max(n_rep // x.shape[1], 1), dim=1),
        "It takes n_rep for the number of query heads. It is how often each kv head comes.",
        IN_A_ROW,
    ),
    Mistake(
        "always_four",
        lambda x, n_rep: x.repeat_interleave(4, dim=1),
        "It repeats four times whatever n_rep is. Four is Llama 3 8B's number.",
        "Use `n_rep`.",
    ),
    Mistake(
        "always_two",
        lambda x, n_rep: x.repeat_interleave(2, dim=1),
        "It repeats twice whatever n_rep is.",
        "Use `n_rep`.",
    ),
    Mistake(
        "powers_of_two",
        _doubled,
        "It doubles until there are enough: right for n_rep = 1, 2, 4, 8, too many for 3 and 5.",
        IN_A_ROW,
    ),
    Mistake(
        "only_first_of_group",
        _filled,
        "Only the first head of each group is filled; the others are zeros.",
        IN_A_ROW,
    ),
    Mistake(
        "divided_by_n_rep",
        lambda x, n_rep: x.repeat_interleave(n_rep, 1) / n_rep,
        "The heads are divided by n_rep. They are repeated, not shared out.",
        IN_A_ROW,
    ),
    Mistake(
        "times_place_in_group",
        _noisy,
        "The copies of a head differ: each is multiplied by its place in the group.",
        IN_A_ROW,
    ),
    Mistake(
        "mean_of_heads",
        lambda x, n_rep: (
            (x * 1.0).mean(1, keepdim=True).repeat(1, x.shape[1] * n_rep, 1, 1).to(x.dtype)
        ),
        "It gives every query head the mean of all kv heads.",
        IN_A_ROW,
    ),
    Mistake(
        "detached",
        lambda x, n_rep: x.detach().repeat_interleave(n_rep, 1),
        "The copies are cut off from the gradient: wk and wv would never learn.",
        "No `.detach()`, `.data` or numpy here.",
    ),
    Mistake(
        "float32_result",
        _as_float,
        "The result is float32 whatever x is: `torch.zeros` makes float32 unless told otherwise.",
        "`x.new_zeros(…)`, or repeat_interleave.",
    ),
    Mistake(
        "buffer_on_cpu",
        _on_cpu,
        "The result is written into a tensor that lies on the CPU, whatever the device of x is.",
        "`x.new_zeros(…)`, or repeat_interleave.",
    ),
    Mistake(
        "heads_last",
        lambda x, n_rep: x.repeat_interleave(n_rep, 1).transpose(1, 2),
        "It is (B, S, H, d). Heads come before positions here.",
        SHAPE,
    ),
]

# 6.4 mean_pool_heads


def pooled(pool: Callable[[Tensor], Tensor]) -> Callable[[Tensor, int, int], Tensor]:
    """Pool groups of heads in another way: (K, H // K, d, D) float32 at least → (K, d, D)."""

    def wrong(weight: Tensor, n_heads: int, n_kv_heads: int) -> Tensor:
        wide = weight.float() if weight.dtype.itemsize < 4 else weight
        groups = wide.reshape(n_kv_heads, n_heads // n_kv_heads, -1, weight.shape[-1])
        return pool(groups).reshape(-1, weight.shape[-1]).to(weight.dtype)

    return wrong


def rearranged(arrange: Callable[[Tensor, int, int], Tensor]) -> Callable:
    """Take the rows apart in another way: arrange(weight, H, K) → (n, rows, D), the mean of n."""

    def wrong(weight: Tensor, n_heads: int, n_kv_heads: int) -> Tensor:
        wide = weight.float() if weight.dtype.itemsize < 4 else weight
        return arrange(wide, n_heads, n_kv_heads).mean(0).to(weight.dtype)

    return wrong


def _random(weight: Tensor, n_heads: int, n_kv_heads: int) -> Tensor:
    rows = weight.shape[0] // n_heads * n_kv_heads
    generator = torch.Generator().manual_seed(0)
    return torch.randn(rows, weight.shape[1], generator=generator).to(weight.dtype) + 0 * weight[0]


def _repeated(weight: Tensor, n_heads: int, n_kv_heads: int) -> Tensor:
    mean = right.mean_pool_heads(weight, n_heads, n_kv_heads)
    mean = mean.reshape(n_kv_heads, -1, weight.shape[1])
    return mean.repeat_interleave(n_heads // n_kv_heads, 0).reshape(weight.shape)


def _transposed(weight: Tensor, n_heads: int, n_kv_heads: int) -> Tensor:
    if weight.shape[1] % n_heads:
        return right.mean_pool_heads(weight, n_heads, n_kv_heads)
    return right.mean_pool_heads(weight.T, n_heads, n_kv_heads).T


def _columns(weight: Tensor, n_heads: int, n_kv_heads: int) -> Tensor:
    parts = [part.float().mean(1) for part in weight.tensor_split(n_kv_heads, dim=1)]
    return torch.stack(parts, dim=1).to(weight.dtype)


def _in_place(weight: Tensor, n_heads: int, n_kv_heads: int) -> Tensor:
    mean = right.mean_pool_heads(weight, n_heads, n_kv_heads)
    with torch.no_grad():
        weight.data[: mean.shape[0]] = mean
    return mean


def _buffer(weight: Tensor, n_heads: int, n_kv_heads: int) -> Tensor:
    rows = weight.shape[0] // n_heads * n_kv_heads
    out = torch.zeros(rows, weight.shape[1], dtype=weight.dtype)
    out[:] = right.mean_pool_heads(weight, n_heads, n_kv_heads)
    return out


GROUPS = "`weight.reshape(n_kv_heads, n_heads // n_kv_heads, d, D)`: groups, their heads, features."
OF_HEADS = "Only the heads of a group are averaged: `.mean(dim=1)` of (K, H // K, d, D)."
POOL = [
    Mistake(
        "every_kth_head",
        pooled(
            lambda g: g.flatten(0, 1).reshape(g.shape[1], g.shape[0], *g.shape[2:]).mean(0),
        ),
        "It averages heads 0, K, 2K, …. The heads of a group are neighbours: repeat_kv gives kv "
        "head 0 to query heads 0 to H / K - 1.",
        GROUPS,
    ),
    Mistake(
        "features_of_a_head",
        rearranged(lambda w, H, K: w.reshape(-1, H // K, w.shape[1]).transpose(0, 1)),
        "It averages H / K neighbouring rows. These are features of one head, and no two of them "
        "mean the same.",
        GROUPS,
    ),
    Mistake(
        "heads_fastest",
        rearranged(
            lambda w, H, K: (
                w.reshape(-1, K, H // K, w.shape[1])
                .permute(2, 1, 0, 3)
                .reshape(H // K, -1, w.shape[1])
            )
        ),
        "It takes row r for head r % H. Head h has the rows h·d to (h + 1)·d - 1.",
        GROUPS,
    ),
    Mistake(
        "group_size_for_groups",
        lambda weight, n_heads, n_kv_heads: right.mean_pool_heads(
            weight, n_heads, n_heads // n_kv_heads
        ),
        "It makes H / K kv heads of K each. It is the other way round: K groups of H / K heads.",
        GROUPS,
    ),
    Mistake(
        "sum_not_mean",
        pooled(lambda g: g.sum(1)),
        "It adds the heads up. Keys H / K times as long make the softmax far too sharp.",
        "`.mean(dim=1)`",
    ),
    Mistake(
        "divided_by_root",
        pooled(lambda g: g.sum(1) / math.sqrt(g.shape[1])),
        "It divides the sum by the root of the group's size. A mean divides by the size.",
        "`.mean(dim=1)`",
    ),
    Mistake(
        "divided_by_all_heads",
        pooled(lambda g: g.sum(1) / (g.shape[0] * g.shape[1])),
        "It divides by H. A group has H / K heads.",
        "`.mean(dim=1)`",
    ),
    Mistake(
        "divided_by_kv_heads",
        pooled(lambda g: g.sum(1) / g.shape[0]),
        "It divides by K. A group has H / K heads.",
        "`.mean(dim=1)`",
    ),
    Mistake(
        "first_head",
        pooled(lambda g: g[:, 0] + 0),
        "It keeps the first head of each group and throws the others away. That was tried: it is "
        "worse than the mean (Ainslie et al. 2023, figure 4).",
        OF_HEADS,
    ),
    Mistake(
        "last_head",
        pooled(lambda g: g[:, -1] + 0),
        "It keeps the last head of each group and throws the others away.",
        OF_HEADS,
    ),
    Mistake(
        "first_rows",
        lambda weight, n_heads, n_kv_heads: weight[: weight.shape[0] // n_heads * n_kv_heads] + 0,
        "It keeps the first K heads of the weight and throws the others away.",
        OF_HEADS,
    ),
    Mistake(
        "new_random_heads",
        _random,
        "The new heads are random: nothing of the checkpoint is left in them.",
        OF_HEADS,
    ),
    Mistake(
        "largest",
        pooled(lambda g: g.amax(1)),
        "It takes the largest of each group: that is max pooling.",
        "`.mean(dim=1)`",
    ),
    Mistake(
        "median",
        pooled(lambda g: g.median(1).values),
        "It takes the median.",
        "`.mean(dim=1)`",
    ),
    Mistake(
        "root_mean_square",
        pooled(lambda g: g.square().mean(1).sqrt()),
        "It takes the root of the mean square: all signs are lost.",
        "`.mean(dim=1)`",
    ),
    Mistake(
        "mean_of_sizes",
        pooled(lambda g: g.abs().mean(1)),
        "It takes the mean of the absolute values: all signs are lost.",
        "`.mean(dim=1)`",
    ),
    Mistake(
        "two_heads_only",
        pooled(lambda g: g[:, :2].mean(1)),
        "It averages the first two heads of each group, however many there are.",
        OF_HEADS,
    ),
    Mistake(
        "first_and_last",
        pooled(lambda g: (g[:, 0] + g[:, -1]) / 2),
        "It averages the first and the last head of each group and leaves out those between.",
        OF_HEADS,
    ),
    Mistake(
        "one_mean_for_all",
        pooled(lambda g: g.mean((0, 1)).expand(g.shape[0], *g.shape[2:])),
        "All kv heads become the same: the mean of all H heads. Each group has its own.",
        GROUPS,
    ),
    Mistake(
        "one_number_for_a_head",
        pooled(lambda g: g.mean((1, 2), keepdim=True)[:, 0].expand(-1, g.shape[2], -1)),
        "The features of a head are averaged as well: all d rows of a kv head are the same.",
        OF_HEADS,
    ),
    Mistake(
        "groups_reversed",
        pooled(lambda g: g.mean(1).flip(0)),
        "The groups come in the opposite order.",
        GROUPS,
    ),
    Mistake(
        "features_outside",
        pooled(lambda g: g.mean(1).transpose(0, 1).reshape(-1, g.shape[-1])),
        "After pooling, K and d have changed places: feature 0 of all heads comes first.",
        "(K, d, D) → (K · d, D), without a transpose.",
    ),
    Mistake(
        "not_flattened",
        lambda weight, n_heads, n_kv_heads: right.mean_pool_heads(
            weight, n_heads, n_kv_heads
        ).unflatten(0, (n_kv_heads, -1)),
        "It is (K, d, D). A Linear's weight has two dimensions: (K · d, D).",
        "`.reshape(-1, D)`, or `.flatten(0, 1)`.",
    ),
    Mistake(
        "repeated_again",
        _repeated,
        "The means are written H / K times each, so that the weight is as large as before.",
        "(K · d, D): each mean once.",
    ),
    Mistake(
        "columns_pooled",
        _columns,
        "It pools columns. nn.Linear keeps its weight as (out, in): the heads are in the rows.",
        GROUPS,
    ),
    Mistake(
        "unchanged",
        lambda weight, n_heads, n_kv_heads: weight + 0,
        "Nothing is pooled.",
        OF_HEADS,
    ),
    Mistake(
        "detached",
        lambda weight, n_heads, n_kv_heads: right.mean_pool_heads(
            weight.detach(), n_heads, n_kv_heads
        ),
        "The result is cut off from the gradient. Every function of this course lets it through.",
        "No `.detach()`, `.data`, numpy or `torch.no_grad()` here.",
    ),
    Mistake(
        "float32_result",
        lambda weight, n_heads, n_kv_heads: right.mean_pool_heads(
            weight.float(), n_heads, n_kv_heads
        ),
        "The result is float32 whatever the weight is. A bfloat16 checkpoint would double.",
        "`.to(weight.dtype)` at the end.",
    ),
    Mistake(
        "changes_the_weight",
        _in_place,
        "It writes into the checkpoint's own weight.",
        "`reshape` and `mean` make a new tensor.",
    ),
    Mistake(
        "buffer_on_cpu",
        _buffer,
        "The result is written into a tensor on the CPU, whatever the weight's device is.",
        "`weight.new_zeros(…)`, or reshape and mean.",
    ),
]

# 6.5 decode_intensity


def share(formula: Callable[[int, int, int, int], Any]) -> Callable:
    """A formula of its own for the four arguments."""

    def wrong(n_heads: int, n_kv_heads: int, head_dim: int, seq_len: int) -> Any:
        return formula(n_heads, n_kv_heads, head_dim, seq_len)

    return wrong


RATIO = "`4 * n_heads * head_dim * seq_len / (4 * n_kv_heads * head_dim * seq_len)`"
FLOPS = "FLOPs: H query heads, S keys, d numbers, two FLOPs for each, and that twice: 4·H·d·S."
BYTES = "Bytes: K heads, S positions, d numbers, two bytes for each, keys and values: 4·K·d·S."
INTENSITY = [
    Mistake(
        "upside_down",
        share(lambda H, K, d, S: K / H),
        "It gives bytes per FLOP, or the heads have changed places in the signature.",
        "FLOPs over bytes; (n_heads, n_kv_heads, head_dim, seq_len), in this order.",
    ),
    Mistake(
        "half",
        share(lambda H, K, d, S: H / K / 2),
        "It is half of what it should be. Either the FLOPs of one product are missing (or the "
        "additions), or the cache's numbers have 4 bytes here.",
        FLOPS + " " + BYTES,
    ),
    Mistake(
        "double",
        share(lambda H, K, d, S: 2 * H / K),
        "It is twice what it should be. Either keys or values are missing among the bytes, or the "
        "numbers have one byte.",
        BYTES,
    ),
    Mistake(
        "quarter",
        share(lambda H, K, d, S: H / K / 4),
        "It is a quarter of what it should be: one product only, and a cache of 4-byte numbers, or "
        "multiplications without additions of one product.",
        FLOPS + " " + BYTES,
    ),
    Mistake(
        "four_times",
        share(lambda H, K, d, S: 4 * H / K),
        "It is four times what it should be: among the bytes neither the values are counted nor "
        "that a number has two bytes.",
        BYTES,
    ),
    Mistake(
        "bits",
        share(lambda H, K, d, S: H / K / 8),
        "It gives FLOPs per bit.",
        BYTES,
    ),
    Mistake(
        "always_one",
        share(lambda H, K, d, S: 1.0),
        "The bytes are those of H heads. The cache has K.",
        BYTES,
    ),
    Mistake(
        "kv_heads_ignored",
        share(lambda H, K, d, S: float(H)),
        "The cache is counted with a single head. It has K.",
        BYTES,
    ),
    Mistake(
        "query_heads_ignored",
        share(lambda H, K, d, S: 1 / K),
        "The FLOPs are those of a single query head. There are H.",
        FLOPS,
    ),
    Mistake(
        "product",
        share(lambda H, K, d, S: float(H * K)),
        "H and K are multiplied.",
        RATIO,
    ),
    Mistake(
        "difference",
        share(lambda H, K, d, S: float(H - K)),
        "It subtracts K from H.",
        RATIO,
    ),
    Mistake(
        "rounded_root",
        share(lambda H, K, d, S: math.sqrt(H / K)),
        "It takes a root.",
        RATIO,
    ),
    Mistake(
        "squared",
        share(lambda H, K, d, S: (H / K) ** 2),
        "The group's size comes in twice.",
        RATIO,
    ),
    Mistake(
        "times_positions",
        share(lambda H, K, d, S: H * S / K),
        "It is S times too large: the FLOPs are those of S queries, as in a prefill, or the bytes "
        "those of one position.",
        BYTES,
    ),
    Mistake(
        "flops_of_one_key",
        share(lambda H, K, d, S: H / (K * S)),
        "The FLOPs are those of one key. The new query meets all S of them.",
        FLOPS,
    ),
    Mistake(
        "head_dim_missing_in_bytes",
        share(lambda H, K, d, S: H * d / K),
        "head_dim is missing among the bytes: a key is a vector.",
        BYTES,
    ),
    Mistake(
        "head_dim_missing_in_flops",
        share(lambda H, K, d, S: H / (K * d)),
        "head_dim is missing among the FLOPs: a score takes d multiplications.",
        FLOPS,
    ),
    Mistake(
        "head_dim_squared",
        share(lambda H, K, d, S: (4 * H * d * S + 4 * H * d * d) / (4 * K * d * S)),
        "It counts a projection as well. Only the attention itself is asked for.",
        FLOPS,
    ),
    Mistake(
        "weights_read_too",
        share(lambda H, K, d, S: 4 * H * d * S / (4 * K * d * S + 4 * (H + K) * d * H * d)),
        "The weights of the layer are among the bytes. Only the cache is asked for.",
        BYTES,
    ),
    Mistake(
        "queries_read_too",
        share(lambda H, K, d, S: 4 * H * d * S / (4 * K * d * S + 4 * H * d)),
        "The query and the output are among the bytes. Only the cache is asked for.",
        BYTES,
    ),
    Mistake(
        "scores_written_too",
        share(lambda H, K, d, S: 4 * H * d * S / (4 * K * d * S + 2 * H * S)),
        "The scores are among the bytes. They need not go to memory; only the cache is asked for.",
        BYTES,
    ),
    Mistake(
        "softmax_counted",
        share(lambda H, K, d, S: (4 * H * d * S + 3 * H * S) / (4 * K * d * S)),
        "The softmax is among the FLOPs. Only q·k and weights·v are asked for.",
        FLOPS,
    ),
    Mistake(
        "one_product_per_kv_head",
        share(lambda H, K, d, S: (2 * H * d * S + 2 * K * d * S) / (4 * K * d * S)),
        "One of the two products is counted for K heads. Both are computed for all H.",
        FLOPS,
    ),
    Mistake(
        "additions_uncounted",
        share(lambda H, K, d, S: (2 * H * (2 * d - 1) * S) / (4 * K * d * S)),
        "It counts d - 1 additions for a dot product. By custom it is d, one for each "
        "multiplication.",
        FLOPS,
    ),
    Mistake(
        "flops_only",
        share(lambda H, K, d, S: float(4 * H * d * S)),
        "It gives the FLOPs, not divided by the bytes.",
        RATIO,
    ),
    Mistake(
        "bytes_only",
        share(lambda H, K, d, S: float(4 * K * d * S)),
        "It gives the bytes.",
        RATIO,
    ),
    Mistake(
        "both_numbers",
        share(lambda H, K, d, S: (4 * H * d * S, 4 * K * d * S)),
        "It gives two numbers, FLOPs and bytes. Their ratio is asked for.",
        RATIO,
    ),
    Mistake(
        "as_text",
        share(lambda H, K, d, S: f"{H / K} FLOPs per byte"),
        "It gives a text. A number is asked for.",
        RATIO,
    ),
]
