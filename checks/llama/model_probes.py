"""Lab 08, 8.2: what is tried on Llama, without caches and with them."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from assets import llama_reference as frozen
from checks.engine import Crash, Inputs, Wrong
from checks.engine.devices import PretendedDevice
from checks.engine.llama_config import LlamaConfig, sizes
from checks.llama.parts import KVCache
from checks.llama.weights import (
    drawn,
    fault,
    fitted,
    gradients,
    half,
    made,
    refuse_dropout,
    refuse_leaks,
    shapes_of_model,
    written,
)

KEEP_CONFIG = "Keep the LlamaConfig as `self.config`: later labs ask a model for its sizes."


def model_of(answer: Any, inputs: Inputs, **changes: Any) -> Any:
    """A model with drawn weights."""
    config = sizes(**changes)
    return fitted(answer, config, drawn(inputs, shapes_of_model(config)))


def text(inputs: Inputs, batch: int, length: int, vocab_size: int = 11) -> Tensor:
    """Tokens: (B, T)."""
    return inputs.integers(batch, length, high=vocab_size)


def empty(module: Any, batch: int, max_len: int) -> list:
    """The module's own new caches, one after the other."""
    caches = module.new_caches(batch, max_len)
    if not isinstance(caches, list | tuple):
        kind = {"Answer": "something else", "NoneType": "None"}
        found = kind.get(type(caches).__name__, f"a {type(caches).__name__}")
        raise Wrong(f"new_caches returned {found}; a list of caches is wanted.")
    return list(caches)


def memories(layers: int, max_len: int, dtype: torch.dtype = torch.float32) -> list[KVCache]:
    """Caches of our own for one text, whatever new_caches does: that has a row for itself."""
    return [KVCache(1, 2, max_len, 4, dtype) for _ in range(layers)]


def feed(module: Any, ids: Tensor, chunks: Iterable[int], caches: list) -> list[Tensor]:
    """Give a model the text chunk by chunk."""
    seen, start = [], 0
    for length in chunks:
        seen.append(module(ids[:, start : start + length], caches))
        start += length
    return seen


# Without caches


@torch.no_grad()
def worked_model(answer: Any, inputs: Inputs) -> Tensor:
    """A block that adds nothing: (1, 7) / 5 times each row of the table."""
    changes = {"dim": 2, "n_layers": 1, "n_heads": 1, "n_kv_heads": 1, "vocab_size": 3}
    config = sizes(**changes, hidden_dim=2, norm_eps=0.0, tie_embeddings=True)
    state = {name: torch.zeros(shape) for name, shape in shapes_of_model(config).items()}
    state["tok_embeddings.weight"] = torch.tensor([[1.0, 7.0], [0.0, 5.0], [5.0, -5.0]])
    for name in state:
        if name.endswith("norm.weight"):
            state[name] = torch.ones(2)
    return fitted(answer, config, state)(torch.tensor([[0]]))


def new_model(*parts: str) -> Callable[[Any, Inputs], bool]:
    """Some parts of new models, untied and tied: names, shapes, none shared, all can learn."""

    def run(answer: Any, inputs: Inputs) -> bool:
        for config in (sizes(), sizes(n_layers=1, vocab_size=7, n_kv_heads=6, tie_embeddings=True)):
            module = made(answer, config)
            if says := fault(module, shapes_of_model(config), config, parts):
                raise Wrong(says)
            for name, weight in iter(module.named_parameters()):
                if name.partition(".")[0] in parts and not weight.requires_grad:
                    raise Wrong(f"`{name}` cannot learn: its requires_grad is False.")
        return True

    return run


def saved(answer: Any, inputs: Inputs) -> bool:
    """Whether all that is saved with a model is its weights."""
    module = made(answer, sizes())
    return set(module.state_dict()) == {name for name, _ in iter(module.named_parameters())}


