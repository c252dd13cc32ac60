"""Tensors that both sides have: each change on one side arrives at the other with the next message.

A tensor that was sent is known to both by a number. Before each message, either side looks whether
what it knows is still what it was: numbers, dtype, shape, requires_grad, `.grad`. So an argument
that is changed in place, a cache that is filled and a parameter that is trained are seen as they
would be in one process. Gradients flow across: see `Remote`. The worker also hears which of the
grader's tensors are views of others, so that writing into one changes the other.
"""

import contextlib
import weakref
from collections import deque
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from checks.grade.wire import LARGEST, Broken, TooLarge, content, layout, tensor_from

MOST = 20_000  # tensors that may be known at a time
RECENT = 16  # tensors that are kept for a while after they came


class Remote(torch.autograd.Function):
    """The graph of a tensor that was computed on the other side: its gradients are asked there."""

    @staticmethod
    def forward(ctx: Any, tensors: "Tensors", number: int, value: list, *sources: Tensor) -> Tensor:
        """Hand out the value; `sources` are what it was computed of, as far as we have it."""
        ctx.tensors, ctx.number = tensors, number
        ctx.sources, ctx.count = value[1], len(sources)
        return value[0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple:  # type: ignore[override]
        """Ask the other side for the gradients of the sources."""
        if not ctx.sources:
            return (None,) * (3 + ctx.count)
        found = ctx.tensors.ask(ctx.number, ctx.sources, gradients[0])
        return None, None, None, *found


class Known:
    """One tensor that both sides have, and what the other side knows of it."""

    def __init__(self, tensor: Tensor, keep: bool) -> None:
        # What has gradients is kept: the other side may ask for them when nobody here holds it.
        self._strong = tensor if keep else None
        self._weak = None if keep else weakref.ref(tensor)
        self.numbers, self.gradient = b"", None  # type: bytes, int | None
        self.facts: dict[str, Any] = {}
        # Of a tensor that was computed on the other side: where its gradients arrive, even after it
        # was changed in place.
        self.edge: Any = None
        self.step: Any = tensor.grad_fn  # what it was computed by, when the other side last heard
        self.origin: Any = None  # with the graph of before the other side wrote into it
        self.look: tuple = ()  # what the facts were made of, which is quicker to compare

    @property
    def tensor(self) -> Tensor | None:
        """The tensor, if it is still there."""
        return self._strong if self._weak is None else self._weak()


class Tensors:
    """All tensors that both sides know, by number: one side counts evenly, the other oddly."""

    def __init__(self, first: int, believes: bool) -> None:
        self._next = first
        self._believes = believes  # what is said of views; who does not tells of its own
        self._known: dict[int, Known] = {}
        self._numbers: dict[int, int] = {}  # id of a tensor → its number
        self._new: list[int] = []
        self._spoken: set[int] = set()  # of in the next message: the other side may have lost them
        self._held: list[Tensor] = []  # until the message that speaks of them is read or sent
        # Nobody may hold what was just asked for, as in `cache.keys[:, :, cache.length] = k`.
        self._recent: deque[Tensor] = deque(maxlen=RECENT)
        self._views: deque[Tensor] = deque(maxlen=RECENT)
        self.ask: Any = None  # (number, sources, gradient) → gradients; the peer's

    def forget(self) -> None:
        """Forget all: what comes is another exercise's."""
        self._known.clear()
        self._numbers.clear()
        self._new.clear()
        self._spoken.clear()
        self._held.clear()
        self._recent.clear()
        self._views.clear()

    def sent(self) -> None:
        """A message is on its way: the other side holds what it needs, perhaps for long.

        A view is kept for a while: the other side may write into it, which changes what it is a
        view of, and what it is a view of may be written into.
        """
        self._views.extend(tensor for tensor in self._held if tensor._is_view())
        self._held.clear()

    def received(self) -> None:
        """A message was read: who asked for it holds what they need, but perhaps not at once."""
        self._recent.extend(self._held)
        self._held.clear()

    def number_of(self, tensor: Tensor, *, kept: bool = False) -> int:
        """The number of a tensor, which goes with the next message, unless it is kept there."""
        if (known := self._known_as(tensor)) is not None:
            if not kept:
                self._spoken.add(known)
            return known
        if len(self._known) >= MOST:
            self._sweep()
        number, self._next = self._next, self._next + 2
        self._enter(number, tensor)
        self._new.append(number)
        return number

    def _known_as(self, tensor: Tensor) -> int | None:
        number = self._numbers.get(id(tensor))
        known = None if number is None else self._known.get(number)
        return number if known is not None and known.tensor is tensor else None

    def find(self, number: Any) -> Tensor:
        """The tensor of this number; `Broken` when there is none."""
        known = self._known.get(number) if type(number) is int else None
        tensor = known.tensor if known else None
        if tensor is None:
            raise Broken("a tensor that nobody knows")
        return tensor

    def source(self, number: Any) -> Any:
        """The tensor of this number, or the place in the graph where it came in."""
        tensor = self.find(number)
        return tensor if self._known[number].edge is None else self._known[number].edge

    def _origin(self, number: Any) -> Tensor:
        """The tensor of this number as it came into what the other side computed of it."""
        tensor = self.find(number)
        return tensor if self._known[number].origin is None else self._known[number].origin

    def all(self) -> Iterable[tuple[int, Tensor]]:
        """Number and tensor of all that are still there."""
        for number, known in list(self._known.items()):
            if (tensor := known.tensor) is not None:
                yield number, tensor

    # What is sent

    def changes(self, blobs: list[bytes]) -> list[dict[str, Any]]:
        """Describe the new tensors and those that changed; their numbers are put into `blobs`."""
        gradients = self._gradients()
        found: list[tuple[dict[str, Any], bytes]] = []
        new, self._new = {*self._new, *self._spoken}, []
        self._spoken.clear()
        for number, known in list(self._known.items()):
            if (tensor := known.tensor) is None:
                del self._known[number]  # whoever speaks of it again sends it whole
                continue
            try:
                numbers, gradient = _numbers(tensor), gradients.get(number)
            except TooLarge:  # nothing can be said of it, now or later
                del self._known[number]
                raise
            if number in new or known.look != (look := _look(tensor)):
                look, facts = _look(tensor), self._facts(number, tensor, new)
                same = known.look == look and known.numbers == numbers
                known.look = look
            else:
                facts, same = known.facts, known.numbers == numbers
            if not same and known.step not in (None, tensor.grad_fn):
                facts = {**facts, "into": sorted(self._sources(tensor))}  # it was written into
            known.step = tensor.grad_fn
            if number not in new and same and known.gradient == gradient:
                continue
            entry = {"id": number, **facts, **self._shared(number, tensor, new)}
            if number in new or not same:
                entry["n"] = len(numbers)
            if gradient is not None or known.gradient is not None:
                entry["g"] = gradient
            known.facts = _lasting(facts)
            known.numbers, known.gradient = numbers, gradient
            found.append((entry, numbers))
        # What they were computed of comes first.
        found.sort(key=lambda one: not {"of", "into"}.isdisjoint(one[0]))
        blobs += [numbers for entry, numbers in found if "n" in entry]
        return [entry for entry, _ in found]

    def _shared(self, number: int, tensor: Tensor, new: set[int]) -> dict[str, Any]:
        """Which tensors that the other side knows are views of this one, or the other way round."""
        if self._believes or number not in new:
            return {}
        kin = [
            one
            for one in (_root(tensor), *self._views)
            if one is not tensor and _root(one) is _root(tensor) and one.dtype == tensor.dtype
            if self._known_as(one) is not None
        ]
        within = [(tensor, whole) for whole in kin if _covers(whole, tensor)][:1]
        laid = [
            [
                self._known_as(view),
                self._known_as(whole),
                list(view.shape),
                list(view.stride()),
                _start(view) - _start(whole),
            ]
            for view, whole in within or [(one, tensor) for one in kin if _covers(tensor, one)]
        ]
        return {"shared": laid} if laid else {}

    def _gradients(self) -> dict[int, int]:
        """Number → number of its `.grad`, which may be new to the other side."""
        kept = [(n, known._strong) for n, known in self._known.items() if known._strong is not None]
        leaves = [(n, t) for n, t in kept if t.is_leaf and t.requires_grad]
        return {n: self.number_of(t.grad, kept=True) for n, t in leaves if t.grad is not None}

    def _facts(self, number: int, tensor: Tensor, new: set[int]) -> dict[str, Any]:
        if odd := _oddness(tensor):
            return {"odd": odd, "shape": list(tensor.shape)}
        facts = layout(tensor)
        if isinstance(tensor, nn.Parameter):
            facts["param"] = True
        if tensor.requires_grad:
            facts["grad"] = True
            if tensor.grad_fn is not None:
                facts["inner"] = True
            if tensor.grad_fn is not None and number in new:
                facts["of"] = sorted(self._sources(tensor) - {number})
        return facts

    def _sources(self, tensor: Tensor) -> set[int]:
        """The numbers of the tensors that both sides have and that this one was computed of."""
        found, seen, waiting = set(), set(), [tensor.grad_fn]
        while waiting:
            node: Any = waiting.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            if getattr(node, "tensors", None) is self:
                found.add(node.number)
                continue
            leaf = getattr(node, "variable", None)
            if leaf is not None and (number := self._known_as(leaf)) is not None:
                found.add(number)
            waiting += [following for following, _ in node.next_functions]
        return found

    # What is received

    def take(self, entries: Any, blob: memoryview) -> None:
        """Make the new tensors, and change those that were changed."""
        if not isinstance(entries, list):
            raise Broken("no list of tensors")
        gradients, at = [], 0
        for entry in entries:
            number = entry.get("id") if isinstance(entry, dict) else None
            if type(number) is not int:
                raise Broken("a tensor without a number")
            size = entry.get("n", 0)
            if type(size) is not int or not 0 <= size <= len(blob) - at:
                raise Broken("a tensor without its numbers")
            numbers, at = blob[at : at + size], at + size
            facts = {key: entry[key] for key in entry.keys() - {"id", "n", "g", "shared"}}
            known = self._known.get(number)
            if known is None or known.tensor is None:
                if "n" in entry:
                    self._make(number, facts, numbers)
            elif "n" in entry and (known.numbers != numbers or known.facts != _lasting(facts)):
                self._change(number, facts, numbers)
            if "g" in entry:
                gradients.append((number, entry["g"]))
        if self._believes:
            for view in (view for entry in entries for view in entry.get("shared", ())):
                self._lay(*view)
        for number, gradient in gradients:
            known = self._known.get(number)
            if known is not None and (tensor := known.tensor) is not None:
                with contextlib.suppress(RuntimeError):
                    tensor.grad = None if gradient is None else self.find(gradient)
                known.gradient = gradient

    def _make(self, number: int, facts: dict[str, Any], numbers: memoryview) -> None:
        if len(self._known) >= MOST:
            self._sweep()
        if "odd" in facts:
            tensor = _odd(facts)
        else:
            tensor = tensor_from(facts, numbers)
            wants = bool(facts.get("grad")) and (tensor.is_floating_point() or tensor.is_complex())
            sources = facts.get("of")
            if facts.get("param"):
                tensor = nn.Parameter(tensor, requires_grad=wants)
            elif wants and sources is not None:
                tensor = self._computed(number, tensor, sources)
            elif wants:
                tensor.requires_grad_()
        self._enter(number, tensor)
        if tensor.grad_fn is not None:
            self._known[number].edge = torch.autograd.graph.get_gradient_edge(tensor)
        self._note(number, facts, numbers)

    def _computed(self, number: int, value: Tensor, sources: list[int]) -> Tensor:
        """A value with the graph that the other side has of it."""
        # Computed of nothing that we have, it still is no leaf: it may be changed in place.
        given = [self._origin(one) for one in sources] or [torch.zeros((), requires_grad=True)]
        with torch.enable_grad():
            return Remote.apply(self, number, [value, sources], *given)

    def _change(self, number: int, facts: dict[str, Any], numbers: memoryview) -> None:
        tensor = self._known[number].tensor
        if tensor is not None and "odd" not in facts:
            new = tensor_from(facts, numbers)
            if facts.get("inner") and not tensor.requires_grad and tensor.is_floating_point():
                with torch.enable_grad():  # it was written into, and is no leaf any more
                    tensor.add_(torch.zeros((), dtype=tensor.dtype, requires_grad=True))
            same = (tensor.shape, tensor.dtype) == (new.shape, new.dtype)
            if same and not new.is_meta and not tensor.is_meta:
                _write(tensor, new)
                if "into" in facts and not tensor.is_leaf:
                    with torch.enable_grad(), contextlib.suppress(RuntimeError):
                        self._known[number].origin = self._origin(number).clone()
                        tensor.copy_(self._computed(number, new, facts["into"]))
            else:
                tensor.data = new
            if tensor.is_leaf and tensor.requires_grad != bool(facts.get("grad")):
                with contextlib.suppress(RuntimeError):
                    tensor.requires_grad_(bool(facts.get("grad")))
        self._note(number, facts, numbers)

    def _lay(self, number: int, base: int, shape: list, stride: list, offset: int) -> None:
        """Let a tensor be a part of another one's memory, as it is on the other side."""
        known, whole = self._known.get(number), self._known.get(base)
        view, buffer = (one.tensor if one else None for one in (known, whole))
        if known is None or view is None or buffer is None or list(view.shape) != shape:
            return
        if buffer.is_contiguous() and view.dtype == buffer.dtype:
            view.data = buffer.data.as_strided(shape, stride, buffer.storage_offset() + offset)
            known.look = _look(view)

    def _enter(self, number: int, tensor: Tensor) -> None:
        keep = tensor.requires_grad or isinstance(tensor, nn.Parameter)
        self._known[number] = Known(tensor, keep)
        self._held.append(tensor)
        self._numbers[id(tensor)] = number

    def _note(self, number: int, facts: dict[str, Any], numbers: memoryview) -> None:
        """Remember what the other side knows, as we would describe it ourselves."""
        known = self._known[number]
        if (tensor := known.tensor) is not None:
            known.facts, known.look = self._facts(number, tensor, set()), _look(tensor)
            known.numbers, known.step = bytes(numbers), tensor.grad_fn

    def _sweep(self) -> None:
        gone = [number for number, known in self._known.items() if known.tensor is None]
        for number in gone:
            del self._known[number]
        if len(self._known) >= MOST:
            raise TooLarge(f"more than {MOST:,} tensors")


def gradients_of(result: Tensor, sources: list[Any], gradient: Tensor) -> list[Tensor | None]:
    """The gradients of what was computed here, for the other side."""
    with torch.enable_grad():
        return list(
            torch.autograd.grad(result, sources, gradient, retain_graph=True, allow_unused=True)
        )


def _lasting(facts: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if key not in ("of", "into")}


def _look(tensor: Tensor) -> tuple:
    """All but the numbers that may change in a tensor."""
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_nested:
        return (tensor.layout, tensor.shape)
    facts = tensor.dtype, tensor.shape, tensor.stride(), tensor.requires_grad
    return *facts, tensor.is_meta, tensor.is_leaf


def _numbers(tensor: Tensor) -> bytes:
    if tensor.is_meta or tensor.layout != torch.strided or _oddness(tensor):
        return b""
    if tensor.numel() * tensor.element_size() > LARGEST // 2:
        raise TooLarge(f"a tensor of more than {LARGEST // 2**21} MB")
    return content(tensor)


def _write(tensor: Tensor, new: Tensor) -> None:
    try:
        tensor.data.copy_(new)
    except RuntimeError:  # made in inference mode, and may be changed there only; or a view whose
        # numbers lie in one another, as expand makes them: what it is a view of was changed already
        with contextlib.suppress(RuntimeError), torch.inference_mode():
            tensor.copy_(new)


def _root(tensor: Tensor) -> Tensor:
    """What a tensor is a view of, or itself."""
    return tensor._base if tensor._is_view() and tensor._base is not None else tensor


def _start(tensor: Tensor) -> int:
    return int(tensor.storage_offset())


def _covers(whole: Tensor, part: Tensor) -> bool:
    """Tell whether a tensor has all the memory of another one, in its order."""
    if not whole.is_contiguous() or not part.numel():
        return False
    reach = sum((n - 1) * step for n, step in zip(part.shape, part.stride(), strict=True))
    first = _start(part) - _start(whole)
    return first >= 0 and first + reach < whole.numel()


def _oddness(tensor: Tensor) -> str:
    """What kind of tensor has no plain numbers; "" for the ordinary ones."""
    if tensor.is_quantized:
        return "quantized"
    return "" if tensor.layout == torch.strided and not tensor.is_nested else "sparse"


def _odd(facts: dict[str, Any]) -> Tensor:
    shape = facts.get("shape")
    if not isinstance(shape, list) or not all(type(n) is int and 0 <= n < 2**31 for n in shape):
        raise Broken("a tensor that is none")
    if facts["odd"] == "quantized":
        return torch.quantize_per_tensor(torch.zeros(1), 1.0, 0, torch.quint8)
    return torch.sparse_coo_tensor(torch.zeros(len(shape), 0, dtype=torch.int64), [], shape)
