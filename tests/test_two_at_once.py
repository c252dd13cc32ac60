"""Answers with two mistakes, written by people who had seen no check: both are named."""

import importlib
import math

import pytest
import torch

from solutions.my_llama import count_parameters, expected_tokens


def vocab_by_occurrence_without_blanks(text):
    vocab = []
    for ch in text:
        if ch not in vocab and not ch.isspace():
            vocab.append(ch)
    return vocab


def pairs_without_the_last_and_twins(ids):
    d = {}
    for i in range(len(ids) - 2):
        if ids[i] == ids[i + 1]:
            continue
        key = ids[i], ids[i + 1]
        d[key] = d[key] + 1 if key in d else 1
    return d


def merged_once_without_the_end(ids, pair, new_id):
    out, i, done = [], 0, False
    while i < len(ids) - 1:
        if not done and (ids[i], ids[i + 1]) == pair:
            out.append(new_id)
            done = True
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out


def angles_from_one_transposed(positions, frequencies):
    return torch.outer(frequencies, (positions + 1).float())


def halves_negated_backwards(x):
    a, b = x[..., ::2], x[..., 1::2]
    return torch.cat([a, -b.flip(-1)], dim=-1)


def glu_with_residual(x, w_gate, w_up, w_down):
    h = x.float()
    gate = torch.sigmoid(h @ w_gate.float().mT)
    value = h @ w_up.float().mT
    return (h + (gate * value) @ w_down.float().mT).to(x.dtype)


def rate_from_zero_that_rises_again(step, warmup, total, peak, floor):
    if step < warmup:
        return peak * step / warmup
    t = (step - warmup) / max(1, total - warmup)
    return floor + 0.5 * (peak - floor) * (1.0 + math.cos(math.pi * t))


def full_keys_and_no_last_norm(config, bytes_per_weight=2.0):
    block = 4 * config.dim**2 + 3 * config.dim * config.hidden_dim + 2 * config.dim
    return (config.n_layers * block + config.vocab_size * config.dim) * bytes_per_weight


def higher_roof_of_the_quotient(intensity, peak_flops, bandwidth):
    return max(peak_flops, bandwidth / intensity)


def first_positions_and_early_sinks(n_queries, n_keys, window, n_sinks=0):
    if window < 1:
        raise ValueError("window must be at least 1")
    q = torch.arange(n_queries)[:, None]
    k = torch.arange(n_keys)
    return (k <= q) & (k > q - window) | (k < n_sinks)


def longest_tail_or_floats(ids, n_draft, longest=3):
    n = min(longest, len(ids) - 1)
    text = ids.tolist()
    for start in range(len(text) - n - 1, -1, -1):
        if n > 0 and text[start : start + n] == text[-n:]:
            return ids[start + n : start + n + n_draft].clone()
    return torch.empty(0)


def all_good_ones_at_most(p, q, drafts, luck):
    rows = torch.arange(len(drafts))
    return int((luck <= p[rows, drafts] / q[rows, drafts]).sum())


def closed_form_one_short(alpha, n_draft):
    return (1 - alpha**n_draft) / (1 - alpha)


def powers_between(alpha, n_draft):
    return float(sum(alpha**i for i in range(1, n_draft)))


def one_draft_more_and_a_free_check(alpha, n_draft, draft_cost, verify_cost=1.0):
    return expected_tokens(alpha, n_draft) / ((n_draft + 1) * draft_cost + 1)


def everything_counted_for_kv_heads(config, n_new, n_past=0):
    d = config.dim // config.n_heads
    scores = 4 * config.n_layers * config.n_kv_heads * d * n_new * (n_past + n_new)
    return 2 * count_parameters(config) * n_new + scores


TWO = [
    ("input_block", "build_vocab", vocab_by_occurrence_without_blanks, "not_sorted no_white_space"),
    ("input_block", "count_pairs", pairs_without_the_last_and_twins, "without_last no_twins"),
    ("input_block", "merge_pair", merged_once_without_the_end, "first_only without_end"),
    ("rope", "rope_angles", angles_from_one_transposed, "one_based angles_transposed"),
    ("rope", "interleaved_to_half", halves_negated_backwards, "negated second_half_reversed"),
    ("swiglu", "swiglu", glu_with_residual, "glu residual"),
    ("training", "learning_rate", rate_from_zero_that_rises_again, "nothing_at_step_0 up_again"),
    ("roofline", "weight_bytes", full_keys_and_no_last_norm, "last_norm_missing full_width_keys"),
    (
        "roofline",
        "attainable_flops",
        higher_roof_of_the_quotient,
        "divided_by_intensity higher_roof",
    ),
    (
        "roofline",
        "forward_flops",
        everything_counted_for_kv_heads,
        "kv_heads_for_scores all_parameters",
    ),
    (
        *("long_context", "sliding_window_mask", first_positions_and_early_sinks),
        "top_left sinks_in_the_future",
    ),
    ("speculative", "lookup_draft", longest_tail_or_floats, "only_the_longest floats_for_nothing"),
    ("speculative", "count_accepted", all_good_ones_at_most, "all_that_are_good zero_accepted"),
    ("speculative", "expected_tokens", closed_form_one_short, "last_power_missing divided_by_zero"),
    ("speculative", "expected_tokens", powers_between, "last_power_missing one_missing"),
    (
        *("speculative", "speedup", one_draft_more_and_a_free_check),
        "one_draft_more_paid verify_cost_ignored",
    ),
]


@pytest.mark.parametrize(
    ("lab", "exercise", "answer", "keys"), TWO, ids=[answer.__name__ for *_, answer, _ in TWO]
)
def test_both_are_named(lab, exercise, answer, keys) -> None:
    check = getattr(importlib.import_module(f"checks.{lab}"), exercise)
    report = check.run(answer)
    assert {mistake.key for mistake in report.mistakes} >= set(keys.split())
    assert len(report.diagnosis.parts) == 2 and report.diagnosis.complete
