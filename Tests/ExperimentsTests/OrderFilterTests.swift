import Diffing
import Foundation
import Inference
import TestSupport
import Testing

@testable import Experiments

@Suite struct OrderFilterTests {
  private let tokenizer: Tokenizer

  init() throws {
    let folder = TemporaryFolder()
    tokenizer = try Tokenizer(path: TinyModel.writeGGUF(in: folder))
  }

  private func token(_ text: String) throws -> Int32 {
    let ids = tokenizer.encode(text, parseSpecial: true)
    return try #require(ids.count == 1 ? ids[0] : nil, "\(text) is \(ids.count) tokens")
  }

  private func order(_ texts: [String]) throws -> [WeightedToken] {
    try texts.enumerated().map { WeightedToken(id: try token($1), weight: Double(10 - $0)) }
  }

  private func filtered(_ texts: [String], _ filters: [OrderFilter]) throws -> [String] {
    try order(texts).filtered(by: filters, tokenizer).map { tokenizer.decode([$0.id]) }
  }

  @Test func eachLeavesOutWhatItIsNamedFor() throws {
    let texts = ["a", ".", "<|im_end|>", "!", "b", " "]
    #expect(try order(texts).filtered(by: [], tokenizer) == order(texts))
    #expect(try filtered(texts, [.punctuation]) == ["a", "<|im_end|>", "b"])
    #expect(try filtered(texts, [.special]) == ["a", ".", "!", "b", " "])
    #expect(try filtered(texts, [.special, .punctuation]) == ["a", "b"])
    // A model may have more embeddings than its tokenizer has tokens.
    let beyond = [WeightedToken(id: Int32(tokenizer.vocabularySize), weight: 1)]
    #expect(beyond.filtered(by: OrderFilter.allCases, tokenizer) == beyond)
  }

  @Test func formsOfOneWordCountTogetherUnderTheStrongest() throws {
    let merged = try order(["b", "a", "B", "c", "A"]).filtered(by: [.forms], tokenizer)
    #expect(merged.map { tokenizer.decode([$0.id]) } == ["b", "a", "c"])
    #expect(merged.map(\.weight) == [18, 15, 7])
    let blanks = try order([".", " ", "\n"]).filtered(by: [.forms], tokenizer)
    #expect(blanks.count == 3, "blanks alone are no forms of one another")
  }
}
