/* The arithmetic of the default engine that takes most of its time: products of 8-bit activations and weights, and the
 * filters of the segmentation. It is compiled once per set of instructions (variants.py); library.py chooses one at run
 * time, and describes the arrays and their shapes. Nothing here allocates, and nothing reads the bytes of a file.
 *
 * Sums of 8-bit products are exact in every variant. All floating-point operations have the same order in all of them
 * (hence -ffp-contract=off), so the result does not depend on the processor, bit by bit.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>
#else
#error "no instructions for products of 8-bit numbers"
#endif

/* A vector has LANES sums. */
#if defined(__AVX512BW__)
#define LANES 16
#define NARROW_ROWS 12
#define WIDE_ROWS 6
#define WIDE_VECTORS 4
typedef __m512i vector;
static inline vector loaded(const void *from) { return _mm512_loadu_si512(from); }
static inline void stored(int32_t *to, vector sums) { _mm512_storeu_si512(to, sums); }
static inline vector repeated(int32_t bits) { return _mm512_set1_epi32(bits); }
#elif defined(__AVX2__)
#define LANES 8
#define NARROW_ROWS 6
#define WIDE_ROWS 6
#define WIDE_VECTORS 2
typedef __m256i vector;
static inline vector loaded(const void *from) { return _mm256_loadu_si256(from); }
static inline void stored(int32_t *to, vector sums) { _mm256_storeu_si256((void *)to, sums); }
static inline vector repeated(int32_t bits) { return _mm256_set1_epi32(bits); }
#else
#define LANES 4
#define NARROW_ROWS 6
#define WIDE_ROWS 6
#define WIDE_VECTORS 4
typedef int32x4_t vector;
static inline vector loaded(const void *from) { return vld1q_s32(from); }
static inline void stored(int32_t *to, vector sums) { vst1q_s32(to, sums); }
static inline vector repeated(int32_t bits) { return vdupq_n_s32(bits); }
#endif

/* dot() adds to each sum the products of DEPTH activations and DEPTH weights. Without instructions for sums of four 8-bit
 * products, activations and weights are widened to 16 bits: instructions that add products of 8 bits in 16 bits would
 * saturate. */
#if defined(__AVX512VNNI__)
#define DEPTH 4
static inline vector dot(vector sum, vector many, vector weights) { return _mm512_dpbusd_epi32(sum, many, weights); }
#elif defined(__AVX512BW__)
#define DEPTH 2
static inline vector dot(vector sum, vector many, vector weights) {
    return _mm512_add_epi32(sum, _mm512_madd_epi16(many, weights));
}
#elif defined(__AVXVNNI__)
#define DEPTH 4
static inline vector dot(vector sum, vector many, vector weights) {
    return _mm256_dpbusd_avx_epi32(sum, many, weights);
}
#elif defined(__AVX2__)
#define DEPTH 2
static inline vector dot(vector sum, vector many, vector weights) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(many, weights));
}
#else
#define DEPTH 4
#define SIGNED /* activations less 128; 128 times the sum of the weights is in `start` */
static inline vector dot(vector sum, vector many, vector weights) {
    int8x16_t shifted = vreinterpretq_s8_u8(veorq_u8(vreinterpretq_u8_s32(many), vdupq_n_u8(0x80)));
    return vdotq_s32(sum, vreinterpretq_s8_s32(weights), shifted);
}
#endif

#if DEPTH == 4
typedef int8_t weight;
typedef uint8_t activation;
#else
typedef int16_t weight;
typedef uint16_t activation;
#endif

#define MOST_ROWS 12
#define MOST_VECTORS 4
#define RECURRENT_VECTORS 4 /* with one or two rows, more sums side by side */
#define MOST_COLUMNS 64
#define MOST_TAPS 64
#define MOST_DEPTH 2048 /* activations of a row, all taps together */
#define ALWAYS static inline __attribute__((always_inline))

enum { SEGMENT = 100 }; /* rows with one gate */

