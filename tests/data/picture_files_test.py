"""Examines how folders of pictures are read to be judged."""

import gc
import io
import json
import os
import pathlib
import tempfile
import threading

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from keras_t2i.data import augment, picture_files


def painted(seed, height=12, width=12):
    """Draws noise: (H, W, 3) uint8."""
    numbers = np.random.default_rng(seed)
    return numbers.integers(0, 256, (height, width, 3), np.uint8)


def encoded(pixels, kind="PNG"):
    """Encodes pixels."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


class FolderTest(parameterized.TestCase, tf.test.TestCase):
    """Gives each test a folder of its own."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory()), "drawn"
        )
        self.folder.mkdir()

    def write(self, name, content=b""):
        """Writes bytes, words or pixels under a name."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, np.ndarray):
            content = encoded(content)
        if isinstance(content, str):
            content = content.encode()
        path.write_bytes(content)

    def pictures(self, count):
        """Writes pictures and answers their pixels."""
        drawn = [painted(seed) for seed in range(count)]
        for seed, pixels in enumerate(drawn):
            self.write(f"{seed:03d}.png", pixels)
        return np.stack(drawn)

    def refused(self, **how):
        """Opens a folder that can't be opened; answers the sentence."""
        with self.assertRaises(ValueError) as caught:
            picture_files.opened(self.folder, **how)
        self.assertNotIn("\n", str(caught.exception))
        return str(caught.exception)


class PicturesTest(FolderTest):
    """What is found and what is seen."""

    @parameterized.parameters(1, 3, 7, 50)
    def test_batches_hold_every_picture_once_in_order(self, size):
        drawn = self.pictures(7)
        found = picture_files.opened(self.folder)
        batches = list(found.batches(size))
        self.assertLen(found, 7)
        self.assertEqual(found.size, (12, 12))
        self.assertTrue(all(b.dtype == np.uint8 for b in batches))
        self.assertTrue(all(len(b) == size for b in batches[:-1]))
        self.assertAllEqual(np.concatenate(batches), drawn)

    def test_names_below_the_folder_give_the_order(self):
        for name in ("b.png", "a/z.png", "a.PNG", "c.Jpeg", "a/b/c.jpg"):
            self.write(name, painted(0))
        found = picture_files.opened(self.folder)
        names = [p.relative_to(self.folder).as_posix() for p in found.paths]
        self.assertEqual(
            names, ["a.PNG", "a/b/c.jpg", "a/z.png", "b.png", "c.Jpeg"]
        )

    def test_hidden_files_and_other_suffixes_are_left_out_and_counted(self):
        self.pictures(2)
        for name in (".a.png", ".DS_Store", ".git/b.png", "c.gif", "d/e.gif"):
            self.write(name, painted(0))
        for name in ("notes", "log.txt", "README.txt", "d/captions.csv"):
            self.write(name, "words")
        found = picture_files.opened(self.folder)
        self.assertLen(found, 2)
        self.assertEqual(
            found.left_out,
            {
                "hidden": 2,
                ".gif": 2,
                "without ending": 1,
                ".txt": 2,
                ".csv": 1,
            },
        )
        self.assertIsNone(found.captions)

    def test_pipes_are_left_out_and_counted(self):
        drawn = self.pictures(2)
        for name in ("z.png", "000.txt", "pipe", ".a.png"):
            os.mkfifo(self.folder / name)
        (self.folder / "y.png").symlink_to(self.folder / "001.png")
        found = picture_files.opened(self.folder)
        self.assertAllEqual(
            np.concatenate([*found.batches()]), drawn[[0, 1, 1]]
        )
        self.assertEqual(found.left_out, {"hidden": 1, "no regular file": 3})
        self.assertIsNone(found.captions)
        (self.folder / "x.png").symlink_to(self.folder / "gone.png")
        self.assertIn("x.png can't be read: No such file", self.refused())

    def test_every_kind_of_picture_becomes_colours_on_white(self):
        for name, picture in (
            ("a.png", Image.new("RGBA", (12, 12), (0, 0, 0, 0))),
            ("b.png", Image.new("L", (12, 12), 80)),
            ("c.jpg", Image.new("CMYK", (12, 12), (0, 0, 0, 255))),
        ):
            picture.save(self.folder / name)
        (batch,) = picture_files.opened(self.folder).batches()
        self.assertAllEqual(batch[:, 0, 0, 0], [255, 80, 0])
        self.assertAllEqual(batch, batch[:, :1, :1, :1] + 0 * batch)

    @parameterized.parameters("cut", "squash", "keep")
    def test_size_that_is_asked_for_is_made_as_in_training(self, fit):
        drawn = [painted(0, 24, 40), painted(1, 30, 20), painted(2, 8, 8)]
        for seed, pixels in enumerate(drawn):
            self.write(f"{seed}.png", pixels)
        found = picture_files.opened(self.folder, size=10, fit=fit)
        self.assertEqual(found.size, (10, 10))
        frame = augment.Frame(10, fit=fit)
        (batch,) = found.batches()
        for pixels, made in zip(drawn, batch, strict=True):
            expected = frame.encoded(tf.constant(encoded(pixels)))
            gap = np.abs(np.float32(made) - expected.numpy())
            self.assertLess(gap.max(), 0.51)  # of a grey level: rounding

    def test_size_that_is_there_changes_nothing(self):
        drawn = self.pictures(2)
        found = picture_files.opened(self.folder, size=12)
        self.assertAllEqual(np.concatenate([*found.batches()]), drawn)

    def test_digest_names_contents_and_nothing_else(self):
        self.pictures(3)
        before = picture_files.opened(self.folder).digest
        self.write("000.txt", "a bird")
        (self.folder / "002.png").rename(self.folder / "9.png")
        self.assertEqual(picture_files.opened(self.folder).digest, before)
        self.write("9.png", painted(9))
        self.assertNotEqual(picture_files.opened(self.folder).digest, before)

    def test_reader_that_stops_early_leaves_no_thread(self):
        self.pictures(40)
        before = threading.active_count()
        batches = picture_files.opened(self.folder).batches(2)
        next(batches)
        del batches
        gc.collect()
        self.assertEqual(threading.active_count(), before)

    def test_few_pictures_are_held_at_once(self):
        self.pictures(40)
        found = picture_files.opened(self.folder)
        batches = found.batches(2)
        next(batches)
        for path in found.paths[8:]:
            path.unlink()
        next(batches)  # The pictures that are gone were not looked at.
        with self.assertRaisesRegex(ValueError, "008.png can't be read: No"):
            list(batches)


