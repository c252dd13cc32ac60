"""Lab 00: right answers in the ways of public code."""

import torch
from torch import Tensor


def hugging_face(x: Tensor) -> Tensor:
    """Hugging Face's LlamaRMSNorm, its first half: to(float32), pow(2), mean(-1)."""
    input_dtype = x.dtype
    hidden_states = x.to(torch.float32)
    variance = hidden_states.pow(2).mean(-1, keepdim=True)
    return variance.squeeze(-1).to(input_dtype)


def lit_gpt(x: Tensor) -> Tensor:
    """lit-gpt's RMSNorm: torch.mean(x * x, dim=…)."""
    dtype = x.dtype
    x = x.float()
    norm_x = torch.mean(x * x, dim=-1)
    return norm_x.to(dtype=dtype)


def olmo_norm(x: Tensor) -> Tensor:
    """OLMo's first RMSNorm: the 2-norm, times D to the power of -1/2; here squared."""
    size = x.float().norm(2, dim=-1) * x.shape[-1] ** (-1.0 / 2)
    return size.square().type_as(x)


def llama2_c(x: Tensor) -> Tensor:
    """llama2.c's rmsnorm: a loop that adds up `ss`, then divides by the size."""
    rows = x.float().reshape(-1, x.shape[-1])
    out = torch.empty(rows.shape[0], device=x.device)
    for i, row in enumerate(rows):
        ss = row.new_zeros(())
        for number in row:
            ss = ss + number * number
        out[i] = ss / x.shape[-1]
    return out.reshape(x.shape[:-1]).to(x.dtype)


def tinygrad(x: Tensor) -> Tensor:
    """tinygrad's and Gemma's way: (x * x).mean in float, by an einsum for the sum."""
    wide = x.float()
    return (torch.einsum("...d,...d->...", wide, wide) / x.size(-1)).to(x.dtype)


RIGHT = {"mean_square": [hugging_face, lit_gpt, olmo_norm, llama2_c, tinygrad]}
