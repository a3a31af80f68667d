"""DF-GAN of 2022 by the names of its PyTorch code.

Its discriminator is two modules there, netD and netC, whose names begin with
joint_conv. Each block of netD has a shortcut convolution, used or not; ours are
made only where used, and the arrays of the others are known and left out, zeros
on the way back. The released files hold all three modules under "model", beside
the optimizers; others put "module." (several GPUs) or the module's name before
every name. These words are cut off, and what belongs to another part is left
alone.
"""

import re

from keras_t2i.networks import df_gan
from keras_t2i.ops import images
from keras_t2i.weights import rules

GENERATOR_PREFIXES = ("model/", "module.", "netG.", "netG/")
DISCRIMINATOR_PREFIXES = (
    *("model/", "module."),
    *("netD.", "netD/", "netC.", "netC/"),
)
#: Of arrays beside all networks in the released files.
OTHER_PREFIXES = ("optimizers/",)
#: In which of a block's two fusions an affine layer stands, and at which place.
PLACES = ((1, 1), (1, 2), (2, 1), (2, 2))


def generator(model):
    """Writes the rules of `networks.df_gan.generator`."""
    layer = model.get_layer
    table = rules.dense_onto_map(layer("start"), "fc", 4)
    for i, size in enumerate(sizes_of(model)[1:]):
        block = f"GBlocks.{i}"
        table += drawing(model, size, block)
        for fuse, number in PLACES:
            steer = layer(f"draw_{size}_affine_{fuse}_{number}")
            table += affine(steer, f"{block}.fuse{fuse}.affine{number - 1}")
    return table + rules.conv(layer("colours"), "to_rgb.1")


def discriminator(model):
    """Writes the rules of `networks.df_gan.discriminator`."""
    return one_way(model, "DBlocks.", "joint_conv")


def generator_of(arrays):
    """Builds a generator of the arrays' sizes, with fresh weights.

    Args:
        arrays: dict of str -> array, with the reference's names.

    Returns:
        `keras.Model`, as `networks.df_gan.generator` makes it. Where the
        arrays don't say a size it has the published one; `load` then refuses
        them by name.
    """
    return df_gan.generator(**generator_sizes(arrays, 32))


def discriminator_of(arrays):
    """Builds a discriminator of the arrays' sizes, with fresh weights.

    Args:
        arrays: dict of str -> array, with the reference's names.

    Returns:
        `keras.Model`, as `networks.df_gan.discriminator` makes it. Where the
        arrays don't say a size it has the published one.
    """
    return df_gan.discriminator(**discriminator_sizes(arrays, 32))


def generator_sizes(arrays, width):
    """Reads off the sizes that the generator's builder takes.

    Args:
        arrays: dict of str -> array, with the reference's names.
        width: int. Where the arrays don't say it.

    Returns:
        dict of arguments of `networks.df_gan.generator`.
    """
    found = rules.plain(arrays, GENERATOR_PREFIXES)
    noise_dim = rules.size(found, "fc.weight", 1, 100)
    condition = "GBlocks.0.fuse1.affine0.fc_gamma.linear1.weight"
    joined = rules.size(found, condition, 1, noise_dim + 256)
    return dict(
        image_size=4 * 2 ** count_of(found, "GBlocks.", 6),
        width=rules.size(found, "to_rgb.1.weight", 1, width),
        noise_dim=noise_dim,
        text_dim=max(joined - noise_dim, 1),
    )


def discriminator_sizes(arrays, width):
    """Reads off the sizes that the discriminator's builder takes.

    Args:
        arrays: dict of str -> array, with the reference's names.
        width: int. Where the arrays don't say it.

    Returns:
        dict of arguments of `networks.df_gan.discriminator`.
    """
    found = rules.plain(arrays, DISCRIMINATOR_PREFIXES)
    return one_way_sizes(found, "DBlocks.", "joint_conv", width)


