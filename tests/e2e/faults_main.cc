// faults_e2e: the faults and abuses of the catalogue, against real processes; at the end a table.
//
//   faults_e2e                          all of them, once
//   faults_e2e --gtest_filter=Log*      some
//   DIRSYNC_FAULTS=25 faults_e2e        so many times as long
#include <gmock/gmock.h>

#include "tests/e2e/fault_table.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  const int status = RUN_ALL_TESTS();
  dirsync::e2e::PrintTable();
  return status;
}
