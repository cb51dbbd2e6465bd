// `crosscope show`: one latent with its metrics, promoted and suppressed tokens, contexts, neighbours and tags.

import ArgumentParser
import Storage
import TUI

struct Show: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show one latent: metrics, tokens, contexts, neighbours, tags.",
    discussion: "In contexts [brackets] mark the tokens on which the latent is active, [[double ones]] the strongest.")

  @Argument(help: ArgumentHelp("The store, a .crosscope file.", valueName: "store")) var store: String
  @Argument(help: ArgumentHelp("The latent's number.", valueName: "latent")) var latent: Int32
  @Option(help: ArgumentHelp("At most this many contexts.", valueName: "n")) var contexts = 100
  @Flag(help: "Print one JSON document.") var json = false

  func validate() throws {
    if contexts < 0 { throw ValidationError("--contexts must not be negative") }
  }

  func run() throws {
    let page = try Store(path: store, access: .readOnly).page(of: latent, contextLimit: contexts)
    if json { try printJSON(PageJSON(page)) } else { writeOut(Self.text(page)) }
  }

  static func text(_ page: LatentPage) -> String {
    var text = "latent \(page.latent.id), \(page.latent.latentClass.rawValue)\(page.latent.dead ? ", dead" : "")\n"
    if !page.tags.isEmpty { text += "tags: " + termSafe(page.tags.joined(separator: ", ")) + "\n" }
    if let note = page.note { text += "note: " + termSafeLines(note) + "\n" }
    for explanation in page.explanations {
      let score = explanation.detectionScore.map { " (detection \(fixed($0, 2)))" } ?? ""
      text += "\(termSafe(explanation.source))\(score): \(termSafeLines(explanation.text))\n"
    }
    text += "\n"
    var metrics = TextTable([.init(title: "metric"), .init(title: "value", isNumber: true)])
    for column in LatentColumn.allCases where column != .id {
      metrics.add([column.rawValue, shortNumber(page.latent[column])])
    }
    for (name, value) in page.latent.metrics.sorted(by: { $0.key < $1.key }) {
      metrics.add([name, shortNumber(value)])
    }
    text += metrics.text
    if !page.logits.isEmpty { text += "\n" + logits(page) }
    if !page.neighbours.isEmpty {
      var table = TextTable([
        .init(title: "neighbour", isNumber: true), .init(title: "by"), .init(title: "cosine", isNumber: true),
      ])
      for neighbour in page.neighbours {
        table.add(["\(neighbour.other)", neighbour.kind.rawValue, shortNumber(neighbour.cosine)])
      }
      text += "\n" + table.text
    }
    for context in page.contexts {
      text += """

        quantile \(context.example.quantile), \(termSafe(context.sequence.corpus)), \
        max \(shortNumber(Double(context.maxActivation)))
          \(marked(context, tokens: page.tokens))

        """
    }
    return text
  }

  private static func logits(_ page: LatentPage) -> String {
    var table = TextTable([.init(title: "direction"), .init(title: "promotes"), .init(title: "suppresses")])
    func list(_ scores: [TokenScore]) -> String {
      scores.map { "\"\(page.tokens[$0.token]?.text ?? "#\($0.token)")\"" }.joined(separator: " ")
    }
    for direction in LogitDirection.allCases {
      guard let lens = page.logits.first(where: { $0.direction == direction }) else { continue }
      table.add([direction.rawValue, list(lens.promoted), list(lens.suppressed)])
    }
    return table.text
  }

  /// The context in one line. Neighbouring tokens with the same mark are decoded together, since a character may be
  /// spread over several.
  static func marked(_ context: Context, tokens: [Int32: TokenRecord]) -> String {
    var text = ""
    var run: [UInt8] = []
    func close() {
      text += termSafe(String(decoding: run, as: UTF8.self))
      run = []
    }
    for (position, activation) in context.activations.enumerated() {
      let id = context.sequence.tokenIDs[position]
      let bytes = tokens[id]?.bytes ?? Array("⟨\(id)⟩".utf8)
      guard activation > 0 else {
        run += bytes
        continue
      }
      close()
      let (left, right) = position == context.peak ? ("[[", "]]") : ("[", "]")
      text += left + termSafe(String(decoding: bytes, as: UTF8.self)) + right
    }
    close()
    return text
  }
}
