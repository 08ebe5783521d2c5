// What ZeroMQ does by default, or can be made to do, that would lose or leak messages: a test for
// each fact of DECISIONS.md's table, by clients that use ZeroMQ, or bare sockets, as they like.
#include <fcntl.h>
#include <sys/resource.h>

#include <zmq.hpp>

#include "proto/net/zmq_context.h"
#include "tests/e2e/net_world.h"

namespace dirsync {
namespace {

class NetAbuse : public NetWorld {
 protected:
  // A client that sets what it likes.
  zmq::socket_t Hostile(const TransportKeyPair& keys, const std::string& routing_id = "") {
    zmq::socket_t socket(zmq_, zmq::socket_type::dealer);
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::curve_serverkey, std::string(Keys(1).public_key.view()));
    socket.set(zmq::sockopt::curve_publickey, std::string(keys.public_key.view()));
    socket.set(zmq::sockopt::curve_secretkey, keys.secret);
    if (!routing_id.empty()) socket.set(zmq::sockopt::routing_id, routing_id);
    return socket;
  }
  static void Say(zmq::socket_t& socket, const Message& message) {
    const WireMessage wire = EncodeMessage(message);
    socket.send(zmq::buffer(wire.header), zmq::send_flags::none);
  }
  bool Hears(zmq::socket_t& socket, milliseconds deadline = kDeadline) {
    return Until(listener_->descriptors(), [&] { return net::IsReadable(socket); }, deadline);
  }