class MistakesTest(FolderTest):
    """What can't be judged is told by a sentence."""

    def test_no_folder(self):
        self.folder /= "deep"
        self.assertIn("drawn/deep is missing", self.refused())
        self.write("../file")
        self.folder = self.folder.parent / "file"
        self.assertIn("file is a file, no folder", self.refused())

    def test_no_pictures(self):
        self.assertRegex(self.refused(), "no pictures; taken are .png, .jpg")
        self.write("a.webp")
        self.assertIn("Left out: 1 .webp.", self.refused())

    def test_too_few_are_counted(self):
        self.pictures(3)
        self.write(".a.png")
        self.assertRegex(
            self.refused(least=5_000),
            r"drawn holds 3 picture\(s\); 5,000 are needed. .* 1 hidden.$",
        )
        self.assertLen(picture_files.opened(self.folder, least=3), 3)

    @parameterized.parameters(
        (b"", "an empty file"),
        (b"GIF", "a file that is no picture"),
        (encoded(painted(0))[:-30], "a PNG that is (cut off|damaged)"),
        (encoded(painted(0), "JPEG")[:-30], "a JPEG that is cut off"),
    )
    def test_unreadable_file_is_named_before_anything_is_judged(
        self, data, reason
    ):
        self.pictures(3)
        self.write("001.png", data)
        self.assertRegex(
            self.refused(), f"picture .*/001.png can't be read: {reason}.$"
        )

    def test_damage_inside_is_named_when_it_is_met(self):
        self.pictures(3)
        data = bytearray(encoded(painted(0)))
        data[60] ^= 255
        self.write("001.png", bytes(data))
        found = picture_files.opened(self.folder)
        with self.assertRaisesRegex(ValueError, "001.png can't be read: a PNG"):
            list(found.batches())

    def test_mixed_sizes_are_named_by_two_files(self):
        self.pictures(5)
        self.write("003.png", painted(0, 16, 12))
        self.assertRegex(
            self.refused(),
            r"differ in size: .*/000.png has 12 x 12 px, .*/003.png 16 x 12 "
            r"\(1 of 5 are not like the first\). Give the image size to which",
        )

    def test_picture_that_changes_meanwhile_is_named(self):
        self.pictures(3)
        found = picture_files.opened(self.folder)
        self.write("002.png", painted(0, 16, 12))
        with self.assertRaisesRegex(
            ValueError, "002.png has 16 x 12 px; it had 12 x 12 when"
        ):
            list(found.batches())

    @parameterized.parameters(
        (dict(size=0), "image_size is 0"), (dict(size=8, fit="ct"), "'ct'")
    )
    def test_wrong_size_or_fit(self, how, sentence):
        self.pictures(1)
        self.assertIn(sentence, self.refused(**how))


