#include "seal-deflate.h"

#include <cstdlib>

namespace witnessmark::sealing {

namespace {

/** Half of all leaves are shorter, and deflate would save next to nothing on them. */
constexpr size_t kMinBytes = 32;
constexpr int kLevel = 6;
/** Negative: without the header and trailer of zlib. */
constexpr int kWindowBits = -12;
constexpr int kMemLevel = 4;

}  // namespace

size_t Deflate::Pack(const uint8_t* bytes, size_t length, uint8_t* out) {
  if (length < kMinBytes) return 0;
  const size_t written = length <= ShortDeflate::kMaxBytes ? short_.Pack(bytes, length, out) : PackLong(bytes, length, out);
  return written < length ? written : 0;
}

/** Returns `length` where the bytes would not be fewer. */
size_t Deflate::PackLong(const uint8_t* bytes, size_t length, uint8_t* out) {
  z_stream stream = {};
  stream.zalloc = Allocate;
  stream.zfree = [](voidpf, voidpf) {};
  stream.opaque = this;
  used_ = 0;
  // Begun anew and not reset: after a reset the end of the last input lies behind this one, and this zlib hashes into
  // it, so that what comes out would depend on the leaf before.
  if (deflateInit2(&stream, kLevel, Z_DEFLATED, kWindowBits, kMemLevel, Z_DEFAULT_STRATEGY) != Z_OK) std::abort();
  stream.next_in = const_cast<Bytef*>(bytes);
  stream.avail_in = static_cast<uInt>(length);
  stream.next_out = out;
  // One byte is left at the end of what fits: without it, zlib would not say that it was the end.
  stream.avail_out = static_cast<uInt>(length);
  const bool fits = deflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_out > 0;
  deflateEnd(&stream);
  return fits ? length - stream.avail_out : length;
}

voidpf Deflate::Allocate(voidpf self, uInt items, uInt size) {
  auto* const deflate = static_cast<Deflate*>(self);
  const size_t bytes = static_cast<size_t>(items) * size;
  if (deflate->used_ == deflate->blocks_.size()) deflate->blocks_.push_back({nullptr, 0});
  Block& block = deflate->blocks_[deflate->used_++];
  if (block.size < bytes) block = {std::make_unique<uint8_t[]>(bytes), bytes};
  return block.memory.get();
}

}  // namespace witnessmark::sealing
