"""Own pictures: from folders that the test draws to a sampled picture."""

import ast
import collections
import csv
import io
import json
import os
import pathlib
import resource
import shlex
import subprocess
import sys
import types
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from keras_t2i.data import prepared, shapes
from tests.recipes import command
from tests.tools import preparing_cases
from tools import prepare_folder as tool
from tools.preparing import plan as plans
from tools.preparing import splitting

LINK = "a link out of the folder, not followed without --follow_links"
LONG = {"a": 9, "b": 200_000, "c": (1 << 24) + 1}
ROOT = pathlib.Path(__file__).parents[2]


def save(folder, name, colour="red", text=None, side=24):
    """Writes a picture of one colour and, if given, the text beside it."""
    path = pathlib.Path(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(colour, np.ndarray):
        picture = Image.fromarray(colour)
    else:
        picture = Image.new("RGB", (side, side), colour)
    picture.save(path)
    if text is not None:
        path.with_suffix(".txt").write_text(text, encoding="utf-8")
    return path


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


class FolderTest(preparing_cases.ToolTest):
    """A folder of its own for each test."""

    TOOL = tool
    FLAGS = dict(format="auto", labels="auto", split_by=None)

    def setUp(self):
        super().setUp()
        self.pictures = self.source = self.folder / "pictures"
        self.pictures.mkdir()

    def save(self, *names, **options):
        """Writes pictures of different colours."""
        for i, name in enumerate(names):
            save(self.pictures, name, (20 * i, 99, 9), **options)

    def write(self, name, text, encoding="utf-8"):
        path = self.pictures / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode(encoding))
        return path

    def told(self, **changes):
        """Captions by key, of the plan."""
        found = self.plan(**changes)
        return {item.key: list(item.captions) for item in found.items}

    def parts(self, **changes):
        """Keys by part, of the plan."""
        parts = collections.defaultdict(set)
        for item in self.plan(**changes).items:
            parts[item.split].add(item.key)
        return dict(parts)


