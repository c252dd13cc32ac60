"""Pictures with sliders: the learner's function draws every page, the browser turns the pages.

    def draw(fig, position, pair):                  # plain matplotlib
        ...                                         # calls what the learner wrote
        return f"At position {position} pair {pair} has turned by {turn:.2f} radians."

    explore(draw, position=range(16), pair=[0, 1, 2], play="position")

The pages are drawn when the cell runs. Turning one asks no kernel, so it is immediate, and goes on
working in an exported or published notebook.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import gc
import html
import itertools
import json
import math
import os
import re
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from plots import beside, style
from plots.note import NOTHING, note, person_is_present, shell
from plots.page import DRAWING, Draw, Page, draw_page

PATIENCE = 0.4  # seconds of drawing above which the first page is shown before the others
PIXELS = 96  # that an inch has in a browser
FORK = 1.0  # seconds of drawing above which a second process draws half of the pages
GRACE = 5.0  # seconds that it may be behind
NOTE = 2.0  # seconds of drawing after which a note says how far it is
FOLDER = Path(__file__).parent


def explore(
    draw: Draw,
    *,
    start: Mapping[str, Any] | None = None,
    play: str | None = None,
    size: tuple[float, float] = style.WIDE,
    narrow: tuple[float, float] | None = None,
    max_frames: int = 100,
    labels: Mapping[str, str] | None = None,
    **sliders: Iterable[Any],
) -> Flipbook:
    """A picture with one slider for each keyword: `explore(draw, position=range(16))`.

    draw: `draw(fig, **values)` paints one page with matplotlib and returns its caption, a sentence
        that reads the picture with its numbers.
    start: the values shown first, else each slider's first. Take the most telling ones: many
        readers touch nothing.
    play: the slider that a play button walks.
    size: in inches. Panels side by side, each at most 3.6 inches wide, are stacked on a narrow
        screen.
    narrow: the size at which each page is drawn once more for narrow screens, where stacking its
        panels does not do: at most 4 inches wide (`style.is_narrow(fig)` tells `draw` which it is).
    labels: what the sliders are called, where their names do not do.
    sliders: their values, in order. If all are words or bools, they become buttons to choose from.

    In a notebook all pages are drawn at once, so that an error in the learner's function is the
    cell's own error; elsewhere, as in tests, each when it is asked for.
    """
    __tracebackhide__ = True
    book = Flipbook(draw, sliders, start or {}, play, size, narrow, max_frames, labels or {})
    if _in_notebook():
        _ = book.first if first_page_only() else book.pages
    return book


class Flipbook:
    """The pages of a picture, one for each combination of slider values. `explore` makes it."""

    def __init__(
        self,
        draw: Draw,
        sliders: Mapping[str, Iterable[Any]],
        start: Mapping[str, Any],
        play: str | None,
        size: tuple[float, float],
        narrow: tuple[float, float] | None,
        max_frames: int,
        labels: Mapping[str, str],
    ) -> None:
        self.sliders = {name: _values_of(name, values) for name, values in sliders.items()}
        _check(self.sliders, start, play, labels, max_frames)
        if narrow and narrow[0] > style.NARROW:
            raise ValueError(f"narrow={narrow} is wider than {style.NARROW:g} inches: make it so.")
        self.start = {name: _plain(start.get(name, v[0])) for name, v in self.sliders.items()}
        self.play = play
        self.draw, self.size, self.narrow, self._labels = draw, size, narrow, labels
        self._pages: list[tuple[str, str]] = []
        self._narrow_pages: list[str] = []
        self._first: Page | None = None
        self._shown: Any = None  # the display of the first page, until all are drawn
        self._kept = ""  # a name for where its sliders stand, when it is shown before that

    @property
    def frames(self) -> list[dict[str, Any]]:
        """The slider values of every page, in their order: the last slider changes fastest."""
        rows = itertools.product(*self.sliders.values())
        return [dict(zip(self.sliders, row, strict=True)) for row in rows]

    def page(self, **values: Any) -> Page:
        """Draw the page at `values`; sliders not named stand at their start."""
        __tracebackhide__ = True
        return self._drawn(self.size, values)

    def narrow_page(self, **values: Any) -> Page:
        """The page at `values` as a narrow screen shows it, where it is drawn for one."""
        __tracebackhide__ = True
        return self._drawn(self.narrow or self.size, values)

    def _drawn(self, size: tuple[float, float], values: Mapping[str, Any]) -> Page:
        __tracebackhide__ = True
        for name, value in values.items():
            if name not in self.sliders or _plain(value) not in self.sliders[name]:
                raise ValueError(f"There is no page at {name}={value!r}: {self._range(name)}.")
        values = {name: _plain(value) for name, value in values.items()}
        return draw_page(self.draw, self.start | values, size)

    def figure(self, **values: Any):
        """The matplotlib figure at `values`, for tests: `picture.figure(position=3)`."""
        return self.page(**values).figure

    def caption(self, **values: Any) -> str:
        """The sentence under the picture at `values`."""
        return self.page(**values).caption

    @property
    def first(self) -> Page:
        """The page that is shown first, and the only one where no scripts run."""
        __tracebackhide__ = True
        if self._first is None:
            self._first = self.page()
        return self._first

    @functools.cached_property
    def _first_svg(self) -> str:
        return self.first.svg()

    @functools.cached_property
    def _first_png(self) -> str:
        return self.first.png()

    @property
    def pages(self) -> list[tuple[str, str]]:
        """(svg, caption) of every page; a placeholder stands alone."""
        __tracebackhide__ = True
        if not self._pages:
            self._draw_all()
        return self._pages

    @property
    def narrow_pages(self) -> list[str]:
        """The svg of every page as narrow screens show it, where they are drawn once more."""
        __tracebackhide__ = True
        _ = self.pages
        return self._narrow_pages

    def _draw_all(self) -> None:
        """Draw every page; a person sees the first one at once, and how far the others are."""
        __tracebackhide__ = True
        begun = time.monotonic()
        frames = [self.start] if self.first.is_placeholder else self.frames
        twice = bool(self.narrow) and not self.first.is_placeholder
        expected = (time.monotonic() - begun) * len(frames) * (1 + twice)
        if person_is_present() and expected > PATIENCE:
            from IPython.display import display

            self._shown = display(self._still(), raw=True, display_id=True)
        helped = person_is_present() and expected > FORK and beside.is_worth_it()
        try:
            with _without_collecting(), note(after=NOTE, every=0.5) as tell:
                self._pages = _drawn(self._wide, frames, helped, tell)
                if twice:
                    if self._shown and expected > FORK:
                        self._show_wide()
                    self._narrow_pages = _drawn(
                        self._narrow, frames, helped, tell, " for narrow screens"
                    )
        except BaseException:
            if self._shown and not self._kept:  # its "other pages" will not come
                self._shown.update(NOTHING, raw=True)
            self._pages, self._shown = [], None
            raise

    def _wide(self, values: dict[str, Any]) -> tuple[str, str]:
        __tracebackhide__ = True
        if values == self.start:
            return self._first_svg, self.first.caption
        page = self.page(**values)
        return page.svg(), page.caption

    def _narrow(self, values: dict[str, Any]) -> str:
        __tracebackhide__ = True
        return self.narrow_page(**values).svg()

    def _show_wide(self) -> None:
        """Let sliders work while the pages for narrow screens are drawn; they keep their places."""
        self._kept = uuid.uuid4().hex[:8]
        self._shown.update(self._repr_mimebundle_(), raw=True)

    def _range(self, name: str) -> str:
        if name not in self.sliders:
            return f"the sliders are {', '.join(self.sliders) or 'none'}"
        return f"{name} goes through {_listed(self.sliders[name])}"

    def _controls(self) -> dict[str, Any]:
        """What the script needs to build the sliders."""
        if self.first.is_placeholder:
            return {"sliders": [], "play": None}
        sliders = [
            {
                "name": name,
                "label": self._labels.get(name, name.replace("_", " ")),
                "values": [_shown(value) for value in values],
                "start": values.index(self.start[name]),
                "choice": all(isinstance(value, str | bool) for value in values),
            }
            for name, values in self.sliders.items()
        ]
        return {"sliders": sliders, "play": self.play}

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        if first_page_only():
            return {"text/plain": self.first.caption}
        png, caption = self._first_png, self.first.caption
        return {"text/html": self._html(png), "image/png": png, "text/plain": caption}

    def _ipython_display_(self) -> None:
        """Take the place of the first page, where it was shown while the others were drawn."""
        if self._shown is None:
            raise NotImplementedError  # so IPython asks for the bundle, as it always does
        handle, self._shown = self._shown, None
        handle.update(self._repr_mimebundle_(), raw=True)

    def _still(self) -> dict[str, str]:
        """The first page alone, and without a PNG: it stands there for a few seconds."""
        caption = html.escape(self.first.caption, quote=True)
        still = (
            f'<div class="llama-flipbook" style="max-width:{_pixels(self.first)}px">\n'
            f"<style>{asset('flipbook.css')}</style>\n"
            f'<div class="llama-controls">Drawing the other pages …</div>\n'
            f'<div class="llama-picture" role="img" aria-label="{caption}">'
            f'{self._first_svg}</div>\n<p class="llama-caption">{caption}</p>\n</div>'
        )
        return {"text/html": still, "text/plain": self.first.caption}

    def _html(self, png: str) -> str:
        svgs, captions = zip(*self.pages, strict=True)
        first, width = self.first, _pixels(self.first)
        book = {"pages": svgs, "captions": captions, "cuts": first.cuts(), **self._controls()}
        if self.narrow and self._narrow_pages:
            book["narrow"] = {"pages": self.narrow_pages, "width": round(PIXELS * self.narrow[0])}
        packed = zlib.compress(json.dumps(book, ensure_ascii=False).encode(), 9)
        caption = html.escape(first.caption, quote=True)
        return (
            f'<div class="llama-flipbook" style="max-width:{width}px"'
            f"{self._kept and f' data-kept={self._kept!r}'}"
            f' data-book="{base64.b64encode(packed).decode("ascii")}">\n'
            f"<style>{asset('flipbook.css')}</style>\n"
            f'<div class="llama-controls"></div>\n'
            f'<div class="llama-picture" role="img" aria-label="{caption}">'
            f'<img alt="{caption}" src="data:image/png;base64,{png}"></div>\n'
            f'<p class="llama-caption" aria-live="polite">{caption}</p>\n'
            f"<script>{asset('flipbook.js')}</script>\n</div>"
        )


def _drawn(
    draw: Callable[[dict[str, Any]], Any],
    frames: list[dict[str, Any]],
    helped: bool,
    tell: Callable[[str], None],
    what: str = "",
) -> list[Any]:
    """What `draw` makes of each frame; with help, of the last half in a fork."""
    __tracebackhide__ = True

    def here(some: list[dict[str, Any]]) -> list[Any]:
        __tracebackhide__ = True
        drawn = []
        for values in some:
            drawn.append(draw(values))
            tell(f"Drawing page {len(drawn)} of {len(some)}{what} …")
        return drawn

    half = (len(frames) + 1) // 2
    if not helped or half == len(frames):
        return here(frames)
    with beside.Beside(lambda: [draw(values) for values in frames[half:]]) as fork:
        begun = time.monotonic()
        drawn = here(frames[:half])
        patience = GRACE + 2 * (time.monotonic() - begun)
        return drawn + (fork.result(patience) or here(frames[half:]))


def _plain(value: Any) -> Any:
    """numpy and torch numbers as Python's own."""
    return value.item() if hasattr(value, "item") else value


