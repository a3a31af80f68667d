"""Own pictures: from a folder that the test draws to a sampled picture."""

import ast
import io
import os
import pathlib
import resource
import shlex
import subprocess
import sys
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from keras_t2i.data import catalog, records, shapes
from tests.recipes import command
from tools import prepare_folder as tool

ROOT = pathlib.Path(__file__).parents[2]


def save(folder, name, picture, text=None, **options):
    """Writes a picture and, if given, the text beside it."""
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    path = pathlib.Path(folder, name)
    picture.save(path, **options)
    if text is not None:
        path.with_suffix(".txt").write_text(text, encoding="utf-8")
    return path


def plain(colour, width=24, height=24, mode="RGB"):
    """Paints a picture of one colour."""
    return Image.new(mode, (width, height), colour)


def fill(folder, count=40, size=24):
    """Draws shapes with one to five captions each, in all kinds of file."""
    drawn = shapes.load(count, size, seed=3)
    for i, image in enumerate(drawn.images):
        ending = ("png", "jpg", "jpeg", "webp", "PNG")[i % 5]
        text = "\n".join(drawn.captions[i][: 1 + i % 5])
        save(folder, f"p{i:02d}.{ending}", image, text)


def in_words(text):
    """Splits what the tool printed as a shell would."""
    return shlex.split(text.replace("\\\n", " "))


def pixels(data):
    """Decodes PNG bytes."""
    return np.asarray(Image.open(io.BytesIO(data)))


class FolderTest(parameterized.TestCase, tf.test.TestCase):
    """A folder of its own for each test."""

    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.folder = pathlib.Path(folder)
        self.pictures = self.folder / "pictures"
        self.pictures.mkdir()
        self.out = self.folder / "out"

    def run_tool(self, **changes):
        """Runs the tool in this process; returns what it printed."""
        options = dict(
            pictures=str(self.pictures),
            out=str(self.out),
            size=16,
            test_share=0.1,
        )
        printed = io.StringIO()
        with mock.patch("sys.stdout", printed):
            tool.run(mock.Mock(**options | changes))
        return printed.getvalue()


class PictureTest(FolderTest):
    """How a picture becomes a square."""

    def test_middle_square_is_kept(self):
        wide = np.zeros((16, 48, 3), np.uint8)
        wide[:, 16:32] = 200
        path = save(self.folder, "wide.png", wide)
        self.assertAllEqual(
            pixels(tool.square(path, 16)), np.full((16, 16, 3), 200)
        )

    def test_picture_is_scaled_down(self):
        drawn = shapes.load(1, 64, seed=0).images[0]
        path = save(self.folder, "one.png", drawn)
        found = pixels(tool.square(path, 16)).astype(np.float32)
        means = drawn.reshape(16, 4, 16, 4, 3).mean((1, 3))
        self.assertLess(np.abs(found - means).mean(), 4.0)

    @parameterized.parameters(
        ("RGBA", (255, 0, 0, 0), (255, 255, 255)),
        ("RGBA", (255, 0, 0, 255), (255, 0, 0)),
        ("LA", (0, 0), (255, 255, 255)),
        ("L", 77, (77, 77, 77)),
        ("1", 1, (255, 255, 255)),
        ("P", 0, (0, 0, 0)),
    )
    def test_every_mode_becomes_colours_on_white(self, mode, colour, expected):
        picture = plain(colour, mode=mode)
        if mode == "P":
            picture.putpalette([0, 0, 0])
        path = save(self.folder, "one.png", picture)
        found = pixels(tool.square(path, 16))
        self.assertAllEqual(found, np.broadcast_to(expected, (16, 16, 3)))

    def test_camera_held_upright_is_turned(self):
        drawn = np.zeros((24, 24, 3), np.uint8)
        drawn[:12] = 255  # The upper half; turned by a quarter, the right one.
        tags = Image.Exif()
        tags[0x0112] = 6
        path = save(self.folder, "one.png", drawn, exif=tags)
        found = pixels(tool.square(path, 24))
        self.assertAllEqual(found[:, 12:], np.full((24, 12, 3), 255))
        self.assertAllEqual(found[:, :12], np.zeros((24, 12, 3)))

    def test_printers_colours_are_converted(self):
        picture = plain((255, 0, 0, 0), mode="CMYK")
        path = save(self.folder, "one.jpg", picture)
        self.assertAllClose(pixels(tool.square(path, 16))[3, 3], [0, 255, 255])