def keeps_config(answer: Any, inputs: Inputs) -> dict[str, Any]:
    """What a model says of its sizes."""
    module = made(answer, sizes(n_layers=1))
    try:
        config = module.config
    except Crash as crash:
        raise Wrong(f"it has no `config`. {KEEP_CONFIG}") from crash
    return {name: getattr(config, name) for name in ("dim", "n_layers", "n_kv_heads", "rope_base")}


@torch.no_grad()
def one_layer(answer: Any, inputs: Inputs) -> Tensor:
    """A single block, between one table twice."""
    return model_of(answer, inputs, n_layers=1, tie_embeddings=True)(text(inputs, 1, 4))


@torch.no_grad()
def two_layers(answer: Any, inputs: Inputs) -> Tensor:
    """Two blocks and an output; the second text is the first with another last token."""
    module, ids = model_of(answer, inputs), text(inputs, 2, 4)
    ids[1] = ids[0]
    ids[1, -1] = (ids[0, -1] + 1) % 11
    logits = module(ids)
    refuse_leaks(logits, (2, 4, 11))
    return logits


def in_training(answer: Any, inputs: Inputs) -> Tensor:
    """A module in training gives what it gives in use."""
    ids = text(inputs, 2, 5)
    return refuse_dropout(model_of(answer, inputs, n_layers=1), ids)(ids)


def hugging_face(name: str) -> Callable[[Any, Inputs], bool]:
    """The frozen weights: the logits of LlamaForCausalLM, or the first step that departs."""

    def run(answer: Any, inputs: Inputs) -> bool:
        module = fitted(answer, LlamaConfig(**frozen.CONFIGS[name]), _weights(name))
        steps = frozen.compare(vars(module)["_target"], name, module)
        if steps[-1].far is not None and not steps[-1].departs:  # the logits
            return True
        says = frozen.first_departure(steps) or "it returned no logits"
        raise Wrong(f"{says}. Before that, all is as in Hugging Face's Llama.")

    return run


_weights = functools.cache(frozen.weights)


def model_gradients(answer: Any, inputs: Inputs) -> Tensor:
    """The gradients of a tied model, whose table has two parts."""
    module = model_of(answer, inputs, n_layers=1, tie_embeddings=True)
    ids = torch.cat([torch.zeros(1, 1, dtype=torch.int64), text(inputs, 1, 1).expand(1, 2)], dim=1)
    module = refuse_dropout(module, ids)
    return gradients(module(ids), module, inputs.randn(1, 3, 11))


# With caches


def new_caches(answer: Any, inputs: Inputs) -> list[int]:
    """One for each layer, of these sizes and this dtype."""
    config = sizes(n_layers=3, n_kv_heads=3)
    caches = empty(made(answer, config).to(torch.float16), 2, 7)
    if len(caches) != 3:
        raise Wrong(f"new_caches makes {len(caches)} caches for a model of 3 layers.")
    names = {"batch": 2, "n_kv_heads": 3, "max_len": 7, "head_dim": 4, "n_heads": 6}
    for cache in caches:
        found = tuple(cache.keys.shape), tuple(cache.values.shape)
        if found != ((2, 3, 7, 4),) * 2:
            keys, values = (written(shape, config, **names) for shape in found)
            raise Wrong(
                f"new_caches makes keys {keys} and values {values}, expected "
                "(batch, n_kv_heads, max_len, head_dim)."
            )
        if (cache.keys.dtype, cache.values.dtype) != (torch.float16,) * 2:
            raise Wrong(f"new_caches makes {cache.keys.dtype} for weights in torch.float16.")
    return [cache.length for cache in caches]


def own_caches(answer: Any, inputs: Inputs) -> bool:
    """Whether each cache has memory of its own, and those of a second text other memory."""
    empty(made(answer, sizes(tie_embeddings=True)), 1, 1)
    module = made(answer, sizes())
    caches, more = empty(module, 2, 7), empty(module, 2, 7)
    first, second = ([part for c in some for part in (c.keys, c.values)] for some in (caches, more))
    places = [{part.data_ptr() for part in parts} for parts in (first, second)]
    if len(places[0]) < len(first):
        raise Wrong("new_caches makes caches that share their memory. Each needs its own.")
    if places[0] & places[1]:
        raise Wrong("called a second time, new_caches gives the same memory out again.")
    return True


