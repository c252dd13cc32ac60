# %% [markdown]
# # 10 · Sampling
#
# A trained Llama does not write. It reads a text and gives a number to each token that might come next, and there it stops.
# Somebody has to choose. In this lab you write the choosing: temperature, top-k, top-p, min-p, the draw itself, and the loop that makes a text of it
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
from plots import sampling as plot
from plots.show import show

# %% [markdown]
# ## 10.0 The problem: who chooses?
#
# Here is your `Llama` of lab 08 with weights that were trained as in lab 09, only longer: 3 layers of width 96, on the plays of lab 01, character by
# character. It has never seen more than 128 characters at once.

# %% id="model"
from assets import shakespeare_llama

vocab = shakespeare_llama.VOCAB
model = Llama(LlamaConfig(**shakespeare_llama.CONFIG))
missing, unexpected = model.load_state_dict(shakespeare_llama.weights(), strict=False)
assert not unexpected and set(missing) <= {"output.weight"}  # tied: some write it, some do not
print(f"{sum(p.numel() for p in model.parameters()):,} weights")


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
# *greedy* decoding. If the model is good, the likeliest text should be the best text.
#
# **Predict.** What does greedy decoding write: the most convincing Shakespeare, the same few words again and again, or noise?

# %% id="greedy"
with torch.no_grad():
    print(decode(generate_greedy(model, read("ROMEO:\n"), 120)[0].tolist(), vocab))

# %% [markdown]
# <details><summary>Answer</summary>
#
# The same few words: the state, the world, the state, the seat, the world. A word that has just occurred is a little likelier to come again, greedy
# decoding takes it, and then it is likelier still.
#
# </details>
#
# Large models do it too. Holtzman and others ([1904.09751](https://arxiv.org/abs/1904.09751)) found that decoding for the greatest probability gives text that is "bland,
# incoherent, or gets stuck in repetitive loops", and that people do not write like that: in their texts likely words alternate with surprising ones. The model
# knows that. It says so in its probabilities, and greedy decoding throws all but the first of them away. So: draw from them.

# %% [markdown]
# ## 10.1 Temperature
#
# Before drawing one wants a handle: how much chance? Divide the logits $z_i$ by a temperature $T$ first:
#
# $$p_i = \frac{e^{z_i / T}}{\sum_j e^{z_j / T}}$$
#
# $p_i$ is the probability of token $i$. The name and the formula come from physics (there $z$ is minus the energy); neural networks have had
# them since the Boltzmann machine of 1985.
#
# **Predict.** Two tokens, one twice as likely as the other. At temperature 0.5, how many times as likely is it: 1.4, 2, or 4 times?
#
# At temperature 0 the formula divides by zero. What is meant is the limit: everything on the largest logit. Your function has to say that in words of its own, with
# -∞ for the others, since $e^{-\infty} = 0$. Of equal logits let the first win, as argmax does: greedy decoding should not depend on luck.


# %%
# EXERCISE 10.1 · apply_temperature
def apply_temperature(logits: Tensor, temperature: float) -> Tensor:
    """Divide logits by a temperature; 0 keeps only the largest, of equals the first.

    logits: (..., V) → (..., V), same dtype; at temperature 0 all others become -inf.

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

# %%
plot.temperature(apply_temperature, model)

# %% [markdown]
# <details><summary>Answer</summary>
#
# 4 times. Dividing the logits by T raises the probabilities to the power 1/T (and makes their sum 1 again): 2² = 4. At T = 2 it is √2 ≈ 1.4 times. At 1 nothing
# changes, and hotter and hotter all tokens become equally likely.
#
# </details>
#
# On the right is the entropy, $-\sum_i p_i \log_2 p_i$: how many bits of surprise the next token brings. 0 is certainty, 6 bits are 64 equally likely
# tokens. Look at "…the·q": there even temperature 2 leaves no doubt. Temperature does not add the same amount of chance everywhere. It stretches what the model thinks.

# %% [markdown]
# ## 10.2 Top-k: cut off the tail
#
# Drawing has a danger that one letter does not show. Suppose a model of 128,256 tokens gives each of 100,000 nonsensical ones a probability of one in a million.
#
# **Predict.** A text of 100 tokens is drawn. How likely is it that it contains at least one piece of nonsense: about 0.1 %, 10 %, or more than 99 %?

# %% id="tail"
tail = 100_000 * 1e-6
print(f"nonsense at one token: {tail:.0%}, in 100 tokens: {1 - (1 - tail) ** 100:.3%}")

# %% [markdown]
# <details><summary>Answer</summary>
#
# More than 99 %. Each of them is rare; together they are a tenth of the probability. And one of them is enough: the model goes on from what it has read, and its next token
# continues the nonsense.
#
# </details>
#
# So the tail goes. The simplest way is Fan, Lewis and Dauphin's, who used it for stories ([1805.04833](https://arxiv.org/abs/1805.04833)): keep the k likeliest tokens. What is
# removed gets the logit -∞, and what stays is not touched. Logits in, logits out: then filters can stand behind one another, and the softmax at the end shares the whole
# probability among those that are left.


# %%
# EXERCISE 10.2 · top_k
def top_k(logits: Tensor, k: int) -> Tensor:
    """Keep the k largest logits; all others become -inf.

    logits: (..., V), k at least 1; above V it keeps all → (..., V) in the same order. What equals
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
# Solid is what stays, at its new probability; hatched is what goes, at its old one.
#
# **Predict.** The same k = 5 for three beginnings. After which of them does it do the most harm: "…the q", "…th" or "…The "?

