"""Lab 04: what people write for masks, attention and its heads."""

CAUSAL_MASK: list = []
WEIGHTS: list = []
ATTENTION: list = []
SPLIT: list = []
MERGE: list = []
MODULE: list = []
