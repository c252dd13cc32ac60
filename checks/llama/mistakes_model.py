"""Lab 08, 8.2: what people write for Llama.

Sources are the public issues in which somebody really made the mistake.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from checks.engine import Mistake
from checks.llama.reference import KVCache, Llama, RMSNorm


def model(key: str, says: str, hint: str, source: str = "", **steps: Any) -> Mistake:
    """A Llama that does one or more of its steps wrong: `step(model, ...)` replaces the method."""
    return Mistake(key, type("Wrong", (Llama,), steps), says, hint, source)


def built(
    key: str, says: str, hint: str, change: Callable[[Any, Any], None], source: str = ""
) -> Mistake:
    """A Llama whose constructor does something more at the end, or takes something away."""

    class Wrong(Llama):
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            change(self, config)

    return Mistake(key, Wrong, says, hint, source)


def configured(key: str, says: str, hint: str, change: Callable[[Any], dict]) -> Mistake:
    """A Llama that takes other sizes than it is given."""

    class Wrong(Llama):
        def __init__(self, config: Any) -> None:
            super().__init__(replace(config, **change(config)))

    return Mistake(key, Wrong, says, hint)


def flowing(key: str, says: str, through: Callable[..., Tensor], hint: str = "") -> Mistake:
    """through(model, x, run) in place of the loop; run(i, x) is block i with its cache."""

    def wrong(self: Any, x: Tensor, angles: Tensor, caches: list | None) -> Tensor:
        def run(i: int, y: Tensor) -> Tensor:
            return self.layers[i](y, angles, caches[i] if caches else None)

        return through(self, x, run)

    return model(key, says, hint or LOOP, through=wrong)


def ending(key: str, says: str, end: Callable[[Any, Tensor], Any], hint: str = "") -> Mistake:
    """end(model, x) in place of the last norm and the output."""
    steps = {"last_norm": lambda m, x: x, "logits": end}
    return model(key, says, hint or END, **steps)


def placed(
    key: str, says: str, place: Callable[[Tensor, int], Tensor], hint: str = "", source: str = ""
) -> Mistake:
    """place(right positions, start) in place of the right positions."""

    def positions(self: Any, ids: Tensor, caches: list | None) -> Tensor:
        start = caches[0].length if caches else 0
        return place(torch.arange(start, start + ids.shape[1], device=ids.device), start)

    return model(key, says, hint or START, source, positions=positions)


def turned(key: str, says: str, frequencies: Callable[[int, Any], Tensor], hint: str) -> Mistake:
    """frequencies(d, config) in place of the right ones."""

    def angles(self: Any, positions: Tensor) -> Tensor:
        d = self.config.dim // self.config.n_heads
        return positions[:, None].float() * frequencies(d, self.config).to(positions.device)

    return model(key, says, hint, angles=angles)


def caching(key: str, says: str, make: Callable[[Any, int, int], Any], hint: str = "") -> Mistake:
    """make(model, batch, max_len) in place of new_caches."""
    return model(key, says, hint or CACHES, new_caches=lambda m, b, n: make(m, b, n))


LOOP = "`for layer, cache in zip(self.layers, caches): x = layer(x, angles, cache)`"
END = "`self.output(self.norm(x))`, or the table's weight in place of output's if they are tied."
TIE = "`F.linear(self.norm(x), self.tok_embeddings.weight)` when config.tie_embeddings."
START = (
    "`start = caches[0].length if caches else 0`, asked before the loop; from there T positions."
)
BASE = "`rope_frequencies(config.dim // config.n_heads, config.rope_base)`"
CACHES = (
    "`KVCache.empty(batch, config.n_kv_heads, max_len, head_dim, weight.dtype, weight.device)`, a "
    "new one for each layer."
)
LAYERS = "`nn.ModuleList(DecoderBlock(config) for _ in range(config.n_layers))`"
NORM = "`self.norm = RMSNorm(config.dim, config.norm_eps)`"
NAMES = "tok_embeddings, layers, norm, output."
KEEP = "Nothing is kept in self between two calls."


# How it is built


def _plain_list(m: Any, config: Any) -> None:
    layers = list(m.layers)
    del m.layers
    m.layers = layers


def _shared_layers(m: Any, config: Any) -> None:
    m.layers = nn.ModuleList([m.layers[0]] * config.n_layers)


def _renamed(m: Any, config: Any) -> None:
    m.embed_tokens, m.lm_head = m.tok_embeddings, getattr(m, "output", None)
    del m.tok_embeddings
    if hasattr(m, "output"):
        del m.output


def _output_bias(m: Any, config: Any) -> None:
    if not config.tie_embeddings:
        m.output = nn.Linear(config.dim, config.vocab_size)


def _own_output(m: Any, config: Any) -> None:
    m.output = nn.Linear(config.dim, config.vocab_size, bias=False)


def _copied_output(m: Any, config: Any) -> None:
    m.output = nn.Linear(config.dim, config.vocab_size, bias=False)
    if config.tie_embeddings:
        m.output.weight.data.copy_(m.tok_embeddings.weight.data)


def _always_tied(m: Any, config: Any) -> None:
    m.config = replace(config, tie_embeddings=True)
    if hasattr(m, "output"):
        del m.output


def _tied_by_name(m: Any, config: Any) -> None:
    if config.tie_embeddings:
        return
    m.output.weight = m.tok_embeddings.weight


def _learned_positions(m: Any, config: Any) -> None:
    m.pos_embeddings = nn.Embedding(config.max_seq_len, config.dim)
    m.embed = lambda ids: m.tok_embeddings(ids) + m.pos_embeddings.weight[: ids.shape[1]]


def _without_norm(m: Any, config: Any) -> None:
    del m.norm
    m.last_norm = lambda x: x


def _norm_eps(m: Any, config: Any) -> None:
    m.norm.eps = 1e-5


def _padding(m: Any, config: Any) -> None:
    m.tok_embeddings = nn.Embedding(config.vocab_size, config.dim, padding_idx=0)


def _frozen(m: Any, config: Any) -> None:
    m.requires_grad_(False)


class _LayerNorm(RMSNorm):
    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x.float(), x.shape[-1:], self.weight.float(), eps=self.eps).to(x.dtype)


def _last_layer_norm(m: Any, config: Any) -> None:
    m.norm = _LayerNorm(config.dim, config.norm_eps)


def _dropout(m: Any, config: Any) -> None:
    m.embed = lambda ids: F.dropout(m.tok_embeddings(ids), 0.1, m.training)


# With caches


class _AsksInside(Llama):
    """Asks for the length inside the loop, where the first layer has moved it already."""

    def forward(self, ids: Tensor, caches: list | None = None) -> Tensor:
        x = self.embed(ids)
        for i, layer in enumerate(self.layers):
            angles = self.angles(self.positions(ids, caches))
            x = layer(x, angles, caches[i] if caches else None)
        return self.logits(self.last_norm(x))


class _KeepsCaches(Llama):
    """Makes caches of its own at the first call without any, and goes on with them."""

    mine: Any = None

    def forward(self, ids: Tensor, caches: list | None = None) -> Tensor:
        if caches is None:
            if self.mine is None or self.mine[0].keys.shape[0] != len(ids):
                self.mine = self.new_caches(len(ids), 64)
            caches = self.mine
            with torch.no_grad():
                return super().forward(ids, caches)
        return super().forward(ids, caches)


class _FirstCaches(Llama):
    """Keeps the first caches it was ever given."""

    first: Any = None

    def forward(self, ids: Tensor, caches: list | None = None) -> Tensor:
        if caches is not None:
            self.first = self.first or caches
        return super().forward(ids, self.first if caches is not None else None)


class _SameCaches(Llama):
    """new_caches hands out the same caches again."""

    made: Any = None

    def new_caches(self, batch: int, max_len: int) -> list:
        if self.made is None or self.made[0].keys.shape[::2] != (batch, max_len):
            self.made = super().new_caches(batch, max_len)
        return self.made


class _OneCache(Llama):
    """Hands the first layer's cache to all layers."""

    def through(self, x: Tensor, angles: Tensor, caches: list | None) -> Tensor:
        for layer in self.layers:
            x = layer(x, angles, caches[0] if caches else None)
        return x