# %%
plot.filter_k(top_k, model)

# %% [markdown]
# <details><summary>Answer</summary>
#
# After "…The ". There the five likeliest letters have little more than a third of the probability, and all other words are forbidden, good ones too. After "…the q", on the
# other hand, k = 5 lets four letters in that are nearly impossible. One k cannot be right for both.
#
# </details>

# %% [markdown]
# ## 10.3 Top-p: as many as it takes
#
# So let the number follow from the distribution: keep the likeliest tokens until together they have the probability p. That is Holtzman's *nucleus*
# ([1904.09751](https://arxiv.org/abs/1904.09751)): the smallest set $V^{(p)}$ of tokens with
#
# $$\sum_{i \in V^{(p)}} p_i \ge p$$
#
# "Reaches p" is where most people stumble: the token with which the sum reaches p belongs to the set. Leave it out, and with a p of 0.9 and a likeliest token of 0.95
# nothing is left at all. This has been got wrong in public again and again
# ([reasoning-from-scratch#164](https://github.com/rasbt/reasoning-from-scratch/issues/164), [mlx-lm#1912](https://github.com/ml-explore/mlx-lm/issues/1912), …).
#
# **Predict.** Probabilities 0.5, 0.41 and 0.09, p = 0.9. How many tokens stay: one, two or three?
#
# There is a trap at the other end. With p = 1 everything should stay. But add up the likely tokens in float32, and the sum is 1.0 long before the tail: what is smaller than
# 0.00000006 disappears in it. Added from the small end, nothing is lost.


