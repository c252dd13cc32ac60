"""Lab 11: what the model reads of a conversation, token by token, and what it thinks of writing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plots.flipbook import Flipbook, explore
from plots.measures.real_weights import next_tokens, opened, text_of
from plots.real_weights_live import waiting
from plots.style import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
HESITATING = [{"role": "user", "content": "Why is the sky blue? Answer in two sentences."}]
STEPS = 24  # tokens of an answer that are looked at


def prompt_tokens(chat_prompt: Callable[..., str], path: Path | None) -> Flipbook:
    """The learner's prompt, token by token in boxes, and whether the file's template agrees."""
    file = opened(path)
    if file is None:
        return waiting()
    talks = conversations()
    written = text_of(file)

    def draw(fig: Figure, conversation: str) -> str:
        mine, theirs = chat_prompt(talks[conversation]), written(talks[conversation])
        tokens = tokens_of(file, mine)
        axes = fig.add_axes((0.01, 0.01, 0.98, 0.98))
        axes.set(xlim=(0, 100), ylim=(0, 100))
        axes.axis("off")
        x, y = 1.0, 95.0
        for token in tokens:
            special = token.startswith("<|")
            shown = token.replace("\n", "⏎").replace(" ", "·")
            width = 1.6 + 1.13 * len(shown)
            if x + width > 99:
                x, y = 1.0, y - 9.6
            box = {
                "boxstyle": "square,pad=0.25",
                "facecolor": "none",
                "edgecolor": ORANGE if special else GREY,
                "linewidth": 1.4 if special else 0.7,
            }
            axes.text(x + 0.5, y, shown, family="monospace", fontsize=8.5, bbox=box, va="center")
            x += width
            if token.endswith("\n"):
                x, y = 1.0, y - 9.6
        same = "the same text as the file's own template"
        if mine != theirs:
            same = f"NOT what the file's own template writes: {_at(mine, theirs)}"
        return f"{len(tokens)} tokens, in orange the special ones. Your chat_prompt writes {same}."

    return explore(draw, conversation=list(talks), size=(7.2, 3.4))


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
    steps = next_tokens(model, prompt, STEPS)
    chosen = [ids[0] for ids, _ in steps]

    def draw(fig: Figure, token: int) -> str:
        ids, shares = steps[token]
        names = [_shown(tokenizer.decode([i], skip_special_tokens=False)) for i in ids]
        so_far = tokenizer.decode(chosen[:token])
        lines = _wrapped(f"{so_far} ▏", 84)[-2:]
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
        return f"Token {token + 1}: {names[0]!r} with {100 * shares[0]:.1f} %. {feeling}"

    start = min(range(len(steps)), key=lambda i: steps[i][1][0])
    return explore(
        draw, token=range(len(steps)), start={"token": start}, play="token", size=(7.2, 2.8)
    )


def _shown(token: str) -> str:
    return token.replace("\n", "⏎").replace(" ", "·") or "(part of a character)"


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width) or [""]
