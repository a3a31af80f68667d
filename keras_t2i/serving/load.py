"""Brings an exported painter back for Python users."""

import json
import os
import pathlib

import numpy as np
import tensorflow as tf

from keras_t2i.data import captions as texts
from keras_t2i.ops import noise
from keras_t2i.serving.export import CARD


class Served:
    """Draws pictures with a SavedModel, by the verbs of `networks.Painter`.

    Args:
        model: what `tf.saved_model.load` gives.
        card: dict, what is remembered about it.

    Attributes:
        card: dict. "inputs" has the sizes of the generator's inputs, "image"
            the picture's.
        noise_dim: int. Length Z of the noise.
        text_names: names of the generator's inputs other than the noise; none
            if it reads no text.
    """

    def __init__(self, model, card: dict):
        self._model = model  # Its signatures die with it.
        self.card = card
        self.noise_dim = card["inputs"]["noise"][0]
        self.text_names = sorted(set(card["inputs"]) - {"noise"})

    def generate(self, captions, seeds=0, bound: float | None = None):
        """Draws a picture for each caption.

        Args:
            captions: list of N strings. A generator that reads no text takes
                their number only.
            seeds: int, or N ints; one int is widened to seed, seed + 1, ...
            bound: float > 0 or None. Keeps the noise within so many
                deviations: safer, less varied pictures.

        Returns:
            (N, H, W, 3) uint8 array.

        Raises:
            ValueError: if a caption is empty, too long or not UTF-8, or there
                are not as many seeds as captions.
        """
        captions = list(captions)
        seeds = np.asarray(seeds, np.int64)
        if seeds.ndim == 0:
            seeds = seeds + np.arange(len(captions))
        if len(seeds) != len(captions):
            raise ValueError(
                f"{len(seeds)} seeds came with {len(captions)} captions; each "
                "caption needs one."
            )
        if bound is not None:
            latent = noise.rows(seeds, None, self.noise_dim, bound)
            return self.draw(self.encode(captions), latent)
        asked = {"seed": seeds}
        if self.text_names:
            self.check(captions)
            asked["prompt"] = tf.constant(captions, tf.string, [len(captions)])
        answer = self._call("serving_default", **asked)
        return answer["image"].numpy()

    def encode(self, captions):
        """Reads captions.

        Args:
            captions: list of N strings.

        Returns:
            dict of what the generator takes from the text, (N, ...).

        Raises:
            ValueError: if a caption is empty, too long or not UTF-8.
        """
        if not self.text_names:
            return {}
        captions = list(captions)
        self.check(captions)
        prompt = tf.constant(captions, tf.string, [len(captions)])
        return self._call("encode", prompt=prompt)

    def draw(self, text, latent):
        """Draws pictures from encoded text and given noise.

        Args:
            text: dict of what the generator takes from the text, (N, ...).
            latent: (N, Z) float32.

        Returns:
            (N, H, W, 3) uint8 array.
        """
        answer = self._call("from_embeddings", noise=latent, **text)
        return answer["image"].numpy()

    def check(self, captions):
        """Refuses captions that are no text, naming the first.

        Args:
            captions: list of str.

        Raises:
            ValueError: if one is empty or not UTF-8.
        """
        for place, caption in enumerate(captions):
            texts.clean(caption, f"Caption {place} ({caption!r})")

    def _call(self, name, **inputs):
        tensors = {k: tf.convert_to_tensor(v) for k, v in inputs.items()}
        try:
            return self._model.signatures[name](**tensors)
        except tf.errors.InvalidArgumentError as error:
            raise ValueError(_asserted(error.message)) from error


def load(path: str | os.PathLike) -> Served:
    """Opens a folder that `export` wrote.

    Args:
        path: the folder.

    Returns:
        `Served`: `generate(captions, seeds)` and the `card`.

    Raises:
        ValueError: if there is no such folder, it can't be read, or something
            else than `export` wrote it.
    """
    import tensorflow_text  # noqa: F401  Its operations may be needed.

    path = pathlib.Path(path)
    if not (path / "saved_model.pb").is_file():
        raise ValueError(f"{path} is no SavedModel: it has no saved_model.pb.")
    try:
        card = json.loads((path / CARD).read_text(encoding="utf-8"))
        served = Served(tf.saved_model.load(str(path)), card)
    except Exception as error:  # Of the disk, the format or an operation.
        raise ValueError(
            f"{path} can't be loaded as an export of keras_t2i: {error}"
        ) from error
    return served


def _asserted(message):
    """The sentence of an assertion inside the graph."""
    before, found, after = message.partition("assertion failed: [")
    return after.split("]", 1)[0] if found else before
