"""Both ways to convolve give the same."""

from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.ops import convolution

RNG = np.random.default_rng(0)

#: Height, width, kernel's height, its width, strides, padding.
SHAPES = (
    (4, 4, 3, 3, 1, "same"),
    (8, 8, 4, 4, 2, "same"),
    (5, 7, 3, 3, 2, "same"),
    (7, 4, 4, 3, 3, "same"),
    (5, 4, 1, 2, 2, "same"),
    (4, 4, 4, 4, 1, "valid"),
    (7, 5, 3, 2, 2, "valid"),
)


def drawn(*shape):
    """Draws a float32 array."""
    return RNG.normal(size=shape).astype("float32")


def slow(inputs, kernel, strides, padding):
    """Slides the kernel by loops in float64."""
    sizes = np.array(kernel.shape[:2])
    lengths = np.array(inputs.shape[1:3])
    if padding == "same":
        counts = -(-lengths // strides)
        extra = np.maximum((counts - 1) * strides + sizes - lengths, 0)
        borders = [(n // 2, n - n // 2) for n in extra]
        inputs = np.pad(inputs, [(0, 0), *borders, (0, 0)])
    else:
        counts = (lengths - sizes) // strides + 1
    answer = np.zeros((len(inputs), *counts, kernel.shape[-1]))
    for i, j in np.ndindex(*counts):
        top, left = i * strides, j * strides
        window = inputs[:, top : top + sizes[0], left : left + sizes[1]]
        answer[:, i, j] = np.tensordot(np.float64(window), kernel, 3)
    return answer


def both_ways(function):
    """Calls a function with each way to convolve."""
    for is_small in (False, True):
        with mock.patch.object(
            convolution, "is_small", lambda *_, way=is_small: way
        ):
            yield function()


class ConvolveTest(tf.test.TestCase, parameterized.TestCase):
    """A product of matrices stands for a convolution."""

    @parameterized.parameters(*SHAPES)
    def test_equals_the_slow_loop(self, high, wide, tall, broad, step, padding):
        inputs, kernel = drawn(2, high, wide, 3), drawn(tall, broad, 3, 5)
        expected = slow(inputs, kernel, step, padding)
        for found in both_ways(
            lambda: convolution.convolve(inputs, kernel, step, padding)
        ):
            self.assertAllClose(found, expected, atol=1e-5)

    @parameterized.parameters(*SHAPES)
    def test_slopes_of_both_orders_agree(
        self, high, wide, tall, broad, step, padding
    ):
        inputs = tf.constant(drawn(2, high, wide, 3))
        kernel = tf.constant(drawn(tall, broad, 3, 5))

        def slopes():
            given = [inputs, kernel]
            with tf.GradientTape() as outer:
                outer.watch(given)
                with tf.GradientTape() as inner:
                    inner.watch(given)
                    y = convolution.convolve(inputs, kernel, step, padding)
                    loss = tf.reduce_sum(tf.tanh(0.1 * y) ** 2)
                first = inner.gradient(loss, given)
                steep = sum(tf.reduce_sum(x**2) for x in first)
            return [*first, *outer.gradient(steep, given)]

        for one, other in zip(*both_ways(slopes), strict=True):
            self.assertAllClose(one, other, rtol=1e-4, atol=1e-5)

    @parameterized.parameters(
        ((None, 4, 4, 256), (3, 3, 256, 64), True),
        ((2, 4, 4, 255), (3, 3, 255, 64), False),
        ((2, 4, 4, 256), (3, 3, 256, 63), False),
        ((2, 8, 8, 1024), (4, 4, 1024, 2048), True),
        ((2, 16, 16, 512), (4, 4, 512, 1024), True),
        ((2, 32, 32, 512), (4, 4, 512, 1024), False),
        ((2, None, 4, 256), (3, 3, 256, 64), False),
        ((2, 4, None, 256), (3, 3, 256, 64), False),
    )
    def test_small_maps_of_many_channels_are_multiplied(
        self, shape, kernel_shape, expected
    ):
        self.assertEqual(convolution.is_small(shape, kernel_shape), expected)

    @parameterized.parameters(False, True)
    def test_number_of_rows_may_be_unknown(self, xla):
        kernel, inputs = drawn(3, 3, 256, 64), drawn(3, 4, 4, 256)
        shape = tf.TensorSpec((None, 4, 4, 256))
        call = tf.function(
            lambda x: convolution.convolve(x, kernel, 2),
            input_signature=[shape],
            jit_compile=xla,
        )
        expected = slow(inputs, kernel, 2, "same")
        self.assertAllClose(call(inputs), expected, rtol=1e-4, atol=1e-3)

    @parameterized.parameters("bfloat16", "float16")
    def test_short_floats_stay_short_and_near(self, dtype):
        inputs, kernel = drawn(2, 4, 4, 8), drawn(3, 3, 8, 5)
        expected = slow(inputs, kernel, 1, "same")
        short = [tf.cast(x, dtype) for x in (inputs, kernel)]
        for found in both_ways(lambda: convolution.convolve(*short)):
            self.assertEqual(found.dtype, dtype)
            self.assertAllClose(
                tf.cast(found, tf.float32), expected, atol=0.2, rtol=0.05
            )


if __name__ == "__main__":
    tf.test.main()
