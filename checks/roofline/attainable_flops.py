"""Lab 12, 12.3: what is tried on attainable_flops."""

from checks.engine import Check, Probe, values
from checks.roofline.attainable_flops_wrong import MISTAKES
from checks.roofline.sizes import H100

LOWER = "the lower of the two roofs"
SLANTED = "FLOPs a second = FLOPs a byte · bytes a second"


def reference(intensity: float, peak_flops: float, bandwidth: float) -> float:
    """Whatever takes longer, the FLOPs of a byte or the byte, takes as long as both together."""
    seconds = max(1 / bandwidth, intensity / peak_flops)  # for a byte and its FLOPs
    return intensity / seconds


def places(*cases: tuple[float, float, float], title: str, promise: str = LOWER) -> Probe:
    """Compare several intensities and machines."""
    return values(*(lambda inputs, case=case: case for case in cases), title=title, promise=promise)


attainable_flops = Check(
    exercise="12.3",
    name="attainable_flops",
    only_numbers=True,
    reference=reference,
    technique=[
        values(
            lambda inputs: (2.0, 100e9, 20e9),
            lambda inputs: (8.0, 100e9, 20e9),
            title="worked example",
            promise="attainable_flops(2.0, peak_flops=100e9, bandwidth=20e9)",
        ),
        places(
            *((0.25, 7e9, 3e9), (1.0, 11e9, 5e9), (1.5, 13e9, 2e9), (0.5, 900.0, 700.0)),
            title="below the ridge: waiting for memory",
            promise=SLANTED,
        ),
        places(
            *((9.0, 7e9, 3e9), (40.0, 11e9, 5e9), (1e6, 13e9, 2e9), (3.0, 900.0, 700.0)),
            title="beyond the ridge: computing all the time",
        ),
        places(
            *((0.9, 5e9, 5e9), (2.5, 10e9, 4e9), (0.5, 2e9, 8e9), (2.0, 8e9, 8e9), (4.0, 8e9, 2e9)),
            title="on both sides of the ridge, and where the numbers are alike",
        ),
        places(
            *((0.1, 3.0, 10.0), (0.4, 3.0, 10.0), (2.0, 3.0, 10.0), (5, 100, 7), (30, 100, 7)),
            title="a ridge below 1, and whole numbers",
        ),
        places(
            *((1.0, *H100), (4.0, *H100), (295.0, *H100), (300.0, *H100), (4096.0, *H100)),
            title="an H100, its ridge at 295 FLOPs a byte",
        ),
        Probe(
            "by name, in another order",
            lambda answer, inputs: answer(bandwidth=3e9, intensity=2.0, peak_flops=50e9),
            promise="intensity: float, peak_flops: float, bandwidth: float",
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "A byte comes in 1 / bandwidth seconds. How many FLOPs are there to do until the next one?",
        "Memory allows intensity · bandwidth FLOPs a second, the processor peak_flops. The lower "
        "of the two is reached.",
        "`return min(peak_flops, intensity * bandwidth)`",
    ),
)
