"""Lab 11: the model is the one that transformers runs, and its pictures draw what the learner's code makes of it."""

import doctest
import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

import make_real_weights_reference as theirs
import pytest
import torch
from aliasing import assert_nothing_is_sampled
from course import ROOT
from matplotlib.figure import Figure
from seen_pictures import assert_seen, of
from torch import Tensor, nn

from assets import smollm2
from checks import attention as check_attention
from checks import real_weights as check
from checks.engine import Inputs
from checks.real_weights import small_files as files
from checks.real_weights.load_llama import meta_is_ready
from plots import real_weights as plot
from plots import real_weights_answers as pictures
from plots import real_weights_text as text
from plots.measures import real_weights as measure
from plots.measures import real_weights_answers as answers
from plots.page import draw_page
from plots.style import NARROW
from solutions.my_llama import Llama, LlamaConfig, apply_rope, attention_weights, count_parameters
from solutions.my_llama import real_weights as worked

WRONG = {
    mistake.key: mistake.answers[0]
    for mistake in (*check.dequantize_q4_1.mistakes, *check.chat_prompt.mistakes)
}
WRONG_MODELS = {mistake.key: mistake.answers[0] for mistake in check.load_llama.mistakes}
TALKS = answers.reference()


@pytest.fixture(scope="module")
def path() -> Path:
    return smollm2.path()


@pytest.fixture(scope="module")
def model(path: Path) -> nn.Module:
    return worked.load_llama(path)


@pytest.fixture(scope="module")
def tokenizer(path: Path) -> Any:
    return smollm2.tokenizer(smollm2.read(path))


def find(figure: Figure, gid: str) -> Any:
    """The artist with this gid."""
    found = figure.findobj(lambda artist: artist.get_gid() == gid)
    assert found, f"nothing in the picture has the gid {gid}"
    return found[0]


def all_of(figure: Figure, gid: str) -> list[Any]:
    """All artists with this gid."""
    return figure.findobj(lambda artist: artist.get_gid() == gid)


def unwritten(*_: Any, **__: Any) -> Any:
    raise NotImplementedError("Exercise 11.1: dequantize_q4_1")


# the model


def test_worked_examples(path: Path, model: nn.Module, tokenizer: Any) -> None:
    names = {"torch": torch, "path": path, "model": model, "tokenizer": tokenizer}
    results = doctest.testmod(worked, extraglobs=names)
    assert results.attempted >= 12
    assert results.failed == 0


def test_the_model_has_the_parameters_that_lab_08_counts(path: Path, model: nn.Module) -> None:
    config = LlamaConfig(**smollm2.read(path).config())
    assert count_parameters(config) == 134_515_008
    assert sum(weight.numel() for weight in model.parameters()) == 134_515_008
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert (config.rope_base, config.tie_embeddings) == (100_000.0, True)
    assert config.norm_eps == pytest.approx(1e-5)


def test_its_prompts_are_those_of_transformers(tokenizer: Any) -> None:
    assert len(TALKS) == 10
    for talk in TALKS:
        assert worked.chat_prompt(talk["messages"]) == talk["prompt"]
        assert tokenizer.encode(talk["prompt"]).ids == talk["ids"]
        assert len(talk["answer"]) == theirs.N_NEW == 64
    assert [talk["messages"] for talk in TALKS] == theirs.CONVERSATIONS


