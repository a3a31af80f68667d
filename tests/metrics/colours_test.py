"""Examines colour truth on pictures drawn here."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.metrics import colours

# One colour of OpenMoji's palette for each colour that is asked for.
PAINT = {
    "red": (210, 47, 39),
    "orange": (226, 112, 34),
    "yellow": (252, 234, 43),
    "green": (92, 158, 49),
    "blue": (30, 80, 160),
    "purple": (137, 103, 170),
    "brown": (106, 70, 47),
    "pink": (230, 122, 148),
}


def disc(colour, size=16):
    """Draws a small disc with a wide black rim on white."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    radius = np.sqrt(x**2 + y**2)
    picture = np.full((size, size, 3), 255, np.uint8)
    picture[radius < 7.5] = 0
    picture[radius < 3.5] = PAINT[colour]
    return picture


class TruthTest(parameterized.TestCase, tf.test.TestCase):
    """A generator is right where it obeys the colour named."""

    def test_obedient_generator_is_always_right(self):
        def generate(captions, seeds):
            self.assertLen(seeds, len(captions))
            return np.stack([disc(text.split()[1]) for text in captions])

        self.assertAllEqual(colours.truth(generate), np.ones(5))

    def test_one_colour_for_all_is_right_once_in_eight(self):
        def generate(captions, seeds):
            return np.stack([disc("green")] * len(captions))

        self.assertAllClose(colours.truth(generate), np.full(5, 1 / 8))

    def test_empty_pictures_are_wrong(self):
        def generate(captions, seeds):
            return np.full((len(captions), 8, 8, 3), 255, np.uint8)

        self.assertAllEqual(colours.truth(generate), np.zeros(5))

    def test_each_noise_has_its_share(self):
        def generate(captions, seeds):
            obey = seeds[0] == 1
            return np.stack(
                [disc(c.split()[1] if obey else "red") for c in captions]
            )

        shares = colours.truth(generate, seeds=(0, 1))
        self.assertAllClose(shares, [1 / 8, 1.0])

    def test_prompts_are_eight_colours_of_five_things(self):
        found = colours.prompts()
        self.assertLen(set(found), 40)
        self.assertIn(("a red heart", "red"), found)
        self.assertIn(("an orange circle", "orange"), found)
        for caption, colour in found:
            self.assertEqual(colours.named(caption), colour)


class RealTest(parameterized.TestCase, tf.test.TestCase):
    """Real pictures are asked only what their captions say."""

    @parameterized.parameters(
        ("Red heart", "red"),
        ("a drawing of apple in green", "green"),
        ("a drawing of car in red and blue", ""),
        ("hundred", ""),
        ("grey square", "gray"),
        ("white flower", "white"),
        ("red square, red", "red"),
        ("waving hand: light skin tone", ""),
        ("", ""),
    )
    def test_colour_named_is_found(self, caption, colour):
        self.assertEqual(colours.named(caption), colour)

    def test_share_by_hand(self):
        images = np.stack([disc("red"), disc("blue"), disc("pink")])
        captions = [
            ["red circle", "a circle"],  # right, nothing asked
            ["green circle", "a drawing of circle in blue"],  # wrong, right
            ["white circle", "gray circle"],  # not among the colours
        ]
        right = colours.truth_of_real(images, captions)
        self.assertAllEqual(right, [True, False, True])

    def test_captions_without_colour_ask_nothing(self):
        right = colours.truth_of_real(disc("red")[None], [["a circle"]])
        self.assertEmpty(right)


if __name__ == "__main__":
    tf.test.main()
