# %% [markdown]
# # 12 · The roofline
#
# *65 + 60 minutes, in two sittings: 12.0 to 12.4, then 12.5 to 12.8. A little less than half of it is writing, and much of that is 12.7. The cells compute for about a minute and a half, most of it in 12.4 and 12.7.*
#
# Your Llama of lab 11 answers, and you wait for it. A processor that could do billions of operations while it makes one word is idle most of the time. In this lab you compute how fast a model *can* be on
# a given machine, before any code is written. Then you measure how near you come, and write the two things that move the limit: smaller weights, and an attention that never writes its scores down.

# %% id="setup"
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# %% id="imports"
import math

import torch
from my_llama import LlamaConfig, attention, count_parameters, decode_intensity, kv_cache_bytes
from torch import Tensor

from assets import smollm2
from checks import roofline as check
from plots import roofline as plot
from plots.show import show

# %% [markdown]
# House rules, as in every lab: inputs stay as they are; new tensors go on the inputs' device; half precision is computed in float32 and
# given back in its dtype; gradients flow.
#
# ## 12.0 The problem: what is it waiting for?
#
# Two numbers say most about a machine: how many operations it does in a second, and how many bytes it reads in a second. Here are yours, in one thread, as everything in this lab. A product of two square matrices does many operations with each number that it reads, so it shows
# the first. A matrix times one vector uses each number once, so it shows the second. The matrix is 134 MB, since a small one would stay in the processor's cache, which is much faster than memory. (STREAM, the benchmark that everybody quotes, takes arrays larger than the
# cache [for that reason](https://www.cs.virginia.edu/~mccalpin/papers/bandwidth/node2.html).) A floating-point operation, a multiplication or an addition, is a FLOP.
#
# In the table, *M weights* is how many million weights a second come from memory. The *ridge* is the first column divided by the second; 12.3 says what it is good for. One thread is one core's share. All cores together have a much higher peak and read only somewhat faster, so their ridge is higher. (Lab 11's table used all of them: do not compare its GB a second with these.)
#
# **Predict.** In the time in which one float32 number of 4 bytes comes from memory, how many FLOPs could your machine do: less than one, about 20, or more than 1,000?

# %% id="machine"
machine = plot.machine()

# %% [markdown]
# <details><summary>Answer</summary>
#
# About 20, give or take a factor of three: 4 times what the column "FLOPs a byte" says for float32. A data centre's card is worse off: an H100 does 989 · 10¹² FLOPs a second in bfloat16 and reads 3.35 · 10¹² bytes, 295 FLOPs for each byte. (Its data sheet says 1,979. That is for matrices half of
# which are zeros, in a fixed pattern: [FlashMLA#75](https://github.com/deepseek-ai/FlashMLA/issues/75).)
#
# </details>
#
# The rows differ from processor to processor. One that has instructions for bfloat16 or float16 multiplies them faster than float32. Another has none, and torch makes do: there the product of two half-precision matrices may be many times slower than in float32, and a matrix times
# a vector gains only if the numbers are unpacked as fast as they come. So the dtype that is best for a prompt can be the worst for the tokens after it. That is how lab 11's table can look so different on two machines, and 12.4 comes back to it.
#
# How many FLOPs does a Llama need, and how many bytes? You can count both.

# %% [markdown]
# ## 12.1 What has to be computed
#
# A token goes through every matrix of the model: wq, wk, wv and wo, the three of SwiGLU, and at the end the output projection. A product of a vector with a matrix takes one multiplication and one addition for each weight. So far that is 2 FLOPs for each weight of a matrix, for each token.
#
# Looking up an embedding is no product. The norms, the softmax and RoPE are so little that nobody counts them.
#
# Then attention. In each layer each of H query heads takes the dot product of the T new queries with all S keys, n_past + n_new of them: d multiplications and d additions for each of T × S scores. Averaging the values takes as many. (The kv heads are fewer, but each query head computes for itself:
# [xformers#1404](https://github.com/facebookresearch/xformers/pull/1404) counted them wrong.)
#
# Sources disagree on masked scores. Some count the half below the diagonal, since a good program skips the rest ([verl#4929](https://github.com/verl-project/verl/pull/4929)), others the whole rectangle
# ([torchtitan#280](https://github.com/pytorch/torchtitan/pull/280)). Here, as in lab 05, it is the whole rectangle.
#
# **Predict.** A rule of thumb says: 2 FLOPs for each parameter and token. Llama 3 8B has 8.03 billion. It writes one token after 8,191 others. Is the rule too high, right within 5 %, or too low?


