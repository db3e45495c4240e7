"""An embedding network with what its training needs: features, masks, classifiers, losses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tertulia.errors import UsageError
from tertulia.networks.frontend import LogMel
from tertulia.training.augment import Augmentation
from tertulia.training.losses import AngularMargin, Softmax, contrastive, distillation
from tertulia.training.speech import Data
from tertulia.training.task import Model
from tertulia.training.teacher import CropTeacher

__all__ = ["VoiceAugmentation", "VoiceData", "VoiceLoss", "VoiceModel"]

_FRAME = 0.01  # s
_FADING = 0.01  # share of a batch in the mean of the teacher's embeddings, once there are as many


@dataclass(frozen=True)
class VoiceData(Data):
    """What is learnt from, see `tertulia.training.speech.Data`.

    Args:
        passes: how often an epoch goes through all of it.
    """

    passes: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.passes < 1:
            raise UsageError(f"data.passes is 1 or more; got {self.passes}")


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
        hears: what the teacher embeds: whole `utterances`, once and for all, or `crops`, as they are before
            augmentation and on the way. Every crop, voice and word then has a target of its own, at the cost
            of running the teacher beside the learner.
    """

    softmax: float = 0.0
    margin: float = 0.0
    angle: float = 0.2
    scale: float = 30.0
    contrastive: float = 0.0
    temperature: float = 0.1
    distillation: float = 0.0
    teacher: str = "campplus-window"
    hears: Literal["utterances", "crops"] = "utterances"

    def __post_init__(self) -> None:
        weights = (self.softmax, self.margin, self.contrastive, self.distillation)
        if min(weights) < 0 or not any(weights):
            raise UsageError("loss needs weights from 0, and one of them above: softmax, margin, …")

    @property
    def teaches_crops(self) -> bool:
        """Whether a teacher embeds every crop."""
        return self.distillation > 0 and self.hears == "crops"


class VoiceModel(Model):
    """An embedding network with what its training needs."""

    centre: Tensor
    batches: Tensor

    def __init__(
        self, network: nn.Module, loss: VoiceLoss, augmentation: VoiceAugmentation, classes: int
    ) -> None:
        super().__init__()
        self.network, self.loss, self.augmentation = network, loss, augmentation
        self.features = LogMel()
        dim = int(network.dim)  # type: ignore[arg-type]
        self.softmax = Softmax(dim, classes) if loss.softmax else None
        self.margin = AngularMargin(dim, classes, loss.angle, loss.scale) if loss.margin else None
        self._teacher = CropTeacher() if loss.teaches_crops else None
        if self._teacher is not None:
            if dim != self._teacher.dim:
                raise UsageError(
                    f"the teacher's embeddings have {self._teacher.dim} dimensions, the network's {dim}"
                )
            self.register_buffer("centre", torch.zeros(dim))  # mean of the teacher's embeddings so far
            self.register_buffer("batches", torch.zeros((), dtype=torch.int64))  # that it has seen

    def embed(self, waveforms: Tensor) -> Tensor:
        """Embed waveforms (batch, samples) → (batch, dim); in training, with masked features."""
        features = self._features(waveforms)
        if self.training and self.augmentation.masks:
            features = self._masked(features)
        embeddings: Tensor = self.network(features)
        return embeddings

    def _features(self, waveforms: Tensor) -> Tensor:
        """Compute features without their mean, (batch, samples) → (batch, frames, bands)."""
        # Powers of a spectrum span more than bfloat16 can tell apart.
        with torch.autocast(waveforms.device.type, enabled=False):
            features: Tensor = self.features(waveforms)
            return features - features.mean(dim=1, keepdim=True)

    @torch.no_grad()
    def _taught(self, teacher: CropTeacher, waveforms: Tensor) -> Tensor:
        """Let the teacher embed a batch, free of what all voices share; (batch, samples) → (batch, dim)."""
        embeddings = teacher(self._features(waveforms))
        self.batches += 1
        share = torch.clamp(1 / self.batches, min=_FADING)
        self.centre.lerp_(embeddings.mean(dim=0), share)
        return F.normalize(embeddings - self.centre, dim=1)

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
            if self._teacher is None:
                targets = batch["targets"]
            else:
                targets = self._taught(self._teacher, batch["clean"])
            losses["loss_distillation"] = loss.distillation * distillation(embeddings, targets)
        return losses
