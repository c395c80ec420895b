// rtnetlink messages: those that a kernel sends, and what becomes of them when bytes are wrong.
#include <linux/can/netlink.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cstring>
#include <string>

#include "fuzz.h"
#include "link-news.h"

namespace fuzz {

namespace {

using witnessmark::LinkNews;

void Append(std::vector<uint8_t>* bytes, const void* data, size_t length) {
  const auto* from = static_cast<const uint8_t*>(data);
  bytes->insert(bytes->end(), from, from + length);
  while (bytes->size() % 4 != 0) bytes->push_back(0);
}

std::vector<uint8_t> Attribute(unsigned type, const std::vector<uint8_t>& data) {
  rtattr header = {};
  header.rta_type = static_cast<uint16_t>(type);
  header.rta_len = static_cast<uint16_t>(sizeof header + data.size());
  std::vector<uint8_t> bytes;
  Append(&bytes, &header, sizeof header);
  Append(&bytes, data.data(), data.size());
  return bytes;
}

template <typename T>
std::vector<uint8_t> BytesOf(const T& value) {
  const auto* from = reinterpret_cast<const uint8_t*>(&value);
  return std::vector<uint8_t>(from, from + sizeof value);
}

std::vector<uint8_t> Text(const std::string& text) {
  std::vector<uint8_t> bytes(text.begin(), text.end());
  bytes.push_back(0);
  return bytes;
}

void Join(std::vector<uint8_t>* bytes, const std::vector<uint8_t>& more) {
  bytes->insert(bytes->end(), more.begin(), more.end());
}

struct Described {
  ifinfomsg link;
  std::string name;
  uint32_t mtu;
  bool hasController;
  uint32_t state;
  bool isListenOnly;
};

Described Describe(Random* random) {
  Described one = {};
  one.link.ifi_type = random->OneIn(3) ? 1 : ARPHRD_CAN;
  one.link.ifi_index = static_cast<int>(random->Below(100));
  one.link.ifi_flags = random->OneIn(2) ? IFF_UP : 0;
  for (uint64_t n = 1 + random->Below(15); n > 0; n--) one.name += static_cast<char>('a' + random->Below(26));
  one.mtu = static_cast<uint32_t>(random->Number());
  one.hasController = random->OneIn(2);
  one.state = static_cast<uint32_t>(random->Below(CAN_STATE_MAX));
  one.isListenOnly = random->OneIn(2);
  return one;
}

std::vector<uint8_t> Encode(Random* random, const Described& one, uint16_t type) {
  std::vector<uint8_t> body = BytesOf(one.link);
  std::vector<uint8_t> noise(random->Below(40));
  random->Fill(noise.data(), noise.size());
  if (random->OneIn(2)) Join(&body, Attribute(IFLA_STATS, noise));
  Join(&body, Attribute(IFLA_IFNAME, Text(one.name)));
  Join(&body, Attribute(IFLA_MTU, BytesOf(one.mtu)));
  can_ctrlmode mode = {};
  mode.flags = one.isListenOnly ? CAN_CTRLMODE_LISTENONLY : 0;
  std::vector<uint8_t> data = Attribute(IFLA_CAN_STATE, BytesOf(one.state));
  Join(&data, Attribute(IFLA_CAN_CTRLMODE, BytesOf(mode)));
  std::vector<uint8_t> info = Attribute(IFLA_INFO_KIND, Text(one.hasController ? "can" : "vcan"));
  Join(&info, Attribute(IFLA_INFO_DATA | NLA_F_NESTED, data));
  Join(&body, Attribute(IFLA_LINKINFO, info));
  nlmsghdr header = {};
  header.nlmsg_type = type;
  header.nlmsg_len = static_cast<uint32_t>(sizeof header + body.size());
  std::vector<uint8_t> message = BytesOf(header);
  Join(&message, body);
  return message;
}

void CheckSame(const LinkNews& news, const Described& one) {
  CHECK(news.ifindex == one.link.ifi_index);
  CHECK(one.name == news.name);
  CHECK(news.isUp == ((one.link.ifi_flags & IFF_UP) != 0));
  CHECK(news.isCan == (one.link.ifi_type == ARPHRD_CAN));
  CHECK(news.mtu == one.mtu);
  CHECK(news.canState == (one.hasController ? static_cast<int>(one.state) : -1));
  CHECK(news.isBusOff == (one.hasController && one.state == CAN_STATE_BUS_OFF));
  CHECK(news.isListenOnly == (one.hasController && one.isListenOnly));
}

void LinkRound(Random* random) {
  std::vector<uint8_t> bytes;
  std::vector<Described> described;
  for (uint64_t n = random->Below(4); n > 0; n--) {
    described.push_back(Describe(random));
    Join(&bytes, Encode(random, described.back(), RTM_NEWLINK));
  }
  const bool isWhole = random->OneIn(4);
  if (!isWhole) Mutate(random, &bytes);
  Exact exact(bytes);
  witnessmark::LinkNewsParser parser(exact.bytes(), exact.length());
  LinkNews news;
  size_t seen = 0;
  while (parser.Next(&news)) {
    CHECK(std::memchr(news.name, 0, sizeof news.name) != nullptr);
    CHECK(news.canState >= -1 && news.canState <= static_cast<int>(CAN_STATE_MAX));
    if (isWhole) CheckSame(news, described[seen]);
    seen += 1;
    CHECK(seen <= bytes.size() / sizeof(nlmsghdr));
  }
  CHECK(!isWhole || seen == described.size());
}

}  // namespace

const Target kLinkTarget = {"link", 100000, LinkRound};

}  // namespace fuzz
