// The page's server over real sockets on loopback: what a browser, a scraper, and those who mean
// harm get.
#include "broker/page/page_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "tests/page/sample_stats.h"

namespace dirsync {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const Instant kNow = FromMillis(1'800'000'000'123);

// A client's socket, closed with this object.
class Peer {
 public:
  explicit Peer(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }
  ~Peer() { close(socket_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  bool connected() const { return connected_; }
  bool Send(std::string_view text) {
    return send(socket_, text.data(), text.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(text.size());
  }
  // Everything until the other side closes, or `limit` is over.
  std::string ReadAll(seconds limit = seconds(20)) {
    const auto until = Clock::now() + limit;
    std::string text;
    std::array<char, 16384> buffer;
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
      pollfd polled = {socket_, POLLIN, 0};
      if (left.count() <= 0 || poll(&polled, 1, static_cast<int>(left.count())) <= 0) return text;
      const ssize_t n = recv(socket_, buffer.data(), buffer.size(), 0);
      if (n <= 0) return text;
      text.append(buffer.data(), static_cast<std::size_t>(n));
    }
  }

 private:
  int socket_;
  bool connected_ = false;
};

class PageServerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto page = PageServer::Start({.program = "test"});
    ASSERT_TRUE(page) << page.error().ToString();
    page_ = std::move(*page);
    page_->Publish(std::make_shared<const BrokerStats>(SampleStats({.sites = 3}, kNow)));
  }
  std::string Ask(const std::string& request) {
    Peer peer(page_->port());
    EXPECT_TRUE(peer.connected());
    EXPECT_TRUE(peer.Send(request));
    return peer.ReadAll();
  }
  std::string Get(const std::string& path, const std::string& more = "") {
    return Ask("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n");
  }
  std::unique_ptr<PageServer> page_;
};

TEST_F(PageServerTest, AnswersWithPolicyAndClosesTheConnection) {
  const std::string answer = Get("/");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Security-Policy: default-src 'none'"));
  EXPECT_THAT(answer, HasSubstr("X-Content-Type-Options: nosniff"));
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
  EXPECT_THAT(answer, HasSubstr("</html>"));
}

TEST_F(PageServerTest, WhatIsPublishedIsWhatIsServed) {
  EXPECT_THAT(Get("/"), HasSubstr("37 deletes"));
  page_->Publish(
      std::make_shared<const BrokerStats>(SampleStats({.sites = 3, .troubles = false}, kNow)));
  EXPECT_THAT(Get("/"), Not(HasSubstr("37 deletes")));
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 503"));
  page_->SetReadiness({{"store", true}});
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Get("/livez"), StartsWith("HTTP/1.1 200"));
}

