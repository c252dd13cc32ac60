"""Lab 01, 1.4: embed, and what people write in place of its lines."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from checks.engine import Mistake, mistakes_of


def embed(ids: Tensor, table: Tensor) -> Tensor:
    places = ids.reshape(-1)
    #: Leave the ids as they are.
    #! sixteen_bits: places = ids.reshape(-1).to(torch.int16).long()
    #  The ids are squeezed into int16, which ends at 32,767.
    #! eight_bits: places = ids.reshape(-1).to(torch.int8).long()
    #  The ids are squeezed into int8, which ends at 127.
    #: Ids count from 0, as rows do.
    #! one_up: places = (ids.reshape(-1) + 1) % len(table)
    #! one_up: places = ids.reshape(-1) + 1
    #  Each id gets the row after its own.
    #! one_down: places = ids.reshape(-1) - 1
    #  Each id gets the row before its own: `ids - 1`. For id 0 that is the last row.
    #: `table[ids]`
    #! same_row: places = ids.reshape(-1)[0].expand(ids.numel())
    #  Every position gets the vector of the first id.
    #! row_of_the_position: places = (torch.arange(ids.shape[-1], device=ids.device) % len(table)).expand(ids.shape).reshape(-1)
    #  Every position gets the row with its own number: the ids are not used.
    #! sorted_ids: places = ids.sort().values.reshape(-1)
    #  The ids of each sequence are sorted first, so the order of the text is lost.
    #: An id that does not exist is a mistake elsewhere: let torch's IndexError show it.
    #! wraps: places = ids.reshape(-1) % len(table)
    #  An id beyond the table begins again at row 0, without an error.
    #! clamped: places = ids.reshape(-1).clamp(max=len(table) - 1)
    #  An id beyond the table gets the last row, without an error.
    #! zeros_beyond: places = ids.reshape(-1).clamp(max=len(table) - 1)
    #  An id beyond the table gets a row of zeros, without an error. [tensorflow/tensorflow#13642]
    rows = table[places]
    #: No `.detach()`, `.data`, `.numpy()`, no `torch.tensor(…)` around the rows, and no `from_pretrained`, which freezes the table.
    #! detached: rows = table.detach()[places]
    #! detached: rows = torch.tensor(table.tolist())[places]
    #  The rows are cut off from the table: no gradient reaches it, and it never learns.
    #: Index the table itself: `table[ids]`, or `F.embedding(ids, table)`.
    #! own_parameter: rows = nn.Embedding.from_pretrained(table, freeze=False)(places)
    #  The module has a Parameter of its own, made from the table: the gradient stays there, and `table` never learns.
    #! tensor_as_parameter: layer = nn.Embedding(*table.shape); layer.weight = table; rows = layer(places)
    #  A module's weight wants to be a Parameter, and that would be a copy which cuts `table` off.
    #! other_table: rows = nn.Embedding(*table.shape)(places)
    #  It makes a new table of random numbers. The rows of `table` are wanted.
    #: Plain indexing adds them up; no `scale_grad_by_freq`.
    #! gradient_mean: rows = F.embedding(places, table, scale_grad_by_freq=True)
    #  An id that occurs twice gets the mean of its gradients. Backwards, they add up.
    #: No `padding_idx`.
    #! padding_row: rows = F.embedding(places, table, padding_idx=0)
    #  Row 0 gets no gradient: it is treated as padding. It belongs to a character. [ibalazevic/TuckER#17]
    #: No `max_norm`.
    #! renormalised: rows = F.embedding(places, table.detach().clone(), max_norm=1.0)
    #  Rows longer than 1 are shortened, and the table is cut off.
    #! renormalised_in_place: rows = F.embedding(places, table, max_norm=1.0)
    #  Rows longer than 1 are shortened, in the caller's table itself.
    #: `table[ids]`
    #! unit_rows: rows = F.normalize(table, dim=-1)[places]
    #  The vectors have been brought to length 1. The rows are wanted as they are.
    #: Swap the two: `table[ids]`, or `F.embedding(ids, table)`.
    #! arguments_exchanged: rows = F.embedding(table, ids)
    #! arguments_exchanged: rows = ids[table]
    #  Ids and table are exchanged: what is looked up comes first in `F.embedding`, and inside the brackets of `table[…]`.
    #: `F.one_hot(ids, V).to(table.dtype) @ table`, or at once `table[ids]`.
    #! one_hot: rows = F.one_hot(places, len(table)).to(table.dtype)
    #  It returns rows of zeros and ones. Multiplied by the table they would be the vectors.
    #! one_hot_whole_numbers: rows = F.one_hot(places, len(table)) @ table
    #  `F.one_hot` gives whole numbers, which torch does not multiply with the table's.
    #! one_hot_float32: rows = F.one_hot(places, len(table)).float() @ table
    #  The one-hot rows are float32 and fit to a table of float32 only.
    #! one_hot_too_short: rows = F.one_hot(places).to(table.dtype) @ table
    #  Without the number of rows, one-hot rows are as long as the largest id demands, and not as the table.
    #: An id is a name, not a quantity: `table[ids]`.
    #! computes_with_ids: rows = places.to(table.dtype) @ table
    #! computes_with_ids: rows = places[:, None].to(table.dtype) * table[0]
    #  It multiplies by the ids.
    return rows.reshape(*ids.shape, -1)
    #!+ zeros_beyond: return rows.reshape(*ids.shape, -1) * (ids < len(table)).unsqueeze(-1).to(table.dtype)
    #: `table[ids]`
    #! scaled: return rows.reshape(*ids.shape, -1) * table.shape[1] ** 0.5
    #  The vectors are multiplied by √D, as in the first Transformer (1706.03762). Llama does not do that.
    #! columns: return table[:, ids]
    #! columns: return table.T[ids]
    #  It looks up columns. Each id has a row.
    #! first_row_only: return table[ids[0]]
    #  Only the first sequence of the batch is looked up.
    #! plus_position: return rows.reshape(*ids.shape, -1) + torch.arange(ids.shape[-1], device=ids.device)[:, None].to(table.dtype)
    #  Something that depends on the position is added. Position is the matter of lab 03.
    #: Keep the table's dtype.
    #! float64: return rows.reshape(*ids.shape, -1).double()
    #  The result is float64 whatever the table is.
    #: Keep the table's dtype: nothing is computed here, so nothing is rounded.
    #! float32: return rows.reshape(*ids.shape, -1).float()
    #  The result is float32 whatever the table is.
    #: `torch.empty(…, dtype=table.dtype, device=table.device)`, or at once `table[ids]`.
    #! filled: out = torch.zeros(*ids.shape, table.shape[1]); out[...] = rows.reshape(out.shape); return out
    #! filled: out = torch.zeros(*ids.shape, table.shape[1], dtype=table.dtype); out[...] = rows.reshape(out.shape); return out
    #  The tensor that it fills is made without the table's dtype, or without its device.
    #: Index with `ids` as it is, or give the shape back with `.reshape(*ids.shape, -1)`.
    #! flat: return rows
    #  The rows come as one long list: the shape of `ids` is lost.
    #! one_axis_only: return torch.index_select(table, 0, ids)
    #  It takes ids of one axis only. They may have any shape.
    #! two_axes_only: return torch.stack([torch.stack([table[i] for i in row]) for row in ids])
    #! two_axes_only: B, T = ids.shape; return rows.reshape(B, T, -1)
    #  It takes ids of two axes only. They may have any shape.
    #! gather: return torch.gather(table, 0, ids)
    #! gather: return torch.take(table, ids)
    #  `torch.gather` and `torch.take` take single numbers, one per id. Each id wants a whole row.
    #! squeezed: return rows.reshape(*ids.shape, -1).squeeze()
    #  squeeze() takes away every dimension of size 1, such as that of a batch of one.
    #: (B, T) in, (B, T, D) out.
    #! positions_first: return rows.reshape(*ids.shape, -1).transpose(0, -2)
    #  Batch and position are exchanged: it returns (T, B, D).
    #: `table.T[:, ids]` gives (D, B, T); `table[ids]` gives (B, T, D).
    #! features_first: return rows.reshape(*ids.shape, -1).movedim(-1, 0)
    #! features_first: return rows.reshape(*ids.shape, -1).transpose(-2, -1)
    #  The features stand before the positions. They belong to the end: (B, T, D).
    #: No `.mean`, and no EmbeddingBag.
    #! mean_over_positions: return rows.reshape(*ids.shape, -1).mean(-2)
    #  The vectors of a sentence are averaged. Each position keeps its own.


MISTAKES: list[Mistake] = mistakes_of(embed)
