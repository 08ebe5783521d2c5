#include "tests/bench/syncrepl_peer.h"

#include <ldap.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/bench/free_port.h"
#include "tests/bench/network_world.h"
#include "tests/bench/people.h"
#include "tests/bench/timed_agent.h"

namespace dirsync::bench {
namespace {

constexpr const char* kServer = "/usr/sbin/slapd";
constexpr const char* kLoader = "/usr/sbin/slapadd";
constexpr const char* kBase = "dc=example,dc=test";
constexpr const char* kAdmin = "cn=admin,dc=example,dc=test";
constexpr const char* kPassword = "secret";
constexpr auto kPatience = std::chrono::seconds(60);

bool Ok(int result, const char* what) {
  if (result != LDAP_SUCCESS)
    std::fprintf(stderr, "OpenLDAP: %s: %s\n", what, ldap_err2string(result));
  return result == LDAP_SUCCESS;
}

// The two servers' files; `provider`: whom this one copies, empty: it is the provider.
void WriteConfiguration(const std::string& folder, const std::string& provider) {
  std::filesystem::create_directories(folder + "/data");
  std::ofstream out(folder + "/slapd.conf");
  for (const char* schema : {"core", "cosine", "nis", "inetorgperson"})
    out << "include /etc/ldap/schema/" << schema << ".schema\n";
  out << "modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload syncprov\npidfile " << folder
      << "/pid\nthreads 4\ndatabase mdb\nsuffix " << kBase << "\nrootdn " << kAdmin << "\nrootpw "
      << kPassword << "\ndirectory " << folder
      << "/data\nmaxsize 1073741824\nindex objectClass,entryCSN,entryUUID,uid,mail,cn eq\n"
         "limits * size=unlimited time=unlimited\n";
  if (!provider.empty())
    out << "syncrepl rid=001 provider=" << provider << " bindmethod=simple binddn=" << kAdmin
        << " credentials=" << kPassword << " searchbase=" << kBase
        << " type=refreshAndPersist retry=\"1 +\"\n";
  out << "overlay syncprov\n";
}

bool Load(const std::string& folder, const std::string& people) {
  const pid_t child = fork();
  if (child == 0) {
    const std::string configuration = folder + "/slapd.conf";
    execl(kLoader, kLoader, "-q", "-w", "-f", configuration.c_str(), "-l", people.c_str(), nullptr);
    _exit(127);
  }
  int status = 1;
  return waitpid(child, &status, 0) == child && status == 0;
}

class Connection {
 public:
  explicit Connection(std::string address) : address_(std::move(address)) {}
  ~Connection() {
    if (ldap_ != nullptr) ldap_unbind_ext_s(ldap_, nullptr, nullptr);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool Bind() {
    if (ldap_ != nullptr) ldap_unbind_ext_s(ldap_, nullptr, nullptr);
    int version = LDAP_VERSION3;
    berval password{std::strlen(kPassword), const_cast<char*>(kPassword)};
    return ldap_initialize(&ldap_, address_.c_str()) == LDAP_SUCCESS &&
           ldap_set_option(ldap_, LDAP_OPT_PROTOCOL_VERSION, &version) == LDAP_OPT_SUCCESS &&
           ldap_sasl_bind_s(ldap_, kAdmin, LDAP_SASL_SIMPLE, &password, nullptr, nullptr,
                            nullptr) == LDAP_SUCCESS;
  }
  // To the answer.
  bool Change(const std::string& name, const std::string& telephone) {
    const std::string dn = "cn=" + name + "," + kBase;
    char* values[] = {const_cast<char*>(telephone.c_str()), nullptr};
    LDAPMod replace{};
    replace.mod_op = LDAP_MOD_REPLACE;
    replace.mod_type = const_cast<char*>("telephoneNumber");
    replace.mod_values = values;
    LDAPMod* changes[] = {&replace, nullptr};
    return Ok(ldap_modify_ext_s(ldap_, dn.c_str(), changes, nullptr, nullptr), "change");
  }
  LDAP* get() const { return ldap_; }

 private:
  std::string address_;
  LDAP* ldap_ = nullptr;
};

// A persistent search: what comes after the first answer is counted, and timed.
class Watch {
 public:
  explicit Watch(const Connection& connection) {
    ldap_sync_initialize(&sync_);
    sync_.ls_ld = connection.get();
    sync_.ls_base = const_cast<char*>(kBase);
    sync_.ls_scope = LDAP_SCOPE_SUBTREE;
    sync_.ls_filter = const_cast<char*>("(objectClass=*)");
    sync_.ls_timeout = 0;
    sync_.ls_private = this;
    sync_.ls_search_entry = [](ldap_sync_t* sync, LDAPMessage*, berval*, ldap_sync_refresh_t) {
      auto* watch = static_cast<Watch*>(sync->ls_private);
      ++watch->seen_;
      watch->seen_at_ = Nanoseconds();
      return 0;
    };
  }
  bool Begin() { return Ok(ldap_sync_init_refresh_and_persist(&sync_), "watch"); }
  // Entries so far.
  int seen() const { return seen_; }
  std::int64_t seen_at() const { return seen_at_; }
  void Poll() { ldap_sync_poll(&sync_); }

