"""Lab 10: a desk to write at. Type a beginning, choose the settings, and watch the text come."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from assets.shakespeare_llama import CONTEXT, VOCAB
from plots.blame import blame
from plots.note import person_is_present
from plots.show import once_written
from plots.turns import SETTLE, Stopped, Turns, listen_to_interrupts, on_enter

Generate = Callable[..., Iterator[int]]

PROMPT = "JULIET:\nO, "
TEMPERATURES = [0.0, 0.3, 0.6, 0.8, 1.0, 1.3, 2.0]
KS: list[int | None] = [None, 1, 3, 5, 10, 20]
PS: list[float | None] = [None, 0.5, 0.8, 0.9, 0.95]
BREAK = "\\n"  # how a line break is typed into a box of one line: a backslash and an n
OFF = "off"  # a menu's choice whose value is None would be shown as no choice
PAGE = (
    '<pre style="max-width:46em;min-height:9em;white-space:pre-wrap;line-height:1.45">'
    "<b>{}</b>{}</pre>"
)


class Writer:
    """A box for the beginning, menus for the settings, and the text as it comes."""

    def __init__(self, generate: Generate, model: nn.Module, context: int = CONTEXT) -> None:
        self._generate, self._model, self._context = generate, model, context
        self.seed = 0
        self.turns = Turns()

    def tokens(self, prompt: str, **settings: Any) -> Iterator[str]:
        """What follows the prompt, letter by letter, up to the model's context."""
        ids = torch.tensor([[VOCAB.index(c) for c in prompt]])
        generator = torch.Generator().manual_seed(self.seed)
        room = self._context - ids.shape[1]
        for token in self._generate(self._model, ids, room, **settings, generator=generator):
            yield VOCAB[int(token)]

    def widget(self) -> Any:
        """Settings over text; only what ipywidgets 7.7.1 and 8 share."""
        import ipywidgets

        def menu(name: str, values: list[Any], value: Any) -> Any:
            options = [(OFF, OFF) if x is None else (f"{x:g}", x) for x in values]
            narrow = ipywidgets.Layout(width="11em")
            style = {"description_width": "initial"}
            value = OFF if value is None else value
            return ipywidgets.Dropdown(
                options=options, value=value, description=name, layout=narrow, style=style
            )

        wide = ipywidgets.Layout(width="30em", max_width="100%")
        self.prompt = ipywidgets.Text(
            value=PROMPT.replace("\n", BREAK),
            description="begin with",
            layout=wide,
            continuous_update=False,
        )
        on_enter(self.prompt, self.press)
        self.settings = {
            "temperature": menu("temperature", TEMPERATURES, 0.8),
            "k": menu("k", KS, None),
            "p": menu("p", PS, None),
        }
        self.button = ipywidgets.Button(description="Write")
        self.button.on_click(lambda _: self.press())
        self.stop = ipywidgets.Button(description="Stop")
        self.stop.on_click(lambda _: self.turns.stop())
        self.page = ipywidgets.HTML(PAGE.format(html.escape(PROMPT), ""))
        row = ipywidgets.HBox(
            [*self.settings.values(), self.button, self.stop],
            layout=ipywidgets.Layout(flex_flow="row wrap"),
        )
        return ipywidgets.VBox([self.prompt, row, self.page])

    def press(self) -> None:
        """Write anew, in place of what is being written."""
        self.turns.instead(self.write, after=SETTLE)

    def write(self, stopped: Stopped = lambda: False) -> None:
        """Write once more, with other luck; what goes wrong is said on the page."""
        prompt = self.prompt.value.replace(BREAK, "\n").replace("⏎", "\n")
        strange = sorted({c for c in prompt if c not in VOCAB})
        if strange or not prompt or len(prompt) >= self._context:
            self.page.value = PAGE.format("", html.escape(_no(prompt, strange, self._context)))
            return
        self.seed += 1
        text = ""
        chosen = {name: box.value for name, box in self.settings.items()}
        settings = {name: None if value == OFF else value for name, value in chosen.items()}
        try:
            for letter in self.tokens(prompt, **settings):
                if stopped():
                    text += " …"
                    break
                text += letter
                self.page.value = PAGE.format(html.escape(prompt), html.escape(text))
        except Exception as error:
            text += f"\n\n{blame(error)}"
        self.page.value = PAGE.format(html.escape(prompt), html.escape(text))


@once_written
def writer(generate: Generate, model: nn.Module, context: int = CONTEXT) -> None:
    """Show the desk; where nobody sits at it, print one text instead.

    context: how many characters the model saw at once in its training; the text ends there.
    """
    desk = Writer(generate, model, context)
    if person_is_present():
        next(desk.tokens(PROMPT), None)  # an unwritten exercise says so now
        from IPython.display import display

        listen_to_interrupts()
        display(desk.widget())
        desk.press()
        return
    print(PROMPT + "".join(desk.tokens(PROMPT, temperature=0.8)))


def _no(prompt: str, strange: list[str], context: int) -> str:
    if strange:
        return f"The model does not know {' '.join(strange)}. It reads: {''.join(VOCAB).strip()}"
    if not prompt:
        return "It needs a beginning, if only one letter."
    return f"It reads {context} characters at most, and this beginning has {len(prompt)}."
