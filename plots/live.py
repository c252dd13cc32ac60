"""Pictures with free input: type a sentence or sample again, and the running kernel draws anew.

    def draw(fig, text, seed):
        ...
        return f"{len(text.split())} words, sample {seed}."

    live(draw, text="to be or not to be", again="Sample again")

Where every input can be listed beforehand take `explore`: it is faster and needs no kernel. Only
the API that ipywidgets 7.7.1 (Colab) and 8 share is used.
"""

from __future__ import annotations

import hashlib
import html
import threading
import time
import uuid
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from plots import style
from plots.blame import blame
from plots.flipbook import asset, person_is_present
from plots.page import Draw, Page, draw_page
from plots.turns import SETTLE, Turns, listen_to_interrupts, on_enter

FAILED = "The picture could not be drawn:"
LATE = 2.0  # seconds after a click in which a text that arrives belongs to it
# Of a picture that was drawn twice the style sheet shows one: there is no script to choose.
CHOICE = (
    ".llama-twice{container-type:inline-size}.llama-twice .llama-small{display:none}"
    "@container (max-width:600px){.llama-twice .llama-wide{display:none}"
    ".llama-twice .llama-small{display:block}}"
)
RUN_ME = "Run this cell to change the picture."  # where the widgets do not show


def live(
    draw: Draw,
    *,
    button: str = "Draw",
    again: str | None = None,
    size: tuple[float, float] = style.WIDE,
    narrow: tuple[float, float] | None = None,
    labels: Mapping[str, str] | None = None,
    **inputs: Any,
) -> Live:
    """A picture that the kernel draws anew whenever an input changes.

    draw: `draw(fig, **values)` paints the picture and returns its caption.
    inputs: each one's first value decides what it is: a str is a text box, a list of values is a
        menu, a bool is a check box.
    button: what the button says that draws anew; a text box is read when it is pressed, or Enter.
        (Leaving the box draws nothing: what was typed is not yet meant.)
    again: what a second button says, which counts the argument `seed` of draw up from 0.
    narrow: the size at which it is drawn once more for narrow screens, at most 4 inches wide.
    labels: what the inputs are called, where their names do not do.

    The first picture is drawn at once, so an error in the learner's function is the cell's own; it
    stays in the saved notebook as a still picture. A later error is shown in the picture's place.
    """
    for name, value in inputs.items():
        # A menu's choice whose value is None would be shown as no choice at all.
        is_menu = isinstance(value, list | tuple)
        fits = len(value) > 0 and None not in value if is_menu else isinstance(value, str | bool)
        if not fits:
            raise ValueError(
                f"The input {name!r} needs a text, True or False, or a list of choices; "
                f"got {value!r}."
            )
    if again and "seed" in inputs:
        raise ValueError("again= makes the argument 'seed' itself; leave it out of the inputs.")
    return Live(draw, inputs, button, again, size, narrow, labels or {})


