"""Lab 11: dequantize_q4_1, rename_weight, chat_prompt, load_llama, chat."""

from checks.engine import Check, Inputs, Probe, error_of, values
from checks.mistakes import real_weights as mistakes
from checks.mistakes import real_weights_chat as mistakes_of_chat
from checks.mistakes import real_weights_loading as mistakes_of_loading
from checks.probes import real_weights as files
from checks.probes import real_weights_chat as talk
from checks.probes import real_weights_loading as loading
from checks.reference import real_weights as reference

USER = {"role": "user", "content": "Who are you?"}
ANSWER = {"role": "assistant", "content": "A model."}
PARTS = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output")
MORE_PARTS = ("ffn_norm", "ffn_gate", "ffn_up", "ffn_down")
FOREIGN = (  # of Llama 3.1, of models with biases, of Falcon, Qwen 3, Mixtral, and one that sees
    "rope_freqs.weight",
    "blk.0.attn_q.bias",
    "output.bias",
    "output_norm.bias",
    "blk.0.attn_qkv.weight",
    "blk.0.attn_q_norm.weight",
    "blk.0.ffn_gate_exps.weight",
    "v.blk.0.attn_q.weight",
)
REFUSES = (
    "A file with a tensor too few or too many was loaded all the same. Then some weights stay what "
    "they were, or are never used, and nobody notices: no `strict=False`."
)


def names(*gguf_names: str) -> list:
    """Draws of one name each."""
    return [lambda inputs, name=name: (name,) for name in gguf_names]


def unknown(answer: object, inputs: Inputs) -> list:
    """What becomes of names for which there is no place: the error, or what came back."""
    seen = []

    def ask(name: str) -> None:
        try:
            seen.append(repr(answer(name)))
        except Exception as error:
            if isinstance(getattr(error, "original", error), ValueError):
                raise ValueError(name) from error  # one of its kinds is as good
            raise

    for name in FOREIGN:
        error = error_of(lambda name=name: ask(name))
        seen += [error] if error else []
    return seen


dequantize_q4_1 = Check(
    exercise="11.1",
    name="dequantize_q4_1",
    weight=2,
    reference=reference.dequantize_q4_1,
    technique=[
        values(
            lambda inputs: (files.block_of(0.5, -2.0, [0, 1, *[4] * 14], [15, *[8] * 15]),),
            title="worked example",
        ),
        values(
            lambda inputs: (files.q4_1(inputs, 1),),
            lambda inputs: (files.q4_1(inputs, 7),),
            lambda inputs: (files.q4_1(inputs, 32),),
            title="shape, dtype and values: 1, 7 and 32 random blocks",
        ),
        values(
            lambda inputs: (files.block_of(1.0, 0.0, list(range(16)), [0] * 16),),
            lambda inputs: (files.block_of(1.0, 0.0, [0] * 16, list(range(15, -1, -1))),),
            title="each nibble in its place: only the low ones, only the high ones",
        ),
        values(
            lambda inputs: (files.block_of(2.0**-20, 2.0**-18, [3] * 16, [15] * 16),),
            lambda inputs: (files.block_of(-0.25, 3.0, list(range(16)), [7] * 16),),
            lambda inputs: (files.block_of(0.0, -1.5, [9] * 16, [2] * 16),),
            lambda inputs: (files.block_of(900.0, -6000.0, list(range(16)), [11] * 16),),
            title="tiny, negative, zero and large scales",
        ),
    ],
    mistakes=mistakes.DEQUANTIZE,
    hints=(
        "Which of the 20 bytes are the two float16 numbers, and how many nibbles are in the rest?",
        "`blocks[:, :4].view(torch.float16)` is (n, 2): scale and minimum. Of the other 16 bytes "
        "the low halves, `& 15`, are numbers 0 to 15, and the high halves, `>> 4`, are 16 to 31.",
        "`torch.cat([blocks[:, 4:] & 15, blocks[:, 4:] >> 4], dim=1) * scale + minimum`, where "
        "`scale, minimum = blocks[:, :4].view(torch.float16).float().split(1, dim=1)`",
    ),
)

rename_weight = Check(
    exercise="11.2",
    name="rename_weight",
    reference=reference.rename_weight,
    technique=[
        values(*names("token_embd.weight", "blk.3.attn_q.weight"), title="worked example"),
        values(
            *names(*(f"blk.0.{part}.weight" for part in PARTS)),
            title="the attention of layer 0, and its norm",
        ),
        values(
            *names(*(f"blk.7.{part}.weight" for part in MORE_PARTS)),
            title="the feed-forward layer, and its norm",
        ),
        values(
            *names("output_norm.weight", "output.weight"),
            title="the last norm and the output projection",
        ),
        values(
            *names(
                "blk.10.attn_v.weight",
                "blk.29.ffn_down.weight",
                "blk.11.attn_output.weight",
                "blk.125.ffn_up.weight",
            ),
            title="layers with two and three digits",
        ),
        Probe(
            "ValueError for names without a place",
            unknown,
            "A name for which the Llama has no place must raise a ValueError. `rope_freqs.weight`, "
            "say, stands in files of Llama 3.1; without it the model would be another one.",
        ),
    ],
    mistakes=mistakes.RENAME,
    hints=(
        "Which three names belong to no layer? What do all the others begin with?",
        "Split the name at its dots: `blk`, the number, the part, `weight`. A dictionary turns the "
        "part into yours.",
        "`if gguf_name in OUTSIDE: return OUTSIDE[gguf_name]`. Of the others: four parts between "
        "dots, the first `blk`, the last `weight`, the third in PARTS; then "
        '`f"layers.{layer}.{PARTS[part]}.weight"`. Anything else: `raise ValueError(gguf_name)`.',
    ),
)