class RefusalTest(FolderTest):
    """What can't be used is left out and named."""

    def refusals(self):
        _, refused = tool.collect(tool.found(self.pictures), 16)
        return refused

    def test_each_fault_has_its_reason(self):
        fill(self.pictures, 3)
        save(self.pictures, "small.png", plain("red", 15), "a cat")
        save(self.pictures, "lone.png", plain("red"))
        save(self.pictures, "mute.png", plain("red"), " \n\t\n\x07\n")
        odd = save(self.pictures, "latin.png", plain("red"))
        odd.with_suffix(".txt").write_bytes("caf\xe9".encode("latin-1"))
        deep = Image.fromarray(np.full((24, 24), 40000, np.uint16))
        save(self.pictures, "deep.png", deep, "grey")
        broken = save(self.pictures, "broken.jpg", plain("red"), "a cat")
        broken.write_bytes(broken.read_bytes()[:200])
        false = save(self.pictures, "false.webp", plain("red"), "a cat")
        false.write_bytes(b"no picture")
        self.assertCountEqual(
            self.refusals(),
            [
                ("a picture smaller than 16 px", "small.png"),
                ("no text file beside it", "lone.png"),
                ("a text file without captions", "mute.png"),
                ("captions that are not UTF-8", "latin.png"),
                ("a picture of more than 8 bits a colour", "deep.png"),
                ("a picture that can't be read", "broken.jpg"),
                ("a picture that can't be read", "false.webp"),
            ],
        )
        told = self.run_tool()
        self.assertIn("refused   7\n", told)
        self.assertIn("2  a picture that can't be read", told)
        self.assertIn("lone.png: no text file beside it", told)

    def test_long_list_of_refused_is_cut(self):
        fill(self.pictures, 5)
        for i in range(25):
            save(self.pictures, f"lone{i:02d}.png", plain("red"))
        told = self.run_tool()
        self.assertEqual(told.count("png: no text"), 20)
        self.assertIn("and 5 more", told)

    def test_name_that_is_not_utf8_is_told(self):
        path = os.fsencode(self.pictures) + b"/caf\xe9.png"
        with open(path, "wb") as file:
            plain("red").save(file, "png")
        ((reason, name),) = self.refusals()
        self.assertEqual(reason, "no text file beside it")
        self.assertEqual(name, "caf\N{REPLACEMENT CHARACTER}.png")

    @parameterized.named_parameters(
        ("missing", {"pictures": "/no/such"}, "is no folder"),
        ("odd size", {"size": 60}, "image_size is 60; allowed are 4 times"),
    )
    def test_bad_flag_is_refused(self, changes, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            self.run_tool(**changes)
        self.assertFalse(self.out.exists())

    def test_folder_without_pictures_is_refused(self):
        (self.pictures / "notes.txt").write_text("no picture")
        with self.assertRaisesRegex(ValueError, "holds no picture; taken are"):
            self.run_tool()

    def test_pictures_in_folders_inside_are_counted(self):
        inside = self.pictures / "old" / "older"
        inside.mkdir(parents=True)
        save(inside, "deep.png", plain("red"), "a cat")
        with self.assertRaisesRegex(ValueError, "1 lie in folders inside it"):
            self.run_tool()
        fill(self.pictures, 5)
        self.assertIn("ignored   1 pictures in folders", self.run_tool())

    def test_folder_without_usable_pictures_names_the_first(self):
        save(self.pictures, "lone.png", plain("red"))
        with self.assertRaisesRegex(
            ValueError, "no usable picture; the first, lone.png: no text file"
        ):
            self.run_tool()

    def test_one_picture_cannot_be_split(self):
        for name in ("a.png", "b.png"):
            save(self.pictures, name, plain("red"), "red")
        with self.assertRaisesRegex(
            ValueError, "2 usable pictures, 1 of them different, can't"
        ):
            self.run_tool()

    def test_what_lies_there_already_is_not_touched(self):
        fill(self.pictures, 5)
        self.run_tool()
        before = (self.out / "train.tfrecord").read_bytes()
        save(self.pictures, "new.png", plain("red"), "red")
        with self.assertRaisesRegex(ValueError, "exists already"):
            self.run_tool()
        self.assertEqual((self.out / "train.tfrecord").read_bytes(), before)

    def test_full_disk_leaves_nothing_behind(self):
        fill(self.pictures, 20)
        kept = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, kept[1]))
        try:
            with self.assertRaisesRegex(OSError, "Cannot write .*train"):
                self.run_tool()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, kept)
        self.assertEqual(os.listdir(self.folder), ["pictures"])


