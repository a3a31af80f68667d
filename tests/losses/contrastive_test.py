"""Losses over pairs of a batch against slow loops, laws and known numbers."""

import functools
import math
import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.losses import contrastive
from tests import harness

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "xmc_losses.npz"


def drawn(*shape, seed=0):
    """Draws normal numbers."""
    return np.random.default_rng(seed).normal(size=shape)


def waves(shape, step, start):
    """Makes numbers that are easily made elsewhere."""
    return np.sin(step * np.arange(math.prod(shape)) + start).reshape(shape)


def by_angle(*degrees):
    """Makes unit vectors in the plane."""
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


def quadruple():
    """Makes pictures and captions of two branches, three rows each."""
    return (
        by_angle(0, 90, 200),
        by_angle(15, 110, 230),
        by_angle(5, 80, 190),
        by_angle(20, 100, 210),
    )


def cosine(one, other):
    """Compares two vectors."""
    return np.sum(one * other) / math.sqrt(
        np.sum(one * one) * np.sum(other * other)
    )


def slow(views, weight, temperature, is_seen, anchors=None):
    """Computes a loss over all pairs of vectors, one by one.

    Args:
        views: (B, V, D), scaled to length 1 here.
        weight: function of two rows: how much one is the other's positive.
        temperature: of the cosines.
        is_seen: function of two views: whether they are compared.
        anchors: views that look for others; None: all.
    """
    places = list(np.ndindex(*views.shape[:2]))
    losses = []
    for place in places:
        if anchors is not None and place[1] not in anchors:
            continue
        others = [
            other
            for other in places
            if other != place and is_seen(place[1], other[1])
        ]
        scores = {
            other: cosine(views[place], views[other]) / temperature
            for other in others
        }
        whole = math.log(sum(math.exp(score) for score in scores.values()))
        weights = {other: weight(place[0], other[0]) for other in others}
        total = sum(weights.values())
        losses.append(
            sum(w * (whole - scores[o]) for o, w in weights.items()) / total
            if total
            else 0.0
        )
    return sum(losses) / len(losses)


def everything(*_):
    """Sees all."""
    return True


def gradients(loss, *tensors):
    """Finds a loss and its slopes."""
    return with_gradients(loss)(*[tf.convert_to_tensor(x) for x in tensors])


