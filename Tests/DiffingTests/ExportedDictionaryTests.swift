// Dictionaries that are written in the forms of others and read again: the same bits of f and x̂, or a refusal that names
// what the form cannot express.

import Foundation
import Inference
import TestSupport
import Testing

@testable import Diffing

@Suite struct ExportedDictionaryTests {
  private let folder = TemporaryFolder()
  private var out: String { folder.path + "/out" }

  /// The cases of one vector for each token.
  static let cases = PublishedCases.all.filter {
    !$0.contains("CrossCoder") && !$0.contains("crosscoder_") && !$0.hasSuffix("checkpoint")
      || $0.hasPrefix("saelens") || $0.hasPrefix("crosscoder_learning/sae")
  }

  private func dictionary(_ name: String) throws -> Crosscoder {
    try CrosscoderFile(path: PublishedCases.path(name), choice: DictionaryChoice(reads: .chat)).crosscoder()
      .foldingNormaliser()
  }

  private func input(_ name: String) throws -> PairedActivations {
    let reference = try PublishedCases.reference(name)
    let d = try reference.shape(of: "x")[1]
    let values = try reference.floats(named: "x").withUnsafeBufferPointer { rowsInChatsPlace($0, width: d) }
    return PairedActivations(dModel: d, values: values)
  }

  /// What a form cannot express, by a word of the refusal.
  private func isRefused(_ crosscoder: Crosscoder, _ error: any Error, forms: [String]) -> Bool {
    forms.contains { "\(error)".contains($0) } && !"\(error)".contains("\n")
  }

  @Test(arguments: cases) func saeLensReadsTheSameBits(name: String) throws {
    let (crosscoder, x) = (try dictionary(name), try input(name))
    do {
      try crosscoder.saveSAELens(folder: out, modelName: "example/model")
    } catch {
      #expect(
        isRefused(
          crosscoder, error, forms: ["tanh", "groups", "decoder norms", "not computed here", "transcoder with"]))
      return
    }
    let file = try CrosscoderFile(path: out)
    #expect(file.form == "sae" && file.modelName == "example/model" && file.card.layer == crosscoder.card.layer)
    let read = try file.crosscoder()
    let (codes, again) = (try crosscoder.encode(x), try read.encode(x))
    #expect(codes == again)
    #expect(crosscoder.decode(codes, of: x) == read.decode(again, of: x))
  }

  @Test(arguments: cases) func dictionaryLearningReadsTheSame(name: String) throws {
    let (crosscoder, x) = (try dictionary(name), try input(name))
    do {
      try crosscoder.saveDictionaryLearning(folder: out, modelName: "example/model")
    } catch {
      #expect(
        isRefused(
          crosscoder, error,
          forms: ["tanh", "groups", "decoder norms", "not computed here", "transcoder", "token by token"]))
      return
    }
    let file = try CrosscoderFile(path: out)
    #expect(file.form == "dictionary_learning" && file.card.layer == crosscoder.card.layer)
    let read = try file.crosscoder()
    let (codes, again) = (try crosscoder.encode(x), try read.encode(x))
    #expect(codes.latents == again.latents)
    if crosscoder.activation == .relu, crosscoder.selection == .thresholds {
      #expect(codes == again)
      #expect(crosscoder.decode(codes, of: x) == read.decode(again, of: x))
    } else {
      // The form takes b_dec from the input, which moves the bias by a rounding.
      #expect(relativeDifference(again.values, codes.values) <= 1e-6)
    }
  }

  @Test(arguments: PublishedCases.all.filter { $0.contains("CrossCoder") })
  func theHubsFormHasTheSameBits(name: String) throws {
    let crosscoder = try CrosscoderFile(path: PublishedCases.path(name)).crosscoder()
    let reference = try PublishedCases.reference(name)
    let x = PairedActivations(dModel: crosscoder.dModel, values: try reference.floats(named: "x"))
    try crosscoder.save(folder: out)
    let read = try CrosscoderFile(path: out).crosscoder()
    let (codes, again) = (try crosscoder.encode(x), try read.encode(x))
    #expect(codes == again)
    #expect(crosscoder.decode(codes, of: x) == read.decode(again, of: x))
  }

  @Test func aDifferenceKeepsItsDirection() throws {
    let file = try CrosscoderFile(
      path: PublishedCases.path("crosscoder_learning/sae_difference_ftb"),
      choice: DictionaryChoice(reads: .chatMinusBase))
    let crosscoder = try file.crosscoder().foldingNormaliser()
    #expect { try crosscoder.saveSAELens(folder: out, modelName: "") } throws: { "\($0)".contains("chat − base") }
    try crosscoder.saveDictionaryLearning(folder: out, modelName: "example/chat-example/base")
    #expect(try CrosscoderFile(path: out).target == .difference)
  }

  @Test func whatTheHubsFormCannotHoldIsRefusedByName() throws {
    for name in ["saelens6/topk_bdec_true", "openmoss/crosscoder_jumprelu_dataset_wise", "gemma_scope_2/transcoder"] {
      let crosscoder = try CrosscoderFile(path: PublishedCases.path(name)).crosscoder()
      #expect { try crosscoder.save(folder: out) } throws: { "\($0)".contains("form of the hub") }
      #expect(folder.names.isEmpty)
    }
  }

  /// A file with records that torch.load reads; the archive's reader checks the numbers' places.
  @Test func aPyTorchFileIsReadAgain() throws {
    var writer = PyTorchWriter()
    writer.add("a", shape: [2, 3], floats: [1, 2, 3, 4, 5, -6])
    writer.add("none", shape: [0], floats: [])
    writer.add("k", shape: [], int64s: [1 << 40])
    try writer.write(to: folder.path + "/t.pt")
    let file = try PyTorchFile(path: folder.path + "/t.pt")
    #expect(try file.floats(named: "a") == [1, 2, 3, 4, 5, -6] && file.shape(of: "a") == [2, 3])
    #expect(try file.ints(named: "k") == [1 << 40] && file.floats(named: "none").isEmpty)
  }
}
