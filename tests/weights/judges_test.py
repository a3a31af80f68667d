"""Examines the judges by name; their networks' numbers are examined apart."""

import functools
import pathlib
import tempfile
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import weights
from keras_t2i.encoders import features, inception
from keras_t2i.weights import judges, pretrained

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
AVERAGED = "/ExponentialMovingAverage"
_full = inception.inception_v3


def pictures(count=2, height=40, width=50):
    """Noise, uint8."""
    shape = (count, height, width, 3)
    return np.random.RandomState(0).randint(0, 256, shape, np.uint8)


def fresh(variant="torchvision", classes=None, logits_bias=True):
    """Stands in for the whole network: a sixteenth of the channels."""
    return _full(
        variant, classes=classes or 10, width=1 / 16, logits_bias=logits_bias
    )


made = functools.cache(fresh)
made_apart = functools.cache(fresh)


def filled(variant, seed=0, classes=None):
    """A narrow network, and its arrays by the published names."""
    model = made_apart(variant, classes)
    random = np.random.RandomState(seed)
    for variable in model.weights:
        shape = variable.shape
        scale = np.sqrt(2 / np.prod(shape[:-1])) if len(shape) > 1 else 0.2
        value = random.randn(*shape) * scale
        variable.assign(value if len(shape) > 1 else value + 1)
    return model, weights.export(f"inception/{variant}", model)


class Judges(tf.test.TestCase, parameterized.TestCase):
    """What all tests here share."""

    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.folder = pathlib.Path(folder)

    def make_narrow(self, make=made):
        self.enterContext(
            mock.patch.object(judges.inception, "inception_v3", make)
        )

    def assert_answers(self, judge, model, way):
        shown = way(pictures())
        expected = model({"image": shown}, training=False)
        for key, value in judge(pictures()).items():
            self.assertAllClose(value, expected[key], 1e-4, 1e-4)


class LoadTest(Judges):
    """Files of every kind, and the ways to their networks."""

    @parameterized.parameters(
        (
            "inception_2015",
            "fid_2015",
            features.Way(299, "tf1_bilinear", "tf_2015"),
        ),
        ("torchvision_inception", "torchvision", features.Way(299, "bilinear")),
    )
    def test_pytorchs_names(self, name, variant, way):
        self.make_narrow()
        model, named = filled(variant)
        path = self.folder / "weights.npz"
        np.savez(path, **named)
        judge = judges.load(name, path)
        self.assertEqual((judge.name, judge.resize), (name, way.words))
        if variant == "fid_2015":
            # The scores of the Inception score's first code have no bias.
            layer = model.get_layer("logits")
            layer.bias.assign(layer.bias * 0)
        self.assert_answers(judge, model, way)

    def test_a_file_that_pytorch_wrote(self):
        self.make_narrow()
        path = GOLDEN / "inception_tiny.pth"
        judge = judges.load("torchvision_inception", str(path), size=150)
        self.assertEqual(judge.name, "torchvision_inception_150")
        golden = np.load(GOLDEN / "inception_tiny.npz")
        random = np.random.RandomState(3)
        noise = random.uniform(-1, 1, (1, 150, 150, 3)).astype(np.float32)
        for key in ("pooled", "logits"):
            self.assertAllClose(
                judge(noise)[key][0], golden[key][0], 1e-4, 1e-3
            )

    def test_dm_gans_way(self):
        self.make_narrow()
        model, named = filled("torchvision")
        path = self.folder / "weights.npz"
        np.savez(path, **named)
        choices = dict(
            resize="pillow_bilinear", normalise="dm_gan", rounding="truncate"
        )
        judge = judges.load("torchvision_inception", path, **choices)
        self.assert_answers(judge, model, features.Way(299, **choices))
        judge = judges.load(
            "torchvision_inception", path, resize="pillow_bicubic"
        )
        with self.assertRaisesRegex(ValueError, "name a rounding"):
            judge(np.full((1, 40, 40, 3), 0.3, np.float32))

    @parameterized.parameters("V1", "V2")
    def test_birds(self, version):
        self.make_narrow()
        _, plain = filled("slim", seed=1, classes=51)
        plain = {key: array.copy() for key, array in plain.items()}
        model, named = filled("slim", classes=51)
        path = checkpoint(self.folder, named, plain, version)
        judge = judges.load("inception_cub", path)
        self.assertEqual(judge.name, "inception_cub")
        way = features.Way(299, "pillow_bilinear", rounding="round")
        self.assertEqual(judge.resize, way.words)
        self.assertEqual(judge(pictures())["logits"].shape, (2, 51))
        self.assert_answers(judge, model, way)

    def test_flowers_have_other_classes(self):
        self.make_narrow()
        _, named = filled("slim", classes=21)
        path = checkpoint(self.folder, named, {}, "V2")
        judge = judges.load("inception_cub", path)
        self.assertEqual(judge.model.get_layer("logits").units, 21)

    def test_kerass_file(self):
        theirs = keras.applications.InceptionV3(
            weights=None, classifier_activation=None
        )
        random = np.random.RandomState(0)
        for variable in theirs.weights:
            shape = variable.shape
            if len(shape) > 1:
                scale = np.sqrt(2 / np.prod(shape[:-1]))
                variable.assign(random.randn(*shape) * scale)
        path = self.folder / "inception.weights.h5"
        theirs.save_weights(path)
        judge = judges.load("keras_inception_v3", path)
        way = features.Way(299, "bilinear_antialiased")
        self.assertEqual(judge.resize, way.words)
        self.assertAllClose(
            judge(pictures(1))["logits"],
            theirs(way(pictures(1)), training=False),
            1e-4,
            1e-4,
        )

    def test_lite0_is_the_ready_one(self):
        judge, ready = judges.load("lite0"), pretrained.lite0()
        self.assertEqual(
            (judge.name, judge.digest, judge.resize),
            ("lite0", ready.digest, ready.resize),
        )
        small = judges.load("lite0", size=64)
        self.assertEqual(small.digest, pretrained.lite0(size=64).digest)
        other = judges.load("lite0", size=64, resize="bilinear")
        self.assertNotEqual(other.digest, small.digest)
        self.assertEqual(other.name, "lite0_64")
        self.assertEqual(other(pictures())["pooled"].shape, (2, 1280))

    def test_random_weights_have_it_in_their_name(self):
        self.make_narrow(fresh)
        digests = set()
        for name in judges.NAMES:
            if name == "tfgan_inception":
                continue
            judge = judges.load(name, "random", size=96)
            self.assertEqual(judge.name, f"{name}_96_random")
            self.assertTrue(judge.name.isidentifier())
            answer = judge(pictures(4))
            for rows in (answer["pooled"], answer["logits"]):
                spread = np.std(rows, axis=0).mean() / np.std(rows)
                self.assertBetween(spread, 1e-3, 1)
                self.assertBetween(np.abs(rows).mean(), 1e-3, 1e2)
            digests.add(judge.digest)
        self.assertLen(digests, 5)
        again = judges.load("inception_2015", "random", size=96)
        self.assertIn(again.digest, digests)

    def test_whole_networks_have_the_published_sizes(self):
        judge = judges.load("inception_2015", "random", size=75)
        answer = judge(pictures(1))
        self.assertEqual(answer["pooled"].shape, (1, 2048))
        self.assertEqual(answer["logits"].shape, (1, 1008))
        self.assertEqual(answer["regions"].shape[-1], 768)


