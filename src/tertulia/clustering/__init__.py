"""Which vectors are one speaker."""

from tertulia.clustering.agglomerative import AgglomerativeClusterer
from tertulia.clustering.base import Clusterer, Labels
from tertulia.clustering.duration import DurationClusterer
from tertulia.clustering.kmeans import KMeansClusterer
from tertulia.clustering.programmed import ILPClusterer

__all__ = ["CLUSTERERS", "Clusterer", "Labels"]

CLUSTERERS: dict[str, type] = {
    "agglomerative": AgglomerativeClusterer,
    "duration": DurationClusterer,
    "ilp": ILPClusterer,
    "kmeans": KMeansClusterer,
}
