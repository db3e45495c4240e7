"""`Identifier`: diarization with real names where voices are known."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from tertulia.audio import Channels, Source
from tertulia.audio.source import name_of, rereadable
from tertulia.errors import UsageError
from tertulia.identity.constraints import KnownVoices
from tertulia.identity.listening import Listener, same_space
from tertulia.identity.matching import Match, Matcher
from tertulia.identity.voiceprint import Voiceprint
from tertulia.pipeline import Diarizer, Pipeline
from tertulia.progress import Report
from tertulia.speakers import ANY, Speakers
from tertulia.timeline import Diarization

__all__ = ["Heard", "Identification", "Identifier"]


@dataclass(frozen=True)
class Heard:
    """A diarization, and a voiceprint of every speaker who says enough for one."""

    diarization: Diarization
    voices: Mapping[str, Voiceprint] = field(repr=False)


@dataclass(frozen=True)
class Identification:
    """Who spoke when, by name where that is known.

    Attributes:
        diarization: known speakers by name, others as SPEAKER_nn; how sure the names are is written in the
            settings of its provenance, under "identity".
        matches: name → why the speaker was taken for that person.
        voices: speaker → voiceprint, of those who say enough.
    """

    diarization: Diarization
    matches: Mapping[str, Match]
    voices: Mapping[str, Voiceprint] = field(repr=False)


@dataclass(frozen=True)
class Identifier:
    """Diarizes and names.

    Args:
        diarizer: any system; known voices constrain its clustering if it embeds with the listener's network.
        matcher: the people who may be there.
        listener: makes the voiceprints, with the network of the gallery.
    """

    diarizer: Pipeline
    matcher: Matcher
    listener: Listener

    def __call__(
        self,
        source: Source,
        speakers: Speakers = ANY,
        *,
        channels: Channels = "mix",
        progress: Report | None = None,
        name: str = "",
    ) -> Identification:
        """Tell who speaks when in a recording; arguments and errors as those of `Diarizer`."""
        heard = self.listen(source, speakers, channels=channels, progress=progress, name=name)
        matches = self.matcher.assign(heard.voices)
        names = {speaker: match.name for speaker, match in matches.items()}
        by_name = {match.name: match for match in matches.values()}
        return Identification(
            self._noted(heard.diarization.rename(names), by_name),
            by_name,
            {names.get(speaker, speaker): voiceprint for speaker, voiceprint in heard.voices.items()},
        )

    def listen(
        self,
        source: Source,
        speakers: Speakers = ANY,
        *,
        channels: Channels = "mix",
        progress: Report | None = None,
        name: str = "",
    ) -> Heard:
        """Diarize with what is known of the voices, but name nobody; arguments as those of a call."""
        if channels == "split":
            raise UsageError("voices are named in one channel: mix the channels, or take one by its number")
        source, name = rereadable(source), name or name_of(source)
        found = self._diarizer()(source, speakers, channels=channels, progress=progress, name=name)
        return Heard(found, self.listener.speakers(source, found, channels=channels))

    def _diarizer(self) -> Pipeline:
        system = self.diarizer
        if not len(self.matcher.gallery) or not isinstance(system, Diarizer):
            return system
        if not same_space(system.embedder, self.listener.embedder):
            return system
        return dataclasses.replace(system, clusterer=KnownVoices(system.clusterer, self.matcher))

    def _noted(self, diarization: Diarization, matches: Mapping[str, Match]) -> Diarization:
        """Write into the provenance how sure the names are."""
        if diarization.provenance is None:
            return diarization
        noted = {
            "false_accept": self.matcher.false_accept,
            "enrolled": len(self.matcher.gallery),
            "probabilities": {name: round(match.probability, 4) for name, match in matches.items()},
        }
        settings = {**diarization.provenance.settings, "identity": noted}
        return diarization.replace(provenance=dataclasses.replace(diarization.provenance, settings=settings))
