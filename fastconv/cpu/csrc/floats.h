/* What the templates of products ask of a type, for float32 and float64: an item of scratch memory
 * is one number, and so is an item of any array. narrow.h answers for types of fewer bits. */
#ifndef FC_FLOATS_H
#define FC_FLOATS_H

/* Bytes of an item of scratch memory, and source channels of a group, of a convolution. */
#define FC_ITEM(c) ((c)->x.size)
#define FC_SOURCES(c) ((c)->inner)

/* Items of scratch memory as they lie there, the source channels of one, what stands for padding,
 * and what runs a unit. */
#define FC_SCRATCH FC_T
#define FC_CHANNELS 1
#define FC_OUTSIDE(c) 0
#define FC_PIXEL_BYTES(c, p) pixel_bytes(c, p)
#define FC_UNIT(c) ((c)->pixels ? FC_N(pixel_unit) : FC_N(convolve_unit))

/* Whether tiles may go straight to the target, and do so in fewer bits than sums have. */
#define FC_DIRECT(c) 1
#define FC_NARROW_STORES 0
#define FC_TILE_FINISH(c, channel, rows)
#define FC_HAS_WINDOWS(c) 0 /* of bytes alone */

/* A vector of equal items; an item as a factor; products added to sums. */
#define FC_VECTOR(v) ((v) - (FC_N(vector)){0})
#define FC_FACTOR(v) (v)
#define FC_ADD_PRODUCTS(sums, source, weight) ((sums) + (source) * (weight))

/* Vector j of a row of items of a dense product's right operand, out of the array itself. */
#define FC_RIGHT_ITEMS(b, j, next) ((void)(next), *(const FC_N(dense) *)((b) + (j) * VECTOR_BYTES))

/* Items of a line of `some` source channels, `step` bytes apart; those of a later line are asked
 * for; items of a row, and whatever fills the last vector. */
#define FC_MOVES 1 /* items are scratch memory's */
#define FC_TAKE(c, to, from, step, n, some) ((void)(some), FC_N(take_items)(to, from, step, n))
/* Whether all source channels' lines are filled at once: those that lie side by side. */
#define FC_TURNS(c) 0
#define FC_TURN(c, to, pitch, from, step, n) (void)0
#define FC_TURN_PLANES(c, u, c0, depth, to) (void)0
#define FC_AHEAD(c, from, bytes) FC_N(prefetch)((from) + CHANNELS_AHEAD * (c)->x.stride[1], bytes)
#define FC_TAKE_ROW(p, to, from, n, some) ((void)(some), FC_N(take_row)(to, from, n))

/* What a target channel's sums start from, and what becomes of them: rows of channels, or vectors
 * of channels of each pixel. */
#define FC_START(c, channel)                                                                       \
    ((c)->bias == NULL ? 0 : *(const FC_T *)((c)->bias + (channel) * (c)->bias_step))
#define FC_FINISH_ROWS(c, channel, rows, width, sums)                                              \
    FC_N(activate_sums)((c)->activation, (c)->parameter, sums, (rows) * (width))
#define FC_FINISH_LANES(c, group, channel, vectors, pixels, sums)                                  \
    ((void)(group), FC_N(activate_sums)((c)->activation, (c)->parameter, sums,                     \
                                        (vectors) * (pixels) * FC_N(LANES)))

#endif
