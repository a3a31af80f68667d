"""Examines the clock of input pipelines."""

import importlib
import io
import json
import pathlib
import stat
import sys
import tempfile
import types
from unittest import mock

import numpy as np
import tensorflow as tf
from PIL import Image

from keras_t2i.data import pipeline, prepared
from tests.recipes import command
from tools import time_pipeline as tool

#: Stands for the other side: it counts, and loads nothing.
_COUNTER = """
import sys, time
print("imported", flush=True)
for line in sys.stdin:
    time.sleep(0.01 * int(line))
    print("done", flush=True)
"""
_TINY = ("--image_size=16", "--batch_size=4", "--rounds=2", "--batches=3")


class TimePipelineTest(tf.test.TestCase):
    """The last line is JSON with all that a comparison needs."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=self.get_temp_dir()))

    def timed(self, *words):
        code, printed, complained = command.run(
            "time_pipeline", *_TINY, *words, room="tools"
        )
        self.assertEqual((code, complained), (0, ""))
        return json.loads(printed.splitlines()[-1])

    def refused(self, *words):
        code, _, complained = command.run(
            "time_pipeline", *_TINY, *words, room="tools"
        )
        self.assertEqual(code, 2)
        return complained

    def other_side(self):
        """Makes a Python that has torch, or says so, and loads nothing."""
        counter, python = self.folder / "counter.py", self.folder / "python"
        counter.write_text(_COUNTER)
        python.write_text(
            '#!/bin/sh\nif [ "$1" = -c ]; then exit 0; fi\n'
            f'exec {sys.executable} "{counter}"\n'
        )
        python.chmod(python.stat().st_mode | stat.S_IXUSR)
        return f"--torch_python={python}"

    def test_sides_take_turns_and_medians_are_compared(self):
        row = self.timed(
            self.other_side(), "--count=5", "--stored=prepared", "--threads=0"
        )
        ours, torch = (row["pictures_per_s"][n] for n in ("ours", "torch"))
        self.assertAllClose(row["ratio"], ours / torch, rtol=0.01)
        self.assertBetween(torch, 100, 400)  # 0.01 s a batch of four, at least
        self.assertGreaterEqual(row["cpu_ms_a_picture"]["torch"], 0.0)
        self.assertEqual(
            (row["stored"], row["rounds"], row["threads"]), ("prepared", 2, 0)
        )

    def test_memory_is_told_of_both_sets(self):
        row = self.timed("--memory", "--records=8,20")
        few, many = row["memory_mb"]["8"], row["memory_mb"]["20"]
        self.assertBetween(few, 100, 4000)
        difference = 100 * (many / few - 1)
        self.assertAllClose(row["difference_percent"], difference, atol=0.1)
        self.assertEqual(row["pictures_streamed"], 20)

    def test_start_is_told_with_and_without_imports(self):
        row = self.timed("--startup", "--records=8,20", "--rounds=1")
        self.assertGreater(row["with_imports_s"], row["first_batch_s"])
        self.assertGreater(row["first_batch_s"], 0.0)
        self.assertEqual(row["records"], 20)

    def test_python_without_torch_is_refused(self):
        python = self.folder / "python"
        python.write_text("#!/bin/sh\necho No module torch >&2\nexit 1\n")
        python.chmod(python.stat().st_mode | stat.S_IXUSR)
        self.assertRegex(
            self.refused(f"--torch_python={python}"),
            r"cannot import torch and PIL \(No module torch\); give "
            "--torch_python",
        )
        missing = self.folder / "none"
        self.assertIn(
            f"{missing} cannot import torch",
            self.refused(f"--torch_python={missing}"),
        )

    def test_flags_that_do_not_fit_are_refused(self):
        for records in ("8", "20,8", "2,20", "a,b"):
            said = self.refused("--memory", f"--records={records}")
            self.assertIn("takes two numbers, the larger last", said)
        said = self.refused("--memory", "--startup")
        self.assertIn("give one of them", said)
        Image.new("RGB", (9, 9)).save(self.folder / "one.jpg")
        words = self.other_side(), f"--pictures={self.folder}"
        said = self.refused(*words)
        self.assertIn("has 1 .jpg files; a batch needs 4", said)


class SidesTest(tf.test.TestCase):
    """Both sides do the same work."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=self.get_temp_dir()))
        nothing = types.ModuleType("torch")
        nothing.randint = lambda high, shape: np.zeros(shape, np.int64)[0]
        nothing.randperm = lambda count: tf.reverse(tf.range(count), [0])
        with mock.patch.dict(sys.modules, torch=nothing):
            self.loader = importlib.import_module(
                "tools.pipelines.torch_loader"
            )

    def test_pictures_are_drawn_alike_every_time(self):
        self.assertEqual(tool.drawn(3), tool.drawn(3))
        self.assertNotEqual(tool.drawn(3), tool.drawn(4))
        image = Image.open(io.BytesIO(tool.drawn(3)))
        self.assertEqual((image.size, image.format), ((640, 480), "JPEG"))
        self.assertBetween(len(tool.drawn(3)), 60_000, 200_000)

    def test_captions_are_as_long_as_those_of_people(self):
        told = tool.captions(50)
        self.assertEqual({len(rows) for rows in told}, {5})
        lengths = {len(row.split()) for rows in told for row in rows}
        self.assertEqual(lengths, set(range(6, 21)))

    def test_squares_are_equal_where_nothing_is_left_to_chance(self):
        originals = [tool.drawn(0, 96, 96)]
        told = tool.captions(1)
        tool.write_files(self.folder, originals, told)
        tool.write_set(self.folder / "set", originals, told, False)
        (batch,) = pipeline.batches(
            prepared.load(self.folder / "set", "train"),
            batch_size=1,
            image_size=64,
            base_size=16,
            crop=64,
            fit="keep",
            seed=0,
            moves=1,
        )
        pictures = self.loader.Pictures(
            {
                "folder": str(self.folder),
                "captions": str(self.folder / "captions.json"),
                "image_size": 64,
                "base_size": 16,
                "crop": 64,
                "max_words": 18,
            }
        )
        self.assertEqual(pictures.sizes, [16, 32, 64])
        with Image.open(pictures.paths[0]) as opened:
            square = pictures.square(opened.convert("RGB"))
        for size in pictures.sizes:
            scaled = square.resize((size, size), Image.Resampling.BILINEAR)
            key = "image" if size == 64 else f"image_{size}"
            ours = (batch[key][0].numpy() + 1.0) * 127.5
            difference = np.abs(ours - np.asarray(scaled, np.float64))
            self.assertLess(difference.mean(), 1.0)

    def test_long_captions_lose_words_and_keep_their_order(self):
        told = {"0.jpg": [list(range(1, 21))]}
        (self.folder / "0.jpg").touch()
        (self.folder / "captions.json").write_text(json.dumps(told))
        settings = {"folder": self.folder, "max_words": 18, "crop": 64}
        settings |= {"captions": self.folder / "captions.json"}
        settings |= {"image_size": 64, "base_size": 16}
        ids, length = self.loader.Pictures(settings).caption(0)
        self.assertEqual(length, 18)
        self.assertAllEqual(ids, np.arange(3, 21))  # of a reversed order


if __name__ == "__main__":
    tf.test.main()
