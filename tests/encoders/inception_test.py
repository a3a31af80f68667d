"""Examines Inception-v3; PyTorch's numbers are in tests/weights."""

import re
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.encoders import inception

NARROW = 1 / 16


def narrow(variant="torchvision", **options):
    """A small network with weights that keep signals alive."""
    keras.utils.set_random_seed(0)
    model = inception.inception_v3(variant, width=NARROW, classes=5, **options)
    random = np.random.RandomState(0)
    for variable in model.weights:
        shape = variable.shape
        if len(shape) == 4:
            scale = np.sqrt(2 / np.prod(shape[:-1]))
            variable.assign(random.randn(*shape) * scale)
        elif len(shape) == 1:
            variable.assign(random.uniform(0.5, 1.5, shape))
    return model


def images(count=2, size=80):
    """Noise in [-1, 1]."""
    shape = (count, size, size, 3)
    return np.random.RandomState(1).uniform(-1, 1, shape).astype(np.float32)


class InceptionTest(tf.test.TestCase, parameterized.TestCase):
    """The graph and its options."""

    def test_equals_kerass_own(self):
        # Convolution i to convolution i: Keras numbers them as they are made.
        theirs = keras.applications.InceptionV3(
            weights=None, classifier_activation=None
        )
        ours = inception.inception_v3("keras")
        random = np.random.RandomState(0)

        def number(layer):
            found = re.search(r"_(\d+)$", layer.name)
            return int(found[1]) if found else 0

        def numbered(kind):
            found = [x for x in theirs.layers if isinstance(x, kind)]
            return sorted(found, key=number)

        convs = numbered(keras.layers.Conv2D)
        norms = numbered(keras.layers.BatchNormalization)
        for unit, conv, norm in zip(inception.UNITS, convs, norms, strict=True):
            shape = conv.kernel.shape
            scale = np.sqrt(2 / np.prod(shape[:-1]))
            conv.kernel.assign(random.randn(*shape) * scale)
            norm.beta.assign(random.randn(shape[-1]) * 0.2)
            norm.moving_mean.assign(random.randn(shape[-1]) * 0.2)
            norm.moving_variance.assign(random.uniform(0.5, 1.5, shape[-1]))
            for own, other in (("conv", conv), ("bn", norm)):
                layer = ours.get_layer(f"{unit}.{own}")
                layer.set_weights(other.get_weights())
        head = theirs.get_layer("predictions")
        ours.get_layer("logits").set_weights(head.get_weights())
        parts = keras.Model(
            theirs.input,
            {
                "regions": theirs.get_layer("mixed7").output,
                "pooled": theirs.get_layer("avg_pool").output,
                "logits": head.output,
            },
        )
        x = images(1, 299)
        expected = tf.function(lambda x: parts(x, training=False))(x)
        outputs = tf.function(lambda x: ours({"image": x}, training=False))(x)
        for key, value in expected.items():
            self.assertEqual(outputs[key].shape, value.shape)
            self.assertAllEqual(outputs[key], value)

    def test_sizes(self):
        # torchvision without its auxiliary part: 23.8 million to learn.
        model = inception.inception_v3()
        self.assertEqual(
            sum(np.prod(v.shape) for v in model.trainable_weights), 23_834_568
        )
        self.assertLen(inception.UNITS, 94)
        shapes = {
            key: value
            for key, value in model.compute_output_shape(
                {"image": (2, 299, 299, 3)}
            ).items()
        }
        self.assertEqual(
            shapes,
            {
                "regions": (2, 17, 17, 768),
                "pooled": (2, 2048),
                "logits": (2, 1000),
            },
        )

    @parameterized.parameters(
        ("torchvision", 1000), ("keras", 1000), ("fid_2015", 1008), ("slim", 51)
    )
    def test_variants_have_their_classes_and_norms(self, variant, classes):
        model = inception.inception_v3(variant, width=NARROW)
        self.assertEqual(model.get_layer("logits").units, classes)
        norm = model.get_layer("Mixed_7c.branch_pool.bn")
        self.assertEqual(
            norm.gamma is not None, variant in ("torchvision", "fid_2015")
        )
        self.assertEqual(norm.epsilon, 1e-3)

    def test_pools_at_the_border(self):
        # A map of ones: counting zeros leaves 4, 6 or 9 of 9.
        ones = np.ones((1, 80, 80, 3), np.float32)

        def pooled(model, block):
            """What the pool's convolution is shown."""
            layer = model.get_layer(f"{block}.branch_pool.conv")
            before, concat = layer.input, model.get_layer(_before(block)).output
            ask = keras.Model(model.input, [before, concat])
            return [x.numpy() for x in ask({"image": ones})]

        variants = ("torchvision", "keras", "fid_2015")
        models = {variant: narrow(variant) for variant in variants}
        for variant, block, rule in (
            ("torchvision", "Mixed_5c", "counts"),
            ("torchvision", "Mixed_7c", "counts"),
            ("keras", "Mixed_6c", "excludes"),
            ("fid_2015", "Mixed_7b", "excludes"),
            ("fid_2015", "Mixed_7c", "max"),
        ):
            seen, x = pooled(models[variant], block)
            expected = np.zeros_like(x)
            height, width = x.shape[1:3]
            for i in range(height):
                for j in range(width):
                    near = x[0, max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
                    near = near.reshape(-1, x.shape[-1])
                    expected[0, i, j] = {
                        "counts": near.sum(0) / 9,
                        "excludes": near.mean(0),
                        "max": near.max(0),
                    }[rule]
            self.assertAllClose(seen, expected, 1e-4, 1e-4, msg=variant)

    def test_input_affine(self):
        seen = narrow(transform_input=True)
        seen = keras.Model(seen.input, seen.get_layer("affine").output)
        pixels = np.array([[[[0.0, 0.25, 1.0]]]], np.float32)
        mean = np.array([0.485, 0.456, 0.406])
        std = np.array([0.229, 0.224, 0.225])
        self.assertAllClose(
            seen({"image": (pixels - mean) / std}), 2 * pixels - 1
        )
        with self.assertRaises(ValueError):
            narrow().get_layer("affine")

    def test_logits_with_and_without_bias(self):
        model = narrow("fid_2015", logits_bias=False)
        outputs = model({"image": images()})
        self.assertAllClose(
            outputs["logits"],
            outputs["pooled"] @ model.get_layer("logits").kernel,
        )
        self.assertIsNone(model.get_layer("logits").bias)

    def test_batches_and_neighbours_change_nothing(self):
        model, x = narrow(), images(3)
        whole = model({"image": x})
        for i in range(3):
            one = model({"image": x[i : i + 1]})
            for key, value in one.items():
                self.assertAllClose(value[0], whole[key][i], 1e-4, 1e-4)

    def test_gradients_reach_the_picture_though_frozen(self):
        model, x = narrow(), tf.constant(images())
        model.trainable = False
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = model({"image": x}, training=False)
            total = tf.reduce_sum(outputs["regions"]) + tf.reduce_sum(
                outputs["pooled"]
            )
        gradient = tape.gradient(total, x)
        self.assertGreater(np.count_nonzero(gradient), 0.5 * tf.size(x).numpy())

    def test_statistics_of_the_batch_move_by_a_tenth(self):
        model, x = narrow(), images()
        norm = model.get_layer("Conv2d_1a_3x3.bn")
        kernel = model.get_layer("Conv2d_1a_3x3.conv").kernel
        before = norm.moving_mean.numpy()
        model({"image": x}, training=True)
        mean = tf.reduce_mean(tf.nn.conv2d(x, kernel, 2, "VALID"), (0, 1, 2))
        self.assertAllClose(norm.moving_mean, 0.9 * before + 0.1 * mean)

    def test_float32_under_any_policy(self):
        keras.config.set_dtype_policy("mixed_float16")
        try:
            model = narrow()
        finally:
            keras.config.set_dtype_policy("float32")
        outputs = model({"image": images()})
        self.assertEqual({v.dtype for v in outputs.values()}, {tf.float32})

    def test_a_model_survives_the_disk(self):
        model, x = narrow("fid_2015"), images()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        path = f"{folder}/inception.keras"
        model.save(path)
        again = keras.models.load_model(path)
        for key, value in model({"image": x}).items():
            self.assertAllEqual(again({"image": x})[key], value)

    def test_other_words_are_refused(self):
        with self.assertRaisesRegex(ValueError, "'v4'; known are torchvision"):
            inception.inception_v3("v4")
        with self.assertRaisesRegex(ValueError, "'sum'; allowed are average"):
            inception.inception_v3(last_pool="sum")


def _before(block):
    """The block whose output this one reads."""
    blocks = list(dict.fromkeys(n.split(".")[0] for n in inception.UNITS))
    return blocks[blocks.index(block) - 1]


if __name__ == "__main__":
    tf.test.main()
