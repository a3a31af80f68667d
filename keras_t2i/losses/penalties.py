"""Keeps a discriminator's slope small where it matters."""

from keras import ops


def two_sided(slopes):
    """Asks for slopes of length 1, which makes a critic a Wasserstein one.

    Args:
        slopes: (B, ...) float: the gradients of the scores with respect to
            pictures between real and fake ones, one score a picture.

    Returns:
        () float32 >= 0: mean over the batch. The paper weighs it by 10.

    Source:
        Gulrajani et al. 2017, eq. 3, arXiv:1704.00028. Ours differs: 1e-12
        is added under the root, whose slope is infinite at 0.
    """
    length = ops.sqrt(_squares(slopes) + 1e-12)
    return ops.mean(ops.square(length - 1.0))


def matching_aware(slopes, power=6.0):
    """Flattens the score around real pictures with their own sentences.

    The generator then finds no cliff beside the data, and text and picture
    pull together.

    Args:
        slopes: list of (B, ...) float: the gradients of the scores of real,
            matching pairs with respect to the pictures and the sentences.
        power: float. What the gradient's length is raised to.

    Returns:
        () float32 >= 0: mean over the batch. The paper weighs it by 2.

    Source:
        Tao et al. 2022, eq. 2, arXiv:2008.05865. Ours differs: the length is
        raised as (length^2)^(power / 2), so no root is taken, whose slope is
        infinite at 0.
    """
    squares = sum(_squares(slope) for slope in slopes)
    return ops.mean(ops.power(squares, power / 2.0))


def _squares(slope):
    """Sums the squares of each row: (B, ...) -> (B,) float32."""
    rows = ops.reshape(slope, (ops.shape(slope)[0], -1))
    return ops.sum(ops.square(ops.cast(rows, "float32")), axis=1)
