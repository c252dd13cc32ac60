"""Lab 11, its last page: your Llama and your sampler, as three models and any file you have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from plots.measure import short
from plots.measures.real_weights import opened
from plots.note import person_is_present
from plots.real_weights_chat import ChatBox, Open
from plots.real_weights_chat_page import Turn
from plots.real_weights_voices import CannotSpeak, Chatting, GoingOn, Setting, Voice

if TYPE_CHECKING:
    from assets.gguf import File

EXACT, FOUR_BIT = "SmolLM2-135M", "SmolLM2-135M, 4 bits"
MINUTE, COURSES = "my minute of Shakespeare", "the course's Shakespeare"
QUESTIONS = ("Name three fruits.", "Why is the sky blue?")
BEGINNING = "ROMEO:"
BEGIN = "Begin a text, such as ROMEO:"
STILL = Setting(seed=1)  # of what stands in the saved notebook
STILL_TEXT = Setting(0.7, 0.9, seed=1)  # of a text that goes on
N_STILL = 24 if short() else 80  # pieces of each answer there
TOKENIZER = "smollm"  # the rule by which assets/smollm2.py cuts text
ROOM = 1.25  # times the weights in float32: what a file takes while it is loaded

NO_MODEL = (
    "SmolLM2 is not here: the lab's first cell says how to get it. Until then Shakespeare speaks."
)
NO_CHECKPOINT = (
    "You have no checkpoint of lab 09, so the course's small Llama stands in for your minute of "
    "Shakespeare. Run lab 09 as far as save_checkpoint, then this cell again."
)


def your_llama(
    parts: Any,
    generate: Callable[..., Any],
    mine: Any,
    path: Path | None,
    loaded: tuple[Any, Any] = (None, None),
    *,
    name: str = "your Llama",
    stand_ins: list[str] | None = None,
) -> None:
    """The page for a person; where nobody sits, what it would say, as a transcript.

    parts: lab 11's pieces; generate: lab 10's; mine: lab 09's Llama (`trained.shakespeare`); path:
    SmolLM2's file; loaded: model and tokenizer, if they are in memory; name: what the learner calls
    it; stand_ins: the pieces that are not the learner's own yet.
    """
    missing = stand_ins or []
    box = ChatBox(
        models_of(parts, generate, mine, path, (None, None) if "load_llama" in missing else loaded),
        title="your Llama" if missing else name,
        notes=notes_of(mine, path, name, missing),
        hints={MINUTE: BEGIN, COURSES: BEGIN},
        open_file=lambda text: opened_file(text, parts, generate),
        setting=Setting() if person_is_present() else STILL,
    )
    if person_is_present():
        box.show()
        return
    from IPython.display import display

    display(spoken(box), raw=True)


def notes_of(mine: Any, path: Path | None, name: str, stand_ins: list[str]) -> list[str]:
    """What is to be said before anybody speaks."""
    notes = ["Every piece of it was written in these labs."]
    if stand_ins:
        notes = [
            f"Of the course, until yours pass: {', '.join(stand_ins)}. When all are your own, this "
            f"page is called {name}."
        ]
    if path is None:
        notes.append(NO_MODEL)
    if not mine.own:
        notes.append(NO_CHECKPOINT)
    return notes


def models_of(
    parts: Any,
    generate: Callable[..., Any],
    mine: Any,
    path: Path | None,
    loaded: tuple[Any, Any] = (None, None),
) -> Mapping[str, Open]:
    """What opens each model, by its name; what takes memory or time is opened when it is asked."""
    models: dict[str, Open] = {}
    file = opened(path)
    if file is not None:
        models[EXACT] = lambda: chatting(file, parts, generate, loaded)
        models[FOUR_BIT] = lambda: packed(file, parts, generate)
    name = MINUTE if mine.own else COURSES
    models[name] = lambda: GoingOn(generate, mine.model, mine.vocab, mine.context)
    return models


def chatting(
    file: File, parts: Any, generate: Callable[..., Any], loaded: tuple[Any, Any] = (None, None)
) -> Voice:
    """A file's model in float32, by the learner's load_llama, unless it is loaded already."""
    from assets import smollm2

    model, tokenizer = loaded
    if model is None:
        needs = ROOM * 4 * sum(_count(stored.shape) for stored in file.tensors.values())
        free = smollm2.free_memory()
        if free is not None and free < needs:
            raise CannotSpeak(
                f"{file.path.name} takes {needs / 1e9:.1f} GB in float32, and {free / 1e9:.1f} GB "
                "are free. Shut down other kernels, or choose a smaller model."
            )
        model = parts.load_llama(file.path)
        tokenizer = None
    return _chat(file, parts, generate, model, tokenizer or smollm2.tokenizer(file))


def packed(file: File, parts: Any, generate: Callable[..., Any]) -> Voice:
    """SmolLM2 as the nibbles that the learner's dequantize_q4_1 reads, in the decoder of 11.6."""
    from assets import smollm2
    from plots.measures import decoders

    model = decoders.four_bit(file, decode=parts.dequantize_q4_1)
    return _chat(file, parts, generate, model, smollm2.tokenizer(file))


def opened_file(text: str, parts: Any, generate: Callable[..., Any]) -> tuple[str, Open]:
    """The name of a GGUF file's model and what opens it; CannotSpeak where it does not do."""
    from assets import gguf

    path = Path(text).expanduser()
    if not path.is_file():
        raise CannotSpeak(f"There is no file {text}.")
    try:
        file = gguf.read(path)
        config = file.config()
    except gguf.DamagedFile as error:
        raise CannotSpeak(f"It cannot be read: {error}") from error
    except KeyError as error:
        kind = file.metadata.get("general.architecture", "unknown")
        raise CannotSpeak(f"It is no Llama but “{kind}”: {error} is missing.") from error
    rule = file.metadata.get("tokenizer.ggml.pre", "unknown")
    if rule != TOKENIZER:
        raise CannotSpeak(
            f"Its tokenizer cuts text by the rule “{rule}”, which this course does not have. The "
            "larger models of the SmolLM2 family have the same one as yours."
        )
    size = sum(_count(stored.shape) for stored in file.tensors.values()) / 1e6
    name = f"{path.stem} ({size:,.0f} million, {config['n_layers']} layers)"
    return name, lambda: chatting(file, parts, generate)


def spoken(box: ChatBox) -> dict[str, str]:
    """What each model says to the same questions, and how Shakespeare goes on: a transcript."""
    for name, opens in box.models.items():
        try:
            voice = opens()
        except CannotSpeak as reason:
            box.notes.append(str(reason))
            continue
        chats = isinstance(voice, Chatting)
        setting = STILL if chats else STILL_TEXT
        for question in QUESTIONS if chats else (BEGINNING,):
            turn = Turn(question, name, setting, note="to its end")
            for piece in voice.answer([{"role": "user", "content": question}], setting):
                turn.add(piece)
                if chats and len(turn.pieces) == N_STILL:
                    turn.note = f"cut after {N_STILL} pieces"
                    break
            box.talk.append(turn)
    return box.bundle()


def _chat(
    file: File, parts: Any, generate: Callable[..., Any], model: Any, tokenizer: Any
) -> Chatting:
    end = int(file.metadata.get("tokenizer.ggml.eos_token_id", 2))
    return Chatting(generate, model, tokenizer, parts.chat_prompt, end)


def _count(shape: tuple[int, ...]) -> int:
    return int(torch.tensor(shape).prod())
