"""Lab 04, 4.5: merge_heads, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

from torch import Tensor

from checks.engine import Mistake, mistakes_of


def merge_heads(x: Tensor) -> Tensor:
    B, H, T, d = x.shape
    #: `B, H, T, d = x.shape`, as split_heads returns it.
    #! heads_and_positions_swapped: B, T, H, d = x.shape
    #  It reads the input as (B, T, H, d). The heads come before the positions.
    #! heads_taken_for_batch: H, B, T, d = x.shape; return x.reshape(B, H, T, d).permute(0, 2, 1, 3).reshape(H, T, B * d)
    #! heads_taken_for_batch: …; return x.reshape(H, B, T, d).permute(1, 2, 0, 3).reshape(B, T, H * d)
    #  It takes the heads for the first dimension and the batch for the second: sentences are mixed.
    #  [gazelle93/Transformer-Various-Positional-Encoding#1]
    #! first_sentence_only: x = x[:1]; B, H, T, d = x.shape
    #  Only the first sentence of the batch is left.
    x = x.transpose(1, 2)  # (B, T, H, d)
    #: `.reshape`, or `.contiguous().view`: `.view` takes the numbers as they lie in memory.
    #! view_after_transpose: return x.contiguous().transpose(1, 2).view(B, T, H * d)
    #: `x.transpose(1, 2)` makes (B, T, H, d); then `.reshape(B, T, H * d)`.
    #! reshape_without_transpose: pass
    #  It reshapes without transposing. The shape is right, the numbers are not: a position gets features of other positions, later ones too.
    #  [jsbaan/transformer-from-scratch#4, hackiey/QAnet-pytorch#2]
    #! wrong_transpose: x = x.transpose(2, 3)
    #  It swaps positions and features, dimensions 2 and 3. Heads and positions have to swap.
    #! transposed_twice: x = x.transpose(1, 3)
    #  It swaps heads and features, dimensions 1 and 3. Heads and positions have to swap.
    #! batch_and_positions_swapped: x = x.transpose(0, 2)
    #  It swaps batch and positions, dimensions 0 and 2. Heads and positions have to swap.
    #! batch_and_heads_swapped: x = x.transpose(0, 1)
    #  It swaps batch and heads, dimensions 0 and 1. Heads and positions have to swap.
    #! batch_and_features_swapped: x = x.transpose(0, 3)
    #  It swaps batch and features, dimensions 0 and 3. Heads and positions have to swap.
    #! batch_mixed: x = x.permute(2, 0, 1, 3)
    #  It reshapes (T, B, H, d) to (B, T, H·d): sentences are mixed.
    #: The head comes before its features: (B, T, H, d).
    #! heads_inside: x = x.permute(0, 2, 3, 1)
    #  The heads' features are interleaved: first every head's feature 0, then 1, …
    #: `x.transpose(1, 2)` makes (B, T, H, d); then `.reshape(B, T, H * d)`.
    #! heads_reversed: x = x.flip(1).transpose(1, 2)
    #  The heads come in reverse order. Head 0 has the first d features.
    x = x.reshape(B, T, H * d)
    #: `.reshape(B, T, H * d)`, or `.flatten(2)`.
    #! not_merged: pass
    #  It is (B, T, H, d): the heads are not merged yet.
    #: `.reshape`, or `.contiguous().view`: `.view` takes the numbers as they lie in memory.
    #! view_after_transpose: x = x.view(B, T, H * d)
    #  `.view` cannot merge what was transposed: the numbers lie in another order in memory.
    #: `.reshape(B, T, H * d)`
    #! batch_and_positions_in_one: x = x.reshape(B * T, H * d)
    #  It is (B·T, H·d): batch and positions have become one dimension.
    #! batch_of_one: x = x.reshape(1, T, H * d)
    #  It takes the batch to be one sentence. There may be more.
    #! positions_merged_with_features: x = x.reshape(B, T * H * d)
    #  It is (B, T·H·d): the positions are gone. Each keeps a row of its own.
    #! sizes_added: x = x.reshape(B, T, H + d)
    #  It asks for H + d features. H heads of d features have H · d.
    #: `x.transpose(1, 2)` makes (B, T, H, d); then `.reshape(B, T, H * d)`.
    #! heads_averaged: x = x.float().mean(2).to(x.dtype)
    #! heads_averaged: x = x.mean(2)
    #  It averages the heads. They are put side by side, and wo mixes them.
    #: The features come last: `.reshape(B, T, H * d)`.
    #! features_first_by_reshape: x = x.reshape(B, H * d, T)
    #  It is called (B, H·d, T), and positions and features are mixed. The features come last.
    #: `x.transpose(1, 2)` makes (B, T, H, d); then `.reshape(B, T, H * d)`.
    #! heads_summed: x = x.sum(2)
    #  It adds the heads up. They are put side by side, and wo mixes them.
    #! heads_multiplied: x = x.prod(2)
    #  It multiplies the heads. They are put side by side, and wo mixes them.
    #! largest_head: x = x.amax(2)
    #  It takes the largest of the heads. They are put side by side, and wo mixes them.
    #! first_head_only: x = x[:, :, 0]
    #  Only the first head is left.
    #! last_head_only: x = x[:, :, -1]
    #  Only the last head is left.
    #! heads_along_positions: x = x.transpose(1, 2).flatten(1, 2)
    #  It is (B, H·T, d): the heads stand one after the other. They belong side by side.
    #: Merge dimensions 2 and 3: `.flatten(2)`.
    #! positions_mixed: x = x.flatten(1, 2)
    #  It is (B, T·H, d): the heads stand one after the other. They belong side by side.
    return x
    #: `x.transpose(1, 2)` makes (B, T, H, d); then `.reshape(B, T, H * d)`.
    #! positions_first: return x.transpose(0, 1)
    #  It is (T, B, H·d). The batch stays in front.
    #! features_first: return x.transpose(1, 2)
    #  It is (B, H·d, T). The features come last.
    #: One tensor, (B, T, H·d).
    #! list_of_positions: return list(x.unbind(1))
    #  It returns a list. Stack it: `torch.stack(…, dim=1)`.
    #: No `.squeeze()`: (1, T, H·d).
    #! batch_squeezed: return x.squeeze(0)
    #  A batch of one sentence loses its dimension.
    #: No `.squeeze()`: (B, T, H·d) always.
    #! everything_squeezed: return x.squeeze()
    #  Dimensions of size 1 are gone: a batch of one, one position.
    #: Only the shape changes.
    #! made_float: return x.float()
    #  The result is float32 whatever the input is.
    #: No `.detach()`, `.data`, `torch.tensor(…)` or `torch.no_grad()` here.
    #! detached: return x.detach()
    #  The result is cut off from the gradient.
    #: `return` the result: `.transpose` and `.reshape` change nothing in place.
    #! no_return: x
    #  The heads are merged and then forgotten: there is no `return`.


MISTAKES: list[Mistake] = mistakes_of(merge_heads)
