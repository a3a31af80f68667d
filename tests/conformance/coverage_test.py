"""The list of candidates is complete."""

import tensorflow as tf

from keras_t2i import networks, systems
from tests.conformance import cases


class CoverageTest(tf.test.TestCase):
    """Whoever is public is examined."""

    def test_every_system_has_a_row(self):
        rows = {row.name for row in cases.SYSTEMS}
        self.assertEqual(set(systems.__all__) - rows, {"System"})

    def test_every_pair_of_networks_has_a_row(self):
        pairs = {
            name
            for name in networks.__all__
            if hasattr(getattr(networks, name), "discriminator")
        }
        self.assertEqual(pairs, {row.name for row in cases.NETWORKS})

    def test_row_names_are_unique(self):
        for rows in (cases.SYSTEMS, cases.NETWORKS):
            names = [row.name for row in rows]
            self.assertCountEqual(names, set(names))


if __name__ == "__main__":
    tf.test.main()
