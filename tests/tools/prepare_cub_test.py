"""CUB in the layouts it comes in, from tiny trees to a prepared set."""

import contextlib
import io
import os
import pathlib
import pickle

import h5py
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from tests.tools import reed_cases as cases
from tools import prepare_cub as tool
from tools.preparing import plan as plans

CLASSES = [
    "001.Black_footed_Albatross",
    "002.Laysan_Albatross",
    "003.Sooty_Albatross",
]
KEYS = [
    f"{owner}/{owner[4:]}_{number:04d}_{number}"
    for owner in CLASSES
    for number in (1, 2)
]
TRAIN, TEST = KEYS[:4], KEYS[4:]
LISTS = {
    "allclasses.txt": "\n".join(CLASSES) + "\n",
    "trainvalclasses.txt": "\n".join(CLASSES[:2]) + "\n",
    "trainclasses.txt": CLASSES[0] + "\n",
    "valclasses.txt": CLASSES[1],
    "testclasses.txt": CLASSES[2] + "\r\n",
}


def official(keys=KEYS):
    """The files of CUB_200_2011.tgz."""
    rows = list(enumerate(keys, 1))
    labels = [CLASSES.index(key.partition("/")[0]) + 1 for key in keys]
    files = {
        "images.txt": [f"{n} {key}.jpg" for n, key in rows],
        "image_class_labels.txt": [
            f"{n} {label}" for n, label in enumerate(labels, 1)
        ],
        "classes.txt": [f"{n} {c}" for n, c in enumerate(CLASSES, 1)],
        "bounding_boxes.txt": [f"{n} 10.0 6.0 20.0 12.0" for n, _ in rows],
        "train_test_split.txt": [f"{n} {n % 2}" for n, _ in rows],
    }
    files = {name: "\n".join(found) + "\n" for name, found in files.items()}
    pictures = {f"images/{k}.jpg": cases.jpeg(n) for n, k in rows}
    return {f"CUB_200_2011/{n}": d for n, d in (files | pictures).items()}


def captions(folder="text_c10", keys=KEYS):
    """Caption files."""
    return cases.text_files(folder, keys)


