#!/usr/bin/env bash
# The built wheel, in a fresh environment, away from the source tree: what a user installs is what works.
#   tests/wheel/test.sh    needs the environment that `make test` makes
set -euo pipefail
cd "$(dirname "$0")/../.."
source_tree=$PWD
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

.venv/bin/python -m build --wheel --no-isolation --outdir "$place/dist" . >"$place/build.log" 2>&1 || { cat "$place/build.log"; exit 1; }
"${PYTHON:-python3}" -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
"$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "$place"/dist/*.whl

cd "$place"
unset PYTHONPATH
installed=$("$place/venv/bin/python" -c 'import backupmx; print(backupmx.__file__)')
case $installed in "$source_tree"/*) echo "the source tree was imported, not the wheel: $installed" >&2; exit 1 ;; esac
"$place/venv/bin/python" -m pip check --disable-pip-version-check
cat >"$place/backupmx.toml" <<EOF
spool = "$place/spool"
[domain."example.com"]
primary = ["mail.example.com"]
EOF
"$place/venv/bin/backupmx" --version
"$place/venv/bin/backupmx" check --config "$place/backupmx.toml"
"$place/venv/bin/backupmx" demo --once
echo "the wheel works: $(basename "$place"/dist/*.whl)"
