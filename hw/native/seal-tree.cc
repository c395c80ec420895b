#include "seal-tree.h"

#include <algorithm>
#include <cstring>

namespace witnessmark::sealing {

EntryTree::Entry* EntryTree::Add() {
  entries_.emplace_back();
  return &entries_.back();
}

void EntryTree::Root(uint8_t* out) {
  places_.clear();
  for (uint32_t i = 0; i < entries_.size(); i++) {
    uint64_t start;
    std::memcpy(&start, entries_[i].handle, sizeof start);
    places_.push_back({__builtin_bswap64(start), i});
  }
  std::sort(places_.begin(), places_.end(), [this](const Place& a, const Place& b) {
    if (a.start != b.start) return a.start < b.start;
    return std::memcmp(&entries_[a.index], &entries_[b.index], sizeof(Entry)) < 0;
  });
  size_t width = entries_.size();
  if (width == 0) {
    Sha256(nullptr, 0, out);
    return;
  }
  nodes_.resize(width * kHashBytes);
  uint8_t leaf[1 + sizeof(Entry)] = {0};
  for (size_t i = 0; i < width; i++) {
    std::memcpy(leaf + 1, &entries_[places_[i].index], sizeof(Entry));
    Sha256(leaf, sizeof leaf, &nodes_[i * kHashBytes]);
  }
  uint8_t inner[1 + 2 * kHashBytes] = {1};
  for (; width > 1; width = (width + 1) / 2) {
    for (size_t i = 0; i + 1 < width; i += 2) {
      std::memcpy(inner + 1, &nodes_[i * kHashBytes], 2 * kHashBytes);
      Sha256(inner, sizeof inner, &nodes_[i / 2 * kHashBytes]);
    }
    // An odd last node moves up as it is.
    if (width % 2 == 1) std::memmove(&nodes_[width / 2 * kHashBytes], &nodes_[(width - 1) * kHashBytes], kHashBytes);
  }
  std::memcpy(out, nodes_.data(), kHashBytes);
}

}  // namespace witnessmark::sealing
