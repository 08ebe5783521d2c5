// list, show.
#include <algorithm>

#include "cli/command.h"
#include "cli/entry_commands.h"
#include "cli/entry_view.h"
#include "proto/base/text.h"
#include "proto/model/attribute_table.h"
#include "proto/model/filter.h"

namespace dirsync::cli {
namespace {

// Which entries `list` shows.
struct Wanted {
  std::vector<EntryClass> classes;  // empty: all
  Filter filter;
  bool imported_only = false;
  bool local_only = false;

  bool Has(const Entry& entry) const {
    if (!classes.empty() && std::ranges::find(classes, entry.entry_class) == classes.end())
      return false;
    if (imported_only && !entry.is_imported()) return false;
    if (local_only && entry.is_imported()) return false;
    return filter.Matches(entry);
  }
};

Result<Wanted> WantedOf(const Arguments& arguments) {
  DIRSYNC_CHECK(CheckContradiction(arguments, "--imported", "--local"));
  Wanted wanted;
  wanted.imported_only = arguments.Has("--imported");
  wanted.local_only = arguments.Has("--local");
  for (const std::string& name : arguments.List("--class")) {
    auto entry_class = ParseClass(name);
    static const std::vector<std::string> names = {"mailbox", "custom-recipient",
                                                   "distribution-list", "container"};
    if (!entry_class)
      return Fail(ErrorCode::kUsage, "unknown class " + Printable(name) + DidYouMean(name, names),
                  "classes: " + Join(names, ", "));
    wanted.classes.push_back(*entry_class);
  }
  DIRSYNC_TRY(filter, Filter::Parse(arguments.Value("--filter").value_or("")));
  wanted.filter = std::move(filter);
  return wanted;
}

// Writes entries one by one, whatever their number.
class Lister {
 public:
  Lister(Context& context, const Directory& directory)
      : context_(context),
        directory_(directory),
        table_(context.out(), {"NAME", "CLASS", "DISPLAY NAME", "ADDRESS", "ORIGIN"},
               context.width(), context.out_colours()) {}

  Result<> Show(const Entry& entry) {
    if (context_.json()) {
      DIRSYNC_TRY(dn, directory_.DnOf(entry));
      context_.out() << (count_++ == 0 ? "[\n" : ",\n") << EntryJson(entry, dn, std::nullopt);
      return {};
    }
    ++count_;
    table_.Add({entry.name, std::string(ClassName(entry.entry_class)),
                std::string(entry.attributes.First(attribute::kDisplayName)), ShownAddress(entry),
                entry.origin ? entry.origin->site : ""});
    return {};
  }
  void Finish() {
    table_.Finish();
    if (context_.json()) context_.out() << (count_ == 0 ? "[]\n" : "\n]\n");
    if (!context_.json() && count_ == 0) context_.Note("no entries");
  }

 private:
  Context& context_;
  const Directory& directory_;
  Table table_;
  std::uint64_t count_ = 0;
};

Result<int> List(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(wanted, WantedOf(arguments));
  DIRSYNC_TRY(store, context.OpenStore());
  return WithDirectory(context, *store, [&](Directory& directory) -> Result<int> {
    EntryId root;  // zero: the whole site
    const bool whole = arguments.words().empty();
    if (!whole) {
      const Dn basepoint = store->profile().basepoint();
      DIRSYNC_TRY(dn, ContainerDn(basepoint, arguments.words().front()));
      if (dn.Folded() != basepoint.Folded()) {
        DIRSYNC_TRY(container, directory.entries().ContainerAt(basepoint, dn));
        root = container;
      }
    }
    Lister lister(context, directory);
    std::optional<Error> failed;
    std::uint64_t seen = 0;
    DIRSYNC_CHECK(directory.List(root, whole || arguments.Has("--subs"), [&](const Entry& entry) {
      // Asking takes a system call.
      constexpr std::uint64_t kUnasked = 256;
      Result<> shown;
      if (++seen % kUnasked == 0) shown = context.CheckInterrupted();
      if (shown && wanted.Has(entry)) shown = lister.Show(entry);
      if (!shown) failed = shown.error();
      return !failed.has_value() && static_cast<bool>(context.out());
    }));
    if (failed) return std::unexpected(*failed);
    lister.Finish();
    return 0;
  });
}

Result<int> Show(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(store, context.OpenStore());
  return WithDirectory(context, *store, [&](Directory& directory) -> Result<int> {
    DIRSYNC_TRY(entry, directory.Resolve(arguments.words().front()));
    DIRSYNC_TRY(dn, directory.DnOf(entry));
    DIRSYNC_TRY(descent, DescentOf(store->storage(), entry));
    if (context.json()) {
      context.out() << EntryJson(entry, dn, descent) << '\n';
    } else {
      PrintEntry(context, directory, entry, dn, descent);
    }
    return 0;
  });
}

}  // namespace

CommandGroup ListCommands() {
  return {
      "Looking",
      {
          {.path = "list",
           .arguments = "[CONTAINER]",
           .words_max = 1,
           .help = "the address book, or one container of it",
           .examples = {"dirsync list", "dirsync list Recipients --imported",
                        "dirsync list --filter \"(Company=Test*)\" --json"},
           .options = {{"--subs", "", "with the containers below CONTAINER"},
                       {"--class", "CLASS", "only these classes", true},
                       {"--filter", "FILTER", "only entries that match"},
                       {"--imported", "", "only entries of other sites"},
                       {"--local", "", "only entries of this site"}},
           .run = List,
           .changes = false},
          {.path = "show",
           .arguments = "NAME|DN|ADDRESS|ID",
           .words_min = 1,
           .words_max = 1,
           .help = "one entry with all its values",
           .examples = {"dirsync show Mailbox11", "dirsync show EDK:Mailbox11@Site1.Testorg.com",
                        "dirsync show /o=Testorg/ou=Site1/cn=Recipients/cn=Mailbox11"},
           .run = Show,
           .changes = false},
      }};
}

}  // namespace dirsync::cli
