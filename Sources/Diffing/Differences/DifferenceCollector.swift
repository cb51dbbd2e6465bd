// Fills the sums of a comparison while passes go on.

import Inference
import Kernels

/// Compares both models over groups of texts and keeps sums. It has one owner at a time.
public final class DifferenceCollector {
  private let pass: DifferencePass
  private let visitor: Visitor

  /// Begins with no texts.
  /// - Throws: `DiffingError.settingInvalid` for a layer that the models do not have.
  public convenience init(models: PairedModels, settings: DifferenceSettings) throws(DiffingError) {
    let shape = models.chat.configuration
    if let wrong = settings.layers.first(where: { !(0..<shape.nLayers).contains($0) }) {
      throw .settingInvalid(
        name: "layer", expected: "one of the models' blocks, 0…\(shape.nLayers - 1)", found: "\(wrong)")
    }
    self.init(
      models: models,
      sums: DifferenceSums(
        settings, blocks: shape.nLayers, dModel: shape.dModel, vocabulary: models.sharedVocabulary))
  }

  /// Goes on from sums of the same models.
  public init(models: PairedModels, sums: DifferenceSums) {
    pass = DifferencePass(models: models)
    visitor = Visitor(sums: sums)
  }

  /// What has been found so far.
  public private(set) var sums: DifferenceSums {
    get { visitor.sums }
    _modify { yield &visitor.sums }
  }

  /// Runs both models over some texts.
  /// - Parameter first: the number of the first of them among all texts.
  /// - Returns: for each text what was found at its tokens.
  /// - Throws: the errors of the forward pass; the sums are then not to be used any more.
  @discardableResult
  public func add(_ texts: [DifferenceText], first: Int) throws(InferenceError) -> [TextDifference] {
    (visitor.texts, visitor.first) = (texts, first)
    let found = try pass.run(texts, visitor: visitor)
    for (index, text) in texts.enumerated() { add(text, found[index], number: first + index) }
    return found
  }

  private func add(_ text: DifferenceText, _ found: TextDifference, number: Int) {
    let corpus = text.corpus.number
    sums.losses[corpus].texts += 1
    sums.losses[corpus].predictions += found.baseLosses.count
    for (base, chat) in zip(found.baseLosses, found.chatLosses) {
      sums.losses[corpus].base.add(base)
      sums.losses[corpus].chat.add(chat)
    }
    for (position, role) in text.roles.enumerated() {
      sums.divergences[role.number].count += 1
      sums.divergences[role.number].chatFromBase.add(found.chatFromBase[position])
      sums.divergences[role.number].baseFromChat.add(found.baseFromChat[position])
      sums.divergences[role.number].histogram.add(found.chatFromBase[position])
      for block in sums.blocks.indices {
        sums.blocks[block][role.number].count += 1
        sums.blocks[block][role.number].differenceNorm.add(Double(found.differenceNorms[block][position]))
        sums.blocks[block][role.number].baseNorm.add(Double(found.baseNorms[block][position]))
        sums.blocks[block][role.number].chatNorm.add(Double(found.chatNorms[block][position]))
        sums.blocks[block][role.number].cosine.add(Double(found.cosines[block][position]))
      }
    }
    for (index, layer) in sums.settings.layers.enumerated() {
      for position in text.ids.indices.dropFirst(PositionSums.firstUsual) {
        sums.positions[index][corpus].usualNorm.add(Double(found.chatNorms[layer][position]))
        sums.positions[index][corpus].usualCount += 1
      }
    }
    sums.lists[corpus].add(number, found, sums.settings)
  }
}

/// Adds residual streams and logits to the sums as they come.
private final class Visitor: DifferenceVisitor {
  /// The texts of the present group and the number of the first of them.
  var texts: [DifferenceText] = []
  var first = 0
  var sums: DifferenceSums
  private let layerIndex: [Int: Int]

  init(sums: DifferenceSums) {
    self.sums = sums
    layerIndex = Dictionary(uniqueKeysWithValues: sums.settings.layers.enumerated().map { ($1, $0) })
  }

  func residual(block: Int, text: Int, position: Int, base: UnsafePointer<Float>, chat: UnsafePointer<Float>) {
    guard let layer = layerIndex[block], let slot = texts[text].slot(of: position), slot < sums.settings.positions
    else { return }
    let corpus = texts[text].corpus.number
    let d = sums.positions[layer][corpus].base.units.count / sums.settings.positions
    sums.positions[layer][corpus].counts[slot] += 1
    sums.positions[layer][corpus].base.add(base, count: d, at: slot * d)
    sums.positions[layer][corpus].chat.add(chat, count: d, at: slot * d)
  }

