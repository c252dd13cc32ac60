"""Lab 11, where the input is free: a head's attention on a sentence, and the chat box."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from plots.cells import cells
from plots.flipbook import Flipbook, explore, person_is_present
from plots.live import Live, live
from plots.measure import short
from plots.measures.real_weights import WAITS, heads
from plots.style import GREY, ORANGE, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SENTENCE = "The dog that chased the cat is tired, and the cat is not."
START = (16, 0)  # layer and head shown first
MOST = 18  # tokens of a sentence that are shown
FROM = 2  # the first row in which the first token is not the one before
QUESTION = "Why is the sky blue?"
N_NEW = 24 if short() else 96  # tokens of the answer where nobody asks

STYLE = (
    "<style>.llama-chat{max-width:46em;line-height:1.45}.llama-chat p{margin:.35em 0;"
    "white-space:pre-wrap}.llama-chat .who{font-weight:bold;margin-right:.5em}</style>"
)


def attention(
    model: nn.Module | None, tokenizer: Any, apply_rope: Callable, attention_weights: Callable
) -> Live | Flipbook:
    """What one head of the real model looks at in a sentence, by the learner's functions."""
    if model is None:
        return waiting()

    seen: dict[tuple[int, ...], Any] = {}  # the last text's weights: (layers, H, T, T)

    def of_all_heads(ids: list[int]) -> Any:
        if tuple(ids) not in seen:
            seen.clear()
            seen[tuple(ids)] = torch.stack(heads(model, ids, apply_rope, attention_weights))
        return seen[tuple(ids)]

    def draw(fig: Figure, sentence: str, layer: int, head: int) -> str:
        ids = tokenizer.encode(sentence).ids[:MOST]
        names = [tokenizer.decode([i]).replace(" ", "·") for i in ids]
        everywhere = of_all_heads(ids)
        weights = everywhere[layer][head].double()
        states = [["new" if j <= i else "empty" for j in range(len(ids))] for i in range(len(ids))]
        axes = fig.add_axes((0.2, 0.38, 0.7, 0.5))
        cells(axes, weights, states, limit=1.0, rows=names, columns=names, gid="head")
        axes.xaxis.tick_top()
        for label in axes.get_xticklabels():
            label.set(rotation=60, ha="left", rotation_mode="anchor")
        axes.set_xlabel("key: the token that is looked at", labelpad=6)
        axes.xaxis.set_label_position("bottom")
        axes.set_ylabel("query: the token that looks")
        _scale(fig.add_axes((0.92, 0.5, 0.025, 0.25)))
        first = everywhere[:, :, FROM:, 0].mean(-1) if len(ids) > FROM else everywhere[..., 0, 0]
        _map(fig.add_axes((0.2, 0.07, 0.7, 0.2)), first, layer, head)
        later = weights[FROM:]
        to_first = float(later[:, 0].mean()) if len(later) else 1.0
        before = float(later[:, FROM - 1 :].diagonal().mean()) if len(later) else 0.0
        itself = float(later[:, FROM:].diagonal().mean()) if len(later) else 1.0
        return (
            f"Above, layer {layer}, head {head}: from the third token on {100 * to_first:.0f} % of "
            f"the attention goes to the first token, {100 * before:.0f} % to the one before, "
            f"{100 * itself:.0f} % to the token itself. Below, what all heads give to the first "
            f"token: {int((first > 0.5).sum())} of {first.numel()} more than half."
        )

    config = [len(model.layers), heads_of(model)]
    layers, numbers = ([*range(n)] for n in config)
    return live(
        draw,
        sentence=SENTENCE,
        layer=[START[0], *(n for n in layers if n != START[0])],
        head=[START[1], *(n for n in numbers if n != START[1])],
        size=(5.2, 7.2),
    )


def _scale(axes: Axes) -> None:
    """What the fill of a cell means."""
    steps = [1.0, 0.75, 0.5, 0.25, 0.0]
    cells(axes, [[step] for step in steps], limit=1.0, rows=["1", "", "0.5", "", "0"], gid="scale")
    axes.yaxis.tick_right()
    axes.tick_params(labelsize=9, pad=1)


