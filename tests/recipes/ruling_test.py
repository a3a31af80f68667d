"""Examines how flags choose a ruler and its network."""

import types
from unittest import mock

import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import weights
from keras_t2i.metrics import protocols
from recipes import ruling
from tests.recipes import command


def flags(name, source="random", jpeg=None, resize=None):
    """Makes the flags of a command that got these."""
    values = name, source, jpeg, resize
    return ruling.Ruler(*(types.SimpleNamespace(value=x) for x in values))


class RulerTest(parameterized.TestCase, tf.test.TestCase):
    """A protocol's name is all that users need to say."""

    @parameterized.parameters(
        (
            "clean",
            "inception_2015",
            "bicubic_antialiased",
            "tf_2015",
            "round",
        ),
        ("tf_2015", "inception_2015", "tf1_bilinear", "tf_2015", "round"),
        (
            "dm_gan",
            "torchvision_inception",
            "pillow_bilinear",
            "dm_gan",
            "truncate",
        ),
        ("galip", "torchvision_inception", "bilinear", "dm_gan", None),
        (
            "xmc",
            "keras_inception_v3",
            "bilinear_antialiased",
            "symmetric",
            None,
        ),
        (
            "cub_is",
            "inception_cub",
            "pillow_bilinear",
            "symmetric",
            "truncate",
        ),
    )
    def test_preset_opens_its_network_with_its_way(
        self, name, network, resize, normalise, rounding
    ):
        ruler = flags(name)
        protocol = ruler.protocol()
        self.assertEqual(protocol.name, name)
        with mock.patch.object(weights.judges, "load") as load:
            self.assertIs(ruler.network(protocol), load.return_value)
        load.assert_called_once_with(
            network,
            "random",
            size=299,
            resize=resize,
            normalise=normalise,
            rounding=rounding,
            jpeg=None,
        )

    def test_ways_may_be_changed_and_cards_say_so(self):
        ruler = flags("offline", None, jpeg=75, resize="pillow_bicubic")
        protocol = ruler.protocol()
        self.assertEqual(protocol.card()["jpeg"], 75)
        network = ruler.network(protocol)
        self.assertIn("JPEG 75; bicubic of Pillow", network.resize)
        usual = flags("offline", None)
        usual = usual.network(usual.protocol())
        self.assertNotEqual(network.digest, usual.digest)

    def test_folders_and_handles_are_tfgans_module(self):
        folder = self.create_tempdir().full_path
        for source in (folder, "https://tfhub.dev/tensorflow/tfgan/eval"):
            ruler = flags("tf_2015", source)
            with mock.patch.object(weights.judges, "load") as load:
                ruler.network(ruler.protocol())
            self.assertEqual(load.call_args.args, ("tfgan_inception", source))
            self.assertEqual(load.call_args.kwargs["normalise"], "symmetric")
            self.assertEqual(load.call_args.kwargs["resize"], "tf1_bilinear")
        ruler = flags("dm_gan", folder)
        with mock.patch.object(weights.judges, "load") as load:
            ruler.network(ruler.protocol())
        self.assertEqual(load.call_args.args[0], "torchvision_inception")

    def test_changed_ways_have_names_of_their_own(self):
        protocol = flags("tf_2015", jpeg=75).protocol()
        self.assertEqual(protocol.name, "tf_2015_jpeg75")
        self.assertEqual(protocol.label, "tf_2015_jpeg75")
        with self.assertRaisesRegex(ValueError, "galip judges floats; JPEG"):
            flags("galip", jpeg=75).protocol()

    def test_offline_opens_lite0_its_own_way(self):
        ruler = flags("offline", None)
        with mock.patch.object(weights.judges, "load") as load:
            ruler.network(ruler.protocol())
        load.assert_called_once_with("lite0", None)

    @parameterized.parameters(
        ("clean", "floats rounded to bytes; ", "(x - 128) / 128"),
        ("dm_gan", "floats truncated to bytes; ", "ImageNet's"),
        ("galip", "", "ImageNet's"),
    )
    def test_way_stands_on_the_card(self, name, start, end):
        ruler = flags(name)
        found = mock.Mock(), "digest"
        with mock.patch.object(weights.judges, "_network", return_value=found):
            judge = ruler.network(ruler.protocol())
        self.assertStartsWith(judge.resize, start)
        self.assertEndsWith(judge.resize, end)
        self.assertIn(", to 299 x 299; ", judge.resize)
        self.assertEndsWith(judge.name, "_random")

    def test_ways_of_one_network_have_digests_of_their_own(self):
        digests = []
        for name in ("clean", "tf_2015", "dm_gan", "galip"):
            found = mock.Mock(), "digest"
            with mock.patch.object(
                weights.judges, "_network", return_value=found
            ):
                ruler = flags(name)
                digests.append(ruler.network(ruler.protocol()).digest)
        self.assertLen(set(digests), 4)

    def test_lite0_is_the_one_that_cards_of_presets_name(self):
        ruler = flags("offline", None)
        found = ruler.network(ruler.protocol())
        self.assertEqual(found.name, "lite0")
        self.assertEqual(found.digest, weights.pretrained.lite0().digest)
        _, card = weights.presets.load("openmoji_64")
        told = card["scores"][0]["protocol"]["image_network"]
        self.assertEqual(
            told,
            {
                "name": found.name,
                "digest": found.digest,
                "resize": found.resize,
            },
        )

    def test_every_protocol_is_a_flags_value(self):
        for name in protocols.PRESETS:
            code, _, complained = command.run("evaluate", f"--protocol={name}")
            self.assertEqual(code, 2)
            self.assertIn("Give exactly one of", complained)

    def test_unknown_protocol_is_told_which_there_are(self):
        code, _, complained = command.run("evaluate", "--protocol=claen")
        self.assertEqual(code, 2)
        self.assertRegex(complained, r"^Error: [^\n]+\n$")
        self.assertIn("--protocol=claen", complained)
        self.assertIn("|".join(protocols.PRESETS), complained)

    def test_protocol_without_its_weights_says_which_it_wants(self):
        code, _, complained = command.run(
            "evaluate", "--protocol=clean", "--workdir=here", "--out=there"
        )
        self.assertEqual(code, 2)
        self.assertRegex(complained, r"^Error: [^\n]+\n$")
        self.assertIn("weights of inception_2015 don't come", complained)


if __name__ == "__main__":
    tf.test.main()
