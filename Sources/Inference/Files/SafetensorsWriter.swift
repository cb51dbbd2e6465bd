// Writes safetensors files. Tensors are sorted by element size and name, so that equal content gives equal bytes.
// Values are converted in chunks: arrays are shared until written, never copied whole.

/// Collects tensors, then writes them to one file.
public struct SafetensorsWriter {
  /// Converts the elements `range` into `buffer`, which has the matching size.
  private typealias Encoder = (_ range: Range<Int>, _ buffer: UnsafeMutableRawBufferPointer) -> Void

  private struct Item {
    var name: String
    var type: SafetensorsType
    var shape: [Int]
    var encode: Encoder
    var count: Int { shape.reduce(1, *) }
  }

  /// Float types that can be written.
  public enum FloatType: Sendable { case f32, bf16 }

  /// The texts for `__metadata__`.
  public var metadata: [String: String]
  private var items: [Item] = []

  /// A writer without tensors.
  public init(metadata: [String: String] = [:]) {
    self.metadata = metadata
  }

  /// Adds fp32 values, row-major, to be stored as F32 or rounded to BF16.
  public mutating func add(_ name: String, shape: [Int], floats: [Float], as type: FloatType = .f32) {
    precondition(floats.count == shape.reduce(1, *), "\(name): \(floats.count) values for the shape \(shape)")
    add(name, shape: shape, as: type) { range, buffer in
      floats.withUnsafeBufferPointer { _ = buffer.update(fromContentsOf: $0[range]) }
    }
  }

  /// Adds fp32 values that are fetched in chunks while the file is written.
  /// - Parameter fill: stores a range of elements of the row-major tensor into a buffer of that length; ranges come in
  ///   order and never overlap.
  public mutating func add(
    _ name: String, shape: [Int], as type: FloatType = .f32,
    fill: @escaping (Range<Int>, UnsafeMutableBufferPointer<Float>) -> Void
  ) {
    switch type {
    case .f32:
      add(Item(name: name, type: .f32, shape: shape) { fill($0, $1.bindMemory(to: Float.self)) })
    case .bf16:
      add(
        Item(name: name, type: .bf16, shape: shape) { range, buffer in
          withUnsafeTemporaryAllocation(of: Float.self, capacity: range.count) { floats in
            floats.initialize(repeating: 0)
            fill(range, floats)
            let bits = buffer.bindMemory(to: UInt16.self)
            for index in 0..<range.count { bits[index] = bfloat16Bits(floats[index]) }
          }
        })
    }
  }

  /// Adds fp64 values, row-major.
  public mutating func add(_ name: String, shape: [Int], doubles: [Double]) { add(name, .f64, shape, doubles) }

  /// Adds 32-bit integers, row-major.
  public mutating func add(_ name: String, shape: [Int], int32s: [Int32]) { add(name, .i32, shape, int32s) }

  /// Adds 64-bit integers, row-major.
  public mutating func add(_ name: String, shape: [Int], int64s: [Int64]) { add(name, .i64, shape, int64s) }

  private mutating func add<Element: BitwiseCopyable>(
    _ name: String, _ type: SafetensorsType, _ shape: [Int], _ values: [Element]
  ) {
    precondition(values.count == shape.reduce(1, *), "\(name): \(values.count) values for the shape \(shape)")
    add(
      Item(name: name, type: type, shape: shape) { range, buffer in
        values[range].withUnsafeBytes { buffer.copyMemory(from: $0) }
      })
  }

  private mutating func add(_ item: Item) {
    precondition(item.name != "__metadata__" && !items.contains { $0.name == item.name }, "\(item.name) added twice")
    items.append(item)
  }

  /// Writes the file whole or not at all (see `AtomicFile`).
  /// - Parameter replacing: if false, an existing file at `path` is an error.
  /// - Throws: `InferenceError.fileUnwritable`; no new file is then left, and an old one is unchanged.
  public func write(to path: String, replacing: Bool = true) throws(InferenceError) {
    try write(to: AtomicFile(path: path), replacing: replacing)
  }

  func write(to file: AtomicFile, replacing: Bool = true) throws(InferenceError) {
    // With larger elements first, every tensor is aligned to its element size.
    let sorted = items.sorted { ($1.type.size, $0.name) < ($0.type.size, $1.name) }
    var entries: [SafetensorsEntry] = []
    var offset = 0
    for item in sorted {
      let end = offset + item.count * item.type.size
      entries.append(SafetensorsEntry(name: item.name, type: item.type, shape: item.shape, begin: offset, end: end))
      offset = end
    }
    let header = SafetensorsHeader.text(entries, metadata: metadata)
    try withUnsafeBytes(of: UInt64(header.count).littleEndian) { (length) throws(InferenceError) in
      try file.write(length)
    }
    try file.write(header)
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
    defer { chunk.deallocate() }
    for item in sorted {
      let step = chunk.count / item.type.size
      for start in stride(from: 0, to: item.count, by: step) {
        let range = start..<min(start + step, item.count)
        let part = UnsafeMutableRawBufferPointer(rebasing: chunk[..<(range.count * item.type.size)])
        item.encode(range, part)
        try file.write(UnsafeRawBufferPointer(part))
      }
    }
    try file.commit(replacing: replacing)
  }
}
