"""Lab 06, 6.1: repeat_kv, and what people write in place of its lines.

Sources are the public threads in which somebody really made the mistake.
"""

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of


def repeat_kv(x: Tensor, n_rep: int) -> Tensor:
    """By the index of each kv head, in the order of the query heads."""
    K = x.shape[1]
    #: Use `n_rep`.
    #! always_four: …; n_rep = 4
    #  It repeats four times whatever n_rep is. Four is Llama 3 8B's number.
    #! always_two: …; n_rep = 2
    #  It repeats twice whatever n_rep is.
    #: `x.repeat_interleave(n_rep, dim=1)`: 0, 0, 1, 1. With `repeat` it is 0, 1, 0, 1.
    #! once_too_often: …; n_rep = n_rep + 1
    #  Each head comes n_rep + 1 times. The original counts as one of the n_rep.
    #! once_too_few: …; n_rep = n_rep - 1
    #  Each head comes n_rep - 1 times.
    #! n_rep_as_total: …; n_rep = max(n_rep // K, 1)
    #  It takes n_rep for the number of query heads. It is how often each kv head comes.
    #! repeats_k_times: …; n_rep = K
    #  Each head comes K times. It comes n_rep times.
    #! powers_of_two: …; n_rep = 1 << (n_rep - 1).bit_length()
    #  It doubles until there are enough: right for n_rep = 1, 2, 4, 8, too many for 3 and 5.
    #! returns_nothing_for_one:
    #| K = x.shape[1]
    #| if n_rep == 1:
    #|     return None
    #  For n_rep = 1 nothing comes back. That is x itself.
    heads = [h // n_rep for h in range(K * n_rep)]
    #! tiled: heads = [h % K for h in range(K * n_rep)]
    #  All kv heads are repeated one after the other: 0, 1, 0, 1. Neighbouring query heads share one: 0, 0, 1, 1. Trained from scratch nobody notices;
    #  Llama's weights come out as noise. [ekzhang/jax-js#180, onnx/onnx#7274, apple/axlearn#842, apple/ml-hypercloning#1, microsoft/onnxscript#2408]
    #! first_head_for_all: heads = [0] * (K * n_rep)
    #  All query heads get kv head 0. That is multi-query attention, whatever K is.
    #! last_head_for_the_rest: heads = [min(h, K - 1) for h in range(K * n_rep)]
    #  Heads 0 to K - 1 come once, and the last one fills up the rest.
    #! heads_reversed: heads = [K - 1 - h // n_rep for h in range(K * n_rep)]
    #  The kv heads come in the opposite order.
    #: Query head h reads kv head h // n_rep.
    #! one_head_on: heads = [(h + 1) // n_rep % K for h in range(K * n_rep)]
    #  The groups are shifted by one: the first of them ends one head too early.
    #: There are K groups of n_rep.
    #! wrong_group_size: heads = [min(h // K, K - 1) for h in range(K * n_rep)]
    #! wrong_group_size: heads = torch.arange(K * n_rep) // K
    #  It divides by K where n_rep belongs: query head h reads kv head h // n_rep.
    out = x[:, heads]
    #: `x.repeat_interleave(n_rep, dim=1)`: 0, 0, 1, 1.
    #! not_repeated: out = x + 0
    #  Nothing is repeated.
    #! only_first_of_group: out = torch.zeros_like(x[:, heads]); out[:, ::n_rep] = x
    #  Only the first head of each group is filled; the others are zeros.
    #! divided_by_n_rep: out = x[:, heads] / n_rep
    #  The heads are divided by n_rep. They are repeated, not shared out.
    #! multiplied: out = x * n_rep
    #! multiplied: out = x[:, heads] * n_rep
    #  The numbers are multiplied by n_rep. The heads are repeated as they are.
    #! times_place_in_group: out = x[:, heads] * (torch.arange(K * n_rep, device=x.device) % n_rep + 1)[:, None, None].to(x.dtype)
    #  The copies of a head differ: each is multiplied by its place in the group.
    #! mean_of_heads: out = (x * 1.0).mean(1, keepdim=True).repeat(1, K * n_rep, 1, 1).to(x.dtype)
    #  It gives every query head the mean of all kv heads.
    #: `.reshape(B, K * n_rep, S, d)`, or `.flatten(1, 2)`.
    #! no_merge: out = x[:, :, None].expand(-1, -1, n_rep, -1, -1) + 0
    #  It is (B, K, n_rep, S, d): the last step is missing, which makes one dimension of K and n_rep.
    #! expands_a_real_dimension: out = x.expand(-1, K * n_rep, -1, -1)
    #  `expand` stretches a dimension of size 1 only: a new one has to be made first, `x[:, :, None]`.
    #: (B, K, S, d) → (B, K · n_rep, S, d): the heads are dimension 1.
    #! positions_repeated: out = x.repeat_interleave(n_rep, dim=2)
    #! positions_repeated: out = x.repeat(1, 1, n_rep, 1)
    #  It repeats the positions: `dim=2` is S here. (In (B, S, K, d), Meta's layout, it would be the heads.) [PrimeIntellect-ai/prime-rl#2681]
    #! features_repeated: out = x.repeat_interleave(n_rep, dim=-1)
    #! features_repeated: out = x.repeat(1, 1, 1, n_rep)
    #  It repeats the features of each key.
    #! sentences_repeated: out = x.repeat_interleave(n_rep, dim=0)
    #! sentences_repeated: out = x.repeat(n_rep, 1, 1, 1)
    #  It repeats the sentences of the batch.
    #: `x.repeat_interleave(n_rep, dim=1)`.
    #! flattened: out = x.repeat_interleave(n_rep)
    #  Without `dim`, repeat_interleave flattens everything first.
    #! positions_cut_into_heads: out = x.repeat_interleave(n_rep, dim=2).reshape(x.shape[0], -1, *x.shape[2:])
    #  It repeats the positions (or the rows of features) and reshapes afterwards. The shape is right; a head now holds some positions n_rep times and
    #  others not at all.
    #! features_cut_into_heads: out = x.repeat_interleave(n_rep, dim=3).reshape(x.shape[0], -1, *x.shape[2:])
    #  It repeats the features and reshapes afterwards: the shape is right, the numbers are not.
    #! sentences_cut_into_heads: out = x.repeat(n_rep, 1, 1, 1).reshape(x.shape[0], -1, *x.shape[2:])
    #  It repeats the batch and reshapes afterwards: a sentence gets the heads of others.
    return out
    #: No `.detach()`, `.data` or numpy here.
    #! detached: return out.detach()
    #  The copies are cut off from the gradient: wk and wv would never learn.
    #: `x.new_zeros(…)`, or repeat_interleave.
    #! float32_result: return out.float()
    #! float32_result: return out * torch.ones(1, device=x.device)
    #  The result is float32 whatever x is: `torch.zeros` makes float32 unless told otherwise.
    #! buffer_on_cpu: return torch.zeros(out.shape, dtype=x.dtype).copy_(out)
    #  The result is written into a tensor that lies on the CPU, whatever the device of x is.
    #: (B, K, S, d) → (B, K · n_rep, S, d): the heads are dimension 1.
    #! heads_last: return out.transpose(1, 2)
    #  It is (B, S, H, d). Heads come before positions here.


MISTAKES: list[Mistake] = mistakes_of(repeat_kv)
