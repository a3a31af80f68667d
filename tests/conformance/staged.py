"""Toy players that draw in stages, and batches with words and branches."""

import functools

import keras
import numpy as np
import tensorflow as tf

from keras_t2i import layers
from keras_t2i.encoders import captioner as captioners
from keras_t2i.encoders import heads, pairs
from tests import harness

SMALL, WORDS, CLASSES = harness.SIZE // 2, 4, 3
#: Ids of words, 0 among them.
VOCABULARY = 11
#: Endings of the pictures' keys -> their sizes, small to large.
SIZES = {f"_{SMALL}": SMALL, "": harness.SIZE}
#: Numbers of the condition.
_CONDITION = 3


def players(seed=0, norm=None):
    """Builds a tiny generator of two stages and its two discriminators.

    Args:
        seed: int. Where the weights start.
        norm: callable -> a normalising layer; None leaves it out.

    Returns:
        {"generator", "discriminator_8", "discriminator"}.
    """
    return _players(seed, norm, norm, _attended, keras.layers.Conv2D)


def players_with_memory(seed=0, norm=None):
    """Builds what DM-GAN has instead: a memory, kernels over their norm.

    Args:
        seed: int. Where the weights start.
        norm: callable -> a normalising layer, of the generator; None leaves
            it out.

    Returns:
        As `players`.
    """
    spectral = functools.partial(layers.SpectralConv, moves="always")
    return _players(seed, norm, None, _remembered, spectral)


def _players(seed, norm, norm_of_judges, refine, conv):
    keras.utils.set_random_seed(seed)
    plain = keras.layers.Identity
    found = {"generator": _generator(norm or plain, refine)}
    for ending, size in SIZES.items():
        judge = _discriminator(norm_of_judges or plain, size, conv)
        found[f"discriminator{ending}"] = judge
    return found


def image_reader(seed=0):
    """Builds a tiny frozen reader of pictures, in the space of sentences.

    Args:
        seed: int. Where the weights start.

    Returns:
        `encoders.pairs.ImageReader`.
    """
    keras.utils.set_random_seed(seed)
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Conv2D(harness.WIDTH, 4, 4)(image)
    x = keras.layers.LeakyReLU(0.2)(x)
    pooled = keras.layers.GlobalAveragePooling2D()(x)
    head = heads.image(harness.WIDTH, harness.WIDTH, harness.TEXT)
    told = head({"regions": x, "pooled": pooled})
    return pairs.ImageReader(keras.Model({"image": image}, told), "toy", "toy")


def class_head(seed=0):
    """Builds a tiny frozen teller of classes.

    Args:
        seed: int. Where the weights start.

    Returns:
        `keras.Model`, as `encoders.heads.classes` makes it.
    """
    keras.utils.set_random_seed(seed)
    return heads.classes(harness.TEXT, CLASSES)


def captioner(seed=0):
    """Builds a tiny frozen teller of captions, of `VOCABULARY` ids.

    Args:
        seed: int. Where the weights start.

    Returns:
        callable, as `encoders.captioner.Captioner`.
    """
    keras.utils.set_random_seed(seed)
    model = captioners.over(
        harness.toy_trunk(seed),
        captioners.decoder(VOCABULARY, 7, embedding=5, width=6),
        size=harness.SIZE,
    )
    model.trainable = False
    return captioners.Captioner(model, None, WORDS, "toy")


def batch(seed=0, rows=harness.ROWS):
    """Draws a batch with two sizes, words, twins and partners.

    Args:
        seed: int.
        rows: int.

    Returns:
        dict of arrays.
    """
    draw, told = np.random.default_rng(seed), np.random.default_rng(seed)
    found = {"key": np.array([f"picture {row}" for row in range(rows)])}
    for prefix in ("", "twin_", "partner_"):
        lengths = draw.integers(1, WORDS + 1, rows)
        mask = np.arange(WORDS) < lengths[:, None]
        words = draw.normal(size=(rows, WORDS, harness.TEXT)) * mask[..., None]
        sentence = draw.normal(size=(rows, harness.TEXT))
        ids = told.integers(1, VOCABULARY, (rows, WORDS)) * mask
        found[f"{prefix}caption"] = ids.astype("int32")
        found[f"{prefix}mask"] = mask
        found[f"{prefix}words"] = words.astype("float32")
        found[f"{prefix}sentence"] = sentence.astype("float32")
        if prefix != "twin_":
            labels = np.array([0, 1, 2, -1, 1, -1, 0, 2], dtype="int32")
            found[f"{prefix}label"] = np.resize(labels, rows)
            for ending, size in SIZES.items():
                shape = (rows, size, size, 3)
                shown = draw.uniform(-1, 1, shape).astype("float32")
                found[f"{prefix}image{ending}"] = shown
    found["wrong_sentence"] = draw.normal(size=(rows, harness.TEXT)).astype(
        "float32"
    )
    return found


