"""Examines the OpenMoji tool on a package that the test draws itself."""

import csv
import hashlib
import io
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import types
import zipfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from keras_t2i.data import openmoji, prepared
from tools import prepare_openmoji as tool

HEAD = (
    "emoji,hexcode,group,subgroups,annotation,tags,openmoji_tags,skintone"
).split(",")


def row(hexcode, name, **parts):
    """A row of the table, complete."""
    known = dict.fromkeys(HEAD, "") | {
        "group": "objects",
        "subgroups": "other-object",
    }
    return known | {"hexcode": hexcode, "annotation": name} | parts


def svg(*forms):
    """A drawing of 72 units, as OpenMoji's are."""
    return (
        '<svg viewBox="0 0 72 72" xmlns="http://www.w3.org/2000/svg">'
        f"{''.join(forms)}</svg>"
    )


def box(colour, x=10, y=10, width=50, height=50):
    """A filled rectangle."""
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" '
        f'fill="{colour}"/>'
    )


ROWS = [
    row("1F4E6", "package", tags="box, parcel, package", openmoji_tags="post"),
    row("1F7E5", "red square", tags="a, b, c, d", subgroups="geometric"),
    row("1F468", "man", group="people-body", subgroups="person"),
    row("1F469-200D-1F33E", "woman farmer", subgroups="person-role"),
    row("1F9D1-200D-1F33E", "farmer", subgroups="person-role"),
    row("1F468-200D-1F33E", "man farmer", subgroups="person-role"),
    row("1F4E6-1F3FB", "package: light skin tone", skintone="1"),
    row("1F1E6", "flag: Nowhere", group="flags"),
    row("E000", "a firm", group="extras-openmoji", subgroups="brand"),
    row("1F3FB", "light skin tone", group="component"),
    row("20E3", "combining keycap"),
    row("1F52E", "crystal ball"),
    row("1F52F", "  "),
    row("1F530", "broken"),
    row("1F531", "empty"),
    row("1F532", "copy of the package"),
]
SVGS = {
    "1F4E6": svg(box("#a57939"), box("#3f3f3f", 10, 10, 50, 5)),
    "1F7E5": svg(box("#d22f27"), box("#fcea2b", 10, 10, 20, 50)),
    "1F468": svg(box("#fcea2b", 20, 0, 30, 72)),
    "1F469-200D-1F33E": svg(box("#5c9e31", 0, 0, 20, 72)),
    "1F9D1-200D-1F33E": svg(box("#61b2e4", 0, 0, 72, 20)),
    "1F468-200D-1F33E": svg(box("#92d3f5", 50, 0, 20, 72)),
    "1F52F": svg(box("#000")),
    "1F530": "this is not a drawing",
    "1F531": svg(),
    "1F532": svg(box("#a57939"), box("#3f3f3f", 10, 10, 50, 5)),
    **{
        code: svg(box("#ffa7c0", 5 * place, 5, 9, 9))
        for place, code in enumerate(
            ("1F4E6-1F3FB", "1F1E6", "E000", "1F3FB", "20E3")
        )
    },
}
KEPT = [
    "1F4E6",
    "1F7E5",
    "1F468",
    "1F469-200D-1F33E",
    "1F9D1-200D-1F33E",
    "1F468-200D-1F33E",
]


def table():
    """The text of data/openmoji.csv."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HEAD)
    writer.writeheader()
    writer.writerows(ROWS)
    return text.getvalue()


def write_folder(folder):
    """Writes the package unpacked."""
    files = {
        "package.json": '{"version": "17.0.0"}',
        "data/openmoji.csv": table(),
        **{f"color/svg/{code}.svg": text for code, text in SVGS.items()},
        "black/svg/1F4E6.svg": svg(),
    }
    for name, text in files.items():
        path = folder / "package" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


NAMES = (  # of the arrays in the file, in their order
    *("images", "captions", "labels", "sublabels", "group_names"),
    *("subgroup_names", "hexcodes", "names", "tags", "colours", "families"),
    *("is_test", "meta"),
)


class Harness(parameterized.TestCase, tf.test.TestCase):
    """A folder of its own for each test."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=self.get_temp_dir()))


