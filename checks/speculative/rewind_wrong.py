"""Lab 14, 14.6: rewind, and what people write in place of its lines."""

from typing import Any

import torch

from checks.engine import Mistake, mistakes_of


def rewind(caches: list[Any], length: int) -> None:
    #: `for cache in caches`: every layer has a cache of its own.
    #! first_layer_only: caches = caches[:1]; …
    #  Only the first layer is taken back. All others still hold the rejected drafts.
    #! last_layer_only: caches = caches[-1:]; …
    #  Only the last layer is taken back.
    #! without_the_first: caches = caches[1:]; …
    #  The first layer is not taken back.
    #! new_caches: caches = [type(cache)(1, cache.keys.shape[2]) for cache in caches]; …
    #  New caches are made and taken back; the caller's stay as they are.
    #: `if not 0 <= length <= cache.length: raise ValueError(…)`
    #! checked_too_late: old = [cache.length for cache in caches]; …; [setattr(cache, "length", length) for cache, was in zip(caches, old) if length > was]
    #  The lengths are changed although it refuses.
    for cache in caches:
        if not 0 <= length <= cache.length:
            #! nothing_refused: if False:
            #  It refuses nothing. A length above what is there would count slots that were never written.
            #! negative_accepted: if length > cache.length:
            #  A negative length is accepted.
            #! more_accepted: if length < 0:
            #! more_accepted: if not 0 <= length <= cache.keys.shape[2]:
            #  A length above what is there is accepted: it would count slots that were never written.
            #! same_refused: if not 0 <= length < cache.length:
            #  Going back to where it stands is refused. Nothing has to be forgotten then, and that is no error.
            #! zero_refused: if not 0 < length <= cache.length:
            #  Going back to 0 is refused. Then everything is forgotten.
            #: `raise ValueError("…")`
            #! silently: return
            #  A wrong length is passed over in silence. ValueError is asked for.
            #! clamped: length = min(max(length, 0), cache.length)
            #  A wrong length is put right in silence. ValueError is asked for.
            #! another_error: raise IndexError(length)
            #! another_error: raise RuntimeError(length)
            #! another_error: raise AssertionError(length)
            #  It raises another error than ValueError.
            #! returned_error: return ValueError(length)
            #  It returns the error. `raise` it.
            raise ValueError(length)
        cache.length = length
        #: `cache.length = length`
        #! one_more: cache.length = min(length + 1, cache.length)
        #  One position too many is kept. [huggingface/transformers#45745]
        #! one_less: cache.length = max(length - 1, 0)
        #  One position too few is kept.
        #! so_many_forgotten: cache.length -= length
        #! so_many_forgotten: cache.length = cache.length - length
        #  It forgets `length` positions. `length` of them are to be left.
        #! nothing_happens: pass
        #  Nothing is forgotten.
        #! variable_only: n = cache.length; n = length
        #  It changes a variable of its own, not the cache.
        #! emptied: cache.length = 0
        #  Everything is forgotten. `length` positions stay.
        #! cleared_but_counted: cache.keys[:, :, length:] = 0; cache.values[:, :, length:] = 0
        #  The forgotten keys and values are set to zero, but they still count: `length` stays as it was.
        #! all_cleared: cache.length = length; cache.keys.zero_(); cache.values.zero_()
        #! all_cleared: cache.length = length; cache.keys = torch.zeros_like(cache.keys); cache.values = torch.zeros_like(cache.values)
        #  The keys and values that are kept are set to zero too.
        #! wrong_axis: cache.length = length; cache.keys[:, length:] = 0; cache.values[:, length:] = 0; cache.keys[:, :, :, length:] = 0
        #  It clears along another axis than that of the positions, and damages what is kept.
        #! cut_short: cache.length = length; cache.keys = cache.keys[:, :, :length]; cache.values = cache.values[:, :, :length]
        #  The buffers are cut short, and there is no room left for what comes. Only `length` has to change. [huggingface/transformers#30312]
        #! end_kept: cache.keys = cache.keys.roll(length - cache.length, 2); cache.values = cache.values.roll(length - cache.length, 2); cache.length = length
        #  The last positions are kept in place of the first.
        #! first_layer_returns: cache.length = length; return
        #  It returns inside the loop, after the first layer.


MISTAKES: list[Mistake] = mistakes_of(rewind)
