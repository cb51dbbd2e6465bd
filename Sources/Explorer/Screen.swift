// The list of screens: a new screen is one file in Screens/ and one line here.

import Storage

/// A screen. The configuration and the state file call it by its name here.
enum Screen: String, Sendable, CaseIterable, Codable {
  case latents, latent, latentComparison, map, prompt, steer, sweep, experiments, experiment, differences

  /// The screen that is always open, below all others: the table of latents.
  static let bottom = Screen.latents
}

extension Screen {
  /// The definition of the screen.
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
    case .differences: DifferencesScreen.definition
    }
  }
}
