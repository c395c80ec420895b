#include "reader.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>

#include <cstring>

#include "clocks.h"
#include "interface.h"

namespace witnessmark {

namespace {

/** Frames come in batches and the thread sleeps in between; the stamps are the kernel's and stay exact. */
constexpr int kNapMs = 10;
/** Holds more than 1,000 frames, many times what a bus can send in a nap. */
constexpr int kEnlargedBytes = 1024 * 1024;
constexpr int kRetryOpenMs = 1000;
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

Reader::Reader(ReaderOptions options) : ring_(options.ringBytes) {
  for (BusOptions& one : options.buses) {
    buses_.push_back(std::make_unique<Bus>());
    buses_.back()->index = static_cast<uint8_t>(buses_.size() - 1);
    buses_.back()->options = std::move(one);
  }
}

std::unique_ptr<Reader> Reader::Open(ReaderOptions options, ReaderFault* fault) {
  std::unique_ptr<Reader> reader(new Reader(std::move(options)));
  if (!reader->ring_.isValid()) {
    *fault = {"memory", "ring", "", ENOMEM};
    return nullptr;
  }
  reader->wakeUp_ = Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!reader->wakeUp_.isOpen()) {
    *fault = {"socket", "eventfd", "", errno};
    return nullptr;
  }
  if (!reader->OpenBuses(fault)) return nullptr;
  return reader;
}

Reader::~Reader() { Stop(); }

bool Reader::OpenBuses(ReaderFault* fault) {
  ring_.BeginWrite();
  for (const auto& bus : buses_) {
    if (bus->isInterface()) {
      watches_ = true;
      continue;
    }
    OpenedSocket opened = bus->options.source == BusOptions::Source::kLoopback
                              ? OpenLoopbackSocket(bus->options.socket)
                              : AdoptSocket(bus->options.fd, bus->options.socket);
    if (opened.error != 0) {
      *fault = {"socket", opened.step, bus->options.name, opened.error};
      return false;
    }
    bus->socket = std::move(opened.socket);
    bus->counts.receiveBufferBytes = ReceiveBufferBytes(bus->socket.get());
    bus->localPort = LocalPort(bus->socket.get());
    Tell(bus.get(), LinkState::kUp);
  }
  if (watches_) {
    // Only a socket tells whether the kernel has SocketCAN; opening one also loads its modules.
    Descriptor trial(socket(PF_CAN, SOCK_RAW | SOCK_CLOEXEC, CAN_RAW));
    if (!trial.isOpen()) {
      const bool isMissing = errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT;
      *fault = {isMissing ? "no_socketcan" : "socket", "socket", "", errno};
      return false;
    }
    int error = watch_.Open();
    if (error == 0) error = watch_.ReadWholeDump(&news_);
    if (error != 0) {
      *fault = {"netlink", "rtnetlink", "", error};
      return false;
    }
    for (const LinkNews& one : news_) {
      for (const auto& bus : buses_) {
        if (one.kind != LinkNews::Kind::kPresent || !bus->isInterface()) continue;
        if (bus->options.name != one.name) continue;
        if (!one.isCan) {
          *fault = {"not_can", "", bus->options.name, 0};
          return false;
        }
        bus->isListenOnly = one.isListenOnly;
        bus->hasHardwareStamps = HasHardwareStamps(one.name);
      }
    }
    ApplyNews();
    if (lastFault_.error != 0) {
      *fault = {"socket", lastFault_.step, lastFaultBus_, lastFault_.error};
      return false;
    }
  }
  ring_.Publish();
  return true;
}

bool Reader::Start(void (*wake)(void*), void* context) {
  wake_ = wake;
  wakeContext_ = context;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 * 1024);
  // Signals are for the main thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  isRunning_ = pthread_create(&thread_, &attributes, RunThread, this) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  return isRunning_;
}

void Reader::Stop() {
  if (!isRunning_) return;
  stop_ = true;
  const uint64_t one = 1;
  (void)!write(wakeUp_.get(), &one, sizeof one);
  pthread_join(thread_, nullptr);
  isRunning_ = false;
}

