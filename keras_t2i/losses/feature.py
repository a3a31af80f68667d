"""Compares fakes with real pictures directly, beside the adversarial game."""

from keras import ops

from keras_t2i.ops import replicas


def matching(fake, real):
    """Draws the average fake's features to the average real picture's.

    The generator gets a goal that doesn't run away when it is losing.

    Args:
        fake: (B, ..., C) float. The discriminator's features of fakes.
        real: (B, ..., C) float. Of real pictures; no gradient flows here.

    Returns:
        () float32 >= 0: squared difference of the two batch means (over all
        replicas), averaged over the remaining axes.

    Source:
        Salimans et al. 2016, section 3.1, arXiv:1606.03498. Ours differs:
        a mean over features where the paper sums (the released GAN-CLS code
        of aelnouby does the same).
    """
    fake, real = (
        replicas.mean(ops.mean(ops.cast(x, "float32"), axis=0))
        for x in (fake, ops.stop_gradient(real))
    )
    return ops.mean(ops.square(fake - real))


def perceptual(fake, real):
    """Draws each fake to its picture in the eyes of a frozen network.

    Args:
        fake: (B, ..., C) float. The network's features of fakes.
        real: (B, ..., C) float. Of the pictures that the captions were taken
            from; no gradient flows here.

    Returns:
        () float32 >= 0: mean squared difference.

    Source:
        Johnson et al. 2016, section 3.2, arXiv:1603.08155; what Zhang et al.
        2021, arXiv:2101.04702, hold their contrastive loss against.
    """
    fake = ops.cast(fake, "float32")
    real = ops.cast(ops.stop_gradient(real), "float32")
    return ops.mean(ops.square(fake - real))


def pixel(fake, real):
    """Draws each fake to the picture that its caption was taken from.

    Args:
        fake: (B, H, W, 3) float in [-1, 1].
        real: (B, H, W, 3) float in [-1, 1].

    Returns:
        () float32 in [0, 2]: mean absolute difference.

    Source:
        Isola et al. 2017, eq. 3, arXiv:1611.07004.
    """
    difference = ops.cast(fake, "float32") - ops.cast(real, "float32")
    return ops.mean(ops.abs(difference))


def seeking(pictures, others, noise, other_noise):
    """Asks that other noise gives another picture of the same sentence.

    A generator that has stopped listening to its noise is told so.

    Args:
        pictures: (B, H, W, 3) float in [-1, 1].
        others: (B, H, W, 3) float, of the same sentences.
        noise: (B, Z) float, what `pictures` were drawn from.
        other_noise: (B, Z) float, what `others` were drawn from.

    Returns:
        () float32 > 0: the inverse of mean(|pictures - others|) /
        mean(|noise - other_noise|).

    Source:
        Mao et al. 2019, eq. 5, arXiv:1903.05628, with the released code's
        inverse and epsilon of 1e-5.
    """
    ratio = pixel(pictures, others) / pixel(noise, other_noise)
    return 1.0 / (ratio + 1e-5)