class _CountsItself(Llama):
    """Counts positions in self, over all texts."""

    seen = 0

    def positions(self, ids: Tensor, caches: list | None) -> Tensor:
        start = self.seen if caches else 0
        self.seen = self.seen + ids.shape[1] if caches else self.seen
        return torch.arange(start, start + ids.shape[1], device=ids.device)


class _AnglesInHalf(Llama):
    """Angles in the dtype of the weights."""

    def angles(self, positions: Tensor) -> Tensor:
        return super().angles(positions).to(self.tok_embeddings.weight.dtype).float()


class _AnglesByLength(Llama):
    """Keeps the angles of the first call with so many tokens."""

    def positions(self, ids: Tensor, caches: list | None) -> Tensor:
        kept = self.__dict__.setdefault("kept", {})
        return kept.setdefault(ids.shape[1], super().positions(ids, caches))


class _OnCpu(Llama):
    """Positions are made on the CPU."""

    def positions(self, ids: Tensor, caches: list | None) -> Tensor:
        start = caches[0].length if caches else 0
        return torch.arange(start, start + ids.shape[1])

    def angles(self, positions: Tensor) -> Tensor:
        d = self.config.dim // self.config.n_heads
        return positions[:, None].float() * self.config.rope_base ** -(torch.arange(0, d, 2) / d)


