// Raw deflate, by the zlib inside Node where payloads are long. Writes the same bytes as hw/crypto/native-deflate.ts.
#pragma once
#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "seal-short-deflate.h"

namespace witnessmark::sealing {

class Deflate {
 public:
  Deflate() = default;
  Deflate(const Deflate&) = delete;
  Deflate& operator=(const Deflate&) = delete;

  /** What `Pack` may write to, whatever comes out. */
  static size_t RoomFor(size_t length) { return std::max(length, ShortDeflate::kMostWritten); }
  /** Writes to `out`, which has so much room. Returns how many bytes, or 0 where they would not be fewer. */
  size_t Pack(const uint8_t* bytes, size_t length, uint8_t* out);

 private:
  /** What zlib asks for, in its order, kept for the next leaf. */
  struct Block {
    std::unique_ptr<uint8_t[]> memory;
    size_t size;
  };

  size_t PackLong(const uint8_t* bytes, size_t length, uint8_t* out);
  static voidpf Allocate(voidpf self, uInt items, uInt size);

  ShortDeflate short_;
  std::vector<Block> blocks_;
  size_t used_ = 0;
};

}  // namespace witnessmark::sealing
