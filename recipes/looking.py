"""Looks at pictures once and keeps what a frozen network says of them."""

import io
import pathlib
from collections.abc import Iterable, Mapping

import keras
import numpy as np
import tensorflow as tf

from keras_t2i.ops import files

KEPT = ("regions", "pooled")
_CHUNK = 32  # pictures looked at together


def look(
    network, batches: Iterable[np.ndarray], count: int, cache: pathlib.Path
) -> dict[str, np.ndarray]:
    """Runs pictures through a network; kept by content between runs.

    Args:
        network: `encoders.features.Features`: (B, H, W, 3) uint8 ->
            {"regions", "pooled"} and more.
        batches: yields (n, H, W, 3) uint8.
        count: how many pictures in all.
        cache: folder of the answers.

    Returns:
        "regions" (N, h, w, C) float16 and "pooled" (N, C) float32.
    """
    bar = keras.utils.Progbar(count, verbose=1)
    parts = []
    for batch in batches:
        for start in range(0, len(batch), _CHUNK):
            some = batch[start : start + _CHUNK]
            parts.append(_one(network, some, cache))
            bar.add(len(some))
    return {key: np.concatenate([p[key] for p in parts]) for key in KEPT}


class Table:
    """Finds what was seen in pictures by their names, in graphs.

    Args:
        keys: (N,) names.
        seen: what `look` gave of them.
    """

    def __init__(self, keys: np.ndarray, seen: Mapping[str, np.ndarray]):
        rows = tf.range(len(keys), dtype=tf.int64)
        self._rows = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(np.asarray(keys, np.str_).tolist()), rows
            ),
            default_value=-1,
        )
        with tf.device("CPU"):
            self._seen = {key: tf.constant(seen[key]) for key in KEPT}

    def __call__(self, keys) -> dict[str, tf.Tensor]:
        """Looks pictures up.

        Args:
            keys: (B,) string.

        Returns:
            "regions" (B, h, w, C) and "pooled" (B, C), float32.
        """
        rows = self._rows.lookup(keys)
        return {
            key: tf.cast(tf.gather(table, rows), tf.float32)
            for key, table in self._seen.items()
        }


def _one(network, images, cache):
    name = files.digest("regions 1", network.digest, images)
    path = cache / f"regions_{name}.npz"
    found = _kept(path, len(images))
    if found is None:
        answer = network(images)
        found = {
            "regions": np.asarray(answer["regions"], np.float16),
            "pooled": np.asarray(answer["pooled"], np.float32),
        }
        content = io.BytesIO()
        np.savez(content, **found)
        files.atomic_write(path, content.getvalue())
    return found


def _kept(path, count):
    """Reads kept answers; None if there are none or they are damaged."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = {key: stored[key] for key in KEPT}
    except Exception:  # a damaged archive may raise anything at all
        return None
    return found if all(len(x) == count for x in found.values()) else None
