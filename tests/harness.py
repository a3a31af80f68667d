"""What tests share: an examination of layers, toys, replicas, slow oracles.

Nothing here imports the library, so every room's tests may use it.
"""

import functools
import gzip
import math
import os
import struct
import sys

import keras
import numpy as np
import tensorflow as tf

ROWS, SIZE, WIDTH, NOISE, TEXT = 8, 16, 4, 5, 6


# Replicas.


def two_processors():
    """Splits the processor in two, which must happen before any tensor work.

    Raises:
        RuntimeError: if TensorFlow has already started with one.
    """
    processor = tf.config.list_physical_devices("CPU")[0]
    if tf.config.get_logical_device_configuration(processor) is None:
        halves = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(processor, halves)


@functools.cache
def strategy(replicas):
    """Finds the strategy that plays on so many replicas.

    There is one a process: the collectives of two would take each other's
    messages.

    Args:
        replicas: 1 or 2.

    Returns:
        `tf.distribute.Strategy`.
    """
    if replicas == 1:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


# Other processes.


def child_environment():
    """Says where a child process finds the library: where we found it.

    Returns:
        dict for `subprocess.run`.
    """
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


# Toys.


def toy_players(seed=0, norm=None, is_judge_normed=True):
    """Builds a tiny pair of players, without batch statistics unless asked.

    Args:
        seed: int. Where the weights start.
        norm: callable -> a normalising layer, put before each activation
            but the last; None leaves them out.
        is_judge_normed: bool. Whether it stands in the discriminator, too.

    Returns:
        {"generator", "discriminator"}: `keras.Model`s with the inputs,
        outputs and the parts trunk and head of the papers' networks.
    """
    keras.utils.set_random_seed(seed)
    plain = keras.layers.Identity
    norm = norm or plain
    return {
        "generator": _generator(norm),
        "discriminator": _discriminator(norm if is_judge_normed else plain),
    }


def _generator(norm):
    noise = keras.Input((NOISE,), name="noise")
    sentence = keras.Input((TEXT,), name="sentence")
    x = keras.layers.Concatenate()([noise, sentence])
    x = keras.layers.Dense(4 * 4 * WIDTH)(x)
    x = keras.layers.Reshape((4, 4, WIDTH))(x)
    for channels in (WIDTH, 3):
        x = keras.layers.LeakyReLU(0.2)(norm()(x))
        x = keras.layers.Conv2DTranspose(channels, 4, 2, "same")(x)
    image = keras.layers.Activation("tanh", dtype="float32")(x)
    inputs = {"noise": noise, "sentence": sentence}
    return keras.Model(inputs, {"image": image}, name="generator")


def _discriminator(norm):
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = image
    for _ in range(2):
        x = keras.layers.Conv2D(WIDTH, 4, 2, "same")(x)
        x = keras.layers.LeakyReLU(0.2)(norm()(x))
    trunk = keras.Model(image, x, name="trunk")
    features = keras.Input((4, 4, WIDTH), name="features")
    sentence = keras.Input((TEXT,), name="sentence")
    x = keras.layers.Flatten()(features)
    x = keras.layers.Concatenate()([x, sentence])
    x = keras.layers.LeakyReLU(0.2)(keras.layers.Dense(WIDTH)(x))
    x = keras.layers.Reshape((), dtype="float32")(keras.layers.Dense(1)(x))
    head = keras.Model([features, sentence], x, name="head")
    seen = trunk(image)
    return keras.Model(
        {"image": image, "sentence": sentence},
        {"matched": head([seen, sentence]), "features": seen},
        name="discriminator",
    )


def toy_trunk(seed=0):
    """Builds a tiny network of pictures with a norm, frozen by nobody.

    Args:
        seed: int. Where the weights start.

    Returns:
        `keras.Model`: {"image": (B, H, W, 3)} -> {"regions": (B, h, w, 5),
        "pooled": (B, 7), "logits": (B, 2)}.
    """
    keras.utils.set_random_seed(seed)
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Conv2D(5, 4, 4, name="conv")(image)
    x = keras.layers.BatchNormalization(momentum=0.9, name="norm")(x)
    pooled = keras.layers.GlobalAveragePooling2D()(keras.ops.relu(x))
    pooled = keras.layers.Dense(7, name="pool")(pooled)
    logits = keras.layers.Dense(2, name="logits")(pooled)
    return keras.Model(
        {"image": image},
        {"regions": x, "pooled": pooled, "logits": logits},
        name="toy_trunk",
    )