class PackageTest(Harness):
    """Folder and archive are read alike."""

    def test_archive_equals_folder(self):
        write_folder(self.folder)
        archive = self.folder / "openmoji-17.0.0.tgz"
        with tarfile.open(archive, "w:gz") as packed:
            packed.add(self.folder / "package", "package")
        read = tool.read_package(str(archive))
        self.assertEqual(read, tool.read_package(str(self.folder)))
        self.assertEqual(read, tool.read_package(str(self.folder / "package")))
        rows, svgs, version = read
        self.assertEqual(svgs, SVGS)
        self.assertEqual(
            [r["annotation"] for r in rows][:2], ["package", "red square"]
        )
        self.assertEqual(version, "17.0.0")

    def test_missing_source_tells_where_to_get_it(self):
        with self.assertRaisesRegex(ValueError, "npm pack openmoji@17.0.0"):
            tool.read_package(str(self.folder / "none.tgz"))

    def test_other_folder_is_refused(self):
        with self.assertRaisesRegex(ValueError, "no data/openmoji.csv"):
            tool.read_package(str(self.folder))


class ColourTest(Harness):
    """Colours are measured on what is drawn."""

    def test_larger_colour_comes_first(self):
        drawn = tool.render(SVGS["1F7E5"], 64)
        self.assertEqual(tool.colours(drawn), ["red", "yellow"])

    def test_black_and_skin_and_small_areas_are_left_out(self):
        drawn = tool.render(
            svg(
                box("#000", 0, 0, 72, 20),
                box("#fadcbc", 0, 20, 72, 20),
                box("#61b2e4", 0, 40, 72, 30),
                box("#d22f27", 0, 70, 72, 2),
            ),
            72,
        )
        self.assertEqual(tool.colours(drawn), ["blue"])

    def test_transparent_ground_is_no_colour_but_white_ink_is(self):
        drawn = tool.render(svg(box("#fff", 0, 0, 36, 72)), 64)
        self.assertEqual(tool.colours(drawn), ["white"])
        self.assertAllEqual(tool.on_white(drawn), np.full((64, 64, 3), 255))


class CaptionTest(Harness):
    """Five captions hold name, tags and colours."""

    def test_frames(self):
        self.assertEqual(
            tool.five_captions(
                "cup", "drink", ["tea", "mug", "hot", "pot"], ["red", "gray"]
            ),
            (
                "cup",
                "an icon of cup",
                "a drawing of cup in red and gray",
                "cup, tea, mug, hot",
                "red and gray cup, pot",
            ),
        )

    def test_colour_in_the_name_is_not_repeated(self):
        texts = tool.five_captions("red cup", "drink", ["tea"], ["red", "gray"])
        self.assertEqual(texts[2], "a drawing of red cup in gray")
        self.assertEqual(texts[4], "gray red cup, drink")

    def test_kind_stands_in_for_missing_tags(self):
        self.assertEqual(
            tool.five_captions("cup", "drink", [], [])[2:],
            ("a drawing of cup", "cup, drink", "cup, drink"),
        )

    def test_tags_come_once_and_not_if_the_name_says_them(self):
        self.assertEqual(
            tool.tags(
                row(
                    "1", "tea cup", openmoji_tags="mug, Cup", tags="mug,hot, !"
                ),
                "tea cup",
            ),
            ["mug", "hot"],
        )


class FamilyTest(Harness):
    """Variants of one icon are one family."""

    @parameterized.parameters(
        ("2764-FE0F", "2764"),
        ("1F3C3-1F3FB-200D-2642-FE0F-200D-27A1-FE0F", "1F3C3"),
        ("1F469-1F3FD-200D-1F33E", "1F9D1-1F33E"),
        ("1F468-200D-1F33E", "1F9D1-1F33E"),
        ("1F468-200D-1F469-200D-1F467", "1F9D1-1F9D1"),
        ("1F474", "1F9D1"),
        ("1F34B-200D-1F7E9", "1F34B"),
        ("27A1", "27A1"),
        ("200D", "200D"),
    )
    def test_base_code_point(self, hexcode, expected):
        self.assertEqual(tool.base(hexcode), expected)

    def test_base_name_and_likeness_join_and_nothing_else(self):
        drawn = np.zeros((7, 128, 128, 4), np.uint8)
        drawn[..., 3] = 255
        for place in range(7):  # seven different pictures
            drawn[place, :, 16 * place : 16 * place + 16] = 255
        drawn[6] = drawn[4]
        drawn[6, 0, 0] = 255
        icons = [
            tool.Icon(row(code, name), name, picture)
            for code, name, picture in zip(
                ("1F1", "1F1-FE0F", "2F1", "2F2", "3F1", "3F2", "1A1"),
                ("a", "b", "man dancing", "woman dancing", "c", "d", "e"),
                drawn,
                strict=True,
            )
        ]
        tool.name_family(icons)
        self.assertEqual(
            [icon.family for icon in icons],
            ["01F1", "01F1", "02F1", "02F1", "01A1", "03F2", "01A1"],
        )

    def test_split_is_a_hash_of_the_family(self):
        hashed = hashlib.sha256(b"openmoji split: 2764").digest()
        share = int.from_bytes(hashed[:8], "big") / 2**64
        self.assertEqual(tool.is_test("2764"), share < 0.1)
        parts = [tool.is_test(f"{code:04X}") for code in range(5000)]
        # Standard deviation of the share: 0.4 %.
        self.assertBetween(np.mean(parts), 0.085, 0.115)


