// What each part of the add-on registers.
#pragma once
#include <node_api.h>