def _values_of(name: str, values: Iterable[Any]) -> list[Any]:
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise ValueError(
            f"The slider {name!r} needs a list of values, such as {name}=range(8); got {values!r}."
        )
    listed = [_plain(value) for value in values]
    if not listed:
        raise ValueError(f"The slider {name!r} has no values; give it some: {name}=range(8).")
    if any(value in listed[:place] for place, value in enumerate(listed)):
        raise ValueError(f"The slider {name!r} has a value twice: {_listed(listed)}.")
    return listed


def _check(
    sliders: Mapping[str, list[Any]],
    start: Mapping[str, Any],
    play: str | None,
    labels: Mapping[str, str],
    max_frames: int,
) -> None:
    """Sentences for sliders that do not fit together."""
    known = ", ".join(sliders) or "none"
    for where, names in (("start", start), ("labels", labels), ("play", [play] if play else [])):
        for name in names:
            if name not in sliders:
                raise ValueError(f"{where} names {name!r}, but the sliders are: {known}.")
    for name, value in start.items():
        if _plain(value) not in sliders[name]:
            raise ValueError(
                f"start has {name}={value!r}, but {name} goes through {_listed(sliders[name])}."
            )
    if play and len(sliders[play]) < 2:
        raise ValueError(f"play={play!r} has nowhere to go: that slider has a single value.")
    frames = math.prod(map(len, sliders.values()))
    if frames > max_frames:
        sizes = " × ".join(f"{len(values)} {name}" for name, values in sliders.items())
        raise ValueError(
            f"{sizes} make {frames} pages, and at most {max_frames} are drawn (each takes about "
            "60 ms). Give fewer values, for example every second one, or take a slider out."
        )


