"""Trained readers of captions and pictures that share one space, frozen."""

import keras
import tensorflow as tf

from keras_t2i.encoders import folding
from keras_t2i.ops import images as pictures


class TextReader(tf.Module):
    """Reads captions with a reader and the head that was trained upon it.

    A tf.Module: assigned to an exported module, its tables and weights are
    saved along. Reads the same whether anything is in training or not.

    Args:
        base: `text.TextEncoder` or its like: (B,) string -> {"words", "mask",
            "sentence"}; has `max_words` and `check`.
        head: `keras.Model`, as `heads.text` makes it.
        name: str, a Python identifier.
        digest: str, or a callable that gives it, of a reader that learns.
            Changes when anything that changes a vector does.
        scale: float. What sentence vectors are multiplied by.

    Call arguments:
        captions: (B,) string.

    Returns of a call:
        words: (B, T, C) float32, T = `max_words`; 0 where there is no word.
        mask: (B, T) bool, True for a word.
        sentence: (B, C) float32.

    Raises:
        tf.errors.InvalidArgumentError: in a call, for a caption that the base
            can't read. `check` says which, in Python.
    """

    def __init__(self, base, head, name, digest, scale=1.0):
        super().__init__(name=name)
        self.base = base
        self.scale = scale
        self._digest = digest
        self.max_words = base.max_words
        self.dim = head.output["sentence"].shape[-1]
        # Session loaders find a Keras variable only by its TensorFlow one.
        self._held = [v.value for v in head.weights]
        # Past the tracking: it would be saved beside them a second time.
        object.__setattr__(self, "head", head)

    @property
    def digest(self):
        """Changes when anything that changes a vector does."""
        return self._digest() if callable(self._digest) else self._digest

    def __call__(self, captions):
        read = self.base(captions)
        parts = {name: read[name] for name in ("words", "mask", "sentence")}
        told = self.head(parts, training=False)
        sentence = self.scale * told["sentence"]
        return {**told, "sentence": sentence, "mask": read["mask"]}

    def check(self, captions):
        """Refuses captions that cannot be read, naming the first.

        Args:
            captions: list of str.

        Raises:
            ValueError: if there is one.
        """
        self.base.check(captions)

    def pieces(self, caption):
        """Lists the pieces that a caption is read in, for people.

        Args:
            caption: str.

        Returns:
            List of str, one for each True of the mask.
        """
        return self.base.pieces(caption)


class ImageReader(tf.Module):
    """Reads pictures with a trunk and the head that was trained upon it.

    The running statistics of norms are used whether anything is in training
    or not. Gradients reach pictures of floats.

    Args:
        model: `keras.Model`, as `heads.over` makes it.
        name: str, a Python identifier; part of a metric's name.
        digest: str. Changes when anything that changes a number does.

    Call arguments:
        images: (B, H, W, 3) uint8 [0, 255] or float [-1, 1].

    Returns of a call:
        regions: (B, h, w, C) float32.
        code: (B, C) float32.

    Raises:
        ValueError: in a call, if the images have not three colours.
    """

    def __init__(self, model: keras.Model, name, digest):
        super().__init__(name=name)
        self.digest = digest
        self.dim = model.output["code"].shape[-1]
        # Session loaders find a Keras variable only by its TensorFlow one.
        self._held = [v.value for v in model.weights]
        # Past the tracking: it would be saved beside them a second time.
        object.__setattr__(self, "model", model)
        graph = tf.function(self._read, autograph=False, reduce_retracing=True)
        object.__setattr__(self, "_graph", graph)

    def __call__(self, images):
        images = pictures.readable(images)
        # A graph inside a player's would be one of its own; others are quick.
        if tf.executing_eagerly():
            return self._graph(images)
        return self._read(images)

    def folded(self):
        """Makes a quicker reader of this one, for those who train by it.

        Returns:
            `ImageReader` of the same name and digest; its answers are equal
            to rounding. See `folding.folded`.
        """
        return ImageReader(folding.folded(self.model), self.name, self.digest)

    def _read(self, images):
        return self.model({"image": images}, training=False)
