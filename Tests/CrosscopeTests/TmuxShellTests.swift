// The shell's part of the real program in a real terminal: clipboard, editor, state, two explorers, redrawing.

import Foundation
import Glibc
import Storage
import TestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import ExplorerTestSupport
@testable import Reports
@testable import crosscope

@Suite(.serialized, .enabled(if: TmuxTerminal.isAvailable, "tmux is not installed, or the program not built"))
struct TmuxShellTests {
  let sample: SampleStore

  init() throws { sample = try SampleStore() }

  /// A program of the shell's, as an editor.
  private func script(_ body: String) throws -> String {
    let path = sample.folder + "/editor"
    try Data("#!/bin/sh\n\(body)\n".utf8).write(to: URL(filePath: path))
    try #require(chmod(path, 0o755) == 0)
    return path
  }

  @Test func copiesReachTheTerminalsClipboard() throws {
    let terminal = try TmuxTerminal()
    try terminal.set("set-clipboard", "on")
    try terminal.explore(sample.path)
    try terminal.type("jy")
    try terminal.wait(for: "copied the id of latent 42, 2 bytes")
    try terminal.wait(forBuffer: "42")
    try terminal.press("Enter")
    try terminal.wait(for: "Contexts above 95 %")
    try terminal.type("Y")
    try terminal.wait(for: "copied the page of latent 42")
    try terminal.wait(forBuffer: "Logit lens")
    try terminal.type("qq")
    try terminal.wait(for: "status 0")
  }

  @Test func theEditorGetsTheTerminalAndGivesItBack() throws {
    let editor = try script("stty -a | grep -o '.icanon'; read -r line\necho \"note: $line\" > \"$1\"")
    let terminal = try TmuxTerminal(environment: ["VISUAL": editor])
    try terminal.explore(sample.path)
    try terminal.type("E")
    try terminal.wait(for: " icanon")
    try terminal.command("typed in the editor")
    try terminal.wait(for: "note: typed in the editor")
    try terminal.press("Enter")
    try terminal.wait(for: "note on latent 5")
    #expect(try sample.open(.readOnly).note(of: 5) == "note: typed in the editor")
    try terminal.type("j")
    try terminal.wait(for: "Latent 42")
    try terminal.type("q")
    try terminal.wait(for: "status 0")
    try terminal.wait(for: " icanon")
  }

  @Test func aMissingEditorCostsALine() throws {
    let terminal = try TmuxTerminal(environment: ["VISUAL": "", "EDITOR": "no-such-editor"])
    try terminal.explore(sample.path)
    try terminal.type("n")
    try terminal.wait(for: "Note on latent 5")
    try terminal.type("half a thought")
    try terminal.press("M-e")
    try terminal.wait(for: "was not found; set VISUAL or EDITOR")
    try terminal.wait(for: "half a thought")
    try terminal.press("Enter")
    try terminal.wait(for: "note on latent 5")
    try terminal.type("q")
    try terminal.wait(for: "status 0")
  }

  @Test func theConfigurationIsEditedFromInside() throws {
    let editor = try script("sed -i 's/\"undo\" : \"u\"/\"undo\" : \"f8\"/' \"$1\"")
    let terminal = try TmuxTerminal(environment: ["VISUAL": editor])
    try terminal.explore(sample.path)
    try terminal.type(":edit configuration")
    try terminal.press("Enter")
    try terminal.wait(for: "the configuration is in use")
    try terminal.press("F8")
    try terminal.wait(for: "nothing to undo")
    try terminal.type("q")
    try terminal.wait(for: "status 0")
    try terminal.explore(sample.path, "--fresh")
    try terminal.press("F8")
    try terminal.wait(for: "nothing to undo")
    try terminal.type("q")
  }

  @Test func anEditorLeftWithoutWritingLeavesTheConfiguration() throws {
    let terminal = try TmuxTerminal(environment: ["VISUAL": "", "EDITOR": try script("test -s \"$1\"")])
    try terminal.explore(sample.path)
    try terminal.type(":edit configuration")
    try terminal.press("Enter")
    try terminal.wait(for: "the configuration is as it was")
    #expect(!FileManager.default.fileExists(atPath: terminal.home + "/config/crosscope/config.json"))
    _ = try script("echo '{\"theme\":\"light\"}' > \"$1\"; exit 1")
    try terminal.type(":edit configuration")
    try terminal.press("Enter")
    try terminal.wait(for: "ended with status 1; nothing was changed")
    #expect(!FileManager.default.fileExists(atPath: terminal.home + "/config/crosscope/config.json"))
    try terminal.type("q")
    try terminal.wait(for: "status 0")
  }

