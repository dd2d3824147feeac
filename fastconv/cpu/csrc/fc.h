/* The C side of fastconv.cpu._core: what the Cython module may call, and nothing else.
 *
 * Arrays arrive as raw bytes with byte strides, which may be negative, zero or no multiple of the
 * item size, and whose items may lie at any address. Ranges are checked before a kernel is called;
 * a kernel itself never fails, except for the index kernels, whose indices are data.
 */
#ifndef FC_H
#define FC_H

#include <stdatomic.h>
#include <stdint.h>

/* The one list of element types. Whatever depends on a dtype is driven by it. */
#define FC_FLOATS(X) X(float32, float) X(float64, double)
#define FC_SIGNED(X) X(int8, int8_t) X(int16, int16_t) X(int32, int32_t) X(int64, int64_t)
#define FC_UNSIGNED(X) X(uint8, uint8_t) X(uint16, uint16_t) X(uint32, uint32_t) X(uint64, uint64_t)
#define FC_DTYPES(X) FC_FLOATS(X) FC_SIGNED(X) FC_UNSIGNED(X)

#define FC_CODE(name, type) FC_##name,
enum { FC_DTYPES(FC_CODE) FC_DTYPE_COUNT };
#undef FC_CODE

typedef struct {
    const char *name;
    int64_t size;
    int is_float, is_signed;
} fc_dtype;

extern const fc_dtype fc_dtypes[FC_DTYPE_COUNT];

/* (n, c, d, h, w), or three axes in the first three places. */
typedef struct {
    char *data;
    int64_t shape[5], stride[5], size;
} fc_array;

/* Output o of an axis reads inputs o * stride - before + k * dilation. */
typedef struct {
    int64_t in[3], kernel[3], stride[3], before[3], dilation[3], out[3];
} fc_geometry;

/* Output o of an axis reads inputs begin[o] + k * step for k < taps[o]; share[o] is the axis's
 * factor of the divisor. run[o] outputs from o on have equal taps and evenly spaced beginnings. */
typedef struct {
    const int64_t *begin, *taps, *share, *run;
    int64_t step, outputs, inputs;
} fc_axis;

typedef struct {
    fc_axis axis[3];
} fc_windows;

enum {
    FC_NONE, FC_RELU, FC_RELU6, FC_LEAKY_RELU, FC_SIGMOID, FC_TANH, FC_SILU, FC_GELU, FC_ACTIVATIONS
};

typedef struct {
    double p, volume; /* volume 0: the sum is not rescaled */
    int absolute;
} fc_norm;

/* A convolution's forward pass, or one phase of its input gradient, as a matrix product: the
 * weight, (channels, rows), times columns, (rows, positions), where a row is an input channel's
 * tap.
 *
 * Columns are not made. An input channel's lines are copied into a plane, padded; with stride s,
 * into a plane for each residue of lines and items by s, so that a tap's column is a plane read
 * from a constant offset on: output positions are counted along padded lines. Where too much falls
 * between two lines of the output, `gathered` columns are copied out of the planes after all. */
typedef struct {
    fc_geometry g;                     /* from the source to this phase of the target */
    int64_t first[3], step[3];         /* kernel element k is the weight's first + k * step */
    int64_t place[3], every[3];        /* output o is the target's place + o * every */
    int64_t images, lines, items;      /* a unit: images, or lines of an image, or part of a line */
    int64_t depth, blocks;             /* source channels at a time; tiles' heights in a unit */
    int64_t gathered, apart;           /* apart: tiles begin with lines, sums are finished */
    /* What follows is conv_layout's. */
    int64_t period[3], reach[3];       /* residues used per axis, and what is read beyond out */
    int64_t line, plane_lines, plane;  /* items of a padded line, lines and items of a plane */
    int64_t rows, width, packed, packed_at, units; /* bytes of the packed weight, and before */
    int64_t across, down, parts;       /* units: parts of a line, of a plane, of the channels */
    int64_t *offsets;                  /* depth * kernel of them, filled by conv_offsets */
} fc_product;

/* The types of fewer bits than a sum's: what an array's items are. Scratch memory has items of 32
 * bits, each of as many source channels as narrow_channels tells, and sums are float32, or int32 of
 * int8. */
