#include "tests/e2e/running_sites.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace dirsync::e2e {
namespace {

// What stands behind `before`, up to the next mark.
std::string WordBehind(const std::string& text, const std::string& before) {
  const auto at = text.find(before);
  if (at == std::string::npos) return "";
  const auto begin = at + before.size();
  return text.substr(begin, text.find_first_of(",; \n", begin) - begin);
}

// The line of its addresses that a broker prints once it serves; empty until the line is whole. The
// log tells the same addresses earlier, in other words.
std::string ReadyLine(const std::string& said) {
  const auto begin = said.find("listening on ");
  const auto end = said.find('\n', begin);
  if (begin == std::string::npos || end == std::string::npos) return "";
  return said.substr(begin, end - begin);
}

}  // namespace

RunningSites::RunningSites(std::string dirsync, int sites, std::string host,
                           std::vector<std::string> agent_options)
    : dirsync_(std::move(dirsync)),
      wanted_(sites),
      host_(std::move(host)),
      agent_options_(std::move(agent_options)) {
  std::string name = std::filesystem::temp_directory_path() / "dirsync-sites-XXXXXX";
  folder_ = mkdtemp(name.data());
}

RunningSites::~RunningSites() {
  servers_.clear();
  std::filesystem::remove_all(folder_);
}

std::vector<std::string> RunningSites::BrokerArguments(const std::string& listen,
                                                       const std::string& door) const {
  return {dirsync_, "--store",       Store(0), "broker", "run", "--listen",
          listen,   "--join-listen", door,     "--page", "off"};
}

bool RunningSites::StartBroker(std::uint64_t dies_at) {
  server(0).Start(dies_at);
  std::string line;
  const bool up = Until([&] {
    line = ReadyLine(server(0).LogOfThisRun());
    return !line.empty() || !server(0).running();
  });
  if (!up || line.empty()) return false;
  address_ = WordBehind(line, "listening on ");
  server(0).set_arguments(BrokerArguments(address_, WordBehind(line, "joins on ")));
  return true;
}

std::string RunningSites::SetUp(const std::vector<std::string>& export_options) {
  if (const Outcome made = Command(0, {"organization", "init", "Testorg"}); made.exit_status != 0)
    return made.errors;
  const std::string any = "tcp://" + host_ + ":*";
  servers_.push_back(std::make_unique<Server>(BrokerArguments(any, any), Path("broker.log")));
  if (!StartBroker()) return "the broker does not start: " + Log(0);
  for (int site = 1; site <= wanted_; ++site)
    if (std::string wrong = AddSite(export_options); !wrong.empty()) return wrong;
  return "";
}

std::string RunningSites::AddSite(const std::vector<std::string>& export_options) {
  const int site = sites() + 1;
  const std::string name = NameOf(site);
  std::string invitation = Command(0, {"broker", "invite"}).output;
  invitation.erase(invitation.find_last_not_of('\n') + 1);
  std::vector<std::string> exports = {"instance", "set", "OUT", "--export"};
  exports.insert(exports.end(), export_options.begin(), export_options.end());
  const std::vector<std::pair<int, std::vector<std::string>>> steps = {
      {site,
       {"init", "--organization", "Testorg", "--site", name, "--server", "Server" + name,
        "--address-type", "SMTP", "--domain", name + ".test"}},
      {site, {"join", invitation}},
      {0, {"sites", "approve", name}},
      {site, {"join", invitation}},
      {site, exports}};
  for (const auto& [where, words] : steps)
    if (const Outcome done = Command(where, words); done.exit_status != 0)
      return words.front() + " of " + name + ": " + done.errors;
  std::vector<std::string> arguments = {dirsync_, "--store", Store(site), "agent", "run"};
  arguments.insert(arguments.end(), agent_options_.begin(), agent_options_.end());
  servers_.push_back(
      std::make_unique<Server>(arguments, Path("site" + std::to_string(site) + ".log")));
  StartAgent(site);
  return "";
}

void RunningSites::StartAgent(int site, std::uint64_t dies_at) {
  const std::string socket = Store(site) + "/control.sock";
  std::filesystem::remove(socket);  // of one that was killed
  server(site).Start(dies_at);
  if (dies_at == 0)
    Until([&] { return std::filesystem::exists(socket) || !server(site).running(); });
}

Outcome RunningSites::Command(int site, std::vector<std::string> words) const {
  words.insert(words.begin(), {dirsync_, "--store", Store(site)});
  return RunProcess(words);
}

nlohmann::json RunningSites::Json(int site, std::vector<std::string> words) const {
  words.emplace_back("--json");
  const Outcome outcome = Command(site, std::move(words));
  return nlohmann::json::parse(outcome.exit_status == 0 ? outcome.output : "", nullptr, false);
}

std::optional<RunningSites::Book> RunningSites::BookOf(int site, int origin) const {
  const auto entries = Json(site, {"list", "Recipients"});
  if (entries.is_discarded()) return std::nullopt;
  Book book;
  for (const auto& entry : entries) {
    const std::string from = entry.value("origin", "");  // "Site1/ID"
    const bool wanted = origin == site ? from.empty() : from.starts_with(NameOf(origin) + "/");
    if (!wanted || entry.value("class", "") == "container") continue;
    const std::string dn = entry.value("dn", "");
    book[dn.substr(dn.rfind('=') + 1)] = entry["attributes"]["Display-Name"][0];
  }
  return book;
}

bool RunningSites::InStep() const {
  for (int origin = 1; origin <= sites(); ++origin) {
    const auto own = BookOf(origin, origin);
    if (!own) return false;
    for (int site = 1; site <= sites(); ++site)
      if (site != origin && BookOf(site, origin) != own) return false;
  }
  return true;
}

std::string RunningSites::Log(int site) const {
  std::ifstream file(Store(site) + ".log");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::size_t RunningSites::Said(int site, const std::string& text) const {
  const std::string log = Log(site);
  std::size_t count = 0;
  for (auto at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++count;
  return count;
}

}  // namespace dirsync::e2e
