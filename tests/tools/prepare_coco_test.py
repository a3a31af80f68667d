"""COCO, in the layouts it comes in, from tiny trees to a prepared set."""

import json
import pathlib
import pickle
import sys
import types
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import prepared
from tests.tools import preparing_cases
from tools import prepare_coco as tool
from tools.preparing import coco_json, tfds
from tools.preparing import plan as plans

CATEGORIES = [
    {"supercategory": "person", "id": 1, "name": "person"},
    {"supercategory": "vehicle", "id": 2, "name": "bicycle"},
    {"supercategory": "vehicle", "id": 3, "name": "car"},
    {"supercategory": "animal", "id": 17, "name": "cat"},
]


def entry(number, part="train", y=2014, name=None):
    """An entry of images, as the official files have them."""
    usual = f"COCO_{part}{y}_{number:012d}.jpg"
    return {
        "license": 5,
        "file_name": usual if name is None else name,
        "coco_url": f"http://images.cocodataset.org/{part}/{usual}",
        "height": 30,
        "width": 40,
        "date_captured": "2013-11-14 16:28:13",
        "flickr_url": "http://farm4.staticflickr.com/1/2_z.jpg",
        "id": number,
    }


def told(*rows):
    """Annotations of (image id, caption), numbered in their order."""
    return [
        {"image_id": image, "id": 48 + 3 * i, "caption": text}
        for i, (image, text) in enumerate(rows)
    ]


def seen(*rows):
    """Instances of (image id, category, area[, iscrowd])."""
    return [
        {
            "segmentation": [[1.5, 2.5, 3.5, 4.5, 5.5, 6.5]]
            if not crowd
            else {"counts": [272, 2, 4], "size": [30, 40]},
            "area": area,
            "iscrowd": crowd,
            "image_id": image,
            "bbox": [1.0, 2.0, 3.0, 4.0],
            "category_id": category,
            "id": 900 + i,
        }
        for i, (image, category, area, crowd) in enumerate(
            (*row, 0)[:4] for row in rows
        )
    ]


class Case(preparing_cases.ToolTest):
    """A folder of its own for each test."""

    TOOL = tool
    FLAGS = dict(labels="category", val_as="test", year=None)

    def prepare(self, **changes):
        """Prepares the set; what is printed is kept."""
        self.printed = self.run_tool(**changes)
        return prepared.load(self.out)

    def write(self, path, data):
        """Writes a file of the source."""
        path = self.source / path
        path.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(data, bytes):
            data = json.dumps(data).encode()
        path.write_bytes(data)


