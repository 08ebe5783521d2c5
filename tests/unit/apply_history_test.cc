// Random histories of a source, delivered with repeats, copies in between and crashes: the reader
// ends with what the source has, and nothing of ours was touched (I1, I4, I8).
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "agent/core/reader_state.h"
#include "tests/unit/reader_world.h"

namespace dirsync {
namespace {

class History {
 public:
  explicit History(unsigned seed) : random_(seed) {
    // Some readers hold most deletes: then entries stay that the source no longer has.
    reader_.settings.max_deletes = DeleteBudget{Chance(4) ? 2u : 1'000'000u, false};
    if (Chance(3)) reader_.settings.display_name_format = "%m: %d";
    for (unsigned i = 0; i < 6; ++i) {
      const std::string address = "EDK:N" + std::to_string(i) + "@Site1.Testorg.com";
      ours_.push_back(
          reader_.AddLocal(i, i % 2 == 0 ? EntryClass::kMailbox : EntryClass::kDistributionList,
                           "N" + std::to_string(i + 3), {address}, "", true));
    }
    for (const EntryId& id : ours_) before_.push_back(*reader_.Get(id));
  }

  void Run(int steps) {
    Deliver(source_.Start());
    for (int step = 0; step < steps && !::testing::Test::HasFailure(); ++step) Step();
    Settle();
    Compare();
  }

 private:
  bool Chance(unsigned one_in) { return random_() % one_in == 0; }
  EntryId Any(EntryClass entry_class) {
    std::vector<EntryId> ids;
    for (const auto& [id, whole] : source_.told)
      if (whole.entry_class == entry_class) ids.push_back(id);
    return ids.empty() ? EntryId{} : ids[random_() % ids.size()];
  }
  // Zero, or a container that is not `id` or below it.
  EntryId AnyParent(const EntryId& id) {
    const EntryId parent = Any(EntryClass::kContainer);
    for (EntryId at = parent; !at.is_zero(); at = source_.told.at(at).parent)
      if (at == id) return {};
    return parent;
  }

  void Step() {
    std::set<EntryId> touched;
    std::vector<Change> containers, recipients, deletes;
    for (std::uint64_t i = random_() % 5 + 1; i > 0; --i)
      Tell(touched, containers, recipients, deletes);
    for (std::vector<Change>* more : {&recipients, &deletes})
      containers.insert(containers.end(), more->begin(), more->end());
    for (const EntryId& id : reader_.Wanted())
      if (source_.told.contains(id) && !touched.contains(id))
        containers.push_back(source_.Wanted(id));
    Deliver(source_.Number(containers));
    if (Chance(6)) Copy();
    reader_.now += std::chrono::minutes(1);
    reader_.Check();
  }

  void Tell(std::set<EntryId>& touched, std::vector<Change>& containers,
            std::vector<Change>& recipients, std::vector<Change>& deletes) {
    const unsigned number = static_cast<unsigned>(random_() % 25 + 1);
    const bool container = Chance(5);
    const EntryId id = container ? IdOf(100 + number % 5) : IdOf(number);
    if (!touched.insert(id).second) return;
    std::vector<Change>& to = container ? containers : recipients;
    if (!source_.told.contains(id)) {
      to.push_back(source_.Add(Fresh(number, container, id)));
    } else if (Chance(4)) {
      if (IsEmpty(id) && !IsParentOf(containers, recipients, id))
        deletes.push_back(source_.Delete(id));
    } else {
      Change changed = Changed(source_.told.at(id));
      if (changed != source_.told.at(id)) to.push_back(source_.Modify(changed));
    }
  }

  Change Fresh(unsigned number, bool container, const EntryId& id) {
    const EntryId parent = AnyParent(id);
    // Names and addresses repeat, and some are taken here.
    const std::string name = "N" + std::to_string(random_() % 30);
    if (container) {
      Change box = Box(0, "Box" + std::to_string(random_() % 3), parent);
      box.id = id;
      return box;
    }
    Change person = Person(number, name, parent);
    person.id = id;
    person.target_address = "EDK:N" + std::to_string(number) + "@Site1.Testorg.com";
    SetValue(person, "Proxy-Addresses", {person.target_address});
    if (Chance(12)) SetValue(person, "Title", {"too", "many"});
    return person;
  }

  Change Changed(Change change) {
    if (change.entry_class == EntryClass::kContainer) {
      change.name = "Box" + std::to_string(random_() % 4);
      if (Chance(2)) change.parent = AnyParent(change.id);
      return change;
    }
    switch (random_() % 4) {
      case 0:
        SetValue(change, "Title", {"T" + std::to_string(random_() % 4)});
        break;
      case 1:
        EraseValue(change, Chance(2) ? "Title" : "Display-Name");
        break;
      case 2:
        change.name = "N" + std::to_string(random_() % 30);
        if (Chance(2)) change.parent = AnyParent(change.id);
        break;
      default:
        SetValue(change, "Telephone-Office2", {"1", std::to_string(random_() % 3 + 2)});
    }
    return change;
  }

  bool IsEmpty(const EntryId& id) {
    for (const auto& [other, whole] : source_.told)
      if (whole.parent == id) return false;
    return true;
  }
  static bool IsParentOf(const std::vector<Change>& a, const std::vector<Change>& b,
                         const EntryId& id) {
    for (const std::vector<Change>* changes : {&a, &b})
      for (const Change& change : *changes)
        if (change.parent == id) return true;
    return false;
  }

