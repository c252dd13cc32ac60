"""A course of two tiny labs in a folder of its own, so that the tools can be tried in seconds and without torch."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

ENGINE = """
class Report:
    def __init__(self, result, summary):
        self.result, self.summary = result, summary

class Check:
    def __init__(self, exercise, name, points, expected):
        self.exercise, self.name, self.points, self.expected = exercise, name, points, expected

    def run(self, answer):
        try:
            got = answer(3)
        except NotImplementedError:
            return Report("todo", "not written yet")
        except Exception as error:
            return Report("failed", f"{type(error).__name__}: {error}")
        return Report("passed" if got == self.expected else "failed", f"answer(3) is {got}")

    def __call__(self, answer):
        report = self.run(answer)
        assert report.result == "passed", report.summary
        print(f"✓ {self.name}")

def exercises_of(module):
    return sorted((c for c in vars(module).values() if isinstance(c, Check)), key=lambda c: c.exercise)
"""

CHECKS = {
    "double": 'from checks.engine import Check\ndouble = Check("2.1", "double", 1, 6)\nquadruple = Check("2.2", "quadruple", 2, 12)\n',
    "cube": 'from checks.engine import Check\ncube = Check("3.1", "cube", 1, 27)\nhalf = Check("3.2", "half", 1, 1.5)\n',
}

DOUBLE = '''\
# %% [markdown]
# # 02 · Doubling
#
# Why double? See [the paper](https://example.org/paper).

# %% id="setup"
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# %% id="imports"
import math
import time

from checks import double as check
from plots import double as plot

# %% [markdown]
# ## 2.1 Twice

# %%
# EXERCISE 2.1 · double
def double(x: float) -> float:
    """Twice the number.

    >>> double(2)
    4
    """
    ### BEGIN SOLUTION
    once_and_once_more = x + x
    return once_and_once_more
    ### END SOLUTION

# %%
check.double(double)

# %%
plot.bars(double)

# %%
plot.bars(double)

# %%
# EXERCISE 2.2 · quadruple
def quadruple(x):
    ### BEGIN SOLUTION return x  # twice this, twice
    return int(math.copysign(double(double(x)), x))
    ### END SOLUTION

# %%
check.quadruple(quadruple)

# %%
print("seen", flush=True)
print("twice")

# %% id="save"
from checks import pieces

pieces.save(check)
'''

CUBE = """\
# %% [markdown]
# # 03 · Cubing

# %% id="setup"
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# %% id="imports"
from my_llama import double

from checks import cube as check

# %%
# EXERCISE 3.1 · cube
def cube(x):
    ### BEGIN SOLUTION
    return double(x) * x * x // 2
    ### END SOLUTION

# %%
check.cube(cube)

# %%
# EXERCISE 3.2 · half
def half(x):
    ### BEGIN SOLUTION
    return x / 2
    ### END SOLUTION

# %%
check.half(half)
"""

PLOT = 'def bars(f):\n    print("bars", [f(x) for x in range(3)])\n'


def small_course(root: Path) -> Path:
    """Write the course and return its root."""
    files = {
        "checks/__init__.py": "",
        "checks/engine/__init__.py": ENGINE,
        "plots/__init__.py": "",
        "plots/double.py": PLOT,
        "solutions/02_double.py": DOUBLE,
        "solutions/03_cube.py": CUBE,
        **{f"checks/{name}/__init__.py": text for name, text in CHECKS.items()},
    }
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    shutil.copytree(ROOT / "checks/learner", root / "checks/learner")
    for name in ("pieces", "front_end", "catalogue"):
        shutil.copy(ROOT / f"checks/{name}.py", root / f"checks/{name}.py")
    return root
