#!/usr/bin/env bash
# Installs what the tests need into .venv and runs them all.
#
#   ./tools/test.sh               format, lint, pytest in two processes; Bazel
#                                 where it is present
#   ./tools/test.sh -k painter    pytest alone; all words go to it
#
# A second call installs nothing, and Bazel runs only what has changed.
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1-}" in
  -h | --help)
    sed -n '2,/^set /{s/^# \{0,1\}//p;}' tools/test.sh
    exit 0
    ;;
esac
./tools/venv.sh dev
export PATH="$PWD/.venv/bin:$PATH"
export TF_CPP_MIN_LOG_LEVEL=2 CUDA_VISIBLE_DEVICES=-1

if [ $# -gt 0 ]; then
  exec python -m pytest "$@"
fi
ruff check .
ruff format --check .
# Neighbours share what their class sets up; who is idle takes from the other.
python -m pytest --quiet --durations=10 --numprocesses=2 --dist=worksteal

# BUILD is for Bazel 4; Debian's bazel-bootstrap 4.2.3 doesn't say its version.
case "$(bazel --version 2> /dev/null || true)" in
  "bazel 4."* | "bazel no_version"*) bazel test //... ;;
  "") echo "Bazel is not here: BUILD was checked by tests/house_test.py." ;;
  *) echo "This Bazel is not 4.x: BUILD was checked by tests/house_test.py." ;;
esac
