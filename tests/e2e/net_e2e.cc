// Messages between processes: what arrives, from whom, and who is let in.
#include "tests/e2e/net_world.h"

namespace dirsync {
namespace {

class NetTest : public NetWorld {};

TEST_F(NetTest, CarriesMessagesAndPayloadsBothWays) {
  auto connection = Connect(Keys(2));
  ASSERT_TRUE(WaitFor(*connection, ConnectionState::kConnected));
  const auto payload = std::make_shared<const std::string>(std::string(1 << 20, 'p'));
  ASSERT_TRUE(connection->Send(Publish{{"O", "S", "I"}, {}, {}, true, payload}).has_value());
  auto received = Receive();
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(received->key, Keys(2).public_key);
  EXPECT_EQ(*std::get<Publish>(received->message).payload, *payload);
  ASSERT_TRUE(listener_->Send(received->session, Deliver{{"O", "S", "I"}, {}, {}, payload}));
  std::optional<Result<Message>> answer;
  ASSERT_TRUE(Until({connection->descriptor()},
                    [&] { return (answer = connection->Receive()).has_value(); }));
  EXPECT_EQ(*std::get<Deliver>(**answer).payload, *payload);
}

TEST_F(NetTest, AKeyThatNobodyKnowsIsRefusedAndCounted) {
  auto stranger = Connect(Keys(77));
  EXPECT_TRUE(WaitFor(*stranger, ConnectionState::kRefused));
  EXPECT_FALSE(stranger->Send(Ping{}).has_value());
  std::vector<std::string> refusals;
  EXPECT_TRUE(Until(listener_->descriptors(), [&] {
    for (std::string& reason : listener_->TakeRefusals()) refusals.push_back(std::move(reason));
    return !refusals.empty();
  }));
  EXPECT_THAT(refusals, ::testing::Contains("handshake-auth"));
  EXPECT_FALSE(listener_->Receive().has_value());
}

TEST_F(NetTest, TwoClientsAreTwoSessionsWhateverTheySay) {
  auto a = Connect(Keys(2));
  auto b = Connect(Keys(3));
  ASSERT_TRUE(WaitFor(*a, ConnectionState::kConnected));
  ASSERT_TRUE(WaitFor(*b, ConnectionState::kConnected));
  ASSERT_TRUE(a->Send(Ping{}).has_value());
  auto first = Receive();
  ASSERT_TRUE(b->Send(Ping{}).has_value());
  auto second = Receive();
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->session, second->session);
  EXPECT_EQ(first->key, Keys(2).public_key);
  EXPECT_EQ(second->key, Keys(3).public_key);
}

// A connection that stands outlives its key at ZeroMQ (so every message is looked at again), but a
// new one is refused.
TEST_F(NetTest, ARevokedKeyIsStillNamedOnItsLiveConnection) {
  auto connection = Connect(Keys(2));
  ASSERT_TRUE(WaitFor(*connection, ConnectionState::kConnected));
  Revoke(Keys(2).public_key);
  ASSERT_TRUE(connection->Send(Ping{}).has_value());
  auto received = Receive();
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(received->key, Keys(2).public_key);
  auto again = Connect(Keys(2));
  EXPECT_TRUE(WaitFor(*again, ConnectionState::kRefused));
}

TEST_F(NetTest, WhatIsNoMessageIsAnsweredWithBye) {
  auto connection = Connect(Keys(2));
  ASSERT_TRUE(WaitFor(*connection, ConnectionState::kConnected));
  // A payload where none belongs.
  Publish publish{{"O", "S", "I"}, {}, {}, false, nullptr};
  publish.payload = std::make_shared<const std::string>(limits::kBatchBytes + 1, 'x');
  ASSERT_TRUE(connection->Send(publish).has_value());
  std::optional<Result<Message>> answer;
  EXPECT_TRUE(Until({connection->descriptor(), listener_->descriptors()[0]}, [&] {
    EXPECT_FALSE(listener_->Receive().has_value());
    return (answer = connection->Receive()).has_value();
  }));
  EXPECT_EQ(std::get<Bye>(**answer).code, ErrorCode::kTooLarge);
  EXPECT_THAT(listener_->TakeRefusals(), ::testing::Contains("message-TOO_LARGE"));
}

TEST(NetContext, ListeningWithoutADomainIsRefused) {
  auto context = *ListenerContext::Make();
  ListenerSettings settings;
  settings.address = "tcp://127.0.0.1:*";
  settings.keys = Keys(1);
  settings.message_bytes_max = limits::kMessageBytes;
  auto bound =
      Listener::Bind(*context, settings, [](const TransportKey&) { return true; }, Secret(99));
  EXPECT_EQ(bound.error().code, ErrorCode::kInternal);
}

TEST(NetContext, ListeningThatLetsAnybodyInFailsItsSelfTest) {
  auto context = *ListenerContext::Make();
  ListenerSettings settings;
  settings.address = "tcp://127.0.0.1:*";
  settings.keys = Keys(1);
  settings.zap_domain = "dirsync";
  settings.message_bytes_max = limits::kMessageBytes;
  auto bound =
      Listener::Bind(*context, settings, [](const TransportKey&) { return true; }, Secret(99));
  ASSERT_FALSE(bound.has_value());
  EXPECT_THAT(bound.error().message, ::testing::HasSubstr("self-test failed"));
}

}  // namespace
}  // namespace dirsync