class DigestTest(Judges):
    """Whatever changes a number changes the digest."""

    def test_weights_and_every_choice_count(self):
        self.make_narrow()
        _, named = filled("torchvision")
        paths = [self.folder / f"{i}.npz" for i in range(3)]
        np.savez(paths[0], **named)
        np.savez_compressed(paths[1], **named)
        named["fc.bias"] = named["fc.bias"] + np.float32(1e-6)
        np.savez(paths[2], **named)
        load = functools.partial(judges.load, "torchvision_inception")
        plain = load(paths[0])
        self.assertEqual(load(paths[1]).digest, plain.digest)
        others = [
            load(paths[2]),
            load(paths[0], size=150),
            load(paths[0], resize="tf1_bilinear"),
            load(paths[0], normalise="dm_gan"),
            load(paths[0], rounding="round"),
            load(paths[0], rounding="round", jpeg=75),
            judges.load("inception_2015", paths[0]),
        ]
        digests = {judge.digest for judge in others} | {plain.digest}
        self.assertLen(digests, 1 + len(others))


class HubTest(Judges):
    """TF-GAN's SavedModel, written here."""

    def save(self, function):
        module = tf.Module()
        spec = tf.TensorSpec((None, 299, 299, 3))
        module.__call__ = tf.function(function, input_signature=[spec])
        path = str(self.folder / "module")
        tf.saved_model.save(module, path)
        return path

    def test_a_module_with_both_outputs(self):
        def ask(images):
            return {
                "logits": tf.reshape(images[:, :2, 0], [-1, 6]),
                "pool_3": tf.reduce_mean(images, (1, 2), keepdims=True),
            }

        judge = judges.load("tfgan_inception", self.save(ask))
        way = features.Way(299, "tf1_bilinear")
        self.assertEqual(
            (judge.name, judge.resize), ("tfgan_inception", way.words)
        )
        answer = judge(pictures())
        shown = way(pictures())
        self.assertAllClose(answer["pooled"], tf.reduce_mean(shown, (1, 2)))
        self.assertAllClose(
            answer["logits"], tf.reshape(shown[:, :2, 0], [-1, 6])
        )
        other = judges.load(
            "tfgan_inception", self.folder / "module", resize="bilinear"
        )
        self.assertNotEqual(judge.digest, other.digest)

    @parameterized.parameters(
        (lambda x: {"logits": x[:, 0, 0]}, "answers logits; logits and pool_3"),
        (lambda x: x[:, 0, 0], "answers no names; logits and pool_3"),
    )
    def test_another_module_is_refused(self, ask, words):
        with self.assertRaisesRegex(ValueError, words):
            judges.load("tfgan_inception", self.save(ask))

    def test_what_is_no_module_is_refused(self):
        (self.folder / "saved_model.pb").write_bytes(b"nonsense")
        with self.assertRaisesRegex(ValueError, "can't load"):
            judges.load("tfgan_inception", self.folder)

    def test_nothing_is_found_without_a_network(self):
        with mock.patch(
            "tensorflow_hub.resolve", side_effect=OSError("no route")
        ):
            with self.assertRaisesRegex(
                ValueError, "can't load https://tfhub.dev/.*/1: no route"
            ):
                judges.load("tfgan_inception")

    def test_random_weights_are_refused(self):
        with self.assertRaisesRegex(ValueError, "has no random weights"):
            judges.load("tfgan_inception", "random")


