"""Lab 08: the same logits as Hugging Face's, the differ, and pictures of what the model computes."""

import doctest
import inspect
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import make_llama_reference as maker
import numpy as np
import pytest
import torch
from aliasing import assert_nothing_is_sampled
from matplotlib.figure import Figure
from seen_pictures import assert_seen, of
from torch import Tensor, nn

from assets import llama_reference as frozen
from assets import shakespeare_llama as trained
from checks import llama as check
from checks.engine.llama_config import LlamaConfig
from checks.llama.count_parameters import reference as slow_count
from plots import llama as plot
from plots import llama_departures, llama_depth, llama_map
from plots.measures import llama as measure
from plots.style import BLUE, GREY, ORANGE, shade
from solutions.my_llama import (
    GroupedQueryAttention,
    RMSNorm,
    SwiGLU,
    generate_greedy_cached,
    rope_angles,
    rope_frequencies,
)
from solutions.my_llama import llama as worked

BOTH = list(frozen.CONFIGS)


class PostNorm(worked.DecoderBlock):
    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        x = self.attention_norm(x + self.attention(x, angles, cache))
        return self.ffn_norm(x + self.feed_forward(x))


class Doubled(worked.DecoderBlock):
    """Attention is added twice: everything before the first sum is right."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        x = x + 2 * self.attention(self.attention_norm(x), angles, cache)
        return x + self.feed_forward(self.ffn_norm(x))


def with_blocks(block: type[nn.Module]) -> type[nn.Module]:
    """The worked Llama with other blocks."""

    class Model(worked.Llama):
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.layers = nn.ModuleList(block(config) for _ in range(config.n_layers))

    return Model


def loaded(name: str, Llama: Any = worked.Llama, **changes: Any) -> nn.Module:
    model = Llama(worked.LlamaConfig(**{**frozen.CONFIGS[name], **changes}))
    model.load_state_dict(frozen.weights(name))
    return model


def find(figure: Figure, gid: str) -> Any:
    found = figure.findobj(lambda artist: artist.get_gid() == gid)
    assert found, f"nothing in the picture has the gid {gid}"
    return found[0]


def test_worked_examples() -> None:
    results = doctest.testmod(worked, extraglobs={"torch": torch, "nn": nn})
    assert results.attempted == 16
    assert results.failed == 0


# ---- Hugging Face's numbers


@pytest.mark.parametrize("name", BOTH)
def test_worked_model_gives_hugging_face_s_logits(name: str) -> None:
    logits = loaded(name)(frozen.ids(name))
    assert (logits - frozen.expected(name)["logits"]).abs().max() < 1e-4
    assert frozen.first_departure(frozen.compare(loaded(name), name)) == ""


@pytest.mark.parametrize("name", BOTH)
def test_caches_give_hugging_face_s_logits(name: str) -> None:
    model, ids = loaded(name), frozen.ids(name)
    caches = model.new_caches(2, ids.shape[1])
    pieces = [model(piece, caches) for piece in ids.split([4, 1, ids.shape[1] - 5], dim=1)]
    assert (torch.cat(pieces, 1) - frozen.expected(name)["logits"]).abs().max() < 1e-4


@pytest.mark.parametrize("name", BOTH)
def test_frozen_numbers_are_hugging_face_s(name: str) -> None:
    """Run the library itself on the frozen weights, where it is installed."""
    pytest.importorskip("transformers")
    model = maker.hugging_face(name, frozen.weights(name))
    seen = maker.watch(name, model, frozen.ids(name))
    assert seen.keys() == frozen.expected(name).keys()
    for step, right in frozen.expected(name).items():
        assert (seen[step] - right).abs().max() < 3e-6 * max(10, right.abs().max()), step
    count = sum(weight.numel() for weight in model.parameters())
    assert count == worked.count_parameters(worked.LlamaConfig(**frozen.CONFIGS[name]))


@pytest.mark.parametrize("name", BOTH)
def test_the_script_draws_the_frozen_weights(name: str) -> None:
    again, stored = maker.draw(name), frozen.weights(name)
    assert again.keys() == stored.keys()
    assert all(torch.equal(again[part], stored[part]) for part in stored)


def test_the_file_is_small() -> None:
    assert frozen.FILE.stat().st_size < 300_000
    with np.load(frozen.FILE) as file:
        assert {key.split("/")[0] for key in file.files} == set(BOTH)


def test_half_split_is_the_layout_of_lab_03() -> None:
    from solutions.my_llama import interleaved_to_half

    weight = torch.randn(12, 5)
    per_head = interleaved_to_half(weight.T.unflatten(1, (2, 6))).flatten(1).T
    assert torch.equal(maker.half_split(weight, 2), per_head)


# ---- the differ


def first(model: nn.Module, name: str = "untied") -> str:
    return frozen.first_departure(frozen.compare(model, name))


def test_the_differ_names_module_and_position() -> None:
    assert first(loaded("untied", rope_base=10_000.0)).startswith(
        "layers.0.attention departs first, at position 1 "
    )
    model = loaded("untied")
    model.layers[1].attention.wo.weight.data[3, 4] += 1
    assert first(model).startswith("layers.1.attention departs first, at position 0")
    model = loaded("untied")
    token = int(frozen.ids("untied")[0, 5])
    before = [int(i) for row in frozen.ids("untied") for i in row[:5]]
    assert token not in before
    model.tok_embeddings.weight.data[token] += 0.1
    assert first(model).startswith("tok_embeddings departs first, at position 5")
    assert first(loaded("tied", norm_eps=0.3), "tied").startswith("layers.0.attention_norm")


def test_the_differ_tells_a_sum_from_the_parts() -> None:
    assert first(loaded("untied", with_blocks(Doubled))).startswith("layers.0 first sum")


def test_the_differ_names_a_module_that_never_ran() -> None:
    class Bare(worked.DecoderBlock):
        def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
            x = x + self.attention(self.attention_norm(x), angles, cache)
            return x + self.feed_forward(x)

    says = first(loaded("untied", with_blocks(Bare)))
    assert says.startswith("layers.0.feed_forward departs first, at position 0")
    assert "layers.0.ffn_norm never ran" in says


def test_the_differ_leaves_no_hooks_and_sees_nan() -> None:
    model = loaded("untied")
    model.norm.weight.data[0] = torch.nan
    assert first(model).startswith("norm departs first, at position 0")
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in model.modules())


def test_the_check_s_panel_names_the_first_departure() -> None:
    model = with_blocks(Doubled)
    report = check.Llama.run(model)
    assert report.result == "failed"
    assert report.summary.startswith("Llama: layers.0 first sum departs first, at position 0")
    assert "layers.0 first sum departs first, at position 0" in report.html


def test_a_tie_by_a_second_name_is_accepted_and_a_copy_is_told() -> None:
    class Copied(worked.Llama):
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.output = nn.Linear(config.dim, config.vocab_size, bias=False)
            if config.tie_embeddings:
                self.output.weight.data.copy_(self.tok_embeddings.weight.data)

    report = check.Llama.run(Copied)
    assert report.mistake == "tied_by_copy"
    assert "a copy of the table" in report.text


# ---- pictures


def test_architecture_shows_the_learner_s_own_modules() -> None:
    picture = plot.architecture(worked.Llama, worked.LlamaConfig)
    assert "(1, 11, 96); 27,648 of the model's 310,944 weights" in picture.caption(step=2)
    assert picture.caption(step=20).startswith("logits, (1, 11, 64)")
    box = find(picture.figure(step=2), "box-layers.0.attention")
    other = find(picture.figure(step=3), "box-layers.0.attention")
    assert box.get_linewidth() > other.get_linewidth()
    untied = lambda config: worked.Llama(replace(config, tie_embeddings=False))  # noqa: E731
    assert "310,944" not in plot.architecture(untied, worked.LlamaConfig).caption(step=2)


def test_architecture_shows_the_vectors_on_their_way() -> None:
    """What enters the last attention guesses "u"; what it found makes that an "m", as in Romeo."""
    picture = plot.architecture(worked.Llama, worked.LlamaConfig)
    assert "The guess from here: 'u'" in picture.caption(step=14)
    assert "The guess from here: 'm'" in picture.caption(step=15)
    assert "The guess from here: 'm', 85 %" in picture.caption(step=20)
    model = loaded_shakespeare()
    ids = torch.tensor([[trained.VOCAB.index(letter) for letter in llama_map.TEXT]])
    seen = frozen.observe(model, ids)
    figure = picture.figure(step=15)
    for gid, step in ((BLUE, "layers.2 first sum"), (ORANGE, "layers.2.attention")):
        image = find(figure, f"vectors-{gid}").get_array()
        large = float(seen[step][0].abs().quantile(llama_map.FULL))
        assert np.allclose(image, shade(seen[step][0], large, gid, GREY), atol=1e-3)
    assert_nothing_is_sampled(picture.narrow_page(step=15).figure)


def loaded_shakespeare(Llama: Any = worked.Llama) -> nn.Module:
    model = Llama(worked.LlamaConfig(**trained.CONFIG))
    model.load_state_dict(trained.weights(), strict=False)
    return model


def test_departures_shows_where_it_begins_and_how_far_it_goes() -> None:
    picture = plot.departures(worked.Llama, worked.LlamaConfig)
    assert "layers.0.attention departs first, at position 1" in picture.caption()
    assert "the same as Hugging Face's" in picture.caption(fault="nothing")
    marks = picture.figure(fault="nothing").findobj(lambda artist: artist.get_gid() == "first")
    assert not marks
    for page in (picture.page(), picture.narrow_page()):
        mark = find(page.figure, "first")
        assert (list(mark.get_xdata()), list(mark.get_ydata())) == ([1], [2])
    says = picture.caption(fault="one weight of block 1")
    assert "layers.1.attention departs first, at position 0" in says
    for fault in list(llama_departures.FAULTS)[1:]:
        assert "departs first" in picture.caption(fault=fault)
    wrong = plot.departures(with_blocks(Doubled), worked.LlamaConfig)
    assert "layers.0 first sum departs first" in wrong.caption(fault="nothing")


def test_departures_has_a_scale_and_its_linear_twin() -> None:
    figure = plot.departures(worked.Llama, worked.LlamaConfig).figure(fault="rope_base 10,000")
    model = loaded("untied", rope_base=10_000.0)
    for row, step in enumerate(frozen.compare(model, "untied")):
        far = float(step.far.max())
        assert find(figure, f"length-{row}").get_width() == pytest.approx(far, rel=1e-4)
        wanted = (np.log10(min(max(far, 1e-8), 10)) + 8) / 9
        assert find(figure, f"far-{row}").get_xdata()[0] == pytest.approx(wanted, abs=1e-6)


def test_depth_needs_norm_and_sum() -> None:
    picture = plot.depth(in_a_row)
    assert re.search(r"norm and sum 1\.\d+, 1\.\d+\.$", picture.caption())
    figure = picture.figure(pairs=32)
    sizes = {way: find(figure, f"bar-{way}").get_width() for way in llama_depth.WAYS}
    assert sizes["neither"] == 0
    assert 1 < sizes["norm and sum"] < 3
    gradients = figure.findobj(lambda artist: artist.get_gid() == "bar-norm")
    assert gradients[1].get_width() == llama_depth.LONGEST  # hundreds: the bar ends in an arrow
    blocks = plot.depth(in_a_row, lambda: blocks_in_a_row(worked.DecoderBlock))
    own, both = (find(blocks.figure(), f"line-{way}") for way in ("your blocks", "norm and sum"))
    assert list(own.get_ydata()) == pytest.approx(list(both.get_ydata()), rel=1e-4)


def in_a_row(norm: bool, add: bool) -> list[Tensor]:
    """The cell of 8.0."""
    torch.manual_seed(0)
    angles = rope_angles(torch.arange(8), rope_frequencies(8))
    stream = [torch.randn(1, 8, 64, requires_grad=True)]
    for _ in range(32):
        x = stream[-1]
        found = GroupedQueryAttention(64, 8, 2)(RMSNorm(64)(x) if norm else x, angles)
        x = x + found if add else found
        found = SwiGLU(64, 176)(RMSNorm(64)(x) if norm else x)
        stream.append(x + found if add else found)
    return stream


def blocks_in_a_row(DecoderBlock: Any) -> list[Tensor]:
    """The cell of 8.1."""
    torch.manual_seed(0)
    config = worked.LlamaConfig(dim=64, n_heads=8, n_kv_heads=2, hidden_dim=176)
    angles = rope_angles(torch.arange(8), rope_frequencies(8))
    stream = [torch.randn(1, 8, 64, requires_grad=True)]
    for _ in range(32):
        stream.append(DecoderBlock(config)(stream[-1], angles))
    return stream


def test_the_stream_grows_and_a_post_norm_s_does_not() -> None:
    picture = plot.stream(worked.Llama, worked.LlamaConfig)
    line = find(picture.figure(weights="trained"), "stream").get_ydata()
    assert line[-1] > 10 * line[0]
    flat = plot.stream(with_blocks(PostNorm), worked.LlamaConfig)
    normed = find(flat.figure(weights="new"), "stream").get_ydata()
    assert normed[2::2] == pytest.approx([1.0] * 12, abs=1e-3)
    grown = find(picture.figure(weights="new"), "stream").get_ydata()
    assert grown[-1] > 1.15
    assert "layers.2.feed_forward" in picture.caption()


def test_sizes_are_the_learner_s_count() -> None:
    picture = plot.sizes(worked.count_parameters, worked.LlamaConfig)
    for model, (_, known) in plot.MODELS.items():
        assert f"{known:,} parameters, as its files hold" in picture.caption(model=model)
    assert "70.2 %" in picture.caption()
    bar = find(picture.figure(), "SwiGLU-4")
    assert bar.get_width() == pytest.approx(70.199, abs=0.01)
    mha = plot.sizes(
        lambda c: worked.count_parameters(replace(c, n_kv_heads=c.n_heads)), worked.LlamaConfig
    )
    assert "where its files hold 8,030,261,248" in mha.caption()
    assert "as its files hold" in mha.caption(model="stories15M")


@pytest.fixture
def small_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block that takes milliseconds."""
    monkeypatch.setattr(measure, "REAL", measure.REAL | {"dim": 256, "hidden_dim": 512})
    monkeypatch.setattr(measure, "LENGTHS", (32, 512))


