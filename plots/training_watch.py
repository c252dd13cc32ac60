"""Lab 09: a training to look at while it runs: progress, curve, and what the model writes."""

from __future__ import annotations

import html
import time
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from plots.flipbook import asset, person_is_present
from plots.measure import one_thread
from plots.page import draw_page, says
from plots.style import BLUE, GREY, ORANGE, is_narrow, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAUSE = 1.5  # seconds between two drawings: to draw takes 0.1 s
POINTS = 150  # of the curve; each is the mean of a few steps
LETTERS = 160  # of a sample
CONTEXT = 64  # characters that a model sees when it writes
SIZE, NARROW = (9.6, 3.2), (3.1, 3.0)
# The page has no script while it learns: the style sheet says which of the two drawings is shown.
SWITCH = """.llama-watch { container-type: inline-size; }
.llama-watch .llama-small { display: none; }
@container (max-width: 600px) {
  .llama-watch .llama-wide { display: none; }
  .llama-watch .llama-small { display: block; }
}"""


def write(
    model: nn.Module,
    vocab: list[str],
    start: str = "\n",
    length: int = LETTERS,
    temperature: float = 0.8,
    seed: int = 0,
) -> str:
    """Let a model write: one character after the other, drawn by its probabilities.

    It sees the last CONTEXT characters, as many as it was trained on. How to choose well is the
    subject of lab 10; here it is only a look at what has been learned.
    """
    generator = torch.Generator().manual_seed(seed)
    ids = [vocab.index(character) for character in start]
    with torch.no_grad(), one_thread():
        for _ in range(length):
            logits = model(torch.tensor([ids[-CONTEXT:]]))[0, -1] / temperature
            ids.append(torch.multinomial(logits.softmax(-1), 1, generator=generator).item())
    return "".join(vocab[i] for i in ids[len(start) :])


def watch(
    steps: int,
    writes: Callable[[], str] | None = None,
    milestones: Mapping[str, float] | None = None,
) -> Watch:
    """Something to hand to `train` as `watch`: it draws the curve while the model learns.

    writes: called at the beginning, in the middle and at the end for a sample of text.
    milestones: losses to be beaten, drawn as lines.
    """
    return Watch(steps, writes, milestones or {})


