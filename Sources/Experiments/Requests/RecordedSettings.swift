// The settings of a run as its document and the store's column `parameters` hold them. Prompt, interventions, strengths and
// watched phrases have places of their own in a document.

import Diffing
import Inference

/// What the numbers of a run were relative to, which is known once the run was put together.
package struct SteeringBasis: Sendable, Equatable {
  /// The block after which the residual stream was changed.
  package var layer: Int?
  /// Where the mean that mode project leaves in place was from.
  package var projectMean: ResidualMean.Source?
  /// The largest activations that strengths were multiples of, by latent, in the residual stream's units.
  package var maxActivations: [Int: Double] = [:]

  package init(layer: Int? = nil, projectMean: ResidualMean.Source? = nil, maxActivations: [Int: Double] = [:]) {
    (self.layer, self.projectMean, self.maxActivations) = (layer, projectMean, maxActivations)
  }
}

/// The settings of a request with what they were relative to.
package struct RecordedSettings: Codable, Sendable, Equatable {
  package var request: SteeringRequest
  package var basis: SteeringBasis

  package init(request: SteeringRequest, basis: SteeringBasis) { (self.request, self.basis) = (request, basis) }

  /// Reads what there is; other fields of a document are not looked at.
  package init(from decoder: any Decoder) throws {
    let fields = try JSONFields(decoder)
    request = SteeringRequest(
      prompt: "", turns: try fields.value("turns") ?? [], plan: try SteeringPlan(fields),
      sampling: try GenerationSettings(fields, usual: nil))
    basis = SteeringBasis(
      layer: try fields.value("layer"), projectMean: try fields.value("project_mean"),
      maxActivations: try fields.value("max_activations") ?? [:])
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: FieldName.self)
    try request.sampling.write(to: &fields)
    if !request.turns.isEmpty { try fields.write(request.turns, "turns") }
    try request.plan.writeSettings(to: &fields)
    if let layer = basis.layer { try fields.write(layer, "layer") }
    if let mean = basis.projectMean { try fields.write(mean, "project_mean") }
    try fields.write(basis.maxActivations, "max_activations")
  }
}
