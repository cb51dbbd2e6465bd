// The pickle inside a PyTorch file, read as data: a stack machine for the few opcodes with which torch.save writes a
// dictionary of tensors. It never imports, builds or calls anything: the few Python names that may occur are looked up
// in a list and stand for actions of this file; any other opcode or name is an error that names it. Tuples, lists and
// dictionaries live in arrays and are referred to by index, so deep nesting needs no recursion, and a dictionary that
// contains itself is no cycle in memory. Memory is bounded by the length of the pickle. Source: the comments of
// Python's pickletools.py (protocol 2), and torch/serialization.py.

/// A value on the machine's stack.
enum PickleValue {
  case none
  case bool(Bool)
  case int(Int)
  case float(Double)
  case text(String)
  /// An index into `PyTorchPickle.tuples`.
  case tuple(Int)
  /// An index into `PyTorchPickle.lists`.
  case list(Int)
  /// An index into `PyTorchPickle.dictionaries`.
  case dictionary(Int)
  case callable(PickleCallable)
  case storageType(SafetensorsType)
  case storage(PickleStorage)
  case tensor(PickleTensor)
}

/// The Python callables that are known here.
enum PickleCallable: String, CaseIterable {
  case orderedDict = "collections.OrderedDict"
  case rebuildTensor = "torch._utils._rebuild_tensor_v2"
  case rebuildParameter = "torch._utils._rebuild_parameter"
}

/// A storage: a record of the archive that holds elements of one type.
struct PickleStorage {
  var key: String
  var type: SafetensorsType
  var count: Int
}

/// A tensor as a view of a storage; its values are not yet checked.
struct PickleTensor {
  var storage: PickleStorage
  var offset: Int
  var shape: [Int]
  var strides: [Int]
}

/// The machine; `init` runs it to its end.
struct PyTorchPickle {
  /// The pairs of each dictionary, in the order in which they were set.
  private(set) var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
  /// The elements of each list.
  private(set) var lists: [[PickleValue]] = []
  /// The value of the pickle.
  private(set) var result = PickleValue.none
  /// The storages that it names, by their keys.
  private(set) var storages: [String: PickleStorage] = [:]
  /// The number of bytes that it takes.
  var length: Int { reader.offset }

  private let path: String
  private var reader: ByteReader
  private var tuples: [[PickleValue]] = []
  private var stack: [PickleValue] = []
  /// The length of the stack at each open mark.
  private var marks: [Int] = []
  private var memo: [Int: PickleValue] = [:]
  /// The place of the current opcode, for messages.
  private var opcodeOffset = 0

  /// Runs the pickle in `bytes`.
  /// - Parameter isFollowed: whether other bytes may follow it.
  init(_ bytes: UnsafeRawBufferPointer, path: String, isFollowed: Bool = false) throws(InferenceError) {
    self.path = path
    reader = ByteReader(bytes, path: path)
    while try step() {}
    result = try pop()
    guard stack.isEmpty, marks.isEmpty, isFollowed || reader.remaining == 0 else {
      throw malformed("nothing after the pickle's value", "\(stack.count) values, \(reader.remaining) bytes")
    }
  }

