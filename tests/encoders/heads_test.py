"""Examines the projections upon frozen readers."""

import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.encoders import efficientnet_lite, heads, inception
from keras_t2i.ops import resizing

RNG = np.random.default_rng(0)
WORDS = {
    "words": RNG.normal(size=(2, 3, 5)).astype("float32"),
    "mask": np.array([[True, True, True], [True, False, False]]),
    "sentence": RNG.normal(size=(2, 7)).astype("float32"),
}
PICTURES = RNG.uniform(-1, 1, (2, 20, 28, 3)).astype("float32")


def toy_trunk():
    """A network of pictures with one norm, and an output too many."""
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Conv2D(4, 3, 2, name="conv")(image)
    x = keras.layers.BatchNormalization(momentum=0.9, name="norm")(x)
    pooled = keras.layers.GlobalAveragePooling2D()(keras.ops.relu(x))
    logits = keras.layers.Dense(6, name="logits")(pooled)
    return keras.Model(
        {"image": image},
        {"regions": x, "pooled": pooled, "logits": logits},
        name="toy",
    )


def reader(**options):
    """The toy with a head of 5 numbers, at 16 px."""
    return heads.over(toy_trunk(), heads.image(4, 4, 5), size=16, **options)


class TextTest(tf.test.TestCase):
    """Words and sentences."""

    def test_each_is_projected_and_padding_is_zero(self):
        head = heads.text(5, 4, 7)
        told = head(WORDS)
        for name, key in (("words", "words"), ("sentence", "sentence")):
            layer = head.get_layer(f"{name}_projection")
            layer.bias.assign(RNG.normal(size=4))
            expected = WORDS[key] @ np.array(layer.kernel) + np.array(
                layer.bias
            )
            if name == "words":
                expected = expected * WORDS["mask"][..., None]
            self.assertAllClose(head(WORDS)[name], expected)
        self.assertEqual(told["words"].shape, (2, 3, 4))

    def test_without_a_width_all_passes_and_nothing_is_trained(self):
        head = heads.text(5, None, 7)
        told = head(WORDS)
        self.assertEmpty(head.weights)
        self.assertAllEqual(told["sentence"], WORDS["sentence"])
        self.assertAllEqual(told["words"][0], WORDS["words"][0])
        self.assertAllEqual(told["words"][1, 1:], np.zeros((2, 5)))

    def test_sentence_is_as_wide_as_a_word_unless_told(self):
        self.assertEqual(heads.text(5).input["sentence"].shape, (None, 5))

    def test_mixed_precision_tells_float32(self):
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            made = [heads.text(5, width, 7) for width in (4, None)]
        finally:
            keras.config.set_dtype_policy("float32")
        for head in made:
            types = {value.dtype for value in head(WORDS).values()}
            self.assertEqual(types, {tf.float32})


class ImageTest(tf.test.TestCase):
    """Regions and one vector."""

    def test_each_is_projected(self):
        head = heads.image(3, 4, 5)
        regions = RNG.normal(size=(2, 6, 7, 3)).astype("float32")
        pooled = RNG.normal(size=(2, 4)).astype("float32")
        told = head({"regions": regions, "pooled": pooled})
        kernel = np.array(head.get_layer("regions_projection").kernel)[0, 0]
        self.assertAllClose(told["regions"], regions @ kernel)
        layer = head.get_layer("code_projection")
        expected = pooled @ np.array(layer.kernel) + np.array(layer.bias)
        self.assertAllClose(told["code"], expected)

    def test_starts_and_sizes_are_the_references(self):
        keras.utils.set_random_seed(0)
        head = heads.image(768, 2048)
        self.assertEqual(head.count_params(), 196_608 + 524_544)
        self.assertIsNone(head.get_layer("regions_projection").bias)
        for variable in head.weights:
            bound = 2048**-0.5 if "bias" in variable.path else 0.1
            largest = np.abs(np.array(variable)).max()
            self.assertBetween(largest, 0.95 * bound, bound)


