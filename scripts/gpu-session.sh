#!/usr/bin/env bash
# One call on a machine with an NVIDIA GPU: checks, measurements, peers, memory checkers. Nine minutes at most.
#
#   OUT=results scripts/gpu-session.sh [PATH_OF_THE_BINARY]
#
# The binary is `warpgrammar` of a release build made anywhere for the same processor: it carries kernels, schemas and
# vocabularies; `strip` leaves a third of it. Without a path, target/release/warpgrammar is used, or built. Everything is optional but the binary:
# what is missing is said, and the rest is done. Wheels for the peers (see benches/gpu_peers.py) are taken from .whl/.
# Results go to $OUT: doctor.json, peers.json and log.txt, which ends with the exit codes.
set -uo pipefail
cd "$(dirname "$0")/.."
OUT=${OUT:-gpu-results}
mkdir -p "$OUT"
export PYTHONUNBUFFERED=1
started=$SECONDS
names=()
codes=()

# Runs one part, for at most so many seconds and never beyond the nine minutes.
part() {
  local name=$1 most=$2 left=$((540 - (SECONDS - started)))
  shift 2
  echo
  echo "== $name (at $((SECONDS - started)) s)"
  if [ "$left" -lt 20 ]; then
    echo "left out: time is up"
    names+=("$name") codes+=("left out")
    return
  fi
  timeout --kill-after=5 $((left < most ? left : most)) "$@"
  local code=$?
  names+=("$name") codes+=("$code")
}

main() {
  local binary=${1:-target/release/warpgrammar}
  if [ ! -x "$binary" ]; then
    echo "there is no $binary; building it"
    cargo build --release || exit 1
    binary=target/release/warpgrammar
  fi
  nvidia-smi || echo "nvidia-smi is missing"

  # Peers that compile themselves do so now, beside the checks, which mostly wait for the processor.
  local warm=
  if compgen -G '.whl/*.whl' >/dev/null; then
    local peers
    peers=$(mktemp -d)
    python3 -m pip install -q --no-index --no-deps --no-compile --target "$peers" .whl/*.whl &&
      export PYTHONPATH="$peers${PYTHONPATH:+:$PYTHONPATH}"
  fi
  if command -v python3 >/dev/null; then
    timeout 150 python3 benches/gpu_peers.py --warm-up &
    warm=$!
  fi

  part 'doctor' 100 "$binary" doctor --json "$OUT/checks.json"
  if [ -n "$warm" ]; then wait "$warm"; fi
  part 'doctor --bench' 200 "$binary" doctor --bench "${BENCH:-quick}" --skip-checks --json "$OUT/doctor.json"
  if [ -n "$warm" ]; then
    part 'peers' 140 python3 benches/gpu_peers.py --ours "$OUT/doctor.json" --json "$OUT/peers.json"
  fi
  if command -v compute-sanitizer >/dev/null; then
    part 'memcheck' 90 compute-sanitizer --tool memcheck --error-exitcode 9 "$binary" doctor --reduced
    part 'racecheck' 90 compute-sanitizer --tool racecheck --error-exitcode 9 "$binary" doctor --reduced
  else
    echo "compute-sanitizer is missing"
  fi

  echo
  echo "== exit codes (0: passed; 3: no GPU; 4: a check failed; 9: the memory checker found something; 124: out of time)"
  local i worst=0
  for i in "${!names[@]}"; do
    printf '%-16s %s\n' "${names[$i]}" "${codes[$i]}"
    [ "${codes[$i]}" = 0 ] || worst=1
  done
  return "$worst"
}

main "$@" 2>&1 | tee "$OUT/log.txt"
exit "${PIPESTATUS[0]}"