  /// Executes one opcode.
  /// - Returns: false after the last opcode.
  private mutating func step() throws(InferenceError) -> Bool {
    opcodeOffset = reader.offset
    let byte = try reader.read(UInt8.self, Self.part)
    guard let opcode = PickleOpcode(rawValue: byte) else {
      throw refused("the opcode", PickleOpcode.names[byte] ?? "number \(byte)")
    }
    switch opcode {
    case .proto:
      let version = try reader.read(UInt8.self, Self.part)
      guard version == 2 else { throw refused("pickle protocol", "\(version)") }
    case .stop: return false
    case .mark: marks.append(stack.count)
    case .none: stack.append(.none)
    case .newTrue: stack.append(.bool(true))
    case .newFalse: stack.append(.bool(false))
    case .binInt1: stack.append(.int(Int(try reader.read(UInt8.self, Self.part))))
    case .binInt2: stack.append(.int(Int(try reader.read(UInt16.self, Self.part))))
    case .binInt: stack.append(.int(Int(try reader.read(Int32.self, Self.part))))
    case .long1: stack.append(.int(try readLong()))
    case .binFloat:
      stack.append(.float(Double(bitPattern: try reader.read(UInt64.self, Self.part).byteSwapped)))
    case .binUnicode: stack.append(.text(try readText()))
    case .emptyTuple: appendTuple([])
    case .tuple1: appendTuple(try pop(1))
    case .tuple2: appendTuple(try pop(2))
    case .tuple3: appendTuple(try pop(3))
    case .tuple: appendTuple(try popToMark())
    case .emptyDict: appendDictionary()
    case .emptyList:
      stack.append(.list(lists.count))
      lists.append([])
    case .append: try appendItems(try pop(1))
    case .appends: try appendItems(try popToMark())
    case .setItem: try setItems(try pop(2))
    case .setItems: try setItems(try popToMark())
    case .binPut: memo[Int(try reader.read(UInt8.self, Self.part))] = try top()
    case .longBinPut: memo[Int(try reader.read(UInt32.self, Self.part))] = try top()
    case .binGet: try get(Int(try reader.read(UInt8.self, Self.part)))
    case .longBinGet: try get(Int(try reader.read(UInt32.self, Self.part)))
    case .global: stack.append(try readGlobal())
    case .binPersID: try readStorage(try pop())
    case .reduce:
      let arguments = try pop()
      try reduce(try pop(), arguments)
    case .build:
      // The state of an ordered dictionary holds the versions of modules, which tensors do not need.
      _ = try pop()
      guard case .dictionary = try top() else { throw refused("the opcode BUILD on", describe(try top())) }
    }
    return true
  }

  private mutating func reduce(_ function: PickleValue, _ arguments: PickleValue) throws(InferenceError) {
    guard case .callable(let callable) = function, case .tuple(let index) = arguments else {
      throw refused("a call of", describe(function))
    }
    let values = tuples[index]
    switch callable {
    case .orderedDict:
      guard values.isEmpty else { throw refused("OrderedDict with", "arguments") }
      appendDictionary()
    case .rebuildTensor:
      // The arguments are storage, offset, size, stride, requires_grad and backward hooks; a seventh marks conjugated
      // or negated views.
      guard values.count == 6, case .storage(let storage) = values[0], case .int(let offset) = values[1] else {
        throw malformed("_rebuild_tensor_v2 with a storage, an offset and four more", "\(values.count) arguments")
      }
      stack.append(
        .tensor(
          PickleTensor(
            storage: storage, offset: offset, shape: try integers(values[2]), strides: try integers(values[3]))))
    case .rebuildParameter:
      guard values.count == 3, case .tensor = values[0] else {
        throw malformed("_rebuild_parameter with a tensor and two more", "\(values.count) arguments")
      }
      stack.append(values[0])
    }
  }

  /// Reads a persistent id, by which torch names a storage: ("storage", type, key, location, count). The format before 1.6
  /// has a sixth value, which is None where the storage is not a part of another one.
  private mutating func readStorage(_ id: PickleValue) throws(InferenceError) {
    guard case .tuple(let index) = id, (5...6).contains(tuples[index].count), case .text("storage") = tuples[index][0],
      case .storageType(let type) = tuples[index][1], case .text(let key) = tuples[index][2],
      case .int(let count) = tuples[index][4]
    else { throw malformed("a storage's type, key, place and count", describe(id)) }
    if tuples[index].count == 6 {
      guard case .none = tuples[index][5] else { throw refused("a storage that is", "a part of another one") }
    }
    let storage = PickleStorage(key: key, type: type, count: count)
    storages[key] = storage
    stack.append(.storage(storage))
  }

  /// Reads a Python name, which takes two lines.
  private mutating func readGlobal() throws(InferenceError) -> PickleValue {
    let name = "\(try readLine()).\(try readLine())"
    if let callable = PickleCallable(rawValue: name) { return .callable(callable) }
    if let type = Self.storageTypes[name] { return .storageType(type) }
    throw refused("the Python name", InferenceError.excerpt(name))
  }

  private static let storageTypes: [String: SafetensorsType] = [
    "torch.DoubleStorage": .f64, "torch.FloatStorage": .f32, "torch.HalfStorage": .f16,
    "torch.BFloat16Storage": .bf16, "torch.LongStorage": .i64, "torch.IntStorage": .i32,
    "torch.ShortStorage": .i16, "torch.CharStorage": .i8, "torch.ByteStorage": .u8, "torch.BoolStorage": .bool,
  ]

  private mutating func readLine() throws(InferenceError) -> String {
    var line: [UInt8] = []
    while true {
      let byte = try reader.read(UInt8.self, Self.part)
      if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
      guard line.count < 256 else { throw malformed("a Python name of up to 256 bytes", "a longer one") }
      line.append(byte)
    }
  }

