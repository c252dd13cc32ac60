# %% [markdown]
# # 09 · Training
#
# *50 + 70 minutes, in two sittings: 9.0 to 9.4, then 9.5 to 9.9. A little more than half of it is writing, and much of that is 9.5. For about 5 of them
# cells train; each shows how far it is. Short of time, leave out 9.8.*
#
# The model of lab 08 has every part that Llama 3 has, and what it writes is noise. It lacks the right values of its weights,
# and no formula gives those. In this lab it learns them, from a million characters of Shakespeare, in a minute. You write
# everything that it takes:
#
# a number that says how wrong it is → a learning rate → a limit for bad steps → **AdamW** → the loop → a checkpoint.

# %% id="setup"
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# %% id="imports"
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from checks import trained
from checks import training as check
from my_llama import Llama, LlamaConfig, build_vocab, count_parameters, encode, make_batch
from plots import training as plot
from plots.measure import one_thread
from plots.show import show

# %% [markdown]
# House rules, as in every lab: inputs stay as they are; new tensors go on the inputs' device; half precision is computed in float32 and
# given back in its dtype; gradients flow. (In 9.3 and 9.4 changing some inputs is the work, and no gradient flows through that;
# what 9.4 is given is float32.)
#
# ## 9.0 The problem: a model that writes noise
#
# The text is the one of lab 01, nine plays. The model never learns from the last tenth: the end of *The Taming of the Shrew*
# and all of *The Tempest*. There we test it. Testing on all of that takes seconds each time, so `unseen` holds 32 stretches of
# 512 characters from all over it.

# %% id="text"
from assets import shakespeare