class SplitTest(FolderTest):
    """Which pictures are kept for tests."""

    def keys(self, **changes):
        self.run_tool(**changes)
        return [
            set(catalog.load("records", part, 16, self.out).keys.tolist())
            for part in tool.PARTS
        ]

    def test_parts_are_whole_and_apart(self):
        fill(self.pictures)
        train, test = self.keys(test_share=0.3)
        self.assertLen(train | test, 40)
        self.assertEmpty(train & test)
        self.assertBetween(len(test), 5, 20)

    def test_growing_set_keeps_pictures_in_their_parts(self):
        fill(self.pictures)
        before = self.keys(test_share=0.3)
        for i in range(20):
            save(self.pictures, f"new{i}.png", plain((i, 9, 9)), "grey")
        self.out = self.folder / "again"
        after = self.keys(test_share=0.3)
        for old, new in zip(before, after, strict=True):
            self.assertLessEqual(old, new)

    def test_equal_pictures_lie_in_the_same_part(self):
        fill(self.pictures)
        for path in list(self.pictures.glob("*.png")):
            copy = self.pictures / f"copy_{path.name}"
            copy.write_bytes(path.read_bytes())
            copy.with_suffix(".txt").write_text("a copy")
        for part in self.keys(test_share=0.5):
            copied = {name.removeprefix("copy_") for name in part}
            self.assertLessEqual(copied, part)

    @parameterized.parameters(0.01, 0.5)
    def test_no_part_is_ever_empty(self, test_share):
        for i in range(2):
            save(self.pictures, f"{i}.png", plain((i, 9, 9)), "grey")
        train, test = self.keys(test_share=test_share)
        self.assertLen(train, 1)
        self.assertLen(test, 1)


class CaptionsTest(FolderTest):
    """One a line, as many for every picture."""

    def test_captions_are_cleaned_lines(self):
        path = save(self.folder, "one.png", plain("red"))
        path.with_suffix(".txt").write_bytes(
            "\ufeffa  red\tsquare\r\n\r\n caf\xe9 \n".encode()
        )
        self.assertEqual(tool.told(path), ["a red square", "caf\xe9"])

    def test_fewer_are_repeated_in_turn_and_it_is_said(self):
        for i, text in enumerate(("a\nb\nc\nd\ne", "f\ng", "h")):
            save(self.pictures, f"{i}.png", plain((i, 9, 9)), text)
        told = self.run_tool()
        self.assertIn(
            "captions  8, 5 a picture; 2 pictures have fewer (from 1), theirs "
            "are repeated in turn",
            told,
        )
        held = catalog.load("records", None, 16, self.out)
        found = dict(
            zip(held.keys.tolist(), held.captions.tolist(), strict=True)
        )
        expected = {"0.png": "abcde", "1.png": "fgfgf", "2.png": "hhhhh"}
        self.assertEqual(found, {k: list(v) for k, v in expected.items()})

    def test_nothing_is_said_where_all_have_as_many(self):
        for i in range(3):
            save(self.pictures, f"{i}.png", plain((i, 9, 9)), "a\nb")
        self.assertIn("captions  6, 2 a picture\n", self.run_tool())


