"""Lab 11: what the model reads of a conversation, token by token, and what it thinks of writing."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plots.flipbook import Flipbook, explore
from plots.measure import short
from plots.measures.real_weights import opened, template_of
from plots.measures.real_weights_answers import END, next_tokens
from plots.page import says
from plots.real_weights_live import waiting
from plots.style import BLUE, GREY, ORANGE, is_narrow, number, rgb

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
HESITATING = [{"role": "user", "content": "Why is the sky blue? Answer in two sentences."}]
STEPS = 8 if short() else 20  # tokens of an answer that are looked at
LINE = 0.26  # inches that a line of boxes takes
LETTER = 0.602 * 9 / 72  # inches, the width of a letter of 9 points
PAD = 0.045  # inches between a letter and its frame

Look = tuple[str, str, float]  # colour and style of the frame, how much of it fills the box


def prompt_tokens(chat_prompt: Callable[..., str], path: Path | None) -> Flipbook:
    """The learner's prompt, token by token, over the file's template, and whether they agree."""
    file = opened(path)
    if file is None:
        return waiting()
    talks = conversations()
    template, render, is_whole = template_of(file)

    def draw(fig: Figure, conversation: str) -> str:
        mine, theirs = chat_prompt(talks[conversation]), render(talks[conversation])
        tokens = tokens_of(file, mine)
        looks = [(ORANGE, "-", 0.0) if t.startswith("<|") else (GREY, "-", 0.0) for t in tokens]
        narrow, height = is_narrow(fig), fig.get_figheight()
        width = 3.2 if narrow else 5.0
        page = fig.add_axes((0.012, 0, width / fig.get_figwidth(), 1))
        hovers = [f"token {place}: “{visible_token(t)}”" for place, t in enumerate(tokens, start=1)]
        lines = flow(page, tokens, looks, width, hovers=hovers)
        left, top = (0.02, 0.97 - lines * LINE / height) if narrow else (0.53, 0.97)
        fig.text(left, top, "the file's template:", va="top", fontsize=10, color=GREY)
        code = {"family": "monospace", "fontsize": 9, "va": "top", "linespacing": 1.3}
        listing = in_lines(template, columns_of(3.2 if narrow else 4.7))
        fig.text(left, top - 0.22 / height, listing, gid="template", **code)
        what = "what the template makes of it" if is_whole else "the default prompt and the ending"
        says_so = f"Your chat_prompt writes the same: {what} was compared."
        if mine != theirs:
            says_so = (
                f"Your chat_prompt does NOT write what the template does: {_at(mine, theirs)}."
            )
        return f"{len(tokens)} tokens, in orange the special ones. {says_so}"

    return explore(draw, conversation=list(talks), size=(10.2, 2.8), narrow=(3.3, 6.3))


def columns_of(inches: float) -> int:
    """How many letters of the small typewriter face stand in a line."""
    return int(inches / LETTER)


def visible_token(token: str) -> str:
    """A token with its white space shown."""
    return token.replace("\n", "⏎").replace(" ", "·")


def flow(
    axes: Axes,
    tokens: Sequence[str],
    looks: Sequence[Look],
    inches: float,
    *,
    wrapped: bool = True,
    hovers: Sequence[str] | None = None,
) -> int:
    """Tokens in frames, one after the other, in lines of `inches`; return on how many lines.

    axes: as wide as that, and empty. wrapped: a line ends where the text's own lines do.
    """
    from matplotlib.patches import Rectangle

    box = axes.get_position()
    tall = box.height * axes.figure.get_figheight()
    axes.set(xlim=(0, inches), ylim=(tall, 0))
    axes.axis("off")
    x, line = 0.0, 0
    for place, (token, (color, style, fill)) in enumerate(zip(tokens, looks, strict=True)):
        shown = visible_token(token)
        width = LETTER * len(shown) + 2 * PAD
        if x > 0 and x + width > inches:
            x, line = 0.0, line + 1
        frame = Rectangle(
            (x + 0.01, line * LINE + 0.03), width - 0.02, LINE - 0.06,
            facecolor=(*rgb(color), fill), edgecolor=color, linestyle=style,
            linewidth=0.7 if color == GREY else 1.2,
        )  # fmt: skip
        axes.add_patch(frame)
        text = axes.text(
            x + PAD, (line + 0.5) * LINE, shown, family="monospace", fontsize=9,
            va="center_baseline", gid=f"token-{place}",
        )  # fmt: skip
        if hovers:
            says(text, hovers[place])
        x += width
        if wrapped and token.endswith("\n"):
            x, line = 0.0, line + 1
    return line + (x > 0)


def in_lines(template: str, columns: int = 96) -> str:
    """A Jinja template for the eye: its tags one under the other, blocks moved in."""
    lines, depth = [], 0
    for tag in re.findall(r"{%.*?%}|{{.*?}}", template, flags=re.DOTALL):
        depth -= tag.startswith("{% end")
        text = tag.replace("\n", "⏎")
        lines += textwrap.wrap(
            text, columns, initial_indent="  " * depth, subsequent_indent="  " * depth + "    "
        )
        depth += tag.startswith(("{% for", "{% if"))
    return "\n".join(lines)


def _at(mine: str, theirs: str) -> str:
    place = next(
        (i for i, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b),
        min(len(mine), len(theirs)),
    )
    return f"they part after {mine[max(0, place - 20) : place]!r}"


def tokens_of(file: Any, text: str) -> list[str]:
    """The text of each token."""
    from assets import smollm2

    known = smollm2.tokenizer(file)
    return [known.decode([i], skip_special_tokens=False) for i in known.encode(text).ids]


def conversations() -> dict[str, list[dict[str, str]]]:
    """Three of them, by what there is to see."""
    system = {"role": "system", "content": "You are a pirate."}
    later = [
        {"role": "assistant", "content": "Paris."},
        {"role": "user", "content": "And of Peru?"},
    ]
    return {
        "a question": QUESTION,
        "a system prompt": [system, *QUESTION],
        "three turns": [*QUESTION, *later],
    }


def next_token(chat_prompt: Callable[..., str], model: Any, tokenizer: Any) -> Flipbook:
    """The five likeliest tokens at each step of an answer, and the text so far."""
    if model is None:
        return waiting()
    try:
        asked = chat_prompt(HESITATING)
    except NotImplementedError:
        return explore(lambda fig: chat_prompt(HESITATING))
    prompt = tokenizer.encode(asked).ids
    steps = next_tokens(model, prompt, STEPS, tokenizer.token_to_id(END))
    written = [tokenizer.decode([ids[0]], skip_special_tokens=False) for ids, _ in steps]

    def draw(fig: Figure, token: int) -> str:
        ids, shares = steps[token - 1]
        names = [_shown(tokenizer.decode([i], skip_special_tokens=False)) for i in ids]
        narrow, (width, height) = is_narrow(fig), fig.get_size_inches()
        page = fig.add_axes((0.05 / width, 0, 1 - 0.1 / width, 1 - 0.05 / height))
        looks = [
            (ORANGE if place == token - 1 else BLUE, "-", 0.6 * steps[place][1][0])
            for place in range(len(steps))
        ]
        hovers = [f"“{_shown(t)}”: {number(steps[i][1][0])}" for i, t in enumerate(written)]
        lines = flow(page, written, looks, width - 0.1, wrapped=False, hovers=hovers)
        below = 1 - (lines * LINE + 0.2) / height
        axes = fig.add_axes((0.32, 0.02, 0.64, below) if narrow else (0.2, 0.02, 0.72, below))
        for place, share in enumerate(shares):
            color = BLUE if place == 0 else GREY
            (bar,) = axes.barh([place], [share], 0.7, color=color, alpha=0.8)
            bar.set_gid(f"share-{place}")
            says(bar, f"“{names[place]}”: {100 * share:.1f} %")
            axes.text(share + 0.01, place, f"{100 * share:.1f} %", va="center", fontsize=10)
        axes.set_yticks(range(5), names, family="monospace", fontsize=9 if narrow else 10)
        axes.set(xlim=(0, 1.25 if narrow else 1.12), ylim=(4.6, -0.6), xticks=[])
        axes.spines["bottom"].set_visible(False)
        sure = shares[0] / max(shares[1], 1e-9)
        feeling = "It is sure." if shares[0] > 0.9 else f"{sure:.1f} times as likely as the next."
        return (
            f"Token {token}: {names[0]!r} with {100 * shares[0]:.1f} %. {feeling} Above, the whole "
            "answer: the paler a token, the less sure it was."
        )

    start = 1 + min(range(len(steps)), key=lambda i: steps[i][1][0])
    tokens = range(1, len(steps) + 1)
    return explore(
        draw,
        token=tokens,
        start={"token": start},
        play="token",
        size=(8.6, 2.9),
        narrow=(3.3, 3.8),
    )


def _shown(token: str) -> str:
    return token.replace("\n", "⏎").replace(" ", "·") or "(part of a character)"
