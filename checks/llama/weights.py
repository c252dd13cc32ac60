"""Lab 08: the weights of a block and of a model: their names and shapes, drawn ones, given ones."""

import functools
import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from checks.engine import Crash, Inputs, Wrong, agrees

LEAK = (
    "Two texts differ in their last token only, and their results differ before it: a token sees "
    "later ones. A model that sees what it has to predict learns to copy, and nothing else."
)
IN_TRAINING = (
    "In training (`.train()`, as every new module is) the result is another one than in use, after "
    "`.eval()`."
)
UNFIT = (
    "Its weights have other names or shapes than they should, so none can be put in. What a new "
    "one has is said further up."
)
ROOM = 0.08  # of the whole: rounding in half precision on the way, and nothing worse
SHOWN = 3  # names in a sentence

Shapes = dict[str, tuple[int, ...]]


def shapes_of_block(config: Any) -> Shapes:
    """The names and shapes of a block's weights."""
    narrow = config.dim // config.n_heads * config.n_kv_heads
    return {
        "attention_norm.weight": (config.dim,),
        "attention.wq.weight": (config.dim, config.dim),
        "attention.wk.weight": (narrow, config.dim),
        "attention.wv.weight": (narrow, config.dim),
        "attention.wo.weight": (config.dim, config.dim),
        "ffn_norm.weight": (config.dim,),
        "feed_forward.w_gate.weight": (config.hidden_dim, config.dim),
        "feed_forward.w_up.weight": (config.hidden_dim, config.dim),
        "feed_forward.w_down.weight": (config.dim, config.hidden_dim),
    }


def shapes_of_model(config: Any) -> Shapes:
    """The names and shapes of a model's weights, each once."""
    found: Shapes = {"tok_embeddings.weight": (config.vocab_size, config.dim)}
    for i in range(config.n_layers):
        block = shapes_of_block(config).items()
        found |= {f"layers.{i}.{name}": shape for name, shape in block}
    found["norm.weight"] = (config.dim,)
    if not config.tie_embeddings:
        found["output.weight"] = (config.vocab_size, config.dim)
    return found


def drawn(inputs: Inputs, shapes: Shapes) -> dict[str, Tensor]:
    """Weights that let every part speak about as loudly as the others: the first draw of a probe.

    Every known mistake gets the same ones, so they are kept, and not to be changed in place.
    """
    return dict(_drawn(inputs.generator.initial_seed(), tuple(shapes.items())))


@functools.lru_cache(maxsize=64)
def _drawn(seed: int, shapes: tuple[tuple[str, tuple[int, ...]], ...]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed + 1)
    sizes = [math.prod(shape) for _, shape in shapes]
    parts = torch.randn(sum(sizes), generator=generator).split(sizes)
    state = {}
    for (name, shape), part in zip(shapes, parts, strict=True):
        if len(shape) == 1:  # of a norm: not ones, or nobody sees which norm was taken
            state[name] = 1 + 0.6 * part.sin()
        elif name.startswith("tok_embeddings"):
            state[name] = part.reshape(shape)
        else:
            state[name] = part.reshape(shape) * (1.5 / shape[-1] ** 0.5)
    return state


def made(answer: Any, config: Any) -> Any:
    """A new module; raise a sentence when attention refuses the numbers of heads that it got."""
    try:
        return answer(config)
    except Crash as crash:
        if isinstance(crash.original, ValueError) and crash.owner == "GroupedQueryAttention":
            raise Wrong(
                f"with config.n_heads={config.n_heads} and config.n_kv_heads={config.n_kv_heads} "
                "GroupedQueryAttention refuses the numbers of heads that it is given."
            ) from crash
        raise


def fitted(answer: Any, config: Any, state: dict[str, Tensor]) -> Any:
    """A new module in use, with the weights of a probe, if they fit."""
    module = made(answer, config)
    if fault(module, {name: tuple(weight.shape) for name, weight in state.items()}, config):
        raise Wrong(UNFIT)
    for name, weight in iter(module.named_parameters(remove_duplicate=False)):
        if name in state:  # a tied table may have a second name
            weight.data.copy_(state[name])
    return module.eval()


def fault(module: Any, wanted: Shapes, config: Any, parts: tuple[str, ...] = ()) -> str:
    """What is wrong with the names or shapes of a module's weights, or of some of its parts'.

    A sentence, or nothing. Only a tied table may have a second name, output.weight.
    """
    found = dict(iter(module.named_parameters(remove_duplicate=False)))
    mine = parts or tuple({_part(name): "" for name in wanted})
    if "output.weight" in found and "output.weight" not in wanted:
        if (says := _untied(found)) and "tok_embeddings" in mine:
            return says
        del found["output.weight"]
    shapes = {name: tuple(weight.shape) for name, weight in found.items()}
    if says := "; ".join(_faults(shapes, wanted, mine, config)):
        return f"its weights have other names or shapes: {says}."
    names: dict[int, str] = {}
    for name, weight in found.items():
        if (first := names.setdefault(id(weight), name)) != name and _part(name) in mine:
            return f"`{first}` and `{name}` are one and the same weight."
    return ""