class CubTest(cases.Case):
    """What a plan holds."""

    def lay(self, *files):
        for each in files:
            cases.write("birds", each)

    def plan(self, source="birds", **changes):
        return tool.plan(cases.options(source, **changes))

    def splits(self, found):
        return {item.key: item.split for item in found.items}

    def test_reed_s_lists_part_the_classes(self):
        self.lay(official(), captions(), LISTS)
        found = self.plan()
        self.assertEqual(found.refused, [])
        self.assertEqual([item.key for item in found.items], KEYS)
        self.assertEqual(
            self.splits(found),
            dict.fromkeys(TRAIN, "train") | dict.fromkeys(TEST, "test"),
        )
        self.assertEqual([x.label for x in found.items], [0, 0, 1, 1, 2, 2])
        self.assertEqual(
            found.class_names,
            ("Black footed Albatross", "Laysan Albatross", "Sooty Albatross"),
        )
        self.assertEqual(found.items[0].captions, (*cases.texts(KEYS[0]),))
        self.assertEqual(found.items[0].box, (5, -3, 35, 27))
        self.assertEqual(found.known["train"], 8_855)
        self.assertEqual(found.known["captions"], 117_880)

    @parameterized.parameters("trainvalids.txt", "trainids.txt")
    def test_reed_s_lists_may_be_numbers(self, name):
        lists = {name: "3\n1\n", "testids.txt": "2", "valids.txt": ""}
        lists["allclasses.txt"] = "\n".join([*CLASSES[1:], CLASSES[0]])
        self.lay(official(), captions(), lists)
        parts = {"001": "train", "002": "train", "003": "test"}
        self.assertEqual(
            self.splits(self.plan()), {k: parts[k[:3]] for k in KEYS}
        )

    def test_classes_for_validation_may_stay_apart(self):
        self.lay(official(), captions(), LISTS)
        found = self.plan(split="reed_val")
        parts = {"001": "train", "002": "val", "003": "test"}
        self.assertEqual(self.splits(found), {k: parts[k[:3]] for k in KEYS})
        self.assertNotIn("train", found.known)

    def test_unknown_and_repeated_classes_are_named(self):
        lists = {
            "trainvalclasses.txt": f"{CLASSES[0]}\n204.Dodo\n\n",
            "testclasses.txt": "\n".join(CLASSES[::2]),
        }
        self.lay(official(), captions(), lists)
        found = self.plan()
        refused = cases.reasons(found)
        self.assertIn("'204.Dodo'", refused["trainvalclasses.txt:2"])
        self.assertIn("lists of train and test", refused[CLASSES[0]])
        for key in KEYS[2:4]:
            self.assertEqual(
                refused[f"{key}.jpg"], "in no part of Reed's lists"
            )
        self.assertLen(found.items, 4)

    @parameterized.parameters(0, 1, 2, 3, 4, 5)
    def test_attngan_s_folder_is_read(self, protocol):
        train, test = [KEYS[5], *KEYS[:3]], KEYS[3:5]
        numbers = {key: int(key[:3]) for key in KEYS}
        pickles = cases.attngan_files(train, test, numbers, protocol)
        self.lay(official(), captions("text"), pickles)
        found = self.plan()
        self.assertEqual(found.refused, [])
        self.assertEqual(
            self.splits(found),
            dict.fromkeys(train, "train") | dict.fromkeys(test, "test"),
        )
        self.assertEqual(found.vocabulary, ["wing", "red", "a"])
        self.assertEqual(found.items[0].captions, (*cases.texts(KEYS[0]),))
        self.assertIn("3 words", found.notes[0])

    def test_captions_of_numbers_stand_in_for_missing_text(self):
        self.lay(official(), cases.attngan_files(KEYS[:3], KEYS[3:]))
        found = self.plan()
        self.assertEqual(found.refused, [])
        for item in found.items:
            self.assertEqual(item.captions, ("a red wing",) * 10)

    def test_official_split_is_told_to_share_classes(self):
        self.lay(official(), captions())
        found = self.plan(split="official")
        self.assertEqual(
            list(self.splits(found).values()), ["train", "test"] * 3
        )
        self.assertIn("classes that were learnt from", found.notes[0])
        self.assertEqual(found.known["train"], 5_994)

    def test_official_split_is_never_taken_unasked(self):
        self.lay(official(), captions("here/text_c10"))
        with self.assertRaisesRegex(
            ValueError,
            "^birds/here/trainvalclasses.txt is missing: it and testclasses.txt"
            ".*put them there, or choose --split=official",
        ):
            self.plan()

    def test_two_kinds_of_lists_need_a_choice(self):
        pickles = cases.attngan_files(KEYS[::2], KEYS[1::2])
        self.lay(official(), captions(), LISTS, pickles)
        with self.assertRaisesRegex(ValueError, "--split is needed.*reed .in"):
            self.plan()
        for way, second in (("attngan", "test"), ("reed", "train")):
            found = self.plan(split=way)
            self.assertEqual(found.items[1].split, second)

    def test_parts_may_lie_in_several_places(self):
        self.lay(official())
        cases.write("elsewhere/cub_icml", captions() | LISTS)
        for source in ("birds", "birds/CUB_200_2011"):
            for near in ("elsewhere", "elsewhere/cub_icml"):
                found = self.plan(source, captions_from=near)
                self.assertLen(found.items, 6)
                self.assertEqual(found.items[5].split, "test")
        cases.write("birds/other", captions("text") | LISTS)
        for source in ("birds", "birds/CUB_200_2011"):
            self.assertLen(self.plan(source).items, 6)

    @parameterized.parameters("reed", "reed_val", "auto")
    def test_lists_may_lie_beside_the_folder_of_captions(self, split):
        self.lay(official())
        cases.write("elsewhere/cub_icml", captions() | LISTS)
        near = "elsewhere/cub_icml/text_c10"
        found = self.plan(captions_from=near, split=split)
        self.assertLen(found.items, 6)
        self.assertEqual(
            found.items[2].split, "val" if "v" in split else "train"
        )
        with contextlib.chdir(near):
            found = self.plan("../../../birds", captions_from=".", split=split)
        self.assertEqual(found.items[5].split, "test")

    def test_pickles_may_lie_beside_the_folder_of_captions(self):
        self.lay(official())
        pickles = cases.attngan_files(TRAIN, TEST)
        cases.write("elsewhere", captions("text") | pickles)
        found = self.plan(captions_from="elsewhere/text")
        self.assertEqual(found.items[5].split, "test")
        self.assertEqual(found.vocabulary, ["wing", "red", "a"])

    def test_vocabulary_of_other_words_is_counted_instead(self):
        files = cases.attngan_files(TRAIN, TEST)
        for words, why in (
            ({0: "<end>", 1: "wing", 2: "Red's"}, "Red's"),
            ({0: "<end>", 1: "wing", 2: "wing"}, "wing"),
            ({0: "<end>", 2: "wing"}, "left out"),
            ({}, "word"),
        ):
            table = [[[1]] * 40, [[1]] * 20, words, {}]
            files["captions.pickle"] = pickle.dumps(table, 2)
            self.lay(official(), captions("text"), files)
            found = self.plan()
            self.assertIsNone(found.vocabulary)
            self.assertIn("of captions.pickle is not taken", found.notes[0])
            self.assertIn(why, found.notes[0])

    def test_backslashes_part_folders_too(self):
        files = official()
        name = "CUB_200_2011/images.txt"
        files[name] = files[name].replace("/", "\\")
        keys = [[k.replace("/", "\\") for k in each] for each in (TRAIN, TEST)]
        self.lay(files, captions(), cases.attngan_files(*keys))
        found = self.plan()
        self.assertEqual(found.refused, [])
        self.assertEqual([item.key for item in found.items], KEYS)

    def test_links_out_of_the_trees_are_followed_only_if_asked(self):
        self.lay(official())
        cases.write("disk", captions() | LISTS)
        for name in ("images", "classes.txt"):
            path = pathlib.Path("birds/CUB_200_2011", name)
            path.rename(pathlib.Path("disk", name))
            path.symlink_to(pathlib.Path("disk", name).absolute())
            with self.assertRaisesRegex(plans.Refused, "--follow_links") as e:
                self.plan(captions_from="disk")
            self.assertEqual(e.exception.file, path)
            given = dict(captions_from="disk", follow_links=True)
            self.assertLen(self.plan(**given).items, 6)
        pathlib.Path("birds/text_c10").symlink_to("../disk/text_c10")
        with self.assertRaisesRegex(plans.Refused, "--follow_links"):
            self.plan()
        pathlib.Path("elsewhere").symlink_to("disk")  # A link named by a flag.
        (pathlib.Path("birds/CUB_200_2011") / "images").unlink()
        (pathlib.Path("birds/CUB_200_2011") / "classes.txt").unlink()
        for name in ("images", "classes.txt"):
            pathlib.Path("disk", name).rename(f"birds/CUB_200_2011/{name}")
        found = self.plan(captions_from="elsewhere")
        self.assertLen(found.items, 6)

    def test_links_to_folders_of_pictures_are_named_once(self):
        self.lay(official(), captions(), LISTS)
        path = pathlib.Path("birds/CUB_200_2011/images", CLASSES[0])
        path.rename("disk")
        path.symlink_to(pathlib.Path("disk").absolute())
        found = self.plan()
        self.assertLen(found.items, 4)
        self.assertEqual([file for file, _ in found.refused], [str(path)])
        self.assertIn("without --follow_links", found.refused[0][1])

    def test_other_lists_beside_are_no_lists_of_birds(self):
        self.lay(official(), captions(), LISTS)
        cases.write(".", {"trainvalclasses.txt": "class_00001"})
        self.assertEqual(self.plan().items[5].split, "test")

    def test_other_sets_beside_are_not_taken(self):
        self.lay(official(), captions("own/text_c10"))
        cases.write("birds/own", LISTS)
        others = cases.text_files("text_c10", ["class_00001/image_00001"])
        cases.write("birds/a_flowers", others)
        cases.write("birds/a_flowers", {"trainvalclasses.txt": "class_00001"})
        coco = cases.attngan_files(["COCO_train2014_1"], ["COCO_val2014_2"])
        cases.write("birds/a_coco", coco)
        found = self.plan()
        self.assertLen(found.items, 6)
        self.assertIsNone(found.vocabulary)

    @parameterized.parameters(
        ("10.0 6.0 20.0 12.0", (5, -3, 35, 27)),
        ("60.9 27.9 325.9 304.9", (-21, -64, 465, 422)),
        ("0.0 0.0 3.0 1.0", (-1, -2, 3, 2)),
    )
    def test_box_is_the_papers_square(self, text, expected):
        self.assertEqual(tool.box(text), expected)
        left, top, width, height = (int(float(x)) for x in text.split())
        radius = int(np.maximum(width, height) * 0.75)
        middle = int((2 * left + width) / 2), int((2 * top + height) / 2)
        self.assertEqual(expected[0], middle[0] - radius)
        self.assertEqual(expected[3], middle[1] + radius)

    @parameterized.parameters(
        "", "1 2 3", "1 2 3 4 5", "a b c d", "1 2 0 0", "1 2 inf 4",
        "nan 1 2 3", "1 2 -3 -4", "1e300 0 5 5",
    )  # fmt: skip
    def test_box_of_nothing_is_none(self, text):
        self.assertIsNone(tool.box(text))

    @parameterized.parameters(
        "images.txt",
        "image_class_labels.txt",
        "classes.txt",
        "bounding_boxes.txt",
        "train_test_split.txt",
    )
    def test_missing_file_is_named(self, name):
        self.lay(official(), captions())
        os.remove(f"birds/CUB_200_2011/{name}")
        with self.assertRaises(ValueError) as caught:
            self.plan(split="official")
        self.assertIn(f"birds/CUB_200_2011/{name} is ", str(caught.exception))
        self.assertIn("CUB_200_2011.tgz", str(caught.exception))
        if name == "bounding_boxes.txt":
            self.assertIn("--nocrop", str(caught.exception))
            found = self.plan(crop=False, split="official")
            self.assertIsNone(found.items[0].box)

    def test_missing_captions_and_lists_are_named(self):
        self.lay(official())
        with self.assertRaisesRegex(ValueError, "birds/text_c10 is missing"):
            self.plan()
        self.lay(captions())
        for way, words in (
            ("reed", "birds/trainvalclasses.txt is missing"),
            ("attngan", "birds/train/filenames.pickle is missing"),
        ):
            with self.assertRaisesRegex(ValueError, words):
                self.plan(split=way)
        self.lay({"trainclasses.txt": CLASSES[0]})
        with self.assertRaisesRegex(ValueError, "birds/valclasses.txt is mis"):
            self.plan()
        for flag in ("source", "captions_from"):
            with self.assertRaisesRegex(ValueError, f"--{flag}=no is no file"):
                self.plan(**{flag: "no"})

    def test_listings_are_not_followed_out_of_the_tree(self):
        files = official()
        inside = pathlib.Path("birds/CUB_200_2011/images")
        name = f"{KEYS[5]}.jpg"
        del files[f"CUB_200_2011/images/{name}"]
        files["CUB_200_2011/images.txt"] += (
            "7 ../../secret.jpg\n8 /etc/passwd\n9 missing/a.jpg\n"
            f"10 {KEYS[0]}.jpg\n2 {KEYS[3]}.jpg\nx y\n11\n\n12 lone/b.jpg\n"
        )
        for table, value in (
            ("image_class_labels", "1"),
            ("bounding_boxes", "1 1 20 20"),
        ):
            files[f"CUB_200_2011/{table}.txt"] += "".join(
                f"{n} {value}\n" for n in range(7, 11)
            )
        self.lay(files, captions(), LISTS)
        cases.write(".", {"secret.jpg": cases.jpeg(9)})
        (inside / name).parent.mkdir(parents=True, exist_ok=True)
        (inside / name).symlink_to(pathlib.Path("secret.jpg").absolute())
        found = self.plan()
        refused = cases.reasons(found)
        self.assertEqual([item.key for item in found.items], KEYS[:5])
        for place, words in {
            "../../secret.jpg": "'..', which is not followed",
            "/etc/passwd": "an absolute path",
            "missing/a.jpg": "a missing file",
            f"{KEYS[0]}.jpg": "listed twice",
            "images.txt:11": "a number that comes twice",
            "images.txt:12": "not NUMBER VALUE",
            "images.txt:13": "not NUMBER VALUE",
            "lone/b.jpg": "without a class",
            str(inside / name): "a link out of the folder",
        }.items():
            self.assertIn(words, refused[place])

    def test_pictures_and_captions_without_each_other_are_named(self):
        files = captions()
        del files[f"text_c10/{KEYS[0]}.txt"]
        files[f"text_c10/{KEYS[1]}.txt"] = b"a caf\xe9 bird\n"
        files["text_c10/001.Black_footed_Albatross/stray.txt"] = "a bird\n"
        files[f"text_c10/{KEYS[2]}.txt"] = "\ufeffwing\ufffd\ufffds\r\n\r\nb\n"
        boxes = official()
        rows = boxes["CUB_200_2011/bounding_boxes.txt"].replace(
            "4 10.0", "4 wide"
        )
        boxes["CUB_200_2011/bounding_boxes.txt"] = rows
        self.lay(boxes, files, LISTS)
        found = self.plan()
        refused = cases.reasons(found)
        self.assertEqual(
            refused[f"{KEYS[0]}.txt"], "a picture without captions in text_c10/"
        )
        self.assertIn("not UTF-8 (byte 5 is 0xe9)", str(refused))
        stray = "text_c10/001.Black_footed_Albatross/stray.txt"
        self.assertIn("a picture that is not listed", refused[stray])
        self.assertIn("bounding box", refused[f"{KEYS[3]}.jpg"])
        self.assertEqual(found.items[0].captions, ("wing s", "b"))
        self.assertLen(self.plan(encoding="latin-1").items, 4)

    @parameterized.parameters(
        "train/filenames.pickle", "test/filenames.pickle", "captions.pickle"
    )
    def test_hostile_pickle_is_not_run(self, name):
        files = cases.attngan_files(TRAIN, TEST)
        files[name] = cases.HOSTILE
        self.lay(official(), captions(), files)
        if name == "captions.pickle":
            found = self.plan()
            self.assertLen(found.items, 6)
            told = str(cases.reasons(found)[f"birds/{name}"])
        else:
            with self.assertRaises(plans.Refused) as caught:
                self.plan()
            told = str(caught.exception)
            self.assertEqual(str(caught.exception.file), f"birds/{name}")
        self.assertIn("it asks for 'posix.system'; only plain", told)
        self.assertEqual(os.listdir(), ["birds"])

    def test_names_in_pickles_are_only_names(self):
        train = [*KEYS[:3], "../../secret", KEYS[0], "009.Gone/gone_1"]
        self.lay(official(), captions(), cases.attngan_files(train, KEYS[2:]))
        found = self.plan()
        refused = cases.reasons(found)
        self.assertLen(found.items, 6)
        self.assertIn("not in images.txt", refused["../../secret"])
        self.assertIn("not in images.txt", refused["009.Gone/gone_1"])
        self.assertIn("in train and train", refused[KEYS[0]])
        self.assertIn("in train and test", refused[KEYS[2]])
        self.assertEqual(found.items[2].split, "train")