  @Test func theNextStartGoesOnWhereTheLastEnded() throws {
    let terminal = try TmuxTerminal()
    try terminal.explore(sample.path)
    try terminal.type("jjl")
    try terminal.wait(for: "› Latent 19")
    try terminal.type("\"m")
    try terminal.wait(for: "mark m: latent 19")
    try terminal.signal(SIGTERM)
    try terminal.wait(for: "status 143")
    try terminal.explore(sample.path, until: "› Latent 19")
    try terminal.type("q")
    try terminal.wait(for: "by chat-specificity")
    try terminal.type("g'm")
    try terminal.wait(for: "› Latent 19")
    try terminal.type("qq")
    try terminal.wait(for: "status 0")
    try terminal.explore(sample.path, "--fresh")
    try terminal.wait(for: "Latent 5 ")
    try terminal.type("q")
    try terminal.wait(for: "status 0")
    try terminal.explore(sample.path, "--latent 7 --filter 'not dead' --sort nu-error", until: "› Latent 7")
    try terminal.type("q")
    try terminal.wait(for: "by ν^ε ▲")
    try terminal.type("q")
  }

  @Test func anotherExplorersTagsAreSeen() throws {
    let (one, other) = (try TmuxTerminal(), try TmuxTerminal())
    try one.explore(sample.path)
    try other.explore(sample.path)
    try one.type("t")
    try one.wait(for: "[ ] refusal")
    try one.press("Enter")
    try one.wait(for: "[x] refusal")
    try other.wait(for: "refusal")
    try other.type("j")
    try other.wait(for: "Latent 42")
    try other.wait(for: "ready")
    try other.type("n")
    try other.wait(for: "Note on latent 42")
    try other.type("seen")
    try other.press("Enter")
    try other.wait(for: "note on latent 42")
    try one.escape("Tags of")
    try one.type("u")
    try one.wait(for: "undone: ")
    let store = try sample.open(.readOnly)
    #expect(try store.tags(of: [5]).isEmpty && store.note(of: 42) == "seen", "each takes back its own changes")
    store.close()
    for terminal in [one, other] {
      try terminal.type("q")
      try terminal.wait(for: "status 0")
    }
    #expect(!FileManager.default.fileExists(atPath: sample.path + "-wal"))
  }

  /// What was sent piece by piece looks like what is sent whole.
  @Test(arguments: [
    (["TERM": "xterm-256color"], ""), (["TERM": "screen"], "--ascii"), (["TERM": "linux"], "--theme okabe-ito"),
    (["TERM": "tmux-256color", "NO_COLOR": "1"], ""), (["TERM": "xterm-256color"], "--screen-reader"),
  ])
  func redrawingChangesNothing(environment: [String: String], options: String) throws {
    try SampleExperiments.save(in: try sample.open())
    // Whoever runs the tests may want no colours himself.
    let terminal = try TmuxTerminal(environment: environment.merging(["NO_COLOR": ""]) { given, _ in given })
    try terminal.explore(sample.path, options)
    // Keys, and what the last of them leads to.
    let steps: [[(keys: [String], shown: [String])]] = [
      [(["3", "j", ">"], ["by id", "Latent 0 ", "40.0"])], [(["Enter", "w", "PPage", "NPage"], ["peak at token 24"])],
      [(["F3"], ["57 latents, 3 without values"]), (["+", "v", "l", "l", "k"], ["box: 2 latents", "1.0255"])],
      [(["Escape"], []), (["?"], ["j k scroll"])], [(["Escape"], []), ([":"], ["take it"]), (["Down"], [])],
      [(["Escape"], []), (["F6"], ["3 experiments, newest first"]), (["Enter", "j"], ["Made with"])],
      [(["F2", "/", "x"], ["did you mean id", "quotes"])],
      [(["Escape"], []), (["n"], ["Note on latent 0"]), (["é"], []), (["漢"], []), (["BSpace"], [])],
    ]
    for step in steps {
      for (keys, shown) in step {
        let before = try terminal.styledScreen()
        for key in keys { try terminal.press(key) }
        try terminal.waitUntil("a change after \(keys)") { _ in try terminal.styledScreen() != before }
        try terminal.settle(showing: shown)
      }
      let keys = step.flatMap(\.keys)
      let pieces = try terminal.cells()
      if keys.last != "x", keys.last != "BSpace", keys.last != "Down", keys.last != "?" {
        try terminal.redraw()
        let whole = try terminal.cells()
        TmuxTerminal.expectSame(pieces, whole, after: keys)
      }
      // A stop and a return send everything anew too, whatever the keys are for.
      let lastRow = try terminal.lastRow()
      try terminal.press("C-z")
      try terminal.wait(for: "Stopped")
      try terminal.command("clear; fg")
      try terminal.waitForRedraw(endingIn: lastRow)
      let again = try terminal.cells()
      TmuxTerminal.expectSame(pieces, again, after: keys)
    }
    try terminal.press("C-c", "C-c")
    // Where a terminal has no second screen, the prompt is written over the keys' row.
    try terminal.waitUntil("the shell has the terminal again") { TmuxTerminal.lastRow(of: $0).hasPrefix("$") }
    try terminal.command("echo and he're'")
    try terminal.wait(for: "\nand here")
  }

