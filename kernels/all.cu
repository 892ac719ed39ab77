// Every kernel of warpgrammar: the list of its sources, and the one translation unit that nvcc, NVRTC and the
// emulator's compiler are given. A new file of kernels is one line here.
#include "port.cuh"

#include "advance.cu"
#include "draft.cu"
#include "legal.cu"
#include "masks.cu"
#include "sample.cu"
#include "step.cu"

#include "emulator/selftest.cu"
#include "probe.cu"
#ifndef __CUDACC__
#include "emulator/faults.cu"
#endif
