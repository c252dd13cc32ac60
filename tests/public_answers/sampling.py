"""Lab 10: mistakes that somebody made in public, rewritten as answers to the exercises."""

import torch
from wrong_answers import Public

from solutions.my_llama import sampling as worked


def epsilon_temperature(logits, temperature):
    epsilon = 1e-9
    return logits / (temperature + epsilon)


def temperature_after_exp(logits, temperature):
    if temperature == 0:
        return worked.apply_temperature(logits, 0)
    weights = (logits - logits.amax(-1, keepdim=True)).exp() / temperature
    return (weights / weights.sum(-1, keepdim=True)).log()


def applied_twice(logits, temperature):
    if temperature == 0:
        return worked.apply_temperature(logits, temperature)
    if temperature != 1.0:
        logits = logits / temperature
    if temperature != 1.0:
        logits = logits.div(temperature)
    return logits


def one_over_tiny(logits, k):
    """The sign went to the exponent: 1e-10 where -1e10 was meant."""
    k = min(k, logits.size(-1))
    v, _ = torch.topk(logits, k)
    out = logits.clone()
    out[out < v[..., [-1]]] = 1e-10
    return out


def range_above_k(logits, k):
    ordered, places = torch.sort(logits, dim=-1, descending=True)
    ranks = torch.arange(logits.size(-1), device=logits.device).expand_as(logits)
    ordered = ordered.masked_fill(ranks > k, float("-inf"))
    return torch.empty_like(logits).scatter(-1, places, ordered)


def mask_of_the_kept(logits, k):
    top = torch.topk(logits, min(k, logits.size(-1)), dim=-1)
    mask = torch.zeros_like(logits).scatter(-1, top.indices, 1.0).bool()
    return logits.masked_fill(mask, float("-inf"))


def unaligned_minimum(logits, k):
    values, _ = torch.topk(logits, min(k, logits.size(-1)))
    min_values = values[..., -1]
    return torch.where(logits < min_values, torch.full_like(logits, float("-inf")), logits)


def no_clamp(logits, k):
    assert k > 0, "k has to be greater than 0"
    top_logits, _ = logits.topk(k)
    return logits.masked_fill(logits < top_logits[..., -1:], -torch.inf)


def one_below_v(logits, k):
    k = max(1, min(k, logits.size(-1) - 1))
    top_logits, _ = logits.topk(k, dim=-1)
    return logits.masked_fill(logits < top_logits[..., -1:], -torch.inf)


def v_is_refused(logits, k):
    vocab_size = logits.shape[-1]
    if not isinstance(k, int) or not (0 < k < vocab_size):
        raise ValueError(
            f"`top_k` has to be an integer in the (0, {vocab_size}] interval, but is {k}."
        )
    rest = logits.argsort(dim=-1, descending=True)[..., k:]
    return logits.scatter(-1, rest, -torch.inf)


def gathered_with_sorted(logits, p):
    sorted_logits, sorted_indices = torch.sort(logits, dim=-1, descending=True)
    probs = sorted_logits.float().softmax(dim=-1)
    remove = probs.cumsum(dim=-1) - probs >= p
    remove[..., 0] = False
    sorted_logits = sorted_logits.masked_fill(remove, -torch.inf)
    return sorted_logits.gather(-1, sorted_indices)


def first_rows_order(logits, p):
    order = logits.argsort(dim=-1)
    sorted_probs = logits.float().softmax(dim=-1).gather(-1, order)
    keep = sorted_probs.cumsum(dim=-1) > 1 - p
    keep[..., -1] = True
    flat = order.reshape(-1, order.shape[-1])[0]
    out = torch.full_like(logits, -torch.inf)
    sorted_logits = torch.where(keep, logits.gather(-1, order), -torch.inf)
    out[..., flat] = sorted_logits
    return out


def guard_on_the_first_row(logits, p):
    sorted_logits, sorted_indices = torch.sort(logits, descending=True, dim=-1)
    cum_probs = sorted_logits.float().softmax(dim=-1).cumsum(dim=-1)
    remove = cum_probs - sorted_logits.float().softmax(dim=-1) >= p
    remove[0] = False
    remove = torch.zeros_like(remove).scatter(-1, sorted_indices, remove)
    return logits.masked_fill(remove, -torch.inf)