  @Test(.enabled(if: ["/usr/bin/tic", "/bin/tic"].contains { FileManager.default.isExecutableFile(atPath: $0) }))
  func coloursAreExactWhereTheTerminalHasThem() throws {
    let set = { (digit: Int, ground: Int) in
      "\\E[%?%p1%{8}%<%t\(digit)%p1%d%e\(ground)\\:2\\:\\:%p1%{65536}%/%d\\:%p1%{256}%/%{255}%&%d\\:%p1%{255}%&%d%;m"
    }
    let entry = """
      xterm-direct|xterm with exact colours,
      \tRGB, colors#0x1000000, pairs#0x10000, setab=\(set(4, 48)), setaf=\(set(3, 38)),
      \tsetb@, setf@, initc@, ccc@, use=xterm-256color,

      """
    try Data(entry.utf8).write(to: URL(filePath: sample.folder + "/direct.ti"))
    let terminal = try TmuxTerminal(
      environment: [
        "NO_COLOR": "", "TERM": "xterm-256color", "COLORTERM": "truecolor", "TERMINFO_DIRS": sample.folder + "/info:",
      ])
    try terminal.command("tic -x -o \(sample.folder)/info \(sample.folder)/direct.ti; echo \"tic $?\"")
    try terminal.wait(for: "tic 0")
    try terminal.explore(sample.path, "--theme okabe-ito")
    let screen = try terminal.styledScreen()
    #expect(screen.contains("38;2;230;159;0"), "\(screen.replacing("\u{1B}", with: "^").prefix(900))")
    try terminal.type("q")
    try terminal.wait(for: "status 0")
  }

  @Test func twoHundredSizesLaterTheScreenIsWhole() throws {
    let terminal = try TmuxTerminal()
    try terminal.explore(sample.path)
    var number: UInt64 = 7
    for index in 0..<200 {
      number = number &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      try terminal.resize(columns: 20 + Int(number >> 33) % 120, rows: 5 + Int(number >> 43) % 45)
      if index % 3 == 0 { try terminal.press(index % 2 == 0 ? "j" : "NPage") }
    }
    try terminal.resize(columns: 90, rows: 30)
    // The pair's name ends a column before the edge: until then the program has not heard of this size.
    try terminal.waitUntil("90 columns") { $0.prefix { $0 != "\n" }.count == 89 }
    // To the end and back: the keys before these have had their effect.
    try terminal.press("End")
    try terminal.wait(for: "Latent 57 ")
    try terminal.press("Home")
    try terminal.settle(showing: ["Latent 5 ", "8.7"])
    let after = try terminal.cells()
    try terminal.redraw()
    let whole = try terminal.cells()
    TmuxTerminal.expectSame(after, whole, after: ["200 sizes"])
    try terminal.type("q")
    try terminal.wait(for: "status 0")
  }
}

extension TmuxTerminal {
  /// Sets an option of the server.
  func set(_ option: String, _ value: String) throws { try run(["set", "-g", option, value]) }

  /// Waits until the newest paste buffer holds a text.
  func wait(forBuffer text: String, _ location: SourceLocation = #_sourceLocation) throws {
    try waitUntil("\"\(text)\" is in the clipboard", location) { _ in try run(["show-buffer"]).contains(text) }
  }

