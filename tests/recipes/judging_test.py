"""Examines what judges share: glances, and pictures that stand for many."""

import contextlib
import dataclasses
import io
import json
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import weights
from keras_t2i.data import prepared, shapes
from keras_t2i.metrics import features, protocols, r_precision
from recipes import asking, judging, letters, streams, trained, wiring
from tests.recipes import eyes, runs

OFFLINE = protocols.PRESETS["offline"]


class GlanceTest(tf.test.TestCase):
    """Training is judged by training pictures."""

    def setUp(self):
        super().setUp()
        folder = runs.folder(self)
        self.held = shapes.load(12, 16)
        prepared.write(folder / "set", {"train": self.held})
        self.filed = prepared.load(folder / "set", "train")
        self.reader = letters.Letters()
        self.exact = streams.sentences(self.held, self.reader)

    def test_training_is_glanced_at_wherever_pictures_lie(self):
        for pictures in (self.held, self.filed):
            with mock.patch.object(judging.evaluator, "Judge") as bench:
                bench.return_value.pictures.return_value = []
                glance = judging.glance(
                    runs.smoke(), mock.Mock(), pictures, self.reader, 8
                )
                self.assertEqual(glance(), {})
            means = bench.call_args.args[1]
            firsts = bench.return_value.pictures.call_args.args[2]
            self.assertAllClose(means, self.exact[:8].mean(1), 1e-3, 2e-3)
            self.assertAllClose(firsts, self.exact[:8, 0], 1e-3, 2e-3)


class StillTest(tf.test.TestCase):
    """One picture stands for many without their memory."""

    def test_features_of_a_repeated_picture_are_those_of_copies(self):
        folder = runs.folder(self)
        mean = shapes.load(1, 16).images[0]
        still = np.broadcast_to(mean, (40, *mean.shape))
        copies = np.repeat(mean[None], 40, 0)
        network = weights.pretrained.lite0()
        found, expected = (
            features.extract(features.in_batches(table), network, folder)
            for table in (still, copies)
        )
        for key in features.KEPT:
            self.assertAllEqual(found[key], expected[key])
        self.assertLen(list(folder.glob("*.npz")), 2)  # 32 and 8 of them.


class DrawnTest(parameterized.TestCase, tf.test.TestCase):
    """Protocols are given what they judge."""

    @parameterized.parameters("round", "truncate", "none")
    def test_floats_are_rounded_only_where_the_protocol_says_so(self, rounding):
        floats = np.linspace(-1.0, 1.0, 48, dtype=np.float32)
        painter = mock.Mock()
        painter.generate.return_value = floats.reshape(1, 4, 4, 3)
        ruler = dataclasses.replace(OFFLINE, rounding=rounding)
        (later,) = judging.draw(painter, ["a"], 0, ruler)
        made = later.make().ravel()
        if rounding == "round":
            self.assertEqual(made.dtype, np.uint8)
            self.assertAllEqual(made, np.rint((floats + 1.0) * 127.5))
        else:
            self.assertAllEqual(made, floats)

    def test_kept_features_are_of_one_generator_one_noise_and_one_rule(self):
        ruler = dataclasses.replace(OFFLINE, rounding="none")
        keys = [
            later.key
            for seed, rule, about in (
                (0, OFFLINE, {"generator_digest": "1"}),
                (1, OFFLINE, {"generator_digest": "1"}),
                (0, ruler, {"generator_digest": "1"}),
                (0, OFFLINE, {"generator_digest": "2"}),
            )
            for later in judging.draw(None, ["a", "b"], seed, rule, about, 1)
        ]
        self.assertLen(set(keys), 8)


