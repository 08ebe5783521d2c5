#include <sys/resource.h>

#include <algorithm>
#include <memory>

#include "proto/base/limits.h"
#include "proto/net/connection.h"
#include "tests/bench/rows.h"
#include "tests/bench/signed_batches.h"
#include "tests/bench/table.h"

namespace dirsync::bench {
namespace {

constexpr double kBackSeconds = 5;
constexpr double kIdleKib = 256;
constexpr double kSlopeMib = 1;  // in ten minutes
constexpr double kBatchSeconds = 0.05;
constexpr std::size_t kLoadBytes = 2048;
constexpr double kPingSeconds = 10;
constexpr double kRetrySeconds = 0.5;

// A site as the broker sees it: greets each new connection, reads one stream, acks.
class PlayedSite {
 public:
  PlayedSite(const NetworkWorld& world, const TransportKey& broker, std::string name,
             StreamName stream, const Position& from)
      : name_(std::move(name)), stream_(std::move(stream)), cursor_(from) {
    ConnectionSettings settings;
    settings.address = world.address();
    settings.broker_key = broker;
    settings.keys = TransportKeysOf(name_);
    settings.message_bytes_max = limits::kMessageBytes;
    auto opened = Connection::Open(settings);
    if (opened) connection_ = std::move(*opened);
  }

  // Takes what has come.
  void Turn() {
    std::string why;
    while (const auto state = connection_->TakeState(why)) {
      reads_ = false;
      if (*state == ConnectionState::kConnected) Greet();
    }
    while (const auto message = connection_->Receive())
      if (*message) Take(**message);
    if (!greet_again_ && Since(said_) > kPingSeconds) Say(Ping{});
    if (greet_again_ && Since(said_) > kRetrySeconds) Greet();
  }
  void Publish(const dirsync::Publish& publish) { Say(publish); }
  bool reads() const { return reads_; }
  bool greeted() const { return greeted_; }
  std::uint64_t answered() const { return answered_; }
  Sequence cursor() const { return cursor_.sequence; }

 private:
  void Say(const Message& message) {
    said_ = Clock::now();
    static_cast<void>(connection_->Send(message));
  }
  void Greet() {
    greeted_ = false;
    greet_again_ = false;
    Hello hello;
    hello.organization = "Testorg";
    hello.site = name_;
    hello.program = "benchmark";
    hello.nonce = nonce_;
    Say(hello);
  }
  void Take(const Message& message) {
    if (const auto* welcome = std::get_if<Welcome>(&message)) {
      greeted_ = true;
      nonce_ = welcome->nonce;
      Say(Credit{limits::kCreditBytes});
      if (name_ != stream_.site) Say(Subscribe{stream_, cursor_, {}});
    } else if (const auto* answer = std::get_if<Subscribed>(&message)) {
      reads_ = answer->outcome == SubscribeOutcome::kGoesOn;
    } else if (const auto* deliver = std::get_if<Deliver>(&message)) {
      cursor_ = deliver->position;
      Say(Credit{deliver->payload->size()});
      Say(Ack{stream_, "", cursor_, {}, false});
    } else if (std::holds_alternative<Published>(message)) {
      ++answered_;
    } else if (const auto* ping = std::get_if<Ping>(&message); ping != nullptr && !ping->answer) {
      Say(Ping{true});
    } else if (std::holds_alternative<Bye>(message)) {
      reads_ = greeted_ = false;
      greet_again_ = true;
    }
  }

  std::string name_;
  StreamName stream_;
  Position cursor_;
  std::unique_ptr<Connection> connection_;
  Nonce nonce_;
  Clock::time_point said_ = Clock::now();
  bool reads_ = false;
  bool greeted_ = false;
  bool greet_again_ = false;
  std::uint64_t answered_ = 0;
};

class ManySites {
 public:
  ManySites(const Programs& programs, int sites)
      : world_(programs, "sites"), maker_("Site0"), first_(maker_.Next(0)) {
    world_.Enroll("Site0");
    for (int i = 1; i <= sites; ++i) world_.Enroll("Site" + std::to_string(i));
    const TransportKey key = world_.BrokerKey();
    producer_ = std::make_unique<PlayedSite>(world_, key, "Site0", maker_.name(), Position{});
    TurnUntil([&] { return producer_->greeted(); });
    producer_->Publish(first_);
    TurnUntil([&] { return producer_->answered() == 1; });
    Pause(1000);
    empty_kib_ = world_.BrokerKib();
    for (int i = 1; i <= sites; ++i)
      sites_.push_back(std::make_unique<PlayedSite>(world_, key, "Site" + std::to_string(i),
                                                    maker_.name(), first_.position));
  }

