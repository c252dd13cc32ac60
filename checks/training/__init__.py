"""Lab 09: one `Check` per exercise."""

from checks.training.adamw_step import adamw_step
from checks.training.clip_grad_norm import clip_grad_norm
from checks.training.cross_entropy import cross_entropy
from checks.training.learning_rate import learning_rate
from checks.training.load_checkpoint import load_checkpoint
from checks.training.save_checkpoint import save_checkpoint
from checks.training.train import train

__all__ = [
    "adamw_step",
    "clip_grad_norm",
    "cross_entropy",
    "learning_rate",
    "load_checkpoint",
    "save_checkpoint",
    "train",
]
