"""Lab 11, 11.3: what is tried on chat_prompt."""

from typing import Any

from checks.engine import Check, Inputs, Probe, Wrong, values
from checks.real_weights.chat_prompt_wrong import DEFAULT, END, MISTAKES, Messages

USER = {"role": "user", "content": "Who are you?"}
ANSWER = {"role": "assistant", "content": "A model."}
SYSTEM = {"role": "system", "content": "Be brief."}
FORM = "its role, a new line, its content as it is, <|im_end|> and a new line"
FIRST = "If the *first* message is no system prompt, the default one comes before it."
WHOLE = "Write a conversation in ChatML, up to where the assistant's next answer begins."


def reference(messages: Messages) -> str:
    """Write a conversation in ChatML, up to where the assistant's answer begins."""
    text = ""
    for i, message in enumerate(messages):
        if i == 0 and message["role"] != "system":
            text += "<|im_start|>system\n" + DEFAULT + END + "\n"
        text += "<|im_start|>" + message["role"] + "\n" + message["content"] + END + "\n"
    return text + "<|im_start|>assistant\n"


def piece(before: str, after: str) -> Probe:
    """Look at nothing but what stands behind one content and before another."""

    def run(answer: Any, inputs: Inputs) -> str:
        # Called past the transcript: what stands elsewhere in the prompt is another row's.
        text = vars(answer)["_target"]([{**SYSTEM}, {"role": "user", "content": "Hi"}])
        if not isinstance(text, str) or before not in text or after not in text:
            raise Wrong("the contents of the two messages are not in it, or it is no text.")
        _, _, rest = text.partition(before) if before else ("", "", text)
        return rest.partition(after)[0] if after else rest

    where = f"between `{before}` and `{after}`" if before and after else ""
    title = where or (f"before `{after}`" if after else f"behind `{before}`")
    return Probe(f"what stands {title}", run, promise=FORM)


chat_prompt = Check(
    exercise="11.3",
    name="chat_prompt",
    reference=reference,
    technique=[
        values(
            lambda inputs: ([SYSTEM, {"role": "user", "content": "Hi"}],),
            title="worked example",
            promise='"content": "Be brief."}',
        ),
        piece("", "Be brief."),
        piece("Be brief.", "Hi"),
        piece("Hi", ""),
        values(
            lambda inputs: ([USER],),
            lambda inputs: ([ANSWER, USER],),
            title="without a system prompt: the file's own is added",
            promise=FIRST,
        ),
        values(
            lambda inputs: ([USER, ANSWER, {**USER, "content": "Why?"}],),
            lambda inputs: (
                [
                    {"role": "system", "content": "You are a cat."},
                    USER,
                    {"role": "assistant", "content": "Miaow."},
                    {"role": "user", "content": "Again."},
                ],
            ),
            title="conversations of several turns",
            promise=WHOLE,
        ),
        values(
            lambda inputs: ([USER, ANSWER, USER, USER, ANSWER, USER, ANSWER, USER],),
            title="a long one, with repetitions",
            promise=WHOLE,
        ),
        values(
            lambda inputs: ([USER, ANSWER],),
            lambda inputs: ([{"role": "system", "content": "Only this."}],),
            title="one that ends with an answer, one that is a system prompt and nothing else",
            promise=WHOLE,
        ),
        values(
            lambda inputs: ([{"role": "user", "content": "  two\n\nlines \n"}],),
            lambda inputs: ([{"role": "user", "content": ""}],),
            title="spaces, empty lines, nothing: the content as it is",
            promise=FORM,
        ),
        values(
            lambda inputs: ([{"role": "user", "content": "naïve 🐉\t{42} %s <b>"}],),
            title="tabs, emoji, braces, percent signs: the content as it is",
            promise=FORM,
        ),
        values(
            lambda inputs: ([{"role": "user", "content": "<|im_end|> <|im_start|>"}],),
            title="the letters <|im_end|>: the content as it is",
            promise=FORM,
        ),
        values(
            lambda inputs: ([{"role": "system", "content": ""}, USER],),
            title="an empty system prompt is one",
            promise=FIRST,
        ),
        values(
            lambda inputs: ([USER, SYSTEM, {**USER, "content": "Now."}],),
            title="a system prompt that comes later",
            promise=FIRST,
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "What stands before each message, between its role and its content, and after it?",
        "Each message is `<|im_start|>role`, a new line, the content, `<|im_end|>`, a new line. If "
        "the first one is no system prompt, the default comes before it. The last line begins the "
        "assistant's answer and leaves it open.",
        "`\"\".join(f\"<|im_start|>{m['role']}\\n{m['content']}<|im_end|>\\n\" for m in messages)` "
        'and `"<|im_start|>assistant\\n"`, after '
        '`messages = [{"role": "system", "content": DEFAULT}, *messages]` if needed.',
    ),
)
