"""Conversations that never took place: exact references for training and load tests.

`Simulation` says what to make, `Simulator` makes it. The structure of turns is sampled from a
`TurnStatistics` or replayed from real references; voices come from single utterances; rooms, noise, music,
telephones and codecs are added on the way. Only numpy, scipy and soundfile are needed.
"""

from tertulia.simulation.conversation import Conversation
from tertulia.simulation.rooms import Room, image_response, reverberation_time
from tertulia.simulation.sampling import sample
from tertulia.simulation.settings import Absence, Simulation
from tertulia.simulation.simulator import Simulator
from tertulia.simulation.summary import Summary
from tertulia.simulation.turns import TurnStatistics
from tertulia.simulation.voices import read_voices

__all__ = [
    "Absence",
    "Conversation",
    "Room",
    "Simulation",
    "Simulator",
    "Summary",
    "TurnStatistics",
    "image_response",
    "read_voices",
    "reverberation_time",
    "sample",
]
