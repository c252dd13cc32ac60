# %% [markdown]
# # 03 · Rotary position embedding
#
# *75 minutes without 3.6 to 3.9, which may be skipped: 45 to read and try, 30 to write. With them it takes 110. The cells run for about half a
# minute, most of it to draw.*
#
# "dog bites man" is no news, and "man bites dog" is. They contain the same three words, so the difference is where the
# words stand. There are three ways to tell a model:
#
# **absolute**, a vector for each place, added to the word (2017) → **relative**, a number for each distance, added to
# the score (2018) → **rotary**, a rotation for each place, whose effect is relative (2021). Llama 3 uses the third, in
# every layer.
#
# You write the first and the third, measure what the one can do that the other cannot, and meet the two layouts in
# which the weights are stored.

# %% id="setup"
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# %% id="imports"
import math

import torch
from torch import Tensor

from checks import rope as check
from plots import rope as plot
from plots.show import show

# %% [markdown]
# House rules, as in every lab: inputs stay as they are; new tensors go on the inputs' device; half precision is computed in float32 and
# given back in its dtype; gradients flow.
#
# ## 3.0 The problem: a bag of words
#
# Three words, three made-up vectors. What does the word "bites" learn from its sentence? In a transformer it asks: its
# vector is a **query** q. Every word of the sentence answers with a **key** k. The dot products q·k are the scores,
# softmax turns them into shares that add up to 1, and "bites" takes that mixture of the words' **values** v. Here q, k
# and v are the word's vector itself; in a model each is made from it by a matrix of its own (lab 04).
#
# **Predict.** The words change places. Is the mixture that "bites" receives the same, nearly the same, or quite
# another one?

# %% id="bag-of-words"
words = torch.tensor([[1.2, 0.1, -0.4, 0.3], [0.4, 0.9, 0.5, -0.2], [-0.3, 0.8, 1.1, 0.6]])
dog_bites_man, man_bites_dog = words, words.flip(0)  # "bites" stands in the middle of both

for sentence, x in (("dog bites man", dog_bites_man), ("man bites dog", man_bites_dog)):
    scores = x @ x[1]  # "bites" with each word: (3,)
    mixture = torch.softmax(scores, dim=0) @ x
    print(f"{sentence}: {[round(number, 4) for number in mixture.tolist()]}")

# %% [markdown]
# <details><summary>Answer</summary>
#
# The same, to the last digit printed. The scores come in another order, and so do the vectors: the sum has the same terms. Attention that
# looks at the whole sentence cannot know who bites whom.
#
# </details>
#
# That is true as long as every word sees every other. In a model that writes, a word sees only what came before it (lab 04), and then order leaks
# in: the third word mixes three vectors, the second only two. Such a model learns to tell positions even when nobody gives it any
# (Haviv et al., [2203.16634](https://arxiv.org/abs/2203.16634)), and some work without them on purpose (NoPE,
# [2305.19466](https://arxiv.org/abs/2305.19466)). Nearly all the others, Llama among them, are told.

# %% [markdown]
# ## 3.1 Absolute: add the position
#
# The first transformer (Vaswani et al. 2017, [1706.03762](https://arxiv.org/abs/1706.03762), section 3.5) adds to
# each word's vector another vector that depends on its position alone: a row of the table PE, whose columns are waves,
# from fast to slow:
#
# $$PE_{(pos,\,2i)} = \sin\!\left(pos \cdot 10000^{-2i/d}\right), \qquad
# PE_{(pos,\,2i+1)} = \cos\!\left(pos \cdot 10000^{-2i/d}\right)$$
#
# *pos* is the position, *d* the width of the vectors, and *i* counts the **pairs** of columns: 0, 1, …, d/2 − 1. Sine
# and cosine of one pair share one angle. The number 10000 is called the base.


# %%
# EXERCISE 3.1 · sinusoidal_positions
def sinusoidal_positions(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    """Table of the first transformer: sines in the even columns, cosines in the odd ones.

    seq_len: T; dim: D, even → (T, D), float32.

    The two angles at position 1 are 1 and 1 · 100^(-2/4) = 0.1:
    >>> sinusoidal_positions(2, 4, base=100.0)
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0998, 0.9950]])
    """
    ### BEGIN SOLUTION
    positions = torch.arange(seq_len)[:, None]  # (T, 1)
    frequencies = base ** (-torch.arange(0, dim, 2) / dim)  # (D/2,)
    angles = positions * frequencies  # (T, D/2)
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)  # (T, D)
    ### END SOLUTION


