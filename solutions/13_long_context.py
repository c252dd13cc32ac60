# %% [markdown]
# # 13 · Long context
#
# *60 + 65 minutes, in two sittings: 13.0 to 13.3, then 13.4 to 13.6. A little more than half of it is writing, and half of that is 13.5. The cells compute for about two minutes, most of that in 13.1, 13.3 and 13.5.*
#
# A model was trained on texts of a certain length. Your `Llama` takes longer ones without a word: no weight has that number in it. In this lab you measure what happens then, and write the two
# answers that are in use: other frequencies, so that far positions look like near ones, and a window, so that nothing is far.

# %% id="setup"
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# %% id="imports"
import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from my_llama import Llama, LlamaConfig, apply_rope, load_llama, rope_angles, rope_frequencies
from torch import Tensor

from assets import shakespeare, smollm2
from checks import long_context as check
from checks import trained
from plots import long_context as plot

# %% [markdown]
# House rules, as in every lab: inputs stay as they are; new tensors go on the inputs' device; half precision is computed in float32 and
# given back in its dtype; gradients flow.
#
# ## 13.0 The problem: it has never been there
#
# Two models. The course's small Llama writes Shakespeare, character by character; it was trained on pieces of 128 characters (its `max_seq_len` says 512, but nothing in your `Llama` reads that number). SmolLM2 of lab 11 was trained on texts of up to 8,192 tokens. The next cell loads
# both, into your `Llama`.

# %% id="models"
shakespeare.fetch()
path = smollm2.fetch()
small = trained.shakespeare(Llama, LlamaConfig, own=False).model
large, tokenizer = plot.loaded(load_llama, path)

# %% [markdown]
# ## 13.1 How surprised it is
#
# How does one see that a model is lost? Ask it to read, and not to write. At each place it says how likely it finds the token that really comes next, $p$. The **loss** of that token is $-\ln p$: 0 if the model was sure of it, 0.69 if it gave
# it one half, 200 if it thought it all but impossible. (With the natural logarithm the unit is called a *nat*.) Lab 09 took the mean over a batch. Here we want every token's own, since the question is *where* it goes wrong.
#
# A long text does not go through the model at once: with lab 04's attention the scores are T × T, and for 128,000 tokens that is 65 GB in each head. (12.7's would not need them.) So it goes through in pieces, with caches, as in lab 08's last test. There is a trap where two
# pieces meet. The last token of a piece predicts the first token of the next one. Cut into pieces first and shift inside each, and one loss is missing at every seam
# ([transformers#30975](https://github.com/huggingface/transformers/issues/30975)). Shift first, then cut: inputs are all tokens but the last, targets all but the first.
#
# **Predict.** A model that thinks all of 64 characters equally likely: is its loss at each place 0, about 4.2, or 64?


# %%
# EXERCISE 13.1 · token_losses
@torch.no_grad()
def token_losses(model: Llama, ids: Tensor, chunk: int = 256) -> Tensor:
    """How surprised the model is by each token, given all that stand before it: -ln p.

    ids: (1, T), T at least 2 → (T - 1,), float32; entry i is about token i + 1. The text goes through
    the model in pieces of at most `chunk` tokens, one after the other, with one set of new caches from
    model.new_caches(1, T); so the result does not depend on `chunk`. Half-precision logits are computed
    with in float32, and a very unlikely token has a large loss, not an infinite one.

    >>> class Fair:   # a model that thinks all of 4 tokens equally likely
    ...     def new_caches(self, batch, max_len):
    ...         return []
    ...     def __call__(self, ids, caches=None):
    ...         return torch.zeros(*ids.shape, 4)
    >>> token_losses(Fair(), torch.tensor([[3, 1, 0]]), chunk=2)   # ln 4, twice
    tensor([1.3863, 1.3863])
    """
    ### BEGIN SOLUTION
    caches = model.new_caches(1, ids.shape[1])
    inputs, targets = ids[:, :-1], ids[0, 1:]
    losses = []
    for x, y in zip(inputs.split(chunk, dim=1), targets.split(chunk), strict=True):
        log_p = model(x, caches)[0].float().log_softmax(dim=-1)  # (t, V)
        losses.append(-log_p.gather(1, y[:, None])[:, 0])  # (t,)
    return torch.cat(losses)
    ### END SOLUTION


# %%
check.token_losses(token_losses)

