"""SSA-GAN and both versions of DF-GAN on weights by a rule.

tests/golden/README.md says how their authors' code was recorded on them.
"""

import pathlib
import zlib

import numpy as np
import tensorflow as tf

from keras_t2i import networks, systems, weights

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
#: Family -> the system that plays it, and what sentence and noise hold.
FAMILIES = {
    "ssa_gan": (systems.SSAGAN, 256, 100),
    "df_gan_2020": (systems.DFGAN2020, 256, 100),
    "df_gan": (systems.DFGAN, 32, 20),
}
#: Of the recorded networks.
WIDTH = 2


def recorded(family):
    """Reads what the authors' code answered.

    Args:
        family: a key of `FAMILIES`.

    Returns:
        dict of arrays.
    """
    with np.load(GOLDEN / f"one_way_{family}.npz") as file:
        return {name: file[name] for name in file.files}


def number(family, name, shape):
    """Draws an array by the rule.

    Args:
        family: a key of `FAMILIES`.
        name: str, as in the authors' code behind "netG." and so on.
        shape: tuple.

    Returns:
        float32 array.
    """
    draw = np.random.default_rng(zlib.crc32(name.encode()))
    is_early = family != "ssa_gan"
    if name.endswith("running_var"):
        return draw.uniform(0.5, 1.5, shape).astype("float32")
    if name.endswith("running_mean"):
        return (0.2 * draw.normal(size=shape)).astype("float32")
    if len(shape) < 2:
        x = 0.3 * draw.normal(size=shape)
        is_factor = is_early and "gamma.linear2.bias" in name
        return np.float32(x + (name.endswith("weight") or is_factor))
    x = draw.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
    return np.float32(x * (0.3 if is_early and "linear" in name else 1.0))


def players(family):
    """Builds the recorded networks.

    Args:
        family: a key of `FAMILIES`.

    Returns:
        {"generator", "discriminator"}.
    """
    room = getattr(networks, family)
    _, text_dim, noise_dim = FAMILIES[family]
    sizes = dict(width=WIDTH, text_dim=text_dim)
    found = {
        "generator": room.generator(noise_dim=noise_dim, **sizes),
        "discriminator": room.discriminator(**sizes),
    }
    arrays = by_rule(family, found)
    for part, model in found.items():
        own = {k: x for k, x in arrays.items() if _owner(k) == part}
        weights.load(f"{family}/{part}", model, own)
    return found


def by_rule(family, players):
    """Draws the weights of networks by the rule.

    Args:
        family: a key of `FAMILIES`.
        players: {"generator", "discriminator"}.

    Returns:
        dict of arrays, by the authors' names.
    """
    return {
        name: number(family, name, np.shape(array))
        for name, array in named(family, players).items()
    }


def named(family, players):
    """Calls what networks hold by the authors' names.

    Args:
        family: a key of `FAMILIES`.
        players: {"generator", "discriminator"}.

    Returns:
        dict of arrays.
    """
    found = {}
    for part, model in players.items():
        prefix = "netG." if part == "generator" else "netD."
        for key, x in weights.export(f"{family}/{part}", model).items():
            head = "netC." if key.startswith("joint_conv") else prefix
            found[f"{head}{key}"] = x
    return found


def batch(file):
    """Makes the recorded batch.

    Args:
        file: dict, as of `recorded`.

    Returns:
        {"image" (3, 256, 256, 3), "sentence" (3, C), "latent" (3, Z)}.
    """
    image = file["real16"].repeat(16, 2).repeat(16, 3).transpose(0, 2, 3, 1)
    found = {"image": image, "sentence": file["sentence"]}
    found["latent"] = file["noise"]
    return {key: tf.constant(x) for key, x in found.items()}


def _owner(name):
    return "generator" if name.startswith("netG.") else "discriminator"
