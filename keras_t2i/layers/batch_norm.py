"""Batch normalisation by PyTorch's law."""

import keras
import tensorflow as tf
from keras import ops

from keras_t2i.ops import replicas


@keras.saving.register_keras_serializable("keras_t2i")
class BatchNorm(keras.layers.Layer):
    """Normalises each channel over the batch, exactly as PyTorch does.

    Released weights and nearly all reference code assume this law. It differs
    from `keras.layers.BatchNormalization` in the variance that enters the
    running value (unbiased, n / (n - 1)), in epsilon, and in what momentum
    means. Statistics and the normalisation are float32 whatever comes in,
    and sums are taken axis by axis: adding up 262,144 values one after the
    other, as the fused kernel does, costs a third of float32's digits. That
    kernel serves only 16-bit layers, whose own rounding is coarser.

    On several replicas each normalises with its own rows; the base averages
    the running statistics over replicas once a move. With
    `synchronized=True` all replicas share the statistics of the whole batch.

    Args:
        momentum: float in [0, 1]. The weight of the NEW statistics in the
            running ones (PyTorch's meaning; Keras calls the rest momentum).
        epsilon: float > 0, added to the variance.
        center: bool. Whether a learned shift is added.
        scale: bool. Whether a learned factor is applied.
        synchronized: bool. Whether replicas share statistics. Needs
            collectives, so it can't run inside a function compiled by XLA
            on two or more replicas.
        gamma_initializer: where the factor starts.
        unbiased: bool. Whether the running variance is PyTorch's; Keras
            keeps the biased one.
        activation: callable or name, as `keras.activations.get` takes; "glu"
            halves the channels. Behind the norm it is cheap to work out
            again, so gradients keep the norm's input only (of float32
            layers in training, statistics not shared): of a gated map of
            2 C channels 2 C numbers a pixel, not 4 C.

    Call arguments:
        inputs: (B, ..., C) float.
        training: bool. Whether batch statistics are used, and the running
            ones moved.

    Returns of a call:
        (B, ..., C) float of the layer's compute dtype, or as the activation
        makes of it.

    Source:
        Ioffe and Szegedy 2015, algorithm 1, arXiv:1502.03167;
        torch.nn.BatchNorm2d for the running variance.
    """

    def __init__(
        self,
        momentum=0.1,
        epsilon=1e-5,
        center=True,
        scale=True,
        synchronized=False,
        gamma_initializer="ones",
        unbiased=True,
        activation=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.momentum = momentum
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.synchronized = synchronized
        self.gamma_initializer = keras.initializers.get(gamma_initializer)
        self.unbiased = unbiased
        self.activation = keras.activations.get(activation)

    def build(self, inputs_shape):
        def vector(name, start, trainable=True):
            return self.add_weight(
                name=name,
                shape=(inputs_shape[-1],),
                initializer=start,
                trainable=trainable,
                dtype="float32",
                autocast=False,
            )

        if self.scale:
            self.gamma = vector("gamma", self.gamma_initializer)
        if self.center:
            self.beta = vector("beta", "zeros")
        self.moving_mean = vector("moving_mean", "zeros", trainable=False)
        self.moving_variance = vector("moving_variance", "ones", False)

    def call(self, inputs, training=False):
        return self.normalise(inputs, training)

    def behind(self, x, *steers):
        """Says what happens to a normalised map: the activation.

        Args:
            x: (B, ..., C) float.
            *steers: what a heir of this layer steers it by.

        Returns:
            (B, ..., C) float, or as the activation makes of it.
        """
        return self.activation(x)

    def normalise(self, inputs, training, *steers):
        """Normalises a map, for heirs whose calls take more.

        Args:
            inputs: (B, ..., C) float.
            training: bool. As in a call.
            *steers: float tensors that `behind` takes.

        Returns:
            What `behind` makes, of the layer's compute dtype.
        """
        channels = inputs.shape[-1]
        gamma = self.gamma if self.scale else ops.ones((channels,))
        beta = self.beta if self.center else ops.zeros((channels,))
        gamma, beta = tf.convert_to_tensor(gamma), tf.convert_to_tensor(beta)
        if not training:
            factor = gamma * ops.rsqrt(self.moving_variance + self.epsilon)
            shift = beta - self.moving_mean * factor
            return self._affine(inputs, factor, shift, steers)
        if self.synchronized and replicas.count() > 1:
            return self._shared(inputs, gamma, beta, steers)
        return self._own(inputs, gamma, beta, steers)

    def _own(self, inputs, gamma, beta, steers):
        if self.compute_dtype in ("float16", "bfloat16"):
            outputs, mean, variance = self._fused(inputs, gamma, beta)
            outputs = self.behind(outputs, *steers)
        else:
            x = ops.cast(inputs, "float32")
            is_linear = self.activation is keras.activations.linear
            behind = None if is_linear and not steers else self.behind
            outputs, mean, variance = _normalise(
                x, gamma, beta, self.epsilon, behind, steers
            )
            variance = variance * (_unbiased(_rows(x)) if self.unbiased else 1)
        self._move(mean, variance)
        return ops.cast(outputs, self.compute_dtype)

    def _fused(self, inputs, gamma, beta):
        # The kernel wants four axes and hands back the unbiased variance.
        flat = inputs
        if len(inputs.shape) != 4:
            flat = ops.reshape(inputs, (-1, 1, 1, inputs.shape[-1]))
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            flat, gamma, beta, epsilon=self.epsilon, is_training=True
        )
        if not self.unbiased:
            variance = variance / _unbiased(_rows(inputs))
        return ops.reshape(outputs, ops.shape(inputs)), mean, variance

    def _shared(self, inputs, gamma, beta, steers):
        x = ops.cast(inputs, "float32")
        mean = replicas.mean(_mean(x))
        variance = replicas.mean(_mean(ops.square(x - mean)))
        rows = _rows(x) * replicas.count()
        self._move(mean, variance * (_unbiased(rows) if self.unbiased else 1))
        factor = gamma * ops.rsqrt(variance + self.epsilon)
        outputs = self.behind((x - mean) * factor + beta, *steers)
        return ops.cast(outputs, self.compute_dtype)

    def _affine(self, inputs, factor, shift, steers):
        x = ops.cast(inputs, "float32")
        outputs = self.behind(x * factor + shift, *steers)
        return ops.cast(outputs, self.compute_dtype)

    def _move(self, mean, variance):
        for running, now in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            now = ops.stop_gradient(now)
            running.assign(running + self.momentum * (now - running))

    def compute_output_shape(self, inputs_shape):
        return self.activation(keras.KerasTensor(inputs_shape)).shape

    def get_config(self):
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "synchronized": self.synchronized,
            "gamma_initializer": keras.initializers.serialize(
                self.gamma_initializer
            ),
            "unbiased": self.unbiased,
            "activation": keras.activations.serialize(self.activation),
        }


