#include "seal-leaves.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstring>

namespace witnessmark::sealing {

namespace {

constexpr uint8_t kLeafType = 1;
constexpr uint8_t kJournalBlockType = 8;
constexpr uint8_t kVersion = 0;
constexpr uint32_t kLeafFields = 6;

}  // namespace

void Leaves::AddStream(const std::string& name, uint32_t first, const uint8_t* nodes, Kind kind, uint32_t impliedId) {
  uint8_t head[kMaxHeadBytes] = {};
  const uint8_t* const end = WriteHead(head, kText, static_cast<uint32_t>(name.size()));
  Stream stream;
  stream.name = name;
  stream.leafHead = {static_cast<char>(kArray | kLeafFields), static_cast<char>(kLeafType), static_cast<char>(kVersion)};
  stream.leafHead.append(reinterpret_cast<const char*>(head), static_cast<size_t>(end - head));
  stream.leafHead += name;
  stream.kind = kind;
  stream.impliedId = impliedId;
  stream.keys = std::make_unique<KeyTree>(first, nodes);
  if (name == kOrderStream) order_ = static_cast<uint32_t>(streams_.size());
  streams_.push_back(std::move(stream));
  rawByName_.clear();
}

void Leaves::SetJournalKeys(uint32_t first, const uint8_t* nodes) {
  journal_ = std::make_unique<KeyTree>(first, nodes);
}

Status Leaves::SealChunk(const Place& place, const Rows& rows, const std::vector<RecordsLeaf>& records, Sealed* out) {
  Status status = Group(rows);
  if (status != Status::kOk) return status;
  given_.assign(streams_.size(), nullptr);
  for (const RecordsLeaf& leaf : records) given_[leaf.ordinal] = &leaf;
  tree_.Clear();
  sealed_.Clear();
  lengths_.assign(streams_.size(), 0);
  uint32_t span = 0;
  for (uint32_t ordinal = 0; ordinal < streams_.size(); ordinal++) {
    Content content;
    status = ContentOf(ordinal, rows, given_[ordinal], &content);
    if (status != Status::kOk) return status;
    LeafSecrets secrets;
    if (!Hash(ordinal, place, content, &secrets)) return Status::kPassed;
    if (content.count == 0) {
      OPENSSL_cleanse(&secrets, sizeof secrets);
      continue;
    }
    uint8_t* const packed = packed_.Reserve(2 * kMaxVarintBytes + Deflate::RoomFor(content.length));
    uint8_t* const deflated = packed + 2 * kMaxVarintBytes;
    const size_t smaller = deflate_.Pack(content.payload, content.length, deflated);
    if (smaller == 0) std::memcpy(deflated, content.payload, content.length);
    // The two integers end where the body begins.
    uint8_t heads[2 * kMaxVarintBytes] = {};
    const uint32_t inflatedLength = smaller == 0 ? 0 : static_cast<uint32_t>(content.length);
    const size_t headLength =
        static_cast<size_t>(WriteVarint(WriteVarint(heads, content.count), inflatedLength) - heads);
    uint8_t* const plain = deflated - headLength;
    std::memcpy(plain, heads, headLength);
    const size_t plainLength = headLength + (smaller == 0 ? content.length : smaller);
    cipher_.Seal(secrets.key, kLeafType, place.tag, place.seq, secrets.handle, plain, plainLength,
                 sealed_.Room(plainLength + kSealBytes));
    sealed_.Took(plainLength + kSealBytes);
    lengths_[ordinal] = static_cast<uint32_t>(plainLength + kSealBytes);
    span = ordinal + 1;
    OPENSSL_cleanse(&secrets, sizeof secrets);
  }

  const size_t bitmapLength = (span + 7) / 8;
  body_.Clear();
  uint8_t* const start = body_.Room(kMaxVarintBytes * (1 + span) + bitmapLength + sealed_.size());
  uint8_t* const bitmap = WriteVarint(start, span);
  std::memset(bitmap, 0, bitmapLength);
  uint8_t* at = bitmap + bitmapLength;
  for (uint32_t ordinal = 0; ordinal < span; ordinal++) {
    if (lengths_[ordinal] == 0) continue;
    bitmap[ordinal / 8] = static_cast<uint8_t>(bitmap[ordinal / 8] | (1 << (ordinal % 8)));
    at = WriteVarint(at, lengths_[ordinal]);
  }
  if (sealed_.size() > 0) std::memcpy(at, sealed_.data(), sealed_.size());
  body_.Took(static_cast<size_t>(at - start) + sealed_.size());
  tree_.Root(out->root);
  out->entryCount = tree_.count();
  out->body = body_.data();
  out->bodyLength = body_.size();
  return Status::kOk;
}

Status Leaves::SealBlock(const Place& place, const Rows& rows, const std::vector<RecordsLeaf>& records, Sealed* out) {
  Status status = Group(rows);
  if (status != Status::kOk) return status;
  given_.assign(streams_.size(), nullptr);
  for (const RecordsLeaf& leaf : records) given_[leaf.ordinal] = &leaf;
  tree_.Clear();
  sealed_.Clear();
  for (uint32_t ordinal = 0; ordinal < streams_.size(); ordinal++) {
    const bool isRaw = streams_[ordinal].kind != Kind::kRecords;
    if (isRaw && given_[ordinal] == nullptr && starts_[ordinal] == starts_[ordinal + 1]) continue;
    Content content;
    status = ContentOf(ordinal, rows, given_[ordinal], &content);
    if (status != Status::kOk) return status;
    if (content.count == 0) continue;
    LeafSecrets secrets;
    if (!Hash(ordinal, place, content, &secrets)) return Status::kPassed;
    OPENSSL_cleanse(&secrets, sizeof secrets);
    // Never compressed: what a block's key encrypts must follow from the leaf alone.
    uint8_t heads[kMaxVarintBytes + 1] = {};
    uint8_t* const headsEnd = WriteVarint(WriteVarint(heads, content.count), 0);
    const size_t headLength = static_cast<size_t>(headsEnd - heads);
    uint8_t* const start = sealed_.Room(1 + 2 * kMaxHeadBytes + headLength + content.length);
    uint8_t* at = start;
    *at++ = kArray | 2;
    at = WriteHead(at, kUnsigned, ordinal);
    at = WriteHead(at, kBytes, static_cast<uint32_t>(headLength + content.length));
    std::memcpy(at, heads, headLength);
    std::memcpy(at + headLength, content.payload, content.length);
    sealed_.Took(static_cast<size_t>(at - start) + headLength + content.length);
  }

  uint8_t* const plain = packed_.Reserve(kMaxHeadBytes + sealed_.size());
  uint8_t* const leaves = WriteHead(plain, kArray, tree_.count());
  if (sealed_.size() > 0) std::memcpy(leaves, sealed_.data(), sealed_.size());
  const size_t plainLength = static_cast<size_t>(leaves - plain) + sealed_.size();
  LeafSecrets secrets;
  if (!journal_->Secrets(place.seq, place.nonce, &secrets)) return Status::kPassed;
  body_.Clear();
  cipher_.Seal(secrets.key, kJournalBlockType, place.tag, place.seq, secrets.handle, plain, plainLength,
               body_.Room(plainLength + kSealBytes));
  body_.Took(plainLength + kSealBytes);
  OPENSSL_cleanse(&secrets, sizeof secrets);
  tree_.Root(out->root);
  out->entryCount = tree_.count();
  out->body = body_.data();
  out->bodyLength = body_.size();
  return Status::kOk;
}

/** Puts rows into streams: rows by stream, in recorded order. */
Status Leaves::Group(const Rows& rows) {
  const uint32_t count = rows.count();
  ordinals_.resize(std::max<size_t>(ordinals_.size(), count));
  starts_.assign(streams_.size() + 1, 0);
  for (uint32_t i = 0; i < count; i++) {
    const uint8_t bus = rows.bus[rows.from + i];
    if (bus >= routes_.busCount()) return Status::kOutside;
    const uint32_t ordinal = routes_.OrdinalOf(bus, rows.id[rows.from + i]);
    if (ordinal == kNoOrdinal) return Status::kStranger;
    ordinals_[i] = ordinal;
    starts_[ordinal + 1] += 1;
  }
  for (size_t s = 1; s < starts_.size(); s++) starts_[s] += starts_[s - 1];
  next_.assign(starts_.begin(), starts_.end());
  grouped_.resize(std::max<size_t>(grouped_.size(), count));
  times_.resize(std::max<size_t>(times_.size(), count));
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t at = next_[ordinals_[i]]++;
    grouped_[at] = rows.from + i;
    times_[at] = rows.Offset(rows.from + i);
  }
  return Status::kOk;
}

