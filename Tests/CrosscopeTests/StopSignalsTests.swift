// Signals that end a command: none is lost between the moment at which it no longer kills and the one at which it is seen.

import Glibc
import Testing

@testable import crosscope

@Suite(.serialized) struct StopSignalsTests {
  @Test func aSignalInTheFirstMomentIsSeen() async {
    for _ in 0..<50 {
      let signals = StopSignals([SIGUSR1])
      kill(getpid(), SIGUSR1)
      for await _ in signals.stream {}
      withExtendedLifetime(signals) {}
    }
  }

  @Test func oneOfSeveralSignalsIsEnough() async {
    let signals = StopSignals([SIGUSR1, SIGUSR2])
    kill(getpid(), SIGUSR2)
    for await _ in signals.stream {}
    withExtendedLifetime(signals) {}
  }
}
