// `crosscope tags` lists the tags in use and how many latents have each.

import ArgumentParser
import Reports
import Storage

struct Tags: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "List the tags of a store with their counts.")

  @Argument(help: .store, completion: .stores) var store: String
  @Flag(help: "Print one JSON document.") var json = false

  private struct Count: Encodable {
    var name: String
    var count: Int
  }

  func run() throws {
    let counts = try Store(path: store, access: .readOnly).tagCounts()
    if json {
      try printJSON(["tags": counts.map { Count(name: $0.name, count: $0.count) }])
      return
    }
    var table = TextTable([.init(title: "latents", isNumber: true), .init(title: "tag")])
    for (name, count) in counts { table.add(["\(count)", name]) }
    writeOut(table.text)
  }
}