  bool TurnUntil(const std::function<bool()>& done, double patience = 60) {
    const auto start = Clock::now();
    while (Since(start) < patience) {
      Turn();
      if (done()) return true;
      Pause(1);
    }
    return false;
  }
  bool AllRead() {
    return TurnUntil([&] {
      return producer_->greeted() &&
             std::ranges::all_of(sites_, [](const auto& site) { return site->reads(); });
    });
  }
  void Turn() {
    producer_->Turn();
    for (auto& site : sites_) site->Turn();
  }
  // KiB of the broker for each of the sites that are connected and quiet.
  double IdleKib() {
    const auto start = Clock::now();
    TurnUntil([&] { return Since(start) > 3; });
    return (static_cast<double>(world_.BrokerKib()) - static_cast<double>(empty_kib_)) /
           static_cast<double>(sites_.size());
  }
  // Seconds from the start of the process until all read again.
  double BackSeconds() {
    world_.broker().Terminate();
    const auto start = Clock::now();
    world_.StartBroker();
    Turn();
    return AllRead() ? Since(start) : 1e9;
  }

  // MiB that the broker would grow by in ten minutes, from what it did in `seconds` of batches to
  // all: its peak in the last third against that in the middle one. Between two flushes of its
  // store it grows by what waits to be flushed, for some four minutes at this load, and no line
  // through less than several of them means anything: `seconds` should be 1,200 at least.
  double Slope(int seconds, std::uint64_t& delivered) {
    double middle = 0;
    double end = 0;
    const auto start = Clock::now();
    double next_batch = 0;
    double next_look = 0;
    Sequence last = 0;
    while (Since(start) < seconds) {
      const double now = Since(start);
      if (now >= next_batch) {
        const Publish publish = maker_.Next(kLoadBytes);
        last = publish.position.sequence;
        producer_->Publish(publish);
        next_batch += kBatchSeconds;
      }
      if (now >= next_look) {
        double& peak = now > seconds * 2 / 3.0 ? end : middle;
        if (now > seconds / 3.0)
          peak = std::max(peak, static_cast<double>(world_.BrokerKib()) / 1024);
        next_look += 1;
      }
      Turn();
      Pause(1);
    }
    TurnUntil([&] {
      return std::ranges::all_of(sites_, [&](const auto& site) { return site->cursor() == last; });
    });
    for (const auto& site : sites_) delivered += site->cursor() - 1;
    return (end - middle) / (seconds / 3.0) * 600;
  }

 private:
  NetworkWorld world_;
  SignedBatches maker_;
  dirsync::Publish first_;
  std::unique_ptr<PlayedSite> producer_;
  std::vector<std::unique_ptr<PlayedSite>> sites_;
  std::uint64_t empty_kib_ = 0;
};

}  // namespace

void SitesRows(const Programs& programs, int sites, int seconds) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  ManySites world(programs, sites);
  const std::string many = std::to_string(sites) + " sites on one broker";
  if (!world.AllRead()) {
    Print({many, "NOT ALL CAME", "", "", "", Verdict(false)});
    return;
  }
  const double idle = world.IdleKib();
  const double back = world.BackSeconds();
  Print({many + ": back after a restart", Fixed(back, 2) + " s", "", "", "5 s",
         Verdict(back <= kBackSeconds)});
  Print({"  memory of an idle one", Fixed(idle, 0) + " KiB", "", "", "256 KiB",
         Verdict(idle <= kIdleKib)});
  std::uint64_t delivered = 0;
  const double slope = world.Slope(seconds, delivered);
  Print({"  memory in 10 minutes of load", Fixed(slope, 2) + " MiB",
         std::to_string(seconds) + " s, " + std::to_string(delivered) + " deliveries", "", "1 MiB",
         Verdict(slope < kSlopeMib)});
}

}  // namespace dirsync::bench
