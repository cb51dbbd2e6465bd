// The version of this program, which commands print and saved runs record.

/// The version of crosscope.
package enum ProgramVersion {
  package static let current = "0.1.0"
}
