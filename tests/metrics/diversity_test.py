"""Examines the distance of pictures over noises."""

import numpy as np
import tensorflow as tf

from keras_t2i.metrics import diversity


class DiversityTest(tf.test.TestCase):
    """Pictures that differ are told from pictures that do not."""

    def test_distance_by_hand(self):
        # Pairs: sqrt((9 + 16) / 2), sqrt(16 / 2), sqrt(9 / 2).
        rows = [[0.0, 0.0], [3.0, 4.0], [0.0, 4.0]]
        expected = (np.sqrt(12.5) + np.sqrt(8.0) + np.sqrt(4.5)) / 3.0
        self.assertAllClose(diversity.mean_distance(rows), expected)

    def test_bytes_do_not_wrap_around(self):
        pictures = np.zeros((2, 4, 4, 3), np.uint8)
        pictures[0] = 250
        self.assertAllClose(diversity.mean_distance(pictures), 250.0)

    def test_one_picture_gives_a_sentence(self):
        with self.assertRaisesRegex(ValueError, "two rows"):
            diversity.mean_distance(np.zeros((1, 4)))

    def test_captions_do_not_count_as_noises(self):
        asked = []

        def generate(captions, seeds):
            asked.append((captions, list(seeds)))
            grey = np.where(captions[0] == "a", 0, 100) + 10 * np.array(seeds)
            return np.tile(grey[:, None, None, None], (2, 2, 3)).astype("uint8")

        value = diversity.over_noises(generate, ["a", "b"], [0, 1, 3])
        # Grey levels 0, 10, 30: pairs 10, 30, 20, for either caption.
        self.assertAllClose(value, 20.0)
        self.assertEqual(asked[1], (["b"] * 3, [0, 1, 3]))

    def test_description_is_compared(self):
        def generate(captions, seeds):
            return np.zeros((len(captions), 2, 2, 3), np.uint8) + np.uint8(7)

        value = diversity.over_noises(
            generate, ["a"], [0, 1], lambda drawn: np.arange(len(drawn)) * 5.0
        )
        self.assertAllClose(value, 5.0)


if __name__ == "__main__":
    tf.test.main()
