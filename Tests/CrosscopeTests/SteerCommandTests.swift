// `crosscope steer` and `generate`: modes, conditions and samples as arguments, what the document says, what is refused.

import Foundation
import Storage
import TestSupport
import Testing

@testable import Reports
@testable import crosscope

@Suite struct SteerCommandTests {
  let build: TinyBuild
  let latents: [Int]

  init() throws {
    build = try TinyBuild()
    try build.run()
    latents = try build.livingLatents(3)
  }

  private func steer(_ more: [String], prompt: String = "Hi") throws -> Program.Outcome {
    try Program.run(["steer", build.storePath, "--prompt", prompt, "--max-tokens", "5", "--json"] + more)
  }

  @Test func eachLatentHasItsOwnModeAndTheDocumentSaysAllOfIt() throws {
    let id = latents[0]
    let outcome = try steer([
      "--latent", "\(id):0.5", "--latent", "\(id):1:ablate", "--latent", "\(latents[1]):0.5:clamp", "--mode", "project",
      "--positions", "generated", "--when", "\(id)<1e9", "--watch", "ab", "--sweep", "0:1:1",
    ])
    #expect(outcome.code == 0, "\(outcome.error)")
    let json = try outcome.json()
    let interventions = try #require(json["interventions"] as? [[String: Any]])
    #expect(interventions.map { $0["mode"] as? String } == ["project", "ablate", "clamp"])
    #expect((json["conditions"] as? [[String: Any]])?.first?["side"] as? String == "below")
    #expect(json["project_mean"] is String && json["all_layers"] as? Bool == false)
    let baseline = try #require(json["baseline"] as? [String: Any])
    for answer in try #require(json["steered"] as? [[String: Any]]) + [baseline] {
      let ids = try #require(answer["ids"] as? [Int])
      let logs = try #require(answer["log_probabilities"] as? [Double])
      #expect(logs.count == ids.count && logs.allSatisfy { $0 < 0 })
      let watched = try #require(answer["watched"] as? [[String: Any]])
      #expect(watched.count == 1 && watched[0]["text"] as? String == "ab")
      #expect((watched[0]["log_probability"] as? Double ?? 0) < 0)
      #expect(answer["samples"] == nil)
      guard let strength = answer["strength"] as? Double else {
        #expect(answer["kl"] == nil && answer["relative_change"] == nil)
        continue
      }
      let kl = try #require(answer["kl"] as? [Double])
      #expect(kl.count == (baseline["ids"] as? [Int])?.count)
      #expect(kl.contains { $0 > 0 } || strength == 0)
      #expect((answer["first_difference"] == nil) == (ids == baseline["ids"] as? [Int]))
    }
  }

  @Test func aLatentsOwnConditionsGateItAlone() throws {
    let (first, second) = (latents[0], latents[1])
    func ids(_ json: [String: Any]) throws -> [Int] {
      try #require((json["steered"] as? [[String: Any]])?[0]["ids"] as? [Int])
    }
    let alone = try steer(["--latent", "\(first):20"]).json()
    let gated = try steer(["--latent", "\(first):20", "--latent", "\(second):20:add@>1e9"]).json()
    let never = try steer(["--latent", "\(first):20", "--latent", "\(second):20", "--when", "\(second)>1e9"]).json()
    let baseline = try #require((alone["baseline"] as? [String: Any])?["ids"] as? [Int])
    #expect(try ids(gated) == ids(alone) && ids(alone) != baseline && ids(never) == baseline)
    let interventions = try #require(gated["interventions"] as? [[String: Any]])
    #expect(interventions[0]["conditions"] == nil)
    let condition = try #require((interventions[1]["conditions"] as? [[String: Any]])?.first)
    #expect(condition["latent"] as? Int == second && condition["side"] as? String == "above")
    let outcome = try Program.run([
      "steer", build.storePath, "--prompt", "Hi", "--max-tokens", "5", "--save", "--latent", "\(first):20",
      "--latent", "\(second):20:add@>1e9@\(first)<3", "--when", "\(first)<1e9", "--sweep", "0:1:1",
    ])
    let text =
      "\(first) add +20.00, \(second) add +20.00 where f>1000000000 and f(\(first))<3; all only where f(\(first))<1000000000"
    #expect(outcome.code == 0 && outcome.out.contains(text), "\(outcome)")
    let again = try Program.run(["rerun", build.storePath, "1"])
    #expect(again.code == 0 && !again.out.contains("mismatch"), "\(again)")
    let markdown = try Program.run(["experiments", build.storePath, "--markdown"])
    #expect(markdown.out.contains(text), "\(markdown)")
  }

  /// Before latents had conditions of their own, a record's conditions were for all of them, and still are.
  @Test func conditionsOfOldRecordsAreForAllLatents() throws {
    let old = #"{"conditions":[{"latent":5,"side":"above","value":2}],"max_tokens":5,"seed":0,"temperature":0}"#
    let record = ExperimentRecord(
      created: "2026-01-01", prompt: "Hi", kind: "steer",
      interventions: #"[{"latent":5,"mode":"add","on":true,"strength":1},{"latent":7,"mode":"add","strength":1}]"#,
      parameters: old, outputs: "{}", versions: "{}")
    let run = SavedRun(record)
    #expect(run.interventionsText == "5 add +1.00, 7 add +1.00; all only where f(5)>2")
    let request = try #require(run.request)
    #expect(request.plan.conditions.count == 1 && request.plan.interventions.allSatisfy(\.conditions.isEmpty))
  }

  @Test func fiveHundredAndTwelveLatentsAreSteeredAtOnce() throws {
    let many = (0..<512).flatMap { ["--latent", "\(latents[$0 % latents.count]):0.02"] }
    let json = try steer(many).json()
    #expect((json["interventions"] as? [Any])?.count == 512)
  }

  @Test func samplesAreTheAnswersOfOneSeedAfterAnother() throws {
    let arguments = ["--latent", "\(latents[0]):0", "--temperature", "1.5", "--top-p", "0.95", "--min-p", "0.001"]
    let json = try steer(arguments + ["--samples", "3", "--seed", "4"]).json()
    let baseline = try #require((json["baseline"] as? [String: Any])?["samples"] as? [[String: Any]])
    let steered = try #require((json["steered"] as? [[String: Any]])?[0]["samples"] as? [[String: Any]])
    #expect(baseline.map { $0["seed"] as? Int } == [4, 5, 6])
    #expect(baseline.map { $0["ids"] as? [Int] } == steered.map { $0["ids"] as? [Int] }, "strength 0, same seeds")
    let last = try steer(arguments + ["--seed", "6"]).json()
    #expect((last["baseline"] as? [String: Any])?["ids"] as? [Int] == baseline[2]["ids"] as? [Int])
    let generated = try Program.run([
      "generate", "--model", build.folder.path + "/tiny.gguf", "--adapter", build.folder.path + "/adapter", "--prompt",
      "Hi", "--max-tokens", "5", "--temperature", "1.5", "--samples", "2", "--repetition-penalty", "1.5", "--json",
    ]).json()
    #expect((generated["samples"] as? [[String: Any]])?.map { $0["seed"] as? Int } == [0, 1])
    let settings = try #require(generated["settings"] as? [String: Any])
    #expect(settings["repetitionPenalty"] as? Double == 1.5 && settings["penaltyWindow"] as? Int == 64)
  }

  /// A strength beyond all numbers ends its arm alone, in JSON that is JSON; what runs beside it and after it is as ever.
  @Test(arguments: ["1e39", "-1e300", "1e39:clamp", "1e300:difference", "-1e300:project"])
  func aStrengthTooLargeEndsItsArmAlone(strength: String) throws {
    let (id, other) = (latents[0], latents[1])
    let alone = try steer(["--latent", "\(other):1"]).json()
    let json = try steer(["--latent", "\(id):\(strength)", "--latent", "\(other):1", "--sweep", "0:1:1"]).json()
    let steered = try #require(json["steered"] as? [[String: Any]])
    let baseline = try #require(json["baseline"] as? [String: Any])
    #expect(baseline["ids"] as? [Int] == (alone["baseline"] as? [String: Any])?["ids"] as? [Int])
    #expect(steered[0]["ids"] as? [Int] == baseline["ids"] as? [Int], "strength 0 beside it")
    #expect(steered[0]["not_finite_from"] == nil && (steered[0]["kl"] as? [Double])?.count == 5)
    if let from = steered[1]["not_finite_from"] as? Int {
      #expect((steered[1]["ids"] as? [Int])?.count == from && steered[1]["finished"] as? Bool == false)
      #expect(steered[1]["kl"] == nil && steered[1]["kl_mean"] == nil)
    } else {
      #expect(strength.contains(":"), "a mode that reads a code changes nothing where the code is 0")
    }
  }

  @Test func itIsSaidFromWhichTokenOnThereAreNoNumbers() throws {
    let outcome = try Program.run([
      "steer", build.storePath, "--prompt", "Hi", "--max-tokens", "5", "--latent", "\(latents[0]):1e39", "--save",
    ])
    #expect(
      outcome.code == 0 && outcome.out.contains("(not a number from token 1 on: strength too large)"), "\(outcome)")
    #expect(outcome.out.contains("KL –"))
    let again = try Program.run(["rerun", build.storePath, "1"])
    #expect(again.code == 0 && again.out.contains(": match, "), "\(again)")
    let large = try steer(["--latent", "\(latents[0]):1e30"]).json()
    let smaller = try steer(["--latent", "\(latents[0]):1e12"]).json()
    func ids(_ json: [String: Any]) -> [Int]? { (json["steered"] as? [[String: Any]])?[0]["ids"] as? [Int] }
    #expect(ids(large) == ids(smaller) && ids(large)?.isEmpty == false, "what is finite is computed right")
  }

  @Test(arguments: ["nan", "inf", "-inf", "NaN"])
  func aStrengthThatIsNoNumberIsRefused(strength: String) throws {
    try Program.run(["steer", "any.crosscope", "--prompt", "Hi", "--latent", "1:\(strength)"])
      .expectOneLine(code: 2, saying: "a strength is a finite number")
  }

  @Test func theShortFormNamesChangeDivergenceAndPhrases() throws {
    let outcome = try Program.run([
      "steer", build.storePath, "--prompt", "Hi", "--max-tokens", "3", "--latent", "\(latents[0]):4:add",
      "--raw-strength", "--all-layers", "--decoder", "base",
    ])
    #expect(outcome.code == 0, "\(outcome.error)")
    for part in ["baseline", "‖Δh‖/‖h‖", "KL ", "log p(I can't)", "log p(I cannot)"] {
      #expect(outcome.out.contains(part))
    }
  }

  @Test func whatAModeCannotUseIsRefusedInOneLine() throws {
    let id = latents[0]
    for (arguments, hint) in [
      (["--latent", "\(id):1:ablate", "--all-layers"], "mode add alone"),
      (["--latent", "\(id):1:clamp", "--raw-strength"], "mode add alone"),
      (["--latent", "\(id):1:difference", "--decoder", "base"], "both decoders"),
      (["--latent", "\(id)", "--when", "99999>1"], "0…"),
    ] {
      try steer(arguments).expectOneLine(saying: hint)
    }
  }

  @Test(arguments: [
    (["--latent", "1:1:clam"], "ablate"), (["--latent", "1:1:"], "ablate"),
    (["--latent", "1::ablate"], "finite number"),
    (["--latent", "1", "--when", "1=2"], "ID>VALUE"), (["--latent", "1", "--when", "x>2"], "number"),
    (["--latent", "1", "--when", "1>-1"], "0 or more"), (["--latent", "1", "--when", "1<0"], "nothing would be"),
    (["--latent", "1", "--samples", "2"], "temperature"), (["--latent", "1", "--top-p", "0.5"], "temperature"),
    (["--latent", "1", "--temperature", "1", "--top-p", "0"], "--top-p"),
    (["--latent", "1", "--temperature", "1", "--min-p", "2"], "--min-p"),
    (["--latent", "1", "--frequency-penalty", "1000"], "--frequency-penalty: expected -100 to 100, found 1000.0"),
    (["--latent", "1", "--repetition-penalty", "0"], "--repetition-penalty: expected above 0, at most 100, found 0.0"),
    (["--latent", "1", "--repetition-penalty", "2", "--repetition-window", "0"], "--repetition-window: expected 1 or"),
    (["--latent", "1", "--repetition-window", "8"], "--repetition-penalty"),
    (["--latent", "1", "--samples", "0"], "--samples: expected 1 to 64, found 0"),
    (["--latent", "1", "--watch", ""], "--watch"), (["--swap-base", "--decoder", "base"], "--latent"),
  ])
  func argumentsThatWouldDoNothingOrAreNotUnderstoodAreRefused(arguments: [String], hint: String) throws {
    try Program.run(["steer", "any.crosscope", "--prompt", "Hi"] + arguments).expectOneLine(code: 2, saying: hint)
  }
}
