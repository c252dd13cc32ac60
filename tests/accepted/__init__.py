"""Right answers written in different ways, one module per lab: `ACCEPTED = {"rms_norm": [...]}`.

Each entry is what a learner might hand in; its docstring says in one line whose way it is.
"""