class RefusedTest(Judges):
    """A sentence for all that is missing, damaged or something else."""

    def test_unknown_names(self):
        with self.assertRaisesRegex(
            ValueError, "'inception'; known are inception_2015, inception_cub"
        ):
            judges.load("inception")

    @parameterized.parameters(
        ("inception_2015", "pt_inception-2015-12-05"),
        ("torchvision_inception", "inception_v3_google"),
        ("inception_cub", "birds_valid299"),
    )
    def test_weights_that_must_be_named(self, name, words):
        with self.assertRaisesRegex(ValueError, f"name a file, .*{words}"):
            judges.load(name)

    @parameterized.parameters(
        ("inception_2015", "is missing"),
        ("torchvision_inception", "is missing"),
        ("keras_inception_v3", "is missing"),
        ("inception_cub", "is not a readable checkpoint"),
    )
    def test_missing_files(self, name, words):
        path = self.folder / "none.pth"
        with self.assertRaisesRegex(ValueError, f"none.pth {words}"):
            judges.load(name, path)

    def test_cut_files(self):
        data = (GOLDEN / "inception_tiny.pth").read_bytes()
        for end in (0, 100, len(data) // 2, len(data) - 10):
            path = self.folder / "cut.pth"
            path.write_bytes(data[:end])
            with self.assertRaisesRegex(ValueError, "cut.pth"):
                judges.load("torchvision_inception", path)
        path = self.folder / "cut.weights.h5"
        path.write_bytes(b"\x89HDF\r\n\x1a\n")
        with self.assertRaisesRegex(ValueError, "can't load .*cut.weights.h5"):
            judges.load("keras_inception_v3", path)

    @parameterized.parameters("V1", "V2")
    def test_a_cut_checkpoint(self, version):
        path = checkpoint(self.folder, {"a": np.ones(9)}, {}, version)
        data = next(
            p for p in self.folder.glob("model*") if p.suffix != ".meta"
        )
        for each in self.folder.glob("model*"):
            if ".meta" not in each.name:
                each.write_bytes(each.read_bytes()[:20])
        self.assertTrue(data.exists())
        with self.assertRaisesRegex(ValueError, "not a readable checkpoint"):
            judges.load("inception_cub", path)

    def test_a_checkpoint_without_averages(self):
        path = checkpoint(self.folder, {}, {"conv0/weights": np.ones(3)}, "V2")
        with self.assertRaisesRegex(ValueError, "no averaged weights"):
            judges.load("inception_cub", path)

    def test_other_arrays(self):
        self.make_narrow()
        path = self.folder / "other.npz"
        _, named = filled("torchvision")
        del named["fc.weight"]
        np.savez(path, **named, extra=np.ones(2))
        with self.assertRaisesRegex(
            ValueError, "other.npz can't .*unknown key 'extra'.*'fc.weight'"
        ):
            judges.load("torchvision_inception", path)
        wrong = checkpoint(self.folder, {"conv0/weights": np.ones(3)}, {}, "V2")
        with self.assertRaisesRegex(
            ValueError, "ckpt-5000 can't .*key 'conv1/"
        ):
            judges.load("inception_cub", wrong)

    def test_keras_without_a_network(self):
        with mock.patch.object(
            keras.applications,
            "InceptionV3",
            side_effect=Exception("URL fetch failure"),
        ):
            with self.assertRaisesRegex(
                ValueError, "from the network: URL fetch failure"
            ):
                judges.load("keras_inception_v3")


def checkpoint(folder, averaged, plain, version):
    """Writes a checkpoint as TensorFlow 1 did, with other things in it."""
    v1 = tf.compat.v1
    values = {f"{key}{AVERAGED}": array for key, array in averaged.items()}
    values |= plain | {"global_step": np.int64(5000)}
    path = str(folder / "model.ckpt-5000")
    with tf.Graph().as_default(), v1.Session() as session:
        kept = [v1.Variable(v, name=key) for key, v in values.items()]
        session.run(v1.variables_initializer(kept))
        saver = v1.train.Saver(
            kept, write_version=getattr(v1.train.SaverDef, version)
        )
        return saver.save(session, path, write_state=False)


if __name__ == "__main__":
    tf.test.main()
