# %% [markdown]
# # 08 · Llama
#
# A norm, rotated queries and keys, grouped heads, a cache, a gate: you have written all the pieces, but not yet the model they make. In this lab
# they become one. It takes about fifty lines. The question is then whether it is *the* model, the one that the rest of the world calls Llama, and that is settled by
# numbers: the same weights have to give the same logits as in Hugging Face's library, to within 0.0001.

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
# House rules, as in every lab: inputs stay as they are; what you make lies where the inputs lie; half precision is computed in float32 and
# given back in its dtype; gradients flow.
#
# ## 8.0 The problem: 32 pairs in a row
#
# Llama 3 8B has 32 pairs of attention and SwiGLU. The simplest way to put them together is one after the other: what attention gives goes into SwiGLU, what SwiGLU gives goes into the next attention.
# Two ideas are on offer to make that better. **Norm**: each part reads its input through an RMSNorm. **Sum**: what a part gives is added to its input instead of replacing it.
#
# The cell tries all four combinations, with layers of yours with fresh random weights. It prints two numbers. One is the size of what comes out, its root mean square, when what goes in has size 1. The other is how
# a gradient of size 1 at the output arrives at the input: it has to get there, or the first layers cannot learn.
#
# **Predict.** In how many of the four are both numbers between 1/100 and 100: in one, two or three?


# %% id="in-a-row"
def size(x: Tensor) -> float:
    return x.detach().double().square().mean().sqrt().item()


def in_a_row(norm: bool, add: bool) -> str:
    torch.manual_seed(0)
    angles = rope_angles(torch.arange(8), rope_frequencies(8))
    start = x = torch.randn(1, 8, 64, requires_grad=True)
    for _ in range(32):
        read = RMSNorm(64)(x) if norm else x
        found = GroupedQueryAttention(64, 8, 2)(read, angles)
        x = x + found if add else found
        read = RMSNorm(64)(x) if norm else x
        found = SwiGLU(64, 176)(read)
        x = x + found if add else found
    x.backward(torch.randn(1, 8, 64))
    return f"output {size(x):.3g}, gradient at the input {size(start.grad):.3g}"


show("neither norm nor sum", lambda: in_a_row(norm=False, add=False))
show("norm               ", lambda: in_a_row(norm=True, add=False))
show("sum                ", lambda: in_a_row(norm=False, add=True))
show("norm and sum       ", lambda: in_a_row(norm=True, add=True))

# %% [markdown]
# <details><summary>Answer</summary>
#
# In one: only both ideas together.
#
# *Neither*: SwiGLU multiplies two numbers that both come from its input, so half the input gives about a quarter of the output. Small becomes smaller from pair to pair; after eight, float32 has no number for it.
# *Norm alone*: the output is saved, the gradient is not. On its way back every part makes it smaller and every norm larger, no sum leads around them, and what does not quite cancel multiplies up 64 times: to hundreds or thousands.
# *Sum alone*: the stream grows, SwiGLU adds the more the larger it is, and in the end it is no number any more. With 16 pairs all is well still, with 24 it can be in the millions.
#
# </details>
#
# A block of Llama is these two ideas.
#
# **Residual connections** (He and others, [1512.03385](https://arxiv.org/abs/1512.03385)). A part does not replace its input. What it found is *added* to it:
#
# $$x \leftarrow x + \mathrm{part}(x)$$
#
# So the vectors x run through the whole model, from the embedding to the output, and the parts read from them and write to them. Think of it as a stream, the **residual stream**. A gradient comes back on the same way, through the sums,
# without being multiplied by anything.
#
# **Pre-norm.** A part reads the stream through an RMSNorm, so it sees numbers of one size however large the stream has become. The
# Transformer of 2017 normed after the sum, norm(x + part(x)): the stream itself. GPT-2 moved the norm to the front, and Llama does as it does. Both numbers above would be about 1 in the old order, too. What is wrong with it shows in training: Xiong and others
# ([2002.04745](https://arxiv.org/abs/2002.04745)) proved that the gradients of the last layers' weights are large at the start, so that a large learning rate breaks the training unless it is begun very slowly.

