// `crosscope tag` adds and removes tags and sets the note of one or many latents, in one step of undo.

import ArgumentParser
import Reports
import Storage

struct Tag: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Add or remove tags, or set the note, of one or many latents.",
    discussion: "The command makes one edit, which u takes back in the explorer.")

  @Argument(help: .store, completion: .stores) var store: String
  @Argument(help: ArgumentHelp("The latents' numbers.", valueName: "latent")) var latents: [Int]
  @Option(help: ArgumentHelp("A tag to add; may be given several times.", valueName: "tag")) var add: [String] = []
  @Option(help: ArgumentHelp("A tag to remove; may be given several times.", valueName: "tag"))
  var remove: [String] = []
  @Option(help: ArgumentHelp("The new note; an empty text removes it.", valueName: "text")) var note: String?

  func validate() throws {
    if latents.isEmpty { throw ValidationError("name at least one latent") }
    if add.isEmpty, remove.isEmpty, note == nil {
      throw ValidationError("there is nothing to change; give --add, --remove or --note")
    }
  }

  func run() throws {
    do { try edit() } catch StorageError.replaced {
      // A build or an import replaced the store in between, so the edit is made again on the new one.
      try edit()
    }
  }

  private func edit() throws {
    let store = try Store(path: store, access: .readWrite)
    writeError(try store.annotate(latents, adding: add, removing: remove, note: note).summary)
    store.close()
  }
}
