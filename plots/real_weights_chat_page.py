"""How a conversation with a model looks: whose turn it is, and how sure each token was."""

from __future__ import annotations

import html
import time
from dataclasses import dataclass, field

from plots.boxes import visible
from plots.real_weights_voices import Piece, Setting
from plots.style import number

STYLE = """<style>
.llama-chat{max-width:60em;line-height:1.5;position:relative}
.llama-chat h3{margin:.2em 0}
.llama-chat p{margin:.35em 0;white-space:pre-wrap;overflow-wrap:anywhere}
.llama-chat .now{display:flex;flex-direction:column-reverse;max-height:24em;overflow-y:auto}
.llama-chat .who{font-weight:bold;margin-right:.5em}
.llama-chat .piece{border-radius:2px}
.llama-chat .piece:hover{outline:1px solid currentColor}
.llama-chat .piece:hover::after{content:attr(data-says);position:absolute;left:0;bottom:0;z-index:2;
padding:.1em .5em;border-radius:4px;color:#fff;background:#333;font-size:13px;white-space:pre-wrap}
.llama-chat small{opacity:.85;font-size:12px}
</style>"""
KEY = (
    "The fuller a token's colour, the surer the model was of it. Point at one for its probability "
    "and for what might have come instead."
)
FULLEST = 0.5  # opacity of a token that was certain: text stays readable on it


@dataclass
class Turn:
    """A question, which model was asked, and what has come of its answer."""

    question: str
    model: str
    setting: Setting
    pieces: list[Piece] = field(default_factory=list)
    note: str = ""
    asked: float = field(default_factory=time.perf_counter)
    first: float = 0.0  # when the first piece was there
    last: float = 0.0

    def add(self, piece: Piece) -> None:
        """One more piece, now."""
        self.last = time.perf_counter()
        self.first = self.first or self.last
        self.pieces.append(piece)

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(piece.text for piece in self.pieces)

    def speed(self) -> str:
        """Tokens a second, after the first one, and how long that took."""
        tokens = sum(piece.tokens for piece in self.pieces)
        if tokens == 0:
            return "…"
        waited = f"the first after {self.first - self.asked:.1f} s"
        if self.last <= self.first:
            return waited
        after = tokens - self.pieces[0].tokens
        return f"{after / (self.last - self.first):.1f} tokens a second, {waited}"


def page(
    title: str, notes: list[str], talk: list[Turn], note: str = "", whole: bool = False
) -> str:
    """The page: title, notes, turns, and a line about what is going on.

    whole: all turns at once, for a saved notebook; else a box that scrolls and shows its end.
    """
    lines, model = [], ""
    for turn in talk:
        if model and turn.model != model:
            lines.append(f"<p><small>— now {html.escape(turn.model)} —</small></p>")
        model = turn.model
        lines.append(_line("You", html.escape(turn.question)))
        if turn.pieces:
            lines.append(_line(title, "".join(map(_span, turn.pieces))))
        if turn.note:
            how = f"temperature {turn.setting.temperature:g}, top-p {turn.setting.p:g}"
            note_of = html.escape(f"{turn.model}, {how}: {turn.note}")
            lines.append(f"<p><small>{note_of}</small></p>")
    if note:
        lines.append(f"<p><small>{html.escape(note)}</small></p>")
    about = "".join(f"<p><small>{html.escape(one)}</small></p>" for one in notes)
    key = f"<p><small>{KEY}</small></p>"
    return (
        f'{STYLE}<div class="llama-chat"><h3>{html.escape(title)}</h3>{about}'
        f'<div class="{"" if whole else "now"}" tabindex="0">'
        f'<div aria-live="polite">{"".join(lines)}</div></div>'
        f"{key}</div>"
    )


def plain(title: str, notes: list[str], talk: list[Turn]) -> str:
    """The same as text."""
    lines = [title, *notes]
    for turn in talk:
        lines += ["", f"You: {turn.question}", f"{turn.model}: {turn.text}", f"({turn.note})"]
    return "\n".join(lines)


def _line(who: str, said: str) -> str:
    return f'<p><span class="who">{html.escape(who)}</span>{said}</p>'


def _span(piece: Piece) -> str:
    """A token on its shade; pointing at it says, at the foot of the page, what it knew."""
    others = ", ".join(f"“{visible(text)}” {number(share)}" for text, share in piece.others)
    says = f"“{visible(piece.text)}” {number(piece.share)}" + (f"; else {others}" if others else "")
    shade = f"background:rgba(0,114,178,{FULLEST * piece.share:.2f})"
    text = html.escape(piece.text)
    return f'<span class="piece" style="{shade}" data-says="{html.escape(says)}">{text}</span>'
