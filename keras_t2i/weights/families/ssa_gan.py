"""SSA-GAN by the names of its PyTorch code.

Every released name begins with "module." (several GPUs), which is cut off, as
the module's own name is.
"""

from keras_t2i.networks import ssa_gan
from keras_t2i.weights import rules
from keras_t2i.weights.families import df_gan, df_gan_2020

GENERATOR_PREFIXES = df_gan_2020.GENERATOR_PREFIXES
DISCRIMINATOR_PREFIXES = df_gan_2020.DISCRIMINATOR_PREFIXES
_BLOCK = "block"


def generator(model):
    """Writes the rules of `networks.ssa_gan.generator`."""
    layer, sizes = model.get_layer, df_gan.sizes_of(model)
    table = rules.dense_onto_map(layer("start"), "fc", 4)
    for i, size in enumerate(sizes):
        # A mask is told by the block before the one that it is for.
        teller = f"{_BLOCK}{i - 1}.conv_mask" if i else "conv_mask"
        table += rules.conv(layer(f"mask_{size}_look"), f"{teller}.0")
        table += rules.batch_norm(layer(f"mask_{size}_norm"), f"{teller}.1")
        table += rules.conv(layer(f"mask_{size}_tell"), f"{teller}.3")
        block = f"{_BLOCK}{i}"
        table += df_gan.drawing(model, size, block)
        table += df_gan.scale(layer(f"gain_{size}"), block)
        for number, place in ((1, f"{block}.affine0"), (2, f"{block}.affine2")):
            norm = layer(f"draw_{size}_norm_{number}")
            table += rules.batch_norm(norm, f"{place}.batch_norm2d")
            table += df_gan.affine(norm.affine, place)
    table += rules.batch_norm(layer("colours_norm"), "conv_img.0")
    return table + rules.conv(layer("colours"), "conv_img.2")


def discriminator(model):
    """Writes the rules of `networks.ssa_gan.discriminator`."""
    return df_gan_2020.discriminator(model)


def generator_of(arrays):
    """Builds a generator of the arrays' sizes, with fresh weights.

    Args:
        arrays: dict of str -> array, with the reference's names.

    Returns:
        `keras.Model`, as `networks.ssa_gan.generator` makes it. Where the
        arrays don't say a size it has the published one; `load` then refuses
        them by name.
    """
    return ssa_gan.generator(**generator_sizes(arrays, 64))


def discriminator_of(arrays):
    """Builds a discriminator of the arrays' sizes, with fresh weights.

    Args:
        arrays: dict of str -> array, with the reference's names.

    Returns:
        `keras.Model`, as `networks.ssa_gan.discriminator` makes it. Where the
        arrays don't say a size it has the published one.
    """
    return ssa_gan.discriminator(**discriminator_sizes(arrays, 64))


def generator_sizes(arrays, width):
    """Reads off the sizes that the generator's builder takes.

    Args:
        arrays: dict of str -> array, with the reference's names.
        width: int. Where the arrays don't say it.

    Returns:
        dict of arguments of `networks.ssa_gan.generator`.
    """
    return df_gan_2020.generator_sizes(arrays, width, "conv_img.2")


def discriminator_sizes(arrays, width):
    """Reads off the sizes that the discriminator's builder takes.

    Args:
        arrays: dict of str -> array, with the reference's names.
        width: int. Where the arrays don't say it.

    Returns:
        dict of arguments of `networks.ssa_gan.discriminator`.
    """
    return df_gan_2020.discriminator_sizes(arrays, width)
