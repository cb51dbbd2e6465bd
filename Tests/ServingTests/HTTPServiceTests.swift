// The service without models: a scripted handler, real sockets, the program's own client.

import Foundation
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import Serving

/// A service on a socket of its own for the time of a test.
private func serving(
  token: AccessToken? = nil, bodyLimit: Int = 1 << 20, idleTimeout: Duration = .seconds(600),
  handler: @escaping HTTPService.Handler,
  _ body: (ServiceClient, _ stop: () -> Void) async throws -> Void
) async throws {
  let path = "/tmp/crosscope-\(UUID().uuidString.prefix(8)).sock"
  var service = try HTTPService(address: .unix(path: path), token: token, log: { _ in }, handler: handler)
  (service.bodyLimit, service.idleTimeout) = (bodyLimit, idleTimeout)
  let (stopped, stop) = AsyncStream<Void>.makeStream()
  let (listening, isListening) = AsyncStream<ServiceAddress>.makeStream()
  try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { [service] in
      try await service.run(listening: { isListening.yield($0) }, until: { for await _ in stopped {} })
    }
    for await address in listening {
      try await body(ServiceClient(address: address, token: token)) { stop.finish() }
      break
    }
    stop.finish()
    try await group.waitForAll()
  }
  #expect(!FileManager.default.fileExists(atPath: path))
}

private let echo: HTTPService.Handler = { request in
  guard request.method == "POST" else { return .document("{\"path\":\"\(request.path)\"}") }
  let text = String(decoding: request.body, as: UTF8.self)
  return .events { send in for word in text.split(separator: " ") { try await send("\"\(word)\"") } }
}

/// Answers until its task is cancelled, and tells of both.
private struct Endless: Sendable {
  let started = AsyncStream<Void>.makeStream()
  let cancelled = AsyncStream<Void>.makeStream()

  var handler: HTTPService.Handler {
    { _ in
      .events { send in
        try await send("1")
        started.continuation.finish()
        defer { cancelled.continuation.finish() }
        try await untilCancelled()
      }
    }
  }
}

@Suite(.timeLimit(.minutes(10))) struct HTTPServiceTests {
  private func collect(_ client: ServiceClient, _ path: String, _ body: String) async throws -> [String] {
    final class Events { var list: [String] = [] }
    let events = Events()
    try await client.post(path, body: Data(body.utf8)) { events.list.append(String(decoding: $0, as: UTF8.self)) }
    return events.list
  }

  @Test func documentsAndEventsArrive() async throws {
    try await serving(handler: echo) { client, _ in
      let document = try await client.get("/a/b")
      #expect(String(decoding: document, as: UTF8.self) == "{\"path\":\"/a/b\"}\n")
      let events = try await collect(client, "/x", "one two three")
      #expect(events == ["\"one\"", "\"two\"", "\"three\""])
    }
  }

  @Test func withoutTheTokenOnlyTheOpenPathAnswers() async throws {
    let token = try #require(AccessToken("right"))
    try await serving(token: token, handler: echo) { client, _ in
      let events = try await collect(client, "/x", "a")
      #expect(events == ["\"a\""])
      for wrong in [nil, AccessToken("wrong"), AccessToken("righ"), AccessToken("right1")] {
        let stranger = ServiceClient(address: client.address, token: wrong)
        let health = try await stranger.get("/health")
        #expect(!health.isEmpty)
        let error = await #expect(throws: ServiceError.self) { _ = try await stranger.get("/v1/models") }
        guard case .refused(_, 401, _) = error else {
          Issue.record("\(String(describing: error))")
          continue
        }
      }
    }
  }

  @Test func datesAreThoseOfTheStandard() {
    #expect(ConnectionEnds.date(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    #expect(ConnectionEnds.date(0) == "Thu, 01 Jan 1970 00:00:00 GMT")
  }

  @Test func aPortIsNotOpenedWithoutAToken() {
    for host in ["127.0.0.1", "0.0.0.0"] {
      #expect(throws: ServiceError.tokenMissing("http://\(host):0")) {
        try HTTPService(address: .tcp(host: host, port: 0), token: nil, log: { _ in }, handler: echo)
      }
    }
  }

  @Test func bodiesAreTakenUpToTheLimitAndNotBeyond() async throws {
    try await serving(bodyLimit: 1000, handler: echo) { client, _ in
      let events = try await collect(client, "/x", String(repeating: "a", count: 1000))
      #expect(events.count == 1)
      let error = await #expect(throws: ServiceError.self) {
        _ = try await collect(client, "/x", String(repeating: "a", count: 1001))
      }
      guard case .refused(_, 413, _) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
  }

  @Test func errorsHaveTheirStatusAndOthersAreToldToNobody() async throws {
    struct Secret: Error { let path = "/home/somebody" }
    try await serving(handler: { request in
      switch request.path {
      case "/busy": throw APIError.busy
      case "/late":
        return .events { send in
          try await send("1")
          throw APIError.stopping
        }
      default: throw Secret()
      }
    }) { client, _ in
      let busy = await #expect(throws: ServiceError.self) { _ = try await collect(client, "/busy", "") }
      #expect(busy == .refused(client.address.description, status: 429, message: APIError.busy.message))
      let failed = await #expect(throws: ServiceError.self) { _ = try await client.get("/other") }
      #expect(failed == .refused(client.address.description, status: 500, message: APIError.failed.message))
      let late = try await collect(client, "/late", "")
      #expect(late.count == 2 && late[1].contains("stopping"))
    }
  }

  /// However long a client's tasks wait for a thread, its connection is never one that asks nothing.
  @Test func aRequestIsSentWithTheConnectionAndItsAnswerMayBeReadLate() async throws {
    let (asked, isAsked) = AsyncStream<Void>.makeStream()
    try await serving(
      idleTimeout: .milliseconds(200),
      handler: { request in
        isAsked.finish()
        return try await echo(request)
      }
    ) { client, _ in
      let channel = try await client.open("POST", "/x", body: Data("one two".utf8))
      for await _ in asked {}
      // A connection that asks nothing, opened after the request, is closed: so long does this one stay unread.
      guard case .unix(let path) = client.address else { return }
      let silent = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connect(unixDomainSocketPath: path).get()
      try await silent.closeFuture.get()
      let text = try await channel.executeThenClose { inbound in
        var text = ""
        for try await case .body(let bytes) in inbound { text += String(buffer: bytes) }
        return text
      }
      #expect(text.contains("\"two\"") && text.contains("[DONE]"))
    }
  }

  @Test func aHandlerEndsWhenItsClientGoes() async throws {
    let endless = Endless()
    try await serving(handler: endless.handler) { client, _ in
      let asking = Task { try await collect(client, "/x", "") }
      for await _ in endless.started.stream {}
      asking.cancel()
      await #expect(throws: CancellationError.self) { _ = try await asking.value }
      for await _ in endless.cancelled.stream {}
    }
  }

  /// How long that takes is not looked at: beside other tests a task may wait for a thread as long as it likes.
  @Test func stoppingEndsWhatIsUnderWay() async throws {
    let endless = Endless()
    try await serving(handler: endless.handler) { client, stop in
      let asking = Task { try await collect(client, "/x", "") }
      for await _ in endless.started.stream {}
      stop()
      for await _ in endless.cancelled.stream {}
      await #expect(throws: ServiceError.lost(client.address.description)) { _ = try await asking.value }
    }
  }

  @Test func aSocketIsItsOwnersAndOnlyADeadOneIsReplaced() async throws {
    try await serving(handler: echo) { client, _ in
      guard case .unix(let path) = client.address else { return }
      let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
      #expect(mode == 0o600)
      let second = try HTTPService(address: client.address, token: nil, log: { _ in }, handler: echo)
      await #expect(throws: ServiceError.inUse(client.address.description)) {
        try await second.run(listening: { _ in }, until: {})
      }
      let document = try await client.get("/x")
      #expect(!document.isEmpty)
    }
    let file = "/tmp/crosscope-\(UUID().uuidString.prefix(8)).sock"
    try "a file".write(toFile: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: file) }
    let third = try HTTPService(address: .unix(path: file), token: nil, log: { _ in }, handler: echo)
    await #expect(throws: ServiceError.self) { try await third.run(listening: { _ in }, until: {}) }
    #expect(FileManager.default.fileExists(atPath: file))
  }

  @Test func nobodyAnsweringIsSaidInOneLine() async throws {
    let client = ServiceClient(address: .unix(path: "/tmp/crosscope-nobody.sock"), token: nil)
    let error = await #expect(throws: ServiceError.self) { try await client.get("/health") }
    #expect(error?.description.contains("No such file or directory; check that a service runs") == true)
  }
}

