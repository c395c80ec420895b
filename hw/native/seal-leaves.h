// Seals all leaves of a chunk or of a journal block in one go, as agent/chunk/portable-sealing.ts does it.
// Implements spec/leaf.md, spec/chunk-body.md, spec/journal-block.md ("Journal file").
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "seal-bytes.h"
#include "seal-cipher.h"
#include "seal-deflate.h"
#include "seal-key-tree.h"
#include "seal-layout.h"
#include "seal-order.h"
#include "seal-routes.h"
#include "seal-rows.h"
#include "seal-tree.h"

namespace witnessmark::sealing {

constexpr size_t kMaxNameBytes = 300;
constexpr uint32_t kMaxStreams = 1 << 20;
constexpr size_t kMaxPayloadBytes = 16 << 20;
/** Of `records/order`, made from the frames. */
constexpr char kOrderStream[] = "records/order";

/** Where leaves stand. Bytes are borrowed for the call. */
struct Place {
  const uint8_t* tag;
  uint32_t seq;
  const uint8_t* nonce;
};

/** A leaf that does not follow from the frames; its ordinal is one that was added. */
struct RecordsLeaf {
  uint32_t ordinal;
  uint32_t count;
  const uint8_t* payload;
  size_t length;
};

/** Borrowed until the next call. */
struct Sealed {
  uint8_t root[kHashBytes];
  uint32_t entryCount;
  const uint8_t* body;
  size_t bodyLength;
};

class Leaves {
 public:
  enum class Kind : uint8_t {
    /** Nothing but what is given. */
    kRecords,
    /** Raw, with the id that its name implies. */
    kId,
    /** Raw, without one. */
    kRaw,
  };

  /** At most `kMaxStreams`; a name has at most `kMaxNameBytes`. Of `first` and `nodes` see `KeyTree`. */
  void AddStream(const std::string& name, uint32_t first, const uint8_t* nodes, Kind kind, uint32_t impliedId);
  size_t streamCount() const { return streams_.size(); }
  void SetJournalKeys(uint32_t first, const uint8_t* nodes);
  bool hasJournal() const { return journal_ != nullptr; }
  Routes& routes() { return routes_; }

  Status SealChunk(const Place& place, const Rows& rows, const std::vector<RecordsLeaf>& records, Sealed* out);
  /** With keys of the journal. */
  Status SealBlock(const Place& place, const Rows& rows, const std::vector<RecordsLeaf>& records, Sealed* out);

 private:
  struct Stream {
    std::string name;
    /** What stands before the seq in a leaf's bytes. */
    std::string leafHead;
    Kind kind;
    uint32_t impliedId;
    std::unique_ptr<KeyTree> keys;
  };
  struct Content {
    uint32_t count;
    const uint8_t* payload;
    size_t length;
  };

  Status Group(const Rows& rows);
  Status ContentOf(uint32_t ordinal, const Rows& rows, const RecordsLeaf* given, Content* out);
  void OrderContent(const Rows& rows, Content* out);
  /** Adds the leaf's entry to the tree. False for a seq that was passed. */
  bool Hash(uint32_t ordinal, const Place& place, const Content& content, LeafSecrets* secrets);
  void SortByName();

  std::vector<Stream> streams_;
  std::unique_ptr<KeyTree> journal_;
  Routes routes_;
  uint32_t order_ = kNoOrdinal;
  /** Ordinals of raw streams in the order of their names; made anew when streams came. */
  std::vector<uint32_t> rawByName_;

  RawLayout layout_;
  ArrivalOrder arrivalOrder_;
  Cipher cipher_;
  Deflate deflate_;
  EntryTree tree_;

  // Of one call. By row from `from` on:
  std::vector<uint32_t> ordinals_;
  std::vector<uint32_t> arrived_;
  // Rows and their stamps, by stream; the rows of a stream begin at its start.
  std::vector<uint32_t> grouped_;
  std::vector<int64_t> times_;
  std::vector<uint32_t> starts_;
  std::vector<uint32_t> next_;
  std::vector<uint32_t> places_;
  std::vector<ArrivalOrder::Stream> sounding_;
  std::vector<const RecordsLeaf*> given_;
  std::vector<uint32_t> lengths_;
  Bytes payload_;
  Scratch leafBytes_;
  Scratch packed_;
  Bytes sealed_;
  Bytes body_;
};

}  // namespace witnessmark::sealing
