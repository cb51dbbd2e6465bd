// What two models differ in, as a document: in JSON for other programs, and section by section in the store, where the explorer finds
// it. Probabilities, shares and cosines are plain numbers, losses and divergences are in nats.

import Diffing
import Foundation

package struct DifferenceDocument: Codable, Sendable, Equatable {
  /// What was compared and how.
  package struct Setup: Codable, Sendable, Equatable {
    package var base: String
    package var chat: String
    package var precision: String
    package var tokensPerText: Int
    package var mostRaised: Int
    package var seed: UInt64
    package var crosscope: String
    /// The filters of the orders of tokens; nil for none.
    package var filters: [OrderFilter]?
    /// Whether nothing at all differed; all lists are then empty.
    package var noDifference: Bool
    /// What was left out and why, in sentences.
    package var remarks: [String]

    private enum CodingKeys: String, CodingKey {
      case base, chat, precision, seed, crosscope, filters, remarks
      case tokensPerText = "tokens_per_text"
      case mostRaised = "most_raised"
      case noDifference = "no_difference"
    }

    package init(
      base: String, chat: String, precision: String, tokensPerText: Int, mostRaised: Int, seed: UInt64,
      crosscope: String,
      noDifference: Bool, remarks: [String]
    ) {
      (self.base, self.chat, self.precision) = (base, chat, precision)
      (self.tokensPerText, self.mostRaised, self.seed) = (tokensPerText, mostRaised, seed)
      (self.crosscope, self.noDifference, self.remarks) = (crosscope, noDifference, remarks)
    }
  }

  /// One half of the texts.
  package struct CorpusFigures: Codable, Sendable, Equatable {
    package var corpus: Corpus
    package var texts: Int
    package var predictions: Int
    package var perplexityBase: Double
    package var perplexityChat: Double

    private enum CodingKeys: String, CodingKey {
      case corpus, texts, predictions
      case perplexityBase = "perplexity_base"
      case perplexityChat = "perplexity_chat"
    }
  }

  /// KL(chat ‖ base) over tokens of one role, and the mean of KL(base ‖ chat).
  package struct Divergence: Codable, Sendable, Equatable {
    package var role: TokenRole
    package var tokens: Int
    package var mean: Double
    package var median: Double
    package var p90: Double
    package var p99: Double
    package var baseFromChat: Double

    private enum CodingKeys: String, CodingKey {
      case role, tokens, mean, median, p90, p99
      case baseFromChat = "base_from_chat"
    }
  }

  /// How far the residual streams are apart after a block, over tokens of one role.
  package struct Block: Codable, Sendable, Equatable {
    package var block: Int
    package var role: TokenRole
    /// The mean of ‖h^chat − h^base‖, the same as a share of the mean ‖h^base‖, and the mean cosine.
    package var distance: Double
    package var relative: Double
    package var cosine: Double
  }

  /// A token with its text and a number whose meaning the list says.
  package struct Token: Codable, Sendable, Equatable {
    package var id: Int32
    package var text: String
    package var weight: Double

    package init(id: Int32, text: String, weight: Double) { (self.id, self.text, self.weight) = (id, text, weight) }
  }

  package struct Order: Codable, Sendable, Equatable {
    package var corpus: Corpus
    package var order: TokenOrder
    package var tokens: [Token]
  }

  package struct Topic: Codable, Sendable, Equatable {
    /// What of a position's tokens the matrix holds.
    package enum Measure: String, Codable, Sendable { case divergence, logit }
    package var corpus: Corpus
    package var measure: Measure
    package var share: Double
    package var tokens: [Token]
  }

  /// What δ says at a layer and a position; see `name`.
  package struct Lens: Codable, Sendable, Equatable {
    /// The name of the direction in the store.
    package var name: String
    package var layer: Int
    package var corpus: Corpus
    /// Of a plain text counted from its first token; of a chat from its answer's first token, so that −1 is the token before it.
    package var position: Int
    package var texts: Int
    /// ‖δ‖, and as a share of the mean ‖h^chat‖ of usual tokens.
    package var norm: Double
    package var relative: Double
    /// The logit lens of δ, of −δ and of the two means, which are the controls.
    package var difference: [Token]
    package var opposite: [Token]
    package var base: [Token]
    package var chat: [Token]
    /// The patchscope of δ at the strength that the rule chose, and of base's mean at the same; nil where no strength fits the rule.
    package var patch: Patch?
    /// The latents whose d_chat has the largest cosine with δ; nil where there is no crosscoder of this layer.
    package var latents: [LatentCosine]?

    /// Whether it is at the first token of plain texts, where residual streams have outlying norms.
    package var isOutlying: Bool { corpus == .plain && position == 0 }
  }

  package struct LatentCosine: Codable, Sendable, Equatable {
    package var latent: Int
    package var cosine: Double
  }

  package struct Patch: Codable, Sendable, Equatable {
    package var scale: Float
    package var tokens: [Token]
    package var control: [Token]
  }

  /// A run of tokens that chat finds likelier than base does.
  package struct Window: Codable, Sendable, Equatable {
    package var corpus: Corpus
    package var text: Int
    package var start: Int
    package var gain: Double
    package var content: String
  }

  /// A text on which the models part, token by token.
  package struct Text: Codable, Sendable, Equatable {
    package struct Place: Codable, Sendable, Equatable {
      package var id: Int32
      package var text: String
      package var role: TokenRole
      /// KL(chat ‖ base) of the next token's distributions at this token.
      package var divergence: Double
      /// Both models' likeliest next tokens with their probabilities.
      package var base: [Token]
      package var chat: [Token]
    }
    package var corpus: Corpus
    package var text: Int
    package var mean: Double
    package var largest: Double
    package var tokens: [Place]
  }

  /// What δ does for chat's predictions: base's stream along it, in chat.
  package struct Effect: Codable, Sendable, Equatable {
    package var direction: String
    package var corpus: Corpus
    package var texts: Int
    package var tokens: Int
    /// Chat's mean loss, its change along δ, and the changes along random unit vectors and along random differences of pairs of texts.
    package var loss: Double
    package var change: Double
    package var random: Spread
    package var pairs: Spread
  }

  /// Numbers in short.
  package struct Spread: Codable, Sendable, Equatable {
    package var count: Int
    package var mean: Double
    package var deviation: Double
    package var smallest: Double
    package var largest: Double

    package init(_ values: [Double]) {
      count = values.count
      let mean = values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
      self.mean = mean
      let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      deviation = values.count > 1 ? (squares / Double(values.count - 1)).squareRoot() : 0
      (smallest, largest) = (values.min() ?? 0, values.max() ?? 0)
    }
  }

  /// A text that chat wrote from a short random beginning.
  package struct Written: Codable, Sendable, Equatable {
    package var beginning: String
    package var content: String
    /// Mean losses of a token, in nats.
    package var lossBase: Double
    package var lossChat: Double

    private enum CodingKeys: String, CodingKey {
      case beginning, content
      case lossBase = "loss_base"
      case lossChat = "loss_chat"
    }
  }

  /// A prompt that was answered by base, by chat, and with what chat changed counting more.
  package struct Amplified: Codable, Sendable, Equatable {
    /// The tokens before the answer, as text.
    package var prompt: String
    /// α of z + α (z − z of base).
    package var factor: Double
    package var base: String
    package var chat: String
    package var answer: String
  }

  package var setup: Setup
  package var corpora: [CorpusFigures] = []
  package var divergences: [Divergence] = []
  package var blocks: [Block] = []
  package var orders: [Order] = []
  package var topics: [Topic] = []
  package var lenses: [Lens] = []
  package var windows: [Window] = []
  package var texts: [Text] = []
  package var effects: [Effect] = []
  package var written: [Written] = []
  package var amplified: [Amplified] = []
  /// The same comparison with the adapter's matrices scrambled, which has lost what it was taught: only `orders` and `lenses`.
  package var scrambled: Scrambled?

  package struct Scrambled: Codable, Sendable, Equatable {
    package var orders: [Order]
    package var lenses: [Lens]

    package init(orders: [Order], lenses: [Lens]) { (self.orders, self.lenses) = (orders, lenses) }
  }

  package init(setup: Setup) { self.setup = setup }
}