  void Deliver(const Batch& batch) {
    sent_.push_back(batch);
    if (lost_ || Chance(12)) {
      lost_ = true;  // a gap: batches wait until a copy closes it
      return;
    }
    Take(batch);
    if (Chance(3)) Take(sent_[random_() % sent_.size()]);
  }
  void Take(const Batch& batch) {
    const Position at{batch.epoch, batch.sequence, source_.DigestOfSequence(batch.sequence)};
    std::optional<Position> start;
    if (batch.kind == BatchKind::kStart) start = batch.previous_epoch;
    const Follows follows =
        Judge(reader_.storage, reader_.state, at, batch.previous, start).value();
    const Sequence before = reader_.state.cursor.sequence;
    if (follows == Follows::kNext || follows == Follows::kNewEpoch) {
      const ApplyCounts counts = reader_.Must(batch);
      EXPECT_FALSE(counts.diverged && !ahead_);
      applied_.insert(batch.sequence);
    } else {
      // What a copy jumped over was never applied: its digest is unknown, which is no repeat.
      EXPECT_EQ(follows, applied_.contains(batch.sequence) ? Follows::kRepeat : Follows::kFork);
    }
    EXPECT_GE(reader_.state.cursor.sequence, before);
  }
  void Copy() {
    // Cut off somewhere, perhaps twice, then perhaps whole.
    if (Chance(2)) EXPECT_OK(reader_.Full(source_, 3, random_() % 30));
    ahead_ = true;
    if (Chance(4) && !lost_) return;
    EXPECT_OK(reader_.Full(source_, 4));
    applied_.insert(source_.sequence);
    lost_ = false;
    ahead_ = false;
  }

  // Faults stop: the last copy, then what is wanted.
  void Settle() {
    EXPECT_OK(reader_.Full(source_));
    lost_ = false;
    ahead_ = false;
    for (int round = 0; round < 3 && !reader_.Wanted().empty(); ++round) {
      std::vector<Change> wanted;
      for (const EntryId& id : reader_.Wanted())
        if (source_.told.contains(id)) wanted.push_back(source_.Wanted(id));
      Take(source_.Number(wanted));
    }
    reader_.Check();
  }

  void Compare() {
    EXPECT_EQ(reader_.state.sum, source_.Sum());
    EXPECT_TRUE(reader_.Wanted().empty());
    std::map<EntryId, ErrorCode> out;
    for (const QuarantineRow& row : reader_.Quarantined()) out[row.id] = row.code;
    for (const auto& [id, whole] : source_.told) {
      const std::optional<MirrorRow> row = reader_.Mirror(id, source_.RankOf(whole));
      ASSERT_TRUE(row);
      EXPECT_EQ(row->told, source_.StateOfId(id));
      EXPECT_EQ(row->status == MirrorStatus::kQuarantined, out.contains(id));
      if (row->status == MirrorStatus::kApplied) CompareEntry(whole);
      if (!out.contains(id)) continue;
      EXPECT_TRUE(MayBeOut(whole, out.at(id))) << whole.dn << InfoOf(out.at(id)).text;
    }
    for (std::size_t i = 0; i < ours_.size(); ++i) {
      EXPECT_EQ(reader_.Get(ours_[i])->usn_changed, before_[i].usn_changed);
      EXPECT_EQ(reader_.Get(ours_[i])->attributes, before_[i].attributes);
    }
  }
  void CompareEntry(const Change& whole) {
    const std::optional<Entry> entry = reader_.Here(whole.id);
    ASSERT_TRUE(entry);
    EXPECT_TRUE(entry->name.starts_with(whole.name));
    EXPECT_EQ(entry->parent, whole.parent.is_zero() ? reader_.ImportContainer()
                                                    : LocalIdOf("Site1", whole.parent));
    std::map<std::string, std::vector<std::string>> wanted;
    for (const AttributeChange& of : whole.attributes) wanted[of.name] = of.values;
    if (whole.entry_class != EntryClass::kContainer) {
      wanted["Target-Address"] = {whole.target_address};
      const std::string shown =
          wanted.contains("Display-Name") ? wanted["Display-Name"][0] : whole.name;
      if (!reader_.settings.display_name_format.empty())
        wanted["Display-Name"] = {whole.name + ": " + shown};
    }
    wanted["Imported-From"] = {"Site1/EXP"};
    std::map<std::string, std::vector<std::string>> held;
    for (const Attribute& of : entry->attributes) held[of.name] = of.values;
    EXPECT_EQ(held, wanted);
  }
  // Nothing stays out for good but what is wrong at its source or taken by us.
  bool MayBeOut(const Change& whole, ErrorCode code) {
    if (code == ErrorCode::kBadValue) {
      for (const AttributeChange& of : whole.attributes)
        if (of.name == "Title" && of.values.size() == 2) return true;
      return false;
    }
    if (code == ErrorCode::kNoParent) return !reader_.Here(whole.parent);
    if (code != ErrorCode::kAddressTaken) return false;
    const std::vector<EntryId>& ours = ours_;
    for (std::size_t i = 0; i < ours.size(); ++i)
      if (whole.target_address == "EDK:N" + std::to_string(i) + "@Site1.Testorg.com") return true;
    return false;
  }

  std::mt19937_64 random_;
  Source source_;
  Reader reader_;
  std::vector<EntryId> ours_;
  std::vector<Entry> before_;
  std::vector<Batch> sent_;
  std::set<Sequence> applied_;
  bool lost_ = false;
  bool ahead_ = false;  // rows of a copy that was cut off may be ahead of the cursor
};

class ApplyHistory : public ::testing::TestWithParam<unsigned> {};

TEST_P(ApplyHistory, EndsWithWhatTheSourceHas) {
  for (unsigned i = 0; i < 25 && !HasFailure(); ++i) {
    SCOPED_TRACE("seed " + std::to_string(GetParam() * 25 + i));
    History(GetParam() * 25 + i).Run(40);
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, ApplyHistory, ::testing::Range(0u, 12u));

}  // namespace
}  // namespace dirsync
