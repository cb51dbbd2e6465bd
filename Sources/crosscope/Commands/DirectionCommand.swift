// `crosscope direction` makes directions of the residual stream and keeps them in a store: differences in means, principal
// components, vectors from files. It lists, shows, renames, tags and deletes them; `steer --direction` steers with them.

import ArgumentParser
import Diffing
import Experiments
import Foundation
import Inference
import Pipeline
import Reports
import Storage

struct DirectionCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "direction",
    abstract: "Make, read and keep directions of the residual stream: means, components, vectors from files.",
    discussion: """
      A direction is a vector after one block, with a card that says where it comes from, and a unit: strength 1 adds \
      that norm to the residual stream. `crosscope steer STORE --direction NAME:STRENGTH` steers with it, `steer --prompts` \
      compares latents with it (--against NAME), `export --direction` writes it. Without a subcommand a direction is made:
        crosscope direction STORE --name refusal --positive harmful.jsonl --negative benign.jsonl
        crosscope direction STORE --name tuning --components 3 --texts chats.jsonl
        crosscope direction STORE --name happy --file happy.gguf
      """,
    subcommands: [Make.self, List.self, ShowDirection.self, Edit.self, Delete.self], defaultSubcommand: Make.self)

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the directions of a store.")
    @Argument(help: .store, completion: .stores) var store: String
    @Flag(help: "Print one JSON document.") var json = false

    func run() throws {
      let entries = try Store(path: store, access: .readOnly).directions().map(DirectionEntry.init)
      if json { try printJSON(["directions": entries]) } else { writeOut(entries.text) }
    }
  }

  struct ShowDirection: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "show",
      abstract: "Show what a direction says and which latents it is made of.",
      discussion: """
        The logit lens reads the vector as the last block's output. Latents are compared where the direction belongs to the \
        crosscoder's block: by cosine, and as a sum of decoder directions without negative weights, found one latent at a \
        time; random vectors say which share means nothing.
        """)
    @Argument(help: .store, completion: .stores) var store: String
    @Argument(help: "The direction's name.") var name: String
    @Option(help: ArgumentHelp("How many tokens and latents are named.", valueName: "n")) var count = 10
    @Option(help: ArgumentHelp("The most latents of the sum.", valueName: "n")) var parts = 12
    @Flag(help: "Load no model, and leave the logit lens out.") var quick = false
    @OptionGroup var files: ModelFileOptions
    @OptionGroup var computing: ComputeOptions
    @Flag(help: "Print one JSON document.") var json = false

    func validate() throws {
      guard (1...1000).contains(count), (1...256).contains(parts) else {
        throw ValidationError("--count is 1 to 1000, and --parts 1 to 256")
      }
    }

    func run() throws {
      let store = try Store(path: store, access: .readOnly)
      let record = try store.direction(named: name)
      var document = try DirectionDocument(record)
      let stored: StoreCrosscoder
      if quick {
        stored = try StoreCrosscoder(store, mayBeMissing: true)
      } else {
        let context = try SteeringContext.load(
          store: store, files: files.locations, precision: computing.precision ?? .fast)
        try document.readTokens(record, engine: context.engine, count: count)
        stored = context.stored
      }
      if stored.crosscoder.nLatents > 0, stored.pair.layer == record.layer {
        try document.compare(record, with: stored.crosscoder, store: store, count: count, limit: parts)
      }
      if json { try printJSON(document) } else { writeOut(document.text) }
    }
  }

  struct Edit: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Rename a direction, tag it, or change its unit.")
    @Argument(help: .store, completion: .stores) var store: String
    @Argument(help: "The direction's name.") var name: String
    @Option(help: ArgumentHelp("The new name.", valueName: "name")) var rename: String?
    @Option(help: ArgumentHelp("A tag to add; may be given several times.", valueName: "tag")) var tag: [String] = []
    @Option(help: ArgumentHelp("A tag to remove; may be given several times.", valueName: "tag")) var untag: [String] =
      []
    @Option(help: ArgumentHelp("The norm that strength 1 adds.", valueName: "norm")) var unit: Double?

    func validate() throws {
      guard rename != nil || !tag.isEmpty || !untag.isEmpty || unit != nil else {
        throw ValidationError("there is nothing to change; give --rename, --tag, --untag or --unit")
      }
    }

    func run() throws {
      let store = try Store(path: store, access: .readWrite)
      let old = try store.direction(named: name)
      let tags = (old.tags.filter { !untag.contains($0) } + tag).reduce(into: [String]()) {
        if !$0.contains($1) { $0.append($1) }
      }
      var record = old.with(tags: tags)
      if let unit { record.unit = unit }
      if let rename { record.name = rename }
      try store.replace(direction: name, with: record)
      writeError("\(record.name) is saved")
      store.close()
    }
  }

  struct Delete: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Delete directions of a store.")
    @Argument(help: .store, completion: .stores) var store: String
    @Argument(help: "The directions' names.") var names: [String]

    func run() throws {
      let store = try Store(path: store, access: .readWrite)
      // A name that is wrong should not be found after others were deleted.
      for name in names { _ = try store.direction(named: name) }
      for name in names { _ = try store.deleteDirection(named: name) }
      writeError(names.count == 1 ? "\(names[0]) is deleted" : "\(names.count) directions are deleted")
      store.close()
    }
  }
}
