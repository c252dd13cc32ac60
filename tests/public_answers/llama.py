"""Lab 08: mistakes that people made in public, rewritten as answers to its exercises."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from wrong_answers import Public

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
class Parts(nn.Module):
    """The parts of a block, as they should be; each answer below has a forward of its own."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.dim, config.norm_eps)
        self.attention = GroupedQueryAttention(config.dim, config.n_heads, config.n_kv_heads)
        self.ffn_norm = RMSNorm(config.dim, config.norm_eps)
        self.feed_forward = SwiGLU(config.dim, config.hidden_dim)


class NormedStream(Parts):
    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        norm_x = self.attention_norm(x)
        x = norm_x + self.attention(norm_x, angles, cache)
        norm_x = self.ffn_norm(x)
        return norm_x + self.feed_forward(norm_x)


class SharedNorm(nn.Module):
    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.dim, config.norm_eps)
        self.attention = GroupedQueryAttention(config.dim, config.n_heads, config.n_kv_heads)
        self.ffn_norm = RMSNorm(config.dim, config.norm_eps)
        self.feed_forward = SwiGLU(config.dim, config.hidden_dim)

    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        norm = self.attention_norm
        x = x + self.attention(norm(x), angles, cache)
        return x + self.feed_forward(norm(x))


class XPlusX(Parts):
    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        x = self.attention(self.attention_norm(x), angles, cache)
        x = x + x
        return self.feed_forward(self.ffn_norm(x)) + x


class ResidualFromTheInput(Parts):
    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        inputs = x
        output = inputs + self.attention(self.attention_norm(inputs), angles, cache)
        output = self.feed_forward(self.ffn_norm(output))
        return inputs + output


class ParallelResidual(Parts):
    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        attention = self.attention(self.attention_norm(x), angles, cache)
        mlp = self.feed_forward(self.ffn_norm(x))
        return x + attention + mlp


class RawAttentionIntoTheNextPart(Parts):
    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        y = self.attention(self.attention_norm(x), angles, cache)
        x = x + y
        return x + self.feed_forward(self.ffn_norm(y))


class NormInsideButNotOnTheResidual(Parts):
    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        h = x + self.attention(x, angles, cache)
        return self.ffn_norm(h + self.feed_forward(self.attention_norm(h)))


class TwoResiduals(Parts):
    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        x = x + self.attention(self.attention_norm(x), angles, cache)
        output = x + self.feed_forward(self.ffn_norm(x))  # in the feed-forward's own forward
        return output + x


class OneFeedForwardForAll(nn.Module):
    made: ClassVar[dict] = {}

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.dim, config.norm_eps)
        self.attention = GroupedQueryAttention(config.dim, config.n_heads, config.n_kv_heads)
        self.ffn_norm = RMSNorm(config.dim, config.norm_eps)
        sizes = config.dim, config.hidden_dim
        if sizes not in self.made:
            self.made[sizes] = SwiGLU(*sizes)
        self.feed_forward = self.made[sizes]

    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        x = x + self.attention(self.attention_norm(x), angles, cache)
        return x + self.feed_forward(self.ffn_norm(x))


class EpsOfLlama1(nn.Module):
    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.dim, eps=1e-6)
        self.attention = GroupedQueryAttention(config.dim, config.n_heads, config.n_kv_heads)
        self.ffn_norm = RMSNorm(config.dim, eps=1e-6)
        self.feed_forward = SwiGLU(config.dim, config.hidden_dim)

    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        h = x + self.attention(self.attention_norm(x), angles, cache)
        return h + self.feed_forward(self.ffn_norm(h))


class NormAfterTheResidual(Parts):
    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        res = x + self.attention(x, angles, cache)
        x = self.attention_norm(res)
        res = x + self.feed_forward(x)
        return self.ffn_norm(res)