class BuildTest(Harness):
    """The whole set is built as the table says."""

    def build(self, size=64):
        icons, refused = tool.collect(ROWS, SVGS)
        return tool.build(icons, SVGS, size, "17.0.0"), refused

    def test_only_usable_icons_stay(self):
        arrays, refused = self.build()
        self.assertEqual(arrays["hexcodes"].tolist(), KEPT)
        self.assertEqual(
            {hexcode: reason for reason, hexcode, _ in refused},
            {
                "1F4E6-1F3FB": "a skin-tone variant",
                "1F1E6": "a flag",
                "E000": "a brand's logo (trademark)",
                "1F3FB": "a component, not a picture",
                "20E3": "a combining mark",
                "1F52E": "no drawing in color/svg",
                "1F52F": "no usable name",
                "1F530": "a drawing that cannot be read",
                "1F531": "an empty drawing",
                "1F532": "the same picture as an earlier one",
            },
        )

    def test_farmers_lie_in_one_part(self):
        arrays, _ = self.build()
        self.assertLen(set(arrays["families"][3:].tolist()), 1)
        self.assertLen(set(arrays["is_test"][3:].tolist()), 1)

    def test_size_changes_pictures_only(self):
        small, _ = self.build(16)
        large, _ = self.build(64)
        self.assertEqual(small["images"].shape, (6, 16, 16, 3))
        for name in set(small) - {"images", "meta"}:
            self.assertAllEqual(small[name], large[name])

    def test_pictures_stand_on_white(self):
        arrays, _ = self.build(72)
        package = arrays["images"][0]
        self.assertAllEqual(package[0, 0], [255, 255, 255])
        self.assertAllEqual(package[40, 40], [165, 121, 57])
        self.assertAllEqual(package[12, 40], [63, 63, 63])

    def test_same_input_gives_the_same_bytes(self):
        once = tool.npz_bytes(self.build()[0])
        self.assertEqual(once, tool.npz_bytes(self.build()[0]))

    def test_summary_counts_what_came_and_what_did_not(self):
        arrays, refused = self.build()
        text = tool.summary(arrays, refused, "x.npz", 1_500_000)
        for part in ("x.npz: 1.50 MB", "6 of 64 px", "30, ", "refused     10"):
            self.assertIn(part, text)


