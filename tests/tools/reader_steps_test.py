"""Examines what readers' moves are timed on."""

import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import batch as glossary
from tests.recipes import couples
from tools import reader_steps


class StepsTest(parameterized.TestCase, tf.test.TestCase):
    """Drawn batches play whole moves, and their parts are told."""

    def setUp(self):
        super().setUp()
        couples.quickly(self)

    @parameterized.product(
        name=("damsm_cub", "damsm_openmoji"), scale=tuple(couples.VARIANTS)
    )
    def test_every_variant_plays_on_what_is_drawn(self, name, scale):
        config = couples.config(name, scale)
        system = reader_steps.system(config, text_dim=6)
        drawn = reader_steps.batch(config, system)
        known = {key: x for key, x in drawn.items() if glossary.entry(key)}
        glossary.check(known)
        apart = {key.rpartition("_")[2] for key in set(drawn) - set(known)}
        self.assertLessEqual(apart, {"regions", "pooled"})
        logs = system.fit(
            tf.data.Dataset.from_tensors(drawn), verbose=0
        ).history
        self.assertEqual(int(system.moves.numpy()), 1)
        for values in logs.values():
            self.assertAllInRange(values, 0.0, 1e3)

    def test_parts_and_what_is_left_are_the_whole(self):
        config = couples.config("damsm_cub", "smoke_cl")
        system = reader_steps.system(config)
        drawn = reader_steps.batch(config, system)
        parts = reader_steps.parts(system, drawn, 2.0)
        self.assertLen(parts, 4)
        self.assertAllClose(sum(parts.values()), 2000.0, atol=1.0)
        self.assertGreater(min([*parts.values()][:3]), 0.0)

    def test_frozen_networks_of_the_papers_are_drawn_not_sought(self):
        config = couples.config("damsm_cub", "paper")
        self.assertIsNone(config.image.source)
        reader_steps.system(config)
        self.assertEqual(config.image.source, "random")


if __name__ == "__main__":
    tf.test.main()
