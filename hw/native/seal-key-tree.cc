#include "seal-key-tree.h"

#include <openssl/crypto.h>

#include <cstring>

#include "seal-hash.h"

namespace witnessmark::sealing {

constexpr size_t kPrefixBytes = 8;

namespace {

/** Of the highest node that begins at this seq. */
int DepthOf(uint32_t first) { return first == 0 ? 0 : 32 - __builtin_ctz(first); }

bool GoesRight(uint32_t seq, int depth) { return ((seq >> (31 - depth)) & 1) != 0; }

}  // namespace

size_t KeyTree::NodeCount(uint32_t first) {
  size_t count = 1;
  for (int depth = DepthOf(first) - 1; depth >= 0; depth--) count += GoesRight(first, depth) ? 0 : 1;
  return count;
}

KeyTree::KeyTree(uint32_t first, const uint8_t* nodes) : seq_(first), depth_(DepthOf(first)) {
  std::memcpy(node_, nodes, kNodeBytes);
  for (int depth = depth_ - 1; depth >= 0; depth--) {
    if (GoesRight(first, depth)) continue;
    nodes += kNodeBytes;
    std::memcpy(right_[depth], nodes, kNodeBytes);
  }
}

KeyTree::~KeyTree() {
  OPENSSL_cleanse(node_, sizeof node_);
  OPENSSL_cleanse(right_, sizeof right_);
}

const uint8_t* KeyTree::NodeOf(uint32_t seq) {
  if (seq < seq_) return nullptr;
  // Above the highest bit in which they differ the ways are one; there the old one goes left and the new one right.
  const int apart = seq == seq_ ? kDepth : __builtin_clz(seq ^ seq_);
  if (apart < depth_) {
    std::memcpy(node_, right_[apart], kNodeBytes);
    // The first of them has become the node; those below it cover what lies between the two seqs.
    OPENSSL_cleanse(right_[apart], static_cast<size_t>(depth_ - apart) * kNodeBytes);
    depth_ = apart + 1;
  }
  seq_ = seq;
  if (depth_ == kDepth) return node_;
  uint8_t input[kPrefixBytes + kNodeBytes] = {'w', 'm', 'k', '-', 'n', 'o', 'd', 'e'};
  uint8_t children[2 * kNodeBytes];
  for (; depth_ < kDepth; depth_++) {
    std::memcpy(input + kPrefixBytes, node_, kNodeBytes);
    Sha512(input, sizeof input, children);
    const bool goesRight = GoesRight(seq, depth_);
    if (!goesRight) std::memcpy(right_[depth_], children + kNodeBytes, kNodeBytes);
    std::memcpy(node_, children + (goesRight ? kNodeBytes : 0), kNodeBytes);
  }
  OPENSSL_cleanse(input, sizeof input);
  OPENSSL_cleanse(children, sizeof children);
  return node_;
}

bool KeyTree::Secrets(uint32_t seq, const uint8_t* nonce, LeafSecrets* out) {
  const uint8_t* const node = NodeOf(seq);
  if (node == nullptr) return false;
  uint8_t input[kPrefixBytes + kNodeBytes + kNonceBytes] = {'w', 'm', 'k', '-', 'l', 'e', 'a', 'f'};
  std::memcpy(input + kPrefixBytes, node, kNodeBytes);
  std::memcpy(input + kPrefixBytes + kNodeBytes, nonce, kNonceBytes);
  Sha512(input, sizeof input, out->key);
  OPENSSL_cleanse(input, sizeof input);
  return true;
}

}  // namespace witnessmark::sealing
