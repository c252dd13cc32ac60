"""Lab 08: what is tried on Llama, without caches and with them."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from assets import llama_reference as frozen
from checks.engine import Inputs, Wrong, agrees
from checks.engine.devices import pretended_device
from checks.probes.llama import drawn, expect, fitted, half, sizes
from checks.reference.llama import LlamaConfig, shapes


def model(answer: Any, inputs: Inputs, **changes: Any) -> Any:
    """A model with drawn weights."""
    config = sizes(**changes)
    return fitted(answer(config), drawn(inputs, shapes(config)))


def text(inputs: Inputs, batch: int, length: int, vocab_size: int = 11) -> Tensor:
    """Tokens: (B, T)."""
    return inputs.integers(batch, length, high=vocab_size)


def empty(module: Any, batch: int, max_len: int) -> list:
    """The module's own new caches; they must be a list."""
    caches = module.new_caches(batch, max_len)
    if not isinstance(caches, list):
        raise Wrong(f"new_caches returned a {type(caches).__name__}; a list of caches is wanted.")
    return caches


def feed(module: Any, ids: Tensor, chunks: Iterable[int], caches: list) -> list[Tensor]:
    """Give a model the text chunk by chunk."""
    seen, start = [], 0
    for length in chunks:
        seen.append(module(ids[:, start : start + length], caches))
        start += length
    return seen


# Without caches


def worked_model(answer: Any, inputs: Inputs) -> Tensor:
    """A block that adds nothing: (1, 7) / 5 times each row of the table."""
    changes = {"dim": 2, "n_layers": 1, "n_heads": 1, "n_kv_heads": 1, "vocab_size": 3}
    config = sizes(**changes, hidden_dim=2, norm_eps=0.0, tie_embeddings=True)
    state = {name: torch.zeros(shape) for name, shape in shapes(config).items()}
    state["tok_embeddings.weight"] = torch.tensor([[1.0, 7.0], [0.0, 5.0], [5.0, -5.0]])
    for name in state:
        if name.endswith("norm.weight"):
            state[name] = torch.ones(2)
    return fitted(answer(config), state)(torch.tensor([[0]]))


def new_model(answer: Any, inputs: Inputs) -> list:
    """The weights of new models, untied and tied: names, shapes, none shared, all can learn."""
    seen = []
    for config in (sizes(), sizes(n_layers=1, vocab_size=7, n_kv_heads=6, tie_embeddings=True)):
        module = answer(config)
        expect(module, shapes(config))
        weights = [weight for _, weight in module.named_parameters()]
        seen.append(sum(weight.requires_grad for weight in weights))
        seen.append([all(bool((weight != 0).any()) for weight in weights)])
    return seen


def one_layer(answer: Any, inputs: Inputs) -> Tensor:
    """A single block."""
    return model(answer, inputs, n_layers=1)(text(inputs, 1, 4))


def two_layers(answer: Any, inputs: Inputs) -> Tensor:
    """Two blocks, two texts."""
    return model(answer, inputs)(text(inputs, 2, 3))


def tied(answer: Any, inputs: Inputs) -> Tensor:
    """A tied model."""
    return model(answer, inputs, n_layers=1, tie_embeddings=True)(text(inputs, 2, 3))


