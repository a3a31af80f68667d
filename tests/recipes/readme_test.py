"""Runs what the README promises to run."""

import contextlib
import pathlib
import re
import tempfile
from unittest import mock

import tensorflow as tf

import recipes
from keras_t2i import weights
from recipes import letters
from tests.recipes import runs

README = pathlib.Path(recipes.__file__).parents[1] / "README.md"


class ReadmeTest(tf.test.TestCase):
    """Its Python is as short as it says, and right."""

    def test_ten_lines_are_ten_and_draw_a_picture(self):
        runs.folder(self)
        section = README.read_text().partition("## Python in ten lines")[2]
        code = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
        lines = [line for line in code.splitlines() if line.strip()]
        self.assertLen(lines, 10)
        # A slimmer network, one move, and a reader without weights.
        for there, here in (
            ("width=16", "width=2"),
            ("batch_size=16", "batch_size=2"),
            ("steps_per_epoch=100, epochs=10", "steps_per_epoch=1, verbose=0"),
        ):
            self.assertIn(there, code)
            code = code.replace(there, here)
        here = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(contextlib.chdir(here))
        names = {}
        reader = mock.patch.object(
            weights.pretrained, "minilm", letters.Letters
        )
        with reader:
            exec(compile(code, "README.md", "exec"), names)
        drawn = tf.io.decode_png((here / "heart.png").read_bytes())
        self.assertEqual(drawn.shape, (64, 64, 3))
        self.assertEqual(int(names["system"].moves.numpy()), 1)

    def test_pair_of_readers_reads_as_it_says(self):
        section = README.read_text().partition("## Readers that agree")[2]
        code = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
        names = {}
        exec(compile(code, "README.md", "exec"), names)
        told, seen = names["told"], names["seen"]
        self.assertEqual(told["sentence"].shape, (1, 256))
        self.assertEqual(told["words"].shape[::2], (1, 256))
        self.assertEqual(seen["code"].shape, (1, 256))
        self.assertEqual(seen["regions"].shape, (1, 8, 8, 256))


if __name__ == "__main__":
    tf.test.main()
