"""Examines what the shell scripts answer before they do anything."""

import os
import pathlib
import subprocess
import tempfile

import tensorflow as tf
from absl.testing import parameterized

TOOLS = pathlib.Path(__file__).parents[2] / "tools"


class ScriptsTest(parameterized.TestCase, tf.test.TestCase):
    """Who asks for help gets it, and nothing is installed."""

    def ask(self, name, word):
        """Runs a copy of a script in a tree of its own."""
        root = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (root / "tools").mkdir()
        script = root / "tools" / name
        script.write_bytes((TOOLS / name).read_bytes())
        done = subprocess.run(
            ["bash", script, word], capture_output=True, text=True
        )
        self.assertEqual(os.listdir(root), ["tools"])
        return done

    @parameterized.product(
        name=("demo.sh", "test.sh", "venv.sh"), word=("-h", "--help")
    )
    def test_help_says_what_can_be_typed(self, name, word):
        done = self.ask(name, word)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"^[A-Z][^#]*\.\n")
        self.assertIn(f"  ./tools/{name} ", done.stdout)
        self.assertNotIn("set -euo", done.stdout)

    @parameterized.parameters("demo.sh", "venv.sh")
    def test_unknown_word_is_told(self, name):
        done = self.ask(name, "--quik")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, rf"^tools/{name}: --quik is [^\n]+\n$")


if __name__ == "__main__":
    tf.test.main()
