"""Gaussian models of features: single Gaussians, mixtures, adaptation, and the best way through states."""

from tertulia.gaussians.distances import bic_penalty, bic_shift, glr, kl2
from tertulia.gaussians.mixture import GMM, Statistics, adapted, em_step, fit
from tertulia.gaussians.moments import Moments, adjacent
from tertulia.gaussians.paths import runs, viterbi

__all__ = [
    "GMM",
    "Moments",
    "Statistics",
    "adapted",
    "adjacent",
    "bic_penalty",
    "bic_shift",
    "em_step",
    "fit",
    "glr",
    "kl2",
    "runs",
    "viterbi",
]