# %%
# EXERCISE 12.1 · forward_flops
def forward_flops(config: LlamaConfig, n_new: int, n_past: int = 0) -> int:
    """FLOPs of one pass over n_new tokens that follow the n_past tokens in the caches.

    Matrix products only, a multiplication and an addition being two FLOPs: every weight of a
    matrix for every new token, the output projection (tied or not) included; and in each layer, for
    each query head, q·k and weights·v over the whole n_new × (n_past + n_new) rectangle, masked
    scores included, as in lab 05's count_scores. Looking up an embedding costs none.

    >>> small = LlamaConfig(dim=4, n_layers=1, n_heads=2, n_kv_heads=1, vocab_size=5, hidden_dim=3)
    >>> forward_flops(small, n_new=1)   # 104 weights, twice, and 4 · 2 heads · 2 features · 1 · 1
    224
    >>> forward_flops(small, n_new=2, n_past=1)   # 2 · 2 · 104 + 4 · 2 · 2 · 2 · 3
    512
    """
    ### BEGIN SOLUTION
    head_dim = config.dim // config.n_heads
    attention = 2 * config.dim * head_dim * (config.n_heads + config.n_kv_heads)
    feed_forward = 3 * config.dim * config.hidden_dim
    output = config.vocab_size * config.dim
    weights = config.n_layers * (attention + feed_forward) + output
    scores = n_new * (n_past + n_new)
    return 2 * n_new * weights + config.n_layers * 4 * config.n_heads * head_dim * scores
    ### END SOLUTION


# %%
check.forward_flops(forward_flops)

# %% id="rule-of-thumb"
llama = LlamaConfig()  # Llama 3 8B
show("2 FLOPs a parameter  ", lambda: f"{2 * count_parameters(llama) / 1e9:.1f} GFLOP")
show("one token, 8,191 before", lambda: f"{forward_flops(llama, 1, 8191) / 1e9:.1f} GFLOP")

# %% [markdown]
# <details><summary>Answer</summary>
#
# Too low: 16.1 billion instead of 19.3. The scores take 4.3, and the embedding table, which the rule counts, is 1.1 of the 16.1. At short context the rule is 7 % too high, at 128,000 tokens it is less than a fifth of what is to be done.
#
# </details>
#
# Move the context. The dashed line is the rule.

# %%
plot.flops(forward_flops, LlamaConfig)

# %% [markdown]
# ## 12.2 What has to be read
#
# However many tokens a pass gets, it reads every weight once. (A large matrix does not stay in the processor, so the next pass reads it anew.) Of the embedding table it reads a row for each token. That is nothing beside the rest, unless the table is tied: then it is the output projection, too, and is read whole.
#
# People forget this. One project had counted the embedding table as read, and its limits were off by 2.47 GB a token ([ninfer-3090#50](https://github.com/ashalliants/ninfer-3090/pull/50)).
#
# **Predict.** Llama 3 8B in bfloat16 is a file of 16.06 GB. How much does it read for one token: 16.06, 15.01 or 13.96 GB? Both its tables have 128,256 rows of 4,096 numbers, 1.05 GB.


# %%
# EXERCISE 12.2 · weight_bytes
def weight_bytes(config: LlamaConfig, bytes_per_weight: float = 2.0) -> float:
    """Bytes of weights that one forward pass reads, however many tokens it is given.

    Every weight is read once, the norms' included; of an embedding table that is not also the
    output projection only the rows of the tokens at hand, which count as none.

    >>> small = {"dim": 4, "n_layers": 1, "n_heads": 2, "n_kv_heads": 1, "vocab_size": 5}
    >>> weight_bytes(LlamaConfig(**small, hidden_dim=3))   # 84 + 20 and three norms of 4, 2 bytes each
    232.0
    >>> weight_bytes(LlamaConfig(**small, hidden_dim=3, tie_embeddings=True), bytes_per_weight=0.625)
    72.5
    """
    ### BEGIN SOLUTION
    looked_up = 0 if config.tie_embeddings else config.vocab_size * config.dim
    return (count_parameters(config) - looked_up) * bytes_per_weight
    ### END SOLUTION


