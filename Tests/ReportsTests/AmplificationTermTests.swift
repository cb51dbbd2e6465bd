// Amplifications as people write them: every form that is read is written the same way, and others are refused.

import Diffing
import Inference
import Testing

@testable import Reports

@Suite struct AmplificationTermTests {
  @Test(arguments: [
    ("logits:2", Amplification(logits: 2)), ("logits:-1", Amplification(logits: -1)),
    ("weights:0.5", Amplification(weights: [WeightFactor(0.5)])),
    ("attention:0", Amplification(weights: [WeightFactor(0, module: .attention)])),
    ("mlp@8-15:0.5", Amplification(weights: [WeightFactor(0.5, blocks: 8...15, module: .mlp)])),
    ("weights@3:-2", Amplification(weights: [WeightFactor(-2, blocks: 3...3)])),
  ])
  func formsAreReadAndWritten(text: String, amplification: Amplification) throws {
    let term = try AmplificationTerm(text)
    #expect(term.text == text && Amplification([term]) == amplification && amplification.terms == [term])
    #expect(amplification.text == "amplified \(text)")
  }

  @Test func aTermWithoutANumberDoublesTheChange() throws {
    #expect(try AmplificationTerm("logits").value == 1 && AmplificationTerm("mlp@2").value == 2)
    #expect(try AmplificationTerm("logits").distance == AmplificationTerm("weights").distance)
  }

  @Test(arguments: [
    "", "logit:2", "logits@3:2", "mlp@:2", "mlp@4-3:1", "mlp@-1:1", "mlp@1-2-3:1", "weights:", "weights:two",
    "weights:1:2", "logits:nan", "logits:1001", "12:0.5", "mlp@1@2:1",
  ])
  func otherFormsAreRefused(text: String) {
    let error = #expect(throws: WrittenFormError.self) { try AmplificationTerm(text) }
    #expect(error.map { "\($0)".contains("\n") } == false)
  }

  @Test func aPlanSaysItsLatentsAndItsAmplification() throws {
    var plan = SteeringPlan(interventions: [Intervention(latent: 5, mode: .add, strength: 0.5)])
    #expect(plan.text == "5 add +0.50")
    plan.amplification = Amplification([try AmplificationTerm("logits:2"), try AmplificationTerm("mlp@1:0")])
    #expect(plan.text == "5 add +0.50; amplified logits:2, mlp@1:0")
    plan.interventions = []
    #expect(plan.text == "amplified logits:2, mlp@1:0")
    #expect(Amplification([]) == nil)
  }
}
