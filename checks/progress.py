"""The progress board: the name by which notebooks know `checks.learner.progress`."""

import sys

from checks.learner import progress

sys.modules[__name__] = progress
