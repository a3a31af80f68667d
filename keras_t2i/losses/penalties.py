"""Keeps a discriminator's slope small where it matters."""

from keras import ops


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
    squares = 0.0
    for slope in slopes:
        rows = ops.cast(
            ops.reshape(slope, (ops.shape(slope)[0], -1)), "float32"
        )
        squares += ops.sum(ops.square(rows), axis=1)
    return ops.mean(ops.power(squares, power / 2.0))
