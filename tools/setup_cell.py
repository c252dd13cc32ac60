"""The setup cell, the same in every lab: it finds the course, or fetches it, and opens `my_llama`.

It stands in for the three lines that the source has in its place. In Colab it installs what is
missing and nothing else: it pins nothing, changes nothing, and never restarts the runtime.
"""

from __future__ import annotations

from tools.address import Address

TEMPLATE = '''\
#@title Setup: find the course, or fetch it { display-mode: "form" }
# A completion that writes your exercise learns it in your place. Switch it off: in Colab Settings → AI Assistance → Hide generative AI features, in JupyterLab Settings → Settings Editor → Inline Completer.
import importlib.util, os, shutil, subprocess, sys
from pathlib import Path

REPOSITORY, TAG = "@REPOSITORY@", "@TAG@"

class CourseNotFound(Exception):
    def _render_traceback_(self): return [str(self)]

def course(here=Path.cwd()):
    folders = [here, *here.parents, here / "llama-lab"]
    return next((p for p in folders if (p / "checks").is_dir() and (p / "plots").is_dir()), None)

if not course() and Path("llama-lab.zip").is_file(): shutil.unpack_archive("llama-lab.zip")
if not course() and REPOSITORY:
    subprocess.run(f"git clone -q --depth 1 -b {TAG} https://github.com/{REPOSITORY} llama-lab",
                   shell=True, capture_output=True, env=os.environ | {"GIT_TERMINAL_PROMPT": "0"})
if not course():
    raise CourseNotFound(f"""The course is not here: no folders checks/ and plots/ in {Path.cwd()} or above it.
{f"github.com/{REPOSITORY} at {TAG} could not be fetched either." if REPOSITORY else "No address is known to fetch it from."}
Upload llama-lab.zip, the whole course (`make bundle` writes it), beside this notebook (in Colab: the folder symbol on the left), and run this cell again.""")
if "google.colab" in sys.modules and not importlib.util.find_spec("nbval"): subprocess.run([sys.executable, "-m", "pip", "install", "-q", "nbval"])
sys.path[:] = [str(course()), *(p for p in sys.path if p != str(course()))]
importlib.import_module("checks.pieces").open_package(course() / ("solutions" if Path.cwd().name == "solutions" else "labs"))
'''


def setup_source(address: Address | None) -> str:
    """The source of the setup cell, stamped with the address if the course has one."""
    repository, tag = (address.repository, address.tag) if address else ("", "")
    return TEMPLATE.strip().replace("@REPOSITORY@", repository).replace("@TAG@", tag)
