// The program that was built beside these tests, run as a user runs it: arguments in, stdout, stderr and exit code out.
import Foundation
import Testing

public enum Program {
  public static let url = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
    .appending(path: "crosscope")

  public struct Outcome {
    public var out: String
    public var error: String
    public var code: Int32

    public func json() throws -> [String: Any] {
      try #require(JSONSerialization.jsonObject(with: Data(out.utf8)) as? [String: Any])
    }

    /// Expects a failure that is one line on stderr and nothing on stdout.
    public func expectOneLine(code: Int32 = 1, saying hint: String, _ location: SourceLocation = #_sourceLocation) {
      #expect(self.code == code, "\(error)", sourceLocation: location)
      #expect(out == "", sourceLocation: location)
      #expect(error.hasPrefix("crosscope: ") && error.contains(hint), "\(error)", sourceLocation: location)
      if code == 1 { #expect(error.count { $0 == "\n" } == 1, "\(error)", sourceLocation: location) }
    }
  }

  /// Runs it to its end.
  /// - Parameter command: what a shell does before it becomes the program, such as setting a limit.
  public static func run(_ arguments: [String], input: String = "", after command: String? = nil) throws -> Outcome {
    let process = Process()
    process.executableURL = command == nil ? url : URL(filePath: "/bin/sh")
    process.arguments = (command.map { ["-c", $0 + "; exec \"$0\" \"$@\"", url.path] } ?? []) + arguments
    let (out, error, standardInput) = (Pipe(), Pipe(), Pipe())
    process.standardOutput = out
    process.standardError = error
    process.standardInput = standardInput
    try process.run()
    try standardInput.fileHandleForWriting.write(contentsOf: Data(input.utf8))
    try standardInput.fileHandleForWriting.close()
    let outData = out.fileHandleForReading.readDataToEndOfFile()
    let errorData = error.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Outcome(
      out: String(decoding: outData, as: UTF8.self), error: String(decoding: errorData, as: UTF8.self),
      code: process.terminationStatus)
  }

  /// The limit on the size of files under which a training run ends within so many steps, given the log of the same run
  /// without a limit: a step adds a line.
  public static func limit(toSteps steps: Int, of log: String) throws -> String {
    let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").prefix(steps)
    return "ulimit -f \(lines.map { $0.utf8.count + 1 }.reduce(0, +) / 512)"
  }
}
