"""One voice, one vector."""

from tertulia.embedding.adapters import ResNet34, XVector, published
from tertulia.embedding.campplus import CAMPPlus, CAMPPlusWindow
from tertulia.embedding.ecapa import ECAPA
from tertulia.embedding.resnet50 import ResNet50
from tertulia.embedding.siamese import Siamese
from tertulia.embedding.voices import Embedder, Voices, unit
from tertulia.embedding.window import PerWindow

__all__ = ["EMBEDDERS", "Embedder", "PerWindow", "Voices", "published", "unit"]

EMBEDDERS: dict[str, type] = {
    "campplus": CAMPPlus,
    "campplus-window": CAMPPlusWindow,
    "ecapa": ECAPA,
    "resnet34": ResNet34,
    "resnet50": ResNet50,
    "siamese": Siamese,
    "xvector": XVector,
}
