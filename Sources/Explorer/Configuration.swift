// The explorer's configuration: a JSON file of the user's, checked whole before anything is drawn. Unknown names,
// colours and keys are errors, and so is a key with two meanings. The command line goes before the file.

import Diffing
import Experiments
import Foundation
import Inference
import Reports
import TUI

/// The contents of the file; every field may be left out.
package struct Configuration: Codable, Equatable {
  package var theme: String?
  /// Colours of single roles, which replace the theme's: `#ff8700`, or a number of the terminal's 256 colours.
  package var colours: [String: String]?
  package var ascii: Bool?
  package var screenReader: Bool?
  package var mouse: Bool?
  package var keyBar: Bool?
  /// The most memory to use, as `--memory` takes it.
  package var memory: String?
  /// Keys by the names of bindings, see `KeyMap`.
  package var keys: [String: String]?

  package enum CodingKeys: String, CodingKey {
    case theme, colours, ascii, mouse, keys, memory
    case screenReader = "screen_reader"
    case keyBar = "key_bar"
  }

  /// The settings that hold without a file.
  package static var usual: Configuration {
    Configuration(
      theme: Palette.dark.name, colours: [:], ascii: false, screenReader: false, mouse: true, keyBar: true,
      keys: Dictionary(uniqueKeysWithValues: KeyMap.usual.names.map { ($0.name, $0.keys) }))
  }

  /// The text of a file with this configuration.
  package var text: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) + "\n" } ?? "{}\n"
  }

  /// The default path of the file.
  package static func usualPath(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> String {
    folder("XDG_CONFIG_HOME", else: ".config", environment) + "/config.json"
  }

  /// The program's folder below one of the XDG base folders; a relative one counts as not set, as the specification
  /// says (https://specifications.freedesktop.org/basedir-spec/latest/).
  package static func folder(_ variable: String, else usual: String, _ environment: [String: String]) -> String {
    let given = environment[variable].flatMap { $0.hasPrefix("/") ? $0 : nil }
    return (given ?? (environment["HOME"] ?? NSHomeDirectory()) + "/" + usual) + "/crosscope"
  }

  /// Reads a file.
  /// - Throws: `InputError.invalid` naming the file and the place in it.
  package init(path: String) throws {
    self = try readConfiguration(Configuration.self, path: path, expected: Self.expected)
  }

  /// Reads a text that is to become the file `source`.
  /// - Throws: `InputError.invalid` naming the file and the place in the text.
  package init(text: String, source: String) throws {
    self = try readConfiguration(Configuration.self, from: Data(text.utf8), source: source, expected: Self.expected)
  }

  private static let expected = "a configuration as `crosscope config` prints it"

  package init(
    theme: String? = nil, colours: [String: String]? = nil, ascii: Bool? = nil, screenReader: Bool? = nil,
    mouse: Bool? = nil, keyBar: Bool? = nil, memory: String? = nil, keys: [String: String]? = nil
  ) {
    (self.theme, self.colours, self.ascii, self.screenReader) = (theme, colours, ascii, screenReader)
    (self.mouse, self.keyBar, self.memory, self.keys) = (mouse, keyBar, memory, keys)
  }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    theme = try fields.decodeIfPresent(String.self, forKey: .theme)
    colours = try fields.decodeIfPresent([String: String].self, forKey: .colours)
    ascii = try fields.decodeIfPresent(Bool.self, forKey: .ascii)
    screenReader = try fields.decodeIfPresent(Bool.self, forKey: .screenReader)
    mouse = try fields.decodeIfPresent(Bool.self, forKey: .mouse)
    keyBar = try fields.decodeIfPresent(Bool.self, forKey: .keyBar)
    memory = try fields.decodeIfPresent(String.self, forKey: .memory)
    keys = try fields.decodeIfPresent([String: String].self, forKey: .keys)
  }
}

/// A configuration, checked and ready for use.
package struct Settings: Sendable {
  package var palette = Palette.dark
  var keyMap = KeyMap.usual
  package var asciiOnly = false
  package var isSpoken = false
  package var usesMouse = true
  package var hidesKeyBar = false
  package var memory: MemorySize?

  package init() {}

  /// - Parameter source: the file's name, for errors.
  package init(_ configuration: Configuration, source: String) throws(InputError) {
    if let name = configuration.theme { palette = try Self.palette(name, source: source) }
    for (name, text) in (configuration.colours ?? [:]).sorted(by: { $0.key < $1.key }) {
      guard let role = Role(rawValue: name), role != .plain else {
        throw .invalid(
          source: source,
          expected: "under colours \(Role.allCases.dropFirst().map(\.rawValue).joined(separator: ", "))",
          found: quoted(name))
      }
      guard let shade = Shade(text) else {
        throw .invalid(
          source: source, expected: "in colours.\(name) a colour such as \"#ff8700\" or \"208\"",
          found: quoted(text))
      }
      palette.set(role, shade)
    }
    keyMap = try KeyMap(configuration.keys ?? [:], source: source)
    asciiOnly = configuration.ascii ?? false
    isSpoken = configuration.screenReader ?? false
    usesMouse = configuration.mouse ?? true
    hidesKeyBar = !(configuration.keyBar ?? true)
    if let text = configuration.memory {
      memory = try? MemorySize(text)
      guard memory != nil else {
        throw .invalid(
          source: source, expected: "in memory a number of bytes, such as \"4G\"", found: quoted(text))
      }
    }
  }

  /// A theme by its name.
  package static func palette(_ name: String, source: String) throws(InputError) -> Palette {
    guard let palette = Palette.all.first(where: { $0.name == name }) else {
      throw .invalid(
        source: source, expected: "a theme, one of \(Palette.all.map(\.name).joined(separator: ", "))",
        found: quoted(name))
    }
    return palette
  }
}

extension ExplorerState {
  /// Applies the settings that concern the view.
  package mutating func apply(_ settings: Settings) {
    keyMap = settings.keyMap
    isSpoken = settings.isSpoken
    asciiOnly = settings.asciiOnly || settings.isSpoken
    hidesKeyBar = settings.hidesKeyBar
  }
}
