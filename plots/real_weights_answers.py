"""Lab 11: the 640 tokens of transformers' answers, and what a change leaves of one of them."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from plots.flipbook import Flipbook, explore
from plots.measure import short
from plots.measures.real_weights import opened
from plots.measures.real_weights_answers import CHANGES, changed, reference, same_tokens, written
from plots.page import says
from plots.real_weights_live import waiting
from plots.real_weights_text import columns_of, flow, visible_token
from plots.show import counted
from plots.style import BLUE, GREY, INK, ORANGE, is_narrow, number, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TALKS = 3 if short() else 10  # conversations that are looked at
ASKED = 1  # the conversation that a broken model is asked: its answer is longer than 64 tokens
N_OWN = 5 if short() else 16  # tokens of a broken model's own answer


@dataclass(frozen=True)
class Answer:
    """An answer of transformers, and at each of its places what the learner's model says."""

    question: str
    tokens: list[int]  # of transformers
    chosen: list[int]  # by the model, after the same tokens
    shares: list[float]  # the probability of the model's choice
    seconds: list[tuple[int, float]]  # the next likeliest, with its probability

    @property
    def same(self) -> list[bool]:
        """Where the two agree."""
        return [a == b for a, b in zip(self.tokens, self.chosen, strict=True)]

    def words(self, place: int, text_of: Callable[[int], str]) -> str:
        """What there is to say about one token: the probabilities, or what the model prefers."""
        names = [self.tokens[place], self.seconds[place][0], self.chosen[place]]
        token, other, mine = (f"“{visible_token(text_of(name))}”" for name in names)
        if self.same[place]:
            second = number(self.seconds[place][1])
            return f"{token} {number(self.shares[place])}, next {other} {second}"
        return f"transformers {token}, your model {mine}"


def same_answers(model: nn.Module | None, tokenizer: Any) -> Flipbook:
    """All tokens of ten answers: filled where the learner's model would write the same one."""
    if model is None:
        return waiting()

    @functools.cache
    def answers() -> list[Answer]:
        return [answer_of(model, talk) for talk in counted(reference()[:TALKS], "answer")]

    def text_of(token: int) -> str:
        return str(tokenizer.decode([token], skip_special_tokens=False))

    def draw(fig: Figure, answer: int) -> str:
        narrow, given = is_narrow(fig), answers()
        shown = given[answer - 1]
        grid = fig.add_axes((0.09, 0.56, 0.89, 0.35) if narrow else (0.27, 0.45, 0.715, 0.42))
        _grid(grid, given, answer - 1, text_of)
        inches = fig.get_figwidth() - 0.1
        page = fig.add_axes(
            (0.05 / fig.get_figwidth(), 0, 1 - 0.1 / fig.get_figwidth(), 0.48 if narrow else 0.4)
        )
        hovers = [shown.words(place, text_of) for place in range(len(shown.tokens))]
        looks = [
            (BLUE, "-", 0.6 * share) if same else (ORANGE, "--", 0.0)
            for share, same in zip(shown.shares, shown.same, strict=True)
        ]
        tokens = [text_of(token) for token in shown.tokens]
        flow(page, tokens, looks, inches, wrapped=False, hovers=hovers)
        total = sum(len(one.tokens) for one in given)
        agreed = sum(sum(one.same) for one in given)
        doubt = min(shown.shares)
        where = shown.shares.index(doubt)
        return (
            f"{agreed} of {total} tokens are those of transformers (filled, the fuller the surer). "
            f"Answer {answer}, to “{shown.question}”: {sum(shown.same)} of {len(shown.tokens)}. It "
            f"hesitates most at “{text_of(shown.chosen[where]).strip()}”, {number(doubt)} against "
            f"{number(shown.seconds[where][1])}: even there the two choose alike."
            if agreed == total
            else f"{agreed} of {total} tokens are those of transformers. Answer {answer}, to "
            f"“{shown.question}”: {sum(shown.same)} of {len(shown.tokens)}; where a frame is "
            "dashed, your model would have written something else."
        )

    return explore(
        draw,
        answer=range(1, TALKS + 1),
        start={"answer": 2},
        play="answer",
        size=(10.2, 3.5),
        narrow=(3.3, 6.0),
    )


@torch.no_grad()
def answer_of(model: nn.Module, talk: dict[str, Any]) -> Answer:
    """What the model says at each place of one of transformers' answers."""
    ids, answer = talk["ids"], talk["answer"]
    logits = model(torch.tensor([[*ids, *answer[:-1]]]))[0, len(ids) - 1 :]  # (n, V)
    shares, tokens = logits.float().softmax(-1).topk(2)
    return Answer(
        " ".join(talk["messages"][-1]["content"].split()),
        answer,
        tokens[:, 0].tolist(),
        shares[:, 0].tolist(),
        list(zip(tokens[:, 1].tolist(), shares[:, 1].tolist(), strict=True)),
    )