/* See library.py, class _Product: the members have the same order. */
typedef struct {
    const uint8_t *input;
    int64_t outer, rows, input_outer, input_row;
    const int64_t *taps;
    int64_t tap_count, depth, columns;
    const weight *weights;
    const int32_t *start;
    const float *scale, *offset;
    const uint8_t *residual;
    float residual_scale, residual_zero;
    const float *gate;
    uint8_t *bytes;
    float *floats;
    int64_t output_outer, output_row;
} product;

int64_t parley_source(void) { return PARLEY_SOURCE; } /* CRC-32 of this file, from hatch_build.py */
int64_t parley_depth(void) { return DEPTH; }
int64_t parley_block(int64_t columns) { return columns <= 2 * LANES ? columns : LANES * WIDE_VECTORS; }
int64_t parley_recurrent_block(void) { return LANES * RECURRENT_VECTORS; }
int64_t parley_signed(void) {
#ifdef SIGNED
    return 1;
#else
    return 0;
#endif
}

/* Nearest integer, halves to even, of a number from 0 to 255. Adding two to the power of 23 leaves it in the mantissa. */
ALWAYS uint8_t nearest(float value) {
    value = value > 0.0f ? value : 0.0f;
    value = (value < 255.0f ? value : 255.0f) + 8388608.0f;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint8_t)bits;
}

ALWAYS void rounded(const float *restrict values, uint8_t *restrict bytes, const int width) {
#if LANES == 16
    for (int n = 0; n < width; n += LANES) {
        __m512i whole = _mm512_cvtps_epi32(_mm512_max_ps(_mm512_loadu_ps(values + n), _mm512_setzero_ps()));
        _mm_storeu_si128((void *)(bytes + n), _mm512_cvtusepi32_epi8(whole));
    }
#elif LANES == 8
    for (int n = 0; n < width; n += LANES) {
        __m256 least = _mm256_min_ps(_mm256_max_ps(_mm256_loadu_ps(values + n), _mm256_setzero_ps()), _mm256_set1_ps(255));
        __m256i whole = _mm256_cvtps_epi32(least);
        __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
        _mm_storel_epi64((void *)(bytes + n), _mm_packus_epi16(words, words));
    }
#else
    for (int n = 0; n < width; n++) bytes[n] = nearest(values[n]);
#endif
}

/* Sums of products for `height` rows and `width` vectors of columns. */
ALWAYS void tile(const product *p, const activation *input, int64_t row, const int64_t *taps, const weight *weights,
                 const int32_t *start, int32_t *sums, const int height, const int width) {
    vector sum[MOST_ROWS][MOST_VECTORS];
    for (int r = 0; r < height; r++)
        for (int v = 0; v < width; v++) sum[r][v] = loaded(start + v * LANES);
    for (int64_t tap = 0; tap < p->tap_count; tap++) {
        const activation *at = input + taps[tap];
        for (int64_t k = 0; k < p->depth; k += DEPTH) {
            vector w[MOST_VECTORS];
            for (int v = 0; v < width; v++, weights += LANES * DEPTH) w[v] = loaded(weights);
            for (int r = 0; r < height; r++) {
                int32_t bits;
                memcpy(&bits, at + r * row + k, sizeof bits);
                for (int v = 0; v < width; v++) sum[r][v] = dot(sum[r][v], repeated(bits), w[v]);
            }
        }
    }
    for (int r = 0; r < height; r++)
        for (int v = 0; v < width; v++) stored(sums + (r * width + v) * LANES, sum[r][v]);
}

/* What follows the sums of some rows: scale and offset per column, residual, gate, and the rectifier of bytes. */
ALWAYS void finish(const product *p, int64_t outer, int64_t row, int64_t height, int64_t column, const int width,
                   const int32_t *sums) {
    const float *scale = p->scale + column, *offset = p->offset + column;
    for (int64_t r = 0; r < height; r++, sums += width) {
        int64_t at = outer * p->output_outer + (row + r) * p->output_row + column;
        float values[MOST_COLUMNS];
        for (int n = 0; n < width; n++) values[n] = (float)sums[n] * scale[n] + offset[n];
        if (p->residual) {
            const uint8_t *residual = p->residual + at;
            const float zero = p->residual_zero, by = p->residual_scale;
            for (int n = 0; n < width; n++) values[n] += ((float)residual[n] - zero) * by;
        }
        if (p->gate) {
            const float *gate = p->gate + (row + r) / SEGMENT * p->columns + column;
            for (int n = 0; n < width; n++) values[n] *= gate[n];
        }
        if (p->bytes)
            rounded(values, p->bytes + at, width);
        else
            memcpy(p->floats + at, values, sizeof(float) * (size_t)width);
    }
}

