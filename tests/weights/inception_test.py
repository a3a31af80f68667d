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
