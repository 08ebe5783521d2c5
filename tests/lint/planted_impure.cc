// What a pure library must never hold: the purity test has to find each of these.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <thread>

namespace dirsync::lint {

long PlantedClock() { return std::chrono::steady_clock::now().time_since_epoch().count(); }
unsigned PlantedRandom() { return std::random_device()(); }
bool PlantedFile(const char* path) { return std::ifstream(path).good(); }
std::FILE* PlantedCFile(const char* path) { return std::fopen(path, "r"); }
const char* PlantedEnvironment() { return std::getenv("HOME"); }
void PlantedThread() {
  std::thread([] {}).join();
}

}  // namespace dirsync::lint
