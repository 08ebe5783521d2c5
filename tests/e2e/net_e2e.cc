// Sockets between processes: who gets in, what arrives, what is bounded.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <random>
#include <set>

#include "proto/base/limits.h"
#include "proto/net/connection.h"
#include "proto/net/listener.h"

namespace dirsync {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kDeadline{10'000};

std::string Secret(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string secret(32, '\0');
  for (char& c : secret) c = static_cast<char>(random());
  return secret;
}

TransportKeyPair Keys(std::uint64_t seed) { return *TransportKeysFrom(Secret(seed)); }

// Calls `done` until it says so; waits on descriptors meanwhile, a little.
template <class Done>
bool Until(const std::vector<int>& descriptors, Done&& done, milliseconds deadline = kDeadline) {
  const auto end = steady_clock::now() + deadline;
  while (!done()) {
    if (steady_clock::now() >= end) return false;
    std::vector<pollfd> items;
    for (const int descriptor : descriptors) items.push_back({descriptor, POLLIN, 0});
    poll(items.data(), items.size(), 10);
  }
  return true;
}

class Net : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = ListenerContext::Make();
    ASSERT_TRUE(made.has_value()) << made.error().ToString();
    context_ = std::move(*made);
    ListenerSettings settings;
    settings.address = "tcp://127.0.0.1:*";
    settings.keys = Keys(1);
    settings.zap_domain = "dirsync";
    settings.message_bytes_max = limits::kMessageBytes;
    settings.handshake_ms = 1000;
    auto bound = Listener::Bind(
        *context_, settings, [this](const TransportKey& key) { return allowed_.contains(key); },
        Secret(99));
    ASSERT_TRUE(bound.has_value()) << bound.error().ToString();
    listener_ = std::move(*bound);
  }

  std::unique_ptr<Connection> Connect(const TransportKeyPair& keys) {
    ConnectionSettings settings;
    settings.address = listener_->address();
    settings.broker_key = Keys(1).public_key;
    settings.keys = keys;
    settings.message_bytes_max = limits::kMessageBytes;
    return *Connection::Open(settings);
  }

  bool WaitFor(Connection& connection, ConnectionState wanted) {
    std::string why;
    return Until({connection.monitor_descriptor()}, [&] {
      while (auto state = connection.TakeState(why))
        if (*state == wanted) return true;
      return false;
    });
  }

  std::optional<Received> Receive() {
    std::optional<Received> received;
    Until(listener_->descriptors(), [&] { return (received = listener_->Receive()).has_value(); });
    return received;
  }

  std::set<TransportKey> allowed_{Keys(2).public_key, Keys(3).public_key};
  std::unique_ptr<ListenerContext> context_;
  std::unique_ptr<Listener> listener_;
};

std::uint64_t ResidentBytes() {
  std::ifstream status("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  status >> total >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

int RawConnect(const std::string& address) {
  const int port = std::stoi(address.substr(address.rfind(':') + 1));
  const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(descriptor, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) return -1;
  return descriptor;
}

TEST_F(Net, CarriesMessagesAndPayloadsBothWays) {
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

TEST_F(Net, AKeyThatNobodyKnowsIsRefusedAndCounted) {
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

TEST_F(Net, TwoClientsAreTwoSessionsWhateverTheySay) {
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
TEST_F(Net, ARevokedKeyIsStillNamedOnItsLiveConnection) {
  auto connection = Connect(Keys(2));
  ASSERT_TRUE(WaitFor(*connection, ConnectionState::kConnected));
  allowed_.erase(Keys(2).public_key);
  ASSERT_TRUE(connection->Send(Ping{}).has_value());
  auto received = Receive();
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(received->key, Keys(2).public_key);
  auto again = Connect(Keys(2));
  EXPECT_TRUE(WaitFor(*again, ConnectionState::kRefused));
}

TEST_F(Net, WhatIsNoMessageIsAnsweredWithBye) {
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

TEST_F(Net, SilentAndGarbageConnectionsCostLittleAndBlockNobody) {
  const std::uint64_t before = ResidentBytes();
  std::vector<int> raw;
  for (int i = 0; i < 300; ++i) {
    const int descriptor = RawConnect(listener_->address());
    if (descriptor < 0) break;
    if (i % 3 == 1) {
      const std::string garbage(512, static_cast<char>(i));
      static_cast<void>(!write(descriptor, garbage.data(), garbage.size()));
    }
    if (i % 3 == 2) {
      // ZMTP 3 greeting, then a command that claims 2^62 bytes.
      std::string greeting("\xff\0\0\0\0\0\0\0\1\x7f\3\0CURVE", 17);
      greeting.resize(64, '\0');
      greeting += std::string("\x06\x3f\xff\xff\xff\xff\xff\xff\xff", 9);
      static_cast<void>(!write(descriptor, greeting.data(), greeting.size()));
    }
    raw.push_back(descriptor);
  }
  const auto start = steady_clock::now();
  auto connection = Connect(Keys(2));
  ASSERT_TRUE(WaitFor(*connection, ConnectionState::kConnected));
  ASSERT_TRUE(connection->Send(Ping{}).has_value());
  ASSERT_TRUE(Receive().has_value());
  const auto waited = std::chrono::duration_cast<milliseconds>(steady_clock::now() - start);
  const std::uint64_t grown = ResidentBytes() - std::min(before, ResidentBytes());
  std::printf("%zu raw connections: memory grew by %llu KiB, a good client waited %lld ms\n",
              raw.size(), static_cast<unsigned long long>(grown / 1024),
              static_cast<long long>(waited.count()));
  EXPECT_LT(grown, 32 * limits::kMiB);
  for (const int descriptor : raw) close(descriptor);
}

TEST(NetKeys, RefusesThePairsOfTheManual) {
  // rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7 and its secret, in bytes.
  EXPECT_FALSE(TransportKeysFrom("short").has_value());
  const TransportKeyPair a = Keys(5);
  EXPECT_EQ(a.public_key, Keys(5).public_key);
  EXPECT_NE(a.public_key, Keys(6).public_key);
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