#define FC_NARROW_TYPES(X) X(float16) X(bfloat16) X(int8)
#define FC_CODE(name) FC_NARROW_##name,
enum { FC_NARROW_TYPES(FC_CODE) FC_NARROW_COUNT };
#undef FC_CODE

/* What such a convolution has besides: source channels of a group, which items hold some of.
 *
 * Of int8, flips are xored to bytes of x and of the weight, so that x is unsigned and the weight
 * signed; x_zero is then what stands for 0 in x. `sums` are the packed weight's, of each target
 * channel, int32. With a multiplier for each, or one for all (step 0), the target has 8 bits:
 * sum * multiplier, rounded, plus y_zero, between low and high. */
typedef struct {
    int64_t sources, multiplier_step;
    uint32_t x_flip, weight_flip;
    int32_t x_zero, y_zero, low, high;
    const char *multiplier;
    char *sums;
    const char *w_zeros; /* int32, of each target channel or of all (step 0), or NULL: all 0 */
    int64_t w_zero_step;
} fc_narrow;

/* A turned convolution's unit: some lines of one plane of an image, or part of a line, and so many
 * vectors of target channels, for all products. It reads a box of the source, copied with its
 * padding: output o of every product reads items o * stride / every + 0 to reach of the box. */
typedef struct {
    int64_t lines, items, blocks;
    int64_t low[3], reach[3], every[3]; /* where the box of output 0 begins; steps in the source */
    int64_t line, plane, channel;       /* items of the box, to the next line, plane, channel */
    int64_t planes, down, across, parts, units;
} fc_turned;

enum { FC_PLANES, FC_PIXELS, FC_TRANSPOSED };

/* weight is (outputs, inputs per group, *kernel) of a forward convolution; with `transposed`,
 * source channels are its outputs. inner and channels are a group's source and target channels.
 * A tile's rows are target channels and its vectors positions, or, with `turned`, the other way
 * round: there tile_rows is a vector's lanes. With `streams`, results go past the caches; with
 * `gaps`, there are items of the target that no product fills.
 *
 * Over `pixels`, a tile has TILE_ROWS positions by tile_rows target channels, whole vectors.
 * Channels lie side by side in x and y, and are read and written where they are. There `gathered`
 * copies padded lines, so that a line's taps are one run of items, and takes all source channels
 * at once. FC_TRANSPOSED is for other arrays: lines are transposed as they are copied, and so are
 * sums. */
typedef struct {
    const fc_product *products;
    fc_turned box;
    fc_array x, y, weight;
    const char *bias;
    char *packed, *scratch;
    int64_t count, groups, inner, channels, bias_step, scratch_bytes;
    double parameter;
    int dtype, activation, transposed, turned, streams, gaps, pixels, tile_rows, tile_vectors;
    fc_narrow narrow;
} fc_conv;

/* The weight gradient of a convolution, weight being (groups * channels, inner channels, kernel of
 * three axes). A unit of work computes `channels` outputs by `inner` inputs of a group's weight,
 * over the boxes of one of `splits`; a box is box[0] x box[1] x box[2] outputs of `images` images.
 * Above one split, `sums` holds the sums of each. With
 * across_groups a unit computes all weights of a vector's lanes of input channels, and `channels`
 * is all that a group has.
 *
 * Items of narrow types may hold two positions. Then the halves of an axis, `mates`, are taken
 * together, 0 being images and 1 to 3 outputs: boxes are of the first half, each position with its
 * mate half of the axis away, and what is left over has boxes of its own. -1: there are none. */
typedef struct {
    fc_geometry g;
    fc_array x, y, weight;
    char *sums, *scratch;
    int64_t groups, channels, inner, images, box[3], splits;
    int dtype, across_groups, mates;
} fc_weight_grad;

/* What a weight gradient needs: `sums` once, `scratch` for every thread. */
typedef struct {
    int64_t sums, scratch;
} fc_grad_bytes;

