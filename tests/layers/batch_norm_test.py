"""Batch normalisation against slow arithmetic."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.layers import BatchNorm


def slow(x, gamma, beta, epsilon=1e-5):
    """Normalises in float64; also the mean and the unbiased variance."""
    rows = x.reshape(-1, x.shape[-1]).astype(np.float64)
    mean = rows.sum(0) / len(rows)
    squares = ((rows - mean) ** 2).sum(0)
    normal = (x - mean) / np.sqrt(squares / len(rows) + epsilon)
    return normal * gamma + beta, mean, squares / (len(rows) - 1)


def glu(x):
    """Gates the first half of the channels by the second."""
    passed, gate = np.split(x, 2, axis=-1)
    return passed / (1.0 + np.exp(-gate))


def leaky(x):
    """Lets a fifth of the negative side through."""
    return np.where(x > 0.0, x, 0.2 * x)


#: What may stand behind a norm -> the same in slow arithmetic.
BEHIND = {"glu": glu, "leaky_relu": leaky}


def slopes(x, gamma, aim, way, behind="linear"):
    """Differentiates in float64 by the plain formula, once and twice."""
    behind = keras.activations.get(behind)
    x, gamma = tf.constant(x, tf.float64), tf.constant(gamma, tf.float64)
    with tf.GradientTape() as outer:
        outer.watch([x, gamma])
        with tf.GradientTape() as tape:
            tape.watch([x, gamma])
            axes = list(range(len(x.shape) - 1))
            mean = tf.reduce_mean(x, axes)
            variance = tf.reduce_mean(tf.square(x - mean), axes)
            y = behind(gamma * (x - mean) * tf.math.rsqrt(variance + 1e-5))
            loss = tf.reduce_sum(aim * y**3)
        first = tape.gradient(loss, [x, gamma])
        along = tf.reduce_sum(first[0] * way)
    return first, outer.gradient(along, [x, gamma])


def _waits(op):
    """Whether an operation is held back until something else is done."""
    seen, ahead = set(), [op]
    while ahead:
        one = ahead.pop()
        if one.control_inputs:
            return True
        seen.add(one)
        ahead += [x.op for x in one.inputs if x.op not in seen]
    return False


class BatchNormTest(tf.test.TestCase, parameterized.TestCase):
    """PyTorch's law, as its documentation states it."""

    def setUp(self):
        super().setUp()
        keras.utils.set_random_seed(0)
        self.draw = np.random.RandomState(0)

    def _layer(self, channels, **kwargs):
        layer = BatchNorm(**kwargs)
        layer.build((None, channels))
        layer.gamma.assign(self.draw.uniform(0.5, 2.0, channels))
        layer.beta.assign(self.draw.normal(size=channels))
        return layer

    @parameterized.parameters((9, 3), (4, 5, 3), (4, 5, 6, 3))
    def test_batch_mode_equals_slow_arithmetic(self, *shape):
        layer = self._layer(3)
        x = self.draw.normal(2.0, 3.0, shape).astype(np.float32)
        wanted, mean, variance = slow(
            x, layer.gamma.numpy(), layer.beta.numpy()
        )
        self.assertAllClose(layer(x, training=True), wanted, atol=2e-5)
        self.assertAllClose(layer.moving_mean, 0.1 * mean, atol=1e-5)
        self.assertAllClose(
            layer.moving_variance, 0.9 + 0.1 * variance, rtol=1e-5
        )

    def test_momentum_is_the_weight_of_the_new(self):
        layer = self._layer(3, momentum=0.25)
        means, kept = [], np.zeros(3)
        for _ in range(3):
            x = self.draw.normal(size=(7, 3)).astype(np.float32)
            layer(x, training=True)
            means.append(x.mean(0, dtype=np.float64))
            kept = 0.75 * kept + 0.25 * means[-1]
        self.assertAllClose(layer.moving_mean, kept, atol=1e-6)

    def test_inference_uses_and_keeps_running_statistics(self):
        layer = self._layer(3)
        layer.moving_mean.assign([1.0, 2.0, 3.0])
        layer.moving_variance.assign([4.0, 1.0, 0.25])
        x = self.draw.normal(size=(2, 4, 4, 3)).astype(np.float32)
        wanted = (x - [1.0, 2.0, 3.0]) / np.sqrt(
            np.array([4.0, 1.0, 0.25]) + 1e-5
        ) * layer.gamma.numpy() + layer.beta.numpy()
        self.assertAllClose(layer(x, training=False), wanted, atol=1e-5)
        self.assertAllEqual(layer.moving_mean, [1.0, 2.0, 3.0])

    def test_statistics_of_bfloat16_are_float32(self):
        layer = self._layer(3, dtype="mixed_bfloat16")
        x = tf.cast(self.draw.normal(300.0, 1.0, (64, 3)), tf.bfloat16)
        y = layer(x, training=True)
        self.assertEqual(y.dtype, tf.bfloat16)
        self.assertEqual(layer.moving_mean.dtype, "float32")
        mean = tf.cast(x, tf.float64).numpy().mean(0)
        self.assertAllClose(layer.moving_mean, 0.1 * mean, rtol=1e-5)

    @parameterized.parameters(((6, 3),), ((3, 2, 2, 3),))
    def test_gradient_of_gradient_equals_finite_differences(self, shape):
        layer = self._layer(3)
        x = self.draw.normal(size=shape).astype(np.float32)
        aim = self.draw.normal(size=shape).astype(np.float32)
        way = self.draw.normal(size=shape).astype(np.float32)

        def slope(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = tf.reduce_sum(aim * layer(x, training=True) ** 3)
            return tape.gradient(y, x)

        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            along = tf.reduce_sum(slope(x) * way)
        found = tf.reduce_sum(tape.gradient(along, x) * way)
        step = 1e-2
        wanted = (
            tf.reduce_sum(slope(x + step * way) * way)
            - tf.reduce_sum(slope(x - step * way) * way)
        ) / (2 * step)
        self.assertAllClose(found, wanted, rtol=2e-2)

    @parameterized.product(
        shape=((6, 4), (3, 4, 5, 4)),
        manner=("eager", "graph", "xla"),
        behind=("linear", *BEHIND),
    )
    def test_slopes_equal_those_of_the_plain_formula(
        self, shape, manner, behind
    ):
        layer = self._layer(4, activation=behind)
        layer.beta.assign(np.zeros(4))
        x, aim, way = self.draw.normal(size=(3, *shape)).astype(np.float32)
        aim = aim[..., : layer.compute_output_shape(shape)[-1]]

        def ours(x):
            watched = [x, layer.gamma.value]
            with tf.GradientTape() as outer:
                outer.watch(x)
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    y = layer(x, training=True)
                    loss = tf.reduce_sum(aim * y**3)
                first = tape.gradient(loss, watched)
                along = tf.reduce_sum(first[0] * way)
            return first, outer.gradient(along, watched)

        if manner != "eager":
            ours = tf.function(ours, jit_compile=manner == "xla")
        found = ours(tf.constant(x))
        wanted = slopes(x, layer.gamma.numpy(), aim, way, behind)
        for one, other in zip(
            tf.nest.flatten(found), tf.nest.flatten(wanted), strict=True
        ):
            size = np.abs(other).max()
            self.assertAllClose(one, other, atol=2e-5 * size, rtol=0)

    @parameterized.product(
        behind=tuple(BEHIND),
        policy=("float32", "mixed_bfloat16"),
        training=(True, False),
    )
    def test_what_stands_behind_is_applied(self, behind, policy, training):
        layer = self._layer(4, activation=behind, dtype=policy)
        x = self.draw.normal(2.0, 3.0, (5, 6, 6, 4)).astype(np.float32)
        scale, shift = layer.gamma.numpy(), layer.beta.numpy()
        expected = x / np.sqrt(1.0 + 1e-5) * scale + shift
        if training:
            expected, *_ = slow(x, scale, shift)
        found = layer(x, training=training)
        expected = BEHIND[behind](expected)
        self.assertEqual(found.shape, layer.compute_output_shape(x.shape))
        self.assertEqual(found.dtype, layer.compute_dtype)
        near = 1e-4 if policy == "float32" else 3e-2
        found = tf.cast(found, tf.float32)
        self.assertAllClose(found, expected, atol=near, rtol=near)

    def test_odd_channels_are_refused_by_a_gate(self):
        with self.assertRaisesRegex(ValueError, "divisible by 2"):
            BatchNorm(activation="glu")(np.ones((2, 7), np.float32))

    def test_what_lies_behind_is_not_kept_for_the_gradient(self):
        layer = self._layer(4, activation="glu")
        layer.gamma.assign([1.0] * 4)

        @tf.function
        def slope(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x, training=True)
            return tape.gradient(y, x)

        graph = slope.get_concrete_function(tf.TensorSpec((6, 4))).graph
        gates = [op for op in graph.get_operations() if op.type == "Sigmoid"]
        late = [op for op in gates if _waits(op)]
        self.assertLen(gates, 2)  # On the way up, and again on the way down.
        self.assertLen(late, 1)

    @parameterized.parameters(False, True)
    def test_long_sums_keep_their_digits(self, xla):
        x = self.draw.normal(3.0, 1.0, (32, 64, 64, 2)).astype(np.float32)
        layer = self._layer(2, momentum=1.0)
        wanted, mean, variance = slow(
            x, layer.gamma.numpy(), layer.beta.numpy()
        )
        call = tf.function(layer, jit_compile=xla)
        self.assertAllClose(call(x, training=True), wanted, atol=5e-6)
        self.assertAllClose(layer.moving_mean, mean, rtol=5e-7)
        self.assertAllClose(layer.moving_variance, variance, rtol=1e-6)

    def test_double_precision_comes_back_in_its_own_type(self):
        layer = self._layer(3, dtype="float64")
        x = self.draw.normal(size=(9, 3))
        wanted, mean, _ = slow(x, layer.gamma.numpy(), layer.beta.numpy())
        y = layer(x, training=True)
        self.assertEqual(y.dtype, tf.float64)
        self.assertAllClose(y, wanted, atol=1e-5)
        self.assertAllClose(layer.moving_mean, 0.1 * mean, atol=1e-6)

    @parameterized.parameters("float32", "mixed_bfloat16")
    def test_a_single_row_leaves_finite_statistics(self, policy):
        layer = self._layer(3, dtype=policy)
        y = layer(np.ones((1, 3), np.float32), training=True)
        self.assertAllClose(y, [layer.beta.numpy()], rtol=1e-2)
        self.assertAllClose(layer.moving_variance, [0.9] * 3)

    @parameterized.product(
        policy=("float32", "mixed_bfloat16"), shape=((9, 3), (4, 5, 6, 3))
    )
    def test_biased_layer_follows_kerass_own(self, policy, shape):
        layer = self._layer(
            3, momentum=0.01, epsilon=1e-3, unbiased=False, dtype=policy
        )
        kerass = keras.layers.BatchNormalization(dtype=policy)
        kerass.build((None, *shape[1:]))
        kerass.set_weights(layer.get_weights())
        near = 1e-5 if policy == "float32" else 2e-2
        for _ in range(3):
            x = self.draw.normal(2.0, 3.0, shape).astype(np.float32)
            for training in (True, False):
                self.assertAllClose(
                    tf.cast(layer(x, training=training), tf.float32),
                    tf.cast(kerass(x, training=training), tf.float32),
                    atol=near,
                    rtol=near,
                )
        for ours, theirs in zip(layer.weights, kerass.weights, strict=True):
            self.assertAllClose(ours, theirs, rtol=1e-5, atol=1e-6)

    def test_config_builds_an_equal_layer(self):
        layer = self._layer(
            3,
            momentum=0.2,
            epsilon=1e-3,
            synchronized=True,
            unbiased=False,
            gamma_initializer=keras.initializers.RandomNormal(1.0, 0.02),
            activation="leaky_relu",
        )
        twin = BatchNorm.from_config(layer.get_config())
        self.assertEqual(twin.get_config(), layer.get_config())

    def test_without_shift_and_factor_there_are_no_weights_to_learn(self):
        layer = BatchNorm(center=False, scale=False)
        x = self.draw.normal(size=(8, 3)).astype(np.float32)
        wanted, _, _ = slow(x, 1.0, 0.0)
        self.assertAllClose(layer(x, training=True), wanted, atol=1e-5)
        self.assertEmpty(layer.trainable_variables)


if __name__ == "__main__":
    tf.test.main()
