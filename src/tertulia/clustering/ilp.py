"""Clustering as an integer linear program: the fewest centres that are near enough to everybody.

Sources: Rouvier & Meignier, "A global optimization framework for speaker diarization" (Odyssey 2012) for the
program; Dupuy, Rouvier, Meignier & Estève, "i-vectors and ILP clustering adapted to cross-show speaker
diarization" (Interspeech 2012) for leaving out what is too far, and for collections of recordings.

With binary x_kj for "item j belongs to centre k" wherever d(k, j) ≤ δ, and D = n δ + 1 or more,

    minimise   Σ_k x_kk + 1/D Σ_k Σ_j d(k, j) x_kj
    such that  Σ_k x_kj = 1 for every j,   x_kj ≤ x_kk.

One centre less is always worth more than all distances together. Items that no chain of near items connects
are programs of their own.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tertulia.clustering.base import Labels
from tertulia.errors import UsageError
from tertulia.speakers import ANY, Speakers

__all__ = ["Partition", "cluster_by_ilp"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """Labels (items,) numbered from 0, and what did not go as asked for."""

    labels: Labels
    messages: tuple[str, ...] = ()


def cluster_by_ilp(
    distances: Array, threshold: float, speakers: Speakers = ANY, *, time_limit: float = 20.0
) -> Partition:
    """Cluster items by their distances.

    Args:
        distances: symmetric, not negative, (items, items); the diagonal is zero.
        threshold: δ, the largest distance between an item and its centre. It gives way where a number of
            speakers is asked for that it does not allow.
        speakers: what is known about the number of clusters.
        time_limit: seconds for all programs together. Where they are not solved by then, agglomerative
            clustering with complete linkage takes over, and a message says so.

    Raises:
        UsageError: when more clusters are asked for than there are items.
        ValueError: for distances that are no such table.
    """
    table = np.asarray(distances, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not (np.isfinite(table) & (table >= 0)).all():
        raise ValueError(f"distances are a square table, finite and not negative; got shape {table.shape}")
    if not (threshold >= 0 and time_limit > 0):
        raise ValueError(f"threshold goes from 0, the time limit is above; got {threshold} and {time_limit}")
    items = len(table)
    if (speakers.num or speakers.minimum) and items < speakers.least:
        raise UsageError(
            f"{speakers} speakers were asked for, but there are {items} stretches of speech to cluster"
        )
    if not items:
        return Partition(np.empty(0, dtype=np.intp))
    until = time.monotonic() + time_limit
    found = _by_components(table, threshold, until)
    count = found.labels.max() + 1
    if count in speakers:
        return found
    if count < speakers.least:
        return _program(table, threshold, speakers.least, until)
    return _program(table, float(table.max()), speakers.most, until)


def _by_components(table: Array, threshold: float, until: float) -> Partition:
    """Solve every connected component by itself."""
    from scipy.sparse.csgraph import connected_components

    count, component = connected_components(table <= threshold, directed=False)
    labels = np.empty(len(table), dtype=np.intp)
    messages: list[str] = []
    used = 0
    for each in range(count):
        members = np.flatnonzero(component == each)
        part = _program(table[np.ix_(members, members)], threshold, None, until)
        labels[members] = used + part.labels
        used += int(part.labels.max()) + 1
        messages += part.messages
    return Partition(labels, tuple(dict.fromkeys(messages)))


def _program(table: Array, threshold: float, count: int | None, until: float) -> Partition:
    """Solve one program, with exactly so many centres if a count is given."""
    items = len(table)
    if items == 1 or count == items:
        return Partition(np.arange(items))
    centres = _solved(table, threshold, count, until)
    if centres is None:
        labels = _complete_linkage(table, threshold, count)
        return Partition(
            labels,
            (f"clustering of {items} items by integer programming ran out of time; agglomerative instead",),
        )
    return Partition(np.unique(centres, return_inverse=True)[1].astype(np.intp))


def _solved(table: Array, threshold: float, count: int | None, until: float) -> Labels | None:
    """Centre of each item, (items,); None when time runs out."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    left = until - time.monotonic()
    if left <= 0:
        return None
    items = len(table)
    near = table <= threshold
    np.fill_diagonal(near, True)
    centre, item = np.nonzero(near)  # variables x_kj
    variables = len(centre)
    own = np.flatnonzero(centre == item)  # x_kk, by k
    cost = table[centre, item] / (items * max(threshold, 1e-9) + 1)
    cost[own] += 1.0
    others = np.flatnonzero(centre != item)
    rows = np.arange(len(others))
    assigned = csr_array((np.ones(variables), (item, np.arange(variables))), (items, variables))
    opened = csr_array(
        (
            np.concatenate([np.ones(len(others)), -np.ones(len(others))]),
            (np.concatenate([rows, rows]), np.concatenate([others, own[centre[others]]])),
        ),
        (len(others), variables),
    )
    constraints = [LinearConstraint(assigned, 1, 1)]
    if len(others):
        constraints.append(LinearConstraint(opened, -np.inf, 0))
    if count is not None:
        total = csr_array((np.ones(items), (np.zeros(items, dtype=int), own)), (1, variables))
        constraints.append(LinearConstraint(total, count, count))
    solution = milp(
        cost,
        integrality=np.ones(variables),
        bounds=Bounds(0, 1),
        constraints=constraints,
        options={"time_limit": left, "mip_rel_gap": 0.0},  # distances weigh little beside centres
    )
    if solution.status != 0:
        return None
    chosen = solution.x > 0.5
    result = np.empty(items, dtype=np.intp)
    result[item[chosen]] = centre[chosen]
    return result


def _complete_linkage(table: Array, threshold: float, count: int | None) -> Labels:
    """Clusters in which no two items are farther apart than the threshold, or so many clusters."""
    from scipy.cluster.hierarchy import cut_tree, fcluster, linkage
    from scipy.spatial.distance import squareform

    tree = linkage(squareform(table, checks=False), "complete")
    if count is not None:
        return np.asarray(cut_tree(tree, count)[:, 0], dtype=np.intp)
    return np.asarray(fcluster(tree, threshold, "distance") - 1, dtype=np.intp)