 private:
  ldap_sync_t sync_{};
  int seen_ = 0;
  std::int64_t seen_at_ = 0;
};

// Once the consumer has all: it then shows one entry more than there are people.
bool WaitUntilWhole(Watch& watch, int people) {
  return Until(
      [&] {
        watch.Poll();
        return watch.seen() > people;
      },
      kPatience);
}

std::vector<double> Measure(const std::string& provider, const std::string& consumer, int people,
                            int changes) {
  Connection tells(provider);
  Connection shows(consumer);
  if (!Until([&] { return tells.Bind() && shows.Bind(); }, kPatience)) return {};
  Watch watch(shows);
  if (!watch.Begin() || !WaitUntilWhole(watch, people)) return {};
  std::vector<double> milliseconds;
  for (int i = 0; i < changes; ++i) {
    const int before = watch.seen();
    if (!tells.Change("mbx" + std::to_string(i * 7 % people), "+49 30 " + std::to_string(i)))
      return {};
    const std::int64_t answered = Nanoseconds();
    const auto limit = answered + 10'000'000'000;
    while (watch.seen() == before && Nanoseconds() < limit) watch.Poll();
    if (watch.seen() == before) return {};
    milliseconds.push_back(static_cast<double>(watch.seen_at() - answered) / 1e6);
    Pause(3);
  }
  return milliseconds;
}

}  // namespace

std::vector<double> RunSyncrepl(const std::string& folder, int people, int changes) {
  if (!std::filesystem::exists(kServer) || !std::filesystem::exists(kLoader)) return {};
  const std::string tells = folder + "/provider";
  const std::string shows = folder + "/consumer";
  const std::string provider = "ldap://127.0.0.1:" + FreePort();
  const std::string consumer = "ldap://127.0.0.1:" + FreePort();
  WriteConfiguration(tells, "");
  WriteConfiguration(shows, provider);
  MakePeople(folder + "/people.ldif", static_cast<std::uint64_t>(people), Reader::kOpenldap);
  // Both begin with the same database: what is measured is what comes after.
  std::vector<double> milliseconds;
  if (Load(tells, folder + "/people.ldif")) {
    std::filesystem::copy(tells + "/data", shows + "/data",
                          std::filesystem::copy_options::overwrite_existing |
                              std::filesystem::copy_options::recursive);
    const auto started = [&](const std::string& home, const std::string& address) {
      auto server = std::make_unique<e2e::Server>(
          std::vector<std::string>{kServer, "-d", "0", "-h", address, "-f", home + "/slapd.conf"},
          folder + "/log");
      server->Start();
      return server;
    };
    const auto first = started(tells, provider);
    const auto second = started(shows, consumer);
    milliseconds = Measure(provider, consumer, people, changes);
    second->Terminate();
    first->Terminate();
  }
  std::filesystem::remove_all(folder);
  return milliseconds;
}

}  // namespace dirsync::bench
