// A service that is killed in the midst of a run and started again, clients that go away in the midst of an answer, and
// the knob beside a run: what the model does then, seen from outside.

import Foundation
import Glibc
import TestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import crosscope

@Suite(.serialized) struct RemoteFaultTests {
  let build: TinyBuild
  let latent: Int

  init() throws {
    build = try TinyBuild()
    try build.run()
    latent = try #require(try build.livingLatents(1).first)
  }

  /// A run that takes long: its seed is one whose answers do not end early.
  private var long: [String: Any] {
    [
      "prompt": "Hi there", "interventions": [["latent": latent, "strength": 0.7]], "max_tokens": 400,
      "temperature": 2, "seed": 3, "samples": 16, "stream": true,
    ]
  }

  /// Waits until the model has gone on so often.
  private func wait(_ service: RunningService, for steps: Int) throws {
    while try service.status().steps < steps {}
  }

  @Test func aKilledServiceIsSaidInOneLineAndTheNextOneIsUsed() throws {
    let first = try build.serve()
    let steer = [
      "steer", build.storePath, "--latent", "\(latent):0.7", "--prompt", "Hi there", "--seed", "3", "--engine",
      "unix:\(first.socket)",
    ]
    let asking = Process()
    asking.executableURL = Program.url
    asking.arguments = steer + ["--max-tokens", "400", "--temperature", "2", "--samples", "16"]
    let (out, error) = (Pipe(), Pipe())
    (asking.standardOutput, asking.standardError) = (out, error)
    try asking.run()
    try wait(first, for: 4)
    kill(first.process.processIdentifier, SIGKILL)
    let said = String(decoding: error.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    asking.waitUntilExit()
    #expect(said == "crosscope: the connection was lost; try again (unix:\(first.socket))\n")
    #expect(asking.terminationStatus == 1 && out.fileHandleForReading.readDataToEndOfFile().isEmpty)
    first.process.waitUntilExit()
    #expect(FileManager.default.fileExists(atPath: first.socket), "a stale socket is there")
    try Program.run(steer).expectOneLine(saying: "Connection refused; check that a service runs at unix:")
    let second = try build.serve()
    let again = try Program.run(steer + ["--max-tokens", "3"])
    #expect(again.code == 0 && again.out.contains("baseline"), "\(again.error)")
    #expect(second.stop(SIGTERM) == 0)
  }

  @Test func theExplorerGoesOnWithANewProcess() throws {
    guard TmuxTerminal.isAvailable else { return }
    let first = try build.serve()
    let terminal = try TmuxTerminal()
    try terminal.explore(build.storePath, "--engine unix:\(first.socket)")
    try terminal.press("Enter")
    try terminal.wait(for: "Logit lens")
    try terminal.type("s")
    try terminal.wait(for: "type a prompt")
    try terminal.type("sun")
    try terminal.escape("leave prompt")
    try terminal.wait(for: " nats, ")
    try terminal.type("LTTT")
    try terminal.wait(for: "up to 256 tokens")
    // Stopped first, the service cannot have answered before it is killed.
    kill(first.process.processIdentifier, SIGSTOP)
    let before = try first.connections
    try terminal.press("Enter")
    while try first.connections == before {}
    kill(first.process.processIdentifier, SIGKILL)
    try terminal.wait(for: "the connection was lost")
    first.process.waitUntilExit()
    try terminal.type("+")
    try terminal.wait(for: "check that a service runs")
    let second = try build.serve()
    try terminal.type("+")
    try terminal.wait(for: " nats, ")
    try terminal.type("L")
    try terminal.wait(for: "up to 32 tokens")
    try terminal.press("Enter")
    try terminal.wait(for: "saved as experiment")
    try terminal.type("v")
    try terminal.wait(for: "\(latent) ")
    #expect(try second.status().steps > 32)
  }

  /// Waits until the service has nothing to do.
  private func settle(_ service: RunningService) throws -> Int {
    var status = try service.status()
    while status.answering || status.waiting > 0 { status = try service.status() }
    return status.steps
  }

  @Test func whoGoesAwayStopsTheModel() throws {
    let service = try build.serve()
    // By path: what is asked, the fewest steps of the whole answer, and the events after which the client goes away. Chat
    // completions tell four roles and four first tokens before the first step, so that more events must have come there.
    let requests: [(path: String, fields: [String: Any], least: Int, events: Int)] = [
      (
        "/v1/chat/completions",
        [
          "messages": [["role": "user", "content": "Hi there"]], "n": 4, "max_tokens": 400, "temperature": 2, "seed": 3,
          "stream": true,
        ], 100, 20
      ),
      ("/v1/steer", long.merging(["samples": 4]) { $1 }, 100, 3),
      ("/v1/steer/sweep", long.merging(["samples": 1, "strengths": [0.5, 1]]) { $1 }, 100, 3),
      ("/v1/activations", ["text": "sun", "generate": 300, "stream": true], 100, 3),
      ("/v1/causal-check", ["latent": latent, "prompts": 20, "contexts": 1, "random": 2, "stream": true], 20, 3),
    ]
    for (path, fields, least, events) in requests {
      let before = try settle(service)
      _ = try service.events(path, fields)
      let whole = try settle(service) - before
      #expect(whole >= least, "\(path): too short to tell")
      try service.abandon(path, fields, after: events)
      let part = try settle(service) - before - whole
      #expect(part > 0 && part < whole / 2 + 1, "\(path): \(part) of \(whole) steps")
      // Nothing goes on behind.
      #expect(try service.post("/v1/steer/activations", answers).status == 200)
      #expect(try service.status().steps == before + whole + part)
    }
    #expect(service.stop(SIGTERM) == 0)
  }

  private var answers: [String: Any] { ["prompt": "a", "baseline": [1], "steered": [2], "latents": [latent]] }

  @Test func theKnobDoesNotWaitForARunAndWhoTurnsItFurtherIsNotKeptWaiting() throws {
    let service = try build.serve()
    let run = try service.begin("/v1/steer", long)
    try wait(service, for: 2)
    for strength in [0.5, 1, 1.5] {
      let knob: [String: Any] = ["prompt": "Hi there", "interventions": [["latent": latent, "strength": strength]]]
      // A turn that was overtaken: its client has gone.
      try service.begin("/v1/steer/preview", knob.merging(["stream": true]) { $1 }).close()
      let preview = try service.post("/v1/steer/preview", knob).json()
      #expect(preview["next_tokens"] != nil)
      #expect(try service.status().answering, "the run goes on")
    }
    try run.close()
    _ = try settle(service)
  }
}
