"""Lab 10: right answers with the habits of well-known code bases."""

import math

import torch
import torch.nn.functional as F

from solutions.my_llama.sampling import apply_temperature, sample, top_k, top_p


def llama_cpp_temperature(logits, temperature):
    """llama.cpp's llama_sampler_temp_impl: at 0 or below it looks for the first largest by hand."""
    if temperature <= 0:
        flat = logits.reshape(-1, logits.size(-1)).clone()
        for row in flat:
            max_i = 0
            for i in range(1, row.numel()):
                if row[i] > row[max_i]:
                    max_i = i
            value = row[max_i].clone()
            row.fill_(-math.inf)
            row[max_i] = value
        return flat.view_as(logits)
    return logits / temperature


def meta_temperature(logits, temperature):
    """Meta's llama: if temperature > 0 divide, else argmax."""
    if temperature > 0:
        return logits / temperature
    next_token = torch.argmax(logits, dim=-1).unsqueeze(-1)
    return torch.full_like(logits, float("-inf")).scatter(
        -1, next_token, logits.gather(-1, next_token)
    )


def transformers_temperature(logits, temperature):
    """HF transformers: masked_fill with a mask of what goes."""
    if temperature == 0.0:
        remove = ~F.one_hot(logits.argmax(-1), logits.shape[-1]).bool()
        return logits.masked_fill(remove, -float("inf"))
    scores_processed = logits / temperature
    return scores_processed


def nanogpt_top_k(logits, k):
    """nanoGPT: writes -inf into the logits that it was given."""
    v, _ = torch.topk(logits, min(k, logits.size(-1)))
    logits[logits < v[..., [-1]]] = -float("Inf")
    return logits


def transformers_top_k(logits, k):
    """HF transformers' TopKLogitsWarper."""
    k = min(k, logits.size(-1))
    indices_to_remove = logits < torch.topk(logits, k)[0][..., -1, None]
    return logits.masked_fill(indices_to_remove, -float("Inf"))


def gpt_fast_top_k(logits, k):
    """gpt-fast: a pivot."""
    v, _ = torch.topk(logits, min(k, logits.size(-1)))
    pivot = v.select(-1, -1).unsqueeze(-1)
    return torch.where(logits < pivot, -float("Inf"), logits)


def mlx_top_k(logits, k):
    """mlx-lm: scatters -inf to all places behind the first k of a sort, so ties go."""
    if k >= logits.shape[-1]:
        return logits
    mask_idx = torch.argsort(-logits, dim=-1, stable=True)[..., k:]
    return logits.scatter(-1, mask_idx, -math.inf)


def lit_gpt_top_k(logits, k):
    """lit-gpt: an empty row of -inf, into which the k are written."""
    v, i = torch.topk(logits, min(k, logits.size(-1)))
    return torch.full_like(logits, float("-inf")).scatter_(-1, i, v)


def transformers_top_p(logits, p):
    """HF transformers' TopPLogitsWarper: ascending, <= 1 - p, the last ones always."""
    sorted_logits, sorted_indices = torch.sort(logits, descending=False)
    cumulative_probs = sorted_logits.float().softmax(dim=-1).cumsum(dim=-1)
    sorted_indices_to_remove = cumulative_probs <= (1 - p)
    sorted_indices_to_remove[..., -1:] = 0
    indices_to_remove = sorted_indices_to_remove.scatter(
        -1, sorted_indices, sorted_indices_to_remove
    )
    return logits.masked_fill(indices_to_remove, -float("Inf"))


def meta_top_p(logits, p):
    """Meta's sample_top_p: descending, the sum before a token; nothing to do at 1, as its callers know."""
    probs = torch.softmax(logits.double(), dim=-1)
    if p >= 1:
        return torch.where(probs > 0, logits, -math.inf)
    probs_sort, probs_idx = torch.sort(probs, dim=-1, descending=True)
    probs_sum = torch.cumsum(probs_sort, dim=-1)
    mask = probs_sum - probs_sort >= p  # Meta has >, which the text sets apart
    mask[..., 0] = False
    mask = torch.zeros_like(mask).scatter_(-1, probs_idx, mask)
    return logits.masked_fill(mask, -math.inf)


