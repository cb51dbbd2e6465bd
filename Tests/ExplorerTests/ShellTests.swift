// What holds on every screen: keys by configuration, counts, marks, history, copying, the tour, the state file.

import Foundation
import Storage
import TUI
import TestSupport
@testable import ExplorerTestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Reports

@Suite struct KeyMapTests {
  private func refusal(_ keys: [String: String]) -> String {
    do { _ = try KeyMap(keys, source: "config.json") } catch { return error.description }
    return "accepted"
  }

  @Test func whatTheProgramPrintsIsWhatItDoes() throws {
    let printed = try JSONDecoder().decode(Configuration.self, from: Data(Configuration.usual.text.utf8))
    let settings = try Settings(printed, source: "printed")
    #expect(settings.keyMap.names.map(\.name) == KeyMap.usual.names.map(\.name))
    #expect(settings.keyMap.names.map(\.keys) == KeyMap.usual.names.map(\.keys))
    #expect(settings.usesMouse && !settings.hidesKeyBar && !settings.asciiOnly && settings.palette.name == "dark")
  }

  @Test func keysAreGivenByActionAndByScreen() throws {
    let map = try KeyMap(
      ["undo": "ctrl-u", "latents.steer": "S alt-s", "latents.steerScreen": "", "down": "J"], source: "")
    func keys(_ screen: Screen, _ action: Action) -> [String] {
      map.all(screen).first { $0.action == action }?.keys.map(\.name) ?? []
    }
    #expect(keys(.latents, .undo) == ["ctrl-u"] && keys(.map, .undo) == ["ctrl-u"])
    #expect(keys(.latents, .steer) == ["S", "alt-s"] && keys(.latent, .steer) == ["s"])
    #expect(keys(.latents, .down) == ["J"] && keys(.steer, .down) == ["J"])
    let tags = try KeyMap(["tag": "ctrl-t"], source: "")
    for screen in [Screen.latents, .latent, .steer, .map] {
      #expect(tags.all(screen).first { $0.action == .tag }?.keys == ["ctrl-t"], "\(screen)")
    }
  }

  @Test func whatIsWrongIsSaidInOneLine() {
    #expect(refusal(["undo": "r"]).contains("r for reverse and undo on latents"))
    #expect(refusal(["undo": "hyper-u"]).contains("keys.undo") && refusal(["undo": "hyper-u"]).contains("\"hyper-u\""))
    #expect(refusal(["nonsense": "x"]).contains("\"nonsense\""))
    #expect(refusal(["nowhere.undo": "x"]).contains("\"nowhere.undo\""))
    #expect(refusal(["latents.compare": "x"]).contains("\"latents.compare\""))
    #expect(refusal(["quit": ""]) == "accepted" && refusal(["latents.down": "J"]) == "accepted")
  }

  @Test func reboundKeysWorkAndAreShown() async throws {
    let sample = try SampleStore()
    var settings = Settings()
    settings.keyMap = try KeyMap(["quit": "Q", "latents.filter": "f", "undo": "1"], source: "")
    var driver = try await ExplorerDriver(try sample.open())
    await driver.send(.configured(settings))
    #expect(driver.text.contains("f filter") && driver.text.contains("Q quit"))
    await driver.press("1")
    #expect(driver.state.message?.text == "there is nothing to undo in this session" && driver.state.count == nil)
    await driver.press("f", "x", "esc", "q")
    #expect(driver.state.ending == nil && !driver.state.latents.isTypingFilter)
    await driver.press("Q")
    #expect(driver.state.ending == 0)
  }
}

@Suite struct ConfigurationTests {
  let folder = TemporaryFolder()

  private func refusal(_ text: String) throws -> String {
    let path = folder.path + "/config.json"
    try Data(text.utf8).write(to: URL(filePath: path))
    do { _ = try Settings(Configuration(path: path), source: path) } catch {
      let line = String(describing: error)
      #expect(line.hasPrefix(path) && !line.contains("\n"), "\(line)")
      return line
    }
    return "accepted"
  }

