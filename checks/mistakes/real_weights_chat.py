"""Lab 11, 11.5: what people write for chat.

Sources are the public issues in which somebody really made the mistake.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch

from checks.engine import Mistake
from checks.reference.real_weights import DEFAULT, END, chat_prompt

Messages = list[dict[str, str]]
BROKEN = "\N{REPLACEMENT CHARACTER}"
TOGETHER = (
    "Decode the whole answer each time, `tokenizer.decode(answer)`, and yield what is new in it, "
    "unless it ends in half a character."
)
FEED = "`new` is the prompt's ids at first, and then the one token that was chosen."


def tokens(
    model: Any,
    prompt: list[int],
    n_new: int,
    *,
    stop: int | None,
    room: int | None = None,
    whole: bool = False,
    caches: bool = True,
    fresh: bool = False,
    gradients: bool = False,
    row: int = -1,
    first: int = 0,
    extra: int = 0,
    pick: Callable[[torch.Tensor], int] = lambda row: int(row.argmax()),
) -> Iterator[int]:
    """The loop, with everything that can be wrong in it."""
    room = len(prompt) + n_new + extra if room is None else room
    memory = model.new_caches(1, room) if caches else None
    seen, new = list(prompt), list(prompt)
    for step in range(n_new + extra):
        if fresh:
            memory = model.new_caches(1, room)
        with torch.set_grad_enabled(gradients):
            logits = model(torch.tensor([seen if whole else new]), memory)
        token = pick(logits[0, row])
        if token == stop:
            return
        if step >= first:
            yield token
        seen, new = [*seen, token], [token]


def talk(
    prompt: Callable[[Messages], str] = chat_prompt,
    end: Callable[[Any], int | None] = lambda tokenizer: tokenizer.token_to_id(END),
    text: Callable[[Any, Iterator[int]], Iterator[str]] | None = None,
    ids: Callable[[Any, str], list[int]] = lambda tokenizer, prompt: tokenizer.encode(prompt).ids,
    **loop: Any,
) -> Callable[..., Iterator[str]]:
    """A chat with its parts replaced."""

    def chat(model: Any, tokenizer: Any, messages: Messages, n_new: int = 256) -> Iterator[str]:
        start = ids(tokenizer, prompt(messages))
        stream = tokens(model, start, n_new, stop=end(tokenizer), **loop)
        yield from (text or together)(tokenizer, stream)

    return chat


def together(tokenizer: Any, stream: Iterator[int], skip: bool = True) -> Iterator[str]:
    """The right way to text."""
    answer, shown = [], 0
    for token in stream:
        answer.append(token)
        text = tokenizer.decode(answer, skip_special_tokens=skip)
        if not text.endswith(BROKEN):
            yield text[shown:]
            shown = len(text)


def _one_by_one(tokenizer: Any, stream: Iterator[int]) -> Iterator[str]:
    for token in stream:
        yield tokenizer.decode([token])


def _spaced(tokenizer: Any, stream: Iterator[int]) -> Iterator[str]:
    for i, piece in enumerate(together(tokenizer, stream)):
        yield f" {piece}" if i else piece


def _stripped(tokenizer: Any, stream: Iterator[int]) -> Iterator[str]:
    for piece in together(tokenizer, stream):
        yield piece.strip()


def _whole_so_far(tokenizer: Any, stream: Iterator[int]) -> Iterator[str]:
    answer = ""
    for piece in together(tokenizer, stream):
        answer += piece
        yield answer


def _at_the_end(tokenizer: Any, stream: Iterator[int]) -> Iterator[str]:
    yield "".join(together(tokenizer, stream))


def _held_back_for_ever(tokenizer: Any, stream: Iterator[int]) -> Iterator[str]:
    """Leaves a character out when its first byte alone is no text."""
    for token in stream:
        piece = tokenizer.decode([token])
        if BROKEN not in piece:
            yield piece


def _broken_at_the_end(tokenizer: Any, stream: Iterator[int]) -> Iterator[str]:
    answer, shown = [], ""
    for token in stream:
        answer.append(token)
        text = tokenizer.decode(answer)
        if not text.endswith(BROKEN):
            yield text[len(shown) :]
            shown = text
    yield tokenizer.decode(answer)[len(shown) :]


def _as_ids(tokenizer: Any, stream: Iterator[int]) -> Iterator[Any]:
    yield from stream


def _raw_tokens(tokenizer: Any, stream: Iterator[int]) -> Iterator[str]:
    for token in stream:
        yield tokenizer.id_to_token(token)


def _with_specials(tokenizer: Any, stream: Iterator[int]) -> Iterator[str]:
    yield from together(tokenizer, stream, skip=False)


def _with_end(tokenizer: Any, stream: Iterator[int]) -> Iterator[str]:
    yield from together(tokenizer, stream)
    yield END


def _until_newline(tokenizer: Any, stream: Iterator[int]) -> Iterator[str]:
    for piece in together(tokenizer, stream):
        if "\n" in piece:
            return
        yield piece


def _until_special(tokenizer: Any, stream: Iterator[int]) -> Iterator[str]:
    def ordinary() -> Iterator[int]:
        for token in stream:
            if not tokenizer.decode([token]):
                return
            yield token

    yield from together(tokenizer, ordinary())


def _echoed(model: Any, tokenizer: Any, messages: Messages, n_new: int = 256) -> Iterator[str]:
    yield chat_prompt(messages)
    yield from talk()(model, tokenizer, messages, n_new)


def _leaks_no_grad(
    model: Any, tokenizer: Any, messages: Messages, n_new: int = 256
) -> Iterator[str]:
    with torch.no_grad():
        yield from talk()(model, tokenizer, messages, n_new)


def _appends(model: Any, tokenizer: Any, messages: Messages, n_new: int = 256) -> Iterator[str]:
    answer = ""
    for piece in talk()(model, tokenizer, messages, n_new):
        answer += piece
        yield piece
    messages.append({"role": "assistant", "content": answer})


def _notes(model: Any, tokenizer: Any, messages: Messages, n_new: int = 256) -> Iterator[str]:
    messages[-1]["answered"] = "yes"
    yield from talk()(model, tokenizer, messages, n_new)


def _inserts(model: Any, tokenizer: Any, messages: Messages, n_new: int = 256) -> Iterator[str]:
    if messages[0]["role"] != "system":
        messages.insert(0, {"role": "system", "content": DEFAULT})
    yield from talk()(model, tokenizer, messages, n_new)


class _OneMemory:
    """Caches that live on from one conversation to the next."""

    def __init__(self) -> None:
        self.model, self.memory = None, None

    def __call__(
        self, model: Any, tokenizer: Any, messages: Messages, n_new: int = 256
    ) -> Iterator[str]:
        if model is not self.model:
            self.model, self.memory = model, model.new_caches(1, 4096)
        room = model.new_caches
        model.new_caches = lambda *_: self.memory
        try:
            yield from talk()(model, tokenizer, messages, n_new)
        finally:
            model.new_caches = room


def _remembers() -> Callable[..., Iterator[str]]:
    keep = _OneMemory()

    def chat(model: Any, tokenizer: Any, messages: Messages, n_new: int = 256) -> Iterator[str]:
        return keep(model, tokenizer, messages, n_new)

    return chat


def _plain(messages: Messages) -> str:
    return messages[-1]["content"]


def _first_stop(tokenizer: Any) -> int:
    return tokenizer.token_to_id("<|endoftext|>")


CHAT = [
    Mistake(
        "never_stops",
        talk(end=lambda tokenizer: None),
        "It does not stop at <|im_end|>: the model goes on and writes the next question itself.",
        f'`if token == tokenizer.token_to_id("{END}"): return`',
    ),
    Mistake(
        "stops_at_endoftext",
        talk(end=_first_stop),
        "It waits for <|endoftext|>. An answer of this model ends with <|im_end|>.",
        f'`if token == tokenizer.token_to_id("{END}"): return`',
    ),
    Mistake(
        "stops_at_token_2",
        talk(end=lambda tokenizer: 2),
        "It stops at token 2. That is <|im_end|> in SmolLM2's file; ask the tokenizer.",
        f'`tokenizer.token_to_id("{END}")`',
    ),
    Mistake(
        "stops_at_start",
        talk(end=lambda tokenizer: tokenizer.token_to_id("<|im_start|>")),
        "It stops at <|im_start|>. An answer ends with <|im_end|>.",
        f'`tokenizer.token_to_id("{END}")`',
    ),
    Mistake(
        "stops_at_every_special_token",
        talk(text=_until_special),
        "Every special token ends the answer. Only <|im_end|> does.",
        f'`tokenizer.token_to_id("{END}")`',
    ),
    Mistake(
        "stops_at_newline",
        talk(text=_until_newline),
        "A new line ends the answer. Only <|im_end|> does.",
        f'`tokenizer.token_to_id("{END}")`',
    ),
    Mistake(
        "end_is_shown",
        talk(text=_with_end),
        "<|im_end|> itself is in the text.",
        "Stop before it is decoded.",
    ),
    Mistake(
        "special_tokens_shown",
        talk(text=_with_specials),
        "Special tokens are in the text: `skip_special_tokens=False`.",
        "`tokenizer.decode(answer)` leaves them out.",
    ),
    Mistake(
        "each_token_alone",
        talk(text=_one_by_one),
        "Each token is decoded by itself. One that holds only a part of a character becomes �.",
        TOGETHER,
    ),
    Mistake(
        "broken_tokens_left_out",
        talk(text=_held_back_for_ever),
        "Tokens that are no text by themselves are left out, and with them every character that "
        "needs two.",
        TOGETHER,
    ),
    Mistake(
        "broken_character_at_the_end",
        talk(text=_broken_at_the_end),
        "An answer cut off within a character ends in �. Leave that character out.",
        "Give only what does not end in half a character.",
    ),
    Mistake(
        "raw_tokens",
        talk(text=_raw_tokens),
        "These are the tokens' own names, where Ġ stands for a space.",
        TOGETHER,
    ),
    Mistake(
        "spaces_between_tokens",
        talk(text=_spaced),
        "A space stands between all tokens. Tokens bring their own.",
        TOGETHER,
    ),
    Mistake(
        "spaces_lost",
        talk(text=_stripped),
        "The spaces at the edges of the pieces are cut off.",
        "No `.strip()`.",
    ),
    Mistake(
        "whole_answer_each_time",
        talk(text=_whole_so_far),
        "Each piece is the whole answer so far. Give only what is new.",
        "`yield text[len(shown):]`",
    ),
    Mistake(
        "all_at_the_end",
        talk(text=_at_the_end),
        "The answer comes as one piece, when it is finished. Then nobody sees the model write.",
        "`yield` inside the loop.",
    ),
    Mistake(
        "token_ids",
        talk(text=_as_ids),
        "It gives token ids. Text is asked for.",
        TOGETHER,
    ),
    Mistake(
        "prompt_is_shown",
        _echoed,
        "The prompt comes before the answer.",
        "Decode the new tokens only.",
    ),
    Mistake(
        "no_template",
        talk(prompt=_plain),
        "The model gets the last message as it is, without the template: it continues a text "
        "instead of answering.",
        "`tokenizer.encode(chat_prompt(messages)).ids`",
    ),
    Mistake(
        "last_message_only",
        talk(prompt=lambda messages: chat_prompt(messages[-1:])),
        "Only the last message is in the prompt: the model forgets the conversation.",
        "`chat_prompt(messages)`",
    ),
    Mistake(
        "last_three_messages_only",
        talk(prompt=lambda messages: chat_prompt(messages[-3:])),
        "Only the last three messages are in the prompt: the model forgets what was said before.",
        "`chat_prompt(messages)`",
    ),
    Mistake(
        "no_generation_prompt",
        talk(prompt=lambda m: chat_prompt(m).removesuffix("<|im_start|>assistant\n")),
        "The prompt does not open the assistant's turn.",
        "`chat_prompt(messages)`",
    ),
    Mistake(
        "no_default_system_prompt",
        talk(
            prompt=lambda m: (
                chat_prompt([{"role": "system", "content": ""}, *m])
                .split("\n<|im_end|>\n")[-1]
                .partition("<|im_start|>system\n<|im_end|>\n")[-1]
                if m[0]["role"] != "system"
                else chat_prompt(m)
            )
        ),
        "The default system prompt is missing.",
        "`chat_prompt(messages)`",
    ),
    Mistake(
        "doubled_bos",
        talk(
            ids=lambda tokenizer, prompt: [
                tokenizer.token_to_id("<|im_start|>"),
                *tokenizer.encode(prompt).ids,
            ]
        ),
        "<|im_start|> stands twice at the beginning of the prompt.",
        "`tokenizer.encode(chat_prompt(messages)).ids`, nothing else.",
        "abetlen/llama-cpp-python#1501",
    ),
    Mistake(
        "ends_with_end_token",
        talk(
            ids=lambda tokenizer, prompt: [
                *tokenizer.encode(prompt).ids,
                tokenizer.token_to_id(END),
            ]
        ),
        "<|im_end|> is appended to the prompt.",
        "`tokenizer.encode(chat_prompt(messages)).ids`, nothing else.",
    ),
    Mistake(
        "last_prompt_token_lost",
        talk(ids=lambda tokenizer, prompt: tokenizer.encode(prompt).ids[:-1]),
        "The last token of the prompt is not given to the model.",
        FEED,
    ),
    Mistake(
        "first_token_lost",
        talk(first=1),
        "The answer's first token is missing. The logits after the prompt are its own.",
        FEED,
    ),
    Mistake(
        "first_row_of_logits",
        talk(row=0),
        "The first row of the logits is taken: what follows the prompt's first token.",
        "`logits[0, -1]`",
    ),
    Mistake(
        "second_best",
        talk(pick=lambda row: int(row.topk(2).indices[1])),
        "The second likeliest token is taken.",
        "`.argmax()`",
    ),
    Mistake(
        "least_likely",
        talk(pick=lambda row: int(row.argmin())),
        "The least likely token is taken.",
        "`.argmax()`",
    ),
    Mistake(
        "drawn_by_chance",
        talk(
            pick=lambda row: int(
                torch.multinomial(
                    (row / 5).softmax(0), 1, generator=torch.Generator().manual_seed(0)
                )
            )
        ),
        "The next token is drawn by chance. Here the likeliest is asked for.",
        "`.argmax()`",
    ),
    Mistake(
        "without_caches",
        talk(whole=True, caches=False),
        "There are no caches: the whole text is read again for each token. The answer is right and "
        "takes many times as long.",
        "`caches = model.new_caches(1, len(ids) + n_new)`, and `model(new, caches)`.",
    ),
    Mistake(
        "whole_text_with_caches",
        talk(whole=True, room=4096),
        "The whole text is given to the model each time, although the caches hold it already: it "
        "reads everything twice, three times, …",
        FEED,
    ),
    Mistake(
        "new_caches_each_time",
        talk(fresh=True),
        "The model is given one token at a time, with empty caches or with none: it has forgotten "
        "the rest.",
        "`new_caches` once, before the loop, and `model(new, caches)`.",
    ),
    Mistake(
        "caches_for_the_prompt_only",
        talk(room=0),
        "The caches have no room for what they are to hold.",
        "`model.new_caches(1, len(ids) + n_new)`",
    ),
    Mistake(
        "one_token_too_many",
        talk(extra=1),
        "It gives n_new + 1 tokens.",
        "`for _ in range(n_new)`",
    ),
    Mistake(
        "one_token_too_few",
        talk(extra=-1),
        "It gives n_new - 1 tokens.",
        "`for _ in range(n_new)`",
    ),
    Mistake(
        "n_new_ignored",
        lambda model, tokenizer, messages, n_new=256: talk()(model, tokenizer, messages, 256),
        "It gives as many tokens as it likes: n_new is not used.",
        "`for _ in range(n_new)`",
    ),
    Mistake(
        "with_gradients",
        talk(gradients=True),
        "The model computes with gradients: everything it computed is kept for a backward pass "
        "that never comes.",
        "`with torch.no_grad():` around the call of the model.",
    ),
    Mistake(
        "leaks_no_grad",
        _leaks_no_grad,
        "`with torch.no_grad()` is open while a piece is handed out: the caller's cells compute "
        "without gradients until the answer is finished.",
        "Close it before `yield`, or write `@torch.no_grad()` above the function.",
    ),
    Mistake(
        "appends_its_answer",
        _appends,
        "It appends its answer to the caller's messages.",
        "Leave `messages` as it is.",
    ),
    Mistake(
        "inserts_system_prompt",
        _inserts,
        "It inserts the system prompt into the caller's messages.",
        "Leave `messages` as it is: chat_prompt puts the default there, in a list of its own.",
    ),
    Mistake(
        "writes_into_a_message",
        _notes,
        "It writes into the caller's messages.",
        "Leave `messages` as it is, and what is in it.",
    ),
    Mistake(
        "caches_live_on",
        _remembers(),
        "The caches of the last conversation are used for the next one.",
        "`new_caches` inside the function.",
        "Lightning-AI/litgpt#1595, casper-hansen/AutoAWQ#178",
    ),
]
