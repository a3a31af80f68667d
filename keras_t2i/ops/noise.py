"""Draws random numbers that depend on a key alone.

A key is made from (seed, move, salt). The same key gives the same numbers in
any process, eagerly or in a graph, on one replica or on several, before or
after a restart: no hidden generator state exists. The draws use the Philox
counter generator, because the default may differ from device to device.
They must stay outside XLA, whose generators give other numbers.
"""

import zlib

import tensorflow as tf

_ALG = "philox"


def key(seed, move=0, salt=""):
    """Makes the key of one draw.

    Args:
        seed: int or () integer tensor. The run's seed.
        move: int or () integer tensor. Which move, epoch or example it is for.
        salt: str. What the draw is for, so that two draws of one move differ.

    Returns:
        (2,) int64 tensor, fit for `tf.random.stateless_*`.
    """
    pair = tf.stack([tf.cast(seed, tf.int64), tf.cast(move, tf.int64)])
    salted = tf.constant(zlib.crc32(salt.encode()), tf.int64)
    return tf.random.experimental.stateless_fold_in(pair, salted, alg=_ALG)


def normal(key, shape, dtype="float32"):
    """Draws from the standard normal distribution.

    Args:
        key: (2,) int64, from `key`.
        shape: the shape of the result.
        dtype: a float type.

    Returns:
        Tensor of `shape` and `dtype`, mean 0, variance 1.
    """
    return tf.random.stateless_normal(shape, key, dtype=dtype, alg=_ALG)


def uniform(key, shape, low=0.0, high=1.0, dtype="float32"):
    """Draws evenly from [low, high).

    Args:
        key: (2,) int64, from `key`.
        shape: the shape of the result.
        low: the least value.
        high: the bound above, not reached. Integers need an integer `dtype`.
        dtype: a float or integer type.

    Returns:
        Tensor of `shape` and `dtype`.
    """
    return tf.random.stateless_uniform(
        shape, key, minval=low, maxval=high, dtype=dtype, alg=_ALG
    )


def permutation(key, size):
    """Draws an order of `size` things.

    Args:
        key: (2,) int64, from `key`.
        size: int or () integer tensor. How many things there are.

    Returns:
        (size,) int64: each of 0 ... size - 1 once.
    """
    draws = tf.random.stateless_uniform(
        [size], key, minval=None, maxval=None, dtype=tf.int64, alg=_ALG
    )
    return tf.cast(tf.argsort(draws, stable=True), tf.int64)


def truncated_normal(key, shape, bound, dtype="float32"):
    """Draws normal numbers and folds those beyond `bound` back inside.

    Fewer extreme codes give safer, less varied pictures ("truncation trick").

    Args:
        key: (2,) int64, from `key`.
        shape: the shape of the result.
        bound: float > 0. The largest absolute value, in standard deviations.
        dtype: a float type.

    Returns:
        Tensor of `shape` and `dtype`, within [-bound, bound].

    Source:
        Brock et al. 2018, section 3.1, arXiv:1809.11096. Ours differs: values
        come from the exact truncated distribution (inverse of the normal
        distribution function), so one key gives one draw, never a re-draw.
    """
    low = 0.5 * (1.0 + tf.math.erf(tf.cast(-bound, tf.float64) / 2.0**0.5))
    share = uniform(key, shape, dtype="float64")
    values = tf.math.ndtri(low + (1.0 - 2.0 * low) * share)
    return tf.cast(tf.clip_by_value(values, -bound, bound), dtype)


def rows(seeds, count, size, bound=None):
    """Draws a latent vector for each seed, whatever stands beside it.

    Args:
        seeds: () or (count,) integers. One seed is widened to
            seed, seed + 1, ...
        count: int or () tensor. How many rows.
        size: int. Length of a row.
        bound: float > 0 or None. If given, draws stay within it.

    Returns:
        (count, size) float32, standard normal or truncated.
    """
    seeds = tf.cast(seeds, tf.int64)
    if seeds.shape.rank == 0:
        seeds = seeds + tf.range(tf.cast(count, tf.int64))

    def one(seed):
        if bound is None:
            return normal(key(seed, salt="row"), (size,))
        return truncated_normal(key(seed, salt="row"), (size,), bound)

    return tf.map_fn(one, seeds, fn_output_signature=tf.float32)
