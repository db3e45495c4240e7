"""Make `campplus-frames-int8.onnx`: the frame-level half of CAM++ with 8-bit convolutions.

    python tools/quantize_campplus.py VOICES.tsv --exclude-from REFERENCES

Needs the `train` extra. Ranges of activations are the extremes over stretches of speech made of VOICES
(columns `path`, `speaker` and `corpus`; nobody who speaks in REFERENCES, a folder of RTTM), with a gain and
noise each. Kept in 32 bits are the two layers that look at features (most of the loss is there), the three
that halve the channels, and the gates, which cost next to nothing. Prints how near the vectors of pieces of
1.5 s come to those of the original on stretches that were not used for calibration.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import soundfile
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from tertulia.embedding import CAMPPlus
from tertulia.embedding.pooling import statistics
from tertulia.inference import WEIGHTS, Network
from tertulia.timeline import Diarization

RATE = 16_000
STRETCH = 12 * RATE  # samples
CALIBRATION, CHECK = 20, 12  # stretches
PIECE = 75  # frames in 1.5 s
PRECISE = ("/head/conv1/", "/tdnn/", "/transit", "/cam_layer/linear1/", "/cam_layer/linear2/")

Array = NDArray[np.float32]


class Stretches(CalibrationDataReader):  # type: ignore[misc]
    """Feeds the inputs of the network to the quantizer, one after the other."""

    def __init__(self, inputs: list[Mapping[str, Array]]) -> None:
        self.coming = iter(inputs)

    def get_next(self) -> Mapping[str, Array] | None:
        return next(self.coming, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("voices", type=Path)
    parser.add_argument("--exclude-from", type=Path, required=True)
    options = parser.parse_args()
    embedder = CAMPPlus(precision="float32")
    speech = stretches(options.voices, heard(options.exclude_from))
    inputs = [embedder.inputs(samples) for samples in itertools.islice(speech, CALIBRATION + CHECK)]
    target = WEIGHTS / "campplus-frames-int8.onnx"
    quantize(WEIGHTS / "campplus-frames.onnx", target, inputs[:CALIBRATION])
    check(embedder, Network(str(target)), inputs[CALIBRATION:])


def heard(folder: Path) -> set[str]:
    """Return everybody who speaks in the references of a folder."""
    return {s for path in folder.rglob("*.rttm") for s in Diarization.read(path).speakers}


def stretches(manifest: Path, excluded: set[str]) -> Iterator[Array]:
    """Join utterances of several people to stretches of speech, each with a gain and noise of its own."""
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["speaker"] not in excluded]
    # VoxForge is GPL: nothing that ships is made from it.
    rows = [row for row in rows if row["corpus"] != "VoxForge"]
    rng = np.random.default_rng(0)
    order = iter(rng.permutation(len(rows)))
    while True:
        parts: list[Array] = []
        while sum(map(len, parts)) < STRETCH:
            samples, rate = soundfile.read(manifest.parent / rows[next(order)]["path"], dtype="float32")
            if rate != RATE:
                raise SystemExit(f"{manifest}: utterances must have {RATE} Hz; got {rate}")
            parts.append(samples)
        speech = np.concatenate(parts)[:STRETCH] * 10 ** rng.uniform(-1.5, 0.2)
        noise = rng.standard_normal(STRETCH) * speech.std() * 10 ** rng.uniform(-2, -0.5)
        yield (speech + noise).astype(np.float32)


def quantize(source: Path, target: Path, inputs: list[Mapping[str, Array]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        folded = Path(folder) / "folded.onnx"
        quant_pre_process(str(source), str(folded), skip_symbolic_shape=True)
        convolutions = [node.name for node in onnx.load(folded).graph.node if node.op_type == "Conv"]
        quantize_static(
            str(folded),
            str(target),
            Stretches(inputs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=[name for name in convolutions if not any(part in name for part in PRECISE)],
            op_types_to_quantize=["Conv"],
        )


def check(embedder: CAMPPlus, quantized: Network, inputs: list[Mapping[str, Array]]) -> None:
    """Print the cosine between vectors of both networks."""
    cosines = np.concatenate(
        [(pieces(embedder, embedder.frames, x) * pieces(embedder, quantized, x)).sum(axis=1) for x in inputs]
    )
    low = np.quantile(cosines, 0.05)
    print(f"{len(cosines)} pieces of 1.5 s: mean cosine {cosines.mean():.4f}, 5 % below {low:.4f}")


def pieces(embedder: CAMPPlus, network: Network, inputs: Mapping[str, Any]) -> Array:
    """Vectors of unit length for pieces of a stretch, (pieces, dim)."""
    frames = network(**inputs)[0]
    masks = np.kron(np.eye(len(frames) // PIECE, dtype=np.float32), np.ones(PIECE, np.float32))
    vectors = embedder.projection(statistics=statistics(frames[: masks.shape[1]], masks))
    unit: Array = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


if __name__ == "__main__":
    main()
