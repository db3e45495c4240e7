"""Who is active when, inside each window."""

from tertulia.segmentation.activity import Activity, Segmenter
from tertulia.segmentation.powerset import PowersetSegmenter

__all__ = ["SEGMENTERS", "Activity", "Segmenter"]

SEGMENTERS: dict[str, type] = {"powerset": PowersetSegmenter}