/* All columns of `height` rows from `row` on. */
ALWAYS void rows_of(const product *p, int64_t outer, int64_t row, const int height, const int width) {
    const uint8_t *input = p->input + outer * p->input_outer + row * p->input_row;
    int32_t sums[MOST_ROWS * MOST_COLUMNS];
#if DEPTH == 2
    activation wide[MOST_ROWS * MOST_DEPTH];
    int64_t places[MOST_TAPS], step = p->tap_count * p->depth;
    for (int64_t tap = 0; tap < p->tap_count; tap++) {
        places[tap] = tap * p->depth;
        for (int r = 0; r < height; r++) {
            const uint8_t *from = input + p->taps[tap] + r * p->input_row;
            for (int64_t k = 0; k < p->depth; k++) wide[r * step + places[tap] + k] = from[k];
        }
    }
#else
    const uint8_t *wide = input;
    const int64_t *places = p->taps, step = p->input_row;
#endif
    const weight *weights = p->weights;
    for (int64_t column = 0; column < p->columns; column += width * LANES) {
        tile(p, wide, step, places, weights, p->start + column, sums, height, width);
        finish(p, outer, row, height, column, width * LANES, sums);
        weights += p->tap_count * p->depth * width * LANES;
    }
}

ALWAYS void all_rows(const product *p, const int height, const int width) {
    for (int64_t outer = 0; outer < p->outer; outer++) {
        int64_t row = 0;
        for (; row + height <= p->rows; row += height) rows_of(p, outer, row, height, width);
        for (; row < p->rows; row++) rows_of(p, outer, row, 1, width);
    }
}

void parley_product(const product *p) {
    if (p->columns <= 2 * LANES) all_rows(p, NARROW_ROWS, 2);
    else all_rows(p, WIDE_ROWS, WIDE_VECTORS);
}

/* Bytes of rows of floats: times scale, plus offset, rectified. */
void parley_rectified(const float *restrict input, int64_t rows, int64_t input_row, int64_t columns,
                      const float *restrict scale, const float *restrict offset, uint8_t *restrict output,
                      int64_t output_row) {
    for (int64_t row = 0; row < rows; row++, input += input_row, output += output_row)
        for (int64_t n = 0; n < columns; n++) output[n] = nearest(input[n] * scale[n] + offset[n]);
}

/* Sums of each column over each SEGMENT of rows. */
void parley_segment_sums(const uint8_t *input, int64_t segments, int64_t columns, int32_t *sums) {
    memset(sums, 0, sizeof *sums * (size_t)(segments * columns));
    for (int64_t segment = 0; segment < segments; segment++, sums += columns)
        for (int64_t row = 0; row < SEGMENT; row++, input += columns)
            for (int64_t n = 0; n < columns; n++) sums[n] += input[n];
}

/* A convolution of 3 by 3 with one input channel and 32 output channels, to bytes, rectified. The input has a border. */
enum { FIRST_CHANNELS = 32, FIRST_TAPS = 9 };
void parley_first_layer(const float *input, int64_t times, int64_t bands, const float *weights, const float *offset,
                        uint8_t *output, int64_t output_band) {
    for (int64_t band = 0; band < bands; band++, output += output_band) {
        uint8_t *to = output;
        for (int64_t time = 0; time < times; time++, to += FIRST_CHANNELS) {
            float values[FIRST_CHANNELS];
            memcpy(values, offset, sizeof values);
#pragma GCC unroll 9
            for (int tap = 0; tap < FIRST_TAPS; tap++) {
                float one = input[(time + tap % 3) * (bands + 2) + band + tap / 3];
                for (int n = 0; n < FIRST_CHANNELS; n++) values[n] += one * weights[tap * FIRST_CHANNELS + n];
            }
            rounded(values, to, FIRST_CHANNELS);
        }
    }
}

