"""What several references recorded alike: pictures, maps, what passes leave."""

import numpy as np
import tensorflow as tf

from keras_t2i import weights

_AFTER = "after_forward/"
_UNCOUNTED = "a count of batches, which ours doesn't keep"


def theirs(maps):
    """Brings maps into the references' order.

    Args:
        maps: (B, H, W, C).

    Returns:
        (B, C, H, W) array.
    """
    return np.asarray(maps).transpose(0, 3, 1, 2)


def thinned(ledger, name, maps):
    """Brings maps into the order, and to the pixels, that were recorded.

    Args:
        ledger: `tools.parity.Ledger`.
        name: str. What was recorded.
        maps: (B, H, W, C).

    Returns:
        (B, C, h, w) array: every so manieth pixel, from the first.
    """
    maps = theirs(maps)
    recorded = ledger.shape(name)
    step = max(maps.shape[-1] // max(recorded[-1], 1), 1) if recorded else 1
    return maps[..., ::step, ::step]


def enlarged(ledger, name, rows, size):
    """Takes small pictures and repeats their pixels up to a size.

    Args:
        ledger: `tools.parity.Ledger`.
        name: str. What was recorded.
        rows: int. How many.
        size: int. Height and width.

    Returns:
        (rows, size, size, 3) float32 tensor.

    Raises:
        ValueError: if they are missing or of a size that can't be repeated.
    """
    small = ledger.input(name, (rows, 3, None, None))
    times = size // max(small.shape[-1], 1)
    if small.shape[2:] != (size / times, size / times):
        raise ValueError(
            f"{name} is {small.shape[2:]}; repeated pixels must give "
            f"{(size, size)}"
        )
    return tf.constant(
        small.repeat(times, 2).repeat(times, 3).transpose(0, 2, 3, 1)
    )


def compare_left(ledger, family, model, prefix):
    """Enters what passes left behind.

    Running statistics of a generator, and vectors that passes move.

    Args:
        ledger: `tools.parity.Ledger`.
        family: str, "family/part".
        model: our `keras.Model` of it.
        prefix: str. What its names begin with in the file.
    """
    endings = (".weight_u", ".weight_v")
    if family.endswith("generator"):
        endings = (".running_mean", ".running_var")
    for key, value in weights.export(family, model).items():
        if key.endswith(endings):
            ledger.compare(f"{_AFTER}{prefix}{key}", value)
    counts = [
        name
        for name in ledger.names(f"{_AFTER}{prefix}")
        if name.endswith(".num_batches_tracked")
    ]
    ledger.leave(counts, _UNCOUNTED)