def test_time_is_that_of_the_learner_s_block(small_block: None) -> None:
    picture = plot.shares(worked.Llama, worked.LlamaConfig)
    figure = picture.figure()
    for length in (32, 512):
        heights = [find(figure, f"{part}-{length}").get_height() for part in TIMED]
        assert sum(heights) == pytest.approx(100, abs=0.1)
    assert "22 % at 512" not in picture.caption()
    assert find(figure, "attention-512").get_height() > find(figure, "attention-32").get_height()
    assert "86 % at 131,072" in picture.caption(model="3 8B")


TIMED = ("attention", "SwiGLU", "norms and sums")


def test_multiplications_are_those_of_the_matrices() -> None:
    """Two for each weight and token, as count_parameters has them, and T · dim twice for scores."""
    sizes = {"dim": 4096, "n_heads": 32, "n_kv_heads": 8, "hidden_dim": 14_336}
    found = measure.multiplications(sizes, 1024)
    config = worked.LlamaConfig(**sizes, n_layers=1)
    block = worked.count_parameters(config) - worked.count_parameters(replace(config, n_layers=0))
    assert found["SwiGLU"] + found["matrices of attention"] == block - 2 * 4096
    assert found["scores and mixtures"] == 2 * 1024 * 4096


def test_a_block_without_attention_is_seen_in_the_time(small_block: None) -> None:
    class Deaf(worked.DecoderBlock):
        def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
            return x + self.feed_forward(self.ffn_norm(x))

    class Mute(worked.DecoderBlock):
        def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
            return x + self.attention(self.attention_norm(x), angles, cache)

    class Often(worked.DecoderBlock):
        def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
            for _ in range(100):
                x = x + self.feed_forward(self.ffn_norm(x))
            return super().forward(x, angles, cache)

    height = {}
    for block in (worked.DecoderBlock, Deaf, Mute, Often):
        figure = plot.shares(with_blocks(block), worked.LlamaConfig).figure()
        height[block] = {part: find(figure, f"{part}-512").get_height() for part in TIMED}
    assert height[Deaf]["attention"] == 0
    assert height[Mute]["SwiGLU"] == 0
    assert height[Often]["attention"] < 0.5 * height[worked.DecoderBlock]["attention"]