# %%
# EXERCISE 10.3 · top_p
def top_p(logits: Tensor, p: float) -> Tensor:
    """Keep the smallest set of the likeliest tokens whose probabilities reach p; never none.

    logits: (..., V), p from 0 to 1; 1 keeps all → (..., V) in the same order, the others -inf.

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

# %%
plot.filter_p(top_p, model)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Two. 0.5 does not reach 0.9, 0.91 does.
#
# </details>
#
# Move "read so far" at p = 0.9. One token stays after "…the q", a handful after "…th", and more than a dozen after "…The ". The same number means something sensible in all three
# places.

# %% [markdown]
# ## 10.4 Min-p: as likely as the likeliest
#
# When the temperature rises, the distribution becomes flat and the nucleus large: to reach 0.9 it needs nearly all tokens, and the tail is back. Nguyen and others
# ([2407.01082](https://arxiv.org/abs/2407.01082)) compare with the likeliest token instead: keep token $i$ if
#
# $$p_i \ge p \cdot \max_j p_j$$
#
# **Predict.** The likeliest token has probability 0.4, and p is 0.1. Does a token of 0.05 stay? And where the likeliest has 0.95?


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

# %%
plot.filter_min_p(min_p, top_p, apply_temperature, model)

# %% [markdown]
# <details><summary>Answer</summary>
#
# The threshold is 0.04 in the first case, so 0.05 stays; in the second it is 0.095, and 0.05 goes. Where the model is sure, min-p is strict.
#
# </details>
#
# Transformers, vLLM and llama.cpp offer it. Whether it is better is disputed: a second look at the paper's evidence found no advantage over the older filters when all of them are tuned
# with equal care ([2506.13681](https://arxiv.org/abs/2506.13681)).

# %% [markdown]
# ## 10.5 The draw
#
# Three ways are known. `torch.multinomial` does it. Or draw one uniform number u and see where it falls in the cumulative sum. Or add Gumbel noise, −log(−log u) with a new u for each
# token, to the logits, and take the argmax: it gives exactly the softmax's probabilities, without computing a softmax. Take the one you like: the check counts thousands of draws, and does
# not mind how you got them.
#
# A `torch.Generator` is a source of random numbers with a memory. Whoever hands one over wants to get the same text again later, so all luck has to come from it.
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
# All of it together, for "…O, th". The outlines are 500 draws by your `sample`.

# %%
plot.draws(apply_temperature, top_k, top_p, sample, model)

# %% [markdown]
# ## 10.6 Text, as it comes
#
# Now the loop. It has three parts that you know: the cache from lab 05 (the prompt goes in once, then one token at a time), the settings, the draw. Two things are new.
#
# **It stops.** Llama 3 ends a text with a token of its own, and a turn of a conversation with another. `stop` holds such ids. When one is drawn, the text is over. The stop token itself is not
# part of the text.
#
# **It streams.** A reader does not want to wait for the last token to see the first. A Python function with `yield` in it is a *generator function*: calling it computes nothing, and
# each turn of the caller's `for` loop runs it up to the next `yield`. (It has nothing to do with torch.Generator, except that both are sometimes in the same line.)
#
# **Predict.** Caches for how many positions are needed, for a prompt of T tokens and n new ones?
#
# **The order.** Temperature, then top-k, then top-p, then the draw. It matters: p measures probabilities, and it should measure those that are drawn from. So do Hugging Face's transformers
# (with min-p after top-p) and Meta's own code for Llama 3. llama.cpp does it differently: its default puts the temperature last, so that heat never brings back what p has removed at temperature 1.


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
    the text and is not yielded. The model gets the prompt, then each new token by itself, with new
    caches for each call of generate.

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
    luck = torch.Generator().manual_seed(3)
    write("ROMEO:\nO, ", temperature=0.8, generator=luck)
    write("ROMEO:\nO, ", temperature=0.8, generator=luck, stop=encode(".!?", vocab))
    return "a hundred characters, and up to the first full stop"


show("two texts", two_texts)

# %% [markdown]
# <details><summary>Answer</summary>
#
# T + n − 1. The last token is handed out and never fed back. (T + n is fine too.)
#
# </details>
#
# In the picture the text grows anew at every setting, always with the same luck. Underlined: characters to which the model had given less than 0.02.
#
# **Predict.** From temperature 1 to temperature 2, what becomes of the words: are they still English but without sense, or are they no words any more?

# %%
plot.regrow(generate, model)

# %% [markdown]
# <details><summary>Answer</summary>
#
# They are no words any more. Of letters, that is: a word of five letters needs five good draws in a row, and one letter from the tail spoils it. A filter saves a part:
# try k = 5 and p = 0.9 at temperature 2.
#
# </details>
#
# Write yourself: your own beginning, your own settings, as often as you like. (⏎ stands for a new line. The model reads only the letters and signs of the plays.) The
# text ends at 128 characters, since the model has never seen more at once. What comes beyond you can see with `write("ROMEO:\n", 300)`; it is the subject of lab 13.

# %% id="write-yourself"
plot.writer(generate, model)

# %% [markdown]
# ### Between stammer and babble
#
# Your `generate` writes two texts at each of seven temperatures, with and without a filter. Counted are the pieces of five characters that had occurred before in the same text, and the words that stand nowhere in the
# plays. The dotted line is Shakespeare himself, in pieces of the same length.
#
# **Predict.** At temperature 0, how much of the text has occurred in it before: about as much as with Shakespeare, ten times as much, or more than twenty times as much?

# %% id="plot-10-6-degeneration"
plot.degeneration(generate, model)

# %% [markdown]
# <details><summary>Answer</summary>
#
# More than twenty times as much: about a third of the pieces, and 1 or 2 % with Shakespeare. Between 0.5 and 1 the model repeats itself little more than he does. But there the invented words begin, and at
# 2 most words are none. No setting is right in both: what a small model has not learned, no way of choosing gives it. The filter moves the orange curve down and to the right: it buys heat.
#
# </details>
#
# ### What streaming is worth

# %% id="measure-waiting"
plot.waiting(generate, model)

# %% [markdown]
# The whole text takes as long as before. But the reader sees the first token at once, and reads while the machine writes. Every chat program you know does this.

# %% [markdown]
# ## 10.7 Where it lives in Llama 3
#
# | | Llama 3 | here |
# |---|---|---|
# | tokens to choose from | 128,256 | 64 |
# | temperature, top-p | 0.6, 0.9 | as you like |
# | at temperature 0 | argmax | the same |
# | stop | end of text, 128,001; end of turn, 128,009 | what `stop` holds |
# | streaming | not in Meta's code; everywhere else | `yield` |
#
# 0.6 and 0.9 are the defaults of Meta's [generation.py](https://github.com/meta-llama/llama3/blob/main/llama/generation.py), and stand in the file `generation_config.json` that comes with the
# weights (in that of Llama 3.1 8B Instruct, for example), where every program finds them. Its `sample_top_p` keeps a token while the likelier ones have *at most* p together. Yours asks for less than p; they differ only when a sum is p to the last bit.
#
# For chatting and for stories people draw. Where one answer is right, in arithmetic or code, many take temperature 0. And even then two runs may differ: lab 05 ended with the reason.

# %% [markdown]
# ## What you built
#
# `apply_temperature`, `top_k`, `top_p`, `min_p`, `sample` and `generate`. Three questions to think about:
#
# 1. `top_k` with k = 1, `top_p` with p = 0, `min_p` with p = 1, and temperature 0: where do these four differ?
# 2. Why does temperature before or after `top_k` make no difference, but before or after `top_p` it does?
# 3. With temperature 1 and no filter, the model draws exactly from the distribution that it has learned. Training made that distribution as close to Shakespeare's as possible. Why is its text
#    still better at 0.75?
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
# questions? The weights of such a model are a file of 90 MB, in a format that nobody explains. The next lab, **11 · Real weights**, opens it.

# %% id="save"
from checks import pieces

pieces.save(check)

# %% id="grade"
from checks import colab

colab.grade()