def _part(name: str) -> str:
    return name.partition(".")[0]


def _untied(found: dict[str, Tensor]) -> str:
    table, output = found.get("tok_embeddings.weight"), found["output.weight"]
    if output is table:
        return ""
    same = table is not None and table.shape == output.shape and table.equal(output)
    kind = "a copy of the table, which will not follow it in training" if same else "its own"
    return f"with tie_embeddings, `output.weight` has to be the table; it is {kind}."


def _faults(found: Shapes, wanted: Shapes, parts: tuple[str, ...], config: Any) -> Iterable[str]:
    """What is missing in these parts, what nobody expects, and what has another shape.

    Where something of the same shapes has other names, these are not told: the wanted ones say it.
    """
    known = {_part(name) for name in wanted}
    strange = [name for name in found if _part(name) not in known]
    missing = [name for name in wanted if name not in found and _part(name) in parts]
    extra = [name for name in found if name not in wanted and _part(name) in parts]
    if wanted.keys() <= found.keys() and _part(next(iter(wanted))) in parts:
        extra += strange
    if missing:
        rest = Counter(wanted[name] for name in missing) - Counter(found[n] for n in strange)
        other = "" if rest else ", and something of the same shape has another name"
        yield f"there is no {_listed([f'`{name}`' for name in missing])}{other}"
    if extra:
        yield f"nobody expects {_listed([f'`{name}`' for name in extra])}"
    both = [n for n in wanted if n in found and found[n] != wanted[n] and _part(n) in parts]
    if both:
        shown = [(n, written(found[n], config), written(wanted[n], config)) for n in both]
        yield _listed([f"`{name}` is {mine}, expected {right}" for name, mine, right in shown])


def written(shape: tuple[int, ...], config: Any, **others: int) -> str:
    """A shape in the names of the config's sizes, and of others: (hidden_dim, dim).

    A number that is none of them stands as it is; what two mistakes do must not read alike.
    """
    dim, hidden_dim = config.dim, config.hidden_dim
    names = {value: name for name, value in others.items()}
    for name in ("vocab_size", "hidden_dim", "dim", "max_seq_len"):
        names.setdefault(getattr(config, name), name)
    names |= {
        4 * dim: "4·dim",
        int(8 * dim / 3): "8·dim/3",
        int(2 * hidden_dim / 3): "2·hidden_dim/3",
    }
    names |= {config.vocab_size + 1: "vocab_size + 1", 256: "256·1"}
    sizes = ", ".join(names.get(size, str(size)) for size in shape)
    return f"({sizes}{',' * (len(shape) == 1)})"


def _listed(words: list[str]) -> str:
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return ", ".join(words[:SHOWN]) + more


def half(got: Any, exact: Tensor, dtype: torch.dtype | None = None) -> list:
    """What is compared in half precision: the dtype if it matters, and whether the numbers fit."""
    if not isinstance(got, Tensor):
        return [got]
    fits = got.shape == exact.shape
    fits = fits and bool((got.float() - exact).norm() <= ROOM * exact.norm())
    return [got.flatten()[:0] if dtype else torch.zeros(0), fits]


def refuse_leaks(result: Any, shape: tuple[int, ...]) -> None:
    """Raise a sentence when the results of two texts that differ at the end differ before it."""
    if not isinstance(result, Tensor) or result.shape != shape:
        return
    if not agrees(result[1, :-1], result[0, :-1]):
        raise Wrong(LEAK)


@torch.no_grad()
def refuse_dropout(module: Any, *args: Any) -> Any:
    """Give back the module in training; raise a sentence when it gives another result there."""
    bare = vars(module)["_target"]  # random numbers are nothing by which to know a mistake
    used, trained = bare.eval()(*args), bare.train()(*args)
    if isinstance(used, Tensor) and isinstance(trained, Tensor) and not agrees(trained, used):
        raise Wrong(IN_TRAINING)
    return module


def gradients(result: Any, module: Any, random: Tensor, *inputs: Tensor) -> Tensor:
    """All gradients of a weighted sum of the result, one after the other; none if there is none."""
    weights = [weight for _, weight in sorted(module.named_parameters())]
    learns = [weight.requires_grad for weight in weights]
    if not isinstance(result, Tensor) or not result.requires_grad or not all(learns):
        return torch.zeros(0)
    total = (result * random).sum()
    found = torch.autograd.grad(total, [*inputs, *weights], materialize_grads=True)
    return torch.cat([gradient.flatten() for gradient in found])
