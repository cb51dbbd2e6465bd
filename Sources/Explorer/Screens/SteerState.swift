// The view state of the steer screen: what is to be run, and what came of the last run.

import Diffing
import Experiments
import Inference
import Storage
import TUI

/// View state of the steer screen.
struct SteerState: Sendable, Equatable {
  /// What the keys go to.
  enum Focus: Sendable, CaseIterable { case prompt, interventions, answers }

  /// Where the models are.
  enum Model: Sendable, Equatable {
    case absent
    case loading(String)
    case ready(String)
    case failed(String)
  }

  var prompt = LineEditor(limit: 8000)
  /// What was said before the prompt: the user's turns and the answers to them.
  var turns: [ChatMessage] = []
  var rows: [Row] = []
  var list = ListState()
  var history = SteerListHistory()
  var focus = Focus.prompt
  /// How tokens are chosen.
  var sampling = GenerationSettings(maxTokens: 96, seed: 1)
  /// What is done with the latents of the list, which are no part of it here. Its conditions are of all rows.
  var plan = SteeringPlan(interventions: [])
  /// Whether there is a third answer, steered with the baseline's attention weights.
  var freezesAttention = false
  /// Phrases whose log-probability at the start of the answer is measured.
  var watched = SteeringRequest.usuallyWatched
  var model = Model.absent
  /// Enter was pressed before the model was there.
  var isWaitingForModel = false
  var run: SteerRun?
  var preview = SteerPreview()
  var sweep: SteerSweep?
  /// The choice of a set of prompts as it was made last.
  var promptSet = PromptSetPicker()
  var trace = SteerActivations()
  /// Numbers the runs, so that a cancelled one's late tokens are dropped.
  var runNumber = 0
  /// Lines that the answers are scrolled up from their end.
  var scrolledBack = 0

  static let temperatures = [0.0, 0.5, 0.7, 1.0]
  static let lengths = [32, 96, 256]

  var selectedRow: Row? { rows.indices.contains(list.selected) ? rows[list.selected] : nil }

  /// What a run would do now.
  var request: SteeringRequest {
    let rows = rows.filter(\.isOn)
    var plan = plan
    plan.interventions = rows.map(\.intervention)
    if rows.isEmpty { plan.conditions = [] }
    return SteeringRequest(
      prompt: prompt.text, turns: turns, plan: plan, sampling: sampling, watched: watched,
      freezesAttention: freezesAttention)
  }

  mutating func select(_ index: Int) {
    list.select(index, count: rows.count, height: SteerLayout.mostRows)
  }
}
