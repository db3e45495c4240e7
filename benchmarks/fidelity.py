"""How close the system `pyannote-3.1` is to pyannote.audio's own pipeline with the same two networks.

Both diarize every recording of a folder that has an RTTM beside it. The table shows their error rates against
it (no collar, overlap scored), and that of ours when pyannote's output is taken for the truth. Folders in the
folder are subsets, pooled apart. It ends with 1 if the pooled error rates of a subset differ by more than
`--bound`.

pyannote.audio runs in a Python of its own, which needs no tertulia:

    python -m venv peer
    peer/bin/pip install "pyannote.audio>=4,<5" onnxruntime kaldi-native-fbank soundfile
    python benchmarks/fidelity.py FOLDER --run --python peer/bin/python --keep out/

What lies in `out/pyannote` and `out/tertulia` already is not computed again: empty it after changes. With
`--hyp out/pyannote` instead of `--run`, recordings that have no output of pyannote there are left out.

pyannote breaks ties between speakers by an unstable sort, so its own output differs a little from one
processor to the next; `--stable-ties` makes it take the first.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import soundfile

import tertulia
from tertulia.evaluation import DiarizationError, diarization_error
from tertulia.inference import WEIGHTS

AUDIO = (".wav", ".flac", ".ogg", ".opus", ".mp3")
PEER = Path(__file__).with_name("pyannote_reference.py")


@dataclass(frozen=True)
class Recording:
    audio: Path
    reference: Path

    @property
    def subset(self) -> str:
        return self.audio.parent.name

    def scored(self) -> tertulia.Timeline:
        return tertulia.Timeline([(0.0, soundfile.info(self.audio).duration)])


@dataclass(frozen=True)
class Comparison:
    """Error records, which add up over recordings."""

    pyannote: DiarizationError
    ours: DiarizationError
    between: DiarizationError

    def __add__(self, other: Comparison) -> Comparison:
        return Comparison(
            self.pyannote + other.pyannote, self.ours + other.ours, self.between + other.between
        )

    @property
    def difference(self) -> float:
        return 100 * (self.ours.der - self.pyannote.der)

    def __str__(self) -> str:
        rates = (100 * error.der for error in (self.pyannote, self.ours, self.between))
        return " ".join(f"{rate:9.2f}" for rate in (*rates, self.difference))


def recordings(folder: Path) -> list[Recording]:
    found = [
        Recording(audio, audio.with_suffix(".rttm"))
        for audio in sorted(folder.rglob("*"))
        if audio.suffix.lower() in AUDIO and audio.with_suffix(".rttm").is_file()
    ]
    names = [recording.audio.stem for recording in found]
    if twice := {name for name in names if names.count(name) > 1}:
        sys.exit(f"{folder} holds more than one recording of the name {min(twice)}")
    return found


def run_pyannote(python: str, wanted: list[Recording], out: Path, options: list[str]) -> None:
    audio = [str(r.audio) for r in wanted if not (out / r.reference.name).exists()]
    if audio:
        subprocess.run([python, str(PEER), str(WEIGHTS), str(out), *audio, *options], check=True)


def run_ours(system: str, wanted: list[Recording], out: Path, threads: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    diarizer = tertulia.load(system, threads=threads)
    for recording in wanted:
        result = out / recording.reference.name
        if not result.exists():
            diarizer(recording.audio).write(result)
            print(recording.audio.stem, flush=True)


def compare(recording: Recording, pyannote: Path, ours: Path) -> Comparison:
    truth, theirs, mine = (
        tertulia.Diarization.read(folder / recording.reference.name)
        for folder in (recording.reference.parent, pyannote, ours)
    )
    scored = recording.scored()
    return Comparison(
        diarization_error(truth, theirs, uem=scored),
        diarization_error(truth, mine, uem=scored),
        diarization_error(theirs, mine, uem=scored),
    )


def report(compared: dict[Recording, Comparison], bound: float) -> bool:
    """Print the table and the conclusion; tell whether all subsets are within the bound."""
    width = max(len(recording.audio.stem) for recording in compared)
    print(f"\n{'DER in %':{width}} {'pyannote':>9} {'ours':>9} {'between':>9} {'ours − p.':>9}")
    subsets: dict[str, list[Comparison]] = defaultdict(list)
    for recording, comparison in compared.items():
        subsets[recording.subset].append(comparison)
        print(f"{recording.audio.stem:{width}} {comparison}")
    print()
    within = True
    for subset, parts in subsets.items():
        total = parts[0]
        for part in parts[1:]:
            total += part
        close = abs(total.difference) <= bound
        within &= close
        verdict = f"{'within' if close else 'BEYOND'} {bound:g}"
        print(f"{subset:{width}} {total}   {verdict} ({len(parts)} recordings)")
    return within


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="recordings with an RTTM file of the same name beside each")
    peer = parser.add_mutually_exclusive_group(required=True)
    peer.add_argument("--hyp", type=Path, help="folder of RTTM files that pyannote.audio wrote")
    peer.add_argument("--run", action="store_true", help="run pyannote.audio")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has pyannote.audio")
    parser.add_argument("--stable-ties", action="store_true", help="let pyannote break ties by order")
    parser.add_argument("--system", default="pyannote-3.1", help="the system of ours; default: %(default)s")
    parser.add_argument("--keep", type=Path, help="folder for results, which are taken up again")
    parser.add_argument("--bound", type=float, default=0.5, help="points of DER; default: %(default)s")
    parser.add_argument("--threads", type=int, default=1, help="of each network; default: %(default)s")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    wanted = recordings(given.folder)
    with tempfile.TemporaryDirectory() as scratch:
        keep = given.keep or Path(scratch)
        pyannote, ours = given.hyp or keep / "pyannote", keep / "tertulia"
        if given.run:
            options = [f"--threads={given.threads}", *["--stable-ties"] * given.stable_ties]
            run_pyannote(given.python, wanted, pyannote, options)
        wanted = [recording for recording in wanted if (pyannote / recording.reference.name).exists()]
        if not wanted:
            sys.exit(f"nothing in {given.folder} has both a reference and an output of pyannote")
        run_ours(given.system, wanted, ours, given.threads)
        within = report({recording: compare(recording, pyannote, ours) for recording in wanted}, given.bound)
    sys.exit(not within)


if __name__ == "__main__":
    main()
