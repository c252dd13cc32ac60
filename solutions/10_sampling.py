# %% [markdown]
# # 10 · Sampling
#
# *70 minutes without 10.4, which may be skipped: 35 to read and try, 35 to write. With it it takes 80. The cells compute for about two minutes, half of them between stammer and babble, in 10.6.*
#
# A trained Llama does not write. It reads a text and gives a number to each token that might come next, and there it stops.
# Something has to choose. In this lab you write that choice: temperature, top-k, top-p, min-p, the draw itself, and the loop that makes a text of it
# and shows each token as soon as it is there. The same weights will stammer, speak or babble, as you like.

# %% id="setup"
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# %% id="imports"
from collections.abc import Collection, Iterator

import torch
from my_llama import Llama, LlamaConfig, decode, encode, generate_greedy
from torch import Tensor

from checks import sampling as check
from checks import trained
from plots import sampling as plot
from plots.show import show

# %% [markdown]
# House rules, as in every lab: inputs stay as they are; new tensors go on the inputs' device; half precision is computed in float32 and
# given back in its dtype; gradients flow.
#
# ## 10.0 The problem: who chooses?
#
# Here is your `Llama` of lab 08 with weights that the course has trained much as you did in lab 09, but longer: 3 layers of width 96, on the plays of lab 01, character by
# character. Its table is tied (lab 08), and it has never seen more than 128 characters at once. All numbers in this lab are its own. The Llama that *you* trained takes over in 10.6, where it writes.

# %% id="model"
from assets import shakespeare

shakespeare.fetch()  # the plays, for the words that Shakespeare knew
torch.set_num_threads(1)  # with tensors this small, waiting for a second thread takes longest
course = trained.shakespeare(Llama, LlamaConfig, own=False)
model, vocab = course.model, course.vocab
print(f"{sum(p.numel() for p in model.parameters()):,} weights")

# %% [markdown]
# What may come next, the likeliest first, after three beginnings:


# %% id="after"
def read(text: str) -> Tensor:
    return torch.tensor([encode(text, vocab)])  # (1, T)


@torch.no_grad()
def after(text: str, n: int = 6) -> str:
    share, ids = model(read(text))[0, -1].softmax(-1).topk(n)
    return "   ".join(
        f"{vocab[i]!r} {p:.3f}" for p, i in zip(share.tolist(), ids.tolist(), strict=True)
    )


for line in ("ROMEO:\nO, the q", "ROMEO:\nO, th", "ROMEO:\nThe "):
    print(repr(line), "→", after(line))

# %% [markdown]
# After "q" the model is certain. After "th" four letters share the probability, and after "The " any word may begin. Lab 05 chose the largest logit, always:
# *greedy* decoding. If the model is good, always taking the likeliest letter should give good text.
#
# **Predict.** What does greedy decoding write: the most convincing Shakespeare, the same few words again and again, or noise?

# %% id="greedy"
with torch.no_grad():
    text = decode(generate_greedy(model, read("ROMEO:\n"), 120)[0].tolist(), vocab)
print(text)
print("\nthe first letters after each “the ”:")
for end in (i + 4 for i in range(len(text)) if text.startswith("the ", i)):
    print(repr(text[end - 9 : end]), "→", after(text[:end], 4))

# %% [markdown]
# <details><summary>Answer</summary>
#
# The same few words: the state, the world, the seat. The lines below the text show why. After "the " the likeliest letter is s or w every time, with 0.09.
# All the others have 0.8 together, and not one of them is ever written.
#
# </details>
#
# Large models do it too. Holtzman and others ([1904.09751](https://arxiv.org/abs/1904.09751)) found that decoding for the greatest probability gives text that is "bland,
# incoherent, or gets stuck in repetitive loops", and that people do not write like that: in their texts likely words alternate with surprising ones. The model
# knows that. It says so in its probabilities, and greedy decoding throws all but the first of them away. So: draw from them.

