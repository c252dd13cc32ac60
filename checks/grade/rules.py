"""What a worker may ask of the grader's things: of a model, a cache, a tokenizer that it was given.

Everything else is refused, whatever the worker says it is: names that begin with an underscore,
things of the checks' own modules that no learner needs, methods that write files.
"""

import builtins
import contextlib
import sys
import types
import warnings
from typing import Any

from torch import nn

from checks.engine import scratch
from checks.grade.wire import Broken

# Of any module: what a learner's `train` or `generate` may use.
MODULE = {
    *("parameters", "named_parameters", "buffers", "named_buffers", "modules", "named_modules"),
    *("children", "named_children", "train", "eval", "zero_grad", "requires_grad_", "training"),
    *("state_dict", "forward", "to", "float", "half", "bfloat16", "double", "get_parameter"),
    *("get_submodule",),
}
TABLES = {
    "Tokenizer": {
        *("encode", "decode", "encode_batch", "decode_batch", "token_to_id", "id_to_token"),
        *("get_vocab_size", "get_vocab"),
    },
    "Encoding": {"ids", "tokens", "offsets", "attention_mask", "type_ids", "special_tokens_mask"},
}
SETTABLE = {"length", "keys", "values", "training"}  # of a cache; the mode of a model


class Refused(AttributeError):
    """Something was asked that a learner has no use for."""


class GraderRules:
    """The grader's: it answers little, and believes nothing."""

    believes = False
    roots = scratch.root

    def may_call(self, thing: Any) -> None:
        """Whatever was handed over as callable may be called, no class of ours."""
        if isinstance(thing, type) or not callable(thing):
            raise Refused("this cannot be called")

    def may_run(self, thing: Any) -> None:
        """Modules run."""
        if not isinstance(thing, nn.Module):
            raise Refused("this is no module")

    def may_get(self, thing: Any, name: Any) -> None:
        """A learner's attributes: of a model, a cache, a tokenizer."""
        if not isinstance(name, str) or not _is_allowed(thing, name):
            raise Refused(f"{type(thing).__name__!r} object has no attribute {name!r}")

    def may_set(self, thing: Any, name: Any) -> None:
        """Set what a cache is made of, and a model's mode."""
        if name not in SETTABLE or not hasattr(thing, name) or not _is_ours(thing):
            raise Refused(f"attribute {name!r} of {type(thing).__name__!r} cannot be set")

    def passes_on(self, error: BaseException) -> bool:
        """A time limit that is over ends the check; what a model raises goes to who called it."""
        return isinstance(error, Exception | KeyboardInterrupt)

    def noticing(self, answer: dict[str, Any]) -> Any:
        """Warnings of ours stay here."""
        return contextlib.nullcontext()

    def before_sending(self, message: dict[str, Any]) -> None:
        """Nothing goes along."""

    def after_receiving(self, message: dict[str, Any]) -> None:
        """Warn and print what the worker warned and printed."""
        for name, text in message.get("warned", [])[:20]:
            kind = getattr(builtins, str(name), UserWarning)
            is_warning = isinstance(kind, type) and issubclass(kind, Warning)
            warnings.warn(str(text)[:2000], kind if is_warning else UserWarning, stacklevel=2)
        if "printed" in message:
            kept, length = message["printed"]
            kept, length = str(kept)[:600], int(length)
            sys.stdout.write(kept)
            if hasattr(sys.stdout, "length"):
                sys.stdout.length += max(0, length - len(kept))


def _is_allowed(thing: Any, name: str) -> bool:
    if name.startswith("_"):
        return name in ("__len__", "__getitem__", "__contains__", "__iter__") and _is_ours(thing)
    if table := TABLES.get(type(thing).__name__):
        return name in table
    if isinstance(thing, nn.Module):
        return name in MODULE or (_is_ours(thing) and not hasattr(nn.Module, name))
    return _is_ours(thing)


def _is_ours(thing: Any) -> bool:
    """Tell whether a thing is an object of a class that the checks made up for a probe."""
    return type(thing).__module__.startswith("checks.") and not isinstance(
        thing, type | types.ModuleType | types.FunctionType
    )


def refuse(what: str) -> None:
    """Say that a message is none."""
    raise Broken(what)