class SidecarsTest(FolderTest):
    """A text file beside each picture, one caption a line."""

    def test_folders_inside_are_taken_and_keys_tell_the_way(self):
        self.save("a.png", text="one\ntwo")
        self.save("images/b c.jpg", text="three")
        self.save("images/deep/\u00fc.webp", text="four")
        self.assertEqual(
            self.told(),
            {
                "a.png": ["one", "two"],
                "images/b c.jpg": ["three"],
                "images/deep/\u00fc.webp": ["four"],
            },
        )

    def test_each_fault_has_its_reason_and_the_rest_goes_through(self):
        fill(self.pictures, 3)
        self.save("small.png", text="a cat", side=12)
        self.save("lone.png")
        self.save("mute.png", text=" \n\t\n\x07\n")
        self.save("dots.png", text="...\n?!\n")
        self.write("latin.txt", "caf\xe9", "latin-1")
        self.save("latin.png")
        self.write("widow.txt", "a caption without a picture")
        broken = save(self.pictures, "broken.jpg", text="a cat")
        broken.write_bytes(broken.read_bytes()[:200])
        save(self.pictures, "zero.jpg", text="a cat").write_bytes(b"")
        save(self.pictures, "false.webp", text="a cat").write_bytes(b"no")
        printed = self.run_tool()
        lines = (self.out / "refused.jsonl").read_text().splitlines()
        refused = {r["file"]: r["reason"] for r in map(json.loads, lines)}
        self.assertEqual(
            refused | {"broken.jpg": ""},
            {
                "small.png": "a picture smaller than 16 px",
                "lone.png": "no text file beside it",
                "mute.png": "no usable caption",
                "dots.png": "no usable caption",
                "latin.png": "not UTF-8 (byte 3 is 0xe9); give --encoding",
                "widow.txt": "no picture beside it",
                "broken.jpg": "",
                "zero.jpg": "an empty file",
                "false.webp": "a file that is no picture",
            },
        )
        self.assertRegex(refused["broken.jpg"], "cut off|can't be read")
        self.assertIn("refused     9\n", printed)
        self.assertIn("lone.png: no text file beside it", printed)
        self.assertLen(prepared.load(self.out), 3)

    def test_pictures_of_every_kind_are_kept_mended_or_refused(self):
        made = preparing_cases.write(self.pictures)
        for name in made:
            self.write(pathlib.Path(name).stem + ".txt", name)
        printed = self.run_tool()
        kept = {name for name, case in made.items() if not case.reason}
        keys = prepared.load(self.out).keys
        self.assertEqual(set(np.asarray(keys).tolist()), kept)
        for name, case in made.items():
            if case.reason:
                self.assertIn(f"{name}: {case.reason}", printed)

    @parameterized.parameters("utf-8-sig", "utf-16", "utf-8")
    def test_mark_of_an_encoding_is_obeyed(self, encoding):
        self.save("a.png", "b.png")
        self.write("a.txt", "caf\xe9\r\n\u732b", encoding)
        self.write("b.txt", "plain", encoding)
        self.assertEqual(self.told()["a.png"], ["caf\xe9", "\u732b"])

    def test_other_encoding_is_taken_when_it_is_given(self):
        self.save("a.png", "b.png", text="x")
        self.write("a.txt", "caf\xe9", "latin-1")
        self.assertEqual(self.told(encoding="latin-1")["a.png"], ["caf\xe9"])

    def test_links_out_of_the_folder_are_not_followed(self):
        outside = save(self.folder, "outside/o.png", text="secret")
        self.save("a.png", "b.png", text="own")
        (self.pictures / "link.png").symlink_to(outside)
        self.write("link.txt", "a link")
        self.save("c.png")
        (self.pictures / "c.txt").symlink_to(outside.with_suffix(".txt"))
        (self.pictures / "tree").symlink_to(outside.parent)
        self.assertEqual(
            self.refused(),
            {
                "link.png": LINK,
                "c.txt": LINK,
                "tree": LINK,
            },
        )
        self.assertCountEqual(self.told(), ["a.png", "b.png"])
        self.assertEqual(
            self.told(follow_links=True),
            {
                "a.png": ["own"],
                "b.png": ["own"],
                "c.png": ["secret"],
                "link.png": ["a link"],
                "tree/o.png": ["secret"],
            },
        )

    def test_links_within_the_folder_show_each_picture_once(self):
        self.save("deep/a.png", "b.png", text="own")
        (self.pictures / "again").symlink_to("deep")
        (self.pictures / "deep" / "round").symlink_to("..")
        (self.pictures / "c.png").symlink_to("b.png")
        self.write("c.txt", "a link")
        for follow in (False, True):
            self.assertCountEqual(
                self.told(follow_links=follow), ["deep/a.png", "b.png", "c.png"]
            )
        self.assertEmpty(self.refused())

    def test_links_that_lead_round_end(self):
        self.save("a.png", "b.png", text="own")
        outside = save(self.folder, "outside/o.png", text="more")
        (self.pictures / "up").symlink_to(self.folder)
        (self.pictures / "out").symlink_to(outside.parent)
        (outside.parent / "back").symlink_to(self.pictures)
        self.assertCountEqual(
            self.told(follow_links=True), ["a.png", "b.png", "out/o.png"]
        )

    def test_endings_may_be_in_capitals(self):
        self.save("a.png", "B.PNG", "c.jpg")
        self.write("a.TXT", "one")
        self.write("B.Txt", "two")
        self.write("c.txt", "three")
        self.write("c.TXT", "also three")
        self.assertEqual(
            self.told(),
            {"a.png": ["one"], "B.PNG": ["two"], "c.jpg": ["three"]},
        )
        self.assertEqual(self.refused(), {"c.TXT": "no picture beside it"})

    def test_hidden_files_and_folders_are_no_pictures(self):
        self.save("a.png", "b.png", text="x")
        self.save(".c.png", ".git/d.png", "__MACOSX/e.png", text="x")
        self.assertCountEqual(self.told(), ["a.png", "b.png"])
        self.assertEmpty(self.refused())

    def test_name_that_is_not_utf8_is_told(self):
        self.save("a.png", "b.png", text="x")
        with open(os.fsencode(self.pictures) + b"/caf\xe9.png", "wb") as file:
            Image.new("RGB", (24, 24)).save(file, "png")
        self.assertEqual(
            self.refused(),
            {"caf\N{REPLACEMENT CHARACTER}.png": "no text file beside it"},
        )
        with open(os.fsencode(self.pictures) + b"/caf\xe9.txt", "w") as file:
            file.write("coffee")
        self.assertIn("3: 2 train, 1 test", self.run_tool())

    def test_captions_txt_beside_its_picture_is_a_sidecar(self):
        self.save("captions.png", "b.png", text="x")
        self.assertCountEqual(self.told(), ["captions.png", "b.png"])

    def test_fewer_captions_are_repeated_in_turn_and_it_is_said(self):
        for i, text in enumerate(("a\nb\nc\nd\ne", "f\ng", "h")):
            save(self.pictures, f"{i}.png", (i, 9, 9), text)
        printed = self.run_tool()
        self.assertIn(
            "captions    8, 8 of those kept are distinct; 5 a", printed
        )
        self.assertIn("2 pictures have fewer, theirs are repeated", printed)
        held = prepared.load(self.out)
        rows = np.arange(3)
        found = zip(
            np.asarray(held.keys[rows]).tolist(),
            np.asarray(held.captions[rows]).tolist(),
            strict=True,
        )
        expected = {"0.png": "abcde", "1.png": "fgfgf", "2.png": "hhhhh"}
        self.assertEqual(dict(found), {k: list(v) for k, v in expected.items()})