class DownloadsTest(Case):
    """The official files, as unpacked."""

    def listing(self, part, images, annotations, where="annotations", y=2014):
        """Writes captions_*.json."""
        self.write(
            f"{where}/captions_{part}{y}.json",
            {
                "info": {"description": "COCO", "year": y},
                "images": images,
                "licenses": [{"url": "http://x", "id": 1, "name": "BY"}],
                "annotations": annotations,
            },
        )

    def instances(self, part, annotations, where="annotations", y=2014):
        """Writes instances_*.json."""
        self.write(
            f"{where}/instances_{part}{y}.json",
            {
                "info": {},
                "licenses": [],
                "images": [],
                "annotations": annotations,
                "categories": CATEGORIES,
            },
        )

    def tree(self, where="annotations", pictures="{}", y=2014):
        """Three pictures of train and one of val, with their objects."""
        self.listing(
            "train",
            [entry(n, y=y) for n in (9, 25, 30)],
            told(
                *((25, f"giraffe {i}") for i in range(7)),
                *((9, f"food in boxes, {i}") for i in range(5)),
                *((30, f"a vase {i}") for i in range(3)),
            ),
            where,
            y,
        )
        self.listing(
            "val",
            [entry(42, "val", y)],
            told(*((42, f"shoes {i}") for i in range(5))),
            where,
            y,
        )
        self.instances(
            "train",
            seen((9, 17, 10.0), (9, 2, 6.0), (9, 2, 5.5, 1), (25, 3, 4)),
            where,
            y,
        )
        self.instances("val", seen((42, 17, 3.0), (42, 1, 3.0)), where, y)
        for number, part in ((9, "train"), (25, "train"), (30, "train")):
            self.picture(number, part, pictures, y)
        self.picture(42, "val", pictures, y)

    def picture(self, number, part, pictures="{}", y=2014):
        """Writes a picture."""
        folder = pictures.format(f"{part}{y}")
        self.write(
            f"{folder}/COCO_{part}{y}_{number:012d}.jpg",
            preparing_cases.jpeg(number),
        )

    @parameterized.parameters(
        ("annotations", "{}", 2014),
        ("annotations", "images/{}", 2014),
        (".", "images", 2014),
        ("annotations", "{}", 2017),
    )
    def test_every_layout_of_the_downloads_is_prepared(
        self, where, pictures, year
    ):
        self.tree(where, pictures, year)
        found = self.prepare()
        self.assertEqual(
            list(found.keys),
            [f"train{year}/COCO_train{year}_{n:012d}" for n in (9, 25, 30)]
            + [f"val{year}/COCO_val{year}_{42:012d}"],
        )
        self.assertEqual(found.captions.shape, (4, 5))
        self.assertEqual(
            list(prepared.load(self.out, "test").captions[[0]][0]),
            [f"shoes {i}" for i in range(5)],
        )
        self.assertIn(f"coco_{year}, MS-COCO {year}", self.printed)

    def test_the_first_five_captions_are_kept_in_order(self):
        self.tree()
        found = self.prepare()
        self.assertEqual(
            list(found.captions[[1]][0]), [f"giraffe {i}" for i in range(5)]
        )
        self.assertEqual(
            list(found.captions[[2]][0]),
            ["a vase 0", "a vase 1", "a vase 2", "a vase 0", "a vase 1"],
        )
        self.assertIn("2 are beyond the first 5", self.printed)

    def test_labels_are_all_categories_and_the_largest_comes_first(self):
        self.tree()
        items = self.plan().items
        # 9: bicycles cover 6 + 5.5 (a crowd), the cat 10. 42: equal areas.
        self.assertEqual([item.label for item in items], [1, 2, -1, 0])
        self.assertEqual(
            [item.labels for item in items], [(1, 3), (2,), (), (0, 3)]
        )
        found = self.prepare()
        self.assertEqual(
            tuple(found.class_names), ("person", "bicycle", "car", "cat")
        )
        self.assertEqual(list(found.labels), [1, 2, -1, 0])
        self.assertIn("1 pictures without objects have -1", self.printed)

    def test_supercategories_add_up_the_areas_of_their_categories(self):
        self.tree()
        self.instances(
            "train", seen((9, 17, 7.0), (9, 2, 4.0), (9, 3, 4.0), (25, 3, 1.0))
        )
        plan = self.plan(labels="supercategory")
        self.assertEqual(plan.class_names, ("person", "vehicle", "animal"))
        self.assertEqual([i.label for i in plan.items], [1, 1, -1, 0])
        self.assertEqual(plan.items[0].labels, (1, 2))

    def test_without_instances_there_are_no_labels_and_a_note_says_so(self):
        self.tree()
        for part in ("train", "val"):
            path = self.source / f"annotations/instances_{part}2014.json"
            path.unlink()
        plan = self.plan()
        self.assertFalse(plan.multi_label)
        self.assertEqual({item.label for item in plan.items}, {-1})
        self.assertIn("instances_train2014.json is missing", plan.notes[1])
        self.assertNotIn("classes", plan.known)
        self.assertLen(self.prepare(), 4)

    def test_val_is_for_tests_unless_asked_and_the_reason_is_given(self):
        self.tree()
        self.prepare()
        self.assertIn("COCO's val2014 is the split 'test'", self.printed)
        self.assertIn("40,504 pictures in test; here 1", self.printed)
        plan = self.plan(val_as="val")
        self.assertEqual(plan.items[-1].split, "val")
        self.assertEqual(plan.known["val"], 40_504)

    def test_known_counts_are_compared(self):
        self.tree()
        self.prepare()
        self.assertIn("123,287 pictures; here 4: 123,283 fewer", self.printed)
        self.assertIn("616,767 captions; here 20", self.printed)

    def test_one_missing_part_is_noted_and_two_end_the_tool(self):
        self.tree()
        (self.source / "annotations/captions_val2014.json").unlink()
        plan = self.plan()
        self.assertLen(plan.items, 3)
        self.assertIn("captions_val2014.json is missing", plan.notes[-2])
        (self.source / "annotations/captions_train2014.json").unlink()
        with self.assertRaisesRegex(ValueError, "has no captions_train2014"):
            self.plan()

    def test_pictures_that_are_not_unpacked_are_said_to_be_missing(self):
        self.tree()
        (self.source / "val2014").rename(self.source / "elsewhere")
        plan = self.plan()
        self.assertLen(plan.items, 3)
        self.assertIn("val2014/ is missing: its 1 pictures", plan.notes[1])
        (self.source / "train2014").rename(self.source / "elsewhere2")
        with self.assertRaisesRegex(ValueError, "neither train2014/ nor val"):
            self.plan()

    def test_both_years_in_one_folder_need_a_choice(self):
        self.tree()
        self.tree(y=2017)
        with self.assertRaisesRegex(ValueError, "say which by --year"):
            self.plan()
        self.assertEqual(self.plan(year="2017").name, "coco_2017")

    def test_hostile_names_are_never_followed(self):
        names = [
            "../secret.jpg",
            str(self.folder / "secret.jpg"),
            "link.jpg",
            "C:\\secret.jpg",
            "no such.jpg",
            "",
            ".",
            "a\0b.jpg",
        ]
        (self.folder / "secret.jpg").write_bytes(preparing_cases.jpeg(0))
        self.tree()
        (self.source / "train2014/link.jpg").symlink_to(
            self.folder / "secret.jpg"
        )
        (self.source / "secret.jpg").write_bytes(preparing_cases.jpeg(0))
        images = [entry(n, name=name) for n, name in enumerate(names)]
        self.listing(
            "train",
            [*images, entry(9)],
            told(*((n, "a secret") for n in range(len(names))), (9, "food")),
        )
        plan = self.plan()
        self.assertLen(plan.items, 2)
        found = dict(plan.refused)
        self.assertLen(
            found, len(names) + 1
        )  # And an object of 25, not listed.
        self.assertIn("'..'", found["train2014/../secret.jpg"])
        self.assertIn("absolute", found[f"train2014/{names[1]}"])
        self.assertIn(
            "link out", found[str(self.source / "train2014/link.jpg")]
        )
        self.assertIn("absolute", found["train2014/C:\\secret.jpg"])
        self.assertEqual(found["train2014/no such.jpg"], "a missing file")
        self.assertLen(self.prepare(), 2)

    def test_a_tree_that_is_a_link_is_followed_only_if_asked(self):
        self.tree()
        (self.source / "train2014").rename(self.folder / "disk")
        (self.source / "train2014").symlink_to(self.folder / "disk")
        plan = self.plan()
        self.assertLen(plan.items, 1)
        self.assertEqual(
            plan.refused,
            [
                (
                    str(self.source / "train2014"),
                    "a link out of the folder, not followed without "
                    "--follow_links",
                )
            ],
        )
        self.assertLen(self.plan(follow_links=True).items, 4)
        (self.source / "val2014").rename(self.folder / "elsewhere")
        with self.assertRaisesRegex(ValueError, "train2014 is a link out of"):
            self.plan()

    def test_links_within_the_source_are_followed(self):
        self.tree()
        (self.source / "train2014").rename(self.source / "disk")
        (self.source / "train2014").symlink_to("disk")
        (self.folder / "also").symlink_to(self.source)
        self.assertLen(self.plan(source=str(self.folder / "also")).items, 4)

    def test_listings_that_are_links_are_followed_only_if_asked(self):
        self.tree()
        (self.source / "annotations").rename(self.folder / "disk")
        (self.source / "annotations").symlink_to(self.folder / "disk")
        with self.assertRaisesRegex(plans.Refused, "--follow_links") as caught:
            self.plan()
        self.assertEqual(caught.exception.file, self.source / "annotations")
        self.assertLen(self.plan(follow_links=True).items, 4)

    def test_names_with_spaces_and_other_scripts_are_taken(self):
        self.tree()
        self.listing(
            "val",
            [entry(1, name="日本 café.jpg"), entry(2, name="a/b c.JPG")],
            told((1, "ein Fahrrad, schön"), (2, "猫")),
        )
        self.write("val2014/日本 café.jpg", preparing_cases.jpeg(1))
        self.write("val2014/a/b c.JPG", preparing_cases.jpeg(2))
        found = self.prepare()
        self.assertEqual(
            list(found.keys[-2:]), ["val2014/日本 café", "val2014/a/b c"]
        )
        self.assertEqual(found.captions[[4]][0][0], "猫")

    def test_duplicates_are_refused_and_named(self):
        self.tree()
        self.listing(
            "train",
            [
                entry(9),
                entry(9, name="other.jpg"),
                entry(10, name=entry(9)["file_name"]),
                entry(11, name="COCO_train2014_000000000009.png"),
            ],
            [
                *told((9, "food"), (9, "more food"), (11, "a twin")),
                {"image_id": 9, "id": 48, "caption": "said before"},
            ],
        )
        self.write(
            "train2014/COCO_train2014_000000000009.png", preparing_cases.jpeg(9)
        )
        plan = self.plan()
        self.assertEqual(plan.items[0].captions, ("food", "more food"))
        found = dict(plan.refused)
        name = "captions_train2014.json: {}[{}]".format
        self.assertIn("id that comes twice", found[name("images", 1)])
        self.assertIn("is listed twice", found[name("images", 2)])
        self.assertIn("id that comes twice", found[name("annotations", 3)])
        self.assertIn(
            "name that comes twice",
            found["train2014/COCO_train2014_000000000009.png"],
        )

    def test_captions_and_pictures_without_each_other_are_refused(self):
        self.tree()
        self.listing(
            "train",
            [entry(9), entry(25), entry(31), "?", {"id": "9"}, {"id": True}],
            [
                *told((9, "food"), (77, "of nothing"), (9, None), ("9", "x")),
                7,
                {"id": 1, "image_id": 31, "caption": "gone"},
            ],
        )
        plan = self.plan()
        self.assertLen(plan.items, 2)
        found = dict(plan.refused)
        name = "captions_train2014.json: {}[{}]".format
        self.assertIn("isn't listed", found[name("annotations", 1)])
        for place in (2, 3, 4):
            self.assertIn("entry without", found[name("annotations", place)])
        for place in (3, 4, 5):
            self.assertIn("without id or", found[name("images", place)])
        base = "train2014/COCO_train2014_0000000000"
        self.assertIn("without a caption", found[f"{base}25.jpg"])
        self.assertEqual(found[f"{base}31.jpg"], "a missing file")

    def test_objects_that_mean_nothing_are_refused(self):
        self.tree()
        self.instances(
            "val",
            [
                *seen((42, 99, 1.0), (43, 1, 1.0), (42, 1, float("nan"))),
                *seen((42, 1, -1.0), (42, 1, "1"), (42, 3, 0)),
                *seen((42, 1, 10**400), (42, 1, 1e300), (42, 1, True)),
            ],
        )
        plan = self.plan()
        found = list(dict(plan.refused).values())
        self.assertEqual(
            found,
            ["an object of an unknown category"]
            + ["an object of a picture that isn't listed"]
            + ["an object without a usable area"] * 6,
        )
        self.assertEqual(plan.items[-1].labels, (2,))

    def test_a_listing_that_is_none_ends_the_tool_with_its_name(self):
        for data, reason in (
            (b'{"images": [', "is not JSON .line 1"),
            (b"[]", "has no list 'images'"),
            (b'{"images": {}, "annotations": []}', "has no list 'images'"),
            (b"", "is not JSON"),
            (b'{"images": [], "x": "\xe9"}', "is not UTF-8 .byte 21"),
        ):
            self.tree()
            self.write("annotations/captions_val2014.json", data)
            with self.assertRaisesRegex(
                ValueError, f"captions_val2014.json {reason}"
            ):
                self.plan()

    def test_a_byte_order_mark_is_no_part_of_the_listing(self):
        self.tree()
        path = self.source / "annotations/captions_val2014.json"
        path.write_bytes(path.read_text("utf-8").encode("utf-8-sig"))
        self.assertLen(self.plan().items, 4)

    def test_categories_that_contradict_each_other_end_the_tool(self):
        self.tree()
        self.write(
            "annotations/instances_val2014.json",
            {"annotations": [], "categories": [{"id": 1, "name": "dog"}]},
        )
        with self.assertRaisesRegex(ValueError, "'dog', which 'person' has"):
            self.plan()

    def test_broken_pictures_are_left_out_and_the_others_prepared(self):
        self.tree()
        base = "train2014/COCO_train2014_0000000000"
        self.write(f"{base}09.jpg", preparing_cases.jpeg(9)[:-200])
        self.write(f"{base}30.jpg", b"")
        found = self.prepare()
        self.assertLen(found, 2)
        rows = (self.out / "refused.jsonl").read_text("utf-8").splitlines()
        self.assertEqual(
            [json.loads(row)["file"] for row in rows],
            [f"{base}09.jpg", f"{base}30.jpg"],
        )

    def test_a_source_that_is_no_folder_is_named(self):
        with self.assertRaisesRegex(ValueError, "--source=.* is no file or f"):
            self.plan()
        self.source.write_text("")
        with self.assertRaisesRegex(ValueError, "--source=.* is no folder; na"):
            self.plan()

    def test_outlines_are_let_go_while_a_listing_is_read(self):
        self.tree()
        path = self.source / "annotations/instances_train2014.json"
        value = coco_json._json(path, "utf-8", ("annotations",))
        self.assertEqual(
            set(value["annotations"][0]),
            {"id", "image_id", "category_id", "area"},
        )