# %% [markdown]
# ## 10.1 Temperature
#
# Before you draw, you want a dial: how much chance? Divide the logits $z_i$ by a temperature $\tau$ first (papers write T, which is the number of positions in this course):
#
# $$p_i = \frac{e^{z_i / \tau}}{\sum_j e^{z_j / \tau}}$$
#
# $p_i$ is the probability of token $i$; the sum runs over all tokens $j$. The name and the formula come from physics (there $z$ is minus the energy). Neural networks have had
# them since the Boltzmann machine ([Ackley, Hinton and Sejnowski 1985](https://doi.org/10.1207/s15516709cog0901_7)).
#
# At temperature 0 the formula divides by zero. What is meant is the limit: everything on the largest logit. Treat 0 as a case of its own, with
# -∞ for the others, since $e^{-\infty} = 0$. Of equal logits let the first win, as argmax does: greedy decoding should not depend on luck.
#
# **Predict.** Two tokens, one twice as likely as the other: 2/3 and 1/3. At temperature 0.5, how many times as likely is it: 1.4, 2, or 4 times?


# %%
# EXERCISE 10.1 · apply_temperature
def apply_temperature(logits: Tensor, temperature: float) -> Tensor:
    """Divide logits by a temperature; 0 keeps only the largest, of equals the first.

    logits: (..., V) → (..., V), same dtype; at temperature 0 all others become -inf, and
    which number stays does not matter.

    >>> apply_temperature(torch.tensor([[1.0, 3.0, 2.0]]), 0.5)
    tensor([[2., 6., 4.]])
    >>> apply_temperature(torch.tensor([[1.0, 3.0, 2.0]]), 0)
    tensor([[-inf, 3., -inf]])
    """
    ### BEGIN SOLUTION
    if temperature == 0:
        first = logits.argmax(dim=-1, keepdim=True)  # (..., 1)
        places = torch.arange(logits.shape[-1], device=logits.device)  # (V,)
        return torch.where(places == first, logits, -torch.inf)
    return logits / temperature
    ### END SOLUTION


# %%
check.apply_temperature(apply_temperature)

# %% id="two-tokens"
two = torch.tensor([[2 / 3, 1 / 3]]).log()
show("at temperature 0.5", lambda: apply_temperature(two, 0.5).softmax(-1))

# %% [markdown]
# <details><summary>Answer</summary>
#
# 4 times: 0.8 and 0.2. Dividing the logits by τ raises the probabilities to the power 1/τ (and makes their sum 1 again): 2² = 4. At 2 it is √2 ≈ 1.4 times. At 1 nothing
# changes, and hotter and hotter all tokens become equally likely.
#
# </details>
#
# Now the letters after three beginnings. On the left are the 20 likeliest of the 64 letters; the axis is stretched by square roots, so that small probabilities can be seen. On the right is the **entropy**,
# $-\sum_i p_i \log_2 p_i$: how many bits of surprise the next letter brings on average. 0 is certainty, 6 bits are 64 equally likely letters. Each beginning has its curve, and the dot is where you are.

# %%
plot.temperature(apply_temperature, model)

# %% [markdown]
# The three curves begin and end together, and take different ways. At 1.5 "u" still has 0.97 after "O,·the·q", while after "O,·th" 2.5 bits are open. At 2 it has 0.86, and only at 5 is it nearly as flat as the others. Temperature does
# not add the same amount of chance everywhere. It divides the differences that the model sees by the same number in every place.

# %% [markdown]
# ## 10.2 Top-k: cut off the tail
#
# One draw hides the danger; a long text shows it. Suppose a model of 128,256 tokens gives each of 100,000 nonsensical ones a probability of one in a million.
#
# **Predict.** A text of 100 tokens is drawn. How likely is it that it contains at least one piece of nonsense: about 0.1 %, 10 %, or more than 99 %?

# %% id="tail"
tail = 100_000 * 1e-6
print(f"nonsense at one token: {tail:.0%}, in 100 tokens: {1 - (1 - tail) ** 100:.3%}")

# %% [markdown]
# <details><summary>Answer</summary>
#
# More than 99 %. Each of them is rare, but together they hold a tenth of the probability. One is enough to spoil the text: the model goes on from what it has read, and its next token
# continues the nonsense.
#
# </details>
#
# So cut off the tail. The simplest way is Fan, Lewis and Dauphin's, who used it for stories ([1805.04833](https://arxiv.org/abs/1805.04833)): keep the k likeliest tokens. What is
# removed gets the logit -∞, and what stays is not touched. Logits in, logits out: then filters can be chained, and the softmax at the end shares the whole
# probability among those that are left.