def toy_batch(rows=ROWS, seed=0, wrong=None, size=SIZE):
    """Draws one batch as the pipeline would hand it over.

    Args:
        rows: int.
        seed: int.
        wrong: None, "wrong_image" or "wrong_sentence".
        size: int. Height and width of the pictures.

    Returns:
        dict of arrays: image, sentence, label, key and what `wrong` names.
    """
    draw = np.random.default_rng(seed)

    def pictures():
        return draw.uniform(-1, 1, (rows, size, size, 3)).astype("float32")

    def sentences():
        return draw.normal(size=(rows, TEXT)).astype("float32")

    batch = {"image": pictures(), "sentence": sentences()}
    batch["label"] = np.arange(rows, dtype="int32")
    batch["key"] = np.array([f"picture {row}" for row in range(rows)])
    if wrong == "wrong_image":
        batch[wrong] = pictures()
    if wrong == "wrong_sentence":
        batch[wrong] = sentences()
    return batch


def toy_words(rows=ROWS, words=4, seed=0):
    """Draws the words of one batch, of captions of several lengths.

    Args:
        rows: int.
        words: int. Of the longest caption.
        seed: int.

    Returns:
        dict of arrays: words (B, T, TEXT) and mask (B, T).
    """
    draw = np.random.default_rng(seed)
    lengths = draw.integers(1, words + 1, rows)
    lengths[0] = words
    mask = np.arange(words) < lengths[:, None]
    vectors = draw.normal(size=(rows, words, TEXT)).astype("float32")
    return {"words": vectors * mask[..., None], "mask": mask}


def toy_batches(moves, **kwargs):
    """Draws a data set of batches.

    Args:
        moves: int. How many.
        **kwargs: as for `toy_batch`; move m has seed m.

    Returns:
        `tf.data.Dataset`.
    """
    batches = [toy_batch(seed=move, **kwargs) for move in range(moves)]
    together = {k: np.stack([b[k] for b in batches]) for k in batches[0]}
    return tf.data.Dataset.from_tensor_slices(together)


def write_fashion_mnist(folder, prefix, count, squeeze=True, labels=None):
    """Writes a part of Fashion-MNIST with drawn pictures, as it is handed out.

    Args:
        folder: `pathlib.Path`.
        prefix: "train" or "t10k".
        count: int. How many pictures.
        squeeze: bool. Whether the files are gzipped.
        labels: uint8 array; None means 0, 1, ... and again.

    Returns:
        The (N, 28, 28) pictures and (M,) labels.
    """
    draw = np.random.default_rng(count)
    images = draw.integers(0, 256, (count, 28, 28)).astype(np.uint8)
    if labels is None:
        labels = np.arange(count, dtype=np.uint8) % 10
    for name, table in (("images-idx3", images), ("labels-idx1", labels)):
        head = bytes([0, 0, 8, table.ndim])
        head += struct.pack(f">{table.ndim}I", *table.shape)
        data, path = head + table.tobytes(), f"{prefix}-{name}-ubyte"
        if squeeze:
            data, path = gzip.compress(data), f"{path}.gz"
        (folder / path).write_bytes(data)
    return images, labels


def toy_reader(strings):
    """Reads strings: each has vectors of its own, and two words.

    Args:
        strings: (N,) string tensor.

    Returns:
        {"sentence": (N, TEXT) float32, "words": (N, 2, TEXT) float32,
        "mask": (N, 2) bool}.
    """
    bins = tf.strings.to_hash_bucket_fast(strings, 1000)
    phase = tf.cast(bins, tf.float32)[:, tf.newaxis]
    sentence = tf.sin(phase * tf.range(1.0, TEXT + 1.0))
    words = tf.stack([sentence, -sentence], axis=1)
    mask = tf.ones_like(words[..., 0], tf.bool)
    return {"sentence": sentence, "words": words, "mask": mask}


