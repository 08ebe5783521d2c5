// dirsync_refused: every way in which a sync file can be wrong, offered to the real import of a
// reader, file by file. Prints the table "class | code | files tried | wrong effects"; a wrong
// effect is another code than those of the class, or one row or file of the reader that is not as
// it was before. Exit 1 if there is any, or if the right files are then not read as usual.
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/core/producer_state.h"
#include "agent/core/reader_state.h"
#include "proto/base/text.h"
#include "storage/key.h"
#include "tests/sim/deployment.h"

namespace dirsync::sim {
namespace {

using Map = storage::MemoryStorage::Map;

constexpr const char* kOk = "OK";
constexpr const char* kAlready = "ALREADY_APPLIED";
constexpr const char* kInFile = "in/Site1";

void Add(Site& site, const std::string& name) {
  (void)site.store->Write([&](storage::Transaction& transaction) -> Result<> {
    IdSource ids = MakeIds(*site.world);
    Directory directory(transaction, site.profile, ids, site.world->Now());
    DIRSYNC_CHECK(directory.Add({EntryClass::kMailbox, "Recipients", name, {}, {}}));
    return {};
  });
}

// What the site's export writes now, with its file taken away; empty: it failed.
std::string Export(Site& site, const std::string& instance, bool full) {
  auto settings = LoadInstance(*site.storage, instance);
  if (!settings) return {};
  RunRequest request;
  request.settings = std::move(*settings);
  request.full = full;
  auto report = RunExport(*site.store, request);
  if (!report || report->file.empty()) return {};
  std::string bytes = site.world->disk().Beginning(report->file)[report->file];
  (void)site.world->disk().Remove(report->file);
  return bytes;
}

std::string Tell(Site& site, const std::string& name) {
  Add(site, name);
  return Export(site, "PEOPLE", false);
}

// As `dirsync restore` does: every stream of the store begins a new epoch.
void BeginEpochs(Site& site) {
  IdSource ids = MakeIds(*site.world);
  (void)site.store->Write([&](storage::Transaction& t) -> Result<> {
    DIRSYNC_TRY(number, FindNumber(t, "export/" + FoldName("PEOPLE")));
    DIRSYNC_TRY(state, LoadProducer(t, *number));
    DIRSYNC_CHECK(BeginEpoch(t, *state, ids));
    StoreProducer(t, *state);
    return {};
  });
}

// The reader's rows. That a fork was seen, and holds deletes from then on, is no wrong effect.
Map RowsOf(const Site& reader) {
  Map rows = reader.storage->rows();
  const auto [lower, upper] = storage::TableRange(storage::Table::kReader);
  for (auto row = rows.lower_bound(lower); row != rows.end() && row->first < upper; ++row) {
    auto state = DecodeReader(row->second);
    if (!state) continue;
    state->hold_all_deletes = false;
    row->second = EncodeReader(*state);
  }
  return rows;
}

// One reader, to whom files are offered; it is put back whenever it has changed.
class Offers {
 public:
  explicit Offers(Site& reader) : reader_(reader) {}

  // The state from which files are offered from now on is what the reader is in.
  void Keep() { before_ = reader_.storage->rows(); }

  void Offer(const std::string& name, const std::vector<std::string>& expected,
             const std::string& bytes) {
    const Map seen = RowsOf(reader_);
    const std::string code = Read(bytes);
    bool wrong = true;
    for (const std::string& one : expected) wrong = wrong && code != one;
    wrong = wrong || RowsOf(reader_) != seen || !OnlyTheFile(bytes);
    Row& row = table_[{name, code}];
    ++row.files;
    row.wrong += wrong ? 1 : 0;
    if (reader_.storage->rows() != before_) reader_.storage->Restore(before_);
  }

  // What one import of these bytes says: a code, or OK.
  std::string Read(const std::string& bytes) {
    reader_.world->disk().Put(kInFile, bytes);
    auto settings = LoadInstance(*reader_.storage, "FROM-Site1");
    if (!settings) return "no instance";
    RunRequest request;
    request.settings = std::move(*settings);
    auto report = RunImport(*reader_.store, request);
    if (!report) return std::string(InfoOf(report.error().code).text);
    if (report->problem) return std::string(InfoOf(report->problem->code).text);
    return report->nothing_to_do ? kAlready : kOk;
  }

  // Returns the number of wrong effects.
  std::uint64_t Print() const {
    std::printf("%-28s  %-16s  %11s  %13s\n", "class", "code", "files tried", "wrong effects");
    std::uint64_t wrong = 0;
    for (const auto& [key, row] : table_) {
      std::printf("%-28s  %-16s  %11llu  %13llu\n", key.first.c_str(), key.second.c_str(),
                  static_cast<unsigned long long>(row.files),
                  static_cast<unsigned long long>(row.wrong));
      wrong += row.wrong;
    }
    return wrong;
  }

 private:
  struct Row {
    std::uint64_t files = 0;
    std::uint64_t wrong = 0;
  };
  bool OnlyTheFile(const std::string& bytes) const {
    const std::map<std::string, std::string> only = {{kInFile, bytes}};
    return reader_.world->disk().Beginning("") == only;
  }

