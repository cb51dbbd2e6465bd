// The real program in a real terminal, driven through tmux: keys in, screen out, waiting for what must appear.

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

/// A tmux server of its own with one window; gone with this object.
final class TmuxTerminal {
  private static let tmux = ["/usr/bin/tmux", "/bin/tmux", "/usr/local/bin/tmux"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }
  static var isAvailable: Bool { tmux != nil && program != nil }

  /// The program that was built together with these tests.
  static let program: String? = {
    let folder = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
    let path = folder.appending(path: "crosscope").path
    return FileManager.default.isExecutableFile(atPath: path) ? path : nil
  }()

  private let socket = "crosscope-test-\(UUID().uuidString.prefix(8))"
  /// Where the explorers of this terminal keep their state.
  let home = FileManager.default.temporaryDirectory.path + "/crosscope-home-\(UUID().uuidString)"
  /// A pipe with what the window's programs write: a test that waits for the screen to change sleeps until more comes.
  private let output: Int32

  /// Opens a shell of the given size, with a short prompt, and with a state and configuration that nobody else has.
  init(columns: Int = 80, rows: Int = 24, environment given: [String: String] = [:], showsTour: Bool = false) throws {
    let environment = given.merging(
      ["XDG_STATE_HOME": home + "/state", "XDG_CONFIG_HOME": home + "/config"], uniquingKeysWith: { given, _ in given })
    let variables = environment.map { "\($0)='\($1)'" }.sorted().joined(separator: " ")
    // Only its own test sees the tour.
    let state = home + "/state/crosscope"
    try FileManager.default.createDirectory(atPath: state, withIntermediateDirectories: true)
    if !showsTour {
      try Data("{\"stores\":{},\"hasSeenTour\":true}".utf8).write(to: URL(filePath: state + "/state.json"))
    }
    try #require(mkfifo(home + "/output", 0o600) == 0)
    output = Glibc.open(home + "/output", O_RDWR | O_NONBLOCK | O_CLOEXEC)
    try #require(output >= 0)
    try run(
      [
        "-f", "/dev/null", "new-session", "-d", "-x", "\(columns)", "-y", "\(rows)",
        "env PS1='$ ' LC_ALL=C.UTF-8 \(variables) /bin/bash --norc -i",
      ])
    try run(["set", "-g", "escape-time", "0"])
    try run(["pipe-pane", "-O", "exec cat > '\(home)/output'"])
    try wait(for: "$")
  }

  deinit {
    _ = try? run(["kill-server"])
    close(output)
    try? FileManager.default.removeItem(atPath: home)
  }

  /// Types a command line into the shell.
  func command(_ line: String) throws {
    try run(["send-keys", "-l", "--", line])
    try press("Enter")
  }

  /// Starts the explorer on a store and waits for its first list.
  func explore(_ store: String, _ options: String = "", until text: String = "by chat-specificity") throws {
    guard let program = Self.program else { return }
    try command("clear; \(program) explore \(store) \(options); echo \"status $?\"; stty -a | grep -o '.icanon'")
    try wait(for: text)
    try wait(for: "ready")
  }

  /// Presses keys, in tmux's names.
  func press(_ keys: String...) throws { for key in keys { try run(["send-keys", key]) } }

  func type(_ text: String) throws { try run(["send-keys", "-l", "--", text]) }

  func resize(columns: Int, rows: Int) throws {
    try run(["resize-window", "-x", "\(columns)", "-y", "\(rows)"])
  }

  /// The characters on the screen.
  func screen() throws -> String { try run(["capture-pane", "-p"]) }

  /// With the escape sequences of their styles.
  func styledScreen() throws -> String { try run(["capture-pane", "-p", "-e"]) }

  /// Waits until the screen holds a text; an issue with the last screen, if it never does.
  @discardableResult
  func wait(for text: String, _ location: SourceLocation = #_sourceLocation) throws -> String {
    try waitUntil("\"\(text)\" is there", location) { $0.contains(text) }
  }

