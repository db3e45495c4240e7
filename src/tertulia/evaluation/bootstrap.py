"""How much a pooled score depends on the choice of files: percentile bootstrap over files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tertulia.errors import UsageError
from tertulia.evaluation.protocol import Score

__all__ = ["bootstrap", "bootstrap_difference"]

S = TypeVar("S", bound=Score)

_INTERVAL = (2.5, 97.5)


def bootstrap(
    records: Sequence[S], statistic: Callable[[S], float], n: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % interval of a statistic of pooled records.

    Files are drawn with replacement and their records added, so long files weigh as they do in the score
    itself (Bisani & Ney 2004, "Bootstrap estimates for confidence intervals in ASR performance evaluation").

    Args:
        records: one a file, all under the same conditions.
        statistic: what to take of a pooled record, such as `lambda error: error.der`.
        n: number of draws.
        seed: of the random numbers; one seed, one answer.

    Raises:
        UsageError: without records or draws, or when records do not add.
    """
    values = [statistic(record) for record in _draws(records, n, seed)]
    low, high = np.percentile(values, _INTERVAL).tolist()
    return low, high


def bootstrap_difference(
    first: Sequence[S],
    second: Sequence[S],
    statistic: Callable[[S], float],
    n: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the 95 % interval of statistic(first) − statistic(second), both on the same drawn files.

    Args:
        first: one record a file.
        second: the other system's records, of the same files in the same order.
        statistic: as for `bootstrap`.
        n: number of draws.
        seed: of the random numbers.
    """
    if len(first) != len(second):
        raise UsageError(
            f"a paired difference needs records of the same files; got {len(first)} and {len(second)}"
        )
    draws = zip(_draws(first, n, seed), _draws(second, n, seed), strict=True)
    low, high = np.percentile([statistic(a) - statistic(b) for a, b in draws], _INTERVAL).tolist()
    return low, high


def _draws(records: Sequence[S], n: int, seed: int) -> list[S]:
    """Return `n` pooled records of as many files, drawn with replacement; equal seeds draw equal files."""
    if not records or n < 1:
        raise UsageError(f"a bootstrap needs records and draws; got {len(records)} records and n={n}")
    whole = sum(records[1:], start=records[0])
    names = whole.quantities()
    table = np.array([[getattr(record, name) for name in names] for record in records], dtype=np.float64)
    files = len(records)
    times: NDArray[np.int64] = np.random.default_rng(seed).multinomial(
        files, np.full(files, 1 / files), size=n
    )
    conditions = {name: getattr(whole, name) for name in whole.CONDITIONS}
    return [
        type(whole)(**conditions, **dict(zip(names, row, strict=True))) for row in (times @ table).tolist()
    ]
