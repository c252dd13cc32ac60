"""What `make bench-decode` says of its measurements; the measuring itself is too long for a test."""

from pathlib import Path

import pytest
import torch

from solutions.my_llama import Llama, LlamaConfig
from tools import bench_decode as bench
from tools import bench_llama_cpp
from tools.bench_decode import Row


def row(name: str, seconds: float, choices: list[int] = (1, 2, 3, 4)) -> Row:
    """A row that writes a token in so many seconds, and takes ten times as long for the prompt."""
    stamps = [0.0, 10 * seconds]
    for _ in range(5):
        stamps.append(stamps[-1] + seconds)
    return Row(name, lambda ids, n: stamps[: n + 1], lambda ids: list(choices))


def rows(plain: float = 0.1, fast: float = 0.015) -> list[Row]:
    return [
        row("transformers float32", 0.1),
        row("transformers float16", 0.05),
        row("worked Llama float32", plain),
        row("worked Llama float16", 0.04, [1, 2, 3, 9]),
        *(row(name, fast) for name in bench.FAST),
        row("llama.cpp", 0.016),
    ]


def test_the_table_has_the_ratios() -> None:
    all_rows = rows()
    bench.measure(all_rows, [1] * 32, [8], rounds=2, new=6)
    bench.agree(all_rows, [1] * 4)
    lines = {
        line[:28].strip(): line[28:].split() for line in bench.table(all_rows, [8], 4).splitlines()
    }
    assert lines["transformers float32"] == ["10.0", "1.00×", "–", "0.16×", "1000", "100.0%"]
    assert lines["worked Llama float16"] == ["25.0", "2.50×", "1.25×", "0.40×", "400", "75.0%"]
    assert lines["the file's nibbles"] == ["66.7", "6.67×", "–", "1.07×", "150", "100.0%"]


@pytest.mark.parametrize(
    ("plain", "fast", "held"),
    [
        (0.1, 0.015, [True, True, True]),
        (0.11, 0.015, [False, True, True]),
        (0.1, 0.021, [True, False, False]),
        (0.1, 0.019, [True, True, False]),
    ],
)
def test_goals(plain: float, fast: float, held: list[bool]) -> None:
    all_rows = rows(plain, fast)
    bench.measure(all_rows, [1] * 32, [8], rounds=1, new=6)
    assert [holds for holds, _ in bench.goals(all_rows, [8])] == held


def test_tokens_that_come_several_at_once_get_their_round_s_mean(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Reading takes 3 s; nine tokens more come in three bursts, of which each takes 2 s."""
    now = [0.0]
    monkeypatch.setattr(bench, "clock", lambda: now[0])
    exact = row(bench.EXACT, 1.0)
    exact.text[8, 10] = [*range(9), 7]  # the last one is another

    def tokens(ids: list[int], n: int) -> list[int]:
        now[0] += 3 + 2 * ((n - 1) // 3)
        return list(range(n))

    drafted = bench.in_rounds(bench.DRAFTED, tokens)
    bench.measure([exact, drafted], [1] * 8, [8], rounds=1, new=10)
    bench.agree([exact, drafted], [1] * 4)
    assert drafted.first[8] == [3]
    assert drafted.speed(8) == pytest.approx(1.5)
    assert drafted.agreement == 0.9
    said = bench.table([exact, drafted], [8], 4)
    assert f"fastest here: {bench.DRAFTED} reads the prompt, {bench.DRAFTED} writes" in said


def test_drafts_that_gain_too_little_miss_the_goal() -> None:
    for seconds, holds in ((0.06, True), (0.07, False)):
        all_rows = [*rows(), row(bench.DRAFTED, seconds)]
        bench.measure(all_rows, [1] * 32, [8], rounds=1, new=6)
        said = {
            what.partition(":")[2].strip()[:32]: holds for holds, what in bench.goals(all_rows, [8])
        }
        assert said["the exact text with 4-bit drafts"] is holds


def test_a_row_that_dies_is_a_line_that_says_why() -> None:
    all_rows = rows()

    def dies(ids: list[int], n: int) -> list[float]:
        raise RuntimeError("its process was killed by SIGSEGV")

    all_rows[-1] = Row("llama.cpp", dies, lambda ids: [1])
    bench.measure(all_rows, [1] * 32, [8], rounds=1, new=6)
    bench.agree(all_rows, [1] * 4)
    said = bench.table(all_rows, [8], 4)
    assert "llama.cpp                     failed: its process was killed by SIGSEGV" in said
    assert "transformers float32" in said and "10.0" in said
    assert [holds for holds, _ in bench.goals(all_rows, [8])] == [True, True]


@pytest.mark.parametrize(
    ("last", "says"),
    [
        ("os.kill(os.getpid(), 11)", "its process was killed by SIGSEGV"),
        ("raise ValueError('no such file')", "its process ended with 1: ValueError: no such file"),
    ],
)
def test_a_process_that_dies_says_why(
    last: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for llama.cpp answers the first question and dies at the second."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "bench_llama_cpp.py").write_text(
        f"import os\ninput(); print('[1]', flush=True)\ninput()\n{last}\n"
    )
    monkeypatch.setattr(bench_llama_cpp, "ROOT", tmp_path)
    write, choices = bench_llama_cpp.started(Path("file"), 1)
    row = Row("llama.cpp", write, choices)
    assert row.attempt(lambda: row.write([1], 2)) is None
    assert says in row.failed
    assert row.attempt(lambda: row.write([1], 2)) is None  # and it is not asked again


def test_without_llama_cpp_the_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_llama_cpp, "COMPILE_LOG", tmp_path / "llama-cpp.log")
    assert "make bench-decode" in bench_llama_cpp.why_not()
    bench_llama_cpp.COMPILE_LOG.write_text(
        "Collecting\nCMake Error: no C++ compiler\nFailed building wheel\n"
    )
    assert "CMake Error: no C++ compiler" in bench_llama_cpp.why_not()


def test_own_rows_write_greedily_with_the_cache() -> None:
    torch.manual_seed(0)
    sizes = {"dim": 32, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "vocab_size": 50}
    model = Llama(LlamaConfig(**sizes, hidden_dim=48)).eval()
    calls = []

    class Watched:
        new_caches = model.new_caches

        def __call__(self, ids: torch.Tensor, caches: object) -> torch.Tensor:
            calls.append(ids[0].tolist())
            return model(ids, caches)

    ids = torch.randint(0, 50, (9,)).tolist()
    mine = bench.own("worked Llama float32", Watched())
    stamps = mine.write(ids, 5)
    assert len(stamps) == 6
    assert stamps == sorted(stamps)
    assert [len(call) for call in calls] == [9, 1, 1, 1, 1]
    written = ids + [call[0] for call in calls[1:]]
    with torch.no_grad():
        wanted = model(torch.tensor([written]))[0].argmax(-1).tolist()
    assert written[9:] == wanted[8:-1]
    assert mine.choices(written) == wanted
