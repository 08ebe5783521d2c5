#include "cli/old_spelling.h"

#include <gmock/gmock.h>

#include "proto/base/text.h"

namespace dirsync::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Result<OldCommand> Parse(std::vector<std::string> words) { return ParseOldSpelling(words); }

std::string MessageOf(const Result<OldCommand>& result) {
  return result ? "no error" : result.error().message;
}

SiteProfile Site1() {
  SiteProfile profile;
  profile.organization = "Testorg";
  profile.site = "Site1";
  profile.server = "Server1";
  return profile;
}

struct Merged {
  InstanceSettings settings;
  std::vector<std::string> notes;
  std::optional<Error> error;
};
Merged Merge(std::vector<std::string> words, bool fresh = true, InstanceSettings settings = {}) {
  Merged merged{.settings = std::move(settings)};
  auto command = Parse(std::move(words));
  if (!command) {
    merged.error = command.error();
    return merged;
  }
  auto done = MergeOldFlags(*command, Site1(), fresh, merged.settings, merged.notes);
  if (!done) merged.error = done.error();
  return merged;
}

TEST(OldSpelling, Flag_LooksOldWithSlashOrOneDashAndALetter) {
  for (const char* word : {"/SET", "-set", "/e", "/?", "-?", "/EXPFILE=a"})
    EXPECT_TRUE(LooksOld(word)) << word;
  for (const char* word : {"SET", "--set", "/", "-", "", "/1", "-1", "//x", "INSTANCE1"})
    EXPECT_FALSE(LooksOld(word)) << word;
}

TEST(OldSpelling, Flag_TakesSlashDashEqualsColonAndAnyCase) {
  for (const char* word : {"/EXPFILE=SYNC1", "-expfile:SYNC1", "/ExpFile:SYNC1", "-EXPFI=SYNC1"}) {
    auto command = Parse({word});
    ASSERT_TRUE(command) << word;
    EXPECT_EQ(command->Value("EXPFILE"), "SYNC1") << word;
  }
}

TEST(OldSpelling, Value_BeginsBehindTheFirstEqualsOrColon) {
  auto command = Parse({"/BASEPOINT=/o=Testorg/ou=Site1", "-IMPFILE:C:\\sync=1"});
  ASSERT_TRUE(command);
  EXPECT_EQ(command->Value("BASEPOINT"), "/o=Testorg/ou=Site1");
  EXPECT_EQ(command->Value("IMPFILE"), "C:\\sync=1");
}

TEST(OldSpelling, Flag_MayBeCutToAnUnambiguousPrefix) {
  auto command = Parse({"/EXPF", "/BO"});
  EXPECT_THAT(MessageOf(command), HasSubstr("ambiguous: /EXPFILE, /EXPFULL"));
  command = Parse({"/EXPFU", "/BO", "/NOS"});
  ASSERT_TRUE(command) << MessageOf(command);
  EXPECT_EQ(command->Switch("EXPFULL"), true);
  EXPECT_EQ(command->Switch("SUBS"), false);
  EXPECT_EQ(command->flags.at("TYPE").name, "BOTH");
}

TEST(OldSpelling, Flag_AmbiguousPrefixNamesTheCandidates) {
  EXPECT_THAT(MessageOf(Parse({"/S"})), HasSubstr("/SERVER, /SET, /SUBS"));
  EXPECT_THAT(MessageOf(Parse({"/H"})), HasSubstr("/HELP, /HOMESERVER"));
  EXPECT_THAT(MessageOf(Parse({"/IMP"})), HasSubstr("/IMPFILE, /IMPFULL, /IMPORT"));
}

TEST(OldSpelling, Flag_ExactMatchWinsOverLongerOnes) {
  auto command = Parse({"/SET"});
  ASSERT_TRUE(command);
  EXPECT_TRUE(command->Has("SET"));
}

