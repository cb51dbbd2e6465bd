// Writes titles of columns and measures for terminals that only draw ASCII.

/// The title with Greek letters spelled out if only ASCII is drawn.
func plain(_ title: String, _ state: ExplorerState) -> String {
  guard state.asciiOnly else { return title }
  switch title {
  case "Δ norm": return "delta"
  case "ν^ε": return "nu_err"
  case "ν^r": return "nu_rec"
  default: return title.replacing("β", with: "beta").replacing("ε", with: "err").replacing("‖", with: "|")
  }
}
