// Serves the page with made-up stats, for people and for the browser tests.
//
//   page_demo [--sites N] [--port P] [--calm] [--hostile] [--seconds S]
//
// Prints its address on one line, and ends when its standard input does, or after S seconds.
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>

#include "broker/page/page_server.h"
#include "tests/page/sample_stats.h"

namespace {

dirsync::Instant Now() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

// Whether the end of standard input came within a second.
bool InputEnded() {
  pollfd polled = {STDIN_FILENO, POLLIN, 0};
  if (poll(&polled, 1, 1000) <= 0) return false;
  char byte = 0;
  return read(STDIN_FILENO, &byte, 1) <= 0;
}

}  // namespace

int main(int argc, char** argv) {
  dirsync::SampleChoice choice;
  dirsync::PageSettings settings;
  settings.program = "demo";
  long seconds = 3600;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto number = [&] { return i + 1 < argc ? std::strtol(argv[++i], nullptr, 10) : 0L; };
    if (word == "--sites") choice.sites = static_cast<int>(number());
    if (word == "--port") settings.port = static_cast<std::uint16_t>(number());
    if (word == "--seconds") seconds = number();
    if (word == "--calm") choice.troubles = false;
    if (word == "--hostile") choice.hostile = true;
  }
  auto page = dirsync::PageServer::Start(settings);
  if (!page) {
    std::cerr << page.error().ToString() << '\n';
    return page.error().exit_status();
  }
  (*page)->SetReadiness({{"store", true}, {"listener", true}});
  std::cout << "http://127.0.0.1:" << (*page)->port() << '/' << std::endl;
  do {
    (*page)->Publish(
        std::make_shared<const dirsync::BrokerStats>(dirsync::SampleStats(choice, Now())));
  } while (!InputEnded() && seconds-- > 0);
  return 0;
}
