"""Grading: nbval runs a notebook, and the exercises whose checks vouch for them give points.

reading.py   a notebook as it comes, half broken or not one at all
audit.py     which check cells a notebook must have, and what is wrong with those it has
copies.py    stand in for notebooks that lie elsewhere or have odd names
place.py     a home, a working folder and a copy of the course for each notebook
keeper.py    starts a kernel and leaves nothing of it behind; fence.py keeps it in its place
kernel.py    nbval's kernel, watched, and with bounds for what it prints
launcher.py  starts it, and imports torch before a cell asks for it
budget.py    how long a notebook may take
inside.py    asked inside the graded kernel: runs a check by its module
own.py       is an answer the learner's, or the course's own under their name?
verdict.py   what one check proved
running.py   one cell: what it may take, what its end means, what a check answered
plugin.py    the pytest hooks that put these together
table.py     the score, as a table and as JSON; target.py writes it

A learner: `pytest --nbval-lax labs/03_rope.ipynb`. A notebook that lies elsewhere:
`python -m checks FILE.ipynb`.
"""