TEST_F(PageServerTest, HeadHasNoBody) {
  const std::string answer = Ask("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST_F(PageServerTest, WhatIsNotAReadIsRefusedWithoutReadingItsBody) {
  EXPECT_THAT(Ask("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n"),
              StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(Ask("PUT /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"),
              StartsWith("HTTP/1.1 405"));
}

TEST_F(PageServerTest, ForeignAndDoubledHostsAreRefused) {
  EXPECT_THAT(Ask("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(Ask("GET / HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(Get("/", "Host: evil.example\r\n"), StartsWith("HTTP/1.1 400"));
}

TEST_F(PageServerTest, NonsenseIsAnsweredOrDroppedAndHarmsNobody) {
  const std::string zeros(3000, '\0');
  for (const std::string& request :
       {std::string("\r\n\r\n"), std::string("GET\r\n\r\n"), zeros + "\r\n\r\n",
        std::string("GET / HTTP/9.9\r\nHost: localhost\r\n\r\n"),
        std::string("GET http://[::1 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
        std::string("GET /link?stream=%00%ff%&reader=%zz HTTP/1.1\r\nHost: localhost\r\n\r\n")}) {
    const std::string answer = Ask(request);
    EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 4")) << answer;
    EXPECT_THAT(Get("/livez"), StartsWith("HTTP/1.1 200"));
  }
  EXPECT_THAT(Get("/..%2f..%2fetc/passwd"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(Get("/", "Range: bytes=0-1\r\n"), HasSubstr("</html>"));
}

TEST_F(PageServerTest, AHeadWithoutEndIsBoundedInBytesAndTime) {
  Peer large(page_->port());
  const std::string line = "X-Filler: " + std::string(4000, 'x') + "\r\n";
  EXPECT_TRUE(large.Send("GET / HTTP/1.1\r\nHost: localhost\r\n"));
  for (int i = 0; i < 6 && large.Send(line); ++i) {
  }
  EXPECT_THAT(large.ReadAll(), StartsWith("HTTP/1.1 431"));
  Peer slow(page_->port());
  EXPECT_TRUE(slow.Send("GET / HTTP/1.1\r\nHo"));
  const auto begin = Clock::now();
  EXPECT_THAT(slow.ReadAll(), StartsWith("HTTP/1.1 408"));
  EXPECT_LT(Clock::now() - begin, seconds(20));
}

TEST_F(PageServerTest, HundredsOfSilentClientsDelayNobody) {
  // Whoever waits for them waits for 3 seconds; a machine that is busy may disturb one try.
  Clock::duration took = seconds(3);
  for (int again = 0; again < 3 && took >= seconds(2); ++again) {
    std::vector<std::unique_ptr<Peer>> silent;
    for (int i = 0; i < 200; ++i) {
      silent.push_back(std::make_unique<Peer>(page_->port()));
      ASSERT_TRUE(silent.back()->connected());
      silent.back()->Send("G");
    }
    const auto begin = Clock::now();
    EXPECT_THAT(Get("/"), StartsWith("HTTP/1.1 200"));
    took = Clock::now() - begin;
  }
  EXPECT_LT(took, seconds(2));
}

TEST_F(PageServerTest, BeyondItsBoundConnectionsAreClosedAndComeBackLater) {
  {
    std::vector<std::unique_ptr<Peer>> silent;
    for (int i = 0; i < 400; ++i) silent.push_back(std::make_unique<Peer>(page_->port()));
    // The last ones were turned away at once.
    EXPECT_THAT(silent.back()->ReadAll(), StartsWith("HTTP/1.1 503"));
  }
  const auto until = Clock::now() + seconds(20);
  std::string answer;
  while (Clock::now() < until && !answer.starts_with("HTTP/1.1 200")) answer = Get("/livez");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
}

TEST_F(PageServerTest, AClientThatDoesNotReadHoldsNobody) {
  page_->Publish(std::make_shared<const BrokerStats>(SampleStats({.sites = 40}, kNow)));
  std::vector<std::unique_ptr<Peer>> deaf;
  for (int i = 0; i < 12; ++i) {
    deaf.push_back(std::make_unique<Peer>(page_->port()));
    deaf.back()->Send("GET /api/v1/readers HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  EXPECT_THAT(Get("/livez"), StartsWith("HTTP/1.1 200"));
}

TEST_F(PageServerTest, HundredSites_MetricsAndPageAreQuick) {
  page_->Publish(std::make_shared<const BrokerStats>(SampleStats({.sites = 100}, kNow)));
  for (const auto& [path, bytes] : {std::pair("/metrics", 400'000U), std::pair("/", 700'000U)}) {
    const auto begin = Clock::now();
    const std::string answer = Get(path);
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
    std::cout << path << ": " << answer.size() << " bytes in " << took.count() << " ms\n";
    EXPECT_LT(answer.size(), bytes);
    EXPECT_LT(took, seconds(10)) << path;
  }
}

TEST(PageServer, BeyondLoopbackNeedsAToken) {
  EXPECT_EQ(PageServer::Start({.address = "0.0.0.0"}).error().code, ErrorCode::kConfiguration);
  EXPECT_EQ(PageServer::Start({.address = "::"}).error().code, ErrorCode::kConfiguration);
  EXPECT_EQ(PageServer::Start({.address = "example.org"}).error().code, ErrorCode::kConfiguration);
  EXPECT_EQ(PageServer::Start({.address = "0.0.0.0", .token = "short"}).error().code,
            ErrorCode::kConfiguration);
  EXPECT_TRUE(PageServer::Start({.address = "0.0.0.0", .token = "sixteen characters"}));
}

TEST(PageServer, StopsAtOnceWithOpenConnections) {
  auto page = PageServer::Start({});
  ASSERT_TRUE(page);
  Peer silent((*page)->port());
  Peer asking((*page)->port());
  asking.Send("GET / HTTP/1.1\r\n");
  const auto begin = Clock::now();
  (*page)->Stop();
  (*page)->Stop();
  EXPECT_LT(Clock::now() - begin, seconds(20));
}

TEST(PageServer, ATakenPortIsSaid) {
  auto first = PageServer::Start({});
  ASSERT_TRUE(first);
  const auto second = PageServer::Start({.port = (*first)->port()});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace dirsync
