// A member of the organisation that tells what no agent would, for faults that need one.
//
//   rogue_site keys                     its keys, as options of `sites add Rogue`
//   rogue_site speak ADDRESS KEY_FILE   says what each line of its input asks for
//
// Lines: begin (the stream Testorg/Rogue/PEOPLE, without entries), tell (that nothing has changed),
// lie (the same, with a sum of other entries), fork (another batch where the last one stands). Each
// is answered by the broker's word. Ends with its input, and with 1 when the broker does not
// answer.
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iostream>

#include "tests/e2e/broker_world.h"

namespace dirsync::e2e {
namespace {

constexpr const char* kSite = "Rogue";
constexpr std::chrono::milliseconds kTurn{20};
constexpr std::chrono::seconds kBeat{5};

class RogueSite {
 public:
  RogueSite(const std::string& address, const TransportKey& broker)
      : client_(address, broker, kSite) {}

  bool Greet() { return client_.Greet().has_value(); }
  // false: its input has ended, or the broker is silent.
  bool Turn() {
    if (auto message = client_.Next(kTurn)) Take(*message);
    if (const auto now = std::chrono::steady_clock::now(); now >= beat_) {
      beat_ = now + kBeat;
      if (!client_.Send(Ping{false})) return false;
    }
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (poll(&input, 1, 0) <= 0) return true;
    std::string line;
    char byte = 0;
    while (read(STDIN_FILENO, &byte, 1) == 1 && byte != '\n') line += byte;
    return !line.empty() && Say(line);
  }

 private:
  bool Say(const std::string& line) {
    if (line == "begin" || line == "tell" || line == "lie") {
      last_ = BatchAfter(told_, line == "lie");
      return Tell(last_, true);
    }
    if (line == "fork") {
      // One sequence back, at another time: another digest at the same place.
      Batch other = last_;
      other.time += std::chrono::hours(1);
      return Tell(other, false);
    }
    return false;
  }
  Batch BatchAfter(const Position& position, bool lies) const {
    Batch batch;
    batch.stream = {"Testorg", kSite, "PEOPLE"};
    batch.epoch = {1, TestId<EpochId>(1)};
    batch.sequence = position.sequence + 1;
    batch.previous = position.digest;
    batch.kind = batch.sequence == 1 ? BatchKind::kStart : BatchKind::kCanary;
    batch.time = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    batch.terms.hash_key = TestId<HashKey>(7);
    batch.terms.address_type = "SMTP";
    if (lies) batch.sum_after = {0, 42};
    return batch;
  }
  bool Tell(const Batch& batch, bool keep) {
    Publish publish;
    publish.stream = batch.stream;
    publish.payload = std::make_shared<const std::string>(*EncodeBatch(batch, TestKey(kSite)));
    publish.position = {batch.epoch, batch.sequence, DigestOf(*publish.payload)};
    publish.previous = batch.previous;
    publish.begins_log = batch.sequence == 1;
    if (!client_.Send(publish)) return false;
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < until) {
      const auto message = client_.Next(kTurn);
      if (!message) continue;
      if (const auto* answer = std::get_if<Published>(&*message)) {
        if (keep && answer->outcome == PublishOutcome::kStored) told_ = publish.position;
        std::cout << PublishOutcomeName(answer->outcome) << std::endl;
        return true;
      }
      Take(*message);
    }
    return false;
  }
  // Whoever asks for a full copy hears that there is nobody in it.
  void Take(const Message& message) {
    const auto* request = std::get_if<GetRange>(&message);
    if (request == nullptr) return;
    Batch range = BatchAfter(told_, false);
    range.kind = BatchKind::kRange;
    range.sequence = told_.sequence;
    range.previous = told_.digest;
    range.range.end = true;
    static_cast<void>(client_.Send(dirsync::Range{
        range.stream, request->reader, request->request, ErrorCode::kAlreadyApplied, "",
        std::make_shared<const std::string>(*EncodeBatch(range, TestKey(kSite)))}));
  }

  SiteClient client_;
  Position told_;
  Batch last_;
  std::chrono::steady_clock::time_point beat_{};
};

int Run(const std::vector<std::string>& words) {
  if (words.size() == 1 && words[0] == "keys") {
    std::cout << "--public-key " << TestKey(kSite).public_key().hex() << " --transport-key "
              << SiteClient::KeysOf(kSite).public_key.hex() << '\n';
    return 0;
  }
  if (words.size() != 3 || words[0] != "speak") return 2;
  std::ifstream file(words[2], std::ios::binary);
  const std::string secret{std::istreambuf_iterator<char>(file), {}};
  const auto keys = TransportKeysFrom(secret);
  if (!keys) return 2;
  RogueSite site(words[1], keys->public_key);
  if (!site.Greet()) return 1;
  std::cout << "speaks" << std::endl;
  while (site.Turn()) {
  }
  return 0;
}

}  // namespace
}  // namespace dirsync::e2e

int main(int argc, char** argv) {
  return dirsync::e2e::Run(std::vector<std::string>(argv + 1, argv + argc));
}
