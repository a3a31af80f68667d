"""Examines what is shipped: a generator and the card that describes it."""

import json
import pathlib
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import networks
from keras_t2i.weights import presets

ARGUMENTS = dict(
    image_size=16, width=4, noise_dim=6, text_dim=5, projection_dim=4
)
CARD = {"network": "dcgan_cls", "arguments": ARGUMENTS, "moves": 7}


def drawn(generator):
    """Draws two pictures of two sentences."""
    draws = np.random.RandomState(0)
    inputs = {
        "noise": draws.randn(2, 6).astype("float32"),
        "sentence": draws.randn(2, 5).astype("float32"),
    }
    return generator(inputs, training=False)["image"]


def _flipped(data):
    """Changes one byte in the middle of what is stored."""
    return data[:200] + bytes([data[200] ^ 255]) + data[201:]


class PresetsTest(parameterized.TestCase, tf.test.TestCase):
    """Weights and card make the same generator again, or say why not."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        keras.utils.set_random_seed(0)
        cls.generator = networks.dcgan_cls.generator(**ARGUMENTS)
        for variable in cls.generator.weights:
            exact = variable.numpy().astype(np.float16)
            variable.assign(exact.astype(np.float32) + 0.25)

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory())
        )

    def save(self, name="toy", generator=None, **card):
        generator = generator or self.generator
        presets.save(name, generator, {**CARD, **card}, self.folder)

    def refused(self, name="toy"):
        with self.assertRaises(ValueError) as caught:
            presets.load(name, self.folder)
        return str(caught.exception)

    def edit(self, **changes):
        path = self.folder / "toy_preset.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    def test_saved_generator_draws_the_same_to_half_precision(self):
        self.save()
        generator, card = presets.load("toy", self.folder)
        self.assertEqual({**card, **CARD}, card)
        for ours, kept in zip(
            self.generator.weights, generator.weights, strict=True
        ):
            self.assertAllEqual(kept, ours.numpy().astype(np.float16))
            self.assertEqual(kept.dtype, "float32")
        self.assertAllClose(drawn(generator), drawn(self.generator), atol=1e-2)

    def test_layers_built_before_in_the_process_do_not_matter(self):
        self.save()
        first, _ = presets.load("toy", self.folder)
        keras.layers.Conv2DTranspose(1, 1)
        again, _ = presets.load("toy", self.folder)
        self.assertNotEqual(
            [v.path for v in first.weights], [v.path for v in again.weights]
        )
        self.assertAllEqual(drawn(first), drawn(again))

    def test_generator_is_in_float32_whatever_the_policy(self):
        self.save()
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            generator, _ = presets.load("toy", self.folder)
            self.assertEqual(keras.config.dtype_policy().name, "mixed_bfloat16")
        finally:
            keras.config.set_dtype_policy("float32")
        self.assertEqual(
            {x.compute_dtype for x in generator.layers[1:]}, {"float32"}
        )

    def test_names_are_those_of_the_cards(self):
        self.save("b")
        self.save("a")
        (self.folder / "c.npz").write_bytes(b"")
        self.assertEqual(presets.names(self.folder), ["a", "b"])

    def test_unknown_name_is_told_the_known(self):
        self.save()
        self.assertRegex(self.refused("tyo"), "no preset 'tyo' in .*known: toy")
        (self.folder / "toy_preset.json").unlink()
        self.assertRegex(self.refused(), "no preset 'toy'.*known: none")

    @parameterized.parameters(
        ("toy_preset.npz", None),
        ("toy_preset.npz", lambda data: b""),
        ("toy_preset.npz", lambda data: data[:-40]),
        ("toy_preset.npz", _flipped),
        ("toy_preset.npz", lambda data: b"\x80\x04K\x01."),
        ("toy_preset.json", lambda data: data[:-9]),
        ("toy_preset.json", lambda data: b"[]"),
        ("toy_preset.json", lambda data: b"{}"),
        ("toy_preset.json", lambda data: b"\xff"),
    )
    def test_damaged_file_is_named(self, name, damage):
        self.save()
        path = self.folder / name
        data = path.read_bytes()
        path.unlink()
        if damage:
            path.write_bytes(damage(data))
        complaint = self.refused()
        self.assertRegex(
            complaint, f"^.*{name}.* (can't be|describes no|is not the) "
        )
        self.assertNotIn("\n", complaint)

    def test_weights_of_another_generator_are_refused(self):
        self.save()
        other = networks.dcgan_cls.generator(**ARGUMENTS)
        self.save("other", other)
        data = (self.folder / "other_preset.npz").read_bytes()
        (self.folder / "toy_preset.npz").write_bytes(data)
        self.assertRegex(
            self.refused(), "toy_preset.npz is not the file that its card"
        )

    def test_card_of_another_size_is_told_the_first_difference(self):
        self.save()
        self.edit(arguments={**ARGUMENTS, "noise_dim": 7})
        self.assertRegex(
            self.refused(),
            r"toy_preset.npz does not fit its card: '\d+ kernel' is \(.*\) "
            r"there and \(.*\) in the network",
        )
        self.edit(arguments={**ARGUMENTS, "image_size": 32})
        self.assertRegex(self.refused(), "does not fit its card")

    @parameterized.parameters(
        dict(network="dcgan"),
        dict(arguments={"widht": 4}),
        dict(arguments={**ARGUMENTS, "image_size": 17}),
        dict(arguments=None),
    )
    def test_card_of_no_network_is_named(self, **changes):
        self.save()
        self.edit(**changes)
        self.assertRegex(
            self.refused(), "toy_preset.json describes no network of this"
        )

    def test_shipped_presets_fit_their_cards(self):
        for name in presets.names():
            generator, card = presets.load(name)
            self.assertTrue(card["scores"])
            self.assertTrue(np.isfinite(generator.weights[0]).all())


if __name__ == "__main__":
    tf.test.main()
