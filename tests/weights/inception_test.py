"""Holds Inception-v3 beside PyTorch's, Keras's and slim's, weights included.

tests/golden/README.md says how the numbers were recorded.
"""

import functools
import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import weights
from keras_t2i.encoders import inception
from keras_t2i.weights import arrays

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
NARROW = 1 / 16


@functools.cache
def narrow(variant, logits_bias=True):
    """A small network, made once."""
    return inception.inception_v3(
        variant, width=NARROW, classes=3, logits_bias=logits_bias
    )


def numbers(shapes):
    """The random weights that were given to PyTorch, by name."""
    random = np.random.RandomState(0)
    found = {}
    for key in sorted(shapes):
        shape = shapes[key]
        if key == "fc.weight":
            value = random.randn(*shape) * 0.05
        elif len(shape) == 4:
            value = random.randn(*shape) * np.sqrt(2 / np.prod(shape[1:]))
        elif key.endswith(("bn.weight", "running_var")):
            value = random.uniform(0.5, 1.5, shape)
        else:
            value = random.randn(*shape) * 0.2
        found[key] = value.astype(np.float32)
    return found


def images(count=3, size=299, seed=1):
    """The images that were shown to PyTorch: noise, blocks, a ramp."""
    random = np.random.RandomState(seed)
    noise = random.uniform(-1, 1, (1, size, size, 3))
    blocks = random.uniform(-1, 1, (1, -(-size // 23), -(-size // 23), 3))
    blocks = blocks.repeat(23, 1).repeat(23, 2)[:, :size, :size]
    row = np.linspace(-1, 1, size)
    ramp = np.broadcast_arrays(row[:, None], row[None], -row[None])
    ramp = np.stack(ramp, -1)[None]
    return np.concatenate([noise, blocks, ramp])[:count].astype(np.float32)


def filled(variant, classes, **options):
    """A network with the random weights, through the rules; and they."""
    model = inception.inception_v3(variant, **options)
    family = f"inception/{variant}"
    named = weights.export(family, model)
    shapes = {key: array.shape for key, array in named.items()}
    found = numbers(shapes | {"fc.bias": (classes,)})
    weights.load(family, model, found)
    return model, found


def ask(model, x):
    """The outputs as arrays."""
    outputs = tf.function(lambda x: model({"image": x}, training=False))(x)
    return {key: value.numpy() for key, value in outputs.items()}


class PyTorchTest(tf.test.TestCase, parameterized.TestCase):
    """torchvision's and pytorch-fid's own code gave the recorded numbers."""

    def check(self, outputs, golden, start=""):
        kept = {**outputs, "regions": outputs["regions"][:2, :, :, ::32]}
        for key, found in kept.items():
            if f"{start}{key}" in golden:
                recorded = golden[f"{start}{key}"]
                self.assertAllClose(
                    found, recorded, 0, 1e-4 * np.abs(recorded).max()
                )

    def test_torchvision(self):
        golden = np.load(GOLDEN / "inception_torchvision.npz")
        model, _ = filled("torchvision", 1000)
        self.check(ask(model, images()), golden)
        self.check(ask(model, images(2, 150, 2)), golden, "size_150_")
        # The same weights behind the affine of the input.
        affine = inception.inception_v3(transform_input=True)
        for own, other in zip(affine.weights, model.weights, strict=True):
            own.assign(other)
        self.check(ask(affine, images(1)), golden, "transformed_")

    def test_fid_2015(self):
        golden = np.load(GOLDEN / "inception_fid_2015.npz")
        model, named = filled("fid_2015", 1008, logits_bias=False)
        outputs = ask(model, images())
        self.check(outputs, golden, "unbiased_")
        self.assertEqual(named["fc.weight"].shape, (1008, 2048))
        outputs["logits"] += named["fc.bias"]
        self.check(outputs, golden)

    def test_a_file_that_pytorch_wrote(self):
        # A sixteenth of the channels, with the auxiliary part and counters.
        golden = np.load(GOLDEN / "inception_tiny.npz")
        loaded = arrays.read(GOLDEN / "inception_tiny.pth")
        model = inception.inception_v3(width=NARROW, classes=10)
        report = weights.load("inception/torchvision", model, loaded)
        self.assertLen(report.loaded, 94 * 5 + 2)
        self.assertLen(report.ignored, 94 + 2 * 6 + 2)
        outputs = ask(model, images(2, 150, 3))
        for key, found in outputs.items():
            self.assertAllClose(
                found, golden[key], 0, 1e-4 * np.abs(golden[key]).max()
            )


def by_slim(arrays, x):
    """The graph of 2016, written out once more with TensorFlow's functions.

    Layers are found by their scopes in `arrays`, so that a wrong name or
    place shows; kernels of a branch's layers are Conv, Conv_1, Conv_2, ...
    """

    def conv(x, scope, stride=1, padding="SAME"):
        x = tf.nn.conv2d(x, arrays[f"{scope}/weights"], stride, padding)
        norm = f"{scope}/BatchNorm"
        return tf.nn.relu(
            tf.nn.batch_normalization(
                x,
                arrays[f"{norm}/moving_mean"],
                arrays[f"{norm}/moving_variance"],
                arrays[f"{norm}/beta"],
                None,
                0.001,
            )
        )

    def row(x, scope, count, last=1):
        """A branch of `count` layers; the last may halve the map."""
        for i in range(count):
            name = f"{scope}/Conv_{i}" if i else f"{scope}/Conv"
            halves = last == 2 and i == count - 1
            x = conv(x, name, *((2, "VALID") if halves else ()))
        return x

    def fork(x, scope, count):
        """A branch whose last two layers stand side by side."""
        x = row(x, scope, count)
        sides = [conv(x, f"{scope}/Conv_{count + i}") for i in (0, 1)]
        return tf.concat(sides, 3)

    def averaged(x, scope):
        return row(tf.nn.avg_pool2d(x, 3, 1, "SAME"), f"{scope}/branch_pool", 1)

    def largest(x):
        return tf.nn.max_pool2d(x, 3, 2, "VALID")

    x = conv(x, "conv0", 2, "VALID")
    x = conv(x, "conv1", 1, "VALID")
    x = largest(conv(x, "conv2"))
    x = conv(x, "conv3", 1, "VALID")
    x = largest(conv(x, "conv4", 1, "VALID"))
    for scope in ("35x35x256a", "35x35x288a", "35x35x288b"):
        scope = f"mixed_{scope}"
        parts = [
            row(x, f"{scope}/branch1x1", 1),
            row(x, f"{scope}/branch5x5", 2),
            row(x, f"{scope}/branch3x3dbl", 3),
            averaged(x, scope),
        ]
        x = tf.concat(parts, 3)
    scope = "mixed_17x17x768a"
    parts = [
        row(x, f"{scope}/branch3x3", 1, 2),
        row(x, f"{scope}/branch3x3dbl", 3, 2),
        largest(x),
    ]
    x = tf.concat(parts, 3)
    for letter in "bcde":
        scope = f"mixed_17x17x768{letter}"
        parts = [
            row(x, f"{scope}/branch1x1", 1),
            row(x, f"{scope}/branch7x7", 3),
            row(x, f"{scope}/branch7x7dbl", 5),
            averaged(x, scope),
        ]
        x = tf.concat(parts, 3)
    regions, scope = x, "mixed_17x17x1280a"
    parts = [
        row(x, f"{scope}/branch3x3", 2, 2),
        row(x, f"{scope}/branch7x7x3", 4, 2),
        largest(x),
    ]
    x = tf.concat(parts, 3)
    for scope in ("mixed_8x8x2048a", "mixed_8x8x2048b"):
        parts = [
            row(x, f"{scope}/branch1x1", 1),
            fork(x, f"{scope}/branch3x3", 1),
            fork(x, f"{scope}/branch3x3dbl", 2),
            averaged(x, scope),
        ]
        x = tf.concat(parts, 3)
    pooled = tf.reduce_mean(x, (1, 2))
    head = "logits/logits"
    logits = pooled @ arrays[f"{head}/weights"] + arrays[f"{head}/biases"]
    return {"regions": regions, "pooled": pooled, "logits": logits}


class SlimTest(tf.test.TestCase):
    """Stands for slim's code, which TensorFlow 2 can't run."""

    def test_the_graph_of_2016(self):
        model = narrow("slim")
        named = weights.export("inception/slim", model)
        random = np.random.RandomState(0)
        for key, array in named.items():
            value = random.randn(*array.shape)
            if array.ndim == 4:
                value *= np.sqrt(2 / np.prod(array.shape[:-1]))
            elif key.endswith("variance"):
                value = random.uniform(0.5, 1.5, array.shape)
            else:
                value *= 0.2
            named[key] = value.astype(np.float32)
        weights.load("inception/slim", model, named)
        x = images(3, 120)
        outputs, expected = ask(model, x), by_slim(named, x)
        for key, value in expected.items():
            self.assertAllClose(
                outputs[key], value, 0, 1e-5 * np.abs(value).max()
            )


class RulesTest(tf.test.TestCase, parameterized.TestCase):
    """Every array has its place, or is refused by name."""

    @parameterized.parameters(
        ("torchvision", 94 * 5 + 2),
        ("fid_2015", 94 * 5 + 2),
        ("keras", 94 * 4 + 2),
        ("slim", 94 * 4 + 2),
    )
    def test_out_and_in_again(self, variant, count):
        family = f"inception/{variant}"
        model = narrow(variant)
        random = np.random.RandomState(0)
        for variable in model.weights:
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
        held = [variable.numpy() for variable in model.weights]
        named = weights.export(family, model)
        self.assertLen(named, count)
        for variable in model.weights:
            variable.assign(variable * 0)
        weights.load(family, model, named)
        for variable, old in zip(model.weights, held, strict=True):
            self.assertAllEqual(variable, old)

    def test_scopes_of_slim(self):
        named = weights.export("inception/slim", narrow("slim"))
        self.assertContainsSubset(
            (
                "conv0/weights",
                "conv4/BatchNorm/moving_variance",
                "mixed_35x35x256a/branch5x5/Conv_1/weights",
                "mixed_17x17x768a/branch3x3/Conv/BatchNorm/beta",
                "mixed_17x17x768e/branch7x7dbl/Conv_4/weights",
                "mixed_17x17x1280a/branch7x7x3/Conv_3/weights",
                "mixed_8x8x2048b/branch3x3dbl/Conv_3/weights",
                "mixed_8x8x2048b/branch_pool/Conv/BatchNorm/moving_mean",
                "logits/logits/biases",
            ),
            named,
        )

    @parameterized.parameters(
        ("torchvision", "fc.bias", "AuxLogits.conv2.conv.weight"),
        ("fid_2015", "Mixed_7c.branch_pool.bn.weight", "AuxLogits.fc.bias"),
        ("keras", "batch_normalization_93/beta", "conv2d_94/kernel"),
        ("slim", "conv1/BatchNorm/beta", "conv1/BatchNorm/gamma"),
    )
    def test_missing_and_unknown_names_are_told(self, variant, gone, new):
        family = f"inception/{variant}"
        model = narrow(variant)
        named = weights.export(family, model)
        named[new] = named.pop(gone)
        before = [v.numpy() for v in model.weights]
        with self.assertRaisesRegex(ValueError, f"missing key '{gone}'"):
            weights.load(family, model, named)
        with self.assertRaisesRegex(ValueError, f"unknown key '{new}'"):
            weights.load(family, model, named)
        self.assertAllEqual(before[0], model.weights[0])

    def test_wrong_shapes_are_told(self):
        model = narrow("torchvision")
        named = weights.export("inception/torchvision", model)
        named["fc.weight"] = named["fc.weight"].T
        with self.assertRaisesRegex(ValueError, r"fc.weight has shape \(128"):
            weights.load("inception/torchvision", model, named)

    def test_prefixes_of_several_gpus_are_cut_off(self):
        model = narrow("torchvision")
        named = weights.export("inception/torchvision", model)
        named = {f"module.{key}": array for key, array in named.items()}
        report = weights.load("inception/torchvision", model, named)
        self.assertTrue(report.fits)

    def test_a_bias_is_known_where_it_is_left_out(self):
        for variant in ("keras", "slim"):  # fid_2015: above
            family = f"inception/{variant}"
            named = weights.export(family, narrow(variant))
            report = weights.load(family, narrow(variant, False), named)
            self.assertLen(report.ignored, 1)

    def test_auxiliary_parts_are_known_and_not_needed(self):
        model = narrow("slim")
        named = weights.export("inception/slim", model)
        extra = [
            f"aux_logits/{scope}/{part}"
            for scope in ("proj", "Conv")
            for part in (
                "weights",
                "BatchNorm/beta",
                "BatchNorm/moving_mean",
                "BatchNorm/moving_variance",
            )
        ]
        extra += ["aux_logits/FC/weights", "aux_logits/FC/biases"]
        named |= dict.fromkeys(extra, np.zeros(3, np.float32))
        report = weights.load("inception/slim", model, named)
        self.assertCountEqual(report.ignored, extra)


if __name__ == "__main__":
    tf.test.main()