shakespeare.fetch()
corpus = shakespeare.text()
vocab = build_vocab(corpus)
ids = torch.tensor(encode(corpus, vocab))
learn, held_out = ids[: len(ids) * 9 // 10], ids[len(ids) * 9 // 10 :]
unseen = plot.spread(held_out)
print(f"{len(learn):,} characters to learn from, {len(vocab)} different ones")
print(f"{len(held_out):,} held out, {len(unseen):,} of them to test on now and then")

# %% [markdown]
# Llama 3 8B has 32 layers of width 4,096. This one has 3 of width 96, and is otherwise the same: RMSNorm, RoPE, four query
# heads on two kv heads, SwiGLU. Small models learn fast on a small machine.

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
print(plot.write(model, vocab, length=200))

# %% [markdown]
# "Noise" is an impression. Training needs a number that gets smaller as the model gets less wrong. The idea: take the
# probability p that the model gave to the character that really came next, and average −ln p over all characters. That is the
# **loss**. Sure and right costs 0, a probability of 1/2 costs 0.69, one in a million 13.8, and there is no upper end.
#
# **Predict.** A model that knows nothing gives each of the 64 characters the same probability: its loss is −ln(1/64) = 4.16.
# And the new model above: below that, equal, or above?

# %% id="loss-of-nothing"
x, y = make_batch(ids, torch.arange(0, 6400, 100), 64)
with torch.no_grad(), one_thread():  # for small products, waiting for a second takes longest
    p = torch.softmax(model(x), dim=-1)  # (64, 64, V)
p_of_next = p.gather(-1, y[..., None])
print(f"−ln(1/64) = {math.log(64):.2f}; of the new model: {-p_of_next.log().mean():.2f}")

# %% [markdown]
# <details><summary>Answer</summary>
#
# Above, at 4.4. It is worse than ignorant: its random logits prefer some characters, and it pays for that. Lab 08's rule is
# not broken: a start *far* above ln V is a mistake, as the 86 of its tied model was; 0.24 above is what random opinions
# cost.
#
# </details>

# %% [markdown]
# ## 9.1 The loss
#
# $$L = -\frac{1}{N} \sum_{n} \ln \frac{e^{z_{n, y_n}}}{\sum_j e^{z_{n, j}}}$$
#
# n counts the N tokens and j the V characters; $z_{n, j}$ is the logit of character j at token n, and $y_n$ the target, the
# character that came next. It is called cross-entropy, and for a language model it is the only teacher: nobody ever tells the
# model what a verb is.
#
# The cell above computes exactly this, and it has a flaw. **Predict.** Two logits, 0 and 200, and the target is the first
# one. What does `softmax`, then `log`, give: 200, 0 or inf?

# %% id="log-of-zero"
z = torch.tensor([0.0, 200.0])
print("softmax:    ", torch.softmax(z, dim=-1))
print("−ln softmax:", -torch.softmax(z, dim=-1).log()[0])

# %% [markdown]
# <details><summary>Answer</summary>
#
# inf. The probability e⁻²⁰⁰ is smaller than the smallest float32 and becomes 0, and ln 0 is −∞. Its gradient is NaN: one such
# token, and all weights of the model are NaN as well. The right answer is 200, and it takes no large number to get it: the
# logarithm of the quotient is $z_y - \max - \ln \sum_j \exp(z_j - \max)$. `torch.log_softmax` does that for all j.
#
# </details>
#
# Of each token's V numbers you need one, the target's. `log_p.gather(-1, index)` takes along the last dimension the
# entries that `index` names: log_p is (B, T, V), index the targets as (B, T, 1), and out come B · T numbers.
#
# Half precision: compute in float32 and return the logits' dtype, as in all labs. A sum of Llama 3's 128,256 exponentials does
# not fit into float16, which ends at 65,504.


# %%
# EXERCISE 9.1 · cross_entropy
def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over all tokens of −ln p(target), where p is the softmax of the logits.

    logits: (..., V), targets: (...) ids → a scalar of the logits' dtype. Exact for logits of 1e4;
    float16 and bfloat16 are computed in float32.

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
# Now look at what the loss does to the logits. Five characters may follow "th", and e is the right one. Move its logit: on the
# left the loss and its slope there, on the right the gradient that each logit gets, with the probabilities below it.

# %%
plot.surprise(cross_entropy)

# %% [markdown]
# The gradient is the probability of each character, minus 1 for the right one (dotted). A step goes against the gradient: where
# the bar is negative, the logit rises. So the right one is pushed up, and each other one down by as much as it was believed; the
# five pushes add up to zero. When the model is sure and right, nothing moves any more. And far on the left the loss is a
# straight line: however wrong the model is, the push is never more than 1.
#
# **What is a good loss?** Before training a Llama, let us see what counting alone achieves: how often each character occurs,
# and which follows which (64 × 64 numbers). Both are counted on the text to learn from, and tested on unseen text.

# %% id="milestones"
MILESTONES = plot.milestones(cross_entropy, learn, unseen, len(vocab))

# %% [markdown]
# 4.16, then about 3.3, then about 2.5. A Llama that is not below 2.5 has learned nothing that a table of pairs would not
# know.
#
# To feel what such a number means, undo the logarithm. $e^{loss}$ is called the **perplexity**: a model of loss 4.16 is as
# unsure as among $e^{4.16}$ = 64 equal characters, one of 3.3 as among 27, and the table of pairs as among 12.

# %% [markdown]
# ## 9.2 The learning rate
#
# The gradient g says in which direction the loss rises. One steps against it:
#
# $$\theta \leftarrow \theta - \eta\, g$$
#
# with the weights θ and the **learning rate** η. How large should η be? Too small, and a minute is not enough. Too large, and
# the loss blows up. And the right rate changes on the way. At the start everything is wrong and the first gradients point
# anywhere, so one begins with small steps (**warm-up**). At the end the steps have to become short, or the weights only
# jitter around the goal: **cosine decay** (Loshchilov and Hutter, [1608.03983](https://arxiv.org/abs/1608.03983)).
#
# $$\eta_s = \begin{cases} \eta_{peak}\, \dfrac{s + 1}{w} & s < w \\[1ex] \eta_{floor} + \dfrac{\eta_{peak} - \eta_{floor}}{2} \Big(1 + \cos \pi \dfrac{s - w}{S - w}\Big) & w \le s < S \\[1ex] \eta_{floor} & s \ge S \end{cases}$$
#
# with the step s, counted from 0, w steps of warm-up and S in all. GPT-3 ([2005.14165](https://arxiv.org/abs/2005.14165),
# appendix B) and Llama 1 to 3 ([2302.13971](https://arxiv.org/abs/2302.13971), [2307.09288](https://arxiv.org/abs/2307.09288),
# [2407.21783](https://arxiv.org/abs/2407.21783)) do both. Section 9.7 measures whether warm-up matters here.
#
# **Predict.** Why s + 1 and not s? What would the first step do otherwise?
#
# <details><summary>Answer</summary>
#
# The weights would not move: the learning rate would be 0, and the batch computed for nothing. That was in a well-known
# training script for two years ([karpathy/nanoGPT#443](https://github.com/karpathy/nanoGPT/issues/443), fixed in December 2024
# by [#578](https://github.com/karpathy/nanoGPT/pull/578)).
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

# %% [markdown]
# Move the warm-up. The area under the curve is the way that the weights can go, and the numbers are the share of each tenth of
# the steps: the last one gets under 1 %. It is there for the last correction, not for the distance. On the right the first
# steps one by one; the very first is not 0. (A warm-up of 1,000 of 1,000 steps leaves no room for the cosine: the rate drops.)

# %%
plot.schedule(learning_rate)

# %% [markdown]
# ## 9.3 Clipping
#
# A gradient knows the slope at one place only. At a cliff of the loss it is huge, and a step as long as that leads far away
# from everything that was learned (Pascanu and others, [1211.5063](https://arxiv.org/abs/1211.5063)). Therefore one looks at the length of the whole gradient, all parameters taken together as one
# long vector g, and shortens it when it is longer than allowed:
#
# $$g \leftarrow g \cdot \min\Big(1, \frac{c}{\lVert g \rVert}\Big)$$
#
# c is the longest allowed norm, `max_norm`; a gradient that is short enough, zero included, stays untouched.
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
# The picture has two parameters, each a tensor of its own. Move the length: inside the circle nothing may happen, outside it the
# arrow ends on the circle. The direction must not turn. It would if the tensors were clipped one by one, the dotted arrow: the
# large one would be cut and the small one not. On the right the norm after clipping over the norm before.

# %%
plot.clipping(clip_grad_norm)

# %% [markdown]
# Does it ever happen? In a training like the one below, of 800 steps, the norm was 1.0 at the first step, above 1 in 12 steps,
# all of them among the first hundred, and between 0.5 and 0.8 ever after. A limit of 1 is a seat belt: it costs nothing, and
# one does not see it work. PaLM, of 540 billion parameters, had some twenty spikes in its loss although it clipped to 1
# ([2204.02311](https://arxiv.org/abs/2204.02311), section 5.1).

# %% [markdown]
# ## 9.4 AdamW
#
# One learning rate for all is not enough. The weights of a model have gradients of very different sizes. `$` occurs once in
# the 1,070,141 characters, `Z` about two hundred times, and 15 of a hundred are spaces. In those 800 steps the gradient of the
# space's embedding was on average 55 times as long as that of `Z`, and that of `$` was zero throughout. A rate that suits the
# one is too much or too little for the other.
#
# Adam (Kingma and Ba, [1412.6980](https://arxiv.org/abs/1412.6980)) keeps two running means for each single number: m of the
# gradient g, and v of its square. It steps by the quotient:
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1) g \qquad v \leftarrow \beta_2 v + (1 - \beta_2) g^2$$
#
# $$\hat m = \frac{m}{1 - \beta_1^t} \qquad \hat v = \frac{v}{1 - \beta_2^t} \qquad \theta \leftarrow \theta - \eta \Big(\frac{\hat m}{\sqrt{\hat v} + \epsilon} + \lambda \theta\Big)$$
#
# β₁ = 0.9 and β₂ = 0.95 say how much of the old mean is kept, ε is a tiny number against division by zero, λ is the strength of
# the decay below, and t is the number of the step, from 1.
#
# m and v begin as zeros, and the corrections by 1 − βᵗ make up for that. At t = 1, m = 0.1 g: a tenth of the mean it stands
# for. Dividing by 1 − 0.9¹ = 0.1 repairs that.
#
# λθ is the **weight decay**: every weight shrinks a little in each step unless gradients hold it up. It stands outside of the
# quotient, and that is the W in AdamW (Loshchilov and Hutter, [1711.05101](https://arxiv.org/abs/1711.05101)). Before, it was
# added to g, and then divided by √v as well: weights with large gradients hardly decayed.
#
# **Predict.** At the very first step one number has the gradient 0.5 and another −0.001. With η = 0.1 and λ = 0, how far do
# they move?
#
# <details><summary>Answer</summary>
#
# Both by 0.1, each against its sign; the worked example below is this one. At t = 1 the corrected m̂ is g and v̂ is g², and
# g / √g² is ±1. Where the gradient always has the same sign Adam's step is about η, however small the gradient is; where it
# changes its sign all the time, m is small and v is not, and the step is short.
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
# A valley, steep across and flat along. Plain gradient descent has to choose its rate for the steep direction, and then creeps
# along the flat one. The slider says how many times steeper the valley is across than along: 1, 10 or 100.
# Plain descent has nearly the largest rate that does not blow up (at 1, AdamW's own). Play the steps; on the right the distance that is left.