# %%
check.weight_bytes(weight_bytes)

# %% id="bytes-of-8b"
show("a token reads", lambda: f"{weight_bytes(llama) / 1e9:.2f} GB")

# %% [markdown]
# <details><summary>Answer</summary>
#
# 15.01 GB: all but the embedding table.
#
# </details>
#
# Bars: what is read for a token. Hatched: what lies in memory and is not read. Choose fewer bytes a weight; 0.625 are the 5 bits of lab 11's Q4_1.
#
# **Predict.** A card reads 3,350 GB in a second. How many tokens a second can Llama 3 70B write on it at most, alone, with 2 bytes a weight: 24, 240 or 2,400?

# %%
plot.weights(weight_bytes, count_parameters, LlamaConfig)

# %% [markdown]
# <details><summary>Answer</summary>
#
# 24. Its 139 GB must come by once for each token. (They do not even fit into one card's 80 GB. Two cards hold them, and then 48 are possible.)
#
# </details>

# %% [markdown]
# ## 12.3 The roof
#
# A pass does some FLOPs and reads some bytes. Their ratio is its **intensity**, FLOPs a byte. Memory then allows
#
# FLOPs a second = FLOPs a byte · bytes a second,
#
# if the processor can follow. It can, up to its peak.
#
# That is the *roofline* of Williams, Waterman and Patterson ([2009](https://doi.org/10.1145/1498765.1498785)): a slanted roof, memory, and a flat one, the processor. Where they meet is the **ridge**, at peak / bandwidth. Left of it a program waits for memory, right of it it computes all the time.


# %%
# EXERCISE 12.3 · attainable_flops
def attainable_flops(intensity: float, peak_flops: float, bandwidth: float) -> float:
    """FLOPs a second at an intensity (FLOPs per byte): the lower of the two roofs.

    peak_flops: FLOPs a second. bandwidth: bytes a second.

    >>> attainable_flops(2.0, peak_flops=100e9, bandwidth=20e9)   # waiting for memory
    40000000000.0
    >>> attainable_flops(8.0, peak_flops=100e9, bandwidth=20e9)   # beyond the ridge, 5 FLOPs a byte
    100000000000.0
    """
    ### BEGIN SOLUTION
    return min(peak_flops, intensity * bandwidth)
    ### END SOLUTION


# %%
check.attainable_flops(attainable_flops)

# %% [markdown]
# Here is your roof (the best of each column of 12.0, so with bfloat16 weights your machine may stay below it), and a pass of Llama 3 8B over a prompt of T tokens on it, with its weights in bfloat16. Its FLOPs are yours of 12.1, its bytes yours of 12.2. The bytes stay the same whatever T is, and the FLOPs grow.
#
# **Predict.** On an H100, whose ridge is at 295 FLOPs a byte: from which T on does a pass compute all the time: from about 30, 300 or 3,000 tokens?

# %%
plot.roof(attainable_flops, forward_flops, weight_bytes, LlamaConfig, machine)

# %% [markdown]
# <details><summary>Answer</summary>
#
# From about 300. Each token brings 2 FLOPs for each weight, a weight has 2 bytes, so the intensity is about T. (With float32 weights it is T/2, with the 5 bits of Q4_1 it is 3.2 T.)
#
# </details>
#
# A single token is at the far left, with 1 FLOP a byte: 0.3 % of what the card could do. This is the whole reason why on such a card a prompt of 300 tokens takes hardly longer than one token, and why writing 300 tokens takes 300 times as long. On a machine with a ridge of 10 only the first ten or so can be nearly free, or twenty where weights have 4 bytes. Can be: lab 14 will measure whether they are.

