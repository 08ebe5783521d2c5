// Whole commands on stores of sites and brokers, without a process beside them: what they say of
// the wrong store, of a missing key, of the answer no, and which command they name next.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "agent/core/instance.h"
#include "agent/core/reader_state.h"
#include "cli/command.h"
#include "cli/serving.h"
#include "proto/base/text.h"
#include "proto/trust/membership.h"

namespace dirsync::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct Outcome {
  int status = 0;
  std::string out, err;
};

class StoreCommandsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "stores-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    Make("a", "Site1");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  void Make(const std::string& store, const std::string& site) {
    ASSERT_EQ(
        At(store, {"init", "--organization", "Testorg", "--site", site, "--server", "S"}).status,
        0);
  }
  void MakeBroker() { ASSERT_EQ(At("broker", {"organization", "init", "Testorg"}).status, 0); }
  // As after a join.
  void Join(const std::string& store) const {
    auto opened = Store::Open(RealWorld(), Path(store));
    ASSERT_TRUE(opened.has_value());
    const auto written = (*opened)->Write([](storage::Transaction& transaction) -> Result<> {
      StoreMembership(transaction, {"Testorg", {}, "tcp://nowhere:1", {}});
      return {};
    });
    ASSERT_TRUE(written.has_value());
  }
  // An import of the file `text`, under that name in the folder of this test.
  Outcome RunForeign(const std::string& name, const std::string& text) {
    std::ofstream(Path(name)) << text;
    EXPECT_EQ(
        At("a", {"instance", "set", "IN", "--import", "--import-file", Path(name), "--complete"})
            .status,
        0);
    return At("a", {"run", "IN"});
  }
  // As if a run of the import IN had been stopped.
  void Suspect() const {
    auto opened = Store::Open(RealWorld(), Path("a"));
    ASSERT_TRUE(opened.has_value());
    const auto written = (*opened)->Write([](storage::Transaction& transaction) -> Result<> {
      DIRSYNC_TRY(number, FindNumber(transaction, "import/in"));
      DIRSYNC_TRY(reader, LoadReader(transaction, number.value_or(0)));
      if (!reader) return Fail(ErrorCode::kNotFound, "it has never run");
      reader->suspect.emplace().run = *RunId::FromBytes(std::string(16, 'r'));
      StoreReader(transaction, *reader);
      return {};
    });
    ASSERT_TRUE(written.has_value()) << written.error().message;
  }
  // `answers`: what a person at a terminal types; nullptr: no terminal.
  Outcome At(const std::string& store, std::vector<std::string> words,
             const char* answers = nullptr) {
    words.insert(words.begin(), {"--store", Path(store)});
    std::istringstream in(answers == nullptr ? "" : answers);
    std::ostringstream out;
    std::ostringstream err;
    Console console{.in = in,
                    .out = out,
                    .err = err,
                    .in_terminal = answers != nullptr,
                    .err_terminal = answers != nullptr,
                    .no_color = true,
                    .folder = "/nowhere",
                    .serving = serving_,
                    .interrupted = interrupted_};
    const int status = RunCommand(RealWorld(), console, words);
    return {status, out.str(), err.str()};
  }

  std::string folder_;
  const Serving* serving_ = nullptr;
  std::function<bool()> interrupted_;
};

TEST_F(StoreCommandsTest, TheAnswerNoIsRefused) {
  ASSERT_EQ(At("a", {"instance", "set", "OUT", "--export", "--export-file", "F"}).status, 0);
  const Outcome deleting = At("a", {"instance", "delete", "OUT"}, "n\n");
  EXPECT_EQ(deleting.status, 8);
  EXPECT_THAT(deleting.err, HasSubstr("(REFUSED)"));
  EXPECT_EQ(At("a", {"NEW", "/EXPORT", "/EXPFILE=F"}, "n\n").status, 8);
}

TEST_F(StoreCommandsTest, CtrlCStopsWhatReadsForLong) {
  std::ofstream people(Path("people.ldif"));
  for (int i = 0; i < 300; ++i)
    people << "dn: cn=L" << i << ",cn=Recipients,ou=Site1,o=Testorg\nobjectClass: person\n\n";
  people.close();
  ASSERT_EQ(At("a", {"load", Path("people.ldif")}).status, 0);
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"list"}, {"list", "--json"}, {"dump"}, {"dump", Path("dump.ldif")}}) {
    int asked = 0;
    interrupted_ = [&asked] { return ++asked > 1; };  // first: whether to begin at all
    const Outcome stopped = At("a", words);
    EXPECT_EQ(stopped.status, 130) << words[0];
    EXPECT_THAT(stopped.err, HasSubstr("INTERRUPTED"));
    EXPECT_THAT(stopped.err, HasSubstr("nothing was changed"));
    interrupted_ = {};
  }
  EXPECT_FALSE(std::filesystem::exists(Path("dump.ldif")));
}

