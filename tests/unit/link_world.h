// Agents' ends of sessions with a broker that is only messages: what the tests of agent/link share.
// Two sites, each with a store in memory and a link; the test says what the broker says.
#pragma once

#include <gmock/gmock.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/core/instance.h"
#include "agent/core/reader_state.h"
#include "agent/directory/directory.h"
#include "agent/link/link.h"
#include "proto/base/text.h"
#include "proto/codec/roster_codec.h"
#include "proto/model/attribute_table.h"
#include "proto/trust/membership.h"
#include "proto/trust/roster.h"
#include "proto/trust/signed_request.h"
#include "storage/memory_storage.h"
#include "tests/sim/sim_world.h"
#include "tests/unit/signed_stream.h"

namespace dirsync {

using Messages = std::vector<Message>;

// Those of one kind, in order.
template <class M>
std::vector<M> Of(const Messages& messages) {
  std::vector<M> found;
  for (const Message& message : messages)
    if (const auto* one = std::get_if<M>(&message)) found.push_back(*one);
  return found;
}

inline RosterEntry RosterEntryOf(const std::string& site, bool admin = false) {
  RosterEntry entry;
  entry.organization = "Testorg";
  entry.site = site;
  entry.server = "Server of " + site;
  entry.signing_key = TestKey(site).public_key();
  entry.transport_key = *TransportKey::FromBytes(DigestOf("transport of " + site).view());
  entry.domains = {ToLowerAscii(site) + ".test"};
  entry.serial = 1;
  entry.admin = admin;
  return entry;
}

// One site that has joined Testorg, whose roster names Site1, Site2, Site3 and the admin Site4.
class LinkSite {
 public:
  explicit LinkSite(const std::string& name, LinkSettings settings = {}, bool joined = true)
      : world_(7), name_(name) {
    SiteProfile profile{"Testorg", name, "Server of " + name, {}};
    profile.templates.push_back(*AddressTemplate::Parse("EDK:@" + name + ".test"));
    store_ =
        *Store::Over(world_, std::make_shared<storage::MemoryStorage>(), profile, TestKey(name));
    if (joined) Join();
    link_ = std::make_unique<Link>(*store_, std::move(settings));
  }

  Store& store() { return *store_; }
  Link& link() { return *link_; }
  void Advance(Duration time) { world_.Advance(time); }
  Instant now() { return world_.Now(); }

  // ---- the site ----

  void Export(const std::string& instance, bool subs = false) {
    InstanceSettings settings;
    settings.name = instance;
    settings.subs = subs;
    settings.exports = true;
    Write([&](storage::Transaction& transaction) -> Result<> {
      StoreInstance(transaction, settings);
      return {};
    });
  }
  // `address`: its own, besides the generated one; empty: none.
  void AddMailbox(const std::string& name, const std::string& address = "",
                  const std::string& container = "Recipients") {
    Write([&](storage::Transaction& transaction) -> Result<> {
      IdSource ids = MakeIds(world_);
      Directory directory(transaction, store_->profile(), ids, world_.Now());
      NewEntry entry;
      entry.name = name;
      entry.container = container;
      if (!address.empty()) entry.attributes.Set(attribute::kProxyAddresses, {address});
      DIRSYNC_CHECK(directory.Add(std::move(entry)));
      return {};
    });
  }
  // Its primary one; empty: the generated one is that again.
  void SetAddress(const std::string& name, const std::string& address) {
    Write([&](storage::Transaction& transaction) -> Result<> {
      IdSource ids = MakeIds(world_);
      Directory directory(transaction, store_->profile(), ids, world_.Now());
      DIRSYNC_TRY(entry, directory.Resolve(name));
      std::vector<std::string> addresses = {"EDK:" + name + "@" + name_ + ".test"};
      if (!address.empty()) addresses = {address};
      EntryEdit edit;
      edit.set = {{std::string(attribute::kProxyAddresses), addresses}};
      DIRSYNC_CHECK(directory.Edit(entry, edit));
      return {};
    });
  }
  void AddContainer(const std::string& name, const std::string& container = "Recipients") {
    Write([&](storage::Transaction& transaction) -> Result<> {
      IdSource ids = MakeIds(world_);
      Directory directory(transaction, store_->profile(), ids, world_.Now());
      NewEntry entry;
      entry.entry_class = EntryClass::kContainer;
      entry.name = name;
      entry.container = container;
      DIRSYNC_CHECK(directory.Add(std::move(entry)));
      return {};
    });
  }
  // An entry that is this site's, in a container of whoever it is.
  void MoveInto(const std::string& container, const std::string& name) {
    Write([&](storage::Transaction& transaction) -> Result<> {
      IdSource ids = MakeIds(world_);
      const Directory directory(transaction, store_->profile(), ids, world_.Now());
      DIRSYNC_TRY(parent, directory.Resolve(container));
      Entry entry;
      entry.id = TestId<EntryId>(4711);
      entry.parent = parent.id;
      entry.name = name;
      return EntryStore(transaction, world_.Now()).Insert(entry);
    });
  }
  bool Has(const std::string& name) {
    const auto found = store_->Read([&](storage::Transaction& transaction) {
      IdSource ids = MakeIds(world_);
      return Directory(transaction, store_->profile(), ids, world_.Now()).Resolve(name);
    });
    return found.has_value();
  }
  // Of the only import that there is.
  std::optional<ReaderState> Reader(const StreamName& stream) {
    const auto import = FindImport(store_->storage(), stream);
    if (!import || !*import) return std::nullopt;
    const auto number = FindNumber(store_->storage(), "import/" + FoldName(**import));
    return *LoadReader(store_->storage(), **number);
  }
  Position Cursor(const StreamName& stream) {
    const auto reader = Reader(stream);
    return reader ? reader->cursor : Position{};
  }

