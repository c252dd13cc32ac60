"""The class grader's pages on a desk and on a phone, light and dark: nothing hangs out, axe is content."""

from pathlib import Path

import pytest

from checks.grade import pages
from checks.rmsnorm import rms_norm

Axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe

HEAD = {"sandbox": "namespaces", "covers": "network, files", "leaves": "faults of the kernel"}
SUMMARY = "It divides by the standard deviation: a very long sentence that has to wrap somewhere."


def wrong(x, weight, eps=1e-5):
    """A LayerNorm in place of an RMSNorm."""
    return (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True) * weight


def line(learner: str, result: str) -> dict:
    """What `results.jsonl` holds for one notebook."""
    key = "a_key_of_more_than_twenty_letters"
    exercise = {
        "number": "2.3",
        "name": "rms_norm",
        "result": result,
        "earned": 0,
        "points": 8,
        "mistake": key if result == "failed" else None,
        "mistakes": [[key, SUMMARY]] if result == "failed" else [],
        "summary": SUMMARY,
    }
    return {
        "learner": learner,
        "lab": "02_rmsnorm",
        "file": f"{learner}/02_rmsnorm.ipynb",
        "sha256": "0" * 64,
        "unreadable": "",
        "again": 0,
        "alike": {},
        "earned": 0,
        "points": 8,
        "note": "",
        "when": 0.0,
        "exercises": [exercise],
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """class.html of five learners, and the feedback of one whose answer is wrong."""
    place = tmp_path_factory.mktemp("pages")
    results = ["passed", "right", "failed", "failed", "todo"]
    lines = [line(f"learner {n}", result) for n, result in enumerate(results)]
    panel = rms_norm.run(wrong).html
    texts = {
        "class": pages.class_page(HEAD, lines, ["learner 0", "who is missing"]),
        "feedback": pages.feedback(lines[2], [("2.3 rms_norm", panel)]),
    }
    for name, text in texts.items():
        (place / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: place / f"{name}.html" for name in texts}


@pytest.mark.parametrize("name", ["class", "feedback"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_nothing_hangs_out_and_axe_is_content(browser, written, name, theme, width) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    page = context.new_page()
    page.goto(written[name].as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(
        "[...document.querySelectorAll('.wide')].every(e => e.scrollWidth <= e.clientWidth)"
    )
    assert "2.3 rms_norm" in page.inner_text("main")
    found = Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    context.close()
