// Runs every fuzz target for its number of rounds.
// usage: fuzz [times]           so many times the usual rounds, with other seeds; default 1
//        fuzz TARGET ROUND      one round again, under a debugger say
#include <cstring>

#include "fuzz.h"

namespace {

const fuzz::Target* const kTargets[] = {&fuzz::kFrameTarget, &fuzz::kControlTarget, &fuzz::kStampTarget,
                                        &fuzz::kDropTarget,  &fuzz::kLinkTarget,    &fuzz::kRingTarget,
                                        &fuzz::kSocketTarget, &fuzz::kReaderTarget};

const fuzz::Target* running = nullptr;
unsigned long runningRound = 0;

void RunRound(const fuzz::Target& target, unsigned long round) {
  running = &target;
  runningRound = round;
  fuzz::Random random(round * 0x2545f4914f6cdd1d + 1);
  target.round(&random);
}

void SayWhere() {
  if (running != nullptr) std::fprintf(stderr, "again with: fuzz %s %lu\n", running->name, runningRound);
}

}  // namespace

extern "C" void __sanitizer_set_death_callback(void (*)());

int main(int count, char** words) {
  __sanitizer_set_death_callback(SayWhere);
  if (count == 3) {
    for (const fuzz::Target* target : kTargets) {
      if (std::strcmp(target->name, words[1]) == 0) RunRound(*target, std::strtoul(words[2], nullptr, 10));
    }
    return 0;
  }
  const unsigned long times = count == 2 ? std::strtoul(words[1], nullptr, 10) : 1;
  for (const fuzz::Target* target : kTargets) {
    const unsigned long rounds = target->rounds * times;
    for (unsigned long round = 0; round < rounds; round++) RunRound(*target, round);
    std::printf("%s: %lu rounds\n", target->name, rounds);
    std::fflush(stdout);
  }
  running = nullptr;
  return 0;
}
