"""A page to talk to models: the conversation, how each token was chosen, and the controls.

Only the API that ipywidgets 7.7.1 (Colab) and 8 share is used. The work is done in one thread, one
thing after the other (plots/turns.py); a stop is looked at between two pieces of an answer.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from plots.blame import blame
from plots.real_weights_chat_page import Turn, page, plain
from plots.real_weights_voices import CannotSpeak, Message, Setting, Voice
from plots.turns import SETTLE, Stopped, Turns, listen_to_interrupts, on_enter

LATE = 2.0  # seconds after a click in which a text that arrives belongs to it
PAUSE = 0.06  # seconds between two paintings of the page: who reads sees no more
ASK = "Ask something"
LOADING = "opening {}: this takes some seconds …"
FULL = (
    "The memory was not enough. Choose a smaller model, or shut down other kernels, restart this "
    "one and try again."
)

Open = Callable[[], Voice]


class ChatBox:
    """A conversation with one of several models, and the widgets for it."""

    def __init__(
        self,
        models: Mapping[str, Open],
        *,
        title: str = "Llama",
        notes: list[str] | None = None,
        hints: Mapping[str, str] | None = None,
        open_file: Callable[[str], tuple[str, Open]] | None = None,
        setting: Setting | None = None,
    ) -> None:
        """models: what opens each, by the name that its turns are signed with; the first is chosen.

        notes: sentences under the title. hints: what to type, where it is no question. open_file:
        path → name and opening of one more model.
        """
        self.models, self._open_file = dict(models), open_file
        self.title, self.notes, self._hints = title, notes or [], hints or {}
        self._first = setting or Setting()
        self._voices: dict[str, Voice] = {}
        self.talk: list[Turn] = []  # a new conversation is a new list
        self.turns, self._lock = Turns(), threading.RLock()
        self._kept: Any = None  # the transcript that stays in the saved notebook
        self._painted = 0.0

    @property
    def messages(self) -> list[Message]:
        """What the model has read and said since it was chosen."""
        return messages_of(self.talk)

    @cached_property
    def widget(self) -> Any:
        """Title and settings over the conversation over the text box."""
        import ipywidgets

        def row(*controls: Any) -> Any:
            return ipywidgets.HBox(controls, layout=ipywidgets.Layout(flex_flow="row wrap"))

        def button(name: str, press: Callable[[], None], **look: Any) -> Any:
            tight = ipywidgets.Layout(width="max-content")
            made = ipywidgets.Button(description=name, layout=tight, **look)
            made.on_click(lambda _: press())
            return made

        def slider(name: str, value: float, low: float, high: float, step: float) -> Any:
            return ipywidgets.FloatSlider(
                value=value,
                min=low,
                max=high,
                step=step,
                description=name,
                readout_format=".2f",
                continuous_update=False,
                style={"description_width": "initial"},
                layout=ipywidgets.Layout(width="19em", max_width="100%", flex="0 1 auto"),
            )

        wide = ipywidgets.Layout(width="30em", max_width="100%")
        names = list(self.models)
        self.model = ipywidgets.Dropdown(
            options=names,
            value=names[0],
            description="model",
            style={"description_width": "initial"},
            layout=ipywidgets.Layout(width="max-content", max_width="100%"),
        )
        self.model.observe(lambda _: self._model_chosen(), names="value")
        self.temperature = slider("temperature", self._first.temperature, 0.0, 2.0, 0.1)
        self.p = slider("top-p", self._first.p, 0.1, 1.0, 0.05)
        self.page = ipywidgets.HTML(self.html())
        self.box = ipywidgets.Text(
            placeholder=self._hints.get(names[0], ASK), layout=wide, continuous_update=False
        )
        on_enter(self.box, self.press)
        self.send = button("Send", self.press, button_style="primary")
        self.stop = button("Stop", self.turns.stop, disabled=True)
        self.new = button("New conversation", self.forget)
        rows = [
            row(self.model, self.temperature, self.p),
            self.page,
            row(self.box, self.send, self.stop, self.new),
        ]
        if self._open_file:
            self.path = ipywidgets.Text(
                placeholder="a larger GGUF file of yours: its path",
                layout=wide,
                continuous_update=False,
            )
            on_enter(self.path, self.press_open)
            self.open = button("Open", self.press_open)
            rows.append(row(self.path, self.open))
        return ipywidgets.VBox(rows)

    def press(self) -> None:
        """Send what stands in the box; while an answer is coming it stays there."""
        if not self.turns.busy:
            self.turns.ask(self._send, after=SETTLE)

    def _send(self, stopped: Stopped) -> None:
        """Ask what stands in the box; on a busy machine its text comes later than the click."""
        end = time.monotonic() + LATE
        while not self.box.value.strip() and not stopped() and time.monotonic() < end:
            time.sleep(SETTLE / 3)
        self.ask(self.box.value, stopped)

    def press_open(self) -> None:
        """Open the file whose path stands in the lower box, and choose its model."""
        if not self.turns.busy:
            self.turns.ask(lambda _: self._open(self.path.value.strip()), after=SETTLE)

    def ask(self, question: str, stopped: Stopped = lambda: False) -> None:
        """Put a question and show the answer while it comes; what is there at a stop is kept.

        A question without any answer is not kept: two questions in a row are no conversation.
        """
        question = question.strip()
        with self._lock:
            if not question or stopped():
                return
            talk, setting = self.talk, self.setting
            turn = Turn(question, self.model.value, setting)
            talk.append(turn)
            self.box.value = ""
        self.send.disabled, self.stop.disabled = True, False
        try:
            self._speak(talk, turn, stopped)
        except CannotSpeak as reason:
            turn.note = str(reason)
        except Exception as error:
            turn.note = FULL if _is_full(error) else blame(error)
        with self._lock:
            if not turn.pieces:
                talk.remove(turn)
            elif not turn.note:
                turn.note = turn.speed()
            lost = "" if turn.pieces else f"“{question}”: {turn.note or 'the answer is empty'}"
            self._show(talk, lost)
            if talk is self.talk:
                self._keep()
        self.send.disabled, self.stop.disabled = False, True

    def _speak(self, talk: list[Turn], turn: Turn, stopped: Stopped) -> None:
        if turn.model not in self._voices:
            self._show(talk, LOADING.format(turn.model))
            self._voices[turn.model] = self.models[turn.model]()
        turn.asked = time.perf_counter()  # opening is not answering
        self._show(talk, "…")
        for piece in self._voices[turn.model].answer(messages_of(talk), turn.setting):
            if stopped():
                turn.note = f"stopped; {turn.speed()}"
                break
            turn.add(piece)
            if time.monotonic() - self._painted > PAUSE:
                self._show(talk, turn.speed())

    @property
    def setting(self) -> Setting:
        """What the sliders say."""
        return Setting(round(self.temperature.value, 2), round(self.p.value, 2), self._first.seed)

    def forget(self) -> None:
        """Begin a new conversation; an answer that is still coming belongs to the old one."""
        with self._lock:
            self.turns.stop()
            self.talk = []
            self._show(self.talk)

    def _model_chosen(self) -> None:
        """Another model: it has not read what the others were told."""
        with self._lock:
            self.turns.stop()
            self.box.placeholder = self._hints.get(self.model.value, ASK)
            self._show(self.talk)

    def _open(self, path: str) -> None:
        try:
            if path and self._open_file:
                name, opens = self._open_file(path)
                self.models[name] = opens
                self._voices.pop(name, None)
                self.model.options = list(self.models)
                self.model.value = name
                self._show(self.talk, f"{name} is opened when you ask it something.")
        except CannotSpeak as reason:
            self._show(self.talk, str(reason))
        except Exception as error:
            self._show(self.talk, blame(error))

    def _show(self, talk: list[Turn], note: str = "") -> None:
        """Show a conversation, unless another one has begun."""
        with self._lock:
            if talk is self.talk:
                self._painted = time.monotonic()
                self.page.value = self.html(note)

    def html(self, note: str = "", whole: bool = False) -> str:
        """The page as it is now; `whole` as it stands in a saved notebook."""
        return page(self.title, self.notes, self.talk, note, whole)

    def bundle(self) -> dict[str, str]:
        """The transcript, for pages without a kernel."""
        text = plain(self.title, self.notes, self.talk)
        return {"text/html": self.html(whole=True), "text/plain": text}

    def _keep(self) -> None:
        """Let the saved notebook have what was said."""
        if self._kept is not None:
            self._kept.update(self._still(), raw=True)

    def _still(self) -> dict[str, str]:
        bundle, mark = self.bundle(), self._mark
        hide = f"<style>body:has(.{mark}.llama-now) .{mark}.llama-still{{display:none}}</style>"
        bundle["text/html"] = f'<div class="{mark} llama-still">{hide}{bundle["text/html"]}</div>'
        return bundle

    @cached_property
    def _mark(self) -> str:
        return "llama-" + hashlib.sha1(str(id(self)).encode()).hexdigest()[:8]

    def show(self) -> None:
        """Display the widgets, and under them the transcript, which they hide while they live."""
        from IPython.display import display

        listen_to_interrupts()
        self._kept = display(self._still(), raw=True, display_id=True)
        self.widget.add_class(self._mark)
        self.widget.add_class("llama-now")
        display(self.widget)


def messages_of(talk: list[Turn]) -> list[Message]:
    """The turns since the model was chosen, as a conversation; the last may wait for its answer."""
    model, found = talk[-1].model if talk else "", []
    for turn in reversed(talk):
        if turn.model != model:
            break
        found.append(turn)
    messages = []
    for turn in reversed(found):
        messages.append({"role": "user", "content": turn.question})
        if turn.pieces:
            messages.append({"role": "assistant", "content": turn.text})
    return messages


def _is_full(error: Exception) -> bool:
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and "alloc" in str(error)
    )
