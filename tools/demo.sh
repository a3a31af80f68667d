#!/usr/bin/env bash
# Trains, judges and serves a small text-to-image GAN on the pictures that come
# with the package; a second call goes on where the first one stopped.
#
#   ./tools/demo.sh            about eighteen minutes of training on 2 CPU cores
#   ./tools/demo.sh --quick    the same path in about two minutes
#
# RUN=folder chooses the run directory.
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1-}" in
  "") run=${RUN:-runs/demo} changes=() judge=() ;;
  --quick)
    run=${RUN:-runs/demo_quick}
    changes=(--config.train.moves=60 --config.train.moves_per_epoch=20)
    judge=(--seeds=1 --pictures=120)
    ;;
  *)
    echo "usage: tools/demo.sh [--quick]" >&2
    exit 2
    ;;
esac
./tools/venv.sh recipes
python=.venv/bin/python
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-2}

"$python" -m recipes.train --workdir="$run" "${changes[@]}"
"$python" -m recipes.evaluate --workdir="$run" "${judge[@]}"
"$python" -m recipes.export --workdir="$run"
"$python" -m recipes.sample --saved_model="$run/saved_model" \
  --out="$run/prompts.png" \
  --caption="a red heart" --caption="a blue car" \
  --caption="a green apple" --caption="a yellow smiling face" \
  --caption="a purple flower" --caption="a brown bear"

cat <<EOF

Everything lies in $run:
  prompts.png    six prompts, drawn from the SavedModel
  film.gif       the same captions and noise from the first move to the last
  samples/       the film's frames
  curves.png     the loss curves
  scores.md      the score table; scores.jsonl holds each score's protocol
  metrics.jsonl  the terms, a line an epoch
  tensorboard/   scalars and pictures: .venv/bin/tensorboard --logdir $run
  checkpoints/   what a second call goes on from
  saved_model/   strings in, pictures out
  config.json    what was trained
EOF
