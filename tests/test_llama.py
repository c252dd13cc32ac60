"""Lab 08: the same logits as Hugging Face's, the differ, and pictures of what the model computes."""

import doctest
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import make_llama_reference as maker
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from assets import llama_reference as frozen
from checks import llama as check
from checks.llama.count_parameters import reference as slow_count
from checks.llama.parts import LlamaConfig
from plots import llama as plot
from plots.measures import llama as measure
from solutions.my_llama import generate_greedy_cached
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
    assert "(1, 5, 32); 3,072 of the model's 27,296 weights" in picture.caption(step=2)
    assert picture.caption(step=14).startswith("logits, (1, 5, 64); 2,048")
    box = find(picture.figure(step=2), "box-layers.0.attention")
    other = find(picture.figure(step=3), "box-layers.0.attention")
    assert box.get_linewidth() > other.get_linewidth()
    wide = lambda config: worked.Llama(replace(config, hidden_dim=8))  # noqa: E731
    assert "27,296" not in plot.architecture(wide, worked.LlamaConfig).caption(step=2)


def test_departures_shows_where_it_begins() -> None:
    picture = plot.departures(worked.Llama, worked.LlamaConfig)
    assert "layers.0.attention departs first, at position 1" in picture.caption()
    assert "the same as Hugging Face's" in picture.caption(fault="nothing")
    marks = picture.figure(fault="nothing").findobj(lambda artist: artist.get_gid() == "first")
    assert not marks
    mark = find(picture.figure(fault="rows as in Hugging Face"), "first")
    assert (list(mark.get_xdata()), list(mark.get_ydata())) == ([1], [2])
    says = picture.caption(fault="one weight of block 1")
    assert "layers.1.attention departs first, at position 0" in says
    for fault in list(plot.FAULTS)[1:]:
        assert "departs first" in picture.caption(fault=fault)
    wrong = plot.departures(with_blocks(Doubled), worked.LlamaConfig)
    assert "layers.0 first sum departs first" in wrong.caption(fault="nothing")


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


def test_shares_are_printed_for_either_output(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "ROUNDS", 1)
    monkeypatch.setattr(measure, "CONTEXTS", (8, 16))
    plot.shares(worked.Llama, worked.LlamaConfig)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:7]] == [
        *("embedding", "attention", "SwiGLU", "norms", "output")
    ]
    percents = [int(line.split()[1]) for line in lines[2:7]]
    assert sum(percents) == pytest.approx(100, abs=2)


def test_noise_is_ln_v_and_a_tied_table_is_worse(capsys: pytest.CaptureFixture[str]) -> None:
    plot.noise(worked.Llama, worked.LlamaConfig, generate_greedy_cached)
    _, *rows = capsys.readouterr().out.splitlines()
    losses = [float(row.split("loss")[1].split()[0]) for row in rows]
    assert losses[0] == pytest.approx(3.56, abs=0.5)
    assert losses[1] > 50
    assert losses[2] == pytest.approx(3.56, abs=0.2)
    assert "commmmm" in rows[1]


@pytest.mark.parametrize("draw", [plot.architecture, plot.departures, plot.stream, plot.sizes])
def test_unwritten_model_draws_a_placeholder(draw: Any) -> None:
    def unwritten(*_: Any) -> Any:
        raise NotImplementedError("Exercise 8.2: Llama.__init__")

    assert "Exercise 8.2: Llama" in draw(unwritten, worked.LlamaConfig).first.caption


def test_unwritten_model_is_not_measured(capsys: pytest.CaptureFixture[str]) -> None:
    def unwritten(*_: Any) -> Any:
        raise NotImplementedError("Exercise 8.2: Llama.__init__")

    plot.shares(unwritten, worked.LlamaConfig)
    plot.noise(unwritten, worked.LlamaConfig, generate_greedy_cached)
    assert capsys.readouterr().out.count("Exercise 8.2: Llama") == 2


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