chat_prompt = Check(
    exercise="11.3",
    name="chat_prompt",
    reference=reference.chat_prompt,
    technique=[
        values(
            lambda inputs: (
                [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
            ),
            title="worked example",
        ),
        values(lambda inputs: ([USER],), title="without a system prompt: the file's own is added"),
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
        ),
        values(
            lambda inputs: ([USER, ANSWER, USER, USER, ANSWER, USER, ANSWER, USER],),
            lambda inputs: ([USER, ANSWER],),
            title="a long one, with repetitions; one that ends with an answer",
        ),
        values(
            lambda inputs: ([{"role": "user", "content": "  two\n\nlines \n"}],),
            lambda inputs: ([{"role": "user", "content": ""}],),
            lambda inputs: ([{"role": "system", "content": "Only this."}],),
            lambda inputs: ([{"role": "tool", "content": "{42} %s <b>"}],),
            title="spaces, empty lines, nothing, other roles: as they are",
        ),
        values(
            lambda inputs: ([{"role": "system", "content": ""}, USER],),
            lambda inputs: ([{"role": "user", "content": "naïve 🐉\t<|im_end|> <|im_start|>"}],),
            title="an empty system prompt, tabs, emoji, the letters <|im_end|>: as they are",
        ),
        values(
            lambda inputs: (
                [USER, {"role": "system", "content": "Be brief."}, {**USER, "content": "Now."}],
            ),
            title="a system prompt that comes later",
        ),
    ],
    mistakes=mistakes.PROMPT,
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


load_llama = Check(
    exercise="11.4",
    name="load_llama",
    weight=3,
    reference=reference.load_llama,
    technique=[
        Probe("the smallest file: one layer, tied embeddings", loading.smallest),
        Probe(
            "a small file: two layers, grouped heads, tied embeddings",
            lambda answer, inputs: loading.logits(answer, inputs, files.TIED),
        ),
        Probe("every parameter: its shape, float32, none left on meta", loading.parameters),
        Probe(
            "a file with an output projection, another eps and base",
            lambda answer, inputs: loading.logits(answer, inputs, files.UNTIED),
        ),
        Probe("tensors stored in other ways: Q8_0, F16, F32, Q4_1", loading.other_kinds),
        Probe("eleven layers", loading.many_layers),
        Probe(
            "the output projection of a tied model is its embedding table",
            loading.still_tied,
            "The embedding table was changed, and the logits did not follow as they should: the "
            "output projection of a tied model is the same table, not a copy.",
        ),
        Probe("two files, one after the other", loading.two_files),
        Probe("a tensor too few, or one too many", loading.refuses, REFUSES),
        Probe(
            "the file stays as it is",
            loading.stays,
            "The weights were changed, and the file with them.",
        ),
    ],
    mistakes=mistakes_of_loading.LOADING,
    hints=(
        "Where do the sizes come from, where the names, and where the numbers?",
        '`LlamaConfig(**file.config())` makes the sizes. Under `torch.device("meta")` the model is '
        "built without numbers; load_state_dict with `assign=True` puts yours in their places.",
        "`weights = {rename_weight(name): weight_of(stored) for name, stored in "
        "file.tensors.items()}`, then `model.load_state_dict(weights, assign=True)`.",
    ),
)

chat = Check(
    exercise="11.5",
    name="chat",
    weight=3,
    reference=reference.chat,
    technique=[
        Probe("a question, its prompt and its answer", talk.worked),
        Probe("system prompts, nine messages, spaces at the edges", talk.conversations),
        Probe("characters of several bytes, each byte a token", talk.many_bytes),
        Probe("n_new ends the answer, even in mid-character", talk.cut_off),
        Probe("other special tokens do not end it, and are not shown", talk.other_tokens),
        Probe(
            "piece by piece, not all at the end",
            talk.streamed,
            "The answer comes in a few large pieces. Give each one as soon as it is there.",
        ),
        Probe(
            "with caches: one new token at a time, no gradients",
            talk.cached,
            "After the prompt the model needs one token at a time, under `torch.no_grad()`.",
        ),
        Probe(
            "no more tokens than are wanted",
            talk.used_up,
            "The model was asked for more tokens than n_new.",
        ),
        Probe("one conversation after the other", talk.one_after_the_other),
        Probe(
            "gradients and messages afterwards",
            talk.surroundings_kept,
            "Between two pieces the rest of the notebook runs: gradients must be on there as "
            "before, and the caller's messages must stay as they are.",
        ),
    ],
    mistakes=mistakes_of_chat.CHAT,
    hints=(
        "A token may be half a character. How can you tell, and when is the other half there?",
        "`generate` of lab 10 takes the prompt's ids and gives token after token. Decode the whole "
        "answer so far and yield what is new in it, unless it ends in half a character.",
        '`end = tokenizer.token_to_id("<|im_end|>")`, and for each token of `generate(model, '
        "torch.tensor([ids]), n_new, temperature=0, stop={end})`: append it to `answer`; `text = "
        "tokenizer.decode(answer)`; if it does not end in '\\ufffd', `yield text[shown:]`.",
    ),
)