/* A convolution by Winograd's algorithm, in float32. `up` is 1, or, for an input gradient, the
 * convolution's stride, 2 at most and 1 along the first axis; then `stride` is 1. Axes with either
 * have dilation 1, but for the first. `alpha` is how an axis is cut: 6 inputs for 4
 * outputs, 4 for 2, or 1 for 1. The weight is read by byte steps; where `packed` is
 * not NULL it holds winograd_weight's result and the weight is not read. Blocks of `width` tiles, a
 * multiple of a vector's lanes, are multiplied with `group` output channels at a time, a multiple
 * of a tile's rows. Where `inputs` is NULL, a unit of work is a block; otherwise all blocks are
 * transformed into it first, and a unit is a group of channels. Unless
 * `pixels` is 0, channels lie side by side in x and y, and vectors run along them: kernels are
 * packed in blocks of so many output channels, whole vectors of a tile of pixels; `group` is a
 * multiple of that. */
typedef struct {
    fc_array x, y;
    int64_t kernel[3], before[3], dilation[3], stride[3], up[3];
    int64_t groups, inner, channels; /* inner, channels: inputs and outputs of a group */
    const char *weight;
    int64_t w_group, w_channel, w_inner, w_tap[3];
    char *packed, *inputs, *scratch;
    const char *bias;
    int64_t width, group;
    double parameter;
    int alpha[2], activation; /* of the lines, and along a line */
    int64_t pixels;
    int half; /* of x, y and the weight as given, whose items have 2 bytes: FC_NARROW_float16... */
} fc_winograd;

/* The weight gradient of a convolution by Winograd's algorithm, in float32: tiles of
 * x and of y, the output's gradient, `width` at a time, a multiple of a vector's lanes, are
 * transformed into `inputs` and `grads`. A unit of work is a product of `range` output channels, a
 * multiple of a tile's rows, and `group` rows, a multiple of the lanes; it is transformed back and
 * added to `sums`. The tiles are cut into `splits`, each with sums of its own. With `panels` of
 * inputs and grads for each thread, a thread takes a split alone; with one, all share a split. Each
 * thread has winograd_grad_scratch. */
typedef struct {
    fc_array x, y, weight; /* weight: (groups * channels, inner, kernel) */
    int64_t kernel[3], before[3], dilation[3], stride[3];
    int64_t groups, inner, channels;
    char *inputs, *grads, *sums, *scratch;
    int64_t width, range, group, splits, panels;
    int alpha[2];
    int pixels; /* channels lie side by side in x and y: vectors run along them */
} fc_winograd_grad;

/* A depthwise convolution or one of its gradients: weight is (channels * multiplier, 1, kernel).
 * dtype is a floating one's code, or FC_DTYPE_COUNT more than a narrow one's; sums of 16-bit types
 * are float32. Bytes have no gradients; their sums, with weights less `w_zeros`, int32, w_zero_step
 * bytes apart, are exact while they have no more than 2^24 / 255^2 products. A
 * pass takes a band of one channel at a time; with `pixels`, where channels lie side by side in x
 * and y, a vector of channels. depthwise_plan fills what stands last from the rest, but for the
 * arrays' memory. The weight gradient's sums are (splits, channels * multiplier, kernel),
 * contiguous, each over its share of the images. */
enum { FC_FORWARD, FC_INPUT_GRAD, FC_WEIGHT_GRAD };
enum { FC_MOST_PHASES = 4 }; /* an input gradient's largest stride */

typedef struct {
    fc_geometry g;
    fc_array x, y, weight;
    const char *bias; /* may be NULL */
    char *sums, *table, *scratch;
    int64_t multiplier, splits, band_bytes;
    double parameter;
    int dtype, operation, activation, pixels;
    fc_narrow narrow; /* its flips, zero points and multiplier */
    const char *w_zeros; /* may be NULL */
    int64_t w_zero_step;
    int64_t table_bytes, scratch_bytes; /* scratch_bytes for each thread */
} fc_depthwise;

/* A pointwise convolution's forward pass or input gradient: positions lie side by side in x, the
 * source, and y, the target. The positions of `images` images at a time are counted as one line,
 * which is cut into panels, a tile's vectors wide. A unit of work is so many panels, at most
 * FC_MOST_PANELS, by so many blocks of tile_rows channels; it sums `depth` source channels at a
 * time. inner and channels are a group's. */
enum { FC_MOST_PANELS = 16 };

