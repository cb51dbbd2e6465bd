// --engine of every subcommand that runs the models of a store: a service in place of models here. What says how models here
// would run is refused beside it.

import ArgumentParser
import Experiments
import Foundation
import Inference
import Kernels
import Remote
import Serving
import Storage

/// A service in place of models here.
struct EngineOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Run on the models of a `crosscope serve` there; its token is in CROSSCOPE_TOKEN.",
      valueName: "http://host:port|unix:path"))
  var engine: String?

  /// - Throws: `ValidationError` where options for models here stand beside a service.
  func exclude(_ files: ModelFileOptions, _ computing: ComputeOptions) throws {
    let own = files.model ?? files.adapter ?? files.baseModel ?? computing.precision?.rawValue
    if engine != nil, own != nil || computing.threads != nil {
      throw ValidationError("--engine has models, precision and threads of its own; leave --model and the like out")
    }
  }

  /// Where the jobs on a store are done: by the service, which must mean the latents of the store here, or by models here.
  /// - Parameter precision: how models here compute where nothing says it.
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