WORDS = {0: "<end>", 1: "food", 2: "boxes", 3: "a", 4: "giraffe"}


class AttnGanTest(Case):
    """The folder data/coco of AttnGAN."""

    def layout(self, protocol=2, text=True, classes=None):
        """Writes two pictures of train and one of test."""
        self.source.mkdir(exist_ok=True)
        keys = {
            "train": [f"COCO_train2014_{n:012d}" for n in (9, 25)],
            "test": [f"COCO_val2014_{42:012d}"],
        }
        for part, names in keys.items():
            self.pickled(f"{part}/filenames.pickle", names, protocol)
            if classes:
                self.pickled(
                    f"{part}/class_info.pickle", classes[part], protocol
                )
            for name in names:
                self.write(f"images/{name}.jpg", preparing_cases.jpeg(1))
                if text:
                    self.write(f"text/{name}.txt", f"{name} 1\n\n2\n".encode())
        words = {word: number for number, word in WORDS.items()}
        train = [[1], [2, 0], [3, 4], [4]]
        self.pickled(
            "captions.pickle", [train, [[2, 1], [3]], WORDS, words], protocol
        )

    def pickled(self, path, value, protocol=2):
        """Writes a pickle."""
        self.write(path, pickle.dumps(value, protocol))

    @parameterized.parameters(0, 1, 2, 3, 4, 5)
    def test_text_files_and_every_protocol_are_read(self, protocol):
        self.layout(protocol)
        found = self.prepare()
        self.assertEqual(
            list(found.captions[[0]][0][:3]),
            ["COCO_train2014_000000000009 1", "2"]
            + ["COCO_train2014_000000000009 1"],
        )
        self.assertEqual(
            list(prepared.load(self.out, "test").keys),
            ["COCO_val2014_000000000042"],
        )
        self.assertEqual(
            (self.out / "vocabulary.txt").read_text().split(),
            ["food", "boxes", "a", "giraffe"],
        )

    def test_captions_are_spelled_out_where_text_is_missing(self):
        self.layout(text=False)
        items = self.plan().items
        self.assertEqual(
            [item.captions for item in items],
            [("food", "boxes"), ("a giraffe", "giraffe"), ("boxes food", "a")],
        )

    @parameterized.parameters("{0}", "images/{0}", "images")
    def test_pictures_may_lie_in_folders_of_their_part(self, folder):
        self.layout()
        for path in (self.source / "images").iterdir():
            part = path.name.split("_")[1]
            to = self.folder / "moved" / folder.format(part) / path.name
            to.parent.mkdir(parents=True, exist_ok=True)
            path.rename(to)
        (self.source / "images").rmdir()
        for path in (self.folder / "moved").iterdir():
            path.rename(self.source / path.name)
        plan = self.plan()
        self.assertLen(plan.items, 3)
        self.assertEmpty(plan.refused)

    def test_without_pictures_their_folders_are_named(self):
        self.layout()
        (self.source / "images").rename(self.folder / "disk")
        with self.assertRaisesRegex(ValueError, "neither train2014/ nor val20"):
            self.plan()
        (self.source / "images").symlink_to(self.folder / "disk")
        with self.assertRaisesRegex(ValueError, "images is a link out of the"):
            self.plan()
        self.assertLen(self.plan(follow_links=True).items, 3)

    def test_labels_are_read_from_instances_beside(self):
        self.layout()
        for part, rows in (
            ("train", seen((9, 17, 3.0), (9, 2, 1.0), (77, 1, 1.0))),
            ("val", seen((42, 3, 1.0))),
        ):
            self.write(
                f"annotations/instances_{part}2014.json",
                {"annotations": rows, "categories": CATEGORIES},
            )
        plan = self.plan()
        self.assertEqual(plan.refused, [])  # 77 is not in AttnGAN's lists.
        self.assertTrue(plan.multi_label)
        self.assertEqual(plan.class_names, ("person", "bicycle", "car", "cat"))
        self.assertEqual([item.label for item in plan.items], [3, -1, 2])
        self.assertEqual(
            [item.labels for item in plan.items], [(1, 3), (), (2,)]
        )
        groups = self.plan(labels="supercategory")
        self.assertEqual(groups.class_names, ("person", "vehicle", "animal"))
        self.assertLen(self.prepare(), 3)

    def test_known_counts_are_those_of_its_lists(self):
        self.layout()
        self.prepare()
        self.assertIn("82,783 pictures in train; here 2", self.printed)
        self.assertIn("40,470 pictures in test; here 1", self.printed)
        self.assertIn("123,253 pictures; here 3", self.printed)

    def test_pairs_of_lost_letters_become_spaces(self):
        self.layout()
        name = "COCO_val2014_000000000042"
        text = "a\ufffd\ufffdred box\r\n\n \ufffd\ufffd\nshoe\ufffds\n"
        self.write(f"text/{name}.txt", text.encode())
        self.assertEqual(
            self.plan().items[2].captions, ("a red box", "shoe\ufffds")
        )

    def test_vocabulary_of_other_words_is_counted_instead(self):
        self.layout()
        words = {0: "<end>", 1: "Thing", 2: "thing"}
        table = [[[1]] * 4, [[1]] * 2, words, {}]
        self.pickled("captions.pickle", table)
        self.prepare()
        self.assertIn("The vocabulary of captions.pickle is not", self.printed)
        self.assertIn("'Thing'", self.printed)
        found = (self.out / "vocabulary.txt").read_text().split()
        self.assertIn("coco_train2014_000000000009", found)

    def test_pickles_of_python_2_are_read(self):
        self.layout()
        # As cPickle.dumps(["COCO_train2014_000000000009"], 2) writes it.
        name = b"COCO_train2014_000000000009"
        data = b"\x80\x02]q\x01U" + bytes([len(name)]) + name + b"q\x02a."
        self.write("train/filenames.pickle", data)
        keys = [item.key for item in self.plan().items]
        self.assertEqual(keys[0], name.decode())

    def test_a_class_of_its_own_for_each_picture_is_no_class(self):
        self.layout(classes={"train": [0, 1], "test": [2]})
        plan = self.plan()
        self.assertEqual(plan.class_names, ())
        self.assertIn("no classes", "".join(plan.notes))

    def test_classes_are_numbered_from_0(self):
        self.layout(classes={"train": [7, 3], "test": [7]})
        plan = self.plan()
        self.assertEqual([item.label for item in plan.items], [1, 0, 1])
        self.assertEqual(plan.class_names, ("class 3", "class 7"))

    def test_a_hostile_pickle_is_refused_and_nothing_runs(self):
        self.layout(classes={"train": [7, 3], "test": [7]})
        mark = self.folder / "mark"

        class Hostile:
            def __reduce__(self):
                return pathlib.Path.touch, (mark,)

        for name in ("test/filenames.pickle", "captions.pickle"):
            self.pickled(name, Hostile())
        plan = self.plan()
        self.assertLen(plan.items, 2)
        self.assertFalse(mark.exists())
        self.assertEqual(
            [file for file, _ in plan.refused],
            ["captions.pickle", "test/filenames.pickle"],
        )
        self.assertIsNone(plan.vocabulary)

    @parameterized.parameters(
        ("test/filenames.pickle", {"a": 1}, "no list of names"),
        ("test/filenames.pickle", [1], "no list of names"),
        ("test/class_info.pickle", ["a"], "no list of class numbers"),
        ("test/class_info.pickle", [1, 2], "not as many"),
        ("captions.pickle", [[], []], "without .train captions"),
        ("captions.pickle", [[], [], {0: 1}, {}], "without .train captions"),
    )
    def test_a_pickle_of_something_else_is_named(self, name, value, reason):
        self.layout(classes={"train": [7, 3], "test": [7]})
        self.pickled(name, value)
        found = self.refused()
        self.assertRegex(found[name], reason)

    def test_captions_that_do_not_fit_are_refused_by_picture(self):
        self.layout(text=False)
        captions = [[[1], [2], [99], [4]], [[2], [3], [1]], WORDS, {}]
        self.pickled("captions.pickle", captions)
        self.pickled("test/filenames.pickle", ["a", "b"])
        plan = self.plan()
        self.assertLen(plan.items, 1)
        found = dict(plan.refused)
        self.assertIn(
            "no word of", found["images/COCO_train2014_000000000025.jpg"]
        )
        self.assertIn("not the same number", found["images/a.jpg"])

    def test_hostile_keys_are_never_followed(self):
        self.layout()
        (self.folder / "secret.jpg").write_bytes(preparing_cases.jpeg(0))
        keys = ["../../secret", "/etc/passwd", "gone", "x", "x"]
        self.pickled("test/filenames.pickle", keys)
        self.write("text/gone.txt", b"gone")
        self.write("text/x.txt", b"twice")
        self.write("images/x.jpg", preparing_cases.jpeg(3))
        plan = self.plan()
        self.assertLen(plan.items, 3)
        self.assertEqual(
            [reason for _, reason in plan.refused],
            [
                "a path with '..', which is not followed",
                "an absolute path, which is not followed",
                "a missing file",
                "a name that comes twice (but for its ending)",
            ],
        )


