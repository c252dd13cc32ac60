"""Lab 14: one `Check` per exercise."""

from checks.speculative.accept_probability import accept_probability
from checks.speculative.count_accepted import count_accepted
from checks.speculative.expected_tokens import expected_tokens
from checks.speculative.lookup_draft import lookup_draft
from checks.speculative.residual_distribution import residual_distribution
from checks.speculative.rewind import rewind
from checks.speculative.speculative_generate import speculative_generate
from checks.speculative.speedup import speedup
from checks.speculative.verify import verify

__all__ = [
    "accept_probability",
    "count_accepted",
    "expected_tokens",
    "lookup_draft",
    "residual_distribution",
    "rewind",
    "speculative_generate",
    "speedup",
    "verify",
]
