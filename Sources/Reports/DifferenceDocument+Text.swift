// What two models differ in, in tables for the terminal and in Markdown. Model and corpus text is made safe for the terminal by the
// tables.

import Diffing
import Experiments
import TUI

extension DifferenceDocument {
  /// One table: a title, heads of columns, rows, and what the figures are.
  private struct Table {
    let title: String
    let heads: [String]
    let rows: [[String]]
    let note: String
  }

  /// The report for a terminal.
  package var text: String {
    guard !setup.noDifference else { return termSafe(headline) + "\n" }
    let parts = tables.map { table in
      var lines = TextTable(table.heads.map { TextTable.Column(title: $0) })
      for row in table.rows { lines.add(row) }
      return "\(table.title)\n\n\(lines.text)\(table.note)\n"
    }
    return ([termSafe(headline) + "\n"] + parts).joined(separator: "\n")
  }

  /// The report in Markdown.
  package var markdown: String {
    let heading = termSafe("# What changed from \(setup.base) to \(setup.chat)") + "\n\n" + termSafe(headline) + "\n"
    guard !setup.noDifference else { return heading }
    return
      ([heading]
      + tables.map { "**\($0.title)**\n\n" + markdownTable($0.heads, $0.rows) + "\n\($0.note)\n" }).joined(
        separator: "\n")
  }

  /// The result in a sentence or two.
  package var headline: String {
    let tokens = divergences.reduce(0) { $0 + $1.tokens }
    let remarks = setup.remarks.map { " " + $0 }.joined()
    guard !setup.noDifference else {
      return "No difference: both models said the same at all \(tokens) tokens.\(remarks)"
    }
    let mean = divergences.reduce(0) { $0 + $1.mean * Double($1.tokens) } / Double(max(1, tokens))
    return
      "\(setup.chat) and \(setup.base) were compared at \(tokens) tokens: KL(chat ‖ base) is \(fixed(mean, 4)) nats a token on "
      + "average.\(remarks)"
  }

  private var tables: [Table] {
    [
      corpusTable, divergenceTable, orderTable, topicTable, lensTable, blockTable, effectTable, textTable, windowTable,
      writtenTable, amplifiedTable,
    ]
    .filter { !$0.rows.isEmpty }
  }

  private func list(_ tokens: [Token], _ count: Int) -> String {
    tokens.prefix(count).map { visible($0.text) }.joined(separator: " ")
  }

  private var corpusTable: Table {
    Table(
      title: "The texts", heads: ["texts", "n", "tokens", "perplexity of base", "of chat"],
      rows: corpora.map {
        [
          $0.corpus.rawValue, "\($0.texts)", "\($0.predictions)", fixed($0.perplexityBase, 2),
          fixed($0.perplexityChat, 2),
        ]
      }, note: "Perplexities of the texts' own next tokens.")
  }

  private var divergenceTable: Table {
    Table(
      title: "How far predictions are apart",
      heads: ["tokens of", "n", "mean", "median", "90 %", "99 %", "KL(base ‖ chat)"],
      rows: divergences.map {
        [
          $0.role.rawValue, "\($0.tokens)", fixed($0.mean, 4), fixed($0.median, 4), fixed($0.p90, 3), fixed($0.p99, 3),
          fixed($0.baseFromChat, 4),
        ]
      }, note: "KL(chat ‖ base) of the next token, in nats.")
  }

  private var orderTable: Table {
    Table(
      title: "Tokens that chat raises", heads: ["texts", "order", "tokens"],
      rows: orders.map { [$0.corpus.rawValue, $0.order.rawValue, list($0.tokens, 20)] }
        + (scrambled?.orders ?? []).filter { [.divergence, .occurrence].contains($0.order) }.map {
          [$0.corpus.rawValue, "\($0.order.rawValue), scrambled control", list($0.tokens, 20)]
        },
      note:
        "divergence: a token's part of the mean KL(chat ‖ base), in which chat's words have a large one that base did not expect; occurrence: how often a token is among the \(setup.mostRaised) most raised of a position, less how often among the most "
        + "lowered; positive: the share of positions at which it is raised; mean: by how much on average.")
  }

  private var topicTable: Table {
    Table(
      title: "Topics: what is raised together", heads: ["texts", "by", "share", "tokens"],
      rows: topics.map {
        [$0.corpus.rawValue, $0.measure.rawValue, fixed($0.share * 100, 0) + " %", list($0.tokens, 16)]
      },
      note: "Non-negative factors of what rose at a sample of positions: parts of the divergence, or logits.")
  }