def _normalise(x, gamma, beta, epsilon, behind, steers):
    """Normalises (B, ..., C) by its own mean and (biased) variance.

    Gradients flow through the first result only; theirs are written out,
    which takes half the time, and can be differentiated again. What is behind
    the norm is worked out anew for them.
    """

    @tf.custom_gradient
    def normal(x, gamma, beta, *steers):
        mean = _mean(x)
        variance = _mean(ops.square(x - mean))
        factor = ops.rsqrt(variance + epsilon)
        whole = gamma * factor
        shift = beta - mean * whole

        # Vectors are worked out first: each further pass over x costs time.
        def slopes(upstream, *_):
            others = []
            if behind is not None:
                # Not before it is needed, or it would be kept after all.
                with tf.control_dependencies([upstream]):
                    again = tf.identity(x) * whole + shift
                upstream, *others = _slopes(behind, [again, *steers], upstream)
            for_beta = _mean(upstream)
            for_gamma = (_mean(upstream * x) - mean * for_beta) * factor
            slant = whole * factor * for_gamma
            for_x = upstream * whole - x * slant
            for_x = for_x + (mean * slant - whole * for_beta)
            rows = _rows(x)
            return for_x, for_gamma * rows, for_beta * rows, *others

        outputs = x * whole + shift
        if behind is not None:
            outputs = behind(outputs, *steers)
        return (outputs, mean, variance), slopes

    return normal(x, gamma, beta, *steers)


def _slopes(function, inputs, upstream):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = function(*inputs)
    return tape.gradient(outputs, inputs, upstream)


def _mean(x):
    """Averages (B, ..., C) to (C,), axis by axis so that no sum is long."""
    for axis in reversed(range(len(x.shape) - 1)):
        x = ops.mean(x, axis)
    return x


def _rows(x):
    return ops.cast(ops.size(x) // x.shape[-1], "float32")


def _unbiased(rows):
    return rows / ops.maximum(rows - 1.0, 1.0)
