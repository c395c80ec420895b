#include "seal-key-tree.h"

#include <openssl/crypto.h>

#include <cstring>

#include "seal-hash.h"

namespace witnessmark::sealing {

constexpr size_t kPrefixBytes = 8;

KeyTree::KeyTree(const uint8_t* root) { std::memcpy(root_, root, kNodeBytes); }

KeyTree::~KeyTree() {
  OPENSSL_cleanse(root_, sizeof root_);
  OPENSSL_cleanse(node_, sizeof node_);
  OPENSSL_cleanse(right_, sizeof right_);
}

const uint8_t* KeyTree::NodeOf(uint32_t seq) {
  if (hasNode_ && seq == seq_) return node_;
  int depth = 0;
  const uint8_t* from = root_;
  if (hasNode_ && seq > seq_) {
    // Above the highest bit in which they differ the ways are one; there the old one goes left and the new one right.
    const int apart = __builtin_clz(seq ^ seq_);
    from = right_[apart];
    depth = apart + 1;
  }
  if (from != node_) std::memcpy(node_, from, kNodeBytes);
  uint8_t input[kPrefixBytes + kNodeBytes] = {'w', 'm', 'k', '-', 'n', 'o', 'd', 'e'};
  uint8_t children[2 * kNodeBytes];
  for (; depth < kDepth; depth++) {
    std::memcpy(input + kPrefixBytes, node_, kNodeBytes);
    Sha512(input, sizeof input, children);
    const bool goesRight = ((seq >> (kDepth - 1 - depth)) & 1) != 0;
    if (!goesRight) std::memcpy(right_[depth], children + kNodeBytes, kNodeBytes);
    std::memcpy(node_, children + (goesRight ? kNodeBytes : 0), kNodeBytes);
  }
  OPENSSL_cleanse(input, sizeof input);
  OPENSSL_cleanse(children, sizeof children);
  seq_ = seq;
  hasNode_ = true;
  return node_;
}

void KeyTree::Secrets(uint32_t seq, const uint8_t* nonce, LeafSecrets* out) {
  uint8_t input[kPrefixBytes + kNodeBytes + kNonceBytes] = {'w', 'm', 'k', '-', 'l', 'e', 'a', 'f'};
  std::memcpy(input + kPrefixBytes, NodeOf(seq), kNodeBytes);
  std::memcpy(input + kPrefixBytes + kNodeBytes, nonce, kNonceBytes);
  Sha512(input, sizeof input, out->key);
  OPENSSL_cleanse(input, sizeof input);
}

}  // namespace witnessmark::sealing
