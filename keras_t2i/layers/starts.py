"""Where weights start, as the reference frameworks start them."""

import keras


def dcgan():
    """Starts convolutions as DCGAN does: normal, deviation 0.02.

    Source:
        Radford et al. 2016, section 4, arXiv:1511.06434.
    """
    return keras.initializers.RandomNormal(0.0, 0.02)


def dcgan_scale():
    """Starts a normalisation's factor as DCGAN does: normal around 1.

    Source:
        Radford et al. 2016, the released Torch code.
    """
    return keras.initializers.RandomNormal(1.0, 0.02)


def orthogonal():
    """Starts a kernel as a rotation: it keeps lengths, as far as it can.

    Source:
        Saxe et al. 2014, arXiv:1312.6120.
    """
    return keras.initializers.Orthogonal(1.0)


def even(bound):
    """Starts weights evenly within -bound and bound.

    Args:
        bound: float > 0.

    Returns:
        `keras.initializers.Initializer`; each call makes one of its own, as
        one that is shared draws alike.
    """
    return keras.initializers.RandomUniform(-bound, bound)


def torch_linear():
    """Starts a dense kernel as Torch does: even within 1 / sqrt(inputs).

    Source:
        torch.nn.Linear; LeCun et al. 1998, section 4.6.
    """
    return keras.initializers.VarianceScaling(
        scale=1.0 / 3.0, mode="fan_in", distribution="uniform"
    )


def torch_bias(fan_in):
    """Starts a bias as Torch does: even within 1 / sqrt(inputs).

    Args:
        fan_in: int. How many numbers each output is summed from.

    Returns:
        `keras.initializers.Initializer`.

    Source:
        torch.nn.Linear and torch.nn.Conv2d.
    """
    return even(fan_in**-0.5)
