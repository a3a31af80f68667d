"""Examines the packaged icons."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import openmoji


def small(pictures):
    """(N, 3072) float32: pictures averaged to 32 px."""
    cells = pictures.images.reshape(-1, 32, 2, 32, 2, 3)
    return cells.mean((2, 4), dtype=np.float32).reshape(len(pictures), -1)


class OpenMojiTest(parameterized.TestCase, tf.test.TestCase):
    """The packaged set is whole, licensed, and split without leaks."""

    def test_parts_make_the_whole(self):
        whole = openmoji.load()
        train, test = openmoji.load("train"), openmoji.load("test")
        self.assertLen(whole, 2023)
        self.assertCountEqual(
            train.keys.tolist() + test.keys.tolist(), whole.keys.tolist()
        )
        self.assertBetween(len(test) / len(whole), 0.08, 0.12)

    def test_no_family_is_split(self):
        data = openmoji.arrays()
        test = set(data["families"][data["is_test"]].tolist())
        train = set(data["families"][~data["is_test"]].tolist())
        self.assertEmpty(test & train)

    def test_no_test_picture_is_almost_a_training_picture(self):
        train, test = (
            small(openmoji.load("train")),
            small(openmoji.load("test")),
        )
        apart = (
            (test**2).sum(1)[:, None] + (train**2).sum(1) - 2 * test @ train.T
        )
        nearest = np.sqrt(apart.min() / train.shape[1])
        self.assertGreater(nearest, 10.0)  # grey levels

    def test_every_icon_has_five_captions_that_hold_its_name(self):
        data = openmoji.arrays()
        self.assertEqual(data["captions"].shape, (2023, 5))
        for name, texts in zip(data["names"], data["captions"], strict=True):
            for text in texts:
                self.assertIn(str(name), str(text))

    def test_labels_are_groups_or_subgroups(self):
        groups = openmoji.load()
        subgroups = openmoji.load(labels="subgroup")
        self.assertLen(groups.class_names, 10)
        self.assertLen(subgroups.class_names, 113)
        heart = groups.keys.tolist().index("2764")
        label = subgroups.class_names[subgroups.labels[heart]]
        self.assertEqual(label, "smileys-emotion/heart")
        self.assertTrue(
            label.startswith(groups.class_names[groups.labels[heart]])
        )

    def test_smaller_sizes_are_averages(self):
        large, halved = openmoji.load("test"), openmoji.load("test", 32)
        mean = large.images[5, :2, 30:32].astype(float).mean((0, 1))
        self.assertAllClose(halved.images[5, 0, 15], mean, atol=0.5)

    def test_card_gives_licence_and_attribution(self):
        card = openmoji.card()
        self.assertEqual(card["licence"], "CC BY-SA 4.0")
        self.assertIn("OpenMoji", card["attribution"])

    @parameterized.parameters(
        (dict(split="dev"), "allowed are 'train', 'test' and None"),
        (dict(image_size=48), "whole fractions"),
        (dict(image_size=128), "prepare_openmoji.py --size"),
        (dict(labels="colour"), "'group' and 'subgroup'"),
    )
    def test_bad_argument_gets_a_sentence(self, arguments, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            openmoji.load(**arguments)


if __name__ == "__main__":
    tf.test.main()