TEST_F(StoreCommandsTest, AnInstanceWithoutAFileIsNotBroken) {
  const Outcome made = At("a", {"instance", "set", "OUT", "--export"});
  EXPECT_EQ(made.status, 0);
  EXPECT_THAT(made.err, HasSubstr("note: an agent's folders, or the broker, carry it as it is; a "
                                  "run by hand needs --export-file F"));
  Outcome run = At("a", {"run", "OUT", "--full"});
  EXPECT_EQ(run.status, 3);
  EXPECT_THAT(run.err, HasSubstr("dirsync instance set OUT --export-file F"));
  for (const json& finding : json::parse(At("a", {"doctor", "--json"}).out)) {
    const bool of_it = finding["finding"].get<std::string>().starts_with("instance ");
    EXPECT_TRUE(!of_it || finding["severity"] == "notice") << finding.dump();
  }
  Join("a");
  EXPECT_THAT(At("a", {"doctor"}).out, Not(HasSubstr("instance OUT")));
  run = At("a", {"run", "OUT", "--full"});
  EXPECT_EQ(run.status, 3);
  EXPECT_THAT(run.err, HasSubstr("dirsync resync run --site Site1 --full"));
  EXPECT_THAT(run.err, HasSubstr("dirsync run OUT --export-file F --full"));
}

TEST_F(StoreCommandsTest, WithAndWithoutJsonTheNextCommandIsTheSame) {
  const Serving serving{.broker = {},
                        .agent =
                            [] {
                              AgentStanding standing;
                              standing.site = "Site1";
                              standing.connected = true;
                              InstanceReport report;
                              report.instance = "IN";
                              report.stream = {"Testorg", "Site2", "OUT"};
                              report.held = 2;
                              standing.report.instances = {report};
                              return standing;
                            },
                        .log = {}};
  serving_ = &serving;
  const std::string next = json::parse(At("a", {"--json"}).out)["next"];
  EXPECT_THAT(next, StartsWith("dirsync held approve --all --instance IN, or dirsync held reject"));
  EXPECT_THAT(At("a", {}).err, HasSubstr("next: " + next + "\n"));
}

TEST_F(StoreCommandsTest, ABrokerThatDoesNotRunIsNamed) {
  MakeBroker();
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{}, {"status"}}) {
    const Outcome typed = At("broker", words);
    EXPECT_EQ(typed.status, 0);
    EXPECT_THAT(typed.out, StartsWith("the broker: the broker does not run"));
    EXPECT_THAT(typed.err, HasSubstr("next: dirsync broker run\n"));
  }
  const Outcome check = At("broker", {"check"});
  EXPECT_EQ(check.status, 2);
  EXPECT_THAT(check.out, HasSubstr("; next: dirsync broker run |"));
  EXPECT_EQ(json::parse(At("broker", {"doctor", "--json"}).out)[0]["fix"], "dirsync broker run");
  EXPECT_GT(json::parse(At("broker", {"broker", "stats", "--json"}).out)["disk_free_bytes"], 0);
}

TEST_F(StoreCommandsTest, AStoreOfTheOtherKindIsNamed) {
  MakeBroker();
  const Outcome list = At("broker", {"list"});
  EXPECT_EQ(list.status, 8);
  EXPECT_THAT(list.err, HasSubstr("this is the store of a broker (WRONG_KIND)"));
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"broker", "run"}, {"organization", "init", "Testorg"}}) {
    const Outcome typed = At("a", words);
    EXPECT_EQ(typed.status, 8) << words[0];
    EXPECT_THAT(typed.err, HasSubstr("it is the store of a site (WRONG_KIND)"));
  }
}

TEST_F(StoreCommandsTest, ASiteThatHasJoinedAndLostItsKeyIsNoBroker) {
  ASSERT_EQ(At("a", {"keys", "show"}).status, 0);
  ASSERT_TRUE(std::filesystem::exists(Path("a/keys/transport.key")));
  std::filesystem::remove(Path("a/keys/site.key"));
  for (const char* command : {"status", "doctor", "events", "list"}) {
    const Outcome typed = At("a", {command});
    EXPECT_EQ(typed.status, 3) << command;
    EXPECT_THAT(typed.err, HasSubstr("keys/site.key: it is missing (CONFIGURATION)")) << command;
  }
  const Outcome check = At("a", {"check"});
  EXPECT_EQ(check.status, 3);
  EXPECT_THAT(check.out, StartsWith("UNKNOWN - reading the site's key"));
}

