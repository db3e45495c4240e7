"""One voice, one vector."""

from tertulia.embedding.adapters import ResNet34, XVector
from tertulia.embedding.campplus import CAMPPlus, CAMPPlusWindow
from tertulia.embedding.voices import Embedder, Voices, unit

__all__ = ["EMBEDDERS", "Embedder", "Voices", "unit"]

EMBEDDERS: dict[str, type] = {
    "campplus": CAMPPlus,
    "campplus-window": CAMPPlusWindow,
    "resnet34": ResNet34,
    "xvector": XVector,
}