  zmq::context_t zmq_;
};

void Write(int descriptor, std::string_view bytes) {
  // Whoever refuses us may have closed already.
  static_cast<void>(!send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

// The greeting of ZMTP 3 with CURVE, as a client.
std::string Greeting() {
  std::string greeting("\xff\0\0\0\0\0\0\0\1\x7f\3\0CURVE", 17);
  greeting.resize(64, '\0');
  return greeting;
}

// The beginning of a command that claims so many bytes.
std::string CommandOf(std::uint64_t bytes) {
  std::string frame("\x06", 1);
  for (int shift = 56; shift >= 0; shift -= 8) frame += static_cast<char>(bytes >> shift);
  return frame;
}

// Whether the other end closes the connection.
bool IsClosed(int descriptor) {
  fcntl(descriptor, F_SETFL, O_NONBLOCK);
  return Until({descriptor}, [&] {
    char bytes[4096];
    const ssize_t got = read(descriptor, bytes, sizeof bytes);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
  });
}

// Z1: without a handler ZeroMQ lets everybody in, or nobody; neither is served.
TEST(NetHandler, WithoutOne_BindRefuses) {
  ListenerContext context(std::make_unique<ListenerContext::State>());
  ListenerSettings settings;
  settings.address = "tcp://127.0.0.1:*";
  settings.keys = Keys(1);
  settings.zap_domain = "dirsync";
  settings.message_bytes_max = limits::kMessageBytes;
  const auto bound =
      Listener::Bind(context, settings, [](const TransportKey&) { return false; }, Secret(99));
  ASSERT_FALSE(bound.has_value());
  EXPECT_THAT(bound.error().message, ::testing::HasSubstr("the handler does not answer"));
}

// Z2: a domain nobody was named for is nobody's; an empty one is refused (net_e2e).
TEST_F(NetAbuse, Domains_DoNotMix) {
  ListenerSettings door;
  door.address = "tcp://127.0.0.1:*";
  door.keys = Keys(1);
  door.zap_domain = "dirsync-join";
  door.message_bytes_max = limits::kJoinBytes;
  const auto bound =
      Listener::Bind(*context_, door, [](const TransportKey&) { return true; }, Secret(98), true);
  ASSERT_TRUE(bound.has_value()) << bound.error().ToString();
  auto at_door = ConnectTo((*bound)->address(), Keys(77));
  EXPECT_TRUE(WaitFor(*at_door, ConnectionState::kConnected));
  auto inside = Connect(Keys(77));
  EXPECT_TRUE(WaitFor(*inside, ConnectionState::kRefused));
}

// Z3, Z4: who claims the routing id of another does not get its messages, now or afterwards.
TEST_F(NetAbuse, RoutingIds_CannotBeTaken) {
  zmq::socket_t first = Hostile(Keys(2), "site-a");
  first.connect(listener_->address());
  Say(first, Ping{});
  const auto owner = Receive();
  ASSERT_TRUE(owner.has_value());
  zmq::socket_t thief = Hostile(Keys(3), "site-a");
  thief.connect(listener_->address());
  Say(thief, Ping{});
  // The thief's connection stands before the answer is sent.
  auto third = Connect(Keys(3));
  ASSERT_TRUE(WaitFor(*third, ConnectionState::kConnected));
  ASSERT_TRUE(listener_->Send(owner->session, Ping{true}).has_value());
  EXPECT_TRUE(Hears(first));
  EXPECT_FALSE(net::IsReadable(thief));
  // Once it is free the id can be had, but not the session.
  first.close();
  std::optional<Received> next;
  ASSERT_TRUE(Until(listener_->descriptors(), [&] {
    zmq::socket_t again = Hostile(Keys(3), "site-a");
    again.connect(listener_->address());
    Say(again, Ping{});
    Until(
        listener_->descriptors(), [&] { return (next = listener_->Receive()).has_value(); },
        milliseconds(300));
    return next.has_value();
  }));
  EXPECT_NE(next->session, owner->session);
  EXPECT_EQ(next->key, Keys(3).public_key);
  EXPECT_FALSE(listener_->Send(owner->session, Ping{true}).has_value());
}

// Z6: a stranger's claim of a huge command costs nothing.
TEST_F(NetAbuse, HugeHandshakes_CostNoMemory) {
  const std::uint64_t before = ResidentBytes();
  std::vector<int> raw;
  for (int i = 0; i < 64; ++i) {
    const int descriptor = RawConnect(listener_->address());
    ASSERT_GE(descriptor, 0);
    Write(descriptor, Greeting() + CommandOf((i % 2 == 0 ? 64 : 1ULL << 40) * limits::kMiB));
    Write(descriptor, std::string(64 * limits::kKiB, 'x'));
    raw.push_back(descriptor);
  }
  for (const int descriptor : raw) EXPECT_TRUE(IsClosed(descriptor));
  const std::uint64_t grown = ResidentBytes() - std::min(before, ResidentBytes());
  std::printf("64 strangers claimed 64 MiB or more each: memory grew by %llu KiB\n",
              static_cast<unsigned long long>(grown / limits::kKiB));
  EXPECT_LT(grown, 16 * limits::kMiB);
  for (const int descriptor : raw) close(descriptor);
}

// Z7: silent connections keep nobody waiting, and are ended.
TEST_F(NetAbuse, SilentAndGarbageConnections_BlockNobody) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, 8192);
  setrlimit(RLIMIT_NOFILE, &files);
  const std::uint64_t before = ResidentBytes();
  std::vector<int> raw;
  for (int i = 0; i < 1000; ++i) {
    const int descriptor = RawConnect(listener_->address());
    if (descriptor < 0) break;
    if (i % 4 == 1) Write(descriptor, std::string(512, static_cast<char>(i)));
    if (i % 4 == 2) Write(descriptor, Greeting().substr(0, 11));
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
              raw.size(), static_cast<unsigned long long>(grown / limits::kKiB),
              static_cast<long long>(waited.count()));
  EXPECT_LT(grown, 32 * limits::kMiB);
  for (const int descriptor : raw) EXPECT_TRUE(IsClosed(descriptor));
  for (const int descriptor : raw) close(descriptor);
}

// T35: older protocols know no authentication.
TEST_F(NetAbuse, OlderProtocols_AreRefused) {
  // ZMTP 1: an empty identity, then a message. ZMTP 2: signature, revision 1, DEALER, identity.
  const std::string one("\x01\x00\x05\x00ping", 8);
  const std::string two("\xff\0\0\0\0\0\0\0\1\x7f\1\5\0\0\0\4ping", 20);
  for (const std::string& bytes : {one, two}) {
    const int descriptor = RawConnect(listener_->address());
    Write(descriptor, bytes);
    EXPECT_TRUE(IsClosed(descriptor));
    close(descriptor);
  }
  EXPECT_FALSE(listener_->Receive().has_value());
}

// Z8: a peer that takes nothing is known as such, and gets all that was accepted for it.
TEST_F(NetAbuse, SlowPeer_IsBusyAndLosesNothing) {
  zmq::socket_t slow = Hostile(Keys(2));
  slow.set(zmq::sockopt::rcvhwm, 1);
  slow.connect(listener_->address());
  Say(slow, Ping{});
  const auto received = Receive();
  ASSERT_TRUE(received.has_value());
  const auto payload = std::make_shared<const std::string>(1000, 'p');
  std::uint64_t sent = 0;
  std::optional<Error> refused;
  const std::uint64_t before = ResidentBytes();
  while (sent < 4 * limits::kMessagesUnderWay) {
    const auto result =
        listener_->Send(received->session, Deliver{{"O", "S", "I"}, {}, {}, payload});
    if (!result) refused = result.error();
    if (!result) break;
    ++sent;
  }
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->code, ErrorCode::kBusy);
  EXPECT_GE(sent, limits::kPeerBytes / 2000);
  const std::uint64_t grown = ResidentBytes() - std::min(before, ResidentBytes());
  std::uint64_t got = 0;
  Until({slow.get(zmq::sockopt::fd)}, [&] {
    while (net::ReceiveFrames(slow)) ++got;
    return got >= sent;
  });
  std::printf(
      "a peer that takes nothing: %llu sent, then BUSY, memory grew by %llu KiB; "
      "%llu received\n",
      static_cast<unsigned long long>(sent), static_cast<unsigned long long>(grown / limits::kKiB),
      static_cast<unsigned long long>(got));
  EXPECT_EQ(got, sent);
}

