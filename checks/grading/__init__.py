"""Grading: nbval runs a notebook, and the exercises whose checks vouch for them give points.

audit.py     which check cells a notebook must have, and what is wrong with those it has
kernel.py    nbval's kernel, watched: a dead one is noticed at once
verdict.py   what one check cell proved
probe.py     asked inside the graded kernel: is the check still the course's own?
plugin.py    the pytest hooks that put these together
table.py     the score, as a table and as JSON

A learner: `pytest --nbval-lax labs/03_rope.ipynb`. A notebook that lies elsewhere:
`python -m checks FILE.ipynb`.
"""
