# %% [markdown]
# # 14 · Speculative decoding
#
# *70 + 75 minutes, in two sittings: 14.0 to 14.5, then 14.6 to 14.11. A little more than half of it is writing, and a third of that is 14.9. The cells compute for about four minutes, most of that in 14.0 and 14.10.*
#
# A model that writes reads all its weights for each token. In this lab somebody cheap guesses the next tokens, and your
# Llama checks all the guesses in one call. Right guesses are tokens for nothing. Wrong ones are thrown away, and the text stays the one that the model would have written
# by itself: in greedy decoding token for token, and when you draw, with exactly its probabilities.

# %% id="setup"
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# %% id="imports"
from collections.abc import Callable, Collection, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from my_llama import (
    KVCache,
    Llama,
    LlamaConfig,
    apply_temperature,
    chat_prompt,
    dequantize_q4_1,
    generate,
    load_llama,
)
from torch import Tensor

from assets import smollm2
from checks import speculative as check
from checks import trained
from plots import speculative as plot
from plots.show import show

# %% [markdown]
# House rules, as in every lab: inputs stay as they are; new tensors go on the inputs' device; half precision is computed in float32 and
# given back in its dtype; gradients flow.
#
# ## 14.0 The problem: a whole model for one token
#
# SmolLM2 in float32 is 538 MB. For each token that it writes, all of them are read, and each weight is used for one multiplication and one addition. The prompt is treated better: its tokens go
# in together, and each weight that has been read is used for all of them.
#
# So a call of the model with five tokens reads the same 538 MB as a call with one. It computes five times as much.
#
# **Predict.** How long does a call with five tokens take: five times as long as a call with one, about twice as long, or hardly longer?

# %% id="model"
threads = torch.get_num_threads()
torch.set_num_threads(1)  # small models: waiting for a second thread takes longest
path = smollm2.fetch()
target, tokenizer = plot.loaded(load_llama, path)

# %% id="plot-14-0"
plot.calls(target)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Usually about twice as long. Lab 12's roof allows "hardly longer": five tokens are 2.5 FLOPs for each byte of a float32 weight, and the ridge of most processors is higher. But a roof is only a limit. A product of a matrix with five rows reaches neither part of it: one thread, where this lab was made, read the weights for it at half the speed of
# a single row, and computed at a fifth of its peak. On a graphics card, with a ridge of hundreds and kernels made for few rows, it is hardly longer.
#
# </details>
#
# Five tokens in one call would be a good deal, but a model that writes has only one: the next token is known when the call for this one is over. Unless somebody *guesses*. Suppose you
# had four guesses for what comes next. Feed them with the last token, five tokens in one call, and the model tells you at each of the five places what *it* would have written there. As long as the guesses agree, you have read
# several tokens off one call. At the first place where they do not agree you have the model's own token, and throw away the rest.
#
# That is **speculative decoding**, found twice in the same winter: by Leviathan, Kalman and Matias ([2211.17192](https://arxiv.org/abs/2211.17192)), who made
# T5-XXL 2 to 3 times as fast with it, and by Chen and others ([2302.01318](https://arxiv.org/abs/2302.01318)), with Chinchilla, a model of 70 billion weights, 2 to 2.5 times. The large model is called the **target**, the guesses are **drafts**, and who makes them is the draft
# model. (In the code, `drafts` are the guesses, and `draft` is whoever makes them.) Neither has to be trained for it.

# %% [markdown]
# ## 14.1 A draft for nothing
#
# The cheapest guesser is the text itself. Names come back, and so do phrases, and lines of code. Take the last three tokens and look whether they stood in the text before. If they did, guess that it goes on as it
# did then. If not, look for the last two, or for the last one. Where the same words stand in several places the latest of them is probably nearest to the matter.
#
# This is called *prompt lookup decoding* ([prompt-lookup-decoding](https://github.com/apoorvumang/prompt-lookup-decoding)). Its author reports 2 to 4 times the speed where
# the answer repeats what stands in the prompt: summaries, questions about a text, changes of code.
#
# The last tokens are found at one place without fail: at the end, where you took them. That place says nothing.