# %%
# EXERCISE 10.2 · top_k
def top_k(logits: Tensor, k: int) -> Tensor:
    """Keep the k largest logits; all others become -inf.

    logits: (..., V), k at least 1; a k above V keeps all → (..., V) in the same order. What equals
    the k-th may stay too.

    >>> top_k(torch.tensor([[1.0, 4.0, 2.0, 3.0]]), 2)
    tensor([[-inf, 4., -inf, 3.]])
    """
    ### BEGIN SOLUTION
    k = min(k, logits.shape[-1])
    kth = logits.topk(k).values[..., -1:]  # (..., 1): the smallest that stays
    return torch.where(logits < kth, -torch.inf, logits)
    ### END SOLUTION


# %%
check.top_k(top_k)

# %% [markdown]
# Left: solid is what stays, at its new probability; hatched is what is removed, at its old one (less than 0.0001 is not drawn). Right: the old probabilities on top of one another, the likeliest first. Where the solid part of the staircase ends,
# you read off how much of the probability is kept.
#
# **Predict.** The same k = 5 for three beginnings. After which of them is the most probability cut away: "…the q", "…th" or "…The "? Move "read so far" to see.

# %%
plot.filter_k(top_k, model)

# %% [markdown]
# <details><summary>Answer</summary>
#
# After "…The ". There the five likeliest letters have little more than a third of the probability, and all other letters are forbidden, good ones too. After "…the q", on the
# other hand, k = 5 lets four letters in that are nearly impossible. One k cannot be right for both.
#
# </details>

# %% [markdown]
# ## 10.3 Top-p: as many as it takes
#
# So let the number follow from the distribution: keep the likeliest tokens until together their probability reaches p. That is Holtzman's *nucleus*
# ([1904.09751](https://arxiv.org/abs/1904.09751)): the smallest set $N$ of tokens with
#
# $$\sum_{i \in N} p_i \ge p$$
#
# $p_i$, with an index, is a token's probability, as before. $p$ alone is the number you choose, from 0 to 1.
#
# "Reaches p" is where many stumble: the token with which the sum reaches p belongs to the set. Leave it out, and with a p of 0.9 and a likeliest token of 0.95
# nothing is left at all. This has been got wrong in public again and again
# ([reasoning-from-scratch#164](https://github.com/rasbt/reasoning-from-scratch/issues/164), [esm#360](https://github.com/Biohub/esm/pull/360),
# [fish-speech#1171](https://github.com/fishaudio/fish-speech/pull/1171)).
#
# There is a trap at the other end. With p = 1 everything should stay. But add up the likely tokens in float32, and the sum is 1.0 long before the tail: what is smaller than
# 0.00000006 disappears in it. Small numbers first is how a sum keeps them.
#
# So sort from small to large, and add up: a token goes if the sum up to and including it is at most 1 − p. `sort` gives the order; `scatter(-1, order, keep)` puts the decisions back in their places.
#
# The ascending way has a trap of its own. With p = 1e-8, 1 − p is 1.0 in float32 and no token is left ([mlx-lm#1912](https://github.com/ml-explore/mlx-lm/pull/1912)). So keep the last one always.
#
# **Predict.** Probabilities 0.6, 0.25 and 0.15, p = 0.8. How many tokens stay: one, two or three?


# %%
# EXERCISE 10.3 · top_p
def top_p(logits: Tensor, p: float) -> Tensor:
    """Keep the smallest set of the likeliest tokens whose probabilities reach p; never none.

    logits: (..., V), p from 0 to 1; 1 keeps all of probability above 0 → (..., V) in the same
    order, the others -inf.

    >>> logits = torch.tensor([[0.09, 0.5, 0.41]]).log()
    >>> top_p(logits, 0.9).exp()   # 0.5 is not enough, 0.5 + 0.41 is
    tensor([[0.0000, 0.5000, 0.4100]])
    >>> top_p(logits, 0.0).exp()
    tensor([[0.0000, 0.5000, 0.0000]])
    """
    ### BEGIN SOLUTION
    ascending, order = logits.float().softmax(dim=-1).sort(dim=-1)
    keep = ascending.cumsum(dim=-1) > 1 - p  # with all that are less likely: more than 1 - p
    keep[..., -1] = True
    keep = torch.zeros_like(keep).scatter(-1, order, keep)  # back to the tokens' own places
    return torch.where(keep, logits, -torch.inf)
    ### END SOLUTION


