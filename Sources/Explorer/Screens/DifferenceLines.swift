// What the right side of the screen Differences shows of a finding: lines, and the items among them that the cursor visits.

import Diffing
import Experiments
import Reports
import TUI

struct DifferenceLines {
  private(set) var lines: [PageLine] = []
  private(set) var items: [DifferenceItem] = []
  private let width: Int
  private let cursor: Int?
  private let asciiOnly: Bool
  private let document: DifferenceDocument

  /// - Parameter cursor: the item under the cursor; nil while keys move at the left.
  init(_ entry: DifferenceEntry, _ document: DifferenceDocument, width: Int, cursor: Int?, asciiOnly: Bool) {
    (self.document, self.width, self.cursor, self.asciiOnly) = (document, width, cursor, asciiOnly)
    switch entry.kind {
    case .texts: addFigures()
    case .blocks: addBlocks()
    case .order(let index): addOrder(document.orders[index])
    case .topic(let index):
      let topic = document.topics[index]
      add("Topic of \(topic.corpus.rawValue) texts", note: fixed(topic.share * 100, 0) + " % of the whole")
      addTokens(topic.tokens, largest: 1, digits: 2)
    case .lens(let index): addLens(document.lenses[index])
    case .effect(let index): addEffect(document.effects[index])
    case .text(let index): addText(document.texts[index])
    case .window(let index):
      let window = document.windows[index]
      add("A run of tokens that chat finds likelier", note: "\(fixed(window.gain, 2)) nats")
      addBody(window.content)
    case .amplified(let index):
      let item = document.amplified[index]
      add("Chat amplified", note: "z + \(compact(item.factor)) (z − z of base)")
      addBody(item.answer)
      add("Chat")
      addBody(item.chat)
      add("Base")
      addBody(item.base)
      add("The prompt before them")
      addBody(item.prompt)
    case .written(let index):
      let written = document.written[index]
      add(
        "A text that chat wrote",
        note: "nats a token: base \(fixed(written.lossBase, 2)), chat \(fixed(written.lossChat, 2))")
      addBody(written.beginning + "▏" + written.content)
    }
  }

  // MARK: pieces

  private mutating func add(_ title: String, note: String = "") { lines.append(.heading(title, note: note)) }

  private mutating func addNote(_ text: String) {
    lines += flowLines([FlowToken(text, style: .muted)], width: width).map { PageLine($0) }
  }

  private mutating func addBody(_ text: String) {
    lines += flowLines([FlowToken(text)], width: width).map { PageLine($0) }
  }

  /// Tokens with bars; blanks in them are made visible.
  private mutating func addTokens(_ tokens: [DifferenceDocument.Token], largest: Double, digits: Int) {
    let room = max(6, min(20, width - 26))
    for token in tokens {
      let isHere = cursor == items.count
      let text = truncated(visible(token.text), to: room).rightPadded(to: room)
      let bar = barText(
        largest > 0 ? token.weight / largest : 0, columns: max(4, width - room - 12), asciiOnly: asciiOnly)
      lines.append(
        PageLine(
          [
            FlowSpan(text: text + " ", style: isHere ? Style(.plain, on: .selected) : .plain),
            FlowSpan(text: fixed(token.weight, digits).leftPadded(to: 9) + " ", style: .muted),
            FlowSpan(text: bar, style: Style(.accent)),
          ], item: items.count))
      items.append(.token(token))
    }
  }

  // MARK: findings

  private mutating func addFigures() {
    add("\(document.setup.chat) − \(document.setup.base)")
    addBody(document.headline)
    lines.append(PageLine([]))
    for corpus in document.corpora {
      lines += PageLine.named(
        corpus.corpus.rawValue,
        "\(corpus.texts) texts, perplexity of base \(fixed(corpus.perplexityBase, 2)), of chat \(fixed(corpus.perplexityChat, 2))",
        label: 10, width: width)
    }
    add("KL(chat ‖ base) by token", note: "nats: mean, median, 99 %")
    let most = document.divergences.map(\.mean).max() ?? 1
    for row in document.divergences {
      let figures = "\(fixed(row.mean, 3))  \(fixed(row.median, 3))  \(fixed(row.p99, 2))"
      let bar = barText(most > 0 ? row.mean / most : 0, columns: max(4, width - 36), asciiOnly: asciiOnly)
      lines.append(
        PageLine([
          FlowSpan(text: row.role.rawValue.rightPadded(to: 11), style: .muted),
          FlowSpan(text: figures.rightPadded(to: 24), style: .plain), FlowSpan(text: bar, style: Style(.accent)),
        ]))
    }
  }

  private mutating func addBlocks() {
    let roles = TokenRole.allCases.filter { role in document.blocks.contains { $0.role == role } }
    let largest = document.blocks.map(\.relative).filter(\.isFinite).max() ?? 1
    add("Where the residual streams part", note: "‖h^chat − h^base‖ as a share of ‖h^base‖")
    for role in roles {
      add(role.rawValue, note: "share, cosine")
      for block in document.blocks where block.role == role {
        let bar = barText(largest > 0 ? block.relative / largest : 0, columns: max(4, width - 25), asciiOnly: asciiOnly)
        lines.append(
          PageLine([
            FlowSpan(text: "\(block.block)".leftPadded(to: 4) + " ", style: .muted),
            FlowSpan(
              text: (fixed(block.relative * 100, 1) + " %").leftPadded(to: 8) + fixed(block.cosine, 3).leftPadded(to: 8)
                + "  ",
              style: .plain), FlowSpan(text: bar, style: Style(.accent)),
          ]))
      }
    }
  }