def test_its_prompts_are_those_of_the_file_s_template(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jinja2 = pytest.importorskip("jinja2")
    file = smollm2.read(path)
    template = jinja2.Template(file.metadata["tokenizer.chat_template"])
    source, shown, is_whole = measure.template_of(file)
    assert is_whole and source == file.metadata["tokenizer.chat_template"]
    monkeypatch.setitem(sys.modules, "jinja2.sandbox", None)  # as where it is not installed
    _, by_quotes, is_whole = measure.template_of(file)
    assert not is_whole
    for messages in (*theirs.CONVERSATIONS, *text.conversations().values()):
        right = template.render(messages=messages, add_generation_prompt=True)
        assert worked.chat_prompt(messages) == right
        assert shown(messages) == by_quotes(messages) == right


@pytest.mark.slow
def test_all_640_tokens_are_those_of_transformers(model: nn.Module) -> None:
    """The likeliest token at each place: by induction the greedy answer is the same."""
    for talk in TALKS:
        assert all(answers.same_tokens(model, talk["ids"], talk["answer"]))


@pytest.mark.slow
def test_answers_written_with_caches_are_those_of_transformers(model: nn.Module) -> None:
    """Of four talks, token by token; the test above has the tokens of all ten."""
    for talk in TALKS[::3]:
        assert answers.written(model, talk["ids"], theirs.N_NEW) == talk["answer"]


@pytest.mark.slow
@pytest.mark.skipif(
    "LLAMA_LAB_ALL" not in os.environ, reason="what it said once stands in a file; `make ways`"
)
def test_transformers_says_the_same_today(model: nn.Module, tokenizer: Any) -> None:
    for package in ("transformers", "accelerate", "gguf"):
        pytest.importorskip(package)
    reference, known = theirs.load()
    for words in (
        "Hello world",
        "  a\n\n\tb 12345 3.14",
        "naïve 東京 🙂🐉",
        TALKS[9]["prompt"],
        "don't I'll",
    ):
        assert tokenizer.encode(words).ids == known(words)["input_ids"]
    for talk in TALKS[1:9:3]:
        assert theirs.answer(reference, talk["ids"], 24) == talk["answer"][:24]
    ids = torch.tensor([TALKS[9]["ids"] + TALKS[9]["answer"]])
    with torch.no_grad():
        far = (model(ids) - reference(ids).logits).abs().max()
    assert far < 1e-3


def test_a_wrong_model_is_seen_among_the_answers(
    path: Path, model: nn.Module, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "TALKS", 2)
    right = plot.same_answers(model, tokenizer)
    assert right.first.caption.startswith("128 of 128 tokens are those of transformers")
    assert "hesitates most at “only”, 0.17 against 0.12" in right.first.caption
    figure = right.figure(answer=2)
    assert find(figure, "same").get_array().shape == (2, 64, 4)
    assert not figure.findobj(lambda artist: artist.get_gid() == "other")
    assert_nothing_is_sampled(right.narrow_page().figure)
    assert find(figure, "token-1").llama_says == "“·sky” 0.49, next “·answer” 0.22"
    keys = ("permuted_again", "q_scaled", "norm_weights_plus_one")
    wrong = {key: WRONG_MODELS[key](path) for key in keys}
    assert_seen(lambda loaded: plot.same_answers(loaded, tokenizer), model, wrong)
    said = plot.same_answers(wrong["permuted_again"], tokenizer).first.caption
    assert int(said.split()[0]) < 80 and "where a frame is dashed" in said


def test_chat_answers_and_stops(model: nn.Module, tokenizer: Any) -> None:
    pieces = list(worked.chat(model, tokenizer, TALKS[0]["messages"]))
    assert "".join(pieces) == "The capital of France is Paris."
    assert len(pieces) == 7


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_loading_and_talking_stays_far_below_3_gb() -> None:
    code = (
        "from assets import smollm2; from solutions.my_llama import real_weights as w\n"
        "path = smollm2.path(); model = w.load_llama(path)\n"
        "known = smollm2.tokenizer(smollm2.read(path))\n"
        "''.join(w.chat(model, known, [{'role': 'user', 'content': 'Hi ' * 200}], 4))\n"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    # In GB. The highest of this process alone: getrusage would count what pytest had at the fork.
    assert int(result.stdout) / 1e6 < 1.4, result.stderr


def test_the_clock_stands_still_while_torch_prepares_the_meta_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A slow machine needs longer for that import than an answer may take."""
    fired: list[int] = []
    monkeypatch.setattr(torch.nn, "Embedding", lambda *_, **__: time.sleep(0.4))
    before = signal.signal(signal.SIGALRM, lambda *_: fired.append(1))
    meta_is_ready.cache_clear()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        meta_is_ready()
        assert fired == []
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 0.2
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        meta_is_ready.cache_clear()


# pictures


def test_block_stands_on_its_ladder(path: Path) -> None:
    picture = plot.block(worked.dequantize_q4_1, path)
    assert "each weight is on one" in picture.caption(block=1)
    assert "outside" not in picture.caption(block=1)

    def heights(book: Any) -> list[float]:
        return [find(book.figure(block=1), f"weight-{i}").get_ydata()[0] for i in range(32)]

    wrong = plot.block(WRONG["high_nibbles_first"], path)
    assert heights(wrong)[16:] == heights(picture)[:16]
    assert "lie outside" in plot.block(WRONG["signed_nibbles"], path).caption(block=1)
    assert "NOT on them" in plot.block(WRONG["middle_of_the_step"], path).caption(block=1)


def test_the_lines_lead_from_a_byte_to_what_it_makes(path: Path) -> None:
    """Found by turning bits over, so the lines are the learner's own."""
    picture = plot.block(worked.dequantize_q4_1, path)
    assert "Byte 7: its low half makes weight 3 (blue lines), its high half weight 19" in (
        picture.first.caption
    )
    assert "low half makes 30 weights" in picture.caption(byte=0)
    mixed = plot.block(WRONG["nibbles_interleaved"], path)
    assert "low half makes weight 6 (blue lines), its high half weight 7" in mixed.first.caption
    keys = ("nibbles_interleaved", "high_nibbles_first", "minimum_left_out", "low_nibbles_twice")
    wrong = {key: WRONG[key] for key in keys}
    assert_seen(lambda made: plot.block(made, path), worked.dequantize_q4_1, wrong)


def test_an_outlier_costs_the_others_their_detail() -> None:
    picture = plot.outlier(worked.dequantize_q4_1)
    assert "off by 0.060" in picture.caption(times=1)
    said = picture.caption(times=10)
    assert "6.4 times as far as at 1 time" in said
    assert "off by 0.370 on average, at 1 time 0.060: 6.2 times as much" in said
    assert "off by 0.060" not in plot.outlier(WRONG["minimum_left_out"]).caption(times=1)
    errors = find(picture.figure(), "errors").get_ydata()
    assert errors[5] / errors[0] == pytest.approx(6.2, abs=0.1)
    keys = ("minimum_left_out", "signed_nibbles", "high_nibbles_first")
    assert_seen(plot.outlier, worked.dequantize_q4_1, {key: WRONG[key] for key in keys})


def test_weights_are_a_peak_around_zero(path: Path) -> None:
    picture = plot.weights(worked.dequantize_q4_1, path)
    assert "331,776 weights: mean 0.000" in picture.caption(layer=0, part="wq")
    assert "0.098 % lie outside of the picture, and the largest is 18" in picture.caption()
    shares = [find(picture.figure(), f"shares-{scale}").get_data() for scale in ("linear", "log")]
    assert list(shares[0].values) == list(shares[1].values)  # the same, once stretched
    assert find(picture.figure(layer=0, part="wq"), "mean").get_xdata()[0] == pytest.approx(
        0, abs=0.01
    )
    assert "884,736" in picture.caption(layer=29, part="w_down")
    signed = plot.weights(WRONG["signed_nibbles"], path).figure(layer=0, part="wq")
    assert find(signed, "mean").get_xdata()[0] < -1
    wrong = plot.weights(WRONG["minimum_left_out"], path).caption(layer=0, part="wq")
    assert "mean 0.000" not in wrong
    keys = ("minimum_left_out", "signed_nibbles", "scale_left_out")
    wrongs = {key: WRONG[key] for key in keys}
    assert_seen(lambda made: plot.weights(made, path), worked.dequantize_q4_1, wrongs)


def test_prompt_is_shown_token_by_token(path: Path) -> None:
    picture = plot.prompt_tokens(worked.chat_prompt, path)
    assert "37 tokens" in picture.caption(conversation="a question")
    assert "writes the same: what the template makes" in picture.caption(conversation="three turns")
    shown = find(picture.figure(), "template").get_text().splitlines()
    assert shown[0] == "{% for message in messages %}" and shown[-1] == "{% endif %}"
    assert find(picture.figure(), "token-1").get_text() == "system"
    wrong = plot.prompt_tokens(WRONG["no_newline_after_role"], path)
    assert "does NOT write what the template does" in wrong.caption()
    assert "system" in wrong.caption()
    keys = ("no_newline_after_role", "no_default_system_prompt", "no_generation_prompt")
    wrongs = {key: WRONG[key] for key in keys}
    assert_seen(lambda prompt: plot.prompt_tokens(prompt, path), worked.chat_prompt, wrongs)


def test_next_token_shows_five_that_were_likely(model: nn.Module, tokenizer: Any) -> None:
    picture = plot.next_token(worked.chat_prompt, model, tokenizer)
    figure = picture.figure(token=1)
    shares = [find(figure, f"share-{i}").get_width() for i in range(5)]
    assert shares == sorted(shares, reverse=True)
    assert 0.2 < sum(shares) <= 1.0001
    assert picture.caption(token=1).startswith("Token 1: 'The'")
    written = [find(figure, f"token-{i}").get_text() for i in range(5)]
    assert "".join(written) == "The·sky·blue·is·a"
    keys = ("no_newline_after_role", "no_generation_prompt", "llama_3_template")
    wrong = {key: WRONG[key] for key in keys}
    assert_seen(lambda prompt: plot.next_token(prompt, model, tokenizer), worked.chat_prompt, wrong)


def test_attention_of_a_real_head(model: nn.Module, tokenizer: Any) -> None:
    picture = plot.attention(model, tokenizer, apply_rope, attention_weights)
    assert "layer 16, head 0: from the third token on 14 % of the attention" in picture.caption
    assert "first token, 74 % to the one before" in picture.caption
    assert "133 of 270 more than half" in picture.caption
    assert find(picture.page.figure, "sinks").get_array().shape == (9, 30, 4)
    assert_nothing_is_sampled(picture.page.figure)
    page = draw_page(picture._draw, {"sentence": "", "layer": 16, "head": 0}, (5, 7))
    assert "type a sentence" in page.caption
    still = plot.attention(model, tokenizer, lambda x, angles: x, attention_weights)
    assert still.caption != picture.caption
    assert picture.narrow_page and picture.narrow_page.figure.get_figwidth() <= NARROW
    assert_nothing_is_sampled(picture.narrow_page.figure)
    html = picture._html()
    assert 'class="llama-wide"' in html and 'class="llama-small"' in html
    keys = ("queries_and_keys_swapped", "queries_with_queries", "scores_squared")

    def make(weights: Any) -> Any:
        page = plot.attention(model, tokenizer, apply_rope, weights).page
        return types.SimpleNamespace(page=lambda: page)

    assert_seen(make, attention_weights, of(check_attention.attention_weights.mistakes, *keys))


def test_heads_give_what_the_model_itself_uses(model: nn.Module) -> None:
    ids = TALKS[0]["ids"][:12]
    weights = measure.heads(model, ids, apply_rope, attention_weights)
    assert [w.shape for w in weights] == [(9, 12, 12)] * 30
    assert torch.allclose(weights[4].sum(-1), torch.ones(9, 12), atol=1e-5)
    assert weights[4].triu(1).abs().max() == 0


@pytest.mark.parametrize(
    "picture",
    [
        lambda path: plot.block(unwritten, path),
        lambda path: plot.outlier(unwritten),
        lambda path: plot.weights(unwritten, path),
        lambda path: plot.places(unwritten, Llama, LlamaConfig, path),
        lambda path: plot.prompt_tokens(unwritten, path),
        lambda path: plot.next_token(unwritten, object(), object()),
    ],
)
def test_unwritten_function_draws_a_placeholder(picture: Any, path: Path) -> None:
    assert "Exercise 11.1" in picture(path).first.caption


def test_without_the_model_everything_waits(capsys: pytest.CaptureFixture) -> None:
    for picture in (
        plot.block(worked.dequantize_q4_1, None),
        plot.weights(worked.dequantize_q4_1, None),
        plot.places(worked.rename_weight, Llama, LlamaConfig, None),
        plot.broken(Llama, LlamaConfig, None, None, None),
        plot.prompt_tokens(worked.chat_prompt, None),
        plot.next_token(worked.chat_prompt, None, None),
        plot.attention(None, None, apply_rope, attention_weights),
        plot.same_answers(None, None),
    ):
        assert "The model is not here" in picture.first.caption
    assert plot.loaded(worked.load_llama, None) == (None, None)
    assert "There is no model to load" in capsys.readouterr().out
    plot.contents(None)
    plot.memory(None, None, None)
    plot.same_by_chat(worked.chat, None, None)
    plot.pieces("a", None)
    plot.with_and_without(worked.chat_prompt, None, None)
    plot.speed(None, None)
    plot.faster(None, None)
    assert capsys.readouterr().out == (measure.WAITS + "\n") * 7


def test_loading_without_memory_says_so(path: Path, capsys: pytest.CaptureFixture) -> None:
    def full(_: Path) -> nn.Module:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:1] can't allocate memory: 113246208")

    assert plot.loaded(full, path) == (None, None)
    assert "The memory was not enough" in capsys.readouterr().out
    assert plot.loaded(unwritten, path) == (None, None)
    assert "✎ Exercise 11.1" in capsys.readouterr().out

    def broken(_: Path) -> nn.Module:
        raise RuntimeError("size mismatch for norm.weight")

    with pytest.raises(RuntimeError, match="size mismatch"):
        plot.loaded(broken, path)


def test_too_little_memory_for_the_last_section_is_said(
    path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smollm2, "free_memory", lambda: 900_000_000)
    plot.faster(path, nn.Linear(1, 1))
    assert "takes 1.6 GB more, and there are 0.9 GB" in capsys.readouterr().out


def test_loading_is_measured(path: Path, model: nn.Module, capsys: pytest.CaptureFixture) -> None:
    found, known = plot.loaded(lambda _: model, path)
    assert found is model
    assert known.encode("Hi").ids
    assert "134,515,008 weights, 538 MB in float32" in capsys.readouterr().out


def test_contents_memory_and_pieces(path: Path, capsys: pytest.CaptureFixture) -> None:
    plot.contents(path)
    said = capsys.readouterr().out
    assert "Q4_1       210   106,168,320      66,355,200             5.0" in said
    assert "134,515,008      98,362,432             5.8" in said
    assert len({line.rindex(",") for line in said.splitlines()[1:] if "," in line}) == 1
    plot.memory(Llama, LlamaConfig, path)
    assert capsys.readouterr().out.splitlines()[-1].endswith(" 1,076 MB")
    plot.pieces(" 🐉é", path)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("4 tokens")
    assert [line.split("bytes ")[1].split(" alone")[0].strip() for line in lines[1:]] == [
        "20 f0 9f",
        "90",
        "89",
        "c3 a9",
    ]


def test_places_are_filled_or_empty(path: Path) -> None:
    picture = plot.places(worked.rename_weight, Llama, LlamaConfig, path)
    assert "272 of 272 tensors have a place" in picture.caption()
    assert "9 would fit into another place just as well" in picture.caption()
    shades = find(picture.figure(), "layers").get_array()
    assert shades.shape == (9, 30, 4) and len({tuple(cell) for cell in shades.reshape(-1, 4)}) == 1
    assert_nothing_is_sampled(picture.figure())
    assert_nothing_is_sampled(picture.narrow_page().figure)

    def forgets(name: str) -> str:
        if "ffn_up" in name:
            raise ValueError(name)
        return worked.rename_weight(name)

    picture = plot.places(forgets, Llama, LlamaConfig, path)
    assert (
        "242 of 272" in picture.caption()
        and "30 of its 272 places stay empty" in picture.first.caption
    )
    assert len(all_of(picture.figure(), "layer-empty")) == 30
    assert find(picture.figure(), "place-empty-8")
    swapped = mistakes_of("up_and_down_swapped")
    shapes = plot.places(swapped, Llama, LlamaConfig, path).figure()
    assert len(all_of(shapes, "layer-misfit")) == 60
    crossing = find(shapes, "line-8").get_ydata(), find(shapes, "line-9").get_ydata()
    assert [list(ends) for ends in crossing] == [[8, 9], [9, 8]]
    one_digit = plot.places(mistakes_of("first_digit_only"), Llama, LlamaConfig, path)
    assert not all_of(one_digit.figure(layer=9), "place-empty-1")
    assert all_of(one_digit.figure(layer=10), "place-empty-1")
    keys = ("norms_swapped", "k_and_v_swapped", "feed_forward_unknown", "layers_from_one")
    wrong = {key: mistakes_of(key) for key in keys}
    assert_seen(
        lambda name: plot.places(name, Llama, LlamaConfig, path), worked.rename_weight, wrong
    )
    assert "0 of 272" in plot.places(lambda name: name, Llama, LlamaConfig, path).caption()


def mistakes_of(key: str) -> Any:
    return next(m.answers[0] for m in check.rename_weight.mistakes if m.key == key)


def test_a_changed_model_fits_and_is_another_one(
    path: Path, model: nn.Module, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "N_OWN", 3)
    before = {
        name: weight.clone() for name, weight in model.state_dict().items() if "layers.3." in name
    }
    picture = plot.broken(Llama, LlamaConfig, model, tokenizer, path)
    assert picture.first.caption.startswith("wq and wk permuted again: all shapes fit")
    for change, agree in (("as it is", 64), ("wq and wk permuted again", 13), ("base 500,000", 56)):
        assert f"{agree} of 64 tokens" in picture.caption(change=change)
    assert find(picture.figure(change="as it is"), "own").get_text() == "The sky blue"
    looks = [find(picture.figure(), f"token-{i}").llama_says for i in range(64)]
    assert sum(look.endswith(": the same") for look in looks) == 13
    assert all(torch.equal(model.state_dict()[name], weight) for name, weight in before.items())
    assert model.config.rope_base == 100_000.0


def test_changes_are_those_of_the_known_mistakes() -> None:
    small = files.a_file(Inputs("changes"), files.TIED)
    right = worked.load_llama(small)
    ids = torch.tensor([[1, 5, 2, 7, 3, 3]])
    config = smollm2.read(small).config()
    for change, key in (
        ("wq and wk permuted again", "permuted_again"),
        ("norms swapped", "norms_swapped"),
        ("wk and wv swapped", "k_and_v_swapped"),
        ("eps 1e-6", "eps_1e_6"),
        ("base 500,000", "llama_3_base"),
    ):
        other = answers.changed(Llama, LlamaConfig, right, config, change)
        torch.testing.assert_close(other(ids), WRONG_MODELS[key](small)(ids), rtol=1e-3, atol=1e-3)


def test_chat_is_held_against_transformers(
    model: nn.Module, tokenizer: Any, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "BY_CHAT", (0,))
    plot.same_by_chat(worked.chat, model, tokenizer)
    said = capsys.readouterr().out
    assert said == "7 tokens, transformers says the same:\n  'The capital of France is Paris.'\n"
    plot.same_by_chat(lambda *_, **__: iter(["Lyon."]), model, tokenizer)
    assert "NOT 'The capital of France is Paris.'" in capsys.readouterr().out
    plot.same_by_chat(unwritten, model, tokenizer)
    assert "✎ Exercise 11.1" in capsys.readouterr().out


def test_the_form_makes_a_request_of_a_text(
    model: nn.Module, tokenizer: Any, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "N_AFTER", 4)
    plot.with_and_without(worked.chat_prompt, model, tokenizer)
    said = capsys.readouterr().out.splitlines()
    assert said[1].split(maxsplit=1) == ["bare", r"'\n\nThe answer'"]
    assert "1. Ban" in said[2]
    assert r"<|im_end|>\n<|im_start|>" in said[4]


def test_speed_is_measured(model: nn.Module, tokenizer: Any, capsys: pytest.CaptureFixture) -> None:
    plot.speed(model, tokenizer, n_new=2)
    said = capsys.readouterr().out
    assert "tokens a second" in said
    assert "538 MB" in said


def test_quantized_rows_come_back_within_half_a_rung() -> None:
    row = torch.randn(32, generator=torch.Generator().manual_seed(1))
    made: Tensor = worked.dequantize_q4_1(plot.quantized(row)[None])[0]
    assert (made - row).abs().max() <= (row.max() - row.min()) / 30 * 1.02
