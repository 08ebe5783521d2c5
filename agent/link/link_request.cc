// Signed requests between agents: asked, checked, carried out, answered (R6).
#include <algorithm>

#include "agent/link/link_state.h"
#include "agent/service/capture_run.h"
#include "proto/base/bytes.h"
#include "proto/base/text.h"
#include "proto/trust/roster.h"
#include "proto/trust/signed_request.h"
#include "storage/key.h"

namespace dirsync {
namespace {

std::string NoncesOf(const AdminRequest& request) {
  return "request/" + FoldName(request.signer) + "/";
}

// Whether the nonce was taken before; remembers it, and forgets those that have expired.
Result<bool> TakeNonce(storage::Transaction& transaction, const AdminRequest& request,
                       Instant now) {
  const std::string key = storage::ProgressKey(NoncesOf(request) + request.nonce.hex());
  DIRSYNC_TRY(before, transaction.Get(key));
  if (before) return false;
  const auto [lower, upper] = storage::PrefixRange(storage::ProgressKey(NoncesOf(request)));
  std::size_t kept = 0;
  for (auto cursor = transaction.Scan(lower, upper); cursor->Valid(); cursor->Next()) {
    RowReader reader(cursor->Value());
    const Instant expires = FromMillis(static_cast<std::int64_t>(reader.U64Big()));
    if (expires < now) {
      transaction.Delete(std::string(cursor->Key()));
    } else {
      ++kept;
    }
  }
  if (kept >= limits::kOrdersOpen)
    return Fail(ErrorCode::kBusy, "take request: too many requests in ten minutes");
  std::string row;
  RowWriter writer(row);
  writer.U64Big(static_cast<std::uint64_t>(ToMillis(request.expires)));
  transaction.Put(key, std::move(row));
  return true;
}

}  // namespace

Result<> Link::State::Ask(const std::string& target, std::vector<std::string> words) {
  if (phase != LinkPhase::kOpen)
    return Fail(ErrorCode::kUnreachable,
                "ask " + Printable(target) + ": no session with the broker", "dirsync status");
  AdminRequest request;
  request.target = target;
  request.signer = store.profile().site;
  request.nonce = Nonce::FromBytes(store.world().Random(16)).value_or(Nonce{});
  request.expires = Now() + std::chrono::seconds(limits::kRequestSeconds / 2);
  request.words = std::move(words);
  SignRequest(request, store.key());
  if (questions.size() >= limits::kQuestionsOpen) questions.pop_front();
  questions.push_back({request.nonce, std::nullopt});
  Say(std::move(request));
  return {};
}

void Link::State::Answer(AdminReply reply, bool done, ErrorCode code, std::string text) {
  reply.done = done;
  reply.code = code;
  reply.text = std::move(text);
  Say(std::move(reply));
}

void Link::State::AnswerAskers(ImportLink& link, bool done, ErrorCode code,
                               const std::string& text) {
  for (const AdminReply& asker : link.askers) Answer(asker, done, code, text);
  if (done) link.askers.clear();
}

// What orders something is taken once, and only while it is young.
Result<> Link::State::TakeOrder(const AdminRequest& request) {
  DIRSYNC_CHECK(CheckAge(request, Now()));
  DIRSYNC_TRY(fresh, store.Write([&](storage::Transaction& transaction) {
    return TakeNonce(transaction, request, Now());
  }));
  if (!fresh) return Fail(ErrorCode::kExpired, "take request: it was taken before");
  return {};
}

Result<> Link::State::TakeRequest(const AdminRequest& request) {
  const auto signer = CheckRequest(store.storage(), request, store.profile().site);
  if (signer) return RunRequest(request, *signer);
  RefuseRequest(request, signer.error());
  return {};
}

void Link::State::RefuseRequest(const AdminRequest& request, const Error& why) {
  Tell("request-refused", "", why.message, why.code);
  Answer({request.target, request.signer, request.nonce, true, why.code, ""}, true, why.code,
         why.message);
}

// {"resync", "take", STREAM}: read that stream whole. Its own site may ask for it, admins may ask
// for any.
Result<> Link::State::RunRequest(const AdminRequest& request, const RosterEntry& signer) {
  const AdminReply reply{
      request.target, request.signer, request.nonce, false, ErrorCode::kAlreadyApplied, ""};
  const std::vector<std::string>& words = request.words;
  if (IsStatement(request)) return TakePosition(request, reply);
  const bool take = words.size() == 3 && words[0] == "resync" && words[1] == "take";
  if (!take) {
    Answer(reply, true, ErrorCode::kUnknownVersion, "this agent does not know that request");
    return {};
  }
  const std::optional<StreamName> stream = StreamName::Parse(words[2]);
  const bool allowed = stream && (signer.admin || FoldName(stream->site) == FoldName(signer.site));
  if (!allowed) {
    Answer(reply, true, ErrorCode::kNotPermitted, "that stream is not the signer's");
    return {};
  }
  ImportLink* link = ImportOf(*stream);
  if (link == nullptr) {
    Answer(reply, true, ErrorCode::kNotFound,
           Printable(store.profile().site) + " does not read " + stream->ToString());
    return {};
  }
  // Last: what is refused for another reason leaves no trace here.
  if (const auto fresh = TakeOrder(request); !fresh) {
    if (IsStorageError(fresh.error().code)) return fresh;
    RefuseRequest(request, fresh.error());
    return {};
  }
  Tell("resync", link->settings.name,
       Printable(signer.site) + " asks for a full copy of " + stream->ToString());
  if (link->askers.size() >= limits::kAskersKept) link->askers.pop_front();
  link->askers.push_back(reply);
  link->stalled.reset();
  link->copy_wanted = true;
  // A site cannot free itself of the limits that it has here.
  if (FoldName(signer.site) != FoldName(stream->site)) link->copy_by_person = true;
  return StartCopy(*link);
}

// A site that lies costs epochs, and each costs its readers: so many in an hour.
bool Link::State::MayBeginEpoch(const std::string& signer) {
  std::deque<Instant>& begun = epochs_begun[FoldName(signer)];
  while (!begun.empty() && begun.front() + std::chrono::hours(1) <= Now()) begun.pop_front();
  if (begun.size() >= limits::kEpochsAnHour) return false;
  begun.push_back(Now());
  return true;
}

// {"position", STREAM, EPOCH, SEQUENCE, DIGEST}: the signer has read so far in a stream of this
// site. What this store never told was told by another life of it (R18).
Result<> Link::State::TakePosition(const AdminRequest& request, const AdminReply& reply) {
  const std::vector<std::string>& words = request.words;
  const std::optional<StreamName> stream = StreamName::Parse(words[1]);
  const std::optional<Epoch> epoch = Epoch::Parse(words[2]);
  const std::optional<std::uint64_t> sequence = ParseNumber(words[3]);
  const std::optional<Digest> digest = Digest::FromHex(words[4]);
  ExportLink* link = stream ? ExportOf(*stream) : nullptr;
  if (link == nullptr || !epoch || !sequence || !digest) {
    Answer(reply, true, ErrorCode::kNotFound, "no position in a stream of this site");
    return {};
  }
  DIRSYNC_TRY(state, LoadExport(store, link->settings, true));
  link->state = std::move(state);
  // So far above only by a lie: the counter is not let run to its end.
  if (epoch->counter > link->state.epoch.counter + limits::kEpochsAhead) {
    Answer(reply, true, ErrorCode::kNotPermitted, "no store of this site can have told that epoch");
    return {};
  }
  DIRSYNC_TRY(judged, JudgePosition(store.storage(), link->state, {*epoch, *sequence, *digest}));
  if (judged == AckOutcome::kAhead || judged == AckOutcome::kFork) {
    if (!MayBeginEpoch(request.signer)) {
      RefuseRequest(request, {ErrorCode::kBusy,
                              Printable(request.signer) +
                                  " has begun as many epochs here as a site may in an hour",
                              ""});
      return {};
    }
    DIRSYNC_CHECK(NewEpoch(*link, epoch->counter,
                           Printable(request.signer) + " has read batch " + words[3] +
                               " of another life of this store"));
    link->next = 1;
    link->begins_log = false;
    DIRSYNC_CHECK(CaptureExports());
    DIRSYNC_CHECK(PublishWaiting(*link));
  }
  Answer(reply, true, ErrorCode::kAlreadyApplied, "heard");
  return {};
}

}  // namespace dirsync
