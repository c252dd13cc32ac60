"""Lab 07: one `Check` per exercise."""

from checks.swiglu.ffn_hidden_dim import ffn_hidden_dim
from checks.swiglu.glu import glu
from checks.swiglu.layer import layer as SwiGLU
from checks.swiglu.swiglu import swiglu
from checks.swiglu.swish import swish

__all__ = ["SwiGLU", "ffn_hidden_dim", "glu", "swiglu", "swish"]
