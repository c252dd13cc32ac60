"""Lab 14: mistakes that somebody made in public, rewritten as answers to the exercises."""

import torch
from wrong_answers import Public

from solutions.my_llama.sampling import apply_temperature
from solutions.my_llama.speculative import rewind, verify


def max_fn(p, q):
    difference = p - q
    positive = torch.where(difference > 0, difference, torch.zeros_like(difference))
    return positive / positive.sum(dim=-1, keepdim=True)


def uniform_fallback(p, q):
    residual = torch.clamp(p.float() - q.float(), min=0)
    s = residual.sum(-1, keepdim=True)
    uniform = torch.ones_like(residual) / residual.shape[-1]
    return torch.where(s > 0, residual / s.clamp(min=1e-12), uniform).to(p.dtype)


def resampled_from_the_target(p, q, drafts, generator=None):
    kept = []
    for i in range(len(drafts)):
        token = drafts[i]
        r = torch.rand(1, generator=generator)
        if r < torch.clamp(p[i, token] / q[i, token], max=1):
            kept.append(token.view(1))
        else:
            kept.append(torch.multinomial(p[i], 1, generator=generator))
            return torch.cat(kept)
    return torch.cat([*kept, torch.multinomial(p[-1], 1, generator=generator)])


def argmax_comparison(p, q, drafts, generator=None):
    best = p.argmax(dim=-1)
    n = int((best[:-1] == drafts).cumprod(dim=0).sum())
    return torch.cat([drafts[:n], best[n : n + 1]])


def greedy_with_the_softmax_s_q(p, q, drafts, luck):
    """The draft was the argmax, and is judged by the largest of its softmax."""
    n = 0
    for i, token in enumerate(drafts.tolist()):
        if float(luck[i]) < float(p[i, token] / q[i].max()):
            n += 1
        else:
            break
    return n


def cropped_cache(caches, length):
    for cache in caches:
        if not 0 <= length <= cache.length:
            raise ValueError(length)
        cache.keys = cache.keys[:, :, :length, :]
        cache.values = cache.values[:, :, :length, :]
        cache.length = length


def loop(model, draft, ids, n_new, n_draft, temperature, generator, after_a_round):
    caches = model.new_caches(1, ids.shape[1] + n_new + n_draft + 1)
    text, new, left = ids[0], ids, n_new
    while left > 0:
        with torch.no_grad():
            drafts, q = draft(text, after_a_round.asks(n_draft, left), generator)
            logits = model(torch.cat([new, drafts[None]], 1), caches)[0, -len(drafts) - 1 :]
            p = apply_temperature(logits.float(), temperature).softmax(-1)
            kept = verify(p, q, drafts, generator)
            text = torch.cat([text, kept])
            rewind(caches, len(text) - 1)
        new, left = kept[None, -1:], left - len(kept)
        if (yield from after_a_round(kept.tolist())):
            return


class LastTokenOnly:
    """The whole block is committed, and then the last token is looked at."""

    def __init__(self, stop):
        self.stop = stop or ()

    def asks(self, n_draft, left):
        return min(n_draft, left - 1)

    def __call__(self, kept):
        ended = kept[-1] in self.stop
        yield from kept[:-1] if ended else kept
        return ended


class OverTheCap(LastTokenOnly):
    """Stops where it should, but a round is never cut to n_new."""

    def asks(self, n_draft, left):
        return n_draft

    def __call__(self, kept):
        for token in kept:
            if token in self.stop:
                return True
            yield token
        return False


def past_the_eos(model, draft, ids, n_new, n_draft=4, temperature=1.0, stop=None, generator=None):
    return loop(model, draft, ids, n_new, n_draft, temperature, generator, LastTokenOnly(stop))


def past_the_cap(model, draft, ids, n_new, n_draft=4, temperature=1.0, stop=None, generator=None):
    return loop(model, draft, ids, n_new, n_draft, temperature, generator, OverTheCap(stop))


def residual_after_p_alone(p, q, drafts, generator=None):
    """Asked about in public: why correct p at all."""
    luck = torch.rand(len(drafts), generator=generator)
    for i, token in enumerate(drafts.tolist()):
        if luck[i] * q[i, token] >= p[i, token]:
            return torch.cat([drafts[:i], torch.multinomial(p[i], 1, generator=generator)])
    return torch.cat([drafts, torch.multinomial(p[len(drafts)], 1, generator=generator)])


PUBLIC = {
    "residual_distribution": [
        Public(
            max_fn,
            "jaymody/speculative-sampling#5",
            "0 / 0 where p and q are equal",
            named=("zero_over_zero",),
        ),
        Public(
            uniform_fallback,
            "duoan/TorchCode#16",
            "uniform where p and q are equal",
            named=("uniform",),
        ),
    ],
    "count_accepted": [
        Public(
            greedy_with_the_softmax_s_q,
            "jaymody/speculative-sampling#3",
            "a draft is judged by the largest of its softmax",
            named=("likeliest_of_q",),
        ),
    ],
    "verify": [
        Public(
            resampled_from_the_target,
            "ShopeeLLM/Spec-RL#14",
            "after a rejection it draws from p",
            named=("from_the_target_after_a_rejection",),
        ),
        Public(
            residual_after_p_alone,
            "eth-sri/language-model-arithmetic#14",
            "after a rejection it draws from p",
            named=("from_the_target_after_a_rejection",),
        ),
        Public(
            argmax_comparison,
            "1bit-MONSTER/1bit-MONSTER#630",
            "drafts are compared with the argmax, and the argmax is added",
            named=("greedy_comparison", "likeliest"),
        ),
    ],
    "rewind": [
        Public(
            cropped_cache,
            "huggingface/transformers#30312",
            "the buffers are cut short",
            named=("cut_short",),
        ),
    ],
    "speculative_generate": [
        Public(
            past_the_eos,
            "huggingface/transformers#47912",
            "only a round's last token is compared with the stop tokens",
            named=("stop_at_a_round_s_end_only",),
        ),
        Public(
            past_the_cap,
            "sgl-project/sglang#31599",
            "a round brings more tokens than are wanted",
            named=("too_many_tokens",),
        ),
    ],
}
