"""Reads single records of TFRecord files in the graph.

Not in Python, of which a program that ends may wait for ever: its background
threads read ahead, and Python's lock is gone when it closes.
"""

import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

HEAD, TAIL = 12, 4  # bytes around a record: its length, two checksums


def read(path, offset, length):
    """Reads one record; its checksums are compared.

    Args:
        path: () string tensor.
        offset: () int64, where its content begins.
        length: () int64, bytes of its content.

    Returns:
        () string.

    Raises:
        tf.errors.OpError: when it runs, if there is no such record.
    """
    whole = length + (HEAD + TAIL)
    kind = {"output_types": [tf.string], "output_shapes": [[]]}
    # A file that has become shorter holds nothing there.
    either = tf.raw_ops.ConcatenateDataset(
        input_dataset=tf.raw_ops.TFRecordDatasetV2(
            filenames=path[None],
            compression_type="",
            buffer_size=whole,
            byte_offsets=(offset - HEAD)[None],
        ),
        another_dataset=tf.raw_ops.TensorDataset(
            components=[tf.constant("")], output_shapes=[[]]
        ),
        **kind,
    )
    first = tf.raw_ops.TakeDataset(
        input_dataset=either, count=tf.constant(1, tf.int64), **kind
    )
    (found,) = tf.raw_ops.DatasetToSingleElement(dataset=first, **kind)
    is_there = tf.strings.length(found) == tf.cast(length, tf.int32)
    said = [path, " has changed since it was indexed."]
    check = tf.debugging.Assert(is_there, [tf.strings.join(said)])
    with tf.control_dependencies([check]):
        return tf.identity(found)


def check(
    paths: Sequence[str],
    shard: np.ndarray,
    offset: np.ndarray,
    length: np.ndarray,
) -> None:
    """Refuses files that end before their last record.

    Args:
        paths: the files.
        shard: (N,) in which of them each record lies.
        offset: (N,) where its content begins.
        length: (N,) bytes of its content.

    Raises:
        ValueError: naming the file.
    """
    ends = np.zeros(len(paths), np.int64)
    np.maximum.at(ends, shard, offset + length + TAIL)
    for path, end in zip(paths, ends.tolist(), strict=True):
        if end and not os.path.isfile(path):
            raise ValueError(f"There is no record file {path}.")
        if end and os.path.getsize(path) < end:
            raise ValueError(
                f"{path} has {os.path.getsize(path):,} bytes; it had {end:,} "
                "or more when it was indexed."
            )
