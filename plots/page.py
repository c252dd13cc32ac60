"""One page of a picture: what `draw(fig, **values)` painted, as SVG and as PNG.

The SVG stands in the notebook's page and follows its theme; the PNG stands in where no scripts run.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

from plots import style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch
    from matplotlib.transforms import Bbox

Draw = Callable[..., "str | None"]

# matplotlib's settings belong to the whole process, and widgets draw in threads of their own.
DRAWING = threading.RLock()

PNG_DPI = 110  # 792 pixels for a 7.2 inch picture
PNG_COLOURS = 64  # a palette makes the file a third of the size
SAYS = "llama-says-"  # what an artist that says something is called while it is saved
DECIMALS = 2  # of a point, in the SVG: a hundredth of a pixel and more is not seen
FONT = r"font-family: 'DejaVu Sans'[^;\"]*; "
NARROWEST_PIECE = 0.25  # of the width: a colour bar stays with its panel


def says(artist: Artist, text: str | list[str] | list[list[str]]) -> None:
    """What a part of the picture is called when a reader points at it: "bites → man: 0.31".

    text: a sentence; for a collection one for each of its shapes; for an image a list for each
        row, the row on top first.
    """
    artist.llama_says = text  # type: ignore[attr-defined]


class Page:
    """A figure and its caption; or the placeholder of a function that is not written yet."""

    def __init__(self, figure: Figure, caption: str, is_placeholder: bool = False) -> None:
        self.figure = figure
        self.caption = caption
        self.is_placeholder = is_placeholder

    def svg(self, mark: str = "") -> str:
        """The picture as an `<svg>` element: transparent, text as text, in the theme's colours.

        mark: tells this drawing from an equal one that may stand in the same page.
        """
        text = io.StringIO()
        with DRAWING, mpl.rc_context(style.rc()):
            nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
            artists = list(_artists(self.figure))
            _unclip(self.figure, artists)
            speaking = [artist for artist in artists if hasattr(artist, "llama_says")]
            names = [artist.get_gid() for artist in speaking]
            for place, artist in enumerate(speaking):
                artist.set_gid(f"{SAYS}{place}-{names[place] or ''}")
            gids = {artist.get_gid() for artist in artists if artist.get_gid()}
            self.figure.savefig(text, format="svg", metadata=nothing)
            for artist, name in zip(speaking, names, strict=True):
                artist.set_gid(name)
        slim = _own_ids(_slim(text.getvalue(), gids), mark)
        return _with_words(slim, [artist.llama_says for artist in speaking])

    def png(self) -> str:
        """The picture on white, base64: for pages that run no scripts, such as GitHub's."""
        from PIL import Image

        full, small = io.BytesIO(), io.BytesIO()
        with DRAWING, mpl.rc_context(style.rc()):
            quick = {"facecolor": "white", "pil_kwargs": {"compress_level": 1}}
            self.figure.savefig(full, format="png", dpi=PNG_DPI, **quick)
        # The default takes what covers most of the area, and a legend's swatch loses its colour.
        palette = Image.Quantize.MAXCOVERAGE
        picture = Image.open(full).convert("RGB").quantize(PNG_COLOURS, method=palette)
        picture.save(small, "png", optimize=True)
        return base64.b64encode(small.getvalue()).decode("ascii")

    def cuts(self) -> list[float]:
        """Where a narrow screen may cut the picture into pieces to stack.

        Fractions of the width, 0 and 1 included: `[0.0, 0.5, 1.0]` for two panels side by side.
        A cut goes through the gap between two panels, never through anything drawn.
        """
        width = self.figure.bbox.width
        parts = [*self.figure.axes, *self.figure.texts, *self.figure.legends]
        with DRAWING, mpl.rc_context(style.rc()):
            renderer = self.figure.canvas.get_renderer()
            boxes = [part.get_tightbbox(renderer) for part in parts if part.get_visible()]
        spans = sorted((box.x0 / width, box.x1 / width) for box in boxes if box and box.width)
        edges, right = [0.0], None
        for left, end in spans:
            if right is not None and left > right:
                middle = round(float(left + right) / 2, 3)
                if middle - edges[-1] >= NARROWEST_PIECE and 1 - middle >= NARROWEST_PIECE:
                    edges.append(middle)
            right = end if right is None else max(right, end)
        return [*edges, 1.0]


