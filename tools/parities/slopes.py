"""Gradients of a loss, for whatever family has them recorded."""

import tensorflow as tf


def of(loss, *arrays):
    """Finds a loss and its gradients.

    Args:
        loss: function of as many tensors as there are arrays.
        *arrays: what to differentiate by.

    Returns:
        The loss, and a list of gradients, one for each array.
    """
    tensors = [tf.constant(each) for each in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = loss(*tensors)
    return value, tape.gradient(value, tensors)
