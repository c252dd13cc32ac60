"""Lab 04, 4.1: what people write for causal_mask.

Sources are the public issues in which somebody really made the mistake.
"""

import torch
from torch import Tensor

from checks.engine import Mistake


def lower(n_queries: int, n_keys: int, diagonal: int) -> Tensor:
    """(T, S) bool, True on and below a diagonal; ValueError for T > S."""
    if n_queries > n_keys:
        raise ValueError("more queries than keys")
    return torch.ones(n_queries, n_keys, dtype=torch.bool).tril(diagonal)


def unchecked(t: int, s: int) -> Tensor:
    """The right mask, without the ValueError."""
    return torch.ones(t, s, dtype=torch.bool).tril(s - t)


def _asserted(t: int, s: int) -> Tensor:
    assert t <= s
    return unchecked(t, s)


ALIGN = "Query row 0 stands at position S - T: `tril(diagonal=S - T)`."
BOOL = "Compare positions, `key <= query`, or call `.bool()`."
CAUSAL_MASK = [
    Mistake(
        "fixed_size",
        lambda t, s: lower(64, 64, 0)[s - t : s, :s] if t <= s else lower(t, s, 0),
        "It cuts a mask of a fixed size, and the text is longer.",
        "Make the mask for the T and S of this call.",
    ),
    Mistake(
        "top_left",
        lambda t, s: lower(t, s, 0),
        "It takes the queries for the FIRST positions. With a cache they are the last ones: a "
        "single new token would see only key 0.",
        ALIGN,
        "pytorch/pytorch#108108, Dao-AILab/flash-attention#517",
    ),
    Mistake(
        "sees_one_ahead",
        lambda t, s: lower(t, s, s - t + 1),
        "A query sees the token after it, which is the one that it has to predict.",
        "The diagonal is off by one: a query sees itself and what is before it.",
        "RVC-Boss/GPT-SoVITS#965",
    ),
    Mistake(
        "does_not_see_itself",
        lambda t, s: lower(t, s, s - t - 1),
        "A query does not see itself. The first of all positions then sees nothing.",
        "`key <= query`: less OR equal.",
        "trymirai/lalamo#273",
    ),
    Mistake(
        "inverted",
        lambda t, s: ~lower(t, s, s - t),
        "True and False have changed places: it marks what a query may NOT see.",
        "In this course, as in F.scaled_dot_product_attention, True means: may look. "
        "(nn.MultiheadAttention has it the other way round.)",
    ),
    Mistake(
        "sees_the_future",
        lambda t, s: lower(t, s, s) & ~lower(t, s, s - t - 1),
        "Each query sees itself and the future, and nothing of the past.",
        "`tril` keeps the lower triangle, `triu` the upper one.",
    ),
    Mistake(
        "not_causal",
        lambda t, s: lower(t, s, s),
        "Everything is allowed. Nothing hides the future.",
        "A query at position m may see the keys at positions up to m.",
        "huggingface/transformers#48745",
    ),
    Mistake(
        "only_itself",
        lambda t, s: lower(t, s, s - t) & ~lower(t, s, s - t - 1),
        "Each query sees itself and nothing else.",
        "It sees everything before it as well: `key <= query`.",
    ),
    Mistake(
        "no_mask_for_chunks",
        lambda t, s: lower(t, s, 0 if t == s else s),
        "When there are more keys than queries it allows everything. A chunk of two or more "
        "queries then sees its own future.",
        ALIGN,
        "mlx-node/mlx-node#24",
    ),
    Mistake(
        "wrong_diagonal",
        lambda t, s: lower(t, s, t - s),
        "The diagonal is shifted to the wrong side: T - S instead of S - T.",
        ALIGN,
    ),
    Mistake(
        "ends_too_early",
        lambda t, s: lower(t, s, s - t) & (torch.arange(s) < max(t, 1)),
        "No query sees a key behind position T - 1. There are S keys.",
        "The columns are the S key positions: `torch.arange(n_keys)`.",
    ),
    Mistake(
        "square_of_keys",
        lambda t, s: lower(s, s, 0),
        "It is (S, S): one row for every position, not one for every query.",
        "The queries are the last T rows of that square: `[-T:]`, or `[S - T:]`.",
    ),
    Mistake(
        "square_of_queries",
        lambda t, s: lower(t, t, 0),
        "It is (T, T). The queries also look at keys that came before all of them.",
        "The columns are the S key positions.",
        "rasbt/LLMs-from-scratch#697",
    ),
    Mistake(
        "transposed",
        lambda t, s: lower(t, s, s - t).T,
        "Rows and columns have changed places: a row belongs to a query, a column to a key.",
        "`key[None, :] <= query[:, None]`",
    ),
    Mistake(
        "arguments_swapped",
        lambda t, s: unchecked(s, t) if t <= s else lower(t, s, 0),
        "n_queries and n_keys have changed places.",
        "The signature is (n_queries, n_keys), and the mask is (T, S).",
    ),
    Mistake(
        "row_without_queries",
        lambda t, s: lower(t, s, s - t).squeeze(0),
        "For a single query it is (S,), without the dimension of the queries.",
        "(T, S) also when T is 1: no `.squeeze()`.",
    ),
    Mistake(
        "ones_and_zeros",
        lambda t, s: lower(t, s, s - t).float(),
        "It is made of numbers 1 and 0. A mask is bool.",
        BOOL,
    ),
    Mistake(
        "integers",
        lambda t, s: lower(t, s, s - t).long(),
        "It is made of integers. A mask is bool: `~mask` of an integer is no mask.",
        BOOL,
    ),
    Mistake(
        "bias_not_bool",
        lambda t, s: torch.zeros(t, s).masked_fill(~lower(t, s, s - t), -torch.inf),
        "It is a bias of 0 and -inf to add to the scores. Here a mask is bool.",
        "attention_weights does the filling; return True where a query may look.",
    ),
    Mistake(
        "batch_dimensions",
        lambda t, s: lower(t, s, s - t)[None, None],
        "It has extra dimensions in front. (T, S) broadcasts to every batch and head by itself.",
        "Return the (T, S) matrix.",
    ),
    Mistake(
        "no_error",
        unchecked,
        "With more queries than keys it returns a mask whose first rows see nothing.",
        "`if n_queries > n_keys: raise ValueError(…)`",
        "pytorch/pytorch#41508, skyzh/tiny-llm PR#287",
    ),
    Mistake(
        "assert_not_raise",
        _asserted,
        "It uses `assert` for T > S. The docstring promises a ValueError, and `python -O` drops "
        "asserts.",
        "`if n_queries > n_keys: raise ValueError(…)`",
    ),
]
