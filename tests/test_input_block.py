"""Lab 01: its pictures draw what the learner's functions compute, right or wrong."""

import doctest
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from seen_pictures import assert_seen, of
from torch import Tensor

from assets import shakespeare
from checks import input_block as check
from plots import boxes
from plots import input_block as plot
from plots import input_block_split as splitting
from plots import input_block_tokens as growing
from solutions.my_llama import input_block as worked

ROOT = Path(__file__).resolve().parents[1]
SHORT = 3_000  # characters: enough for merges that tell right from wrong


@pytest.fixture
def short_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "TRAINED_ON", SHORT)
    monkeypatch.setattr(growing, "UNSEEN", 1_000)


def texts(figure: Figure) -> list[str]:
    """All texts of a picture, from left to right and from top to bottom as they were drawn."""
    return [artist.get_text() for artist in figure.axes[0].texts if artist.get_text()]


def boxes_of(figure: Figure, row: str) -> list[Any]:
    pattern = re.compile(rf"{row}-\d+")
    return figure.findobj(lambda artist: bool(pattern.fullmatch(artist.get_gid() or "")))


def test_worked_examples() -> None:
    results = doctest.testmod(worked)
    assert (results.attempted, results.failed) == (11, 0)
    assert doctest.testmod(boxes).failed == 0


def test_decode_gives_back_what_encode_took() -> None:
    text = shakespeare.text()[:2_000]
    vocab = worked.build_vocab(text)
    assert worked.decode(worked.encode(text, vocab), vocab) == text
    merges = worked.train_bpe(text, 60)
    for sentence in (text, SENTENCE := "naïve café 😀"):
        assert worked.decode_bpe(worked.encode_bpe(sentence, merges), merges) == sentence
    assert len(worked.encode_bpe(text, merges)) < 0.7 * len(text)
    assert len(worked.encode_bpe(SENTENCE, [])) == len(SENTENCE.encode())


def test_windows_show_targets_that_are_not_shifted() -> None:
    right = plot.windows(worked.make_batch)
    assert "after “Firs” stands “t”, and in the text comes “t”" in right.caption(position=0)
    assert texts(right.figure(position=0))[-9:-1] == list("irst·Cit")

    def copied(data: Tensor, starts: Tensor, context: int) -> tuple[Tensor, Tensor]:
        inputs, _ = worked.make_batch(data, starts, context)
        return inputs, inputs

    wrong = plot.windows(copied)
    assert "after “Firs” stands “s”, and in the text comes “t”" in wrong.caption(position=0)


def test_windows_ask_one_question_a_position() -> None:
    right = plot.windows(worked.make_batch).figure(position=3)
    seen = [boxes_of(right, f"seen-{place}") for place in range(8)]
    assert [len(row) for row in seen] == [1] * 8
    assert [round(row[0].get_width()) for row in seen] == list(range(1, 9))
    assert "≠" not in [text.get_text() for text in right.axes[1].texts]
    copied = plot.windows(lambda *args: (worked.make_batch(*args)[0],) * 2).figure(position=3)
    assert [text.get_text() for text in copied.axes[1].texts].count("≠") == 8


def test_what_one_merge_brings_falls(short_training: None) -> None:
    """The axis is linear: a curve over doublings seems to rise faster and faster."""
    figure = plot.tokens(worked.train_bpe, worked.encode_bpe, worked.decode_bpe).figure()
    steps = figure.findobj(lambda artist: (artist.get_gid() or "").startswith("gain-"))
    assert [step.get_width() for step in steps] == [1, 1, 2, 4, 8, 16, 32, 64, 128]
    assert steps[0].get_height() > 4 * steps[-1].get_height() > 0
    (line,) = figure.findobj(lambda artist: artist.get_gid() == "another play")
    assert list(line.get_xdata()) == list(growing.STEPS)


def test_vowels_find_each_other_only_when_there_is_something_to_learn() -> None:
    parts = (worked.build_vocab, worked.encode, worked.embed)
    right = plot.embeddings(*parts, worked.make_batch)
    assert cosines(right.caption(steps=0))[0] < 0.3
    vowels, consonants, capitals = cosines(right.caption(steps=600))
    assert vowels > consonants + 0.15 > capitals + 0.3
    before, after = (boxes_spread(right.figure(steps=steps)) for steps in (0, 600))
    assert after > 1.5 * before  # at first they are a heap, in which none covers another

    frozen = plot.embeddings(*parts[:2], lambda ids, table: table.detach()[ids], worked.make_batch)
    assert cosines(frozen.caption(steps=600)) == cosines(frozen.caption(steps=0))
    copied = plot.embeddings(
        *parts, lambda data, starts, context: (worked.make_batch(data, starts, context)[0],) * 2
    )
    assert loss(copied.caption(steps=600)) < 0.7 * loss(right.caption(steps=600))


