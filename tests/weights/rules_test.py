"""Rules of single layers: there and back, and against PyTorch's equations."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import layers
from keras_t2i.weights import rules


def drawn(*shape, seed=0):
    """Draws normal numbers."""
    draw = np.random.default_rng(seed)
    return draw.normal(size=shape).astype("float32")


def built(layer, *shape):
    """Builds a layer for inputs of a shape."""
    layer.build((None, *shape))
    return layer


def conv():
    """Rules of a convolution."""
    return rules.conv(built(keras.layers.Conv2D(5, 4), 8, 8, 3), "x")


def conv_transpose():
    """Rules of a transposed convolution."""
    layer = keras.layers.Conv2DTranspose(5, 4)
    return rules.conv_transpose(built(layer, 8, 8, 3), "x")


def depthwise():
    """Rules of a depthwise convolution."""
    layer = keras.layers.DepthwiseConv2D(3)
    return rules.depthwise(built(layer, 8, 8, 3), "x")


def dense():
    """Rules of a linear layer."""
    return rules.dense(built(keras.layers.Dense(5), 3), "x")


def dense_onto_map():
    """Rules of a linear layer onto a map of 2 x 2 pixels."""
    return rules.dense_onto_map(built(keras.layers.Dense(20), 3), "x", 2)


def heads():
    """Rules of an attention projection."""
    layer = keras.layers.EinsumDense(
        "abc,cde->abde", (None, 2, 4), bias_axes="de"
    )
    return rules.heads(built(layer, 5, 6), "x", 1)


def layer_norm():
    """Rules of a layer normalisation."""
    return rules.layer_norm(built(keras.layers.LayerNormalization(), 5), "x")


def batch_norm():
    """Rules of a batch normalisation."""
    return rules.batch_norm(built(layers.BatchNorm(), 4, 4, 5), "x")


def embedding():
    """Rules of a table."""
    return rules.embedding(built(keras.layers.Embedding(7, 3)), "x")


# What PyTorch calls the arrays, and their shapes.
SHAPES = [
    ("conv", conv, {"weight": (5, 3, 4, 4), "bias": (5,)}),
    ("conv_transpose", conv_transpose, {"weight": (3, 5, 4, 4), "bias": (5,)}),
    ("depthwise", depthwise, {"weight": (3, 1, 3, 3), "bias": (3,)}),
    ("dense", dense, {"weight": (5, 3), "bias": (5,)}),
    ("dense_onto_map", dense_onto_map, {"weight": (20, 3), "bias": (20,)}),
    ("heads", heads, {"weight": (8, 6), "bias": (8,)}),
    ("layer_norm", layer_norm, {"weight": (5,), "bias": (5,)}),
    (
        "batch_norm",
        batch_norm,
        dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (5,)),
    ),
    ("embedding", embedding, {"weight": (7, 3)}),
]


class RoundTripTest(tf.test.TestCase, parameterized.TestCase):
    """Nothing is lost in either direction."""

    @parameterized.named_parameters(SHAPES)
    def test_torchs_shapes_become_ours_and_come_back_equal(self, make, shapes):
        moved = [rule for rule in make() if rule.variables]
        keys = {key for rule in moved for key in rule.keys}
        self.assertEqual(keys, {f"x.{name}" for name in shapes})
        for rule in moved:
            name = rule.keys[0].removeprefix("x.")
            theirs = drawn(*shapes[name])
            (ours,) = rule.forward(theirs)
            self.assertEqual(ours.shape, tuple(rule.variables[0].shape))
            (back,) = rule.backward(ours)
            self.assertAllEqual(back, theirs)


class OrderTest(tf.test.TestCase):
    """Numbers land where PyTorch's equations have them."""

    def test_linear_outputs_become_the_map_that_a_view_makes(self):
        layer = built(keras.layers.Dense(20), 3)
        weight, bias, x = drawn(20, 3), drawn(20, seed=1), drawn(2, 3, seed=2)
        for rule, array in zip(
            rules.dense_onto_map(layer, "x", 2), (weight, bias), strict=True
        ):
            rule.variables[0].assign(rule.forward(array)[0])
        ours = np.reshape(layer(x), (2, 2, 2, 5))
        theirs = x @ weight.T + bias  # .view(2, 5, 2, 2) in PyTorch
        for row, channel, i, j in np.ndindex(2, 5, 2, 2):
            self.assertAllClose(
                ours[row, i, j, channel],
                theirs[row, channel * 4 + i * 2 + j],
                atol=1e-5,
            )

    def test_heads_are_blocks_of_the_outputs(self):
        (kernel, _) = heads()
        weight = drawn(8, 6)
        (ours,) = kernel.forward(weight)
        for inputs, head, size in np.ndindex(6, 2, 4):
            self.assertEqual(
                ours[inputs, head, size], weight[head * 4 + size, inputs]
            )

    def test_counters_are_known_and_not_needed(self):
        (ignored,) = [rule for rule in batch_norm() if not rule.variables]
        self.assertEqual(ignored.keys, ("x.num_batches_tracked",))

    def test_norm_without_scale_asks_for_none(self):
        layer = built(layers.BatchNorm(scale=False), 4)
        keys = {k for rule in rules.batch_norm(layer, "x") for k in rule.keys}
        self.assertNotIn("x.weight", keys)
        self.assertIn("x.bias", keys)


class NamesTest(tf.test.TestCase):
    """What files put before names."""

    def test_prefixes_are_cut_as_often_as_they_stand(self):
        keys = ["module.module.a", "model.b", "c", "amodule.d"]
        plain = rules.plain_names(keys, ("module.", "model."))
        self.assertEqual(
            plain,
            {
                "a": "module.module.a",
                "b": "model.b",
                "c": "c",
                "amodule.d": "amodule.d",
            },
        )

    def test_second_of_two_equal_names_stays_as_it_is(self):
        keys = ["module.a", "model.a"]
        plain = rules.plain_names(keys, ("module.", "model."))
        self.assertEqual(plain, {"a": "module.a", "model.a": "model.a"})


if __name__ == "__main__":
    tf.test.main()
