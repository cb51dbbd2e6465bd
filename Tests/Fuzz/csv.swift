// Fuzz target: comma-separated values, row after row.

@testable import Inference

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafeRawPointer, _ count: Int) -> CInt {
  guard
    let mapped = try? MappedFile(path: "input.csv", content: UnsafeRawBufferPointer(start: start, count: count)),
    var reader = try? CSVReader(file: mapped)
  else { return 0 }
  var (rows, line) = (0, 0)
  while let row = try? reader.next() {
    precondition(row.count == reader.header.count && reader.line > line && reader.share <= 1)
    line = reader.line
    rows += 1
    consume(row.reduce(0) { $0 &+ $1.utf8.count })
  }
  precondition(rows <= count)
  return 0
}
