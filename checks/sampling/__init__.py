"""Lab 10: one `Check` per exercise."""

from checks.sampling.apply_temperature import apply_temperature
from checks.sampling.generate import generate
from checks.sampling.min_p import min_p
from checks.sampling.sample import sample
from checks.sampling.top_k import top_k
from checks.sampling.top_p import top_p

__all__ = ["apply_temperature", "generate", "min_p", "sample", "top_k", "top_p"]