TEST_F(StoreCommandsTest, ABrokerIsBackedUpAndPutBackWithItsKeys) {
  MakeBroker();
  const Outcome backup = At("broker", {"backup", Path("copy")});
  EXPECT_EQ(backup.status, 0);
  EXPECT_THAT(backup.err, HasSubstr("of the organisation"));
  const Outcome restored = At("again", {"restore", Path("copy")});
  EXPECT_EQ(restored.status, 0) << restored.err;
  EXPECT_THAT(restored.out, StartsWith("restored the store of the broker of Testorg"));
  EXPECT_EQ(At("again", {"keys", "show"}).out, At("broker", {"keys", "show"}).out);
}

TEST_F(StoreCommandsTest, AnAckIsTakenOfReadersThatAreKnown) {
  Make("b", "Site2");
  const std::string file = Path("SYNC1");
  ASSERT_EQ(At("a", {"mailbox", "add", "M1"}).status, 0);
  ASSERT_EQ(At("a", {"instance", "set", "OUT", "--export", "--export-file", file}).status, 0);
  ASSERT_EQ(At("a", {"run", "OUT"}).status, 0);
  ASSERT_EQ(At("b", {"instance", "set", "IN", "--import", "--import-file", file}).status, 0);
  ASSERT_EQ(At("b", {"run", "IN"}).status, 0);
  const std::string ack(TrimBlanks(Split(At("b", {"ack", "IN"}).out, '\n').front()));
  // Nobody is named, and there is no roster: any name may be a reader's.
  EXPECT_EQ(At("a", {"ack", "--from", "Sitte3", ack, "--dry-run"}).status, 0);
  ASSERT_EQ(At("a", {"instance", "set", "OUT", "--readers", "Site2,Site3"}).status, 0);
  const Outcome wrong = At("a", {"ack", "--from", "Sitte3", ack});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_THAT(wrong.err, HasSubstr("no site Sitte3 reads here"));
  EXPECT_THAT(wrong.err, HasSubstr("Site3"));
  EXPECT_EQ(At("a", {"ack", "--from", "site2", ack}).status, 0);
}

TEST_F(StoreCommandsTest, OfTheRoster_DryRunsSayWhatWouldBe_AndHintsNameItsCommands) {
  MakeBroker();
  std::string keys[2];
  std::istringstream lines(At("a", {"keys", "show", "--json"}).out);
  for (std::string& key : keys) {
    std::string line;
    std::getline(lines, line);
    key = json::parse(line)["public"];
  }
  const std::vector<std::string> add = {"sites",        "add",      "Site1",
                                        "--public-key", keys[0],    "--transport-key",
                                        keys[1],        "--domain", "site1.test"};
  ASSERT_EQ(At("broker", add).status, 0);
  EXPECT_EQ(At("broker", {"sites", "revoke", "Site1", "--dry-run"}).out,
            "Site1 would be revoked\n");
  EXPECT_EQ(At("broker", {"sites", "remove", "Site1", "--contacts", "keep", "--dry-run"}).out,
            "Site1 would be removed\n");
  EXPECT_EQ(At("broker", {"sites", "revoke", "Site1"}).out, "Site1 is revoked\n");
  EXPECT_THAT(At("broker", {"sites", "refuse", "S9"}).err, HasSubstr("dirsync sites pending"));
}

constexpr const char* kAnna = "A Anna\n- Target-Address:PROFS:a\n";
constexpr const char* kBerta = "A Berta\n- Target-Address:PROFS:b\n";

TEST_F(StoreCommandsTest, WhoIsInACompleteFile_HoweverBadly_IsNotDeleted) {
  EXPECT_THAT(RunForeign("people", std::string(kAnna) + kBerta).out, HasSubstr("2 added"));
  // A name that is spelt wrongly, and an address without its type.
  for (const char* bad : {"A Anna\n- Tilte:Boss\n", "A Anna\n- Target-Address:a\n"}) {
    const Outcome run = RunForeign("people", std::string(bad) + kBerta);
    EXPECT_EQ(run.status, 0);
    EXPECT_THAT(run.out, Not(HasSubstr("deleted")));
    EXPECT_THAT(run.err, HasSubstr("1 bad record is in"));
    EXPECT_THAT(run.err, Not(HasSubstr("being absent")));
  }
  // Whose record was this? And what does that of Berta hide?
  for (const char* bad : {"A\n- Tilte:Boss\n", "A Berta\nAdd Anna\n"}) {
    const Outcome run = RunForeign("people", bad);
    EXPECT_THAT(run.out, Not(HasSubstr("deleted")));
    EXPECT_THAT(run.err, HasSubstr("nobody is deleted for being absent from"));
  }
  EXPECT_THAT(RunForeign("people", kBerta).out, HasSubstr("1 deleted"));
  EXPECT_THAT(At("a", {"list", "--imported"}).out, Not(HasSubstr("Anna")));
}

