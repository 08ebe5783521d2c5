// What passes through: ranges between a producer and a reader, requests between agents.
#include "broker/core/broker_state.h"
#include "proto/base/text.h"
#include "proto/trust/signed_request.h"

namespace dirsync {

Result<> Broker::State::TakeGetRange(BrokerStep& step, BrokerSession& session,
                                     const GetRange& message) {
  dirsync::Range refusal{message.stream, "", message.request, ErrorCode::kNotFound, "", nullptr};
  BrokerStream* stream = StreamOf(message.stream);
  if (stream == nullptr || stream->producer == session.site || !IsActive(stream->producer)) {
    if (stream != nullptr)
      CountRefused(step, session, "GET_RANGE", message.stream, "of no stream that it reads");
    refusal.text = "no such stream to read";
    step.Say(session.id, std::move(refusal));
    return {};
  }
  // Registered from here on: what follows the range will be there.
  BrokerReader& reader = ReaderOf(step, *stream, session.site);
  BrokerSession* producer = SessionOf(stream->producer);
  if (producer == nullptr) {
    refusal.code = ErrorCode::kUnreachable;
    refusal.text = Printable(message.stream.site) + " is not connected";
    step.Say(session.id, std::move(refusal));
    return {};
  }
  if (!HasRoom(session) || !HasRoom(*producer)) {
    refusal.code = ErrorCode::kBusy;
    refusal.text =
        "too much waits for " + Printable(HasRoom(session) ? message.stream.site : reader.site);
    ++refusals["GET_RANGE_BUSY"];
    step.Say(session.id, std::move(refusal));
    return {};
  }
  const bool pending = reader.range_request && reader.range_asked <= step.now &&
                       step.now < reader.range_asked + std::chrono::seconds(limits::kRangeSeconds);
  if (pending) {
    // Its answer is under way; another one would only cost the producer as much again.
    if (reader.range_request == message.request) return {};
    ++refusals["GET_RANGE_EARLY"];
    refusal.code = ErrorCode::kBusy;
    refusal.text = "the range before it is under way";
    step.Say(session.id, std::move(refusal));
    return {};
  }
  reader.range_asked = step.now;
  reader.range_request = message.request;
  GetRange forwarded = message;
  forwarded.reader = reader.site;
  step.Say(producer->id, std::move(forwarded));
  return {};
}

// Only from the stream's producer, and only to who asked.
Result<> Broker::State::TakeRange(BrokerStep& step, BrokerSession& session,
                                  const dirsync::Range& message) {
  BrokerStream* stream = StreamOf(message.stream);
  if (stream == nullptr || stream->producer != session.site) {
    CountRefused(step, session, "RANGE", message.stream, "of a stream that is not its own");
    return {};
  }
  const auto found = stream->readers.find(FoldName(message.reader));
  if (found == stream->readers.end() || found->second.range_request != message.request) {
    // It asked again, or went away: late, and not wrong.
    ++refusals["RANGE_LATE"];
    return {};
  }
  BrokerSession* reader = SessionOf(found->first);
  found->second.range_request.reset();
  if (reader == nullptr) return {};
  dirsync::Range forwarded = message;
  forwarded.reader.clear();
  if (HasRoom(*reader)) {
    ++found->second.ranges;
  } else {
    ++refusals["RANGE_BUSY"];
    forwarded.code = ErrorCode::kBusy;
    forwarded.text = "too much waits for this site already";
    forwarded.payload.reset();
  }
  step.Say(reader->id, std::move(forwarded));
  return {};
}

// The producer went away with requests under way: who waits for it need not wait for a timer.
void Broker::State::FailRanges(const std::string& folded_producer) {
  for (auto& [name, stream] : streams) {
    if (stream.producer != folded_producer) continue;
    for (auto& [site, reader] : stream.readers) {
      if (!reader.range_request) continue;
      if (const BrokerSession* session = SessionOf(site); session != nullptr)
        later.push_back(
            {session->id, dirsync::Range{name, "", *reader.range_request, ErrorCode::kUnreachable,
                                         Printable(name.site) + " is not connected", nullptr}});
      reader.range_request.reset();
    }
  }
}

Result<> Broker::State::TakeAdmin(BrokerStep& step, BrokerSession& session,
                                  const AdminRequest& message) {
  if (FoldName(message.signer) != session.site) {
    Refuse(step, session.id, session.site, ErrorCode::kNotPermitted,
           "a request in the name of " + Printable(message.signer));
    return {};
  }
  const auto refuse = [&](ErrorCode code, std::string text) {
    step.Say(session.id, AdminReply{message.target, message.signer, message.nonce, true, code,
                                    std::move(text)});
  };
  BrokerSession* target = SessionOf(FoldName(message.target));
  if (target == nullptr) {
    refuse(ErrorCode::kUnreachable, Printable(message.target) + " is not connected");
    return {};
  }
  if (message.expires < step.now && !IsStatement(message)) {
    refuse(ErrorCode::kExpired, "the request is too old");
    return {};
  }
  if (!HasRoom(*target)) {
    ++refusals["ADMIN_BUSY"];
    refuse(ErrorCode::kBusy, "too much waits for " + Printable(message.target));
    return {};
  }
  std::string words;
  for (const std::string& word : message.words) words += " " + Printable(word, 128);
  Note(step, session.site, "request", "", "asks " + Printable(message.target) + ":" + words);
  step.Say(target->id, message);
  return {};
}

Result<> Broker::State::TakeAdminReply(BrokerStep& step, BrokerSession& session,
                                       const AdminReply& message) {
  if (FoldName(message.target) != session.site) {
    Refuse(step, session.id, session.site, ErrorCode::kNotPermitted,
           "an answer in the name of " + Printable(message.target));
    return {};
  }
  const BrokerSession* signer = SessionOf(FoldName(message.signer));
  if (signer == nullptr) return {};
  if (HasRoom(*signer)) {
    step.Say(signer->id, message);
  } else {
    ++refusals["ADMIN_REPLY_BUSY"];
  }
  return {};
}

}  // namespace dirsync
