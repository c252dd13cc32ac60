"""Lab 14, 14.8: speedup, and what people write in place of its lines."""

from checks.engine import Mistake, mistakes_of
from checks.speculative.expected_tokens_wrong import expected_tokens


def speedup(alpha: float, n_draft: int, draft_cost: float, verify_cost: float = 1.0) -> float:
    tokens = expected_tokens(alpha, n_draft)
    #: `expected_tokens(alpha, n_draft)`
    #! drafts_only: tokens = n_draft * alpha
    #  It counts n_draft · alpha tokens. Use expected_tokens.
    #! each_by_itself: tokens = 1 + n_draft * alpha
    #  It counts 1 + n_draft · alpha tokens. Behind a rejected draft nothing counts: use expected_tokens.
    #! without_the_target_s: tokens = expected_tokens(alpha, n_draft) - 1
    #  It leaves out the token that the target adds in each call.
    #! all_drafts: tokens = n_draft + 1
    #  It counts all drafts as accepted.
    #! one_draft_fewer: tokens = expected_tokens(alpha, max(n_draft - 1, 0))
    #  It asks expected_tokens for one draft fewer.
    #! one_draft_more: tokens = expected_tokens(alpha, n_draft + 1)
    #  It asks expected_tokens for one draft more. The free token is in it already.
    #! arguments_swapped: tokens = expected_tokens(n_draft, round(alpha))
    #  The arguments of expected_tokens are swapped.
    cost = n_draft * draft_cost + verify_cost
    #: `n_draft * draft_cost + verify_cost`
    #! one_draft_s_cost: cost = draft_cost + verify_cost
    #  It counts the cost of one drafted token. There are n_draft of them.
    #! draft_for_nothing: cost = verify_cost
    #  The drafts cost nothing in it.
    #! target_for_nothing: cost = n_draft * draft_cost or 1.0
    #  The target's call costs nothing in it.
    #! one_draft_more_paid: cost = (n_draft + 1) * draft_cost + verify_cost
    #  It pays for n_draft + 1 drafted tokens.
    #! verify_each: cost = n_draft * (draft_cost + verify_cost)
    #! verify_each: cost = n_draft * draft_cost + (n_draft + 1) * verify_cost
    #  verify_cost is paid for each token. One call checks all of them.
    #! verify_cost_ignored: cost = n_draft * draft_cost + 1
    #  verify_cost makes no difference.
    #! verify_cost_multiplied: cost = n_draft * draft_cost * verify_cost + 1
    #! verify_cost_multiplied: cost = (n_draft * draft_cost + 1) * verify_cost
    #  The drafts' cost is multiplied by verify_cost. It is added.
    #! target_s_token_too: cost = n_draft * draft_cost + verify_cost + 1
    #  It pays 1 more. verify_cost is all that the target's call costs.
    #! accepted_drafts_paid: cost = (expected_tokens(alpha, n_draft) - 1) * draft_cost + verify_cost
    #  It pays for the accepted drafts only. The rejected ones were computed, too.
    #! costs_added: cost = n_draft + draft_cost + verify_cost
    #  It adds n_draft and draft_cost. Each of the n_draft tokens costs draft_cost: multiply.
    #! divided_by_the_draft_s_cost: cost = n_draft / (draft_cost or 1.0) + verify_cost
    #  It divides n_draft by draft_cost. Each of the n_draft tokens costs draft_cost: multiply.
    #! cost_squared: cost = n_draft * draft_cost**2 + verify_cost
    #  draft_cost is squared.
    #! target_s_cost_subtracted: cost = n_draft * draft_cost - verify_cost or 1.0
    #  verify_cost is subtracted. It is paid as well.
    #! negative_cost: cost = verify_cost - n_draft * draft_cost or 1.0
    #  The drafts' cost is subtracted.
    return tokens / cost
    #: Tokens over cost: the target alone gives 1 token for a cost of 1.
    #! upside_down: return cost / tokens if tokens else 0.0
    #  It is upside down: cost over tokens.
    #! difference: return tokens - cost
    #  It subtracts the cost. Tokens are divided by it.
    #! product: return tokens * cost
    #  It multiplies by the cost. Tokens are divided by it.
    #! gain: return tokens / cost - 1
    #  It gives what is gained, 1.4 for 2.4 times. How many times faster is asked for.
    #! per_cent: return 100 * tokens / cost
    #  It gives per cent.
    #! whole_numbers: return tokens // cost
    #  It is rounded down to a whole number: `//`.
    #! rounded: return round(tokens / cost, 2)
    #! rounded: return round(tokens / cost, 1)
    #  It is rounded.
    #! never_below_one: return max(tokens / cost, 1.0)
    #  It never goes below 1. Bad drafts do make it slower, and that has to be seen.
    #! brackets_left_out: return tokens / (n_draft * draft_cost) + verify_cost
    #! brackets_left_out: return tokens / n_draft * draft_cost + verify_cost
    #  The brackets around the sum are left out: only the drafts' cost divides, and verify_cost is added to the quotient.
    #! per_draft: return tokens / cost / max(n_draft, 1)
    #  It is divided by n_draft once more.


MISTAKES: list[Mistake] = mistakes_of(speedup)
