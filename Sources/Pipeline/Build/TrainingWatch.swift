// `crosscope train --watch LOG` shows a running or finished training from its log, which grows and which a resumed run
// replaces. A file that is not regular and lines that are not steps are errors. The watch ends with the run's last step.

import Experiments
import Foundation
import Glibc
import Inference

/// Shows a run from its log.
package struct TrainingWatch {
  package let path: String

  package init(path: String) { self.path = path }

  package func run() throws {
    var log = FollowedLog(path: path)
    var display = TrainingDisplay(title: "watch", steps: 0)
    var (lastStep, isFirst) = (0.0, true)
    while true {
      let lines = try log.read()
      if log.isNew, !isFirst { display = TrainingDisplay(title: "watch", steps: 0) }
      if isFirst || log.isNew {
        display.add(earlier: lines.dropLast())
        lines.last.map { display.update($0) }
        isFirst = false
      } else {
        for line in lines { display.update(line) }
      }
      if !lines.isEmpty { lastStep = display.seconds }
      display.draw(idle: Int(display.seconds - lastStep))
      if display.view.isFinished { return }
      usleep(250_000)
    }
  }
}

/// Reads the new lines of a log.
package struct FollowedLog {
  package let path: String
  /// Whether the last `read` began from the file's start.
  package private(set) var isNew = false
  private var inode: ino_t?
  private var offset = 0
  private var number = 0
  private var open: [UInt8] = []
  /// The largest length of a line in bytes; usual lines have a few hundred.
  private static let longest = 1 << 16

  package init(path: String) { self.path = path }

  /// The complete lines since the last call, or all lines if the file was replaced or became shorter.
  /// - Throws: `InferenceError.fileUnreadable`, `.fileMalformed` naming the line.
  package mutating func read() throws(InferenceError) -> [TrainingLogLine] {
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .fileUnreadable(path: path, reason: String(cString: strerror(errno))) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw .fileUnreadable(path: path, reason: "it is not a regular file")
    }
    isNew = inode != status.st_ino || Int(status.st_size) < offset
    if isNew { (inode, offset, number, open) = (status.st_ino, 0, 0, []) }
    var lines: [TrainingLogLine] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = pread(descriptor, &buffer, buffer.count, off_t(offset))
      guard count >= 0 else { throw .fileUnreadable(path: path, reason: String(cString: strerror(errno))) }
      if count == 0 { return lines }
      offset += count
      for byte in buffer[..<count] {
        if byte != UInt8(ascii: "\n") {
          open.append(byte)
          if open.count > Self.longest { throw malformed("a line of more than \(Self.longest) bytes") }
          continue
        }
        number += 1
        guard !JSONLine.isBlank(open) else {
          open.removeAll(keepingCapacity: true)
          continue
        }
        guard let line = try? JSONDecoder().decode(TrainingLogLine.self, from: Data(open)) else {
          throw malformed("something else")
        }
        lines.append(line)
        open.removeAll(keepingCapacity: true)
      }
    }
  }

  private func malformed(_ found: String) -> InferenceError {
    .fileMalformed(path: path, place: "line \(number)", expected: "a step of a training run", found: found)
  }
}
