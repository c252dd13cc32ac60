"""A class graded: `python -m checks.grade SUBMISSIONS --out GRADES`.

submissions.py  what was handed in, in folders and zips; roster.py: who should have
sources.py      which lines of a notebook a worker runs: the exercises' cells, nothing else
house.py        starts sandboxed workers; zygote.py is what they are forks of
sandbox.py      namespaces, Landlock, limits; filter.py: system calls
worker.py       runs a learner's source, answers calls; it has no checks and no solutions
peer.py         calls between grader and worker, in both directions; rules.py: what a worker may ask
values.py, tensors.py, mirrors.py, handles.py, files.py, errors.py, luck.py: what goes across
wire.py         the messages themselves
grading.py      one submission; work.py: what a process of the grader does
crowd.py        many at a time, over an Executor; journal.py: what is known so far
tables.py, summary.py, pages.py: what comes out

The checks run in the grader, on what workers answer. Nothing that a worker sends is ever unpickled.
"""
