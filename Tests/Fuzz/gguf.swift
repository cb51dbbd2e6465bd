// Fuzz target: a GGUF file's header, everything that it says, and every tensor's bytes; then its tokenizer.

@testable import Inference

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafeRawPointer, _ count: Int) -> CInt {
  guard
    let mapped = try? MappedFile(path: "input.gguf", content: UnsafeRawBufferPointer(start: start, count: count)),
    let file = try? GGUFFile(file: mapped)
  else { return 0 }
  for key in file.keys {
    consume((try? file.string(key))?.utf8.count)
    consume((try? file.strings(key))?.reduce(0) { $0 &+ $1.utf8.count })
    consume((try? file.ints(key))?.count)
    consume((try? file.floats(key))?.count)
    consume((try? file.bools(key))?.count)
  }
  for tensor in file.tensors {
    precondition(
      tensor.rows * (tensor.columns / tensor.type.blockSize) * tensor.type.bytesPerBlock == tensor.bytes.count)
    consume(withExtendedLifetime(tensor) { tensor.bytes.reduce(0) { $0 &+ Int($1) } })
  }
  exercise(try? Tokenizer(gguf: file))
  consume((try? ChatTemplate(gguf: file)) == nil ? 0 : 1)
  return 0
}