def draw_page(draw: Draw, values: dict[str, Any], size: tuple[float, float]) -> Page:
    """Let `draw` paint on a new figure of `size` inches; an unwritten exercise gives a placeholder.

    Any other exception goes on to the learner, with a note that says what was being drawn.
    """
    __tracebackhide__ = (
        True  # IPython leaves this frame out: the error is in the learner's function
    )
    figure = _new_figure(size)
    try:
        with DRAWING, mpl.rc_context(style.rc()):
            caption = draw(figure, **values)
    except NotImplementedError as unwritten:
        return _placeholder(unwritten, size)
    except Exception as error:
        if values:
            at = ", ".join(f"{name}={value!r}" for name, value in values.items())
            error.add_note(f"This happened while the picture was drawn at {at}.")
        raise
    return Page(figure, " ".join(str(caption or "").split()))


def _new_figure(size: tuple[float, float]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with DRAWING, mpl.rc_context(style.rc()):
        figure = Figure(figsize=size)
        FigureCanvasAgg(figure)
    return figure


def _placeholder(unwritten: NotImplementedError, size: tuple[float, float]) -> Page:
    """A dashed frame with the exercise's name, and a caption that says what to do."""
    reason = str(unwritten).strip().partition("\n")[0].rstrip(".") or "the exercise above"
    figure = _new_figure((min(size[0], 4.8), 1.4))
    with DRAWING, mpl.rc_context(style.rc()):
        axes = figure.add_axes((0.01, 0.04, 0.98, 0.92), xticks=[], yticks=[])
        axes.spines[:].set(visible=True, linestyle=(0, (4, 4)), color=style.GREY)
        axes.text(0.5, 0.62, reason, ha="center", va="center", transform=axes.transAxes)
        wish = "brings this picture to life"
        axes.text(
            0.5, 0.36, wish, ha="center", va="center", color=style.GREY, transform=axes.transAxes
        )
    caption = f"Not written yet: {reason}. Write it, run its cell, then run this one again."
    return Page(figure, caption, is_placeholder=True)


def _unclip(figure: Figure, artists: list[Artist]) -> None:
    """Take the clip from shapes that lie within it: the browser would clip each of them anew."""
    from matplotlib.collections import Collection
    from matplotlib.patches import Patch

    renderer = figure.canvas.get_renderer()
    for shape in artists:
        if not isinstance(shape, Patch | Collection):
            continue
        clip = shape.get_clip_box()
        if clip is None or not shape.get_clip_on() or shape.get_clip_path() is not None:
            continue
        corners = _corners(shape) if isinstance(shape, Patch) else shape.get_window_extent(renderer)
        if clip.contains(*corners.min) and clip.contains(*corners.max):
            shape.set_clip_on(False)


def _corners(patch: Patch) -> Bbox:
    """A box around a patch, by the points of its path: a curve never leaves those that steer it."""
    from matplotlib.transforms import Bbox

    path = patch.get_path()
    points = path.vertices if path.codes is None else path.vertices[path.codes != path.CLOSEPOLY]
    if not len(points):
        return Bbox.null()
    points = patch.get_transform().transform(points)
    return Bbox([points.min(0), points.max(0)])


def _artists(part: Artist) -> Iterator[Artist]:
    """A figure and its parts; `findobj` would also make the ticks of axes that show none."""
    from matplotlib.axis import Axis

    yield part
    if not (isinstance(part, Axis) and not part.axes.axison):
        for child in part.get_children():
            yield from _artists(child)


def _slim(svg: str, names: set[str]) -> str:
    """matplotlib's SVG file as a small element to stand inside a page that may hold many of them.

    Long decimals are rounded; the ids nobody refers to are dropped (two figures would both have an
    `axes_1`); the author's gids become `data-gid`, which may repeat in a page; the course's colours
    become variables, which flipbook.css adapts to a light or a dark theme.
    """
    svg = svg[svg.index("<svg") :]
    # Its style sheet would rule the whole page.
    dead = r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>"
    svg = re.sub(dead, "", svg, flags=re.DOTALL)
    referred = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))

    def tidy_id(match: re.Match[str]) -> str:
        name = match[1]
        if name in referred:
            return match[0]
        if spoken := re.fullmatch(rf"{SAYS}(\d+)-(.*)", name):
            return f' data-says="{spoken[1]}"' + (f' data-gid="{spoken[2]}"' if spoken[2] else "")
        return f' data-gid="{name}"' if name in names else ""

    def tidy_tag(match: re.Match[str]) -> str:
        tag = re.sub(r' id="([^"]*)"', tidy_id, match[0])
        if tag.startswith("<image"):
            return tag
        return re.sub(r"-?\d+\.\d{3,}", lambda digits: f"{float(digits[0]):.{DECIMALS}f}", tag)

    svg = _without_bare_groups(re.sub(r"<[^>]+>", tidy_tag, svg))
    svg = _one_clip_for_many(re.sub(r'style="[^"]*opacity[^"]*"', _opacity_of_one, svg))
    # The figure's size goes: the page's style sheet decides, and the viewBox keeps the shape.
    svg = re.sub(r'^<svg [^>]*?(viewBox="[^"]*")[^>]*>', r"<svg \1>", svg)
    svg = svg.replace("xlink:href", "href").replace(style.INK, "currentColor")
    svg = re.sub(r' transform="rotate\(-0 [^"]*"', "", svg)
    svg = re.sub(FONT, "", svg)  # flipbook.css has it, once
    for name in ("BLUE", "ORANGE", "GREEN", "PINK", "GREY"):
        colour = getattr(style, name).lower()
        svg = svg.replace(colour, f"var(--llama-{name.lower()}, {colour})")
    return re.sub(r"\s*\n\s*", "\n", svg).strip()


