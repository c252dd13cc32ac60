"""Lab 02: one `Check` per exercise."""

from checks.rmsnorm.batch_norm import batch_norm
from checks.rmsnorm.layer_norm import layer_norm
from checks.rmsnorm.rms_norm import rms_norm
from checks.rmsnorm.rms_norm_layer import layer as RMSNorm

__all__ = ["RMSNorm", "batch_norm", "layer_norm", "rms_norm"]
