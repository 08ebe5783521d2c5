#include "tests/bench/bare_chain.h"

#include <rocksdb/db.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <zmq.hpp>

#include "tests/bench/network_world.h"
#include "tests/bench/timed_agent.h"

namespace dirsync::bench {
namespace {

// What one change of one person is, by storage/FORMAT.md: rows of a commit and their bytes.
constexpr std::size_t kMessageBytes = 500;
struct Rows {
  int count;
  std::size_t bytes;  // of each
};
constexpr Rows kTold{3, 350};     // told row, outbox, producer
constexpr Rows kLogged{3, 300};   // batch, its index row, the log's state
constexpr Rows kApplied{6, 250};  // entry, its USN rows, mirror row, digest, cursor

void Must(const rocksdb::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

class SyncedStore {
 public:
  explicit SyncedStore(const std::string& folder) {
    std::filesystem::create_directories(folder);
    rocksdb::Options options;
    options.create_if_missing = true;
    rocksdb::DB* db = nullptr;
    Must(rocksdb::DB::Open(options, folder, &db));
    db_.reset(db);
  }
  void Write(const Rows& rows) {
    rocksdb::WriteBatch batch;
    for (int i = 0; i < rows.count; ++i)
      Must(batch.Put("row " + std::to_string(i) + " of " + std::to_string(written_),
                     std::string(rows.bytes, static_cast<char>('a' + written_ % 26))));
    ++written_;
    rocksdb::WriteOptions options;
    options.sync = true;
    Must(db_->Write(options, &batch));
  }

 private:
  std::unique_ptr<rocksdb::DB> db_;
  std::uint64_t written_ = 0;
};

zmq::socket_t Pair(zmq::context_t& context) {
  zmq::socket_t socket(context, zmq::socket_type::pair);
  socket.set(zmq::sockopt::linger, 0);
  return socket;
}

// Where a socket that was bound to any port listens: told through a file.
void Announce(const zmq::socket_t& socket, const std::string& path) {
  const std::string part = path + ".part";
  if (std::FILE* file = std::fopen(part.c_str(), "w"); file != nullptr) {
    std::fputs(socket.get(zmq::sockopt::last_endpoint).c_str(), file);
    std::fclose(file);
  }
  std::filesystem::rename(part, path);
}

std::string Announced(const std::string& path) {
  if (!Until([&] { return std::filesystem::exists(path); }, std::chrono::seconds(20))) {
    std::fprintf(stderr, "nobody listens at %s\n", path.c_str());
    std::exit(1);
  }
  char text[256] = {};
  std::FILE* file = std::fopen(path.c_str(), "r");
  const std::size_t got = std::fread(text, 1, sizeof text - 1, file);
  std::fclose(file);
  return std::string(text, got);
}

}  // namespace

int RunBareBroker(const std::string& folder, const std::string& in, const std::string& out) {
  zmq::context_t context;
  SyncedStore store(folder);
  zmq::socket_t from = Pair(context);
  zmq::socket_t to = Pair(context);
  from.bind("tcp://127.0.0.1:*");
  to.bind("tcp://127.0.0.1:*");
  Announce(from, in);
  Announce(to, out);
  for (;;) {
    zmq::message_t message;
    if (!from.recv(message)) continue;
    const bool last = message.size() == 0;
    if (!last) store.Write(kLogged);
    to.send(message, zmq::send_flags::none);
    if (last) break;
    from.send(zmq::str_buffer("stored"), zmq::send_flags::none);
    // The acks of the one behind are taken as they come.
    while (to.recv(message, zmq::recv_flags::dontwait)) {
    }
  }
  zmq::message_t done;
  static_cast<void>(to.recv(done));
  return 0;
}

int RunBareReader(const std::string& folder, const std::string& in, const std::string& stamps) {
  zmq::context_t context;
  Stamps& page = MapStamps(stamps);
  SyncedStore store(folder);
  zmq::socket_t from = Pair(context);
  from.connect(Announced(in));
  for (;;) {
    zmq::message_t message;
    if (!from.recv(message)) continue;
    if (message.size() == 0) break;
    store.Write(kApplied);
    const std::uint64_t number = page.commits.load();
    page.at[number % Stamps::kKept] = Nanoseconds();
    page.commits = number + 1;
    from.send(zmq::str_buffer("applied"), zmq::send_flags::none);
  }
  return 0;
}

std::vector<double> RunBareChain(const std::string& self, const std::string& folder, int count) {
  std::filesystem::create_directories(folder);
  const auto path = [&](const std::string& name) { return folder + "/" + name; };
  e2e::Server broker({self, "bare-broker", path("broker"), path("in"), path("out")}, path("log"));
  e2e::Server reader({self, "bare-reader", path("reader"), path("out"), path("stamps")},
                     path("log"));
  Stamps& page = MapStamps(path("stamps"));
  broker.Start();
  reader.Start();
  zmq::context_t context;
  SyncedStore store(path("sender"));
  zmq::socket_t to = Pair(context);
  to.connect(Announced(path("in")));
  std::vector<double> milliseconds;
  for (int i = 0; i < count; ++i) {
    const std::uint64_t before = page.commits.load();
    const std::int64_t start = Nanoseconds();
    store.Write(kTold);
    to.send(zmq::buffer(std::string(kMessageBytes, 'm')), zmq::send_flags::none);
    zmq::message_t answer;
    static_cast<void>(to.recv(answer));
    if (!Until([&] { return page.commits.load() > before; }, std::chrono::seconds(20))) break;
    milliseconds.push_back(static_cast<double>(page.at[before % Stamps::kKept].load() - start) /
                           1e6);
    Pause(3);
  }
  to.send(zmq::message_t(), zmq::send_flags::none);
  Until([&] { return !reader.running(); }, std::chrono::seconds(5));
  broker.Kill();
  std::filesystem::remove_all(folder);
  return milliseconds;
}

}  // namespace dirsync::bench
