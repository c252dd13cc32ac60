# %% [markdown]
# # 08 · Llama
#
# A norm, rotated queries and keys, grouped heads, a cache, a gate: you have written all the pieces, and none of them has ever seen another one. In this lab
# they become a model. It takes about fifty lines. The question is then whether it is *the* model, the one that the rest of the world calls Llama, and that is settled by
# numbers: the same weights have to give the same logits as in Hugging Face's library, to four digits.

# %% id="setup"
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# %% id="imports"
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from my_llama import (
    GroupedQueryAttention,
    KVCache,
    RMSNorm,
    SwiGLU,
    generate_greedy_cached,
    rope_angles,
    rope_frequencies,
)
from torch import Tensor, nn

from checks import llama as check
from plots import llama as plot
from plots.show import show

# %% [markdown]
# ## 8.0 The problem: four in a row are silent
#
# The simplest way to put layers together is one after the other: what attention gives goes into SwiGLU, what SwiGLU gives goes into the next attention.
# The cell does that with new layers of yours, and prints how large the numbers are that come out (their root mean square). What goes in has size 1.
#
# **Predict.** What comes out of four such pairs: numbers of about 1, of about 1/100, or nothing at all?


# %% id="in-a-row"
def in_a_row(n_pairs: int) -> float:
    torch.manual_seed(0)
    angles = rope_angles(torch.arange(8), rope_frequencies(8))
    x = torch.randn(1, 8, 64)
    for _ in range(n_pairs):
        x = GroupedQueryAttention(64, 8, 2)(x, angles)
        x = SwiGLU(64, 176)(x)
    return x.square().mean().sqrt().item()


show("one pair   ", lambda: f"{in_a_row(1):.2g}")
show("two pairs  ", lambda: f"{in_a_row(2):.2g}")
show("three pairs", lambda: f"{in_a_row(3):.2g}")
show("four pairs ", lambda: f"{in_a_row(4):.2g}")

# %% [markdown]
# <details><summary>Answer</summary>
#
# Nothing at all: 0, exactly. Attention averages, so its output is smaller than its input. And SwiGLU multiplies two numbers that both come from its input:
# half the input gives about a quarter of the output. Small becomes smaller, until float32 has no number for it.
#
# </details>
#
# Llama 3 8B has 32 such pairs. Two ideas make that possible, and a block of Llama is these two ideas.
#
# **Residual connections** (He and others, [1512.03385](https://arxiv.org/abs/1512.03385)). A part does not replace its input. What it found is *added* to it:
#
# $$x \leftarrow x + \mathrm{part}(x)$$
#
# So the vectors x run through the whole model, from the embedding to the output, and the parts read from them and write to them. Think of it as a stream, the **residual stream**: a part
# with nothing to say adds zero, and the stream flows on as it was.
#
# **Pre-norm.** A part reads the stream through an RMSNorm, so it sees numbers of one size however large the stream has become. The
# Transformer of 2017 normed after the sum, norm(x + part(x)): the stream itself. GPT-2 moved the norm to the front, and Llama does as it does. Xiong and others
# ([2002.04745](https://arxiv.org/abs/2002.04745)) showed why: with the norm after the sum, the gradients near the output are large at the start, and training breaks unless it is begun very slowly.

# %% [markdown]
# ## 8.1 The block
#
# With h for what lies between the two parts, a block computes
#
# $$h = x + \mathrm{attention}(\mathrm{norm}_1(x)), \qquad \mathrm{out} = h + \mathrm{SwiGLU}(\mathrm{norm}_2(h))$$
#
# Each norm has a weight of its own. The sizes come from a `LlamaConfig`, which is given: run the next cell and leave it as it is. It goes into your `my_llama` too.


