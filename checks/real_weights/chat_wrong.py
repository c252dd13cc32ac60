"""Lab 11, 11.5: chat, and what people write in place of its lines.

There are two right ones: with the `generate` of lab 10, and with a loop of one's own.
"""

from collections.abc import Collection, Iterator
from typing import Any

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of
from checks.real_weights.chat_prompt_wrong import (
    DEFAULT,
    END,
    Messages,
    chat_prompt,
)

BROKEN = "\N{REPLACEMENT CHARACTER}"
TOGETHER = (
    "Decode the whole answer each time, `tokenizer.decode(answer)`, and yield what is new in it, "
    "unless it ends in half a character."
)


def generate(
    model: Any,
    ids: Tensor,
    n_new: int,
    temperature: float = 1.0,
    k: int | None = None,
    p: float | None = None,
    stop: Collection[int] | None = None,
) -> Iterator[int]:
    """Token after token, as in lab 10."""
    caches = model.new_caches(1, ids.shape[1] + n_new)
    for _ in range(n_new):
        with torch.no_grad():
            row = model(ids, caches)[0, -1]
        if temperature and k != 1:
            row = torch.log(torch.rand(len(row))).neg().log().neg() + row / temperature  # Gumbel
        token = int(row.argmax())
        if stop is not None and token in stop:
            return
        yield token
        ids = torch.tensor([[token]])


