// `crosscope show` prints one latent with its metrics, promoted and suppressed tokens, contexts, neighbours and tags.

import ArgumentParser
import Diffing
import Experiments
import Inference
import Pipeline
import Reports
import Storage
import TUI

struct Show: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show one latent: metrics, tokens, contexts, neighbours, tags.",
    discussion: """
      In contexts [brackets] mark the tokens on which the latent is active, [[double ones]] the strongest. They are \
      ranked by their strongest token outside of the chat template, and shown once where the text around it is the \
      same; what is left out is counted. JSON always has all contexts, in the store's order.
      """)

  @Argument(help: .store, completion: .stores) var store: String
  @Argument(help: ArgumentHelp("The latent's number.", valueName: "latent")) var latent: Int
  @Option(help: ArgumentHelp("Show at most this many contexts.", valueName: "n")) var contexts = 100
  @Flag(help: "Count template tokens: show contexts in the store's own order.") var template = false
  @Flag(help: "Show contexts also where an earlier one has the same tokens around the peak.") var duplicates = false
  @Flag(help: "Add contexts in which the latent is silent.") var contrast = false
  @Flag(help: "Print one JSON document.") var json = false

  func validate() throws {
    if contexts < 0 { throw ValidationError("--contexts must not be negative") }
  }

  func run() throws {
    let store = try Store(path: store, access: .readOnly)
    // A ranking other than the store's may need contexts that the store has further down.
    let page = try store.page(of: latent, contextLimit: json ? contexts : max(contexts, 100))
    let surroundings = LatentSurroundings(
      latent: latent, contrast: contrast ? try store.contrast(to: latent) : Contrast(),
      coFiring: try store.coFiring(with: latent))
    if json {
      try printJSON(PageJSON(page, surroundings))
    } else {
      let options = ContextRanking.Options(countsTemplate: template, showsDuplicates: duplicates)
      writeOut(Self.text(page, surroundings, ContextRanking(page, options), limit: contexts))
    }
  }

  static func text(
    _ page: LatentPage, _ surroundings: LatentSurroundings, _ ranking: ContextRanking, limit: Int
  ) -> String {
    summary(page) + neighbours(page, surroundings.coFiring) + contexts(page, ranking, limit: limit)
      + contrast(surroundings.contrast)
  }

  private static func summary(_ page: LatentPage) -> String {
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
    return text
  }

  private static func neighbours(_ page: LatentPage, _ coFiring: [CoFiringRecord]?) -> String {
    var text = ""
    if !page.neighbours.isEmpty {
      var table = TextTable([
        .init(title: "neighbour", isNumber: true), .init(title: "by"), .init(title: "cosine", isNumber: true),
      ])
      for neighbour in page.neighbours {
        table.add(["\(neighbour.other)", neighbour.kind.rawValue, shortNumber(neighbour.cosine)])
      }
      text += "\n" + table.text
    }
    guard let coFiring else { return text + "\nfires with: this is not known; open the store for writing once\n" }
    if !coFiring.isEmpty {
      var table = TextTable([
        .init(title: "fires with", isNumber: true), .init(title: "common tokens", isNumber: true),
        .init(title: "of", isNumber: true), .init(title: "contexts", isNumber: true),
      ])
      for record in coFiring {
        table.add(["\(record.other)", "\(record.both)", "\(record.either)", "\(record.contexts)"])
      }
      text += "\n" + table.text
    }
    return text
  }

  private static func contexts(_ page: LatentPage, _ ranking: ContextRanking, limit: Int) -> String {
    var text = ""
    if ranking.templateOnly > 0 {
      text += "\n\(counted(ranking.templateOnly, "context", "contexts")) left out: template tokens only (--template)\n"
    }
    if ranking.duplicates > 0 {
      text += "\n\(counted(ranking.duplicates, "context", "contexts")) left out: copies of others (--duplicates)\n"
    }
    for entry in ranking.entries.prefix(limit) {
      let context = page.contexts[entry.index]
      text += """

        quantile \(entry.band), \(termSafe(context.sequence.corpus)), max \(shortNumber(Double(entry.activation)))
          \(marked(context, peak: entry.peak, tokens: page.tokens))

        """
    }
    return text
  }

  private static func contrast(_ contrast: Contrast) -> String {
    contrast.contexts.map { context in
      let likeness = context.similar.map { ", from similar latent \($0)" } ?? ""
      let what = context.isSilent ? "silent" : "not among its stored contexts"
      return """

        \(what), \(termSafe(context.sequence.corpus))\(likeness)
          \(termSafe(tokenTexts(context.sequence.tokenIDs, contrast.tokens).joined()))

        """
    }.joined()
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

  /// The context in one line. Adjacent tokens with the same mark are decoded together, since a character may span
  /// several of them.
  private static func marked(_ context: Context, peak: Int, tokens: [Int32: TokenRecord]) -> String {
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
      let (left, right) = position == peak ? ("[[", "]]") : ("[", "]")
      text += left + termSafe(String(decoding: bytes, as: UTF8.self)) + right
    }
    close()
    return text
  }
}
