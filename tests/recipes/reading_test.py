"""Examines what readers are given to read, and what they can't learn from."""

import dataclasses
import itertools

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import shapes
from keras_t2i.ops import images
from recipes import reading, streams
from tests.recipes import couples, runs


class ReadingTest(parameterized.TestCase, tf.test.TestCase):
    """From a config to players and batches."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        runs.folder(cls)
        couples.quickly(cls)

    def opened(self, config):
        return reading.opened(config)

    def batches(self, config, count=3, **options):
        pictures, readers = reading.opened(config)
        stream = reading.stream(config, pictures, readers, **options)
        return [*itertools.islice(stream.as_numpy_iterator(), count)]

    @parameterized.product(
        name=["damsm_cub", "damsm_openmoji"], scale=list(couples.VARIANTS)
    )
    def test_batches_hold_what_players_read(self, name, scale):
        config = couples.config(name, scale)
        pictures, readers = reading.opened(config)
        system = reading.system(config, pictures, readers)
        (batch,) = self.batches(config, 1)
        second = [] if system.second is None else [system.second]
        names = {"ids": "caption"}
        for prefix in ("", *second):
            for side in ("text", "image"):
                if (prefix, side) == ("twin_", "image"):
                    continue
                for key in system.players[side].input:
                    if not key.startswith("dropout_"):
                        held = batch[prefix + names.get(key, key)]
                        self.assertLen(held, 8)
        self.assertEqual("key" in batch, False)  # No player reads names.
        terms = system.test_step(batch)
        self.assertAllInRange([*terms.values()], 0.0, 1e3)

    @parameterized.parameters("damsm_cub", "damsm_openmoji")
    def test_stream_begins_where_it_is_told(self, name):
        config = couples.config(name, "smoke_scl")
        straight = self.batches(config, 5)
        for ours, theirs in zip(
            self.batches(config, 2, start_move=3), straight[3:], strict=True
        ):
            for key, value in ours.items():
                self.assertAllEqual(value, theirs[key])

    def test_parts_are_the_wholes_rows(self):
        config = couples.config("damsm_cub", "smoke_cl")
        (whole,) = self.batches(config, 1)
        halves = [self.batches(config, 1, shard=(i, 2))[0] for i in range(2)]
        for key, value in whole.items():
            both = np.concatenate([half[key] for half in halves])
            self.assertAllEqual(both, value)

    def test_kept_regions_are_the_pictures_own(self):
        config = couples.config("damsm_openmoji", "smoke_scl")
        pictures, readers = reading.opened(config)
        (batch,) = self.batches(config, 1)
        own = readers.seen(pictures.images)["pooled"].numpy()
        for prefix in ("", "partner_"):
            for row, label in zip(
                batch[f"{prefix}pooled"], batch[f"{prefix}label"], strict=True
            ):
                gaps = np.abs(own - row).max(axis=1)
                self.assertLess(gaps.min(), 1e-5)
                self.assertIn(label, pictures.labels[gaps < 1e-5])

    def test_vocabulary_is_that_of_the_training_captions(self):
        config = couples.config("damsm_cub")
        pictures, readers = reading.opened(config)
        words = set(
            " ".join(pictures.captions.ravel()).replace(",", "").split()
        )
        self.assertEqual(set(readers.text.vocabulary.words), words)
        self.assertEqual(readers.text.max_words, 18)
        self.assertEqual(readers.classes, len(pictures.class_names))

    def test_learning_rates_may_all_be_lower(self):
        config = couples.config("damsm_cub", "smoke_ce")
        pictures, readers = reading.opened(config)
        system = reading.system(config, pictures, readers, rate=0.5)
        for optimizer in system.optimizers.values():
            self.assertAllClose(float(optimizer.learning_rate), 0.001)

    def test_players_are_those_of_the_seed(self):
        config = couples.config("damsm_cub")
        pictures, readers = reading.opened(config)
        found = []
        for seed in (0, 0, 1):
            config.train.seed = seed
            system = reading.system(config, pictures, readers)
            found.append(system.players["text"].get_weights()[0])
        self.assertAllEqual(found[0], found[1])
        self.assertNotAllClose(found[0], found[2])

    def test_digest_changes_with_what_is_read_upon(self):
        plain = couples.config("damsm_cub")
        other = couples.config("damsm_cub")
        other.image.size = 36
        digests = [reading.opened(c)[1].digest for c in (plain, plain, other)]
        self.assertEqual(digests[0], digests[1])
        self.assertNotEqual(digests[0], digests[2])


class HeldOutTest(parameterized.TestCase, tf.test.TestCase):
    """Some training pictures are never trained on."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        runs.folder(cls)
        couples.quickly(cls)

    def config(self, held=100, seed=0):
        config = couples.config("damsm_cub", "smoke_scl")
        config.data.update(held_out=held, crop=None, flip=False)
        config.train.seed = seed
        return config

    def test_parts_are_all_pictures_and_share_none(self):
        train, held = reading.parted(512, self.config())
        self.assertLen(held, 100)
        self.assertAllEqual(np.sort([*train, *held]), np.arange(512))
        again = reading.parted(512, self.config(seed=3))
        self.assertAllEqual(again[1], held)  # Seeds are compared on them.
        train, held = reading.parted(512, self.config(held=0))
        self.assertAllEqual(train, np.arange(512))
        self.assertEmpty(held)

    def test_held_out_pictures_are_never_streamed(self):
        config = self.config(held=256)
        whole = streams.source(config, "train")
        train, _ = reading.parted(len(whole), config)
        pictures, readers = reading.opened(config)
        self.assertAllEqual(pictures.keys, whole.keys[train])
        pixels = images.to_float(whole.images[train]).numpy()
        own = {picture.tobytes() for picture in pixels}
        stream = reading.stream(config, pictures, readers)
        seen = set()
        for batch in itertools.islice(stream.as_numpy_iterator(), 32):
            for prefix in ("", "partner_"):
                found = {x.tobytes() for x in batch[f"{prefix}image"]}
                self.assertLessEqual(found, own)
                seen |= found if not prefix else set()
        self.assertEqual(seen, own)  # An epoch shows all the others.

    @parameterized.parameters(-1, 1, 257)
    def test_too_many_or_too_few_are_refused(self, held):
        with self.assertRaisesRegex(
            ValueError, f"held_out is {held}; allowed: 0, and 2 to half of the"
        ):
            reading.opened(self.config(held=held))