def argmax_of_nothing(logits, p):
    """The cut-off is the first sum above p: where no sum is, argmax says 0."""
    probs = logits.float().softmax(dim=-1)
    ordered = probs.sort(dim=-1, descending=True).values
    above = ordered.cumsum(dim=-1) > p
    cutoff = ordered.gather(-1, above.float().argmax(dim=-1, keepdim=True))
    return torch.where(probs < cutoff, -torch.inf, logits)


def searched_beyond(logits, p):
    probs, order = logits.float().softmax(dim=-1).sort(dim=-1, descending=True)
    sums = probs.cumsum(dim=-1)
    last = torch.searchsorted(sums, torch.full_like(sums[..., :1], p))
    edge = probs.gather(-1, last)
    keep = torch.zeros_like(probs, dtype=torch.bool).scatter(-1, order, probs >= edge)
    return torch.where(keep, logits, -torch.inf)


def crossing_token_lost(logits, p):
    probas, order = torch.sort(logits.float().softmax(dim=-1), dim=-1, descending=True)
    keep = probas.cumsum(dim=-1) <= p
    keep[..., 0] = True
    kept = torch.zeros_like(keep).scatter(-1, order, keep)
    return torch.where(kept, logits, torch.full_like(logits, -torch.inf))


def too_small_p(logits, p):
    ordered, places = torch.sort(logits, dim=-1)
    remove = ordered.float().softmax(dim=-1).cumsum(dim=-1) <= (1 - p)
    remove = torch.zeros_like(remove).scatter(-1, places, remove)
    return logits.masked_fill(remove, float("-inf"))


def removes_from_the_large_end(logits, p):
    """At least one token is to stay; the wrong end of the list is shortened for it."""
    probs, order = logits.float().softmax(dim=-1).sort(dim=-1, descending=True)
    remove = probs.cumsum(dim=-1) > p
    full = remove.all(dim=-1, keepdim=True)
    remove = torch.where(full, torch.arange(remove.size(-1)) < remove.size(-1) - 1, remove)
    remove = torch.zeros_like(remove).scatter(-1, order, remove)
    return logits.masked_fill(remove, -torch.inf)


def first_vocabulary_entry(logits, p):
    """What stands at [..., 0] is token 0, not the likeliest."""
    probs = logits.float().softmax(dim=-1)
    return logits.masked_fill(probs < p * probs[..., :1], -torch.inf)


def raw_logits_min_p(logits, p):
    max_logit = logits.max(dim=-1, keepdim=True).values
    return logits.masked_fill(logits < max_logit * p, -torch.inf)


def row_of_another_batch(logits, p):
    """One threshold for the batch: the reduction forgets its axis."""
    probs = logits.float().softmax(-1)
    threshold = torch.where(probs >= p * probs.max(), probs, torch.inf).min()
    return torch.where(probs >= threshold, logits, -torch.inf)


def wrong_gumbel_sign(logits, generator=None):
    u = torch.rand(logits.shape, generator=generator)
    return torch.argmax(logits + torch.log(-torch.log(u)), dim=1)


def gumbel_on_probabilities(logits, generator=None):
    u = torch.rand(logits.shape, generator=generator).clamp_min(1e-20)
    return (logits.softmax(-1) - torch.log(-torch.log(u))).argmax(-1)


def seed_ignored(logits, generator=None):
    rng = None
    probs = torch.softmax(logits, dim=-1)
    return torch.multinomial(probs, num_samples=1, generator=rng)[:, 0]


def raw_logits_multinomial(logits, generator=None):
    weights = logits.float()
    weights = weights.masked_fill(weights == -torch.inf, 0.0).clamp_min(0) + 1e-12
    return torch.multinomial(weights, 1, generator=generator).squeeze(-1)


def _step(logits, temperature, k, p, generator):
    logits = worked.apply_temperature(logits.float(), temperature)
    if k is not None:
        logits = worked.top_k(logits, k)
    if p is not None:
        logits = worked.top_p(logits, p)
    return worked.sample(logits, generator)[:, None]