# Llama
class Model(nn.Module):
    """A right model in small methods; each answer below replaces one of them."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim)
        self.layers = self.blocks(config)
        self.norm = RMSNorm(config.dim, config.norm_eps)
        self.head(config)

    def blocks(self, config: LlamaConfig):
        return nn.ModuleList([DecoderBlock(config) for _ in range(config.n_layers)])

    def head(self, config: LlamaConfig) -> None:
        if not config.tie_embeddings:
            self.output = nn.Linear(config.dim, config.vocab_size, bias=False)

    def start(self, caches: list[KVCache] | None) -> int:
        return caches[0].length if caches else 0

    def angles(self, ids: Tensor, start: int) -> Tensor:
        c = self.config
        positions = torch.arange(start, start + ids.shape[1], device=ids.device)
        frequencies = rope_frequencies(c.dim // c.n_heads, c.rope_base).to(ids.device)
        return rope_angles(positions, frequencies)

    def logits(self, x: Tensor) -> Tensor:
        weight = self.tok_embeddings.weight if self.config.tie_embeddings else self.output.weight
        return F.linear(self.norm(x), weight)

    def run(self, x: Tensor, angles: Tensor, caches: list) -> Tensor:
        for layer, cache in zip(self.layers, caches, strict=True):
            x = layer(x, angles, cache)
        return x

    def forward(self, ids: Tensor, caches: list[KVCache] | None = None) -> Tensor:
        angles = self.angles(ids, self.start(caches))
        x = self.run(self.tok_embeddings(ids), angles, caches or [None] * len(self.layers))
        return self.logits(x)

    def new_caches(self, batch: int, max_len: int) -> list[KVCache]:
        c, weight = self.config, self.tok_embeddings.weight
        return [
            KVCache.empty(
                batch, c.n_kv_heads, max_len, c.dim // c.n_heads, weight.dtype, weight.device
            )
            for _ in range(c.n_layers)
        ]


class EveryBlockReadsTheEmbedding(Model):
    def run(self, x: Tensor, angles: Tensor, caches: list) -> Tensor:
        embedding = x
        for i in range(self.config.n_layers):
            x = self.layers[i](embedding, angles, caches[i])
        return x


class OneBlockManyTimes(Model):
    def blocks(self, config: LlamaConfig):
        return nn.ModuleList([DecoderBlock(config)] * config.n_layers)


class BlocksThatTorchDoesNotSee(Model):
    def blocks(self, config: LlamaConfig):
        return [DecoderBlock(config) for _ in range(config.n_layers)]


class OneLessFromThreeOn(Model):
    def run(self, x: Tensor, angles: Tensor, caches: list) -> Tensor:
        x = self.layers[0](x, angles, caches[0])
        for i in range(1, len(self.layers) - 1):
            x = self.layers[i](x, angles, caches[i])
        if len(self.layers) == 2:
            x = self.layers[1](x, angles, caches[1])
        return x


class CopiedTable(Model):
    def head(self, config: LlamaConfig) -> None:
        self.output = nn.Linear(config.dim, config.vocab_size, bias=False)
        if config.tie_embeddings:
            self.output.weight = nn.Parameter(self.tok_embeddings.weight.clone().detach())

    def logits(self, x: Tensor) -> Tensor:
        return self.output(self.norm(x))


class TiedTheOtherWayAround(Model):
    def head(self, config: LlamaConfig) -> None:
        if config.tie_embeddings:
            self.output = nn.Linear(config.dim, config.vocab_size, bias=False)

    def logits(self, x: Tensor) -> Tensor:
        tied = not self.config.tie_embeddings
        return F.linear(self.norm(x), self.tok_embeddings.weight if tied else self.output.weight)


class HeadOfItsOwnAlways(Model):
    def head(self, config: LlamaConfig) -> None:
        self.output = nn.Linear(config.dim, config.vocab_size, bias=False)

    def logits(self, x: Tensor) -> Tensor:
        return self.output(self.norm(x))


class SoftmaxInTheModel(Model):
    def logits(self, x: Tensor) -> Tensor:
        return F.softmax(super().logits(x), dim=-1)


class EveryNewTokenAtZero(Model):
    def start(self, caches: list[KVCache] | None) -> int:
        return 0


class WholeWindowAtTheStart(Model):
    def angles(self, ids: Tensor, start: int) -> Tensor:
        c = self.config
        if start == 0:
            return super().angles(ids, start)
        positions = torch.full((ids.shape[1],), start, device=ids.device)
        return rope_angles(
            positions, rope_frequencies(c.dim // c.n_heads, c.rope_base).to(ids.device)
        )


class BaseOfLlama2(Model):
    def angles(self, ids: Tensor, start: int) -> Tensor:
        c = self.config
        positions = torch.arange(start, start + ids.shape[1], device=ids.device)
        return rope_angles(positions, rope_frequencies(c.dim // c.n_heads).to(ids.device))


class NoLastNorm(Model):
    def logits(self, x: Tensor) -> Tensor:
        weight = self.tok_embeddings.weight if self.config.tie_embeddings else self.output.weight
        return x @ weight.T


class NormedTwice(Model):
    def run(self, x: Tensor, angles: Tensor, caches: list) -> Tensor:
        return self.norm(super().run(x, angles, caches))


class CachesInFloat32(Model):
    def new_caches(self, batch: int, max_len: int) -> list[KVCache]:
        c = self.config
        return [
            KVCache.empty(
                batch, c.n_kv_heads, max_len, c.dim // c.n_heads, device=self.norm.weight.device
            )
            for _ in range(c.n_layers)
        ]


class CachesForAllQueryHeads(Model):
    def new_caches(self, batch: int, max_len: int) -> list[KVCache]:
        c, weight = self.config, self.tok_embeddings.weight
        return [
            KVCache.empty(
                batch, c.n_heads, max_len, c.dim // c.n_heads, weight.dtype, weight.device
            )
            for _ in range(c.n_layers)
        ]


class FrequenciesInABuffer(Model):
    def __init__(self, config: LlamaConfig) -> None:
        super().__init__(config)
        inv_freq = rope_frequencies(config.dim // config.n_heads, config.rope_base)
        self.register_buffer("inv_freq", inv_freq, persistent=False)  # .to(bfloat16) rounds it

    def angles(self, ids: Tensor, start: int) -> Tensor:
        positions = torch.arange(start, start + ids.shape[1], device=ids.device)
        return rope_angles(positions, self.inv_freq.float())


class FrequenciesInTheStateDict(Model):
    def __init__(self, config: LlamaConfig) -> None:
        super().__init__(config)
        self.register_buffer(
            "inv_freq", rope_frequencies(config.dim // config.n_heads, config.rope_base)
        )

    def angles(self, ids: Tensor, start: int) -> Tensor:
        c = self.config
        positions = torch.arange(start, start + ids.shape[1], device=ids.device)
        frequencies = rope_frequencies(c.dim // c.n_heads, c.rope_base).to(self.inv_freq.device)
        return rope_angles(positions, frequencies)


class PositionsOnTheCpu(Model):
    def angles(self, ids: Tensor, start: int) -> Tensor:
        c = self.config
        positions = torch.arange(start, start + ids.shape[1])
        frequencies = rope_frequencies(c.dim // c.n_heads, c.rope_base).to(ids.device)
        return rope_angles(positions, frequencies)


# count_parameters
def four_square_matrices(config: LlamaConfig) -> int:
    h, f = config.dim, config.hidden_dim
    return config.n_layers * (4 * h * h + 3 * h * f) + config.vocab_size * h


def two_matrices_and_a_fudge(config: LlamaConfig) -> int:
    h, f = config.dim, config.hidden_dim
    per_layer = int((4 * h * h + 2 * h * f) * 1.5)
    return config.n_layers * per_layer + config.vocab_size * h


def tied_is_assumed(config: LlamaConfig) -> int:
    h, kv = config.dim, config.n_kv_heads * config.dim // config.n_heads
    per_layer = 2 * h * h + 2 * h * kv + 3 * h * config.hidden_dim + 2 * h
    return config.n_layers * per_layer + config.vocab_size * h + h


def table_subtracted_again(config: LlamaConfig) -> int:
    h, kv = config.dim, config.n_kv_heads * config.dim // config.n_heads
    per_layer = 2 * h * h + 2 * h * kv + 3 * h * config.hidden_dim + 2 * h
    tables = (1 if config.tie_embeddings else 2) * config.vocab_size * h
    if config.tie_embeddings:
        tables -= config.vocab_size * h
    return config.n_layers * per_layer + tables + h


def no_query_groups(config: LlamaConfig) -> int:
    h = config.dim
    head_size = h // config.n_heads
    qkv = 3 * h * head_size * config.n_heads
    per_layer = qkv + h * h + 3 * h * config.hidden_dim + 2 * h
    tables = (1 if config.tie_embeddings else 2) * config.vocab_size * h
    return config.n_layers * per_layer + tables + h


def a_square_matrix_for_each_head(config: LlamaConfig) -> int:
    h = config.dim
    attention = h * h * config.n_heads + 2 * h * h * config.n_kv_heads + h * h
    per_layer = attention + 3 * h * config.hidden_dim + 2 * h
    tables = (1 if config.tie_embeddings else 2) * config.vocab_size * h
    return config.n_layers * per_layer + tables + h


PUBLIC = {
    "DecoderBlock": [
        Public(
            NormedStream,
            "Howuhh/faster-trajectory-transformer#3",
            "the normed vector is added to, not the stream",
            named=("residual_from_normed",),
        ),
        Public(
            SharedNorm,
            "allenai/OLMo#222",
            "the first norm serves both parts",
            named=("attention_norm_twice",),
        ),
        Public(
            XPlusX,
            "kyegomez/BitNet#32",
            "attention is added to itself, x + x, and the stream is lost",
            named=("attention_added_to_itself",),
        ),
        Public(
            ResidualFromTheInput,
            "strutive07/transformer-tensorflow2.0#14",
            "SwiGLU is added to the block's input, so attention's share is lost",
            named=("second_residual_from_x",),
        ),
        Public(
            ParallelResidual,
            "deepspeedai/DeepSpeed#2446",
            "both parts read the input: parallel",
            named=("parallel",),
        ),
        Public(
            RawAttentionIntoTheNextPart,
            "ml-explore/mlx#3382",
            "SwiGLU reads what attention gave, not the stream",
            named=("feed_forward_of_attention",),
        ),
        Public(
            NormInsideButNotOnTheResidual,
            "facebookresearch/multimodal#317",
            "attention reads without a norm; its norm stands before SwiGLU, and SwiGLU's after the sum",
            named=("norms_one_place_late",),
        ),
        Public(
            TwoResiduals,
            "nlpyang/hiersumm#28",
            "the stream is added twice around SwiGLU",
            named=("stream_added_twice",),
        ),
        Public(
            OneFeedForwardForAll,
            "habla-liaa/encodecmae#3",
            "all blocks share one SwiGLU",
            named=("feed_forward_shared",),
        ),
        Public(
            EpsOfLlama1,
            "huggingface/candle#271",
            "eps 1e-6 is written in, config.norm_eps ignored",
            named=("eps_1e_6",),
        ),
        Public(
            NormAfterTheResidual,
            "keras-team/keras-io#2144",
            "post-norm: both norms after the sum",
            named=("post_norm",),
        ),
    ],
    "Llama": [
        Public(
            EveryBlockReadsTheEmbedding,
            "Atcold/NYU-DLSP20#270",
            "every block reads the embedding, only the last one counts",
            named=("only_the_last_counts",),
        ),
        Public(
            OneBlockManyTimes,
            "zalandoresearch/pytorch-vq-vae#2",
            "one block, n_layers times",
            named=("layers_shared",),
        ),
        Public(
            BlocksThatTorchDoesNotSee,
            "maruya24/pytorch_robotics_transformer#3",
            "blocks in a plain list",
            named=("layers_in_a_list",),
        ),
        Public(
            OneLessFromThreeOn,
            "LukasHedegaard/continual-inference#70",
            "with three blocks or more the last one is left out",
            named=("last_layer_unused",),
        ),
        Public(
            CopiedTable,
            "rasbt/LLMs-from-scratch#822",
            "tied by a copy: a second matrix",
            named=("tied_by_copy",),
        ),
        Public(
            TiedTheOtherWayAround,
            "huggingface/candle#2930",
            "tie_embeddings means the opposite",
            named=("tie_upside_down",),
        ),
        Public(
            HeadOfItsOwnAlways,
            "tinygrad/tinygrad#13796",
            "tie_embeddings is ignored: always an output of its own",
            named=("not_tied",),
        ),
        Public(
            SoftmaxInTheModel,
            "bkitano/llama-from-scratch#5",
            "softmax at the end: probabilities, not logits",
            named=("softmax",),
        ),
        Public(
            EveryNewTokenAtZero,
            "Blaizzy/mlx-vlm#1993",
            "positions start at 0 also with caches",
            named=("positions_from_zero",),
        ),
        Public(
            WholeWindowAtTheStart,
            "jundot/omlx#2363",
            "several new tokens after a cache all get the first one's position",
            named=("first_position_for_all",),
        ),
        Public(
            BaseOfLlama2,
            "huggingface/nanotron#173",
            "rope_base is ignored: 10,000",
            named=("defaults_of_rope",),
        ),
        Public(
            NoLastNorm, "vllm-project/speculators#313", "no last norm", named=("last_norm_unused",)
        ),
        Public(
            NormedTwice,
            "Helsinki-NLP/mammoth#3",
            "the last norm is applied twice",
            named=("last_norm_twice",),
        ),
        Public(
            CachesInFloat32,
            "meta-pytorch/torchtune#398",
            "caches in float32 whatever the weights are",
            named=("caches_in_float32",),
        ),
        Public(
            CachesForAllQueryHeads,
            "tinygrad/tinygrad#2267",
            "caches with as many heads as the queries",
            named=("caches_of_all_heads",),
        ),
        Public(
            FrequenciesInABuffer,
            "NVIDIA-NeMo/Automodel#2549",
            "the frequencies are a buffer, which .to(bfloat16) rounds",
            named=("angles_in_half",),
        ),
        Public(
            FrequenciesInTheStateDict,
            "aws-neuron/neuronx-nemo-megatron#21",
            "the frequencies are saved with the weights: a key that no file of Llama 3 has",
            named=("buffer_saved",),
        ),
        Public(
            PositionsOnTheCpu,
            "huggingface/transformers#43369",
            "the positions are made on the CPU",
            named=("positions_on_cpu",),
        ),
    ],
    "count_parameters": [
        Public(
            four_square_matrices,
            "meta-llama/llama#1111",
            "kv heads are ignored, one table, no norms",
            named=("rule_of_thumb",),
        ),
        Public(
            two_matrices_and_a_fudge,
            "jranaraki/vllm-fit#8",
            "two matrices in SwiGLU, kv heads ignored, one table, no norms, and a factor of 1.5",
            named=("fudge_factor",),
        ),
        Public(
            tied_is_assumed,
            "jranaraki/vllm-fit#27",
            "always one table",
            named=("always_one_table",),
        ),
        Public(
            table_subtracted_again,
            "pytorch/torchtitan#3225",
            "a tied table is not counted at all",
            named=("tied_table_not_counted",),
        ),
        Public(no_query_groups, "whittle-org/whittle#123", "kv heads are ignored", named=("mha",)),
        Public(
            a_square_matrix_for_each_head,
            "Infrasys-AI/AIInfra#376",
            "each head is given a matrix dim × dim of its own",
            named=("matrix_for_each_head",),
        ),
    ],
}
