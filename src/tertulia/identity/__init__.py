"""Known voices: enrolling, verifying, identifying and linking people across recordings.

This labels recordings. It is not authentication: a replayed or cloned voice will pass.
"""

from tertulia.identity.collection import Linked, Original, link, remember
from tertulia.identity.enrolment import ENOUGH, Ear, checksum
from tertulia.identity.exchange import write_owner_only
from tertulia.identity.gallery import Gallery
from tertulia.identity.identification import Heard, Identification, Identifier
from tertulia.identity.learning import Lesson, learn
from tertulia.identity.linking import LinkedPerson, Linker, link_by_program
from tertulia.identity.listening import Listener
from tertulia.identity.matching import Match, Matcher
from tertulia.identity.online import Moment, OnlineDetector, OnlineState
from tertulia.identity.records import Entry, Person, Voice, checked_name
from tertulia.identity.scoring import Decision, Score, Scorer, default_scorer
from tertulia.identity.store import RETENTION, SpeakerStore, default_path
from tertulia.identity.verification import VERIFIERS, Verification, Verifier
from tertulia.identity.voiceprint import Voiceprint

__all__ = [
    "ENOUGH",
    "RETENTION",
    "VERIFIERS",
    "Decision",
    "Ear",
    "Entry",
    "Gallery",
    "Heard",
    "Identification",
    "Identifier",
    "Lesson",
    "Linked",
    "LinkedPerson",
    "Linker",
    "Listener",
    "Match",
    "Matcher",
    "Moment",
    "OnlineDetector",
    "OnlineState",
    "Original",
    "Person",
    "Score",
    "Scorer",
    "SpeakerStore",
    "Verification",
    "Verifier",
    "Voice",
    "Voiceprint",
    "checked_name",
    "checksum",
    "default_path",
    "default_scorer",
    "learn",
    "link",
    "link_by_program",
    "remember",
    "write_owner_only",
]
