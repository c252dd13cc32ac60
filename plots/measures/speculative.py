"""Lab 14: what a call costs, and the exact text of SmolLM2, faster."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from plots.flipbook import Flipbook, explore
from plots.measure import one_thread, short
from plots.show import counted, once_written
from plots.style import BLUE, INK, ORANGE, is_narrow, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Generate = Callable[..., Iterator[int]]

TOKENS = (1, 3, 9) if short() else (1, 2, 3, 5, 7, 9, 13, 17)
ROUNDS = 2 if short() else 7
CONTEXT = 64  # positions in the caches while calls are timed
N_NEW, N_DRAFT = (8, 4) if short() else (64, 12)
END = "<|im_end|>"
QUESTIONS = (
    "Why is the sky blue?",
    "Name three fruits and say what colour they are.",
    "Write a short story about a fox and a well.",
    "How do I boil an egg?",
    "What is the difference between a plant and an animal?",
    "Explain what a computer is to a child.",
    "Give me three reasons to go for a walk.",
    "Who was William Shakespeare?",
    "Write a letter to a friend about the sea.",
    "What should I cook tonight?",
)
SENTENCE = (
    "The committee of the village library meets on the first Monday of March, and the committee of "
    "the village school meets on the first Friday of April."
)
TASKS = {  # what is asked, and how the answer begins
    "a free answer": ("Write a short story about a fox and a well.", ""),
    "copies": (
        f"Repeat this text word for word, three times: {SENTENCE}",
        f"{SENTENCE}\n\nThe committee of the village library",
    ),
}
WAITING = "This needs SmolLM2's file: the cell in 14.0 says how to get it."


def loaded(load_llama: Callable[[Path], Any], path: Path | None) -> tuple[Any, Any]:
    """The exact model in float32 and its tokenizer; None for both without a file."""
    if path is None:
        return None, None
    from assets import smollm2

    model = load_llama(path)
    model.eval().requires_grad_(False)
    return model, smollm2.tokenizer(smollm2.read(path))


def four_bit(path: Path | None, decode: Callable[[Tensor], Tensor]) -> Any:
    """Lab 11's decoder on the file's nibbles, as the learner's dequantize_q4_1 reads them."""
    if path is None:
        return None
    from assets import smollm2
    from plots.measures import decoders

    return decoders.four_bit(smollm2.read(path), decode=decode)


def waiting() -> Flipbook:
    """A page that says what is missing."""

    def draw(fig: Figure) -> str:
        fig.text(0.5, 0.5, WAITING, ha="center", va="center", wrap=True)
        return WAITING

    return explore(draw)


