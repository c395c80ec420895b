#include "link-watch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace witnessmark {

namespace {

/** The kernel fills dumps up to 32 KiB. */
constexpr size_t kBufferBytes = 32 * 1024;
constexpr int kReceiveBufferBytes = 1024 * 1024;

}  // namespace

int LinkWatch::Open() {
  socket_ = Descriptor(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket_.isOpen()) return errno;
  const int bytes = kReceiveBufferBytes;
  if (setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0) {
    setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  }
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK;
  if (bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return errno;
  buffer_.reset(new uint8_t[kBufferBytes]);
  return 0;
}

int LinkWatch::ReadWholeDump(std::vector<LinkNews>* news) {
  wantsDump_ = true;
  // Again while interfaces come and go under the dump; that ends some day.
  while (wantsDump_) {
    if (const int error = SendRequest(news)) return error;
    while (dumping_) {
      if (ReadOnce(news, 0) == Outcome::kFailed) return errno;
    }
  }
  return 0;
}

void LinkWatch::Read(std::vector<LinkNews>* news) {
  while (ReadOnce(news, MSG_DONTWAIT) == Outcome::kRead) {
  }
  if (wantsDump_ && !dumping_) SendRequest(news);
}

int LinkWatch::SendRequest(std::vector<LinkNews>* news) {
  struct {
    nlmsghdr header;
    ifinfomsg link;
  } request = {};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_GETLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.header.nlmsg_seq = ++sequence_;
  if (send(socket_.get(), &request, sizeof request, 0) < 0) return errno;
  dumping_ = true;
  wantsDump_ = interrupted_ = false;
  LinkNews started = {};
  started.kind = LinkNews::Kind::kDumpStarted;
  news->push_back(started);
  return 0;
}

LinkWatch::Outcome LinkWatch::ReadOnce(std::vector<LinkNews>* news, int flags) {
  sockaddr_nl from = {};
  socklen_t fromLength = sizeof from;
  const ssize_t got = recvfrom(socket_.get(), buffer_.get(), kBufferBytes, flags,
                               reinterpret_cast<sockaddr*>(&from), &fromLength);
  if (got < 0) {
    if (errno == EINTR) return Outcome::kRead;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return Outcome::kEmpty;
    if (errno != ENOBUFS) return Outcome::kFailed;
    // Changes were lost. What they came to is in a dump.
    wantsDump_ = true;
    return Outcome::kRead;
  }
  // Any process may send to this socket; only the kernel has port 0.
  if (from.nl_pid != 0) return Outcome::kRead;
  LinkNewsParser parser(buffer_.get(), static_cast<size_t>(got));
  for (LinkNews one; parser.Next(&one);) {
    interrupted_ = interrupted_ || one.isInterrupted;
    if (one.kind == LinkNews::Kind::kDumpDone || one.kind == LinkNews::Kind::kDumpFailed) {
      dumping_ = false;
      if (one.kind == LinkNews::Kind::kDumpFailed || interrupted_) {
        wantsDump_ = true;
        continue;
      }
    }
    news->push_back(one);
  }
  return Outcome::kRead;
}

}  // namespace witnessmark
