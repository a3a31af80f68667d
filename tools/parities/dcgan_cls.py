"""GAN-CLS and WGAN-CLS as aelnouby's PyTorch code computes them.

Recorded for both games: pictures and scores in both modes, the running
statistics after one forward pass, and all terms of both players at the stored
weights. `systems.GAN` and `systems.WGAN` play them here, with the recorded
noise in place of their own draws and the weights of that code.
"""

import contextlib

import numpy as np
import tensorflow as tf

from keras_t2i import systems, weights
from keras_t2i.losses import adversarial
from keras_t2i.weights.families import dcgan_cls

_GRADIENT = 5e-5


class _Recorded:
    """Plays with recorded noise, named by the first word of a salt."""

    def __init__(self, players, draws, **kwargs):
        super().__init__(players, **kwargs)
        self.draws = draws

    def noise(self, salt, rows, size):
        return self.draws[salt.split()[0]]


class _GAN(_Recorded, systems.GAN):
    pass


class _WGAN(_Recorded, systems.WGAN):
    pass


def prove(ledger):
    """Enters all outputs of the two games into the ledger.

    Args:
        ledger: `tools.parity.Ledger` of a `dcgan_cls` file.

    Raises:
        ValueError: if an input or a weight is missing or misshapen.
    """
    _prove_gan(ledger)
    _prove_wgan(ledger)


def _prove_gan(ledger):
    players = _players(ledger, "gan_cls")
    batch, draws = _inputs(ledger, players)
    _check_sizes(ledger, players, batch)
    smoothed = 1.0 + ledger.setting("label_smooth_offset")
    system = _GAN(
        players,
        draws,
        game=adversarial.bce(real_target=smoothed),
        loss_weights={
            "wrong": 1.0,
            "fake": 1.0,
            "matching": ledger.setting("l2_coef"),
            "pixel": ledger.setting("l1_coef"),
        },
    )
    _prove_forward(ledger, "gan_cls", system, batch, tf.sigmoid)

    fakes = system.fakes(batch["sentence"], "judge")
    shown = {**batch, "fakes": fakes}
    terms, slope = _slope(ledger, system, "discriminator", system.judge, shown)
    for term in ("real", "wrong", "fake"):
        ledger.compare(f"gan_cls.d_{term}", terms[term])
    ledger.compare("gan_cls.d_loss_cls", sum(terms.values()))
    ledger.compare("gan_cls.d_loss_nocls", terms["real"] + terms["fake"])
    keys = ("netD_1.0.weight", "projector.projection.0.weight")
    _prove_slope(ledger, "gan_cls.d_loss_grad/", slope, keys)

    terms, slope = _slope(ledger, system, "generator", system.persuade, batch)
    ledger.compare("gan_cls.g_bce", terms["fool"])
    ledger.compare("gan_cls.g_feature_l2", terms["matching"])
    ledger.compare("gan_cls.g_l1", terms["pixel"])
    total = sum(system.loss_weights[t] * x for t, x in terms.items())
    ledger.compare("gan_cls.g_loss_100_50", total)
    _prove_slope(ledger, "gan_cls.g_loss_grad/", slope, ("netG.12.weight",))


def _prove_wgan(ledger):
    players = _players(ledger, "wgan_cls")
    batch, draws = _inputs(ledger, players)
    clip = ledger.setting("clip_value")
    system = _WGAN(players, draws, mismatch_weight=1.0, clip=clip)
    _prove_forward(ledger, "wgan_cls", system, batch, _mean)
    _prove_clipped(ledger, system, batch)

    fakes = system.fakes_beside(batch, "judge")
    terms = system.judge({**batch, "fakes": fakes}, "judge")
    ledger.compare("wgan_cls.c_real", -terms["real"])
    ledger.compare("wgan_cls.c_wrong", terms["wrong"])
    ledger.compare("wgan_cls.c_fake", terms["fake"])
    # The reference climbs its "loss", we descend ours.
    ledger.compare("wgan_cls.d_loss_cls", -sum(terms.values()))
    ledger.compare("wgan_cls.d_loss_nocls", -terms["real"] - terms["fake"])
    ledger.compare("wgan_cls.g_loss", system.persuade(batch)["fool"])
    _prove_penalty(ledger, "gp_bn", system, batch, fakes)

    improved = ledger.model(
        "dcgan_cls/discriminator",
        "wgan_cls.D_improved.",
        dcgan_cls.discriminator_of,
    )
    improved = _WGAN(players | {"discriminator": improved}, draws)
    scores = improved.scores(batch["image"], batch["sentence"], "judge")
    ledger.compare("wgan_cls.d_out_improved_train", _mean(scores))
    _prove_penalty(ledger, "gp_nobn", improved, batch, fakes)


def _prove_forward(ledger, game, system, batch, squash):
    """Pictures and scores in both modes, and what one pass leaves behind."""
    sentence = batch["sentence"]
    drawn = {"noise": system.draws["judge"], "sentence": sentence}
    shown = {"image": batch["image"], "sentence": sentence}
    for mode, tolerance in (("eval", None), ("train", 1e-5)):
        with _kept([*system.players.values()]):
            train = mode == "train"
            image = system.players["generator"](drawn, training=train)["image"]
            seen = system.players["discriminator"](shown, training=train)
            ledger.compare(
                f"{game}.image_{mode}", _theirs(image), absolute=tolerance
            )
            ledger.compare(f"{game}.d_out_{mode}", squash(seen["matched"]))
            ledger.compare(f"{game}.d_act_{mode}", _theirs(seen["features"]))
            if train:
                _prove_statistics(ledger, game, system.players)


