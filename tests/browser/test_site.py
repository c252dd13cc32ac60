"""The web edition, built into a temporary folder and served from there: what a reader meets on it."""

import functools
import gzip
import http.server
import json
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from course import ROOT
from exported_page import FlipbookOnPage

from tools import address as addresses
from tools.address import Address
from tools.site.build import build_site
from tools.site.formulas import formula
from tools.source import parse, sources

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.jupyterlab

DESK, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
HEAVIEST = 1_500_000  # bytes of a page and what it loads
SOONEST = 1500  # milliseconds to the largest paint, with a processor four times slower
TRIES = 6  # another process may have the processor: the best one counts
STEMS = [path.stem for path in sources(ROOT)]
# axe takes seconds a page: the start page and some labs here, all with `make ways`.
ALL = "LLAMA_LAB_ALL" in os.environ
PAGES = ["index", *(STEMS if ALL else STEMS[:12:5])]
# Each word of code is an element whose contrast axe measures: it has the same colours in every lab.
WHOLE = {"index", STEMS[0]}
LOOKED_AT = {True: None, False: {"exclude": [[".highlight"], [".katex"]]}}


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make site` builds it, once the course has an address."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(addresses, "read", lambda root: Address("someone/llama-lab", "v2"))
        build_site(ROOT, folder)
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Where a local server has it, under a path, as GitHub's pages are."""
    (folder / "course").symlink_to(folder)
    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/course/"
    server.shutdown()


@pytest.fixture
def page(browser, address) -> Iterator:
    """A page that fails the test when it asks for anything outside, or for what is not there."""
    page = browser.new_page(viewport=DESK)
    amiss: list[str] = []
    inside = (address, "data:", "blob:")
    page.on("request", lambda r: r.url.startswith(inside) or amiss.append(f"asked for {r.url}"))
    page.on("response", lambda r: r.status < 400 or amiss.append(f"{r.status} {r.url}"))
    page.on("pageerror", lambda error: amiss.append(str(error)))
    yield page
    page.close()
    assert not amiss, amiss


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_within_its_bounds_in_both_themes(name, page, address, folder):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    sizes: list[int] = []
    page.on("response", lambda r: sizes.append(int(r.headers.get("content-length", 0))))
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.goto(f"{address}{name}.html", wait_until="networkidle")
    text = (folder / f"{name}.html").read_text(encoding="utf-8")
    later = {folder / path for path in re.findall(r'"(pictures/[^"]+)"', text)}
    assert sum(sizes) + sum(path.stat().st_size for path in later) < HEAVIEST
    for scheme, window in (("light", DESK), ("dark", PHONE)):
        page.set_viewport_size(window)
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        found = axe.run(
            page, context=LOOKED_AT[name in WHOLE], options=rules(name, scheme)
        ).response["violations"]
        assert not found, [(one["id"], one["nodes"][0]["html"]) for one in found]


def rules(name: str, scheme: str) -> dict[str, list[str]]:
    """What axe looks for: the dark theme changes nothing but colours."""
    colours = scheme == "dark" and name not in WHOLE
    # Of what is right it would send back every element, pictures and all.
    return {"resultTypes": ["violations"], **({"runOnly": ["color-contrast"]} if colours else {})}


def test_a_lab_opens_elsewhere_with_one_click(page, address):
    page.goto(f"{address}{STEMS[0]}.html")
    found = page.locator("#open a").evaluate_all(
        "all => all.map((a) => [a.textContent, a.getAttribute('href')])"
    )
    links = dict(found)
    assert links["Open in Colab"].endswith(f"/someone/llama-lab/blob/v2/labs/{STEMS[0]}.ipynb")
    assert links["Download the notebook"] == f"notebooks/{STEMS[0]}.ipynb"
    assert links["Worked version"] == f"worked/{STEMS[0]}.ipynb"
    assert {"Kaggle", "Binder"} <= links.keys()


# The other half turns in frames of its own: test_sandboxed_frames.py.
@pytest.mark.parametrize("stem", STEMS if ALL else STEMS[1::2])
def test_every_picture_of_a_lab_opens_and_turns(stem, page, address):
    page.goto(f"{address}{stem}.html")
    figures = page.locator(".llama-flipbook[data-from]").all()
    assert figures
    moved = 0
    for figure in figures:
        figure.scroll_into_view_if_needed()
        picture = FlipbookOnPage(figure).wait()
        if names := picture.sliders():
            picture.press(names[0], "Home")
            before = (picture.number, shown(picture))
            picture.press(names[0], "End")
            assert picture.number != before[0] and shown(picture) != before[1]
            moved += 1
    assert moved
    drawn = page.locator("figure.picture figcaption")
    expect(drawn.first).to_contain_text("Drawn by the worked answer")


def shown(picture: FlipbookOnPage) -> tuple[str, str]:
    """What a reader sees of a picture: the drawing and its sentence."""
    return picture.picture.inner_html(), picture.caption


def test_the_start_page_shows_what_the_course_is_on_one_screen(page, address):
    page.goto(f"{address}index.html")
    picture = FlipbookOnPage(page.locator(".moves .llama-flipbook")).wait()
    first = picture.number
    page.wait_for_function(
        "(n) => +document.querySelector('.moves [data-page]').dataset.page !== n", arg=first
    )
    expect(page.locator(".check-panel .mistake")).to_contain_text("The pairs are (i, i + d/2)")
    expect(page.locator(".llama-chat .piece").nth(5)).to_be_visible()
    for part in (".what", ".moves", ".named", ".talks"):
        box = page.locator(part).bounding_box()
        assert box["y"] + box["height"] <= DESK["height"], part
    labs = page.locator("#labs li > a").evaluate_all(
        "all => all.map((a) => a.getAttribute('href'))"
    )
    assert labs == [f"{stem}.html" for stem in STEMS]


def test_search_finds_and_leads_to_the_section(page, address):
    page.goto(f"{address}index.html")
    page.keyboard.press("/")
    page.keyboard.type("rotary")
    hit = page.locator("#results a", has_text="03 · Rotary position embedding").first
    hit.click()
    page.wait_for_url(re.compile(r"/course/03_rope\.html"))
    page.get_by_role("button", name="Search").click()
    page.locator("#words").fill("жук")
    expect(page.locator("#found")).to_have_text("Nothing found.")
    page.keyboard.press("Escape")
    expect(page.locator("#search")).to_be_hidden()


def test_worked_lines_are_folded_and_not_in_the_index(folder, page, address):
    packed = (folder / "pagefind" / "fragment").glob("*.pf_fragment")
    texts = [gzip.decompress(path.read_bytes()).decode().partition("{")[2] for path in packed]
    indexed = {text["url"]: text["content"] for text in (json.loads("{" + t) for t in texts)}
    assert len(indexed) == 1 + len(STEMS)
    everything = squeezed(" ".join(indexed.values()))
    labs = [parse(path, ROOT) for path in sources(ROOT)]
    given = squeezed("\n".join(cell.stub for lab in labs for cell in lab.cells))
    solved = {
        squeezed(line) for lab in labs for c in lab.exercises for line in c.solved.splitlines()
    }
    worked = {line for line in solved if len(line) > 24 and line not in given}
    assert len(worked) > 100
    assert not {line for line in worked if line in everything}
    page.goto(f"{address}03_rope.html")
    worked = page.locator("details.worked")
    assert worked.count() == len(parse(ROOT / "solutions" / "03_rope.py", ROOT).exercises)
    expect(worked.locator(".code").first).to_be_hidden()
    expect(page.locator(".exercise").first).to_contain_text("NotImplementedError")
    assert page.locator("details:has(> summary:text-is('Answer'))[open]").count() == 0


def squeezed(text: str) -> str:
    """Without blanks: the index keeps fewer than a line of code has."""
    return re.sub(r"\s+", "", text)


def test_theme_contents_and_pages_before_and_after(page, address):
    page.emulate_media(color_scheme="light")
    page.goto(f"{address}03_rope.html")
    paper = "getComputedStyle(document.body).backgroundColor"
    bright = page.evaluate(paper)
    page.locator("#theme").click()
    assert page.evaluate(paper) != bright
    page.locator("a[rel=next]").click()
    page.wait_for_url(f"**/{STEMS[4]}.html")
    assert page.evaluate(paper) != bright  # it is remembered
    expect(page.locator("nav.labs [aria-current=page]")).to_contain_text("04")
    ids = set(page.locator("main [id]").evaluate_all("all => all.map((one) => '#' + one.id)"))
    links = page.locator("nav.sections a")
    assert set(links.evaluate_all("all => all.map((a) => a.getAttribute('href'))")) <= ids
    expect(links.nth(1)).to_be_visible()
    page.set_viewport_size(PHONE)
    expect(page.locator("nav.labs")).to_be_hidden()
    page.get_by_text("Labs and sections").click()
    page.locator(".menu a[href^='#']").nth(1).click()
    expect(page.locator(".menu a").first).to_be_hidden()


def test_links_lead_somewhere_and_no_formula_is_left_as_it_was(folder):
    for name in PAGES:
        text = (folder / f"{name}.html").read_text(encoding="utf-8")
        for href in re.findall(r'(?:href|src|data-from)="([^"#:]+)(?:#[^"]*)?"', text):
            assert (folder / href).exists(), f"{name} leads to {href}"
        prose = re.sub(r"<(pre|code|annotation|svg)\b.*?</\1>", "", text, flags=re.DOTALL)
        assert not re.search(r"\$[^$<>]*\\[a-z]+[^$<>]*\$", prose), name
    assert "<math" in (folder / "03_rope.html").read_text(encoding="utf-8")


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="is no site"):
        build_site(ROOT, tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_a_formula_that_cannot_be_set_stops_the_build():
    with pytest.raises(ValueError, match=r"\\frac.*cannot be set"):
        formula(r"\frac{1", display=False)


@pytest.mark.parametrize(
    "name", ["index", max(STEMS, key=lambda s: (ROOT / "solutions" / f"{s}.ipynb").stat().st_size)]
)
def test_the_largest_paint_is_soon_on_a_slow_processor(name, browser, address):
    seen = []
    for _ in range(TRIES):
        page = browser.new_page(viewport=DESK)
        page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 4})
        page.goto(f"{address}{name}.html", wait_until="load")
        page.wait_for_timeout(300)
        seen.append(
            page.evaluate(
                "new Promise((done) => new PerformanceObserver((list) => done(list.getEntries().at(-1).startTime))"
                ".observe({ type: 'largest-contentful-paint', buffered: true }))"
            )
        )
        page.close()
        if seen[-1] < SOONEST:
            return
    raise AssertionError(f"{name}: {seen}")
