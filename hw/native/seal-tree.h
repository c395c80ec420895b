// The tree over the entries of a chunk or block. Implements spec/leaf.md, "Leaf bytes", and spec/merkle.md, "Root".
#pragma once
#include <cstdint>
#include <vector>

#include "seal-hash.h"
#include "seal-key-tree.h"

namespace witnessmark::sealing {

class EntryTree {
 public:
  struct Entry {
    uint8_t handle[kHandleBytes];
    uint8_t leafHash[kHashBytes];
  };

  void Clear() { entries_.clear(); }
  /** Whoever asks for it writes the entry. */
  Entry* Add();
  uint32_t count() const { return static_cast<uint32_t>(entries_.size()); }
  /** The root over the entries in ascending order. */
  void Root(uint8_t* out);

 private:
  struct Place {
    /** The first bytes of the handle as a number: handles are random, so it nearly always decides. */
    uint64_t start;
    uint32_t index;
  };

  std::vector<Entry> entries_;
  std::vector<Place> places_;
  std::vector<uint8_t> nodes_;
};

}  // namespace witnessmark::sealing
