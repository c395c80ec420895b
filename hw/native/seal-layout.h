// The payload of a raw leaf: the frames of one stream in columns. Implements spec/raw-payload.md.
#pragma once
#include <cstdint>
#include <vector>

#include "seal-bytes.h"
#include "seal-rows.h"

namespace witnessmark::sealing {

class RawLayout {
 public:
  /**
   * Writes the payload of these rows at the end of `out`. `indexes`: at least one, in recorded order. `impliedId`: the
   * CAN id that the stream's name implies, if it `hasImpliedId`.
   */
  Status Encode(const Rows& rows, const uint32_t* indexes, uint32_t count, bool hasImpliedId, uint32_t impliedId,
                Bytes* out);

 private:
  struct Shape {
    uint8_t kind;
    uint8_t length;
    uint8_t rawDlc;
    uint8_t dataBytes;
    uint32_t id;
  };

  Status FindShapes(const Rows& rows, const uint32_t* indexes, uint32_t count, bool hasImpliedId, uint32_t impliedId);
  uint32_t PlaceOfShape(uint64_t key);
  uint8_t* WriteShapes(uint8_t* out, uint32_t count) const;
  /** Null when a stamp lies outside. */
  uint8_t* WriteTimes(uint8_t* out, const Rows& rows, const uint32_t* indexes, uint32_t count);
  uint8_t* WriteData(uint8_t* out, const Rows& rows, const uint32_t* indexes, uint32_t count) const;
  /** The same for frames that all carry the same number of bytes, at most eight. */
  uint8_t* WriteShortData(uint8_t* out, const Rows& rows, const uint32_t* indexes, uint32_t count, uint32_t width);

  std::vector<Shape> shapes_;
  std::vector<uint64_t> keys_;
  /** Numbers of shapes by hash of their keys, plus one; as many places as a power of two. */
  std::vector<uint32_t> table_;
  std::vector<uint32_t> shapeOf_;
  std::vector<uint64_t> values_;
};

}  // namespace witnessmark::sealing