typedef struct {
    fc_array x, y, weight;
    const char *bias;
    char *packed, *scratch;
    int64_t groups, inner, channels, images, panels, blocks, depth, bias_step;
    double parameter;
    int dtype, activation, transposed, tile_rows, tile_vectors;
    /* What follows is pointwise_layout's: of an image; of a line; panels of a line; parts that the
     * blocks fall into. */
    int64_t positions, vectors, across, parts, units, packed_bytes, scratch_bytes;
    fc_narrow narrow;
} fc_pointwise;

/* The product c = a b of matrices, the last two of three axes, with a bias for each column of c and
 * an activation. Columns of c lie side by side. Each thread has scratch_bytes of scratch, which
 * product_scratch tells. */
typedef struct {
    fc_array a, b, c;
    const char *bias; /* or NULL */
    char *scratch;
    int64_t scratch_bytes;
    double parameter;
    int dtype, activation;
} fc_dense;

/* A linear layer of bytes, whose sums are exact: y = (x - x_zero) (weight - w_zeros)^T, all of them
 * matrices, the last two of three axes. Columns of y lie side by side; it has int32 sums, or bytes
 * where there is a multiplier. With `scales` it has float32: sums times the multiplier of their
 * column plus a bias, which is float32 then, else int32, activated. byte_layout tells the bytes of
 * the packed weight, of x's items, and of each thread's scratch. */
typedef struct {
    fc_array x, weight, y;
    const char *bias; /* or NULL */
    char *packed, *items, *scratch;
    char *scales_to; /* where the weight is float32 that is to be quantised: its columns' scales */
    int64_t bias_step, packed_bytes, items_bytes, scratch_bytes;
    double parameter;
    int activation, scales;
    fc_narrow narrow;
} fc_byte_dense;

/* Arrays are of FC_NARROW_float16 or FC_NARROW_bfloat16: kernels widen and round blocks of them,
 * for which each thread has `each` bytes. */
typedef struct {
    char *scratch;
    int64_t each;
    int dtype;
} fc_halves;

/* Numbers, (outer, channels, inner), each over its channel's scale plus its zero point, int32, to
 * bytes within [low, high]; or such bytes, or int32, back to numbers. dtype is the numbers', size
 * the bytes of what there is to read. Scales are float64 where numbers, or what there is to read,
 * have 64 bits or 32 of an integer, else float32. *nan becomes 1 where a quotient is NaN. */
#define FC_HALF(name) (FC_DTYPE_COUNT + FC_NARROW_##name)
typedef struct {
    const char *from, *scales, *zeros;
    char *to;
    int64_t outer, channels, inner, size;
    int32_t low, high;
    int dtype;
    int *nan;
} fc_quantizer;

/* int32 sums, (outer, channels, inner), to float32: times a factor and plus a bias for each
 * channel, activated. */
typedef struct {
    const char *sums, *factors, *bias;
    char *to;
    int64_t outer, channels, inner;
    double parameter;
    int activation;
} fc_rescaler;

/* One row per instruction-set level. The index kernels return the place (plane * elements of a
 * plane + element) of the first index outside its plane, or -1. */
