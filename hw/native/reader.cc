// The thread: opened, started, woken and ended. A round of it is in reader-frames.cc and reader-links.cc.
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
