/* Tests of the C core, at every instruction-set level that this processor has.
 *
 *     csrc-tests [-n CASES] [TEST...]     runs the tests named, or all
 *     csrc-tests [-n CASES] -TEST...      runs all but those named
 *     csrc-tests -l                       names the levels that can be used here
 */
#include "check.h"
#include "tests.h"

#include <stdio.h>

enum { NONE, KERNELS, NARROW };

typedef struct {
    const char *name;
    void (*run)(const fc_kernels *);
    int percent; /* of the cases asked for */
    int of_level; /* of its kernels.c, of its narrow.c, or of none */
} test;

static const test tests[] = {
    {"im2col", test_im2col, 100, KERNELS},
    {"col2im", test_col2im, 100, KERNELS},
    {"scatter", test_scatter, 100, KERNELS},
    {"epilogue", test_epilogue, 100, KERNELS},
    {"max_pool", test_max_pool, 100, KERNELS},
    {"max_grad", test_max_grad, 100, KERNELS},
    {"avg_pool", test_avg_pool, 100, KERNELS},
    {"lp_pool", test_lp_pool, 100, KERNELS},
    {"scatter_add", test_scatter_add, 100, KERNELS},
    {"unpool", test_unpool, 100, KERNELS},
    {"conv_forward", test_conv_forward, 100, KERNELS},
    {"pointwise", test_pointwise, 100, KERNELS},
    {"narrow_conv", test_narrow_conv, 100, NARROW},
    {"narrow_pointwise", test_narrow_pointwise, 100, NARROW},
    {"conv_weight_grad", test_conv_weight_grad, 50, KERNELS},
    {"narrow_weight_grad", test_narrow_weight_grad, 50, NARROW},
    {"grouped", test_grouped, 100, KERNELS},
    {"grouped_pack", test_grouped_pack, 50, KERNELS},
    {"grouped_grad", test_grouped_grad, 100, KERNELS},
    {"depthwise", test_depthwise, 50, KERNELS},
    {"depthwise_input_grad", test_depthwise_input_grad, 50, KERNELS},
    {"depthwise_weight_grad", test_depthwise_weight_grad, 50, KERNELS},
    {"depthwise_halves", test_depthwise_halves, 50, KERNELS},
    {"depthwise_bytes", test_depthwise_bytes, 50, NARROW},
    {"winograd", test_winograd, 50, KERNELS},
    {"winograd_halves", test_winograd_halves, 50, KERNELS},
    {"winograd_grad", test_winograd_grad, 50, KERNELS},
    {"winograd_grad_halves", test_winograd_grad_halves, 50, KERNELS},
    {"product", test_product, 100, KERNELS},
    {"narrow_product", test_narrow_product, 100, NARROW},
    {"bias_grad", test_bias_grad, 100, KERNELS},
    {"ranges", test_ranges, 100, NONE},
    {"slots", test_slots, 100, NONE},
    {"shares", test_shares, 100, NONE},
    {"many_callers", test_many_callers, 5, NONE},
    {"nested_calls", test_nested_calls, 5, NONE},
    {"growth", test_growth, 5, NONE},
    {"fork", test_fork, 5, NONE},
    {"memory", test_memory, 5, NONE},
    {"memory_fork", test_memory_fork, 5, NONE},
};
enum { TESTS = sizeof tests / sizeof tests[0] };

static void run(const test *t, int level, int cases)
{
    const char *name = t->of_level ? fc_levels[level].name : "any";

    fc_level_set(level);
    for (int number = 0; number < cases * t->percent / 100; number++) {
        start_case(t->name, name, number);
        t->run(fc_active());
        end_case();
    }
}

static int is_wanted(const test *t, char **names, int count)
{
    const int out = count == 0 || names[0][0] == '-';

    for (int i = 0; i < count; i++)
        if (strcmp(names[i] + out, t->name) == 0)
            return !out;
    return out;
}

/* Whether a level can be used, and has functions of its own for a test. */
static int is_new(const test *t, int level)
{
    const int same = level > 0 && fc_levels[level].kernels == fc_levels[level - 1].kernels;
    return fc_level_usable(level) && !(t->of_level == KERNELS && same);
}

int main(int count, char **arguments)
{
    int cases = 200, used = 1;

    if (count > 1 && strcmp(arguments[1], "-l") == 0) {
        for (int level = 0; level < fc_level_count; level++)
            if (fc_level_usable(level))
                puts(fc_levels[level].name);
        return 0;
    }
    if (count > 2 && strcmp(arguments[1], "-n") == 0) {
        cases = atoi(arguments[2]);
        used = 3;
    }
    for (const test *t = tests; t < tests + TESTS; t++)
        for (int level = 0; level < fc_level_count; level++)
            if (is_wanted(t, arguments + used, count - used) && is_new(t, level)) {
                run(t, level, cases);
                if (!t->of_level)
                    break;
            }
    return 0;
}
