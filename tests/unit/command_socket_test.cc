// The command socket with both ends in this process: the server in a thread.
#include "proto/daemon/command_socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <thread>

#include "proto/base/limits.h"
#include "proto/daemon/command_client.h"
#include "proto/daemon/socket_address.h"

namespace dirsync {
namespace {

namespace fs = std::filesystem;

class CommandSocketTest : public testing::Test {
 protected:
  void SetUp() override {
    // Longer than the name of a socket may be.
    std::string pattern = (fs::temp_directory_path() / "dirsync-socket-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    top_ = pattern;
    folder_ = pattern + "/" + std::string(150, 'x');
    fs::create_directory(folder_);
    ASSERT_EQ(pipe(in_.data()), 0);
    for (auto* file : {&out_, &err_}) {
      *file = open(top_.c_str(), O_TMPFILE | O_RDWR, 0600);
      ASSERT_GE(*file, 0);
    }
  }
  void TearDown() override {
    if (server_.joinable()) server_.join();
    for (const int descriptor : {in_[0], in_[1], out_, err_}) close(descriptor);
    fs::remove_all(top_);
  }

  // Answers `calls` calls with `answer`, then closes the socket.
  template <class F>
  void Serve(int calls, F answer) {
    auto socket = CommandSocket::Listen(folder_);
    ASSERT_TRUE(socket) << socket.error().ToString();
    server_ = std::thread([calls, answer, serving = std::move(*socket)] {
      for (int left = calls; left > 0;) {
        std::vector<pollfd> waited;
        for (const int descriptor : serving->descriptors())
          waited.push_back({descriptor, POLLIN, 0});
        poll(waited.data(), waited.size(), serving->timeout_ms());
        while (const auto call = serving->Take()) {
          answer(*call);
          --left;
        }
      }
    });
  }
  Result<std::optional<int>> Ask(const std::vector<std::string>& words) {
    return ForwardCommand(folder_, {.words = words}, {in_[0], out_, err_}, interrupted_, holder_);
  }
  static std::string Written(int file) {
    std::string text(static_cast<std::size_t>(lseek(file, 0, SEEK_END)), '\0');
    EXPECT_EQ(pread(file, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    return text;
  }
  // A client that says `bytes` and nothing else; returns all that it is told.
  std::string Say(std::string_view bytes) {
    auto address = SocketAddress::In(folder_, kCommandSocketName);
    const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(connect(descriptor, address->get(), address->size()), 0);
    // Of too much, the server takes the beginning, and closes.
    EXPECT_GE(send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL), bytes.empty() ? 0 : -1);
    shutdown(descriptor, SHUT_WR);
    std::string told;
    std::array<char, 4096> buffer;
    for (ssize_t got; (got = read(descriptor, buffer.data(), buffer.size())) > 0;)
      told.append(buffer.data(), static_cast<std::size_t>(got));
    close(descriptor);
    return told;
  }

  std::string top_, folder_;
  std::array<int, 2> in_{};
  int out_ = -1, err_ = -1;
  std::atomic<bool> interrupted_ = false;
  pid_t holder_ = 0;
  std::thread server_;
};

TEST_F(CommandSocketTest, WithoutAServerTheCallerDoesTheWork) {
  EXPECT_EQ(Ask({"list"}).value(), std::nullopt);
  EXPECT_EQ(ForwardCommand(top_ + "/none", {}, {}, interrupted_, 0).value(), std::nullopt);
}

TEST_F(CommandSocketTest, ASocketOfTheDeadIsPassedOverAndReplaced) {
  {
    auto address = SocketAddress::In(folder_, kCommandSocketName);
    const int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(bind(dead, address->get(), address->size()), 0);
    close(dead);
  }
  EXPECT_EQ(Ask({"list"}).value(), std::nullopt);
  Serve(1, [](CommandCall& call) { call.Finish(7); });
  EXPECT_EQ(Ask({"list"}).value(), 7);
}

TEST_F(CommandSocketTest, TheFileIsForItsOwnerOnlyAndGoesWithTheServer) {
  Serve(1, [](CommandCall& call) { call.Finish(0); });
  const std::string path = folder_ + "/control.sock";
  struct stat info{};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  ASSERT_TRUE(Ask({}));
  server_.join();
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(CommandSocketTest, OutputComesWholeAndInOrder) {
  const std::string large(3'000'000, 'x');
  Serve(1, [&](CommandCall& call) {
    call.out() << call.request().words.at(0) << '\n' << large;
    call.err() << "message\n";
    call.out() << "end\n";
    call.Finish(3);
  });
  EXPECT_EQ(Ask({"list"}).value(), 3);
  EXPECT_EQ(Written(out_), "list\n" + large + "end\n");
  EXPECT_EQ(Written(err_), "message\n");
}

TEST_F(CommandSocketTest, QuestionsAreAnsweredFromTheClientsInput) {
  ASSERT_EQ(write(in_[1], "yes\nno\nrest", 11), 11);
  close(std::exchange(in_[1], -1));
  Serve(1, [](CommandCall& call) {
    std::string line;
    while (std::getline(call.in(), line)) call.out() << '[' << line << ']';
    call.Finish(0);
  });
  EXPECT_EQ(Ask({"ask"}).value(), 0);
  EXPECT_EQ(Written(out_), "[yes][no][rest]");
}

TEST_F(CommandSocketTest, CtrlCReachesTheCommandWhoseMessagesStillCome) {
  interrupted_ = true;
  Serve(1, [](CommandCall& call) {
    while (!call.Interrupted()) {
    }
    call.err() << "stopped\n";
    call.Finish(130);
  });
  EXPECT_EQ(Ask({"load"}).value(), 130);
  EXPECT_EQ(Written(err_), "stopped\n");
}

TEST_F(CommandSocketTest, AClientThatLeavesInterruptsItsCommand) {
  Serve(1, [](CommandCall& call) {
    while (!call.Interrupted()) {
    }
    std::string line;
    EXPECT_FALSE(std::getline(call.in(), line));
    call.out() << std::string(limits::kCommandFrameBytes * 3, 'x') << std::flush;
    EXPECT_FALSE(call.out());
    call.Finish(130);
  });
  Say(EncodeFrame(FrameKind::kRequest, EncodeRequest({.words = {"load"}})));
}

TEST_F(CommandSocketTest, ACallThatIsDroppedEndsAsAnInternalError) {
  Serve(1, [](CommandCall&) {});
  EXPECT_EQ(Ask({}).value(), 1);
}

TEST_F(CommandSocketTest, HostileBytesAreTurnedAwayAndOthersServed) {
  Serve(1, [](CommandCall& call) { call.Finish(5); });
  for (const std::string& bytes :
       {std::string(), std::string("GET / HTTP/1.1\r\n\r\n"), std::string(5, '\0'),
        std::string(100'000, '\xff'), EncodeFrame(FrameKind::kInterrupt, ""),
        EncodeFrame(FrameKind::kRequest, ""), EncodeFrame(FrameKind::kRequest, "\1\xff\xff\xff"),
        EncodeFrame(FrameKind::kRequest, EncodeRequest({.words = {"list"}})).substr(0, 9)})
    Say(bytes);
  EXPECT_EQ(Ask({}).value(), 5);
}

TEST_F(CommandSocketTest, ManySilentClientsDoNotKeepOthersOut) {
  auto address = SocketAddress::In(folder_, kCommandSocketName);
  Serve(1, [](CommandCall& call) { call.Finish(0); });
  std::vector<int> silent;
  for (std::size_t i = 0; i + 1 < limits::kClientsWaiting; ++i) {
    silent.push_back(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(connect(silent.back(), address->get(), address->size()), 0);
  }
  EXPECT_EQ(Ask({}).value(), 0);
  for (const int descriptor : silent) close(descriptor);
}

// Its queue is full of those that gave up; the process that should take them stands still.
TEST_F(CommandSocketTest, AStoppedServerWithAFullQueueIsGivenUpToo) {
  auto socket = CommandSocket::Listen(folder_);
  ASSERT_TRUE(socket);
  auto address = SocketAddress::In(folder_, kCommandSocketName);
  std::vector<int> waiting;
  for (bool room = true; room;) {
    waiting.push_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    room = connect(waiting.back(), address->get(), address->size()) == 0;
  }
  holder_ = fork();
  if (holder_ == 0) {
    raise(SIGSTOP);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(holder_, &status, WUNTRACED), holder_);
  const auto answer = Ask({"list"});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kUnreachable);
  EXPECT_NE(answer.error().hint.find("kill -CONT " + std::to_string(holder_)), std::string::npos);
  kill(holder_, SIGKILL);
  waitpid(holder_, &status, 0);
  for (const int descriptor : waiting) close(descriptor);
}

TEST_F(CommandSocketTest, AServerThatDiesOnTheWayIsAnError) {
  Serve(1, [](CommandCall& call) {
    call.out() << "half" << std::flush;
    // What a killed process leaves: its descriptors closed, and no last frame.
    for (int descriptor = 3; descriptor < 64; ++descriptor) {
      ucred peer{};
      socklen_t size = sizeof peer;
      sockaddr_storage name{};
      socklen_t name_size = sizeof name;
      if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid != 0 &&
          getsockname(descriptor, reinterpret_cast<sockaddr*>(&name), &name_size) == 0 &&
          name_size > sizeof(sa_family_t))
        shutdown(descriptor, SHUT_RDWR);
    }
  });
  const auto status = Ask({"list"});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace dirsync