  @Test(arguments: [
    ("{", "no JSON"), ("{\"themes\": \"dark\"}", "\"themes\""), ("{\"theme\": \"pink\"}", "okabe-ito"),
    ("{\"theme\": 3}", "theme"), ("{\"keys\": {\"quit\": [\"q\"]}}", "keys.quit"), ("{\"mouse\": \"no\"}", "mouse"),
    ("{\"colours\": {\"chat\": \"orange\"}}", "colours.chat"), ("{\"colours\": {\"chats\": \"1\"}}", "\"chats\""),
    ("{}", "accepted"), ("{\"colours\": {\"chat\": \"#00ff00\"}, \"key_bar\": false}", "accepted"),
  ])
  func theFileIsCheckedWhole(text: String, saying: String) throws {
    #expect(try refusal(text).contains(saying))
  }

  @Test func thePlaceFollowsTheEnvironment() {
    #expect(Configuration.usualPath(["XDG_CONFIG_HOME": "/c", "HOME": "/h"]) == "/c/crosscope/config.json")
    #expect(Configuration.usualPath(["XDG_CONFIG_HOME": "c", "HOME": "/h"]) == "/h/.config/crosscope/config.json")
    #expect(SavedState.usualPath(["HOME": "/h"]) == "/h/.local/state/crosscope/state.json")
  }

  @Test func theCommandPrintsWhatCanBeReadAndBadFilesEndInOneLine() throws {
    let printed = try Program.run(["config"])
    #expect(printed.code == 0 && printed.out == Configuration.usual.text)
    #expect(try refusal(printed.out) == "accepted")
    let sample = try SampleStore()
    let missing = try Program.run(["explore", sample.path, "--config", folder.path + "/none.json"])
    missing.expectOneLine(saying: "none.json")
    #expect(try Program.run(["explore", sample.path, "--theme", "pink"]).code == 2)
    #expect(try Program.run(["explore", sample.path, "--filter", "nu_eror<1"]).code == 2)
    #expect(try Program.run(["explore", sample.path, "--sort", "beauty"]).code == 2)
    try Program.run(["explore", sample.path, "--latent", "6000"]).expectOneLine(saying: "6000")
  }
}

@Suite struct CountTests {
  let sample: SampleStore
  var driver: ExplorerDriver

  init() async throws {
    sample = try SampleStore()
    driver = try await ExplorerDriver(try sample.open())
  }

  @Test mutating func digitsCountWhatComesNext() async {
    await driver.press("5", "j")
    #expect(driver.state.latents.list.selected == 5 && driver.state.count == nil)
    await driver.press("1", "2", "j", "3", "k")
    #expect(driver.state.latents.list.selected == 14)
    await driver.press("2", "0", "G")
    #expect(driver.state.latents.list.selected == 19)
    #expect(driver.state.latents.selectedID.map { driver.state.latents.rows[$0] != nil } == true)
    await driver.press("9", "9", "9", "9", "9", "9", "9", "9", "9", "j")
    #expect(driver.state.latents.list.selected == SampleStore.latents - 1)
    await driver.press("9", "9", "k", "1", "G")
    #expect(driver.state.latents.list.selected == 0)
  }

  @Test mutating func countsRepeatWhatCanBeRepeatedAndAreForgottenElse() async {
    await driver.press("3", ">")
    #expect(driver.state.latents.query.sort == LatentsState.sorts(driver.state)[3])
    #expect(driver.state.latents.ids == (try? sample.open().latentIDs(sortedBy: LatentsState.sorts(driver.state)[3])))
    await driver.press("4")
    #expect(driver.text.contains("4… ready"))
    await driver.press("r", "j")
    #expect(driver.state.latents.query.reversed && driver.state.latents.list.selected == 1)
    await driver.press("4", "f9", "j")
    #expect(driver.state.latents.list.selected == 2)
    await driver.press("s", "esc", "4", "+")
    #expect(driver.state.steer.rows.first?.strength == 2)
  }

  @Test mutating func digitsAreTextWhereTextIsTyped() async {
    await driver.press("/")
    await driver.type("id:12")
    #expect(driver.state.latents.filter.text == "id:12" && driver.state.count == nil)
  }

