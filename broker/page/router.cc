#include "broker/page/router.h"

#include <algorithm>

#include "broker/core/stats_json.h"
#include "broker/page/assets.h"
#include "broker/page/basic_token.h"
#include "broker/page/metrics.h"
#include "proto/base/json_text.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::size_t kEventsMax = 1000;
constexpr Duration kSilenceMax = std::chrono::seconds(30);
constexpr std::string_view kJson = "application/json";

std::string Query(const PageRequest& request, const char* name) {
  const auto found = request.query.find(name);
  return found == request.query.end() ? "" : found->second;
}

PageAnswer Problem(const PageRequest& request, int status, std::string_view title,
                   std::string_view text) {
  PageAnswer answer;
  answer.status = status;
  if (request.path.starts_with("/api/")) {
    answer.type = kJson;
    answer.body = JsonObject().Text("code", title).Text("message", text).Finish() + "\n";
    return answer;
  }
  answer.type = "text/plain; charset=utf-8";
  answer.body = std::string(title) + ": " + std::string(text) + "\n";
  return answer;
}

PageAnswer Page(std::optional<std::string> page, const PageSnapshot& snapshot) {
  PageAnswer answer;
  answer.status = page ? 200 : 404;
  answer.body = page ? std::move(*page)
                     : ErrorPage(snapshot, "Not here", "There is nothing of this name (any more).");
  return answer;
}

PageAnswer Json(std::string body) {
  return {.type = std::string(kJson), .body = std::move(body) + "\n"};
}

PageAnswer Health(const PageRequest& request, const PageState& state) {
  PageAnswer answer;
  answer.type = "text/plain; charset=utf-8";
  if (request.path == "/livez") {
    // The loop turns if it publishes. Never looks at peers or disk.
    const bool turns = state.silent < kSilenceMax;
    answer.status = turns ? 200 : 503;
    answer.body = turns ? "ok\n" : "the broker's loop has not turned for 30 seconds\n";
    return answer;
  }
  bool ready = !state.readiness.empty();
  for (const ReadinessCheck& check : state.readiness) {
    ready = ready && check.passed;
    answer.body += (check.passed ? "ok: " : "not yet: ") + Printable(check.name, 80) + "\n";
  }
  answer.status = ready ? 200 : 503;
  if (!request.query.contains("verbose")) answer.body = ready ? "ok\n" : "not ready\n";
  return answer;
}

PageAnswer Api(const PageRequest& request, const PageSnapshot& snapshot) {
  const BrokerStats& stats = *snapshot.stats;
  const std::string_view path = std::string_view(request.path).substr(7);  // "/api/v1"
  if (path == "/status") return Json(StatusJson(stats, snapshot.overview));
  if (path == "/streams") return Json(StreamsJson(stats, Query(request, "stream")));
  if (path == "/readers")
    return Json(
        ReadersJson(stats, snapshot.overview, Query(request, "stream"), Query(request, "reader")));
  if (path == "/sites") return Json(SitesJson(stats));
  if (path == "/events") {
    const std::string after = Query(request, "after");
    const auto number = after.empty() ? std::optional<std::uint64_t>(0) : ParseNumber(after);
    if (!number) return Problem(request, 400, "INVALID", "after is a whole number");
    return Json(EventsJson(stats, *number, kEventsMax));
  }
  return Problem(request, 404, "NOT_FOUND", "no such part of the API");
}

PageAnswer View(const PageRequest& request, const PageSnapshot& snapshot) {
  if (request.path == "/") return Page(OverviewPage(snapshot), snapshot);
  if (request.path == "/waiting") return Page(WaitingPage(snapshot), snapshot);
  if (request.path == "/storage") return Page(StoragePage(snapshot), snapshot);
  if (request.path == "/sites") return Page(SitesPage(snapshot), snapshot);
  if (request.path == "/timeline") return Page(TimelinePage(snapshot), snapshot);
  if (request.path == "/link")
    return Page(LinkPage(snapshot, Query(request, "stream"), Query(request, "reader")), snapshot);
  if (request.path == "/site") return Page(SitePage(snapshot, Query(request, "name")), snapshot);
  return Page(std::nullopt, snapshot);
}

bool IsPermitted(const PageRequest& request, const PageSettings& settings) {
  if (settings.token.empty()) return true;
  return MatchesBasic(request.authorization, settings.token);
}

}  // namespace

const std::map<std::string, std::string>& CommonHeaders() {
  static const std::map<std::string, std::string> headers = {
      {"Content-Security-Policy",
       "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
       "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Cache-Control", "no-store"},
  };
  return headers;
}

bool IsOurHost(std::string_view host, std::uint16_t port, const PageSettings& settings) {
  const std::string suffix = ":" + std::to_string(port);
  if (host.ends_with(suffix)) host.remove_suffix(suffix.size());
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto same = [&](std::string_view name) { return EqualsIgnoreCase(host, name); };
  return same("localhost") || same("127.0.0.1") || same("::1") || same(settings.address) ||
         std::ranges::any_of(settings.host_names, same);
}

PageAnswer Answer(const PageRequest& request, const PageSnapshot& snapshot,
                  const PageState& state) {
  if (request.hosts != 1 || !IsOurHost(request.host, state.port, state.settings))
    return Problem(request, 400, "INVALID", "the Host header names another host");
  if (request.method != "GET" && request.method != "HEAD") {
    PageAnswer answer = Problem(request, 405, "NOT_PERMITTED", "only GET and HEAD are answered");
    answer.headers["Allow"] = "GET, HEAD";
    return answer;
  }
  if (request.path == "/livez" || request.path == "/readyz") return Health(request, state);
  if (!IsPermitted(request, state.settings)) {
    PageAnswer answer = Problem(request, 401, "NOT_PERMITTED", "the token is missing or wrong");
    answer.headers["WWW-Authenticate"] = "Basic realm=\"dirsync\", charset=\"UTF-8\"";
    return answer;
  }
  if (request.path == "/metrics") {
    const bool ready =
        !state.readiness.empty() && std::ranges::all_of(state.readiness, &ReadinessCheck::passed);
    return {.type = "text/plain; version=0.0.4; charset=utf-8",
            .body = MetricsText(snapshot, *state.sums, state.settings.program, ready)};
  }
  if (request.path.starts_with("/api/v1/")) return Api(request, snapshot);
  if (const Asset* asset = FindAsset(request.path)) {
    PageAnswer answer{.type = std::string(asset->type), .body = std::string(asset->bytes)};
    answer.headers["Cache-Control"] = "no-cache";
    return answer;
  }
  return View(request, snapshot);
}

}  // namespace dirsync