// Z9: nothing waits for a connection that does not stand.
TEST_F(NetAbuse, Unconnected_QueuesNothing) {
  const std::string address = listener_->address();
  listener_.reset();
  auto connection = ConnectTo(address, Keys(2));
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(connection->Send(Ping{true}).error().code, ErrorCode::kBusy);
  Listen([&](ListenerSettings& settings) { settings.address = address; });
  ASSERT_TRUE(WaitFor(*connection, ConnectionState::kConnected));
  ASSERT_TRUE(Until({}, [&] { return connection->Send(Ping{}).has_value(); }));
  const auto first = Receive();
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(std::get<Ping>(first->message).answer);
}

// Z10: with heartbeats, a listener that was busy while a peer filled its queue and went away ended
// with an assertion at the next beat, within 5 s.
TEST_F(NetAbuse, BusyListener_OutlivesAPeerThatFillsItAndGoes) {
  zmq::socket_t router(zmq_, zmq::socket_type::router);
  net::SetCommon(router, limits::kMessageBytes, 1000);
  EXPECT_EQ(router.get(zmq::sockopt::heartbeat_ivl), 0);
  {
    zmq::socket_t flood = Hostile(Keys(2));
    flood.set(zmq::sockopt::rcvhwm, 1);
    flood.connect(listener_->address());
    Say(flood, Ping{});
    const auto first = Receive();
    ASSERT_TRUE(first.has_value());
    // What it has not read makes its end a reset.
    const auto payload = std::make_shared<const std::string>(4 * limits::kMiB, 'p');
    for (int i = 0; i < 4; ++i)
      static_cast<void>(listener_->Send(first->session, Deliver{{"O", "S", "I"}, {}, {}, payload}));
    const WireMessage ping = EncodeMessage(Ping{});
    EXPECT_FALSE(Until(
        {},
        [&] {
          while (flood.send(zmq::buffer(ping.header), zmq::send_flags::dontwait)) {
          }
          return false;
        },
        milliseconds(500)));
  }
  EXPECT_FALSE(Until({}, [] { return false; }, milliseconds(6000)));
  auto other = Connect(Keys(3));
  ASSERT_TRUE(WaitFor(*other, ConnectionState::kConnected));
  ASSERT_TRUE(other->Send(Ping{}).has_value());
  EXPECT_TRUE(Until(listener_->descriptors(), [&] {
    const auto received = listener_->Receive();
    return received && received->key == Keys(3).public_key;
  }));
}

