// Random directories, random settings, random cuts: what the reader was told is what there is.
#include <random>

#include "agent/core/capture.h"
#include "tests/unit/producer_world.h"

namespace dirsync {
namespace {

class CaptureModel : protected ProducerWorld {
 public:
  explicit CaptureModel(unsigned seed) : random_(seed) {
    settings.subs = Chance(70);
    roots_ = {At("Recipients"), AddContainer("Other", ""), AddContainer("Outside", "")};
    containers_ = roots_;
    for (int i = 0; i < 15; ++i) Work();
  }

  void Play(int rounds) {
    if (Chance(50)) bounds = {1, 1 + Below(5)};
    Begin();
    for (int round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
      bounds = Chance(60) ? CaptureLimits{} : CaptureLimits{1 + Below(3000), 1 + Below(6)};
      const int edits = static_cast<int>(Below(12));
      for (int i = 0; i < edits; ++i) Work();
      if (Chance(15)) AlterSettings();
      if (Chance(20)) Want();
      if (Chance(5)) NewEpoch();
      // A run may be cut anywhere and go on behind further edits.
      for (std::size_t cuts = Below(4); cuts > 0; --cuts) {
        Must(TryStep(Chance(3)));
        if (Chance(50)) Work();
        if (Chance(3)) AlterSettings();
      }
      Export(Chance(5));
      CheckReader();
      if (Chance(30)) CheckCopy();
    }
    EXPECT_TRUE(Export().empty());
    EXPECT_TRUE(Export(true).empty());
  }

 private:
  std::size_t Below(std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_);
  }
  bool Chance(std::size_t percent) { return Below(100) < percent; }
  template <class T>
  T& Any(std::vector<T>& from) {
    return from[Below(from.size())];
  }

  // Applies `work` to an entry; rules of the directory may refuse it.
  void TryAlter(const EntryId& id, const std::function<void(Entry&)>& work) {
    Edit([&](Directory& directory) {
      std::optional<Entry> entry = Must(directory.entries().Get(id));
      if (!entry || entry->is_deleted()) return;
      work(*entry);
      (void)directory.entries().Update(*entry);
    });
  }

  void Insert(EntryClass entry_class) {
    Edit([&](Directory& directory) {
      Entry entry;
      const bool again = !gone_.empty() && Chance(20);
      entry.id = again ? Any(gone_) : ids.NextEntryId(now);
      entry.entry_class = entry_class;
      entry.parent = Any(containers_);
      entry.name = "N" + std::to_string(Below(60));
      const std::string local = std::to_string(++names_);
      if (entry_class == EntryClass::kCustomRecipient)
        entry.attributes.Set("Target-Address", {"EDK:t" + local + "@x.example"});
      if (entry_class != EntryClass::kContainer && Chance(90))
        entry.attributes.Set("Proxy-Addresses",
                             {"EDK:p" + local + "@x.example", "SMTP:p" + local + "@x.example"});
      if (Chance(10)) entry.origin = Reference{"Site2", entry.id};
      if (!directory.entries().Insert(entry)) return;
      (entry_class == EntryClass::kContainer ? containers_ : recipients_).push_back(entry.id);
    });
  }

  void Bury(const EntryId& id) {
    Edit([&](Directory& directory) {
      if (directory.entries().Bury(id)) gone_.push_back(id);
    });
  }

  void AlterRecipient() {
    const EntryId id = Any(recipients_);
    switch (Below(9)) {
      case 0:
        return Bury(id);
      case 1:
        return TryAlter(id, [&](Entry& e) { e.name = "N" + std::to_string(Below(60)); });
      case 2:
        return TryAlter(id, [&](Entry& e) { e.parent = Any(containers_); });
      case 3:
        return TryAlter(
            id, [&](Entry& e) { e.attributes.Set("Hide-From-AB", {Chance(50) ? "1" : "0"}); });
      case 4:
        return TryAlter(id, [&](Entry& e) {
          e.origin = Chance(50) ? std::optional<Reference>({"Site2", id}) : std::nullopt;
        });
      case 5:
        return TryAlter(id, [&](Entry& e) { e.attributes.Set("Home-Server", {"S"}); });
      case 6:
        return TryAlter(id, [&](Entry& e) {
          e.entry_class = Chance(50) ? EntryClass::kMailbox : EntryClass::kDistributionList;
        });
      default:
        return TryAlter(id, [&](Entry& e) {
          const std::string name = Chance(50) ? "City" : "X-" + std::to_string(Below(4));
          std::vector<std::string> values;
          for (std::size_t i = Below(name == "City" ? 2 : 3); i > 0; --i)
            values.push_back("v" + std::to_string(Below(3)));
          e.attributes.Set(name, std::move(values));
        });
    }
  }