def rows_of_hdf5():
    """Three classes' pictures, with captions that repeat."""
    splits = {"001": "train", "002": "valid", "003": "test"}
    return [
        (
            splits[key[:3]],
            key.partition("/")[0],
            key.partition("/")[2],
            cases.jpeg(n),
            [cases.texts(key)[k] for k in (4, 2, 4, 0, 2)],
        )
        for n, key in enumerate(KEYS)
    ]


class Hdf5Test(cases.Case):
    """What a plan of aelnouby's file holds."""

    def plan(self, **changes):
        return tool.plan(cases.options("birds.hdf5", **changes))

    def test_rows_of_one_picture_are_its_captions(self):
        rows = rows_of_hdf5()
        cases.hdf5("birds.hdf5", rows)
        found = self.plan()
        self.assertEqual(found.refused, [])
        self.assertEqual([item.key for item in found.items], KEYS)
        self.assertEqual(
            [item.split for item in found.items],
            ["train"] * 2 + ["val"] * 2 + ["test"] * 2,
        )
        self.assertEqual([x.label for x in found.items], [0, 0, 1, 1, 2, 2])
        for item, row in zip(found.items, rows, strict=True):
            self.assertEqual(item.captions, tuple(dict.fromkeys(row[4])))
            self.assertEqual(item.picture.read_bytes(), row[3])
        self.assertEqual(found.class_names[2], "Sooty Albatross")
        joined = self.plan(split="reed")
        self.assertEqual(
            [item.split for item in joined.items],
            ["train"] * 4 + ["test"] * 2,
        )

    def test_bytes_may_be_rows_of_numbers_and_text_of_fixed_width(self):
        with h5py.File("birds.hdf5", "w") as file:
            group = file.create_group("test/a_0")
            data = np.frombuffer(cases.jpeg(0), np.uint8)
            group["img"] = data
            group["class"] = np.bytes_(CLASSES[0])
            group["txt"] = np.bytes_("a gr\xfcn bird".encode())
        item = self.plan().items[0]
        self.assertEqual(item.captions, ("a gr\xfcn bird",))
        self.assertEqual(item.picture.read_bytes(), data.tobytes())

    def test_nothing_is_followed_out_of_the_file(self):
        cases.hdf5("birds.hdf5", rows_of_hdf5())
        cases.hdf5("other.hdf5", rows_of_hdf5())
        secret = cases.jpeg(99)
        pathlib.Path("secret.jpg").write_bytes(secret)
        names = [key.partition("/")[2] + "_0" for key in KEYS]
        with h5py.File("birds.hdf5", "r+") as file:
            train, test = file["train"], file["test"]
            del train[names[0]], train[names[1]]["img"], file["valid"]
            train[names[0]] = h5py.ExternalLink(
                "other.hdf5", f"train/{names[0]}"
            )
            train[names[1]].create_dataset(
                "img",
                (len(secret),),
                "u1",
                external=[("secret.jpg", 0, len(secret))],
            )
            file["valid"] = h5py.ExternalLink("other.hdf5", "valid")
            del test[names[4]]["img"]
            layout = h5py.VirtualLayout((4,), "u1")
            layout[:] = h5py.VirtualSource("other.hdf5", "x", (4,))
            test[names[4]].create_virtual_dataset("img", layout)
        found = self.plan()
        refused = cases.reasons(found)
        self.assertEqual([item.key for item in found.items], KEYS[5:])
        for place, words in {
            f"train/{names[0]}": "is a link, which is not followed",
            f"train/{names[1]}": "lies in another file",
            f"test/{names[4]}": "lies in another file",
            "valid": "is a link, which is not followed",
        }.items():
            self.assertIn(words, refused[f"birds.hdf5:{place}"])

    def test_rows_that_are_something_else_are_named(self):
        cases.hdf5("birds.hdf5", rows_of_hdf5()[:2])
        with h5py.File("birds.hdf5", "r+") as file:
            file["train/stray"] = 3
            file["train/number_0"] = 3
            file.create_group("train/empty_0")
            group = file.create_group("train/large_0")
            group["txt"], group["class"] = "a", CLASSES[0]
            group.create_dataset(
                "img", (10**9,), "u1", chunks=(10**6,), compression="gzip"
            )
            group = file.create_group("train/text_0")
            group["txt"], group["class"], group["img"] = 1.5, "a", "b"
            group = file.create_group("train/image_0")
            group["txt"], group["class"], group["img"] = "a", "b", "c"
        found = self.plan()
        self.assertLen(found.items, 2)
        refused = cases.reasons(found)
        for row, words in {
            "stray": "not named NAME_0",
            "number_0": "of another kind",
            "empty_0": "without 'txt'",
            "large_0": "larger than the file",
            "text_0": "'txt' is no text",
            "image_0": "'img' is not a file's bytes",
        }.items():
            self.assertIn(words, refused[f"birds.hdf5:train/{row}"])

    def test_other_files_get_a_sentence(self):
        with self.assertRaisesRegex(
            ValueError, "^--source=birds.hdf5 is no file or folder.$"
        ):
            self.plan()
        pathlib.Path("bird.hdf5").write_bytes(b"")
        with self.assertRaisesRegex(ValueError, "Did you mean 'bird.hdf5'?"):
            self.plan()
        pathlib.Path("birds.hdf5").write_bytes(b"hello" * 100)
        with self.assertRaisesRegex(ValueError, "birds.hdf5 can't be read"):
            self.plan()
        cases.hdf5("birds.hdf5", [])
        with self.assertRaisesRegex(ValueError, "no rows in the groups train"):
            self.plan()
        with self.assertRaisesRegex(ValueError, "has its own split"):
            self.plan(split="official")


