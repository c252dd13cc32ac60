# %% [markdown]
# # 09 · Training
#
# The model of lab 08 has every part that Llama 3 has, and it says noise. What it lacks is in no formula: the values of its
# weights. In this lab it learns them, from a million characters of Shakespeare, in a minute. You write everything that it
# takes:
#
# a number that says how wrong it is → a learning rate → a limit for bad steps → **AdamW** → the loop.

# %% id="setup"
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# %% id="imports"
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from checks import training as check
from my_llama import Llama, LlamaConfig, build_vocab, count_parameters, encode, make_batch
from plots import training as plot
from plots.measure import one_thread
from plots.show import show

# %% [markdown]
# ## 9.0 The problem: a model that says noise
#
# The text is the one of lab 01. The last tenth of it is put aside: the model never learns from it, so it can be asked there.

# %% id="text"
from assets import shakespeare

shakespeare.fetch()
corpus = shakespeare.text()
vocab = build_vocab(corpus)
ids = torch.tensor(encode(corpus, vocab))
learn, held_out = ids[: len(ids) * 9 // 10], ids[len(ids) * 9 // 10 :]
print(
    f"{len(learn):,} characters to learn from, {len(held_out):,} held out, {len(vocab)} different ones"
)

# %% [markdown]
# Llama 3 8B has 32 layers of width 4,096. This one has 3 of width 96, and is otherwise the same: RMSNorm, RoPE, four query
# heads on two kv heads, SwiGLU. Small models learn fast on a small machine; section 9.7 says what that is worth.

# %% id="new-model"
CONFIG = LlamaConfig(
    dim=96,
    n_layers=3,
    n_heads=4,
    n_kv_heads=2,
    vocab_size=len(vocab),
    hidden_dim=256,
    max_seq_len=512,
    rope_base=10_000.0,
)
torch.manual_seed(0)
model = Llama(CONFIG)
print(f"{count_parameters(CONFIG):,} parameters, all of them random. It writes:\n")
print(plot.write(model, vocab, length=200, temperature=1.0))

# %% [markdown]
# "Noise" is an impression. A training needs a number, one that is smaller when the model is less wrong. The idea: ask the
# model for the probability p that it gave to the character that really came next, and take **−ln p**. Sure and right is 0. A
# probability of 1/2 is 0.69, of one in a million 13.8, and so on without end.
#
# **Predict.** A model that knows nothing gives each of the 64 characters the same probability. Its loss is: 1/64 = 0.016, ln
# 64 = 4.16, or 64? And the new model above: below that, equal, or above?

# %% id="loss-of-nothing"
x, y = make_batch(ids, torch.arange(0, 6400, 100), 64)
with torch.no_grad(), one_thread():
    p = torch.softmax(model(x), dim=-1)  # (64, 64, V)
p_of_next = p.gather(-1, y[..., None])
print(f"−ln(1/64) = {math.log(64):.2f}; of the new model: {-p_of_next.log().mean():.2f}")

# %% [markdown]
# <details><summary>Answer</summary>
#
# 4.16, and the new model is above it, at 4.4. It does not know nothing, it believes wrong things. Its random logits prefer
# some characters, and it pays for that.
#
# </details>

# %% [markdown]
# ## 9.1 The loss
#
# $$L = -\frac{1}{N} \sum_{n} \ln \frac{e^{z_{n, y_n}}}{\sum_j e^{z_{n, j}}}$$
#
# with N tokens, the logits z of each, and its target y, the token that came next. It is called cross-entropy, and for a
# language model it is the whole teaching material: nobody ever tells the model what a verb is.
#
# The cell above computed exactly this, and it cannot stay so. **Predict.** Two logits, 0 and 200, and the target is the first
# one. What does `softmax`, then `log`, give: 200, 0 or inf?

# %% id="log-of-zero"
z = torch.tensor([0.0, 200.0])
print("−ln softmax:   ", -torch.softmax(z, dim=-1).log()[0])
print("e²⁰⁰ in float32:", torch.tensor(200.0).exp())

# %% [markdown]
# <details><summary>Answer</summary>
#
# inf. The probability e⁻²⁰⁰ is smaller than the smallest float32 and becomes 0, and ln 0 is −∞. Its gradient is NaN: one such
# token, and all weights of the model are NaN as well. The right answer is 200, and one gets it without any large number: ln
# of the quotient is z − max − ln Σ exp(z − max). `torch.log_softmax` does that.
#
# </details>


# %%
# EXERCISE 9.1 · cross_entropy
def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over all tokens of −ln p(target), where p is the softmax of the logits.

    logits: (..., V), targets: (...) ids → a scalar of the logits' dtype. Exact for logits of 1e4.

    >>> cross_entropy(torch.zeros(1, 1, 4), torch.tensor([[2]]))   # four equal logits: ln 4
    tensor(1.3863)
    >>> cross_entropy(torch.tensor([[[0.0, 10000.0], [0.0, 10000.0]]]), torch.tensor([[1, 0]]))
    tensor(5000.)
    """
    ### BEGIN SOLUTION
    log_p = torch.log_softmax(logits.float() if logits.itemsize < 4 else logits, dim=-1)
    of_targets = log_p.gather(-1, targets[..., None])  # (..., 1)
    return -of_targets.mean().to(logits.dtype)
    ### END SOLUTION


# %%
check.cross_entropy(cross_entropy)

# %% [markdown]
# Now look at what the loss does to the logits. Five characters may follow "th"; right is e. Move its logit.

# %%
plot.surprise(cross_entropy)

# %% [markdown]
# The gradient is the probability of each character, minus 1 for the right one. So the right one is pushed up, all others
# down, each by as much as it was believed; together nothing. When the model is sure and right, nothing moves any more. And
# far on the left the loss is a straight line: however wrong the model is, the push is never more than 1.
#
# **What is a good loss?** Before training a Llama, let us see what counting alone achieves: how often each character occurs,
# and which follows which (64 × 64 numbers). Both are counted on the text to learn from, and asked on the held-out text.

# %% id="milestones"
MILESTONES = {}
show(
    "loss on unseen text",
    lambda: (
        MILESTONES.update(plot.milestones(cross_entropy, learn, held_out, len(vocab)))
        or {name: round(loss, 2) for name, loss in MILESTONES.items()}
    ),
)

# %% [markdown]
# 4.16, then about 3.3, then about 2.5. A Llama that is not below 2.5 has learned nothing that a table of pairs would not
# know.

# %% [markdown]
# ## 9.2 The learning rate
#
# A step against the gradient: how long? Too short, and a minute is not enough. Too long, and the loss bursts. And the right
# length changes while one goes. At the start everything is wrong and the gradients of the first batches point anywhere, so
# one begins carefully (**warm-up**). At the end the steps have to become short, or the weights only jitter around the goal:
# **cosine decay** (Loshchilov and Hutter, [1608.03983](https://arxiv.org/abs/1608.03983)). GPT-3, all Llamas and this lab do
# both:
#
# $$\eta_s = \eta_{peak} \frac{s + 1}{w} \quad (s < w), \qquad \eta_s = \eta_{floor} + \frac{\eta_{peak} - \eta_{floor}}{2} \Big(1 + \cos \pi \frac{s - w}{S - w}\Big)$$
#
# with the step s, counted from 0, w steps of warm-up and S in all.
#
# **Predict.** Why s + 1 and not s? What would the first step do otherwise?
#
# <details><summary>Answer</summary>
#
# Nothing: its learning rate would be 0, and its batch computed for nothing. That was in a well-known training script for
# years ([karpathy/nanoGPT#443](https://github.com/karpathy/nanoGPT/issues/443)).
#
# </details>


# %%
# EXERCISE 9.2 · learning_rate
def learning_rate(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    """The learning rate of a step, counted from 0: up in a line, then down along a cosine.

    peak · (step + 1) / warmup while step < warmup; from there half a cosine from peak to floor,
    which is reached at step = total; floor afterwards.

    >>> [round(learning_rate(step, 2, 6, 1.0, 0.0), 3) for step in range(8)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """
    ### BEGIN SOLUTION
    if step < warmup:
        return peak * (step + 1) / warmup
    if step >= total:
        return floor
    done = (step - warmup) / (total - warmup)  # 0 at the end of the warm-up, 1 at total
    return floor + (peak - floor) * (1 + math.cos(math.pi * done)) / 2
    ### END SOLUTION


# %%
check.learning_rate(learning_rate)

# %%
plot.schedule(learning_rate)

# %% [markdown]
# ## 9.3 Clipping
#
# Some batches are odd: a list of names, a song. Their gradient can be ten times as long as usual, and one step with it may
# undo what a hundred steps have learned. Therefore one looks at the length of the whole gradient, all parameters taken
# together as one long vector g, and shortens it when it is longer than allowed:
#
# $$g \leftarrow g \cdot \min\Big(1, \frac{c}{\lVert g \rVert}\Big)$$
#
# **Predict.** Two tensors of gradients have the norms 3 and 4. What is the norm of both together: 7, 5 or 4?
#
# <details><summary>Answer</summary>
#
# 5. Lengths at right angles add up by their squares. The worked example below is this one.
#
# </details>


# %%
# EXERCISE 9.3 · clip_grad_norm
def clip_grad_norm(grads: list[Tensor], max_norm: float) -> float:
    """Shorten the gradients, in place, so that their common norm is max_norm at most.

    The norm is that of all the numbers of all the tensors together. Returns it as it was before.

    >>> grads = [torch.tensor([3.0]), torch.tensor([[0.0, 4.0]])]
    >>> clip_grad_norm(grads, max_norm=1.0)
    5.0
    >>> grads
    [tensor([0.6000]), tensor([[0.0000, 0.8000]])]
    """
    ### BEGIN SOLUTION
    norm = math.sqrt(sum(grad.float().square().sum().item() for grad in grads))
    if norm > max_norm:
        for grad in grads:
            grad.mul_(max_norm / norm)
    return norm
    ### END SOLUTION


# %%
check.clip_grad_norm(clip_grad_norm)

# %% [markdown]
# In the picture there are two parameters, each a tensor of its own. Move the length: inside the circle nothing may happen,
# outside the arrow ends on the circle. The direction must not turn. It would if each tensor were clipped by itself: the large
# one would be cut and the small one not.

# %%
plot.clipping(clip_grad_norm)

# %% [markdown]
# ## 9.4 AdamW
#
# One learning rate for all is not enough. The weights of a model have gradients of very different sizes: a rare letter's
# embedding hardly any, a norm's weight a large one. A rate that suits the one is too much or too little for the other.
#
# Adam (Kingma and Ba, [1412.6980](https://arxiv.org/abs/1412.6980)) keeps two running means for each single number: m of the
# gradient g, and v of its square. It steps by the quotient:
#
# $$m = \beta_1 m + (1 - \beta_1) g \qquad v = \beta_2 v + (1 - \beta_2) g^2$$
#
# $$\hat m = \frac{m}{1 - \beta_1^t} \qquad \hat v = \frac{v}{1 - \beta_2^t} \qquad \theta \leftarrow \theta - \eta \Big(\frac{\hat m}{\sqrt{\hat v} + \epsilon} + \lambda \theta\Big)$$
#
# t is the number of the step, from 1; the corrections by 1 − βᵗ are there because m and v begin as zeros. λθ is the **weight
# decay**: every weight shrinks a little in each step unless gradients hold it up. It stands outside of the quotient, and that
# is the W in AdamW (Loshchilov and Hutter, [1711.05101](https://arxiv.org/abs/1711.05101)). Before, it was added to g, and
# then divided by √v as well: weights with large gradients hardly decayed.
#
# **Predict.** At the very first step one number has the gradient 0.5 and another −0.001. With η = 0.1, how far do they move?
#
# <details><summary>Answer</summary>
#
# Both by 0.1, each against its sign. At t = 1 the corrected m̂ is g and v̂ is g², and g / √g² is ±1. Where the gradient
# always has the same sign Adam's step is about η, however small it is; where it changes its sign all the time, m is small and
# v is not, and the step is short.
#
# </details>


# %%
# EXERCISE 9.4 · adamw_step
@torch.no_grad()
def adamw_step(
    param: Tensor,
    grad: Tensor,
    m: Tensor,
    v: Tensor,
    step: int,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.95),
    eps: float = 1e-8,
    weight_decay: float = 0.1,
) -> None:
    """One step of AdamW: changes param, m and v in place. The first step is step 1.

    m and v: running means of the gradient and of its square, like param, zeros before step 1.

    >>> param, grad = torch.tensor([1.0, -2.0]), torch.tensor([0.5, -0.001])
    >>> m, v = torch.zeros(2), torch.zeros(2)
    >>> adamw_step(param, grad, m, v, step=1, lr=0.1, weight_decay=0.0)
    >>> param   # the first step is lr long, however large the gradient is
    tensor([ 0.9000, -1.9000])
    """
    ### BEGIN SOLUTION
    m.lerp_(grad, 1 - betas[0])  # m = β₁ m + (1 − β₁) g
    v.mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])  # v = β₂ v + (1 − β₂) g²
    m_scale, v_scale = 1 - betas[0] ** step, 1 - betas[1] ** step  # what zeros at the start took
    param.mul_(1 - lr * weight_decay)
    param.addcdiv_(m, (v / v_scale).sqrt_().add_(eps), value=-lr / m_scale)
    ### END SOLUTION


# %%
check.adamw_step(adamw_step)

# %% [markdown]
# A valley, steep across and flat along. Plain gradient descent has to choose its rate for the steep direction (here nearly
# the largest one that does not burst), and then creeps along the flat one. Change how steep it is, and move the steps.

# %%
plot.descent(adamw_step)

# %% [markdown]
# For AdamW the three valleys are the same: dividing by √v takes the steepness out, number by number. It swings past the goal,
# since m remembers; that is why the rate has to fall at the end.
#
# The price is memory. **Predict.** A model in float32 with 8 billion parameters: how much do m and v take in addition?
#
# <details><summary>Answer</summary>
#
# Twice the model again: 2 · 4 · 8 billion bytes = 64 GB, beside 32 GB of weights and 32 GB of gradients. This is why a model
# that one can run on a machine cannot be trained on it.
#
# </details>

# %% [markdown]
# ## 9.5 The loop
#
# All parts are there. What also matters is what to measure, and this is given: the mean loss over a held-out text.


# %%
# GIVEN · held_out_loss
@torch.no_grad()
def held_out_loss(model: nn.Module, data: Tensor, context: int) -> float:
    """The mean loss over all of `data`, cut into pieces of `context` tokens; in eval mode."""
    was_training = model.training
    model.eval()
    pieces = (len(data) - 1) // context
    inputs = data[: pieces * context].reshape(pieces, context)
    targets = data[1 : pieces * context + 1].reshape(pieces, context)
    total = 0.0
    for x, y in zip(inputs.split(64), targets.split(64), strict=True):
        total += cross_entropy(model(x), y).item() * len(x)
    model.train(was_training)
    return total / pieces


# %% [markdown]
# One step of a training: draw pieces of the text at random, let the model predict every next token of them, take the loss and
# its gradients, clip them, and let AdamW change each parameter, at the learning rate of this step. And around it: now and
# then measure on held-out text, remember the best weights, and let nothing be lost when somebody presses stop.
#
# Two details that are often wrong, silently. Old gradients have to be forgotten first, since `backward` adds
# to them. And weight decay is for matrices only: a norm's weight belongs near 1, not near 0 (the tests of several libraries
# got this wrong, see the hints of the check).


# %%
# EXERCISE 9.5 · train
def train(
    model: nn.Module,
    data: Tensor,
    steps: int,
    held_out: Tensor,
    *,
    batch: int = 8,
    context: int = 64,
    peak: float = 3e-3,
    floor: float = 1e-4,
    warmup: int = 100,
    max_norm: float = 1.0,
    weight_decay: float = 0.1,
    every: int = 100,
    generator: torch.Generator | None = None,
    watch: Callable[[int, float, float | None], None] | None = None,
) -> list[float]:
    """Train the model on `data`, (N,) ids; return the loss of each step.

    A step: `batch` random pieces of `context` tokens (drawn with `generator` only), the loss, its
    gradients, cut to max_norm, one AdamW step at the learning rate of this step. Weight decay is
    for matrices; parameters with one dimension, the norms' weights, get none.

    After every `every` steps and after the last, held_out_loss(model, held_out, context) is
    measured. The model ends with the weights for which it was lowest, in eval mode, also when a
    KeyboardInterrupt ends the training early: then the losses so far are returned.

    watch: called after each step with the number of steps done, the step's loss, and the held-out
    loss, or None where it was not measured.
    """
    ### BEGIN SOLUTION
    moments = {p: (torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()}
    losses: list[float] = []
    lowest, best = math.inf, None
    model.train()
    try:
        for step in range(steps):
            starts = torch.randint(len(data) - context, (batch,), generator=generator)
            inputs, targets = make_batch(data, starts, context)
            loss = cross_entropy(model(inputs), targets)
            model.zero_grad()
            loss.backward()
            clip_grad_norm([p.grad for p in moments], max_norm)
            lr = learning_rate(step, warmup, steps, peak, floor)
            for p, (m, v) in moments.items():
                decay = weight_decay if p.dim() > 1 else 0.0
                adamw_step(p, p.grad, m, v, step + 1, lr, weight_decay=decay)
            losses.append(loss.item())

            measured = None
            if (step + 1) % every == 0 or step + 1 == steps:
                measured = held_out_loss(model, held_out, context)
                if measured < lowest:
                    lowest, best = measured, [p.detach().clone() for p in moments]
            if watch:
                watch(step + 1, losses[-1], measured)
    except KeyboardInterrupt:
        pass
    with torch.no_grad():
        for p, kept in zip(moments, best or moments, strict=True):
            p.copy_(kept)
    model.eval()
    return losses
    ### END SOLUTION


# %%
check.train(train)

# %% [markdown]
# ### Sixty seconds
#
# First it is measured how many steps your machine makes in a minute, since the schedule needs to know its end. Then it runs.
# Watch the loss pass the milestones of section 9.1, and read what it writes at the beginning, in the middle and at the end.
# The stop button (■) ends it early and keeps what it has learned.
#
# **Predict.** After how many seconds does it beat the table of pairs: 2, 20 or 50?


# %% id="sixty-seconds"
def learn_for(seconds: float) -> list[float]:
    torch.manual_seed(0)
    with one_thread():
        steps = plot.steps_in(seconds, train, model, learn)
        watch = plot.watch(steps, lambda: plot.write(model, vocab), MILESTONES)
        every = max(1, steps // 20)
        return train(model, learn, steps, held_out[:16_384], every=every, watch=watch)


model = Llama(CONFIG)
show("steps", lambda: len(learn_for(seconds=60)))

# %% [markdown]
# <details><summary>Answer</summary>
#
# After a few. What follows takes longer, and each tenth less takes longer than the one before: words, then lines of verse,
# then the form of a scene, with speakers that have names of the plays.
#
# </details>
#
# The curve was measured on a part of the held-out text. Now on all of it:

# %% id="final-loss"
with one_thread():
    show("loss on all of the held-out text", lambda: round(held_out_loss(model, held_out, 64), 3))
    show("and it writes", lambda: "\n" + plot.write(model, vocab, "ROMEO:\n", length=400))

# %% [markdown]
# It is nonsense, and it is not noise. Speakers in their places, lines of about the right length, English words, mostly. The
# model has seen 64 characters at a time and has never been told what a line is.

# %% [markdown]
# ## 9.6 Take something out
#
# Which part of the model, and of the recipe, did it? Take one out and train again, all for the same time: without the norms,
# without RoPE (all positions look like the first), with two ReLU matrices in place of SwiGLU (as many parameters), and
# without the warm-up. Each from three random starts, since one alone could be luck. All are trained in turns, a fifth of a
# second each, so that whatever else your machine does hits all alike.
#
# **Predict.** Which of the four costs most? Which costs nothing that one could measure here? It takes a minute.

# %% id="ablations"
plot.ablations(Llama, LlamaConfig, learning_rate, learn, held_out, len(vocab))

# %% [markdown]
# <details><summary>Answer</summary>
#
# Without RoPE the model is worst, in every start: it sees which characters came before, and only guesses in what order. The
# warm-up makes no difference that three starts could tell. And without the norms, or with ReLU, it is *better* after four
# seconds. When this lab was written (on a busy machine, about 200 steps each): no RoPE 2.43, whole 2.28, no warm-up 2.28,
# ReLU 2.23, no norm 2.16, with 0.01 to 0.04 between the best and the worst start.
#
# Read that with care. The race is for equal time, and without norms a step is shorter, so there are more of them (the
# captions say how many). Two layers are too few for the norms to matter: they are there so that the gradients of 32 or 126
# layers stay in bounds, and AdamW and the clipping protect a model as small as this one. With a norm before each layer the
# warm-up matters less as well (Xiong et al., [2002.04745](https://arxiv.org/abs/2002.04745)). And lab 07 found SwiGLU ahead
# of ReLU, after 400 steps, in another network. What wins in the first seconds of a small model is one question; what wins in
# a large one is another, and only large trainings can answer it. Anybody who shows you an ablation should tell you its size,
# its length and its spread.
#
# </details>

# %% [markdown]
# ## 9.7 Measure: is it the architecture?
#
# For years the standard first training on a laptop was nanoGPT's: a small GPT-2 (4 layers, width 128, 0.80 million
# parameters, learned positions, LayerNorm, GELU; batches of 12 pieces of 64 characters, rate 1e-3, 2,000 steps), on this
# text, without a GPU. Its [README](https://github.com/karpathy/nanoGPT#quick-start) promises a loss of 1.88 in about three
# minutes.
#
# `make bench-training` trains it beside the Llama of this lab, in one process and in turns, and measures on the whole
# held-out tenth:
#
# | held-out loss after | 60 s | 180 s |
# |---|---|---|
# | the recipe as published (2,000 steps, over after 159 s) | 2.16 | 1.91 |
# | the recipe, its schedule stretched over the time | 2.21 | 1.88 |
# | a GPT-2 of the Llama's size, batch, rate and schedule | 1.90 | 1.76 |
# | the same at the best of three rates | 1.88 | 1.74 |
# | this lab's Llama, 0.32 million parameters | **1.80** | **1.70** |
#
# One minute of this lab is worth more than three of the recipe. But do not say that Llama's architecture is three times as
# good. The model is smaller, its batches are smaller, its rate is three times as high, its schedule ends with the time: a
# step takes less than half as long, and each one goes further. That is what the third row is for. What lies between it and
# the Llama's row is the architecture: RMSNorm, RoPE, grouped-query attention, SwiGLU. What lies between it and the recipe is
# tuning.
#
# **Predict.** Which is the larger part?
#
# <details><summary>Answer</summary>
#
# Tuning: 0.26 at 60 seconds, and the architecture 0.10, or 0.08 against the best rate that we tried for the GPT-2. After 180
# seconds it is 0.15 and 0.06. A step of the Llama took 1.3 times as long there (36 milliseconds against 26), since your
# attention is written out and the GPT-2's is a fused one of torch: per step the architecture is worth more than that. It was
# one run with one seed, on a machine that did something else as well; `make bench-training` lets you try other rates and seeds.
#
# </details>

# %% [markdown]
# ## 9.8 Where it lives in Llama 3
#
# | | here | Llama 3 405B |
# |---|---|---|
# | loss | cross-entropy of the next token | the same |
# | optimizer | AdamW | AdamW |
# | peak rate, warm-up, end | 3e-3, 100 steps, 1e-4 | 8e-5, 8,000 steps, 8e-7 after 1,200,000 |
# | batch | 8 · 64 = 512 characters | 4 million tokens at first, 16 million at the end |
# | text | 1.07 million characters, several times | 15.6 trillion tokens |
# | arithmetic | a minute on one processor | 3.8 · 10²⁵ floating-point operations on up to 16,384 GPUs |
#
# The numbers are those of [2407.21783](https://arxiv.org/abs/2407.21783), sections 1, 3.3 and 3.4. The first LLaMA states the
# rest ([2302.13971](https://arxiv.org/abs/2302.13971), section 2.3): betas 0.9 and 0.95, a weight decay of 0.1, gradients
# clipped to 1.0, a cosine down to a tenth of the peak. The first three are the defaults of your functions. Here is your schedule with the
# numbers of the 405B:

# %% id="their-schedule"
STEPS = (0, 7_999, 600_000, 1_200_000)
show(
    "rates at the steps 0, 7,999, 600,000 and 1,200,000",
    lambda: [f"{learning_rate(s, 8_000, 1_200_000, 8e-5, 8e-7):.1e}" for s in STEPS],
)

# %% [markdown]
# ## What you built
#
# `cross_entropy`, `learning_rate`, `clip_grad_norm`, `adamw_step` and `train`. Three questions to think about:
#
# 1. All logits of a token are 5 too large. What is the loss, what the gradient?
# 2. The loss is divided by 1,000 by mistake. What does plain gradient descent do, what AdamW?
# 3. The training loss falls further and the held-out loss rises. What happens, and which line of your `train` helps?
#
# <details><summary>Answers</summary>
#
# 1. The same: softmax does not see what is added to all. 2. Plain descent makes steps a thousand times too short. AdamW makes the same ones as before, since m and √v shrink alike
#    (as long as they are well above eps), only clipping never happens. 3. The model learns the plays by heart instead of the language. What helps is that the weights with the lowest held-out loss were copied and come
#    back at the end.
#
# </details>
#
# The model gives good probabilities now. But what have the samples above been? `plot.write` took each character by chance, by
# a rule of its own, and the text would be another one with another rule: always the likeliest character, say, or never one
# below a hundredth. We have logits; how should one choose from them? **10 · Sampling**.

# %% id="save"
from checks import pieces

pieces.save(check)

# %% id="grade"
from checks import colab

colab.grade()
