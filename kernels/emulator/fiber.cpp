#include "fiber.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if WG_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

// wg_emulator_switch(void** save, void* load): pushes the registers a callee must keep, exchanges stacks, pops.
// Called from one place, so that the processor predicts its return. The floating-point control words are the
// same in all fibers and stay as they are.
#if defined(__x86_64__)
__asm__(R"(
.text
.p2align 4
.globl wg_emulator_switch
.hidden wg_emulator_switch
wg_emulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");
#elif defined(__aarch64__)
__asm__(R"(
.text
.p2align 4
.globl wg_emulator_switch
.hidden wg_emulator_switch
wg_emulator_switch:
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
)");
#endif

#if !WG_UCONTEXT
extern "C" void wg_emulator_switch(void** save, void* load);
#endif

namespace wg_emulator {

// Sanitized frames are several times larger.
static constexpr size_t STACK_BYTES = WG_ASAN ? 256 * 1024 : 64 * 1024;

static size_t guard_bytes() { return (size_t)sysconf(_SC_PAGESIZE); }

Stacks::~Stacks() {
    forget_all();
    if (memory_ != nullptr) munmap(memory_, count_ * (STACK_BYTES + guard_bytes()));
}

bool Stacks::reserve(size_t count) {
    const size_t stride = STACK_BYTES + guard_bytes();
    void* memory = mmap(nullptr, count * stride, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return false;
    memory_ = static_cast<unsigned char*>(memory);
    count_ = count;
    for (size_t i = 0; i < count; i++) {
        if (mprotect(memory_ + i * stride, guard_bytes(), PROT_NONE) != 0) return false;
    }
    return true;
}

void Stacks::prepare(size_t index, Context& context, void (*entry)()) {
    unsigned char* bottom = memory_ + index * (STACK_BYTES + guard_bytes()) + guard_bytes();
#if WG_ASAN
    context.stack = bottom;
    context.stack_bytes = STACK_BYTES;
    context.fake_stack = nullptr;
#endif
#if WG_UCONTEXT
    getcontext(&context.registers);
    context.registers.uc_stack.ss_sp = bottom;
    context.registers.uc_stack.ss_size = STACK_BYTES;
    context.registers.uc_link = nullptr;
    makecontext(&context.registers, entry, 0);
#else
    // Stacks that begin at the same offset of a page would all live in the same few sets of the L1 cache.
    const size_t colour = (index * 11 % 64) * 64;
    unsigned char* top = bottom + STACK_BYTES - colour;
#if defined(__x86_64__)
    // Six registers, the address that `ret` takes, and a word that leaves the stack as a call would.
    uint64_t* frame = reinterpret_cast<uint64_t*>(top) - 8;
    memset(frame, 0, 64);
    frame[6] = reinterpret_cast<uint64_t>(entry);
#else
    uint64_t* frame = reinterpret_cast<uint64_t*>(top) - 20;
    memset(frame, 0, 160);
    frame[11] = reinterpret_cast<uint64_t>(entry);  // x30
#endif
    context.stack_pointer = frame;
#endif
}

void Stacks::forget_all() {
#if WG_ASAN
    if (memory_ != nullptr) {
        const size_t stride = STACK_BYTES + guard_bytes();
        for (size_t i = 0; i < count_; i++)
            __asan_unpoison_memory_region(memory_ + i * stride + guard_bytes(), STACK_BYTES);
    }
#endif
}

#if WG_ASAN
// Whose turn it was before the switch that is under way: the new context learns its stack from this.
static __thread Context* previous;
#endif

// After a switch, on the new stack. The launching thread's own stack becomes known when it is first left.
static inline void arrived([[maybe_unused]] Context* me) {
#if WG_ASAN
    const void* stack = nullptr;
    size_t bytes = 0;
    __sanitizer_finish_switch_fiber(me == nullptr ? nullptr : me->fake_stack, &stack, &bytes);
    if (previous->stack == nullptr) {
        previous->stack = const_cast<void*>(stack);
        previous->stack_bytes = bytes;
    }
#endif
}

void switch_context(Context& from, Context& to) {
#if WG_ASAN
    previous = &from;
    __sanitizer_start_switch_fiber(&from.fake_stack, to.stack, to.stack_bytes);
#endif
#if WG_UCONTEXT
    swapcontext(&from.registers, &to.registers);
#else
    wg_emulator_switch(&from.stack_pointer, to.stack_pointer);
#endif
    arrived(&from);
}

void begin_context([[maybe_unused]] Context& from) { arrived(nullptr); }

}  // namespace wg_emulator
