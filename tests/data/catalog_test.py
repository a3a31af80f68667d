"""Examines the list of sets."""

import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import catalog, openmoji

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

    @parameterized.parameters("group", "subgroup")
    def test_kind_of_classes_may_be_asked_for(self, labels):
        pictures = catalog.load("openmoji", "train", 16, labels=labels)
        same = openmoji.load("train", 16, labels=labels)
        self.assertAllEqual(pictures.labels, same.labels)
        self.assertEqual(pictures.class_names, same.class_names)
        self.assertEqual(pictures.name, "openmoji/train")
        self.assertIn(labels, catalog.CATALOG["openmoji"].labels)

    def test_first_kind_of_classes_is_the_usual_one(self):
        for name, entry in catalog.CATALOG.items():
            if entry.labels:
                usual = catalog.load(name, "test", 16)
                first = catalog.load(name, "test", 16, labels=entry.labels[0])
                self.assertEqual(usual.digest, first.digest)
                others = entry.labels[1:]
                for other in others:
                    found = catalog.load(name, "test", 16, labels=other)
                    self.assertNotEqual(found.digest, first.digest)

    @parameterized.parameters(
        ("openmoji", "colour", "kind 'colour'; it has group, subgroup"),
        ("shapes", "group", "kind 'group'; it has one kind only"),
        ("fashion_mnist", "group", "kind 'group'; it has one kind only"),
        ("records", "group", "kind 'group'; it has one kind only"),
    )
    def test_unknown_kind_of_classes_is_refused(self, name, labels, sentence):
        with self.assertRaisesRegex(
            ValueError, f"Set '{name}' has no classes of {sentence}"
        ):
            catalog.load(name, labels=labels)

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
