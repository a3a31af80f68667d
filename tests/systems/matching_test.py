"""How captions of a batch are matched with its pictures, by slow loops."""

import functools
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.losses import matching as losses
from keras_t2i.systems import matching
from tests import harness
from tests.systems import slow

harness.two_processors()

ROWS, WIDTH, LENGTH = 6, 4, 5
GAMMAS = (4.0, 5.0, 10.0)


def plain(function, *inputs):
    """Computes without a compiler."""
    return function(*inputs)


def matcher(gammas=GAMMAS, masks_classes=False, negatives="global"):
    """Makes a matcher that compiles nothing."""
    return matching.Matcher(gammas, masks_classes, negatives, plain)


def drawn(seed=0):
    """Draws what a branch reads."""
    draw = np.random.default_rng(seed)
    lengths = np.array([5, 1, 3, 2, 4, 5])[:, None]
    found = {
        "words": draw.normal(size=(ROWS, LENGTH, WIDTH)),
        "sentence": draw.normal(size=(ROWS, WIDTH)),
        "regions": draw.normal(size=(ROWS, 2, 3, WIDTH)),
        "code": draw.normal(size=(ROWS, WIDTH)),
    }
    found = {key: x.astype("float32") for key, x in found.items()}
    found["mask"] = np.arange(LENGTH) < lengths
    found["label"] = np.array([0, 1, 0, -1, 2, -1], dtype="int32")
    return found


class LossesTest(tf.test.TestCase, parameterized.TestCase):
    """Four losses, of rows and columns, of words and sentences."""

    @parameterized.product(
        gammas=[GAMMAS, (1.0, 2.0, 0.5)], masks_classes=[False, True]
    )
    def test_equals_the_slow_loops(self, gammas, masks_classes):
        read = drawn()
        found = matcher(gammas, masks_classes).losses(read)
        expected = slow.matched(read, gammas, masks_classes)
        self.assertEqual(set(found), set(expected))
        for term, value in expected.items():
            self.assertAllClose(found[term], value, rtol=1e-5, msg=term)

    @parameterized.parameters(
        (True, (2.2015787919, 0.4473543867, 3.1619048632, 3.246924809)),
        (False, (2.2019889853, 0.4527424371, 3.5995292438, 3.2752690583)),
    )
    def test_numbers_of_the_papers_code(self, masks_classes, numbers):
        lengths = np.array([[5], [4], [2]])
        read = {
            "regions": slow.waves((3, 4, 3, 3), 0.53, 0.2).transpose(
                0, 2, 3, 1
            ),
            "words": slow.waves((3, 4, 5), 0.31, 0.9).transpose(0, 2, 1),
            "code": slow.waves((3, 4), 0.7, 0.1),
            "sentence": slow.waves((3, 4), 0.9, 0.4),
        }
        read = {key: x.astype("float32") for key, x in read.items()}
        read |= {"mask": np.arange(5) < lengths, "label": np.int32([7, 8, 7])}
        found = matcher(masks_classes=masks_classes).losses(read)
        names = [name for kind in matching.KINDS.values() for name in kind]
        for name, number in zip(names, numbers, strict=True):
            self.assertAllClose(found[name], number, rtol=1e-5)

    @parameterized.parameters(
        ("words", "sentence_scores"), ("sentence", "word_scores")
    )
    def test_kind_that_is_not_wanted_costs_nothing(self, kind, other):
        with mock.patch.object(losses, other) as scores:
            found = matcher().losses(drawn(), [kind])
        scores.assert_not_called()
        self.assertEqual(set(found), set(matching.KINDS[kind]))

    def test_padding_changes_nothing(self):
        read = drawn()
        noisy = read | {"words": read["words"].copy()}
        noisy["words"][~read["mask"]] = 9.0
        ours, theirs = (matcher().losses(each) for each in (read, noisy))
        for term, value in ours.items():
            self.assertAllClose(value, theirs[term], rtol=1e-6)

    def test_words_are_computed_where_it_is_told(self):
        seen = []

        def compute(function, *inputs):
            seen.append(function)
            return function(*inputs)

        thing = matching.Matcher(GAMMAS, False, "global", compute)
        for _ in range(2):
            thing.losses(drawn())
        self.assertLen(seen, 2)
        self.assertIs(*seen)  # So that it is compiled once.


@functools.cache
def on_two(negatives, masks_classes):
    """Matches the halves of a batch on two replicas: terms of each."""
    strategy, half = harness.strategy(2), ROWS // 2
    thing = matcher(masks_classes=masks_classes, negatives=negatives)
    shared = {
        key: strategy.experimental_distribute_values_from_function(
            lambda context, x=x: tf.constant(
                x[context.replica_id_in_sync_group * half :][:half]
            )
        )
        for key, x in drawn().items()
    }
    answer = tf.function(lambda b: strategy.run(thing.losses, (b,)))(shared)
    return [
        {
            key: strategy.experimental_local_results(x)[number]
            for key, x in answer.items()
        }
        for number in range(2)
    ]


class ReplicasTest(tf.test.TestCase, parameterized.TestCase):
    """Whose rows are negatives."""

    @parameterized.parameters(False, True)
    def test_global_negatives_are_the_whole_batchs(self, masks_classes):
        expected = slow.matched(drawn(), GAMMAS, masks_classes)
        for found in on_two("global", masks_classes):
            for term, value in expected.items():
                self.assertAllClose(found[term], value, rtol=1e-5)

    def test_local_negatives_are_the_replicas_own(self):
        for number, found in enumerate(on_two("local", True)):
            rows = slice(number * ROWS // 2, (number + 1) * ROWS // 2)
            read = {key: x[rows] for key, x in drawn().items()}
            for term, value in slow.matched(read, GAMMAS, True).items():
                self.assertAllClose(found[term], value, rtol=1e-5)


class RefusedTest(tf.test.TestCase, parameterized.TestCase):
    """What does not fit is told."""

    @parameterized.parameters(
        (dict(negatives="all"), "'all'; allowed are 'global' and 'local'"),
        (dict(gammas=(4.0, 5.0)), r"gammas are \(4.0, 5.0\); allowed: three"),
        (dict(gammas=(4.0, 0.0, 10.0)), "allowed: three numbers above 0"),
        (dict(gammas=(4.0, 5.0, -1.0)), "allowed: three numbers above 0"),
    )
    def test_bad_argument(self, options, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            matcher(**options)

    def test_classes_cannot_be_masked_without_labels(self):
        read = drawn()
        del read["label"]
        with self.assertRaisesRegex(ValueError, "and the batch has no label"):
            matcher(masks_classes=True).losses(read)
        self.assertLen(matcher().losses(read), 4)


if __name__ == "__main__":
    tf.test.main()
