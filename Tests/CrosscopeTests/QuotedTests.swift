// How a message shows what was given: as it was given.

import TestSupport
import Testing

@testable import Reports
@testable import crosscope

@Suite struct QuotedTests {
  @Test func noEscapesOfAProgrammingLanguageAreShown() throws {
    for given in ["5:it's", "5:\\n", "5:\"x\"", "5:ü"] {
      let outcome = try Program.run(["export", "x", "safetensors", "--out", "x", "--latent", given])
      #expect(outcome.code == 2 && outcome.error.contains("\"\(given)\": a strength is"), "\(outcome.error)")
    }
    #expect(quoted("a\nb\u{1B}[31m") == "\"a↵b␛[31m\"")
  }
}