class FlickrTest(FolderTest):
    """Flickr8k's captions.txt, and the older Flickr8k.token.txt."""

    def test_commas_and_quotes_belong_to_captions(self):
        self.save("Images/1_a.jpg", "Images/2_b.jpg", "Images/x, y.jpg")
        self.write(
            "captions.txt",
            "image,caption\n"
            "1_a.jpg,A child , in a pink dress .\n"
            '1_a.jpg,"A dog , red , and ""big"""\n'
            '2_b.jpg,"Go", said the man\n'
            '2_b.jpg,a 6" nail\n'
            '"x, y.jpg",odd, but true\n',
        )
        self.assertEqual(
            self.told(),
            {
                "Images/1_a.jpg": [
                    "A child , in a pink dress .",
                    'A dog , red , and "big"',
                ],
                "Images/2_b.jpg": ['"Go", said the man', 'a 6" nail'],
                "Images/x, y.jpg": ["odd, but true"],
            },
        )
        self.assertEmpty(self.refused())

    def test_token_file_and_its_lists_are_read(self):
        names = [f"{i}_693b.jpg" for i in range(4)]
        self.save(*(f"Flicker8k_Dataset/{name}" for name in names))
        rows = [f"{n}#{k}\tA caption , {k} ." for n in names for k in range(2)]
        rows.append("9_586949ec62.jpg.1#0\tno picture")
        self.write("Flickr8k.token.txt", "\n".join(rows))
        self.write("Flickr8k.lemma.token.txt", "\n".join(rows))
        self.write("readme.txt", "words")
        self.write("Flickr_8k.trainImages.txt", "\n".join(names[:2]))
        self.write("Flickr_8k.devImages.txt", names[2])
        self.write("Flickr_8k.testImages.txt", names[3])
        self.assertEqual(
            self.parts(split_by="file"),
            {
                "train": {f"Flicker8k_Dataset/{n}" for n in names[:2]},
                "val": {f"Flicker8k_Dataset/{names[2]}"},
                "test": {f"Flicker8k_Dataset/{names[3]}"},
            },
        )
        self.assertEqual(
            self.told()["Flicker8k_Dataset/0_693b.jpg"],
            ["A caption , 0 .", "A caption , 1 ."],
        )
        self.assertEqual(
            self.refused(),
            {"9_586949ec62.jpg.1 (Flickr8k.token.txt:9)": "a missing file"},
        )

    def test_faults_are_named_by_their_line(self):
        self.save("a.jpg", "b.jpg", "c.jpg", "lone.jpg")
        self.write(
            "captions.txt",
            "image,caption\na.jpg,one\nno comma\nb.jpg,two\nb.jpg,two\n"
            "none.jpg,three\n../up.jpg,four\n/etc/passwd,five\nc.jpg,\n",
        )
        self.assertEqual(
            self.refused(),
            {
                "captions.txt:3": "a line that is not NAME,CAPTION",
                "b.jpg (captions.txt:5)": "a row that was there before",
                "none.jpg (captions.txt:6)": "a missing file",
                "../up.jpg (captions.txt:7)": (
                    "a path with '..', which is not followed"
                ),
                "/etc/passwd (captions.txt:8)": (
                    "an absolute path, which is not followed"
                ),
                "c.jpg": "no usable caption",
                "lone.jpg": "no caption",
            },
        )
        self.assertCountEqual(self.told(), ["a.jpg", "b.jpg"])

    def test_very_long_captions_in_quotes_are_taken_up_to_a_limit(self):
        self.save("a.jpg", "b.jpg", "c.jpg")
        lines = [f'"{n}.jpg","{"x" * size}"' for n, size in LONG.items()]
        self.write("captions.txt", "\n".join(["image,caption", *lines]))
        self.assertEqual(list(self.told()), ["a.jpg", "b.jpg"])
        self.assertStartsWith(
            self.refused()["captions.txt:4"], "a line that can't be read (field"
        )

    def test_listing_of_another_name_may_be_the_source(self):
        self.save("a.jpg", "b.jpg")
        path = self.write("results.txt", "a.jpg,one\nb.jpg,two\n")
        self.assertEqual(
            self.told(source=str(path)), {"a.jpg": ["one"], "b.jpg": ["two"]}
        )

    def test_listing_that_cannot_be_read_is_named(self):
        self.save("a.jpg")
        self.write("captions.txt", "a.jpg,caf\xe9", "latin-1")
        with self.assertRaisesRegex(
            ValueError, r"the first, captions.txt: not UTF-8 \(byte 9 is 0xe9\)"
        ):
            self.plan()


