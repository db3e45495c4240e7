"""Make `resnet50-frames.onnx` and `resnet50-projection.onnx`: ResNet50 voices in 8 bits.

    python tools/quantize_resnet50.py runs/resnet50/resnet50 VOICES.tsv --exclude-from REFERENCES

The first argument is what the two files of a training run begin with. Needs the `train` extra. Weights are
signed and by channel, activations unsigned, their ranges the extremes over windows of 1.5 s of speech made of
VOICES (see `quantize_campplus.py`); the first convolution, which looks at features, stays in 32 bits. Prints
the sizes and how near vectors of other windows come to those of the original.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from quantize_campplus import CALIBRATION, CHECK, RATE, Stretches, heard, stretches
from tertulia.embedding.resnet50 import ResNet50
from tertulia.features import fbank
from tertulia.inference import WEIGHTS, Network

WINDOW = round(1.5 * RATE)  # samples
PRECISE = "/first/"

Array = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("voices", type=Path)
    parser.add_argument("--exclude-from", type=Path, required=True)
    parser.add_argument("--target", type=Path, default=WEIGHTS / "resnet50")
    options = parser.parse_args()
    whole = ResNet50(weights=options.run)
    speech = stretches(options.voices, heard(options.exclude_from))
    batches = [features(samples) for samples in itertools.islice(speech, CALIBRATION + CHECK)]
    pooled = [whole.frames(features=batch).mean(axis=1) for batch in batches]
    made = {half: Path(f"{options.target}-{half}.onnx") for half in ("frames", "projection")}
    frames = [{"features": batch} for batch in batches[:CALIBRATION]]
    quantize(whole.frames.path, made["frames"], frames)
    quantize(whole.projection.path, made["projection"], [{"pooled": each} for each in pooled[:CALIBRATION]])
    for path in made.values():
        print(f"{path.name}: {path.stat().st_size} bytes")
    check(whole, {half: Network(str(path)) for half, path in made.items()}, batches[CALIBRATION:])


def features(samples: Array) -> Array:
    """Features of the windows of a stretch, without their means, (windows, time, 80)."""
    windows = samples[: len(samples) // WINDOW * WINDOW].reshape(-1, WINDOW)
    rows = np.stack([fbank(window, centred=False) for window in windows])
    return np.asarray(rows - rows.mean(axis=1, keepdims=True), dtype=np.float32)


def quantize(source: Path, target: Path, inputs: Sequence[Mapping[str, Array]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        folded = Path(folder) / "folded.onnx"
        quant_pre_process(str(source), str(folded), skip_symbolic_shape=True)
        layers = [n.name for n in onnx.load(folded).graph.node if n.op_type in ("Conv", "Gemm", "MatMul")]
        quantize_static(
            str(folded),
            str(target),
            Stretches(list(inputs)),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=[name for name in layers if PRECISE not in name],
            op_types_to_quantize=["Conv", "Gemm", "MatMul"],
        )


def check(whole: ResNet50, quantized: Mapping[str, Network], batches: Sequence[Array]) -> None:
    """Print the cosine between vectors of both networks."""
    cosines = []
    for batch in batches:
        original = whole.projection(pooled=whole.frames(features=batch).mean(axis=1))
        frames = quantized["frames"](features=batch)
        cosines.append((original * quantized["projection"](pooled=frames.mean(axis=1))).sum(axis=1))
    all_of_them = np.concatenate(cosines)
    low = np.quantile(all_of_them, 0.05)
    print(f"{len(all_of_them)} windows of 1.5 s: mean cosine {all_of_them.mean():.4f}, 5 % below {low:.4f}")


if __name__ == "__main__":
    main()
