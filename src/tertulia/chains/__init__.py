"""Systems that look at a whole recording at once; `[pipeline] name = …` in a system's file chooses one."""

from tertulia.chains.ehmm import EvolutiveHMM
from tertulia.chains.lium import LIUMChain
from tertulia.chains.recording import Chain, Found, WholeRecording

__all__ = ["PIPELINES", "Chain", "Found", "WholeRecording"]

PIPELINES: dict[str, type] = {
    "ehmm": EvolutiveHMM,
    "lium": LIUMChain,
}