def _listed(values: list[Any]) -> str:
    shown = [repr(value) for value in values]
    return ", ".join(shown if len(shown) <= 9 else [*shown[:4], "…", *shown[-2:]])


def _shown(value: Any) -> str:
    """A slider's value as the reader sees it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}".replace("-", "\N{MINUS SIGN}")
    return str(value)


def asset(name: str) -> str:
    """A script or style sheet, without comments and indentation: it goes into every picture."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _warm_up() -> None:
    """Draw a page that nobody sees: matplotlib's first one takes half a second longer."""

    def draw(fig: Any) -> str:
        axes = fig.add_subplot(title="title")
        axes.plot([0, 1], label="line")
        axes.annotate("words", (0, 0))
        axes.legend()
        return ""

    with DRAWING:  # which a fork waits for
        draw_page(draw, {}, (3, 2)).svg()


def _in_notebook() -> bool:
    return getattr(shell(), "kernel", None) is not None


def first_page_only() -> bool:
    """Whether nobody will turn pages: a graded notebook draws each picture once, as it begins."""
    return bool(os.environ.get("LLAMA_LAB_GRADING"))


def _pixels(page: Page) -> int:
    """How wide a page is on the screen."""
    return round(PIXELS * page.figure.get_figwidth())


@contextlib.contextmanager
def _without_collecting() -> Iterator[None]:
    """Put garbage off: matplotlib makes so many small things that looking for it takes a sixth."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


if person_is_present():  # who runs the imports' cell, and reads on before the first picture
    threading.Thread(target=_warm_up, name="matplotlib", daemon=True).start()