  @Test mutating func functionKeysAndAltDigitsLeadToTheScreens() async {
    for top in TopScreen.all {
      await driver.press("f\(top.number + 1)")
      #expect(driver.state.screen == top.screen)
      await driver.press("f2", "esc", "alt-\(top.number)")
      #expect(driver.state.screen == top.screen)
      await driver.press("esc")
    }
  }
}

@Suite struct PlaceTests {
  let sample: SampleStore
  var driver: ExplorerDriver

  init() async throws {
    sample = try SampleStore()
    driver = try await ExplorerDriver(try sample.open())
  }

  @Test mutating func marksLeadBack() async {
    await driver.press("3", "j", "enter", "\"", "a", "q", "f3", "\"", "b", "f2", "g", "'", "a")
    #expect(driver.state.screen == .latent && driver.state.latent.id == driver.state.latents.ids?[3])
    await driver.press("'", "'")
    #expect(driver.state.screen == .latents && driver.state.latents.list.selected == 0)
    await driver.press("'", "b")
    #expect(driver.state.screen == .map)
    await driver.press("'", "z")
    #expect(driver.state.message?.text.contains("a latent") == true)
    await driver.press("'", "esc")
    #expect(driver.state.screen == .map && driver.state.pendingLetter == nil)
  }

  @Test mutating func historyGoesBackAndForth() async {
    let ids = driver.state.latents.ids ?? []
    await driver.press("enter", "l", "l", "f3", "alt-left")
    #expect(driver.state.screen == .latent && driver.state.latent.id == ids[2])
    await driver.press("alt-left")
    #expect(driver.state.latent.id == ids[1])
    await driver.press("2", "alt-left")
    #expect(driver.state.screen == .latents)
    await driver.press("ctrl-o")
    #expect(driver.state.message?.text == "this is where you began")
    await driver.press("alt-right", "alt-right", "alt-right")
    #expect(driver.state.screen == .latent && driver.state.latent.id == ids[2])
    await driver.press("alt-right")
    #expect(driver.state.screen == .map)
    await driver.press("alt-left", "f2", "alt-right")
    #expect(driver.state.message?.text == "there is no later place to go to")
  }
}

