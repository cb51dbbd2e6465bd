// The list of screens: a new screen is one file in Screens/ and one line here.

/// A screen; the first one open is always the table of latents. Configuration and state file call it by its name here.
enum Screen: String, Sendable, CaseIterable, Codable {
  case latents, latent, latentComparison, map, prompt, steer, sweep, experiments, experiment
}

extension Screen {
  /// All screens.
  var definition: ScreenDefinition {
    switch self {
    case .latents: LatentsScreen.definition
    case .latent: LatentScreen.definition
    case .latentComparison: LatentComparisonScreen.definition
    case .steer: SteerScreen.definition
    case .prompt: PromptScreen.definition
    case .map: MapScreen.definition
    case .experiments: ExperimentsScreen.definition
    case .experiment: ExperimentScreen.definition
    case .sweep: SweepScreen.definition
    }
  }
}
