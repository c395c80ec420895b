// Sockets with whatever options, and the whole reader, with its thread, under whatever datagrams.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/can.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "clocks.h"
#include "fuzz.h"
#include "reader.h"

namespace fuzz {

namespace {

using witnessmark::Descriptor;

witnessmark::SocketOptions RandomOptions(Random* random) {
  witnessmark::SocketOptions options = {};
  options.receiveBufferBytes = static_cast<int>(random->Number() & 0x3fffffff);
  for (uint64_t n = random->Below(8); n > 0; n--) {
    options.filters.push_back({static_cast<canid_t>(random->Number()), static_cast<canid_t>(random->Number())});
  }
  return options;
}

void SocketRound(Random* random) {
  const witnessmark::SocketOptions options = RandomOptions(random);
  const witnessmark::OpenedSocket loopback = witnessmark::OpenLoopbackSocket(options);
  CHECK(loopback.error == 0 && witnessmark::LocalPort(loopback.socket.get()) > 0);
  CHECK(witnessmark::ReceiveBufferBytes(loopback.socket.get()) > 0);
  uint32_t drops = 1;
  CHECK(witnessmark::ReadDrops(loopback.socket.get(), &drops) && drops == 0);

  // On most machines without SocketCAN, and always without such an interface.
  const auto noIfindex = static_cast<int>(random->Number() | 0x40000000);
  const witnessmark::OpenedSocket can = witnessmark::OpenCanSocket(noIfindex, options);
  CHECK(can.error != 0 && !can.socket.isOpen());

  const int domain = random->OneIn(2) ? AF_UNIX : AF_INET;
  Descriptor stream(socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0));
  Descriptor datagram(socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  Descriptor none(eventfd(0, EFD_CLOEXEC));
  CHECK(witnessmark::AdoptSocket(stream.get(), options).error == EPROTOTYPE);
  CHECK(witnessmark::AdoptSocket(none.get(), options).error == ENOTSOCK);
  CHECK(witnessmark::AdoptSocket(static_cast<int>(random->Number() | 0x40000000), options).error != 0);
  witnessmark::AdoptSocket(datagram.get(), options);
}

/** Frames that were taken and losses that were told, for each bus. */
struct Sum {
  explicit Sum(Random* random) : capacity(1 + random->Below(300)) {
    offsetNs.resize(capacity);
    bytes.resize(capacity * 4);
    words.resize(capacity * 2);
    data.resize(64 + random->Below(capacity * 64 + 1));
    events.resize(witnessmark::kEventFields * (1 + random->Below(20)));
  }

  bool Take(witnessmark::Reader* reader) {
    const witnessmark::Columns columns = {capacity,
                                          offsetNs.data(),
                                          bytes.data(),
                                          words.data(),
                                          bytes.data() + capacity,
                                          bytes.data() + 2 * capacity,
                                          bytes.data() + 3 * capacity,
                                          words.data() + capacity,
                                          data.data(),
                                          data.size(),
                                          events.data(),
                                          events.size() / witnessmark::kEventFields};
    const witnessmark::Taken taken = reader->Take(columns);
    readToNs = taken.readToNs;
    for (size_t i = 0; i < taken.count; i++) accounted[columns.bus[i]] += 1;
    for (size_t i = 0; i < taken.eventCount; i++) {
      const int64_t* event = columns.events + i * witnessmark::kEventFields;
      if (event[0] == 1) accounted[event[1]] += static_cast<uint64_t>(event[3]);
    }
    return taken.isFull;
  }

  size_t capacity;
  std::vector<double> offsetNs;
  std::vector<uint8_t> bytes;
  std::vector<uint32_t> words;
  std::vector<uint8_t> data;
  std::vector<int64_t> events;
  uint64_t accounted[8] = {};
  int64_t readToNs = 0;
};

/** Of one bus, ascending: the clock when a datagram had been sent. */
using SentTimes = std::vector<int64_t>;

/** What the reader says it has read is out. */
void CheckReadTo(const Sum& sum, const witnessmark::Bus& bus, const SentTimes& times) {
  const auto end = std::upper_bound(times.begin(), times.end(), sum.readToNs);
  const auto due = static_cast<uint64_t>(end - times.begin());
  CHECK(sum.accounted[bus.index] + bus.counts.malformed >= due);
}

void Ignore(void*) {}

void ReaderRound(Random* random) {
  witnessmark::ReaderOptions options;
  options.ringBytes = witnessmark::Ring::kMinBytes + random->Below(random->OneIn(2) ? 4096 : 1024 * 1024);
  const int receiveBufferBytes = random->OneIn(2) ? 4096 : 2 * 1024 * 1024;
  const size_t buses = 1 + random->Below(4);
  for (size_t i = 0; i < buses; i++) {
    witnessmark::BusOptions bus = {};
    bus.name = "bus";
    bus.source = witnessmark::BusOptions::Source::kLoopback;
    bus.socket.receiveBufferBytes = receiveBufferBytes;
    options.buses.push_back(bus);
  }
  witnessmark::ReaderFault fault = {};
  auto reader = witnessmark::Reader::Open(std::move(options), &fault);
  CHECK(reader != nullptr);
  CHECK(reader->Start(Ignore, nullptr));
  Sum sum(random);
  Descriptor sender(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  SentTimes sent[8];
  const uint64_t count = random->Below(2000);
  for (uint64_t i = 0; i < count; i++) {
    const size_t bus = random->Below(buses);
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<uint16_t>(reader->buses()[bus]->localPort));
    uint8_t bytes[128];
    random->Fill(bytes, sizeof bytes);
    if (!random->OneIn(5)) bytes[4] %= 9;
    const size_t length = random->OneIn(10) ? random->Below(sizeof bytes) : random->OneIn(2) ? 16 : 72;
    const ssize_t done = sendto(sender.get(), bytes, length, 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
    CHECK(done == static_cast<ssize_t>(length));
    sent[bus].push_back(witnessmark::ClockNs(CLOCK_MONOTONIC));
    // Now and then a nap of the reader passes, so that there is something to say.
    if (random->OneIn(500)) usleep(15'000);
    if (random->OneIn(100)) {
      sum.Take(reader.get());
      for (size_t each = 0; each < buses; each++) CheckReadTo(sum, *reader->buses()[each], sent[each]);
    }
    if (random->OneIn(100)) reader->Arm();
  }
  // The network stack hands a datagram to its socket before sendto returns, except when it is behind.
  for (int i = 0; i < 3; i++) sched_yield();
  reader->Stop();
  while (sum.Take(reader.get())) {
  }
  for (size_t bus = 0; bus < buses; bus++) {
    const witnessmark::BusCounts& counts = reader->buses()[bus]->counts;
    CHECK(sum.accounted[bus] == counts.frames + counts.kernelDrops);
    CHECK(sum.accounted[bus] + counts.malformed == sent[bus].size());
    CheckReadTo(sum, *reader->buses()[bus], sent[bus]);
  }
}

}  // namespace

const Target kSocketTarget = {"socket", 2000, SocketRound};
const Target kReaderTarget = {"reader", 150, ReaderRound};

}  // namespace fuzz
