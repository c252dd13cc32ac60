"""Lab 12: one `Check` per exercise."""

from checks.roofline.attainable_flops import attainable_flops
from checks.roofline.attend_block import attend_block
from checks.roofline.decode_speed_limit import decode_speed_limit
from checks.roofline.forward_flops import forward_flops
from checks.roofline.int8_linear import int8_linear
from checks.roofline.quantize_int8 import quantize_int8
from checks.roofline.weight_bytes import weight_bytes

__all__ = [
    "attainable_flops",
    "attend_block",
    "decode_speed_limit",
    "forward_flops",
    "int8_linear",
    "quantize_int8",
    "weight_bytes",
]