extension DifferenceDocument {
  /// The document in sections, each a JSON document of its own.
  package func sections() throws -> [String: String] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    func text(_ value: some Encodable) throws -> String { String(decoding: try encoder.encode(value), as: UTF8.self) }
    return [
      "setup": try text(setup), "corpora": try text(corpora), "divergences": try text(divergences),
      "blocks": try text(blocks), "orders": try text(orders), "topics": try text(topics), "lenses": try text(lenses),
      "windows": try text(windows), "texts": try text(texts), "effects": try text(effects),
      "written": try text(written), "amplified": try text(amplified),
      "scrambled": try text([scrambled].compactMap { $0 }),
    ]
  }

  /// Reads the sections of a store; nil if there are none. A section that is not there is empty.
  /// - Throws: `InputError.invalid` for a section that is not as this program writes it.
  package init?(sections: [String: String], source: String) throws {
    func value<T: Decodable>(_ name: String, _ empty: T) throws -> T {
      guard let content = sections[name] else { return empty }
      do { return try JSONDecoder().decode(T.self, from: Data(content.utf8)) } catch {
        throw InputError.invalid(
          source: source, expected: "differences as this program writes them (crosscope differences makes them again)",
          found: "a damaged section \(name)")
      }
    }
    guard let setup: Setup = try value("setup", nil) else { return nil }
    self.init(setup: setup)
    corpora = try value("corpora", [])
    divergences = try value("divergences", [])
    blocks = try value("blocks", [])
    orders = try value("orders", [])
    topics = try value("topics", [])
    lenses = try value("lenses", [])
    windows = try value("windows", [])
    texts = try value("texts", [])
    effects = try value("effects", [])
    written = try value("written", [])
    amplified = try value("amplified", [])
    scrambled = try value("scrambled", [Scrambled]()).first
  }
}
