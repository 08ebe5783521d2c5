// Steps that the commands on entries share.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "agent/directory/directory.h"
#include "cli/context.h"
#include "cli/options.h"

namespace dirsync::cli {

// Runs `work(directory)` in one transaction; nothing is kept of a dry run.
template <class Work>
Result<int> WithDirectory(Context& context, Store& store, Work&& work) {
  IdSource ids = MakeIds(context.world());
  return context.Change(store, [&](storage::Transaction& transaction) -> Result<int> {
    Directory directory(transaction, store.profile(), ids, context.world().Now());
    return work(directory);
  });
}

// Errors: those of Resolve; kUsage when the entry is of another class.
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