def _grid(axes: Axes, answers: list[Answer], chosen: int, text_of: Callable[[int], str]) -> None:
    """A row for each answer, a cell for each of its tokens."""
    from matplotlib.patches import Rectangle

    narrow, length = is_narrow(axes.figure), len(answers[0].tokens)
    rows = range(len(answers))
    shares = [
        [share if same else 0.0 for share, same in zip(one.shares, one.same, strict=True)]
        for one in answers
    ]
    image = axes.imshow(shade(shares, 1.0), aspect="auto", interpolation="none", gid="same")
    says(image, [[f"{answers[y].words(x, text_of)}" for x in range(length)] for y in rows])
    for y in rows:
        axes.axhline(y + 0.5, color=GREY, linewidth=0.5)
        for x in range(length):
            if not answers[y].same[x]:
                look = {"fill": False, "edgecolor": ORANGE, "hatch": "////", "linewidth": 0.8}
                axes.add_patch(Rectangle((x - 0.4, y - 0.36), 0.8, 0.72, gid="other", **look))
    frame = {"fill": False, "edgecolor": INK, "linewidth": 1.4, "clip_on": False}
    axes.add_patch(Rectangle((-0.7, chosen - 0.5), length + 0.4, 1, **frame))
    for y, answer in enumerate(answers):
        name = str(y + 1) if narrow else textwrap.shorten(answer.question, 36, placeholder=" …")
        text = axes.text(-1.4, y, name, ha="right", va="center", fontsize=9)
        says(text, f"{y + 1}: {answer.question} {sum(answer.same)} of {len(answer.tokens)}")
    axes.set(xlim=(-0.8, length - 0.2), ylim=(len(answers) - 0.4, -0.6), yticks=[])
    axes.set_xticks([0, 15, 31, 47, 63], ["1", "16", "32", "48", "64"])
    axes.xaxis.tick_top()
    axes.tick_params(length=0, pad=1, labelsize=9)
    axes.spines[:].set_visible(False)
    axes.set_title("token of transformers' answer", fontsize=10, pad=3)


def broken(Llama: Any, LlamaConfig: Any, model: Any, tokenizer: Any, path: Path | None) -> Flipbook:
    """One answer of transformers, and at which of its tokens a changed model agrees."""
    file = opened(path)
    if file is None or model is None:
        return waiting()
    talk = reference()[ASKED]
    ids, answer = talk["ids"], talk["answer"]
    tokens = [tokenizer.decode([i], skip_special_tokens=False) for i in answer]

    @functools.cache
    def after(change: str) -> tuple[list[bool], list[int]]:
        """Where the changed model agrees, and what it answers by itself."""
        other = changed(Llama, LlamaConfig, model, file.config(), change)  # or an error
        same = same_tokens(other, ids, answer)
        part = [*same, False].index(False)  # up to here it writes the same
        own = answer[:part][:N_OWN]
        if len(own) < N_OWN:
            own = own + written(other, [*ids, *own], N_OWN - len(own))
        return same, own

    def draw(fig: Figure, change: str) -> str:
        same, own = after(change)
        text = tokenizer.decode(own, skip_special_tokens=False).replace("\n", "⏎")
        looks = [(BLUE, "-", 0.3) if yes else (ORANGE, "--", 0.0) for yes in same]
        hovers = [
            f"“{visible_token(token)}”: {'the same' if yes else 'another one'}"
            for token, yes in zip(tokens, same, strict=True)
        ]
        width, height = fig.get_size_inches()
        page = fig.add_axes((0.05 / width, 0, 1 - 0.1 / width, 1 - 0.05 / height))
        lines = flow(page, tokens, looks, width - 0.1, wrapped=False, hovers=hovers)
        below = 1 - (lines + 0.5) / (height / 0.26)
        mine = "its own answer, where nobody feeds it the right one:"
        mine = "its own answer:" if is_narrow(fig) else mine
        fig.text(0.06 / width, below, mine, va="top", fontsize=10, color=GREY)
        fig.text(
            0.06 / width, below - 0.24 / height,
            textwrap.fill(text, columns_of(width - 0.2)),
            va="top", gid="own", fontsize=9, family="monospace",
        )  # fmt: skip
        return (
            f"{change}: all shapes fit, and there is no error. {sum(same)} of {len(same)} tokens "
            f"are those of transformers (blue, solid). Its own answer begins: {text[:40]}…"
        )

    start = list(CHANGES)[1]
    return explore(
        draw,
        change=list(CHANGES),
        start={"change": start},
        size=(10.2, 2.1),
        narrow=(3.3, 4.6),
    )
