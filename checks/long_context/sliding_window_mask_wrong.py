"""Lab 13, 13.4: sliding_window_mask, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of


def sliding_window_mask(n_queries: int, n_keys: int, window: int, n_sinks: int = 0) -> Tensor:
    if window < 1:
        #: `if window < 1: raise ValueError(…)`
        #! no_error: if False:
        #  A window of 0 is taken, and nobody sees anything. The softmax of that is NaN.
        #! one_refused: if window <= 1:
        #  It refuses a window of 1, too. A query that sees only itself is allowed.
        #! negative_only: if window < 0:
        #  It refuses a negative window only. With 0 a query does not even see itself.
        #! sinks_excuse: if window < 1 and not n_sinks:
        #  With sinks it takes a window of 0. A query has to see itself.
        #! long_window_refused: if window < 1 or window > n_keys:
        #  It refuses a window that is longer than the text. Then everything before is seen.
        raise ValueError("a query has to see at least itself")
        #: `raise ValueError(…)`
        #! assertion: raise AssertionError("window")
        #  It uses `assert` where the docstring promises a ValueError.
        #! error_returned: return None
        #! error_returned: return ValueError("window")
        #  The error is returned, or nothing is. An error is raised.
        #! window_raised: window = 1
        #  A window below 1 is made 1, and nothing is said.
    first = n_keys - n_queries
    #: The queries are the last T positions: the first of them stands at S - T.
    #! top_left: first = 0
    #  It takes the queries for the FIRST positions. They are the last ones: a new token stands at the end.
    #! shifted_by_queries: first = n_queries
    #  The first query is put at T. It stands at S - T.
    #! shifted_back: first = n_queries - n_keys
    #  The shift goes to the wrong side: T - S in place of S - T.
    #! one_late: first = n_keys - n_queries + 1
    #  Each query stands one position too late, and sees the token that it has to predict.
    #! one_early: first = n_keys - n_queries - 1
    #  Each query stands one position too early, and does not see itself.
    query = torch.arange(first, first + n_queries)[:, None]
    key = torch.arange(n_keys)
    causal = key <= query
    #: `key <= query`: what comes later is never seen.
    #! not_causal: causal = key >= 0
    #  Nothing hides the future.
    #! does_not_see_itself: causal = key < query
    #  A query does not see itself. The window counts it.
    #! sees_the_future: causal = key >= query
    #  Each query sees the future in place of the past.
    near = key > query - window
    #: The last `window` positions, itself included: `key > query - window`.
    #! window_one_too_long: near = key >= query - window
    #! window_one_too_long: near = query - key <= window
    #  The window is one too long: `window` positions besides the query. Here it counts the query. [ml-explore/mlx-lm#390, huggingface/transformers#29623, vllm-project/vllm#3385]
    #! window_one_too_short: near = key > query - window + 1
    #! window_one_too_short: near = query - key < window - 1
    #  The window is one too short.
    #! no_window: near = key >= 0
    #  There is no window: everything before is seen.
    #! window_inverted: near = key < query - window
    #! window_inverted: near = key <= query - window
    #  It sees what is outside of the window, and hides what is in it.
    #! blocks: near = key // window == query // window
    #  It cuts the text into blocks, and each query sees its own block. A window slides: it ends at the query.
    #! half_window: near = key > query - (window + 1) // 2
    #  The window is half as long, as if it reached to both sides. It lies before the query.
    #! both_sides: causal = torch.ones(1, 1, dtype=torch.bool); near = (query - key).abs() < window
    #  The window reaches to both sides of the query. The future is not seen.
    #! window_from_the_end: near = key >= n_keys - window
    #  All queries see the same window, the end of the text. Each has its own.
    #! window_from_the_first_query: near = key > first - window
    #  The window is that of the first query, for all of them. Each has its own.
    #! window_from_the_top_left: near = key > query - first - window
    #  The window's edge goes through the corner of the rectangle: the queries are the last of the S positions, so it is shifted by S - T, as the diagonal is.
    #! last_windows_keys: near = key < window
    #  It sees the first `window` positions. The window is the last ones.
    sink = key < n_sinks
    #: The first n_sinks positions: `key < n_sinks`, `|` with the window.
    #! no_sinks: sink = key < 0
    #  The sinks are forgotten.
    #! one_sink_too_many: sink = key <= n_sinks
    #! one_sink_too_many: sink = key <= n_sinks if n_sinks else key < 0
    #  There is one sink too many: `<=` where `<` is meant.
    #! one_sink_too_few: sink = key < n_sinks - 1
    #  There is one sink too few.
    #! one_sink_always: sink = key < max(n_sinks, 1)
    #  The first position is a sink always. Without n_sinks there is none.
    #! sinks_upside_down: sink = key > n_sinks
    #! sinks_upside_down: sink = key >= n_sinks
    #  All but the first n_sinks positions are taken for sinks: the comparison is upside down.
    #! one_sink_only: sink = key < min(n_sinks, 1)
    #  Only the first position is a sink. There are n_sinks.
    #! sinks_at_the_end: sink = key >= n_keys - n_sinks
    #  The last positions are taken for sinks. Sinks are the first ones.
    #! sinks_not_for_the_first: sink = (key < n_sinks) & (query >= n_sinks)
    #  The sinks among the queries do not see the sinks before them.
    mask = causal & (near | sink)
    #: `causal & (near | sink)`: never the future; and of the past what is near or a sink.
    #! both_sides: mask = ((query - key).abs() < window) | (causal & sink)
    #! sinks_in_the_future: mask = (causal & near) | sink
    #  Sinks are seen by those who stand before them. Nobody sees the future.
    #! sinks_and: mask = causal & near & sink
    #  Near and sink are joined with `&`: only sinks in the window are seen.
    #! window_forgotten: mask = causal & sink
    #  Only the sinks are seen, not the window.
    #! causal_or: mask = causal | (near & sink)
    #  The conditions are joined with `|`: everything before is seen.
    #! sinks_taken_from_the_window: mask = causal & ((key > query - window + n_sinks) | sink)
    #! sinks_taken_from_the_window: mask = causal & ((key > query - max(window - n_sinks, 1)) | sink)
    #  The sinks are taken off the window. The window stays as long as it is.
    #! window_behind_the_sinks: mask = causal & ((key > query - window - n_sinks) | sink)
    #  The window is longer by n_sinks. Sinks come in addition, the window stays as it is.
    #! inverted: mask = ~(causal & (near | sink))
    #  True and False have changed places: it marks what a query may NOT see.
    #! all_allowed: mask = torch.ones(n_queries, n_keys, dtype=torch.bool)
    #  Everything is allowed.
    return mask
    #: Return (T, S), bool.
    #! transposed: return mask.T
    #  Rows and columns have changed places: a row belongs to a query.
    #! numbers: return mask.float()
    #! numbers: return mask.int()
    #! numbers: return mask.long()
    #  It is made of numbers 1 and 0. A mask is bool.
    #! bias: return torch.zeros(mask.shape).masked_fill(~mask, -torch.inf)
    #  It is a bias of 0 and -inf to add to the scores. Here a mask is bool.
    #! square: return torch.ones(n_keys, n_keys, dtype=torch.bool).tril()
    #  It is (S, S). There is a row for each query, T of them.
    #! batch_dimensions: return mask[None, None]
    #! batch_dimensions: return mask[None]
    #  It has extra dimensions in front. (T, S) is wanted.
    #! row_lost: return mask.squeeze(0)
    #  For a single query the dimension of the queries is gone.
    #! lists: return mask.tolist()
    #  It is a list of lists. A tensor is wanted.
    #! no_return: pass
    #  The mask is made and then forgotten: there is no `return`.


MISTAKES: list[Mistake] = mistakes_of(sliding_window_mask)
