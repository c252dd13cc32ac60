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
from plots.real_weights_live import waiting
from plots.style import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
HESITATING = [{"role": "user", "content": "Why is the sky blue? Answer in two sentences."}]
STEPS = 8 if short() else 24  # tokens of an answer that are looked at
LINE = 0.27  # inches that a line of boxes takes

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
        lines = boxes(fig.add_axes((0.01, 0.01, 0.98, 0.98)), tokens, looks)
        below = 0.97 - lines * LINE / fig.get_figheight()
        fig.text(0.02, below, "the file's template, each tag on a line of its own:", va="top")
        code = {"family": "monospace", "fontsize": 8, "va": "top", "linespacing": 1.3}
        fig.text(0.02, below - 0.055, in_lines(template), gid="template", **code)
        what = "what the template makes of it" if is_whole else "the default prompt and the ending"
        says = f"Your chat_prompt writes the same: {what} was compared."
        if mine != theirs:
            says = f"Your chat_prompt does NOT write what the template does: {_at(mine, theirs)}."
        return f"{len(tokens)} tokens, in orange the special ones. {says}"

    return explore(draw, conversation=list(talks), size=(7.2, 4.8))


def boxes(axes: Axes, tokens: Sequence[str], looks: Sequence[Look], wrapped: bool = True) -> int:
    """Tokens in frames, one after the other; return on how many lines.

    `wrapped`: a line ends where the text's own lines do.
    """
    line = 100 * LINE / (axes.get_position().height * axes.figure.get_figheight())
    axes.set(xlim=(0, 100), ylim=(0, 100))
    axes.axis("off")
    x, y = 1.0, 100 - 0.6 * line
    for place, (token, (color, style, fill)) in enumerate(zip(tokens, looks, strict=True)):
        shown = token.replace("\n", "⏎").replace(" ", "·")
        width = 1.6 + 1.13 * len(shown)
        if x + width > 99:
            x, y = 1.0, y - line
        frame = {
            "boxstyle": "square,pad=0.25",
            "facecolor": (*_rgb(color), fill),
            "edgecolor": color,
            "linestyle": style,
            "linewidth": 0.7 if color == GREY else 1.4,
        }
        axes.text(
            x + 0.5, y, shown, family="monospace", fontsize=8.5, bbox=frame, va="center",
            gid=f"token-{place}",
        )  # fmt: skip
        x += width
        if wrapped and token.endswith("\n"):
            x, y = 1.0, y - line
    return round((100 - 0.6 * line - y) / line) + (x > 1.0)


def _rgb(color: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(color)


def in_lines(template: str) -> str:
    """A Jinja template for the eye: its tags one under the other, blocks moved in."""
    lines, depth = [], 0
    for tag in re.findall(r"{%.*?%}|{{.*?}}", template, flags=re.DOTALL):
        depth -= tag.startswith("{% end")
        text = tag.replace("\n", "⏎")
        lines += textwrap.wrap(
            text, 96, initial_indent="  " * depth, subsequent_indent="  " * depth + "    "
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
    chosen = [ids[0] for ids, _ in steps]

    def draw(fig: Figure, token: int) -> str:
        ids, shares = steps[token - 1]
        names = [_shown(tokenizer.decode([i], skip_special_tokens=False)) for i in ids]
        so_far = tokenizer.decode(chosen[: token - 1])
        lines = (textwrap.wrap(f"{so_far} ▏", 84) or [""])[-2:]
        fig.text(0.02, 0.97, "\n".join(lines), va="top", fontsize=10, gid="so-far")
        axes = fig.add_axes((0.2, 0.06, 0.72, 0.66))
        for place, share in enumerate(shares):
            color = BLUE if place == 0 else GREY
            (bar,) = axes.barh([place], [share], 0.7, color=color, alpha=0.8)
            bar.set_gid(f"share-{place}")
            axes.text(share + 0.01, place, f"{100 * share:.1f} %", va="center", fontsize=10)
        axes.set_yticks(range(5), names, family="monospace")
        axes.set(xlim=(0, 1.12), ylim=(4.6, -0.6), xticks=[])
        axes.spines["bottom"].set_visible(False)
        sure = shares[0] / max(shares[1], 1e-9)
        feeling = "It is sure." if shares[0] > 0.9 else f"{sure:.1f} times as likely as the next."
        return f"Token {token}: {names[0]!r} with {100 * shares[0]:.1f} %. {feeling}"

    start = 1 + min(range(len(steps)), key=lambda i: steps[i][1][0])
    tokens = range(1, len(steps) + 1)
    return explore(draw, token=tokens, start={"token": start}, play="token", size=(7.2, 2.8))


def _shown(token: str) -> str:
    return token.replace("\n", "⏎").replace(" ", "·") or "(part of a character)"