class JudgedTest(tf.test.TestCase):
    """A small run is judged by a protocol that draws captions in rounds."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = runs.folder(cls)
        runs.make(folder / "run")
        cls.found = trained.run(folder / "run")
        cls.config = cls.found.config
        cls.protocol = dataclasses.replace(
            OFFLINE, name="mine", label="mine", pictures=50
        )

    def judged(self, found=None, reference="train", **more):
        how = judging.How(
            seeds=1,
            most=12,
            reference=reference,
            network=eyes.Eye(),
            protocol=self.protocol,
            **more,
        )
        with mock.patch.object(wiring, "cache_dir", lambda: self.folder):
            rows = judging.judge(found or self.found, how)
            return {(row["candidate"], row["name"]): row for row in rows}

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)

    def test_real_pictures_are_judged_once_whatever_the_rounds(self):
        rows = np.array([3, 1, 3, 2, 1, 3])
        asked = asking.Asked(rows, [str(row) for row in rows], None)
        with mock.patch.object(asking, "asked", return_value=asked):
            found = self.judged()
        for name, count in (
            ("trained generator", 6),
            ("real test pictures", 3),
        ):
            card = found[name, "fid_mine"]["protocol"]
            self.assertEqual(card["counts"]["candidate"], count)

    def test_wrong_texts_are_of_other_classes_or_pictures(self):
        test = judging.parts(self.config, 12)[1]
        asked = asking.asked(test, self.found.reader, self.protocol, None)
        self.assertLen(asked.rows, 50)  # Each picture about four times.
        labels = judging._classes(test, asked, self.protocol)
        self.assertAllEqual(labels, test.labels[asked.rows])
        plain = dataclasses.replace(test, labels=np.full(12, -1, np.int32))
        others = judging._classes(plain, asked, self.protocol)
        self.assertAllEqual(others, asked.rows)
        self.assertIsNone(judging._classes(test, asked, OFFLINE))
        row = self.judged()["trained generator", "r_precision_mine_letters"]
        self.assertEqual(row["protocol"]["wrong_texts"], "of other classes")

    def test_map_is_fitted_on_training_pictures_whatever_is_compared_with(self):
        name = "r_precision_mine_letters"
        train = self.judged(beside=False)[judging.TRAINED, name]
        test = self.judged(beside=False, reference="test")
        row = test[judging.TRAINED, name]
        self.assertEqual(row["values"], train["values"])
        self.assertNotIn(("real training pictures", name), test)

    def test_recognisability_needs_nobody_to_be_compared_with(self):
        figures = {"figures": ("is",), "splits": 2, "reference": "test"}
        ruler = dataclasses.replace(self.protocol, **figures)
        how = judging.How(seeds=1, most=12, network=eyes.Eye(), protocol=ruler)
        with mock.patch.object(wiring, "cache_dir", lambda: self.folder):
            rows = [*judging.judge(self.found, how)]
            card = judging.wanted(self.found, how)
        row = next(r for r in rows if r["candidate"] == judging.TRAINED)
        self.assertEqual(row["name"], "is_mine")
        self.assertGreater(row["std"], 0.0)
        told = row["protocol"]
        self.assertEqual(told["reference"], "none")
        self.assertIsNone(told["counts"]["reference"])
        self.assertEqual({key: told.get(key) for key in card}, card)

    def test_what_is_not_finite_is_not_black(self):
        class Broken:
            text_encoder = self.found.painter.text_encoder
            generator = self.found.painter.generator

            def generate(self, captions, seeds):
                drawn = np.zeros((len(captions), 16, 16, 3), np.float32)
                drawn[1, 0, 0] = np.nan
                return drawn

        broken = self.found._replace(painter=Broken())
        with self.assertRaisesRegex(ValueError, "Picture 1 .* aren't finite"):
            self.judged(broken, beside=False)

    def test_readers_that_agree_take_the_place_of_a_map(self):
        pair = letters.pair()
        name = "r_precision_mine_letters"
        fitted = self.judged(reference="test")
        asked = self.judged(reference="test", matcher=pair)
        row = asked[judging.TRAINED, name]
        both = {"image": pair.image.digest, "text": pair.text.digest}
        self.assertEqual(row["protocol"]["matcher"], both)
        self.assertEqual(
            row["protocol"]["image_network"]["digest"], pair.image.digest
        )
        self.assertEqual(set(asked), set(fitted))
        for key, found in asked.items():
            if key[1] != name:
                self.assertEqual(found["value"], fitted[key]["value"], key)
        # By hand: their codes beside the sentences of the captions.
        test = judging.parts(self.config, 12)[1]
        own = asking.asked(test, self.found.reader, self.protocol, 12)
        drawn = self.found.painter.generate(own.captions, np.arange(12))
        codes = pair.image(judging._bytes(drawn))["code"]
        told = pair.text(tf.constant(own.captions))["sentence"]
        labels = test.labels[own.rows]
        expected, _ = r_precision.over_seeds(
            *(codes.numpy(), told.numpy(), (0, 1, 2)),
            candidates=row["protocol"]["candidates"],
            classes=labels,
        )
        self.assertAllClose(row["value"], expected)

    def test_captions_that_they_can_not_read_are_near_to_none(self):
        pair = letters.pair()
        told = judging.parts(self.config, 12)[1].captions[:, 0]
        lost = str(told[0])
        check = pair.text.check

        def picky(captions):
            check(captions)
            if lost in captions:
                raise ValueError("No known word.")

        with mock.patch.object(pair.text, "check", picky):
            how = judging.How(matcher=pair)
            test = judging.parts(self.config, 12)[1]
            found = judging._asked(test, self.found.reader, how)
        self.assertEqual(found.captions, told.tolist())
        is_lost = told == lost
        self.assertAllEqual(np.any(found.sentences, axis=1), ~is_lost)

    def test_model_that_reads_nothing_has_no_use_for_them(self):
        nobody = mock.patch.object(
            trained.Trained, "reader", property(lambda _: wiring.Nobody())
        )
        with nobody, self.assertRaisesRegex(ValueError, "model reads none"):
            self.judged(matcher=letters.pair())

    def test_what_they_said_is_measured_anew_for_others(self):
        cards = [
            judging.wanted(self.found, judging.How(most=12, matcher=matcher))
            for matcher in (None, letters.pair(), letters.pair(8))
        ]
        self.assertIsNone(cards[0]["matcher"])
        self.assertNotEqual(cards[1]["matcher"], cards[2]["matcher"])

    def coached(self, **changes):
        """Says that the generator pleased readers, not who looks now."""
        card = json.loads(json.dumps(self.found.card))
        card["recipe"]["loss_weights"]["fake_to_real"] = 0.2
        card["recipe"]["image"] = {"source": "letters", **changes}
        return self.found._replace(card=card)

    def test_coach_who_judges_is_told(self):
        found, name = self.coached(), "fid_mine"
        with self.assertWarnsRegex(UserWarning, r"'letters' .* side of DAMSM"):
            rows = self.judged(found, matcher=letters.pair())
        card = rows[judging.TRAINED, name]["protocol"]
        self.assertIn("letters", card["trained_with"])
        plain = self.judged()[judging.TRAINED, name]["protocol"]
        self.assertNotIn("trained_with", plain)
        self.assertEqual(protocols.differences(plain, card), [])

    def test_network_below_the_coach_is_told(self):
        pair, eye = letters.pair(), eyes.Eye()
        eye.name = "lite0"
        image = {"encoder": "lite0", "source": None}
        pair = pair._replace(card={"recipe": {"image": image}})
        with mock.patch.object(letters, "pair", return_value=pair):
            for name, is_told in (
                ("lite0", True),
                ("lite0_128", True),
                ("lite0_random", False),
                ("eye", False),
            ):
                eye.name = name
                how = judging.How(network=eye)
                taught = judging._taught(self.coached(), how)
                self.assertEqual(eye.digest in taught.values(), is_told, name)

    def test_network_below_the_captioner_is_told(self):
        eye = eyes.Eye()
        eye.name = "lite0"
        card = json.loads(json.dumps(self.found.card))
        card["recipe"]["loss_weights"]["recaptioning"] = 1.0
        how = judging.How(network=eye)
        for place, is_told in (
            ("openmoji_captioner", True),
            ("letters", False),
        ):
            card["recipe"]["captioner"] = {"source": place}
            taught = judging._taught(self.found._replace(card=card), how)
            self.assertEqual(eye.digest in taught.values(), is_told, place)

    def test_coach_that_is_gone_spoils_no_judgement(self):
        found, printed = self.coached(source="/nowhere/reader"), io.StringIO()
        with contextlib.redirect_stdout(printed):
            rows = self.judged(found, beside=False)
        self.assertIn(
            "in the generator's training loss is not known: '/now",
            printed.getvalue(),
        )
        self.assertIn((judging.TRAINED, "fid_mine"), rows)

    def test_copies_are_those_of_a_picture_looked_at_once(self):
        bench = mock.Mock()
        eye = eyes.Eye()
        bench.ruler.batch = None
        bench.read = lambda batches: features.extract(batches, eye)
        picture = shapes.load(1, 16).images[0]
        found = judging._copies(bench, picture, 40)
        self.assertEqual(eye.seen, 1)
        copies = features.extract([np.repeat(picture[None], 40, 0)], eye)
        for key, rows in found.items():
            self.assertAllClose(rows, copies[key], 1e-6, 1e-6)


class FiledTest(tf.test.TestCase):
    """Pictures in files are judged as those in memory."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = runs.folder(cls)
        cls.held = shapes.load(12, 16)
        prepared.write(
            cls.folder / "set", {"train": cls.held, "test": cls.held}
        )
        cls.filed = prepared.load(cls.folder / "set", "train")
        cls.config = runs.smoke()

    def test_they_are_decoded_in_the_batches_of_the_protocol(self):
        for size, counts in ((5, [5, 5, 2]), (None, [12])):
            found = [*judging.shown(self.config, self.filed, size)]
            self.assertEqual([later.count for later in found], counts)
            made = np.concatenate([later.make() for later in found])
            self.assertAllEqual(made, self.held.images)

    def test_whole_batches_of_them_are_judged(self):
        ruler = dataclasses.replace(OFFLINE, batch=5)
        figures = []
        for pictures in (self.held, self.filed):
            how = judging.How(protocol=ruler, network=eyes.Eye())
            bench = judging._judge(
                self.config, (pictures, pictures), letters.Letters(), how
            )
            own = asking.first_sentences(pictures, letters.Letters())[:10]
            shown = judging.shown(self.config, pictures, 5)
            rows = [*bench.pictures("same", {0: shown}, own)]
            self.assertEqual(
                rows[0]["protocol"]["counts"],
                {"reference": 10, "candidate": 10},
            )
            figures.append({row["name"]: row["value"] for row in rows})
        self.assertIn("r_precision_eye_letters", figures[0])
        self.assertAllClose(*figures, atol=1e-3)

    def test_less_than_a_batch_of_real_ones_is_refused(self):
        ruler = dataclasses.replace(OFFLINE, batch=13)
        how = judging.How(protocol=ruler, network=eyes.Eye())
        both = self.held, self.filed
        with self.assertRaisesRegex(ValueError, "of 13 pictures; 12 do not"):
            judging._judge(self.config, both, letters.Letters(), how)


if __name__ == "__main__":
    tf.test.main()
