// The causal check of a latent's page, with scripted figures: start, progress, cancelling, failure, one in place of
// another, saving, and what waits for it.

import Storage
import TUI
import TestSupport
@testable import ExplorerTestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Reports

@Suite struct CausalCheckRunTests {
  let sample: SampleStore
  var driver: ExplorerDriver
  let latent: Int

  init() async throws {
    sample = try SampleStore()
    driver = try await ExplorerDriver(try sample.open())
    await driver.press("enter")
    latent = try #require(driver.state.latent.id)
  }

  private mutating func start() -> [Effect] { driver.sendOnly(.terminal(.input(.key("K")))) }

  @Test mutating func itsFiguresLieOverThePageAndAreSaved() async throws {
    await driver.press("K")
    let report = CausalCheckReport.scripted(latent)
    #expect(driver.state.overlay as? CausalCheckPage == CausalCheckPage(report: report))
    for part in ["Causal check of latent \(latent)", "added ×0.5", "4 random latents", "yes", "no"] {
      #expect(driver.text.contains(part), "\(part) in\n\(driver.text)")
    }
    let saved = try #require(try sample.open().experiments().first)
    #expect(saved.kind == "causal check" && SavedRun(saved).check == report)
    let asked = driver.asked.count
    await driver.press("esc", "K")
    #expect(driver.asked.count == asked, "what is known is shown, not made again")
    await driver.press("r")
    #expect(try sample.open().experiments().count == 2)
  }

  @Test mutating func theExperimentsShowItsFigures() async throws {
    await driver.press("K", "esc", "f6", "enter")
    #expect(driver.state.screen == .experiment)
    for part in ["taken away", "KL after the peak", "4 random latents"] {
      #expect(driver.text.contains(part), "\(part) in\n\(driver.text)")
    }
    await driver.press("r")
    #expect(driver.state.screen == .experiment && driver.text.contains("with K"))
  }

  @Test mutating func itsProgressShowsAndEscapeCancelsIt() async throws {
    #expect(start() == [.check(latent, number: 1)])
    _ = driver.sendOnly(.checked(.progress(done: 3, of: 12), number: 1))
    #expect(driver.text.contains("working… checking \(latent), 3 of 12"))
    #expect(start() == [] && driver.text.contains("it is being checked; Esc cancels that"))
    #expect(driver.sendOnly(.terminal(.input(.key("esc")))) == [.cancelCheck])
    #expect(driver.state.screen == .latent && driver.state.check?.phase == .cancelled)
    #expect(driver.sendOnly(.checked(.finished(.scripted(latent)), number: 1)) == [])
    #expect(driver.state.overlay == nil, "a cancelled check's figures come too late")
    #expect(start() == [.check(latent, number: 2)])
    #expect(driver.sendOnly(.terminal(.interrupted)) == [.cancelCheck] && driver.state.ending == nil)
  }

  @Test mutating func whatGoesWrongIsSaid() async throws {
    driver = try await ExplorerDriver(try sample.open(), laboratory: ScriptedLaboratory(breaksChecks: true))
    await driver.press("enter", "K")
    #expect(driver.state.check?.phase == .failed("no base: give --adapter"))
    #expect(driver.text.contains("no base: give --adapter") && driver.state.overlay == nil)
    #expect(try sample.open().experiments().isEmpty)
  }

  @Test mutating func anotherLatentTakesItsPlace() async throws {
    _ = start()
    await driver.press("l")
    let other = try #require(driver.state.latent.id)
    #expect(other != latent)
    #expect(start() == [.cancelCheck, .check(other, number: 2)])
    #expect(driver.sendOnly(.checked(.finished(.scripted(latent)), number: 1)) == [])
    _ = driver.sendOnly(.checkFailed("late", number: 1))
    #expect(driver.state.check?.progress != nil, "the former check's end is not this one's")
    // The figures do not come up over another screen, but are saved.
    await driver.press("S")
    let effects = driver.sendOnly(.checked(.finished(.scripted(other)), number: 2))
    guard case .save(let record)? = effects.first else { throw CancellationError() }
    #expect(effects.count == 1 && SavedRun(record).check == .scripted(other))
    #expect(driver.state.overlay == nil && driver.text.contains("latent \(other) is checked"))
  }

  @Test mutating func runAndCheckDoNotWaitForEachOther() async throws {
    _ = start()
    await driver.press("s", "H", "i", "enter")
    #expect(driver.state.steer.run == nil && driver.text.contains("latent \(latent) is being checked"))
    await driver.send(.checked(.finished(.scripted(latent)), number: 1))
    _ = driver.sendOnly(.terminal(.input(.key("enter"))))
    #expect(driver.state.steer.isBusy)
    _ = driver.sendOnly(.modelReady("chat"))
    await driver.press("#", "1", "2", "enter")
    #expect(driver.state.screen == .latent && start() == [])
    #expect(driver.text.contains("a steering run is under way"))
  }

  @Test func aLatentThatNeverFiredIsNotChecked() async throws {
    var driver = driver
    let silent = try #require(try sample.open().latentIDs(matching: Filter("dead")).first)
    await driver.press("#")
    await driver.type(String(silent))
    await driver.press("enter", "K")
    #expect(driver.state.check == nil && driver.text.contains("never fired"))
  }

  @Test func aReadOnlyStoreKeepsNothingAndTheCheckStaysInMemory() async throws {
    let store = try Store(path: sample.path, access: .readOnly)
    var driver = try await ExplorerDriver(store)
    await driver.press("enter", "K")
    #expect(driver.state.check?.report != nil)
    #expect(driver.state.message?.text == "the run is not saved: the store is read-only; Experiments has it")
    #expect(driver.state.experiments.unsaved.runs.map(\.record.kind) == ["causal check"])
    #expect(try store.experiments().isEmpty)
  }
}
