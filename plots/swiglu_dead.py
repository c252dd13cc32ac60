"""Lab 07: ReLU units that die and come back, two of them followed through the training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plots import style
from plots.flipbook import Flipbook, explore
from plots.measures.swiglu_dead import EVERY, STEPS, Units, units
from plots.page import says
from plots.style import BLUE, FAINT, GREEN, GREY, INK, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NORMS = ["without norm", "with RMSNorm"]
MARKS = list(range(0, STEPS + 1, 3 * EVERY))
COLUMNS = 16  # units in a row
LOW, HIGH = -3.4, 3.4  # the inputs drawn where some unit is dead; larger leaves the frame
LOOKS = {"A": (ORANGE, "--"), "B": (BLUE, "-")}  # the unit that dies for good; that comes back


def dead_units() -> Flipbook:
    """Show which units are dead while a network learns, and what two of them were given."""

    def draw(fig: Figure, norm: str, steps: int) -> str:
        found, look = units(norm == NORMS[1]), steps // EVERY
        followed = {"A": units(False).gone, "B": units(False).back}
        if style.is_narrow(fig):
            left, right = (
                fig.add_axes((0.03, 0.53, 0.94, 0.41), xticks=[], yticks=[]),
                fig.add_axes((0.14, 0.1, 0.8, 0.3)),
            )
        else:
            left = fig.add_axes((0.01, 0.1, 0.36, 0.8), xticks=[], yticks=[])
            right = fig.add_axes((0.45, 0.15, 0.52, 0.75))
        dead = found.dead[look]
        _dots(left, dead.tolist(), followed)
        left.set_title(f"after {steps} steps {int(dead.sum())} of {len(dead)} are dead")
        _lines(right, found, followed, steps)
        right.set_title("largest input of any text")
        return _caption(found, followed, norm, look)

    return explore(
        draw,
        norm=NORMS,
        steps=MARKS,
        start={"norm": NORMS[0], "steps": MARKS[-1]},
        play="steps",
        size=(10.0, 3.5),
        narrow=(3.4, 5.0),
    )


def _dots(axes: Axes, dead: list[bool], followed: dict[str, int | None]) -> None:
    """One mark for each unit, in rows of sixteen; the two that are followed are ringed."""
    from matplotlib.colors import to_rgb

    names = {unit: name for name, unit in followed.items() if unit is not None}
    for state, look in (
        (False, {"marker": "o", "color": GREEN, "label": "fires on some text"}),
        (True, {"marker": "x", "color": INK, "alpha": 0.6, "label": "dead: no gradient"}),
    ):
        chosen = [unit for unit, is_dead in enumerate(dead) if is_dead == state]
        chosen = [unit for unit in chosen if unit not in names]
        x, y = [unit % COLUMNS for unit in chosen], [unit // COLUMNS for unit in chosen]
        axes.plot(x, y, linestyle="", markersize=5, gid=look["label"], **look)
    for unit, name in names.items():
        x, y, color = unit % COLUMNS, unit // COLUMNS, LOOKS[name][0]
        (ring,) = axes.plot([x], [y], "o", markersize=15, gid=f"ring-{name}")
        ring.set(markerfacecolor="none" if dead[unit] else (*to_rgb(GREEN), FAINT))
        ring.set(markeredgecolor=color, markeredgewidth=2.2)
        says(ring, f"unit {unit}, {name}: {'dead' if dead[unit] else 'fires on some text'}")
        look = {"ha": "center", "va": "center", "fontsize": 9.5, "fontweight": "bold"}
        axes.text(x, y + 0.05, name, **look)
    rows = len(dead) // COLUMNS
    axes.set(xlim=(-0.9, COLUMNS - 0.1), ylim=(rows - 0.4, -0.9))
    at = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.02)}
    axes.legend(ncols=2, fontsize=9.5, columnspacing=0.8, handletextpad=0.1, **at)
    axes.axis("off")


def _lines(axes: Axes, found: Units, followed: dict[str, int | None], steps: int) -> None:
    """The largest input of both units; below zero nothing comes through, and nothing is learned."""
    looks = [EVERY * look for look in range(len(found.largest))]
    now = steps // EVERY + 1
    shown = [unit for unit in followed.values() if unit is not None]
    high = HIGH if bool(found.dead.any()) else 1.1 * float(found.largest[:, shown].max())
    axes.axhspan(LOW, 0, color=GREY, alpha=FAINT, linewidth=0)
    axes.text(0.02 * STEPS, LOW + 0.15, "dead: no gradient", fontsize=9.5, va="bottom")
    axes.axhline(0, color=INK, linewidth=1)
    for name, unit in followed.items():
        if unit is None:
            continue
        color, line = LOOKS[name]
        values = found.largest[:, unit].tolist()
        axes.plot(looks, values, line, color=color, linewidth=1, alpha=0.35)
        axes.plot(looks[:now], values[:now], line, color=color, gid=f"line-{name}")
        above, height = values[now - 1] > high, min(max(values[now - 1], LOW), high)
        (dot,) = axes.plot([steps], [height], "^" if above else "o", color=color, clip_on=False)
        dot.set_gid(f"now-{name}")
        says(dot, f"{name}, step {steps}: {style.number(values[now - 1])}")
        end = min(values[-1], high)
        axes.text(1.02 * STEPS, end, name, fontweight="bold", va="center")
    if found.back is not None and found.back == followed["B"]:
        held = found.held.tolist()[found.died : now]
        axes.plot(looks[found.died : now], held, ":", color=INK, linewidth=2.4, gid="held")
    axes.axvline(steps, color=GREY, linewidth=1)
    axes.set(xlim=(0, STEPS), ylim=(LOW, high), xlabel="steps")
    axes.tick_params(labelsize=9.5)


def _caption(found: Units, followed: dict[str, int | None], norm: str, look: int) -> str:
    said = [f"{norm}, step {EVERY * look}: {int(found.dead[look].sum())} units are dead."]
    for name, unit in followed.items():
        if unit is None:
            continue
        was = found.dead[: look + 1, unit].tolist()
        if not any(was):
            said.append(f"{name} has never been dead.")
            continue
        state = "is dead" if was[-1] else "is alive again"
        since = next(back for back in range(len(was)) if was[-1 - back] != was[-1])
        said.append(f"{name} {state}, since step {EVERY * (look - since + 1)}.")
    if found.back is not None and EVERY * look >= EVERY * found.died:
        said.append("Dotted: what B would get with the weights it died with.")
    return " ".join([said[0][0].upper() + said[0][1:], *said[1:]])
