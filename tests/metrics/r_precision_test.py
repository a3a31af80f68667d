"""Examines R-precision by cases made by hand, and the map it needs."""

import math
import warnings
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.metrics import r_precision


def cloud(rows, width, seed=0):
    """Draws vectors."""
    return np.random.default_rng(seed).normal(size=(rows, width))


def expected_share(images, texts, candidates):
    """Averages over all draws: C(N-1-b, n-1) / C(N-1, n-1), b texts ahead."""
    images = images / np.linalg.norm(images, axis=1, keepdims=True)
    texts = texts / np.linalg.norm(texts, axis=1, keepdims=True)
    total = 0.0
    for i, image in enumerate(images):
        own = image @ texts[i]
        ahead = sum(image @ text > own for text in texts)
        others = len(texts) - 1
        total += math.comb(others - ahead, candidates - 1) / math.comb(
            others, candidates - 1
        )
    return total / len(texts)


class RPrecisionTest(parameterized.TestCase, tf.test.TestCase):
    """The share of pictures that find their words."""

    def test_perfect_pictures_all_hit(self):
        texts = cloud(150, 8)
        self.assertEqual(r_precision.r_precision(3.0 * texts, texts), 1.0)

    def test_opposite_pictures_all_miss(self):
        texts = cloud(150, 8)
        self.assertEqual(r_precision.r_precision(-texts, texts), 0.0)

    @parameterized.parameters(2, 5, 100)
    def test_texts_all_alike_give_chance(self, candidates):
        texts = np.ones((100, 4))
        value = r_precision.r_precision(
            cloud(100, 4), texts, candidates=candidates
        )
        self.assertAllClose(value, 1.0 / candidates)

    def test_pictures_without_a_place_give_chance(self):
        value = r_precision.r_precision(np.zeros((120, 4)), cloud(120, 4))
        self.assertAllClose(value, 0.01)

    def test_tie_with_one_text_counts_half(self):
        # Texts in twos; all texts are candidates: own and its twin lead.
        texts = np.repeat(np.eye(5), 2, axis=0)
        value = r_precision.r_precision(texts, texts, candidates=10)
        self.assertAllClose(value, 0.5)

    def test_rank_two_among_all_texts_is_a_miss(self):
        # Each picture points at the next text, a little at its own.
        texts = np.eye(6)
        images = np.roll(texts, 1, axis=1) + 0.5 * texts
        value = r_precision.r_precision(images, texts, candidates=6)
        self.assertEqual(value, 0.0)
        # Of 5 others one is ahead; 2 drawn miss it with probability 3 / 5.
        mean, _ = r_precision.over_seeds(
            images, texts, range(200), candidates=3
        )
        self.assertAllClose(mean, 0.6, atol=0.05)

    def test_draws_average_to_the_closed_form(self):
        texts = cloud(60, 6)
        images = texts + cloud(60, 6, 1)
        mean, std = r_precision.over_seeds(
            images, texts, range(40), candidates=20
        )
        expected = expected_share(images, texts, 20)
        self.assertLess(abs(mean - expected), 4.0 * std / math.sqrt(40))
        self.assertGreater(std, 0.0)

    @parameterized.parameters(1, 7, 59, 60)
    def test_rows_compared_at_once_change_nothing(self, rows):
        texts, images = cloud(60, 6), cloud(60, 6) + cloud(60, 6, 1)
        whole = r_precision.r_precision(images, texts, candidates=60)
        with mock.patch.object(r_precision, "_ROWS", rows):
            parts = r_precision.r_precision(images, texts, candidates=60)
        self.assertAllClose(parts, whole)
        self.assertAllClose(whole, expected_share(images, texts, 60))

    def test_one_seed_one_answer(self):
        texts, images = cloud(60, 6), cloud(60, 6) + 0.8 * cloud(60, 6, 1)
        values = [
            r_precision.r_precision(images, texts, candidates=30, seed=seed)
            for seed in (3, 3, 4, 5, 6)
        ]
        self.assertEqual(values[0], values[1])
        self.assertGreater(len(set(values)), 1)
        mean, std = r_precision.over_seeds(images, texts, (3, 4), candidates=30)
        self.assertAllClose(mean, (values[0] + values[2]) / 2)
        # Two values: |a - b| / sqrt(2).
        gap = abs(values[0] - values[2])
        self.assertAllClose(std, gap / math.sqrt(2))

    def test_length_of_vectors_does_not_count(self):
        texts, images = cloud(40, 6), cloud(40, 6) + cloud(40, 6, 1)
        lengths = np.random.default_rng(2).uniform(0.1, 9.0, (40, 1))
        plain = r_precision.r_precision(images, texts, candidates=40)
        scaled = r_precision.r_precision(
            images * lengths, texts / lengths, candidates=40
        )
        self.assertEqual(plain, scaled)

    @parameterized.parameters(
        (50, 100, "100 texts.*50 pictures"),
        (50, 1, "2 texts"),
    )
    def test_too_few_pictures_or_texts(self, count, candidates, sentence):
        vectors = cloud(count, 3)
        with self.assertRaisesRegex(ValueError, sentence):
            r_precision.r_precision(vectors, vectors, candidates=candidates)

    def test_bad_vectors_give_a_sentence(self):
        vectors = cloud(5, 3)
        with self.assertRaisesRegex(ValueError, "one text"):
            r_precision.r_precision(vectors, vectors[:4], candidates=2)
        vectors[2, 1] = np.nan
        with self.assertRaisesRegex(ValueError, "finite"):
            r_precision.r_precision(vectors, vectors, candidates=2)


