// Who may say what: each kind of message by the wrong site; what is relayed, and to whom.
#include "storage/key.h"
#include "tests/unit/broker_world.h"

namespace dirsync {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class BrokerRightsTest : public BrokerWorld {
 protected:
  BrokerRightsTest() {
    for (const char* site : {"Site1", "Site2", "Site3"}) {
      Add(site);
      Connect(site);
    }
    Publishes("Site1", stream_.Next());
    Publishes("Site1", stream_.Next());
    Subscribes("Site2", stream_.name(), stream_.At(1).position);
    DropAll();
  }
  GetRange Asks(std::uint64_t request) { return {stream_.name(), "", request, 0, {}, 1000}; }
  dirsync::Range Answers(const std::string& reader, std::uint64_t request) {
    return {stream_.name(), reader, request, ErrorCode::kInternal, "", stream_.At(1).payload};
  }
  AdminRequest Request(const std::string& signer, const std::string& target) {
    AdminRequest request;
    request.target = target;
    request.signer = signer;
    request.nonce = TestId<Nonce>(5);
    request.expires = now_ + std::chrono::minutes(5);
    request.words = {"resync", "take", stream_.name().ToString()};
    SignRequest(request, TestKey(signer));
    return request;
  }
  // What of the broker's rows and answers would betray that something was taken.
  struct Picture {
    storage::MemoryStorage::Map rows;
    std::uint64_t delivered;
    Position acked;
    bool operator==(const Picture&) const = default;
  };
  Picture Now() {
    Picture picture{storage_.rows(), 0, StatsOf(stream_.name(), "Site2").acked};
    std::erase_if(picture.rows, [](const auto& row) {
      return row.first[0] == static_cast<char>(storage::Table::kEvent) ||
             row.first[0] == static_cast<char>(storage::Table::kSession);
    });
    picture.delivered = StatsOf(stream_.name(), "Site2").delivered_batches;
    return picture;
  }
  SignedStream stream_ = Told("Site1");
};

// Each kind of message, said by Site3 of what is Site1's or Site2's (T34): nothing moves, nobody
// else hears anything, and it is counted.
TEST_F(BrokerRightsTest, Matrix_EachKindByTheWrongSite) {
  SignedStream forged(stream_.name(), TestKey("Site3"));
  AgentReport report;
  report.program = "not Site1's";
  Say("Site2", Asks(1));  // under way to Site1
  struct Case {
    const char* name;
    Message message;
    const char* counted;
  };
  const std::vector<Case> cases = {
      {"publish to another's stream", stream_.Next(), "UNAUTHORIZED"},
      {"publish signed by itself as another", forged.Next(), "UNAUTHORIZED"},
      {"ack of no stream", Ack{Stream("Site2"), "Site2", stream_.At(1).position, {}, false}, "ACK"},
      {"ack ahead in another's name",
       Ack{stream_.name(), "Site2", {{7, TestId<EpochId>(7)}, 7, TestId<Digest>(7)}, {}, false},
       "ACK_AHEAD"},
      {"nack of what it does not read", Nack{Stream("Site2"), {}, ErrorCode::kDamaged, ""}, "NACK"},
      {"range of another's stream", Answers("Site2", 1), "RANGE"},
      {"fetch of another's stream", Fetch{stream_.name(), stream_.At(1).position}, "FETCH"},
      {"request in another's name", Request("Site1", "Site2"), "NOT_PERMITTED"},
      {"answer in another's name",
       AdminReply{"Site1", "Site2", TestId<Nonce>(5), true, ErrorCode::kAlreadyApplied, ""},
       "NOT_PERMITTED"},
      {"hello as another", HelloOf("Site1"), "NOT_PERMITTED"},
      {"welcome", Welcome{}, "NOT_PERMITTED"},
      {"published", Published{stream_.name(), {}, PublishOutcome::kStored}, "NOT_PERMITTED"},
      {"streams", Streams{}, "NOT_PERMITTED"},
      {"subscribed", Subscribed{stream_.name()}, "NOT_PERMITTED"},
      {"deliver", Deliver{stream_.name(), {}, {}, stream_.At(1).payload}, "NOT_PERMITTED"},
      {"roster of its own", RosterNews{{SignRosterEntry(Entry("Site1"), TestKey("Site3"))}},
       "BAD_SIGNATURE"},
      {"join", JoinRequest{}, "NOT_PERMITTED"},
      {"join reply", JoinReply{}, "NOT_PERMITTED"},
  };
  for (const Case& wrong : cases) {
    SCOPED_TRACE(wrong.name);
    if (sites_.at("Site3").session == 0 || Ended("Site3") != ErrorCode::kAlreadyApplied)
      Connect("Site3");
    DropAll();
    const Picture before = Now();
    const std::uint64_t refused = Refusals(wrong.counted);
    Say("Site3", wrong.message);
    EXPECT_TRUE(Now() == before);
    EXPECT_EQ(Refusals(wrong.counted), refused + 1);
    for (const char* other : {"Site1", "Site2"}) {
      for (const Message& heard : heard_[sites_.at(other).session])
        EXPECT_TRUE(std::holds_alternative<Streams>(heard)) << other << MessageName(heard);
      EXPECT_EQ(Ended(other), ErrorCode::kAlreadyApplied);
    }
  }
  // And the request is still under way.
  Say("Site1", Answers("Site2", 1));
  EXPECT_EQ(All<dirsync::Range>("Site2").size(), 1U);
}

TEST_F(BrokerRightsTest, RevokedSite_MayDoNothingOnItsLiveSession) {
  const SessionId session = sites_.at("Site2").session;
  const TransportKey key = sites_.at("Site2").transport;
  SetState("Site2", SiteState::kRevoked);
  ASSERT_EQ(Ended(session), ErrorCode::kNotPermitted);
  closed_.clear();  // its connection lingers
  DropAll();
  const std::uint64_t refused = Refusals("NOT_PERMITTED");
  SignedStream own = Told("Site2");
  const std::vector<Message> messages = {HelloOf("Site2"),
                                         own.Next(),
                                         Subscribe{stream_.name(), stream_.At(1).position, {}},
                                         Ack{stream_.name(), "", stream_.At(2).position, {}, false},
                                         Credit{1000},
                                         Asks(1),
                                         Request("Site2", "Site1"),
                                         AgentReport{},
                                         Ping{}};
  for (const Message& message : messages) {
    closed_.clear();
    heard_.clear();
    Say(session, key, message);
    EXPECT_EQ(Last<Bye>(session)->code, ErrorCode::kNotPermitted) << MessageName(message);
    EXPECT_EQ(heard_[session].size(), 1U);
  }
  EXPECT_EQ(Refusals("NOT_PERMITTED"), refused + messages.size());
  EXPECT_LE(Events("refused", "Site2"), 1U);
}

// ---- ranges ----

TEST_F(BrokerRightsTest, Range_GoesToWhoAskedAndToNobodyElse) {
  Say("Site2", Asks(7));
  const auto asked = Last<GetRange>("Site1");
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->reader, "Site2");
  EXPECT_EQ(asked->request, 7U);
  Say("Site1", Answers("Site2", 7));
  const auto range = Last<dirsync::Range>("Site2");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->payload.get(), stream_.At(1).payload.get());
  EXPECT_EQ(range->reader, "");
  EXPECT_THAT(All<dirsync::Range>("Site3"), IsEmpty());
  EXPECT_EQ(StatsOf(stream_.name(), "Site2").ranges, 1U);
  // Not asked for: late, twice, to another, of another request.
  Say("Site1", Answers("Site2", 7));
  Say("Site1", Answers("Site3", 7));
  Say("Site2", Asks(8));
  Say("Site1", Answers("Site2", 7));
  EXPECT_EQ(All<dirsync::Range>("Site2").size(), 1U);
  EXPECT_THAT(All<dirsync::Range>("Site3"), IsEmpty());
  EXPECT_EQ(Refusals("RANGE_LATE"), 3U);
}

