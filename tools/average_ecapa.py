"""Make `ecapa-best-frames.onnx` and `ecapa-best-pooling.onnx` of two runs.

    python tools/average_ecapa.py recipes/ecapa-best.toml runs/ecapa-taught runs/ecapa-best -o DIR \\
        --data speech=speakers.tsv --data test=FOLDER_WITH_RTTM

The second run began with the first. What lies between the two in the space of parameters knows what both
know (M. Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022). Then the embeddings are freed
of the mean that they have over the training speech as it was recorded: both runs heard it in noise and at
other speeds, so that this mean is not zero. Prints the equal error rates of the dev and test speakers before
and after, by share of the first run, and writes the network with the share that was asked for. Needs the
`train` extra.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from platformdirs import user_cache_path
from safetensors.torch import load_file

from tertulia.training import make_task, read_recipe
from tertulia.training.run import CHECKPOINT
from tertulia.training.speech import Speech
from tertulia.training.task import Model

SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)
BATCH = 32
SPEECH = 1000  # training utterances that the mean is taken over
PREFIX = "model."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("runs", type=Path, nargs=2)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--data", action="append", default=[], metavar="KEY=PATH")
    parser.add_argument("--keep", type=float, default=0.5, help="share of the first run")
    parser.add_argument("--cache", type=Path, default=user_cache_path("tertulia") / "training")
    options = parser.parse_args()
    recipe = read_recipe(options.recipe, dict(item.split("=", 1) for item in options.data))
    task = make_task(recipe, options.cache, print)
    first, second = (parameters(run / CHECKPOINT) for run in options.runs)
    model = task.model().eval()
    print("| of the first | EER, dev % | EER, test % | without the mean: dev | test |\n|---|---|---|---|---|")
    for share in (*(s for s in SHARES if s != options.keep), options.keep):  # what stays is written
        mix(model, first, second, share)
        before = task.evaluate(model)
        centre(model, task.speech)
        rates = [*before.values(), *task.evaluate(model).values()]
        print(f"| {share:g} | {' | '.join(f'{100 * rate:.2f}' for rate in rates)} |", flush=True)
    options.output.mkdir(parents=True, exist_ok=True)
    for name, text in task.finish(model, options.output, recipe.name).items():
        print(f"{name}: {text}")


def parameters(checkpoint: Path) -> dict[str, Any]:
    """Parameters of the network of a run, by name."""
    named = {n.removeprefix(PREFIX): value for n, value in load_file(checkpoint).items()}
    return {name: value for name, value in named.items() if name.startswith("network.")}


def mix(model: Model, first: dict[str, Any], second: dict[str, Any], share: float) -> None:
    """Give a model so much of the first and the rest of the second."""
    model.load_state_dict(
        {
            name: torch.lerp(value, first[name], share) if value.is_floating_point() else value
            for name, value in second.items()
        },
        strict=False,
    )


@torch.no_grad()
def centre(model: Model, speech: Speech) -> None:
    """Take from the last normalisation the mean of the embeddings of training speech."""
    pieces = [i for i in speech.splits["train"] if speech.pack.length(i) >= speech.measured]
    pieces = sorted(np.random.default_rng(0).permutation(pieces)[:SPEECH].tolist())
    total = torch.zeros(model.network.dim)
    for begin in range(0, len(pieces), BATCH):
        crops = np.stack([speech.middle(i) for i in pieces[begin : begin + BATCH]])
        total += model.embed(torch.from_numpy(crops)).sum(dim=0)
    model.network.output.bias -= total / len(pieces)


if __name__ == "__main__":
    main()
