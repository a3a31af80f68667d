"""Examines the judge: its rows, its cards, its order of candidates."""

import dataclasses
import json
import os
import pathlib
import tempfile

import numpy as np
import tensorflow as tf

from keras_t2i.metrics import (
    evaluator,
    features,
    inception_score,
    protocols,
    r_precision,
    statistics,
    subsamples,
)
from keras_t2i.ops import noise

WIDTH, COUNT, TESTS = 8, 600, 24


class Network:
    """Answers four numbers a picture."""

    name, digest, resize = "toy", "toy 1", "none"

    def __call__(self, images):
        means = tf.reduce_mean(images, axis=(1, 2))
        top = tf.reduce_mean(images[:, : WIDTH // 2], axis=(1, 2, 3))[:, None]
        vectors = tf.concat([means, top], 1)
        return {"pooled": vectors, "logits": 5.0 * vectors}


class Eyes:
    """The picture side of readers that agree: codes are mean colours."""

    name = "eyes"

    def __init__(self, digest="eyes 1", scale=1.0):
        self.digest, self.scale, self.seen = digest, scale, 0

    def __call__(self, images):
        self.seen += len(images)
        return {"code": self.scale * tf.reduce_mean(images, axis=(1, 2))}


class Text:
    """Stands for whatever made the sentence vectors."""

    name, digest = "words", "words 1"


def world(count, seed):
    """Draws pictures of plain colour, whose sentence is that colour."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, (count, 1, 1, 3))
    images = np.broadcast_to(colours, (count, WIDTH, WIDTH, 3))
    noise = rng.integers(-8, 9, images.shape)
    images = np.clip(images + noise, 0, 255).astype(np.uint8)
    return images, colours.reshape(count, 3) / 127.5 - 1.0


def batches(images):
    """Streams pictures."""
    return features.in_batches(images, 100)


def judge(cache=None):
    """Makes a judge of the toy world."""
    images, sentences = world(COUNT, 0)
    protocol = {"data": "toy", "split": {"reference": "train"}}
    return evaluator.Judge(
        batches(images), sentences, Network(), Text(), protocol, cache
    )


class PicturesTest(tf.test.TestCase):
    """Rows on pictures of given texts."""

    def setUp(self):
        super().setUp()
        self.judge = judge()
        self.images, self.texts = world(TESTS, 1)

    def rows(self, candidate, *streams, **about):
        streams = {seed: batches(x) for seed, x in enumerate(streams)}
        found = self.judge.pictures(candidate, streams, self.texts, **about)
        return {row["name"]: row for row in found}

    def flat(self, pictures):
        return self.rows("mean", pictures, may_be_alike=True)

    def test_copies_of_one_picture_are_refused_unless_meant(self):
        alike = np.repeat(self.images[:1], TESTS, 0)
        with self.assertRaisesRegex(ValueError, "'x' are all alike"):
            self.rows("x", alike)
        self.assertTrue(self.flat(alike)["fid_toy"]["protocol"]["alike"])
        card = self.rows("x", self.images)["fid_toy"]["protocol"]
        self.assertNotIn("alike", card)
        with self.assertRaisesRegex(ValueError, "The real pictures are all al"):
            evaluator.Judge([alike], None, Network(), None, {})

    def test_names_carry_the_networks(self):
        rows = self.rows("real", self.images)
        names = ["fid", "kid", "is", "precision", "recall", "density"]
        names = [f"{name}_toy" for name in [*names, "coverage"]]
        self.assertEqual(list(rows), [*names, "r_precision_toy_words"])

    def test_good_pictures_beat_bad_ones(self):
        mean = np.rint(world(COUNT, 0)[0].mean(axis=0)).astype(np.uint8)
        mean = np.broadcast_to(mean, self.images.shape)
        real, flat = self.rows("real", self.images), self.flat(mean)
        for name in ("fid_toy", "kid_toy"):
            self.assertLess(real[name]["value"], flat[name]["value"])
        for name in ("is_toy", "r_precision_toy_words"):
            self.assertGreater(real[name]["value"], flat[name]["value"])
        self.assertAllClose(flat["is_toy"]["value"], 1.0)
        # All pictures alike: one text of 24 is nearest to all of them.
        self.assertLess(flat["r_precision_toy_words"]["value"], 3 / TESTS)

    def test_seeds_are_averaged_and_spread_is_told(self):
        other, _ = world(TESTS, 2)
        rows = self.rows("made", self.images, other, self.images)
        alone = [self.rows("x", x) for x in (self.images, other, self.images)]
        for name in ("fid_toy", "kid_toy", "is_toy"):
            values = [x[name]["value"] for x in alone]
            self.assertAllClose(rows[name]["values"], values)
            self.assertAllClose(rows[name]["value"], sum(values) / 3)
            middle = sum(values) / 3
            variance = sum((v - middle) ** 2 for v in values) / 2
            self.assertAllClose(rows[name]["std"], variance**0.5)
            low, high = rows[name]["interval"]
            self.assertAllClose(low + high, 2 * middle)
            self.assertGreaterEqual(high - low, 5.99 * variance**0.5)

    def test_interval_is_never_narrower_than_rounding(self):
        rows = self.rows("real", self.images)
        for name, half in (
            ("fid_toy", 0.01 * rows["fid_toy"]["value"]),
            ("kid_toy", 0.002),
            ("is_toy", 0.01 * rows["is_toy"]["value"]),
        ):
            value = rows[name]["value"]
            self.assertAllClose(
                rows[name]["interval"], [value - half, value + half]
            )

    def test_card_says_how(self):
        row = self.rows("made", self.images, self.images, moves=7)["fid_toy"]
        card = row["protocol"]
        self.assertEqual(row["candidate"], "made")
        self.assertEqual(
            card["image_network"],
            {"name": "toy", "digest": "toy 1", "resize": "none"},
        )
        self.assertEqual(
            card["counts"], {"reference": COUNT, "candidate": TESTS}
        )
        self.assertEqual(card["seeds"], [0, 1])
        self.assertEqual((card["data"], card["moves"]), ("toy", 7))
        self.assertCountEqual(
            card["versions"],
            ["tensorflow", "keras", "tensorflow-gan", "keras_t2i"],
        )
        row = self.rows("made", self.images)["r_precision_toy_words"]
        self.assertEqual(row["protocol"]["candidates"], TESTS)
        self.assertEqual(row["protocol"]["text_network"]["digest"], "words 1")

    def test_every_text_needs_a_picture(self):
        with self.assertRaisesRegex(ValueError, "'few' has 23 .* 24 texts"):
            self.rows("few", self.images[:-1])

    def test_without_texts_nothing_is_said_of_them(self):
        images, _ = world(COUNT, 0)
        plain = evaluator.Judge(batches(images), None, Network(), None, {})
        streams = {0: batches(self.images), 1: batches(self.images[::-1])}
        rows = list(plain.pictures("real", streams, None))
        found = self.rows("real", self.images)
        self.assertLen(rows, 7)
        for row in rows:
            values = [found[row["name"]]["value"]] * 2
            self.assertAllClose(row["values"], values, rtol=1e-4)
            counts = row["protocol"]["counts"]
            self.assertEqual(counts["candidate"], TESTS)
        streams = {0: batches(self.images), 1: batches(self.images[:-1])}
        with self.assertRaisesRegex(ValueError, "'real' has 23 pictures"):
            list(plain.pictures("real", streams, None))

    def test_reference_is_kept(self):
        with tempfile.TemporaryDirectory() as folder:
            first, again = judge(folder), judge(folder)
            self.assertLen(os.listdir(folder), COUNT // 100)
        self.assertAllEqual(first.reference, again.reference)


class RulerTest(tf.test.TestCase):
    """Judges follow protocols, and measure no more than they ask for."""

    def setUp(self):
        super().setUp()
        self.real, self.sentences = world(COUNT, 0)
        self.images, self.texts = world(TESTS, 1)

    def judge(self, reference=None, sentences=None, ruler=None, **more):
        if ruler is not None:
            settings = {"name": "mine", "label": "mine", "batch": None}
            offline = protocols.PRESETS["offline"]
            ruler = dataclasses.replace(offline, **settings | ruler)
            more["ruler"] = ruler
        if reference is None:
            reference = batches(self.real)
        return evaluator.Judge(
            reference, sentences, Network(), Text(), {}, **more
        )

    def rows(self, judge, images=None, texts=None, classes=None):
        images = self.images if images is None else images
        seen = {0: judge.read(batches(images))}
        found = judge.figures("made", seen, texts, classes)
        return {row["name"]: row for row in found}

    def test_figures_carry_the_protocols_label(self):
        ruler = {"figures": ("kid", "r_precision")}
        judge = self.judge(sentences=self.sentences, ruler=ruler)
        rows = self.rows(judge, texts=self.texts)
        self.assertEqual(list(rows), ["kid_mine", "r_precision_mine_words"])
        card = rows["kid_mine"]["protocol"]
        self.assertEqual((card["preset"], card["rounding"]), ("mine", "round"))

    def test_own_moments_give_what_tfgan_gives(self):
        rows, fast = (self.rows(self.judge(fast=x)) for x in (False, True))
        for name, row in rows.items():
            # The toy's features nearly depend on each other; TF-GAN takes no
            # root of what is below 1e-10, which is 1e-5 each.
            self.assertAllClose(
                fast[name]["value"], row["value"], rtol=1e-6, atol=2e-5
            )

    def test_scores_in_parts_are_of_shuffled_rows_without_the_background(self):
        judge = self.judge(ruler={"splits": 4, "skipped": 1})
        logits = np.asarray(judge.read(batches(self.images))["logits"])[:, 1:]
        row = self.rows(judge)["is_mine"]
        # Whatever the order, each part is as surely recognised as the whole.
        self.assertBetween(row["value"], 1.0, logits.shape[1])
        order = noise.permutation(noise.key(0, salt="inception score"), TESTS)
        parts = np.split(logits[order.numpy()], 4)
        scores = []
        for part in parts:
            shares = np.exp(part) / np.exp(part).sum(1, keepdims=True)
            mean = shares.mean(0)
            scores.append(
                np.exp((shares * np.log(shares / mean)).sum(1).mean())
            )
        self.assertAllClose(row["value"], np.mean(scores), 1e-4)
        few = self.rows(judge, self.images[:7])
        self.assertNotIn("is_mine", few)  # A part would be of one picture.

    def test_intervals_lie_about_the_mean_of_all_noises(self):
        judge = self.judge(sampling=True)
        seen = {x: judge.read(batches(world(40, 5 + x)[0])) for x in range(3)}
        for row in judge.figures("made", seen, None):
            if row["sampling"]:
                ends = row["sampling"]["low"], row["sampling"]["high"]
                self.assertAllClose(sum(ends) / 2, row["value"])

    def test_scores_parts_are_the_spread_of_one_seed(self):
        judge = self.judge(ruler={"splits": 4, "figures": ("is",)})
        row = self.rows(judge)["is_mine"]
        logits = judge.read(batches(self.images))["logits"]
        order = noise.permutation(noise.key(0, salt="inception score"), TESTS)
        parts = inception_score.of_logits(logits[order.numpy()], 4)
        self.assertAllClose(row["value"], parts.mean())
        self.assertAllClose(row["std"], parts.std())
        self.assertEqual(row["values"], [row["value"]])

    def test_missing_figures_are_named_and_cost_no_other(self):
        reference = batches(world(11_000, 0)[0])  # Six blocks: 12 rows.
        judge = self.judge(reference)
        rows = self.rows(judge, self.images[:11])
        kinds = {name.removesuffix("_toy") for name in rows}
        lacking = judge.lacking(11)
        self.assertEqual(
            kinds | set(lacking), set(protocols.PRESETS["offline"].figures)
        )
        self.assertEqual(
            lacking,
            {
                "kid": "it needs 12 pictures, not 11",
                "r_precision": "there are no captions of real pictures",
            },
        )
        self.assertNotIn("kid", judge.lacking(12))
        self.assertIn("kid_toy", self.rows(judge, self.images[:12]))
        few = self.judge(batches(self.real[:5]))
        self.assertEqual(
            few.lacking(24)["precision"], "it needs 6 real pictures, not 5"
        )
        self.assertNotIn("coverage_toy", self.rows(few))

    def test_only_protocols_that_compare_need_real_pictures(self):
        network = Network(), None, {}
        with self.assertRaisesRegex(ValueError, "offline compares with real"):
            evaluator.Judge(None, None, *network)
        ruler = protocols.preset("cub_is")
        alone = evaluator.Judge(None, None, *network, ruler=ruler)
        images = np.concatenate([self.images] * 3)[:64]
        found = alone.figures("x", {0: alone.read(batches(images))}, None)
        (row,) = found
        self.assertEqual(row["name"], "is_cub")
        self.assertIsNone(row["protocol"]["counts"]["reference"])

    def test_map_may_be_fitted_on_other_pictures_than_are_compared_with(self):
        others, _ = world(COUNT, 5)
        judge = self.judge(
            batches(others),
            sentences=self.sentences,
            training=batches(self.real),
        )
        same = self.judge(sentences=self.sentences)
        self.assertAllEqual(judge.training, same.reference)
        self.assertAllEqual(same.training, same.reference)
        name = "r_precision_toy_words"
        found, expected = (
            self.rows(each, texts=self.texts) for each in (judge, same)
        )
        self.assertEqual(found[name]["values"], expected[name]["values"])
        self.assertNotEqual(
            found["fid_toy"]["value"], expected["fid_toy"]["value"]
        )

    def test_halves_too_small_for_blocks_give_no_interval(self):
        reference = batches(world(11_000, 0)[0])  # Six blocks: 12 rows.
        judge = self.judge(reference, sampling=True)
        row = self.rows(judge, self.images[:22])["kid_toy"]
        self.assertIsNone(row["sampling"])
        more = self.rows(judge, world(30, 1)[0])["kid_toy"]
        self.assertLess(more["sampling"]["low"], more["sampling"]["high"])

    def test_readers_that_share_a_place_need_no_map(self):
        class Shared:
            """Mean colours of pictures are what texts tell."""

            def pictures(self, rows):
                return rows[:, :3]

            def texts(self, sentences):
                return sentences

        name = "r_precision_toy_words"
        judge = self.judge(matcher=Shared())
        self.assertGreater(
            self.rows(judge, texts=self.texts)[name]["value"], 0.6
        )
        wrong = self.rows(judge, texts=self.texts[::-1])[name]["value"]
        self.assertLess(wrong, 0.3)

    def test_readers_look_at_pictures_themselves(self):
        eyes = Eyes()
        judge = self.judge(matcher=r_precision.Readers(eyes))
        self.assertEqual(eyes.seen, 0)  # The real ones need no codes.
        seen = judge.read(batches(self.images))
        self.assertEqual(set(seen), {"pooled", "logits", "code"})
        for found, expected in zip(
            judge.vectors(seen, self.texts),
            (seen["code"], self.texts),
            strict=True,
        ):
            self.assertAllEqual(found, expected)
        name = "r_precision_eyes_words"
        rows = self.rows(judge, texts=self.texts)
        self.assertGreater(rows[name]["value"], 0.6)
        wrong = self.rows(judge, texts=self.texts[::-1])[name]["value"]
        self.assertLess(wrong, 0.3)
        plain = self.rows(self.judge(sentences=self.sentences))
        for other, row in plain.items():
            self.assertEqual(row["value"], rows[other]["value"], other)

    def test_cards_tell_the_readers(self):
        judge = self.judge(matcher=r_precision.Readers(Eyes()))
        rows = self.rows(judge, texts=self.texts)
        card = rows["r_precision_eyes_words"]["protocol"]
        told = {"name": "eyes", "digest": "eyes 1"}
        self.assertEqual(card["image_network"], told)
        self.assertEqual(card["text_network"]["digest"], Text.digest)
        both = {"image": "eyes 1", "text": Text.digest}
        for row in rows.values():
            self.assertEqual(row["protocol"]["matcher"], both)
        card = rows["fid_toy"]["protocol"]
        self.assertEqual(card["image_network"]["name"], "toy")
        judge = self.judge(matcher=r_precision.Readers(Eyes()), ruler={})
        rows = self.rows(judge, texts=self.texts)
        self.assertIn("r_precision_mine_words", rows)

    def test_what_readers_said_is_not_taken_for_what_others_said(self):
        with tempfile.TemporaryDirectory() as folder:
            found = [
                judge.read(batches(self.images), folder)
                for judge in (
                    self.judge(sentences=self.sentences),
                    self.judge(matcher=r_precision.Readers(Eyes())),
                    self.judge(matcher=r_precision.Readers(Eyes("eyes 2", 2))),
                )
            ]
        self.assertNotIn("code", found[0])
        self.assertAllEqual(2.0 * found[1]["code"], found[2]["code"])
        for other in found[1:]:
            self.assertAllEqual(found[0]["pooled"], other["pooled"])

    def test_readers_of_the_training_loss_are_warned_of(self):
        with self.assertWarnsRegex(UserWarning, "'eyes' was in the generator"):
            judge = self.judge(
                matcher=r_precision.Readers(Eyes()),
                trained_with={"image side": "eyes 1"},
            )
        card = self.rows(judge, texts=self.texts)["fid_toy"]["protocol"]
        self.assertEqual(card["trained_with"], ["eyes"])

    def test_single_class_leaves_retrieval_out(self):
        judge = self.judge(sentences=self.sentences)
        rows = self.rows(judge, texts=self.texts, classes=np.zeros(TESTS, int))
        self.assertIn("fid_toy", rows)
        self.assertNotIn("r_precision_toy_words", rows)

    def test_intervals_hold_what_other_pictures_give(self):
        rows = self.rows(self.judge(sampling=True), world(200, 3)[0])
        inside = 0
        for seed in range(4, 14):
            value = self.rows(self.judge(), world(200, seed)[0])
            sampling = rows["is_toy"]["sampling"]
            value = value["is_toy"]["value"]
            # Both vary: theirs lie within twice the half of the interval.
            half = (sampling["high"] - sampling["low"]) / 2
            inside += abs(value - rows["is_toy"]["value"]) <= 2 * half
        self.assertGreaterEqual(inside, 8)
        for name in ("fid_toy", "kid_toy"):
            sampling = rows[name]["sampling"]
            self.assertLess(sampling["low"], rows[name]["value"])
            self.assertGreater(sampling["high"], rows[name]["value"])
        self.assertNotIn("fid_infinity_toy", rows)  # Of 200 pictures.
        few = self.rows(self.judge(sampling=True), self.images[:19])
        self.assertIsNone(few["fid_toy"]["sampling"])

    def test_distance_for_endlessly_many_is_told_of_a_thousand(self):
        images, _ = world(1000, 3)
        judge = self.judge(sampling=True, fast=True)
        rows = self.rows(judge, images)
        found = subsamples.fid_infinity(
            judge.statistics.moments,
            judge.read(batches(images))["pooled"],
            least=166,  # A sixth.
        )
        limit = rows["fid_infinity_toy"]["value"]
        self.assertAllClose(limit, found.value, 1e-6)
        self.assertNotAllClose(limit, rows["fid_toy"]["value"], 1e-6)
        few = self.rows(judge, images[:999])
        self.assertNotIn("fid_infinity_toy", few)

    def test_wrong_texts_may_be_of_other_classes_only(self):
        judge = self.judge(sentences=self.sentences)
        # Each picture has a twin with the very same text.
        images = np.concatenate([self.images, self.images])
        texts = np.concatenate([self.texts, self.texts])
        classes = np.tile(np.arange(TESTS), 2)
        name = "r_precision_toy_words"
        hard = self.rows(judge, images, texts)[name]
        fair = self.rows(judge, images, texts, classes)
        self.assertGreater(fair[name]["value"], hard["value"] + 0.1)
        card = fair[name]["protocol"]
        self.assertEqual(card["wrong_texts"], "of other classes")

    def test_statistics_stand_for_pictures(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "real.npz")
            first = self.judge()
            first.statistics.save(path)
            again = self.judge(statistics.load(path))
            rows = self.rows(first)
            for name, row in self.rows(again).items():
                self.assertEqual(row["value"], rows[name]["value"])
                self.assertEqual(row["protocol"], rows[name]["protocol"])
            bare = dataclasses.replace(first.statistics, features=None)
            bare.save(path)
            small = self.rows(self.judge(statistics.load(path)))
            self.assertEqual(list(small), ["fid_toy", "is_toy"])
            self.assertAllClose(
                small["fid_toy"]["value"], rows["fid_toy"]["value"], atol=2e-5
            )
            mean, covariance = first.statistics.moments.mean, np.eye(4)
            np.savez(path, mu=mean, sigma=covariance)
            row = self.rows(self.judge(statistics.load(path)))["fid_toy"]
            self.assertLen(row["protocol"]["statistics"], 64)
            self.assertIsNone(row["protocol"]["counts"]["reference"])

    def test_judge_of_the_training_loss_is_warned_of(self):
        with self.assertWarnsRegex(UserWarning, "'toy' was in the generator"):
            judge = self.judge(trained_with={"damsm": Network.digest})
        card = self.rows(judge)["fid_toy"]["protocol"]
        self.assertEqual(card["trained_with"], ["toy"])
        card = self.rows(self.judge(trained_with={"other": "x"}))["fid_toy"]
        self.assertNotIn("trained_with", card["protocol"])

    def test_figures_of_no_weights_say_so(self):
        network = Network()
        network.name = "toy_random"
        judge = evaluator.Judge(
            batches(self.real),
            None,
            network,
            None,
            {},
            ruler=protocols.preset("xmc"),
        )
        self.assertEqual(
            list(self.rows(judge)), ["fid_xmc_random", "is_xmc_random"]
        )

    def test_statistics_of_another_network_are_refused(self):
        first = self.judge()
        other = dict(first.statistics.card)
        other["image_network"] = {"name": "other"}
        made = statistics.Statistics.of(first.reference, other)
        with self.assertRaisesRegex(ValueError, "made by .*'other'.*'toy'"):
            self.judge(made)


class PromptsTest(tf.test.TestCase):
    """Rows on what a generator draws when asked."""

    def test_noise_that_changes_brightness_is_seen(self):
        def generate(captions, seeds):
            grey = 20 * np.asarray(seeds)[:, None, None, None]
            shape = (len(captions), WIDTH, WIDTH, 3)
            return np.broadcast_to(grey, shape).astype("uint8")

        rows = judge().prompts("made", generate, ["a", "b"], moves=7)
        rows = {row["name"]: row for row in rows}
        self.assertCountEqual(
            rows, ["colour_truth", "diversity_pixels", "diversity_toy"]
        )
        # Grey levels 0, 20, 40, 60: mean of 20, 40, 60, 20, 40, 20.
        self.assertAllClose(rows["diversity_pixels"]["value"], 200 / 6)
        # All four features move alike, by 1 / 127.5 a grey level.
        self.assertAllClose(rows["diversity_toy"]["value"], 200 / 6 / 127.5)
        self.assertEqual(rows["colour_truth"]["value"], 0.0)
        self.assertEqual(rows["colour_truth"]["protocol"]["moves"], 7)
        names = [
            row["name"]
            for row in judge().prompts("made", generate, ["a"], truth=False)
        ]
        self.assertEqual(names, ["diversity_pixels", "diversity_toy"])

    def test_real_pictures_are_asked_what_their_captions_say(self):
        images = np.full((2, 4, 4, 3), (210, 47, 39), np.uint8)
        ours = judge()
        captions = [["red square"], ["blue square"]]
        (row,) = ours.real_colours("real", images, captions)
        self.assertEqual((row["name"], row["value"]), ("colour_truth", 0.5))
        self.assertEqual(row["protocol"]["counts"], {"captions": 2})
        self.assertEmpty(list(ours.real_colours("real", images, [["x"]] * 2)))


class RowsTest(tf.test.TestCase):
    """Rows are written, read by people, and confirmed or not."""

    def row(self, value, std=0.0, **more):
        return {
            "candidate": "made",
            "name": "kid_toy",
            "value": value,
            "values": [value],
            "std": std,
            "interval": [value - 0.5, value + 0.5],
            **more,
        }

    def test_repetition_must_fall_into_the_interval(self):
        claim = self.row(2.0)
        for value, right in ((2.0, True), (1.5, True), (2.51, False)):
            self.assertEqual(evaluator.holds(claim, self.row(value)), right)

    def test_rows_of_a_judge_survive_json(self):
        images, texts = world(TESTS, 1)
        rows = list(judge().pictures("real", {0: batches(images)}, texts))
        self.assertEqual(json.loads(json.dumps(rows)), rows)

    def test_table_for_people(self):
        rows = [
            self.row(0.123456, std=0.0234, values=[0.1, 0.146912]),
            self.row(7.0, name="is_toy"),
            self.row(0.5, candidate="real", std=0.1),  # Over draws of texts.
        ]
        self.assertEqual(
            evaluator.table(rows).splitlines(),
            [
                "|  | kid_toy | is_toy |",
                "| --- | --- | --- |",
                "| made | 0.1235 ± 0.023 | 7 |",
                "| real | 0.5 | - |",
            ],
        )


if __name__ == "__main__":
    tf.test.main()
