"""Lab 08: the model as one picture, where it departs, how its stream grows, where its weights are.

All numbers come from the learner's own model, run with hooks on its modules, and from their own
`count_parameters`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from assets import llama_reference as frozen
from plots import style
from plots.flipbook import Flipbook, explore
from plots.llama_departures import departures
from plots.llama_depth import depth
from plots.llama_map import architecture
from plots.llama_time import shares
from plots.measures.llama import noise
from plots.page import says
from plots.style import BLUE, FAINT, GREEN, GREY, INK, PINK, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["architecture", "departures", "depth", "noise", "shares", "sizes", "stream"]

Model = Callable[[Any], nn.Module]
Config = Callable[..., Any]

LINE = "To be, or not to be"
NEW = {"dim": 96, "n_layers": 12, "n_heads": 6, "n_kv_heads": 2, "hidden_dim": 256}
STREAMS = {"new": 1.0, "new, small table": 0.02, "trained": None}  # spread of the table's entries


def stream(Llama: Model, LlamaConfig: Config) -> Flipbook:
    """The size of the stream after each sum, and of what each part added."""

    @functools.cache
    def run(weights: str) -> tuple[dict[str, Tensor], int]:
        from assets import shakespeare_llama as trained

        ids = torch.tensor([[trained.VOCAB.index(character) for character in LINE]])
        if weights == "trained":
            model = Llama(LlamaConfig(**trained.CONFIG))
            model.load_state_dict(trained.weights(), strict=False)
            return frozen.observe(model, ids), trained.CONFIG["n_layers"]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = Llama(LlamaConfig(**NEW, vocab_size=len(trained.VOCAB), tie_embeddings=True))
            nn.init.normal_(model.tok_embeddings.weight, std=STREAMS[weights])
            return frozen.observe(model, ids), NEW["n_layers"]

    def draw(fig: Figure, weights: str, position: int) -> str:
        seen, blocks = run(weights)
        size = {step: value[0].square().mean(-1).sqrt() for step, value in seen.items()}
        steps = ["tok_embeddings"]
        steps += [f"layers.{i} {part} sum" for i in range(blocks) for part in ("first", "second")]
        nan = torch.full((len(LINE),), math.nan)
        lines = torch.stack([size.get(step, nan) for step in steps])  # (steps, T)
        parts = ["attention", "feed_forward"] * blocks
        names = [f"layers.{i // 2}.{part}" for i, part in enumerate(parts)]
        added = torch.stack([size.get(name, nan)[position] for name in names])
        narrow = style.is_narrow(fig)
        axes = fig.add_axes((0.17, 0.13, 0.81, 0.68) if narrow else (0.06, 0.15, 0.93, 0.75))
        below = axes.get_xaxis_transform()
        for other in lines.T:
            axes.plot(range(len(steps)), other, "-", color=GREY, linewidth=0.8, alpha=FAINT * 1.6)
        axes.plot(range(len(steps)), lines[:, position], "-", color=INK, gid="stream")
        axes.lines[-1].set_label("the stream (others pale)")
        here = lines[:, position].tolist()
        dots = axes.scatter(range(len(steps)), here, s=16, color=INK, zorder=3)
        said = zip(steps, here, strict=True)
        says(dots, [f"{_place(step)}: the stream has size {number(size)}" for step, size in said])
        looks = {"attention": ("attention", PINK, ""), "feed_forward": ("SwiGLU", GREEN, "///")}
        for part, (label, color, hatch) in looks.items():
            places = [i + 1 for i, name in enumerate(parts) if name == part]
            heights = [float(added[i - 1]) for i in places]
            look = {"edgecolor": color, "hatch": hatch, "label": f"added by {label}"}
            bars = axes.bar(places, heights, 0.6, color="none", gid=part, **look)
            for bar, place, height in zip(bars, places, heights, strict=True):
                says(bar, f"{names[place - 1]} added a vector of size {number(height)}")
        # A block's number stands between its two points.
        axes.set_xticks([0, *range(1, len(steps), 2)], ["table", *[""] * blocks])
        crowded = narrow and blocks > 6
        for block in range(1, blocks, 2) if crowded else range(blocks):
            axes.text(2 * block + 1.5, -0.03, f"{block}", transform=below, ha="center", va="top")
        axes.set(ylabel="size", ylim=(0, None))
        axes.set_xlabel("block: after attention, after SwiGLU", labelpad=14)
        at = {"loc": "lower left", "bbox_to_anchor": (0, 1.0), "fontsize": 10}
        axes.legend(ncols=1 if narrow else 3, **at)
        begins, ends = (float(lines[i, position]) for i in (0, -1))
        return (
            f"Weights: {weights}. {LINE[position]!r} at position {position}: the stream begins at "
            f"{number(begins)} and leaves block {blocks - 1} at {number(ends)}. The largest part, "
            f"{number(float(added.max()))}, was added by {names[int(added.nan_to_num().argmax())]}."
        )

    return explore(
        draw,
        weights=list(STREAMS),
        position=range(0, len(LINE), 3),
        start={"weights": "trained", "position": 3},
        size=(9.6, 3.8),
        narrow=(3.4, 4.6),
    )


def _place(step: str) -> str:
    """`after attention of block 1`, for a step of the stream."""
    if step == "tok_embeddings":
        return "at the table"
    block = step.split(".")[1].split(" ")[0]
    return f"after {'attention' if 'first' in step else 'SwiGLU'} of block {block}"


# dim, n_layers, n_heads, n_kv_heads, hidden_dim, vocab_size, tied; how many weights its files hold
MODELS = {
    "stories15M": ((288, 6, 6, 6, 768, 32_000, True), 15_191_712),
    "SmolLM2 135M": ((576, 30, 9, 3, 1536, 49_152, True), 134_515_008),
    "Llama 3.2 1B": ((2048, 16, 32, 8, 8192, 128_256, True), 1_235_814_400),
    "Llama 3.2 3B": ((3072, 28, 24, 8, 8192, 128_256, True), 3_212_749_824),
    "Llama 3 8B": ((4096, 32, 32, 8, 14_336, 128_256, False), 8_030_261_248),
    "Llama 3 70B": ((8192, 80, 64, 8, 28_672, 128_256, False), 70_553_706_496),
    "Llama 3.1 405B": ((16_384, 126, 128, 8, 53_248, 128_256, False), 405_853_388_800),
}
FIELDS = ("dim", "n_layers", "n_heads", "n_kv_heads", "hidden_dim", "vocab_size", "tie_embeddings")
LOOKS = {
    "tables": (BLUE, ""),
    "attention": (PINK, "\\\\\\"),  # and the norms of the blocks, too few to be seen
    "SwiGLU": (GREEN, "///"),
    "last norm": (GREY, ""),
}


def sizes(count_parameters: Callable[[Any], int], LlamaConfig: Config) -> Flipbook:
    """Where the weights are, from 15 million to 405 billion, as the learner counts them."""

    def share(config: Any) -> dict[str, int]:
        """The parts, from how the count moves when one size is one larger; and one block."""
        total = count_parameters(config)
        per = {
            name: count_parameters(replace(config, **{name: getattr(config, name) + 1})) - total
            for name in ("vocab_size", "n_layers", "hidden_dim")
        }
        tables, blocks = per["vocab_size"] * config.vocab_size, per["n_layers"] * config.n_layers
        swiglu = per["hidden_dim"] * config.hidden_dim
        parts = (tables, blocks - swiglu, swiglu, total - tables - blocks)
        return dict(zip(LOOKS, parts, strict=True))

    def block(model: str) -> tuple[int, int]:
        """How many blocks there are, and the parameters of one."""
        layers = MODELS[model][0][1]
        parts = counted(model)
        return layers, (parts["attention"] + parts["SwiGLU"]) // layers

    counted = functools.cache(
        lambda model: share(LlamaConfig(**dict(zip(FIELDS, MODELS[model][0], strict=True))))
    )

    def draw(fig: Figure, model: str) -> str:
        here, known = counted(model), MODELS[model][1]
        narrow = style.is_narrow(fig)
        axes = fig.add_axes((0.03, 0.1, 0.9, 0.78) if narrow else (0.13, 0.13, 0.7, 0.75))
        for row, name in enumerate(MODELS):
            _shares(axes, row, counted(name), name, name == model)
            layers, each = block(name)
            size = f"{each / 1e9:.2f} B" if each >= 1e9 else f"{each / 1e6:.1f} M"
            if narrow:
                weight = "bold" if name == model else "normal"
                title = f"{name}: {layers} blocks of {size}"
                axes.text(0, row - 0.31, title, fontsize=9.5, va="bottom", fontweight=weight)
            else:
                axes.text(102, row, f"{layers} blocks of {size}", va="center", fontsize=10)
        axes.set_yticks([] if narrow else range(len(MODELS)), [] if narrow else list(MODELS))
        axes.tick_params(axis="y", length=0)
        axes.set(xlim=(0, 100), ylim=(len(MODELS) - 0.4, -0.75), xlabel="% of the parameters")
        at = (0, 1.0) if narrow else (0, 1.01)
        axes.legend(
            *_legend(), ncols=3, loc="lower left", bbox_to_anchor=at, columnspacing=1, fontsize=10
        )
        axes.legend_.set(gid="legend")
        total = sum(here.values())
        verdict = "as its files hold" if total == known else f"where its files hold {known:,}"
        gigabytes = 2 * total / 1e9
        size = f"{gigabytes:,.0f}" if gigabytes >= 10 else f"{gigabytes:.2f}"
        parts = [100 * here[name] / total for name in LOOKS]
        layers, each = block(model)
        return (
            f"{model}: your count is {total:,} parameters, {verdict}; {size} GB in 16-bit numbers. "
            f"Tables {parts[0]:.1f} %, attention with the blocks' norms {parts[1]:.1f} %, SwiGLU "
            f"{parts[2]:.1f} %. It has {layers} blocks of {each:,} parameters."
        )

    return explore(
        draw,
        model=list(MODELS),
        start={"model": "Llama 3 8B"},
        play="model",
        size=(9.8, 3.9),
        narrow=(3.4, 5.0),
    )


def _shares(axes: Axes, row: int, parts: dict[str, int], model: str, lit: bool) -> None:
    """One model as a bar of 100 %."""
    from matplotlib.colors import to_rgba

    left, total, high = 0.0, sum(parts.values()), 0.44
    for name, count in parts.items():
        color, hatch = LOOKS[name]
        width = 100 * count / total
        face = to_rgba(color, 0.55 if lit else 0.12)
        axes.barh([row], [width], high, left=left, color=[face], edgecolor=color)
        axes.patches[-1].set(gid=f"{name}-{row}", linewidth=1.4 if lit else 0.7)
        says(axes.patches[-1], f"{model}, {name}: {number(width, 1)} %")
        if hatch:  # by itself: a filled bar loses it in the browser
            axes.barh([row], [width], high, left=left, color="none", edgecolor=color, hatch=hatch)
            axes.patches[-1].set(linewidth=0)
        left += width


def _legend() -> tuple[list, list[str]]:
    from matplotlib.patches import Patch

    shown = [name for name in LOOKS if name != "last norm"]
    patches = [Patch(facecolor="none", edgecolor=LOOKS[n][0], hatch=LOOKS[n][1]) for n in shown]
    return patches, shown
