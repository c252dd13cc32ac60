"""What every browser test needs: Chromium, and a Jupyter server. Without Chromium they are skipped, but not in CI."""

import os
import shutil

import pytest


def _unavailable(reason: str) -> None:
    """Skip on a learner's machine; in CI a missing browser must not pass for a green test."""
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium, one for the whole session."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _unavailable("no browser test: pip install playwright (tests/requirements.txt)")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        _unavailable("no browser test: there is no `chromium` on the PATH (apt install chromium)")
    from jupyter_page import CHROMIUM_OPTIONS

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=program, args=CHROMIUM_OPTIONS.split()
        )
        yield chromium
        chromium.close()


def _server(tmp_path_factory, app):
    pytest.importorskip("jupyterlab" if app == "lab" else "notebook")
    from jupyter_page import running_jupyter

    return running_jupyter(tmp_path_factory.mktemp(app), app)


@pytest.fixture(scope="session")
def jupyterlab(tmp_path_factory):
    """A JupyterLab server; write notebooks into its `root`."""
    with _server(tmp_path_factory, "lab") as server:
        yield server


@pytest.fixture(scope="session")
def notebook7(tmp_path_factory):
    """A Notebook 7 server; write notebooks into its `root`."""
    with _server(tmp_path_factory, "notebook") as server:
        yield server


@pytest.fixture(scope="session", params=["jupyterlab", "notebook7"])
def jupyter(request):
    """Each of the two servers in turn."""
    return request.getfixturevalue(request.param)
