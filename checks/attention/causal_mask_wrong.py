"""Lab 04, 4.1: causal_mask, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of


def causal_mask(n_queries: int, n_keys: int) -> Tensor:
    if n_queries > n_keys:
        #: The queries are the last T rows of that square: `[-T:]`, or `[S - T:]`.
        #! square_of_keys: if False:
        #: The columns are the S key positions.
        #! square_of_queries: if False:
        #: `if n_queries > n_keys: raise ValueError(…)`
        #! no_error: if False:
        #  With more queries than keys it returns a mask whose first rows see nothing. [pytorch/pytorch#41508, skyzh/tiny-llm PR#287]
        #! refuses_square: if n_queries >= n_keys:
        #  It refuses as many queries as keys, too. That is training: every token asks.
        #! refuses_single: if n_queries > n_keys or n_queries == 1:
        #  It refuses a single query. That is a model that writes: one new token asks.
        #: `if n_queries > n_keys:`, T > S.
        #! error_the_wrong_way_round: if n_queries < n_keys:
        #! error_the_wrong_way_round: if n_queries <= n_keys:
        #! error_the_wrong_way_round: if n_queries != n_keys:
        #  It refuses fewer queries than keys. When a model writes, that is the ordinary case.
        raise ValueError(f"{n_queries} queries, but only {n_keys} positions")
        #: `if n_queries > n_keys: raise ValueError(…)`
        #! assert_not_raise: assert n_queries <= n_keys
        #  It uses `assert` for T > S. The docstring promises a ValueError, and `python -O` drops asserts.
        #! error_returned: return ValueError("more queries than keys")
        #! error_returned: return None
        #! error_returned: return "more queries than keys"
        #  It returns the error, or something else in its place. An error is raised: who called must not go on.
        #! other_error: raise IndexError("more queries than keys")
        #  Another error is raised for T > S than the ValueError that the docstring promises.
        #! queries_cut_silently: n_queries = n_keys
        #  For T > S it leaves queries out, and says nothing. Who called gets fewer rows than asked for.
        #! keys_added_silently: n_keys = n_queries
        #  For T > S it makes up keys that are not there, and says nothing.
    first = n_keys - n_queries
    #: Query row 0 stands at position S - T: `tril(diagonal=S - T)`.
    #! top_left: first = 0
    #  It takes the queries for the FIRST positions. With a cache they are the last ones: a single new token would see only key 0.
    #  [pytorch/pytorch#108108, Dao-AILab/flash-attention#517]
    #! wrong_diagonal: first = n_queries - n_keys
    #  The diagonal is shifted to the wrong side: T - S instead of S - T.
    #! no_mask_for_chunks: first = 0 if n_queries == n_keys else n_keys
    #  When there are more keys than queries it allows everything. A chunk of two or more queries then sees its own future. [mlx-node/mlx-node#24]
    #! shifted_by_queries: first = n_queries
    #  The diagonal is shifted by T. The number of keys before the queries is S - T.
    #: The signature is (n_queries, n_keys), and the mask is (T, S).
    #! arguments_swapped: n_queries, n_keys = n_keys, n_queries; …
    #  n_queries and n_keys have changed places.
    #: The diagonal is off by one: a query sees itself and what is before it.
    #! sees_one_ahead: first = n_keys - n_queries + 1
    #: `key <= query`: less OR equal.
    #! does_not_see_itself: first = n_keys - n_queries - 1
    query = torch.arange(first, first + n_queries)
    key = torch.arange(n_keys)
    #: The columns are the S key positions: `torch.arange(n_keys)`.
    #! ends_too_early: key = torch.arange(n_keys); key[max(n_queries, 1) :] = n_keys
    #  No query sees a key behind position T - 1. There are S keys.
    #: `key <= query`: less OR equal.
    #! does_not_see_itself: key = torch.arange(1, n_keys + 1)
    mask = key <= query[:, None]
    #: A query sees everything before it: `key <= query`.
    #! window: mask = (key <= query[:, None]) & (key >= query[:, None] - first)
    #  Each row sees S - T + 1 keys only, a window that moves along: the first keys are hidden from the later rows.
    #: The diagonal is off by one: a query sees itself and what is before it.
    #! sees_one_ahead: mask = key <= query[:, None] + 1
    #  A query sees the token after it, which is the one that it has to predict. [RVC-Boss/GPT-SoVITS#965]
    #: `key <= query`: less OR equal.
    #! does_not_see_itself: mask = key < query[:, None]
    #  A query does not see itself. The first of all positions then sees nothing. [trymirai/lalamo#273]
    #: In this course, as in F.scaled_dot_product_attention, True means: may look. (nn.MultiheadAttention has it the other way round.)
    #! inverted: mask = key > query[:, None]
    #  True and False have changed places: it marks what a query may NOT see.
    #: `tril` keeps the lower triangle, `triu` the upper one.
    #! sees_the_future: mask = key >= query[:, None]
    #  Each query sees itself and the future, and nothing of the past.
    #: A query at position m may see the keys at positions up to m.
    #! not_causal: mask = torch.ones(n_queries, n_keys, dtype=torch.bool)
    #  Everything is allowed. Nothing hides the future. [huggingface/transformers#48745]
    #! nothing_allowed: mask = torch.zeros(n_queries, n_keys, dtype=torch.bool)
    #  Nothing is allowed: every query is blind.
    #: It sees everything before it as well: `key <= query`.
    #! only_itself: mask = key == query[:, None]
    #  Each query sees itself and nothing else.
    #! only_the_first: mask = key + 0 * query[:, None] == 0
    #  Each query sees key 0 and nothing else.
    #: `first = n_keys - n_queries` for the rows; the columns begin at 0.
    #! past_hidden: mask = (key <= query[:, None]) & (key >= first)
    #  The queries see each other but not the keys that came before all of them. [rasbt/LLMs-from-scratch#697]
    #: Each query has a row of its own.
    #! one_row_for_all: mask = (key <= query[:1, None]).expand(n_queries, -1)
    #  All rows are the same. Each query stands at another position and sees more than the last.
    #: Make the mask for the T and S of this call.
    #! fixed_size: mask = torch.ones(64, 64, dtype=torch.bool).tril()[n_keys - n_queries : n_keys, :n_keys]
    #! fixed_size: mask = torch.ones(128, 128, dtype=torch.bool).tril()[n_keys - n_queries : n_keys, :n_keys]
    #! fixed_size: mask = torch.ones(32, 32, dtype=torch.bool).tril()[n_keys - n_queries : n_keys, :n_keys]
    #! fixed_size: mask = torch.ones(100, 100, dtype=torch.bool).tril()[n_keys - n_queries : n_keys, :n_keys]
    #  It cuts a mask of a fixed size, and the text is longer.
    #: The queries are the last T rows of that square: `[-T:]`, or `[S - T:]`.
    #!+ square_of_keys: mask = torch.ones(n_keys, n_keys, dtype=torch.bool).tril()
    #! square_of_keys: mask = torch.ones(n_keys, n_keys, dtype=torch.bool).tril()
    #  It is (S, S): one row for every position, not one for every query.
    #: The columns are the S key positions.
    #!+ square_of_queries: mask = torch.ones(n_queries, n_queries, dtype=torch.bool).tril()
    #! square_of_queries: mask = torch.ones(n_queries, n_queries, dtype=torch.bool).tril()
    #  It is (T, T). The queries also look at keys that came before all of them. [rasbt/LLMs-from-scratch#697]
    return mask
    #: `key[None, :] <= query[:, None]`
    #! transposed: return mask.T
    #  Rows and columns have changed places: a row belongs to a query, a column to a key.
    #: (T, S) also when T is 1: no `.squeeze()`.
    #! row_without_queries: return mask.squeeze(0)
    #! row_without_queries: return mask.squeeze()
    #  For a single query it is (S,), without the dimension of the queries.
    #: Compare positions, `key <= query`, or call `.bool()`.
    #! ones_and_zeros: return mask.float()
    #! ones_and_zeros: return mask.double()
    #! ones_and_zeros: return mask.half()
    #  It is made of numbers 1 and 0. A mask is bool.
    #! integers: return mask.long()
    #! integers: return mask.int()
    #! integers: return mask.byte()
    #  It is made of integers. A mask is bool: `~mask` of an integer is no mask.
    #! hidden_as_ones: return (~mask).float()
    #! hidden_as_ones: return (~mask).int()
    #! hidden_as_ones: return (~mask).long()
    #  It is made of numbers, and a 1 stands where a query may NOT look. A mask is bool, and True means: may look.
    #: Query row 0 stands at position S - T: `.tril(S - T)`; then `.bool()`.
    #! plain_tril: return torch.ones(n_queries, n_keys).tril()
    #! plain_tril: return torch.ones(n_queries, n_keys, dtype=torch.long).tril()
    #! plain_tril: return torch.ones(n_queries, n_keys, dtype=torch.int).tril()
    #  It is made of numbers, and it takes the queries for the FIRST positions. A mask is bool, and the queries are the last ones.
    #: Compare positions, `key <= query`, or call `.bool()`.
    #! list_not_tensor: return mask.tolist()
    #  It is a list of lists. A mask is a tensor: `torch.tensor(rows)`.
    #: attention_weights does the filling; return True where a query may look.
    #! bias_not_bool: return torch.zeros(mask.shape).masked_fill(~mask, -torch.inf)
    #! bias_not_bool: return torch.ones(mask.shape).masked_fill(~mask, -torch.inf)
    #! bias_not_bool: return torch.zeros(mask.shape).masked_fill(~mask, -1e9)
    #  It is a bias of 0 and -inf to add to the scores. Here a mask is bool.
    #: Return the (T, S) matrix.
    #! batch_dimensions: return mask[None, None]
    #! batch_dimensions: return mask[None]
    #  It has extra dimensions in front. (T, S) broadcasts to every batch and head by itself.
    #: `return mask`
    #! no_return: mask
    #  The mask is made and then forgotten: there is no `return`.


MISTAKES: list[Mistake] = mistakes_of(causal_mask)
