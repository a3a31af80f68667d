"""Vectors that steer maps, against slow loops and by their laws."""

import os
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.layers import fusion
from tests import harness


def draw(*shape, seed=0):
    """Draws a float32 array."""
    normal = np.random.default_rng(seed).normal(size=shape)
    return normal.astype("float32")


def randomised(layer, seed=1):
    """Gives every weight of a built layer random numbers."""
    layer.set_weights(
        [draw(*w.shape, seed=seed + i) for i, w in enumerate(layer.weights)]
    )
    return layer


def affine(hidden=None):
    """Makes an Affine for maps of 3 and conditions of 5, not the identity."""
    layer = fusion.Affine(hidden)
    layer(draw(2, 4, 4, 3), draw(2, 5))
    return randomised(layer)


def perceptron(vector, part):
    """Reads a vector by two dense layers, one number at a time, in float64."""
    for dense, bent in zip(part, (True, False), strict=True):
        kernel, bias = np.float64(dense.kernel), np.float64(dense.bias)
        answer = []
        for column in range(kernel.shape[1]):
            number = bias[column]
            for row in range(kernel.shape[0]):
                number += vector[row] * kernel[row, column]
            answer.append(max(number, 0.0) if bent else number)
        vector = answer
    return vector


class AffineTest(tf.test.TestCase, parameterized.TestCase):
    """gamma * x + beta, both read from the condition."""

    def setUp(self):
        super().setUp()
        keras.utils.set_random_seed(0)

    @parameterized.parameters(None, 7)
    def test_equals_the_slow_loop(self, hidden):
        layer = affine(hidden)
        maps, conditions = draw(2, 4, 4, 3), draw(2, 5, seed=9)
        answer = layer(maps, conditions)
        for row, condition in enumerate(np.float64(conditions)):
            gamma = perceptron(condition, layer.parts["gamma"])
            beta = perceptron(condition, layer.parts["beta"])
            expected = np.float64(maps[row]) * gamma + beta
            self.assertAllClose(answer[row], expected, rtol=1e-5, atol=1e-5)

    @parameterized.parameters((None, 3), (7, 7))
    def test_inner_layers_have_the_width_asked_for(self, hidden, width):
        for first, last in affine(hidden).parts.values():
            self.assertEqual(first.kernel.shape, (5, width))
            self.assertEqual(last.kernel.shape, (width, 3))

    def test_begins_as_the_identity(self):
        maps = draw(2, 4, 4, 3)
        answer = fusion.Affine()(maps, draw(2, 5))
        self.assertAllEqual(answer, maps)

    def test_first_layers_start_as_torchs_linear(self):
        layer = fusion.Affine(400)
        layer(draw(1, 2, 2, 3), draw(1, 100))
        for first, _ in layer.parts.values():
            for values in (first.kernel, first.bias):
                self.assertAllInRange(values, -0.1, 0.1)
                # An even draw within b has deviation b / sqrt(3).
                self.assertNear(np.std(values), 0.1 / 3**0.5, 0.005)

    def test_a_condition_steers_its_own_row_alone(self):
        layer = affine()
        maps, conditions = draw(3, 4, 4, 3), draw(3, 5, seed=9)
        other = conditions.copy()
        other[1] += 1.0
        before, after = layer(maps, conditions), layer(maps, other)
        self.assertAllEqual(before[0], after[0])
        self.assertAllEqual(before[2], after[2])
        self.assertGreater(np.abs(before[1] - after[1]).max(), 0.1)

    def test_stands_the_examination(self):
        harness.examine_layer(
            self,
            lambda: affine(7),
            draw(2, 4, 4, 3),
            draw(2, 5, seed=9),
            training=None,
        )

    def test_saved_mixed_model_comes_back_mixed(self):
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            symbols = keras.Input((4, 4, 3)), keras.Input((5,))
            model = keras.Model(symbols, fusion.Affine()(*symbols))
        finally:
            keras.config.set_dtype_policy("float32")
        randomised(model)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "affine.keras")
            model.save(path)
            again = keras.models.load_model(path)
        inputs = [draw(2, 4, 4, 3), draw(2, 5)]
        self.assertEqual(again(inputs).dtype, tf.bfloat16)
        self.assertAllEqual(again(inputs), model(inputs))


