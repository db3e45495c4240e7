"""An embedding network with what its training needs: features, masks, classifiers, losses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tertulia.errors import UsageError
from tertulia.networks.frontend import LogMel
from tertulia.training.augment import Augmentation
from tertulia.training.losses import AngularMargin, Softmax, contrastive, distillation
from tertulia.training.task import Model

__all__ = ["VoiceAugmentation", "VoiceLoss", "VoiceModel"]

_FRAME = 0.01  # s


@dataclass(frozen=True)
class VoiceAugmentation(Augmentation):
    """Beside what may happen to any waveform.

    Args:
        speeds: factors; a voice at another speed counts as another speaker.
        masks: bands and stretches of time that are blanked in the features of an example, so many of each.
        band: widest band, in mel bands.
        time: longest stretch, in seconds.
    """

    speeds: tuple[float, ...] = (1.0,)
    masks: int = 0
    band: int = 0
    time: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.speeds or not all(isinstance(s, int | float) and 0.5 <= s <= 2 for s in self.speeds):
            raise UsageError(f"augmentation.speeds are factors from 0.5 to 2; got {self.speeds}")


@dataclass(frozen=True)
class VoiceLoss:
    """Weights of what is minimised; zero leaves a term out.

    Args:
        softmax: negative log-likelihood under a linear classifier.
        margin: additive angular margin loss.
        angle, scale: of that.
        contrastive: supervised contrastive loss; needs `data.per_speaker` of 2 or more.
        temperature: of that.
        distillation: distance from the embeddings of `teacher`, for which no labels are needed.
        teacher: an embedding model by name, as for `tertulia diarize --embedding`.
    """

    softmax: float = 0.0
    margin: float = 0.0
    angle: float = 0.2
    scale: float = 30.0
    contrastive: float = 0.0
    temperature: float = 0.1
    distillation: float = 0.0
    teacher: str = "campplus-window"

    def __post_init__(self) -> None:
        weights = (self.softmax, self.margin, self.contrastive, self.distillation)
        if min(weights) < 0 or not any(weights):
            raise UsageError("loss needs weights from 0, and one of them above: softmax, margin, …")


class VoiceModel(Model):
    """An embedding network with what its training needs."""

    def __init__(
        self, network: nn.Module, loss: VoiceLoss, augmentation: VoiceAugmentation, classes: int
    ) -> None:
        super().__init__()
        self.network, self.loss, self.augmentation = network, loss, augmentation
        self.features = LogMel()
        dim = int(network.dim)  # type: ignore[arg-type]
        self.softmax = Softmax(dim, classes) if loss.softmax else None
        self.margin = AngularMargin(dim, classes, loss.angle, loss.scale) if loss.margin else None

    def embed(self, waveforms: Tensor) -> Tensor:
        """Embed waveforms (batch, samples) → (batch, dim); in training, with masked features."""
        # Powers of a spectrum span more than bfloat16 can tell apart.
        with torch.autocast(waveforms.device.type, enabled=False):
            features = self.features(waveforms)  # (batch, frames, bands)
            features = features - features.mean(dim=1, keepdim=True)
            if self.training and self.augmentation.masks:
                features = self._masked(features)
        embeddings: Tensor = self.network(features)
        return embeddings

    def _masked(self, features: Tensor) -> Tensor:
        """Blank bands and stretches of time, other ones in every example (SpecAugment)."""
        longest = round(self.augmentation.time / _FRAME)
        for axis, most in ((1, longest), (2, self.augmentation.band)):
            size = features.shape[axis]
            places = torch.arange(size, device=features.device)[None]  # (1, size)
            for _ in range(self.augmentation.masks):
                width = torch.rand(len(features), 1, device=features.device) * most
                begin = torch.rand(len(features), 1, device=features.device) * (size - width)
                blank = (places >= begin) & (places < begin + width)  # (batch, size)
                features = features.masked_fill(blank[:, :, None] if axis == 1 else blank[:, None, :], 0.0)
        return features

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return weighted losses by name."""
        embeddings, labels, loss = self.embed(batch["waveforms"]).float(), batch["labels"], self.loss
        losses: dict[str, Tensor] = {}
        if self.softmax is not None:
            losses["loss_softmax"] = loss.softmax * self.softmax(embeddings, labels)
        if self.margin is not None:
            losses["loss_margin"] = loss.margin * self.margin(embeddings, labels)
        if loss.contrastive:
            losses["loss_contrastive"] = loss.contrastive * contrastive(embeddings, labels, loss.temperature)
        if loss.distillation:
            losses["loss_distillation"] = loss.distillation * distillation(embeddings, batch["targets"])
        return losses
