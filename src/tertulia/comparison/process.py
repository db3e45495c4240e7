"""A system in a process of its own, so that its peak memory is its own; it serves one recording at a time."""

from __future__ import annotations

import dataclasses
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tertulia import config, errors
from tertulia.comparison.parameters import bundled, count_parameters
from tertulia.errors import TertuliaError

__all__ = ["About", "Run", "SystemProcess"]


@dataclass(frozen=True)
class Run:
    """What a system makes of one recording, and what that costs.

    Attributes:
        turns: (start, end, speaker), seconds.
        seconds: length of the recording.
        wall: seconds it took; loading the system is not counted.
        cpu: seconds of all cores together, decoders included.
        memory: the most bytes the process has held until then; None where the platform does not tell.
    """

    turns: tuple[tuple[float, float, str], ...]
    seconds: float
    wall: float
    cpu: float
    memory: int | None


@dataclass(frozen=True)
class About:
    """What a loaded system is made of.

    Attributes:
        models: name of each network, or other model with weights → checksum of its file.
        parameters: how many numbers those files hold.
        settings: part → its settings, those included that the description of the system left as they are.
    """

    models: Mapping[str, str] = field(default_factory=dict)
    parameters: int = 0
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class SystemProcess:
    """Loads a system in a fresh interpreter; calling it diarizes a file there.

    Args:
        name: what messages call the system.
        load: makes the system; anything that can be pickled.

    Raises:
        TertuliaError: of the class that loading or running raised there, or when the process dies.
    """

    def __init__(self, name: str, load: Callable[[], Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self.name = name
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, load), daemon=True)
        self._process.start()
        theirs.close()
        try:
            self.about: About = self._answer(None)
        except BaseException:
            self.close()
            raise

    def __call__(self, audio: Path, progress: Callable[[float], None] | None = None) -> Run:
        """Diarize a file; `progress` is told which share of it is done."""
        self._pipe.send(audio)
        run: Run = self._answer(progress)
        return run

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.terminate()
        self._process.join()
        self._pipe.close()

    def _answer(self, progress: Callable[[float], None] | None) -> Any:
        while True:
            try:
                kind, value = self._pipe.recv()
            except (EOFError, ConnectionError):
                self._process.join()
                code = self._process.exitcode
                raise TertuliaError(
                    f"the process of {self.name} ended with code {code}; there may be too little memory"
                ) from None
            if kind == "done":
                return value
            if kind == "failed":
                raise _rebuilt(*value)
            if progress is not None:
                progress(value)


def _serve(pipe: Connection, load: Callable[[], Any]) -> None:
    """Answer until the other end hangs up."""
    # An interruption from the keyboard reaches both processes; the other one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, ConnectionError):
        try:
            system = load()
            pipe.send(("done", _about(system)))
        except Exception as error:
            pipe.send(("failed", _described(error)))
            return
        while True:
            audio = pipe.recv()
            try:
                pipe.send(("done", _measured(system, audio, pipe)))
            except Exception as error:
                pipe.send(("failed", _described(error)))


def _measured(system: Any, audio: Path, pipe: Connection) -> Run:
    def report(progress: Any) -> None:
        if progress.total:
            pipe.send(("progress", min(progress.done / progress.total, 1.0)))

    wall, cpu = time.perf_counter(), _cpu_seconds()
    result = system(audio, progress=report)
    wall, cpu = time.perf_counter() - wall, _cpu_seconds() - cpu
    turns = tuple((turn.start, turn.end, turn.speaker) for turn in result)
    return Run(turns, result.duration or 0.0, wall, cpu, _peak_memory())


def _about(system: Any) -> About:
    """Look for models and settings in the parts of a system."""
    names = [f.name for f in dataclasses.fields(system)] if _is_record(system) else []
    parts = {name: getattr(system, name) for name in names}
    networks: dict[str, Any] = {}
    models: dict[str, str] = {}
    for part in (system, *parts.values()):
        networks |= getattr(part, "networks", {})
        models |= getattr(part, "models", {})
    for network in networks.values():
        _ = network.session  # opened here and not in the first recording's time
    # Two names may be two views of one file.
    files = {network.path for network in networks.values()}
    files |= {path for path in map(bundled, models) if path is not None}
    return About(
        models | {name: network.sha256 for name, network in networks.items()},
        sum(map(count_parameters, files)),
        {name: config.settings(part) for name, part in parts.items() if _is_record(part)},
    )


def _is_record(system: Any) -> bool:
    return dataclasses.is_dataclass(system) and not isinstance(system, type)


def _cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    try:
        import resource
    except ImportError:  # Windows
        return time.process_time()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _peak_memory() -> int | None:
    # Linux hands `ru_maxrss` down from parent to child, so the kernel's own mark comes first.
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _described(error: Exception) -> tuple[str, str]:
    return type(error).__name__, str(error)


def _rebuilt(kind: str, message: str) -> TertuliaError:
    """Make the error anew that was raised in the process of the system."""
    known = getattr(errors, kind, None)
    if isinstance(known, type) and issubclass(known, TertuliaError):
        return known(message)
    return TertuliaError(f"unexpected {kind}: {message}")