class TableTest(FolderTest):
    """CSV and TSV, with and without a header."""

    @parameterized.parameters(
        "image,caption",
        "file_name,text",
        "filename,title",
        "path,Caption",
        " FILE , text ",
    )
    def test_columns_are_found_by_name(self, header):
        self.save("a.jpg", "b.jpg")
        self.write("list.csv", f"{header}\na.jpg,one\na.jpg,two\nb.jpg,three")
        self.assertEqual(
            self.told(), {"a.jpg": ["one", "two"], "b.jpg": ["three"]}
        )

    def test_quoted_cells_and_labels_and_splits_are_read(self):
        self.save(*(f"{n}.jpg" for n in "abcd"))
        stream = io.StringIO()
        csv.writer(stream).writerows(
            [
                ("id", "image", "caption", "label", "split"),
                (1, "a.jpg", 'one, "two"\nthree', "dog", "train"),
                (2, "b.jpg", "b", "cat", "validation"),
                (3, "c.jpg", "c", "dog", "Test"),
                (4, "d.jpg", "d", "dog", "holdout"),
            ]
        )
        self.write("list.csv", "\ufeff" + stream.getvalue())
        found = self.plan(split_by="file")
        self.assertEqual(found.class_names, ("cat", "dog"))
        self.assertEqual(
            [(i.key, i.split, i.label, i.labels) for i in found.items],
            [
                ("a.jpg", "train", 1, ()),
                ("b.jpg", "val", 0, ()),
                ("c.jpg", "test", 1, ()),
            ],
        )
        self.assertEqual(found.items[0].captions[0], 'one, "two"\nthree')
        self.assertStartsWith(
            dict(found.refused)["list.csv, row 5"],
            "a split named 'holdout'; known are train, training,",
        )

    def test_captions_in_the_last_column_may_hold_commas(self):
        self.save("a.jpg", "b.jpg")
        self.write("l.csv", "image,caption\na.jpg,one, two,three\nb.jpg,four\n")
        self.assertEqual(self.told()["a.jpg"], ["one,two,three"])

    def test_rows_of_another_width_are_refused(self):
        self.save("a.jpg", "b.jpg", "c.jpg")
        self.write(
            "l.csv", "caption,image\na,b,c\none,a.jpg\nlone\ntwo,b.jpg\n"
        )
        refused = self.refused()
        self.assertEqual(
            refused["l.csv, row 2"],
            "a row of 3 values, where the first has 2",
        )
        self.assertIn("l.csv, row 4", refused)
        self.assertEqual(refused["c.jpg"], "no caption")
        self.assertCountEqual(self.told(), ["a.jpg", "b.jpg"])

    def test_conceptual_captions_need_files(self):
        self.save("im/a.jpg", "im/b.jpg")
        path = self.write(
            "Train_GCC.tsv",
            'a "fine" day\tim/a.jpg\n"so\tim/b.jpg\n'
            "a hill\thttp://x.org/1.jpg\n",
        )
        self.assertEqual(
            self.told(),
            {"im/a.jpg": ['a "fine" day'], "im/b.jpg": ['"so']},
        )
        self.assertEqual(
            self.refused(),
            {
                "http://x.org/1.jpg (Train_GCC.tsv, row 3)": (
                    "a URL; download the file first, and name the file instead"
                )
            },
        )
        path.write_text("caption\turl\na hill\thttps://x.org/1.jpg\n")
        with self.assertRaisesRegex(ValueError, "no usable picture.*a URL; do"):
            self.plan()

    def test_lists_of_labels_make_a_set_of_several(self):
        self.save("a.jpg", "b.jpg", "c.jpg")
        self.write(
            "l.csv",
            "image,caption,labels\na.jpg,x,dog; park\nb.jpg,y,park|cat\n"
            "c.jpg,z,\n",
        )
        found = self.plan()
        self.assertTrue(found.multi_label)
        self.assertEqual(found.class_names, ("cat", "dog", "park"))
        self.assertEqual(
            [(item.label, item.labels) for item in found.items],
            [(1, (1, 2)), (2, (2, 0)), (-1, ())],
        )
        self.run_tool()
        self.assertEqual(prepared.load(self.out).class_names, found.class_names)

    def test_numbers_get_their_names_from_classes_txt(self):
        self.save("a.jpg", "b.jpg", "c.jpg")
        self.write(
            "l.csv", "image,caption,class\na.jpg,x,1\nb.jpg,y,0\nc.jpg,z,7"
        )
        found = self.plan()
        self.assertEqual(found.class_names, ("0", "1", "7"))
        self.assertIn("Labels are numbers without names", found.notes[0])
        self.write("classes.txt", "cat\ndog\n")
        found = self.plan()
        self.assertEqual([i.label for i in found.items], [1, 0])
        self.assertEqual(found.class_names, ("cat", "dog"))
        self.assertEqual(
            dict(found.refused),
            {"c.jpg": "the label '7' without a name in classes.txt"},
        )

    def test_rows_that_contradict_each_other_are_refused(self):
        self.save("a.jpg", "b.jpg", "c.jpg", "d.jpg")
        self.write(
            "l.csv",
            "image,caption,label,split\na.jpg,1,dog,train\na.jpg,2,cat,train\n"
            "b.jpg,3,dog,train\nb.jpg,4,dog,test\nc.jpg,5,dog,train\n"
            "./d.jpg,6,dog,train\nd.jpg,7,dog,train\n",
        )
        self.assertEqual(
            self.refused(),
            {
                "a.jpg": "a row says dog, another cat",
                "b.jpg": "a row says train, another test",
            },
        )
        self.assertEqual(self.told(), {"c.jpg": ["5"], "d.jpg": ["6", "7"]})

    def test_table_of_something_else_is_no_listing(self):
        self.save("a.jpg", "b.jpg", text="own")
        self.write("stats.csv", "day,rain\n1,2\n")
        self.assertEqual(self.told()["a.jpg"], ["own"])
        with self.assertRaisesRegex(
            ValueError, "stats.csv: a table without a column of pictures"
        ):
            self.plan(format="table")

    def test_listings_of_several_formats_need_a_choice(self):
        self.save("a.jpg", "b.jpg")
        self.write("l.csv", "image,caption\na.jpg,one\nb.jpg,two\n")
        rows = [{"image": f"{n}.jpg", "caption": n} for n in "ab"]
        self.write("l.jsonl", "\n".join(map(json.dumps, rows)))
        with self.assertRaisesRegex(
            ValueError, r"several formats \(l.csv, l.jsonl\)"
        ):
            self.plan()
        self.assertEqual(self.told(format="table")["a.jpg"], ["one"])
        self.assertEqual(self.told(format="jsonl")["a.jpg"], ["a"])
        listed = str(self.pictures / "l.jsonl")
        self.assertEqual(self.told(source=listed)["a.jpg"], ["a"])

    def test_name_that_fits_two_files_is_refused(self):
        self.save("x/a.jpg", "y/a.jpg", "y/b.jpg", "c.jpg")
        self.write("l.csv", "image,caption\na.jpg,1\nb,2\ny/a.jpg,3\nc.jpg,4\n")
        self.assertEqual(
            self.refused(),
            {
                "a.jpg (l.csv, row 2)": (
                    "a name that fits several files: x/a.jpg, y/a.jpg"
                ),
                "x/a.jpg": "no caption",
            },
        )
        self.assertEqual(self.told()["y/b.jpg"], ["2"])

    def test_decomposed_names_find_composed_files_and_back(self):
        self.save("caf\xe9.jpg", "in/nin\u0303o.jpg")
        self.write(
            "l.csv", "image,caption\ncafe\u0301.jpg,one\nni\xf1o.jpg,two\n"
        )
        self.assertCountEqual(self.told().values(), [["one"], ["two"]])

    def test_links_out_of_the_tree_are_refused_wherever_they_lie(self):
        outside = save(self.folder, "outside.png")
        self.save("a.png", "b.png")
        (self.pictures / "in").mkdir()
        (self.pictures / "in" / "o.png").symlink_to(outside)
        self.write("l.csv", "image,caption\na.png,1\nb.png,2\no.png,3\n")
        self.assertEqual(
            self.plan().refused,
            [("in/o.png", LINK), ("in/o.png", "no caption")],
        )

    def test_listings_and_lists_that_are_links_are_named(self):
        self.save("a.png", "b.png", text="own")
        for name, text in (
            ("l.csv", "image,caption,label\na.png,one,0\nb.png,two,1\n"),
            ("classes.txt", "cat\ndog"),
            ("train.txt", "a"),
            ("test.txt", "b"),
        ):
            path = self.folder / name
            path.write_text(text)
            (self.pictures / name).symlink_to(path)
        options = dict(split_by="file")
        for name in ("classes.txt", "test.txt", "train.txt"):
            with self.assertRaisesRegex(plans.Refused, LINK) as caught:
                self.plan(**options)
            self.assertEqual(caught.exception.file, self.pictures / name)
            found = self.plan(follow_links=True, **options)
            self.assertEqual(
                [i.captions[0] for i in found.items], ["one", "two"]
            )
            self.assertEqual(found.class_names, ("cat", "dog"))
            (self.pictures / name).unlink()
            (self.folder / name).rename(self.pictures / name)
        self.assertEqual(self.refused(**options), {"l.csv": LINK})
        self.assertEqual(self.told(**options)["a.png"], ["own"])

    def test_backslashes_part_folders_too(self):
        self.save("images/a.jpg", "images/deep/b.jpg", "c.jpg")
        self.write(
            "l.csv",
            "image,caption\r\nimages\\a.jpg,1\r\ndeep\\b.jpg,2\r\n"
            "images\\..\\c.jpg,3\r\n\\etc\\passwd,4\r\n",
        )
        self.write("train.txt", "images\\a.jpg\n")
        self.write("test.txt", ".\\images\\deep\\b.jpg\n")
        self.assertEqual(
            self.told(), {"images/a.jpg": ["1"], "images/deep/b.jpg": ["2"]}
        )
        refused = self.refused()
        self.assertIn("'..'", refused["images\\..\\c.jpg (l.csv, row 4)"])
        self.assertIn("absolute", refused["\\etc\\passwd (l.csv, row 5)"])
        self.assertEqual(
            self.parts(split_by="file"),
            {"train": {"images/a.jpg"}, "test": {"images/deep/b.jpg"}},
        )

    def test_blank_lines_before_a_header_hide_nothing(self):
        self.save("a.jpg", "b.jpg")
        self.write("l.csv", "\n  \r\nimage,caption\na.jpg,1\nb.jpg,2\n")
        self.assertEqual(self.told(), {"a.jpg": ["1"], "b.jpg": ["2"]})

    def test_what_is_not_taken_for_a_listing_is_noted(self):
        self.save("a.jpg", "b.jpg", "cats.jpg", text="own")
        self.write("stats.csv", "day,rain\n1,2\n")
        self.write("more.jsonl", '{"id": 1}\n')
        self.write("cats.tsv", "image\tcaption\n")
        first = "its first line names no picture and caption"
        self.assertContainsSubset(
            [
                "cats.tsv was not read: a picture has the same name.",
                f"more.jsonl was not read: {first}.",
                f"stats.csv was not read: {first}.",
            ],
            self.plan().notes,
        )
        path = self.write("l.csv", "image,caption\na.jpg,1\nb.jpg,2\n")
        told = self.plan(source=str(path)).notes
        self.assertIn(f"stats.csv was not read: {first}.", told)
        told = self.plan(format="sidecars").notes
        self.assertIn("l.csv was not read: --format is sidecars.", told)
        path = self.write("m.csv", "image,caption\na.jpg,3\nb.jpg,4\n")
        told = self.plan(source=str(path)).notes
        self.assertIn("l.csv was not read: another listing is.", told)

    def test_parts_matter_only_where_they_are_kept(self):
        self.save("a.jpg", "b.jpg", "c.jpg")
        self.write(
            "l.csv",
            "image,caption,split\na.jpg,1,holdout\nb.jpg,2, \nc.jpg,3,train\n",
        )
        for how in (None, "fraction"):
            self.assertLen(self.told(split_by=how), 3)
            self.assertEmpty(self.refused(split_by=how))
        self.write("test.txt", "b.jpg\n")
        self.assertEqual(
            self.parts(split_by="file"), {"train": {"c.jpg"}, "test": {"b.jpg"}}
        )
        self.assertStartsWith(
            self.refused(split_by="file")["l.csv, row 2"],
            "a split named 'holdout'",
        )

    @parameterized.parameters("label", "labels")
    def test_labels_of_thousands_of_digits_are_refused(self, column):
        self.save("a.jpg", "b.jpg", "c.jpg")
        long = "1" * 5000
        self.write(
            "l.csv",
            f"image,caption,{column}\na.jpg,1,{long}\nb.jpg,2,2\nc.jpg,3,3",
        )
        self.assertEqual(
            self.refused()["l.csv, row 2"], "a label of more than 18 digits"
        )
        self.assertCountEqual(self.told(), ["b.jpg", "c.jpg"])


