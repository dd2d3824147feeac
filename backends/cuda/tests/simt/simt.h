// CUDA's execution model on one CPU thread. A fiber stands for each CUDA thread of a block; blocks
// run one after another. A fiber runs until it waits, so that the order of threads is known, and
// can be turned around: what depends on it shows as two different results.
#pragma once
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __restrict__ __restrict
#define __grid_constant__

struct Three { unsigned x, y, z; };
static Three gridDim, blockDim, blockIdx, threadIdx;

namespace simt {

enum { MOST_THREADS = 1024, MOST_SHARED = 232448, GUARD = 64, STACK = 1 << 16, LANES = 32 };
// Where a block's shared memory starts in its window: the compiler promises a multiple of 128.
enum { SHARED_AT = 128 };
enum State { RUNNABLE, AT_BLOCK_BARRIER, AT_WARP_BARRIER, AT_CONDITION, DONE };

struct Copy { void *to; const void *from; int bytes, group; };
enum { MOST_COPIES = 256, MOST_EXCHANGED = 64 };

struct Fiber {
  jmp_buf here;
  ucontext_t start;
  char *stack;
  bool begun;
  State state;
  int exchanges;             // how many this thread took part in
  int copies, groups;        // asynchronous copies under way, and groups closed so far
  Copy copy[MOST_COPIES];
  bool (*may_go)(const void *, unsigned);  // what a thread AT_CONDITION waits for
  const void *what;
  unsigned which;
};

static Fiber fibers[MOST_THREADS];
static jmp_buf scheduler;
static int current, threads;
static const char *failure;
static void (*kernel)(void **);
static void **arguments;
alignas(1024) static unsigned char window[SHARED_AT + MOST_SHARED + GUARD];
static unsigned char *const shared = window + SHARED_AT;
// Two of each, used in turn: a lane may be one exchange ahead of another.
static unsigned char slots[2][MOST_THREADS][MOST_EXCHANGED];
static int shared_bytes;
// What happens beside the threads, for twins that need it: at a block's start, where no thread can
// go on (whether anything happened), as a thread ends, and as a block does.
struct Beside {
  void (*start)();
  bool (*go_on)(bool reverse);
  void (*end_thread)();
  void (*end_block)();
};
static Beside beside;

static inline void resume_scheduler() {
  if (_setjmp(fibers[current].here) == 0) _longjmp(scheduler, 1);
}

// Gives the launch up; never returns.
static inline void fail(const char *why) {
  failure = why;
  _longjmp(scheduler, 1);
}

static inline void wait_at(State barrier) {
  fibers[current].state = barrier;
  resume_scheduler();
}

static inline void wait_until(bool (*may_go)(const void *, unsigned), const void *what,
                              unsigned which) {
  Fiber &f = fibers[current];
  f.may_go = may_go;
  f.what = what;
  f.which = which;
  wait_at(AT_CONDITION);
}

// A fiber outlives its block: starting one anew costs more than most kernels do.
static void live() {
  for (;;) {
    kernel(arguments);
    if (fibers[current].copies) fail("a thread ended with asynchronous copies under way");
    if (beside.end_thread) beside.end_thread();
    wait_at(DONE);
  }
}

static void resume(int t) {
  Fiber &f = fibers[t];
  current = t;
  threadIdx.x = t % blockDim.x;
  threadIdx.y = t / blockDim.x % blockDim.y;
  threadIdx.z = t / (blockDim.x * blockDim.y);
  if (_setjmp(scheduler)) return;
  if (f.begun) _longjmp(f.here, 1);
  f.begun = true;
  if (!f.stack) f.stack = (char *)malloc(STACK);
  getcontext(&f.start);
  f.start.uc_stack.ss_sp = f.stack;
  f.start.uc_stack.ss_size = STACK;
  f.start.uc_link = 0;
  makecontext(&f.start, live, 0);
  setcontext(&f.start);
}

static int count(int first, int last, State state) {
  int found = 0;
  for (int t = first; t < last; t++) found += fibers[t].state == state;
  return found;
}

static void release(int first, int last) {
  for (int t = first; t < last; t++) fibers[t].state = RUNNABLE;
}

// Runs a warp until its threads are done or wait for the block.
static bool run_warp(int first, int last, bool reverse) {
  bool moved = false;
  for (;;) {
    for (int i = first; i < last; i++) {
      int t = reverse ? first + last - 1 - i : i;
      Fiber &f = fibers[t];
      if (f.state == AT_CONDITION && f.may_go(f.what, f.which)) f.state = RUNNABLE;
      if (f.state != RUNNABLE) continue;
      moved = true;
      resume(t);
      if (failure) return false;
    }
    if (count(first, last, AT_WARP_BARRIER) != last - first) return moved;
    release(first, last);
  }
}

// What nobody wrote is NaN in every format, and far outside memory as an offset.
static const unsigned short POISON[2] = {0x7fff, 0x7ff8};

static void run_block(bool reverse, int bytes) {
  shared_bytes = bytes;
  if (beside.start) beside.start();
  for (int i = 0; i < bytes + GUARD; i += 2) memcpy(shared + i, &POISON[i / 2 % 2], 2);
  for (int t = 0; t < threads; t++) {
    Fiber &f = fibers[t];
    f.state = RUNNABLE;
    f.exchanges = f.copies = f.groups = 0;
  }
  int warps = (threads + LANES - 1) / LANES;
  while (!failure) {
    bool moved = false;
    for (int i = 0; i < warps && !failure; i++) {
      int first = (reverse ? warps - 1 - i : i) * LANES;
      int last = first + LANES < threads ? first + LANES : threads;
      moved |= run_warp(first, last, reverse);
    }
    if (failure || count(0, threads, DONE) == threads) break;
    if (count(0, threads, AT_BLOCK_BARRIER) == threads) release(0, threads);
    else if (!moved && !(beside.go_on && beside.go_on(reverse)) && !failure)
      failure = "threads wait for a barrier that others never reach";
  }
  if (!failure && beside.end_block) beside.end_block();
  for (int i = bytes; i < bytes + GUARD && !failure; i += 2)
    if (memcmp(shared + i, &POISON[i / 2 % 2], 2))
      failure = "a write past the shared memory asked for";
}

static void wild(int) { fail("a wild address"); }

static const char *launch(void (*run)(void **), void **args, const unsigned *shape, int bytes,
                          int reverse) {
  kernel = run;
  arguments = args;
  failure = 0;
  gridDim = Three{shape[0], shape[1], shape[2]};
  blockDim = Three{shape[3], shape[4], shape[5]};
  threads = shape[3] * shape[4] * shape[5];
  if (threads < 1 || threads > MOST_THREADS) return "a block of no or too many threads";
  if (bytes < 0 || bytes % 2 || bytes > MOST_SHARED) return "an amount of shared memory";
  // Another fault may follow: the handler is left by a jump, and must not stay blocked.
  struct sigaction caught = {}, before[2];
  caught.sa_handler = wild;
  caught.sa_flags = SA_NODEFER;
  sigaction(SIGSEGV, &caught, &before[0]);
  sigaction(SIGBUS, &caught, &before[1]);
  long long blocks = (long long)shape[0] * shape[1] * shape[2];
  for (long long i = 0; i < blocks && !failure; i++) {
    long long b = reverse ? blocks - 1 - i : i;
    blockIdx.x = (unsigned)(b % shape[0]);
    blockIdx.y = (unsigned)(b / shape[0] % shape[1]);
    blockIdx.z = (unsigned)(b / shape[0] / shape[1]);
    run_block(reverse != 0, bytes);
  }
  sigaction(SIGSEGV, &before[0], 0);
  sigaction(SIGBUS, &before[1], 0);
  // Fibers that were left in the middle start again from the top.
  if (failure)
    for (int t = 0; t < MOST_THREADS; t++) fibers[t].begun = false;
  return failure;
}

// Gives every lane of a warp what each of them brought.
template <class T> struct Exchanged {
  int parity, first;
  T from(int lane) const {
    T v;
    memcpy(&v, slots[parity][first + lane], sizeof v);
    return v;
  }
};

template <class T> static inline Exchanged<T> exchange(const T &mine) {
  static_assert(sizeof(T) <= MOST_EXCHANGED, "a larger slot is needed");
  Fiber &f = fibers[current];
  int parity = f.exchanges++ & 1;
  memcpy(slots[parity][current], &mine, sizeof mine);
  wait_at(AT_WARP_BARRIER);
  return Exchanged<T>{parity, current / LANES * LANES};
}

// Calls a kernel with the arguments that `args` points at, as cuLaunchKernel does.
template <int... I> struct indices {};
template <int N, int... I> struct upto : upto<N - 1, N - 1, I...> {};
template <int... I> struct upto<0, I...> { typedef indices<I...> type; };
template <class T> struct plain { typedef T type; };
template <class T> struct plain<const T> { typedef T type; };

template <class... A, int... I>
static inline void call(void (*k)(A...), void **args, indices<I...>) {
  k(*(typename plain<A>::type *)args[I]...);
}
template <class... A> static inline void call(void (*k)(A...), void **args) {
  call(k, args, typename upto<sizeof...(A)>::type());
}

}  // namespace simt

#define FC_EXPORT(name)                                                                          \
  static void run_##name(void **args) { simt::call(name, args); }                                \
  extern "C" const char *launch_##name(void **args, const unsigned *shape, int bytes,            \
                                       int reverse) {                                            \
    return simt::launch(run_##name, args, shape, bytes, reverse);                                \
  }
