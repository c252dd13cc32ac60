"""Lab 03: one `Check` per exercise."""

from checks.rope.apply_rope import apply_rope
from checks.rope.apply_rope_complex import apply_rope_complex
from checks.rope.apply_rope_half import apply_rope_half
from checks.rope.interleaved_to_half import interleaved_to_half
from checks.rope.rope_angles import rope_angles
from checks.rope.rope_frequencies import rope_frequencies
from checks.rope.rotate_2d import rotate_2d
from checks.rope.sinusoidal_positions import sinusoidal_positions

__all__ = [
    "apply_rope",
    "apply_rope_complex",
    "apply_rope_half",
    "interleaved_to_half",
    "rope_angles",
    "rope_frequencies",
    "rotate_2d",
    "sinusoidal_positions",
]