@Suite struct CopyTests {
  @Test func sequencesFitWhatStandsBetween() {
    #expect(ClipboardSequence.bytes("Hi", through: .none) == "\u{1B}]52;c;SGk=\u{7}")
    #expect(
      ClipboardSequence.bytes("Hi", through: .tmux)
        == "\u{1B}]52;c;SGk=\u{7}\u{1B}Ptmux;\u{1B}\u{1B}]52;c;SGk=\u{7}\u{1B}\\")
    let long = ClipboardSequence.bytes(String(repeating: "漢", count: 40_000), through: .screen)
    let pieces = long.components(separatedBy: "\u{1B}\\").filter { !$0.isEmpty }
    #expect(pieces.allSatisfy { $0.hasPrefix("\u{1B}P") && $0.utf8.count <= 258 })
    let joined = pieces.map { $0.dropFirst(2) }.joined()
    #expect(joined.hasPrefix("\u{1B}]52;c;") && joined.hasSuffix("\u{7}") && joined.utf8.count < 100_000)
    let decoded = Data(base64Encoded: String(joined.dropFirst(7).dropLast()))
    #expect(decoded.map { String(decoding: $0, as: UTF8.self) } == String(repeating: "漢", count: 24_666))
    #expect(ClipboardSequence.multiplexer(["TMUX": "/tmp/x,1,0", "STY": "1"]) == .tmux)
    #expect(ClipboardSequence.multiplexer(["TMUX": "", "STY": "1.pts"]) == .screen)
    #expect(ClipboardSequence.multiplexer([:]) == .none)
  }

  @Test func theDesktopIsAskedOnlyWhereItIsThisMachines() {
    func tool(_ environment: [String: String]) -> [String]? {
      Clipboard.tool(environment.merging(["PATH": "/a:/b"]) { one, _ in one }, exists: { $0.hasPrefix("/b/") })
    }
    #expect(tool(["WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"]) == ["/b/wl-copy"])
    #expect(tool(["DISPLAY": ":0"]) == ["/b/xclip", "-selection", "clipboard"])
    #expect(tool(["DISPLAY": ":0", "SSH_CONNECTION": "1 2 3 4"]) == nil)
    #expect(Clipboard.copy("x", with: ["/bin/cat"]) == "cat" && Clipboard.copy("x", with: ["/bin/false"]) == nil)
    let long = CopiedText(what: "the page", text: String(repeating: "x", count: 80_000))
    #expect(Clipboard.report(long, tool: nil).contains("the first 74000"))
    #expect(!Clipboard.report(long, tool: "xclip").contains("first"))
  }

  @Test func everyScreenCopiesWhatItIsAbout() async throws {
    let sample = try SampleStore()
    try SampleExperiments.save(in: try sample.open())
    var driver = try await ExplorerDriver(try sample.open())
    func copied(_ key: String) async -> String {
      let before = driver.asked.count
      await driver.press(key)
      guard case .copy(let copied) = driver.asked.dropFirst(before).first else { return "" }
      #expect(driver.state.message?.text.contains("copied \(copied.what)") == true)
      return copied.text
    }
    #expect(await copied("y") == "5")
    #expect(await copied("Y").split(separator: "\n").last?.hasPrefix("5\tchat-only\t") == true)
    await driver.press("space", "space")
    #expect(await copied("y") == "5 42")
    await driver.press("M", "g", "enter")
    let page = try #require(driver.state.pages[5])
    #expect(await copied("y") == tokenTexts(page.contexts[0].sequence.tokenIDs, page.tokens).joined())
    #expect(await copied("Y").contains("Logit lens: tokens"))
    await driver.press("f3")
    #expect(await copied("y") == "5")
    await driver.press("f6")
    let run = try #require(driver.state.experiments.selectedID.flatMap { driver.state.experiments.runs[$0] })
    #expect(await copied("y") == run.record.prompt)
    #expect(await copied("Y") == run.markdown)
    await driver.press("enter")
    #expect(await copied("y") == "Once upon a time.")
    #expect(await copied("Y") == run.markdown)
    await driver.press("f5", "esc")
    #expect(await copied("y") == "" && driver.state.message?.text == "there is nothing to copy here")
    await driver.press("i", "H", "i", "enter")
    #expect(await copied("y") == ScriptedLaboratory.steeredAnswer.joined())
    #expect(await copied("Y").contains("Baseline: \(ScriptedLaboratory.baselineAnswer.joined())"))
    await driver.press("a", "5", "enter", "w", "j")
    #expect(driver.state.screen == .sweep)
    #expect(await copied("y") == ScriptedLaboratory.steeredAnswer.joined())
    #expect(await copied("Y").contains("## Steered ×-0.5"))
  }
}

/// Runs a program to its end, as a terminal does for an editor.
/// - Returns: its exit code; nil if it could not be started.
private func runQuietly(_ arguments: [String]) -> Int? {
  let process = Process()
  process.executableURL = URL(filePath: arguments[0])
  process.arguments = Array(arguments.dropFirst())
  process.standardError = FileHandle.nullDevice
  guard (try? process.run()) != nil else { return nil }
  process.waitUntilExit()
  return Int(process.terminationStatus)
}

@Suite struct EditorTests {
  let folder = TemporaryFolder()

  private func edit(_ text: String, _ environment: [String: String]) throws -> String {
    let own = environment.merging(["TMPDIR": folder.path]) { given, _ in given }
    return try ExternalEditor.edit(text, environment: own, run: runQuietly)
  }

