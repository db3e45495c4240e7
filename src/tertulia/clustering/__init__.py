"""Which vectors are one speaker."""

from tertulia.clustering.agglomerative import AgglomerativeClusterer
from tertulia.clustering.base import Clusterer, Labels
from tertulia.clustering.duration import DurationClusterer

__all__ = ["CLUSTERERS", "Clusterer", "Labels"]

CLUSTERERS: dict[str, type] = {
    "agglomerative": AgglomerativeClusterer,
    "duration": DurationClusterer,
}
