# %% [markdown]
# # 00 · Start here
#
# *25 minutes: 15 to read, 10 to try. No cell runs for longer than two seconds.*
#
# In this course you write Llama 3 yourself, one technique per notebook, and at the end your own code runs a real model. This first
# notebook shows the map of what you will build, and the loop in which you will build it: **predict, write, check, look**. You go through
# that loop once, for the smallest piece of the model.
#
# On a narrow screen, press the folder at JupyterLab's left edge: its list of files closes and leaves this page the room.

# %% id="setup"
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# %% id="imports"
import torch
from torch import Tensor

from checks import doctor, progress
from checks import start_here as check
from plots import start_here as plot
from plots.show import show

# %% [markdown]
# ## 0.0 The map
#
# Llama 3 8B is a stack of 32 blocks, built alike, each with numbers of its own. All it has learned are 8,030,261,248 numbers, its parameters.
#
# You need not know yet what its parts do. Four of them hold nearly all parameters: a table with one vector for each of the 128,256
# tokens (pieces of text); **attention**, in which tokens look at each other; **SwiGLU**, which works on each token by itself; and the
# output projection, which turns the last vector into a score for each token.
#
# **Predict.** Where are most of the parameters: in the table, in attention, in SwiGLU, or in the output projection? Then run the cell,
# and press play. Each step zooms into the part that a lab builds: from the model into a block, from the block into the part.

# %% id="plot-map"
plot.model_map()

# %% [markdown]
# <details><summary>Answer</summary>
#
# In SwiGLU: 70.2 %, the longest piece of the bar. Attention, of which everybody speaks, has 16.7 %. The table and the output
# projection have 6.5 % each.
#
# </details>
#
# The sliders obey the arrow keys too, and they also work in a saved page, without a kernel. Point at a part of a picture, or go through its parts with
# the keyboard, and it says what it is.

# %% [markdown]
# ## 0.1 The loop
#
# The smallest piece is the *mean square* of a vector x, in which D numbers stand:
#
# $$\mathrm{ms}(x) = \frac1D \sum_{k=1}^{D} x_k^2$$
#
# In words: square each number, then take the mean. It says how large a vector is, whatever the signs of its numbers. In lab 02 you
# divide by its root, and that is RMSNorm.
#
# **Predict.** Which of these has the largest mean square?
# a = (3, 3, 3, 3), b = (3, −3, 3, −3), c = (6, 0, 0, 0), or are all three equal? Decide now, even if you have to guess; the picture
# below answers.
#
# **Write.** An exercise is a function with a description and an example to do by hand. `(..., D) → (...)` says that x may have any
# number of dimensions, and that the result lacks the last one. Replace `raise NotImplementedError(…)` by your code and run the cell.
#
# An AI completion that writes an exercise learns it in your place, so switch it off: in Colab with Settings → AI Assistance → *Hide
# generative AI features*, in JupyterLab, where an extension may bring one, with Settings → Settings Editor → *Inline Completer*.


# %%
# EXERCISE 0.1 · mean_square
def mean_square(x: Tensor) -> Tensor:
    """Mean of the squares over the last dimension.

    x: (..., D) → (...). Computed in float32 (`x.float()`), returned in x's dtype (`.to(x.dtype)`).

    >>> mean_square(torch.tensor([[1.0, 7.0], [3.0, -3.0]]))   # (1 + 49) / 2 and (9 + 9) / 2
    tensor([25.,  9.])
    """
    ### BEGIN SOLUTION
    return x.float().square().mean(dim=-1).to(x.dtype)
    ### END SOLUTION


# %% [markdown]
# **House rules.** Every function in this course does four things, because a real model needs them:
#
# 1. **Inputs stay as they are**: the caller may still need them (`x = x * 2`, not `x *= 2`).
# 2. **New tensors go on the inputs' device**: `torch.zeros(3, device=x.device)`.
# 3. **Half precision is computed in float32 and given back in its dtype**: see the trap below. torch's own matrix products, softmax and
#    sigmoid see to that themselves; what you square or add up yourself needs `.float()` first.
# 4. **Gradients flow**: no `.detach()`, `.item()` or `torch.no_grad()` on the way.
#
# A check reports them separately. ✓ means right and ready for a real model. ◐ means that the technique is right, and says what a real
# model still needs. ✗ means not right yet. Everything else that a check asks for stands in the docstring or in the text above it.
#
# **Check.** The next cell tries your function on small and odd inputs. While nothing is written it says "✎ to do", and Run All goes on. When
# something is wrong it looks for a mistake that gives exactly *your* numbers, and names it. See for yourself: write
# `return x.mean(dim=-1) ** 2` first, and run both cells. Then put it right. Three hints open at the bottom of its panel, if you want
# them: a question, the idea, the line.

