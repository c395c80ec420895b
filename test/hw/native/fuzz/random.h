// Deterministic randomness: a target's round gives the same bytes on every machine.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace fuzz {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  /** SplitMix64. */
  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
  }

  /** 0 to `limit` - 1. */
  uint64_t Below(uint64_t limit) { return Next() % limit; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }

  /** Mostly numbers at which something changes. */
  uint64_t Number() {
    static constexpr uint64_t kEdges[] = {0,     1,      2,      3,          4,          7,         8,
                                          9,     15,     16,     17,         63,         64,        65,
                                          71,    72,     73,     127,        128,        255,       256,
                                          32767, 65535,  65536,  0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff,
                                          1u << 31, UINT64_MAX};
    if (OneIn(4)) return Next();
    return kEdges[Below(sizeof kEdges / sizeof *kEdges)];
  }

  void Fill(uint8_t* bytes, size_t length) {
    for (size_t i = 0; i < length; i++) bytes[i] = static_cast<uint8_t>(Next());
  }

 private:
  uint64_t state_;
};

/** A copy on the heap of exactly its length, so that the sanitizer sees a read past its end. */
class Exact {
 public:
  explicit Exact(const std::vector<uint8_t>& bytes) : bytes_(new uint8_t[bytes.size()]), length_(bytes.size()) {
    for (size_t i = 0; i < length_; i++) bytes_[i] = bytes[i];
  }
  uint8_t* bytes() { return bytes_.get(); }
  size_t length() const { return length_; }

 private:
  std::unique_ptr<uint8_t[]> bytes_;
  size_t length_;
};

/** A few of: bits turned, bytes set, a piece cut out, doubled or cut off. */
inline void Mutate(Random* random, std::vector<uint8_t>* bytes) {
  for (uint64_t n = random->Below(6); n > 0 && !bytes->empty(); n--) {
    const size_t at = random->Below(bytes->size());
    switch (random->Below(5)) {
      case 0:
        (*bytes)[at] ^= static_cast<uint8_t>(1u << random->Below(8));
        break;
      case 1:
        (*bytes)[at] = static_cast<uint8_t>(random->Number());
        break;
      case 2:
        bytes->resize(at);
        break;
      case 3:
        bytes->erase(bytes->begin() + static_cast<long>(at));
        break;
      default: {
        const std::vector<uint8_t> tail(bytes->begin() + static_cast<long>(at), bytes->end());
        if (bytes->size() < 4096) bytes->insert(bytes->end(), tail.begin(), tail.end());
      }
    }
  }
}

}  // namespace fuzz
