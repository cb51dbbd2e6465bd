// `crosscope show` ranks contexts as the explorer's page does; JSON has all of them.

import Foundation
import Storage
import TestSupport
import Testing

@testable import Explorer
@testable import Reports
@testable import crosscope

@Suite struct ShowCommandTests {
  let sample: SampleStore

  init() throws { sample = try SampleStore() }

  private func show(_ id: Int, _ options: String...) throws -> Program.Outcome {
    let outcome = try Program.run(["show", sample.path, "\(id)"] + options)
    #expect(outcome.code == 0 && outcome.error == "")
    return outcome
  }

  @Test func contextsAreRankedWithoutTemplateUnlessAsked() throws {
    let page = try sample.open(.readOnly).page(of: 5)
    let ranking = ContextRanking(page)
    #expect(ranking.templateOnly == 1)
    let usual = try show(5).out
    #expect(usual.contains("1 context left out: template tokens only"))
    #expect(usual.components(separatedBy: "\nquantile ").count == 1 + ranking.entries.count)
    let all = try show(5, "--template").out
    #expect(!all.contains("left out") && all.components(separatedBy: "\nquantile ").count == 1 + page.contexts.count)
    #expect(try show(5, "--contexts", "2").out.components(separatedBy: "\nquantile ").count == 3)
  }

  @Test func latentsThatFireTogetherAndContrastAreListed() throws {
    let store = try sample.open(.readOnly)
    let expected = try #require(try store.coFiring(with: 5))
    let document = try show(5, "--json", "--contrast").json()
    let found = try #require(document["cofiring"] as? [[String: Any]])
    #expect(found.map { $0["other"] as? Int } == expected.map(\.other) && !found.isEmpty)
    #expect(found.map { $0["both"] as? Int } == expected.map(\.both))
    #expect((document["examples"] as? [Any])?.count == 6, "JSON leaves nothing out")
    let contrast = try #require(document["contrast"] as? [[String: Any]])
    #expect(contrast.map { $0["sequence"] as? Int } == (try store.contrast(to: 5)).contexts.map { Int($0.sequence.id) })
    #expect(contrast.first?["similar"] is NSNull && contrast.first?["silent"] as? Bool == false)
    let text = try show(5, "--contrast").out
    #expect(text.contains("fires with") && text.contains("not among its stored contexts"))
    #expect(try !show(5).out.contains("not among its stored contexts"))
  }
}