# %% [markdown]
# <details><summary>Answer</summary>
#
# About 4.2: −ln(1/64) = ln 64 = 4.16. A model whose loss is higher would do better by guessing.
#
# </details>
#
# Now the small Llama reads twelve passages of 512 characters that it has not seen in training. The picture is the mean loss at each place, in groups of 64.
#
# **Predict.** It saw 128 characters at once. At 500 characters, has it more to go by and is better, is it the same, or is it nearly as bad as guessing?

# %% id="plot-13-1"
plot.by_position(token_losses, small)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Nearly as bad as guessing. Up to 128 the loss is where it was in training. Beyond, it climbs to about 3.5, as if the next character were one of 33 (e^3.5); guessing, one of 64, would cost 4.16. Nothing in the text has become harder. It is only farther from its beginning.
#
# </details>
#
# ### The gap
#
# Is it the length, or the position? With a real model one can tell them apart. Take a text of 384 tokens, as it is, and move the *positions* of its second half away by a gap $G$: the model reads the same words in the same
# order, and is told that between them lie G tokens which nobody shows it. Only RoPE sees the difference.
#
# To do that, the blocks of your Llama have to be given other angles. The angles are made in `Llama.forward`, and that is yours, finished, and should not be taken apart again. It need not be. Every block is called with
# `(x, angles, cache)`. PyTorch lets one look in on such a call, and change it, with a *hook*. What follows is given. It works with any `Llama` that has passed lab 08, and leaves it as it was.


