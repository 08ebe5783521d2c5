// Each kind of message <-> its wire form: one pair of functions a kind, in three files by subject.
// Parsing returns false for what no encoder of ours writes. Internal to the codec.
#pragma once

#include "proto/model/message.h"

namespace dirsync::wire {
class Ack;
class Admin;
class AdminReply;
class Bye;
class Credit;
class Deliver;
class Fetch;
class GetRange;
class Hello;
class Join;
class Joined;
class Nack;
class Ping;
class Publish;
class Published;
class Range;
class Report;
class Roster;
class Streams;
class Subscribe;
class Subscribed;
class Unsubscribe;
class Welcome;
}  // namespace dirsync::wire

namespace dirsync::codec {

// session_codec.cc
void Fill(const Hello& message, wire::Hello& out);
bool Parse(const wire::Hello& in, Hello& message);
void Fill(const Welcome& message, wire::Welcome& out);
bool Parse(const wire::Welcome& in, Welcome& message);
void Fill(const Bye& message, wire::Bye& out);
bool Parse(const wire::Bye& in, Bye& message);
void Fill(const Ping& message, wire::Ping& out);
bool Parse(const wire::Ping& in, Ping& message);

// stream_codec.cc
void Fill(const Publish& message, wire::Publish& out);
bool Parse(const wire::Publish& in, Publish& message);
void Fill(const Published& message, wire::Published& out);
bool Parse(const wire::Published& in, Published& message);
void Fill(const Streams& message, wire::Streams& out);
bool Parse(const wire::Streams& in, Streams& message);
void Fill(const Subscribe& message, wire::Subscribe& out);
bool Parse(const wire::Subscribe& in, Subscribe& message);
void Fill(const Unsubscribe& message, wire::Unsubscribe& out);
bool Parse(const wire::Unsubscribe& in, Unsubscribe& message);
void Fill(const Subscribed& message, wire::Subscribed& out);
bool Parse(const wire::Subscribed& in, Subscribed& message);
void Fill(const Deliver& message, wire::Deliver& out);
bool Parse(const wire::Deliver& in, Deliver& message);
void Fill(const Credit& message, wire::Credit& out);
bool Parse(const wire::Credit& in, Credit& message);
void Fill(const Ack& message, wire::Ack& out);
bool Parse(const wire::Ack& in, Ack& message);
void Fill(const Nack& message, wire::Nack& out);
bool Parse(const wire::Nack& in, Nack& message);
void Fill(const GetRange& message, wire::GetRange& out);
bool Parse(const wire::GetRange& in, GetRange& message);
void Fill(const Range& message, wire::Range& out);
bool Parse(const wire::Range& in, Range& message);
void Fill(const Fetch& message, wire::Fetch& out);
bool Parse(const wire::Fetch& in, Fetch& message);

// site_codec.cc
void Fill(const RosterNews& message, wire::Roster& out);
bool Parse(const wire::Roster& in, RosterNews& message);
void Fill(const JoinRequest& message, wire::Join& out);
bool Parse(const wire::Join& in, JoinRequest& message);
void Fill(const JoinReply& message, wire::Joined& out);
bool Parse(const wire::Joined& in, JoinReply& message);
void Fill(const AdminRequest& message, wire::Admin& out);
bool Parse(const wire::Admin& in, AdminRequest& message);
void Fill(const AdminReply& message, wire::AdminReply& out);
bool Parse(const wire::AdminReply& in, AdminReply& message);
void Fill(const AgentReport& message, wire::Report& out);
bool Parse(const wire::Report& in, AgentReport& message);

}  // namespace dirsync::codec