def _cache(m: Any, texts: int, room: int, **changes: Any) -> KVCache:
    """The right cache with some of its sizes changed."""
    config, weight = m.config, m.tok_embeddings.weight
    sizes = {
        "batch": texts,
        "n_kv_heads": config.n_kv_heads,
        "max_len": room,
        "head_dim": config.dim // config.n_heads,
        "dtype": weight.dtype,
        "device": weight.device,
    }
    return KVCache(**(sizes | changes))


def _each(**changes: Callable[[Any], Any]) -> Callable[[Any, int, int], list]:
    def make(m: Any, batch: int, max_len: int) -> list:
        found = {name: change(m) for name, change in changes.items()}
        return [_cache(m, batch, max_len, **found) for _ in m.layers]

    return make


# The ends


def _output(m: Any, x: Tensor) -> Tensor:
    return Llama.logits(m, m.norm(x))


def _detached_table(m: Any, x: Tensor) -> Tensor:
    if m.config.tie_embeddings:
        return m.norm(x) @ m.tok_embeddings.weight.detach().T
    return m.output(m.norm(x))


class _NoGradient(Llama):
    def forward(self, ids: Tensor, caches: list | None = None) -> Tensor:
        with torch.no_grad():
            return super().forward(ids, caches)


class _ReturnsCaches(Llama):
    def forward(self, ids: Tensor, caches: list | None = None) -> tuple:
        return super().forward(ids, caches), caches


def _chain(order: Any, x: Tensor, run: Callable[[int, Tensor], Tensor]) -> Tensor:
    for i in order:
        x = run(i, x)
    return x


