// How much memory the system would still give this process, by the machine, its control group and the shell's limits.
// It reads /proc, /sys/fs/cgroup (both versions) and getrlimit; what cannot be read sets no limit.

import Glibc

/// The system's figures on memory, in bytes.
struct SystemMemory {
  /// A bound on further allocations, and which limit it comes from.
  struct Bound: Equatable {
    var bytes: Int
    /// The limit as in "3.1 GB are available (the control group's memory.max)"; empty for the machine itself.
    var name = ""
  }

  /// The folders of the system's files; tests use their own.
  var proc = "/proc"
  var groups = "/sys/fs/cgroup"

  /// The bounds on physical memory. Cached file contents count as free, since they can be read again.
  func physical() -> [Bound] {
    let machine = field("MemAvailable:", of: proc + "/meminfo").map { Bound(bytes: $0) }
    return [machine, group()].compactMap { $0 }
  }

  /// What a process needs besides counted allocations: stacks, heaps, mappings rounded up to huge pages.
  private static let reserve = 192 << 20

  /// The bounds on memory that a process may request, without counting mapped files again.
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

  /// The memory of this process that cannot be dropped and read again from files.
  func ownBytes() -> Int { field("RssAnon:", of: proc + "/self/status") ?? 0 }

  /// The bound of the control group: the tightest among its own and those of the groups above it.
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
      // "max" sets no limit, and neither does a number beyond all memory, which version 1 uses.
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

  /// Reads a field of a /proc file in kB.
  private func field(_ name: String, of path: String) -> Int? {
    number(after: name, in: lines(of: path)).map { $0 * 1024 }
  }

  private func number(after name: String, in lines: [Substring]) -> Int? {
    let line = lines.first { $0.hasPrefix(name) }
    return line.flatMap { $0.dropFirst(name.count).split(separator: " ").first.flatMap { Int($0) } }
  }

  /// The lines of a small system file, which cannot be mapped; empty if it cannot be read.
  private func lines(of path: String) -> [Substring] {
    guard let file = fopen(path, "re") else { return [] }
    defer { fclose(file) }
    let text = withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 1) { buffer in
      String(decoding: buffer[..<fread(buffer.baseAddress, 1, buffer.count, file)], as: UTF8.self)
    }
    return text.split(separator: "\n")
  }
}
