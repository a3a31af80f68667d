"""aelnouby's GAN-CLS and WGAN-CLS by the names of their PyTorch code.

Some files put "module." before every name (several GPUs), some the part's
own name, "generator." or "discriminator."; both are cut off.
"""

import numpy as np
from keras import layers

from keras_t2i.networks import dcgan_cls
from keras_t2i.weights import rules

GENERATOR_PREFIXES = ("module.", "generator.")
DISCRIMINATOR_PREFIXES = ("module.", "discriminator.")


def generator(model):
    """Writes the rules of `networks.dcgan_cls.generator`."""
    dense, norms, convs = _layers(model, layers.Conv2DTranspose)
    table = _projection(dense[0], norms[0], "projection")
    for i, conv in enumerate(convs):
        table += rules.conv_transpose(conv, f"netG.{3 * i}")
    for i, norm in enumerate(norms[1:]):
        table += rules.batch_norm(norm, f"netG.{3 * i + 1}")
    return table


def discriminator(model):
    """Writes the rules of `networks.dcgan_cls.discriminator`."""
    _, norms, convs = _layers(model.get_layer("trunk"), layers.Conv2D)
    stride = 3 if norms else 2  # without batch norm the numbers close up
    table = []
    for i, conv in enumerate(convs):
        number = stride * i - (1 if norms and i else 0)
        table += rules.conv(conv, f"netD_1.{number}")
    for i, norm in enumerate(norms, 1):
        table += rules.batch_norm(norm, f"netD_1.{3 * i}")
    dense, norms, convs = _layers(model.get_layer("head"), layers.Conv2D)
    table += _projection(dense[0], norms[0], "projector.projection")
    return table + rules.conv(convs[0], "netD_2.0")


def generator_of(arrays):
    """Builds a generator of the arrays' sizes, with fresh weights.

    Args:
        arrays: dict of str -> array, with the reference's names.

    Returns:
        `keras.Model`, as `networks.dcgan_cls.generator` makes it. Where the
        arrays don't say a size it has the published one; `load` then refuses
        them by name.
    """
    found = rules.plain(arrays, GENERATOR_PREFIXES)
    count = _count(found, "netG.", 5)
    projection_dim = rules.size(found, "projection.0.weight", 0, 128)
    joined = rules.size(found, "netG.0.weight", 0, projection_dim + 100)
    return dcgan_cls.generator(
        image_size=4 * 2 ** (count - 1),
        width=rules.size(found, f"netG.{3 * (count - 1)}.weight", 0, 64),
        noise_dim=max(joined - projection_dim, 1),
        text_dim=rules.size(found, "projection.0.weight", 1, 1024),
        projection_dim=projection_dim,
    )


def discriminator_of(arrays):
    """Builds a discriminator of the arrays' sizes, with fresh weights.

    Args:
        arrays: dict of str -> array, with the reference's names.

    Returns:
        `keras.Model`, as `networks.dcgan_cls.discriminator` makes it, with
        batch norm in the trunk if the arrays have it there. Where the arrays
        don't say a size it has the published one.
    """
    found = rules.plain(arrays, DISCRIMINATOR_PREFIXES)
    projection = "projector.projection.0.weight"
    return dcgan_cls.discriminator(
        image_size=4 * 2 ** _count(found, "netD_1.", 4),
        width=rules.size(found, "netD_1.0.weight", 0, 64),
        text_dim=rules.size(found, projection, 1, 1024),
        projection_dim=rules.size(found, projection, 0, 128),
        batch_norm="netD_1.4.weight" not in found,  # with it, no layer has 4
    )


def _layers(model, kind):
    """Dense layers, batch norms and convolutions, from input to output."""
    dense = [each for each in model.layers if isinstance(each, layers.Dense)]
    norms = [each for each in model.layers if hasattr(each, "moving_mean")]
    convs = [each for each in model.layers if isinstance(each, kind)]
    return dense, norms, convs


def _projection(dense, norm, prefix):
    return [
        *rules.dense(dense, f"{prefix}.0"),
        *rules.batch_norm(norm, f"{prefix}.1"),
    ]


def _count(found, prefix, default):
    """How many convolutions the file has; their weights have four axes."""
    weights = [
        key
        for key, array in found.items()
        if key.startswith(prefix) and np.ndim(array) == 4
    ]
    return len(weights) or default