TEST(OldSpelling, Flag_UnknownIsRefusedWithTheNearest) {
  auto command = Parse({"/EXPFLUL"});
  ASSERT_FALSE(command);
  EXPECT_EQ(command.error().exit_status(), 2);
  EXPECT_THAT(command.error().message, HasSubstr("/EXPFULL"));
  EXPECT_THAT(MessageOf(Parse({"/SITEDN=x"})), HasSubstr("unknown flag /SITEDN"));
}

TEST(OldSpelling, Value_MissingOrUnwantedIsRefused) {
  EXPECT_THAT(MessageOf(Parse({"/EXPFILE"})), HasSubstr("needs a value"));
  EXPECT_THAT(MessageOf(Parse({"/SET=1"})), HasSubstr("takes no value"));
}

TEST(OldSpelling, Flags_ThatContradictAreRefused) {
  EXPECT_THAT(MessageOf(Parse({"/EXPORT", "/IMPORT"})), HasSubstr("contradict"));
  EXPECT_THAT(MessageOf(Parse({"/SUBS", "/NOSUBS"})), HasSubstr("contradict"));
  EXPECT_THAT(MessageOf(Parse({"/DSA=A", "/DSA=B"})), HasSubstr("given twice"));
  EXPECT_TRUE(Parse({"/EXPORT", "/EXPORT"}));
}

TEST(OldSpelling, Instance_IsABareWordAndMayHoldBlanks) {
  auto command = Parse({"/EXPFULL", "My Instance"});
  ASSERT_TRUE(command);
  EXPECT_EQ(command->instance, "My Instance");
  command = Parse({"\"My Instance\""});
  ASSERT_TRUE(command);
  EXPECT_EQ(command->instance, "My Instance");
}

TEST(OldSpelling, Instance_TwoOrOneWithKeyAreRefused) {
  EXPECT_THAT(MessageOf(Parse({"INSTANCE1", "INSTANCE2"})), HasSubstr("two instances"));
  EXPECT_THAT(MessageOf(Parse({"INSTANCE1", "/KEY=F"})), HasSubstr("both instance"));
}

TEST(OldSpelling, Instance_WithControlCharactersIsRefused) {
  auto command = Parse({"/SET", "A\x1b[31mB"});
  ASSERT_FALSE(command);
  EXPECT_EQ(command.error().message.find('\x1b'), std::string::npos);
}

TEST(OldSpelling, Replaced_FlagsAreTakenAndAnswered) {
  auto command = Parse({"/NTCREATE", "/NONTDELETE", "/IMPFULL"});
  ASSERT_TRUE(command);
  EXPECT_EQ(command->notes.size(), 3u);
  EXPECT_THAT(command->notes[2], HasSubstr("--full"));
}

TEST(OldSpelling, Merge_TheTutorialsExportInstance) {
  auto merged = Merge({"INSTANCE1", "/SET", "/EXPORT", "/DSA=Server1",
                       "/BASEPOINT=/o=Testorg/ou=Site1", "/CONTAINER=Recipients", "/EXPFILE=SYNC1",
                       "/EXPLIST=Obj-Class,Common-Name,Display-Name"});
  ASSERT_FALSE(merged.error) << merged.error->message;
  EXPECT_TRUE(merged.settings.exports);
  EXPECT_FALSE(merged.settings.imports);
  EXPECT_THAT(merged.settings.containers, ElementsAre("Recipients"));
  EXPECT_THAT(merged.settings.attributes, ElementsAre("Display-Name"));
  EXPECT_EQ(merged.settings.export_file, "SYNC1");
}

