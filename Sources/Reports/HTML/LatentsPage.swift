// Some latents as one HTML page for a report: figures, explanations, contexts whose tokens are coloured by activation, logit lens,
// and the answers of saved experiments. The page is one file: it needs no network and no JavaScript, and forbids both. It follows
// the reader's choice of light or dark and fits a narrow screen.

import Diffing
import Experiments
import Foundation
import Storage
import TUI

/// The page of some latents.
package struct LatentsPage {
  private let store: Store
  private let latents: [Int]
  private let pair: ModelPair
  /// The contexts of a latent and the runs with it that are shown, and the tokens on each side of a peak.
  private static let (mostContexts, mostRuns, reach) = (12, 4, 40)
  /// The most experiments that are looked at for runs with the latents.
  private static let mostExperiments = 2000

  /// - Throws: `StorageError.noSuchLatent`.
  package init(store: Store, latents: [Int]) throws {
    (self.store, self.latents) = (store, latents)
    pair = try store.modelPair()
    for latent in latents { _ = try store.latent(latent) }
  }

  /// The whole document.
  package func html() throws -> String {
    let runs = try store.experiments(limit: Self.mostExperiments).map { SavedRun($0) }
    let sections = try latents.map { latent in try section(latent, runs: runs) }
    let title = latents.count == 1 ? "Latent \(latents[0])" : "\(latents.count) latents"
    let models = pair.base.isEmpty ? pair.chat : "\(pair.base) → \(pair.chat)"
    let contents: HTMLText =
      latents.count > 1
      ? "<nav>\(latents.map { "<a href=\"#latent-\($0)\">\($0)</a>" as HTMLText })</nav>" : ""
    let page: HTMLText = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
      <meta name="generator" content="crosscope \(ProgramVersion.current)">
      <title>\(title) of \(models)</title>
      <style>\(Self.style)</style>
      </head>
      <body>
      <header>
      <h1>\(title)</h1>
      <p>\(models), residual stream after block \(pair.layer), \(counted(pair.nLatents, "latent", "latents"))</p>
      \(contents)
      </header>
      <main>
      \(sections)
      </main>
      <footer>
      <p>A token’s colour is the latent’s activation there, from none to the latent’s largest. \(explanation)</p>
      </footer>
      </body>
      </html>

      """
    return page.html
  }

  private var explanation: String {
    pair.base.isEmpty
      ? "" : "Δ is 0 for base only and 1 for chat only; ν near 0 means that base does not know the concept."
  }

  // MARK: A latent

  private func section(_ latent: Int, runs: [SavedRun]) throws -> HTMLText {
    let page = try store.page(of: latent, contextLimit: 200)
    let ranking = ContextRanking(page)
    let shown = ranking.entries.prefix(Self.mostContexts)
    let contexts = shown.map { context(page.contexts[$0.index], $0, page) }
    let tags = page.tags.map { "<span class=\"tag\">\($0)</span>" as HTMLText }
    // The page of a single latent has its name on top.
    let heading: HTMLText = latents.count > 1 ? "<h2>Latent \(latent) \(tags)</h2>" : "<p>\(tags)</p>"
    let note: HTMLText = page.note.map { "<p class=\"note\">\($0)</p>" } ?? ""
    let texts = page.explanations.map { explanation -> HTMLText in
      let score = explanation.detectionScore.map { ", detection \(fixed($0, 2))" } ?? ""
      return "<p class=\"told\">\(explanation.text) <cite>\(explanation.source)\(score)</cite></p>\n"
    }
    let none: HTMLText = contexts.isEmpty ? "<p class=\"none\">The store has no contexts of this latent.</p>" : ""
    let count: HTMLText =
      page.contextCount > shown.count ? "<p class=\"more\">\(shown.count) of \(page.contextCount) contexts.</p>" : ""
    let own = runs.filter { $0.interventions?.contains { $0.latent == latent && $0.isOn } == true }
    return """
      <section id="latent-\(latent)">
      \(heading)
      \(texts)\(note)
      \(figures(page.latent))
      \(lens(page))
      <h3>Contexts</h3>
      \(none)<ol class="contexts">
      \(contexts)</ol>
      \(count)
      \(answers(own))
      </section>

      """
  }

  private func figures(_ latent: LatentRecord) -> HTMLText {
    var figures: [(name: HTMLText, value: String)] = []
    func add(_ name: HTMLText, _ value: Double?, _ text: (Double) -> String) {
      if let value { figures.append((name, text(value))) }
    }
    if latent.deltaNorm != nil { figures.append(("class", latent.latentClass.rawValue)) }
    add("Δ", latent.deltaNorm) { fixed($0, 3) }
    add("ν<sup>ε</sup>", latent.nuError) { fixed($0, 3) }
    add("ν<sup>r</sup>", latent.nuReconstruction) { fixed($0, 3) }
    add("largest activation", latent.maxActivation) { shortNumber($0) }
    add("active on", latent.frequency) { percent($0) }
    add("of that, template", latent.templateShare) { percent($0) }
    add("rank by chat-specificity", latent.chatSpecificity.map(Double.init)) { compact($0) }
    if latent.dead { figures.append(("dead", "never active")) }
    guard !figures.isEmpty else { return "" }
    return "<dl>\(figures.map { "<div><dt>\($0.name)</dt><dd>\($0.value)</dd></div>" as HTMLText })</dl>"
  }

  private func lens(_ page: LatentPage) -> HTMLText {
    guard let lens = page.logits.first(where: { $0.direction == .chat }) ?? page.logits.first else { return "" }
    func row(_ name: String, _ scores: [TokenScore]) -> HTMLText {
      guard !scores.isEmpty else { return "" }
      let tokens = scores.prefix(10).map { "<code>\(visibleToken($0.token, page.tokens))</code> " as HTMLText }
      return "<p class=\"lens\"><span>\(name)</span> \(tokens)</p>\n"
    }
    return row("promotes", lens.promoted) + row("suppresses", lens.suppressed)
  }

  private func context(_ context: Context, _ entry: ContextRanking.Entry, _ page: LatentPage) -> HTMLText {
    let texts = tokenTexts(context.sequence.tokenIDs, page.tokens)
    let activations = context.activations
    let largest = max(Float(page.latent.maxActivation ?? 0), context.maxActivation)
    let range = max(0, entry.peak - Self.reach)..<min(texts.count, entry.peak + Self.reach + 1)
    let tokens = range.map { position -> HTMLText in
      let text = texts[position].replacing("\n", with: "↵")
      let share = largest > 0 ? min(1, activations[position] / largest) : 0
      guard share > 0 else { return "\(text)" }
      let level = String(format: "%.2f", max(0.08, Double(share)))
      let strong: HTMLText = share > 0.7 ? " class=\"strong\"" : ""
      return
        "<mark\(strong) style=\"--a:\(level)\" title=\"\(shortNumber(Double(activations[position])))\">\(text)</mark>"
    }
    let before: HTMLText = range.lowerBound > 0 ? "…" : ""
    let after: HTMLText = range.upperBound < texts.count ? "…" : ""
    return """
      <li><p>\(before)\(tokens)\(after)</p><span class="peak">\(shortNumber(Double(entry.activation)))</span></li>

      """
  }

  // MARK: Steered answers

  private func answers(_ runs: [SavedRun]) -> HTMLText {
    guard !runs.isEmpty else { return "" }
    let more: HTMLText =
      runs.count > Self.mostRuns ? "<p class=\"more\">\(Self.mostRuns) of \(runs.count) experiments.</p>" : ""
    return "<h3>Steered answers</h3>\n\(runs.prefix(Self.mostRuns).map(run))\(more)"
  }

  private func run(_ run: SavedRun) -> HTMLText {
    var answers = run.namedAnswers.map { name, answer in
      column(name, answer.figuresText(of: answer.first), answer.text)
    }
    if answers.isEmpty, let outcome = run.outcomes?.first {
      answers = zip(run.armNames(outcome), outcome.answers).map { column($0, $1.figuresText, $1.text) }
    }
    let prompt = run.outcomes?.first?.prompt ?? run.record.prompt
    return """
      <article>
      <p class="prompt"><span>prompt</span> \(prompt)</p>
      <p class="plan">Experiment \(run.name): \(run.interventionsText)</p>
      <div class="answers">\(answers)</div>
      </article>

      """
  }

  private func column(_ name: String, _ figures: String, _ text: String) -> HTMLText {
    "<div><h4>\(name)</h4><p class=\"answer\">\(text)</p><p class=\"figures\">\(figures)</p></div>\n"
  }
}