  /// Waits until the screen is as wanted; an issue with the last screen, if it never is.
  @discardableResult
  func waitUntil(
    _ what: String, _ location: SourceLocation = #_sourceLocation, isWanted: (String) throws -> Bool
  ) throws -> String {
    let guarding = HangGuard()
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let last = try screen()
      if try isWanted(last) { return last }
      // tmux hands on what the programs write before it answers the next command: the next look shows it.
      guard guarding.waitForInput(output) else {
        Issue.record("never seen: \(what); the screen was\n\(last)", sourceLocation: location)
        throw CancellationError()
      }
      while read(output, &buffer, buffer.count) > 0 {}
    }
  }

  /// Leaves an overlay. What follows at once would be taken for Alt with that key, so its end is waited for.
  func escape(_ shown: String, _ location: SourceLocation = #_sourceLocation) throws {
    try press("Escape")
    try waitUntil("\"\(shown)\" is gone", location) { !$0.contains(shown) }
  }

  /// Pastes text in one piece, as a terminal does.
  func paste(_ text: String) throws {
    let file = FileManager.default.temporaryDirectory.path + "/crosscope-paste-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: file) }
    try text.write(toFile: file, atomically: true, encoding: .utf8)
    try run(["load-buffer", file])
    try run(["paste-buffer", "-p"])
  }

  /// The explorer, the only child of the window's shell.
  func explorer() throws -> pid_t {
    let shell = try run(["display-message", "-p", "#{pane_pid}"]).trimmed
    let children = try String(contentsOfFile: "/proc/\(shell)/task/\(shell)/children", encoding: .utf8)
    return try #require(pid_t(children.trimmed), "one child expected, found \(children)")
  }

  /// Sends a signal to the explorer.
  func signal(_ number: Int32) throws { #expect(kill(try explorer(), number) == 0) }

  /// Runs a command of tmux and returns what it printed.
  @discardableResult
  func run(_ arguments: [String]) throws -> String {
    try spawn([Self.tmux ?? "tmux", "-L", socket] + arguments)
  }
}

/// Runs a program to its end and returns what it wrote. Not through Foundation's Process, which waits for everything
/// that the program leaves behind, and tmux leaves a server behind; output goes to a file for the same reason.
private func spawn(_ arguments: [String]) throws -> String {
  let output = FileManager.default.temporaryDirectory.path + "/crosscope-tmux-\(UUID().uuidString)"
  defer { try? FileManager.default.removeItem(atPath: output) }
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
  posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT, 0o600)
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
  // The server outlives this call: pipes of programs that other tests run would stay open in it, ...
  for file in 3..<Int32(1024) { posix_spawn_file_actions_addclose(&actions, file) }
  // ... and with the signals blocked that this thread blocks, it could not be ended.
  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  var signals = sigset_t()
  sigemptyset(&signals)
  posix_spawnattr_setsigmask(&attributes, &signals)
  sigfillset(&signals)
  posix_spawnattr_setsigdefault(&attributes, &signals)
  posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
  var words = arguments.map { strdup($0) } + [nil]
  defer { for word in words { free(word) } }
  var process = pid_t()
  guard posix_spawn(&process, arguments[0], &actions, &attributes, &words, environ) == 0 else {
    throw CancellationError()
  }
  var status: Int32 = 0
  while waitpid(process, &status, 0) < 0, errno == EINTR {}
  return try String(contentsOfFile: output, encoding: .utf8)
}

@Suite(.serialized, .enabled(if: TmuxTerminal.isAvailable, "tmux is not installed, or the program not built"))
struct TmuxTests {
  let sample: SampleStore

  init() throws { sample = try SampleStore() }

  @Test func browsingFilteringTaggingAndNoting() throws {
    let terminal = try TmuxTerminal()
    try terminal.explore(sample.path)
    try terminal.press(">", ">")
    try terminal.wait(for: "by Δ norm ▼")
    try terminal.type("/nu_error<0.1 and not dead")
    try terminal.wait(for: "of 60")
    try terminal.press("Enter", "x", "Enter")
    try terminal.wait(for: "Contexts above 95 %")
    try terminal.type("t")
    try terminal.wait(for: "[ ] refusal")
    try terminal.press("Enter")
    try terminal.wait(for: "[x] refusal")
    try terminal.escape("Tags of")
    try terminal.type("n")
    try terminal.wait(for: "Note on latent 5")
    try terminal.type("refuses")
    try terminal.press("Enter")
    try terminal.wait(for: "note       refuses")
    let store = try sample.open(.readOnly)
    #expect(try store.tags(of: [5]) == [5: ["refusal"]])
    #expect(try store.note(of: 5) == "refuses")
    try terminal.type("uu")
    try terminal.wait(for: "no tags")
    try terminal.press("C-r")
    try terminal.wait(for: "redone")
    #expect(try store.tags(of: [5]) == [5: ["refusal"]])
    try terminal.type("qq")
    try terminal.wait(for: "status 0")
    try terminal.wait(for: " icanon")
  }

  @Test func aBoxOnTheMapFiltersTheTable() throws {
    let terminal = try TmuxTerminal()
    try terminal.explore(sample.path)
    try terminal.type("m")
    try terminal.wait(for: "57 latents, 3 without values")
    try terminal.type("vllllll")
    try terminal.press("Up", "Up", "Up")
    try terminal.wait(for: "box: 9 latents")
    try terminal.press("Enter")
    try terminal.wait(for: "9 of 60")
    try terminal.type(":map")
    try terminal.wait(for: "show this latent on the map")
    try terminal.press("Enter")
    try terminal.wait(for: "→ ν^ε")
    // A drag of the mouse, as an xterm reports it: pressed at column 10, row 4, let go at column 40, row 19.
    try terminal.type("\u{1B}[<0;10;4M")
    try terminal.type("\u{1B}[<0;40;19m")
    try terminal.wait(for: "Esc drops it")
    try terminal.type("qqq")
    try terminal.wait(for: "status 0")
  }

