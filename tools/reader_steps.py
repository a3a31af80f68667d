"""Moves of readers that learn to agree, on drawn numbers, for time_step."""

import statistics
import time

import tensorflow as tf

from keras_t2i import weights
from keras_t2i.data import vocabulary
from keras_t2i.encoders import tokenizer
from keras_t2i.ops import noise
from keras_t2i.systems import damsm
from recipes import reading

#: Words and classes of CUB: DAMSM's sizes for birds.
_WORDS, _CLASSES = 5449, 200
_ROUNDS = 5


class _Base:
    """Stands for a frozen reader of captions: its length is all that counts."""

    digest = "drawn"

    def __init__(self, dim):
        self.dim = dim


def system(config, text_dim: int = 384):
    """Builds the readers of a config, whose frozen networks are drawn.

    Args:
        config: made by `common.readers`.
        text_dim: numbers of a frozen text encoder's word.

    Returns:
        `systems.DAMSM`, compiled.
    """
    with config.unlocked():
        if config.image.encoder != "lite0":
            config.image.source = "random"
    base = _Base(text_dim)
    if config.text.encoder == "bi_lstm":
        words = vocabulary.Vocabulary([f"w{i}" for i in range(_WORDS)])
        base = tokenizer.Words(words, max_words=config.data.max_words)
    seen = weights.readers.trunk(config.image)
    readers = reading.Readers(base, seen, _CLASSES, "drawn")
    return reading.system(config, None, readers)


def batch(config, system) -> dict[str, tf.Tensor]:
    """Draws what a move reads: full captions, pictures or their features.

    Args:
        config: made by `common.readers`.
        system: what `system` gave.

    Returns:
        Tensors by key.
    """
    rows, words = config.train.batch_size, config.data.max_words
    size = config.data.image_size
    found = {}
    for prefix in ("", *filter(None, [system.second])):
        inputs = {**system.players["text"].input}
        if prefix != "twin_":
            inputs |= system.players["image"].input
        for name, place in inputs.items():
            if name.startswith("dropout_"):
                continue
            shape = [rows, *place.shape[1:]]
            if name in ("ids", "mask", "words"):
                shape[1] = words
            elif name == "image":
                shape = [rows, size, size, 3]
            elif name == "regions":
                side = -(-config.image.size // 16)
                shape[1:3] = side, side
            key = prefix + damsm.KEYS.get(name, name)
            found[key] = _drawn(name, key, shape)
        if prefix != "twin_":
            found[f"{prefix}label"] = tf.range(rows) % _CLASSES
    return found


def parts(system, drawn, whole: float) -> dict[str, float]:
    """Splits a move's time.

    Args:
        system: what `system` gave.
        drawn: what `batch` gave.
        whole: seconds of a whole move.

    Returns:
        part -> milliseconds: forward passes of the readers and of the losses,
        of all branches; what is left are gradients and steps. Parts that run
        side by side in a move take longer one by one: what is left is then
        too small, even below 0.
    """
    text, image = system.players["text"], system.players["image"]

    def told():
        inputs = damsm.inputs(text, drawn, "")
        masks = system.masks(text, len(drawn["mask"]), "words")
        return system.run(text, inputs | masks)

    def shown():
        return system.run(image, damsm.inputs(image, drawn, ""))

    branch = tf.function(lambda: system.branch(drawn, ""), autograph=False)
    read = {key: tf.constant(value) for key, value in branch().items()}
    matched = tf.function(lambda: system.matching(read), autograph=False)
    found = {
        "text, forward": _timed(tf.function(told, autograph=False)),
        "image, forward": _timed(tf.function(shown, autograph=False)),
        "matching, forward": _timed(matched),
    }
    branches = 2 if system.second else 1
    pictures = 1 if system.second == "twin_" else branches
    counts = dict(zip(found, (branches, pictures, branches), strict=True))
    spent = sum(found[name] * count for name, count in counts.items())
    found = {name: found[name] * count for name, count in counts.items()}
    found["gradients, contrast and steps"] = whole - spent
    return {name: round(1e3 * seconds, 1) for name, seconds in found.items()}


def _timed(run) -> float:
    run()
    seconds = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        for value in tf.nest.flatten(run()):
            value.numpy()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _drawn(name, key, shape):
    if name == "mask":
        return tf.ones(shape, tf.bool)
    draws = noise.key(0, salt=key)
    if name == "ids":
        return noise.uniform(draws, shape, 1, _WORDS + 1, "int32")
    return tf.tanh(noise.normal(draws, shape))
