"""Lab 11, 11.3: chat_prompt, and what people write in place of its lines."""

import json

from checks.engine import Mistake, mistakes_of

DEFAULT = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
END = "<|im_end|>"

Messages = list[dict[str, str]]


def chat_prompt(messages: Messages) -> str:
    first = messages[0]["role"]
    #: Only the very first message counts: is it a system prompt or not?
    #! last_role_asked: first = messages[-1]["role"]
    #  It looks at the last message. The first one may be a system prompt.
    #! any_system_prompt: first = "system" if any(m["role"] == "system" for m in messages) else "user"
    #  A system prompt further down keeps the default away. The template looks at the first message only.
    #! empty_system_prompt_is_none: first = first_of(messages)
    #  An empty system prompt is taken for none, and the default comes before it. Whoever writes an empty one wants just that.
    #: Go through all messages.
    #! last_message_only: messages = messages[-1:]; …
    #  Only the last message is in the prompt: the model forgets the conversation.
    #! first_message_only: …; messages = messages[:1]
    #  Only the first message is in the prompt.
    #! last_six_only: messages = messages[-6:]; …
    #  Only the last six messages are in the prompt.
    #! answers_left_out: …; messages = [m for m in messages if m["role"] != "assistant"]
    #  The assistant's own answers are left out.
    #: Only the very first message counts: is it a system prompt or not?
    #! system_left_out: messages = [m for m in messages if m["role"] != "system"] or [{"role": "user", "content": ""}]; …
    #  The caller's system prompt is left out, and the default takes its place.
    #: Go through the messages in their order.
    #! system_sorted_first: messages = sorted(messages, key=lambda m: m["role"] != "system"); …
    #  A system prompt that comes later is moved to the beginning. The order stays as it is.
    #: Each message is a turn of its own.
    #! neighbours_merged: messages = merged(messages); …
    #  Two messages of one role in a row became one. [oobabooga/textgen#4705]
    #: Go through all messages.
    #! repetitions_left_out: messages = [m for i, m in enumerate(messages) if m not in messages[:i]]; …
    #  A message that was there before is left out. People do ask the same thing twice.
    #: `f"<|im_start|>{role}\n{content}<|im_end|>\n"` for each message.
    #! empty_contents_left_out: messages = [m for m in messages if m["content"]] or [{"role": "system", "content": DEFAULT}]; …
    #! empty_contents_left_out: …; messages = [m for m in messages if m["content"]]
    #  Messages without content are left out.
    #! empty_system_prompt_replaced: messages = messages[1:] if messages[0] == {"role": "system", "content": ""} else messages; …
    #  An empty system prompt is replaced by the default. Whoever writes an empty one wants just that.
    if first != "system":
        #: Only the very first message counts: is it a system prompt or not?
        #! default_always: if True:
        #  The default system prompt is added although the messages have one.
        #! condition_turned_round: if first == "system":
        #  The condition is turned round: the default comes where there is a system prompt, and where there is none it is missing.
        #! only_before_a_question: if first == "user":
        #  The default comes before a question only. Before an answer it belongs as well.
        messages = [{"role": "system", "content": DEFAULT}, *messages]
        #! no_default_system_prompt: pass
        #  Without a system prompt in the messages there is none at all. The model was trained with one, and the template in the file adds it.
        #! default_at_the_end: messages = [{"role": "system", "content": DEFAULT}, *messages, {"role": "system", "content": DEFAULT}]
        #  The default system prompt comes at the end as well. It comes first, once.
        #! default_only_at_the_end: messages = [*messages, {"role": "system", "content": DEFAULT}]
        #  The default system prompt is appended at the end. It comes first.
        #! default_in_place_of_the_first: messages = [{"role": "system", "content": DEFAULT}, *messages[1:]]
        #  The default takes the place of the first message.
        #! default_alone: messages = [{"role": "system", "content": DEFAULT}]
        #  The default takes the place of the whole conversation.
        #! default_from_the_user: messages = [{"role": "user", "content": DEFAULT}, *messages]
        #  The default system prompt is put into the user's mouth. Its role is `system`.
        #: `You are a helpful AI assistant named SmolLM, trained by Hugging Face`, to the letter.
        #! other_default: messages = [{"role": "system", "content": "You are a helpful assistant."}, *messages]
        #! other_default: messages = [{"role": "system", "content": "You are a helpful assistant"}, *messages]
        #! other_default: messages = [{"role": "system", "content": "You are a helpful AI assistant."}, *messages]
        #! other_default: messages = [{"role": "system", "content": "You are a helpful AI assistant"}, *messages]
        #  The default system prompt is not the one in the file's template.
        #! default_with_full_stop: messages = [{"role": "system", "content": f"{DEFAULT}."}, *messages]
        #  The default system prompt ends with a full stop. The one in the file does not.
        #! default_with_new_line: messages = [{"role": "system", "content": f"{DEFAULT}\n"}, *messages]
        #  The default system prompt ends with a new line. The one in the file does not.
        #! empty_default: messages = [{"role": "system", "content": ""}, *messages]
        #  The default system prompt is empty.
        #: `messages = [{"role": "system", "content": DEFAULT}, *messages]` makes a new list.
        #! changes_the_messages: messages.insert(0, {"role": "system", "content": DEFAULT})
        #  It inserts the system prompt into the caller's list: in the next turn it is there twice, or belongs to another conversation.
    text = ""
    #: `f"<|im_start|>{role}\n{content}<|im_end|>\n"` for each message.
    #! doubled_bos: text = "<|im_start|>"
    #  <|im_start|> stands twice at the beginning. The file calls it the token that begins a text (bos), but each message brings its own.
    #  [abetlen/llama-cpp-python#1501, InfiniTensor/InfiniLM#388]
    #! llama_bos: text = "<s>"
    #  `<s>` begins a text of Llama 2. This model does not know it.
    #! llama_3_bos: text = "<|begin_of_text|>"
    #  `<|begin_of_text|>` begins a text of Llama 3. This model does not know it.
    #! endoftext_first: text = "<|endoftext|>"
    #  <|endoftext|> stands at the beginning. The template has none.
    #! new_line_first: text = "\n"
    #  It begins with a new line.
    #: Go through all messages.
    #! first_message_left_out: …; messages = messages[1:]
    #  The first message is left out, the system prompt.
    #! last_message_left_out: …; messages = messages[:-1]
    #  The last message is left out: the question itself.
    #! last_message_only: …; messages = messages[-1:]
    #: Go through the messages in their order.
    #! turns_reversed: …; messages = messages[::-1]
    #  The messages stand in the reverse order.
    for message in messages:
        role, content = message["role"], message["content"]
        #: `f"<|im_start|>{role}\n{content}<|im_end|>\n"` for each message.
        #! roles_capitalised: …; role = role.capitalize()
        #  The roles begin with a capital letter. To the tokenizer `User` is another word.
        #! roles_in_capitals: …; role = role.upper()
        #  The roles are in capital letters. To the tokenizer `USER` is another word.
        #! all_from_the_user: …; role = "user"
        #  Every message is the user's.
        #! role_and_content_swapped: content, role = message["role"], message["content"]
        #  Role and content are swapped.
        #: No `.strip()`.
        #! contents_stripped: …; content = content.strip()
        #! contents_stripped: …; content = content.rstrip()
        #! contents_stripped: …; content = content.lstrip()
        #  Spaces and empty lines at the edges of a message are cut off. This template keeps them.
        #: `f"<|im_start|>{role}\n{content}<|im_end|>\n"` for each message.
        #! special_tokens_removed: …; content = content.replace("<|im_end|>", "").replace("<|im_start|>", "")
        #! special_tokens_removed: …; content = content.replace("<|im_end|>", "")
        #  The letters <|im_end|> and <|im_start|> are taken out of what people write. A good idea, and not the template's: here the content stays as
        #  it is.
        #! contents_escaped: …; content = content.replace("<|", "< |")
        #  What people write is escaped. A good idea, and not the template's: here the content stays as it is.
        #: The content as it is.
        #! ascii_only: …; content = content.encode("ascii", "ignore").decode()
        #  Letters with accents and emoji are lost.
        #! contents_in_lower_case: …; content = content.lower()
        #  The content is in lower case.
        #! contents_quoted: …; content = repr(content)
        #! contents_quoted: …; content = json.dumps(content)
        #! contents_quoted: …; content = f'"{content}"'
        #  The content stands in quotation marks.
        #! whole_message_as_content: …; content = message
        #  The whole dictionary stands where the content should.
        text += f"<|im_start|>{role}\n"
        #: `f"<|im_start|>{role}\n{content}<|im_end|>\n"` for each message.
        #! no_newline_after_role: text += f"<|im_start|>{role}"
        #  The new line between the role and the content is missing.
        #! space_after_role: text += f"<|im_start|>{role} "
        #  Between the role and the content stands a space. It is a new line.
        #! colon_after_role: text += f"<|im_start|>{role}: "
        #! colon_after_role: text += f"<|im_start|>{role}:"
        #! colon_after_role: text += f"<|im_start|>{role}:\n"
        #  A colon stands after the role. There is a new line and nothing else.
        #! space_before_role: text += f"<|im_start|> {role}\n"
        #  Between <|im_start|> and the role stands a space.
        #! new_line_before_role: text += f"<|im_start|>\n{role}\n"
        #  Between <|im_start|> and the role stands a new line.
        #! two_newlines_after_role: text += f"<|im_start|>{role}\n\n"
        #  Two new lines after the role: that is Llama 3's way. Here it is one.
        #! role_left_out: text += "<|im_start|>\n"
        #! role_left_out: text += "<|im_start|>"
        #  The role is missing after <|im_start|>.
        #! no_start_token: text += f"{role}\n"
        #  <|im_start|> is missing before the messages.
        #! end_for_start: text += f"<|im_end|>{role}\n"
        #  <|im_end|> stands where <|im_start|> should.
        #! backslash_and_n: text += rf"<|im_start|>{role}\n"
        #  A backslash and an n stand where a new line should: a raw string, or `\\n`.
        #! llama_3_template: text += f"<|start_header_id|>{role}<|end_header_id|>\n\n"
        #  This is Llama 3's template. Each model knows its own only.
        #! tokens_without_bars: text += f"<im_start>{role}\n"
        #  The special tokens lost their bars: `<|im_start|>`.
        #! llama_3_template: text += f"<|start_header_id|>{role}<|end_header_id|>\n\n"
        text += f"{content}<|im_end|>\n"
        #! no_newline_after_end: text += f"{content}<|im_end|>"
        #  The new line after <|im_end|> is missing. [simonw/llm#84]
        #! space_after_end: text += f"{content}<|im_end|> "
        #  A space stands after <|im_end|>. It is a new line.
        #! newline_before_end: text += f"{content}\n<|im_end|>\n"
        #  There is a new line between the content and <|im_end|>. [oobabooga/textgen#5411]
        #! newline_for_end: text += f"{content}\n<|im_end|>"
        #  The new line stands before <|im_end|>. It belongs after it.
        #! space_before_end: text += f"{content} <|im_end|>\n"
        #  A space stands between the content and <|im_end|>.
        #! no_end_token: text += f"{content}\n"
        #! no_end_token: text += content
        #  <|im_end|> is missing after the messages.
        #! start_for_end: text += f"{content}<|im_start|>\n"
        #  <|im_start|> closes the messages. It opens them; <|im_end|> closes. [huggingface/course#802]
        #! endoftext_for_end: text += f"{content}<|endoftext|>\n"
        #  Messages end with <|im_end|>, not with <|endoftext|>.
        #! llama_end_for_end: text += f"{content}</s>\n"
        #  Messages end with <|im_end|>, not with `</s>`.
        #! content_left_out: text += "<|im_end|>\n"
        #  The content is missing.
        #! empty_line_between: text += f"{content}<|im_end|>\n\n"
        #  An empty line stands after each message.
        #! empty_line_between: …; text += "\n" * (message is not messages[-1])
        #!+ backslash_and_n: text += rf"{content}<|im_end|>\n"
        #!+ llama_3_template: text += f"{content}<|eot_id|>"
        #! llama_3_template: text = text.replace(f"<|im_start|>{role}\n", f"<|start_header_id|>{role}<|end_header_id|>\n\n") + f"{content}<|eot_id|>"
        #!+ tokens_without_bars: text += f"{content}<im_end>\n"
        #! turn_overwritten: text = f"<|im_start|>{role}\n{content}<|im_end|>\n"
        #  Each message overwrites the ones before it: `=` where `+=` or a list is meant.
    return text + "<|im_start|>assistant\n"
    #: It ends with `"<|im_start|>assistant\n"`.
    #! no_generation_prompt: return text
    #  The assistant's turn is not opened. The model would first write whose turn it is, perhaps the user's. [instructlab/training#232]
    #! no_newline_at_the_end: return text + "<|im_start|>assistant"
    #  The last new line is missing: the model is asked to go on after the word `assistant`.
    #! assistant_closed: return text + "<|im_start|>assistant\n<|im_end|>\n"
    #! assistant_closed: return text + "<|im_start|>assistant\n<|im_end|>"
    #! assistant_closed: return text + "<|im_start|>assistant<|im_end|>\n"
    #  The assistant's turn is closed before it begins.
    #! wrong_role_opened: return text + "<|im_start|>user\n"
    #  It opens the user's turn: the model would write the next question.
    #! no_role_opened: return text + "<|im_start|>"
    #! no_role_opened: return text + "<|im_start|>\n"
    #  The last turn is opened without a role.
    #! opened_twice: return text + 2 * "<|im_start|>assistant\n"
    #  The assistant's turn is opened twice.
    #! opened_without_start: return text + "assistant\n"
    #  <|im_start|> is missing before the last `assistant`.
    #! opened_in_capitals: return text + "<|im_start|>Assistant\n"
    #  The last role begins with a capital letter. To the tokenizer `Assistant` is another word.
    #! stripped_at_the_end: return text + "<|im_start|>assistant "
    #! stripped_at_the_end: return text + "<|im_start|>assistant: "
    #! stripped_at_the_end: return text + "<|im_start|>assistant:"
    #! stripped_at_the_end: return text + "<|im_start|>assistant:\n"
    #  It ends with a space or a colon in place of a new line.
    #! two_newlines_at_the_end: return text + "<|im_start|>assistant\n\n"
    #  It ends with two new lines. The model begins its answer right after the first.
    #! opened_at_the_beginning: return "<|im_start|>assistant\n" + text
    #  The assistant's turn is opened at the beginning. It is the last line.
    #! not_opened_after_an_answer: return text + "<|im_start|>assistant\n" * (messages[-1]["role"] != "assistant")
    #! not_opened_after_an_answer: return text + "<|im_start|>assistant\n" * (messages[-1]["role"] == "user")
    #  When the last message is the assistant's, its next turn is not opened.
    #! opened_after_an_answer_only: return text + "<|im_start|>assistant\n" * (messages[-1]["role"] == "assistant")
    #  The assistant's turn is opened only where it has just spoken.
    #: `f"<|im_start|>{role}\n{content}<|im_end|>\n"` for each message.
    #!+ llama_3_template: return text + "<|start_header_id|>assistant<|end_header_id|>\n\n"
    #! llama_3_template: return as_llama_3(text)
    #! llama_3_template: return "<|begin_of_text|>" + as_llama_3(text)
    #!+ tokens_without_bars: return text + "<im_start>assistant\n"
    #! tokens_without_bars: return text.replace("<|", "<").replace("|>", ">") + "<im_start>assistant\n"
    #! no_start_token: return text.replace("<|im_start|>", "") + "assistant\n"
    #! backslash_and_n: return text.replace("\n", "\\n") + "<|im_start|>assistant\\n"
    #! empty_line_between: return text.replace("<|im_end|>\n", "<|im_end|>\n\n") + "<|im_start|>assistant\n"
    #! all_stripped: return (text + "<|im_start|>assistant\n").rstrip("\n") + "\n\n"
    #  It ends with an empty line.
    #! endoftext_for_end: return text.replace("<|im_end|>", "<|endoftext|>") + "<|im_start|>assistant\n"
    #! llama_2_template: return "".join(f"[INST] {m['content']} [/INST]" for m in messages if m["content"] != DEFAULT)
    #  This is Llama 2's template. Each model knows its own only.
    #! contents_joined: return "\n".join(m["content"] for m in messages if m["content"] != DEFAULT)
    #! contents_joined: return "\n".join(m["content"] for m in messages)
    #  It is the plain text of the messages. Who says what is told by the template.
    #! as_a_list: return [*(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages), "<|im_start|>assistant\n"]
    #! as_a_list: return [text, "<|im_start|>assistant\n"]
    #! as_a_list: return [*text.splitlines(), "<|im_start|>assistant"]
    #  It returns a list. The model reads one text.
    #! messages_returned: return messages
    #  It returns the messages. The model reads one text.
    #! tokens_stripped: return text.removesuffix("\n") + "<|im_start|>assistant\n"
    #  The new line after the last <|im_end|> is missing.
    #! no_return: text + "<|im_start|>assistant\n"
    #  The prompt is put together and then forgotten: there is no `return`.


def first_of(messages: Messages) -> str:
    """The first role, where an empty system prompt does not count."""
    return messages[0]["role"] if messages[0]["content"] else "user"


def merged(messages: Messages) -> Messages:
    """Neighbours of one role joined by a new line."""
    joined: Messages = []
    for m in messages:
        if joined and joined[-1]["role"] == m["role"]:
            joined[-1] = {**m, "content": f"{joined[-1]['content']}\n{m['content']}"}
        else:
            joined.append(m)
    return joined


def as_llama_3(text: str) -> str:
    """The same conversation in the form of Llama 3."""
    text = (text + "<|im_start|>assistant\n").replace("<|im_end|>\n", "<|eot_id|>")
    text = text.replace("<|im_start|>", "<|start_header_id|>")
    for role in ("system", "user", "assistant"):
        text = text.replace(f"header_id|>{role}\n", f"header_id|>{role}<|end_header_id|>\n\n")
    return text


__all__ = ["DEFAULT", "END", "MISTAKES", "Messages", "json"]
MISTAKES: list[Mistake] = mistakes_of(chat_prompt)
