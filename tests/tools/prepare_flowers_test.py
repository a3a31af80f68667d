"""Oxford-102 in the layouts it comes in, from tiny trees to a prepared set."""

import contextlib
import os
import pathlib

import numpy as np
import scipy.io
import tensorflow as tf
from absl.testing import parameterized

from tests.tools import reed_cases as cases
from tools import prepare_flowers as tool
from tools.preparing import plan as plans

LABELS = [2, 1, 1, 2, 3, 3, 5]
NAMES = [f"image_{n:05d}" for n in range(1, 8)]
CLASSES = [f"class_{n:05d}" for n in LABELS]
KEYS = [f"{c}/{n}" for c, n in zip(CLASSES, NAMES, strict=True)]
LISTS = {
    "trainclasses.txt": "class_00001\n",
    "valclasses.txt": "class_00002\n",
    "testclasses.txt": "class_00003\nclass_00005\n",
}


def mat(path, **arrays):
    """Writes rows of numbers as the download has them."""
    path = pathlib.Path("flowers", path)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = {n: np.array([row], np.uint16) for n, row in arrays.items()}
    scipy.io.savemat(path, rows, do_compression=True)


def pictures():
    """The files of 102flowers.tgz."""
    return {f"jpg/{name}.jpg": cases.jpeg(n) for n, name in enumerate(NAMES, 1)}


class FlowersTest(cases.Case):
    """What a plan holds."""

    def lay(self, *files, labels=LABELS):
        if labels:
            mat("imagelabels.mat", labels=labels)
        for each in files:
            cases.write("flowers", each)

    def plan(self, source="flowers", **changes):
        return tool.plan(cases.options(source, **changes))

    def splits(self, found):
        return [item.split for item in found.items]

    def test_reed_s_lists_part_the_classes(self):
        self.lay(pictures(), cases.text_files("text_c10", KEYS), LISTS)
        found = self.plan()
        self.assertEqual(found.refused, [])
        self.assertEqual([item.key for item in found.items], KEYS)
        self.assertEqual(self.splits(found), ["train"] * 4 + ["test"] * 3)
        self.assertEqual(
            [item.label for item in found.items], [1, 0, 0, 1, 2, 2, 3]
        )
        self.assertEqual(found.class_names[3], "flower class 5")
        self.assertEqual(found.items[0].captions, (*cases.texts(KEYS[0]),))
        self.assertIsNone(found.items[0].box)
        self.assertEqual(found.known["test"], 1_155)
        apart = self.plan(split="reed_val")
        self.assertEqual(
            self.splits(apart),
            ["val", "train", "train", "val", "test", "test", "test"],
        )

    def test_lists_lie_beside_the_folder_of_captions(self):
        self.lay(pictures())
        files = cases.text_files("text_c10", KEYS)
        cases.write("flowers_icml", files | LISTS)
        for source in ("flowers", "flowers/jpg"):
            found = self.plan(
                source,
                captions_from="flowers_icml/text_c10",
                split="reed_val",
            )
            self.assertEqual(
                self.splits(found),
                ["val", "train", "train", "val", "test", "test", "test"],
            )

    def test_a_link_to_the_pictures_is_followed_only_if_asked(self):
        self.lay(pictures(), cases.text_files("text_c10", KEYS), LISTS)
        pathlib.Path("flowers/jpg").rename("disk")
        pathlib.Path("flowers/jpg").symlink_to("../disk")
        with self.assertRaisesRegex(plans.Refused, "--follow_links") as caught:
            self.plan()
        self.assertEqual(str(caught.exception.file), "flowers/jpg")
        self.assertLen(self.plan(follow_links=True).items, 7)

    def test_class_folders_stand_in_for_missing_labels(self):
        files = cases.text_files("text_c10", KEYS)
        self.lay(pictures(), labels=None)
        cases.write("flowers_icml", files | LISTS)
        found = self.plan(captions_from="flowers_icml")
        self.assertEqual(found.refused, [])
        self.assertEqual([item.key for item in found.items], KEYS)
        self.assertEqual(self.splits(found), ["train"] * 4 + ["test"] * 3)

    @parameterized.parameters(
        np.uint8, np.uint16, np.int32, np.float64, np.float32
    )
    def test_setid_s_split_is_told_to_share_classes(self, kind):
        self.lay(pictures(), cases.text_files("text_c10", KEYS))
        rows = {"trnid": [3, 1], "valid": [2], "tstid": [4, 5, 6, 9, 2]}
        scipy.io.savemat(
            "flowers/setid.mat",
            {n: np.array([r], kind) for n, r in rows.items()},
        )
        with self.assertRaisesRegex(
            ValueError,
            "flowers/trainvalclasses.txt is missing.*choose --split=official",
        ):
            self.plan()
        found = self.plan(split="official")
        self.assertEqual(
            self.splits(found), ["train", "val", "train"] + ["test"] * 3
        )
        self.assertIn("classes that were learnt from", found.notes[0])
        self.assertEqual(found.known["val"], 1_020)
        reasons = [reason for _, reason in found.refused]
        self.assertIn("the number 9, unknown or listed twice", reasons)
        self.assertIn("the number 2, unknown or listed twice", reasons)
        refused = cases.reasons(found)
        self.assertEqual(refused[f"{NAMES[6]}.jpg"], "in no part of setid.mat")

    def test_lists_of_pictures_are_read(self):
        keys = [f"jpg/{name}" for name in NAMES]
        lists = cases.attngan_files(keys[:5], [*keys[5:], "jpg/image_00099"])
        self.lay(pictures(), cases.text_files("text_c10", KEYS), lists)
        found = self.plan()
        self.assertEqual(self.splits(found), ["train"] * 5 + ["test"] * 2)
        self.assertEqual(list(cases.reasons(found)), ["jpg/image_00099"])
        self.lay(LISTS)
        with self.assertRaisesRegex(ValueError, "--split is needed"):
            self.plan()

    def test_hostile_pickle_is_not_run(self):
        lists = cases.attngan_files(NAMES[:4], NAMES[4:])
        lists["test/filenames.pickle"] = cases.HOSTILE
        self.lay(pictures(), cases.text_files("text_c10", KEYS), lists)
        with self.assertRaisesRegex(plans.Refused, "'posix.system'"):
            self.plan()
        self.assertEqual(os.listdir(), ["flowers"])

    def test_what_does_not_fit_is_named(self):
        files = cases.text_files("text_c10", KEYS[1:])
        files["text_c10/class_00001/image_00001.txt"] = "of another class\n"
        shown = pictures()
        del shown["jpg/image_00002.jpg"]
        shown["jpg/image_00008.jpg"] = b""
        self.lay(shown, files, LISTS)
        os.remove("flowers/jpg/image_00003.jpg")
        cases.write(".", {"secret.jpg": cases.jpeg(9)})
        secret = pathlib.Path("secret.jpg").absolute()
        pathlib.Path("flowers/jpg/image_00003.jpg").symlink_to(secret)
        found = self.plan()
        self.assertEqual([item.key for item in found.items], KEYS[3:])
        refused = cases.reasons(found)
        for place, words in {
            "class_00002/image_00001.txt": "without captions in text_c10/",
            "text_c10/class_00001/image_00001.txt": "that is not listed",
            "image_00002.jpg": "a missing file",
            "flowers/jpg/image_00003.jpg": "a link out of the folder",
            "image_00008.jpg": "without a class",
        }.items():
            self.assertIn(words, refused[place])

    def test_missing_things_are_named(self):
        with self.assertRaisesRegex(ValueError, "--source=flowers is no file"):
            self.plan()
        self.lay({"README": ""})
        with self.assertRaisesRegex(ValueError, "flowers/jpg is missing"):
            self.plan()
        self.lay(pictures())
        with self.assertRaisesRegex(ValueError, "flowers/text_c10 is missing"):
            self.plan()
        self.lay(cases.text_files("text_c10", KEYS))
        with self.assertRaisesRegex(ValueError, "flowers/setid.mat is missing"):
            self.plan(split="official")
        for way, name in (
            ("reed", "trainvalclasses.txt"),
            ("attngan", "train/filenames.pickle"),
        ):
            with self.assertRaisesRegex(ValueError, f"{name} is missing"):
                self.plan(split=way)

    def test_bad_mat_files_get_a_sentence(self):
        self.lay(pictures(), cases.text_files("text_c10", KEYS), LISTS)
        path = pathlib.Path("flowers/imagelabels.mat")
        good = path.read_bytes()
        texts = {"labels": np.array(["rose"])}
        for content, words in (
            (b"", "can't be read"),
            (b"hello" * 100, "can't be read"),
            (good[:-20], "can't be read"),
            (good[:130], "can't be read|without the array"),
            ({"other": [1]}, "without the array 'labels'"),
            (texts, "no row of whole numbers"),
            ({"labels": [1.5]}, "no row of whole numbers"),
            ({"labels": [np.nan]}, "no row of whole numbers"),
            ({"labels": {"a": 1}}, "no row of whole numbers"),
            ({"labels": np.zeros((1001, 1000), np.uint8)}, "is too large"),
        ):
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                scipy.io.savemat(path, content)
            with self.assertRaisesRegex(plans.Refused, words) as caught:
                self.plan()
            self.assertEqual(caught.exception.file, path)

    def test_scrambled_mat_files_never_do_worse_than_a_sentence(self):
        mat("labels.mat", labels=list(range(1, 100)))
        good = np.frombuffer(
            pathlib.Path("flowers/labels.mat").read_bytes(), np.uint8
        )
        random = np.random.RandomState(0)
        for _ in range(100):
            bad = good.copy()
            places = random.randint(120, len(bad), 2)
            bad[places] = random.randint(0, 256, 2)
            pathlib.Path("bad.mat").write_bytes(bad.tobytes())
            with contextlib.suppress(plans.Refused):
                self.assertNotEmpty(
                    tool.numbers(pathlib.Path("bad.mat"), "labels")
                )


