#include "agent/core/apply.h"
#include "agent/core/apply_context.h"
#include "agent/core/container_ranks.h"
#include "agent/core/entry_content.h"
#include "agent/core/landing.h"
#include "agent/core/mirror_slot.h"
#include "agent/core/own_site.h"
#include "agent/core/told.h"
#include "agent/core/upsert.h"

namespace dirsync {
namespace {

// Ad-hoc files come in no order: a later one counts, whatever the clock did.
Version NextVersion(const MirrorSlot& slot, Instant now) {
  const auto millis = static_cast<Sequence>(ToMillis(now));
  if (!slot.exists || slot.row.version.sequence < millis) return {0, millis};
  return {0, slot.row.version.sequence + 1};
}

Result<> FindSlot(const ApplyContext& context, const Change& whole, MirrorSlot& slot) {
  if (whole.entry_class != EntryClass::kContainer)
    return slot.Load(context, storage::kRecipientRank, whole.id);
  ContainerRanks ranks;
  DIRSYNC_CHECK(ranks.Load(context.transaction, context.state.number));
  const auto known = ranks.Find(whole.id);
  return slot.Load(context, known.value_or(ranks.Below(whole.parent).value_or(1)), whole.id);
}

}  // namespace

Result<ApplyCounts> ApplyAdhoc(storage::Transaction& transaction, const ApplyInput& input,
                               std::string_view origin_site, const Change& whole,
                               ReaderState& adhoc_state) {
  StreamName stream = adhoc_state.stream;
  stream.site = origin_site;
  if (stream.organization.empty()) stream.organization = input.profile.organization;
  if (IsOwnSite(input.profile, stream))
    return Fail(ErrorCode::kOwnStream,
                "apply ad-hoc file of " + stream.site + ": this site wrote it");
  ReaderState next = adhoc_state;
  ApplyCounts counts;
  ApplySource source{stream.site, stream.organization, stream.site + "/" + stream.instance,
                     next.terms.hash_key};
  if (stream.instance.empty()) source.imported_from = stream.site;
  ApplyContext context(transaction, input, std::move(source), next, counts);
  context.adhoc = true;
  DIRSYNC_CHECK(context.Open());
  if (whole.unknown_kind != 0) {
    context.version = NextVersion(MirrorSlot{}, input.now);
    DIRSYNC_CHECK(KeepUnknown(context, whole));
    return counts;
  }
  DIRSYNC_TRY(local, context.LocalIdFor(whole.id));
  DIRSYNC_TRY(told_by_stream, context.HasOtherOwner(local));
  if (told_by_stream) {
    counts.unchanged = 1;
    return counts;
  }
  MirrorSlot slot;
  DIRSYNC_CHECK(FindSlot(context, whole, slot));
  context.version = NextVersion(slot, input.now);
  ToldState told = StateOf(next.terms.hash_key, whole);
  if (slot.exists && slot.row.status == MirrorStatus::kApplied && slot.row.told == told &&
      KeepsOutRight(context, slot.row)) {
    DIRSYNC_TRY(held, HeldEntry(context, whole.id, slot.row));
    if (held) {
      counts.unchanged = 1;
      return counts;
    }
  }
  DIRSYNC_CHECK(ApplyWhole(context, slot, whole, std::move(told)));
  adhoc_state = std::move(next);
  return counts;
}

}  // namespace dirsync
