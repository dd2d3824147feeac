#include "fc.h"

#define FC_FLOAT_ROW(name, type) {#name, sizeof(type), 1, 1},
#define FC_SIGNED_ROW(name, type) {#name, sizeof(type), 0, 1},
#define FC_UNSIGNED_ROW(name, type) {#name, sizeof(type), 0, 0},

const fc_dtype fc_dtypes[FC_DTYPE_COUNT] = {
    FC_FLOATS(FC_FLOAT_ROW) FC_SIGNED(FC_SIGNED_ROW) FC_UNSIGNED(FC_UNSIGNED_ROW)};
