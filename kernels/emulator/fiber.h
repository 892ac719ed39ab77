// Stacks, and switching between them: a dozen instructions on x86-64 and aarch64, ucontext elsewhere.
// AddressSanitizer is told of every switch, or it would take one stack for another.
#pragma once

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define WG_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WG_ASAN 1
#endif
#endif
#ifndef WG_ASAN
#define WG_ASAN 0
#endif

#if !defined(__x86_64__) && !defined(__aarch64__)
#define WG_UCONTEXT 1
#include <ucontext.h>
#else
#define WG_UCONTEXT 0
#endif

namespace wg_emulator {

struct Context {
#if WG_UCONTEXT
    ucontext_t registers;
#else
    void* stack_pointer;  // the saved registers lie there
#endif
#if WG_ASAN
    void* stack;
    size_t stack_bytes;
    void* fake_stack;
#endif
};

// Stacks side by side, each above a page that cannot be touched: an overflow is a fault, not a neighbour's
// damaged variable. Memory is taken when it is first used.
class Stacks {
  public:
    Stacks() = default;
    Stacks(const Stacks&) = delete;
    Stacks& operator=(const Stacks&) = delete;
    ~Stacks();
    // False if there is no memory.
    bool reserve(size_t count);
    // Lets `context` begin in `entry`, which never returns, on stack `index`.
    void prepare(size_t index, Context& context, void (*entry)());
    // Forgets what AddressSanitizer knows of stacks whose fibers were abandoned.
    void forget_all();

  private:
    unsigned char* memory_ = nullptr;
    size_t count_ = 0;
};

// Saves the running context in `from` and goes on with `to`.
void switch_context(Context& from, Context& to);
// The first thing a fiber calls: `from` is the context that switched to it.
void begin_context(Context& from);

}  // namespace wg_emulator
