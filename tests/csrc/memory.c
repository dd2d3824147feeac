/* Kept memory: threads that take and give blocks while the bound changes; forks meanwhile. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "tests.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TAKERS = 4, HELD = 6, MOST_BYTES = 3 << 20, BOUND = 8 << 20 };

typedef struct {
    unsigned seed;
    atomic_int *stop; /* NULL: so many rounds */
    atomic_int *failures;
} taker;

static unsigned draw(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static int is_ours(const char *data, int64_t size, char mark)
{
    return data[0] == mark && data[size / 2] == mark && data[size - 1] == mark;
}

/* Each holds several blocks with a mark of its own in them, and looks whether it stays there. */
static void *take_and_give(void *context)
{
    taker *t = context;
    char *held[HELD] = {NULL};
    int64_t size[HELD];
    const char mark = (char)t->seed;

    for (int round = 0; t->stop ? !atomic_load(t->stop) : round < 100; round++) {
        const int k = (int)(draw(&t->seed) % HELD);
        if (held[k] != NULL) {
            if (!is_ours(held[k], size[k], mark))
                atomic_fetch_add(t->failures, 1);
            fc_memory_give(held[k], size[k]);
        }
        size[k] = 1 + draw(&t->seed) % MOST_BYTES;
        held[k] = fc_memory_take(size[k]);
        if (held[k] == NULL)
            atomic_fetch_add(t->failures, 1);
        else
            held[k][0] = held[k][size[k] / 2] = held[k][size[k] - 1] = mark;
        if (round % 16 == 0)
            fc_memory_bound(draw(&t->seed) % BOUND);
        if (round % 64 == 0)
            fc_memory_release();
    }
    for (int k = 0; k < HELD; k++)
        if (held[k] != NULL)
            fc_memory_give(held[k], size[k]);
    return NULL;
}

void test_memory(const fc_kernels *unused)
{
    pthread_t threads[TAKERS];
    taker takers[TAKERS];
    atomic_int failures = 0;

    (void)unused;
    fc_memory_bound(BOUND);
    for (int i = 0; i < TAKERS; i++) {
        takers[i] = (taker){(unsigned)between(0, 1000) * TAKERS + (unsigned)i, NULL, &failures};
        expect(pthread_create(&threads[i], NULL, take_and_give, &takers[i]) == 0, "no thread");
    }
    for (int i = 0; i < TAKERS; i++)
        pthread_join(threads[i], NULL);
    expect(atomic_load(&failures) == 0, "%d blocks were another's", atomic_load(&failures));
    const int64_t bound = between(0, BOUND);
    fc_memory_bound(bound);
    expect(fc_memory_idle() <= bound, "%d bytes beyond the bound", (int)fc_memory_idle());
    fc_memory_release();
    expect(fc_memory_idle() == 0, "%d bytes are left", (int)fc_memory_idle());
}

static int forked_child(void)
{
    atomic_int failures = 0;
    taker alone = {1, NULL, &failures};

    if (fc_memory_idle() != 0)
        return 1;
    take_and_give(&alone);
    return atomic_load(&failures) != 0;
}

/* The child finds the lock as the other thread left it. */
void test_memory_fork(const fc_kernels *unused)
{
    atomic_int stop = 0, failures = 0;
    taker other = {2, &stop, &failures};
    pthread_t thread;
    int status = 0;

    (void)unused;
    fc_memory_bound(BOUND);
    expect(pthread_create(&thread, NULL, take_and_give, &other) == 0, "no thread");
    for (int round = 0; round < 5 && status == 0; round++) {
        const pid_t child = fork();
        if (child == 0)
            _exit(forked_child());
        expect(child > 0 && waitpid(child, &status, 0) == child, "no child");
    }
    atomic_store(&stop, 1);
    pthread_join(thread, NULL);
    expect(status == 0, "a child ended with status %d", status);
    expect(atomic_load(&failures) == 0, "%d blocks were another's", atomic_load(&failures));
}
