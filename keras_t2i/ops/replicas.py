"""Lets one sentence mean the whole batch, however many replicas share it.

Every function is the identity where only one replica runs. They use
collectives, so they must stay outside functions compiled by XLA.
"""

import tensorflow as tf


def context():
    """Finds the replica that the caller runs in.

    Returns:
        `tf.distribute.ReplicaContext`.

    Raises:
        RuntimeError: if called outside any replica (under a strategy's scope
            but not inside `strategy.run`).
    """
    found = tf.distribute.get_replica_context()
    if found is None:
        raise RuntimeError(
            "This runs inside one replica only; it was called in the "
            "strategy's cross-replica scope. Call it inside strategy.run."
        )
    return found


def count() -> int:
    """Counts the replicas that share the batch; 1 without a strategy."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def spans_workers() -> bool:
    """Tells whether the replicas live in several processes."""
    strategy = tf.distribute.get_strategy()
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def index():
    """Numbers the caller's replica.

    Returns:
        () int32, 0 ... count() - 1.
    """
    return tf.cast(context().replica_id_in_sync_group, tf.int32)


def share(values):
    """Takes the caller's rows of something made for the whole batch.

    Args:
        values: (R * B, ...) tensor, the same on all R replicas.

    Returns:
        (B, ...) tensor: replica r's rows r * B ... (r + 1) * B - 1.
    """
    if count() == 1:
        return values
    size = tf.shape(values)[0] // count()
    mine = values[index() * size : (index() + 1) * size]
    return _with_rows(mine, values, lambda rows: rows // count())


def gather(values):
    """Joins all replicas' rows, in order, with gradient.

    Args:
        values: (B, ...) tensor.

    Returns:
        (R * B, ...) tensor, the same on every replica.
    """
    if count() == 1:
        return values
    if spans_workers():  # all_gather finds no device there.
        rows = tf.shape(values)[0]
        before, after = index() * rows, (count() - 1 - index()) * rows
        margins = [[before, after]] + [[0, 0]] * (values.shape.rank - 1)
        (whole,) = total([tf.pad(values, margins)])
    else:
        whole = context().all_gather(values, axis=0)
    return _with_rows(whole, values, lambda rows: rows * count())


def mean(values):
    """Averages a tensor over replicas, with gradient.

    Args:
        values: tensor of one shape on all replicas.

    Returns:
        Tensor of that shape, the same on every replica.
    """
    if count() == 1:
        return values
    return tf.reduce_mean(gather(values[tf.newaxis]), axis=0)


def ratio(values, counts):
    """Divides a sum over all replicas' rows by another, with gradient.

    A mean over words, say, of which replicas have unlike many: the mean of
    their answers is the whole batch's.

    Args:
        values: (B,) float tensor.
        counts: (B,) float tensor; the whole batch's sum is not 0.

    Returns:
        () tensor: this replica's share, times the count of replicas.
    """
    whole = mean(tf.reduce_sum(counts))
    return tf.reduce_sum(values) / whole


def total(tensors):
    """Sums each tensor over replicas: gradients, mostly.

    Args:
        tensors: list of tensors of one shape on all replicas.

    Returns:
        List of tensors, the same on every replica.
    """
    if count() == 1:
        return list(tensors)
    return context().all_reduce(tf.distribute.ReduceOp.SUM, list(tensors))


def _with_rows(made, source, change):
    """Tells a graph the shape that slicing and collectives forget."""
    rows, *rest = source.shape
    known = None if rows is None else change(rows)
    return tf.ensure_shape(made, [known, *rest])
