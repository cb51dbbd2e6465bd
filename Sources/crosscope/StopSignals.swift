// Signals that ask a command to end, which it then does in its own time. A handler writes to a pipe as the explorer's do
// (CTerminal/Signals.c): from the moment at which a signal no longer ends the program, none is lost. A Dispatch source
// for signals begins to watch only some time after the signal is ignored.

import Dispatch
import Glibc

/// Takes signals as long as the object lives. There is one at a time.
final class StopSignals {
  /// The stream ends when one of the signals has arrived.
  let stream: AsyncStream<Void>
  private let numbers: [Int32]
  private let source: any DispatchSourceRead

  init(_ numbers: [Int32]) {
    var ends: [Int32] = [-1, -1]
    let failed = pipe(&ends)
    precondition(failed == 0 && stopPipe < 0, "the system refused a pipe for signals, or somebody has it")
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    let (input, output) = (ends[0], ends[1])
    let (stream, continuation) = AsyncStream<Void>.makeStream()
    (self.stream, self.numbers) = (stream, numbers)
    // A queue of its own: the global one may have no thread left while commands compute.
    source = DispatchSource.makeReadSource(fileDescriptor: input, queue: DispatchQueue(label: "stop signals"))
    source.setEventHandler {
      var byte: UInt8 = 0
      while read(input, &byte, 1) == 1 {}
      continuation.finish()
    }
    source.setCancelHandler {
      close(input)
      close(output)
    }
    source.activate()
    stopPipe = output
    for number in numbers { signal(number, noteStop) }
  }

  deinit {
    for number in numbers { signal(number, SIG_DFL) }
    stopPipe = -1
    source.cancel()
  }
}

/// The end of the pipe to which the handler writes.
private nonisolated(unsafe) var stopPipe: Int32 = -1

/// The handler; it calls nothing that is not async-signal-safe.
private func noteStop(_ number: Int32) {
  let saved = errno
  var byte = UInt8(truncatingIfNeeded: number)
  _ = write(stopPipe, &byte, 1)
  errno = saved
}
