"""Examines semantic object accuracy with pictures that are counts."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.metrics import soa, soa_phrases

# One caption that names each of these and nothing else.
ALONE = {
    "cat": "a cat sleeps",
    "zebra": "two zebras graze",
    "tv": "a tv set",
    "stop sign": "Stop sign",
    "person": "the man sits",
}


def generate(captions, seeds):
    """Writes caption and seed into a picture's pixels, as numbers."""
    known = sorted(set(ALONE.values()))
    pictures = np.zeros((len(captions), 1, 1, 3), np.uint8)
    for picture, caption, seed in zip(pictures, captions, seeds, strict=True):
        picture[0, 0] = known.index(caption), seed % 251, seed % 7
    return pictures


def perfect(pictures):
    """Reads the caption's label from the pixels."""
    named = {caption: label for label, caption in ALONE.items()}
    known = sorted(named)
    return [{named[known[number]]} for number in pictures[:, 0, 0, 0]]


class CaptionsTest(parameterized.TestCase, tf.test.TestCase):
    """Which captions name which labels."""

    @parameterized.parameters(
        ("A cat on a mat", ["cat"]),
        ("A cat.", []),
        ("TWO CATS play", ["cat"]),
        ("a man eats a sandwich now", ["person", "sandwich"]),
        ("a woman rides a bike home", ["person", "bicycle"]),
        ("a dirt bike stands", ["motorcycle"]),
        ("a motorcycle stands", []),
        ("a train car window is open", ["train"]),
        ("a red car stands", ["car"]),
        ("a dog and a hot dog now", []),
        ("a dog and a hot dog", ["dog"]),
        ("he eats a hot dog", ["hot dog"]),
        ("a teddy bear sits", ["teddy bear"]),
        ("a brown bear sits", ["bear"]),
        ("chairs around a table there", ["dining table"]),
        ("two chairs there", ["chair"]),
        ("an apple laptop there", ["laptop"]),
        ("at a stop sign", ["stop sign"]),
        ("a microwave oven there", ["microwave"]),
        ("nothing at all", []),
    )
    def test_captions_by_hand(self, caption, labels):
        found = soa.captions_by_label([caption, ALONE["zebra"]])
        named = [label for label, rows in found.items() if 0 in rows]
        self.assertCountEqual(named, labels)
        self.assertIn(1, found["zebra"])

    def test_all_labels_of_coco_are_there(self):
        self.assertLen(soa.LABELS, 80)
        self.assertLen(set(soa.LABELS), 80)
        self.assertEqual(soa.LABELS[0], "person")
        self.assertEqual(soa.LABELS[-1], "toothbrush")
        self.assertEqual(soa.LABELS[40], "wine glass")
        self.assertContainsSubset(soa_phrases.OTHER_NAMES.values(), soa.LABELS)

    def test_phrases_can_be_found_and_do_not_rule_themselves_out(self):
        for label, (chosen, ruled_out) in soa_phrases.PUBLISHED.items():
            self.assertNotEmpty(chosen)
            for phrase in chosen + ruled_out:
                self.assertEqual(phrase, phrase.lower())
                self.assertNotEmpty(phrase.strip())
            for phrase in chosen:
                self.assertFalse(
                    any(other in phrase for other in ruled_out), label
                )

    def test_rows_are_told_in_order(self):
        captions = ["a cat sits", "a dog sits", "cats sit", "the cat sits"]
        found = soa.captions_by_label(captions)
        self.assertEqual(list(found), ["cat", "dog"])
        self.assertAllEqual(found["cat"], [0, 2, 3])

    def test_own_phrases_are_taken(self):
        phrases = {"cat": (("kitty",), ("hello kitty",))}
        captions = ["a kitty", "hello kitty", "a cat sits"]
        found = soa.captions_by_label(captions, phrases)
        self.assertEqual({k: list(v) for k, v in found.items()}, {"cat": [0]})

    def test_captions_without_labels_give_a_sentence(self):
        with self.assertRaisesRegex(ValueError, "None of 2 captions names"):
            soa.captions_by_label(["sky", "sea"])
        with self.assertRaisesRegex(ValueError, "'kat'.*mean 'cat'"):
            soa.captions_by_label(["sky"], {"kat": (("sky",), ())})


