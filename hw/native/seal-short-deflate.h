// Deflate (RFC 1951) for short payloads: one block, with the codes that the format itself fixes.
// Writes the same bytes as core/short-deflate.ts, which argues for it (tested).
#pragma once
#include <cstddef>
#include <cstdint>

namespace witnessmark::sealing {

class ShortDeflate {
 public:
  static constexpr size_t kMaxBytes = 512;
  /** Every literal in nine bits, what a block has around them, and what is stored at once behind the end. */
  static constexpr size_t kMostWritten = kMaxBytes * 9 / 8 + 16;

  ShortDeflate();

  /** At most `kMaxBytes`. `out` has room for `kMostWritten`. Returns how many bytes it wrote. */
  size_t Pack(const uint8_t* bytes, size_t length, uint8_t* out);

 private:
  static constexpr uint32_t kMinMatch = 3;
  static constexpr uint32_t kMaxMatch = 258;
  static constexpr uint32_t kEndOfBlock = 256;
  static constexpr int kHashBits = 9;

  /** Bits as they are written, the first one lowest. */
  struct Code {
    uint16_t bits;
    uint16_t width;
  };
  struct Match {
    uint32_t length;
    uint32_t distance;
  };

  static uint32_t HashAt(const uint8_t* bytes);
  Match Longest(const uint8_t* bytes, size_t length, size_t at) const;
  void Remember(const uint8_t* bytes, size_t length, size_t at);

  Code literals_[kEndOfBlock + 1];
  /** By length and by distance: code and extra bits. */
  Code lengths_[kMaxMatch + 1];
  Code distances_[kMaxBytes + 1];
  /** The newest place with this hash, plus one; 0 is none. And for each place the one before it of the same hash. */
  uint16_t newest_[1 << kHashBits];
  uint16_t before_[kMaxBytes];
};

}  // namespace witnessmark::sealing
