"""The Llama that lab 09 trains: the name by which notebooks know `checks.learner.trained`."""

import sys

from checks.learner import trained

sys.modules[__name__] = trained