# %%
check.sinusoidal_positions(sinusoidal_positions)

# %% [markdown]
# The table for 64 positions and 32 dimensions. (Textbooks print it for 512. Those are more columns than a picture has pixels, and what you
# see then are stripes that are not there.) Each row is the address of one position. The two outlined columns are drawn on the right, at the
# same height. Press play: in the first columns of the table the waves are fast and tell neighbours apart; in the last ones they are so slow that 64 positions look alike.

# %%
plot.heatmap(sinusoidal_positions)

# %% [markdown]
# **Predict.** Now the two sentences again, with positions added. Which of these two tells them apart: (a) the plain
# sum of the three vectors, (b) the mixture that "bites" receives, (c) both?


# %% id="sum-and-mixture"
def sum_and_mixture(x: Tensor) -> str:
    """The plain sum of all vectors, and the mixture that word 1 receives."""
    x = x + sinusoidal_positions(3, 4)
    plain, mixture = x.sum(0), torch.softmax(x @ x[1], dim=0) @ x
    short = [[round(number, 2) for number in v.tolist()] for v in (plain, mixture)]
    return f"sum {short[0]}, mixture {short[1]}"


show("dog bites man", lambda: sum_and_mixture(dog_bites_man))
show("man bites dog", lambda: sum_and_mixture(man_bites_dog))

# %% [markdown]
# <details><summary>Answer</summary>
#
# (b). The sum is the words' sum plus the positions' sum, in any order the same. The mixture is not, because there the
# position meets the word in a *product*: (x₁ + p₁)·(x₀ + p₀). Order enters where things are multiplied.
#
# </details>
#
# So it works. BERT and GPT-2 do it too, with a learnt table in place of the sinusoids. What is wrong with it?
#
# **Predict.** "dog bites" are the first two words of a book, and they stand again on page 7, at 3,000 and 3,001. Is the
# score of "bites" with "dog" there (a) the same, (b) within a tenth of it, (c) quite another?


# %% id="page-one-and-page-seven"
def bites_dog(m: int) -> str:
    """Score of "bites" at position m with "dog" one position before, sinusoids added."""
    table = sinusoidal_positions(m + 1, 4)
    return f"{(words[1] + table[m]) @ (words[0] + table[m - 1]):.2f}"


show("page 1", lambda: bites_dog(1))
show("page 7", lambda: bites_dog(3001))

# %% [markdown]
# <details><summary>Answer</summary>
#
# (c): 3.91 and 0.06. Multiply out what a query at position m sees of a key at position n:
#
# $$(q + p_m)\cdot(k + p_n) = q \cdot k + q \cdot p_n + p_m \cdot k + p_m \cdot p_n$$
#
# The first term knows no position, and the last one, for sinusoids, only the distance n − m. The two in the middle
# depend on where exactly the words stand. A model has to learn for every place that "dog bites" means the same there.
#
# </details>

# %% [markdown]
# ### Relative: add to the score
#
# What matters is the distance: the word before, the word two back. So Shaw et al. (2018,
# [1803.02155](https://arxiv.org/abs/1803.02155)) learn a vector for each distance, up to a largest one, and add it to
# the keys while the scores are computed. T5 (Raffel et al. 2019, [1910.10683](https://arxiv.org/abs/1910.10683),
# section 2.1) makes it a single learnt number, a **bias**, added to the score:

# %% id="relative-bias"
bias_of_distance = {-2: -0.6, -1: -0.1, 0: 0.0, 1: 0.4, 2: 0.1}  # made up; T5 learns them
bias = torch.tensor([[bias_of_distance[m - n] for n in range(3)] for m in range(3)])  # (query, key)

print("bias, the same along each diagonal:", bias, sep="\n")
for sentence, x in (("dog bites man", dog_bites_man), ("man bites dog", man_bites_dog)):
    mixture = torch.softmax((x @ x.T + bias)[1], dim=0) @ x
    print(f"{sentence}: {[round(number, 2) for number in mixture.tolist()]}")