Taken Reader::Take(const Columns& columns) {
  // Before the rows are looked at: what it speaks of is among them.
  const int64_t readToNs = readToNs_;
  Taken taken = TakeRows(&ring_, columns);
  if (!taken.isFull) takenToNs_ = readToNs;
  taken.readToNs = takenToNs_;
  // Who sleeps has read everything and cannot say up to when: the next `Take` will know.
  if (waitsForRoom_.exchange(false) || isAsleep_) {
    const uint64_t one = 1;
    (void)!write(wakeUp_.get(), &one, sizeof one);
  }
  return taken;
}

bool Reader::Arm() {
  if (!isRunning_) return true;  // nobody would come to wake
  isArmed_ = true;
  // What was published before this line is seen here, what is published after it finds the reader armed.
  return ring_.WantsReader() && isArmed_.exchange(false);
}

void* Reader::RunThread(void* reader) {
  pthread_setname_np(pthread_self(), "wmk-reader");
  static_cast<Reader*>(reader)->Run();
  return nullptr;
}

void Reader::Run() {
  while (!stop_) {
    if (Round()) {
      NoteRoom();
      if (isBusy_) {
        if (napsBetween_) Nap(kNapMs, true);
      } else {
        Sleep();
      }
    } else {
      NoteFull();
      Nap(kNapMs, false);
    }
  }
  Finish();
}