  // ---- its session ----

  // The HELLO of a new connection.
  Hello Greet() {
    const Messages said = Good(link_->Connected());
    EXPECT_EQ(Of<Hello>(said).size(), 1U);
    return said.empty() ? Hello{} : Of<Hello>(said).front();
  }
  static Welcome Answer(const Hello& hello) {
    Welcome welcome;
    welcome.nonce = TestId<Nonce>(hello.greeting + 100);
    welcome.window_bytes = limits::kMiB;
    welcome.heartbeat_seconds = 30;
    welcome.greeting = hello.greeting;
    return welcome;
  }
  // Greets, and is welcomed by a broker that knows `produced`.
  Messages Open(std::vector<Welcome::Log> produced = {}) {
    Welcome welcome = Answer(Greet());
    welcome.produced = std::move(produced);
    return Hear(welcome);
  }
  Messages Hear(const Message& message) { return Good(link_->Handle(message)); }
  Messages Pump() { return Good(link_->Pump()); }
  Messages Tick(Duration after = {}) {
    world_.Advance(after);
    return Good(link_->Tick());
  }
  // Codes of what happened, by kind, since the last call.
  std::vector<std::pair<std::string, ErrorCode>> Events() {
    std::vector<std::pair<std::string, ErrorCode>> events;
    for (const LinkEvent& event : link_->TakeEvents()) events.emplace_back(event.kind, event.code);
    return events;
  }

 private:
  static Messages Good(Result<Messages> said) {
    EXPECT_TRUE(said) << (said ? "" : said.error().ToString());
    return said ? std::move(*said) : Messages{};
  }
  template <class F>
  void Write(F&& write) {
    EXPECT_TRUE(store_->Settle());
    const auto written = store_->Write(std::forward<F>(write));
    EXPECT_TRUE(written) << (written ? "" : written.error().ToString());
  }
  void Join() {
    const SigningKey organization = TestKey("organization");
    Write([&](storage::Transaction& transaction) -> Result<> {
      StoreMembership(transaction, {"Testorg", organization.public_key(), "tcp://nowhere:1", {}});
      for (const char* site : {"Site1", "Site2", "Site3", "Site4"})
        DIRSYNC_CHECK(TakeRosterEntry(
            transaction, organization.public_key(),
            SignRosterEntry(RosterEntryOf(site, std::string_view(site) == "Site4"), organization)));
      return {};
    });
  }

  sim::SimWorld world_;
  std::string name_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Link> link_;
};

inline const StreamName kTold{"Testorg", "Site2", "OUT"};

inline Deliver Delivered(const Publish& publish) {
  return {publish.stream, TestId<IncarnationId>(1), publish.position, publish.payload};
}
inline Streams Announced(const StreamName& stream, const Position& tail = {}) {
  return {{{stream, TestId<IncarnationId>(1), tail, true}}};
}
inline Subscribed Answered(SubscribeOutcome outcome, const Position& tail = {}) {
  return {kTold, outcome, TestId<IncarnationId>(1), tail};
}
inline Published Answered(const Publish& publish, PublishOutcome outcome, Sequence expected = 0,
                          std::uint32_t retry_seconds = 0) {
  return {publish.stream, publish.position, outcome, expected, retry_seconds};
}

}  // namespace dirsync
