"""Examines what staged systems ask of a config, its data and its readers."""

import dataclasses
import json
import os
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import networks
from keras_t2i.data import pipeline
from recipes import letters, streams, training, wiring
from tests.recipes import command, couples, runs, stages

CONFIG = "recipes/configs/attngan_cub.py:smoke"


def pictures(config, count=24, **changes):
    """Takes a few training pictures, changed."""
    some = streams.source(config, "train").subset(np.arange(count))
    return dataclasses.replace(some, **changes)


def batch(config, some=None, encoder=None, **options):
    """Draws the first batch of a config."""
    encoder = encoder or wiring.text_encoder(config)
    some = pictures(config) if some is None else some
    stream = streams.dataset(config, some, encoder, **options)
    return {key: x.numpy() for key, x in next(iter(stream)).items()}


class Mute:
    """Reads sentences and tells no words."""

    name, digest, dim, max_words = "mute", "mute", 16, 5

    def __call__(self, captions):
        return {"sentence": tf.zeros((tf.size(captions), self.dim))}

    def check(self, captions):
        """Reads everything."""


class BranchesTest(parameterized.TestCase, tf.test.TestCase):
    """Terms bring the branch that they need."""

    def setUp(self):
        super().setUp()
        runs.folder(self)

    @parameterized.parameters(
        ("smoke", None),
        ("smoke_f2r", None),
        ("smoke_cl", "twin_"),
        ("smoke_scl", "partner_"),
        ("smoke_unicl", "partner_"),
        ("smoke_ce", "partner_"),
    )
    def test_batches_hold_what_is_compared(self, scale, prefix):
        config = stages.config(scale=scale)
        self.assertEqual(streams.second_branch(config), prefix)
        found = batch(config)
        texts = {"sentence", "words", "mask"}
        shown = {"image", "image_8", "label"}
        self.assertContainsSubset(texts | shown, found)
        second = {key for key in found if key.startswith(("twin_", "partner_"))}
        wanted = texts if prefix == "twin_" else texts | shown
        wanted = {f"{prefix}{key}" for key in wanted} if prefix else set()
        self.assertEqual(bool(second), bool(prefix))
        self.assertContainsSubset(wanted, second)
        if prefix == "partner_":
            self.assertAllEqual(found["label"], found["partner_label"])
            gaps = np.abs(found["image"] - found["partner_image"])
            self.assertGreater(gaps.max(axis=(1, 2, 3)).min(), 0.1)
        if prefix == "twin_":
            self.assertFalse(np.any(found["text"] == found["twin_text"]))

    @parameterized.parameters(("twins", "twin_"), ("partners", "partner_"))
    def test_branches_are_asked_for_without_a_contrast(self, word, prefix):
        config = stages.config()
        config.system.branches = word
        found = batch(config)
        self.assertIn(f"{prefix}sentence", found)
        system = wiring.system(config, wiring.text_encoder(config))
        self.assertEqual(system.second_branch, prefix)
        self.assertEqual(system.contrasts.used, ["words", "sentence"])

    def test_two_second_branches_are_refused(self):
        config = stages.config(scale="smoke_cl")
        config.loss_weights.supervised = 0.5
        with self.assertRaisesRegex(ValueError, "one second branch, and two"):
            streams.dataset(config, pictures(config), letters.Letters())
        config = stages.config()
        config.system.branches = "both"
        with self.assertRaisesRegex(ValueError, "branches is 'both'; allowed"):
            streams.second_branch(config)

    def test_one_caption_has_no_twin(self):
        config = stages.config(scale="smoke_cl")
        some = pictures(config)
        some = dataclasses.replace(some, captions=some.captions[:, :1])
        with self.assertRaisesRegex(
            ValueError,
            r"\(twins\), and those of shapes/train have one: weigh fake_to_fa",
        ):
            batch(config, some)
        with self.assertRaisesRegex(ValueError, "one caption a picture; twins"):
            pipeline.batches(
                some, batch_size=4, image_size=16, seed=0, twins=True
            )

    def test_pictures_that_are_their_own_twins_are_counted(self):
        config = stages.config(scale="smoke_cl")
        some = pictures(config)
        own = np.full(24, 2, np.int32)
        own[:3] = 1
        captions = np.tile(some.captions[:, :1], (1, 2))
        captions[3:, 1] = some.captions[3:, 1]
        some = dataclasses.replace(some, captions=captions, own=own)
        with self.assertWarnsRegex(UserWarning, "^3 of 24 pictures of shapes"):
            batch(config, some)

    @parameterized.parameters("scl", "unicl", "ce")
    def test_partners_need_classes(self, variant):
        config = stages.config(scale=f"smoke_{variant}")
        for labels in (np.full(24, -1), np.arange(24)):
            some = pictures(config, labels=labels)
            with self.assertRaisesRegex(
                ValueError,
                r"\(partners\), and no two pictures of shapes/train share one",
            ):
                batch(config, some)


