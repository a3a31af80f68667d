"""How one foreign array becomes one of our variables, and back.

A family is a function: our model -> a list of rules. The functions here write
the rules of one layer, so that a family is a short table:

    def image(model):
        layer = model.get_layer
        return [
            *rules.conv(layer("stem"), "_conv_stem"),
            *rules.batch_norm(layer("stem_norm"), "_bn0"),
        ]
"""

import dataclasses
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True)
class Rule:
    """Says which foreign arrays make which of our variables.

    Args:
        keys: tuple of str. Names of the foreign arrays, mostly one.
        variables: tuple of variables, mostly one. None at all: the keys are
            known and not needed; they may be missing, and have a backward
            only if the files of others must hold them.
        forward: (*foreign arrays) -> tuple of arrays, ours.
        backward: (*our arrays) -> tuple of arrays, foreign.
    """

    keys: tuple
    variables: tuple = ()
    forward: Callable | None = None
    backward: Callable | None = None


def same(variable, key):
    """Takes an array as it is.

    Args:
        variable: ours.
        key: str. The array's name in the file.

    Returns:
        `Rule`.
    """
    return _one(variable, key, lambda x: x, lambda x: x)


def permuted(variable, key, order):
    """Takes an array whose axes stand in another order.

    Args:
        variable: ours.
        key: str.
        order: tuple of int. Our axis i is the file's axis `order[i]`.

    Returns:
        `Rule`.
    """
    back = tuple(int(i) for i in np.argsort(order))
    return _one(
        variable,
        key,
        lambda x: x.transpose(order),
        lambda x: x.transpose(back),
    )


def reshaped(variable, key, shape):
    """Takes an array of another shape, its numbers in the same order.

    Args:
        variable: ours.
        key: str.
        shape: tuple of int. The file's.

    Returns:
        `Rule`.
    """
    return _one(
        variable,
        key,
        lambda x: x.reshape(variable.shape),
        lambda x: x.reshape(shape),
    )


def ignored(*keys):
    """Names arrays that are known and not needed.

    Args:
        *keys: str. Their names in the file.

    Returns:
        `Rule`.
    """
    return Rule(keys)


def unused(key, shape):
    """Names an array that files hold and nobody's network plays with.

    Args:
        key: str. Its name in the file.
        shape: tuple of int. What the way back fills with zeros, since strict
            readers of the file ask for it.

    Returns:
        `Rule`.
    """
    return Rule((key,), backward=lambda: (np.zeros(shape, np.float32),))


def plain_names(keys, prefixes):
    """Cuts off what some files put before a family's names.

    Args:
        keys: iterable of str. The names in the file.
        prefixes: tuple of str. Each is cut off as often as it stands there.

    Returns:
        dict: plain name -> name in the file. Of two names that are plainly
        the same the second stays as it is.
    """
    names = {}
    for key in keys:
        plain = key
        while plain.startswith(prefixes):
            cut = next(p for p in prefixes if plain.startswith(p))
            plain = plain.removeprefix(cut)
        names[key if plain in names else plain] = key
    return names


def plain(arrays, prefixes):
    """Names arrays plainly.

    Args:
        arrays: dict of str -> array, with the file's names.
        prefixes: tuple of str, as for `plain_names`.

    Returns:
        dict: plain name -> array.
    """
    named = plain_names(arrays, prefixes)
    return {name: arrays[key] for name, key in named.items()}


def size(arrays, key, axis, default):
    """Reads off how large a network is, to build one that an array fits.

    Args:
        arrays: dict of str -> array.
        key: str. The array.
        axis: int.
        default: what is answered if there is no such array or axis, or
            nothing along it; a wrong array is refused when it is loaded.

    Returns:
        int, or `default`.
    """
    shape = np.shape(arrays.get(key, 0))
    return shape[axis] if axis < len(shape) and shape[axis] else default


def conv(layer, prefix):
    """Writes the rules of a convolution of any rank, (out, in, h, w).

    Args:
        layer: Keras's Conv1D, Conv2D or Conv3D.
        prefix: str. What the file's names begin with.

    Returns:
        List of `Rule`.
    """
    rank = len(layer.kernel.shape)
    order = (*range(2, rank), 1, 0)
    return [permuted(layer.kernel, f"{prefix}.weight", order)] + _bias(
        layer, prefix
    )


def conv_transpose(layer, prefix):
    """Writes the rules of a transposed convolution, (in, out, h, w).

    Args:
        layer: Keras's Conv2DTranspose.
        prefix: str. What the file's names begin with.

    Returns:
        List of `Rule`.
    """
    return conv(layer, prefix)  # Keras's is (h, w, out, in): the same order.


def depthwise(layer, prefix):
    """Writes the rules of a depthwise convolution, (channels, 1, h, w).

    Args:
        layer: Keras's DepthwiseConv2D.
        prefix: str. What the file's names begin with.

    Returns:
        List of `Rule`.
    """
    kernel = permuted(layer.kernel, f"{prefix}.weight", (2, 3, 0, 1))
    return [kernel] + _bias(layer, prefix)


def dense(layer, prefix):
    """Writes the rules of a linear layer, (out, in).

    Args:
        layer: Keras's Dense.
        prefix: str. What the file's names begin with.

    Returns:
        List of `Rule`.
    """
    kernel = permuted(layer.kernel, f"{prefix}.weight", (1, 0))
    return [kernel] + _bias(layer, prefix)


