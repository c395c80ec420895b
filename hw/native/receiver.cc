#include "receiver.h"

#include <errno.h>

#include "clocks.h"

namespace witnessmark {

Receiver::Receiver()
    : slots_(new Slot[kBatch]()), vectors_(new iovec[kBatch]()), messages_(new mmsghdr[kBatch]()) {
  for (unsigned i = 0; i < kBatch; i++) {
    vectors_[i] = {slots_[i].bytes, sizeof slots_[i].bytes};
    messages_[i].msg_hdr.msg_iov = &vectors_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
    messages_[i].msg_hdr.msg_control = slots_[i].control;
  }
}

void Receiver::Restart(bool useHardwareStamps) {
  count_ = next_ = 0;
  drained_ = true;
  hasFrame_ = false;
  lossBefore_ = 0;
  drops_ = DropCount();
  useHardwareStamps_ = useHardwareStamps;
  hardwareOffset_ = HardwareOffset();
}

Receiver::Fill Receiver::FillFrom(int socket, int* error) {
  if (hasFrame_) return Fill::kFrames;
  for (unsigned i = 0; i < kBatch; i++) messages_[i].msg_hdr.msg_controllen = sizeof slots_[i].control;
  int got;
  do {
    got = recvmmsg(socket, messages_.get(), kBatch, MSG_DONTWAIT, nullptr);
  } while (got < 0 && errno == EINTR);
  next_ = 0;
  count_ = got > 0 ? static_cast<unsigned>(got) : 0;
  drained_ = count_ < kBatch;
  if (got < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return Fill::kEmpty;
    *error = errno;
    return Fill::kError;
  }
  readAtNs_ = ClockNs(CLOCK_REALTIME);
  Decode();
  if (hasFrame_) return Fill::kFrames;
  return drained_ ? Fill::kEmpty : Fill::kNoFrames;
}

void Receiver::Pop() {
  next_ += 1;
  hasFrame_ = false;
  Decode();
}

void Receiver::Decode() {
  for (; next_ < count_; next_++) {
    const Control control =
        ReadControl(slots_[next_].control, messages_[next_].msg_hdr.msg_controllen);
    if (control.hasDrops) lossBefore_ += drops_.Advance(control.drops);
    // A longer datagram was cut to the size of the slot, which is the size of no frame.
    if (!DecodeFrame(slots_[next_].bytes, messages_[next_].msg_len, &frame_)) {
      malformed_ += 1;
      continue;
    }
    stampNs_ = WallStamp(control, useHardwareStamps_ ? &hardwareOffset_ : nullptr, readAtNs_);
    hasFrame_ = true;
    return;
  }
}

}  // namespace witnessmark