  @Test func theTextIsWhatTheEditorLeft() throws {
    #expect(try edit("one", ["EDITOR": "sed -i s/one/two/"]) == "two")
    #expect(try edit("one", ["EDITOR": "false", "VISUAL": "sed -i s/one/three/"]) == "three")
    #expect(try edit("a\nb", ["EDITOR": "true"]) == "a\nb")
    #expect(try edit("x", ["EDITOR": "stat -c %a >/dev/null; test $(stat -c %a \"$1\") = 600 &&true"]) == "x")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }

  @Test func whateverGoesWrongIsOneLine() throws {
    for (environment, saying) in [
      (["EDITOR": "no-such-editor"], "no-such-editor was not found"), (["EDITOR": "false"], "ended with status 1"),
      (["EDITOR": "head -c 2000000 /dev/zero | tee >/dev/null"], "bytes, but at most"),
      (["EDITOR": "printf '\\377\\376' | tee"], "not UTF-8"), (["EDITOR": "true", "TMPDIR": "/nowhere"], "/nowhere"),
    ] {
      do {
        _ = try edit("text", environment)
        Issue.record("accepted: \(environment)")
      } catch {
        #expect(String(describing: error).contains(saying), "\(error)")
      }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }

  @Test func notesAndPromptsGoOutAndComeBack() async throws {
    let sample = try SampleStore()
    var driver = try await ExplorerDriver(try sample.open())
    await driver.press("n", "x")
    let request = EditRequest(subject: .note(5), text: "x")
    #expect(driver.sendOnly(.terminal(.input(.key("alt-e")))) == [.edit(request)])
    await driver.send(.edited(EditRequest(subject: .note(5), text: "longer\nnote")))
    await driver.press("enter")
    #expect(try sample.open().note(of: 5) == "longer\nnote")
    #expect(
      driver.sendOnly(.terminal(.input(.key("E")))) == [.edit(EditRequest(subject: .note(5), text: "longer\nnote"))])
    await driver.press("esc", "f5", "H")
    #expect(driver.sendOnly(.terminal(.input(.key("alt-e")))) == [.edit(EditRequest(subject: .prompt, text: "H"))])
    await driver.send(.edited(EditRequest(subject: .prompt, text: "How?")))
    #expect(driver.state.steer.prompt.text == "How?")
  }
}

@Suite struct EditedConfigurationTests {
  let folder = TemporaryFolder()
  private var path: String { folder.path + "/deep/config.json" }

  /// Runs a command of the shell as the editor; what it edits is `$1`.
  private func edit(_ editor: String, _ rejected: inout String?) throws -> Settings? {
    try EditedConfiguration.edit(
      path: path, &rejected, environment: ["EDITOR": editor, "TMPDIR": folder.path], run: runQuietly)
  }

  @Test func anEditorThatEndsWithoutWritingOrWithAnErrorChangesNothing() throws {
    var rejected: String?
    #expect(try edit("true", &rejected) == nil && !FileManager.default.fileExists(atPath: path))
    #expect(throws: EditorError.self) { try edit("sed -i s/dark/light/ \"$1\"; false", &rejected) }
    #expect(!FileManager.default.fileExists(atPath: path))
    #expect(try edit("sed -i s/dark/light/", &rejected)?.palette.name == "light")
    let written = try String(contentsOfFile: path, encoding: .utf8)
    #expect(throws: EditorError.self) { try edit("sed -i s/light/dark/ \"$1\"; false", &rejected) }
    #expect(try edit("true", &rejected) == nil)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == written && folder.names == ["deep"])
  }

  @Test func whatIsNoConfigurationStaysOutAndIsGoneOnFrom() throws {
    try FileManager.default.createDirectory(atPath: folder.path + "/deep", withIntermediateDirectories: true)
    try Data("{\"theme\":\"light\"}\n".utf8).write(to: URL(filePath: folder.path + "/own.json"))
    try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: folder.path + "/own.json")
    var rejected: String?
    do {
      _ = try edit("sed -i s/light/ligt/", &rejected)
      Issue.record("accepted")
    } catch {
      let text = String(describing: error)
      #expect(text.contains(path) && text.contains("\"ligt\"") && text.contains("as it was"), "\(text)")
    }
    #expect(try String(contentsOfFile: path, encoding: .utf8).contains("light"))
    #expect(try edit("sed -i s/ligt/mono/", &rejected)?.palette.name == "mono" && rejected == nil)
    #expect(try String(contentsOfFile: folder.path + "/own.json", encoding: .utf8).contains("mono"), "the link stays")
  }
}

