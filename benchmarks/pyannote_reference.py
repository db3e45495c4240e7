"""Run pyannote.audio's own 3.1 pipeline with the two networks that tertulia bundles.

Called by `fidelity.py`; it needs no tertulia, only its folder of ONNX files:

    pip install "pyannote.audio>=4,<5" onnxruntime kaldi-native-fbank soundfile
    python benchmarks/pyannote_reference.py src/tertulia/weights out/ a.flac b.wav

Everything but the networks is pyannote's: windows, powerset decisions, masks, statistics pooling, clustering,
reconstruction, turns. Nothing is downloaded, and no usage is reported.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import os
import sys
import warnings
from pathlib import Path
from unittest import mock

os.environ["PYANNOTE_METRICS_ENABLED"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")
if importlib.util.find_spec("torchaudio") is None:
    # pyannote imports it, but uses it only to read and resample; samples at 16 kHz are handed over here.
    for name in (
        "",
        ".compliance",
        ".compliance.kaldi",
        ".functional",
        ".models",
        ".pipelines",
        ".transforms",
    ):
        sys.modules[f"torchaudio{name}"] = mock.MagicMock()

import kaldi_native_fbank as kaldi  # noqa: E402
import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
import soundfile  # noqa: E402
import torch  # noqa: E402
from pyannote.audio import Model  # noqa: E402
from pyannote.audio.core.inference import BaseInference  # noqa: E402
from pyannote.audio.core.task import Problem, Resolution, Specifications  # noqa: E402
from pyannote.audio.models.blocks.pooling import StatsPool  # noqa: E402
from pyannote.audio.pipelines import speaker_diarization  # noqa: E402

RATE = 16_000
SETTINGS = {
    "clustering": {"method": "centroid", "min_cluster_size": 12, "threshold": 0.7045654963945799},
    "segmentation": {"min_duration_off": 0.0},
}


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class Segmentation(Model):
    """segmentation-3.0: frames of 991 samples every 270."""

    def __init__(self, weights: Path) -> None:
        super().__init__(sample_rate=RATE)
        self.session = session(weights / "segmentation-3.0.onnx")
        self.specifications = Specifications(
            problem=Problem.MONO_LABEL_CLASSIFICATION,
            resolution=Resolution.FRAME,
            duration=10.0,
            classes=["speaker#1", "speaker#2", "speaker#3"],
            powerset_max_classes=2,
            permutation_invariant=True,
        )

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(self.session.run(None, {"waveforms": waveforms.numpy()})[0])

    def num_frames(self, num_samples: int) -> int:
        return (num_samples - 991) // 270 + 1

    def receptive_field_size(self, num_frames: int = 1) -> int:
        return 991 + 270 * (num_frames - 1)

    def receptive_field_center(self, frame: int = 0) -> int:
        return 495 + 270 * frame


class Embedding(BaseInference):
    """CAM++ in the place of pyannote's wrapper around its own embedding networks."""

    sample_rate = RATE
    dimension = 192
    metric = "cosine"
    min_num_samples = 400  # one frame of features

    def __init__(self, weights: Path) -> None:
        self.halves = [session(weights / f"campplus-{half}.onnx") for half in ("frames", "projection")]
        self.pool = StatsPool()
        self.last: tuple[torch.Tensor, torch.Tensor] | None = None

    def to(self, device: torch.device) -> Embedding:  # noqa: ARG002
        return self

    def __call__(self, waveforms: torch.Tensor, masks: torch.Tensor) -> np.ndarray:
        """Waveforms (batch, 1, samples) and masks (batch, frames) → (batch, 192)."""
        pooled = [
            self.pool(self.frames(waveform[0]), weights=mask[None])
            for waveform, mask in zip(waveforms, masks, strict=True)
        ]
        return self.halves[1].run(None, {"statistics": torch.cat(pooled).numpy()})[0]

    def frames(self, samples: torch.Tensor) -> torch.Tensor:
        """Samples → (1, 512, frames); the local speakers of one window come one after the other."""
        if self.last is None or not torch.equal(self.last[0], samples):
            features = fbank(samples.numpy())
            frames = self.halves[0].run(
                None, {"features": features[None], **context((len(features) + 1) // 2)}
            )
            self.last = samples.clone(), torch.from_numpy(frames[0]).transpose(1, 2)
        return self.last[1]


def fbank(samples: np.ndarray) -> np.ndarray:
    """Kaldi's defaults without dither, 80 bands, less their mean; (samples,) → (frames, 80)."""
    options = kaldi.FbankOptions()
    options.frame_opts.dither = 0
    options.mel_opts.num_bins = 80
    extractor = kaldi.OnlineFbank(options)
    extractor.accept_waveform(RATE, samples)
    extractor.input_finished()
    features = np.stack([extractor.get_frame(i) for i in range(extractor.num_frames_ready)])
    return features - features.mean(axis=0)


def context(frames: int) -> dict[str, np.ndarray]:
    """CAM++'s context pooling as matrices: the mean of everything plus that of a block of 100 frames."""
    member = np.arange(frames)[:, None] // 100 == np.arange((frames + 99) // 100)
    matrix = (member / member.sum(axis=0) + 1 / frames).astype(np.float32)
    return {"context": matrix, "spread": np.ascontiguousarray(member.T, np.float32)}


def load(weights: Path) -> speaker_diarization.SpeakerDiarization:
    speaker_diarization.PretrainedSpeakerEmbedding = lambda *_, **__: Embedding(weights)
    speaker_diarization.get_plda = lambda *_, **__: None  # not for this clustering, but would be downloaded
    pipeline = speaker_diarization.SpeakerDiarization(
        segmentation=Segmentation(weights),
        segmentation_batch_size=32,
        embedding="CAM++",
        embedding_batch_size=32,
        embedding_exclude_overlap=True,
        plda=None,
        clustering="AgglomerativeClustering",
    )
    return pipeline.instantiate(SETTINGS)


def with_stable_ties(reconstruct):
    """Let equally active speakers be taken in their order, which NumPy otherwise leaves to the processor."""
    argsort = np.argsort

    @functools.wraps(reconstruct)
    def stable(*args):
        with mock.patch.object(np, "argsort", functools.partial(argsort, kind="stable")):
            return reconstruct(*args)

    return stable


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("weights", type=Path, help="folder with segmentation-3.0.onnx and campplus-*.onnx")
    parser.add_argument("out", type=Path, help="folder for one RTTM file a recording")
    parser.add_argument("audio", type=Path, nargs="+")
    parser.add_argument("--stable-ties", action="store_true", help="take equally active speakers in order")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.out.mkdir(parents=True, exist_ok=True)
    pipeline = load(given.weights)
    if given.stable_ties:
        pipeline.reconstruct = with_stable_ties(pipeline.reconstruct)
    for path in given.audio:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        file = {
            "waveform": torch.from_numpy(samples.T.copy()),
            "sample_rate": rate,
            "uri": path.stem.replace(" ", "_"),
        }
        annotation = pipeline(file).speaker_diarization
        with (given.out / f"{path.stem}.rttm").open("w", encoding="utf-8") as rttm:
            annotation.write_rttm(rttm)
        print(path.stem, flush=True)


if __name__ == "__main__":
    main()