Status Leaves::ContentOf(uint32_t ordinal, const Rows& rows, const RecordsLeaf* given, Content* out) {
  if (given != nullptr) {
    *out = {given->count, given->payload, given->length};
    return Status::kOk;
  }
  *out = {0, nullptr, 0};
  if (ordinal == order_) {
    OrderContent(rows, out);
    return Status::kOk;
  }
  const Stream& stream = streams_[ordinal];
  const uint32_t count = starts_[ordinal + 1] - starts_[ordinal];
  if (stream.kind == Kind::kRecords || count == 0) return Status::kOk;
  payload_.Clear();
  const Status status = layout_.Encode(rows, &grouped_[starts_[ordinal]], count, stream.kind == Kind::kId,
                                       stream.impliedId, &payload_);
  *out = {count, payload_.data(), payload_.size()};
  return status;
}

void Leaves::OrderContent(const Rows& rows, Content* out) {
  SortByName();
  sounding_.clear();
  places_.resize(streams_.size());
  for (const uint32_t ordinal : rawByName_) {
    const uint32_t start = starts_[ordinal];
    const uint32_t count = starts_[ordinal + 1] - start;
    if (count == 0) continue;
    places_[ordinal] = static_cast<uint32_t>(sounding_.size());
    sounding_.push_back({&times_[start], count});
  }
  arrived_.resize(std::max<size_t>(arrived_.size(), rows.count()));
  for (uint32_t i = 0; i < rows.count(); i++) arrived_[i] = places_[ordinals_[i]];
  payload_.Clear();
  const uint32_t departures = arrivalOrder_.Encode(sounding_, arrived_.data(), rows.count(), &payload_);
  *out = {departures, payload_.data(), payload_.size()};
}