// Z11: ZeroMQ tells the client nothing of a wrong key; its monitor, and ours, do.
TEST_F(NetAbuse, Refusals_HaveReasonsAtTheListener) {
  zmq::socket_t wrong = Hostile(Keys(2));
  wrong.set(zmq::sockopt::curve_serverkey, std::string(Keys(55).public_key.view()));
  wrong.connect(listener_->address());
  EXPECT_THAT(Refusals(), ::testing::Contains("handshake-protocol"));
  wrong.close();
  zmq::socket_t stranger = Hostile(Keys(66));
  stranger.connect(listener_->address());
  EXPECT_TRUE(Until(listener_->descriptors(), [&] {
    const std::vector<std::string> reasons = listener_->TakeRefusals();
    return std::ranges::find(reasons, "handshake-auth") != reasons.end();
  }));
}

// T33: keys that everybody can read in ZeroMQ's manual.
TEST(NetKeys, OfTheManual_AreRefused) {
  for (const char* secret :
       {"JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6", "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"}) {
    std::string raw(32, '\0');
    ASSERT_NE(zmq_z85_decode(reinterpret_cast<std::uint8_t*>(raw.data()), secret), nullptr);
    EXPECT_EQ(TransportKeysFrom(raw).error().code, ErrorCode::kInvalid);
  }
  EXPECT_FALSE(TransportKeysFrom("short").has_value());
  EXPECT_EQ(Keys(5).public_key, Keys(5).public_key);
  EXPECT_NE(Keys(5).public_key, Keys(6).public_key);
}