  private mutating func addOrder(_ order: DifferenceDocument.Order) {
    let meaning =
      switch order.order {
      case .divergence: "nats of KL(chat ‖ base)"
      case .occurrence: "how often raised most, less lowered most"
      case .positive: "share of positions where it rises"
      case .mean: "mean rise of the logit"
      }
    add("What chat raises on \(order.corpus.rawValue) texts", note: meaning)
    addTokens(order.tokens, largest: order.tokens.first?.weight ?? 1, digits: 4)
    let control = document.scrambled?.orders.first { $0.corpus == order.corpus && $0.order == order.order }
    if let control {
      add("The same with a scrambled adapter", note: "control")
      addTokens(Array(control.tokens.prefix(20)), largest: order.tokens.first?.weight ?? 1, digits: 4)
    }
  }

  private mutating func addLens(_ lens: DifferenceDocument.Lens) {
    add(
      "δ after block \(lens.layer), \(lens.corpus.rawValue) \(lens.position)",
      note: "‖δ‖ \(fixed(lens.norm, 1)), \(fixed(lens.relative * 100, 1)) % of the usual norm")
    if let latents = lens.latents, !latents.isEmpty {
      add("Latents that point its way", note: "cosine with d_chat")
      for found in latents {
        let isHere = cursor == items.count
        lines.append(
          PageLine(
            [
              FlowSpan(
                text: "latent \(found.latent)".rightPadded(to: 14),
                style: isHere ? Style(.plain, on: .selected) : .plain),
              FlowSpan(text: fixed(found.cosine, 3).leftPadded(to: 8) + "  ", style: .muted),
              FlowSpan(
                text: barText(abs(found.cosine), columns: max(4, width - 28), asciiOnly: asciiOnly),
                style: Style(.accent)),
            ], item: items.count))
        items.append(.latent(found.latent))
      }
    }
    add("Logit lens of δ", note: "probability")
    addTokens(lens.difference, largest: lens.difference.first?.weight ?? 1, digits: 3)
    if let patch = lens.patch {
      add("Patchscope of δ", note: "at \(shortNumber(Double(patch.scale))) usual norms")
      addTokens(patch.tokens, largest: patch.tokens.first?.weight ?? 1, digits: 3)
      add("Patchscope of base's mean", note: "control")
      addTokens(Array(patch.control.prefix(10)), largest: patch.control.first?.weight ?? 1, digits: 3)
    }
    add("Logit lens of base's mean", note: "control")
    addTokens(Array(lens.base.prefix(10)), largest: lens.base.first?.weight ?? 1, digits: 3)
    add("Logit lens of −δ")
    addTokens(Array(lens.opposite.prefix(10)), largest: lens.opposite.first?.weight ?? 1, digits: 3)
    if let control = document.scrambled?.lenses.first(where: { $0.name == lens.name }) {
      add("Logit lens of δ with a scrambled adapter", note: "control")
      addTokens(Array(control.difference.prefix(10)), largest: control.difference.first?.weight ?? 1, digits: 3)
    }
  }

  private mutating func addEffect(_ effect: DifferenceDocument.Effect) {
    add("What \(effect.direction) does for chat", note: "\(effect.tokens) tokens of \(effect.corpus.rawValue) texts")
    addNote(
      "Chat's stream is made base's along one direction at every token. A loss that rises says that the direction carries what was tuned."
    )
    lines += PageLine.named("loss", "\(fixed(effect.loss, 4)) nats a token", label: 12, width: width)
    lines += PageLine.named("along δ", signed(effect.change, 3), label: 12, width: width)
    for (name, spread) in [("random", effect.random), ("texts", effect.pairs)] {
      lines += PageLine.named(
        name,
        "\(signed(spread.mean, 3)) ± \(fixed(spread.deviation, 3)) along \(spread.count) "
          + (name == "random" ? "random vectors" : "differences of pairs of texts")
          + ", at most \(signed(spread.largest, 3))", label: 12, width: width)
    }
  }

  private mutating func addText(_ text: DifferenceDocument.Text) {
    add(
      "A text on which the models part",
      note: "KL \(fixed(text.mean, 2)) nats a token, at most \(fixed(text.largest, 1))")
    let here = cursor ?? 0
    let tokens = text.tokens.enumerated().map { index, place in
      var token = FlowToken(
        place.text, level: FlowToken.level(place.divergence, of: text.largest),
        style: place.role == .template ? .muted : .plain)
      token.isSelected = cursor == index
      return token
    }
    items = text.tokens.indices.map { .place($0) }
    for line in flowLines(tokens, width: width, asciiMarkers: asciiOnly) {
      var line = PageLine(line)
      if line.spans.contains(where: { $0.style.background == .selected }) { line.item = cursor }
      lines.append(line)
    }
    guard text.tokens.indices.contains(here) else { return }
    let place = text.tokens[here]
    add("After \(visible(place.text))", note: "KL \(fixed(place.divergence, 2)) nats")
    for (name, next) in [("base", place.base), ("chat", place.chat)] {
      lines += PageLine.named(
        name, next.map { "\(visible($0.text)) \(fixed($0.weight, 2))" }.joined(separator: "  "), label: 7,
        width: width)
    }
  }
}