def other_sizes(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Other heads, widths, vocabularies, eps and base; MQA and MHA."""
    seen = []
    for heads, kv_heads, d, base in ((6, 3, 4, 3.0), (3, 1, 8, 500_000.0)):
        changes = {"dim": heads * d, "n_heads": heads, "n_kv_heads": kv_heads, "rope_base": base}
        module = model(
            answer, inputs, n_layers=1, vocab_size=13, hidden_dim=9, norm_eps=0.7, **changes
        )
        seen.append(module(text(inputs, 1, 5, 13)))
    return seen


def hugging_face(name: str) -> Callable[[Any, Inputs], bool]:
    """The frozen weights: the logits of LlamaForCausalLM, or the first step that departs."""

    def run(answer: Any, inputs: Inputs) -> bool:
        module = fitted(answer(LlamaConfig(**frozen.CONFIGS[name])), frozen.weights(name))
        if says := frozen.first_departure(frozen.compare(module, name)):
            raise Wrong(f"{says}. Before that, all is as in Hugging Face's Llama.")
        return True

    return run


def future_changed(answer: Any, inputs: Inputs) -> list[bool]:
    """Change the last token of one text; watch the logits before it, and the other text."""
    module, ids = model(answer, inputs, n_layers=1), text(inputs, 2, 5)
    other = ids.clone()
    other[0, -1] = (other[0, -1] + 1) % 11
    one, two = module(ids), module(other)
    return [agrees(two[:, :-1], one[:, :-1]), agrees(two[0], one[0]), agrees(two[1], one[1])]


def model_gradients(answer: Any, inputs: Inputs) -> list[Tensor]:
    """The gradients of all weights of a tied model, whose table has two parts to play."""
    module = model(answer, inputs, tie_embeddings=True)
    ids = torch.cat([torch.arange(2)[:, None], text(inputs, 2, 2)], dim=1)  # 0 is a token, too
    result = module(ids)
    weights = [weight for _, weight in sorted(module.named_parameters())]
    learns = [weight.requires_grad for weight in weights]
    if not isinstance(result, Tensor) or not result.requires_grad or not all(learns):
        return [torch.zeros(0)]
    total = (result * inputs.randn(*result.shape)).sum()
    return list(torch.autograd.grad(total, weights, materialize_grads=True))


# With caches


def new_caches(answer: Any, inputs: Inputs) -> list:
    """One for each layer, of these sizes and dtypes, each with memory of its own."""
    seen: list = []
    for dtype, layers, heads in ((torch.float32, 2, 2), (torch.bfloat16, 1, 3)):
        module = model(answer, inputs, n_layers=layers, n_kv_heads=heads).to(dtype)
        caches, more = empty(module, 3, 7), empty(module, 3, 7)
        if len(caches) != layers:
            raise Wrong(f"new_caches makes {len(caches)} caches for a model of {layers} layers.")
        for cache in caches:
            found = tuple(cache.keys.shape), tuple(cache.values.shape)
            if found != ((3, heads, 7, 4),) * 2:
                raise Wrong(
                    f"new_caches(3, 7) makes keys {found[0]} and values {found[1]}, expected "
                    f"(3, {heads}, 7, 4): (batch, n_kv_heads, max_len, head_dim)."
                )
            if (cache.keys.dtype, cache.values.dtype) != (dtype, dtype):
                raise Wrong(f"new_caches makes {cache.keys.dtype} for weights in {dtype}.")
        parts = [part for cache in (*caches, *more) for part in (cache.keys, cache.values)]
        if len({part.data_ptr() for part in parts}) < len(parts):
            raise Wrong("new_caches makes caches that share their memory. Each needs its own.")
        seen += [cache.length for cache in caches]
    return seen


def one_by_one(answer: Any, inputs: Inputs) -> list[Tensor]:
    """One token at a time, with caches."""
    module = model(answer, inputs)
    return feed(module, text(inputs, 2, 3), [1] * 3, empty(module, 2, 9))


def in_chunks(answer: Any, inputs: Inputs) -> list:
    """Chunks of drawn sizes, a long one first; then what stands in each layer's cache."""
    lengths = [
        int(inputs.integers(1, low=17, high=29)),
        *inputs.integers(2, low=1, high=5).tolist(),
    ]
    module, ids = model(answer, inputs), text(inputs, 1, sum(lengths))
    caches = empty(module, 1, 64)
    seen: list = feed(module, ids, lengths, caches)
    for cache in caches:
        seen += [cache.length, cache.keys[:, :, : sum(lengths)].detach().clone()]
        seen.append(cache.values[:, :, : sum(lengths)].detach().clone())
    return seen


def poisoned_slots(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Caches whose unused slots hold huge keys and values that are no numbers."""
    module = model(answer, inputs, n_layers=1)
    caches = empty(module, 2, 6)
    for cache in caches:
        cache.keys.fill_(1e9)
        cache.values.fill_(torch.nan)
    return feed(module, text(inputs, 2, 4), (2, 2), caches)


def two_texts(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Two texts in turns, each with its caches, and then one without."""
    module, ids = model(answer, inputs, n_layers=1), text(inputs, 2, 4)
    first, second = empty(module, 2, 4), empty(module, 2, 4)
    return [
        module(ids[:, :3], first),
        module(text(inputs, 2, 3), second),
        module(ids[:, 3:], first),
        module(ids, None),
    ]


def model_in_half(answer: Any, inputs: Inputs) -> list:
    """The whole model in half precision; float32 logits are welcome too."""
    module, ids, seen = model(answer, inputs, n_layers=1), text(inputs, 2, 4), []
    exact = module(ids)
    for dtype in (torch.float16, torch.bfloat16):
        module.to(dtype)
        got = module(ids, empty(module, 2, 4))
        if not isinstance(got, Tensor):
            return [got]
        if got.dtype not in (dtype, torch.float32):
            return [got.flatten()[:0]]
        seen += half(got, exact)
    return seen


def far_from_the_start(answer: Any, inputs: Inputs) -> list:
    """A few tokens in bfloat16 after 300 that said nothing: only exact angles keep their order."""
    config = sizes(dim=8, n_heads=2, n_kv_heads=2, max_seq_len=512, n_layers=1)
    state, ids = drawn(inputs, shapes(config)), text(inputs, 6, 9)
    state["layers.0.attention.wq.weight"] *= 3  # queries that look for one place
    module = fitted(answer(config), state)
    right: Tensor | None = None
    seen: list = []
    for dtype in (torch.float32, torch.bfloat16):
        module.to(dtype)
        caches = empty(module, 6, 310)
        for cache in caches:
            cache.keys.zero_()
            cache.values.zero_()
            cache.length = 300
        got = module(ids, caches)
        if not isinstance(got, Tensor):
            return [got]
        seen += half(got, right if right is not None else got)
        right = got if right is None else right
    return seen


def model_elsewhere(answer: Any, inputs: Inputs) -> str:
    """Move a model and its tokens to another device, and make caches there."""
    config, ids = sizes(n_layers=1), text(inputs, 2, 3)
    state = drawn(inputs, shapes(config))
    with pretended_device() as device:
        module = fitted(answer(config), state)
        device.take([*module.parameters(), *module.buffers()])
        caches = empty(module, 2, 4)
        parts = [part for cache in caches for part in (cache.keys, cache.values)]
        if not all(device.holds(part) for part in parts):
            raise Wrong("new_caches makes caches on the CPU when the weights are on a GPU.")
        out = module(ids, caches)
    stays = isinstance(out, Tensor) and not device.holds(out)
    return "mixed devices" if device.mixed or stays else "one device"