class CaptionsTest(FolderTest):
    """Captions lie beside pictures or in a table."""

    def captions(self):
        """Opens the folder and reads its captions."""
        return picture_files.opened(self.folder).captions

    def complaint(self):
        """Reads captions that can't be read; answers the sentence."""
        found = picture_files.opened(self.folder)
        self.assertNotEmpty(list(found.batches()))  # Judged without them.
        with self.assertRaises(ValueError) as caught:
            _ = found.captions
        return str(caught.exception)

    def test_sidecars_are_read_by_their_first_line(self):
        self.pictures(2)
        self.write("in/a.jpeg", painted(3))
        self.write("000.txt", "\n a  red bird \nanother\n")
        self.write("001.TXT", "\ufeffein Vögelchen")
        self.write("in/a.txt", "a boat")
        self.write("README.txt", "about")
        self.assertEqual(
            self.captions(), ("a red bird", "ein Vögelchen", "a boat")
        )
        found = picture_files.opened(self.folder)
        self.assertEqual(found.left_out, {".txt": 1})

    def test_lines_of_json_are_read(self):
        self.pictures(2)
        self.write("in/a.png", painted(3))
        rows = [
            {"file_name": "in/a.png", "text": "a boat\u2028at sea"},
            {"image": "./001.png", "captions": ["a cat", "it"], "seed": 3},
            {"path": "000.png", "caption": "a dog"},
            {"path": "000.png", "caption": "a second one"},
        ]
        text = "\n".join(json.dumps(r, ensure_ascii=False) for r in rows)
        self.write("captions.jsonl", f"{text}\n\n")
        self.assertEqual(self.captions(), ("a dog", "a cat", "a boat at sea"))

    def test_tables_are_read(self):
        self.pictures(2)
        rows = 'filename,seed,caption\n001.png,3,"a cat, ""sad"""\n000.png,1,x'
        self.write("captions.csv", rows)
        self.assertEqual(self.captions(), ("x", 'a cat, "sad"'))

    def test_names_of_windows_are_understood(self):
        self.pictures(1)
        self.write("in/a.png", painted(3))
        rows = "file,text\n.\\in\\a.png,a boat\n.\\000.png,a bird\n"
        self.write("captions.csv", rows)
        self.assertEqual(self.captions(), ("a bird", "a boat"))
        self.write("b\\c.png", painted(4))
        self.write("captions.csv", rows + "b\\c.png,a cat\n")
        self.assertEqual(self.captions(), ("a bird", "a cat", "a boat"))

    def test_captions_of_pictures_that_are_not_there_are_named(self):
        self.pictures(1)
        self.write("000.txt", "a bird")
        self.write("7.txt", "a cat")
        self.assertRegex(
            self.complaint(), r"1 caption\(s\) without a picture, .* 7.txt\."
        )

    def test_pictures_without_a_caption_are_counted_and_named(self):
        self.pictures(3)
        self.write("captions.csv", "file,text\n000.png,a bird\n")
        self.assertRegex(
            self.complaint(),
            r"2 picture\(s\) without a caption among 3, the first 001.png",
        )

    @parameterized.parameters(
        ("captions.jsonl", "{", "captions.jsonl, line 1, is no JSON"),
        ("captions.jsonl", "[]", "line 1, does not name a picture"),
        ("captions.jsonl", '\n{"file": "0", "text": 3}', "line 2, does not"),
        ("captions.csv", "name,words\na,b", r"line 2, does not.*\(file_name"),
        ("captions.csv", "file,text\n000.png", "line 2, does not name"),
        ("captions.jsonl", "\n", "captions.jsonl holds no captions"),
        ("captions.csv", "", "captions.csv holds no captions"),
        ("captions.csv", "file,text\n", "captions.csv holds no captions"),
        ("000.txt", b"\xff\xfe", "000.txt is not UTF-8"),
        ("000.txt", " \n", "caption of .*000.png is empty"),
    )
    def test_what_is_no_caption_is_named(self, name, content, sentence):
        self.pictures(1)
        self.write(name, content)
        self.assertRegex(self.complaint(), sentence)

    def test_two_tables_are_refused(self):
        self.pictures(1)
        self.write("captions.csv", "file,text\n")
        self.write("captions.jsonl", "")
        self.assertIn("captions.jsonl and captions.csv", self.complaint())


if __name__ == "__main__":
    tf.test.main()
