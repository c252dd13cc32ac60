"""Lab 11, 11.5: what is tried on chat, with a model that has learned its answers by heart."""

from collections.abc import Iterator
from typing import Any

import torch

from checks.engine import Check, Inputs, Probe, Wrong
from checks.real_weights.chat_prompt import reference as prompt_of
from checks.real_weights.chat_prompt_wrong import END, Messages
from checks.real_weights.chat_wrong import BROKEN, MISTAKES
from checks.real_weights.parrot import Parrot, ids_of, tokenizer

ANSWER = "Answer a conversation, piece by piece: the likeliest token each time, with caches."
ENDS = "It ends at <|im_end|>, which is not shown, or after n_new tokens."
WHOLE = "Pieces are whole characters, each given as soon as it is whole"
LEFT_OUT = "one that is not complete at the end is left out"
NO_GRADIENTS = "No gradients are computed"
OTHERS_FLOW = "between two pieces the caller's are on"
MESSAGES = "messages stays as it is"

MOST = 60  # pieces after which an answer is taken for endless
USER: Messages = [{"role": "user", "content": "Say it."}]


def reference(model: Any, tokenizer: Any, messages: Messages, n_new: int = 256) -> Iterator[str]:
    """Answer a conversation, piece by piece: the likeliest token each time, until END."""
    prompt = tokenizer.encode(prompt_of(messages)).ids
    caches = model.new_caches(1, len(prompt) + n_new)
    new, answer, shown = prompt, [], ""
    for _ in range(n_new):
        with torch.no_grad():
            logits = model(torch.tensor([new]), caches)
        token = int(logits[0, -1].argmax())
        if token == tokenizer.token_to_id(END):
            return
        answer.append(token)
        text = tokenizer.decode(answer)
        if not text.endswith(BROKEN):
            yield text[len(shown) :]
            shown = text
        new = [token]


class Untouched(list):
    """A list that is handed over as it is, so that a change of it is seen."""


def a_model(text: str, unsure: bool = False) -> Parrot:
    """Make a model that has learned this answer to USER."""
    return Parrot((prompt_of(USER), ids_of(text + END)), unsure=unsure)


def pieces_of(answer: Any, *args: Any, **kwargs: Any) -> list[str]:
    """Everything that a chat gives, piece by piece; a sentence when that is not text."""
    given = answer(*args, **kwargs)
    if isinstance(given, str):
        raise Wrong("it returns a text, at the end. A caller writes `for piece in chat(…)`.")
    if given is None:
        raise Wrong("it gives nothing to a caller who writes `for piece in chat(…)`: None.")
    pieces: list[str] = []
    for piece in given:
        if not isinstance(piece, str):
            raise Wrong(f"it gives a piece of the type {type(piece).__name__}; text is expected.")
        pieces.append(piece)
        if len(pieces) > MOST:
            raise Wrong(
                f"it had not stopped after {MOST} pieces, the first of them "
                f"{''.join(pieces[:6])!r}. Does it know the token {END} when it sees it?"
            )
    return pieces


def said(answer: Any, text: str, messages: Messages, n_new: int | None = 20) -> list[str]:
    """What is answered to `messages`, where `text` has been learned, and the prompt as read."""
    prompt = prompt_of(messages)
    model = Parrot((prompt, ids_of(text + END) + ids_of(" and more" + END)))
    room = {} if n_new is None else {"n_new": n_new}
    pieces = pieces_of(answer, model, tokenizer(), messages, **room)
    ids, rest = ids_of(prompt), model.read[len(ids_of(prompt)) :]
    asked = model.read[: len(ids)] if rest == ids_of(text + END)[: len(rest)] else model.read
    return ["".join(pieces), tokenizer().decode(asked, skip_special_tokens=False)]


def worked(answer: Any, inputs: Inputs) -> list[str]:
    """One question, one answer."""
    return said(answer, "The dragon is here.", USER)


def conversations(answer: Any, inputs: Inputs) -> list[list[str]]:
    """A system prompt; nine messages; an answer that is nothing."""
    system = {"role": "system", "content": "Be short."}
    turns = [{"role": ("user", "assistant")[i % 2], "content": f"{i}!"} for i in range(9)]
    return [
        said(answer, "Yes.", [system, *USER]),
        said(answer, "Now the thing.", turns),
    ]


