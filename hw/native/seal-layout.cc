#include "seal-layout.h"

#include <algorithm>

namespace witnessmark::sealing {

namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bytes of a frame are taken as one number");

constexpr uint8_t kKindExplicitId = 0x40;
constexpr uint8_t kKindRtr = 0x20;
constexpr uint8_t kKindRawDlc = 0x10;
constexpr uint8_t kKindFlags = 0x0f;
constexpr uint8_t kManyShapes = 0x80;
constexpr uint8_t kUnitNs = 0x80;
constexpr int64_t kNsPerUs = 1000;
constexpr uint32_t kMaxShapeBytes = 7;

/** A classic frame has none, whatever lies in its padding. */
uint8_t RecordedFlags(uint8_t flags) { return (flags & kFdFlag) == 0 ? 0 : flags & (kFdFlag | kKindFlags); }

/** Bytes that an unsigned integer needs; none for zero. */
int BytesFor(uint64_t value) { return value == 0 ? 0 : (71 - __builtin_clzll(value)) / 8; }

uint64_t Zigzag(int64_t value) {
  return value >= 0 ? static_cast<uint64_t>(value) * 2 : static_cast<uint64_t>(-value) * 2 - 1;
}

/** One number for what frames of a shape share. */
uint64_t ShapeKey(const Rows& rows, uint32_t row) {
  return (static_cast<uint64_t>(rows.id[row]) << 24) | (static_cast<uint64_t>(RecordedFlags(rows.flags[row])) << 16) |
         (static_cast<uint64_t>(rows.length[row]) << 8) | rows.rawDlc[row];
}

bool IsFrame(uint8_t kind, uint8_t length, uint8_t rawDlc) {
  if ((kind & kFdFlag) != 0) return length <= 64 && rawDlc == 0;
  if (length > 8 || (kind & kKindFlags) != 0) return false;
  return rawDlc == 0 || (length == 8 && rawDlc >= 9 && rawDlc <= 15);
}

/** Each byte of a minus that of b, without a borrow from its neighbour. */
uint64_t BytewiseDifference(uint64_t a, uint64_t b) {
  constexpr uint64_t kHigh = 0x8080808080808080;
  return ((a | kHigh) - (b & ~kHigh)) ^ ((a ^ ~b) & kHigh);
}

}  // namespace

Status RawLayout::Encode(const Rows& rows, const uint32_t* indexes, uint32_t count, bool hasImpliedId,
                         uint32_t impliedId, Bytes* out) {
  const Status status = FindShapes(rows, indexes, count, hasImpliedId, impliedId);
  if (status != Status::kOk) return status;
  uint32_t width = 0;
  for (const Shape& shape : shapes_) width = std::max<uint32_t>(width, shape.dataBytes);
  const size_t most = 256 + shapes_.size() * kMaxShapeBytes + static_cast<size_t>(count) * (3 + 7 + width);
  uint8_t* const start = out->Room(most);
  uint8_t* at = WriteShapes(start, count);
  at = WriteTimes(at, rows, indexes, count);
  if (at == nullptr) return Status::kRawStamp;
  for (uint32_t r = 0; r < count; r++) {
    const uint32_t row = indexes[r];
    const uint64_t end = static_cast<uint64_t>(rows.dataAt[row]) + DataBytes(rows.id[row], rows.length[row]);
    if (end > rows.dataLength) return Status::kOutside;
  }
  at = shapes_.size() == 1 && width <= 8 ? WriteShortData(at, rows, indexes, count, width)
                                         : WriteData(at, rows, indexes, count);
  out->Took(static_cast<size_t>(at - start));
  return Status::kOk;
}