def one_way(model, block, head):
    """Writes the rules of `layers.one_way.discriminator`.

    Args:
        model: `keras.Model`, as that makes it.
        block: str. What the names of a block begin with, before its number.
        head: str. What the names of the head begin with.

    Returns:
        List of `Rule`; shortcuts that are never used are known and left out,
        zeros on the way back.
    """
    trunk, joint = model.get_layer("trunk"), model.get_layer("head")
    table = rules.conv(trunk.get_layer("start"), "conv_img")
    *sizes, _ = images.sizes_up_to(trunk.input.shape[1])
    for i, size in enumerate(reversed(sizes)):
        name = f"{block}{i}"
        first, second, gain = (
            trunk.get_layer(each.format(size))
            for each in ("look_{}_1", "look_{}_2", "gain_{}")
        )
        table += rules.conv(first, f"{name}.conv_r.0")
        table += rules.conv(second, f"{name}.conv_r.2")
        table += scale(gain, name)
        if has(trunk, f"fit_{size}"):
            table += rules.conv(
                trunk.get_layer(f"fit_{size}"), f"{name}.conv_s"
            )
        else:
            count = second.filters
            table.append(
                rules.unused(f"{name}.conv_s.weight", (count, count, 1, 1))
            )
            table.append(rules.unused(f"{name}.conv_s.bias", (count,)))
    for i, name in ((0, "joint"), (2, "score")):
        table += rules.conv(joint.get_layer(name), f"{head}.{i}")
    return table


def one_way_sizes(arrays, block, head, width):
    """Reads off the sizes of a discriminator with one score.

    Args:
        arrays: dict of str -> array, by the reference's plain names.
        block: str. As for `one_way`.
        head: str. As for `one_way`.
        width: int. Where the arrays don't say it.

    Returns:
        dict: "image_size", "width" and "text_dim".
    """
    count = count_of(arrays, block, 6)
    last = f"{block}{count - 1}.conv_r.2.weight"
    features = rules.size(arrays, last, 0, 8 * width)
    joined = rules.size(arrays, f"{head}.0.weight", 1, features + 256)
    return dict(
        image_size=4 * 2**count,
        width=rules.size(arrays, "conv_img.weight", 0, width),
        text_dim=max(joined - features, 1),
    )


def drawing(model, size, block):
    """Writes the rules of a drawing block's convolutions.

    Args:
        model: `keras.Model`, a generator with layers draw_64_1, draw_64_2
            and, where the count of channels changes, fit_64.
        size: int. What the block draws.
        block: str. What its names begin with.

    Returns:
        List of `Rule`.
    """
    table = []
    for number in (1, 2):
        layer = model.get_layer(f"draw_{size}_{number}")
        table += rules.conv(layer, f"{block}.c{number}")
    if has(model, f"fit_{size}"):
        table += rules.conv(model.get_layer(f"fit_{size}"), f"{block}.c_sc")
    return table


def affine(layer, prefix):
    """Writes the rules of `layers.fusion.Affine`.

    Args:
        layer: that.
        prefix: str. What the names begin with.

    Returns:
        List of `Rule`.
    """
    table = []
    for part, pair in layer.parts.items():
        for i, dense in enumerate(pair, 1):
            table += rules.dense(dense, f"{prefix}.fc_{part}.linear{i}")
    return table


def scale(layer, prefix):
    """Writes the rule of `layers.fusion.Gain`.

    Args:
        layer: that.
        prefix: str. What the name begins with.

    Returns:
        List of one `Rule`.
    """
    return [rules.reshaped(layer.gamma, f"{prefix}.gamma", (1,))]


def has(model, name):
    """Tells whether a model has a layer.

    Args:
        model: `keras.Model`.
        name: str.

    Returns:
        bool.
    """
    return any(layer.name == name for layer in model.layers)


def count_of(arrays, start, default):
    """Counts the blocks of a file.

    Args:
        arrays: dict of str -> array, by the reference's plain names.
        start: str. What a block's names begin with, before its number.
        default: int. Where there are none.

    Returns:
        int.
    """
    found = (re.match(rf"{re.escape(start)}(\d+)\.", key) for key in arrays)
    return len({each[1] for each in found if each}) or default


def sizes_of(model):
    """Lists the sizes of a generator's maps.

    Args:
        model: `keras.Model`.

    Returns:
        List of int, from 4 on.
    """
    return images.sizes_up_to(model.output["image"].shape[1])
