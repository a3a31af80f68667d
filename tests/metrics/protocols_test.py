"""Examines protocols: what networks are shown, and what may be compared."""

import dataclasses
import json

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.metrics import features, protocols
from keras_t2i.ops import resizing

OFFLINE = protocols.PRESETS["offline"]


def floats(count=5, seed=0):
    """Draws pictures as generators give them."""
    drawn = np.random.RandomState(seed).uniform(-1, 1, (count, 8, 8, 3))
    return drawn.astype(np.float32)


def like_offline(**settings):
    """Makes a protocol that differs from the offline one."""
    return dataclasses.replace(OFFLINE, **settings)


class ShownTest(tf.test.TestCase):
    """Only what counts is judged."""

    def test_all_pictures_count_unless_batches_are_wanted(self):
        parts = [floats(3, 0), floats(2, 1)]
        shown = list(OFFLINE.shown(iter(parts)))
        self.assertEqual([len(batch) for batch in shown], [3, 2])

    def test_only_whole_batches_count(self):
        parts = [floats(3, 0), floats(2, 1), floats(4, 2)]
        whole = np.concatenate(parts)
        protocol = like_offline(batch=4)
        shown = list(protocol.shown(iter(parts)))
        self.assertEqual([len(batch) for batch in shown], [4, 4])
        self.assertAllEqual(np.concatenate(shown), whole[:8])

    def test_later_batches_are_made_later(self):
        made = []

        def later(count):
            def make():
                made.append(count)
                return floats(count)

            return features.Later(count, f"{count}", make)

        protocol = like_offline(batch=4)
        shown = list(protocol.shown([later(4), later(3)]))
        self.assertEqual(([one.count for one in shown], made), ([4], []))
        self.assertAllEqual(shown[0].make(), floats(4))
        self.assertEqual(made, [4])


class PresetsTest(parameterized.TestCase, tf.test.TestCase):
    """Published protocols have names, and cards fit for JSON."""

    def test_names(self):
        self.assertCountEqual(
            protocols.PRESETS,
            ["clean", "tf_2015", "dm_gan", "galip", "xmc", "cub_is", "offline"],
        )
        with self.assertRaisesRegex(ValueError, "'ttur'; known are offline, "):
            protocols.preset("ttur")

    @parameterized.parameters(*protocols.PRESETS)
    def test_card_tells_what_changes_numbers(self, name):
        protocol = protocols.preset(name)
        card = protocol.card()
        self.assertEqual(card["preset"], name)
        self.assertEqual(json.loads(json.dumps(card)), card)
        resizing.check(protocol.resize)
        for other in protocols.PRESETS:
            is_same = not protocols.differences(
                card, protocols.preset(other).card()
            )
            self.assertEqual(is_same, other == name)

    def test_labels_tell_figures_apart(self):
        labels = [one.label for one in protocols.PRESETS.values()]
        self.assertLen(set(labels), len(labels))

    def test_mistakes_give_sentences(self):
        with self.assertRaisesRegex(ValueError, "rounding 'up'; allowed are"):
            like_offline(rounding="up")
        with self.assertRaisesRegex(ValueError, "asks for lpips; known"):
            like_offline(figures=("fid", "lpips"))


class DifferencesTest(tf.test.TestCase):
    """What was judged may differ; how may not."""

    def test_candidates_and_versions_may_differ(self):
        one = {"moves": 1, "seeds": [0], "versions": {"a": 1}, "resize": "x"}
        other = {"parameters": 2, "versions": {"a": 2}, "resize": "x"}
        other |= {"trained_with": ["x"], "matcher": {"image": "y"}}
        self.assertEmpty(protocols.differences(one, other))

    def test_all_else_is_told_in_order(self):
        one = {"split": "test", "counts": {"candidate": 9, "reference": 5}}
        other = {"counts": {"candidate": 8, "reference": 5}, "jpeg": None}
        self.assertEqual(
            protocols.differences(one, other),
            [
                "counts.candidate is 9 and 8",
                "jpeg is not told and None",
                "split is 'test' and not told",
            ],
        )


if __name__ == "__main__":
    tf.test.main()