def test_noise_is_ln_v_and_a_tied_table_is_worse(capsys: pytest.CaptureFixture[str]) -> None:
    plot.noise(worked.Llama, worked.LlamaConfig, generate_greedy_cached)
    _, *rows = capsys.readouterr().out.splitlines()
    losses = [float(row.split("loss")[1].split()[0]) for row in rows]
    assert losses[0] == pytest.approx(3.56, abs=0.5)
    assert losses[1] > 50
    assert losses[2] == pytest.approx(3.56, abs=0.2)
    assert "commmmm" in rows[1]


def test_wrong_answers_are_seen() -> None:
    keys = ("last_norm_unused", "defaults_of_rope", "norm_between_layers", "layers_reversed")
    wrong = of(check.Llama.mistakes, *keys, "positions_backwards", "embedding_scaled")
    nothing = lambda model: first_page(  # noqa: E731
        plot.departures(model, worked.LlamaConfig), fault="nothing"
    )
    assert_seen(nothing, worked.Llama, wrong)
    wrong = of(check.Llama.mistakes, *keys[2:], "embedding_scaled", "first_layer_only")
    assert_seen(lambda model: plot.stream(model, worked.LlamaConfig), worked.Llama, wrong)
    wrong = of(
        check.Llama.mistakes, "softmax", "positions_backwards", *keys[2:], "last_norm_unused"
    )
    end = lambda model: first_page(  # noqa: E731
        plot.architecture(model, worked.LlamaConfig), step=20
    )
    assert_seen(end, worked.Llama, wrong)


