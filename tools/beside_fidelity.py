r"""Holds our figures against torch-fidelity's on the same features.

    python -m tools.beside_fidelity --torch_python=~/torch/bin/python
    python -m tools.beside_fidelity --torch_python=... \
        --real=DIR --fake=DIR --network=inception_2015 --network_weights=FILE

Two sets of pictures are shown to one of our judges, and what it answers is
handed to both sides: FID, KID with the same draws, the Inception score in 10
parts of the same order, precision and recall. Without --real and --fake,
--count=500 training pictures of OpenMoji stand against as many test pictures
(or all there are) at half the size.

torch-fidelity is run by --torch_python, for it need not live beside
TensorFlow: pip install torch torchvision torch-fidelity==0.4.0 (before that it
had precision and recall the other way round). The last line is JSON; the exit
code is 1 if a figure differs by more than --within=0.001 of its size.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from absl import flags

from keras_t2i import weights
from keras_t2i.data import openmoji, picture_files
from keras_t2i.metrics import (
    features,
    inception_score,
    kernel,
    moments,
    neighbours,
)
from recipes import messages
from tools import peers

_THEIRS = pathlib.Path(__file__).parent / "fidelity_side.py"
_TORCH = flags.DEFINE_string(
    "torch_python", sys.executable, "A Python that has torch-fidelity."
)
_REAL = flags.DEFINE_string("real", None, "Folder of PNG and JPEG files.")
_FAKE = flags.DEFINE_string("fake", None, "Another.")
_NETWORK = flags.DEFINE_enum(
    "network", "lite0", weights.judges.NAMES, "Our judge that looks at them."
)
_WEIGHTS = flags.DEFINE_string("network_weights", None, "Where they lie.")
_COUNT = flags.DEFINE_integer(
    "count", 500, "Pictures of OpenMoji a set, at most.", lower_bound=20
)
_WITHIN = flags.DEFINE_float("within", 1e-3, "Difference allowed.")

_SEED, _SPLITS, _SUBSETS, _NEIGHBOURS = 2020, 10, 50, 3


def main(_):
    """Compares what the flags ask for."""
    peers.check(_TORCH.value, "torch_fidelity")
    real, fake = _pictures()
    judge = weights.judges.load(_NETWORK.value, _WEIGHTS.value)
    seen = [features.extract(each, judge) for each in (real, fake)]
    counts = [len(each["pooled"]) for each in seen]
    settings = {
        "kid_subsets": _SUBSETS,
        "kid_subset_size": min(counts) // 2,
        "rng_seed": _SEED,
        "splits": _SPLITS,
        "neighborhood": _NEIGHBOURS,
    }
    our_figures = ours(*seen, settings["kid_subset_size"])
    answer = theirs(*seen, settings)
    row = {
        **compared(our_figures, answer["figures"]),
        "counts": counts,
        "network": judge.name,
        "kid_subset_size": settings["kid_subset_size"],
        "versions": answer["versions"],
    }
    for name, (mine, other) in row["figures"].items():
        print(f"{name:32} {mine:14.9g} {other:14.9g}")
    print(json.dumps(row))
    return 0 if row["largest_difference"] <= _WITHIN.value else 1


def ours(real: dict, fake: dict, size: int) -> dict[str, float]:
    """Measures by this library.

    Args:
        real: answers of a judge to the real pictures.
        fake: to the others.
        size: rows of a draw of the kernel distance.

    Returns:
        Figures by torch-fidelity's names.
    """
    one, two, logits = real["pooled"], fake["pooled"], fake["logits"]
    order = np.random.RandomState(_SEED).permutation(len(logits))
    scores = inception_score.of_logits(logits[order], _SPLITS)
    kid = kernel.over_subsets(one, two, drawn=_draws(len(one), len(two), size))
    near = neighbours.prdc(one, two, nearest=_NEIGHBOURS)
    return {
        "frechet_inception_distance": moments.frechet_distance(
            moments.Moments.of(one), moments.Moments.of(two)
        ),
        "kernel_inception_distance_mean": kid[0],
        "kernel_inception_distance_std": kid[1],
        "inception_score_mean": float(scores.mean()),
        "inception_score_std": float(scores.std()),
        "precision": near["precision"],
        "recall": near["recall"],
    }


def theirs(real: dict, fake: dict, settings: dict) -> dict:
    """Measures by torch-fidelity.

    Args:
        real: answers of a judge to the real pictures.
        fake: to the others.
        settings: of `fidelity_side`.

    Returns:
        "figures" by their names, and "versions".

    Raises:
        ValueError: if its program fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "features.npz")
        np.savez(
            path,
            real=real["pooled"],
            fake=fake["pooled"],
            logits=fake["logits"],
        )
        python = os.path.expanduser(_TORCH.value)
        words = [python, str(_THEIRS), path, json.dumps(settings)]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise ValueError("torch-fidelity failed; its words stand above.")
    return json.loads(done.stdout.splitlines()[-1])


def compared(mine: dict[str, float], others: dict[str, float]) -> dict:
    """Lays figures side by side.

    Args:
        mine: name -> figure.
        others: the same names, and perhaps more.

    Returns:
        "figures", name -> both; "differences", name -> difference over the
        other's size; "largest_difference".
    """
    pairs = {name: (value, others[name]) for name, value in mine.items()}
    apart = {
        name: abs(one - two) / max(abs(two), 1e-12)
        for name, (one, two) in pairs.items()
    }
    return {
        "largest_difference": max(apart.values()),
        "differences": apart,
        "figures": pairs,
    }


def _pictures():
    """Batches of both sets."""
    if bool(_REAL.value) != bool(_FAKE.value):
        raise ValueError("Give both of --real and --fake, or neither.")
    if _REAL.value:
        folders = messages.folder("real", _REAL.value), _FAKE.value
        messages.folder("fake", _FAKE.value)
        return [picture_files.opened(f, least=20).batches() for f in folders]
    real, fake = (
        openmoji.load(part).images[: _COUNT.value] for part in ("train", "test")
    )
    coarse = fake[:, ::2, ::2].repeat(2, axis=1).repeat(2, axis=2)
    return [features.in_batches(each) for each in (real, coarse)]


def _draws(real: int, fake: int, size: int):
    """The rows that torch-fidelity draws; of the generated ones first."""
    random = np.random.RandomState(_SEED)
    pairs = [
        [random.choice(count, size, replace=False) for count in (fake, real)]
        for _ in range(_SUBSETS)
    ]
    of_fake, of_real = zip(*pairs, strict=True)
    return of_real, of_fake


if __name__ == "__main__":
    messages.run(main)
