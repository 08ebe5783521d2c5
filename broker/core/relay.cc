// What passes through: ranges between a producer and a reader, requests between agents.
#include "broker/core/broker_state.h"
#include "proto/base/text.h"

namespace dirsync {

Result<> Broker::State::TakeGetRange(BrokerStep& step, BrokerSession& session,
                                     const GetRange& message) {
  dirsync::Range refusal{message.stream, "", message.request, ErrorCode::kNotFound, "", nullptr};
  BrokerStream* stream = StreamOf(message.stream);
  if (stream == nullptr || FoldName(message.stream.site) == session.site) {
    refusal.text = "no such stream to read";
    step.Say(session.id, std::move(refusal));
    return {};
  }
  BrokerSession* producer = SessionOf(FoldName(message.stream.site));
  if (producer == nullptr) {
    refusal.code = ErrorCode::kUnreachable;
    refusal.text = Printable(message.stream.site) + " is not connected";
    step.Say(session.id, std::move(refusal));
    return {};
  }
  BrokerReader& reader = ReaderOf(step, *stream, session.site);
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
  if (stream == nullptr || FoldName(message.stream.site) != session.site) {
    ++refusals["RANGE"];
    return {};
  }
  const auto found = stream->readers.find(FoldName(message.reader));
  if (found == stream->readers.end() || found->second.range_request != message.request) return {};
  BrokerSession* reader = SessionOf(found->first);
  found->second.range_request.reset();
  if (reader == nullptr) return {};
  ++found->second.ranges;
  dirsync::Range forwarded = message;
  forwarded.reader.clear();
  step.Say(reader->id, std::move(forwarded));
  return {};
}

Result<> Broker::State::TakeAdmin(BrokerStep& step, BrokerSession& session,
                                  const AdminRequest& message) {
  if (FoldName(message.signer) != session.site) {
    Refuse(step, session.id, session.site, ErrorCode::kNotPermitted,
           "a request in the name of " + Printable(message.signer));
    return {};
  }
  BrokerSession* target = SessionOf(FoldName(message.target));
  if (target == nullptr) {
    step.Say(session.id,
             AdminReply{message.target, message.signer, message.nonce, true,
                        ErrorCode::kUnreachable, Printable(message.target) + " is not connected"});
    return {};
  }
  std::string words;
  for (const std::string& word : message.words) words += " " + Printable(word);
  Event(step, "request", sites[session.site].entry.site, "",
        "asks " + Printable(message.target) + ":" + words);
  step.Say(target->id, message);
  return {};
}

Result<> Broker::State::TakeAdminReply(BrokerStep& step, BrokerSession& session,
                                       const AdminReply& message) {
  if (FoldName(message.target) != session.site) {
    ++refusals["ADMIN_REPLY"];
    return {};
  }
  if (BrokerSession* signer = SessionOf(FoldName(message.signer)); signer != nullptr)
    step.Say(signer->id, message);
  return {};
}

}  // namespace dirsync
