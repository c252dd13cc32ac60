# %% [markdown]
# # 02 · RMSNorm
#
# A signal passes through 32 layers of Llama 3 8B. If each layer makes it a little larger, it explodes; a little
# smaller, and it dies. Between the layers stands a small function that prevents both, 65 times in the model. In
# this lab you write it, and the two older ones that it came from:
#
# BatchNorm (2015) → LayerNorm (2016) → **RMSNorm** (2019), each simpler than the one before.

# %% id="setup"
import sys
from pathlib import Path
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# %% id="imports"
import torch
from torch import Tensor, nn

from checks import rmsnorm as check
from plots import rmsnorm as plot
from plots.show import show

# %% [markdown]
# ## 2.0 The problem: 32 layers are a power of 32
#
# Here is a network with nothing but layers: each one multiplies by a random matrix. The slider sets by how much a
# layer enlarges the signal on average. A gain of 1.4 looks harmless.
#
# **Predict.** After 32 layers with gain 1.4, how much larger is the signal: 45 times, 1,400 times, or 48,000 times?
# And with gain 0.7?

# %% id="plot-2-0"
plot.through_layers()

# %% [markdown]
# <details><summary>Answer</summary>
#
# 1.4³² ≈ 47,500, and 0.7³² ≈ 0.00001. The picture is one draw of random matrices, so it is near these numbers and not
# on them. Only a gain of exactly 1 would do, and training moves the weights all the time.
#
# </details>
#
# No choice of weights stays right while they are trained. So the network measures its own signal on the way, and
# divides by what it measured. That is a normalisation layer. What is open is: the size *of what* does it measure?

# %% [markdown]
# ## 2.1 BatchNorm: one feature, many samples
#
# Ioffe and Szegedy ([1502.03167](https://arxiv.org/abs/1502.03167)) normalise **columns**. A batch is a matrix x with
# one row per sample and one column per feature. For each feature k, over the N samples of the batch:
#
# $$\mu_k = \frac1N \sum_{i=1}^{N} x_{ik}, \qquad \sigma_k^2 = \frac1N \sum_{i=1}^{N} (x_{ik}-\mu_k)^2, \qquad
# \hat x_{ik} = \frac{x_{ik} - \mu_k}{\sqrt{\sigma_k^2 + \epsilon}}$$
#
# μ is the mean, σ² the variance (divided by N, not by N − 1), and ε a small constant that keeps a constant column from
# dividing by zero. The paper's motive was *internal covariate shift*: each layer sees its inputs' distribution move
# while the layers below it learn. Later work measured that shift and found that BatchNorm does not reduce it; it helps
# because it makes the loss smoother ([1805.11604](https://arxiv.org/abs/1805.11604)). The remedy outlived its diagnosis.

# %%
# EXERCISE 2.1 · batch_norm
def batch_norm(x: Tensor, eps: float = 1e-5) -> Tensor:
    """Bring each column to mean 0 and variance 1 (population variance), without learnt scale.

    x: (N, D), one row per sample → (N, D), same dtype. Computed in float32 at least.

    The means are 2 and 20, the deviations 1 and 10:
    >>> batch_norm(torch.tensor([[1.0, 10.0], [3.0, 30.0]]), eps=1e-9)
    tensor([[-1., -1.],
            [ 1.,  1.]])
    """
    ### BEGIN SOLUTION
    wide = x.float()
    centred = wide - wide.mean(dim=0)
    variance = centred.square().mean(dim=0)  # (D,)
    return (centred * torch.rsqrt(variance + eps)).to(x.dtype)
    ### END SOLUTION


# %%
check.batch_norm(batch_norm)

# %% [markdown]
# The outlined numbers share one mean and one variance: a feature of all six samples. Your function draws the right side.

# %%
plot.columns(batch_norm)

# %% [markdown]
# **Predict.** At inference a batch often has one sample. What does BatchNorm make of it: the sample unchanged, all
# zeros, or an error?

# %%
show("one sample", lambda: batch_norm(torch.tensor([[4.1, -0.2, 9.0]])))

# %% [markdown]
# <details><summary>Answer</summary>
#
# All zeros. A single sample is its own mean, so nothing is left of it. Real BatchNorm layers therefore keep running
# averages for inference: the layer computes one thing in training and another one afterwards.
#
# </details>
#
# For language there is worse. Sentences have different lengths, so a column has a different number of samples at each
# position. And in a model that writes from left to right, a mean over positions contains the future.