def slow_hits(images, own, others):
    """Compares one pair at a time, as the formula says."""
    answer = []
    for image, text, rest in zip(images, own, others, strict=True):

        def near(other, image=image):
            lengths = math.hypot(*image) * math.hypot(*other)
            inner = sum(a * b for a, b in zip(image, other, strict=True))
            return inner / max(lengths, 1e-8)

        answer.append(all(near(text) >= near(other) - 1e-6 for other in rest))
    return answer


class HitsTest(parameterized.TestCase, tf.test.TestCase):
    """Hits and their parts, as the reference counts them."""

    @parameterized.parameters((1.0, 5), (3.0, 1), (0.3, 9))
    def test_equal_pairs_compared_one_by_one(self, noise, others):
        own = cloud(40, 6)
        images = own + noise * cloud(40, 6, 1)
        rest = cloud(40 * others, 6, 2).reshape(40, others, 6)
        found = r_precision.hits(images, own, rest)
        self.assertEqual(found.tolist(), slow_hits(images, own, rest))
        self.assertGreater(found.sum(), 0)

    def test_cosines_are_those_of_the_own_text_and_of_each_other(self):
        images, own = cloud(7, 4), cloud(7, 4, 1)
        rest = cloud(21, 4, 2).reshape(7, 3, 4)
        found = r_precision.cosines(images, own, rest)
        for i, image in enumerate(images):
            for j, text in enumerate([own[i], *rest[i]]):
                lengths = np.linalg.norm(image) * np.linalg.norm(text)
                self.assertAllClose(found[i, j], image @ text / lengths)
        # Lengths whose product is below 1e-8 count as that.
        tiny = r_precision.cosines(1e-9 * images, own, rest)
        expected = 1e-9 * images[0] @ own[0] / 1e-8
        self.assertAllClose(tiny[0, 0], expected)

    def test_ties_favour_the_own_text(self):
        own = cloud(5, 3)
        rest = np.stack([own, -own], axis=1)
        self.assertTrue(r_precision.hits(own, own, rest).all())
        self.assertFalse(r_precision.hits(own, -own, rest).any())

    def test_nothing_is_as_near_to_a_vector_of_zeros_as_anything(self):
        images = np.zeros((2, 3))
        found = r_precision.hits(images, cloud(2, 3), np.ones((2, 4, 3)))
        self.assertEqual(found.tolist(), [True, True])

    def test_last_of_each_part_is_left_out(self):
        found = [1, 0, 1, 0, 0, 1, 1, 1, 0]  # (1 + 0) / 2, 0, (1 + 1) / 2
        parts = r_precision.reference_folds(found, folds=3)
        self.assertAllEqual(parts, [0.5, 0.0, 1.0])

    @parameterized.parameters(11, 10, 0)
    def test_uneven_parts_give_a_sentence(self, count):
        with self.assertRaisesRegex(ValueError, "into 10 of equal length"):
            r_precision.reference_folds(np.ones(count))

    def test_bad_vectors_give_a_sentence(self):
        images, rest = cloud(4, 3), np.ones((4, 2, 3))
        with self.assertRaisesRegex(ValueError, r"\(4, 3\), \(3, 3\)"):
            r_precision.hits(images, images[:3], rest)
        with self.assertRaisesRegex(ValueError, r"\(4, 2, 2\)"):
            r_precision.hits(images, images, rest[..., :2])
        rest[3, 1, 0] = np.inf
        with self.assertRaisesRegex(ValueError, "others must be finite"):
            r_precision.hits(images, images, rest)
        images[2, 1] = np.nan
        with self.assertRaisesRegex(ValueError, "row 2 is not"):
            r_precision.hits(images, cloud(4, 3), np.ones((4, 2, 3)))


