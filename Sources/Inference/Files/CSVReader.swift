// Reads comma-separated values row by row from a mapped file, by RFC 4180: quotes, newlines inside them, CRLF and LF,
// and a byte-order mark at the start. Empty lines are skipped. Errors name the line: quotes that do not end or stand
// inside a field, bytes that are not UTF-8, rows whose width differs from the first, and more columns or longer fields
// than any table of latents has.

/// Reads rows of fields; the first row is the header. The memory needed is that of one row.
public struct CSVReader {
  /// The limits of columns and of a field's bytes.
  static let (columnLimit, fieldLimit) = (4096, 1 << 16)

  /// The path as given.
  public var path: String { file.path }
  /// The first row.
  public private(set) var header: [String]
  /// The line where the last row that was read begins, counted from 1.
  public private(set) var line = 1
  /// How much of the file has been read, from 0 to 1.
  public var share: Double { Double(offset) / Double(file.count) }

  private let file: MappedFile
  private var offset = 0
  private var nextLine = 1

  /// Maps the file and reads its header.
  /// - Throws: `InferenceError.fileUnreadable` or `.fileMalformed`.
  public init(path: String) throws(InferenceError) {
    try self.init(file: MappedFile(path: path))
  }

  init(file: MappedFile) throws(InferenceError) {
    self.file = file
    header = []
    if file.bytes.starts(with: [0xEF, 0xBB, 0xBF]) { offset = 3 }
    guard let first = try row(width: nil) else {
      throw .fileMalformed(path: file.path, place: "line 1", expected: "the names of columns", found: "nothing")
    }
    header = first
  }

  /// Returns the fields of the next row, as many as in the header; nil at the end.
  /// - Throws: `InferenceError.fileMalformed` naming the line.
  public mutating func next() throws(InferenceError) -> [String]? { try row(width: header.count) }

  private mutating func row(width: Int?) throws(InferenceError) -> [String]? {
    let bytes = file.bytes
    defer { withExtendedLifetime(file) {} }
    // Empty lines are not rows, unless a row has a single field.
    while offset < bytes.count, width != 1, bytes[offset] == 0x0A || bytes[offset] == 0x0D {
      if bytes[offset] == 0x0A { nextLine += 1 }
      offset += 1
    }
    guard offset < bytes.count else { return nil }
    line = nextLine
    var fields: [String] = []
    fields.reserveCapacity(width ?? 0)
    while true {
      guard fields.count < Self.columnLimit else { throw malformed("at most \(Self.columnLimit) fields", "more") }
      fields.append(try field())
      guard offset < bytes.count else { break }
      let separator = bytes[offset]
      offset += 1
      if separator == UInt8(ascii: ",") { continue }
      if separator == 0x0D {
        guard offset < bytes.count, bytes[offset] == 0x0A else { throw malformed("a line feed after CR", "none") }
        offset += 1
      }
      nextLine += 1
      break
    }
    if let width, fields.count != width { throw malformed("\(width) fields, as in the header", "\(fields.count)") }
    return fields
  }

  /// Reads a field and stops before the byte that ends it.
  private mutating func field() throws(InferenceError) -> String {
    let bytes = file.bytes
    guard offset < bytes.count, bytes[offset] == UInt8(ascii: "\"") else {
      let start = offset
      while offset < bytes.count {
        let byte = bytes[offset]
        if byte == UInt8(ascii: ",") || byte == 0x0A || byte == 0x0D { break }
        guard byte != UInt8(ascii: "\"") else { throw malformed("quotes around a whole field", "a quote inside it") }
        offset += 1
      }
      return try text(UnsafeRawBufferPointer(rebasing: bytes[start..<offset]))
    }
    offset += 1
    var content: [UInt8] = []
    while true {
      let start = offset
      while offset < bytes.count, bytes[offset] != UInt8(ascii: "\"") {
        if bytes[offset] == 0x0A { nextLine += 1 }
        offset += 1
      }
      guard offset < bytes.count else { throw malformed("an end of the quoted field", "the end of the file") }
      guard content.count + offset - start <= Self.fieldLimit else {
        throw malformed("fields of at most \(Self.fieldLimit) bytes", "a longer one")
      }
      content += bytes[start..<offset]
      offset += 1
      guard offset < bytes.count, bytes[offset] == UInt8(ascii: "\"") else { break }
      content.append(UInt8(ascii: "\""))
      offset += 1
    }
    guard offset == bytes.count || [UInt8(ascii: ","), 0x0A, 0x0D].contains(bytes[offset]) else {
      throw malformed("a comma or the end of the line after a quoted field", "something else")
    }
    guard let text = String(validating: content, as: UTF8.self) else { throw malformed("UTF-8", "other bytes") }
    return text
  }

  private func text(_ bytes: UnsafeRawBufferPointer) throws(InferenceError) -> String {
    guard bytes.count <= Self.fieldLimit else {
      throw malformed("fields of at most \(Self.fieldLimit) bytes", "a longer one")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw malformed("UTF-8", "other bytes") }
    return text
  }

  private func malformed(_ expected: String, _ found: String) -> InferenceError {
    .fileMalformed(path: path, place: "line \(line)", expected: expected, found: found)
  }
}
