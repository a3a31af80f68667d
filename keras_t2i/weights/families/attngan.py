"""AttnGAN by the names of its PyTorch code.

T2I_CL's files have the same; AttnDCGAN's have one picture, "img_net". Where
the reference has no network of a size, its names are continued: img_code_s8
looks at pictures of 32 px, img_code_s128 at those of 512. Some files put
"module." (several GPUs) before every name.
"""

import re

import numpy as np

from keras_t2i.networks import attngan
from keras_t2i.ops import images
from keras_t2i.weights import rules

PREFIXES = ("module.",)
_TOGETHER = 4  # halvings that the reference has in one row


def generator(model):
    """Writes the rules of `networks.attngan.generator`."""
    return staged(model, _attention)


def discriminator(model):
    """Writes the rules of `networks.attngan.discriminator`.

    With spectral norms in place of batch norm, names are DM-GAN's.
    """
    trunk, head = model.get_layer("trunk"), model.get_layer("head")
    is_spectral = hasattr(head.get_layer("joint"), "u")
    table = []
    for name, row, number in _blocks(trunk):
        if is_spectral:
            table += _spectral(trunk, name, f"{row}.{2 * number}")
        else:
            place = 3 * number - 1 if number else 0
            table += _normed(trunk, name, row, place)
    joint = "COND_DNET.jointConv"
    if is_spectral:
        table += _spectral(head, "joint", f"{joint}.0")
    else:
        table += _normed(head, "joint", joint, 0)
    parts = {"COND_DNET": head}
    if "alone" in model.output:
        parts["UNCOND_DNET"] = model.get_layer("alone")
    for prefix, part in parts.items():
        table += rules.conv(part.get_layer("score"), f"{prefix}.outlogits.0")
    return table


def generator_of(arrays):
    """Builds a generator of the arrays' sizes, with fresh weights.

    Args:
        arrays: dict of str -> array, with the reference's names.

    Returns:
        `keras.Model`, as `networks.attngan.generator` makes it. Where the
        arrays don't say a size it has that published for birds; `load` then
        refuses them by name.
    """
    return attngan.generator(**generator_sizes(arrays, 32))


def discriminator_of(arrays):
    """Builds a discriminator of the arrays' sizes, with fresh weights.

    Args:
        arrays: dict of str -> array, with the reference's names.

    Returns:
        `keras.Model`, as `networks.attngan.discriminator` makes it, with
        spectral norms if the arrays have them. Where the arrays don't say a
        size it has that published for birds.
    """
    return attngan.discriminator(**discriminator_sizes(arrays, 64))


def staged(model, words):
    """Writes the rules of a generator in stages.

    Args:
        model: `keras.Model`, as `layers.stages.generator` makes it.
        words: callable, (layer that reads words, "h_net2" and so on) -> list
            of `Rule`.

    Returns:
        List of `Rule`.
    """
    layer = model.get_layer
    sizes = _sizes(model)
    table = rules.dense(layer("condition").project, "ca_net.fc")
    table += _start(layer("start"), layer("start_norm"), "h_net1.fc")
    for number, size in enumerate(images.sizes_up_to(sizes[0])[1:], 1):
        table += _up(model, size, f"h_net1.upsample{number}")
    for size, net in _pictures(model, sizes).items():
        table += rules.conv(layer(f"colours_{size}"), f"{net}.img.0")
    for number, size in enumerate(sizes, 1):
        if number == 1:
            continue
        net, half = f"h_net{number}", size // 2
        table += words(layer(f"attention_{half}"), net)
        for block in range(_residuals(model, half)):
            table += _residual(model, half, block, net)
        table += _up(model, size, f"{net}.upsample")
    return table