class Live:
    """A picture, the values it shows, and the widgets that change them. `live` makes it."""

    def __init__(
        self,
        draw: Draw,
        inputs: Mapping[str, Any],
        button: str,
        again: str | None,
        size: tuple[float, float],
        narrow: tuple[float, float] | None,
        labels: Mapping[str, str],
    ) -> None:
        self._draw, self._inputs, self._labels = draw, inputs, labels
        self._size, self._narrow = size, narrow
        self._button, self._again = button, again
        self.turns, self._lock, self._pressed = Turns(), threading.Lock(), -LATE
        self.values = {
            name: value[0] if isinstance(value, list | tuple) else value
            for name, value in inputs.items()
        }
        if again:
            self.values["seed"] = 0
        self.page, self.narrow_page = self._draw_now()

    @property
    def caption(self) -> str:
        """The sentence under the picture as it is now."""
        return self.page.caption

    @cached_property
    def controls(self) -> dict[str, Any]:
        """The widgets by the names of their inputs, and "draw" and "again" for the buttons."""
        import ipywidgets

        controls = {name: self._control(name, value) for name, value in self._inputs.items()}
        controls["draw"] = ipywidgets.Button(description=self._button)
        controls["draw"].on_click(lambda _: self.press())
        if self._again:
            controls["again"] = ipywidgets.Button(description=self._again)
            controls["again"].on_click(lambda _: self.press(again=True))
        return controls

    @cached_property
    def widget(self) -> Any:
        """Inputs over picture."""
        import ipywidgets

        # Buttons stand beside the text that they read; what is chosen stands after them.
        late = (ipywidgets.Checkbox, ipywidgets.Dropdown)
        inputs = ipywidgets.HBox(
            sorted(self.controls.values(), key=lambda control: isinstance(control, late)),
            layout=ipywidgets.Layout(flex_flow="row wrap"),
        )
        self._picture = ipywidgets.HTML(self._html())
        return ipywidgets.VBox([inputs, self._picture])

    def press(self, again: bool = False) -> None:
        """Draw with what the inputs hold in a moment; `again` takes the next seed."""
        with self._lock:
            self._pressed = time.monotonic()
            if again:
                self.values["seed"] += 1
        has_text = any(isinstance(value, str) for value in self._inputs.values())
        self.turns.ask_once(self._redraw, after=SETTLE if has_text else 0.0)

    def _control(self, name: str, value: Any) -> Any:
        import ipywidgets

        look: dict[str, Any] = {
            "description": self._labels.get(name, name.replace("_", " ")),
            "style": {"description_width": "initial"},
        }
        if isinstance(value, bool):
            # As wide as its words: by default it takes 300 pixels, and a row breaks.
            tight = ipywidgets.Layout(width="max-content", margin="2px 12px 2px 2px")
            control = ipywidgets.Checkbox(value=value, indent=False, layout=tight, **look)
        elif isinstance(value, str):
            # It sends its text when it is left, at once and not letter by letter.
            wide = ipywidgets.Layout(width="26em", max_width="100%")
            control = ipywidgets.Text(value=value, continuous_update=False, layout=wide, **look)
            on_enter(control, self.press)
            control.observe(lambda _: self._text_came(), names="value")
            return control
        else:
            tight = ipywidgets.Layout(width="max-content", margin="2px 12px 2px 2px")
            control = ipywidgets.Dropdown(options=list(value), value=value[0], layout=tight, **look)
        control.observe(lambda _: self.turns.ask_once(self._redraw), names="value")
        return control

    def _text_came(self) -> None:
        """A text alone draws nothing; one that comes after the click it belongs to does."""
        if time.monotonic() - self._pressed < LATE:
            self.turns.ask_once(self._redraw)

    def _draw_now(self) -> tuple[Page, Page | None]:
        with self._lock:
            values = dict(self.values)
        page = draw_page(self._draw, values, self._size)
        if self._narrow is None or page.is_placeholder:
            return page, None
        return page, draw_page(self._draw, values, self._narrow)

    def _redraw(self, stopped: Any = None) -> None:
        """Read the inputs and draw; an error takes the picture's place, no stale one stays."""
        with self._lock:
            self.values |= {name: self.controls[name].value for name in self._inputs}
        try:
            self.page, self.narrow_page = self._draw_now()
            self._picture.value = self._html()
        except Exception as error:
            says = html.escape(blame(error))
            self._picture.value = (
                f'<div class="llama-caption" role="alert">{FAILED}'
                f'<pre style="white-space:pre-wrap">{says}</pre></div>'
            )

    def _html(self, png: str | None = None) -> str:
        """The picture as it is now: following the theme, or as the `png` given."""
        caption = html.escape(self.page.caption, quote=True)
        width = round(96 * self.page.figure.get_figwidth())  # an inch has 96 pixels in a browser
        picture = f'<img alt="{caption}" src="data:image/png;base64,{png}">' if png else ""
        choice = ""
        if not png:
            picture = self.page.svg(uuid.uuid4().hex)
            if self.narrow_page:
                choice = CHOICE
                small = self.narrow_page.svg(uuid.uuid4().hex)
                picture = (
                    f'<div class="llama-wide">{picture}</div><div class="llama-small">{small}</div>'
                )
        return (
            f'<div class="llama-flipbook{" llama-twice" * bool(choice)}" '
            f'style="max-width:{width}px">\n'
            f"<style>{asset('flipbook.css')}{choice}</style>\n"
            f'<div class="llama-picture" role="img" aria-label="{caption}">{picture}</div>\n'
            f'<p class="llama-caption" aria-live="polite">{caption}</p>\n</div>'
        )

    def _ipython_display_(self) -> None:
        """The still picture, which stays in the notebook; for a person the widgets, which hide it.

        A batch run gets no widgets: their model ids would differ each time.
        """
        from IPython.display import display

        png = self.page.png()
        still = self._html(png)
        if person_is_present():
            mark = "llama-" + hashlib.sha1(still.encode()).hexdigest()[:8]
            hide = f"<style>body:has(.{mark}.llama-now) .{mark}.llama-still{{display:none}}</style>"
            still = f'<div class="{mark} llama-still">{hide}{still}</div>'
        bundle = {"text/html": still, "image/png": png, "text/plain": self.page.caption}
        display(bundle, raw=True)
        if person_is_present():
            listen_to_interrupts()
            self.widget.add_class(mark)
            self.widget.add_class("llama-now")
            view = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
            bundle = {"application/vnd.jupyter.widget-view+json": view, "text/plain": RUN_ME}
            display(bundle, raw=True)
