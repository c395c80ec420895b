// Frames as JavaScript has them in columns, and what can be wrong with them.
#pragma once
#include <cstddef>
#include <cstdint>

namespace witnessmark::sealing {

constexpr uint32_t kEffFlag = 0x80000000;
constexpr uint32_t kRtrFlag = 0x40000000;
constexpr uint32_t kErrFlag = 0x20000000;
/** In `flags`: CAN FD frame. */
constexpr uint8_t kFdFlag = 0x80;

/** Most frames of a chunk, and so of a leaf. */
constexpr uint32_t kMaxRows = 1 << 17;

enum class Status {
  kOk,
  /** No frame has such flags, id and length. */
  kRawShape,
  /** A stamp lies too far from the base. */
  kRawStamp,
  /** A frame's stream was not added. */
  kStranger,
  /** A frame's bus or data is not there. */
  kOutside,
  /** A seq below the one before: its keys are gone. */
  kPassed,
};

/** Rows `from` to `to` of the columns of core/frame.ts, borrowed for one call. */
struct Rows {
  const double* offsetNs;
  const uint8_t* bus;
  const uint32_t* id;
  const uint8_t* flags;
  const uint8_t* length;
  const uint8_t* rawDlc;
  const uint32_t* dataAt;
  const uint8_t* data;
  size_t dataLength;
  uint32_t from;
  uint32_t to;
  double shiftNs;

  uint32_t count() const { return to - from; }
  /** Against the base of the leaves; beyond what a leaf may hold it is cut off to what a leaf refuses. */
  int64_t Offset(uint32_t row) const;
};

/** Stamps lie within this of the base. */
constexpr int64_t kMaxOffsetNs = int64_t{1} << 50;

inline int64_t Rows::Offset(uint32_t row) const {
  const double offset = offsetNs[row] + shiftNs;
  if (offset >= -static_cast<double>(kMaxOffsetNs) && offset <= static_cast<double>(kMaxOffsetNs)) {
    return static_cast<int64_t>(offset);
  }
  return offset < 0 ? -kMaxOffsetNs - 1 : kMaxOffsetNs + 1;
}

/** Bytes that a frame carries: an RTR frame names a length and carries none. */
inline uint32_t DataBytes(uint32_t id, uint8_t length) { return (id & kRtrFlag) == 0 ? length : 0; }

/** Equal for the frames of one stream of a bus (core/stream.ts, `streamKey`). */
inline uint32_t StreamKey(uint32_t id) {
  if ((id & kErrFlag) != 0) return kErrFlag;
  return (id & kEffFlag) != 0 ? id & 0x9fffffff : id & 0x7ff;
}

}  // namespace witnessmark::sealing
