// A text's activations without models, on the sample store's latents: which ones fire depends on the token's text alone.

import Diffing
import Foundation
import Inference
import Storage

@testable import Experiments
@testable import Explorer

/// Words as tokens with made-up activations and distributions.
package struct ScriptedTokens {
  private var ids: [String: Int32] = [:]
  private var names: [Int32: TokenRecord] = [:]
  private var position = 0

  package mutating func words(of source: PromptSource) -> [(String, Bool)] {
    func split(_ text: String) -> [(String, Bool)] {
      text.reduce(into: [String]()) { words, letter in
        if letter == " " || letter == "\n" || words.isEmpty { words.append("") }
        words[words.count - 1].append(letter)
      }.map { ($0, false) }
    }
    switch source {
    case .raw(let text): return split(text)
    case .tokens(let ids, let mask):
      return zip(ids, mask).map { ("⟨\($0)⟩", $1) }
    case .chat(let messages):
      let turns = messages.flatMap { message in
        [("<|im_start|>", true), (message.role.rawValue, true), ("\n", true)] + split(message.content)
          + [("<|im_end|>", true), ("\n", true)]
      }
      return turns + (source.isOpen ? [("<|im_start|>", true), ("assistant", true), ("\n", true)] : [])
    }
  }

  package mutating func event(_ words: [(String, Bool)]) -> TextActivationsEvent {
    let first = position
    let tokens = words.map { token($0, isTemplate: $1) }
    return .tokens(tokens, names: names, from: first)
  }

  private mutating func id(_ text: String) -> Int32 {
    let id = ids[text] ?? Int32(ids.count)
    ids[text] = id
    names[id] = TokenRecord(id: id, bytes: Array(text.utf8), isSpecial: text.hasPrefix("<|"))
    return id
  }

  private mutating func token(_ text: String, isTemplate: Bool) -> TokenActivations {
    defer { position += 1 }
    let seed = text.utf8.reduce(7) { ($0 * 31 + Int($1)) % 997 }
    let isFirst = position == 0
    // Latents of the sample store have the numbers 0 to 59; five is refused, forty-two is common.
    let latents =
      isFirst ? [] : Array(Set([seed % 60, (seed * 7) % 60, (seed * 13 + 5) % 60, 42, text.contains("bomb") ? 5 : 12]))
    let activations = latents.sorted().map {
      LatentActivation(latent: $0, value: $0 == 5 ? 55 : Float(2 + (seed * ($0 + 3)) % 240) / 10)
    }.sorted { ($1.value, $0.latent) < ($0.value, $1.latent) }
    func candidates(_ shift: Int) -> [TokenProbability] {
      let words = [" cannot", " help", "Sure", " I", "!", " 漢字", "\n", "The", " sorry", "I"]
      return words.indices.map {
        TokenProbability(
          id: id(words[($0 + shift) % words.count]), probability: [0.62, 0.2, 0.08, 0.04, 0.02, 0.01][min($0, 5)])
      }
    }
    let divergence = Double(seed % 90) / 30
    return TokenActivations(
      id: id(text), isTemplate: isTemplate, isLeftOut: isFirst, activations: activations,
      base: candidates(2), chat: candidates(9), klChatBase: divergence, klBaseChat: divergence * 0.8)
  }
}
