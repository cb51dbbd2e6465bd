// How much memory the system would still give this process: the machine's, its control group's, the shell's limits.
// Owns: reading /proc, /sys/fs/cgroup (both versions) and getrlimit. What cannot be read sets no limit.

import Glibc

/// What the system says of memory, in bytes.
struct SystemMemory {
  /// A bound on what may still be taken, and whose it is.
  struct Bound: Equatable {
    var bytes: Int
    /// For people, as in "3.1 GB are available (the control group's memory.max)"; empty for the machine itself.
    var name = ""
  }

  /// Where the system's files are; tests have their own.
  var proc = "/proc"
  var groups = "/sys/fs/cgroup"

  /// Bounds on memory that is there at all: what is cached of files counts as free, as it can be read again.
  func physical() -> [Bound] {
    let machine = field("MemAvailable:", of: proc + "/meminfo").map { Bound(bytes: $0) }
    return [machine, group()].compactMap { $0 }
  }

  /// What a process asks for besides what is counted: stacks, heaps, mappings rounded up to huge pages.
  private static let reserve = 192 << 20

  /// Bounds on what a process may ask for, mapped files not counted again.
  func requested() -> [Bound] {
    let kinds = [
      ("ulimit -v", __rlimit_resource_t(RLIMIT_AS.rawValue), "VmSize:"),
      ("ulimit -d", __rlimit_resource_t(RLIMIT_DATA.rawValue), "VmData:"),
    ]
    return kinds.compactMap { name, resource, used in
      var limit = rlimit()
      guard getrlimit(resource, &limit) == 0, limit.rlim_cur < rlim_t(Int.max) else { return nil }
      let taken = (field(used, of: proc + "/self/status") ?? 0) + Self.reserve
      return Bound(bytes: max(0, Int(limit.rlim_cur) - taken), name: name)
    }
  }

  /// Memory of this process that no file could give back.
  func ownBytes() -> Int { field("RssAnon:", of: proc + "/self/status") ?? 0 }

  /// The control group's bound: the tightest of its own and those of the groups above it.
  private func group() -> Bound? {
    for line in lines(of: proc + "/self/cgroup") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      if parts[0] == "0", parts[1].isEmpty,
        let found = tightest(groups, parts[2], limit: "memory.max", used: "memory.current", cached: "")
      {
        return found
      }
      if parts[1].split(separator: ",").contains("memory"),
        let found = tightest(
          groups + "/memory", parts[2], limit: "memory.limit_in_bytes", used: "memory.usage_in_bytes", cached: "total_")
      {
        return found
      }
    }
    return nil
  }

  private func tightest(_ root: String, _ path: Substring, limit: String, used: String, cached: String) -> Bound? {
    var names = path.split(separator: "/")
    var bounds: [Bound] = []
    while true {
      let folder = ([Substring(root)] + names).joined(separator: "/")
      // "max", and in the first version a number beyond all memory, set no limit.
      if let most = lines(of: folder + "/" + limit).first.flatMap({ Int($0) }), most < Int.max / 2,
        let taken = lines(of: folder + "/" + used).first.flatMap({ Int($0) })
      {
        let files = ["inactive_file", "active_file"].reduce(0) { sum, name in
          sum + (number(after: cached + name + " ", in: lines(of: folder + "/memory.stat")) ?? 0)
        }
        bounds.append(Bound(bytes: max(0, most - taken + files), name: "the control group's \(limit)"))
      }
      guard names.popLast() != nil else { break }
    }
    return bounds.min { $0.bytes < $1.bytes }
  }

  /// A field of /proc in kB.
  private func field(_ name: String, of path: String) -> Int? {
    number(after: name, in: lines(of: path)).map { $0 * 1024 }
  }

  private func number(after name: String, in lines: [Substring]) -> Int? {
    let line = lines.first { $0.hasPrefix(name) }
    return line.flatMap { $0.dropFirst(name.count).split(separator: " ").first.flatMap { Int($0) } }
  }

  /// The lines of one of the system's small files, which cannot be mapped; none where it cannot be read.
  private func lines(of path: String) -> [Substring] {
    guard let file = fopen(path, "re") else { return [] }
    defer { fclose(file) }
    let text = withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 1) { buffer in
      String(decoding: buffer[..<fread(buffer.baseAddress, 1, buffer.count, file)], as: UTF8.self)
    }
    return text.split(separator: "\n")
  }
}