MODEL_MISTAKES = [
    built(
        "layers_in_a_list",
        "The blocks stand in a plain list, where torch does not see their weights: nothing in them "
        "would learn, move to a GPU or be saved.",
        LAYERS,
        _plain_list,
    ),
    built(
        "layers_shared",
        "All layers are the same block. `[DecoderBlock(config)] * n` makes one and repeats it.",
        LAYERS,
        _shared_layers,
    ),
    built(
        "other_names",
        "The parts have Hugging Face's names (embed_tokens, lm_head). Here they are Meta's.",
        NAMES,
        _renamed,
    ),
    built("output_bias", "The output has a bias. Llama's has none.", END, _output_bias),
    built(
        "not_tied",
        "With tie_embeddings there is an output with weights of its own. It has to be the table.",
        TIE,
        _own_output,
    ),
    built(
        "tied_by_copy",
        "With tie_embeddings the output is a copy of the table: equal at first, and two different "
        "matrices after the first training step.",
        TIE,
        _copied_output,
        "rasbt/LLMs-from-scratch#822",
    ),
    built(
        "always_tied",
        "The output is the embedding table even without tie_embeddings.",
        END,
        _always_tied,
    ),
    built(
        "untied_shares",
        "Without tie_embeddings, the output is the embedding table all the same.",
        END,
        _tied_by_name,
    ),
    built(
        "learned_positions",
        "It learns a vector for each position, as GPT-2 does. Llama's positions come in by RoPE.",
        NAMES,
        _learned_positions,
    ),
    built("last_norm_missing", "There is no norm after the last block.", NORM, _without_norm),
    built("frozen", "The weights do not learn: requires_grad is False.", NAMES, _frozen),
    built(
        "padding_token",
        "Token 0 is taken for padding: its vector gets no gradient.",
        "No padding_idx.",
        _padding,
    ),
    built(
        "last_norm_subtracts_mean",
        "The last norm subtracts the mean, as LayerNorm does.",
        NORM,
        _last_layer_norm,
    ),
    built("dropout", "There is dropout on the embeddings. Llama has none.", NAMES, _dropout),
    built("last_eps_ignored", "The last norm does not get config.norm_eps.", NORM, _norm_eps),
    configured(
        "kv_heads_ignored",
        "config.n_kv_heads is not used: there are as many kv heads as query heads.",
        "Hand the whole config to DecoderBlock.",
        lambda c: {"n_kv_heads": c.n_heads},
    ),
    configured(
        "defaults_of_rope",
        "config.rope_base is not used: the base is 10,000.",
        BASE,
        lambda c: {"rope_base": 10_000.0},
    ),
    configured(
        "base_of_llama_3",
        "config.rope_base is not used: the base is 500,000.",
        BASE,
        lambda c: {"rope_base": 500_000.0},
    ),
    turned(
        "frequencies_by_dim",
        "The exponents are 2i / dim. They are 2i / d: the size of one head.",
        lambda d, c: c.rope_base ** -(torch.arange(0, d, 2) / c.dim),
        BASE,
    ),
    # the blocks
    # forward
    model(
        "embedding_scaled",
        "The embeddings are multiplied by the root of dim, as in the Transformer of 2017 and in "
        "Gemma. Llama takes them as they are.",
        "`x = self.tok_embeddings(ids)`",
        embed=lambda m, ids: m.tok_embeddings(ids) * math.sqrt(m.config.dim),
    ),
    flowing(
        "first_layer_only",
        "Only the first block is used.",
        lambda m, x, run: run(0, x),
    ),
    flowing(
        "last_layer_unused",
        "The last block is not used.",
        lambda m, x, run: _chain(range(len(m.layers) - 1), x, run),
    ),
    flowing(
        "only_the_last_counts",
        "Every block gets the embeddings; each goes on where the last one stopped: `x = layer(x)`.",
        lambda m, x, run: [run(i, x) for i in range(len(m.layers))][-1],
    ),
    flowing(
        "layers_reversed",
        "The blocks run in the opposite order.",
        lambda m, x, run: _chain(reversed(range(len(m.layers))), x, run),
    ),
    flowing(
        "layers_added",
        "What a block returns is added to x once more. The sums are inside of the block.",
        lambda m, x, run: _chain(range(len(m.layers)), x, lambda i, y: y + run(i, y)),
    ),
    flowing(
        "norm_between_layers",
        "The last norm is used after every block.",
        lambda m, x, run: _chain(range(len(m.layers)), x, lambda i, y: m.norm(run(i, y))),
        "Once, after the loop.",
    ),
    flowing(
        "layers_detached",
        "The stream is detached on its way, by `.detach()` or `.data`: nothing before that learns.",
        lambda m, x, run: _chain(range(len(m.layers)), x, lambda i, y: run(i, y.detach())),
        "No `.detach()`.",
    ),
    # the end
    ending(
        "last_norm_unused",
        "The last norm is not used.",
        lambda m, x: Llama.logits(m, x),
    ),
    ending(
        "hidden_states",
        "It returns the normed stream, (B, T, dim). Logits are (B, T, V).",
        lambda m, x: m.norm(x),
    ),
    ending(
        "softmax",
        "It returns probabilities. Logits are wanted, without softmax: the loss and the sampling "
        "take it themselves.",
        lambda m, x: _output(m, x).softmax(-1),
        END,
    ),
    ending(
        "log_softmax",
        "It returns log-probabilities. Logits are wanted: the loss takes the softmax itself.",
        lambda m, x: _output(m, x).log_softmax(-1),
        END,
    ),
    ending(
        "last_position",
        "Only the last position's logits come back, (B, V). Training needs all T.",
        lambda m, x: _output(m, x)[:, -1],
    ),
    ending(
        "last_position_kept",
        "Only the last position's logits come back, (B, 1, V). Training needs all T.",
        lambda m, x: _output(m, x)[:, -1:],
    ),
    ending(
        "last_position_in_eval",
        "In evaluation, after `.eval()`, only the last position's logits come back. All T are "
        "needed there, too: for the loss on held-out text.",
        lambda m, x: _output(m, x) if m.training else _output(m, x)[:, -1:],
    ),
    ending(
        "table_for_output",
        "The logits come from the embedding table though tie_embeddings is False; `output` is not "
        "used.",
        lambda m, x: m.norm(x) @ m.tok_embeddings.weight.T,
        END,
    ),
    ending(
        "tied_table_detached",
        "The table learns as an embedding but not as an output: it is detached there.",
        _detached_table,
        TIE,
    ),
    Mistake("no_gradient", _NoGradient, "It computes without gradients.", "No `torch.no_grad()`."),
    Mistake(
        "returns_caches", _ReturnsCaches, "It returns two things. The logits alone are wanted.", END
    ),
    # positions
    placed(
        "positions_from_zero",
        "The positions start at 0 in every call. With caches they go on where the caches end.",
        lambda p, start: p - start,
        "",
        "RobertCsordas/moeut#6, patrick-kidger/equinox#704",
    ),
    placed(
        "position_behind",
        "With caches the positions start one too early.",
        lambda p, start: p - 1 if start else p,
    ),
    placed(
        "position_ahead",
        "With caches the positions start one too late.",
        lambda p, start: p + 1 if start else p,
    ),
    placed(
        "last_position_for_all",
        "All new tokens get the position of the last.",
        lambda p, start: p[-1:].expand(len(p)),
    ),
    placed(
        "positions_from_one",
        "The first token stands at position 1. Only distances count, so the logits are the same; "
        "but the keys in the cache are not those of anybody else.",
        lambda p, start: p + 1,
    ),
    placed(
        "first_position_for_all",
        "All new tokens get the position of the first.",
        lambda p, start: p[:1].expand(len(p)),
    ),
    Mistake(
        "asks_inside_the_loop",
        _AsksInside,
        "It asks caches[0] for its length inside the loop, when the first layer has already moved "
        "it: all later layers turn by angles that are T positions too far.",
        START,
    ),
    Mistake(
        "counts_itself",
        _CountsItself,
        "It counts the positions in self. A second text begins where the first one ended.",
        START,
        "Lightning-AI/litgpt#1595",
    ),
    Mistake(
        "angles_by_length",
        _AnglesByLength,
        "It keeps the angles for each number of tokens. The next single token stands elsewhere.",
        START,
    ),
    Mistake(
        "angles_in_half",
        _AnglesInHalf,
        "Positions, frequencies or angles are rounded to the dtype of the weights. In bfloat16 "
        "1,001 becomes 1,000, and neighbours stand on one place.",
        "rope_angles returns float32. Leave it so.",
        "huggingface/transformers#29285, KellerJordan/modded-nanogpt#39",
    ),
    Mistake(
        "positions_on_cpu",
        _OnCpu,
        "The positions or frequencies are made on the CPU whatever the device of ids is.",
        "`torch.arange(…, device=ids.device)`, `frequencies.to(ids.device)`",
    ),
    # caches
    model(
        "caches_ignored",
        "The caches are not used: not for the positions, and not by the blocks.",
        LOOP,
        forward=lambda m, ids, caches=None: Llama.forward(m, ids),
    ),
    Mistake(
        "first_cache_for_all",
        _OneCache,
        "All layers write into the first cache, one behind the other.",
        LOOP,
    ),
    Mistake(
        "keeps_caches",
        _KeepsCaches,
        "Called without caches, it makes some and keeps them: the second text goes on with the "
        "first.",
        KEEP,
        "Lightning-AI/litgpt#1595, #1647",
    ),
    Mistake(
        "first_caches_for_good",
        _FirstCaches,
        "It keeps the first caches it was given and ignores later ones.",
        KEEP,
        "casper-hansen/AutoAWQ#178",
    ),
    Mistake(
        "same_caches_again",
        _SameCaches,
        "new_caches hands out the same caches a second time. Two texts would share them.",
        CACHES,
    ),
    caching(
        "one_cache_repeated",
        "new_caches returns one cache n_layers times, `[cache] * n`. Each layer needs its own.",
        lambda m, b, n: [_cache(m, b, n)] * len(m.layers),
    ),
    caching(
        "caches_of_all_heads",
        "The caches have n_heads heads. Keys and values have n_kv_heads.",
        _each(n_kv_heads=lambda m: m.config.n_heads),
    ),
    caching(
        "caches_in_float32",
        "The caches are float32 whatever the weights are: twice the memory, and two dtypes meet.",
        _each(dtype=lambda m: torch.float32),
    ),
    caching(
        "caches_on_cpu",
        "The caches lie on the CPU whatever the weights' device is.",
        _each(device=lambda m: None),
    ),
]