  private var lensTable: Table {
    Table(
      title: "What the mean difference δ says", heads: ["layer", "at", "norm", "read as", "tokens"],
      rows: Self.largest(lenses).flatMap { lens -> [[String]] in
        let place = "\(lens.corpus.rawValue) \(lens.position)"
        let norm = fixed(lens.relative * 100, 1) + " %"
        var rows = [
          ["\(lens.layer)", place, norm, "δ", list(lens.difference, 10)],
          ["", "", "", "base (control)", list(lens.base, 10)],
        ]
        if let patch = lens.patch {
          rows.append(["", "", "", "patchscope × \(shortNumber(Double(patch.scale)))", list(patch.tokens, 10)])
        }
        return rows
      }
        + Self.largest(scrambled?.lenses ?? []).map {
          [
            "\($0.layer)", "\($0.corpus.rawValue) \($0.position)", fixed($0.relative * 100, 1) + " %",
            "scrambled control",
            list($0.difference, 10),
          ]
        },
      note:
        "δ is chat's mean residual stream less base's at one position; its norm is a share of chat's usual norm. Positions of chats "
        + "count from the answer's first token. The patchscope's strength is the one whose tokens are the most peaked and differ "
        + "from those of base's mean; no language model is asked.")
  }

  /// For each layer and half of the texts the three positions with the largest δ; the document has all. The first token of plain texts
  /// is left out, since streams have outlying norms there.
  private static func largest(_ lenses: [Lens]) -> [Lens] {
    var shown: [String: Int] = [:]
    return lenses.filter { !$0.isOutlying }.sorted { $0.relative > $1.relative }
      .filter { lens in
        shown["\(lens.layer) \(lens.corpus)", default: 0] += 1
        return shown["\(lens.layer) \(lens.corpus)"] ?? 0 <= 3
      }
  }

  private var blockTable: Table {
    let roles = TokenRole.allCases.filter { role in blocks.contains { $0.role == role } }
    let rows = Dictionary(grouping: blocks, by: \.block).sorted { $0.key < $1.key }.map { block, found in
      ["\(block)"]
        + roles.map { role in
          found.first { $0.role == role }.map { "\(fixed($0.relative * 100, 2)) % \(fixed($0.cosine, 4))" } ?? ""
        }
    }
    return Table(
      title: "Where the residual streams part", heads: ["block"] + roles.map(\.rawValue), rows: rows,
      note: "The mean of ‖h^chat − h^base‖ as a share of ‖h^base‖, and the mean cosine, after each block.")
  }

  private var effectTable: Table {
    Table(
      title: "What δ does for chat's predictions",
      heads: ["direction", "loss", "along δ", "random vectors", "pairs of texts"],
      rows: effects.map {
        [
          $0.direction, fixed($0.loss, 4), signed($0.change, 4), spread($0.random), spread($0.pairs),
        ]
      },
      note:
        "The change of chat's loss, in nats a token, when its residual stream is made base's along one direction at every token."
    )
  }

  private func spread(_ spread: Spread) -> String {
    "\(signed(spread.mean, 4)) ± \(fixed(spread.deviation, 4)) (\(spread.count))"
  }

  /// The first few of each half of the texts.
  private static func first<Row>(_ count: Int, _ rows: [Row], _ corpus: (Row) -> Corpus) -> [Row] {
    Corpus.allCases.flatMap { half in rows.filter { corpus($0) == half }.prefix(count) }
  }

  private var textTable: Table {
    Table(
      title: "Texts on which the models part most", heads: ["texts", "mean", "largest", "text"],
      rows: Self.first(5, texts, \.corpus).map { text in
        let whole = text.tokens.map(\.text).joined()
        return [text.corpus.rawValue, fixed(text.mean, 3), fixed(text.largest, 2), String(visible(whole).prefix(70))]
      }, note: "KL(chat ‖ base) in nats.")
  }

  private var windowTable: Table {
    Table(
      title: "Runs of tokens that chat finds likelier", heads: ["texts", "gain", "tokens"],
      rows: Self.first(5, windows, \.corpus).map {
        [$0.corpus.rawValue, fixed($0.gain, 1), String(visible($0.content).prefix(80))]
      },
      note: "The sum of log p^chat − log p^base, in nats.")
  }

  private var amplifiedTable: Table {
    Table(
      title: "What chat says when what fine-tuning changed counts twice", heads: ["who", "answer"],
      rows: amplified.flatMap { item in
        [
          ["prompt", String(visible(String(item.prompt.suffix(80))))], ["base", cut(item.base)],
          ["chat", cut(item.chat)],
          ["amplified", cut(item.answer)],
        ]
      }, note: "Greedy answers; amplified ones by the logits z + α (z − z of base), with α 1.")
  }

  private func cut(_ text: String) -> String { String(visible(text).prefix(90)) }

  private var writtenTable: Table {
    Table(
      title: "What chat writes by itself", heads: ["loss of base", "of chat", "text"],
      rows: written.prefix(10).map {
        [fixed($0.lossBase, 2), fixed($0.lossChat, 2), String(visible("\($0.beginning)|\($0.content)").prefix(80))]
      }, note: "Texts from two random tokens on, those first that base finds least likely beside chat; nats a token.")
  }
}
