#!/usr/bin/env bash
# Installs what the tests need and runs them all; words go on to pytest.
#
#   ./tools/test.sh
#   ./tools/test.sh tests/losses -k hinge
set -euo pipefail
cd "$(dirname "$0")/.."
./tools/venv.sh dev
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-2}
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/python -m pytest -q --durations=15 "$@"
if command -v bazel > /dev/null; then
  PATH="$PWD/.venv/bin:$PATH" bazel test //...
fi
