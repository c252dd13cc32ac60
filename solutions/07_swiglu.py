# %% [markdown]
# # 07 · SwiGLU
#
# *50 minutes: 30 to read and try, 20 to write. The cells run for about half a minute, most of it the race of 7.6.*
#
# Attention carries information from token to token. The feed-forward layer works on what has arrived, each token by itself. It knows
# nothing of positions, heads or caches. It is two lines of code, and 70 % of the parameters of Llama 3 8B are in it.
#
# For years it was two matrices with a ReLU between them. In this lab you rebuild it step by step:
#
# ReLU → Swish (2017), and the gate of GLU (2016) → **SwiGLU** (2020).

# %% id="setup"
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# %% id="imports"
import torch
from torch import Tensor, nn

from checks import swiglu as check
from plots import swiglu as plot
from plots.show import show

# %% [markdown]
# House rules, as in every lab: inputs stay as they are; new tensors go on the inputs' device; half precision is computed in float32 and
# given back in its dtype; gradients flow.
#
# ## 7.0 What the layer is for
#
# What attention writes into a token is a weighted mean of other tokens' values. A mean can gather: after "the dog bites", the vector of
# "bites" can hold that an animal is there and that somebody is bitten. It cannot conclude anything from the two *together*.
#
# **Predict.** Two numbers of a vector say whether there is an animal (1 or 0) and a bite (1 or 0). One number shall come out: 1 if both
# are there, else 0. Can a matrix do that, with a constant added? *Yes*, or *no*?

# %% id="both-together"
facts = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])  # an animal? a bite?
total = facts @ torch.tensor([1.0, 1.0]) - 1
show("a sum and a constant", lambda: total.tolist())
show("bent              ", lambda: torch.relu(total).tolist())

# %% [markdown]
# <details><summary>Answer</summary>
#
# No. Whatever the matrix and the constant, out(1, 1) = out(1, 0) + out(0, 1) − out(0, 0): with 0, 0 and 0 there, it is 0. The bend makes the
# difference: ReLU(z) = max(0, z) leaves only the row in which both are there.
#
# </details>
#
# That is one **hidden unit**. It asks the vector a question (a column of W₁ below), it **fires** if the answer is large enough, and then adds
# a vector of its own (a row of W₂), the more the harder it fires. The classic layer has F of them and goes from D numbers to F and back. In the Transformer
# of 2017 ([1706.03762](https://arxiv.org/abs/1706.03762), section 3.3), without its biases:
#
# $$\mathrm{FFN}(x) = \mathrm{ReLU}(x W_1)\, W_2$$
#
# Geva and others ([2012.14913](https://arxiv.org/abs/2012.14913)) looked at what makes the units of a trained model fire. Most units of the
# lower layers answer to shallow patterns, such as texts that end in the same word, those of the upper layers more often to meaning. What a
# unit of the upper layers adds favours words that follow its pattern. Each block of Llama 3 8B has 14,336 units, for vectors of 4,096 numbers.
#
# ### The bend has a price
#
# Learning follows the slope, and below zero ReLU is flat. A unit that is below zero for every text gets no gradient from any of them. It
# is called **dead**. Here are the 192 units of a small network that learns to continue Shakespeare from eight characters, at a learning
# rate that is too high.
#
# **Predict.** A unit is dead. Can it come back to life? *Never*, or *yes*? Press play, and follow A and B.

# %% id="plot-7-0"
plot.dead_units()

# %% [markdown]
# <details><summary>Answer</summary>
#
# Yes. When this lab was written, A died at step 90 and stayed dead, and B died for the last time at 220 and was back at 280. Its own
# weights hardly mattered: the dotted line is B with its weights frozen at its death, and it rises too. The layer *below* went on learning, and so B was
# given other numbers. Of the 192 units 153 were dead after 90 steps, 29 after 120, and 159 after 150.
#
# Now choose "with RMSNorm". With the norm of lab 02 in front not one unit dies at the same learning rate.
#
# </details>
#
# You will read that ReLU units die and that SwiGLU is better for that reason. In a network that is normed like Llama they are rare. What
# SwiGLU is really worth is measured in 7.6.

