// The screen Differences: it is empty until the models are compared, shows every finding, and leads to latents and to the prompt screen.

import Diffing
import Experiments
import Storage
import TUI
import TestSupport
@testable import ExplorerTestSupport
import Testing

@testable import Explorer

@Suite struct DifferencesScreenTests {
  /// A small document with one finding of each kind.
  private func document(noDifference: Bool = false) throws -> DifferenceDocument {
    let sections = [
      "setup": """
      {"base": "b", "chat": "c", "precision": "exact", "tokens_per_text": 64, "most_raised": 100, "seed": 0,
       "crosscope": "1", "no_difference": \(noDifference), "remarks": []}
      """,
      "corpora": """
      [{"corpus": "plain", "texts": 3, "predictions": 90, "perplexity_base": 20, "perplexity_chat": 25}]
      """,
      "divergences": """
      [{"role": "plain", "tokens": 93, "mean": 0.5, "median": 0.25, "p90": 1, "p99": 3, "base_from_chat": 0.75}]
      """,
      "blocks": "[{\"block\": 0, \"role\": \"plain\", \"distance\": 1, \"relative\": 0.125, \"cosine\": 0.99}]",
      "orders": """
      [{"corpus": "plain", "order": "divergence", "tokens": [{"id": 1, "text": " Sorry", "weight": 0.5},
        {"id": 2, "text": "\\u001b[31m", "weight": 0.25}]}]
      """,
      "topics": """
      [{"corpus": "plain", "measure": "logit", "share": 0.75, "tokens": [{"id": 1, "text": "no", "weight": 1}]}]
      """,
      "lenses": """
      [{"name": "δ 1 plain 2", "layer": 1, "corpus": "plain", "position": 2, "texts": 3, "norm": 4, "relative": 0.25,
        "difference": [{"id": 3, "text": "cannot", "weight": 0.5}], "opposite": [], "base": [], "chat": [],
        "latents": [{"latent": 5, "cosine": 0.75}]}]
      """,
      "texts": """
      [{"corpus": "plain", "text": 0, "mean": 0.5, "largest": 2, "tokens": [
        {"id": 1, "text": "one", "role": "plain", "divergence": 2,
         "base": [{"id": 1, "text": " apple", "weight": 0.5}], "chat": []},
        {"id": 2, "text": " two", "role": "plain", "divergence": 0, "base": [],
         "chat": [{"id": 1, "text": " pear", "weight": 0.5}]}]}]
      """,
    ]
    return try #require(try DifferenceDocument(sections: sections, source: "test"))
  }

  private func driver(_ document: DifferenceDocument?) async throws -> ExplorerDriver {
    let sample = try SampleStore()
    var driver = try await ExplorerDriver(try sample.open(), size: Size(columns: 120, rows: 40))
    await driver.press("f7")
    if let document { await driver.send(.differences(document)) }
    return driver
  }

  @Test func aStoreThatDoesNotSaySaysHow() async throws {
    let driver = try await driver(nil)
    #expect(driver.text.contains("crosscope differences STORE finds out"))
  }

  @Test func twoEqualModelsAreSaidToBe() async throws {
    let driver = try await driver(document(noDifference: true))
    #expect(driver.text.contains("No difference: both models said the same at all 93 tokens."))
  }

  @Test func everyFindingIsShown() async throws {
    var driver = try await driver(document())
    for wanted in [
      "perplexity of base 20.00, of chat 25.00", "␣Sorry", "Topic of plain texts", "latent 5",
      "Where the residual streams", "After one",
    ] {
      #expect(driver.text.contains(wanted), "\(wanted):\n\(driver.text)")
      await driver.press("j")
    }
    #expect(!driver.text.contains("\u{1B}"))
  }

  @Test func aTokenLeadsToLatentsAndALatentToItsPage() async throws {
    var driver = try await driver(document())
    await driver.press("j", "enter", "enter")
    #expect(driver.state.screen == .latents && driver.state.latents.query.filter == "\"Sorry\"")
    await driver.press("f7", "esc", "j", "j", "enter")
    #expect(driver.state.currentLatent == 5)
    await driver.press("enter")
    #expect(driver.state.screen == .latent && driver.state.currentLatent == 5)
    await driver.press("esc")
    #expect(driver.state.screen == .differences)
  }

  @Test func theCursorMovesOverATextAndTheTextIsReadOnThePromptScreen() async throws {
    var driver = try await driver(document())
    await driver.press("G", "enter")
    #expect(driver.text.contains("␣apple 0.50"))
    await driver.press("l")
    #expect(driver.text.contains("After ␣two") && driver.text.contains("␣pear 0.50"))
    await driver.press("h", "h")
    #expect(!driver.state.differences.isInside)
    await driver.press("P")
    #expect(driver.state.screen == .prompt)
    #expect(driver.state.prompt.editor.source == .tokens([1, 2], templateMask: [false, false]))
  }
}
