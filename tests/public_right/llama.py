"""Lab 08: right answers in the ways of public code."""

import math

import torch
from torch import Tensor, nn

from solutions.my_llama import (
    DecoderBlock,
    GroupedQueryAttention,
    KVCache,
    LlamaConfig,
    RMSNorm,
    SwiGLU,
    rope_angles,
    rope_frequencies,
)


# DecoderBlock
class MetasBlock(nn.Module):
    """Meta's TransformerBlock: sizes as attributes, attention first in __init__, h and out."""

    def __init__(self, args: LlamaConfig) -> None:
        super().__init__()
        self.n_heads = args.n_heads
        self.dim = args.dim
        self.head_dim = args.dim // args.n_heads
        self.attention = GroupedQueryAttention(args.dim, args.n_heads, args.n_kv_heads)
        self.feed_forward = SwiGLU(dim=args.dim, hidden_dim=args.hidden_dim)
        self.attention_norm = RMSNorm(args.dim, eps=args.norm_eps)
        self.ffn_norm = RMSNorm(args.dim, eps=args.norm_eps)

    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        h = x + self.attention.forward(self.attention_norm(x), angles, cache)
        out = h + self.feed_forward.forward(self.ffn_norm(h))
        return out


class HuggingFacesBlock(nn.Module):
    """Hugging Face's LlamaDecoderLayer: residual kept aside, hidden_states overwritten."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.hidden_size = config.dim
        self.attention = GroupedQueryAttention(
            dim=config.dim, n_heads=config.n_heads, n_kv_heads=config.n_kv_heads
        )
        self.feed_forward = SwiGLU(config.dim, config.hidden_dim)
        self.attention_norm = RMSNorm(config.dim, eps=config.norm_eps)
        self.ffn_norm = RMSNorm(config.dim, eps=config.norm_eps)

    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        hidden_states = x
        residual = hidden_states
        hidden_states = self.attention_norm(hidden_states)
        hidden_states = self.attention(x=hidden_states, angles=angles, cache=cache)
        hidden_states = residual + hidden_states
        residual = hidden_states
        hidden_states = self.ffn_norm(hidden_states)
        hidden_states = self.feed_forward(hidden_states)
        hidden_states = residual + hidden_states
        return hidden_states


class LitGptsBlock(nn.Module):
    """lit-gpt's Block: attention's output before x in the sum, the config kept, a branch for parallel."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.parallel_residual = False
        self.attention_norm = RMSNorm(config.dim, config.norm_eps)
        self.attention = GroupedQueryAttention(config.dim, config.n_heads, config.n_kv_heads)
        self.ffn_norm = RMSNorm(config.dim, config.norm_eps)
        self.feed_forward = SwiGLU(config.dim, config.hidden_dim)

    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        x_normed = self.attention_norm(x)
        attention_output = self.attention(x_normed, angles, cache)
        if self.parallel_residual:
            return self.feed_forward(self.ffn_norm(x)) + attention_output + x
        x = attention_output + x
        return self.feed_forward(self.ffn_norm(x)) + x


class Llama2CsBlock(nn.Module):
    """llama2.c's: a dropout of 0 on what is added."""

    def __init__(self, args: LlamaConfig) -> None:
        super().__init__()
        self.attention = GroupedQueryAttention(args.dim, args.n_heads, args.n_kv_heads)
        self.feed_forward = SwiGLU(args.dim, args.hidden_dim)
        self.attention_norm = RMSNorm(args.dim, eps=args.norm_eps)
        self.ffn_norm = RMSNorm(args.dim, eps=args.norm_eps)
        self.resid_dropout = nn.Dropout(0.0)

    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        h = x + self.resid_dropout(self.attention(self.attention_norm(x), angles, cache))
        return h + self.resid_dropout(self.feed_forward(self.ffn_norm(h)))


