// A latent in a few tokens: those it fires on most, and those its chat direction promotes. Made without a model, so that
// every row of a list can be read at once.

/// The tokens that stand for a latent.
public struct TokenSummary {
  private static let count = 4
  /// Tokens by how much of the latent's squared activation they carry, most first.
  private var carried: [Int32: Float] = [:]
  private let promoted: [Int32]

  /// - Parameter promoted: tokens that the chat decoder direction makes more likely, most first.
  public init(promoted: [Int32]) { self.promoted = promoted }

  /// Adds a context's active tokens. Each counts by its activation squared, so that what the latent is strongest on leads,
  /// not what it is faintly active on everywhere.
  public mutating func add(tokens: some Sequence<Int32>, values: [Float]) {
    for (token, value) in zip(tokens, values) { carried[token, default: 0] += value * value }
  }

  /// The summary in one line, nil without any token that has a text; untrusted like the tokens.
  public func text(_ token: (Int32) -> String?) -> String? {
    let order = carried.sorted { ($0.value, $1.key) > ($1.value, $0.key) }.map(\.key)
    func list(_ ids: [Int32]) -> String {
      var seen = Set<String>()
      // A line's end within the line.
      let texts = ids.lazy.compactMap(token).map { $0.replacing("\n", with: "↵") }.filter {
        !$0.isEmpty && seen.insert($0).inserted
      }
      return texts.prefix(Self.count).map { "“\($0)”" }.joined(separator: " ")
    }
    let parts = [("on ", list(order)), ("promotes ", list(promoted))].filter { !$0.1.isEmpty }
    return parts.isEmpty ? nil : parts.map { $0.0 + $0.1 }.joined(separator: " · ")
  }
}

extension TokenSummary {
  /// The summary of a latent as its page shows it.
  public init(_ page: LatentPage) {
    self.init(promoted: page.logits.first { $0.direction == .chat }?.promoted.map(\.token) ?? [])
    for context in page.contexts {
      let tokens = context.example.positions.map { context.sequence.tokenIDs[Int($0)] }
      add(tokens: tokens, values: context.example.values)
    }
  }
}
