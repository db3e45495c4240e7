"""Mixtures of diagonal Gaussians: fitting by EM, and adaptation of a background model.

Sources: Reynolds, Quatieri & Dunn, "Speaker verification using adapted Gaussian mixture models", Digital
Signal Processing 10 (2000), whose equation numbers stand below; Dempster, Laird & Rubin (1977) for EM.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["GMM", "Statistics", "adapted", "em_step", "fit"]

Array = NDArray[np.float64]
Parameter = Literal["weights", "means", "variances"]

_CHUNK = 20_000  # frames whose posteriors are in memory at once
_ABSOLUTE_FLOOR = 1e-6  # variance below which nothing is told apart, whatever the data
_EMPTY = 1e-8  # frames below which a component has seen nothing


@dataclass(frozen=True, slots=True, eq=False)
class GMM:
    """A mixture of Gaussians with diagonal covariances.

    Attributes:
        weights: (components,), positive, adding up to one.
        means: (components, dim).
        variances: (components, dim), positive.
    """

    weights: Array
    means: Array
    variances: Array

    def __post_init__(self) -> None:
        for name in ("weights", "means", "variances"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        if self.means.ndim != 2 or not len(self.means) or self.variances.shape != self.means.shape:
            raise ValueError(
                f"a mixture needs means and variances of shape (components, dim); got {self.means.shape} "
                f"and {self.variances.shape}"
            )
        if self.weights.shape != self.means.shape[:1] or not (self.weights > 0).all():
            raise ValueError(f"a mixture needs a positive weight for each of its {len(self.means)} means")
        if not ((self.variances > 0).all() and np.isfinite(self.means).all()):
            raise ValueError("a mixture needs finite means and positive variances")

    def __len__(self) -> int:
        """Count the components."""
        return len(self.weights)

    @property
    def dim(self) -> int:
        """Dimensions of a frame."""
        return int(self.means.shape[1])

    def log_components(self, features: ArrayLike) -> Array:
        """Log of weight times density of every component, (frames, components)."""
        values = _frames(features, self.dim)
        precision = 1 / self.variances
        constant = (
            np.log(self.weights)
            - 0.5 * (self.dim * np.log(2 * np.pi) + np.log(self.variances).sum(axis=1))
            - 0.5 * (self.means**2 * precision).sum(axis=1)
        )
        linear = values @ (self.means * precision).T
        return np.asarray(constant + linear - 0.5 * (values**2) @ precision.T)

    def log_likelihood(self, features: ArrayLike) -> Array:
        """Log density of each frame, (frames, dim) → (frames,)."""
        values = _frames(features, self.dim)
        parts = [
            _log_sum(self.log_components(values[first : first + _CHUNK]))
            for first in range(0, len(values), _CHUNK)
        ]
        return np.concatenate(parts) if parts else np.empty(0)


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """What a mixture has seen of some frames, component by component; it adds up over frames.

    Attributes:
        count: (components,), sum of the posteriors; Reynolds eq. 8.
        first: (components, dim), of posterior times frame; n E(x) of eq. 9.
        second: (components, dim), of posterior times squared frame; n E(x²) of eq. 10.
        log_likelihood: of all frames.
        frames: how many.
    """

    count: Array
    first: Array
    second: Array
    log_likelihood: float
    frames: int

    @classmethod
    def of(cls, model: GMM, features: ArrayLike) -> Statistics:
        """Collect from frames (frames, dim), which may be none."""
        values = _frames(features, model.dim)
        count, first, second = np.zeros(len(model)), np.zeros_like(model.means), np.zeros_like(model.means)
        log_likelihood = 0.0
        for begin in range(0, len(values), _CHUNK):
            part = values[begin : begin + _CHUNK]
            joint = model.log_components(part)
            density = _log_sum(joint)
            posterior = np.exp(joint - density[:, None])  # Reynolds eq. 7
            count += posterior.sum(axis=0)
            first += posterior.T @ part
            second += posterior.T @ part**2
            log_likelihood += float(density.sum())
        return cls(count, first, second, log_likelihood, len(values))

    def __add__(self, other: Statistics) -> Statistics:
        return Statistics(
            self.count + other.count,
            self.first + other.first,
            self.second + other.second,
            self.log_likelihood + other.log_likelihood,
            self.frames + other.frames,
        )


def em_step(model: GMM, seen: Statistics, floor: ArrayLike = 0.0) -> GMM:
    """Make the next model of what this one has seen: weights, means and variances of maximum likelihood.

    A component that has seen nothing keeps its mean and variances.

    Args:
        model: the one that `seen` was collected with.
        seen: statistics of at least one frame.
        floor: smallest variance, (dim,) or a number.
    """
    if not seen.frames:
        raise ValueError("a mixture cannot be fitted to no frames")
    filled = seen.count > _EMPTY
    count = np.where(filled, seen.count, 1.0)[:, None]
    means = np.where(filled[:, None], seen.first / count, model.means)
    variances = np.where(filled[:, None], seen.second / count - means**2, model.variances)
    weights = np.maximum(seen.count, _EMPTY)
    return GMM(weights / weights.sum(), means, np.maximum(variances, np.maximum(floor, _ABSOLUTE_FLOOR)))


def fit(
    features: ArrayLike,
    components: int,
    *,
    iterations: int = 20,
    tolerance: float = 1e-4,
    floor: float = 0.01,
    seed: int = 0,
) -> GMM:
    """Fit a mixture by EM from a few rounds of k-means.

    Args:
        features: (frames, dim), at least one frame; there is at most one component a frame.
        components: how many.
        iterations: rounds of EM at most.
        tolerance: gain of the mean log likelihood of a frame below which EM stops.
        floor: smallest variance of a component as a share of the variance of all frames.
        seed: of the choice of the first means.

    Raises:
        ValueError: for no frames, or a number of components or iterations below one.
    """
    values = np.asarray(features, dtype=np.float64)
    if values.ndim != 2 or not len(values) or components < 1 or iterations < 1:
        raise ValueError(
            f"a mixture needs frames (frames ≥ 1, dim), components and iterations from 1; "
            f"got {values.shape}, {components} and {iterations}"
        )
    variance = np.maximum(values.var(axis=0), _ABSOLUTE_FLOOR)
    model = _start(values, min(components, len(values)), variance, np.random.default_rng(seed))
    before = -np.inf
    for _ in range(iterations):
        seen = Statistics.of(model, values)
        mean = seen.log_likelihood / seen.frames
        if mean - before < tolerance:
            break
        model, before = em_step(model, seen, floor * variance), mean
    return model


def adapted(
    background: GMM, seen: Statistics, relevance: float = 16.0, parameters: tuple[Parameter, ...] = ("means",)
) -> GMM:
    """Adapt a background model towards what it has seen: maximum a posteriori.

    Args:
        background: the one that `seen` was collected with.
        seen: statistics, of no frames as well: then nothing changes.
        relevance: frames at which a component is half-way between the two.
        parameters: what is adapted; for speakers, means alone.
    """
    if relevance <= 0:
        raise ValueError(f"the relevance factor is above zero; got {relevance}")
    count = np.maximum(seen.count, 1e-10)[:, None]
    share = seen.count / (seen.count + relevance)  # α, Reynolds eq. 14
    alpha = share[:, None]
    result = background
    means = alpha * seen.first / count + (1 - alpha) * background.means  # eq. 12
    if "weights" in parameters:
        weights = share * seen.count / max(seen.frames, 1) + (1 - share) * background.weights  # eq. 11
        result = replace(result, weights=weights / weights.sum())  # γ
    if "variances" in parameters:
        kept = background.variances + background.means**2
        centre = means if "means" in parameters else background.means
        variances = alpha * seen.second / count + (1 - alpha) * kept - centre**2  # eq. 13
        result = replace(result, variances=np.maximum(variances, _ABSOLUTE_FLOOR))
    return replace(result, means=means) if "means" in parameters else result


def _start(values: Array, components: int, variance: Array, random: np.random.Generator) -> GMM:
    """Means of a few rounds of k-means from frames chosen at random; weights and variances of their cells."""
    few = values[random.permutation(len(values))[: max(50 * components, 2000)]]
    scaled = few / np.sqrt(variance)
    means = scaled[:components].copy()
    for _ in range(5):
        nearest = ((means**2).sum(axis=1) - 2 * scaled @ means.T).argmin(axis=1)
        total = np.zeros_like(means)
        np.add.at(total, nearest, scaled)
        count = np.bincount(nearest, minlength=components)
        means = np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], means)
    weights = np.maximum(count, 1) / np.maximum(count, 1).sum()
    return GMM(weights, means * np.sqrt(variance), np.tile(variance, (components, 1)))


def _frames(features: ArrayLike, dim: int) -> Array:
    values = np.asarray(features, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != dim:
        raise ValueError(f"this mixture needs features of shape (frames, {dim}); got {values.shape}")
    return values


def _log_sum(joint: Array) -> Array:
    """Log of the sum of exponentials over components, (frames, components) → (frames,)."""
    top = joint.max(axis=1)
    return np.asarray(top + np.log(np.exp(joint - top[:, None]).sum(axis=1)))
