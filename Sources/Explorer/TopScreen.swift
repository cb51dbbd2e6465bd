// The screens that keys open from everywhere.

import Storage
import TUI

/// A screen that keys open from everywhere.
struct TopScreen: Sendable {
  /// The number of its keys: 1 is at F2 and Alt-1.
  let number: Int
  let screen: Screen
  let action: Action
  let help: String

  init(_ number: Int, _ screen: Screen, _ action: Action, _ help: String) {
    (self.number, self.screen, self.action, self.help) = (number, screen, action, help)
  }

  /// All such screens, one line each.
  static let all: [TopScreen] = [
    TopScreen(1, .latents, .latentsScreen, "go to the table of latents"),
    TopScreen(2, .map, .mapScreen, "go to the map"),
    TopScreen(3, .prompt, .promptScreen, "go to the prompt screen: latents on a text of yours"),
    TopScreen(4, .steer, .steerScreen, "go to the steer screen"),
    TopScreen(5, .experiments, .experimentsScreen, "go to the saved experiments"),
    TopScreen(6, .differences, .differencesScreen, "go to what the two models differ in, without latents"),
  ]

  var binding: Binding {
    Binding([Key(.function(number + 1)), Key(.character(Character("\(number)")), .alt)], action, nil, help)
  }

  /// The keys of all these screens, for the key bar.
  static let hint = KeyHint("F2–F\((all.map(\.number).max() ?? 1) + 1)", "screens")
}