TEST_F(BrokerRightsTest, GetRange_OneAtATime) {
  Say("Site2", Asks(1));
  Say("Site2", Asks(1));  // said again: its answer is under way
  EXPECT_THAT(All<dirsync::Range>("Site2"), IsEmpty());
  for (std::uint64_t i = 2; i < 100; ++i) Say("Site2", Asks(i));
  EXPECT_EQ(Last<dirsync::Range>("Site2")->code, ErrorCode::kBusy);
  EXPECT_EQ(Last<dirsync::Range>("Site2")->request, 99U);
  EXPECT_EQ(All<GetRange>("Site1").size(), 1U);
  // One behind the other, as a full copy does, and when an answer does not come.
  Say("Site1", Answers("Site2", 1));
  Say("Site2", Asks(100));
  Tick(limits::kRangeSeconds);
  Say("Site2", Asks(101));
  EXPECT_EQ(All<GetRange>("Site1").size(), 3U);
  EXPECT_EQ(Last<GetRange>("Site1")->request, 101U);
  EXPECT_EQ(Refusals("GET_RANGE_EARLY"), 98U);
}

TEST_F(BrokerRightsTest, Range_ProducerOffline) {
  Gone("Site1");
  Say("Site2", Asks(1));
  EXPECT_EQ(Last<dirsync::Range>("Site2")->code, ErrorCode::kUnreachable);
  EXPECT_EQ(Last<dirsync::Range>("Site2")->request, 1U);
  Connect("Site1");
  Say("Site2", Asks(2));
  ASSERT_EQ(All<dirsync::Range>("Site2").size(), 1U);
  // It goes away in the middle: who asked hears it at once.
  Gone("Site1");
  ASSERT_EQ(All<dirsync::Range>("Site2").size(), 2U);
  EXPECT_EQ(Last<dirsync::Range>("Site2")->code, ErrorCode::kUnreachable);
  EXPECT_EQ(Last<dirsync::Range>("Site2")->request, 2U);
}