# %%
# GIVEN · LlamaConfig
@dataclass
class LlamaConfig:
    """The sizes of a Llama; the defaults are those of Llama 3 8B (2407.21783, table 3).

    A head has dim / n_heads features. hidden_dim: F of SwiGLU, the final number. max_seq_len: the
    longest text it was trained on; no weight depends on it. tie_embeddings: the output projection
    is the embedding table itself.

    >>> LlamaConfig(dim=96, n_heads=4).n_kv_heads
    8
    """

    dim: int = 4096
    n_layers: int = 32
    n_heads: int = 32
    n_kv_heads: int = 8
    vocab_size: int = 128_256
    hidden_dim: int = 14_336
    max_seq_len: int = 8192
    norm_eps: float = 1e-5
    rope_base: float = 500_000.0
    tie_embeddings: bool = False


# %% [markdown]
# **Predict.** Suppose all weights of wo and of w_down are zero, so that attention and SwiGLU both give zero. What comes out of the block: zeros, norm(x), or x?


# %%
# EXERCISE 8.1 · DecoderBlock
class DecoderBlock(nn.Module):
    """Attention, then SwiGLU: each reads a normed copy of the stream, and is added to the stream.

    Its parts are `attention_norm` (RMSNorm), `attention` (GroupedQueryAttention), `ffn_norm`
    (RMSNorm) and `feed_forward` (SwiGLU). Both norms have config.norm_eps.

    >>> block = DecoderBlock(LlamaConfig(dim=2, n_heads=1, n_kv_heads=1, hidden_dim=3, norm_eps=0.0))
    >>> for weight in block.attention.parameters():
    ...     _ = nn.init.eye_(weight)   # attention gives back what it is given
    >>> _ = nn.init.zeros_(block.feed_forward.w_down.weight)   # SwiGLU gives nothing
    >>> block(torch.tensor([[[1.0, 7.0]]]), torch.zeros(1, 1)).detach()   # x + x / 5
    tensor([[[1.2000, 8.4000]]])
    """

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.attention_norm = RMSNorm(config.dim, config.norm_eps)
        self.attention = GroupedQueryAttention(config.dim, config.n_heads, config.n_kv_heads)
        self.ffn_norm = RMSNorm(config.dim, config.norm_eps)
        self.feed_forward = SwiGLU(config.dim, config.hidden_dim)
        ### END SOLUTION

    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        """x: (B, T, dim), angles: (T, d/2) of these T positions → (B, T, dim).

        The cache, if there is one, is attention's.
        """
        ### BEGIN SOLUTION
        x = x + self.attention(self.attention_norm(x), angles, cache)
        return x + self.feed_forward(self.ffn_norm(x))
        ### END SOLUTION


# %%
check.DecoderBlock(DecoderBlock)

# %% [markdown]
# <details><summary>Answer</summary>
#
# x, exactly. If a block of yours gives norm(x) there, the normed vector got the name x, and the stream was lost: `x = norm(x)`, `x = x + attention(x)`. Such a model
# trains, only worse, so people notice late
# ([faster-trajectory-transformer#3](https://github.com/Howuhh/faster-trajectory-transformer/issues/3), [OLMo#680](https://github.com/allenai/OLMo/issues/680)).
#
# </details>
#
# The four pairs from above, now as blocks:


# %% id="blocks-in-a-row"
def blocks_in_a_row(n_blocks: int) -> float:
    torch.manual_seed(0)
    config = LlamaConfig(dim=64, n_heads=8, n_kv_heads=2, hidden_dim=176)
    angles = rope_angles(torch.arange(8), rope_frequencies(8))
    x = torch.randn(1, 8, 64)
    for _ in range(n_blocks):
        x = DecoderBlock(config)(x, angles)
    return x.square().mean().sqrt().item()


show(" 4 blocks", lambda: f"{blocks_in_a_row(4):.3f}")
show("32 blocks", lambda: f"{blocks_in_a_row(32):.3f}")

