// Fuzz target: a PyTorch checkpoint, and every tensor as floats and as integers.
// An input that begins with "PK" is the archive; any other is the pickle of one, with two storages beside it: the
// fuzzer would seldom get through to the pickle if it had to keep the archive's sizes right.

@testable import Inference

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafeRawPointer, _ count: Int) -> CInt {
  let input = UnsafeRawBufferPointer(start: start, count: count)
  if input.starts(with: "PK".utf8) {
    read(input)
  } else {
    let numbers = [UInt8](repeating: 0x3F, count: 24)
    archive([("a/data.pkl", Array(input)), ("a/data/0", numbers), ("a/data/1", [1])]).withUnsafeBytes(read)
  }
  return 0
}

private func read(_ content: UnsafeRawBufferPointer) {
  guard let mapped = try? MappedFile(path: "input.pt", content: content), let file = try? PyTorchFile(file: mapped)
  else { return }
  for tensor in file.tensors {
    precondition(tensor.count <= content.count)
    consume((try? tensor.floats())?.count)
    consume((try? tensor.ints())?.count)
    consume(tensor.isContiguous ? 1 : 0)
    precondition((try? file.shape(of: tensor.name)) == tensor.shape)
  }
}

/// A zip archive of stored records.
private func archive(_ records: [(name: String, data: [UInt8])]) -> [UInt8] {
  func little<T>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }
  var out: [UInt8] = []
  var directory: [UInt8] = []
  for (name, data) in records {
    let sizes = little(UInt32(data.count)) + little(UInt32(data.count)) + little(UInt16(name.utf8.count)) + [0, 0]
    directory += little(UInt32(0x0201_4B50)) + [UInt8](repeating: 0, count: 16) + sizes
    directory += [UInt8](repeating: 0, count: 10) + little(UInt32(out.count)) + Array(name.utf8)
    out += little(UInt32(0x0403_4B50)) + [UInt8](repeating: 0, count: 14) + sizes + Array(name.utf8) + data
  }
  let count = little(UInt16(records.count))
  let end = [0, 0, 0, 0] + count + count + little(UInt32(directory.count)) + little(UInt32(out.count)) + [0, 0]
  return out + directory + little(UInt32(0x0605_4B50)) + end
}