class JsonTest(FolderTest):
    """A JSON object a line; Hugging Face's imagefolder."""

    def lines(self, name, *rows):
        texts = (r if isinstance(r, str) else json.dumps(r) for r in rows)
        return self.write(name, "\n".join(texts))

    def test_keys_are_those_of_tables_and_captions_may_be_lists(self):
        self.save("images/a.jpg", "images/b.jpg", "images/c.jpg")
        self.lines(
            "captions.jsonl",
            {"image": "a.jpg", "captions": ["one", "two"], "width": 3},
            {"file_name": "images/b.jpg", "text": "three"},
            {"path": "c.jpg", "caption": "four"},
        )
        self.assertEqual(
            self.told(),
            {
                "images/a.jpg": ["one", "two"],
                "images/b.jpg": ["three"],
                "images/c.jpg": ["four"],
            },
        )

    def test_imagefolder_has_a_listing_in_each_part(self):
        for part in ("train", "validation", "test"):
            self.save(f"{part}/0.png", f"{part}/1.png")
            self.lines(
                f"{part}/metadata.jsonl",
                *(
                    {"file_name": f"{i}.png", "text": part, "label": i}
                    for i in range(2)
                ),
            )
        parts = self.parts(split_by="file")
        self.assertEqual(parts["val"], {"validation/0.png", "validation/1.png"})
        self.assertEqual(parts["train"], {"train/0.png", "train/1.png"})
        self.assertEqual(self.told()["test/1.png"], ["test"])
        self.assertIn("--split_by=file keeps", self.plan().notes[-1])

    def test_each_fault_is_named_by_its_line(self):
        self.save("a.jpg", "b.jpg", "c.jpg")
        self.lines(
            "l.jsonl",
            {"image": "a.jpg", "captions": ["one"], "split": "train"},
            "{broken",
            "[1]",
            {"caption": "no picture"},
            {"image": "b.jpg", "captions": [1]},
            {"image": "b.jpg", "caption": "x", "label": {"a": 1}},
            {"image": "b.jpg", "caption": "x", "split": "sometimes"},
            {"image": "b.jpg"},
            '{"image": "\\ud800.jpg", "caption": "half a letter"}',
            '{"image": "c.jpg", "caption": "\\ud800"}',
            {"image": "a.jpg", "captions": ["one"]},
            "[" * 100_000,
        )
        refused = self.refused(split_by="file")
        self.assertEqual(
            [refused[f"l.jsonl:{n}"] for n in (2, 3, 4, 5, 6, 12)],
            [
                "a line that is not JSON",
                "a line of JSON without names",
                "a line that names no picture (image, file, file_name, "
                "filename, path)",
                "captions that are not text",
                "labels that are neither text nor numbers",
                "a line that is not JSON",
            ],
        )
        self.assertIn("a split named 'sometimes'", refused["l.jsonl:7"])
        self.assertEqual(refused["b.jpg"], "no caption")
        self.assertEqual(refused["c.jpg"], "no usable caption")
        self.assertEqual(
            refused["\N{REPLACEMENT CHARACTER}.jpg (l.jsonl:9)"],
            "a missing file",
        )
        self.assertEqual(
            refused["a.jpg (l.jsonl:11)"], "a row that was there before"
        )
        self.assertCountEqual(self.told(split_by="file"), ["a.jpg"])

    def test_photos_of_the_field_go_the_whole_way(self):
        for i in range(6):
            save(self.pictures, f"images/{i}.jpg", (40 * i, 9, 9), side=40)
        self.lines(
            "l.jsonl",
            *(
                {"image": f"{i}.jpg", "captions": [f"{i} {k}" for k in "abc"]}
                for i in range(6)
            ),
        )
        printed = self.run_tool(size=20)
        self.assertIn("refused     0", printed)
        held = prepared.load(self.out)
        self.assertLen(held, 6)
        self.assertEqual(held.captions[np.arange(6)].shape, (6, 3))


