"""The class grader's tensors: views of one memory are that on the other side, too."""

import pytest
import torch
from torch import Tensor

from checks.grade.tensors import Tensors

pytestmark = pytest.mark.ours


class Sides:
    """The grader's tensors and the worker's, and messages from one to the other."""

    def __init__(self) -> None:
        self.grader, self.worker = Tensors(0, believes=False), Tensors(1, believes=True)

    def tell(self, *tensors: Tensor) -> list[Tensor]:
        """Send these, and all that changed; give back what the worker has of them."""
        return self._message(self.grader, self.worker, tensors)

    def answer(self, *tensors: Tensor) -> list[Tensor]:
        """The same from the worker to the grader."""
        return self._message(self.worker, self.grader, tensors)

    @staticmethod
    def _message(sender: Tensors, receiver: Tensors, tensors: tuple[Tensor, ...]) -> list[Tensor]:
        numbers, blobs = [sender.number_of(tensor) for tensor in tensors], []
        entries = sender.changes(blobs)
        sender.sent()
        receiver.take(entries, memoryview(b"".join(blobs)))
        found = [receiver.find(number) for number in numbers]
        receiver.received()
        return found


@pytest.mark.parametrize("view_first", [False, True])
def test_writing_into_a_buffer_changes_its_views(view_first: bool) -> None:
    sides, buffer = Sides(), torch.arange(12.0).reshape(3, 4)
    view = buffer[1:, :2]
    pair = [view, buffer] if view_first else [buffer, view]
    theirs = [sides.tell(one)[0] for one in pair]
    their_view, their_buffer = theirs if view_first else theirs[::-1]
    assert torch.equal(their_view, view) and torch.equal(their_buffer, buffer)
    their_buffer[1, 0] = 100.0
    their_view[1, 1] = 200.0
    assert their_view.tolist() == [[100.0, 5.0], [8.0, 200.0]]
    assert their_buffer[2, 1] == 200.0


def test_a_view_that_expands_follows_its_buffer() -> None:
    sides, buffer = Sides(), torch.ones(3, 1)
    view = buffer.expand(3, 2)
    _, theirs = sides.tell(buffer, view)
    buffer[1] = 5.0
    sides.tell()
    assert theirs.tolist() == [[1.0, 1.0], [5.0, 5.0], [1.0, 1.0]]


@pytest.mark.parametrize("inside", ["the buffer", "the view"])
def test_what_came_in_inference_mode_is_told_all_the_same(inside: str) -> None:
    sides, buffer = Sides(), torch.arange(4.0)
    told = []
    for name, tensor in (("the buffer", buffer), ("the view", buffer[1:3])):
        with torch.inference_mode(name == inside):
            told += sides.tell(tensor)
    assert told[1].tolist() == [1.0, 2.0] and told[0].tolist() == buffer.tolist()


def test_what_is_written_without_gradients_keeps_the_graph_it_had() -> None:
    sides, x = Sides(), torch.ones(3, requires_grad=True)
    y = x.clone()
    (theirs,) = sides.tell(y)
    with torch.no_grad():
        theirs.mul_(2)
    (back,) = sides.answer(theirs)
    assert back is y and y.tolist() == [2.0, 2.0, 2.0]
    (gradient,) = torch.autograd.grad(y.sum(), [x])
    assert gradient.tolist() == [1.0, 1.0, 1.0]  # as in one process, where only the copy counts