# %% [markdown]
# ## 2.2 LayerNorm: one sample, its features
#
# Ba, Kiros and Hinton ([1607.06450](https://arxiv.org/abs/1607.06450)) turn the matrix by 90 degrees: mean and variance
# run over the **row**, the D features of one token. No token knows of any other.
#
# $$\mathrm{LayerNorm}(x) = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} \odot \gamma + \beta$$
#
# μ and σ² are now those of the one vector x. γ (the weight) and β (the bias) are learnt, one number per feature, and
# give back the freedom that the division took. γ starts at 1 and β at 0, so that at first the layer only normalises.

# %%
# EXERCISE 2.2 · layer_norm
def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """Bring each vector to mean 0 and variance 1, then scale and shift it (Ba et al. 2016).

    x: (..., D), weight and bias: (D,) → (..., D), same dtype as x. Computed in float32 at least.

    >>> layer_norm(torch.tensor([[1.0, 3.0]]), torch.ones(2), torch.zeros(2), eps=0.0)
    tensor([[-1.,  1.]])
    """
    ### BEGIN SOLUTION
    wide = x.float()
    centred = wide - wide.mean(dim=-1, keepdim=True)
    variance = centred.square().mean(dim=-1, keepdim=True)  # (..., 1)
    return (centred * torch.rsqrt(variance + eps) * weight + bias).to(x.dtype)
    ### END SOLUTION


# %%
check.layer_norm(layer_norm)

# %% [markdown]
# Now multiply sample 0 by a number, and watch the other five. They did not change.
#
# **Predict.** In which panel do the rows of samples 1 to 5 move?

# %%
plot.who_moves(batch_norm, layer_norm)

# %% [markdown]
# <details><summary>Answer</summary>
#
# In the left one. BatchNorm's samples share their columns' mean, so one loud sample pushes all the others around. In
# LayerNorm nothing moves at all: even sample 0 stays as it was, because a norm that divides a vector by its own size
# cannot see that the vector grew.
#
# </details>

# %% [markdown]
# ## 2.3 RMSNorm: leave out the mean
#
# LayerNorm does two things to a vector: it **re-centres** (subtracts the mean) and **re-scales** (divides by the
# deviation). Zhang and Sennrich ([1910.07467](https://arxiv.org/abs/1910.07467)) asked which of the two is needed. Their
# answer: the re-scaling. RMSNorm drops the mean and divides by the root mean square:
#
# $$\mathrm{RMSNorm}(x) = \frac{x}{\sqrt{\frac1D\sum_{i=1}^{D} x_i^2 + \epsilon}} \odot \gamma$$
#
# No mean, no bias: half the parameters of LayerNorm and one pass over the numbers less.
#
# **Predict.** Add 2 to every number of a vector. Which norm notices? Then multiply the vector by 2. Which one notices
# now?

# %%
# EXERCISE 2.3 · rms_norm
def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """Divide each vector by its root mean square, then scale it (Zhang and Sennrich 2019, eq. 4).

    x: (..., D), weight: (D,) → (..., D), same dtype as x. Computed in float32 at least.

    >>> rms_norm(torch.tensor([[1.0, 7.0]]), torch.ones(2), eps=0.0)   # mean square 25, root 5
    tensor([[0.2000, 1.4000]])
    """
    ### BEGIN SOLUTION
    wide = x.float()
    mean_square = wide.square().mean(dim=-1, keepdim=True)  # (..., 1)
    return (wide * torch.rsqrt(mean_square + eps) * weight).to(x.dtype)
    ### END SOLUTION


# %%
check.rms_norm(rms_norm)

# %%
plot.shift_and_scale(layer_norm, rms_norm)

# %% [markdown]
# <details><summary>Answer</summary>
#
# A shift is noticed by RMSNorm only: LayerNorm subtracts it away. A positive scale is noticed by neither. (To the last digit
# both notice a little, because of ε. With numbers around 1 and ε = 0.00001 you do not see it.)
#
# </details>
#
# With two numbers you can see what the norms do to the plane. The circle has the radius √2: all points whose root mean
# square is 1.

# %% id="plot-2-3-directions"
plot.directions(layer_norm, rms_norm)

# %% [markdown]
# RMSNorm keeps the direction of a vector and sets its length to √D. LayerNorm first drops it onto the line of vectors
# with mean zero, and in two dimensions only two points of that line have the right length. With D = 4096 this costs one
# direction of 4096, which is nothing. So the question is only whether re-centring earns what it costs.

# %% [markdown]
# ### ε is not decoration, and neither is float32
#
# Where ε stands shows only when the numbers are small: after the root instead of under it, a vector of size 0.001 comes
# out three times too small. And the square of 1000 is a million: float16 ends at 65,504. Llama's code therefore computes
# the norm in float32 and goes back afterwards. Your check has tried both.

# %%
x = torch.tensor([[1000.0, -1000.0, 500.0, 0.0]], dtype=torch.float16)
show("in float16", lambda: x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5))
show("yours", lambda: rms_norm(x, torch.ones(4)))

