/* What the tests of the C core share: chance, arrays in odd layouts, and how a failure is told.
 *
 * An input's memory ends where its last item does, so that AddressSanitizer sees a read past it;
 * an output lies among canaries, which show a write beside its items without any sanitizer.
 */
#ifndef CHECK_H
#define CHECK_H

#include "fc.h"

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_THREADS = 3, CANARY = 0xAA };

/* The same in every run: a case's draws depend on the test's name and the case's number alone. */
void start_case(const char *test, const char *level, int number);
int64_t between(int64_t least, int64_t most);
int chance(int percent);
double uniform(void); /* in [-1, 1) */

/* Ends the program with a message that names the case. */
void expect(int holds, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Memory that lives until the case ends. */
void *grab(int64_t bytes);
void end_case(void);

/* Scratch memory at a cache line's beginning, full of NaN. */
char *scratch_of(int64_t bytes);
void expect_scratch_kept(const char *scratch, int64_t bytes);

/* An array of 3 or 5 axes (fc_array's places), its memory, and copies to compare it with. */
typedef struct {
    fc_array a;
    int axes;
    int64_t bytes;
    unsigned char *memory, *before, *first;
} block;

block input(int64_t size, int axes, const int64_t *shape); /* may repeat items by strides of 0 */
block output(int64_t size, int axes, const int64_t *shape);
/* The same with the items of axis 1 side by side, if `adjoining`. */
block input_of(int64_t size, int axes, const int64_t *shape, int adjoining);
block output_of(int64_t size, int axes, const int64_t *shape, int adjoining);
int64_t count_of(const fc_array *a);
char *item(const fc_array *a, int64_t index); /* in logical order */
char *item_at(const fc_array *a, int64_t n, int64_t c, int64_t d, int64_t h, int64_t w);

/* Items as doubles. */
double value(const char *item, int dtype);
void set_value(char *item, int dtype, double v);
double epsilon(int dtype);
void fill_uniform(block *b, int dtype);
void fill_integers(block *b, int dtype, int64_t least, int64_t most);
void fill_bytes(block *b);
block bias_of(int dtype, int64_t channels); /* contiguous, at any address */

/* Around a call at 1, 2 and 3 threads: the output begins alike and must end alike. */
void before_call(block *y, int threads);
void after_call(block *y, int threads);

/* Compares items in logical order with what is wanted, and the bytes around them with canaries. */
void expect_near(block *y, int dtype, const double *want, const double *bound);
void expect_equal(block *y, int dtype, const double *want);
void expect_gaps_kept(block *y);
void expect_blank(const block *y); /* canaries everywhere, items included */

#endif
