// --engine of every subcommand that may run on the models of a service. Refuses: what says how models here would run.

import ArgumentParser
import Foundation
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

  /// The service, which must mean the latents of a store here; nil where none is given.
  func remote(_ store: Store) throws -> RemoteEngine? {
    guard let engine else { return nil }
    let client = ServiceClient(address: try ServiceAddress(engine), token: try AccessToken.ofEnvironment())
    return RemoteEngine(client: client, identity: EngineIdentity(try store.modelPair()))
  }
}