# %% [markdown]
# ## 2.4 The layer
#
# A layer is the function plus what it has learnt. Llama 3 has 65 of them: two in each of its 32 blocks and one at the
# end.

# %%
# EXERCISE 2.4 · RMSNorm
class RMSNorm(nn.Module):
    """rms_norm with a weight of its own, which starts at ones.

    dim: D, the size of the vectors; weight: (D,).

    >>> RMSNorm(2, eps=0.0)(torch.tensor([1.0, 7.0])).detach()
    tensor([0.2000, 1.4000])
    """

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        """Normalise and scale. x: (..., dim) → (..., dim)."""
        ### BEGIN SOLUTION
        return rms_norm(x, self.weight, self.eps)
        ### END SOLUTION


# %%
check.RMSNorm(RMSNorm)

# %% [markdown]
# ## 2.5 Measure: what is re-centring worth?
#
# The claim can be tried in a few seconds. A small network of five residual blocks, x + down(relu(up(norm(x)))), learns
# a made-up task by plain gradient descent, with four kinds of norm. Its weights start at five sizes, from four times too
# small to four times too large, with three seeds each.
#
# **Predict.** Which of the four curves lie close together?

# %% id="plot-2-5"
plot.training(layer_norm, rms_norm)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Two pairs. Re-scaling alone goes with LayerNorm; re-centring alone goes with no norm at all, and both of these break down
# when the weights are too large. In this network re-scaling is what makes training indifferent to the size of the
# weights, and re-centring adds nothing that three seeds could show.
#
# This is a small network and one task. In a plain stack of ReLU layers without residual connections re-centring does
# help, since a ReLU's outputs are never negative, so their mean is far from zero.
#
# </details>
#
# And what does it save? Zhang and Sennrich report 7 to 64 % less running time for whole models. Here is your own
# machine, both norms in turns:

# %% id="measure-timing"
plot.timing(layer_norm, rms_norm)

# %% [markdown]
# Look at the ratios. In code made of separate torch operations, fewer operations are less time. In torch's own functions
# it depends on who wrote the kernel: on many CPUs `F.layer_norm` is a single fused kernel and `F.rms_norm` is not, so that the
# simpler formula is slower there. Fewer operations on paper are a promise, not a measurement.

# %% [markdown]
# ## 2.6 Where it lives in Llama 3
#
# | | Llama 3 8B |
# |---|---|
# | RMSNorm layers | 65 = 2 × 32 blocks + 1 at the end |
# | size D | 4,096 |
# | parameters | 65 × 4,096 = 266,240 of 8,030,261,248, or 0.003 % |
# | ε | 0.00001, under the root |
# | computed in | float32, while the rest is bfloat16 |
# | place | **before** attention and before the feed-forward layer (pre-norm): x + attention(norm(x)) |
#
# The place matters. In pre-norm the residual stream x itself is never normalised, so that gradients pass through the sum
# unhindered. Gopher ([2112.11446](https://arxiv.org/abs/2112.11446)) used RMSNorm, LLaMA
# ([2302.13971](https://arxiv.org/abs/2302.13971)) took it up together with pre-norm, and Llama 2
# ([2307.09288](https://arxiv.org/abs/2307.09288)) and Llama 3 ([2407.21783](https://arxiv.org/abs/2407.21783)) kept it.

# %% [markdown]
# ## What you built
#
# `batch_norm`, `layer_norm`, `rms_norm` and `RMSNorm`: the last one is the very layer of Llama 3. Three questions to
# think about:
#
# 1. You multiply all the weights of the layer *before* an RMSNorm by 10. What changes in the output, and what in the gradient of
#    these weights?
# 2. What does RMSNorm make of a vector of zeros, and of a vector of equal numbers? What does LayerNorm make of them?
# 3. γ could be merged into the weight matrix that follows. Which product is it, and what would be lost?
#
# <details><summary>Answers</summary>
#
# 1. The output stays. The gradient becomes ten times smaller, so that large weights move more slowly: the norm adapts the step size
#    by itself. 2. Zeros stay zeros, thanks to ε. Equal numbers c become 1 (or −1) with RMSNorm, and zeros with LayerNorm.
#    3. W · (x̂ ⊙ γ) = (W · diag(γ)) · x̂. For inference nothing is lost; in training γ gets its own learning rate and no weight
#    decay.
#
# </details>
#
# Each token's vector now has a good size. But look at what the model knows: a bag of vectors. "dog bites man" and "man
# bites dog" are the same bag. The next lab, **03 · Rotary position embedding**, gives them their places.

# %% id="save"
from checks import pieces
pieces.save(check)

# %% id="grade"
from checks import colab
colab.grade()