bool Leaves::Hash(uint32_t ordinal, const Place& place, const Content& content, LeafSecrets* secrets) {
  Stream& stream = streams_[ordinal];
  if (!stream.keys->Secrets(place.seq, place.nonce, secrets)) return false;
  uint8_t* const start =
      leafBytes_.Reserve(1 + kSaltBytes + stream.leafHead.size() + 3 * kMaxHeadBytes + content.length);
  uint8_t* at = start;
  *at++ = 0;
  std::memcpy(at, secrets->salt, kSaltBytes);
  at += kSaltBytes;
  std::memcpy(at, stream.leafHead.data(), stream.leafHead.size());
  at = WriteHead(at + stream.leafHead.size(), kUnsigned, place.seq);
  at = WriteHead(at, kUnsigned, content.count);
  at = WriteHead(at, kBytes, static_cast<uint32_t>(content.length));
  if (content.length > 0) std::memcpy(at, content.payload, content.length);
  EntryTree::Entry* const entry = tree_.Add();
  std::memcpy(entry->handle, secrets->handle, kHandleBytes);
  Sha256(start, static_cast<size_t>(at - start) + content.length, entry->leafHash);
  return true;
}

void Leaves::SortByName() {
  if (!rawByName_.empty()) return;
  for (uint32_t i = 0; i < streams_.size(); i++) {
    if (streams_[i].kind != Kind::kRecords) rawByName_.push_back(i);
  }
  std::sort(rawByName_.begin(), rawByName_.end(),
            [this](uint32_t a, uint32_t b) { return streams_[a].name < streams_[b].name; });
}

}  // namespace witnessmark::sealing
