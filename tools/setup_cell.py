"""The setup cell, the same in every lab: it finds the course, or in Colab fetches it, and makes `my_llama` importable."""

from __future__ import annotations

from tools.address import Address

TEMPLATE = """
#@title Setup: find the course, or fetch it  { display-mode: "form" }
import importlib.util, os, subprocess, sys
from pathlib import Path

REPOSITORY, TAG = "@REPOSITORY@", "@TAG@"
class CourseNotFound(Exception):
    def _render_traceback_(self): return [f"Setup: {self}"]

here, batch = Path.cwd(), "LLAMA_LAB_GRADING" in os.environ
def course():
    return next((p for p in (here, *here.parents, here / "llama-lab") if (p / "checks").is_dir() and (p / "plots").is_dir()), None)
if not course() and REPOSITORY:
    url = f"https://github.com/{REPOSITORY}"
    subprocess.run(["git", "clone", "-q", "--depth", "1", "--branch", TAG, url, str(here / "llama-lab")], capture_output=True)
if not course():
    raise CourseNotFound((f"{url} could not be fetched at {TAG}. " if REPOSITORY else "this notebook stands alone. ")
        + f"It needs the course's folders checks/ and plots/, and {here} is not inside them. Upload the whole course folder, or put it on "
        "Google Drive, mount that (Files, Mount Drive), go there with %cd, and run this cell again.")
if "google.colab" in sys.modules and not batch and not importlib.util.find_spec("nbval"):
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "nbval"])
sys.path[:0] = [p for p in [str(course())] if p not in sys.path]
from checks import pieces
pieces.open_package(course() / ("solutions" if here == course() / "solutions" else "labs"))
"""


def setup_source(address: Address | None) -> str:
    """The source of the setup cell, stamped with the address if the course has one."""
    source = TEMPLATE.strip()
    source = source.replace("@REPOSITORY@", address.repository if address else "")
    return source.replace("@TAG@", address.tag if address else "")