# %%
check.top_p(top_p)

# %% id="three-tokens"
three = torch.tensor([[0.6, 0.25, 0.15]]).log()
show("p = 0.8 leaves", lambda: top_p(three, 0.8).exp())

# %% [markdown]
# <details><summary>Answer</summary>
#
# Two. 0.6 does not reach 0.8; 0.6 + 0.25 does.
#
# </details>
#
# The dashed line on the right is p. The step that crosses it must stay solid. Move "read so far" at p = 0.9: one token stays after "…the q", four after "…th", and 18 after "…The ". The same number means something sensible in all three
# places.

# %%
plot.filter_p(top_p, model)

# %% [markdown]
# ## 10.4 Min-p: at least p times as likely as the likeliest
#
# *You may skip this section.* Meta's own code draws with top-p, and nothing to come needs min-p.
#
# When the temperature rises, the distribution becomes flat and the nucleus large. After "O, th" it needs 4 of the 64 letters at temperature 1 to reach 0.9, and 30 at temperature 3: the tail is back. Nguyen and others
# ([2407.01082](https://arxiv.org/abs/2407.01082)) compare with the likeliest token instead: keep token $i$ if
#
# $$p_i \ge p \cdot \max_j p_j$$
#
# $p$, from 0 to 1, is now a share of the largest probability.
#
# **Predict.** p is 0.1, and a token has probability 0.05. In one row the likeliest has 0.4, in another 0.95. Where does the token stay: in both, only in the first, or only in the second?


# %%
# EXERCISE 10.4 · min_p
def min_p(logits: Tensor, p: float) -> Tensor:
    """Keep the tokens that are at least p times as likely as the likeliest.

    logits: (..., V), p from 0 to 1 → (..., V) in the same order, the others -inf.

    >>> logits = torch.tensor([[0.5, 0.3, 0.04, 0.16]]).log()
    >>> min_p(logits, 0.2).exp()   # the threshold is 0.2 · 0.5
    tensor([[0.5000, 0.3000, 0.0000, 0.1600]])
    """
    ### BEGIN SOLUTION
    probabilities = logits.float().softmax(dim=-1)
    keep = probabilities >= p * probabilities.amax(dim=-1, keepdim=True)
    return torch.where(keep, logits, -torch.inf)
    ### END SOLUTION


# %%
check.min_p(min_p)

# %% id="two-rows"
rows = torch.tensor([[0.4, 0.3, 0.25, 0.05], [0.95, 0.05, 0.0, 0.0]]).log()
show("p = 0.1 leaves", lambda: min_p(rows, 0.1).exp())

# %% [markdown]
# <details><summary>Answer</summary>
#
# Only in the first. The threshold is 0.04 there; in the second row it is 0.095. Where the model is sure, min-p is strict.
#
# </details>
#
# The same bars twice, at the height they had before the filter: top-p at 0.9 beside min-p at 0.1, with min-p's threshold as a dashed line. On the right, how many letters stay. Play the temperature: after "O, th" top-p's number grows from 4 to 30, min-p's from
# 4 to 7, because the threshold sinks with the highest bar.
#
# **Predict.** After "The ", where many letters are about equally likely: which of the two keeps more letters at temperature 3?

# %%
plot.filter_min_p(min_p, top_p, apply_temperature, model)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Min-p: 51 against 41. Where the model has no favourite, hardly any letter is ten times less likely than the likeliest. Min-p is strict where the model is sure, and lenient where it is not.
#
# </details>
#
# Transformers, vLLM and llama.cpp offer it. Whether it is better is disputed: a second look at the paper's evidence found no advantage over the older filters when all of them are tuned
# with equal care ([2506.13681](https://arxiv.org/abs/2506.13681)). `generate` below leaves it out, to stay short; where in its loop would it stand?

