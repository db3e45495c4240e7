"""`Moments`: what a Gaussian needs to know of frames, and what adds up when stretches are joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Moments", "adjacent"]

Array = NDArray[np.float64]

_RIDGE = 1e-3
"""Added to every variance: cepstra vary by 1 to 100, so it changes nothing but what would be singular."""


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Sufficient statistics of a batch of stretches of frames; they add up when stretches are joined.

    Attributes:
        count: frames in each, (stretches,).
        total: sum of the frames, (stretches, dim).
        square: sum of their outer products, (stretches, dim, dim).
    """

    count: Array
    total: Array
    square: Array

    @classmethod
    def of(cls, features: ArrayLike, bounds: ArrayLike) -> Self:
        """Collect from features (frames, dim) between pairs of first and last + 1 frames, (stretches, 2).

        Raises:
            ValueError: for features or bounds of another shape, or a stretch outside the features.
        """
        values = np.asarray(features, dtype=np.float64)
        pairs = np.asarray(bounds, dtype=np.intp).reshape(-1, 2)
        if values.ndim != 2:
            raise ValueError(f"features need shape (frames, dim); got {values.shape}")
        if len(pairs) and not (
            pairs.min() >= 0 and pairs.max() <= len(values) and (pairs[:, 0] <= pairs[:, 1]).all()
        ):
            raise ValueError(f"stretches have to lie in the {len(values)} frames; got {pairs.tolist()[:5]}")
        parts = [values[first:last] for first, last in pairs.tolist()]
        dim = values.shape[1]
        return cls(
            np.array([len(part) for part in parts], dtype=np.float64),
            np.array([part.sum(axis=0) for part in parts]).reshape(-1, dim),
            np.array([part.T @ part for part in parts]).reshape(-1, dim, dim),
        )

    @classmethod
    def of_labels(cls, features: ArrayLike, labels: NDArray[np.intp]) -> Self:
        """Collect from features (frames, dim) by label (frames,), numbered from 0."""
        values = np.asarray(features, dtype=np.float64)
        order = np.argsort(labels, kind="stable")
        edges = np.searchsorted(labels[order], np.arange(labels.max(initial=-1) + 2))
        return cls.of(values[order], np.stack([edges[:-1], edges[1:]], axis=1))

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Put batches one after the other."""
        return cls(
            np.concatenate([part.count for part in parts]),
            np.concatenate([part.total for part in parts]),
            np.concatenate([part.square for part in parts]),
        )

    @property
    def dim(self) -> int:
        """Dimensions of a frame."""
        return int(self.total.shape[-1])

    @property
    def mean(self) -> Array:
        """Mean of each stretch, (stretches, dim); zero for stretches without frames."""
        return np.asarray(self.total / np.maximum(self.count, 1)[..., None])

    @property
    def covariance(self) -> Array:
        """Maximum-likelihood covariance, (stretches, dim, dim), plus a small ridge: never singular."""
        mean = self.mean
        raw = self.square / np.maximum(self.count, 1)[..., None, None]
        return np.asarray(raw - mean[..., :, None] * mean[..., None, :] + _RIDGE * np.eye(self.dim))

    @property
    def log_determinant(self) -> Array:
        """Logarithm of the determinant of each covariance, (stretches,)."""
        covariance = self.covariance
        sign, value = np.linalg.slogdet(covariance)
        # Rounding may outweigh the ridge where a covariance has no full rank; eigenvalues tell, slowly.
        doubtful = ~((sign > 0) & (value > self.dim * np.log(_RIDGE)))
        if doubtful.any():
            eigenvalues = np.linalg.eigvalsh(covariance[doubtful])
            value[doubtful] = np.log(np.maximum(eigenvalues, _RIDGE)).sum(axis=-1)
        return np.asarray(value)

    @property
    def diagonal_log_determinant(self) -> Array:
        """The same for covariances whose other entries are taken for zero, (stretches,)."""
        variances = np.diagonal(self.covariance, axis1=-2, axis2=-1)
        return np.asarray(np.log(np.maximum(variances, _RIDGE)).sum(axis=-1))

    def log_density(self, features: ArrayLike) -> Array:
        """Log density of frames (frames, dim) under the Gaussian of each stretch, (frames, stretches)."""
        values = np.asarray(features, dtype=np.float64)
        columns = []
        for mean, covariance, determinant in zip(
            self.mean, self.covariance, self.log_determinant, strict=True
        ):
            distance = np.einsum("nd,nd->n", (values - mean) @ np.linalg.pinv(covariance), values - mean)
            columns.append(-0.5 * (self.dim * np.log(2 * np.pi) + determinant + distance))
        return np.array(columns).reshape(-1, len(values)).T

    def __len__(self) -> int:
        return len(self.count)

    def __getitem__(self, index: slice | NDArray[np.intp] | NDArray[np.bool_]) -> Moments:
        """Some of the stretches, still as a batch."""
        return Moments(self.count[index], self.total[index], self.square[index])

    def __add__(self, other: Moments) -> Moments:
        """Join stretches pair by pair; a batch of one is joined with every stretch of the other."""
        return Moments(self.count + other.count, self.total + other.total, self.square + other.square)


def adjacent(features: ArrayLike, width: int, hop: int) -> tuple[NDArray[np.intp], Moments, Moments]:
    """Moments of the `width` frames before and after every `hop`-th frame that has so many on both sides.

    Args:
        features: (frames, dim).
        width: frames in a window, a multiple of `hop`.
        hop: frames between two places.

    Returns:
        Places as frame indices (places,), and moments of the windows that end and that begin there.
    """
    values = np.asarray(features, dtype=np.float64)
    if values.ndim != 2 or hop < 1 or width < hop or width % hop:
        raise ValueError(
            f"windows need features (frames, dim) and a width that is a multiple of a hop ≥ 1; "
            f"got {values.shape}, {width} and {hop}"
        )
    blocks, span = len(values) // hop, width // hop
    cells = values[: blocks * hop].reshape(blocks, hop, values.shape[1])
    squares = np.matmul(cells.transpose(0, 2, 1), cells)  # (blocks, dim, dim)
    windows = max(0, blocks - span + 1)
    total = _windowed(cells.sum(axis=1), span, windows)
    square = _windowed(squares, span, windows)
    moments = Moments(np.full(windows, float(width)), total, square)
    places = (np.arange(max(0, windows - span)) + span) * hop
    return places, moments[: len(places)], moments[span : span + len(places)]


def _windowed(values: Array, span: int, windows: int) -> Array:
    """Sums over `span` consecutive rows, (rows, …) → (windows, …)."""
    total = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
    return np.asarray(total[span : span + windows] - total[:windows])