class PlanTest(Harness):
    """The set goes through the engine of all sets."""

    def plan(self, **changes):
        write_folder(self.folder)
        usual = dict(source=str(self.folder), size=0, labels="groups")
        return tool.plan(types.SimpleNamespace(**usual | changes))

    def test_plan_says_what_the_arrays_say(self):
        icons, _ = tool.collect(ROWS, SVGS)
        arrays = tool.build(icons, SVGS, 64, "17.0.0")
        found = self.plan()
        self.assertEqual([item.key for item in found.items], KEPT)
        for row, item in enumerate(found.items):
            self.assertEqual(
                list(item.captions), arrays["captions"][row].tolist()
            )
            self.assertEqual(item.label, arrays["labels"][row])
            self.assertEqual(item.split == "test", arrays["is_test"][row])
            drawn = Image.open(io.BytesIO(item.picture.read_bytes()))
            self.assertAllEqual(np.asarray(drawn), arrays["images"][row])
            self.assertTrue(item.picture.source.match(str(item.picture)))
            self.assertTrue(item.picture.source.is_file())
        self.assertEqual(
            found.class_names, tuple(arrays["group_names"].tolist())
        )
        self.assertIn(
            ("1F530 broken", "a drawing that cannot be read"), found.refused
        )
        self.assertLen(found.refused, 10)

    def test_subgroups_may_be_the_classes(self):
        self.assertIn(
            "people-body/person", self.plan(labels="subgroups").class_names
        )

    def test_counts_are_known_for_the_packaged_version(self):
        known = self.plan().known
        self.assertEqual(
            known,
            {
                "pictures": 2023,
                "train": 1837,
                "test": 186,
                "captions": 10115,
                "classes": 10,
                "captions_per_picture": 5,
            },
        )
        path = self.folder / "package" / "package.json"
        path.write_text('{"version": "16.0.0"}')
        found = tool.plan(
            types.SimpleNamespace(
                source=str(self.folder), size=0, labels="subgroups"
            )
        )
        self.assertEmpty(found.known)

    def test_size_is_that_of_the_drawing(self):
        item = self.plan(size=40).items[0]
        drawn = Image.open(io.BytesIO(item.picture.read_bytes()))
        self.assertEqual(drawn.size, (40, 40))


class CommandTest(Harness):
    """The command writes a set that the library opens."""

    def command(self, *arguments):
        return subprocess.run(
            [sys.executable, "-m", "tools.prepare_openmoji", *arguments],
            cwd=pathlib.Path(tool.__file__).parents[1],
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
        )

    def test_library_opens_what_the_command_wrote(self):
        write_folder(self.folder)
        out = self.folder / "made" / "set.npz"
        done = self.command(
            f"--source={self.folder}", f"--npz={out}", "--size=32"
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("pictures    6 of 32 px", done.stdout)
        opened = openmoji.load(image_size=32, path=out)
        self.assertEqual(opened.keys.tolist(), KEPT)
        self.assertEqual(
            opened.captions[0].tolist(),
            [
                "package",
                "an icon of package",
                "a drawing of package in brown",
                "package, post, box, parcel",
                "brown package, other object",
            ],
        )
        self.assertEqual(openmoji.card(out)["source"], "npm openmoji 17.0.0")

    def test_file_is_made_of_the_arrays_alone(self):
        write_folder(self.folder)
        out = self.folder / "set.npz"
        done = self.command(f"--source={self.folder}", f"--npz={out}")
        self.assertEqual(done.returncode, 0, done.stderr)
        icons, _ = tool.collect(ROWS, SVGS)
        arrays = tool.build(icons, SVGS, 64, "17.0.0")
        self.assertEqual(out.read_bytes(), tool.npz_bytes(arrays))
        names = zipfile.ZipFile(out).namelist()
        self.assertEqual(names, [f"{name}.npy" for name in NAMES])

    def test_folder_is_a_prepared_set(self):
        write_folder(self.folder)
        out = self.folder.with_name(f"{self.folder.name}-set")
        done = self.command(f"--source={self.folder}", f"--out={out}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("pictures    6: ", done.stdout)
        self.assertIn("refused     10", done.stdout)
        self.assertIn("known       2,023 pictures; here 6", done.stdout)
        self.assertIn("License: CC BY-SA 4.0", done.stdout)
        held = prepared.load(out)
        self.assertCountEqual(np.asarray(held.keys).tolist(), KEPT)
        self.assertEqual(held.captions[np.arange(6)].shape, (6, 5))

    @parameterized.parameters(
        (("--out=a", "--npz=b.npz"), "Give exactly one of --out and --npz"),
        ((), "Give exactly one of --out and --npz"),
        (("--out=b.npz",), "names a folder; give --npz=b.npz"),
    )
    def test_what_to_write_is_said_once(self, words, sentence):
        done = self.command(f"--source={self.folder}", *words)
        self.assertEqual(done.returncode, 2)
        self.assertIn(sentence, done.stderr)

    def test_bad_source_ends_in_a_sentence_and_writes_nothing(self):
        out = self.folder / "set.npz"
        done = self.command(f"--source={self.folder}", f"--npz={out}")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(
            done.stderr, "(?m)^Error: .*holds no data/openmoji.csv"
        )
        self.assertNotIn("Traceback", done.stderr)
        self.assertFalse(out.exists())


if __name__ == "__main__":
    tf.test.main()
