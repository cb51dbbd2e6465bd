// `crosscope build` and its four stages as separate commands: text → activations → crosscoder → scores → store. A stage whose
// result exists, made from the same inputs, does nothing, so that a build that was killed resumes at that stage.

import ArgumentParser
import Diffing
import Foundation
import Inference
import Kernels
import Pipeline

struct Build: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make a store from texts and two models: harvest, train, score, index. Resumes after a kill.")
  @OptionGroup var options: BuildOptions

  func run() throws {
    let (build, paths) = try options.load()
    try build.requireBothModels(source: paths.configuration)
    let engine = try options.engine(build, paths)
    try HarvestStage(build: build, paths: paths).run(engine: engine)
    let job = try TrainingJob(build: build, paths: paths)
    let texts = try LossTexts(build: build, paths: paths, shards: job.shards, engine: engine)
    try TrainStage(job: job, lossTexts: texts).run()
    try ScoreStage(build: build, paths: paths).run(engine: engine)
    try IndexStage(build: build, paths: paths).run(engine: engine)
  }
}

struct Harvest: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Read both models' residual streams over the corpus (stage 1 of build).",
    discussion: """
      Processes of one machine or many can share the work: each does --part I/N, in any order, and --merge joins the parts \
      to the same bytes that one process writes. A part that was killed resumes; one that is lost or damaged is named, and \
      made again by the same command (docs/scale.md).
      """)
  @OptionGroup var options: BuildOptions
  @Option(
    help: ArgumentHelp("Do part I of N, counted from 1, in a folder of its own.", valueName: "i/n"),
    transform: HarvestPart.init)
  var part: HarvestPart?
  @Flag(help: "Join the parts that are there; no model is loaded.") var merge = false

  func validate() throws {
    guard part == nil || !merge else { throw ValidationError("--part and --merge exclude each other") }
  }

  func run() throws {
    let (build, paths) = try options.load()
    let stage = HarvestStage(build: build, paths: paths)
    if merge { return try stage.merge() }
    try stage.run(engine: options.engine(build, paths), part: part)
  }
}

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Train the crosscoder, or the sparse autoencoder of one model or of chat − base, on harvested activations (stage 2 of build).",
    discussion: """
      A configuration may also name activations that others made: {"activations": DIR, "seed", "training", "work", \
      "crosscoder"} (docs/activations.md). A terminal shows the run as it goes; WORK/training.jsonl has every step, and \
      --watch shows that log from another terminal.
      """)
  @Argument(help: "The configuration of a build or of a training (JSON; see data/demo.json).") var config: String?
  @Option(help: ArgumentHelp("Show the run that writes this log instead of training.", valueName: "log.jsonl"))
  var watch: String?
  @OptionGroup var memory: MemoryOptions

  func validate() throws {
    guard (config == nil) != (watch == nil) else { throw ValidationError("give either a configuration or --watch") }
  }

  func run() throws {
    if let watch { return try TrainingWatch(path: watch).run() }
    guard let config else { return }
    if try namesActivations(path: config) { return try TrainStage(job: TrainingJob(path: config)).run() }
    let (build, paths) = try BuildOptions.load(config)
    try TrainStage(job: TrainingJob(build: build, paths: paths)).run()
  }
}

struct Score: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compute every latent's chat-specificity and statistics, and loss recovered (stage 3 of build).")
  @OptionGroup var options: BuildOptions

  func run() throws {
    let (build, paths) = try options.load()
    try ScoreStage(build: build, paths: paths).run(engine: options.engine(build, paths))
  }
}

struct Index: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Choose contexts and write the store (stage 4 of build).")
  @OptionGroup var options: BuildOptions

  func run() throws {
    let (build, paths) = try options.load()
    try IndexStage(build: build, paths: paths).run(engine: options.engine(build, paths))
  }
}

/// The options of all stages.
struct BuildOptions: ParsableArguments {
  @Argument(help: "The build's configuration (JSON; see data/demo.json).") var config: String
  @OptionGroup var memory: MemoryOptions

  func load() throws -> (BuildConfiguration, BuildPaths) { try Self.load(config) }

  static func load(_ config: String) throws -> (BuildConfiguration, BuildPaths) {
    let build = try BuildConfiguration(path: config)
    let paths = try BuildPaths(build, path: config)
    try makeFolder(paths.work)
    return (build, paths)
  }

  func engine(_ build: BuildConfiguration, _ paths: BuildPaths) throws -> Engine {
    try Engine(model: paths.model, adapter: paths.adapter, base: paths.baseModel, precision: build.computedPrecision)
  }
}
