"""Says what real, fake and mismatched scores should be, in three manners.

Each manner is a `Game` of three functions from scores to a mean loss, so a
system names its own terms and logs each of them.
"""

from collections.abc import Callable
from typing import NamedTuple

from keras import ops


class Game(NamedTuple):
    """The two players' opposing wishes about a score.

    Attributes:
        real: (B,) scores -> () float32, small when they look real.
        fake: (B,) scores -> () float32, small when they look fake.
        fool: (B,) scores -> () float32, the generator's wish about its fakes.
    """

    real: Callable
    fake: Callable
    fool: Callable


def binary_cross_entropy(logits, target: float):
    """Measures how far logits are from one target probability.

    Args:
        logits: (B,) float, any range, before the sigmoid.
        target: float in [0, 1].

    Returns:
        () float32 >= 0: mean over the batch.

    Source:
        Goodfellow et al. 2014, eq. 1, arXiv:1406.2661.
    """
    logits = ops.cast(logits, "float32")
    return ops.mean(ops.softplus(logits) - target * logits)


def bce(real_target: float = 1.0, saturating: bool = False) -> Game:
    """Plays the original game on logits.

    Args:
        real_target: float in (0, 1]. What real scores are drawn to; 0.9 is
            one-sided label smoothing.
        saturating: bool. Whether the generator minimises log(1 - D), as the
            minimax equation says, rather than -log D, as everybody does.

    Returns:
        The game, each function a mean over the batch.

    Raises:
        ValueError: if `real_target` is not in (0, 1].

    Source:
        Goodfellow et al. 2014, eq. 1 and section 3, arXiv:1406.2661;
        smoothing: Salimans et al. 2016, section 3.4, arXiv:1606.03498.
    """
    if not 0.0 < real_target <= 1.0:
        raise ValueError(f"real_target is {real_target}; allowed: (0, 1].")

    def fool(scores):
        if saturating:
            return -binary_cross_entropy(scores, 0.0)
        return binary_cross_entropy(scores, 1.0)

    return Game(
        real=lambda scores: binary_cross_entropy(scores, real_target),
        fake=lambda scores: binary_cross_entropy(scores, 0.0),
        fool=fool,
    )


def hinge() -> Game:
    """Plays the hinge game: scores beyond the margin of 1 count no more.

    Returns:
        The game, each function a mean over the batch.

    Source:
        Lim and Ye 2017, eq. 3-4, arXiv:1705.02894.
    """
    return Game(
        real=lambda scores: ops.mean(ops.relu(1.0 - _float(scores))),
        fake=lambda scores: ops.mean(ops.relu(1.0 + _float(scores))),
        fool=lambda scores: -ops.mean(_float(scores)),
    )


def wasserstein() -> Game:
    """Plays the Wasserstein game: the critic's means, nothing squashed.

    Returns:
        The game, each function a mean over the batch.

    Source:
        Arjovsky et al. 2017, algorithm 1, arXiv:1701.07875.
    """
    return Game(
        real=lambda scores: -ops.mean(_float(scores)),
        fake=lambda scores: ops.mean(_float(scores)),
        fool=lambda scores: -ops.mean(_float(scores)),
    )


def _float(scores):
    return ops.cast(scores, "float32")
