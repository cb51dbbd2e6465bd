// `crosscope serve` puts the models of a store behind a socket, for OpenAI's clients and for --engine. Addresses, the token and
// signals are here; the paths are in Remote, HTTP is in Serving. A TCP port requires a token, which must not stand in the
// arguments, where other users see it.

import ArgumentParser
import Diffing
import Experiments
import Foundation
import Glibc
import Inference
import Kernels
import Remote
import Reports
import Serving
import Storage

struct Serve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Answer requests over a socket, steered by each request as it asks.",
    discussion: """
      POST /v1/chat/completions is OpenAI's, with "interventions" besides; POST /v1/steer answers without and with \
      them; GET /v1/latents, /v1/latents/ID, /v1/models, /health. docs/serve.md has examples.
      A TCP port needs a token, from --token-file or the environment's CROSSCOPE_TOKEN; a socket of yours needs none.
      """)

  @Argument(help: .store, completion: .stores) var store: String
  @Option(
    help: ArgumentHelp(
      "The Unix socket (default: crosscope.sock in $XDG_RUNTIME_DIR or in the cache's folder).", valueName: "path"))
  var socket: String?
  @Option(help: ArgumentHelp("Listen on this TCP port instead; 0 takes any.", valueName: "n")) var port: Int?
  @Option(
    help: "The address of that port. One that other machines reach is your own responsibility, since there is no TLS.")
  var host: String?
  @Option(help: ArgumentHelp("A file of mode 0600 with the token that requests must carry.", valueName: "file"))
  var tokenFile: String?
  @Option(help: ArgumentHelp("The most bytes of a request.", valueName: "bytes")) var maxBody = 1 << 20
  @Option(help: ArgumentHelp("The most tokens of an answer.", valueName: "n")) var maxTokens = 1024
  @Option(help: ArgumentHelp("The number of requests that may wait; further ones are refused.", valueName: "n"))
  var queue = 16
  @OptionGroup var files: ModelFileOptions
  @OptionGroup var computing: ComputeOptions

  func validate() throws {
    if let port, !(0...65535).contains(port) { throw ValidationError("--port: expected 0 to 65535, found \(port)") }
    if socket != nil, port != nil { throw ValidationError("--socket and --port exclude each other; give one of them") }
    if host != nil, port == nil { throw ValidationError("--host needs --port; give it too") }
    guard maxBody > 0, maxTokens > 0, queue >= 0 else {
      throw ValidationError("--max-body and --max-tokens must be above 0, and --queue 0 or more")
    }
  }

  func run() async throws {
    let token = try tokenFile.map { try AccessToken(path: $0) } ?? AccessToken.ofEnvironment()
    let served = try ServedStore { [self] in
      let opened = try Store(path: store, access: .readOnly)
      // Prompts of different clients seldom repeat, so fewer are kept than for one user who turns a knob.
      let owner = ModelOwner(
        store: opened, files: files.locations, precision: computing.precision ?? .fast,
        queue: queue, prefixes: PromptPrefixes(budget: 64 << 20))
      return try Routes(owner: owner, limits: AnswerLimits(maxTokens: maxTokens))
    }
    let log: @Sendable (String) -> Void = { writeError("crosscope: \(termSafeLines($0))") }
    var service = try HTTPService(address: try address(), token: token, log: log, handler: served.handle)
    service.methods = Routes.methods(of:)
    service.bodyLimit = maxBody
    // Each waiting request has a connection; a few more are for requests that need no model.
    service.connectionLimit = queue + 256
    // An address that cannot be used is reported before the models are loaded.
    try service.makeRoom()
    let signals = StopSignals([SIGTERM, SIGINT])
    let stop = signals.stream
    let model = try await served.routes.owner.load { writeError($0) }
    try await service.run(
      listening: { writeError("\(termSafeLines(model)) listens on \($0)") },
      until: {
        let following = Task { await served.follow(log: log) }
        for await _ in stop {}
        following.cancel()
        await served.stop()
      })
    withExtendedLifetime(signals) {}
  }

  private func address() throws -> ServiceAddress {
    if let port { return .tcp(host: host ?? "127.0.0.1", port: port) }
    if let socket { return .unix(path: socket) }
    let environment = ProcessInfo.processInfo.environment
    if let folder = environment["XDG_RUNTIME_DIR"], !folder.isEmpty { return .unix(path: folder + "/crosscope.sock") }
    try FileManager.default.createDirectory(atPath: ModelFiles.cacheFolder, withIntermediateDirectories: true)
    return .unix(path: ModelFiles.cacheFolder + "/crosscope.sock")
  }
}

extension AccessToken {
  /// The token in CROSSCOPE_TOKEN; nil if it is not set.
  static func ofEnvironment() throws -> AccessToken? {
    guard let text = ProcessInfo.processInfo.environment["CROSSCOPE_TOKEN"], !text.isEmpty else { return nil }
    guard let token = AccessToken(text) else {
      throw ValidationError("CROSSCOPE_TOKEN: expected 1 to 4096 printable characters without blanks")
    }
    return token
  }
}
