#!/usr/bin/env bash
# Compiles every kernel for real GPUs, without one, and compares what comes out with scripts/kernels.baseline:
# registers, shared memory, stack, spills, and SASS instructions per element of the lines marked `// hot: NAME N`.
# Growth fails; `--accept` writes the baseline anew. Python and a network (once) are all it needs: nvcc and the
# disassembler come from the package registry into target/nvcc.
set -euo pipefail
cd "$(dirname "$0")/.."

archs=(sm_80 sm_90 sm_100)
venv=target/nvcc/venv
packages=(
  nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88
  nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85
  nvidia-cuda-cuobjdump==13.2.78 nvidia-cuda-nvdisasm==13.2.78
)

if [ "$(cat target/nvcc/installed 2>/dev/null)" != "${packages[*]}" ]; then
  mkdir -p target/nvcc
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
  echo "${packages[*]}" > target/nvcc/installed
fi
cuda=$(echo "$venv"/lib/python3*/site-packages/nvidia/cu13)
out=target/nvcc/out
rm -rf "$out" && mkdir -p "$out"

# As build/cuda.rs compiles them.
flags=(-std=c++17 --fmad=false -lineinfo -cubin)
compile() { # compile NAME FLAGS...
  local name=$1; shift
  if ! "$cuda/bin/nvcc" "${flags[@]}" "$@" -Xptxas=-v kernels/all.cu -o "$out/$name.cubin" > "$out/$name.log" 2>&1; then
    # With static shared memory a kernel may be over the limit for that: its size is in the message.
    [ "$name" = shared ] && grep -q 'too much shared data' "$out/$name.log" && return 0
    cat "$out/$name.log" >&2
    return 1
  fi
  if [ "$name" != shared ]; then "$cuda/bin/nvdisasm" -gi -c "$out/$name.cubin" > "$out/$name.sass"; fi
}

# Two at a time, which is what CI has processors for. The last tells the size of each kernel's shared struct,
# which is otherwise the host's business.
jobs=()
for arch in "${archs[@]}"; do
  compile "$arch" -arch="$arch" & jobs+=($!)
  if [ ${#jobs[@]} = 2 ]; then wait "${jobs[0]}"; jobs=("${jobs[@]:1}"); fi
done
compile shared -arch=sm_90 -DWG_STATIC_SHARED & jobs+=($!)
for job in "${jobs[@]}"; do wait "$job"; done

python3 scripts/check_kernels.py "$out" scripts/kernels.baseline "$@"
