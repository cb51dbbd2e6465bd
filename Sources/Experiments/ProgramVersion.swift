// The version of this program, as commands print it and saved runs record it.

/// The version of crosscope.
package enum ProgramVersion {
  package static let current = "0.1.0"
}
