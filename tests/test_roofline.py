"""Lab 12: its pictures draw what the learner's functions compute, right or wrong."""

import doctest
import time
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from seen_pictures import assert_seen, of
from torch import Tensor

from checks import roofline as check
from plots import roofline as plot
from plots.measures import roofline as measure
from plots.measures import roofline_speed as speed
from plots.measures.roofline import Machine, Row, limits_table
from plots.roofline_dots import H100
from solutions.my_llama import LlamaConfig, attention, count_parameters, decode_intensity
from solutions.my_llama import roofline as worked

HERE = Machine("a test's", {"float32": 60e9, "bfloat16": 5e9}, {"float32": 12e9, "bfloat16": 11e9})
LLAMA = LlamaConfig()


def find(figure: Figure, gid: str) -> list[Any]:
    """The artists whose gid begins so."""
    return figure.findobj(lambda artist: (artist.get_gid() or "").startswith(gid))


def dots(**changed: Any) -> Any:
    """The two dots, with some functions exchanged."""
    mine = {
        name: getattr(worked, name)
        for name in ("attainable_flops", "forward_flops", "weight_bytes", "decode_speed_limit")
    }
    mine |= {"decode_intensity": decode_intensity, "LlamaConfig": LlamaConfig, "machine": HERE}
    return plot.two_dots(**(mine | changed))


def test_worked_examples() -> None:
    results = doctest.testmod(worked, extraglobs={"torch": torch})
    assert results.attempted == 20
    assert results.failed == 0


def test_the_lab_s_numbers_of_llama_3() -> None:
    assert worked.forward_flops(LLAMA, 1, 8191) == pytest.approx(19.3e9, rel=0.005)
    assert worked.weight_bytes(LLAMA) == pytest.approx(15.01e9, rel=0.001)
    said = {
        (1, 8192): 208,
        (64, 8192): 2561,
        (295, 8192): 2979,
        (512, 8192): 3037,
        (1, 512): 222,
        (64, 512): 11_106,
        (295, 512): 28_392,
        (512, 512): 34_742,
    }
    for (batch, context), tokens in said.items():
        limit = worked.decode_speed_limit(LLAMA, batch, context, *H100)
        assert limit == pytest.approx(tokens, rel=0.003), (batch, context)
    endless = worked.decode_speed_limit(LLAMA, 10**7, 8192, *H100)
    assert endless == pytest.approx(3120, rel=0.001)
    smaller = worked.decode_speed_limit(LLAMA, 64, 8192, *H100, bytes_per_value=1)
    assert smaller / worked.decode_speed_limit(LLAMA, 64, 8192, *H100) == pytest.approx(
        1.7, abs=0.05
    )


def test_the_rule_of_thumb_is_too_low_at_long_context() -> None:
    picture = plot.flops(worked.forward_flops, LlamaConfig)
    assert "19.3 GFLOP, of which 4.3" in picture.caption(context=8192)
    figure = picture.figure(context=1)
    assert len(find(figure, "weights-")) == len(find(figure, "scores-")) == 8
    keys = ("no_output", "kv_heads_for_scores", "one_flop", "no_scores")
    wrong = of(check.forward_flops.mistakes, *keys)
    assert_seen(lambda f: plot.flops(f, LlamaConfig), worked.forward_flops, wrong)


def test_what_lies_there_and_is_not_read_is_hatched() -> None:
    picture = plot.weights(worked.weight_bytes, count_parameters, LlamaConfig)
    assert "8B reads 15.01 GB" in picture.caption(bytes_per_weight=2)
    unread = {bar.get_gid(): bar.get_width() for bar in find(picture.figure(), "unread-")}
    assert unread["unread-1B"] == 0  # tied
    assert unread["unread-8B"] == pytest.approx(0.065, abs=0.001)
    wrong = of(check.weight_bytes.mistakes, "table_read", "table_gone", "weights_not_bytes", "bits")
    make = lambda f: plot.weights(f, count_parameters, LlamaConfig)  # noqa: E731
    assert_seen(make, worked.weight_bytes, wrong)


def test_a_pass_walks_up_the_roof() -> None:
    def make(roof: Any) -> Any:
        return plot.roof(roof, worked.forward_flops, worked.weight_bytes, LlamaConfig, HERE)

    picture = make(worked.attainable_flops)
    assert "0.3 % of the peak" in picture.caption(computer="H100", tokens=1)
    assert "waits for memory" in picture.caption(computer="H100", tokens=256)
    assert "computes all the time" in picture.caption(computer="H100", tokens=512)
    assert "ridge at 5 FLOPs a byte" in picture.caption(computer="this machine")
    keys = ("higher_roof", "memory_only", "peak_only", "flat_bandwidth")
    assert_seen(make, worked.attainable_flops, of(check.attainable_flops.mistakes, *keys))


def test_the_weights_dot_walks_and_the_caches_dot_stands_still() -> None:
    picture = dots()
    at = {
        batch: {
            name: find(picture.figure(batch=batch), f"dot-{name}")[0].get_xdata()[0]
            for name in ("weights", "caches")
        }
        for batch in (1, 16, 512)
    }
    assert [at[batch]["caches"] for batch in at] == [4, 4, 4]
    assert [at[batch]["weights"] for batch in at] == pytest.approx([1, 16, 512], rel=0.01)
    assert "the weights take longer" in picture.caption(batch=4)
    assert "the caches take longer" in picture.caption(batch=16)
    assert "3,037 tokens a second for all" in picture.caption(batch=512)
    wrong = of(
        check.decode_speed_limit.mistakes, "for_one_user", "no_cache", "weights_for_each_text"
    )
    assert_seen(lambda f: dots(decode_speed_limit=f), worked.decode_speed_limit, wrong)


