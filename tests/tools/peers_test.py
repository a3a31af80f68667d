"""Examines which Pythons may run what we are compared with."""

import sys

import tensorflow as tf

from tools import peers


class CheckTest(tf.test.TestCase):
    """Each is tried before anything is timed."""

    def test_python_that_has_all_is_taken(self):
        peers.check(sys.executable, "json", "os")

    def test_what_is_missing_is_named(self):
        with self.assertRaisesRegex(ValueError, "json and torhc .*'torhc'"):
            peers.check(sys.executable, "json", "torhc")

    def test_what_is_no_python_is_named(self):
        with self.assertRaisesRegex(ValueError, "/no/python .*No such file"):
            peers.check("/no/python", "json")


if __name__ == "__main__":
    tf.test.main()