# %% [markdown]
# ## 12.4 How fast can it write?
#
# There is a way to bring more work for each byte: serve many people at once. A step then gives a token to each text of the batch, and reads the weights once for all of them. Most explanations end here: with a batch of 300 on an H100, decoding computes all the time.
#
# Count again. Each text has a cache of its own, and every step reads all the caches.
#
# **Predict.** Llama 3 8B on an H100, each text 8,192 tokens long. At most 208 tokens a second with one text. With 512 texts, all together: about 100,000, about 30,000, or about 3,000?


# %%
# EXERCISE 12.4 · decode_speed_limit
def decode_speed_limit(
    config: LlamaConfig,
    batch: int,
    context: int,
    peak_flops: float,
    bandwidth: float,
    bytes_per_weight: float = 2.0,
    bytes_per_value: int = 2,
) -> float:
    """Tokens a second, of all `batch` texts together, that no program can exceed when decoding.

    One step gives each text one token. context: positions each token looks at, itself included.
    A step takes the longer of two times: all its FLOPs at peak_flops, or all its bytes at bandwidth.
    Weights are read once for all texts, a cache (lab 05's kv_cache_bytes) for each.

    >>> small = LlamaConfig(dim=4, n_layers=1, n_heads=2, n_kv_heads=1, vocab_size=5, hidden_dim=3)
    >>> decode_speed_limit(small, batch=1, context=3, peak_flops=1e9, bandwidth=1e3)   # 232 + 24 bytes
    3.90625
    >>> decode_speed_limit(small, batch=2, context=3, peak_flops=1e9, bandwidth=1e3)   # 232 + 48
    7.142857142857142
    >>> decode_speed_limit(small, batch=2, context=3, peak_flops=1e3, bandwidth=1e9)   # 512 FLOPs
    3.90625
    """
    ### BEGIN SOLUTION
    head_dim = config.dim // config.n_heads
    flops = batch * forward_flops(config, 1, context - 1)
    caches = kv_cache_bytes(
        config.n_layers, config.n_kv_heads, head_dim, context, batch, bytes_per_value
    )
    n_bytes = weight_bytes(config, bytes_per_weight) + caches
    return batch / max(flops / peak_flops, n_bytes / bandwidth)
    ### END SOLUTION


# %%
check.decode_speed_limit(decode_speed_limit)


# %% id="batches"
def limits(context: int) -> str:
    at = {b: decode_speed_limit(llama, b, context, *plot.H100) for b in (1, 64, 295, 512)}
    return "   ".join(f"batch {batch}: {limit:,.0f}" for batch, limit in at.items())


show("  512 tokens each", lambda: limits(512))
show("8,192 tokens each", lambda: limits(8192))

# %% [markdown]
# <details><summary>Answer</summary>
#
# About 3,000: 3,037, and even with endlessly many texts never more than 3,120. 64 texts have 2,561 already. (One card's 80 GB have room for about 59 such texts beside the weights. The rest is theory, or several cards.) Even with 512 tokens each, 512 texts wait for memory: their 49 GB take 14.7 ms, their FLOPs 7.9.
#
# </details>
#
# What a step reads has two parts, which behave differently. The *weights* are read once, so their FLOPs a byte grow with the batch. The *caches* are read by one text each. Their FLOPs a byte are your `decode_intensity` of lab 06, H / K, whatever the batch and the context: 4.
#
# **Predict.** Move the batch from 1 to 512. Which of the two dots moves? And what becomes of the speed of each single text, on the right?

