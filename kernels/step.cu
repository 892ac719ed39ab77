// step_f32, step_f16, step_bf16: one decoding step of a batch: sample a token for each row and move its slot on,
// from legal sets that `legal` has left. step_whole_f32, ...: the same in one launch, legal sets included.
//
// Mapping: as sample.cu; the warp that picked a row's token moves its slot on (advance.cuh). In one launch a block
// makes a row's legal set, reads its tiles and finishes it, rows in turn: nothing is shared between blocks, and a
// batch of fewer rows than blocks leaves blocks idle.
//
// Bytes per row: as sample.cu, and a slot's line read and written, its levels copied to the history, the bytes
// of the token and a few table rows each. In one launch also what legal.cu moves.
//
// Floor: as sample.cu. Moving a slot on is a chain of dependent reads, hidden behind other rows' tiles.
#include "legal.cu"
#include "run.cuh"

struct StepParams {
    SampleParams sample;
    SlotArrays arrays;
};
static_assert(sizeof(StepParams) == 168, "device::step::StepParams");

// Moves the row's slot on by what was sampled, and writes the result; by all threads of the block. Not inlined: its
// registers are not the scan's.
WG_NOINLINE void finish_row(const SampleParams& p, const SlotArrays& arrays, u32 row, u32 slot, RowResult result) {
    // Every thread has read what it needs of the slot.
    WG_SYNC();
    if (WG_WARP != 0) return;
    if (result.status == ROW_OK) {
        const u32 verdict = advance_slot(arrays, slot, result.token);
        if (verdict != ADVANCE_OK) {
            result = {0, 0.0f, verdict == ADVANCE_COUNTS_FULL ? ROW_COUNTS_FULL : ROW_ILLEGAL, 0};
        } else {
            const u32 status = slot_at(arrays, slot)->status;
            result.finish = status == SLOT_RUNNING ? 0 : status;
        }
    }
    if (WG_LANE == 0) ((RowResult*)p.results)[row] = result;
}

template <u32 FORMAT>
WG_DEVICE void step_batch(const StepParams& p, SampleShared& s) {
    run_batch<FORMAT>(p.sample, s, [&](u32 row, u32 slot, RowResult result) {
        finish_row(p.sample, p.arrays, row, slot, result);
    });
}

WG_KERNEL(step_f32, StepParams, WG_SAMPLE_THREADS, WG_SAMPLE_BLOCKS) {
    WG_SHARED(SampleShared, s);
    step_batch<WG_F32>(p, s);
}

WG_KERNEL(step_f16, StepParams, WG_SAMPLE_THREADS, WG_SAMPLE_BLOCKS) {
    WG_SHARED(SampleShared, s);
    step_batch<WG_F16>(p, s);
}

WG_KERNEL(step_bf16, StepParams, WG_SAMPLE_THREADS, WG_SAMPLE_BLOCKS) {
    WG_SHARED(SampleShared, s);
    step_batch<WG_BF16>(p, s);
}

struct WholeStepParams {
    SampleParams sample;
    LegalParams legal;
};
static_assert(sizeof(WholeStepParams) == 232, "device::step::WholeStepParams");

union WholeShared {
    LegalBlock legal;
    SampleShared sample;
};
static_assert(sizeof(WholeShared) == sizeof(SampleShared), "device::sample::SHARED");

template <u32 FORMAT>
WG_DEVICE void step_whole(const WholeStepParams& p, WholeShared& s) {
    const VocabView v = vocab_of(p.legal.a.vocab);
    for (u32 row = WG_BLOCK; row < p.sample.row_count; row += WG_BLOCKS) {
        const u32 slot = ((const u32*)p.sample.rows)[row];
        if (slot >= p.sample.slot_count) {
            if (WG_THREAD == 0) ((RowResult*)p.sample.results)[row] = {0, 0.0f, ROW_INACTIVE, 0};
            continue;
        }
        whole_slot(s.legal, p.legal, v, slot);
        // The set is read by the threads that wrote other parts of it.
        WG_FENCE();
        WG_SYNC();
        const bool list = ((const LegalHead*)p.sample.legal_heads)[slot].kind == LEGAL_LIST;
        if (!list) scan_row<FORMAT>(p.sample, s.sample, row, slot);
        const RowResult result = list ? sample_list<FORMAT>(p.sample, row, slot)
                                      : sample_wide<FORMAT>(p.sample, row, slot);
        // The next row begins with a barrier, or with words of its own in global memory.
        finish_row(p.sample, p.legal.a, row, slot, result);
    }
}

WG_KERNEL(step_whole_f32, WholeStepParams, WALK_THREADS, 3) {
    WG_SHARED(WholeShared, s);
    step_whole<WG_F32>(p, s);
}

WG_KERNEL(step_whole_f16, WholeStepParams, WALK_THREADS, 3) {
    WG_SHARED(WholeShared, s);
    step_whole<WG_F16>(p, s);
}

WG_KERNEL(step_whole_bf16, WholeStepParams, WALK_THREADS, 3) {
    WG_SHARED(WholeShared, s);
    step_whole<WG_BF16>(p, s);
}
