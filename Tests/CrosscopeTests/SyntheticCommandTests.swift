// `crosscope synthetic`, on runs too short to learn anything: its output is whole, and what it writes fits together.

import Foundation
import TestSupport
import Testing

@Suite struct SyntheticCommandTests {
  private let short = ["synthetic", "--worlds", "1", "--steps", "5", "--latents", "24", "--mu", "0.1", "0.2"]

  @Test func writesAWorldThatOtherCommandsRead() throws {
    let folder = TemporaryFolder()
    let outcome = try Program.run(short + ["--json", "--out", folder.path])
    #expect(outcome.code == 0, "\(outcome.error)")
    try Program.run(short + ["--out", folder.path]).expectOneLine(saying: "is there already")
    let runs = try #require(try outcome.json()["runs"] as? [[String: Any]])
    #expect(
      runs.map { $0["method"] as? String } == ["l1", "l1", "batchtopk", "matryoshka", "dedicated", "sae-difference"])
    #expect(runs.map { $0["mu"] as? Double } == [0.1, 0.2, nil, nil, nil, nil])
    #expect(runs.count { $0["method"] as? String == "l1" && $0["chosen"] as? Bool == true } == 1)
    #expect((runs[0]["concepts"] as? [String: Int])?.values.reduce(0, +) == 88)
    let truth = try #require(
      JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: folder.path + "/truth.json"))) as? [String: Any]
    )
    let concepts = try #require(truth["concepts"] as? [[String: Any]])
    #expect(concepts.count == 88 && (concepts[0]["direction"] as? [Double])?.count == 48)
    for method in ["l1", "batchtopk", "matryoshka", "dedicated", "sae-difference"] {
      let scale = try Program.run([
        "scale", "--crosscoder", "\(folder.path)/\(method)", "--activations", folder.path + "/activations.safetensors",
        "--json",
      ])
      #expect(scale.code == 0, "\(scale.error)")
      #expect((try scale.json()["latents"] as? [Any])?.count == 24)
    }
  }

  @Test func printsTablesAndRefusesWhatIsOutOfRange() throws {
    let outcome = try Program.run(short)
    #expect(outcome.code == 0, "\(outcome.error)")
    for word in ["decoupled", "nu_reconstruction", "sae-difference", "by ν"] { #expect(outcome.out.contains(word)) }
    try Program.run(["synthetic", "--steps", "0"]).expectOneLine(saying: "steps should be")
    try Program.run(["synthetic", "--latents", "0"]).expectOneLine(saying: "latents should be")
    try Program.run(["synthetic", "--worlds", "1", "--steps", "1", "--mu", "nan"]).expectOneLine(saying: "mu should be")
    try Program.run(["synthetic", "--out", "/dev/null/x"]).expectOneLine(saying: "/dev/null/x")
    #expect(try Program.run(["synthetic", "--worlds", "0"]).code == 2)
  }
}
