"""Your Llama: a conversation with models, stopped and begun anew, and what each token says of itself."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from talkers import Echo, Endless, Failing
from torch import Tensor

from assets import gguf, shakespeare_llama, smollm2
from checks import real_weights as check
from checks.engine import Inputs
from checks.learner import pieces
from checks.real_weights import small_files as files
from plots import real_weights_chat as chat
from plots import real_weights_voices as voices
from plots import real_weights_your_llama as page
from plots import turns
from plots.measures import decoders
from plots.measures.linear_maps import nibbles_of
from solutions.my_llama import Llama, LlamaConfig
from solutions.my_llama import real_weights as worked
from solutions.my_llama import sampling as sampling

pytest.importorskip("ipywidgets")


def talking(**models: Any) -> chat.ChatBox:
    """A box with these voices, its widgets made."""
    box = chat.ChatBox({name: lambda voice=voice: voice for name, voice in models.items()})
    _ = box.widget
    return box


def say(box: chat.ChatBox, text: str) -> None:
    box.box.value = text
    box.send.click()


def roles(box: chat.ChatBox) -> list[str]:
    return [message["role"] for message in box.messages]


def until(condition: Any, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


# the conversation


def test_it_streams_and_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "PAUSE", 0.0)
    box, seen = talking(echo=Echo()), []
    box.page.observe(lambda change: seen.append(change["new"]), names="value")
    box.box.value = "<b>Hi</b>"
    box.turns.wait()
    assert box.messages == []  # the box was left, nothing was sent
    box.send.click()
    box.turns.wait()
    assert roles(box) == ["user", "assistant"]
    assert box.messages[1]["content"] == "You said <b>Hi</b>, message 1, at 0.2."
    assert any("You said " in html and "message 1" not in html for html in seen)
    assert "&lt;b&gt;Hi" in box.page.value and "<b>" not in box.page.value
    assert box.box.value == ""
    box.box._handle_custom_msg({"event": "submit"}, [])  # Enter, which the browser sends first
    box.box.value = "Again"
    box.turns.wait()
    assert box.messages[3]["content"] == "You said Again, message 3, at 0.2."
    box.box._handle_custom_msg({"event": "submit"}, [])
    time.sleep(2 * turns.SETTLE)
    box.box.value = "Late"  # from a busy machine
    box.turns.wait()
    assert box.messages[5]["content"] == "You said Late, message 5, at 0.2."
    box.new.click()
    assert box.messages == []
    box.send.click()  # nothing was typed
    box.turns.wait()
    assert box.messages == []


def test_the_sliders_decide_how_the_next_answer_is_drawn() -> None:
    box = talking(echo=Echo())
    box.temperature.value, box.p.value = 1.3, 0.5
    say(box, "Hi")
    box.turns.wait()
    assert box.messages[1]["content"].endswith("at 1.3.")
    assert "echo, temperature 1.3, top-p 0.5: " in box.page.value
    assert (box.talk[0].setting.temperature, box.talk[0].setting.p) == (1.3, 0.5)


def test_a_token_s_shade_is_its_probability_and_it_names_the_runners_up() -> None:
    box = talking(echo=Echo())
    say(box, "sky")
    box.turns.wait()
    spans = re.findall(r'rgba\(0,114,178,([\d.]+)\)" data-says="([^"]*)"', box.page.value)
    assert [float(shade) for shade, _ in spans] == pytest.approx([0.45, 0.125, 0.5], abs=0.006)
    assert spans[1][1] == "“sky” 0.25; else “&lt;i&gt;” 0.20, “·no” 0.10"
    # 5 tokens in 3 pieces; the first is not counted, since the prompt is read before it
    turn = box.talk[0]
    turn.asked, turn.first, turn.last = 0.0, 0.5, 2.5
    assert turn.speed() == "2.0 tokens a second, the first after 0.5 s"


def test_another_model_has_not_read_what_the_first_was_told() -> None:
    box = talking(one=Echo(), two=Echo())
    for model, question in (("one", "A"), ("one", "B"), ("two", "C"), ("two", "D"), ("one", "E")):
        box.model.value = model
        say(box, question)
        box.turns.wait()
    said = [turn.text.partition(",")[2] for turn in box.talk]
    assert [text.split()[1] for text in said] == ["1,", "3,", "1,", "3,", "1,"]
    assert box.page.value.count("— now ") == 2


def test_a_model_is_opened_once_and_when_it_is_needed() -> None:
    opened = []

    def opens(name: str) -> Any:
        return lambda: opened.append(name) or Echo()

    models = {name: opens(name) for name in ("one", "two")}
    box = chat.ChatBox(models, hints={"two": "Begin a text"})
    _ = box.widget
    box.model.value = "two"
    assert box.box.placeholder == "Begin a text"
    box.model.value = "one"
    assert (box.box.placeholder, opened) == (chat.ASK, [])
    for _ in range(2):
        say(box, "Hi")
        box.turns.wait()
    assert opened == ["one"]


def slow_box() -> chat.ChatBox:
    return talking(slow=Endless(), echo=Echo())


def test_stop_ends_every_answer_and_keeps_what_came() -> None:
    box = slow_box()
    for n, end in enumerate((box.stop.click, turns._stop_all, box.stop.click), start=1):
        say(box, f"question {n}")
        until(lambda n=n: f"question {n}-2" in box.page.value)
        assert box.send.disabled and not box.stop.disabled
        box.send.click()  # one answer at a time
        end()
        box.turns.wait(5)
        assert not box.send.disabled and box.stop.disabled
        assert roles(box) == ["user", "assistant"] * n
        assert box.messages[-1]["content"].startswith(f"question {n}-0 ")
        assert "stopped; " in box.page.value


def test_choosing_another_model_ends_the_answer() -> None:
    box = slow_box()
    say(box, "Hi")
    until(lambda: "Hi-2" in box.page.value)
    box.model.value = "echo"
    box.turns.wait(5)
    assert box.talk[0].note.startswith("stopped")


def test_a_new_conversation_during_an_answer_leaves_no_turn_behind() -> None:
    box = slow_box()
    for _ in range(5):
        say(box, "former")
        until(lambda: "former-1" in box.page.value)
        box.new.click()
        assert box.messages == []
        box.turns.wait(5)
        assert box.messages == []
        assert "former" not in box.page.value
    say(box, "former")
    until(lambda: "former-1" in box.page.value)
    box.new.click()
    say(box, "new")  # while the old answer is about to end
    until(lambda: "new-1" in box.page.value)
    box.stop.click()
    box.turns.wait(5)
    assert roles(box) == ["user", "assistant"]
    assert "former" not in box.page.value and "new-0" in box.page.value


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ValueError("no"), "“Hi”: ValueError: no"),
        (voices.CannotSpeak("It does not know ü."), "“Hi”: It does not know ü."),
        (MemoryError(), "The memory was not enough"),
        (RuntimeError("[alloc_cpu.cpp] can't allocate memory"), "The memory was not enough"),
    ],
)
def test_a_question_without_an_answer_is_taken_back(error: Exception, says: str) -> None:
    box = talking(failing=Failing(error))
    box.ask("Hi")
    assert box.messages == []
    assert says in box.page.value


def test_what_goes_wrong_in_the_middle_is_said_and_the_rest_kept() -> None:
    error = ValueError("9 positions do not fit into a cache of 8")
    box = talking(failing=Failing(error, ("So far",)))
    box.ask("Hi")
    assert box.messages[-1]["content"] == "So far"
    assert "ValueError: 9 positions do not fit" in box.page.value


def test_the_saved_notebook_has_what_was_said() -> None:
    box, kept = talking(echo=Echo()), []
    box._kept = SimpleNamespace(update=lambda bundle, raw: kept.append(bundle))
    say(box, "Hi")
    box.turns.wait()
    assert "You said " in kept[-1]["text/html"] and "llama-still" in kept[-1]["text/html"]
    assert "echo: You said Hi, message 1" in kept[-1]["text/plain"]
    assert "max-height" in box.page.value and 'class="now"' not in kept[-1]["text/html"]


# what speaks


class Counting:
    """A model over 10 tokens that wants the next number, with 3/4 of the probability."""

    def new_caches(self, batch: int, max_len: int) -> list[Any]:
        self.room = max_len
        return []

    def __call__(self, ids: Tensor, caches: list[Any]) -> Tensor:
        logits = torch.full((*ids.shape, 10), 1 / 36).log()
        return logits.scatter(-1, (ids[..., None] + 1) % 10, torch.tensor(0.75).log().item())


def digits(ids: list[int]) -> str:
    return "".join(map(str, ids))


def test_pieces_tell_the_model_s_own_probability() -> None:
    cold = voices.Setting(temperature=0)
    said = list(voices.pieces(sampling.generate, Counting(), [3], 3, digits, cold))
    assert [piece.text for piece in said] == ["4", "5", "6"]
    assert all(piece.share == pytest.approx(0.75) for piece in said)  # not 1, as after the filters
    assert len(said[0].others) == 3
    assert said[0].others[0][1] == pytest.approx(1 / 36)
    assert "4" not in [text for text, _ in said[0].others]


def test_temperature_and_p_reach_the_learner_s_generate() -> None:
    seen = {}

    def generate(model: Any, ids: Tensor, n_new: int, **settings: Any) -> Iterator[int]:
        seen.update(settings)
        return sampling.generate(model, ids, n_new, **settings)

    for p, wanted in ((0.6, 0.6), (1.0, None)):
        setting = voices.Setting(1.2, p, seed=1)
        list(voices.pieces(generate, Counting(), [3], 2, digits, setting, {9}))
        assert (seen["temperature"], seen["p"], seen["stop"]) == (1.2, wanted, {9})


def test_the_same_seed_says_the_same_and_another_luck_something_else() -> None:
    def said(seed: int | None) -> str:
        setting = voices.Setting(2.0, 1.0, seed)
        told = voices.pieces(sampling.generate, Counting(), [3], 12, digits, setting)
        return "".join(piece.text for piece in told)

    assert said(1) == said(1)
    assert len({said(None) for _ in range(4)}) > 1


def test_half_a_character_waits_for_its_other_half() -> None:
    def decode(ids: list[int]) -> str:
        return bytes({4: [0xC3], 5: [0xA9]}.get(i, [65 + i])[0] for i in ids).decode(
            errors="replace"
        )

    cold = voices.Setting(temperature=0)
    said = list(voices.pieces(sampling.generate, Counting(), [3], 3, decode, cold))
    assert [(piece.text, piece.tokens) for piece in said] == [("é", 2), ("G", 1)]
    assert said[0].share == pytest.approx(0.75**2)


@pytest.fixture(scope="module")
def shakespeare() -> Any:
    model = Llama(LlamaConfig(**shakespeare_llama.CONFIG))
    model.load_state_dict(shakespeare_llama.weights())
    return SimpleNamespace(model=model, vocab=shakespeare_llama.VOCAB, context=64, own=False)


def test_a_text_goes_on_beyond_the_context(
    shakespeare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voices, "N_LETTERS", 80)
    lengths = []

    def generate(model: Any, ids: Tensor, n_new: int, **settings: Any) -> Iterator[int]:
        lengths.append((ids.shape[1], n_new))
        return sampling.generate(model, ids, n_new, **settings)

    voice = voices.GoingOn(generate, shakespeare.model, shakespeare.vocab, 64)
    talk = [{"role": "user", "content": "ROMEO:"}]
    said = "".join(piece.text for piece in voice.answer(talk, voices.Setting(0.5, 0.9, 1)))
    assert len(said) == 80
    assert lengths == [(6, 58), (32, 22)]  # never more than 64 positions at once
    with pytest.raises(voices.CannotSpeak, match="does not know é"):
        next(voice.answer([{"role": "user", "content": "é"}], voices.Setting()))


# the models of the page


@pytest.fixture(scope="module")
def path() -> Path:
    return smollm2.path()


PARTS = SimpleNamespace(
    load_llama=worked.load_llama,
    chat_prompt=worked.chat_prompt,
    dequantize_q4_1=worked.dequantize_q4_1,
)


def test_smollm2_answers_as_transformers_does(path: Path) -> None:
    model = worked.load_llama(path)
    tokenizer = smollm2.tokenizer(smollm2.read(path))
    mine = SimpleNamespace(model=None, vocab=[], context=64, own=True)
    models = page.models_of(PARTS, sampling.generate, mine, path, (model, tokenizer))
    assert list(models) == [page.EXACT, page.FOUR_BIT, page.MINUTE]
    question = [{"role": "user", "content": "What is the capital of France?"}]
    cold = voices.Setting(temperature=0)
    for name in (page.EXACT, page.FOUR_BIT):
        said = list(models[name]().answer(question, cold))
        assert "".join(piece.text for piece in said) == "The capital of France is Paris."
    assert models[page.EXACT]().model is model  # not loaded again


def test_the_four_bits_are_those_that_the_learner_s_function_reads(path: Path) -> None:
    stored = smollm2.read(path).tensors["blk.0.attn_k.weight"]
    plain, scales = nibbles_of(stored)
    mine, same = nibbles_of(stored, worked.dequantize_q4_1)
    assert torch.equal(plain, mine) and torch.equal(scales, same)
    wrong = next(
        m.answers[0] for m in check.dequantize_q4_1.mistakes if m.key == "high_nibbles_first"
    )
    theirs, _ = nibbles_of(stored, wrong)
    assert (theirs != plain).double().mean() > 0.5
    assert "decode" in decoders.four_bit.__annotations__


def test_a_file_of_one_s_own_is_opened_by_load_llama(tmp_path: Path) -> None:
    loaded = []

    def load_llama(path: Path) -> Any:
        loaded.append(path)
        return worked.load_llama(path)

    parts = SimpleNamespace(**{**vars(PARTS), "load_llama": load_llama})
    small = files.a_file(Inputs("a file of my own"), files.TIED)
    with pytest.raises(voices.CannotSpeak, match="There is no file"):
        page.opened_file(str(tmp_path / "none.gguf"), parts, sampling.generate)
    (tmp_path / "text.gguf").write_text("GG" * 40)
    with pytest.raises(voices.CannotSpeak, match="does not begin with the letters GGUF"):
        page.opened_file(str(tmp_path / "text.gguf"), parts, sampling.generate)
    with pytest.raises(voices.CannotSpeak, match="cuts text by the rule “unknown”"):
        page.opened_file(str(small), parts, sampling.generate)
    name, opens = page.opened_file(str(smollm2.path()), parts, sampling.generate)
    assert name == "SmolLM2-135M-Instruct.Q4_1 (135 million, 30 layers)"
    assert loaded == []
    assert isinstance(opens(), voices.Chatting) and loaded == [smollm2.path()]


def test_a_file_without_memory_for_it_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smollm2, "free_memory", lambda: 300_000_000)
    with pytest.raises(voices.CannotSpeak, match=r"takes 0\.7 GB in float32, and 0\.3 GB are free"):
        page.chatting(gguf.read(path), PARTS, sampling.generate)


def test_the_box_opens_a_file_and_says_why_not() -> None:
    def open_file(text: str) -> tuple[str, Any]:
        if text == "none":
            raise voices.CannotSpeak("There is no file none.")
        return text, Echo

    box = chat.ChatBox({"one": Echo}, open_file=open_file)
    _ = box.widget
    box.path.value = "none"
    box.open.click()
    box.turns.wait()
    assert "There is no file none." in box.page.value
    box.path.value = "large"
    box.open.click()
    box.turns.wait()
    assert box.model.value == "large" and box.model.options == ("one", "large")
    say(box, "Hi")
    box.turns.wait()
    assert box.talk[-1].model == "large" and box.messages[1]["content"].startswith("You said Hi")


def test_without_the_package_shakespeare_speaks(
    shakespeare: Any, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voices, "N_LETTERS", 20)
    shown: list[dict[str, str]] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: shown.append(bundle))
    missing = ["load_llama", "top_p"]
    page.your_llama(PARTS, sampling.generate, shakespeare, None, name="Shelly", stand_ins=missing)
    text = shown[0]["text/plain"]
    assert text.startswith("your Llama\nOf the course, until yours pass: load_llama, top_p.")
    assert "called Shelly" in text and page.NO_MODEL in text and page.NO_CHECKPOINT in text
    assert f"{page.COURSES}: " in text
    assert '<span class="piece"' in shown[0]["text/html"]
    page.your_llama(PARTS, sampling.generate, shakespeare, None, name="Shelly")
    assert shown[1]["text/plain"].startswith("Shelly\n")


def test_pieces_that_do_not_pass_are_replaced_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    def chat_prompt(messages: list[dict[str, str]]) -> str:
        raise NotImplementedError("Exercise 11.3: chat_prompt")

    wrong = next(m.answers[0] for m in check.dequantize_q4_1.mistakes if m.key == "q4_0")
    mine = {
        "rename_weight": worked.rename_weight,
        "chat_prompt": chat_prompt,
        "dequantize_q4_1": wrong,
    }
    monkeypatch.setattr(pieces, "_folder", tmp_path)
    monkeypatch.setattr(pieces, "_noticed", set())
    only = SimpleNamespace(
        __name__="checks.real_weights",
        **{
            name: getattr(check, name)
            for name in ("rename_weight", "chat_prompt", "dequantize_q4_1")
        },
    )
    found = pieces.tried(only, mine)
    assert found.rename_weight is worked.rename_weight
    assert found.chat_prompt is not chat_prompt and found.dequantize_q4_1 is not wrong
    said = capsys.readouterr().out
    assert "chat_prompt: yours is not written yet, so the worked one stands in." in said
    assert "dequantize_q4_1: yours does not pass its check" in said
    assert pieces.stand_ins() == ["chat_prompt", "dequantize_q4_1"]
