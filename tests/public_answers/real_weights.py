"""Lab 11: mistakes that somebody made in public, rewritten as answers to the exercises."""

import torch
from wrong_answers import Public

from assets import gguf
from solutions.my_llama import (
    Llama,
    LlamaConfig,
    chat_prompt,
    dequantize_q4_1,
    generate,
    rename_weight,
)

DEFAULT = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
END = "<|im_end|>"


# dequantize_q4_1


def two_byte_header(blocks):
    d, m = blocks[:, :4].contiguous().view(torch.float16).float().unbind(1)
    qs = blocks[:, 2:18]  # skips the scale only, as in Q4_0
    q = torch.cat([qs & 0xF, qs >> 4], dim=1).float()
    return d[:, None] * q + m[:, None]


def consecutive_pairs(blocks):
    d, m = blocks[:, :4].contiguous().view(torch.float16).float().unbind(1)
    out = torch.empty(len(blocks), 32)
    for j in range(16):
        out[:, 2 * j] = d * (blocks[:, 4 + j] & 0x0F) + m
        out[:, 2 * j + 1] = d * (blocks[:, 4 + j] >> 4) + m
    return out


def twos_complement(blocks):
    d, m = blocks[:, :4].contiguous().view(torch.float16).float().split(1, dim=1)
    qs = blocks[:, 4:]
    q = torch.cat([qs & 15, qs >> 4], 1).to(torch.int8)
    q = torch.where(q > 7, q - 16, q)  # a signed nibble, from -8 to 7
    return d * q + m


