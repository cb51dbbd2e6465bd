// A `crosscope serve` for tests, spoken to in plain HTTP: what it answers is seen as any client sees it.

import Foundation
import Glibc
import Serving
import Storage
import TestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Remote
@testable import crosscope

extension TinyBuild {
  /// Serves its store, on a socket in its folder.
  func serve(_ more: [String] = [], environment: [String: String] = [:]) throws -> RunningService {
    try RunningService(storePath, socket: folder.path + "/s", more, environment: environment)
  }
}

/// A running `crosscope serve`, asked over blocking sockets.
final class RunningService {
  let socket: String
  let process = Process()
  private let error = Pipe()
  /// What it has said on stderr so far.
  private var said = ""

  init(_ store: String, socket: String, _ more: [String] = [], environment: [String: String] = [:]) throws {
    self.socket = socket
    process.executableURL = Program.url
    process.arguments = ["serve", store, "--socket", socket] + more
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardError = error
    try process.run()
    try wait(for: "listens on")
  }

  /// Waits until it says a text on stderr.
  func wait(for text: String) throws {
    let guarding = HangGuard()
    while !said.contains(text) {
      let file = error.fileHandleForReading
      let data = guarding.waitForInput(file.fileDescriptor) ? file.availableData : Data()
      try #require(!data.isEmpty, "never said: \(text), but\n\(said)")
      said += String(decoding: data, as: UTF8.self)
    }
  }

  deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

  struct Answer {
    var status: Int
    var head: String
    var body: String

    func json() throws -> [String: Any] {
      try #require(JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any], "\(body)")
    }

    /// Status, param and code of an error.
    func error() throws -> (Int, String?, String?) {
      let error = try #require(try json()["error"] as? [String: Any])
      #expect(!(error["message"] as? String ?? "").isEmpty && error["type"] is String)
      return (status, error["param"] as? String, error["code"] as? String)
    }
  }

  /// The service as the explorer asks it, on a store here.
  func engine(of store: String) throws -> RemoteEngine {
    RemoteEngine(
      client: ServiceClient(address: .unix(path: socket), token: nil),
      identity: EngineIdentity(try Store(path: store, access: .readOnly).modelPair()))
  }

  /// A connection on which a request was sent.
  private func sent(_ request: String) throws -> Int32 {
    let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: socket.utf8) }
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(connected == 0)
    let bytes = Array(request.utf8)
    try #require(Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
    return descriptor
  }

  /// Sends bytes and reads to the end of the connection.
  func send(_ request: String) throws -> Answer {
    let descriptor = try sent(request)
    defer { close(descriptor) }
    var answer: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while case let count = recv(descriptor, &buffer, buffer.count, 0), count > 0 { answer += buffer[..<count] }
    let text = String(decoding: answer, as: UTF8.self)
    let end = try #require(text.range(of: "\r\n\r\n"), "\(text)")
    return Answer(
      status: Int(text.split(separator: " ")[1]) ?? 0, head: String(text[..<end.lowerBound]),
      body: String(text[end.upperBound...]))
  }

  func get(_ path: String, token: String? = nil) throws -> Answer {
    let authorization = token.map { "Authorization: Bearer \($0)\r\n" } ?? ""
    return try send("GET \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\(authorization)\r\n")
  }

  private func request(_ path: String, _ body: String) -> String {
    "POST \(path) HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
  }

  private func body(_ fields: [String: Any]) throws -> String {
    String(decoding: try JSONSerialization.data(withJSONObject: fields), as: UTF8.self)
  }

  func post(_ path: String, _ body: String) throws -> Answer { try send(request(path, body)) }

  func post(_ path: String, _ fields: [String: Any]) throws -> Answer { try post(path, body(fields)) }

  /// Asks, and reads nothing; closing the connection is going away.
  func begin(_ path: String, _ fields: [String: Any]) throws -> FileHandle {
    FileHandle(fileDescriptor: try sent(request(path, body(fields))), closeOnDealloc: true)
  }

  /// Asks, and goes away when the answer has begun with some events.
  func abandon(_ path: String, _ fields: [String: Any], after events: Int) throws {
    let connection = try begin(path, fields)
    var (text, buffer) = ("", [UInt8](repeating: 0, count: 4096))
    while text.components(separatedBy: "data: ").count <= events {
      let count = recv(connection.fileDescriptor, &buffer, buffer.count, 0)
      try #require(count > 0, "\(text)")
      text += String(decoding: buffer[..<count], as: UTF8.self)
    }
    try connection.close()
  }

  func status() throws -> ServiceStatus {
    try JSONDecoder().decode(ServiceStatus.self, from: Data(get("/v1/status").body.utf8))
  }

  /// The events of a stream, without the framing of chunks.
  func events(_ path: String, _ fields: [String: Any]) throws -> [[String: Any]] {
    let answer = try post(path, fields)
    #expect(answer.status == 200 && answer.head.contains("text/event-stream"), "\(answer.head)")
    let lines = answer.body.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("data: ") }.map { $0.dropFirst(6) }
    #expect(lines.last == "[DONE]")
    return try lines.dropLast().map {
      try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any], "\($0)")
    }
  }

  /// Ends of connections to its socket, accepted or not, and the socket itself, which was bound in a folder beside it.
  var connections: Int {
    get throws {
      let folder = URL(filePath: socket).deletingLastPathComponent().path
      return try String(contentsOfFile: "/proc/net/unix", encoding: .utf8).split(separator: "\n").count {
        $0.contains(" \(folder)/")
      }
    }
  }

  /// Ends it by a signal.
  func stop(_ number: Int32) -> Int32 {
    kill(process.processIdentifier, number)
    process.waitUntilExit()
    return process.terminationStatus
  }
}