def chat(model: Any, tokenizer: Any, messages: Messages, n_new: int = 256) -> Iterator[str]:
    prompt = chat_prompt(messages)
    #: `tokenizer.encode(chat_prompt(messages)).ids`
    #! no_template: prompt = messages[-1]["content"]
    #! no_template: prompt = "\n".join(m["content"] for m in messages)
    #  The model gets the messages as they are, without the template: it continues a text instead of answering.
    #: `chat_prompt(messages)`
    #! last_message_only: prompt = chat_prompt(messages[-1:])
    #  Only the last message is in the prompt: the model forgets the conversation.
    #! last_three_messages_only: prompt = chat_prompt(messages[-3:])
    #  Only the last three messages are in the prompt: the model forgets what was said before.
    #! first_message_only: prompt = chat_prompt(messages[:1])
    #  Only the first message is in the prompt: the model does not see the last question.
    #! no_generation_prompt: prompt = chat_prompt(messages).removesuffix("<|im_start|>assistant\n")
    #  The prompt does not open the assistant's turn.
    #! prompt_stripped: prompt = chat_prompt(messages).strip()
    #  The prompt's last new line is cut off.
    #! opened_twice: prompt = chat_prompt(messages) + "<|im_start|>assistant\n"
    #  The assistant's turn is opened twice: chat_prompt has done it.
    #! no_default_system_prompt: prompt = chat_prompt(messages).removeprefix(f"<|im_start|>system\n{DEFAULT}<|im_end|>\n")
    #  The default system prompt is missing.
    #: `for _ in range(n_new)`
    #! one_token_too_many: …; n_new += 1
    #  It gives n_new + 1 tokens.
    #! one_token_too_few: …; n_new -= 1
    #  It gives n_new - 1 tokens.
    #! n_new_ignored: …; n_new = 256
    #  It gives as many tokens as it likes: n_new is not used.
    #: Leave `messages` as it is: chat_prompt puts the default there, in a list of its own.
    #! inserts_system_prompt: messages.insert(0, {"role": "system", "content": DEFAULT}) if messages[0]["role"] != "system" else None; …
    #  It inserts the system prompt into the caller's messages.
    #: Leave `messages` as it is, and what is in it.
    #! writes_into_a_message: …; messages[-1]["answered"] = "yes"
    #  It writes into the caller's messages.
    ids = tokenizer.encode(prompt).ids
    #: `tokenizer.encode(chat_prompt(messages)).ids`, nothing else.
    #! encoding_for_ids: ids = tokenizer.encode(prompt)
    #  `tokenizer.encode(…)` gives an object. Its `.ids` are the numbers.
    #! doubled_bos: …; ids = [tokenizer.token_to_id("<|im_start|>"), *ids]
    #  <|im_start|> stands twice at the beginning of the prompt. [abetlen/llama-cpp-python#1501]
    #! endoftext_first: …; ids = [tokenizer.token_to_id("<|endoftext|>"), *ids]
    #  <|endoftext|> stands before the prompt.
    #! ends_with_end_token: …; ids = [*ids, tokenizer.token_to_id("<|im_end|>")]
    #  <|im_end|> is appended to the prompt.
    #! last_prompt_token_lost: …; ids = ids[:-1]
    #  The last token of the prompt is not given to the model.
    #! first_prompt_token_lost: …; ids = ids[1:]
    #  The first token of the prompt is not given to the model.
    end = tokenizer.token_to_id("<|im_end|>")
    #: `if token == tokenizer.token_to_id("<|im_end|>"): return`, or `stop={end}`
    #! never_stops: end = None
    #  It does not stop at <|im_end|>: the model goes on and writes the next question itself.
    #! stops_at_endoftext: end = tokenizer.token_to_id("<|endoftext|>")
    #  It waits for <|endoftext|>. An answer of this model ends with <|im_end|>. [Blaizzy/mlx-vlm#2112]
    #: `tokenizer.token_to_id("<|im_end|>")`
    #! stops_at_token_2: end = 2
    #  It stops at token 2. That is <|im_end|> in SmolLM2's file; ask the tokenizer.
    #! stops_at_start: end = tokenizer.token_to_id("<|im_start|>")
    #  It stops at <|im_start|>. An answer ends with <|im_end|>.
    start = torch.tensor([ids])
    #: `torch.tensor([ids])`: (1, T).
    #! ids_without_batch: start = torch.tensor(ids)
    #  The ids are (T,). The model takes (1, T).
    #! ids_as_a_list: start = [ids]
    #  The ids are a list. The model takes a tensor.
    tokens = generate(model, start, n_new, temperature=0, stop={end})
    #: `stop={end}`: a set, since a text may end in several ways.
    #! stop_is_no_set: tokens = generate(model, start, n_new, temperature=0, stop=end)
    #  `stop` is one number. `generate` asks whether a token is in it: a set or a list.
    #: `temperature=0`
    #! drawn_by_chance: tokens = generate(model, start, n_new, stop={end})
    #  The next token is drawn by chance. Here the likeliest is asked for.
    #: `stop={end}`, and `yield` inside the loop.
    #! generated_ahead: tokens = until(list(generate(model, start, n_new, temperature=0)), end)
    #  All n_new tokens are generated before the first is shown, also those behind <|im_end|>. [dottxt-ai/outlines#750]
    #: The logits after the prompt are the first token's.
    #! first_token_lost: …; next(tokens, None)
    #  The answer's first token is missing.
    #: `tokenizer.token_to_id("<|im_end|>")`
    #! stops_at_every_special_token: tokens = ordinary(tokenizer, generate(model, start, n_new, temperature=0, stop={end}))
    #  Every special token ends the answer. Only <|im_end|> does.
    answer, shown = [], 0
    #: Decode the new tokens only.
    #! prompt_is_shown: answer, shown = list(ids), 0
    #! prompt_is_shown: yield prompt; …
    #! prompt_is_shown: answer, shown = list(ids), -1
    #  The prompt comes before the answer.
    for token in tokens:
        answer.append(token)
        #: Decode the whole answer each time, `tokenizer.decode(answer)`.
        #! appended_twice: answer += [token, token]
        #  Each token is appended twice.
        #! forgets_to_append: pass
        #  The token is not appended: the answer stays empty.
        text = tokenizer.decode(answer)
        #: `tokenizer.decode(answer)` leaves them out.
        #! special_tokens_shown: text = tokenizer.decode(answer, skip_special_tokens=False)
        #  Special tokens are in the text: `skip_special_tokens=False`.
        #: Decode the whole answer each time, `tokenizer.decode(answer)`, and yield what is new in it, unless it ends in half a character.
        #! each_token_alone: yield tokenizer.decode([token]); continue
        #  Each token is decoded by itself. One that holds only a part of a character becomes �. [antonellof/ferrox#124]
        #! broken_tokens_left_out: text, shown = tokenizer.decode([token]), 0
        #  Tokens that are no text by themselves are left out, and with them every character that needs two. [replicate/cog-llama-template#75]
        #! alone_and_from_shown: text = tokenizer.decode([token])
        #  Each token is decoded by itself, and then cut as if it were the whole answer.
        #! raw_tokens: yield tokenizer.id_to_token(token); continue
        #  These are the tokens' own names, where Ġ stands for a space.
        #: No `.strip()`.
        #! answer_stripped: text = tokenizer.decode(answer).strip()
        #! answer_stripped: text = tokenizer.decode(answer).lstrip()
        #! answer_stripped: text = tokenizer.decode(answer).rstrip()
        #  The spaces at the edges of the answer are cut off.
        #: `if token == end: return`, on the token's id, before it is decoded.
        #! stops_at_newline: if "\n" in tokenizer.decode([token]): return; …
        #  A new line ends the answer. Only <|im_end|> does.
        #! stops_at_full_stop: …; if text.endswith("."): return
        #  A full stop ends the answer. Only <|im_end|> does.
        if not text.endswith(BROKEN):
            #: Decode the whole answer each time, `tokenizer.decode(answer)`, and yield what is new in it, unless it ends in half a character.
            #! half_characters_shown: if text:
            #  Nothing is held back: text that ends in half a character is shown with a �, and the rest of the character never comes.
            #! held_back_for_ever: if BROKEN not in text:
            #  Nothing is shown as long as there is a � anywhere. After one byte that never becomes a character the answer stops. Look at the end
            #  only. [openai/harmony#83]
            #! only_half_characters: if text.endswith(BROKEN):
            #  The condition is turned round: it shows what ends in half a character, and nothing else.
            #! broken_tokens_left_out:
            #| if text.endswith(BROKEN):
            #|     shown = len(text)
            #| else:
            #! text_shown_twice:
            #| if text.endswith(BROKEN):
            #|     shown = text.rfind(" ") + 1
            #| else:
            #  While a character is not complete it goes back, so that text is shown twice. [sgl-project/sglang#31598]
            #! text_shown_twice:
            #| if text.endswith(BROKEN):
            #|     shown = max(shown - 1, 0)
            #| else:
            yield text[shown:]
            #: `yield text[shown:]`
            #! whole_answer_each_time: yield text
            #  Each piece is the whole answer so far. Give only what is new. [webmachinelearning/prompt-api#13]
            #! last_character_only: yield text[-1:]
            #  Only the last character of each piece is given.
            #! one_character_only: yield text[shown]
            #  Only the first character of each piece is given.
            #! one_character_lost: yield text[shown + 1:]
            #  The first character of each piece is lost.
            #! shown_again: yield text[:shown]
            #  It gives what was shown before, not what is new.
            #! one_character_behind: yield text[shown : len(text) - 1]; shown = len(text) - 1; continue
            #  The last character is held back and never shown.
            #! last_character_lost: yield text[shown:-1]
            #  The last character of each piece is lost.
            #! token_ids: yield token
            #  It gives token ids. Text is asked for.
            #: `yield` inside the loop: whoever asks for pieces gets them one by one.
            #! printed: print(text[shown:], end="")
            #  The pieces are printed and nothing is handed out.
            #! returned_not_yielded: return text[shown:]
            #  It returns where it should `yield`: a text, not pieces one after the other.
            #: No `.strip()`, and nothing in between.
            #! spaces_lost: yield text[shown:].strip()
            #! spaces_lost: yield text[shown:].rstrip()
            #  The spaces at the edges of the pieces are cut off.
            #! spaces_between_tokens: yield " " * (shown > 0) + text[shown:]
            #! spaces_between_tokens: yield text[shown:] + " "
            #! spaces_between_tokens: yield " " + text[shown:]
            #  A space stands between all tokens. Tokens bring their own.
            #! lines_between_tokens: yield text[shown:] + "\n"
            #  A new line stands after each piece.
            shown = len(text)
            #: `shown = len(text)`, right after the piece was given.
            #! whole_answer_each_time: pass
            #! tokens_counted: shown = len(answer)
            #! tokens_counted: shown += 1
            #  It counts tokens as shown. A token has several characters: `len(text)`.
            #! lengths_added: shown += len(text)
            #  The lengths of the whole answer are added up, again and again: text is lost.
            #! bytes_counted: shown = len(text.encode())
            #  It counts bytes as shown. `text[shown:]` counts characters.
            #! one_too_few_shown: shown = len(text) - 1
            #  It counts a character too few as shown: the last one of each piece comes twice.
            #! one_too_many_shown: shown = len(text) + 1
            #  It counts a character too many as shown: the first one of the next piece is lost.