@Suite struct SavedStateTests {
  let folder = TemporaryFolder()
  private var path: String { folder.path + "/deep/state.json" }

  @Test func aStoreIsShownAsItWasLeft() async throws {
    let sample = try SampleStore()
    var driver = try await ExplorerDriver(try sample.open())
    await driver.press(">", ">", "r", "/")
    await driver.type("not dead")
    await driver.press("enter", "7", "j", "\"", "k", "s", "H", "i", "esc", "+", "space", "f2")
    let id = try #require(driver.state.latents.selectedID)
    SavedState.save(SavedView(driver.state), of: sample.path, seenTour: false, path: path)
    let view = try #require(SavedState(path: path).stores[sample.path])
    var again = try await ExplorerDriver(try sample.open(), restoring: view)
    #expect(again.state.latents.query == driver.state.latents.query && again.state.latents.selectedID == id)
    #expect(again.state.latents.filter.text == "not dead" && again.text.contains("/not dead"))
    var rows = driver.state.steer.rows
    for index in rows.indices { rows[index].isFromBefore = true }
    #expect(again.state.steer.prompt.text == "Hi" && again.state.steer.rows == rows && !rows.isEmpty)
    await again.press("f3", "'", "k")
    #expect(again.state.screen == .latents && again.state.latents.selectedID == id)
    await again.press("/", "ctrl-u", "up")
    #expect(again.state.latents.filter.text == "not dead")
  }

  @Test(arguments: [["enter"], ["f3"], ["f5", "esc"], ["f6"], []])
  func theScreenIsTheSameAgain(keys: [String]) async throws {
    let sample = try SampleStore()
    var driver = try await ExplorerDriver(try sample.open())
    for key in ["j"] + keys { await driver.press(key) }
    let again = try await ExplorerDriver(try sample.open(), restoring: SavedView(driver.state))
    #expect(again.state.place == driver.state.place)
  }

  @Test func nothingInTheFileIsAReasonNotToStart() async throws {
    let sample = try SampleStore()
    try FileManager.default.createDirectory(atPath: folder.path + "/deep", withIntermediateDirectories: true)
    for text in ["", "{", "[]", "{\"stores\": 3}", "\u{0}\u{1}", "{\"stores\":{},\"hasSeenTour\":\"x\"}"] {
      try Data(text.utf8).write(to: URL(filePath: path))
      #expect(SavedState(path: path) == SavedState())
    }
    SavedState.save(SavedView(), of: "/a", seenTour: true, path: path)
    #expect(SavedState(path: path).stores.keys.sorted() == ["/a"] && SavedState(path: path).hasSeenTour)
    SavedState.save(SavedView(), of: "/a", seenTour: false, path: "/proc/nowhere/state.json")
    var view = SavedView()
    (view.sort, view.filter, view.selected) = ("beauty", "nonsense<", 9999)
    view.place = Place(screen: .latent, latent: 9999)
    view.marks = ["a": Place(screen: .latent, latent: -1)]
    view.rows = [
      .init(latent: 1, mode: "shout", strength: 1, isOn: true),
      .init(latent: 999, mode: "add", strength: 1, isOn: true),
    ]
    let driver = try await ExplorerDriver(try sample.open(), restoring: view)
    #expect(driver.state.screen == .latents && driver.state.latents.query == ListQuery())
    #expect(driver.state.steer.rows.isEmpty && driver.state.marks.isEmpty && driver.state.message == nil)
  }

  @Test func onlyTheLatestStoresAreKept() {
    for index in 0...SavedState.mostStores {
      var view = SavedView()
      view.used = Double(index)
      SavedState.save(view, of: "/\(index)", seenTour: false, path: path)
    }
    let state = SavedState(path: path)
    #expect(state.stores.count == SavedState.mostStores && state.stores["/0"] == nil && state.stores["/1"] != nil)
  }
}