def batches(moves):
    """Draws a data set of batches.

    Args:
        moves: int. How many; move m has seed m.

    Returns:
        `tf.data.Dataset`.
    """
    drawn = [batch(move) for move in range(moves)]
    together = {k: np.stack([b[k] for b in drawn]) for k in drawn[0]}
    return tf.data.Dataset.from_tensor_slices(together)


def _attended(x, words, mask):
    context, weights = layers.WordAttention()(x, words, mask)
    return keras.layers.Concatenate()([x, context]), weights


def _remembered(x, words, mask):
    return layers.WordMemory()(x, words, mask)


def _generator(norm, refine):
    noise = keras.Input((harness.NOISE,), name="noise")
    sentence = keras.Input((harness.TEXT,), name="sentence")
    words = keras.Input((None, harness.TEXT), name="words")
    mask = keras.Input((None,), dtype="bool", name="mask")
    told = keras.layers.Dense(2 * _CONDITION, dtype="float32")(sentence)
    mean, log_variance = told[:, :_CONDITION], told[:, _CONDITION:]
    x = keras.layers.Concatenate()([mean, noise])
    x = keras.layers.Dense(4 * 4 * harness.WIDTH)(x)
    x = keras.layers.Reshape((4, 4, harness.WIDTH))(x)
    x = keras.layers.Conv2DTranspose(harness.WIDTH, 4, 2, "same")(x)
    x = keras.layers.LeakyReLU(0.2)(norm()(x))
    small = _image(keras.layers.Conv2D(3, 3, padding="same")(x))
    x, weights = refine(x, words, mask)
    x = keras.layers.Conv2DTranspose(harness.WIDTH, 4, 2, "same")(x)
    x = keras.layers.LeakyReLU(0.2)(norm()(x))
    large = _image(keras.layers.Conv2D(3, 3, padding="same")(x))
    inputs = dict(noise=noise, sentence=sentence, words=words, mask=mask)
    outputs = {
        "image": large,
        f"image_{SMALL}": small,
        "mean": mean,
        "log_variance": log_variance,
        f"attention_{SMALL}": weights,
    }
    return keras.Model(inputs, outputs, name="generator")


def _image(x):
    return keras.layers.Activation("tanh", dtype="float32")(x)


def _discriminator(norm, size, conv):
    image = keras.Input((size, size, 3), name="image")
    x = image
    while x.shape[1] > 4:
        x = conv(harness.WIDTH, 4, 2, "same")(x)
        x = keras.layers.LeakyReLU(0.2)(norm()(x))
    trunk = keras.Model(image, x, name="trunk")
    features = keras.Input((4, 4, harness.WIDTH), name="features")
    alone = keras.Model(features, _score(features), name="alone")
    sentence = keras.Input((harness.TEXT,), name="sentence")
    x = keras.layers.Flatten()(features)
    x = keras.layers.Concatenate()([x, sentence])
    x = keras.layers.LeakyReLU(0.2)(keras.layers.Dense(harness.WIDTH)(x))
    head = keras.Model([features, sentence], _score(x), name="head")
    seen = trunk(image)
    return keras.Model(
        {"image": image, "sentence": sentence},
        {
            "matched": head([seen, sentence]),
            "alone": alone(seen),
            "features": seen,
        },
        name="discriminator",
    )


def _score(x):
    x = keras.layers.Dense(1)(keras.layers.Flatten()(x))
    return keras.layers.Reshape((), dtype="float32")(x)