/* The filters of the segmentation, 40 symmetric and 40 antisymmetric ones of 251 samples, every 10 samples. The weights
 * have 48 columns, of which the last 8 are zero. Halves of the input are added, or subtracted, before the products. */
enum { HOP = 10, TAPS = 251, HALF = 125, FILTERS = 40, PADDED = 48, FILTER_VECTORS = 3 };
#if LANES == 16
typedef __m512 real;
enum { FILTER_ROWS = 8 };
static inline real multiplied(float one, const float *many, real sum) {
    return _mm512_fmadd_ps(_mm512_set1_ps(one), _mm512_loadu_ps(many), sum);
}
#elif LANES == 8
typedef __m256 real;
enum { FILTER_ROWS = 4 };
static inline real multiplied(float one, const float *many, real sum) {
    return _mm256_fmadd_ps(_mm256_set1_ps(one), _mm256_loadu_ps(many), sum);
}
#else
typedef float32x4_t real;
enum { FILTER_ROWS = 8 };
static inline real multiplied(float one, const float *many, real sum) { return vfmaq_n_f32(sum, vld1q_f32(many), one); }
#endif

ALWAYS void filtered(const float (*many)[HALF + 1], const float *weights, int64_t taps, float *output) {
    enum { WIDTH = FILTER_VECTORS * LANES };
    for (int column = 0; column < FILTERS; column += WIDTH) {
        real sum[FILTER_ROWS][FILTER_VECTORS] = {0};
        const float *at = weights + column;
        for (int64_t k = 0; k < taps; k++, at += PADDED)
            for (int r = 0; r < FILTER_ROWS; r++)
                for (int v = 0; v < FILTER_VECTORS; v++)
                    sum[r][v] = multiplied(many[r][k], at + v * LANES, sum[r][v]);
        const int width = column + WIDTH < FILTERS ? WIDTH : FILTERS - column;
        for (int r = 0; r < FILTER_ROWS; r++)
            memcpy(output + r * 2 * FILTERS + column, sum[r], sizeof(float) * (size_t)width);
    }
}

void parley_filters(const float *samples, int64_t outputs, const float *symmetric, const float *antisymmetric,
                    float *output) {
    for (int64_t first = 0; first < outputs; first += FILTER_ROWS) {
        if (first + FILTER_ROWS > outputs) first = outputs - FILTER_ROWS; /* some are computed twice */
        float added[FILTER_ROWS][HALF + 1], subtracted[FILTER_ROWS][HALF + 1];
        for (int r = 0; r < FILTER_ROWS; r++) {
            const float *from = samples + (first + r) * HOP;
            for (int k = 0; k <= HALF; k++) {
                added[r][k] = from[k] + from[TAPS - 1 - k];
                subtracted[r][k] = from[k] - from[TAPS - 1 - k];
            }
        }
        float *to = output + first * 2 * FILTERS;
        filtered((const float(*)[HALF + 1])added, symmetric, HALF + 1, to);
        filtered((const float(*)[HALF + 1])subtracted, antisymmetric, HALF, to + FILTERS);
    }
}

/* Greatest magnitude of three outputs of each filter, plus shift, times gain. */
void parley_pool(const float *outputs, int64_t pooled, const float *restrict shift, float gain,
                 float *restrict output) {
    enum { CHANNELS = 2 * FILTERS };
    for (int64_t at = 0; at < pooled; at++, outputs += 3 * CHANNELS, output += CHANNELS)
        for (int n = 0; n < CHANNELS; n++) {
            float a = __builtin_fabsf(outputs[n] + shift[n]);
            float b = __builtin_fabsf(outputs[CHANNELS + n] + shift[n]);
            float c = __builtin_fabsf(outputs[2 * CHANNELS + n] + shift[n]);
            float most = a > b ? a : b;
            output[n] = (most > c ? most : c) * gain;
        }
}