# %%
plot.two_dots(
    attainable_flops,
    forward_flops,
    weight_bytes,
    decode_speed_limit,
    decode_intensity,
    LlamaConfig,
    machine,
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# The weights' dot moves up along the slanted roof, until at the ridge it comes to the flat one. The caches' dot stands still. From 14 texts of 8,192 tokens on, the caches take longer than the weights, and a larger batch gains less and less. Each single text pays for it: 208 tokens a second alone, 5.9 in a batch of 512.
#
# </details>
#
# So at long context decoding on such a card never becomes a matter of computing. On your own machine, with its low ridge, it may. Labs 05 and 06 said why caches must be small. This is what it is worth: with one kv head for each query head, the caches would be four times as large, and their dot at 1.
#
# ### And you?
#
# Now the real model. These are lab 11's decoders. Each has its limit, from your function, your machine's bandwidth and the bytes that it reads for a weight; beside it stands what it reaches. All read the same text in turns, in one thread. Between the turns a long matrix is read, and the median of these readings is the bandwidth. A machine's speed drifts, so it may lie above or below that of 12.0.
#
# **Predict.** Which of the three comes closest to its limit: four bytes a weight, two, or the file's nibbles, 4 bits and 5 with their scales and minima?

# %% id="limits-measured"
path = smollm2.fetch()
plot.decoders(decode_speed_limit, LlamaConfig, path)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Most often four bytes a weight: there reading takes the largest part of the time. The fewer bytes there are to read, the larger is the part of the time that the limit leaves out: unpacking the nibbles, some hundred small operations for each token, and Python between them.
#
# </details>
#
# A share of the limit tells you what is left. At 80 % no cleverness helps: only fewer bytes do. At 20 % the bytes are not what you are waiting for, and it is the program that has to be made better. A share above 100 % would mean that the model, or the matrix that gives the bandwidth, fits
# in the processor's cache, or that the machine was busy while its bandwidth was measured.
#
# The same code on three processors: lab 11's fastest decoder wrote 7.4 times as many tokens a second as the library transformers does in float32 on an AMD one with AVX-512 (instructions that take 16 numbers at a time), 4.1 times on an Intel one with AMX, and 3.4 times on an AMD one with neither. With prompts it is another story. AMX is a unit that
# multiplies matrices of bfloat16: there 512 tokens took 355 ms in bfloat16, and 1,338 with the nibbles. The processor with neither took 7,115 ms in bfloat16, and 1,290 in float32. Such instructions lift the flat roof, each for its own dtype. The slanted roof is the memory's, and no instruction lifts that. Look at your table in 12.0: a prompt of hundreds of tokens
# wants the dtype with the highest peak, and a single token the one that brings the most weights a second. So lab 11's 4-bit decoder, when it first reads a long prompt, tries which dtype is quickest where it runs.

# %% [markdown]
# ## 12.5 Fewer bytes
#
# If bytes are what one waits for, take smaller ones. Lab 11 read a file that somebody else had rounded. Now you round: each weight becomes a whole number from −127 to 127, one byte, the **int8** of torch.
#
# A whole number needs a step, the *scale*: weight ≈ number · scale. One scale for the whole matrix would be decided by its largest weight, and all rows of small weights would be rounded to a few steps, or to nothing. So each row, which makes one output, gets its own:
#
# $$s_i = \frac{\max_j |W_{ij}|}{127} \qquad q_{ij} = \mathrm{round}\left(\frac{W_{ij}}{s_i}\right)$$
#
# $W_{ij}$ is the weight from input j to output i. This is the "vector-wise" form of LLM.int8() ([2208.07339](https://arxiv.org/abs/2208.07339)), for weights.
#
# The trap is a row of zeros, where somebody has set small weights to 0 (*pruning*). Its scale is 0, and 0 / 0 is NaN ([coremltools#2851](https://github.com/apple/coremltools/pull/2851)).
#
# **Predict.** Why 127, and not 128, since int8 goes down to −128? What would happen to the largest weight of a row?


# %%
# EXERCISE 12.5 · quantize_int8
def quantize_int8(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round each row to whole numbers from -127 to 127, in steps of a scale of its own.

    weight: (out, in) → (out, in) int8, and the scales (out,) float32: a row's largest magnitude over
    127. The nearest whole number counts. A row of zeros becomes zeros, with no NaN on the way; its
    scale is any finite number.

    >>> q, scale = quantize_int8(torch.tensor([[1.27, -0.64, 0.003], [0.0, 0.0, 254.0]]))
    >>> q.tolist(), [round(s, 4) for s in scale.tolist()]
    ([[127, -64, 0], [0, 0, 127]], [0.01, 2.0])
    """
    ### BEGIN SOLUTION
    scale = weight.float().abs().amax(dim=1) / 127  # (out,)
    scale = torch.where(scale == 0, 1.0, scale)
    return (weight.float() / scale[:, None]).round().to(torch.int8), scale
    ### END SOLUTION


# %%
check.quantize_int8(quantize_int8)

# %% [markdown]
# <details><summary>Answer</summary>
#
# With 128 steps the largest weight would become 128, which int8 does not have: on most machines it comes out as −128, and the largest weight of the row has the wrong sign.
#
# </details>
#
# Four rows of a matrix. Left: each weight against what your function makes of it. On the diagonal nothing is lost. Right: how far off a row is on average, compared with the size of its weights.
#
# **Predict.** Row 0 becomes 100 times as large. What happens to the other three, and what would happen to them if all rows had one scale?

# %%
plot.rounded(quantize_int8)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Nothing: every row has its own scale. The dashed bars show what one scale for all would do to them: they are 58 % off, and at 300 times every one of them is rounded to zero.
#
# </details>

# %% [markdown]
# ## 12.6 A linear map of bytes
#
# Nobody needs the weights back for that. All weights of a row have the same scale, so it can wait until after the sum:
#
# $$y_i = \sum_j x_j \, s_i \, q_{ij} = s_i \sum_j x_j \, q_{ij}$$
#
# $x_j$ are the inputs, $y_i$ is output i. torch multiplies no floats with int8, so turn q into floating point first.
#
# With float16 there is a trap: the sum is 1 / scale times as large as the output, 127 times for a row whose largest weight is 1 and more for smaller ones, and float16 ends at 65,504. "You overflow the fp16 range before the rescale", found people who tried
# ([diffusion-fast#1](https://github.com/huggingface/diffusion-fast/issues/1)). The third house rule spares you that.


# %%
# EXERCISE 12.6 · int8_linear
def int8_linear(x: Tensor, q: Tensor, scale: Tensor) -> Tensor:
    """F.linear with an int8 weight whose rows have scales.

    x: (..., in), q: (out, in), scale: (out,) → (..., out), x's dtype.

    >>> q, scale = torch.tensor([[127, -64], [0, 10]], dtype=torch.int8), torch.tensor([0.01, 2.0])
    >>> int8_linear(torch.tensor([[1.0, 0.5]]), q, scale)   # (127 - 32) · 0.01, 5 · 2
    tensor([[ 0.9500, 10.0000]])
    """
    ### BEGIN SOLUTION
    sums = x.float() @ q.float().T  # (..., out)
    return (sums * scale).to(x.dtype)
    ### END SOLUTION


# %%
check.int8_linear(int8_linear)

# %% [markdown]
# Outputs of a real layer of SmolLM2 (where it is not there, of a made-up one): across the exact one, upwards yours.

# %%
plot.outputs(quantize_int8, int8_linear, path)

# %% [markdown]
# The numbers are good. And the speed? The same matrix times one token, as float32 and as int8, a quarter of the bytes.
#
# **Predict.** Is your `int8_linear` about four times as fast, about as fast, or slower?

# %% id="int8-speed"
plot.int8_speed(quantize_int8, int8_linear)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Slower: twice and more than ten times as long where this was executed. `q.float()` reads the bytes, and *writes* the whole matrix in float32, and the product reads that again: nine bytes for each weight instead of four. That explains 2¼ times. The rest is the new matrix: the system hands its memory out page by page, 57,345 pages for the 235 MB, at every call. Where this was executed that took nine tenths of the time: written into memory that was there already, the same numbers took a tenth.
#
# </details>
#
# You are not the first: "a bit more than twice slower than fp16 inference" is what a user of an early 8-bit mode found, and one of its authors answered that it was made for memory, not for speed
# ([FastChat#1698](https://github.com/lm-sys/FastChat/issues/1698)). Few bytes only help if they stay few until they are in the processor's registers. That takes a kernel, which unpacks a few weights at a time and multiplies them at once. Lab 11's 4-bit decoder has one, and llama.cpp is made of them.
#
# So the roof says what is possible. It does not say that a program gets there.

# %% [markdown]
# ## 12.7 Attention that writes nothing down
#
# There is one more place where much is written and read again. Your attention of lab 04 makes T × S scores for each head, writes them, reads them for the mask, writes them, reads them for the softmax, and so on. At T = 2,048 and 9 heads the scores are 151 MB, and they go back and forth half a dozen times.
#
# Why write them down at all? Because the softmax needs the sum over a whole row before the first weight is known. Or does it?
#
# Milakov and Gimelshein ([1805.02867](https://arxiv.org/abs/1805.02867)) found that it does not, and Rabe and Staats ([2112.05682](https://arxiv.org/abs/2112.05682)) carried it over to attention. Go through the keys block by block, and keep for each query three things of what has been seen so far:
#
# - $m$, the largest score,
# - $l = \sum_j e^{s_j - m}$, the sum that the softmax will divide by,
# - $o = \sum_j e^{s_j - m} \, v_j$, the values, weighted and not yet divided.
#
# $s_j$ is the query's score with key j, and $v_j$ is the value there. A new block may bring a larger score, $m'$. Then everything that was measured from $m$ has to be measured from $m'$, and that is one factor:
#
# $$e^{s_j - m'} = e^{s_j - m} \cdot e^{m - m'}$$
#
# So multiply the old $l$ and the old $o$ by $e^{m - m'}$, and add what the new block brings. At the end, $o / l$ is the attention. FlashAttention ([2205.14135](https://arxiv.org/abs/2205.14135)) is this, on a GPU, with the blocks so small that they stay in the fast memory on the chip.
#
# The blocks may come in any order, and be of any length: one key is a block as well.
#
# The trap is infinity. Before the first key m is −∞. If a query may see no key of the first block, its new m is −∞ as well, and −∞ − (−∞) is NaN, which stays for good
# ([flashinfer#4401](https://github.com/flashinfer-ai/flashinfer/pull/4401)). Subtract 0 instead where m is −∞. But keep −∞ as m: who stores the 0 gets queries that see nothing when all their later scores are far below 0
# ([flash-attention#2082](https://github.com/Dao-AILab/flash-attention/issues/2082)).
#
# **Predict.** A query has seen a block with l = 5. The next block's largest score is larger by 3. By which factor does its old o shrink: to a third, to a fifth, or to a twentieth?


# %%
# EXERCISE 12.7 · attend_block
State = tuple[Tensor, Tensor, Tensor]


def attend_block(
    q: Tensor, k: Tensor, v: Tensor, state: State | None = None, mask: Tensor | None = None
) -> State:
    """Take one more block of keys and values into attention, without the scores of the others.

    q: (..., T, d), k and v: (..., S, d), mask: bool, broadcasts to (..., T, S), True where a query
    may look. The state (m, l, o) is what is known of the blocks so far, for each query: the largest
    score m (..., T, 1), the sum l (..., T, 1) of exp(score - m), and the sum o (..., T, d) of
    exp(score - m) · v; float32. A score is q·k / sqrt(d), as in lab 04. None: no block yet. A query
    that has seen no key keeps m = -inf, l = 0 and o = 0.

    After the last block, o / l is attention(q, k, v) over all of them.

    >>> q, one = torch.tensor([[2.0, 0, 0, 0]]), torch.tensor([[1.0, 0, 0, 0]])
    >>> first = attend_block(q, math.log(3) * one, 8 * one)   # score ln 3
    >>> m, l, o = attend_block(q, 0 * one, 4 * one, first)   # score 0: exp(0 - ln 3) = 1/3
    >>> round(m.item(), 4), round(l.item(), 4), round(o[0, 0].item(), 4), (o / l)[0, 0].item()
    (1.0986, 1.3333, 9.3333, 7.0)
    """
    ### BEGIN SOLUTION
    scores = q.float() @ k.float().transpose(-2, -1) / math.sqrt(q.shape[-1])  # (..., T, S)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    if state is None:
        m = scores.new_full((*scores.shape[:-1], 1), -torch.inf)
        state = m, torch.zeros_like(m), m.new_zeros((*m.shape[:-1], v.shape[-1]))
    m, l, o = state
    new_m = torch.maximum(m, scores.amax(dim=-1, keepdim=True))
    still = torch.where(new_m == -torch.inf, 0.0, new_m)  # nothing seen yet: exp(-inf - 0) is 0
    old = torch.exp(m - still)  # how much the old sums shrink
    weights = torch.exp(scores - still)
    new_l = l * old + weights.sum(dim=-1, keepdim=True)
    return new_m, new_l, o * old + weights @ v.float()
    ### END SOLUTION


# %%
check.attend_block(attend_block)

# %% [markdown]
# <details><summary>Answer</summary>
#
# To a twentieth: e⁻³ = 0.0498. How large l is does not matter.
#
# </details>
#
# Twelve tokens, causal, four blocks of three keys. Left: the scores' square. A block is lit when it has been taken in; the shade is what each key has of the weight so far. Right: what one query knows after each block. The values are chosen so that its o shows how much each block has in it, and the outline is l.
#
# **Predict.** Watch the first block's part of o, as the others come in. When does it shrink?

# %%
plot.blocks(attend_block)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Only when a block raises m: a row in which m is larger than in the row above it. Otherwise the old parts stay as long as they were, and the new one is added.
#
# </details>
#
# ### What it is worth
#
# A text of 2,048 tokens, 9 heads of size 64 as in SmolLM2, in one thread. Your `attend_block` gets blocks of queries as well as of keys, so that blocks above the diagonal need not be computed at all. Beside it are your attention of lab 04, and torch's own.
#
# **Predict.** No less is computed below the diagonal, and there is a Python loop on top. Is it slower than lab 04's, equally fast, or faster, and by how much?

# %% id="online-speed"
plot.online(attend_block, attention)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Several times as fast, in about a tenth of the memory. About half of the gain in time is the triangle that is not computed. The other half is the roof: a block's scores fit into the processor's cache, and are used up before they ever reach memory.
#
# </details>
#
# The numbers agree up to rounding. Nothing is approximated in this attention; that is why it is everywhere. torch's own runs the same idea as a compiled kernel.

# %% [markdown]
# ## 12.8 Where it lives in Llama 3
#
# | | one H100, bfloat16 |
# |---|---|
# | FLOPs a second | 989 · 10¹² |
# | bytes a second | 3.35 · 10¹² |
# | ridge, FLOPs a byte | 295 |
# | Llama 3 8B, one text of 8,192 tokens, at most | 208 tokens a second |
# | 512 such texts | 3,037 |
#
# Your own numbers stand in 12.0's table, and `decode_speed_limit(llama, 1, 8192, *machine.best)` is the last but one. The 512 texts need 550 GB of caches, and the card has 80. In practice the memory is full before the roof is reached, and that makes grouped-query attention worth even more.
#
# The limit is computed from what must be read, once. It knows nothing of how long a kernel takes to start, of unpacking, or of Python, so a program is always below it. That is the use of a limit: it says when to stop.

# %% [markdown]
# ## What you built
#
# `forward_flops`, `weight_bytes`, `attainable_flops`, `decode_speed_limit`, `quantize_int8`, `int8_linear` and `attend_block`. Three questions to think about:
#
# 1. A card with twice the FLOPs and the same memory: what gets faster, a prompt of 4,000 tokens, or the answer?
# 2. You store the caches in one byte a number instead of two. For which texts does that matter, and for which not at all?
# 3. Why can a score that comes late not spoil what `attend_block` has added up before, however large it is?
#
# <details><summary>Answers</summary>
#
# 1. The prompt: it is beyond the ridge. The answer waits for memory, as before. 2. For many or long texts, where caches are most of the bytes: with 64 texts of 8,192 tokens on an H100 it is 1.7 times as fast. For a single short text nothing changes, the weights are what is read. 3. The old sums are
# multiplied by exp(m − m'), which is between 0 and 1. If the new score is much larger, they become 0, and that is right: beside it they weigh nothing.
#
# </details>
#
# With a cache that is read for every token, the length of the text is what costs most. And your Llama has been trained on texts of some length. What happens when one is longer? **13 · Long context**.

# %% id="save"
from checks import pieces

pieces.save(check)

# %% id="grade"
from checks import colab

colab.grade()
