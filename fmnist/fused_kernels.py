"""The kernels of `fmnist.fused`, in Triton: what lies between the matrix products of a step of the reference network.

Pictures are channels last, so that a tensor of (B, C, H, W) is read here as rows of C numbers, one row a pixel. Sums over all pixels are
made in two parts, each program adding up its own share, so that they always come out the same. `place` says which batch of the reel it is.
"""

import triton
import triton.language as tl

TAPS = tl.constexpr(9)  # of a 3 x 3 convolution


@triton.jit
def _source(pixel, corner: tl.constexpr, SIDE: tl.constexpr, POOL: tl.constexpr):
    """Where in the convolution's output a pixel of the layer's output comes from; with a pool, its corner 0 to 3."""
    if POOL:
        half: tl.constexpr = SIDE // 2
        image, row, column = pixel // (half * half), pixel // half % half, pixel % half
        found = (image * SIDE + 2 * row + corner // 2) * SIDE + 2 * column + corner % 2
    else:
        found = pixel
    return found


@triton.jit
def _target(pixel, channel, SIDE: tl.constexpr, CHANNELS: tl.constexpr, FLAT: tl.constexpr):
    """Where a number of the layer's output stands: channels last, or, for the linear layer, channel by channel."""
    if FLAT:
        area: tl.constexpr = (SIDE // 2) * (SIDE // 2)
        found = (pixel // area)[:, None] * (CHANNELS * area) + channel[None, :] * area + (pixel % area)[:, None]
    else:
        found = pixel[:, None] * CHANNELS + channel[None, :]
    return found


@triton.jit
def _activated(outputs, biases, pixel, channel, inside, CHANNELS: tl.constexpr):
    """ReLU of the convolution's outputs with their bias: float32 (BLOCK, CHANNELS)."""
    found = tl.load(outputs + pixel[:, None] * CHANNELS + channel[None, :], mask=inside[:, None], other=0.0)
    return tl.maximum(found.to(tl.float32) + biases[None, :], 0.0)


@triton.jit
def first_convolution(
    images, place, weights, outputs, pixels, MEAN: tl.constexpr, SPREAD: tl.constexpr, SIDE: tl.constexpr, CHANNELS: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """The 3 x 3 convolution of bytes (B, 28, 28) that are normalised on the way, in float32, without its bias."""
    pixel, channel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK), tl.arange(0, CHANNELS)
    source, row, column = images + tl.load(place) * pixels, pixel // SIDE % SIDE, pixel % SIDE
    total = tl.zeros([BLOCK, CHANNELS], tl.float32)
    for tap in tl.static_range(TAPS):
        down, right = tap // 3 - 1, tap % 3 - 1
        inside = (row + down >= 0) & (row + down < SIDE) & (column + right >= 0) & (column + right < SIDE) & (pixel < pixels)
        byte = tl.load(source + pixel + down * SIDE + right, mask=inside, other=0).to(tl.float32)
        total += tl.where(inside, (byte - MEAN) / SPREAD, 0.0)[:, None] * tl.load(weights + channel * TAPS + tap)[None, :]
    tl.store(outputs + pixel[:, None] * CHANNELS + channel[None, :], total.to(outputs.dtype.element_ty), mask=(pixel < pixels)[:, None])


@triton.jit
def moments(outputs, bias, partial, pixels, CHANNELS: tl.constexpr, BLOCK: tl.constexpr):
    """Sums and sums of squares of what a batch norm gets: partial[program] = (2, CHANNELS)."""
    program, channel = tl.program_id(0), tl.arange(0, CHANNELS)
    biases = tl.load(bias + channel)
    total, squares = tl.zeros([CHANNELS], tl.float32), tl.zeros([CHANNELS], tl.float32)
    for start in range(program * BLOCK, pixels, tl.num_programs(0) * BLOCK):
        pixel = start + tl.arange(0, BLOCK)
        inside = pixel < pixels
        found = tl.where(inside[:, None], _activated(outputs, biases, pixel, channel, inside, CHANNELS), 0.0)
        total += tl.sum(found, 0)
        squares += tl.sum(found * found, 0)
    tl.store(partial + program * 2 * CHANNELS + channel, total)
    tl.store(partial + program * 2 * CHANNELS + CHANNELS + channel, squares)


@triton.jit
def _added_up(partial, rows, columns, at, ROWS: tl.constexpr):
    """The sums over programs of what stands at some places of their rows."""
    row = tl.arange(0, ROWS)
    return tl.sum(tl.load(partial + row[:, None] * columns + at[None, :], mask=(row < rows)[:, None], other=0.0), 0)


@triton.jit
def statistics(
    partial, rows, count, saved, running_mean, running_variance, tracked, average_mean, average_variance, average_tracked, shares, place,
    MOMENTUM: tl.constexpr, EPSILON: tl.constexpr, AVERAGED: tl.constexpr, ROWS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Mean and 1 / standard deviation of the batch into `saved` (2, CHANNELS); the running ones, and their average, move along.

    Sixteen channels a program.
    """
    channel = tl.program_id(0) * 16 + tl.arange(0, 16)
    mean = _added_up(partial, rows, 2 * CHANNELS, channel, ROWS) / count
    variance = tl.maximum(_added_up(partial, rows, 2 * CHANNELS, CHANNELS + channel, ROWS) / count - mean * mean, 0.0)
    tl.store(saved + channel, mean)
    tl.store(saved + CHANNELS + channel, 1.0 / tl.sqrt(variance + EPSILON))
    old_mean, old_variance = tl.load(running_mean + channel), tl.load(running_variance + channel)
    new_mean = old_mean + MOMENTUM * (mean - old_mean)
    new_variance = old_variance + MOMENTUM * (variance * (count / (count - 1)) - old_variance)
    tl.store(running_mean + channel, new_mean)
    tl.store(running_variance + channel, new_variance)
    leads = tl.program_id(0) == 0
    batches = tl.load(tracked) + 1  # some programs may see it one later, but only the first one writes
    tl.store(tracked, batches, mask=leads)
    if AVERAGED:
        share, mine, spread = tl.load(shares + tl.load(place)), tl.load(average_mean + channel), tl.load(average_variance + channel)
        tl.store(average_mean + channel, mine + share * (new_mean - mine))
        tl.store(average_variance + channel, spread + share * (new_variance - spread))
        tl.store(average_tracked, batches, mask=leads)


@triton.jit
def normalise(
    outputs, bias, saved, gamma, beta, results, pixels, SIDE: tl.constexpr, POOL: tl.constexpr, FLAT: tl.constexpr,
    CHANNELS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """ReLU, batch norm and, if there is one, the 2 x 2 pool; `pixels` of the result."""
    pixel, channel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK), tl.arange(0, CHANNELS)
    inside, biases = pixel < pixels, tl.load(bias + channel)
    scale = tl.load(gamma + channel) * tl.load(saved + CHANNELS + channel)
    shift = tl.load(beta + channel) - tl.load(saved + channel) * scale
    best = _activated(outputs, biases, _source(pixel, 0, SIDE, POOL), channel, inside, CHANNELS) * scale[None, :] + shift[None, :]
    if POOL:
        for corner in tl.static_range(1, 4):
            other = _activated(outputs, biases, _source(pixel, corner, SIDE, POOL), channel, inside, CHANNELS)
            best = tl.maximum(best, other * scale[None, :] + shift[None, :])
    tl.store(results + _target(pixel, channel, SIDE, CHANNELS, FLAT), best.to(results.dtype.element_ty), mask=inside[:, None])


@triton.jit
def gradient_moments(
    gradients, outputs, bias, saved, gamma, beta, partial, pixels, SIDE: tl.constexpr, POOL: tl.constexpr, FLAT: tl.constexpr,
    CHANNELS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Of the gradient at a batch norm's output its sum, and that of its products with the normalised input.

    `gradients` and `pixels` are those after the pool, if there is one: each goes to the first of the largest four.
    """
    program, channel = tl.program_id(0), tl.arange(0, CHANNELS)
    biases, mean, over = tl.load(bias + channel), tl.load(saved + channel), tl.load(saved + CHANNELS + channel)
    scale = tl.load(gamma + channel) * over
    shift = tl.load(beta + channel) - mean * scale
    total, products = tl.zeros([CHANNELS], tl.float32), tl.zeros([CHANNELS], tl.float32)
    for start in range(program * BLOCK, pixels, tl.num_programs(0) * BLOCK):
        pixel = start + tl.arange(0, BLOCK)
        inside = pixel < pixels
        arriving = tl.load(gradients + _target(pixel, channel, SIDE, CHANNELS, FLAT), mask=inside[:, None], other=0.0).to(tl.float32)
        entering = _activated(outputs, biases, _source(pixel, 0, SIDE, POOL), channel, inside, CHANNELS)
        if POOL:
            best = entering * scale[None, :] + shift[None, :]
            for corner in tl.static_range(1, 4):
                other = _activated(outputs, biases, _source(pixel, corner, SIDE, POOL), channel, inside, CHANNELS)
                larger = other * scale[None, :] + shift[None, :]
                entering = tl.where(larger > best, other, entering)
                best = tl.maximum(best, larger)
        total += tl.sum(arriving, 0)
        products += tl.sum(arriving * (entering - mean[None, :]) * over[None, :], 0)
    tl.store(partial + program * 2 * CHANNELS + channel, total)
    tl.store(partial + program * 2 * CHANNELS + CHANNELS + channel, products)


@triton.jit
def gradient_statistics(partial, rows, gamma_gradient, beta_gradient, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """The gradients of gamma and beta, from the parts that the programs of `gradient_moments` have added up; sixteen channels a program."""
    channel = tl.program_id(0) * 16 + tl.arange(0, 16)
    tl.store(beta_gradient + channel, _added_up(partial, rows, 2 * CHANNELS, channel, ROWS))
    tl.store(gamma_gradient + channel, _added_up(partial, rows, 2 * CHANNELS, CHANNELS + channel, ROWS))


@triton.jit
def gradient_before(
    gradients, outputs, bias, saved, gamma, beta, gamma_gradient, beta_gradient, results, pixels, count, SIDE: tl.constexpr,
    POOL: tl.constexpr, FLAT: tl.constexpr, CHANNELS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The gradient at the convolution's output, from that after pool, batch norm and ReLU; `count` pixels before the pool."""
    pixel, channel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK), tl.arange(0, CHANNELS)
    inside, biases = pixel < pixels, tl.load(bias + channel)
    mean, over = tl.load(saved + channel), tl.load(saved + CHANNELS + channel)
    scale = tl.load(gamma + channel) * over
    shift = tl.load(beta + channel) - mean * scale
    even, sloped = tl.load(beta_gradient + channel) / count, tl.load(gamma_gradient + channel) / count
    arriving = tl.load(gradients + _target(pixel, channel, SIDE, CHANNELS, FLAT), mask=inside[:, None], other=0.0).to(tl.float32)
    winner = tl.zeros([BLOCK, CHANNELS], tl.int32)
    if POOL:
        entering = _activated(outputs, biases, _source(pixel, 0, SIDE, POOL), channel, inside, CHANNELS)
        best = entering * scale[None, :] + shift[None, :]
        for corner in tl.static_range(1, 4):
            other = _activated(outputs, biases, _source(pixel, corner, SIDE, POOL), channel, inside, CHANNELS)
            larger = other * scale[None, :] + shift[None, :]
            winner = tl.where(larger > best, corner, winner)
            best = tl.maximum(best, larger)
    for corner in tl.static_range(4 if POOL else 1):
        source = _source(pixel, corner, SIDE, POOL)
        here = _activated(outputs, biases, source, channel, inside, CHANNELS)
        change = tl.where(winner == corner, arriving, 0.0) - even[None, :] - (here - mean[None, :]) * over[None, :] * sloped[None, :]
        change = tl.where(here > 0, change * scale[None, :], 0.0)
        tl.store(results + source[:, None] * CHANNELS + channel[None, :], change.to(results.dtype.element_ty), mask=inside[:, None])


@triton.jit
def weight_gradient(
    inputs, gradients, partial, pixels, SIDE: tl.constexpr, CHANNELS_IN: tl.constexpr, CHANNELS: tl.constexpr, BLOCK: tl.constexpr
):
    """Of a 3 x 3 convolution, in parts: partial[program] = (CHANNELS, 3, 3, CHANNELS_IN) and behind it the gradient of the bias.

    The second number of a program is the row of the window that it adds up.
    """
    program, line = tl.program_id(0), tl.program_id(1)
    channel, channel_in = tl.arange(0, CHANNELS), tl.arange(0, CHANNELS_IN)
    left = tl.zeros([CHANNELS, CHANNELS_IN], tl.float32)
    middle = tl.zeros([CHANNELS, CHANNELS_IN], tl.float32)
    right = tl.zeros([CHANNELS, CHANNELS_IN], tl.float32)
    bias = tl.zeros([CHANNELS], tl.float32)
    for start in range(program * BLOCK, pixels, tl.num_programs(0) * BLOCK):
        pixel = start + tl.arange(0, BLOCK)
        inside, row, column = pixel < pixels, pixel // SIDE % SIDE + line - 1, pixel % SIDE
        inside_row = inside & (row >= 0) & (row < SIDE)
        found = tl.load(gradients + pixel[:, None] * CHANNELS + channel[None, :], mask=inside[:, None], other=0.0)
        turned = tl.trans(found)
        source = inputs + (pixel + (line - 1) * SIDE)[:, None] * CHANNELS_IN + channel_in[None, :]
        left += tl.dot(turned, tl.load(source - CHANNELS_IN, mask=(inside_row & (column > 0))[:, None], other=0.0))
        middle += tl.dot(turned, tl.load(source, mask=inside_row[:, None], other=0.0))
        right += tl.dot(turned, tl.load(source + CHANNELS_IN, mask=(inside_row & (column < SIDE - 1))[:, None], other=0.0))
        bias += tl.sum(found.to(tl.float32), 0)
    size: tl.constexpr = CHANNELS * TAPS * CHANNELS_IN
    into = partial + program * (size + CHANNELS) + channel[:, None] * (TAPS * CHANNELS_IN) + line * 3 * CHANNELS_IN + channel_in[None, :]
    tl.store(into, left)
    tl.store(into + CHANNELS_IN, middle)
    tl.store(into + 2 * CHANNELS_IN, right)
    tl.store(partial + program * (size + CHANNELS) + size + channel, bias, mask=line == 1)


@triton.jit
def first_weight_gradient(
    images, place, gradients, partial, pixels, MEAN: tl.constexpr, SPREAD: tl.constexpr, SIDE: tl.constexpr, CHANNELS: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """The same for the first convolution. A byte is exact in bfloat16, so the products are of bytes; the mean is taken off afterwards."""
    program, channel, tap = tl.program_id(0), tl.arange(0, CHANNELS), tl.arange(0, 16)
    down, across = tap // 3 - 1, tap % 3 - 1
    source = images + tl.load(place) * pixels
    bytes_, covered = tl.zeros([CHANNELS, 16], tl.float32), tl.zeros([CHANNELS, 16], tl.float32)
    bias = tl.zeros([CHANNELS], tl.float32)
    for start in range(program * BLOCK, pixels, tl.num_programs(0) * BLOCK):
        pixel = start + tl.arange(0, BLOCK)
        row, column = (pixel // SIDE % SIDE)[:, None] + down[None, :], (pixel % SIDE)[:, None] + across[None, :]
        inside = (row >= 0) & (row < SIDE) & (column >= 0) & (column < SIDE) & (tap < TAPS)[None, :] & (pixel < pixels)[:, None]
        found = tl.load(gradients + pixel[:, None] * CHANNELS + channel[None, :], mask=(pixel < pixels)[:, None], other=0.0)
        byte = tl.load(source + pixel[:, None] + (down * SIDE + across)[None, :], mask=inside, other=0)
        turned = tl.trans(found)
        bytes_ += tl.dot(turned, byte.to(found.dtype))
        covered += tl.dot(turned, inside.to(found.dtype))
        bias += tl.sum(found.to(tl.float32), 0)
    into = partial + program * (CHANNELS * TAPS + CHANNELS)
    result = (bytes_ - MEAN * covered) / SPREAD
    tl.store(into + channel[:, None] * TAPS + tap[None, :], result, mask=(tap < TAPS)[None, :])
    tl.store(into + CHANNELS * TAPS + channel, bias)


@triton.jit
def add_up(partial, rows, results, size, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """results = the sum over the rows of partial (rows, size)."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    total = tl.zeros([BLOCK], tl.float32)
    for start in range(0, rows, ROWS):
        row = start + tl.arange(0, ROWS)
        mask = (row < rows)[:, None] & (at < size)[None, :]
        total += tl.sum(tl.load(partial + row[:, None] * size + at[None, :], mask=mask, other=0.0), 0)
    tl.store(results + at, total, mask=at < size)


@triton.jit
def judge(
    hidden, weights, bias, labels, place, slopes, below, losses, right, batch, smooth, NOTHING: tl.constexpr,
    OUTLIERS: tl.constexpr, WIDTH: tl.constexpr, CLASSES: tl.constexpr, BLOCK: tl.constexpr, CHUNK: tl.constexpr,
):  # fmt: skip
    """The last layer, cross entropy, and their gradients: `slopes` at the logits (B, 16), `below` before the ReLU of `hidden` (B, WIDTH).

    losses and right: one number a program. What is none of the classes (NOTHING) shall be all of them alike.
    """
    program, label_at, class_ = tl.program_id(0), tl.program_id(0) * BLOCK + tl.arange(0, BLOCK), tl.arange(0, 16)
    inside, known_class = label_at < batch, class_ < CLASSES
    label = tl.load(labels + tl.load(place) * batch + label_at, mask=inside, other=0)
    scores = tl.zeros([BLOCK, 16], tl.float32)
    for start in tl.static_range(0, WIDTH, CHUNK):
        column = start + tl.arange(0, CHUNK)
        some = tl.load(hidden + label_at[:, None] * WIDTH + column[None, :], mask=inside[:, None], other=0.0)
        weight = tl.load(weights + class_[None, :] * WIDTH + column[:, None], mask=known_class[None, :], other=0.0)
        scores += tl.dot(some, weight.to(some.dtype))
    scores = tl.where(known_class[None, :], scores + tl.load(bias + class_, mask=known_class, other=0.0)[None, :], float("-inf"))
    highest = tl.max(scores, 1)
    shares = tl.exp(scores - highest[:, None])
    whole = tl.sum(shares, 1)
    shares = shares / whole[:, None]
    logs = tl.where(known_class[None, :], scores - highest[:, None] - tl.log(whole)[:, None], 0.0)
    nothing = (label == NOTHING) if OUTLIERS else (label < -1_000_000)
    smoothing = tl.where(nothing, 1.0, smooth)
    target = tl.where(class_[None, :] == label[:, None], 1.0 - smoothing[:, None], 0.0) + smoothing[:, None] / CLASSES
    target = tl.where(known_class[None, :], target, 0.0)
    loss = tl.sum(tl.where(inside, -tl.sum(target * logs, 1), 0.0), 0) / batch
    first = tl.min(tl.where((scores == highest[:, None]) & known_class[None, :], class_[None, :], 16), 1)
    correct = first == label
    if OUTLIERS:
        correct = correct | (nothing & (tl.max(shares, 1) < 0.5))
    tl.store(losses + program, loss)
    tl.store(right + program, tl.sum((correct & inside).to(tl.int32), 0))
    slope = tl.where(inside[:, None] & known_class[None, :], (shares - target) / batch, 0.0)
    tl.store(slopes + label_at[:, None] * 16 + class_[None, :], slope, mask=inside[:, None])
    for start in tl.static_range(0, WIDTH, CHUNK):
        column = start + tl.arange(0, CHUNK)
        weight = tl.load(weights + class_[:, None] * WIDTH + column[None, :], mask=known_class[:, None], other=0.0)
        some = tl.load(hidden + label_at[:, None] * WIDTH + column[None, :], mask=inside[:, None], other=0.0)
        back = tl.where(some > 0, tl.dot(slope.to(some.dtype), weight.to(some.dtype)), 0.0)
        tl.store(below + label_at[:, None] * WIDTH + column[None, :], back.to(below.dtype.element_ty), mask=inside[:, None])


@triton.jit
def last_gradients(
    hidden, below, slopes, weights, bias, hidden_bias, batch, WIDTH: tl.constexpr, CLASSES: tl.constexpr, COLUMNS: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """The gradients of the last layer's weights and bias, and of the bias of the layer before it; COLUMNS of the width a program."""
    column, class_ = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS), tl.arange(0, 16)
    weight, before = tl.zeros([16, COLUMNS], tl.float32), tl.zeros([COLUMNS], tl.float32)
    last = tl.zeros([16], tl.float32)
    for start in range(0, batch, BLOCK):
        row = start + tl.arange(0, BLOCK)
        inside = (row < batch)[:, None]
        slope = tl.load(slopes + row[:, None] * 16 + class_[None, :], mask=inside, other=0.0)
        some = tl.load(hidden + row[:, None] * WIDTH + column[None, :], mask=inside, other=0.0)
        weight += tl.dot(tl.trans(slope).to(some.dtype), some)
        before += tl.sum(tl.load(below + row[:, None] * WIDTH + column[None, :], mask=inside, other=0.0).to(tl.float32), 0)
        last += tl.sum(slope, 0)
    tl.store(weights + class_[:, None] * WIDTH + column[None, :], weight, mask=(class_ < CLASSES)[:, None])
    tl.store(hidden_bias + column, before)
    tl.store(bias + class_, last, mask=(class_ < CLASSES) & (tl.program_id(0) == 0))


@triton.jit
def product(left, right, results, batch, ROWS: tl.constexpr, COLUMNS: tl.constexpr, TILE: tl.constexpr, BLOCK: tl.constexpr):
    """results (ROWS, COLUMNS) = left (B, ROWS) transposed x right (B, COLUMNS), in float32; both sides are whole tiles."""
    row, column = tl.program_id(0) * TILE + tl.arange(0, TILE), tl.program_id(1) * TILE + tl.arange(0, TILE)
    total = tl.zeros([TILE, TILE], tl.float32)
    for start in range(0, batch, BLOCK):
        image = start + tl.arange(0, BLOCK)
        inside = (image < batch)[:, None]
        some = tl.load(left + image[:, None] * ROWS + row[None, :], mask=inside, other=0.0)
        total += tl.dot(tl.trans(some), tl.load(right + image[:, None] * COLUMNS + column[None, :], mask=inside, other=0.0))
    tl.store(results + row[:, None] * COLUMNS + column[None, :], total)


@triton.jit
def update(
    weights, gradients, first, second, rounded, average, steps, rates, shares, place, size, decay, momentum, LOG_BETA: tl.constexpr,
    LOG_BETA_SQUARE: tl.constexpr, BETA: tl.constexpr, BETA_SQUARE: tl.constexpr, EPSILON: tl.constexpr,
    KIND: tl.constexpr, MOMENTUM: tl.constexpr, AVERAGED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One step of SGD, Adam or AdamW on all weights, the average and the rounded copy moved along; the logarithms are to base 2."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside, which = at < size, tl.load(place)
    rate = tl.load(rates + which).to(tl.float32)
    weight, slope = tl.load(weights + at, mask=inside), tl.load(gradients + at, mask=inside)
    if KIND == "adamw":
        weight = weight * (1 - rate * decay)
    else:
        slope = slope + decay * weight
    if KIND == "sgd":
        if MOMENTUM:
            direction = momentum * tl.load(first + at, mask=inside) + slope
            tl.store(first + at, direction, mask=inside)
            slope = slope + momentum * direction
        weight = weight - rate * slope
    else:
        step = tl.load(steps) + 1
        mean, square = tl.load(first + at, mask=inside), tl.load(second + at, mask=inside)
        mean = mean + (1 - BETA) * (slope - mean)
        square = BETA_SQUARE * square + (1 - BETA_SQUARE) * slope * slope
        tl.store(first + at, mean, mask=inside)
        tl.store(second + at, square, mask=inside)
        size_of_step = rate / (1 - tl.exp2(step * LOG_BETA))
        weight = weight - size_of_step * mean / (tl.sqrt(square) / tl.sqrt(1 - tl.exp2(step * LOG_BETA_SQUARE)) + EPSILON)
    tl.store(weights + at, weight, mask=inside)
    tl.store(rounded + at, weight.to(rounded.dtype.element_ty), mask=inside)
    if AVERAGED:
        mine = tl.load(average + at, mask=inside)
        tl.store(average + at, mine + tl.load(shares + which) * (weight - mine), mask=inside)


@triton.jit
def count(losses, right, rows, steps, parameters, recent_loss, epoch_loss, epoch_right, place, batch, ROWS: tl.constexpr):
    """Add a step to the sums, and go on to the next batch of the reel; the last kernel of a step, in one program."""
    row = tl.arange(0, ROWS)
    loss = tl.sum(tl.load(losses + row, mask=row < rows, other=0.0), 0)
    tl.store(recent_loss, tl.load(recent_loss) + loss)
    tl.store(epoch_loss, tl.load(epoch_loss) + loss * batch)
    tl.store(epoch_right, tl.load(epoch_right) + tl.sum(tl.load(right + row, mask=row < rows, other=0), 0))
    tl.store(place, tl.load(place) + 1)
    parameter = tl.arange(0, 32)
    found = tl.load(steps + parameter, mask=parameter < parameters, other=0.0)
    tl.store(steps + parameter, found + 1, mask=parameter < parameters)