class RecordsTest(FolderTest):
    """Record files as a data set of the catalog."""

    def setUp(self):
        super().setUp()
        fill(self.pictures)
        self.run_tool()

    def test_pictures_come_back_as_they_were_cut(self):
        held = catalog.load("records", None, 16, self.out)
        for row, key in enumerate(held.keys.tolist()):
            cut = tool.square(self.pictures / key, 16)
            self.assertAllEqual(held.images[row], pixels(cut))
        self.assertLen(held, 40)
        self.assertEqual(held.name, "out")

    def test_smaller_pictures_can_be_had_but_no_larger_ones(self):
        held = catalog.load("records", "test", 8, self.out)
        self.assertEqual(held.size, (8, 8))
        self.assertEqual(held.name, "out/test")
        with self.assertRaisesRegex(ValueError, "image_size is 32 .* 16 x 16"):
            catalog.load("records", "test", 32, self.out)

    def test_pictures_of_different_sizes_are_refused(self):
        rows = [
            dict(
                image=np.zeros((s, s, 3), np.uint8), captions=["a"], key=f"{s}"
            )
            for s in (8, 16)
        ]
        records.write(self.out / "test.tfrecord", rows)
        with self.assertRaisesRegex(ValueError, "out differ in size"):
            catalog.load("records", "test", 8, self.out)

    def test_missing_things_are_named(self):
        with self.assertRaisesRegex(ValueError, "'records' needs a path"):
            catalog.load("records")
        with self.assertRaisesRegex(ValueError, "no record file .*train.tf"):
            catalog.load("records", "train", 16, self.folder)
        with self.assertRaisesRegex(ValueError, "no part 'dev'"):
            catalog.load("records", "dev", 16, self.out)
        with self.assertRaisesRegex(ValueError, "'shapes' takes no path"):
            catalog.load("shapes", "train", 16, self.out)


class WholeWayTest(FolderTest):
    """The tool as a command, the command that it prints, and a picture."""

    def prepare(self, *words):
        return subprocess.run(
            [sys.executable, "-m", "tools.prepare_folder", *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )

    def test_folder_becomes_a_picture(self):
        fill(self.pictures)
        quote = 'it\'s a "red" caf\xe9, \N{RED APPLE}'
        save(self.pictures, "quote.png", plain("red"), quote)
        done = self.prepare(
            f"--pictures={self.pictures}",
            f"--out={self.out}",
            "--size=16",
            "--test_share=0.5",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("41/41", done.stderr)  # The bar.
        words = in_words(done.stdout.partition("\n\n")[2])
        self.assertEqual(words[:3], ["python", "-m", "recipes.train"])

        workdir = self.folder / "run"
        given = [
            word.replace(":small", ":smoke")
            for word in words[3:]
            if not word.startswith("--workdir")
        ]
        self.assertLen(given, len(words) - 4)
        cache = {"KERAS_T2I_CACHE": str(self.folder / "cache")}
        with mock.patch.dict(os.environ, cache):
            code, told, error = command.run(
                "train", f"--workdir={workdir}", *given
            )
        self.assertEqual(code, 0, error)
        self.assertIn("pictures of out/train at 16 px", told)

        sheet = self.folder / "sheet.png"
        code, _, error = command.run(
            "sample",
            f"--workdir={workdir}",
            f"--caption={quote}",
            f"--out={sheet}",
        )
        self.assertEqual(code, 0, error)
        self.assertGreater(np.std(np.asarray(Image.open(sheet))), 1.0)

    def test_mistake_is_one_sentence(self):
        done = self.prepare("--pictures=/no/such", f"--out={self.out}")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(
            done.stderr.splitlines()[-1],
            "Error: --pictures=/no/such is no folder.",
        )
        self.assertNotIn("Traceback", done.stderr)

    def test_forgotten_path_is_told_by_training(self):
        code, _, error = command.run(
            "train",
            f"--workdir={self.out}",
            "--config=recipes/configs/openmoji.py:smoke",
            "--config.data.name=records",
        )
        self.assertEqual(code, 2)
        self.assertIn("'records' needs a path", error)
        self.assertFalse(self.out.exists())

    def test_captions_of_the_command_are_those_of_the_data(self):
        fill(self.pictures)
        told = self.run_tool()
        found = [
            word.partition("=")[2]
            for word in in_words(told)
            if word.startswith("--config.samples.captions=")
        ]
        drawn = set(shapes.load(40, 24, seed=3).captions[:, 0].tolist())
        shown = ast.literal_eval(found[0])
        self.assertLen(shown, 8)
        self.assertLessEqual(set(shown), drawn)

    @parameterized.parameters((64, ()), (128, ("image_size=128", "crop=140")))
    def test_command_fits_the_size(self, size, words):
        fill(self.pictures, 5, size=128)
        told = self.run_tool(size=size)
        for word in ("image_size", "crop"):
            self.assertEqual(f"config.data.{word}" in told, size != 64)
        for word in words:
            self.assertIn(f"--config.data.{word}", told)


if __name__ == "__main__":
    tf.test.main()