class Watch:
    """Collects what `train` tells, and shows it. The cell's stop button ends the training."""

    def __init__(
        self, steps: int, writes: Callable[[], str] | None, milestones: Mapping[str, float]
    ) -> None:
        self.steps, self.writes, self.milestones = steps, writes, dict(milestones)
        self.losses: list[float] = []
        self.held_out: dict[int, float] = {}
        self.texts: dict[int, str] = {}
        self.beaten: dict[str, tuple[int, float]] = {}  # milestone: the step and the seconds
        self.began = self.due = time.monotonic()
        self.handle: Any = None

    def __call__(self, step: int, loss: float, held_out: float | None) -> None:
        """After each step: remember, and draw now and then, at the end in any case."""
        self.losses.append(loss)
        if held_out is not None:
            self.held_out[step] = held_out
        now = time.monotonic() - self.began
        for name, height in self.milestones.items():
            if self._recent() < height:
                self.beaten.setdefault(name, (step, now))
        if self.writes and step in (1, self.steps // 2, self.steps):
            self.texts[step] = self.writes()
        over = step >= self.steps
        if over or (person_is_present() and time.monotonic() >= self.due):
            self.show()
            self.due = time.monotonic() + PAUSE

    @property
    def caption(self) -> str:
        """How far it is, and how good."""
        done, seconds = len(self.losses), time.monotonic() - self.began
        said = f"Step {done:,} of {self.steps:,}, {seconds:.0f} s: loss {number(self._recent())}"
        if self.held_out:
            best = min(self.held_out, key=self.held_out.__getitem__)
            said += f"; on unseen text {number(self.held_out[best])} at best, after step {best:,}"
        beaten = [f"{n} after step {step:,}, {s:.0f} s" for n, (step, s) in self.beaten.items()]
        return said + (f". Beaten: {'; '.join(beaten)}." if beaten else ".")

    def _recent(self) -> float:
        last = self.losses[-max(1, self.steps // POINTS) :]
        return sum(last) / max(1, len(last))

    def draw(self, fig: Figure) -> str:
        """The curve: the mean of neighbouring steps, and what was measured on unseen text."""
        from matplotlib.ticker import MaxNLocator

        narrow = is_narrow(fig)
        axes = fig.add_axes((0.14, 0.17, 0.8, 0.8) if narrow else (0.06, 0.17, 0.91, 0.79))
        width = max(1, self.steps // POINTS)
        groups = [self.losses[i : i + width] for i in range(0, len(self.losses), width)]
        x = [min(len(self.losses), (i + 1) * width) for i in range(len(groups))]
        y = [sum(group) / len(group) for group in groups]
        axes.plot(x, y, "-", color=BLUE, linewidth=1.2, label="batches", gid="losses")
        if self.held_out:
            at, values = list(self.held_out), list(self.held_out.values())
            axes.plot(at, values, "o-", color=ORANGE, markersize=4, label="unseen text", gid="held")
            dots = axes.scatter(at, values, s=60, color="none", edgecolor="none")
            says(dots, [f"step {i:,}: {number(y)}" for i, y in self.held_out.items()])
        for name, height in self.milestones.items():
            axes.axhline(height, color=GREY, linewidth=0.8, linestyle=":")
            axes.text(self.steps, height, name, ha="right", va="bottom", fontsize=9)
        top = max([*self.milestones.values(), *y[:1], 2.0])
        low = min([1.2, *y, *self.held_out.values()])
        axes.set(xlim=(0, self.steps), ylim=(low - 0.1 * (low < 1.2), min(top, 5.0) + 0.25))
        axes.set(xlabel="step", ylabel="loss")
        axes.xaxis.set_major_locator(MaxNLocator(4 if narrow else 9, integer=True))
        lines = sorted(self.milestones.values())
        high = lines[1] if len(lines) > 1 else 4.0  # the legend hangs below this line
        axes.legend(loc="upper left", fontsize=9, ncols=2, columnspacing=1.2)
        axes.get_legend().set_bbox_to_anchor((0.2, high), axes.get_yaxis_transform())
        return self.caption

    def show(self) -> None:
        """Draw, in place of what was drawn before."""
        from IPython import get_ipython
        from IPython.display import display

        page = draw_page(self.draw, {}, SIZE)
        if get_ipython() is None:
            print(page.caption)
            return
        png = page.png()
        svgs = None
        if person_is_present():
            small = draw_page(self.draw, {}, NARROW)
            svgs = page.svg(uuid.uuid4().hex), small.svg(uuid.uuid4().hex)
        bundle = {
            "text/html": self._html(svgs, png),
            "image/png": png,
            "text/plain": "\n\n".join([page.caption, *map("{0[0]}: {0[1]}".format, self._said())]),
        }
        if self.handle is None:
            self.handle = display(bundle, raw=True, display_id=True)
        else:
            self.handle.update(bundle, raw=True)

    def _said(self) -> list[tuple[str, str]]:
        return [(f"after step {step:,}", text) for step, text in self.texts.items()]

    def _html(self, svgs: tuple[str, str] | None, png: str) -> str:
        """Progress over curve over texts."""
        caption = html.escape(self.caption, quote=True)
        done = len(self.losses) / self.steps
        picture = f'<img alt="{caption}" src="data:image/png;base64,{png}">'
        if svgs:
            parts = zip(("wide", "small"), svgs, strict=True)
            picture = "".join(f'<div class="llama-{name}">{svg}</div>' for name, svg in parts)
        texts = "".join(
            '<div style="flex:1 1 13em;min-width:12em">'
            f'<b>{title}</b><pre style="white-space:pre-wrap;margin:.3em 0 0">'
            f"{html.escape(text)}</pre></div>"
            for title, text in self._said()
        )
        return (
            f'<div class="llama-flipbook llama-watch" style="max-width:{round(96 * SIZE[0])}px">\n'
            f"<style>{asset('flipbook.css')}\n{SWITCH}</style>\n"
            f'<progress value="{done:.3f}" max="1" style="width:100%">{done:.0%}</progress>\n'
            f'<div class="llama-picture" role="img" aria-label="{caption}">{picture}</div>\n'
            f'<p class="llama-caption" aria-live="off">{caption}</p>\n'
            f'<div style="display:flex;flex-wrap:wrap;gap:1em">{texts}</div>\n</div>'
        )