class LabelsTest(FolderTest):
    """Classes from folders."""

    def test_folders_are_classes(self):
        self.save(
            "images/cat/a.png", "images/dog/b.png", "images/c.png", text="x"
        )
        found = self.plan(labels="folder")
        self.assertEqual(found.class_names, ("cat", "dog"))
        self.assertEqual(
            {i.key: i.label for i in found.items},
            {"images/c.png": -1, "images/cat/a.png": 0, "images/dog/b.png": 1},
        )
        self.assertIn("1 pictures have no label.", found.notes)
        self.assertEmpty(self.plan().class_names)

    def test_parts_are_no_classes(self):
        self.save("train/cat/a.png", "test/cat/b.png", text="x")
        found = self.plan(labels="folder", split_by="file")
        self.assertEqual(found.class_names, ("cat",))
        self.assertEqual([i.split for i in found.items], ["test", "train"])

    @parameterized.parameters(
        ("folder", "has no such folders"), ("column", "no such column")
    )
    def test_labels_that_are_not_there_are_told(self, labels, sentence):
        self.save("a.png", "b.png", text="x")
        with self.assertRaisesRegex(ValueError, sentence):
            self.plan(labels=labels)

    def test_labels_can_be_left(self):
        self.save("a.png", "b.png")
        self.write("l.csv", "image,caption,label\na.png,x,1\nb.png,y,2\n")
        self.assertEmpty(self.plan(labels="none").class_names)


