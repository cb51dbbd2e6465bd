// The lines of a text file that may be packed by gzip, which its first bytes tell, whatever its name says. Memory holds one
// piece and one line. Limits keep out files that would fill it: a line has at most 32 MB, and a packed byte holds at most 300
// bytes beyond the first 64 MB of them (deflate reaches 1032; dashboards reach 60). A line ends at LF or CRLF; a byte order mark
// in front of the first line is skipped.

import Glibc

/// A cursor over the lines of a file.
public final class LineReader {
  /// What a file may ask for.
  public struct Limits: Sendable {
    /// The longest line, in bytes.
    public var line = 32 << 20
    /// The most inflated bytes for a packed byte, once there are more than `free` of them.
    public var ratio = 300
    public var free = 64 << 20

    public init() {}
  }

  private static let piece = 1 << 18

  /// The path as given.
  public var path: String { file.path }
  /// The number of the line that was read last, from 1 on; 0 at the beginning.
  public private(set) var number = 0
  /// How much of the file has been read, in the file's own bytes.
  public var consumed: Int { inflater?.consumed ?? offset }
  /// The size of the file in bytes.
  public var count: Int { file.count }

  private let file: MappedFile
  private let limits: Limits
  private let inflater: Inflater?
  private var offset = 0
  private var inflated = 0
  private var ended = false
  /// Where packed bytes are unpacked.
  private let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: piece)
  /// What has been unpacked and not been given out begins at `start`.
  private var held: [UInt8] = []
  private var start = 0

  /// Maps the file.
  /// - Throws: `InferenceError.fileUnreadable`.
  public convenience init(path: String, limits: Limits = Limits()) throws(InferenceError) {
    try self.init(file: MappedFile(path: path), limits: limits)
  }

  init(file: MappedFile, limits: Limits = Limits()) throws(InferenceError) {
    (self.file, self.limits) = (file, limits)
    inflater =
      file.bytes.starts(with: [0x1F, 0x8B])
      ? try Inflater(.gzip, file.bytes, path: file.path, place: "its lines") : nil
  }

  deinit { buffer.deallocate() }

  /// The next line without its end; nil after the last.
  /// - Throws: `InferenceError.fileMalformed` for a line that is too long and for packed bytes that are damaged, cut off or
  ///   hold too much; `.fileChanged`.
  public func next() throws(InferenceError) -> ArraySlice<UInt8>? {
    var searched = start
    while true {
      if let end = lineFeed(from: searched) {
        defer { start = end + 1 }
        return line(start..<end)
      }
      searched = held.count
      guard held.count - start <= limits.line else {
        throw malformed("a line of at most \(limits.line) bytes", "a longer one")
      }
      guard !ended else {
        try file.check()
        guard start < held.count else { return nil }
        defer { start = held.count }
        return line(start..<held.count)
      }
      searched -= start
      held.removeFirst(start)
      start = 0
      try fill()
    }
  }

  private func lineFeed(from place: Int) -> Int? {
    held.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress, place < bytes.count,
        let found = memchr(base + place, CInt(UInt8(ascii: "\n")), bytes.count - place)
      else { return nil }
      return found - UnsafeMutableRawPointer(mutating: base)
    }
  }

  private func line(_ range: Range<Int>) -> ArraySlice<UInt8> {
    number += 1
    var line = held[range]
    if line.last == UInt8(ascii: "\r") { line.removeLast() }
    return number == 1 && line.starts(with: [0xEF, 0xBB, 0xBF]) ? line.dropFirst(3) : line
  }

  /// Appends the next piece.
  private func fill() throws(InferenceError) {
    guard let inflater else {
      let end = min(offset + Self.piece, file.count)
      held.append(contentsOf: UnsafeRawBufferPointer(rebasing: file.bytes[offset..<end]))
      // Pages that have been read are not needed again.
      file.release(offset..<end)
      (offset, ended) = (end, end == file.count)
      return
    }
    let got: Int
    do { got = try inflater.read(into: UnsafeMutableRawBufferPointer(buffer)) } catch {
      guard case .fileMalformed(let path, let place, let expected, let found) = error else { throw error }
      throw .fileMalformed(path: path, place: "line \(number + 1), \(place)", expected: expected, found: found)
    }
    held.append(contentsOf: UnsafeBufferPointer(rebasing: buffer[..<got]))
    inflated += got
    ended = got < Self.piece
    guard inflated <= limits.free || inflated / limits.ratio <= inflater.consumed else {
      throw malformed(
        "at most \(limits.ratio) bytes for a packed one", "\(inflated) bytes out of \(inflater.consumed)")
    }
  }

  private func malformed(_ expected: String, _ found: String) -> InferenceError {
    .fileMalformed(path: file.path, place: "line \(number + 1)", expected: expected, found: found)
  }
}