TEST(OldSpelling, Merge_ExportListIsCleanedAndAbsentMeansNamesOnly) {
  EXPECT_THAT(Merge({"I", "/EXPORT"}).settings.attributes, IsEmpty());
  EXPECT_THAT(Merge({"I", "/EXPORT"}, false).settings.attributes, ElementsAre("*"));
  EXPECT_THAT(Merge({"I", "/EXPLIST=, display-name ,,Title,"}).settings.attributes,
              ElementsAre("Display-Name", "Title"));
  auto merged = Merge({"I", "/EXPLIST=Dispaly-Name"});
  ASSERT_TRUE(merged.error);
  EXPECT_THAT(merged.error->ToString(), HasSubstr("Display-Name"));
  EXPECT_THAT(Merge({"I", "/EXPLIST=Home-Server"}).notes, testing::SizeIs(1));
}

TEST(OldSpelling, Merge_ContainerOfAnImportIsWhereEntriesLand) {
  auto merged = Merge({"I", "/IMPORT", "/CONTAINER=Imported"});
  EXPECT_EQ(merged.settings.import_container, "Imported");
  EXPECT_THAT(merged.settings.containers, ElementsAre("Recipients"));
  merged = Merge({"I", "/BOTH", "/CONTAINER=Imported"});
  EXPECT_EQ(merged.settings.import_container, "Imported");
  EXPECT_THAT(merged.settings.containers, ElementsAre("Imported"));
}

TEST(OldSpelling, Merge_ServerAndBasepointMustBeThisSite) {
  auto merged = Merge({"I", "/DSA=Server2"});
  ASSERT_TRUE(merged.error);
  EXPECT_EQ(merged.error->code, ErrorCode::kConfiguration);
  EXPECT_THAT(merged.error->message, HasSubstr("Server1"));
  EXPECT_THAT(merged.error->message, HasSubstr("Server2"));
  merged = Merge({"I", "/BASEPOINT=/o=Testorg/ou=Site2"});
  ASSERT_TRUE(merged.error);
  EXPECT_EQ(merged.error->code, ErrorCode::kConfiguration);
  EXPECT_FALSE(Merge({"I", "/DSA=SERVER1", "/BASEPOINT=/o=testorg/ou=SITE1"}).error);
  EXPECT_FALSE(Merge({"I", "/BASEPOINT=/o=Testorg"}).error);
}

TEST(OldSpelling, Merge_BasepointBelowTheSiteCarriesTheContainer) {
  auto merged =
      Merge({"I", "/EXPORT", "/BASEPOINT=/o=Testorg/ou=Site1/cn=Recipients", "/CONTAINER=Board"});
  ASSERT_FALSE(merged.error) << merged.error->message;
  EXPECT_THAT(merged.settings.containers,
              ElementsAre("/o=Testorg/ou=Site1/cn=Recipients/cn=Board"));
}

TEST(OldSpelling, Merge_ObjectClassIsRemoteOrMailbox) {
  EXPECT_EQ(Merge({"I", "/OBJCLASS=mailbox"}).settings.import_class, EntryClass::kMailbox);
  EXPECT_EQ(Merge({"I", "/OBJCLASS=Remote"}).settings.import_class, EntryClass::kCustomRecipient);
  EXPECT_TRUE(Merge({"I", "/OBJCLASS=Container"}).error);
}

TEST(OldSpelling, KeyFile_HoldsTheSameNamesAndComesBackAsWritten) {
  auto flags = ParseKeyFile("# settings\r\nEXPORT\r\n\r\nexpfile=SYNC 1\nSubs\n");
  ASSERT_TRUE(flags) << flags.error().message;
  EXPECT_EQ(flags->at("EXPFILE").value, "SYNC 1");
  auto again = ParseKeyFile(FormatKeyFile(*flags));
  ASSERT_TRUE(again);
  EXPECT_EQ(*flags, *again);
}

TEST(OldSpelling, KeyFile_WrongLineIsNamed) {
  auto flags = ParseKeyFile("EXPORT\nNONSENSE=1\n");
  ASSERT_FALSE(flags);
  EXPECT_THAT(flags.error().message, HasSubstr("line 2"));
  EXPECT_FALSE(ParseKeyFile("SET\n"));
}

}  // namespace
}  // namespace dirsync::cli
