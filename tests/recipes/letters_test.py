"""Examines readers that learned nothing."""

import keras
import tensorflow as tf

from recipes import letters


class LettersTest(tf.test.TestCase):
    """Readers of smoke runs."""

    def test_weights_are_the_same_each_time(self):
        keras.utils.set_random_seed(1)
        first = letters.pair()
        keras.utils.set_random_seed(2)
        second = letters.pair()
        for one, other in (
            (first.classes, second.classes),
            (first.image.model, second.image.model),
        ):
            for ours, theirs in zip(one.weights, other.weights, strict=True):
                self.assertAllEqual(ours, theirs)

    def test_letters_read_words_and_not_their_order(self):
        reader = letters.Letters(8)
        read = reader(tf.constant(["a red cat", "cat A red", "a cat", "dog"]))
        first, turned, shorter, dog = read["sentence"]
        self.assertEqual(read["sentence"].shape, (4, 8))
        self.assertAllClose(first, turned)
        # Sums: a third word adds its own vector.
        red = reader(tf.constant(["red"]))["sentence"][0]
        self.assertAllClose(first - shorter, red)
        self.assertNotAllClose(dog, red)
        self.assertNotEqual(reader.digest, letters.Letters(9).digest)
        self.assertEqual(reader.pieces("A red  Heart"), ["a", "red", "heart"])
        self.assertLen(reader.pieces("word " * 70), reader.max_words)
        with self.assertRaises(ValueError):
            reader.check(["a cat", ""])


if __name__ == "__main__":
    tf.test.main()
