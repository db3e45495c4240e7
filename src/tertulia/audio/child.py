"""Decoders in processes of their own: read like files, bounded in what they use, killed when they hang."""

from __future__ import annotations

import io
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from tertulia.audio import decode
from tertulia.audio.limits import Limits
from tertulia.errors import AudioError

__all__ = ["Child", "commands", "ffmpeg_command"]

_CHUNK_BYTES = 1 << 18
_CHUNKS_AHEAD = 16  # at most 4 MiB decoded before they are wanted
_REPORT_BYTES = 1 << 14
_REPORT_LINES = 5


class Child:
    """A running decoder whose output is read in order; it works ahead while the caller works.

    Args:
        command: what to run; it writes a WAV stream to its standard output.
        stall_seconds: how long to wait for output that is wanted; time in which the decoder was ready to run
            and the machine had no core for it does not count.
    """

    def __init__(self, command: list[str], stall_seconds: float) -> None:
        quiet = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # their threads reserve memory
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **quiet},
            )
        except OSError as error:
            raise AudioError(f"needs a decoder, and {command[0]} cannot be started: {error}") from error
        self._stall_seconds = stall_seconds
        self._chunks: queue.Queue[bytes] = queue.Queue(_CHUNKS_AHEAD)
        self._rest = memoryview(b"")
        self._ended = False
        self._report = b""
        self._pipes = cast(
            tuple[io.BufferedReader, io.BufferedReader], (self._process.stdout, self._process.stderr)
        )
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._pump, self._listen)]
        for thread in self._threads:
            thread.start()

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, none at the end.

        Raises:
            AudioError: when nothing comes for `stall_seconds`; the process is dead then.
        """
        if not self._rest and not self._ended:
            self._rest = memoryview(self._next())
            self._ended = not self._rest
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)

    def _next(self) -> bytes:
        """Wait for the next chunk; it is empty at the end."""
        begin, starved = time.monotonic(), self._starved()
        left = self._stall_seconds
        while left > 0:
            try:
                return self._chunks.get(timeout=left)
            except queue.Empty:
                left = begin + self._stall_seconds + self._starved() - starved - time.monotonic()
        self.close()
        raise AudioError(f"cannot be decoded: the decoder gave nothing for {self._stall_seconds:g} s")

    def _starved(self) -> float:
        """Seconds in which the process waited for a core, 0 where the system does not tell."""
        try:
            # Nanoseconds on a core, and ready for one; see the kernel's sched-stats.rst.
            return int(Path(f"/proc/{self._process.pid}/schedstat").read_text().split()[1]) / 1e9
        except (OSError, ValueError, IndexError):
            return 0.0

    def close(self) -> None:
        """End the process, if it still runs, and everything that belongs to it."""
        self._process.kill()
        while not self._ended:
            self._ended = not self._chunks.get()
        for thread in self._threads:
            thread.join()
        self._process.wait()
        for pipe in self._pipes:
            pipe.close()

    def report(self) -> tuple[str, ...]:
        """What the decoder had to say, after its output has ended, with how it died if it did."""
        try:
            status = self._process.wait(self._stall_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._threads[1].join()
        text = re.sub(r" @ 0x[0-9a-f]+", "", self._report.decode("utf-8", "replace"))
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if status < 0:
            lines.append(f"damaged: the decoder died of signal {-status}")
        return tuple(dict.fromkeys(lines))[-_REPORT_LINES:]

    def _pump(self) -> None:
        while chunk := self._pipes[0].read1(_CHUNK_BYTES):
            self._chunks.put(chunk)
        self._chunks.put(b"")

    def _listen(self) -> None:
        while text := self._pipes[1].read1(_REPORT_BYTES):
            self._report = (self._report + text)[-_REPORT_BYTES:]


def commands(path: Path, limits: Limits) -> Iterator[list[str]]:
    """Yield the ways to decode a file, first to last, that this machine has."""
    yield _python({"path": os.path.abspath(path), "sys_path": [p for p in sys.path if p]}, limits)
    if ffmpeg := shutil.which("ffmpeg"):
        yield ffmpeg_command(os.path.abspath(ffmpeg), path, limits)


def ffmpeg_command(ffmpeg: str, path: Path, limits: Limits) -> list[str]:
    """Command that decodes the first audio stream of a file and can open nothing but that file."""
    command = [
        *(ffmpeg, "-hide_banner", "-nostdin", "-v", "error", "-threads", "1"),
        *("-protocol_whitelist", decode.PROTOCOLS, "-format_whitelist", decode.MEDIA_FORMATS),
        *("-i", f"file:{os.path.abspath(path)}", "-map", "0:a:0", "-map_metadata", "-1"),
        *("-c:a", "pcm_f32le", "-f", "wav", "pipe:1"),
    ]
    # Limits are set by a program that then becomes FFmpeg; Windows can do neither.
    return _python({"command": command}, limits) if os.name == "posix" else command


def _python(request: dict[str, object], limits: Limits) -> list[str]:
    """Command that runs `decode.py` without this package, the environment's start-up code or settings."""
    argument = json.dumps({**request, "decoder_bytes": limits.decoder_bytes})
    return [sys.executable, "-I", "-S", decode.__file__, argument]