# %% [markdown]
# The two sentences differ, and only the distance counts. But the bias sits in an awkward place: one entry for each
# query and each key, a whole square for every head (a layer runs several attentions side by side, lab 04), and every fast program for attention has to know of it. (T5
# learns 32 numbers per head, for ranges of distances that grow; all distances beyond 128 share one. ALiBi,
# [2108.12409](https://arxiv.org/abs/2108.12409), learns nothing: it takes off a fixed amount for each step of distance.)
#
# Could q and k carry their positions *themselves*, neither knowing the other's, so that the plain dot product shows
# the distance and nothing else?

# %% [markdown]
# ## 3.2 Rotate
#
# We want a function f that writes a position into a vector, such that f(q, m) · f(k, n) depends only on q, k and n − m.
# Take vectors with two numbers. A dot product is length times length times the cosine of the angle **between**
# the two:
#
# $$q \cdot k = |q|\,|k| \cos(\varphi_k - \varphi_q)$$
#
# φ is the direction of a vector. Choose one angle θ, the turn for one position. Turn q by mθ and k by nθ: the lengths stay, and the angle between the two grows by
# (n − m)θ. The positions m and n have vanished, their difference is there. So f turns. Su et al. (2021, the RoFormer
# paper, [2104.09864](https://arxiv.org/abs/2104.09864), section 3.4.1) derive it from this wish alone.
#
# The turn itself, anticlockwise by an angle α (their eq. 13):
#
# $$\begin{pmatrix} x' \\ y' \end{pmatrix} = \begin{pmatrix} \cos\alpha & -\sin\alpha \\ \sin\alpha & \cos\alpha \end{pmatrix}
# \begin{pmatrix} x \\ y \end{pmatrix}$$


# %%
# EXERCISE 3.2 · rotate_2d
def rotate_2d(v: Tensor, angle: Tensor) -> Tensor:
    """Turn vectors in the plane anticlockwise.

    v: (..., 2), angle: (...) in radians → (..., 2), same dtype and device as v.
    Computed in float32 at least: only the result is rounded.

    (2, 0) by 60 degrees, which is π/3; cos 60° = 1/2:
    >>> rotate_2d(torch.tensor([2.0, 0.0]), torch.tensor(torch.pi / 3))
    tensor([1.0000, 1.7321])
    """
    ### BEGIN SOLUTION
    x, y = v.float().unbind(-1)
    cos, sin = angle.float().cos(), angle.float().sin()
    return torch.stack((x * cos - y * sin, x * sin + y * cos), dim=-1).to(v.dtype)
    ### END SOLUTION


# %%
check.rotate_2d(rotate_2d)

# %% [markdown]
# **Predict.** q stands at position 1 and k at position 3, with θ = 0.4, and their dot product is 0.20. Which of these
# is 0.20 as well: (a) q at 5, k at 7; (b) q at 3, k at 1; (c) both?


# %% id="score-of-two"
def score(m: int, n: int, theta: float = 0.4) -> str:
    """q·k when q stands at position m and k at position n."""
    q = rotate_2d(torch.tensor([1.0, 0.5]), torch.tensor(m * theta))
    k = rotate_2d(torch.tensor([0.4, 0.6]), torch.tensor(n * theta))
    return f"{q @ k:.2f}"


show("q at 1, k at 3", lambda: score(1, 3))
show("q at 5, k at 7", lambda: score(5, 7))
show("q at 3, k at 1", lambda: score(3, 1))

# %% [markdown]
# <details><summary>Answer</summary>
#
# (a). Both moved by four, were turned further by the same angle, and the angle between them stayed. In (b) the distance
# is 2 as well, but the other way round: the angle between them is 0.8 radians smaller than without positions, not
# larger. n − m has a sign, so "dog bites" is not "bites dog".
#
# </details>

# %% [markdown]
# ## 3.3 Frequencies: one clock is not enough
#
# One pair turns like the hand of a clock, and a single hand cannot tell the time. If it turns fast (θ = 1 radian per
# position), position 0 and position 44 look almost the same, since it comes round every 6.28 positions: seven turns
# are 43.98. If it turns slowly, neighbours look alike. A clock has several hands, and so has a vector: its d numbers
# are d/2 **pairs**, and each pair is a hand with a speed of its own,
#
# $$\theta_i = \text{base}^{-2i/d}, \qquad i = 0, 1, \ldots, d/2 - 1$$
#
# With d = 6 that is three pairs, so three angles at every position. The frequencies θ are those of the sinusoids in
# 3.1: what was added there is multiplied here.


