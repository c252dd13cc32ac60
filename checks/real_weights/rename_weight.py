"""Lab 11, 11.2: what is tried on rename_weight."""

from collections.abc import Callable
from typing import Any

from checks.engine import Check, Crash, Inputs, Probe, Wrong
from checks.real_weights.rename_weight_wrong import MISTAKES, OUTSIDE, PARTS

STRICT = "A name that you do not know is a part of the model that you do not have"
BIAS = "A name that ends with .bias counts as unknown too"
SIMILAR = "so does one that is only similar: attn_q_norm is no attn_q"
NAMES = "ValueError if it has none"
REFUSED = (KeyError, ValueError, IndexError)  # what is raised for a name that is not known


def reference(gguf_name: str) -> str:
    """Translate a tensor's name in the file to its name in the course's Llama."""
    for theirs, ours in OUTSIDE.items():
        if gguf_name == theirs:
            return ours
    parts = gguf_name.split(".")
    if len(parts) == 4 and parts[0] == "blk" and parts[1].isdigit() and parts[3] == "weight":
        for theirs, ours in PARTS.items():
            if parts[2] == theirs:
                return f"layers.{parts[1]}.{ours}.weight"
    raise ValueError(f"the course's Llama has no place for {gguf_name!r}")


def translated(*names: str) -> Callable[[Any, Inputs], list]:
    """Translate names that have a place, and say which of them are taken for unknown."""

    def run(answer: Any, inputs: Inputs) -> list:
        found, refused = [], {}
        for name in names:
            try:
                found.append(answer(name))
            except Crash as crash:
                if not isinstance(crash.original, REFUSED):
                    raise
                refused[name] = type(crash.original).__name__
        if refused:
            listed = ", ".join(f"`{name}`" for name in refused)
            raise Wrong(f"a {next(iter(refused.values()))} for {listed}, which the table has.")
        return found

    return run


def refuses(*names: str) -> Callable[[Any, Inputs], list]:
    """What becomes of names for which there is no place: "ValueError", or what else."""

    def one(answer: Any, name: str) -> str:
        try:
            found = answer(name)
        except Crash as crash:
            if isinstance(crash.original, ValueError):  # one of its kinds is as good
                return "ValueError"
            return type(crash.original).__name__
        if isinstance(found, Exception):
            return "an error that is returned, not raised"
        return "a name" if isinstance(found, str) else f"{found!r}"

    return lambda answer, inputs: [one(answer, name) for name in names]


def layer(i: int, *parts: str) -> list[str]:
    """Names of one layer's tensors."""
    return [f"blk.{i}.{part}.weight" for part in parts]


rename_weight = Check(
    exercise="11.2",
    name="rename_weight",
    reference=reference,
    technique=[
        Probe(
            "worked example",
            translated("token_embd.weight", "blk.3.attn_q.weight"),
            promise='rename_weight("token_embd.weight")',
        ),
        Probe(
            "the attention of layer 0, and its norm",
            translated(*layer(0, "attn_norm", "attn_q", "attn_k", "attn_v", "attn_output")),
            promise="| blk.N.attn_norm.weight | layers.N.attention_norm.weight |",
        ),
        Probe(
            "the feed-forward layer, and its norm",
            translated(*layer(7, "ffn_norm", "ffn_gate", "ffn_up", "ffn_down")),
            promise="| blk.N.ffn_norm.weight | layers.N.ffn_norm.weight |",
        ),
        Probe(
            "the last norm and the output projection",
            translated("output_norm.weight", "output.weight"),
            promise="| output_norm.weight | norm.weight |",
        ),
        Probe(
            "layers with two and three digits",
            translated(
                *layer(10, "attn_v"),
                *layer(29, "ffn_down"),
                *layer(11, "attn_output"),
                *layer(125, "ffn_up"),
            ),
            promise="blk.N.attn_norm.weight",
        ),
        Probe(
            "ValueError for tensors of no layer that nobody knows",
            refuses("rope_freqs.weight", "cls.weight"),
            "A name for which the Llama has no place must raise a ValueError. `rope_freqs.weight`, "
            "say, stands in files of Llama 3.1; without it the model would be another one.",
            promise=STRICT,
        ),
        Probe(
            "ValueError for biases",
            refuses("blk.0.attn_q.bias", "blk.3.ffn_up.bias"),
            "`blk.0.attn_q.bias` must raise a ValueError: no layer of this Llama has a bias.",
            promise=BIAS,
        ),
        Probe(
            "ValueError for the biases of the last norm and the output",
            refuses("output.bias", "output_norm.bias"),
            "`output_norm.bias` must raise a ValueError: nothing in this Llama has a bias.",
            promise=BIAS,
        ),
        Probe(
            "ValueError for parts with similar names",
            # of Falcon, Qwen 3 and Mixtral
            refuses(*layer(0, "attn_qkv", "attn_q_norm", "ffn_gate_exps")),
            "A part that only begins like a known one must raise a ValueError: `attn_q_norm`, in "
            "files of Qwen 3, is no `attn_q`.",
            promise=SIMILAR,
        ),
        Probe(
            "ValueError where something stands before a known name",
            refuses("v.blk.0.attn_q.weight", "enc.0.attn_q.weight"),
            "`v.blk.0.attn_q.weight`, of a model that sees, and `enc.0.attn_q.weight` must raise "
            "a ValueError: they are no layers of this Llama.",
            promise=SIMILAR.partition(":")[0],
        ),
        Probe(
            "ValueError where something stands behind a known name",
            refuses("blk.0.attn_q.weight.scale"),
            "`blk.0.attn_q.weight.scale` must raise a ValueError: it is no `blk.0.attn_q.weight`.",
            promise=SIMILAR.partition(":")[0],
        ),
    ],
    mistakes=MISTAKES,
    only_numbers=True,  # and texts, which nothing changes in place either
    hints=(
        "Which three names belong to no layer? What do all the others begin with?",
        "Split the name at its dots: `blk`, the number, the part, `weight`. A dictionary turns the "
        "part into yours.",
        "`if gguf_name in OUTSIDE: return OUTSIDE[gguf_name]`. Of the others: four parts between "
        "dots, the first `blk`, the last `weight`, the third in PARTS; then "
        '`f"layers.{layer}.{PARTS[part]}.weight"`. Anything else: `raise ValueError(gguf_name)`.',
    ),
)