# %%
# EXERCISE 14.1 · lookup_draft
def lookup_draft(ids: Tensor, n_draft: int, longest: int = 3) -> Tensor:
    """Guess what comes next by looking up where the last tokens stood before.

    ids: (T,). The last n tokens, n = longest, longest - 1, …, 1, are looked for earlier in ids; the
    first n that is found counts, and of several places the latest. The guess is what followed there:
    at most n_draft tokens, fewer where ids ends, none when even the last token is new → (m,) int64.

    >>> lookup_draft(torch.tensor([7, 8, 9, 5, 7, 8]), n_draft=3)   # 7 8 stood before; then 9 5 7
    tensor([9, 5, 7])
    >>> lookup_draft(torch.tensor([1, 2, 1, 3, 1]), n_draft=3)   # 1 stood before, the latest at 2
    tensor([3, 1])
    >>> lookup_draft(torch.tensor([1, 2, 3]), n_draft=3)
    tensor([], dtype=torch.int64)
    """
    ### BEGIN SOLUTION
    seen = ids.tolist()
    for n in range(min(longest, len(seen) - 1), 0, -1):
        for start in range(len(seen) - n - 1, -1, -1):  # the latest place first, without the end
            if seen[start : start + n] == seen[-n:]:
                return ids[start + n : start + n + n_draft]
    return ids[:0]
    ### END SOLUTION


# %%
check.lookup_draft(lookup_draft)

# %% [markdown]
# A text, word by word, up to the slider. Blue are the words that your function found again and the place where it found them; the guess is written behind the text, green where the text really goes on like
# that.
#
# **Predict.** Move the slider through the text. Where do four guesses in a row come right: at the beginning, where a name comes back, or where a sentence is repeated?

# %%
plot.lookup(lookup_draft)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Where a sentence is repeated. A single word found again says little: after "the" comes the fox, the grapes or the crow.
#
# </details>

# %% [markdown]
# ## 14.2 How often a guess is good
#
# When the target decodes greedily, a draft is right or wrong. When it draws, there is no one right token: the target gives each token $x$ a probability, $p(x)$. The draft model has a distribution too,
# $q(x)$, and its guess is drawn from it.
#
# What we want is that the text has the target's probabilities, exactly. The rule that does it is this. A token $x$ drawn from $q$ is **accepted** with probability
#
# $$\min\!\left(1, \frac{p(x)}{q(x)}\right)$$
#
# If the target finds it at least as likely as the draft model did, it is taken. If the target finds it half as likely, it is taken in half of the cases.
#
# How often does that happen? The guess is $x$ with probability $q(x)$, and is then accepted with $\min(1, p(x)/q(x))$. The product is $\min(q(x), p(x))$, and so, over all tokens,
#
# $$\alpha = \sum_x \min(p(x), q(x))$$
#
# **Predict.** p is 0.4, 0.4, 0.2 and q is 0.1, 0.4, 0.5. What is α: 0.3, which is Σ p·q, or 0.7, or 1?


# %%
# EXERCISE 14.2 · accept_probability
def accept_probability(p: Tensor, q: Tensor) -> Tensor:
    """How often a token drawn from q is accepted as one of p: the sum over tokens of min(p, q).

    p, q: (..., V), probabilities → (...). 1 when they are equal, 0 when they share no token.

    >>> p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.6, 0.2])
    >>> accept_probability(p, q)   # 0.2 + 0.3 + 0.2
    tensor(0.7000)
    """
    ### BEGIN SOLUTION
    return torch.minimum(p.float(), q.float()).sum(dim=-1).to(p.dtype)
    ### END SOLUTION


# %%
check.accept_probability(accept_probability)

# %% [markdown]
# <details><summary>Answer</summary>
#
# 0.7 = 0.1 + 0.4 + 0.2. And Σ p·q = 0.04 + 0.16 + 0.1 = 0.3 is the probability that two people who draw for themselves, one from p and one from q, draw the same. The rule above accepts more than twice as often.
#
# </details>

