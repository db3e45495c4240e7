"""Rooms: impulse responses of shoebox rooms by the image method, and what they are measured by.

J. B. Allen and D. A. Berkley, "Image method for efficiently simulating small-room acoustics", Journal of the
Acoustical Society of America 65 (1979), here (A&B). The decay is measured by backward integration:
M. R. Schroeder, "New method of measuring reverberation time", same journal 37 (1965).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tertulia.errors import UsageError

__all__ = ["SPEED_OF_SOUND", "Room", "draw_room", "image_response", "reverberation_time"]

FloatArray = NDArray[np.float64]
Point = tuple[float, float, float]

SPEED_OF_SOUND = 343.0  # m/s, at 20 °C
_FIT = (-5.0, -35.0)  # dB: the part of the decay a line is fitted to (T30)
_RT60 = (0.15, 1.0)  # s: sound that decays faster is hardly reflected, and has no line to fit
_BIN = 0.002  # s: resolution of the decay that the reflection coefficient is found from

# Metres: rooms people talk in, and how far they keep from walls and microphones.
_SIZES = ((3.0, 9.0), (3.0, 7.0), (2.4, 3.6))
_FROM_WALL = 0.4
_FROM_MICROPHONE = 0.5


@dataclass(frozen=True, slots=True)
class Room:
    """A shoebox with one microphone and people in it; lengths in metres from one corner.

    Args:
        size: length, width, height.
        rt60: time in seconds in which sound decays by 60 dB, 0.15 to 1.
        microphone: where it hangs.
        sources: where each person is.

    Raises:
        UsageError: when something is outside the room, a source is in the microphone, or the walls would have
            to be softer than walls can be for that `rt60`.
    """

    size: Point
    rt60: float
    microphone: Point
    sources: tuple[Point, ...]

    def __post_init__(self) -> None:
        if not _RT60[0] <= self.rt60 <= _RT60[1]:
            raise UsageError(f"rt60 goes from {_RT60[0]} to {_RT60[1]:g} s; got {self.rt60}")
        if not self.sources or min(self.size) < 1:
            raise UsageError("a room is at least 1 m long, wide and high, and has a source")
        for point in (self.microphone, *self.sources):
            if not all(0 < at < length for at, length in zip(point, self.size, strict=True)):
                raise UsageError(f"{point} is outside a room of {self.size} m")
        if min(self.distances) < 0.01:
            raise UsageError("a source has to be 1 cm or more from the microphone")

    @property
    def distances(self) -> tuple[float, ...]:
        """From each source to the microphone."""
        return tuple(math.dist(self.microphone, source) for source in self.sources)

    def reflection(self) -> float:
        """Return the reflection coefficient β of all walls that gives `rt60` for the first source.

        Sabine's and Eyring's formulas assume a diffuse field, which a bare shoebox does not have. The images
        themselves tell: their energy by time and number of reflections is tallied once, and β found by
        bisection, as the decay of Σ energy·β^(2·reflections) is cheap to measure.
        """
        orders = np.arange(_most_reflections(self.size, self.rt60) + 1)
        tally = np.zeros((math.ceil(self.rt60 / _BIN) + 1, len(orders)))
        for distance, order in _images(self.size, self.sources[0], self.microphone, self.rt60):
            at = (distance / SPEED_OF_SOUND / _BIN).astype(np.intp) * len(orders) + order
            tally += np.bincount(at, distance**-2.0, tally.size).reshape(tally.shape)
        low, high = 0.05, 0.999
        for _ in range(20):
            beta = (low + high) / 2
            if reverberation_time(tally @ beta ** (2.0 * orders), 1 / _BIN, power=True) < self.rt60:
                low = beta
            else:
                high = beta
        return (low + high) / 2


def draw_room(people: int, rt60: float, rng: Generator) -> Room:
    """Put a microphone and some people somewhere into a room of some size."""
    size = tuple(float(rng.uniform(low, high)) for low, high in _SIZES)
    microphone = _place(size, (0.6, 1.6), rng)
    sources: list[Point] = []
    while len(sources) < people:
        source = _place(size, (1.0, 1.8), rng)
        if math.dist(source, microphone) >= _FROM_MICROPHONE:
            sources.append(source)
    return Room((size[0], size[1], size[2]), rt60, microphone, tuple(sources))


def _place(size: tuple[float, ...], height: tuple[float, float], rng: Generator) -> Point:
    x, y = (float(rng.uniform(_FROM_WALL, length - _FROM_WALL)) for length in size[:2])
    return x, y, float(rng.uniform(*height))


def image_response(room: Room, source: int, rate: int, beta: float | None = None) -> FloatArray:
    """Return the pressure impulse response from a source to the microphone, (taps,), `rt60` long.

    Every image at distance d adds β^reflections / (4πd) at d / c (A&B eq. 10), moved to the nearest
    sample as there; the slow swelling that comes from all images having one sign is taken out by a high-pass
    filter, as there, at 1 % of the sample rate or 100 Hz.

    Args:
        room: with everything in it.
        source: which of its sources, from 0.
        rate: sample rate in Hz.
        beta: reflection coefficient, when `room.reflection()` is known already.
    """
    from scipy.signal import butter, sosfilt

    beta = room.reflection() if beta is None else beta
    gains = beta ** np.arange(_most_reflections(room.size, room.rt60) + 1)
    response = np.zeros(math.ceil(room.rt60 * rate) + 1)
    for distance, order in _images(room.size, room.sources[source], room.microphone, room.rt60):
        at = np.rint(distance * (rate / SPEED_OF_SOUND)).astype(np.intp)
        response += np.bincount(at, gains[order] / (4 * np.pi * distance), len(response))
    high_pass = butter(2, min(100.0, 0.01 * rate), "high", fs=rate, output="sos")
    filtered: FloatArray = sosfilt(high_pass, response)
    return filtered


def _most_reflections(size: Point, seconds: float) -> int:
    """Bound the number of reflections of the images that `_images` yields."""
    return sum(math.ceil(seconds * SPEED_OF_SOUND / length) + 4 for length in size)


def _images(
    size: Point, source: Point, microphone: Point, seconds: float
) -> Iterator[tuple[FloatArray, NDArray[np.intp]]]:
    """Yield distances (n,) and numbers of reflections (n,) of all images heard within some seconds.

    One array for every slice of the lattice along the longest axis, so that memory stays small.
    """
    reach = seconds * SPEED_OF_SOUND
    axes = [_axis(*each, reach) for each in zip(size, source, microphone, strict=True)]
    (x, x_order), (y, y_order), (z, z_order) = axes
    across = (y[:, None] ** 2 + z[None, :] ** 2).ravel()  # (y images · z images,)
    across_order = (y_order[:, None] + z_order[None, :]).ravel()
    nearest = np.argsort(across)
    across, across_order = across[nearest], across_order[nearest]
    for offset, order in zip(x.tolist(), x_order.tolist(), strict=True):
        heard = int(np.searchsorted(across, reach**2 - offset**2))
        yield np.sqrt(across[:heard] + offset**2), across_order[:heard] + order


def _axis(
    length: float, source: float, microphone: float, reach: float
) -> tuple[FloatArray, NDArray[np.intp]]:
    """Positions of the images along one axis, seen from the microphone, and their reflections: (2·periods,).

    The image (1 − 2q)·source + 2nL has been reflected |n − q| + |n| times (the exponents of A&B eq. 10).
    """
    most = math.ceil(reach / (2 * length)) + 1
    n, q = np.meshgrid(np.arange(-most, most + 1), np.arange(2), indexing="ij")
    positions = (1 - 2 * q) * source + 2 * n * length - microphone
    return positions.ravel(), (np.abs(n - q) + np.abs(n)).ravel()


def reverberation_time(response: FloatArray, rate: float, *, power: bool = False) -> float:
    """Measure RT60 in seconds: a line through the decay from −5 to −35 dB, taken to −60 dB.

    Args:
        response: impulse response (taps,), or energy over time when `power`.
        rate: values a second.
        power: whether the values are squares already.

    Raises:
        UsageError: when there is no such decay in it.
    """
    energy = np.cumsum((response if power else response**2)[::-1])[::-1]  # Schroeder (1965)
    energy = energy[energy > 0]
    decay = 10 * np.log10(energy / energy[0]) if energy.size else energy
    part = np.flatnonzero((decay <= _FIT[0]) & (decay >= _FIT[1]))
    if part.size < 2:
        raise UsageError("the response is too short, or decays too fast, to measure its reverberation time")
    slope = np.polyfit(part / rate, decay[part], 1)[0]
    return float(-60 / slope)