# %%
# EXERCISE 3.3 · rope_frequencies
def rope_frequencies(head_dim: int, base: float = 10_000.0) -> Tensor:
    """How far each pair turns from one position to the next (RoFormer, eq. 15).

    head_dim: d, even → (d/2,) in radians, float32.

    The exponents are 0, -2/6 and -4/6, and 1000 = 10³:
    >>> rope_frequencies(6, base=1000.0)
    tensor([1.0000, 0.1000, 0.0100])
    """
    ### BEGIN SOLUTION
    return base ** (-torch.arange(0, head_dim, 2) / head_dim)
    ### END SOLUTION


# %%
check.rope_frequencies(rope_frequencies)

# %% [markdown]
# ## 3.4 Angles: m steps of θ
#
# At position m, pair i stands at the angle m·θᵢ. The positions are given and not counted: when a model writes text
# with a cache (lab 05), the new token comes alone, and its position is 100, not 0.


# %%
# EXERCISE 3.4 · rope_angles
def rope_angles(positions: Tensor, frequencies: Tensor) -> Tensor:
    """Angle of every pair at every position: m · θ_i.

    positions: (T,) whole numbers, in any order, frequencies: (d/2,) float32
    → (T, d/2) in radians, float32.

    >>> rope_angles(torch.tensor([0, 1, 5]), torch.tensor([1.0, 0.1]))
    tensor([[0.0000, 0.0000],
            [1.0000, 0.1000],
            [5.0000, 0.5000]])
    """
    ### BEGIN SOLUTION
    return positions[:, None] * frequencies  # (T, 1) · (d/2,) → (T, d/2)
    ### END SOLUTION


# %%
check.rope_angles(rope_angles)

# %% [markdown]
# Eight hands, for vectors with 16 numbers. Press play, and position goes through 1, 2, 3, 4, … up to 15; then it leaps, so that you see the slow hands move too. The
# dots show where a hand has stood. As in an odometer, each hand is slower than the one before it.
#
# **Predict.** You raise the base from 10,000 to 500,000. Which hands get slower: (a) all eight, (b) all but pair 0,
# (c) only the last?

# %%
plot.clocks(rope_frequencies, rope_angles)

# %% [markdown]
# <details><summary>Answer</summary>
#
# (b). Pair 0 takes 6.28 positions for a turn whatever the base, since θ₀ = base⁰ = 1. The others slow down, the last
# one most: from 19,869 to 609,226 positions a turn.
#
# </details>
#
# ### Sixteen positions that are nine
#
# Models are run in bfloat16, which has 8 significant bits.
#
# **Predict.** How many different numbers are the positions 256, 257, …, 271 in bfloat16: 16, 9, or 1? And 8000 to 8031:
# 32, 16, or 2?

# %% id="bfloat16-positions"
for first, count in ((256, 16), (8000, 32)):
    rounded = torch.arange(first, first + count).bfloat16().unique()
    print(f"{count} positions from {first}: {len(rounded)} numbers, {rounded.int().tolist()}")

# %% [markdown]
# <details><summary>Answer</summary>
#
# Nine, and two. From 256 on, bfloat16 counts in steps of 2, from 4096 on in steps of 32. Angles that were computed in
# bfloat16 put neighbours into one place. Hugging Face's Llama and Gemma did that when autocast was on
# ([transformers#29285](https://github.com/huggingface/transformers/pull/29285)), Keras's rotary layer in half precision
# ([keras-hub#1497](https://github.com/keras-team/keras-hub/pull/1497)). Angles, sines and cosines belong in float32;
# only the rotated vector goes back to bfloat16.
#
# </details>