def stand_in(data_dir, rows):
    """Makes a module with as much of tensorflow_datasets as is used here.

    The true package isn't installed where tests run. This one keeps its
    names and manners: slices of splits, decoders that leave the rest out,
    bytes for text, arrays for sequences.
    """

    class PartialDecoding:
        def __init__(self, features, decoders=None):
            self.features, self.decoders = features, decoders or {}

    class Builder:
        name = "coco_captions"
        opened = []
        info = types.SimpleNamespace(
            full_name="coco_captions/2014/1.1.0",
            splits=rows,
            features={
                "objects": {
                    "label": types.SimpleNamespace(names=["person", "cat"])
                }
            },
        )

        def __init__(self):
            self.data_dir = data_dir

        def as_dataset(self, split, decoders, read_config, shuffle_files):
            assert not shuffle_files and read_config["interleave"] == 1
            self.opened.append(split)
            name, _, start = split.rstrip(":]").partition("[")
            for row in rows[name][int(start or 0) :]:
                yield {
                    name: row[name]
                    if wanted is True
                    else {each: row[name][each] for each in wanted}
                    for name, wanted in decoders.features.items()
                    if name != "image" or "image" in decoders.decoders
                }

    def builder(name):
        if not name.startswith("coco_captions"):
            raise LookupError(f"Dataset {name} not found.\nDid you mean ...")
        return Builder()

    module = types.ModuleType("tensorflow_datasets")
    module.Builder = Builder
    module.builder = builder
    module.as_numpy = lambda read: read
    module.ReadConfig = lambda interleave_cycle_length, try_autocache: {
        "interleave": interleave_cycle_length
    }
    module.decode = types.SimpleNamespace(
        PartialDecoding=PartialDecoding, SkipDecoding=object
    )
    return module


