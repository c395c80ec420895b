// From the sockets into the ring: frames of all buses in one order, and every loss before the frame that follows it.
#include <errno.h>

#include "clocks.h"
#include "reader.h"

namespace witnessmark {

namespace {

/** A round ends after so many, however fast the sender is. */
constexpr unsigned kRoundFrames = 65536;
constexpr unsigned kPublishFrames = 1024;
/** More than any receive buffer holds. */
constexpr unsigned kFinishFrames = 4 * 1024 * 1024;
/** A socket reports an error once; one that goes on and on is left until the next round. */
constexpr int kErrorsPerRefill = 4;
/** Whole batches of what is no frame: only a test's socket can have them. */
constexpr int kFramelessPerRefill = 64;
/**
 * The kernel stamps a frame before it queues it to the socket: microseconds, or a turn of the scheduler where ksoftirqd
 * has to do it.
 */
constexpr int64_t kQueuedWithinNs = 10'000'000;

}  // namespace

bool Reader::Drain() {
  for (const auto& bus : buses_) bus->isExhausted = !bus->socket.isOpen();
  for (unsigned frames = 0; frames < kRoundFrames; frames++) {
    // One order over all buses, by the stamps: each bus's own order stays as its socket gave it.
    Bus* first = nullptr;
    for (const auto& bus : buses_) {
      if (!bus->isExhausted) Refill(bus.get());
      if (!bus->receiver.HasFrame()) continue;
      if (first == nullptr || bus->receiver.stampNs() < first->receiver.stampNs()) first = bus.get();
    }
    if (first == nullptr) return true;
    isBusy_ = true;
    if (!PushFrame(first)) return false;
    if (frames % kPublishFrames == kPublishFrames - 1) {
      Publish();
      ring_.BeginWrite();
    }
  }
  return true;
}

void Reader::Refill(Bus* bus) {
  int errors = 0;
  int frameless = 0;
  while (!bus->receiver.HasFrame() && !bus->isExhausted) {
    int error = 0;
    switch (bus->receiver.FillFrom(bus->socket.get(), &error)) {
      case Receiver::Fill::kFrames:
        bus->askedNs = roundNs_;
        break;
      case Receiver::Fill::kNoFrames:
        frameless += 1;
        bus->isExhausted = frameless == kFramelessPerRefill;
        break;
      case Receiver::Fill::kEmpty:
        bus->emptiedNs = roundNs_;
        bus->isExhausted = true;
        break;
      case Receiver::Fill::kError:
        // ENODEV comes with news of the interface, which closes the socket.
        if (error == ENETDOWN) bus->downReported = isBusy_ = true;
        errors += 1;
        bus->isExhausted = errors == kErrorsPerRefill;
        break;
    }
  }
}

bool Reader::PushFrame(Bus* bus) {
  Receiver& receiver = bus->receiver;
  if (receiver.lossBefore() > 0) {
    if (!PushLoss(bus, receiver.lossBefore())) return false;
    receiver.TakeLoss();
  }
  const Frame& frame = receiver.frame();
  const Row row = {RowKind::kFrame,  bus->index,    frame.flags,        frame.length,
                   frame.rawDlc,     frame.dataBytes, receiver.stampNs(), frame.id};
  if (!ring_.Push(row, frame.data)) return false;
  bus->counts.frames.fetch_add(1, std::memory_order_relaxed);
  receiver.Pop();
  // A batch that was not full has emptied the socket.
  if (receiver.IsDrained()) {
    bus->emptiedNs = bus->askedNs;
    bus->isExhausted = true;
  }
  return true;
}

bool Reader::PushLoss(Bus* bus, uint32_t drops, bool useReserve) {
  const Row row = {RowKind::kLoss, bus->index, 0, 0, 0, 0, ClockNs(CLOCK_REALTIME), drops};
  if (!ring_.Push(row, nullptr, useReserve)) return false;
  bus->counts.kernelDrops.fetch_add(drops, std::memory_order_relaxed);
  return true;
}

/** Drops that no later frame has reported yet, once the socket is empty. */
bool Reader::CountTail(Bus* bus) {
  Receiver& receiver = bus->receiver;
  bus->counts.malformed.store(receiver.malformed(), std::memory_order_relaxed);
  if (!bus->socket.isOpen() || receiver.HasFrame()) return true;
  uint32_t drops = 0;
  if (ReadDrops(bus->socket.get(), &drops) && receiver.drops().IsBehind(drops)) {
    // Frames that are still there when the counter was read come before these drops or report them themselves.
    bus->isExhausted = false;
    Refill(bus);
    if (receiver.HasFrame() || !bus->isExhausted) {
      isBusy_ = true;
      return true;
    }
    const uint32_t step = receiver.drops().Advance(drops);
    receiver.AddLoss(step);
  }
  if (receiver.lossBefore() == 0) return true;
  if (!PushLoss(bus, receiver.lossBefore())) return false;
  receiver.TakeLoss();
  return true;
}

/** After `Publish`. A bus whose sockets were not read to their end holds it back. */
void Reader::NoteRead(int64_t roundNs) {
  int64_t readToNs = roundNs;
  for (const auto& bus : buses_) {
    if (!bus->socket.isOpen()) continue;
    // A stamp of the controller may lie so much before the kernel's.
    const int64_t strayNs = bus->hasHardwareStamps ? kMaxStrayNs : 0;
    if (bus->emptiedNs - strayNs < readToNs) readToNs = bus->emptiedNs - strayNs;
  }
  readToNs_ = readToNs - kQueuedWithinNs;
}

bool Reader::DrainBus(Bus* bus) {
  bus->isExhausted = false;
  for (;;) {
    Refill(bus);
    if (!bus->receiver.HasFrame()) return true;
    if (!PushFrame(bus)) return false;
  }
}

void Reader::Finish() {
  roundNs_ = ClockNs(CLOCK_MONOTONIC);
  ring_.BeginWrite();
  for (const auto& bus : buses_) {
    // What is read from here on is finite, however fast the sender is.
    if (bus->isInterface() && bus->socket.isOpen()) RefuseFrames(bus->socket.get());
  }
  Drain();
  for (const auto& bus : buses_) FinishBus(bus.get());
  NoteRoom();
  Publish();
  // All sockets are closed: what they had is there or counted.
  NoteRead(roundNs_);
}

/** What does not fit any more is lost as if the kernel had dropped it. */
void Reader::FinishBus(Bus* bus) {
  if (!bus->socket.isOpen()) return;
  uint32_t lost = 0;
  if (!DrainBus(bus)) {
    for (unsigned i = 0; bus->receiver.HasFrame() && i < kFinishFrames; i++) {
      lost += 1;
      bus->receiver.Pop();
      bus->isExhausted = false;
      Refill(bus);
    }
  }
  lost += bus->receiver.lossBefore();
  uint32_t drops = 0;
  if (ReadDrops(bus->socket.get(), &drops)) lost += bus->receiver.drops().Advance(drops);
  if (lost > 0) PushLoss(bus, lost, true);
  bus->counts.malformed = bus->receiver.malformed();
  bus->socket.Close();
}

}  // namespace witnessmark