def vllm_top_p(logits, p):
    """vLLM: -inf into the sorted logits, which are scattered back."""
    logits_sort, logits_idx = logits.sort(dim=-1, descending=False)
    probs_sort = logits_sort.softmax(dim=-1, dtype=torch.float32)
    probs_sum = torch.cumsum(probs_sort, dim=-1, out=probs_sort)
    top_p_mask = probs_sum <= 1 - p
    top_p_mask[..., -1] = False  # at least one
    logits_sort.masked_fill_(top_p_mask, -float("inf"))
    return torch.empty_like(logits_sort).scatter_(dim=-1, index=logits_idx, src=logits_sort)


def mlx_top_p(logits, p):
    """mlx-lm: ascending, and the inverse of the order to come back; the best one kept as the text asks."""
    probs = torch.softmax(logits.to(torch.float32), dim=-1)
    sorted_indices = torch.argsort(probs, dim=-1)
    cumulative_probs = torch.cumsum(probs.gather(-1, sorted_indices), dim=-1)
    inverse_indices = torch.argsort(sorted_indices, dim=-1)
    cumulative_probs = cumulative_probs.gather(-1, inverse_indices)
    best = inverse_indices == probs.shape[-1] - 1
    return torch.where((cumulative_probs > 1 - p) | best, logits, -math.inf)


def transformers_min_p(logits, p):
    """HF transformers' MinPLogitsWarper: sorts, so that the first one always stays."""
    probs = torch.softmax(logits.float(), dim=-1)
    top_probs, _ = probs.max(dim=-1, keepdim=True)
    tokens_to_remove = probs < p * top_probs
    sorted_indices = torch.argsort(logits, descending=True, dim=-1)
    sorted_indices_to_remove = torch.gather(tokens_to_remove, dim=-1, index=sorted_indices)
    sorted_indices_to_remove[..., :1] = False
    indices_to_remove = sorted_indices_to_remove.scatter(
        -1, sorted_indices, sorted_indices_to_remove
    )
    return logits.masked_fill(indices_to_remove, -float("Inf"))


def llama_cpp_min_p(logits, p):
    """llama.cpp: a smallest logit, the largest plus log p; nothing to do at 0."""
    if p <= 0:
        return logits
    min_logit = logits.float().max(dim=-1, keepdim=True).values + math.log(p)
    return torch.where(logits.float() >= min_logit, logits, -math.inf)


def vllm_min_p(logits, p):
    """vLLM: probabilities, adjusted_min_p, masked_fill of what is below."""
    probability_values = torch.nn.functional.softmax(logits, dim=-1, dtype=torch.float32)
    max_probabilities = torch.amax(probability_values, dim=-1, keepdim=True)
    adjusted_min_p = max_probabilities.mul_(p)
    invalid_token_mask = probability_values < adjusted_min_p
    return logits.masked_fill(invalid_token_mask, -float("inf"))


def meta_sample(logits, generator=None):
    """Meta's llama: softmax, multinomial, reshape(-1)."""
    probs = torch.softmax(logits, dim=-1)
    next_token = torch.multinomial(probs, num_samples=1, generator=generator)
    return next_token.reshape(-1)


def gpt_fast_sample(logits, generator=None):
    """gpt-fast's multinomial_sample_one_no_sync: divides by exponential noise, takes the argmax."""
    probs_sort = F.softmax(logits.float(), dim=-1)
    q = torch.empty_like(probs_sort).exponential_(1, generator=generator)
    return torch.argmax(probs_sort / q, dim=-1, keepdim=True).to(dtype=torch.int)[:, 0].long()


