// What a reader of files beyond memory tells the system: which part it reads next, and which part it is done with.
// Both are advice and change no byte; a file that is a copy in memory (for fuzzing) ignores them.

import Glibc

extension MappedFile {
  /// The bytes `range` will be read soon, from end to end: reading from the disk may begin now.
  public func willRead(_ range: Range<Int>) { advise(range, MADV_WILLNEED) }

  /// Gives back the memory that the bytes `range` take in this process, and their pages' neighbours in the same pages.
  /// Reading them again brings them in again.
  public func release(_ range: Range<Int>) { advise(range, MADV_DONTNEED) }

  private func advise(_ range: Range<Int>, _ advice: Int32) {
    guard isMapping, !range.isEmpty, let start = bytes.baseAddress else { return }
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let first = range.lowerBound / page * page
    madvise(UnsafeMutableRawPointer(mutating: start + first), min(range.upperBound, count) - first, advice)
  }
}

extension SafetensorsTensor {
  /// As `MappedFile.willRead`, of bytes counted from the tensor's first.
  public func willRead(_ bytes: Range<Int>) { file.willRead(inFile(bytes)) }

  /// As `MappedFile.release`, of bytes counted from the tensor's first.
  public func release(_ bytes: Range<Int>) { file.release(inFile(bytes)) }

  private func inFile(_ bytes: Range<Int>) -> Range<Int> {
    precondition(
      bytes.lowerBound >= 0 && bytes.upperBound <= range.count, "bytes \(bytes) of \(range.count) in \(name)")
    return range.lowerBound + bytes.lowerBound..<range.lowerBound + bytes.upperBound
  }
}
