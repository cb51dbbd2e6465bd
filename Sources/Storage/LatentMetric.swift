// The names of the metrics that crosscope itself writes beside a latent's columns. Each is an ordinary metric: the table
// shows it, filters compare it, and a store without it has no value for it.

/// The metrics of `latent_metric` that a build makes.
public enum LatentMetric {
  /// The level of a latent of a Matryoshka dictionary, from 1, the coarsest.
  public static let level = "level"
  /// The latent of a lower level to which a latent belongs (`ParentSearch` in Diffing).
  public static let parent = "parent"
  /// The share of a latent's active tokens at which its parent is active too.
  public static let parentCoFiring = "parent_cofiring"
  /// Of a dictionary of chat − base: β of base ÷ β of chat of the activations themselves, near 0 for what base lacks.
  public static let nuActivation = "nu_activation"
  /// Of a latent that is stronger in base (Δ < 0.5): ν^ε and ν^r of Latent Scaling by base's direction, β of chat ÷ β of
  /// base. Near 0 for what fine-tuning took away.
  public static let nuErrorProbeBase = "nu_error_probe_base"
  public static let nuReconstructionProbeBase = "nu_reconstruction_probe_base"
  /// Of a latent with a twin: the share of tokens at which the two differ.
  public static let twinDivergence = "twin_divergence"
}
