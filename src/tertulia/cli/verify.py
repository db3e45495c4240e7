"""`tertulia verify`: are two recordings one person?"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from tertulia.cli._inputs import name_of, source_of
from tertulia.cli._options import ThreadsOption
from tertulia.cli._terminal import put
from tertulia.cli._voices import FalseAcceptOption, checked_rate
from tertulia.errors import UsageError, unknown

__all__ = ["verify"]


def verify(
    one: Annotated[
        str, typer.Argument(metavar="A", help="A recording of one person; - reads standard input.")
    ],
    other: Annotated[str, typer.Argument(metavar="B", help="Another.")],
    system: Annotated[
        str, typer.Option(metavar="NAME", help="How to compare voices: default (network) or gmm-ubm.")
    ] = "default",
    false_accept: FalseAcceptOption = 0.01,
    one_speaker: Annotated[
        bool, typer.Option("--one-speaker", help="Do not check that only one person speaks in each.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    threads: ThreadsOption = None,
) -> int:
    """Tell whether one person speaks in two recordings.

    The exit code is 0 whatever the answer. This compares recordings; it is no authentication: a replayed or
    cloned voice passes.
    """
    from tertulia.identity import VERIFIERS

    if system not in VERIFIERS:
        raise unknown("system of verification", system, VERIFIERS)
    if one == other == "-":
        raise UsageError("standard input holds one recording; give the other as a file")
    rate = checked_rate(false_accept)
    sources = [source_of(name_of(given)) for given in (one, other)]
    answer = VERIFIERS[system](threads)(*sources, false_accept=rate, one_speaker=one_speaker)
    decision = answer.decision
    if as_json:
        document = {
            "same": decision.accepted,
            "probability": answer.probability,
            "score": decision.score.llr,
            "threshold": decision.threshold,
            "false_accept": rate,
            "raw": decision.score.raw,
            "seconds": list(answer.seconds),
            "system": system,
        }
        put(json.dumps(document) + "\n")
    else:
        verdict = "same person" if decision.accepted else "different people"
        put(
            f"{verdict}\tprobability {answer.probability:.3f}\tscore {decision.score.llr:.2f}\t"
            f"threshold {decision.threshold:.2f}\n"
        )
    return 0
