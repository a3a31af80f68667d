"""AttnGAN and DM-GAN on weights by a rule, beside the authors' code.

The numbers were computed in float64 by the code of taoxugit/AttnGAN and
MinfengZhu/DM-GAN, its masks dealt out as released, and once more with each
caption's own mask.
"""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import weights
from keras_t2i.networks import attngan, dm_gan

FAMILIES = {"attngan": attngan, "dm_gan": dm_gan}
LENGTHS = np.array([[5], [3]])

#: Of a run: mean, deviation and the second row's last pixel of a picture.
PICTURES = {
    ("attngan", True): {
        "image_64": (-0.00873731, 0.09180836, None),
        "image_128": (
            0.13040296,
            0.30287631,
            (-0.27934086, -0.28900322, 0.18587478),
        ),
        "image": (
            0.12107144,
            0.25045021,
            (0.04426695, 0.01426018, -0.05404155),
        ),
    },
    ("attngan", False): {
        "image_64": (-0.00873731, 0.09180836, None),
        "image_128": (
            0.1998866,
            0.33500403,
            (-0.25888416, -0.30653035, 0.14680585),
        ),
        "image": (
            0.08403203,
            0.30778828,
            (0.04636345, -0.00088814, -0.05501237),
        ),
    },
    ("dm_gan", True): {
        "image_64": (-0.00653495, 0.12334809, None),
        "image_128": (
            -0.02792598,
            0.17835909,
            (0.17785761, -0.12463778, -0.25911182),
        ),
        "image": (
            -0.03052517,
            0.26253941,
            (0.10196471, -0.05288978, 0.23080726),
        ),
    },
    ("dm_gan", False): {
        "image_64": (-0.00653495, 0.12334809, None),
        "image_128": (-0.04816303, 0.19349747, None),
        "image": (
            -0.01055209,
            0.19360387,
            (0.08511298, -0.0453266, 0.22217787),
        ),
    },
}

#: By size: probabilities with the sentence and alone, of two pictures.
SCORES = {
    "attngan": {
        64: ((0.50160448, 0.47026074), (0.32388975, 0.52647361)),
        128: ((0.59510025, 0.55705492), (0.58084251, 0.52958445)),
        256: ((0.50769686, 0.48016797), (0.5685143, 0.53780296)),
    },
    "dm_gan": {
        64: ((0.50949989, 0.47348352), (0.47710693, 0.45958932)),
        128: ((0.5263927, 0.46472589), (0.50044366, 0.50318341)),
        256: ((0.49924004, 0.45544908), (0.50082156, 0.50900224)),
    },
}


def filled(model, family):
    """Fills a network by a rule of its file's names, sorted."""
    arrays = weights.export(family, model)
    for number, key in enumerate(sorted(arrays)):
        draw = np.random.RandomState(number)
        shape = arrays[key].shape
        if key.endswith("running_var"):
            values = 1.0 + 0.5 * draw.random_sample(shape)
        elif key.endswith("running_mean"):
            values = 0.1 * draw.standard_normal(shape)
        elif len(shape) == 1:
            values = 0.1 * draw.standard_normal(shape)
            values += 1.0 if key.endswith(".weight") else 0.0
        else:
            spread = np.sqrt(2.0 / np.prod(shape[1:]))
            values = draw.standard_normal(shape) * spread
        arrays[key] = values.astype("float32")
    weights.load(family, model, arrays)
    return model


def normal(seed, *shape):
    """Draws as the numbers' authors did."""
    return np.random.RandomState(seed).standard_normal(shape).astype("float32")


def generated(name, legacy_mask):
    """Draws two pictures of captions of five and three words."""
    model = FAMILIES[name].generator(
        width=2,
        text_dim=8,
        condition_dim=4,
        noise_dim=4,
        residuals=1,
        legacy_mask=legacy_mask,
        is_sampled=False,
    )
    mask = np.arange(5) < LENGTHS
    words = normal(103, 2, 8, 5).transpose(0, 2, 1) * mask[..., None]
    inputs = {
        "noise": normal(101, 2, 4),
        "sentence": normal(102, 2, 8),
        "words": words,
        "mask": mask,
    }
    return filled(model, f"{name}/generator")(inputs)


def judge(name, size):
    """Makes a discriminator and two pictures with sentences."""
    model = FAMILIES[name].discriminator(image_size=size, width=2, text_dim=8)
    image = np.tanh(normal(201, 2, 3, size, size)).transpose(0, 2, 3, 1)
    inputs = {"image": image, "sentence": normal(202, 2, 8)}
    return filled(model, f"{name}/discriminator"), inputs


class NumbersTest(tf.test.TestCase, parameterized.TestCase):
    """Equal to float32's digits."""

    @parameterized.named_parameters(
        (f"{name}_{'legacy' if legacy else 'own'}_mask", name, legacy)
        for name, legacy in PICTURES
    )
    def test_pictures(self, name, legacy_mask):
        drawn = generated(name, legacy_mask)
        for key, numbers in PICTURES[name, legacy_mask].items():
            mean, deviation, pixel = numbers
            picture = np.float64(drawn[key])
            self.assertNear(picture.mean(), mean, 1e-6)
            self.assertNear(picture.std(), deviation, 1e-6)
            if pixel is not None:
                self.assertAllClose(picture[1, -1, -1], pixel, atol=3e-6)

    def test_looks_under_the_legacy_mask(self):
        drawn = generated("attngan", True)
        self.assertAllClose(
            drawn["attention_64"][1, 0, :2],
            [
                [0.19298061, 0.20564008, 0.20357533, 0.19890199, 0.19890199],
                [0.32383723, 0.34111762, 0.33504516, 0.0, 0.0],
            ],
            atol=1e-6,
        )
        self.assertAllClose(
            drawn["mean"][0],
            [1.36604293, 1.42345317, -0.75452157, 0.89990068],
            atol=1e-6,
        )

    @parameterized.named_parameters(
        (f"{name}_{size}", name, size)
        for name, sizes in SCORES.items()
        for size in sizes
    )
    def test_scores(self, name, size):
        model, inputs = judge(name, size)
        matched, alone = SCORES[name][size]
        answer = model(inputs)
        for key, expected in (("matched", matched), ("alone", alone)):
            probability = tf.sigmoid(answer[key])
            self.assertAllClose(probability, expected, atol=1e-6)

    def test_scores_by_the_batchs_own_statistics(self):
        model, inputs = judge("attngan", 64)
        answer = model(inputs, training=True)
        self.assertAllClose(
            tf.sigmoid(answer["matched"]), [0.21128854, 0.63593206], atol=1e-5
        )
        self.assertAllClose(
            tf.sigmoid(answer["alone"]), [0.11748444, 0.58851267], atol=1e-5
        )


if __name__ == "__main__":
    tf.test.main()