def run_c_sample(logits, generator=None):
    """llama2.c's run.c: a coin for each row, and a walk up the cumulative sum; the last one if nothing."""
    tokens = []
    for row in logits.float().softmax(-1):
        coin = torch.rand((), generator=generator).item()
        cdf, token = 0.0, row.numel() - 1
        for i, prob in enumerate(row.tolist()):
            cdf += prob
            if coin < cdf:
                token = i
                break
        tokens.append(token)
    return torch.tensor(tokens)


def mlx_sample(logits, generator=None):
    """mlx's random.categorical: Gumbel noise and an argmax."""
    noise = torch.rand(logits.shape, generator=generator).clamp_(min=1e-30)
    return (logits.float() - (-noise.log()).log()).argmax(dim=-1)


@torch.no_grad()
def meta_generate(model, ids, n_new, temperature=1.0, k=None, p=None, stop=None, generator=None):
    """Meta's llama: one buffer of tokens, prev_pos and cur_pos."""
    prompt_len = ids.shape[1]
    total_len = prompt_len + n_new
    caches = model.new_caches(1, total_len)
    tokens = torch.full((1, total_len), 0, dtype=torch.long, device=ids.device)
    tokens[:, :prompt_len] = ids
    prev_pos = 0
    stop_tokens = torch.tensor(list(stop if stop is not None else []), dtype=torch.long)
    for cur_pos in range(prompt_len, total_len):
        logits = model(tokens[:, prev_pos:cur_pos], caches)
        logits = apply_temperature(logits[:, -1].float(), temperature)
        if k is not None:
            logits = top_k(logits, k)
        if p is not None:
            logits = top_p(logits, p)
        next_token = sample(logits, generator).reshape(-1)
        tokens[:, cur_pos] = next_token
        if torch.isin(next_token, stop_tokens).all():
            break
        yield next_token.tolist()[0]
        prev_pos = cur_pos


def gpt_fast_generate(
    model, ids, n_new, temperature=1.0, k=None, p=None, stop=None, generator=None
):
    """gpt-fast: prefill, then decode_one_token, both inside no_grad."""

    def logits_to_token(logits):
        logits = apply_temperature(logits[:, -1].float(), temperature)
        logits = logits if k is None else top_k(logits, k)
        logits = logits if p is None else top_p(logits, p)
        return sample(logits, generator)

    def forward(x):
        with torch.no_grad():
            return logits_to_token(model(x, caches))

    if n_new == 0:
        return
    caches = model.new_caches(1, ids.size(1) + n_new)
    cur_token = forward(ids)  # prefill
    for i in range(n_new):
        if stop is not None and cur_token.item() in stop:
            break
        yield cur_token.item()
        if i + 1 < n_new:
            cur_token = forward(cur_token.view(1, -1))


@torch.inference_mode()
def lit_gpt_generate(model, ids, n_new, temperature=1.0, k=None, p=None, stop=None, generator=None):
    """lit-gpt's generate_fn: inference_mode, a token that becomes the next input."""
    max_returned_tokens = ids.size(1) + n_new
    caches = model.new_caches(1, max_returned_tokens)
    token = ids[0]
    stop_tokens = set(stop) if stop is not None else set()
    for _current_idx in range(max_returned_tokens - ids.size(1)):
        logits = apply_temperature(model(token.view(1, -1), caches)[0, -1:].float(), temperature)
        if k is not None:
            logits = top_k(logits, k)
        if p is not None:
            logits = top_p(logits, p)
        token = sample(logits, generator)
        int_token = token.item()
        if int_token in stop_tokens:
            return
        yield int_token


RIGHT = {
    "apply_temperature": [llama_cpp_temperature, meta_temperature, transformers_temperature],
    "top_k": [nanogpt_top_k, transformers_top_k, gpt_fast_top_k, mlx_top_k, lit_gpt_top_k],
    "top_p": [transformers_top_p, meta_top_p, vllm_top_p, mlx_top_p],
    "min_p": [transformers_min_p, llama_cpp_min_p, vllm_min_p],
    "sample": [meta_sample, gpt_fast_sample, run_c_sample, mlx_sample],
    "generate": [meta_generate, gpt_fast_generate, lit_gpt_generate],
}