def test_a_row_s_scale_is_its_own() -> None:
    picture = plot.rounded(worked.quantize_int8)
    calm, wild = (
        [bar.get_height() for bar in find(picture.figure(times=times), "error-")]
        for times in (1, 300)
    )
    assert calm == pytest.approx(wild, rel=0.01)
    assert "row 1 would be off by 100" in picture.caption(times=300)
    keys = ("one_scale", "truncated", "steps_255", "signed_largest")
    assert_seen(plot.rounded, worked.quantize_int8, of(check.quantize_int8.mistakes, *keys))


def test_outputs_of_bytes_lie_on_the_diagonal() -> None:
    def make(linear: Any) -> Any:
        return plot.outputs(worked.quantize_int8, linear, None)

    share = float(make(worked.int8_linear).caption().split("off by ")[1].split(" %")[0])
    assert share < 2
    keys = ("scale_forgotten", "x_made_whole", "one_scale", "scale_twice")
    assert_seen(make, worked.int8_linear, of(check.int8_linear.mistakes, *keys))


def test_o_shrinks_when_a_block_raises_m() -> None:
    picture = plot.blocks(worked.attend_block)
    figure = picture.figure(query=11, taken=3)
    width = {bar.get_gid(): bar.get_width() for bar in find(figure, "part-")}
    assert width["part-1-0"] == pytest.approx(width["part-0-0"])  # m stayed
    assert width["part-2-0"] < 0.5 * width["part-1-0"]  # m rose
    for place, outline in enumerate(find(figure, "l-")):
        parts = [size for gid, size in width.items() if gid.startswith(f"part-{place}-")]
        assert sum(parts) == pytest.approx(outline.get_width())
    assert "raised m from 0.90" in picture.caption(query=11, taken=3)
    keys = ("never_rescaled", "o_not_rescaled", "forgets_old_m", "divided_by_l", "mask_ignored")
    assert_seen(plot.blocks, worked.attend_block, of(check.attend_block.mistakes, *keys))


def test_in_blocks_is_attention() -> None:
    q, k, v = torch.randn(3, 2, 3, 70, 8)
    mask = torch.ones(70, 70, dtype=torch.bool).tril()
    got = speed.in_blocks(worked.attend_block, q, k, v, 16, 24)
    assert torch.allclose(got, attention(q, k, v, mask), atol=2e-6)


def test_a_machine_is_measured_in_seconds(capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(measure, "MATRIX", 2**23)
    monkeypatch.setattr(measure, "SECONDS", 0.1)
    began = time.process_time()
    found = plot.machine()
    assert time.process_time() - began < 10
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("float32", "bfloat16", "float16", "FLOPs a byte"))
    assert found.best[0] == max(found.peak.values())
    assert all(number > 0 for number in (*found.peak.values(), *found.bandwidth.values()))


def test_the_share_is_measured_over_limit() -> None:
    row = Row("float32", lambda ids, caches: ids, 4, 4, seconds=[0.1, 0.2, 0.3])
    said = limits_table([row], LLAMA, lambda *a, **k: 10.0, 12e9)
    assert "10.0       5.0        50 %" in said
    assert "12.0 GB a second" in said


def test_without_the_model_nothing_is_measured(capsys: Any) -> None:
    plot.decoders(worked.decode_speed_limit, LlamaConfig, None)
    assert "no model to measure" in capsys.readouterr().out


@pytest.mark.slow
def test_three_decoders_have_their_limits(capsys: Any, monkeypatch: Any) -> None:
    from assets import smollm2

    try:
        path = smollm2.path()
    except smollm2.ModelMissing:
        pytest.skip("the model is not installed")
    for name, value in (("MATRIX", 2**23), ("PROMPT", 4), ("PLACES", 3), ("TURN", 2)):
        monkeypatch.setattr(measure, name, value)
    plot.decoders(worked.decode_speed_limit, LlamaConfig, path)
    printed = capsys.readouterr().out
    assert printed.count(" %") == 3
    assert all(name in printed for name in ("float32", "float16 weights", "4 bits"))


def test_times_and_memory_are_told(capsys: Any, monkeypatch: Any) -> None:
    for name, value in (("T", 128), ("QUERIES", 32), ("KEYS", 32), ("ROUNDS", 1)):
        monkeypatch.setattr(speed, name, value)
    monkeypatch.setattr(speed, "SHAPES", ((32, 24),))
    plot.online(worked.attend_block, attention)
    plot.int8_speed(worked.quantize_int8, worked.int8_linear)
    printed = capsys.readouterr().out
    assert "times as fast as lab 04's" in printed
    assert "times as long" in printed


def test_a_missing_function_is_named(capsys: Any) -> None:
    def stub(*args: Any) -> Tensor:
        raise NotImplementedError("12.7 attend_block")

    plot.online(stub, attention)
    assert "✎ 12.7 attend_block is not written yet" in capsys.readouterr().out