TEST_F(BrokerRightsTest, Range_ReaderThatWentAwayIsNotSentTo) {
  Say("Site2", Asks(1));
  Gone("Site2");
  Connect("Site2");
  Say("Site1", Answers("Site2", 1));
  EXPECT_THAT(All<dirsync::Range>("Site2"), IsEmpty());
}

TEST_F(BrokerRightsTest, GetRange_OfNothingToRead) {
  Say("Site1", Asks(1));  // its own
  EXPECT_EQ(Last<dirsync::Range>("Site1")->code, ErrorCode::kNotFound);
  Say("Site2", GetRange{Stream("Site3", "NONE"), "", 1, 0, {}, 1000});
  EXPECT_EQ(Last<dirsync::Range>("Site2")->code, ErrorCode::kNotFound);
  EXPECT_EQ(Refusals("GET_RANGE"), 1U);
}

// ---- requests between agents ----

TEST_F(BrokerRightsTest, Request_IsRelayedUnchangedAndItsAnswersComeBack) {
  const AdminRequest request = Request("Site2", "Site1");
  Say("Site2", request);
  ASSERT_TRUE(Last<AdminRequest>("Site1"));
  EXPECT_EQ(*Last<AdminRequest>("Site1"), request);
  EXPECT_EQ(Events("request", "Site2"), 1U);
  for (const bool done : {false, true})
    Say("Site1", AdminReply{"Site1", "Site2", request.nonce, done, ErrorCode::kAlreadyApplied, ""});
  EXPECT_EQ(All<AdminReply>("Site2").size(), 2U);
  EXPECT_THAT(All<AdminReply>("Site3"), IsEmpty());
}

TEST_F(BrokerRightsTest, Request_TargetOfflineOrTooOld) {
  Gone("Site1");
  Say("Site2", Request("Site2", "Site1"));
  EXPECT_EQ(Last<AdminReply>("Site2")->code, ErrorCode::kUnreachable);
  EXPECT_TRUE(Last<AdminReply>("Site2")->done);
  Connect("Site1");
  AdminRequest old = Request("Site2", "Site1");
  old.expires = now_ - std::chrono::seconds(1);
  Say("Site2", old);
  EXPECT_EQ(Last<AdminReply>("Site2")->code, ErrorCode::kExpired);
  EXPECT_FALSE(Last<AdminRequest>("Site1"));
  old.words = {"position", "stream", "epoch", "sequence", "digest"};
  Say("Site2", old);
  EXPECT_TRUE(Last<AdminRequest>("Site1")) << "what was read stays true";
}

TEST_F(BrokerRightsTest, CheckOfARosterEntry_AnswersAsTakingIt_AndChangesNothing) {
  const auto check = [&](const RosterEntry& entry) {
    const auto checked = broker_->CheckRoster(storage_, SignRosterEntry(entry, organization_));
    return checked ? ErrorCode::kAlreadyApplied : checked.error().code;
  };
  const auto rows = storage_.rows();
  const std::uint64_t generation = broker_->roster_generation();
  RosterEntry other_domain = Entry("Site4");
  RosterEntry taken_domain = Entry("Site4");
  taken_domain.domains = {"site1.example"};
  RosterEntry taken_key = Entry("Site4");
  taken_key.transport_key = TransportOf("Site1");
  RosterEntry elsewhere = Entry("Site4");
  elsewhere.organization = "Otherorg";
  RosterEntry old = Entry("Site1");
  old.serial = 0;
  RosterEntry revoked = Entry("Site2");
  revoked.state = SiteState::kRevoked;
  std::vector<ErrorCode> answers;
  const std::vector<RosterEntry> entries{taken_domain, taken_key, elsewhere,
                                         old,          revoked,   other_domain};
  for (const RosterEntry& entry : entries) answers.push_back(check(entry));
  EXPECT_EQ(storage_.rows(), rows);
  EXPECT_EQ(broker_->roster_generation(), generation);
  EXPECT_EQ(broker_->Sessions().size(), 3U);
  EXPECT_EQ(answers[0], ErrorCode::kConflict);
  EXPECT_EQ(answers[4], ErrorCode::kAlreadyApplied);
  for (std::size_t i = 0; i < entries.size(); ++i) EXPECT_EQ(Take(entries[i]), answers[i]) << i;
}

}  // namespace
}  // namespace dirsync