# %% [markdown]
# ## 8.1 The block
#
# It is called a **decoder block** for a historical reason. The Transformer of 2017, made for translation, had two halves. Its encoder read the whole sentence, each word seeing all others. Its decoder wrote the translation, each word seeing only those
# before it. Llama is such a decoder alone, and so is GPT.
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
    """The sizes of a Llama; the defaults are those in the files of Llama 3 8B (its config.json).

    A head has d = dim / n_heads features. hidden_dim: F of SwiGLU, as it is: no rounding is to be
    done. max_seq_len: the longest text it was trained on; no weight depends on it. tie_embeddings:
    the output projection is the embedding table itself.

    >>> LlamaConfig(dim=96, n_heads=16).n_kv_heads
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
# **Predict.** Set the weights of both norms of a block to 0. What comes out of the block: zeros, x, or something in between?


# %%
# EXERCISE 8.1 · DecoderBlock
class DecoderBlock(nn.Module):
    """Attention, then SwiGLU: each reads a normed copy of the stream, and is added to the stream.

    Its parts are `attention_norm` (RMSNorm), `attention` (GroupedQueryAttention), `ffn_norm`
    (RMSNorm) and `feed_forward` (SwiGLU). Both norms start at ones and have config.norm_eps.

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

        cache: hand it on to attention; None without one.
        """
        ### BEGIN SOLUTION
        x = x + self.attention(self.attention_norm(x), angles, cache)
        return x + self.feed_forward(self.ffn_norm(x))
        ### END SOLUTION


# %%
check.DecoderBlock(DecoderBlock)


# %% id="norms-at-zero"
def norms_at_zero() -> float:
    config = LlamaConfig(dim=64, n_heads=8, n_kv_heads=2, hidden_dim=176)
    block, x = DecoderBlock(config), torch.randn(1, 8, 64)
    nn.init.zeros_(block.attention_norm.weight)
    nn.init.zeros_(block.ffn_norm.weight)
    angles = rope_angles(torch.arange(8), rope_frequencies(8))
    return (block(x, angles) - x).abs().max().item()


show("largest difference between output and input", norms_at_zero)

# %% [markdown]
# <details><summary>Answer</summary>
#
# x, exactly. The norms stand on the branches, not in the stream. Each part reads zeros, finds zero and adds zero.
#
# A block that gives zeros there has lost its stream: `x = norm(x)`, then `x = x + attention(x)`, and the normed vector has the name x. Such a model trains, and nothing says that it is wrong
# ([faster-trajectory-transformer#3](https://github.com/Howuhh/faster-trajectory-transformer/issues/3), [OLMo#680](https://github.com/allenai/OLMo/pull/680)).
#
# </details>
#
# And 32 of your blocks in a row? The two numbers should be those of "norm and sum" above.


# %% id="blocks-in-a-row"
def blocks_in_a_row(n_blocks: int) -> str:
    torch.manual_seed(0)
    config = LlamaConfig(dim=64, n_heads=8, n_kv_heads=2, hidden_dim=176)
    angles = rope_angles(torch.arange(8), rope_frequencies(8))
    start = x = torch.randn(1, 8, 64, requires_grad=True)
    for _ in range(n_blocks):
        x = DecoderBlock(config)(x, angles)
    x.backward(torch.randn(1, 8, 64))
    return f"output {size(x):.3g}, gradient at the input {size(start.grad):.3g}"


show(" 4 blocks", lambda: blocks_in_a_row(4))
show("32 blocks", lambda: blocks_in_a_row(32))

# %% [markdown]
# They are. 32 blocks are 64 sums, and all of them together make the stream about twice as large as it was: a new part adds little.

# %% [markdown]
# ## 8.2 The model
#
# What is left is the beginning, the end, and the bookkeeping between them:
#
# 1. `tok_embeddings`, an `nn.Embedding`: lab 01's table, one row for each token.
# 2. The angles of the T positions. They are the same for all layers, so they are made once. The first of the T tokens stands at position 0, or, with caches, after those that are in them.
# 3. `layers`, n_layers blocks in an `nn.ModuleList`; in a plain list torch would not see their weights. Each block has a cache of its own: another layer has other keys.
# 4. `norm`, once more: the stream has only been added to, and by now can have any size.
# 5. `output`, a linear map without bias from dim to V: one **logit** for each token of the vocabulary. No softmax; lab 09's loss and lab 10's sampling apply it
#    themselves. Norm and output together are the **output block**.
#
# Two rules for what you make on the way. Positions, frequencies and caches have to lie where the tokens or the weights lie: `device=ids.device`, or the weights' device. And the angles stay float32, also in a bfloat16 model: bfloat16 has no 1,001, only 1,000 and 1,004.
#
# Many small models save the last step's weights. Row v of the table says what token v looks like at the entrance; the logit of v is the dot product of the stream with that same row. This is
# **weight tying** (Press and Wolf, [1608.05859](https://arxiv.org/abs/1608.05859)). Llama 3.2 1B is tied, Llama 3 8B is not. Tied means *one* matrix: a copy is equal at the
# start and another matrix after one step of training.
#
# **Predict.** The caches hold 30 tokens already, and the model is called with the next two. At which positions do they stand: 0 and 1, 29 and 30, 30 and 31, or 31 and 32?


# %%
# EXERCISE 8.2 · Llama
class Llama(nn.Module):
    """Token ids to logits: embedding, n_layers blocks, a last norm, the output projection.

    Its parts are `tok_embeddings`, `layers`, `norm` and, unless config.tie_embeddings, `output`.
    Its state_dict holds their weights and nothing else.

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
        """Make an empty cache for each layer, in the dtype and on the device of the weights.

        >>> small = {"dim": 4, "n_layers": 2, "n_heads": 2, "n_kv_heads": 1, "hidden_dim": 3}
        >>> model = Llama(LlamaConfig(**small, vocab_size=3))
        >>> [tuple(cache.keys.shape) for cache in model.new_caches(batch=1, max_len=4)]
        [(1, 1, 4, 2), (1, 1, 4, 2)]
        """
        ### BEGIN SOLUTION raise NotImplementedError("Exercise 8.2: Llama.new_caches")
        config, weight = self.config, self.tok_embeddings.weight
        sizes = (batch, config.n_kv_heads, max_len, config.dim // config.n_heads)
        return [KVCache.empty(*sizes, weight.dtype, weight.device) for _ in self.layers]
        ### END SOLUTION


# %%
check.Llama(Llama)


# %% id="where-they-stand"
def lengths() -> list[int]:
    small = {"dim": 16, "n_layers": 2, "n_heads": 2, "n_kv_heads": 1, "hidden_dim": 24}
    model = Llama(LlamaConfig(**small, vocab_size=50))
    caches = model.new_caches(batch=1, max_len=40)
    model(torch.arange(30)[None], caches)
    seen = [caches[0].length]
    for layer in model.layers:  # asked again whenever a block begins
        layer.register_forward_pre_hook(lambda *_: seen.append(caches[0].length))
    model(torch.tensor([[30, 31]]), caches)
    return seen


show("caches[0].length before the call, as block 0 begins, as block 1 begins", lengths)

# %% [markdown]
# <details><summary>Answer</summary>
#
# 30 and 31: the cache holds positions 0 to 29, and its `length` is the first position that is free. All caches are equally long, so any of them can be asked, but *before* the loop: the first block's
# `update` moves it, and block 1 would put the two tokens at 32 and 33.
#
# </details>
#
# What you have built, as one picture. The shapes and the numbers of weights are those of your own modules, for a text of five tokens; the small number in a box is its lab. Let it play: the pink line is the stream as far as it has come.

# %%
plot.architecture(Llama, LlamaConfig)

# %% [markdown]
# Compare it with the map in [lab 00](00_start_here.ipynb). Every frame on it is now code of yours, but for the last, which chooses a token.
#
# ### Is it Llama?
#
# Two rows of the check were called "the logits of Hugging Face's Llama". Two small models with random weights lie in `assets/`, with the logits that `LlamaForCausalLM` gives for them. They are the same as yours, or
# the check would have failed, and have said where: stored are not only the logits but also what every module put out. So whenever a model "does not work", it can be asked which part is the first to depart. The picture does
# that with your model. If you like, it puts a fault in first.
#
# One of the faults is a frequent one ([TinyLlama#24](https://github.com/jzhang38/TinyLlama/issues/24), [LLMs-from-scratch#747](https://github.com/rasbt/LLMs-from-scratch/pull/747)). Hugging Face stores wq and wk for the other layout of RoPE (lab 03, `apply_rope_half`): the same rows in another order. The picture starts with this fault; then choose the others.
#
# **Predict.** Somebody loads these rows into your model as they are. Which positions get wrong logits: every one, every one but the first, or only those far back in the text, since small angles hardly turn?

# %% id="plot-8-2-departures"
plot.departures(Llama, LlamaConfig)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Every one but the first. The token at position 0 has nothing to choose from: it sees one key, itself, with weight 1, whatever the query says. So no fault in wq, wk or RoPE can show there, and a test that looks at the first token only finds
# nothing ([shainet#111](https://github.com/NeuraLegion/shainet/pull/111)). In this small model every later position departs at once. In a real
# model most pairs turn slowly, so the first words can look right before the text goes astray: gibberish after twenty tokens or more, somebody wrote ([llama2.c#286](https://github.com/karpathy/llama2.c/pull/286)).
#
# </details>
#
# Read the other pictures in the same way: a wrong `norm_eps` shows in the first norm, a wrong `rope_base` in the first attention and at position 1, one changed number in the module that holds it. What
# departs first has the fault; all that follows only inherits it.

# %% [markdown]
# ### The stream
#
# Below, one line of Shakespeare goes through your `Llama`, with three sets of weights: new ones, new ones with a table of small numbers, and those of a small model that has learned to write like Shakespeare (lab 09 is about how). The line is
# the size of the stream after every sum; each block has two points, after attention and after SwiGLU. The bars are the sizes of what was added. Size is the root mean square, as in 8.0.
#
# **Predict.** Look at "trained". When the stream leaves the last block, is it about as large as at the beginning, about three times, or more than ten times as large?

# %% id="plot-8-2-stream"
plot.stream(Llama, LlamaConfig)

# %% [markdown]
# <details><summary>Answer</summary>
#
# More than ten times: from 0.12 to 4.7 at position 3. Nothing ever makes it smaller, except a part that writes the opposite of what is there. That is why the last norm is needed, and why the parts need
# theirs: without, the last block would read numbers nearly twenty times as large as the first.
#
# </details>
#
# With new weights and a table of size 1, the parts add little beside the embedding: after twelve blocks, what comes out is at most positions still more than half the token that went in. With a small table the very first sum drowns it. Keep that in mind for 8.4.
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
# "8B" is a name. The number can be computed from the sizes alone, without building anything: go through your own `__init__`, matrix by matrix. d is dim / n_heads, the features of a head.
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
# From 8B on attention stays at about 17 %. SwiGLU grows from 70 to 81 %, as the tables shrink from 13 to 1 %. Is that also where the time goes? The next cell runs a model of yours, its blocks in the proportions of Llama 3.2 1B, an eighth as wide, and with an output of its own. It clocks the modules.
#
# **Predict.** 1,024 tokens instead of 128, eight times as many. Does it take less than 8, about 8, or more than 12 times as long?

# %% id="measure-shares"
plot.shares(Llama, LlamaConfig)

# %% [markdown]
# <details><summary>Answer</summary>
#
# More than 12 times: on the machine on which this lab was written, 18 to 27 times from run to run. SwiGLU, norms and output do the same for each token, eight times as much for eight times as many. In attention every token meets every earlier one: 64 times as many scores. With a
# tenth of the weights it took about a third of the time or less at 128 tokens and about four fifths at 1,024. (Kernels for long texts keep the scores out of memory, but compute them all the same.)
#
# </details>

# %% [markdown]
# ## 8.4 It says nothing
#
# The model is complete. Let it write: `generate_greedy_cached` of lab 05 wants a step, which is given only the new tokens. Your model with its caches is such a step.


# %% id="write"
def go_on(text: str, n_new: int) -> str:
    torch.manual_seed(0)
    vocab = sorted(set("Shall I compare thee to a summer's day?"))
    sizes = {"dim": 96, "n_layers": 3, "n_heads": 4, "n_kv_heads": 2, "hidden_dim": 256}
    model = Llama(LlamaConfig(**sizes, vocab_size=len(vocab)))
    caches = model.new_caches(batch=1, max_len=len(text) + n_new)
    ids = torch.tensor([[vocab.index(character) for character in text]])
    with torch.no_grad():
        written = generate_greedy_cached(lambda new: model(new, caches), ids, n_new)
    return "".join(vocab[i] for i in written[0].tolist())


show("it writes", lambda: repr(go_on("Shall I com", 24)))

# %% [markdown]
# Noise. How far is that from a good model? Below, three new models read the beginning of a sonnet with 35 different characters, and go on from "Shall I com": one untied, one tied, and one tied whose table has small numbers. The **loss** is the mean of −ln p, where p is the
# probability that the model gave to the character that really came next.
#
# **Predict.** Whoever knows nothing gives every character 1/35, and so has a loss of ln 35 = 3.56. A new model knows nothing, either. What is the loss of the second one: about 3.6, about 7, or more than 50?

# %% id="measure-noise"
plot.noise(Llama, LlamaConfig, generate_greedy_cached)

# %% [markdown]
# <details><summary>Answer</summary>
#
# More than 50. The untied model has no opinion: its loss is ln V and a little, since its random logits are not quite equal. The tied model has one, and is sure of it: the next character is the one that it has just read. Its stream is
# still mostly the row of the table that came in (you saw it in the stream), and the product of a row with itself is far larger than with any other row: the sum of 96 squares. So it is certain, and nearly always wrong. That is worse than
# knowing nothing.
#
# </details>
#
# `nn.Embedding` starts with numbers of size 1. Hugging Face's `LlamaConfig` has 0.02 (`initializer_range`) for all matrices. The third model has a table of size 0.02, and is back at ln V, where a model that knows nothing belongs. Your class is left as it is; lab 09 trains an untied model. Remember it
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
# Your class builds each of them. Apart from the longest text and, in the columns 3.2 and 3.1, scaled RoPE frequencies (lab 13; without them the logits are not theirs), these are all the differences
# ([2407.21783](https://arxiv.org/abs/2407.21783), table 3, with the hidden sizes that the weights have, see lab 07; 1B from its own config).
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
# Meta's [model.py](https://github.com/meta-llama/llama3/blob/main/llama/model.py) has about 300 lines, with the parts of labs 02 to 07 and with code for several GPUs; yours has 50 on top of those parts. It keeps the cache inside the attention module, which makes a model that can read only one batch of texts at a time, and `forward` takes start_pos as an argument.

# %% [markdown]
# ## What you built
#
# `DecoderBlock`, `Llama` and `count_parameters`: the model, complete, and the same as everyone else's to within 0.0001. Three questions to think about:
#
# 1. You multiply the embedding table of an untied model by 1,000 and leave everything else. What happens to the logits?
# 2. Two blocks of a trained model change places. Why is that less of a disaster than it would be in a network without residual connections?
# 3. A block of Llama 3 8B has 218,112,000 parameters. How many blocks would a model of one trillion have, at the same width?
#
# <details><summary>Answers</summary>
#
# 1. The first attention adds what it added before (up to eps), to a stream a thousand times as long. From there on every norm sees almost only the embedding.
# The logits are those of a model without blocks. 2. In deep models a block adds little to what is there (not in the three blocks above); to the next block the stream looks much as it did. Veit and others
# ([1605.06431](https://arxiv.org/abs/1605.06431)) found that residual networks for images survive it when a block is taken out or two are swapped, and that networks without residuals do not. 3. About 4,580. Real models
# become wider, too: 405B has 126 blocks of 3.2 billion.
#
# </details>
#
# Your model is Llama, and it says "mmmmm", or noise. 8 billion numbers are in their places, and all of them are random. What is missing is not architecture any more: a loss that tells how wrong it is, a gradient that tells
# each number where to go, and an optimizer that goes there. The next lab, **09 · Training**, starts near ln V, and one minute later the model writes something that looks like Shakespeare.

# %% id="save"
from checks import pieces

pieces.save(check)

# %% id="grade"
from checks import colab

colab.grade()
