// What cuDNN has no operation for, or another one than Caffe's. NVRTC compiles this once a process.
//
// Sums are cut by the shapes alone and added in a fixed order, as everywhere in `nn`.

// The sizes of a pooling, as `PoolAxes` has them.
struct Windows {
    int height, width, rows, columns;
    int kernel_y, kernel_x, stride_y, stride_x, pad_y, pad_x;
};

// A solver's rule with its numbers; `kind` counts the variants of `Rule`.
struct Solver {
    int kind, l1;
    float rate, decay, scale, past, past2, delta;
};

static __device__ unsigned position() {
    return blockIdx.x * blockDim.x + threadIdx.x;
}

extern "C" __global__ void relu(const float *x, float *y, float slope, unsigned count) {
    unsigned i = position();
    if (i >= count) return;
    // Not 0·x, which is NaN for an infinite x. A NaN is not below 0 and stays.
    if (x[i] <= 0.0f) y[i] = slope == 0.0f ? 0.0f : slope * x[i];
    else y[i] = x[i];
}

extern "C" __global__ void relu_backward(const float *x, const float *dy, float *dx, float slope,
                                         unsigned count) {
    unsigned i = position();
    if (i >= count) return;
    if (x[i] <= 0.0f) dx[i] = slope == 0.0f ? 0.0f : slope * dy[i];
    else dx[i] = dy[i];
}

// One thread for each window. The first of equal maxima counts; a NaN is larger than all.
extern "C" __global__ void max_pool(const float *x, float *y, unsigned *indices, Windows p,
                                    unsigned count) {
    unsigned i = position();
    if (i >= count) return;
    int column = i % p.columns, row = i / p.columns % p.rows;
    x += (size_t)(i / p.columns / p.rows) * p.height * p.width;
    int top = max(row * p.stride_y - p.pad_y, 0), left = max(column * p.stride_x - p.pad_x, 0);
    int bottom = min(row * p.stride_y - p.pad_y + p.kernel_y, p.height);
    int right = min(column * p.stride_x - p.pad_x + p.kernel_x, p.width);
    int at = top * p.width + left;
    float best = x[at];
    for (int iy = top; iy < bottom; iy++) {
        for (int ix = left; ix < right; ix++) {
            float value = x[iy * p.width + ix];
            if (value > best || value != value) {
                best = value;
                at = iy * p.width + ix;
            }
        }
    }
    y[i] = best;
    indices[i] = at;
}

// One block for each plane, one row of windows after the other. Windows of a row that name the
// same pixel are neighbours: the first of them adds up all, so that the order is always the same.
// An index outside of the plane makes the plane's first pixel NaN.
extern "C" __global__ void max_pool_backward(const float *dy, const unsigned *indices, float *dx,
                                             int rows, int columns, int plane) {
    dy += (size_t)blockIdx.x * rows * columns;
    indices += (size_t)blockIdx.x * rows * columns;
    dx += (size_t)blockIdx.x * plane;
    for (int i = threadIdx.x; i < plane; i += blockDim.x) dx[i] = 0.0f;
    __syncthreads();
    for (int row = 0; row < rows; row++) {
        for (int column = threadIdx.x; column < columns; column += blockDim.x) {
            unsigned at = indices[column];
            if (column > 0 && indices[column - 1] == at) continue;
            float sum = dy[column];
            for (int next = column + 1; next < columns && indices[next] == at; next++) {
                sum += dy[next];
            }
            bool inside = at < (unsigned)plane;
            atomicAdd(dx + (inside ? at : 0), inside ? sum : __int_as_float(0x7fffffff));
        }
        dy += columns;
        indices += columns;
        __syncthreads();
    }
}

// Caffe's divisor: what the window covers of the padded image, in one axis.
static __device__ int covered(int window, int size, int kernel, int stride, int pad) {
    int start = window * stride;
    return min(start + kernel, size + 2 * pad) - start;
}

static __device__ float share(Windows p, int row, int column) {
    return 1.0f / (covered(row, p.height, p.kernel_y, p.stride_y, p.pad_y) *
                   covered(column, p.width, p.kernel_x, p.stride_x, p.pad_x));
}

// One thread for each window.
extern "C" __global__ void average_pool(const float *x, float *y, Windows p, unsigned count) {
    unsigned i = position();
    if (i >= count) return;
    int column = i % p.columns, row = i / p.columns % p.rows;
    x += (size_t)(i / p.columns / p.rows) * p.height * p.width;
    int top = max(row * p.stride_y - p.pad_y, 0), left = max(column * p.stride_x - p.pad_x, 0);
    int bottom = min(row * p.stride_y - p.pad_y + p.kernel_y, p.height);
    int right = min(column * p.stride_x - p.pad_x + p.kernel_x, p.width);
    float sum = 0.0f;
    for (int iy = top; iy < bottom; iy++) {
        for (int ix = left; ix < right; ix++) sum += x[iy * p.width + ix];
    }
    y[i] = sum * share(p, row, column);
}

// The first window that covers position `at` of the padded axis.
static __device__ int first_window(int at, int kernel, int stride) {
    return at < kernel ? 0 : (at - kernel) / stride + 1;
}

// One thread for each pixel, which gathers from the windows that cover it.
extern "C" __global__ void average_pool_backward(const float *dy, float *dx, Windows p,
                                                 unsigned count) {
    unsigned i = position();
    if (i >= count) return;
    int iy = i / p.width % p.height + p.pad_y, ix = i % p.width + p.pad_x;
    dy += (size_t)(i / p.width / p.height) * p.rows * p.columns;
    int bottom = min(iy / p.stride_y + 1, p.rows), right = min(ix / p.stride_x + 1, p.columns);
    float sum = 0.0f;
    for (int row = first_window(iy, p.kernel_y, p.stride_y); row < bottom; row++) {
        for (int column = first_window(ix, p.kernel_x, p.stride_x); column < right; column++) {
            sum += dy[row * p.columns + column] * share(p, row, column);
        }
    }
    dx[i] = sum;
}