class WholeWayTest(cases.Case):
    """From the trees to prepared sets."""

    def test_tree_becomes_a_set(self):
        cases.write("birds", official() | captions() | LISTS)
        manifest, parts, told = cases.prepare(tool, "out", "birds")
        self.assertEqual(manifest["name"], "cub")
        self.assertEqual(list(parts["train"].keys), TRAIN)
        self.assertEqual(list(parts["test"].keys), TEST)
        rows = parts["train"].captions
        self.assertEqual(rows.shape, (4, 10))
        self.assertIn("11,782 fewer", told)
        picture = Image.open(io.BytesIO(cases.image(parts["train"], 0)))
        self.assertEqual(picture.size, (30, 27))  # Clipped to 48 x 36.

    def test_whole_pictures_keep_their_bytes(self):
        cases.write("birds", official() | captions() | LISTS)
        _, parts, _ = cases.prepare(tool, "out", "birds", crop=False)
        self.assertEqual(cases.image(parts["train"], 0), cases.jpeg(1))

    def test_hdf5_becomes_the_same_set(self):
        cases.hdf5("birds.hdf5", rows_of_hdf5())
        _, parts, _ = cases.prepare(tool, "out", "birds.hdf5", split="reed")
        self.assertEqual(list(parts["train"].keys), TRAIN)
        self.assertEqual(cases.image(parts["train"], 1), cases.jpeg(1))
        self.assertEqual(parts["train"].captions.shape, (4, 3))

    def test_vocabulary_of_the_source_is_kept_in_order(self):
        files = official() | captions("text")
        files |= cases.attngan_files(TRAIN, TEST)
        cases.write("birds", files)
        cases.prepare(tool, "out", "birds")
        words = pathlib.Path("out/vocabulary.txt").read_text().split()
        self.assertEqual(words[:3], ["wing", "red", "a"])

    def test_hostile_pickle_ends_in_a_sentence(self):
        files = official() | captions() | cases.attngan_files(TRAIN, TEST)
        bomb = b"\x80\x04" + pickle.dumps(os.system, 4)[2:-1] + b"\x8c\x04true"
        files["train/filenames.pickle"] = bomb + b"\x85R."
        cases.write("birds", files)
        with self.assertRaisesRegex(
            ValueError, r"^birds/train/filenames.pickle: .* 'posix.system'"
        ):
            cases.prepare(tool, "out", "birds")
        self.assertEqual(os.listdir(), ["birds"])


if __name__ == "__main__":
    tf.test.main()
