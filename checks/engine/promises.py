"""The four house rules, which lab 00 states and every lab repeats: what any answer promises.

A probe that asks for one of them names it as its promise; every other promise is a piece of the
stub's docstring or of the text above the exercise.
"""

INPUTS_STAY = "inputs stay as they are"
SAME_DEVICE = "new tensors go on the inputs' device"
HALF_PRECISION = "half precision is computed in float32 and given back in its dtype"
GRADIENTS_FLOW = "gradients flow"
HOUSE_RULES = (INPUTS_STAY, SAME_DEVICE, HALF_PRECISION, GRADIENTS_FLOW)