  void AlterContainer() {
    if (containers_.size() <= roots_.size()) return;
    const EntryId id = containers_[roots_.size() + Below(containers_.size() - roots_.size())];
    switch (Below(4)) {
      case 0:
        return Bury(id);
      case 1:
        return TryAlter(id, [&](Entry& e) { e.name = "N" + std::to_string(Below(60)); });
      case 2:
        return TryAlter(id, [&](Entry& e) { e.parent = Any(containers_); });
      default:
        return TryAlter(id, [&](Entry& e) { e.attributes.Set("Description", {"d"}); });
    }
  }

  void Work() {
    const std::size_t dice = Below(100);
    if (dice < 30 || recipients_.empty()) {
      const EntryClass classes[] = {EntryClass::kMailbox, EntryClass::kMailbox,
                                    EntryClass::kCustomRecipient, EntryClass::kDistributionList};
      return Insert(classes[Below(4)]);
    }
    if (dice < 40) return Insert(EntryClass::kContainer);
    if (dice < 55) return AlterContainer();
    if (dice < 57) return Edit([&](Directory& d) { Must(d.entries().Purge(now + Duration(1))); });
    AlterRecipient();
  }

  void AlterSettings() {
    switch (Below(7)) {
      case 0:
        settings.subs = !settings.subs;
        break;
      case 1:
        settings.filter = Chance(50) ? "(City=*)" : Chance(50) ? "(!(X-1=v1))" : "";
        break;
      case 2:
        settings.attributes = Chance(40)   ? std::vector<std::string>{"*"}
                              : Chance(50) ? std::vector<std::string>{"City", "X-1"}
                                           : std::vector<std::string>{"X-1", "X-2"};
        break;
      case 3:
        settings.containers = Chance(40)   ? std::vector<std::string>{"Recipients"}
                              : Chance(50) ? std::vector<std::string>{"Recipients", "Other"}
                                           : std::vector<std::string>{"Other"};
        break;
      case 4:
        settings.hidden = !settings.hidden;
        break;
      case 5:
        settings.classes = {EntryClass::kMailbox, EntryClass::kCustomRecipient};
        if (Chance(50)) settings.classes.push_back(EntryClass::kDistributionList);
        break;
      default:
        settings.address_type = Chance(50) ? "SMTP" : "";
    }
  }

  void Want() {
    std::vector<EntryId> wanted;
    for (std::size_t i = Below(5); i > 0 && !recipients_.empty(); --i)
      wanted.push_back(Chance(70) ? Any(recipients_) : Any(containers_));
    storage::Transaction transaction(storage);
    TakeWants(transaction, state, wanted);
    Must(storage.Commit(transaction.Take()));
  }

  void NewEpoch() {
    storage::Transaction transaction(storage);
    Must(BeginEpoch(transaction, state, ids));
    state.seen = true;
    Must(storage.Commit(transaction.Take()));
  }

  // A full copy shows what was told; of an entry whose own told content did not change since, the
  // DN of the day.
  void CheckCopy() {
    std::map<EntryId, Change> copy = Copy();
    EXPECT_TRUE(copy == Scratch());
  }

  std::mt19937 random_;
  int names_ = 0;
  std::vector<EntryId> roots_, containers_, recipients_, gone_;
};

TEST(CaptureModelTest, ReaderHoldsWhatTheDirectoryTells) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    CaptureModel(seed).Play(12);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace dirsync