@Suite struct TourTests {
  @Test func everyStepIsEndedByWhatItAsksFor() async throws {
    let sample = try SampleStore()
    var driver = try await ExplorerDriver(try sample.open())
    await driver.press(":")
    await driver.type("tour")
    await driver.press("enter")
    #expect(driver.text.contains("Tour, step 1 of 7") && driver.text.contains("Enter  goes on"))
    let keys = [["enter"], ["q"], [">"], ["/", "enter"], ["t", "esc"], ["s"], ["H", "i", "enter"]]
    for (index, keys) in keys.enumerated() {
      #expect(driver.state.tour?.index == index, "before \(keys)")
      if index == 2 {
        await driver.press("j")
        #expect(driver.state.tour?.index == index)
      }
      for key in keys { await driver.press(key) }
    }
    #expect(driver.state.tour == nil && driver.state.ending == nil && driver.state.message?.kind == .good)
    // What it steers with stands at the top of the order that the tour has made.
    #expect(driver.state.latents.query.sort == .column(.deltaNorm) && !driver.state.latents.query.reversed)
    #expect(driver.state.steer.rows.map(\.latent) == driver.state.latents.ids.map { [$0[0]] })
    let run = try #require(driver.state.steer.run)
    #expect(run.steered.joined() == ScriptedLaboratory.steeredAnswer.joined())
  }

  /// Whatever the step, size and overlay: the screen is drawn as on a terminal that is lower by the tour's rows.
  @Test(arguments: [Size(columns: 40, rows: 12), Size(columns: 80, rows: 24), Size(columns: 120, rows: 40)])
  func itCoversNothing(size: Size) async throws {
    func lines(_ state: ExplorerState) -> [Substring] {
      state.draw().canvas.text.split(separator: "\n", omittingEmptySubsequences: false)
    }
    let sample = try SampleStore()
    var driver = try await ExplorerDriver(try sample.open(), size: size)
    await driver.press(":")
    await driver.type("tour")
    for keys in [["enter"], ["enter"], ["q"], [">"], ["/"], ["enter"], ["t"], ["esc"], ["s"], ["H", "i"]] {
      for key in keys { await driver.press(key) }
      let body = driver.state.body
      #expect(lines(driver.state)[body.endRow].hasPrefix(" Tour, step"), "\(keys)\n\(driver.text)")
      var without = driver.state
      without.tour = nil
      without.size = Size(columns: size.columns, rows: size.rows - driver.state.tourRows)
      #expect(
        without.body == body && lines(without)[1..<body.endRow] == lines(driver.state)[1..<body.endRow], "\(keys)")
    }
  }

  @Test func withoutAModelItSaysThatItEndsHere() async throws {
    let sample = try SampleStore()
    var driver = try await ExplorerDriver(try sample.open(), laboratory: ScriptedLaboratory(loads: false))
    await driver.press(":")
    await driver.type("tour")
    await driver.press("enter")
    for key in ["enter", "q", ">", "/", "enter", "t", "esc", "s"] { await driver.press(key) }
    #expect(driver.text.contains("There is no model here"))
    await driver.press("esc", "esc")
    #expect(driver.state.tour == nil)
  }

  @Test func escapeLeavesIt() async throws {
    let sample = try SampleStore()
    var driver = try await ExplorerDriver(try sample.open())
    _ = driver.sendOnly(.terminal(.input(.key(":"))))
    await driver.type("tour")
    await driver.press("enter", "esc")
    #expect(driver.state.tour == nil && driver.state.screen == .latents && !driver.text.contains("Tour, step"))
  }
}

@Suite struct SpokenTests {
  @Test func nothingIsDrawnAndTheSelectedLineIsFound() async throws {
    let sample = try SampleStore()
    try SampleExperiments.save(in: try sample.open())
    var driver = try await ExplorerDriver(try sample.open(), size: Size(columns: 120, rows: 40))
    var settings = Settings()
    settings.isSpoken = true
    await driver.send(.configured(settings))
    for keys in [["2", "j"], ["enter"], ["f3"], ["f6"], ["?"], ["esc", ":"], ["esc", "f5", "esc"]] {
      for key in keys { await driver.press(key) }
      let text = driver.text
      #expect(text.utf8.allSatisfy { $0 < 0x80 } && !text.contains("---") && !text.contains("###"), "\(keys)\n\(text)")
      #expect(!text.contains("|  ") && !text.contains("+--"), "\(keys)\n\(text)")
    }
    await driver.press("f2")
    let (canvas, cursor) = driver.state.draw()
    let row = try #require(cursor?.row)
    let line = canvas.text.split(separator: "\n", omittingEmptySubsequences: false)[row]
    #expect(line.hasPrefix(">") && line.contains(" 19 "))
  }
}

