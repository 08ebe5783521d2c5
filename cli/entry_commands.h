// Steps that the commands on entries share.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <string_view>

#include "agent/directory/directory.h"
#include "cli/context.h"
#include "cli/options.h"

namespace dirsync::cli {

// Runs `work(directory)`, which only looks.
template <class Work>
Result<int> WithDirectory(Context& context, Store& store, Work&& work) {
  IdSource ids = MakeIds(context.world());
  return store.Read([&](storage::Transaction& transaction) -> Result<int> {
    Directory directory(transaction, store.profile(), ids, context.world().Now());
    return work(directory);
  });
}

// Runs `work(directory)` -> Result<std::string> in one transaction and prints the text once it is
// committed; nothing is kept of a dry run.
template <class Work>
Result<int> ChangeDirectory(Context& context, Store& store, Work&& work) {
  IdSource ids = MakeIds(context.world());
  auto text = context.Change(store, [&](storage::Transaction& transaction) -> Result<std::string> {
    Directory directory(transaction, store.profile(), ids, context.world().Now());
    return work(directory);
  });
  if (!text) return std::unexpected(text.error());
  context.out() << *text;
  return 0;
}

// Errors: those of Resolve; kNotOurs for imported entries; kUsage when it is of another class.
Result<Entry> ResolveClass(const Directory& directory, EntryClass entry_class,
                           const std::string& name);

// Adds `fresh` with the values that the options give.
Result<int> AddFresh(Context& context, NewEntry fresh, const Arguments& arguments);

using MakeEdit = std::function<Result<EntryEdit>(const Directory&, const Entry&)>;
Result<int> EditEntry(Context& context, EntryClass entry_class, const std::string& name,
                      std::string_view verb, const MakeEdit& make);

// Commands of any class.
template <EntryClass kClass>
Result<int> AddEntry(Context& context, const Arguments& arguments);
template <EntryClass kClass>
Result<int> DeleteEntries(Context& context, const Arguments& arguments);

}  // namespace dirsync::cli