// T36: what an authenticated site may send besides messages of ours.
TEST_F(NetAbuse, ForeignMessages_AreRefusedAtALowPrice) {
  zmq::socket_t client = Hostile(Keys(2));
  client.connect(listener_->address());
  for (int i = 0; i < 1000; ++i) client.send(zmq::str_buffer("x"), zmq::send_flags::sndmore);
  client.send(zmq::str_buffer("x"), zmq::send_flags::none);
  EXPECT_THAT(Refusals(), ::testing::ElementsAre("message-frames"));

  client.send(zmq::buffer(std::string(limits::kMessageHeaderBytes + 1, '\0')),
              zmq::send_flags::none);
  EXPECT_THAT(Refusals(), ::testing::ElementsAre("message-TOO_LARGE"));

  // A HELLO of empty streams: two bytes each on the wire, many times that once they are parsed.
  std::string bomb("\x0a\xf8\xff\x0f", 4);  // field 1, 262,136 bytes
  while (bomb.size() < 4 + 262'136) bomb += std::string("\x3a\x00", 2);
  const std::uint64_t before = ResidentBytes();
  for (int i = 0; i < 20; ++i) {
    client.send(zmq::buffer(bomb), zmq::send_flags::none);
    EXPECT_FALSE(Refusals().empty());
  }
  const std::uint64_t grown = ResidentBytes() - std::min(before, ResidentBytes());
  std::printf("20 headers of 131,068 empty streams: memory grew by %llu KiB\n",
              static_cast<unsigned long long>(grown / limits::kKiB));
  EXPECT_LT(grown, 64 * limits::kMiB);

  // One frame above the bound of the socket: ZeroMQ ends the connection.
  client.send(zmq::buffer(std::string(limits::kMessageBytes + 1, '\0')), zmq::send_flags::none);
  auto other = Connect(Keys(3));
  ASSERT_TRUE(WaitFor(*other, ConnectionState::kConnected));
  ASSERT_TRUE(other->Send(Ping{}).has_value());
  const auto received = Receive();
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(received->key, Keys(3).public_key);
}

// T36: what is no message counts in the turn of who takes it, and ends its session, once.
TEST_F(NetAbuse, BadMessages_CountInATurnAndEndTheirSession) {
  zmq::socket_t client = Hostile(Keys(2));
  client.connect(listener_->address());
  Say(client, Ping{});
  const auto first = Receive();
  ASSERT_TRUE(first.has_value());
  constexpr std::size_t kBad = 100, kTurn = 10;
  for (std::size_t i = 0; i < kBad; ++i)
    client.send(zmq::buffer(std::string("\xff\xff")), zmq::send_flags::none);
  std::size_t refused = 0;
  std::vector<std::uint64_t> ended;
  EXPECT_TRUE(Until(listener_->descriptors(), [&] {
    ReceiveBudget turn{kTurn, limits::kMiB};
    EXPECT_FALSE(listener_->Receive(turn).has_value());
    const std::vector<std::string> reasons = listener_->TakeRefusals();
    EXPECT_LE(reasons.size(), kTurn);
    refused += reasons.size();
    for (const std::uint64_t session : listener_->TakeEnded()) ended.push_back(session);
    return refused == kBad;
  }));
  EXPECT_THAT(ended, ::testing::ElementsAre(first->session));
  EXPECT_FALSE(listener_->Send(first->session, Ping{true}).has_value());
  // It may greet anew; what it heard before that is one answer.
  Say(client, Ping{});
  const auto again = Receive();
  ASSERT_TRUE(again.has_value());
  EXPECT_NE(again->session, first->session);
  ASSERT_TRUE(listener_->Send(again->session, Ping{true}).has_value());
  std::size_t answers = 0;
  bool pinged = false;
  EXPECT_TRUE(Until({client.get(zmq::sockopt::fd)}, [&] {
    while (auto frames = net::ReceiveFrames(client)) {
      const auto answer = net::DecodeFrames(*frames, 0);
      pinged = pinged || (answer && std::holds_alternative<Ping>(*answer));
      ++answers;
    }
    return pinged;
  }));
  EXPECT_EQ(answers, 2U);
}

// Large payloads that nobody takes: bounded in bytes, for all connections of a key together, and
// free again when the peer takes them.
TEST_F(NetAbuse, SlowPeer_IsBoundedInBytes) {
  const auto payload = std::make_shared<const std::string>(limits::kMiB, 'p');
  const Message message = Deliver{{"O", "S", "I"}, {}, {}, payload};
  const std::uint64_t taken_elsewhere = 16;  // MiB: the sockets' own buffers, of both ends
  std::vector<zmq::socket_t> slow;
  std::vector<std::uint64_t> sessions;
  std::uint64_t sent = 0;
  constexpr std::uint64_t kPeerMib = limits::kPeerBytes / limits::kMiB;
  for (int i = 0; i < 4; ++i) {
    slow.push_back(Hostile(Keys(2)));
    slow.back().set(zmq::sockopt::rcvhwm, 1);
    slow.back().connect(listener_->address());
    Say(slow.back(), Ping{});
    const auto received = Receive();
    ASSERT_TRUE(received.has_value());
    sessions.push_back(received->session);
    // What the sockets take goes on for a moment: full is what stays full.
    int full = 0;
    EXPECT_TRUE(Until({}, [&] {
      ++full;
      for (; listener_->Send(sessions.back(), message); ++sent) full = 0;
      return full >= 50 || sent > 2 * kPeerMib + 4 * taken_elsewhere;
    }));
    EXPECT_LE(sent, 2 * kPeerMib + 4 * taken_elsewhere);
  }
  // Another key has room.
  auto other = Connect(Keys(3));
  ASSERT_TRUE(WaitFor(*other, ConnectionState::kConnected));
  ASSERT_TRUE(other->Send(Ping{}).has_value());
  const auto received = Receive();
  ASSERT_TRUE(received.has_value());
  EXPECT_TRUE(listener_->Send(received->session, message).has_value());
  EXPECT_TRUE(Until({}, [&] {
    for (zmq::socket_t& socket : slow)
      while (net::ReceiveFrames(socket)) {
      }
    return listener_->UnderWay(sessions.front()) == 0;
  }));
  EXPECT_TRUE(listener_->Send(sessions.front(), message).has_value());
}

}  // namespace
}  // namespace dirsync