def chat_by_hand(model: Any, tokenizer: Any, messages: Messages, n_new: int = 256) -> Iterator[str]:
    new = ids = tokenizer.encode(chat_prompt(messages)).ids
    answer, shown = [], 0
    caches = model.new_caches(1, len(ids) + n_new)
    #: `caches = model.new_caches(1, len(ids) + n_new)`, and `model(new, caches)`.
    #! without_caches: caches = None
    #  There are no caches: the whole text is read again for each token. The answer is right and takes many times as long.
    #: `model.new_caches(1, len(ids) + n_new)`
    #! caches_for_the_prompt_only: caches = model.new_caches(1, 0)
    #! caches_for_the_prompt_only: caches = model.new_caches(1, len(ids))
    #! caches_for_the_prompt_only: caches = model.new_caches(1, n_new)
    #  The caches have no room for what they are to hold.
    #: `new` is the prompt's ids at first, and then the one token that was chosen.
    #! whole_text_with_caches: caches = model.new_caches(1, 4096)
    #  The whole text is given to the model each time, although the caches hold it already: it reads everything twice, three times, …
    for _ in range(n_new):
        #: `for _ in range(n_new)`
        #! one_token_too_many: for _ in range(n_new + 1):
        #! one_token_too_few: for _ in range(n_new - 1):
        #! n_new_ignored: while True:
        #: `new_caches` once, before the loop, and `model(new, caches)`.
        with torch.no_grad():
            #: `new_caches` once, before the loop, and `model(new, caches)`.
            #! new_caches_each_time: caches = model.new_caches(1, len(ids) + n_new); …
            #  The model is given one token at a time, with empty caches or with none: it has forgotten the rest.
            #: `with torch.no_grad():` around the call of the model.
            #! with_gradients: if True:
            #  The model computes with gradients: everything it computed is kept for a backward pass that never comes. [allenai/OLMo#164]
            logits = model(torch.tensor([new]), caches)
        token = int(logits[0, -1].argmax())
        #: `logits[0, -1]`
        #! first_row_of_logits: token = int(logits[0, 0].argmax())
        #  The first row of the logits is taken: what follows the prompt's first token.
        #: `.argmax()`
        #! second_best: token = int(logits[0, -1].topk(2).indices[1])
        #  The second likeliest token is taken.
        #! least_likely: token = int(logits[0, -1].argmin())
        #  The least likely token is taken.
        #! drawn_by_chance: token = int(torch.multinomial(logits[0, -1].softmax(0), 1))
        if token == tokenizer.token_to_id("<|im_end|>"):
            return
            #: `if token == tokenizer.token_to_id("<|im_end|>"): return`
            #! never_stops: pass
            #! end_left_out_and_on: new = [token]; continue
            #  It leaves <|im_end|> out and goes on behind it. There the answer ends.
        answer.append(token)
        text = tokenizer.decode(answer)
        if not text.endswith(BROKEN):
            yield text[shown:]
            shown = len(text)
        new = [token]
        #!+ without_caches: new = [*new, token]
        #!+ whole_text_with_caches: new = [*new, token]
        #! whole_text_with_caches: new = [*new, token]
        #: `new` is the prompt's ids at first, and then the one token that was chosen.
        #! prompt_again_and_again: pass
        #  The model is given the prompt again and again, not the token that was chosen.
        #! answer_with_caches: new = answer
        #  The whole answer so far is given to the model, although the caches hold it but for the last token.


