// What the system says of memory, read from files as both versions of control groups have them, and what is refused.

import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite struct MemoryBudgetTests {
  private let folder = TemporaryFolder()
  private var system: SystemMemory { SystemMemory(proc: folder.path + "/proc", groups: folder.path + "/groups") }

  private func write(_ path: String, _ text: String) throws {
    let url = URL(filePath: folder.path + "/" + path)
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try text.write(to: url, atomically: false, encoding: .utf8)
  }

  private func writeMachine(_ kilobytes: Int) throws {
    try write("proc/meminfo", "MemTotal:  99999999 kB\nMemFree:  1 kB\nMemAvailable:   \(kilobytes) kB\n")
  }

  @Test func whatCannotBeReadSetsNoLimit() throws {
    #expect(system.physical().isEmpty)
    #expect(system.ownBytes() == 0)
    try MemoryBudget.require(1 << 50, besides: 0, for: "", remedy: "", system)
  }

  @Test func theMachinesMemoryIsWhatIsAvailableNotWhatIsFree() throws {
    try writeMachine(1000)
    #expect(system.physical() == [.init(bytes: 1_024_000)])
  }

  @Test func theTightestOfAGroupAndThoseAboveItCounts() throws {
    try writeMachine(8_000_000)
    try write("proc/self/cgroup", "0::/work/inner\n")
    try write("groups/work/inner/memory.max", "max\n")
    try write("groups/work/inner/memory.current", "500\n")
    #expect(system.physical().count == 1, "no limit anywhere")
    try write("groups/work/memory.max", "1000000000\n")
    try write("groups/work/memory.current", "900000000\n")
    try write("groups/work/memory.stat", "anon 1\nfile 5\ninactive_file 200000000\nactive_file 50000000\n")
    #expect(system.physical().last == .init(bytes: 350_000_000, name: "the control group's memory.max"))
    try write("groups/work/inner/memory.max", "2000\n")
    #expect(system.physical().last?.bytes == 1500)
  }

  @Test func theFirstVersionOfControlGroupsIsReadAsWell() throws {
    try write("proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/job\n0::/\n")
    try write("groups/memory/memory.limit_in_bytes", "9223372036854771712\n")
    try write("groups/memory/memory.usage_in_bytes", "123\n")
    #expect(system.physical().isEmpty)
    try write("groups/memory/job/memory.limit_in_bytes", "5000\n")
    try write("groups/memory/job/memory.usage_in_bytes", "4500\n")
    try write("groups/memory/job/memory.stat", "inactive_file 1\ntotal_inactive_file 100\ntotal_active_file 20\n")
    #expect(system.physical() == [.init(bytes: 620, name: "the control group's memory.limit_in_bytes")])
  }

  @Test func whatDoesNotFitIsRefusedWithFigures() throws {
    try writeMachine(3_000_000)
    try MemoryBudget.require(3_000_000_000, besides: 0, for: "they", remedy: "", system)
    func line(_ bytes: Int, besides mapped: Int = 0) -> String {
      do {
        try MemoryBudget.require(bytes, besides: mapped, for: "they", remedy: "take less", system)
        return ""
      } catch {
        return "\(error)"
      }
    }
    #expect(line(5_200_000_000) == "they need 5.2 GB, 3.1 GB are available; take less")
    #expect(line(1_200_000_000, besides: 1_000_000_000) == "")
    #expect(line(200_000_000, besides: 3_000_000_000) == "they need 3.2 GB, 3.1 GB are available; take less")
    #expect(line(1_000_000, besides: 3_000_000) == "", "too little to look")
    try writeMachine(200_000)
    #expect(line(310_000_000) == "they need 310 MB, 205 MB are available; take less")
    try write("proc/self/cgroup", "0::/\n")
    try write("groups/memory.max", "100000000\n")
    try write("groups/memory.current", "90000000\n")
    #expect(
      line(310_000_000)
        == "they need 310 MB, 10 MB are available (the control group's memory.max); take less")
  }

  @Test(.enabled(if: RealModel.path != nil, RealModel.missing))
  func theWeightsAreCountedAsTheyAreHeld() throws {
    let source = try ModelSource(path: try #require(RealModel.path))
    let (packed, mapped) = try source.weightBytes()
    let model = try source.transformer(precision: .exact)
    // Norms and the permuted rows of plain matrices aside.
    #expect(abs(packed + mapped - model.readWeights()) < 1 << 20)
    #expect(model.mappedBytes < 1 << 20 && packed > 90 << 20)
  }
}