class OverTest(tf.test.TestCase, parameterized.TestCase):
    """A head upon a frozen trunk."""

    @parameterized.parameters(*heads.RESIZES)
    def test_pictures_of_any_size_are_resized_as_told(self, way):
        model = reader(resize=way)
        told = model({"image": PICTURES})
        seen = resizing.RESIZES[way][0](PICTURES, 16)
        expected = model.get_layer("image_head")(
            model.get_layer("toy")({"image": seen})
        )
        self.assertAllClose(told, expected)
        self.assertEqual(told["regions"].shape, (2, 7, 7, 5))
        self.assertEqual(told["code"].shape, (2, 5))

    def test_ways_to_resize_differ(self):
        told = [reader(resize=w)({"image": PICTURES}) for w in heads.RESIZES]
        codes = np.array([each["code"] for each in told])
        for i in range(len(codes)):
            for j in range(i):
                self.assertNotAllClose(codes[i], codes[j], 1e-4, 1e-4)

    def test_pictures_of_that_size_are_not_touched(self):
        for way in heads.RESIZES:
            same = RNG.uniform(-1, 1, (1, 16, 16, 3)).astype("float32")
            self.assertAllEqual(heads.Resize(16, way)(same), same)

    @parameterized.parameters(*heads.NORMS)
    def test_only_the_head_is_trained(self, norms):
        model = reader(norms=norms)
        paths = {v.path for v in model.trainable_variables}
        self.assertLen(paths, 3)
        head = model.get_layer("image_head")
        self.assertEqual(paths, {v.path for v in head.trainable_variables})

    def test_the_output_too_many_is_left_out(self):
        model = reader()
        self.assertFalse([v for v in model.weights if "logits" in v.path])

    def test_norms_of_the_batch_are_used_and_moved_though_frozen(self):
        model = reader(norms="batch", resize="bilinear_corners")
        norm = model.get_layer("toy").get_layer("norm")
        mean = np.array(norm.moving_mean)
        still = model({"image": PICTURES}, training=False)
        self.assertAllEqual(norm.moving_mean, mean)
        moved = model({"image": PICTURES}, training=True)
        self.assertNotAllClose(moved["regions"], still["regions"])
        conv = model.get_layer("toy").get_layer("conv")
        seen = np.array(conv(resizing.bilinear_corners(PICTURES, 16)))
        self.assertAllClose(
            norm.moving_mean, 0.9 * mean + 0.1 * seen.mean((0, 1, 2)), 1e-5
        )
        kernel = model.get_layer("image_head").get_layer("regions_projection")
        normal = (seen - seen.mean((0, 1, 2))) / np.sqrt(
            seen.var((0, 1, 2)) + 1e-3
        )
        self.assertAllClose(
            moved["regions"], normal @ np.array(kernel.kernel)[0, 0], 1e-4, 1e-5
        )

    def test_running_norms_stand_still(self):
        model = reader(norms="running")
        before = model.get_weights()
        moved = model({"image": PICTURES}, training=True)
        self.assertAllClose(
            moved, model({"image": PICTURES}, training=False), 0, 0
        )
        for ours, theirs in zip(before, model.get_weights(), strict=True):
            self.assertAllEqual(ours, theirs)

    @parameterized.parameters("bilinear", "bilinear_corners", "tf1_bilinear")
    def test_xla_and_gradients_to_pictures(self, way):
        model = reader(resize=way)

        def ask(images):
            with tf.GradientTape() as tape:
                tape.watch(images)
                told = model({"image": images}, training=False)
                loss = tf.reduce_sum(told["code"] ** 2)
            return told, tape.gradient(loss, images)

        expected, slope = ask(tf.constant(PICTURES))
        told, found = tf.function(ask, jit_compile=True)(tf.constant(PICTURES))
        self.assertAllClose(told, expected, 1e-5, 1e-5)
        self.assertAllClose(found, slope, 1e-5, 1e-5)
        self.assertGreater(np.abs(slope).max(), 0.0)

    def test_either_trunk_fits(self):
        for trunk, size, shape in (
            (inception.inception_v3(width=1 / 16, classes=2), 80, (1, 3, 3, 5)),
            (efficientnet_lite.lite0(classes=2), 64, (1, 4, 4, 5)),
        ):
            regions, pooled = (
                trunk.output[k].shape[-1] for k in ("regions", "pooled")
            )
            model = heads.over(
                trunk, heads.image(regions, pooled, 5), size=size
            )
            told = model({"image": PICTURES[:1]}, training=False)
            self.assertEqual(told["regions"].shape, shape)
            self.assertEqual(told["code"].shape, (1, 5))

    def test_a_model_survives_the_disk(self):
        model = reader(resize="bilinear_corners")
        folder = self.enterContext(tempfile.TemporaryDirectory())
        model.save(f"{folder}/reader.keras")
        again = keras.models.load_model(f"{folder}/reader.keras")
        self.assertAllClose(
            again({"image": PICTURES}), model({"image": PICTURES})
        )

    @parameterized.parameters("pillow_bilinear", "bicubic_antialiased", "best")
    def test_ways_that_do_not_work_inside_are_refused(self, way):
        with self.assertRaisesRegex(ValueError, f"resize is '{way}'; inside"):
            reader(resize=way)

    def test_other_norms_are_refused(self):
        with self.assertRaisesRegex(ValueError, "'none'; allowed are batch"):
            reader(norms="none")


if __name__ == "__main__":
    tf.test.main()
