"""Lab 01, 1.5: make_batch in two ways, and what people write in place of their lines."""

import torch
from torch import Tensor
from torch.nn import functional as F

from checks.engine import Mistake, mistakes_of


def make_batch(data: Tensor, starts: Tensor, context: int) -> tuple[Tensor, Tensor]:
    steps = torch.arange(context, device=starts.device)
    #: `torch.arange(context, device=starts.device)`
    #! arange_on_cpu: steps = torch.arange(context)
    #  torch.arange makes its numbers on the CPU; on a GPU they do not fit to `starts`.
    #: Take context + 1 numbers, then the first and the last `context` of them.
    #! both_short: steps = torch.arange(context - 1, device=starts.device)
    #! both_short: steps = torch.arange(1, context, device=starts.device)
    #  The windows have context − 1 numbers.
    #! both_long: steps = torch.arange(context + 1, device=starts.device)
    #  The windows have context + 1 numbers.
    #: The first input is `data[start]` itself.
    #! one_late: steps = torch.arange(1, context + 1, device=starts.device)
    #  Every window begins one step late.
    #: `torch.arange(context)`
    #! batch_for_context: steps = torch.arange(len(starts), device=starts.device)
    #  The windows are as long as the batch has rows. They have `context` numbers.
    positions = starts[:, None] + steps  # (B, context)
    #: Leave the starts as they are, or make them `long`.
    #! eight_bits: positions = starts[:, None] % 256 + steps
    #  The starts are squeezed into eight bits: what lies beyond place 255 is never read.
    #: A start is a position in the data.
    #! whole_blocks: positions = starts[:, None] * context + steps
    #! whole_blocks: positions = (starts[:, None] * context + steps) % len(data)
    #  `starts` is taken as the number of a block: each is multiplied by context.
    #: `starts[:, None] + torch.arange(context)`
    #! starts_ignored: positions = torch.zeros_like(starts)[:, None] + steps
    #  Every window begins at 0: `starts` is not used.
    #! steps_backwards: positions = starts[:, None] - steps
    #  The steps are taken away: each window goes backwards from its start.
    #! own_starts: positions = torch.randint(len(data) - context, starts.shape)[:, None] + steps
    #  It draws starts of its own. Those that were handed over are not used.
    #! starts_along_the_wrong_axis: positions = starts[None, :] + steps
    #! starts_along_the_wrong_axis: positions = starts + steps
    #  Starts and steps lie along the same axis. Each start wants all the steps: (B, 1) + (context,).
    #: `starts[:, None]` has one row per start.
    #! first_start_only: positions = starts[:1, None].expand(len(starts), context) + steps
    #  Every row is the window of the first start.
    #: Row i is the window of `starts[i]`.
    #! sorted_starts: positions = starts.sort().values[:, None] + steps
    #  The rows are sorted by where they begin, and no longer belong to `starts`.
    #: `starts[:, None] + torch.arange(context)`, not `starts + torch.arange(context)[:, None]`.
    #! transposed: positions = starts + steps[:, None]
    #  It returns (context, B). Rows are windows: (B, context).
    inputs = data[positions]
    #: Leave the last one out: `window[:, :-1]`.
    #! long_inputs: inputs = data[starts[:, None] + torch.arange(context + 1, device=starts.device)]
    #  The inputs have context + 1 numbers: the last target is among them.
    #: A slice takes one start and one end. For all windows at once: `data[starts[:, None] + torch.arange(context)]`.
    #! slice_of_tensors: inputs = data[starts : starts + context]
    #  `data[a:b]` wants two whole numbers, and `starts` is a tensor of several.
    targets = data[positions + 1]
    #!+ whole_blocks: targets = data[(positions + 1) % len(data)]
    #: The targets are one step later: `data[positions + 1]`.
    #! not_shifted: targets = data[positions]
    #  Inputs and targets are the same: the model would learn to copy, with a loss near 0. [huggingface/transformers#48745]
    #! values_plus_one: targets = data[positions] + 1
    #  It adds 1 to the ids themselves. One step later in the data is wanted.
    #: One step: `data[positions + 1]`. And no second shift in the loss.
    #! shifted_twice: targets = data[positions + 2]
    #  The targets are two steps later: the model would learn to skip a token. [wdndev/tiny-llm-zh#10]
    #! next_window: targets = data[positions + context]
    #  The targets are the window after the inputs. They are the inputs one step later.
    #: Plus one, not minus one.
    #! shifted_back: targets = data[positions - 1]
    #  The targets are one step earlier: the model would learn what it has just read.
    #: Take the last target from the data: windows of context + 1, or positions + 1.
    #! rolled: targets = inputs.roll(-1, 1)
    #  The last target of each row is the row's own first input: torch.roll goes round.
    #! rolled_flat: targets = inputs.roll(-1)
    #  Without a dimension, torch.roll goes on into the next row: the last target of each is another row's first input.
    #! rolled_over_the_batch: targets = inputs.roll(-1, 0)
    #  torch.roll goes down the batch: the targets are another row's inputs.
    #! last_ignored: targets = F.pad(inputs[:, 1:], (0, 1), value=0)
    #! last_ignored: targets = F.pad(inputs[:, 1:], (0, 1), value=-100)
    #! last_ignored: targets = F.pad(inputs[:, 1:], (0, 1), value=-1)
    #  The last target of each row is filled with a constant instead of the data's next token.
    #! last_repeated: targets = torch.cat([inputs[:, 1:], inputs[:, -1:]], 1)
    #  The last target of each row repeats its last input.
    #: A window may begin at N − context − 1: its last target is `data[N - 1]`.
    #! end_of_data: targets = data[(positions + 1).clamp(max=len(data) - 2)]
    #! end_of_data: targets = data[(positions + 1) % (len(data) - 1)]
    #  The last number of the data is never a target.
    #: Take context + 1 numbers, then the first and the last `context` of them.
    #! short_targets: targets = inputs[:, 1:]
    #  The targets are one shorter than the inputs. Each input has a target.
    #! both_short: targets = inputs[:, 1:]; inputs = inputs[:, :-1]
    return inputs, targets
    #: `return inputs, targets`; the targets are later.
    #! swapped: return targets, inputs
    #  Inputs and targets are exchanged.
    #: `return inputs, targets`
    #! inputs_only: return inputs
    #  It returns the inputs alone. The targets are wanted as well.
    #! stacked: return torch.stack([inputs, targets])
    #  It returns one tensor of (2, B, context). Two tensors are wanted.
    #! glued: return torch.cat([inputs, targets], 1)
    #  It returns inputs and targets glued into one tensor. Two tensors are wanted.
    #! dictionary: return {"inputs": inputs, "targets": targets}
    #  It returns a dictionary. Two tensors are wanted.
    #: Targets have the shape (B, context), too.
    #! last_target_only: return inputs, targets[:, -1]
    #! last_target_only: return inputs, targets[:, -1:]
    #  There is one target per window. A model predicts at every position at once.
    #: `torch.stack`, not `torch.cat`.
    #! flat: return inputs.flatten(), targets.flatten()
    #  The windows are glued together into one long row.
    #: Keep the data's dtype.
    #! long: return inputs.long(), targets.long()
    #  The result is int64 whatever the data is.
    #: Keep the data's dtype; `torch.zeros(B, context)` would be float.
    #! float: return inputs.float(), targets.float()
    #  The ids have become floating-point numbers, which cannot look anything up. [ShusenTang/Dive-into-DL-PyTorch#160]
    #: `data[positions]`
    #! positions: return positions, positions + 1
    #  It returns the positions themselves, not the data that stands there.
    #: `torch.stack(…)` makes one tensor of them.
    #! lists: return inputs.tolist(), targets.tolist()
    #! lists: return list(inputs), list(targets)
    #  It returns lists. Two tensors are wanted.
    #: One row for each start.
    #! last_start_only: return inputs[-1], targets[-1]
    #  Only the window of the last start comes back: each has overwritten the one before.


