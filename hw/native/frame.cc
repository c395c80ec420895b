#include "frame.h"

#include <linux/can.h>

#include <cstring>

namespace witnessmark {

static_assert(kMaxDatagramBytes == CANFD_MTU && kMaxDataBytes == CANFD_MAX_DLEN, "as linux/can.h has it");

// linux/can.h before 5.11 calls this byte __res1.
constexpr size_t kLen8DlcAt = 7;
constexpr uint8_t kFdFlagBits = 0x0f;
constexpr uint8_t kMaxRawDlc = 15;

bool DecodeFrame(const uint8_t* bytes, size_t length, Frame* frame) {
  if (length != CAN_MTU && length != CANFD_MTU) return false;
  const bool isFd = length == CANFD_MTU;
  const uint8_t dataLength = bytes[4];
  if (dataLength > (isFd ? CANFD_MAX_DLEN : CAN_MAX_DLEN)) return false;

  std::memcpy(&frame->id, bytes, sizeof frame->id);
  frame->length = dataLength;
  frame->flags = isFd ? static_cast<uint8_t>(kFrameFd | (bytes[5] & kFdFlagBits)) : 0;
  const uint8_t rawDlc = bytes[kLen8DlcAt];
  const bool hasRawDlc =
      !isFd && dataLength == CAN_MAX_DLEN && rawDlc > CAN_MAX_DLEN && rawDlc <= kMaxRawDlc;
  frame->rawDlc = hasRawDlc ? rawDlc : 0;
  frame->dataBytes = (frame->id & CAN_RTR_FLAG) != 0 ? 0 : dataLength;
  frame->data = bytes + 8;
  return true;
}

}  // namespace witnessmark
