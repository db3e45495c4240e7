"""sherpa-onnx with the two networks that tertulia bundles, in the form that `sherpa_models.py` gives them.

Settings: `models`, the folder these lie in; `threshold`, the cosine distance at which clustering stops.
Everything else is as sherpa-onnx has it by default.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from worker import Diarize, Turn, serve


def load(threads: int, settings: Mapping[str, str]) -> Diarize:
    import sherpa_onnx
    import soundfile

    models = Path(settings["models"])
    segmentation = sherpa_onnx.OfflineSpeakerSegmentationPyannoteModelConfig(
        str(models / "segmentation.onnx")
    )
    config = sherpa_onnx.OfflineSpeakerDiarizationConfig(
        segmentation=sherpa_onnx.OfflineSpeakerSegmentationModelConfig(segmentation, num_threads=threads),
        embedding=sherpa_onnx.SpeakerEmbeddingExtractorConfig(
            str(models / "embedding.onnx"), num_threads=threads
        ),
        clustering=sherpa_onnx.FastClusteringConfig(threshold=float(settings["threshold"])),
    )
    if not config.validate():
        raise SystemExit(f"sherpa-onnx refuses {config}")
    diarizer = sherpa_onnx.OfflineSpeakerDiarization(config)

    def diarize(path: Path) -> list[Turn]:
        samples, rate = soundfile.read(path, dtype="float32")
        if rate != diarizer.sample_rate:
            raise ValueError(f"{path}: {rate} Hz; sherpa-onnx takes {diarizer.sample_rate}")
        turns = diarizer.process(samples).sort_by_start_time()
        return [(turn.start, turn.end, str(turn.speaker)) for turn in turns]

    return diarize


if __name__ == "__main__":
    serve(load)
