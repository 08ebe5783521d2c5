#include "agent/service/capture_run.h"

#include <utility>

#include "proto/base/text.h"

namespace dirsync {
namespace {

// One run and its commit; whether more is left. `state` moves with the commit.
Result<bool> CaptureOnce(Store& store, const InstanceSettings& settings,
                         const CaptureOptions& options, bool compare_all, IdSource& ids,
                         ProducerState& state, bool& told) {
  storage::Transaction transaction(store.storage());
  ProducerState after = state;
  const CaptureInput input{store.profile(), settings, store.world().Now(), compare_all};
  DIRSYNC_TRY(run, Capture(transaction, input, after, ids));
  const bool more = run.more;
  if (options.visit)
    for (const Change& change : run.changes) options.visit(change);
  DIRSYNC_TRY(batches,
              NumberRun(transaction, std::move(run), after, store.key(), store.world().Now()));
  told = told || !batches.empty();
  if (!options.dry_run && after != state) {
    if (!batches.empty() || after.rows != state.rows) DIRSYNC_CHECK(store.CheckRoom());
    StoreProducer(transaction, after);
    DIRSYNC_CHECK(store.Commit(transaction));
  }
  state = std::move(after);
  return more;
}

}  // namespace

Result<ProducerState> LoadExport(Store& store, const InstanceSettings& settings, bool keep) {
  const auto number_of = [&](storage::Transaction& t) {
    return NumberOf(t, "export/" + FoldName(settings.name));
  };
  DIRSYNC_TRY(number, keep ? store.Write(number_of) : store.Read(number_of));
  DIRSYNC_TRY(state, LoadProducer(store.storage(), number));
  if (state) return std::move(*state);
  IdSource ids = MakeIds(store.world());
  const SiteProfile& profile = store.profile();
  return NewProducer(number, {profile.organization, profile.site, settings.name}, 1, ids);
}

Result<bool> CaptureAll(Store& store, const InstanceSettings& settings,
                        const CaptureOptions& options, ProducerState& state) {
  IdSource ids = MakeIds(store.world());
  bool told = false;
  bool compare_all = options.compare_all;
  for (;;) {
    DIRSYNC_TRY(more, CaptureOnce(store, settings, options, compare_all, ids, state, told));
    if (!more) return told;
    compare_all = false;
  }
}

}  // namespace dirsync
