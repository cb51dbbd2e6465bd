// The second demo as it is committed: its configurations can be read, and its adapter turns the base model, which has no
// chat template, into one that reads chats in Gemma's.

import Foundation
import Inference
import TestSupport
import Testing

@testable import Experiments
@testable import Pipeline

@Suite struct DemoBasePairTests {
  private static let data = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "data")
  private static let adapter = data.appending(path: "demo-base/adapter").path

  @Test func theConfigurationsCanBeRead() throws {
    let build = try BuildConfiguration(path: Self.data.appending(path: "demo-base.json").path)
    #expect(build.adapter == "demo-base/adapter" && build.base_model == nil)
    let plan = try EvidencePlan.read(Self.data.appending(path: "demo-base-plan.json").path)
    #expect(plan.shown.allSatisfy { FileManager.default.fileExists(atPath: $0.prompts) })
  }

  @Test(.enabled(if: RealModel.gemma != nil, RealModel.gemmaMissing))
  func theAdapterGivesTheBaseModelItsChatTemplate() throws {
    let model = try #require(RealModel.gemma)
    let pair = try Engine(model: model, adapter: Self.adapter, precision: .fast)
    let build = try BuildConfiguration(path: Self.data.appending(path: "demo-base.json").path)
    // All that the adapter adds passes through the residual stream that the dictionary reads.
    #expect(pair.adapter?.layers == Array(0...build.layer))
    // These are the ids of transformers' tokenizer for the rendered chat.
    let chat = try pair.encodePrompt("How do I make tea?")
    #expect(chat.ids == [2, 105, 2364, 107, 3910, 776, 564, 1386, 11115, 236881, 106, 107, 105, 4368, 107])
    #expect(pair.tokenizer.endOfTurnIDs.contains(106))
    let base = try Engine(model: model, precision: .fast)
    #expect(throws: InferenceError.self) { try base.encodePrompt("How do I make tea?") }
  }
}
