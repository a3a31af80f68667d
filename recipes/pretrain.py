r"""Pre-trains a pair of readers that agree, or a captioner.

    python -m recipes.pretrain --workdir=runs/damsm \
        --config=recipes/configs/damsm_openmoji.py:small

Attention systems stand on such a pair. A second call with the same --workdir
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
    """Trains from the flags, keeps the pair and shows its attention."""
    config, workdir = _CONFIG.value, _WORKDIR.value
    is_captioner = "decoder" in config
    room = telling if is_captioner else pretraining
    system = room.train(
        config,
        workdir,
        accept_changes=_ACCEPT.value,
        strategy=_STRATEGY.value,
        replicas=_REPLICAS.value,
    )
    if not cluster.is_chief(system.distribute_strategy):
        return
    if is_captioner:
        card = telling.finish(config, workdir, system)
        sheet = f"{workdir}/{telling.FILE}"
    else:
        pair = pretraining.finish(config, workdir, system)
        card = pair.card
        sheet = attending.write(pair, config, workdir)
    for name, value in card["scores"].items():
        print(f"  {name}: {value:.4f}")
    what, place = "pair", pretraining.READER
    if is_captioner:
        what = place = telling.CAPTIONER
    print(f"The {what} lies in {workdir}/{place}; {sheet} shows it.")


if __name__ == "__main__":
    messages.run(main)