class SplitTest(FolderTest):
    """Which pictures are kept from training."""

    def test_parts_are_whole_and_apart(self):
        fill(self.pictures)
        parts = self.parts(test_share=0.3, val_share=0.2)
        self.assertLen(set().union(*parts.values()), 40)
        self.assertEqual(sum(map(len, parts.values())), 40)
        self.assertBetween(len(parts["test"]), 5, 20)
        self.assertBetween(len(parts["val"]), 2, 16)

    def test_growing_set_keeps_pictures_in_their_parts(self):
        fill(self.pictures)
        before = self.parts(test_share=0.3, val_share=0.2)
        for i in range(20):
            save(self.pictures, f"new{i}.png", (i, 9, 9), "grey")
        after = self.parts(test_share=0.3, val_share=0.2)
        for part in ("train", "val", "test"):
            self.assertLessEqual(before[part], after[part])

    def test_equal_files_lie_in_the_same_part(self):
        fill(self.pictures)
        for path in list(self.pictures.glob("*.png")):
            copy = self.pictures / f"copy_{path.name}"
            copy.write_bytes(path.read_bytes())
            copy.with_suffix(".txt").write_text("a copy")
        for part in self.parts(test_share=0.5).values():
            copied = {name.removeprefix("copy_") for name in part}
            self.assertLessEqual(copied, part)

    @parameterized.product(
        share=(0.01, 0.3, 0.5), val_share=(0.0, 0.01, 0.49), seed=(0, 1, 2)
    )
    def test_no_part_is_ever_empty(self, share, val_share, seed):
        self.save("0.png", "1.png", "2.png", text="grey")
        parts = self.parts(test_share=share, val_share=val_share, seed=seed)
        self.assertLen(parts, 3 if val_share else 2)

    def test_no_share_is_no_part(self):
        self.save("0.png", "1.png", text="grey")
        self.assertLen(self.parts(test_share=0.0)["train"], 2)

    def test_huge_files_are_refused_unread(self):
        self.save("a.png", "b.png", "c.png", text="x")
        with open(self.pictures / "c.png", "r+b") as file:
            file.truncate(1 << 40)
        self.assertEqual(
            self.refused(), {"c.png": "a file of more than 200 MB"}
        )

    def test_limit_leaves_the_others_unread(self):
        fill(self.pictures)
        (self.pictures / "p39.PNG").unlink()
        (self.pictures / "p39.PNG").symlink_to("p38.webp")
        seen = []
        draw = splitting._drawn_file
        with mock.patch.object(
            splitting, "_drawn_file", lambda p, s: seen.append(p) or draw(p, s)
        ):
            found = self.plan(limit=12)
        self.assertLen(seen, 12)
        self.assertLen(found.items, 12)
        self.assertIn("the first 12 of 40 pictures", found.notes[-1])
        self.assertLen(self.plan(limit=1).items, 10)
        self.assertIn("2: 1 train, 1 test", self.run_tool(limit=1))

    def test_seed_draws_other_parts(self):
        fill(self.pictures)
        self.assertNotEqual(
            self.parts(test_share=0.5), self.parts(test_share=0.5, seed=1)
        )

    def test_one_picture_cannot_be_split(self):
        for name in ("a.png", "b.png"):
            save(self.pictures, name, "red", "red")
        with self.assertRaisesRegex(
            ValueError,
            "2 usable pictures, 1 of them different, can't be split into train "
            "and test",
        ):
            self.plan()

    @parameterized.parameters((0.5, 0.5), (-0.1, 0.2))
    def test_shares_leave_something_for_training(self, val, test):
        self.save("a.png", text="x")
        with self.assertRaisesRegex(ValueError, "leave nothing to train on"):
            self.plan(val_share=val, test_share=test)

    def test_no_class_lies_in_two_parts(self):
        for i in range(10):
            self.save(f"{i}/a.png", f"{i}/b.png", text="x")
        found = self.plan(
            labels="folder", split_by="class", test_share=0.3, val_share=0.2
        )
        parts = collections.defaultdict(set)
        for item in found.items:
            parts[item.label].add(item.split)
        self.assertEqual({len(each) for each in parts.values()}, {1})
        self.assertEqual(
            collections.Counter(i.split for i in found.items),
            {"train": 10, "test": 6, "val": 4},
        )

    def test_splitting_by_class_needs_classes(self):
        self.save("a.png", "cat/b.png", text="x")
        with self.assertRaisesRegex(ValueError, "has none. Give --labels=f"):
            self.plan(split_by="class")
        with self.assertRaisesRegex(ValueError, "1 classes can't be split"):
            self.plan(split_by="class", labels="folder")
        self.save("dog/c.png", text="x")
        found = self.plan(split_by="class", labels="folder")
        self.assertEqual(
            dict(found.refused), {"a.png": "no label, by which parts are made"}
        )
        self.assertLen(found.items, 2)

    def test_lists_name_pictures_in_any_of_the_usual_ways(self):
        self.save(*(f"images/{n}.png" for n in "abcdef"), text="x")
        self.write("train.txt", "a\nb.png\n\n")
        self.write(
            "test.txt", "images/c.png\n./images/d\n../../etc/passwd\nf\n"
        )
        self.write("val.txt", "f\n")
        found = self.plan(split_by="file")
        self.assertEqual(
            {i.key[7]: i.split for i in found.items},
            {"a": "train", "b": "train", "c": "test", "d": "test"},
        )
        self.assertEqual(
            dict(found.refused),
            {
                "images/e.png": "a picture that no part lists",
                "images/f.png": "listed in test and val",
                "../../etc/passwd": "listed for a part, but no usable picture",
            },
        )

    def test_files_without_parts_cannot_split(self):
        self.save("a.png", "test/b.png", text="x")
        with self.assertRaisesRegex(ValueError, "no picture is for training"):
            self.plan(split_by="file")
        (self.pictures / "test" / "b.png").unlink()
        with self.assertRaisesRegex(ValueError, "has no column split, no tr"):
            self.plan(split_by="file")


class RefusalTest(FolderTest):
    """Sources and flags that can't be used."""

    def test_folder_that_is_missing_is_told(self):
        with self.assertRaisesRegex(ValueError, "--source=/no/such is no fi"):
            self.plan(source="/no/such")

    def test_file_that_is_no_listing_is_told(self):
        path = self.write("notes.md", "no listing")
        with self.assertRaisesRegex(ValueError, "neither a folder nor a list"):
            self.plan(source=str(path))

    def test_folder_without_pictures_is_refused(self):
        self.write("notes.txt", "no picture")
        with self.assertRaisesRegex(ValueError, "holds no picture; taken are"):
            self.plan()

    def test_folder_without_usable_pictures_names_the_first(self):
        self.save("lone.png")
        with self.assertRaisesRegex(
            ValueError, "no usable picture; the first, lone.png: no text file"
        ):
            self.plan()

    def test_format_that_is_not_there_is_told(self):
        self.save("a.png", text="x")
        with self.assertRaisesRegex(ValueError, "--format=jsonl, but --source"):
            self.plan(format="jsonl")

    def test_unknown_encoding_is_told(self):
        self.save("a.png", text="x")
        with self.assertRaisesRegex(ValueError, "--encoding=klingon is no"):
            self.plan(encoding="klingon")

    def test_what_lies_there_already_is_not_touched(self):
        fill(self.pictures, 5)
        self.run_tool()
        before = (self.out / "manifest.json").read_bytes()
        save(self.pictures, "new.png", text="red")
        with self.assertRaisesRegex(ValueError, "name a new folder|another"):
            self.run_tool()
        self.assertEqual((self.out / "manifest.json").read_bytes(), before)

    def test_full_disk_is_told_and_leaves_no_set(self):
        for i in range(20):
            noise = np.random.default_rng(i).integers(0, 255, (32, 32, 3))
            save(self.pictures, f"{i}.png", noise.astype(np.uint8), "noise")
        kept = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16384, kept[1]))
        try:
            with self.assertRaisesRegex(OSError, "(?i)write|large|space"):
                self.run_tool()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, kept)
        self.assertFalse(self.out.exists())
        self.run_tool()
        self.assertLen(prepared.load(self.out), 20)

    def test_dry_run_writes_nothing(self):
        fill(self.pictures, 5)
        self.assertIn("nothing was written", self.run_tool(dry_run=True))
        self.assertEqual(os.listdir(self.folder), ["pictures"])