Status RawLayout::FindShapes(const Rows& rows, const uint32_t* indexes, uint32_t count, bool hasImpliedId,
                             uint32_t impliedId) {
  shapes_.clear();
  keys_.clear();
  // Most streams have one shape: where it stops, the table of shapes begins.
  const uint64_t first = ShapeKey(rows, indexes[0]);
  uint32_t r = 1;
  while (r < count && ShapeKey(rows, indexes[r]) == first) r++;
  const bool isOne = r == count;
  if (!isOne) shapeOf_.resize(std::max<size_t>(shapeOf_.size(), count));
  table_.assign(isOne ? 0 : 64, 0);
  for (r = 0; r < (isOne ? 1 : count); r++) {
    const uint32_t row = indexes[r];
    const uint64_t key = ShapeKey(rows, row);
    const uint32_t known = static_cast<uint32_t>(shapes_.size());
    const uint32_t place = isOne ? 0 : PlaceOfShape(key);
    if (!isOne) shapeOf_[r] = place;
    if (place != known) continue;
    const uint32_t id = rows.id[row];
    const bool isData = hasImpliedId && id == impliedId;
    const bool isRemote = hasImpliedId && id == (impliedId | kRtrFlag);
    const uint8_t rawDlc = rows.rawDlc[row];
    const uint8_t length = rows.length[row];
    const uint8_t kind = static_cast<uint8_t>(
        RecordedFlags(rows.flags[row]) | (isData || isRemote ? 0 : kKindExplicitId) | (isRemote ? kKindRtr : 0) |
        (rawDlc == 0 ? 0 : kKindRawDlc));
    if (!IsFrame(kind, length, rawDlc) || (hasImpliedId && StreamKey(id) != impliedId)) return Status::kRawShape;
    shapes_.push_back({kind, length, rawDlc, static_cast<uint8_t>(DataBytes(id, length)), id});
  }
  return Status::kOk;
}

/** The number of the shape, which is the next one when it is new. */
uint32_t RawLayout::PlaceOfShape(uint64_t key) {
  const auto slotOf = [this](uint64_t of) {
    return static_cast<size_t>((of * 0x9e3779b97f4a7c15) >> 32) & (table_.size() - 1);
  };
  if (keys_.size() * 2 >= table_.size()) {
    table_.assign(table_.size() * 4, 0);
    for (uint32_t i = 0; i < keys_.size(); i++) {
      size_t slot = slotOf(keys_[i]);
      while (table_[slot] != 0) slot = (slot + 1) & (table_.size() - 1);
      table_[slot] = i + 1;
    }
  }
  size_t slot = slotOf(key);
  for (; table_[slot] != 0; slot = (slot + 1) & (table_.size() - 1)) {
    if (keys_[table_[slot] - 1] == key) return table_[slot] - 1;
  }
  keys_.push_back(key);
  table_[slot] = static_cast<uint32_t>(keys_.size());
  return table_[slot] - 1;
}

uint8_t* RawLayout::WriteShapes(uint8_t* out, uint32_t count) const {
  if (shapes_.size() == 1 && shapes_[0].kind == 0) {
    *out++ = shapes_[0].length;
    return out;
  }
  *out++ = kManyShapes;
  out = WriteVarint(out, shapes_.size());
  for (const Shape& shape : shapes_) {
    *out++ = shape.kind;
    *out++ = shape.length;
    if ((shape.kind & kKindRawDlc) != 0) *out++ = shape.rawDlc;
    if ((shape.kind & kKindExplicitId) != 0) {
      for (int shift = 24; shift >= 0; shift -= 8) *out++ = static_cast<uint8_t>(shape.id >> shift);
    }
  }
  for (int shift = 8 * (BytesFor(shapes_.size() - 1) - 1); shift >= 0; shift -= 8) {
    for (uint32_t r = 0; r < count; r++) *out++ = static_cast<uint8_t>(shapeOf_[r] >> shift);
  }
  return out;
}