# %% [markdown]
# ## 8.2 The model
#
# What is left is the beginning, the end, and the bookkeeping between them:
#
# 1. `tok_embeddings`, an `nn.Embedding`: lab 01's table, one row for each token.
# 2. The angles of the T positions. They are the same for all layers, so they are made once. The first of the T tokens stands at position 0, or, with caches, behind those that are in them.
# 3. `layers`, n_layers blocks. Each has a cache of its own: another layer has other keys.
# 4. `norm`, once more: the stream has only been added to, and by now can have any size.
# 5. `output`, a linear map without bias from dim to V: one **logit** for each token of the vocabulary. No softmax; lab 09's loss and lab 10's sampling take it
#    themselves.
#
# In small models the last step needs no weights of its own. Row v of the table says what token v looks like at the entrance; the logit of v is the dot product of the stream with that same row. This is
# **weight tying** (Press and Wolf, [1608.05859](https://arxiv.org/abs/1608.05859)). Llama 3.2 1B is tied, Llama 3 8B is not. Tied means *one* matrix: a copy is equal at the
# start and another matrix after one step of training.
#
# **Predict.** The caches hold 30 tokens already, and the model is called with the next two. At which positions do they stand: 0 and 1, 29 and 30, 30 and 31, or 31 and 32?


# %%
# EXERCISE 8.2 · Llama
class Llama(nn.Module):
    """Token ids to logits: embedding, n_layers blocks, a last norm, the output projection.

    Its parts are `tok_embeddings`, `layers`, `norm` and, unless config.tie_embeddings, `output`.

    >>> small = {"dim": 2, "n_heads": 1, "n_kv_heads": 1, "hidden_dim": 2, "norm_eps": 0.0}
    >>> model = Llama(LlamaConfig(**small, n_layers=1, vocab_size=3, tie_embeddings=True))
    >>> for weight in model.layers.parameters():
    ...     _ = nn.init.zeros_(weight)   # a block that adds nothing
    >>> model.tok_embeddings.weight.data = torch.tensor([[1.0, 7], [0, 5], [5, -5]])
    >>> model(torch.tensor([[0]])).detach()   # (1, 7) / 5 times each row of the table
    tensor([[[10.,  7., -6.]]])
    """

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        ### BEGIN SOLUTION raise NotImplementedError("Exercise 8.2: Llama.__init__")
        self.config = config
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim)
        self.layers = nn.ModuleList(DecoderBlock(config) for _ in range(config.n_layers))
        self.norm = RMSNorm(config.dim, config.norm_eps)
        if not config.tie_embeddings:
            self.output = nn.Linear(config.dim, config.vocab_size, bias=False)
        ### END SOLUTION

    def forward(self, ids: Tensor, caches: list[KVCache] | None = None) -> Tensor:
        """ids: (B, T) → logits (B, T, V).

        With caches, one for each layer, the T positions follow those in them.
        """
        ### BEGIN SOLUTION raise NotImplementedError("Exercise 8.2: Llama.forward")
        config = self.config
        start = caches[0].length if caches else 0
        positions = torch.arange(start, start + ids.shape[1], device=ids.device)
        frequencies = rope_frequencies(config.dim // config.n_heads, config.rope_base)
        angles = rope_angles(positions, frequencies.to(ids.device))  # (T, d/2)

        x = self.tok_embeddings(ids)  # (B, T, dim)
        for layer, cache in zip(self.layers, caches or [None] * config.n_layers, strict=True):
            x = layer(x, angles, cache)
        table = self.tok_embeddings if config.tie_embeddings else self.output
        return F.linear(self.norm(x), table.weight)  # (B, T, V)
        ### END SOLUTION

    def new_caches(self, batch: int, max_len: int) -> list[KVCache]:
        """Make an empty cache for each layer, in the dtype and on the device of the weights."""
        ### BEGIN SOLUTION raise NotImplementedError("Exercise 8.2: Llama.new_caches")
        config, weight = self.config, self.tok_embeddings.weight
        sizes = (batch, config.n_kv_heads, max_len, config.dim // config.n_heads)
        return [KVCache.empty(*sizes, weight.dtype, weight.device) for _ in self.layers]
        ### END SOLUTION


# %%
check.Llama(Llama)

# %% [markdown]
# <details><summary>Answer</summary>
#
# 30 and 31: the cache holds positions 0 to 29, and its `length` is the first position that is free. All caches are equally long, so any of them can be asked, but *before* the loop: the first layer's
# `update` moves it.
#
# </details>
#
# What you have built, as one picture. The shapes and the numbers of weights are those of your own modules, for a text of five tokens. Let it play: the pink line is the stream as far as it has come.

# %%
plot.architecture(Llama, LlamaConfig)

# %% [markdown]
# Compare it with the map in [lab 00](00_start_here.ipynb). Every frame on it is now code of yours, but for the last, which chooses a token.
#
# ### Is it Llama?
#
# Two rows of the check were called "the logits of Hugging Face's Llama". Two small models with random weights lie in `assets/`, with the logits that `LlamaForCausalLM` gives for them. They are the same as yours, or
# the check would have failed, and have said where: not only the logits are stored but what every module put out. So whenever a model "does not work", it can be asked which part is the first to depart. The picture does
# that with your model, and spoils it a little first, if you like.
#
# One spoiler is the most frequent one of all. Hugging Face stores wq and wk for the other layout of RoPE (lab 03, `apply_rope_half`): the same rows in another order.
#
# **Predict.** Somebody loads them into your model as they are. Which positions get wrong logits: every one, every one but the first, or only those far back in the text, since small angles hardly turn?

# %% id="plot-8-2-departures"
plot.departures(Llama, LlamaConfig)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Every one but the first. The token at position 0 has nothing to choose from: it sees one key, itself, with weight 1, whatever the query says. So nothing in wq, wk or RoPE can be wrong there, and a test that looks at the first token only finds
# nothing ([TinyLlama#24](https://github.com/jzhang38/TinyLlama/issues/24), [LLMs-from-scratch#747](https://github.com/rasbt/LLMs-from-scratch/pull/747)). In this small model every later position departs at once. With a real
# model's slow frequencies the first words can look well and the text then goes astray.
#
# </details>
#
# Read the other pictures in the same way: a false `norm_eps` shows in the first norm, a false `rope_base` in the first attention and at position 1, one changed number in the module that holds it. What
# departs first has the fault; all that follows only inherits it.

# %% [markdown]
# ### The stream
#
# Below, one line of Shakespeare goes through your `Llama`, with three sets of weights: new ones, new ones with a table of small numbers, and those of a small model that has learned to write like Shakespeare (lab 09 is about how). The line is
# the size of the stream after every sum, the bars are what each part added.
#
# **Predict.** Look at "trained". When the stream leaves the last block, is it about as long as at the beginning, about three times, or more than ten times as long?

# %% id="plot-8-2-stream"
plot.stream(Llama, LlamaConfig)

# %% [markdown]
# <details><summary>Answer</summary>
#
# More than ten times: from 0.12 to 4.7 at position 3. Nothing ever makes it shorter, except a part that writes the opposite of what is there. That is why the last norm is needed, and why the parts need
# theirs: the same vector would be ten times as loud to the last block as to the first.
#
# </details>
#
# With new weights and a table of size 1, the parts whisper beside the embedding: after twelve blocks, what comes out is still mostly the token that went in. With a small table they drown it within one or two blocks. Keep that in mind for 8.4.
#
# And the caches? One text, whole and in pieces; the difference should be rounding only.


# %% id="pieces-or-whole"
def pieces_or_whole() -> float:
    torch.manual_seed(0)
    sizes = {"dim": 64, "n_layers": 4, "n_heads": 8, "n_kv_heads": 2, "hidden_dim": 176}
    model = Llama(LlamaConfig(**sizes, vocab_size=100))
    ids = torch.randint(100, (1, 20))
    caches = model.new_caches(batch=1, max_len=20)
    pieces = [model(piece, caches) for piece in ids.split([13, 1, 1, 5], dim=1)]
    return (torch.cat(pieces, dim=1) - model(ids)).abs().max().item()


show("largest difference between pieces and whole", lambda: f"{pieces_or_whole():.0e}")

# %% [markdown]
# ## 8.3 How many parameters?
#
# "8B" is a name. The number can be computed from the sizes alone, without building anything: go through your own `__init__`, matrix by matrix. d is dim / n_heads.
#
# | part | weights | how often |
# |---|---|---|
# | wq, wo | dim × dim each | in every block |
# | wk, wv | ? | in every block |
# | w_gate, w_up, w_down | ? | in every block |
# | norms | ? | two in every block, and one |
# | tables | vocab_size × dim | once or twice |
#
# **Predict.** A tiny model, stories15M, has 15 million parameters, is 288 wide and knows 32,000 tokens. Which share of its parameters is the table: about 6 %, 30 %, or 60 %?


# %%
# EXERCISE 8.3 · count_parameters
def count_parameters(config: LlamaConfig) -> int:
    """How many numbers a Llama of these sizes learns, without building it.

    A tied table counts once. RoPE learns nothing.

    >>> small = {"dim": 2, "n_layers": 1, "n_heads": 1, "n_kv_heads": 1, "hidden_dim": 4}
    >>> count_parameters(LlamaConfig(**small, vocab_size=3))   # 16 + 24 + 2·2 + 2·6 + 2
    58
    >>> count_parameters(LlamaConfig())   # Llama 3 8B
    8030261248
    """
    ### BEGIN SOLUTION
    head_dim = config.dim // config.n_heads
    attention = 2 * config.dim * head_dim * (config.n_heads + config.n_kv_heads)
    feed_forward = 3 * config.dim * config.hidden_dim
    block = attention + feed_forward + 2 * config.dim
    tables = 1 if config.tie_embeddings else 2
    return config.n_layers * block + tables * config.vocab_size * config.dim + config.dim
    ### END SOLUTION


# %%
check.count_parameters(count_parameters)

# %%
plot.sizes(count_parameters, LlamaConfig)

# %% [markdown]
# <details><summary>Answer</summary>
#
# 61 %. The table grows with dim, the blocks with the square of dim, and there are more of them in a large model. At 405 billion the two tables have 1 % together. That is why small models are tied and
# large ones need not be: in Llama 3.2 1B a second table would be 263 million numbers more, a fifth of the model.
#
# </details>
#
# From 8B on the mix hardly changes: about 17 % attention, the rest SwiGLU. Is that also where the time goes? The next cell runs a model of yours, in the proportions of Llama 3.2 1B but narrower, and clocks its modules.
#
# **Predict.** 1,024 tokens instead of 128, eight times as many. Does it take eight times as long, or more? And which part gains?

# %% id="measure-shares"
plot.shares(Llama, LlamaConfig)

# %% [markdown]
# <details><summary>Answer</summary>
#
# More: when this lab was written, about twenty times. SwiGLU, norms and output do the same for each token, eight times as much for eight times as many. In attention every token meets every earlier one: 64 times as many scores. With a
# tenth of the weights it took a quarter of the time at 128 tokens and three quarters at 1,024. (Kernels for long texts keep the scores out of memory, but compute them all the same.)
#
# </details>

# %% [markdown]
# ## 8.4 It says nothing
#
# The model is complete. Let it write. Below, three new models read the beginning of a sonnet with 35 different characters, and go on from "Shall I com" with your `generate_greedy_cached`. The **loss** is the mean of −ln p, where p is the
# probability that the model gave to the character that really came next.
#
# **Predict.** Whoever knows nothing gives every character 1/35, and so has a loss of ln 35 = 3.56. A new model knows nothing, either. What is the loss of the *tied* one: about 3.6, about 7, or more than 50?

# %% id="measure-noise"
plot.noise(Llama, LlamaConfig, generate_greedy_cached)

# %% [markdown]
# <details><summary>Answer</summary>
#
# More than 50. The untied model has no opinion: its loss is ln V and a little, since its random logits are not quite equal. The tied model has one, and is sure of it: the next character is the one that it has just read. Its stream is
# still the row of the table that came in (you saw it: the parts whisper), and the product of a row with itself is far larger than with any other row: the sum of 96 squares. So it is certain, and nearly always wrong. That is worse than
# knowing nothing.
#
# </details>
#
# `nn.Embedding` starts with numbers of size 1. Hugging Face's `LlamaConfig` has 0.02 (`initializer_range`) for all matrices. The third model has a table of size 0.02, and is back at ln V, where a model that knows nothing belongs. Remember it
# for the first line of a training run: **a loss that starts far above ln V is a mistake in the model, not a lack of training.**

# %% [markdown]
# ## 8.5 Where it lives in Llama 3
#
# | | Llama 3.2 1B | Llama 3 8B | Llama 3 70B | Llama 3.1 405B |
# |---|---|---|---|---|
# | dim | 2,048 | 4,096 | 8,192 | 16,384 |
# | n_layers | 16 | 32 | 80 | 126 |
# | n_heads, n_kv_heads | 32, 8 | 32, 8 | 64, 8 | 128, 8 |
# | hidden_dim | 8,192 | 14,336 | 28,672 | 53,248 |
# | vocab_size | 128,256 | 128,256 | 128,256 | 128,256 |
# | tie_embeddings | yes | no | no | no |
# | parameters | 1,235,814,400 | 8,030,261,248 | 70,553,706,496 | 405,853,388,800 |
#
# These are all the differences ([2407.21783](https://arxiv.org/abs/2407.21783), table 3, with the hidden sizes that the weights have, see lab 07; 1B from its own config), and your class builds each of them. From Llama 3.1 on, the RoPE frequencies are scaled as well, for longer texts: lab 13.
#
# The same parts in three places:
#
# | yours, and Meta's | Hugging Face's |
# |---|---|
# | `tok_embeddings` | `model.embed_tokens` |
# | `layers[i].attention_norm` | `model.layers[i].input_layernorm` |
# | `layers[i].attention` (`wq`, `wk`, `wv`, `wo`) | `model.layers[i].self_attn` (`q_proj`, `k_proj`, `v_proj`, `o_proj`) |
# | `layers[i].ffn_norm` | `model.layers[i].post_attention_layernorm`: the name tells where it stands, it is a pre-norm all the same |
# | `layers[i].feed_forward` (`w_gate`, `w_up`, `w_down`; Meta: `w1`, `w3`, `w2`) | `model.layers[i].mlp` (`gate_proj`, `up_proj`, `down_proj`) |
# | `norm`, `output` | `model.norm`, `lm_head` |
#
# Meta's [model.py](https://github.com/meta-llama/llama3/blob/main/llama/model.py) is as short as yours. It keeps the cache inside of the attention module, which makes a model that can read only one batch of texts at a time, and is told the start position from outside.

# %% [markdown]
# ## What you built
#
# `DecoderBlock`, `Llama` and `count_parameters`: the model, complete, and the same as everyone else's to four digits. Three questions to think about:
#
# 1. You multiply the embedding table of an untied model by 1,000 and leave all else. What happens to the logits?
# 2. Two blocks of a trained model change places. Why is that less of a disaster than it would be in a network without residual connections?
# 3. A block of Llama 3 8B has 218,112,000 parameters. How many blocks would a model of one trillion have, at the same width?
#
# <details><summary>Answers</summary>
#
# 1. The first block's parts read a normed stream, so they add what they added before (up to eps), but now to a stream a thousand times as long: nearly nothing. Every later norm sees almost the embedding
# alone. The logits are those of a model without blocks. 2. A block adds a little to what is there; to the next block the stream looks much as it did. Veit and others
# ([1605.06431](https://arxiv.org/abs/1605.06431)) found that residual networks for images survive it when a block is taken out or two are swapped, and that networks without residuals do not. 3. About 4,580. Real models
# become wider, too: 405B has 126 blocks of 3.2 billion.
#
# </details>
#
# Your model is Llama, and it says "mmmmm", or noise. 8 billion numbers are in their places, and all of them are random. What is missing is not architecture any more: a loss that tells how wrong it is, a gradient that tells
# each number where to go, and an optimizer that goes there. The next lab, **09 · Training**, starts at ln V, and one minute later the model writes something that looks like Shakespeare.

# %% id="save"
from checks import pieces

pieces.save(check)

# %% id="grade"
from checks import colab

colab.grade()
