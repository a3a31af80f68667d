"""Keeps what is drawn at random near the standard normal."""

from keras import ops

from keras_t2i.ops import vectors


def divergence(mean, log_variance):
    """Measures how far normal distributions are from the standard one.

    Args:
        mean: (B, C) float.
        log_variance: (B, C) float, the logarithm of the variance.

    Returns:
        () float32 >= 0: Kullback-Leibler divergence, mean over the batch and
        over the C numbers.

    Source:
        Zhang et al. 2017, eq. 4, arXiv:1612.03242, as AttnGAN's code weighs
        it: the mean over the numbers, where the equation has their sum.
    """
    mean, spread = vectors.widened(mean, log_variance)
    return -0.5 * ops.mean(1.0 + spread - ops.square(mean) - ops.exp(spread))
