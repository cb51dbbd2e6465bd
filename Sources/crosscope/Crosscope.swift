// The program's subcommands. Each has a file in Commands/.
import ArgumentParser
import Experiments

@main
struct Crosscope: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "crosscope",
    abstract: "Find out what chat fine-tuning put into a language model, and prove it by steering.",
    version: ProgramVersion.current,
    subcommands: [
      Explore.self,
      Config.self,
      Steer.self,
      Amplify.self,
      Activations.self,
      Differences.self,
      DirectionCommand.self,
      Causal.self,
      Evaluate.self,
      Evidence.self,
      Triggers.self,
      CausalCheckCommand.self,
      Calibrate.self,
      Generate.self,
      Forward.self,
      Tokenize.self,
      Encode.self,
      Scale.self,
      Synthetic.self,
      Latents.self,
      Show.self,
      Tag.self,
      Tags.self,
      Experiments.self,
      Rerun.self,
      Serve.self,
      Explain.self,
      CheckStore.self,
      Import.self,
      Export.self,
      Build.self,
      Harvest.self,
      Train.self,
      Score.self,
      Index.self,
      Bench.self,
    ],
    defaultSubcommand: Explore.self)
}
