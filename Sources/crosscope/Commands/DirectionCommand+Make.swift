// `crosscope direction STORE --name NAME …` makes directions: a difference in means of two sets of texts, principal components,
// or vectors that others made.

import ArgumentParser
import Diffing
import Experiments
import Foundation
import Inference
import Pipeline
import Reports
import Storage
import TUI

extension ReadStream: ExpressibleByArgument {}
extension CountedTokens: ExpressibleByArgument {}

extension DirectionCommand {
  struct Make: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make directions from texts or read them from a file (the subcommand that is meant without one).",
      discussion: """
        Files of texts are JSON lines with "text", "messages" or "prompt", or plain texts whose paragraphs are the texts. \
        --positive and --negative give the mean of the first set minus that of the second; its unit is its own norm. \
        --components N with --texts gives the N strongest principal components of chat − base; their unit is the standard \
        deviation along them. --file reads a control vector of llama.cpp or repeng (GGUF), safetensors, PyTorch or numpy \
        vectors; their unit is their norm. A number in a tensor's name is its block; where there is none, --layer says it, \
        and the rows of a matrix are those of --layer and the blocks after it. Several directions are named NAME BLOCK or \
        NAME NUMBER.
        """)

    @Argument(help: .store, completion: .stores) var store: String
    @Option(help: ArgumentHelp("What the direction is called.", valueName: "name")) var name: String
    @Option(help: ArgumentHelp("Texts of one set; may be given several times.", valueName: "file"), completion: .file())
    var positive: [String] = []
    @Option(help: ArgumentHelp("Texts of the other set.", valueName: "file"), completion: .file()) var negative:
      [String] = []
    @Option(help: ArgumentHelp("How many principal components to take.", valueName: "n")) var components: Int?
    @Option(help: ArgumentHelp("The texts of --components.", valueName: "file"), completion: .file()) var texts:
      [String] = []
    @Option(help: ArgumentHelp("A file of vectors.", valueName: "file"), completion: .file()) var file: String?
    @Option(help: ArgumentHelp("The block, counted from 0 (default: the crosscoder's).", valueName: "block"))
    var layer: Int?
    @Option(help: "The residual stream that is read: chat's (default of means), base's, or chat − base.")
    var stream: ReadStream?
    @Option(
      help: "The tokens that count: all, last or answer (default: a prompt's last, a chat's answer, all of a text).")
    var tokens: CountedTokens?
    @Option(help: ArgumentHelp("At most so many texts of each file, evenly from it.", valueName: "texts"))
    var limit: Int?
    @Option(help: ArgumentHelp("The number of tokens at which a text is cut.", valueName: "tokens")) var maxTokens = 256
    @Option(help: ArgumentHelp("Tags of the direction.", valueName: "tag")) var tag: [String] = []
    @OptionGroup var output: ReplaceOptions
    @OptionGroup var files: ModelFileOptions
    @OptionGroup var computing: ComputeOptions

    struct ReplaceOptions: ParsableArguments {
      @Flag(help: "Replace directions of the same names.") var force = false
    }

    func validate() throws {
      let ways = [!positive.isEmpty || !negative.isEmpty, components != nil || !texts.isEmpty, file != nil]
      guard ways.filter({ $0 }).count == 1 else {
        throw ValidationError("give one of --positive with --negative, --components with --texts, or --file")
      }
      guard positive.isEmpty == negative.isEmpty else {
        throw ValidationError("--positive and --negative need each other")
      }
      guard (components != nil) == !texts.isEmpty, (1...64).contains(components ?? 1) else {
        throw ValidationError("--components (1 to 64) and --texts need each other")
      }
      guard file == nil || (stream == nil && tokens == nil && limit == nil) else {
        throw ValidationError("--stream, --tokens and --limit change nothing with --file")
      }
      guard layer ?? 0 >= 0, limit ?? 1 > 0, maxTokens > 1 else {
        throw ValidationError("counts are positive, and a text has at least two tokens")
      }
    }

    func run() throws {
      let store = try Store(path: store, access: .readWrite)
      let records = try file.map { try read($0, store) } ?? (try computed(store))
      let names = Set(try store.directions().map(\.name))
      if !output.force, let taken = records.first(where: { names.contains($0.name) }) {
        throw ValidationError("the store has a direction \(taken.name) already; --force replaces it")
      }
      try store.save(directions: records.map { $0.with(tags: tag) })
      writeOut(try records.map { try DirectionEntry($0.with(tags: tag)) }.text)
      store.close()
    }

    /// The vectors of a file.
    private func read(_ path: String, _ store: Store) throws -> [DirectionRecord] {
      let pair = try store.modelPair()
      let file = try VectorFile(path: path, width: pair.dModel)
      let sha256 = try MappedFile(path: path).sha256()
      let records = try file.vectors.map { vector -> DirectionRecord in
        guard let block = vector.row.flatMap({ row in layer.map { $0 + row } }) ?? layer ?? vector.layer else {
          throw InputError.notSaid(
            source: path, what: "the block of tensor \(String(vector.name.prefix(80)))",
            remedy: "give --layer with the block, or that of a matrix' first row")
        }
        var card = DirectionCard()
        card.files = [URL(filePath: path).lastPathComponent]
        (card.tensor, card.sha256, card.model) = (vector.name, sha256, file.modelHint)
        return try record(vector.values, block, "vector from \(URL(filePath: path).lastPathComponent)", card)
      }
      if file.vectors.count > 1, layer != nil, file.vectors.contains(where: { $0.row == nil }) {
        throw ValidationError(
          "--layer: \(path) holds several vectors; their names say the blocks, or one file is needed for each")
      }
      if let hint = file.modelHint, hint != pair.chat {
        writeError(
          "direction: the file was made for a model that it calls \(termSafe(hint)); the store's is \(pair.chat)")
      }
      return named(records) { "\($1.layer)" }
    }

    /// Directions from texts.
    private func computed(_ store: Store) throws -> [DirectionRecord] {
      let context = try SteeringContext.load(
        store: store, files: files.locations, precision: computing.precision ?? .fast)
      let engine = context.engine
      let block = layer ?? context.pair.layer
      guard (0..<engine.model.configuration.nLayers).contains(block) else {
        throw ValidationError("--layer: expected 0 to \(engine.model.configuration.nLayers - 1), found \(block)")
      }
      let stream = stream ?? (components == nil ? .chat : .difference)
      if stream != .chat { try context.requireBase(store: store, otherwise: "; or take --stream chat") }
      let harvester = Harvester(engine: engine, layer: block)
      func read(_ paths: [String]) throws -> [ReadPositions] {
        try DirectionTexts.read(paths, counting: tokens, limit: limit, longest: maxTokens, engine: engine)
      }
      var card = DirectionCard()
      card.stream = stream
      card.files = (positive + negative + texts).map { URL(filePath: $0).lastPathComponent }
      guard let components else {
        let (first, second) = (try read(positive), try read(negative))
        var progress = ProgressLine("direction", total: first.count + second.count, unit: "texts")
        let found = try MeanDifference(of: first, against: second, stream, harvester: harvester) { progress.update($0) }
        card.texts = [first.count, second.count]
        card.projections = [
          found.positive.mean, found.positive.deviation, found.negative.mean, found.negative.deviation,
        ]
        return [try record(found.vector, block, "difference in means of \(stream.rawValue)", card)]
      }
      let all = try read(texts)
      var progress = ProgressLine("direction", total: all.count, unit: "texts")
      let found = try PrincipalComponents(components, of: all, stream, harvester: harvester) { progress.update($0) }
      (card.texts, card.tokens) = ([all.count], found.tokens)
      return named(
        try found.components.map { component in
          (card.deviation, card.share) = (component.deviation, component.share)
          var made = try record(
            component.vector, block,
            "principal component of \(stream == .difference ? "chat − base" : stream.rawValue), "
              + String(format: "%.1f %% of its variance", 100 * component.share), card)
          made.unit = component.deviation
          return made
        }
      ) { index, _ in "\(index + 1)" }
    }

    private func record(
      _ vector: [Float], _ block: Int, _ source: String, _ card: DirectionCard
    ) throws -> DirectionRecord {
      let norm = vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      guard norm > 0 else {
        throw InputError.invalid(
          source: "direction \(name)", expected: "a vector other than 0",
          found: "two sets of equal means, or a vector of 0")
      }
      var card = card
      card.norm = norm
      return DirectionRecord(
        name: name, layer: block, unit: norm, source: source, card: storedJSON(card), vector: vector)
    }

    /// The records under the name, with an ending if there are several.
    private func named(_ records: [DirectionRecord], _ ending: (Int, DirectionRecord) -> String) -> [DirectionRecord] {
      guard records.count > 1 else { return records }
      return records.enumerated().map { index, record in
        var result = record
        result.name = "\(name) \(ending(index, record))"
        return result
      }
    }
  }
}
