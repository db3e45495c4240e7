"""Who is active when, inside each window."""

from tertulia.segmentation.activity import Activity, Segmenter
from tertulia.segmentation.powerset import PowersetSegmenter
from tertulia.segmentation.scenes import CRDNNSegmenter, SceneSegmenter
from tertulia.segmentation.sortformer import SortformerSegmenter
from tertulia.segmentation.speech import EnergySegmenter, SileroSegmenter

__all__ = ["SEGMENTERS", "Activity", "Segmenter"]

SEGMENTERS: dict[str, type] = {
    "crdnn": CRDNNSegmenter,
    "energy": EnergySegmenter,
    "powerset": PowersetSegmenter,
    "scenes": SceneSegmenter,
    "silero": SileroSegmenter,
    "sortformer": SortformerSegmenter,
}
