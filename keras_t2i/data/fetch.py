"""Fetches rows of a set in the graph, wherever they lie."""

import numpy as np
import tensorflow as tf

from keras_t2i.data import records, source, texts


def pictures(stored):
    """Makes a function that fetches pictures.

    Args:
        stored: `source.Pictures.images`.

    Returns:
        Function from (b,) rows to (b, H, W, D) uint8 or to (b,) strings of
        encoded pictures.
    """
    if isinstance(stored, source.Shards):
        read = strings_of(stored.read)
        return lambda rows: records.encoded_images(read(rows))
    held = tf.constant(_plain(stored))
    if stored.dtype.kind == "U":
        return lambda rows: tf.map_fn(tf.io.read_file, tf.gather(held, rows))
    return lambda rows: tf.gather(held, rows)


def strings(table):
    """Makes a function that fetches strings.

    Args:
        table: array of str, or `texts.Texts`.

    Returns:
        Function from (b,) places in the flat table to (b,) strings.
    """
    if isinstance(table, texts.Texts):
        return strings_of(table.encoded)
    held = tf.constant(np.ravel(table).tolist())
    return lambda places: tf.gather(held, places)


def vectors(table):
    """Makes a function that fetches vectors.

    Args:
        table: (..., C) floats; one that is mapped from a file stays there.

    Returns:
        Function from (b, k) places in the flat table to (b, k, C) float32.
    """
    flat = table.reshape(-1, table.shape[-1])
    if not isinstance(table, np.memmap):
        held = tf.constant(flat)
        return lambda places: tf.cast(tf.gather(held, places), tf.float32)

    def read(places):
        return flat[places].astype(np.float32)

    def fetched(places):
        found = outside(read, places, tf.float32)
        return tf.ensure_shape(found, (*places.shape, flat.shape[1]))

    return fetched


def strings_of(read):
    """Makes a graph's function of Python's.

    Args:
        read: function from (b,) integers to b bytes.

    Returns:
        Function from (b,) int64 tensors to (b,) string tensors.
    """

    def fetched(places):
        found = outside(
            lambda places: np.array(read(places), object), places, tf.string
        )
        return tf.ensure_shape(found, places.shape)

    return fetched


def outside(read, places, dtypes):
    """Lets Python read; its errors keep their sentence.

    Args:
        read: function from an array to an array, or several.
        places: integer tensor.
        dtypes: type of the answer, or of each.

    Returns:
        Tensor of no known shape, or several.
    """
    # Reading changes nothing: streams with it may be copied and optimized.
    return tf.numpy_function(read, [places], dtypes, stateful=False)


def _plain(array):
    return array.tolist() if array.dtype.kind in "OU" else array