class WordsTest(parameterized.TestCase, tf.test.TestCase):
    """Captions are read word by word."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        couples.quickly(cls)
        cls.folder = runs.folder(cls)
        cls.place = cls.folder / "pair"
        cls.pair = stages.keep_pair(cls.place, max_words=20)

    def reading_ids(self, scale="smoke"):
        config = stages.reads_ids(stages.config(scale=scale), self.place)
        config.data.max_words = 3  # Less than there are.
        return config

    def test_ids_are_read_anew_after_words_were_lost(self):
        config = self.reading_ids("smoke_cl")
        found = batch(config)
        for prefix in ("", "twin_"):
            ids, mask = found[f"{prefix}caption"], found[f"{prefix}mask"]
            self.assertEqual(ids.shape, (8, 3))
            whole = self.pair.text.vocabulary(found[f"{prefix}text"])
            lengths = whole.row_lengths().numpy()
            self.assertGreater(lengths.max(), 3)
            self.assertAllEqual(mask.sum(1), np.minimum(lengths, 3))
            for row, all_ids in zip(ids, whole.to_list(), strict=True):
                self.assertContainsSubset(row.tolist(), [*all_ids, 0])
            read = self.pair.text.read_ids(ids, mask)
            for key in ("words", "sentence"):
                self.assertAllClose(
                    found[f"{prefix}{key}"], read[key], atol=1e-6
                )
        whole = self.pair.text(found["text"])["sentence"]
        self.assertNotAllClose(found["sentence"], whole, atol=1e-3)

    def test_stream_of_ids_begins_where_the_run_stands(self):
        config = self.reading_ids()
        stream = streams.dataset(config, pictures(config), self.pair.text)
        *_, third = iter(stream.take(3))
        late = batch(config, encoder=self.pair.text, start_move=2)
        for key, value in late.items():
            if value.dtype.kind == "f":
                self.assertAllClose(value, third[key], atol=1e-6)
            else:
                self.assertAllEqual(value, third[key])

    def test_ids_are_those_of_the_readers_words_not_of_the_sets(self):
        config = self.reading_ids()
        with mock.patch.object(streams, "vocabulary") as own:
            batch(config)
        own.assert_not_called()

    def test_vectors_and_ids_say_the_same_of_whole_captions(self):
        config = self.reading_ids()
        config.data.max_words = 20
        read = batch(config)
        config.data.words = "float16"
        stored = batch(config)
        self.assertAllEqual(read["text"], stored["text"])
        self.assertAllEqual(read["mask"], stored["mask"])
        for key in ("words", "sentence"):
            self.assertAllClose(read[key], stored[key], atol=2e-3)

    def test_sentences_are_as_long_as_they_are_asked_for(self):
        config = self.reading_ids()
        plain = batch(config)
        config.text.length = 3.0
        stretched = batch(config)
        self.assertAllClose(
            stretched["sentence"], 3.0 * plain["sentence"], rtol=1e-5
        )
        self.assertAllClose(stretched["words"], plain["words"])

    @parameterized.parameters(None, "ids")
    def test_words_that_batches_would_not_hold(self, kind):
        config = stages.config()
        config.data.update(words=kind)
        if kind is None:
            config.data.max_words = None
        with self.assertRaisesRegex(
            ValueError,
            "generator.name is 'attngan', which takes captions word by word, "
            f"and config.data.words is {kind!r}: set 'float16' .* is 'letters'",
        ):
            batch(config)

    def test_one_stage_needs_words_only_to_match_them(self):
        config = stages.config()
        config.data.update(base_size=16, words=None, max_words=None)
        with self.assertRaisesRegex(
            ValueError, "config.loss_weights.words is not 0, which takes"
        ):
            batch(config)
        config.loss_weights.words = 0.0
        self.assertNotIn("words", batch(config))

    def test_reader_that_tells_no_words(self):
        config = stages.config()
        with self.assertRaisesRegex(
            ValueError,
            "'mute' answers captions without 'words' and 'mask'; needed are",
        ):
            batch(config, encoder=Mute())
        system = wiring.system(config, Mute())
        with self.assertRaisesRegex(
            ValueError,
            "takes mask, sentence, words, and the text_encoder tells no mask",
        ):
            system.generate(["a red circle"])

    def test_captions_that_no_word_is_left_of(self):
        config = self.reading_ids()
        some = pictures(config)
        captions = np.array(some.captions)
        captions[3, 1] = "zwölf Boxkämpfer"
        some = dataclasses.replace(some, captions=captions)
        with self.assertRaisesRegex(
            ValueError,
            r"Caption 1 of picture '.*' in set 'shapes/train' \('zwölf .*has "
            "no word of the vocabulary",
        ):
            batch(config, some)
        config.data.words = "float16"
        with self.assertRaisesRegex(ValueError, "has no word of the vocabular"):
            batch(config, some)
        with self.assertRaisesRegex(ValueError, "no word of the vocabulary"):
            self.pair.text.check(["zwölf"])

    def test_caption_without_words_is_not_drawn(self):
        config = self.reading_ids()
        system = wiring.system(config, self.pair.text)
        for caption in ("", "zwölf", "?!"):
            with self.assertRaisesRegex(
                tf.errors.InvalidArgumentError, "has no word that this encoder"
            ):
                system.generate([caption])
        workdir = self.folder / "run"
        runs.make(workdir, config)
        for caption in ("", "zwoelf"):
            code, _, complained = command.run(
                "sample", f"--workdir={workdir}", f"--caption={caption}"
            )
            self.assertEqual(code, 2)
            self.assertRegex(
                complained, "^Error: [^\n]*(empty|no word)[^\n]*\n$"
            )

    @parameterized.parameters(1, -1)
    def test_vocabulary_that_is_not_the_embeddings(self, more):
        place = self.folder / f"other {more}"
        stages.keep_pair(place)
        path = place / "reader.json"
        card = json.loads(path.read_text())
        words = card["vocabulary"]
        card["vocabulary"] = [*words, "new"] if more > 0 else words[:-1]
        path.write_text(json.dumps(card))
        config = stages.reads_ids(stages.config(), place)
        count = len(words)
        with self.assertRaisesRegex(
            ValueError, rf"reader.*\({count + 1}, .*\({count + 1 + more}, "
        ):
            wiring.text_encoder(config)

    def test_pair_of_another_width_matches_nothing(self):
        config = stages.config()
        config.image.source = str(self.place)
        with self.assertRaisesRegex(
            ValueError,
            "Captions are read in 16 numbers and pictures in 8 .*: they are "
            "compared, so take both sides of one pair, or weigh words and sen",
        ):
            wiring.system(config, wiring.text_encoder(config))
        config.loss_weights.update(words=0.0, sentence=0.0, fake_to_fake=0.2)
        system = wiring.system(config, wiring.text_encoder(config))
        self.assertEqual(system.image_reader.dim, 8)


class ReadersTest(parameterized.TestCase, tf.test.TestCase):
    """Who looks at fakes."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        couples.quickly(cls)
        cls.folder = runs.folder(cls)
        names = [f"class {number}" for number in range(3)]
        stages.keep_pair(cls.folder / "plain", width=16)
        stages.keep_pair(cls.folder / "classes", names, width=16)

    def system(self, config):
        return wiring.system(config, wiring.text_encoder(config))

    @parameterized.parameters("words", "sentence", "fake_to_fake", "unicl")
    def test_nobody_is_named(self, term):
        config = stages.config()
        config.image.source = None
        config.loss_weights.update({"words": 0.0, "sentence": 0.0, term: 0.2})
        with self.assertRaisesRegex(
            ValueError,
            f"loss_weights.{term} is not 0, .* set config.image.source to a pa",
        ):
            self.system(config)

    def test_nobody_is_needed_where_nobody_asks(self):
        config = stages.config()
        config.image.source = None
        config.loss_weights.update(words=0.0, sentence=0.0)
        self.assertIsNone(wiring.looker(config))
        self.assertIsNone(self.system(config).image_reader)

    def test_pair_that_reads_captions_looks_too(self):
        config = stages.reads_ids(stages.config(), self.folder / "plain")
        found = wiring.looker(config)
        self.assertEqual(found.text.digest, wiring.text_encoder(config).digest)

    def test_pairs_are_shared_while_it_is_said(self):
        config = stages.reads_ids(stages.config(), self.folder / "plain")
        opened, seen = wiring.text_encoder, []
        with self.assertRaisesRegex(ValueError, "stop"), wiring.sharing():
            self.assertIs(opened(config), opened(config))
            judge = wiring.network()
            self.assertIs(wiring.network(), judge)
            seen += [opened(config), wiring.looker(config).text]
            config.text.length = 2.0
            louder = opened(config)
            raise ValueError("stop")
        words = tf.constant(["a red bird"])
        self.assertAllEqual(
            louder(words)["sentence"], 2 * seen[0](words)["sentence"]
        )
        self.assertAllEqual(*(r(words)["sentence"] for r in seen))
        self.assertIsNot(opened(config), louder)
        self.assertEqual(wiring.network().digest, judge.digest)

    def test_unknown_pair_is_told_the_known(self):
        config = stages.config()
        config.image.source = "openmoji_damn"
        with self.assertRaisesRegex(
            ValueError, "'openmoji_damn' is neither a pair .*openmoji_damsm"
        ):
            self.system(config)

    def test_systems_that_are_only_drawn_with_need_no_readers(self):
        config = stages.config()
        config.image.source = "gone"
        system = wiring.system(
            config, wiring.text_encoder(config), readers=wiring.NOBODY
        )
        with self.assertRaisesRegex(ValueError, "opened to draw, not to be pl"):
            system.image_reader(tf.zeros((1, 16, 16, 3)))

    def test_classes_need_readers_that_know_them(self):
        config = stages.config(scale="smoke_ce")
        config.image.source = str(self.folder / "plain")
        with self.assertRaisesRegex(
            ValueError, "take readers trained with contrast 'cross_entropy'"
        ):
            self.system(config)

    def test_classes_are_as_many_as_the_readers_tell(self):
        config = stages.config(scale="smoke_ce")
        config.image.source = str(self.folder / "classes")
        system, fits = self.system(config), training.GENERATORS.fits
        few = pictures(config, labels=np.arange(24) % 3)
        fits(config, few, system)
        many = pictures(config, labels=np.arange(24) % 4)
        with self.assertRaisesRegex(
            ValueError, "tell 3 classes, and pictures of shapes/train have 4"
        ):
            fits(config, many, system)
        config.loss_weights.cross_entropy = 0.0
        fits(config, many, self.system(config))