  @Test func experimentsAreReadComparedDeletedAndExported() throws {
    try SampleExperiments.save(in: try sample.open())
    let terminal = try TmuxTerminal(columns: 120, rows: 40)
    try terminal.explore(sample.path)
    try terminal.press("F6")
    try terminal.wait(for: "3 experiments, newest first")
    try terminal.type("/latent 42")
    try terminal.wait(for: "1 experiment\n")
    try terminal.press("Enter", "Enter")
    try terminal.wait(for: "› Experiment 2")
    try terminal.type("q")
    try terminal.wait(for: "r run again  e export  d delete")
    try terminal.type("x")
    try terminal.wait(for: "3 experiments, newest first")
    try terminal.type("  c")
    try terminal.wait(for: "Experiments 3 and 2")
    try terminal.type("q")
    try terminal.wait(for: "2 marked")
    try terminal.type("d")
    try terminal.wait(for: "experiment 3 deleted, experiment 2 deleted")
    #expect(try sample.open(.readOnly).experimentIDs() == [1])
    try terminal.type("u")
    try terminal.wait(for: "undone: ")
    try terminal.wait(for: "3 experiments, newest first")
    try terminal.type("e")
    try terminal.wait(for: "experiment-3.md")
    try terminal.press("C-u")
    try terminal.type("\(sample.folder)/out.json")
    try terminal.press("Enter")
    try terminal.wait(for: "is written: ")
    #expect(FileManager.default.fileExists(atPath: sample.folder + "/out.json"))
    try terminal.type("qq")
    try terminal.wait(for: "status 0")
  }

  @Test func steeringWithoutModelsSaysWhatIsMissing() throws {
    let terminal = try TmuxTerminal()
    try terminal.explore(sample.path)
    try terminal.type("s")
    try terminal.wait(for: "no model")
    try terminal.type("How?")
    try terminal.wait(for: "How?")
    try terminal.press("Enter")
    try terminal.wait(for: "does not say which model to steer")
    try terminal.wait(for: "ready")
    try terminal.press("C-c")
    try terminal.wait(for: "status 0")
  }

  @Test func resizingRedrawsAndATinyTerminalSaysSo() throws {
    let terminal = try TmuxTerminal()
    try terminal.explore(sample.path)
    try terminal.resize(columns: 120, rows: 40)
    try terminal.wait(for: "templ")
    try terminal.resize(columns: 30, rows: 8)
    try terminal.wait(for: "30×8, it needs 40×10")
    try terminal.resize(columns: 80, rows: 24)
    try terminal.wait(for: "by chat-specificity")
    try terminal.type("q")
    try terminal.wait(for: "status 0")
  }

  @Test func suspendingGivesTheTerminalBackAndReturns() throws {
    let terminal = try TmuxTerminal()
    try terminal.explore(sample.path)
    try terminal.press("j", "C-z")
    try terminal.wait(for: "Stopped")
    try terminal.command("stty -a | grep -o '.icanon'")
    try terminal.wait(for: " icanon")
    try terminal.command("fg")
    try terminal.wait(for: "Latent 42")
    try terminal.type("j")
    try terminal.wait(for: "Latent 19")
    try terminal.type("q")
  }

  @Test func aStoppedExplorerEndsWhenItIsKilled() throws {
    for continuing in ["", "bg; until jobs -s | grep -q .; do :; done; "] {
      let terminal = try TmuxTerminal()
      try terminal.explore(sample.path)
      try terminal.press("C-z")
      try terminal.wait(for: "Stopped")
      try terminal.command("clear; p=$(jobs -p); \(continuing)kill %1; while kill -0 $p; do :; done; echo go'ne'")
      try terminal.wait(for: "\ngone")
      try terminal.wait(for: "Terminated")
    }
  }

  @Test(arguments: [
    (SIGTERM, 143), (SIGHUP, 129), (SIGINT, 0), (SIGSEGV, 139), (SIGABRT, 134), (SIGTRAP, 133), (SIGQUIT, 131),
    (SIGUSR1, 138), (SIGALRM, 142), (SIGBUS, 135),
  ])
  func signalsLeaveASaneTerminal(number: Int32, status: Int) throws {
    let terminal = try TmuxTerminal()
    try terminal.explore(sample.path)
    try terminal.signal(number)
    try terminal.wait(for: "status \(status)")
    let after = try terminal.wait(for: " icanon")
    #expect(!after.contains("by chat-specificity"), "the alternate screen is left")
    try terminal.command("echo still he're'")
    try terminal.wait(for: "\nstill here")
  }

