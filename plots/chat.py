"""A chat box: the conversation, a text box, and buttons to send, to stop and to begin anew."""

from __future__ import annotations

import html
import threading
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from plots.blame import blame
from plots.turns import SETTLE, Stopped, Turns, on_enter

Message = dict[str, str]  # "role": "user" or "assistant", "content": the text

STYLE = (
    "<style>.llama-chat{max-width:46em;line-height:1.45}.llama-chat p{margin:.35em 0;"
    "white-space:pre-wrap}.llama-chat .who{font-weight:bold;margin-right:.5em}</style>"
)


class ChatBox:
    """A text box, the conversation above it, and the answer as it comes."""

    def __init__(self, answer: Callable[[list[Message]], Iterator[str]]) -> None:
        self._answer = answer
        self.messages: list[Message] = []  # a new conversation is a new list
        self.turns, self._lock = Turns(), threading.RLock()

    @cached_property
    def widget(self) -> Any:
        """Conversation over text box and buttons; only what ipywidgets 7.7.1 and 8 share."""
        import ipywidgets

        wide = ipywidgets.Layout(width="34em", max_width="100%")
        self.page = ipywidgets.HTML(self.html())
        self.box = ipywidgets.Text(
            placeholder="Ask something", layout=wide, continuous_update=False
        )
        self.send = ipywidgets.Button(description="Send")
        self.stop = ipywidgets.Button(description="Stop", disabled=True)
        self.new = ipywidgets.Button(description="New conversation")
        on_enter(self.box, self.press)
        self.send.on_click(lambda _: self.press())
        self.stop.on_click(lambda _: self.turns.stop())
        self.new.on_click(lambda _: self.forget())
        row = ipywidgets.HBox(
            [self.box, self.send, self.stop, self.new],
            layout=ipywidgets.Layout(flex_flow="row wrap"),
        )
        return ipywidgets.VBox([self.page, row])

    def press(self) -> None:
        """Send what stands in the box; while an answer is coming it stays there."""
        if not self.turns.busy:
            self.turns.ask(lambda stopped: self.ask(self.box.value, stopped), after=SETTLE)

    def ask(self, question: str, stopped: Stopped = lambda: False) -> None:
        """Put a question and show the answer while it comes; what is there at a stop is kept.

        A question without any answer is not kept: two questions in a row are no conversation.
        """
        question = question.strip()
        with self._lock:
            if not question or stopped():
                return
            mine = self.messages
            mine.append({"role": "user", "content": question})
            self.box.value = ""
            self._show(mine, "…")
        self.send.disabled, self.stop.disabled = True, False
        answer, start, note = "", time.perf_counter(), ""
        try:
            pieces = self._answer([dict(message) for message in mine])
            for count, piece in enumerate(pieces, start=1):
                if stopped():
                    note = "stopped"
                    break
                answer += piece
                rate = f"{count / (time.perf_counter() - start):.1f} pieces a second"
                self._show(mine, answer, rate)
        except Exception as error:
            note = blame(error)
        with self._lock:
            if answer:
                mine.append({"role": "assistant", "content": answer})
            else:
                mine.pop()
                note = f"“{question}”: {note or 'the answer is empty'}"
            self._show(mine, note=note)
        self.send.disabled, self.stop.disabled = False, True

    def forget(self) -> None:
        """Begin a new conversation; an answer that is still coming belongs to the old one."""
        with self._lock:
            self.turns.stop()
            self.messages = []
            self._show(self.messages)

    def _show(self, messages: list[Message], coming: str = "", note: str = "") -> None:
        """Show a conversation, unless another one has begun."""
        with self._lock:
            if messages is self.messages:
                self.page.value = self.html(coming, note)

    def html(self, coming: str = "", note: str = "") -> str:
        """The conversation so far, and the answer that is on its way."""
        shown = [(message["role"], message["content"]) for message in self.messages]
        shown += [("assistant", coming)] if coming else []
        names = {"user": "You", "assistant": "SmolLM2"}
        lines = [
            f'<p><span class="who">{names[role]}</span>{html.escape(text)}</p>'
            for role, text in shown
        ]
        small = f"<p><small>{html.escape(note)}</small></p>" if note else ""
        return f'{STYLE}<div class="llama-chat" aria-live="polite">{"".join(lines)}{small}</div>'