  Site& reader_;
  Map before_;
  std::map<std::pair<std::string, std::string>, Row> table_;
};

std::string WithoutLines(const std::string& bytes, const std::string& beginning) {
  std::string kept;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t end = std::min(bytes.find('\n', at), bytes.size() - 1) + 1;
    if (bytes.compare(at, beginning.size(), beginning) != 0) kept += bytes.substr(at, end - at);
    at = end;
  }
  return kept;
}

void OfferCuts(Offers& offers, const std::string& bytes) {
  for (std::size_t size = 0; size < bytes.size(); ++size)
    offers.Offer("cut at every byte", {"HEADERLESS", "TRUNCATED", "UNSIGNED"},
                 bytes.substr(0, size));
}

// Every byte with each of its bits turned, and as the characters that mean something in a file.
void OfferAlterations(Offers& offers, const std::string& bytes) {
  const std::vector<std::string> codes = {"BAD_SIGNATURE", "DAMAGED",   "HEADERLESS", "KEY_CHANGED",
                                          "OWN_STREAM",    "TRUNCATED", "UNSIGNED",   "VERSION",
                                          "WRONG_STREAM",  "BAD_RECORD"};
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string altered = bytes;
    auto offer = [&](char with) {
      if (with == bytes[at]) return;
      altered[at] = with;
      offers.Offer("every single byte altered", codes, altered);
    };
    for (int bit = 0; bit < 8; ++bit) offer(static_cast<char>(bytes[at] ^ (1 << bit)));
    for (const char with : {'\n', '\r', ' ', '#', '0', '\0'}) offer(with);
  }
}

void OfferUnproved(Offers& offers, const std::string& bytes) {
  offers.Offer("unsigned", {"UNSIGNED"}, WithoutLines(bytes, "#! signature"));
  offers.Offer("stripped of #! lines", {"HEADERLESS"}, WithoutLines(bytes, "#!"));
}

// What a store makes that calls itself Site1 and has a key of its own.
void OfferForged(Offers& offers) {
  Deployment other(99, 2);
  Site& forger = other.sites()[0];
  Add(forger, "p1");
  offers.Offer("signed by another key", {"KEY_CHANGED"}, Export(forger, "PEOPLE", true));
  offers.Offer("signed by another key", {"KEY_CHANGED"}, Tell(forger, "p2"));
}

void OfferOtherStreams(Offers& offers, Deployment& d) {
  Site& sender = d.sites()[0];
  (void)sender.store->Write([&](storage::Transaction& transaction) -> Result<> {
    InstanceSettings other = d.ExportOf(sender);
    other.name = "OTHER";
    other.export_file = "out/OTHER";
    StoreInstance(transaction, other);
    return {};
  });
  offers.Offer("of another stream", {"WRONG_STREAM"}, Export(sender, "OTHER", true));
  Add(d.sites()[2], "q1");
  offers.Offer("of another stream", {"WRONG_STREAM"}, Export(d.sites()[2], "PEOPLE", true));
  offers.Offer("of this site itself", {"OWN_STREAM"}, Export(d.sites()[1], "PEOPLE", true));
}

// Site1 as it was a while ago tells other things under numbers that are taken.
void OfferForks(Offers& offers, Site& sender, const Map& image) {
  const Map now = sender.storage->rows();
  sender.storage->Restore(image);
  sender.Reopen();
  const std::vector<std::string> fork = {"FORK"};
  offers.Offer("forked", fork, Tell(sender, "other1"));
  offers.Offer("forked", fork, Export(sender, "PEOPLE", true));
  offers.Offer("forked", fork, Tell(sender, "other2"));
  offers.Offer("forked", fork, Tell(sender, "other3"));
  sender.storage->Restore(now);
  sender.Reopen();
}

int Play() {
  Deployment d(7, 3);
  Site& sender = d.sites()[0];
  Site& reader = d.sites()[1];
  Offers offers(reader);
  Add(sender, "p1");
  Add(sender, "p2");
  std::map<int, std::string> told = {{1, Export(sender, "PEOPLE", true)}};
  if (offers.Read(told[1]) != kOk) return 1;
  const Map image = sender.storage->rows();
  for (int i = 2; i <= 6; ++i) told[i] = Tell(sender, "n" + std::to_string(i));

  offers.Keep();
  for (int i = 3; i <= 6; ++i) offers.Offer("lost: one before it", {"GAP"}, told[i]);
  for (const int i : {1, 2}) OfferCuts(offers, told[i]);
  for (const int i : {1, 2}) OfferAlterations(offers, told[i]);
  for (int i = 1; i <= 6; ++i) OfferUnproved(offers, told[i]);
  OfferForged(offers);
  OfferOtherStreams(offers, d);

  if (offers.Read(told[2]) != kOk || offers.Read(told[3]) != kOk) return 1;
  offers.Keep();
  offers.Offer("early", {"GAP"}, told[5]);
  offers.Offer("early", {"GAP"}, told[6]);
  for (int i = 1; i <= 3; ++i) offers.Offer("repeated", {kAlready}, told[i]);
  OfferForks(offers, sender, image);
  for (int i = 4; i <= 6; ++i)
    if (offers.Read(told[i]) != kOk) return 1;

  BeginEpochs(sender);
  const std::string begun = Export(sender, "PEOPLE", true);
  const std::string after = Tell(sender, "late1");
  offers.Keep();
  offers.Offer("of a newer epoch, unled", {"EPOCH_CHANGED"}, after);
  if (offers.Read(begun) != kOk || offers.Read(after) != kOk) return 1;
  offers.Keep();
  for (int i = 1; i <= 6; ++i) offers.Offer("of an older epoch", {"OLD_EPOCH"}, told[i]);

  const std::uint64_t wrong = offers.Print();
  std::printf("the right files were read before, between and after: %s\n",
              offers.Read(Tell(sender, "late2")) == kOk ? "yes" : "NO");
  return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace dirsync::sim

int main() { return dirsync::sim::Play(); }
