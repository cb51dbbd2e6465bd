// The view state of the steer screen: the next run and the result of the last one.

import Diffing
import Experiments
import Inference
import Storage
import TUI

/// View state of the steer screen.
struct SteerState: Sendable, Equatable {
  /// The part of the screen that takes keys.
  enum Focus: Sendable, CaseIterable { case prompt, interventions, answers }

  /// The state of the models.
  enum Model: Sendable, Equatable {
    case absent
    case loading(String)
    case ready(String)
    case failed(String)
  }

  var prompt = LineEditor(limit: 8000)
  /// The turns before the prompt: the user's, and the answers to them.
  var turns: [ChatMessage] = []
  var rows: [Row] = []
  /// The directions, which stand below the latents.
  var directions: [DirectionRow] = []
  /// The store's directions; nil until they are read.
  var known: [DirectionEntry]?
  /// The amplifications, which stand below the directions.
  var amplified: [AmplifiedRow] = []
  var list = ListState()
  var history = SteerListHistory()
  var focus = Focus.prompt
  /// How tokens are chosen.
  var sampling = GenerationSettings(maxTokens: 96, seed: 1)
  /// The plan without the latents of the list. Its conditions are those on all latents.
  var plan = SteeringPlan(interventions: [])
  /// Whether there is a third answer, steered with the baseline's attention weights.
  var freezesAttention = false
  /// Phrases whose log-probability at the start of the answer is measured.
  var watched = SteeringRequest.usuallyWatched
  var model = Model.absent
  /// Whether Enter was pressed before the model was loaded.
  var isWaitingForModel = false
  var run: SteerRun?
  var preview = SteerPreview()
  var sweep: SteerSweep?
  /// The last choice of a set of prompts.
  var promptSet = PromptSetPicker()
  var activations = SteerActivations()
  /// Numbers the runs, so that a cancelled one's late tokens are dropped.
  var runNumber = 0
  /// How many lines the answers are scrolled up from their end.
  var scrolledBack = 0

  static let temperatures = [0.0, 0.5, 0.7, 1.0]
  static let lengths = [32, 96, 256]

  var selectedRow: Row? { rows.indices.contains(list.selected) ? rows[list.selected] : nil }

  /// The request of a run with the present settings.
  var request: SteeringRequest {
    let rows = rows.filter(\.isOn)
    var plan = plan
    plan.interventions = rows.map(\.intervention)
    plan.directions = directions.filter(\.isOn).map(\.steered)
    if rows.isEmpty { plan.conditions = [] }
    if let amplification {
      // Settings of steering have no meaning where nothing is steered.
      if !plan.changesStream { plan = SteeringPlan(interventions: []) }
      plan.amplification = amplification
    }
    return SteeringRequest(
      prompt: prompt.text, turns: turns, plan: plan, sampling: sampling, watched: watched,
      freezesAttention: freezesAttention)
  }

  mutating func select(_ index: Int) {
    list.select(index, count: listCount, height: SteerLayout.mostRows)
  }
}