@Suite struct DisplayTests {
  @Test func theScreenIsSavedAsText() async throws {
    let sample = try SampleStore()
    var driver = try await ExplorerDriver(try sample.open())
    let shown = driver.text
    await driver.press(":")
    await driver.type("save display")
    await driver.press("enter", "ctrl-u")
    await driver.type(sample.folder + "/screen.txt")
    await driver.press("enter")
    #expect(driver.state.overlay == nil && driver.state.message?.text.contains("written") == true)
    #expect(try String(contentsOfFile: sample.folder + "/screen.txt", encoding: .utf8) == shown)
    await driver.press(":")
    await driver.type("save display")
    await driver.press("enter", "ctrl-u")
    await driver.type(sample.folder + "/screen.txt")
    await driver.press("enter")
    #expect(driver.state.overlay != nil && driver.state.message?.kind == .error)
  }

  @Test func theKeyBarIsHiddenAndShown() async throws {
    let sample = try SampleStore()
    var driver = try await ExplorerDriver(try sample.open())
    let rows = driver.state.body.rows
    await driver.press(":")
    await driver.type("key bar")
    await driver.press("enter")
    #expect(driver.state.body.rows == rows + 1 && !driver.text.contains("? help"))
    #expect(driver.text.split(separator: "\n").last?.contains("ready") == true)
  }

  @Test func redrawingIsAskedOfTheTerminal() async throws {
    let sample = try SampleStore()
    var driver = try await ExplorerDriver(try sample.open())
    #expect(driver.sendOnly(.terminal(.input(.key("ctrl-l")))) == [.redraw] && driver.state.work.isEmpty)
  }
}

@Suite struct SharedStoreTests {
  @Test func whatAnotherProgramChangesIsReadAgain() async throws {
    let sample = try SampleStore()
    var driver = try await ExplorerDriver(try sample.open())
    var other = try await ExplorerDriver(try sample.open())
    await driver.press("t", "enter", "esc")
    await other.send(.storeChanged)
    #expect(other.state.latents.rows[5]?.tags == ["refusal"] && other.state.pages[5]?.tags == ["refusal"])
    await other.press("/")
    await other.type("tag:template")
    await other.press("enter")
    try sample.open().annotate([42, 19], adding: ["template"])
    await other.send(.storeChanged)
    #expect(Set(other.state.latents.ids ?? []) == [42, 19] && other.state.tagNames.contains("template"))
  }

  @Test func aNoteThatAnotherProgramChangesMeanwhileIsNoticedAndNotLost() async throws {
    let sample = try SampleStore()
    var driver = try await ExplorerDriver(try sample.open())
    await driver.press("n")
    await driver.type("mine")
    try sample.open().annotate([5], note: "theirs")
    await driver.send(.storeChanged)
    #expect(driver.state.message?.text.contains("\"theirs\"") == true)
    await driver.press("enter")
    #expect(try sample.open().note(of: 5) == "mine")
    await driver.press("u")
    #expect(try sample.open().note(of: 5) == "theirs")
  }

  @Test func changesOfSeveralWritersAtOnceAreAllKept() async throws {
    let sample = try SampleStore()
    let path = sample.path
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<4 {
        group.addTask {
          let store = try Store(path: path, access: .readWrite)
          for latent in 0..<15 { try store.annotate([latent], adding: ["w\(writer)"]) }
        }
      }
      try await group.waitForAll()
    }
    #expect(try sample.open().tagCounts().filter { $0.name.hasPrefix("w") }.map(\.count) == [15, 15, 15, 15])
    withExtendedLifetime(sample) {}
  }
}
