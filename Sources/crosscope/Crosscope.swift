// The program: one subcommand a file in Commands/, listed here.
import ArgumentParser

@main
struct Crosscope: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "crosscope",
    abstract: "Find out what chat fine-tuning put into a language model, and prove it by steering.",
    version: "0.1.0",
    subcommands: [Explore.self],
    defaultSubcommand: Explore.self)
}
