"""Examines pixels of encoded pictures beside Pillow's."""

import io
import itertools

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from keras_t2i.data import pipeline, source

SIZE, CROP = 32, 38
# Height and width: both ways round, odd, square, smaller than asked for.
SHAPES = ((150, 200), (200, 150), (97, 131), (64, 64), (45, 211), (30, 27))


def photo(shape, seed):
    """Something like a photo: soft light, hard edges, some grain."""
    random = np.random.RandomState(seed)
    height, width = shape
    light = Image.fromarray(random.randint(0, 256, (5, 6, 3), np.uint8))
    picture = np.asarray(light.resize((width, height), 2), np.float32).copy()
    for _ in range(6):
        top, left = random.randint(height), random.randint(width)
        colour = random.randint(0, 256, 3)
        picture[top : top + height // 3, left : left + width // 4] = colour
    picture += random.randn(height, width, 1) * 4
    return Image.fromarray(picture.clip(0, 255).astype(np.uint8))


def encoded(picture, kind):
    """The bytes of a file."""
    stream = io.BytesIO()
    options = {"quality": 92} if kind == "JPEG" else {}
    picture.save(stream, kind, **options)
    return stream.getvalue()


def held(images, name="photos"):
    """A set of encoded pictures, or of pixels."""
    if isinstance(images, list):
        array = np.empty(len(images), object)
        array[:] = images
        images = array
    count = len(images)
    return source.Pictures(
        images=images,
        captions=np.full((count, 1), "a photo"),
        labels=np.arange(count, dtype=np.int32),
        keys=np.array([f"key {i}" for i in range(count)]),
        class_names=tuple(map(str, range(count))),
        name=name,
    )


def scaled(picture, fit, short):
    """What Pillow makes of a picture before the square is cut out."""
    width, height = picture.size
    if fit == "cut":
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        picture = picture.crop((left, top, left + side, top + side))
    size = (short, short)
    if fit == "keep":
        least = min(width, height)
        size = (int(short * width / least), int(short * height / least))
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR), float)


def squares(pixels, size):
    """All squares of some size, by corner."""
    rooms = (range(length - size + 1) for length in pixels.shape[:2])
    for top, left in itertools.product(*rooms):
        yield (top, left), pixels[top : top + size, left : left + size]


def grey(image):
    """Grey levels of floats in [-1, 1]."""
    return (image + 1.0) * 127.5


class PillowTest(parameterized.TestCase, tf.test.TestCase):
    """Pictures differ from Pillow's by less than anybody sees."""

    @parameterized.product(
        fit=["keep", "cut", "squash"],
        kind=["JPEG", "PNG"],
        crop=[CROP, None],
        flip=[False, True],
    )
    def test_picture_is_one_of_pillows_squares(self, fit, kind, crop, flip):
        data = [
            encoded(photo(shape, seed), kind)
            for seed, shape in enumerate(SHAPES)
        ]
        stream = pipeline.batches(
            held(data),
            batch_size=len(data),
            image_size=SIZE,
            seed=1,
            crop=crop,
            fit=fit,
            flip=flip,
        )
        corners, mirrored = set(), 0
        for one in stream.take(4).as_numpy_iterator():
            for label, image in zip(one["label"], one["image"], strict=True):
                picture = Image.open(io.BytesIO(data[label])).convert("RGB")
                theirs = scaled(picture, fit, crop or SIZE)
                if crop is None:  # the middle
                    top, left = (np.array(theirs.shape[:2]) - SIZE) // 2
                    theirs = theirs[top : top + SIZE, left : left + SIZE]
                ours = {False: grey(image), True: grey(image)[:, ::-1]}
                (far, corner, turned) = min(
                    (np.abs(ours[turned] - square).mean(), corner, turned)
                    for corner, square in squares(theirs, SIZE)
                    for turned in {False, flip}
                )
                self.assertLess(far, 1.0, (fit, kind, SHAPES[label]))
                corners.add(corner)
                mirrored += turned
        self.assertGreater(len(corners), 15 if crop else 0)
        self.assertEqual(mirrored > 0, flip)

    def test_single_pixels_agree_too_where_nothing_was_lost(self):
        data = [encoded(photo(shape, 5), "PNG") for shape in SHAPES]
        made = pipeline.in_order(held(data), SIZE, fit="squash")
        for one, shape in zip(np.concatenate(list(made)), SHAPES, strict=True):
            theirs = scaled(photo(shape, 5), "squash", SIZE)
            self.assertAllClose(one.astype(float), theirs, 0.0, 2.01)

    def test_grey_jpegs_get_three_colours(self):
        data = [encoded(photo((50, 70), 0).convert("L"), "JPEG")]
        (made,) = pipeline.in_order(held(data), SIZE)
        self.assertEqual(made.shape, (1, SIZE, SIZE, 3))
        self.assertAllEqual(made[..., 0], made[..., 2])


