# %% [markdown]
# # 00 · Start here
#
# In this course you write Llama 3 yourself, one technique per notebook, and at the end your own code runs a real model. This first
# notebook takes five minutes. It shows the map of what you will build, and the loop in which you will build it: **predict, write,
# check, look**. You go through that loop once, for the smallest piece of the model.

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
# Llama 3 8B is a stack of 32 equal blocks, and all it has learned are 8,030,261,248 numbers, its parameters.
#
# You need not know yet what its parts do. Three of them hold nearly all parameters: a table with one vector for each of the 128,256
# tokens (pieces of text), **attention**, in which tokens look at each other, and **SwiGLU**, which works on each token by itself.
#
# **Predict.** Where are most of the parameters: in the table, in attention, or in SwiGLU? Then run the cell, and move the slider from
# lab to lab.

# %% id="plot-map"
plot.model_map()

# %% [markdown]
# <details><summary>Answer</summary>
#
# In SwiGLU: 70.2 %, the longest piece of the bar. Attention, of which everybody speaks, has 16.7 %, the table 6.5 %, and the output
# projection as many again.
#
# </details>
#
# The sliders obey the arrow keys as well, and go on working where no Python runs.

# %% [markdown]
# ## 0.1 The loop
#
# The smallest piece is the *mean square* of a vector x, in which D numbers stand:
#
# $$\mathrm{ms}(x) = \frac1D \sum_{k=1}^{D} x_k^2$$
#
# In words: square each number, then take the mean. It tells how large a vector is, whatever the signs of its numbers. In lab 02 you
# divide by its root, and that is RMSNorm.
#
# **Predict.** Which of these has the largest mean square?
# a = (3, 3, 3, 3), b = (3, −3, 3, −3), c = (6, 0, 0, 0), or are all three equal? Decide now, even if you have to guess; the picture
# below answers.
#
# **Write.** An exercise is a function with its text, and an example to do by hand. `(..., D) → (...)` says that x may have any number of
# dimensions, and that the last one goes. Put your code in the place of `raise NotImplementedError(…)` and run the cell.


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
# **House rules.** Four things are asked of every function in this course, because a real model needs them:
#
# 1. **Inputs stay as they are**: the caller may still need them (`x = x * 2`, not `x *= 2`).
# 2. **What you make lies where the inputs lie**: on the same device (`torch.zeros(3, device=x.device)`).
# 3. **Half precision is computed in float32 and given back in its dtype**: the trap further down.
# 4. **Gradients flow**: no `.detach()`, `.item()` or `torch.no_grad()` on the way.
#
# A check shows them apart. ✓ means right and ready for a real model; ◐ means that the technique is right, and says what is still to
# mend before a real model uses it; ✗ means not right yet. Everything else that a check asks stands in the docstring or in the text above it.
#
# **Check.** The next cell tries your function on small and odd inputs. While nothing is written it says "✎ to do", and Run All goes on. When
# something is wrong it looks for a mistake that gives exactly *your* numbers, and names it. See for yourself: write
# `return x.mean(dim=-1) ** 2` first, and run both cells. Then put it right. Three hints open at the bottom of its panel, if you want
# them: a question, the idea, the line.

# %%
check.mean_square(mean_square)

# %% [markdown]
# **Look.** Every picture is drawn by the function that you wrote: the thick lines below are its results. If the function is wrong,
# they lie wrong. When you have changed it, run its cell and then the picture's.

# %%
plot.bars(mean_square)

# %% [markdown]
# <details><summary>Answer</summary>
#
# All three are equal: 9. Signs do not count, so b is as large as a; and c has its 36 in one place, but there are four places to share
# it with. (The mean without squares would say 3, 0 and 1.5.) Half of x has a quarter of the mean square: move the slider.
#
# </details>
#
# One trap is the same in all labs. Models compute in 16-bit numbers, and float16 ends at 65,504.
#
# **Predict.** The vector is (300, 0, 0, 0). The square of 300 is 90,000, and the mean of the four squares 22,500. What comes out if
# every step is done in float16: about 22,500, the largest number 65,504, or infinity?

# %% id="half-precision"
# show prints what the lambda returns, or which exercise is missing
x = torch.tensor([300.0, 0.0, 0.0, 0.0], dtype=torch.float16)
show("all in float16", lambda: x.square().mean())
show("yours", lambda: mean_square(x))

# %% [markdown]
# <details><summary>Answer</summary>
#
# Infinity. The mean would fit (as 22,496, since float16 goes in steps of 16 there), but the square on the way to it does not. Hence
# `x.float()` first and `.to(x.dtype)` last: you will write that in many labs.
#
# </details>

# %% [markdown]
# ## 0.2 Is everything there?
#
# The doctor looks and says what to do; it installs nothing.

# %% id="doctor"
doctor.report()

# %% [markdown]
# ## What you built
#
# `mean_square`, which stands in Llama 3 8B 65 times. Three questions to think about:
#
# 1. You divide a vector by the root of its mean square. What is the mean square of the result?
# 2. When is the mean square of a vector equal to the square of its mean?
# 3. A vector of 4,096 random numbers (normal, variance 1): what is its mean square, roughly, and how long is it?
#
# <details><summary>Answers</summary>
#
# 1. Exactly 1, whatever the vector was, unless it is all zeros. That is RMSNorm. 2. When all its numbers are equal: the difference of the
# two is the variance. 3. About 1, and so its length, the root of the sum, is about √4096 = 64.
#
# </details>
#
# The first block of the map turns text into numbers. A model multiplies matrices, and "dog bites man" is not a matrix: how do three words
# become tensors, and who decides what a word is? The next lab, **01 · Input block**, does that.
#
# Three cells are left. The first stands at the end of every lab: it **saves** your finished functions into `my_llama/`, your own package, from
# which later labs import them. Where one is missing, the worked one stands in and says so. The second shows your **progress** in the
# course; `from checks import progress` and `progress.board()` show it in any lab. The third **grades** this notebook.

# %% id="save"
from checks import pieces

pieces.save(check)

# %% id="progress"
progress.board()

# %% id="grade"
from checks import colab

colab.grade()
