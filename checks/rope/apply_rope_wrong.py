"""Lab 03, 3.5: what people write for apply_rope: all that is wrong where neighbours make a pair."""

from checks.engine import Mistake, mistakes_of
from checks.rope.rotation_wrong import OF_HALVES, rotation, with_partners

MISTAKES: list[Mistake] = [
    mistake for mistake in mistakes_of(rotation, with_partners) if mistake.key not in OF_HALVES
]