class AccuracyTest(parameterized.TestCase, tf.test.TestCase):
    """The averages."""

    def test_averages_by_hand(self):
        found = {"cat": [1, 0, 0, 0], "dog": [1], "tv": [1, 1, 0], "cup": []}
        value = soa.accuracy(found)
        self.assertAllClose(value.classes, (1 / 4 + 1 + 2 / 3) / 3)
        self.assertAllClose(value.images, 4 / 8)
        self.assertEqual(value.counts, {"cat": 4, "dog": 1, "tv": 3})
        self.assertLen(value.missing, 77)
        self.assertIn("cup", value.missing)
        # Fewest first: dog | tv, cat.
        self.assertAllClose(value.bottom, 1.0)
        self.assertAllClose(value.top, (1 / 4 + 2 / 3) / 2)

    def test_full_set_equals_the_published_sums(self):
        draws = np.random.default_rng(0)
        found = {
            label: draws.random(draws.integers(1, 99)) < draws.random()
            for label in soa.LABELS
        }
        value = soa.accuracy(found)
        hits = sum(sum(seen) for seen in found.values())
        pictures = sum(len(seen) for seen in found.values())
        self.assertAllClose(value.images, hits / pictures)
        by_count = sorted(found, key=lambda label: len(found[label]))
        share = {
            label: sum(found[label]) / len(found[label]) for label in found
        }
        self.assertAllClose(value.classes, sum(share.values()) / 80)
        self.assertAllClose(
            value.bottom, sum(share[label] for label in by_count[:40]) / 40
        )
        self.assertAllClose(
            value.top, sum(share[label] for label in by_count[40:]) / 40
        )
        self.assertEqual(value.missing, ())

    def test_order_of_labels_and_pictures_does_not_count(self):
        found = {"cat": [1, 0, 0], "tv": [1, 1], "cup": [0, 1, 0, 1]}
        turned = {label: seen[::-1] for label, seen in reversed(found.items())}
        self.assertEqual(soa.accuracy(found), soa.accuracy(turned))

    def test_other_names_of_labels_are_known(self):
        value = soa.accuracy({"sofa": [1], "tvmonitor": [0]})
        self.assertEqual(value.by_label, {"couch": 1.0, "tv": 0.0})

    def test_single_label_has_no_halves(self):
        value = soa.accuracy({"cat": [1, 0]})
        self.assertEqual((value.classes, value.images), (0.5, 0.5))
        self.assertEqual((value.top, value.bottom), (None, None))

    def test_nothing_to_average_gives_a_sentence(self):
        with self.assertRaisesRegex(ValueError, "got none"):
            soa.accuracy({"cat": []})
        with self.assertRaisesRegex(ValueError, "'unicorn' is none of COCO's"):
            soa.accuracy({"unicorn": [1]})


