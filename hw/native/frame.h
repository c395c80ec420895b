// One CAN frame as core/frame.ts has it in columns, and how a datagram of a CAN_RAW socket becomes one.
#pragma once
#include <cstddef>
#include <cstdint>

namespace witnessmark {

/** `flags` of a CAN FD frame; the low nibble is canfd_frame.flags verbatim. */
constexpr uint8_t kFrameFd = 0x80;
constexpr size_t kMaxDataBytes = 64;
/** struct canfd_frame, the largest datagram that is asked for: CAN XL is not switched on. */
constexpr size_t kMaxDatagramBytes = 72;

struct Frame {
  /** can_id with EFF, RTR and ERR bits. */
  uint32_t id;
  uint8_t flags;
  /** Data bytes; for RTR the DLC. */
  uint8_t length;
  /** len8_dlc, 9 to 15, of a classic frame of length 8; else 0. */
  uint8_t rawDlc;
  /** 0 to 64; 0 for RTR. */
  uint8_t dataBytes;
  /** Borrowed from the datagram. */
  const uint8_t* data;
};

/** False when the bytes are no struct can_frame and no struct canfd_frame, or name an impossible length. */
bool DecodeFrame(const uint8_t* bytes, size_t length, Frame* frame);

}  // namespace witnessmark