# %%
plot.descent(adamw_step)

# %% [markdown]
# At 1 and at 10 plain descent arrives first; at 100 it does not. AdamW does not care which: dividing by √v takes the steepness
# out, number by number. In a model nobody knows the steepness, and there are millions of directions.
#
# It swings past the goal, since m remembers. And as its steps do not shorten with the gradient, noisy batches would keep it
# jittering at a distance of about η: that is why the rate falls at the end.
#
# The price is memory. **Predict.** A model in float32 with 8 billion parameters: how much do m and v take in addition?
#
# <details><summary>Answer</summary>
#
# Twice the model again: 2 · 4 · 8 billion bytes = 64 GB, beside 32 GB of weights and 32 GB of gradients. This is why a model
# that one can run on a machine often cannot be trained on it.
#
# </details>

# %% [markdown]
# ## 9.5 The loop
#
# All parts are there. One more is given: the mean loss over a held-out text.


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
# One training step: draw pieces of the text at random (`make_batch` of lab 01 cuts them), let the model predict every next token of them, take the loss and
# its gradients, clip them, and let AdamW change each parameter, at the learning rate of this step. And around it: now and
# then measure on held-out text, remember the best weights, and let nothing be lost when somebody presses stop.
#
# Details that often go wrong, silently:
#
# - **Forget old gradients before the first `backward`**, which adds to what is there.
# - **Two clocks**: learning_rate counts from 0, adamw_step from 1.
# - **m and v**: one of each per parameter, made once, before the loop.
# - **The last piece** starts at len(data) − context − 1, and the upper end of `torch.randint` is exclusive.
# - **The best weights must be copies**, or they go on changing with the model.
# - **Interrupted before any measurement**, there are no best weights: the model keeps those it has.
# - **Weight decay is for matrices only**: a norm's weight belongs near 1, not near 0. A rewritten norm layer of Fast-LLM lost
#   its exception, and all norms decayed until somebody looked
#   ([ServiceNow/Fast-LLM#542](https://github.com/ServiceNow/Fast-LLM/issues/542)).


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

    A step, in train mode: `batch` random pieces of `context` tokens (drawn with `generator` only),
    the loss, its gradients, cut to max_norm, one AdamW step at the learning rate of this step.
    Weight decay is for matrices; parameters with one dimension, the norms' weights, get none.

    After every `every` steps and after the last, held_out_loss(model, held_out, context) is
    measured. The model ends with the weights for which it was lowest, in eval mode, also when a
    KeyboardInterrupt ends the training early: then the losses so far are returned. Any other
    error comes out.

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
# The schedule needs to know its end, so the cell first measures how many steps your machine makes in a minute. Then it trains.
# Watch the loss pass the milestones of section 9.1, and read what the model writes at the beginning, in the middle and at the
# end. The stop button (■) ends it early and keeps what it has learned.
#
# **Predict.** When does it beat the table of pairs: in the first quarter of the minute, about the middle, or near the end? The
# line below the curve will say.