class MeasureTest(parameterized.TestCase, tf.test.TestCase):
    """The protocol, with a detector that knows and some that do not."""

    def setUp(self):
        super().setUp()
        self.captions = [*ALONE.values(), ALONE["cat"], ALONE["person"]]

    def test_perfect_judge_finds_everything(self):
        value = soa.measure(generate, self.captions, perfect)
        self.assertEqual((value.classes, value.images), (1.0, 1.0))
        # Three of each caption, one of persons'.
        self.assertEqual(
            value.counts,
            {"person": 2, "cat": 6, "zebra": 3, "stop sign": 3, "tv": 3},
        )

    def test_blind_judge_finds_nothing(self):
        value = soa.measure(
            generate, self.captions, lambda pictures: [()] * len(pictures)
        )
        self.assertEqual((value.classes, value.images), (0.0, 0.0))

    def test_judge_who_tosses_a_coin_finds_half(self):
        coin = np.random.default_rng(0)

        def toss(pictures):
            return [
                {label for label in ALONE if coin.random() < 0.5}
                for _ in pictures
            ]

        value = soa.measure(generate, self.captions * 200, toss)
        self.assertAllClose(value.classes, 0.5, atol=0.03)
        self.assertAllClose(value.images, 0.5, atol=0.03)

    @parameterized.parameters(1, 4, 1000)
    def test_batches_change_nothing(self, size):
        def odd(pictures):
            return [
                {"cat", "zebra"} if number % 2 else {"person"}
                for number in pictures[:, 0, 0, 1]
            ]

        whole = soa.measure(generate, self.captions, odd)
        parts = soa.measure(generate, self.captions, odd, batch_size=size)
        self.assertEqual(whole, parts)
        self.assertBetween(whole.images, 0.1, 0.9)

    def test_every_picture_has_its_own_noise(self):
        seeds = []

        def listen(captions, noises):
            seeds.extend(noises)
            return generate(captions, noises)

        soa.measure(listen, self.captions, perfect, seed=40)
        self.assertEqual(seeds, list(range(40, 40 + 17)))

    def test_broken_run_goes_on_with_the_other_labels(self):
        def odd(pictures):
            return [
                {"cat", "tv"} if n % 2 else () for n in pictures[:, 0, 0, 1]
            ]

        def run(*labels):
            told = dict(labels=labels) if labels else {}
            found = soa.found_by_label(generate, self.captions, odd, **told)
            return {label: list(seen) for label, seen in found}

        whole = run()
        self.assertEqual(
            whole, run("person", "cat") | run("tv", "zebra", "stop sign")
        )

    def test_persons_are_drawn_without_replacement(self):
        captions = [f"person {i} sits" for i in range(50)]
        asked = []

        def draw(texts, seeds):
            asked.extend(texts)
            return np.zeros((len(texts), 1, 1, 3), np.uint8)

        def measured(**others):
            asked.clear()
            value = soa.measure(
                draw, captions, lambda x: [()] * len(x), **others
            )
            return value.counts["person"], list(asked)

        count, first = measured(persons=20)
        self.assertEqual(count, 20)
        self.assertLen(set(first), 20)
        self.assertEqual(measured(persons=20)[1], first)
        self.assertNotEqual(measured(persons=20, seed=1)[1], first)
        self.assertEqual(measured()[0], 50)  # All, there are no 30,000.

    @parameterized.named_parameters(
        ("few", lambda x: [()], "answered 1 times for 2"),
        ("string", lambda x: ["cat"] * len(x), "the string 'cat'"),
        ("stranger", lambda x: [{"kite "}] * len(x), "mean 'kite'"),
    )
    def test_bad_detector_gives_a_sentence(self, detector, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            soa.measure(generate, self.captions, detector)

    def test_bad_generator_gives_a_sentence(self):
        def short(captions, seeds):
            return generate(captions, seeds)[1:]

        with self.assertRaisesRegex(ValueError, "1 pictures for 2 captions"):
            soa.measure(short, self.captions, perfect)

        def floats(captions, seeds):
            return generate(captions, seeds) / 255.0

        with self.assertRaisesRegex(ValueError, "uint8; .* float64"):
            soa.measure(floats, self.captions, perfect)


class ApproximateTest(parameterized.TestCase, tf.test.TestCase):
    """Pictures that are there already."""

    @parameterized.parameters(1, 2, 3, 99)
    def test_picture_counts_for_each_label_of_its_caption(self, size):
        captions = ["a cat on a bed there", "sky", "a man sits", "the cat sits"]
        answers = [{"cat", "dog"}, set(), {"person"}, {"bed"}]
        pictures = np.zeros((4, 1, 1, 3), np.uint8)
        pictures[:, 0, 0, 0] = range(4)
        value = soa.approximate(
            captions,
            (pictures[i : i + size] for i in range(0, 4, size)),
            lambda batch: [answers[number] for number in batch[:, 0, 0, 0]],
        )
        self.assertEqual(
            value.by_label, {"person": 1.0, "cat": 0.5, "bed": 0.0}
        )
        self.assertAllClose(value.images, 0.5)

    @parameterized.parameters((3, "only 3 came"), (5, "more came"))
    def test_captions_without_pictures_give_a_sentence(self, count, sentence):
        batches = (np.zeros((1, 1, 1, 3), np.uint8) for _ in range(count))
        with self.assertRaisesRegex(ValueError, sentence):
            soa.approximate(
                ["a cat sits"] * 4, batches, lambda x: [()] * len(x)
            )


if __name__ == "__main__":
    tf.test.main()