def _prove_statistics(ledger, game, players):
    for letter, name in (("G", "generator"), ("D", "discriminator")):
        left = weights.export(f"dcgan_cls/{name}", players[name])
        for key, value in left.items():
            if ".running_" in key:
                recorded = f"{game}.after_one_train_forward.{letter}.{key}"
                ledger.compare(recorded, value)


def _prove_slope(ledger, prefix, slope, keys):
    """Compares the gradients named by `keys` and any other recorded."""
    recorded = {name.removeprefix(prefix) for name in ledger.names(prefix)}
    for key in sorted(recorded.intersection(slope).union(keys)):
        ledger.compare(prefix + key, slope.get(key, ()), relative=_GRADIENT)


def _prove_penalty(ledger, name, system, batch, fakes):
    """The reference's penalty: one norm a pixel, of the batch mean's slope.

    Gulrajani et al. 2017 take one norm a picture, of its own score's slope.
    """
    alpha = ledger.input("gp_alpha", (len(fakes), 1))[:, :, None, None]
    mixed = alpha * batch["image"] + (1.0 - alpha) * fakes
    with tf.GradientTape() as tape:
        tape.watch(mixed)
        scores = system.scores(mixed, batch["sentence"], "judge")
        mean = tf.reduce_mean(scores)
    slope = tape.gradient(mean, mixed)
    steepness = tf.norm(slope, axis=-1)
    penalty = tf.reduce_mean(tf.square(steepness - 1.0))
    ledger.compare(
        f"wgan_cls.{name}", ledger.setting("gp_lambda") * penalty.numpy()
    )
    ledger.compare(f"wgan_cls.{name}_grad", _theirs(slope)[..., ::4, ::4])


def _prove_clipped(ledger, system, batch):
    """The critic with all its parameters clamped, batch norm's included."""
    critic = system.players["discriminator"]
    shown = {name: batch[name] for name in ("image", "sentence")}
    with _kept([critic]):
        system.limit()
        for mode in ("eval", "train"):
            scores = critic(shown, training=mode == "train")["matched"]
            ledger.compare(
                f"wgan_cls.d_out_clipped_{mode}", _mean(scores), absolute=1e-8
            )


def _slope(ledger, system, player, terms, batch):
    """A player's terms and, by the reference's names, its gradients."""
    named = {}

    def write_down(batch):
        named.update(terms(batch))
        return named

    gradients = system.slope(player, write_down, batch)
    part = f"dcgan_cls/{player}"
    return named, ledger.gradients(part, system.players[player], gradients)


def _players(ledger, game):
    return {
        "generator": ledger.model(
            "dcgan_cls/generator", f"{game}.G.", dcgan_cls.generator_of
        ),
        "discriminator": ledger.model(
            "dcgan_cls/discriminator", f"{game}.D.", dcgan_cls.discriminator_of
        ),
    }


def _inputs(ledger, players):
    """The batch in our layout, and the noise by what it is for."""
    inputs = players["generator"].input
    size = players["generator"].output["image"].shape[1]
    text_dim, noise_dim = (inputs[n].shape[-1] for n in ("sentence", "noise"))
    sentence = ledger.input("embed", (None, text_dim))
    rows = len(sentence)

    def picture(name):
        small = ledger.input(name, (rows, 3, None, None))
        times = size // max(small.shape[-1], 1)
        if small.shape[2:] != (size / times, size / times):
            raise ValueError(
                f"{name} is {small.shape[2:]}; repeated pixels must give "
                f"{(size, size)}"
            )
        return _ours(small.repeat(times, 2).repeat(times, 3))

    batch = {
        "sentence": tf.constant(sentence),
        "image": picture("right8"),
        "wrong_image": picture("wrong8"),
    }
    draws = {
        "judge": tf.constant(ledger.input("noise_d", (rows, noise_dim))),
        "persuade": tf.constant(ledger.input("noise_g", (rows, noise_dim))),
    }
    return batch, draws


def _check_sizes(ledger, players, batch):
    inputs = players["generator"].input
    ledger.size("config.noise_dim", inputs["noise"].shape[-1])
    ledger.size("config.embed_dim", inputs["sentence"].shape[-1])
    dense, *_, last = _kernels(players["generator"])
    ledger.size("config.projected_embed_dim", dense.shape[-1])
    ledger.size("config.ngf", last.shape[-1])
    first, *_ = _kernels(players["discriminator"].get_layer("trunk"))
    ledger.size("config.ndf", first.shape[-1])
    ledger.size("config.B", len(batch["sentence"]))


def _kernels(model):
    return [each.kernel for each in model.layers if hasattr(each, "kernel")]


@contextlib.contextmanager
def _kept(players):
    """Undoes what the block does to the players."""
    before = [player.get_weights() for player in players]
    yield
    for player, values in zip(players, before, strict=True):
        player.set_weights(values)


def _ours(image):
    return tf.constant(image.transpose(0, 2, 3, 1))


def _theirs(image):
    return np.asarray(image).transpose(0, 3, 1, 2)


def _mean(scores):
    return tf.reduce_mean(scores)[tf.newaxis]