def edges(answer: Any, inputs: Inputs) -> list[list[str]]:
    """Spaces and empty lines at the edges of an answer; an answer that is nothing."""
    return [
        said(answer, "  two\n\n  lines,\n", USER, None),
        said(answer, "", USER),
    ]


def many_bytes(answer: Any, inputs: Inputs) -> list:
    """Characters of two, three and four bytes, each byte a token of its own."""
    pieces = pieces_of(answer, a_model("né 東京 🐉🔥 ½."), tokenizer(), USER, 40)
    broken = [piece for piece in pieces if BROKEN in piece]
    return ["".join(pieces), f"{len(broken)} pieces with broken characters"]


def stray_byte(answer: Any, inputs: Inputs) -> str:
    """A byte that never becomes a character, in the middle of an answer. How it shows is open."""
    stray = tokenizer().token_to_id("Ģ")  # the byte 0x80
    ids = [*ids_of("the dragon"), stray, *ids_of(" is here and gone" + END)]
    model = Parrot((prompt_of(USER), ids))
    text = "".join(pieces_of(answer, model, tokenizer(), USER, 40))
    if "gone" not in text:
        raise Wrong(
            f"in `the dragon` + a byte that is no character + ` is here and gone` it shows {text!r}"
        )
    return text.replace(BROKEN, "")


def cut_off(answer: Any, inputs: Inputs) -> list[str]:
    """Answers that n_new ends, after a word and after one token."""
    cases = (("the dragon and the", 3), ("gone", 1))
    return ["".join(pieces_of(answer, a_model(t), tokenizer(), USER, n)) for t, n in cases]


def cut_within(answer: Any, inputs: Inputs) -> list[str]:
    """Answers that n_new ends within a character."""
    cases = (("né", 2), ("a🐉", 4))
    return ["".join(pieces_of(answer, a_model(t), tokenizer(), USER, n)) for t, n in cases]


def other_tokens(answer: Any, inputs: Inputs) -> list[str]:
    """Special tokens within an answer, which does not end there."""
    return [
        said(answer, "One<|endoftext|> two<|other|> three", USER)[0],
        said(answer, "One.<|im_start|> user? assistant\n\nNo.", USER)[0],
    ]


def likeliest(answer: Any, inputs: Inputs) -> str:
    """Other tokens are nearly as likely: how likely was each that it took?"""
    model = a_model("the dragon is here and the dragon sings.", unsure=True)
    text = "".join(pieces_of(answer, model, tokenizer(), USER, 12))
    ranks = set(model.ranks)
    if model.ranks[1:] and model.ranks[0] and ranks - {model.ranks[0]} == {0}:
        raise Wrong("after the prompt it takes a token that is not the likeliest there.")
    if ranks == {1}:
        raise Wrong("it takes the second likeliest token each time.")
    if ranks == {model.vocab - 1}:
        raise Wrong("it takes the least likely token each time.")
    if ranks - {0}:
        raise Wrong("where several tokens are nearly as likely it takes now this one, now that.")
    return text


def streamed(answer: Any, inputs: Inputs) -> str:
    """Look at how many tokens the model has been asked for when the first piece comes."""
    model = a_model("the dragon is here and the dragon is gone and the dragon sings.")
    pieces, asked = [], 0
    for piece in answer(model, tokenizer(), USER, 40) or ():
        asked = asked or (len(model.calls) if piece else 0)
        pieces += [piece] if piece else []
        if len(pieces) > MOST:
            break
    if not pieces:
        raise Wrong("no piece comes at all.")
    if asked > len(model.calls) // 2:
        raise Wrong(
            "the first piece came when more than half of the answer was there. `yield` each one as "
            "soon as it is there."
        )
    return "streamed" if len(pieces) > 4 else "in a few pieces"