# %% [markdown]
# ## 3.5 Rotary position embedding
#
# Now all together: cut a query or key into pairs of neighbours, and turn pair i of the vector at position m by m·θᵢ.
# It can be written in three ways, and all three are the same:
#
# - **polar**: each pair has a length and a direction; the length stays, and mθᵢ is added to the direction;
# - **complex**: read the pair as a number a + ib, and multiply by e^(imθᵢ) (the paper's eq. 12), exercise 3.6;
# - **elementwise** (eq. 34), which needs no matrix and no complex numbers:
#
# $$R_{\Theta,m}\,x = \begin{pmatrix} x_0\\x_1\\x_2\\x_3\\ \vdots \end{pmatrix} \odot
# \begin{pmatrix} \cos m\theta_0\\ \cos m\theta_0\\ \cos m\theta_1\\ \cos m\theta_1\\ \vdots \end{pmatrix} +
# \begin{pmatrix} -x_1\\x_0\\-x_3\\x_2\\ \vdots \end{pmatrix} \odot
# \begin{pmatrix} \sin m\theta_0\\ \sin m\theta_0\\ \sin m\theta_1\\ \sin m\theta_1\\ \vdots \end{pmatrix}$$
#
# ⊙ multiplies number by number, and m is the position. (The paper counts from 1, we count from 0.) For one pair (a, b) these are two lines, those of 3.2:
# a′ = a cos mθᵢ − b sin mθᵢ and b′ = a sin mθᵢ + b cos mθᵢ. x has the shape
# (..., T, d): in front of the positions there may be a batch and heads, and all of them are turned alike.


# %%
# EXERCISE 3.5 · apply_rope
def apply_rope(x: Tensor, angles: Tensor) -> Tensor:
    """Turn each pair of neighbouring numbers (2i, 2i + 1) by its angle (RoFormer, eq. 34).

    x: (..., T, d), angles: (T, d/2) in radians → (..., T, d), same dtype and device as x.
    Computed in float32 at least: only the result is rounded.

    (2, 0) by 60 degrees, and (0, 2) by 30 degrees:
    >>> angles = torch.tensor([[torch.pi / 3, torch.pi / 6]])
    >>> apply_rope(torch.tensor([[2.0, 0.0, 0.0, 2.0]]), angles)
    tensor([[ 1.0000,  1.7321, -1.0000,  1.7321]])
    """
    ### BEGIN SOLUTION
    wide, cos, sin = x.float(), angles.cos(), angles.sin()
    a, b = wide[..., 0::2], wide[..., 1::2]  # (..., T, d/2) each
    pairs = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1)  # (..., T, d/2, 2)
    return pairs.flatten(-2).to(x.dtype)
    ### END SOLUTION


# %%
check.apply_rope(apply_rope)

# %% [markdown]
# Eight words, six numbers a word, so three pairs; here θ is 1, 1/4 and 1/16. You see one pair: on the left the words,
# in the middle the angle of each position, on the right every word turned by the angle of its position. "the" stands
# at 0 and at 3: one arrow on the left, two on the right. Press play.
#
# **Predict.** In pair 0 the two "the" are 172° apart. How far apart are they in pair 2: (a) 172°, (b) 43°, (c) 11°?

# %%
plot.rotation(apply_rope)

# %% [markdown]
# <details><summary>Answer</summary>
#
# (c): 3 · 1/16 radians. One word, two places: far apart in the fast pair, almost in one place in the slow one. No
# length has changed.
#
# </details>
#
# Now drag two words along the sequence, a fixed distance apart. On the left your function turns them, in the middle
# your sinusoids are added to them.
#
# **Predict.** On the right, q·k is drawn for all places, once for each way. Which line is level?

# %%
plot.shift(apply_rope, sinusoidal_positions)

# %% [markdown]
# <details><summary>Answer</summary>
#
# The rotated one. Both arrows turn together, and the shaded angle between them stays. With sinusoids added, each tip
# runs round a circle of its own: angle and lengths change with the place, and q·k with them.
#
# </details>
#
# That was one distance. Here are all of them: one query and one key, put at every two places of a sequence. Row m, column n is the score of the query at m with
# the key at n. In lab 04 this square is called the score matrix.
#
# **Predict.** In which of the two squares do you see stripes along the diagonals, and in which do you not?

# %% id="plot-3-5-scores"
plot.scores(apply_rope, sinusoidal_positions)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Rotated, there are stripes: along a diagonal m − n stays the same, and the score is one number. With sinusoids added there are none, and a
# word that is always one place back gets another score at every place.
#
# </details>
#
# ### Why never v
#
# q and k are rotated. Why not the values too? The output of attention is a mixture of them, Σ wₙ vₙ, with the shares
# wₙ.
#
# **Predict.** Two values with shares 0.25 and 0.75 are rotated. Then both words move on by 4. Does the mixture stay?

# %% id="values-rotated"
values, weights = torch.tensor([[1.0, 0.0], [0.5, 0.5]]), torch.tensor([0.25, 0.75])