class RefusedTest(parameterized.TestCase, tf.test.TestCase):
    """What can't be learned is told before anything slow starts."""

    @parameterized.parameters(
        ("smoke_cl", "'nt_xent', which compares two captions .* have one"),
        ("smoke_scl", "'supervised', which compares pictures of one class; no"),
        (
            "smoke_unicl",
            "'unicl', which compares pictures of one class; no two",
        ),
        ("smoke_ce", "'cross_entropy', which compares pictures of one class"),
    )
    def test_sets_that_lack_pairs_are_refused(self, scale, sentence):
        whole = shapes.load(24, 16)
        lonely = dataclasses.replace(
            whole,
            captions=whole.captions[:, :1],
            labels=np.arange(24, dtype=np.int32),
        )
        nameless = dataclasses.replace(lonely, labels=np.full(24, -1, np.int32))
        for pictures in (lonely, nameless):
            for name in couples.NAMES:
                config = couples.config(name, scale)
                self.assertRegex(reading.fault(config, pictures), sentence)
                self.assertEqual(reading.fault(config, whole), "")
        plain = couples.config(scale="smoke")
        self.assertEqual(reading.fault(plain, lonely), "")

    @parameterized.parameters(
        ("image", dict(norms="batch"), "norms is 'batch', which takes each"),
        ("data", dict(flip=True), "looks at each picture once; with config.da"),
        ("data", dict(crop=18), "looks at each picture once; with config.data"),
    )
    def test_what_changes_is_not_kept(self, section, changes, sentence):
        config = couples.config()
        config[section].update(changes)
        self.assertRegex(reading.fault(config, shapes.load(24, 16)), sentence)

    def test_grey_pictures_are_refused(self):
        whole = shapes.load(24, 16)
        grey = dataclasses.replace(whole, images=whole.images[..., :1])
        self.assertRegex(
            reading.fault(couples.config(), grey),
            "have 1 colour.* look at three",
        )

    @parameterized.parameters(
        (
            "text",
            dict(encoder="gru"),
            r"text.encoder is 'gru'; known: bi_lstm,",
        ),
        ("text", dict(head="deep"), "text.head is 'deep'; known: linear, none"),
        ("text", dict(encoder="hub"), "'hub', which needs config.text.source"),
        ("text", dict(encoder="minilm", source="/nowhere"), "/nowhere"),
        ("image", dict(encoder="vgg"), "'vgg'; known are inception, "),
        (
            "image",
            dict(encoder="inception"),
            "don't come with this package; na",
        ),
        (
            "image",
            dict(resize="pillow_bilinear"),
            "image.resize is 'pillow_bil",
        ),
        ("image", dict(norms="layer"), "norms is 'layer'"),
        ("data", dict(name="birds"), "data.name is 'birds'; known"),
        ("data", dict(labels="subgroup"), "no classes of kind 'subgroup'"),
    )
    def test_what_is_unknown_or_missing_is_told(self, section, new, sentence):
        runs.folder(self)
        config = couples.config("damsm_cub")
        config[section].update(new)
        with self.assertRaisesRegex(ValueError, sentence):
            reading.opened(config)

    @parameterized.parameters(
        (dict(seed=-1), "train.seed is -1; allowed: 0 to"),
        (dict(precision="half"), "train.precision is 'half'; known"),
    )
    def test_bad_training_is_refused(self, changes, sentence):
        runs.folder(self)
        couples.quickly(self)
        config = couples.config("damsm_cub")
        pictures, readers = reading.opened(config)
        config.train.update(changes)
        with self.assertRaisesRegex(ValueError, sentence):
            reading.system(config, pictures, readers)


if __name__ == "__main__":
    tf.test.main()