typedef struct {
    void (*im2col)(const fc_geometry *, const fc_array *x, const fc_array *columns, int64_t n0,
                   int64_t r0, int64_t p0, int threads);
    void (*col2im)(const fc_geometry *, const fc_array *columns, const fc_array *x, int dtype,
                   int64_t n0, int64_t r0, int64_t p0, int threads);
    void (*scatter)(const fc_array *acc, const fc_array *y, int64_t n0, int64_t c0, int64_t p0,
                    int threads);
    void (*epilogue)(const fc_array *acc, int dtype, const char *bias, int activation,
                     double parameter, int threads);
    void (*max_forward)(const fc_windows *, const fc_array *x, const fc_array *y,
                        const fc_array *indices, int channels_inner, int dtype, int threads);
    void (*avg_forward)(const fc_windows *, const fc_array *x, const fc_array *y, int64_t divisor,
                        int dtype, int threads);
    void (*avg_backward)(const fc_windows *, const fc_array *grad, const fc_array *dx,
                         int64_t divisor, int dtype, int threads);
    void (*lp_forward)(const fc_windows *, const fc_array *x, const fc_array *y, const fc_norm *,
                       int dtype, int threads);
    void (*lp_backward)(const fc_windows *, const fc_array *grad, const fc_array *x,
                        const fc_array *y, const fc_array *dx, const fc_norm *, int dtype,
                        int threads);
    int64_t (*scatter_add)(const fc_array *grad, const fc_array *indices, const fc_array *dx,
                           int dtype, int clears, int threads);
    /* The same of 16-bit floats; of a gradient, dx begins as zeros. Bytes of scratch memory. */
    int64_t (*half_pool_scratch)(const fc_windows *, int backward);
    void (*half_max_forward)(const fc_windows *, const fc_array *x, const fc_array *y,
                             const fc_array *indices, int channels_inner, const fc_halves *,
                             int threads);
    void (*half_avg_forward)(const fc_windows *, const fc_array *x, const fc_array *y,
                             int64_t divisor, const fc_halves *, int threads);
    void (*half_avg_backward)(const fc_windows *, const fc_array *grad, const fc_array *dx,
                              int64_t divisor, const fc_halves *, int threads);
    void (*half_lp_forward)(const fc_windows *, const fc_array *x, const fc_array *y,
                            const fc_norm *, const fc_halves *, int threads);
    int64_t (*half_indexed_scratch)(int64_t channels, int64_t inputs, int64_t outputs);
    int64_t (*half_scatter_add)(const fc_array *grad, const fc_array *indices, const fc_array *dx,
                                const fc_halves *, int threads);
    int64_t (*unpool)(const fc_array *x, const fc_array *indices, const fc_array *y, int threads);
    /* `steps` multiply-adds of every sum that fits into the registers, on each thread and nothing
     * else: what this level can reach at best. Returns the operations done. */
    double (*peak)(int dtype, int64_t steps, int threads);
    int64_t (*gather)(const fc_array *y, const fc_array *indices, const fc_array *x, int threads);
    /* Completes a product; returns the bytes of scratch memory that a thread needs. */
    int64_t (*conv_layout)(const fc_conv *, fc_product *);
    int64_t (*conv_box)(fc_conv *); /* the same, of all products, where they are turned */
    void (*conv_offsets)(const fc_conv *, const fc_product *);
    void (*conv_pack)(const fc_conv *, int threads);
    void (*conv_run)(const fc_conv *, int threads);
    /* Most vectors of a tile so high, 0 if there is none. */
    int64_t (*conv_tile)(int64_t rows);
    void (*winograd_forward)(const fc_winograd *, int threads);
    int64_t (*winograd_weight)(const fc_winograd *, int threads); /* the bytes it takes */
    int64_t (*winograd_scratch)(const fc_winograd *); /* bytes of one thread */
    int64_t (*winograd_inputs)(const fc_winograd *);  /* bytes of all transformed inputs */
    int64_t (*winograd_tiles)(const fc_winograd *);
    int64_t (*winograd_depth)(const fc_winograd *); /* rows of the products' reduction */
    int64_t (*winograd_products)(const fc_winograd *); /* of a tile, input and output channel */
    void (*winograd_grad)(const fc_winograd_grad *, int threads);
    /* Bytes of a panel of inputs and one of grads, of all sums, and of a thread's scratch. */
    void (*winograd_grad_sizes)(const fc_winograd_grad *, int64_t *sizes);
    void (*weight_grad)(const fc_weight_grad *, int threads);
    fc_grad_bytes (*weight_grad_bytes)(const fc_weight_grad *);
    int64_t vector_bytes, tile_pixels;
    void (*bias_grad)(const fc_array *y, const fc_array *bias, int dtype, int half, char *sums,
                      int64_t splits, int threads);
    int64_t (*tile_rows)(void);
    int64_t (*tile_vectors)(void);
    int64_t (*tile_columns)(int dtype);
    void (*depthwise_plan)(fc_depthwise *);
    void (*depthwise)(const fc_depthwise *, int threads);
    void (*product)(const fc_dense *, int threads);
    int64_t (*product_scratch)(int dtype);
    void (*pointwise_layout)(fc_pointwise *);
    void (*pointwise_pack)(const fc_pointwise *, int threads);
    void (*pointwise_run)(const fc_pointwise *, int threads);
    /* Of lines of float32 or 16-bit numbers, side by side: the largest magnitude of each of a
     * line's parts, NaN where one is; how many parts those are; and fractions rounded by so many bits. */
    void (*reach)(const char *x, int dtype, int64_t rows, int64_t row, char *most,
                  int threads);
    int64_t (*reach_parts)(int64_t rows, int64_t row);
    void (*drop_bits)(char *values, int64_t n, int bits, int threads);
    void (*quantize)(const fc_quantizer *, int threads);
    void (*dequantize)(const fc_quantizer *, int threads);
    void (*rescale)(const fc_rescaler *, int threads);
} fc_kernels;