/* Rows of columns, each column to mean 0 and variance 1, times weight, plus offset; what is negative then, times 0.01. */
enum { MOST_CHANNELS = 80 };
void parley_normalised(float *restrict values, int64_t rows, int64_t columns, const float *restrict weight,
                       const float *restrict offset) {
    double mean[MOST_CHANNELS] = {0}, square[MOST_CHANNELS] = {0};
    const float *from = values;
    for (int64_t row = 0; row < rows; row++, from += columns)
        for (int64_t n = 0; n < columns; n++) mean[n] += from[n];
    for (int64_t n = 0; n < columns; n++) mean[n] /= (double)rows;
    from = values;
    for (int64_t row = 0; row < rows; row++, from += columns)
        for (int64_t n = 0; n < columns; n++) square[n] += (from[n] - mean[n]) * (from[n] - mean[n]);
    float scale[MOST_CHANNELS], shift[MOST_CHANNELS];
    for (int64_t n = 0; n < columns; n++) {
        double by = weight[n] / __builtin_sqrt(square[n] / (double)rows + 1e-5);
        scale[n] = (float)by;
        shift[n] = (float)(offset[n] - mean[n] * by);
    }
    for (int64_t row = 0; row < rows; row++, values += columns)
        for (int64_t n = 0; n < columns; n++) {
            float value = values[n] * scale[n] + shift[n];
            values[n] = value > 0.0f ? value : value * 0.01f;
        }
}

/* A convolution of five rows, of which the greatest of three outputs counts. The weights have 64 columns, of which the
 * last four are zero: output rows have 60. */
enum { POOLED_ROWS = 2, CONVOLVED = 60, CONVOLVED_PADDED = 64, POOL = 3, CONVOLVED_VECTORS = LANES == 4 ? 4 : 2 };
void parley_convolved(const float *input, int64_t pooled, int64_t columns, const float *weights, const float *offset,
                      float *output) {
    enum { ROWS = POOLED_ROWS * POOL, WIDTH = CONVOLVED_VECTORS * LANES };
    int64_t taps = 5 * columns;
    for (int64_t first = 0; first < pooled; first += POOLED_ROWS) {
        if (first + POOLED_ROWS > pooled) first = pooled - POOLED_ROWS; /* one is computed twice */
        const float *from = input + first * POOL * columns;
        float sums[ROWS][CONVOLVED_PADDED];
        for (int column = 0; column < CONVOLVED_PADDED; column += WIDTH) {
            real sum[ROWS][CONVOLVED_VECTORS] = {0};
            const float *at = weights + column;
            for (int64_t k = 0; k < taps; k++, at += CONVOLVED_PADDED)
                for (int r = 0; r < ROWS; r++)
                    for (int v = 0; v < CONVOLVED_VECTORS; v++)
                        sum[r][v] = multiplied(from[r * columns + k], at + v * LANES, sum[r][v]);
            for (int r = 0; r < ROWS; r++) memcpy(sums[r] + column, sum[r], sizeof sum[r]);
        }
        for (int p = 0; p < POOLED_ROWS; p++)
            for (int n = 0; n < CONVOLVED; n++) {
                float a = sums[POOL * p][n], b = sums[POOL * p + 1][n], c = sums[POOL * p + 2][n];
                float most = a > b ? a : b;
                output[(first + p) * CONVOLVED + n] = (most > c ? most : c) + offset[n];
            }
    }
}

/* tanh as a fraction of polynomials, as in Eigen (ptanh): exact to 6 units in the last place. */
ALWAYS float tanh_of(float x) {
    x = x > -7.9f ? x : -7.9f;
    x = x < 7.9f ? x : 7.9f;
    float y = x * x;
    float above = -2.76076847742355e-16f;
    above = above * y + 2.00018790482477e-13f;
    above = above * y - 8.60467152213735e-11f;
    above = above * y + 5.12229709037114e-08f;
    above = above * y + 1.48572235717979e-05f;
    above = above * y + 6.37261928875436e-04f;
    above = above * y + 4.89352455891786e-03f;
    float below = 1.19825839466702e-06f;
    below = below * y + 1.18534705686654e-04f;
    below = below * y + 2.26843463243900e-03f;
    below = below * y + 4.89352518554385e-03f;
    return x * above / below;
}

