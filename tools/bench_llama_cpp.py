"""llama.cpp for bench_decode, in a process of its own: its threads must not wait for torch's.

python -m tools.bench_llama_cpp FILE THREADS    answers questions on stdin, as JSON
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CPU = "BENCH_DECODE_CPU"  # in the environment, so that this process has it, too
COMPILE_LOG = ROOT / ".venv-decode" / "llama-cpp.log"
CPU_INFO = Path("/proc/cpuinfo")
Write = Callable[[list[int], int], list[float]]  # prompt, tokens to write → the clock after each
Choices = Callable[[list[int]], list[int]]  # ids → the likeliest next token after each


def clock() -> float:
    """Seconds, of the clock on the wall, or with --cpu those that this process has computed."""
    return time.process_time() if CPU in os.environ else time.perf_counter()


def started(path: Path, threads: int) -> tuple[Write, Choices]:
    """Start the process on a file: what writes tokens, and what tells the likeliest ones."""
    said = tempfile.TemporaryFile("w+")  # noqa: SIM115  (as long as the process lives)
    worker = subprocess.Popen(
        [sys.executable, "-m", "tools.bench_llama_cpp", str(path), str(threads)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        text=True,
    )

    def ask(*question: Any) -> Any:
        assert worker.stdin and worker.stdout
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(question), file=worker.stdin, flush=True)
        answer = worker.stdout.readline()
        if not answer:
            said.seek(0)
            raise RuntimeError(why_ended(worker.wait(), said.read()))
        return json.loads(answer)

    ask("choices", [1], 0)  # fails here, if it does
    return lambda ids, n: ask("write", ids, n), lambda ids: ask("choices", ids, 0)


def why_ended(code: int, said: str) -> str:
    """Say why the process is gone: by which signal, or with what last words."""
    words = [line.strip() for line in said.splitlines() if line.strip()]
    if code >= 0:
        return f"its process ended with {code}: {words[-1][:200] if words else 'without a word'}"
    name = signal.Signals(-code).name
    amx = "amx_tile" in CPU_INFO.read_text() if CPU_INFO.is_file() else False
    about = "; this processor has AMX, see llama.cpp#20824 and #26954" if amx else ""
    return f"its process was killed by {name}{about}"


def why_not() -> str:
    """Say why llama.cpp is not in the table."""
    if not COMPILE_LOG.is_file():
        return "llama-cpp-python is not installed (make bench-decode compiles it)"
    lines = COMPILE_LOG.read_text(encoding="utf-8", errors="replace").splitlines()
    telling = [line.strip() for line in lines if "error" in line.lower()] or lines[-1:] or ["?"]
    return f"llama-cpp-python could not be compiled: {telling[0][:200]} (see {COMPILE_LOG.name})"


def answer_questions(path: str, threads: int) -> None:
    """Answer until stdin closes."""
    import llama_cpp
    import numpy as np

    model = llama_cpp.Llama(
        path, n_ctx=1024, n_threads=threads, n_threads_batch=threads, verbose=False
    )

    def read(ids: list[int]) -> int:
        model.eval(ids)
        logits = llama_cpp.llama_get_logits_ith(model.ctx, -1)
        return int(np.ctypeslib.as_array(logits, (model.n_vocab(),)).argmax())

    for line in sys.stdin:
        what, ids, n = json.loads(line)
        model.reset()
        if what == "choices":
            print(json.dumps([read([one]) for one in ids]), flush=True)
            continue
        stamps, new = [clock()], ids
        for _ in range(n):
            new = [read(new)]
            stamps.append(clock())
        print(json.dumps(stamps), flush=True)


if __name__ == "__main__":
    answer_questions(sys.argv[1], int(sys.argv[2]))
