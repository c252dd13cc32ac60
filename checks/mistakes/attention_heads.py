"""Lab 04, 4.4 and 4.5: what people write for split_heads and merge_heads.

Sources are the public issues in which somebody really made the mistake.
"""

from torch import Tensor

from checks.engine import Mistake
from checks.reference import attention as right

# 4.4 split_heads and 4.5 merge_heads


def reshaped(x: Tensor, n: int) -> Tensor:
    """(B, T, H·d) → (B, T, H, d)."""
    return x.reshape(*x.shape[:2], n, -1)


ORDER = "First cut the features, (B, T, H, d), then `.transpose(1, 2)`."
SPLIT = [
    Mistake(
        "view_without_transpose",
        lambda x, n: x.reshape(x.shape[0], n, x.shape[1], -1),
        "It reshapes straight to (B, H, T, d). The shape is right, the numbers are not: they are "
        "cut up in the order of memory, so that a head gets features of other positions.",
        ORDER,
        "hyunwoongko/transformer#15, reczoo/FuxiCTR#30",
    ),
    Mistake(
        "heads_not_moved",
        reshaped,
        "It is (B, T, H, d). Attention compares along the last but one dimension: with the heads "
        "there, the heads of one position would look at each other.",
        "`.transpose(1, 2)`",
    ),
    Mistake(
        "every_hth_feature",
        lambda x, n: x.reshape(*x.shape[:2], -1, n).permute(0, 3, 1, 2),
        "Head h gets the features h, h + H, h + 2H, … It gets d neighbouring ones.",
        "`x.reshape(B, T, n_heads, d)`: the last dimension is the head size.",
    ),
    Mistake(
        "head_size_for_heads",
        lambda x, n: x.reshape(*x.shape[:2], -1, n).transpose(1, 2),
        "n_heads is taken for the size of a head.",
        "d = D // n_heads; `x.reshape(B, T, n_heads, d)`.",
    ),
    Mistake(
        "positions_last",
        lambda x, n: reshaped(x, n).permute(0, 2, 3, 1),
        "It is (B, H, d, T): positions and features have changed places.",
        ORDER,
    ),
    Mistake(
        "heads_first",
        lambda x, n: reshaped(x, n).permute(2, 0, 1, 3),
        "It is (H, B, T, d). The batch stays in front.",
        ORDER,
    ),
    Mistake(
        "heads_in_batch",
        lambda x, n: reshaped(x, n).transpose(1, 2).flatten(0, 1),
        "It is (B·H, T, d): heads and batch have become one dimension.",
        "Leave them apart: (B, H, T, d).",
    ),
    Mistake(
        "transposed_too_early",
        lambda x, n: x.transpose(1, 2).reshape(x.shape[0], n, x.shape[1], -1),
        "It transposes first and reshapes then, so that positions and features are mixed.",
        ORDER,
    ),
    Mistake(
        "batch_mixed",
        lambda x, n: x.reshape(x.shape[1], x.shape[0], n, -1).permute(1, 2, 0, 3),
        "It reads the input as (T, B, D): sentences are mixed.",
        "`B, T, D = x.shape`",
    ),
    Mistake(
        "heads_reversed",
        lambda x, n: right.split_heads(x, n).flip(1),
        "The heads come in reverse order. Head 0 has the first d features.",
        ORDER,
    ),
    Mistake(
        "features_reversed",
        lambda x, n: right.split_heads(x, n).flip(-1),
        "The features of a head come in reverse order.",
        ORDER,
    ),
    Mistake(
        "every_head_everything",
        lambda x, n: x.unsqueeze(1).expand(-1, n, -1, -1),
        "Every head gets all the features. They share them: d = D / H each.",
        ORDER,
    ),
    Mistake(
        "same_features",
        lambda x, n: x[:, None, :, : x.shape[-1] // n].expand(-1, n, -1, -1),
        "Every head gets the first d features.",
        "Head h gets the features h·d to (h + 1)·d.",
    ),
    Mistake(
        "list_of_heads",
        lambda x, n: list(right.split_heads(x, n).unbind(1)),
        "It returns a list of heads. Stack them: `torch.stack(heads, dim=1)`.",
        "One tensor, (B, H, T, d).",
    ),
    Mistake(
        "tuple_of_heads",
        lambda x, n: x.chunk(n, dim=-1),
        "It returns a tuple of heads. Stack them: `torch.stack(heads, dim=1)`.",
        "One tensor, (B, H, T, d).",
    ),
    Mistake(
        "two_heads",
        lambda x, n: right.split_heads(x, 2),
        "It always makes two heads; n_heads is not used.",
        "`x.reshape(B, T, n_heads, D // n_heads)`",
    ),
    Mistake(
        "first_sentence_only",
        lambda x, n: right.split_heads(x[:1], n),
        "Only the first sentence of the batch is left.",
        "`B, T, D = x.shape`",
    ),
    Mistake(
        "batch_squeezed",
        lambda x, n: right.split_heads(x, n).squeeze(0),
        "A batch of one sentence loses its dimension.",
        "No `.squeeze()`: (1, H, T, d).",
    ),
    Mistake(
        "everything_squeezed",
        lambda x, n: right.split_heads(x, n).squeeze(),
        "Dimensions of size 1 are gone: a batch of one, one head, one position.",
        "No `.squeeze()`: (B, H, T, d) always.",
    ),
    Mistake(
        "made_float",
        lambda x, n: right.split_heads(x, n).float(),
        "The result is float32 whatever the input is.",
        "Only the shape changes.",
    ),
    Mistake(
        "detached",
        lambda x, n: right.split_heads(x, n).detach(),
        "The result is cut off from the gradient.",
        "No `.detach()`, `.data`, `torch.tensor(…)` or `torch.no_grad()` here.",
    ),
]

BACK = "`x.transpose(1, 2)` makes (B, T, H, d); then `.reshape(B, T, H * d)`."
MERGE = [
    Mistake(
        "reshape_without_transpose",
        lambda x: x.reshape(x.shape[0], x.shape[2], -1),
        "It reshapes without transposing. The shape is right, the numbers are not: a position "
        "gets features of other positions, later ones too.",
        BACK,
        "jsbaan/transformer-from-scratch#4, hackiey/QAnet-pytorch#2",
    ),
    Mistake(
        "not_merged",
        lambda x: x.transpose(1, 2),
        "It is (B, T, H, d): the heads are not merged yet.",
        "`.reshape(B, T, H * d)`, or `.flatten(2)`.",
    ),
    Mistake(
        "heads_inside",
        lambda x: x.permute(0, 2, 3, 1).flatten(2),
        "The heads' features are interleaved: first every head's feature 0, then 1, …",
        "The head comes before its features: (B, T, H, d).",
    ),
    Mistake(
        "wrong_transpose",
        lambda x: x.transpose(2, 3).reshape(x.shape[0], x.shape[2], -1),
        "It swaps positions and features, dimensions 2 and 3. Heads and positions have to swap.",
        BACK,
    ),
    Mistake(
        "transposed_twice",
        lambda x: x.permute(0, 3, 2, 1).reshape(x.shape[0], x.shape[2], -1),
        "It swaps heads and features, dimensions 1 and 3. Heads and positions have to swap.",
        BACK,
    ),
    Mistake(
        "heads_along_positions",
        lambda x: x.flatten(1, 2),
        "It is (B, H·T, d): the heads stand one after the other. They belong side by side.",
        BACK,
    ),
    Mistake(
        "positions_mixed",
        lambda x: x.transpose(1, 2).flatten(1, 2),
        "It is (B, T·H, d): the heads stand one after the other. They belong side by side.",
        "Merge dimensions 2 and 3: `.flatten(2)`.",
    ),
    Mistake(
        "heads_summed",
        lambda x: x.sum(1),
        "It adds the heads up. They are put side by side, and wo mixes them.",
        BACK,
    ),
    Mistake(
        "heads_averaged",
        lambda x: x.float().mean(1).to(x.dtype),
        "It averages the heads. They are put side by side, and wo mixes them.",
        BACK,
    ),
    Mistake(
        "heads_reversed",
        lambda x: right.merge_heads(x.flip(1)),
        "The heads come in reverse order. Head 0 has the first d features.",
        BACK,
    ),
    Mistake(
        "first_head_only",
        lambda x: x[:, 0],
        "Only the first head is left.",
        BACK,
    ),
    Mistake(
        "positions_first",
        lambda x: right.merge_heads(x).transpose(0, 1),
        "It is (T, B, H·d). The batch stays in front.",
        BACK,
    ),
    Mistake(
        "features_first",
        lambda x: right.merge_heads(x).transpose(1, 2),
        "It is (B, H·d, T). The features come last.",
        BACK,
    ),
    Mistake(
        "batch_mixed",
        lambda x: x.permute(2, 0, 1, 3).reshape(x.shape[0], x.shape[2], -1),
        "It reshapes (T, B, H, d) to (B, T, H·d): sentences are mixed.",
        BACK,
    ),
    Mistake(
        "list_of_positions",
        lambda x: list(right.merge_heads(x).unbind(1)),
        "It returns a list. Stack it: `torch.stack(…, dim=1)`.",
        "One tensor, (B, T, H·d).",
    ),
    Mistake(
        "first_sentence_only",
        lambda x: right.merge_heads(x[:1]),
        "Only the first sentence of the batch is left.",
        BACK,
    ),
    Mistake(
        "batch_squeezed",
        lambda x: right.merge_heads(x).squeeze(0),
        "A batch of one sentence loses its dimension.",
        "No `.squeeze()`: (1, T, H·d).",
    ),
    Mistake(
        "everything_squeezed",
        lambda x: right.merge_heads(x).squeeze(),
        "Dimensions of size 1 are gone: a batch of one, one position.",
        "No `.squeeze()`: (B, T, H·d) always.",
    ),
    Mistake(
        "made_float",
        lambda x: right.merge_heads(x).float(),
        "The result is float32 whatever the input is.",
        "Only the shape changes.",
    ),
    Mistake(
        "detached",
        lambda x: right.merge_heads(x).detach(),
        "The result is cut off from the gradient.",
        "No `.detach()`, `.data`, `torch.tensor(…)` or `torch.no_grad()` here.",
    ),
]
