// Memory that is filled anew for each leaf, and the integers that stand in it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace witnessmark::sealing {

/** Grows and never shrinks; what it held is lost when it grows. Without memory the process ends, as Node's does. */
class Scratch {
 public:
  Scratch() = default;
  ~Scratch() { std::free(memory_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  uint8_t* Reserve(size_t bytes) {
    if (bytes <= capacity_) return memory_;
    std::free(memory_);
    capacity_ = bytes * 2;
    memory_ = static_cast<uint8_t*>(std::malloc(capacity_));
    if (memory_ == nullptr) std::abort();
    return memory_;
  }
  uint8_t* data() { return memory_; }

 private:
  uint8_t* memory_ = nullptr;
  size_t capacity_ = 0;
};

/** Bytes that come one after the other; what it holds stays when it grows. */
class Bytes {
 public:
  Bytes() = default;
  ~Bytes() { std::free(memory_); }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;

  void Clear() { size_ = 0; }
  /** Room for this many more; the end moves by what is `Took`. */
  uint8_t* Room(size_t bytes) {
    if (size_ + bytes > capacity_) {
      capacity_ = (size_ + bytes) * 2;
      memory_ = static_cast<uint8_t*>(std::realloc(memory_, capacity_));
      if (memory_ == nullptr) std::abort();
    }
    return memory_ + size_;
  }
  void Took(size_t bytes) { size_ += bytes; }
  const uint8_t* data() const { return memory_; }
  size_t size() const { return size_; }

 private:
  uint8_t* memory_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

constexpr size_t kMaxVarintBytes = 8;

/** Returns what follows it (spec/encoding.md, "Varint"). */
inline uint8_t* WriteVarint(uint8_t* out, uint64_t value) {
  while (value > 0x7f) {
    *out++ = static_cast<uint8_t>(value) | 0x80;
    value >>= 7;
  }
  *out++ = static_cast<uint8_t>(value);
  return out;
}

/** Major types of CBOR, in their place in the head. */
constexpr uint8_t kUnsigned = 0x00;
constexpr uint8_t kBytes = 0x40;
constexpr uint8_t kText = 0x60;
constexpr uint8_t kArray = 0x80;
constexpr size_t kMaxHeadBytes = 5;

/** The shortest head of a CBOR item. Returns what follows it. */
inline uint8_t* WriteHead(uint8_t* out, uint8_t major, uint32_t value) {
  if (value < 24) {
    *out++ = static_cast<uint8_t>(major | value);
    return out;
  }
  const int width = value < 0x100 ? 1 : value < 0x10000 ? 2 : 4;
  *out++ = static_cast<uint8_t>(major | (width == 4 ? 26 : 23 + width));
  for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) *out++ = static_cast<uint8_t>(value >> shift);
  return out;
}

}  // namespace witnessmark::sealing
