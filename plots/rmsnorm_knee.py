"""Lab 02: what a norm makes of very small and of very large vectors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from assets.smollm2_stream import stream as real_stream
from plots.flipbook import Flipbook, explore
from plots.page import says
from plots.style import BLUE, FAINT, GREEN, GREY, INK, ORANGE, is_narrow, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Norm = Callable[..., Tensor]


def knee(rms_norm: Norm) -> Flipbook:
    """Show the size of what comes out against the size of what goes in, by ε."""
    exponents = np.linspace(-5, 4.5, 77)  # up to 31,623: float16 ends at 65,504
    ones = torch.tensor([1.0, -1.0, 1.0, -1.0])
    measured = real_stream()[1]
    real = (measured.min(), measured.max())

    def sizes(norm: Callable[[Tensor], Tensor]) -> list[float]:
        """What is left of vectors of each size, computed in float16 as half of a batch."""
        each = [(10.0**e * torch.stack((ones, 2 * ones))).half() for e in exponents]
        return [float(norm(x)[0].float().square().mean().sqrt()) for x in each]

    def draw(fig: Figure, epsilon: str) -> str:
        eps, narrow = float(epsilon), is_narrow(fig)
        curves = {
            "yours": (GREEN, "-", lambda x: rms_norm(x, torch.ones(4), eps)),
            "ε after the root": (ORANGE, "--", lambda x: after_root(x, eps)),
            "computed in float16": (GREY, ":", lambda x: in_half(x, eps)),
        }
        axes = fig.add_axes((0.17, 0.14, 0.79, 0.63) if narrow else (0.07, 0.16, 0.91, 0.71))
        said = {}
        for name, (color, line, norm) in curves.items():
            said[name] = sizes(norm)
            look = {"color": color, "linewidth": 3 if line == ":" else 2, "label": name}
            axes.plot(exponents, said[name], line, gid=name, **look)
        for exponent in range(-5, 5):
            spot = axes.axvspan(exponent - 0.1, exponent + 0.1, facecolor="none", linewidth=0)
            at = int(np.argmin(abs(exponents - exponent)))
            told = ", ".join(f"{name} {number(curve[at])}" for name, curve in said.items())
            says(spot, f"size {10.0**exponent:,.5g}: {told}")
        corner = math.log10(math.sqrt(eps))
        axes.axvline(corner, color=INK, linewidth=0.8, linestyle=":", ymax=0.8)
        axes.text(corner, 1.06, "√ε", ha="center", fontsize=11)
        axes.axvspan(*np.log10(real), color=BLUE, alpha=0.5 * FAINT, linewidth=0, gid="real")
        whose = "SmolLM2" if narrow else "from SmolLM2's embeddings to its largest vector"
        axes.text(0.65, 0.06, whose, ha="center", fontsize=9)
        axes.set_xticks(range(-4, 5, 2), ["0.0001", "0.01", "1", "100", "10,000"])
        axes.set(xlim=(-5, 4.5), ylim=(0, 1.15), ylabel="size of the result")
        axes.set_xlabel(
            "size of x, ×100 a tick" if narrow else "size of x (×100 from tick to tick)"
        )
        above = {"loc": "lower left", "bbox_to_anchor": (0, 1.0), "borderaxespad": 0.1}
        axes.legend(ncols=1 if narrow else 3, fontsize=9, **above)
        place = int(np.argmin(abs(exponents + 3)))
        yours, after = (number(said[name][place]) for name in ("yours", "ε after the root"))
        largest = number(said["yours"][-1])
        return (
            f"ε = {epsilon}. A vector of size 0.001 comes out with size {yours}, and with ε after "
            f"the root with {after}. At the other end, in float16, yours gives {largest} for a "
            "vector of size 31,623; squares computed in float16 overflow beyond 256, and nothing "
            "is left."
        )

    return explore(
        draw,
        epsilon=["0.001", "0.00001", "0.0000001"],
        start={"epsilon": "0.00001"},
        labels={"epsilon": "ε"},
        size=(9.8, 3.5),
        narrow=(3.25, 3.4),
    )


def after_root(x: Tensor, eps: float) -> Tensor:
    """The norm with ε in the other place."""
    return x.float() / (x.float().square().mean(-1, keepdim=True).sqrt() + eps)


def in_half(x: Tensor, eps: float) -> Tensor:
    """The norm computed in x's own dtype: squares beyond 65,504 are infinite in float16."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)
