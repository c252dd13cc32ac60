"""A widget's work in its thread: one after the other, stopped by a flag, in a real kernel too.

The kernel is driven as a page drives it, by messages of ipywidgets, and needs no browser: so this
runs with Colab's versions as well, where one thread hears all messages.
"""

import threading
import time

import pytest
from course import ROOT

from plots.turns import Turns

BOX = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from plots.real_weights_chat import ChatBox
from plots.turns import listen_to_interrupts
from plots.real_weights_voices import Piece
class Counting:
    def answer(self, messages, setting):
        for n in range(600):
            time.sleep(0.02)
            yield Piece(f"{{messages[-1]['content']}}-{{n}} ", 0.5)
listen_to_interrupts()
box = ChatBox({{"counting": Counting, "another": Counting}})
box.widget
print(box.box.comm.comm_id, box.send.comm.comm_id, box.stop.comm.comm_id, box.new.comm.comm_id)
"""


def test_jobs_wait_for_one_another():
    turns, seen = Turns(), []

    def work(name):
        def run(stopped):
            seen.append(f"{name} begins")
            time.sleep(0.02)
            seen.append(f"{name} ends")

        return run

    people = [threading.Thread(target=turns.ask, args=(work(name),)) for name in "abcd"]
    for thread in people:
        thread.start()
    for thread in people:
        thread.join()
    turns.wait()
    assert len(seen) == 8
    assert all(a.split()[0] == b.split()[0] for a, b in zip(seen[::2], seen[1::2], strict=True))
    assert not turns.busy


def test_a_stop_ends_what_runs_and_forgets_what_waits():
    turns, seen, runs = Turns(), [], threading.Event()

    def endless(stopped):
        runs.set()
        while not stopped():
            time.sleep(0.005)
        seen.append("stopped")

    turns.ask(endless)
    turns.ask(lambda stopped: seen.append("waited"))
    assert runs.wait(5)
    turns.stop()
    assert not turns.busy
    turns.ask(lambda stopped: seen.append("afterwards"))
    turns.wait()
    assert seen == ["stopped", "afterwards"]


def test_an_error_harms_no_later_job(capsys):
    turns, seen = Turns(), []
    turns.ask(lambda stopped: 1 / 0)
    turns.ask(lambda stopped: seen.append("done"))
    turns.wait()
    assert seen == ["done"]
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_only_the_newest_waits():
    turns, seen, gate = Turns(), [], threading.Event()
    turns.ask(lambda stopped: gate.wait(5))
    time.sleep(0.05)
    for n in range(5):
        turns.ask_once(lambda stopped, n=n: seen.append(n))
    gate.set()
    turns.wait()
    assert seen == [4]


class Kernel:
    """A kernel, and the messages that a page with a chat box sends."""

    def __init__(self, manager, client):
        self.manager, self.client = manager, client
        self.box, self.send, self.stop, self.new = self.run(BOX).split()

    def run(self, code):
        """What a cell prints."""
        said = []

        def hear(message):
            if message["msg_type"] == "stream":
                said.append(message["content"]["text"])
            assert message["msg_type"] != "error", message["content"]

        self.client.execute_interactive(code, output_hook=hear, timeout=60, allow_stdin=False)
        return "".join(said)

    def tell(self, widget, data):
        content = {"comm_id": widget, "data": data}
        message = self.client.session.msg("comm_msg", content)
        self.client.shell_channel.send(message)

    def click(self, widget):
        self.tell(widget, {"method": "custom", "content": {"event": "click"}})

    def type(self, text):
        state = {"method": "update", "state": {"value": text}, "buffer_paths": []}
        self.tell(self.box, state)

    def until(self, condition):
        """Ask the kernel until a condition holds."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.run(f"print({condition})").strip() == "True":
                return
            time.sleep(0.05)
        raise AssertionError(f"never: {condition}; {self.run('print(box.page.value[-300:])')}")


@pytest.fixture(scope="module")
def kernel():
    pytest.importorskip("ipywidgets")
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3")
    yield Kernel(manager, client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("how", ["interrupt", "stop"])
def test_every_answer_can_be_ended(kernel, how):
    kernel.click(kernel.new)
    for n in range(3):
        kernel.type(f"{how}{n}")
        kernel.click(kernel.send)
        kernel.until(f"'{how}{n}-2' in box.page.value")
        kernel.manager.interrupt_kernel() if how == "interrupt" else kernel.click(kernel.stop)
        kernel.until("'stopped' in box.page.value and not box.turns.busy")
    said = kernel.run("print(*[m['role'] for m in box.messages])").split()
    assert said == ["user", "assistant"] * 3


def test_enter_before_its_text(kernel):
    kernel.click(kernel.new)
    kernel.tell(kernel.box, {"method": "custom", "content": {"event": "submit"}})
    kernel.type("afterwards")
    kernel.until("'afterwards-1' in box.page.value")
    kernel.click(kernel.stop)


def test_another_model_in_the_middle_of_an_answer(kernel):
    kernel.click(kernel.new)
    kernel.type("before")
    kernel.click(kernel.send)
    kernel.until("'before-1' in box.page.value")
    model = kernel.run("print(box.model.comm.comm_id)").strip()
    state = {"method": "update", "state": {"index": 1}, "buffer_paths": []}
    kernel.tell(model, state)
    kernel.until("box.model.value == 'another' and not box.turns.busy")
    kernel.type("after")
    kernel.click(kernel.send)
    kernel.until("'after-1' in box.page.value and '— now another —' in box.page.value")
    kernel.click(kernel.stop)
    kernel.until("not box.turns.busy")
    assert kernel.run("print(len(box.messages))").strip() == "2"
    kernel.tell(model, {**state, "state": {"index": 0}})
    kernel.until("box.model.value == 'counting'")


def test_a_new_conversation_leaves_no_turn_behind(kernel):
    kernel.click(kernel.new)
    kernel.type("former")
    kernel.click(kernel.send)
    kernel.until("'former-1' in box.page.value")
    kernel.click(kernel.new)
    kernel.until("box.messages == [] and 'former' not in box.page.value")
    kernel.type("latter")
    kernel.click(kernel.send)
    kernel.until("'latter-1' in box.page.value")
    kernel.click(kernel.stop)
    kernel.until("len(box.messages) == 2 and 'former' not in box.page.value")
