// Advice to the system from readers of files that are larger than memory: which part comes next, and which is no longer
// needed. The advice changes no byte; a file that is a copy in memory (for fuzzing) ignores it.

import Glibc

extension MappedFile {
  /// Announces that the bytes `range` will soon be read from end to end, so that the system can start reading them.
  public func willRead(_ range: Range<Int>) { advise(range, MADV_WILLNEED) }

  /// Gives back the memory of the pages that hold the bytes `range`. Reading them again loads them again.
  public func release(_ range: Range<Int>) { advise(range, MADV_DONTNEED) }

  private func advise(_ range: Range<Int>, _ advice: Int32) {
    guard isMapping, !range.isEmpty, let start = bytes.baseAddress else { return }
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let first = range.lowerBound / page * page
    madvise(UnsafeMutableRawPointer(mutating: start + first), min(range.upperBound, count) - first, advice)
  }
}

extension SafetensorsTensor {
  /// The same as `MappedFile.willRead`, with bytes counted from the start of the tensor.
  public func willRead(_ bytes: Range<Int>) { file.willRead(inFile(bytes)) }

  /// The same as `MappedFile.release`, with bytes counted from the start of the tensor.
  public func release(_ bytes: Range<Int>) { file.release(inFile(bytes)) }

  private func inFile(_ bytes: Range<Int>) -> Range<Int> {
    precondition(
      bytes.lowerBound >= 0 && bytes.upperBound <= range.count, "bytes \(bytes) of \(range.count) in \(name)")
    return range.lowerBound + bytes.lowerBound..<range.lowerBound + bytes.upperBound
  }
}
