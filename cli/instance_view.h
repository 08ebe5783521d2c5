// Instances with what they remember.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/core/instance.h"
#include "agent/core/producer_state.h"
#include "agent/core/reader_state.h"
#include "cli/context.h"

namespace dirsync::cli {

struct InstanceState {
  InstanceSettings settings;
  storage::StreamNumber import_number = 0;  // 0: never imported
  std::optional<ProducerState> producer;    // nullopt: never exported
  std::optional<ReaderState> reader;
};
Result<InstanceState> StateOf(const storage::ReadView& view, InstanceSettings settings);
// All instances, by name.
Result<std::vector<InstanceState>> AllStates(const storage::ReadView& view);

// Name of the import instance with this number; "" if none (an ad-hoc import).
std::string NameOfImport(const std::vector<InstanceState>& states, storage::StreamNumber number);

// Settings and position, for `instance show` and /DISPLAY.
Result<> PrintInstance(Context& context, Store& store, const InstanceSettings& settings);

// "exports to SYNC1", "imports SYNC2".
std::string DirectionText(const Context& context, const InstanceSettings& settings);

// Whether the broker carries it: the site has joined, and files alone were not asked for.
Result<bool> IsCarriedByBroker(const storage::ReadView& view, const InstanceSettings& settings);
// Says which settings a run by hand would lack, if any; what the broker carries lacks none.
Result<> TellMissing(Context& context, Store& store, const InstanceSettings& settings,
                     bool old_spelling);

}  // namespace dirsync::cli