bool Reader::Round() {
  roundNs_ = ClockNs(CLOCK_MONOTONIC);
  ring_.BeginWrite();
  isBusy_ = false;
  const bool newsPending = nextNews_ < news_.size();
  if (watches_ && !newsPending) {
    news_.clear();
    nextNews_ = 0;
    watch_.Read(&news_);
  }
  // Frames first: what a socket holds came before what is now told about its interface.
  const bool done = Drain() && ApplyNews() && TellReportedDowns();
  bool counted = done;
  if (done) {
    for (const auto& bus : buses_) counted = counted && CountTail(bus.get());
  }
  Publish();
  if (counted) NoteRead(roundNs_);
  return counted;
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

bool Reader::ApplyNews() {
  for (; nextNews_ < news_.size(); nextNews_++) {
    if (!Apply(news_[nextNews_])) return false;
  }
  return true;
}

bool Reader::Apply(const LinkNews& news) {
  for (const auto& bus : buses_) {
    if (!bus->isInterface()) continue;
    const bool isOurs = bus->socket.isOpen() && bus->ifindex == news.ifindex;
    switch (news.kind) {
      case LinkNews::Kind::kDumpStarted:
        bus->isSeen = false;
        break;
      case LinkNews::Kind::kPresent:
        if (news.isCan && bus->options.name == news.name) {
          if (!ApplyPresent(bus.get(), news)) return false;
        } else if (isOurs && !GoMissing(bus.get())) {  // it was renamed
          return false;
        }
        break;
      case LinkNews::Kind::kGone:
        if (isOurs && !GoMissing(bus.get())) return false;
        break;
      case LinkNews::Kind::kDumpDone:
        if (!bus->isSeen && !GoMissing(bus.get())) return false;
        break;
      case LinkNews::Kind::kDumpFailed:
        break;
    }
  }
  return true;
}

bool Reader::ApplyPresent(Bus* bus, const LinkNews& news) {
  bus->isSeen = true;
  // Another interface under the same name: unplugged and plugged in again.
  if (bus->socket.isOpen() && bus->ifindex != news.ifindex && !GoMissing(bus)) return false;
  // The socket is there before the bus is told to be up: what comes between is read.
  if (!bus->socket.isOpen() && !OpenInterface(bus, news.ifindex)) return Tell(bus, LinkState::kMissing);
  return Tell(bus, !news.isUp      ? LinkState::kDown
                   : news.isBusOff ? LinkState::kBusOff
                                   : LinkState::kUp);
}

bool Reader::OpenInterface(Bus* bus, int ifindex) {
  OpenedSocket opened = OpenCanSocket(ifindex, bus->options.socket);
  if (opened.error == ENODEV || opened.error == ENXIO) return false;  // gone again: news of it are under way
  if (opened.error != 0) {
    retryOpen_ = true;
    lastFault_ = std::move(opened);
    lastFaultBus_ = bus->options.name;
    return false;
  }
  bus->socket = std::move(opened.socket);
  bus->ifindex = ifindex;
  // Nothing came to it before it was there.
  bus->emptiedNs = roundNs_;
  bus->downReported = bus->downTold = false;
  bus->receiver.Restart(bus->hasHardwareStamps);
  bus->counts.receiveBufferBytes = ReceiveBufferBytes(bus->socket.get());
  return true;
}

bool Reader::GoMissing(Bus* bus) {
  if (bus->socket.isOpen()) {
    // It may be alive under another name: what is read from here on is finite.
    RefuseFrames(bus->socket.get());
    do {
      if (!DrainBus(bus) || !CountTail(bus)) return false;
    } while (bus->receiver.HasFrame());
  }
  if (!Tell(bus, LinkState::kMissing)) return false;
  bus->socket.Close();
  return true;
}

bool Reader::DrainBus(Bus* bus) {
  bus->isExhausted = false;
  for (;;) {
    Refill(bus);
    if (!bus->receiver.HasFrame()) return true;
    if (!PushFrame(bus)) return false;
  }
}

/** A socket that says ENETDOWN without news of it: netlink lost the message, and the bus may be up again. */
bool Reader::TellReportedDowns() {
  for (const auto& bus : buses_) {
    if (!bus->downReported) continue;
    const bool isKnown = bus->downTold || bus->told == LinkState::kDown || bus->told == LinkState::kMissing;
    if (!isKnown) {
      if (!Tell(bus.get(), LinkState::kDown)) return false;
      watch_.RequestDump();
      isBusy_ = true;
    }
    bus->downReported = bus->downTold = false;
  }
  return true;
}

bool Reader::Tell(Bus* bus, LinkState state) {
  if (bus->told == state) return true;
  const Row row = {RowKind::kLink, bus->index, 0, 0, 0, 0, ClockNs(CLOCK_REALTIME),
                   static_cast<uint32_t>(state)};
  if (!ring_.Push(row, nullptr)) return false;
  bus->told = state;
  if (state == LinkState::kDown) bus->downTold = true;
  return true;
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

void Reader::Publish() {
  if (ring_.Publish() && isArmed_.exchange(false)) wake_(wakeContext_);
}

/** Until anything comes. */
void Reader::Sleep() {
  pollfd descriptors[2 + 256];
  nfds_t count = 0;
  descriptors[count++] = {wakeUp_.get(), POLLIN, 0};
  if (watches_) descriptors[count++] = {watch_.fd(), POLLIN, 0};
  for (const auto& bus : buses_) {
    if (bus->socket.isOpen()) descriptors[count++] = {bus->socket.get(), POLLIN, 0};
  }
  isAsleep_ = true;
  const int ready = poll(descriptors, count, retryOpen_ ? kRetryOpenMs : -1);
  isAsleep_ = false;
  if (ready == 0) {
    retryOpen_ = false;
    watch_.RequestDump();
    return;
  }
  uint64_t ignored;
  (void)!read(wakeUp_.get(), &ignored, sizeof ignored);
  const bool linkCame = watches_ && descriptors[1].revents != 0;
  bool cameOnlyErrors = ready > 0;
  for (nfds_t i = 0; i < count; i++) cameOnlyErrors = cameOnlyErrors && (descriptors[i].revents & POLLIN) == 0;
  napsBetween_ = true;
  for (const auto& bus : buses_) {
    if (bus->socket.isOpen() && bus->counts.receiveBufferBytes < kEnlargedBytes) napsBetween_ = false;
  }
  if ((napsBetween_ || cameOnlyErrors) && !linkCame && !stop_) Nap(kNapMs, true);
}

void Reader::Nap(int milliseconds, bool watchLinks) {
  pollfd descriptors[2] = {{wakeUp_.get(), POLLIN, 0}, {watch_.fd(), POLLIN, 0}};
  poll(descriptors, watches_ && watchLinks ? 2 : 1, milliseconds);
  uint64_t ignored;
  (void)!read(wakeUp_.get(), &ignored, sizeof ignored);
}

void Reader::NoteFull() {
  waitsForRoom_ = true;
  if (fullSinceNs_ != 0) return;
  fullSinceNs_ = ClockNs(CLOCK_MONOTONIC);
  ringFullTimes_ += 1;
}

void Reader::NoteRoom() {
  waitsForRoom_ = false;
  if (fullSinceNs_ == 0) return;
  ringFullNs_ += static_cast<uint64_t>(ClockNs(CLOCK_MONOTONIC) - fullSinceNs_);
  fullSinceNs_ = 0;
}

}  // namespace witnessmark