def with_gradients(loss):
    """Makes a function that finds a loss and its slopes."""

    def both(*tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = loss(*tensors)
        return value, tape.gradient(value, tensors)

    return both


LABELS = np.array([0, 1, 0, 2, 1])
#: Every loss as a function of two batches of five rows.
LOSSES = {
    "nt_xent": contrastive.nt_xent,
    "info_nce": contrastive.info_nce,
    "supervised": lambda one, other: contrastive.supervised(
        tf.stack([one, other], axis=1), LABELS
    ),
    "supervised_inter": lambda one, other: contrastive.supervised(
        tf.stack([one, other], axis=1), LABELS, pairs="inter", texts=1
    ),
    "unicl": lambda one, other: contrastive.unicl(one, other, LABELS),
}


class LawsTest(tf.test.TestCase, parameterized.TestCase):
    """What holds for every loss."""

    @parameterized.product(name=list(LOSSES), jit=[False, True])
    def test_order_and_lengths_change_nothing(self, name, jit):
        one, other = drawn(5, 6), drawn(5, 6, seed=1)
        loss = tf.function(LOSSES[name], jit_compile=jit)
        before = loss(one, other)
        order = [0, 4, 2, 3, 1]  # Rows keep their labels.
        scales = np.geomspace(0.01, 100.0, 5)[:, None]
        for changed in (
            (one[order], other[order]),
            (scales * one, other / scales),
            (other, one),
        ):
            self.assertAllClose(loss(*changed), before, rtol=1e-10)

    @parameterized.product(
        name=list(LOSSES), dtype=["bfloat16", "float16", "float32"]
    )
    def test_degenerate_batches_give_numbers(self, name, dtype):
        loss = tf.function(with_gradients(LOSSES[name]))
        zeros, ones = np.zeros((5, 6)), np.ones((5, 6))
        some = drawn(5, 6)
        some[1] = 0.0
        for one, other in (
            (zeros, zeros),
            (ones, ones),
            (zeros, some),
            (some, -some),
            (1e4 * some, some),
        ):
            tensors = [tf.cast(each, dtype) for each in (one, other)]
            value, slopes = loss(*tensors)
            self.assertEqual(value.dtype, tf.float32)
            self.assertAllInRange(value, 0.0, 100.0)
            for slope in slopes:
                self.assertEqual(slope.dtype, dtype)
                self.assertAllInRange(tf.cast(slope, "float32"), -1e3, 1e3)

    @parameterized.parameters(*LOSSES)
    def test_half_precision_is_widened_before_it_is_compared(self, name):
        halves = [tf.cast(drawn(5, 6, seed=s), "bfloat16") for s in (0, 1)]
        whole = [tf.cast(each, "float64") for each in halves]
        expected = LOSSES[name](*whole)
        self.assertEqual(expected.dtype, tf.float64)
        self.assertAllClose(LOSSES[name](*halves), expected, rtol=1e-5)

    @parameterized.parameters(*LOSSES)
    def test_gradients_are_those_of_differences(self, name):
        one, other = drawn(5, 6), drawn(5, 6, seed=1)
        _, slopes = gradients(LOSSES[name], one, other)
        for number, slope in enumerate(slopes):
            for place in ((0, 0), (3, 5)):
                values = []
                for step in (1e-5, -1e-5):
                    moved = [one.copy(), other.copy()]
                    moved[number][place] += step
                    values.append(LOSSES[name](*moved))
                expected = (values[0] - values[1]) / 2e-5
                self.assertAllClose(slope[place], expected, rtol=1e-5)

    @parameterized.parameters("nt_xent", "info_nce")
    def test_one_row_has_no_negatives(self, name):
        with self.assertRaisesRegex(ValueError, "no negatives in a batch of"):
            LOSSES[name](drawn(1, 4), drawn(1, 4))

    @parameterized.parameters(
        ((3, 4), (2, 4)), ((3, 4), (3, 5)), ((3, 2, 2), (3, 2, 2))
    )
    def test_batches_that_are_no_pairs_are_refused(self, one, other):
        for loss in (
            contrastive.nt_xent,
            contrastive.info_nce,
            functools.partial(contrastive.unicl, labels=[0, 1, 2]),
            contrastive.accuracy,
        ):
            with self.assertRaisesRegex(ValueError, r"both take \(B, D\)"):
                loss(drawn(*one), drawn(*other))


class NTXentTest(tf.test.TestCase, parameterized.TestCase):
    """Two views of each row."""

    @parameterized.parameters((2, 0.5), (5, 0.1), (7, 1.0))
    def test_each_vector_is_told_from_all_others(self, rows, temperature):
        one, other = drawn(rows, 6), drawn(rows, 6, seed=1)
        views = np.concatenate([one, other])
        losses = []
        for anchor in range(2 * rows):
            scores = [
                math.exp(cosine(views[anchor], views[each]) / temperature)
                for each in range(2 * rows)
            ]
            rest = sum(scores) - scores[anchor]
            partner = (anchor + rows) % (2 * rows)
            losses.append(-math.log(scores[partner] / rest))
        self.assertAllClose(
            contrastive.nt_xent(one, other, temperature), np.mean(losses)
        )

    def test_known_numbers(self):
        waving = waves((3, 4), 0.7, 0.1), waves((3, 4), 0.9, 0.4)
        self.assertAllClose(
            contrastive.nt_xent(*waving), 1.6574372718, rtol=1e-9
        )
        _, _, one, other = quadruple()
        found = contrastive.nt_xent(one, other)
        self.assertAllClose(found, 0.377726, atol=5e-7)

    def test_equal_vectors_leave_it_to_chance(self):
        ones = np.ones((4, 3))
        self.assertAllClose(contrastive.nt_xent(ones, ones), math.log(7))


class InfoNCETest(tf.test.TestCase):
    """Pictures find texts, texts find pictures."""

    def test_both_directions_are_added(self):
        images, texts = drawn(4, 6), drawn(4, 6, seed=1)
        scores = [[cosine(a, b) / 0.1 for b in texts] for a in images]
        total = 0.0
        for table in (np.array(scores), np.array(scores).T):
            for row in range(4):
                whole = math.log(sum(math.exp(x) for x in table[row]))
                total += (whole - table[row, row]) / 4
        self.assertAllClose(contrastive.info_nce(images, texts), total)

    def test_equal_vectors_leave_it_to_chance(self):
        ones = np.ones((4, 3))
        self.assertAllClose(
            contrastive.info_nce(ones, ones), 2 * math.log(4), rtol=1e-5
        )

    def test_recorded_number_of_xmc_gan(self):
        with np.load(GOLDEN) as recorded:
            found = contrastive.info_nce(recorded["feat_a"], recorded["feat_b"])
            self.assertAllClose(found, recorded["contrastive"], rtol=1e-6)


class SupervisedTest(tf.test.TestCase, parameterized.TestCase):
    """Views of rows that share labels."""

    @parameterized.product(anchors=["all", "one"], temperature=[0.1, 0.5])
    def test_rows_of_a_label_are_clustered(self, anchors, temperature):
        views = drawn(5, 3, 6)
        expected = slow(
            views,
            lambda a, b: LABELS[a] == LABELS[b],
            temperature,
            everything,
            anchors=None if anchors == "all" else (0,),
        )
        found = contrastive.supervised(
            views, LABELS, temperature, anchors=anchors
        )
        self.assertAllClose(found, expected)

    @parameterized.parameters("inter", "inner")
    def test_kinds_are_kept_apart(self, pairs):
        views = drawn(5, 4, 6)
        expected = slow(
            views,
            lambda a, b: LABELS[a] == LABELS[b],
            0.5,
            lambda a, b: ((a < 3) == (b < 3)) == (pairs == "inner"),
        )
        found = contrastive.supervised(views, LABELS, pairs=pairs, texts=1)
        self.assertAllClose(found, expected)

    def test_weights_stand_in_for_labels(self):
        views = drawn(4, 2, 6)
        weights = np.random.default_rng(2).uniform(0.0, 1.0, (4, 4))
        weights[1] = 0.0  # without any positive
        expected = slow(views, lambda a, b: weights[a, b], 0.5, everything)
        found = contrastive.supervised(views, positives=weights)
        self.assertAllClose(found, expected)
        # Labels are weights of 0 and 1.
        self.assertAllClose(
            contrastive.supervised(
                views, positives=contrastive.same([0, 1, 1, 0])
            ),
            contrastive.supervised(views, [0, 1, 1, 0]),
        )

    def test_known_numbers(self):
        views = np.stack(quadruple(), axis=1)
        for temperature, expected in (
            (0.07, 11.377302),
            (0.1, 8.266238),
            (0.5, 2.754458),
            (1.0, 2.375953),
        ):
            found = contrastive.supervised(views, [0, 1, 0], temperature)
            self.assertAllClose(found, expected, atol=1e-6)
        found = contrastive.supervised(views, [0, 1, 2])
        self.assertAllClose(found, 1.338822, atol=1e-6)

    @parameterized.parameters(2, 3, 4)
    def test_distinct_labels_make_it_nt_xent_of_many_views(self, count):
        views = drawn(4, count, 6)
        expected = slow(views, lambda a, b: a == b, 0.5, everything)
        for labels in ([3, 1, 0, 7], [-1, -1, -1, -1], None):
            found = contrastive.supervised(views, labels)
            self.assertAllClose(found, expected)
        if count == 2:
            found = contrastive.nt_xent(views[:, 0], views[:, 1])
            self.assertAllClose(found, expected)

    def test_branches_may_be_swapped(self):
        one, two, third, fourth = quadruple()
        views = np.stack([one, two, third, fourth], axis=1)
        swapped = np.stack([two, one, fourth, third], axis=1)
        self.assertAllClose(
            contrastive.supervised(views, [0, 1, 0]),
            contrastive.supervised(swapped, [0, 1, 0]),
        )

    def test_one_label_for_all_is_fine(self):
        views = drawn(3, 2, 4)
        found = contrastive.supervised(views, [5, 5, 5])
        expected = slow(views, lambda *_: True, 0.5, everything)
        self.assertAllClose(found, expected)

    def test_one_row_has_its_own_views(self):
        views = drawn(1, 4, 6)
        expected = slow(views, lambda *_: True, 0.5, everything)
        found = contrastive.supervised(views, [0])
        self.assertAllClose(found, expected)
        # A picture has no other picture here: nothing to find, nothing lost.
        found = contrastive.supervised(
            views[:, :2], [0], pairs="inner", texts=1
        )
        self.assertAllClose(found, 0.0)

    def test_lone_rows_count_nothing(self):
        views = drawn(4, 1, 6)
        labels = [0, 1, 0, 2]
        expected = slow(
            views, lambda a, b: labels[a] == labels[b], 0.1, everything
        )
        found = contrastive.supervised(views, labels, 0.1)
        self.assertAllClose(found, expected)

    def test_vectors_may_be_taken_as_they_are(self):
        views = 0.3 * drawn(3, 2, 4)
        flat = views.reshape(6, 4)
        scores = np.exp(flat @ flat.T / 0.5)
        losses = [
            -math.log(scores[a, a ^ 1] / (np.sum(scores[a]) - scores[a, a]))
            for a in range(6)
        ]
        found = contrastive.supervised(views, normalise=False, scale=2.0)
        self.assertAllClose(found, 2.0 * np.mean(losses))

    @parameterized.parameters(
        ({"anchors": "some"}, "anchors is 'some'; allowed"),
        ({"pairs": "outer"}, "pairs is 'outer'; allowed"),
        ({"pairs": "inter"}, "texts is 0 of 2 views"),
        ({"pairs": "inner", "texts": 2}, "texts is 2 of 2 views"),
        ({"positives": np.eye(3), "labels": [0, 1, 2]}, "came beside"),
    )
    def test_choices_that_do_not_fit_are_refused(self, choices, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            contrastive.supervised(drawn(3, 2, 4), **choices)

    def test_misshapen_or_single_vectors_are_refused(self):
        with self.assertRaisesRegex(ValueError, r"takes \(B, V, D\)"):
            contrastive.supervised(drawn(3, 4), [0, 1, 2])
        with self.assertRaisesRegex(ValueError, "one vector only"):
            contrastive.supervised(drawn(1, 1, 4), [0])


class UniCLTest(tf.test.TestCase, parameterized.TestCase):
    """Pictures find all texts of their label."""

    def test_all_texts_of_the_label_are_found(self):
        images, texts = drawn(5, 6), drawn(5, 6, seed=1)
        scores = np.array([[cosine(a, b) / 0.2 for b in texts] for a in images])
        total = 0.0
        for table in (scores, scores.T):
            for row in range(5):
                whole = math.log(sum(math.exp(x) for x in table[row]))
                own = np.flatnonzero(LABELS == LABELS[row])
                gaps = [whole - table[row, column] for column in own]
                total += sum(gaps) / len(gaps) / 5
        found = contrastive.unicl(images, texts, LABELS, 0.2)
        self.assertAllClose(found, total / 2)
        found = contrastive.unicl(images, texts, LABELS, 0.2, is_summed=True)
        self.assertAllClose(found, total)

    def test_known_numbers(self):
        one, two, third, fourth = quadruple()
        images, texts = (
            np.concatenate([one, two]),
            np.concatenate([third, fourth]),
        )
        found = contrastive.both_directions(
            images @ texts.T / 0.5, contrastive.same([0, 1, 0] * 2)
        )
        self.assertAllClose(found, [2.121484, 2.128453], atol=1e-6)

    def test_without_shared_labels_it_is_half_of_info_nce(self):
        images, texts = drawn(5, 6), drawn(5, 6, seed=1)
        whole = contrastive.info_nce(images, texts)
        for labels in ([4, 3, 0, 1, 2], [-1] * 5):
            half = contrastive.unicl(images, texts, labels, 0.1)
            self.assertAllClose(2.0 * half, whole)

    def test_temperature_may_be_learnt(self):
        images, texts = drawn(5, 6), drawn(5, 6, seed=1)
        _, (slope,) = gradients(
            lambda t: contrastive.unicl(images, texts, LABELS, t),
            np.float64(0.2),
        )
        values = [
            contrastive.unicl(images, texts, LABELS, 0.2 + step)
            for step in (1e-5, -1e-5)
        ]
        expected = (values[0] - values[1]) / 2e-5
        self.assertAllClose(slope, expected, rtol=1e-5)


class ClassifiedTest(tf.test.TestCase, parameterized.TestCase):
    """Rows that are asked for their class."""

    def test_cross_entropy_is_averaged_over_all_rows(self):
        scores, labels = drawn(5, 3), [0, 2, -1, 1, -1]
        losses = []
        for row, label in zip(scores, labels, strict=True):
            chances = np.exp(row) / np.sum(np.exp(row))
            losses.append(-math.log(chances[label]) if label >= 0 else 0.0)
        found = contrastive.classified(scores, labels)
        self.assertAllClose(found, harness.mean(losses), rtol=1e-10)

    def test_rows_without_a_class_have_no_slope(self):
        labels = [0, -1, 2]
        _, (slope,) = gradients(
            lambda x: contrastive.classified(x, labels), drawn(3, 4)
        )
        self.assertAllEqual(slope[1], np.zeros(4))
        self.assertNotAllClose(slope[0], np.zeros(4))
        lone = contrastive.classified(drawn(3, 4), [-1, -1, -1])
        self.assertEqual(float(lone), 0.0)

    def test_undecided_rows_leave_it_to_chance(self):
        found = contrastive.classified(np.zeros((3, 7)), [0, 3, 6])
        self.assertAllClose(found, math.log(7))

    @parameterized.parameters("float16", "bfloat16")
    def test_half_precision_is_widened(self, dtype):
        scores = tf.cast(100.0 * drawn(3, 4), dtype)
        found = contrastive.classified(scores, [0, 1, 2])
        self.assertEqual(found.dtype, tf.float32)
        wide = contrastive.classified(tf.cast(scores, "float64"), [0, 1, 2])
        self.assertAllClose(found, wide, rtol=1e-5)


class CountsTest(tf.test.TestCase):
    """Accuracy and entropy."""

    def test_labels_are_compared(self):
        self.assertAllEqual(
            contrastive.same([3, -1, 3, -1]),
            [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]],
        )

    def test_hits_of_both_directions_are_counted(self):
        scores = [[2.0, 1.0, 0.0], [3.0, 2.5, 1.0], [0.0, 0.0, 4.0]]
        # Rows 0 and 2 find their columns, columns 1 and 2 their rows.
        self.assertAllClose(contrastive.hits(scores), 4 / 6)

    def test_ties_are_no_hits(self):
        self.assertAllClose(contrastive.hits(np.ones((3, 3))), 0.0)
        self.assertAllClose(
            contrastive.accuracy(np.eye(4), np.eye(4)[:, ::-1][:, ::-1]), 1.0
        )

    def test_nearest_is_meant_by_angle(self):
        images = np.array([[1.0, 0.0], [0.0, 1.0]])
        texts = np.array([[0.1, 0.0], [50.0, 60.0]])
        self.assertAllClose(contrastive.accuracy(images, texts), 1.0)
        self.assertEqual(contrastive.accuracy(images, texts).dtype, tf.float32)

    def test_entropy_is_that_of_both_directions(self):
        scores = drawn(3, 3)
        expected = 0.0
        for table in (scores, scores.T):
            for row in table:
                chances = np.exp(row) / np.sum(np.exp(row))
                expected -= sum(p * math.log(p) for p in chances) / 6
        self.assertAllClose(contrastive.entropy(scores), expected)
        flat = contrastive.entropy(np.zeros((4, 4)))
        self.assertAllClose(flat, math.log(4))
        sure = contrastive.entropy(1e4 * np.eye(4))
        self.assertAllClose(sure, 0.0)


if __name__ == "__main__":
    tf.test.main()
