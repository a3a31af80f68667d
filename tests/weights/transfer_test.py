"""Examines the way of foreign arrays into our models and back."""

import pathlib
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import layers, weights
from keras_t2i.weights import families, rules

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"

# name -> our layer, the function that writes its rules, which input it takes
LAYERS = {
    "conv": (
        lambda: keras.layers.Conv2D(5, 4, 2, padding="same"),
        rules.conv,
        "image",
    ),
    "conv_transpose": (
        lambda: keras.layers.Conv2DTranspose(5, 4, 2, padding="same"),
        rules.conv_transpose,
        "image",
    ),
    "conv1d": (
        lambda: keras.layers.Conv1D(5, 3, padding="same"),
        rules.conv,
        "row",
    ),
    "depthwise": (
        lambda: keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False),
        rules.depthwise,
        "image",
    ),
    "dense": (lambda: keras.layers.Dense(5), rules.dense, "image"),
    "batch_norm": (
        lambda: keras.layers.BatchNormalization(epsilon=1e-5),
        rules.batch_norm,
        "image",
    ),
    "layer_norm": (
        lambda: keras.layers.LayerNormalization(epsilon=1e-5),
        rules.layer_norm,
        "image",
    ),
    "embedding": (
        lambda: keras.layers.Embedding(7, 3),
        rules.embedding,
        "ids",
    ),
}


def pair(use_scale=True):
    """A small model and its rules."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(3, name="first"),
            keras.layers.BatchNormalization(scale=use_scale, name="norm"),
            keras.layers.Dense(2, use_bias=False, name="last"),
        ],
        name="toy",
    )
    return model


def table(model):
    """The rules of the small model."""
    return [
        *rules.dense(model.get_layer("first"), "f"),
        *rules.batch_norm(model.get_layer("norm"), "n"),
        *rules.dense(model.get_layer("last"), "l"),
    ]


def arrays():
    """What a file for the small model holds."""
    random = np.random.RandomState(0)
    return {
        "f.weight": random.rand(3, 4).astype(np.float32),
        "f.bias": random.rand(3).astype(np.float32),
        "n.weight": random.rand(3).astype(np.float32),
        "n.bias": random.rand(3).astype(np.float32),
        "n.running_mean": random.rand(3).astype(np.float32),
        "n.running_var": random.rand(3).astype(np.float32),
        "n.num_batches_tracked": np.int64(7),
        "l.weight": random.rand(2, 3).astype(np.float32),
    }


class LayersTest(parameterized.TestCase, tf.test.TestCase):
    """One layer with PyTorch's weights computes what PyTorch recorded."""

    @parameterized.named_parameters((name, name) for name in LAYERS)
    def test_layer_equals_the_recorded(self, name):
        golden = np.load(GOLDEN / "torch_layers.npz")
        make, write, kind = LAYERS[name]
        layer = make()
        image = golden["input"]
        ids = np.arange(6).reshape(2, 3)
        inputs = {"image": image, "row": image[:, 0], "ids": ids}[kind]
        layer(inputs)
        start = f"weights/{name}."
        foreign = {
            "x." + key.removeprefix(start): golden[key]
            for key in golden
            if key.startswith(start)
        }
        register = {"toy/layer": lambda model: write(model, "x")}
        with mock.patch.dict(families.FAMILIES, register):
            report = weights.load("toy/layer", layer, foreign)
            back = weights.export("toy/layer", layer)
        self.assertAllClose(
            layer(inputs), golden[f"output/{name}"], rtol=1e-5, atol=1e-5
        )
        self.assertLen(back, len(report.loaded))
        for key, array in back.items():
            self.assertAllEqual(array, foreign[key])

    def test_our_batch_norm_takes_the_same_rules(self):
        golden = np.load(GOLDEN / "torch_layers.npz")
        layer = layers.BatchNorm()
        layer(golden["input"])
        for rule in rules.batch_norm(layer, "weights/batch_norm"):
            if rule.variables:
                rule.variables[0].assign(golden[rule.keys[0]])
        self.assertAllClose(
            layer(golden["input"]), golden["output/batch_norm"], atol=1e-5
        )


