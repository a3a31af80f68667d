"""Examines the list of sets."""

import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import catalog

#: The sets that need no files.
HELD = [name for name, x in catalog.CATALOG.items() if not x.takes_path]


class CatalogTest(parameterized.TestCase, tf.test.TestCase):
    """What the catalog says of a set is true."""

    @parameterized.product(name=HELD, split=["train", "test"])
    def test_counts_are_true(self, name, split):
        pictures = catalog.load(name, split, 16)
        entry = catalog.CATALOG[name]
        self.assertLen(pictures, entry.counts[split])
        self.assertEqual(pictures.captions.shape[1], entry.captions_per_picture)
        self.assertEqual(pictures.size, (16, 16))
        self.assertEqual(pictures.name, f"{name}/{split}")

    @parameterized.parameters(*HELD)
    def test_parts_share_no_picture(self, name):
        train = catalog.load(name, "train", 16).keys.tolist()
        test = catalog.load(name, "test", 16).keys.tolist()
        self.assertEmpty(set(train) & set(test))

    def test_unknown_set_is_refused_with_the_known_ones(self):
        with self.assertRaisesRegex(
            ValueError, "'cub'; known are fashion_mnist, openmoji"
        ):
            catalog.load("cub")

    @parameterized.parameters(*catalog.CATALOG)
    def test_unknown_part_is_refused(self, name):
        with self.assertRaisesRegex(ValueError, "no part 'dev'; it has train"):
            catalog.load(name, "dev")


if __name__ == "__main__":
    tf.test.main()
