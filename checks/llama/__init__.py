"""Lab 08: one `Check` per exercise."""

from checks.llama.block import block as DecoderBlock
from checks.llama.count_parameters import count_parameters
from checks.llama.model import model as Llama

__all__ = ["DecoderBlock", "Llama", "count_parameters"]
