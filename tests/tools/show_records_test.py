"""Examines the tool that shows records."""

import io
import pathlib
import subprocess
import sys
import tempfile

import tensorflow as tf
from PIL import Image

from keras_t2i.data import prepared, records, shapes
from tools import show_records as tool


class ShowRecordsTest(tf.test.TestCase):
    """Records are found, told and drawn."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=self.get_temp_dir()))
        self.whole = shapes.load(7, 16)
        self.paths = records.write_shards(self.folder, self.whole, 2)

    def test_patterns_find_files_in_order(self):
        found = tool.found([f"{self.folder}/*.tfrecord"])
        self.assertEqual(found, self.paths)
        self.assertEqual(tool.found([str(self.folder)]), self.paths)
        with self.assertRaisesRegex(ValueError, "No record file is called x"):
            tool.found(["x*"])

    def test_description_tells_names_classes_and_captions(self):
        text = tool.described(records.read(self.paths, stream=True), 2)
        self.assertIn("7 records, 5 captions each", text)
        for row in (0, 2):  # dealt like cards: the first shard has 0, 2, ...
            self.assertIn(str(self.whole.keys[row]), text)
            for caption in self.whole.captions[row].tolist():
                self.assertIn(caption, text)
        self.assertNotIn(str(self.whole.keys[1]), text)

    def test_set_without_classes_says_nothing_of_them(self):
        path = self.folder / "plain.tfrecord"
        rows = [{**row, "label": -1} for row in records.examples(self.whole)]
        records.write(path, rows)
        text = tool.described(records.read(path), 1)
        self.assertStartsWith(text, "7 records, 5 captions each\n0  ")
        self.assertNotIn("class", text)

    def test_sheet_is_titled_by_all_its_files(self):
        paths = ["data/test.tfrecord", "data/train.tfrecord"]
        self.assertEqual(tool.titled(paths), "test, train")
        self.assertEqual(
            tool.titled([f"data/a-{i}.tfrecord" for i in range(4)]),
            "a-0 ... a-3",
        )

    def test_prepared_set_is_opened_by_part_and_verified(self):
        folder = self.folder / "set"
        prepared.write(folder, {"train": self.whole, "test": self.whole})
        words = [str(folder)]
        self.assertLen(tool.opened(words, None, verify=True), 14)
        self.assertLen(tool.opened(words, "test", verify=False), 7)
        path = folder / "test.tfrecord"
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        with self.assertRaisesRegex(ValueError, "test.tfrecord has changed"):
            tool.opened(words, "train", verify=True)

    def test_part_of_files_without_a_manifest_is_refused(self):
        with self.assertRaisesRegex(ValueError, "has no manifest.json"):
            tool.opened([str(self.folder)], "train", verify=False)

    def test_sheet_shows_the_pictures(self):
        read = records.read(self.paths, stream=True)
        sheet = Image.open(io.BytesIO(tool.sheet(read, 4, 2, 64)))
        colours = {pixel for _, pixel in sheet.getcolors(1 << 20)}
        for label in read.labels[:4]:
            name = read.class_names[label].split()[0]
            self.assertIn(shapes.COLOURS[name], colours)

    def test_mistake_is_one_sentence(self):
        done = subprocess.run(
            [sys.executable, "-m", "tools.show_records", "--records=x*"],
            cwd=pathlib.Path(tool.__file__).parents[1],
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 2)
        self.assertStartsWith(
            done.stderr.splitlines()[-1], "Error: No record file is called x*"
        )


if __name__ == "__main__":
    tf.test.main()