# %%
# GIVEN · turned_by
@contextlib.contextmanager
def turned_by(model: Llama, frequencies: Tensor, gap: int = 0) -> Iterator[None]:
    """While this lasts, all blocks of the model turn queries and keys by these frequencies, (d/2,).

    gap: added to every position. What a cache holds keeps the angle with which it was stored.

    >>> with turned_by(small, rope_frequencies(24, 1e6)):   # another base, for this line only
    ...     logits = small(torch.tensor([[20, 53, 1]]))
    """

    def other_angles(block: Any, args: tuple, named: dict) -> tuple[tuple, dict]:
        call = dict(zip(("x", "angles", "cache"), args, strict=False)) | named
        x, cache = call["x"], call.get("cache")
        start = gap + (cache.length if cache is not None else 0)
        positions = torch.arange(start, start + x.shape[1], device=x.device)
        return (x, rope_angles(positions, frequencies.to(x.device)), cache), {}

    hooks = [b.register_forward_pre_hook(other_angles, with_kwargs=True) for b in model.layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


# %% [markdown]
# **Predict.** SmolLM2 was trained on 8,192 positions. The gap grows from 0 to 40,000. Does the loss of the second half rise steadily with the gap, jump at once for any gap, or creep until some place and then jump?

# %% id="plot-13-1-gap"
plot.gap(token_losses, turned_by, rope_frequencies, large, tokenizer)

# %% [markdown]
# <details><summary>Answer</summary>
#
# It creeps up, from 3.7 to 4.3 at 10,000, and then leaps, to 5.1 at 12,000 and to 6.7 at 16,000. After that it does not matter any more: 6.2 at 40,000.
#
# </details>
#
# So it is the position, or rather the distance: the queries of the second half see keys at distances that have never occurred. Why should that hurt so much, when a distance of 5 is still a distance of 5? Because every softmax also has the
# far keys in it, with scores that no training has ever corrected.

# %% [markdown]
# ## 13.2 Slower hands
#
# Look at one pair. Its angle at position $m$ is $m\theta_i$, and a hand on a dial shows all that RoPE tells the model. A fast pair has gone round the dial many times in training. At a far position it stands where it has
# stood a thousand times. A *slow* pair has not gone round once: in 8,192 positions the slowest of Llama 3's 64 makes 0.3 % of a turn. Beyond the trained length it points where it has never pointed. These are the pairs that are lost.
#
# The obvious cure is Chen and others' position interpolation ([2306.15595](https://arxiv.org/abs/2306.15595)): divide all positions by 8, for eight times the length. No hand leaves its arc. But the fast hands, which tell neighbours apart, slow down
# as well: two words that were one step apart are an eighth of a step apart.
#
# So: leave the fast ones alone, slow the slow ones. A way that needs one line came from a forum post in 2023 and got the name *NTK-aware* scaling (described in YaRN, [2309.00071](https://arxiv.org/abs/2309.00071)). It changes RoPE's base. You know from lab 03
# that the base does not touch pair 0, since base⁰ = 1, and slows down each further pair more. Choose it so that the last pair becomes exactly `factor` times slower. The last exponent is $-(d-2)/d$, so
#
# $$\text{base}' = \text{base} \cdot s^{\,d/(d-2)}$$
#
# $s$ is the factor, $d$ the head size.
#
# **Predict.** base 10,000, d = 64, factor 8. Is the new base a little above 80,000, exactly 80,000, or 640,000?


# %%
# EXERCISE 13.2 · ntk_base
def ntk_base(base: float, factor: float, head_dim: int) -> float:
    """RoPE's base that makes the slowest pair `factor` times slower and leaves the fastest alone.

    base · factor^(d / (d - 2)), head_dim d at least 4. Pair i then turns factor^(2i / (d - 2)) times
    more slowly.

    >>> round(ntk_base(10_000.0, 8.0, 128))
    82685
    >>> old, new = rope_frequencies(8), rope_frequencies(8, ntk_base(10_000.0, 8.0, 8))
    >>> (old / new).round(decimals=3).tolist()   # 8^0, 8^(1/3), 8^(2/3), 8^1
    [1.0, 2.0, 4.0, 8.0]
    """
    ### BEGIN SOLUTION
    return base * factor ** (head_dim / (head_dim - 2))
    ### END SOLUTION


# %%
check.ntk_base(ntk_base)

# %% [markdown]
# <details><summary>Answer</summary>
#
# A little above: 85,550. The exponent is 64/62. (Code Llama raised its base to 1,000,000 and trained on: [2308.12950](https://arxiv.org/abs/2308.12950). Llama 3 begins at 500,000.)
#
# </details>

# %% [markdown]
# ## 13.3 Llama 3.1's rule
#
# NTK slows every pair a little, those in the middle too, and some of them had no need of it. Llama 3.1 looks at each pair and asks: how often has it gone round in training?
#
# $$\text{turns}_i = \frac{L}{\lambda_i}, \qquad \lambda_i = \frac{2\pi}{\theta_i}$$
#
# $L$ is the context of the first training, 8,192, and $\lambda_i$ the **wavelength** of pair $i$: how many positions a whole turn takes. Four turns or more: the pair has seen its dial, leave it. Less than one: divide by the factor. In between, mix the two:
#
# $$s_i = \frac{\text{turns}_i - \text{low}}{\text{high} - \text{low}}, \qquad \theta_i' = (1 - s_i)\,\frac{\theta_i}{\text{factor}} + s_i\,\theta_i$$
#
# $s_i$ goes from 0, at `low` turns, to 1, at `high`. Note what it measures: turns, that is L over the wavelength, and not the wavelength itself. A ramp in the wavelength looks the same at both ends and is another one in the middle
# ([mlx-examples#907](https://github.com/ml-explore/mlx-examples/pull/907)).
#
# And use the result. Programs have computed the new frequencies and gone on with the old ones, or read the setting and never looked at it ([mlxcel#1355](https://github.com/lablup/mlxcel/issues/1355)). On short texts nobody notices.


# %%
# EXERCISE 13.3 · llama3_scale_frequencies
def llama3_scale_frequencies(
    frequencies: Tensor,
    factor: float = 8.0,
    low: float = 1.0,
    high: float = 4.0,
    original_context: int = 8192,
) -> Tensor:
    """Llama 3.1's rule: fast pairs stay, slow ones become `factor` times slower, between them a ramp.

    frequencies: (d/2,), radians per position → (d/2,), same dtype. A pair's wavelength is 2π / frequency.
    turns = original_context / wavelength. At least `high` turns: kept; at most `low`: divided by factor;
    else (1 - s) · frequency / factor + s · frequency, with s = (turns - low) / (high - low).

    >>> wavelengths = torch.tensor([1024.0, 4096.0, 16384.0])   # 8 turns, 2 turns, half a turn
    >>> scaled = llama3_scale_frequencies(2 * math.pi / wavelengths)
    >>> [round(w, 1) for w in (2 * math.pi / scaled).tolist()]   # s = 1/3: f · (2/3 · 1/8 + 1/3) = f · 5/12
    [1024.0, 9830.4, 131072.0]
    """
    ### BEGIN SOLUTION
    theta = frequencies.float()
    turns = original_context * theta / (2 * math.pi)
    s = ((turns - low) / (high - low)).clamp(0, 1)  # 0: slow, 1: fast
    return ((1 - s) * theta / factor + s * theta).to(frequencies.dtype)
    ### END SOLUTION


# %%
check.llama3_scale_frequencies(llama3_scale_frequencies)

# %% [markdown]
# The dials of 16 of Llama 3's 64 pairs. The arc is where the hand has been in 8,192 positions of training; a full ring has seen everything. The hand is where it points at the position you choose, under the rule you choose. Orange hands
# point where training has never been.
#
# **Predict.** At position 65,536, eight times the trained length, as trained: how many of the hands are orange: none, between a third and a half, or all?

# %%
plot.dials(rope_frequencies, ntk_base, llama3_scale_frequencies)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Between a third and a half: 24 of 64, seven of the 16 shown. 29 pairs have not gone round, as lab 03 counted, and five of these happen to point where they have been; the other 35 have been everywhere. NTK leaves about as many beyond their arcs, since its base was chosen for the last pair, and all before it slow down by less than 8: the slowest
# are beyond by a hair, pair 39 by half a turn. Under Llama 3.1's rule no hand is orange, and the 29 fastest pairs turn as in training. Interpolation has no orange hand either.
#
# </details>
#
# Does it help a model that has never been trained with it? Both models again, with your rules.
#
# **Predict.** Which of the three will keep SmolLM2's loss below 4.5 at a gap of 16,000: NTK, Llama 3.1's rule, or position interpolation?

# %% id="plot-13-3-gap"
RULES = {
    "as trained": lambda f, base: f,
    "NTK, ×8": lambda f, base: rope_frequencies(2 * len(f), ntk_base(base, 8.0, 2 * len(f))),
    "llama3, ÷8": lambda f, base: llama3_scale_frequencies(f, factor=8.0),
    "interpolation, ÷8": lambda f, base: f / 8,
}
plot.gap(token_losses, turned_by, rope_frequencies, large, tokenizer, RULES)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Both NTK and Llama 3.1's rule: 4.1 and 4.0, where it was 6.7. The cliff is gone. At gap 0 Llama 3.1's rule costs 0.02 and NTK 0.14. Interpolation is the worst of the three everywhere, and at gap 0 the worst of all. So the dials are half of the story: they do not show how fast the fast hands turn, and that is what it spoils. (With more training all three get better.)
#
# </details>
#
# The small Llama was trained on 128, so its rule has `original_context=128`.

# %% id="plot-13-3-small"
SMALL_RULES = {
    "as trained": lambda f, base: f,
    "NTK, ×2": lambda f, base: rope_frequencies(2 * len(f), ntk_base(base, 2.0, 2 * len(f))),
    "NTK, ×4": lambda f, base: rope_frequencies(2 * len(f), ntk_base(base, 4.0, 2 * len(f))),
    "llama3, ÷4": lambda f, base: llama3_scale_frequencies(f, 4.0, original_context=128),
}
plot.by_position(token_losses, small, turned_by, rope_frequencies, SMALL_RULES)

# %% [markdown]
# NTK with factor 2 lets the climb begin one group later, with factor 4 two groups: less than the factor says, since the middle pairs got less of it. Llama 3.1's rule with factor 4 holds to the end, at 512, and pays for it at the beginning: 1.77 at 128, where it was 1.59, and 1.65 with NTK of the same factor. A factor costs something near by, so do not choose it larger than you need. No rule makes the model *use* what is far away, if it has never learned to. For that, Llama 3.1 was trained on
# at growing lengths up to 131,072 ([2407.21783](https://arxiv.org/abs/2407.21783), section 3.4.2).

# %% [markdown]
# ## 13.4 A window
#
# The other answer: look at nothing that is far. In **sliding window attention** a query sees only the last `window` positions, *itself included*. Mistral 7B was built that way, with 4,096 ([2310.06825](https://arxiv.org/abs/2310.06825)). (Programs disagree whether the window counts the query itself:
# for one that counts otherwise, see [transformers#39408](https://github.com/huggingface/transformers/issues/39408) and [mlx-lm#390](https://github.com/ml-explore/mlx-lm/pull/390). Here it does.)
#
# Two prices stop growing: attention's work per token, and the cache. What a token *knows* still comes from farther away. In the second layer it reads tokens that have themselves read a window in the first.
#
# Some models need the first tokens of a text to stay in sight, for a reason that 13.5 comes to: the mask lets everyone see the first `n_sinks` positions, except those that stand before them. A query never sees the future, sink or not.
#
# **Predict.** Window 4, three layers. From how many positions can the last token have heard: 4, 10, 12, or 64?


# %%
# EXERCISE 13.4 · sliding_window_mask
def sliding_window_mask(n_queries: int, n_keys: int, window: int, n_sinks: int = 0) -> Tensor:
    """Say who may look at whom when a query sees only the last `window` positions, itself included.

    As in causal_mask the queries are the LAST T = n_queries of the S = n_keys positions. The first
    n_sinks positions are seen as well, by all who come after them and by themselves; never the future.
    Returns (T, S), bool. ValueError unless window is at least 1.

    >>> sliding_window_mask(2, 5, window=2, n_sinks=1)   # the queries stand at 3 and 4
    tensor([[ True, False,  True,  True, False],
            [ True, False, False,  True,  True]])
    """
    ### BEGIN SOLUTION
    if window < 1:
        raise ValueError(f"window is {window}: a query has to see at least itself")
    query = torch.arange(n_keys - n_queries, n_keys)[:, None]  # (T, 1)
    key = torch.arange(n_keys)  # (S,)
    near, sink = key > query - window, key < n_sinks
    return (key <= query) & (near | sink)
    ### END SOLUTION


# %%
check.sliding_window_mask(sliding_window_mask)

# %%
plot.windows(sliding_window_mask)

# %% [markdown]
# <details><summary>Answer</summary>
#
# 10: itself, and 3 more for every layer. Mistral's 32 layers of 4,096 reach 131,041 positions, in theory. What comes through so many hands is little.
#
# </details>

# %% [markdown]
# ## 13.5 A cache that never grows
#
# If nobody looks back farther than `window`, older keys can go. The cache needs `window` slots, and the new key takes the slot of the oldest one: a **ring**. The order in memory no longer matters, as long as there is one query: softmax and sum do not care, a key carries its position in its angle, and the query may see all that is kept. With several queries at once the order does matter: your layer makes a `causal_mask` for them, which goes by the places of the keys, and in a ring it would hide the wrong ones.
#
# Three things are easy to get wrong. `length` counts all positions that ever came in, because `Llama` takes the next position from it; a cache that counts its rows instead makes the text stand still
# ([VeloxQuant-MLX#389](https://github.com/rajveer43/VeloxQuant-MLX/issues/389)). A prompt longer than the window must not be cut before its own first queries have looked ([ollama#15591](https://github.com/ollama/ollama/pull/15591)): here several positions at once are taken only while all fit and stand in order,
# and refused otherwise. And the index goes wrong before the ring is full, or when it wraps ([transformers#47708](https://github.com/huggingface/transformers/pull/47708)).
#
# **Sinks.** Lab 11 saw that most heads look at the first token when they have nothing to look for. Take that key away, and softmax has to put the weight somewhere else. Xiao and others ([2309.17453](https://arxiv.org/abs/2309.17453)) keep the first four tokens, and call them attention
# **sinks**. They also found that a sink has to *come along*. Left at position 0, it is farther and farther away, farther than anything in training. So, when n positions have been dropped, turn its key on by n positions: to the model the text then looks as if nothing had been between.
# `apply_rope` turns a key that has been turned already: angles add up. Turn what you return, and leave what is stored: it would be turned twice in the next step.
#
# **Predict.** A window of 64, four sinks, SmolLM2, after a million tokens: how many positions does each layer's cache hold, and what does its `length` say?


# %%
# EXERCISE 13.5 · RollingKVCache
@dataclass
class RollingKVCache:
    """A cache that never grows: the first n_sinks positions, and the last `window` of the others.

    `length` counts all positions that ever came in, so that Llama goes on counting. Positions come one
    at a time; several at once are taken as long as they and all before them fit.

    With `frequencies` the sinks follow the window: as soon as positions have been dropped, the keys of
    the sinks that update returns are turned on by that many positions, so that no distance becomes
    larger than n_sinks + window - 1. The stored keys stay as they are.

    >>> cache = RollingKVCache.empty(batch=1, n_kv_heads=1, window=2, head_dim=2, n_sinks=1)
    >>> for i in range(5):   # positions that are their own number
    ...     keys, values = cache.update(torch.full((1, 1, 1, 2), float(i)), torch.zeros(1, 1, 1, 2))
    >>> sorted(keys[0, 0, :, 0].tolist()), cache.length   # 0 is a sink, 3 and 4 are the window
    ([0.0, 3.0, 4.0], 5)
    """

    keys: Tensor  # (B, K, n_sinks + window, d)
    values: Tensor  # (B, K, n_sinks + window, d)
    length: int
    n_sinks: int = 0
    frequencies: Tensor | None = None  # (d/2,)

    @classmethod
    def empty(
        cls,
        batch: int,
        n_kv_heads: int,
        window: int,
        head_dim: int,
        n_sinks: int = 0,
        frequencies: Tensor | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str | None = None,
    ) -> "RollingKVCache":
        """Make a cache with nothing in it: two buffers (B, K, n_sinks + window, d), length 0."""
        ### BEGIN SOLUTION
        shape = (batch, n_kv_heads, n_sinks + window, head_dim)
        keys = torch.zeros(shape, dtype=dtype, device=device)
        values = torch.zeros(shape, dtype=dtype, device=device)
        return cls(keys, values, 0, n_sinks, frequencies)
        ### END SOLUTION

    def update(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store T new positions; return the keys and values that are kept.

        k, v: (B, K, T, d) → two of (B, K, min(length, n_sinks + window), d), in the cache's dtype: in the
        order of the text until a position is dropped, then in any order, the same for keys and values.
        ValueError when T > 1 and they do not all fit, and then the cache is unchanged.
        """
        ### BEGIN SOLUTION
        room, T = self.keys.shape[2], k.shape[2]
        window, end = room - self.n_sinks, self.length + T
        if T > 1 and end > room:
            raise ValueError(f"{T} at once do not fit: {self.length} of {room} slots are taken")
        ring = self.n_sinks + (self.length - self.n_sinks) % window  # the oldest, once it is full
        at = self.length if end <= room else ring
        self.keys[:, :, at : at + T] = k
        self.values[:, :, at : at + T] = v
        self.length = end
        kept = min(end, room)
        keys, values = self.keys[:, :, :kept], self.values[:, :, :kept]
        dropped = end - kept
        if self.frequencies is not None and dropped:
            turn = rope_angles(torch.tensor([dropped], device=keys.device), self.frequencies)
            sinks, others = keys[:, :, : self.n_sinks], keys[:, :, self.n_sinks :]
            keys = torch.cat([apply_rope(sinks, turn), others], dim=2)
        return keys, values
        ### END SOLUTION


# %%
check.RollingKVCache(RollingKVCache)

# %% [markdown]
# <details><summary>Answer</summary>
#
# 68, and a million: `Llama` goes on counting. From the 69th token on no update takes more work than the one before.
#
# </details>
#
# Your ring at work. The values are the positions' numbers, the keys are hands. The window fills, wraps, and overwrites the oldest. The squares beside the ring are sinks. Below, the distance from the newest token to each key as its angle says it: sinks that stay drift away, sinks that
# are turned along do not.

# %%
plot.ring(RollingKVCache)

# %% [markdown]
# ### Is it the same as the mask?
#
# The ring forgets, the mask hides. With sinks that stay, both should give the same numbers, on your own `Llama`, token by token. And it should go on for ever. The next cell compares the two, then lets the small Llama read 10,000 characters, 80 times what it was trained on, in 36 slots.
#
# **Predict.** At 10,000, is the loss as bad as guessing, about where it was in training, or somewhere between?

# %% id="measure-13-5"
plot.same_as_mask(RollingKVCache, sliding_window_mask, small, turned_by, rope_frequencies)
plot.for_ever(RollingKVCache, small, turned_by, rope_frequencies)

# %% [markdown]
# <details><summary>Answer</summary>
#
# It stays, and falls a little, as this text is easier further on: 1.57 over the first hundred characters, 1.33 over the last five thousand. Distances never leave those of the training, since a query sees 36 positions and no more. The cache's bytes do not change, and no character is more work than another. (The times drift with the machine.) (RoPE's positions grow all the same: at 10,000 the angles are large, and only differences of them count.)
#
# </details>
#
# ### Do sinks matter?
#
# It depends on the model. Both read a text under three masks: everything, a window, and the same window with four sinks. For the small Llama there is a fourth bar: your ring, with sinks turned along. The bars are the mean loss after the window is full.
#
# **Predict.** Without sinks, whose loss rises: SmolLM2's, the small Llama's, or both?

# %% id="plot-13-5-sinks"
plot.sinks(
    sliding_window_mask, RollingKVCache, rope_frequencies, small, turned_by, large, tokenizer
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# SmolLM2's. A window of 64 alone costs it 1.3 nats, and its perplexity, e to the loss, is nearly four times as large. Four sinks take most of that back: 3.79, 5.12, 4.04. The small Llama has never learned to need them, since each of its training texts began in the middle of a play. (Its first bar, everything, is 13.0 again: too long for it.) And sinks that are left at their old positions hurt it, as soon as they are farther away than anything in its training: 2.11. Turned along, they do no harm: 1.38, as the window alone.
#
# </details>

# %% [markdown]
# ## 13.6 Where it lives in Llama 3
#
# | | Llama 3 8B | Llama 3.1 8B | Llama 3.2 1B |
# |---|---|---|---|
# | trained context | 8,192 | 131,072 | 131,072 |
# | base | 500,000 | 500,000 | 500,000 |
# | rule | none | llama3, factor 8, low 1, high 4, original context 8,192 | the same, factor 32 |
# | head size, pairs | 128, 64 | 128, 64 | 64, 32 |
#
# The numbers are those of the models' own `config.json`. In a GGUF file the rule comes worked out, as a tensor `rope_freqs.weight` of numbers by which frequencies are divided; that is what your `rename_weight` of lab 11 refused.
#
# **YaRN** ([2309.00071](https://arxiv.org/abs/2309.00071)) has a ramp as well, and besides makes the scores a little larger, by a number that grows with the logarithm of the factor. Applied twice, that number is 48.5 % too large at a factor of 128
# ([sglang#33558](https://github.com/sgl-project/sglang/pull/33558)). **gpt-oss** has *learnt* sinks ([its page](https://huggingface.co/docs/transformers/model_doc/gpt_oss)): one number in each head that takes part in the softmax and belongs to no token, so that a head can look at nothing. And some models
# use **no positions at all** (NoPE, [2305.19466](https://arxiv.org/abs/2305.19466)).
#
# **And your Llama?** Nothing in it has changed. Meta's code keeps the frequencies as a tensor of the model; to take that way would have changed a class that you have finished, and that labs 09 to 11 build on. The hooks of `turned_by` need only what lab 08 promised: blocks in `layers`, called with x, angles and cache.
# It is in `my_llama` now. To run a Llama 3.1 file, let `load_llama` leave out `rope_freqs.weight`, since your 13.3 computes what is in it, and wrap the call: `with turned_by(model, llama3_scale_frequencies(rope_frequencies(128, 500_000.0))): …`

# %% [markdown]
# ## What you built
#
# `token_losses`, `ntk_base`, `llama3_scale_frequencies`, `sliding_window_mask` and `RollingKVCache`. Three questions to think about:
#
# 1. The gap made the loss jump between 10,000 and 14,000, and SmolLM2 was trained on 8,192. Why not at 8,192?
# 2. A ring of `window` slots gives every layer the last `window` keys. Could one layer keep a larger window than another?
# 3. With sinks turned along, is the score between a query and a sink the same in every step?
#
# <details><summary>Answers</summary>
#
# 1. Hands do not stop at the edge of their arc. A little beyond it they point where neighbours have been, and the model is smooth enough. 2. Yes: each layer has a cache of its own. Some models alternate, for example one full layer after several with a window
# (Gemma 3 has five to one, [2503.19786](https://arxiv.org/abs/2503.19786)). 3. As far as positions go, yes: the distance is n_sinks + window − 1 less the sink's own number, for ever. The query is another one each time.
#
# </details>
#
# A window saves reading; the rule saves training. But each new token still costs one pass through all the weights, and lab 12 has shown what that means: each weight is read for two FLOPs. Can one pass give several tokens? The last lab, **14 · Speculative decoding**, lets a small
# model guess and the large one check.

# %% id="save"
from checks import pieces

pieces.save(check)

# %% id="grade"
from checks import colab

colab.grade()