class TfdsTest(FolderTest):
    """Sets of TensorFlow Datasets.

    By a stand-in for the package, which isn't installed where tests run; it
    keeps the names and manners of what is used of it.
    """

    def stand_in(self, features, rows):
        class PartialDecoding:
            def __init__(self, features, decoders=None):
                self.features, self.decoders = features, decoders or {}

        def as_dataset(split, decoders, read_config, shuffle_files):
            name, _, start = split.rstrip(":]").partition("[")
            for row in rows[name][int(start or 0) :]:
                yield {
                    name: row[name]
                    if wanted is True
                    else {each: row[name][each] for each in wanted}
                    for name, wanted in decoders.features.items()
                }

        builder = types.SimpleNamespace(
            name="pets",
            data_dir=str(self.folder),
            info=types.SimpleNamespace(features=features, splits=rows),
            as_dataset=as_dataset,
        )
        module = types.SimpleNamespace(
            builder=lambda name: builder,
            as_numpy=lambda read: read,
            ReadConfig=lambda **options: options,
            decode=types.SimpleNamespace(
                PartialDecoding=PartialDecoding, SkipDecoding=object
            ),
        )
        self.enterContext(
            mock.patch.dict(sys.modules, tensorflow_datasets=module)
        )

    def picture(self, red):
        stream = io.BytesIO()
        Image.new("RGB", (24, 24), (red, 9, 9)).save(stream, "PNG")
        return stream.getvalue()

    def test_its_parts_and_labels_are_kept(self):
        self.stand_in(
            {
                "image": object(),
                "text": object(),
                "label": types.SimpleNamespace(names=["cat", "dog"]),
            },
            {
                part: [
                    {
                        "image": self.picture(99 * start + i),
                        "text": f"caf\xe9 {part} {i}".encode(),
                        "label": np.int64(i % 2),
                    }
                    for i in range(3)
                ]
                for start, part in enumerate(("train", "test"))
            },
        )
        printed = self.run_tool(source="tfds:pets")
        self.assertIn("6: 3 train, 3 test", printed)
        held = prepared.load(self.out, "test")
        rows = np.arange(3)
        self.assertEqual(
            np.asarray(held.captions[rows]).tolist(),
            [[f"caf\xe9 test {i}"] for i in range(3)],
        )
        self.assertEqual(held.labels.tolist(), [0, 1, 0])
        self.assertEqual(held.class_names, ("cat", "dog"))
        parts = self.parts(source="tfds:pets", split_by="fraction")
        self.assertLen(set().union(*parts.values()), 6)

    def test_lists_of_captions_and_of_objects_are_read(self):
        self.stand_in(
            {
                "image": object(),
                "image/filename": object(),
                "captions": {"text": object(), "id": object()},
                "objects": {
                    "label": types.SimpleNamespace(names=["cat", "dog"])
                },
            },
            {
                "train": [
                    {
                        "image": self.picture(i),
                        "image/filename": f"{i}.png".encode(),
                        "captions": {
                            "text": np.array([b"one", b"two"], object)
                        },
                        "objects": {"label": np.array([1, 0, 1][:i])},
                    }
                    for i in range(3)
                ]
            },
        )
        found = self.plan(source="tfds:pets")
        self.assertEqual(
            [(i.key, i.captions, i.labels) for i in found.items],
            [(f"train/{i}.png", ("one", "two"), (1, 0)[:i]) for i in range(3)],
        )
        self.assertTrue(found.multi_label)
        self.assertEqual(found.items[2].picture.read_bytes(), self.picture(2))

    def test_set_without_captions_is_told(self):
        self.stand_in({"image": 1, "label": 2}, {"train": []})
        with self.assertRaisesRegex(
            ValueError, "has the features image, label; needed are image and"
        ):
            self.plan(source="tfds:pets")

    def test_missing_package_is_named(self):
        with mock.patch.dict(sys.modules, tensorflow_datasets=None):
            with self.assertRaisesRegex(ValueError, "tensorflow-datasets"):
                self.plan(source="tfds:pets")


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
        save(self.pictures, "quote.png", text=quote)
        done = self.prepare(
            f"--pictures={self.pictures}",  # The older name of --source.
            f"--out={self.out}",
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
        self.assertRegex(told, "pictures of .*/train at 16 px")

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
        done = self.prepare("--source=/no/such", f"--out={self.out}")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(
            done.stderr.splitlines()[-1],
            "Error: --source=/no/such is no file or folder.",
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
        found = [
            word.partition("=")[2]
            for word in in_words(self.run_tool().partition("\n\n")[2])
            if word.startswith("--config.samples.captions=")
        ]
        drawn = set(shapes.load(40, 24, seed=3).captions[:, 0].tolist())
        shown = ast.literal_eval(found[0])
        self.assertBetween(len(shown), 1, 8)
        self.assertLessEqual(set(shown), drawn)


if __name__ == "__main__":
    tf.test.main()