def mixture_of_rotated(first: int) -> Tensor:
    """Mix two values that stand at `first` and `first + 1`, and are rotated there."""
    return weights @ apply_rope(
        values, rope_angles(torch.tensor([first, first + 1]), torch.tensor([0.4]))
    )


show("values rotated, at 0 and 1", lambda: mixture_of_rotated(0))
show("values rotated, at 4 and 5", lambda: mixture_of_rotated(4))
print(f"values as they are, anywhere: {weights @ values}")

# %% [markdown]
# <details><summary>Answer</summary>
#
# No. A score is a product of two rotated vectors, and leaves only the difference of their angles. In the mixture each v
# stands alone: what a word says would turn with its place in the text. Not rotated, it stays.
#
# </details>
#
# ### Does the score fade with the distance?
#
# Su et al. give an upper bound for q·k that falls with the distance (section 3.4.3, figure 2), and "tokens far apart
# matter less" is often given as the reason why RoPE works.
#
# **Predict.** For which q and k does the score fade as the distance grows: (a) equal ones, (b) random ones, (c) both?

# %%
plot.decay(apply_rope)

# %% [markdown]
# <details><summary>Answer</summary>
#
# (a), and the larger the base, the more slowly it fades. For random q and k it only wiggles around zero, and the mean of twelve pairs stays there.
#
# </details>
#
# Barbero et al. ([2410.06205](https://arxiv.org/abs/2410.06205)) looked into Gemma 7B and argue that the
# fading is unlikely to be the core reason: the model uses the fastest pairs to look at exact places, such as the word
# before, and prefers the slowest, they suspect for meaning.

# %% [markdown]
# ## 3.6 The same with complex numbers
#
# *You may skip 3.6 to 3.9.* Your `apply_rope` is complete, and the labs to come need nothing else. 3.6 to 3.8 are for readers of other people's code: Meta's
# uses complex numbers, Hugging Face's another order of the numbers. 3.9 measures; if you skip 3.6 to 3.8, its timings show `apply_rope` alone.
#
# Multiplying by e^(iα) = cos α + i sin α turns a complex number by α: (a + ib)(cos α + i sin α) has the real part a
# cos α − b sin α and the imaginary part a sin α + b cos α, which are the two lines of 3.5. Meta's Llama code is written so:
# `torch.view_as_complex` reads (..., d/2, 2) real numbers as d/2 complex ones, and `torch.polar(length, angle)` makes
# e^(iα).


# %%
# EXERCISE 3.6 · apply_rope_complex
def apply_rope_complex(x: Tensor, angles: Tensor) -> Tensor:
    """The same as apply_rope, by one complex multiplication (RoFormer, eq. 12).

    x: (..., T, d), angles: (T, d/2) in radians → (..., T, d), same dtype and device as x.
    Computed in float32 at least: there are no complex numbers of bfloat16.

    (2 + 0i) · e^(iπ/3) = 1 + 1.73i, and (0 + 2i) · e^(iπ/6) = -1 + 1.73i:
    >>> angles = torch.tensor([[torch.pi / 3, torch.pi / 6]])
    >>> apply_rope_complex(torch.tensor([[2.0, 0.0, 0.0, 2.0]]), angles)
    tensor([[ 1.0000,  1.7321, -1.0000,  1.7321]])
    """
    ### BEGIN SOLUTION
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))  # (..., T, d/2)
    turned = pairs * torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(turned).flatten(-2).to(x.dtype)
    ### END SOLUTION


# %%
check.apply_rope_complex(apply_rope_complex)

# %% [markdown]
# ## 3.7 Two layouts
#
# Open Hugging Face's `modeling_llama.py`, and you find other pairs: the first half of the vector with the second, (i,
# i + d/2). Readers report it as a bug again and again
# ([transformers#25199](https://github.com/huggingface/transformers/issues/25199),
# [#34741](https://github.com/huggingface/transformers/issues/34741)). It is not: the weights on Hugging Face are
# **permuted** to match, and who converts them has to permute them back. llama.cpp once got that wrong for models with fewer keys than
# queries (lab 06): TinyLlama ran, and wrote gibberish ([TinyLlama#24](https://github.com/jzhang38/TinyLlama/issues/24), mended in
# [llama.cpp#3364](https://github.com/ggml-org/llama.cpp/pull/3364)).
#
# | layout | a vector with d = 6 | who |
# |---|---|---|
# | neighbours (interleaved) | a₀ b₀ a₁ b₁ a₂ b₂ | RoFormer, Meta's Llama, Llama weights in GGUF files, this course |
# | halves (half-split) | a₀ a₁ a₂ b₀ b₁ b₂ | Hugging Face, GPT-NeoX |
#
# First the move from one to the other.