  @Test(arguments: ["xterm-256color", "screen", "linux", "vt100", "tmux-256color", "ansi"])
  func commonTerminalsAreDrawnOn(term: String) throws {
    let terminal = try TmuxTerminal(environment: ["TERM": term])
    try terminal.explore(sample.path, "--ascii")
    try terminal.press("Down")
    try terminal.wait(for: "Latent 42")
    try terminal.press("Enter")
    try terminal.wait(for: "Contexts above 95 %")
    #expect(try terminal.screen().utf8.allSatisfy { $0 < 0x80 })
    // Every row is where it belongs: drawn anew, the screen is the same.
    try terminal.type("q")
    try terminal.wait(for: "Latent 42")
    try terminal.press("NPage")
    try terminal.wait(for: "Latent 20")
    try terminal.press("Home", "Down")
    try terminal.settle(showing: ["Latent 42", "favourite] colour"])
    let pieces = try terminal.screen()
    try terminal.redraw()
    let rows = pieces.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(
      try terminal.screen() == pieces && rows[0].contains("Latents") && rows[23].contains("Enter open"), "\(pieces)")
    try terminal.type("q")
    try terminal.wait(for: "status 0")
  }

  @Test(arguments: ["alacritty-without-entry", "foot-without-entry", "xterm-ghostty-without-entry"])
  func aTerminalWithoutAnEntryIsDrawnOnAndToldSoOnce(term: String) throws {
    let terminal = try TmuxTerminal(columns: 140, environment: ["TERM": term, "NO_COLOR": ""])
    try terminal.explore(sample.path)
    try terminal.wait(for: "no terminfo entry for TERM=\(term), so xterm-256color is used")
    #expect(try terminal.styledScreen().contains("\u{1B}[38;5;"))
    try terminal.press("Down")
    let next = try terminal.wait(for: "Latent 42")
    #expect(!next.contains("terminfo"))
    try terminal.type("q")
    try terminal.wait(for: "status 0")
  }

  @Test func theTourComesByItselfTheFirstTimeOnAnyStore() throws {
    let terminal = try TmuxTerminal(showsTour: true)
    try terminal.explore(sample.path)
    try terminal.wait(for: "Tour, step 1 of 7")
    try terminal.type("q")
    try terminal.wait(for: "status 0")
    try terminal.explore(sample.path, "--fresh")
    #expect(try !terminal.screen().contains("Tour, step"))
    try terminal.type("q")
    try terminal.wait(for: "status 0")
  }

  @Test func withoutColoursNothingIsColoured() throws {
    let terminal = try TmuxTerminal(environment: ["NO_COLOR": "1", "TERM": "xterm-256color"])
    try terminal.explore(sample.path)
    #expect(try !terminal.styledScreen().contains(/\u{1B}\[[0-9;]*(3[0-8]|4[0-8]|9[0-7])[;m]/))
    try terminal.type("q")
    try terminal.wait(for: "status 0")
    let coloured = try TmuxTerminal(environment: ["NO_COLOR": "", "TERM": "xterm-256color"])
    try coloured.explore(sample.path)
    #expect(try coloured.styledScreen().contains("\u{1B}[38;5;"))
  }

  @Test(arguments: [
    ("TERM=dumb ", "cannot move its cursor"), ("TERM= ", "names no terminal"),
  ])
  func unusableTerminalsGetOneLine(prefix: String, reason: String) throws {
    let terminal = try TmuxTerminal(columns: 200)
    let program = try #require(TmuxTerminal.program)
    try terminal.command("\(prefix)\(program) explore \(sample.path); echo \"status $?\"")
    let screen = try terminal.wait(for: "status 1")
    #expect(screen.contains(reason))
    try terminal.command("clear; \(program) explore \(sample.path) < /dev/null; echo \"second $?\"")
    #expect(try terminal.wait(for: "second 1").contains("not a terminal"))
  }

  @Test func aStoreThatIsNotThereOrATinyTerminalGetsOneLine() throws {
    let terminal = try TmuxTerminal(columns: 200)
    let program = try #require(TmuxTerminal.program)
    try terminal.command("\(program) explore /nowhere.crosscope; echo \"status $?\"")
    #expect(try terminal.wait(for: "status 1").contains("/nowhere.crosscope: there is no such file"))
    try terminal.resize(columns: 39, rows: 24)
    // Another word, as the first answer stays on the screen until it is cleared.
    try terminal.command("clear; \(program) explore \(sample.path); echo \"second $?\"")
    #expect(try terminal.wait(for: "second 1").contains("the terminal is 39×24"))
  }
}