def cosines(caption: str) -> list[float]:
    said = caption.replace("\N{MINUS SIGN}", "-").partition("cosine")[2]
    return [float(x) for x in re.findall(r"-?\d+\.\d+", said)]


def loss(caption: str) -> float:
    return float(re.search(r"loss is (\d+\.\d+)", caption)[1])


def boxes_spread(figure: Figure) -> float:
    (line,) = figure.findobj(lambda artist: artist.get_gid() == "capitals")
    return float(torch.tensor(line.get_xydata()).std())


def test_merging_counts_what_the_learner_counts() -> None:
    right = plot.merging(worked.count_pairs, worked.merge_pair)
    assert "After 0 merges: 23 tokens for 23 characters" in right.caption(merges=0)
    assert "“abr” + “a” (4 of 14 pairs, underlined); it becomes token 258" in right.caption(
        merges=2
    )
    figure = right.figure(merges=2)
    assert [len(boxes_of(figure, f"box-{row}")) for row in range(3)] == [23, 19, 15]
    assert len(figure.findobj(lambda artist: artist.get_gid() == "next")) == 4
    assert "No pair is left" not in right.caption(merges=8)

    def keeps_second(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
        return [new_id if p == pair else p[0] for p in zip(ids, [*ids[1:], -1], strict=True)]

    wrong = plot.merging(worked.count_pairs, keeps_second)
    assert "After 2 merges: 23 tokens" in wrong.caption(merges=2)


@pytest.mark.usefixtures("short_training")
def test_tokens_show_what_the_tokenizer_does() -> None:
    right = plot.tokens(worked.train_bpe, worked.encode_bpe, worked.decode_bpe)
    assert "0 merges: 28 bytes, 27 characters, 28 tokens" in right.caption(merges=0)
    assert len(boxes_of(right.figure(merges=0), "tokens")) == 28
    few, many = (len(boxes_of(right.figure(merges=n), "tokens")) for n in (8, 256))
    assert many < few < 28
    assert "decoded again" not in right.caption(merges=256)

    latin = plot.tokens(
        worked.train_bpe,
        worked.encode_bpe,
        lambda ids, merges: worked.decode_bpe(ids, merges).replace("é", "Ã©"),
    )
    assert "But decoded again they read “My lord, the cafÃ© is there.”" in latin.caption(merges=256)
    unmerged = plot.tokens(
        worked.train_bpe, lambda text, merges: list(text.encode()), worked.decode_bpe
    )
    assert "256 merges: 28 bytes, 27 characters, 28 tokens" in unmerged.caption(merges=256)


@pytest.mark.usefixtures("short_training")
def test_training_is_measured_once_for_each_function(capsys: pytest.CaptureFixture) -> None:
    calls = []

    def train(text: str, n_merges: int) -> list[tuple[int, int]]:
        calls.append(len(text))
        return worked.train_bpe(text, n_merges)

    plot.training(train)
    plot.speed(worked.encode, worked.encode_bpe, train)
    printed = capsys.readouterr().out
    assert "256 merges learned from 3,000 characters" in printed
    assert "encode_bpe" in printed
    assert calls == [SHORT]


def test_the_sample_leaves_text_that_no_merge_has_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = shakespeare.SAMPLE.read_text(encoding="utf-8")
    monkeypatch.setattr(growing, "is_complete", lambda: False)
    monkeypatch.setattr(growing, "text", lambda: sample)
    assert len(growing.seen()) == 30_000


def unwritten(*_: Any) -> Any:
    raise NotImplementedError("Exercise 1.5: make_batch")


@pytest.mark.parametrize(
    "picture",
    [
        lambda: plot.windows(unwritten),
        lambda: plot.embeddings(unwritten, unwritten, unwritten, unwritten),
        lambda: plot.embeddings(worked.build_vocab, worked.encode, worked.embed, unwritten),
        lambda: plot.merging(unwritten, worked.merge_pair),
        lambda: plot.tokens(unwritten, unwritten, unwritten),
    ],
)
def test_unwritten_function_draws_a_placeholder(picture: Any) -> None:
    assert "Exercise 1.5: make_batch" in picture().first.caption


def test_unwritten_functions_stop_no_measurement(capsys: pytest.CaptureFixture) -> None:
    plot.training(unwritten)
    plot.speed(unwritten, unwritten, unwritten)
    assert capsys.readouterr().out.count("Exercise 1.5: make_batch is not written yet") == 2


def test_answers_that_cannot_be_compared_are_still_reported() -> None:
    """Sets, bytes, and strings with lone surrogates: a sentence, not an error of the engine's."""
    report = check.build_vocab.run(lambda text: set(text))
    assert report.text.count("a set, expected a list") == 1
    report = check.decode.run(lambda ids, vocab: "".join(vocab[i] for i in ids).encode())
    assert report.result == "failed"
    report = check.decode_bpe.run(
        lambda ids, merges: b"".join(bytes([i]) if i < 256 else b"?" for i in ids).decode(
            errors="surrogateescape"
        )
    )
    assert report.result == "failed"


def make_windows(make_batch: Any) -> Any:
    return plot.windows(make_batch)


def grown(name: str) -> Any:
    """The picture of the growing tokenizer, as a function of one of its three answers."""
    answers = {n: getattr(worked, n) for n in ("train_bpe", "encode_bpe", "decode_bpe")}
    return lambda answer: plot.tokens(**answers | {name: answer})


def the_split() -> Any:
    """`split_words`, as it is written in the lab."""
    source = (ROOT / "solutions" / "01_input_block.py").read_text(encoding="utf-8")
    cell = source.partition('id="split-words"')[2].partition("print(split_words")[0]
    names: dict[str, Any] = {}
    exec(cell, names)
    return names["split_words"]


LLAMA_3 = (  # meta-llama/llama3, llama/tokenizer.py
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def test_the_split_is_llama_3_s() -> None:
    regex = pytest.importorskip("regex")
    texts = ["In 1599 he'll say: To be", "naïve café 😀  _x_1", "  a\n\n b\t\tc ", "世界 123456"]
    for text in (shakespeare.text(), *texts):
        assert the_split()(text) == regex.findall(LLAMA_3, text)
    assert tuple(the_split()(splitting.LLAMA_SENTENCE)) == splitting.LLAMA_PIECES


def beside(name: str) -> Any:
    names = ("count_pairs", "merge_pair", "train_bpe", "encode_bpe")
    answers = {n: getattr(worked, n) for n in names} | {"split_words": the_split()}
    return lambda answer: plot.beside_llama(**answers | {name: answer})


@pytest.mark.usefixtures("short_training")
def test_merges_cross_no_cut() -> None:
    splitting.learned_by_word.cache_clear()
    split = the_split()
    merges = splitting.learned_by_word(worked.count_pairs, worked.merge_pair, split)
    for token in range(256, 256 + len(merges)):
        text = growing.bytes_of(token, merges).decode(errors="replace")
        assert "\ufffd" in text or len(split(text)) == 1, text
    # one after the other, as slowly as can be
    words = [list(word.encode()) for word in split(growing.seen())]
    counts: dict[tuple[int, int], int] = {}
    for word in words:
        for pair, times in worked.count_pairs(word).items():
            counts[pair] = counts.get(pair, 0) + times
    assert counts[merges[0]] == max(counts.values())


def embedded(name: str) -> Any:
    answers = {n: getattr(worked, n) for n in ("build_vocab", "encode", "embed", "make_batch")}
    return lambda answer: plot.embeddings(**answers | {name: answer})


WRONG = [
    ("make_batch", make_windows, ("not_shifted", "shifted_twice", "rolled", "values_plus_one")),
    (
        "count_pairs",
        lambda f: plot.merging(f, worked.merge_pair),
        ("two_apart", "blocks_of_two", "once_each"),
    ),
    (
        "merge_pair",
        lambda f: plot.merging(worked.count_pairs, f),
        ("keeps_second", "first_only", "removed", "first_id_only"),
    ),
    ("train_bpe", grown("train_bpe"), ("counted_once", "rarest", "never_merged")),
    ("encode_bpe", grown("encode_bpe"), ("no_merges", "first_place_only", "one_pass")),
    ("decode_bpe", grown("decode_bpe"), ("bytes_only", "one_level", "halves_exchanged")),
    ("count_pairs", beside("count_pairs"), ("two_apart", "blocks_of_two", "once_each")),
    ("merge_pair", beside("merge_pair"), ("keeps_second", "removed", "first_id_only")),
    ("encode_bpe", beside("encode_bpe"), ("no_merges", "first_place_only", "one_pass")),
    ("embed", embedded("embed"), ("detached", "same_row", "row_of_the_position")),
    ("make_batch", embedded("make_batch"), ("not_shifted", "next_window", "swapped")),
]


@pytest.mark.usefixtures("short_training")
@pytest.mark.parametrize(("name", "draw", "keys"), WRONG, ids=[f"{n}" for n, *_ in WRONG])
def test_wrong_answers_are_seen(name: str, draw: Any, keys: tuple[str, ...]) -> None:
    assert_seen(draw, getattr(worked, name), of(getattr(check, name).mistakes, *keys))
