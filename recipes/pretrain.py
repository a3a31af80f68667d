r"""Pre-trains a pair of readers that agree, or a captioner.

    python -m recipes.pretrain --workdir=runs/damsm \
        --config=recipes/configs/damsm_openmoji.py:small

A generator reads by such a pair, and is matched or contrasted by it
(--config.text.source=runs/damsm/reader). A second call with the same --workdir
goes on where the first one stopped. The run directory then holds config.json,
the terms (metrics.jsonl, curves.png, tensorboard/), checkpoints/, the pair
itself (reader/) with its card and scores on test pictures, and attention.png:
where each word of a caption looks. `keras_t2i.weights.readers.load` opens
reader/. With a config of captioner_openmoji.py or its like it is a captioner
(captioner/), with its scores, seeing and blind, and captions.png: what it says
of test pictures; `keras_t2i.weights.captioners.load` opens it. Any value of
the config (all stand in recipes/configs/common.py) is changed with
--config.SECTION.KEY=VALUE.
"""

from absl import flags

from recipes import attending, cluster, messages, pretraining, telling

_CONFIG = messages.config(
    "recipes/configs/damsm_openmoji.py",
    "The config file and, after a colon, its scale: small or paper, a variant "
    "(cl, scl, unicl, ce; attention), or smoke.",
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "The run directory; made if missing.", required=True
)
_ACCEPT = flags.DEFINE_bool(
    "accept_changes",
    False,
    "Go on with a run although its config or data changed; what changed is "
    "kept in changes.jsonl.",
)
_STRATEGY = flags.DEFINE_enum(
    "strategy", "none", cluster.NAMES, "As for recipes.train."
)
_REPLICAS = flags.DEFINE_integer(
    "replicas", None, "As for recipes.train.", lower_bound=1
)


def main(_):
    """Trains from the flags, keeps what learned and shows what it does."""
    config, workdir = _CONFIG.value, _WORKDIR.value
    room = telling if "decoder" in config else pretraining
    system = room.train(
        config,
        workdir,
        accept_changes=_ACCEPT.value,
        strategy=_STRATEGY.value,
        replicas=_REPLICAS.value,
    )
    if not cluster.is_chief(system.distribute_strategy):
        return
    keep = _captioner if room is telling else _pair
    scores, told = keep(config, workdir, system)
    for name, value in scores.items():
        print(f"  {name}: {value:.4f}")
    print(told)


def _captioner(config, workdir, system):
    card = telling.finish(config, workdir, system)
    place, sheet = (f"{workdir}/{x}" for x in (telling.CAPTIONER, telling.FILE))
    return card["scores"], f"The captioner lies in {place}; {sheet} shows it."


def _pair(config, workdir, system):
    pair = pretraining.finish(config, workdir, system)
    sheet = attending.write(pair, config, workdir)
    place = f"{workdir}/{pretraining.READER}"
    return pair.card["scores"], f"The pair lies in {place}; {sheet} shows it."


if __name__ == "__main__":
    messages.run(main)