def _own_ids(svg: str, mark: str) -> str:
    """Give what is referred to, such as a hatch, an id that no other picture in the page has.

    matplotlib gives equal hatches of all figures one id. A browser takes the first that it finds,
    and where that one stands in a hidden cell the hatch is not painted. The id comes from the
    picture's content, so that a page is the same each time it is built; equal pictures are told
    apart by flipbook.js, or by `mark`.
    """
    digest = hashlib.sha1((mark + svg).encode()).hexdigest()[:8]
    ids = re.findall(r' id="([^"]*)"', svg)
    new = {old: f"llama-{digest}-{place}" for place, old in enumerate(ids)}
    reference = r'( id="|href="#|url\(#)([^")]+)'
    return re.sub(reference, lambda found: found[1] + new.get(found[2], found[2]), svg)


def _with_words(svg: str, words: list[Any]) -> str:
    """Put in what each part says: last, since its numbers are not to be rounded."""

    def put(match: re.Match[str]) -> str:
        text = json.dumps(words[int(match[1])], ensure_ascii=False)
        return f'data-says="{html.escape(text, quote=True)}"'

    return re.sub(r'data-says="(\d+)"', put, svg) if words else svg


def _opacity_of_one(match: re.Match[str]) -> str:
    """Give what is only filled, or only a line, an opacity of that, which needs no blending."""
    filled, drawn = "fill: none" not in match[0], "stroke: " in match[0]
    if filled and drawn:
        return match[0]
    return re.sub(r"(?<!-)\bopacity:", f"{'fill' if filled else 'stroke'}-opacity:", match[0])


def _one_clip_for_many(svg: str) -> str:
    """Neighbours that are clipped alike are clipped together: a browser does that one by one."""
    found: list[str] = []
    depth, within, clipped = 0, 0, ""  # `clipped`: the clip of the group at depth `within`
    for tag, text in re.findall(r"(<[^>]+>)([^<]*)", svg):
        closes, leaf = tag.startswith("</"), tag.endswith("/>")
        own = clip[0] if (clip := re.search(r' clip-path="[^"]*"', tag)) else ""
        depth -= closes
        ends = depth < within or (depth == within and not closes and own != clipped)
        if clipped and ends:
            found.append("</g>")
            clipped = ""
        if own and not clipped:
            within, clipped = depth, own
            found.append(f"<g{own}>")
        found += [tag.replace(own, "") if own and depth == within else tag, text]
        depth += not closes and not leaf
    return _without_bare_groups("".join(found))


def _without_bare_groups(svg: str) -> str:
    """Every `<g>` without attributes goes, and half of the elements with it; its content stays.

    Empty ones, `<g …/>`, go altogether.
    """
    is_bare: list[bool] = []

    def keep(match: re.Match[str]) -> str:
        if match[0] == "</g>":
            return "" if is_bare.pop() else "</g>"
        is_bare.append(match[0] == "<g>")
        return "" if is_bare[-1] else match[0]

    return re.sub(r"<g(?: [^>]*)?>|</g>", keep, re.sub(r"<g(?: [^>]*)?/>", "", svg))
