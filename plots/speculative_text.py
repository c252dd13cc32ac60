"""Lab 14: texts in which each token shows where it came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from assets.shakespeare_llama import VOCAB
from plots.boxes import visible
from plots.flipbook import Flipbook, explore
from plots.live import live
from plots.measure import one_thread, short
from plots.measures.speculative import END, WAITING, prompt_of
from plots.page import says
from plots.speculative_bars import COLORS
from plots.style import BLUE, GREEN, GREY, PINK, number, rgb

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from plots.measures.speculative_letters import Letters

Generate = Callable[..., Iterator[int]]

STORY = (
    "the fox saw the grapes and the fox said the grapes are sour . the crow heard that the fox "
    "said the grapes are sour . then the crow saw the grapes and the crow ate the grapes ."
)
WORDS = STORY.split()
GUESSED = 4  # words
PROMPT, N_NEW = "ROMEO:\n", 40 if short() else 96
N_ANSWER = 8 if short() else 80
QUESTION = "Name three fruits."
LINE = 0.28  # inches that a line takes
LETTER = 0.602 * 10 / 72  # inches, the width of a letter of 10 points
SEED = 1


@dataclass
class Token:
    """A token of a text: how it came, and in which call of the target."""

    text: str
    kind: str  # accepted, corrected or free
    call: int


def lookup(lookup_draft: Callable[..., Tensor]) -> Flipbook:
    """A text up to a word, where its end stood before, and the guess behind it."""
    kinds = sorted(set(WORDS))
    ids = torch.tensor([kinds.index(word) for word in WORDS])
    ends = range(2, len(WORDS) - GUESSED + 1, 2)

    def draw(fig: Figure, read: int) -> str:
        guess = lookup_draft(ids[:read], GUESSED).flatten().tolist()
        truth = ids[read : read + len(guess)].tolist()
        right = [a == b for a, b in zip(guess, truth, strict=False)]
        good = right.index(False) if False in right else len(right)
        n, place = _found(ids[:read].tolist(), guess)
        looks: list[tuple[str, str, float]] = []
        for i in range(read):
            used = i >= read - n or place <= i < place + n
            looks.append((BLUE, "found" if used else "read", 0.3 if used else 0.0))
        words = [*WORDS[:read], *(kinds[i] if 0 <= i < len(kinds) else "?" for i in guess)]
        looks += [(GREEN if ok else PINK, "right" if ok else "wrong", 0.35) for ok in right]
        page = _page(fig)
        _flow(page, words, looks, _inches(fig, page))
        says_found = f"the last {n} stood before" if n else "the last word is new, or was not found"
        return (
            f"After {read} words {says_found}. {len(guess)} "
            f"guess{'es' * (len(guess) != 1)}, of which {good} in a row come{'s' * (good == 1)} "
            "right (green; pink is wrong). Blue: the end of the text, and where it stood before."
        )

    return explore(
        draw,
        read=ends,
        start={"read": 22},
        play="read",
        labels={"read": "words read"},
        size=(7.2, 1.25),
        narrow=(3.3, 2.2),
    )


def _found(text: list[int], guess: list[int]) -> tuple[int, int]:
    """The longest end of a text that stood before what was guessed: how many tokens, and where."""
    if not guess:
        return 0, 0
    for n in range(3, 0, -1):
        for place in range(len(text) - n - 1, -1, -1):
            if text[place : place + n] == text[-n:] and text[place + n :][: len(guess)] == guess:
                return n, place
    return 0, 0


class Watched:
    """A target and a draft whose calls are noted."""

    def __init__(self, model: Any, draft: Callable[..., Any]) -> None:
        self.model, self.draft = model, draft
        self.calls = 0
        self.drafts: list[list[int]] = []

    def __call__(self, *args: Any) -> Tensor:
        """What the target answers."""
        self.calls += 1
        return self.model(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def guess(self, *args: Any) -> tuple[Tensor, Tensor]:
        """What the draft answers."""
        drafts, q = self.draft(*args)
        self.drafts.append(drafts.flatten().tolist())
        return drafts, q


def tokens_of(
    speculative_generate: Generate,
    model: Any,
    draft: Callable[..., Any],
    ids: Tensor,
    n_new: int,
    decode: Callable[[list[int]], str],
    **settings: Any,
) -> list[Token]:
    """Write after ids (1, T), and say of each token how it came."""
    watched = Watched(model, draft)
    by_call: dict[int, list[int]] = {}
    for token in speculative_generate(watched, watched.guess, ids, n_new, **settings):
        by_call.setdefault(watched.calls, []).append(int(token))
    tokens = []
    for call, kept in by_call.items():
        drafts = watched.drafts[call - 1] if call <= len(watched.drafts) else []
        for place, token in enumerate(kept):
            if place < len(drafts):
                kind = "accepted" if token == drafts[place] else "corrected"
            else:
                kind = "free"
            tokens.append(Token(decode([token]), kind, call))
    return tokens


def rounds(speculative_generate: Generate, model: nn.Module, counts: Letters) -> Flipbook:
    """A text of the small Llama, its letters coloured by how they came, a gap after each call."""
    ids = torch.tensor([[VOCAB.index(letter) for letter in PROMPT]])

    def draw(fig: Figure, drafts: int, reads: int, temperature: float) -> str:
        draft = counts.with_(reads, temperature)
        settings = {"n_draft": drafts, "temperature": temperature}
        luck = torch.Generator().manual_seed(SEED)
        with one_thread():
            tokens = tokens_of(
                speculative_generate, model, draft, ids, N_NEW,
                lambda one: VOCAB[one[0]], generator=luck, **settings,
            )  # fmt: skip
        page = _page(fig)
        _draw_tokens(page, tokens, _inches(fig, page))
        return _summary(tokens)

    return explore(
        draw,
        drafts=(1, 2, 4, 8),
        reads=(1, 4),
        temperature=(0, 1),
        start={"drafts": 4, "reads": 4, "temperature": 0},
        play="drafts",
        labels={"reads": "draft reads … letters"},
        size=(7.2, 1.55),
        narrow=(3.3, 2.9),
    )


def your_llama(
    speculative_generate: Generate,
    drafts: Mapping[str, Callable[..., Any]],
    target: Any,
    quick: Any,
    chat_prompt: Callable[..., str],
    tokenizer: Any,
) -> Any:
    """An answer of the exact model to one's own question, its tokens coloured by how they came."""
    if target is None:
        print(WAITING)
        return None
    names = [*drafts, "nobody"]
    by_model, by_text = drafts.values()

    def guesser(who: str, room: int) -> Callable[..., Any]:
        if who == names[0]:
            return by_model(quick, room, 0)
        if who == names[1]:
            return by_text(target.config.vocab_size)
        none = torch.zeros(0, dtype=torch.long), torch.zeros(0, target.config.vocab_size)
        return lambda ids, n, generator=None: none

    def draw(fig: Figure, question: str, guesses: str, at_a_time: str) -> str:
        ids = prompt_of(chat_prompt, tokenizer, question)
        draft = guesser(guesses, ids.shape[1] + N_ANSWER + 16)
        end = {tokenizer.token_to_id(END)}
        with one_thread():
            tokens = tokens_of(
                speculative_generate, target, draft, ids, N_ANSWER, tokenizer.decode,
                n_draft=int(at_a_time), temperature=0, stop=end,
            )  # fmt: skip
        page = _page(fig)
        _draw_tokens(page, tokens, _inches(fig, page))
        return _summary(tokens)

    return live(
        draw,
        button="Ask",
        size=(7.2, 3.4),
        narrow=(3.3, 5.4),
        labels={"guesses": "who guesses", "at_a_time": "tokens at a time"},
        question=QUESTION,
        guesses=names,
        at_a_time=["8", "4", "2", "12"],
    )