def reference(images, texts, classes=None, slots=None, seed=0, **others):
    """Measures few pictures as the reference does its many."""
    return r_precision.reference(
        images,
        texts,
        classes,
        seed=seed,
        slots=len(images) if slots is None else slots,
        **others,
    )


def expected_reference(images, texts, classes, candidates):
    """Averages over all draws: ((texts behind) / (texts to draw))^(n - 1)."""
    images = images / np.linalg.norm(images, axis=1, keepdims=True)
    texts = texts / np.linalg.norm(texts, axis=1, keepdims=True)
    shares = []
    for i, image in enumerate(images):
        rest = [j for j in range(len(texts)) if classes[j] != classes[i]]
        behind = sum(image @ texts[j] <= image @ texts[i] for j in rest)
        shares.append((behind / len(rest)) ** (candidates - 1))
    return np.mean(shares)


class ReferenceTest(parameterized.TestCase, tf.test.TestCase):
    """The published protocol with what is odd about it."""

    def test_perfect_pictures_all_hit(self):
        texts = cloud(120, 8)
        self.assertEqual(reference(2.0 * texts, texts), (1.0, 0.0))
        self.assertEqual(reference(-texts, texts), (0.0, 0.0))

    @parameterized.parameters(None, 5)
    def test_draws_average_to_the_closed_form(self, count):
        texts = cloud(60, 6)
        images = texts + cloud(60, 6, 1)
        classes = None if count is None else np.arange(60) % count
        means = [
            reference(images, texts, classes, seed=seed, candidates=12)[0]
            for seed in range(60)
        ]
        expected = expected_reference(
            images, texts, np.arange(60) if count is None else classes, 12
        )
        error = np.std(means, ddof=1) / math.sqrt(60)
        self.assertLess(abs(np.mean(means) - expected), 4.0 * error)
        self.assertGreater(error, 0.0)

    def test_pictures_without_a_meaning_hit_by_chance(self):
        means = [
            reference(cloud(400, 16, s), cloud(400, 16, s + 50), candidates=4)
            for s in range(10)
        ]
        self.assertAllClose(np.mean(means, axis=0)[0], 0.25, atol=0.03)

    def test_own_class_is_never_drawn(self):
        # Texts in twos, the twin nearer than the own text, of one class.
        texts = np.repeat(np.eye(20), 2, axis=0)
        images, classes = texts.copy(), [str(i // 2) for i in range(40)]
        texts[::2] += 0.1
        self.assertEqual(reference(images, texts, classes)[0], 1.0)
        self.assertLess(reference(images, texts, candidates=400)[0], 0.8)

    def test_texts_come_twice(self):
        # One text to draw, 99 times; the own is nearer for half of them.
        texts = np.array([[1.0, 0.0], [0.0, 1.0]])
        images = np.tile([[1.0, 0.2], [0.8, 1.0]], (10, 1))
        own = np.tile(texts, (10, 1))
        classes = np.arange(20) % 2
        self.assertEqual(reference(images, own, classes)[0], 1.0)
        self.assertEqual(reference(images[::-1], own, classes)[0], 0.0)

    def test_ties_favour_the_truth(self):
        texts = np.ones((30, 4))
        self.assertEqual(reference(cloud(30, 4), texts)[0], 1.0)

    def test_others_come_from_the_pool(self):
        texts = cloud(40, 8)
        pool = -texts
        value, _ = reference(texts, texts, pool=pool, pool_classes=range(40))
        self.assertEqual(value, 1.0)
        value, _ = reference(-texts, texts, pool=pool, pool_classes=[-1] * 40)
        self.assertEqual(value, 0.0)

    def test_each_part_loses_its_last_picture(self):
        # 7 hits, 5 misses: means of 10 of 12 tell that two are left out.
        texts = np.eye(12)
        images = texts * np.repeat([1.0, -1.0], [7, 5])[:, None]
        seen = set()
        for seed in range(30):
            mean, std = reference(
                images, texts, folds=2, seed=seed, candidates=100
            )
            seen.add(round(mean * 10))
            first, second = mean + std, mean - std
            self.assertAllClose(first * 5, round(first * 5), atol=1e-9)
            self.assertAllClose(second * 5, round(second * 5), atol=1e-9)
        self.assertEqual(seen, {5, 6, 7})

    def test_only_the_first_slots_count(self):
        texts = cloud(60, 8)
        images = np.vstack([texts[:40], -texts[40:]])
        self.assertEqual(reference(images, texts, slots=40)[0], 1.0)

    def test_one_seed_one_answer(self):
        texts, images = cloud(200, 6), cloud(200, 6) + cloud(200, 6, 1)
        values = [reference(images, texts, seed=s) for s in (3, 3, 4, 5)]
        self.assertEqual(values[0], values[1])
        self.assertGreater(len(set(values)), 1)

    @parameterized.named_parameters(
        ("few", dict(slots=30_000), "judges 30,000 pictures; there are 40"),
        ("one_class", dict(classes=["owl"] * 40), "other classes than 'owl'"),
        ("classes", dict(classes=[1, 2]), "one class a row, 40"),
        ("one_text", dict(candidates=1), "2 texts"),
        ("uneven", dict(slots=35), "10 of equal length"),
        ("pool", dict(pool=np.ones((9, 8))), "pool needs pool_classes"),
    )
    def test_what_cannot_be_measured_gives_a_sentence(self, given, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            reference(cloud(40, 8), cloud(40, 8), **given)

    def test_bad_rows_give_a_sentence(self):
        good = cloud(40, 8)
        for bad, sentence in ((0.0, "must not be zero"), (np.nan, "finite")):
            rows = good.copy()
            rows[17] = bad
            with self.assertRaisesRegex(
                ValueError, f"image_codes.*{sentence}.*row 17"
            ):
                reference(rows, good)
            with self.assertRaisesRegex(
                ValueError, f"text_codes.*{sentence}.*row 17"
            ):
                reference(good, rows)
        with self.assertRaisesRegex(ValueError, "one text"):
            reference(good, good[:30])


class ClassesTest(parameterized.TestCase, tf.test.TestCase):
    """The corrected protocol, among texts of other classes."""

    def test_own_class_is_never_drawn(self):
        texts = np.repeat(np.eye(20), 2, axis=0)
        images, classes = texts.copy(), np.arange(40) // 2
        texts[::2] += 0.1
        value = r_precision.r_precision(
            images, texts, candidates=39, classes=classes
        )
        self.assertEqual(value, 1.0)
        value = r_precision.r_precision(images, texts, candidates=40)
        self.assertLess(value, 0.8)

    def test_all_of_other_classes_equal_the_sum(self):
        texts, classes = cloud(48, 6), np.arange(48) % 4
        images = texts + cloud(48, 6, 1)
        value = r_precision.r_precision(
            images, texts, candidates=37, classes=classes
        )
        first = [
            all(
                images[i] @ texts[i] / np.linalg.norm(texts[i])
                > images[i] @ texts[j] / np.linalg.norm(texts[j])
                for j in range(48)
                if classes[j] != classes[i]
            )
            for i in range(48)
        ]
        self.assertAllClose(value, np.mean(first))
        self.assertBetween(value, 0.1, 0.9)

    def test_a_class_each_changes_nothing(self):
        texts, images = cloud(60, 6), cloud(60, 6) + cloud(60, 6, 1)
        plain = r_precision.over_seeds(images, texts, (0, 1), candidates=20)
        names = [f"class {i}" for i in range(60)]
        told = r_precision.over_seeds(
            images, texts, (0, 1), candidates=20, classes=names
        )
        self.assertEqual(plain, told)

    def test_too_few_of_other_classes_give_a_sentence(self):
        texts = cloud(50, 3)
        for classes, count in (([0] * 50, 50), ([0] * 42 + [1] * 8, 42)):
            with self.assertRaisesRegex(
                ValueError, f"9 of other.*has {count} of 50.*{50 - count}"
            ):
                r_precision.r_precision(
                    texts, texts, candidates=10, classes=classes
                )


class WarningTest(tf.test.TestCase):
    """Judges that were pleased on purpose are told."""

    def test_judge_of_the_loss_is_named(self):
        judges = {"damsm": "aa", "clip": "bb"}
        with self.assertWarnsRegex(UserWarning, "'damsm'.*as 'matching'"):
            found = r_precision.warn_if_trained(judges, {"matching": "aa"})
        self.assertEqual(found, ["damsm"])

    def test_independent_judge_is_not(self):
        judges = {"damsm": "aa", "unknown": ""}
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            trained = {"perceptual": "cc", "none": ""}
            found = r_precision.warn_if_trained(judges, trained)
        self.assertEqual(found, [])


class RidgeTest(parameterized.TestCase, tf.test.TestCase):
    """The map is the least of its sum of squares."""

    @parameterized.parameters((30, 4, 0.5), (6, 12, 2000.0))
    def test_equals_least_squares_with_added_rows(self, rows, width, penalty):
        x, y = cloud(rows, width) * 3.0 + 1.0, cloud(rows, 2, 1) + 5.0
        z = (x - x.mean(0)) / x.std(0)
        wide = np.vstack([z, math.sqrt(penalty) * np.eye(width)])
        goal = np.vstack([y - y.mean(0), np.zeros((width, 2))])
        weights = np.linalg.lstsq(wide, goal, rcond=None)[0]
        bridge = r_precision.ridge(x, y, penalty)
        self.assertAllClose(bridge.pictures(x), z @ weights, atol=1e-9)
        self.assertAllClose(bridge.texts(y), y - y.mean(0))

    def test_small_penalty_finds_a_linear_law(self):
        x = cloud(50, 3)
        y = x @ np.array([[1.0, -2.0], [0.0, 3.0], [4.0, 0.0]]) + 7.0
        bridge = r_precision.ridge(x, y, 1e-9)
        new = cloud(5, 3, 9)
        expected = new @ [[1.0, -2.0], [0.0, 3.0], [4.0, 0.0]] + 7.0
        self.assertAllClose(
            bridge.pictures(new), bridge.texts(expected), atol=1e-6
        )

    def test_great_penalty_leaves_the_mean(self):
        x, y = cloud(20, 3), cloud(20, 2, 1)
        bridge = r_precision.ridge(x, y, 1e12)
        self.assertAllClose(bridge.pictures(x), np.zeros((20, 2)), atol=1e-6)

    def test_what_all_texts_share_hides_no_difference(self):
        x = cloud(50, 3)
        bridge = r_precision.ridge(x, x + 1000.0, 1e-9)
        images, texts = bridge.pictures(x), bridge.texts(x + 1000.0)
        value = r_precision.r_precision(images, texts, candidates=50)
        self.assertEqual(value, 1.0)

    def test_unit_of_a_feature_does_not_count(self):
        x, y = cloud(20, 3), cloud(20, 2, 1)
        scaled = x * [1.0, 100.0, 0.01] + [0.0, 5.0, 9.0]
        one, two = r_precision.ridge(x, y), r_precision.ridge(scaled, y)
        self.assertAllClose(one.pictures(x), two.pictures(scaled), atol=1e-9)

    def test_constant_feature_changes_nothing(self):
        x, y = cloud(20, 3), cloud(20, 2, 1)
        with_constant = np.hstack([x, np.full((20, 1), 4.0)])
        one, two = r_precision.ridge(x, y), r_precision.ridge(with_constant, y)
        self.assertAllClose(
            one.pictures(x), two.pictures(with_constant), atol=1e-9
        )

    @parameterized.parameters(
        ((5, 2), (4, 2), 1.0, "equally many"),
        ((5, 2), (5, 2), 0.0, "above 0"),
    )
    def test_bad_input_gives_a_sentence(self, x, y, penalty, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            r_precision.ridge(np.zeros(x), np.zeros(y), penalty)


class ReadersTest(tf.test.TestCase):
    """Networks that learned to agree need no map."""

    def test_vectors_are_taken_as_they_are(self):
        rows = np.arange(6, dtype=np.float32).reshape(2, 3)
        readers = r_precision.Readers(network=None)
        for found in (readers.pictures(rows), readers.texts(rows)):
            self.assertEqual(found.dtype, np.float64)
            self.assertAllEqual(found, rows)


if __name__ == "__main__":
    tf.test.main()
