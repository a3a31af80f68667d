"""Examines recall: pictures among captions, captions among pictures."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.metrics import r_precision, retrieval


def slow(images, texts, owners, k):
    """Sorts every row by hand; no ties."""
    cosine = np.array(
        [
            [i @ t / np.linalg.norm(i) / np.linalg.norm(t) for t in texts]
            for i in images
        ]
    )
    found = [
        any(owners[t] == i for t in np.argsort(-cosine[i])[:k])
        for i in range(len(images))
    ]
    back = [
        owners[t] in np.argsort(-cosine[:, t])[:k] for t in range(len(texts))
    ]
    return np.mean(found), np.mean(back)


class RecallTest(parameterized.TestCase, tf.test.TestCase):
    """Own partners are looked for among all."""

    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        self.images = rng.standard_normal((20, 6))
        self.owners = np.repeat(np.arange(20), 3)
        noise = rng.standard_normal((60, 6))
        self.texts = self.images[self.owners] + noise

    @parameterized.parameters(1, 3, 10)
    def test_equals_sorting_by_hand(self, k):
        found = retrieval.recall(self.images, self.texts, self.owners, (k,))
        there, back = slow(self.images, self.texts, self.owners, k)
        self.assertAllClose(found[f"image_to_text_r{k}"], there)
        self.assertAllClose(found[f"text_to_image_r{k}"], back)

    def test_order_and_length_of_rows_change_nothing(self):
        found = retrieval.recall(self.images, self.texts, self.owners)
        rng = np.random.default_rng(1)
        order, places = rng.permutation(20), rng.permutation(60)
        owners = np.argsort(order)[self.owners[places]]
        sizes = rng.uniform(0.1, 9.0, (60, 1))
        moved = retrieval.recall(
            self.images[order], self.texts[places] * sizes, owners
        )
        self.assertAllClose(found, moved)

    def test_perfect_readers_find_all_and_more_seats_never_find_less(self):
        perfect = retrieval.recall(np.eye(7), np.eye(7))
        self.assertEqual(set(perfect.values()), {1.0})
        found = retrieval.recall(self.images, self.texts, self.owners)
        for way in ("image_to_text", "text_to_image"):
            values = [found[f"{way}_r{k}"] for k in (1, 5, 10)]
            self.assertAllInRange(np.diff(values), 0.0, 1.0)

    def test_ties_are_shared(self):
        alike = np.ones((10, 3))
        found = retrieval.recall(alike, alike, ks=(1, 5, 10))
        for way in ("image_to_text", "text_to_image"):
            values = [found[f"{way}_r{k}"] for k in (1, 5, 10)]
            self.assertAllClose(values, [0.1, 0.5, 1.0])
        # Three of thirty level captions are the own ones.
        owners = np.repeat(np.arange(10), 3)
        found = retrieval.recall(alike, np.ones((30, 3)), owners, (1, 2))
        self.assertAllClose(found["image_to_text_r1"], 0.1)
        chance = 1.0 - 27 / 30 * 26 / 29
        self.assertAllClose(found["image_to_text_r2"], chance)

    def test_first_seat_is_r_precision_among_all(self):
        texts = self.texts[::3]
        found = retrieval.recall(self.images, texts, ks=(1,))
        expected = r_precision.r_precision(self.images, texts, candidates=20)
        self.assertAllClose(found["image_to_text_r1"], expected)

    def test_seats_beyond_the_rows_are_left_out(self):
        found = retrieval.recall(np.eye(4), np.eye(4))
        self.assertEqual(list(found), ["image_to_text_r1", "text_to_image_r1"])

    def test_bad_input_gets_a_sentence(self):
        images, texts = self.images, self.texts
        with self.assertRaisesRegex(ValueError, "20 pictures and 60 captions"):
            retrieval.recall(images, texts)
        with self.assertRaisesRegex(ValueError, "Picture 19 has no caption"):
            retrieval.recall(images, texts, np.minimum(self.owners, 18))
        with self.assertRaisesRegex(ValueError, "name picture 20 of 20"):
            retrieval.recall(images, texts, np.r_[self.owners[1:], 20])
        with self.assertRaisesRegex(ValueError, "60 whole numbers"):
            retrieval.recall(images, texts, self.owners[:-1])
        texts[7, 0] = np.nan
        with self.assertRaisesRegex(ValueError, "row 7 is not"):
            retrieval.recall(images, texts, self.owners)


if __name__ == "__main__":
    tf.test.main()
