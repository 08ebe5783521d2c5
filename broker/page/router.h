// What each address answers. No sockets: a request in, an answer out, so that tests need no server.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "broker/page/counter_sums.h"
#include "broker/page/page_server.h"
#include "broker/page/pages.h"

namespace dirsync {

struct PageRequest {
  std::string method;
  std::string path;                          // decoded, without the query
  std::map<std::string, std::string> query;  // decoded
  std::string host;                          // of the Host header
  std::string authorization;
  std::size_t hosts = 1;  // how many Host headers came
};
struct PageAnswer {
  int status = 200;
  std::string type = "text/html; charset=utf-8";
  std::string body;
  std::map<std::string, std::string> headers;  // besides those that every answer has
};

// What it answers from, besides the snapshot.
struct PageState {
  PageSettings settings;
  std::uint16_t port = 0;
  PageReadiness readiness;
  Duration silent{};  // since the last Publish(): /livez
  CounterSums* sums = nullptr;
};

// Never fails: what is wrong with a request is an answer of 4xx.
PageAnswer Answer(const PageRequest& request, const PageSnapshot& snapshot, const PageState& state);

// Whether `host` (of a Host header) is the address, a loopback name, or one of `names`, with the
// port or without.
bool IsOurHost(std::string_view host, std::uint16_t port, const PageSettings& settings);
// The headers of every answer, policy of the content first.
const std::map<std::string, std::string>& CommonHeaders();

}  // namespace dirsync
