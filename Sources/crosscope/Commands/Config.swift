// `crosscope config` prints and changes the explorer's settings in its configuration file.

import ArgumentParser
import Explorer
import Foundation
import Reports

struct Config: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print the explorer's default configuration: theme, colours and all keys by name.",
    discussion: """
      The file is JSON, and everything in it may be left out. Its place is $XDG_CONFIG_HOME/crosscope/config.json, or \
      ~/.config/crosscope/config.json without that variable:
        crosscope config > ~/.config/crosscope/config.json
      Under "keys", "undo" means undo on every screen, "latents.steer" steer on that one; keys are names with blanks \
      between them, and "" takes them away. Under "colours", roles get other colours than the theme's: \
      {"chat": "#ff8700", "selected": "24"}.
      """)

  @Flag(help: "Print where the file is looked for, instead of the file.") var path = false

  func run() {
    writeOut(path ? Configuration.usualPath() + "\n" : Configuration.usual.text)
  }
}