@torch.no_grad()
def two_more(answer: Any, inputs: Inputs) -> list:
    """Two tokens after four that are in the caches already."""
    module, ids = model_of(answer, inputs), text(inputs, 1, 2)
    caches = memories(2, 6)
    for cache in caches:
        for part in (cache.keys, cache.values):
            part[:, :, :4] = inputs.randn(1, 2, 4, 4)
        cache.length = 4
    return [module(ids, caches), *(cache.length for cache in caches)]


@torch.no_grad()
def in_chunks(answer: Any, inputs: Inputs) -> list:
    """Two chunks of drawn sizes, a long one first; then what stands in each layer's cache.

    The slots that are not written yet hold huge keys, and values that are no numbers.
    """
    lengths = [int(inputs.integers(1, low=17, high=29)), int(inputs.integers(1, low=1, high=5))]
    module, ids = model_of(answer, inputs), text(inputs, 1, sum(lengths))
    caches = memories(2, 64)
    for cache in caches:
        cache.keys.fill_(1e9)
        cache.values.fill_(torch.nan)
    seen: list = feed(module, ids, lengths, caches)
    for cache in caches:
        seen += [cache.length, cache.keys[:, :, : sum(lengths)].detach().clone()]
        seen.append(cache.values[:, :, : sum(lengths)].detach().clone())
    return seen


@torch.no_grad()
def two_texts(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Two texts in turns, each with its caches; before and after, one without."""
    module, ids = model_of(answer, inputs, n_layers=1), text(inputs, 1, 4)
    first, second = memories(1, 4), memories(1, 4)
    return [
        module(ids[:, 2:]),
        module(ids[:, :3], first),
        module(text(inputs, 1, 1), second),
        module(ids[:, 3:], first),
        module(ids, None),
    ]


@torch.no_grad()
def in_bfloat16(answer: Any, inputs: Inputs) -> list:
    """A few tokens far from the start; then their keys, which show how far they were turned.

    Logits may be float32 all the same.
    """
    start, ids = 1000, text(inputs, 1, 4)
    module = model_of(answer, inputs, n_layers=1, max_seq_len=1024, tie_embeddings=True)
    exact: list[Tensor] = []
    seen: list = []
    for dtype in (torch.float32, torch.bfloat16):
        module.to(dtype)
        (cache,) = caches = memories(1, start + 4, dtype)
        cache.length = start
        got = module(ids, caches)
        if not isinstance(got, Tensor):
            return [got]
        if got.dtype not in (dtype, torch.float32):
            return [got.flatten()[:0]]
        keys = cache.keys[:, :, start:].float()
        exact = exact or [got, keys.clone()]
        seen += half(got, exact[0]) + half(keys, exact[1])
    return seen


def model_elsewhere(answer: Any, inputs: Inputs) -> str:
    """Move a model and its tokens to another device, and make caches there."""
    config, ids, device = sizes(n_layers=1), text(inputs, 1, 2), PretendedDevice()
    with device:  # what __init__ makes lies on the CPU, and only what torch sees is moved
        module = fitted(answer, config, drawn(inputs, shapes_of_model(config)))
    device.take([*module.parameters(), *module.buffers()])
    with device:
        caches = empty(module, 1, 4)
        parts = [part for cache in caches for part in (cache.keys, cache.values)]
        if not all(device.holds(part) for part in parts):
            raise Wrong("new_caches makes caches on the CPU when the weights are on a GPU.")
        out = module(ids, caches)
    stays = isinstance(out, Tensor) and not device.holds(out)
    return "mixed devices" if device.mixed or stays else "one device"
