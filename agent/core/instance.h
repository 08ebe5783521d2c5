// Settings of an instance: what `instance set` stores and nothing else changes (R15).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/error.h"
#include "proto/base/ids.h"
#include "proto/model/entry.h"
#include "storage/transaction.h"

namespace dirsync {

enum class JoinBy : std::uint8_t { kAddress = 1, kName = 2, kNone = 3 };

// "20" or "10%": what the gate lets pass in 24 hours, per stream and class (R5).
struct DeleteBudget {
  std::uint64_t count = 0;
  bool percent = false;
  auto operator<=>(const DeleteBudget&) const = default;
};

// How batches travel. A broker is used once the site has joined one, a file once its name is set.
enum class Transport : std::uint8_t { kFile = 1, kBroker = 2, kBoth = 3 };
inline bool UsesBroker(Transport transport) { return transport != Transport::kFile; }

// All settings of one instance; the defaults are those of a new one.
struct InstanceSettings {
  std::string name;  // compared folded; blanks allowed
  bool exports = false;
  bool imports = false;
  Transport transport = Transport::kBoth;
  bool paused = false;  // an agent leaves it alone; commands do not

  // Export: what is told.
  std::string export_file;
  std::vector<std::string> containers = {"Recipients"};  // ContainerDn() forms
  bool subs = false;
  std::vector<std::string> attributes = {"*"};  // canonical; "*" = all exported ones; empty = none
  std::vector<EntryClass> classes = {EntryClass::kMailbox};
  std::string filter;                // RFC 4515; empty = all
  std::string address_type;          // of target addresses; empty = the site's first
  std::string server;                // only entries with this Home-Server; empty = all
  bool hidden = false;               // tell Hide-From-AB entries too (R28)
  std::vector<std::string> readers;  // sites that must ack; empty = whoever acks first (R12)

  // Import: where and how it lands.
  std::string import_file;
  std::string import_container = "Recipients";
  std::vector<std::string>
      domains;         // without a roster: adopt only target addresses in these; empty = any
  std::string target;  // foreign records without address: "PROFS:%m"
  JoinBy join = JoinBy::kAddress;
  std::optional<DeleteBudget> max_deletes;  // absent: max(20, 10 %)
  std::string display_name_format;          // "%d (%{site})"; empty = as told
  bool mv_append = false;                   // modifies of foreign files append multi-values
  EntryClass import_class = EntryClass::kCustomRecipient;  // or kMailbox, foreign files only
  std::string home_server;                                 // of imported mailboxes without one
  bool complete = false;  // foreign: absence deletes, through the gate (R23)

  auto operator<=>(const InstanceSettings&) const = default;
};

std::string EncodeInstance(const InstanceSettings& settings);
Result<InstanceSettings> DecodeInstance(std::string_view row);

// Rows of table kInstance. Errors: kNotFound with suggestions.
Result<InstanceSettings> LoadInstance(const storage::ReadView& view, std::string_view name);
Result<std::vector<InstanceSettings>> ListInstances(const storage::ReadView& view);
void StoreInstance(storage::Transaction& transaction, const InstanceSettings& settings);

// What makes up the scope of an export; a different digest = compare everything, once.
Digest ScopeDigest(const InstanceSettings& settings, std::string_view address_type);

// Number of a series of rows in this store (storage/key.h StreamNumber), made at first use.
// Exports are numbered by "export/INSTANCE", imports by "import/INSTANCE", ad-hoc imports by
// "adhoc/SITE"; INSTANCE folded.
Result<std::uint32_t> NumberOf(storage::Transaction& transaction, std::string_view series);
Result<std::optional<std::uint32_t>> FindNumber(const storage::ReadView& view,
                                                std::string_view series);

}  // namespace dirsync
