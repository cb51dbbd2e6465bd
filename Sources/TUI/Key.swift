// Keys and their names, which bindings, help and tests use.

/// A key that was pressed.
public struct Key: Hashable, Sendable {
  /// The key without modifiers.
  public enum Code: Hashable, Sendable {
    case character(Character)
    case enter, tab, escape, backspace, delete, insert
    case up, down, left, right, home, end, pageUp, pageDown
    case function(Int)
  }

  /// Keys held down at the same time. Shift appears only if the character does not show it (Shift-Tab, Shift-Up).
  public struct Modifiers: OptionSet, Hashable, Sendable {
    /// One bit for each key.
    public let rawValue: UInt8
    /// Makes a set from its bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// Shift.
    public static let shift = Modifiers(rawValue: 1)
    /// Alt, which terminals send as an escape byte before the key.
    public static let alt = Modifiers(rawValue: 2)
    /// Control.
    public static let control = Modifiers(rawValue: 4)
  }

  /// The key without modifiers.
  public var code: Code
  /// The keys held down at the same time.
  public var modifiers: Modifiers

  /// Makes a key with its modifiers.
  public init(_ code: Code, _ modifiers: Modifiers = []) {
    self.code = code
    self.modifiers = modifiers
  }

  /// The character that the key enters as text, if any.
  public var text: Character? {
    if case .character(let character) = code, modifiers.isEmpty { return character }
    return nil
  }

  /// The name, such as `q`, `ctrl-r`, `shift-tab`, `pgup`, `f1`, `space`; the inverse of `init(name:)`.
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

  /// Finds a key by its name; nil if no key has it.
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
  /// Finds a key by its name, for bindings and tests; an unknown name is a mistake in the program.
  public init(stringLiteral name: String) {
    guard let key = Key(name: name) else { preconditionFailure("no key is named \(name)") }
    self = key
  }
}

/// A press, release or wheel turn of the mouse at a cell.
public struct Mouse: Hashable, Sendable {
  /// What the mouse did.
  public enum Kind: Hashable, Sendable { case press, release, wheelUp, wheelDown }
  /// What the mouse did.
  public var kind: Kind
  /// The cell where it happened.
  public var point: Point

  /// Makes a mouse event.
  public init(_ kind: Kind, at point: Point) {
    self.kind = kind
    self.point = point
  }
}

/// An action of the user.
public enum Input: Hashable, Sendable {
  case key(Key)
  case mouse(Mouse)
  /// Text pasted in one piece, as marked by the terminal.
  case paste(String)
}
