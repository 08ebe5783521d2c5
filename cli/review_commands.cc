// held, quarantine: what waits for a person.
#include <algorithm>

#include "agent/core/review.h"
#include "cli/command.h"
#include "cli/instance_view.h"
#include "cli/json.h"
#include "cli/review_choice.h"
#include "proto/base/text.h"
#include "proto/model/dn.h"
#include "proto/trust/roster.h"

namespace dirsync::cli {
namespace {

std::string HeldJson(const HeldRow& row, const std::string& instance) {
  return JsonObject()
      .Text("id", row.id.hex())
      .Text("instance", instance)
      .Text("kind", "delete")
      .Text("name", row.name)
      .Text("class", ClassName(row.entry_class))
      .Text("reason", row.reason)
      .Text("time", FormatTime(row.time))
      .Number("epoch", row.version.epoch_counter)
      .Number("sequence", row.version.sequence)
      .Finish();
}

std::string SuspectText(const RunTotals& totals) {
  std::vector<std::string> parts;
  for (const auto& [entry_class, counts] : totals.by_class)
    parts.push_back(std::string(ClassName(entry_class)) + ": " + Grouped(counts.adds) + " add, " +
                    Grouped(counts.modifies) + " modify, " + Grouped(counts.retargets) +
                    " of them with another address, " + Grouped(counts.deletes) + " delete");
  const std::string_view what = IsCopyRun(totals.run) ? "full copy, as far as it was read: " : "";
  return std::string(what) + Join(parts, "; ");
}

std::string SuspectJson(const InstanceState& state) {
  const RunTotals& totals = *state.reader->suspect;
  return JsonObject()
      .Text("id", totals.run.hex())
      .Text("instance", state.settings.name)
      .Text("kind", "run")
      .Text("name", state.reader->stream.ToString())
      .Text("reason", "suspect run: " + SuspectText(totals))
      .Finish();
}

Result<int> ListHeldRows(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(store, context.OpenStore());
  DIRSYNC_TRY(states, AllStates(store->storage()));
  DIRSYNC_TRY(number, NumberNamed(states, arguments));
  DIRSYNC_TRY(rows, ListHeld(store->storage(), number));
  std::vector<std::string> items;
  Table table(context.out(), {"ID", "INSTANCE", "HELD", "NAME", "REASON"}, context.width(),
              context.out_colours());
  for (const InstanceState& state : states) {
    if (!state.reader || !state.reader->suspect) continue;
    if (number != 0 && state.import_number != number) continue;
    items.push_back(SuspectJson(state));
    if (!context.json())
      table.Add({"-", state.settings.name, "run", state.reader->stream.ToString(),
                 SuspectText(*state.reader->suspect)});
  }
  for (const HeldRow& row : rows) {
    const std::string instance = NameOfImport(states, row.number);
    if (context.json()) {
      items.push_back(HeldJson(row, instance));
    } else {
      table.Add({row.id.hex(), instance, "delete", row.name, row.reason});
    }
  }
  if (context.json()) {
    context.out() << JsonArray(items) << '\n';
    return 0;
  }
  table.Finish();
  if (table.rows() == 0) {
    context.Note("nothing is held");
  } else {
    context.Next("dirsync held approve ID… or held reject ID… (a run: by its instance; --all)");
  }
  return 0;
}

Result<int> ShowHeld(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(store, context.OpenStore());
  DIRSYNC_TRY(states, AllStates(store->storage()));
  DIRSYNC_TRY(rows, ListHeld(store->storage(), 0));
  DIRSYNC_TRY(chosen, Choose(rows, arguments.words(), "held"));
  for (const HeldRow& row : chosen) {
    const std::string instance = NameOfImport(states, row.number);
    if (context.json()) {
      context.out() << HeldJson(row, instance) << '\n';
      continue;
    }
    context.out() << Printable(row.name, 4096) << "\n  class     " << ClassName(row.entry_class)
                  << "\n  id        " << row.id.hex() << "\n  instance  " << Printable(instance)
                  << "\n  held      " << FormatTime(row.time) << "\n  reason    "
                  << Printable(row.reason, 4096) << '\n';
  }
  return 0;
}

enum class Verdict { kApprove, kReject };

Result<> JudgeSuspect(Context& context, Store& store, const InstanceState& state, Verdict verdict) {
  const bool approve = verdict == Verdict::kApprove;
  DIRSYNC_CHECK(context.Change(store, [&](storage::Transaction& transaction) -> Result<> {
    DIRSYNC_TRY(reader, LoadReader(transaction, state.import_number));
    if (!reader || !reader->suspect || reader->suspect->run != state.reader->suspect->run)
      return Fail(ErrorCode::kStalePlan,
                  "judging the suspect run of " + Printable(state.settings.name) +
                      ": another one waits now, or none",
                  "dirsync held list");
    DIRSYNC_CHECK(approve ? ApproveSuspect(*reader) : RejectSuspect(*reader));
    StoreReader(transaction, *reader);
    return {};
  }));
  if (context.json()) return {};
  context.out() << (context.dry_run() ? "would have " : "") << (approve ? "approved" : "rejected")
                << " the suspect run of " << Printable(state.settings.name) << '\n';
  if (approve && !context.dry_run()) context.Next("dirsync run " + Quoted(state.settings.name));
  return {};
}

struct Outcome {
  std::uint64_t done = 0;
  std::uint64_t superseded = 0;
};

// All rows of one instance in one commit.
Result<Outcome> JudgeRows(Context& context, Store& store, const InstanceSettings& settings,
                          const std::vector<HeldRow>& rows, Verdict verdict) {
  return context.Change(store, [&](storage::Transaction& transaction) -> Result<Outcome> {
    DIRSYNC_TRY(reader, LoadReader(transaction, rows.front().number));
    if (!reader) return Fail(ErrorCode::kCorrupt, "reading the state of an import: it is gone");
    DIRSYNC_TRY(domains, LoadMailDomains(transaction));
    const ApplyInput input{store.profile(), settings, context.world().Now(), {}, &domains};
    Outcome outcome;
    for (const HeldRow& row : rows) {
      auto judged = verdict == Verdict::kApprove ? ApproveHeld(transaction, input, row, *reader)
                                                 : RejectHeld(transaction, row, *reader);
      if (judged) {
        ++outcome.done;
      } else if (judged.error().code == ErrorCode::kStalePlan) {
        ++outcome.superseded;
        context.Note(judged.error().message);
      } else {
        return std::unexpected(judged.error());
      }
    }
    StoreReader(transaction, *reader);
    return outcome;
  });
}

// `runs`: how many suspect runs were judged before, for JSON, which counts both.
Result<> JudgeChosen(Context& context, Store& store, const std::vector<InstanceState>& states,
                     const std::vector<HeldRow>& chosen, std::size_t runs, Verdict verdict) {
  Outcome all;
  for (auto first = chosen.begin(); first != chosen.end();) {
    const auto last = std::find_if(first, chosen.end(),
                                   [&](const HeldRow& row) { return row.number != first->number; });
    InstanceSettings settings;
    for (const InstanceState& state : states)
      if (state.import_number == first->number) settings = state.settings;
    DIRSYNC_TRY(outcome, JudgeRows(context, store, settings, {first, last}, verdict));
    all.done += outcome.done;
    all.superseded += outcome.superseded;
    first = last;
  }
  const std::string_view verb = verdict == Verdict::kApprove ? "approved" : "rejected";
  if (context.json()) {
    context.out()
        << JsonObject().Number(verb, runs + all.done).Number("superseded", all.superseded).Finish()
        << '\n';
  } else if (!chosen.empty()) {
    context.out() << (context.dry_run() ? "would have " : "") << verb << ' '
                  << Counted(all.done, "held delete")
                  << (all.superseded > 0 ? ", " + Grouped(all.superseded) + " superseded meanwhile"
                                         : "")
                  << '\n';
  }
  return {};
}

template <Verdict kVerdict>
Result<int> Judge(Context& context, const Arguments& arguments) {
  const bool all = arguments.Has("--all");
  std::vector<std::string> words = arguments.words();
  if (words.empty() && !all)
    return Fail(ErrorCode::kUsage,
                "held: give ids, names, an instance with a suspect run, or --all",
                "dirsync held list");
  DIRSYNC_TRY(store, context.OpenStore());
  DIRSYNC_TRY(states, AllStates(store->storage()));
  DIRSYNC_TRY(number, NumberNamed(states, arguments));
  // Suspect runs are known by their instance.
  std::vector<const InstanceState*> suspects;
  for (const InstanceState& state : states) {
    if (!state.reader || !state.reader->suspect) continue;
    const bool in_question = number == 0 || state.import_number == number;
    const auto named = std::ranges::find_if(words, [&](const std::string& word) {
      return FoldName(word) == FoldName(state.settings.name);
    });
    if (named == words.end() && !(all && in_question)) continue;
    suspects.push_back(&state);
    if (named != words.end()) words.erase(named);
  }
  DIRSYNC_TRY(rows, ListHeld(store->storage(), number));
  std::vector<HeldRow> chosen;
  if (all) {
    chosen = rows;
  } else if (!words.empty()) {
    DIRSYNC_TRY(named, Choose(rows, words, "held"));
    chosen = std::move(named);
  }
  if (chosen.empty() && suspects.empty()) context.Note("nothing is held");
  constexpr bool kApprove = kVerdict == Verdict::kApprove;
  if (kApprove && chosen.size() > 1 && !context.dry_run() &&
      !context.Confirmed("let " + Counted(chosen.size(), "held delete") + " pass?"))
    return std::unexpected(context.NotConfirmed("approving"));
  for (const InstanceState* state : suspects)
    DIRSYNC_CHECK(JudgeSuspect(context, *store, *state, kVerdict));
  DIRSYNC_CHECK(JudgeChosen(context, *store, states, chosen, suspects.size(), kVerdict));
  return 0;
}

std::string QuarantineJson(const QuarantineRow& row, const std::string& instance) {
  return JsonObject()
      .Text("id", row.id.hex())
      .Text("instance", instance)
      .Text("code", InfoOf(row.code).text)
      .Text("name", row.name)
      .Text("class", ClassName(row.change.entry_class))
      .Text("change", ChangeKindName(row.change.kind))
      .Text("reason", row.reason)
      .Text("target", row.change.target_address)
      .Text("time", FormatTime(row.time))
      .Bool("asked", row.asked)
      .Finish();
}

Result<int> ListQuarantined(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(store, context.OpenStore());
  DIRSYNC_TRY(states, AllStates(store->storage()));
  DIRSYNC_TRY(number, NumberNamed(states, arguments));
  DIRSYNC_TRY(rows, ListQuarantine(store->storage(), number));
  if (context.json()) {
    std::vector<std::string> items;
    for (const QuarantineRow& row : rows)
      items.push_back(QuarantineJson(row, NameOfImport(states, row.number)));
    context.out() << JsonArray(items) << '\n';
    return 0;
  }
  Table table(context.out(), {"ID", "INSTANCE", "CODE", "NAME", "REASON"}, context.width(),
              context.out_colours());
  for (const QuarantineRow& row : rows)
    table.Add({row.id.hex(), NameOfImport(states, row.number),
               std::string(InfoOf(row.code).text) + (row.asked ? ", asked" : ""), row.name,
               row.reason});
  table.Finish();
  if (rows.empty()) {
    context.Note("the quarantine is empty");
  } else {
    const auto instance = arguments.Value("--instance");
    context.Next("dirsync quarantine retry --all" +
                 (instance ? " --instance " + Quoted(*instance) : std::string()) +
                 ", once the cause is cured; or quarantine discard ID…");
  }
  return 0;
}

Result<int> ShowQuarantined(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(store, context.OpenStore());
  DIRSYNC_TRY(states, AllStates(store->storage()));
  DIRSYNC_TRY(rows, ListQuarantine(store->storage(), 0));
  DIRSYNC_TRY(chosen, Choose(rows, arguments.words(), "quarantined"));
  for (const QuarantineRow& row : chosen) {
    const std::string instance = NameOfImport(states, row.number);
    if (context.json()) {
      context.out() << QuarantineJson(row, instance) << '\n';
      continue;
    }
    context.out() << Printable(row.name, 4096) << "\n  class     "
                  << ClassName(row.change.entry_class) << "\n  id        " << row.id.hex()
                  << "\n  instance  " << Printable(instance) << "\n  change    "
                  << ChangeKindName(row.change.kind) << "\n  since     " << FormatTime(row.time)
                  << "\n  reason    " << InfoOf(row.code).text << ": "
                  << Printable(row.reason, 4096) << "\n  next      " << InfoOf(row.code).next
                  << '\n';
    if (!row.change.target_address.empty())
      context.out() << "  target    " << Printable(row.change.target_address) << '\n';
  }
  return 0;
}

// How the request gets to the sites that sent them.
Result<int> NoteWhoAsks(Context& context, Store& store, const std::vector<InstanceState>& states,
                        const std::vector<QuarantineRow>& rows) {
  bool files = false;
  bool broker = false;
  for (const InstanceState& state : states) {
    const bool of_it = std::ranges::any_of(
        rows, [&](const QuarantineRow& row) { return row.number == state.import_number; });
    if (!of_it) continue;
    DIRSYNC_TRY(by_broker, IsCarriedByBroker(store.storage(), state.settings));
    files = files || !by_broker;
    broker = broker || by_broker;
  }
  if (broker)
    context.Note(
        "by the broker the agent asks for them at once, or when it runs again; they come whole");
  if (files)
    context.Note(
        "the next file that goes back to the sender carries the request; it sends them "
        "whole with its next run");
  return 0;
}

template <bool kRetry>
Result<int> Settle(Context& context, const Arguments& arguments) {
  if (arguments.words().empty() && !arguments.Has("--all"))
    return Fail(ErrorCode::kUsage, "quarantine: give ids or names, or --all",
                "dirsync quarantine list");
  DIRSYNC_TRY(store, context.OpenStore());
  DIRSYNC_TRY(states, AllStates(store->storage()));
  DIRSYNC_TRY(number, NumberNamed(states, arguments));
  DIRSYNC_TRY(rows, ListQuarantine(store->storage(), number));
  std::vector<QuarantineRow> chosen = rows;
  if (!arguments.Has("--all")) {
    DIRSYNC_TRY(named, Choose(rows, arguments.words(), "quarantined"));
    chosen = std::move(named);
  }
  if (!kRetry && chosen.size() > 1 && !context.dry_run() &&
      !context.Confirmed("forget " + Counted(chosen.size(), "quarantined change") + "?"))
    return std::unexpected(context.NotConfirmed("discarding"));
  // What has been told anew meanwhile is left to stand.
  std::size_t settled = 0;
  DIRSYNC_CHECK(context.Change(*store, [&](storage::Transaction& transaction) -> Result<> {
    for (const QuarantineRow& row : chosen) {
      DIRSYNC_TRY(stood, kRetry ? RetryQuarantined(transaction, row)
                                : DiscardQuarantined(transaction, row));
      settled += stood ? 1 : 0;
    }
    return {};
  }));
  if (context.json()) {
    context.out() << JsonObject().Number(kRetry ? "asked" : "discarded", settled).Finish() << '\n';
    return 0;
  }
  context.out() << (context.dry_run() ? "would have " : "")
                << (kRetry ? "asked for " : "discarded ")
                << (kRetry ? Counted(settled, "entry", "entries") : Counted(settled, "change"))
                << (kRetry ? " again" : "") << '\n';
  if (kRetry && settled > 0) return NoteWhoAsks(context, *store, states, chosen);
  return 0;
}

std::vector<OptionSpec> ChoiceOptions() {
  return {{"--all", "", "all of them"}, {"--instance", "NAME", "only of this import instance"}};
}

}  // namespace

CommandGroup ReviewCommands() {
  CommandGroup group{"Waiting for a decision", {}};
  auto add = [&](std::string_view path, std::string_view arguments, std::string_view help,
                 std::vector<std::string_view> examples, std::vector<OptionSpec> options,
                 Result<int> (*run)(Context&, const Arguments&), bool changes) {
    group.commands.push_back({.path = path,
                              .arguments = arguments,
                              .words_max = kManyWords,
                              .help = help,
                              .examples = std::move(examples),
                              .options = std::move(options),
                              .run = run,
                              .changes = changes});
  };
  const std::vector<OptionSpec> by_instance = {
      {"--instance", "NAME", "only of this import instance"}};
  add("held list", "", "deletes that the gate stopped, and suspect runs",
      {"dirsync held list", "dirsync held list --instance INSTANCE2 --json"}, by_instance,
      ListHeldRows, false);
  add("held show", "ID…", "one of them", {"dirsync held show 01938b5e"}, {}, ShowHeld, false);
  add("held approve", "ID…", "let them pass",
      {"dirsync held approve 01938b5e", "dirsync held approve --all",
       "dirsync held approve INSTANCE2    (its suspect run)"},
      ChoiceOptions(), Judge<Verdict::kApprove>, true);
  add("held reject", "ID…", "keep the entries, until their source changes them",
      {"dirsync held reject --all --instance INSTANCE2"}, ChoiceOptions(), Judge<Verdict::kReject>,
      true);
  add("quarantine list", "", "changes that could not be applied, and why",
      {"dirsync quarantine list"}, by_instance, ListQuarantined, false);
  add("quarantine show", "ID…", "one of them", {"dirsync quarantine show 01938b5e"}, {},
      ShowQuarantined, false);
  add("quarantine retry", "ID…", "ask the sender for these entries again",
      {"dirsync quarantine retry --all"}, ChoiceOptions(), Settle<true>, true);
  add("quarantine discard", "ID…", "forget them until the sender changes them",
      {"dirsync quarantine discard 01938b5e"}, ChoiceOptions(), Settle<false>, true);
  return group;
}

}  // namespace dirsync::cli
