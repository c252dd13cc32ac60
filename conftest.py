"""Loaded by pytest for every notebook and test in the repository: it brings the grading plugin."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parent)
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

pytest_plugins = ["checks.grading.plugin"]
