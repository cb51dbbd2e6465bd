// The header of a .npy array: a magic string, a version, the header's length, and a Python dictionary with exactly the
// keys descr, fortran_order and shape. This reads that dictionary and no other Python. Records with fields, objects
// (which are pickles), complex numbers, texts and dates are refused.
// Source: numpy's documentation, numpy.lib.format, versions 1.0 to 3.0.

/// What the header of a numpy array says.
struct NumPyHeader {
  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  /// The longest header that is read; numpy writes 128 bytes for arrays of numbers.
  static let limit = 1 << 16

  /// The type of the elements.
  let type: SafetensorsType
  /// Whether the most significant byte of each number comes first.
  let isBigEndian: Bool
  /// The dimensions; empty for a scalar.
  let shape: [Int]
  /// The elements from one index to the next, for each dimension.
  let strides: [Int]
  /// The number of bytes before the first element.
  let length: Int

  /// The number of bytes of all elements.
  var byteCount: Int { shape.reduce(type.size, *) }

  /// Reads the header at the start of `bytes`.
  init(_ bytes: [UInt8], path: String, place: String) throws(InferenceError) {
    func malformed(_ expected: String, _ found: String) -> InferenceError {
      .fileMalformed(path: path, place: "\(place), header", expected: expected, found: InferenceError.excerpt(found))
    }
    guard bytes.starts(with: Self.magic), bytes.count >= 10 else { throw malformed("a numpy array", "other bytes") }
    let wide = bytes[6] >= 2
    guard (1...3).contains(bytes[6]), !wide || bytes.count >= 12 else {
      throw malformed("version 1 to 3", "version \(bytes[6])")
    }
    let size = (0..<(wide ? 4 : 2)).reduce(0) { $0 | Int(bytes[8 + $1]) << (8 * $1) }
    let start = wide ? 12 : 10
    guard size <= bytes.count - start else {
      throw malformed("at most \(bytes.count - start) bytes", "\(size)")
    }
    length = start + size
    guard let text = String(validating: bytes[start..<length], as: UTF8.self) else {
      throw malformed("text", "other bytes")
    }
    var literal = PythonLiteral(text)
    guard let fields = literal.dictionary() else { throw malformed("a Python dictionary", text) }
    for key in fields.keys where !["descr", "fortran_order", "shape"].contains(key) {
      throw malformed("the keys descr, fortran_order and shape", key)
    }
    guard case .tuple(let dimensions)? = fields["shape"] else { throw malformed("a shape", text) }
    guard case .bool(let isFortran)? = fields["fortran_order"] else { throw malformed("fortran_order", text) }
    guard case .text(let description)? = fields["descr"] else {
      throw .unsupported(
        path: path, what: "\(place) with elements of", found: "several fields", supported: "plain numbers")
    }
    guard let (type, isBigEndian) = Self.types[description] else {
      throw .unsupported(
        path: path, what: "\(place) with elements of type", found: InferenceError.excerpt(description),
        supported: "f2, f4, f8, integers or booleans")
    }
    (self.type, self.isBigEndian) = (type, isBigEndian)
    guard dimensions.count <= 8 else { throw malformed("at most 8 dimensions", "\(dimensions.count)") }
    var count = type.size
    for dimension in dimensions {
      let (product, overflow) = count.multipliedReportingOverflow(by: max(1, dimension))
      guard !overflow else { throw malformed("a size that fits", text) }
      count = product
    }
    shape = dimensions
    var strides = [Int](repeating: 1, count: dimensions.count)
    var step = 1
    for axis in isFortran ? Array(dimensions.indices) : dimensions.indices.reversed() {
      strides[axis] = step
      step *= max(1, dimensions[axis])
    }
    self.strides = strides
  }

  /// The types by numpy's names, with the mark of their byte order.
  private static let types: [String: (SafetensorsType, Bool)] = {
    var types: [String: (SafetensorsType, Bool)] = ["|b1": (.bool, false), "|i1": (.i8, false), "|u1": (.u8, false)]
    let wide: [(String, SafetensorsType)] = [
      ("f2", .f16), ("f4", .f32), ("f8", .f64), ("i2", .i16), ("i4", .i32), ("i8", .i64), ("u2", .u16), ("u4", .u32),
      ("u8", .u64),
    ]
    for (name, type) in wide {
      types["<" + name] = (type, false)
      types[">" + name] = (type, true)
    }
    return types
  }()
}

/// A reader of the one Python dictionary that a header holds.
private struct PythonLiteral {
  enum Value {
    case text(String)
    case bool(Bool)
    /// A tuple of integers that are not negative.
    case tuple([Int])
    /// A list, as records with fields have; its content is not kept.
    case list
  }

  private var rest: Substring

  init(_ text: String) { rest = text[...] }

  /// Reads `{key: value, …}`; nil for anything else, also for a key that comes twice.
  mutating func dictionary() -> [String: Value]? {
    guard take("{") else { return nil }
    var fields: [String: Value] = [:]
    while !take("}") {
      guard let key = quoted(), take(":"), let value = value(), fields.updateValue(value, forKey: key) == nil else {
        return nil
      }
      guard take(",") || rest.first == "}" else { return nil }
    }
    skipBlanks()
    return rest.isEmpty ? fields : nil
  }

  private mutating func value() -> Value? {
    skipBlanks()
    switch rest.first {
    case "'", "\"": return quoted().map { .text($0) }
    case "(": return tuple().map { .tuple($0) }
    case "[":
      guard let end = rest.lastIndex(of: "]") else { return nil }
      rest = rest[rest.index(after: end)...]
      return .list
    default:
      if take("True") { return .bool(true) }
      if take("False") { return .bool(false) }
      return nil
    }
  }

  private mutating func tuple() -> [Int]? {
    guard take("(") else { return nil }
    var numbers: [Int] = []
    while !take(")") {
      let digits = rest.prefix { $0.isASCII && $0.isNumber }
      guard let number = Int(digits) else { return nil }
      numbers.append(number)
      rest = rest[digits.endIndex...]
      // Python 2 wrote long integers with an L.
      _ = take("L")
      guard take(",") || rest.first == ")" else { return nil }
    }
    return numbers
  }

  private mutating func quoted() -> String? {
    skipBlanks()
    guard let mark = rest.first, mark == "'" || mark == "\"" else { return nil }
    let inside = rest.dropFirst()
    guard let end = inside.firstIndex(of: mark) else { return nil }
    rest = inside[inside.index(after: end)...]
    return String(inside[..<end])
  }

  /// Takes a word and the blanks on either side of it, if it comes next.
  private mutating func take(_ word: String) -> Bool {
    skipBlanks()
    guard rest.hasPrefix(word) else { return false }
    rest = rest.dropFirst(word.count)
    skipBlanks()
    return true
  }

  private mutating func skipBlanks() { rest = rest.drop(while: \.isWhitespace) }
}
