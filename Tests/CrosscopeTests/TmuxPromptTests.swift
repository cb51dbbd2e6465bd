// Tracing as a user does it: the real program in a real terminal, on the real models and a copy of the demo store.
// Nothing here depends on which latents fire, only on that some do.

import Foundation
import TestSupport
import Testing

@testable import Explorer
@testable import crosscope

@Suite(
  .serialized, .enabled(if: TmuxTerminal.isAvailable, "tmux is not installed, or the program not built"),
  .enabled(if: RealModel.path != nil, RealModel.missing))
struct TmuxPromptTests {
  private let demo: DemoCopy
  private var store: String { demo.store }

  init() throws { demo = try DemoCopy() }

  @Test func aChatIsTracedAnsweredAndSteeredWith() throws {
    let terminal = try TmuxTerminal()
    try terminal.explore(store, "--model \(try #require(RealModel.path))")
    try terminal.press("F4")
    try terminal.wait(for: "type what the user says")
    try terminal.type("Who are you?")
    try terminal.press("Enter")
    try terminal.wait(for: "tokens in ")
    try terminal.wait(for: "ready")
    let traced = try terminal.screen()
    let latent = try #require(traced.firstMatch(of: #/latent (\d+) /#)?.1)
    #expect(traced.contains("KL(chat ‖ base)") && traced.contains("Who are you?"), "\(traced)")
    let strip = try #require(traced.split(separator: "\n").first { $0.contains("latent \(latent) ") })
    #expect(strip.contains("█"), "its largest activation shows")
    let count = try #require(traced.firstMatch(of: #/(\d+) tokens in/#).flatMap { Int($0.1) })

    try terminal.type("A")
    try terminal.wait(for: "answering")
    try terminal.press("Escape")
    try terminal.wait(for: "cancelled")
    try terminal.wait(for: "ready")
    try terminal.type("A")
    let answered = try terminal.wait(for: "tokens in ")
    let more = try #require(answered.firstMatch(of: #/(\d+) tokens in/#).flatMap { Int($0.1) })
    #expect(more > count)

    // A latent of the answer's last token goes to the steer screen, the prompt comes back from there.
    try terminal.type("s")
    try terminal.wait(for: "[x]")
    try terminal.type("A lake.")
    try terminal.escape("leave prompt")
    try terminal.type("P")
    try terminal.wait(for: "A lake.<|im_end|>")
    try terminal.wait(for: "tokens in ")
  }

  @Test func aTextThatIsTooLongIsRefusedOnTheScreen() throws {
    let terminal = try TmuxTerminal()
    try terminal.explore(store, "--model \(try #require(RealModel.path))")
    try terminal.press("F4")
    try terminal.wait(for: "type what the user says")
    try terminal.paste(String(repeating: "x y ", count: 4200))
    try terminal.press("Enter")
    try terminal.wait(for: "the model's context length")
    try terminal.wait(for: "ready")
  }
}
