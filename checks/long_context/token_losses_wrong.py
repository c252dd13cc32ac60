"""Lab 13, 13.1: token_losses, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

from typing import Any

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of


@torch.no_grad()
def token_losses(model: Any, ids: Tensor, chunk: int = 256) -> Tensor:
    caches = model.new_caches(1, ids.shape[1])
    #: One set of caches before the loop, for the whole text: `model.new_caches(1, ids.shape[1])`.
    #! room_for_a_piece: caches = model.new_caches(1, chunk)
    #  The caches have room for one piece only. They are filled by the whole text: T positions.
    #! room_for_nothing: caches = model.new_caches(1, 1)
    #  The caches have room for one token only. The whole text goes into them.
    #! no_caches: caches = None
    #  The model gets no caches: each piece is read as if nothing stood before it.
    #! batch_is_the_length: caches = model.new_caches(ids.shape[1], 1)
    #! batch_is_the_length: caches = model.new_caches(ids.shape[1], ids.shape[1])
    #  batch and max_len have changed places, or are the same: it is one text, of T tokens.
    inputs, targets = ids[:, :-1], ids[0, 1:]
    #: inputs are `ids[:, :-1]`, targets `ids[0, 1:]`: what stands at i is asked about i + 1.
    #! not_shifted: inputs, targets = ids, ids[0]
    #! not_shifted: inputs, targets = ids[:, :-1], ids[0, :-1]
    #! not_shifted: inputs, targets = ids[:, 1:], ids[0, 1:]
    #  Each token is compared with the logits of its own place, which have seen it already. They speak about the next one.
    #! shifted_twice: inputs, targets = ids[:, :-2], ids[0, 2:]
    #  The targets are two places further on. The logits speak about the very next token.
    #! shifted_back: inputs, targets = ids[:, 1:], ids[0, :-1]
    #  It asks about the token before. The logits speak about the one that comes next.
    #! last_missing: inputs, targets = ids[:, :-2], ids[0, 1:-1]
    #  The last token's loss is missing: T tokens have T - 1 losses.
    #! first_missing: inputs, targets = ids[:, 1:-1], ids[0, 2:]
    #  The first token is left out, so the model reads another text, and a loss is missing.
    #: Cut `inputs` and `targets` into pieces of `chunk`: `inputs.split(chunk, dim=1)`, `targets.split(chunk)`.
    #! chunk_ignored: …; chunk = max(ids.shape[1], 1)
    #  The whole text goes through the model at once. The pieces are there so that memory does not grow with its square.
    #! chunk_one_too_large: …; chunk = chunk + 1
    #  The pieces have a token more than `chunk`.
    #! chunk_always_256: …; chunk = 256
    #  It cuts into pieces of 256, whatever `chunk` is.
    losses = []
    for x, y in zip(inputs.split(chunk, 1), targets.split(chunk), strict=True):
        #: Shift first, then cut: inputs `ids[:, :-1]` and targets `ids[0, 1:]`, each `.split(chunk)`.
        #! seams_missing: for x, y in ((p[:, :-1], p[0, 1:]) for p in ids.split(chunk, 1)):
        #  It cuts first and shifts inside each piece: the first token of every later piece has no loss. [huggingface/transformers#30975]
        #! seams_fed_but_not_counted:
        #| for p in ids.split(chunk, 1):
        #|     log_p = model(p, caches)[0, :-1].float().log_softmax(-1)
        #|     losses.append(-log_p.gather(1, p[0, 1:, None])[:, 0])
        #| return torch.cat(losses)
        #| for x, y in zip(inputs.split(chunk, 1), targets.split(chunk), strict=True):
        #  The last logits of each piece are thrown away. They speak about the first token of the next piece. [huggingface/transformers#30975]
        #! last_piece_dropped: for x, y in list(zip(inputs.split(chunk, 1), targets.split(chunk)))[: max(inputs.shape[1] // chunk, 1)]:
        #  The last piece, which is not full, is left out.
        #! first_piece_only: for x, y in [(inputs[:, :chunk], targets[:chunk])]:
        #  Only the first piece is read.
        #! pieces_overlap: for x, y in ((inputs[:, i : i + chunk], targets[i : i + chunk]) for i in range(0, len(targets), max(chunk // 2, 1))):
        #  The pieces overlap, and what is in two of them is read twice. The caches remember: give each token once.
        #: One set of caches before the loop, for the whole text: `model.new_caches(1, ids.shape[1])`.
        #! new_caches_each_piece:
        #| …
        #|     caches = model.new_caches(1, ids.shape[1])
        #! new_caches_each_piece:
        #| …
        #|     caches = model.new_caches(1, chunk)
        #! new_caches_each_piece:
        #| for x, y in zip(inputs.split(chunk, 1), targets.split(chunk), strict=True):
        #|     caches = model.new_caches(1, x.shape[1])
        #  Each piece gets new caches, so that it is read as if nothing stood before it.
        logits = model(x, caches)[0]
        #: `model(x, caches)[0]`: the piece, and the caches.
        #! no_caches: logits = model(x)[0]
        #! last_logits_only: logits = model(x, caches)[0, -1:].expand(x.shape[1], -1)
        #  Only the last row of logits is used, for all tokens of the piece. Each token has a row.
        #! reads_the_whole_each_time:
        #| end = sum(len(part) for part in losses) + len(y)
        #| logits = model(inputs[:, :end], model.new_caches(1, end))[0, -len(y) :]
        #  Each piece is read with everything before it, anew. The caches are there so that it is not.
        log_p = logits.float().log_softmax(-1)
        #: `.float()`, then `log_softmax(dim=-1)`, the last dimension.
        #! softmax_then_log: log_p = logits.float().softmax(-1).log()
        #  The softmax underflows to 0 for an unlikely token, and the logarithm of 0 is infinite. log_softmax does both at once.
        #! small_number_added: log_p = (logits.float().softmax(-1) + 1e-9).log()
        #! small_number_added: log_p = logits.float().softmax(-1).clamp(min=1e-9).log()
        #! small_number_added: log_p = (logits.float().softmax(-1) + 1e-8).log()
        #! small_number_added: log_p = (logits.float().softmax(-1) + 1e-10).log()
        #! small_number_added: log_p = logits.float().softmax(-1).clamp(min=1e-12).log()
        #  A small number is added before the logarithm, so that no loss is above about 20. An unlikely token has a larger one.
        #! in_half: log_p = logits.log_softmax(-1)
        #! in_half: log_p = logits.log_softmax(-1).float()
        #  The log-softmax is computed in the logits' own half precision. `.float()` belongs before it.
        #! logits_not_normalised: log_p = logits.float()
        #  The logits themselves are taken for logarithms of probabilities: there is no softmax.
        #! probabilities: log_p = logits.float().softmax(-1)
        #  It takes the probability itself: the logarithm is missing.
        #! softmax_over_places: log_p = logits.float().log_softmax(0)
        #  The softmax runs over the places of the piece. It runs over the vocabulary, the last dimension.
        #! bits: log_p = logits.float().log_softmax(-1) / torch.log(torch.tensor(2.0))
        #  The losses are in bits, log to the base 2. Wanted is the natural logarithm.
        #! float64: log_p = logits.double().log_softmax(-1)
        #  The losses are float64. float32 is wanted.
        loss = -log_p.gather(1, y[:, None])[:, 0]
        #: The loss is -ln p of the token that came: `-log_p.gather(1, y[:, None])[:, 0]`, one for each token.
        #! sign: loss = log_p.gather(1, y[:, None])[:, 0]
        #  The sign is wrong: these are logarithms of probabilities, below 0.
        #! likeliest: loss = -log_p.amax(-1)
        #  It takes the loss of the likeliest token, not of the one that came.
        #! mean_of_the_piece: loss = (-log_p.gather(1, y[:, None])[:, 0]).mean()[None]
        #  The losses of a piece are averaged. Each token has its own.
        #! perplexity: loss = (-log_p.gather(1, y[:, None])[:, 0]).exp()
        #  These are perplexities, e to the loss.
        #! all_tokens: loss = -log_p.mean(-1)
        #! all_tokens: loss = -log_p.sum(-1)
        #  It mixes the losses of all tokens of the vocabulary. Pick out the one that came.
        #! a_column: loss = -log_p.gather(1, y[:, None])
        #  The shape is (T - 1, 1). One number for each token is wanted, (T - 1,).
        losses.append(loss)
    return torch.cat(losses)
    #: Return `torch.cat(losses)`: (T - 1,), float32.
    #! mean_returned: return torch.cat(losses).mean()
    #  It returns the mean over all tokens. Wanted is each token's own loss.
    #! sum_returned: return torch.cat(losses).sum()
    #  It returns the sum over all tokens. Wanted is each token's own loss.
    #! last_piece_returned: return loss
    #  It returns the losses of the last piece only.
    #! list_of_pieces: return losses
    #  It returns a list of pieces. `torch.cat` makes one tensor of them.
    #! batch_kept: return torch.cat(losses)[None]
    #  The shape is (1, T - 1). It is (T - 1,).
    #! running_mean: return torch.cat(losses).cumsum(0) / torch.arange(1, ids.shape[1])
    #  It returns the mean up to each token. Wanted is the token's own loss.
    #! zero_in_front: return torch.cat([torch.zeros(1), *losses])
    #  There is a loss for the first token, too. Nothing stands before it, so nothing is asked about it.
    #! a_list_of_numbers: return torch.cat(losses).tolist()
    #  It returns a list of numbers. A tensor is wanted.
    #! no_return: pass
    #  The losses are computed and then forgotten: there is no `return`.


def with_gradients(model: Any, ids: Tensor, chunk: int = 256) -> Tensor:
    caches = model.new_caches(1, ids.shape[1])
    #: Keep `@torch.no_grad()` above the function, or write `with torch.no_grad():`.
    #! gradients_on: …
    #  Gradients are computed while it reads. A long text then takes many times the model's memory.
    losses = []
    for x, y in zip(ids[:, :-1].split(chunk, 1), ids[0, 1:].split(chunk), strict=True):
        losses.append(-model(x, caches)[0].float().log_softmax(-1).gather(1, y[:, None])[:, 0])
    return torch.cat(losses)
    #: Without gradients nothing has to be detached: `@torch.no_grad()` above the function.
    #! detached_at_the_end: return torch.cat(losses).detach()
    #  The result is detached, but while it reads, gradients are on and all is kept for them. `@torch.no_grad()` above the function turns them off.


@torch.no_grad()
def caches_in_the_loop(model: Any, ids: Tensor, chunk: int = 256) -> Tensor:
    caches = model.new_caches(1, ids.shape[1])
    #: One set of caches before the loop, for the whole text: `model.new_caches(1, ids.shape[1])`.
    #! new_caches_each_piece: pass
    losses = []
    for x, y in zip(ids[:, :-1].split(chunk, 1), ids[0, 1:].split(chunk), strict=True):
        rows = model(x, caches)[0].float().log_softmax(-1)
        #!+ new_caches_each_piece: rows = model(x, model.new_caches(1, ids.shape[1]))[0].float().log_softmax(-1)
        losses.append(-rows.gather(1, y[:, None])[:, 0])
    return torch.cat(losses)


MISTAKES: list[Mistake] = mistakes_of(token_losses, with_gradients, caches_in_the_loop)
