"""Lab 14, 14.6: rewind, and what people write in place of its lines."""

from typing import Any

import torch

from checks.engine import Mistake, mistakes_of


def rewind(caches: list[Any], length: int) -> None:
    layers = list(caches)
    #: `for cache in caches`: every layer has a cache of its own.
    #! first_layer_only: layers = caches[:1]
    #  Only the first layer is taken back. All others still hold the rejected drafts.
    #! last_layer_only: layers = caches[-1:]
    #  Only the last layer is taken back.
    #! without_the_first: layers = caches[1:]
    #  The first layer is not taken back.
    for cache in layers:
        if not 0 <= length <= cache.length:
            #: `if not 0 <= length <= cache.length: raise ValueError(…)`
            #! nothing_refused: if False:
            #  It refuses nothing. A length above what is there would count slots that were never written.
            #! negative_accepted: if length > cache.length:
            #  A negative length is accepted.
            #! quietly_less: if length < 0:
            #  A length above what is there is cut down to it in silence. ValueError is asked for.
            #! more_accepted: if length < 0:
            #! more_accepted: if not 0 <= length <= cache.keys.shape[2]:
            #  A length above what is there is accepted: it would count slots that were never written.
            #! same_refused: if not 0 <= length < cache.length:
            #  Going back to where it stands is refused. Nothing has to be forgotten then, and that is no error.
            #! zero_refused: if not 0 < length <= cache.length:
            #  Going back to 0 is refused. Then everything is forgotten.
            raise ValueError(length)
            #: `raise ValueError("…")`
            #! silently: return
            #! silently: continue
            #! silently: return ValueError(length)
            #  A wrong length is passed over in silence. ValueError is asked for.
            #! clamped: length = min(max(length, 0), cache.length)
            #! clamped: length = min(length, cache.length)
            #  A wrong length is put right in silence. ValueError is asked for.
            #! another_error: raise IndexError(length)
            #! another_error: raise RuntimeError(length)
            #! another_error: raise AssertionError(length)
            #  It raises another error than ValueError.
        cache.length = length
        #!+ quietly_less: cache.length = min(length, cache.length)
        #: `cache.length = length`
        #! one_more: cache.length = min(length + 1, cache.length)
        #  One position too many is kept.
        #! one_less: cache.length = max(length - 1, 0)
        #  One position too few is kept.
        #! so_many_forgotten: cache.length -= length
        #! so_many_forgotten: cache.length = cache.length - length
        #  It forgets `length` positions. `length` of them are to be left.
        #! nothing_happens: pass
        #  Nothing is forgotten.
        #! emptied: cache.length = 0
        #  Everything is forgotten. `length` positions stay.
        #! all_cleared: cache.length = length; cache.keys.zero_(); cache.values.zero_()
        #! all_cleared: cache.length = length; cache.keys = torch.zeros_like(cache.keys); cache.values = torch.zeros_like(cache.values)
        #  The keys and values that are kept are set to zero too.
        #! wrong_axis: cache.length = length; cache.keys[:, length:] = 0; cache.values[:, length:] = 0; cache.keys[:, :, :, length:] = 0
        #  It clears along another axis than that of the positions, and damages what is kept.
        #! cut_short: cache.length = length; cache.keys = cache.keys[:, :, :length]; cache.values = cache.values[:, :, :length]
        #  The buffers are cut short, and there is no room left for what comes. Only `length` has to change. [huggingface/transformers#30312]
        #! end_kept: cache.keys = cache.keys.roll(length - cache.length, 2); cache.values = cache.values.roll(length - cache.length, 2); cache.length = length
        #  The last positions are kept in place of the first.
        #! first_layer_only: cache.length = length; return
        #  Only the first layer is taken back. All others still hold the rejected drafts.


MISTAKES: list[Mistake] = mistakes_of(rewind)