# Llama
class Metas(nn.Module):
    """Meta's Transformer: a loop with append, angles of 2 · max_seq_len positions beforehand, float()."""

    def __init__(self, params: LlamaConfig) -> None:
        super().__init__()
        self.params = params
        self.vocab_size = params.vocab_size
        self.n_layers = params.n_layers
        self.tok_embeddings = nn.Embedding(params.vocab_size, params.dim)
        self.layers = torch.nn.ModuleList()
        for _layer_id in range(params.n_layers):
            self.layers.append(DecoderBlock(params))
        self.norm = RMSNorm(params.dim, eps=params.norm_eps)
        if not params.tie_embeddings:
            self.output = nn.Linear(params.dim, params.vocab_size, bias=False)
        self.freqs = rope_angles(
            torch.arange(params.max_seq_len * 2),
            rope_frequencies(params.dim // params.n_heads, params.rope_base),
        )

    def forward(self, tokens: Tensor, caches: list[KVCache] | None = None) -> Tensor:
        _bsz, seqlen = tokens.shape
        start_pos = 0 if caches is None else caches[0].length
        h = self.tok_embeddings(tokens)
        self.freqs = self.freqs.to(h.device)
        freqs = self.freqs[start_pos : start_pos + seqlen]
        for i, layer in enumerate(self.layers):
            h = layer(h, freqs, None if caches is None else caches[i])
        h = self.norm(h)
        if self.params.tie_embeddings:
            return (h @ self.tok_embeddings.weight.T).float()
        return self.output(h).float()

    def new_caches(self, batch: int, max_len: int) -> list[KVCache]:
        p, like = self.params, self.tok_embeddings.weight
        shape = (batch, p.n_kv_heads, max_len, p.dim // p.n_heads)
        return [
            KVCache(like.new_zeros(shape), like.new_zeros(shape), 0) for _ in range(self.n_layers)
        ]


class HuggingFaces(nn.Module):
    """Hugging Face's LlamaForCausalLM: cache_position, keyword arguments, logits in the weights' dtype."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.vocab_size = config.vocab_size
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim)
        self.layers = nn.ModuleList([DecoderBlock(config) for layer_idx in range(config.n_layers)])
        self.norm = RMSNorm(config.dim, eps=config.norm_eps)
        if not config.tie_embeddings:
            self.output = nn.Linear(config.dim, config.vocab_size, bias=False)

    def forward(self, ids: Tensor, caches: list[KVCache] | None = None) -> Tensor:
        inputs_embeds = self.tok_embeddings(ids)
        past_seen_tokens = caches[0].length if caches is not None else 0
        cache_position = torch.arange(
            past_seen_tokens, past_seen_tokens + inputs_embeds.shape[1], device=inputs_embeds.device
        )
        inv_freq = rope_frequencies(self.config.dim // self.config.n_heads, self.config.rope_base)
        position_embeddings = rope_angles(cache_position, inv_freq.to(inputs_embeds.device))
        hidden_states = inputs_embeds
        for index, decoder_layer in enumerate(self.layers[: self.config.n_layers]):
            hidden_states = decoder_layer(
                hidden_states, angles=position_embeddings, cache=caches[index] if caches else None
            )
        hidden_states = self.norm(hidden_states)
        if self.config.tie_embeddings:
            return nn.functional.linear(hidden_states, self.tok_embeddings.weight)
        return self.output(hidden_states)

    def new_caches(self, batch: int, max_len: int) -> list[KVCache]:
        head_dim = self.config.dim // self.config.n_heads
        parameter = next(self.parameters())
        caches = []
        for _ in range(self.config.n_layers):
            cache = KVCache.empty(
                batch=batch,
                n_kv_heads=self.config.n_kv_heads,
                max_len=max_len,
                head_dim=head_dim,
                dtype=parameter.dtype,
                device=parameter.device,
            )
            caches.append(cache)
        return caches


class Llama2Cs(nn.Module):
    """llama2.c's: one Parameter under two names when tied, normal init of 0.02, dropout of 0."""

    def __init__(self, params: LlamaConfig) -> None:
        super().__init__()
        self.params = params
        self.tok_embeddings = nn.Embedding(params.vocab_size, params.dim)
        self.dropout = nn.Dropout(0.0)
        self.layers = torch.nn.ModuleList()
        for _ in range(params.n_layers):
            self.layers.append(DecoderBlock(params))
        self.norm = RMSNorm(params.dim, eps=params.norm_eps)
        self.output = nn.Linear(params.dim, params.vocab_size, bias=False)
        if params.tie_embeddings:
            self.tok_embeddings.weight = self.output.weight
        self.apply(self._init_weights)
        for name, p in self.named_parameters():
            if name.endswith(("w_down.weight", "wo.weight")):
                torch.nn.init.normal_(p, mean=0.0, std=0.02 / math.sqrt(2 * params.n_layers))

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            torch.nn.init.normal_(module.weight, mean=0.0, std=0.02)

    def forward(self, tokens: Tensor, caches: list[KVCache] | None = None) -> Tensor:
        _, seqlen = tokens.shape
        start = caches[0].length if caches else 0
        freqs = rope_frequencies(self.params.dim // self.params.n_heads, self.params.rope_base)
        angles = torch.outer(torch.arange(start, start + seqlen).float(), freqs).to(tokens.device)
        h = self.dropout(self.tok_embeddings(tokens))
        for i, layer in enumerate(self.layers):
            h = layer(h, angles, caches[i] if caches else None)
        return self.output(self.norm(h))

    def new_caches(self, batch: int, max_len: int) -> list[KVCache]:
        p, w = self.params, self.output.weight
        head_dim = p.dim // p.n_heads
        return [
            KVCache.empty(batch, p.n_kv_heads, max_len, head_dim, w.dtype, w.device)
            for _ in self.layers
        ]


class LitGpts(nn.Module):
    """lit-gpt's GPT: a buffer for the angles that is not saved, ValueError for a text that is too long."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim)
        self.layers = nn.ModuleList(DecoderBlock(config) for _ in range(config.n_layers))
        self.norm = RMSNorm(config.dim, eps=config.norm_eps)
        if not config.tie_embeddings:
            self.output = nn.Linear(config.dim, config.vocab_size, bias=False)
        self.max_seq_length = config.max_seq_len

    def rope_cache(self, device: torch.device) -> Tensor:
        theta = rope_frequencies(self.config.dim // self.config.n_heads, self.config.rope_base)
        seq_idx = torch.arange(self.max_seq_length, device=device)
        return torch.outer(seq_idx, theta.to(device))

    def forward(self, idx: Tensor, caches: list[KVCache] | None = None) -> Tensor:
        T = idx.size(1)
        if self.max_seq_length < T:
            raise ValueError(
                f"Cannot forward sequence of length {T}, max is {self.max_seq_length}."
            )
        first = caches[0].length if caches else 0
        angles = self.rope_cache(idx.device).narrow(0, first, T)
        x = self.tok_embeddings(idx)
        for block_idx, block in enumerate(self.layers):
            x = block(x, angles, caches[block_idx] if caches else None)
        x = self.norm(x)
        return x @ self.tok_embeddings.weight.t() if self.config.tie_embeddings else self.output(x)

    def new_caches(self, batch: int, max_len: int) -> list[KVCache]:
        c, weight = self.config, self.norm.weight
        sizes = batch, c.n_kv_heads, max_len, c.dim // c.n_heads
        return [KVCache.empty(*sizes, weight.dtype, weight.device) for _ in range(c.n_layers)]


class Mlx(nn.Module):
    """mlx-lm's Model: caches of None filled in, zip, as_linear when tied."""

    def __init__(self, args: LlamaConfig) -> None:
        super().__init__()
        self.args = args
        self.vocab_size = args.vocab_size
        self.num_hidden_layers = args.n_layers
        assert self.vocab_size > 0
        self.tok_embeddings = nn.Embedding(args.vocab_size, args.dim)
        self.layers = nn.ModuleList([DecoderBlock(args) for _ in range(args.n_layers)])
        self.norm = RMSNorm(args.dim, eps=args.norm_eps)
        if not args.tie_embeddings:
            self.output = nn.Linear(args.dim, args.vocab_size, bias=False)

    def forward(self, inputs: Tensor, cache: list[KVCache] | None = None) -> Tensor:
        h = self.tok_embeddings(inputs)
        offset = 0
        if cache is None:
            cache = [None] * len(self.layers)
        else:
            offset = cache[0].length
        positions = offset + torch.arange(h.shape[1], device=h.device)
        freqs = rope_frequencies(self.args.dim // self.args.n_heads, base=self.args.rope_base)
        angles = rope_angles(positions, freqs.to(h.device))
        for layer, c in zip(self.layers, cache, strict=False):
            h = layer(h, angles, cache=c)
        out = self.norm(h)
        if self.args.tie_embeddings:
            return torch.einsum("btd,vd->btv", out, self.tok_embeddings.weight)
        return self.output(out)

    def new_caches(self, batch: int, max_len: int) -> list[KVCache]:
        weight = self.tok_embeddings.weight
        head_dim = self.args.dim // self.args.n_heads
        return [
            KVCache.empty(
                batch, self.args.n_kv_heads, max_len, head_dim, weight.dtype, weight.device
            )
            for _ in self.layers
        ]


# count_parameters
def matrix_by_matrix(config: LlamaConfig) -> int:
    """Kipply's and EleutherAI's way of counting: a line for each matrix."""
    d = config.dim // config.n_heads
    wq = config.dim * config.n_heads * d
    wk = config.dim * config.n_kv_heads * d
    wv = config.dim * config.n_kv_heads * d
    wo = config.n_heads * d * config.dim
    ffn = config.dim * config.hidden_dim * 3
    norms = 2 * config.dim
    layer = wq + wk + wv + wo + ffn + norms
    embedding = config.vocab_size * config.dim
    head = 0 if config.tie_embeddings else embedding
    return embedding + layer * config.n_layers + config.dim + head


def from_shapes(config: LlamaConfig) -> int:
    """From a table of shapes, as in the index of a safetensors file."""
    h, kv = config.dim, config.n_kv_heads * (config.dim // config.n_heads)
    shapes = [(config.vocab_size, h), (h,)]
    for _ in range(config.n_layers):
        shapes += [(h, h), (kv, h), (kv, h), (h, h), (h,), (h,)]
        shapes += [(config.hidden_dim, h), (config.hidden_dim, h), (h, config.hidden_dim)]
    if not config.tie_embeddings:
        shapes.append((config.vocab_size, h))
    return sum(math.prod(shape) for shape in shapes)


def nano_gpts_dictionary(config: LlamaConfig) -> int:
    """nanoGPT's transformer_sizing notebook: an ordered dictionary of parts, then their total."""
    out = {}
    out["attention/qo"] = 2 * config.dim**2
    out["attention/kv"] = 2 * config.dim**2 * config.n_kv_heads // config.n_heads
    out["mlp"] = 3 * config.dim * config.hidden_dim
    out["norms"] = 2 * config.dim
    out["block"] = sum(out.values())
    total = config.n_layers * out["block"] + config.dim
    return total + config.vocab_size * config.dim * (2 - int(config.tie_embeddings))


RIGHT = {
    "DecoderBlock": [MetasBlock, HuggingFacesBlock, LitGptsBlock, Llama2CsBlock],
    "Llama": [Metas, HuggingFaces, Llama2Cs, LitGpts, Mlx],
    "count_parameters": [matrix_by_matrix, from_shapes, nano_gpts_dictionary],
}
