"""Convolutions whose kernel, as a matrix, stretches no vector (nearly).

Its norm is estimated, a step of the power iteration a pass.

Keras's own `SpectralNormalization` writes the divided kernel over the learned
one and lets no gradient through the divisor; released weights need the law
of Miyato et al., which is here.
"""

import keras
from keras import initializers, ops

from keras_t2i.ops import convolution

MOVES = ("training", "always")


def iterate(matrix, u):
    """Goes one step of the power iteration, and measures.

    Args:
        matrix: (I, O) float32: what takes I numbers to O.
        u: (O,) float32, of length 1: where the outputs pointed.

    Returns:
        u (O,), v (I,), both constants to a gradient, and the () float32
        spectral norm that they find, whose gradient goes through `matrix`.

    Source:
        Miyato et al. 2018, algorithm 1, arXiv:1802.05957.
    """
    v = ops.stop_gradient(_unit(ops.matmul(matrix, u)))
    stretched = ops.matmul(v, matrix)
    u = ops.stop_gradient(_unit(stretched))
    return u, v, ops.sum(stretched * u)


@keras.saving.register_keras_serializable("keras_t2i")
class SpectralConv(keras.layers.Layer):
    """Convolves with the kernel divided by its spectral norm.

    The kernel, as a matrix of (height * width * inputs, filters), is divided
    by an estimate of its largest singular value. The kernel itself stays as
    it is and learns; the gradient knows of the division. Each call first
    improves the estimate by one step of the power iteration, in float32.

    Args:
        filters: int > 0. Output channels F.
        kernel_size: int. Height and width of the kernel.
        strides: int. Steps between windows.
        padding: "same" or "valid".
        use_bias: bool. Whether a bias is added; it is not divided.
        kernel_initializer: as for `keras.layers.Conv2D`.
        bias_initializer: as for `keras.layers.Conv2D`.
        moves: "training": improved estimates are kept in training only;
            "always": in every mode, as DM-GAN's code does, so that a picture's
            score depends on how many were judged before.

    Call arguments:
        inputs: (B, H, W, C) float.
        training: bool.

    Returns of a call:
        (B, H', W', F) float of the layer's compute dtype.

    Attributes:
        kernel: (height, width, C, F) float32 variable, as it learns.
        u: (F,) float32 variable, where outputs point; drawn at the start.
        v: (height * width * C,) float32 variable, where inputs point. It is
            kept for other programs: only `u` has a say in the next call.

    Raises:
        ValueError: if `moves` is unknown.

    Source:
        Miyato et al. 2018, algorithm 1, arXiv:1802.05957, with the gradient
        of eq. 12; MinfengZhu/DM-GAN for "always".
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="same",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        moves="training",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if moves not in MOVES:
            raise ValueError(
                f"moves is {moves!r}; allowed: {', '.join(MOVES)}."
            )
        self.filters = filters
        self.kernel_size = (kernel_size, kernel_size)
        self.strides = strides
        self.padding = padding
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.moves = moves

    def build(self, inputs_shape):
        shape = (*self.kernel_size, inputs_shape[-1], self.filters)
        self.kernel = self.add_weight(
            name="kernel",
            shape=shape,
            initializer=self.kernel_initializer,
            autocast=False,  # It is divided in float32.
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.filters,),
                initializer=self.bias_initializer,
            )
        self.u = self._vector("u", self.filters)
        self.v = self._vector("v", shape[0] * shape[1] * shape[2])

    def _vector(self, name, size):
        return self.add_weight(
            name=name,
            shape=(size,),
            initializer=_direction,
            trainable=False,
            dtype="float32",
            autocast=False,
        )

    def call(self, inputs, training=False):
        kernel = ops.convert_to_tensor(self.kernel)
        matrix = ops.reshape(kernel, (-1, self.filters))
        u, v, norm = iterate(matrix, ops.convert_to_tensor(self.u))
        if training or self.moves == "always":
            self.u.assign(u)
            self.v.assign(v)
        # A product: the slope of a quotient passes over the kernel twice more.
        divided = kernel * (1.0 / norm)
        outputs = convolution.convolve(
            inputs,
            ops.cast(divided, inputs.dtype),
            self.strides,
            self.padding,
        )
        return outputs + self.bias if self.use_bias else outputs

    def compute_output_shape(self, inputs_shape):
        rows, *sizes, _ = inputs_shape
        cut = 0 if self.padding == "same" else self.kernel_size[0] - 1
        sizes = [x and -(-(x - cut) // self.strides) for x in sizes]
        return (rows, *sizes, self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size[0],
            "strides": self.strides,
            "padding": self.padding,
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(
                self.kernel_initializer
            ),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "moves": self.moves,
        }


def _unit(vector):
    return vector / (ops.sqrt(ops.sum(ops.square(vector))) + 1e-12)


def _direction(shape, dtype=None):
    return _unit(initializers.RandomNormal(0.0, 1.0)(shape, dtype))