struct ServiceAddressTests {
  @Test func addressesAreReadOrRefused() throws {
    #expect(try ServiceAddress("unix:/tmp/a b.sock") == .unix(path: "/tmp/a b.sock"))
    #expect(try ServiceAddress("http://127.0.0.1:80") == .tcp(host: "127.0.0.1", port: 80))
    #expect(try ServiceAddress("http://[::1]:8080/") == .tcp(host: "::1", port: 8080))
    for wrong in [
      "", "unix:", "http://host", "https://host:1", "http://u:p@host:1", "http://host:1/v1", "http://host:70000",
      "host:1", "unix:/" + String(repeating: "a", count: 107),
    ] {
      #expect(throws: ServiceError.addressInvalid(wrong)) { try ServiceAddress(wrong) }
    }
  }
}

struct EventLinesTests {
  @Test func eventsAreTheSameHoweverTheBytesAreCut() {
    let bytes = Array("data: one\n\ndata: {\"é\":2}\n\n: comment\ndata: [DONE]\n\n".utf8)
    let expected = ["one", "{\"é\":2}", "[DONE]"].map { Data($0.utf8) }
    for cut in 0...bytes.count {
      var lines = EventLines(limit: 100)
      #expect((lines.append(bytes[..<cut]) ?? []) + (lines.append(bytes[cut...]) ?? []) == expected)
    }
    var lines = EventLines(limit: 5)
    #expect(lines.append(Array("data: endless".utf8)) == nil)
  }
}

struct AccessTokenTests {
  @Test func aTokenComesFromAPrivateFileOnly() throws {
    let path = "/tmp/crosscope-token-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    func write(_ text: String, _ mode: Int) throws {
      try? FileManager.default.removeItem(atPath: path)
      #expect(
        FileManager.default.createFile(atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: mode]))
    }
    try write("secret\n", 0o600)
    #expect(try AccessToken(path: path) == AccessToken("secret"))
    for (text, mode) in [("secret\n", 0o644), ("", 0o600), ("two words", 0o600), ("a\nb\n", 0o600)] {
      try write(text, mode)
      #expect(throws: ServiceError.self) { try AccessToken(path: path) }
    }
  }
}
