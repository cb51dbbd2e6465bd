// The tables of all file formats of other programs, grouped as the sections of docs/formats.md, which prints them.

import Diffing
import Experiments
import Inference
import Reports
import Storage
import TUI

/// The treatment of every field of every format.
package enum FileFormats {
  /// A section of the document: its heading and tables.
  package static var sections: [(heading: String, tables: [FormatTable])] {
    [
      ("Models", FormatTable.models), ("Adapters", [.adapter]),
      ("Dictionaries", CrosscoderFile.tables),
      ("Tables and examples", [LatentTable.format, examples]),
      ("Dashboards", [NeuronpediaExport.format, SAEDashboardFiles.format, DelphiCache.format]),
      ("Activations", [ActivationShards.cacheFormat]),
      ("HTTP requests", [.chatCompletion, .chatMessage, .contentPart, .streamOptions]),
      ("Tokenizers", FormatTable.tokenizers),
    ]
  }

  private static let examples = FormatTable(
    "examples.db", reference: "diffing-toolkit e0b84a5, both schemas", unknown: .ignored,
    PublishedExamples.columns.map { .honoured($0.name, $0.note) })

  /// A section as Markdown with its heading.
  package static func markdown(_ section: (heading: String, tables: [FormatTable])) -> String {
    "## \(section.heading)\n\n" + (section.heading == "Dictionaries" ? CrosscoderFile.formsAsMarkdown + "\n" : "")
      + section.tables.map(\.markdown).joined(separator: "\n")
  }
}
