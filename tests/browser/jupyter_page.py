"""JupyterLab and Notebook 7 as a person sees them: a server on loopback, and a notebook in Chromium."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

PATIENCE = 60  # seconds: torch takes its time to import on a busy machine
WHOLE_LAB = 600  # seconds: some labs train a model, or talk to one
CHROMIUM_OPTIONS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
APPS = {"lab": "LabApp", "notebook": "JupyterNotebookApp"}

# Settings a person would click away: the question about news, and looking for updates.
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "apputils-extension/themes": {"theme": "JupyterLab Light"},
}


@dataclass(frozen=True)
class JupyterServer:
    """A running server: `app` is "lab" or "notebook", notebooks are opened from `root`."""

    app: str
    address: str
    root: Path

    def address_of(self, name: str) -> str:
        """Where the browser opens a notebook; in JupyterLab with a workspace of its own."""
        if self.app == "lab":
            return f"{self.address}/lab/workspaces/test-{time.time_ns()}/tree/{name}"
        return f"{self.address}/notebooks/{name}"


@contextlib.contextmanager
def running_jupyter(root: Path, app: str) -> Iterator[JupyterServer]:
    """Start `jupyter lab` or `jupyter notebook` in `root`, which gets its settings too."""
    home = root / ".jupyter-of-the-test"
    for name, settings in SETTINGS.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings))
    folders = {f"JUPYTER_{kind}_DIR": str(home / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    folders["JUPYTERLAB_SETTINGS_DIR"] = str(home / "settings")
    folders["JUPYTERLAB_WORKSPACES_DIR"] = str(home / "workspaces")
    folders["IPYTHONDIR"] = str(home / "ipython")
    folders["LLAMA_LAB_SHORT"] = "1"  # measurements and trainings take seconds
    port = _free_port()
    options = [
        *("--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"),
        *(
            "--ServerApp.port_retries=0",
            "--IdentityProvider.token=",
            f"--ServerApp.root_dir={root}",
        ),
        f"--{APPS[app]}.expose_app_in_browser=True",
    ]
    log = home / "log.txt"
    with log.open("w") as stream:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyter", app, *options],
            env=os.environ | folders,
            stdout=stream,
            stderr=stream,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(address, server, log)
            yield JupyterServer(app, address, root)
        finally:
            server.terminate()
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                server.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(address: str, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/api/status"):
            return
        if server.poll() is not None:
            break
        time.sleep(0.2)
    raise RuntimeError(f"Jupyter did not start:\n{log.read_text()[-2000:]}")


class NotebookPage:
    """A notebook open in the browser, driven through Jupyter's own commands rather than pixels.

    with NotebookPage(browser, server, "rope.ipynb") as notebook:
        notebook.set_source("ex-3-5", "def apply_rope(x, angles): return x")
        notebook.run_all()
        expect(notebook.cell("check-3-5")).to_contain_text("✗")
    """

    def __init__(
        self, browser: Browser, server: JupyterServer, name: str, **page_options: Any
    ) -> None:
        options = {"viewport": {"width": 1200, "height": 1000}, **page_options}
        self.page: Page = browser.new_page(**options)
        self.page.set_default_timeout(PATIENCE * 1000)
        self.page.goto(server.address_of(name))
        self.page.wait_for_function(
            "() => window.jupyterapp?.shell?.currentWidget?.context?.sessionContext"
        )
        self._ask(
            "const { context } = widget; await context.ready; await context.sessionContext.ready;"
            "await context.sessionContext.session.kernel.info;"
        )

    def __enter__(self) -> NotebookPage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run_all(self) -> None:
        """Clear all outputs, run every cell, and wait until the last one is done."""
        self.command("notebook:clear-all-cell-outputs")
        self.command("notebook:run-all-cells")
        self.wait_idle()

    def run_cell(self, cell_id: str) -> None:
        """Run one cell and wait for it."""
        self._ask("widget.content.activeCellIndex = index;", cell_id)
        self.command("notebook:run-cell")
        self.wait_idle()

    def wait_idle(self) -> None:
        """Wait until the kernel has nothing to do."""
        idle = "() => jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.status"
        self.page.wait_for_function(f"({idle})() === 'idle'", timeout=WHOLE_LAB * 1000)

    def command(self, name: str) -> None:
        """Do what a menu entry does."""
        self._ask(f"await jupyterapp.commands.execute('{name}');")

    def set_source(self, cell_id: str, source: str) -> None:
        """Write `source` into a cell, in place of what is there."""
        self._ask(
            "widget.content.model.cells.get(index).sharedModel.setSource(text)", cell_id, source
        )

    def source(self, cell_id: str) -> str:
        """What is written in a cell."""
        return self._ask("return widget.content.model.cells.get(index).sharedModel.source", cell_id)

    def cell_ids(self, prefix: str = "") -> list[str]:
        """The ids of the notebook's cells, in order."""
        ids = self._ask("return widget.content.widgets.map((cell) => cell.model.id)")
        return [cell_id for cell_id in ids if cell_id.startswith(prefix)]

    def cell(self, cell_id: str) -> Locator:
        """The cell on the page, scrolled to: Jupyter takes cells out of the page that are far away."""
        index = self._ask("await widget.content.scrollToItem(index); return index", cell_id)
        return self.page.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{index}']")

    def set_theme(self, name: str) -> None:
        """Change Jupyter's theme: "JupyterLab Dark"."""
        self._ask(
            "await jupyterapp.commands.execute('apputils:change-theme', { theme: text })", "", name
        )
        light = "false" if "Dark" in name else "true"
        self.page.wait_for_function(f"() => document.body.dataset.jpThemeLight === '{light}'")

    def close(self) -> None:
        """Save, stop the kernel, leave."""
        with contextlib.suppress(Exception):
            self._ask("await widget.context.save(); await widget.context.sessionContext.shutdown()")
        self.page.close()

    def _ask(self, script: str, cell_id: str = "", text: str = "") -> Any:
        """Run JavaScript with `widget` (the notebook), `index` (of the cell with the id) and `text`."""
        answer = self.page.evaluate(
            "async ([id, text, patience]) => {"
            "  const widget = jupyterapp.shell.currentWidget;"
            "  const index = widget.content.widgets.findIndex((cell) => cell.model.id === id);"
            "  if (id && index < 0) return { missing: id };"
            f" const work = (async () => {{ {script} }})();"
            "  const late = new Promise((_, fail) => setTimeout(fail, patience, new Error('too late')));"
            "  return { value: await Promise.race([work, late]) };"
            "}",
            [cell_id, text, WHOLE_LAB * 1000],
        )
        if "missing" in answer:
            raise LookupError(f"The notebook has no cell with the id {cell_id!r}.")
        return answer.get("value")