# %%
check.mean_square(mean_square)

# %% [markdown]
# **Look.** Your function draws every picture: the thick lines below are its results. If the function is wrong, they lie wrong. When
# you have changed it, run its cell and then the picture's.

# %%
plot.bars(mean_square)

# %% [markdown]
# <details><summary>Answer</summary>
#
# All three are equal: 9. Signs do not count, so b is as large as a. And c has its 36 in one place, but four places share it. (The mean
# without squares would be 3, 0 and 1.5.) Half of x has a quarter of the mean square: move the slider.
#
# </details>
#
# One trap is the same in all labs. Models compute in 16-bit numbers, and float16 ends at 65,504.
#
# **Predict.** The vector is (300, 0, 0, 0). The square of 300 is 90,000, and the mean of the four squares is 22,500. What comes out if
# every step runs in float16: about 22,500, the largest number 65,504, or infinity?

# %% id="half-precision"
# show prints what the lambda returns, or which exercise is missing
x = torch.tensor([300.0, 0.0, 0.0, 0.0], dtype=torch.float16)
show("all in float16", lambda: x.square().mean())
show("yours", lambda: mean_square(x))

# %% [markdown]
# <details><summary>Answer</summary>
#
# Infinity. The mean would fit (as 22,496: float16 goes in steps of 16 there), but the square on the way does not. Hence `x.float()`
# first and `.to(x.dtype)` last. You will write that in many labs.
#
# </details>

# %% [markdown]
# ## 0.2 PyTorch in ten lines
#
# The labs need ten things of PyTorch beyond `x.mean(-1)` and `nn.Linear`. **Predict** what each line prints, then run the cell. Skip what you
# know. Change what surprises you, and run it again.

# %% id="ten-lines"
from torch import nn

x = torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])
w = nn.Parameter(torch.tensor([1.0, 2.0]))  # a tensor that a module learns, so it has a gradient
loss = 3 * w[0] + w[1] ** 2
loss.backward()  # back through everything that was computed from w

print(" 1", x.mean(-1, keepdim=True))  # the dimension stays, so that x / mean works row by row
print(" 2", x[..., 1::2])  # "..." is every dimension before; 1::2 is every second place, from 1
print(" 3", x[:, None].shape)  # None is a new dimension of size 1
print(" 4", torch.stack([x, x]).shape)  # stack makes a new dimension, cat makes one longer
print(" 5", x[torch.tensor([1, 0, 1])])  # a tensor of places as the index: rows 1, 0 and 1
print(" 6", x.unflatten(1, (2, 2)).mT)  # unflatten cuts 4 into 2 × 2; .mT swaps the last two
print(" 7", nn.Linear(4, 3).weight.shape)  # a layer from 4 to 3 keeps its weight as (out, in)
print(" 8", w.grad)  # what backward left: the slope of loss for each number
w.grad.zero_()  # a second backward would add to it; an optimizer's zero_grad() clears it
print(" 9", w.grad)
with torch.no_grad():  # nothing in here is remembered for a backward
    print("10", (2 * w).requires_grad)

# %% [markdown]
# You write lines 1 to 7 yourself from lab 01 on, and the last three in lab 09; until then only given cells use those.
#
# ## 0.3 Is everything there?
#
# The doctor looks and says what to do; it installs nothing.

# %% id="doctor"
doctor.report()

# %% [markdown]
# ## What you built
#
# `mean_square`, which Llama 3 8B uses 65 times. Three questions to think about:
#
# 1. You divide a vector by the root of its mean square. What is the mean square of the result?
# 2. When is the mean square of a vector equal to the square of its mean?
# 3. A vector of 4,096 random numbers (normal, variance 1): what is its mean square, roughly, and how long is it?
#
# <details><summary>Answers</summary>
#
# 1. Exactly 1, whatever the vector was, unless it is all zeros. That is RMSNorm. 2. When all its numbers are equal: the two differ by
# the variance. 3. About 1, and so its length, the root of the sum, is about √4096 = 64.
#
# </details>
#
# The first block of the map turns text into numbers. A model multiplies matrices, and "dog bites man" is not a matrix: how do three words
# become tensors, and who decides what a word is? The next lab, **01 · Input block**, does that.
#
# Three cells are left. The first ends every lab: it **saves** your finished functions into `my_llama/`, your own package, from which later
# labs import them. Where one is missing, the worked one stands in and says so. The second shows your **progress** in the course;
# `from checks import progress` and `progress.board()` show it in any lab. The third **grades** this notebook.

# %% id="save"
from checks import pieces

pieces.save(check)

# %% id="progress"
progress.board()

# %% id="grade"
from checks import colab

colab.grade()
