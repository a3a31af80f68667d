"""DM-GAN by the names of its PyTorch code.

They are AttnGAN's, but for the memory and the spectral norms; T2I_CL's files
have the same. Some files put "module." (several GPUs) before every name.
"""

from keras_t2i.networks import dm_gan
from keras_t2i.weights import rules
from keras_t2i.weights.families import attngan

PREFIXES = attngan.PREFIXES
discriminator = attngan.discriminator


def generator(model):
    """Writes the rules of `networks.dm_gan.generator`."""
    return attngan.staged(model, _memory)


def generator_of(arrays):
    """Builds a generator of the arrays' sizes, with fresh weights.

    Args:
        arrays: dict of str -> array, with the reference's names.

    Returns:
        `keras.Model`, as `networks.dm_gan.generator` makes it. Where the
        arrays don't say a size it has the published one; `load` then refuses
        them by name.
    """
    sizes = attngan.generator_sizes(arrays, 64)
    del sizes["smaller_images"]  # All draw.
    return dm_gan.generator(**sizes)


def discriminator_of(arrays):
    """Builds a discriminator of the arrays' sizes, with fresh weights.

    Args:
        arrays: dict of str -> array, with the reference's names.

    Returns:
        `keras.Model`, as `networks.dm_gan.discriminator` makes it, with
        spectral norms if the arrays have them. Where the arrays don't say a
        size it has the published one.
    """
    return dm_gan.discriminator(**attngan.discriminator_sizes(arrays, 32))


def _memory(layer, net):
    return [
        *rules.dense(layer.word_gate, f"{net}.A"),
        *rules.dense(layer.image_gate, f"{net}.B"),
        *rules.pointwise(layer.of_words, f"{net}.M_w.0", 1),
        *rules.pointwise(layer.of_image, f"{net}.M_r.0", 1),
        *rules.pointwise(layer.key, f"{net}.key.0", 1),
        *rules.pointwise(layer.value, f"{net}.value.0", 1),
        *rules.pointwise(layer.response, f"{net}.response_gate.0", 2),
    ]
