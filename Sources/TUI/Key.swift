// Keys and their names: the names are what bindings, help and tests are written in.

/// A key as typed.
public struct Key: Hashable, Sendable {
  /// What was struck.
  public enum Code: Hashable, Sendable {
    case character(Character)
    case enter, tab, escape, backspace, delete, insert
    case up, down, left, right, home, end, pageUp, pageDown
    case function(Int)
  }

  /// Keys held meanwhile. Shift is reported only where the character does not show it (Shift-Tab, Shift-Up).
  public struct Modifiers: OptionSet, Hashable, Sendable {
    /// One bit a key.
    public let rawValue: UInt8
    /// From bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// Shift.
    public static let shift = Modifiers(rawValue: 1)
    /// Alt, or an escape byte in front.
    public static let alt = Modifiers(rawValue: 2)
    /// Control.
    public static let control = Modifiers(rawValue: 4)
  }

  /// What was struck.
  public var code: Code
  /// What was held.
  public var modifiers: Modifiers

  /// A key, with what is held meanwhile.
  public init(_ code: Code, _ modifiers: Modifiers = []) {
    self.code = code
    self.modifiers = modifiers
  }

  /// The character that the key enters as text, if it does.
  public var text: Character? {
    if case .character(let character) = code, modifiers.isEmpty { return character }
    return nil
  }

  /// `q`, `ctrl-r`, `shift-tab`, `pgup`, `f1`, `space`; the inverse of `init(name:)`.
  public var name: String {
    var prefix = ""
    if modifiers.contains(.control) { prefix += "ctrl-" }
    if modifiers.contains(.alt) { prefix += "alt-" }
    if modifiers.contains(.shift) { prefix += "shift-" }
    switch code {
    case .character(" "): return prefix + "space"
    case .character(let character): return prefix + String(character)
    case .function(let number): return prefix + "f\(number)"
    default: return prefix + (Self.named.first { $0.value == code }?.key ?? "?")
    }
  }

  /// The name as people write it: `Ctrl-R`, `PgUp`, `↑`.
  public var label: String {
    var prefix = ""
    if modifiers.contains(.control) { prefix += "Ctrl-" }
    if modifiers.contains(.alt) { prefix += "Alt-" }
    if modifiers.contains(.shift) { prefix += "Shift-" }
    switch code {
    case .character(" "): return prefix + "Space"
    case .character(let character): return prefix + (prefix.isEmpty ? String(character) : character.uppercased())
    case .up: return prefix + "↑"
    case .down: return prefix + "↓"
    case .left: return prefix + "←"
    case .right: return prefix + "→"
    case .pageUp: return prefix + "PgUp"
    case .pageDown: return prefix + "PgDn"
    case .function(let number): return prefix + "F\(number)"
    case .escape: return prefix + "Esc"
    case .delete: return prefix + "Del"
    case .insert: return prefix + "Ins"
    case .enter: return prefix + "Enter"
    case .tab: return prefix + "Tab"
    case .backspace: return prefix + "Backspace"
    case .home: return prefix + "Home"
    case .end: return prefix + "End"
    }
  }

  /// A key by its name; nil if there is none of that name.
  public init?(name: String) {
    var rest = Substring(name)
    var modifiers: Modifiers = []
    let prefixes: [(String, Modifiers)] = [("ctrl-", .control), ("alt-", .alt), ("shift-", .shift)]
    for (prefix, modifier) in prefixes where rest.hasPrefix(prefix) && rest.count > prefix.count {
      modifiers.insert(modifier)
      rest = rest.dropFirst(prefix.count)
    }
    if let code = Self.named[String(rest)] {
      self.init(code, modifiers)
    } else if rest == "space" {
      self.init(.character(" "), modifiers)
    } else if rest.count == 1, let character = rest.first {
      self.init(.character(character), modifiers)
    } else if rest.first == "f", let number = Int(rest.dropFirst()), (1...24).contains(number) {
      self.init(.function(number), modifiers)
    } else {
      return nil
    }
  }

  private static let named: [String: Code] = [
    "enter": .enter, "tab": .tab, "esc": .escape, "backspace": .backspace, "del": .delete, "ins": .insert,
    "up": .up, "down": .down, "left": .left, "right": .right, "home": .home, "end": .end, "pgup": .pageUp,
    "pgdn": .pageDown,
  ]
}

extension Key: ExpressibleByStringLiteral {
  /// A key by its name, in bindings and tests; an unknown name is a mistake of the program.
  public init(stringLiteral name: String) {
    guard let key = Key(name: name) else { preconditionFailure("no key is named \(name)") }
    self = key
  }
}

/// A press, release or turn of the mouse at a cell.
public struct Mouse: Hashable, Sendable {
  /// What the mouse did.
  public enum Kind: Hashable, Sendable { case press, release, wheelUp, wheelDown }
  /// What it did.
  public var kind: Kind
  /// Where.
  public var point: Point

  /// What it did, and where.
  public init(_ kind: Kind, at point: Point) {
    self.kind = kind
    self.point = point
  }
}

/// What the user did.
public enum Input: Hashable, Sendable {
  case key(Key)
  case mouse(Mouse)
  /// Text pasted in one piece, as the terminal marked it.
  case paste(String)
}
