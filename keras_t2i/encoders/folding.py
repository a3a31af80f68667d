"""Frozen networks without their norms: the same answers in fewer passes."""

import keras
import numpy as np

_CONVS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)


def folded(model):
    """Copies a frozen network, each norm multiplied into the kernel before it.

    A norm that stands still is a factor and a shift a channel, so the kernel
    can be multiplied by the one and the other is a bias: that spares a frozen
    reader, and the gradient that goes through it, two passes over each map.
    Equal to rounding.

    Args:
        model: functional `keras.Model`, perhaps with models inside. Norms are
            `keras.layers.BatchNormalization`; those that follow no
            convolution without bias, or share it with others, stay.

    Returns:
        `keras.Model` of the same inputs, outputs and layers' names; nothing
        in it can be trained.
    """
    pairs = _pairs(model)
    convs = {conv.name for conv, _ in pairs}
    norms = {norm.name for _, norm in pairs}

    def clone(layer):
        if isinstance(layer, keras.Model):
            return folded(layer)
        if layer.name in norms:
            return keras.layers.Identity(name=layer.name, dtype=layer.dtype)
        config = layer.get_config()
        if layer.name in convs:
            config["use_bias"] = True
        return type(layer).from_config(config)

    def call(layer, *args, **kwargs):
        if layer.name in norms:
            return layer(args[0])  # Norms take a mask, too.
        return layer(*args, **kwargs)

    twin = keras.models.clone_model(
        model, clone_function=clone, call_function=call
    )
    for layer in model.layers:
        is_whole = not isinstance(layer, keras.Model)
        if is_whole and layer.weights and layer.name not in convs | norms:
            twin.get_layer(layer.name).set_weights(layer.get_weights())
    for conv, norm in pairs:
        twin.get_layer(conv.name).set_weights(_multiplied(conv, norm))
    twin.trainable = False
    return twin


def _pairs(model):
    """Lists convolutions and the norms that alone look at them."""
    found = []
    for layer in model.layers:
        if not isinstance(layer, keras.layers.BatchNormalization):
            continue
        (conv,) = _before(layer)
        if _is_plain(conv) and _after(conv) == [layer]:
            found.append((conv, layer))
    told = {x._keras_history.operation for x in model.outputs}
    return [(conv, norm) for conv, norm in found if conv not in told]


def _is_plain(layer):
    """Whether a layer is a convolution and nothing else."""
    is_linear = isinstance(layer, _CONVS) and (
        layer.activation is keras.activations.linear
    )
    return is_linear and not layer.use_bias


def _before(layer):
    (node,) = layer._inbound_nodes
    return [x._keras_history.operation for x in node.input_tensors]


def _after(layer):
    return [node.operation for node in layer._outbound_nodes]


def _multiplied(conv, norm):
    """The kernel and the bias of both."""
    (kernel,) = conv.get_weights()
    gamma, beta, mean, variance = _numbers(norm)
    factor = gamma / np.sqrt(variance + norm.epsilon)
    per_channel = factor
    if isinstance(conv, keras.layers.DepthwiseConv2D):
        per_channel = factor.reshape(kernel.shape[2:])
    return [kernel * per_channel, beta - mean * factor]


def _numbers(norm):
    """Factor, shift, mean and variance, in float64."""
    mean, variance = norm.moving_mean, norm.moving_variance
    gamma = norm.gamma if norm.scale else np.ones(mean.shape)
    beta = norm.beta if norm.center else np.zeros(mean.shape)
    return [np.float64(x) for x in (gamma, beta, mean, variance)]