ALWAYS float logistic_of(float x) { return 0.5f * tanh_of(0.5f * x) + 0.5f; }

/* One direction of a layer of an LSTM with 128 units, for `batch` recordings side by side. Its outputs are between -1
 * and 1: as bytes they are multiplied by 127, and 128 is added. `input` has the products of the layer's inputs and the
 * bias, gates in the order input, output, forget, cell; a row of it has 1,024 numbers, one of the output 256. */
enum { UNITS = 128, GATES = 4 * UNITS, INPUT_ROW = 2 * GATES, OUTPUT_ROW = 2 * UNITS, MOST_BATCH = 2 };

ALWAYS void gated(const float *restrict input, const int32_t *restrict sums, const float *restrict scale,
                  float *restrict cell, float *restrict output) {
    for (int n = 0; n < UNITS; n++) {
        float in = logistic_of(input[n] + (float)sums[n] * scale[n]);
        float out = logistic_of(input[UNITS + n] + (float)sums[UNITS + n] * scale[UNITS + n]);
        float forget = logistic_of(input[2 * UNITS + n] + (float)sums[2 * UNITS + n] * scale[2 * UNITS + n]);
        float candidate = tanh_of(input[3 * UNITS + n] + (float)sums[3 * UNITS + n] * scale[3 * UNITS + n]);
        cell[n] = forget * cell[n] + in * candidate;
        output[n] = out * tanh_of(cell[n]);
    }
}

ALWAYS void lstm_steps(const float *input, int64_t times, const product *p, const float *scale, int64_t backwards,
                       uint8_t *bytes, float *floats, const int batch) {
    float cell[MOST_BATCH][UNITS] = {{0}}, output[MOST_BATCH][UNITS];
    activation now[MOST_BATCH][UNITS];
    for (int b = 0; b < batch; b++)
        for (int n = 0; n < UNITS; n++) now[b][n] = 128;
    const int64_t tap = 0;
    for (int64_t step = 0; step < times; step++) {
        int64_t time = backwards ? times - 1 - step : step;
        enum { WIDTH = LANES * RECURRENT_VECTORS };
        int32_t found[MOST_BATCH][WIDTH], sums[MOST_BATCH][GATES];
        for (int part = 0; part < GATES / WIDTH; part++) {
            const weight *weights = p->weights + part * WIDTH * UNITS;
            tile(p, now[0], UNITS, &tap, weights, p->start + part * WIDTH, found[0], batch, RECURRENT_VECTORS);
            for (int b = 0; b < batch; b++) memcpy(sums[b] + part * WIDTH, found[b], sizeof found[b]);
        }
        for (int b = 0; b < batch; b++) {
            int64_t at = (time * batch + b) * OUTPUT_ROW;
            float steps[UNITS];
            uint8_t made[UNITS];
            gated(input + (time * batch + b) * INPUT_ROW, sums[b], scale, cell[b], output[b]);
            for (int n = 0; n < UNITS; n++) steps[n] = output[b][n] * 127.0f + 128.0f;
            rounded(steps, made, UNITS);
            for (int n = 0; n < UNITS; n++) now[b][n] = made[n];
            memcpy(bytes + at, made, sizeof made);
            if (floats) memcpy(floats + at, output[b], sizeof output[b]);
        }
    }
}

void parley_lstm(const float *input, int64_t times, int64_t batch, const weight *weights, const int32_t *start,
                 const float *scale, int64_t backwards, uint8_t *bytes, float *floats) {
    product p = {.tap_count = 1, .depth = UNITS, .weights = weights, .start = start};
    if (batch == 1) lstm_steps(input, times, &p, scale, backwards, bytes, floats, 1);
    else lstm_steps(input, times, &p, scale, backwards, bytes, floats, 2);
}