// Block (channel, part) sums its part of a channel's values x, or of (x − centre)² if `squares`.
// `count` values a channel, `plane` of them in each image. Blocks have 256 threads.
extern "C" __global__ void channel_sums(const float *x, const float *centres, double *sums,
                                        int squares, int channels, unsigned plane, unsigned count) {
    __shared__ double threads[256];
    unsigned channel = blockIdx.x, step = gridDim.y * blockDim.x;
    float centre = squares ? centres[channel] : 0.0f, sum = 0.0f;
    for (unsigned i = blockIdx.y * blockDim.x + threadIdx.x; i < count; i += step) {
        float value = x[((size_t)(i / plane) * channels + channel) * plane + i % plane];
        sum += squares ? (value - centre) * (value - centre) : value;
    }
    threads[threadIdx.x] = sum;
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) threads[threadIdx.x] += threads[threadIdx.x + half];
    }
    if (threadIdx.x == 0) sums[channel * gridDim.y + blockIdx.y] = threads[0];
}

// One thread for each channel: the sum of its parts over `count`.
extern "C" __global__ void channel_means(const double *sums, float *means, int parts, int channels,
                                         unsigned count) {
    unsigned channel = position();
    if (channel >= (unsigned)channels) return;
    double sum = 0.0;
    for (int part = 0; part < parts; part++) sum += sums[channel * parts + part];
    means[channel] = sum / count;
}

// The gradient with clipping and decay.
static __device__ float pulled(float w, float g, Solver rule) {
    float pull = rule.l1 ? (w > 0.0f ? 1.0f : w < 0.0f ? -1.0f : 0.0f) : w;
    return rule.scale * g + rule.decay * pull;
}

// The rules of one state s, in the formulas of `Rule`.
extern "C" __global__ void update_one(const float *w, const float *g, const float *s, float *new_w,
                                      float *new_s, Solver rule, unsigned count) {
    unsigned i = position();
    if (i >= count) return;
    float weight = w[i], gradient = pulled(weight, g[i], rule), old = s[i], state;
    switch (rule.kind) {
    case 0: // Sgd
        state = rule.past * old - rule.rate * gradient;
        weight += state;
        break;
    case 1: // SgdPyTorch
        state = rule.past * old + gradient;
        weight -= rule.rate * state;
        break;
    case 2: // Nesterov
        state = rule.past * old + rule.rate * gradient;
        weight = weight - (1.0f + rule.past) * state + rule.past * old;
        break;
    case 3: // AdaGrad
        state = old + gradient * gradient;
        weight -= rule.rate * gradient / (sqrtf(state) + rule.delta);
        break;
    default: // RmsProp
        state = rule.past * old + (1.0f - rule.past) * gradient * gradient;
        weight -= rule.rate * gradient / (sqrtf(state) + rule.delta);
    }
    new_w[i] = weight;
    new_s[i] = state;
}

// The rules of two states s and r.
extern "C" __global__ void update_two(const float *w, const float *g, const float *s,
                                      const float *r, float *new_w, float *new_s, float *new_r,
                                      Solver rule, unsigned count) {
    unsigned i = position();
    if (i >= count) return;
    float gradient = pulled(w[i], g[i], rule), first = s[i], second = r[i];
    if (rule.kind == 5) { // AdaDelta
        first = rule.past * first + (1.0f - rule.past) * gradient * gradient;
        float step = gradient * sqrtf((second + rule.delta) / (first + rule.delta));
        new_w[i] = w[i] - rule.rate * step;
        second = rule.past * second + (1.0f - rule.past) * step * step;
    } else { // Adam
        first = rule.past * first + (1.0f - rule.past) * gradient;
        second = rule.past2 * second + (1.0f - rule.past2) * gradient * gradient;
        new_w[i] = w[i] - rule.rate * first / (sqrtf(second) + rule.delta);
    }
    new_s[i] = first;
    new_r[i] = second;
}

// The key of a random stream.
struct Key {
    unsigned words[8];
};

static __device__ void quarter_round(unsigned *s, int a, int b, int c, int d) {
    const int places[4] = {a, b, c, d}, turns[4] = {16, 12, 8, 7};
    for (int step = 0; step < 4; step++) {
        unsigned &to = s[places[step % 2 * 2]], &other = s[places[3 - step % 2 * 2]];
        to += s[places[step % 2 == 0 ? 1 : 3]];
        other ^= to;
        other = other << turns[step] | other >> (32 - turns[step]);
    }
}

// ChaCha with eight rounds (Bernstein 2008), as `nn::dropout` uses it: one thread for each block of
// 16 numbers, 1024 blocks a stream. A number below `threshold` drops its element.
extern "C" __global__ void dropout(const float *x, float *y, Key key, unsigned threshold,
                                   float kept, unsigned count) {
    unsigned block = position();
    if (block >= (count + 15) / 16) return;
    unsigned begin[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}, s[16];
    for (int i = 0; i < 8; i++) begin[4 + i] = key.words[i];
    begin[12] = block % 1024;
    begin[14] = block / 1024;
    for (int i = 0; i < 16; i++) s[i] = begin[i];
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 4; i++) quarter_round(s, i, 4 + i, 8 + i, 12 + i);
        for (int i = 0; i < 4; i++) {
            quarter_round(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
        }
    }
    for (unsigned i = 0; i < 16 && block * 16 + i < count; i++) {
        unsigned at = block * 16 + i;
        y[at] = x[at] * (s[i] + begin[i] >= threshold ? kept : 0.0f);
    }
}