def until(tokens: list[int], end: int) -> list[int]:
    """The tokens before the one that ends an answer."""
    return tokens[: tokens.index(end)] if end in tokens else tokens


def ordinary(tokenizer: Any, tokens: Iterator[int]) -> Iterator[int]:
    """The tokens before the first special one."""
    for token in tokens:
        if not tokenizer.decode([token]):
            return
        yield token


def at_the_end(model: Any, tokenizer: Any, messages: Messages, n_new: int = 256) -> Iterator[str]:
    """Everything in one piece."""
    yield "".join(chat(model, tokenizer, messages, n_new))


def last_text_if_whole(
    model: Any, tokenizer: Any, messages: Messages, n_new: int = 256
) -> Iterator[str]:
    """Everything in one piece, unless it ends in mid-character."""
    end = tokenizer.token_to_id(END)
    ids = torch.tensor([tokenizer.encode(chat_prompt(messages)).ids])
    answer = list(generate(model, ids, n_new, temperature=0, stop={end}))
    text = tokenizer.decode(answer)
    if not text.endswith(BROKEN):
        yield text


def last_text(model: Any, tokenizer: Any, messages: Messages, n_new: int = 256) -> Iterator[str]:
    """Everything in one piece, whatever it ends in."""
    end = tokenizer.token_to_id(END)
    ids = torch.tensor([tokenizer.encode(chat_prompt(messages)).ids])
    yield tokenizer.decode(list(generate(model, ids, n_new, temperature=0, stop={end})))


