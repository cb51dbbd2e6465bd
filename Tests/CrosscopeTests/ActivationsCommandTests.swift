// `crosscope activations` on a tiny build: what its document says, what its filters do, what is refused.

import Foundation
import TestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Remote
@testable import crosscope

@Suite struct ActivationsCommandTests {
  let build: TinyBuild

  init() throws {
    build = try TinyBuild()
    try build.run()
  }

  private func activations(_ arguments: String...) throws -> Program.Outcome {
    try Program.run(["activations", build.storePath] + arguments)
  }

  private struct Document: Decodable {
    struct Activation: Decodable {
      var latent: Int
      var activation: Double
      var share: Double?
    }
    struct Candidate: Decodable {
      var token_id: Int
      var probability: Double
    }
    struct Token: Decodable {
      var position: Int
      var id: Int
      var text: String
      var template: Bool
      var left_out: Bool
      var activations: [Activation]
      var base: [Candidate]?
      var chat: [Candidate]
      var kl_chat_base: Double?
    }
    struct Latent: Decodable {
      var id: Int
      var frequency: Double?
      var text_max: Double
      var text_mean: Double
      var text_peak: Int
      var text_tokens: Int
      var max_activation: Double?
    }
    var tokens: [Token]
    var latents: [Latent]
  }

  private func document(_ arguments: String...) throws -> Document {
    let outcome = try Program.run(
      ["activations", build.storePath, "--json", "--max-frequency", "1", "--top", "64", "--limit", "64"] + arguments)
    #expect(outcome.code == 0, "\(outcome.error)")
    return try JSONDecoder().decode(Document.self, from: Data(outcome.out.utf8))
  }

  @Test func theDocumentHasEveryTokenAndItsLatents() throws {
    let document = try document("--prompt", "rain bomb why", "--template")
    #expect(document.tokens.map(\.position) == Array(document.tokens.indices))
    #expect(document.tokens[0].left_out && document.tokens[0].activations.isEmpty && document.tokens[0].template)
    #expect(document.tokens.map(\.text).joined().contains("<|im_start|>user\nrain bomb why<|im_end|>\n"))
    for token in document.tokens {
      #expect(token.chat.count == 10 && token.base?.count == 10 && (token.kl_chat_base ?? -1) >= 0)
      #expect(token.chat.map(\.probability) == token.chat.map(\.probability).sorted(by: >))
      #expect(token.activations.allSatisfy { $0.activation > 0 })
    }
    // The second table is what the first one comes to.
    #expect(!document.latents.isEmpty)
    let counted = Double(document.tokens.filter { !$0.left_out }.count)
    for latent in document.latents {
      let values = document.tokens.map { $0.activations.first { $0.latent == latent.id }?.activation ?? 0 }
      #expect(values[latent.text_peak] == latent.text_max && values.max() == latent.text_max)
      #expect(values.filter { $0 > 0 }.count == latent.text_tokens)
      #expect(abs(values.reduce(0, +) / counted - latent.text_mean) < 1e-3)
    }
    #expect(document.latents.map(\.text_max) == document.latents.map(\.text_max).sorted(by: >))
  }

  @Test func filtersLeaveOutWhatTheySay() throws {
    let all = try document("--prompt", "rain bomb why", "--template")
    let without = try document("--prompt", "rain bomb why")
    #expect(without.tokens.map(\.id) == all.tokens.map(\.id))
    #expect(without.latents.allSatisfy { !without.tokens[$0.text_peak].template })
    #expect(Set(without.latents.map(\.id)).isSubset(of: all.latents.map(\.id)))
    let frequencies = all.latents.compactMap(\.frequency).sorted()
    let cut = frequencies[frequencies.count / 2]
    let rare = try document("--prompt", "rain bomb why", "--template", "--max-frequency", "\(cut)")
    #expect(Set(rare.latents.map(\.id)) == Set(all.latents.filter { ($0.frequency ?? 0) <= cut }.map(\.id)))
    #expect(rare.latents.count < all.latents.count)
    let one = try document("--prompt", "rain bomb why", "--latent", "\(all.latents[1].id)", "--template")
    #expect(one.latents.map(\.id) == [all.latents[1].id])
    #expect(Set(one.tokens.flatMap { $0.activations.map(\.latent) }) == [all.latents[1].id])
    let byMean = try document("--prompt", "rain bomb why", "--aggregate", "mean")
    #expect(byMean.latents.map(\.text_mean) == byMean.latents.map(\.text_mean).sorted(by: >))
    #expect(Set(byMean.latents.map(\.id)) == Set(without.latents.map(\.id)))
  }

  @Test func textsComeRawAsTurnsFromAFileAndFromTheModel() throws {
    let raw = try document("--prompt", "rain bomb", "--raw")
    #expect(raw.tokens.map(\.text).joined() == "rain bomb" && raw.tokens.allSatisfy { !$0.template })
    let path = build.folder.path + "/text.txt"
    try "rain bomb".write(toFile: path, atomically: true, encoding: .utf8)
    #expect(try document("--file", path, "--raw").tokens.map(\.id) == raw.tokens.map(\.id))
    let chat = try document("--prompt", "rain", "--prompt", "bomb").tokens.map(\.text).joined()
    #expect(chat.contains("user\nrain<|im_end|>") && chat.hasSuffix("<|im_start|>assistant\nbomb<|im_end|>\n"))
    let system = try document("--prompt", "rain", "--role", "system", "--prompt", "why", "--role", "user")
    #expect(system.tokens.map(\.text).joined().hasPrefix("<|im_start|>system\nrain<|im_end|>"))
    let answered = try document("--prompt", "rain", "--generate", "6")
    let asked = try document("--prompt", "rain")
    #expect((1...6).contains(answered.tokens.count - asked.tokens.count))
    // Each token of the answer is the likeliest one after the token before it.
    for position in asked.tokens.count..<answered.tokens.count {
      #expect(answered.tokens[position].id == answered.tokens[position - 1].chat[0].token_id)
    }
  }

  @Test func theTablesNameTokensAndLatents() throws {
    let outcome = try activations("--prompt", "rain", "--max-frequency", "1")
    #expect(outcome.code == 0, "\(outcome.error)")
    for part in ["left out", "\"r\"", "KL", "latent", "share", "\"↵\""] { #expect(outcome.out.contains(part)) }
    #expect(try activations("--prompt", "rain", "--max-frequency", "0").out.contains("no latent passes"))
  }

  @Test func whatCannotBeTracedIsRefusedInOneLine() throws {
    try activations("--prompt", String(repeating: "x", count: 600)).expectOneLine(saying: "at most 512 tokens")
    try activations("--prompt", "a", "--prompt", "b", "--generate", "3").expectOneLine(saying: "not the assistant's")
    try activations("--prompt", "a", "--latent", "64").expectOneLine(saying: "latents 0 to 63")
    try activations("--prompt", "", "--raw").expectOneLine(saying: "at least one token")
    for arguments in [
      [], ["--prompt", "a", "--file", "b"], ["--raw", "--prompt", "a", "--prompt", "b"],
      ["--prompt", "a", "--role", "user", "--role", "user"], ["--prompt", "a", "--max-frequency", "2"],
      ["--prompt", "a", "--top", "-1"],
    ] {
      #expect(try Program.run(["activations", build.storePath] + arguments).code == 2)
    }
  }
}