  private mutating func readText() throws(InferenceError) -> String {
    let length = Int(try reader.read(UInt32.self, Self.part))
    let range = try reader.take(length, Self.part)
    guard let text = String(validating: reader.bytes[range], as: UTF8.self) else {
      throw malformed("text in UTF-8", "other bytes")
    }
    return text
  }

  /// Reads a signed little-endian integer of up to 8 bytes.
  private mutating func readLong() throws(InferenceError) -> Int {
    let length = Int(try reader.read(UInt8.self, Self.part))
    guard length <= 8 else { throw malformed("an integer of up to 8 bytes", "one of \(length)") }
    let bytes = reader.bytes[try reader.take(length, Self.part)]
    guard let last = bytes.last else { return 0 }
    var value: Int = last & 0x80 == 0 ? 0 : -1
    for byte in bytes.reversed() { value = value << 8 | Int(byte) }
    return value
  }

  private mutating func appendItems(_ values: [PickleValue]) throws(InferenceError) {
    guard case .list(let index) = try top() else { throw malformed("a list", describe(try top())) }
    lists[index] += values
  }

  private mutating func setItems(_ values: [PickleValue]) throws(InferenceError) {
    guard values.count % 2 == 0, case .dictionary(let index) = try top() else {
      throw malformed("a dictionary and pairs", describe(try top()))
    }
    for pair in stride(from: 0, to: values.count, by: 2) {
      dictionaries[index].append((values[pair], values[pair + 1]))
    }
  }

  private mutating func appendDictionary() {
    stack.append(.dictionary(dictionaries.count))
    dictionaries.append([])
  }

  private mutating func appendTuple(_ values: [PickleValue]) {
    stack.append(.tuple(tuples.count))
    tuples.append(values)
  }

  private func integers(_ value: PickleValue) throws(InferenceError) -> [Int] {
    guard case .tuple(let index) = value else { throw malformed("a tuple of integers", describe(value)) }
    guard tuples[index].count <= Self.rankLimit else {
      throw malformed("at most \(Self.rankLimit) dimensions", "\(tuples[index].count)")
    }
    var result: [Int] = []
    for element in tuples[index] {
      guard case .int(let number) = element else { throw malformed("an integer", describe(element)) }
      result.append(number)
    }
    return result
  }

  private mutating func get(_ index: Int) throws(InferenceError) {
    guard let value = memo[index] else { throw malformed("a value noted before", "none with number \(index)") }
    stack.append(value)
  }

  /// The number of values above the last open mark; as in Python, values below it are out of reach.
  private var available: Int { stack.count - (marks.last ?? 0) }

  private func top() throws(InferenceError) -> PickleValue {
    guard available > 0, let value = stack.last else { throw malformed("a value on the stack", "none") }
    return value
  }

  private mutating func pop() throws(InferenceError) -> PickleValue {
    let value = try top()
    stack.removeLast()
    return value
  }

  private mutating func pop(_ count: Int) throws(InferenceError) -> [PickleValue] {
    guard available >= count else { throw malformed("\(count) values on the stack", "\(available)") }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  private mutating func popToMark() throws(InferenceError) -> [PickleValue] {
    guard let mark = marks.popLast() else { throw malformed("a mark on the stack", "none") }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[mark...])
  }

  private func describe(_ value: PickleValue) -> String {
    switch value {
    case .none: "None"
    case .bool: "a boolean"
    case .int: "an integer"
    case .float: "a float"
    case .text: "text"
    case .tuple: "a tuple"
    case .list: "a list"
    case .dictionary: "a dictionary"
    case .callable(let callable): callable.rawValue
    case .storageType: "a storage's type"
    case .storage: "a storage"
    case .tensor: "a tensor"
    }
  }

  private static let part = "data.pkl"
  /// A limit above the rank of any tensor; it bounds how much one opcode can copy.
  private static let rankLimit = 16

  private var place: String { "\(Self.part), byte \(opcodeOffset)" }

  private func malformed(_ expected: String, _ found: String) -> InferenceError {
    .fileMalformed(path: path, place: place, expected: expected, found: found)
  }

  private func refused(_ what: String, _ found: String) -> InferenceError {
    .unsupported(
      path: path, what: what, found: "\(found) (\(place))", supported: "a plain dictionary of tensors (a state_dict)")
  }
}
