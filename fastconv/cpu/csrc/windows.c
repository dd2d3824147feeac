#include "fc.h"

/* Where the windows of neighbouring outputs are alike and evenly spaced, a kernel may walk the
 * outputs in its innermost loop. */
void fc_window_runs(const int64_t *begin, const int64_t *taps, int64_t outputs, int64_t *run)
{
    for (int64_t o = outputs - 1; o >= 0; o--) {
        if (o + 1 == outputs || taps[o] != taps[o + 1])
            run[o] = 1;
        else if (run[o + 1] > 1 && begin[o + 2] - begin[o + 1] == begin[o + 1] - begin[o])
            run[o] = run[o + 1] + 1;
        else
            run[o] = 2;
    }
}