TEST_F(StoreCommandsTest, BesideAFileWithoutFaults_NothingIsTouched) {
  // The name of its error file would be too long for any disk: whoever asks for it is refused.
  const Outcome run = RunForeign(std::string(252, 'n'), kAnna);
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("1 added"));
}

TEST_F(StoreCommandsTest, AGroupIsLoadedWithoutTheMembersThatNobodyKnows) {
  const std::string below = ",cn=Recipients,ou=Site1,o=Testorg\n";
  std::ofstream(Path("group.ldif"))
      << "dn: cn=M1" << below << "objectClass: person\n\ndn: cn=Team" << below
      << "objectClass: groupOfNames\nmember: cn=Nobody" << below << "member: cn=M1" << below
      << "\ndn: cn=Lonely" << below << "objectClass: groupOfNames\nmember: cn=Nobody" << below;
  const Outcome load = At("a", {"load", Path("group.ldif")});
  EXPECT_EQ(load.status, 0);
  EXPECT_THAT(load.out, HasSubstr("3 added, 0 unchanged, 2 skipped"));
  EXPECT_THAT(load.err, HasSubstr("line 4: member of Team: find /o=Testorg"));
  EXPECT_THAT(load.err, HasSubstr("line 9: member of Lonely: find /o=Testorg"));
  EXPECT_THAT(At("a", {"group", "members", "Team"}).out, HasSubstr("M1"));
}

TEST_F(StoreCommandsTest, APlanWithAProblemEndsTheSameWithAndWithoutJson) {
  RunForeign("people", kAnna);
  std::ofstream(Path("people.2")).close();  // empty
  const Outcome text = At("a", {"plan", "IN"});
  const Outcome as_json = At("a", {"plan", "IN", "--json"});
  EXPECT_NE(text.status, 0);
  EXPECT_EQ(as_json.status, text.status);
  EXPECT_EQ(json::parse(as_json.out)["report"]["problem"], "TRUNCATED");
}

TEST_F(StoreCommandsTest, OfASuspectRun_WhatIsSaidIsWhatWasDone) {
  RunForeign("people", kAnna);
  Suspect();
  for (const char* verdict : {"approve", "reject"}) {
    const std::string done = std::string(verdict) + (*verdict == 'a' ? "d" : "ed");
    const Outcome dry = At("a", {"held", verdict, "IN", "--dry-run"});
    EXPECT_EQ(dry.out, "would have " + done + " the suspect run of IN\n");
    EXPECT_THAT(dry.err, Not(HasSubstr("next:")));
    EXPECT_EQ(json::parse(At("a", {"held", verdict, "IN", "--json"}).out)[done], 1);
    EXPECT_THAT(At("a", {"held", verdict, "IN"}).out, Not(HasSubstr(done)));
    Suspect();
  }
}

TEST_F(StoreCommandsTest, ADryRunPausesNobody) {
  ASSERT_EQ(At("a", {"instance", "set", "OUT", "--export", "--export-file", "F"}).status, 0);
  EXPECT_THAT(At("a", {"pause", "OUT", "--dry-run"}).out, StartsWith("OUT would be paused: "));
  EXPECT_EQ(At("a", {"resume", "OUT", "--dry-run"}).out, "OUT would go on\n");
  EXPECT_THAT(At("a", {"pause", "OUT"}).out, StartsWith("OUT is paused: "));
  EXPECT_EQ(At("a", {"resume", "OUT"}).out, "OUT goes on\n");
}

TEST_F(StoreCommandsTest, ConfigCheckRefusesWhatTheProcessWould) {
  std::ofstream(Path("broker.toml")) << "listen = \"foo\"\n";
  const Outcome checked = At("a", {"config", "check", "broker", Path("broker.toml")});
  EXPECT_EQ(checked.status, 3);
  EXPECT_THAT(checked.err, HasSubstr("listen foo is not tcp://HOST:PORT"));
  for (const char* good : {"tcp://127.0.0.1:*", "tcp://[::]:7600", "tcp://*:0"}) {
    std::ofstream(Path("broker.toml")) << "listen = \"" << good << "\"\n";
    EXPECT_EQ(At("a", {"config", "check", "broker", Path("broker.toml")}).status, 0) << good;
  }
  EXPECT_THAT(At("b", {"broker", "run", "--config", Path("none.toml")}).err,
              HasSubstr("check the path"));
}

}  // namespace
}  // namespace dirsync::cli