def generator_sizes(arrays, width):
    """Reads off the sizes that a generator's builder takes.

    Args:
        arrays: dict of str -> array, with the reference's names.
        width: int. Where the arrays don't say it.

    Returns:
        dict of arguments of `networks.attngan.generator`.
    """
    found = rules.plain(arrays, PREFIXES)
    doublings = _count(found, r"h_net1\.upsample(\d+)\.", 6) or 4
    stages = _count(found, r"h_net(\d+)\.", 6) or 3
    is_last_alone = any(key.startswith("img_net.") for key in found)
    picture = "img_net.img.0" if is_last_alone else "img_net1.img.0"
    condition = max(rules.size(found, "ca_net.fc.weight", 0, 400) // 4, 1)
    joined = rules.size(found, "h_net1.fc.0.weight", 1, condition + 100)
    return dict(
        image_size=4 * 2 ** (doublings + stages - 1),
        base_size=4 * 2**doublings,
        width=rules.size(found, f"{picture}.weight", 1, width),
        noise_dim=max(joined - condition, 1),
        condition_dim=condition,
        text_dim=rules.size(found, "ca_net.fc.weight", 1, 256),
        residuals=_count(found, r"h_net2\.residual\.(\d+)\.", 20),
        smaller_images=not is_last_alone,
    )


def discriminator_sizes(arrays, width):
    """Reads off the sizes that a discriminator's builder takes.

    Args:
        arrays: dict of str -> array, with the reference's names.
        width: int. Where the arrays don't say it.

    Returns:
        dict of arguments of `networks.attngan.discriminator`.
    """
    found = rules.plain(arrays, PREFIXES)
    is_spectral = any(key.endswith(".weight_bar") for key in found)
    ending = ".module.weight_bar" if is_spectral else ".weight"
    halvings = _halvings(found)
    first = f"{_row(min(halvings, _TOGETHER))}.0{ending}"
    width = rules.size(found, first, 0, width)
    joint = f"COND_DNET.jointConv.0{ending}"
    features = width * 2 ** (min(halvings, _TOGETHER) - 1)
    features = rules.size(found, joint, 0, features)
    return dict(
        image_size=4 * 2**halvings,
        width=width,
        text_dim=max(rules.size(found, joint, 1, features + 256) - features, 1),
        unconditional=any(key.startswith("UNCOND_DNET.") for key in found),
        spectral=is_spectral,
    )


def _attention(layer, net):
    return rules.pointwise(layer.project, f"{net}.att.conv_context", 2)


def _start(dense, norm, prefix):
    """Rules of the first layer, whose two halves become a map and its gate.

    Within a half the file's outputs are (channels, 4, 4), ours (4, 4,
    channels).
    """
    count = dense.kernel.shape[1]
    places = np.arange(count).reshape(2, -1, 4, 4)
    order = places.transpose(0, 2, 3, 1).ravel()
    back = np.argsort(order)
    table = [
        rules.Rule(
            (f"{prefix}.0.weight",),
            (dense.kernel,),
            lambda x: (x[order].T,),
            lambda x: (x.T[back],),
        ),
        rules.ignored(f"{prefix}.1.num_batches_tracked"),
    ]
    for variable, name in (
        (norm.gamma, "weight"),
        (norm.beta, "bias"),
        (norm.moving_mean, "running_mean"),
        (norm.moving_variance, "running_var"),
    ):
        table.append(
            rules.Rule(
                (f"{prefix}.1.{name}",),
                (variable,),
                lambda x: (x[order],),
                lambda x: (x[back],),
            )
        )
    return table


def _up(model, size, prefix):
    table = rules.conv(model.get_layer(f"up_{size}"), f"{prefix}.1")
    norm = model.get_layer(f"up_{size}_norm")
    return table + rules.batch_norm(norm, f"{prefix}.2")


def _residual(model, size, block, net):
    table, prefix = [], f"{net}.residual.{block}.block"
    for number, place in ((1, 0), (2, 3)):
        start = f"block_{size}_{block + 1}"
        conv = model.get_layer(f"{start}_conv_{number}")
        norm = model.get_layer(f"{start}_norm_{number}")
        table += rules.conv(conv, f"{prefix}.{place}")
        table += rules.batch_norm(norm, f"{prefix}.{place + 1}")
    return table


def _normed(model, name, row, place):
    """Rules of a convolution and, but for the very first, its norm."""
    table = rules.conv(model.get_layer(name), f"{row}.{place}")
    names = {each.name for each in model.layers}
    if f"{name}_norm" in names:
        norm = model.get_layer(f"{name}_norm")
        table += rules.batch_norm(norm, f"{row}.{place + 1}")
    return table


def _spectral(model, name, prefix):
    return rules.spectral(model.get_layer(name), f"{prefix}.module")


def _sizes(model):
    """The stages' sizes, the least first."""
    start = "attention_"
    smaller = [name for name in model.output if name.startswith(start)]
    sizes = sorted(int(name.removeprefix(start)) for name in smaller)
    return [*sizes, model.output["image"].shape[1]]


def _pictures(model, sizes):
    """Size -> the reference's module that draws a picture of it."""
    *smaller, last = sizes
    if smaller and f"image_{smaller[0]}" not in model.output:
        return {last: "img_net"}
    return {size: f"img_net{number}" for number, size in enumerate(sizes, 1)}


def _residuals(model, size):
    start, end = f"block_{size}_", "_sum"
    names = [each.name for each in model.layers]
    return sum(n.startswith(start) and n.endswith(end) for n in names)


def _blocks(trunk):
    """Yields, of each convolution: our name, its row there, its number."""
    size = trunk.input.shape[1]
    halvings = len(images.sizes_up_to(size)) - 1
    for step in range(halvings):
        name = f"down_{size >> step + 1}"
        if step < _TOGETHER:
            yield name, _row(min(halvings, _TOGETHER)), step
        else:
            yield name, _row(step + 1), 0
    for step in range(1, halvings - _TOGETHER + 1):
        half = 2 ** (halvings - 1 - step)
        yield f"narrow_{half}", f"{_row(halvings)}_{step}", 0


def _row(halvings):
    return f"img_code_s{2**halvings}"


def _halvings(found):
    """How often the trunk halves a picture, of those sizes that it can."""
    rows = [re.match(r"img_code_s(\d+)[._]", key) for key in found]
    times = {int(row[1]).bit_length() - 1 for row in rows if row}
    return min(max(times, default=6), 9) or 6


def _count(found, pattern, most):
    """How many modules of a numbered kind the file has, if that can be."""
    numbers = [re.match(pattern, key) for key in found]
    return min(len({match[1] for match in numbers if match}), most)