# %%
# EXERCISE 3.7 · interleaved_to_half
def interleaved_to_half(x: Tensor) -> Tensor:
    """Move the first numbers of all pairs to the front: [a0 b0 a1 b1 …] → [a0 a1 … b0 b1 …].

    x: (..., d) → (..., d), same dtype.

    >>> interleaved_to_half(torch.tensor([0, 1, 2, 3, 4, 5]))
    tensor([0, 2, 4, 1, 3, 5])
    """
    ### BEGIN SOLUTION
    return torch.cat((x[..., 0::2], x[..., 1::2]), dim=-1)
    ### END SOLUTION


# %%
check.interleaved_to_half(interleaved_to_half)

# %% [markdown]
# ## 3.8 RoPE in halves
#
# The two lines of exercise 3.5 stay as they are. Only how the pairs are taken apart and put together is new.


# %%
# EXERCISE 3.8 · apply_rope_half
def apply_rope_half(x: Tensor, angles: Tensor) -> Tensor:
    """Turn each pair (i, i + d/2) by its angle: RoPE in Hugging Face's layout.

    x: (..., T, d), angles: (T, d/2) in radians → (..., T, d), same dtype and device as x.
    Computed in float32 at least: only the result is rounded.

    The pairs of [2, 0, 0, 2] are (2, 0) and (0, 2) here too:
    >>> angles = torch.tensor([[torch.pi / 3, torch.pi / 6]])
    >>> apply_rope_half(torch.tensor([[2.0, 0.0, 0.0, 2.0]]), angles)
    tensor([[ 1.0000, -1.0000,  1.7321,  1.7321]])
    """
    ### BEGIN SOLUTION
    a, b = x.float().chunk(2, dim=-1)  # (..., T, d/2) each
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1).to(x.dtype)
    ### END SOLUTION


# %%
check.apply_rope_half(apply_rope_half)

# %% [markdown]
# Which numbers move together? Push one coordinate of a vector with d = 8: the outlined cells of its column are where
# the push comes out.

# %%
plot.pairing(apply_rope, apply_rope_half)

# %% [markdown]
# **Predict.** q and k are given in neighbours. Three ways to a score: (1) rotate as neighbours; (2) move both into
# halves, rotate as halves; (3) rotate as halves without moving. Which of them agree?


# %% id="three-scores"
def three_scores() -> str:
    """q·k at positions 7 and 12, in three ways."""
    q, k = torch.randn(2, 1, 8, generator=torch.Generator().manual_seed(0))
    at = rope_angles(torch.tensor([7, 12]), rope_frequencies(8))
    scores = [
        (rotate(move(q), at[:1]) * rotate(move(k), at[1:])).sum()
        for move, rotate in (
            (lambda v: v, apply_rope),
            (interleaved_to_half, apply_rope_half),
            (lambda v: v, apply_rope_half),
        )
    ]
    return ", ".join(f"({way}) {value:.4f}" for way, value in enumerate(scores, start=1))


show("q·k", three_scores)

# %% [markdown]
# <details><summary>Answer</summary>
#
# (1) and (2). A dot product does not care in which order its terms are added, as long as q and k are permuted alike.
# In a model q = W_q x with a learnt matrix W_q. It is enough to permute the rows of W_q and W_k once, when the
# weights are converted; after that nobody has to move anything. (3) turns the wrong numbers together. Nothing
# crashes, it is right at distance 0, and its scores too depend on the distance alone: no such test finds the bug.
#
# </details>

# %% [markdown]
# ## 3.9 Measure
#
# **How still does it stand?** 500 random q and k with 128 numbers, 3 positions apart. Both move on by 16, 256 and
# 4,096. Before any position comes in, q·k/√d of such vectors has a spread of about 1, so a change of 1 means that the
# score is another one altogether.
#
# **Predict.** The third row rotates by angles that were rounded to bfloat16. By how much do its scores change at 4,096:
# (a) less than 0.01, (b) about 0.05, (c) more than 0.2?

# %% id="measure-drift"
plot.drift(apply_rope, sinusoidal_positions)

