"""Lab 11: one `Check` per exercise."""

from checks.real_weights.chat import chat
from checks.real_weights.chat_prompt import chat_prompt
from checks.real_weights.dequantize_q4_1 import dequantize_q4_1
from checks.real_weights.load_llama import load_llama
from checks.real_weights.rename_weight import rename_weight

__all__ = ["chat", "chat_prompt", "dequantize_q4_1", "load_llama", "rename_weight"]
