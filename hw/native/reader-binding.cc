// The class Reader, as hw/native/addon.ts describes it, and probeInterface().
#include <errno.h>

#include <cstring>

#include "arguments.h"
#include "binding.h"
#include "clocks.h"
#include "interface.h"
#include "reader.h"

namespace witnessmark {

namespace {

constexpr size_t kMaxBuses = 256;
constexpr size_t kMaxNameBytes = 15;
/** CAN_RAW_FILTER_MAX. */
constexpr size_t kMaxFilters = 512;
constexpr double kMaxReceiveBufferBytes = 0x3fffffff;
constexpr double kMaxRingBytes = 0x3fffffff;
constexpr size_t kHeadFields = 9;

constexpr napi_type_tag kReaderTag = {0x9d5c1c0b3a2e4f71, 0x8b7a6c5d4e3f2a10};

/** A reader and what of JavaScript it hangs on. */
struct BoundReader {
  napi_env env = nullptr;
  std::unique_ptr<Reader> reader;
  napi_threadsafe_function wake = nullptr;
  bool hasHook = false;

  /** Ends the thread. Until then JavaScript's side of `wake` must stay. */
  void Stop() {
    reader->Stop();
    if (wake != nullptr) napi_release_threadsafe_function(wake, napi_tsfn_abort);
    wake = nullptr;
  }
};

/** The environment ends with the reader open: process.exit, or a worker that is terminated. */
void OnEnvironmentEnd(void* data) {
  auto* bound = static_cast<BoundReader*>(data);
  bound->hasHook = false;
  bound->Stop();
}

void OnCollected(napi_env env, void* data, void*) {
  auto* bound = static_cast<BoundReader*>(data);
  if (bound->hasHook) napi_remove_env_cleanup_hook(env, OnEnvironmentEnd, bound);
  bound->Stop();
  delete bound;
}

void WakeFromThread(void* data) {
  napi_call_threadsafe_function(static_cast<BoundReader*>(data)->wake, nullptr, napi_tsfn_nonblocking);
}

bool ReadFilters(napi_env env, napi_value value, std::vector<can_filter>* filters) {
  void* memory = nullptr;
  size_t length = 0;
  if (!ReadTypedArray(env, value, napi_uint32_array, &memory, &length)) return false;
  if (length % 2 != 0 || length / 2 > kMaxFilters) return false;
  const auto* numbers = static_cast<const uint32_t*>(memory);
  for (size_t i = 0; i < length; i += 2) filters->push_back({numbers[i], numbers[i + 1]});
  return true;
}

bool ReadBus(napi_env env, napi_value value, BusOptions* bus) {
  napi_value name;
  napi_value filters;
  napi_value source;
  napi_value descriptor;
  double sourceNumber;
  double fd;
  if (!ReadProperty(env, value, "name", &name) || !ReadText(env, name, kMaxNameBytes, &bus->name) ||
      bus->name.empty() || !ReadProperty(env, value, "filters", &filters) ||
      !ReadFilters(env, filters, &bus->socket.filters) || !ReadProperty(env, value, "source", &source) ||
      !ReadUint(env, source, 2, &sourceNumber) || !ReadProperty(env, value, "descriptor", &descriptor) ||
      !ReadUint(env, descriptor, 0x7fffffff, &fd)) {
    return false;
  }
  bus->source = static_cast<BusOptions::Source>(static_cast<uint8_t>(sourceNumber));
  bus->fd = static_cast<int>(fd);
  return true;
}

bool ReadOptions(napi_env env, napi_value value, ReaderOptions* options) {
  napi_value property;
  double ringBytes;
  double receiveBufferBytes;
  if (!ReadProperty(env, value, "ringBytes", &property) || !ReadUint(env, property, kMaxRingBytes, &ringBytes) ||
      ringBytes < Ring::kMinBytes || !ReadProperty(env, value, "receiveBufferBytes", &property) ||
      !ReadUint(env, property, kMaxReceiveBufferBytes, &receiveBufferBytes) ||
      !ReadProperty(env, value, "interfaces", &property)) {
    return false;
  }
  options->ringBytes = static_cast<size_t>(ringBytes);
  uint32_t count = 0;
  if (napi_get_array_length(env, property, &count) != napi_ok || count == 0 || count > kMaxBuses) return false;
  for (uint32_t i = 0; i < count; i++) {
    napi_value element;
    BusOptions bus = {};
    if (napi_get_element(env, property, i, &element) != napi_ok || !ReadBus(env, element, &bus)) return false;
    bus.socket.receiveBufferBytes = static_cast<int>(receiveBufferBytes);
    options->buses.push_back(std::move(bus));
  }
  return true;
}

napi_value ThrowFault(napi_env env, const ReaderFault& fault) {
  if (std::strcmp(fault.kind, "not_can") == 0) {
    return Throw(env, "CAPTURE_NOT_CAN", "expected a CAN interface, and \"" + fault.bus + "\" is none");
  }
  if (std::strcmp(fault.kind, "no_socketcan") == 0) {
    return ThrowErrno(env, "CAPTURE_NO_SOCKETCAN", "the kernel has no CAN sockets", fault.error);
  }
  const std::string where = fault.bus.empty() ? "" : " of \"" + fault.bus + "\"";
  return ThrowErrno(env, "CAPTURE_SOCKET", fault.step + where, fault.error);
}

napi_value NewReader(napi_env env, napi_callback_info info) {
  Arguments<2> arguments;
  ReaderOptions options;
  napi_valuetype wakeType = napi_undefined;
  if (!ReadArguments(env, info, &arguments) || !ReadOptions(env, arguments.values[0], &options) ||
      napi_typeof(env, arguments.values[1], &wakeType) != napi_ok || wakeType != napi_function) {
    return Throw(env, "CAPTURE_OPTION", "expected the options of a reader and a function");
  }
  ReaderFault fault = {};
  auto bound = std::make_unique<BoundReader>();
  bound->env = env;
  bound->reader = Reader::Open(std::move(options), &fault);
  if (bound->reader == nullptr) return ThrowFault(env, fault);

  napi_value name;
  if (napi_create_string_utf8(env, "witnessmark reader", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_threadsafe_function(env, arguments.values[1], nullptr, name, 0, 1, nullptr, nullptr, nullptr,
                                      nullptr, &bound->wake) != napi_ok) {
    return Throw(env, "CAPTURE_SOCKET", "no way to wake JavaScript");
  }
  // A reader that nobody waits for keeps no process alive.
  napi_unref_threadsafe_function(env, bound->wake);
  BoundReader* raw = bound.get();
  if (napi_wrap(env, arguments.self, raw, OnCollected, nullptr, nullptr) != napi_ok) {
    bound->Stop();
    return Throw(env, "CAPTURE_OPTION", "expected to be called with new");
  }
  (void)bound.release();  // the object's from here on
  napi_type_tag_object(env, arguments.self, &kReaderTag);
  raw->hasHook = napi_add_env_cleanup_hook(env, OnEnvironmentEnd, raw) == napi_ok;
  if (!raw->reader->Start(WakeFromThread, raw)) return Throw(env, "CAPTURE_SOCKET", "no thread to read in");
  return arguments.self;
}

/** The reader that a method was called on; throws when it is something else. */
BoundReader* Self(napi_env env, napi_value self) {
  bool isReader = false;
  void* data = nullptr;
  if (napi_check_object_type_tag(env, self, &kReaderTag, &isReader) != napi_ok || !isReader ||
      napi_unwrap(env, self, &data) != napi_ok) {
    Throw(env, "CAPTURE_OPTION", "expected a reader");
    return nullptr;
  }
  return static_cast<BoundReader*>(data);
}

template <typename T>
bool ReadColumn(napi_env env, napi_value value, napi_typedarray_type type, T** memory, size_t* length) {
  void* bytes = nullptr;
  if (!ReadTypedArray(env, value, type, &bytes, length)) return false;
  *memory = static_cast<T*>(bytes);
  return true;
}

/**
 * take(head, offsetNs, bus, id, flags, length, rawDlc, dataAt, data, events). The columns are asked for their
 * memory in each call: somebody may have transferred it away.
 */
napi_value Take(napi_env env, napi_callback_info info) {
  Arguments<10> arguments;
  if (!ReadArguments(env, info, &arguments)) return nullptr;
  BoundReader* bound = Self(env, arguments.self);
  if (bound == nullptr) return nullptr;
  int64_t* head;
  size_t headLength;
  Columns columns = {};
  size_t lengths[7];
  size_t eventLength;
  napi_value* v = arguments.values;
  if (!ReadColumn(env, v[0], napi_bigint64_array, &head, &headLength) || headLength < kHeadFields ||
      !ReadColumn(env, v[1], napi_float64_array, &columns.offsetNs, &lengths[0]) ||
      !ReadColumn(env, v[2], napi_uint8_array, &columns.bus, &lengths[1]) ||
      !ReadColumn(env, v[3], napi_uint32_array, &columns.id, &lengths[2]) ||
      !ReadColumn(env, v[4], napi_uint8_array, &columns.flags, &lengths[3]) ||
      !ReadColumn(env, v[5], napi_uint8_array, &columns.length, &lengths[4]) ||
      !ReadColumn(env, v[6], napi_uint8_array, &columns.rawDlc, &lengths[5]) ||
      !ReadColumn(env, v[7], napi_uint32_array, &columns.dataAt, &lengths[6]) ||
      !ReadColumn(env, v[8], napi_uint8_array, &columns.data, &columns.dataCapacity) ||
      !ReadColumn(env, v[9], napi_bigint64_array, &columns.events, &eventLength)) {
    return Throw(env, "CAPTURE_COLUMNS", "expected the columns of a frame block");
  }
  columns.capacity = lengths[0];
  columns.eventCapacity = eventLength / kEventFields;
  for (size_t length : lengths) {
    if (length < columns.capacity) return Throw(env, "CAPTURE_COLUMNS", "expected columns of one length");
  }
  if (columns.capacity == 0 || columns.dataCapacity < kMaxDataBytes || columns.eventCapacity == 0) {
    return Throw(env, "CAPTURE_COLUMNS", "expected room for one frame and one event");
  }
  const Taken taken = bound->reader->Take(columns);
  const ClockReading clocks = ReadClocks();
  const int64_t fields[kHeadFields] = {static_cast<int64_t>(taken.count),
                                       static_cast<int64_t>(taken.dataBytes),
                                       static_cast<int64_t>(taken.eventCount),
                                       taken.isFull ? 1 : 0,
                                       taken.count > 0 ? taken.baseNs : clocks.wallNs,
                                       clocks.monoNs,
                                       clocks.wallNs,
                                       clocks.bootNs,
                                       taken.readToNs};
  std::memcpy(head, fields, sizeof fields);
  return nullptr;
}

/** arm(): true when there is reason to take at once, else the function given at the start is called when there is. */
napi_value Arm(napi_env env, napi_callback_info info) {
  Arguments<1> arguments;
  if (!ReadArguments(env, info, &arguments)) return nullptr;
  BoundReader* bound = Self(env, arguments.self);
  if (bound == nullptr) return nullptr;
  napi_value result;
  return napi_get_boolean(env, bound->reader->Arm(), &result) == napi_ok ? result : nullptr;
}

/** stop(): reads what the sockets still have and ends the thread; take() goes on working. */
napi_value Stop(napi_env env, napi_callback_info info) {
  Arguments<1> arguments;
  if (!ReadArguments(env, info, &arguments)) return nullptr;
  BoundReader* bound = Self(env, arguments.self);
  if (bound == nullptr) return nullptr;
  if (bound->hasHook) napi_remove_env_cleanup_hook(env, OnEnvironmentEnd, bound);
  bound->hasHook = false;
  bound->Stop();
  return nullptr;
}

/** counts(): what the reader has counted so far, and what its sockets got. */
napi_value Counts(napi_env env, napi_callback_info info) {
  Arguments<1> arguments;
  if (!ReadArguments(env, info, &arguments)) return nullptr;
  BoundReader* bound = Self(env, arguments.self);
  if (bound == nullptr) return nullptr;
  napi_value counts;
  napi_value list;
  const auto& buses = bound->reader->buses();
  if (napi_create_object(env, &counts) != napi_ok ||
      napi_create_array_with_length(env, buses.size(), &list) != napi_ok) {
    return nullptr;
  }
  for (size_t i = 0; i < buses.size(); i++) {
    napi_value one;
    if (napi_create_object(env, &one) != napi_ok) return nullptr;
    const Bus& bus = *buses[i];
    SetNumber(env, one, "frames", static_cast<double>(bus.counts.frames));
    SetNumber(env, one, "kernelDrops", static_cast<double>(bus.counts.kernelDrops));
    SetNumber(env, one, "malformed", static_cast<double>(bus.counts.malformed));
    SetNumber(env, one, "receiveBufferBytes", bus.counts.receiveBufferBytes);
    SetNumber(env, one, "localPort", bus.localPort);
    SetBoolean(env, one, "hasHardwareStamps", bus.hasHardwareStamps);
    SetBoolean(env, one, "isListenOnly", bus.isListenOnly);
    napi_set_element(env, list, static_cast<uint32_t>(i), one);
  }
  napi_set_named_property(env, counts, "buses", list);
  SetNumber(env, counts, "ringFullTimes", static_cast<double>(bound->reader->ringFullTimes()));
  SetNumber(env, counts, "ringFullNs", static_cast<double>(bound->reader->ringFullNs()));
  return counts;
}

/** probeInterface(name): how an interface stands right now; see addon.ts. */
napi_value ProbeInterface(napi_env env, napi_callback_info info) {
  Arguments<1> arguments;
  std::string name;
  if (!ReadArguments(env, info, &arguments) || !ReadText(env, arguments.values[0], kMaxNameBytes, &name)) {
    return Throw(env, "CAPTURE_INTERFACE_NAME", "expected the name of an interface, 1 to 15 bytes");
  }
  LinkWatch watch;
  std::vector<LinkNews> news;
  int error = watch.Open();
  if (error == 0) error = watch.ReadWholeDump(&news);
  if (error != 0) return ThrowErrno(env, "CAPTURE_SOCKET", "rtnetlink", error);
  LinkNews found = {};
  found.canState = -1;
  bool isPresent = false;
  for (const LinkNews& one : news) {
    if (one.kind != LinkNews::Kind::kPresent || name != one.name) continue;
    found = one;
    isPresent = true;
  }
  napi_value probe;
  if (napi_create_object(env, &probe) != napi_ok) return nullptr;
  SetBoolean(env, probe, "isPresent", isPresent);
  SetBoolean(env, probe, "isCan", found.isCan);
  SetBoolean(env, probe, "isUp", found.isUp);
  SetBoolean(env, probe, "isListenOnly", found.isListenOnly);
  SetBoolean(env, probe, "hasHardwareStamps", isPresent && HasHardwareStamps(name.c_str()));
  SetNumber(env, probe, "mtu", found.mtu);
  SetNumber(env, probe, "canState", found.canState);
  return probe;
}

}  // namespace

void RegisterReader(napi_env env, napi_value exports) {
  const napi_property_attributes method = napi_default_method;
  const napi_property_descriptor methods[] = {
      {"take", nullptr, Take, nullptr, nullptr, nullptr, method, nullptr},
      {"arm", nullptr, Arm, nullptr, nullptr, nullptr, method, nullptr},
      {"stop", nullptr, Stop, nullptr, nullptr, nullptr, method, nullptr},
      {"counts", nullptr, Counts, nullptr, nullptr, nullptr, method, nullptr},
  };
  napi_value reader;
  if (napi_define_class(env, "Reader", NAPI_AUTO_LENGTH, NewReader, nullptr, sizeof methods / sizeof *methods,
                        methods, &reader) == napi_ok) {
    napi_set_named_property(env, exports, "Reader", reader);
  }
  SetFunction(env, exports, "probeInterface", ProbeInterface);
}

}  // namespace witnessmark
