// A file of behaviours: {"about": …, "behaviours": [ … ]}. Every field must be known; an error names the file, and the
// behaviour and expression if there are any. The explorer offers a file called behaviours.json near the store.

import Diffing
import Foundation
import Inference

/// A file that holds behaviours.
package struct BehaviourFile: Sendable, Equatable {
  package var path: String
  package var behaviours: Behaviours

  package init(path: String, behaviours: Behaviours) { (self.path, self.behaviours) = (path, behaviours) }

  /// - Throws: `InputError.invalid` naming the field that cannot be read, `InferenceError` for an unreadable file.
  package init(path: String) throws {
    self.path = path
    let data = try MappedFile(path: path).contents()
    do {
      behaviours = try JSONDecoder().decode(Content.self, from: data).behaviours
    } catch let error as JSONFieldError {
      throw InputError.invalid(source: path, expected: "a file of behaviours", found: "\(error)")
    } catch let error as DecodingError {
      throw InputError.invalid(source: path, expected: "a file of behaviours", found: error.clause)
    }
  }

  private struct Content: Decodable {
    let behaviours: Behaviours

    init(from decoder: any Decoder) throws {
      let fields = try JSONFields(decoder, known: ["about", "behaviours"])
      _ = try fields.value("about", String.self)
      let found: [Behaviour] = try fields.required("behaviours")
      guard !found.isEmpty else { throw fields.invalid("behaviours", "expected at least one") }
      behaviours = try Behaviours(found)
    }
  }

  /// The file `behaviours.json` in the store's folder or the one above it. One that cannot be read is left out.
  package static func beside(store path: String) -> BehaviourFile? {
    let folder = URL(filePath: path).deletingLastPathComponent()
    return [folder, folder.deletingLastPathComponent()].lazy
      .map { $0.appending(path: "behaviours.json").path }
      .filter { FileManager.default.fileExists(atPath: $0) }
      .compactMap { try? BehaviourFile(path: $0) }.first
  }
}
