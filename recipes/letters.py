"""Readers and a captioner that learned nothing, for smoke runs: "letters"."""

import keras
import numpy as np
import tensorflow as tf

from keras_t2i import data, weights
from keras_t2i.encoders import captioner as captioners
from keras_t2i.encoders import heads, pairs, tokenizer


class Letters:
    """Reads captions without weights, for smoke runs: hashed words, summed.

    Args:
        dim: int. Length of the sentence vector.
    """

    name = "letters"
    max_words = 64

    def __init__(self, dim: int = 16):
        self.dim = dim
        self.digest = f"letters-{dim}"

    def __call__(self, captions):
        """Reads (N,) strings into "words", "mask" and "sentence"."""
        words = tf.strings.split(tf.strings.lower(captions))
        rows = tf.strings.to_hash_bucket_strong(words, 997, [7, 11])
        table = np.random.RandomState(0).randn(997, self.dim)
        read = tf.gather(tf.constant(table, tf.float32), rows)
        lengths = tf.minimum(words.row_lengths(), self.max_words)
        return {
            "words": read.to_tensor(shape=(None, self.max_words, self.dim)),
            "mask": tf.sequence_mask(lengths, self.max_words),
            "sentence": tf.reduce_sum(read, axis=1),
        }

    def pieces(self, caption):
        """Lists the words of a caption."""
        return caption.lower().split()[: self.max_words]

    def check(self, captions):
        """Refuses nothing but what is not text."""
        for caption in captions:
            data.captions.check(caption)


def pair(dim: int = 16) -> weights.readers.Pair:
    """Makes readers without trained weights.

    Args:
        dim: numbers of a sentence and of a code.

    Returns:
        The pair: `Letters`, and a network of pictures whose weights are drawn
        once and for all.
    """
    start = keras.initializers.RandomNormal(0.0, 0.3, seed=0)
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Conv2D(dim, 4, 4, kernel_initializer=start)(image)
    pooled = keras.layers.GlobalAveragePooling2D()(keras.ops.relu(x))
    told = {"regions": x, "code": pooled}
    model = keras.Model({"image": image}, told, name="letters")
    seen = pairs.ImageReader(model, "letters", f"letters-{dim}")
    head, draw = heads.classes(dim, 100), np.random.RandomState(0)
    head.set_weights([draw.normal(0.0, 0.3, w.shape) for w in head.weights])
    return weights.readers.Pair(Letters(dim), seen, {}, head)


def learners(dim: int = 16) -> weights.readers.Learners:
    """Makes readers that have learned nothing yet.

    Args:
        dim: numbers of a sentence and of a code.

    Returns:
        Players upon `Letters` and a network of pictures, as
        `weights.readers.learners` gives them.
    """
    base, trunk = Letters(dim), pair(dim).image.model
    trunk = keras.Model(
        trunk.input,
        {"regions": trunk.output["regions"], "pooled": trunk.output["code"]},
        name="letters",
    )
    head = heads.image(dim, dim, dim)
    image = heads.over(trunk, head, size=16, norms="running")
    players = {"text": heads.text(dim, dim), "image": image}
    card = {"recipe": {"text": {"encoder": "letters"}}}
    told = weights.readers.reading(players["text"], base, card)
    classes = pair(dim).classes
    return weights.readers.Learners(players, told, card, classes)


def words() -> tokenizer.Words:
    """Numbers the words of drawn shapes.

    Returns:
        What `weights.captioners.words` gives of trained ones.
    """
    captions = data.shapes.load(64, 8).captions.ravel().tolist()
    known = data.vocabulary.Vocabulary.of(captions)
    return tokenizer.Words(known, max_words=12, truncate=True)


def captioner() -> captioners.Captioner:
    """Makes a captioner without trained weights.

    Returns:
        The captioner, of the words of drawn shapes.
    """
    image = keras.Input((None, None, 3), name="image")
    x = keras.ops.relu(keras.layers.Conv2D(8, 4, 4)(image))
    pooled = keras.layers.GlobalAveragePooling2D()(x)
    eyes = keras.Model({"image": image}, {"pooled": pooled}, name="eyes")
    numbered = words()
    size = len(numbered.vocabulary) + 1
    decoder = captioners.decoder(size, 8, embedding=8, width=8)
    model, draw = captioners.join(eyes, decoder), np.random.RandomState(0)
    shapes = [weight.shape for weight in model.weights]
    # Positive, as a norm's variance has to be.
    model.set_weights([np.abs(draw.normal(0.0, 0.3, s)) for s in shapes])
    model.trainable = False
    return captioners.Captioner(
        model, numbered.vocabulary, numbered.max_words, "letters"
    )