@torch.no_grad()
def context_duplicated(
    model, ids, n_new, temperature=1.0, k=None, p=None, stop=None, generator=None
):
    caches = model.new_caches(1, (ids.size(1) + n_new) ** 2)  # grows as it likes
    current = ids
    for _ in range(n_new):
        logits = model(current, caches)[:, -1, :]
        token = _step(logits, temperature, k, p, generator)
        if stop and token.item() in stop:
            break
        yield token.item()
        current = torch.cat((current, token), dim=1)


@torch.no_grad()
def raw_logits_filtered(
    model, ids, n_new, temperature=1.0, k=None, p=None, stop=None, generator=None
):
    """top-p on the raw distribution, the temperature afterwards."""
    caches, x = model.new_caches(1, ids.size(1) + n_new), ids
    for _ in range(n_new):
        logits = model(x, caches)[:, -1].float()
        if k is not None:
            logits = worked.top_k(logits, k)
        if p is not None:
            logits = worked.top_p(logits, p)
        x = worked.sample(worked.apply_temperature(logits, temperature), generator).view(1, 1)
        if stop is not None and x.item() in stop:
            return
        yield x.item()


@torch.no_grad()
def one_eos_only(model, ids, n_new, temperature=1.0, k=None, p=None, stop=None, generator=None):
    caches, x = model.new_caches(1, ids.size(1) + n_new), ids
    eos_token_id = next(iter(stop)) if stop else None
    for _ in range(n_new):
        x = _step(model(x, caches)[:, -1], temperature, k, p, generator)
        if x.item() == eos_token_id:
            return
        yield x.item()


@torch.no_grad()
def yields_the_stop(model, ids, n_new, temperature=1.0, k=None, p=None, stop=None, generator=None):
    caches, x = model.new_caches(1, ids.size(1) + n_new), ids
    for _ in range(n_new):
        x = _step(model(x, caches)[:, -1], temperature, k, p, generator)
        token = int(x)
        yield token
        if token in (stop or ()):
            break


@torch.no_grad()
def no_eos_at_all(model, ids, n_new, temperature=1.0, k=None, p=None, stop=None, generator=None):
    caches, x = model.new_caches(1, ids.size(1) + n_new), ids
    for _ in range(n_new):
        x = _step(model(x, caches)[:, -1], temperature, k, p, generator)
        yield int(x)


@torch.no_grad()
def nucleus_of_all_logits(
    model, ids, n_new, temperature=1.0, k=None, p=None, stop=None, generator=None
):
    """Nucleus sampling replaces top-k: with p, k is not looked at."""
    caches, x = model.new_caches(1, ids.size(1) + n_new), ids
    for _ in range(n_new):
        x = _step(model(x, caches)[:, -1], temperature, None if p is not None else k, p, generator)
        if stop is not None and int(x) in stop:
            return
        yield int(x)