def test_wrong_blocks_are_seen() -> None:
    keys = ("post_norm", "no_first_residual", "no_residuals", "feed_forward_not_normed", "no_norms")
    wrong = of(check.DecoderBlock.mistakes, *keys, "residual_from_normed", "no_attention")
    make = lambda block: plot.depth(in_a_row, lambda: blocks_in_a_row(block))  # noqa: E731
    assert_seen(make, worked.DecoderBlock, wrong)
    models = {key: with_blocks(block) for key, block in wrong.items()}
    end = lambda model: first_page(  # noqa: E731
        plot.architecture(model, worked.LlamaConfig), step=20
    )
    assert_seen(end, worked.Llama, models)


def test_wrong_counts_are_seen() -> None:
    keys = (
        "mha",
        "always_two_tables",
        "two_in_swiglu",
        "one_block",
        "without_wo",
        "hidden_four_times",
    )
    wrong = of(check.count_parameters.mistakes, *keys)
    make = lambda count: plot.sizes(count, worked.LlamaConfig)  # noqa: E731
    assert_seen(make, worked.count_parameters, wrong)


def first_page(picture: Any, **values: Any) -> Any:
    """The picture as if it began at these values."""
    return SimpleNamespace(page=lambda: picture.page(**values))


DRAWN = [plot.architecture, plot.departures, plot.stream, plot.sizes, plot.shares]