class KeepTest(tf.test.TestCase):
    """The aspect is kept and the square comes from anywhere."""

    def test_held_pictures_are_cut_anywhere(self):
        shape = (6, 8, 12, 3)
        noise = np.random.RandomState(0).randint(0, 256, shape, np.uint8)
        stream = pipeline.batches(
            held(noise), batch_size=6, image_size=6, crop=8, fit="keep", seed=0
        )
        counts = np.zeros((3, 7))
        for one in stream.take(200).as_numpy_iterator():
            for label, image in zip(one["label"], one["image"], strict=True):
                places = [
                    corner
                    for corner, square in squares(noise[label], 6)
                    if np.array_equal(square, np.rint(grey(image)))
                ]
                self.assertLen(places, 1)
                counts[places[0]] += 1
        # 1200 draws of 21 places: 57 each, standard deviation 7.4.
        self.assertAllInRange(counts, 25, 90)

    def test_held_and_encoded_pictures_are_cut_alike(self):
        pixels = np.stack([np.asarray(photo((60, 90), i)) for i in range(5)])
        data = [encoded(Image.fromarray(one), "PNG") for one in pixels]
        options = dict(
            batch_size=5,
            image_size=SIZE,
            base_size=8,
            crop=CROP,
            fit="keep",
            flip=True,
            mismatch="image",
            seed=3,
        )
        ours = pipeline.batches(held(pixels), **options).take(3)
        theirs = pipeline.batches(held(data), **options).take(3)
        for one, two in zip(ours, theirs, strict=True):
            self.assertEqual(sorted(one), sorted(two))
            for key in one:
                if one[key].dtype == tf.float32:
                    self.assertAllClose(one[key], two[key], atol=1e-4)
                else:
                    self.assertAllEqual(one[key], two[key])

    def test_everybodys_crop_is_known(self):
        self.assertEqual(
            [pipeline.crop_for(size) for size in (64, 128, 256, 299)],
            [76, 152, 304, 355],
        )


class PyramidTest(parameterized.TestCase, tf.test.TestCase):
    """Smaller pictures are Pillow's of the same cut."""

    @parameterized.parameters(True, False)
    def test_every_size_is_pillows_of_the_largest(self, in_files):
        shape = (5, 32, 32, 3)
        noise = np.random.RandomState(0).randint(0, 256, shape, np.uint8)
        images = noise
        if in_files:
            images = [encoded(Image.fromarray(one), "PNG") for one in noise]
        stream = pipeline.batches(
            held(images),
            batch_size=5,
            image_size=32,
            base_size=8,
            flip=True,
            mismatch="image",
            partners="label",
            seed=0,
        )
        for one in stream.take(3).as_numpy_iterator():
            for prefix in ("", "wrong_", "partner_"):
                largest = np.rint(grey(one[f"{prefix}image"])).astype(np.uint8)
                for size in (8, 16):
                    smaller = grey(one[f"{prefix}image_{size}"])
                    for ours, pixels in zip(smaller, largest, strict=True):
                        theirs = Image.fromarray(pixels).resize(
                            (size, size), Image.Resampling.BILINEAR
                        )
                        self.assertAllClose(
                            ours, np.asarray(theirs, float), 0.0, 1.01
                        )

    @parameterized.parameters(0, -8, 12, 48, 64)
    def test_base_size_must_double_to_the_largest(self, base_size):
        with self.assertRaisesRegex(
            ValueError, f"base_size is {base_size} .* 1, 2, 4, 8, 16, 32, from"
        ):
            pipeline.batches(
                held(np.zeros((2, 32, 32, 3), np.uint8)),
                batch_size=2,
                image_size=32,
                base_size=base_size,
                seed=0,
            )

    def test_base_size_may_be_the_only_one(self):
        stream = pipeline.batches(
            held(np.zeros((2, 32, 32, 3), np.uint8)),
            batch_size=2,
            image_size=32,
            base_size=32,
            seed=0,
        )
        self.assertEqual(
            sorted(stream.element_spec), ["image", "key", "label", "text"]
        )


if __name__ == "__main__":
    tf.test.main()