PUBLIC = {
    "apply_temperature": [
        Public(
            epsilon_temperature,
            "suno-ai/bark#270",
            "a little is added to the temperature instead of a case for 0",
            named=("nearly_zero",),
        ),
        Public(
            temperature_after_exp,
            "google/gemma.cpp#981",
            "divides the exponentials, so the temperature cancels and changes nothing",
            named=(
                "ignored",
                "after_softmax",
            ),
        ),
        Public(
            applied_twice,
            "RL-Align/RL-Kernel#81",
            "divides by the temperature twice",
            named=("squared",),
        ),
    ],
    "top_k": [
        Public(
            one_over_tiny,
            "karpathy/minGPT#10",
            "the others become 1e-10, nearly 0, not -inf",
            named=("zeros_for_removed",),
        ),
        Public(
            range_above_k,
            "kingoflolz/mesh-transformer-jax#164",
            "keeps one too many",
            named=("one_too_many",),
        ),
        Public(
            mask_of_the_kept,
            "EricLBuehler/mistral.rs#1316",
            "the largest go, the others stay",
            named=("inverted",),
        ),
        Public(
            unaligned_minimum,
            "huggingface/transformers#338",
            "the axis of the threshold is lost, so rows do not fit",
            named=("lost_axis",),
        ),
        Public(
            no_clamp,
            "TransformerLensOrg/TransformerLens#1347",
            "k above V is an error",
            named=("k_above_v_crashes",),
        ),
        Public(
            one_below_v,
            "vllm-project/vllm#14234",
            "k = V already cuts one off",
            named=("k_below_v",),
        ),
        Public(
            v_is_refused,
            "ml-explore/mlx-lm#1377",
            "k = V and above is refused with a ValueError",
            named=("k_at_v_refused",),
        ),
    ],
    "top_p": [
        Public(
            gathered_with_sorted,
            "lucidrains/PaLM-rlhf-pytorch#60",
            "gather instead of scatter: the wrong way back",
            named=("gather_for_scatter",),
        ),
        Public(
            first_rows_order,
            "Blaizzy/mlx-vlm#1094",
            "the first row's order is used for all rows",
            named=("first_row_order",),
        ),
        Public(
            guard_on_the_first_row,
            "fishaudio/fish-speech#1326",
            "the whole first row is kept always",
            named=("first_row_kept",),
        ),
        Public(
            argmax_of_nothing,
            "BlinkDL/ChatRWKV#170",
            "at p = 1 only the likeliest stays: argmax of nothing is 0",
            named=("argmax_of_nothing",),
        ),
        Public(
            searched_beyond,
            "NVIDIA/TensorRT-LLM#19485",
            "near p = 1 the sum never reaches p, and the place is beyond the row",
            named=(
                "one_loses_the_tail",
                "search_beyond_the_row",
            ),
        ),
        Public(
            crossing_token_lost,
            "aws-neuron/transformers-neuronx#46",
            "the token with which the sum reaches p is left out",
            named=("drops_the_crossing_token",),
        ),
        Public(
            too_small_p,
            "vllm-project/vllm#1623",
            "nothing is kept at small p",
            named=("empty_at_tiny_p",),
        ),
        Public(
            removes_from_the_large_end,
            "aburkov/theLMbook#18",
            "where all would go, the least likely stays, not the likeliest",
            named=(
                "least_likely_kept",
                "drops_the_crossing_token",
            ),
        ),
    ],
    "min_p": [
        Public(
            first_vocabulary_entry,
            "state-spaces/mamba#927",
            "compares with token 0, not with the likeliest",
            named=("relative_to_token_0",),
        ),
        Public(
            raw_logits_min_p,
            "state-spaces/mamba#1010",
            "compares logits, not probabilities",
            named=("share_of_the_logit",),
        ),
        Public(
            row_of_another_batch,
            "ml-explore/mlx-lm#1575",
            "one threshold over all rows together",
            named=("largest_of_the_batch",),
        ),
    ],
    "sample": [
        Public(
            wrong_gumbel_sign,
            "ermongroup/subsets#6",
            "Gumbel's noise with the wrong sign",
            named=("gumbel_wrong_sign",),
        ),
        Public(
            gumbel_on_probabilities,
            "AITRICS/FREED#4",
            "Gumbel's noise is added to probabilities, not to logits",
            named=("gumbel_on_probabilities",),
        ),
        Public(
            seed_ignored,
            "bytedance/GRN#27",
            "the generator is not used",
            named=("generator_ignored",),
        ),
        Public(
            raw_logits_multinomial,
            "OpenTabular/DeepTab#453",
            "takes the logits for probabilities",
            named=("positive_logits_as_weights",),
        ),
    ],
    "generate": [
        Public(
            context_duplicated,
            "iCog-Labs-Dev/PC-Transformers#129",
            "the whole text goes in at every step, on top of what the caches hold",
            named=("whole_text_again",),
        ),
        Public(
            raw_logits_filtered,
            "fishaudio/fish-speech#1150",
            "top_p before the temperature",
            named=("temperature_last",),
        ),
        Public(
            one_eos_only,
            "huggingface/transformers#31362",
            "only one of the stop tokens counts",
            named=("only_one_stop_token",),
        ),
        Public(
            yields_the_stop,
            "dranger003/llama.cpp-dotnet#12",
            "the stop token is yielded",
            named=("stop_token_given",),
        ),
        Public(
            no_eos_at_all,
            "simple-stories/simple_stories_train#23",
            "never stops",
            named=("stop_ignored",),
        ),
        Public(
            nucleus_of_all_logits,
            "openai/gpt-2#187",
            "k is not used where p is given",
            named=("k_ignored_with_p",),
        ),
    ],
}