def _summary(tokens: list[Token]) -> str:
    count = {kind: sum(token.kind == kind for token in tokens) for kind in COLORS}
    calls = len({token.call for token in tokens})
    return (
        f"{len(tokens)} tokens in {calls} calls of the target, "
        f"{number(len(tokens) / max(calls, 1))} a call: {count['accepted']} guessed and accepted "
        f"(blue), {count['corrected']} corrected (orange, dashed), {count['free']} free (green, "
        "dotted). A gap stands between two calls."
    )


def _page(fig: Figure) -> Axes:
    """The whole page, for text."""
    return fig.add_axes((0.02, 0.01, 0.96, 0.98))


def _inches(fig: Figure, axes: Axes) -> float:
    return axes.get_position().width * fig.get_figwidth()


def _draw_tokens(axes: Axes, tokens: Sequence[Token], inches: float) -> None:
    """Tokens one after the other, on the colour of how they came."""
    from matplotlib.patches import Rectangle

    dashes = {"accepted": "-", "corrected": "--", "free": ":"}
    tall = axes.get_position().height * axes.figure.get_figheight()
    axes.set(xlim=(0, inches), ylim=(tall, 0))
    axes.axis("off")
    x, line, before = 0.0, 0, 0
    for place, token in enumerate(tokens):
        shown = visible(token.text)
        width = LETTER * max(len(shown), 1) + 0.03
        x += 0.09 if before and token.call != before else 0.0
        before = token.call
        if x + width > inches:
            x, line = 0.0, line + 1
        color = COLORS[token.kind]
        box = Rectangle(
            (x, line * LINE + 0.03), width, LINE - 0.06, facecolor=(*rgb(color), 0.25),
            edgecolor=color, linestyle=dashes[token.kind], linewidth=1.1,
        )  # fmt: skip
        box.set_gid(f"{token.kind}-{place}")
        says(box, f"“{shown}”: {token.kind}, call {token.call}")
        axes.add_patch(box)
        axes.text(
            x + 0.015, (line + 0.5) * LINE, shown, family="monospace", fontsize=10,
            va="center_baseline",
        )  # fmt: skip
        x += width


def _flow(
    axes: Axes, words: Sequence[str], looks: Sequence[tuple[str, str, float]], inches: float
) -> None:
    """Words one after the other, each with its colour."""
    from matplotlib.patches import Rectangle

    tall = axes.get_position().height * axes.figure.get_figheight()
    axes.set(xlim=(0, inches), ylim=(tall, 0))
    axes.axis("off")
    x, line = 0.0, 0
    for place, (word, (color, kind, fill)) in enumerate(zip(words, looks, strict=False)):
        width = LETTER * len(word) + 0.1
        if x + width > inches:
            x, line = 0.0, line + 1
        box = Rectangle(
            (x + 0.01, line * LINE + 0.03), width - 0.02, LINE - 0.06,
            facecolor=(*rgb(color), fill), edgecolor=color if fill else GREY,
            linestyle="--" if kind == "wrong" else "-", linewidth=1.3 if fill else 0.5,
        )  # fmt: skip
        box.set_gid(f"{kind}-{place}")
        says(box, f"{word}: {kind}")
        axes.add_patch(box)
        axes.text(
            x + 0.05, (line + 0.5) * LINE, word, family="monospace", fontsize=10,
            va="center_baseline",
        )  # fmt: skip
        x += width