# %% id="sixty-seconds"
history: list[float] = []  # the loss of each step


def learn_for(seconds: float) -> str:
    with one_thread():
        steps = plot.steps_in(seconds, train, model, learn)
        watch = plot.watch(steps, lambda: plot.write(model, vocab), MILESTONES)
        every = max(1, steps // 20)
        history[:] = train(model, learn, steps, unseen, every=every, watch=watch)
    read = len(history) * 8 * 64
    return f"{read:,} characters, {read / len(learn):.2f} of one pass over the text"


torch.manual_seed(0)
model = Llama(CONFIG)
show("it has read", lambda: learn_for(seconds=60))

# %% [markdown]
# <details><summary>Answer</summary>
#
# In the first quarter, after less than a hundred steps. What follows takes longer, and each further 0.1 takes longer than the last: words, then lines of verse, then the
# form of a scene, with speakers, some with names from the plays.
#
# </details>
#
# The orange curve, on unseen text, ends above the blue one. That looks like learning by heart, and is not: the model has read
# the text about once on a fast machine, and on a slow one a part of it (the line above says how much), so nearly every batch
# was as new to it. The difference is the plays. When this lab was written,
# the model was also trained without 40 stretches of 1,024 characters from the nine tenths. On those it ended at 1.64, as on the
# text that it had read; on the held-out tenth at 1.81. Prospero's island has other names and other words.
#
# The curve was measured on `unseen`. Now on all of the held-out text:


# %% id="final-loss"
def tested() -> str:
    loss = held_out_loss(model, held_out, 64)
    return f"loss {loss:.3f}, perplexity {math.exp(loss):.1f}"


with one_thread():
    show("on all of the held-out text", tested)
    show("and it writes", lambda: "\nROMEO:\n" + plot.write(model, vocab, "ROMEO:\n", length=400))

# %% [markdown]
# On a machine that does nothing else it comes to about 1.8. That is a perplexity of 6: as unsure as among 6 equal characters,
# where the start was unsure among all 64.
#
# It is nonsense, and it is not noise. Speakers in their places, lines of about the right length, English words, mostly. The
# model has seen 64 characters at a time and has never been told what a line is.
#
# ### Learning by heart
#
# Now a new model that gets one page only, the first 3,000 characters, again and again for fifteen seconds.
# **Predict.** Where do the two curves go?


# %% id="by-heart"
def learn_one_page(seconds: float) -> str:
    with one_thread():
        steps = plot.steps_in(seconds, train, by_heart, learn)
        watch = plot.watch(steps, lambda: plot.write(by_heart, vocab), MILESTONES)
        train(by_heart, learn[:3000], steps, unseen, every=max(1, steps // 20), watch=watch)
    return f"{steps * 8 * 64 / 3000:,.0f} times"


torch.manual_seed(0)
by_heart = Llama(CONFIG)
show("it has read the page", lambda: learn_one_page(seconds=15))

# %% [markdown]
# <details><summary>Answer</summary>
#
# They part. The blue one keeps falling: the model learns the page itself. The orange one falls with it at first, then turns and
# climbs, since what is true of one page only makes unseen text less likely. When this lab was written, the page had been read
# 37 times at the end: 0.58 on the page, and on unseen text never better than 2.82, worse than the table of pairs. The lowest
# orange point is what your `train` gives back: it copied the weights there.
#
# </details>

# %% [markdown]
# ## 9.6 Checkpoints
#
# If you restarted the kernel now, the minute would be lost: the weights are numbers in this process, and nowhere else. Training Llama 3 405B
# was interrupted 466 times in 54 days, mostly by broken hardware ([2407.21783](https://arxiv.org/abs/2407.21783), section 3.3.4).
# Whoever trains saves a **checkpoint** every so many steps, and goes on from the last one.
#
# What must be in it? All that the next step needs and that cannot be computed anew:
#
# - the **weights**, with the model's buffers: `model.state_dict()`, a dict of tensors by name;
# - AdamW's **m and v** of each parameter. That is twice the model again;
# - the **step**, which both clocks are read from: the learning rate and AdamW's corrections.
#
# And what the model is (its sizes, its characters), or in a month nobody can build one that these weights fit.
#
# Two things go wrong late. `torch.save` writes byte after byte. A program that is stopped in the middle leaves half a file, and
# the earlier checkpoint is gone as well if it had the same name
# ([pytorch-lightning#688](https://github.com/Lightning-AI/pytorch-lightning/issues/688)). So write to another file in the same
# folder, and when that is complete move it to the old one's place: `Path.replace` does it in one step. And `torch.save`
# takes any Python object. `torch.save(model, path)` stores the *name* of the class, and breaks when that is renamed. A checkpoint
# holds tensors, numbers, strings, lists and dicts, nothing else.


# %%
# EXERCISE 9.6 · save_checkpoint
def save_checkpoint(
    path: Path,
    model: nn.Module,
    moments: dict[str, tuple[Tensor, Tensor]],
    step: int,
    about: dict | None = None,
) -> None:
    """Write to one file what a training needs to go on: a dict that weights_only=True can read.

    "weights": the model's state_dict; "moments": (m, v) of each parameter, by its name; "step":
    the number of steps done; "about": plain values, such as the model's sizes, or {}. The model
    stays as it is. If writing fails, the error comes out, and a file that was there before is
    still whole.

    >>> import tempfile
    >>> model, path = nn.Linear(2, 1, bias=False), Path(tempfile.mkdtemp(), "tiny.pt")
    >>> save_checkpoint(path, model, {}, step=7)
    >>> sorted(torch.load(path, weights_only=True))
    ['about', 'moments', 'step', 'weights']
    """
    ### BEGIN SOLUTION
    part = path.with_suffix(".part")
    state = {"weights": model.state_dict(), "moments": moments, "step": step, "about": about or {}}
    torch.save(state, part)
    part.replace(path)
    ### END SOLUTION


# %%
check.save_checkpoint(save_checkpoint)

# %% [markdown]
# The minute is still in memory. Keep it, in your own folder `my_llama`, where lab 10 looks for it. There are no moments to keep:
# `train` has thrown its m and v away. To write, the weights are enough, and a published model is nothing else.

# %% id="keep"
CHECKPOINT = trained.checkpoint()


def kept() -> str:
    loss = held_out_loss(model, unseen, 64)
    about = {"config": asdict(CONFIG), "vocab": vocab, "context": 64, "loss": loss}
    save_checkpoint(CHECKPOINT, model, {}, step=len(history), about=about)
    return f"{CHECKPOINT.stat().st_size:,} bytes after {len(history):,} steps, loss {loss:.2f}"


show(CHECKPOINT.name, kept)

# %% [markdown]
# Now back. `torch.load` returns the dict. Three details:
#
# - **`weights_only=True`.** Without it the file may bring code along, which runs while it is read. A checkpoint from the web is
#   a program then. Since version 2.6 it is torch's default; say it anyway.
# - **`map_location`.** A tensor comes back to where it lay: a file that was saved on a GPU does not open on a machine without
#   one. Say where the model lies.
# - **In place.** `model.load_state_dict` copies the numbers into the parameters that are there. Where names or shapes do not fit
#   it raises an error, and that is good: with `strict=False` a model runs with random weights, and nobody notices
#   ([pytorch#141256](https://github.com/pytorch/pytorch/issues/141256)).


# %%
# EXERCISE 9.7 · load_checkpoint
def load_checkpoint(path: Path, model: nn.Module) -> tuple[dict[str, tuple[Tensor, Tensor]], int]:
    """Put a checkpoint's weights into the model and return its moments and its step.

    The weights are copied in place: its parameters stay the same tensors, and its mode stays. The
    moments lie where the model lies, wherever the file was written. It reads data only, never code
    (weights_only=True). Weights that do not fit the model are an error, and so is a missing file.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "tiny.pt")
    >>> state = {"weights": {"weight": torch.tensor([[1.0, 2.0]])}, "moments": {}, "step": 7, "about": {}}
    >>> torch.save(state, path)
    >>> model = nn.Linear(2, 1, bias=False)
    >>> load_checkpoint(path, model)
    ({}, 7)
    >>> model.weight.data
    tensor([[1., 2.]])
    """
    ### BEGIN SOLUTION
    device = next(model.parameters()).device
    state = torch.load(path, map_location=device, weights_only=True)
    model.load_state_dict(state["weights"])
    return state["moments"], state["step"]
    ### END SOLUTION


# %%
check.load_checkpoint(load_checkpoint)

# %% [markdown]
# A new model, as after a restart, before and after it has read your file:

# %% id="again"
torch.manual_seed(1)
again = Llama(CONFIG)
show("new", lambda: plot.write(again, vocab, length=60))
show("steps done", lambda: load_checkpoint(CHECKPOINT, again)[1])
show("loaded", lambda: plot.write(again, vocab, length=60))

# %% [markdown]
# That was writing. Going on with a training asks for more. The cell below has the loop of 9.5 in short (weight decay on everything, for once), made so that it can
# begin at any step, with any m and v. Each step draws its batch with its own number as the seed, so that two runs can be
# compared step by step.
#
# One run makes 80 steps. Another is stopped after 40, saved with your `save_checkpoint`, loaded into a new model with your
# `load_checkpoint`, and goes on. **Predict.** A third one finds the weights in the file, and neither m nor v. What does its loss
# do in the next steps: nothing special, does it fall faster, or does it jump up?


# %% id="part-of-a-run"
def part_of_a_run(model: nn.Module, moments: dict, first: int, last: int) -> list[float]:
    """Steps `first` to `last` - 1 of a training of 80; the loss of each."""
    losses = []
    for step in range(first, last):
        seeded = torch.Generator().manual_seed(step)
        starts = torch.randint(len(learn) - 64, (8,), generator=seeded)
        inputs, targets = make_batch(learn, starts, 64)
        loss = cross_entropy(model(inputs), targets)
        model.zero_grad()
        loss.backward()
        clip_grad_norm([p.grad for p in model.parameters()], 1.0)
        lr = learning_rate(step, 10, 80, 3e-2, 1e-4)
        for name, p in model.named_parameters():
            m, v = moments.setdefault(name, (torch.zeros_like(p), torch.zeros_like(p)))
            adamw_step(p, p.grad, m, v, step + 1, lr)
        losses.append(loss.item())
    return losses


plot.resumed(save_checkpoint, load_checkpoint, part_of_a_run, Llama, LlamaConfig, len(vocab))

# %% [markdown]
# <details><summary>Answer</summary>
#
# It goes up by a few hundredths, 0.03 on average, for about twenty steps; then the difference is gone. Twenty steps is how long
# v remembers: 1/(1 - β₂) = 20 with β₂ = 0.95. With m and v anew, the first m is 0.1 g and the first √v is √0.05 · |g| = 0.22 |g|. The run goes on at step 41, where the
# corrections are nearly 1 and repair nothing. So *every* number moves by about 0.45 η at first, the unimportant ones too, and later shorter again where the gradient changes its sign. torch's AdamW has β₂ = 0.999 and forgets over a thousand steps;
# in a large training people have seen it as a spike
# ([OneVision-Encoder#65](https://github.com/EvolvingLMMs-Lab/OneVision-Encoder/pull/65)).
#
# </details>
#
# Choose *all of it*: the orange dots lie exactly on zero, not just near it. Every loss is the same to the last bit: that is the test of a
# checkpoint. Choose *step 0*: the schedule begins again, warm-up and all, on batches that were seen already. Where batches are
# drawn from one long random sequence, its state belongs in the file as well, or the text is read twice.

# %% [markdown]
# ## 9.7 Which rate, which parts?
#
# The model is safe on disk. Back to two things that you took on trust: the rate of 3e-3, and the parts.
#
# Which learning rate is the right one? There is no formula: one tries. The picture that everybody draws has the rate on one
# axis and the loss at the end on the other. Here it is three times, for 2, 12 and 32 layers (Llama 3 8B has 32), of width 32,
# and each once more with the norms taken out. One start each, 30 to 120 steps; 30 runs, about a minute.
#
# **Predict.** Lab 02 put a norm before each part, so that the part reads numbers of size 1. Do two layers need that? Do 32?

# %% id="rates"
plot.rates(Llama, LlamaConfig, learning_rate, learn, unseen, len(vocab))

# %% [markdown]
# <details><summary>Answer</summary>
#
# Two layers do not: the curves lie close together and part at 0.1 only. Twelve do at high rates: without norms the loss breaks at 0.03 and above, where
# the whole model still learns. Thirty-two do at every rate: without norms the very first forward pass is NaN. SwiGLU multiplies two maps of its input: where the stream is twice as large, it
# adds four times as much. When this lab was written, the stream of 32 new layers without norms had size 1.7 after 13 of them
# and 553 after 17.
#
# </details>
#
# Now the other parts, and two that are newer than Llama 3's recipe. All in two layers of width 64, 4 seconds each, from three
# random starts, since one alone could be luck, and in turns, so that whatever else your machine does hits all alike:
#
# - without RoPE (all positions look like the first), warm-up, cosine (a constant rate), AdamW (plain descent at the best of six
#   rates);
# - with **QK-norm**: an RMSNorm of each head's queries and keys, so that no score can grow without limit
#   ([2302.05442](https://arxiv.org/abs/2302.05442), [2405.09818](https://arxiv.org/abs/2405.09818));
# - with **Muon** (Jordan and others, [2024](https://kellerjordan.github.io/posts/muon/)) for the layers' matrices. AdamW
#   scales each number by itself. Muon takes the running mean of a matrix's gradient as a whole, and steps along the nearest
#   matrix that turns without stretching: as far in the directions of small gradients as in those of large ones.
#
# **Predict.** Two of the six make it clearly worse, in every start. Which?

# %% id="ablations"
plot.ablations(Llama, LlamaConfig, learning_rate, learn, unseen, len(vocab))

# %% [markdown]
# <details><summary>Answer</summary>
#
# RoPE and AdamW. Without RoPE the model sees which characters came before, and only guesses in what order. Plain descent has
# one rate for all weights, and section 9.4 says what that costs.
#
# </details>
#
# For the other four look at the spread, the pale band, before you look at the means: where the three starts of one overlap with
# those of the other, 4 seconds have not told them apart. A constant rate often wins such a short race and loses a long one: in
# the sixty seconds of 9.5 it came to 1.90, the cosine to 1.80.
#
# SwiGLU is not in the list, since 4 seconds cannot tell: a ReLU layer of as many parameters was 0.04 better in a race like
# this, and in lab 07, with 400 steps in another network, it was behind. Whoever shows you an ablation should tell you its size,
# its length and its spread.

# %% [markdown]
# ## 9.8 Measure: is it the architecture?
#
# A well-known first training is nanoGPT's for processors: a small GPT-2 (4 layers, width 128, 0.80 million parameters), 2,000
# steps at 1e-3, about three minutes to a loss of 1.88, says its [README](https://github.com/karpathy/nanoGPT#quick-start), on
# another edition of this text. Three models race for 10 seconds each, in turns: this recipe; a GPT-2 with the size, batch and rate
# of your Llama; and your Llama. (GPT-2 has LayerNorm, a table of positions, a GELU layer of two matrices, and as many kv heads as query heads.) From the first to the second it is tuning, from the second to the third it is the architecture.
#
# **Predict.** Which makes the most steps? Is it the one with the lowest loss?

# %% id="against-gpt"
plot.against_gpt(Llama, LlamaConfig, learning_rate, learn, unseen, len(vocab))

# %% [markdown]
# <details><summary>Answer</summary>
#
# The tuned GPT-2 makes the most steps, and your Llama has the lowest loss. A step of your Llama takes 1.4 times as long: the
# matrices cost both the same, but RMSNorm, RoPE, SwiGLU and your written-out attention are twice as many operations. Torch's
# fused ones in their place saved 9 % when this lab was written. So at the same number of *steps* your Llama is further ahead
# than after the same time.
#
# </details>
#
# Ten seconds are short. `make bench-training` takes half an hour for the same race. After 60 seconds the recipe has 2.21 on all
# of the held-out text, the tuned GPT-2 1.88 and your Llama 1.80; after 180 seconds 1.88, 1.74 and 1.70. Most of that is tuning and
# a smaller model; 0.08 and 0.04 are the architecture, and the 0.04, from one seed, is nothing to lean on.
#
# How soon can your Llama have the recipe's 1.88? In the steps that 30 seconds make, AdamW comes to 1.92, and Muon to 1.87,
# although its steps take 1.5 times as long. (A higher rate does not help AdamW: at 8e-3 it was 1.99.) On a faster machine
# the recipe had 1.85 after its 180 seconds, and your Llama after 30 seconds 1.87 with AdamW and 1.84 with Muon.

# %% [markdown]
# ## 9.9 Where it lives in Llama 3
#
# | | here | Llama 3 405B |
# |---|---|---|
# | loss | cross-entropy of the next token | the same |
# | optimizer | AdamW | AdamW |
# | peak rate, warm-up, end | 3e-3, 100 steps, 1e-4 | 8e-5, 8,000 steps, 8e-7 after 1,200,000 |
# | batch | 8 · 64 = 512 characters | 4 million tokens at first, 16 million at the end |
# | text | 1,000 to 2,500 steps · 512 = 0.5 to 1.3 million characters: about one pass over the text | 15.6 trillion tokens |
# | arithmetic | 1 to 2.5 · 10¹² (6 · parameters · tokens: forward a multiplication and an addition, backward twice as many), a minute on one processor | 3.8 · 10²⁵ floating-point operations on up to 16,384 GPUs |
# | numbers | float32 | bfloat16 in the products, float32 where gradients are added up |
#
# A GPU of that training made about 400 · 10¹² operations a second, 38 to 43 % of what it can do in bfloat16. It would need less than a
# hundredth of a second for the arithmetic of your minute. On a GPU of your own, `model.to("cuda")`, the texts `.to("cuda")`, and
# `torch.autocast("cuda", torch.bfloat16)` around the model's call are all that your loop asks for: bfloat16 has the range of
# float32, so that small gradients do not become 0 and no loss has to be scaled up for them, and 8 bits of precision, so that weights, m and v stay in float32. At this size it
# would mostly wait for Python.
#
# The numbers are those of [2407.21783](https://arxiv.org/abs/2407.21783), sections 1, 3.3 and 3.4. The first LLaMA states the
# rest ([2302.13971](https://arxiv.org/abs/2302.13971), section 2.3): betas 0.9 and 0.95, a weight decay of 0.1, gradients
# clipped to 1.0, a cosine down to a tenth of the peak. Betas, decay and clipping are the defaults of your functions. Here is
# your schedule with the numbers of the 405B:

# %% id="their-schedule"
STEPS = (0, 7_999, 600_000, 1_200_000)
show(
    "rates at the steps 0, 7,999, 600,000 and 1,200,000",
    lambda: [f"{learning_rate(s, 8_000, 1_200_000, 8e-5, 8e-7):.1e}" for s in STEPS],
)

# %% [markdown]
# ## What you built
#
# `cross_entropy`, `learning_rate`, `clip_grad_norm`, `adamw_step`, `train`, `save_checkpoint` and `load_checkpoint`. Three questions to think about:
#
# 1. All logits of a token are 5 too large. What is the loss, what the gradient?
# 2. The loss is divided by 1,000 by mistake. What does plain gradient descent do, what AdamW?
# 3. With a smaller text, read many times, the training loss falls further and the held-out loss rises. What happens, and which
#    line of your `train` helps? Why can it not happen in the sixty seconds above?
#
# <details><summary>Answers</summary>
#
# 1. The same: softmax does not see what is added to all.
# 2. Plain descent makes steps a thousand times too short. AdamW makes the same ones as before, since m and √v shrink alike (as
#    long as they are well above eps), only clipping never happens.
# 3. The model learns the text by heart instead of the language. What helps is that the weights with the lowest held-out loss
#    were copied and come back at the end. Above, the model reads the text once at most, or a little more: there is nothing yet to know by heart.
#
# </details>
#
# The model gives good probabilities now. How were the samples above chosen? `plot.write` drew each character at random, by its
# probability, with unlikely ones made a little less likely. Another rule would give another text. We have logits; how should
# one choose from them? **10 · Sampling**.

# %% id="save"
from checks import pieces

pieces.save(check)

# %% id="grade"
from checks import colab

colab.grade()
