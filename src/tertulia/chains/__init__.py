"""Systems that look at a whole recording at once; `[pipeline] name = …` in a system's file chooses one."""

from tertulia.chains.baselines import GaussianChain, NeighbourChain, RandomChain
from tertulia.chains.ehmm import EvolutiveHMM
from tertulia.chains.endtoend import EndToEnd
from tertulia.chains.lium import LIUMChain
from tertulia.chains.recording import Chain, Found, WholeRecording
from tertulia.chains.siamese import SiameseChain

__all__ = ["PIPELINES", "Chain", "Found", "WholeRecording"]

PIPELINES: dict[str, type] = {
    "ehmm": EvolutiveHMM,
    "endtoend": EndToEnd,
    "gmm-ubm": GaussianChain,
    "knn": NeighbourChain,
    "lium": LIUMChain,
    "random": RandomChain,
    "siamese": SiameseChain,
}
