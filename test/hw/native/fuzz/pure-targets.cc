// Everything that parses or computes without a socket: frames, control messages, stamps, drops.
#include <time.h>
#include <linux/can.h>
#include <linux/errqueue.h>
#include <sys/socket.h>

#include <cstring>

#include "control.h"
#include "drop-count.h"
#include "frame.h"
#include "fuzz.h"
#include "stamps.h"

namespace fuzz {

namespace {

using witnessmark::Control;

void FrameRound(Random* random) {
  static constexpr size_t kLengths[] = {0, 15, 16, 17, 71, 72, 73, 80};
  std::vector<uint8_t> bytes(random->OneIn(4) ? kLengths[random->Below(8)] : random->OneIn(2) ? 16 : 72);
  random->Fill(bytes.data(), bytes.size());
  if (bytes.size() > 7 && !random->OneIn(4)) {
    bytes[4] = static_cast<uint8_t>(random->Below(66));
    bytes[7] = static_cast<uint8_t>(random->Below(18));
  }
  Exact exact(bytes);
  witnessmark::Frame frame = {};
  if (!witnessmark::DecodeFrame(exact.bytes(), exact.length(), &frame)) {
    const bool isLong = bytes.size() == 16 ? bytes[4] > 8 : bytes.size() == 72 && bytes[4] > 64;
    CHECK((bytes.size() != 16 && bytes.size() != 72) || isLong);
    return;
  }
  const bool isFd = bytes.size() == 72;
  CHECK(frame.length <= (isFd ? 64 : 8));
  CHECK(((frame.flags & witnessmark::kFrameFd) != 0) == isFd);
  CHECK(isFd || frame.flags == 0);
  CHECK(frame.rawDlc == 0 || (!isFd && frame.length == 8 && frame.rawDlc >= 9 && frame.rawDlc <= 15));
  CHECK(frame.dataBytes == ((frame.id & CAN_RTR_FLAG) != 0 ? 0 : frame.length));
  uint8_t copy[64];
  std::memcpy(copy, frame.data, frame.dataBytes);  // the sanitizer looks whether all of it is there
}

void AppendControl(Random* random, std::vector<uint8_t>* bytes, int level, int type, size_t length) {
  cmsghdr header = {};
  header.cmsg_len = CMSG_LEN(length);
  header.cmsg_level = level;
  header.cmsg_type = type;
  const size_t at = bytes->size();
  bytes->resize(at + CMSG_SPACE(length));
  random->Fill(bytes->data() + at, CMSG_SPACE(length));
  std::memcpy(bytes->data() + at, &header, sizeof header);
}

void ControlRound(Random* random) {
  std::vector<uint8_t> bytes;
  for (uint64_t n = random->Below(4); n > 0; n--) {
    switch (random->Below(4)) {
      case 0:
        AppendControl(random, &bytes, SOL_SOCKET, SO_RXQ_OVFL, 4);
        break;
      case 1:
        AppendControl(random, &bytes, SOL_SOCKET, SCM_TIMESTAMPING, sizeof(scm_timestamping));
        break;
      case 2:
        AppendControl(random, &bytes, SOL_SOCKET, static_cast<int>(random->Number()), random->Below(60));
        break;
      default:
        AppendControl(random, &bytes, static_cast<int>(random->Number()), SO_RXQ_OVFL, random->Below(60));
    }
  }
  Mutate(random, &bytes);
  Exact exact(bytes);
  const Control control = witnessmark::ReadControl(exact.bytes(), exact.length());
  CHECK(control.hasDrops || control.drops == 0);
}

/** Clocks wrap instead of overflowing, whatever a broken controller says. */
int64_t Later(int64_t ns, uint64_t by) { return static_cast<int64_t>(static_cast<uint64_t>(ns) + by); }
int64_t Between(int64_t fromNs, int64_t toNs) {
  return static_cast<int64_t>(static_cast<uint64_t>(toNs) - static_cast<uint64_t>(fromNs));
}

void StampRound(Random* random) {
  witnessmark::HardwareOffset offset;
  int64_t kernelClockNs = static_cast<int64_t>(random->Number());
  int64_t controllerClockNs = static_cast<int64_t>(random->Number());
  int64_t lastOffsetNs = 0;
  bool hasLast = false;
  for (int i = 0; i < 20; i++) {
    const uint64_t passedNs = random->Below(10000000);
    const uint64_t stepNs = random->OneIn(8) ? 3600000000000u : 0;
    kernelClockNs = Later(kernelClockNs, passedNs + random->Below(1000000) + stepNs);
    controllerClockNs =
        random->OneIn(8) ? static_cast<int64_t>(random->Number()) : Later(controllerClockNs, passedNs);
    Control control = {};
    control.softwareNs = random->OneIn(10) ? 0 : kernelClockNs;
    control.hardwareNs = random->OneIn(10) ? 0 : controllerClockNs;
    const int64_t nowNs = static_cast<int64_t>(random->Number());
    const int64_t kernelNs = control.softwareNs != 0 ? control.softwareNs : nowNs;

    CHECK(witnessmark::WallStamp(control, nullptr, nowNs) == kernelNs);
    const int64_t stampNs = witnessmark::WallStamp(control, &offset, nowNs);
    if (control.hardwareNs == 0) {
      CHECK(stampNs == kernelNs);
      continue;
    }
    CHECK(offset.isKnown && stampNs == Later(control.hardwareNs, static_cast<uint64_t>(offset.ns)));
    // Never further from the kernel's time than the clocks may stray; and an offset within that stays.
    const int64_t apartNs = Between(stampNs, kernelNs);
    CHECK(apartNs >= -witnessmark::kMaxStrayNs && apartNs <= witnessmark::kMaxStrayNs);
    if (hasLast) {
      const int64_t strayNs = Between(Later(control.hardwareNs, static_cast<uint64_t>(lastOffsetNs)), kernelNs);
      const bool isNear = strayNs >= -witnessmark::kMaxStrayNs && strayNs <= witnessmark::kMaxStrayNs;
      CHECK(isNear ? offset.ns == lastOffsetNs : stampNs == kernelNs);
    }
    lastOffsetNs = offset.ns;
    hasLast = true;
  }
}

/** Frames report the counter of when they were queued, questions that of now: whatever comes, nothing counts twice. */
void DropRound(Random* random) {
  witnessmark::DropCount count;
  // Near the wrap in every fourth round: as after four thousand million drops.
  uint64_t dropped = 0;
  uint64_t told = 0;
  if (random->OneIn(4)) {
    for (int i = 0; i < 3; i++) {
      dropped += 0x7ffffff0;
      told += count.Advance(static_cast<uint32_t>(dropped));
    }
  }
  uint64_t queued = dropped;
  for (int i = 0; i < 50; i++) {
    dropped += random->OneIn(3) ? 0 : random->Below(random->OneIn(5) ? 0x1000000 : 20);
    if (random->OneIn(2)) {
      queued += random->Below(dropped - queued + 1);
      told += count.Advance(static_cast<uint32_t>(queued));
    } else if (count.IsBehind(static_cast<uint32_t>(dropped))) {
      told += count.Advance(static_cast<uint32_t>(dropped));
      CHECK(told == dropped);
    }
    CHECK(told <= dropped && told >= queued);
  }
  told += count.Advance(static_cast<uint32_t>(dropped));
  CHECK(told == dropped);
  CHECK(count.Advance(static_cast<uint32_t>(dropped)) == 0);
}

}  // namespace

const Target kFrameTarget = {"frame", 200000, FrameRound};
const Target kControlTarget = {"control", 200000, ControlRound};
const Target kStampTarget = {"stamp", 50000, StampRound};
const Target kDropTarget = {"drop", 50000, DropRound};

}  // namespace fuzz
