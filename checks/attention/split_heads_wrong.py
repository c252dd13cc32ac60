"""Lab 04, 4.4: split_heads, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    B, T, D = x.shape
    #: `B, T, D = x.shape`
    #! batch_mixed: T, B, D = x.shape
    #! batch_mixed: x = x.reshape(x.shape[1], x.shape[0], -1).transpose(0, 1); B, T, D = x.shape
    #  It reads the input as (T, B, D): sentences are mixed.
    #! positions_and_features_swapped: B, D, T = x.shape
    #  It reads the input as (B, D, T).
    #! first_sentence_only: x = x[:1]; B, T, D = x.shape
    #  Only the first sentence of the batch is left.
    d = D // n_heads
    #: `D // n_heads`, a whole number: sizes are no fractions.
    #! size_not_whole: d = D / n_heads
    #  `/` makes a number with a point, and a size cannot have one.
    #! cut_by_positions: d = D // T
    #! cut_by_positions: n_heads, d = T, D // T
    #  The features are cut by the number of positions. They are cut by the number of heads.
    #: d = D // n_heads; `x.reshape(B, T, n_heads, d)`.
    #! head_size_for_heads: d, n_heads = n_heads, D // n_heads
    #  n_heads is taken for the size of a head.
    #: `x.reshape(B, T, n_heads, D // n_heads)`
    #! two_heads: n_heads = 2; d = D // n_heads
    #  It always makes two heads; n_heads is not used.
    #! four_heads: n_heads = 4; d = D // n_heads
    #  It always makes four heads; n_heads is not used.
    x = x.reshape(B, T, n_heads, d)  # (B, T, H, d)
    #: First cut the features, (B, T, H, d), then `.transpose(1, 2)`.
    #! view_without_transpose: return x.reshape(B, n_heads, T, d)
    #  It reshapes straight to (B, H, T, d). The shape is right, the numbers are not: they are cut up in the order of memory, so that a head gets
    #  features of other positions. [hyunwoongko/transformer#15, reczoo/FuxiCTR#30]
    #! transposed_too_early: return x.transpose(1, 2).reshape(B, n_heads, T, d)
    #! transposed_too_early: return x.transpose(1, 2).reshape(B, T, n_heads, d).transpose(1, 2)
    #  It transposes first and reshapes then, so that positions and features are mixed.
    #! reshaped_and_transposed: x = x.reshape(B, n_heads, T, d)
    #  It reshapes to (B, H, T, d) and transposes as well, back to (B, T, H, d).
    #! heads_mixed_with_batch: return torch.cat(x.chunk(n_heads, dim=-1), dim=0).reshape(B, n_heads, T, d)
    #  The heads stand before the batch, (H, B, T, d), and are called (B, H, T, d): sentences are mixed. [lsdefine/attention-is-all-you-need-keras#36]
    #: `x.reshape(B, T, n_heads, d)`: the last dimension is the head size.
    #! every_hth_feature: x = x.reshape(B, T, d, n_heads).transpose(2, 3)
    #  Head h gets the features h, h + H, h + 2H, … It gets d neighbouring ones.
    #: `x.reshape(B, T, n_heads, d)`: only the features are cut.
    #! cuts_positions: return x.reshape(B, n_heads, T // n_heads, D)
    #! cuts_positions: x = x.reshape(B, n_heads, T // n_heads, D)
    #! cuts_positions: return x.reshape(B, T // n_heads, n_heads, D).transpose(1, 2)
    #  The positions are cut. All heads have all positions, and share the features.
    #! cuts_batch: x = x.reshape(B // n_heads, T, n_heads, D)
    #! cuts_batch: return x.reshape(B // n_heads, n_heads, T, D)
    #  The batch is cut. All heads have all sentences, and share the features.
    #: First cut the features, (B, T, H, d), then `.transpose(1, 2)`.
    #! every_head_everything: return x.unsqueeze(1).expand(-1, n_heads, -1, -1)
    #  Every head gets all the features. They share them: d = D / H each.
    #: Head h gets the features h·d to (h + 1)·d.
    #! same_features: return x[:, None, :, :d].expand(-1, n_heads, -1, -1)
    #  Every head gets the first d features.
    #! overlapping: return torch.stack([x[:, :, h : h + d] for h in range(n_heads)], dim=1)
    #  Head h gets the features h to h + d: heads overlap, and the last features belong to none.
    #: One tensor, (B, H, T, d).
    #! tuple_of_heads: return x.chunk(n_heads, dim=-1)
    #  It returns a tuple of heads. Stack them: `torch.stack(heads, dim=1)`.
    #: `torch.stack(heads, dim=1)`
    #! heads_concatenated: return torch.cat(x.chunk(n_heads, dim=-1), dim=1)
    #  `cat` puts the heads one after the other: (B, H·T, d). `stack` makes a dimension for them.
    x = x.transpose(1, 2)  # (B, H, T, d)
    #: `.transpose(1, 2)`
    #! heads_not_moved: pass
    #  It is (B, T, H, d). Attention compares along the last but one dimension: with the heads there, the heads of one position would look at each
    #  other.
    #! swaps_positions_and_features: x = x.transpose(1, 3)
    #  It is (B, d, H, T): positions and features have changed places. Heads and positions should.
    #! heads_last: x = x.transpose(2, 3)
    #  It is (B, T, d, H): heads and features have changed places. Heads and positions should.
    #! batch_and_positions_swapped: x = x.transpose(0, 1)
    #  It is (T, B, H, d): batch and positions have changed places. Heads and positions should.
    #! batch_and_heads_swapped: x = x.transpose(0, 2)
    #  It is (H, T, B, d): batch and heads have changed places. Heads and positions should.
    #: First cut the features, (B, T, H, d), then `.transpose(1, 2)`.
    #! positions_last: x = x.permute(0, 2, 3, 1)
    #  It is (B, H, d, T): positions and features have changed places.
    #! heads_first: x = x.permute(2, 0, 1, 3)
    #  It is (H, B, T, d). The batch stays in front.
    #: Leave them apart: (B, H, T, d).
    #! heads_in_batch: x = x.transpose(1, 2).flatten(0, 1)
    #! heads_in_batch: x = x.permute(2, 0, 1, 3).flatten(0, 1)
    #  It is (B·H, T, d): heads and batch have become one dimension.
    #: `.transpose` already does it; `.reshape` after it moves the numbers again.
    #! transposed_and_reshaped: x = x.transpose(1, 2).reshape(B, T, n_heads, d)
    #  It transposes and then reshapes back to (B, T, H, d): heads and positions are mixed.
    return x
    #: First cut the features, (B, T, H, d), then `.transpose(1, 2)`.
    #! heads_reversed: return x.flip(1)
    #  The heads come in reverse order. Head 0 has the first d features.
    #! features_reversed: return x.flip(-1)
    #  The features of a head come in reverse order.
    #: One tensor, (B, H, T, d).
    #! list_of_heads: return list(x.unbind(1))
    #  It returns a list of heads. Stack them: `torch.stack(heads, dim=1)`.
    #: No `.squeeze()`: (1, H, T, d).
    #! batch_squeezed: return x.squeeze(0)
    #  A batch of one sentence loses its dimension.
    #: No `.squeeze()`: (B, H, T, d) always.
    #! everything_squeezed: return x.squeeze()
    #  Dimensions of size 1 are gone: a batch of one, one head, one position.
    #! first_head_only: return x[:, 0]
    #! first_head_only: return x[:, :1]
    #  Only the first head is left.
    #: Only the shape changes.
    #! made_float: return x.float()
    #  The result is float32 whatever the input is.
    #: No `.detach()`, `.data`, `torch.tensor(…)` or `torch.no_grad()` here.
    #! detached: return x.detach()
    #  The result is cut off from the gradient.
    #: `return` the result: `.transpose` and `.reshape` change nothing in place.
    #! no_return: x
    #  The heads are cut and then forgotten: there is no `return`.
    #! nothing_done: return x.transpose(1, 2).reshape(B, T, D)
    #  It returns x as it came: `.reshape` and `.transpose` give a new tensor, and change none.


MISTAKES: list[Mistake] = mistakes_of(split_heads)