  /// Waits until the screen shows what the keys lead to, no work is under way, and all that was drawn is there.
  /// - Parameter texts: what is there only when the last key has had its effect.
  func settle(showing texts: [String], _ location: SourceLocation = #_sourceLocation) throws {
    try waitUntil("\(texts), ready", location) { screen in
      screen.contains(" ready") && texts.allSatisfy { screen.contains($0) }
    }
    // A frame is whole when the thread that writes it sleeps; tmux has read it when it has answered once more.
    let explorer = try explorer()
    let guarding = HangGuard()
    while !guarding.isOver {
      let state = try String(contentsOfFile: "/proc/\(explorer)/stat", encoding: .utf8)
      if state.contains(") S ") { break }
    }
    try run(["list-panes"])
  }

  /// The keys' row, at the bottom.
  func lastRow() throws -> String { Self.lastRow(of: try screen()) }

  static func lastRow(of screen: String) -> String {
    screen.split(separator: "\n").last.map(String.init) ?? ""
  }

  /// Has the explorer draw everything anew over rubbish in the last row, and waits until it has.
  func redraw(_ location: SourceLocation = #_sourceLocation) throws {
    let lastRow = try lastRow()
    let pane = try run(["display-message", "-p", "#{pane_tty} #{pane_height}"]).trimmed.split(separator: " ")
    // Behind the explorer's back; the cursor and its style are afterwards as they were.
    let tty = FileHandle(fileDescriptor: open(String(pane[0]), O_WRONLY | O_NOCTTY), closeOnDealloc: true)
    try tty.write(contentsOf: Data("\u{1B}7\u{1B}[\(pane[1]);1H0123456789\u{1B}8".utf8))
    try wait(for: "0123456789", location)
    try press("C-l")
    try waitForRedraw(endingIn: lastRow, location)
  }

  /// Waits until everything was drawn anew: from the top, so that the last row comes last.
  func waitForRedraw(endingIn lastRow: String, _ location: SourceLocation = #_sourceLocation) throws {
    try waitUntil("the last row \(lastRow)", location) { Self.lastRow(of: $0) == lastRow }
    try settle(showing: [], location)
  }

  /// What is to be seen in each cell: a character and its style. The colour of a blank's text is not to be seen.
  func cells() throws -> [String] {
    var (text, ground, attributes) = ("", "", Set<Int>())
    return try run(["capture-pane", "-p", "-e", "-N"]).replacing(/\u{E}|\u{F}/, with: "").split(
      separator: "\n", omittingEmptySubsequences: false
    )
    .map { line in
      var (cells, rest) = ([String](), line)
      while let first = rest.first {
        if let escape = rest.prefixMatch(of: /\u{1B}\[([0-9;]*)m/) {
          Self.apply(escape.1.split(separator: ";").compactMap { Int($0) }, &text, &ground, &attributes)
          rest = rest[escape.range.upperBound...]
        } else {
          let shown = first == " " ? "" : text
          let marks = first == " " ? attributes.intersection([4, 7]) : attributes
          cells.append("\(first)|\(shown)|\(ground)|\(marks.sorted())")
          rest = rest.dropFirst()
        }
      }
      // What is cleared to the end of a line has its ground, but tmux does not say so.
      while let last = cells.last, last.hasPrefix(" |"), last.hasSuffix("|[]") { cells.removeLast() }
      return cells.joined(separator: " ")
    }
  }

  private static func apply(_ codes: [Int], _ text: inout String, _ ground: inout String, _ attributes: inout Set<Int>)
  {
    var rest = (codes.isEmpty ? [0] : codes)[...]
    while let code = rest.popFirst() {
      switch code {
      case 0: (text, ground, attributes) = ("", "", [])
      case 1...9: attributes.insert(code)
      case 22: attributes.subtract([1, 2])
      case 23...29: attributes.remove(code - 20)
      case 39: text = ""
      case 49: ground = ""
      case 38, 48:
        let colour = "\(rest.prefix(rest.first == 2 ? 4 : 2))"
        rest = rest.dropFirst(rest.first == 2 ? 4 : 2)
        if code == 38 { text = colour } else { ground = colour }
      case 40...47, 100...107: ground = "\(code)"
      default: text = "\(code)"
      }
    }
  }

  /// An issue that shows the first row that differs, if one does.
  static func expectSame(
    _ one: [String], _ other: [String], after keys: [String], _ location: SourceLocation = #_sourceLocation
  ) {
    guard one != other else { return }
    let rows = zip(one, other).enumerated().first { $0.element.0 != $0.element.1 }
    Issue.record(
      "after \(keys) row \(rows?.offset ?? -1) was\n\(rows?.element.0 ?? "")\nand became\n\(rows?.element.1 ?? "")",
      sourceLocation: location)
  }
}
