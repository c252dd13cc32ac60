"""Lab 03, 3.6: what is tried on apply_rope_complex."""

from checks.engine import Check
from checks.rope.apply_rope import NEIGHBOURS_MOVE, reference
from checks.rope.apply_rope_complex_wrong import MISTAKES
from checks.rope.rotation import neighbours, ready, technique

apply_rope_complex = Check(
    exercise="3.6",
    name="apply_rope_complex",
    reference=reference,
    technique=technique(
        neighbours, "The same as apply_rope, by one complex multiplication", NEIGHBOURS_MOVE
    ),
    ready=ready(),
    mistakes=MISTAKES,
    hints=(
        "What does multiplying by cos θ + i sin θ do to a complex number?",
        "Read each pair as a + ib (`torch.view_as_complex` wants (..., d/2, 2)), multiply by "
        "e^(iθ) (`torch.polar`), and read the result as pairs again (`torch.view_as_real`).",
        "`torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(-2)`, "
        "where `pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))`; for a "
        "float64 x leave it in float64, or go back with `.to(x.dtype)`.",
    ),
)
