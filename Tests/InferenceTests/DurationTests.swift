import Testing

@testable import Inference

@Test(arguments: [(Duration.zero, 0.0), (.milliseconds(1500), 1.5), (.seconds(-2), -2), (.seconds(86_400), 86_400)])
func durationsAreSeconds(duration: Duration, seconds: Double) {
  #expect(duration.seconds == seconds)
}