def make_batch_of_slices(data: Tensor, starts: Tensor, context: int) -> tuple[Tensor, Tensor]:
    """The other common way, as in nanoGPT."""
    inputs = torch.stack([data[s : s + context] for s in starts])
    #: `torch.stack([…])` puts tensors together.
    #! tensor_of_tensors: inputs = torch.tensor([data[s : s + context] for s in starts])
    #  `torch.tensor` makes a tensor of numbers, not of tensors.
    #! generator_stacked: inputs = torch.stack(data[s : s + context] for s in starts)
    #  `torch.stack` wants a list: its square brackets are missing.
    #! both_long: inputs = torch.stack([data[s : s + context + 1] for s in starts])
    #! one_late: inputs = torch.stack([data[s + 1 : s + 1 + context] for s in starts])
    #! whole_blocks: starts = starts * context; …
    targets = torch.stack([data[s + 1 : s + 1 + context] for s in starts])
    #!+ both_long: targets = torch.stack([data[s + 1 : s + context + 2] for s in starts])
    #!+ one_late: targets = torch.stack([data[s + 2 : s + 2 + context] for s in starts])
    #! shifted_twice: targets = torch.stack([data[s + 2 : s + 2 + context] for s in starts])
    #! next_window: targets = torch.stack([data[s + context : s + 2 * context] for s in starts])
    #! shifted_back: targets = torch.stack([data[s - 1 : s - 1 + context] for s in starts])
    #: `data[s + 1 : s + context + 1]`: both ends move.
    #! begin_not_moved: targets = torch.stack([data[s : s + context + 1] for s in starts])
    #  The slice of the targets ends one later and begins where that of the inputs does: it is one longer.
    return inputs, targets


MISTAKES: list[Mistake] = mistakes_of(make_batch, make_batch_of_slices)
