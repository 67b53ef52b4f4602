"""Loops over blocks of adjoining elements that share a scale.

``element`` is a short cut's kernel of (bits, random, q) for nearest_even, ``finish`` makes of its result what is
stored. Names that are not defined here are bound: see fmtemu.backends.numba.compile. Elements are read by ``get``
and stored by ``put``, which tell the compiler that both are apart, as is what ``get_kept`` and ``put_kept`` take.
"""
# mypy: ignore-errors

from __future__ import annotations

#: Elements whose scales are found before any of them is rounded: they stay in the first-level cache.
GROUP = 2048
#: The same where random numbers and quotients stay there too.
PIECE = 512
#: Elements that the cache takes at a time.
LINE = 16
#: The longest blocks of which the next is fetched while one is rounded.
FAR = 1 << 14


def make_blocks(identity):
    """The loop from elements to their values or codes under scales that it finds."""

    def blocks(x, y, scales, outers, rule, values, size):
        """y = the values or codes of x, ``scales`` those of its blocks, under outer scales; returns whether x has an
        infinity or NaN, where all are of no use."""
        identity  # noqa: B018
        q = QuickFields(*to_fixed_tuple(values, quick_count))
        length = SIZE if SIZE else size
        many = max(GROUP // length, 1)
        is_sure = rule[IS_SURE] != ZERO
        ahead = many * length if length <= FAR else GROUP
        highest = ZERO
        tops, doubts = empty(many, word), empty(GROUP, word)
        inverses, exact = empty(many, real), empty(many, double)
        for first in range(0, scales.size, many):
            count = min(many, scales.size - first)
            find_tops(x, first * length, length, tops[:count])
            shared, outer_shared = scales[first : first + count], outers[first : first + count]
            vague = find_scales(tops[:count], outer_shared, shared, inverses, exact, rule)
            for i in range(count):
                highest = maximum(highest, tops[i])
            for start in range(0, length, GROUP):  # pieces of a block, or whole ones
                span = min(length - start, GROUP)
                for i in range(count):
                    inverse, scale, outer, at = inverses[i], shared[i], outer_shared[i], (first + i) * length + start
                    for j in range(0, span, LINE):
                        fetch(x, at + ahead + j)
                        fetch(y, at + ahead + j)
                    if is_sure:
                        for j in range(span):
                            put(y, at + j, finish(element(to_bits(get(x, at + j) * inverse), ZERO, q), scale, outer))
                    else:
                        for j in range(span):
                            bits = to_bits(get(x, at + j) * inverse)
                            put(y, at + j, finish(element(bits, ZERO, q), scale, outer))
                            put_kept(doubts, i * span + j, doubt(bits, q))
                if is_sure or not (vague or is_doubtful(doubts[: count * span])):
                    continue
                for i in range(count):
                    if vague or is_doubtful(doubts[i * span : (i + 1) * span]):
                        inverse, scale, outer, at = exact[i], shared[i], outer_shared[i], (first + i) * length + start
                        for j in range(at, at + span):
                            put(y, j, finish(element(quotient(get(x, j), inverse), ZERO, q), scale, outer))
        return highest >= INFINITY

    return blocks


def make_rounded(identity):
    """The loop from elements to their values or codes under any rounding."""

    def rounded(x, y, scales, outers, rule, values, size, key0, key1, offset):
        """The same by quotients rounded to odd, or the products that the rule takes for them; element i draws the
        random bits of element offset + i."""
        identity  # noqa: B018
        q = QuickFields(*to_fixed_tuple(values, quick_count))
        length = SIZE if SIZE else size
        many = max(PIECE // length, 1)
        is_product = rule[IS_SURE] != ZERO
        lost = ZERO_REAL if rule[IS_RECIPROCAL] != ZERO else LEAST_REAL
        ahead = many * length if length <= FAR else PIECE
        highest, lead = ZERO, 0
        tops, inverses, exact = empty(many, word), empty(many, real), empty(many, double)
        kept, random = empty(PIECE, real), zeros(PIECE + ROOM, int32)
        for first in range(0, scales.size, many):
            count = min(many, scales.size - first)
            find_tops(x, first * length, length, tops[:count])
            shared, outer_shared = scales[first : first + count], outers[first : first + count]
            find_scales(tops[:count], outer_shared, shared, inverses, exact, rule)
            for i in range(count):
                highest = maximum(highest, tops[i])
            for start in range(0, length, PIECE):  # pieces of a block, or whole ones
                span, at = min(length - start, PIECE), first * length + start
                for i in range(count):
                    inverse, wide_inverse, place = inverses[i], exact[i], at + i * span
                    for j in range(place + ahead, place + ahead + span, LINE):
                        fetch(x, j)
                        fetch(y, j)
                    if is_product:
                        for j in range(span):
                            put_kept(kept, i * span + j, multiply_once(get(x, place + j), inverse, lost))
                    else:
                        for j in range(span):
                            put_kept(kept, i * span + j, from_bits(quotient(get(x, place + j), wide_inverse)))
                if DRAWS:
                    lead = draw(random, count * span, offset + uint64(at), q.bits, key0, key1)
                drawn = random[lead : lead + count * span]
                if TO_CODES:
                    for j in range(count * span):
                        put(y, at + j, element(to_bits(kept[j]), word(drawn[j]), q))
                else:
                    for j in range(count * span):
                        kept[j] = from_bits(element(to_bits(kept[j]), word(drawn[j]), q))
                    for i in range(count):
                        scale, outer, place = shared[i], outer_shared[i], at + i * span
                        for j in range(span):
                            put(y, place + j, real(get_kept(kept, i * span + j) * scale) * outer)
        return highest >= INFINITY

    return rounded


def make_greatest(identity):
    """The loop that finds the greatest magnitude of every block."""

    def greatest_of_blocks(x, tops, size):
        """tops = the greatest magnitude bits of x's blocks; returns whether x has an infinity or NaN."""
        identity  # noqa: B018
        find_tops(x, 0, SIZE if SIZE else size, tops)
        highest = ZERO
        for i in range(tops.size):
            highest = maximum(highest, tops[i])
        return highest >= INFINITY

    return greatest_of_blocks


def make_scales(identity):
    """The loop from the greatest magnitudes of blocks to their scales."""

    def scales_of_blocks(tops, outers, scales, inverses, exact, rule):
        """See find_scales."""
        identity  # noqa: B018
        return find_scales(tops, outers, scales, inverses, exact, rule)

    return scales_of_blocks


def make_decoded(identity):
    """The loop from codes to values."""

    def decoded(codes, y, table, scales, outers, size):
        """y = table[codes] times the block's scale, times its outer scale, each product rounded."""
        identity  # noqa: B018
        for block in range(scales.size):
            scale, outer, first = scales[block], outers[block], block * size
            for j in range(size):
                put(y, first + j, real(table[get(codes, first + j)] * scale) * outer)
        return False

    return decoded


def make_decoded_pairs(identity):
    """The loop from codes of four bits to values."""

    def decoded_pairs(packed, y, table, scales, outers, size):
        """The same of codes two to a byte; ``table`` has the two numbers of each byte as one word."""
        identity  # noqa: B018
        pairs = empty(GROUP // 2, uint64)
        numbers = pairs.view(real)
        many = max(GROUP // size, 1)
        for first in range(0, scales.size, many):
            count = min(many, scales.size - first)
            for start in range(0, size, GROUP):  # pieces of a block, or whole ones
                span = min(size - start, GROUP)
                at = first * size + start
                for j in range(count * span // 2):
                    put_kept(pairs, j, table[get(packed, at // 2 + j)])
                for i in range(count):
                    scale, outer = scales[first + i], outers[first + i]
                    for j in range(span):
                        put(y, at + i * span + j, real(get_kept(numbers, i * span + j) * scale) * outer)
        return False

    return decoded_pairs


def find_tops(x, at, length, tops):
    """tops = the greatest magnitude bits of adjoining blocks from x[at] on."""
    eights = tops.size // 8 * 8 if SIZE else 0
    for i in range(0, eights, 8):
        greatest_of_eight(x, at + i * length, tops, i)
    for i in range(eights, tops.size):
        tops[i] = greatest(x[at + i * length : at + (i + 1) * length])


def find_scales(tops, outers, scales, inverses, exact, rule):
    """scales = those of blocks with these greatest magnitude bits by a rule, inverses = what divides by both scales in
    float32, exact = the same in float64; returns whether a float32 does not hold one with all its bits."""
    r = Rule(*to_fixed_tuple(rule, rule_count))
    if r.is_power != ZERO:
        p = Scale(*to_fixed_tuple(rule[rule_count:], scale_count))
        for i in range(tops.size):
            exponent = scale_exponent(get_kept(tops, i), p)
            inverse = two_to(word(OPPOSITE - exponent))
            put(scales, i, two_to(exponent))
            put_kept(inverses, i, inverse)
            put_kept(exact, i, double(inverse))
        return False
    largest, least, most = double(from_bits(r.largest)), double(from_bits(r.least)), double(from_bits(r.most))
    first, lift = wide_shl(wide(r.first), PLACES), wide_shl(wide(r.lift), PLACES)
    is_up, vague = r.is_up != ZERO, ZERO
    for i in range(tops.size):
        outer = double(get(outers, i))
        ratio = double(from_bits(get_kept(tops, i))) / (outer * largest)
        pivot = wide(wide_maximum(wide(wide_bits(ratio) & EXPONENT), first) + lift)
        scale = ratio + wide_value(pivot) - wide_value(pivot)
        scale = scale + where(is_up and scale < ratio, wide_value(wide(pivot - UNIT)), ZERO_DOUBLE)
        scale = minimum(maximum(scale, least), most)
        inverse = ONE_DOUBLE / (scale * outer)
        put(scales, i, real(scale))
        put_kept(inverses, i, real(inverse))
        put_kept(exact, i, inverse)
        vague |= word(inverse > MOST_INVERSE) | word(inverse < LEAST_INVERSE)
    if r.is_reciprocal != ZERO:
        for i in range(tops.size):
            factor = real(double(scales[i]) * double(outers[i]))
            put_kept(inverses, i, minimum(real(ONE_REAL / factor), GREATEST_REAL))
    return vague != ZERO


def is_doubtful(doubts):
    """Whether one of them is not negative."""
    worst = word(-ONE)
    for i in range(doubts.size):
        worst = maximum(worst, doubts[i])
    return worst >= ZERO


def greatest(x):
    """The greatest magnitude bits."""
    top = ZERO
    for i in range(x.size):
        top = maximum(top, word(to_bits(x[i]) & MAGNITUDE))
    return top


def quotient(x, inverse):
    """The bits of x / f as a float32 rounded to odd, where ``inverse`` is 1 / f in float64.

    The product is within 1.5 units of float64's last place of x / f. Rounded to a multiple of 8 units it is a boundary
    of up to 49 bits where x / f is, and otherwise lies on the same side of all those that differ from x / f by a
    relative 2**-49 or more. From there on rounding to odd keeps it on its side of boundaries of 23 bits. What
    underflows becomes the smallest float32.
    """
    bits = wide_bits(double(x) * inverse) + UNITS_4
    near = real(wide_value((bits | ((bits & BELOW_ODD) + BELOW_ODD)) & ~BELOW))
    return word(to_bits(near) | where((near == ZERO_REAL) & (x != ZERO_REAL), ONE, ZERO))


def to_value(bits, scale, outer):
    """The value of an element's bits times two scales, each product rounded."""
    return real(from_bits(bits) * scale) * outer


def to_code(code, *_):
    """An element's code."""
    return code
