"""Examines the drawn shapes."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import shapes
from keras_t2i.ops import palette


class ShapesTest(parameterized.TestCase, tf.test.TestCase):
    """Pictures show exactly what their captions say."""

    def test_colour_in_the_picture_is_the_colour_in_the_words(self):
        drawn = shapes.load(60, 32)
        for name, text in zip(
            palette.dominant(drawn.images), drawn.captions[:, 0], strict=True
        ):
            self.assertIn(str(name), str(text))

    def test_place_in_the_picture_is_the_place_in_the_words(self):
        drawn = shapes.load(60, 32)
        ink = (255.0 - drawn.images).sum(-1)
        steps = np.arange(32) - 15.5
        down = (ink * steps[:, None]).sum((1, 2))
        right = (ink * steps).sum((1, 2))
        for text, d, r in zip(drawn.captions[:, 2], down, right, strict=True):
            self.assertEqual("bottom" in str(text), d > 0)
            self.assertEqual("right" in str(text), r > 0)

    def test_large_shapes_cover_more_than_small_ones(self):
        drawn = shapes.load(200, 32)
        ink = (drawn.images.min(-1) < 200).mean((1, 2))
        for form in shapes.FORMS:
            told = [(form in t, "large" in t) for t in drawn.captions[:, 1]]
            told = np.array(told)
            large, small = told.all(1), told[:, 0] & ~told[:, 1]
            self.assertGreater(ink[large].min(), ink[small].max())

    def test_label_names_colour_and_form(self):
        drawn = shapes.load(30, 8)
        for label, text in zip(drawn.labels, drawn.captions[:, 0], strict=True):
            self.assertTrue(str(text).endswith(drawn.class_names[label]))

    def test_seed_decides_everything(self):
        self.assertEqual(
            shapes.load(9, 16, 3).digest, shapes.load(9, 16, 3).digest
        )
        self.assertNotAllEqual(
            shapes.load(9, 16, 3).images, shapes.load(9, 16, 4).images
        )

    @parameterized.parameters((0, 16), (4, 7))
    def test_nothing_to_draw_is_refused(self, count, image_size):
        with self.assertRaisesRegex(ValueError, "at least one shape of 8 px"):
            shapes.load(count, image_size)


if __name__ == "__main__":
    tf.test.main()
