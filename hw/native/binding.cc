// The add-on's entry: what it offers to JavaScript. One environment may load it in each worker thread.
#include <node_api.h>

#include "binding.h"

NAPI_MODULE_INIT() {
  (void)env;
  return exports;
}