# %% [markdown]
# ## 14.3 What to write in its place
#
# A rejected guess has to be replaced by another token. It seems obvious to draw it from the target, from p. But that is wrong, and it is the mistake that is easily made here
# ([Spec-RL#14](https://github.com/ShopeeLLM/Spec-RL/issues/14) asks about it).
#
# Here is why. Accepted guesses already bring $\min(p(x), q(x))$ of each token into the text. What is missing is the rest of p:
#
# $$p(x) - \min(p(x), q(x)) = \max(0,\, p(x) - q(x))$$
#
# So draw from that, scaled to sum to 1: the **residual distribution**. A token that the draft model offers too often anyway must not be drawn here.
#
# **Predict.** With p and q as in the question of 14.2, a guess is rejected. Which tokens can stand in its place: all three, the first and the third, or only the first?
#
# One case needs care. Where p and q are equal nothing is left, and 0 divided by 0 is not a number ([speculative-sampling#5](https://github.com/jaymody/speculative-sampling/issues/5)). Nothing is rejected there either, in exact arithmetic. In
# rounded arithmetic it does happen ([TorchCode#16](https://github.com/duoan/TorchCode/issues/16) asks whether it can), so give back p then.


# %%
# EXERCISE 14.3 · residual_distribution
def residual_distribution(p: Tensor, q: Tensor) -> Tensor:
    """What to draw from after a rejection: where p is larger than q, by how much, scaled to sum to 1.

    p, q: (..., V), probabilities → (..., V). A row of p and q that are equal gives p itself.

    >>> residual_distribution(torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.6, 0.2]))
    tensor([1., 0., 0.])
    >>> residual_distribution(torch.tensor([0.5, 0.2, 0.3]), torch.tensor([0.2, 0.6, 0.2]))   # 3 : 1
    tensor([0.7500, 0.0000, 0.2500])
    """
    ### BEGIN SOLUTION
    rest = (p.float() - q.float()).clamp(min=0)  # (..., V)
    total = rest.sum(dim=-1, keepdim=True)  # (..., 1), which is 1 - accept_probability
    scaled = rest / total.where(total > 0, 1.0)
    return torch.where(total > 0, scaled, p.float()).to(p.dtype)
    ### END SOLUTION


# %%
check.residual_distribution(residual_distribution)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Only the first. The second is offered exactly as often as p wants it, and the third too often.
#
# </details>
#
# Both distributions on top of each other, p to the left in each pair and q to the right. Solid is what both have in common: it is accepted, and its area is your `accept_probability`. What stands out of q is thrown away. What stands out of p is missing, and your
# `residual_distribution`, below, is just that, scaled up. The letters and the p are those of the course's small Llama after "O, th"; q is a draft model's that has counted which letter follows
# which.
#
# **Predict.** Move "draft reads" from one letter to four: the drafts are then made by somebody who has seen more of the text. What happens to the solid part?

# %% id="small-llama"
course = trained.shakespeare(Llama, LlamaConfig, own=False)
counts = plot.counted_letters()

# %%
plot.overlap(accept_probability, residual_distribution, course.model, counts)

# %% [markdown]
# <details><summary>Answer</summary>
#
# It grows. How much of the drafts is accepted depends on nothing else than how alike the two distributions are.
#
# </details>

# %% [markdown]
# ## 14.4 The first that is not accepted
#
# There are several drafts, one after the other. Draft 2 was made after draft 1: if 1 is rejected, 2 continues a text that does not exist. So count how many are accepted before the first one that is not; what comes
# behind it no longer matters, however likely it is.
#
# The luck is given here, a number from 0 to 1 for each draft, so that the result can be computed by hand. Draft i is accepted when its luck is smaller than the ratio $p_i(x_i) / q_i(x_i)$. Luck is never 1, so a ratio of 1 is always enough; and it may be 0, so that a
# token of probability 0 needs the comparison to be strict.
#
# The q must be the one from which the drafts were really drawn. Who guesses greedily draws from a distribution in which one token has probability 1, whatever the draft model's softmax says
# ([speculative-sampling#3](https://github.com/jaymody/speculative-sampling/issues/3), [transformers#32867](https://github.com/huggingface/transformers/issues/32867)).


# %%
# EXERCISE 14.4 · count_accepted
def count_accepted(p: Tensor, q: Tensor, drafts: Tensor, luck: Tensor) -> int:
    """How many of the drafts are accepted: all before the first one that is not.

    p: (n, V) or more rows, q: (n, V): row i is what the target and the draft model thought of place
    i. drafts: (n,) ids, each drawn from its row of q; luck: (n,), from 0 to 1, 1 excluded. Draft i
    is accepted when luck[i] < p[i, draft] / q[i, draft]. n may be 0.

    >>> p = torch.tensor([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    >>> q = torch.tensor([[0.2, 0.6, 0.2], [0.2, 0.6, 0.2]])
    >>> count_accepted(p, q, torch.tensor([0, 1]), torch.tensor([0.9, 0.4]))   # 2.5 and 0.5
    2
    >>> count_accepted(p, q, torch.tensor([1, 0]), torch.tensor([0.6, 0.0]))   # 0.5 is too little
    0
    """
    ### BEGIN SOLUTION
    places = torch.arange(len(drafts), device=drafts.device)
    accepted = luck * q[places, drafts] < p[places, drafts]  # (n,)
    return int(accepted.long().cumprod(dim=0).sum())
    ### END SOLUTION


