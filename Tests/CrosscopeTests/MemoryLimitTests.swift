// What does not fit into the memory that is there, or that the user allows, is refused in one line before it begins.

import Foundation
import TestSupport
import Testing

@testable import Explorer
@testable import Reports
@testable import crosscope

@Suite struct MemoryLimitTests {
  @Test(arguments: [
    ("4G", 4_000_000_000), ("800M", 800_000_000), ("1.5g", 1_500_000_000), ("64k", 64_000), ("123", 123),
    ("2T", 2_000_000_000_000),
  ])
  func sizesAreBytesOrPowersOf1000(text: String, bytes: Int) throws {
    #expect(try MemorySize(text).bytes == bytes)
  }

  @Test(arguments: ["", "G", "4 G", "-1G", "4GB", "nan", "inf", "0", "0x10", "1e9", "9999999999T", "٤G"])
  func anythingElseIsRefused(text: String) {
    #expect(throws: (any Error).self) { try MemorySize(text) }
  }

  @Test func theConfigurationMayLimitItToo() throws {
    let settings = try Settings(Configuration(memory: "2G"), source: "config.json")
    #expect(settings.memory?.bytes == 2_000_000_000)
    #expect { try Settings(Configuration(memory: "much"), source: "config.json") } throws: {
      "\($0)".contains("in memory a number of bytes")
    }
  }

  @Test(.enabled(if: RealModel.path != nil, RealModel.missing))
  func aModelThatExceedsTheLimitIsNotLoaded() throws {
    let model = try #require(RealModel.path)
    let outcome = try Program.run(["generate", "--model", model, "--prompt", "Hi", "--memory", "90M"])
    outcome.expectOneLine(saying: " MB, ")
    #expect(outcome.error.contains("(--memory); close other programs"))
  }

  @Test(.enabled(if: RealModel.path != nil, RealModel.missing))
  func moreStreamsThanFitAreNotBegun() throws {
    let arguments = [
      "generate", "--model", try #require(RealModel.path), "--prompt", "Hi", "--temperature", "1", "--samples", "64",
      "--max-tokens",
    ]
    // It says nothing but this line: no answer was begun.
    let refused = try Program.run(arguments + ["8000", "--memory", "4G"])
    refused.expectOneLine(saying: "64 streams of up to 80")
    #expect(refused.error.contains("take fewer samples, strengths or tokens"))
    let fits = try Program.run(arguments + ["2", "--memory", "4G"])
    #expect(fits.code == 0, "\(fits.error)")
  }

  @Test(.enabled(if: RealModel.path != nil, RealModel.missing))
  func theShellsLimitsHold() throws {
    let outcome = try Program.run(
      ["generate", "--model", try #require(RealModel.path), "--prompt", "Hi"], after: "ulimit -d 250000")
    outcome.expectOneLine(saying: " MB, ")
    #expect(outcome.error.contains("(ulimit -d)"), "\(outcome.error)")
  }
}