def returns_text(model: Any, tokenizer: Any, messages: Messages, n_new: int = 256) -> str:
    """The whole text, returned."""
    return "".join(chat(model, tokenizer, messages, n_new))


def returns_last_text(model: Any, tokenizer: Any, messages: Messages, n_new: int = 256) -> str:
    """The whole text, returned by a name that an empty answer never gives a value."""
    for piece in chat(model, tokenizer, messages, n_new):
        text = piece
    return text


def broken_at_the_end(
    model: Any, tokenizer: Any, messages: Messages, n_new: int = 256
) -> Iterator[str]:
    """What was held back is shown at the end."""
    end = tokenizer.token_to_id(END)
    ids = torch.tensor([tokenizer.encode(chat_prompt(messages)).ids])
    answer, shown = [], 0
    for token in generate(model, ids, n_new, temperature=0, stop={end}):
        answer.append(token)
        text = tokenizer.decode(answer)
        if not text.endswith(BROKEN):
            yield text[shown:]
            shown = len(text)
    yield tokenizer.decode(answer)[shown:]


def shows_the_end(
    model: Any, tokenizer: Any, messages: Messages, n_new: int = 256
) -> Iterator[str]:
    """The token that ends it is shown before it stops."""
    ids = torch.tensor([tokenizer.encode(chat_prompt(messages)).ids])
    answer, shown = [], 0
    for token in generate(model, ids, n_new, temperature=0):
        answer.append(token)
        text = tokenizer.decode(answer, skip_special_tokens=False)
        if not text.endswith(BROKEN):
            yield text[shown:]
            shown = len(text)
        if token == tokenizer.token_to_id(END):
            return


def shows_end_always(
    model: Any, tokenizer: Any, messages: Messages, n_new: int = 256
) -> Iterator[str]:
    """The letters of it come last."""
    yield from chat(model, tokenizer, messages, n_new)
    yield END


def shows_end_only(
    model: Any, tokenizer: Any, messages: Messages, n_new: int = 256
) -> Iterator[str]:
    """The letters of it come last where the answer ended by itself."""
    ids = torch.tensor([tokenizer.encode(chat_prompt(messages)).ids])
    answer, shown = [], 0
    for token in generate(model, ids, n_new, temperature=0):
        answer.append(token)
        text = tokenizer.decode(answer)
        if token == tokenizer.token_to_id(END):
            yield END
            return
        if not text.endswith(BROKEN):
            yield text[shown:]
            shown = len(text)


def waits_for_whole_ones(
    model: Any, tokenizer: Any, messages: Messages, n_new: int = 256
) -> Iterator[str]:
    """Tokens are collected until they are text; after a stray byte they never are."""
    waiting: list[int] = []
    end = tokenizer.token_to_id(END)
    ids = torch.tensor([tokenizer.encode(chat_prompt(messages)).ids])
    for token in generate(model, ids, n_new, temperature=0, stop={end}):
        waiting.append(token)
        text = tokenizer.decode(waiting)
        if BROKEN not in text:
            yield text
            waiting = []


