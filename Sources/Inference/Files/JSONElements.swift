// The elements of one list in a JSON file that is an object, such as the features of a dashboard: where each lies, so that a
// file of any size is decoded an element at a time. The whole text is checked first, and an object that has the list twice
// is an error.

import Foundation

/// A mapped JSON object with a list in it.
public struct JSONElements: Sendable {
  /// The other members of the object.
  public let members: [String: JSONValue]
  /// The path as given.
  public var path: String { file.path }
  /// The number of elements.
  public var count: Int { ranges.count }

  private let file: MappedFile
  private let ranges: [Range<Int>]

  /// Maps the file and finds the elements.
  /// - Throws: `InferenceError.fileUnreadable`; `.fileMalformed` naming the byte; `.keyMissing` if there is no such list.
  public init(path: String, list: String) throws(InferenceError) {
    try self.init(file: MappedFile(path: path), list: list)
  }

  init(file: MappedFile, list: String) throws(InferenceError) {
    let path = file.path
    let (members, ranges) = try file.checking { () throws(InferenceError) in
      let found = try Self.scan(file, list: list)
      guard let ranges = found.ranges else { throw .keyMissing(path: path, key: list) }
      return (found.members, ranges)
    }
    (self.file, self.members, self.ranges) = (file, members, ranges)
  }

  /// Whether a file is an object whose members up to this list are JSON.
  public static func hasList(_ list: String, path: String) -> Bool {
    guard let file = try? MappedFile(path: path) else { return false }
    var reader = JSONReader(file.bytes, path: path)
    var text: [UInt8] = []
    var found = false
    do {
      try reader.object(&text) { (reader, text) throws(InferenceError) in
        if text.elementsEqual(list.utf8), reader.peek() == UInt8(ascii: "[") {
          found = true
          // What follows is not of interest.
          throw .cancelled
        }
        try reader.skip()
      }
    } catch { return found }
    return found
  }

  private static func scan(
    _ file: MappedFile, list: String
  ) throws(InferenceError) -> (members: [String: JSONValue], ranges: [Range<Int>]?) {
    var reader = JSONReader(file.bytes, path: file.path)
    var (members, text): ([String: JSONValue], [UInt8]) = ([:], [])
    var ranges: [Range<Int>]?
    try reader.object(&text) { (reader, text) throws(InferenceError) in
      let key = String(decoding: text, as: UTF8.self)
      guard key == list else {
        guard members.updateValue(try JSONValue(&reader), forKey: key) == nil else {
          throw reader.malformed("each key once", "\(InferenceError.excerpt(key)) twice")
        }
        return
      }
      guard ranges == nil else { throw reader.malformed("each key once", "\(list) twice") }
      var found: [Range<Int>] = []
      try reader.array { (reader) throws(InferenceError) in
        _ = reader.peek()
        let start = reader.offset
        try reader.skip()
        found.append(start..<reader.offset)
      }
      ranges = found
    }
    try reader.end()
    return (members, ranges)
  }

  /// The text of an element, and where it ends in the file.
  public func element(_ index: Int) -> (text: Data, end: Int) {
    let range = ranges[index]
    return (Data(file.bytes[range]), range.upperBound)
  }

  /// Checks that everything read so far belongs to the file as it was opened.
  public func check() throws(InferenceError) { try file.check() }
}

extension JSONValue {
  /// The text, if it is one.
  public var asText: String? { string }
  /// The integer, if it is one.
  public var asInteger: Int? { integer }
}
