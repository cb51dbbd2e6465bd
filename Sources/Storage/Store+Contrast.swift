// Contexts in which a latent is silent, to compare with those in which it is active. The choice is the same each time.
// A latent's examples are the best of many, so a sequence that they do not name does not prove silence; the histograms
// sometimes do.

import GRDB

/// A context that is not one of a latent's own.
public struct ContrastContext: Sendable, Equatable {
  public var sequence: SequenceRecord
  /// The token to look at: the peak of `similar`, else the middle.
  public var focus: Int
  /// A similar latent that is active here; nil for a text that was chosen regardless of its content.
  public var similar: Int?
  /// Whether the latent is certainly silent here. If not, it has at least no stored context from this sequence.
  public var isSilent: Bool
}

/// Contexts to compare with a latent's own, and the vocabulary to show them.
public struct Contrast: Sendable, Equatable {
  /// The contexts; those of similar latents come first.
  public var contexts: [ContrastContext]
  public var tokens: [Int32: TokenRecord]

  /// No contexts, which is the result for a latent that has none itself.
  public init(contexts: [ContrastContext] = [], tokens: [Int32: TokenRecord] = [:]) {
    self.contexts = contexts
    self.tokens = tokens
  }
}

extension Store {
  /// Contexts from the latent's corpora in which it has none of its own: of similar latents, and of any text.
  ///
  /// A context is skipped if a word occurs in it beside the same neighbour as where the latent is active: the latent
  /// may well be active there, and sequences may overlap.
  public func contrast(to latent: Int, similar: Int = 3, others: Int = 3) throws(StorageError) -> Contrast {
    try read { db in
      let own = try Self.contexts(of: latent, quantile: nil, limit: 500, in: db)
      guard !own.isEmpty else { return Contrast() }
      var choice = ContrastChoice(own, accounted: try Self.corporaAccounted(latent, own, in: db))
      for other in try Self.similarLatents(latent, in: db) where choice.contexts.count < similar {
        for context in try Self.contexts(of: other, quantile: nil, limit: 8, in: db)
        where choice.take(context.sequence, focus: context.peak, similar: other) { break }
      }
      let wanted = choice.contexts.count + others
      let last = try Self.lastSequence(in: db)
      var place = UInt64(UInt32(truncatingIfNeeded: latent))
      for _ in 0..<200 where choice.contexts.count < wanted {
        // This is Knuth's multiplicative generator (MMIX), whose high bits are the good ones.
        place = place &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let id = Int32(truncatingIfNeeded: (place >> 33) % (UInt64(last) + 1))
        guard let sequence = try Self.sequence(atOrAfter: id, in: db) else { continue }
        choice.take(sequence, focus: sequence.tokenIDs.count / 2, similar: nil)
      }
      let ids = Set(choice.contexts.flatMap(\.sequence.tokenIDs))
      return Contrast(contexts: choice.contexts, tokens: try Self.tokens(ids, in: db))
    }
  }

  /// The largest id of a sequence; 0 if there is none.
  private static func lastSequence(in db: Database) throws -> Int32 {
    guard let row = try Row.fetchOne(db, sql: "SELECT id FROM sequence ORDER BY id DESC LIMIT 1") else { return 0 }
    return try RowReader(row: row, table: "sequence").id(0)
  }

  /// The most similar latents, each of them once; those by chat direction come first.
  private static func similarLatents(_ latent: Int, in db: Database) throws -> [Int] {
    let neighbours = try neighbours(of: latent, in: db)
    var seen: Set = [latent]
    return [NeighbourKind.chat, .base].flatMap { kind in neighbours.filter { $0.kind == kind } }.map(\.other)
      .filter { seen.insert($0).inserted }
  }

  /// The corpora in which all activity of the latent lies in its own contexts: its histogram counts as many active
  /// tokens as the contexts have.
  private static func corporaAccounted(_ latent: Int, _ own: [Context], in db: Database) throws -> Set<String> {
    let histograms = try histograms(of: latent, in: db)
    // Without any histogram (imported stores) nothing is known about tokens outside of the contexts.
    guard !histograms.isEmpty else { return [] }
    return Set(own.map(\.sequence.corpus)).filter { corpus in
      let counted = histograms.filter { $0.corpus == corpus }.flatMap(\.counts).reduce(0) { $0 + Int($1) }
      let stored = own.filter { $0.sequence.corpus == corpus }.reduce(0) { $0 + $1.example.positions.count }
      return counted == stored
    }
  }
}

/// The sequences taken so far, and the rules that keep others out.
private struct ContrastChoice {
  private(set) var contexts: [ContrastContext] = []
  private let accounted: Set<String>
  private let corpora: Set<String>
  private var taken: Set<Int32>
  /// Pairs of neighbouring tokens at one of which the latent is active: all such pairs, and those outside of the
  /// template, which every chat has.
  private var activePairs: Set<[Int32]> = []
  private var activeTextPairs: Set<[Int32]> = []

  init(_ own: [Context], accounted: Set<String>) {
    self.accounted = accounted
    corpora = Set(own.map(\.sequence.corpus))
    taken = Set(own.map(\.sequence.id))
    for context in own {
      let ids = context.sequence.tokenIDs
      for position in context.example.positions.map(Int.init) {
        for start in [position - 1, position] where start >= 0 && start + 1 < ids.count {
          activePairs.insert([ids[start], ids[start + 1]])
          let isTemplate = context.sequence.templateMask[start] || context.sequence.templateMask[start + 1]
          if !isTemplate { activeTextPairs.insert([ids[start], ids[start + 1]]) }
        }
      }
    }
  }

  /// Takes a sequence if it is suitable.
  @discardableResult
  mutating func take(_ sequence: SequenceRecord, focus: Int, similar: Int?) -> Bool {
    let ids = sequence.tokenIDs
    let pairs = Set(zip(ids, ids.dropFirst()).map { [$0, $1] })
    guard corpora.contains(sequence.corpus), !ids.isEmpty, !taken.contains(sequence.id),
      activeTextPairs.isDisjoint(with: pairs)
    else { return false }
    taken.insert(sequence.id)
    contexts.append(
      ContrastContext(
        sequence: sequence, focus: focus, similar: similar,
        isSilent: accounted.contains(sequence.corpus) && activePairs.isDisjoint(with: pairs)))
    return true
  }
}