# %% [markdown]
# <details><summary>Answer</summary>
#
# (c). At 4,096 a rounded fast angle is off by up to 16 radians: it points anywhere. The first row is the problem of
# section 3.1 in numbers. (A trained model with sinusoids learns to use and to ignore parts of it.)
#
# </details>
#
# **What does it cost?** The queries of one Llama 3 8B layer have 32 heads of 128 numbers. An addition reads each
# number and writes it; so does a rotation, with a few multiplications on the way.

# %% id="measure-timing"
plot.timing({"neighbours": apply_rope, "complex": apply_rope_complex, "halves": apply_rope_half})

# %% [markdown]
# The two lines of 3.5 are six operations for torch, and each of them writes an intermediate result to memory and reads it
# again. The complex product (3.6) is a single operation: it reads every number once and writes it once, like the addition.
# Neighbours pay extra for reading every second number. (Fused kernels on a GPU avoid all of that.)
#
# Counted in operations it is little beside the rest of the layer. In Llama 3 8B one token has 32 queries and 8 keys (lab 06 says why fewer) of 128 numbers,
# 5,120 in all, at three operations each 15 thousand; the two matrices that make them need 2 · 4096 · 5120, which is
# 42 million.

# %% [markdown]
# ## 3.10 Where it lives in Llama 3
#
# | | Llama 3 8B |
# |---|---|
# | head size d | 128, so 64 pairs and 64 angles at each position |
# | where | on q and k in each of 32 layers, after splitting into heads, never on v |
# | parameters | none |
# | base | 500,000 |
# | trained context | 8,192 positions; Llama 3.1: 131,072, with scaled frequencies |
#
# Why 500,000? The Llama 3 paper ([2407.21783](https://arxiv.org/abs/2407.21783), section 3.2) raises it from 10,000
# to serve longer contexts, citing Xiong et al. ([2309.16039](https://arxiv.org/abs/2309.16039)). Here is what that does
# to the slow hands within 8,192 positions:


# %% id="slow-hands"
def slow_hands(base: float, context: int = 8192) -> str:
    """Positions of the longest turn, and how many hands complete none in the context."""
    waves = 2 * math.pi / rope_frequencies(128, base)
    never = int((waves > context).sum())
    return f"the slowest takes {waves[-1]:,.0f}, {never} of 64 never come round"


show("base  10,000", lambda: slow_hands(10_000.0))
show("base 500,000", lambda: slow_hands(500_000.0))

# %% [markdown]
# This is RoPE's limit, too. A formula gives angles for any position, but a model knows only those that it met in
# training. Beyond the trained length the slow hands point where they have never been, and quality collapses: LLaMA
# trained on 2,048 positions does not simply read 4,096 (Chen et al., [2306.15595](https://arxiv.org/abs/2306.15595)).
# **RoPE does not extrapolate by itself.** Llama 3.1 slows its slow hands down by a factor of 8 and trains on with
# longer texts; lab 13 writes that.

# %% [markdown]
# ## What you built
#
# `sinusoidal_positions`, `rotate_2d`, `rope_frequencies`, `rope_angles`, `apply_rope` and its complex and half-split
# twins. `apply_rope` is the one that your Llama will use from now on. Three questions to think about:
#
# 1. You multiply the frequencies by 2 *and* halve all positions. What changes?
# 2. A head has learnt to look at the previous word, whatever it is. Which pairs can it use for that, fast or slow
#    ones, and why not the others?
# 3. Keys are stored in a cache after they were rotated (lab 05). Why need they never be rotated again when the text
#    grows? Would that work with sinusoids added to the embedding?
#
# <details><summary>Answers</summary>
#
# 1. Nothing: only the products m·θ count. Chen et al. halve the positions and keep θ, to squeeze a long text into
#    known angles.
# 2. The fast ones. From one position to the next a slow hand moves so little that the scores of neighbours differ by
#    next to nothing.
# 3. A key's rotation depends on its own position alone, and that never changes. With sinusoids it works as well, for
#    the same reason. A bias belongs to a query and a key, and is added anew for every query.
#
# </details>
#
# Queries and keys now know where they are, and want to be compared: every query with every key, the future hidden,
# the results turned into shares. You have done it by hand for "bites" at the top of this lab. The next one, **04 ·
# Attention**, does it for all words and all heads at once.

# %% id="save"
from checks import pieces

pieces.save(check)

# %% id="grade"
from checks import colab

colab.grade()
