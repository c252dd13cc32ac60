"""Lab 00: one `Check` per exercise."""

from checks.start_here.mean_square import mean_square

__all__ = ["mean_square"]