def costs_of(model: Any) -> list[float]:
    """Seconds of a call with each number of TOKENS, the caches holding CONTEXT positions."""
    caches = model.new_caches(1, CONTEXT + max(TOKENS))
    taken: list[list[float]] = [[] for _ in TOKENS]
    with torch.inference_mode(), one_thread():
        model(torch.arange(CONTEXT)[None], caches)
        for _ in counted(range(ROUNDS), "round"):
            for n, times in zip(TOKENS, taken, strict=True):
                for cache in caches:
                    cache.length = CONTEXT
                start = time.perf_counter()
                model(torch.arange(n)[None], caches)
                times.append(time.perf_counter() - start)
    return [sorted(times)[len(times) // 2] for times in taken]


def calls(model: Any) -> Flipbook:
    """What a call with several tokens costs, beside as many calls with one."""
    if model is None:
        return waiting()
    costs = costs_of(model)
    ratios = [cost / costs[0] for cost in costs]

    def draw(fig: Figure) -> str:
        left = 0.21 if is_narrow(fig) else 0.12
        axes = fig.add_axes((left, 0.18, 0.97 - left, 0.76))
        axes.plot(TOKENS, TOKENS, "--", color=ORANGE, label="so many calls with one token")
        axes.plot(TOKENS, ratios, "o-", color=BLUE, label="one call", gid="one-call")
        axes.axhline(1, color=INK, linewidth=0.8)
        axes.set(xlabel="tokens", ylabel="calls with one token", ylim=(0, max(TOKENS)))
        axes.legend(loc="upper left", fontsize=10)
        n, ratio = TOKENS[-1], ratios[-1]
        some = TOKENS.index(5) if 5 in TOKENS else len(TOKENS) // 2
        return (
            f"A call with one token takes {1e3 * costs[0]:.0f} ms here. One with {TOKENS[some]} "
            f"takes {number(ratios[some], 1)} times as long, one with {n} "
            f"{number(ratio, 1)} times. What lies between the two lines is what guessing can gain."
        )

    return explore(draw, size=(5.6, 3.0), narrow=(3.3, 3.0))


def prompt_of(chat_prompt: Callable[..., str], tokenizer: Any, question: str) -> Tensor:
    """A question in the model's form: (1, T)."""
    text = chat_prompt([{"role": "user", "content": question}])
    return torch.tensor([tokenizer.encode(text).ids])


def timed(tokens: Callable[[], Iterator[int]]) -> tuple[list[int], float]:
    """All tokens of a stream, and the seconds that it took, the prompt with them.

    A round's tokens come together, so that a clock that begins at the first token leaves out a
    whole round where drafts are used, and one token where they are not.
    """
    start = time.perf_counter()
    got = [int(token) for token in tokens()]
    return got, time.perf_counter() - start


def beside_each_other(
    generate: Generate,
    speculative_generate: Generate,
    target: Any,
    draft: Any,
    ids: Tensor,
    n_new: int,
    n_draft: int,
    stop: Collection[int] | None = None,
) -> Beside:
    """Write the likeliest text after ids (1, T) with `generate`, and once more with drafts."""
    plain, slow = timed(lambda: generate(target, ids, n_new, temperature=0, stop=stop))
    watched = Counted(target)
    text, fast = timed(
        lambda: speculative_generate(watched, draft, ids, n_new, n_draft, temperature=0, stop=stop)
    )
    return Beside(plain, text, len(text) / watched.calls, slow, fast)


class Beside(NamedTuple):
    """A text written without drafts and with them: tokens, tokens a call, seconds of each."""

    plain: list[int]
    text: list[int]
    a_call: float
    slow: float
    fast: float

    @property
    def faster(self) -> float:
        """How many times faster the drafts made it."""
        return self.slow / self.fast


class Counted:
    """A model that counts its calls."""

    def __init__(self, model: Any) -> None:
        self.model, self.calls = model, 0

    def __call__(self, *args: Any) -> Tensor:
        """What the model answers."""
        self.calls += 1
        return self.model(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


@torch.no_grad()
def gap(model: Any, ids: list[int], a: int, b: int) -> float:
    """How far apart the logits of two tokens are after ids."""
    logits = model(torch.tensor([ids]))[0, -1]
    return float((logits[a] - logits[b]).abs())


@once_written
def exact(
    speculative_generate: Generate,
    generate: Generate,
    ModelDraft: Callable[..., Any],
    target: Any,
    quick: Any,
    chat_prompt: Callable[..., str],
    tokenizer: Any,
) -> None:
    """Print for ten prompts whether the text is the exact one, and how much faster it came."""
    if target is None:
        print(WAITING)
        return
    print("                                          the same   tokens   times")
    print("                                          tokens     a call   faster")
    plain_seconds, fast_seconds, threads = 0.0, 0.0, torch.get_num_threads()
    questions = QUESTIONS[:2] if short() else QUESTIONS
    for question in counted(questions, "prompt"):
        ids = prompt_of(chat_prompt, tokenizer, question)
        draft = ModelDraft(quick, ids.shape[1] + N_NEW + N_DRAFT, 0)
        both = beside_each_other(generate, speculative_generate, target, draft, ids, N_NEW, N_DRAFT)
        plain, text = both.plain, both.text
        same = next(
            (i for i, (a, b) in enumerate(zip(plain, text, strict=False)) if a != b),
            min(len(plain), len(text)),
        )
        note = ""
        if same < len(plain):
            before = ids[0].tolist() + plain[:same]
            note = f"  then two logits {gap(target, before, plain[same], text[same]):.5f} apart"
        plain_seconds += both.slow
        fast_seconds += both.fast
        shown = question if len(question) < 40 else question[:38] + "…"
        print(f"{shown:40}{same:4} of {len(plain)}{both.a_call:9.1f}{both.faster:9.2f}{note}")
    print(
        f"{'all of them':40}{'':10}{'':9}{plain_seconds / fast_seconds:9.2f}   {N_DRAFT} drafts a "
        f"round, {threads} thread{'s' * (threads > 1)}; the prompts' time is in it"
    )


@once_written
def looked_up(
    speculative_generate: Generate,
    generate: Generate,
    LookupDraft: Callable[..., Any],
    target: Any,
    chat_prompt: Callable[..., str],
    tokenizer: Any,
) -> None:
    """Print what guesses out of the text itself gain: for a free answer, and for a copy."""
    if target is None:
        print(WAITING)
        return
    n_new, stop = N_NEW if short() else 96, {tokenizer.token_to_id(END)}
    for name, (task, begun) in counted(TASKS.items(), "text"):
        asked = prompt_of(chat_prompt, tokenizer, task)
        start = torch.tensor([tokenizer.encode(begun).ids], dtype=torch.long)
        ids = torch.cat([asked, start], dim=1)
        draft = LookupDraft(target.config.vocab_size)
        both = beside_each_other(generate, speculative_generate, target, draft, ids, n_new, 5, stop)
        print(
            f"{name:15} the same {len(both.plain)} tokens: "
            f"{'yes' if both.plain == both.text else 'no'}   "
            f"tokens a call: {both.a_call:.2f}   times faster: {both.faster:.2f}"
        )