  func logits(_ rows: LogitRows) {
    let compared = rows.places.indices.filter {
      texts[rows.places[$0].text].compared.contains(rows.places[$0].position)
    }
    for corpus in Corpus.allCases {
      let own = compared.filter { texts[rows.places[$0].text].corpus == corpus }
      if !own.isEmpty { add(rows, own, corpus) }
    }
  }

  /// Δ and the parts of the divergence of each row, `[rows, V]`.
  private var (differences, parts): ([Float], [Float]) = ([], [])

  private func add(_ rows: LogitRows, _ own: [Int], _ corpus: Corpus) {
    let (number, V, most) = (corpus.number, rows.vocabulary, sums.settings.mostRaised)
    let sampled = own.map { row in
      let place = rows.places[row]
      let key = PositionSample.key(text: first + place.text, position: place.position)
      return sums.samples[number].takes(key, most: sums.settings.sampledPositions) ? key : nil
    }
    if differences.count < own.count * V {
      differences = [Float](repeating: 0, count: own.count * V)
      parts = differences
    }
    differences.withUnsafeMutableBufferPointer { differences in
      parts.withUnsafeMutableBufferPointer { parts in
        guard let differences = differences.baseAddress, let parts = parts.baseAddress else { return }
        let found = mapInPieces(own.count) { index in
          let (row, difference, part) = (own[index], differences + index * V, parts + index * V)
          let (base, chat) = (rows.base(row), rows.chat(row))
          divergenceParts(base: base, chat: chat, count: V, rows.comparisons[row], into: part)
          subtract(chat, from: base, count: V, into: difference)
          let lowered = largestValues(difference, count: V, most: most)
          subtract(base, from: chat, count: V, into: difference)
          return RaisedTokens(
            raised: largestValues(difference, count: V, most: most), lowered: lowered,
            added: sampled[index] == nil ? [] : largestValues(part, count: V, most: most))
        }
        sums.tokens[number].add(differences, parts, rows: own.count)
        for (index, found) in found.enumerated() {
          sums.tokens[number].count(found)
          guard let key = sampled[index] else { continue }
          let place = rows.places[own[index]]
          sums.samples[number].add(
            PositionSample.Row(
              key: key, text: first + place.text, position: place.position, raised: SparseRow(found.raised),
              added: SparseRow(found.added)), most: sums.settings.sampledPositions)
        }
      }
    }
  }
}

/// The tokens of one position whose logits rose and fell most, and whose parts of the divergence are largest.
private struct RaisedTokens {
  let raised: [(place: Int32, value: Float)]
  let lowered: [(place: Int32, value: Float)]
  let added: [(place: Int32, value: Float)]
}

extension TokenDifferences {
  /// Adds rows of Δ and of parts of the divergence, a run of tokens after another, so that threads never write to the same token.
  fileprivate mutating func add(_ differences: UnsafePointer<Float>, _ additions: UnsafePointer<Float>, rows: Int) {
    positions += rows
    // Taken out of the value while they are written, so that none is copied.
    var (totals, added, counts) = (sums.units, parts.units, raised)
    (sums.units, parts.units, raised) = ([], [], [])
    let V = totals.count
    totals.withUnsafeMutableBufferPointer { totals in
      added.withUnsafeMutableBufferPointer { added in
        counts.withUnsafeMutableBufferPointer { counts in
          guard let totals = totals.baseAddress, let added = added.baseAddress, let counts = counts.baseAddress
          else { return }
          inPieces(of: 4096, count: V) { piece in
            let start = piece.lowerBound
            for row in 0..<rows {
              addInUnits(differences + row * V + start, count: piece.count, to: totals + start)
              addInUnits(additions + row * V + start, count: piece.count, to: added + start)
              countPositive(differences + row * V + start, count: piece.count, in: counts + start)
            }
          }
        }
      }
    }
    (sums.units, parts.units, raised) = (totals, added, counts)
  }

  /// Counts the tokens of a position that rose and fell most. Where nothing differs none did.
  fileprivate mutating func count(_ found: RaisedTokens) {
    for entry in found.raised where entry.value != 0 { amongMostRaised[Int(entry.place)] += 1 }
    for entry in found.lowered where entry.value != 0 { amongMostLowered[Int(entry.place)] += 1 }
  }
}
