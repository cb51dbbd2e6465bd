// `crosscope differences` says what fine-tuning changed, from two models alone: no dictionary is needed. What it finds is printed,
// and kept in a store, where the explorer shows it, or in a file.

import ArgumentParser
import Diffing
import Experiments
import Foundation
import Inference
import Pipeline
import Reports
import Storage

extension OrderFilter: ExpressibleByArgument {}

struct Differences: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say what fine-tuning changed, from two models and some texts, without a dictionary.",
    discussion: """
      Both models read the same texts in one pass: which tokens chat raises, on which texts and at which blocks the two part, \
      what the mean difference of their residual streams says, and what it does for chat's predictions. Without --texts and \
      --chats, texts that ship with the program are read. A store that is named keeps what is found; the explorer shows it \
      on the screen Differences (F7). With two equal models the command says so and finds nothing.
      """)

  @Argument(help: "A store or the configuration of a build; leave it out if --model names a model.") var source: String?
  @OptionGroup var files: ModelFileOptions
  @Option(
    help:
      "JSON lines with \"text\" or \"messages\", or a plain text whose paragraphs are the texts; may be given several times.",
    completion: .file())
  var texts: [String] = []
  @Option(help: "JSON lines with \"messages\"; may be given several times.", completion: .file()) var chats: [String] =
    []
  @Option(help: ArgumentHelp("The tokens of a text; chats may have four times as many.", valueName: "n")) var tokens =
    64
  @Option(help: ArgumentHelp("The most texts, and the most chats.", valueName: "n")) var count = 2000
  @Option(
    help: ArgumentHelp(
      "The blocks after which the mean difference is read, separated by commas (default: the middle one).",
      valueName: "layers"))
  var layers: String?
  @Option(help: ArgumentHelp("How many tokens count as the most raised of a position.", valueName: "n")) var top = 100
  @Option(
    help: ArgumentHelp(
      "Filter the orders of tokens: punctuation or special leaves these out, forms counts tokens as one that differ in case and blanks; may be given several times.",
      valueName: "filter"))
  var filter: [OrderFilter] = []
  @Option(help: ArgumentHelp("The number of topics; 0 leaves them out.", valueName: "n")) var topics = 3
  @Option(help: ArgumentHelp("Decides topics, random vectors and what chat writes.", valueName: "n")) var seed: UInt64 =
    0
  @Option(
    help: ArgumentHelp("Do the same with the adapter's matrices scrambled, and show it beside.", valueName: "scrambled")
  )
  var control: Control?
  @Flag(help: "Leave out what runs the models again: patchscopes, texts token by token, effects, what chat writes.")
  var quick = false
  @Option(
    help: ArgumentHelp(
      "Write tensors for the given tokens instead (the parity probe); needs --out.", valueName: "in.safetensors"))
  var probe: String?
  @Option(
    help: ArgumentHelp(
      "Keep what is found in this store (NAME.crosscope), or in this JSON file.", valueName: "store|file"))
  var out: String?
  @OptionGroup var output: OutputFileOptions
  @OptionGroup var computing: ComputeOptions
  @OptionGroup var form: ReportFormOptions

  enum Control: String, ExpressibleByArgument, CaseIterable { case scrambled }

  func validate() throws {
    if probe != nil {
      guard source == nil, out != nil, files.model != nil else {
        throw ValidationError("--probe needs --model and --out, and takes no store")
      }
      return
    }
    for (option, value, range) in [
      ("--tokens", tokens, 2...1 << 20), ("--count", count, 1...1 << 30), ("--top", top, 1...1 << 20),
      ("--topics", topics, 0...64),
    ] where !range.contains(value) {
      throw ValidationError("\(option): expected \(range.lowerBound) to \(range.upperBound), found \(value)")
    }
  }

  func run() async throws {
    if let probe, let out { return try run(probe: probe, out: out) }
    let isStore = out.map { $0.hasSuffix(".crosscope") || (try? Store(path: $0, access: .readOnly)) != nil } ?? false
    if let out, !isStore { try output.check(out) }
    let pair = try DifferencePair(
      source: source, files: files.locations, precision: computing.precision ?? .fast)
    if control != nil, pair.adapter == nil {
      throw ValidationError("--control scrambled needs a pair with an adapter")
    }
    var options = DifferenceRun.Options()
    (options.tokensPerText, options.texts, options.mostRaised) = (tokens, count, top)
    (options.topics, options.seed, options.runsAgain) = (topics, seed, !quick)
    options.filters = filter.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    // A store's latents are explained by directions of their own layer.
    options.layers =
      try layers.map { try Self.numbers($0, below: pair.engine.model.configuration.nLayers) }
      ?? pair.store.map { [try $0.modelPair().layer] }
    var run = DifferenceRun(engine: pair.engine, names: pair.names, options: options)
    run.control = control == nil ? nil : pair.adapter
    run.kept = (out ?? pair.store?.path).map { $0 + ".differences-partial" }
    let texts = try DifferenceTexts(plain: texts, chats: chats, tokens: tokens, count: count, engine: pair.engine)
    let found = try run.run(texts)
    var document = found.document
    let directions = found.directions
    if let store = pair.store, let stored = try? StoreCrosscoder(store) {
      document.nameLatents(of: stored.crosscoder, layer: stored.pair.layer) { name in
        directions.first { $0.name == name }?.vector
      }
    }
    if let out, !isStore {
      try output.write(storedJSON(document) + "\n", to: out)
    } else if let store = try out.map({ try self.store($0, pair) }) ?? pair.store {
      try store.save(differences: document.sections(), directions: directions)
    }
    try form.write(document, text: document.text, markdown: document.markdown)
  }

  /// The store at a path, made anew if there is none.
  private func store(_ path: String, _ pair: DifferencePair) throws -> Store {
    if !FileManager.default.fileExists(atPath: path) {
      let writer = try StoreWriter(
        replacing: path, pair: pair.modelPair(folder: StorePlace.folder(of: path)),
        meta: ["program": "crosscope \(ProgramVersion.current)"])
      try writer.add(tokens: pair.engine.tokenizer.records)
      try writer.finish()
    }
    let store = try Store(path: path, access: .readWrite)
    let (found, own) = (try store.modelPair(), try pair.modelPair(folder: StorePlace.folder(of: path)))
    for (what, a, b) in [
      ("model", found.model?.sha256, own.model?.sha256), ("adapter", found.adapter?.sha256, own.adapter?.sha256),
      ("base model", found.baseModel?.sha256, own.baseModel?.sha256),
    ] where a != b {
      throw InputError.mismatch(
        store: path, what: what, expected: a.map { "SHA-256 \($0.prefix(12))…" } ?? "none",
        found: b.map { "\($0.prefix(12))…" } ?? "none")
    }
    return store
  }

  private func run(probe path: String, out: String) throws {
    try output.check(out)
    let probe = try DifferenceProbe(path: path)
    let models = try PairedModels(
      model: files.model ?? "", adapter: files.adapter, base: files.baseModel, precision: computing.precision ?? .exact,
      vocabulariesMayDiffer: true)
    try probe.run(models).write(to: out, replacing: output.force)
  }

  private static func numbers(_ text: String, below limit: Int) throws -> [Int] {
    var numbers: [Int] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let value = Int(part.filter { !$0.isWhitespace }), (0..<limit).contains(value) else {
        throw ValidationError("--layers: expected blocks from 0 to \(limit - 1), found \(part)")
      }
      if !numbers.contains(value) { numbers.append(value) }
    }
    return numbers
  }
}