def pointwise(layer, prefix, axes):
    """Writes the rules of a convolution of size 1, (out, in, 1, ...).

    Args:
        layer: Keras's Dense, which treats all places alike too.
        prefix: str. What the file's names begin with.
        axes: int. How many axes of places the file's kernel has.

    Returns:
        List of `Rule`.
    """
    inputs, outputs = layer.kernel.shape
    ones = (1,) * axes
    kernel = _one(
        layer.kernel,
        f"{prefix}.weight",
        lambda x: x.reshape(outputs, inputs).T,
        lambda x: x.T.reshape(outputs, inputs, *ones),
    )
    return [kernel] + _bias(layer, prefix)


def spectral(layer, prefix):
    """Writes the rules of a convolution with a spectral norm of its kernel.

    The file's v counts (in, h, w), ours (h, w, in).

    Args:
        layer: `layers.SpectralConv`.
        prefix: str. What the file's names begin with.

    Returns:
        List of `Rule`.
    """
    height, width, inputs, _ = layer.kernel.shape
    v = _one(
        layer.v,
        f"{prefix}.weight_v",
        lambda x: x.reshape(inputs, height, width).transpose(1, 2, 0).ravel(),
        lambda x: x.reshape(height, width, inputs).transpose(2, 0, 1).ravel(),
    )
    return [
        permuted(layer.kernel, f"{prefix}.weight_bar", (2, 3, 1, 0)),
        same(layer.u, f"{prefix}.weight_u"),
        v,
    ] + _bias(layer, prefix)


def dense_onto_map(layer, prefix, size):
    """Writes the rules of a linear layer whose outputs become a map.

    The file's outputs are (channels, size, size), ours end in channels.

    Args:
        layer: Keras's Dense.
        prefix: str.
        size: int. Height and width of the map.

    Returns:
        List of `Rule`.
    """
    inputs, outputs = layer.kernel.shape
    channels = outputs // size**2
    ours, theirs = (size, size, channels), (channels, size, size)
    return [
        _one(
            layer.kernel,
            f"{prefix}.weight",
            lambda x: (
                x.reshape(*theirs, inputs)
                .transpose(3, 1, 2, 0)
                .reshape(inputs, outputs)
            ),
            lambda x: (
                x.reshape(inputs, *ours)
                .transpose(3, 1, 2, 0)
                .reshape(outputs, inputs)
            ),
        ),
        _one(
            layer.bias,
            f"{prefix}.bias",
            lambda x: x.reshape(theirs).transpose(1, 2, 0).reshape(outputs),
            lambda x: x.reshape(ours).transpose(2, 0, 1).reshape(outputs),
        ),
    ]


def heads(layer, prefix, inputs):
    """Writes the rules of an attention projection, (out, in) in the file.

    Args:
        layer: Keras's EinsumDense of (in, heads, size) or (heads, size, out).
        prefix: str.
        inputs: int. How many leading axes of the kernel are inputs: 1 or 2.

    Returns:
        List of `Rule`.
    """
    shape = tuple(layer.kernel.shape)
    flat = (int(np.prod(shape[:inputs])), int(np.prod(shape[inputs:])))
    bias = tuple(layer.bias.shape)
    return [
        _one(
            layer.kernel,
            f"{prefix}.weight",
            lambda x: x.T.reshape(shape),
            lambda x: x.reshape(flat).T,
        ),
        _one(
            layer.bias,
            f"{prefix}.bias",
            lambda x: x.reshape(bias),
            lambda x: x.reshape(-1),
        ),
    ]


def embedding(layer, prefix):
    """Writes the rule of a table of vectors.

    Args:
        layer: Keras's Embedding.
        prefix: str. What the file's names begin with.

    Returns:
        List of `Rule`.
    """
    return [same(layer.embeddings, f"{prefix}.weight")]


def layer_norm(layer, prefix):
    """Writes the rules of a layer normalisation.

    Args:
        layer: Keras's LayerNormalization.
        prefix: str. What the file's names begin with.

    Returns:
        List of `Rule`.
    """
    return [
        same(layer.gamma, f"{prefix}.weight"),
        same(layer.beta, f"{prefix}.bias"),
    ]


def batch_norm(layer, prefix):
    """Writes the rules of a batch normalisation, with or without scale.

    Args:
        layer: `layers.BatchNorm`.
        prefix: str. What the file's names begin with.

    Returns:
        List of `Rule`.
    """
    rules = [
        same(layer.moving_mean, f"{prefix}.running_mean"),
        same(layer.moving_variance, f"{prefix}.running_var"),
        ignored(f"{prefix}.num_batches_tracked"),
    ]
    for ours, theirs in (("gamma", "weight"), ("beta", "bias")):
        variable = getattr(layer, ours, None)
        if variable is not None:
            rules.append(same(variable, f"{prefix}.{theirs}"))
    return rules


def _bias(layer, prefix):
    bias = getattr(layer, "bias", None)
    return [] if bias is None else [same(bias, f"{prefix}.bias")]


def _one(variable, key, forward, backward):
    return Rule(
        (key,),
        (variable,),
        lambda x: (forward(x),),
        lambda x: (backward(x),),
    )
