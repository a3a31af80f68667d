"""Small players that draw in stages, batches of branches, frozen readers."""

import keras
import numpy as np
import tensorflow as tf

from keras_t2i import networks
from keras_t2i.encoders import heads, pairs
from tests import harness

ROWS, SMALL, LARGE, WORDS, CONDITION, CLASSES = 4, 8, 16, 5, 3, 3
#: What the keys of pictures end in -> their sizes.
SIZES = {f"_{SMALL}": SMALL, "": LARGE}
#: Branches of a batch.
PREFIXES = ("", "twin_", "partner_")
LABELS = np.array([0, 1, 0, -1, 2, -1], dtype="int32")


def players(room=networks.attngan, seed=0, **changes):
    """Builds the papers' networks, narrow, for 8 and 16 px.

    Args:
        room: `networks.attngan` or `networks.dm_gan`.
        seed: int. Where the weights start.
        **changes: of the discriminators' arguments.

    Returns:
        {"generator", "discriminator_8", "discriminator"}.
    """
    keras.utils.set_random_seed(seed)
    found = {
        "generator": room.generator(
            image_size=LARGE,
            base_size=SMALL,
            width=4,
            noise_dim=harness.NOISE,
            condition_dim=CONDITION,
            text_dim=harness.TEXT,
            residuals=1,
        )
    }
    for ending, size in SIZES.items():
        found[f"discriminator{ending}"] = room.discriminator(
            image_size=size, width=4, text_dim=harness.TEXT, **changes
        )
    return found


def echoes(unconditional=True, endings=("",)):
    """Builds discriminators whose scores can be told by hand.

    A picture's feature x is the mean of its first pixel's colours; beside a
    sentence it scores x plus the sentence's first number, alone x / 2.

    Args:
        unconditional: bool. Whether pictures are scored alone too.
        endings: some of the keys of `SIZES`.

    Returns:
        {"generator", "discriminator" ...}.
    """
    noise = keras.Input((harness.NOISE,), name="noise")
    sentence = keras.Input((harness.TEXT,), name="sentence")
    told = {"mean": sentence[:, :3], "log_variance": sentence[:, 3:]}
    drawn, found = dict(told), {}
    for ending in endings:
        size = SIZES[ending]
        x = keras.layers.Dense(3 * size * size)(noise)
        shape = (size, size, 3)
        drawn[f"image{ending}"] = keras.layers.Reshape(shape)(x)
        found[f"discriminator{ending}"] = _echo(size, unconditional)
    inputs = {"noise": noise, "sentence": sentence}
    return {"generator": keras.Model(inputs, drawn), **found}


def _echo(size, unconditional):
    image = keras.Input((size, size, 3), name="image")
    seen = keras.ops.mean(image[:, 0, 0], axis=-1)
    trunk = keras.Model(image, seen, name="trunk")
    x = keras.Input((), name="features")
    sentence = keras.Input((harness.TEXT,), name="sentence")
    head = keras.Model([x, sentence], x + sentence[:, 0], name="head")
    seen = trunk(image)
    told = {"matched": head([seen, sentence])}
    if unconditional:
        told["alone"] = keras.Model(x, x / 2.0, name="alone")(seen)
    return keras.Model({"image": image, "sentence": sentence}, told)


def image_reader(width=harness.TEXT, seed=3):
    """Builds a frozen reader of pictures, with norms that could move.

    Args:
        width: int. Numbers of a code and of a region.
        seed: int. Where the weights start.

    Returns:
        `encoders.pairs.ImageReader`.
    """
    trunk = harness.toy_trunk(seed)
    model = heads.over(trunk, heads.image(5, 7, width), size=LARGE)
    return pairs.ImageReader(model, "toy", "toy")


def class_head(width=harness.TEXT, seed=4):
    """Builds a frozen teller of classes.

    Args:
        width: int. Numbers of a code.
        seed: int. Where the weights start.

    Returns:
        `keras.Model`, as `encoders.heads.classes` makes it.
    """
    keras.utils.set_random_seed(seed)
    return heads.classes(width, CLASSES)


def batch(rows=ROWS, seed=0):
    """Draws a batch of two sizes with words, twins and partners.

    Args:
        rows: int.
        seed: int.

    Returns:
        dict of tensors.
    """
    draw, found = np.random.default_rng(seed), {}
    for prefix in PREFIXES:
        lengths = draw.integers(1, WORDS + 1, (rows, 1))
        mask = np.arange(WORDS) < lengths
        words = draw.normal(size=(rows, WORDS, harness.TEXT)) * mask[..., None]
        found[f"{prefix}mask"] = mask
        found[f"{prefix}words"] = words
        found[f"{prefix}sentence"] = draw.normal(size=(rows, harness.TEXT))
        if prefix != "twin_":
            found[f"{prefix}label"] = np.resize(LABELS, rows)
            for ending, size in SIZES.items():
                shape = (rows, size, size, 3)
                found[f"{prefix}image{ending}"] = draw.uniform(-1, 1, shape)
    return {
        key: tf.constant(x.astype("float32") if x.dtype == np.float64 else x)
        for key, x in found.items()
    }


def branch(batch, prefix):
    """Takes one branch out of a batch; twins share the pictures.

    Args:
        batch: dict of tensors.
        prefix: one of `PREFIXES`.

    Returns:
        dict of tensors by plain keys.
    """
    plain = {k: x for k, x in batch.items() if not k.startswith(PREFIXES[1:])}
    own = {
        key.removeprefix(prefix): x
        for key, x in batch.items()
        if prefix and key.startswith(prefix)
    }
    return plain | own


def persuaded(system, batch):
    """Asks for the generator's terms, those of readers too.

    Args:
        system: `systems.System`.
        batch: dict of tensors.

    Returns:
        dict, term -> () float32.
    """
    system.slope("generator", system.persuade, batch)
    told = [x for x in system.metrics if system.owners(x.name)]
    return {tracker.name: tracker.result() for tracker in told}
