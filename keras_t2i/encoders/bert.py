"""BERT as a reader of captions."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_t2i")
class MeanOfWords(keras.layers.Layer):
    """Averages the words of each row and scales the mean to length one.

    Call arguments:
        words: (B, T, C) float.
        mask: (B, T) bool; words where it is False change nothing.

    Returns of a call:
        (B, C) float, rows of length one.

    Source:
        Reimers and Gurevych 2019, section 3, arXiv:1908.10084.
        Ours differs: the division by the length belongs to the layer.
    """

    def call(self, words, mask):
        real = ops.cast(mask, words.dtype)[:, :, None]
        mean = ops.sum(words * real, axis=1)
        mean = mean / ops.maximum(ops.sum(real, axis=1), 1e-9)
        length = ops.sqrt(ops.sum(mean * mean, axis=-1, keepdims=True))
        return mean / ops.maximum(length, 1e-12)


def encoder(
    *,
    vocabulary_size=30522,
    width=384,
    layers=6,
    heads=12,
    hidden=1536,
    positions=512,
    epsilon=1e-12,
):
    """Reads word-piece ids into one vector a word and one a sentence.

    Args:
        vocabulary_size: int. Word pieces known.
        width: int. Features of a word, divisible by `heads`.
        layers: int. Transformer layers.
        heads: int. Attention heads a layer.
        hidden: int. Features between the two halves of a feed-forward step.
        positions: int. Longest row.
        epsilon: float > 0. Added to variances.

    Returns:
        keras.Model, float32 under any policy: {"ids": (B, T) int32, "mask":
        (B, T) bool} -> {"words": (B, T, width), "sentence": (B, width) of
        length one}.

    Raises:
        ValueError: if `width` is not divisible by `heads`.

    Source:
        Devlin et al. 2018, arXiv:1810.04805 (the layers); Reimers and
        Gurevych 2019, arXiv:1908.10084 (the sentence).
        Ours differs: no dropout, since it reads and is not trained here; a
        row is one sentence, so every piece is of type 0.
    """
    if width % heads:
        raise ValueError(f"width {width} is not divisible by {heads} heads.")
    keep = {"dtype": "float32"}

    def embedding(count, name):
        return keras.layers.Embedding(count, width, name=name, **keep)

    def dense(units, name, activation=None):
        return keras.layers.Dense(units, activation, name=name, **keep)

    def norm(name):
        return keras.layers.LayerNormalization(
            epsilon=epsilon, name=name, **keep
        )

    ids = keras.Input((None,), dtype="int32", name="ids")
    mask = keras.Input((None,), dtype="bool", name="mask")
    places = ops.cumsum(ops.ones_like(ids), axis=1) - 1
    x = embedding(vocabulary_size, "pieces")(ids)
    x = x + embedding(positions, "positions")(places)
    x = x + embedding(2, "types")(ops.zeros_like(ids))
    x = norm("norm")(x)
    seen = ops.expand_dims(mask, 1)  # (B, 1, T): the same for every reader
    for i in range(layers):
        attention = keras.layers.MultiHeadAttention(
            heads, width // heads, name=f"attention_{i}", **keep
        )
        x = norm(f"attention_norm_{i}")(
            x + attention(x, x, attention_mask=seen)
        )
        y = dense(hidden, f"widen_{i}", "gelu")(x)  # Keras's is the exact one
        x = norm(f"norm_{i}")(x + dense(width, f"narrow_{i}")(y))
    sentence = MeanOfWords(name="sentence", **keep)(x, mask)
    return keras.Model(
        {"ids": ids, "mask": mask},
        {"words": x, "sentence": sentence},
        name="bert",
    )