# %% [markdown]
# ## 7.1 Swish: a gate that x opens for itself
#
# Multiply x by a number between 0 and 1, a **gate**, and let x itself decide how far it opens:
#
# $$\mathrm{Swish}_\beta(x) = x \cdot \sigma(\beta x), \qquad \sigma(z) = \frac{1}{1 + e^{-z}}$$
#
# σ is the sigmoid, β (beta) says how steep the gate is. Ramachandran, Zoph and Le
# ([1710.05941](https://arxiv.org/abs/1710.05941)) let a computer search through many formulas, and this one came out best. With β = 1 it
# had been proposed before as SiLU ([1606.08415](https://arxiv.org/abs/1606.08415), [1702.03118](https://arxiv.org/abs/1702.03118)), its
# name in torch.
#
# **Predict.** With β = 1, which is larger: swish(−1) or swish(−5)? Or are both 0?


# %%
# EXERCISE 7.1 · swish
def swish(x: Tensor, beta: float = 1.0) -> Tensor:
    """Let each number through as far as it opens its own gate (Ramachandran et al. 2017).

    x: any shape → the same shape and dtype, right far from zero as well, and so is its gradient.
    beta says how steep the gate is.

    With beta = ln 3 = 1.0986, the gate is 1/4 at x = -1, and 3/4 at x = 1:
    >>> swish(torch.tensor([-1.0, 0.0, 1.0]), beta=1.0986)
    tensor([-0.2500,  0.0000,  0.7500])
    """
    ### BEGIN SOLUTION
    return x * torch.sigmoid(beta * x)
    ### END SOLUTION


# %%
check.swish(swish)

# %%
show("at -1 and -5", lambda: swish(torch.tensor([-1.0, -5.0])))

# %%
plot.curves(swish)

# %% [markdown]
# <details><summary>Answer</summary>
#
# swish(−5) is larger: −0.03 against −0.27. At −5 the gate is shut (left panel), and almost nothing passes. Between −5 and 0 the curve
# dips; it is lowest at x ≈ −1.28, with −0.28. So swish falls before it rises, has negative values, and its slope is 0 in one point only
# where ReLU's is 0 on half of the line.
#
# </details>
#
# Move β and watch the gate. At 0 it stands half open for everything: swish is x/2, a straight line. At 30 it is nearly a switch, and swish
# nearly ReLU: the dip is at −0.04, and only 0.009 deep. GELU ([1606.08415](https://arxiv.org/abs/1606.08415)), the bend of GPT-2, lies in
# between: with β ≈ 1.7 you can hardly tell them apart. Llama keeps β at 1.

# %% [markdown]
# ### The formula on paper is not the formula in the machine
#
# It is tempting to write the sigmoid out. In float16, and in the backward pass, that goes wrong:

# %%
low = torch.tensor([-11.0, -11.5, -12.0], dtype=torch.float16)
show("written out, float16", lambda: low / (1 + torch.exp(-low)))
show("yours, float16", lambda: swish(low))

far = torch.tensor([-100.0], requires_grad=True)
(far / (1 + torch.exp(-far))).backward()
show("slope at -100, written out", lambda: far.grad)

# %% [markdown]
# e¹¹·⁵ is 98,716 and float16 ends at 65,504: the sum becomes infinite, and the tail collapses to 0. The backward pass is worse, even in
# float32: infinity times zero is NaN, and one NaN among the gradients ends a training run. `torch.sigmoid` avoids both, and the check
# tries both.

# %% [markdown]
# ## 7.2 GLU: somebody else holds the gate
#
# In swish x opens the gate for itself. Dauphin, Fan, Auli and Grangier ([1612.08083](https://arxiv.org/abs/1612.08083)) give the two jobs to
# two numbers. One is the **value**: what there is to say. The other is the **gate**: how much of it passes.
#
# $$\mathrm{GLU}(g, v) = \sigma(g) \odot v$$
#
# ⊙ multiplies number by number. In their layer both come from the same input through two matrices, g = xW and v = xV. Note what is *not*
# bent: v goes straight through. Their argument was about learning: where the gate is open, the gradient reaches v undamped, layer after
# layer (section 3 of the paper).
#
# **Predict.** The gate is −4 and the value is 10. What passes: 0, about 0.2, or −40?


# %%
# EXERCISE 7.2 · glu
def glu(gate: Tensor, value: Tensor) -> Tensor:
    """Let a share sigmoid(gate) of each value pass (Dauphin et al. 2016).

    gate and value: (..., F) → (..., F), same dtype.

    A gate of 0 is half open; one of ln 3 = 1.0986 lets 3/4 pass:
    >>> glu(torch.tensor([0.0, 1.0986]), torch.tensor([4.0, 4.0]))
    tensor([2.0000, 3.0000])
    """
    ### BEGIN SOLUTION
    return torch.sigmoid(gate) * value
    ### END SOLUTION