# %%
check.count_accepted(count_accepted)

# %% [markdown]
# Six drafts. The bar is the ratio p / q of each, cut off at 1, and the line across it is its luck. Blue is accepted, orange is the first that is not, and grey nobody asks about any more.
#
# **Predict.** With "luck" the same for all six, from 0.1 to 0.9: does the number of accepted drafts sink by one at each step?

# %%
plot.luck(count_accepted)

# %% [markdown]
# <details><summary>Answer</summary>
#
# No. It jumps to the first place whose ratio is too small. The fourth draft is a good one, and at luck 0.75 and 0.9 nobody gets to see it.
#
# </details>

# %% [markdown]
# ## 14.5 Verify
#
# Now one whole round. The target has computed n + 1 rows of probabilities: one at the place of each draft, and one behind the last draft. Keep the accepted drafts and add one token:
#
# - a draft was rejected: the token is drawn from the residual at that place, a **corrected** token;
# - all were accepted: nothing has to be corrected, and the last row of p has not been used. Draw from it, a **free** token.
#
# So each call of the target gives at least one token, as without drafts, and at most n + 1. And the text is distributed as if the target had written it alone.
#
# **Predict.** The drafts are pure nonsense, drawn with equal probability from the whole vocabulary. What becomes of the text: does it get worse, does it stay as good but slow, or is that impossible?


