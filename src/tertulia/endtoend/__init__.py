"""Recordings of any length through a network that hears all speakers at once: blocks, and streaming."""

from tertulia.endtoend.blocks import Blocks
from tertulia.endtoend.cache import compress
from tertulia.endtoend.hearing import Hearing
from tertulia.endtoend.streaming import LATENCIES, Latency, Listener, State

__all__ = ["LATENCIES", "Blocks", "Hearing", "Latency", "Listener", "State", "compress"]
