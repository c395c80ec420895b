#include "seal-short-deflate.h"

#include <algorithm>
#include <cstring>

namespace witnessmark::sealing {

namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bits are stored eight bytes at a time");

/** How many earlier places are tried: more find next to nothing in so few bytes. */
constexpr int kMaxTries = 16;
/** So long a match is taken at once; behind a shorter one, a longer one may begin a byte later. */
constexpr uint32_t kLongMatch = 32;
constexpr uint32_t kFirstLength = 257;
constexpr uint32_t kLongestLength = 285;

uint32_t Reversed(uint32_t code, int width) {
  uint32_t bits = 0;
  for (int i = 0; i < width; i++) bits |= ((code >> i) & 1) << (width - 1 - i);
  return bits;
}

/** RFC 1951, 3.2.6: literals, end of block and lengths share one fixed alphabet. */
template <typename Code>
Code LiteralCode(uint32_t symbol) {
  const auto code = [](uint32_t bits, int width) {
    return Code{static_cast<uint16_t>(Reversed(bits, width)), static_cast<uint16_t>(width)};
  };
  if (symbol < 144) return code(0x30 + symbol, 8);
  if (symbol < 256) return code(0x190 + symbol - 144, 9);
  if (symbol < 280) return code(symbol - 256, 7);
  return code(0xc0 + symbol - 280, 8);
}

/** Which code a length or distance has, and what its extra bits say. */
struct Split {
  uint32_t step;
  int extraBits;
  uint32_t extra;
};

/** RFC 1951, 3.2.5: `1 << bits` codes for each power of two, so that each code covers a part of it by extra bits. */
Split SplitOf(uint32_t value, int bits) {
  const int top = value == 0 ? -1 : 31 - __builtin_clz(value);
  if (top < bits) return {value, 0, 0};
  const int extraBits = top - bits;
  return {(static_cast<uint32_t>(extraBits) << bits) + (value >> extraBits), extraBits,
          value & ((1u << extraBits) - 1)};
}

/** Codes begin with their highest bit, extra bits with their lowest. */
template <typename Code>
Code WithExtra(const Code& code, const Split& split) {
  return {static_cast<uint16_t>(code.bits | (split.extra << code.width)),
          static_cast<uint16_t>(code.width + split.extraBits)};
}

/** The first bit lowest. */
class BitWriter {
 public:
  explicit BitWriter(uint8_t* out) : start_(out), at_(out) {}

  /** At most 16 at a time. */
  void Write(uint32_t bits, uint32_t width) {
    bits_ |= static_cast<uint64_t>(bits) << count_;
    count_ += width;
    if (count_ < 48) return;
    Store();
  }
  size_t Finish() {
    Store();
    return static_cast<size_t>(at_ - start_) + (count_ > 0 ? 1 : 0);
  }

 private:
  /** What is behind the last whole byte stays, and is stored again when there is more. */
  void Store() {
    std::memcpy(at_, &bits_, sizeof bits_);
    at_ += count_ / 8;
    bits_ >>= count_ / 8 * 8;
    count_ %= 8;
  }

  uint8_t* const start_;
  uint8_t* at_;
  uint64_t bits_ = 0;
  uint32_t count_ = 0;
};

}  // namespace

ShortDeflate::ShortDeflate() {
  for (uint32_t symbol = 0; symbol <= kEndOfBlock; symbol++) literals_[symbol] = LiteralCode<Code>(symbol);
  for (uint32_t length = 0; length < kMinMatch; length++) lengths_[length] = {0, 0};
  for (uint32_t length = kMinMatch; length < kMaxMatch; length++) {
    const Split split = SplitOf(length - kMinMatch, 2);
    lengths_[length] = WithExtra(LiteralCode<Code>(kFirstLength + split.step), split);
  }
  // The longest has a code without extra bits to itself.
  lengths_[kMaxMatch] = LiteralCode<Code>(kLongestLength);
  distances_[0] = {0, 0};
  for (uint32_t distance = 1; distance <= kMaxBytes; distance++) {
    const Split split = SplitOf(distance - 1, 1);
    distances_[distance] = WithExtra(Code{static_cast<uint16_t>(Reversed(split.step, 5)), 5}, split);
  }
}

size_t ShortDeflate::Pack(const uint8_t* bytes, size_t length, uint8_t* out) {
  std::memset(newest_, 0, sizeof newest_);
  BitWriter writer(out);
  const auto write = [&writer](const Code& code) { writer.Write(code.bits, code.width); };
  writer.Write(0b011, 3);  // the last block, fixed codes
  Match match = Longest(bytes, length, 0);
  for (size_t at = 0; at < length;) {
    Remember(bytes, length, at);
    const Match next = match.length < kLongMatch ? Longest(bytes, length, at + 1) : Match{0, 0};
    if (match.length == 0 || next.length > match.length) {
      write(literals_[bytes[at]]);
      at += 1;
      match = next;
      continue;
    }
    write(lengths_[match.length]);
    write(distances_[match.distance]);
    for (size_t i = 1; i < match.length; i++) Remember(bytes, length, at + i);
    at += match.length;
    match = Longest(bytes, length, at);
  }
  write(literals_[kEndOfBlock]);
  return writer.Finish();
}

/** Among what is remembered; of equally long ones the nearest. */
ShortDeflate::Match ShortDeflate::Longest(const uint8_t* bytes, size_t length, size_t at) const {
  if (at + kMinMatch > length) return {0, 0};
  const auto most = static_cast<uint32_t>(std::min<size_t>(kMaxMatch, length - at));
  Match best = {kMinMatch - 1, 0};
  uint32_t place = newest_[HashAt(bytes + at)];
  for (int tries = kMaxTries; place > 0 && tries > 0; tries--) {
    const uint32_t from = place - 1;
    place = before_[from];
    // Whether it can be longer is one comparison, and mostly it cannot.
    if (best.length == most || bytes[from + best.length] != bytes[at + best.length]) continue;
    uint32_t same = 0;
    while (same < most && bytes[from + same] == bytes[at + same]) same++;
    if (same > best.length) best = {same, static_cast<uint32_t>(at) - from};
  }
  return best.distance == 0 ? Match{0, 0} : best;
}

void ShortDeflate::Remember(const uint8_t* bytes, size_t length, size_t at) {
  if (at + kMinMatch > length) return;
  uint16_t& newest = newest_[HashAt(bytes + at)];
  before_[at] = newest;
  newest = static_cast<uint16_t>(at + 1);
}

uint32_t ShortDeflate::HashAt(const uint8_t* bytes) {
  const uint32_t three = bytes[0] | (static_cast<uint32_t>(bytes[1]) << 8) | (static_cast<uint32_t>(bytes[2]) << 16);
  return (three * 0x9e3779b1) >> (32 - kHashBits);
}

}  // namespace witnessmark::sealing
