"""Lab 14: right answers with the habits of well-known code bases."""

import torch

from solutions.my_llama.sampling import apply_temperature
from solutions.my_llama.speculative import verify


def transformers_candidates(ids, n_draft, longest=3):
    """HF transformers' PromptLookupCandidateGenerator: windows by unfold; here the latest match."""
    input_length = ids.size(0)
    for ngram_size in range(min(longest, input_length - 1), 0, -1):
        windows = ids[None].unfold(dimension=1, size=ngram_size, step=1)
        ngram_tensor = ids[-ngram_size:]
        matches = (windows == ngram_tensor).all(dim=2)
        match_indices = matches.nonzero(as_tuple=True)[1]
        for idx in reversed(match_indices.tolist()):
            start_idx = idx + ngram_size
            end_idx = min(start_idx + n_draft, input_length)
            if start_idx < input_length:
                return ids[start_idx:end_idx]
    return ids.new_zeros((0,))


def vllm_recovered(p, q):
    """vLLM's _get_recovered_probs: a clamped difference; p where all of it is gone, as the text asks."""
    difference = p.float() - q.float()
    f = torch.clamp(difference, min=0)
    total = torch.sum(f, dim=-1, keepdim=True)
    recovered_probs = f / torch.clamp(total, min=torch.finfo(torch.float).tiny)
    return torch.where(total == 0, p.float(), recovered_probs).to(p.dtype)


def jaymody_max_fn(p, q):
    """speculative-sampling's max_fn, with the equality that its issue 5 asks for."""
    x = p.float() - q.float()
    x_max = torch.where(x > 0, x, torch.zeros_like(x))
    total = x_max.sum(-1, keepdim=True)
    return torch.where(total == 0, p.float(), x_max / total).to(p.dtype)


def transformers_n_matches(p, q, drafts, luck):
    """HF transformers' _speculative_sampling: probability_ratio, is_accepted, n_matches."""
    n = drafts.shape[0]
    q_i = q[torch.arange(n), drafts]
    p_i = p[torch.arange(n), drafts]
    probability_ratio = p_i / q_i
    is_accepted = luck < probability_ratio
    return int(((~is_accepted).cumsum(dim=-1) < 1).sum())


def vllm_accepted(p, q, drafts, luck):
    """vLLM's _batch_modified_rejection_sampling: the first zero, or k."""
    k = drafts.shape[0]
    indices = torch.arange(k)
    ratio = (p[indices, drafts] / q[indices, drafts]).clamp(max=1.0)
    accepted = luck < ratio
    limits = (accepted == 0).nonzero().flatten().tolist()
    return limits[0] if limits else k


def gpt_fast_verify(p, q, drafts, generator=None):
    """gpt-fast's speculative_decode: accept_draft_prob, new = target - draft, clamped and scaled."""
    speculate_k = drafts.shape[0]
    pr = p[torch.arange(speculate_k), drafts]
    qr = q[torch.arange(speculate_k), drafts]
    accept_draft_prob = torch.minimum(torch.ones(speculate_k), pr / qr)
    rejected = (torch.rand(speculate_k, generator=generator) >= accept_draft_prob).nonzero()
    if rejected.shape[0] == 0:
        last_token = torch.multinomial(p[-1], 1, generator=generator)
        return torch.cat([drafts, last_token])
    accept_length = int(rejected[0])
    new = torch.where(p[accept_length] > q[accept_length], p[accept_length] - q[accept_length], 0.0)
    new = new / new.sum()
    return torch.cat([drafts[:accept_length], torch.multinomial(new, 1, generator=generator)])


def transformers_verify(p, q, drafts, generator=None):
    """HF transformers: n_matches, then p_prime."""
    n = drafts.shape[0]
    r_i = torch.rand(n, generator=generator)
    n_matches = transformers_n_matches(p, q, drafts, r_i)
    if n_matches < n:
        p_prime = torch.clamp(p[n_matches] - q[n_matches], min=0)
        p_prime.div_(p_prime.sum())
    else:
        p_prime = p[n]
    t = torch.multinomial(p_prime, num_samples=1, generator=generator)
    return torch.cat((drafts[:n_matches], t))


def mlx_trim(caches, length):
    """mlx-lm's trim_prompt_cache: each cache forgets a number of tokens."""
    num_tokens = caches[0].length - length
    if num_tokens < 0 or length < 0:
        raise ValueError("cannot trim")
    for c in caches:
        c.length -= min(c.length, num_tokens)


def llama_cpp_loop(model, draft, ids, n_new, n_draft=4, temperature=1.0, stop=None, generator=None):
    """llama.cpp's speculative-simple: id_last is kept apart, a batch is id_last and the draft."""
    caches = model.new_caches(1, ids.shape[1] + n_new + n_draft)
    if n_new < 1:
        return
    prompt_tgt, id_last = ids[0, :-1], ids[0, -1:]
    n_past, n_predict = 0, 0
    while True:
        with torch.no_grad():
            text = torch.cat([prompt_tgt, id_last])
            tokens, q = draft(text, n_draft, generator)
            batch = torch.cat([text[n_past:], tokens])[None]
            logits = model(batch, caches)[0, batch.shape[1] - len(tokens) - 1 :].float()
            p = apply_temperature(logits, temperature).softmax(-1)
            accepted = verify(p, q, tokens, generator)
            prompt_tgt = torch.cat([text, accepted[:-1]])
            id_last, n_past = accepted[-1:], len(prompt_tgt)
            for layer in caches:
                layer.length = n_past
        for token in accepted.tolist():
            if stop is not None and token in stop:
                return
            yield token
            n_predict += 1
            if n_predict >= n_new:
                return


RIGHT = {
    "lookup_draft": [transformers_candidates],
    "residual_distribution": [vllm_recovered, jaymody_max_fn],
    "count_accepted": [transformers_n_matches, vllm_accepted],
    "verify": [gpt_fast_verify, transformers_verify],
    "rewind": [mlx_trim],
    "speculative_generate": [llama_cpp_loop],
}