# %% [markdown]
# ## 10.5 The draw
#
# There are three ways to draw. `torch.multinomial` does it for you. Or draw one uniform number u and see where it falls in the cumulative sum. Or add Gumbel noise, −log(−log u) with a new u for each
# token, to the logits, and take the argmax: it gives exactly the softmax's probabilities, without computing a softmax. Take the one you like: the check counts thousands of draws, and does
# not mind how you got them.
#
# The second way has a trap. In float32 the sum may end at 0.99999, and a u above it falls on token V, which does not exist. Multiply u by the last sum first.
#
# A `torch.Generator` is a source of random numbers with a memory. Whoever passes one in wants the same text again later, so every random number must come from it. None means torch's own, which `torch.manual_seed` sets.
#
# **Predict.** You build a generator with seed 7 and call `sample` twice with it. Are the two results the same, or different?


# %%
# EXERCISE 10.5 · sample
def sample(logits: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw one token for each row, with the probabilities of the softmax.

    logits: (B, V) → (B,) int64. generator: the source of all luck; None is torch's own.

    >>> sample(torch.tensor([[-torch.inf, 0.0, -torch.inf], [2.0, -torch.inf, -torch.inf]]))
    tensor([1, 0])
    """
    ### BEGIN SOLUTION
    probabilities = logits.float().softmax(dim=-1)
    return torch.multinomial(probabilities, 1, generator=generator).squeeze(-1)
    ### END SOLUTION


# %%
check.sample(sample)

# %% id="seeds"
flat = torch.zeros(1, 1000)
seven, another_seven = (torch.Generator().manual_seed(7) for _ in range(2))
show("first and second call", lambda: [sample(flat, seven).item() for _ in range(2)])
show("a new generator, the same seed", lambda: sample(flat, another_seven).item())

# %% [markdown]
# <details><summary>Answer</summary>
#
# Different: each call takes numbers from the generator, and it moves on. A new one with the same seed begins the same row again.
#
# </details>
#
# All of it together, for "O, th", with k = 10 and p = 0.9. The solid bars are the probabilities, the outlines what your `sample` has drawn. Play the number of draws.
#
# **Predict.** From 50 draws to 5,000, a hundred times as many: how much shorter do the orange lines become, which show what luck can do: a hundred times, 50 times, or 10 times?

# %%
plot.draws(apply_temperature, top_k, top_p, sample, model)

# %% [markdown]
# <details><summary>Answer</summary>
#
# 10 times: the error of a share falls with the square root of the number of draws. This is why the check of 10.5 draws thousands of times before it says anything.
#
# </details>

# %% [markdown]
# ## 10.6 Text, as it comes
#
# Now the loop. It has three parts that you know: the cache, the settings, the draw. `model.new_caches(1, max_len)` of lab 08 makes the caches, with room for prompt and new tokens, and `model(ids, caches)` fills them: the prompt
# goes in once, then each new token by itself. Two things are new, and one needs a decision.
#
# **It stops.** Llama 3 has one token that ends a text, and another that ends a turn of a conversation. `stop` holds such ids. When one is drawn, the text is over. The stop token itself is not
# part of the text.
#
# **It streams.** A reader does not want to wait for the last token to see the first. A Python function with `yield` in it is a *generator function*: calling it computes nothing, and
# each turn of the caller's `for` loop runs it up to the next `yield`. (It has nothing to do with torch.Generator, except that both are sometimes in the same line.)
#
# **The order** is the decision. Here: temperature, then top-k, then top-p, then the draw. It matters: p measures probabilities, and it should measure those that are drawn from. So do Hugging Face's
# [transformers](https://github.com/huggingface/transformers/blob/main/src/transformers/generation/utils.py) (with min-p after top-p) and Meta's own
# [code](https://github.com/meta-llama/llama3/blob/main/llama/generation.py), which has no top-k. [llama.cpp](https://github.com/ggml-org/llama.cpp/blob/master/common/common.h) does it differently: its default puts
# the temperature last, so that heat never brings back what p has removed at temperature 1.


# %%
# EXERCISE 10.6 · generate
@torch.no_grad()
def generate(
    model: Llama,
    ids: Tensor,
    n_new: int,
    temperature: float = 1.0,
    k: int | None = None,
    p: float | None = None,
    stop: Collection[int] | None = None,
    generator: torch.Generator | None = None,
) -> Iterator[int]:
    """Write n_new tokens after ids (1, T); yield each, as an int, as soon as it is drawn.

    Temperature, then top_k and top_p where k and p are given, then sample. A token in `stop` ends
    the text and is not yielded. n_new tokens take n_new calls of the model: first with the prompt,
    then with each new token but the last, by itself; with new caches for each call of generate.

    >>> class AddOne:   # a model that wants t + 1 after t
    ...     def new_caches(self, batch, max_len):
    ...         return []
    ...     def __call__(self, ids, caches):
    ...         return torch.eye(10)[ids + 1]
    >>> list(generate(AddOne(), torch.tensor([[5, 3]]), 3, temperature=0))
    [4, 5, 6]
    >>> list(generate(AddOne(), torch.tensor([[5, 3]]), 3, temperature=0, stop={6}))
    [4, 5]
    """
    ### BEGIN SOLUTION
    caches = model.new_caches(1, ids.shape[1] + n_new)
    new = ids  # (1, T), later (1, 1)
    for _ in range(n_new):
        logits = model(new, caches)[:, -1].float()  # (1, V)
        logits = apply_temperature(logits, temperature)
        if k is not None:
            logits = top_k(logits, k)
        if p is not None:
            logits = top_p(logits, p)
        new = sample(logits, generator)[:, None]
        token = int(new.item())
        if stop is not None and token in stop:
            return
        yield token
    ### END SOLUTION


# %%
check.generate(generate)


# %% id="stream"
def write(prompt: str, n_new: int = 100, **settings: object) -> None:
    print(prompt, end="")
    for token in generate(model, read(prompt), n_new, **settings):
        print(vocab[token], end="", flush=True)
    print("\n")


def two_texts() -> str:
    for stop in (None, encode(".!?", vocab)):
        luck = torch.Generator().manual_seed(3)
        write("ROMEO:\nO, ", temperature=0.8, generator=luck, stop=stop)
    return "100 characters, and stopped before the first . ! or ?"


show("the same luck twice", two_texts)

# %% [markdown]
# Now everything in one picture: the letters that can come after "O, th", and a text, written anew at every setting with the same luck. Underlined are the letters whose probability at temperature 1, unfiltered, was below 0.02.
#
# **Predict.** At temperature 1 such a letter comes up 8 times in 116. How often at temperature 2, without a filter: about 10, 20 or 40 times? Move the temperature to see.

# %%
plot.regrow(generate, apply_temperature, top_k, top_p, model)

# %% [markdown]
# <details><summary>Answer</summary>
#
# About 40 times: 39. At temperature 2 every probability becomes its square root (before all are divided by their sum), and the root of a ten-thousandth is a hundredth. A third of all letters are such. So a word of five letters
# comes through without one of them in (2/3)⁵, 13 of 100 cases.
#
# </details>
#
# Filters take the tail away again. At temperature 2 try k = 3: 4 underlined letters. Then p = 0.9 with k at 64: 27, since p was measured after the heat, when the tail belonged to the 0.9. Meta's setting is 0.6 with p = 0.9: no letter is underlined.
# (These are the worked solution's numbers. If your `sample` draws in another way, its luck is another one.)
#
# Now you: your own beginning, your own settings, as often as you like. If you kept a checkpoint in lab 09, it is your own minute of training that writes here; it is read out of `my_llama/shakespeare.pt`. (Type `\n` where a new line should begin. The model reads only the letters
# and punctuation marks of the plays.) The text ends at the longest stretch that the model saw in training: 64 characters for yours, 128 for the course's. To see what happens beyond, call `write("ROMEO:\n", 300)`; lab 13 is about it.

# %% id="write-yourself"
mine = trained.shakespeare(Llama, LlamaConfig)
plot.writer(generate, mine.model, mine.context)

# %% [markdown]
# ### Between stammer and babble
#
# One text proves nothing. Your `generate` writes eight at each of five temperatures, with and without a filter, and two at temperature 0, where there is no luck. We count the pieces of five characters that have occurred before in the same text, and the
# invented words: those that occur nowhere in what the model has learned from. (Words with a capital are left out; most are names.) The cell takes about a minute.
#
# The green lines are Shakespeare's. He repeats himself too, and in the tenth of the plays that the model has never read, 4 % of his words are new to it. The third panel sets the two against each other: a good writer is where the green diamond is.
#
# **Predict.** At temperature 0, how much of the text has occurred in it before: about as much as with Shakespeare, ten times as much, or more than twenty times as much?

# %% id="plot-10-6-degeneration"
plot.degeneration(generate, model)

# %% [markdown]
# <details><summary>Answer</summary>
#
# More than twenty times as much: about a third of the pieces, and 1.4 % with Shakespeare.
#
# </details>
#
# Both curves cross his lines between 0.5 and 1. Colder, the text stammers; hotter, it babbles: at 1 its share of new words is more than twice his, at 2 more than ten times. In the third panel the way from 0 to 2 runs from the right corner to the upper one,
# and passes close to him.
#
# p = 0.9 buys heat. At 1.5 it leaves about half of the invented words. It cannot do more: what a small model has not learned, no way of choosing gives it.

# %% [markdown]
# ### What streaming is worth
#
# Your `generate` writes 121 letters after "ROMEO:⏎" once more, with a clock.
#
# **Predict.** When is the first letter there: after 1 %, 10 % or 100 % of the time that the whole text takes?

# %% id="measure-waiting"
plot.waiting(generate, generate_greedy, model)

# %% [markdown]
# <details><summary>Answer</summary>
#
# About 1 %: it is one step of 121, and the prompt is short. (A prompt of thousands of tokens goes in at once too, and then it is the prefill that one waits for.)
#
# </details>
#
# Streaming does not make the whole text come sooner. But the reader sees the first token at once, and reads while the machine writes. Chat programs do this.
#
# The last line is `generate_greedy` of lab 05, which computes the whole text anew for each letter. Even at this size and length the cache is faster, and its lead grows with each further token.

# %% [markdown]
# ## 10.7 Where it lives in Llama 3
#
# | | Llama 3 | here |
# |---|---|---|
# | tokens to choose from | 128,256 | 64 |
# | temperature, top-p | 0.6, 0.9 | as you like |
# | at temperature 0 | argmax | the same |
# | stop | end of text, 128,001; end of turn, 128,009; from 3.1 on also end of message, 128,008 | what `stop` holds |
# | streaming | not in Meta's code; in most programs | `yield` |
#
# 0.6 and 0.9 are the defaults of Meta's [generation.py](https://github.com/meta-llama/llama3/blob/main/llama/generation.py), and stand in the file `generation_config.json` that comes with the
# weights (in that of Llama 3.1 8B Instruct, for example), where every program finds them. Meta gives no reason for these numbers, and our model is another one. But look at the star in the picture of 10.6: 1 % invented words, fewer than Shakespeare has new ones, at the price of more than twice as much
# repetition as with him. For answers that is the better side to err on.
#
# Meta's `sample_top_p` keeps a token while the likelier ones have *at most* p together. Yours asks for less than p; they differ only when a sum is p to the last bit.
#
# For chatting and for stories people draw. Where one answer is right, in arithmetic or code, many take temperature 0. And even then two runs may differ: lab 05 ended with the reason.

# %% [markdown]
# ## What you built
#
# `apply_temperature`, `top_k`, `top_p`, `min_p`, `sample` and `generate`. Three questions to think about:
#
# 1. `top_k` with k = 1, `top_p` with p = 0, temperature 0, and, if you wrote it, `min_p` with p = 1: where do they differ?
# 2. Why does temperature before or after `top_k` make no difference, but before or after `top_p` it does?
# 3. With temperature 1 and no filter, the model draws exactly from the distribution that it has learned. Training made that distribution as close to Shakespeare's as its size and 6,000 steps allowed. Why does it
#    invent fewer words at 0.75?
#
# <details><summary>Answers</summary>
#
# 1. Where several logits are equal. min_p at 1 keeps all that equal the largest, top_k may, the other two keep one. 2. The temperature never changes the order of the logits, and top_k looks at the
# order only. top_p adds probabilities, and these change. 3. A model that is not sure spreads some probability over everything, since the loss punishes a zero without mercy. This tail is its
# ignorance, not Shakespeare's choice. Cooling and cutting remove it. (And one bad letter leads the model to places that it has never seen in training.)
#
# </details>
#
# Everything is there now: a model, its training, its voice. But it is tiny, it has read nine plays and nothing else, and speaks in single letters. Would the same code, your code, run a model that answers
# questions? The weights of such a model are a file of 98 MB, in a format you have not met. The next lab, **11 · Real weights**, opens it.

# %% id="save"
from checks import pieces

pieces.save(check)

# %% id="grade"
from checks import colab

colab.grade()