class TransferTest(parameterized.TestCase, tf.test.TestCase):
    """All or nothing, and every key by its name."""

    def setUp(self):
        super().setUp()
        keras.utils.set_random_seed(0)
        self.enterContext(
            mock.patch.dict(families.FAMILIES, {"toy/pair": table})
        )
        self.model = pair()

    def test_report_says_where_every_key_went(self):
        report = weights.load("toy/pair", self.model, arrays())
        self.assertTrue(report.fits)
        self.assertEqual(report.ignored, ("n.num_batches_tracked",))
        self.assertEqual(report.loaded["l.weight"], ["toy/last/kernel"])
        self.assertEqual(
            set(report.loaded) | set(report.ignored), set(arrays())
        )
        self.assertIn("f.weight -> toy/first/kernel", str(report))
        self.assertIn("7 arrays placed, 1 not needed, 0 unknown", str(report))

    def test_every_variable_is_written(self):
        weights.load("toy/pair", self.model, arrays())
        given = arrays()
        first, norm, last = self.model.layers
        self.assertAllEqual(first.kernel, given["f.weight"].T)
        self.assertAllEqual(first.bias, given["f.bias"])
        self.assertAllEqual(norm.gamma, given["n.weight"])
        self.assertAllEqual(norm.beta, given["n.bias"])
        self.assertAllEqual(norm.moving_mean, given["n.running_mean"])
        self.assertAllEqual(norm.moving_variance, given["n.running_var"])
        self.assertAllEqual(last.kernel, given["l.weight"].T)

    def test_export_and_load_are_inverse(self):
        weights.load("toy/pair", self.model, arrays())
        back = weights.export("toy/pair", self.model)
        given = arrays()
        del given["n.num_batches_tracked"]
        self.assertEqual(set(back), set(given))
        for key in given:
            self.assertAllEqual(back[key], given[key])

    @parameterized.parameters(
        ({"f.wieght": np.zeros((3, 4))}, (), "unknown key 'f.wieght'"),
        ({}, ("n.running_var",), "missing key 'n.running_var'"),
        ({"l.weight": np.zeros((3, 2))}, (), r"l.weight has shape \(3, 2\)"),
        ({"l.weight": np.zeros((3, 2))}, (), r"last/kernel takes \(2, 3\)"),
        ({"f.bias": np.zeros(())}, (), r"f.bias has shape \(\)"),
        ({"f.bias": np.array(["a"] * 3)}, (), "f.bias holds <U1"),
    )
    def test_one_fault_refuses_everything(self, more, fewer, words):
        before = [v.numpy() for v in self.model.weights]
        given = arrays() | more
        for key in fewer:
            del given[key]
        with self.assertRaisesRegex(ValueError, words) as caught:
            weights.load("toy/pair", self.model, given)
        self.assertFalse(caught.exception.report.fits)
        self.assertIn("Nothing was loaded", str(caught.exception))
        for variable, value in zip(self.model.weights, before, strict=True):
            self.assertAllEqual(variable, value)

    def test_many_faults_are_counted(self):
        with self.assertRaisesRegex(ValueError, "and 2 more"):
            weights.load("toy/pair", self.model, {})

    def test_a_plan_writes_nothing_and_raises_nothing(self):
        before = [v.numpy() for v in self.model.weights]
        report = weights.plan("toy/pair", self.model, {"l.weight": np.ones(2)})
        self.assertLen(report.missing, 6)
        self.assertLen(report.misshapen, 1)
        for variable, value in zip(self.model.weights, before, strict=True):
            self.assertAllEqual(variable, value)

    def test_a_layer_without_scale_has_no_place_for_one(self):
        with self.assertRaisesRegex(ValueError, "unknown key 'n.weight'"):
            weights.load("toy/pair", pair(use_scale=False), arrays())

    def test_half_precision_is_widened(self):
        given = {k: np.float16(v) for k, v in arrays().items()}
        weights.load("toy/pair", self.model, given)
        self.assertAllEqual(
            self.model.layers[0].bias, np.float32(given["f.bias"])
        )

    def test_an_unknown_family_is_named_with_its_neighbour(self):
        for function in (
            lambda: weights.load("toy/pear", self.model, {}),
            lambda: weights.export("toy/pear", self.model),
        ):
            with self.assertRaisesRegex(ValueError, "mean 'toy/pair'"):
                function()


class RulesTest(tf.test.TestCase):
    """A rule may join and split arrays."""

    def test_two_keys_make_one_variable_and_one_key_two(self):
        dense = keras.layers.Dense(2)
        dense.build((None, 2))

        def joined(layer):
            return [
                rules.Rule(
                    ("a", "b"),
                    (layer.bias,),
                    lambda a, b: (a + b,),
                    lambda bias: (bias, np.zeros_like(bias)),
                ),
                *rules.dense(layer, "x")[:1],
            ]

        with mock.patch.dict(families.FAMILIES, {"toy/sum": joined}):
            given = {"a": np.ones(2), "b": np.ones(2) * 2}
            given["x.weight"] = np.eye(2)
            weights.load("toy/sum", dense, given)
            self.assertAllEqual(dense.bias, [3, 3])
            back = weights.export("toy/sum", dense)
        self.assertAllEqual(back["a"], [3, 3])
        self.assertAllEqual(back["b"], [0, 0])

    def test_attention_heads_keep_their_order(self):
        layer = keras.layers.MultiHeadAttention(2, 3)
        layer(np.zeros((1, 4, 6)), np.zeros((1, 4, 6)))
        matrix = np.arange(36, dtype=np.float32).reshape(6, 6)
        vector = np.arange(6, dtype=np.float32)
        x = np.linspace(0, 1, 6, dtype=np.float32)
        for projection, inputs in (
            (layer.query_dense, 1),
            (layer.output_dense, 2),
        ):
            kernel, bias = rules.heads(projection, "p", inputs)
            kernel.variables[0].assign(kernel.forward(matrix)[0])
            bias.variables[0].assign(bias.forward(vector)[0])
            self.assertAllEqual(
                kernel.backward(*kernel.forward(matrix))[0], matrix
            )
            fed = x.reshape((1, 1, 2, 3) if inputs == 2 else (1, 1, 6))
            self.assertAllClose(
                np.ravel(projection(fed)), matrix @ x + vector, rtol=1e-5
            )


if __name__ == "__main__":
    tf.test.main()
