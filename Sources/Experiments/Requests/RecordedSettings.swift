// The settings of a run as its document and the store's column `parameters` hold them. The document keeps prompt,
// interventions, strengths and watched phrases elsewhere.

import Diffing
import Inference

/// The references of a run's numbers, which are known once the run was put together.
package struct SteeringBasis: Sendable, Equatable {
  /// The block after which the residual stream was changed.
  package var layer: Int?
  /// The source of the mean that mode project leaves in place.
  package var projectMean: ResidualMean.Source?
  /// The largest activations by latent, in the residual stream's units; strengths are multiples of them.
  package var maxActivations: [Int: Double] = [:]

  package init(layer: Int? = nil, projectMean: ResidualMean.Source? = nil, maxActivations: [Int: Double] = [:]) {
    (self.layer, self.projectMean, self.maxActivations) = (layer, projectMean, maxActivations)
  }
}

/// The settings of a request and the references of its numbers.
package struct RecordedSettings: Codable, Sendable, Equatable {
  package var request: SteeringRequest
  package var basis: SteeringBasis

  package init(request: SteeringRequest, basis: SteeringBasis) { (self.request, self.basis) = (request, basis) }

  /// Reads the settings and ignores the document's other fields.
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