# %%
check.glu(glu)

# %%
show("gate -4, value 10", lambda: glu(torch.tensor([-4.0]), torch.tensor([10.0])))

# %% [markdown]
# <details><summary>Answer</summary>
#
# About 0.2: σ(−4) = 0.018. A sigmoid gate is never quite shut.
#
# </details>

# %% [markdown]
# ## 7.3 SwiGLU: the two together
#
# Shazeer ([2002.05202](https://arxiv.org/abs/2002.05202)) put the gate into the feed-forward layer of a Transformer and tried five bends
# for it: the sigmoid, ReLU, GELU, Swish, and none. With Swish:
#
# $$\mathrm{FFN}_{\mathrm{SwiGLU}}(x) = \big(\mathrm{Swish}_1(x W) \odot x V\big)\, W_2$$
#
# There are three matrices now. W makes the gates, V the values, W₂ brings the hidden units back to D numbers. `nn.Linear` stores a matrix
# as (out, in), and we call them `w_gate` (F, D), `w_up` (F, D) and `w_down` (D, F). (Meta's code says w1, w3 and w2, Hugging Face's
# `gate_proj`, `up_proj` and `down_proj`.)
#
# **Predict.** In one hidden unit the gate is −1 and the value is −3. With ReLU the unit would be 0. What is it with Swish: 0, negative, or
# positive?


