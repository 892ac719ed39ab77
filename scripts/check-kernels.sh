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

# The files that kernels/all.cu lists, each by itself, compiled as build/cuda.rs does. The second kind tells the size
# of each kernel's shared struct, which is otherwise the host's business; optimising does not change it.
compile() { # compile ARCH FILE
  local arch=$1 file=$2 name=$out/$1.$(basename "$2" .cu)
  if [ "$arch" = shared ]; then
    "$cuda/bin/nvcc" -std=c++17 -cubin -arch=sm_90 -DWG_STATIC_SHARED -Xcicc -O0 -Xptxas -O0,-v "$file" \
      -o "$name.cubin" > "$name.log" 2>&1 && return 0
    # Over the limit of static shared memory: its size is in the message.
    grep -q 'too much shared data' "$name.log" && return 0
  else
    "$cuda/bin/nvcc" -std=c++17 --fmad=false -lineinfo -cubin -arch="$arch" -Xptxas=-v "$file" \
      -o "$name.cubin" > "$name.log" 2>&1 &&
      "$cuda/bin/nvdisasm" -gi -c "$name.cubin" > "$name.sass" && return 0
  fi
  cat "$name.log" >&2
  return 255  # stops xargs
}
export -f compile
export cuda out
files=$(sed -n '/#ifndef __CUDACC__/,$d; s|^#include "\(.*\.cu\)"|kernels/\1|p' kernels/all.cu)
for arch in "${archs[@]}" shared; do
  for file in $files; do echo "$arch $file"; done
done | xargs -P "$(nproc)" -L 1 bash -c 'compile "$@"' -

python3 scripts/check_kernels.py "$out" scripts/kernels.baseline "$@"
