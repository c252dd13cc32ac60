"""The doctor: what is there for the labs, and what to do where something is not.

`doctor.report()` looks, and does nothing else: it installs nothing and never fails.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import sys
import tempfile
import warnings
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from checks.front_end import in_colab, person_present, shell
from checks.learner import tables

ROOT = Path(__file__).resolve().parents[2]
PYTHON = (3, 11)  # the oldest that the labs are written for
MEMORY = 2.0  # GB that a lab should find free; the largest, lab 11, takes 1 GB at its peak
GB = 1e9  # bytes
INSTALL = "In a terminal, in the course's folder: `python -m pip install -r requirements.txt`"
COLAB, VSCODE, LAB, TERMINAL = "Colab", "VS Code", "JupyterLab or Notebook 7", "a terminal"
BATCH = "a batch run, such as nbval or nbconvert"
USES = {
    "torch": "computes everything",
    "matplotlib": "draws the pictures",
    "ipywidgets": "pictures with free input",
    "ipykernel": "runs the cells",
    "jupyterlab": "opens the notebooks",
    "nbval": "grades",
}
NO_WIDGETS = (
    "✗ widgets do not show on this page. Sliders work without them; for the few pictures with a "
    "text box, open the lab in JupyterLab, VS Code or Colab with its kernel running."
)


@dataclass(frozen=True)
class Line:
    """One thing that was looked at: what was found, and what to do when it is not well."""

    ok: bool
    subject: str
    found: str
    advice: str = ""


def report() -> None:
    """Show what is there, one line each, ✓ or ✗; and for a person a widget to try."""
    found = lines()
    wrong = sum(not line.ok for line in found)
    title = "Everything is there" if not wrong else f"{wrong} of {len(found)} lines need a look"
    text = [title]
    rows = []
    width = max(len(line.subject) for line in found)
    for line in found:
        text.append(f"  {'✓' if line.ok else '✗'} {line.subject:{width}}  {line.found}")
        if line.advice:
            text.append(f"    {'':{width}}  {line.advice.replace('`', '')}")
        below = f"<div>{tables.code(line.advice)}</div>" if line.advice else ""
        mark = tables.marked("done" if line.ok else "wrong", tables.code(line.subject))
        rows.append([mark, tables.code(line.found) + below])
    tables.show("\n".join(text), tables.page(title, rows, []))
    if person_present():
        with contextlib.suppress(Exception):  # whatever a front end does not know
            _try_widgets()


def lines() -> list[Line]:
    """Look at everything; what cannot be found out is a line that says so."""
    found: list[Line] = []
    for look in (python, packages, front_end, run_all, processor, gpu, memory, course, my_llama):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                seen = look()
        except Exception as error:  # the doctor never fails
            subject = look.__name__.replace("_", " ")
            seen = Line(False, subject, f"this could not be found out: {_words(error)}")
        found += [seen] if isinstance(seen, Line) else seen
    return found


def python() -> Line:
    """Is Python new enough?"""
    version = platform.python_version()
    if sys.version_info >= PYTHON:
        return Line(True, "Python", version)
    wanted = ".".join(map(str, PYTHON))
    return Line(False, "Python", version, f"Install Python {wanted} or newer, then `make lab`.")


def packages() -> list[Line]:
    """Is everything of requirements.txt there, and new enough?"""
    wanted = re.findall(
        r"^([\w-]+)(?:>=([\d.]+))?", (ROOT / "requirements.txt").read_text(), re.MULTILINE
    )
    return [package(name, least) for name, least in wanted]


def package(name: str, least: str = "") -> Line:
    """Is one package there, at its least version or above? torch is tried as well."""
    uses = f" ({USES[name]})" if name in USES else ""
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        if name == "jupyterlab" and where() in (COLAB, VSCODE):
            return Line(True, name, f"not there, and not needed in {where()}")
        return Line(False, name, "not there", f"{INSTALL}; then restart the kernel.")
    if _numbers(version) < _numbers(least):
        advice = f"{INSTALL.replace('install', 'install -U')}; then restart the kernel."
        return Line(False, name, f"{version}, and the labs want {least}", advice)
    if name == "torch":
        import torch

        if not hasattr(torch.nn.functional, "rms_norm"):  # new in torch 2.4
            return Line(False, name, f"{version}, and the labs want 2.4", f"{INSTALL} -U")
    return Line(True, name, f"{version}{uses}")


def front_end() -> Line:
    """Where is this notebook open? A guess: a kernel does not see its front end."""
    guess = ", at a guess" if where() in (LAB, VSCODE) else ""
    return Line(True, "front end", f"{where()}{guess}")


def where() -> str:
    """Colab, VS Code, JupyterLab or Notebook 7, a batch run, or a terminal."""
    here = shell()
    if in_colab():
        return COLAB
    if getattr(here, "kernel", None) is None:
        return TERMINAL
    if "__vsc_ipynb_file__" in here.user_ns:
        return VSCODE
    if not person_present():
        return BATCH
    if os.environ.get("JPY_SESSION_NAME") or os.environ.get("JPY_PARENT_PID"):
        return LAB
    return VSCODE if "VSCODE_PID" in os.environ else LAB


def run_all() -> Line:
    """Does Run All go on past what is not written yet? It does where input is allowed."""
    if person_present():
        return Line(True, "Run All", "goes on past exercises that are to do: somebody is here")
    if where() in (BATCH, TERMINAL):
        return Line(True, "Run All", f"stops at the first exercise to do: this is {where()}")
    advice = "Write the exercises in order, or run the cells one by one."
    return Line(False, "Run All", "stops at exercises that are to do: no input is allowed", advice)


def processor() -> Line:
    """How many threads does torch compute with?"""
    import torch

    cores, threads = os.cpu_count() or 1, torch.get_num_threads()
    return Line(True, "processor", f"{_many(cores, 'core')}, torch uses {threads}")


def gpu() -> Line:
    """Is there a GPU? The labs need none."""
    import torch

    if torch.cuda.is_available():
        device = torch.cuda.get_device_properties(0)
        name = f"{device.name}, {device.total_memory / GB:.0f} GB"
    elif getattr(torch.backends, "mps", None) and torch.backends.mps.is_available():
        name = "Apple's, by Metal"
    else:
        return Line(True, "GPU", "none, and the labs need none")
    return Line(True, "GPU", f"{name}; the labs compute on the processor")


def memory() -> Line:
    """How much memory is free?"""
    free = free_memory()
    if free is None:
        return Line(True, "memory", f"unknown on this system; {MEMORY:.0f} GB free is plenty")
    if free / GB >= MEMORY:
        return Line(True, "memory", f"{free / GB:.1f} GB free")
    advice = "Shut down the kernels of other notebooks, or close other programs."
    return Line(False, "memory", f"{free / GB:.1f} GB free, {MEMORY:.0f} would be better", advice)


def free_memory() -> float | None:
    """Bytes that a program may still take: of the machine and of its container, the smaller."""
    seen: list[float] = []
    with contextlib.suppress(Exception):
        import psutil  # comes with ipykernel

        seen.append(float(psutil.virtual_memory().available))
    if not seen:
        with contextlib.suppress(Exception):
            info = Path("/proc/meminfo").read_text()
            seen.append(1024.0 * int(re.findall(r"MemAvailable:\s+(\d+) kB", info)[0]))
    with contextlib.suppress(Exception):
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text())  # "max" where there is none
        seen.append(float(limit - int((group / "memory.current").read_text())))
    return min(seen) if seen else None


def course() -> Line:
    """Are all its columns there, and can its folder be written to?"""
    columns = ("labs", "solutions", "checks", "plots", "assets")
    if missing := [f"{name}/" for name in columns if not (ROOT / name).is_dir()]:
        advice = "Fetch or unpack the whole course again."
        return Line(False, "the course", f"{', '.join(missing)} not there", advice)
    if error := _unwritable(ROOT):
        advice = "Copy the whole course to a folder of your own, and open the labs there."
        return Line(False, "the course", f"its folder cannot be written to: {error}", advice)
    return Line(True, "the course", "is complete, and its folder can be written to")


def my_llama() -> Line:
    """Can finished pieces be kept?"""
    from checks.learner import pieces

    if pieces.uses_worked():
        return Line(True, "my_llama", "the worked pieces of solutions/my_llama are used here")
    folder = pieces.folder()
    if not folder.is_dir():
        return Line(False, "my_llama", "not there yet", "Run the setup cell of any lab.")
    if error := _unwritable(folder):
        advice = "Copy the whole course to a folder of your own, and open the labs there."
        return Line(False, "my_llama", f"cannot be written to: {error}", advice)
    kept = len(list(folder.glob("[!_.]*.py")))
    place = f"{folder.parent.name}/{folder.name}"
    gone = "; Colab forgets it when the runtime ends" if where() == COLAB else ""
    return Line(True, "my_llama", f"{place}, with pieces of {_many(kept, 'lab')}{gone}")


def _unwritable(folder: Path) -> str:
    """Why no file can be made in a folder; nothing when one can."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or type(error).__name__


def _try_widgets() -> None:
    """A widget that says what the kernel sees: whoever reads the other text has none.

    A front end shows the first of the two that it can. Only pressing the button tells that what is
    done in the browser arrives in Python.
    """
    import ipywidgets
    from IPython.display import display

    words = ipywidgets.HTML("<b style='color:#009E73'>✓</b> widgets show here. Are they live?")
    button = ipywidgets.Button(description="Press me")

    def pressed(_: Any) -> None:
        words.value = "<b style='color:#009E73'>✓</b> widgets are live: your press reached Python."
        button.layout.display = "none"

    button.on_click(pressed)
    view = {
        "version_major": 2,
        "version_minor": 0,
        "model_id": ipywidgets.HBox([words, button]).model_id,
    }
    bundle = {"application/vnd.jupyter.widget-view+json": view, "text/plain": NO_WIDGETS}
    display(bundle, raw=True)


def _numbers(version: str) -> list[int]:
    """The beginning of a version as numbers.

    >>> _numbers("2.13.0+cpu") >= _numbers("2.4")
    True
    """
    return [int(part) for part in re.findall(r"^[\d.]*", version)[0].split(".") if part]


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}{'s' * (count != 1)}"


def _words(error: Exception) -> str:
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first}".removesuffix(": ")
