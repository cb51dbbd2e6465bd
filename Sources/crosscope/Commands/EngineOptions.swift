// The option --engine of every subcommand that runs a store's models: a service runs them instead of this process. Options for
// models in this process are errors beside it.

import ArgumentParser
import Experiments
import Foundation
import Inference
import Kernels
import Remote
import Serving
import Storage

/// A service that takes the place of models in this process.
struct EngineOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Run on the models of a `crosscope serve` there; its token is in CROSSCOPE_TOKEN.",
      valueName: "http://host:port|unix:path"))
  var engine: String?

  /// - Throws: `ValidationError` if options for models in this process stand beside a service.
  func exclude(_ files: ModelFileOptions, _ computing: ComputeOptions) throws {
    let own = files.model ?? files.adapter ?? files.baseModel ?? computing.precision?.rawValue
    if engine != nil, own != nil || computing.threads != nil {
      throw ValidationError("--engine has models, precision and threads of its own; leave --model and the like out")
    }
  }

  /// The laboratory for jobs on a store: the service, which must have the store's files, or models in this process.
  /// - Parameter precision: the default precision of models in this process.
  func laboratory(
    on store: Store, _ files: ModelFileOptions, _ computing: ComputeOptions, precision: Precision = .fast
  ) throws -> any Laboratory {
    guard let engine else {
      return ModelOwner(store: store, files: files.locations, precision: computing.precision ?? precision)
    }
    let client = ServiceClient(address: try ServiceAddress(engine), token: try AccessToken.ofEnvironment())
    return RemoteEngine(client: client, identity: EngineIdentity(try store.modelPair()))
  }
}
