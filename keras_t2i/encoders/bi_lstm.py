"""A two-way LSTM as a reader of captions."""

import keras
from keras import ops

from keras_t2i.layers import Dropout, starts


def encoder(
    vocabulary_size,
    *,
    embedding=300,
    width=256,
    dropout=0.5,
    max_words=18,
):
    """Reads word ids into one vector a word and one a sentence.

    Args:
        vocabulary_size: int. Ids known, that of padding, 0, included; its
            vector is one like the others, and learned.
        embedding: int. Numbers of an embedded word.
        width: int, even. Numbers of a word's and of a sentence's vector, half
            of them from each way.
        dropout: float in [0, 1). Share of the embedded words' numbers that is
            forgotten in training, by the caller's draws (`layers.Dropout`).
            0: there are no draws. `plain` leaves them out later.
        max_words: int. With dropout, T: the words of every row, padding
            included. Without, any T is read.

    Returns:
        `keras.Model` "bi_lstm": {"ids": (B, T) int32, "mask": (B, T) bool,
        True first, then False; with dropout "dropout_words": (B, T,
        embedding) float32 in [0, 1)} -> {"words": (B, T, width) float32, 0
        where the mask is False, "sentence": (B, width) float32: what is
        remembered after the last word, then, the other way, after the first}.

    Raises:
        ValueError: if `width` is odd or `dropout` out of range.

    Source:
        Xu et al. 2018, section 3.2, arXiv:1711.10485, and their RNN_ENCODER.
        Ours differs: each way has one bias where Torch adds up two, which
        start, and under Adam move, twice as far.
    """
    if width % 2:
        raise ValueError(f"width is {width}; two ways share it: it is even.")
    bound = (width // 2) ** -0.5
    embed = keras.layers.Embedding(
        vocabulary_size,
        embedding,
        embeddings_initializer=starts.even(0.1),
        name="embedding",
    )
    # Each start is one of its own: one that is shared draws alike.
    lstm = keras.layers.LSTM(
        width // 2,
        kernel_initializer=starts.even(bound),
        recurrent_initializer=starts.even(bound),
        bias_initializer=starts.even(bound),
        unit_forget_bias=False,
        return_sequences=True,
        return_state=True,
        name="lstm",
    )
    two_ways = keras.layers.Bidirectional(lstm, name="two_ways")
    if not dropout:
        return _graph(embed, two_ways)
    return _graph(embed, two_ways, Dropout(dropout, name="drop"), max_words)


def plain(model):
    """Makes the same reader without draws, which share its weights.

    Args:
        model: `keras.Model`, as `encoder` makes it.

    Returns:
        `keras.Model`: {"ids": (B, T) int32, "mask": (B, T) bool} -> as
        `encoder`, for any T.
    """
    return _graph(model.get_layer("embedding"), model.get_layer("two_ways"))


def _graph(embed, two_ways, drop=None, max_words=None):
    ids = keras.Input((max_words,), dtype="int32", name="ids")
    mask = keras.Input((max_words,), dtype="bool", name="mask")
    inputs = {"ids": ids, "mask": mask}
    x = embed(ids)
    if drop is not None:
        inputs["dropout_words"] = keras.Input(
            x.shape[1:], name="dropout_words", dtype="float32"
        )
        x = drop(x, inputs["dropout_words"])
    words, ahead, _, back, _ = two_ways(x, mask=mask)
    sentence = ops.concatenate([ahead, back], axis=-1)
    outputs = {"words": words, "sentence": sentence}
    outputs = {name: ops.cast(y, "float32") for name, y in outputs.items()}
    return keras.Model(inputs, outputs, name="bi_lstm")