def cached(answer: Any, inputs: Inputs) -> int:
    """How many tokens the model was given at most, after the prompt."""
    model = a_model("the dragon and the dragon")
    pieces_of(answer, model, tokenizer(), USER, 20)
    later, n_prompt = model.calls[1:], len(ids_of(prompt_of(USER)))
    if any(count > n_prompt // 2 for count in later):
        raise Wrong(
            f"after the prompt it gave the model {max(later)} tokens at once, where one was new. "
            "What has been read is in the caches: `model(new, caches)`."
        )
    return max(later, default=0)


def used_up(answer: Any, inputs: Inputs) -> bool:
    """Whether the model is asked no more often than there are tokens wanted."""
    model = a_model("the dragon and the dragon is gone")
    pieces_of(answer, model, tokenizer(), USER, 5)
    if len(model.calls) > 6:  # one more, to fill the cache, does no harm
        return False
    model = a_model("the dragon")
    pieces_of(answer, model, tokenizer(), USER, 40)
    return len(model.calls) <= len(ids_of("the dragon" + END)) + 1


def one_after_the_other(answer: Any, inputs: Inputs) -> list[str]:
    """Two conversations with one model, and the first one again."""
    other = [{"role": "user", "content": "And you?"}]
    model = Parrot(
        (prompt_of(USER), ids_of("The first" + END)), (prompt_of(other), ids_of("I am" + END))
    )
    return ["".join(pieces_of(answer, model, tokenizer(), m, 9)) for m in (USER, other, USER)]


def no_gradients(answer: Any, inputs: Inputs) -> bool:
    """Whether the model is asked without gradients."""
    model = a_model("the dragon and the dragon")
    pieces_of(answer, model, tokenizer(), USER, 20)
    return not model.with_gradients


def callers_gradients(answer: Any, inputs: Inputs) -> bool:
    """Whether gradients are on between two pieces, and afterwards."""
    given = answer(a_model("the dragon"), tokenizer(), USER, 20)
    enabled = [torch.is_grad_enabled() for _ in given] + [torch.is_grad_enabled()]
    torch.set_grad_enabled(True)
    return all(enabled)


def messages_kept(answer: Any, inputs: Inputs) -> list:
    """How many messages there are afterwards, and whether the first one is as it was."""
    messages = Untouched({**message} for message in USER)
    pieces_of(answer, a_model("the dragon"), tokenizer(), messages, 20)
    return [len(messages), messages[0]["role"], messages[0] == USER[0]]


chat = Check(
    exercise="11.5",
    name="chat",
    weight=3,
    reference=reference,
    technique=[
        Probe("a question, its prompt and its answer", worked, promise=ANSWER),
        Probe("a system prompt, nine messages", conversations, promise=ANSWER),
        Probe("spaces and new lines at the edges, no answer at all", edges, promise=ANSWER),
        Probe("n_new ends the answer", cut_off, promise=ENDS),
        Probe("other special tokens do not end it, and are not shown", other_tokens, promise=ENDS),
        Probe("characters of several bytes, each byte a token", many_bytes, promise=WHOLE),
        Probe("n_new ends the answer in mid-character", cut_within, promise=LEFT_OUT),
        Probe("a byte that never becomes a character", stray_byte, promise=WHOLE),
        Probe("other tokens are nearly as likely", likeliest, promise=ANSWER),
        Probe(
            "piece by piece, not all at the end",
            streamed,
            "The answer comes in a few large pieces. Give each one as soon as it is there.",
            promise=WHOLE,
        ),
        Probe(
            "with caches: one new token at a time",
            cached,
            "After the prompt the model needs one token at a time.",
            promise=ANSWER,
        ),
        Probe(
            "no more tokens than are wanted",
            used_up,
            "The model was asked for more tokens than are shown: beyond n_new, or beyond the "
            f"{END} that ends the answer.",
            promise=ENDS,
        ),
        Probe("one conversation after the other", one_after_the_other, promise=ANSWER),
    ],
    ready=[
        Probe(
            "no gradients are computed",
            no_gradients,
            "The model computes with gradients: call it under `torch.no_grad()`.",
            promise=NO_GRADIENTS,
        ),
        Probe(
            "the caller's gradients between two pieces",
            callers_gradients,
            "Between two pieces the rest of the notebook runs: gradients must be on there.",
            promise=OTHERS_FLOW,
        ),
        # A generator runs after it was called: the engine's own row would see nothing of it.
        Probe(
            "messages stay as they are",
            messages_kept,
            "The caller's messages are not what they were: `messages` must stay as it is.",
            promise=MESSAGES,
        ),
    ],
    mistakes=MISTAKES,
    only_numbers=True,
    hints=(
        "A token may be half a character. How can you tell, and when is the other half there?",
        "`generate` of lab 10 takes the prompt's ids and gives token after token. Decode the whole "
        "answer so far and yield what is new in it, unless it ends in half a character.",
        '`end = tokenizer.token_to_id("<|im_end|>")`, and for each token of `generate(model, '
        "torch.tensor([ids]), n_new, temperature=0, stop={end})`: append it to `answer`; `text = "
        "tokenizer.decode(answer)`; if it does not end in '\\ufffd', `yield text[shown:]`.",
    ),
)
