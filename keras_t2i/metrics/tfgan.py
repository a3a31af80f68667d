"""Frechet and kernel distance and classifier score, computed by TF-GAN.

The only file that knows how TF-GAN is imported: `import tensorflow_gan` fails
on today's TensorFlow (tensorflow/gan#55), though the functions wanted here
work. They are loaded alone, from the installed package's own files.
"""

import contextlib
import functools
import importlib
import importlib.metadata
import importlib.util
import pathlib
import sys
import threading
import types

import numpy as np

from keras_t2i.metrics import inception_score as parts
from keras_t2i.metrics import rows
from keras_t2i.ops import noise

#: Rows of one block of the kernel distance; more rows make several blocks.
BLOCK = 2048

_PACKAGES = {
    "tensorflow_gan": "tensorflow-gan",
    "tensorflow_probability": "tensorflow-probability",
    "tf_keras": "tf-keras",
    "distutils": "setuptools",  # gone from Python 3.12; TFP still asks for it
}
_EVAL = "tensorflow_gan.python.eval"
_LOCK = threading.Lock()


def fid(real, fake) -> float:
    """Measures how far two clouds of features lie apart, as normal clouds.

    The fewer rows, the larger the answer: compare only equal counts.

    Args:
        real: (N, C) float, N >= 2. Features of the reference pictures.
        fake: (M, C) float, M >= 2. Features of the pictures in question.

    Returns:
        |m - m'|^2 + Tr(S + S' - 2 (S S')^(1/2)), computed in float64.

    Raises:
        ValueError: if shapes do not fit or a value is not finite.
        ImportError: if TF-GAN or what it needs is not installed.

    Source:
        Heusel et al. 2017, eq. 6, arXiv:1706.08500, by TF-GAN's
        `frechet_classifier_distance_from_activations`.
        Ours differs: only in name. Which network made the features is the
        caller's to say; with another than Inception it is no "FID".
    """
    real, fake = _pair(real, fake)
    measure = _tfgan().frechet_classifier_distance_from_activations
    return float(measure(real, fake))


def kid(real, fake, *, seed: int = 0) -> float:
    """Measures how far two clouds of features lie apart, without bias.

    Args:
        real: (N, C) float, N >= 2. Features of the reference pictures.
        fake: (M, C) float, M >= 2. Features of the pictures in question.
        seed: key of the order in which rows are dealt into blocks; it matters
            only where there are more than `BLOCK` rows.

    Returns:
        The squared maximum mean discrepancy with kernel (x.y / C + 1)^3,
        averaged over blocks; about 0, and now and then below, for two samples
        of one distribution.

    Raises:
        ValueError: if shapes do not fit, a value is not finite, or a block
            would have fewer than two rows of either side.
        ImportError: if TF-GAN or what it needs is not installed.

    Source:
        Binkowski et al. 2018, section 4, arXiv:1801.01401, by TF-GAN's
        `kernel_classifier_distance_from_activations`.
        Ours differs: blocks of up to 2,048 rows instead of 1,024, float64,
        and rows are shuffled, which TF-GAN leaves to its caller.
    """
    real, fake = _pair(real, fake)
    rows.blocks(BLOCK, len(real), len(fake))
    measure = _tfgan().kernel_classifier_distance_from_activations
    answer = measure(
        _shuffled(real, seed, "real"),
        _shuffled(fake, seed, "fake"),
        max_block_size=BLOCK,
        dtype="float64",
    )
    return float(answer)


def inception_score(logits) -> float:
    """Measures how surely and how variedly pictures are recognised.

    Args:
        logits: (N, K) float, N >= 1. A classifier's answers to the pictures.

    Returns:
        exp of the mean divergence of the answers from their average: 1 when
        all are alike, K when sure and evenly spread. No splits.

    Raises:
        ValueError: if the shape does not fit or a value is not finite.
        ImportError: if TF-GAN or what it needs is not installed.

    Source:
        Salimans et al. 2016, section 4, arXiv:1606.03498, by TF-GAN's
        `classifier_score_from_logits`.
        Ours differs: one score over all rows, not the mean of 10 splits.
    """
    logits = np.float64(rows.checked("logits", logits))
    return float(_tfgan().classifier_score_from_logits(logits))


def inception_scores(logits, splits: int = 10) -> np.ndarray:
    """Measures the score of each of several equal parts.

    Args:
        logits: (N, K) float, N >= splits. A classifier's answers to the
            pictures, in the order in which they are parted.
        splits: how many parts; part i is rows i * N // splits to
            (i + 1) * N // splits.

    Returns:
        (splits,) float64. Published figures are their mean and standard
        deviation (divided by `splits`).

    Raises:
        ValueError: if the shape does not fit, there are fewer pictures than
            parts, or a value is not finite.
        ImportError: if TF-GAN or what it needs is not installed.

    Source:
        Salimans et al. 2016, section 4, arXiv:1606.03498, by TF-GAN's
        `classifier_score_from_logits` on each part.
    """
    logits = np.float64(rows.checked("logits", logits))
    ends = parts.bounds(len(logits), splits)
    measure = _tfgan().classifier_score_from_logits
    pieces = np.split(logits, ends[1:-1])
    return np.array([float(measure(piece)) for piece in pieces])


def version() -> str:
    """Reads which TF-GAN is installed.

    Returns:
        Its version number.

    Raises:
        ImportError: if TF-GAN or what it needs is not installed.
    """
    _check_installed()
    return importlib.metadata.version("tensorflow-gan")


def _check_installed() -> None:
    missing = [
        pip
        for module, pip in _PACKAGES.items()
        if importlib.util.find_spec(module) is None
    ]
    if missing:
        raise ImportError(
            "FID, KID and the inception score are computed by TF-GAN, which "
            f"needs packages that are not installed: {', '.join(missing)}. "
            f"Install them with: pip install {' '.join(missing)}"
        )


@functools.cache
def _tfgan() -> types.ModuleType:
    """Loads TF-GAN's file of distances, and only what that file needs."""
    _check_installed()
    found = importlib.util.find_spec("tensorflow_gan")
    root = pathlib.Path(found.submodule_search_locations[0])
    with _bare_parents(root):
        return importlib.import_module(f"{_EVAL}.classifier_metrics")


@contextlib.contextmanager
def _bare_parents(root: pathlib.Path):
    """Lets files below TF-GAN be imported without running its packages.

    Empty modules stand for the packages meanwhile. Afterwards every entry of
    `sys.modules` below "tensorflow_gan" is as before, so whoever imports the
    package later meets the real one.
    """
    folders = {
        "tensorflow_gan": root,
        "tensorflow_gan.python": root / "python",
        _EVAL: root / "python" / "eval",
    }
    with _LOCK:
        before = _take_out()
        try:
            for name, folder in folders.items():
                package = types.ModuleType(name)
                package.__path__ = [str(folder)]
                sys.modules[name] = package
            yield
        finally:
            _take_out()
            sys.modules.update(before)


def _take_out() -> dict[str, types.ModuleType]:
    names = [n for n in sys.modules if n.split(".")[0] == "tensorflow_gan"]
    return {name: sys.modules.pop(name) for name in names}


def _pair(real, fake) -> tuple[np.ndarray, np.ndarray]:
    real, fake = rows.pair(real, fake)
    return np.float64(real), np.float64(fake)


def _shuffled(side: np.ndarray, seed: int, salt: str):
    import tensorflow as tf

    order = noise.permutation(noise.key(seed, salt=f"kid {salt}"), len(side))
    return tf.constant(side[order.numpy()])