/* Products of narrow types: as fc_kernels' functions of these names, dtype being one of
 * FC_NARROW_TYPES. A level may have these alone, and share all else with a lower one. */
typedef struct {
    int64_t (*channels)(int dtype); /* source channels of an item */
    int notes_overflow; /* whether rounding to float16 sets the processor's flag; see overflow.h */
    int64_t (*conv_layout)(const fc_conv *, fc_product *);
    int64_t (*conv_box)(fc_conv *);
    void (*conv_offsets)(const fc_conv *, const fc_product *);
    void (*conv_pack)(const fc_conv *, int threads);
    void (*conv_run)(const fc_conv *, int threads);
    void (*pointwise_layout)(fc_pointwise *);
    void (*pointwise_pack)(const fc_pointwise *, int threads);
    void (*pointwise_run)(const fc_pointwise *, int threads);
    void (*product)(const fc_dense *, int threads);
    int64_t (*product_scratch)(int dtype);
    void (*weight_grad)(const fc_weight_grad *, int threads);
    fc_grad_bytes (*weight_grad_bytes)(const fc_weight_grad *);
    /* n items side by side, float16 or bfloat16 to float32, or, unless `widens`, back. */
    void (*convert)(int dtype, const char *from, char *to, int64_t n, int widens, int threads);
    void (*byte_layout)(fc_byte_dense *);
    void (*byte_pack)(const fc_byte_dense *, int threads);
    void (*byte_run)(const fc_byte_dense *, int threads);
} fc_narrow_kernels;

/* isa.c */
typedef struct {
    const char *name;
    const fc_kernels *kernels; /* NULL: this build's compiler could not make them */
    const fc_narrow_kernels *narrow;
    int (*supported)(void);
} fc_level;

extern const fc_level fc_levels[];
extern const int fc_level_count;
int fc_level_built(int level);
int fc_level_usable(int level);
int fc_level_active(void);     /* -1: this processor is below the lowest level */
void fc_level_set(int level);
const fc_kernels *fc_active(void);
const fc_narrow_kernels *fc_active_narrow(void);

/* shares.c */
enum { FC_MAX_THREADS = 256, FC_CACHE_LINE = 64 };

typedef struct {
    /* What is left, in grains: the first in the upper half, the one past the last in the lower. */
    _Alignas(FC_CACHE_LINE) _Atomic uint64_t left;
} fc_share;

typedef struct {
    int64_t count, grain;
    int slots;
    fc_share share[FC_MAX_THREADS];
} fc_shares;

void fc_share_out(fc_shares *shares, int64_t count, int64_t grain, int slots);
int fc_next_range(fc_shares *shares, int slot, int64_t *begin, int64_t *end);

/* threads.c */
typedef void (*fc_body)(void *context, int64_t begin, int64_t end);
typedef void (*fc_slot_body)(void *context, int slot, fc_shares *left);
void fc_parallel_for(fc_body body, void *context, int64_t count, int64_t grain, int threads);
void fc_parallel_slots(fc_slot_body body, void *context, int64_t count, int64_t grain, int threads);
int fc_pool_threads(void);

/* memory.c */
char *fc_memory_take(int64_t size);
void fc_memory_give(char *data, int64_t size);
void fc_memory_bound(int64_t bytes);
void fc_memory_release(void);
int64_t fc_memory_idle(void);

/* windows.c */
void fc_window_runs(const int64_t *begin, const int64_t *taps, int64_t outputs, int64_t *run);

#endif
