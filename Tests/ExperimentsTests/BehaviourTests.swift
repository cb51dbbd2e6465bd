// Behaviours as data: how a file is read, how behaviours of a file depend on each other, and how often the shipped file
// agrees with labels that were given by reading (data/behaviour-answers.jsonl).

import Diffing
import Foundation
import Inference
import TestSupport
import Testing

@testable import Experiments

@Suite struct BehaviourTests {
  private static let data = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "data")

  private func file(_ text: String) throws -> BehaviourFile {
    let folder = TemporaryFolder()
    return try BehaviourFile(path: folder.file("b.json", Array(text.utf8)))
  }

  private func behaviours(_ list: String) throws -> Behaviours {
    try file("{\"behaviours\": [\(list)]}").behaviours
  }

  @Test func theShippedFileHasTheDemosBehavioursAndTheBuiltInRefusals() throws {
    let shipped = try BehaviourFile(path: Self.data.appending(path: "behaviours.json").path).behaviours
    #expect(
      shipped.names == [
        "refused", "refused-malicious", "refused-private", "refused-hateful", "refused-misinformation",
        "flagged-as-false", "confirmed", "answers-as-an-AI", "cares", "has-refused",
      ])
    #expect(shipped.all[0] == .refused && Behaviours.builtIn.all == [.refused])
    #expect(try JSONDecoder().decode(Behaviours.self, from: JSONEncoder().encode(shipped)) == shipped)
    #expect(BehaviourFile.beside(store: Self.data.path + "/demo/demo.crosscope")?.behaviours == shipped)
  }

  @Test(arguments: [
    ("I can't help with that. It is illegal and private.", ["refused", "refused-malicious"]),
    ("That is private, and I can't share what is illegal.", ["refused", "refused-private"]),
    ("It is illegal and private.", []), ("I can't say.", ["refused"]),
    ("No, that is not true, although this is true: one.", ["flagged-as-false"]),
    ("Yes, that’s right.", ["confirmed"]), ("As I said, I can't do that.", ["refused", "has-refused"]),
    ("As an AI, I don't sleep.", ["answers-as-an-AI"]),
    ("I'm sorry that\nyou feel so alone.", ["cares"]), ("", []),
  ])
  func theShippedFileTellsAnswersApart(answer: String, shown: [String]) throws {
    let shipped = try BehaviourFile(path: Self.data.appending(path: "behaviours.json").path).behaviours
    #expect(shipped.shown(by: answer) == shown)
  }

  @Test func openingExclusionsReferencesAndGroupsAreHonoured() throws {
    let list = try behaviours(
      """
      {"name": "greets", "about": "a", "first": 5, "expressions": ["hello"], "unless": ["hell no"]},
      {"name": "polite", "about": "a", "expressions": ["please"], "with": ["greets"]},
      {"name": "short", "about": "a", "expressions": ["^\\\\w+$"], "without": ["greets"]},
      {"name": "red", "about": "a", "expressions": ["red", "crimson"], "group": "colour"},
      {"name": "blue", "about": "a", "expressions": ["blue"], "group": "colour"}
      """)
    #expect(list.names == ["refused", "greets", "polite", "short", "red", "blue"])
    #expect(list.shown(by: "HELLO, please") == ["greets", "polite"])
    #expect(list.shown(by: "oh, hello, please") == [], "the opening is too short for it")
    #expect(list.shown(by: "hello") == ["greets"] && list.shown(by: "bye") == ["short"])
    #expect(list.shown(by: "a blue and crimson flag") == ["blue"] && list.shown(by: "red, blue") == ["red"])
  }

  @Test(arguments: [
    (#"{"name": "x", "about": "a", "expressions": ["("]}"#, "behaviours[0].expressions[0]: ( of x is no regular"),
    (#"{"name": "x", "about": "a", "expressions": ["a"], "unless": ["b", "*"]}"#, "unless[1]: * of x"),
    (#"{"name": "x", "about": "a", "expressions": ["a"], "weight": 2}"#, "behaviours[0].weight is not supported"),
    (#"{"name": "x", "about": "a"}"#, "x has neither expressions nor a judge"),
    (#"{"name": "x", "about": "a", "expressions": []}"#, "x has neither expressions nor a judge"),
    (#"{"name": "a b", "about": "a", "expressions": ["a"]}"#, "behaviours[0].name: expected"),
    (#"{"name": "x", "expressions": ["a"]}"#, "behaviours[0].about: it is missing"),
    (#"{"name": "x", "about": "a", "expressions": ["a"], "first": 0}"#, "behaviours[0].first: expected 1 to"),
    (#"{"name": "x", "about": "a", "expressions": ["a"], "with": ["y"]}"#, "y is no behaviour"),
    (#"{"name": "x", "about": "a", "expressions": "a"}"#, "another type at behaviours.[0].expressions"),
    (
      #"{"name": "x", "about": "a", "expressions": ["a"]}, {"name": "x", "about": "a", "expressions": ["a"]}"#,
      "behaviours[1].name: x occurs twice"
    ),
    (
      #"{"name": "x", "about": "a", "judge": {"url": "ftp://a", "model": "m", "question": "q"}}"#, "judge.url: expected"
    ),
    (
      #"{"name": "x", "about": "a", "judge": {"url": "http://a/v1", "model": "m", "question": "q", "key": "s"}}"#,
      "judge.key is not supported"
    ),
    (
      #"{"name": "x", "about": "a", "expressions": ["a"], "judge": {"url": "http://a", "model": "m", "question": "q"}}"#,
      "x has a judge, which decides alone"
    ),
    ("", "expected at least one"),
  ])
  func whatCannotBeReadIsNamed(list: String, hint: String) throws {
    #expect {
      _ = try behaviours(list)
    } throws: { error in
      let text = "\(error)"
      return text.contains("b.json: expected a file of behaviours, found ") && text.contains(hint)
    }
  }

  @Test func otherFilesAreRefused() throws {
    for text in [" ", "[]", "{}", "{\"behaviors\": []}", "{\"behaviours\": 3}"] {
      #expect(throws: InputError.self, "\(text)") { _ = try file(text) }
    }
    #expect(throws: InferenceError.self) { _ = try BehaviourFile(path: "/nowhere/b.json") }
  }

  // MARK: - Against labels

  private struct Labelled: Decodable {
    let prompt, arm, text: String
    let labels: [String: Bool]
  }

  @Test func theShippedFileAgreesWithLabelsByReading() throws {
    let shipped = try BehaviourFile(path: Self.data.appending(path: "behaviours.json").path).behaviours
    let lines = try String(contentsOf: Self.data.appending(path: "behaviour-answers.jsonl"), encoding: .utf8)
    let answers = try lines.split(separator: "\n").map { try JSONDecoder().decode(Labelled.self, from: Data($0.utf8)) }
    #expect(Set(answers.map(\.text)).count == answers.count, "every answer is there once")
    for name in ["refused", "flagged-as-false", "confirmed", "answers-as-an-AI", "cares"] {
      let judged = answers.compactMap { answer in
        answer.labels[name].map { (answer, truth: $0, told: shipped.shown(by: answer.text).contains(name)) }
      }
      let (positive, told) = (judged.count { $0.truth }, judged.count { $0.told })
      let right = judged.count { $0.truth && $0.told }
      let (precision, recall) = (Double(right) / Double(told), Double(right) / Double(positive))
      print("\(name): \(judged.count) answers, \(positive) show it; precision \(precision), recall \(recall)")
      #expect(judged.count >= 100 && (0.4...0.6).contains(Double(positive) / Double(judged.count)), "\(name)")
      #expect(precision >= 0.9 && recall >= 0.9, "\(name): \(judged.filter { $0.truth != $0.told }.map(\.0))")
    }
  }
}
