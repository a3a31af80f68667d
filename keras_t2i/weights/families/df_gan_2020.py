"""DF-GAN of 2020 by the names of its PyTorch code.

Names are SSA-GAN's, which grew out of it; the version of 2022 has others, and
its files are refused by their keys. Some files put "module." (several GPUs) or
the module's name before every name; both are cut off.
"""

from keras_t2i.networks import df_gan_2020
from keras_t2i.weights import rules
from keras_t2i.weights.families import df_gan

GENERATOR_PREFIXES = ("module.", "netG.", "netG/")
DISCRIMINATOR_PREFIXES = ("module.", "netD.", "netD/")
_BLOCK, _HEAD = "block", "COND_DNET.joint_conv"


def generator(model):
    """Writes the rules of `networks.df_gan_2020.generator`."""
    layer = model.get_layer
    table = rules.dense_onto_map(layer("start"), "fc", 4)
    for i, size in enumerate(df_gan.sizes_of(model)):
        block = f"{_BLOCK}{i}"
        table += df_gan.drawing(model, size, block)
        table += df_gan.scale(layer(f"gain_{size}"), block)
        for place, (fuse, number) in enumerate(df_gan.PLACES):
            steer = layer(f"draw_{size}_affine_{fuse}_{number}")
            table += df_gan.affine(steer, f"{block}.affine{place}")
    return table + rules.conv(layer("colours"), "conv_img.1")


def discriminator(model):
    """Writes the rules of `networks.df_gan_2020.discriminator`."""
    return df_gan.one_way(model, _BLOCK, _HEAD)


def generator_of(arrays):
    """Builds a generator of the arrays' sizes, with fresh weights.

    Args:
        arrays: dict of str -> array, with the reference's names.

    Returns:
        `keras.Model`, as `networks.df_gan_2020.generator` makes it. Where the
        arrays don't say a size it has the published one; `load` then refuses
        them by name.
    """
    return df_gan_2020.generator(**generator_sizes(arrays, 32))


def discriminator_of(arrays):
    """Builds a discriminator of the arrays' sizes, with fresh weights.

    Args:
        arrays: dict of str -> array, with the reference's names.

    Returns:
        `keras.Model`, as `networks.df_gan_2020.discriminator` makes it. Where
        the arrays don't say a size it has the published one.
    """
    return df_gan_2020.discriminator(**discriminator_sizes(arrays, 32))


def generator_sizes(arrays, width, colours="conv_img.1"):
    """Reads off the sizes of a generator whose blocks begin at 4 px.

    Args:
        arrays: dict of str -> array, with the reference's names.
        width: int. Where the arrays don't say it.
        colours: str. What the last convolution's names begin with.

    Returns:
        dict of arguments of `networks.df_gan_2020.generator`.
    """
    found = rules.plain(arrays, GENERATOR_PREFIXES)
    reads = "block0.affine0.fc_gamma.linear1.weight"
    return dict(
        image_size=4 * 2 ** max(df_gan.count_of(found, _BLOCK, 7) - 1, 1),
        width=rules.size(found, f"{colours}.weight", 1, width),
        noise_dim=rules.size(found, "fc.weight", 1, 100),
        text_dim=rules.size(found, reads, 1, 256),
    )


def discriminator_sizes(arrays, width):
    """Reads off the sizes that the discriminator's builder takes.

    Args:
        arrays: dict of str -> array, with the reference's names.
        width: int. Where the arrays don't say it.

    Returns:
        dict of arguments of `networks.df_gan_2020.discriminator`.
    """
    found = rules.plain(arrays, DISCRIMINATOR_PREFIXES)
    return df_gan.one_way_sizes(found, _BLOCK, _HEAD, width)
