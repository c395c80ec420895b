// The class Sealing, as hw/native/addon.ts describes it.
#include <cstring>
#include <memory>

#include "arguments.h"
#include "binding.h"
#include "seal-arguments.h"
#include "seal-leaves.h"

namespace witnessmark {

namespace sealing {

namespace {

/** So that no other object's memory is taken for ours. */
constexpr napi_type_tag kTypeTag = {0x5b8e1f0c6a2d4937, 0x9c41e7d25f80ab63};
constexpr size_t kMaxBusBytes = 15;
constexpr size_t kMaxBuses = 256;

/** How frames find a stream; hw/native/addon.ts has the same numbers. */
enum Route : uint32_t { kNone, kById, kByError, kOther, kUnrouted };

struct Handle {
  std::unique_ptr<Leaves> leaves;
};

napi_value Refuse(napi_env env, const char* expected) {
  return Throw(env, "SEALING_ARGUMENT", std::string("expected ") + expected);
}

void Finalize(napi_env, void* data, void*) { delete static_cast<Handle*>(data); }

napi_value Construct(napi_env env, napi_callback_info info) {
  Arguments<1> arguments;
  napi_value newTarget = nullptr;
  if (!ReadArguments(env, info, &arguments) || napi_get_new_target(env, info, &newTarget) != napi_ok ||
      newTarget == nullptr) {
    return Refuse(env, "new");
  }
  auto* const handle = new Handle{std::make_unique<Leaves>()};
  if (napi_wrap(env, arguments.self, handle, Finalize, nullptr, nullptr) != napi_ok) {
    delete handle;
    return Refuse(env, "a new object");
  }
  if (napi_type_tag_object(env, arguments.self, &kTypeTag) != napi_ok) return Refuse(env, "a new object");
  return arguments.self;
}

/** Null after an error, which is thrown. */
Handle* HandleOf(napi_env env, napi_value self) {
  bool isOurs = false;
  void* data = nullptr;
  if (napi_check_object_type_tag(env, self, &kTypeTag, &isOurs) != napi_ok || !isOurs ||
      napi_unwrap(env, self, &data) != napi_ok) {
    Refuse(env, "a sealing");
    return nullptr;
  }
  return static_cast<Handle*>(data);
}

/** Null after an error, which is thrown. What it gives holds until JavaScript runs. */
Leaves* LeavesOf(napi_env env, napi_value self) {
  Handle* const handle = HandleOf(env, self);
  if (handle == nullptr) return nullptr;
  if (handle->leaves == nullptr) Throw(env, "SEALING_CLOSED", "the sealing is closed");
  return handle->leaves.get();
}

/** The nodes of a key tree from `first` on, borrowed for the call; null for anything else. */
const uint8_t* ReadNodes(napi_env env, napi_value firstValue, napi_value nodes, uint32_t* first) {
  double number = 0;
  if (!ReadUint(env, firstValue, UINT32_MAX, &number)) return nullptr;
  *first = static_cast<uint32_t>(number);
  return ReadBytes(env, nodes, kNodeBytes * KeyTree::NodeCount(*first));
}

/** addStream(name, first, nodes, route, bus, id) */
napi_value AddStream(napi_env env, napi_callback_info info) {
  Arguments<6> arguments;
  if (!ReadArguments(env, info, &arguments)) return nullptr;
  Leaves* const leaves = LeavesOf(env, arguments.self);
  if (leaves == nullptr) return nullptr;
  std::string name;
  std::string bus;
  double route = 0;
  double idNumber = 0;
  if (!ReadText(env, arguments.values[0], kMaxNameBytes, &name)) return Refuse(env, "the name of a stream");
  uint32_t first = 0;
  const uint8_t* const nodes = ReadNodes(env, arguments.values[1], arguments.values[2], &first);
  if (nodes == nullptr) return Refuse(env, "the nodes from a seq on");
  if (!ReadUint(env, arguments.values[3], kUnrouted, &route)) return Refuse(env, "a route");
  if (!ReadText(env, arguments.values[4], kMaxBusBytes, &bus)) return Refuse(env, "a bus");
  if (!ReadUint(env, arguments.values[5], UINT32_MAX, &idNumber)) return Refuse(env, "an id");
  const auto id = static_cast<uint32_t>(idNumber);
  if (route == kById && (StreamKey(id) != id || id == kErrFlag)) return Refuse(env, "the id of a stream");
  if (leaves->streamCount() == kMaxStreams) return Refuse(env, "fewer streams");
  const auto ordinal = static_cast<uint32_t>(leaves->streamCount());
  const Leaves::Kind kind = route == kNone   ? Leaves::Kind::kRecords
                            : route == kById ? Leaves::Kind::kId
                                             : Leaves::Kind::kRaw;
  leaves->AddStream(name, first, nodes, kind, id);
  if (route == kById) leaves->routes().AddKey(bus, id, ordinal);
  if (route == kByError) leaves->routes().AddKey(bus, kErrFlag, ordinal);
  if (route == kOther) leaves->routes().AddOther(bus, ordinal);
  return nullptr;
}

/** setJournalKeys(first, nodes) */
napi_value SetJournalKeys(napi_env env, napi_callback_info info) {
  Arguments<2> arguments;
  if (!ReadArguments(env, info, &arguments)) return nullptr;
  Leaves* const leaves = LeavesOf(env, arguments.self);
  if (leaves == nullptr) return nullptr;
  uint32_t first = 0;
  const uint8_t* const nodes = ReadNodes(env, arguments.values[0], arguments.values[1], &first);
  if (nodes == nullptr) return Refuse(env, "the nodes from a seq on");
  leaves->SetJournalKeys(first, nodes);
  return nullptr;
}

/** addBus(name) */
napi_value AddBus(napi_env env, napi_callback_info info) {
  Arguments<1> arguments;
  std::string bus;
  if (!ReadArguments(env, info, &arguments)) return nullptr;
  Leaves* const leaves = LeavesOf(env, arguments.self);
  if (leaves == nullptr) return nullptr;
  if (!ReadText(env, arguments.values[0], kMaxBusBytes, &bus)) return Refuse(env, "a bus");
  if (leaves->routes().busCount() == kMaxBuses) return Refuse(env, "at most 256 buses");
  leaves->routes().AddBus(bus);
  return nullptr;
}

/** False, and something is thrown, for what cannot be sealed. */
bool IsOk(napi_env env, Status status) {
  switch (status) {
    case Status::kOk:
      return true;
    case Status::kRawShape:
      Throw(env, "RAW_SHAPE", "expected the shape of a CAN frame of this stream");
      return false;
    case Status::kRawStamp:
      Throw(env, "RAW_STAMP", "expected stamps within 2^50 ns of the base");
      return false;
    case Status::kStranger:
      Throw(env, "SEALING_STRANGER", "expected frames of streams that were added");
      return false;
    case Status::kOutside:
      Refuse(env, "buses and data that are there");
      return false;
    case Status::kPassed:
      Throw(env, "KEY_NODE_RANGE", "no key node covers a seq below the one before");
      return false;
  }
  return false;
}

/** strangers(...rows): numbers of rows */
napi_value Strangers(napi_env env, napi_callback_info info) {
  Arguments<kRowsArguments> arguments;
  Rows rows;
  if (!ReadArguments(env, info, &arguments)) return nullptr;
  Leaves* const leaves = LeavesOf(env, arguments.self);
  if (leaves == nullptr) return nullptr;
  if (!ReadRows(env, arguments.values, &rows)) return Refuse(env, "rows of frames");
  std::vector<uint32_t> strangers;
  if (!IsOk(env, leaves->routes().Strangers(rows, &strangers))) return nullptr;
  napi_value list = nullptr;
  bool isMade = napi_create_array_with_length(env, strangers.size(), &list) == napi_ok;
  for (uint32_t i = 0; isMade && i < strangers.size(); i++) {
    napi_value row = nullptr;
    isMade = napi_create_uint32(env, strangers[i], &row) == napi_ok && napi_set_element(env, list, i, row) == napi_ok;
  }
  return isMade ? list : nullptr;
}

/** The results in views of one memory: each memory of its own would cost more than what is in it. */
napi_value ObjectOf(napi_env env, const Sealed& sealed, bool withBodyHash) {
  const size_t bodyAt = kHashBytes * (withBodyHash ? 2 : 1);
  void* memory = nullptr;
  napi_value buffer = nullptr;
  napi_value object = nullptr;
  if (napi_create_object(env, &object) != napi_ok) return nullptr;
  if (napi_create_arraybuffer(env, bodyAt + sealed.bodyLength, &memory, &buffer) != napi_ok) return nullptr;
  const auto set = [&](const char* name, size_t at, size_t length) {
    napi_value view = nullptr;
    return napi_create_typedarray(env, napi_uint8_array, length, buffer, at, &view) == napi_ok &&
           napi_set_named_property(env, object, name, view) == napi_ok;
  };
  auto* const bytes = static_cast<uint8_t*>(memory);
  std::memcpy(bytes, sealed.root, kHashBytes);
  if (withBodyHash) Sha256(sealed.body, sealed.bodyLength, bytes + kHashBytes);
  std::memcpy(bytes + bodyAt, sealed.body, sealed.bodyLength);
  SetNumber(env, object, "entryCount", sealed.entryCount);
  bool isMade = set("root", 0, kHashBytes) && set("body", bodyAt, sealed.bodyLength);
  if (isMade && withBodyHash) isMade = set("bodyHash", kHashBytes, kHashBytes);
  return isMade ? object : nullptr;
}

/** chunk(tag, seq, nonce, records, ...rows), and block likewise */
napi_value Seal(napi_env env, napi_callback_info info, bool isBlock) {
  constexpr size_t kBeforeRows = 4;
  Arguments<kBeforeRows + kRowsArguments> arguments;
  std::vector<RecordsValues> recordsValues;
  if (!ReadArguments(env, info, &arguments)) return nullptr;
  if (!GatherRecords(env, arguments.values[3], &recordsValues)) return Refuse(env, "a list of leaves");

  Leaves* const leaves = LeavesOf(env, arguments.self);
  if (leaves == nullptr) return nullptr;
  double seq = 0;
  Rows rows;
  std::vector<RecordsLeaf> records;
  const uint8_t* const tag = ReadBytes(env, arguments.values[0], kTagBytes);
  const uint8_t* const nonce = ReadBytes(env, arguments.values[2], kNonceBytes);
  if (tag == nullptr || nonce == nullptr) return Refuse(env, "a tag and a nonce of 16 bytes");
  if (!ReadUint(env, arguments.values[1], UINT32_MAX, &seq)) return Refuse(env, "a seq");
  if (!ReadRows(env, arguments.values + kBeforeRows, &rows)) return Refuse(env, "rows of frames");
  if (!ReadRecords(env, recordsValues, leaves->streamCount(), &records)) {
    return Refuse(env, "leaves of streams that were added, each with a count and a payload");
  }
  if (isBlock && !leaves->hasJournal()) return Refuse(env, "keys of the journal first");
  const Place place = {tag, static_cast<uint32_t>(seq), nonce};
  Sealed sealed;
  const Status status = isBlock ? leaves->SealBlock(place, rows, records, &sealed)
                                : leaves->SealChunk(place, rows, records, &sealed);
  return IsOk(env, status) ? ObjectOf(env, sealed, isBlock) : nullptr;
}

napi_value SealChunk(napi_env env, napi_callback_info info) { return Seal(env, info, false); }
napi_value SealBlock(napi_env env, napi_callback_info info) { return Seal(env, info, true); }

/** close(): wipes all secrets */
napi_value Close(napi_env env, napi_callback_info info) {
  Arguments<1> arguments;
  if (!ReadArguments(env, info, &arguments)) return nullptr;
  Handle* const handle = HandleOf(env, arguments.self);
  if (handle != nullptr) handle->leaves.reset();
  return nullptr;
}

napi_property_descriptor Method(const char* name, napi_callback callback) {
  return {name, nullptr, callback, nullptr, nullptr, nullptr, napi_default_method, nullptr};
}

}  // namespace

}  // namespace sealing

void RegisterSealing(napi_env env, napi_value exports) {
  using namespace sealing;
  const napi_property_descriptor methods[] = {
      Method("addStream", AddStream), Method("setJournalKeys", SetJournalKeys), Method("addBus", AddBus),
      Method("strangers", Strangers), Method("chunk", SealChunk),               Method("block", SealBlock),
      Method("close", Close),
  };
  napi_value constructor = nullptr;
  if (napi_define_class(env, "Sealing", NAPI_AUTO_LENGTH, Construct, nullptr, sizeof methods / sizeof methods[0],
                        methods, &constructor) == napi_ok) {
    napi_set_named_property(env, exports, "Sealing", constructor);
  }
}

}  // namespace witnessmark