def _map(axes: Axes, first: Tensor, layer: int, head: int) -> None:
    """How much of its attention each head, (layers, H), gives to the first token."""
    from matplotlib.patches import Rectangle

    axes.imshow(shade(first.T, 1.0), aspect="auto", interpolation="nearest", gid="sinks")
    box = Rectangle((layer - 0.5, head - 0.5), 1, 1, fill=False, edgecolor=ORANGE, linewidth=1.8)
    axes.add_patch(box)
    axes.set(xlabel="layer", ylabel="head", yticks=[0, first.shape[1] - 1])
    axes.set_title("attention given to the first token", fontsize=10)
    axes.spines[:].set_visible(True)


def heads_of(model: nn.Module) -> int:
    """How many query heads a layer has."""
    part = model.layers[0].attention
    return int(part.n_heads) if hasattr(part, "n_heads") else 9


class ChatBox:
    """A text box, the conversation above it, and the answer as it comes."""

    def __init__(self, answer: Callable[[list[dict[str, str]]], Iterator[str]]) -> None:
        self._answer = answer
        self.messages: list[dict[str, str]] = []

    @property
    def widget(self) -> Any:
        """Conversation over text box and buttons; only what ipywidgets 7.7.1 and 8 share."""
        import ipywidgets

        wide = ipywidgets.Layout(width="34em", max_width="100%")
        self.page = ipywidgets.HTML(self.html())
        self.box = ipywidgets.Text(
            placeholder="Ask something", layout=wide, continuous_update=False
        )
        self.send = ipywidgets.Button(description="Send")
        self.new = ipywidgets.Button(description="New conversation")
        self.send.on_click(lambda _: self.ask(self.box.value))
        self.box.observe(lambda change: self.ask(change["new"]), names="value")
        self.new.on_click(lambda _: self.forget())
        row = ipywidgets.HBox(
            [self.box, self.send, self.new], layout=ipywidgets.Layout(flex_flow="row wrap")
        )
        return ipywidgets.VBox([self.page, row])

    def ask(self, question: str) -> None:
        """Put a question and show the answer while it comes. Interrupting keeps what is there."""
        if not question.strip():
            return
        self.messages.append({"role": "user", "content": question.strip()})
        answer, start, note = "", time.perf_counter(), ""
        self.box.value = ""
        self.page.value = self.html("…")
        try:
            for count, piece in enumerate(self._answer(self.messages), start=1):
                answer += piece
                note = f"{count / (time.perf_counter() - start):.1f} pieces a second"
                self.page.value = self.html(answer, note)
        except KeyboardInterrupt:
            note = "interrupted"
        except Exception as error:
            note = f"{type(error).__name__}: {error}"
        self.messages.append({"role": "assistant", "content": answer})
        self.page.value = self.html(note=note)

    def forget(self) -> None:
        """Begin a new conversation."""
        self.messages.clear()
        self.page.value = self.html()

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


def chat_box(chat: Callable[..., Iterator[str]], model: nn.Module | None, tokenizer: Any) -> None:
    """Print the answer to one question as it comes; for a person, a text box as well."""
    if model is None:
        print(WAITS)
        return
    try:
        pieces = chat(model, tokenizer, [{"role": "user", "content": QUESTION}], n_new=N_NEW)
        print(f"You: {QUESTION}\nSmolLM2: ", end="")
        for piece in pieces:
            print(piece, end="", flush=True)
        print()
    except NotImplementedError as error:
        print(f"✎ {error} is not written yet")
        return
    if person_is_present():
        from IPython.display import display

        display(ChatBox(lambda messages: chat(model, tokenizer, messages)).widget)


def waiting() -> Flipbook:
    """What stands in for a picture that needs the model."""

    def draw(fig: Figure) -> str:
        axes = fig.add_axes((0.01, 0.04, 0.98, 0.92), xticks=[], yticks=[])
        axes.spines[:].set(visible=True, linestyle=(0, (4, 4)), color=GREY)
        says = "This picture waits for the real model."
        axes.text(0.5, 0.5, says, ha="center", va="center", transform=axes.transAxes)
        return "The model is not here, or load_llama is not written: its cell above says which."

    return explore(draw, size=(4.8, 1.4))