# %%
# EXERCISE 14.5 · verify
def verify(
    p: Tensor, q: Tensor, drafts: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """Keep the accepted drafts, and add one token: every call gives at least one, at most n + 1.

    p: (n + 1, V), the target's probabilities at the n drafts' places and at the one behind them; q:
    (n, V), those that the drafts (n,) were drawn from; n may be 0. The added token is drawn from the
    residual at the first rejected place or, when all are accepted, from the last row of p (or in any
    way that comes to the same). Drafts drawn from q make tokens distributed exactly as from p.
    generator: the source of all luck; None is torch's own → (m + 1,) int64, m drafts accepted.

    >>> p, q = torch.eye(4)[[2, 0, 3]], torch.eye(4)[[2, 1]]   # everybody is certain
    >>> verify(p, q, torch.tensor([2, 1]))   # 2 is what p wants; then p wants 0
    tensor([2, 0])
    >>> verify(p, p[:2], torch.tensor([2, 0]))   # both accepted, and 3 for free
    tensor([2, 0, 3])
    """
    ### BEGIN SOLUTION
    luck = torch.rand(len(drafts), generator=generator, device=p.device)
    n = count_accepted(p, q, drafts, luck)
    last = p[n] if n == len(drafts) else residual_distribution(p[n], q[n])
    return torch.cat([drafts[:n], torch.multinomial(last, 1, generator=generator)])
    ### END SOLUTION


# %%
check.verify(verify)

# %% [markdown]
# <details><summary>Answer</summary>
#
# It stays as good, and is slow: nearly everything is rejected, and each round gives one token, drawn from nearly p itself. A draft model can spoil the speed, and nothing else. That is why
# nobody has to trust it.
#
# </details>
#
# You may have found a simpler way: draw the target's own token at each place and accept the draft if it is the same. That is exact too, since each token is then the target's own, and the check takes it. It only accepts less often, with Σ p·q.
#
# The bars are p again. The outlines count which letter your `verify` gave, in as many rounds as the slider says, with one draft in each; the orange lines are what luck can do. The letter may be accepted or corrected: it has to come out as p wants it.

# %%
plot.draws(verify, course.model, counts)

# %% [markdown]
# Try the mistake, to see it: after a rejection draw from `p[n]`, and not from `residual_distribution(p[n], q[n])`; run the exercise's cell and the picture again. (Who took the simpler way above cannot make it.) Letters that the draft model likes too much come out too often. (Then mend it.)

# %% [markdown]
# ## 14.6 Take it back
#
# The target has read all the drafts, and its caches hold them, the rejected ones too. They have to go, from every layer. Your `KVCache` of lab 05 makes it easy: `length` says how many slots
# count, and the others may hold whatever was in them. The next `update` writes over them. `Llama` takes the next position from `length`, so it goes back too. (Lab 13's ring cannot: what was overwritten is gone.) Nothing is copied, and the buffers stay as long as they were: a cache cut short has no room for what comes
# ([transformers#30312](https://github.com/huggingface/transformers/issues/30312) is about such a cut).


# %%
# EXERCISE 14.6 · rewind
def rewind(caches: list[KVCache], length: int) -> None:
    """Forget all positions from `length` on, in every layer. In place.

    ValueError where length is negative, or more than the positions that are there, which are as many
    in every layer. Then nothing is changed.

    >>> cache = KVCache.empty(batch=1, n_kv_heads=1, max_len=4, head_dim=2)
    >>> _ = cache.update(torch.ones(1, 1, 3, 2), torch.ones(1, 1, 3, 2))
    >>> rewind([cache], 1)
    >>> cache.length
    1
    """
    ### BEGIN SOLUTION
    for cache in caches:
        if not 0 <= length <= cache.length:
            raise ValueError(f"cannot go back to {length}: {cache.length} positions are here")
    for cache in caches:
        cache.length = length
    ### END SOLUTION


# %%
check.rewind(rewind)

# %% [markdown]
# Three layers with eight slots each. Six positions were read, then your `rewind` took back all from the slider on, and then two new ones came. Filled slots count; hatched ones hold something, and nobody will read it.

# %%
plot.slots(rewind, KVCache)

# %% [markdown]
# ## 14.7 What it brings
#
# How many tokens does a call of the target give? One is certain. A second needs the first draft to be accepted, with probability α. A third needs two accepted, α². If all places were alike and independent of one
# another, then with n drafts
#
# $$1 + \alpha + \alpha^2 + \dots + \alpha^n$$
#
# **Predict.** α is 0.8 and n grows without end. How many tokens does a call give in the best case: 5, 8, or as many as you like?


# %%
# EXERCISE 14.7 · expected_tokens
def expected_tokens(alpha: float, n_draft: int) -> float:
    """Tokens per call of the target, on average, when each draft is accepted with probability alpha.

    1 + alpha + … + alpha^n_draft; alpha from 0 to 1, both included, n_draft from 0.

    >>> expected_tokens(0.5, 2), expected_tokens(1.0, 4)
    (1.75, 5.0)
    """
    ### BEGIN SOLUTION
    return float(sum(alpha**i for i in range(n_draft + 1)))
    ### END SOLUTION


# %%
check.expected_tokens(expected_tokens)

# %% id="many-drafts"
show("alpha 0.8, with 1, 4, 16 and 64 drafts", lambda: [
    round(expected_tokens(0.8, n), 2) for n in (1, 4, 16, 64)
])  # fmt: skip

# %% [markdown]
# <details><summary>Answer</summary>
#
# 5, which is 1 / (1 − α). Long guesses are cut off by the first mistake in them.
#
# </details>

# %% [markdown]
# ## 14.8 What it costs
#
# Drafts are not free. Let a token of the target alone cost 1. Each drafted token costs `draft_cost`, and the call that checks them costs `verify_cost`: it reads the same weights, and computes more. (14.0 has measured it.) Then a round costs
# n · draft_cost + verify_cost, and the speedup is tokens over cost.


# %%
# EXERCISE 14.8 · speedup
def speedup(alpha: float, n_draft: int, draft_cost: float, verify_cost: float = 1.0) -> float:
    """How many times faster than the target alone, whose token costs 1.

    expected_tokens over the cost of a round: draft_cost for each of the n_draft drafted tokens, and
    verify_cost once, for the target's call on n_draft + 1 tokens.

    >>> round(speedup(0.8, 4, draft_cost=0.1), 4)   # 3.3616 tokens for 4 · 0.1 + 1
    2.4011
    >>> round(speedup(0.3, 4, draft_cost=0.3), 2)   # a bad and slow draft makes it slower
    0.65
    """
    ### BEGIN SOLUTION
    return expected_tokens(alpha, n_draft) / (n_draft * draft_cost + verify_cost)
    ### END SOLUTION


# %%
check.speedup(speedup)

# %% [markdown]
# Speed against the number of drafts. (What checking a draft costs you can read off 14.0: what five tokens took beyond one, divided by four.) Below the line at 1 it would be better not to guess at all. The dot is the best number of drafts.
#
# **Predict.** The drafts get worse, α from 0.9 to 0.5, at a draft cost of 0.1. Should you then guess more tokens at a time, or fewer?

# %%
plot.speeds(speedup)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Fewer: 10 at 0.9, 2 at 0.5. With drafts that cost nothing, more is never worse, as long as the target's call does not get longer. On a real machine it does.
#
# </details>

# %% [markdown]
# ## 14.9 The loop
#
# All of it becomes one function, and from outside it looks like `generate` of lab 10. A draft is anything that can be called with the text so far, how many tokens are wanted, and the generator, and gives back its guesses and the
# probabilities that they were drawn from. Two are given: one that looks the text up, with your 14.1, and one that asks a second model. The second has caches of its own, and takes them back with your `rewind`.


# %%
# GIVEN · LookupDraft
class LookupDraft:
    """Guesses by lookup_draft. It is certain of each: q is 1 there."""

    def __init__(self, vocab_size: int, longest: int = 3) -> None:
        self.vocab_size, self.longest = vocab_size, longest

    def __call__(
        self, ids: Tensor, n: int, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """ids: (T,) → drafts (m,), q (m, V), m at most n."""
        drafts = lookup_draft(ids, n, self.longest)
        return drafts, F.one_hot(drafts, self.vocab_size).float()


# %%
# GIVEN · ModelDraft
class ModelDraft:
    """A second model guesses, with caches of its own; it reads only what is new to it."""

    def __init__(self, model: Any, max_len: int, temperature: float = 1.0) -> None:
        self.model, self.temperature = model, temperature
        self.caches = model.new_caches(1, max_len)
        self.read: list[int] = []  # the tokens that are in the caches

    @torch.no_grad()
    def __call__(
        self, ids: Tensor, n: int, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """ids: (T,) → drafts (n,), q (n, V): drawn one after the other."""
        text, same = ids.tolist(), 0
        while same < min(len(self.read), len(text) - 1) and self.read[same] == text[same]:
            same += 1
        # Lab 11's decoder has one cache for all layers; rewind only needs its `length`.
        rewind(self.caches if isinstance(self.caches, list) else [self.caches], same)
        rows = [torch.zeros(0, self.model.config.vocab_size)]
        self.read, new = text[:same], text[same:]
        for _ in range(n):
            # A prompt goes in at once, a few tokens one by one: lab 11's kernel likes that.
            for part in [new] if len(new) > 4 else [[token] for token in new]:
                logits = self.model(torch.tensor([part]), self.caches)[:, -1].float()  # (1, V)
            self.read += new
            rows.append(apply_temperature(logits, self.temperature).softmax(dim=-1))
            new = [int(torch.multinomial(rows[-1][0], 1, generator=generator))]
            text = [*text, *new]
        return torch.tensor(text[len(ids) :], dtype=torch.long), torch.cat(rows)


# %% [markdown]
# A round of the loop:
#
# 1. The draft guesses, after the text so far. Ask for min(n_draft, left − 1) tokens: one comes without being guessed, and the caches have no room for more than n_new.
# 2. The target reads what it has not seen, and the drafts behind it, in **one** call. That is the whole prompt the first time; from then on it is one token, the one that verify added last.
# 3. The logits of the last m + 1 places are about the m drafts and what comes behind. Temperature, softmax, verify.
# 4. Rewind: of the drafts only the accepted ones stay in the caches. The added token is not in them yet; it is what the target reads first in the next round.
# 5. Hand the tokens out, one by one.
#
# Two endings go wrong in many code bases. A stop token may be in the middle of a round's tokens: the text ends *before* it, and what comes behind is not written ([transformers#47912](https://github.com/huggingface/transformers/issues/47912),
# [koboldcpp#1276](https://github.com/LostRuins/koboldcpp/issues/1276)). And a round may bring more tokens than are still wanted: n_new is n_new.
#
# **Predict.** The caches hold 10 tokens. The target reads the token that was added last and four drafts, and two of these are accepted. How many positions must stay in the caches: 12, 13 or 15?


# %%
# EXERCISE 14.9 · speculative_generate
Draft = Callable[[Tensor, int, torch.Generator | None], tuple[Tensor, Tensor]]


@torch.no_grad()
def speculative_generate(
    model: Llama,
    draft: Draft,
    ids: Tensor,
    n_new: int,
    n_draft: int = 4,
    temperature: float = 1.0,
    stop: Collection[int] | None = None,
    generator: torch.Generator | None = None,
) -> Iterator[int]:
    """As lab 10's generate, several tokens for each call of the model; yields ints, one by one.

    ids: (1, T). draft(text (T,), n, generator) → drafts (m,) and q (m, V), m from 0 to n, n at most n_draft:
    guesses for what follows the text so far, and the probabilities they were drawn from, at this
    temperature. One call of the model reads what its caches do not hold yet, and the drafts; then
    they are cut to the tokens that are kept. A call's tokens are yielded before the next call. The
    text ends before a token in `stop`, wherever in a call it comes, and after n_new tokens.

    >>> class AddOne:   # a model that wants t + 1 after t
    ...     def new_caches(self, batch, max_len):
    ...         return []
    ...     def __call__(self, ids, caches):
    ...         return torch.eye(10)[ids + 1]
    >>> def four(text, n, generator):   # guesses 4, always
    ...     return torch.tensor([4])[:n], torch.eye(10)[[4]][:n]
    >>> list(speculative_generate(AddOne(), four, torch.tensor([[5, 3]]), 3, temperature=0))
    [4, 5, 6]
    """
    ### BEGIN SOLUTION
    caches = model.new_caches(1, ids.shape[1] + n_new)
    text, new, left = ids[0], ids, n_new  # new: what the model has not read yet
    while left > 0:
        drafts, q = draft(text, min(n_draft, left - 1), generator)
        logits = model(torch.cat([new, drafts[None]], dim=1), caches)[0, -len(drafts) - 1 :].float()
        p = apply_temperature(logits, temperature).softmax(dim=-1)  # (m + 1, V)
        kept = verify(p, q, drafts, generator)
        text = torch.cat([text, kept])
        rewind(caches, len(text) - 1)
        new, left = kept[None, -1:], left - len(kept)
        for token in kept.tolist():
            if stop is not None and token in stop:
                return
            yield token
    ### END SOLUTION


# %%
check.speculative_generate(speculative_generate)

# %% [markdown]
# <details><summary>Answer</summary>
#
# 13: the ten, the token that was added last, and two drafts. verify adds a third token; it is in no cache yet and is read in the next round. In each round that is all of the text but its last token, `len(text) - 1`.
#
# </details>
#
# Below, the course's small Llama writes, and the drafts come from a table of how often each letter follows the last one to four letters. What stands between two gaps came out of one call of the Llama. Letters on blue were guessed and accepted, one on orange was corrected,
# one on green was free.
#
# **Predict.** The Llama gives a text of 96 letters at temperature 0, with four drafts a round. How many calls does it take: about 20, 30 or 90?

# %% id="plot-14-9"
plot.rounds(speculative_generate, course.model, counts)

# %% [markdown]
# <details><summary>Answer</summary>
#
# About 30: 96 letters in 30 calls, 3.2 a call, which is what your `expected_tokens` gives for an α of 0.78. With drafts that were always right there would be 20, and without drafts 96.
#
# </details>
#
# Move "draft reads" to 1. The drafts get worse and the calls more, but the text at temperature 0 stays the same, letter for letter: it is the Llama's. At temperature 1 another text comes out, since luck is spent in another
# way; it is drawn from the same distribution.

# %% [markdown]
# ## 14.10 The exact model, faster
#
# Now the real one. In lab 11 you have seen that a decoder on the file's 4-bit numbers is several times as fast as your float32 Llama, and that it chooses the same token nearly always, but not always. Here are both. Let the fast one
# guess, and the exact one decide: the text is then that of the exact one.
#
# The draft model costs no training and no second file. It is your own model, in fewer bits.
#
# **Predict.** By the table of 11.6 the 4-bit copy takes a third of the exact one's time for a token, or what it was with you. A call with thirteen tokens costs about 2.5 times one with a single token, or what 14.0 showed. With twelve drafts a round and α at 0.98, how many times faster will the exact text come? Your `speedup` knows; put in your own numbers.

# %% id="by-the-formula"
show("times faster, by the formula", lambda: round(speedup(0.98, 12, 0.33, 2.5), 2))

# %% id="measure-exact"
torch.set_num_threads(threads)  # with all processors, as in lab 11
quick = plot.four_bit(path, dequantize_q4_1)
plot.exact(speculative_generate, generate, ModelDraft, target, quick, chat_prompt, tokenizer)

# %% [markdown]
# <details><summary>Answer</summary>
#
# One and a half to two times, and less where something else runs beside it; the formula says 1.8 for these costs. Of a round's 6.5 (in tokens of the target) twelve drafts are 4 and the checking call is 2.5. What would gain most is a draft model that is smaller, and not only in fewer bits.
#
# </details>
#
# The texts are equal, token for token, though the target computed its logits in another shape, thirteen rows at a time, and rounded a little differently. Where two tokens have nearly the same logit that can
# decide between them; then a text may part there, and both are greedy decoding. Its line then ends with the distance between the two logits.
#
# A draft for nothing, `LookupDraft`, can be put in front of any target, the 4-bit one too. It is worth it where the answer repeats what stands there already. The first row is asked for a short story. The second is to repeat a sentence three times; the first copy and the beginning of the second one are written for it.

# %% id="measure-lookup"
plot.looked_up(speculative_generate, generate, LookupDraft, target, chat_prompt, tokenizer)

# %% [markdown]
# A call of six tokens costs about twice a call with one, so a round with guesses has to give more than two tokens. A round in which nothing was found costs what it always did. Looking up gains only where it is right several times in a row.

# %% [markdown]
# ### Your Llama, with a hint
#
# Ask it something. Blue tokens were guessed by the 4-bit copy and accepted by your exact Llama, orange ones corrected, green ones free. Choose who guesses, and how many tokens at a time.

# %% id="your-llama"
plot.your_llama(
    speculative_generate,
    {"the 4-bit copy": ModelDraft, "the text so far": LookupDraft},
    target,
    quick,
    chat_prompt,
    tokenizer,
)

# %% [markdown]
# ## 14.11 Where it lives in Llama 3
#
# | | here | with Llama 3 |
# |---|---|---|
# | target | SmolLM2-135M in float32 | Llama 3.1 70B or 405B |
# | draft | the same weights in 4 bits | Llama 3.2 1B or Llama 3.1 8B: the same vocabulary of 128,256 |
# | drafts a round | 12 | a few |
#
# The one condition on a draft model is that it has the same tokens, since p and q are compared token by token. That is where a family of models of different sizes is worth something.
#
# One step further, the model drafts for itself. Small extra heads are trained that guess the second and third token behind the current one, and the model's next call checks them: *multi-token prediction*. Nothing changes for `verify`.

# %% [markdown]
# ## What you built
#
# `lookup_draft`, `accept_probability`, `residual_distribution`, `count_accepted`, `verify`, `rewind`, `expected_tokens`, `speedup` and `speculative_generate`. Three questions to think about:
#
# 1. A server answers 200 users in one batch. Is speculative decoding worth as much there as for one user?
# 2. Temperature 0, and draft and target agree on the likeliest token in 95 % of places. What is α then? And at temperature 1, if all you know is that?
# 3. Somebody filters the target with top-p, and the draft not. Is the text still distributed as the filtered target says?
#
# <details><summary>Answers</summary>
#
# 1. With short texts, no: 200 rows use most of the computing power already, so that checking five tokens costs several times as much, on lab 12's H100 up to 3.4 times. With long texts, yes: the caches are what a call waits for, and they are read once for all five. 2. 0.95: both distributions are certain, and they share
# their token or nothing. At temperature 1 it says little: α is the overlap of all of p and q. 3. Yes. p is whatever the target is to be drawn from, and q whatever the drafts were really drawn from. A draft that p has removed is rejected always; the text only gets slower.
#
# </details>
#
# Decoding was slow because every token reads all the weights and the whole cache: you kept what had been computed (05), shared it between heads (06), stored it in fewer bytes (11, 12), and now one reading of the weights serves several tokens. Every step of that is in the programs that run Llama 3 today, and every step
# you have written yourself. This was the last lab.

# %% id="save"
from checks import pieces

pieces.save(check)

# %% id="grade"
from checks import colab

colab.grade()
