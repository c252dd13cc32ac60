"""Starts an IPython kernel that imports torch before the first cell asks for it.

    python launcher.py -f CONNECTION_FILE …

The grader starts one while pytest still reads notebooks (kernel.py), so that torch's two seconds
pass meanwhile.
"""

import contextlib
import importlib
import sys
from pathlib import Path

SLOW = ("torch", "matplotlib.figure", "matplotlib.backends.backend_svg", "ipywidgets")

if __name__ == "__main__":
    # Nothing that lies here or in the working folder may stand in for a module of that name.
    sys.path[:] = [p for p in sys.path if p and Path(p) not in (Path.cwd(), Path(__file__).parent)]

    from ipykernel.kernelapp import IPKernelApp

    application = IPKernelApp.instance()
    application.initialize()  # takes its ports at once
    for module in SLOW:
        with contextlib.suppress(Exception):  # the notebook says what is missing
            importlib.import_module(module)
    application.start()