@pytest.mark.parametrize("draw", DRAWN)
def test_unwritten_model_draws_a_placeholder(draw: Any) -> None:
    def unwritten(*_: Any) -> Any:
        raise NotImplementedError("Exercise 8.2: Llama.__init__")

    assert "Exercise 8.2: Llama" in draw(unwritten, worked.LlamaConfig).first.caption


def test_unwritten_model_is_not_measured(capsys: pytest.CaptureFixture[str]) -> None:
    def unwritten(*_: Any) -> Any:
        raise NotImplementedError("Exercise 8.2: Llama.__init__")

    plot.noise(unwritten, worked.LlamaConfig, generate_greedy_cached)
    assert "Exercise 8.2: Llama" in capsys.readouterr().out


# ---- the checks


def test_a_config_of_another_kind_will_do() -> None:
    """What the check hands over has the names of LlamaConfig, and need not be one."""
    config = SimpleNamespace(**vars(LlamaConfig()))
    assert worked.count_parameters(config) == slow_count(config)


def test_the_step_that_is_missing_is_named() -> None:
    class Half(worked.Llama):
        def new_caches(self, batch: int, max_len: int) -> list:
            raise NotImplementedError("Exercise 8.2: Llama.new_caches")

    report = check.Llama.run(Half)
    assert report.result == "todo"
    assert "Llama.new_caches" in report.summary


def test_a_model_that_keeps_its_config_under_another_name_is_told_so() -> None:
    namespace = dict(vars(worked))
    exec(inspect.getsource(worked.Llama).replace("self.config", "self.sizes"), namespace)
    report = check.Llama.run(namespace["Llama"])
    assert report.result == "right"
    assert "it has no `config`. Keep the LlamaConfig as `self.config`" in report.text