def row(name, texts, objects=()):
    """An example as coco_captions has them."""
    return {
        "image": preparing_cases.jpeg(len(name)),
        "image/filename": name.encode(),
        "captions": {
            "text": np.array([t.encode() for t in texts], object),
            "id": np.arange(len(texts)),
        },
        "objects": {
            "label": np.array([label for label, _ in objects], np.int64),
            "area": np.array([area for _, area in objects], np.int64),
        },
    }


class TfdsTest(Case):
    """TFDS's coco_captions, by a stand-in for the package."""

    def setUp(self):
        super().setUp()
        self.rows = {
            "train": [
                row(
                    f"COCO_train2014_{n:012d}.jpg",
                    [f"{n} cafés {i}" for i in range(5)],
                    [(1, 5), (0, 3), (0, 4)] if n == 1 else [],
                )
                for n in range(3)
            ],
            "restval": [row("COCO_val2014_000000000007.jpg", ["seven"])],
            "val": [row("COCO_val2014_000000000008.jpg", [])],
            "test": [row("COCO_val2014_000000000009.jpg", ["nine", "IX"])],
        }
        self.module = stand_in(str(self.folder), self.rows)
        self.enterContext(
            mock.patch.dict(sys.modules, tensorflow_datasets=self.module)
        )

    def options(self, **changes):
        usual = dict(source="tfds:coco_captions/2014:1.1.0")
        return super().options(**usual | changes)

    def test_it_is_prepared_with_coco_own_splits(self):
        found = self.prepare()
        self.assertEqual(
            list(found.keys),
            [f"train2014/COCO_train2014_{n:012d}" for n in range(3)]
            + [f"val2014/COCO_val2014_{n:012d}" for n in (7, 9)],
        )
        self.assertLen(prepared.load(self.out, "test"), 2)
        self.assertEqual(list(found.labels), [-1, 0, -1, -1, -1])
        self.assertEqual(found.captions[[1]][0][0], "1 cafés 0")
        self.assertIn("restval, val and test are COCO's val2014", self.printed)
        self.assertIn("a picture without a caption", self.printed)

    def test_records_hold_the_source_s_own_bytes(self):
        found = self.prepare()
        images = [
            tf.train.Example.FromString(data)
            .features.feature["image"]
            .bytes_list.value[0]
            for data in found.images.read(np.arange(3))
        ]
        self.assertEqual(images, [each["image"] for each in self.rows["train"]])

    def test_without_the_package_a_sentence_names_it(self):
        with mock.patch.dict(sys.modules, tensorflow_datasets=None):
            with self.assertRaisesRegex(
                ValueError, "needs the package tensorflow-datasets"
            ):
                self.plan()

    def test_sets_that_are_unknown_or_not_prepared_are_named(self):
        with self.assertRaisesRegex(ValueError, "LookupError: Dataset cocoa"):
            self.plan(source="tfds:cocoa")
        self.module = stand_in("/no/such/folder", self.rows)
        with mock.patch.dict(sys.modules, tensorflow_datasets=self.module):
            with self.assertRaisesRegex(ValueError, "tfds build coco_captions"):
                self.plan()

    def test_supercategories_are_not_known_to_it(self):
        with self.assertRaisesRegex(ValueError, "has categories only"):
            self.plan(labels="supercategory")

    def test_rows_are_read_on_from_where_the_last_was_found(self):
        opened = []

        def count(start):
            opened.append(start)
            return iter(range(start, 10_000))

        cursors = tfds.Cursors(count)
        for place in (0, 1, 2, 500, 501, 3, 5, 4, 502, 6):
            self.assertEqual(cursors.read(place), place)
        self.assertEqual(opened, [0, 500])
        self.assertEqual(cursors.read(0), 0)
        self.assertEqual(opened, [0, 500, 0])


if __name__ == "__main__":
    tf.test.main()
