"""Grading in Colab: the name by which notebooks know `checks.learner.colab`."""

import sys

from checks.learner import colab

sys.modules[__name__] = colab