/** Differences of differences: a periodic frame leaves its jitter alone. */
uint8_t* RawLayout::WriteTimes(uint8_t* out, const Rows& rows, const uint32_t* indexes, uint32_t count) {
  values_.resize(std::max<size_t>(values_.size(), count));
  bool isWholeUs = true;
  for (uint32_t r = 0; r < count; r++) {
    const int64_t offset = rows.Offset(indexes[r]);
    if (offset > kMaxOffsetNs || offset < -kMaxOffsetNs) return nullptr;
    isWholeUs = isWholeUs && offset % kNsPerUs == 0;
    values_[r] = static_cast<uint64_t>(offset);
  }
  int64_t previous = 0;
  int64_t delta = 0;
  uint64_t all = 0;
  for (uint32_t r = 0; r < count; r++) {
    const int64_t offset = static_cast<int64_t>(values_[r]);
    const int64_t time = isWholeUs ? offset / kNsPerUs : offset;
    const int64_t change = time - previous;
    values_[r] = Zigzag(r < 2 ? change : change - delta);
    all |= values_[r];
    previous = time;
    delta = change;
  }
  const int width = BytesFor(all);
  *out++ = static_cast<uint8_t>(width | (isWholeUs ? 0 : kUnitNs));
  for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) {
    for (uint32_t r = 0; r < count; r++) out[r] = static_cast<uint8_t>(values_[r] >> shift);
    out += count;
  }
  return out;
}

/** A plane is one byte position; one that never changes is written once. */
uint8_t* RawLayout::WriteData(uint8_t* out, const Rows& rows, const uint32_t* indexes, uint32_t count) const {
  uint32_t width = 0;
  for (const Shape& shape : shapes_) width = std::max<uint32_t>(width, shape.dataBytes);
  const bool isUniform = shapes_.size() == 1;
  uint8_t* const bitmap = out;
  uint8_t* const firsts = bitmap + (width + 7) / 8;
  std::memset(bitmap, 0, (width + 7) / 8);
  uint8_t* at = firsts + width;
  for (uint32_t plane = 0; plane < width; plane++) {
    uint8_t* const planeStart = at;
    int previous = -1;
    uint8_t varies = 0;
    for (uint32_t r = 0; r < count; r++) {
      if (!isUniform && shapes_[shapeOf_[r]].dataBytes <= plane) continue;
      const uint8_t byte = rows.data[rows.dataAt[indexes[r]] + plane];
      if (previous < 0) {
        firsts[plane] = byte;
      } else {
        const uint8_t difference = static_cast<uint8_t>(byte - previous);
        varies |= difference;
        *at++ = difference;
      }
      previous = byte;
    }
    if (varies == 0) {
      at = planeStart;
    } else {
      bitmap[plane / 8] = static_cast<uint8_t>(bitmap[plane / 8] | (1 << (plane % 8)));
    }
  }
  return at;
}

uint8_t* RawLayout::WriteShortData(uint8_t* out, const Rows& rows, const uint32_t* indexes, uint32_t count,
                                   uint32_t width) {
  const auto load = [&rows, width](uint32_t row) {
    uint64_t bytes = 0;
    const size_t at = rows.dataAt[row];
    if (at + 8 <= rows.dataLength) {
      std::memcpy(&bytes, rows.data + at, 8);
      return width == 8 ? bytes : bytes & ((uint64_t{1} << (8 * width)) - 1);
    }
    std::memcpy(&bytes, rows.data + at, width);
    return bytes;
  };
  if (width == 0) return out;
  const uint64_t first = load(indexes[0]);
  uint64_t previous = first;
  uint64_t varies = 0;
  for (uint32_t r = 1; r < count; r++) {
    const uint64_t bytes = load(indexes[r]);
    values_[r] = BytewiseDifference(bytes, previous);
    varies |= values_[r];
    previous = bytes;
  }
  uint8_t* const bitmap = out++;
  *bitmap = 0;
  std::memcpy(out, &first, width);
  out += width;
  for (uint32_t plane = 0; plane < width; plane++) {
    const int shift = static_cast<int>(8 * plane);
    if (((varies >> shift) & 0xff) == 0) continue;
    *bitmap = static_cast<uint8_t>(*bitmap | (1 << plane));
    for (uint32_t r = 1; r < count; r++) *out++ = static_cast<uint8_t>(values_[r] >> shift);
  }
  return out;
}

}  // namespace witnessmark::sealing