class WholeWayTest(cases.Case):
    """From the files to prepared sets."""

    def test_tree_becomes_a_set(self):
        mat("imagelabels.mat", labels=LABELS)
        texts = cases.text_files("text_c10", KEYS)
        cases.write("flowers", pictures() | texts | LISTS)
        manifest, parts, told = cases.prepare(tool, "out", "flowers")
        self.assertEqual(manifest["name"], "flowers")
        self.assertEqual(list(parts["test"].keys), KEYS[4:])
        self.assertEqual(list(parts["test"].labels), [2, 2, 3])
        self.assertEqual(parts["train"].captions.shape, (4, 10))
        self.assertEqual(cases.image(parts["train"], 0), cases.jpeg(1))
        self.assertIn("8,182 fewer", told)

    def test_hdf5_becomes_a_set(self):
        splits = {1: "train", 2: "valid", 3: "test", 5: "test"}
        rows = [
            (splits[LABELS[n]], CLASSES[n], NAMES[n], cases.jpeg(n + 1), ["a"])
            for n in range(7)
        ]
        cases.hdf5("flowers.h5", rows)
        _, parts, _ = cases.prepare(tool, "out", "flowers.h5")
        self.assertEqual(list(parts["val"].keys), [KEYS[0], KEYS[3]])
        self.assertEqual(cases.image(parts["val"], 0), cases.jpeg(1))
        self.assertEqual(list(parts["test"].labels), [2, 2, 3])


if __name__ == "__main__":
    tf.test.main()
