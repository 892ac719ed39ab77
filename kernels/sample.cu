// sample_f32, sample_f16, sample_bf16: one token for each row of a batch, and nothing else: slots stay where
// they are. The whole of a step but for the automaton.
//
// Mapping: blocks of 256 threads, as many as fit the GPU (a persistent grid) or fewer. A warp reads a tile of
// 1024 logits into registers, 16 bytes a lane and load, and leaves a 16-byte record; the block that completes a
// row picks tile and token. A row whose legal tokens are a list takes a block, which gathers their logits.
//
// Bytes per wide row: width x 4 (f32) or x 2 (f16, bf16) once; width / 8 for a bitmap; 16 bytes per tile written
// and read; one tile again. Top-k reads about k tiles again, top-p the tiles within 8 or 16 bits of the maximum,
// or the row twice if it is flat. Per list row: its ids, and a 32-byte sector for each of their logits.
//
// Floor: those bytes at the memory's bandwidth, and a launch. Instructions per logit: docs/KERNELS.md.
#include "run.cuh"

template <u32 FORMAT>
WG_DEVICE void sample_batch(const SampleParams& p, SampleShared& s) {
    run_batch<FORMAT>(p, s, [&](u32 row, u32, RowResult result) {
        if (WG_THREAD == 0) ((RowResult*)p.results)[row] = result;
    });
}

WG_KERNEL(sample_f32, SampleParams, WG_SAMPLE_THREADS, WG_SAMPLE_BLOCKS) {
    WG_SHARED(SampleShared, s);
    sample_batch<WG_F32>(p, s);
}

WG_KERNEL(sample_f16, SampleParams, WG_SAMPLE_THREADS, WG_SAMPLE_BLOCKS) {
    WG_SHARED(SampleShared, s);
    sample_batch<WG_F16>(p, s);
}

WG_KERNEL(sample_bf16, SampleParams, WG_SAMPLE_THREADS, WG_SAMPLE_BLOCKS) {
    WG_SHARED(SampleShared, s);
    sample_batch<WG_BF16>(p, s);
}
