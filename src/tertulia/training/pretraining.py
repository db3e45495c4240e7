"""Task `wav2vec`: an encoder learns from speech alone, no labels, to tell what stands under a mask.

Source: A. Baevski, H. Zhou, A. Mohamed and M. Auli, "wav2vec 2.0: A framework for self-supervised learning of
speech representations" (NeurIPS 2020); equation numbers are those of that paper. Instead of 100 drawn
distractors, all other masked frames of a crop are distractors: a crop of some seconds has no more. As they
are all of one voice, the voice is of no help; where distractors come from the whole batch, it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from tertulia.config import from_table
from tertulia.errors import InputError, UsageError
from tertulia.networks.wav2vec import Quantizer, Wav2Vec
from tertulia.training.augment import Augmentation, Augmenter
from tertulia.training.encoders import EncoderWidths, save_encoder
from tertulia.training.recipe import Recipe
from tertulia.training.speech import Data as SpeechData
from tertulia.training.speech import Evaluation, Speech
from tertulia.training.task import Model

__all__ = ["MaskedLoss", "PretrainingModel", "PretrainingTask", "contrast", "spans"]

_BATCH = 16
_TESTS = 128  # crops of held-out speakers
_TEST = 1 << 34  # numbers of test crops begin here


@dataclass(frozen=True)
class Data(SpeechData):
    """What is learnt from, see `tertulia.training.speech.Data`; only crops that need no padding are taken.

    Args:
        start: probability that a span of masked frames begins at a frame.
        span: frames of one.
    """

    start: float = 0.065
    span: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 < self.start < 1 and self.span >= 1 and self.dev_speakers >= 2):
            raise UsageError("data needs start in (0, 1), span from 1 and dev_speakers from 2")


@dataclass(frozen=True)
class MaskedLoss:
    """What is minimised.

    Args:
        groups: G of the quantiser.
        entries: V of each; with none, targets are not quantised but a linear map of the latents, as one of
            the ablations in the paper has it, and something is learnt in far fewer steps.
        distractors: from the same `crop`, as in the paper, or from the whole `batch`; the latter needs
            targets that are not quantised.
        temperature: κ of the contrastive loss (eq. 3).
        diversity: α of the diversity loss (eq. 2).
        first, last: temperature τ of the draws of entries, at first and at last (eq. 1).
        decay: factor of it at every step.
    """

    groups: int = 2
    entries: int = 64
    distractors: Literal["crop", "batch"] = "crop"
    temperature: float = 0.1
    diversity: float = 0.1
    first: float = 2.0
    last: float = 0.5
    decay: float = 0.999

    def __post_init__(self) -> None:
        if not (
            self.groups >= 1
            and self.entries >= 0
            and self.entries != 1
            and self.diversity >= 0
            and 0 < self.decay <= 1
        ):
            raise UsageError(
                "loss needs groups from 1, entries from 2 or none, diversity from 0, decay in (0, 1]"
            )
        if self.distractors == "batch" and self.entries:
            raise UsageError("loss.distractors can be batch where entries = 0, so that nothing is quantised")
        if not (self.temperature > 0 and 0 < self.last <= self.first):
            raise UsageError("loss needs temperature above 0 and 0 < last <= first")


class PretrainingModel(Model):
    """An encoder with its quantiser."""

    network: Wav2Vec
    steps: Tensor

    def __init__(self, network: Wav2Vec, loss: MaskedLoss) -> None:
        super().__init__()
        self.network, self.loss = network, loss
        self.target: nn.Module
        if loss.entries:
            self.target = Quantizer(network.wide, loss.groups, loss.entries, network.channels)
        else:
            self.target = nn.Linear(network.wide, network.channels)
        self.register_buffer("steps", torch.zeros((), dtype=torch.float64))

    def logits(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Compare the contexts of masked frames with what may stand there.

        Returns:
            cosines over κ (masked frames, candidates), which candidate is right (masked frames,), and the
            perplexity of the entries.
        """
        latents, masked = self.network.latent(batch["waveforms"]), batch["masked"]
        contexts = self.network.normalize(self.network.layers(latents, masked)[-1]).float()
        targets, entries, perplexity = self._targets(latents)
        if self.loss.distractors == "batch":
            cosines = F.normalize(contexts[masked], dim=1) @ F.normalize(targets[masked].float(), dim=1).T
            right = torch.arange(len(cosines), device=cosines.device)
        else:
            cosines = contrast(contexts, targets.float(), entries, masked)
            right = torch.nonzero(masked)[:, 1]
        return cosines / self.loss.temperature, right, perplexity

    def _targets(self, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Targets (batch, time, dim) of latents, what they are made of (batch, time, any), the perplexity."""
        batch, time, _ = latents.shape
        if self.loss.entries == 0:
            every = torch.arange(time, device=latents.device).expand(batch, -1)[..., None]
            # What all frames that compete share would make all cosines alike.
            channels = latents.float().transpose(1, 2)
            if self.loss.distractors == "crop":
                centred = F.instance_norm(channels)
            else:
                centred = F.batch_norm(channels, None, None, training=True)
            return self.target(centred.transpose(1, 2)), every, latents.new_ones(())
        temperature = max(self.loss.last, self.loss.first * self.loss.decay ** float(self.steps))
        quantized, entries, perplexity = self.target(latents.flatten(0, 1), temperature)
        return quantized.view(batch, time, -1), entries.view(batch, time, -1), perplexity

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the contrastive loss of masked frames (eq. 3) and the diversity loss (eq. 4)."""
        logits, right, perplexity = self.logits(batch)
        if self.training:
            self.steps += 1
        losses = {"loss_contrastive": F.cross_entropy(logits, right)}
        if self.loss.entries:
            losses["loss_diversity"] = self.loss.diversity * (1 - perplexity)
        return losses


def contrast(contexts: Tensor, quantized: Tensor, entries: Tensor, masked: Tensor) -> Tensor:
    """Cosines of the context of each masked frame with the quantised latents of the masked of its crop.

    What is not masked does not compete, nor what is quantised like the right answer.

    Args:
        contexts: (batch, time, dim).
        quantized: (batch, time, dim).
        entries: what they are made of, (batch, time, groups).
        masked: (batch, time), bool.

    Returns:
        (masked frames of all crops, time), minus infinity for what does not compete.
    """
    cosine = F.normalize(contexts, dim=2) @ F.normalize(quantized, dim=2).transpose(1, 2)
    own = torch.eye(masked.shape[1], dtype=torch.bool, device=masked.device)
    alike = (entries[:, :, None] == entries[:, None]).all(dim=3)  # (batch, time, time)
    competes = own | (masked[:, None] & ~alike)
    return cosine.masked_fill(~competes, -torch.inf)[masked]


def spans(frames: int, start: float, span: int, rng: Generator) -> NDArray[np.bool_]:
    """Draw a mask (frames,) of spans that may overlap (section 3.1); there are always two masked frames."""
    begins = np.flatnonzero(rng.random(frames) < start)
    if not len(begins):
        begins = rng.integers(0, max(1, frames - span), 1)
    masked = np.zeros(frames, dtype=bool)
    for begin in begins.tolist():
        masked[begin : begin + max(span, 2)] = True
    masked[-2:] |= masked.sum() < 2
    return masked


class PretrainingTask:
    """Speech in, an encoder out.

    Args:
        recipe: its tables are those of `Data`, `EncoderWidths`, `MaskedLoss` and `Augmentation`.
        cache: folder for decoded sound.
        report: told what is left out.
    """

    def __init__(self, recipe: Recipe, cache: Path, report: Callable[[str], None]) -> None:
        name = recipe.name
        self.data = from_table(Data, recipe.data, f"{name}.data")
        self.widths = from_table(EncoderWidths, recipe.network, f"{name}.network")
        self.loss = from_table(MaskedLoss, recipe.loss, f"{name}.loss")
        augmentation = from_table(Augmentation, recipe.augmentation, f"{name}.augmentation")
        if self.data.speech is None:
            raise UsageError(f"{name}.data.speech is not set: --data speech=PATH")
        measured = Evaluation(seconds=self.data.crop, utterances=2)
        self.speech = Speech.read(self.data.speech, self.data, measured, recipe.seed, cache, report)
        rate = self.speech.pack.sample_rate
        self._augment = Augmenter(augmentation, None, None, rate, recipe.seed)
        self._crop = round(self.data.crop * rate)
        self._frames = self.widths().latent(torch.zeros(1, self._crop)).shape[1]
        self._pieces = {name: self._long(name) for name in ("train", "dev")}
        if not all(self._pieces.values()):
            raise InputError(f"no utterances of {self.data.crop:g} s or more in the training or dev split")

    def _long(self, split: str) -> list[int]:
        """Utterances of a split, each as often as a crop fits into it."""
        times = {i: self.speech.pack.length(i) // self._crop for i in self.speech.splits[split]}
        return [i for i, count in times.items() for _ in range(count)]

    @property
    def identity(self) -> dict[str, Any]:
        """The sound in a few digits, and how it is split."""
        return {
            "sound": self.speech.pack.digest,
            "crops": {name: len(mine) for name, mine in self._pieces.items()},
        }

    # ── examples ─────────────────────────────────────────────────────────────────────────────────────

    def order(self, rng: Generator) -> NDArray[np.intp]:
        """Every crop once."""
        return rng.permutation(len(self._pieces["train"]))

    def example(self, number: int, rng: Generator) -> dict[str, NDArray[Any]]:
        """A crop: `waveforms` (samples,) and `masked` (frames,)."""
        return self._made(self._pieces["train"][number], rng)

    def _made(self, piece: int, rng: Generator) -> dict[str, NDArray[Any]]:
        pack = self.speech.pack
        start = int(rng.integers(pack.length(piece) - self._crop + 1))
        samples = self._augment(pack.read(piece, start, self._crop), rng)
        return {
            "waveforms": samples,
            "masked": spans(self._frames, self.data.start, self.data.span, rng),
        }

    # ── model ────────────────────────────────────────────────────────────────────────────────────────

    def model(self) -> PretrainingModel:
        """A new network."""
        return PretrainingModel(self.widths(), self.loss)

    def evaluate(self, model: PretrainingModel) -> dict[str, float]:
        """Share of masked frames of other speakers that are told among their distractors."""
        device = next(model.parameters()).device
        pieces, right, total, entries = self._pieces["dev"][:_TESTS], 0, 0, 0.0
        for begin in range(0, len(pieces), _BATCH):
            made = [
                self._made(piece, np.random.default_rng(_TEST + begin + i))
                for i, piece in enumerate(pieces[begin : begin + _BATCH])
            ]
            batch = {key: torch.from_numpy(np.stack([m[key] for m in made])).to(device) for key in made[0]}
            with torch.no_grad():
                logits, expected, perplexity = model.logits(batch)
            right += int((logits.argmax(dim=1) == expected).sum())
            total += len(expected)
            entries += float(perplexity) * len(made)
        return {"accuracy_dev": right / total, "perplexity_dev": entries / len(pieces)}

    def finish(self, model: PretrainingModel, folder: Path, name: str) -> dict[str, Any]:
        """Write the encoder as safetensors: the task `siamese` takes it from there."""
        path = folder / f"{name}.safetensors"
        save_encoder(model.network, self.widths, path)
        figures = self.evaluate(model)
        return {
            "files": f"`{path.name}` ({path.stat().st_size} bytes)",
            "network": f"wav2vec, {sum(p.numel() for p in model.network.parameters())} parameters",
            "data": self.speech.describe(),
            "masked frames told, dev": f"{figures['accuracy_dev']:.2%}",
            "perplexity of the entries, dev": f"{figures['perplexity_dev']:.2%} of all",
        }
