"""DF-GAN of 2022 by the names of its PyTorch code.

Its discriminator is two modules there, netD and netC. Each block of netD has
a shortcut convolution, used or not; ours are made only where used, and the
arrays of the others are known and left out. Some files put "module." (several
GPUs) or the module's name before every name; both are cut off.
"""

from keras import layers

from keras_t2i.networks import df_gan
from keras_t2i.weights import rules

GENERATOR_PREFIXES = ("module.", "netG.", "netG/")
DISCRIMINATOR_PREFIXES = ("module.", "netD.", "netD/", "netC.", "netC/")
_PLACES = ("fuse1.affine0", "fuse1.affine1", "fuse2.affine0", "fuse2.affine1")


def generator(model):
    """Writes the rules of `networks.df_gan.generator`."""
    *pairs, last = _convs(model, 3)
    shortcuts = iter(_convs(model, 1))
    affines = iter(_having(model, "parts"))
    (start,) = _all(model, layers.Dense)
    table = rules.dense_onto_map(start, "fc", 4)
    for i, (first, second) in enumerate(_twos(pairs)):
        block = f"GBlocks.{i}"
        table += rules.conv(first, f"{block}.c1")
        table += rules.conv(second, f"{block}.c2")
        for place in _PLACES:
            table += _affine(next(affines), f"{block}.{place}")
        if _changes_width(first):
            table += rules.conv(next(shortcuts), f"{block}.c_sc")
    return table + rules.conv(last, "to_rgb.1")


def discriminator(model):
    """Writes the rules of `networks.df_gan.discriminator`."""
    trunk, head = model.get_layer("trunk"), model.get_layer("head")
    start, *seconds = _convs(trunk, 3)
    firsts, gains = _convs(trunk, 4), _having(trunk, "gamma")
    shortcuts = iter(_convs(trunk, 1))
    table = rules.conv(start, "conv_img")
    for i, first in enumerate(firsts):
        block = f"DBlocks.{i}"
        table += rules.conv(first, f"{block}.conv_r.0")
        table += rules.conv(seconds[i], f"{block}.conv_r.2")
        table.append(rules.reshaped(gains[i].gamma, f"{block}.gamma", (1,)))
        shortcut = f"{block}.conv_s"
        if _changes_width(first):
            table += rules.conv(next(shortcuts), shortcut)
        else:
            names = (f"{shortcut}.weight", f"{shortcut}.bias")
            table.append(rules.ignored(*names))
    for i, conv in zip((0, 2), _all(head, layers.Conv2D), strict=True):
        table += rules.conv(conv, f"joint_conv.{i}")
    return table


def generator_of(arrays):
    """Builds a generator of the arrays' sizes, with fresh weights.

    Args:
        arrays: dict of str -> array, with the reference's names.

    Returns:
        `keras.Model`, as `networks.df_gan.generator` makes it. Where the
        arrays don't say a size it has the published one; `load` then refuses
        them by name.
    """
    found = rules.plain(arrays, GENERATOR_PREFIXES)
    noise_dim = rules.size(found, "fc.weight", 1, 100)
    condition = "GBlocks.0.fuse1.affine0.fc_gamma.linear1.weight"
    joined = rules.size(found, condition, 1, noise_dim + 256)
    return df_gan.generator(
        image_size=4 * 2 ** _count(found, "GBlocks.", 6),
        width=rules.size(found, "to_rgb.1.weight", 1, 32),
        noise_dim=noise_dim,
        text_dim=max(joined - noise_dim, 1),
    )


def discriminator_of(arrays):
    """Builds a discriminator of the arrays' sizes, with fresh weights.

    Args:
        arrays: dict of str -> array, with the reference's names.

    Returns:
        `keras.Model`, as `networks.df_gan.discriminator` makes it. Where the
        arrays don't say a size it has the published one.
    """
    found = rules.plain(arrays, DISCRIMINATOR_PREFIXES)
    count = _count(found, "DBlocks.", 6)
    features = rules.size(found, f"DBlocks.{count - 1}.conv_r.2.weight", 0, 256)
    joined = rules.size(found, "joint_conv.0.weight", 1, features + 256)
    return df_gan.discriminator(
        image_size=4 * 2**count,
        width=rules.size(found, "conv_img.weight", 0, 32),
        text_dim=max(joined - features, 1),
    )


def _affine(layer, prefix):
    table = []
    for part, pair in layer.parts.items():
        for i, dense in enumerate(pair, 1):
            table += rules.dense(dense, f"{prefix}.fc_{part}.linear{i}")
    return table


def _all(model, kind):
    """A model's layers of one kind, from input to output."""
    return [each for each in model.layers if isinstance(each, kind)]


def _having(model, part):
    return [each for each in model.layers if hasattr(each, part)]


def _convs(model, size):
    convs = _having(model, "kernel_size")
    return [each for each in convs if each.kernel_size[0] == size]


def _twos(sequence):
    return zip(sequence[::2], sequence[1::2], strict=True)


def _changes_width(conv):
    return conv.kernel.shape[2] != conv.kernel.shape[3]


def _count(found, start, default):
    """How many blocks the file has."""
    blocks = {k.split(".")[1] for k in found if k.startswith(start)}
    return len(blocks) or default
