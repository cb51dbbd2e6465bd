// How long a test waits for a state that must come.

import Glibc

/// Ends tests that hang. Its limit is the same on every machine and far longer than anything takes, so it never decides
/// whether a test passes.
public struct HangGuard {
  public static let limit = Duration.seconds(600)

  private let end = ContinuousClock.now + limit

  /// Counts from now.
  public init() {}

  /// Whether the limit is reached.
  public var isOver: Bool { .now >= end }

  /// Sleeps until there is something to read.
  /// - Returns: false if nothing came until the limit.
  public func waitForInput(_ descriptor: Int32) -> Bool {
    var file = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    while true {
      let found = poll(&file, 1, Int32(max(.zero, end - .now) / .milliseconds(1)))
      if found >= 0 || errno != EINTR { return found > 0 }
    }
  }
}
