// The reading thread: frames of all buses, losses and changes of interfaces, in one order into the ring.
#pragma once
#include <pthread.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "bus.h"
#include "columns.h"
#include "link-watch.h"
#include "ring.h"

namespace witnessmark {

struct ReaderOptions {
  std::vector<BusOptions> buses;
  size_t ringBytes;
};

struct ReaderFault {
  /** `not_can`, `no_socketcan`, `socket`, `memory` or `netlink`. */
  const char* kind;
  const char* step;
  std::string bus;
  int error;
};

/**
 * Made, asked and destroyed on one thread (JavaScript's); its own thread reads. Loss is exact: every frame that
 * reached a socket comes out of `Take` or is counted in a loss before the frame that followed it.
 */
class Reader {
 public:
  /** Opens everything and learns how each interface stands. Null, with `fault`, when that fails. */
  static std::unique_ptr<Reader> Open(ReaderOptions options, ReaderFault* fault);
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /** Starts reading. `wake` is called from the thread, once for each `Arm` that returned false. */
  bool Start(void (*wake)(void*), void* context);
  /** Reads what the sockets still have, counts what does not fit, and ends the thread. `Take` goes on working. */
  void Stop();

  Taken Take(const Columns& columns);
  /** True when there is reason to take at once; else `wake` will come when there is. */
  bool Arm();

  const std::vector<std::unique_ptr<Bus>>& buses() const { return buses_; }
  uint64_t ringFullTimes() const { return ringFullTimes_; }
  uint64_t ringFullNs() const { return ringFullNs_; }

 private:
  explicit Reader(ReaderOptions options);
  bool OpenBuses(ReaderFault* fault);
  static void* RunThread(void* reader);
  void Run();

  // One round. A function that returns false has found the ring full; called again, it goes on where it was.
  bool Round();
  void NoteRead(int64_t roundNs);
  bool Drain();
  bool DrainBus(Bus* bus);
  void Refill(Bus* bus);
  bool PushFrame(Bus* bus);
  bool PushLoss(Bus* bus, uint32_t drops, bool useReserve = false);
  bool CountTail(Bus* bus);
  bool ApplyNews();
  bool Apply(const LinkNews& news);
  bool ApplyPresent(Bus* bus, const LinkNews& news);
  bool GoMissing(Bus* bus);
  bool TellReportedDowns();
  bool Tell(Bus* bus, LinkState state);
  bool OpenInterface(Bus* bus, int ifindex);
  void Finish();
  void FinishBus(Bus* bus);

  void Publish();
  void Sleep();
  void Nap(int milliseconds, bool watchLinks);
  void NoteFull();
  void NoteRoom();

  std::vector<std::unique_ptr<Bus>> buses_;
  Ring ring_;
  LinkWatch watch_;
  bool watches_ = false;
  Descriptor wakeUp_;

  std::vector<LinkNews> news_;
  size_t nextNews_ = 0;
  OpenedSocket lastFault_;
  std::string lastFaultBus_;
  bool retryOpen_ = false;
  /** The round read something, or left something to do. */
  bool isBusy_ = false;
  bool napsBetween_ = false;
  /** CLOCK_MONOTONIC: when the round began. */
  int64_t roundNs_ = 0;

  pthread_t thread_ = {};
  bool isRunning_ = false;
  void (*wake_)(void*) = nullptr;
  void* wakeContext_ = nullptr;
  std::atomic<bool> stop_{false};
  std::atomic<bool> isArmed_{false};
  std::atomic<bool> waitsForRoom_{false};
  std::atomic<bool> isAsleep_{false};
  /** CLOCK_MONOTONIC: what was stamped up to then is published. */
  std::atomic<int64_t> readToNs_{0};
  /** The same of what `Take` has given; of its thread alone. */
  int64_t takenToNs_ = 0;
  int64_t fullSinceNs_ = 0;
  std::atomic<uint64_t> ringFullTimes_{0};
  std::atomic<uint64_t> ringFullNs_{0};
};

}  // namespace witnessmark