class MaskedAffineTest(tf.test.TestCase, parameterized.TestCase):
    """(1 + mask * gamma) * x + mask * beta."""

    def built(self, hidden=None):
        """Makes one for maps of 3 and conditions of 5, with random numbers."""
        keras.utils.set_random_seed(0)
        layer = fusion.MaskedAffine(hidden)
        layer(draw(2, 4, 4, 3), draw(2, 5), draw(2, 4, 4, 1))
        return randomised(layer)

    def inputs(self):
        area = np.random.default_rng(8).uniform(size=(2, 4, 4, 1))
        return draw(2, 4, 4, 3), draw(2, 5, seed=9), np.float32(area)

    def expected(self, layer, maps, conditions, area):
        rows = []
        for x, condition, mask in zip(maps, conditions, area, strict=True):
            condition = np.float64(condition)
            gamma = np.array(perceptron(condition, layer.parts["gamma"]))
            beta = np.array(perceptron(condition, layer.parts["beta"]))
            rows.append((mask * gamma + 1.0) * x + mask * beta)
        return np.stack(rows)

    @parameterized.parameters(None, 7)
    def test_equals_the_slow_loop(self, hidden):
        layer, inputs = self.built(hidden), self.inputs()
        expected = self.expected(layer, *inputs)
        self.assertAllClose(layer(*inputs), expected, rtol=1e-5, atol=1e-5)

    @parameterized.parameters(False, True)
    def test_slopes_are_those_of_the_plain_equation(self, xla):
        layer, inputs = self.built(), [tf.constant(x) for x in self.inputs()]
        along = draw(2, 4, 4, 3, seed=5)

        def plain(x, condition, area):
            gamma, beta = (
                part[1](part[0](condition))[:, None, None]
                for part in layer.parts.values()
            )
            return (area * gamma + 1.0) * x + area * beta

        def slopes(way):
            @tf.function(jit_compile=xla)
            def play(inputs):
                with tf.GradientTape() as tape:
                    tape.watch(inputs)
                    found = tf.reduce_sum(tf.sin(way(*inputs)) * along)
                weights = [v.value for v in layer.trainable_variables]
                return tape.gradient(found, [*inputs, *weights])

            return play(inputs)

        for ours, theirs in zip(slopes(layer), slopes(plain), strict=True):
            self.assertAllClose(ours, theirs, rtol=1e-4, atol=1e-4)

    def test_where_the_mask_is_0_the_map_stays(self):
        layer, (maps, conditions, area) = self.built(), self.inputs()
        area[:, :2] = 0.0
        found = layer(maps, conditions, area)
        self.assertAllEqual(found[:, :2], maps[:, :2])
        self.assertNotAllClose(found[:, 2:], maps[:, 2:])

    def test_begins_as_the_identity(self):
        maps, conditions, area = self.inputs()
        layer = fusion.MaskedAffine()
        self.assertAllEqual(layer(maps, conditions, area), maps)


class GainTest(tf.test.TestCase):
    """One learned number."""

    def test_is_silent_at_the_start_but_learns(self):
        layer, maps = fusion.Gain(), tf.constant(draw(2, 4, 4, 3))
        with tf.GradientTape() as tape:
            answer = layer(maps)
            loss = tf.reduce_sum(answer * maps)
        self.assertAllEqual(answer, tf.zeros_like(maps))
        slope = tape.gradient(loss, layer.gamma.value)
        self.assertAllClose(slope, np.sum(np.float64(maps) ** 2), rtol=1e-5)

    def test_multiplies_by_its_number(self):
        layer, maps = fusion.Gain(), draw(2, 3)
        layer(maps)
        self.assertEqual(layer.gamma.shape, ())
        layer.gamma.assign(2.5)
        self.assertAllClose(layer(maps), 2.5 * maps, rtol=1e-6)

    def test_stands_the_examination(self):
        harness.examine_layer(
            self,
            lambda: _built(fusion.Gain(), draw(2, 4, 4, 3)),
            draw(2, 4, 4, 3),
            training=None,
        )


class DeepFusionTest(tf.test.TestCase):
    """Affine, kink, affine, kink."""

    def test_applies_each_affine_and_a_kink_after_each(self):
        symbols = keras.Input((4, 4, 3)), keras.Input((5,))
        model = keras.Model(symbols, fusion.deep_fusion(*symbols, "fuse"))
        randomised(model)
        affines = [each for each in model.layers if hasattr(each, "parts")]
        self.assertEqual([each.name for each in affines], ["fuse_1", "fuse_2"])
        maps, conditions = draw(2, 4, 4, 3), draw(2, 5, seed=9)
        expected = maps
        for each in affines:
            steered = np.array(each(expected, conditions))
            expected = np.where(steered > 0, steered, 0.2 * steered)
        self.assertAllClose(model([maps, conditions]), expected, rtol=1e-5)
        self.assertLess(expected.min(), -1e-3)


def _built(layer, *inputs):
    layer(*inputs)
    return randomised(layer)


if __name__ == "__main__":
    tf.test.main()
