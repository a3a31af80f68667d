"""Examines that commands print their own lines only."""

import os
import pathlib
import subprocess
import sys
import tempfile

import tensorflow as tf

from recipes import quiet

ROOT = pathlib.Path(quiet.__file__).parents[1]


class QuietTest(tf.test.TestCase):
    """Other libraries' chatter stays out; what matters comes through."""

    def test_command_prints_nothing_but_its_own(self):
        environment = dict(os.environ)
        environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
        code = (
            "from recipes import messages\n"
            "def main(_):\n"
            "    import tensorflow as tf\n"
            "    from absl import logging\n"
            "    tf.get_logger().warning('chatter')\n"
            "    logging.info('chatter')\n"
            "    print(int(tf.reduce_sum(tf.ones(3))))\n"
            "    tf.get_logger().error('in earnest')\n"
            "messages.run(main)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        self.assertEqual((done.returncode, done.stdout), (0, "3\n"))
        self.assertRegex(done.stderr, r"^[^\n]*in earnest\n([^\n]*earnest\n)?$")

    def test_filter_leaves_errors_and_what_it_does_not_know(self):
        lines = (
            b"WARNING: All log messages before absl::InitializeLog() is\n"
            b"I0000 00:00:1795249175.125806    4787 port.cc:153] oneDNN\n"
            b"E0000 00:00:1795249175.125806    4787 any.cc:1] broken\n"
            b"To enable the following instructions: AVX2\n"
            b"Traceback\n"
        )
        with tempfile.TemporaryFile() as file:
            with quiet._filtered(file.fileno()):
                os.write(file.fileno(), lines)
            file.seek(0)
            kept = file.read().splitlines()
        self.assertLen(kept, 2)
        self.assertStartsWith(kept[0], b"E0000")
        self.assertEqual(kept[1], b"Traceback")


if __name__ == "__main__":
    tf.test.main()