def running_index(blocks):
    d, m = blocks[:, :4].contiguous().view(torch.float16).float().unbind(1)
    idx = torch.arange(32)
    byte = blocks[:, 4 + idx // 2].int()
    nibble = (byte >> ((idx % 2) * 4)) & 0x0F
    return d[:, None] * nibble + m[:, None]


def symmetric_only(blocks):
    d = blocks[:, :2].contiguous().view(torch.float16).float()
    qs = blocks[:, 4:].int()
    return d * torch.cat([qs & 15, qs >> 4], 1)


# rename_weight


def cascade(gguf_name):
    name = gguf_name
    for old, new in (
        ("token_embd", "tok_embeddings"),
        ("blk.", "layers."),
        ("attn_norm", "attention_norm"),
        ("attn_q", "attention.wq"),
        ("attn_k", "attention.wk"),
        ("attn_v", "attention.wv"),
        ("attn_output", "attention.wo"),
        ("output_norm", "norm"),
        ("ffn_gate", "feed_forward.w_gate"),
        ("ffn_up", "feed_forward.w_up"),
        ("ffn_down", "feed_forward.w_down"),
    ):
        name = name.replace(old, new)
    if name == gguf_name and name != "output.weight":
        raise ValueError(gguf_name)
    return name


_TABLE = {
    "attn_norm": "attention_norm",
    "attn_q": "attention.wq",
    "attn_k": "attention.wk",
    "attn_v": "attention.wv",
    "attn_output": "attention.wo",
    "ffn_norm": "ffn_norm",
    "ffn_gate": "feed_forward.w_gate",
    "ffn_up": "feed_forward.w_up",
    "ffn_down": "feed_forward.w_down",
}
_TOP = {"token_embd": "tok_embeddings", "output_norm": "norm", "output": "output"}


def _renamed(gguf_name, table=_TABLE, top=_TOP):
    parts = gguf_name.split(".")
    if len(parts) == 2 and parts[1] == "weight" and parts[0] in top:
        return f"{top[parts[0]]}.weight"
    if len(parts) == 4 and parts[0] == "blk" and parts[3] == "weight" and parts[2] in table:
        return f"layers.{parts[1]}.{table[parts[2]]}.weight"
    raise ValueError(f"unexpected tensor {gguf_name}")


def up_first(gguf_name):
    table = {**_TABLE, "ffn_up": "feed_forward.w_gate", "ffn_gate": "feed_forward.w_up"}
    return _renamed(gguf_name, table)


def rope_freqs_skipped(gguf_name):
    if gguf_name == "rope_freqs.weight":
        return None  # only there for llama.cpp, so nothing has to be loaded
    return _renamed(gguf_name)


def no_output(gguf_name):
    return _renamed(gguf_name, top={"token_embd": "tok_embeddings", "output_norm": "norm"})


# chat_prompt


def _turns(messages, form):
    if messages[0]["role"] != "system":
        messages = [{"role": "system", "content": DEFAULT}, *messages]
    return "".join(form.format(**m) for m in messages)


def newline_before_end(messages):
    return (
        _turns(messages, "<|im_start|>{role}\n{content}\n<|im_end|>\n") + "<|im_start|>assistant\n"
    )


def start_closes(messages):
    return (
        _turns(messages, "<|im_start|>{role}\n{content}<|im_start|>\n") + "<|im_start|>assistant\n"
    )


def glued_turns(messages):
    return _turns(messages, "<|im_start|>{role}\n{content}<|im_end|>") + "<|im_start|>assistant\n"


def no_opening(messages):
    return _turns(messages, "<|im_start|>{role}\n{content}<|im_end|>\n")


def default_with_a_stop(messages):
    if messages[0]["role"] != "system":
        messages = [{"role": "system", "content": DEFAULT + "."}, *messages]
    return _turns(messages, "<|im_start|>{role}\n{content}<|im_end|>\n") + "<|im_start|>assistant\n"


def generic_default(messages):
    if messages[0]["role"] != "system":
        messages = [{"role": "system", "content": "You are a helpful assistant"}, *messages]
    return _turns(messages, "<|im_start|>{role}\n{content}<|im_end|>\n") + "<|im_start|>assistant\n"


def merged_neighbours(messages):
    merged = []
    for m in messages:
        if merged and merged[-1]["role"] == m["role"]:
            merged[-1] = {"role": m["role"], "content": merged[-1]["content"] + "\n" + m["content"]}
        else:
            merged.append(dict(m))
    return _turns(merged, "<|im_start|>{role}\n{content}<|im_end|>\n") + "<|im_start|>assistant\n"


# load_llama


def _weights(file):
    return {
        rename_weight(name): (
            dequantize_q4_1(t.blocks).reshape(t.shape) if t.kind == "Q4_1" else t.plain()
        )
        for name, t in file.tensors.items()
    }


def _meta(config):
    with torch.device("meta"):
        return Llama(LlamaConfig(**config))


def random_output(path):
    file = gguf.read(path)
    model = Llama(LlamaConfig(**{**file.config(), "tie_embeddings": False}))
    model.load_state_dict(_weights(file), strict=False)
    return model


def always_tied(path):
    file = gguf.read(path)
    model = _meta({**file.config(), "tie_embeddings": True})
    weights = _weights(file)
    weights.pop("output.weight", None)
    model.load_state_dict(weights, assign=True)
    return model


def eps_by_hand(path):
    file = gguf.read(path)
    model = _meta({**file.config(), "norm_eps": 1e-5})
    model.load_state_dict(_weights(file), assign=True)
    return model


def permuted(path):
    file = gguf.read(path)
    config, weights = file.config(), _weights(file)
    heads = {"wq": config["n_heads"], "wk": config["n_kv_heads"]}
    for name in list(weights):
        part = name.split(".")[-2]
        if part in heads:
            w = weights[name]
            n = heads[part]
            w = w.view(n, w.shape[0] // n // 2, 2, w.shape[1]).transpose(1, 2)
            weights[name] = w.reshape(weights[name].shape)
    model = _meta(config)
    model.load_state_dict(weights, assign=True)
    return model


def norms_minus_one(path):
    file = gguf.read(path)
    weights = {n: w - 1 if "norm" in n else w for n, w in _weights(file).items()}
    model = _meta(file.config())
    model.load_state_dict(weights, assign=True)
    return model


def emptied_afterwards(path):
    file = gguf.read(path)
    model = _meta(file.config())
    model.load_state_dict(_weights(file), assign=True)
    return model.to_empty(device="cpu")


def rope_freqs_dropped(path):
    file = gguf.read(path)
    kept = {n: t for n, t in file.tensors.items() if n != "rope_freqs.weight"}
    model = _meta(file.config())
    model.load_state_dict(_weights(gguf.File(file.path, file.metadata, kept)), assign=True)
    return model


def strict_off(path):
    file = gguf.read(path)
    model = Llama(LlamaConfig(**file.config()))
    weights = {}
    for name, t in file.tensors.items():
        try:
            weights[rename_weight(name)] = (
                dequantize_q4_1(t.blocks).reshape(t.shape) if t.kind == "Q4_1" else t.plain()
            )
        except ValueError:
            print("skipped", name)
    print(model.load_state_dict(weights, strict=False))
    return model


# chat


def _ids(tokenizer, messages):
    return torch.tensor([tokenizer.encode(chat_prompt(messages)).ids])


def token_by_token(model, tokenizer, messages, n_new=256):
    end = tokenizer.token_to_id(END)
    for token in generate(model, _ids(tokenizer, messages), n_new, temperature=0, stop={end}):
        yield tokenizer.decode([token])


def replaced_by_nothing(model, tokenizer, messages, n_new=256):
    answer, out = [], ""
    end = tokenizer.token_to_id(END)
    for token in generate(model, _ids(tokenizer, messages), n_new, temperature=0, stop={end}):
        answer.append(token)
        text = tokenizer.decode(answer[-1:]).replace("\N{REPLACEMENT CHARACTER}", "")
        out += text
        if text:
            yield text


def stuck_for_ever(model, tokenizer, messages, n_new=256):
    end, pending = tokenizer.token_to_id(END), []
    for token in generate(model, _ids(tokenizer, messages), n_new, temperature=0, stop={end}):
        pending.append(token)
        text = tokenizer.decode(pending)
        if "\N{REPLACEMENT CHARACTER}" not in text:
            yield text
            pending = []


def endoftext_only(model, tokenizer, messages, n_new=256):
    answer, shown = [], 0
    end = tokenizer.token_to_id("<|endoftext|>")
    for token in generate(model, _ids(tokenizer, messages), n_new, temperature=0, stop={end}):
        answer.append(token)
        text = tokenizer.decode(answer)
        if not text.endswith("\N{REPLACEMENT CHARACTER}"):
            yield text[shown:]
            shown = len(text)


def stop_by_text(model, tokenizer, messages, n_new=256):
    answer, shown = [], 0
    for token in generate(model, _ids(tokenizer, messages), n_new, temperature=0):
        answer.append(token)
        text = tokenizer.decode(answer)
        if END in text:  # it never is: a special token is decoded to nothing
            return
        if not text.endswith("\N{REPLACEMENT CHARACTER}"):
            yield text[shown:]
            shown = len(text)


def all_then_cut(model, tokenizer, messages, n_new=256):
    end = tokenizer.token_to_id(END)
    tokens = list(generate(model, _ids(tokenizer, messages), n_new, temperature=0))
    if end in tokens:
        tokens = tokens[: tokens.index(end)]
    shown = 0
    for n in range(1, len(tokens) + 1):
        text = tokenizer.decode(tokens[:n])
        if not text.endswith("\N{REPLACEMENT CHARACTER}"):
            yield text[shown:]
            shown = len(text)


def retreating(model, tokenizer, messages, n_new=256):
    answer, shown = [], 0
    end = tokenizer.token_to_id(END)
    for token in generate(model, _ids(tokenizer, messages), n_new, temperature=0, stop={end}):
        answer.append(token)
        text = tokenizer.decode(answer)
        if text.endswith("\N{REPLACEMENT CHARACTER}"):
            shown = text.rfind(" ") + 1  # back to the last word
            continue
        yield text[shown:]
        shown = len(text)


def special_tokens_shown(model, tokenizer, messages, n_new=256):
    answer, shown = [], 0
    for token in generate(model, _ids(tokenizer, messages), n_new, temperature=0):
        answer.append(token)
        text = tokenizer.decode(answer, skip_special_tokens=False)
        if not text.endswith("\N{REPLACEMENT CHARACTER}"):
            yield text[shown:]
            shown = len(text)
        if token == tokenizer.token_to_id(END):
            return


def whole_text_again(model, tokenizer, messages, n_new=256):
    answer = []
    end = tokenizer.token_to_id(END)
    for token in generate(model, _ids(tokenizer, messages), n_new, temperature=0, stop={end}):
        answer.append(token)
        text = tokenizer.decode(answer)
        if not text.endswith("\N{REPLACEMENT CHARACTER}"):
            yield text


def with_gradients(model, tokenizer, messages, n_new=256):
    ids, end = _ids(tokenizer, messages), tokenizer.token_to_id(END)
    caches = model.new_caches(1, ids.shape[1] + n_new)
    answer, shown, new = [], 0, ids
    for _ in range(n_new):
        new = model(new, caches)[:, -1:].argmax(-1)
        if new.item() == end:
            return
        answer.append(new.item())
        text = tokenizer.decode(answer)
        if not text.endswith("\N{REPLACEMENT CHARACTER}"):
            yield text[shown:]
            shown = len(text)


_MEMORY = {}


@torch.no_grad()
def remembered(model, tokenizer, messages, n_new=256):
    ids, end = _ids(tokenizer, messages), tokenizer.token_to_id(END)
    caches = _MEMORY.setdefault(id(model), model.new_caches(1, 4096))
    answer, shown, new = [], 0, ids
    for _ in range(n_new):
        new = model(new, caches)[:, -1:].argmax(-1)
        if new.item() == end:
            return
        answer.append(new.item())
        text = tokenizer.decode(answer)
        if not text.endswith("\N{REPLACEMENT CHARACTER}"):
            yield text[shown:]
            shown = len(text)


@torch.no_grad()
def no_caches(model, tokenizer, messages, n_new=256):
    ids, end = _ids(tokenizer, messages), tokenizer.token_to_id(END)
    start, shown = ids.shape[1], 0
    for _ in range(n_new):
        new = model(ids)[:, -1:].argmax(-1)
        if new.item() == end:
            return
        ids = torch.cat([ids, new], dim=1)
        text = tokenizer.decode(ids[0, start:].tolist())
        if not text.endswith("\N{REPLACEMENT CHARACTER}"):
            yield text[shown:]
            shown = len(text)


PUBLIC = {
    "dequantize_q4_1": [
        Public(
            two_byte_header,
            "ml-explore/mlx#3664",
            "skips two bytes of header, as in Q4_0: the minimum is read as nibbles",
            named=("nibbles_two_bytes_early",),
        ),
        Public(
            consecutive_pairs,
            "1bit-MONSTER/1bit-MONSTER#572",
            "low and high nibble of a byte are neighbours",
            named=("nibbles_interleaved",),
        ),
        Public(
            twos_complement,
            "1bit-MONSTER/1bit-MONSTER#572",
            "nibbles over 7 are taken as negative: two's complement",
            named=("two_s_complement",),
        ),
        Public(
            running_index,
            "paiml/aprender#2127",
            "walks the nibbles in the order of the bytes: neighbours, by a running index",
            named=("nibbles_interleaved",),
        ),
        Public(
            symmetric_only,
            "1bit-MONSTER/1bit-MONSTER#1984",
            "scale times nibble, the minimum is dropped",
            named=("minimum_left_out",),
        ),
    ],
    "rename_weight": [
        Public(
            cascade,
            "onnxruntime/mobius#334",
            "replaces pieces of names one after the other: bias, attn_q_norm and much else get through",
            named=("replaced_piece_by_piece",),
        ),
        Public(
            up_first,
            "nntrainer/nntrainer#4194",
            "gate and up swapped",
            named=("gate_and_up_swapped",),
        ),
        Public(
            rope_freqs_skipped,
            "vllm-project/vllm#7268",
            "rope_freqs.weight gives None: a part of the model that is left out in silence",
            named=("unknown_names_dropped",),
        ),
        Public(
            no_output,
            "tinygrad/tinygrad#13796",
            "output.weight is not known",
            named=("output_unknown",),
        ),
    ],
    "chat_prompt": [
        Public(
            newline_before_end,
            "oobabooga/textgen#5411",
            "a new line before <|im_end|>",
            named=("newline_before_end",),
        ),
        Public(
            start_closes,
            "huggingface/course#802",
            "turns are closed by <|im_start|>",
            named=("no_end_token", "start_for_end"),
        ),
        Public(
            glued_turns,
            "simonw/llm#84",
            "no new line after <|im_end|>",
            named=("no_newline_after_end",),
        ),
        Public(
            no_opening,
            "instructlab/training#232",
            "the assistant's turn is not opened",
            named=("no_generation_prompt",),
        ),
        Public(
            default_with_a_stop,
            "ggml-org/llama.cpp#9128",
            "a full stop at the end of the default that does not belong there",
            named=("default_with_full_stop",),
        ),
        Public(
            generic_default,
            "ggml-org/llama.cpp#12118",
            "another default system prompt, You are a helpful assistant",
            named=("other_default",),
        ),
        Public(
            merged_neighbours,
            "oobabooga/textgen#4705",
            "two messages of one role in a row become one turn",
            named=("neighbours_merged",),
        ),
    ],
    "load_llama": [
        Public(
            random_output,
            "tinygrad/tinygrad#13796",
            "the tied output is not tied: it stays random",
            named=("random_output",),
        ),
        Public(
            always_tied,
            "1bit-MONSTER/1bit-MONSTER#319",
            "always tied: output.weight is thrown away",
            named=("always_tied",),
        ),
        Public(
            eps_by_hand,
            "huggingface/candle#565",
            "eps is written by hand instead of read from the file",
            named=("default_eps",),
        ),
        Public(
            permuted,
            "karpathy/llama2.c#286",
            "reorders the rows of wq and wk, though the file has Meta's order",
            named=("permuted_to_half",),
        ),
        Public(
            norms_minus_one,
            "vllm-project/vllm#31464",
            "takes 1 from all norm weights",
            named=("norm_weights_minus_one",),
        ),
        Public(
            emptied_afterwards,
            "huggingface/transformers#34234",
            "to_empty after loading: memory that nobody has written",
            named=("emptied",),
        ),
        Public(
            rope_freqs_dropped,
            "vllm-project/vllm#7268",
            "rope_freqs.weight is dropped in silence: a tensor too many is no error",
            named=("unknown_left_out",),
        ),
        Public(
            strict_off,
            "karpathy/llama2.c#266",
            "strict=False, and unknown names skipped",
            named=("not_strict",),
        ),
    ],
    "chat": [
        Public(
            token_by_token,
            "antonellof/ferrox#124",
            "decodes each token by itself: characters of several tokens become �",
            named=("each_token_alone",),
        ),
        Public(
            replaced_by_nothing,
            "replicate/cog-llama-template#75",
            "decodes each token by itself and deletes the �: the character is lost",
            named=("broken_tokens_left_out",),
        ),
        Public(
            stuck_for_ever,
            "openai/harmony#83",
            "after one byte that never becomes a character nothing is shown any more",
            named=("held_back_for_ever",),
        ),
        Public(
            endoftext_only,
            "Blaizzy/mlx-vlm#2112",
            "stops at <|endoftext|> only, not at <|im_end|>",
            named=("stops_at_endoftext",),
        ),
        Public(
            stop_by_text,
            "LostRuins/koboldcpp#791",
            "looks for <|im_end|> in the text, where a special token is nothing",
            named=("never_stops",),
        ),
        Public(
            all_then_cut,
            "dottxt-ai/outlines#750",
            "generates all n_new tokens, then cuts: nothing comes before the end, and it does not stop early",
            named=("generated_ahead",),
        ),
        Public(
            retreating,
            "sgl-project/sglang#31598",
            "goes back while a character is incomplete: text is shown twice",
            named=("text_shown_twice",),
        ),
        Public(
            special_tokens_shown,
            "kserve/kserve#4490",
            "<|im_end|> is shown",
            named=("end_is_shown", "special_tokens_shown"),
        ),
        Public(
            whole_text_again,
            "webmachinelearning/prompt-api#13",
            "yields the whole answer each time",
            named=("whole_answer_each_time",),
        ),
        Public(
            with_gradients,
            "allenai/OLMo#164",
            "gradients are computed: no torch.no_grad",
            named=("with_gradients",),
        ),
        Public(
            remembered,
            "ml-explore/mlx-lm#1039",
            "caches of the last conversation are used for the next",
            named=("caches_live_on",),
        ),
        Public(
            no_caches,
            "ohdearquant/lattice#1466",
            "no caches: the whole text goes through the model for each token",
            named=("without_caches",),
        ),
    ],
}