class SizesTest(parameterized.TestCase, tf.test.TestCase):
    """Where drawing begins."""

    @parameterized.parameters(
        (None, "'attngan', which draws in stages: set config.data.base_size"),
        (0, "base_size is 0; allowed are 4 times a power of two: 8, 16"),
        (-8, "base_size is -8; allowed are 4 times a power of two"),
        (4, "base_size is 4; allowed are 4 times a power of two"),
        (12, "base_size is 12; allowed are 4 times a power of two"),
        (32, "image_size is 16 and base_size 32; allowed are 32 times a pow"),
    )
    def test_size_that_cannot_be(self, base, sentence):
        config = stages.config()
        config.data.base_size = base
        with self.assertRaisesRegex(ValueError, sentence):
            wiring.system(config, wiring.text_encoder(config))

    def test_sizes_lie_between(self):
        config = stages.config()
        for size, base, expected in (
            (256, 64, [64, 128]),
            (64, 16, [16, 32]),
            (16, 16, []),
        ):
            config.data.update(image_size=size, base_size=base)
            self.assertEqual(wiring.smaller_sizes(config), expected)
        plain = runs.smoke()
        self.assertEqual(wiring.smaller_sizes(plain), [])
        self.assertTrue(hasattr(networks, plain.networks.generator.name))


class CommandTest(parameterized.TestCase, tf.test.TestCase):
    """The command says it in one line, and no run is begun by mistake."""

    @parameterized.parameters(
        ("--config.train.batch_size=1", "one row has no mismatched pairs"),
        ("--config.data.base_size=12", "base_size is 12; allowed"),
        ("--config.system.branches=both", "branches is 'both'; allowed"),
        ("--config.image.source=nowhere", "'nowhere' is neither a pair"),
        ("--config.data.max_words=0", "config.data.max_words is 0; allowed"),
        ("--config.train.micro_batches=8", "(or micro-batch) of one row has"),
        ("--config.data.words=ids", "config.data.words is 'ids': set 'float1"),
    )
    def test_mistake(self, word, told):
        folder = runs.folder(self)
        code, _, complained = command.run(
            "train", f"--config={CONFIG}", f"--workdir={folder / 'run'}", word
        )
        self.assertEqual(code, 2)
        self.assertRegex(complained, r"^Error: [^\n]+\n$")
        self.assertIn(told, complained)
        kept = folder / "run" / "checkpoints"
        self.assertFalse(kept.exists() and os.listdir(kept))


if __name__ == "__main__":
    tf.test.main()