# %%
# EXERCISE 7.3 · swiglu
def swiglu(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    """The feed-forward layer of Llama (Shazeer 2020, eq. 6): gates and values, and back to D.

    x: (..., D), w_gate and w_up: (F, D), w_down: (D, F) → (..., D), same dtype as x; each token by
    itself.

    Two hidden units with gates 20 (so wide open that 20 comes out) and 0, and with values 6 and 15:
    >>> x = torch.tensor([1.0, 2.0])
    >>> w_gate = torch.tensor([[20.0, 0.0], [0.0, 0.0]])
    >>> w_up = torch.tensor([[0.0, 3.0], [5.0, 5.0]])
    >>> w_down = torch.tensor([[0.1, 1.0], [0.0, 1.0]])
    >>> swiglu(x, w_gate, w_up, w_down)   # the hidden units are 20 · 6 and 0 · 15
    tensor([12.,  0.])
    """
    ### BEGIN SOLUTION
    gate = swish(x @ w_gate.T)  # (..., F)
    value = x @ w_up.T  # (..., F)
    return (gate * value) @ w_down.T  # (..., D)
    ### END SOLUTION


# %%
check.swiglu(swiglu)

# %% [markdown]
# One token on its way through your layer. Three numbers fan out to eight gates and eight values, and come back as three: D, F and D, which are
# 4,096, 14,336 and 4,096 in Llama 3 8B. Let it play; then choose another token: it opens other gates.

# %% id="plot-7-3-flow"
plot.flow(swish, swiglu)

# %% [markdown]
# Now one hidden unit by itself: on the left for all gates and values, on the right the cut at one gate. Choose GLU, then SwiGLU.

# %%
plot.gate(glu, swiglu)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Positive: swish(−1) = −0.27, times −3 is 0.81. The unit is 0 along two lines, where the gate is 0 and where the value is 0, and
# changes its sign across both. A ReLU unit is never negative.
#
# </details>
#
# Every cut is a straight line: with the gate fixed, the unit is linear in its value, and the gate sets the slope. If in your
# picture the line is bent, swish is on the wrong branch. That has happened to others
# ([ml-explore/mlx-lm#767](https://github.com/ml-explore/mlx-lm/pull/767)), and with real weights it is fatal.

# %% [markdown]
# ## 7.4 Three matrices for the price of two
#
# The classic layer was F = 4D wide and had 2 · 4D · D = 8D² parameters. Three matrices of that width would have 12D², and a comparison of the
# two would be unfair. So the width is cut to two thirds:
#
# $$3 \cdot F \cdot D = 8 D^2 \quad\Rightarrow\quad F = \tfrac{2}{3} \cdot 4D = \tfrac{8}{3} D$$
#
# Llama's code does that in whole numbers, multiplies by a factor if the model has one, and rounds **up** to a multiple of 256 or more,
# since hardware likes round sizes.
#
# **Predict.** Llama 2 7B: D = 4096, multiples of 256, no factor. 8/3 of 4096 is 10,922.67. Is F = 10,752, 10,922 or 11,008?


# %%
# EXERCISE 7.4 · ffn_hidden_dim
def ffn_hidden_dim(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    """The hidden size of Llama's feed-forward layer.

    int(2 · 4 · dim / 3); with a multiplier, int(multiplier · that); then up to a multiple.

    >>> ffn_hidden_dim(4, multiple_of=4)   # 32 / 3 is cut to 10, and then up to 12
    12
    >>> ffn_hidden_dim(4096, multiple_of=1024, multiplier=1.3)   # 10922, 14198, 14 · 1024
    14336
    """
    ### BEGIN SOLUTION
    hidden = int(2 * 4 * dim / 3)
    if multiplier is not None:
        hidden = int(multiplier * hidden)
    return multiple_of * ((hidden + multiple_of - 1) // multiple_of)
    ### END SOLUTION


# %%
check.ffn_hidden_dim(ffn_hidden_dim)

# %%
plot.parameters(ffn_hidden_dim)

# %% [markdown]
# <details><summary>Answer</summary>
#
# 11,008 = 43 · 256. Choose "2 7B": the two areas are nearly equal.
#
# </details>
#
# In Llama 3 8B they are not, because of the factor 1.3. The reason is lab 06: grouped-query attention made the attention layers smaller. To
# keep the size of the whole model, Llama 2 gave what was saved to the feed-forward layers: a factor of 1.3 with GQA, of 1.33 with MQA
# ([2307.09288](https://arxiv.org/abs/2307.09288), appendix A.2.1).
#
# The paper on Llama 3 ([2407.21783](https://arxiv.org/abs/2407.21783)) appeared with 6,144, 12,288 and 20,480 as the hidden sizes of 8B, 70B
# and 405B. The weights have 14,336, 28,672 and 53,248, as your function says
# ([meta-llama/llama3#283](https://github.com/meta-llama/llama3/issues/283)).

# %% [markdown]
# ## 7.5 The layer
#
# No biases, as everywhere in Llama. The names matter: lab 11 loads real weights by them.


# %%
# EXERCISE 7.5 · SwiGLU
class SwiGLU(nn.Module):
    """swiglu with weights of its own: `w_gate`, `w_up` and `w_down`, each an nn.Linear without bias.

    dim: D, hidden_dim: F, the final size. The weights are (F, D), (F, D) and (D, F); w_gate and w_up
    start at random, each by itself.

    >>> layer = SwiGLU(dim=4, hidden_dim=12)
    >>> [tuple(weight.shape) for weight in layer.parameters()]
    [(12, 4), (12, 4), (4, 12)]
    """

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.w_gate = nn.Linear(dim, hidden_dim, bias=False)
        self.w_up = nn.Linear(dim, hidden_dim, bias=False)
        self.w_down = nn.Linear(hidden_dim, dim, bias=False)
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        """Each token by itself. x: (..., dim) → (..., dim), same dtype."""
        ### BEGIN SOLUTION
        return swiglu(x, self.w_gate.weight, self.w_up.weight, self.w_down.weight)
        ### END SOLUTION


# %%
check.SwiGLU(SwiGLU)

# %% [markdown]
# ## 7.6 Measure: is it better?
#
# A race on Shakespeare. Three networks of the same size learn to predict the next character from the last eight. Only their two
# feed-forward layers differ: ReLU or GELU with 192 hidden units, or your `swiglu` with 128, which makes 18,432 parameters in each case. All
# see the same texts in the same order. Each runs three times, from three random starts: one run alone could be luck.
#
# **Predict.** Is the difference between the layers larger than the difference between the three starts of one layer? The race takes
# about 10 seconds.

# %% id="plot-7-6"
plot.race(swiglu)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Yes, in the end. When this lab was written: ReLU 2.19, GELU 2.14, SwiGLU 2.02, with 0.01 to 0.03 between the best and the worst start
# of one layer. After 80 of the 400 steps the starts still overlapped, and nothing could have been said. We tried half and twice the
# learning rate as well, each over 300 steps: SwiGLU was ahead of GELU by 0.12 to 0.16 every time.
#
# What this does not show: this network has no attention, and it learns for seconds. What holds for it need not hold for a large model.
# Shazeer's table below does.
#
# </details>
#
# Shazeer's own race: a T5 of base size (a Transformer in two halves, lab 08), all layers with the same number of parameters, the loss on
# held-out text, −ln p of the right piece, which the paper calls log-perplexity (table 1; in brackets the standard deviation between runs, measured for the short training only):
#
# | feed-forward layer | gate | after 65,536 steps | after 524,288 steps |
# |---|---|---|---|
# | ReLU | none | 1.997 (0.005) | 1.677 |
# | GELU | none | 1.983 (0.005) | 1.679 |
# | Swish | none | 1.994 (0.003) | 1.683 |
# | GLU | sigmoid | 1.982 (0.006) | 1.663 |
# | Bilinear | nothing bent at all | 1.960 (0.005) | 1.648 |
# | ReGLU | ReLU | 1.953 (0.003) | 1.645 |
# | SwiGLU | Swish | 1.944 (0.010) | 1.636 |
# | GEGLU | GELU | 1.942 (0.004) | 1.633 |
#
# Read the last column from top to bottom. Without a gate the bend hardly matters. With a gate every layer is better than all of the
# former, even the one that bends nothing: it is the product that helps. (After the short training GLU and GELU were still level.) SwiGLU
# and GEGLU are closer than one standard deviation of the short training. Why does it work? The paper ends: "We offer no explanation as to
# why these architectures seem to work; we attribute their success, as all else, to divine benevolence."
#
# And what does it cost in time? It has as many parameters, and as many multiplications:

# %% id="measure-timing"
plot.timing(swiglu)

# %% [markdown]
# Look at the ratio in the last column. It is between about 0.9 and 1.3, depending on the machine: three narrow matrix products cost what
# two wide ones did, and swish costs more than ReLU but has fewer units to bend.

# %% [markdown]
# ## 7.7 Where it lives in Llama 3
#
# | | Llama 3 8B |
# |---|---|
# | SwiGLU layers | 32, one in each block |
# | D and F | 4,096 and 14,336 = 3.5 · 4,096 |
# | parameters of one layer | 3 · 4,096 · 14,336 = 176,160,768 |
# | of all 32 | 5,637,144,576 of 8,030,261,248, or 70 % |
# | β, biases | 1, none |
# | place | after attention: x + SwiGLU(norm(x)) |
#
# PaLM had it before ([2204.02311](https://arxiv.org/abs/2204.02311), section 2), LLaMA took it from there
# ([2302.13971](https://arxiv.org/abs/2302.13971), section 2.2), and Qwen ([2309.16609](https://arxiv.org/abs/2309.16609)) has it too. Mistral
# 7B kept Llama's layer with 14,336 hidden units ([2310.06825](https://arxiv.org/abs/2310.06825), table 1), as many as Llama 3 8B has. When
# people say that a language model multiplies matrices, these three are most of what they mean: how much of a block's work they are is
# counted in lab 08.

# %% [markdown]
# ## What you built
#
# `swish`, `glu`, `swiglu`, `ffn_hidden_dim` and `SwiGLU`: the last one is the feed-forward layer of Llama 3. Three questions to think
# about:
#
# 1. Multiply w_up by 2 and divide w_down by 2. What changes in the output? And if you multiply w_gate by 2 and divide w_down by 2?
# 2. A SwiGLU layer without swish, (xW ⊙ xV) W₂, bends nothing. Why is it not the same as one matrix?
# 3. Can a SwiGLU layer do what a ReLU layer does? Think of w_up = w_gate, and of large gates.
#
# <details><summary>Answers</summary>
#
# 1. Nothing, since the unit is linear in its value. With w_gate it is another function, because swish(2g) is not 2 · swish(g); only for
#    gates far from zero is it nearly the same. 2. It is quadratic in x: double x, and the output is four times as large. A product of two
#    linear functions is not linear. 3. Not exactly. With w_up = w_gate a unit is swish(g) · g, nearly 0 for g well below zero and nearly g²
#    above: a squared ReLU. For a plain ReLU the value would have to be constant, and without a bias there is no constant.
#
# </details>
#
# You have a norm, rotated queries and keys, attention with grouped heads, a cache, and now the layer that holds most of the parameters. The
# next lab, **08 · Llama**, puts them together. The question there is whether what comes out is, digit by digit, the model that the rest
# of the world calls Llama.

# %% id="save"
from checks import pieces

pieces.save(check)

# %% id="grade"
from checks import colab

colab.grade()
