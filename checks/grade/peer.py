"""One end of the connection between the grader and a worker: calls, in both directions.

The grader calls what a learner wrote; what is handed over — a model, a cache, a `step` — is called
back. Each message carries along what changed meanwhile: tensors, modules, random generators,
torch's settings. Both ends are alike, but the grader's trusts nothing that it is told.
"""

import contextlib
import copy
import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch

from checks.engine.not_a_number import NaNsMadeWhole, watching
from checks.engine.pretended import PretendedDevice, _storage
from checks.grade.errors import Errors
from checks.grade.files import Files
from checks.grade.handles import Handles, RemoteIterator
from checks.grade.luck import Luck
from checks.grade.mirrors import Modules, call_hooks, hooked
from checks.grade.tensors import Tensors, gradients_of
from checks.grade.values import Values
from checks.grade.wire import Broken, TooLarge, Wire

DEEPEST = 30  # calls within calls
COPIES = 100  # of modules that are handed over, for one exercise
HOOKS = "hooks"


class Peer:
    """One end. `rules` says what the other end may ask of our things."""

    def __init__(self, wire: Wire, first: int, rules: Any) -> None:
        self._wire, self._rules, self.believes = wire, rules, rules.believes
        self.tensors = Tensors(first, self.believes)
        self.tensors.ask = self._gradients
        self.modules, self.luck, self.errors = Modules(self.tensors), Luck(), Errors()
        self.values, self.handles = Values(self), Handles(self)
        self.files = Files(rules.roots, whole=rules.believes)
        self._depth = 0
        self._devices: dict[int, PretendedDevice] = {}
        self._calls: dict[int, list[Any]] = {}  # lists and dicts given to what iterates still
        self._watched: dict[int, tuple[int, list[Any], list[Any]]] = {}
        self._count, self._copies = itertools.count(), 0

    # What we ask

    def ask(self, op: str, value: Any = None, **fields: Any) -> Any:
        """Ask for something of the other side's; raise what it raises."""
        return self._asked(op, value, fields, None)

    def call(self, number: int, args: tuple, kwargs: dict, **fields: Any) -> Any:
        """Call something of the other side's."""
        containers: list[Any] = []
        fields |= {"on": number, "call": next(self._count)}
        return self._asked(fields.pop("op", "call"), [args, kwargs], fields, containers)

    def forward(self, number: int, path: str, root: Any, args: tuple, kwargs: dict) -> Any:
        """Run a module of the other side's; it tells what somebody looks at on the way."""
        looked_at = hooked(root) if not path else []
        return self.call(number, args, kwargs, op="forward", path=path, hooks=looked_at)

    def forget(self, *answers: Any) -> None:
        """Forget on both sides what was handed over, all but these answers."""
        kept = [number for answer in answers if (number := self.handles.theirs(answer)) is not None]
        self.ask("forget", kept)
        self._forget((), kept)

    def _forget(self, ours: Any, theirs: Any) -> None:
        self._copies = 0
        for part in (self.tensors, self.modules, self.luck, self.errors, self.files):
            part.forget()
        for known in (self._devices, self._calls, self._watched):
            known.clear()
        self.handles.forget(ours, theirs)

    def _asked(self, op: str, value: Any, fields: dict, containers: list[Any] | None) -> Any:
        if self._depth >= DEEPEST:
            raise RecursionError("calls within calls within calls")
        self._depth += 1
        try:
            self._send({"op": op, **fields}, value, containers)
            while True:
                message, result = self._receive()
                if message["op"] == "return":
                    self._put_back(message, containers)
                    if containers and isinstance(result, RemoteIterator):
                        self._calls[fields["call"]] = containers
                    return result
                if message["op"] == "raise":
                    self._put_back(message, containers)
                    raise result
                self._serve(message, result)
        finally:
            self._depth -= 1

    def _put_back(self, message: dict[str, Any], containers: list[Any] | None) -> None:
        """Change our lists and dicts as the other side changed its copies of them."""
        if "of" in message:
            containers = self._calls.get(message["of"])
        for place, said in message.get("changed", []):
            if containers is None or not 0 <= place < len(containers):
                raise Broken("a change of nothing")
            ours, now = containers[place], self.values.decode(said)
            if isinstance(ours, list) and isinstance(now, list):
                ours[:] = now
            elif isinstance(ours, dict) and isinstance(now, dict):
                ours.clear()
                ours.update(now)

    def _gradients(self, number: int, sources: list[int], gradient: Any) -> list[Any]:
        return self.ask("gradients", gradient, of=number, sources=sources)

    # What we are asked

    def serve(self) -> None:
        """Answer until the other side is gone."""
        while True:
            self._serve(*self._receive())

    def _serve(self, message: dict[str, Any], value: Any) -> None:
        answer: dict[str, Any] = {"op": "return"}
        self._depth += 1
        try:
            handler: Callable[..., Any] | None = getattr(self, f"_on_{message['op']}", None)
            if handler is None or self._depth > DEEPEST:
                raise Broken("a question of an unknown kind")
            with self._as_asked(message, answer):
                result = handler(message, value, answer)
        except (Broken, GeneratorExit):
            raise
        except BaseException as error:
            if not self._rules.passes_on(error):
                raise
            answer["op"], result = "raise", error
        finally:
            self._depth -= 1
        try:
            self._send(answer, result, None)
        except (TooLarge, RuntimeError) as error:
            if isinstance(error, Broken):
                raise
            self._send({"op": "raise"}, ValueError(f"it gave back {error}"), None)

    @contextlib.contextmanager
    def _as_asked(self, message: dict[str, Any], answer: dict[str, Any]) -> Iterator[None]:
        """Under the pretended device and the watch of the caller, with its warnings put aside."""
        said = message.get("device", {})
        device: Any = self._devices.get(said["key"]) if said.get("active") else None
        if device is None or device in _devices_now():
            device = contextlib.nullcontext()
        watch: Any = NaNsMadeWhole() if message.get("watch") else contextlib.nullcontext()
        with device, watch, self._rules.noticing(answer):
            yield
        if message.get("watch") and watch.seen:
            answer["seen"] = True

    def _on_call(self, message: dict[str, Any], value: Any, answer: dict[str, Any]) -> Any:
        thing, (args, kwargs) = self.handles.own(message["on"]), value
        self._rules.may_call(thing)
        return self._called(thing, args, kwargs, message, answer)

    def _on_forward(self, message: dict[str, Any], value: Any, answer: dict[str, Any]) -> Any:
        root = self.handles.own(message["on"])
        self._rules.may_run(root)
        part = root.get_submodule(message["path"]) if message["path"] else root
        (args, kwargs), handles = value, []
        for path in message.get("hooks", []):
            handles += self._look_at(message["on"], root.get_submodule(path), path)
        try:
            return self._called(part, args, kwargs, message, answer)
        finally:
            for handle in handles:
                handle.remove()

    def _look_at(self, number: int, part: Any, path: str) -> list[Any]:
        def before(module: Any, args: tuple) -> None:
            self.ask("look", [args, None], on=number, path=path, before=True)

        def after(module: Any, args: tuple, result: Any) -> None:
            self.ask("look", [args, result], on=number, path=path, before=False)

        return [part.register_forward_pre_hook(before), part.register_forward_hook(after)]

    def _on_look(self, message: dict[str, Any], value: Any, answer: dict[str, Any]) -> None:
        mirror = self.handles.mirror(message["on"])
        call_hooks(mirror.get_submodule(message["path"]), bool(message["before"]), *value)

    def _called(
        self, thing: Any, args: Any, kwargs: Any, message: dict[str, Any], answer: dict[str, Any]
    ) -> Any:
        if not isinstance(args, tuple) or not isinstance(kwargs, dict):
            raise Broken("a call without arguments")
        containers = message["containers"]
        before = self.values.shallow(containers)
        try:
            result = thing(*args, **kwargs)
        finally:
            with torch._C.DisableTorchFunction():
                if changed := self.values.changed(containers, before):
                    answer["changed"] = changed
        if isinstance(result, Iterator) and not isinstance(result, RemoteIterator):
            number = self.handles.number_of(result)
            self._watched[number] = message["call"], containers, self.values.shallow(containers)
        return result

    def _on_get(self, message: dict[str, Any], value: Any, answer: dict[str, Any]) -> Any:
        thing = self.handles.own(message["on"])
        if path := message.get("path"):
            thing = thing.get_submodule(path)
        self._rules.may_get(thing, message["name"])
        return getattr(thing, message["name"])

    def _on_set(self, message: dict[str, Any], value: Any, answer: dict[str, Any]) -> None:
        thing = self.handles.own(message["on"])
        self._rules.may_set(thing, message["name"])
        setattr(thing, message["name"], value)

    def _on_special(self, message: dict[str, Any], value: Any, answer: dict[str, Any]) -> Any:
        thing = self.handles.own(message["on"])
        self._rules.may_get(thing, message["name"])
        return getattr(thing, message["name"])(*value)

    def _on_copy(self, message: dict[str, Any], value: Any, answer: dict[str, Any]) -> Any:
        root = self.handles.own(message["on"])
        self._rules.may_run(root)
        self._copies += 1
        if self._copies > COPIES:
            raise RuntimeError(f"more than {COPIES} copies of models")
        return copy.deepcopy(root.get_submodule(message["path"]) if message["path"] else root)

    def _on_next(self, message: dict[str, Any], value: Any, answer: dict[str, Any]) -> Any:
        iterator = self.handles.own(message["on"])
        if not isinstance(iterator, Iterator):
            raise Broken("no iterator")
        try:
            return (next(iterator),)
        except StopIteration:
            return None
        finally:
            if watched := self._watched.get(message["on"]):
                call, containers, before = watched
                if changed := self.values.changed(containers, before):
                    answer |= {"changed": changed, "of": call}
                    self._watched[message["on"]] = call, containers, self.values.shallow(containers)

    def _on_gradients(self, message: dict[str, Any], value: Any, answer: dict[str, Any]) -> Any:
        sources = [self.tensors.source(number) for number in message["sources"]]
        return gradients_of(self.tensors.find(message["of"]), sources, value)

    def _on_forget(self, message: dict[str, Any], value: Any, answer: dict[str, Any]) -> None:
        self._forget(value, ())

    # Messages

    def _send(self, message: dict[str, Any], value: Any, containers: list[Any] | None) -> None:
        blobs: list[bytes] = []
        message["now"] = _settings()  # the default device is unknown where no function mode counts
        with torch._C.DisableTorchFunction():
            self.values.containers = containers
            try:
                message["value"] = (
                    self.errors.encode(value)
                    if message["op"] == "raise"
                    else self.values.encode(value)
                )
            finally:
                self.values.containers = None
            if modules := self.modules.changes():
                message["modules"] = modules
            if luck := self.luck.changes():
                message["luck"] = luck
            if tensors := self.tensors.changes(blobs):
                message["tensors"] = tensors
            if device := self._device():
                message["device"] = device
            if watching():
                message["watch"] = True
            if files := self.files.changes():
                message["files"] = files
            self._rules.before_sending(message)
        self.tensors.sent()
        self._wire.send(message, blobs)

    def _receive(self) -> tuple[dict[str, Any], Any]:
        message, blob = self._wire.receive()
        try:
            with torch._C.DisableTorchFunction():
                self.tensors.take(message.get("tensors", []), blob)
                self.modules.take(message.get("modules", []))
                self.luck.take(message.get("luck", {}))
                if "device" in message:
                    self._take_device(message["device"])
                self.files.take(message.get("files", []))
                for watch in watching():
                    watch.seen |= bool(message.get("seen"))
                self._rules.after_receiving(message)
                message["containers"] = self.values.containers = []
                try:
                    value = (
                        self.errors.decode(message["value"])
                        if message["op"] == "raise"
                        else self.values.decode(message["value"])
                    )
                finally:
                    self.values.containers = None
                    self.tensors.received()
            _set(message["now"])
        except Broken:
            raise
        except Exception as error:
            raise Broken(f"a message that is none: {error!r}"[:300]) from error
        return message, value

    def _device(self) -> dict[str, Any] | None:
        """What the pretended device of now, or else the last one, knows of the tensors."""
        active = _devices_now()
        if not (active or self._devices):
            return None
        device = active[-1] if active else list(self._devices.values())[-1]
        key = next((k for k, known in self._devices.items() if known is device), len(self._devices))
        self._devices[key] = device
        elsewhere = [n for n, tensor in self.tensors.all() if not device.holds(tensor)]
        facts = {"key": key, "mixed": device.mixed, "elsewhere": elsewhere}
        return facts | {"active": bool(active)}

    def _take_device(self, said: dict[str, Any]) -> None:
        device = self._devices.setdefault(int(said["key"]), PretendedDevice())
        device.mixed |= bool(said["mixed"])
        elsewhere = set(said["elsewhere"])
        for number, tensor in self.tensors.all():
            if number in elsewhere:
                device._on_cpu[_storage(tensor)] = tensor
            else:
                device.take([tensor])


def _devices_now() -> list[PretendedDevice]:
    stack = torch.overrides._get_current_function_mode_stack()
    return [mode for mode in stack if isinstance(mode, PretendedDevice)]


def _settings() -> list[Any]:
    """torch's settings of now, which a function may find and leave otherwise."""
    device = torch.get_default_device()
    return [torch.is_grad_enabled(), str(torch.get_default_dtype()), str(device)]


def _set(said: Any) -> None:
    gradients, dtype, device = said
    torch.set_grad_enabled(bool(gradients))
    wanted = getattr(torch, str(dtype).removeprefix("torch."), None)
    if wanted is not torch.get_default_dtype():
        if not isinstance(wanted, torch.dtype):
            raise Broken("a dtype that is none")
        torch.set_default_dtype(wanted)
    if str(device) != str(torch.get_default_device()):
        torch.set_default_device(None if device == "cpu" else str(device))


@contextlib.contextmanager
def warnings_noted(answer: dict[str, Any]) -> Iterator[None]:
    """Put warnings into the answer: the other side warns again."""
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        yield
    if noted:
        answer["warned"] = [[w.category.__name__, str(w.message)[:2000]] for w in noted[:20]]