def leaks_no_grad(
    model: Any, tokenizer: Any, messages: Messages, n_new: int = 256
) -> Iterator[str]:
    """`no_grad` around the yields."""
    with torch.no_grad():
        yield from chat(model, tokenizer, messages, n_new)


def appends(model: Any, tokenizer: Any, messages: Messages, n_new: int = 256) -> Iterator[str]:
    """The answer goes into the caller's list."""
    answer = ""
    for piece in chat(model, tokenizer, messages, n_new):
        answer += piece
        yield piece
    messages.append({"role": "assistant", "content": answer})


def appends_first(
    model: Any, tokenizer: Any, messages: Messages, n_new: int = 256
) -> Iterator[str]:
    """A place for the answer in the caller's list."""
    asked = [*messages]
    messages.append({"role": "assistant", "content": ""})
    for piece in chat(model, tokenizer, asked, n_new):
        messages[-1]["content"] += piece
        yield piece


class OneMemory:
    """Caches that live on from one conversation to the next."""

    def __init__(self) -> None:
        self.model, self.memory = None, None

    def __call__(self, model: Any, ids: Tensor, n_new: int) -> Iterator[int]:
        """Greedy tokens, with the caches of the last conversation."""
        if model is not self.model:
            self.model, self.memory = model, model.new_caches(1, 4096)
        for _ in range(n_new):
            with torch.no_grad():
                token = int(model(ids, self.memory)[0, -1].argmax())
            yield token
            ids = torch.tensor([[token]])


memory = OneMemory()


def remembers(model: Any, tokenizer: Any, messages: Messages, n_new: int = 256) -> Iterator[str]:
    """The caches of the last conversation."""
    ids = torch.tensor([tokenizer.encode(chat_prompt(messages)).ids])
    answer, shown = [], 0
    for token in memory(model, ids, n_new):
        if token == tokenizer.token_to_id(END):
            return
        answer.append(token)
        text = tokenizer.decode(answer)
        if not text.endswith(BROKEN):
            yield text[shown:]
            shown = len(text)


MISTAKES: list[Mistake] = [
    *mistakes_of(chat, chat_by_hand),
    Mistake(
        "all_at_the_end",
        at_the_end,
        "The answer comes all at once, when it is finished. Then nobody sees the model write.",
        "`yield` inside the loop.",
        also=(last_text_if_whole, last_text),
    ),
    Mistake(
        "returned_at_the_end",
        returns_text,
        "It returns the finished text. A caller wants pieces, while the model writes.",
        "`yield` inside the loop.",
        also=(returns_last_text,),
    ),
    Mistake(
        "broken_character_at_the_end",
        broken_at_the_end,
        "An answer cut off within a character ends in �. Leave that character out.",
        "Give only what does not end in half a character.",
    ),
    Mistake(
        "end_is_shown",
        shows_the_end,
        "<|im_end|> itself is in the text.",
        "Stop before it is decoded.",
        "kserve/kserve#4490",
        also=(shows_end_always, shows_end_only),
    ),
    Mistake(
        "held_back_by_tokens",
        waits_for_whole_ones,
        "Tokens wait until all of them together are text. After one byte that never becomes a "
        "character they wait for ever, and nothing more is shown.",
        TOGETHER,
        "openai/harmony#83",
    ),
    Mistake(
        "leaks_no_grad",
        leaks_no_grad,
        "`with torch.no_grad()` is open while a piece is handed out: the caller's cells compute "
        "without gradients until the answer is finished.",
        "Close it before `yield`, or write `@torch.no_grad()` above the function.",
    ),
    Mistake(
        "appends_its_answer",
        appends,
        "It appends its answer to the caller's messages.",
        "Leave `messages` as it is.",
        also=(appends_first,),
    ),
    Mistake(
        "caches_live_on",
        remembers,
        "The caches of the last conversation are used for the next one.",
        "`new_caches` inside the function.",
        "Lightning-AI/litgpt#1596, casper-hansen/AutoAWQ#178, ml-explore/mlx-lm#1039",
    ),
]