def sgd(players, rate=0.05):
    """Makes each player an optimizer whose moves are plain to follow.

    Args:
        players: iterable of names.
        rate: float.

    Returns:
        dict, player -> `keras.optimizers.SGD`.
    """
    return {player: keras.optimizers.SGD(rate) for player in players}


# Books.


def snapshot(variables):
    """Copies what variables hold now.

    Args:
        variables: list of variables.

    Returns:
        List of arrays.
    """
    return [np.array(v) for v in variables]


def distance(first, second):
    """Finds the largest difference between two lists of arrays.

    Args:
        first: list of arrays.
        second: list of arrays of the same shapes.

    Returns:
        float >= 0.
    """
    pairs = zip(first, second, strict=True)
    gaps = [np.abs(np.float64(a) - np.float64(b)).max() for a, b in pairs]
    return max(gaps, default=0.0)


# Oracles: slow, float64, one number at a time.


def cross_entropy(logit, target):
    """Measures -t log p - (1 - t) log (1 - p) at p = sigmoid(logit).

    Args:
        logit: float.
        target: float in [0, 1].

    Returns:
        float.
    """
    p = 1.0 / (1.0 + math.exp(-float(logit)))
    return -target * math.log(p) - (1.0 - target) * math.log(1.0 - p)


def mean(numbers):
    """Averages numbers.

    Args:
        numbers: iterable of floats.

    Returns:
        float.
    """
    numbers = [float(number) for number in numbers]
    return math.fsum(numbers) / len(numbers)


# The examination of a layer.


def examine_layer(test, make, *inputs, training=True, tolerance=0.05):
    """Puts a layer through what every layer must stand.

    Symbolic and eager shapes agree; a layer rebuilt from its saved config
    gives the same answers; each trainable weight gets a gradient that is not
    zero; under mixed precision the answer is bfloat16, the weights float32,
    and the numbers near. Of a layer with several answers it is the first.

    Args:
        test: `tf.test.TestCase`.
        make: callable -> a new layer.
        *inputs: arrays that the layer is called with.
        training: bool. The mode it is called in; None for layers without.
        tolerance: float. How far bfloat16 may be from float32.
    """
    mode = {} if training is None else {"training": training}
    layer = make()
    symbols = [keras.Input(x.shape[1:], dtype=str(x.dtype)) for x in inputs]
    symbolic = _first(layer(*symbols, **mode))
    start = snapshot(layer.variables)
    tensors = [tf.convert_to_tensor(x) for x in inputs]
    with tf.GradientTape() as tape:
        eager = _first(layer(*tensors, **mode))
        shape = tuple(eager.shape)
        draw = np.random.default_rng(0).normal(size=shape)
        loss = tf.reduce_sum(tf.cast(eager, tf.float32) * draw)
    test.assertEqual(tuple(symbolic.shape[1:]), shape[1:])

    weights = layer.trainable_variables
    slopes = tape.gradient(loss, [w.value for w in weights])
    for weight, slope in zip(weights, slopes, strict=True):
        test.assertIsNotNone(slope, weight.path)
        test.assertGreater(np.abs(slope).max(), 0.0, weight.path)

    saved = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(saved)
    again(*symbols, **mode)
    again.set_weights(start)
    test.assertAllEqual(_first(again(*tensors, **mode)), eager)

    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = make()
        mixed(*symbols, **mode)
        mixed.set_weights(start)
        answer = _first(mixed(*tensors, **mode))
    finally:
        keras.config.set_dtype_policy("float32")
    test.assertEqual(answer.dtype, tf.bfloat16)
    for weight in mixed.weights:
        test.assertEqual(weight.dtype, "float32", weight.path)
    test.assertAllClose(
        tf.cast(answer, tf.float32), eager, atol=tolerance, rtol=tolerance
    )


def _first(answer):
    return answer[0] if isinstance(answer, tuple | list) else answer
