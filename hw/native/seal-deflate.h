// Raw deflate by the zlib inside Node, with the settings of hw/crypto/native-deflate.ts, so that bytes are the same.
#pragma once
#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace witnessmark::sealing {

class Deflate {
 public:
  Deflate() = default;
  Deflate(const Deflate&) = delete;
  Deflate& operator=(const Deflate&) = delete;

  /** Writes to `out`, which has room for `length` bytes. Returns how many, or 0 where the bytes would not shrink. */
  size_t Pack(const uint8_t* bytes, size_t length, uint8_t* out);

 private:
  /** What zlib asks for, in its order, kept for the next leaf. */
  struct Block {
    std::unique_ptr<uint8_t[]> memory;
    size_t size;
  };

  static voidpf Allocate(voidpf self, uInt items, uInt size);

  std::vector<Block> blocks_;
  size_t used_ = 0;
};

}  // namespace witnessmark::sealing
